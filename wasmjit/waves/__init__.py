"""Waveforms: writing VCD and FST, the dump tasks, reading, comparing and converting.

Writing: `SignalTrace` (memory images in), `DumpControl` ($dump tasks), `VcdWriter`, `FstWriter`, `create_writer`.
`shapes.shape_of` (imported by itself, since it needs the IR) turns MLIR types into shapes.
Reading: `open_wave`, `WaveData`. Tools: `compare`, `write_wave`.
"""

from __future__ import annotations

from wasmjit.waves.compare import Difference, Window, compare
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
    "compare",
    "create_writer",
    "open_wave",
    "write_wave",
]
