"""Every exported kernel function by itself: on 1000 random calls each, CPython and wasm give the same result and leave the same memory.

States are memory images taken in the middle of activations of random designs and between runs (`Chaos`), so that queues, wheels, trees of
processes, forces, drivers, semaphores and monitors look as they do in real runs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
from test_monitor import examples
from test_two_ways import SIZES, TIMES, Chaos
from world import FRAME, PROC, World, cb, difference

from wasmjit.sched import descriptors as d
from wasmjit.sched.exports import EXPORTS, exported
from wasmjit.sched.kernel import collect, mark, objects
from wasmjit.sched.kernel import monitor as km
from wasmjit.sched.library import LIBRARY
from wasmjit.sched.monitors import Table
from wasmjit.sem.sva.automaton import Automaton
from wasmjit.sem.sva.property import Properties

CASES = 1000
LIMIT = 1 << 17
"""Bytes of the images: more would only cost time."""
HANDLES = tuple((1 << 40) + k for k in range(4))
CELLS = 200
"""Offset of message cells in a world's scratch memory."""


@dataclass(slots=True)
class State:
    """A memory image and what is known of it. `cur`: id of the running process, NONE between activations."""

    image: bytes
    nets: list[tuple[int, int, int]]
    scratch: int
    blocks: list[int]
    cur: int
    statics: int
    regions: int
    monitor: int = 0
    detector: int = 0


class Small(World):
    """A world with little memory."""

    def build(self, **options: int) -> None:
        super().build(**{**options, "memory": LIMIT, "heap": 1 << 16, "ring": 1024})


class Still(World):
    """A world whose processes and regions do the same for the same memory, whoever runs them."""

    def _proc(self, ctx: int, frame: int) -> int:
        turns = self.u32(frame)
        self.put(frame, (turns + 1) & 0xFFFFFFFF, 4)
        pid = self.u32(frame + 4)
        self.log.append(("proc", pid, turns))
        if turns % 5 == 4:
            return 1
        if turns % 2 and not self.u32(self.view.proc_addr(pid) + d.P_SLOT):
            self.call["k_wait_time"](pid, *TIMES[turns % len(TIMES)])
        return 0

    def _region(self, ctx: int) -> None:
        self.log.append(("region", ctx))


class Source(Chaos):
    """A random design that keeps images of its memory. Semaphores and mailboxes are among what its processes do."""

    def __init__(self, w: World, seed: int, out: list[State]) -> None:
        super().__init__(w, seed)
        self.out = out
        self.taken = 0
        self.steps += [self.sync, self.sync, self.event_state, self.keep, self.keep]

    def sync(self) -> None:
        r, w = self.r, self.w
        handle, cell = r.choice(HANDLES), w.scratch + CELLS + 8 * r.randrange(6)
        kind = r.randrange(8)
        if kind == 0:
            w.call["rt_semaphore_put"](handle, r.randrange(4))
        elif kind == 1:
            w.call["rt_semaphore_try_get"](handle, r.randrange(4))
        elif kind == 2 and not self.must_wait:
            self.must_wait = not w.call["rt_semaphore_get"](handle, r.randrange(3))
        elif kind == 3:
            w.call["rt_mailbox_tryput"](handle + 16, r.getrandbits(64))
        elif kind == 4 and not self.must_wait:
            self.must_wait = not w.call["rt_mailbox_put"](handle + 16, r.getrandbits(64))
        elif kind == 5 and not self.must_wait:
            self.must_wait = not w.call[r.choice(["rt_mailbox_get", "rt_mailbox_peek"])](handle + 16, cell)
        elif kind == 6:
            w.call["rt_mailbox_num"](handle + 16)
        else:
            w.call[r.choice(["rt_mailbox_tryget", "rt_mailbox_trypeek"])](handle + 16, cell)

    def event_state(self) -> None:
        self.w.call["k_event_trigger"](self.w.scratch + 64 + 8 * self.r.randrange(3))

    def keep(self, between: bool = False) -> None:
        w = self.w
        if self.taken >= 3 or w.mem.size() > LIMIT or (not between and (self.must_wait or not w.view.u32(cb.CB_CUR))):
            return
        image = w.image()
        if self.out and self.out[-1].image == image:
            return
        self.taken += 1
        nets = [(n, w.addr(n), w.sizes[n]) for n in self.nets]
        self.out.append(State(image, nets, w.scratch, list(self.blocks), cb.NONE if between else w.view.u32(cb.CB_CUR_ID), len(w.bodies), len(w.regions)))


