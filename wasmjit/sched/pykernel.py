"""The kernel executed by CPython (`--kernel=python`): the reference, for debugging and for tests.

    k = PyKernel(FakeMemory(1 << 20, 1 << 26), table={5: body}, host={"deopt": f})
    k.call["k_init"](); k.call["k_run"](NEVER, 10**9)

Table entries are Python callables `(ctx, frame) -> status` or `(ctx) -> None`. One kernel at a time is bound in a thread (`bind`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from wasmjit.sched import intrinsics
from wasmjit.sched.exports import exported
from wasmjit.sched.intrinsics import MemoryLike
from wasmjit.sched.kernel import MODULES
from wasmjit.sched.library import LIBRARY
from wasmjit.sched.library.faults import lib_fault


def _ignore(*_: int) -> int:
    return 0


class PyKernel:
    """Same functions, same memory, no wasm. `call` maps every exported name to its function."""

    def __init__(
        self,
        memory: MemoryLike,
        table: MutableMapping[int, Callable[..., Any]] | None = None,
        host: Mapping[str, Callable[..., Any]] | None = None,
        sp: int = 0,
    ) -> None:
        self.memory = memory
        self.table: MutableMapping[int, Callable[..., Any]] = {} if table is None else table
        self.host: dict[str, Callable[..., Any]] = {"drain": _ignore, "net_change": _ignore, "deopt": lambda proc: 3, "lib_fault": lib_fault, "lib_warn": _ignore, "gc_roots": _ignore, "gc_dead": _ignore, **(host or {})}
        self.call: dict[str, Callable[..., Any]] = exported([*MODULES, *LIBRARY])
        self.sp = sp
        self.bind()

    def bind(self) -> None:
        """Make this kernel the one the functions work on."""
        intrinsics.bind(self.memory, self.host, self.table, self.sp)
