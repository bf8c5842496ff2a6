"""The JSON report of a run as the dashboard's tables: deopt records, timeline events, processes, drivers.

Reports of different ages and of other tools (the `circt-sim` shape: only `jit.jit_deopt_processes`) are read; a key that is
missing gives an empty table, a record of the wrong type is skipped and counted, never an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

TIERS = ("interpret", "compile", "optimise")
_TIER_NAMES = {0: "interpret", 1: "compile", 2: "optimise", "0": "interpret", "1": "compile", "2": "optimise", "optimize": "optimise"}
EVENT_KINDS = ("compile", "install", "deopt", "bailout", "tier", "evict", "cache_hit")
TRANSIENT = ("interpreted once", "none")
"""Actions after which the process is still compiled."""
SEVERITY = {"bailout": 1, "lazy": 2, "eager": 3}
"""Weight of one record in a process's score; an eager deopt (a failed guard) costs a transfer in the middle of running code."""


@dataclass(slots=True)
class RunRecords:
    """What a report says, in the order it happened. Times: `time_fs` of simulation, `wall_ns` since the run began."""

    deopts: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    processes: list[dict[str, Any]] = field(default_factory=list)
    drivers: dict[str, list[str]] = field(default_factory=dict)
    skipped: int = 0


def tier_name(value: Any) -> str:
    """interpret, compile or optimise of a number or a name; other names stay."""
    known = _TIER_NAMES.get(value) if isinstance(value, (str, int, float)) else None
    return known if known is not None else str(value or "interpret")


def _int(value: Any, default: int = 0) -> int:
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**63 else default


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _first(record: Mapping[str, Any], *keys: str, default: Any = None) -> Any:
    for key in keys:
        if record.get(key) is not None:
            return record[key]
    return default


def _location(record: Mapping[str, Any]) -> tuple[str, int, int]:
    loc = _first(record, "loc", "location", "source")
    if isinstance(loc, Mapping):
        return _text(loc.get("file")), _int(loc.get("line")), _int(_first(loc, "col", "column", default=0))
    if isinstance(loc, str):
        name, *rest = loc.rsplit(":", 2)
        if len(rest) == 2 and all(part.isdecimal() for part in rest):
            return name, int(rest[0]), int(rest[1])
        if rest and rest[-1].isdecimal():
            return loc.rsplit(":", 1)[0], int(rest[-1]), 0
        return loc, 0, 0
    return _text(record.get("file")), _int(record.get("line")), _int(_first(record, "col", "column", default=0))


def _frame(value: Any) -> list[dict[str, str]]:
    """Live values as rows (name, type, value), from a mapping or a list of records."""
    if isinstance(value, Mapping):
        return [{"name": _text(name), "type": "", "value": _text(item)} for name, item in value.items()]
    if isinstance(value, list):
        return [{key: _text(row.get(key)) for key in ("name", "type", "value")} for row in value if isinstance(row, Mapping)]
    return []


def _resume(record: Mapping[str, Any]) -> str:
    resume = _first(record, "resume", "resume_point", "resume_state", "resume_token")
    if isinstance(resume, Mapping):
        token, label = resume.get("token"), _text(_first(resume, "label", "name", "kind"))
        return f"{label} (token {token})" if label and token is not None else label or f"token {token}"
    return f"token {resume}" if isinstance(resume, int) else _text(resume)


def _deopt(record: Mapping[str, Any], seq: int, definitions: Mapping[int, str]) -> dict[str, Any]:
    file, line, col = _location(record)
    process_id = _int(record.get("process_id"))
    process = _text(_first(record, "process_name", "process", default=f"process {process_id}"))
    reason = _text(record.get("reason")) or "unknown"
    kind = _text(record.get("kind")) or ("bailout" if reason in ("missing_thunk", "unsupported_operation") else "eager")
    return {
        "seq": seq, "kind": kind, "reason": reason, "detail": _text(record.get("detail")), "process_id": process_id, "process": process,
        "definition": _text(_first(record, "definition", "body")) or definitions.get(process_id, process), "file": file, "line": line, "col": col,
        "resume": _resume(record), "time_fs": _int(_first(record, "time_fs", "sim_time_fs")), "delta": _int(record.get("delta")),
        "wall_ns": _int(record.get("wall_ns")), "cost_ns": _int(record.get("cost_ns")), "action": _text(record.get("action")),
        "frame": _frame(_first(record, "frame", "values", "live_values")), "tier": tier_name(record.get("tier", 1)),
    }


def _event(record: Mapping[str, Any], names: Mapping[int, str]) -> dict[str, Any] | None:
    kind = _text(_first(record, "kind", "event", "type"))
    if kind not in EVENT_KINDS:
        return None
    process_id = _int(record.get("process_id"))
    tier = tier_name(record.get("tier")) if record.get("tier") is not None else ("compile" if kind in ("compile", "install") else "interpret")
    return {
        "kind": kind, "process_id": process_id, "process": _text(_first(record, "process_name", "process")) or names.get(process_id, ""),
        "tier": tier, "time_fs": _int(_first(record, "time_fs", "sim_time_fs")), "wall_ns": _int(record.get("wall_ns")),
        "dur_ns": _int(_first(record, "dur_ns", "duration_ns", "cost_ns")),
        "reason": _text(record.get("detail")).partition(":")[0] if kind in ("deopt", "bailout") else "", "definition": _text(_first(record, "definition", "body")),
    }


