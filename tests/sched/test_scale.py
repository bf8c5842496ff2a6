"""Many processes: bodies compiled with the kernel, so that the numbers are those of real runs."""

from __future__ import annotations

import kernel_bodies
import pytest
from world import NEVER, engine, wasm_cache

from wasmjit.runtime.memory import Global, LinearMemory, Table
from wasmjit.runtime.raw import WasmTrap
from wasmjit.sched import control as cb
from wasmjit.sched.tables import KernelTables
from wasmjit.sched.view import KernelView
from wasmjit.sched.wasmkernel import WasmKernel

BODIES = ("fork_all_body", "fork_each_body", "child_body", "counter_body", "clock_body")


def start(body: str, count: int, max_bytes: int = 1 << 28) -> tuple[WasmKernel, KernelView, int]:
    store = engine().store()
    memory = LinearMemory(store, 1 << 18, max_bytes)
    table = Table(store, 8)
    kernel = WasmKernel(engine(), store, memory, table, Global(store, 0), cache=wasm_cache(), extra=(kernel_bodies,))
    for i, name in enumerate(BODIES, 1):
        table.set(i, kernel.instance.func(name))
    ctx = 1 << 16
    t = KernelTables()
    t.procs.add(BODIES.index(body) + 1, ctx, ctx + 64)
    t.build().write(memory.u8, guest_lo=ctx, heap_base=ctx + 128)
    memory.u32[ctx >> 2] = count
    memory.u32[(ctx + 8) >> 2] = BODIES.index("child_body") + 1
    kernel.call["k_init"]()
    return kernel, KernelView(memory), ctx


def test_a_hundred_thousand_processes_live_at_once() -> None:
    kernel, view, ctx = start("fork_all_body", 100_000)
    assert kernel.call["k_run"](NEVER, 10**9) == cb.REASON_NO_EVENTS
    assert [view.u32(ctx + o) for o in (4, 12, 16, 20)] == [100_000, 1, 100_000, 0]
    assert view.u32(cb.CB_PEAK_DYN) == 100_000
    assert view.u32(cb.CB_LIVE_DYN) == 0
    assert view.u64(cb.CB_FS) == 97


def test_a_million_forks_in_sequence_do_not_grow_the_heap() -> None:
    kernel, view, ctx = start("fork_each_body", 1_000_000, max_bytes=1 << 21)
    assert kernel.call["k_run"](NEVER, 10_000) == cb.REASON_BUDGET
    early = view.u64(cb.CB_HEAP_PEAK)
    assert kernel.call["k_run"](NEVER, 10**9) == cb.REASON_NO_EVENTS
    assert [view.u32(ctx + o) for o in (4, 12, 16)] == [1_000_000, 1, 1]
    assert view.u64(cb.CB_HEAP_PEAK) == early
    assert view.scheduler_report()["processes_registered"] == 1_000_001


def test_exhausted_memory_ends_the_run_at_a_limit_instead_of_corrupting_it() -> None:
    kernel, view, _ = start("fork_all_body", 100_000, max_bytes=1 << 21)
    # A fork without room traps, because the code behind it may never return to the kernel.
    with pytest.raises(WasmTrap):
        kernel.call["k_run"](NEVER, 10**9)
    assert view.u32(cb.CB_LIMIT) == cb.LIMIT_MEMORY
    assert 1000 < view.u64(cb.CB_C_SPAWNS) < 100_000
