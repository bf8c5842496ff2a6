"""The hot part of the runtime library in restricted Python: strings, queues, dynamic arrays, associative arrays, allocation.

Compiled with the event kernel into one wasm module; both tiers call these functions directly (MIR operation `rt`). Exports that designs call
have the names that designs know. Layouts: `wasmjit.runtime.moore.layouts`. What a design hands over is checked; a bad address, length or handle ends
the run with one of the messages of `faults`.
"""

from __future__ import annotations

import importlib
from types import ModuleType

NAMES = ("memory", "strings", "queues", "arrays", "assoc_keys", "assoc_order", "assoc_table", "assoc", "values")
LIBRARY: tuple[ModuleType, ...]
"""The modules, imported when first asked for: runs take what they need from the kernel's image."""


def __getattr__(name: str) -> tuple[ModuleType, ...]:
    if name != "LIBRARY":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return tuple(importlib.import_module(f"{__name__}.{n}") for n in NAMES)
