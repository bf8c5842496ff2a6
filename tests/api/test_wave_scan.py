"""The window queries in WebAssembly against the same in Python."""

from __future__ import annotations

import itertools
import math
from array import array
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import big_vcd
from wasmjit_api.config import MAX_TIME
from wasmjit_api.waves.arena import MAX_PIXELS, Arena, arena
from wasmjit_api.waves.build import build_index
from wasmjit_api.waves.index import WaveIndex
from wasmjit_api.waves.scan import DENSE, NARROW

OWNERS = itertools.count(-1, -1)


def signal_of(times: list[int], unknown: list[int], numbers: list[float]) -> Any:
    """What the queries of WaveIndex need of an index with one signal."""
    return SimpleNamespace(
        times=memoryview(array("Q", times)), xs=memoryview(array("I", unknown)), refs=memoryview(array("I", range(len(times)))), numbers=memoryview(array("d", numbers)),
        signals=[[0, len(times), 0, len(unknown), 1, "bits"]],
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[Any, int, int, int]:
    """A signal and a window: few or many changes, narrow and wide, near 0 and near the latest time."""
    scale = draw(st.sampled_from([1, 7, 10**6, 10**14]))
    steps = draw(st.lists(st.integers(1, draw(st.sampled_from([1, 3, 40, 5000]))), min_size=1, max_size=300))
    base = draw(st.sampled_from([0, 5, MAX_TIME - (sum(steps) + 10) * scale]))
    times = [base + scale * sum(steps[: n + 1]) for n in range(len(steps))]
    unknown = sorted(draw(st.sets(st.integers(0, len(times) - 1), max_size=8)))
    numbers = [math.nan if n in unknown else float(draw(st.integers(-50, 50))) for n in range(len(times))]
    t0 = draw(st.integers(max(0, base - scale), times[-1]))
    t1 = min(MAX_TIME, t0 + draw(st.integers(1, max(1, 2 * (times[-1] - t0) + scale))))
    return signal_of(times, unknown, numbers), t0, max(t1, t0 + 1), draw(st.sampled_from([1, 2, 7, 60, 1000, MAX_PIXELS]))


def same(a: Any, b: Any) -> bool:
    return len(a) == len(b) and all(x == y or (x != x and y != y) for x, y in zip(a, b, strict=True))


@given(cases(), st.sampled_from([0, 1, 5, 60, 10**7, 10**15]))
@settings(max_examples=300, deadline=None)
def test_windows_are_the_same_both_ways(case: tuple[Any, int, int, int], narrow: int) -> None:
    index, t0, t1, pixels = case
    owner = next(OWNERS)
    whole = arena().window(owner, 0, index.times, index.xs, t0, t1, pixels)
    assert whole == WaveIndex.window_items(index, 0, t0, t1, pixels)
    times, items = arena().window(owner, 0, index.times, index.xs, t0, t1, pixels, narrow)
    assert (times, items) == WaveIndex.window_items(index, 0, t0, t1, pixels, narrow) and times == whole[0]
    unknown = set(index.xs)
    for t, item, kept in zip(times, items, whole[1], strict=True):
        short = kept < DENSE and t == index.times[kept] and kept + 1 < len(index.times) and index.times[kept + 1] - t < narrow and kept not in unknown
        if item != kept:
            assert item == DENSE + NARROW and short
        elif short:
            # What stands after a dense stretch begins at a pixel, or holds when the window begins: it keeps its text.
            assert t == t0 or kept == 0 or t - index.times[kept - 1] < -(-(t1 - t0) // pixels)
    found = arena().analog(owner, 0, index.times, index.refs, index.numbers, t0, t1, pixels)
    assert all(map(same, found, WaveIndex.analog_items(index, 0, t0, t1, pixels)))
    counts = arena().activity(owner, [(0, index.times)], t0, t1 - t0, pixels)
    assert counts == [sum(t0 + -(-k * (t1 - t0) // pixels) <= t < t0 + -(-(k + 1) * (t1 - t0) // pixels) for t in index.times) for k in range(pixels)] if pixels < 100 else True
    assert sum(counts) == sum(t0 <= t < t1 for t in index.times)


def test_changes_far_behind_a_narrow_window_cost_nothing() -> None:
    one = signal_of([0, 5, MAX_TIME - 1], [], [0.0] * 3)
    assert arena().activity(next(OWNERS), [(0, one.times)], 3, 10, MAX_PIXELS)[: MAX_PIXELS // 2].count(1) == 1
    assert sum(arena().activity(next(OWNERS), [(0, one.times)], 6, 1_479_286, MAX_PIXELS)) == 0


def test_an_arena_that_is_full_makes_room_and_grows_no_further() -> None:
    small = Arena(2 << 20)
    signals = [signal_of(list(range(n, n + 40_000)), [5], [1.0] * 40_000) for n in range(12)]
    for _ in range(2):
        for owner, one in enumerate(signals):
            assert small.window(owner, 0, one.times, one.xs, 0, 40_020, 50) == WaveIndex.window_items(one, 0, 0, 40_020, 50)
            assert small.analog(owner, 0, one.times, one.refs, one.numbers, 0, 40_020, 50)[0] == WaveIndex.analog_items(one, 0, 0, 40_020, 50)[0]
    with pytest.raises(MemoryError):
        small.window(99, 0, memoryview(array("Q", range(400_000))), memoryview(array("I")), 0, 10, 10)


def test_signals_that_do_not_fit_are_shown_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    big_vcd(tmp_path / "a.vcd", 40_000, 4)
    (tmp_path / "i").mkdir()
    build_index(tmp_path / "a.vcd", tmp_path / "i")
    index = WaveIndex(tmp_path / "i")
    ask = [lambda: index.window(3, 0, index.t_end, 300), lambda: index.analog(3, 0, index.t_end, 300), lambda: index.activity(200, 0, index.t_end, [0, 1, 2, 3])]
    usual = [one() for one in ask]
    tiny = Arena(2 << 20)
    tiny.capacity = 1000
    monkeypatch.setattr("wasmjit_api.waves.index.arena", lambda: tiny)
    assert [one() for one in ask] == usual
