"""Make the pictures of docs/screenshots: `python tests/webui/screenshots.py [OUT] [--all] [NAME...]`.

All of them show recorded runs of the simulator (`recorded`). `--all` makes every page in both themes at 1280 and 1920 wide, to be looked at; without it the small
set that the documentation shows. NAMEs restrict it to pages.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent / "api")]

from conftest import CHROMEDRIVER, CHROMIUM, FLAGS, Page, Server
from PIL import Image
from recorded import record_all, record_as
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from wasmjit_api.config import Settings
from wasmjit_api.main import create_app, make_server

PORT = 8799
SIZES = {1280: 800, 1920: 1080}


SHARED = Path(__file__).resolve().parents[3] / "shared"


def record_runs(root: Path) -> dict[str, str]:
    """The runs of the browser tests, and sha256 with one wrong round constant."""
    runs, designs = root / "runs", root / "designs"
    runs.mkdir()
    designs.mkdir()
    ids = record_all(root, runs, SHARED, budgets=(1, 2, 2, 3, 5, 4, 100_000))
    text = (SHARED / "designs" / "sha256.mlir").read_text()
    (designs / "sha256.mlir").write_text(text.replace("[1899447441 : i32, 0 : i32]", "[1899447440 : i32, 0 : i32]"))
    (designs / "picorv32.mlir").write_text((SHARED / "designs" / "picorv32_ez.mlir").read_text())
    ids["sha_wrong"] = record_as(runs, "20260202-000000-sha256-compile", designs / "sha256.mlir")
    return ids


def reduced(image: Image.Image) -> Image.Image:
    """The 256 most frequent colours, exactly; the others (edges of letters) as the nearest of them. A third of the size."""
    colours = sorted(image.getcolors(1 << 24) or [], reverse=True)[:256]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for _, colour in colours for part in colour])  # type: ignore[union-attr]
    return image.quantize(palette=palette, dither=Image.Dither.NONE)


def settle(page: Page) -> None:
    """Wait until every request of the page has been answered and drawn."""
    page.until(lambda: not page.css('[data-testid="loading"]'))
    page.driver.execute_async_script("const done = arguments[0]; setTimeout(() => requestAnimationFrame(() => done()), 700)")


def telling(run: Path) -> int:
    """Number of the deopt with most live values in its frame."""
    deopts = json.loads((run / "report.json").read_text())["deopts"]
    return max(range(len(deopts)), key=lambda n: (min(8, len(deopts[n]["frame"])), n))


def scenes(page: Page, ids: dict[str, str]) -> dict[str, Any]:
    """Name -> how to get there."""

    def go(address: str, then: str = "") -> Any:
        def run() -> None:
            page.open(address)
            settle(page)
            if then:
                page.js(then)
                settle(page)

        return run

    pick = "document.querySelector('[data-run=\"%s\"] input').click();"
    busy = (
        "const c = wasmjit.controller, m = c.model; m.rows = []; m.rowsChanged();"
        "for (const p of ['tb.clk','tb.next','tb.ready','tb.dut.t_ctr_reg','tb.digest','tb.dut.a_reg','tb.dut.e_reg','tb.block','tb.dut.w_data']) c.addVariable(c.tree.byPath.get(p));"
        "const by = p => m.signals().find(r => r.path === p).id; m.update([by('tb.dut.t_ctr_reg')], {analog: 'step'}); m.update([by('tb.dut.w_data')], {radix: 'unsigned'});"
        "m.selected = new Set([by('tb.next'), by('tb.ready')]); m.group('handshake');"
        "m.setView(0, 2.0e8); m.setMarker(1, 75e6); m.setCursor(145e6); m.select(by('tb.dut.e_reg'));"
    )
    pico, a, b = ids["pico"], ids["sha_interpret"], ids["sha_wrong"]
    record = telling(page.server.runs / pico)
    return {
        "runs": go("runs", pick % a + pick % b),
        "runs-empty": go("runs?q=nothing"),
        "launch": go("runs", "document.querySelector('[data-testid=launch]').click()"),
        "deopts": go(f"run/{pico}/deopts"),
        "deopt-detail": go(f"run/{pico}/deopts?d={record}"),
        "deopt-wasm": go(f"run/{pico}/deopts?d={record}", "document.querySelectorAll('[data-testid=code-side] button')[1].click()"),
        "deopts-range": go(f"run/{pico}/deopts?t0=2000000000&t1=2400000000", "document.querySelectorAll('[data-testid=axis] button')[1].click()"),
        "deopts-bottom": go(f"run/{pico}/deopts", "document.querySelector('.deopts').scrollTop = 1e6"),
        "bailouts": go(f"run/{ids['budget']}/deopts"),
        "evictions": go(f"run/{ids['evict']}/deopts", "document.querySelectorAll('[data-testid=axis] button')[1].click()"),
        "group": go(f"run/{ids['fabric']}/deopts"),
        "bus": go(f"run/{ids['bus']}/waves", "const m = wasmjit.controller.model; m.setCursor(2e6); m.select(m.signals().find(r => r.path === 'tb.bus').id);"),
        "fork": go(f"compare/{ids['parity_interpret']}/{ids['parity_compile']}", "const m = wasmjit.controller.model; m.setView(0, 60e6); m.setCursor(18e6); m.select(m.signals().find(r => r.path === 'tb.total').id);"),
        "deopts-none": go(f"run/{a}/deopts", "document.querySelector('.deopts').scrollTop = 1e6"),
        "waves": go(f"run/{b}/waves", busy),
        "waves-log": go(f"run/{pico}/waves", "document.querySelector('[data-testid=toggle-log]').click(); wasmjit.controller.model.setView(2e9, 2.4e9); wasmjit.controller.model.setCursor(2.25e9)"),
        "waves-none": go(f"run/{ids['no_waves']}/waves"),
        "palette": go(f"run/{b}/waves", "document.querySelector('[data-testid=open-palette]').click()"),
        "compare": go(f"compare/{a}/{b}"),
        "log": go(f"run/{pico}/log"),
        "burndown": go("burndown"),
        "failed": go(f"run/{ids['failed']}/deopts"),
        "not-found": go("run/none/deopts"),
    }


DOCUMENTED = [
    ("runs", 1280, "light"), ("deopts", 1280, "light"), ("deopts", 1920, "dark"), ("deopt-detail", 1280, "light"), ("deopt-wasm", 1280, "dark"), ("waves", 1280, "light"),
    ("compare", 1280, "light"), ("compare", 1920, "dark"), ("burndown", 1280, "light"), ("bus", 1280, "dark"), ("palette", 1280, "dark"), ("runs-empty", 1280, "light"),
]


def main(arguments: list[str]) -> None:
    everything = "--all" in arguments
    folder, *only = [word for word in arguments if not word.startswith("--")] or ["docs/screenshots"]
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix="wasmjit-shots-"))
    ids = record_runs(root)
    (root / "runs" / "allow.txt").write_text("exact:reason:guard_failed\n")
    live = subprocess.Popen(
        [sys.executable, "-m", "wasmjit", "run", str(SHARED / "bench" / "lfsr.mlir"), "-q", "--record", str(root / "runs"), "--trace", "tb.clk", "+cycles=1000000000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    atexit.register(live.terminate)
    app = create_app(Settings(root / "runs", port=PORT, designs_dir=root / "designs"))
    server = make_server(app, "127.0.0.1", PORT)
    threading.Thread(target=server.run, daemon=True).start()
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={root / 'profile'}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
    page = Page(driver, Server(f"http://127.0.0.1:{PORT}/", root / "runs", ids), root)
    page.open("runs", "runs")
    made = scenes(page, ids)
    wanted = [(name, width, theme) for theme in ("light", "dark") for width in SIZES for name in made] if everything else DOCUMENTED
    for name, width, theme in wanted:
        if only and name not in only:
            continue
        page.size(width, SIZES[width])
        page.js("localStorage.clear(); localStorage.setItem('wasmjit.theme', JSON.stringify(arguments[0]))", theme)
        made[name]()
        target = out / f"{name}-{width}-{theme}.png"
        driver.save_screenshot(str(target))
        reduced(Image.open(target).convert("RGB")).save(target, optimize=True)
        page.js("localStorage.clear()")
    driver.quit()
    app.state.context.hub.end_streams()
    server.should_exit = True


if __name__ == "__main__":
    main(sys.argv[1:])
