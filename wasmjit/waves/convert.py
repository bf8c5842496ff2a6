"""Writing a waveform that was read: conversion between formats, extraction of signals and of a time window."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wasmjit.data import replace
from wasmjit.waves.compare import WHOLE_RUN, Window, matches, normalise_name
from wasmjit.waves.data import WaveData
from wasmjit.waves.fst import FstWriter
from wasmjit.waves.model import ScopeDecl, Value, WaveError, WaveWriter, format_time, walk_vars
from wasmjit.waves.vcd import VcdWriter


def create_writer(path: str, timescale: str = "1fs", date: str = "") -> WaveWriter:
    """Writer of the format that the suffix names: `.vcd` or `.fst`. Raises WaveError."""
    if path.endswith(".fst"):
        return FstWriter(path, timescale, date=date)
    if path.endswith(".vcd"):
        return VcdWriter(path, timescale, date=date)
    raise WaveError(f"{path}: the suffix names no waveform format (expected .vcd or .fst)")


def select(data: WaveData, patterns: Iterable[str] | None) -> WaveData:
    """The same waveform with only the signals whose names match one of the globs (None: all)."""
    if patterns is None:
        return data
    globs = [normalise_name(p) for p in patterns]
    return replace(data, signals=[s for s in data.signals if matches(normalise_name(s.name), globs)])


def write_wave(data: WaveData, path: str, window: Window = WHOLE_RUN, timescale: str | None = None) -> None:
    """Write the signals of `data` as VCD or FST. With a window, values at its start are the first samples; times stay as they are.

    `timescale` defaults to the one of `data`. Raises WaveError.
    """
    writer = create_writer(path, timescale or format_time(data.timescale_fs), data.date)
    scopes: Sequence[ScopeDecl] = data.scopes()
    writer.declare(scopes)
    kinds = {var.id: var.kind for var in walk_vars(scopes)}
    rows = sorted(kinds)
    start = max(window.start_fs, data.start_fs)
    end = data.end_fs if window.end_fs is None else min(window.end_fs, data.end_fs)
    initial: list[tuple[int, Value]] = []
    steps: dict[int, list[tuple[int, Value]]] = {}
    for row in rows:
        held: Value | None = None
        for time, value in zip(data.times[row], data.values[row], strict=True):
            if time > end:
                break
            if time > start:
                steps.setdefault(time, []).append((row, value))
            elif kinds[row] != "event" or time == start:
                held = value
        if held is not None:
            initial.append((row, held))
    writer.changes(start, initial)
    for time in sorted(steps):
        writer.changes(time, steps[time])
    writer.close(max(end, start))
