"""Timing: whole processes at two sizes, in turn over the tools, best of several; the difference of the sizes is the steady state."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wasmjit.bench.tools import BuildError, Tool
from wasmjit.bench.workloads import Workload
from wasmjit.data import dataclass, field

GROWTH = 4
MAX_SIZE = 1 << 30


@dataclass(slots=True)
class Measurement:
    """Of one tool on one workload. Seconds; `steady_s` is per unit of size. `problem`: why there is no figure."""

    tool: str
    workload: str
    small: int = 0
    large: int = 0
    small_s: float = 0.0
    large_s: float = 0.0
    default_s: float = 0.0
    build_s: float = 0.0
    problem: str = ""
    checksum: str = ""

    @property
    def steady_s(self) -> float:
        """Seconds per unit; 0 without a figure."""
        return max(self.large_s - self.small_s, 0.0) / (self.large - self.small) if self.large > self.small else 0.0

    def as_json(self) -> dict[str, Any]:
        return {
            "tool": self.tool, "workload": self.workload, "small": self.small, "large": self.large, "small_s": round(self.small_s, 4),
            "large_s": round(self.large_s, 4), "default_s": round(self.default_s, 4), "steady_us": round(self.steady_s * 1e6, 4),
            "build_s": round(self.build_s, 3), "checksum": self.checksum, "problem": self.problem,
        }  # fmt: skip


@dataclass(slots=True)
class Bench:
    """`target_s`: how long the large size shall take. `say` gets a line per step."""

    folder: Path
    work: Path
    target_s: float = 1.0
    repeats: int = 3
    timeout_s: float = 120.0
    say: Callable[[str], None] = print
    outputs: dict[tuple[str, int], dict[str, str]] = field(default_factory=dict)

    def workload(self, w: Workload, tools: list[Tool]) -> list[Measurement]:
        """All tools on one workload."""
        rows = [Measurement(t.name, w.name, w.small) for t in tools]
        commands: list[list[str]] = []
        for tool, row in zip(tools, rows, strict=True):
            began = time.perf_counter()
            try:
                commands.append(tool.build(w, self.folder, self.work))
            except (BuildError, subprocess.TimeoutExpired) as e:
                commands.append([])
                row.problem = str(e)
            row.build_s = time.perf_counter() - began
        for row, command in zip(rows, commands, strict=True):
            if not row.problem:
                self.prepare(w, row, command)
        for n in range(self.repeats):
            for row, command in zip(rows, commands, strict=True):
                if row.problem:
                    continue
                small = self.time(w, row, command, row.small)
                large = self.time(w, row, command, row.large)
                row.small_s = small if n == 0 else min(row.small_s, small)
                row.large_s = large if n == 0 else min(row.large_s, large)
        for row, command in zip(rows, commands, strict=True):
            while self.grow(w, row, command):
                row.small_s = min(row.small_s, self.time(w, row, command, row.small))
        self.check_checksums(w, rows)
        for row in rows:
            self.say(f"{w.name} {row.tool}: " + (row.problem or f"{row.steady_s * 1e6:.3f} us per {w.argument[:-1]}, {row.small_s:.3f} s for {row.small}"))
        return rows

    def prepare(self, w: Workload, row: Measurement, command: list[str]) -> None:
        """Check the checksum at the default size and find the large size."""
        row.default_s = self.time(w, row, command, w.default)
        if row.problem:
            return
        row.checksum = self.outputs[w.name, w.default][row.tool]
        if row.checksum != w.expected:
            row.problem = f"wrong checksum: {row.checksum!r} instead of {w.expected!r}" if row.checksum else "prints no checksum: the model ends before the test bench does"
            return
        size = w.default
        seconds = row.default_s
        start = self.time(w, row, command, row.small)
        while seconds - start < self.target_s and size < MAX_SIZE and not row.problem:
            factor = GROWTH if seconds <= start else min(max(1.1 * self.target_s / (seconds - start), 2), 64)
            size = int(size * factor)
            seconds = self.time(w, row, command, size)
        row.large = size

    def grow(self, w: Workload, row: Measurement, command: list[str]) -> bool:
        """Whether the large size had to be raised because its time drowns in noise."""
        if row.problem or row.large_s - row.small_s > self.target_s / 3 or row.large >= MAX_SIZE:
            return False
        row.large *= GROWTH
        row.large_s = self.time(w, row, command, row.large)
        return not row.problem

    def time(self, w: Workload, row: Measurement, command: list[str], size: int) -> float:
        """Seconds of one process; a failure is noted in the row."""
        began = time.perf_counter()
        try:
            done = subprocess.run([*command, f"+{w.argument}={size}"], capture_output=True, text=True, timeout=self.timeout_s, stdin=subprocess.DEVNULL, check=False)
        except subprocess.TimeoutExpired:
            row.problem = f"took longer than {self.timeout_s:g} s for {w.argument}={size}"
            return self.timeout_s
        seconds = time.perf_counter() - began
        if done.returncode:
            row.problem = f"exit status {done.returncode}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
        line = next((x for x in done.stdout.splitlines() if x.startswith("checksum")), "")
        self.outputs.setdefault((w.name, size), {})[row.tool] = line.strip()
        return seconds

    def check_checksums(self, w: Workload, rows: list[Measurement]) -> None:
        """Two tools that ran the same size must have printed the same."""
        for (name, size), seen in self.outputs.items():
            if name != w.name or len(set(seen.values())) < 2:
                continue
            reference = seen.get("icarus") or seen.get("verilator")
            for row in rows:
                if reference and seen.get(row.tool, reference) != reference and not row.problem:
                    row.problem = f"wrong checksum for {w.argument}={size}: {seen[row.tool]!r} instead of {reference!r}"
