"""Two-state versions run while nothing is unknown, and hand over where something is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.elab.designs import random_design, waves
from wasmjit.ir import parse_text
from wasmjit.runtime.engine import with_stack
from wasmjit.sched import control as cb
from wasmjit.sched.options import RunOptions
from wasmjit.sched.simulation import Simulation

CELL = """
hw.module @top() {
  %true = hw.constant true
  %c0 = hw.constant 0 : i8
  %ones = hw.constant -1 : i8
  %now = llhd.constant_time <0ns, 0d, 1e>
  %init = hw.aggregate_constant [1 : i8, 0 : i8] : !hw.struct<value: i8, unknown: i8>
  %clk = llhd.sig %c0_i1 : i1
  %c0_i1 = hw.constant false
  %a = llhd.sig %init : !hw.struct<value: i8, unknown: i8>
  %b = llhd.sig %init : !hw.struct<value: i8, unknown: i8>
  %pa = llhd.prb %a : !hw.struct<value: i8, unknown: i8>
  %av = hw.struct_extract %pa["value"] : !hw.struct<value: i8, unknown: i8>
  %au = hw.struct_extract %pa["unknown"] : !hw.struct<value: i8, unknown: i8>
  %s0 = comb.add %av, %av : i8
  %any = comb.icmp ne %au, %c0 : i8
  %x = comb.replicate %any : (i1) -> i8
  %k = comb.xor %x, %ones : i8
  %s1 = comb.and %s0, %k : i8
  %s2 = comb.xor %s1, %av : i8
  %s3 = comb.and %s2, %k : i8
  %s4 = comb.add %s3, %s1 : i8
  %s5 = comb.and %s4, %k : i8
  %s6 = comb.or %s5, %x : i8
  %s7 = comb.and %s6, %k : i8
  %v = hw.struct_create (%s7, %x) : !hw.struct<value: i8, unknown: i8>
  llhd.drv %b, %v after %now : !hw.struct<value: i8, unknown: i8>
  llhd.process {
    %d = llhd.constant_time <1ns, 0d, 0e>
    %e = llhd.constant_time <0ns, 0d, 1e>
    %v1 = hw.aggregate_constant [5 : i8, UNKNOWN : i8] : !hw.struct<value: i8, unknown: i8>
    llhd.wait delay %d, ^b1
  ^b1:
    llhd.drv %a, %v1 after %e : !hw.struct<value: i8, unknown: i8>
    llhd.wait delay %d, ^b2
  ^b2:
    llhd.halt
  }
}
"""


@pytest.mark.parametrize("mode", ["interpret", "compile"])
@pytest.mark.parametrize(("unknown", "met"), [(0, 0), (4, 1)])
def test_guards_count_the_evaluations_that_meet_unknown_bits(unknown: int, met: int, mode: str) -> None:
    text = CELL.replace("UNKNOWN", str(unknown))
    sim = Simulation(parse_text(text, "t.mlir"), RunOptions(mode=mode), stdout=lambda data: None, stderr=lambda line: None)
    with_stack(sim.engine, sim.run)
    assert sim.view.u64(cb.CB_X_GUARDS) == met
    (region,) = [r for r in sim.elab.regions if len(r.region.body.blocks) > 1]
    b = next(n for n in sim.elab.nets if n.name == "b")
    value, bits = sim.memory.u8[b.address : b.address + 2]
    assert (value, bits) == ((0, 255) if unknown else (25, 0))
    assert region.outputs == [sim.elab.nets.index(b)]


@pytest.mark.parametrize("seed", range(6))
def test_unknown_bits_that_come_and_go_leave_the_same_changes(seed: int, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    text = random_design(f"unknown {seed}", unknown=0.4)
    with monkeypatch.context() as m:
        m.setattr("wasmjit.elab.bodies.two_state", lambda *a: None)
        expected = waves(tmp_path, text, "compile", capfd)
    assert waves(tmp_path, text, "compile", capfd) == expected
    assert waves(tmp_path, text, "interpret", capfd) == expected
