"""The event kernel in restricted Python: the same functions run under CPython and, compiled, as wasm.

`MODULES` lists the modules in dependency order; the compiler takes all of them into one wasm module.
"""

from __future__ import annotations

from types import ModuleType

from wasmjit.sched.kernel import apply, force, heap, loop, monitor, nets, process, queues, refs, resolve, sync, trace, waits, wheel

MODULES: tuple[ModuleType, ...] = (heap, wheel, waits, queues, nets, force, apply, trace, process, refs, resolve, sync, monitor, loop)