@cache
def states() -> list[State]:
    out: list[State] = []
    for seed in range(400):
        w = Small("python")
        source = Source(w, seed, out)
        source.run()
        source.keep(between=True)
        if sum(s.cur != cb.NONE for s in out) >= 60 and sum(s.cur == cb.NONE for s in out) >= 30:
            return out
    raise AssertionError("the random designs give too few states")


@cache
def monitor_states() -> list[State]:
    """Images with a monitor and a detector that have made some steps."""
    out: list[State] = []
    for seed in range(24):
        w = Small("python")
        w.net(1)
        w.run()
        rng = random.Random(seed)
        host = SimpleNamespace(view=w.view, kernel=SimpleNamespace(call=w.call))
        t = Properties()
        root = examples(t)[seed % 5]
        a, b, c = (t.bool(t.leaf(i)) for i in range(3))
        tables = (Table(host, Automaton(t, root)), Table(host, Automaton(t, t.cat(a, t.cat(t.repeat(b, 0, 3), c)), endpoint=True)))  # type: ignore[arg-type]
        records = [w.call["k_alloc0"](96) for _ in tables]
        for n in range(40):
            for table, m, step in zip(tables, records, ("k_monitor_step", "k_monitor_endpoint"), strict=True):
                for _ in range(rng.randrange(3)):
                    letter = rng.getrandbits(4)
                    args = (m, letter, rng.choice((0, 0, 0, 1, 2))) if step == "k_monitor_step" else (m, letter)
                    for _ in range(100):
                        if w.call[step](*args) != (1 if step == "k_monitor_step" else 2):
                            break
                        w.view.set_u32(m + km.M_AUTOMATON, table.record)
                        table.expand(w.view.u32(m + km.M_MISS_STATE), w.view.u64(m + km.M_MISS_LETTER))
            if n % 13 == 0 and w.mem.size() <= LIMIT:
                out.append(State(w.image(), [(0, w.addr(0), 1)], w.scratch, [], cb.NONE, 0, 0, *records))
    assert len(out) > 40
    return out


# ---- calls -----------------------------------------------------------------------------------------------------------------------------------


class Unfit(Exception):  # noqa: N818  (no error: the state has nothing to call the function with)
    """The state lacks what the function works on."""


@dataclass(slots=True)
class Case:
    """One call in the making. `before`: calls whose results the last one may use."""

    r: random.Random
    s: State
    before: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)

    def net(self, whole: bool = False) -> tuple[int, int, int]:
        nets = [n for n in self.s.nets if n[2] in (1, 2, 4, 8)] if whole else self.s.nets
        if not nets:
            raise Unfit
        return self.r.choice(nets)

    def bits(self, n: int) -> int:
        return self.r.choice([0, 1, (1 << n) - 1, self.r.getrandbits(n), self.r.getrandbits(n)])

    def span(self, size: int) -> tuple[int, int]:
        bit = self.r.randrange(8 * size)
        return bit, self.r.randint(1, min(64, 8 * size - bit))

    def running(self) -> int:
        if self.s.cur == cb.NONE:
            raise Unfit
        return self.s.cur

    def pid(self) -> int:
        return self.r.randrange(self.s.statics + 4)

    def other(self) -> int:
        pid = self.pid()
        if pid == self.s.cur:
            raise Unfit
        return pid

    def size(self) -> int:
        return self.r.choice([0, 1, 7, 16, 24, 100, 480, 496, 497, 512, 700, 5000, 20000])

    def block(self) -> int:
        if not self.s.blocks:
            raise Unfit
        return self.r.choice(self.s.blocks)

    def pointer(self) -> tuple[int, int]:
        """(pointer, bytes behind it) into a net or plain memory."""
        if self.r.random() < 0.3:
            return self.s.scratch + 96, 16
        n, addr, size = self.net()
        return (n + 1 << 32) | addr, size

    def event(self) -> int:
        return self.s.scratch + 64 + 8 * self.r.randrange(3)

    def queue(self) -> int:
        return self.s.scratch + 48 + 8 * self.r.randrange(2)

    def region(self) -> int:
        if not self.s.regions:
            raise Unfit
        return self.r.randrange(self.s.regions)

    def time(self) -> tuple[int, int, int]:
        return self.r.choice(TIMES)

    def word(self, at: int) -> int:
        return int.from_bytes(self.s.image[at : at + 4], "little")

    def unscheduled(self) -> int:
        """The running process, if it has no wake-up time yet."""
        pid = self.running()
        if self.word(self.word(cb.CB_CUR) + d.P_SLOT):
            raise Unfit
        return pid

    def few(self) -> None:
        if self.word(cb.CB_LIVE_DYN) >= 20:
            raise Unfit

    def cell(self) -> int:
        return self.s.scratch + CELLS + 8 * self.r.randrange(6)

    def mailbox(self) -> int:
        return self.r.choice(HANDLES) + 16

    def monitor(self) -> State:
        if not self.s.monitor:
            raise Unfit
        return self.s

    def contribution(self) -> tuple[int, ...]:
        i = self.r.randrange(len(self.s.nets))
        net, addr, size = self.s.nets[i]
        which, n = self.r.randrange(2), min(size, 8)
        span = (which | 8 * n - 1 << 16) if n < 8 else which | 32 << 16
        kind = self.r.choice([6 | 6 << 3, 5 << 3, 3 | 6 << 3, 6 | 6 << 3 | 1 << 6, 6 | 6 << 3 | 2 << 6])
        cell = self.s.scratch + 128 + 8 * i + 4 * which
        return cell, (net + 1 << 32) | addr, (0xFFFFFFFF if n < 8 else 4) << 32, span, kind, self.bits(64), self.bits(64)


