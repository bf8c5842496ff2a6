"""The run directory: what a recorded run leaves on disk for the dashboard and for scripts.

``RUNS/<id>/`` holds::

    run.json        metadata (RUN_FIELDS below); rewritten when the run ends
    progress.json   the same counters while the run goes on; replaced in place, at most a few times a second
    report.json     the JSON report (`--jit-report`) with its further keys: processes, deopts, timeline, drivers
    waves.vcd|fst   value changes, if the run dumped any
    drivers.bin     which process or logic changed each signal, at any time (`wasmjit.report.drivers`)
    stdout.txt      what the design printed, byte for byte
    stdout.idx      16 bytes per write, little endian: u64 byte offset, u64 simulation time in fs
    design.mlir     the design as it was read
    code/           the WebAssembly modules the run compiled, N.wasm.gz, and index.json: which bodies are in which
    verdict.json    for runs of `wasmjit parity`: the differences found

Every JSON file is written to a temporary name and renamed, so a reader never sees half of one. Nothing here
reads the directory back: that is the business of the dashboard (`wasmjit_api.store`).
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import struct
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from wasmjit.report.telemetry import CodeModule

__all__ = ["RUN_FIELDS", "CodeModule", "RecordedRun", "RunRecorder", "new_run_id", "pair_up", "runs_directory", "safe_name", "tier_mix_of"]

SCHEMA_VERSION = 1

#: Fields of run.json. `status` is running | finished | aborted; `verdict` is pass | fail | limit | error | different | running;
#: `pair` is the id of the run of the other mode in a parity run; times are fs of simulation and ms of wall clock; `tier_mix` maps tier name -> share of process run time (0..1).
RUN_FIELDS = (
    "schema_version", "id", "kind", "design", "design_path", "top", "mode", "status", "verdict", "exit_code", "created", "finished",
    "final_time_fs", "run_wall_ms", "total_wall_ms", "compiles_total", "deopts_total", "tier_mix", "coverage", "commit", "argv", "pid",
    "waves", "pair", "message",
)

_INDEX_ENTRY = struct.Struct("<QQ")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_PROGRESS_INTERVAL_S = 0.25


def safe_name(name: str, limit: int = 80) -> str:
    """`name` reduced to characters that are a file name everywhere; never empty, never hidden."""
    return _UNSAFE.sub("_", name).strip("._")[:limit] or "unnamed"


def write_json(path: Path, value: Any) -> None:
    """Write `value` so that a concurrent reader sees the old file or the new one, never a part. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8", errors="surrogateescape")
    os.replace(temporary, path)


def verdict_of(exit_code: int) -> str:
    """The one-word verdict of an exit code of `wasmjit run`."""
    return {0: "pass", 1: "fail", 2: "error", 3: "limit"}.get(exit_code, "error")


