"""The JIT timeline as a Chrome/Perfetto trace (wall time) and as VCD (simulation time)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from wasmjit.report.json_report import write_text_atomically
from wasmjit.report.reasons import explain
from wasmjit.report.telemetry import TIERS, Telemetry, TimelineEvent
from wasmjit.waves.model import ScopeDecl, Value, VarDecl
from wasmjit.waves.vcd import VcdWriter

_PID = 1


def trace_events(telemetry: Telemetry, title: str = "wasmjit", end_ns: int = 0) -> dict[str, Any]:
    """Chrome trace: one track per process definition with slices of its tier, compilations and instants; counters of compiles and deopts.

    Timestamps are microseconds of wall clock since the run began. `end_ns`: end of the run.
    """
    events = sorted(telemetry.timeline, key=lambda e: e.wall_ns)
    end_ns = max([end_ns, *(e.wall_ns + e.dur_ns for e in events)])
    tracks: dict[str, int] = {}
    for process in telemetry.processes.values():
        tracks.setdefault(process.definition or process.name, len(tracks) + 1)
    for event in events:
        tracks.setdefault(_track(event), len(tracks) + 1)
    out: list[dict[str, Any]] = [_meta("process_name", 0, {"name": title})]
    for name, tid in tracks.items():
        out.append(_meta("thread_name", tid, {"name": name or "(unnamed)"}))
        out.append(_meta("thread_sort_index", tid, {"sort_index": tid}))
    tier: dict[int, tuple[int, int]] = {}
    totals = {"compiles": 0, "deopts": 0}
    for event in events:
        tid = tracks[_track(event)]
        args: dict[str, Any] = {"sim_time_fs": event.sim_time_fs, "process": event.process_name, "process_id": event.process_id}
        if event.detail:
            args["detail"] = event.detail
        if event.kind == "compile":
            args["bodies"] = event.bodies
            out.append(_slice("compile", f"compile ({TIERS[event.tier]})", tid, event.wall_ns, event.dur_ns, args))
            totals["compiles"] += 1
            out.append(_counter(event.wall_ns, totals))
            continue
        if event.kind in ("deopt", "bailout"):
            reason, _, detail = event.detail.partition(":")
            text = explain(reason, detail)
            args |= {"message": text.message, "remedy": text.remedy}
            totals["deopts"] += 1
            out.append(_counter(event.wall_ns, totals))
        name = f"{event.kind}: {event.detail}" if event.detail else event.kind
        out.append({"ph": "i", "s": "t", "pid": _PID, "tid": tid, "cat": event.kind, "name": name, "ts": event.wall_ns / 1e3, "args": args})
        if event.kind != "cache_hit":
            old, since = tier.get(tid, (0, 0))
            if event.tier != old:
                out.append(_slice("tier", TIERS[old], tid, since, event.wall_ns - since, {}))
                tier[tid] = (event.tier, event.wall_ns)
            else:
                tier.setdefault(tid, (old, since))
    for tid in tracks.values():
        last, since = tier.get(tid, (0, 0))
        out.append(_slice("tier", TIERS[last], tid, since, end_ns - since, {}))
    return {"traceEvents": out, "displayTimeUnit": "ns", "otherData": {"tool": "wasmjit", "dropped_events": telemetry.dropped_events}}


def _track(event: TimelineEvent) -> str:
    return event.definition or event.process_name


def _meta(name: str, tid: int, args: dict[str, Any]) -> dict[str, Any]:
    return {"ph": "M", "pid": _PID, "tid": tid, "name": name, "args": args}


def _slice(cat: str, name: str, tid: int, start_ns: int, dur_ns: int, args: dict[str, Any]) -> dict[str, Any]:
    return {"ph": "X", "pid": _PID, "tid": tid, "cat": cat, "name": name, "ts": start_ns / 1e3, "dur": dur_ns / 1e3, "args": args}


def _counter(wall_ns: int, totals: dict[str, int]) -> dict[str, Any]:
    return {"ph": "C", "pid": _PID, "tid": 0, "name": "jit", "ts": wall_ns / 1e3, "args": dict(totals)}


def write_timeline_vcd(path: str, telemetry: Telemetry, end_fs: int = 0) -> None:
    """VCD of the timeline: per process `tier` (0 interpret, 1 compile, 2 optimise), an event `deopt`; totals of compiles and deopts. Raises WaveError."""
    events = sorted(telemetry.timeline, key=lambda e: e.sim_time_fs)
    names = {p.process_id: p.name for p in telemetry.processes.values()}
    for event in events:
        names.setdefault(event.process_id, event.process_name)
    ids = {process_id: 2 + 2 * k for k, process_id in enumerate(sorted(names))}
    scopes = [
        ScopeDecl(names[p], "module", (VarDecl("tier", "reg", 2, i), VarDecl("deopt", "event", 1, i + 1))) for p, i in ids.items()
    ]
    totals = (VarDecl("compiles_total", "integer", 32, 0), VarDecl("deopts_total", "integer", 32, 1))
    writer = VcdWriter(path)
    writer.declare([ScopeDecl("jit", "module", totals, tuple(_distinct(scopes)))])
    initial: list[tuple[int, Value]] = [(i, 0) for i in ids.values()]
    writer.changes(0, [(0, 0), (1, 0), *initial])
    compiles = deopts = 0
    for event in events:
        base = ids[event.process_id]
        if event.kind == "compile":
            compiles += 1
            writer.change(event.sim_time_fs, 0, compiles)
            continue
        if event.kind in ("deopt", "bailout"):
            deopts += 1
            writer.changes(event.sim_time_fs, [(1, deopts), (base + 1, 1)])
        if event.kind != "cache_hit":
            writer.change(event.sim_time_fs, base, event.tier)
    writer.close(end_fs)


def _distinct(scopes: Sequence[ScopeDecl]) -> list[ScopeDecl]:
    """Scopes with unique names: instances of one process may share theirs."""
    seen: dict[str, int] = {}
    out = []
    for scope in scopes:
        count = seen[scope.name] = seen.get(scope.name, 0) + 1
        name = scope.name if count == 1 else f"{scope.name}#{count}"
        out.append(ScopeDecl(name, scope.kind, scope.variables, scope.children))
    return out


def write_timeline(path: str, telemetry: Telemetry, title: str = "wasmjit", end_fs: int = 0, end_ns: int = 0) -> None:
    """`--jit-timeline`: VCD when the path ends in `.vcd`, else Chrome/Perfetto JSON. Raises OSError or WaveError."""
    if path.endswith(".vcd"):
        write_timeline_vcd(path, telemetry, end_fs)
    else:
        write_text_atomically(path, json.dumps(trace_events(telemetry, title, end_ns)) + "\n")