def store(c: Case) -> tuple[int, ...]:
    n, addr, size = c.net(whole=True)
    return n, addr, size, c.bits(8 * size)


def part(c: Case) -> tuple[int, ...]:
    n, addr, size = c.net()
    return n, addr, *c.span(size)


def through(c: Case) -> tuple[int, ...]:
    ptr, size = c.pointer()
    return ptr, *c.span(size)


def copied(c: Case) -> tuple[int, ...]:
    """(net, address, size, source)"""
    n, addr, size = c.net()
    return n, addr, size, c.s.scratch + 96 if size <= 32 else c.s.scratch


def spawned(c: Case) -> tuple[int, ...]:
    c.running()
    c.few()
    if c.r.random() < 0.7:
        c.before.append(("k_fork_begin", (c.r.randrange(3), 1)))
    return PROC, 0, FRAME


def forked(c: Case) -> tuple[int, ...]:
    """The fork's handle is the result of the first call before."""
    c.running()
    c.few()
    n = c.r.randrange(4)
    c.before.append(("k_fork_begin", (c.r.randrange(3), n)))
    c.before += [("k_spawn", (PROC, 0, FRAME))] * n
    return ()


def disabled(c: Case) -> tuple[int, ...]:
    """Branches of a fork of that number exist."""
    forked(c)
    c.before.insert(1, ("k_spawn", (PROC, 0, FRAME)))
    return 0, c.r.choice([0, 0, 64])


def watched(c: Case) -> tuple[int, ...]:
    pid = c.running()
    if c.r.random() < 0.5:
        n, addr, size = c.net()
        return pid, n, addr, size, c.r.choice((0, 1, 2, d.EDGE_EITHER))
    return pid, cb.NO_NET, c.event(), 4, c.r.choice((0, 1, 2, d.EDGE_EVENT, d.EDGE_EITHER))


def known_block(c: Case) -> tuple[int, ...]:
    return (c.r.choice([c.block(), c.block(), 0]),)


def perhaps_block(c: Case) -> tuple[int, ...]:
    at = c.block()
    return (c.r.choice([at, at, 0, at + 16, at + 1, c.r.getrandbits(32), c.s.scratch]),)


