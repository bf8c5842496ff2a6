"""What interpreted code needs from the run around it: linear memory, kernel functions, services, other bodies."""

from __future__ import annotations

import math
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from ..sem import fold
from ..sem.mir import CallSite, Service
from .effects import COMPACT_HELPERS
from .helpers import HELPERS

NO_SITE = -1
"""Site of a fault at an operation that has none (a drive through a plain reference, a stack overflow)."""


class SimFault(Exception):
    """A simulation error raised by interpreted code: bad address, bad function pointer, explicit fault.

    `site` is the fault site of the operation (NO_SITE if it has none), `addr` the offending address or pointer.
    """

    def __init__(self, site: int, addr: int) -> None:
        super().__init__(f"fault at site {site}, address {addr:#x}")
        self.site = site
        self.addr = addr


class Env(ABC):
    """The environment of one run. Generated code has `ns` as its globals, so whatever may change while code exists is rebound there.

    Linear memory is a buffer given to `bind_memory`, again after each growth: `u8 u16 u32 u64 f32 f64` are views of all of it. A subclass
    whose views reach over memory that may still grow overrides `mem_size`, and updates `ns["MEND"]` when the size changes (at the latest in
    `fault`, which may return when the address has become valid).
    Kernel callables take ints in [0, 2**w) and return an int (one result), a tuple (several) or anything (none); signed results are
    masked by the caller. A subclass provides the rest.
    """

    u8: memoryview
    u16: memoryview
    u32: memoryview
    u64: memoryview
    f32: memoryview[float]
    f64: memoryview[float]

    def __init__(self, kernel: Mapping[str, Callable[..., Any]], guest_lo: int) -> None:
        self.guest_lo = guest_lo
        self.kernel: dict[str, Callable[..., Any]] = {}
        self.block_counts: dict[str, list[int]] = {}
        """Executions per block index by body key, for bodies compiled with `count=True`."""
        self.ns: dict[str, Any] = {
            "__builtins__": __builtins__,
            "E": self,
            "F": self.fault,
            "GLO": guest_lo,
            "MEND": 0,
            "INF": math.inf,
            "NAN": math.nan,
        }
        self.ns.update(
            IB=int.from_bytes,
            B1=[bytes([i]) for i in range(256)],
            U2=struct.Struct("<H").unpack_from,
            U4=struct.Struct("<I").unpack_from,
            U8=struct.Struct("<Q").unpack_from,
            UF=struct.Struct("<f").unpack_from,
            UD=struct.Struct("<d").unpack_from,
            R32=fold.round_f32,
            **HELPERS,
        )
        exec(COMPACT_HELPERS, self.ns)  # noqa: S102  (text of this package)
        self._names: dict[Any, str] = {}
        self._anonymous = 0
        self._callees: dict[str, tuple[int, int]] = {}
        for name, fn in kernel.items():
            self.bind_kernel(name, fn)

    # ------------------------------------------------------------ binding

    def bind_memory(self, buffer: Any) -> None:
        """(Re)takes the views; `buffer` is the whole linear memory, its length a multiple of 8."""
        self.u8 = memoryview(buffer).cast("B")
        self.u16, self.u32, self.u64 = self.u8.cast("H"), self.u8.cast("I"), self.u8.cast("Q")
        self.f32, self.f64 = self.u8.cast("f"), self.u8.cast("d")
        self.ns.update(m8=self.u8, m16=self.u16, m32=self.u32, m64=self.u64, mf32=self.f32, mf64=self.f64, MEND=len(self.u8))

    def bind_kernel(self, name: str, fn: Callable[..., Any]) -> None:
        """(Re)binds one kernel or runtime export, in code that exists too."""
        self.kernel[name] = fn
        self.ns[name] = fn

    def bind_function(self, key: str, fn: Callable[..., tuple[Any, ...]]) -> None:
        """Replaces the callable of function body `key` in code that exists (it has become compiled code)."""
        name = self._names.get(("function", key))
        if name is not None:
            self.ns[name] = fn

    def name_of(self, value: Any, key: Any = None) -> str:
        """A name for `value` in the globals of generated code; values with equal `key` share one."""
        name = None if key is None else self._names.get(key)
        if name is None:
            self._anonymous += 1
            name = f"X{self._anonymous}"
            self.ns[name] = value
            if key is not None:
                self._names[key] = name
        return name

    def function_name(self, key: str) -> str:
        """Name in `ns` of the callable of function body `key`."""
        known = ("function", key)
        return self._names[known] if known in self._names else self.name_of(self.function(key), known)

    def service_name(self, service: Service) -> str:
        known = ("service", service.id, service.name)
        return self._names[known] if known in self._names else self.name_of(self.service(service), known)

    # ------------------------------------------------------------ memory

    def mem_size(self) -> int:
        """Bytes of linear memory; at most `len(self.u8)` (views may reach over memory that is reserved, not yet there)."""
        return len(self.u8)

    def fault(self, site: int, addr: int) -> NoReturn:
        """Ends the activation with a simulation error."""
        raise SimFault(site, addr)

    def check_load(self, addr: int, n: int, site: int) -> None:
        """Faults unless [addr, addr+n) lies in guest memory."""
        if addr < self.guest_lo or addr + n > self.mem_size():
            self.fault(site, addr)

    def read(self, addr: int, n: int) -> bytes:
        return bytes(self.u8[addr : addr + n])

    def write(self, addr: int, data: bytes) -> None:
        self.u8[addr : addr + len(data)] = data

    # ------------------------------------------------------------ to be provided

    @abstractmethod
    def service(self, service: Service) -> Callable[..., tuple[Any, ...]]:
        """The host service of a call site: takes leaf values (ints, floats, bytes), returns the tuple of results."""

    @abstractmethod
    def function(self, key: str) -> Callable[..., tuple[Any, ...]]:
        """The function body `key` as a callable over leaf values. Called while other code is compiled, so it must not compile at once."""

    @abstractmethod
    def function_by_pointer(self, ptr: int, site: CallSite) -> Callable[..., tuple[Any, ...]]:
        """The function behind a pointer; SimFault when there is none of that signature."""

    @abstractmethod
    def coroutine_by_pointer(self, ptr: int, site: CallSite) -> tuple[int, int]:
        """(function table index, frame size in bytes) of the resumable form of the function behind a pointer; SimFault likewise."""

    @abstractmethod
    def fn_index(self, key: str) -> int:
        """Function table index of a process or coroutine body."""

    @abstractmethod
    def frame_size(self, key: str) -> int:
        """Bytes of the frame of a process or coroutine body."""

    def callee(self, key: str) -> tuple[int, int]:
        """(function table index, frame size in bytes) of a coroutine body."""
        known = self._callees.get(key)
        if known is None:
            known = self._callees[key] = (self.fn_index(key), self.frame_size(key))
        return known

    @abstractmethod
    def call_frame(self, fn_index: int, ctx: int, frame: int) -> int:
        """Runs a suspending body on its frame, in whichever tier it is; its status."""

    @abstractmethod
    def stack_mark(self) -> int:
        """The shadow stack pointer."""

    @abstractmethod
    def stack_alloc(self, n: int, align: int) -> int:
        """Address of n zeroed bytes on the shadow stack; SimFault when it overflows."""

    @abstractmethod
    def stack_release(self, mark: int) -> None:
        """Sets the shadow stack pointer back."""

    @abstractmethod
    def scratch(self, n: int) -> int:
        """Address of n bytes, 8-byte aligned, valid until the next kernel call returns."""
