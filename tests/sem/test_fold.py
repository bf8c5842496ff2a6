"""Corners of the reference semantics, with results worked out by hand."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest

from wasmjit.sem.fold import FMATH, FOLD
from wasmjit.sem.mir import BOOL, F32, F64, A, I, Packing, Ty
from wasmjit.sem.verify import CHECKS

NOT_PURE = {
    "ctx", "frame", "netid", "ldt", "stt", "ldbits", "ld", "st", "alloca", "memcpy", "memmove", "memset", "netstore", "drv", "drvref",
    "rt", "svc", "call", "icall", "spawn", "gcpoll",
}  # fmt: skip


def run(code: str, dst: Ty, args: list[tuple[Ty, Any]], attr: Any = None) -> Any:
    (out,) = FOLD[code]((dst,), [t for t, _ in args], [a for _, a in args], attr)
    return out


def test_every_operation_is_either_folded_or_has_an_effect() -> None:
    assert set(FOLD) | NOT_PURE == set(CHECKS)
    assert not set(FOLD) & NOT_PURE


@pytest.mark.parametrize(
    ("code", "a", "b", "want"),
    [
        ("divs", 0x80, 0xFF, 0x80), ("divs", 0xF9, 2, 0xFD), ("divs", 7, 0xFE, 0xFD), ("divs", 5, 0, 0), ("divu", 5, 0, 0),
        ("mods", 0xF9, 2, 0xFF), ("mods", 7, 0xFE, 1), ("mods", 0x80, 0xFF, 0), ("mods", 5, 0, 0), ("modu", 5, 0, 0),
        ("shl", 1, 7, 0x80), ("shl", 1, 8, 0), ("shl", 1, 255, 0), ("shru", 0x80, 7, 1), ("shru", 0x80, 8, 0),
        ("shrs", 0x80, 7, 0xFF), ("shrs", 0x80, 200, 0xFF), ("shrs", 0x7F, 200, 0), ("sub", 0, 1, 0xFF), ("mul", 0xFF, 0xFF, 1),
    ],
)  # fmt: skip
def test_eight_bit_arithmetic(code: str, a: int, b: int, want: int) -> None:
    assert run(code, I(8), [(I(8), a), (I(8), b)]) == want


def test_counts_of_zero_wrap_to_the_width() -> None:
    assert [run(c, I(8), [(I(8), 0)]) for c in ("ctlz", "cttz", "popcount")] == [8, 8, 0]
    assert [run(c, I(1), [(I(1), 0)]) for c in ("ctlz", "cttz")] == [1, 1]
    assert [run(c, I(3), [(I(3), 0)]) for c in ("ctlz", "cttz")] == [3, 3]
    assert run("parity", BOOL, [(I(200), (1 << 199) | 6)]) == 1


@pytest.mark.parametrize(
    ("x", "signed", "unsigned"),
    [
        (math.nan, 0, 0), (math.inf, 127, 255), (-math.inf, 128, 0), (1e30, 127, 255), (-1e30, 128, 0), (-1.9, 255, 0), (-0.9, 0, 0),
        (127.9, 127, 127), (128.0, 127, 128), (255.9, 127, 255), (256.0, 127, 255), (-128.9, 128, 0), (-129.0, 128, 0),
    ],
)  # fmt: skip
def test_float_to_int_truncates_and_saturates(x: float, signed: int, unsigned: int) -> None:
    assert run("fptosi", I(8), [(F64, x)]) == signed
    assert run("fptoui", I(8), [(F64, x)]) == unsigned


def test_wide_conversions_are_exact() -> None:
    assert run("fptoui", I(200), [(F64, 2.0**150)]) == 1 << 150
    assert run("fptosi", I(200), [(F64, -(2.0**150))]) == (1 << 200) - (1 << 150)
    assert run("uitofp", F64, [(I(200), 1 << 199)]) == 2.0**199
    assert run("sitofp", F64, [(I(200), 1 << 199)]) == -(2.0**199)
    assert run("uitofp", F64, [(I(2000), 1 << 1999)]) == math.inf
    assert run("sitofp", F64, [(I(2000), 1 << 1999)]) == -math.inf


def test_int_to_single_rounds_once() -> None:
    # 2**62 + 2**38 + 1 is just above the middle of two singles; rounding to double first would lose the last bit and go down.
    n = (1 << 62) + (1 << 38) + 1
    assert run("uitofp", F32, [(I(64), n)]) == 2.0**62 + 2.0**39
    assert run("uitofp", F32, [(I(64), n - 1)]) == 2.0**62
    assert run("sitofp", F32, [(I(64), (1 << 64) - n)]) == -(2.0**62 + 2.0**39)
    # Wider integers are specified to go through the nearest double.
    assert run("uitofp", F32, [(I(65), n)]) == 2.0**62


def test_single_results_are_rounded_and_overflow_to_infinity() -> None:
    assert run("fadd", F32, [(F32, 16777216.0), (F32, 1.0)]) == 16777216.0
    big = struct.unpack("<f", bytes.fromhex("ffff7f7f"))[0]
    assert run("fmul", F32, [(F32, big), (F32, 2.0)]) == math.inf
    assert run("ftrunc", F32, [(F64, -1e300)]) == -math.inf


def test_float_division_and_remainder_by_zero() -> None:
    def two(code: str, a: float, b: float) -> float:
        return float(run(code, F64, [(F64, a), (F64, b)]))

    assert two("fdiv", 1.0, 0.0) == math.inf and two("fdiv", 1.0, -0.0) == -math.inf and two("fdiv", -1.0, 0.0) == -math.inf
    assert math.isnan(two("fdiv", 0.0, 0.0)) and math.isnan(two("frem", 1.0, 0.0)) and math.isnan(two("frem", math.inf, 2.0))
    assert two("frem", -7.5, 2.0) == -1.5 and two("frem", 7.5, math.inf) == 7.5


def test_minimum_and_maximum_propagate_nan_and_order_zeros() -> None:
    for code, want in (("fmin", -1.0), ("fmax", 1.0)):
        for a, b in ((0.0, -0.0), (-0.0, 0.0)):
            assert math.copysign(1.0, run(code, F64, [(F64, a), (F64, b)])) == want
        assert math.isnan(run(code, F64, [(F64, math.nan), (F64, 1.0)])) and math.isnan(run(code, F64, [(F64, 1.0), (F64, math.nan)]))


def test_comparisons_with_nan_follow_the_predicate() -> None:
    got = {
        p: run("fcmp", BOOL, [(F64, math.nan), (F64, 1.0)], p)
        for p in ("oeq", "one", "olt", "ord", "ueq", "une", "ult", "uno", "true", "false")
    }
    assert got == {"oeq": 0, "one": 0, "olt": 0, "ord": 0, "ueq": 1, "une": 1, "ult": 1, "uno": 1, "true": 1, "false": 0}


@pytest.mark.parametrize(
    ("name", "args", "want"),
    [
        ("log", (0.0,), -math.inf), ("log", (-1.0,), math.nan), ("log1p", (-1.0,), -math.inf), ("sqrt", (-1.0,), math.nan),
        ("exp", (1000.0,), math.inf), ("pow", (0.0, -1.0), math.inf), ("pow", (-0.0, -1.0), -math.inf), ("pow", (-0.0, -2.0), math.inf),
        ("pow", (-8.0, 0.5), math.nan), ("pow", (-10.0, 301.0 * 3), -math.inf), ("sinh", (-1000.0,), -math.inf), ("atanh", (-1.0,), -math.inf),
        ("floor", (-0.5,), -1.0), ("ceil", (math.inf,), math.inf), ("round_half_away", (-2.5,), -3.0), ("round_half_even", (2.5,), 2.0),
        ("round_half_away", (0.49999999999999994,), 0.0), ("acosh", (0.0,), math.nan), ("fmod", (1.0, 0.0), math.nan), ("rsqrt", (4.0,), 0.5),
    ],
)  # fmt: skip
def test_math_functions_follow_c_at_poles_and_domain_errors(name: str, args: tuple[float, ...], want: float) -> None:
    got = FMATH[name](*args)
    assert math.isnan(got) if math.isnan(want) else got == want


def test_image_elements_beyond_the_count() -> None:
    img = bytes(range(1, 13))
    two = I(16)
    assert run("aget", two, [(A(12), img), (I(8), 3)], (3, 4, 2)) == 0
    assert run("aget", two, [(A(12), img), (I(8), 2)], (3, 4, 2)) == 0x0C0B
    assert run("aput", A(12), [(A(12), img), (I(8), 3), (two, 5)], (3, 4, (2,))) == img
    assert run("aput", A(12), [(A(12), img), (I(8), 1), (two, 0xFFFF), (I(8), 0)], (3, 4, (0, 3))) == bytes(
        [1, 2, 3, 4, 255, 255, 7, 0, 9, 10, 11, 12]
    )
    assert run("aslice", A(8), [(A(12), img), (I(8), 2)], (3, 4)) == bytes([9, 10, 11, 12, 0, 0, 0, 0])
    assert run("aslice", A(8), [(A(12), img), (I(64), 1 << 60)], (3, 4)) == bytes(8)
    assert run("anew", A(6), [(I(8), 7), (I(16), 0x102)], (1, 4)) == bytes([0, 7, 0, 0, 2, 1])


def test_packing_drops_padding_and_nests() -> None:
    inner = Packing(2, 2, 12, ((0, 12, 0, None),))
    outer = Packing(2, 6, 25, ((0, 24, 0, inner), (4, 1, 24, None)))
    img = bytes.fromhex("bc0af301" + "0100" + "0100feff" + "0000")
    want = 0x1F3ABC | (1 << 24) | ((0xFFE001 & 0xFFF) << 25) | (0xFFE << 37)
    assert run("apack", I(50), [(A(12), img)], outer) == want
    assert run("aunpack", A(12), [(I(50), want)], outer) == bytes.fromhex("bc0af301" + "0100" + "0100fe0f" + "0000")


def test_reversed_packing_puts_the_last_element_of_memory_lowest() -> None:
    p = Packing(3, 1, 4, ((0, 4, 0, None),), reverse=True)
    assert run("apack", I(12), [(A(3), b"\1\2\3")], p) == 0x123
    assert run("aunpack", A(3), [(I(12), 0x123)], p) == b"\1\2\3"
