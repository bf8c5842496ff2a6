"""The event kernel in restricted Python: the same functions run under CPython and, compiled, as wasm.

`MODULES` lists the modules in dependency order; the compiler takes all of them into one wasm module. They are imported when somebody asks for the list: a run
from a kept image (`sched/kernelimage.py`) does without them.
"""

from __future__ import annotations

import importlib
from types import ModuleType

NAMES = (
    "heap", "objects", "mark", "slots", "wheel", "waits", "queues", "nets", "force", "apply", "drivers", "trace", "rng", "process", "handles", "refs", "resolve", "sync", "collect",
    "monitor", "settle", "loop",
)  # fmt: skip
MODULES: tuple[ModuleType, ...]


def __getattr__(name: str) -> tuple[ModuleType, ...]:
    if name != "MODULES":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return tuple(importlib.import_module(f"{__name__}.{n}") for n in NAMES)