Make = Callable[[Case], tuple[int, ...]]
CALLS: dict[str, Make] = {
    "k_fault": lambda c: (c.bits(32), c.bits(64)),
    "k_limit": lambda c: (c.r.randint(1, 6), c.bits(32)),
    "k_alloc": lambda c: (c.size(),),
    "k_alloc0": lambda c: (c.size(),),
    "k_heap_valid": perhaps_block,
    "k_block_size": perhaps_block,
    "k_free": known_block,
    "k_realloc": lambda c: (*known_block(c), c.size()),
    "k_realloc0": lambda c: (*known_block(c), c.size()),
    "k_drive_eps": store,
    "k_drive_delta": store,
    "k_drive": lambda c: (*store(c), *c.time()),
    "k_drive_mem": lambda c: (*copied(c), *c.time()),
    "k_drive_bits": lambda c: (*part(c), c.bits(64), *c.time()),
    "k_commit": lambda c: (c.region(),),
    "k_wait_time": lambda c: (c.unscheduled(), *c.time()),
    "k_wait_fs": lambda c: (1 + c.r.randrange(400) + 0 * c.unscheduled(),),
    "k_host_at": lambda c: (c.r.randrange(400),),
    "k_wait_dyn": watched,
    "k_wait_set": lambda c: (c.running(), c.r.randrange(2)),
    "k_region_listen": lambda c: (c.region() * 0 + c.pointer()[0],),
    "k_waitq_block": lambda c: (c.queue() + 0 * c.running(), c.bits(64)),
    "k_waitq_head_arg": lambda c: (c.queue(),),
    "k_waitq_len": lambda c: (c.queue(),),
    "k_waitq_wake_one": lambda c: (c.queue(),),
    "k_waitq_wake_all": lambda c: (c.queue(),),
    "k_wake": lambda c: (c.pid(),),
    "k_mem_event": lambda c: (c.event(),),
    "k_force_mem": copied,
    "k_force": store,
    "k_force_bits": lambda c: (*part(c), c.bits(64)),
    "k_release": lambda c: (*c.net(), c.r.randrange(2)),
    "k_release_bits": lambda c: (*part(c), c.r.randrange(2)),
    "k_net_changed": lambda c: (c.net()[0],),
    "k_store_net": store,
    "k_store_net_mem": copied,
    "k_store_net_bits": lambda c: (*part(c), c.bits(64)),
    "k_trace_flush": lambda c: (),
    "k_trace_net": lambda c: (c.net()[0], c.r.randrange(2)),
    "k_watch_net": lambda c: (c.net()[0], c.r.randrange(2)),
    "k_frame_new": lambda c: (c.r.choice([48, 64, 600, 5000]),),
    "k_frame_free": lambda c: (c.block(),),
    "k_spawn": spawned,
    "k_fork_begin": lambda c: (c.running() * 0 + c.r.randrange(3), c.r.randrange(4)),
    "k_fork_wait": forked,
    "k_fork_name": lambda c: (*forked(c), c.r.randrange(3)),
    "k_disable": disabled,
    "k_wait_fork": lambda c: () if c.running() != cb.NONE else (),
    "k_disable_fork": lambda c: () if c.running() != cb.NONE else (),
    "k_detach": lambda c: (c.pid(),),
    "k_self": lambda c: (),
    "k_kill": lambda c: (c.pid(),),
    "k_rng": lambda c: (c.pid(),),
    "k_context": lambda c: (c.running() * 0,)[1:],
    "k_suspend": lambda c: (c.pid(),),
    "k_resume": lambda c: (c.pid(),),
    "k_await": lambda c: (c.other() + 0 * c.running(),),
    "k_proc_status": lambda c: (c.pid(),),
    "k_proc_hold": lambda c: (c.pid(),),
    "k_proc_drop": lambda c: (c.pid(),),
    "k_store_bits": lambda c: (*through(c), c.bits(64)),
    "k_drive_ref_bits": lambda c: (*through(c), c.bits(64), *c.time()),
    "k_force_ref": lambda c: (*through(c), c.bits(64)),
    "k_release_ref": through,
    "k_sink": lambda c: (c.size(),),
    "k_event_trigger": lambda c: (c.r.choice((c.event(), c.pointer()[0])),),
    "k_event_triggered": lambda c: (c.event(),),
    "k_process_handle": lambda c: (),
    "k_contribute": Case.contribution,
    "rt_semaphore_init": lambda c: (c.r.choice(HANDLES), c.r.randrange(5)),
    "rt_semaphore_put": lambda c: (c.r.choice(HANDLES), c.r.randrange(5)),
    "rt_semaphore_try_get": lambda c: (c.r.choice(HANDLES), c.r.randrange(5)),
    "rt_semaphore_get": lambda c: (c.r.choice(HANDLES) + 0 * c.running(), c.r.randrange(5)),
    "rt_mailbox_num": lambda c: (c.mailbox(),),
    "rt_mailbox_tryput": lambda c: (c.mailbox(), c.bits(64)),
    "rt_mailbox_put": lambda c: (c.mailbox() + 0 * c.running(), c.bits(64)),
    "rt_mailbox_tryget": lambda c: (c.mailbox(), c.cell()),
    "rt_mailbox_trypeek": lambda c: (c.mailbox(), c.cell()),
    "rt_mailbox_get": lambda c: (c.mailbox() + 0 * c.running(), c.cell()),
    "rt_mailbox_peek": lambda c: (c.mailbox() + 0 * c.running(), c.cell()),
    "k_monitor_step": lambda c: (c.monitor().monitor, c.r.getrandbits(4), c.r.choice((0, 0, 0, 1, 2, 3))),
    "k_monitor_endpoint": lambda c: (c.monitor().detector, c.r.getrandbits(4)),
    "k_run": lambda c: (c.r.randrange(60), c.r.choice([1, 3, 20])),
    "k_final": lambda c: (c.r.choice([1, 20]),),
    "k_dirty_region": lambda c: (c.region(),),
    "k_init": lambda c: (),
}
BETWEEN = frozenset({"k_run", "k_final", "k_init", "k_trace_flush"})
"""Not called while a process runs."""


