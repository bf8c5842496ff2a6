"""`wasmjit parity`: interpret and compile mode side by side, every difference named."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from wasmjit.cli_run import add_run_options

OWN = frozenset(
    {
        "help", "mode", "vcd", "fst", "coverage", "trace", "trace_all", "jit_report", "jit_timeline", "record", "progress", "force_deopt", "op_stats", "process_stats",
        "sim_stats", "profile", "verbose", "quiet", "op_stats_top", "process_stats_top", "kernel",
    }
)  # fmt: skip
"""Options of `run` that parity sets itself or that have nothing to compare."""


def add_parser(subparsers: Any) -> None:
    p = subparsers.add_parser(
        "parity",
        help="run interpret and compile mode, compare everything, write a bundle",
        description="Run designs in both modes and compare exit status, output, messages, coverage and every value change. Takes the options of `run` too.",
    )
    p.add_argument("design", nargs="+", metavar="DESIGN", help="designs; each is a run of its own; +plusarg[=value] go to all")
    p.add_argument("-o", "--output", metavar="DIR", help="where the bundle goes (default: a temporary directory, kept when there is a difference)")
    p.add_argument("--jobs", type=int, default=1, metavar="N", help="designs at a time (1)")
    p.add_argument("--child-timeout", type=float, default=0.0, metavar="S", help="kill a run after this many seconds (0: never)")
    p.add_argument("--no-waves", action="store_true", help="do not compare value changes")
    p.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    add_run_options(p)


def passed_on(a: argparse.Namespace) -> list[str]:
    """The options of `run` on this command line, as arguments for the children."""
    p = argparse.ArgumentParser(add_help=False)
    add_run_options(p)
    out: list[str] = []
    for action in p._actions:
        value = getattr(a, action.dest, action.default)
        if action.dest in OWN or value == action.default or not action.option_strings:
            continue
        flag = action.option_strings[-1]
        if action.nargs == 0:
            out.append(flag)
        else:
            out += [f"{flag}={item}" for item in (value if isinstance(value, list) else [value])]
    return out + [f"+{text}" for text in a.plusargs]


def run(a: argparse.Namespace) -> int:
    """Run the subcommand: 0 equal, 1 different."""
    from wasmjit.parity import ParityJob, Verdict, run_many
    from wasmjit.progress import Bar
    from wasmjit.report.record import runs_directory, safe_name

    temporary = a.output is None
    root = Path(a.output or tempfile.mkdtemp(prefix="wasmjit-parity-"))
    options = passed_on(a)
    record = None if a.record is None else runs_directory(a.record)
    names: dict[str, int] = {}
    jobs = []
    for design in a.design:
        stem = safe_name(Path(design).stem)
        n = names[stem] = names.get(stem, 0) + 1
        bundle = root if len(a.design) == 1 else root / (stem if n == 1 else f"{stem}-{n}")
        jobs.append(ParityJob(design, bundle, options, a.force_deopt or "", a.child_timeout, not a.no_waves, record))
    try:
        root.mkdir(parents=True, exist_ok=True)
        with Bar(len(jobs), a.progress if a.progress is not None else len(jobs) > 1 and sys.stderr.isatty()) as bar:

            def done(job: ParityJob, verdict: Verdict) -> None:
                bar.clear()
                if not a.json:
                    print("\n".join(verdict.lines()), flush=True)
                bar.step(job.design)

            verdicts = run_many(jobs, a.jobs, done)
    except OSError as e:
        print(f"[wasmjit] Error: cannot write the bundle: {e}", file=sys.stderr)
        return 2
    different = [v for v in verdicts if not v.equal]
    if a.json:
        print(json.dumps([v.as_json() for v in verdicts], indent=2))
    if len(jobs) > 1:
        summary = {"designs": len(verdicts), "different": len(different), "verdicts": [{"design": v.design, "equal": v.equal, "differences_total": v.total} for v in verdicts]}
        (root / "verdict.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        if not a.json:
            print(f"{len(verdicts) - len(different)} of {len(verdicts)} designs are equal in both modes")
    if temporary and not different:
        import shutil

        shutil.rmtree(root)
    else:
        print(f"[wasmjit] Bundle in {root}", file=sys.stderr)
    return 1 if different else 0
