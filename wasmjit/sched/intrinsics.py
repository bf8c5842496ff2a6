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

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wasmjit.sched.arithmetic import *  # noqa: F403  (to those who write restricted Python all of it is one vocabulary)
from wasmjit.sched.restricted import *  # noqa: F403
from wasmjit.sched.restricted import M32, PAGE, F, FakeMemory, MemoryLike, OutOfBounds, Trap, f64, i32, i64, intrinsic, wasm_op


def host_import(fn: F) -> F:
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


@intrinsic("load", "i32", "i32", "i32.load8_u")
def ld8(addr: i32) -> i32:
    _check(addr, 1)
    return _buf[addr]


@intrinsic("load", "i32", "i32", "i32.load16_u")
def ld16(addr: i32) -> i32:
    _check(addr, 2)
    return int(_get16(_buf, addr)[0])


@intrinsic("load", "i32", "i32", "i32.load")
def ld32(addr: i32) -> i32:
    _check(addr, 4)
    return int(_get32(_buf, addr)[0])


@intrinsic("load", "i32", "i64", "i64.load")
def ld64(addr: i32) -> i64:
    _check(addr, 8)
    return int(_get64(_buf, addr)[0])


@intrinsic("load", "i32", "f64", "f64.load")
def ldf64(addr: i32) -> f64:
    _check(addr, 8)
    return float(_getf(_buf, addr)[0])


@intrinsic("load", "i32", "i64", "i64.load8_u")
def ld8_64(addr: i32) -> i64:
    return ld8(addr)


@intrinsic("load", "i32", "i64", "i64.load16_u")
def ld16_64(addr: i32) -> i64:
    return ld16(addr)


@intrinsic("load", "i32", "i64", "i64.load32_u")
def ld32_64(addr: i32) -> i64:
    return ld32(addr)


@intrinsic("store", "i32 i32", "", "i32.store8")
def st8(addr: i32, val: i32) -> None:
    """Stores the low 8 bits."""
    _check(addr, 1)
    _fit(val, 32)
    _buf[addr] = val & 0xFF


@intrinsic("store", "i32 i32", "", "i32.store16")
def st16(addr: i32, val: i32) -> None:
    """Stores the low 16 bits."""
    _check(addr, 2)
    _fit(val, 32)
    _put16(_buf, addr, val & 0xFFFF)


@intrinsic("store", "i32 i32", "", "i32.store")
def st32(addr: i32, val: i32) -> None:
    _check(addr, 4)
    _fit(val, 32)
    _put32(_buf, addr, val)


@intrinsic("store", "i32 i64", "", "i64.store")
def st64(addr: i32, val: i64) -> None:
    _check(addr, 8)
    _fit(val, 64)
    _put64(_buf, addr, val)


@intrinsic("store", "i32 f64", "", "f64.store")
def stf64(addr: i32, val: f64) -> None:
    _check(addr, 8)
    _putf(_buf, addr, val)


@wasm_op("memory.copy", "i32 i32 i32", "")
def memcpy(dst: i32, src: i32, n: i32) -> None:
    """Copy n bytes; the areas may overlap."""
    _check(dst, n)
    _check(src, n)
    _buf[dst : dst + n] = bytes(_buf[src : src + n])


@wasm_op("memory.fill", "i32 i32 i32", "")
def memset(dst: i32, byte: i32, n: i32) -> None:
    """Fill n bytes with the low 8 bits of `byte`."""
    _check(dst, n)
    _buf[dst : dst + n] = bytes((byte & 0xFF,)) * n


@wasm_op("memory.size", "", "i32")
def memory_size() -> i32:
    """Size in pages of 64 KiB."""
    return _memory.size() // PAGE


@wasm_op("memory.grow", "i32", "i32")
def memory_grow(pages: i32) -> i32:
    """Previous size in pages, or 0xFFFFFFFF when the memory cannot grow."""
    global _buf
    old = _memory.grow(pages)
    _buf = _memory.u8[: _memory.size()]
    return old & M32


@wasm_op("global.get $sp", "", "i32")
def get_sp() -> i32:
    """The shadow stack pointer `env.sp`."""
    return _sp


@wasm_op("global.set $sp", "i32", "")
def set_sp(val: i32) -> None:
    global _sp
    _fit(val, 32)
    _sp = val


# ---- table calls -------------------------------------------------------------------------------------------------------------


def _entry(fn: int) -> Callable[..., Any]:
    if isinstance(_table, Mapping):
        target = _table.get(fn)
    else:
        target = _table[fn] if 0 <= fn < len(_table) else None
    if target is None:
        raise Trap(f"table entry {fn} is empty")
    return target


@intrinsic("indirect", "i32 i32 i32", "i32")
def call_indirect_ii_i(fn: i32, a: i32, b: i32) -> i32:
    """Call entry `fn` of the function table as (i32, i32) -> i32; any other signature there traps."""
    return int(_entry(fn)(a, b))


@intrinsic("indirect", "i32 i32", "")
def call_indirect_i_v(fn: i32, a: i32) -> None:
    """Call entry `fn` of the function table as (i32) -> ()."""
    _entry(fn)(a)


@intrinsic("indirect", "i32 i32", "i32")
def call_indirect_i_i(fn: i32, a: i32) -> i32:
    """Call entry `fn` of the function table as (i32) -> i32."""
    return int(_entry(fn)(a))


@intrinsic("indirect", "i32 i32 i32", "")
def call_indirect_ii_v(fn: i32, a: i32, b: i32) -> None:
    """Call entry `fn` of the function table as (i32, i32) -> ()."""
    _entry(fn)(a, b)
