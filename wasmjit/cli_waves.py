"""`wasmjit waves diff A B | info A | convert A B`.

Exit status: 0 equal (or done), 1 different, 2 unreadable file or wrong arguments.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from wasmjit.waves.compare import Difference, Window, compare
from wasmjit.waves.convert import select, write_wave
from wasmjit.waves.data import WaveData
from wasmjit.waves.model import WaveError, format_time, parse_time
from wasmjit.waves.read import open_wave


def add_parser(subparsers: Any) -> None:
    """Register the `waves` subcommand with an argparse sub-parser action."""
    parser = subparsers.add_parser("waves", help="compare, inspect and convert VCD and FST files")
    actions = parser.add_subparsers(dest="waves_action", required=True, metavar="diff|info|convert")
    diff = actions.add_parser("diff", help="compare two waveforms over the whole run; exit status 1 when they differ")
    diff.add_argument("a", metavar="A", help="VCD or FST")
    diff.add_argument("b", metavar="B", help="VCD or FST")
    diff.add_argument("--map", action="append", default=[], metavar="OLD=NEW", help="name or scope prefix of B and what it is called in A (repeatable)")
    diff.add_argument("--ignore-initial", action="store_true", help="ignore values that only differ until the first change")
    diff.add_argument("--ignore-missing", action="store_true", help="compare only what both files have")
    diff.add_argument("--limit", type=int, default=20, metavar="N", help="differences printed (20; 0: all)")
    diff.add_argument("--per-signal", type=int, default=10, metavar="N", help="differences listed per signal (10)")
    info = actions.add_parser("info", help="what a waveform file holds")
    info.add_argument("a", metavar="A", help="VCD or FST")
    convert = actions.add_parser("convert", help="write A as the format named by B's suffix (.vcd, .fst)")
    convert.add_argument("a", metavar="A", help="VCD or FST")
    convert.add_argument("b", metavar="B", help="new file, VCD or FST by suffix")
    convert.add_argument("--timescale", help="unit of time of the new file, e.g. 1ps (default: as in A)")
    for action in (diff, info, convert):
        action.add_argument("--signal", action="append", metavar="GLOB", help="only signals whose full name matches (repeatable)")
        action.add_argument("--from", dest="start", default="0", metavar="TIME", help="start of the time window, e.g. 10ns (plain numbers are fs)")
        action.add_argument("--to", dest="end", metavar="TIME", help="end of the time window")
        action.add_argument("--tolerant", action="store_true", help="read a damaged VCD up to the damage")
        action.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Run the subcommand; returns the exit status."""
    try:
        window = Window(parse_time(args.start), None if args.end is None else parse_time(args.end))
        if args.waves_action == "diff":
            return _diff(args, window)
        if args.waves_action == "info":
            return _info(args, window)
        return _convert(args, window)
    except (WaveError, ValueError) as exc:
        print(f"[wasmjit] error: {exc}", file=sys.stderr)
        return 2


def _open(path: str, args: argparse.Namespace) -> WaveData:
    data = open_wave(path, tolerant=args.tolerant)
    if data.truncated:
        print(f"[wasmjit] Warning: {data.truncated}; read up to {format_time(data.end_fs)}", file=sys.stderr)
    return data


def _diff(args: argparse.Namespace, window: Window) -> int:
    name_map: dict[str, str] = {}
    for pair in args.map:
        old, equals, new = pair.partition("=")
        if not equals:
            raise ValueError(f"expected --map OLD=NEW but got {pair!r}")
        name_map[old] = new
    a, b = _open(args.a, args), _open(args.b, args)
    found = compare(a, b, args.signal, name_map or None, args.ignore_initial, window, max(args.per_signal, 1))
    if args.ignore_missing:
        found = [d for d in found if not d.kind.startswith("missing")]
    shown = found if args.limit <= 0 else found[: args.limit]
    if args.json:
        print(json.dumps({"equal": not found, "differences_total": len(found), "differences": [d.as_json() for d in shown]}, indent=2))
    else:
        for difference in shown:
            print(describe(difference))
        if not found:
            print(f"equal: {len(a.signals)} signals, {a.change_count} changes, to {format_time(a.end_fs)}")
        else:
            print(f"{len(found)} differences in {len({d.signal for d in found})} signals" + (f"; {len(shown)} shown" if len(shown) < len(found) else ""))
    return 1 if found else 0


def describe(d: Difference) -> str:
    """One line for people."""
    if d.time_fs is None:
        if d.kind == "width":
            return f"{d.signal}: {d.a_value} in A, {d.b_value} in B"
        return f"{d.signal}: missing in {'A' if d.kind == 'missing_in_a' else 'B'}"
    until = "the end" if d.until_fs is None else format_time(d.until_fs)
    a = "no value" if d.a_value is None else d.a_value
    b = "no value" if d.b_value is None else d.b_value
    return f"{format_time(d.time_fs)}: {d.signal}: A={a} B={b} (until {until})"


def _info(args: argparse.Namespace, window: Window) -> int:
    data = _open(args.a, args)
    shown = select(data, args.signal)

    def changes(index: int) -> int:
        times = data.times[index]
        return sum(window.start_fs <= t and (window.end_fs is None or t <= window.end_fs) for t in times)

    rows = [
        {"name": s.name, "kind": s.kind, "width": s.width, "left": s.left, "right": s.right, "changes": changes(s.index)} for s in shown.signals
    ]
    if args.json:
        summary = {
            "path": data.path, "format": data.format, "timescale_fs": data.timescale_fs, "start_fs": data.start_fs, "end_fs": data.end_fs,
            "signals_total": len(data.signals), "changes_total": data.change_count, "truncated": data.truncated, "signals": rows,
        }  # fmt: skip
        print(json.dumps(summary, indent=2))
        return 0
    print(f"{data.path}: {data.format}, time unit {format_time(data.timescale_fs)}, {format_time(data.start_fs)} to {format_time(data.end_fs)}")
    print(f"{len(data.signals)} signals, {data.change_count} changes")
    for row in rows:
        bounds = f" [{row['left']}:{row['right']}]" if row["left"] is not None else ""
        print(f"  {row['name']}{bounds}  {row['kind']} {row['width']}  {row['changes']} changes")
    return 0


def _convert(args: argparse.Namespace, window: Window) -> int:
    data = select(_open(args.a, args), args.signal)
    if not data.signals:
        raise WaveError(f"{args.a}: no signal matches {' '.join(args.signal or ['*'])}")
    write_wave(data, args.b, window, args.timescale)
    if args.json:
        print(json.dumps({"path": args.b, "signals_total": len(data.signals)}, indent=2))
    return 0
