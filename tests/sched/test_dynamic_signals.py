"""Signals and variables that bodies make while they run, in both modes."""

from __future__ import annotations

import pytest
from class_runs import run

MODES = pytest.mark.parametrize("mode", ["interpret", "compile"])

SIGNALS = """
func.func private @bump(%s: !llhd.ref<i8>, %n: i8) {
  %eps = llhd.constant_time <0ns, 0d, 1e>
  %v = llhd.prb %s : i8
  %w = comb.add %v, %n : i8
  llhd.drv %s, %w after %eps : i8
  return
}
func.func private @task(%a: i8) -> i8 {
  %t = llhd.constant_time <1ns, 0d, 0e>
  %eps = llhd.constant_time <0ns, 0d, 1e>
  %loc = llhd.sig %a : i8
  func.call @bump(%loc, %a) : (!llhd.ref<i8>, i8) -> ()
  sim.delay %t : !llhd.time
  %r = llhd.prb %loc : i8
  return %r : i8
}
hw.module @top() {
  %c3 = hw.constant 3 : i8
  %c5 = hw.constant 5 : i8
  %t = llhd.constant_time <1ns, 0d, 0e>
  %nl = sim.fmt.literal " "
  %eps = llhd.constant_time <0ns, 0d, 1e>
  llhd.process {
    %a = func.call @task(%c3) : (i8) -> i8
    %f = sim.fmt.dec %a specifierWidth 0 : i8
    %p = sim.fmt.concat (%f, %nl)
    sim.proc.print %p
    %s = llhd.sig %c5 : i8
    %k = sim.fork join_type "join_none" {
      sim.delay %t : !llhd.time
      func.call @bump(%s, %c3) : (!llhd.ref<i8>, i8) -> ()
      sim.fork.terminator
    }
    %v = llhd.prb %s : i8
    llhd.wait (%v : i8), ^c
  ^c:
    %w = llhd.prb %s : i8
    %g = sim.fmt.dec %w specifierWidth 0 : i8
    %q = sim.fmt.concat (%g, %nl)
    sim.proc.print %q
    llhd.halt
  }
  hw.output
}
"""

VARIABLES = """
hw.module @top() {
  %c0 = hw.constant 0 : i8
  %c3 = hw.constant 3 : i8
  %nl = sim.fmt.literal " "
  llhd.process {
    cf.br ^loop(%c0 : i8)
  ^loop(%i: i8):
    %p = llhd.var %i : i8
    %v = llhd.load %p : !llhd.ptr<i8>
    %w = comb.add %v, %c3 : i8
    llhd.store %p, %w : !llhd.ptr<i8>
    %x = llhd.load %p : !llhd.ptr<i8>
    %f = sim.fmt.dec %x specifierWidth 0 : i8
    %t = sim.fmt.concat (%f, %nl)
    sim.proc.print %t
    %more = comb.icmp ult %x, %nine : i8
    cf.cond_br %more, ^loop(%x : i8), ^end
  ^end:
    llhd.halt
  }
  %nine = hw.constant 9 : i8
  hw.output
}
"""


@MODES
def test_signals_of_tasks_and_processes_are_passed_by_reference(mode: str) -> None:
    assert run(SIGNALS, mode=mode).out == "6 8 "


@MODES
def test_variables_of_older_designs(mode: str) -> None:
    assert run(VARIABLES, mode=mode).out == "3 6 9 "
