"""The formats behind the export routes."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from wasmjit_api.waves.index import WaveIndex

from wasmjit.waves.fst import FstWriter
from wasmjit.waves.model import ScopeDecl, Value, VarDecl, WaveWriter
from wasmjit.waves.vcd import VcdWriter

_TIER_NUMBER = {"interpret": 0, "compile": 1, "optimise": 2}


def perfetto_events(run: dict[str, Any], processes: list[dict[str, Any]], events: list[dict[str, Any]]) -> dict[str, Any]:
    """Chrome trace events: one track per process with a slice per tier, compile slices and deopt instants. Times: µs of wall clock."""
    names = {p["process_id"]: p for p in processes}
    end_ns = max([int(run["run_wall_ms"] * 1e6), *(e["wall_ns"] + e["dur_ns"] for e in events)])
    out: list[dict[str, Any]] = [{"ph": "M", "pid": 1, "name": "process_name", "args": {"name": f"{run['design']} ({run['mode']})"}}]
    for rank, process in enumerate(processes):
        tid = process["process_id"]
        out.append({"ph": "M", "pid": 1, "tid": tid, "name": "thread_name", "args": {"name": process["name"]}})
        out.append({"ph": "M", "pid": 1, "tid": tid, "name": "thread_sort_index", "args": {"sort_index": rank}})
    current: dict[int, tuple[str, int]] = {pid: ("interpret", 0) for pid in names if pid}
    for event in sorted(events, key=lambda e: e["wall_ns"]):
        pid, wall = event["process_id"], event["wall_ns"]
        args = {"simulation time fs": event["time_fs"], "definition": names.get(pid, {}).get("definition", "")}
        if event["kind"] in ("compile", "cache_hit"):
            out.append({"ph": "X", "pid": 1, "tid": pid, "cat": "compile", "name": f"{event['kind']} ({event['tier']})", "ts": wall / 1e3, "dur": event["dur_ns"] / 1e3, "args": args})
            continue
        out.append({"ph": "i", "s": "t", "pid": 1, "tid": pid, "cat": event["kind"], "name": event["kind"], "ts": wall / 1e3, "args": args})
        tier = event["tier"]
        old, since = current.get(pid, ("interpret", 0))
        if tier != old:
            out.append({"ph": "X", "pid": 1, "tid": pid, "cat": "tier", "name": old, "ts": since / 1e3, "dur": (wall - since) / 1e3})
            current[pid] = (tier, wall)
    for pid, (tier, since) in current.items():
        out.append({"ph": "X", "pid": 1, "tid": pid, "cat": "tier", "name": tier, "ts": since / 1e3, "dur": max(0, end_ns - since) / 1e3})
    return {"traceEvents": out, "displayTimeUnit": "ns", "otherData": {"run": run["id"], "tool": "wasmjit"}}


def timeline_vcd(processes: list[dict[str, Any]], events: list[dict[str, Any]]) -> str:
    """Per process `tier` (2 bits: 0 interpret, 1 compile, 2 optimise) and a `deopt` event, on the simulation's time axis in fs."""
    lines = ["$timescale 1 fs $end", "$scope module wasmjit $end"]
    codes: dict[int, tuple[str, str]] = {}
    for n, process in enumerate(p for p in processes if p["process_id"]):
        codes[process["process_id"]] = (_code(2 * n), _code(2 * n + 1))
        name = "".join(c if c.isalnum() or c in "_$." else "_" for c in process["name"]) or f"p{process['process_id']}"
        tier, deopt = codes[process["process_id"]]
        lines += [f"$scope module {name} $end", f"$var wire 2 {tier} tier [1:0] $end", f"$var event 1 {deopt} deopt $end", "$upscope $end"]
    lines += ["$upscope $end", "$enddefinitions $end", "#0", "$dumpvars", *(f"b0 {tier}" for tier, _ in codes.values()), "$end"]
    now = 0
    for event in sorted(events, key=lambda e: e["time_fs"]):
        if event["kind"] in ("compile", "cache_hit") or event["process_id"] not in codes:
            continue
        if event["time_fs"] > now:
            now = event["time_fs"]
            lines.append(f"#{now}")
        tier, deopt = codes[event["process_id"]]
        number = _TIER_NUMBER.get(event["tier"], 1)
        lines.append(f"b{number:b} {tier}")
        if event["kind"] == "deopt":
            lines.append(f"1{deopt}")
    return "\n".join(lines) + "\n"