def test_every_exported_function_has_calls() -> None:
    """Those of the runtime library and of the collector, and mailboxes made with an object, are in test_library.py and test_collect.py."""
    elsewhere = {*exported(LIBRARY), *exported((objects, mark, collect)), "rt_mailbox_create"}
    assert set(CALLS) == set(EXPORTS) - elsewhere


class Pair:
    """The two kernels. They are made anew after a call that grew their memories, which never shrink."""

    def __init__(self) -> None:
        self.make()

    def make(self) -> None:
        self.py, self.wa = Still("python"), Still("wasm")
        for w in (self.py, self.wa):
            w.net(1)
            w.build(memory=LIMIT, heap=1 << 14)
        self.py.k.bind()
        for w in (self.py, self.wa):
            while w.mem.size() < LIMIT:
                assert w.mem.grow(1) >= 0
        assert self.py.mem.size() == self.wa.mem.size()

    def restore(self, image: bytes) -> None:
        if self.py.mem.size() > LIMIT or self.wa.mem.size() > LIMIT:
            self.make()
        for w in (self.py, self.wa):
            w.mem.u8[: len(image)] = image
            if len(image) < LIMIT:
                w.mem.u8[len(image) : LIMIT] = bytes(LIMIT - len(image))
            w.log.clear()

    def check(self, name: str, c: Case, args: tuple[int, ...]) -> None:
        self.restore(c.s.image)
        results: list[list[Any]] = []
        for w in (self.py, self.wa):
            if name == "k_region_listen":
                w.view.set_u32(cb.CB_CUR_ID, cb.REGION_DRIVER)
            if name in ("k_fork_wait", "k_fork_name"):
                handle = [w.call[n](*a) for n, a in c.before][0]
                got = [w.call[name](handle, *args)]
            else:
                got = [w.call[n](*a) for n, a in c.before]
                got.append(w.call[name](*args))
            results.append(got)
        what = (name, c.before, args)
        assert results[0] == results[1], what
        assert self.py.log == self.wa.log, what
        assert self.py.mem.size() == self.wa.mem.size(), what
        size = self.py.mem.size()
        if bytes(self.py.mem.u8[:size]) != bytes(self.wa.mem.u8[:size]):  # comparing the views takes 1000 times as long
            raise AssertionError((what, difference(self.py.image(), self.wa.image())))


@pytest.fixture(scope="module")
def pair() -> Generator[Pair, None, None]:
    yield Pair()


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_function_does_the_same_in_both_kernels(pair: Pair, name: str) -> None:
    r = random.Random(name)
    pool = monitor_states() if name.startswith("k_monitor") else [s for s in states() if s.cur == cb.NONE] if name in BETWEEN else states()
    pair.py.k.bind()
    done = tried = 0
    while done < CASES:
        tried += 1
        assert tried < 20 * CASES, f"no state fits {name}"
        c = Case(r, r.choice(pool))
        try:
            args = CALLS[name](c)
        except Unfit:
            continue
        pair.check(name, c, args)
        done += 1


def test_the_states_differ_in_what_matters() -> None:
    """The images are no copies of each other: sizes of nets, waiting processes, time."""
    pool = states()
    assert {n[2] for s in pool for n in s.nets} == set(SIZES)
    assert len({s.image for s in pool}) == len(pool)
