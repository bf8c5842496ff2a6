"""`wasmjit run --record`: feeds a run directory of the dashboard (`wasmjit.report.record`) while a run goes on."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wasmjit.report.record import RunRecorder, commit_of, runs_directory
from wasmjit.report.telemetry import TIERS
from wasmjit.sched.control import CB_FS
from wasmjit.sched.options import RunOptions
from wasmjit.sched.runtime_impl import write_fd

if TYPE_CHECKING:
    from wasmjit.sched.simulation import Simulation


class Recording:
    """One recorded run: the recorder and what it is fed from."""

    def __init__(self, record: RunRecorder) -> None:
        self.record = record
        self.sim: Simulation | None = None

    def tee(self, data: bytes) -> None:
        """Standard output, kept in the record too."""
        write_fd(data)
        self.record.stdout(data, self.sim.view.u64(CB_FS) if self.sim is not None else 0)

    def attach(self, sim: Simulation) -> None:
        self.sim = sim
        sim.interactive = True  # every write is recorded with its own time
        self.record.meta["top"] = [t.name for t in sim.elab.tops]

    def progress(self, time_fs: int, wall_s: float, acts: tuple[int, int, int, int]) -> None:
        """Called by the watcher a few times a second."""
        sim = self.sim
        if sim is not None:
            t = sim.telemetry
            self.record.progress(
                time_fs=time_fs, wall_ms=wall_s * 1e3, activations=sum(acts), compiles_total=t.compiles_total, deopts_total=t.deopts_total, tier_mix=tier_mix(acts)
            )

    def finish(self, report: Mapping[str, Any]) -> None:
        coverage = report.get("coverage", {})
        acts = report.get("activations_by_tier", {})
        mix = tier_mix(tuple(acts.get(name, 0) for name in (*TIERS, "other"))) if acts else {}
        code = int(report["exit_code"])
        if self.sim is not None and self.sim.governor is not None:
            self.record.code(self.sim.governor.jit.modules)
        self.record.finish(report, tier_mix=mix, coverage=coverage.get("total_percent") if coverage.get("covergroups") else None)
        if code == 130:
            self.record.meta.update(status="aborted", message="interrupted")


def tier_mix(acts: tuple[int, ...]) -> dict[str, float]:
    """Share of activations per tier (0..1)."""
    total = sum(acts)
    return {name: round(n / total, 4) for name, n in zip((*TIERS, "other"), acts, strict=True) if n} if total else {}


def start_recording(name: str, files: list[str], options: RunOptions) -> Recording:
    """Create the run directory, copy the design, and direct a VCD there when no waveform was asked for elsewhere. Raises OSError."""
    directory = runs_directory(name)
    path = Path(files[0])
    record = RunRecorder(
        directory, design=files[0], mode=options.mode, top=options.tops, argv=sys.argv, commit=commit_of(Path.cwd()), run_id=os.environ.get("WASMJIT_RUN_ID") or None,
        kind=os.environ.get("WASMJIT_RUN_KIND") or "run",
    )
    if path.is_file():
        record.copy_design(path)
    if not options.vcd and not options.fst:
        options.vcd = str(record.waves_path("vcd"))
    options.trace_drivers = options.trace_drivers or str(record.directory / "drivers.bin")
    print(f"[wasmjit] Recording to {record.directory}", file=sys.stderr)
    return Recording(record)
