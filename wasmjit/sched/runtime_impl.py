"""The `Runtime` that services work with, over a simulation."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wasmjit.runtime.moore.declarations import PAIRS
from wasmjit.runtime.moore.prng import URANDOM_BOOT_SEED, ProcessRandom
from wasmjit.runtime.moore.state import HostState
from wasmjit.runtime.services import SimFault
from wasmjit.sched.control import CB_CUR_CTX, CB_CUR_ID, CB_FS, CB_PAIR, NONE, REGION_DRIVER
from wasmjit.sem.format import TimeFormat

if TYPE_CHECKING:
    from wasmjit.sched.simulation import Simulation

OUT_LIMIT = 1 << 16


class PlacedRandom(ProcessRandom):
    """A generator whose state lies in guest memory."""

    __slots__ = ("at", "sim")

    def __init__(self, sim: Simulation, at: int) -> None:
        self.sim = sim
        self.at = at

    @property
    def state(self) -> int:
        return self.sim.memory.u32[self.at >> 2]

    @state.setter
    def state(self, value: int) -> None:
        self.sim.memory.u32[self.at >> 2] = value or URANDOM_BOOT_SEED


class GuestGenerators:
    """Generators of processes (in their descriptors) and of objects (behind them)."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim

    def of_process(self, proc_id: int) -> ProcessRandom:
        return PlacedRandom(self.sim, self.sim.kernel.call["k_rng"]((proc_id - 1) & NONE))

    def of_object(self, obj: int) -> ProcessRandom | None:
        at = self.sim.kernel.call["k_object_rng"](obj)
        return PlacedRandom(self.sim, at) if at else None


class RuntimeImpl:
    """Guest memory with checks, output, time, plusargs, files: what `wasmjit.runtime.services.Runtime` asks for."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.host = HostState(seed=sim.options.seed, generators=GuestGenerators(sim))
        self.plusargs: Sequence[str] = sim.options.plusargs
        self.time_precision = sim.time_precision
        self.allow_system = sim.options.allow_system
        self.rtti_parents: Sequence[int] = sim.rtti_parents
        self.pending: list[bytes] = []
        self.pending_size = 0
        self.size = sim.memory.size
        self.guest_lo = sim.guest_lo

    # -- time and place ------------------------------------------------------------------------------------------------------------------

    @property
    def now_fs(self) -> int:
        return self.sim.memory.u64[CB_FS >> 3]

    @property
    def time_format(self) -> TimeFormat:
        return self.host.time_format or TimeFormat(self.time_precision, 0, b"", 20)

    @property
    def proc_id(self) -> int:
        """Process id counted from 1; 0 outside of processes."""
        n = self.sim.memory.u32[CB_CUR_ID >> 2]
        return 0 if n == NONE or n & REGION_DRIVER else n + 1

    def instance_path(self) -> str:
        return self.sim.instance_at(self.sim.memory.u32[CB_CUR_CTX >> 2])

    # -- memory ----------------------------------------------------------------------------------------------------------------------------

    def check(self, ptr: int, n: int) -> int:
        addr = ptr & 0xFFFFFFFF
        if n < 0 or addr < self.guest_lo or addr + n > self.size():
            raise SimFault(f"invalid address {addr:#x} ({n} bytes)", addr)
        return addr

    def read(self, ptr: int, n: int, /) -> bytes:
        if n == 0:
            return b""
        addr = self.check(ptr, n)
        return bytes(self.sim.memory.u8[addr : addr + n])

    def ld(self, ptr: int, size: int, /) -> int:
        addr = self.check(ptr, size)
        return int.from_bytes(self.sim.memory.u8[addr : addr + size], "little")

    def write(self, addr: int, data: bytes, /) -> None:
        if data:
            at = self.check(addr, len(data))
            self.sim.memory.u8[at : at + len(data)] = data

    def st(self, ptr: int, size: int, value: int, /) -> None:
        addr = self.check(ptr, size)
        net = ptr >> 32
        if net:
            if net > len(self.sim.elab.nets):
                raise SimFault(f"invalid signal pointer {ptr:#x}", addr)
            self.sim.kernel.call["k_store_net"](net - 1, addr, size, value)
        else:
            self.sim.memory.u8[addr : addr + size] = (value & ((1 << (8 * size)) - 1)).to_bytes(size, "little")

    def store_bytes(self, ptr: int, data: bytes, /) -> None:
        if not ptr >> 32:
            self.write(ptr, data)
            return
        done = 0
        while done < len(data):
            n = next(k for k in (8, 4, 2, 1) if k <= len(data) - done)
            self.st(ptr + done, n, int.from_bytes(data[done : done + n], "little"))
            done += n

    def pointee_size(self, ptr: int, /) -> int:
        net = ptr >> 32
        if 0 < net <= len(self.sim.elab.nets):
            n = self.sim.elab.nets[net - 1]
            return max(0, n.address + n.size - (ptr & 0xFFFFFFFF))
        return 0

    def alloc(self, n: int, /) -> int:
        if n < 0 or n > self.sim.options.max_memory:
            raise SimFault(f"allocation of {n} bytes")
        addr = self.sim.kernel.call["k_object"](max(n, 1))
        if not addr:
            raise SimFault(f"memory is exhausted (allocation of {n} bytes)")
        return int(addr)

    def alloc_bytes(self, n: int, /) -> int:
        addr = self.sim.kernel.call["k_bytes"](max(n, 1))
        if not addr:
            raise SimFault(f"memory is exhausted (allocation of {n} bytes)")
        return int(addr)

    def alloc_fixed(self, n: int, /) -> int:
        addr = self.sim.kernel.call["k_alloc0"](max(n, 1))
        if not addr:
            raise SimFault(f"memory is exhausted (allocation of {n} bytes)")
        return int(addr)

    def library(self, name: str, *leaves: int | float) -> int | float | tuple[int, ...] | None:
        """A function compiled with the kernel."""
        got = self.sim.kernel.call[name](*leaves)
        if name in PAIRS:
            return int(got), self.sim.memory.u64[CB_PAIR >> 3]
        return got  # type: ignore[no-any-return]

    # -- output -----------------------------------------------------------------------------------------------------------------------------

    def out(self, data: bytes, /) -> None:
        self.pending.append(data)
        self.pending_size += len(data)
        if self.pending_size > OUT_LIMIT or self.sim.interactive:
            self.flush()

    def flush(self) -> None:
        """Hand what was printed to standard output."""
        if self.pending:
            data = b"".join(self.pending)
            self.pending.clear()
            self.pending_size = 0
            self.sim.write_stdout(data)

    def discard(self) -> None:
        """Forget what was printed since the last flush."""
        self.pending.clear()
        self.pending_size = 0

    def severity(self, level: str, /) -> None:
        self.sim.count_severity(level)

    def warn(self, message: str, /) -> None:
        self.sim.say(f"Warning: {message}")

    def finish(self, code: int, /) -> None:
        self.sim.request_finish(code)

    def open_path(self, path: str, write: bool, /) -> str | None:
        """Without a sandbox every path; in a sandbox only what the granted directories contain, links resolved."""
        if not self.sim.options.sandbox:
            return path
        granted = self.sim.options.allow_write if write else [*self.sim.options.allow_read, *self.sim.options.allow_write]
        real = os.path.realpath(path)
        for d in granted:
            root = os.path.realpath(d)
            if real == root or real.startswith(root.rstrip(os.sep) + os.sep):
                return real
        return None


def write_fd(data: bytes) -> None:
    """Standard output, all of it, without Python's text layer."""
    out = sys.stdout.buffer
    out.write(data)
    out.flush()
