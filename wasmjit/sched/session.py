"""One `wasmjit run` from files to exit status: read, elaborate, simulate, write what was asked for."""

from __future__ import annotations

import shutil
import subprocess
import sys

from wasmjit.ir import Design, IRError, parse_file, parse_text
from wasmjit.runtime.engine import with_stack
from wasmjit.sched.options import RunOptions
from wasmjit.sched.outcome import Outcome
from wasmjit.sched.simulation import Simulation
from wasmjit.sem.lower.core import Unsupported

SOURCES = (".sv", ".v", ".svh", ".vh")


class InputError(Exception):
    """A design that cannot be read or elaborated; str() is what the user sees."""


def read_design(files: list[str], frontend_args: list[str]) -> Design:
    """The design of one MLIR file, or of SystemVerilog files through circt-verilog. Raises InputError."""
    try:
        if any(f.endswith(SOURCES) for f in files):
            return parse_text(frontend(files, frontend_args), files[0])
        if len(files) > 1:
            raise InputError(f"wasmjit: error: expected one MLIR file but got {len(files)}: {' '.join(files)}")
        return parse_file(files[0])
    except IRError as e:
        raise InputError(str(e)) from None
    except OSError as e:
        raise InputError(f"wasmjit: error: cannot read {files[0]}: {e.strerror or e}") from None


def frontend(files: list[str], frontend_args: list[str]) -> str:
    tool = shutil.which("circt-verilog")
    if tool is None:
        raise InputError(
            f"wasmjit: error: {files[0]} is SystemVerilog, which needs circt-verilog on PATH\n"
            "hint: it is part of CIRCT (https://github.com/llvm/circt/releases); or translate elsewhere: circt-verilog design.sv -o design.mlir"
        )
    done = subprocess.run([tool, *frontend_args, *files], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InputError(done.stderr.strip() or f"wasmjit: error: circt-verilog failed with status {done.returncode}")
    return done.stdout


def unsupported_text(e: Unsupported) -> str:
    """An operation without meaning, as a diagnostic."""
    if e.op is None:
        return f"wasmjit: error: {e.message}"
    loc = e.op.loc
    src = e.op._src
    text = f"{loc}: error: {e.message}"
    if src is not None and loc.line > 0:
        line = src.line_text(loc.line)
        text += f"\n{line}\n{' ' * (loc.col - 1)}^"
    return text


def run_design(files: list[str], options: RunOptions, frontend_args: list[str] | None = None, record: str | None = None) -> int:
    """Simulate; returns the exit status of interface.md. Diagnostics go to standard error."""
    try:
        design = read_design(files, frontend_args or [])
        sim = Simulation(design, options)
    except InputError as e:
        print(e, file=sys.stderr)
        return 2
    except IRError as e:
        print(e, file=sys.stderr)
        return 2
    except Unsupported as e:
        print(unsupported_text(e), file=sys.stderr)
        return 2
    for w in sim.elab.warnings:
        sim.say(f"Warning: {w}")
    sim.say(f"Found {len(sim.elab.processes)} LLHD process{'' if len(sim.elab.processes) == 1 else 'es'}")
    sim.say("Starting simulation")
    outcome = with_stack(sim.engine, sim.run)
    return finish(sim, outcome)


def finish(sim: Simulation, outcome: Outcome) -> int:
    """Closing lines, reports, exit status."""
    sim.finish_outputs()
    if not outcome.faulted and not outcome.limit:
        sim.say(f"Simulation completed at time {outcome.final_time_fs} fs")
        sim.say("Simulation completed")
    if outcome.exit_code:
        sim.say(f"Simulation finished with exit code {outcome.exit_code}")
    return outcome.exit_code
