"""Interpret against compile mode: the comparison finds what differs and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wasmjit.parity import ParityJob, compare_runs, normalise_messages, run_parity
from wasmjit.parity.child import KILLED, run_child
from wasmjit.parity.compare import MODES

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"

VCD = """$timescale 1 fs $end
$scope module tb $end
$var wire 1 ! a $end
$var wire 8 " b [7:0] $end
$upscope $end
$enddefinitions $end
#0
0!
b0 "
#10
1!
b101 "
#20
{last}
"""


def two_runs(folder: Path) -> None:
    """Files of two runs that agree."""
    for mode in MODES:
        d = folder / mode
        d.mkdir()
        (d / "stdout").write_text("one\ntwo\n")
        (d / "stderr").write_text(f"[wasmjit] Starting simulation\n[wasmjit] Wrote waveform to {d}/waves.vcd\n")
        (d / "waves.vcd").write_text(VCD.replace("{last}", "0!"))
        report = {"final_time_fs": 20, "control": {"errors": 0}, "coverage": {"total_percent": 50.0}, "drivers": {"tb.b": ["p1"]}}
        (d / "report.json").write_text(json.dumps(report))


def same(_: str) -> dict[str, int]:
    return dict.fromkeys(MODES, 0)


def test_equal_runs_have_no_difference(tmp_path: Path) -> None:
    two_runs(tmp_path)
    v = compare_runs("x", tmp_path, same("x"))
    assert v.equal
    assert (v.signals_compared, v.differences) == (2, [])


def test_exit_status_is_compared(tmp_path: Path) -> None:
    two_runs(tmp_path)
    v = compare_runs("x", tmp_path, {"interpret": 0, "compile": 1})
    assert [d["kind"] for d in v.differences] == ["exit status"]


def test_a_changed_value_is_named_with_time_values_and_driver(tmp_path: Path) -> None:
    two_runs(tmp_path)
    (tmp_path / "compile" / "waves.vcd").write_text(VCD.replace("{last}", '0!\nb111 "'))
    (d,) = compare_runs("x", tmp_path, same("x")).differences
    assert (d["kind"], d["time_fs"], d["signal"], d["driver"]) == ("value change", 20, "tb.b", "p1")
    assert d["a"] != d["b"]


def test_output_is_compared_line_by_line(tmp_path: Path) -> None:
    two_runs(tmp_path)
    (tmp_path / "compile" / "stdout").write_text("one\nzwei\nthree\n")
    found = compare_runs("x", tmp_path, same("x")).differences
    assert [(d["a"], d["b"], d["detail"]) for d in found] == [("two", "zwei", "stdout line 2"), (None, "three", "stdout line 3")]


def test_tool_messages_are_compared_without_paths_and_decisions(tmp_path: Path) -> None:
    two_runs(tmp_path)
    path = tmp_path / "compile" / "stderr"
    path.write_text(path.read_text() + "[wasmjit] Error: something\n")
    (d,) = compare_runs("x", tmp_path, same("x")).differences
    assert d["b"] == "[wasmjit] Error: something"


def test_normalised_messages_keep_what_the_design_printed_to_stderr() -> None:
    assert normalise_messages("Wrote waveform by hand\n[wasmjit] Wrote waveform to x\n[wasmjit] Warning: y\n") == ["Wrote waveform by hand", "[wasmjit] Warning: y"]


@pytest.mark.parametrize(("key", "value", "kind"), [("coverage", {"total_percent": 51.0}, "coverage"), ("final_time_fs", 21, "message"), ("control", {"errors": 1}, "message")])
def test_reports_are_compared(tmp_path: Path, key: str, value: object, kind: str) -> None:
    two_runs(tmp_path)
    path = tmp_path / "compile" / "report.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    assert [d["kind"] for d in compare_runs("x", tmp_path, same("x")).differences] == [kind]


def test_an_internal_error_in_both_modes_is_a_difference(tmp_path: Path) -> None:
    two_runs(tmp_path)
    assert not compare_runs("x", tmp_path, {"interpret": 70, "compile": 70}).equal


def test_a_bundle_holds_both_runs_and_the_verdict(tmp_path: Path) -> None:
    verdict = run_parity(ParityJob(str(EXAMPLES / "handshake.mlir"), tmp_path))
    assert verdict.equal, verdict.lines()
    assert verdict.value_changes_compared > 10
    data = json.loads((tmp_path / "verdict.json").read_text())
    assert data["equal"] is True
    for mode in MODES:
        assert {p.name for p in (tmp_path / mode).iterdir()} == {"stdout", "stderr", "report.json", "waves.vcd", "coverage.json"}
        assert json.loads((tmp_path / mode / "report.json").read_text())["mode"] == mode


def test_the_command_exits_with_0_when_equal_and_keeps_a_bundle_per_design(tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    command = [sys.executable, "-m", "wasmjit", "parity", str(EXAMPLES / "gray.mlir"), str(EXAMPLES / "wide.mlir"), "-o", str(out), "--force-deopt=all"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=dict(os.environ))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 designs are equal" in done.stdout
    assert json.loads((out / "verdict.json").read_text())["different"] == 0
    assert (out / "gray" / "compile" / "waves.vcd").exists()


def test_a_child_that_does_not_end_is_killed(tmp_path: Path) -> None:
    done = run_child([sys.executable, "-c", "import threading; threading.Event().wait()"], tmp_path / "o", tmp_path / "e", timeout=0.5)
    assert done.timed_out
    assert done.exit_code == KILLED
