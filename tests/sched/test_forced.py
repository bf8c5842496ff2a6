"""Requests for forced deopts: what they mean, and that they reach the processes they name and no others."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from wasmjit.codegen.module import Emitted, Link
from wasmjit.ir import parse_text
from wasmjit.sched import jit
from wasmjit.sched.forced import ForcedDeopts
from wasmjit.sched.options import RunOptions
from wasmjit.sched.simulation import Simulation
from wasmjit.sem.mir import Body

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FORKING = """
module {
  llvm.func @__moore_delay(i64)
  hw.module @top() {
    %c1 = hw.constant 1000000 : i64
    %t = llhd.constant_time <1ns, 0d, 0e>
    llhd.process {
      %f = sim.fork join_type "join" {
        llvm.call @__moore_delay(%c1) : (i64) -> ()
        llvm.call @__moore_delay(%c1) : (i64) -> ()
        sim.fork.terminator
      }
      llhd.halt
    }
    llhd.process {
      llhd.wait delay %t, ^bb1
    ^bb1:
      llhd.halt
    }
    hw.output
  }
}
"""


def deopted(text: str, spec: str) -> dict[str, int]:
    """Number of forced deopts by process name."""
    sim = Simulation(parse_text(text), RunOptions(force_deopt=spec), stdout=lambda _: None, stderr=lambda _: None)
    assert sim.run().exit_code == 0
    out: dict[str, int] = {}
    for r in sim.telemetry.deopts:
        assert (r.reason, r.detail) == ("guard_failed", "forced")
        out[r.process_name] = out.get(r.process_name, 0) + 1
    return out


@pytest.mark.parametrize("spec", ["foo", "every:", "every:0", "every:x", "every:-1", "process:", "process", "all:1"])
def test_a_request_that_is_not_understood_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match=spec):
        ForcedDeopts.parse(spec)


def test_a_process_is_named_by_itself_or_by_a_glob() -> None:
    forced = ForcedDeopts.parse("process:llhd_*_1")
    assert forced.unmatched
    assert forced.wants("llhd_process_1")
    assert not forced.wants("llhd_process_10")
    assert not forced.unmatched
    assert ForcedDeopts.parse("process:a[0]").wants("a[0]")


def test_only_the_named_process_is_interpreted() -> None:
    text = (EXAMPLES / "handshake.mlir").read_text()
    both = deopted(text, "all")
    assert set(both) == {"llhd_process_0", "llhd_process_1"}
    for name in both:
        assert deopted(text, f"process:{name}") == {name: both[name]}
    assert deopted(text, "process:llhd_process_*") == both
    assert deopted(text, "process:nobody") == {}


def test_a_deopt_at_a_wait_names_the_line_of_that_wait(shared: Path, tmp_path: Path) -> None:
    for design in (EXAMPLES / "handshake.mlir", shared / "designs" / "picorv32_ez.mlir"):
        report = tmp_path / "report.json"
        subprocess.run(
            [sys.executable, "-m", "wasmjit", "run", str(design), "-q", "--force-deopt=every:5", "--max-time=2000000000", f"--jit-report={report}"], check=True, stdout=subprocess.DEVNULL,
        )
        lines = design.read_text().splitlines()
        resumed = {(d["process_name"], d["resume_point"]): lines[int(d["location"].split(":")[-2]) - 1] for d in json.loads(report.read_text())["deopts"] if d["resume_point"] != "entry"}
        assert len(resumed) >= 3 and all("llhd.wait" in line for line in resumed.values()), resumed
        # Different waits of one process are different lines.
        assert len(set(resumed.values())) > 1


def test_forked_processes_have_names_of_their_own() -> None:
    every = deopted(FORKING, "all")
    forks = {name: n for name, n in every.items() if name.startswith("fork_")}
    assert forks
    assert deopted(FORKING, "process:fork_*") == forks


def test_every_nth_activation_and_the_first_one() -> None:
    text = (EXAMPLES / "handshake.mlir").read_text()
    total = sum(deopted(text, "all").values())
    assert sum(deopted(text, "every:5").values()) == total // 5
    assert sum(deopted(text, "once").values()) == 1


CALLING = """
module {
  func.func private @twice(%a: i32) -> i32 {
    %r = comb.add %a, %a : i32
    return %r : i32
  }
  hw.module @top() {
    %c3 = hw.constant 3 : i32
    %t = llhd.constant_time <1ns, 0d, 0e>
    %eps = llhd.constant_time <0ns, 0d, 1e>
    %s = llhd.sig %c3 : i32
    %q = llhd.sig %c3 : i32
    %v = llhd.prb %s : i32
    %w = comb.add %v, %c3 : i32
    llhd.drv %q, %w after %eps : i32
    llhd.process {
      %r = func.call @twice(%c3) : (i32) -> i32
      llhd.drv %s, %r after %eps : i32
      llhd.wait delay %t, ^bb1
    ^bb1:
      %f = sim.fmt.dec %r specifierWidth 0 : i32
      sim.proc.print %f
      llhd.halt
    }
    hw.output
  }
}
"""


@pytest.mark.parametrize("part", ["function", "region"])
def test_functions_and_logic_that_do_not_compile_leave_a_record(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = jit.emit_bodies

    def emit_bodies(bodies: Sequence[Body], link: Link) -> Emitted:
        if any(b.kind == part for b in bodies if not b.name.startswith("stub ")):
            raise jit.CannotCompile("there is no way")
        return real(bodies, link)

    monkeypatch.setattr(jit, "emit_bodies", emit_bodies)
    out: list[bytes] = []
    sim = Simulation(parse_text(CALLING), RunOptions(fail_on_deopt=True), stdout=out.append, stderr=lambda _: None)
    sim.run()
    assert b"".join(out) == b"6"
    found = [(r.kind, r.reason, r.detail, r.process_id, r.process_name) for r in sim.telemetry.deopts]
    who = (1, "llhd_process_0") if part == "function" else (0, next(iter(sim.region_keys)))
    assert found == [("bailout", "unsupported_operation", "first_op:there is no way", *who)]
