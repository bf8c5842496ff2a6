"""`wasmjit suite`: downstream suites in one or both modes."""

from __future__ import annotations

import argparse
import sys
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    p = subparsers.add_parser(
        "suite",
        help="run a downstream suite in one or both modes, write a bundle",
        description="Run a translated test suite (sv-tests, verilator-verification, yosys, opentitan, or a .tsv manifest) and judge every case.",
    )
    p.add_argument("suite", metavar="NAME|MANIFEST", help="name of a suite in --path, or a .tsv with the columns file type tags should_fail tops")
    p.add_argument("--path", default="../shared/suites", metavar="DIR", help="where the suites are (../shared/suites)")
    p.add_argument("--mode", choices=("interpret", "compile", "both"), default="compile", help="both: differences between the modes are failures too (compile)")
    p.add_argument("-o", "--output", metavar="DIR", help="bundle: results.json, junit.xml, output of what did not pass (default: suite-NAME)")
    p.add_argument("--filter", metavar="GLOB", help="only cases whose name matches")
    p.add_argument("--sample", type=int, default=0, metavar="N", help="every N-th case only")
    p.add_argument("--jobs", type=int, default=1, metavar="N", help="cases at a time (1)")
    p.add_argument("--timeout", type=float, default=20.0, metavar="S", help="per run (20)")
    p.add_argument("--max-time", type=int, default=10**12, metavar="FS", help="simulated time at which a test bench without end is stopped (1 ms)")
    p.add_argument("--force-deopt", metavar="SPEC", help="as in run")
    p.add_argument("-v", "--verbose", action="store_true", help="a line per case that did not pass")


def run(a: argparse.Namespace) -> int:
    """Run the subcommand: 0 when every case passed."""
    from wasmjit.progress import Bar
    from wasmjit.suite.judge import CaseResult
    from wasmjit.suite.manifest import SuiteError, load
    from wasmjit.suite.runner import Settings, run_suite, write_bundle

    with tempfile.TemporaryDirectory(prefix="wasmjit-suite-") as work:
        try:
            suite = load(a.suite, Path(a.path), Path(work))
        except SuiteError as e:
            print(f"wasmjit: error: {e}", file=sys.stderr)
            return 2
        cases = [c for c in suite.cases if a.filter is None or fnmatchcase(c.name, a.filter)]
        cases = cases[:: a.sample] if a.sample > 1 else cases
        if not cases:
            print("wasmjit: error: no case is left after --filter", file=sys.stderr)
            return 2
        options = [f"--force-deopt={a.force_deopt}"] if a.force_deopt else []
        settings = Settings(a.mode, Path(a.output or f"suite-{suite.name}"), a.timeout, a.max_time, a.jobs, options)
        with Bar(len(cases)) as bar:

            def done(r: CaseResult) -> None:
                if a.verbose and r.status != "pass":
                    bar.clear()
                    print(f"{r.status}: {r.case.name}: {r.reason}" + (f" ({r.details[0]})" if r.details else ""), flush=True)
                bar.step(r.case.name)

            results = run_suite(suite, cases, settings, done)
        data = write_bundle(suite, results, settings)
    t = data["totals"]
    print(f"{suite.name}, {a.mode}: {t['pass']} of {t['cases']} pass, {t['fail']} fail, {t['error']} errors, {t['skip']} skipped")
    for reason, n in list(data["reasons"].items())[:15]:
        print(f"  {n:4} {reason}")
    print(f"[wasmjit] Bundle in {settings.output}", file=sys.stderr)
    return 0 if t["pass"] == t["cases"] else 1
