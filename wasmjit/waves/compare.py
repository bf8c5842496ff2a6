"""Comparison of two waveforms, signal by signal over the whole run."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from wasmjit.data import dataclass
from wasmjit.waves.data import Sample, Signal, WaveData, same_sample

_RANGE = re.compile(r"\s*\[\s*-?\d+\s*:\s*-?\d+\s*\]\Z")

NameMap = Mapping[str, str] | Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. `kind`: 'missing_in_a', 'missing_in_b', 'width' (both with time None; values tell the declarations) or 'value'.

    A value difference is an interval [time_fs, until_fs) in which the values differ; a_value/b_value are those at its begin (None: no value yet).
    until_fs is None when it lasts to the end.
    """

    kind: str
    time_fs: int | None
    signal: str
    a_value: Sample | None
    b_value: Sample | None
    until_fs: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain data, in the order of the fields."""
        return {
            "kind": self.kind,
            "time_fs": self.time_fs,
            "signal": self.signal,
            "a_value": _json_value(self.a_value),
            "b_value": _json_value(self.b_value),
            "until_fs": self.until_fs,
        }


@dataclass(frozen=True, slots=True)
class Window:
    """Times [start_fs, end_fs] that are compared; end_fs None: to the end."""

    start_fs: int = 0
    end_fs: int | None = None


WHOLE_RUN = Window()


def _json_value(value: Sample | None) -> Sample | None:
    """JSON has no NaN and no infinities."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def normalise_name(name: str) -> str:
    """One spelling per signal: no escapes, no white space, no `[31:0]` range; `[3]` stays, it names an element."""
    name = _RANGE.sub("", name.strip())
    return ".".join(part.strip().removeprefix("\\") for part in name.split("."))


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a full name matches one of the globs (`*`, `?`); brackets are literal, since names hold them."""
    return any(fnmatchcase(name, pattern.replace("[", "[[]")) for pattern in patterns)


def compare(
    a: WaveData,
    b: WaveData,
    signals: Iterable[str] | None = None,
    name_map: NameMap | None = None,
    ignore_initial: bool = False,
    window: Window = WHOLE_RUN,
    max_per_signal: int = 10,
) -> list[Difference]:
    """All differences between two waveforms: missing signals and unequal widths first, then values by time.

    `signals`: globs over the names of `a`. `name_map` turns a name of `b` into the one of `a`; a mapping may also give scope prefixes (`TOP.top`
    → `top`). `ignore_initial`: a difference that exists from the first sample on counts only from the next change of either signal.
    At most `max_per_signal` intervals are listed per signal.
    """
    wanted = None if signals is None else [normalise_name(s) for s in signals]
    left = _index(a, None)
    right = _index(b, name_map)
    names = {n for n in (*left, *right) if wanted is None or matches(n, wanted)}
    bit_groups_a, bit_groups_b = _bit_groups(left), _bit_groups(right)
    found: list[Difference] = []
    done: dict[tuple[int, int], list[Difference]] = {}
    for name in sorted(names):
        sa, sb = left.get(name), right.get(name)
        if sa is None or sb is None:
            base = name.rpartition("[")[0]
            # A vector on one side may be single bits on the other: compared as a vector, so the bits are not reported as missing.
            if (sa is None and base in left and base in bit_groups_b) or (sb is None and base in right and base in bit_groups_a):
                continue
            rows = _joined(a, left, bit_groups_a, name, sb) if sa is None and sb is not None else None
            if rows is None and sa is not None:
                rows = _joined(b, right, bit_groups_b, name, sa)
            if rows is None:
                kind = "missing_in_a" if sa is None else "missing_in_b"
                found.append(Difference(kind, None, name, _shape(sa), _shape(sb)))
                continue
            ra = rows if sa is None else (a.times[sa.index], a.values[sa.index])
            rb = rows if sb is None else (b.times[sb.index], b.values[sb.index])
            found.extend(_value_differences(name, ra, rb, False, ignore_initial, window, max_per_signal))
            continue
        event = sa.kind == "event"
        if sa.width != sb.width or event != (sb.kind == "event"):
            found.append(Difference("width", None, name, _shape(sa), _shape(sb)))
            continue
        key = (sa.index, sb.index)
        if key in done:
            # Aliases share their samples, so also their differences.
            found.extend(Difference(d.kind, d.time_fs, name, d.a_value, d.b_value, d.until_fs) for d in done[key])
            continue
        ra = a.times[sa.index], a.values[sa.index]
        rb = b.times[sb.index], b.values[sb.index]
        done[key] = [] if ra == rb else _value_differences(name, ra, rb, event, ignore_initial, window, max_per_signal)
        found.extend(done[key])
    found.sort(key=lambda d: (-1 if d.time_fs is None else d.time_fs, d.signal))
    return found


_Rows = tuple[list[int], list[Sample]]


def _index(wave: WaveData, name_map: NameMap | None) -> dict[str, Signal]:
    index: dict[str, Signal] = {}
    for signal in wave.signals:
        index.setdefault(_mapped(normalise_name(signal.name), name_map), signal)
    return index


def _mapped(name: str, name_map: NameMap | None) -> str:
    if name_map is None:
        return name
    if callable(name_map):
        return name_map(name)
    if name in name_map:
        return name_map[name]
    for old in sorted(name_map, key=len, reverse=True):
        if old == "":
            return f"{name_map[old]}.{name}"
        if name.startswith(old + "."):
            return (name_map[old] + name[len(old) :]).removeprefix(".")
    return name


def _shape(signal: Signal | None) -> str | None:
    return None if signal is None else f"{signal.kind} of {signal.width} bits"


def _bit_groups(index: Mapping[str, Signal]) -> dict[str, dict[int, Signal]]:
    """One-bit signals `v[0]`, `v[1]`, … by their vector's name."""
    groups: dict[str, dict[int, Signal]] = {}
    for name, signal in index.items():
        base, bracket, bit = name.rpartition("[")
        if bracket and signal.width == 1 and bit.endswith("]") and bit[:-1].isdecimal() and len(bit) < 9:
            groups.setdefault(base, {})[int(bit[:-1])] = signal
    return groups


