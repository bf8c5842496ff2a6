"""Compare two indexed waveforms over the whole run: where, signal by signal, their values differ.

Both dumps hold one sample per signal and time and no redundant ones, so two equal behaviours have equal columns; only
signals whose columns differ are walked. A difference is a half-open interval [from, to) in which the values differ.
Signals are matched by hierarchical name without ranges; if the two tops have different names and nothing matches, the top is left out.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wasmjit_api.waves.index import WaveIndex

MAX_INTERVALS = 5000
"""Intervals kept per signal; the count goes on."""
MAX_TOTAL = 200_000
"""Intervals kept of all signals together; the later ones of the signals that differ most are left out first."""


def paths_of(index: WaveIndex, skip: int = 0) -> dict[str, int]:
    """Signal number by hierarchical name (`tb.dut.clk`), leaving out `skip` outer scopes."""
    out: dict[str, int] = {}
    for path, signal in index.paths():
        out.setdefault(".".join(path[skip:]), signal)
    return out


def match_signals(a: WaveIndex, b: WaveIndex) -> tuple[dict[str, tuple[int, int]], list[str], list[str]]:
    """Common signals by name (as A spells it), and the names only in A and only in B."""
    in_a, in_b = paths_of(a), paths_of(b)
    if not in_a.keys() & in_b.keys():
        short_b = paths_of(b, 1)
        full = {path.split(".", 1)[-1]: path for path in in_a}
        in_b = {full.get(path, path): signal for path, signal in short_b.items()}
    common = {path: (in_a[path], in_b[path]) for path in in_a if path in in_b}
    return common, [p for p in in_a if p not in in_b], [p for p in in_b if p not in in_a]


def _same_columns(a: WaveIndex, signal_a: int, b: WaveIndex, signal_b: int) -> bool:
    first_a, count_a = a.signals[signal_a][:2]
    first_b, count_b = b.signals[signal_b][:2]
    if count_a != count_b or a.times[first_a : first_a + count_a] != b.times[first_b : first_b + count_b]:
        return False
    seen: dict[tuple[int, int], bool] = {}
    for ref_a, ref_b in zip(a.refs[first_a : first_a + count_a], b.refs[first_b : first_b + count_b], strict=True):
        pair = (ref_a, ref_b)
        same = seen.get(pair)
        if same is None:
            same = seen[pair] = a.text(ref_a) == b.text(ref_b)
        if not same:
            return False
    return True


def differences(a: WaveIndex, signal_a: int, b: WaveIndex, signal_b: int, t_end: int) -> tuple[list[list[int]], int]:
    """Intervals [from, to) in which the two values differ, at most MAX_INTERVALS, and how many there are."""
    first_a, count_a = a.signals[signal_a][:2]
    first_b, count_b = b.signals[signal_b][:2]
    i, end_a, j, end_b = first_a, first_a + count_a, first_b, first_b + count_b
    value_a = value_b = -1
    intervals: list[list[int]] = []
    total = 0
    start = -1
    seen: dict[tuple[int, int], bool] = {}
    never = 1 << 64
    while i < end_a or j < end_b:
        t_a = a.times[i] if i < end_a else never
        t_b = b.times[j] if j < end_b else never
        now = min(t_a, t_b)
        if t_a == now:
            value_a = a.refs[i]
            i += 1
        if t_b == now:
            value_b = b.refs[j]
            j += 1
        pair = (value_a, value_b)
        same = seen.get(pair)
        if same is None:
            same = seen[pair] = value_a >= 0 and value_b >= 0 and a.text(value_a) == b.text(value_b)
        if same and start >= 0:
            total += 1
            if len(intervals) < MAX_INTERVALS:
                intervals.append([start, now])
            start = -1
        elif not same and start < 0:
            start = now
    if start >= 0:
        total += 1
        intervals.append([start, max(t_end, start + 1)])
    return intervals, total


def compare_indexes(a: WaveIndex, b: WaveIndex) -> dict[str, Any]:
    """The whole comparison: signals that differ, ranked by their first difference, and what only one side has."""
    common, only_a, only_b = match_signals(a, b)
    t_end = max(a.t_end, b.t_end)
    rows = []
    done: dict[tuple[int, int], tuple[list[list[int]], int] | None] = {}
    for path, (signal_a, signal_b) in common.items():
        key = (signal_a, signal_b)
        if key not in done:
            done[key] = None if _same_columns(a, signal_a, b, signal_b) else differences(a, signal_a, b, signal_b, t_end)
        found = done[key]
        if found is not None and found[1]:
            intervals, total = found
            first = intervals[0][0]
            rows.append({
                "signal": path, "a": signal_a, "b": signal_b, "total": total, "first": first, "intervals": intervals,
                "value_a": a.value_at(signal_a, first), "value_b": b.value_at(signal_b, first), "width": a.signals[signal_a][4],
            })
    rows.sort(key=lambda row: (row["first"], row["signal"]))
    keep = MAX_INTERVALS
    while keep > 1 and sum(min(keep, len(row["intervals"])) for row in rows) > MAX_TOTAL:
        keep //= 2
    for row in rows:
        del row["intervals"][keep:]
    return {
        "equal": not rows and not only_a and not only_b, "signals_compared": len(common), "differing": rows, "only_a": sorted(only_a), "only_b": sorted(only_b),
        "t_begin": min(a.t_begin, b.t_begin), "t_end": t_end, "first": rows[0]["first"] if rows else None,
        "end_a": a.t_end, "end_b": b.t_end, "hint": _hint(a.t_end, b.t_end, len(common), bool(rows)),
    }


def _hint(end_a: int, end_b: int, common: int, differ: bool) -> str | None:
    """What most likely went wrong when two dumps cannot sensibly be compared; None when nothing did."""
    if not common:
        return "no signal has the same hierarchical name in both: compare dumps of the same test bench"
    short, long = sorted((end_a, end_b))
    power = len(str(long)) - len(str(short))
    if differ and short and power >= 3 and short * 10**power == long:
        return (
            f"the run of {'B' if long == end_b else 'A'} ends 10^{power} times as late: its simulator counted in another unit. "
            "Give it the same time scale (for example `timescale 1ns/1ns` before its sources) and compare again"
        )
    return None


def write_difference(a: Path, b: Path, out: Path) -> None:
    """Compare the index directories `a` and `b` and write the result as JSON."""
    out.write_text(json.dumps(compare_indexes(WaveIndex(a), WaveIndex(b)), separators=(",", ":")), encoding="utf-8")
