"""`wasmjit bench`: figures, ratios, the picture. Nothing is timed here."""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from wasmjit.bench.costs import CALL_LIMITS_US, call_costs, telemetry_cost
from wasmjit.bench.measure import Bench, Measurement
from wasmjit.bench.tables import summary, svg, text
from wasmjit.bench.tools import BuildError, Tool
from wasmjit.bench.workloads import WORKLOADS, Workload


def row(tool: str, small_s: float, large_s: float, problem: str = "") -> Measurement:
    return Measurement(tool, "lfsr", 10, 1010, small_s, large_s, default_s=large_s, problem=problem)


def test_steady_state_is_the_difference_of_two_sizes() -> None:
    assert row("icarus", 0.5, 1.5).steady_s == pytest.approx(0.001)
    assert Measurement("icarus", "lfsr").steady_s == 0


def test_ratios_say_how_many_times_faster_wasmjit_is() -> None:
    data = summary([row("compile", 0.2, 0.3), row("icarus", 0.0, 1.0), row("verilator", 0.0, 0.05)], {})
    assert [(r["against"], r["steady"]) for r in data["ratios"]] == [("icarus", pytest.approx(10)), ("verilator", pytest.approx(0.5))]


def test_a_failed_measurement_has_no_ratio_but_a_note() -> None:
    data = summary([row("compile", 0.2, 0.3, "wrong checksum"), row("icarus", 0.0, 1.0)], {})
    assert data["ratios"] == []
    assert any("wrong checksum" in line for line in text(data))


def test_the_picture_is_svg_with_a_bar_per_tool() -> None:
    root = ET.fromstring(svg(summary([row("compile", 0.2, 0.3), row("icarus", 0.0, 1.0)], {})))
    fills = [e.get("fill") for e in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert len(fills) == 3


def test_an_empty_bench_still_draws() -> None:
    assert ET.fromstring(svg(summary([], {}))) is not None


def fake(name: str, script: str) -> Tool:
    return Tool(name, "1", lambda w, folder, work: ["sh", "-c", script, "sh"])


def test_checksums_are_checked_against_the_expected_one(tmp_path: Path) -> None:
    w = Workload("lfsr", "cycles", 100, "checksum 1", 1)
    rows = Bench(tmp_path, tmp_path, target_s=0.0, repeats=1, say=lambda _: None).workload(w, [fake("compile", "echo checksum 2"), fake("icarus", "echo checksum 1")])
    assert rows[0].problem.startswith("wrong checksum")
    assert rows[1].checksum == "checksum 1"


def test_a_model_that_cannot_be_built_is_a_note(tmp_path: Path) -> None:
    def broken(w: Workload, folder: Path, work: Path) -> list[str]:
        raise BuildError("no compiler")

    (r,) = Bench(tmp_path, tmp_path, say=lambda _: None).workload(WORKLOADS["lfsr"], [Tool("verilator", "1", broken)])
    assert r.problem == "no compiler"


def test_a_run_that_fails_is_a_note(tmp_path: Path) -> None:
    (r,) = Bench(tmp_path, tmp_path, repeats=1, say=lambda _: None).workload(WORKLOADS["lfsr"], [fake("compile", "echo broken >&2; exit 3")])
    assert "exit status 3: broken" in r.problem


def test_call_costs_are_measured_in_both_directions() -> None:
    costs = call_costs(calls=200, repeats=2)
    assert costs.keys() == CALL_LIMITS_US.keys() and all(us > 0 for us in costs.values())


def test_the_cost_of_telemetry_is_the_difference_of_two_runs(tmp_path: Path) -> None:
    script = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done"
    cost = telemetry_cost(["sh", "-c", script, "sh"], repeats=2)
    assert cost.keys() == {"plain_s", "telemetry_s", "percent"} and cost["plain_s"] >= 0


def test_a_run_that_fails_has_no_telemetry_cost() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        telemetry_cost(["sh", "-c", "exit 3", "sh"], repeats=1)


def test_calls_and_telemetry_are_part_of_text_and_json() -> None:
    data = summary([], {}, {"python_to_wasm": 0.5}, {"lfsr": {"plain_s": 1.0, "telemetry_s": 1.02, "percent": 2.0}})
    assert data["calls_us"] == {"python_to_wasm": 0.5}
    assert any("python to wasm" in line for line in text(data)) and any("2.0%" in line for line in text(data))


def test_a_model_without_a_checksum_is_said_to_end_early(tmp_path: Path) -> None:
    w = Workload("lfsr", "cycles", 100, "checksum 1", 1)
    rows = Bench(tmp_path, tmp_path, target_s=0.0, repeats=1, say=lambda _: None).workload(w, [fake("verilator", "true")])
    assert rows[0].problem.startswith("prints no checksum")
