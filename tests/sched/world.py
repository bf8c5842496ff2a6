"""A small design over the kernel, for tests: nets, regions and processes written as Python generators, on the CPython kernel or on the wasm kernel.

    def scenario(w):
        clk = w.net(1)
        def clock():
            while True:
                w.drive(clk, 1 - w.get(clk)); w.after(5); yield
        w.process(clock)
        w.run(until=50)
    both(scenario)

`both` runs the scenario on the two kernels and demands the same log and the same memory, byte for byte; it returns the wasm world.
A process body yields after it has told the kernel what it waits for (or yields a status other than 0).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import cache
from typing import Any

from wasmjit.runtime.engine import Engine
from wasmjit.runtime.memory import Global, LinearMemory, Table
from wasmjit.runtime.raw import host_func
from wasmjit.sched import control as cb
from wasmjit.sched import descriptors as d
from wasmjit.sched.intrinsics import FakeMemory
from wasmjit.sched.pykernel import PyKernel
from wasmjit.sched.tables import KernelTables
from wasmjit.sched.view import KernelView, records
from wasmjit.sched.wasmkernel import WasmKernel

Body = Callable[[], Generator[int | None, None, None]]
PROC, REGION = 1, 2
NEVER = (1 << 62) - 1
FRAME = 48
CAP = 1 << 23


@cache
def engine() -> Engine:
    return Engine()


@cache
def wasm_cache() -> Any:
    """Compiled kernels of this session, in memory."""
    store: dict[bytes, bytes] = {}

    class Memo:
        get = staticmethod(store.get)
        put = staticmethod(store.__setitem__)

    return Memo()


class World:
    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.t = KernelTables()
        self.bodies: list[Body] = []
        self.regions: list[Callable[[], None]] = []
        self.gens: dict[int, Generator[int | None, None, None]] = {}
        self.log: list[Any] = []
        self.samples: list[tuple[int, int, int]] = []
        self.sample_drivers: list[int] = []
        self.sizes: list[int] = []
        self.built = False
        self.pid = cb.NONE
        self.on_deopt: Callable[[int], int] = lambda proc: 3
        self.on_drain = True

    # ---- declaring ------------------------------------------------------------------------------------------------------

    def net(self, size: int, *, traced: bool = False) -> int:
        self.sizes.append(size)
        return self.t.nets.add(0, size, traced=traced)

    def process(self, body: Body, sens: dict[int, list[int]] | None = None, *, final: bool = False) -> int:
        """sens: sensitivity set -> nets."""
        self.bodies.append(body)
        p = self.t.procs.add(PROC, 0, 0, final=final)
        for s, nets in (sens or {}).items():
            for net in nets:
                self.t.fanout.proc(net, p, s)
        return p

    def region(self, body: Callable[[], None], reads: list[int], level: int = 0) -> int:
        self.regions.append(body)
        r = self.t.regions.add(REGION, len(self.regions) - 1, level)
        for net in reads:
            self.t.fanout.region(net, r)
        return r

    def build(self, *, memory: int = 1 << 18, heap_limit: int = CAP, ring: int = 4096, max_deltas: int = 1000, max_steps: int = 0, heap: int = 1 << 17) -> None:
        """`heap`: bytes that the heap has at least from the start."""
        at = (4096 + self.t.size() + 63) & -64
        lo = at
        for i, size in enumerate(self.sizes):
            at = (at + 7) & -8
            self.t.nets.addr[i] = at
            at += size
        self.scratch = at = (at + 15) & -16
        at += 256
        for i, row in enumerate(self.t.procs.rows):
            self.t.procs.rows[i] = (*row[:2], at, *row[3:])
            at += FRAME
        ring_at = (at + 15) & -16
        host = {"deopt": lambda proc: self.on_deopt(proc), "drain": self._drain, "net_change": lambda net: self.log.append(("watch", net))}
        memory = max(memory, ring_at + ring + heap)
        if self.kind == "python":
            self.mem: Any = FakeMemory(memory, CAP)
            self.k: Any = PyKernel(self.mem, {PROC: self._proc, REGION: self._region}, host)
        else:
            store = engine().store()
            self.mem = LinearMemory(store, memory, CAP)
            table = Table(store, 4)
            self.k = WasmKernel(engine(), store, self.mem, table, Global(store, 0), host, wasm_cache())
            table.set(PROC, host_func(store, ["i32", "i32"], ["i32"], self._proc))
            table.set(REGION, host_func(store, ["i32"], [], self._region))
        self.view = KernelView(self.mem)
        self.call = self.k.call
        self.t.build().write(
            self.mem.u8, guest_lo=lo, heap_base=ring_at + ring, heap_limit=heap_limit, ring=(ring_at, ring), max_deltas=max_deltas, max_steps=max_steps
        )
        self.call["k_init"]()
        self.built = True

    # ---- running --------------------------------------------------------------------------------------------------------

    def run(self, until: int = NEVER, budget: int = 1_000_000, **build: int) -> int:
        if not self.built:
            self.build(**build)
        if self.kind == "python":
            self.k.bind()
        reason = self.call["k_run"](until, budget)
        self._drain()
        return reason

    def _drain(self) -> None:
        if self.on_drain:
            block = list(records(self.view.drain()))
            self.samples.extend((net, fs, int.from_bytes(v, "little")) for net, fs, _, v in block)
            self.sample_drivers.extend(driver for _, _, driver, _ in block)

    def _proc(self, ctx: int, frame: int) -> int:
        self.pid = pid = self.u32(frame + 4)
        if self.u32(frame) == 0:
            self.mem.u8[frame] = 1
            if pid < len(self.bodies):
                self.gens[pid] = self.bodies[pid]()
        try:
            return next(self.gens[pid]) or 0
        except StopIteration:
            return 1

    def _region(self, ctx: int) -> None:
        self.regions[ctx]()

    # ---- what bodies do -------------------------------------------------------------------------------------------------

    def u32(self, addr: int) -> int:
        return int.from_bytes(self.mem.u8[addr : addr + 4], "little")

    def addr(self, net: int) -> int:
        return self.t.nets.addr[net]

    def get(self, net: int) -> int:
        return int.from_bytes(self.mem.u8[self.addr(net) : self.addr(net) + self.sizes[net]], "little")

    def put(self, addr: int, value: int, size: int) -> None:
        self.mem.u8[addr : addr + size] = value.to_bytes(size, "little")

    @property
    def now(self) -> int:
        return self.view.time[0]

    def note(self, *what: Any) -> None:
        self.log.append((self.view.time, *what))

    def drive(self, net: int, value: int, fs: int = 0, delta: int = 0, eps: int = 1) -> None:
        size = self.sizes[net]
        if size in (1, 2, 4, 8):
            if (fs, delta, eps) == (0, 0, 1):
                self.call["k_drive_eps"](net, self.addr(net), size, value)
            elif (fs, delta, eps) == (0, 1, 0):
                self.call["k_drive_delta"](net, self.addr(net), size, value)
            else:
                self.call["k_drive"](net, self.addr(net), size, value, fs, delta, eps)
        else:
            self.put(self.scratch, value, size)
            self.call["k_drive_mem"](net, self.addr(net), size, self.scratch, fs, delta, eps)

    def bits(self, net: int, bit: int, width: int, value: int, fs: int = 0, delta: int = 0, eps: int = 1) -> None:
        self.call["k_drive_bits"](net, self.addr(net), bit, width, value, fs, delta, eps)

    def store(self, net: int, value: int) -> None:
        size = self.sizes[net]
        if size in (1, 2, 4, 8):
            self.call["k_store_net"](net, self.addr(net), size, value)
        else:
            self.put(self.scratch, value, size)
            self.call["k_store_net_mem"](net, self.addr(net), size, self.scratch)

    def assign(self, net: int, value: int) -> None:
        """What a region does with a wire."""
        if self.get(net) != value:
            self.put(self.addr(net), value, self.sizes[net])
            self.call["k_net_changed"](net)

    def on(self, sens_set: int) -> None:
        self.call["k_wait_set"](self.pid, sens_set)

    def after(self, fs: int, delta: int = 0, eps: int = 0) -> None:
        self.call["k_wait_time"](self.pid, fs, delta, eps)

    def watch(self, net: int, edge: int = 0) -> None:
        self.call["k_wait_dyn"](self.pid, net, self.addr(net), self.sizes[net], edge)

    def watch_mem(self, addr: int, size: int = 4, edge: int = 0) -> None:
        self.call["k_wait_dyn"](self.pid, cb.NO_NET, addr, size, edge)

    def spawn(self, body: Body) -> int:
        frame = self.call["k_spawn"](PROC, 0, FRAME)
        pid = self.u32(frame + 4)
        self.gens[pid] = body()
        return pid

    def fork(self, kind: int, *bodies: Body) -> bool:
        """True when the process has to yield now."""
        j = self.call["k_fork_begin"](kind, len(bodies))
        for b in bodies:
            self.spawn(b)
        return bool(self.call["k_fork_wait"](j))

    def image(self) -> bytes:
        return bytes(self.mem.u8[: self.mem.size()])


def difference(a: bytes, b: bytes) -> str:
    at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return f"memory differs from {at:#x}: CPython {a[at : at + 16].hex()}, wasm {b[at : at + 16].hex()}"


def both(scenario: Callable[[World], Any]) -> World:
    """Run the scenario on both kernels and compare everything."""
    py, wa = World("python"), World("wasm")
    scenario(py)
    scenario(wa)
    assert py.log == wa.log
    assert py.samples == wa.samples
    a, b = py.image(), wa.image()
    assert len(a) == len(b)
    assert a == b, difference(a, b)
    return wa


__all__ = ["NEVER", "World", "both", "cb", "d"]
