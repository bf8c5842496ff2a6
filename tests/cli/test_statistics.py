"""Statistics, reports and the ways a run can end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from runner import EXAMPLES, ROOT, wasmjit

ENDLESS = """module {
  hw.module @tb() {
    %true = hw.constant true
    %false = hw.constant false
    %0 = llhd.constant_time <0ns, 0d, 1e>
    %1 = llhd.constant_time <1ns, 0d, 0e>
    %clk = llhd.sig %false : i1
    llhd.process {
      cf.br ^bb1
    ^bb1:
      llhd.wait delay %1, ^bb2
    ^bb2:
      %2 = llhd.prb %clk : i1
      %3 = comb.xor %2, %true : i1
      llhd.drv %clk, %3 after %0 : i1
      cf.br ^bb1
    }
    hw.output
  }
}
"""

SPIN = """module {
  hw.module @tb() {
    %false = hw.constant false
    %true = hw.constant true
    %p = llhd.sig %false : i1
    llhd.process {
      cf.br ^bb1(%false : i1)
    ^bb1(%0: i1):
      %1 = llhd.prb %p : i1
      %2 = comb.or %0, %1 : i1
      cf.cond_br %2, ^bb2, ^bb1(%2 : i1)
    ^bb2:
      llhd.halt
    }
    hw.output
  }
}
"""


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    path = tmp_path / "endless.mlir"
    path.write_text(ENDLESS)
    return path


def test_sim_stats_stand_between_the_closing_lines() -> None:
    lines = wasmjit("run", EXAMPLES / "counter.mlir", "--mode=interpret", "--sim-stats").stderr.splitlines()
    first = next(i for i, line in enumerate(lines) if "Simulation completed at time" in line)
    last = lines.index("[wasmjit] Simulation completed")
    table = "\n".join(lines[first:last])
    for name in ("Processes registered: 2", "Processes executed:", "Delta cycles:", "Signal updates:", "Edges detected:"):
        assert name in table


def test_process_stats_count_interpreted_operations() -> None:
    text = wasmjit("run", EXAMPLES / "counter.mlir", "--mode=interpret", "--process-stats").stderr
    rows = re.findall(r"proc (\d+) '(\w+)' steps=(\d+) activations=(\d+) tier=interpret", text)
    assert {name for _, name, _, _ in rows} == {"llhd_process_0", "llhd_process_1"}
    assert all(int(steps) > int(acts) > 0 for _, _, steps, acts in rows)


def test_process_stats_top_limits_the_rows() -> None:
    text = wasmjit("run", EXAMPLES / "counter.mlir", "--mode=interpret", "--process-stats", "--process-stats-top=1").stderr
    assert text.count("[wasmjit]   proc ") == 1


def test_op_stats_count_by_operation() -> None:
    text = wasmjit("run", EXAMPLES / "gray.mlir", "--op-stats", "--op-stats-top=0").stderr
    counts = dict(re.findall(r"\[wasmjit\]   ([\w.]+): (\d+)$", text, re.MULTILINE))
    assert counts["llhd.wait"] == "256"
    assert counts["sim.proc.print"] == "5"
    assert counts["sim.terminate"] == "1"


def test_analyze_prints_what_a_design_consists_of() -> None:
    done = wasmjit("run", "--mode=analyze", EXAMPLES / "gray.mlir")
    assert done.returncode == 0
    assert "=== Design Analysis ===" in done.stderr
    assert "Modules: 3" in done.stderr
    assert done.stdout == ""


def test_quiet_prints_nothing_of_the_tool() -> None:
    assert wasmjit("run", EXAMPLES / "gray.mlir", "--mode=interpret", "-q").stderr == ""


def test_verbose_tells_sizes() -> None:
    assert "3 instances of 3 modules" in wasmjit("run", EXAMPLES / "gray.mlir", "--mode=interpret", "-v").stderr


def test_report_has_the_contract_keys_first_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    assert wasmjit("run", EXAMPLES / "counter.mlir", "--mode=interpret", f"--jit-report={path}").returncode == 0
    report = json.loads(path.read_text())
    assert list(report)[:10] == ["schema_version", "mode", "exit_code", "final_time_fs", "run_wall_ms", "total_wall_ms", "jit_config", "scheduler", "control", "jit"]
    assert report["mode"] == "interpret"
    assert report["final_time_fs"] == 2_600_000_000
    assert report["scheduler"]["processes_registered"] == 2
    assert report["control"]["finish_calls"] == 1
    assert report["activations_by_tier"]["interpret"] == report["scheduler"]["processes_executed"]


def test_report_is_written_at_a_limit(endless: Path, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    done = wasmjit("run", endless, "--mode=interpret", "--max-process-steps=100", f"--jit-report={path}")
    assert done.returncode == 3
    assert json.loads(path.read_text())["exit_code"] == 3


def test_report_and_waveform_are_written_at_a_timeout(endless: Path, tmp_path: Path) -> None:
    report, vcd = tmp_path / "r.json", tmp_path / "w.vcd"
    done = wasmjit("run", endless, "--mode=interpret", "--timeout=0.5", f"--jit-report={report}", f"--vcd={vcd}")
    assert done.returncode == 3
    assert "[wasmjit] Wall-clock timeout reached" in done.stderr
    data = json.loads(report.read_text())
    assert data["reason"] == "timeout"
    assert data["scheduler"]["processes_executed"] > 0
    assert "$enddefinitions" in vcd.read_text()


@pytest.mark.parametrize("mode", ["interpret", "compile"])
def test_a_loop_without_wait_is_stopped_by_the_timeout(mode: str, tmp_path: Path) -> None:
    path, report = tmp_path / "spin.mlir", tmp_path / "r.json"
    path.write_text(SPIN)
    done = wasmjit("run", path, f"--mode={mode}", "--timeout=0.3", f"--jit-report={report}", timeout=60)
    assert done.returncode == 3, done.stderr
    assert json.loads(report.read_text())["exit_code"] == 3


def test_report_is_written_after_ctrl_c(endless: Path, tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    child = subprocess.Popen(
        [sys.executable, "-m", "wasmjit", "run", str(endless), "--mode=interpret", f"--jit-report={report}"],
        stderr=subprocess.PIPE, text=True, cwd=ROOT, env=dict(os.environ), preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert child.stderr is not None
    for line in child.stderr:
        if "Starting simulation" in line:
            break
    child.send_signal(signal.SIGINT)
    assert child.wait(60) == 130
    child.stderr.close()
    assert json.loads(report.read_text())["reason"] == "interrupted"


def test_timeline_is_written_as_trace_and_as_vcd(tmp_path: Path) -> None:
    trace, vcd = tmp_path / "t.json", tmp_path / "t.vcd"
    assert wasmjit("run", EXAMPLES / "counter.mlir", "--mode=interpret", f"--jit-timeline={trace}").returncode == 0
    assert "traceEvents" in json.loads(trace.read_text())
    assert wasmjit("run", EXAMPLES / "counter.mlir", "--mode=interpret", f"--jit-timeline={vcd}").returncode == 0
    assert vcd.read_text().rstrip().splitlines()


def test_profile_names_processes_and_the_kernel(endless: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.txt"
    assert wasmjit("run", endless, "--mode=interpret", "--max-cycles=0", "--timeout=1", f"--profile={path}").returncode == 3
    assert re.search(r"=== Profile \(\d+ samples\)", path.read_text())
    assert "process tb: llhd_process_0" in path.read_text()


def test_progress_line_tells_time_rate_and_tiers(endless: Path) -> None:
    text = wasmjit("run", endless, "--mode=interpret", "--timeout=1", "--progress").stderr
    assert re.search(r"\[wasmjit\] [\d.e+]+ \w+, [\d.]+ s, [\d.]+[kMG]? activations/s, interpret 100 %", text)


def test_a_waveform_that_cannot_be_written_is_an_error_not_a_bug(tmp_path: Path) -> None:
    done = wasmjit("run", EXAMPLES / "counter.mlir", "--mode=interpret", f"--vcd={tmp_path}/no/such/dir/x.vcd")
    assert done.returncode == 2
    assert "cannot write" in done.stderr


def test_a_report_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    done = wasmjit("run", EXAMPLES / "counter.mlir", "--mode=interpret", f"--jit-report={tmp_path}/no/such/r.json")
    assert done.returncode == 2
    assert "cannot write the report" in done.stderr


def test_record_leaves_a_run_directory(tmp_path: Path) -> None:
    done = wasmjit("run", EXAMPLES / "counter.mlir", "--mode=interpret", "--record", tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    meta = json.loads((folder / "run.json").read_text())
    assert (meta["status"], meta["verdict"], meta["final_time_fs"]) == ("finished", "pass", 2_600_000_000)
    assert (folder / "stdout.txt").read_text() == (EXAMPLES / "counter.gold").read_text()
    assert (folder / "design.mlir").read_text() == (EXAMPLES / "counter.mlir").read_text()
    assert "$enddefinitions" in (folder / "waves.vcd").read_text()
    assert json.loads((folder / "report.json").read_text())["exit_code"] == 0


def test_a_recorded_run_with_forced_deopts_tells_what_was_interpreted_and_keeps_the_code(tmp_path: Path) -> None:
    done = wasmjit("run", EXAMPLES / "counter.mlir", "--force-deopt", "all", "--record", tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    report = json.loads((folder / "report.json").read_text())
    deopts = report["jit"]["jit_deopts_total"]
    executed = report["scheduler"]["processes_executed"]
    assert report["activations_by_tier"] == {"interpret": deopts, "compile": executed - deopts, "optimise": 0, "other": 0} and deopts > 10
    assert report["jit"]["jit_exec_hits_total"] == executed
    assert all(row["cost_ns"] > 0 for row in report["deopts"])
    assert {row["tier"] for row in report["processes"]} == {1}
    assert sum(row["lost_ns"] for row in report["processes"]) == sum(row["cost_ns"] for row in report["deopts"])
    compiled = {body for module in json.loads((folder / "code" / "index.json").read_text())["modules"] for body in module["bodies"]}
    assert {row["definition"] for row in report["deopts"]} <= compiled


FAULT = """module {
  hw.module @tb() {
    %0 = llhd.constant_time <3ns, 0d, 0e>
    %1 = llvm.mlir.zero : !llvm.ptr
    llhd.process {
      llhd.wait delay %0, ^bb1
    ^bb1:
      %2 = llvm.load %1 : !llvm.ptr -> i32
      llvm.store %2, %1 : i32, !llvm.ptr
      llhd.halt
    }
    hw.output
  }
}
"""


@pytest.mark.parametrize("mode", ["interpret", "compile"])
def test_report_and_waveform_are_written_after_a_fault(mode: str, tmp_path: Path) -> None:
    path, report, vcd = tmp_path / "fault.mlir", tmp_path / "r.json", tmp_path / "w.vcd"
    path.write_text(FAULT)
    done = wasmjit("run", path, f"--mode={mode}", f"--jit-report={report}", f"--vcd={vcd}")
    assert done.returncode == 1
    assert "load from an invalid address 0x0 (process llhd_process_0, time 3000000 fs)" in done.stderr
    data = json.loads(report.read_text())
    assert (data["reason"], data["exit_code"], data["final_time_fs"]) == ("fault", 1, 3_000_000)
    assert vcd.read_text().splitlines()[-1] == "#3000000"
