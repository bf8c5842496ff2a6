"""Read the index of a waveform: windows down-sampled to pixels, values, edges and value search.

The arrays stay in the page cache (mmap). Windows with many changes are computed by `arena`, the others here. A window costs
O(pixels · log changes) per signal, whatever the length of the dump.
"""

from __future__ import annotations

import itertools
import json
import math
import mmap
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wasmjit_api.waves.arena import arena
from wasmjit_api.waves.scan import DENSE, DENSE_X, NARROW

_FEW = 48
"""Changes in a window below which a row is not worth copying its signal into the arena."""
_READABLE = 3
"""Pixels below which the text of a value is not sent."""
_owners = itertools.count()


class WaveIndex:
    """An index directory, open. Thread-safe: only immutable maps and a locked cache.

    Times are fs. A signal is named by its number; `signals[n]` is (first, count, first_x, count_x, width, kind).
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.meta: dict[str, Any] = json.loads((directory / "meta.json").read_text(encoding="utf-8"))
        self.signals: list[list[Any]] = self.meta["signals"]
        self.t_begin: int = self.meta["t_begin"]
        self.t_end: int = self.meta["t_end"]
        self._maps: list[mmap.mmap] = []
        self.times = self._map("times.bin").cast("Q")
        self.refs = self._map("refs.bin").cast("I")
        self.xs = self._map("xs.bin").cast("I")
        self.offsets = self._map("pool.off").cast("Q")
        self.numbers = self._map("pool.num").cast("d")
        self.pool = self._map("pool.bin")
        self._owner = next(_owners)
        self._names: dict[str, int] | None = None

    def _map(self, name: str) -> memoryview:
        path = self.directory / name
        if not path.stat().st_size:
            return memoryview(b"")
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._maps.append(mapped)
        return memoryview(mapped)

    def paths(self) -> Iterator[tuple[tuple[str, ...], int]]:
        """Hierarchical name, outermost first, and signal number of every variable."""
        names: list[tuple[str, ...]] = []
        for name, _kind, parent in self.meta["scopes"]:
            names.append((*names[parent], name) if parent >= 0 else (name,))
        for name, _kind, _width, signal, scope, *_range in self.meta["vars"]:
            yield ((*names[scope], name) if scope >= 0 else (name,)), signal

    def number(self, path: str) -> int | None:
        """Number of the signal with a hierarchical name (dots between the parts)."""
        if self._names is None:
            names: dict[str, int] = {}
            for words, signal in self.paths():
                names.setdefault(".".join(words), signal)
            self._names = names
        return self._names.get(path)

    def aliases(self, path: str) -> list[str]:
        """Other names of the signal with this name, as the dump declares them."""
        number = self.number(path)
        return [other for other, signal in (self._names or {}).items() if signal == number and other != path] if number is not None else []

    def last_change(self, signal: int, time: int) -> int | None:
        """Time of the last change not after `time`, None if there is none."""
        position = self._locate(signal, time)
        return self.times[position] if position >= self.signals[signal][0] else None

    def text(self, ref: int) -> str:
        """The value numbered `ref`, canonical (see `build`); strings begin with a quotation mark."""
        return bytes(self.pool[self.offsets[ref] : self.offsets[ref + 1]]).decode("utf-8", "replace")

    def _locate(self, signal: int, time: int) -> int:
        """Absolute position of the last change at or before `time`; first-1 if there is none."""
        first, count = self.signals[signal][:2]
        return bisect_right(self.times, time, first, first + count) - 1

    def value_at(self, signal: int, time: int) -> str | None:
        """The value at `time`, or None before the first sample."""
        position = self._locate(signal, time)
        return self.text(self.refs[position]) if position >= self.signals[signal][0] else None

    def window(self, signal: int, t0: int, t1: int, pixels: int, full: bool = False) -> dict[str, Any]:
        """What a row of `pixels` columns shows of [t0, t1].

        `t`: times at which the picture changes; `v`: the value text from there on, or for a stretch with several changes per pixel
        an integer: 1..7 = log2 of the changes per pixel, plus DENSE_X if x or z occurs. NARROW is a known value of several bits on less than
        _READABLE pixels, where nobody can read it; with `full` its text is there too.
        """
        first, count, first_x, count_x, width, kind = self.signals[signal]
        narrow = 0 if full or kind != "bits" or width == 1 else -(-_READABLE * max(1, t1 - t0) // pixels)
        i, j = self.changes_between(signal, t0, t1)
        if j - i < _FEW or 12 * count + 16 > arena().capacity:
            times, items = self.window_items(signal, t0, t1, pixels, narrow)
        else:
            times, items = arena().window(self._owner, signal, self.times[first : first + count], self.xs[first_x : first_x + count_x], t0, max(t1, t0 + 1), pixels, narrow)
        refs, pool, offsets = self.refs, self.pool, self.offsets
        values: list[str | int]
        if width == 1 and kind == "bits":
            texts: dict[int, str] = {}
            values = [item - DENSE if item >= DENSE else texts.get(ref := refs[first + item]) or texts.setdefault(ref, self.text(ref)) for item in items]
        else:
            values = [item - DENSE if item >= DENSE else str(pool[offsets[(ref := refs[first + item])] : offsets[ref + 1]], "utf-8", "replace") for item in items]
        return {"s": signal, "w": width, "k": kind, "t": times, "v": values}

    def window_items(self, signal: int, t0: int, t1: int, pixels: int, narrow: int = 0) -> tuple[list[int], list[int]]:
        """`scan.w_window` as CPython runs it over the mapped arrays: for rows with few changes, signals that are too large for the arena, and as its reference."""
        first, count, first_x, count_x = self.signals[signal][:4]
        end = first + count
        times = self.times
        out_t: list[int] = []
        out_v: list[int] = []
        span = max(1, t1 - t0)
        i = bisect_right(times, t0, first, end) - 1
        if i >= first:
            out_t.append(t0)
            out_v.append(i - first)
        i += 1
        pending = -1  # position of the value that holds after a dense stretch, -1 none
        pending_t = 0
        while i < end:
            t = times[i]
            if t > t1:
                break
            column = (t - t0) * pixels // span
            edge = t0 + -(-(column + 1) * span // pixels)
            j = i + 1
            if j < end and times[j] < edge:
                step = 2
                while j + step < end and times[j + step] < edge:
                    step *= 2
                j = bisect_left(times, edge, j, min(end, j + step + 1))
            if j == i + 1:
                if pending >= 0 and pending_t < t:
                    out_t.append(pending_t)
                    out_v.append(pending - first)
                pending = -1
                out_t.append(t)
                short = narrow and j < end and times[j] - t < narrow
                if short and count_x:
                    x = bisect_left(self.xs, i - first, first_x, first_x + count_x)
                    short = x == first_x + count_x or self.xs[x] != i - first
                out_v.append(DENSE + NARROW if short else i - first)
            else:
                begin = t0 + -(-column * span // pixels)
                code = DENSE + min(7, (j - i).bit_length() - 1)
                if count_x:
                    x = bisect_left(self.xs, i - first, first_x, first_x + count_x)
                    if x < first_x + count_x and self.xs[x] < j - first:
                        code += DENSE_X
                if pending >= 0 and pending_t < begin:
                    out_t.append(pending_t)
                    out_v.append(pending - first)
                    pending = -1
                if not (pending >= 0 and out_v and out_v[-1] == code):
                    out_t.append(max(begin, t0))
                    out_v.append(code)
                pending, pending_t = j - 1, edge
            i = j
        if pending >= 0 and pending_t < t1:
            out_t.append(pending_t)
            out_v.append(pending - first)
        return out_t, out_v

    def changes_between(self, signal: int, t0: int, t1: int) -> tuple[int, int]:
        """Positions [i, j) of the changes with t0 < time <= t1."""
        first, count = self.signals[signal][:2]
        i = bisect_right(self.times, t0, first, first + count)
        return i, bisect_right(self.times, t1, i, first + count)

    # -- analog -------------------------------------------------------------------------------------------------------

    def analog(self, signal: int, t0: int, t1: int, pixels: int) -> dict[str, Any]:
        """Like `window`, for a curve: per changed column its time, least, greatest and last number (None where x)."""
        first, count, _, _, width, kind = self.signals[signal]
        if 12 * count + self.numbers.nbytes + 32 > arena().capacity:
            columns = self.analog_items(signal, t0, t1, pixels)
        else:
            columns = arena().analog(self._owner, signal, self.times[first : first + count], self.refs[first : first + count], self.numbers, t0, max(t1, t0 + 1), pixels)
        low, high, last = ([n if math.isfinite(n) else None for n in column] for column in columns[1:])
        return {"s": signal, "w": width, "k": kind, "t": columns[0], "lo": low, "hi": high, "v": last}

    def analog_items(self, signal: int, t0: int, t1: int, pixels: int) -> tuple[list[int], list[float], list[float], list[float]]:
        """`scan.w_analog` in Python: for signals that are too large for the arena, and as its reference."""
        first, count = self.signals[signal][:2]
        end, span = first + count, max(1, t1 - t0)
        times, refs, numbers = self.times, self.refs, self.numbers
        rows: list[tuple[int, float, float, float]] = []
        i = bisect_right(times, t0, first, end)
        if i > first:
            rows.append((t0, *[numbers[refs[i - 1]]] * 3))
        while i < end and times[i] <= t1:
            column = (times[i] - t0) * pixels // span
            j = bisect_left(times, t0 + -(-(column + 1) * span // pixels), i + 1, end)
            inside = [numbers[ref] for ref in refs[i:j]]
            known = [n for n in inside if n == n] or [math.nan]
            rows.append((times[i], min(known), max(known), inside[-1]))
            i = j
        return [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows], [r[3] for r in rows]

    # -- navigation ---------------------------------------------------------------------------------------------------

    def edge(self, signal: int, time: int, forward: bool, kind: str = "any") -> int | None:
        """Time of the next (previous) change after (before) `time`; `kind` any, rise or fall (to 1, to 0)."""
        first, count = self.signals[signal][:2]
        end = first + count
        i = bisect_right(self.times, time, first, end) if forward else bisect_left(self.times, time, first, end) - 1
        want = {"rise": 1, "fall": 0}.get(kind)
        while first <= i < end:
            if want is None or self.refs[i] == want:
                return self.times[i]
            i += 1 if forward else -1
        return None

    def nearest_edge(self, signal: int, time: int) -> int | None:
        """Time of the change closest to `time`, or None for a signal without changes."""
        first, count = self.signals[signal][:2]
        i = bisect_left(self.times, time, first, first + count)
        near = [self.times[k] for k in (i - 1, i) if first <= k < first + count]
        return min(near, key=lambda t: abs(t - time)) if near else None

    def find_value(self, signal: int, time: int, forward: bool, value: str, limit: int = 20_000_000) -> int | None:
        """Time of the next (previous) change to `value` (canonical text)."""
        first, count = self.signals[signal][:2]
        end = first + count
        i = bisect_right(self.times, time, first, end) if forward else bisect_left(self.times, time, first, end) - 1
        known: dict[int, bool] = {}
        step = 1 if forward else -1
        stop = min(end, i + limit) if forward else max(first - 1, i - limit)
        refs = self.refs
        for k in range(i, stop, step):
            ref = refs[k]
            hit = known.get(ref)
            if hit is None:
                hit = known[ref] = self.text(ref) == value
            if hit:
                return self.times[k]
        return None

    def activity(self, pixels: int, t0: int, t1: int, signals: list[int]) -> list[int]:
        """Changes per column over `signals`, for the minimap."""
        span = max(1, t1 - t0)
        chosen = [(s, self.times[first : first + count]) for s in signals for first, count in [self.signals[s][:2]] if count]
        columns = arena().activity(self._owner, [(s, times) for s, times in chosen if times.nbytes + 16 <= arena().capacity], t0, span, pixels)
        for _, times in chosen:
            if times.nbytes + 16 > arena().capacity:
                bounds = [bisect_left(times, t0 + -(-k * span // pixels)) for k in range(pixels + 1)]
                columns = [n + b - a for n, a, b in zip(columns, bounds, bounds[1:], strict=False)]
        return columns
