"""sim.plusargs.test and sim.plusargs.value (IEEE 1800 §21.6), in both modes."""

from __future__ import annotations

import pytest
from class_runs import run

FOUR = "!hw.struct<value: i8, unknown: i8>"
DESIGN = f"""
hw.module @top() {{
  %sp = sim.fmt.literal " "
  %t = sim.plusargs.test "FOO"
  %n = sim.plusargs.test "BAR"
  %f0, %v0 = sim.plusargs.value "A=%d" : i32
  %f1, %v1 = sim.plusargs.value "H=%h" : i16
  %f2, %v2 = sim.plusargs.value "B=%b" : i8
  %f3, %v3 = sim.plusargs.value "N=%d" : i32
  %f4, %v4 = sim.plusargs.value "S=%s" : i32
  %f5, %v5 = sim.plusargs.value "S=%s" : !sim.dstring
  %f6, %v6 = sim.plusargs.value "X=%h" : {FOUR}
  %f7, %v7 = sim.plusargs.value "R=%f" : f64
  %f8, %v8 = sim.plusargs.value "A=%x" : i8
  llhd.process {{
    %b6 = hw.bitcast %v6 : ({FOUR}) -> i16
    %a = sim.fmt.dec %t specifierWidth 0 : i1
    %b = sim.fmt.dec %n specifierWidth 0 : i1
    %c = sim.fmt.dec %v0 specifierWidth 0 signed : i32
    %d = sim.fmt.hex %v1, isUpper false : i16
    %e = sim.fmt.bin %v2 : i8
    %f = sim.fmt.dec %f3 specifierWidth 0 : i1
    %g = sim.fmt.hex %v4, isUpper false : i32
    %h = sim.fmt.string %v5 : !sim.dstring
    %i = sim.fmt.hex %b6, isUpper false fourStateWidth 8 : i16
    %j = sim.fmt.gen %v7 : f64
    %k = sim.fmt.dec %v8 specifierWidth 0 : i8
    %l = sim.fmt.concat (%a, %sp, %b, %sp, %c, %sp, %d, %sp, %e, %sp, %f, %sp, %g, %sp, %h, %sp, %i, %sp, %j, %sp, %k)
    sim.proc.print %l
    llhd.halt
  }}
  hw.output
}}
"""


@pytest.mark.parametrize("mode", ["interpret", "compile"])
def test_arguments_are_read_by_their_conversion_and_type(mode: str) -> None:
    given = ["FOOD", "A=-12", "H=be_ef", "B=1011", "S=abc", "X=1x", "R=2.5"]
    assert run(DESIGN, mode=mode, plusargs=given).out == "1 0 -12 beef 00001011 0 00616263 abc 1x 2.5 0"
