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
from wasmjit.report.record import RecordedRun, pair_up

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
        assert {p.name for p in (tmp_path / mode).iterdir()} == {"stdout", "stderr", "report.json", "waves.vcd", "coverage.json", "drivers.bin"}
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


def test_recorded_parity_runs_are_a_pair_with_their_verdict(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "wasmjit", "parity", str(EXAMPLES / "bus.mlir"), "-o", str(tmp_path / "bundle"), "--record", str(tmp_path / "runs")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    runs = {meta["mode"]: meta for meta in (json.loads(path.read_text()) for path in (tmp_path / "runs").glob("*/run.json"))}
    assert set(runs) == set(MODES)
    for mode, other in zip(MODES, reversed(MODES), strict=True):
        assert (runs[mode]["kind"], runs[mode]["pair"], runs[mode]["verdict"]) == ("parity", runs[other]["id"], "pass")
        folder = tmp_path / "runs" / runs[mode]["id"]
        assert json.loads((folder / "verdict.json").read_text())["equal"] is True
        for name in ("waves.vcd", "drivers.bin"):
            assert (folder / name).read_bytes() == (tmp_path / "bundle" / mode / name).read_bytes()


def test_recorded_runs_that_differ_say_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "wasmjit", "parity", str(EXAMPLES / "bus.mlir"), "-o", str(tmp_path / "bundle"), "--record", str(tmp_path / "runs")]
    assert subprocess.run(command, capture_output=True, check=False, cwd=ROOT).returncode == 0
    runs = sorted((RecordedRun(tmp_path / "runs", path.parent.name) for path in (tmp_path / "runs").glob("*/run.json")), key=lambda run: "compile" in run.run_id)
    vcd = tmp_path / "bundle" / "compile" / "waves.vcd"
    text = vcd.read_text()
    code = next(line.split()[3] for line in text.splitlines() if line.startswith("$var") and line.split()[4] == "bus")
    assert text.count(f"b10111001 {code}\n") == 1  # the value of the bus at 2 ns, when only the right one talks
    vcd.unlink()  # a link to the file of the recorded run
    vcd.write_text(text.replace(f"b10111001 {code}\n", f"b10111011 {code}\n"))
    verdict = compare_runs("bus", tmp_path / "bundle", same("bus"))
    rows = [row for row in verdict.differences if row["signal"] == "tb.bus"]
    assert [(row["time_fs"], row["driver"], row["a"], row["b"]) for row in rows] == [(2_000_000, "talker.logic0", "10111001", "10111011")]
    pair_up(runs, verdict.as_json(), verdict.equal)
    for run in runs:
        assert json.loads((run.directory / "run.json").read_text())["verdict"] == "different"


def test_a_design_that_cannot_be_read_is_no_recorded_pair(tmp_path: Path) -> None:
    (tmp_path / "bad.mlir").write_text("hw.module @t(")
    verdict = run_parity(ParityJob(str(tmp_path / "bad.mlir"), tmp_path / "bundle", record=tmp_path / "runs"))
    assert verdict.runs["compile"]["exit_code"] == 2 and not list((tmp_path / "runs").glob("*"))
