"""Runs the conformance corpus with lit and compares the failures with known_failures.txt, which must be exact: an unexpected pass fails too.

    python tests/conformance/check.py [--mode interpret|compile] [--update] [PART...]

A line of known_failures.txt: `MODE TEST — what is missing`, MODE one of interpret, compile, both. Tests named in the corpus' superseded.txt are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORPUS = HERE.parents[2] / "shared" / "conformance"
KNOWN = HERE / "known_failures.txt"
MODES = ("interpret", "compile")
HEADER = "# MODE TEST — what is missing. Checked by check.py: a failure that is not here and a pass that is here are both errors.\n"


def read_known() -> dict[tuple[str, str], str]:
    """(mode, test) -> reason."""
    out: dict[tuple[str, str], str] = {}
    for line in KNOWN.read_text(encoding="utf-8").splitlines() if KNOWN.exists() else []:
        if line.strip() and not line.startswith("#"):
            head, _, reason = line.partition(" — ")
            mode, test = head.split(None, 1)
            for m in MODES if mode == "both" else (mode,):
                out[m, test.strip()] = reason.strip()
    return out


def write_known(known: dict[tuple[str, str], str]) -> None:
    lines = []
    for test in sorted({t for _, t in known}):
        modes = [m for m in MODES if (m, test) in known]
        reasons = list(dict.fromkeys(known[m, test] for m in modes))
        if len(modes) == 2 and len(reasons) == 1:
            lines.append(f"both {test} — {reasons[0]}")
        else:
            lines += [f"{m} {test} — {known[m, test]}" for m in modes]
    KNOWN.write_text(HEADER + "".join(line + "\n" for line in lines), encoding="utf-8")


def superseded() -> set[str]:
    lines = (CORPUS / "superseded.txt").read_text(encoding="utf-8").splitlines()
    return {line.split(" — ")[0].strip() for line in lines if line.strip() and not line.startswith("#")}


def run_lit(mode: str, parts: list[str], jobs: int, timeout: int) -> dict[str, str]:
    """Test -> lit's result code (PASS, FAIL, TIMEOUT, UNRESOLVED, ...)."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "lit.json"
        lit = Path(sys.executable).with_name("lit")
        env = {**os.environ, "WASMJIT_MODE": mode, "CONFORMANCE_OUT": folder, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        command = [str(lit), "-q", f"-j{jobs}", f"--timeout={timeout}", "-o", str(out), *[str(CORPUS / p) for p in parts]]
        subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        data = json.loads(out.read_text())
    return {t["name"].split(" :: ", 1)[1]: t["code"] for t in data["tests"]}


def main() -> int:
    p = argparse.ArgumentParser(description="Run the conformance corpus and compare with the known failures.")
    p.add_argument("parts", nargs="*", default=["head", "jit-era", "sv"], help="head, jit-era, sv")
    p.add_argument("--mode", choices=MODES, action="append", help="default: both")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--timeout", type=int, default=120, help="seconds per test")
    p.add_argument("--update", action="store_true", help="write the failures of this run to known_failures.txt (reasons are kept)")
    a = p.parse_args()
    parts = a.parts or ["head", "jit-era", "sv"]
    known = read_known()
    skipped = superseded()
    bad = 0
    for mode in a.mode or MODES:
        results = {t: c for t, c in run_lit(mode, parts, a.jobs, a.timeout).items() if t not in skipped}
        failed = {t for t, c in results.items() if c not in ("PASS", "XFAIL", "UNSUPPORTED")}
        expected = {t for m, t in known if m == mode and t in results}
        print(f"{mode}: {len(results) - len(failed)} of {len(results)} pass, {len(failed)} fail ({len(expected)} known)")
        if a.update:
            for key in [k for k in known if k[0] == mode and k[1] in results]:
                if key[1] not in failed:
                    del known[key]
            for t in failed:
                known.setdefault((mode, t), known.get(("interpret", t), "to be looked at"))
            continue
        for t in sorted(failed - expected):
            print(f"  fails: {t} ({results[t]})")
        for t in sorted(expected - failed):
            print(f"  passes, but is listed as failing: {t}")
        bad += len(failed ^ expected)
    if a.update:
        write_known(known)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
