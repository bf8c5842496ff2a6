"""Counters and records of the compiler's work during a run.

Appending is cheap (a slotted object and a list append); totals stay exact when the lists have reached their limit.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

from wasmjit.data import dataclass, field
from wasmjit.report.reasons import COUNTED_REASONS

KINDS = ("bailout", "eager", "lazy")
"""bailout: never compiled. eager: a guard failed while the code ran. lazy: valid code was given up from outside (a watcher came, a tier was evicted)."""

EVENT_KINDS = ("compile", "install", "deopt", "bailout", "tier", "evict", "cache_hit")
TIERS = ("interpret", "compile", "optimise")


@dataclass(slots=True)
class DeoptRecord:
    """One time a process ran (or goes on) in the interpreter although compiled mode was asked for.

    `location`: source file:line:col of the operation. `resume_point`: where it goes on, e.g. `entry`, `wait 2`. `wall_ns`: since the run began.
    `cost_ns`: time until the process waited again (the transfer and the activation that was interpreted); 0 when it was not measured.
    `action`: what was done about it (`none`, `recompiled`, `generic dispatch`, `no longer entered` ...).
    `frame`: live values as (name, type, value) texts, when they were captured.
    """

    kind: str
    reason: str
    detail: str
    process_id: int
    process_name: str
    location: str = ""
    resume_point: str = ""
    sim_time_fs: int = 0
    delta: int = 0
    wall_ns: int = 0
    cost_ns: int = 0
    action: str = "none"
    definition: str = ""
    tier: int = 1
    frame: list[tuple[str, str, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Row of the report's `deopts`."""
        return {
            "kind": self.kind, "reason": self.reason, "detail": self.detail, "process_id": self.process_id, "process_name": self.process_name,
            "definition": self.definition or self.process_name, "location": self.location, "resume_point": self.resume_point,
            "sim_time_fs": self.sim_time_fs, "delta": self.delta, "wall_ns": self.wall_ns, "cost_ns": self.cost_ns, "action": self.action,
            "tier": self.tier, "frame": [{"name": n, "type": t, "value": v} for n, t, v in self.frame],
        }  # fmt: skip


@dataclass(slots=True)
class TimelineEvent:
    """Something the governor did. `tier`: the tier of the process afterwards (compile: the tier compiled for). `bodies`: bodies in the batch."""

    kind: str
    process_id: int
    process_name: str
    tier: int
    sim_time_fs: int
    wall_ns: int
    dur_ns: int = 0
    definition: str = ""
    detail: str = ""
    bodies: int = 0

    def as_json(self) -> dict[str, Any]:
        """Row of the report's `timeline`."""
        return {
            "kind": self.kind, "process_id": self.process_id, "process_name": self.process_name, "definition": self.definition or self.process_name,
            "tier": self.tier, "sim_time_fs": self.sim_time_fs, "wall_ns": self.wall_ns, "dur_ns": self.dur_ns, "detail": self.detail,
            "bodies": self.bodies,
        }  # fmt: skip


@dataclass(slots=True)
class ProcessStats:
    """Figures of one process. `tier_ns`: run time by tier name; `steps`: operations the interpreter executed; `lost_ns`: estimate of time lost to deopts."""

    process_id: int
    name: str
    definition: str = ""
    tier: int = 0
    activations: int = 0
    steps: int = 0
    tier_ns: dict[str, int] = field(default_factory=dict)
    lost_ns: int = 0
    location: str = ""

    def as_json(self) -> dict[str, Any]:
        """Row of the report's `processes`."""
        return {
            "process_id": self.process_id, "process_name": self.name, "definition": self.definition or self.name, "location": self.location,
            "tier": self.tier, "activations": self.activations, "steps": self.steps, "tier_ns": dict(self.tier_ns), "lost_ns": self.lost_ns,
        }  # fmt: skip


