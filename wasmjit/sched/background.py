"""Optimised compilation beside the run: large modules begin with code that is quick to make, and get the better code when it is ready.

A module of thousands of bodies takes Cranelift 0.33 ms per body of 100 operations with optimisation and 0.14 ms without; the code is up to a third slower then. So a large
module is compiled without optimisation first, the run begins, and a thread of low priority compiles the same bytes again (wasmtime releases the interpreter lock). The new
module is instantiated between two time steps, where its element segments replace the old functions in the table. Frames, tokens and layouts are those of the same wasm
code, so nothing a design can see depends on when that happens.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable

from wasmjit.data import dataclass
from wasmjit.runtime.engine import Engine, compile_module
from wasmjit.runtime.raw import WasmError

LARGE_MODULE = 200_000
"""Bytes of wasm from which on a module begins unoptimised: about 1000 bodies of 100 operations, 0.15 s saved."""
PATIENCE_S = 1.0
"""A run that ends earlier is not worth optimising."""


@dataclass(slots=True)
class Job:
    """A module to be compiled again. `keys`: its bodies. `native`: the result, b"" when the compiler refused."""

    keys: list[str]
    wasm: bytes
    cache_key: bytes = b""
    native: bytes = b""
    dur_ns: int = 0


def quick_native(wasm_stack: int, wasm: bytes) -> bytes:
    """Native code made without optimisation. An engine that optimises accepts it: the level is no part of the interface of code."""
    return compile_module(Engine("none", wasm_stack=wasm_stack), wasm).serialize()


class Background:
    """The thread. `attention` is called on it, under a lock that `close` takes, whenever a result is there to be fetched with `finished`."""

    def __init__(self, wasm_stack: int, attention: Callable[[], None], patience_s: float = PATIENCE_S) -> None:
        self.wasm_stack = wasm_stack
        self.attention = attention
        self.patience_s = patience_s
        self.waiting: deque[Job] = deque()
        self.done: deque[Job] = deque()
        self.lock = threading.Lock()
        self.wake = threading.Event()
        self.closed = threading.Event()
        self.thread: threading.Thread | None = None

    def add(self, job: Job) -> None:
        """Compile a module when the run has gone on for a while."""
        self.waiting.append(job)
        if self.thread is None:
            self.thread = threading.Thread(target=self._work, name="optimise", daemon=True)
            self.thread.start()
        self.wake.set()

    def finished(self) -> list[Job]:
        """The jobs done since the last call."""
        out = []
        while self.done:
            out.append(self.done.popleft())
        return out

    def close(self) -> None:
        """Nothing is announced after this. A compilation that is under way ends by itself; its result is dropped."""
        with self.lock:
            self.closed.set()
        self.wake.set()

    def _work(self) -> None:
        lower_priority()
        if self.closed.wait(self.patience_s):
            return
        engine = Engine("speed", wasm_stack=self.wasm_stack, parallel=False)
        while not self.closed.is_set():
            while not self.waiting:
                self.wake.wait()
                self.wake.clear()
                if self.closed.is_set():
                    return
            job = self.waiting.popleft()
            t0 = time.perf_counter_ns()
            try:
                job.native = compile_module(engine, job.wasm).serialize()
            except WasmError:
                job.native = b""  # the quick code stays; that compilation reported whatever there was to report
            job.dur_ns = time.perf_counter_ns() - t0
            with self.lock:
                if not self.closed.is_set():
                    self.done.append(job)
                    self.attention()


def lower_priority() -> None:
    """Let the run go first where a thread has a priority of its own (Linux). At 10 the thread starves on a busy machine; at 5 it gets a third of a share."""
    if hasattr(os, "setpriority") and hasattr(threading, "get_native_id") and os.path.isdir("/proc/self/task"):
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 5)
        except OSError:
            return
