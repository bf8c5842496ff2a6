"""Floating-point operations. A NaN has no payload here: `f2bits` gives the canonical one."""

from __future__ import annotations

from ..sem.fold import FMATH
from ..sem.mir import Op
from . import wasm as W
from . import wide
from .bits import signed32, signed64
from .emit import Emitter, lowers
from .forms import MASK32, MASK64, address
from .values import canonical_bits
from .wasm import i32_const, i64_const

FMATH_NAMES: tuple[str, ...] = tuple(sorted(FMATH))
"""`h.fmath(i, a, b)` computes FMATH[FMATH_NAMES[i]](a[, b]) in double precision."""

_BINARY = {
    "fadd": (W.F32_ADD, W.F64_ADD), "fsub": (W.F32_SUB, W.F64_SUB), "fmul": (W.F32_MUL, W.F64_MUL), "fdiv": (W.F32_DIV, W.F64_DIV),
    "fmin": (W.F32_MIN, W.F64_MIN), "fmax": (W.F32_MAX, W.F64_MAX), "fneg": (W.F32_NEG, W.F64_NEG), "fabs": (W.F32_ABS, W.F64_ABS),
}  # fmt: skip
_NATIVE = {
    "sqrt": (W.F32_SQRT, W.F64_SQRT), "floor": (W.F32_FLOOR, W.F64_FLOOR), "ceil": (W.F32_CEIL, W.F64_CEIL),
    "trunc": (W.F32_TRUNC, W.F64_TRUNC), "roundeven": (W.F32_NEAREST, W.F64_NEAREST), "fabs": (W.F32_ABS, W.F64_ABS),
    "copysign": (W.F32_COPYSIGN, W.F64_COPYSIGN),
}  # fmt: skip


