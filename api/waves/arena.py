"""Runs the window queries of `scan` as WebAssembly, over a memory that holds the signals last looked at.

A signal's times are copied in when a query first needs them (a millisecond per 300 000 changes); when the memory is full it is emptied. So a dump of
any length costs the server at most `MEMORY` bytes besides the page cache.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from typing import Any

from wasmjit_api.waves import scan

from wasmjit.codegen.kernelc import compile_kernel
from wasmjit.runtime.engine import Engine, Instance, Store, compile_module
from wasmjit.runtime.memory import PAGE, Global, LinearMemory, Table

MEMORY = 768 << 20
MAX_PIXELS = 8192
_OUT = 4  # result columns
_OUT_BYTES = (2 * MAX_PIXELS + 8) * 8


@cache
def _compiled() -> tuple[Engine, Any]:
    engine = Engine(reservation=MEMORY)
    return engine, compile_module(engine, compile_kernel([scan]).wasm)


class Arena:
    """One instance of the queries and its memory. Thread-safe: one query at a time; the interpreter lock is free meanwhile."""

    def __init__(self, memory_bytes: int = MEMORY) -> None:
        engine, module = _compiled()
        store = Store(engine)
        self._base = PAGE + _OUT * _OUT_BYTES
        self._memory = LinearMemory(store, self._base + PAGE, memory_bytes)
        imports = {("env", "memory"): self._memory, ("env", "table"): Table(store, 1), ("env", "sp"): Global(store, PAGE)}
        instance = Instance(store, module, {name: imports[name] for name in module.imports})
        self._call: dict[str, Callable[..., int]] = {name: instance.call(name) for name in ("w_window", "w_analog", "w_activity")}
        self._out = [PAGE + k * _OUT_BYTES for k in range(_OUT)]
        self._free = self._base
        self._columns: dict[tuple[int, int, str], int] = {}
        self._lock = threading.Lock()
        self.capacity = self._memory.max_bytes - self._base
        """Bytes for columns; a signal that needs more is looked at in Python."""

    def _place(self, parts: list[tuple[tuple[int, int, str], memoryview]]) -> list[int]:
        """Addresses of columns, ((owner, signal, name), content) each; those that are not there yet are copied in."""
        missing = sum(data.nbytes + 8 for key, data in parts if key not in self._columns)
        if missing and self._free + missing > self._memory.max_bytes:
            self._columns.clear()
            self._free = self._base
        for key, data in parts:
            if key in self._columns:
                continue
            at, self._free = self._free, (self._free + data.nbytes + 7) // 8 * 8
            pages = -(-(self._free - self._memory.size()) // PAGE)
            if pages > 0 and self._memory.grow(pages) < 0:
                raise MemoryError("no memory for the signals of the waveform")
            self._memory.u8[at : at + data.nbytes] = data.cast("B")
            self._columns[key] = at
        return [self._columns[key] for key, _ in parts]

    def _result(self, column: int, count: int, real: bool = False) -> list[Any]:
        view: memoryview[Any] = self._memory.f64 if real else self._memory.u64
        return view[self._out[column] >> 3 : (self._out[column] >> 3) + count].tolist()

    def window(self, owner: int, signal: int, times: memoryview, xs: memoryview, t0: int, t1: int, pixels: int, narrow: int = 0) -> tuple[list[int], list[int]]:
        """Times and items (position in the signal, or scan.DENSE + code; `narrow`: see `scan.w_window`). `owner`: a number of the index the signal belongs to, never used again."""
        with self._lock:
            places = self._place([((owner, signal, "times"), times), ((owner, signal, "xs"), xs)])
            count = self._call["w_window"](places[0], len(times), places[1], len(xs), t0, t1, pixels, narrow, self._out[0], self._out[1])
            return self._result(0, count), self._result(1, count)

    def analog(
        self, owner: int, signal: int, times: memoryview, refs: memoryview, pool: memoryview, t0: int, t1: int, pixels: int,
    ) -> tuple[list[int], list[float], list[float], list[float]]:
        """Times, least, greatest and last numbers per column; `refs`: number of each change's value in the `pool` of the index."""
        with self._lock:
            places = self._place([((owner, signal, "times"), times), ((owner, signal, "refs"), refs), ((owner, -1, "pool"), pool)])
            count = self._call["w_analog"](places[0], len(times), places[1], places[2], t0, t1, pixels, *self._out)
            return self._result(0, count), self._result(1, count, True), self._result(2, count, True), self._result(3, count, True)

    def activity(self, owner: int, signals: list[tuple[int, memoryview]], t0: int, span: int, pixels: int) -> list[int]:
        """Changes per column, summed over signals (number, times)."""
        with self._lock:
            out = self._out[0]
            self._memory.u8[out : out + 8 * pixels] = bytes(8 * pixels)
            for signal, times in signals:
                (at,) = self._place([((owner, signal, "times"), times)])
                self._call["w_activity"](at, len(times), t0, span, pixels, out)
            return self._result(0, pixels)


@cache
def arena() -> Arena:
    """The one arena of this process."""
    return Arena()
