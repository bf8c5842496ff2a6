"""The list of runs, over recorded runs of the simulator."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from recorded import EXAMPLES, icarus_dump, record
from wave_view import model

pytestmark = pytest.mark.browser


def rows(page: Any) -> list[str]:
    return list(page.js("return [...document.querySelectorAll('[data-testid=runs] tbody tr')].map(r => r.dataset.run)"))


def meta(page: Any, run: str) -> dict[str, Any]:
    return dict(json.loads((page.server.runs / run / "run.json").read_text()))


def row_of(page: Any, run: str) -> str:
    return str(page.text(f'[data-run="{run}"]'))


def choose(page: Any, *runs: str) -> None:
    for run in runs:
        page.click(f'[data-run="{run}"] input')


def test_the_list_shows_every_recorded_run_with_its_figures(page: Any) -> None:
    assert set(rows(page)) >= set(page.server.ids.values())
    for role, parts in {
        "pico": ("picorv32_ez", "compile", "pass", "11 µs", "1541"), "coverage": ("coverage-event-implicit-sample", "90.6 %"), "failed": ("fail",), "limit": ("limit",),
        "sha_interpret": ("sha256", "interpret", "2.096 µs"), "parity_compile": ("parity", "behave", "pass"),
    }.items():
        run = page.server.ids[role]
        for part in parts:
            assert part in row_of(page, run), (role, part)
        found = meta(page, run)
        assert (found["commit"] or "–")[:8] in row_of(page, run)
        # The parts of the bar are as wide as the shares of the tiers.
        shares = page.js("return [...document.querySelectorAll(`[data-run='${arguments[0]}'] .tierbar i`)].map(e => [/tier-(\\w+)/.exec(e.style.background)[1], Number(e.style.flexGrow)])", run)
        assert dict(shares) == found["tier_mix"]


def test_filters_narrow_the_list_and_an_empty_result_says_so(page: Any) -> None:
    commit = meta(page, page.server.ids["history1"])["commit"]
    page.type("filter-q", f"picorv32 {commit[:8]}")
    page.until(lambda: rows(page) == [page.server.ids["history1"]])
    page.type("filter-q", "")
    for facet, value, role in (("verdict", "fail", "failed"), ("design", "coverage-event-implicit-sample", "coverage")):
        page.find(f"filter-{facet}").find_element("css selector", f'option[value="{value}"]').click()
        page.until(lambda role=role: rows(page) == [page.server.ids[role]])
        page.find(f"filter-{facet}").find_element("css selector", 'option[value=""]').click()
    page.find("filter-mode").find_element("css selector", 'option[value="interpret"]').click()
    page.until(lambda: page.server.ids["sha_interpret"] in rows(page) and page.server.ids["sha_compile"] not in rows(page))
    assert "mode=interpret" in page.driver.current_url
    page.type("filter-q", "nothing-like-this")
    assert "No run fits the filter" in page.text("empty")
    page.click("[data-testid=empty] button")
    page.until(lambda: set(rows(page)) >= set(page.server.ids.values()))


@pytest.mark.parametrize(("column", "field"), [("deopts_total", "deopts_total"), ("final_time_fs", "final_time_fs"), ("coverage", "coverage"), ("design", "design"), ("run_wall_ms", "run_wall_ms"), ("commit", "commit")])
def test_a_column_header_sorts_both_ways(page: Any, column: str, field: str) -> None:
    page.type("filter-q", "2026020")
    page.until(lambda: all(run.startswith("2026020") for run in rows(page)))
    known = {run: meta(page, run)[field] for run in rows(page)}
    assert len(known) >= 12

    def in_order(descending: bool) -> bool:
        values = [known[run] for run in rows(page)]
        # A run without the value is last, whatever the direction.
        present = [value for value in values if value is not None]
        return len(values) == len(known) and present == sorted(present, reverse=descending) and values[: len(present)] == present

    page.click(f"sort-{column}")
    page.until(lambda: in_order(True), f"{column} is not sorted downwards")
    page.click(f"sort-{column}")
    page.until(lambda: in_order(False), f"{column} is not sorted upwards")


def test_a_run_appears_while_it_goes_on_counts_and_ends_in_place(page: Any, shared: Path) -> None:
    page.expect_text("live", "live")
    before = set(rows(page))
    command = [sys.executable, "-m", "wasmjit", "run", str(shared / "bench" / "lfsr.mlir"), "-q", "--record", str(page.server.runs), "+cycles=100000000", "--trace", "tb.clk"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        (run,) = page.until(lambda: set(rows(page)) - before, "the run never appears")
        page.until(lambda: "running" in row_of(page, run))
        seen = row_of(page, run).split("running")[1].split()[:2]
        page.until(lambda: "µs" in row_of(page, run) or "ms" in row_of(page, run), "no progress is shown")
        page.until(lambda: row_of(page, run).split("running")[1].split()[:2] != seen, "the progress stands still")
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 130
        page.until(lambda: "running" not in row_of(page, run), "the end is not shown")
        assert meta(page, run)["status"] == "aborted"
    finally:
        if child.poll() is None:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()


def test_a_run_that_was_killed_is_shown_as_ended(page: Any, shared: Path) -> None:
    before = set(rows(page))
    command = [sys.executable, "-m", "wasmjit", "run", str(shared / "bench" / "lfsr.mlir"), "-q", "--record", str(page.server.runs), "+cycles=100000000", "--trace", "tb.clk"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (run,) = page.until(lambda: set(rows(page)) - before, "the run never appears")
    page.until(lambda: (page.server.runs / run / "progress.json").exists(), "no progress")
    child.kill()
    child.wait()
    page.until(lambda: "running" not in row_of(page, run), "a killed run goes on for ever")
    page.open(f"run/{run}/deopts")
    page.expect_text("error", "The run did not end by itself")
    assert "no report" in page.text("empty")


def test_selected_runs_are_deleted_after_a_question(page: Any) -> None:
    runs = [record(page.server, EXAMPLES / "gray.mlir", "-q") for _ in range(2)]
    for run in runs:
        page.find(f'[data-run="{run}"]')
    choose(page, *runs)
    page.click("delete")
    assert "Delete 2 runs with all files?" in page.text("selection")
    assert all((page.server.runs / run).exists() for run in runs)
    page.click("delete-yes")
    for run in runs:
        page.gone(f'[data-run="{run}"]')
        assert not (page.server.runs / run).exists()


def test_two_selected_runs_open_in_the_comparison(page: Any) -> None:
    choose(page, page.server.ids["parity_interpret"])
    assert not page.find("compare").is_enabled()
    choose(page, page.server.ids["parity_compile"])
    page.click("compare")
    page.expect_text("diff-summary", "signals are equal over the whole run")


def test_a_dump_of_another_simulator_is_opened_and_compared_with_a_run(page: Any, tmp_path: Path) -> None:
    page.find("upload-file").send_keys(str(icarus_dump(tmp_path)))
    page.find("wave-canvas")
    page.until(lambda: "tb.bus" in model(page, "model.signals().map(r => r.path)"))
    opened = page.driver.current_url.split("#/run/")[1].split("/")[0]
    page.open("runs", "runs")
    assert "loaded" in row_of(page, opened)
    choose(page, opened, page.server.ids["bus"])
    page.click("compare")
    page.expect_text("diff-summary", "signals are equal over the whole run")


def test_a_file_that_is_no_waveform_shows_why(page: Any, tmp_path: Any) -> None:
    whole = (page.server.runs / page.server.ids["bus"] / "waves.vcd").read_text()
    path = tmp_path / "broken.vcd"
    path.write_text(whole.replace("$enddefinitions $end", "$enddefinitions $end\n#5\n1~~\n"))
    page.find("upload-file").send_keys(str(path))
    assert "undeclared identifier" in page.expect_text("error", "cannot be read")


def test_only_designs_of_the_configured_folder_can_be_started(page: Any) -> None:
    page.click("launch")
    select = page.find("launch-design")
    assert [option.text for option in select.find_elements("tag name", "option")] == ["broken.mlir"]
    page.click("launch-go")
    page.expect_text("toast", "Started")
    page.gone("launch-form")
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
