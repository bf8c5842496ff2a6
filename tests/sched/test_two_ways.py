"""Random designs and random calls: CPython and wasm must leave the same memory, log and value changes."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator

import pytest
from world import World, both, cb

from wasmjit.sched.exports import exported
from wasmjit.sched.kernel import MODULES

Gen = Generator[int | None, None, None]
SIZES = [1, 1, 1, 2, 4, 8, 3, 6, 12, 24, 40]
EDGES = (0, 1, 2, 3, 5)
"""Edge codes of dynamic waits."""
TIMES = [(0, 0, 1), (0, 0, 1), (0, 1, 0), (0, 1, 0), (0, 0, 2), (0, 2, 1), (1, 0, 0), (5, 0, 0), (5, 0, 1), (5, 1, 0), (17, 2, 2), (300, 0, 0)]


class Chaos:
    """A design whose processes do random things; every decision comes from one generator, so that both kernels see the same design as long as they behave alike."""

    def __init__(self, w: World, seed: int) -> None:
        self.w = w
        self.r = r = random.Random(seed)
        self.nets = [w.net(r.choice(SIZES), traced=r.random() < 0.4) for _ in range(r.randint(2, 7))]
        self.blocks: list[int] = []
        self.frames = 0
        for _ in range(r.randint(0, 4)):
            self.region()
        for i in range(r.randint(1, 5)):
            sens = {s: r.sample(self.nets, r.randint(1, len(self.nets))) for s in range(r.randint(0, 2))}
            w.process(self.body, sens, final=i > 1 and r.random() < 0.2)
        self.steps: list[Callable[[], None]] = [
            self.drive, self.drive, self.drive, self.drive, self.bits, self.store, self.store_bits, self.heap, self.heap, self.fork, self.control,
            self.queue, self.event, self.force, self.observe, self.frame, self.contribute,
        ]  # fmt: skip

    def region(self) -> None:
        r, w = self.r, self.w
        out = r.choice(self.nets[1:])
        reads = r.sample(self.nets[:out], min(out, r.randint(1, 2)))
        if r.random() < 0.05:
            reads.append(r.choice(self.nets))  # possibly a loop

        def body() -> None:
            w.assign(out, sum(w.get(n) for n in reads) + 1 & 3)
            if r.random() < 0.1:
                self.drive()
            if r.random() < 0.05:
                w.call["k_region_listen"](r.choice(self.nets) + 1 << 32)

        w.region(body, reads, out)

    # ---- one random action each ---------------------------------------------------------------------------------------

    def value(self, net: int) -> int:
        r = self.r
        top = (1 << 8 * self.w.sizes[net]) - 1
        return r.choice([0, 1, self.w.get(net), r.getrandbits(8 * self.w.sizes[net]), top]) & top

    def drive(self) -> None:
        net = self.r.choice(self.nets)
        self.w.drive(net, self.value(net), *self.r.choice(TIMES))

    def span(self, net: int) -> tuple[int, int]:
        bits = 8 * self.w.sizes[net]
        bit = self.r.randrange(bits)
        return bit, self.r.randint(1, min(64, bits - bit))

    def bits(self) -> None:
        net = self.r.choice(self.nets)
        bit, width = self.span(net)
        self.w.bits(net, bit, width, self.r.getrandbits(64), *self.r.choice(TIMES))

    def store(self) -> None:
        net = self.r.choice(self.nets)
        self.w.store(net, self.value(net))

    def store_bits(self) -> None:
        net = self.r.choice(self.nets)
        bit, width = self.span(net)
        self.w.call["k_store_net_bits"](net, self.w.addr(net), bit, width, self.r.getrandbits(64))

    def heap(self) -> None:
        r, call = self.r, self.w.call
        size = r.choice([0, 1, 16, 24, 100, 480, 496, 497, 512, 700, 5000, 70000])
        if self.blocks and r.random() < 0.5:
            p = self.blocks.pop(r.randrange(len(self.blocks)))
            if r.random() < 0.3:
                self.blocks.append(call[r.choice(["k_realloc", "k_realloc0"])](p, size))
            else:
                call["k_free"](p)
        else:
            self.blocks.append(call[r.choice(["k_alloc", "k_alloc0"])](size))
        self.w.log.append(("heap", len(self.blocks), self.blocks[-1:]))

    def fork(self) -> None:
        r, w = self.r, self.w
        if w.view.u32(cb.CB_LIVE_DYN) < 20:
            self.must_wait |= w.fork(r.randrange(3), *[self.body] * r.randint(0, 3))

    def control(self) -> None:
        r, w = self.r, self.w
        known = len(w.bodies) + r.randint(0, 3)
        pid = r.randrange(known)
        name = r.choice(["k_suspend", "k_resume", "k_resume", "k_wake", "k_proc_status", "k_proc_hold", "k_proc_drop", "k_await", "k_wait_fork", "k_disable_fork", "k_kill", "k_detach"])
        if name == "k_kill" and (pid < len(w.bodies) - 1 or r.random() < 0.5):
            return
        if name in ("k_wait_fork", "k_disable_fork"):
            result = w.call[name]()
        elif name == "k_await" and pid == w.pid:
            return
        else:
            result = w.call[name](pid)
        if name in ("k_await", "k_wait_fork") and result:
            self.must_wait = True
        w.log.append((name, pid, result))

    def queue(self) -> None:
        r, w = self.r, self.w
        q = w.scratch + 48 + 8 * r.randrange(2)
        if r.random() < 0.4 and not self.must_wait:
            w.call["k_waitq_block"](q, r.randrange(9))
            self.must_wait = True
        else:
            w.log.append((w.call["k_waitq_len"](q), w.call["k_waitq_head_arg"](q), w.call[r.choice(["k_waitq_wake_one", "k_waitq_wake_all"])](q)))

    def event(self) -> None:
        a = self.w.scratch + 64 + 8 * self.r.randrange(3)
        if self.r.random() < 0.5:
            self.w.call["k_mem_event"](a)
        else:
            self.w.put(a, self.r.randrange(3), 4)

    def force(self) -> None:
        r, w = self.r, self.w
        net = r.choice(self.nets)
        a, n = w.addr(net), w.sizes[net]
        bit, width = self.span(net)
        kind = r.randrange(5)
        if kind == 0 and n in (1, 2, 4, 8):
            w.call["k_force"](net, a, n, self.value(net))
        elif kind == 1:
            w.call["k_force_bits"](net, a, bit, width, r.getrandbits(64))
        elif kind == 2:
            w.call["k_release_bits"](net, a, bit, width, r.randrange(2))
        else:
            w.call["k_release"](net, a, n, r.randrange(2))

    def contribute(self) -> None:
        """One of two drivers of a net changes; a driver's cell belongs to one net and one span for good."""
        r, w = self.r, self.w
        i = r.randrange(len(self.nets))
        net, which = self.nets[i], r.randrange(2)
        n = min(w.sizes[net], 8)
        span = (which | 8 * n - 1 << 16) if n < 8 else which | 32 << 16
        unknown = 0xFFFFFFFF if n < 8 else 4
        kind = r.choice([6 | 6 << 3, 5 << 3, 3 | 6 << 3, 6 | 6 << 3 | 1 << 6, 6 | 6 << 3 | 2 << 6])
        cell = w.scratch + 128 + 8 * i + 4 * which
        w.call["k_contribute"](cell, net + 1 << 32 | w.addr(net), unknown << 32, span, kind, r.getrandbits(64), r.getrandbits(64))

    def observe(self) -> None:
        self.w.call[self.r.choice(["k_trace_net", "k_watch_net"])](self.r.choice(self.nets), self.r.randrange(2))

    def frame(self) -> None:
        root = self.w.u32(self.w.view.proc_addr(self.w.pid) + 16) if self.w.pid != cb.NONE else 0
        if root and self.w.u32(root + 8) == 0:
            self.w.put(root + 8, self.w.call["k_frame_new"](self.r.choice([48, 600])), 4)
        elif root:
            self.w.call["k_frame_free"](self.w.u32(root + 8))
            self.w.put(root + 8, 0, 4)

    # ---- processes ------------------------------------------------------------------------------------------------------

    def body(self) -> Gen:
        r, w = self.r, self.w
        for _ in range(r.randint(1, 25)):
            self.must_wait = False
            for _ in range(r.randint(0, 5)):
                if w.view.u32(cb.CB_CUR):
                    r.choice(self.steps)()
            if self.must_wait:
                yield self.status()
                continue
            for wait in r.sample(["set", "dyn", "dyn", "mem", "time", "time", "time"], r.randint(1, 3)):
                if wait == "set" and w.pid < len(w.bodies):
                    w.on(r.randrange(2))
                elif wait == "dyn":
                    w.watch(r.choice(self.nets), r.choice(EDGES))
                elif wait == "mem":
                    w.watch_mem(w.scratch + 64 + 8 * r.randrange(3), 4, r.choice(EDGES))
                elif wait == "time" and not w.u32(w.view.proc_addr(w.pid) + 40):
                    fs, delta, eps = r.choice(TIMES) if r.random() < 0.7 else (r.randrange(1, 200), 0, 0)
                    if fs and delta == eps == 0 and r.random() < 0.5:
                        w.call["k_wait_fs"](fs)
                    else:
                        w.after(fs, delta, eps)
            yield self.status()

    def status(self) -> int:
        return 2 if self.r.random() < 0.05 else 0

    def deopt(self, proc: int) -> int:
        self.w.log.append(("deopt", proc))
        return self.r.choice([0, 0, 1])

    def run(self) -> None:
        w, r = self.w, self.r
        w.on_deopt = self.deopt
        w.build(max_deltas=40, ring=r.choice([64, 200, 4096]), memory=1 << 17)
        for _ in range(12):
            if r.random() < 0.2:
                w.view.set_u32(cb.CB_HOST_WANT, r.randrange(8))
            if r.random() < 0.2:
                w.call["k_host_at"](r.randrange(100))
            if r.random() < 0.2:
                w.call["k_dirty_region"](0) if w.regions else None
            reason = w.run(until=w.now + r.choice([1, 10, 1000]), budget=r.choice([1, 5, 60, 60]))
            w.log.append((reason, w.view.time, w.view.ready_processes(), w.view.dirty_regions()))
            if reason in (cb.REASON_LIMIT, cb.REASON_FAULT):
                break
        w.log.append(w.call["k_final"](100))
        w.log.append((w.view.scheduler_report(), w.view.counters()))


