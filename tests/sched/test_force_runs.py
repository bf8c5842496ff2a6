"""force and release of nets with continuous drivers, of registers, of parts with x and z, through ports, in both modes.

The values are those of Icarus for the same SystemVerilog, but for two: a register that is released shows its driven value at once (conformance corpus,
sv/syscall-force-release.mlir), and Icarus leaves readers of a partly forced net at x after the release.
"""

from __future__ import annotations

import pytest
from class_runs import run

S = "!hw.struct<value: i8, unknown: i8>"
ALL_X = f"hw.aggregate_constant [0 : i8, -1 : i8] : {S}"


def logic(out: str, op: str, a: str, b: str) -> str:
    """`out` = a op b, x if a bit of an operand is unknown. a and b are four-state values."""
    fields = "\n".join(f'  %{out}_{v}{f[0]} = hw.struct_extract %{v}["{f}"] : {S}' for v in (a, b) for f in ("value", "unknown"))
    return f"""{fields}
  %{out}_any = comb.or %{out}_{a}u, %{out}_{b}u : i8
  %{out}_bad = comb.icmp ne %{out}_any, %zero : i8
  %{out}_sum = comb.{op} %{out}_{a}v, %{out}_{b}v : i8
  %{out}_v = comb.mux %{out}_bad, %zero, %{out}_sum : i8
  %{out}_u = comb.mux %{out}_bad, %ones, %zero : i8
  %{out} = hw.struct_create (%{out}_v, %{out}_u) : {S}"""


HEAD = f"""  %eps = llhd.constant_time <0ns, 0d, 1e>
  %ns = llhd.constant_time <1ns, 0d, 0e>
  %zero = hw.constant 0 : i8
  %ones = hw.constant -1 : i8
  %k1 = hw.aggregate_constant [1 : i8, 0 : i8] : {S}
  %kf0 = hw.aggregate_constant [-16 : i8, 0 : i8] : {S}"""
DESIGN = f"""
hw.module @sub(in %clk : !llhd.ref<i1>, in %d : {S}, in %q : !llhd.ref<{S}>, in %inc : !llhd.ref<{S}>) {{
{HEAD}
  %nba = llhd.constant_time <0ns, 1d, 0e>
{logic("next", "add", "d", "k1")}
  llhd.drv %inc, %next after %eps : {S}
  %c = llhd.prb %clk : i1
  %clock = seq.to_clock %c
  %now = llhd.prb %inc : {S}
  %reg = seq.firreg %now clock %clock : {S}
  llhd.drv %q, %reg after %nba : {S}
  hw.output
}}
hw.module @top() {{
{HEAD}
  %true = hw.constant true
  %false = hw.constant false
  %x = {ALL_X}
  %a3 = hw.aggregate_constant [3 : i8, 0 : i8] : {S}
  %a = llhd.sig %a3 : {S}
  %clk = llhd.sig %false : i1
  %w = llhd.sig %x : {S}
  %q = llhd.sig %x : {S}
  %inc = llhd.sig %x : {S}
  %v = llhd.sig %x : {S}
  %ap = llhd.prb %a : {S}
  %wp = llhd.prb %w : {S}
  %qp = llhd.prb %q : {S}
{logic("wd", "xor", "ap", "kf0")}
  llhd.drv %w, %wd after %eps : {S}
{logic("vd", "add", "wp", "qp")}
  llhd.drv %v, %vd after %eps : {S}
  hw.instance "s" @sub(clk: %clk: !llhd.ref<i1>, d: %wp: {S}, q: %q: !llhd.ref<{S}>, inc: %inc: !llhd.ref<{S}>) -> ()
  %wv = llhd.sig.struct_extract %w["value"] : <{S}>
  %wu = llhd.sig.struct_extract %w["unknown"] : <{S}>
  %at0 = hw.constant 0 : i3
  %low_v = llhd.sig.extract %wv from %at0 : <i8> -> <i4>
  %low_u = llhd.sig.extract %wu from %at0 : <i8> -> <i4>
  %nl = sim.fmt.literal "|"
  %sp = sim.fmt.literal " "
  llhd.process {{
    cf.br ^b0
  ^b0:
STEPS
    llhd.halt
  }}
  hw.output
}}
"""


