"""arith, math, index: integers and floats of functions."""

from __future__ import annotations

from wasmjit.ir import Op
from wasmjit.ir import types as T
from wasmjit.sem.lower.core import Lowerer, Unsupported, lowers
from wasmjit.sem.mir import BOOL, I, Val

_INT = {
    "addi": "add",
    "subi": "sub",
    "muli": "mul",
    "andi": "and",
    "ori": "or",
    "xori": "xor",
    "divui": "divu",
    "divsi": "divs",
    "remui": "modu",
    "remsi": "mods",
    "shli": "shl",
    "shrui": "shru",
    "shrsi": "shrs",
}
_FLOAT = {"addf": "fadd", "subf": "fsub", "mulf": "fmul", "divf": "fdiv", "remf": "frem", "minimumf": "fmin", "maximumf": "fmax"}
_INDEX = {
    "add": "add",
    "sub": "sub",
    "mul": "mul",
    "and": "and",
    "or": "or",
    "xor": "xor",
    "divu": "divu",
    "divs": "divs",
    "remu": "modu",
    "rems": "mods",
    "shl": "shl",
    "shru": "shru",
    "shrs": "shrs",
}
BINARY = {f"arith.{k}": v for k, v in (_INT | _FLOAT).items()} | {f"index.{k}": v for k, v in _INDEX.items()}
_MINMAX = {"arith.minsi": "slt", "arith.maxsi": "sgt", "arith.minui": "ult", "arith.maxui": "ugt", "index.mins": "slt", "index.maxs": "sgt", "index.minu": "ult", "index.maxu": "ugt"}
CMPI = ("eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge")
CMPF = ("false", "oeq", "ogt", "oge", "olt", "ole", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "une", "uno", "true")
_MATH1 = (
    "sqrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh exp exp2 expm1 log log2 log10 log1p floor ceil trunc cbrt erf round roundeven rsqrt absf"
).split()


@lowers(*BINARY)
def _binary(lw: Lowerer, op: Op) -> None:
    a, b = lw.one(op.operands[0]), lw.one(op.operands[1])
    lw.set(op.results[0], lw.x(BINARY[op.name], a.ty, a, b))


@lowers(*_MINMAX)
def _minmax(lw: Lowerer, op: Op) -> None:
    a, b = lw.one(op.operands[0]), lw.one(op.operands[1])
    lw.set(op.results[0], lw.x("mux", a.ty, lw.x("icmp", BOOL, a, b, attr=_MINMAX[op.name]), a, b))


@lowers("arith.constant", "index.constant")
def _constant(lw: Lowerer, op: Op) -> None:
    lay = lw.lay(op.results[0])
    value = op.attrs["value"]
    if len(lay.leaves) != 1 or lay.leaves[0].kind == "a" or not isinstance(value, (int, float)):
        raise Unsupported(op, f"constant of type {op.results[0].type}")
    ty = lay.leaves[0]
    lw.set(op.results[0], lw.const(ty, float(value) if ty.kind == "f" else int(value) & ty.mask))


@lowers("index.bool.constant")
def _bool_constant(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], lw.const(BOOL, int(bool(op.attrs["value"]))))


@lowers("arith.cmpi", "index.cmp")
def _cmpi(lw: Lowerer, op: Op) -> None:
    p = op.attrs["predicate"] if "predicate" in op.attrs else op.attrs["pred"]
    pred = CMPI[p] if isinstance(p, int) else str(p)
    lw.set(op.results[0], lw.x("icmp", BOOL, lw.one(op.operands[0]), lw.one(op.operands[1]), attr=pred))


@lowers("arith.cmpf")
def _cmpf(lw: Lowerer, op: Op) -> None:
    p = op.attrs["predicate"]
    lw.set(op.results[0], lw.x("fcmp", BOOL, lw.one(op.operands[0]), lw.one(op.operands[1]), attr=CMPF[p] if isinstance(p, int) else str(p)))


@lowers("arith.select")
def _select(lw: Lowerer, op: Op) -> None:
    if isinstance(op.results[0].type, T.FStringType):
        from wasmjit.sem.lower.sim import mux_format

        mux_format(lw, op)
        return
    c = lw.one(op.operands[0])
    ts, fs = lw.get(op.operands[1]), lw.get(op.operands[2])
    lw.set(op.results[0], [lw.x("mux", t.ty, c, t, f) for t, f in zip(ts, fs, strict=True)])


