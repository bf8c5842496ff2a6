"""Strings as values of the sim dialect, in both modes."""

from __future__ import annotations

import pytest
from class_runs import run

DESIGN = """
hw.module @top() {
  %nl = sim.fmt.literal "|"
  %c0 = hw.constant 0 : i32
  %c1 = hw.constant 1 : i32
  %c9 = hw.constant 9 : i32
  %hi = hw.constant 26985 : i16
  %n = hw.constant 42 : i32
  llhd.process {
    cf.br ^loop(%c0 : i32)
  ^loop(%i: i32):
    %a = sim.string.literal "Hello"
    %b = sim.string.literal ", "
    %e = sim.string.literal ""
    %w = sim.string.int_to_string %hi : i16
    %all = sim.string.concat (%a, %b, %w, %e)
    %none = sim.string.concat ()
    %len = sim.string.length %all
    %len0 = sim.string.length %none
    %up = sim.string.toupper %all
    %low = sim.string.tolower %all
    %ch = sim.string.get %all[%c1]
    %out = sim.string.get %all[%c9]
    %lt = sim.string.cmp lt %up, %low : !sim.dstring
    %eq = sim.string.cmp eq %e, %none : !sim.dstring
    %back = sim.string.string_to_int %w : i16
    %fn = sim.fmt.dec %n specifierWidth 0 : i32
    %text = sim.string.format_to_string %fn
    %fall = sim.fmt.string %all : !sim.dstring
    %fup = sim.fmt.string %up : !sim.dstring
    %flow = sim.fmt.string %low : !sim.dstring
    %ftext = sim.fmt.string %text : !sim.dstring
    %flen = sim.fmt.dec %len specifierWidth 0 : i64
    %flen0 = sim.fmt.dec %len0 specifierWidth 0 : i64
    %fch = sim.fmt.char %ch : i8
    %fout = sim.fmt.dec %out specifierWidth 0 : i8
    %flt = sim.fmt.dec %lt specifierWidth 0 : i1
    %feq = sim.fmt.dec %eq specifierWidth 0 : i1
    %fback = sim.fmt.dec %back specifierWidth 0 : i16
    %line = sim.fmt.concat (%fall, %nl, %fup, %nl, %flow, %nl, %ftext, %nl, %flen, %nl, %flen0, %nl, %fch, %nl, %fout, %nl, %flt, %nl, %feq, %nl, %fback, %nl)
    sim.proc.print %line
    %j = comb.add %i, %c1 : i32
    %more = comb.icmp ult %j, %c1 : i32
    cf.cond_br %more, ^loop(%j : i32), ^end
  ^end:
    llhd.halt
  }
  hw.output
}
"""


@pytest.mark.parametrize("mode", ["interpret", "compile"])
@pytest.mark.parametrize("gc_stress", [False, True])
def test_string_operations(mode: str, gc_stress: bool) -> None:
    assert run(DESIGN, mode=mode, gc_stress=gc_stress).out == "Hello, ii|HELLO, II|hello, ii|42|9|0|e|0|1|1|26985|"
