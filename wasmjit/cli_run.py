"""`wasmjit run`: simulate a design."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from typing import Any

from wasmjit.sched.forced import ACCEPTED, ForcedDeopts
from wasmjit.sched.options import RunOptions

ENV_NAMES = ("JIT_HOT_THRESHOLD", "JIT_COMPILE_BUDGET", "JIT_CACHE_POLICY", "JIT_FAIL_ON_DEOPT", "JIT_REPORT_PATH", "JIT_FORCE_DEOPT_REQUEST")

COLLECT_RARELY = (100_000, 50, 100)
"""Thresholds of the garbage collector. A design is millions of small objects that stay: looking through them again and again takes a quarter of
the time of a class-based design."""


def add_parser(subparsers: Any) -> None:
    p = subparsers.add_parser("run", help="simulate a design", description="Simulate a design. Arguments that begin with + are plusargs.")
    p.add_argument("design", nargs="+", metavar="DESIGN", help="textual MLIR (- for standard input), or SystemVerilog files if circt-verilog is on PATH; +plusarg[=value] ...")
    add_run_options(p)


def add_run_options(p: argparse.ArgumentParser) -> None:
    """Options that run and parity share."""
    p.add_argument("--top", action="append", default=[], metavar="NAME", help="top module (repeatable; default: the modules nobody instantiates)")
    p.add_argument("--mode", choices=("interpret", "compile", "analyze"), default=None, help="default: compile; analyze: print what the design consists of")
    p.add_argument("--max-time", type=natural, default=0, metavar="FS", help="stop before events later than this (fs)")
    p.add_argument("--max-cycles", type=natural, default=0, metavar="N", help="stop after N time steps")
    p.add_argument("--max-deltas", type=natural, default=10000, metavar="N", help="delta cycles per time step (10000; 0: no limit)")
    p.add_argument("--max-process-steps", type=natural, default=0, metavar="N", help="process activations of the whole run, and as many turns of loops")
    p.add_argument("--timeout", type=float, default=0.0, metavar="S", help="wall-clock limit in seconds")
    p.add_argument("--seed", type=integer, default=0, metavar="N", help="of everything random in the run (0)")
    p.add_argument("--vcd", metavar="FILE", help="write value changes as VCD")
    p.add_argument("--fst", metavar="FILE", help="write value changes as FST")
    p.add_argument("--coverage", metavar="FILE", help="write functional coverage: JSON, Cobertura (.xml), UCIS (.ucis) or text, by suffix")
    p.add_argument("--trace", action="append", default=[], metavar="SIGNAL", help="signals to record (glob, repeatable)")
    p.add_argument("--trace-all", action="store_true", help="record every signal, unnamed wires included")
    p.add_argument("--trace-drivers", metavar="FILE", help="with --vcd or --fst: write which process or logic drove each recorded signal, at any time (--record does so by itself)")
    p.add_argument("--jit-hot-threshold", type=str, default=None, metavar="N", help="activations before a process is compiled (1)")
    p.add_argument("--jit-compile-budget", type=str, default=None, metavar="N", help="bodies that may be compiled (100000; 0 none; -1 unlimited)")
    p.add_argument("--jit-cache-policy", type=str, default=None, metavar="P", help="memory (default), none or disk")
    p.add_argument("--jit-fail-on-deopt", action="store_true", default=None, help="strict mode: any deopt or bailout fails the run")
    p.add_argument("--jit-report", metavar="PATH", default=None, help="write the JSON report")
    p.add_argument("--jit-timeline", metavar="PATH", default=None, help="write the timeline: Chrome/Perfetto JSON, or VCD by suffix")
    p.add_argument("--gc-stress", action="store_true", help="collect garbage at every opportunity and overwrite what is freed (finds errors of the collector; slow)")
    p.add_argument("--force-deopt", metavar="SPEC", default=None, help="all, every:N or process:NAME (glob): force deopts at resume points")
    p.add_argument("--sim-stats", action="store_true", help="counters of the event kernel at the end")
    p.add_argument("--process-stats", action="store_true", help="per process: interpreted operations (steps), activations, tier")
    p.add_argument("--op-stats", action="store_true", help="executed operations by name (counted by the interpreter: the run is in interpret mode)")
    p.add_argument("--op-stats-top", type=natural, default=20, metavar="N", help="rows of --op-stats (20; 0: all)")
    p.add_argument("--process-stats-top", type=natural, default=20, metavar="N", help="rows of --process-stats (20; 0: all)")
    p.add_argument("--profile", nargs="?", const="-", default=None, metavar="F", help="sample which process runs; table to standard error or to a file")
    p.add_argument("--parallel", type=natural, default=0, metavar="N", help="compile threads")
    p.add_argument("--frontend-arg", action="append", default=[], metavar="ARG", help="argument for circt-verilog")
    p.add_argument("--allow-read", action="append", default=[], metavar="DIR", help="directory the design may read in a sandbox (repeatable)")
    p.add_argument("--allow-write", action="append", default=[], metavar="DIR", help="directory the design may write in a sandbox (repeatable)")
    p.add_argument("--allow-system", action="store_true", help="let the design run shell commands ($system)")
    p.add_argument("--max-memory", type=natural, default=1 << 31, metavar="BYTES", help="linear memory of the design")
    p.add_argument("--skip-passes", action="store_true", help="accepted for circt-sim's sake")
    p.add_argument("--record", nargs="?", const="", default=None, metavar="DIR", help="record the run for the dashboard")
    p.add_argument("--kernel", choices=("wasm",), default="wasm", help=argparse.SUPPRESS)
    p.add_argument("-v", "--verbose", dest="verbose", nargs="?", const=1, default=0, type=natural, metavar="N", help="1: sizes and times of the set-up; 2: every decision of the governor")
    p.add_argument("-q", "--quiet", action="store_true", help="only errors")
    p.add_argument("--progress", action=argparse.BooleanOptionalAction, default=None, help="progress line on standard error (default: on a terminal)")


def natural(text: str) -> int:
    n = int(text, 0)
    if n < 0:
        raise argparse.ArgumentTypeError(f"expected a number that is not negative but got {text}")
    return n


def integer(text: str) -> int:
    return int(text, 0)


def setting(name: str) -> tuple[str, str] | None:
    """(variable, value) of an environment setting: WASMJIT_ beats CIRCT_SIM_."""
    for prefix in ("WASMJIT_", "CIRCT_SIM_"):
        value = os.environ.get(prefix + name)
        if value:
            return prefix + name, value
    return None


def choose(flag: str | None, option: str, name: str, default: Any, parse: Any, accepted: str, more: str = "") -> Any:
    """A flag beats the environment; an invalid value is a warning that names the accepted ones (`more`: those circt-sim does not have), and the default is used."""
    source, text = option, flag
    if text is None:
        env = setting(name)
        if env is None:
            return default
        source, text = env
    try:
        return parse(text)
    except ValueError:
        print(f"[wasmjit] Warning: invalid {source}='{text}' (expected {accepted}); using '{default}'{more}", file=sys.stderr)
        return default


def policy(text: str) -> str:
    if text not in ("memory", "none", "disk"):
        raise ValueError(text)
    return text


def truth(text: str) -> bool:
    t = text.lower()
    if t in ("1", "true", "yes", "on"):
        return True
    if t in ("0", "false", "no", "off"):
        return False
    raise ValueError(text)


def forced_deopts(text: str) -> str:
    ForcedDeopts.parse(text)
    return text


def threshold(text: str) -> int:
    n = int(text, 0)
    if n < 0:
        raise ValueError(text)
    return n


def budget(text: str) -> int:
    n = int(text, 0)
    if n < -1:
        raise ValueError(text)
    return n


def run_options(a: argparse.Namespace) -> tuple[list[str], RunOptions]:
    """(design files, options) of a parsed command line."""
    files = list(a.design)
    if a.op_stats and a.mode == "compile":
        print("[wasmjit] Warning: --op-stats counts what the interpreter executes: nothing is compiled in this run", file=sys.stderr)
    force = choose(a.force_deopt, "--force-deopt", "FORCE_DEOPT", "", forced_deopts, ACCEPTED)
    request = setting("JIT_FORCE_DEOPT_REQUEST")
    if not force and request is not None and request[1] not in ("0", "false", ""):
        force = "once"
    o = RunOptions(
        mode="interpret" if a.op_stats or a.mode == "analyze" else a.mode or "compile",
        analyze=a.mode == "analyze",
        tops=a.top,
        max_time=a.max_time,
        max_cycles=a.max_cycles,
        max_deltas=a.max_deltas,
        max_process_steps=a.max_process_steps,
        timeout=a.timeout,
        seed=a.seed,
        plusargs=a.plusargs,
        vcd=a.vcd,
        fst=a.fst,
        coverage=a.coverage,
        trace=a.trace,
        trace_all=a.trace_all,
        trace_drivers=a.trace_drivers,
        hot_threshold=choose(a.jit_hot_threshold, "--jit-hot-threshold", "JIT_HOT_THRESHOLD", 1, threshold, "a number that is not negative"),
        compile_budget=choose(a.jit_compile_budget, "--jit-compile-budget", "JIT_COMPILE_BUDGET", 100000, budget, "a number, -1 for unlimited"),
        cache_policy=choose(a.jit_cache_policy, "--jit-cache-policy", "JIT_CACHE_POLICY", "memory", policy, "'memory' or 'none'", " ('disk' is accepted too)"),
        fail_on_deopt=bool(a.jit_fail_on_deopt) or choose(None, "", "JIT_FAIL_ON_DEOPT", False, truth, "0 or 1, true or false, yes or no, on or off"),
        report=a.jit_report or (setting("JIT_REPORT_PATH") or ("", None))[1],
        timeline=a.jit_timeline,
        force_deopt=force,
        gc_stress=a.gc_stress,
        op_stats=a.op_stats,
        op_stats_top=a.op_stats_top,
        process_stats=a.process_stats,
        process_stats_top=a.process_stats_top,
        sim_stats=a.sim_stats,
        profile=a.profile,
        verbose=a.verbose,
        quiet=a.quiet,
        progress=a.progress if a.progress is not None else sys.stderr.isatty() and not a.quiet,
        allow_read=a.allow_read,
        allow_write=a.allow_write,
        allow_system=a.allow_system,
        max_memory=a.max_memory,
    )
    return files, o


def run(a: argparse.Namespace) -> int:
    from wasmjit.sched.session import run_design

    files, options = run_options(a)
    if not files:
        print("wasmjit: error: no design given", file=sys.stderr)
        return 2
    if options.trace_drivers and not options.vcd and not options.fst and a.record is None:
        print("[wasmjit] Warning: --trace-drivers says who drove the signals of a waveform: it needs --vcd or --fst", file=sys.stderr)
    thresholds = gc.get_threshold()
    gc.set_threshold(*COLLECT_RARELY)
    gc.disable()  # until the run begins: what the set-up makes stays
    try:
        return run_design(files, options, frontend_args=a.frontend_arg, record=a.record)
    finally:
        gc.enable()
        gc.set_threshold(*thresholds)