@dataclass(slots=True)
class CallSiteProfile:
    """Targets seen at one indirect call. The version counts the targets' first appearances."""

    site_id: int
    owner: str
    location: str
    calls_total: int = 0
    unresolved_calls: int = 0
    targets: Counter[str] = field(default_factory=Counter)

    def note(self, target: str | None, calls: int = 1) -> bool:
        """Count calls of a target (None: the pointer was no function); True when the target set grew."""
        self.calls_total += calls
        if target is None:
            self.unresolved_calls += calls
            return False
        new = target not in self.targets
        self.targets[target] += calls
        return new

    @property
    def target_set_version(self) -> int:
        return len(self.targets)

    @property
    def target_set_hash(self) -> str:
        """16 hex digits that depend on the set of names only."""
        return hashlib.sha256("\0".join(sorted(self.targets)).encode("utf-8", "surrogateescape")).hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """Row of the report's `jit_call_indirect_sites`."""
        ranked = sorted(self.targets.items(), key=lambda item: (-item[1], item[0]))
        return {
            "site_id": self.site_id, "owner": self.owner, "location": self.location, "calls_total": self.calls_total,
            "unresolved_calls": self.unresolved_calls, "targets_total": len(self.targets), "target_set_version": self.target_set_version,
            "target_set_hash": self.target_set_hash, "targets": [{"target_name": name, "calls": calls} for name, calls in ranked],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class CodeModule:
    """A module the run compiled. `bodies`: names (definitions) in the order of the functions the module defines; `wall_ns`, `time_fs`: when it was installed."""

    wasm: bytes
    bodies: tuple[str, ...]
    wall_ns: int
    time_fs: int
    cause: str = ""


class Telemetry:
    """All records of a run. `limit` bounds each list; what does not fit is counted in `dropped_*`."""

    def __init__(self, limit: int = 100_000) -> None:
        self.limit = limit
        self.compiles_total = 0
        self.cache_hits_total = 0
        self.exec_hits_total = 0
        self.deopts_total = 0
        self.strict_violations_total = 0
        self.compile_wall_ns = 0
        self.exec_wall_ns = 0
        self.reasons: Counter[str] = Counter()
        self.deopts: list[DeoptRecord] = []
        self.timeline: list[TimelineEvent] = []
        self.left_total = 0  # activations that entered compiled code and were finished by the interpreter
        self.dropped_deopts = 0
        self.dropped_events = 0
        self.processes: dict[int, ProcessStats] = {}
        self.call_sites: dict[int, CallSiteProfile] = {}
        self._last: tuple[DeoptRecord, TimelineEvent] | None = None
        # First record of each (process, reason, detail), in order: the rows of `jit_deopt_processes`.
        self._rows: dict[tuple[int, str, str], DeoptRecord] = {}

    def deopt(self, record: DeoptRecord) -> bool:
        """Count and keep a record, and put it on the timeline. A bailout is counted once per process, reason and detail; False when it is a repetition."""
        key = (record.process_id, record.reason, record.detail)
        known = key in self._rows
        if known and record.kind == "bailout":
            return False
        if not known:
            self._rows[key] = record
        self.deopts_total += 1
        self.reasons[record.reason if record.reason in COUNTED_REASONS else "unknown"] += 1
        if len(self.deopts) < self.limit:
            self.deopts.append(record)
        else:
            self.dropped_deopts += 1
        kind = "bailout" if record.kind == "bailout" else "deopt"
        event = TimelineEvent(
            kind, record.process_id, record.process_name, 0, record.sim_time_fs, record.wall_ns, record.cost_ns, record.definition,
            f"{record.reason}:{record.detail}" if record.detail else record.reason,
        )
        self._event(event)
        self._last = record, event
        return True

    @property
    def last_deopt(self) -> tuple[DeoptRecord, TimelineEvent] | None:
        """The newest record and its event, for `deopt_cost`."""
        return self._last

    def deopt_cost(self, last: tuple[DeoptRecord, TimelineEvent], ns: int) -> None:
        """What a deopt has cost, known once the process waits again."""
        record, event = last
        record.cost_ns = event.dur_ns = ns
        self.process(record.process_id, record.process_name, record.definition).lost_ns += ns

    def event(self, event: TimelineEvent) -> None:
        """Keep an event; `compile` adds to the number of compiles (one per batch, that is per module) and their time, `cache_hit` to the hits."""
        if event.kind == "compile":
            self.compiles_total += 1
            self.compile_wall_ns += event.dur_ns
        elif event.kind == "cache_hit":
            self.cache_hits_total += 1
        self._event(event)

    def _event(self, event: TimelineEvent) -> None:
        if len(self.timeline) < self.limit:
            self.timeline.append(event)
        else:
            self.dropped_events += 1

    def process(self, process_id: int, name: str, definition: str = "") -> ProcessStats:
        """The figures of a process, created on first use."""
        stats = self.processes.get(process_id)
        if stats is None:
            stats = self.processes[process_id] = ProcessStats(process_id, name, definition)
        return stats

    def call_site(self, site_id: int, owner: str, location: str) -> CallSiteProfile:
        """The profile of an indirect call, created on first use."""
        site = self.call_sites.get(site_id)
        if site is None:
            site = self.call_sites[site_id] = CallSiteProfile(site_id, owner, location)
        return site

    def deopt_processes(self) -> list[DeoptRecord]:
        """First record of each (process, reason, detail), in order of occurrence."""
        return list(self._rows.values())

    def strict_lines(self) -> list[str]:
        """What `--jit-fail-on-deopt` prints (without the tool's prefix); empty when nothing was given back to the interpreter."""
        if not self.deopts_total:
            return []
        lines = [f"Strict JIT policy violation: deopts_total={self.deopts_total}"]
        for r in self._rows.values():
            detail = f" detail={r.detail}" if r.detail else ""
            lines.append(f"Strict JIT deopt process: id={r.process_id} name={r.process_name} reason={r.reason}{detail}")
        return lines

    def check_strict(self) -> list[str]:
        """Lines of the violation, which is counted; to be called once at the end of a strict run."""
        lines = self.strict_lines()
        self.strict_violations_total += bool(lines)
        return lines