def _code(n: int) -> str:
    out = ""
    while True:
        out += chr(33 + n % 94)
        n //= 94
        if not n:
            return out
        n -= 1


def _value(text: str, kind: str, width: int) -> Value:
    """A canonical pool text as writers take it: int when all bits are known, else exactly `width` characters."""
    if kind == "real":
        return float(text)
    if kind == "string":
        return text[1:]
    if not text.strip("01"):
        return int(text, 2)
    fill = text[0] if text[0] in "xz" else "0"
    return text.rjust(width, fill)


def write_selection(index: WaveIndex, path: Path, chosen: set[int] | None, t0: int, t1: int) -> None:
    """Write the signals `chosen` (None: all) over [t0, t1] as `path`'s suffix says, with the hierarchy they stand in."""
    meta = index.meta
    inside: dict[int, list[VarDecl]] = defaultdict(list)
    numbers: set[int] = set()
    for name, kind, width, signal, scope, left, right in meta["vars"]:
        if chosen is None or signal in chosen:
            numbers.add(signal)
            known = kind if kind in _KINDS else "wire"
            inside[scope].append(VarDecl(name, known, max(1, width), signal, left, right))
    children: dict[int, list[int]] = defaultdict(list)
    for n, (_name, _kind, parent) in enumerate(meta["scopes"]):
        children[parent].append(n)

    def scope_of(n: int) -> ScopeDecl | None:
        below = tuple(s for child in children[n] if (s := scope_of(child)) is not None)
        return ScopeDecl(meta["scopes"][n][0], "module", tuple(inside[n]), below) if below or inside[n] else None

    scopes = [s for n in children[-1] if (s := scope_of(n)) is not None]
    if inside[-1]:
        scopes.append(ScopeDecl("top", "module", tuple(inside[-1])))
    writer: WaveWriter = FstWriter(str(path)) if path.suffix == ".fst" else VcdWriter(str(path))
    writer.declare(scopes)
    changes: list[tuple[int, int, int]] = []
    for signal in numbers:
        first, _count, _fx, _cx, width, kind = index.signals[signal]
        i, j = index.changes_between(signal, t0, t1)
        if i - 1 >= first:
            changes.append((t0, signal, index.refs[i - 1]))
        changes += ((index.times[k], signal, index.refs[k]) for k in range(i, j))
    changes.sort()
    for time, signal, ref in changes:
        _first, _count, _fx, _cx, width, kind = index.signals[signal]
        writer.change(time, signal, _value(index.text(ref), kind, width))
    writer.close(t1)


_KINDS = frozenset(
    ["event", "integer", "parameter", "real", "realtime", "reg", "supply0", "supply1", "time", "tri", "triand", "trior", "trireg", "tri0", "tri1", "wand", "wire", "wor", "string"]
)


def _names(index: WaveIndex) -> dict[int, str]:
    """Hierarchical name of each signal with its range, the first declared of its aliases."""
    scopes: list[str] = []
    for name, _kind, parent in index.meta["scopes"]:
        scopes.append(f"{scopes[parent]}.{name}" if parent >= 0 else name)
    out: dict[int, str] = {}
    for name, _kind, _width, signal, scope, left, right in index.meta["vars"]:
        bounds = f"[{left}:{right}]" if left is not None else ""
        out.setdefault(signal, f"{scopes[scope]}.{name}{bounds}" if scope >= 0 else name + bounds)
    return out


def gtkw_text(index: WaveIndex, source: Path, signals: list[int], cursor: int) -> str:
    """A GTKWave save file that shows `signals` with the marker at `cursor` (fs)."""
    names = _names(index)
    scale = index.meta["scale_fs"]
    lines = ["[*] wasmjit dashboard", f'[dumpfile] "{source}"', f"[timestart] {index.t_begin // scale}", f"*-20.000000 {cursor // scale} -1 -1", "[sst_expanded] 1"]
    for signal in signals:
        lines += ["@22" if index.signals[signal][4] > 1 else "@28", names.get(signal, f"signal_{signal}")]
    return "\n".join(lines) + "\n"


def surfer_commands(index: WaveIndex, source: Path, signals: list[int], cursor: int) -> str:
    """A Surfer command file that loads the dump, shows `signals` and puts the cursor at `cursor`."""
    names = _names(index)
    lines = [f"load_file {source}"]
    lines += [f"variable_add {names[signal].split('[')[0]}" for signal in signals if signal in names]
    lines += ["zoom_fit", f"goto_time {cursor // index.meta['scale_fs']}"]
    return "\n".join(lines) + "\n"
