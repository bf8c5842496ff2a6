"""Looking at a run from another thread: progress line, wall-clock limit, sampling profile. The kernel's hot loop knows nothing of it.

The control block is in linear memory, which any thread may read; stopping is a word the kernel polls between activations.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from wasmjit.report.telemetry import TIERS
from wasmjit.sched import control as cb

if TYPE_CHECKING:
    from wasmjit.sched.simulation import Simulation

GRACE_S = 1.0
"""Time a stopped run has to reach the end of its activation before it is stopped harder."""
LAST_RESORT_S = 4.0


class StopRun(BaseException):
    """Raised in the thread of the run when an interpreted activation does not end by itself after a stop was asked for."""


class Watch:
    """Use as a context manager around the run; `enter_run` is called by the run's thread.

    period: seconds between looks. on_progress(time_fs, wall_s, activations by tier). last_resort(cause): called when compiled code does not
    come back at all; must not return.
    """

    def __init__(
        self,
        sim: Simulation,
        *,
        timeout: float = 0.0,
        period: float = 0.1,
        sample: bool = False,
        progress: bool = False,
        on_progress: Callable[[int, float, tuple[int, int, int, int]], None] | None = None,
        last_resort: Callable[[str], None] | None = None,
    ) -> None:
        self.sim = sim
        self.timeout = timeout
        self.period = period
        self.sample = sample
        self.progress = progress
        self.on_progress = on_progress
        self.last_resort = last_resort
        self.samples: Counter[int] = Counter()
        self.tier_samples: Counter[tuple[int, int]] = Counter()
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.run_thread = 0
        self.began = time.monotonic()
        self.asked: float | None = None
        self.raised = False
        self.line = 0
        self.thread: threading.Thread | None = None

    @property
    def wanted(self) -> bool:
        return bool(self.timeout or self.sample or self.progress or self.on_progress)

    def __enter__(self) -> Watch:
        if self.wanted:
            self.thread = threading.Thread(target=self._look, name="watch", daemon=True)
            self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        if self.thread is not None:
            self.thread.join()
        if self.line:
            sys.stderr.write("\r" + " " * self.line + "\r")
            sys.stderr.flush()

    def run(self, fn: Callable[[], object]) -> None:
        """Call `fn` in the present thread as the run that is watched."""
        try:
            self.run_thread = threading.get_ident()
            fn()
            with self.lock:
                self.run_thread = 0
        except StopRun:
            with self.lock:
                self.run_thread = 0
            self.sim.stopped()

    # -- the other thread ------------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        shown = noted = 0.0
        while not self.ended.wait(self.period):
            now = time.monotonic()
            wall = now - self.began
            if self.sample:
                self._sample()
            if self.progress and now - shown > 0.25:
                shown = now
                self._show(wall)
            if self.on_progress is not None and now - noted > 0.25:
                noted = now
                self.on_progress(self.sim.view.u64(cb.CB_FS), wall, self.sim.view.activations_by_tier())
            if self.timeout and wall > self.timeout and self.asked is None:
                self.sim.ask_stop("timeout")
            if self.sim.stop_cause:
                self._press(now)

    def _press(self, now: float) -> None:
        """A stop was asked for: insist."""
        if self.asked is None:
            self.asked = now
        self.sim.view.set_u32(cb.CB_STOP, cb.STOP_HOST)
        if now - self.asked > GRACE_S and not self.raised:
            with self.lock:
                if self.run_thread:
                    self.raised = True
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.run_thread), ctypes.py_object(StopRun))
        if now - self.asked > LAST_RESORT_S and self.last_resort is not None and self.run_thread:
            self.last_resort(self.sim.stop_cause)

    def _sample(self) -> None:
        who = self.sim.view.u32(cb.CB_CUR_ID)
        self.samples[who] += 1
        if who != cb.NONE and not who & cb.REGION_DRIVER and who < len(self.sim.elab.processes):
            key = self.sim.elab.processes[who].body.key
            governor = self.sim.governor
            left = governor is not None and governor.interpreting
            self.tier_samples[who, 0 if left else self.sim.code.tier(self.sim.code.slots.get(key, 0))] += 1

    def _show(self, wall: float) -> None:
        view = self.sim.view
        acts = view.activations_by_tier()
        text = progress_text(view.u64(cb.CB_FS), wall, acts)
        sys.stderr.write("\r" + text.ljust(self.line))
        sys.stderr.flush()
        self.line = max(self.line, len(text))

    # -- results -----------------------------------------------------------------------------------------------------------------------

    def note_tier_times(self) -> None:
        """Samples become the estimate of run time per process and tier in the telemetry."""
        total = sum(self.samples.values())
        if not total:
            return
        ns = self.sim.outcome.run_wall_ms * 1e6 / total
        for (who, tier), n in self.tier_samples.items():
            row = self.sim.telemetry.processes.get(who + 1)
            if row is not None:
                row.tier_ns[TIERS[tier]] = round(n * ns)

    def profile_lines(self) -> list[str]:
        """--profile: share of the samples per process and logic, the event kernel and everything outside."""
        total = sum(self.samples.values())
        out = [f"=== Profile ({total} samples) ==="]
        for who, n in self.samples.most_common():
            out.append(f"  {100 * n / max(total, 1):5.1f} %  {self.name(who)}")
        return out

    def name(self, who: int) -> str:
        if who == cb.NONE:
            return "event kernel"
        if who & cb.REGION_DRIVER:
            k = who & ~cb.REGION_DRIVER
            if k < len(self.sim.elab.regions):
                r = self.sim.elab.regions[k]
                return f"logic {r.instance.path}: {r.region.name}"
            return "logic"
        if who < len(self.sim.elab.processes):
            p = self.sim.elab.processes[who]
            return f"process {p.instance.path}: {p.name}"
        return f"process {self.sim.name_of(who)}"


def progress_text(time_fs: int, wall: float, acts: tuple[int, int, int, int]) -> str:
    """One line: simulated time, activations per second, tier mix."""
    total = sum(acts)
    mix = ", ".join(f"{name} {100 * n // total} %" for name, n in zip((*TIERS, "other"), acts, strict=True) if n) if total else "no activation yet"
    return f"[wasmjit] {human_time(time_fs)}, {wall:.1f} s, {human_count(total / max(wall, 1e-3))} activations/s, {mix}"


def human_time(fs: int) -> str:
    """1_500_000 -> '1.5 ns'."""
    for unit, size in (("s", 10**15), ("ms", 10**12), ("us", 10**9), ("ns", 10**6), ("ps", 10**3)):
        if fs >= size:
            return f"{fs / size:.6g} {unit}"
    return f"{fs} fs"


def human_count(n: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if n >= size:
            return f"{n / size:.1f}{unit}"
    return f"{n:.0f}"
