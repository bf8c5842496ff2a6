"""Runs of designs given as text, for tests of whole runs in both modes."""

from __future__ import annotations

from dataclasses import dataclass

from wasmjit.ir import parse_text
from wasmjit.runtime.engine import with_stack
from wasmjit.sched.options import RunOptions
from wasmjit.sched.outcome import Outcome
from wasmjit.sched.simulation import Simulation


@dataclass
class Ran:
    """What a run printed, what the tool said, and how it ended."""

    out: str
    lines: list[str]
    outcome: Outcome


def run(text: str, **options: object) -> Ran:
    """Simulate a design; `options` are fields of RunOptions."""
    printed: list[bytes] = []
    lines: list[str] = []
    sim = Simulation(parse_text(text, "t.mlir"), RunOptions(**options), stdout=printed.append, stderr=lines.append)  # type: ignore[arg-type]
    outcome = with_stack(sim.engine, sim.run)
    return Ran(b"".join(printed).decode(), lines, outcome)
