"""Waveforms made for tests."""

from __future__ import annotations

import random
from pathlib import Path

from wasmjit.waves.convert import create_writer
from wasmjit.waves.model import ScopeDecl, Value, VarDecl


def random_wave(path: Path, seed: int, steps: int = 40, patch: dict[tuple[int, int], Value] | None = None, rename: str = "top") -> None:
    """A deterministic waveform; `patch` overrides values by (time, variable)."""
    rng = random.Random(seed)
    variables = tuple(VarDecl(f"s{i}", "wire", width, i) for i, width in enumerate((1, 8, 33, 100))) + (VarDecl("r", "real", 64, 4), VarDecl("e", "event", 1, 5))
    writer = create_writer(str(path))
    writer.declare([ScopeDecl(rename, "module", variables, (ScopeDecl("u", "module", (VarDecl("port", "wire", 8, 1),)),))])
    for step in range(steps):
        time = step * 10
        pairs: list[tuple[int, Value]] = []
        for var in variables:
            value: Value = rng.getrandbits(var.width)
            if var.kind == "real":
                value = rng.random()
            elif rng.random() < 0.1:
                value = "x" * var.width
            if rng.random() < 0.7:
                pairs.append((var.id, value))
        pairs.extend((var, value) for (when, var), value in (patch or {}).items() if when == time)
        writer.changes(time, pairs)
    writer.close(steps * 10)
