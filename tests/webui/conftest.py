"""A dashboard server over recorded runs and a headless Chromium that drives its page."""

from __future__ import annotations

import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent / "api")]  # api: dumps of any size

from recorded import record_all
from wasmjit_api.config import Settings
from wasmjit_api.main import create_app, make_server

CHROMIUM = "/usr/bin/chromium"
CHROMEDRIVER = "/usr/bin/chromedriver"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: drives the dashboard in headless Chromium")


@dataclass
class Server:
    """A running dashboard: its address, its runs and their ids by role (see recorded.record_all)."""

    url: str
    runs: Path
    ids: dict[str, str]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("dashboard")
    runs, designs = root / "runs", root / "designs"
    runs.mkdir()
    ids = record_all(root, runs, shared)
    (runs / "allow.txt").write_text("exact:reason_detail:missing_thunk:compile_budget_exhausted\n")
    designs.mkdir()
    (designs / "broken.mlir").write_text("hw.module @broken(\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = create_app(Settings(runs, port=port, designs_dir=designs, scan_interval_s=0.2))
    instance = make_server(app, "127.0.0.1", port)
    thread = threading.Thread(target=instance.run, daemon=True)
    thread.start()
    while not instance.started and thread.is_alive():
        thread.join(0.02)
    yield Server(f"http://127.0.0.1:{port}/", runs, ids)
    app.state.context.hub.end_streams()
    instance.should_exit = True
    thread.join(10)


@pytest.fixture(scope="session")
def pico(server: Server) -> str:
    """picorv32 with some 1500 forced deopts in five processes."""
    return server.ids["pico"]


@pytest.fixture(scope="session")
def sha(server: Server) -> tuple[str, str]:
    """sha256 in interpret and in compile mode."""
    return server.ids["sha_interpret"], server.ids["sha_compile"]


@pytest.fixture(scope="session")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    for tool in (CHROMIUM, CHROMEDRIVER):
        if not Path(tool).exists():
            pytest.fail(f"the browser tests need {tool}: apt install chromium chromium-driver", pytrace=False)
    selenium = pytest.importorskip("selenium.webdriver", reason="pip install selenium")
    from selenium.webdriver.chrome.service import Service

    profile = tmp_path_factory.mktemp("chromium")
    options = selenium.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={profile}", "--window-size=1280,800"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = selenium.Chrome(options=options, service=Service(CHROMEDRIVER))
    yield driver
    driver.quit()
    shutil.rmtree(profile, ignore_errors=True)


class Page:
    """The page under test: short words for what the tests do over and over."""

    def __init__(self, driver: Any, server: Server, downloads: Path) -> None:
        self.driver, self.server, self.downloads = driver, server, downloads
        self.size(1280, 800)
        driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads), "eventsEnabled": False})

    def size(self, width: int, height: int) -> None:
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def open(self, address: str, wait: str | None = None) -> None:
        self.driver.get("about:blank")
        self.driver.get(f"{self.server.url}#/{address}")
        if wait:
            self.find(wait)

    def until(self, condition: Callable[[], Any], what: str = "") -> Any:
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.driver, 60, poll_frequency=0.05, ignored_exceptions=[StaleElementReferenceException]).until(lambda _d: condition(), what)

    def css(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements("css selector", selector))

    @staticmethod
    def _selector(name: str) -> str:
        return name if name[0] in ".#[" or " " in name else f'[data-testid="{name}"]'

    def find(self, name: str) -> Any:
        selector = self._selector(name)
        return self.until(lambda: next(iter(self.css(selector)), None), f"nothing matches {selector}")

    def gone(self, name: str) -> None:
        self.until(lambda: not self.css(self._selector(name)), f"{name} is still there")

    def click(self, name: str, which: int = 0) -> None:
        """Click on the element, or on one of several. It is looked up again when the page has drawn it anew meanwhile."""
        selector = self._selector(name)

        def clicked() -> bool:
            found = self.css(selector)
            if not found or not -len(found) <= which < len(found):
                return False
            found[which].click()
            return True

        self.until(clicked, f"nothing matches {selector}")

    def text(self, name: str) -> str:
        return str(self.find(name).text)

    def expect_text(self, name: str, part: str) -> str:
        self.until(lambda: part in self.text(name), f"{name} never shows {part!r}")
        return self.text(name)

    def js(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def keys(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def type(self, name: str, text: str) -> None:
        element = self.find(name)
        element.send_keys("\ue009a\ue000", text or "\ue003")  # all of it is replaced, or removed

    def drag(self, name: str, begin: tuple[float, float], end: tuple[float, float], shift: bool = False, alt: bool = False) -> None:
        """Press at a place of the element (pixels from its corner), move, release."""
        self.js(
            """
            const [canvas, a, b, shiftKey, altKey] = arguments;
            const box = canvas.getBoundingClientRect();
            const fire = (type, [x, y]) => canvas.dispatchEvent(new PointerEvent(type, {bubbles: true, cancelable: true, pointerId: 1, button: 0, buttons: 1, shiftKey, altKey,
              clientX: box.left + x, clientY: box.top + y}));
            canvas.setPointerCapture = () => {};
            fire('pointerdown', a); fire('pointermove', [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]); fire('pointermove', b); fire('pointerup', b);""",
            self.find(name), list(begin), list(end), shift, alt,
        )

    def wheel(self, name: str, x: float, y: float, dy: float) -> None:
        self.js(
            """const [canvas, x, y, deltaY] = arguments; const box = canvas.getBoundingClientRect();
            canvas.dispatchEvent(new WheelEvent('wheel', {bubbles: true, cancelable: true, deltaY, clientX: box.left + x, clientY: box.top + y}));""",
            self.find(name), x, y, dy,
        )

    def drop(self, source: str, target: str) -> None:
        """HTML drag and drop from one element to another."""
        self.js(
            """const [from, to] = arguments; const data = new DataTransfer();
            for (const [element, type] of [[from, 'dragstart'], [to, 'dragover'], [to, 'drop'], [from, 'dragend']])
              element.dispatchEvent(new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer: data}));""",
            self.find(source), self.find(target),
        )

    def colours(self, name: str) -> set[tuple[int, int, int]]:
        """Colours that occur in a canvas."""
        found = self.js(
            """const c = arguments[0]; const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; const s = new Set();
            for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 250) s.add((d[i] << 16) | (d[i + 1] << 8) | d[i + 2]); return [...s];""",
            self.find(name),
        )
        return {(n >> 16, n >> 8 & 255, n & 255) for n in found}

    def downloaded(self, suffix: str) -> Path:
        """The file that a download makes, when it is whole."""
        return Path(self.until(lambda: next((str(p) for p in self.downloads.iterdir() if p.name.endswith(suffix)), None), f"no download *{suffix}"))

    def problems(self) -> list[str]:
        """Errors in the browser's console so far."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.fixture
def page(chrome: Any, server: Server, tmp_path: Path) -> Iterator[Page]:
    made = Page(chrome, server, tmp_path)
    made.open("runs", "runs")
    made.js("localStorage.clear()")
    made.problems()
    yield made
    assert made.problems() == []
