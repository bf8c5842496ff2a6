"""Runs of the simulator itself, recorded for the page: what the browser tests look at.

All are recorded once per session, two at a time. `ROLES` says which features a run is there for.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FABRIC = "yosys/asicworld/code_specman_switch_fabric.mlir"


def wasmjit(*words: object, cwd: Path | None = None, code: int = 0, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command line; its exit status must be `code`."""
    done = subprocess.run(
        [sys.executable, "-m", "wasmjit", *map(str, words)], capture_output=True, text=True, check=False, cwd=cwd, env={**os.environ, **env}, stdin=subprocess.DEVNULL,
    )
    assert done.returncode == code, f"{words}: status {done.returncode}\n{done.stderr[-2000:]}"
    return done


def record_as(runs: Path, run_id: str, design: Path, *options: object, cwd: Path | None = None, code: int = 0) -> str:
    """Record a run under a given id."""
    wasmjit("run", design, "-q", "--record", runs, *options, cwd=cwd, code=code, WASMJIT_RUN_ID=run_id)
    return run_id


def record(server: Any, design: Path, *options: str) -> str:
    """Run the simulator with --record; the id of the new run."""
    before = {path.name for path in server.runs.iterdir()}
    wasmjit("run", design, "--record", server.runs, *options)
    (made,) = [path.name for path in server.runs.iterdir() if path.name not in before and path.name[0] != "."]
    return made


def history(root: Path, runs: Path, design: Path, budgets: tuple[int, ...] = (1, 3, 100_000)) -> dict[str, str]:
    """A repository with a commit per budget and a run of the design at each: how many bodies may be compiled."""
    repository = root / "repository"
    repository.mkdir()

    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false", *words], cwd=repository, check=True, capture_output=True)

    git("init", "-q")
    ids = {}
    for n, budget in enumerate(budgets):
        (repository / "budget").write_text(f"{budget}\n")
        git("add", "budget")
        git("commit", "-q", "--allow-empty", "-m", f"Budget {budget}")
        ids[f"history{n}"] = record_as(runs, f"20260101-00000{n}-picorv32_ez-compile", design, f"--jit-compile-budget={budget}", "--max-time=1000000000", cwd=repository)
    return ids


def icarus_dump(root: Path) -> Path:
    """A VCD that Icarus makes of examples/bus.sv."""
    wrapper = root / "dump.sv"
    dump = root / "icarus.vcd"
    wrapper.write_text(f'module dump; initial begin $dumpfile("{dump}"); $dumpvars(0, tb); end endmodule\n')
    (root / "units").write_text("+timescale+1ns/1fs\n")
    subprocess.run(["iverilog", "-g2012", "-c", str(root / "units"), "-s", "tb", "-s", "dump", "-o", str(root / "bus.vvp"), str(EXAMPLES / "bus.sv"), str(wrapper)], check=True, capture_output=True)
    subprocess.run(["vvp", "-n", str(root / "bus.vvp")], check=True, capture_output=True)
    return dump


def record_all(root: Path, runs: Path, shared: Path, budgets: tuple[int, ...] = (1, 3, 100_000)) -> dict[str, str]:
    """Record everything; run ids by role.

    pico: forced deopts in five processes. budget: bailouts. evict: every activation is compiled and evicted. sha_interpret, sha_compile: two modes. parity_*: the two
    runs of `wasmjit parity`. coverage: covergroups. bus: Z values and a net with two drivers. behave: branches of forks that drive one signal. fabric: six processes of
    one definition. failed, limit: other verdicts. no_waves: the dump went elsewhere. history0..2: three commits.
    """
    designs, sv = shared / "designs", shared / "conformance" / "sv"
    with tarfile.open(shared / "suites" / "yosys.tar.xz") as archive:
        archive.extract(FABRIC, root, filter="data")
    pico, sha, bus, behave = designs / "picorv32_ez.mlir", designs / "sha256.mlir", EXAMPLES / "bus.mlir", shared / "bench" / "behave.mlir"
    single: dict[str, tuple[Path, tuple[object, ...], int]] = {
        "pico": (pico, ("--force-deopt=every:5",), 0),
        "sha_compile": (sha, (), 0),
        "sha_interpret": (sha, ("--mode=interpret",), 0),
        "budget": (pico, ("--jit-compile-budget=2", "--max-time=1000000000"), 0),
        "evict": (behave, ("--jit-cache-policy=none", "+rounds=3"), 0),
        "behave": (behave, (), 0),
        "coverage": (sv / "coverage-event-implicit-sample.mlir", (), 0),
        "bus": (bus, (), 0),
        "fabric": (root / FABRIC, ("--force-deopt=all",), 0),
        "failed": (sv / "syscall-fatal.mlir", (), 1),
        "limit": (pico, ("--max-process-steps=500",), 3),
        "no_waves": (bus, (f"--vcd={root / 'elsewhere.vcd'}", "--mode=interpret"), 0),
    }
    ids = {}
    jobs: list[Callable[[], dict[str, str]]] = [lambda: history(root, runs, pico, budgets)]
    for n, (role, (design, options, code)) in enumerate(single.items()):
        mode = "interpret" if "--mode=interpret" in options else "compile"
        name = f"20260201-0000{n:02}-{role}-{mode}"
        jobs.append(lambda role=role, name=name, design=design, options=options, code=code: {role: record_as(runs, name, design, *options, code=code)})  # type: ignore[misc]
    with ThreadPoolExecutor(2) as pool:
        for made in pool.map(lambda job: job(), jobs):
            ids.update(made)
    before = {path.name for path in runs.iterdir()}
    wasmjit("parity", behave, "-o", root / "bundle", "--record", runs, "+rounds=20")
    for name in {path.name for path in runs.iterdir()} - before:
        ids["parity_interpret" if "-interpret-" in name else "parity_compile"] = name
    return ids
