"""Deopt triage: lanes, ranges, causes, the record with its source, and the burn-down."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wasmjit.report.record import RunRecorder

pytestmark = pytest.mark.browser


@pytest.fixture
def deopts(page: Any) -> Any:
    page.open(f"run/{page.server.ids['pico']}/deopts", "lanes-canvas")
    return page


def count(page: Any) -> int:
    return int(page.text("record-count").split(",")[0].replace("\u202f", ""))


def test_lanes_are_grouped_by_definition_and_ranked_by_lost_time(deopts: Any) -> None:
    names = deopts.js("return [...document.querySelectorAll('.lane-names .lane, .lane-names .group')].map(e => e.dataset.process || e.dataset.group)")
    assert names[0] == "1" and "ram_cell.p0" in names
    lost = deopts.js("return [...document.querySelectorAll('.lane-names .lane .lost')].map(e => e.textContent)")
    assert lost[0].endswith("ms") and lost[-1] == "0 ns"
    before = len(deopts.css(".lane-names .lane"))
    deopts.find('[data-group="ram_cell.p0"]').click()
    deopts.until(lambda: len(deopts.css(".lane-names .lane")) == before - 6)


def test_lanes_show_the_colours_of_the_tiers(deopts: Any) -> None:
    assert len(deopts.colours("lanes-canvas")) > 4


def test_a_dragged_range_filters_every_panel_and_breadcrumbs_lead_back(deopts: Any) -> None:
    whole = count(deopts)
    causes = deopts.text("cause-count")
    deopts.drag("lanes-canvas", (200, 60), (420, 60))
    deopts.until(lambda: count(deopts) < whole)
    part = count(deopts)
    assert part > 0 and deopts.text("cause-count") != causes
    deopts.drag("lanes-canvas", (100, 60), (500, 60))
    deopts.until(lambda: count(deopts) < part)
    crumbs = deopts.css("[data-testid=crumbs] .crumb")
    assert len(crumbs) == 3
    crumbs[1].click()
    deopts.until(lambda: count(deopts) == part)
    deopts.css("[data-testid=crumbs] .crumb")[0].click()
    deopts.until(lambda: count(deopts) == whole)


def test_the_axis_switches_to_wall_time_and_keeps_the_range(deopts: Any) -> None:
    deopts.drag("lanes-canvas", (200, 60), (420, 60))
    deopts.until(lambda: len(deopts.css("[data-testid=crumbs] .crumb")) == 2)
    part = count(deopts)
    deopts.css("[data-testid=axis] button")[1].click()
    deopts.until(lambda: "ms" in deopts.css("[data-testid=crumbs] .crumb")[1].text)
    assert abs(count(deopts) - part) <= 1


def test_a_process_and_a_cause_narrow_the_records(deopts: Any) -> None:
    whole = count(deopts)
    deopts.find('.lane[data-process="2"]').click()
    deopts.until(lambda: 0 < count(deopts) < whole)
    deopts.click("crumb-process")
    deopts.until(lambda: count(deopts) == whole)
    deopts.find("[data-testid=causes] tbody button").click()
    deopts.until(lambda: 0 < count(deopts) < whole)
    assert "guard_failed" in deopts.text("crumb-cause")


def test_causes_come_with_explanation_and_remedy_from_the_reason_table(deopts: Any) -> None:
    text = deopts.text("causes")
    assert "What to do:" in text and "guard_failed" in text


def test_a_record_leads_to_the_source_line_the_resume_point_the_frame_and_the_wasm(deopts: Any) -> None:
    deopts.find("[data-testid=records] tbody tr").click()
    line = deopts.find("[data-testid=source] .on")
    assert "33" in line.text and "llvm.load %vtable" in line.text
    assert len(deopts.css("[data-testid=source] > div")) > 15
    assert "llhd.wait at line 26" in deopts.text("resume")
    assert "%this" in deopts.text("frame") and "2'b1x" in deopts.text("frame")
    assert "What to do:" in deopts.text("remedy")
    deopts.css("[data-testid=code-side] button")[1].click()
    deopts.expect_text("wat", "(func $")
    assert "call $wait" in deopts.text("wat")
    seq = deopts.text("[data-testid=detail] h2")
    deopts.find("[data-testid=detail] [aria-label='Next record']").click()
    deopts.until(lambda: deopts.text("[data-testid=detail] h2") != seq)


def test_the_record_is_in_the_address_and_opens_again(deopts: Any) -> None:
    deopts.find('[data-testid=records] tbody tr[data-seq="5"]').click()
    deopts.expect_text("[data-testid=detail] h2", "5")
    deopts.until(lambda: "d=5" in deopts.driver.current_url)
    deopts.driver.refresh()
    deopts.expect_text("[data-testid=detail] h2", "5")


def test_waves_at_the_moment_of_a_deopt_have_the_cursor_there(deopts: Any) -> None:
    deopts.find("[data-testid=records] tbody tr").click()
    deopts.click("to-waves")
    deopts.find("wave-canvas")
    deopts.until(lambda: deopts.text("status-cursor") not in ("–", ""))


def test_cumulative_curves_are_drawn(deopts: Any) -> None:
    for name in ("curve-counts", "curve-tiers"):
        assert len(deopts.colours(name)) > 3


def test_the_timeline_is_exported_for_perfetto_and_as_vcd(deopts: Any) -> None:
    deopts.click("deopt-export")
    deopts.css(".menu-list button")[0].click()
    trace = json.loads(deopts.downloaded(".perfetto.json").read_text())
    assert {event["ph"] for event in trace["traceEvents"]} >= {"M", "X", "i"}
    deopts.click("deopt-export")
    deopts.css(".menu-list button")[1].click()
    assert "$enddefinitions" in deopts.downloaded(".tiers.vcd").read_text()


def test_a_run_without_deopts_or_without_report_has_a_designed_empty_page(page: Any) -> None:
    page.open(f"run/{page.server.ids['sha_interpret']}/deopts", "lanes-canvas")
    assert "nothing was compiled" in page.text("empty")
    page.open(f"run/{page.server.ids['aborted']}/deopts")
    assert "KeyboardInterrupt" in page.text("error")
    assert "no report" in page.text("empty")
    page.open("run/no-such-run/deopts")
    page.expect_text("error", "no run named")
    assert all("404" in problem for problem in page.problems())


def test_what_a_page_leaves_out_it_says(page: Any) -> None:
    record = RunRecorder(page.server.runs, design="many.mlir", mode="compile")
    processes = [{"process_id": n, "process_name": f"p{n}", "definition": f"d{n}", "tier": 1, "activations": 3, "tier_ns": {}, "lost_ns": 1000 - n} for n in range(1, 401)]
    deopts = [{"reason": "guard_failed", "detail": "forced", "process_id": n, "process_name": f"p{n}", "sim_time_fs": n, "wall_ns": n} for n in (1, 2)]
    record.finish({"exit_code": 0, "final_time_fs": 1000, "run_wall_ms": 1.0, "jit": {"jit_deopts_total": 250_000}, "processes": processes, "deopts": deopts, "timeline": []})
    page.open(f"run/{record.run_id}/deopts", "lanes-canvas")
    assert "The first 2 of 250\u202f000 deopts" in page.text("cut")
    assert page.text("hidden-lanes").startswith("100 more processes")
    assert len(page.css("[data-testid=scores] tbody tr")) == 200


def test_the_burn_down_ranks_causes_and_knows_the_allow_list(page: Any) -> None:
    page.open("burndown", "burndown-causes")
    rows = page.css("[data-testid=burndown-causes] tbody tr")
    assert "guard_failed" in rows[0].text and "open" in rows[0].text
    assert any("interpreter_fallback" in row.text and "allowed" in row.text for row in rows)
    page.css("[data-testid=burndown-state] button")[3].click()
    page.until(lambda: len(page.css("[data-testid=burndown-causes] tbody tr")) == 1)
    page.css("[data-testid=burndown-by] button")[2].click()
    page.until(lambda: "by=run" in page.driver.current_url)
    assert len(page.colours("trend")) > 3