def _joined(
    wave: WaveData, index: Mapping[str, Signal], groups: Mapping[str, dict[int, Signal]], name: str, vector: Signal
) -> _Rows | None:
    """The vector `name` put together from single bits of `wave`, when it has all of them."""
    bits = groups.get(name)
    if name in index or bits is None or vector.kind == "event" or len(bits) != vector.width:
        return None
    low = min(bits)
    if max(bits) - low + 1 != vector.width:
        return None
    rising = vector.left is not None and vector.right is not None and vector.left < vector.right
    order = sorted(bits, reverse=not rising)
    state: list[Sample] = ["x"] * vector.width
    events: dict[int, list[tuple[int, Sample]]] = {}
    for place, bit in enumerate(order):
        for time, value in wave.changes(bits[bit]):
            events.setdefault(time, []).append((place, value))
    times = sorted(events)
    values: list[Sample] = []
    for time in times:
        for place, value in events[time]:
            state[place] = value
        values.append("".join(map(str, state)))
    return times, values


def _value_differences(
    name: str, a: _Rows, b: _Rows, event: bool, ignore_initial: bool, window: Window, limit: int
) -> list[Difference]:
    if event:
        return list(_event_differences(name, a[0], b[0], window, limit))
    found: list[Difference] = []
    open_at: tuple[int, Sample | None, Sample | None] | None = None
    start, end = window.start_fs, window.end_fs
    initial = ignore_initial
    first_time: int | None = None
    for time, va, vb in _merged(a, b):
        if end is not None and time > end:
            break
        if first_time is None:
            first_time = time
        elif initial and time > first_time:
            initial = False
        same = same_sample(va, vb)
        if open_at is not None and (same or (va, vb) != open_at[1:]):
            began, wa, wb = open_at
            open_at = None
            if time > start:
                found.append(Difference("value", max(began, start), name, wa, wb, time))
                if len(found) >= limit:
                    return found
        if not same and not initial and open_at is None:
            open_at = time, va, vb
    if open_at is not None:
        began, wa, wb = open_at
        found.append(Difference("value", max(began, start), name, wa, wb, None))
    return found[:limit]


def _merged(a: _Rows, b: _Rows) -> Iterator[tuple[int, Sample | None, Sample | None]]:
    """Both values after every time at which one of them changes."""
    (ta, va), (tb, vb) = a, b
    i = j = 0
    na, nb = len(ta), len(tb)
    x: Sample | None = None
    y: Sample | None = None
    while i < na or j < nb:
        time = min(ta[i] if i < na else tb[j], tb[j] if j < nb else ta[i])
        if i < na and ta[i] == time:
            x = va[i]
            i += 1
        if j < nb and tb[j] == time:
            y = vb[j]
            j += 1
        yield time, x, y


def _event_differences(name: str, a: list[int], b: list[int], window: Window, limit: int) -> Iterator[Difference]:
    in_a, in_b = set(a), set(b)
    for time in sorted(in_a ^ in_b):
        if time < window.start_fs or (window.end_fs is not None and time > window.end_fs):
            continue
        if limit <= 0:
            return
        limit -= 1
        yield Difference("value", time, name, "1" if time in in_a else None, "1" if time in in_b else None, time)
