"""What crossing the border costs, and what telemetry costs: processor time, so that other work on the machine disturbs little."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from wasmjit.codegen import wasm as W
from wasmjit.runtime.engine import Engine, Instance, compile_module
from wasmjit.runtime.raw import host_func, raw_call

CALL_LIMITS_US = {"python_to_wasm": 2.0, "wasm_to_python": 1.5}
"""What the plan allows (architecture §1 has what other ways of calling cost)."""


def call_costs(calls: int = 100_000, repeats: int = 5) -> dict[str, float]:
    """Microseconds per call in both directions, two i32 parameters and an i32 result, best of `repeats`."""
    store = Engine("speed").store()
    m = W.ModuleBuilder()
    host = m.import_func("h", "add", (W.I32, W.I32), (W.I32,))
    m.export_func("add", m.add_func((W.I32, W.I32), (W.I32,), (), W.CodeBuf().local_get(0).local_get(1).op(W.I32_ADD), "add"))
    loop = W.CodeBuf()  # local 0: calls left; local 1: sum
    loop.op(b"\x03\x40").local_get(1).local_get(0).call(host).local_set(1)
    loop.local_get(0).i32_const(1).op(W.I32_SUB).local_tee(0).op(b"\x0d\x00").op(W.END).local_get(1)
    m.export_func("loop", m.add_func((W.I32,), (W.I32,), (W.I32,), loop, "loop"))
    added = host_func(store, ("i32", "i32"), ("i32",), lambda a, b: a + b)
    instance = Instance(store, compile_module(store.engine, m.finish()), {("h", "add"): added})
    add, run = raw_call(instance.func("add")), raw_call(instance.func("loop"))
    steps = range(calls)

    def into() -> None:
        for n in steps:
            add(n, 1)

    def empty() -> None:
        for _ in steps:
            pass

    return {
        "python_to_wasm": round(1e6 * (best(into, repeats) - best(empty, repeats)) / calls, 4),
        "wasm_to_python": round(1e6 * best(lambda: run(calls), repeats) / calls, 4),
    }


def best(work: Callable[[], Any], repeats: int) -> float:
    """Least processor time of this thread, seconds."""
    times = []
    for _ in range(repeats):
        began = time.thread_time()
        work()
        times.append(time.thread_time() - began)
    return min(times)


def telemetry_cost(command: Sequence[str], repeats: int = 7) -> dict[str, float]:
    """Processor seconds of a run without and with report, timeline and sampling (children in turn, least of `repeats`), and the difference in percent."""
    with tempfile.TemporaryDirectory(prefix="wasmjit-bench-") as folder:
        extra = [f"--jit-report={Path(folder) / 'r.json'}", f"--jit-timeline={Path(folder) / 't.json'}"]
        plain, full = [], []
        for _ in range(repeats):
            plain.append(child_time(command))
            full.append(child_time([*command, *extra]))
    a, b = min(plain), min(full)
    return {"plain_s": round(a, 4), "telemetry_s": round(b, 4), "percent": round(100 * (b - a) / a, 2) if a else 0.0}


def child_time(command: Sequence[str]) -> float:
    """User and system time of a child process. Raises CalledProcessError when it fails."""
    with open(os.devnull, "w") as nowhere:
        child = subprocess.Popen(command, stdout=nowhere, stderr=nowhere, stdin=subprocess.DEVNULL)
        before = os.times()
        status = child.wait()
        after = os.times()
    if status:
        raise subprocess.CalledProcessError(status, command)
    return after.children_user + after.children_system - before.children_user - before.children_system
