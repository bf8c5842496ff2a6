"""Arithmetic of restricted Python that Python has no operators for: widths, signed operations, rotations, bit counts, floats (see `intrinsics`)."""

from __future__ import annotations

import math
import struct
from typing import Any

from wasmjit.sched.restricted import M32, M64, Trap, f64, i32, i64, intrinsic, wasm_op

# ---- widths --------------------------------------------------------------------------------------------------------------


@intrinsic("u32", "any", "i32")
def u32(x: int) -> i32:
    """Modulo 2**32."""
    return x & M32


@intrinsic("u64", "any", "i64")
def u64(x: int) -> i64:
    """Modulo 2**64; the arithmetic inside is done in 64 bits."""
    return x & M64


def _signed(x: int, bits: int) -> int:
    x &= (1 << bits) - 1
    return x - (1 << bits) if x >> (bits - 1) else x


@wasm_op("i64.extend_i32_s", "i32", "i64")
def s64(x: i32) -> i64:
    """Sign-extend 32 to 64 bits (the result is again unsigned)."""
    return _signed(x, 32) & M64


@wasm_op("i32.extend8_s", "i32", "i32")
def sext8(x: i32) -> i32:
    """Sign-extend the low 8 bits to 32."""
    return _signed(x, 8) & M32


@wasm_op("i32.extend16_s", "i32", "i32")
def sext16(x: i32) -> i32:
    """Sign-extend the low 16 bits to 32."""
    return _signed(x, 16) & M32


# ---- signed comparison, division, shifts; rotations -----------------------------------------------------------------------


@wasm_op("i32.lt_s", "i32 i32", "i32")
def lt_s32(a: i32, b: i32) -> i32:
    return int(_signed(a, 32) < _signed(b, 32))


@wasm_op("i32.le_s", "i32 i32", "i32")
def le_s32(a: i32, b: i32) -> i32:
    return int(_signed(a, 32) <= _signed(b, 32))


@wasm_op("i64.lt_s", "i64 i64", "i32")
def lt_s64(a: i64, b: i64) -> i32:
    return int(_signed(a, 64) < _signed(b, 64))


@wasm_op("i64.le_s", "i64 i64", "i32")
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


@wasm_op("i32.div_s", "i32 i32", "i32")
def div_s32(a: i32, b: i32) -> i32:
    """Truncating; traps on b == 0 and on -2**31 / -1."""
    return _div_s(a, b, 32)


@wasm_op("i64.div_s", "i64 i64", "i64")
def div_s64(a: i64, b: i64) -> i64:
    """Truncating; traps on b == 0 and on -2**63 / -1."""
    return _div_s(a, b, 64)


@wasm_op("i32.rem_s", "i32 i32", "i32")
def rem_s32(a: i32, b: i32) -> i32:
    """Sign of a; traps on b == 0."""
    return _rem_s(a, b, 32)


@wasm_op("i64.rem_s", "i64 i64", "i64")
def rem_s64(a: i64, b: i64) -> i64:
    """Sign of a; traps on b == 0."""
    return _rem_s(a, b, 64)


@wasm_op("i32.shr_s", "i32 i32", "i32")
def shr_s32(a: i32, n: i32) -> i32:
    """Arithmetic shift right; n modulo 32."""
    return (_signed(a, 32) >> (n & 31)) & M32


@wasm_op("i64.shr_s", "i64 i64", "i64")
def shr_s64(a: i64, n: i64) -> i64:
    """Arithmetic shift right; n modulo 64."""
    return (_signed(a, 64) >> (n & 63)) & M64


@wasm_op("i32.rotl", "i32 i32", "i32")
def rotl32(a: i32, n: i32) -> i32:
    n &= 31
    return ((a << n) | (a >> (32 - n))) & M32


@wasm_op("i64.rotl", "i64 i64", "i64")
def rotl64(a: i64, n: i64) -> i64:
    n &= 63
    return ((a << n) | (a >> (64 - n))) & M64


