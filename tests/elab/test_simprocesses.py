"""Event-driven operations of the sim dialect, in both modes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sched"))
from class_runs import run  # noqa: E402

from wasmjit.sem.unsupported import Unsupported  # noqa: E402

MODES = pytest.mark.parametrize("mode", ["interpret", "compile"])

DESIGN = """
hw.module @top() {
  %c0 = hw.constant 0 : i8
  %c1 = hw.constant 1 : i8
  %at = sim.fmt.literal "@"
  %sp = sim.fmt.literal " "
  %clk = llhd.sig %c0 : i8
  %q = llhd.sig %c0 : i8
  %count = sim.process -> i8 {
    sim.suspend yield (%c0 : i8), ^go(%c0 : i8)
  ^go(%n: i8):
    %m = comb.add %n, %c1 : i8
    sim.drive %clk, %m : !llhd.ref<i8>, i8
    sim.suspend delay 3000000 fs, yield (%m : i8), ^go(%m : i8)
  }
  %twice = sim.comb_process -> i8 {
    %d = comb.add %count, %count : i8
    sim.yield %d : i8
  }
  %c = llhd.prb %clk : i8
  sim.process {
    cf.br ^wait
  ^wait:
    sim.suspend observed (%c : i8), ^on
  ^on:
    %seen = llhd.prb %clk : i8
    sim.drive %q, %seen mode "nonblocking" : !llhd.ref<i8>, i8
    sim.suspend region "inactive" ^late
  ^late:
    %old = llhd.prb %q : i8
    %t = sim.time unit "ns" : i64
    %f1 = sim.fmt.dec %old specifierWidth 0 : i8
    %f2 = sim.fmt.dec %twice specifierWidth 0 : i8
    %f3 = sim.fmt.dec %t specifierWidth 0 : i64
    %l = sim.fmt.concat (%f1, %sp, %f2, %at, %f3, %sp)
    sim.proc.print %l
    cf.br ^wait
  }
  hw.output
}
"""


@MODES
def test_sim_processes_suspend_drive_and_yield_like_those_of_llhd(mode: str) -> None:
    # a nonblocking drive is not seen yet in the inactive region, the yielded value is
    assert run(DESIGN, mode=mode, max_time=10_000_000).out.split() == ["0", "2@0", "1", "4@3", "2", "6@6", "3", "8@9"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('sim.drive %clk, %c0 mode "continuous" : !llhd.ref<i8>, i8', "a drive of mode 'continuous'"),
        ("sim.drive %c0, %c0 : i8, i8", "'sim.drive' of a value of type i8"),
    ],
)
def test_what_has_no_counterpart_is_refused(text: str, message: str) -> None:
    with pytest.raises(Unsupported, match=message):
        run(f"hw.module @top() {{\n  %c0 = hw.constant 0 : i8\n  %clk = llhd.sig %c0 : i8\n  {text}\n  hw.output\n}}")
