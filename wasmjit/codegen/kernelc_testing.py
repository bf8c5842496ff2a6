"""Run a kernel function both ways and compare: for property tests of everything written in restricted Python.

    out = run_both(k_alloc, 24, memory=image, host={"svc": lambda site, buf: 0})
    assert out.result == 4096 and out.memory[8:12] == b"..."

`run_both` fails with an AssertionError that names the first difference: result, memory, shadow stack pointer, sequence of host calls, or one side trapping alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from wasmjit.codegen.kernel_source import source
from wasmjit.codegen.kernelc import KernelImage, compile_functions
from wasmjit.data import dataclass, field
from wasmjit.runtime.engine import Engine, Instance, Module, compile_module
from wasmjit.runtime.memory import PAGE, Global, LinearMemory, Table
from wasmjit.runtime.raw import WasmTrap, host_func

HostTable = Mapping[str, Callable[..., Any]]


@dataclass(slots=True)
class Outcome:
    """What one execution did. `trap`: the exception, if it trapped (then `result` is None; memory and host calls up to the trap still count)."""

    result: Any = None
    memory: bytes = b""
    sp: int = 0
    trap: Exception | None = None
    host_calls: list[tuple[str, tuple[Any, ...], Any]] = field(default_factory=list)


@cache
def test_engine() -> Engine:
    """One engine for all runs of a test session."""
    return Engine()


test_engine.__test__ = False  # type: ignore[attr-defined]


@cache
def _compiled(functions: tuple[Callable[..., Any], ...]) -> tuple[KernelImage, Module]:
    image = compile_functions({f"f{i}": fn for i, fn in enumerate(functions)})
    return image, compile_module(test_engine(), image.wasm)


def _logged(host: HostTable, log: list[tuple[str, tuple[Any, ...], Any]]) -> dict[str, Callable[..., Any]]:
    def wrap(name: str, fn: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            result = fn(*args)
            log.append((name, args, result))
            return result

        return call

    return {name: wrap(name, fn) for name, fn in host.items()}


def run_python(intr: Any, fn: Callable[..., Any], args: Sequence[Any], memory: bytes, host: HostTable, table: Sequence[Any], sp: int, max_bytes: int) -> Outcome:
    """The function as CPython executes it over a FakeMemory; `intr` is the intrinsics module."""
    out = Outcome()
    mem = intr.FakeMemory(memory, max_bytes)
    intr.bind(mem, _logged(host, out.host_calls), table, sp)
    try:
        out.result = fn(*args)
    except (intr.Trap, ZeroDivisionError, AssertionError) as e:
        out.trap = e
    out.memory, out.sp = mem.image(), intr.get_sp()
    return out


def run_wasm(intr: Any, fn: Callable[..., Any], args: Sequence[Any], memory: bytes, host: HostTable, table: Sequence[Any], sp: int, max_bytes: int) -> Outcome:
    """The compiled function. Intrinsics are bound to its memory, so that host functions can use `ld32` and the like."""
    out = Outcome()
    functions = (fn, *(t for t in table if t is not None))
    image, module = _compiled(functions)
    store = test_engine().store()
    mem = LinearMemory(store, len(memory), max_bytes)
    mem.write(0, memory)
    funcs = Table(store, len(table))
    pointer = Global(store, sp)
    logged = _logged(host, out.host_calls)

    def missing(name: str) -> Callable[..., Any]:
        def call(*_: Any) -> Any:
            raise intr.Trap(f"host function {name!r} is not bound")

        return call

    imports: dict[tuple[str, str], Any] = {("env", "memory"): mem, ("env", "table"): funcs, ("env", "sp"): pointer}
    for name, (params, results) in image.host_imports.items():
        imports["h", name] = host_func(store, params, results, logged.get(name) or missing(name))
    instance = Instance(store, module, imports)
    for i, entry in enumerate(table):
        if entry is not None:
            funcs.set(i, instance.func(f"f{functions.index(entry)}"))
    intr.bind(mem, logged, table, sp)
    try:
        out.result = instance.call("f0")(*args)
    except (WasmTrap, intr.Trap) as e:
        out.trap = e
    out.memory, out.sp = mem.read(0, mem.size()), pointer.get()
    return out


def run_both(
    fn: Callable[..., Any],
    *args: float,
    memory: bytes = b"",
    host: HostTable | Callable[[], HostTable] | None = None,
    table: Sequence[Callable[..., Any] | None] = (),
    sp: int = 0,
    max_bytes: int = 64 * PAGE,
) -> Outcome:
    """Run `fn(*args)` under CPython and as wasm on the same memory image and compare everything; the common outcome.

    memory: initial contents, padded with zeros to whole pages (one page at least). host: functions by name without `h_`; give a factory (`lambda: {...}`) if they keep state.
    table: kernel functions for `call_indirect_*` by index. Integer results are compared as unsigned numbers, NaNs are equal to each other.
    """
    from importlib import import_module  # sched is above codegen in the house plan; only this test helper looks up

    intr = import_module("wasmjit.sched.intrinsics")
    image = memory.ljust(max(-(-len(memory) // PAGE), 1) * PAGE, b"\0")
    make = host if callable(host) else (lambda: host or {})
    py = run_python(intr, fn, args, image, make(), table, sp, max_bytes)
    wa = run_wasm(intr, fn, args, image, make(), table, sp, max_bytes)
    what = f"{source(fn).name}{args}"
    assert (py.trap is None) == (wa.trap is None), f"{what}: CPython: {py.trap!r} (result {py.result}), wasm: {wa.trap!r} (result {wa.result})"
    nan = isinstance(py.result, float) and isinstance(wa.result, float) and math.isnan(py.result) and math.isnan(wa.result)
    assert nan or py.result == wa.result, f"{what}: CPython gives {py.result!r}, wasm {wa.result!r}"
    if isinstance(py.result, float) and not nan:
        assert math.copysign(1.0, py.result) == math.copysign(1.0, wa.result), f"{what}: the sign of zero differs"
    assert py.host_calls == wa.host_calls, f"{what}: host calls: CPython {py.host_calls}, wasm {wa.host_calls}"
    assert py.sp == wa.sp, f"{what}: sp: CPython {py.sp:#x}, wasm {wa.sp:#x}"
    assert len(py.memory) == len(wa.memory), f"{what}: memory size: CPython {len(py.memory)}, wasm {len(wa.memory)}"
    if py.memory != wa.memory:
        at = next(i for i, (a, b) in enumerate(zip(py.memory, wa.memory, strict=True)) if a != b)
        raise AssertionError(f"{what}: memory differs from {at:#x}: CPython {py.memory[at : at + 16].hex()}, wasm {wa.memory[at : at + 16].hex()}")
    return wa
