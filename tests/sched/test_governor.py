"""What is compiled and when: threshold, budget, cache policy, strict mode, back-off; every decision is in the records."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wasmjit.ir import parse_text
from wasmjit.runtime.engine import with_stack
from wasmjit.runtime.raw import host_func
from wasmjit.sched import backoff
from wasmjit.sched.options import RunOptions
from wasmjit.sched.simulation import Simulation
from wasmjit.sem.mir import STATUS_DEOPT

sys.path.insert(0, str(Path(__file__).resolve().parent))
from class_runs import simulate

TWO = """
hw.module @tb() {
  %now = llhd.constant_time <0ns, 0d, 1e>
  %ns = llhd.constant_time <1ns, 0d, 0e>
  %zero = hw.constant 0 : i32
  %one = hw.constant 1 : i32
  %a = llhd.sig %zero : i32
  %b = llhd.sig %zero : i32
  llhd.process {
    cf.br ^wait
  ^wait:
    llhd.wait delay %ns, ^run
  ^run:
    %v = llhd.prb %a : i32
    %n = comb.add %v, %one : i32
    llhd.drv %a, %n after %now : i32
    cf.br ^wait
  }
  llhd.process {
    cf.br ^wait
  ^wait:
    %v = llhd.prb %a : i32
    llhd.wait (%v : i32), ^run
  ^run:
    %w = llhd.prb %b : i32
    %n = comb.add %w, %v : i32
    llhd.drv %b, %n after %now : i32
    cf.br ^wait
  }
  hw.output
}
"""
TIME = 50_000_000  # 50 activations of the first process


def values(sim: Simulation) -> list[int]:
    return [int.from_bytes(sim.memory.u8[n.address : n.address + n.size], "little") for n in sim.elab.nets]


def kinds(sim: Simulation, kind: str) -> list[str]:
    return [e.detail for e in sim.telemetry.timeline if e.kind == kind]


def rows(sim: Simulation) -> list[tuple[str, str, str]]:
    return [(r.kind, r.reason, r.detail) for r in sim.telemetry.deopt_processes()]


REFERENCE = values(simulate(TWO, mode="interpret", max_time=TIME))


def test_threshold_one_compiles_everything_before_the_first_activation() -> None:
    sim = simulate(TWO, max_time=TIME)
    assert rows(sim) == [] and sim.view.activations_by_tier()[0] == 0
    assert sim.telemetry.compiles_total == 1 and values(sim) == REFERENCE


def test_a_higher_threshold_interprets_that_many_activations_first() -> None:
    sim = simulate(TWO, max_time=TIME, hot_threshold=10)
    assert rows(sim) == [("bailout", "missing_thunk", "below_hot_threshold")] * 2
    assert kinds(sim, "compile") == ["hot", "hot"]
    interpreted, compiled = sim.view.activations_by_tier()[:2]
    assert interpreted >= 18 and compiled > 60 and values(sim) == REFERENCE


def test_budget_zero_compiles_nothing_and_only_strict_mode_minds() -> None:
    sim = simulate(TWO, max_time=TIME, compile_budget=0)
    assert sim.telemetry.compiles_total == 0 and rows(sim) == [] and values(sim) == REFERENCE
    strict = simulate(TWO, max_time=TIME, compile_budget=0, fail_on_deopt=True)
    assert rows(strict) == [("bailout", "missing_thunk", "compile_budget_zero")] * 2
    assert strict.telemetry.check_strict()[0] == "Strict JIT policy violation: deopts_total=2"


def test_a_spent_budget_leaves_the_rest_to_the_interpreter() -> None:
    sim = simulate(TWO, max_time=TIME, compile_budget=1)
    assert rows(sim) == [("bailout", "missing_thunk", "compile_budget_exhausted")]
    assert sim.telemetry.compiles_total == 1 and values(sim) == REFERENCE


def test_budget_minus_one_is_unlimited() -> None:
    sim = simulate(TWO, max_time=TIME, compile_budget=-1)
    assert rows(sim) == [] and sim.view.activations_by_tier()[0] == 0


def test_policy_none_evicts_after_each_execution() -> None:
    sim = simulate(TWO, max_time=5_000_000, cache_policy="none")
    evictions = len(kinds(sim, "evict"))
    assert evictions == len(kinds(sim, "compile")) == sim.telemetry.exec_hits_total > 8
    assert values(sim) == values(simulate(TWO, mode="interpret", max_time=5_000_000))


def test_policy_disk_compiles_nothing_in_the_second_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = simulate(TWO, max_time=TIME, cache_policy="disk").telemetry
    second = simulate(TWO, max_time=TIME, cache_policy="disk").telemetry
    assert (first.compiles_total, first.cache_hits_total) == (1, 0)
    assert (second.compiles_total, second.cache_hits_total) == (0, 1)
    changed = TWO.replace("hw.constant 1 : i32", "hw.constant 3 : i32")
    assert simulate(changed, max_time=TIME, cache_policy="disk").telemetry.compiles_total == 1


@pytest.mark.parametrize("force", ["all", "every:3", "once"])
def test_forced_deopts_never_lead_to_a_back_off(force: str) -> None:
    sim = simulate(TWO, max_time=TIME, force_deopt=force)
    assert {r[1:] for r in rows(sim)} == {("guard_failed", "forced")} and kinds(sim, "tier") == []
    assert values(sim) == REFERENCE


def leaving(limit: int) -> Simulation:
    """A run in which the code of the first process is left at each of its first `limit` activations."""
    sim = Simulation(parse_text(TWO, "t.mlir"), RunOptions(max_time=2_000_000_000), stderr=lambda line: None)
    governor = sim.governor
    assert governor is not None
    start = governor.start
    entered: list[int] = []

    def replaced() -> None:
        start()
        slot = sim.code.slots[sim.elab.processes[0].body.key]
        native = sim.table.get(slot)
        assert native is not None
        from wasmjit.runtime.raw import raw_call

        run = raw_call(native)

        def leave(ctx: int, frame: int) -> int:
            entered.append(1)
            return STATUS_DEOPT if len(entered) <= limit else int(run(ctx, frame))

        sim.table.set(slot, host_func(sim.store, ("i32", "i32"), ("i32",), leave))

    governor.start = replaced  # type: ignore[method-assign]
    with_stack(sim.engine, sim.run)
    return sim


BOTH = values(simulate(TWO, mode="interpret", max_time=2_000_000_000))


def test_code_that_is_left_rests_twice_as_long_each_time_and_is_entered_again() -> None:
    sim = leaving(3)
    assert kinds(sim, "tier") == [
        text
        for n in (1, 2, 3)
        for text in (f"not entered for {2**n} activations: {n} deopts (unexpected_resume_state)", "entered again")
    ]
    assert [r.action for r in sim.telemetry.deopts] == ["not entered for 2 activations", "not entered for 4 activations", "not entered for 8 activations"]
    assert values(sim) == BOTH and sim.view.activations_by_tier()[1] > 1900


def test_code_that_is_left_too_often_is_no_longer_entered() -> None:
    sim = leaving(10**9)
    deopts = [r for r in sim.telemetry.deopts if r.kind == "eager"]
    assert len(deopts) == backoff.LIMIT and deopts[-1].action == "no longer entered"
    assert ("bailout", "missing_thunk", "backed_off") in rows(sim)
    assert kinds(sim, "tier")[-1] == f"no longer entered: {backoff.LIMIT} deopts (unexpected_resume_state)"
    assert values(sim) == BOTH
