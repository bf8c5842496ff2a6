"""The list of runs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from synthetic import big_vcd

from wasmjit.report.record import RunRecorder

pytestmark = pytest.mark.browser


def rows(page: Any) -> list[str]:
    return list(page.js("return [...document.querySelectorAll('[data-testid=runs] tbody tr')].map(r => r.dataset.run)"))


def test_the_list_shows_every_recorded_run_with_its_figures(page: Any) -> None:
    assert set(rows(page)) >= set(page.server.ids.values())
    row = page.find(f'tr[data-run="{page.server.ids["sha_compile"]}"]'.replace("tr[", "[")).text
    for part in ("sha256", "compile", "different", "180 ms", "91.5 %", "c0ffee12"):
        assert part in row


def test_filters_narrow_the_list_and_an_empty_result_says_so(page: Any) -> None:
    page.type("filter-q", "sha256 interpret c0ffee")
    page.until(lambda: rows(page) == [page.server.ids["sha_interpret"]])
    page.type("filter-q", "nothing-like-this")
    assert "No run fits the filter" in page.text("empty")
    page.find("[data-testid=empty] button").click()
    page.until(lambda: len(rows(page)) >= 13)


def test_a_column_header_sorts_both_ways(page: Any) -> None:
    page.type("filter-q", "picorv32 compile 202610")
    page.until(lambda: len(rows(page)) == 7)
    page.click("sort-deopts_total")
    page.until(lambda: rows(page)[0] == page.server.ids["pico0"])
    page.click("sort-deopts_total")
    page.until(lambda: rows(page)[0] == page.server.ids["pico5"])


def test_a_run_in_progress_changes_in_place_and_a_new_one_appears(page: Any) -> None:
    page.expect_text("live", "live")
    running = page.server.runs / page.server.ids["running"] / "progress.json"
    value = json.loads(running.read_text())
    running.write_text(json.dumps({**value, "deopts_total": 4321}))
    page.until(lambda: "4321" in page.text(f'[data-run="{page.server.ids["running"]}"]'))
    record = RunRecorder(page.server.runs, design="fresh.mlir", mode="compile")
    page.find(f'[data-run="{record.run_id}"]')
    record.finish({"exit_code": 0})
    page.until(lambda: "pass" in page.text(f'[data-run="{record.run_id}"]'))


def test_selected_runs_are_deleted_after_a_question(page: Any) -> None:
    record = RunRecorder(page.server.runs, design="doomed.mlir", mode="compile")
    record.finish({"exit_code": 0})
    page.find(f'[data-run="{record.run_id}"] input').click()
    page.click("delete")
    assert record.directory.exists()
    page.click("delete-yes")
    page.gone(f'[data-run="{record.run_id}"]')
    assert not record.directory.exists()


def test_two_selected_runs_open_in_the_comparison(page: Any) -> None:
    for role in ("sha_interpret", "sha_compile"):
        page.find(f'[data-run="{page.server.ids[role]}"] input').click()
    page.click("compare")
    page.expect_text("diff-summary", "signals differ")


def test_a_dropped_in_vcd_of_another_simulator_is_shown(page: Any, tmp_path: Any) -> None:
    path = tmp_path / "other.vcd"
    big_vcd(path, 2000)
    page.find("upload-file").send_keys(str(path))
    page.find("wave-canvas")
    assert "64 signals" in page.text("[data-testid=wave] .side .foot")


def test_a_file_that_is_no_waveform_shows_why(page: Any, tmp_path: Any) -> None:
    path = tmp_path / "broken.vcd"
    path.write_text("$timescale 1 ns $end\n$enddefinitions $end\n#5\n1!\n")
    page.find("upload-file").send_keys(str(path))
    assert "undeclared identifier" in page.expect_text("error", "cannot be read")


def test_only_designs_of_the_configured_folder_can_be_started(page: Any) -> None:
    page.click("launch")
    select = page.find("launch-design")
    assert [option.text for option in select.find_elements("tag name", "option")] == ["counter.mlir"]
    page.click("launch-go")
    page.expect_text("toast", "Started")
    page.gone("launch-form")
    # The design of this fixture is an excerpt: the simulator refuses it, and the page says so.
    page.expect_text("toast", "did not run (exit code 2)")


def test_the_theme_button_changes_the_theme_and_is_remembered(page: Any) -> None:
    def theme() -> str:
        return str(page.js("return document.documentElement.dataset.theme"))

    page.click("theme")
    page.until(lambda: page.find("theme").get_attribute("title") == "Theme: light")
    page.click("theme")
    page.until(lambda: theme() == "dark")
    page.open("runs", "runs")
    assert theme() == "dark"
