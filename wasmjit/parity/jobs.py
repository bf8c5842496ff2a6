"""Parity runs of one or many designs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from wasmjit.data import dataclass, field
from wasmjit.parity.child import run_child, wasmjit_command
from wasmjit.parity.compare import MODES, Verdict, compare_runs
from wasmjit.report.record import RecordedRun, new_run_id, pair_up


@dataclass(slots=True)
class ParityJob:
    """`options`: further options of `wasmjit run`, plusargs included. `timeout`: seconds per run, 0 for none. `record`: directory of the dashboard's runs in which both runs are recorded."""

    design: str
    bundle: Path
    options: list[str] = field(default_factory=list)
    force_deopt: str = ""
    timeout: float = 0.0
    waves: bool = True
    record: Path | None = None


def run_parity(job: ParityJob) -> Verdict:
    """Run both modes, compare, write the bundle. Raises OSError when it cannot be written."""
    codes: dict[str, int] = {}
    late: list[str] = []
    runs: dict[str, RecordedRun] = {}
    for mode in MODES:
        folder = job.bundle / mode
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        args = ["run", job.design, f"--mode={mode}", "--no-progress", f"--jit-report={folder / 'report.json'}"]
        if job.record is not None:
            runs[mode] = RecordedRun(job.record, new_run_id(job.design, mode))
            args += [f"--record={job.record}", *(["--trace-all"] if job.waves else [])]
        elif job.waves:
            args += [f"--vcd={folder / 'waves.vcd'}", "--trace-all", f"--trace-drivers={folder / 'drivers.bin'}"]
        if mode == "compile" and job.force_deopt:
            args.append(f"--force-deopt={job.force_deopt}")
        env = {"WASMJIT_RUN_ID": runs[mode].run_id, "WASMJIT_RUN_KIND": "parity"} if mode in runs else None
        done = run_child(wasmjit_command(*args, *job.options), folder / "stdout", folder / "stderr", job.timeout, env=env)
        if mode in runs and job.waves:
            runs[mode].share("waves.vcd", folder)
            runs[mode].share("drivers.bin", folder)
        codes[mode] = done.exit_code
        if done.timed_out:
            late.append(mode)
    verdict = compare_runs(job.design, job.bundle, codes)
    for mode in late:
        verdict.add("exit status", *(("killed", None) if mode == MODES[0] else (None, "killed")), detail=f"{mode} did not end within {job.timeout:g} s")
    (job.bundle / "verdict.json").write_text(json.dumps(verdict.as_json(), indent=2) + "\n", encoding="utf-8", errors="surrogateescape")
    if runs:
        pair_up([runs[mode] for mode in MODES], verdict.as_json(), verdict.equal)
    return verdict


def run_many(jobs: Iterable[ParityJob], workers: int, on_done: Callable[[ParityJob, Verdict], None]) -> list[Verdict]:
    """All jobs, `workers` at a time, in any order; the verdicts are in the order of the jobs."""
    todo = list(jobs)
    results: dict[int, Verdict] = {}
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        waiting = {pool.submit(run_parity, job): n for n, job in enumerate(todo)}
        for done in as_completed(waiting):
            n = waiting[done]
            results[n] = done.result()
            on_done(todo[n], results[n])
    return [results[n] for n in range(len(todo))]
