"""Which register groups are evaluated together."""

from __future__ import annotations

from pathlib import Path

import pytest

import wasmjit.elab.design as design
from tests.elab.designs import waves
from wasmjit.elab.gangs import LONG_RUN
from wasmjit.ir import parse_text
from wasmjit.runtime.engine import with_stack
from wasmjit.sched.control import CB_C_DRIVES, CB_C_EDGES, CB_C_REGIONS, CB_C_UPDATES
from wasmjit.sched.descriptors import N_FLAGS, R_FN
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


def test_long_runs_of_one_body_are_gangs_of_their_own() -> None:
    """A second kind of stage stands in the middle: too few of them for a gang with code of its own, enough of the first kind on one side."""
    other = chain(0).replace("@stage", "@other").split("hw.module private @count")[0]
    cells = [f'  %m{k + 1} = hw.instance "m{k}" @{"other" if k in (1, 2) else "stage"}(clk: %clk: {BIT}, d: {f"%m{k}" if k else "%q0"}: i8) -> (q: i8)' for k in range(3 + LONG_RUN)]
    text = other.replace("comb.xor %u", "comb.xor bin %u") + chain(0, "\n".join(cells))
    # The bodies of both kinds are the same code: tell them apart by what is behind the edge.
    text = text.replace("%q = seq.firreg %d clock %edge : i8", "%q1 = comb.add %d, %d : i8\n  %q = seq.firreg %q1 clock %edge : i8", 1)
    found = gangs(text)
    assert [len(bodies) for bodies, inputs in found if inputs] == [3, LONG_RUN]


def state(text: str, mode: str) -> tuple[list[object], bool]:
    """What a run without a waveform leaves: counters, evaluations, values, last drivers (kept where somebody listens); whether compiled code went through a gang by itself."""
    sim = Simulation(parse_text(text, "t.mlir"), RunOptions(mode=mode), stdout=lambda data: None, stderr=lambda line: None)
    with_stack(sim.engine, sim.run)
    heads = range(len(sim.elab.regions), len(sim.elab.regions) + len(sim.elab.gangs))
    compiled = any(sim.view.u32(sim.view.region_addr(i) + R_FN) for i in heads)
    out: list[object] = [sim.view.u64(c) for c in (CB_C_UPDATES, CB_C_EDGES, CB_C_REGIONS, CB_C_DRIVES)]
    out += [sim.view.evaluations(i) for i in range(len(sim.elab.regions))]
    out += [bytes(sim.memory.u8[n.address : n.address + n.size]) for n in sim.elab.nets]
    out += [sim.view.last_driver(i) for i in range(len(sim.elab.nets)) if sim.view.u32(sim.view.net_addr(i) + N_FLAGS)]
    return out, compiled


@pytest.mark.parametrize("stages", [2, 9])
def test_compiled_code_of_a_gang_does_what_the_kernel_does(stages: int) -> None:
    """The sum of all stages listens to every one of them."""
    total = "\n".join(f"  %t{k + 1} = comb.add {'%q0' if k == 0 else f'%t{k}'}, %q{k + 1} : i8" for k in range(stages))
    listener = f"{total}\n  %total = llhd.sig %c0 : i8\n  llhd.drv %total, %t{stages} after %eps : i8"
    expected, compiled = state(chain(stages, listener), "interpret")
    assert not compiled
    assert state(chain(stages, listener), "compile") == (expected, True)
