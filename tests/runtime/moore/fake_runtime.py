"""A runtime over the CPython kernel: what services need, without an engine."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wasmjit.runtime.moore.state import HostState
from wasmjit.runtime.services import SimFault, lookup
from wasmjit.sched import control as cb
from wasmjit.sched import descriptors
from wasmjit.sched.exports import EXPORTS
from wasmjit.sched.intrinsics import FakeMemory
from wasmjit.sched.kernel.heap import heap_init
from wasmjit.sched.library.faults import WARNINGS
from wasmjit.sched.pykernel import PyKernel

LOW = 8192
NETS = 64
HEAP = LOW + 4096


class FakeRuntime:
    """Guest memory of 1 MiB; `net(size)` makes a net and returns a pointer to it; `woken` records what was stored to nets."""

    def __init__(self, root: Path | None = None) -> None:
        fake = FakeMemory(HEAP + (1 << 16), 8 << 20)
        self.memory = fake.u8
        self.size = fake.size
        for field, value in ((cb.CB_GUEST_LO, LOW), (cb.CB_HEAP_BASE, HEAP), (cb.CB_NETS, 4096), (cb.CB_N_NETS, NETS)):
            self.memory[field : field + 4] = value.to_bytes(4, "little")
        self.kernel = PyKernel(fake, host={"lib_warn": lambda code: self.warn(WARNINGS[code])})
        heap_init()
        self.nets: dict[int, tuple[int, int]] = {}
        self.woken: list[int] = []
        self.printed = bytearray()
        self.warnings: list[str] = []
        self.levels: list[str] = []
        self.host = HostState()
        self.plusargs: Sequence[str] = []
        self.time_precision = -9
        self.allow_system = False
        self.rtti_parents: Sequence[int] = []
        self.now_fs = 0
        self.proc_id = 1
        self.code: int | None = None
        self.root = root

    @property
    def time_format(self) -> Any:
        from wasmjit.runtime.moore.times import time_format

        return time_format(self)

    def _check(self, addr: int, n: int) -> int:
        addr &= 0xFFFF_FFFF
        if n < 0 or addr < LOW or addr + n > self.size():
            raise SimFault(f"bad address {addr:#x}", addr)
        return addr

    def read(self, ptr: int, n: int, /) -> bytes:
        a = self._check(ptr, n)
        return bytes(self.memory[a : a + n])

    def ld(self, ptr: int, size: int, /) -> int:
        return int.from_bytes(self.read(ptr, size), "little")

    def write(self, addr: int, data: bytes, /) -> None:
        assert not addr >> 32, "plain memory only"
        a = self._check(addr, len(data))
        self.memory[a : a + len(data)] = data

    def store_bytes(self, ptr: int, data: bytes, /) -> None:
        a = self._check(ptr, len(data))
        self.memory[a : a + len(data)] = data
        if ptr >> 32:
            self.woken.append((ptr >> 32) - 1)

    def st(self, ptr: int, size: int, value: int, /) -> None:
        self.store_bytes(ptr, value.to_bytes(size, "little"))

    def pointee_size(self, ptr: int, /) -> int:
        if not ptr >> 32:
            return 0
        addr, size = self.nets[(ptr >> 32) - 1]
        return addr + size - (ptr & 0xFFFF_FFFF)

    def alloc(self, n: int, /) -> int:
        self.kernel.bind()
        addr: int = self.kernel.call["k_object"](max(n, 1))
        if not addr:
            raise SimFault("out of memory")
        return addr

    alloc_fixed = alloc_bytes = alloc

    def library(self, name: str, *leaves: Any) -> Any:
        self.kernel.bind()
        got = self.kernel.call[name](*leaves)
        if EXPORTS[name].pair:
            return got, int.from_bytes(self.memory[cb.CB_PAIR : cb.CB_PAIR + 8], "little")
        return got

    @property
    def used(self) -> int:
        """Bytes of objects made."""
        return int.from_bytes(self.memory[cb.CB_GC_NEW : cb.CB_GC_NEW + 8], "little")

    def instance_path(self) -> str:
        return "top.u"

    def out(self, data: bytes, /) -> None:
        self.printed += data

    def severity(self, level: str, /) -> None:
        self.levels.append(level)

    def warn(self, message: str, /) -> None:
        self.warnings.append(message)

    def finish(self, code: int, /) -> None:
        self.code = code

    def open_path(self, path: str, write: bool, /) -> str | None:
        return str(self.root / path) if self.root else None

    # -- for tests

    def net(self, size: int) -> int:
        addr = self.alloc(size)
        row = 4096 + len(self.nets) * descriptors.N_SIZE
        self.memory[row : row + 4] = addr.to_bytes(4, "little")
        self.nets[len(self.nets)] = (addr, size)
        return len(self.nets) << 32 | addr

    def data(self, content: bytes) -> int:
        addr = self.alloc(len(content))
        self.write(addr, content)
        return addr

    def string(self, content: bytes) -> int:
        """A pointer to a string struct."""
        return self.data(struct.pack("<Qq", self.data(content) if content else 0, len(content)))

    def queue(self) -> int:
        return self.alloc(16)

    def elements(self, queue: int, fmt: str = "i") -> list[int]:
        data, n = struct.unpack("<Qq", self.read(queue, 16))
        return list(struct.unpack(f"<{n}{fmt}", self.read(data, n * struct.calcsize(fmt)))) if n else []

    def call(self, name: str, *leaves: Any) -> Any:
        """Call a service with leaves; checks their number and the shape of the result."""
        found = lookup(name)
        assert found is not None, name
        assert len(leaves) == len(found.params), name
        masked = [v & ((1 << t.size) - 1) if t.kind == "i" else v for v, t in zip(leaves, found.param_types, strict=True)]
        value = found.fn(self, *masked)
        out = value if isinstance(value, tuple) else () if value is None else (value,)
        assert len(out) == len(found.results), name
        for v, t in zip(out, found.result_types, strict=True):
            assert t.kind == "f" or 0 <= v < 1 << t.size, (name, v)
        return value

    def text(self, name: str, *leaves: Any) -> bytes:
        """Call a service that returns a string."""
        addr, n = self.call(name, *leaves)
        return self.read(addr, n) if n else b""
