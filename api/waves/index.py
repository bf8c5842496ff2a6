"""Read the index of a waveform: windows down-sampled to pixels, values, edges and value search.

The arrays stay in the page cache (mmap); nothing is copied but what a window shows. A window costs
O(pixels · log changes) per signal, whatever the length of the dump.
"""

from __future__ import annotations

import json
import math
import mmap
import threading
from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import Any

DENSE_X = 16
"""Added to the density level of a dense segment that holds x or z."""

_BLOCK = 64


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
        self._pyramids: dict[int, list[tuple[float, float]]] = {}
        self._lock = threading.Lock()

    def _map(self, name: str) -> memoryview:
        path = self.directory / name
        if not path.stat().st_size:
            return memoryview(b"")
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._maps.append(mapped)
        return memoryview(mapped)

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

    def window(self, signal: int, t0: int, t1: int, pixels: int) -> dict[str, Any]:
        """What a row of `pixels` columns shows of [t0, t1].

        `t`: times at which the picture changes; `v`: the value text from there on, or for a stretch with several changes per pixel
        an integer: 1..7 = log2 of the changes per pixel, plus DENSE_X if x or z occurs. `more`: whether values exist beyond.
        """
        first, count, first_x, count_x, width, kind = self.signals[signal]
        end = first + count
        times, refs = self.times, self.refs
        out_t: list[int] = []
        out_v: list[str | int] = []
        span = max(1, t1 - t0)
        i = bisect_right(times, t0, first, end) - 1
        if i >= first:
            out_t.append(t0)
            out_v.append(self.text(refs[i]))
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
                    out_v.append(self.text(refs[pending]))
                pending = -1
                out_t.append(t)
                out_v.append(self.text(refs[i]))
            else:
                begin = t0 + -(-column * span // pixels)
                code = min(7, (j - i).bit_length() - 1)
                if count_x:
                    x = bisect_left(self.xs, i - first, first_x, first_x + count_x)
                    if x < first_x + count_x and self.xs[x] < j - first:
                        code += DENSE_X
                if pending >= 0 and pending_t < begin:
                    out_t.append(pending_t)
                    out_v.append(self.text(refs[pending]))
                    pending = -1
                if not (pending >= 0 and out_v and out_v[-1] == code):
                    out_t.append(max(begin, t0))
                    out_v.append(code)
                pending, pending_t = j - 1, edge
            i = j
        if pending >= 0 and pending_t < t1:
            out_t.append(pending_t)
            out_v.append(self.text(refs[pending]))
        return {"s": signal, "w": width, "k": kind, "t": out_t, "v": out_v}

    def changes_between(self, signal: int, t0: int, t1: int) -> tuple[int, int]:
        """Positions [i, j) of the changes with t0 < time <= t1."""
        first, count = self.signals[signal][:2]
        i = bisect_right(self.times, t0, first, first + count)
        return i, bisect_right(self.times, t1, i, first + count)

    # -- analog -------------------------------------------------------------------------------------------------------

    def _pyramid(self, signal: int) -> list[tuple[float, float]]:
        """(min, max) of each block of changes of a signal; built on first use."""
        with self._lock:
            known = self._pyramids.get(signal)
        if known is not None:
            return known
        first, count = self.signals[signal][:2]
        numbers, refs = self.numbers, self.refs
        blocks = []
        for start in range(first, first + count, _BLOCK):
            seen = [n for ref in refs[start : min(start + _BLOCK, first + count)] if (n := numbers[ref]) == n]
            blocks.append((min(seen), max(seen)) if seen else (math.inf, -math.inf))
        with self._lock:
            self._pyramids[signal] = blocks
        return blocks

    def _extent(self, signal: int, i: int, j: int) -> tuple[float, float]:
        """Least and greatest number among the changes [i, j); (inf, -inf) when all hold x."""
        first = self.signals[signal][0]
        low, high = math.inf, -math.inf
        numbers, refs = self.numbers, self.refs
        blocks = self._pyramid(signal) if j - i > 2 * _BLOCK else []
        k = i
        while k < j:
            inside = k - first
            if blocks and inside % _BLOCK == 0 and k + _BLOCK <= j:
                least, most = blocks[inside // _BLOCK]
                k += _BLOCK
            else:
                least = most = numbers[refs[k]]
                k += 1
            low = min(low, least)
            high = max(high, most)
        return low, high

    def analog(self, signal: int, t0: int, t1: int, pixels: int) -> dict[str, Any]:
        """Like `window`, for a curve: per changed column its time, least, greatest and last number (None where x)."""
        first, count = self.signals[signal][:2]
        end = first + count
        times, refs, numbers = self.times, self.refs, self.numbers
        span = max(1, t1 - t0)
        out: dict[str, Any] = {"s": signal, "w": self.signals[signal][4], "k": self.signals[signal][5], "t": [], "lo": [], "hi": [], "v": []}

        def add(t: int, low: float, high: float, last: float) -> None:
            out["t"].append(t)
            out["lo"].append(low if math.isfinite(low) else None)
            out["hi"].append(high if math.isfinite(high) else None)
            out["v"].append(last if math.isfinite(last) else None)

        i = bisect_right(times, t0, first, end) - 1
        if i >= first:
            number = numbers[refs[i]]
            add(t0, number, number, number)
        i += 1
        while i < end and times[i] <= t1:
            column = (times[i] - t0) * pixels // span
            edge = t0 + -(-(column + 1) * span // pixels)
            j = bisect_left(times, edge, i + 1, end)
            low, high = self._extent(signal, i, j)
            add(times[i], low, high, numbers[refs[j - 1]])
            i = j
        return out

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
        columns = [0] * pixels
        span = max(1, t1 - t0)
        bounds = [t0 + k * span // pixels for k in range(pixels + 1)]
        for signal in signals:
            first, count = self.signals[signal][:2]
            end = first + count
            low = bisect_left(self.times, t0, first, end)
            for k in range(pixels):
                if low >= end:
                    break
                high = bisect_left(self.times, bounds[k + 1], low, end)
                columns[k] += high - low
                low = high
        return columns
