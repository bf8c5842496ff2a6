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
    outcome = simulate(text, printed, lines, **options).outcome
    return Ran(b"".join(printed).decode(), lines, outcome)


def simulate(text: str, printed: list[bytes] | None = None, lines: list[str] | None = None, **options: object) -> Simulation:
    """The simulation after its run."""
    out: list[bytes] = [] if printed is None else printed
    said: list[str] = [] if lines is None else lines
    sim = Simulation(parse_text(text, "t.mlir"), RunOptions(**options), stdout=out.append, stderr=said.append)  # type: ignore[arg-type]
    with_stack(sim.engine, sim.run)
    return sim


def show_function(width: int) -> str:
    """A function @show that prints its argument of that width and the time in ns: `5@12 `."""
    return f"""
func.func private @show(%a: i{width}) {{
  %sp = sim.fmt.literal "@"
  %nl = sim.fmt.literal " "
  %t = llhd.current_time
  %fs = llhd.time_to_int %t
  %ns = hw.constant 1000000 : i64
  %n = comb.divu %fs, %ns : i64
  %f = sim.fmt.dec %a specifierWidth 0 : i{width}
  %g = sim.fmt.dec %n specifierWidth 0 : i64
  %c = sim.fmt.concat (%f, %sp, %g, %nl)
  sim.proc.print %c
  return
}}
"""
