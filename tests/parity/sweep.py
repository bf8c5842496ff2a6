"""Interpret against compile mode over everything: output, exit status, messages, coverage and every value change, also with forced deopts.

    python -m tests.parity.sweep [SET ...] [--variants plain,all,every:7] [--only TEXT] [--jobs N] [--timeout S] [--keep DIR]
    python -m tests.parity.sweep --strict [SET ...]

SET: designs random bench head jit-era sv (default: all). With --strict each case runs once in strict mode, and the causes of deopts and bailouts
are ranked. Exit status 1 when anything differs (with --strict: when a case had a deopt).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from tests.parity.corpus import SETS, Case, cases
from tests.support.forked import command, run_forked
from wasmjit.parity import Verdict, compare_runs

T = TypeVar("T")
VARIANTS = ("plain", "all", "every:7")
LIMITS_FS = (1_000_000_000, 1_000_000, 10_000)
"""--max-time of further tries of designs that do not end."""


def one(case: Case, mode: str, folder: Path, timeout: float, extra: list[str]) -> int:
    """Run a case in a fresh directory of its own that has the same name for all runs of the case; returns the exit status."""
    if folder.exists():
        shutil.rmtree(folder)
    work = folder.parent.parent / "work"
    shutil.rmtree(work, ignore_errors=True)
    for d in (folder, work):
        d.mkdir(parents=True)
    args = ["run", str(case.design), f"--mode={mode}", "--no-progress", f"--jit-report={folder / 'report.json'}", *case.options, *extra]
    return run_forked(command(args), folder / "stdout", folder / "stderr", timeout, work, case.env).code


def parity(case: Case, root: Path, variants: list[str], timeout: float, extra: list[str]) -> dict[str, Verdict]:
    """Verdict per variant."""
    base = root / "interpret"
    waves = [f"--vcd={root / 'waves.vcd'}", "--trace-all"]

    def run(mode: str, folder: Path, more: list[str]) -> int:
        code = one(case, mode, folder, timeout, [*waves, *extra, *more])
        if (root / "waves.vcd").exists():
            (root / "waves.vcd").rename(folder / "waves.vcd")
        return code

    first = run("interpret", base / "interpret", [])
    out: dict[str, Verdict] = {}
    for v in variants if first >= 0 else ():
        folder = root / v.replace(":", "_")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "interpret").symlink_to(base / "interpret")
        code = run("compile", folder / "compile", [] if v == "plain" else [f"--force-deopt={v}"])
        out[v] = compare_runs(str(case.design), folder, {"interpret": first, "compile": code})
    return out


def late(verdicts: dict[str, Verdict]) -> bool:
    """Whether a run was killed."""
    return not verdicts or any(r["exit_code"] < 0 for v in verdicts.values() for r in v.runs.values())


def sweep_parity(todo: list[Case], a: argparse.Namespace, root: Path) -> int:
    variants = a.variants.split(",")
    bad: list[str] = []
    signals = changes = runs = 0
    unfinished: list[str] = []
    codes: Counter[int] = Counter()

    def work(case: Case) -> tuple[Case, dict[str, Verdict], int]:
        place = root / case.name.replace("/", "__").replace("#", "_")
        verdicts = parity(case, place, variants, a.timeout, [])
        again = 0
        for limit in LIMITS_FS:
            if not late(verdicts):
                break
            again = limit
            shutil.rmtree(place)
            verdicts = parity(case, place, variants, a.timeout, [f"--max-time={limit}"])
        if all(v.equal for v in verdicts.values()) and a.keep is None:
            shutil.rmtree(place)
        return case, verdicts, again

    for case, verdicts, again in done(work, todo, a.jobs):
        if again:
            unfinished.append(f"{case.name}, cut at {again} fs")
        for name, v in verdicts.items():
            runs += 1
            codes.update(r["exit_code"] for r in v.runs.values())
            signals += v.signals_compared
            changes += v.value_changes_compared
            if not v.equal:
                bad.append(f"{case.name} {name}")
                print(f"{case.name} [{name}] " + "\n".join(v.lines(6)), flush=True)
    print(f"{len(todo)} cases, {runs} comparisons, {signals} signals and {changes} value changes compared, {len(bad)} differences; {len(unfinished)} cut")
    print("  exit statuses: " + ", ".join(f"{code}: {n}" for code, n in sorted(codes.items())))
    for name in unfinished:
        print(f"  no end of its own: {name}")
    for name in bad:
        print(f"  different: {name}")
    return 1 if bad else 0


def sweep_strict(todo: list[Case], a: argparse.Namespace, root: Path) -> int:
    causes: Counter[str] = Counter()
    examples: dict[str, str] = {}
    clean = 0
    failed: list[str] = []

    def work(case: Case) -> tuple[Case, int, list[str]]:
        place = root / case.name.replace("/", "__").replace("#", "_")
        strict = ["--jit-fail-on-deopt", "--jit-hot-threshold=1"]
        folder = place / "strict" / "compile"  # `one` works in a directory two above, which must be the case's own
        code = one(case, "compile", folder, a.timeout, strict)
        for limit in LIMITS_FS:
            if code >= 0:
                break
            code = one(case, "compile", folder, a.timeout, [*strict, f"--max-time={limit}"])
        report = folder / "report.json"
        jit = json.loads(report.read_text())["jit"] if report.exists() else {}
        rows = [f"{d['reason']} {d.get('detail', '')}" for d in jit.get("jit_deopt_processes", [])]
        shutil.rmtree(place)
        return case, code, rows

    for case, code, rows in done(work, todo, a.jobs):
        if code < 0 or code == 70:
            failed.append(f"{case.name} (exit {code})")
        clean += not rows
        for row in set(rows):
            causes[row] += 1
            examples.setdefault(row, case.name)
    print(f"{clean} of {len(todo)} cases without deopts and bailouts ({100 * clean / max(1, len(todo)):.1f} %)")
    for row, n in causes.most_common():
        print(f"  {n:4} {row}  e.g. {examples[row]}")
    for name in failed:
        print(f"  did not end: {name}")
    return 0 if clean == len(todo) and not failed else 1


def done(work: Callable[[Case], T], todo: list[Case], jobs: int) -> Iterator[T]:
    """Results of `work` in order."""
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(work, todo)


def main() -> int:
    p = argparse.ArgumentParser(description="Interpret against compile mode over the corpora.")
    p.add_argument("sets", nargs="*", metavar="SET", help=" ".join(SETS))
    p.add_argument("--variants", default=",".join(VARIANTS))
    p.add_argument("--only", default="", help="cases whose name contains this text")
    p.add_argument("--jobs", type=int, default=1)
    p.add_argument("--timeout", type=float, default=60.0, help="seconds per run")
    p.add_argument("--keep", type=Path, help="directory for the files of all runs")
    p.add_argument("--strict", action="store_true")
    a = p.parse_args()
    root = a.keep or Path(tempfile.mkdtemp(prefix="wasmjit-sweep-"))
    todo = [c for c in cases(a.sets or list(SETS), "out") if a.only in c.name]
    try:
        return sweep_strict(todo, a, root) if a.strict else sweep_parity(todo, a, root)
    finally:
        if a.keep is None:
            shutil.rmtree(root)


if __name__ == "__main__":
    sys.exit(main())
