"""Python expressions for the pure operations of MIR.

An expression function gets the generator `g`, the operation and its operands as texts that are atoms or in parentheses, and returns a text
without outer parentheses. I(1) values may be Python bools; whoever shows them to the outside writes `+x`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..sem import fold
from ..sem.mir import Op, Ty
from .packing import make_pack, make_unpack

if TYPE_CHECKING:
    from .generator import Generator

ExprFn = Callable[["Generator", Op, "list[str]"], str]

EXPRS: dict[str, ExprFn] = {}

TWICE: dict[str, tuple[int, ...]] = {
    "divu": (1,), "modu": (1,), "shl": (1,), "cttz": (0,), "aget": (1,), "aput": (0, 1), "fcmp": (0, 1),
}  # fmt: skip
"""Operand positions whose text stands more than once in the expression, or whose evaluation is conditional: they must be names."""

RAW_MAKERS = frozenset({"add", "sub", "mul", "shl"})
RAW_USERS = frozenset({"add", "sub", "mul", "extract"})
"""A result that only such an operation reads need not be cut to its width first: the reader cuts its own."""


def num(n: int) -> str:
    """An integer literal (hexadecimal has no length limit)."""
    return str(n) if n < 1 << 16 else hex(n)


def _literal(text: str) -> str:
    """Attribute access on a decimal literal needs parentheses."""
    return f"({text})" if text[0].isdigit() else text


def _mask(text: str, ty: Ty) -> str:
    return f"({text}) & {num(ty.mask)}"


def _signed(x: str, width: int) -> str:
    s = num(1 << (width - 1))
    return f"(({x} ^ {s}) - {s})"


def _arith(symbol: str) -> ExprFn:
    def f(g: Generator, op: Op, a: list[str]) -> str:
        text = f"{a[0]} {symbol} {a[1]}"
        return text if g.raw_ok(op) else _mask(text, op.dsts[0].ty)

    return f


def _bitwise(symbol: str) -> ExprFn:
    return lambda g, op, a: f"{a[0]} {symbol} {a[1]}"


def _xor(g: Generator, op: Op, a: list[str]) -> str:
    if op.dsts[0].ty.size == 1 and op.args[1].const == 1:
        return f"not {a[0]}"
    return f"{a[0]} ^ {a[1]}"


def _div(symbol: str, helper: str) -> ExprFn:
    def f(g: Generator, op: Op, a: list[str]) -> str:
        if helper:
            return f"{helper}({a[0]}, {a[1]}, {op.dsts[0].ty.size})"
        if op.args[1].const:
            return f"{a[0]} {symbol} {a[1]}"
        return f"{a[0]} {symbol} {a[1]} if {a[1]} else 0"

    return f


def _shl(g: Generator, op: Op, a: list[str]) -> str:
    ty = op.dsts[0].ty
    if op.args[1].const is not None:
        text = f"{a[0]} << {a[1]}"
        return text if g.raw_ok(op) else _mask(text, ty)
    return f"({a[0]} << {a[1]}) & {num(ty.mask)} if {a[1]} < {ty.size} else 0"


def _shrs(g: Generator, op: Op, a: list[str]) -> str:
    w = op.dsts[0].ty.size
    return f"({_signed(a[0], w)} >> {a[1]}) & {num(op.dsts[0].ty.mask)}"


_SYMBOL = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def _icmp(g: Generator, op: Op, a: list[str]) -> str:
    pred = op.attr
    if pred in ("eq", "ne"):
        return f"{a[0]} {_SYMBOL[pred]} {a[1]}"
    if pred[0] == "u":
        return f"{a[0]} {_SYMBOL[pred[1:]]} {a[1]}"
    # Flipping the sign bit turns the signed order into the unsigned one.
    bit = 1 << (op.args[0].ty.size - 1)
    x, y = (num(int(v.const) ^ bit) if v.const is not None else f"({t} ^ {num(bit)})" for v, t in zip(op.args, a, strict=True))
    return f"{x} {_SYMBOL[pred[1:]]} {y}"


def _extract(g: Generator, op: Op, a: list[str]) -> str:
    src, ty = op.args[0], op.dsts[0].ty
    if op.attr + ty.size == src.ty.size and not g.is_raw(src):
        return f"{a[0]} >> {op.attr}" if op.attr else a[0]
    return f"{a[0]} >> {op.attr} & {num(ty.mask)}" if op.attr else f"{a[0]} & {num(ty.mask)}"


def _concat(g: Generator, op: Op, a: list[str]) -> str:
    parts = []
    at = 0
    for v, t in zip(reversed(op.args), reversed(a), strict=True):
        if v.const != 0:
            parts.append(f"{t} << {at}" if at else t)
        at += v.ty.size
    parts.reverse()
    if not parts:
        return "0"
    return " | ".join(parts) if len(parts) > 1 else f"+({parts[0]})"


def _repl(g: Generator, op: Op, a: list[str]) -> str:
    w, total = op.args[0].ty.size, op.dsts[0].ty.size
    if w == 1:
        return f"{num(op.dsts[0].ty.mask)} if {a[0]} else 0"
    return f"{a[0]} * {hex(sum(1 << i for i in range(0, total, w)))}"


def _sext(g: Generator, op: Op, a: list[str]) -> str:
    src, ty = op.args[0].ty, op.dsts[0].ty
    if src.size == 1:
        return f"{num(ty.mask)} if {a[0]} else 0"
    if src.size == ty.size:
        return a[0]
    return f"{_signed(a[0], src.size)} & {num(ty.mask)}"


def _zext(g: Generator, op: Op, a: list[str]) -> str:
    return f"+{a[0]}" if op.args[0].ty.size == 1 and op.dsts[0].ty.size > 1 else a[0]


EXPRS.update(
    {
        "add": _arith("+"),
        "sub": _arith("-"),
        "mul": _arith("*"),
        "and": _bitwise("&"),
        "or": _bitwise("|"),
        "xor": _xor,
        "divu": _div("//", ""),
        "modu": _div("%", ""),
        "divs": _div("", "DIVS"),
        "mods": _div("", "MODS"),
        "shl": _shl,
        "shru": _bitwise(">>"),
        "shrs": _shrs,
        "icmp": _icmp,
        "mux": lambda g, op, a: f"{a[1]} if {a[0]} else {a[2]}",
        "extract": _extract,
        "concat": _concat,
        "repl": _repl,
        "zext": _zext,
        "sext": _sext,
        "parity": lambda g, op, a: f"{_literal(a[0])}.bit_count() & 1",
        "popcount": lambda g, op, a: f"{_literal(a[0])}.bit_count()",
        "ctlz": lambda g, op, a: f"{op.dsts[0].ty.size} - {_literal(a[0])}.bit_length()",
        "cttz": lambda g, op, a: f"({a[0]} & -{a[0]}).bit_length() - 1 if {a[0]} else {op.dsts[0].ty.size & op.dsts[0].ty.mask}",
    }
)

# ---------------------------------------------------------------- floats


def _single(op: Op, text: str) -> str:
    return f"R32({text})" if op.dsts[0].ty.size == 32 else text


def _fbin(symbol: str) -> ExprFn:
    return lambda g, op, a: _single(op, f"{a[0]} {symbol} {a[1]}")


def _fcall(name: str) -> ExprFn:
    return lambda g, op, a: _single(op, f"{name}({a[0]}, {a[1]})")


_FCMP = {
    "false": "False", "true": "True", "oeq": "{0} == {1}", "ogt": "{0} > {1}", "oge": "{0} >= {1}", "olt": "{0} < {1}", "ole": "{0} <= {1}",
    "one": "{0} < {1} or {0} > {1}", "ord": "{0} == {0} and {1} == {1}", "uno": "{0} != {0} or {1} != {1}",
    "ueq": "not ({0} < {1} or {0} > {1})", "ugt": "not {0} <= {1}", "uge": "not {0} < {1}", "ult": "not {0} >= {1}", "ule": "not {0} > {1}",
    "une": "{0} != {1}",
}  # fmt: skip


def _int_to_float(is_signed: bool) -> ExprFn:
    def f(g: Generator, op: Op, a: list[str]) -> str:
        w, ty = op.args[0].ty.size, op.dsts[0].ty
        x = _signed(a[0], w) if is_signed else a[0]
        if ty.size == 64 and w <= 1000:
            return f"float({x})"
        return f"ITOF({x}, {w}, {g.name(ty)})"

    return f


def _fmath(g: Generator, op: Op, a: list[str]) -> str:
    return _single(op, f"{g.name(fold.FMATH[op.attr])}({', '.join(a)})")


EXPRS.update(
    {
        "fadd": _fbin("+"),
        "fsub": _fbin("-"),
        "fmul": _fbin("*"),
        "fdiv": _fcall("FDIV"),
        "frem": _fcall("FREM"),
        "fmin": _fcall("FMIN"),
        "fmax": _fcall("FMAX"),
        "fneg": lambda g, op, a: f"-{a[0]}",
        "fabs": lambda g, op, a: f"abs({a[0]})",
        "fcmp": lambda g, op, a: _FCMP[op.attr].format(*a),
        "fptosi": lambda g, op, a: f"FTOI({a[0]}, {op.dsts[0].ty.size}, True)",
        "fptoui": lambda g, op, a: f"FTOI({a[0]}, {op.dsts[0].ty.size}, False)",
        "sitofp": _int_to_float(True),
        "uitofp": _int_to_float(False),
        "fext": lambda g, op, a: a[0],
        "ftrunc": lambda g, op, a: f"R32({a[0]})",
        "f2bits": lambda g, op, a: f"FB{op.args[0].ty.size}({a[0]})",
        "bits2f": lambda g, op, a: f"BTOF({a[0]}, {op.dsts[0].ty.size})",
        "fmath": _fmath,
    }
)

# ---------------------------------------------------------------- images


def from_image(ty: Ty, img: str, at: str, masked: bool = True) -> str:
    """The leaf of type `ty` at byte `at` (a literal or a name or in parentheses) of a bytes object."""
    n = ty.nbytes
    if ty.kind == "a":
        return f"{img}[{at} : {at} + {n}]"
    if ty.kind == "f":
        return f"U{'F' if n == 4 else 'D'}({img}, {at})[0]"
    if n == 1:
        text = f"{img}[{at}]"
    elif n <= 8:
        text = f"U{n}({img}, {at})[0]"
    else:
        text = f"IB({img}[{at} : {at} + {n}], 'little')"
    return f"{text} & {num(ty.mask)}" if masked and ty.size != 8 * n else text


def to_image(ty: Ty, text: str) -> str:
    """The bytes of a leaf."""
    if ty.kind == "a":
        return text
    if ty.kind == "f":
        return f"FB{ty.size}({text}).to_bytes({ty.nbytes}, 'little')"
    return f"B1[{text}]" if ty.nbytes == 1 else f"{text}.to_bytes({ty.nbytes}, 'little')"


def _aget(g: Generator, op: Op, a: list[str]) -> str:
    count, stride, off = op.attr
    ty = op.dsts[0].ty
    idx = op.args[1].const
    if isinstance(idx, int):
        if idx >= count:
            return g.const_text(ty, fold.zero_leaf(ty))
        return from_image(ty, a[0], num(idx * stride + off))
    at = a[1] if stride == 1 else f"{a[1]} * {stride}"
    at = f"({at} + {off})" if off else at if stride == 1 else f"({at})"
    text = from_image(ty, a[0], at)
    if count > op.args[1].ty.mask:
        return text
    return f"{text} if {a[1]} < {count} else {g.const_text(ty, fold.zero_leaf(ty))}"


def _aput(g: Generator, op: Op, a: list[str]) -> str:
    count, stride, offs = op.attr
    tys = tuple(v.ty for v in op.args[2:])
    idx = op.args[1].const
    if len(tys) != 1:
        leaves = ", ".join(a[2:])
        return f"APUT({a[0]}, {a[1]}, {g.name(tys)}, ({leaves},), {count}, {stride}, {g.name(tuple(offs))})"
    size, n, off = op.dsts[0].ty.size, tys[0].nbytes, offs[0]
    leaf = to_image(tys[0], _literal(a[2]))
    if isinstance(idx, int):
        if idx >= count:
            return a[0]
        at = idx * stride + off
        head = f"{a[0]}[:{at}] + " if at else ""
        tail = f" + {a[0]}[{at + n}:]" if at + n < size else ""
        return head + leaf + tail
    i = f"{a[1]} * {stride}"
    text = f"{a[0]}[: {i} + {off}] + {leaf} + {a[0]}[{i} + {off + n} :]"
    return text if count > op.args[1].ty.mask else f"{text} if {a[1]} < {count} else {a[0]}"


def _struct_format(op: Op) -> str | None:
    """A `struct` format that builds the image of an `anew` from integer leaves in order of their offsets."""
    fmt, at = "<", 0
    for v, off in zip(op.args, op.attr, strict=True):
        if v.ty.kind != "i" or v.ty.nbytes > 8 or off < at:
            return None
        fmt += f"{off - at}x" if off > at else ""
        fmt += {1: "B", 2: "H", 4: "I", 8: "Q"}[v.ty.nbytes]
        at = off + v.ty.nbytes
    size = op.dsts[0].ty.size
    return fmt + (f"{size - at}x" if size > at else "")


def _anew(g: Generator, op: Op, a: list[str]) -> str:
    fmt = _struct_format(op)
    if fmt is not None:
        return f"{g.name(struct.Struct(fmt).pack, ('pack', fmt))}({', '.join(a)})"
    tys = tuple(v.ty for v in op.args)
    return f"ANEW({op.dsts[0].ty.size}, {g.name(tys)}, ({', '.join(a)},), {g.name(tuple(op.attr))})"


def _aslice(g: Generator, op: Op, a: list[str]) -> str:
    count, stride = op.attr
    size, idx = op.dsts[0].ty.size, op.args[1].const
    if isinstance(idx, int) and idx * stride + size <= count * stride:
        return f"{a[0]}[{idx * stride}:{idx * stride + size}]"
    return f"ASLICE({a[0]}, {a[1]}, {size}, {count}, {stride})"


def _apack(g: Generator, op: Op, a: list[str]) -> str:
    return f"{g.name(make_pack(op.attr), ('pack', op.attr))}({a[0]})"


def _aunpack(g: Generator, op: Op, a: list[str]) -> str:
    size = op.dsts[0].ty.size
    return f"{g.name(make_unpack(op.attr, size), ('unpack', op.attr, size))}({a[0]})"


EXPRS.update({"aget": _aget, "aput": _aput, "anew": _anew, "aslice": _aslice, "apack": _apack, "aunpack": _aunpack})
