"""Large modules begin with quick code; optimised code made beside the run takes its place between two time steps."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from tests.support.manybodies import design
from wasmjit.codegen import wasm as W
from wasmjit.runtime.engine import Engine, deserialize_module
from wasmjit.runtime.memory import LinearMemory
from wasmjit.sched import background
from wasmjit.sched import jit as jit_module
from wasmjit.sched.statistics import fill_processes

sys.path.insert(0, str(Path(__file__).resolve().parent))
from class_runs import simulate

SMALL = design(12, ops=20)
STACK = 2 << 20


def small_module() -> bytes:
    m = W.ModuleBuilder()
    m.export_func("f", m.add_func((), (W.I32,), (), W.CodeBuf().i32_const(7), "f"))
    return m.finish()


def test_quick_code_runs_in_an_engine_that_optimises() -> None:
    engine = Engine("speed", wasm_stack=STACK)
    assert deserialize_module(engine, background.quick_native(STACK, small_module())).exports() == ["f"]


def test_the_thread_announces_optimised_code() -> None:
    ready = threading.Event()
    work = background.Background(STACK, ready.set, patience_s=0)
    work.add(background.Job(["f"], small_module()))
    assert ready.wait(60)
    (job,) = work.finished()
    assert deserialize_module(Engine("speed", wasm_stack=STACK), job.native).exports() == ["f"] and job.dur_ns > 0
    assert work.finished() == []
    work.close()
    assert work.thread is not None
    work.thread.join(60)
    assert not work.thread.is_alive()


def test_nothing_is_announced_after_the_end() -> None:
    work = background.Background(STACK, lambda: pytest.fail("announced"), patience_s=3600)
    work.add(background.Job(["f"], small_module()))
    work.close()
    assert work.thread is not None
    work.thread.join(60)
    assert not work.thread.is_alive() and work.finished() == []


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every module counts as large, and its optimised code is there before the run begins."""

    def add(self: background.Background, job: background.Job) -> None:
        job.native = background.compile_module(Engine("speed", wasm_stack=self.wasm_stack), job.wasm).serialize()
        self.done.append(job)
        self.attention()

    monkeypatch.setattr(jit_module, "LARGE_MODULE", 1)
    monkeypatch.setattr(background.Background, "add", add)


def values(sim: object) -> list[bytes]:
    memory: LinearMemory = sim.memory  # type: ignore[attr-defined]
    return [bytes(memory.u8[n.address : n.address + n.size]) for n in sim.elab.nets]  # type: ignore[attr-defined]


@pytest.mark.usefixtures("at_once")
def test_optimised_code_takes_over_between_time_steps_without_a_difference() -> None:
    sim = simulate(SMALL, max_time=200_000_000)
    tiers = [e for e in sim.telemetry.timeline if e.kind == "tier"]
    assert [(e.tier, e.bodies) for e in tiers] == [(2, 13)]
    quick, optimised = sim.view.activations_by_tier()[1:3]
    assert quick > 0 and optimised > 100
    assert values(sim) == values(simulate(SMALL, mode="interpret", max_time=200_000_000))
    fill_processes(sim)
    assert {row.tier for row in sim.telemetry.processes.values()} == {2}


def test_small_modules_are_optimised_at_once() -> None:
    sim = simulate(SMALL, max_time=50_000_000)
    assert sim.governor is not None and "background" not in sim.governor.jit.__dict__


@pytest.mark.usefixtures("at_once")
def test_the_disk_cache_ends_up_with_the_optimised_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = simulate(SMALL, max_time=50_000_000, cache_policy="disk").telemetry
    assert (first.compiles_total, first.cache_hits_total) == (1, 0)
    again = simulate(SMALL, max_time=50_000_000, cache_policy="disk").telemetry
    assert (again.compiles_total, again.cache_hits_total) == (0, 1)
    assert not [e for e in again.timeline if e.kind == "tier"]


def test_many_distinct_bodies_run_compiled_without_a_bailout() -> None:
    sim = simulate(design(60), max_time=40_000_000, fail_on_deopt=True)
    assert sim.telemetry.deopts_total == 0 and sim.telemetry.compiles_total == 1
    assert values(sim) == values(simulate(design(60), mode="interpret", max_time=40_000_000))
