"""Wide arithmetic in memory, both ways (CPython and wasm), against the reference semantics."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wasmjit.codegen import wide_rt as rt
from wasmjit.codegen.kernelc_testing import run_both
from wasmjit.sem import fold
from wasmjit.sem.mir import F64, I

D, A, B, T = 1024, 4096, 8192, 16384
WIDTHS = (65, 96, 127, 128, 129, 191, 192, 200, 256, 511, 512, 513, 1024)


def _value(rng: random.Random, w: int) -> int:
    m = (1 << w) - 1
    r = rng.random()
    if r < 0.3:
        return rng.choice((0, 1, m, m >> 1, (m >> 1) + 1, m - 1, 2, 3))
    if r < 0.45:
        return 1 << rng.randrange(w)
    if r < 0.6:
        return (m >> rng.randrange(w)) & ~((1 << rng.randrange(w)) - 1)
    return rng.getrandbits(rng.randint(1, w))


def _memory(a: int, b: int, w: int, fill: int = 0xA5) -> bytes:
    n = (w + 63) // 64 * 8
    mem = bytearray(65536)
    mem[D : D + n + 16] = bytes([fill]) * (n + 16)
    mem[A : A + n] = a.to_bytes(n, "little")
    mem[B : B + n] = b.to_bytes(n, "little")
    return bytes(mem)


def _run(fn: Callable[..., Any], w: int, a: int, b: int, *args: int) -> int:
    out = run_both(fn, *args, memory=_memory(a, b, w))
    assert out.trap is None
    return int.from_bytes(out.memory[D : D + (w + 63) // 64 * 8], "little")


BINARY: dict[str, Callable[[int], tuple[Callable[..., Any], tuple[int, ...]]]] = {
    "add": lambda w: (rt.w_add, (D, A, B, w)),
    "sub": lambda w: (rt.w_sub, (D, A, B, w)),
    "mul": lambda w: (rt.w_mul, (D, A, B, w)),
    "divu": lambda w: (rt.w_div, (D, A, B, w, 0, T)),
    "modu": lambda w: (rt.w_div, (D, A, B, w, 1, T)),
    "divs": lambda w: (rt.w_div, (D, A, B, w, 2, T)),
    "mods": lambda w: (rt.w_div, (D, A, B, w, 3, T)),
    "and": lambda w: (rt.w_bit, (D, A, B, (w + 63) // 64, 0)),
    "or": lambda w: (rt.w_bit, (D, A, B, (w + 63) // 64, 1)),
    "xor": lambda w: (rt.w_bit, (D, A, B, (w + 63) // 64, 2)),
}


@pytest.mark.parametrize("code", BINARY)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_binary_operations(code: str, seed: int) -> None:
    rng = random.Random(seed)
    w = rng.choice(WIDTHS)
    a, b = _value(rng, w), _value(rng, w)
    if "v" in code and rng.random() < 0.5:
        b = (b >> rng.randrange(w)) or 1
    fn, args = BINARY[code](w)
    assert _run(fn, w, a, b, *args) == fold.FOLD[code]((I(w),), (I(w), I(w)), (a, b), None)[0]


def test_division_where_the_estimated_digit_is_too_large_twice() -> None:
    # Knuth's rare "add back" step, and a quotient digit estimate above 32 bits.
    for a, b in (
        ((0x7FFFFFFF << 96) | (0x80000000 << 64), (0x80000000 << 64) | 1),
        ((0x80000000 << 96) | 3, (0x20000000 << 64) | 1),
        (0xFFFFFFFE_00000000_80000000_00000000, 0xFFFFFFFF_00000000_80000001),
    ):
        assert _run(rt.w_div, 128, a, b, D, A, B, 128, 0, T) == a // b
        assert _run(rt.w_div, 128, a, b, D, A, B, 128, 1, T) == a % b


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_shifts_and_bit_fields(seed: int) -> None:
    rng = random.Random(seed)
    w = rng.choice(WIDTHS)
    a, n = _value(rng, w), rng.choice((0, 1, 63, 64, 65, w - 1, w, w + 1, rng.randrange(w)))
    mask = (1 << w) - 1
    assert _run(rt.w_shl, w, a, 0, D, A, n, w) == (a << n if n < w else 0) & mask
    assert _run(rt.w_shr, w, a, 0, D, A, n, w, 0) == (a >> n if n < w else 0)
    assert _run(rt.w_shr, w, a, 0, D, A, n, w, 1) == fold.shift_right_signed(a, n, w)
    k = rng.randint(1, w)
    low = rng.randint(0, w - k)
    out = run_both(rt.w_getbits, D, A, low, k, memory=_memory(a, 0, w))
    assert int.from_bytes(out.memory[D : D + (k + 63) // 64 * 8], "little") == (a >> low) & ((1 << k) - 1)
    part = a & ((1 << k) - 1)
    out = run_both(rt.w_putbits, D, low, A, k, memory=_memory(part, 0, w, fill=0))
    assert int.from_bytes(out.memory[D : D + (w + 63) // 64 * 8], "little") == part << low
    assert _run(rt.w_sext, w, part, 0, D, A, k, w) == fold.signed(part, k) & mask


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_comparisons_and_counts(seed: int) -> None:
    rng = random.Random(seed)
    w = rng.choice(WIDTHS)
    a = _value(rng, w)
    b = a if rng.random() < 0.3 else _value(rng, w)
    mem = _memory(a, b, w)
    n = (w + 63) // 64 * 8
    assert run_both(rt.w_lt, A, B, w, 0, memory=mem).result == (a < b)
    assert run_both(rt.w_lt, A, B, w, 1, memory=mem).result == fold.compare("slt", a, b, w)
    assert run_both(rt.w_ne, A, B, n - rng.randrange(3), memory=mem).result in ((a != b,) if a == b or (a ^ b) & 0xFF else (0, 1))
    assert run_both(rt.w_popcount, A, w, memory=mem).result == a.bit_count()
    assert run_both(rt.w_ctlz, A, w, memory=mem).result == w - a.bit_length()
    assert run_both(rt.w_cttz, A, w, memory=mem).result == fold.FOLD["cttz"]((I(w),), (I(w),), (a,), None)[0]
    assert _run(rt.w_neg, w, a, 0, D, A, w) == -a & ((1 << w) - 1)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_conversions_with_doubles(seed: int) -> None:
    rng = random.Random(seed)
    w = rng.choice((*WIDTHS, 1100, 2000))
    a = _value(rng, w)
    if rng.random() < 0.3:  # around a tie
        a = ((rng.getrandbits(53) | 1 << 52) << rng.randrange(w - 54)) + rng.choice((0, 1, -1))
        a |= 1 << max(0, a.bit_length() - 54)
        a &= (1 << w) - 1
    assert run_both(rt.w_tof, A, w, memory=_memory(a, 0, w)).result == fold.int_to_float(a, w, F64)
    x = rng.choice((0.0, -0.0, 0.9, -0.9, 1.0, -1.0, 1e300, -1e300, float("inf"), -float("inf"), float("nan"), rng.uniform(-2, 2) * 2.0 ** rng.randrange(min(w, 1000))))
    for s in (0, 1):
        out = run_both(rt.w_fromf, D, x, w, s, memory=_memory(0, 0, w))
        assert int.from_bytes(out.memory[D : D + (w + 63) // 64 * 8], "little") == fold.float_to_int(x, w, bool(s))


@pytest.mark.parametrize("x", [float("inf"), -float("inf")])
def test_infinity_saturates_where_every_finite_double_fits(x: float) -> None:
    for s in (0, 1):
        out = run_both(rt.w_fromf, D, x, 2000, s, memory=_memory(0, 0, 2000))
        assert int.from_bytes(out.memory[D : D + 256], "little") == fold.float_to_int(x, 2000, bool(s))
