"""The heap: alignment, disjoint blocks, reuse, coalescing, limits, bad pointers; the same on both kernels."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from world import World, both, cb


def fresh(w: World, **kw: int) -> World:
    w.build(**kw)
    return w


def test_blocks_are_aligned_disjoint_and_keep_their_contents() -> None:
    def scenario(w: World) -> None:
        call = fresh(w).call
        r = random.Random(4)
        live: dict[int, tuple[int, int]] = {}
        for step in range(1500):
            if live and (r.random() < 0.45 or len(live) > 120):
                p = r.choice(sorted(live))
                n, byte = live.pop(p)
                assert bytes(w.mem.u8[p : p + n]) == bytes([byte]) * n
                if r.random() < 0.3:
                    m = r.choice([n // 2, n + 1, n * 3, 8000])
                    q = call["k_realloc0"](p, m)
                    keep = min(n, m)
                    assert bytes(w.mem.u8[q : q + m]) == bytes([byte]) * keep + bytes(m - keep)
                    w.mem.u8[q : q + m] = bytes([byte]) * m
                    live[q] = (m, byte)
                else:
                    call["k_free"](p)
            else:
                n = r.choice([1, 15, 16, 17, 48, 100, 300, 496, 497, 600, 1000, 4096, 20000])
                p = call["k_alloc0"](n)
                assert p and p % 16 == 0 and not any(w.mem.u8[p : p + n])
                byte = step % 255 + 1
                w.mem.u8[p : p + n] = bytes([byte]) * n
                live[p] = (n, byte)
            assert all(call["k_block_size"](p) == n for p, (n, _) in list(live.items())[:3])
        spans = sorted((p, p + n) for p, (n, _) in live.items())
        assert all(a[1] <= b[0] for a, b in pairwise(spans))
        w.log.append(spans)

    both(scenario)


def test_everything_freed_leaves_no_bytes_in_use_and_large_blocks_merge_again() -> None:
    def scenario(w: World) -> None:
        call = fresh(w).call
        base = w.view.u64(cb.CB_HEAP_USED)
        first = call["k_alloc"](1_000_000)
        call["k_free"](first)
        blocks = [call["k_alloc"](n) for n in [700, 5000, 900, 64000, 512, 3000] * 12]
        for p in blocks[::2] + blocks[1::2]:
            call["k_free"](p)
        assert w.view.u64(cb.CB_HEAP_USED) == base
        assert call["k_alloc"](1_000_000) == first
        assert w.view.u64(cb.CB_HEAP_PEAK) >= base + 1_000_000

    both(scenario)


def test_small_blocks_are_used_again_last_freed_first() -> None:
    def scenario(w: World) -> None:
        call = fresh(w).call
        a, b = call["k_alloc"](40), call["k_alloc"](40)
        call["k_free"](a)
        call["k_free"](b)
        w.log.append([call["k_alloc"](33) == b, call["k_alloc"](48) == a])

    assert both(scenario).log == [[True, True]]


def test_exhaustion_returns_zero_sets_the_limit_and_keeps_old_blocks() -> None:
    def scenario(w: World) -> None:
        call = fresh(w, heap_limit=1 << 20).call
        got = []
        while p := call["k_alloc"](50_000):
            got.append(p)
        w.log.append((len(got), call["k_alloc"](0x7FFF_0000), call["k_alloc"](0xFFFF_FFFF), call["k_realloc"](got[0], 1 << 20)))
        assert w.view.u32(cb.CB_LIMIT) == cb.LIMIT_MEMORY
        assert w.mem.size() <= 1 << 20
        assert call["k_block_size"](got[0]) == 50_000
        call["k_free"](got.pop())
        assert call["k_alloc"](50_000)
        assert w.run() == cb.REASON_LIMIT

    w = both(scenario)
    assert w.log[0][0] > 5 and w.log[0][1:] == (0, 0, 0)


@pytest.mark.parametrize("what", ["twice", "inside", "outside", "unaligned"])
def test_freeing_what_is_no_block_is_a_fault_and_harmless(what: str) -> None:
    def scenario(w: World) -> None:
        call = fresh(w).call
        p, q = call["k_alloc"](100), call["k_alloc"](5000)
        call["k_free"](0)
        assert w.view.fault() is None
        call["k_free"](p)
        bad = {"twice": p, "inside": q + 64, "outside": 64, "unaligned": q + 1}[what]
        assert call["k_heap_valid"](bad) == 0 and call["k_block_size"](bad) == 0
        assert call["k_realloc"](bad, 10) == 0
        fault = w.view.fault()
        assert fault is not None
        w.log.append((fault.site, fault.addr == bad))
        assert call["k_block_size"](q) == 5000
        assert w.run() == cb.REASON_FAULT

    assert both(scenario).log == [(cb.FAULT_BAD_FREE, True)]


def test_a_heap_in_two_pieces_works_when_somebody_else_grew_the_memory() -> None:
    def scenario(w: World) -> None:
        call = fresh(w).call
        hole = w.mem.size()
        w.mem.grow(3)
        p = call["k_alloc"](3_000_000)
        assert p >= hole + 3 * 65536
        q = call["k_alloc"](2_000_000)
        call["k_free"](p)
        call["k_free"](q)
        assert call["k_alloc"](3_000_000) == p

    both(scenario)
