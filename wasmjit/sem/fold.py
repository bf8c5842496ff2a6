"""Reference semantics of every pure MIR operation, as plain Python.

`FOLD[code](dst_tys, arg_tys, args, attr)` returns the tuple of results. Integers are Python ints in [0, 2**w), F32 and F64 are Python
floats (an F32 is already rounded to single precision), images are `bytes`. Both tiers are tested against this table, and the builder
folds constants with it.

Where `wasmjit.sem.mir` leaves room, this module is the definition:

* `fmin`/`fmax` are IEEE 754-2019 minimum/maximum: a NaN operand gives NaN, and -0 is less than +0 (as `f64.min` of WebAssembly).
* Sign and payload of a NaN cannot be seen: `f2bits`, `anew`, `aput` and every store to memory or a net (not the saving of a value in its
  own frame slot) write the positive quiet NaN (0x7FC00000, 0x7FF8000000000000) for any NaN.
* `fmath` follows C: a domain error gives NaN, overflow and poles give the infinity. `FMATH` lists the names.
* Integers read out of an image (`aget`, `apack`) are cut to their width, whatever the padding bits hold.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from math import isnan
from typing import Any

from .mir import Packing, Ty, int_bytes

Value = int | float | bytes
FoldFn = Callable[[Sequence[Ty], Sequence[Ty], Sequence[Any], Any], tuple[Any, ...]]

FOLD: dict[str, FoldFn] = {}

NAN_BITS = {32: 0x7FC00000, 64: 0x7FF8000000000000}
_F32 = struct.Struct("<f")
_F64 = struct.Struct("<d")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


def signed(value: int, width: int) -> int:
    """The two's complement reading of a zero-extended `width`-bit integer."""
    return value - (1 << width) if value >> (width - 1) else value


def round_f32(x: float) -> float:
    """`x` rounded to the nearest single-precision number (ties to even, overflow to infinity)."""
    try:
        return float(_F32.unpack(_F32.pack(x))[0])
    except OverflowError:
        return math.copysign(math.inf, x)


def round_to(ty: Ty, x: float) -> float:
    return round_f32(x) if ty.size == 32 else x


# ---------------------------------------------------------------- integers


def div_signed(a: int, b: int, width: int) -> int:
    """Truncating signed division of `width`-bit integers; x/0 is 0, the most negative number / -1 wraps."""
    if b == 0:
        return 0
    x, y = signed(a, width), signed(b, width)
    q = abs(x) // abs(y)
    return (-q if (x < 0) != (y < 0) else q) & ((1 << width) - 1)


def mod_signed(a: int, b: int, width: int) -> int:
    """Remainder with the sign of the dividend; x%0 is 0."""
    if b == 0:
        return 0
    x, y = signed(a, width), signed(b, width)
    r = abs(x) % abs(y)
    return (-r if x < 0 else r) & ((1 << width) - 1)


def shift_right_signed(a: int, n: int, width: int) -> int:
    return (signed(a, width) >> min(n, width)) & ((1 << width) - 1)


def compare(pred: str, a: Any, b: Any, width: int) -> bool:
    """`icmp` by predicate name; `a` and `b` are ints of `width` bits, or images for eq and ne."""
    if pred == "eq":
        return bool(a == b)
    if pred == "ne":
        return bool(a != b)
    if pred[0] == "s":
        a, b = signed(a, width), signed(b, width)
    return _ORDER[pred[1:]](a, b)


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "lt": lambda a, b: bool(a < b),
    "le": lambda a, b: bool(a <= b),
    "gt": lambda a, b: bool(a > b),
    "ge": lambda a, b: bool(a >= b),
}
ICMP = ("eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge")


def concat(widths: Sequence[int], args: Sequence[int]) -> int:
    """Bit concatenation, the first argument on top."""
    out = 0
    for w, a in zip(widths, args, strict=True):
        out = (out << w) | a
    return out