@lowers("arith.extui", "arith.extsi", "arith.trunci", "arith.index_cast", "arith.index_castui", "index.castu", "index.casts")
def _resize(lw: Lowerer, op: Op) -> None:
    a = lw.one(op.operands[0])
    ty = lw.leaf(op.results[0])
    if ty.size <= a.ty.size:
        lw.set(op.results[0], lw.resize(a, ty))
        return
    signed = op.name in ("arith.extsi", "arith.index_cast", "index.casts")
    lw.set(op.results[0], lw.x("sext" if signed else "zext", ty, a))


_CONVERT = {
    "arith.fptosi": "fptosi",
    "arith.fptoui": "fptoui",
    "arith.sitofp": "sitofp",
    "arith.uitofp": "uitofp",
    "arith.extf": "fext",
    "arith.truncf": "ftrunc",
    "arith.negf": "fneg",
    "math.absf": "fabs",
}


@lowers(*_CONVERT)
def _convert(lw: Lowerer, op: Op) -> None:
    ty = lw.leaf(op.results[0])
    lw.set(op.results[0], lw.x(_CONVERT[op.name], ty, lw.one(op.operands[0])))


@lowers("arith.bitcast")
def _bitcast(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], bitcast(lw, lw.one(op.operands[0]), op.results[0].type))


def bitcast(lw: Lowerer, a: Val, t: T.Type) -> Val:
    ty = lw.leaf(t)
    if a.ty.size != ty.size:
        raise Unsupported(lw.op, f"a bitcast between {a.ty.size} and {ty.size} bits")
    if a.ty.kind == ty.kind:
        return a
    return lw.x("f2bits", ty, a) if a.ty.kind == "f" else lw.x("bits2f", ty, a)


_NAMES = {"absf": "fabs", "exp2": "exp2", "rsqrt": "rsqrt", "round": "round_half_away", "roundeven": "round_half_even"}


@lowers(*[f"math.{n}" for n in _MATH1 if n != "absf"])
def _math1(lw: Lowerer, op: Op) -> None:
    a = lw.one(op.operands[0])
    name = op.name.removeprefix("math.")
    lw.set(op.results[0], lw.x("fmath", a.ty, a, attr=_NAMES.get(name, name)))


@lowers("math.powf", "math.atan2", "math.copysign", "math.fpowi")
def _math2(lw: Lowerer, op: Op) -> None:
    a, b = lw.one(op.operands[0]), lw.one(op.operands[1])
    name = {"math.powf": "pow", "math.fpowi": "pow"}.get(op.name, op.name.removeprefix("math."))
    if b.ty.kind == "i":
        b = lw.x("sitofp", a.ty, b)
    lw.set(op.results[0], lw.x("fmath", a.ty, a, b, attr=name))


@lowers("math.ctpop", "math.ctlz", "math.cttz")
def _count(lw: Lowerer, op: Op) -> None:
    a = lw.one(op.operands[0])
    lw.set(op.results[0], lw.x({"math.ctpop": "popcount", "math.ctlz": "ctlz", "math.cttz": "cttz"}[op.name], a.ty, a))


@lowers("math.absi")
def _absi(lw: Lowerer, op: Op) -> None:
    a = lw.one(op.operands[0])
    neg = lw.x("sub", a.ty, lw.const(a.ty, 0), a)
    lw.set(op.results[0], lw.x("mux", a.ty, lw.x("icmp", BOOL, a, lw.const(a.ty, 0), attr="slt"), neg, a))


@lowers("math.ipowi")
def _ipowi(lw: Lowerer, op: Op) -> None:
    """Integer power by squaring, unrolled over the exponent's bits (negative exponents of |x| > 1 give 0)."""
    a, e = lw.one(op.operands[0]), lw.one(op.operands[1])
    one = lw.const(a.ty, 1)
    acc, base = one, a
    for i in range(e.ty.size - 1):
        bit = lw.x("extract", BOOL, e, attr=i)
        acc = lw.x("mux", a.ty, bit, lw.x("mul", a.ty, acc, base), acc)
        base = lw.x("mul", a.ty, base, base)
    minus = lw.const(a.ty, a.ty.mask)
    odd = lw.x("extract", BOOL, e, attr=0)
    is_one = lw.x("icmp", BOOL, a, one, attr="eq")
    is_minus = lw.x("icmp", BOOL, a, minus, attr="eq")
    small = lw.x("mux", a.ty, is_one, one, lw.x("mux", a.ty, is_minus, lw.x("mux", a.ty, odd, minus, one), lw.const(a.ty, 0)))
    negative = lw.x("extract", BOOL, e, attr=e.ty.size - 1) if e.ty.size > 1 else lw.const(I(1), 0)
    lw.set(op.results[0], lw.x("mux", a.ty, negative, small, acc))
