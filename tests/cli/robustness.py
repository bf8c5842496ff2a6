"""Runs the whole command line on broken designs. As a script: `python tests/cli/robustness.py N [FIRST] [--jobs J]` tries N mutations.

Each run is a child forked from a process that has everything imported: 200 of them take the time of a few dozen processes.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.forked import command, run_forked  # noqa: E402
from tests.support.mutate import mutate, mutate_meaning  # noqa: E402

GOOD = (0, 1, 2, 3)
CPU_S = 10
"""Processor time a run may take; the wall-clock limit only catches what sleeps, since the machine may be busy."""
WALL_S = 120.0
NAMES = (
    "conformance/head/apb-clock-reset.mlir", "conformance/head/moore-wait-event.mlir", "conformance/head/op-stats.mlir",
    "conformance/head/process-cache-skip.mlir", "conformance/head/uart-clock-reset.mlir", "conformance/head/continuous-assignments.mlir",
    "conformance/head/module-port-connection.mlir", "conformance/jit-era/jit-process-fast-path-store-wait-self-loop.mlir", "designs/random/rnd100.mlir",
    "designs/random/rnd101.mlir", "designs/random/rnd105.mlir", "designs/random/rnd110.mlir", "bench/behave.mlir", "bench/lfsr.mlir", "bench/rv32.mlir",
    "bench/classes.mlir", "designs/sha256.mlir", "designs/aes.mlir", "designs/picorv32_ez.mlir", "bench/gates.mlir",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Problem:
    """A mutation that the command line did not survive."""

    seed: int
    name: str
    what: str
    text: str


def try_one(shared: Path, seed: int, mode: str, keep: Path | None = None, names: Sequence[str] = NAMES, change: Callable[[str, int], str] = mutate) -> Problem | int:
    """Run one mutation: its exit status, or what was wrong with its end."""
    name = names[seed % len(names)]
    source = (shared / name).read_text(encoding="utf-8", errors="surrogateescape")
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        path = folder / "broken.mlir"
        path.write_text(change(source, seed), encoding="utf-8", errors="surrogateescape")
        args = ["run", str(path), f"--mode={mode}", "--timeout=4", "--max-time=10000000000", "--max-process-steps=20000", "--no-progress"]
        done = run_forked(limited(command(args)), folder / "stdout", folder / "stderr", WALL_S, folder)
        err = (folder / "stderr").read_text(encoding="utf-8", errors="replace")
        if done.late:
            return _problem(seed, name, f"does not end within {WALL_S:g} s", err, path, keep)
        if done.code not in GOOD:
            return _problem(seed, name, f"exit status {done.code}", err, path, keep)
        if "Traceback" in err:
            return _problem(seed, name, "traceback", err, path, keep)
        if done.code and not err.strip():
            return _problem(seed, name, f"exit status {done.code} without a message", err, path, keep)
    return done.code


def limited(work: Callable[[], int]) -> Callable[[], int]:
    def run() -> int:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 2))
        return work()

    return run


def _problem(seed: int, name: str, what: str, text: str, path: Path, keep: Path | None) -> Problem:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{seed}.mlir").write_bytes(path.read_bytes())
    return Problem(seed, name, what, text)


def main() -> int:
    p = argparse.ArgumentParser()
    p.add_argument("count", type=int)
    p.add_argument("first", type=int, nargs="?", default=0)
    p.add_argument("--mode", default="interpret")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--keep", type=Path, help="where broken designs that cause trouble are kept")
    p.add_argument("--files", metavar="GLOB", help="mutate these files of the corpora instead of the usual ones, such as conformance/sv/*.mlir")
    p.add_argument("--meaning", action="store_true", help="mutations that leave the text well-formed, mostly")
    a = p.parse_args()
    shared = Path(__file__).resolve().parents[3] / "shared"
    names = sorted(str(f.relative_to(shared)) for f in shared.glob(a.files)) if a.files else NAMES
    bad = 0
    codes: Counter[int] = Counter()
    with ThreadPoolExecutor(a.jobs) as pool:
        for found in pool.map(lambda seed: try_one(shared, seed, a.mode, a.keep, names, mutate_meaning if a.meaning else mutate), range(a.first, a.first + a.count)):
            if isinstance(found, int):
                codes[found] += 1
            else:
                bad += 1
                last = "\n    ".join(found.text.strip().splitlines()[-2:])
                print(f"seed {found.seed} ({found.name}): {found.what}\n    {last}", flush=True)
    print(f"{a.count - bad} of {a.count} mutations ended as they should (" + ", ".join(f"status {c}: {n}" for c, n in sorted(codes.items())) + ")")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