def _ints() -> None:
    def binary(code: str, fn: Callable[[int, int, int], int]) -> None:
        def fold(dst: Sequence[Ty], arg: Sequence[Ty], a: Sequence[Any], attr: Any) -> tuple[Any, ...]:
            return (fn(a[0], a[1], dst[0].size) & dst[0].mask,)

        FOLD[code] = fold

    def unary(code: str, fn: Callable[[int, int], int]) -> None:
        def fold(dst: Sequence[Ty], arg: Sequence[Ty], a: Sequence[Any], attr: Any) -> tuple[Any, ...]:
            return (fn(a[0], arg[0].size) & dst[0].mask,)

        FOLD[code] = fold

    binary("add", lambda a, b, w: a + b)
    binary("sub", lambda a, b, w: a - b)
    binary("mul", lambda a, b, w: a * b)
    binary("and", lambda a, b, w: a & b)
    binary("or", lambda a, b, w: a | b)
    binary("xor", lambda a, b, w: a ^ b)
    binary("divu", lambda a, b, w: a // b if b else 0)
    binary("modu", lambda a, b, w: a % b if b else 0)
    binary("divs", div_signed)
    binary("mods", mod_signed)
    binary("shl", lambda a, n, w: a << n if n < w else 0)
    binary("shru", lambda a, n, w: a >> n if n < w else 0)
    binary("shrs", shift_right_signed)
    unary("zext", lambda a, w: a)
    unary("sext", signed)
    unary("parity", lambda a, w: a.bit_count() & 1)
    unary("popcount", lambda a, w: a.bit_count())
    unary("ctlz", lambda a, w: w - a.bit_length())
    unary("cttz", lambda a, w: (a & -a).bit_length() - 1 if a else w)
    FOLD["icmp"] = lambda dst, arg, a, attr: (int(compare(attr, a[0], a[1], arg[0].size)),)
    FOLD["mux"] = lambda dst, arg, a, attr: (a[1] if a[0] else a[2],)
    FOLD["extract"] = lambda dst, arg, a, attr: ((a[0] >> attr) & dst[0].mask,)
    FOLD["concat"] = lambda dst, arg, a, attr: (concat([t.size for t in arg], a),)
    FOLD["repl"] = lambda dst, arg, a, attr: (concat([arg[0].size] * (dst[0].size // arg[0].size), [a[0]] * (dst[0].size // arg[0].size)),)


# ---------------------------------------------------------------- floats


def fdiv(a: float, b: float) -> float:
    if b == 0.0:
        if a == 0.0 or isnan(a):
            return math.nan
        return math.copysign(math.inf, a) * math.copysign(1.0, b)
    return a / b


def frem(a: float, b: float) -> float:
    """C's fmod: the sign of the dividend; NaN for x rem 0 and inf rem x."""
    if b == 0.0 or math.isinf(a):
        return math.nan
    return math.fmod(a, b)


def fmin(a: float, b: float) -> float:
    if isnan(a) or isnan(b):
        return math.nan
    if a == b:
        return a if math.copysign(1.0, a) < 0 else b
    return min(b, a)


def fmax(a: float, b: float) -> float:
    if isnan(a) or isnan(b):
        return math.nan
    if a == b:
        return b if math.copysign(1.0, a) < 0 else a
    return max(b, a)


def fcompare(pred: str, a: float, b: float) -> bool:
    """`fcmp` by MLIR predicate: o.. is false and u.. is true when an operand is NaN."""
    if pred in ("true", "false"):
        return pred == "true"
    unordered = isnan(a) or isnan(b)
    if pred == "ord":
        return not unordered
    if pred == "uno":
        return unordered
    if unordered:
        return pred[0] == "u"
    return _FORDER[pred[1:]](a, b)


_FORDER: dict[str, Callable[[float, float], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}
FCMP = (
    "false", "oeq", "ogt", "oge", "olt", "ole", "one", "ord",
    "ueq", "ugt", "uge", "ult", "ule", "une", "uno", "true",
)  # fmt: skip


def float_to_int(x: float, width: int, is_signed: bool) -> int:
    """Toward zero, saturating, NaN gives 0; the result is zero-extended."""
    if isnan(x):
        return 0
    lo, hi = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if is_signed else (0, (1 << width) - 1)
    if math.isinf(x):
        n = hi if x > 0 else lo
    else:
        n = min(max(int(x), lo), hi)
    return n & ((1 << width) - 1)


def int_to_float(n: int, width: int, to: Ty) -> float:
    """`n` (signed value) correctly rounded; integers wider than 64 bits go through the nearest double."""
    if to.size == 32 and width <= 64:
        # Keep 50 bits and a sticky bit: exact as a double, so that only one rounding happens.
        size = abs(n).bit_length()
        if size > 50:
            drop = size - 50
            mag = abs(n)
            kept = (mag >> drop) | (1 if mag & ((1 << drop) - 1) else 0)
            n = -(kept << drop) if n < 0 else kept << drop
            # `kept << drop` has at most 51 significant bits.
        return round_f32(float(n))
    try:
        x = float(n)
    except OverflowError:
        x = math.inf if n > 0 else -math.inf
    return round_to(to, x)


def float_bits(x: float, size: int) -> int:
    """IEEE bits of a float of `size` bits; NaNs are canonical."""
    if isnan(x):
        return NAN_BITS[size]
    if size == 32:
        return int(_U32.unpack(_F32.pack(x))[0])
    return int(_U64.unpack(_F64.pack(x))[0])


def bits_float(n: int, size: int) -> float:
    if size == 32:
        return float(_F32.unpack(_U32.pack(n))[0])
    return float(_F64.unpack(_U64.pack(n))[0])


def _round_away(x: float) -> float:
    """Nearest integer, halves away from zero (C's round)."""
    if not math.isfinite(x) or abs(x) >= 2.0**52:
        return x
    n = math.floor(abs(x))
    return math.copysign(float(n + 1 if abs(x) - n >= 0.5 else n), x)


def _integral(fn: Callable[[float], int]) -> Callable[[float], float]:
    def f(x: float) -> float:
        return math.copysign(float(fn(x)), x) if math.isfinite(x) else x

    return f


def _log(fn: Callable[[float], float], pole: float = 0.0) -> Callable[[float], float]:
    def f(x: float) -> float:
        return -math.inf if x == pole else _guard(fn, x)

    return f


def _guard(fn: Callable[..., float], *args: float) -> float:
    try:
        return float(fn(*args))
    except ValueError:
        return math.nan
    except OverflowError:
        return math.inf


def _pow(x: float, y: float) -> float:
    try:
        return math.pow(x, y)
    except ValueError:
        if x == 0.0:  # a pole: the sign of zero counts for odd integers
            odd = y == math.floor(y) and math.fmod(y, 2.0) != 0.0
            return math.copysign(math.inf, x) if odd else math.inf
        return math.nan
    except OverflowError:
        return -math.inf if x < 0 and math.fmod(y, 2.0) != 0.0 else math.inf


def _odd_overflow(fn: Callable[[float], float]) -> Callable[[float], float]:
    def f(x: float) -> float:
        try:
            return fn(x)
        except OverflowError:
            return math.copysign(math.inf, x)

    return f


def _atanh(x: float) -> float:
    return math.copysign(math.inf, x) if abs(x) == 1.0 else _guard(math.atanh, x)


def _plain(fn: Callable[..., float]) -> Callable[..., float]:
    def f(*args: float) -> float:
        return _guard(fn, *args)

    return f


FMATH: dict[str, Callable[..., float]] = {
    name: _plain(getattr(math, name))
    for name in (
        "sqrt", "cbrt", "sin", "cos", "tan", "asin", "acos", "atan", "cosh", "tanh", "asinh", "acosh",
        "exp", "exp2", "expm1", "erf", "erfc", "fabs", "degrees", "radians",
        "atan2", "hypot", "copysign", "fmod", "remainder", "gamma", "lgamma",
    )
}  # fmt: skip
FMATH.update(
    pow=_pow,
    sinh=_odd_overflow(math.sinh),
    atanh=_atanh,
    log=_log(math.log),
    log2=_log(math.log2),
    log10=_log(math.log10),
    log1p=_log(math.log1p, -1.0),
    floor=_integral(math.floor),
    ceil=_integral(math.ceil),
    trunc=_integral(math.trunc),
    rsqrt=lambda x: fdiv(1.0, _guard(math.sqrt, x)),
    round_half_away=_round_away,
    round_half_even=_integral(round),
)


def fmath(name: str, *args: float) -> float:
    """The function `name` of `FMATH` with C's results for domain errors, poles and overflow."""
    return FMATH[name](*args)


def _floats() -> None:
    def binary(code: str, fn: Callable[[float, float], float]) -> None:
        FOLD[code] = lambda dst, arg, a, attr: (round_to(dst[0], fn(a[0], a[1])),)

    binary("fadd", lambda a, b: a + b)
    binary("fsub", lambda a, b: a - b)
    binary("fmul", lambda a, b: a * b)
    binary("fdiv", fdiv)
    binary("frem", frem)
    binary("fmin", fmin)
    binary("fmax", fmax)
    FOLD["fneg"] = lambda dst, arg, a, attr: (-a[0],)
    FOLD["fabs"] = lambda dst, arg, a, attr: (abs(a[0]),)
    FOLD["fcmp"] = lambda dst, arg, a, attr: (int(fcompare(attr, a[0], a[1])),)
    FOLD["fptosi"] = lambda dst, arg, a, attr: (float_to_int(a[0], dst[0].size, True),)
    FOLD["fptoui"] = lambda dst, arg, a, attr: (float_to_int(a[0], dst[0].size, False),)
    FOLD["sitofp"] = lambda dst, arg, a, attr: (int_to_float(signed(a[0], arg[0].size), arg[0].size, dst[0]),)
    FOLD["uitofp"] = lambda dst, arg, a, attr: (int_to_float(a[0], arg[0].size, dst[0]),)
    FOLD["fext"] = lambda dst, arg, a, attr: (a[0],)
    FOLD["ftrunc"] = lambda dst, arg, a, attr: (round_to(dst[0], a[0]),)
    FOLD["f2bits"] = lambda dst, arg, a, attr: (float_bits(a[0], arg[0].size),)
    FOLD["bits2f"] = lambda dst, arg, a, attr: (bits_float(a[0], dst[0].size),)
    FOLD["fmath"] = lambda dst, arg, a, attr: (round_to(dst[0], fmath(attr, *a)),)


# ---------------------------------------------------------------- images


def leaf_to_bytes(ty: Ty, value: Any) -> bytes:
    """Memory form of a leaf: `ty.nbytes` bytes, little endian; NaNs are canonical."""
    if ty.kind == "i":
        return int(value).to_bytes(ty.nbytes, "little")
    if ty.kind == "f":
        return float_bits(value, ty.size).to_bytes(ty.nbytes, "little")
    return bytes(value)


def leaf_from_bytes(ty: Ty, data: bytes) -> Any:
    """The leaf whose memory form is `data` (`ty.nbytes` bytes); integers are cut to their width."""
    if ty.kind == "i":
        return int.from_bytes(data, "little") & ty.mask
    if ty.kind == "f":
        return (_F32 if ty.size == 32 else _F64).unpack(data)[0]
    return bytes(data)


def zero_leaf(ty: Ty) -> Any:
    return 0 if ty.kind == "i" else 0.0 if ty.kind == "f" else bytes(ty.size)


def aget(ty: Ty, img: bytes, idx: int, count: int, stride: int, off: int) -> Any:
    if idx >= count:
        return zero_leaf(ty)
    at = idx * stride + off
    return leaf_from_bytes(ty, img[at : at + ty.nbytes])


def aput(img: bytes, idx: int, tys: Sequence[Ty], leaves: Sequence[Any], count: int, stride: int, offs: Sequence[int]) -> bytes:
    if idx >= count:
        return img
    out = bytearray(img)
    for ty, leaf, off in zip(tys, leaves, offs, strict=True):
        at = idx * stride + off
        out[at : at + ty.nbytes] = leaf_to_bytes(ty, leaf)
    return bytes(out)


def anew(size: int, tys: Sequence[Ty], leaves: Sequence[Any], offs: Sequence[int]) -> bytes:
    return aput(bytes(size), 0, tys, leaves, 1, 0, offs)


def aslice(img: bytes, idx: int, size: int, count: int, stride: int) -> bytes:
    """`size` bytes from element `idx`; elements at and beyond `count` read as zero."""
    if idx >= count:
        return bytes(size)
    at = idx * stride
    return img[at : min(at + size, count * stride)].ljust(size, b"\0")


def apack(img: bytes, p: Packing) -> int:
    """Image to bit vector; element i takes bits [i*bits, (i+1)*bits) and lies at i*stride, with `reverse` at (count-1-i)*stride."""
    out = 0
    for i in range(p.count):
        base = (p.count - 1 - i if p.reverse else i) * p.stride
        for off, width, low, nested in p.leaves:
            at = base + off
            if nested is None:
                bits = int.from_bytes(img[at : at + int_bytes(width)], "little") & ((1 << width) - 1)
            else:
                bits = apack(img[at : at + nested.count * nested.stride], nested)
            out |= bits << (i * p.bits + low)
    return out


def aunpack(value: int, size: int, p: Packing) -> bytes:
    """Bit vector to an image of `size` bytes; bytes that belong to no leaf are zero."""
    out = bytearray(size)
    for i in range(p.count):
        base = (p.count - 1 - i if p.reverse else i) * p.stride
        for off, width, low, nested in p.leaves:
            at = base + off
            bits = (value >> (i * p.bits + low)) & ((1 << width) - 1)
            if nested is None:
                n = int_bytes(width)
                out[at : at + n] = bits.to_bytes(n, "little")
            else:
                n = nested.count * nested.stride
                out[at : at + n] = aunpack(bits, n, nested)
    return bytes(out)


def _images() -> None:
    FOLD["aget"] = lambda dst, arg, a, attr: (aget(dst[0], a[0], a[1], *attr),)
    FOLD["aput"] = lambda dst, arg, a, attr: (aput(a[0], a[1], arg[2:], a[2:], *attr),)
    FOLD["anew"] = lambda dst, arg, a, attr: (anew(dst[0].size, arg, a, attr),)
    FOLD["aslice"] = lambda dst, arg, a, attr: (aslice(a[0], a[1], dst[0].size, *attr),)
    FOLD["apack"] = lambda dst, arg, a, attr: (apack(a[0], attr) & dst[0].mask,)
    FOLD["aunpack"] = lambda dst, arg, a, attr: (aunpack(a[0], dst[0].size, attr),)


_ints()
_floats()
_images()

PURE = frozenset(FOLD)
"""Codes without effects whose result depends on the operands alone."""
EFFECT_FREE = PURE | {"ctx", "frame", "netid", "ldt", "ldbits"}
"""Codes that may be removed when no result is used."""
NO_WRITE = EFFECT_FREE | {"ld", "drv", "spawn", "gcpoll"}
"""Codes that leave contexts, frames, signals and guest memory as they are, so that a load gives the same before and after."""
