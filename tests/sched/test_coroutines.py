"""LLHD coroutines: subroutines that wait, in both modes."""

from __future__ import annotations

import pytest
from class_runs import run, show_function

MODES = pytest.mark.parametrize("mode", ["interpret", "compile"])

COROUTINES = """
llhd.coroutine private @later(%a: i8, %s: !llhd.ref<i8>) -> i8 {
  %t = llhd.constant_time <1ns, 0d, 0e>
  %eps = llhd.constant_time <0ns, 0d, 1e>
  llhd.wait delay %t, ^set
^set:
  llhd.drv %s, %a after %eps : i8
  llhd.wait delay %t, ^done
^done:
  %two = hw.constant 2 : i8
  %b = comb.add %a, %two : i8
  llhd.return %b : i8
}
llhd.coroutine private @twice(%a: i8, %s: !llhd.ref<i8>) -> i8 {
  %x = llhd.call_coroutine @later(%a, %s) : (i8, !llhd.ref<i8>) -> i8
  %y = llhd.call_coroutine @later(%x, %s) : (i8, !llhd.ref<i8>) -> i8
  llhd.return %y : i8
}
llhd.coroutine private @last(%a: i8) -> i8 {
  %t = llhd.constant_time <1ns, 0d, 0e>
  llhd.wait delay %t, ^end
^end:
  llhd.halt
}
"""
TOP = """
hw.module @top() {
  %c0 = hw.constant 0 : i8
  %c5 = hw.constant 5 : i8
  %s = llhd.sig %c0 : i8
  %p = llhd.prb %s : i8
  llhd.process {
    %a = llhd.call_coroutine @twice(%c5, %s) : (i8, !llhd.ref<i8>) -> i8
    func.call @show(%a) : (i8) -> ()
    %b = llhd.call_coroutine @last(%a) : (i8) -> i8
    func.call @show(%b) : (i8) -> ()
    llhd.halt
  }
  llhd.process {
    cf.br ^wait
  ^wait:
    llhd.wait (%p : i8), ^changed
  ^changed:
    %v = llhd.prb %s : i8
    func.call @show(%v) : (i8) -> ()
    cf.br ^wait
  }
  hw.output
}
"""
DESIGN = COROUTINES + show_function(8) + TOP


@MODES
def test_a_coroutine_waits_for_its_caller_and_a_halt_in_it_ends_both(mode: str) -> None:
    assert run(DESIGN, mode=mode).out == "5@1 7@3 9@4 "


@pytest.mark.parametrize("spec", ["all", "every:3"])
def test_coroutines_survive_deopts(spec: str) -> None:
    assert run(DESIGN, mode="compile", force_deopt=spec).out == "5@1 7@3 9@4 "
