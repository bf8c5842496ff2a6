"""Registry of runtime functions that are lowered specially (because they suspend, or because they become MIR operations)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wasmjit.ir import Op, Value
    from wasmjit.sem.lower.core import Lowerer

RuntimeLowering = Callable[["Lowerer", "Op", "list[Value]"], None]
RUNTIME_CALLS: dict[str, RuntimeLowering] = {}
SUSPENDING_CALLS: set[str] = set()


def runtime_call(*names: str, suspends: bool = False) -> Callable[[RuntimeLowering], RuntimeLowering]:
    def register(fn: RuntimeLowering) -> RuntimeLowering:
        for name in names:
            RUNTIME_CALLS[name] = fn
            if suspends:
                SUSPENDING_CALLS.add(name)
        return fn

    return register