@wasm_op("i32.clz", "i32", "i32")
def clz32(x: i32) -> i32:
    """32 for 0."""
    return 32 - x.bit_length()


@wasm_op("i64.clz", "i64", "i64")
def clz64(x: i64) -> i64:
    """64 for 0; the result is an i64."""
    return 64 - x.bit_length()


@wasm_op("i32.ctz", "i32", "i32")
def ctz32(x: i32) -> i32:
    """32 for 0."""
    return (x & -x).bit_length() - 1 if x else 32


@wasm_op("i64.ctz", "i64", "i64")
def ctz64(x: i64) -> i64:
    """64 for 0; the result is an i64."""
    return (x & -x).bit_length() - 1 if x else 64


@wasm_op("i32.popcnt", "i32", "i32")
def popcnt32(x: i32) -> i32:
    return x.bit_count()


@wasm_op("i64.popcnt", "i64", "i64")
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


@intrinsic("select", "i32 any any", "any", "select")
def select(cond: i32, a: Any, b: Any) -> Any:
    """`a if cond else b` without a branch: both are evaluated."""
    return a if cond else b


@wasm_op("unreachable", "", "")
def unreachable() -> None:
    raise Trap("unreachable")


# ---- floats ----------------------------------------------------------------------------------------------------------------


@wasm_op("f64.convert_i64_s", "i64", "f64")
def f64_from_i64_s(x: i64) -> f64:
    return float(_signed(x, 64))


@wasm_op("f64.convert_i64_u", "i64", "f64")
def f64_from_i64_u(x: i64) -> f64:
    return float(x)


@wasm_op("i64.trunc_sat_f64_s", "f64", "i64")
def i64_trunc_sat_s(x: f64) -> i64:
    """Toward zero, saturating; NaN gives 0."""
    if math.isnan(x):
        return 0
    return (-(1 << 63) if x <= -(2.0**63) else (1 << 63) - 1 if x >= 2.0**63 else int(x)) & M64


@wasm_op("i64.trunc_sat_f64_u", "f64", "i64")
def i64_trunc_sat_u(x: f64) -> i64:
    """Toward zero, saturating; NaN and negative numbers give 0."""
    if math.isnan(x) or x <= 0.0:
        return 0
    return M64 if x >= 2.0**64 else int(x)


@wasm_op("i64.reinterpret_f64", "f64", "i64")
def f64_bits(x: f64) -> i64:
    return int.from_bytes(struct.pack("<d", x), "little")


@wasm_op("f64.reinterpret_i64", "i64", "f64")
def bits_f64(x: i64) -> f64:
    return float(struct.unpack("<d", x.to_bytes(8, "little"))[0])


@wasm_op("f64.div", "f64 f64", "f64")
def fdiv(a: f64, b: f64) -> f64:
    """IEEE 754 division: x/0 is an infinity, 0/0 a NaN."""
    if b == 0.0:
        return math.nan if a == 0.0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)
    return a / b


@wasm_op("f64.sqrt", "f64", "f64")
def fsqrt(x: f64) -> f64:
    return math.sqrt(x) if x >= 0.0 else math.nan


@wasm_op("f64.abs", "f64", "f64")
def fabs(x: f64) -> f64:
    return math.fabs(x)


@wasm_op("f64.floor", "f64", "f64")
def ffloor(x: f64) -> f64:
    return math.copysign(float(math.floor(x)), x) if math.isfinite(x) else x


@wasm_op("f64.ceil", "f64", "f64")
def fceil(x: f64) -> f64:
    return math.copysign(float(math.ceil(x)), x) if math.isfinite(x) else x


@wasm_op("f64.trunc", "f64", "f64")
def ftrunc(x: f64) -> f64:
    return math.copysign(float(math.trunc(x)), x) if math.isfinite(x) else x