def commit_of(directory: Path) -> str | None:
    """The git commit (short) that `directory` is checked out at, or None outside a repository or without git."""
    try:
        done = subprocess.run(["git", "-C", str(directory), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def runs_directory(name: str = "") -> Path:
    """Where runs are recorded: as named, else $WASMJIT_RUNS, else ./runs."""
    return Path(name or os.environ.get("WASMJIT_RUNS") or "runs")


def new_run_id(design: str, mode: str, moment: datetime | None = None) -> str:
    """A name for a run that begins now: date and time, design, mode, four random digits."""
    return f"{moment or datetime.now(UTC):%Y%m%d-%H%M%S}-{safe_name(Path(design).stem, 40)}-{mode}-{uuid.uuid4().hex[:4]}"


class RecordedRun:
    """A run that another process records, or has recorded. Its directory may be missing: the design could not be read."""

    def __init__(self, runs_dir: Path, run_id: str) -> None:
        self.run_id = run_id
        self.directory = runs_dir / run_id

    def share(self, name: str, folder: Path) -> None:
        """Have a file of the run in another folder too, if the run has it: a link where the file system allows it. Raises OSError."""
        source = self.directory / name
        if not source.is_file():
            return
        try:
            os.link(source, folder / name)
        except OSError:
            shutil.copyfile(source, folder / name)


def pair_up(runs: Sequence[RecordedRun], verdict: Mapping[str, Any], equal: bool) -> None:
    """Mark two finished runs as those of one parity run, with what the comparison found. Raises OSError."""
    known = [run for run in runs if (run.directory / "run.json").is_file()]
    for run in known:
        path = run.directory / "run.json"
        meta = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
        meta["pair"] = next((other.run_id for other in known if other is not run), None)
        if not equal:
            meta["verdict"] = "different"
        write_json(run.directory / "verdict.json", dict(verdict))
        write_json(path, meta)


class RunRecorder:
    """Writes one run directory. Raises OSError when the directory cannot be written.

    Usage::

        with RunRecorder(Path("runs"), design="sha256.mlir", mode="compile") as record:
            record.copy_design(Path("sha256.mlir"))
            simulate(vcd=record.waves_path("vcd"), stdout=record.stdout, progress=record.progress)
            record.finish(report, exit_code=0)

    Leaving the block by an exception marks the run as aborted.
    """

    def __init__(
        self,
        runs_dir: Path,
        *,
        design: str,
        mode: str,
        kind: str = "run",
        top: Sequence[str] = (),
        argv: Sequence[str] = (),
        run_id: str | None = None,
        commit: str | None = None,
        pair: str | None = None,
        created: datetime | None = None,
    ) -> None:
        moment = created or datetime.now(UTC)
        self.run_id = run_id or new_run_id(design, mode, moment)
        self.directory = runs_dir / self.run_id
        self.directory.mkdir(parents=True)
        self.meta: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION, "id": self.run_id, "kind": kind, "design": safe_name(Path(design).stem, 40), "design_path": design, "top": list(top), "mode": mode,
            "status": "running", "verdict": "running", "exit_code": None, "created": moment.isoformat(timespec="seconds"), "finished": None,
            "final_time_fs": 0, "run_wall_ms": 0.0, "total_wall_ms": 0.0, "compiles_total": 0, "deopts_total": 0, "tier_mix": {}, "coverage": None,
            "commit": commit, "argv": list(argv), "pid": os.getpid(), "waves": None, "pair": pair, "message": None,
        }
        self._offset = 0
        self._last_progress = float("-inf")
        self._text = (self.directory / "stdout.txt").open("wb")
        self._index = (self.directory / "stdout.idx").open("wb")
        self._write_meta()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if self.meta["status"] == "running":
            self.abort(str(error) if error is not None else "the run ended without a report")

    def _write_meta(self) -> None:
        write_json(self.directory / "run.json", self.meta)

    # -- while the run goes on ----------------------------------------------------------------------------------

    def waves_path(self, suffix: str) -> Path:
        """Where to dump value changes; `suffix` is "vcd" or "fst"."""
        if suffix not in ("vcd", "fst"):
            raise ValueError(f"expected vcd or fst but got {suffix!r}")
        self.meta["waves"] = f"waves.{suffix}"
        self._write_meta()
        return self.directory / f"waves.{suffix}"

    def copy_design(self, path: Path) -> None:
        """Keep the design as it was read, so that source lines stay right when the file changes later."""
        shutil.copyfile(path, self.directory / "design.mlir")

    def write_design(self, text: str) -> None:
        """The same for a design that came from standard input or from a front end."""
        (self.directory / "design.mlir").write_text(text, encoding="utf-8", errors="surrogateescape")

    def stdout(self, data: bytes, time_fs: int) -> None:
        """Text the design printed at `time_fs`; a write of several lines shares the time."""
        if not data:
            return
        self._index.write(_INDEX_ENTRY.pack(self._offset, time_fs))
        self._text.write(data)
        self._offset += len(data)

    def progress(
        self,
        *,
        time_fs: int,
        wall_ms: float,
        activations: int = 0,
        compiles_total: int = 0,
        deopts_total: int = 0,
        tier_mix: Mapping[str, float] | None = None,
        force: bool = False,
    ) -> bool:
        """Replace progress.json, at most a few times a second unless `force`; returns whether it was written."""
        now = time.monotonic()
        if not force and now - self._last_progress < _PROGRESS_INTERVAL_S:
            return False
        self._last_progress = now
        self._text.flush()
        self._index.flush()
        write_json(
            self.directory / "progress.json",
            {
                "final_time_fs": time_fs, "run_wall_ms": wall_ms, "activations": activations, "compiles_total": compiles_total,
                "deopts_total": deopts_total, "tier_mix": dict(tier_mix or {}), "updated": datetime.now(UTC).isoformat(timespec="milliseconds"),
            },
        )
        return True

    def code(self, modules: Sequence[CodeModule]) -> None:
        """Keep the WebAssembly of a run (compressed). A body that was compiled more than once is in several modules; text is made from it when somebody asks."""
        if not modules:
            return
        folder = self.directory / "code"
        folder.mkdir(exist_ok=True)
        index = []
        for number, module in enumerate(modules):
            name = f"{number}.wasm.gz"
            (folder / name).write_bytes(gzip.compress(module.wasm, 3, mtime=0))
            index.append({
                "file": name, "bytes": len(module.wasm), "wall_ns": module.wall_ns, "time_fs": module.time_fs, "cause": module.cause, "bodies": list(module.bodies),
            })
        write_json(folder / "index.json", {"modules": index})

    # -- at the end -----------------------------------------------------------------------------------------------

    def finish(
        self,
        report: Mapping[str, Any],
        *,
        exit_code: int | None = None,
        verdict: str | None = None,
        tier_mix: Mapping[str, float] | None = None,
        coverage: float | None = None,
        differences: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the report and close the run. `coverage` is a percentage; `differences` becomes verdict.json.

        `exit_code` defaults to the report's; 130 (interrupted) makes the run read as aborted. `tier_mix` defaults to the one computed from the report's processes.
        """
        code = int(report.get("exit_code", 0)) if exit_code is None else exit_code
        jit = report.get("jit", {})
        write_json(self.directory / "report.json", dict(report))
        if differences is not None:
            write_json(self.directory / "verdict.json", dict(differences))
        self.meta.update(
            status="aborted" if code == 130 else "finished", message="interrupted" if code == 130 else None, verdict=verdict or verdict_of(code), exit_code=code, finished=datetime.now(UTC).isoformat(timespec="seconds"),
            final_time_fs=int(report.get("final_time_fs", 0)), run_wall_ms=float(report.get("run_wall_ms", 0)),
            total_wall_ms=float(report.get("total_wall_ms", 0)), compiles_total=int(jit.get("jit_compiles_total", 0)),
            deopts_total=int(jit.get("jit_deopts_total", 0)), tier_mix=dict(tier_mix if tier_mix is not None else tier_mix_of(report)), coverage=coverage,
        )
        self._close()

    def abort(self, message: str) -> None:
        """Close a run that ended without a report (a crash, an interrupt); what was written stays readable."""
        self.meta.update(status="aborted", verdict="error", finished=datetime.now(UTC).isoformat(timespec="seconds"), message=message)
        self._close()

    def _close(self) -> None:
        self._text.close()
        self._index.close()
        self._write_meta()


def tier_mix_of(report: Mapping[str, Any]) -> dict[str, float]:
    """Share of process run time per tier (0..1), from the report's `processes` (their `tier_ns`); {} without them."""
    total: dict[str, float] = {}
    for process in report.get("processes", ()):
        for tier, ns in (process.get("tier_ns") or {}).items():
            total[tier] = total.get(tier, 0.0) + float(ns)
    whole = sum(total.values())
    return {tier: round(ns / whole, 4) for tier, ns in sorted(total.items())} if whole else {}
