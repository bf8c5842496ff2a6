"""Processes that wait for an edge are not woken by the other one, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.elab.designs import waves
from wasmjit.ir import parse_text
from wasmjit.runtime.engine import with_stack
from wasmjit.sched.control import CB_C_REGIONS
from wasmjit.sched.options import RunOptions
from wasmjit.sched.simulation import Simulation


def counter(edge: str, before: str = "", four_state: bool = True) -> str:
    """`always @(posedge clk) n <= n + 1` as circt-verilog writes it, with a clock that goes through the given values.

    edge: operations that compute %hit from %old and %new (the truth values before and now). before: operations behind the wait, before the test.
    """
    t = "!hw.struct<value: i1, unknown: i1>"
    return f"""
hw.module @top() {{
  %true = hw.constant true
  %false = hw.constant false
  %c0 = hw.constant 0 : i8
  %c1 = hw.constant 1 : i8
  %c3 = hw.constant 3 : i8
  %x = hw.aggregate_constant [false, true] : {t}
  %z = hw.aggregate_constant [true, true] : {t}
  %zero = hw.aggregate_constant [false, false] : {t}
  %one = hw.aggregate_constant [true, false] : {t}
  %eps = llhd.constant_time <0ns, 0d, 1e>
  %delta = llhd.constant_time <0ns, 1d, 0e>
  %clk = llhd.sig %x : {t}
  %n = llhd.sig %c0 : i8
  %seen = llhd.sig %c0 : i8
  %pc = llhd.prb %clk : {t}
  %v = hw.struct_extract %pc["value"] : {t}
  %u = hw.struct_extract %pc["unknown"] : {t}
  %k = comb.xor %u, %true : i1
  %level = comb.and bin %v, %k : i1
  llhd.process {{
    cf.br ^wait(%pc : {t})
  ^wait(%was: {t}):
    %wv = hw.struct_extract %was["value"] : {t}
    %wu = hw.struct_extract %was["unknown"] : {t}
    %wk = comb.xor %wu, %true : i1
    %old = comb.and bin %wv, %wk : i1
    llhd.wait (%level : i1), ^woken(%old : i1)
  ^woken(%before: i1):
    %now = llhd.prb %clk : {t}
    %nv = hw.struct_extract %now["value"] : {t}
    %nu = hw.struct_extract %now["unknown"] : {t}
    %nk = comb.xor %nu, %true : i1
    %new = comb.and bin %nv, %nk : i1
    {before}
    {edge}
    cf.cond_br %hit, ^count, ^wait(%now : {t})
  ^count:
    %p = llhd.prb %n : i8
    %q = comb.add %p, %c1 : i8
    llhd.drv %n, %q after %delta : i8
    cf.br ^wait(%now : {t})
  }}
  llhd.process {{
    %d = llhd.constant_time <1ns, 0d, 0e>
    llhd.wait delay %d, ^b0
VALUES
    llhd.halt
  }}
}}
""".replace("VALUES", "\n".join(f"  ^b{i}:\n    llhd.drv %clk, %{v} after %eps : {t}\n    llhd.wait delay %d, ^b{i + 1}" for i, v in enumerate(STATES)) + f"\n  ^b{len(STATES)}:")


STATES = ("zero", "one", "zero", "one", "x", "one", "z", "zero", "z", "one", "zero")
POSEDGE = "%nb = comb.xor %before, %true : i1\n    %hit = comb.and bin %nb, %new : i1"
NEGEDGE = "%nn = comb.xor %new, %true : i1\n    %hit = comb.and bin %before, %nn : i1"
ANY = "%hit = comb.xor %before, %new : i1"


def ran(text: str, mode: str) -> tuple[int, int]:
    """(value of n at the end, activations of the first process)."""
    sim = Simulation(parse_text(text, "t.mlir"), RunOptions(mode=mode), stdout=lambda data: None, stderr=lambda line: None)
    with_stack(sim.engine, sim.run)
    n = next(x for x in sim.elab.nets if x.name == "n")
    return sim.memory.u8[n.address], sum(sim.view.activations_by_tier()) - (len(STATES) + 2)


@pytest.mark.parametrize("mode", ["interpret", "compile"])
@pytest.mark.parametrize(("edge", "count", "activations"), [(POSEDGE, 4, 7), (NEGEDGE, 4, 5), (ANY, 8, 9)])
def test_only_changes_to_the_level_that_counts_wake_the_process(edge: str, count: int, activations: int, mode: str) -> None:
    """Only 1 makes the truth value 1: the process waits for the clock itself, whose value bit is set for z too (twice here)."""
    assert ran(counter(edge), mode) == (count, activations)


@pytest.mark.parametrize("mode", ["interpret", "compile"])
def test_an_effect_before_the_test_of_the_edge_takes_place_at_every_change(mode: str) -> None:
    text = counter(POSEDGE, "%s = llhd.prb %seen : i8\n    %s1 = comb.add %s, %c1 : i8\n    llhd.drv %seen, %s1 after %delta : i8")
    assert ran(text, mode) == (4, 9)


def test_the_same_without_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wasmjit.elab.bodies.edge_waits", lambda d, program, body: body)
    for edge, count in ((POSEDGE, 4), (NEGEDGE, 4), (ANY, 8)):
        assert ran(counter(edge), "interpret") == (count, 9)


def process_of(text: str) -> tuple[Simulation, list[str]]:
    """The design ready to run, and the names of the nets its first process waits for."""
    sim = Simulation(parse_text(text, "t.mlir"), RunOptions(mode="interpret"), stdout=lambda data: None, stderr=lambda line: None)
    return sim, [sim.elab.nets[n].name for n in sim.elab.processes[0].sens[0]]


def test_a_posedge_is_waited_for_at_the_clock_and_a_negedge_at_its_truth_value() -> None:
    assert process_of(counter(POSEDGE))[1] == ["clk"]
    assert process_of(counter(NEGEDGE))[1] == [""]


def test_logic_that_only_a_waveform_of_everything_shows_is_idle() -> None:
    for edge, idle in ((POSEDGE, [True]), (NEGEDGE, [False]), (ANY, [False])):
        sim = process_of(counter(edge))[0]
        assert [r.region.idle for r in sim.elab.regions] == idle
        with_stack(sim.engine, sim.run)
        # Once at the start; else at every change of the clock.
        assert (sim.view.u64(CB_C_REGIONS) == 1) == idle[0]


def test_a_truth_value_with_another_reader_is_no_idle_logic() -> None:
    reader = "%other = llhd.sig %false : i1\n  llhd.drv %other, %level after %eps : i1\n  llhd.process {"
    sim = process_of(counter(POSEDGE).replace("llhd.process {", reader, 1))[0]
    assert not any(r.region.idle for r in sim.elab.regions)
    second = "llhd.process {\n    llhd.wait (%level : i1), ^go\n  ^go:\n    llhd.halt\n  }\n  llhd.process {"
    sim = process_of(counter(POSEDGE).replace("llhd.process {", second, 1))[0]
    assert not any(r.region.idle for r in sim.elab.regions)


def test_a_waveform_of_everything_shows_idle_logic(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = [waves(tmp_path, counter(POSEDGE), mode, capfd) for mode in ("interpret", "compile")]
    monkeypatch.setattr("wasmjit.elab.bodies.edge_waits", lambda d, program, body: body)
    monkeypatch.setattr("wasmjit.elab.bodies.mark_idle", lambda *args: None)
    plain = waves(tmp_path, counter(POSEDGE), "interpret", capfd)
    assert found == [plain, plain] and sum(line.startswith(("0", "1")) for line in plain) > 8
