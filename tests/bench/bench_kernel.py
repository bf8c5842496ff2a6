"""Nanoseconds per process activation of the event kernel: N clocked counters on one clock, bodies compiled in the kernel's module.

python tests/bench/bench_kernel.py [N ...]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "sched"))

import kernel_bodies

from wasmjit.runtime.engine import Engine
from wasmjit.runtime.memory import Global, LinearMemory, Table
from wasmjit.sched.tables import KernelTables
from wasmjit.sched.view import KernelView
from wasmjit.sched.wasmkernel import WasmKernel


def measure(n: int, activations: int, listened: bool, perfmap: bool = False) -> tuple[float, KernelView]:
    """Wall nanoseconds per activation. perfmap: for `perf record`. listened: every counter output also has a (never matching) fan-out entry, so that its change is followed."""
    engine = Engine(perfmap=perfmap)
    store = engine.store()
    memory = LinearMemory(store, 1 << 20, 1 << 28)
    table = Table(store, 16)
    kernel = WasmKernel(engine, store, memory, table, Global(store, 0), extra=(kernel_bodies,))
    for i, name in enumerate(("clock_body", "counter_body"), 1):
        table.set(i, kernel.instance.func(name))
    t = KernelTables()
    # contexts of 64 bytes after the tables: clock first
    t.nets.add(0, 1)
    t.procs.add(1, 0, 0)
    for i in range(n):
        t.nets.add(0, 4)
        t.procs.add(2, 0, 0)
        t.fanout.proc(0, i + 1, 0)
        if listened:
            t.fanout.proc(i + 1, 0, 7)
    ctx = 4096 + t.size() + 64 & -64
    frames = ctx + 64 * (n + 1)
    t.nets.addr[0] = ctx + 32
    t.procs.rows[0] = (1, ctx, frames, *t.procs.rows[0][3:])
    for i in range(1, n + 1):
        t.nets.addr[i] = ctx + 64 * i + 16
        t.procs.rows[i] = (2, ctx + 64 * i, frames + 64 * i, *t.procs.rows[i][3:])
    end = frames + 64 * (n + 1)
    if end > memory.size():
        memory.grow((end - memory.size()) // 65536 + 2)
    t.build().write(memory.u8, guest_lo=ctx, heap_base=end)
    w = memory.u32
    w[(ctx + 4) >> 2] = ctx + 32
    w[(ctx + 8) >> 2] = 5_000_000
    for i in range(1, n + 1):
        c = ctx + 64 * i
        w[c >> 2], w[(c + 4) >> 2] = i, ctx + 32
    kernel.call["k_init"]()
    kernel.call["k_run"](1 << 62, 4 * n)
    best = 1e9
    for _ in range(8):  # the best of eight: other load only adds
        t0 = time.perf_counter_ns()
        kernel.call["k_run"](1 << 62, activations // 8)
        best = min(best, (time.perf_counter_ns() - t0) / (activations // 8))
    return best, KernelView(memory)


def main() -> None:
    sizes = [int(a) for a in sys.argv[1:]] or [1, 32, 1024, 16384]
    for n in sizes:
        quiet, _ = measure(n, 4_000_000, False)
        loud, _ = measure(n, 4_000_000, True)
        print(f"N={n:6}: {quiet:6.1f} ns per activation, {loud:6.1f} with listened outputs")


if __name__ == "__main__":
    main()
