"""seq.clock_gate, clock_div, clock_mux and clock_inv, registers with enables and shift registers behind them, against a model, in both modes.

The base clock toggles at every full nanosecond, controls change half a nanosecond later, and everything is printed a quarter after that.
"""

from __future__ import annotations

import random

import pytest
from class_runs import run

STEPS = 24
CLOCKS = ("base", "gated", "half", "quarter", "muxed", "inverse")


def design(enables: list[int], selects: list[int]) -> str:
    counters = "\n".join(
        f"""  %n_{c} = seq.compreg %next_{c}, %{c} initial %zero : i8
  %next_{c} = comb.add %n_{c}, %one : i8
  %snap_{c} = seq.compreg %n_base, %{c} initial %zero : i8"""
        for c in CLOCKS
    )
    shown = [f"n_{c}" for c in CLOCKS] + [f"snap_{c}" for c in CLOCKS] + ["ce", "shifted"]
    formats = "\n".join(f"  %f_{s} = sim.fmt.dec %{s} specifierWidth 0 : i8" for s in shown)
    steps = "\n".join(
        f"""    llhd.wait delay %half_ns, ^a{i}
  ^a{i}:
    llhd.drv %en_s, {"%true" if e else "%false"} after %eps : i1
    llhd.drv %sel_s, {"%true" if s else "%false"} after %eps : i1
    llhd.wait delay %quarter_ns, ^b{i}
  ^b{i}:
    sim.proc.print %line
    llhd.wait delay %quarter_ns, ^c{i}
  ^c{i}:
    llhd.drv %clk_s, {"%false" if i % 2 else "%true"} after %eps : i1"""
        for i, (e, s) in enumerate(zip(enables, selects, strict=True))
    )
    return f"""
hw.module @top() {{
  %true = hw.constant true
  %false = hw.constant false
  %one = hw.constant 1 : i8
  %zero = seq.initial() {{
    %z = hw.constant 0 : i8
    seq.yield %z : i8
  }} : () -> !seq.immutable<i8>
  %eps = llhd.constant_time <0ns, 0d, 1e>
  %half_ns = llhd.constant_time <500ps, 0d, 0e>
  %quarter_ns = llhd.constant_time <250ps, 0d, 0e>
  %sp = sim.fmt.literal " "
  %nl = sim.fmt.literal "\\0A"
  %clk_s = llhd.sig %false : i1
  %en_s = llhd.sig %false : i1
  %sel_s = llhd.sig %false : i1
  %clk = llhd.prb %clk_s : i1
  %en = llhd.prb %en_s : i1
  %sel = llhd.prb %sel_s : i1
  %base = seq.to_clock %clk
  %gated = seq.clock_gate %base, %en
  %half = seq.clock_div %base by 1
  %quarter = seq.clock_div %base by 2
  %inverse = seq.clock_inv %base
  %muxed = seq.clock_mux %sel, %base, %half
{counters}
  %ce = seq.compreg.ce %n_base, %base, %en initial %zero : i8
  %shifted = seq.shiftreg[2] %n_base, %base, %en initial %zero : i8
{formats}
  %line = sim.fmt.concat ({", %sp, ".join(f"%f_{s}" for s in shown)}, %nl)
  llhd.process {{
{steps}
    llhd.halt
  }}
  hw.output
}}
"""


class Model:
    """Values after each event; registers take what there was before their clock's edge."""

    def __init__(self) -> None:
        self.level = dict.fromkeys(CLOCKS, 0)
        self.level["inverse"] = 1
        self.count = dict.fromkeys(CLOCKS, 0)
        self.snap = dict.fromkeys(CLOCKS, 0)
        self.clk = self.en = self.sel = self.latch = 0
        self.ce = 0
        self.shift = [0, 0]

    def event(self, clk: int, en: int, sel: int) -> None:
        before = dict(self.level)
        base, en_before = self.count["base"], self.en
        rising = clk and not self.clk
        self.clk, self.en, self.sel = clk, en, sel
        if not clk:
            self.latch = en
        if rising:
            self.level["half"] ^= 1
            if self.level["half"]:
                self.level["quarter"] ^= 1
            if en_before:
                self.ce = base
                self.shift = [base, self.shift[0]]
        self.level.update(base=clk, gated=clk & self.latch, inverse=1 - clk)
        self.level["muxed"] = self.level["base"] if sel else self.level["half"]
        for c in CLOCKS:
            if self.level[c] and not before[c]:
                self.count[c] = (self.count[c] + 1) & 255
                self.snap[c] = base

    def line(self) -> str:
        return " ".join(map(str, [*self.count.values(), *self.snap.values(), self.ce, self.shift[1]]))


@pytest.mark.parametrize("mode", ["interpret", "compile"])
@pytest.mark.parametrize("seed", range(3))
def test_registers_behind_derived_clocks(seed: int, mode: str) -> None:
    rng = random.Random(seed)
    enables = [rng.randrange(2) for _ in range(STEPS)]
    selects = [rng.randrange(2) for _ in range(STEPS)]
    model = Model()
    want = []
    for i in range(STEPS):
        model.event(model.clk, enables[i], selects[i])
        want.append(model.line())
        model.event(0 if i % 2 else 1, enables[i], selects[i])
    assert run(design(enables, selects), mode=mode).out.splitlines() == want