class Steps:
    """What the test bench does, one line of MLIR after the other."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.n = 0

    def name(self) -> str:
        self.n += 1
        return f"%s{self.n}"

    def wait(self) -> None:
        self.n += 1
        self.lines.append(f"llhd.wait delay %ns, ^w{self.n}\n  ^w{self.n}:")

    def show(self) -> None:
        parts = []
        for signal in "wqv":
            value, bits, text = self.name(), self.name(), self.name()
            self.lines += [f"{value} = llhd.prb %{signal} : {S}", f"{bits} = hw.bitcast {value} : ({S}) -> i16", f"{text} = sim.fmt.bin {bits} fourStateWidth 8 : i16"]
            parts.append(text)
        line = self.name()
        self.lines += [f"{line} = sim.fmt.concat ({', %sp, '.join(parts)}, %nl)", f"sim.proc.print {line}"]

    def drive(self, signal: str, value: int, attr: str = "") -> None:
        k = self.name()
        signed = value - 256 if value > 127 else value
        self.lines += [f"{k} = hw.aggregate_constant [{signed} : i8, 0 : i8] : {S}", f"llhd.drv %{signal}, {k} after %eps {attr} : {S}"]

    def force(self, signal: str, value: int) -> None:
        self.drive(signal, value, "{circt.force}")

    def release(self, signal: str) -> None:
        old = self.name()
        self.lines += [f"{old} = llhd.prb %{signal} : {S}", f"llhd.drv %{signal}, {old} after %eps {{circt.release}} : {S}"]

    def part(self, attr: str) -> None:
        v, u = self.name(), self.name()
        self.lines += [f"{v} = hw.constant -6 : i4", f"{u} = hw.constant -7 : i4"]  # z01x
        self.lines += [f"llhd.drv %low_v, {v} after %eps {{{attr}}} : i4", f"llhd.drv %low_u, {u} after %eps {{{attr}}} : i4"]

    def tick(self) -> None:
        for level in ("%true", "%false"):
            self.lines.append(f"llhd.drv %clk, {level} after %eps : i1")
            self.wait()


@pytest.mark.parametrize("mode", ["interpret", "compile"])
def test_forced_nets_and_registers_hide_their_drivers(mode: str) -> None:
    t = Steps()
    want: list[tuple[str, str, str]] = []

    def see(w: str, q: str, v: str) -> None:
        t.wait()
        t.show()
        want.append((w, q, v))

    def bits(n: int) -> str:
        return f"{n:08b}"

    unknown = "x" * 8
    see(bits(243), unknown, unknown)
    t.tick()
    see(bits(243), bits(244), bits(231))
    t.force("w", 10)
    see(bits(10), bits(244), bits(254))
    t.drive("a", 7)
    t.tick()
    see(bits(10), bits(11), bits(21))
    t.release("w")
    see(bits(247), bits(11), bits(2))
    t.part("circt.force")
    see("1111z01x", bits(11), unknown)
    t.drive("a", 255)
    see("0000z01x", bits(11), unknown)
    t.part("circt.release")
    see(bits(15), bits(11), bits(26))
    t.force("q", 99)
    t.tick()
    see(bits(15), bits(99), bits(114))
    t.release("q")
    see(bits(15), bits(16), bits(31))
    t.force("inc", 77)
    t.tick()
    see(bits(15), bits(77), bits(92))
    t.release("inc")
    t.tick()
    see(bits(15), bits(16), bits(31))
    text = DESIGN.replace("STEPS", "\n".join(f"    {line}" for line in t.lines))
    assert run(text, mode=mode, tops=["top"]).out.split("|")[:-1] == [" ".join(line) for line in want]
