"""Runs the whole command line on broken designs. As a script: `python tests/cli/robustness.py N [FIRST] [--jobs J]` tries N mutations."""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.mutate import mutate  # noqa: E402

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


def try_one(shared: Path, seed: int, mode: str, keep: Path | None = None) -> Problem | None:
    """Run one mutation; None when it ended as it should."""
    name = NAMES[seed % len(NAMES)]
    source = (shared / name).read_text(encoding="utf-8", errors="surrogateescape")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "broken.mlir"
        path.write_text(mutate(source, seed), encoding="utf-8", errors="surrogateescape")
        command = [
            sys.executable, "-m", "wasmjit", "run", str(path), f"--mode={mode}", "--timeout=4", "--max-time=10000000000", "--max-process-steps=20000", "--no-progress",
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=WALL_S, check=False, preexec_fn=limit_cpu)
        except subprocess.TimeoutExpired:
            return _problem(seed, name, f"does not end within {WALL_S:g} s", "", path, keep)
        err = done.stderr.decode("utf-8", "replace")
        if done.returncode not in GOOD:
            return _problem(seed, name, f"exit status {done.returncode}", err, path, keep)
        if "Traceback" in err:
            return _problem(seed, name, "traceback", err, path, keep)
    return None


def limit_cpu() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 2))


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
    a = p.parse_args()
    shared = Path(__file__).resolve().parents[3] / "shared"
    bad = 0
    with ThreadPoolExecutor(a.jobs) as pool:
        for found in pool.map(lambda seed: try_one(shared, seed, a.mode, a.keep), range(a.first, a.first + a.count)):
            if found is not None:
                bad += 1
                last = "\n    ".join(found.text.strip().splitlines()[-2:])
                print(f"seed {found.seed} ({found.name}): {found.what}\n    {last}", flush=True)
    print(f"{a.count - bad} of {a.count} mutations ended as they should")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
