"""Exact algebraic simplifications of pure MIR operations, applied while a body is built.

`SIMPLIFY[code](b, ty, args, attr)` returns a value that equals the operation for every input, or None. A constant operand of a commutative
operation is already on the right; not all operands are constant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .mir import BOOL, I, Ty, Val

if TYPE_CHECKING:
    from .builder import BodyBuilder

SimplifyFn = Callable[["BodyBuilder", Ty, Sequence[Val], Any], "Val | None"]


def _add(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    return args[0] if args[1].const == 0 else None


def _sub(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    x, y = args
    if x is y:
        return b.const(ty, 0)
    return x if y.const == 0 else None


def _mul(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    x, c = args[0], args[1].const
    if not isinstance(c, int):
        return None
    if c == 0:
        return args[1]
    if c == 1:
        return x
    if c & (c - 1) == 0:
        return b.op("shl", ty, (x, b.const(ty, c.bit_length() - 1)))
    return None


def _divu(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    c = args[1].const
    if not isinstance(c, int):
        return None
    if c == 0:
        return args[1]
    if c & (c - 1) == 0:
        return b.op("shru", ty, (args[0], b.const(ty, c.bit_length() - 1)))
    return None


def _modu(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    c = args[1].const
    if not isinstance(c, int):
        return None
    if c == 0:
        return args[1]
    if c & (c - 1) == 0:
        return b.op("and", ty, (args[0], b.const(ty, c - 1)))
    return None


def _divs(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    c = args[1].const
    if c == 0:
        return args[1]
    return args[0] if c == 1 and ty.size > 1 else None


def _and(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    x, y = args
    if x is y or y.const == ty.mask:
        return x
    return y if y.const == 0 else None


def _or(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    x, y = args
    if x is y or y.const == 0:
        return x
    return y if y.const == ty.mask else None


def _xor(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    x, y = args
    if x is y:
        return b.const(ty, 0)
    if y.const == 0:
        return x
    if y.const is not None:
        d = b.def_of(x)
        if d is not None and d.code == "xor" and d.args[1].const is not None:
            return b.op("xor", ty, (d.args[0], b.const(ty, int(d.args[1].const) ^ int(y.const))))
    return None


def _shift(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    x, n = args
    if n.const == 0:
        return x
    if isinstance(n.const, int) and n.const >= ty.size:
        return b.const(ty, 0)
    return x if x.const == 0 else None


def _shrs(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    x, n = args
    return x if n.const == 0 or x.const == 0 or x.const == ty.mask else None


_SAME = {"eq": 1, "sle": 1, "sge": 1, "ule": 1, "uge": 1, "ne": 0, "slt": 0, "sgt": 0, "ult": 0, "ugt": 0}


def _icmp(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    x, y = args
    if x is y:
        return b.const(BOOL, _SAME[attr])
    if x.ty is BOOL and isinstance(y.const, int) and attr in ("eq", "ne"):
        return x if (attr == "eq") == (y.const == 1) else b.op("xor", BOOL, (x, b.const(BOOL, 1)))
    if y.const == 0 and attr in ("ult", "uge"):
        return b.const(BOOL, int(attr == "uge"))
    return None


def _mux(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    c, x, y = args
    if c.const is not None:
        return x if c.const else y
    if x is y:
        return x
    if ty is BOOL and x.const is not None and y.const is not None:
        return c if x.const else b.op("xor", BOOL, (c, b.const(BOOL, 1)))
    d = b.def_of(c)
    if d is not None and d.code == "xor" and d.args[1].const == 1:
        return b.op("mux", ty, (d.args[0], y, x))
    return None


def _extract(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    x = args[0]
    low, k = int(attr), ty.size
    if k == x.ty.size:
        return x
    d = b.def_of(x)
    if d is None:
        return None
    if d.code == "extract":
        return b.op("extract", ty, d.args, low + d.attr)
    if d.code in ("zext", "sext"):
        w = d.args[0].ty.size
        if low + k <= w:
            return b.op("extract", ty, d.args, low)
        if d.code == "zext" and low >= w:
            return b.const(ty, 0)
    elif d.code == "concat":
        at = 0
        for part in reversed(d.args):
            w = part.ty.size
            if low >= at and low + k <= at + w:
                return b.op("extract", ty, (part,), low - at)
            if low < at + w:
                # Spans several parts: exact when both ends fall on part boundaries.
                return _parts(b, ty, d.args, low) if low == at else None
            at += w
    elif d.code == "repl":
        w = d.args[0].ty.size
        if low % w + k <= w:
            return b.op("extract", ty, d.args, low % w)
    elif d.code == "shru" and isinstance(d.args[1].const, int):
        n = d.args[1].const
        if low + n + k <= x.ty.size:
            return b.op("extract", ty, (d.args[0],), low + n)
    elif d.code == "mux" and d.args[1].const is not None and d.args[2].const is not None:
        return b.op("mux", ty, (d.args[0], b.op("extract", ty, (d.args[1],), low), b.op("extract", ty, (d.args[2],), low)))
    return None


def _parts(b: BodyBuilder, ty: Ty, parts: Sequence[Val], low: int) -> Val | None:
    at, taken = 0, 0
    out: list[Val] = []
    for part in reversed(parts):
        if at >= low and taken < ty.size:
            out.append(part)
            taken += part.ty.size
        at += part.ty.size
    if taken != ty.size:
        return None
    out.reverse()
    return b.op("concat", ty, tuple(out))


def _concat(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    if len(args) == 1:
        return args[0]
    if args[0].const == 0:
        rest = tuple(args[1:])
        low = rest[0] if len(rest) == 1 else b.op("concat", I(ty.size - args[0].ty.size), rest)
        return b.op("zext", ty, (low,))
    out: list[Val] = []
    for part in args:
        last = out[-1] if out else None
        if last is not None:
            joined = _join(b, last, part)
            if joined is not None:
                out[-1] = joined
                continue
        out.append(part)
    if len(out) < len(args):
        return b.op("concat", ty, tuple(out))
    if all(a is args[0] for a in args):
        return b.op("repl", ty, (args[0],))
    return None


def _join(b: BodyBuilder, hi: Val, lo: Val) -> Val | None:
    """One value for two neighbours of a concat, if that is a constant or one longer extract."""
    ty = I(hi.ty.size + lo.ty.size)
    if isinstance(hi.const, int) and isinstance(lo.const, int):
        return b.const(ty, (hi.const << lo.ty.size) | lo.const)
    dh, dl = b.def_of(hi), b.def_of(lo)
    if dh is None or dl is None or dh.code != "extract" or dl.code != "extract":
        return None
    if dh.args[0] is dl.args[0] and dh.attr == dl.attr + lo.ty.size:
        return b.op("extract", ty, dl.args, dl.attr)
    return None


def _repl(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    return args[0] if args[0].ty is ty else None


def _zext(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    if args[0].ty is ty:
        return args[0]
    d = b.def_of(args[0])
    return b.op("zext", ty, d.args) if d is not None and d.code == "zext" else None


def _sext(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    if args[0].ty is ty:
        return args[0]
    d = b.def_of(args[0])
    if d is not None and d.code == "sext":
        return b.op("sext", ty, d.args)
    if d is not None and d.code == "zext" and d.args[0].ty.size < args[0].ty.size:
        return b.op("zext", ty, d.args)
    return None


def _fneg(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    d = b.def_of(args[0])
    return d.args[0] if d is not None and d.code == "fneg" else None


def _parity(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    return args[0] if args[0].ty is BOOL else None


def _aget(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    """Reads through `anew` and `aput` when the leaf's place is known."""
    img, idx = args
    count, stride, off = attr
    if not isinstance(idx.const, int):
        return None
    if idx.const >= count:
        return b.zero(ty)
    at = idx.const * stride + off
    end = at + ty.nbytes
    for _ in range(64):
        d = b.def_of(img)
        if d is None:
            return None
        if d.code == "anew":
            base, offs, leaves, below = 0, d.attr, d.args, None
        elif d.code == "aput" and isinstance(d.args[1].const, int):
            n, step, offs = d.attr
            base, leaves, below = d.args[1].const * step, d.args[2:], d.args[0]
            if d.args[1].const >= n:
                img = d.args[0]
                continue
        else:
            return None
        for o, leaf in zip(reversed(offs), reversed(leaves), strict=True):  # the last one written to a place counts
            if base + o == at and leaf.ty is ty:
                return leaf
            if base + o < end and at < base + o + leaf.ty.nbytes:
                return None
        if below is None:
            return b.zero(ty)
        if below.const is not None:
            return b.op("aget", ty, (below, idx), attr)
        img = below
    return None


