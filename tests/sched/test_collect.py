"""The collector against a Python model of reachability, on the CPython kernel and on the wasm kernel."""

from __future__ import annotations

import random
import struct

import pytest
from world import World

from wasmjit.sched import control as cb

KINDS = ["python", "wasm"]
SIZES = [1, 8, 16, 24, 40, 100, 512, 513, 640, 2000, 8192, 8193, 20000]


class Heap:
    """Objects with pointers between them; `static` words of guest memory are the roots."""

    def __init__(self, kind: str) -> None:
        self.w = World(kind)
        for _ in range(24):
            self.w.net(8)
        self.w.build(memory=1 << 20)
        self.mem = self.w.mem.u8
        self.call = self.w.call
        self.static = [self.w.addr(i) for i in range(24)]
        self.w.view.set_u32(cb.CB_STATIC_END, self.static[-1] + 8)
        self.objects: dict[int, tuple[int, bool]] = {}
        self.serial = 0

    def word(self, at: int) -> int:
        return int(struct.unpack("<Q", self.mem[at : at + 8])[0])

    def put(self, at: int, value: int) -> None:
        self.mem[at : at + 8] = struct.pack("<Q", value)

    def new(self, n: int, scan: bool = True) -> int:
        p = int(self.call["k_object" if scan else "k_bytes"](n))
        assert p and p % 16 == 0
        assert p not in self.objects, "memory in use was handed out again"
        if scan:
            assert not any(self.mem[p : p + n]), "objects are zeroed"
        self.objects[p] = (n, scan)
        return p

    def reachable(self, roots: list[int]) -> set[int]:
        seen: set[int] = set()
        starts = sorted(self.objects)
        work = list(roots)
        while work:
            w = work.pop()
            for p in starts:
                n, scan = self.objects[p]
                if p <= w < p + n and p not in seen:
                    seen.add(p)
                    if scan:
                        work += [self.word(at) for at in range(p, p + n - 7, 8)]
        return seen


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_what_can_be_reached_stays_and_the_rest_goes(kind: str, seed: int) -> None:
    h, r = Heap(kind), random.Random(seed)
    for _ in range(6):
        for _ in range(60):
            n, scan = r.choice(SIZES), r.random() < 0.8
            p = h.new(n, scan)
            if r.random() < 0.5:
                h.put(r.choice(h.static), p + r.randrange(n))
            elif scan and n >= 8:
                h.put(p + r.randrange(n // 8) * 8, r.choice(list(h.objects)))
            owner = r.choice(list(h.objects))
            if h.objects[owner][0] >= 8 and h.objects[owner][1]:
                h.put(owner + r.randrange(h.objects[owner][0] // 8) * 8, p)
        if r.random() < 0.5:
            h.put(r.choice(h.static), 0)
        want = h.reachable([h.word(at) for at in h.static])
        content = {p: bytes(h.mem[p : p + h.objects[p][0]]) for p in want}
        h.call["k_collect"]()
        for p in list(h.objects):
            if p in want:
                assert h.call["k_object_start"](p + h.objects[p][0] - 1) == p
                assert bytes(h.mem[p : p + h.objects[p][0]]) == content[p]
            else:
                assert h.call["k_object_start"](p) == 0
                del h.objects[p]
    assert h.w.view.u64(cb.CB_GC_COUNT) == 6


@pytest.mark.parametrize("kind", KINDS)
def test_what_kernel_blocks_and_the_shadow_stack_hold_is_alive(kind: str) -> None:
    h = Heap(kind)
    small, large = h.new(24), h.new(9000)
    frame = h.call["k_frame_new"](64)
    h.put(frame + 40, small)
    slab = h.call["k_alloc"](600)
    h.mem[slab + 4 : slab + 8] = struct.pack("<I", large + 8000)
    gone = h.new(24)
    h.call["k_collect"]()
    alive = [h.call["k_object_start"](p) for p in (small, large, gone)]
    assert alive == [small, large, 0]
    h.call["k_free"](slab)
    h.call["k_frame_free"](frame)
    h.call["k_collect"]()
    assert h.call["k_object_start"](large) == 0 and h.call["k_object_start"](small) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_events_and_mailboxes_of_dead_objects_leave_nothing_behind(kind: str) -> None:
    """An object that comes to lie where another one was inherits neither triggers nor messages."""
    h = Heap(kind)
    box = h.new(32)
    h.put(h.static[0], box)
    assert h.call["rt_mailbox_tryput"](box, 77) == 1
    h.call["k_event_trigger"](box + 8)
    h.call["k_collect"]()
    assert h.call["rt_mailbox_num"](box) == 1 and h.call["k_event_triggered"](box + 8) == 1
    h.put(h.static[0], 0)
    h.call["k_collect"]()
    h.objects.clear()
    while h.new(32) != box:
        pass
    assert h.call["rt_mailbox_num"](box) == 0 and h.call["k_event_triggered"](box + 8) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_mailbox_goes_with_the_last_copy_of_its_handle(kind: str) -> None:
    h = Heap(kind)
    kept, dropped = h.call["rt_mailbox_create"](2), h.call["rt_mailbox_create"](0)
    h.put(h.static[0], kept)
    for box in (kept, dropped):
        assert [h.call["rt_mailbox_tryput"](box, n) for n in range(3)] == [1, 1, box == dropped]
    h.call["k_collect"]()
    assert [h.call["rt_mailbox_num"](box) for box in (kept, dropped)] == [2, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_messages_and_drives_keep_what_they_carry(kind: str) -> None:
    h = Heap(kind)
    box, message, driven = h.new(32), h.new(24), h.new(24)
    h.put(h.static[0], box)
    h.call["rt_mailbox_tryput"](box, message)
    h.call["k_drive"](5, h.static[5], 8, driven, 1000, 0, 0)
    h.call["k_collect"]()
    assert h.call["k_object_start"](message) == message and h.call["k_object_start"](driven) == driven


@pytest.mark.parametrize("kind", KINDS)
def test_a_chain_of_many_objects_is_followed_to_its_end(kind: str) -> None:
    h = Heap(kind)
    first = last = h.new(16)
    h.put(h.static[0], first)
    for _ in range(3000):
        p = h.new(16)
        h.put(last, p)
        last = p
    h.call["k_collect"]()
    assert h.call["k_object_start"](last) == last
    live = h.w.view.u64(cb.CB_GC_LIVE)
    assert live == 3001 * 16


@pytest.mark.parametrize("kind", KINDS)
def test_churn_takes_no_more_memory_than_what_lives_between_two_collections(kind: str) -> None:
    h = Heap(kind)
    h.call["k_object"](16)
    h.w.view.set_u64(cb.CB_GC_LIMIT, 1 << 16)
    most = 0
    for i in range(12000):
        n = 16 + i % 50 * 16
        h.put(h.static[0], h.call["k_object"](n))
        if h.w.view.u32(cb.CB_GC_WANT):
            h.call["k_collect"]()
            h.w.view.set_u64(cb.CB_GC_LIMIT, 1 << 16)
            most = max(most, h.w.view.u64(cb.CB_HEAP_USED))
    assert h.w.view.u64(cb.CB_GC_COUNT) > 10
    assert most < 3 << 20


@pytest.mark.parametrize("kind", KINDS)
def test_memory_given_back_is_used_again(kind: str) -> None:
    h = Heap(kind)
    p = h.new(48)
    h.call["free"](p)
    assert h.call["k_object_start"](p) == 0
    assert h.call["k_object"](48) == p
