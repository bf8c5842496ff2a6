"""Waveforms: writing VCD and FST, the dump tasks, reading, comparing and converting.

Writing: `SignalTrace` (memory images in), `DumpControl` ($dump tasks), `VcdWriter`, `FstWriter`, `create_writer`.
`shapes.shape_of` (imported by itself, since it needs the IR) turns MLIR types into shapes.
Reading: `open_wave`, `WaveData`. Tools: `compare.compare` (of its own module), `write_wave`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wasmjit.waves.compare import Difference, Window
    from wasmjit.waves.convert import create_writer, write_wave
    from wasmjit.waves.data import Limits, Signal, WaveData
    from wasmjit.waves.dump import DumpControl, DumpRequest, DumpState, Selection
    from wasmjit.waves.images import ArrayShape, BitsShape, ImageDecoder, RealShape, RecordShape, Shape
    from wasmjit.waves.model import ScopeDecl, Value, VarDecl, WaveError, WaveWriter
    from wasmjit.waves.read import open_wave
    from wasmjit.waves.trace import SignalTrace

__all__ = [
    "ArrayShape",
    "BitsShape",
    "Difference",
    "DumpControl",
    "DumpRequest",
    "DumpState",
    "ImageDecoder",
    "Limits",
    "RealShape",
    "RecordShape",
    "ScopeDecl",
    "Selection",
    "Shape",
    "Signal",
    "SignalTrace",
    "Value",
    "VarDecl",
    "WaveData",
    "WaveError",
    "WaveWriter",
    "Window",
    "create_writer",
    "open_wave",
    "write_wave",
]

_HOMES = {
    "compare": ("Difference", "Window"),
    "convert": ("create_writer", "write_wave"),
    "data": ("Limits", "Signal", "WaveData"),
    "dump": ("DumpControl", "DumpRequest", "DumpState", "Selection"),
    "images": ("ArrayShape", "BitsShape", "ImageDecoder", "RealShape", "RecordShape", "Shape"),
    "model": ("ScopeDecl", "Value", "VarDecl", "WaveError", "WaveWriter"),
    "read": ("open_wave",),
    "trace": ("SignalTrace",),
}


def __getattr__(name: str) -> Any:
    """Modules are imported with the first name that is asked of them: a run without waveforms needs none."""
    for module, names in _HOMES.items():
        if name in names:
            value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