@pytest.mark.parametrize("block", range(20))
def test_random_designs_leave_the_same_memory(block: int) -> None:
    for seed in range(block * 50, block * 50 + 50):
        try:
            both(lambda w, seed=seed: Chaos(w, seed).run())  # type: ignore[misc]
        except BaseException as e:
            e.add_note(f"seed {seed}")
            raise


def test_the_random_designs_reach_every_exported_function() -> None:
    used: set[str] = set()

    class Spy(dict[str, Callable[..., int]]):
        def __getitem__(self, name: str) -> Callable[..., int]:
            used.add(name)
            return super().__getitem__(name)

    for seed in range(150):
        w = World("python")
        chaos = Chaos(w, seed)
        build = w.build

        def spied(build: Callable[..., None] = build, w: World = w, **kw: int) -> None:
            build(**kw)
            w.call = Spy(w.call)

        w.build = spied  # type: ignore[method-assign]
        chaos.run()
    elsewhere = {"k_init", "k_fault", "k_limit", "k_heap_valid", "k_block_size", "k_self", "k_force_mem", "k_trace_flush"}  # called by the others, or tested by themselves
    own = exported(m for m in MODULES if m.__name__.rpartition(".")[2] not in ("refs", "sync", "monitor", "objects", "mark", "collect"))
    elsewhere |= {"k_commit", "k_detach", "k_region_listen", "k_contribute", "k_disable", "k_fork_name", "k_context", "k_rng"} & set(own)  # exercised by whole designs (test_llhd_runs.py, test_disable.py, test_random_stability.py)
    assert set(own) - used <= elsewhere
