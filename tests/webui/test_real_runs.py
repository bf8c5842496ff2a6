"""The pages on runs of the simulator itself: picorv32 with forced deopts, sha256 in both modes with one injected difference."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser


def record(server: Any, design: Path, *options: str) -> str:
    """Run the simulator with --record; the id of the new run."""
    before = {path.name for path in server.runs.iterdir()}
    done = subprocess.run(
        [sys.executable, "-m", "wasmjit", "run", str(design), "--record", str(server.runs), *options], capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (made,) = [path.name for path in server.runs.iterdir() if path.name not in before and path.name[0] != "."]
    return made


@pytest.fixture(scope="module")
def pico(server: Any, shared: Path) -> str:
    return record(server, shared / "designs" / "picorv32_ez.mlir", "--mode=compile", "--force-deopt", "every:50")


@pytest.fixture(scope="module")
def sha(server: Any, shared: Path) -> tuple[str, str]:
    design = shared / "designs" / "sha256.mlir"
    return record(server, design, "--mode=interpret"), record(server, design, "--mode=compile")


def inject(path: Path, signal: str, nth: int) -> int:
    """Flip the lowest bit of the `nth` change of a signal in a VCD; the time of that change in fs."""
    lines = path.read_text().splitlines()
    (code,) = {line.split()[3] for line in lines if line.startswith("$var") and line.split()[4] == signal}
    time = count = 0
    for n, line in enumerate(lines):
        if line.startswith("#"):
            time = int(line[1:])
        elif line.startswith("b") and line.split()[1] == code:
            count += 1
            if count == nth:
                bits = line.split()[0]
                lines[n] = f"{bits[:-1]}{1 - int(bits[-1])} {code}"
                path.write_text("\n".join(lines) + "\n")
                return time
    raise AssertionError(f"{signal} has only {count} changes")


def test_forced_deopts_of_a_processor_are_shown_with_their_source_and_frame(page: Any, pico: str) -> None:
    directory = page.server.runs / pico
    report = json.loads((directory / "report.json").read_text())
    page.open(f"run/{pico}/deopts", "lanes-canvas")
    total = int(page.text("record-count").split(",")[0].replace("\u202f", ""))
    assert total == report["jit"]["jit_deopts_total"] > 50
    page.find("[data-testid=records] tbody tr").click()
    first = report["deopts"][0]
    line = int(first["location"].split(":")[-2])
    text = (directory / "design.mlir").read_text().splitlines()[line - 1]
    page.until(lambda: text.strip()[:30] in page.text("[data-testid=source] .on"))
    assert first["resume_point"] in page.text("resume")
    assert "What to do" in page.text("remedy")
    if first["frame"]:
        assert first["frame"][0]["value"] in page.text("frame")


def test_the_deopt_lane_the_waves_and_the_log_of_a_processor_share_their_time(page: Any, pico: str) -> None:
    page.open(f"run/{pico}/waves", "wave-canvas")
    page.until(lambda: page.js("return wasmjit.controller.sources[0].rows.size") > 3)
    page.find("jit-lane")
    page.click("toggle-log")
    page.until(lambda: len(page.css("[data-testid=stamp]")) > 5)
    page.css("[data-testid=stamp]")[3].click()
    page.until(lambda: (page.js("return wasmjit.controller.model.cursor") or 0) > 0)
    page.find(".log .line.now")


def test_both_modes_of_sha256_are_equal_but_for_an_injected_difference(page: Any, sha: tuple[str, str]) -> None:
    interpret, compiled = sha
    page.open(f"compare/{interpret}/{compiled}", "wave-canvas")
    assert "equal over the whole run" in page.text("diff-summary")
    time = inject(page.server.runs / compiled / "waves.vcd", "e_reg", 40)
    page.open(f"compare/{interpret}/{compiled}", "wave-canvas")
    page.expect_text("diff-summary", "1 of")
    assert "e_reg" in page.text("[data-testid=difflist] button")
    assert page.js("return wasmjit.controller.model.cursor") == time
    page.expect_text("driver", "driven by")
    page.click("diff-next")
    page.expect_text("toast", "No next difference")