def _aput(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    idx = args[1].const
    if len(args) == 2 or (isinstance(idx, int) and idx >= attr[0]):
        return args[0]
    return None


def _aslice(b: BodyBuilder, ty: Ty, args: Sequence[Val], attr: Any) -> Val | None:
    img, idx = args
    count, stride = attr
    if idx.const == 0 and ty is img.ty and count * stride == ty.size:
        return img
    if isinstance(idx.const, int) and idx.const >= count:
        return b.zero(ty)
    return None


SIMPLIFY: dict[str, SimplifyFn] = {
    "add": _add, "sub": _sub, "mul": _mul, "and": _and, "or": _or, "xor": _xor,
    "divu": _divu, "modu": _modu, "divs": _divs, "shl": _shift, "shru": _shift, "shrs": _shrs,
    "icmp": _icmp, "mux": _mux, "extract": _extract, "concat": _concat, "repl": _repl, "zext": _zext, "sext": _sext,
    "fneg": _fneg, "parity": _parity, "aget": _aget, "aput": _aput, "aslice": _aslice,
}  # fmt: skip
OF_CONSTANTS = frozenset({"add", "sub", "mul", "and", "or", "xor", "divu", "modu", "divs", "shl", "shru", "shrs", "icmp"})
"""Operations of two operands that are only simplified when one of them is a constant, or both are the same."""
COMMUTATIVE = frozenset({"add", "mul", "and", "or", "xor"})
SWAPPED = {
    "eq": "eq", "ne": "ne", "slt": "sgt", "sle": "sge", "sgt": "slt", "sge": "sle", "ult": "ugt", "ule": "uge", "ugt": "ult", "uge": "ule",
}  # fmt: skip
