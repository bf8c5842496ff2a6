"""The pages on runs of the simulator itself: picorv32 with forced deopts, sha256 in both modes with one injected difference."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser


def test_forced_deopts_of_a_processor_are_shown_with_their_source_and_frame(page: Any, pico: str) -> None:
    directory = page.server.runs / pico
    report = json.loads((directory / "report.json").read_text())
    page.open(f"run/{pico}/deopts", "lanes-canvas")
    total = int(page.text("record-count").split(",")[0].replace("\u202f", ""))
    assert total == report["jit"]["jit_deopts_total"] > 50
    page.click("[data-testid=records] tbody tr")
    first = report["deopts"][0]
    line = int(first["location"].split(":")[-2])
    text = (directory / "design.mlir").read_text().splitlines()[line - 1]
    page.until(lambda: text.strip()[:30] in page.text("[data-testid=source] .on"))
    assert first["resume_point"] in page.text("resume")
    assert "What to do" in page.text("remedy")
    if first["frame"]:
        assert first["frame"][0]["value"] in page.text("frame")


def test_the_wasm_of_a_forced_deopt_is_the_code_of_its_process(page: Any, pico: str) -> None:
    record = next(d for d in json.loads((page.server.runs / pico / "report.json").read_text())["deopts"] if d["resume_point"] != "entry")
    page.open(f"run/{pico}/deopts", "lanes-canvas")
    page.click("[data-testid=records] tbody tr", 0)
    page.find("detail")
    page.js("location.hash = arguments[0]", f"#/run/{pico}/deopts?d={seq_of(page, pico, record)}")
    page.expect_text("resume", record["resume_point"])
    page.click("[data-testid=code-side] button", 1)
    text = page.expect_text("wat", f"(func ${record['definition']} ")
    assert "(param $0 i32) (param $1 i32) (result i32)" in text  # context and frame -> status
    page.click("wat-save")
    assert page.downloaded(".wat").read_text().count("(func ") == 1


def seq_of(page: Any, run: str, record: dict[str, Any]) -> int:
    """Number of a record of the report in the dashboard."""
    found = page.js(
        "return fetch(`/api/runs/${arguments[0]}/deopts?process_id=${arguments[1]}&begin=${arguments[2]}&end=${arguments[2]}`).then(r => r.json()).then(b => b.deopts[0].seq)",
        run, record["process_id"], record["sim_time_fs"],
    )
    return int(found)


def test_ranges_axes_processes_and_causes_of_a_processor_narrow_every_panel(page: Any, pico: str) -> None:
    report = json.loads((page.server.runs / pico / "report.json").read_text())
    page.open(f"run/{pico}/deopts", "lanes-canvas")

    def count() -> int:
        return int(page.text("record-count").split(",")[0].replace("\u202f", ""))

    whole = count()
    assert whole == len(report["deopts"])
    names = page.js("return [...document.querySelectorAll('.lane-names .lane .name')].map(e => e.textContent)")
    lost = sorted((p for p in report["processes"] if p["lost_ns"]), key=lambda p: -p["lost_ns"])
    assert names[: len(lost)] == [p["process_name"] for p in lost]
    width = page.js("return document.querySelector('[data-testid=lanes-canvas]').clientWidth")
    page.drag("lanes-canvas", (width * 0.25, 60), (width * 0.5, 60))
    page.until(lambda: 0 < count() < whole)
    end = report["final_time_fs"]
    inside = sum(0.24 * end <= d["sim_time_fs"] <= 0.51 * end for d in report["deopts"])
    assert abs(count() - inside) < inside / 10
    part = count()
    page.click("[data-testid=axis] button", 1)
    page.until(lambda: "ms" in page.css("[data-testid=crumbs] .crumb")[1].text or " s" in page.css("[data-testid=crumbs] .crumb")[1].text)
    assert abs(count() - part) <= max(2, part // 50)
    busiest, deopts = Counter(d["process_id"] for d in report["deopts"]).most_common(1)[0]
    page.click(f'.lane[data-process="{busiest}"]')
    page.find("crumb-process")
    page.until(lambda: 0 < count() <= min(part, deopts))
    page.click("[data-testid=crumbs] .crumb", 0)
    page.until(lambda: count() == whole)
    for curve in ("curve-counts", "curve-tiers"):
        assert len(page.colours(curve)) > 3
    page.click("more-records")
    page.until(lambda: len(page.css("[data-testid=records] tbody tr")) > 200)


def test_every_deopt_of_a_processor_is_on_the_lane_above_the_waves(page: Any, pico: str) -> None:
    total = json.loads((page.server.runs / pico / "report.json").read_text())["jit"]["jit_deopts_total"]
    page.open(f"run/{pico}/waves", "jit-lane")
    assert total > 300 and page.text("lane-deopts").replace("\u202f", "") == f"{total} deopts"
    # The program is loaded by one process and the counter at 0x3fc stored by another: of the same memory, each element has its own last driver.
    expected = {"testbench.memory[0]": "llhd_process_3", "testbench.memory[255]": "llhd_process_4", "testbench.clk": "llhd_process_0", "testbench.mem_valid": "picorv32."}
    for path, driver in expected.items():
        found = page.js("return fetch(`/api/runs/${arguments[0]}/driver?t=2300000000&signal=${encodeURIComponent(arguments[1])}`).then(r => r.json())", pico, path)
        assert found["drivers"][0]["process"].startswith(driver) and found["exact"] and found["source"] == "history", found


def test_the_burn_down_counts_the_deopts_of_real_runs(page: Any, pico: str) -> None:
    total = json.loads((page.server.runs / pico / "report.json").read_text())["jit"]["jit_deopts_total"]
    page.open("burndown?by=run&design=picorv32_ez", "burndown-causes")
    row = next(row for row in page.css("[data-testid=burndown-causes] tbody tr") if "forced" in row.text.split() and "guard_failed" in row.text)
    assert int(row.text.split()[0].replace("\u202f", "")) >= total and "open" in row.text
    assert "llhd_process" in row.text


def test_a_design_is_started_from_the_page_and_shown_while_it_runs(page: Any, shared: Path) -> None:
    designs = page.server.runs.parent / "designs"
    design = designs / "live.mlir"
    design.write_text((shared / "designs" / "picorv32_ez.mlir").read_text())
    try:
        page.expect_text("live", "live")
        page.click("launch")
        page.find("launch-design").find_element("css selector", "option[value='live.mlir']").click()
        page.click("launch-go")
        page.expect_text("toast", "Started")
        row = page.until(lambda: next((r for r in page.css("[data-testid=runs] tbody tr") if r.text.startswith("live")), None), "the run never appears")
        name = row.get_attribute("data-run")
        page.until(lambda: "pass" in page.text(f'[data-run="{name}"]'), "the run never ends")
        assert "11 µs" in page.text(f'[data-run="{name}"]')
        page.click(f'[data-run="{name}"] a')
        page.find("lanes-canvas")
    finally:
        design.unlink()


def test_the_deopt_lane_the_waves_and_the_log_of_a_processor_share_their_time(page: Any, pico: str) -> None:
    page.open(f"run/{pico}/waves", "wave-canvas")
    page.until(lambda: page.js("return wasmjit.controller.sources[0].rows.size") > 3)
    page.find("jit-lane")
    page.click("toggle-log")
    page.until(lambda: len(page.css("[data-testid=stamp]")) > 5)
    page.click("[data-testid=stamp]", 3)
    page.until(lambda: (page.js("return wasmjit.controller.model.cursor") or 0) > 0)
    page.find(".log .line.now")