def _mappings(value: Any, records: RunRecords) -> Iterator[Mapping[str, Any]]:
    if not isinstance(value, list):
        return
    for item in value:
        if isinstance(item, Mapping):
            yield item
        else:
            records.skipped += 1


def read_report(report: Any) -> RunRecords:
    """Tables of a report (any JSON value)."""
    records = RunRecords()
    if not isinstance(report, Mapping):
        records.skipped = 1
        return records
    for row in _mappings(report.get("processes"), records):
        tier_ns = row.get("tier_ns")
        tier_ns = {tier_name(t): _int(ns) for t, ns in tier_ns.items()} if isinstance(tier_ns, Mapping) else {}
        process_id = _int(_first(row, "process_id", "id"))
        name = _text(_first(row, "process_name", "name", default=f"process {process_id}"))
        records.processes.append({
            "process_id": process_id, "name": name, "definition": _text(_first(row, "definition", "body")) or name, "tier": tier_name(row.get("tier", 0)),
            "activations": _int(row.get("activations")), "tier_ns": tier_ns, "lost_ns": _int(row.get("lost_ns"), -1),
        })
    definitions = {p["process_id"]: p["definition"] for p in records.processes}
    names = {p["process_id"]: p["name"] for p in records.processes}
    jit = report.get("jit")
    source = _first(report, "deopts", "deopt_records")
    if source is None:
        source = jit.get("jit_deopt_processes") if isinstance(jit, Mapping) else None
    for seq, row in enumerate(_mappings(source, records)):
        records.deopts.append(_deopt(row, seq, definitions))
    instances: dict[str, list[int]] = {}
    for process in records.processes:
        instances.setdefault(process["definition"], []).append(process["process_id"])
    # After such a deopt the next activation enters the compiled code again.
    once = {(d["process_id"], d["time_fs"], d["wall_ns"]): d["tier"] for d in records.deopts if d["action"] in TRANSIENT}
    for row in _mappings(report.get("timeline"), records):
        event = _event(row, names)
        if event is None:
            records.skipped += 1
            continue
        if event["kind"] == "deopt":
            event["tier"] = once.get((event["process_id"], event["time_fs"], event["wall_ns"]), event["tier"])
        if event["process_id"] == 0 and event["kind"] in ("install", "tier", "evict"):
            # The code of a body is installed for all its instances at once. Functions and branches of forks have none: they stand with the compiler.
            records.events += [{**event, "process_id": pid, "process": names[pid]} for pid in instances.get(event["definition"], ())] or [event]
        else:
            records.events.append(event)
    if not any(event["kind"] in ("deopt", "bailout") for event in records.events):
        records.events += [
            {"kind": "bailout" if d["kind"] == "bailout" else "deopt", "process_id": d["process_id"], "process": d["process"], "tier": "interpret",
             "time_fs": d["time_fs"], "wall_ns": d["wall_ns"], "dur_ns": d["cost_ns"], "reason": d["reason"],
             "definition": d["definition"]} for d in records.deopts
        ]
    records.events.sort(key=lambda event: (event["time_fs"], event["wall_ns"]))
    drivers = report.get("drivers")
    if isinstance(drivers, Mapping):
        records.drivers = {_text(s): [_text(p) for p in ps] for s, ps in drivers.items() if isinstance(ps, list)}
    _complete_processes(records)
    return records


def _complete_processes(records: RunRecords) -> None:
    """Add the processes that only deopts or events name, and give each its losses and score."""
    known = {p["process_id"]: p for p in records.processes}
    for row in (*records.deopts, *records.events):
        if row["process_id"] not in known and row["process_id"] == 0 and row["kind"] in ("compile", "cache_hit", "install", "tier", "evict"):
            known[0] = {"process_id": 0, "name": "compiler", "definition": "compiler", "tier": "", "activations": 0, "tier_ns": {}, "lost_ns": 0}
            records.processes.append(known[0])
        elif row["process_id"] not in known:
            known[row["process_id"]] = process = {
                "process_id": row["process_id"], "name": row["process"], "definition": row["definition"] or row["process"], "tier": "interpret",
                "activations": 0, "tier_ns": {}, "lost_ns": -1,
            }
            records.processes.append(process)
    counts: dict[int, int] = {}
    score: dict[int, float] = {}
    cost: dict[int, int] = {}
    for row in records.deopts:
        pid = row["process_id"]
        counts[pid] = counts.get(pid, 0) + 1
        score[pid] = score.get(pid, 0) + SEVERITY.get(row["kind"], 2)
        cost[pid] = cost.get(pid, 0) + row["cost_ns"]
    for process in records.processes:
        pid = process["process_id"]
        process["deopts"] = counts.get(pid, 0)
        if process["lost_ns"] <= 0:
            # Without the simulator's own figure: the transfers, and the interpreted time of a process that has ever left native code.
            process["lost_ns"] = cost.get(pid, 0) + (process["tier_ns"].get("interpret", 0) if counts.get(pid) else 0)
        process["score"] = round(score.get(pid, 0) + process["lost_ns"] / 1e6, 2)
