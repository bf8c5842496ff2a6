"""Which register groups are evaluated together."""

from __future__ import annotations

from pathlib import Path

import pytest

import wasmjit.elab.design as design
from tests.elab.designs import waves
from wasmjit.ir import parse_text
from wasmjit.sched.options import RunOptions
from wasmjit.sched.simulation import Simulation

BIT = "!hw.struct<value: i1, unknown: i1>"
CLOCK = f"""  %v = hw.struct_extract %clk["value"] : {BIT}
  %u = hw.struct_extract %clk["unknown"] : {BIT}
  %t = hw.constant true
  %k = comb.xor %u, %t : i1
  %level = comb.and bin %v, %k : i1
  %edge = seq.to_clock %level"""


def chain(stages: int, other: str = "") -> str:
    """Registers one after the other in modules of their own, behind a clock of 10 ns; `other`: more operations of the test bench, for which %clk is the clock."""
    cells = "\n".join(f'  %q{k + 1} = hw.instance "s{k}" @stage(clk: %clk: {BIT}, d: %q{k}: i8) -> (q: i8)' for k in range(stages))
    return f"""
hw.module private @stage(in %clk : {BIT}, in %d : i8, out q : i8) {{
{CLOCK}
  %q = seq.firreg %d clock %edge : i8
  hw.output %q : i8
}}
hw.module private @count(in %clk : {BIT}, in %rst : i1, out n : i8) {{
{CLOCK}
  %c0 = hw.constant 0 : i8
  %c1 = hw.constant 1 : i8
  %next = comb.add %n, %c1 : i8
  %n = seq.firreg %next clock %edge reset async %rst, %c0 : i8
  hw.output %n : i8
}}
hw.module @tb() {{
  %half = llhd.constant_time <5ns, 0d, 0e>
  %eps = llhd.constant_time <0ns, 0d, 1e>
  %true = hw.constant true
  %c0 = hw.constant 0 : i8
  %zero = hw.aggregate_constant [false, false] : {BIT}
  %false = hw.constant false
  %turns = hw.constant 12 : i8
  %one = hw.constant 1 : i8
  %s = llhd.sig name "s" %zero : {BIT}
  %clk = llhd.prb %s : {BIT}
  %rst = llhd.sig name "rst" %true : i1
  %r = llhd.prb %rst : i1
  %q0 = hw.instance "n" @count(clk: %clk: {BIT}, rst: %r: i1) -> (n: i8)
{cells}
{other}
  llhd.process {{
    cf.br ^turn(%c0 : i8)
  ^turn(%i: i8):
    %more = comb.icmp ult %i, %turns : i8
    cf.cond_br %more, ^on, ^end
  ^on:
    llhd.wait delay %half, ^step
  ^step:
    llhd.drv %rst, %false after %eps : i1
    %now = llhd.prb %s : {BIT}
    %nv = hw.struct_extract %now["value"] : {BIT}
    %nn = comb.xor %nv, %true : i1
    %next = hw.struct_create (%nn, %false) : {BIT}
    llhd.drv %s, %next after %eps : {BIT}
    %i1 = comb.add %i, %one : i8
    cf.br ^turn(%i1 : i8)
  ^end:
    llhd.halt
  }}
  hw.output
}}"""


def gangs(text: str) -> list[tuple[list[str], int]]:
    """(bodies, number of nets that wake it) of each gang."""
    elab = Simulation(parse_text(text, "t.mlir"), RunOptions(mode="interpret"), stdout=lambda data: None, stderr=lambda line: None).elab
    return [([elab.regions[i].region.body.key for i in g.regions], len(g.inputs)) for g in elab.gangs]


def test_registers_of_one_clock_are_a_gang_and_so_are_their_commits() -> None:
    assert gangs(chain(3)) == [(["stage.clocked0"] * 3, 1), (["stage.commit0"] * 3, 0)]


def test_one_register_group_alone_is_no_gang() -> None:
    assert gangs(chain(1)) == []


def test_what_the_clock_evaluates_in_between_ends_a_gang() -> None:
    """The order stays as it was: a counter with a reset of its own stands between the second and the third register."""
    text = chain(2)
    more = "\n".join(
        (
            f'  %m = hw.instance "m" @count(clk: %clk: {BIT}, rst: %r: i1) -> (n: i8)',
            f'  %a = hw.instance "a" @stage(clk: %clk: {BIT}, d: %m: i8) -> (q: i8)',
            f'  %b = hw.instance "b" @stage(clk: %clk: {BIT}, d: %a: i8) -> (q: i8)',
        )
    )
    assert gangs(chain(2, more)) == [(["stage.clocked0"] * 2, 1), (["stage.commit0"] * 2, 0)] * 2
    assert text != chain(2, more)


@pytest.mark.parametrize("mode", ["interpret", "compile"])
def test_waveforms_are_those_of_single_regions(mode: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = waves(tmp_path, chain(4), mode, capfd)
    monkeypatch.setattr(design, "form_gangs", lambda regions: [])
    assert waves(tmp_path, chain(4), mode, capfd) == found
    assert any(line.startswith("b") and line.split()[0] not in ("b0", "b00000000") for line in found)