@lowers(*_BINARY)
def _plain(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    e.define(d, b"".join([e.s(a) for a in op.args]) + bytes((_BINARY[op.code][d.ty.size == 64],)))


def _host(e: Emitter, op: Op, name: str) -> None:
    """Through the host, in double precision."""
    d = op.dsts[0]
    widen = b"\xbb" if d.ty.size == 32 else b""
    args = [e.s(a) + widen for a in op.args]
    if len(args) == 1:
        args.append(W.f64_const(0.0))
    code = i32_const(FMATH_NAMES.index(name)) + b"".join(args) + e.mod.call("h", "fmath")
    e.define(d, code + (b"\xb6" if widen else b""))


@lowers("frem")
def _frem(e: Emitter, op: Op) -> None:
    _host(e, op, "fmod")


@lowers("fmath")
def _fmath(e: Emitter, op: Op) -> None:
    native = _NATIVE.get(op.attr)
    if native is None:
        _host(e, op, op.attr)
    else:
        d = op.dsts[0]
        e.define(d, b"".join([e.s(a) for a in op.args]) + bytes((native[d.ty.size == 64],)))


_ORDERED = {"oeq": 0, "olt": 2, "ogt": 3, "ole": 4, "oge": 5}
_NEGATED = {"une": "oeq", "uge": "olt", "ule": "ogt", "ugt": "ole", "ult": "oge"}


@lowers("fcmp")
def _fcmp(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    a, b = op.args
    pred = op.attr
    first = W.F64_EQ if a.ty.size == 64 else W.F32_EQ

    def cmp(which: int) -> bytes:
        return bytes((first + which,))

    if pred in ("true", "false"):
        e.define(d, i32_const(pred == "true"))
    elif pred in ("ord", "uno", "one", "ueq"):
        x, y = e.cheap(a), e.cheap(b)
        if pred in ("ord", "uno"):
            code = x + x + cmp(0) + y + y + cmp(0) + b"\x71"
            e.define(d, code if pred == "ord" else code + b"\x45")
        else:
            code = x + y + cmp(2) + x + y + cmp(3) + b"\x72"
            e.define(d, code if pred == "one" else code + b"\x45")
    elif pred in _ORDERED:
        e.define(d, e.s(a) + e.s(b) + cmp(_ORDERED[pred]))
    else:
        e.define(d, e.s(a) + e.s(b) + cmp(_ORDERED[_NEGATED[pred]]) + b"\x45")


@lowers("fptosi", "fptoui")
def _to_int(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    w = d.ty.size
    a = op.args[0]
    signed = op.code == "fptosi"
    double = a.ty.size == 64
    if w > 64:
        if e.uses.get(d.id):
            x = e.s(a) + (b"" if double else b"\xbb")
            p = wide.result_place(e, d)
            e.out += address(p) + x + i32_const(w) + i32_const(signed) + e.mod.call("k", "w_fromf")
            wide.finish(e, d, p)
        return
    narrow = w <= 32
    sub = (0 if narrow else 4) + (2 if double else 0) + (0 if signed else 1)
    code = e.s(a) + bytes((0xFC, sub))
    if w in (32, 64):
        e.define(d, code)
        return
    const, valtype = (i32_const, W.I32) if narrow else (i64_const, W.I64)
    if not signed:
        get, _, tee = e.temp(valtype)
        top = const((1 << w) - 1)
        e.define(d, code + tee + top + get + top + (b"\x49" if narrow else b"\x54") + b"\x1b")
        return
    get, _, tee = e.temp(valtype)
    hi, lo = const((1 << (w - 1)) - 1), const(-(1 << (w - 1)))
    less, greater = (b"\x48", b"\x4a") if narrow else (b"\x53", b"\x55")
    code += tee + hi + get + hi + less + b"\x1b" + tee + lo + get + lo + greater + b"\x1b"
    e.define(d, code + (MASK32[w] if narrow else MASK64[w]))


@lowers("sitofp", "uitofp")
def _from_int(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    a = op.args[0]
    w = a.ty.size
    signed = op.code == "sitofp"
    double = d.ty.size == 64
    if w <= 32:
        code = signed32(e, a) if signed else e.s(a)
        e.define(d, code + bytes(((W.F64_CONVERT_I32_S if double else W.F32_CONVERT_I32_S) + (not signed),)))
        return
    if w <= 64:
        code = signed64(e, a) if signed else e.s(a)
        e.define(d, code + bytes(((W.F64_CONVERT_I64_S if double else W.F32_CONVERT_I64_S) + (not signed),)))
        return
    if not e.uses.get(d.id):
        return
    x = address(wide.spill(e, a))
    narrow = b"" if double else b"\xb6"
    tof = i32_const(w) + e.mod.call("k", "w_tof")
    if not signed:
        e.define(d, x + tof + narrow)
        return
    top = (w - 1) >> 3
    t = address(e.scratch_place(a.ty.nbytes))
    negative = e.keep(x + W.memarg(W.I32_LOAD8_U, top) + i32_const((w - 1) & 7) + b"\x76\x41\x01\x71", W.I32)
    e.out += negative + b"\x04\x40" + t + x + i32_const(w) + e.mod.call("k", "w_neg") + b"\x0b"
    mag = e.keep(t + x + negative + b"\x1b" + tof, W.F64)
    e.define(d, mag + b"\x9a" + mag + negative + b"\x1b" + narrow)


@lowers("fext")
def _fext(e: Emitter, op: Op) -> None:
    e.define(op.dsts[0], e.s(op.args[0]) + b"\xbb")


@lowers("ftrunc")
def _ftrunc(e: Emitter, op: Op) -> None:
    e.define(op.dsts[0], e.s(op.args[0]) + b"\xb6")


@lowers("f2bits")
def _f2bits(e: Emitter, op: Op) -> None:
    a = op.args[0]
    e.define(op.dsts[0], canonical_bits(e, e.s(a), a.ty.size))


@lowers("bits2f")
def _bits2f(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    e.define(d, e.s(op.args[0]) + (b"\xbe" if d.ty.size == 32 else b"\xbf"))
