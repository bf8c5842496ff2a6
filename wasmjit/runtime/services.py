"""Host services: functions that a design calls by name and that run in Python.

A service is a plain function `fn(rt, *leaves)`. Leaves are what docs/internals.md §2 calls leaves: integers zero-extended, floats as Python
floats, a string or queue passed by value as its two leaves. It returns a tuple of leaves, one int or float for a single result, or None.
Pointers are 64 bits: the low half is an address, the high half of a pointer into the signal store is net id + 1. Everything a design
hands over is checked:
a bad address, length or handle raises `SimFault`, never a host exception.

`@service(name, params, results)` registers; the letters are
  p pointer   l i64   i i32   s i16   c i8   b i1   d f64   f f32
"""

from __future__ import annotations

import importlib
import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from wasmjit.data import dataclass
from wasmjit.sem.mir import F32, F64, I32, I64, I, Ty

if TYPE_CHECKING:
    from wasmjit.runtime.moore.state import HostState

M32 = (1 << 32) - 1
M64 = (1 << 64) - 1


class SimFault(Exception):
    """A simulation error caused by the design: ends the run with the message, the calling process and the op's location."""

    def __init__(self, message: str, addr: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.addr = addr


class Runtime(Protocol):
    """What services use of the run. Addresses and pointers are guest values; a bad one raises `SimFault`."""

    host: HostState
    """Host-side state of the runtime library, one per run."""
    plusargs: Sequence[str]
    """Arguments of the run that begin with '+', the plus sign left out, in the order given."""
    time_precision: int
    """Smallest time precision of the design as a power of ten in seconds (-9: 1 ns)."""
    allow_system: bool
    rtti_parents: Sequence[int]
    """`circt.rtti_parent_table`: parent type id of every class type id; 0 none."""

    @property
    def now_fs(self) -> int: ...

    @property
    def proc_id(self) -> int:
        """Id of the running process, 0 outside of processes."""
        ...

    def read(self, ptr: int, n: int, /) -> bytes:
        """`n` bytes of guest memory; only the low half of the pointer counts."""
        ...

    def ld(self, ptr: int, size: int, /) -> int:
        """A little-endian unsigned integer of 1, 2, 4 or 8 bytes."""
        ...

    def write(self, addr: int, data: bytes, /) -> None:
        """Write plain guest memory (never the signal store)."""
        ...

    def st(self, ptr: int, size: int, value: int, /) -> None:
        """Store 1, 2, 4 or 8 bytes; through the kernel when the pointer names a net, so that its listeners wake."""
        ...

    def store_bytes(self, ptr: int, data: bytes, /) -> None:
        """Store any number of bytes, through the kernel when the pointer names a net."""
        ...

    def pointee_size(self, ptr: int, /) -> int:
        """Bytes from `ptr` to the end of the object it points into, 0 when that is not known. Known for nets at least."""
        ...

    def alloc(self, n: int, /) -> int:
        """Zeroed guest memory, 16-byte aligned; an exhausted heap raises `SimFault`. Never 0, also for n = 0.

        It is collected when nothing in guest memory refers to it any more; not before the service returns.
        """
        ...

    def alloc_bytes(self, n: int, /) -> int:
        """As `alloc`, for data without pointers (strings); not zeroed."""
        ...

    def alloc_fixed(self, n: int, /) -> int:
        """Guest memory that is never collected: for what only the host refers to."""
        ...

    def library(self, name: str, *leaves: int | float) -> int | float | tuple[int, ...] | None:
        """Call a function of the compiled runtime library with its leaves; its results as a service gives them."""
        ...

    def instance_path(self) -> str: ...

    def out(self, data: bytes, /) -> None:
        """What the design prints (standard output)."""
        ...

    def severity(self, level: str, /) -> None:
        """Count a message of level info, warning, error or fatal."""
        ...

    def warn(self, message: str, /) -> None:
        """A line of the tool (standard error, `[wasmjit] Warning: ...`)."""
        ...

    def finish(self, code: int, /) -> None:
        """End the run after the current slot with that exit code."""
        ...

    def open_path(self, path: str, write: bool, /) -> str | None:
        """The path to open for a name the design gave, or None when the sandbox does not grant it."""
        ...


ServiceFn = Callable[..., Any]
F = TypeVar("F", bound=ServiceFn)


@dataclass(frozen=True, slots=True)
class ServiceDef:
    """One registered service. `params` and `results`: the letters of the module text; `pure` services read no state and may be folded or
    repeated."""

    name: str
    params: str
    results: str
    fn: ServiceFn
    pure: bool = False

    @property
    def param_types(self) -> tuple[Ty, ...]:
        return tuple(LETTER_TYPES[c] for c in self.params)

    @property
    def result_types(self) -> tuple[Ty, ...]:
        return tuple(LETTER_TYPES[c] for c in self.results)


LETTER_TYPES: dict[str, Ty] = {"p": I64, "l": I64, "i": I32, "s": I(16), "c": I(8), "b": I(1), "d": F64, "f": F32}

_REGISTRY: dict[str, ServiceDef] = {}
_MODULES = (
    "compiled", "strings", "arrays", "streams", "plusargs", "times", "files", "memfiles", "random", "randomize",
    "coverage_services", "objections", "process", "report", "clib", "uvm_dpi",
)  # fmt: skip
_loaded = False


def service(name: str, params: str = "", results: str = "", *, pure: bool = False) -> Callable[[F], F]:
    """Register a function under a name; a second registration of the same name is a programming error."""

    def register(fn: F) -> F:
        if name in _REGISTRY:
            raise ValueError(f"service {name} is registered twice")
        _REGISTRY[name] = ServiceDef(name, params, results, fn, pure)
        return fn

    return register


def load_all() -> None:
    """Import every module that registers services."""
    global _loaded
    if not _loaded:
        for module in _MODULES:
            importlib.import_module(f"wasmjit.runtime.moore.{module}")
        _loaded = True


def lookup(name: str) -> ServiceDef | None:
    """The service of that name, or None."""
    load_all()
    return _REGISTRY.get(name)


def all_services() -> dict[str, ServiceDef]:
    load_all()
    return dict(_REGISTRY)


class SignatureMismatch(Exception):
    """A design declares a runtime function with a signature that cannot be adapted."""


def bind(definition: ServiceDef, params: Sequence[Ty], results: Sequence[Ty]) -> ServiceFn:
    """The service as a function over the declared leaf types: `fn(rt, *leaves) -> tuple`.

    Adapts what real designs vary: integers of another width (zero-extended or truncated), and adjacent results packed into one wider
    integer, first
    result lowest (a `{ptr, i64}` declared as `i128`). Raises `SignatureMismatch` for anything else.
    """
    fn = definition.fn
    want_params, want_results = definition.param_types, definition.result_types

    def fail() -> SignatureMismatch:
        declared = f"({', '.join(map(repr, params))}) -> ({', '.join(map(repr, results))})"
        expected = f"({', '.join(map(repr, want_params))}) -> ({', '.join(map(repr, want_results))})"
        return SignatureMismatch(f"@{definition.name} is declared as {declared} but the runtime library has {expected}")

    if len(params) != len(want_params) or any(a.kind != b.kind for a, b in zip(params, want_params, strict=True)):
        raise fail()
    masks = tuple(b.mask if b.kind == "i" and b.size < a.size else 0 for a, b in zip(params, want_params, strict=True))
    narrow = any(masks)
    same = len(results) == len(want_results) and all(a == b for a, b in zip(results, want_results, strict=True))
    if same:
        pack: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None = None
    elif not results:

        def pack(_: tuple[Any, ...]) -> tuple[Any, ...]:
            return ()

    elif len(results) == len(want_results) and all(a.kind == b.kind for a, b in zip(results, want_results, strict=True)):
        out_masks = tuple(a.mask if a.kind == "i" else 0 for a in results)

        def pack(values: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(v & m if m else v for v, m in zip(values, out_masks, strict=True))

    elif (
        len(results) == 1
        and results[0].kind == "i"
        and all(t.kind == "i" for t in want_results)
        and results[0].size == sum(t.size for t in want_results)
    ):
        widths = tuple(t.size for t in want_results)

        def pack(values: tuple[Any, ...]) -> tuple[Any, ...]:
            value, low = 0, 0
            for v, w in zip(values, widths, strict=True):
                value |= v << low
                low += w
            return (value,)

    else:
        raise fail()

    def call(rt: Runtime, *leaves: Any) -> tuple[Any, ...]:
        if narrow:
            leaves = tuple(v & m if m else v for v, m in zip(leaves, masks, strict=True))
        value = fn(rt, *leaves)
        out = value if type(value) is tuple else () if value is None else (value,)
        return out if pack is None else pack(out)

    return call


# ---------------------------------------------------------------------------------------------------------------------------------
# Helpers for services


def s32(value: int) -> int:
    """An i32 leaf as a signed number."""
    value &= M32
    return value - (1 << 32) if value >> 31 else value


def s64(value: int) -> int:
    """An i64 leaf as a signed number."""
    value &= M64
    return value - (1 << 64) if value >> 63 else value


MAX_STRING = 1 << 28
"""Longest string or byte block a service accepts, in bytes."""


def checked_len(value: int, what: str, limit: int = MAX_STRING) -> int:
    """A length leaf (i32 or i64) as a number; negative or absurd ones are faults."""
    n = s64(value)
    if not 0 <= n <= limit:
        raise SimFault(f"{what} of {n} is out of range")
    return n


_PAIR = struct.Struct("<Qq")


def read_pair(rt: Runtime, ptr: int) -> tuple[int, int]:
    """A `{ptr, i64}` struct in memory: pointer and signed length. Behind a null pointer there is an empty one."""
    if not ptr & M32:
        return 0, 0
    data, length = _PAIR.unpack(rt.read(ptr, 16))
    return data, length


def store_pair(rt: Runtime, ptr: int, data: int, length: int) -> None:
    """Update a `{ptr, i64}` struct; an update behind a null pointer is lost, with a warning."""
    if not ptr & M32:
        rt.warn("update of a queue or string that was never created")
        return
    rt.store_bytes(ptr, _PAIR.pack(data, length))


def string_value(rt: Runtime, data: int, length: int) -> bytes:
    """The bytes of a string given by its two leaves."""
    n = s64(length)
    if n == 0:
        return b""
    return rt.read(data, checked_len(n, "string length"))


def string_at(rt: Runtime, ptr: int) -> bytes:
    """The bytes of a string given by a pointer to its struct; a null pointer is the empty string."""
    if not ptr:
        return b""
    data, length = read_pair(rt, ptr)
    return string_value(rt, data, length)


def cstring(rt: Runtime, ptr: int, limit: int = 65536) -> bytes:
    """A NUL-terminated string; null is empty; reads no further than `limit` bytes."""
    if not ptr:
        return b""
    out = bytearray()
    while len(out) < limit:
        at = ptr + len(out)
        # blocks that end at a multiple of 64 do not cross the end of memory
        chunk = rt.read(at, 64 - (at & 63))
        end = chunk.find(0)
        if end >= 0:
            return bytes(out + chunk[:end])
        out += chunk
    raise SimFault(f"no end of the string at {ptr & M32:#x} within {limit} bytes", ptr)


def text(data: bytes) -> str:
    """Guest bytes as a Python string that encodes back to the same bytes."""
    return data.decode("utf-8", "surrogateescape")
