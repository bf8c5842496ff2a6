"""Intrinsics of restricted Python: what kernel functions may use besides plain integer arithmetic.

A kernel function is an ordinary typed Python function over `i32`, `i64` and `f64`. CPython runs it as it stands over the memory given to
`bind`; `wasmjit.codegen.kernelc` compiles the same source to wasm. The rules that keep both equal:

* **Values are unsigned** (0 <= x < 2**32 or 2**64). A comparison, `//`, `%` and `>>` are unsigned. Signed meanings have helpers (`lt_s32`, `div_s64`, `shr_s32`, ...).
* **Arithmetic must not leave the range of its type** unless it is wrapped: `u32(a - b)`, `u64(x * y + 1)`. `~x` and `-x` are only allowed inside such
  a wrap, or as `a & ~b`. The amount of a shift is smaller than the width of the value.
* An i32 widens to i64 by itself where an i64 is wanted (mixed operands, parameters, variables that also hold an i64); narrowing is always spelled `u32(x)`.
  Integer literals and UPPER_CASE constants take the type of the other operand; a variable that only ever gets literals is i32 (write `x: i64 = 0` otherwise).
* Comparisons give 0 or 1 (i32). `and`/`or` have Python's value meaning. Reading a variable that was never assigned is undefined.
* Statements: assignment (also annotated and augmented), `if/elif/else`, `while`, `for i in range([a,] b[, constant step > 0])`, `break`, `continue`, `return`,
  `pass`, `assert` (traps), calls; conditional expressions. One return value or none. No globals but UPPER_CASE int/float constants, no default arguments, no exceptions.
* Floats: `+ - *` and comparisons; division is `fdiv`, because CPython raises on a zero divisor. Payloads of NaNs are unspecified.
* `ld32(p + CONST)` costs no addition: a constant goes into the instruction. The address p + CONST must be inside the memory, it does not wrap.

Decorators: `@export` (visible outside the kernel module under its own name), `@pair` (an export that gives two numbers), `@inline` (a hint for small functions), `@host_import` (implemented by the host:
`h_svc` is imported as `h.svc`; under CPython the function given to `bind(..., host={"svc": f})` is called).

Errors under CPython: `OutOfBounds` (an address outside the memory), `OverflowError` (a value that does not fit its store), `Trap` (`unreachable()`, a bad table call).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from wasmjit.data import dataclass

i32 = int
"""An unsigned 32-bit value."""
i64 = int
"""An unsigned 64-bit value."""
f64 = float
"""A double."""

PAGE = 65536
_M32 = 0xFFFFFFFF
_M64 = 0xFFFFFFFFFFFFFFFF

_F = TypeVar("_F", bound=Callable[..., Any])


class Trap(Exception):
    """What a wasm trap is under CPython."""


class OutOfBounds(Trap):
    """An access outside the bound memory."""


class MemoryLike(Protocol):
    """What `bind` needs: `u8` covers at least `size()` bytes and stays valid after `grow`."""

    @property
    def u8(self) -> memoryview: ...

    def size(self) -> int:
        """Current size in bytes."""

    def grow(self, pages: int) -> int:
        """Grow by 64 KiB pages; the previous number of pages, or -1 when the maximum does not allow it."""


class FakeMemory:
    """A memory for tests and for `--kernel=python` without wasmtime: `max_bytes` are reserved at once and zero."""

    def __init__(self, initial: int | bytes = PAGE, max_bytes: int = 16 * PAGE) -> None:
        image = bytes(initial) if isinstance(initial, int) else initial
        self._size = (len(image) + PAGE - 1) // PAGE * PAGE
        self._max = max(max_bytes // PAGE * PAGE, self._size)
        self._data = bytearray(self._max)
        self._data[: len(image)] = image
        self.u8 = memoryview(self._data)

    def size(self) -> int:
        return self._size

    def grow(self, pages: int) -> int:
        if pages < 0 or self._size + pages * PAGE > self._max:
            return -1
        old = self._size // PAGE
        self._size += pages * PAGE
        return old

    def image(self) -> bytes:
        """The whole current contents."""
        return bytes(self.u8[: self._size])


@dataclass(frozen=True, slots=True)
class Intrinsic:
    """How the compiler emits a call: parameter and result types ("" = none) and wasm mnemonics, or a form it knows by name.

    form 'op': the operands, then `code` (mnemonics separated by spaces). 'load'/'store': one mnemonic with a memarg. 'indirect': `params` includes the table index first.
    'u32', 'u64', 'select': special rules for the operand types.
    """

    form: str
    params: tuple[str, ...]
    result: str
    code: str = ""


def _intrinsic(form: str, params: str, result: str = "", code: str = "") -> Callable[[_F], _F]:
    spec = Intrinsic(form, tuple(params.split()), result, code)

    def mark(fn: _F) -> _F:
        fn.__kernel_intrinsic__ = spec  # type: ignore[attr-defined]
        return fn

    return mark


def _op(code: str, params: str, result: str) -> Callable[[_F], _F]:
    return _intrinsic("op", params, result, code)


# ---- decorators -------------------------------------------------------------------------------------------------------


def export(fn: _F) -> _F:
    """Export the function from the kernel module under its own name."""
    fn.__kernel_export__ = True  # type: ignore[attr-defined]
    return fn


def pair(fn: _F) -> _F:
    """The function gives a `{pointer, i64}` value: it returns the pointer and leaves the other half at CB_PAIR."""
    fn.__kernel_pair__ = True  # type: ignore[attr-defined]
    return fn


def inline(fn: _F) -> _F:
    """Put the body in place of every call, with constant arguments as constants. For small functions; not for recursive ones."""
    fn.__kernel_inline__ = True  # type: ignore[attr-defined]
    return fn


def host_import(fn: _F) -> _F:
    """A function of the host, imported as `h.<name without a leading h_>`. The Python body is not used."""
    name = fn.__name__.removeprefix("h_")

    def call(*args: int) -> Any:
        target = _host.get(name)
        if target is None:
            raise Trap(f"host function {name!r} is not bound")
        return target(*args)

    call.__name__, call.__qualname__, call.__module__, call.__doc__ = fn.__name__, fn.__qualname__, fn.__module__, fn.__doc__
    call.__kernel_host__ = name  # type: ignore[attr-defined]
    call.__wrapped__ = fn  # type: ignore[attr-defined]
    return call  # type: ignore[return-value]


# ---- state of the CPython execution --------------------------------------------------------------------------------------

_memory: MemoryLike = FakeMemory(0, 0)
_buf: memoryview = memoryview(bytearray(0))
_host: Mapping[str, Callable[..., Any]] = {}
_table: Sequence[Callable[..., Any] | None] | Mapping[int, Callable[..., Any]] = ()
_sp = 0


def bind(
    memory: MemoryLike,
    host: Mapping[str, Callable[..., Any]] | None = None,
    table: Sequence[Callable[..., Any] | None] | Mapping[int, Callable[..., Any]] | None = None,
    sp: int | None = None,
) -> None:
    """Make `memory` the one that kernel functions run by CPython work on. Host functions, table and stack pointer are replaced when given."""
    global _memory, _buf, _host, _table, _sp
    _memory = memory
    _buf = memory.u8[: memory.size()]
    if host is not None:
        _host = host
    if table is not None:
        _table = table
    if sp is not None:
        _sp = sp


def _refresh(addr: int, n: int) -> None:
    """After a failed access: the memory may have grown behind our back; otherwise the address is bad."""
    global _buf
    size = _memory.size()
    if size != len(_buf):
        _buf = _memory.u8[:size]
    if addr < 0 or addr + n > size:
        raise OutOfBounds(f"address {addr:#x}+{n} is outside the memory of {size:#x} bytes")


def _check(addr: int, n: int) -> None:
    if addr < 0 or addr + n > len(_buf):
        _refresh(addr, n)


def _fit(val: int, bits: int) -> None:
    if not 0 <= val < 1 << bits:
        raise OverflowError(f"{val:#x} is no unsigned {bits}-bit value: the arithmetic before this store needs u{bits}(...)")


_get16, _put16 = struct.Struct("<H").unpack_from, struct.Struct("<H").pack_into
_get32, _put32 = struct.Struct("<I").unpack_from, struct.Struct("<I").pack_into
_get64, _put64 = struct.Struct("<Q").unpack_from, struct.Struct("<Q").pack_into
_getf, _putf = struct.Struct("<d").unpack_from, struct.Struct("<d").pack_into

# ---- loads and stores: any alignment, little endian ----------------------------------------------------------------------


@_intrinsic("load", "i32", "i32", "i32.load8_u")
def ld8(addr: i32) -> i32:
    _check(addr, 1)
    return _buf[addr]


@_intrinsic("load", "i32", "i32", "i32.load16_u")
def ld16(addr: i32) -> i32:
    _check(addr, 2)
    return int(_get16(_buf, addr)[0])


@_intrinsic("load", "i32", "i32", "i32.load")
def ld32(addr: i32) -> i32:
    _check(addr, 4)
    return int(_get32(_buf, addr)[0])


@_intrinsic("load", "i32", "i64", "i64.load")
def ld64(addr: i32) -> i64:
    _check(addr, 8)
    return int(_get64(_buf, addr)[0])


@_intrinsic("load", "i32", "f64", "f64.load")
def ldf64(addr: i32) -> f64:
    _check(addr, 8)
    return float(_getf(_buf, addr)[0])


@_intrinsic("load", "i32", "i64", "i64.load8_u")
def ld8_64(addr: i32) -> i64:
    return ld8(addr)


@_intrinsic("load", "i32", "i64", "i64.load16_u")
def ld16_64(addr: i32) -> i64:
    return ld16(addr)


@_intrinsic("load", "i32", "i64", "i64.load32_u")
def ld32_64(addr: i32) -> i64:
    return ld32(addr)


@_intrinsic("store", "i32 i32", "", "i32.store8")
def st8(addr: i32, val: i32) -> None:
    """Stores the low 8 bits."""
    _check(addr, 1)
    _fit(val, 32)
    _buf[addr] = val & 0xFF


@_intrinsic("store", "i32 i32", "", "i32.store16")
def st16(addr: i32, val: i32) -> None:
    """Stores the low 16 bits."""
    _check(addr, 2)
    _fit(val, 32)
    _put16(_buf, addr, val & 0xFFFF)


@_intrinsic("store", "i32 i32", "", "i32.store")
def st32(addr: i32, val: i32) -> None:
    _check(addr, 4)
    _fit(val, 32)
    _put32(_buf, addr, val)


@_intrinsic("store", "i32 i64", "", "i64.store")
def st64(addr: i32, val: i64) -> None:
    _check(addr, 8)
    _fit(val, 64)
    _put64(_buf, addr, val)


@_intrinsic("store", "i32 f64", "", "f64.store")
def stf64(addr: i32, val: f64) -> None:
    _check(addr, 8)
    _putf(_buf, addr, val)


@_op("memory.copy", "i32 i32 i32", "")
def memcpy(dst: i32, src: i32, n: i32) -> None:
    """Copy n bytes; the areas may overlap."""
    _check(dst, n)
    _check(src, n)
    _buf[dst : dst + n] = bytes(_buf[src : src + n])


@_op("memory.fill", "i32 i32 i32", "")
def memset(dst: i32, byte: i32, n: i32) -> None:
    """Fill n bytes with the low 8 bits of `byte`."""
    _check(dst, n)
    _buf[dst : dst + n] = bytes((byte & 0xFF,)) * n


@_op("memory.size", "", "i32")
def memory_size() -> i32:
    """Size in pages of 64 KiB."""
    return _memory.size() // PAGE


@_op("memory.grow", "i32", "i32")
def memory_grow(pages: i32) -> i32:
    """Previous size in pages, or 0xFFFFFFFF when the memory cannot grow."""
    global _buf
    old = _memory.grow(pages)
    _buf = _memory.u8[: _memory.size()]
    return old & _M32


@_op("global.get $sp", "", "i32")
def get_sp() -> i32:
    """The shadow stack pointer `env.sp`."""
    return _sp


@_op("global.set $sp", "i32", "")
def set_sp(val: i32) -> None:
    global _sp
    _fit(val, 32)
    _sp = val


# ---- widths --------------------------------------------------------------------------------------------------------------


@_intrinsic("u32", "any", "i32")
def u32(x: int) -> i32:
    """Modulo 2**32."""
    return x & _M32


@_intrinsic("u64", "any", "i64")
def u64(x: int) -> i64:
    """Modulo 2**64; the arithmetic inside is done in 64 bits."""
    return x & _M64


def _signed(x: int, bits: int) -> int:
    x &= (1 << bits) - 1
    return x - (1 << bits) if x >> (bits - 1) else x


@_op("i64.extend_i32_s", "i32", "i64")
def s64(x: i32) -> i64:
    """Sign-extend 32 to 64 bits (the result is again unsigned)."""
    return _signed(x, 32) & _M64


@_op("i32.extend8_s", "i32", "i32")
def sext8(x: i32) -> i32:
    """Sign-extend the low 8 bits to 32."""
    return _signed(x, 8) & _M32


@_op("i32.extend16_s", "i32", "i32")
def sext16(x: i32) -> i32:
    """Sign-extend the low 16 bits to 32."""
    return _signed(x, 16) & _M32


# ---- signed comparison, division, shifts; rotations -----------------------------------------------------------------------


@_op("i32.lt_s", "i32 i32", "i32")
def lt_s32(a: i32, b: i32) -> i32:
    return int(_signed(a, 32) < _signed(b, 32))


@_op("i32.le_s", "i32 i32", "i32")
def le_s32(a: i32, b: i32) -> i32:
    return int(_signed(a, 32) <= _signed(b, 32))


@_op("i64.lt_s", "i64 i64", "i32")
def lt_s64(a: i64, b: i64) -> i32:
    return int(_signed(a, 64) < _signed(b, 64))


@_op("i64.le_s", "i64 i64", "i32")
def le_s64(a: i64, b: i64) -> i32:
    return int(_signed(a, 64) <= _signed(b, 64))


def _div_s(a: int, b: int, bits: int) -> int:
    x, y = _signed(a, bits), _signed(b, bits)
    if y == 0:
        raise ZeroDivisionError("signed division by zero")
    q = abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
    if q == 1 << (bits - 1):
        raise Trap("signed division overflows")
    return q & ((1 << bits) - 1)


def _rem_s(a: int, b: int, bits: int) -> int:
    x, y = _signed(a, bits), _signed(b, bits)
    if y == 0:
        raise ZeroDivisionError("signed remainder by zero")
    r = abs(x) % abs(y)
    return (-r if x < 0 else r) & ((1 << bits) - 1)


@_op("i32.div_s", "i32 i32", "i32")
def div_s32(a: i32, b: i32) -> i32:
    """Truncating; traps on b == 0 and on -2**31 / -1."""
    return _div_s(a, b, 32)


@_op("i64.div_s", "i64 i64", "i64")
def div_s64(a: i64, b: i64) -> i64:
    """Truncating; traps on b == 0 and on -2**63 / -1."""
    return _div_s(a, b, 64)


@_op("i32.rem_s", "i32 i32", "i32")
def rem_s32(a: i32, b: i32) -> i32:
    """Sign of a; traps on b == 0."""
    return _rem_s(a, b, 32)


@_op("i64.rem_s", "i64 i64", "i64")
def rem_s64(a: i64, b: i64) -> i64:
    """Sign of a; traps on b == 0."""
    return _rem_s(a, b, 64)


@_op("i32.shr_s", "i32 i32", "i32")
def shr_s32(a: i32, n: i32) -> i32:
    """Arithmetic shift right; n modulo 32."""
    return (_signed(a, 32) >> (n & 31)) & _M32


@_op("i64.shr_s", "i64 i64", "i64")
def shr_s64(a: i64, n: i64) -> i64:
    """Arithmetic shift right; n modulo 64."""
    return (_signed(a, 64) >> (n & 63)) & _M64


@_op("i32.rotl", "i32 i32", "i32")
def rotl32(a: i32, n: i32) -> i32:
    n &= 31
    return ((a << n) | (a >> (32 - n))) & _M32


@_op("i64.rotl", "i64 i64", "i64")
def rotl64(a: i64, n: i64) -> i64:
    n &= 63
    return ((a << n) | (a >> (64 - n))) & _M64


@_op("i32.clz", "i32", "i32")
def clz32(x: i32) -> i32:
    """32 for 0."""
    return 32 - x.bit_length()


@_op("i64.clz", "i64", "i64")
def clz64(x: i64) -> i64:
    """64 for 0; the result is an i64."""
    return 64 - x.bit_length()


@_op("i32.ctz", "i32", "i32")
def ctz32(x: i32) -> i32:
    """32 for 0."""
    return (x & -x).bit_length() - 1 if x else 32


@_op("i64.ctz", "i64", "i64")
def ctz64(x: i64) -> i64:
    """64 for 0; the result is an i64."""
    return (x & -x).bit_length() - 1 if x else 64


@_op("i32.popcnt", "i32", "i32")
def popcnt32(x: i32) -> i32:
    return x.bit_count()


@_op("i64.popcnt", "i64", "i64")
def popcnt64(x: i64) -> i64:
    """The result is an i64."""
    return x.bit_count()


def mulhi64(a: i64, b: i64) -> i64:
    """The upper 64 bits of the 128-bit unsigned product (itself a kernel function: wide arithmetic is not a Tier-1 feature of wasmtime)."""
    a0 = a & 0xFFFFFFFF
    a1 = a >> 32
    b0 = b & 0xFFFFFFFF
    b1 = b >> 32
    mid = a1 * b0 + (a0 * b0 >> 32)
    low = a0 * b1 + (mid & 0xFFFFFFFF)
    return a1 * b1 + (mid >> 32) + (low >> 32)


@_intrinsic("select", "i32 any any", "any", "select")
def select(cond: i32, a: Any, b: Any) -> Any:
    """`a if cond else b` without a branch: both are evaluated."""
    return a if cond else b


@_op("unreachable", "", "")
def unreachable() -> None:
    raise Trap("unreachable")


# ---- floats ----------------------------------------------------------------------------------------------------------------


@_op("f64.convert_i64_s", "i64", "f64")
def f64_from_i64_s(x: i64) -> f64:
    return float(_signed(x, 64))


@_op("f64.convert_i64_u", "i64", "f64")
def f64_from_i64_u(x: i64) -> f64:
    return float(x)


@_op("i64.trunc_sat_f64_s", "f64", "i64")
def i64_trunc_sat_s(x: f64) -> i64:
    """Toward zero, saturating; NaN gives 0."""
    if math.isnan(x):
        return 0
    return (-(1 << 63) if x <= -(2.0**63) else (1 << 63) - 1 if x >= 2.0**63 else int(x)) & _M64


@_op("i64.trunc_sat_f64_u", "f64", "i64")
def i64_trunc_sat_u(x: f64) -> i64:
    """Toward zero, saturating; NaN and negative numbers give 0."""
    if math.isnan(x) or x <= 0.0:
        return 0
    return _M64 if x >= 2.0**64 else int(x)


@_op("i64.reinterpret_f64", "f64", "i64")
def f64_bits(x: f64) -> i64:
    return int.from_bytes(struct.pack("<d", x), "little")


@_op("f64.reinterpret_i64", "i64", "f64")
def bits_f64(x: i64) -> f64:
    return float(struct.unpack("<d", x.to_bytes(8, "little"))[0])


@_op("f64.div", "f64 f64", "f64")
def fdiv(a: f64, b: f64) -> f64:
    """IEEE 754 division: x/0 is an infinity, 0/0 a NaN."""
    if b == 0.0:
        return math.nan if a == 0.0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)
    return a / b


@_op("f64.sqrt", "f64", "f64")
def fsqrt(x: f64) -> f64:
    return math.sqrt(x) if x >= 0.0 else math.nan


@_op("f64.abs", "f64", "f64")
def fabs(x: f64) -> f64:
    return math.fabs(x)


@_op("f64.floor", "f64", "f64")
def ffloor(x: f64) -> f64:
    return math.copysign(float(math.floor(x)), x) if math.isfinite(x) else x


@_op("f64.ceil", "f64", "f64")
def fceil(x: f64) -> f64:
    return math.copysign(float(math.ceil(x)), x) if math.isfinite(x) else x


@_op("f64.trunc", "f64", "f64")
def ftrunc(x: f64) -> f64:
    return math.copysign(float(math.trunc(x)), x) if math.isfinite(x) else x


# ---- table calls -------------------------------------------------------------------------------------------------------------


def _entry(fn: int) -> Callable[..., Any]:
    if isinstance(_table, Mapping):
        target = _table.get(fn)
    else:
        target = _table[fn] if 0 <= fn < len(_table) else None
    if target is None:
        raise Trap(f"table entry {fn} is empty")
    return target


@_intrinsic("indirect", "i32 i32 i32", "i32")
def call_indirect_ii_i(fn: i32, a: i32, b: i32) -> i32:
    """Call entry `fn` of the function table as (i32, i32) -> i32; any other signature there traps."""
    return int(_entry(fn)(a, b))


@_intrinsic("indirect", "i32 i32", "")
def call_indirect_i_v(fn: i32, a: i32) -> None:
    """Call entry `fn` of the function table as (i32) -> ()."""
    _entry(fn)(a)


@_intrinsic("indirect", "i32 i32", "i32")
def call_indirect_i_i(fn: i32, a: i32) -> i32:
    """Call entry `fn` of the function table as (i32) -> i32."""
    return int(_entry(fn)(a))


@_intrinsic("indirect", "i32 i32 i32", "")
def call_indirect_ii_v(fn: i32, a: i32, b: i32) -> None:
    """Call entry `fn` of the function table as (i32, i32) -> ()."""
    _entry(fn)(a, b)
