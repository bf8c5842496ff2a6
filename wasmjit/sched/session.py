"""One `wasmjit run` from files to exit status: read, elaborate, simulate, write what was asked for."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from wasmjit.ir import Design, IRError, parse_file, parse_text
from wasmjit.report.telemetry import TIERS
from wasmjit.runtime.engine import with_stack
from wasmjit.sched.options import RunOptions
from wasmjit.sched.outcome import OutputError, TooLarge
from wasmjit.sched.rowreader import row_scanner
from wasmjit.sched.runtime_impl import write_fd
from wasmjit.sched.simulation import Simulation
from wasmjit.sched.watch import Watch
from wasmjit.sem.lower.core import Unsupported
from wasmjit.waves.model import WaveError

if TYPE_CHECKING:
    from wasmjit.sched.recording import Recording

# What only some runs need (reports, statistics, recording, the front end) is imported where it is used: it would be a quarter of the start-up time.

SOURCES = (".sv", ".v", ".svh", ".vh")


class InputError(Exception):
    """A design that cannot be read or elaborated; str() is what the user sees."""


def read_design(files: list[str], frontend_args: list[str]) -> Design:
    """The design of one MLIR file, or of SystemVerilog files through circt-verilog. Raises InputError."""
    try:
        if any(f.endswith(SOURCES) for f in files):
            return parse_text(frontend(files, frontend_args), files[0], rows=row_scanner)
        if len(files) > 1:
            raise InputError(f"wasmjit: error: expected one MLIR file but got {len(files)}: {' '.join(files)}")
        return parse_file(files[0], rows=row_scanner)
    except IRError as e:
        raise InputError(str(e)) from None
    except OSError as e:
        raise InputError(f"wasmjit: error: cannot read {files[0]}: {e.strerror or e}") from None


def frontend(files: list[str], frontend_args: list[str]) -> str:
    import shutil
    import subprocess

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
    """Simulate; returns the exit status of interface.md (130 after Ctrl-C). Diagnostics go to standard error.

    `record`: directory of the dashboard's runs in which this one is recorded ('' for the default, $WASMJIT_RUNS or ./runs).
    """
    try:
        began = time.perf_counter()
        design = read_design(files, frontend_args or [])
        read_s = time.perf_counter() - began
        recorder = None
        if record is not None:
            from wasmjit.sched.recording import start_recording

            recorder = start_recording(record, files, options)
        sim = Simulation(design, options, recorder.tee if recorder is not None else write_fd)
    except (InputError, IRError) as e:
        print(e, file=sys.stderr)
        return 2
    except Unsupported as e:
        print(unsupported_text(e), file=sys.stderr)
        return 2
    except TooLarge as e:
        print(f"[wasmjit] Error: {e}", file=sys.stderr)
        return 3
    except OSError as e:
        print(f"[wasmjit] Error: cannot record the run: {e}", file=sys.stderr)
        return 2
    for w in sim.elab.warnings:
        sim.say(f"Warning: {w}")
    if options.analyze:
        from wasmjit.sched.statistics import analysis

        print_lines(sim, analysis(sim))
        return 0
    if options.verbose:
        describe(sim, read_s)
    if recorder is not None:
        recorder.attach(sim)
    if len(sim.elab.tops) > 1:
        sim.say(f"Simulating {len(sim.elab.tops)} top modules: {', '.join(t.name for t in sim.elab.tops)}")
    sim.say(f"Found {len(sim.elab.processes)} LLHD processes")
    sim.say(f"Registered {sum(n.kind == 'signal' for n in sim.elab.nets)} LLHD signals and {len(sim.elab.processes)} LLHD processes")
    return supervise(sim, recorder)


def supervise(sim: Simulation, recorder: Recording | None) -> int:
    """Run with progress, limits and sampling; then everything that was asked for is written, however the run ended."""
    options = sim.options

    def last_resort(cause: str) -> None:
        """Compiled code does not come back: write what can be written without it and leave."""
        sim.stopped()
        code = finish(sim, watch, recorder, usable=False)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    sample = bool(options.profile or options.report or recorder)
    watch = Watch(
        sim,
        timeout=options.timeout,
        period=0.001 if options.profile else 0.02,
        sample=sample,
        progress=options.progress,
        on_progress=recorder.progress if recorder else None,
        last_resort=last_resort,
    )
    try:
        with watch:
            sim.say("Starting simulation")
            with_stack(sim.engine, watch.run, sim.run, on_interrupt=lambda: interrupt(sim, watch))
    except KeyboardInterrupt:
        if watch.run_thread:
            last_resort("interrupted")
        if sim.outcome.reason != "interrupted":
            sim.stop_cause = "interrupted"
            sim.stopped()
        sim.outcome.exit_code = 130
    except OutputError as e:
        print(f"[wasmjit] Error: {e}", file=sys.stderr)
        return 2
    return finish(sim, watch, recorder)


def interrupt(sim: Simulation, watch: Watch) -> None:
    """Ctrl-C: ask the run to end, and see to it that it does."""
    sim.ask_stop("interrupted")
    if watch.thread is None:
        watch.timeout = watch.timeout or float("inf")
        watch.__enter__()


def finish(sim: Simulation, watch: Watch, recorder: Recording | None, usable: bool = True) -> int:
    """Closing lines, waveforms, reports, statistics; the exit status. `usable`: the wasm store may still be called."""
    outcome, options = sim.outcome, sim.options
    complete = not outcome.faulted and not outcome.limit and outcome.exit_code != 130
    if usable:
        sim.finish_outputs()
    if options.fail_on_deopt:
        for line in sim.telemetry.check_strict():
            sim.say(f"Error: {line}" if options.quiet else line)
            outcome.exit_code = 1
    if sim.governor is not None and sim.governor.force.unmatched:
        sim.say(f"Warning: --force-deopt: no compiled process is called {sim.governor.force.pattern}")
    if complete:
        sim.say(f"Simulation completed at time {outcome.final_time_fs} fs")
    if options.sim_stats:
        from wasmjit.sched.statistics import sim_stats

        print_lines(sim, sim_stats(sim))
    if complete:
        sim.say("Simulation completed")
    if options.process_stats:
        from wasmjit.sched.statistics import process_stats

        print_lines(sim, process_stats(sim, options.process_stats_top))
    if options.op_stats:
        from wasmjit.sched.statistics import op_stats

        print_lines(sim, op_stats(sim, options.op_stats_top))
    if options.verbose >= 2:
        print_lines(sim, decisions(sim))
    outcome.total_wall_ms = (time.perf_counter() - sim.started) * 1e3
    write_reports(sim, watch, recorder)
    if outcome.exit_code:
        sim.say(f"Simulation finished with exit code {outcome.exit_code}")
    return outcome.exit_code


def write_reports(sim: Simulation, watch: Watch, recorder: Recording | None) -> None:
    """--jit-report, --jit-timeline, --coverage, --profile and the recorded run. A file that cannot be written is an error of the run (exit status 2)."""
    options, outcome = sim.options, sim.outcome
    if not (options.profile or options.timeline or options.report or options.coverage or options.trace_drivers or recorder is not None):
        return
    from wasmjit.report.json_report import build_report, write_report, write_text_atomically
    from wasmjit.report.perfetto import write_timeline
    from wasmjit.sched.statistics import fill_processes, report_data

    fill_processes(sim)
    watch.note_tier_times()
    try:
        if options.profile == "-":
            print_lines(sim, watch.profile_lines())
        elif options.profile:
            write_text_atomically(options.profile, "\n".join(watch.profile_lines()) + "\n")
        if options.coverage:
            from wasmjit.runtime.moore.coverage_export import coverage_data, coverage_file

            write_text_atomically(options.coverage, coverage_file(coverage_data(sim.runtime.host.coverage), options.coverage))
        if options.timeline:
            write_timeline(options.timeline, sim.telemetry, end_fs=outcome.final_time_fs, end_ns=round(outcome.run_wall_ms * 1e6))
        if options.report:
            write_report(options.report, build_report(report_data(sim)))
        if sim.tracing is not None:
            sim.tracing.write_drivers()
        if recorder is not None:
            recorder.finish(build_report(report_data(sim)))
    except (OSError, WaveError) as e:
        print(f"[wasmjit] Error: cannot write the report: {e}", file=sys.stderr)
        outcome.exit_code = outcome.exit_code or 2


def print_lines(sim: Simulation, lines: list[str]) -> None:
    """Lines the user asked for: also with -q."""
    sim.runtime.flush()
    for line in lines:
        sim.stderr(f"[wasmjit] {line}")


def describe(sim: Simulation, read_s: float) -> None:
    """-v: sizes and set-up times."""
    elab = sim.elab
    sim.say(f"Read in {read_s * 1e3:.0f} ms, elaborated and laid out in {(time.perf_counter() - sim.started) * 1e3:.0f} ms")
    sim.say(
        f"Tops {', '.join(t.name for t in elab.tops)}: {len(elab.instances)} instances of {len(elab.definitions)} modules, {len(elab.nets)} nets, "
        f"{len(elab.processes)} processes, {len(elab.regions)} regions in {elab.level_count} levels, {sim.heap_base} bytes"
    )
    for loop in elab.loops:
        names = ", ".join(f"{elab.regions[i].instance.path}: {elab.regions[i].region.name}" for i in loop[:4])
        sim.say(f"Warning: combinational loop through {names}")


def decisions(sim: Simulation) -> list[str]:
    """-v 2: what the governor did, at most 1000 lines."""
    t = sim.telemetry
    lines = [
        f"{e.kind} {e.process_name or e.definition} at {e.sim_time_fs} fs"
        + (f", tier {TIERS[e.tier]}" if e.kind != "deopt" else "")
        + (f", {e.bodies} bodies" if e.bodies else "")
        + (f": {e.detail}" if e.detail else "")
        for e in t.timeline[:1000]
    ]
    more = len(t.timeline) - len(lines) + t.dropped_events
    return [*lines, f"... and {more} more"] if more else lines
