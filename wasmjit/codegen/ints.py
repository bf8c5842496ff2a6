"""Integer operations of up to 64 bits, and their dispatch to `wide` above that."""

from __future__ import annotations

from ..sem.mir import Op, Val
from . import wasm as W
from . import wide
from .bits import signed32, signed64
from .emit import Emitter, lowers
from .forms import MASK32, MASK64, Place, in_memory
from .wasm import i32_const, i64_const

_ADD = {"add": (b"\x6a", b"\x7c"), "sub": (b"\x6b", b"\x7d"), "mul": (b"\x6c", b"\x7e")}
_BIT = {"and": (b"\x71", b"\x83"), "or": (b"\x72", b"\x84"), "xor": (b"\x73", b"\x85")}


@lowers("add", "sub", "mul")
def _arith(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    w = d.ty.size
    a, b = op.args
    if w <= 32:
        e.define(d, e.s(a) + e.s(b) + _ADD[op.code][0] + MASK32[w])
    elif w <= 64:
        if w == 64 and e.areas and op.code == "add" and a.id in e.areas and a.const is None and b.const is not None:
            at, n = e.areas[a.id]
            if int(b.const) <= n:
                e.define_address(d, Place(at.base, at.off + int(b.const)), n - int(b.const))
                return
        e.define(d, e.s(a) + e.s(b) + _ADD[op.code][1] + MASK64[w])
    else:
        wide.arith(e, op)


@lowers("and", "or", "xor")
def _bitwise(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    w = d.ty.size
    a, b = op.args
    if w <= 32:
        if op.code == "xor" and w == 1 and b.const == 1:
            e.define(d, e.s(a) + b"\x45")
        else:
            e.define(d, e.s(a) + e.s(b) + _BIT[op.code][0])
    elif w <= 64:
        e.define(d, e.s(a) + e.s(b) + _BIT[op.code][1])
    else:
        wide.bitwise(e, op)


@lowers("divu", "modu", "divs", "mods")
def _division(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    w = d.ty.size
    if w > 64:
        wide.division(e, op)
        return
    a, b = op.args
    signed, mod = op.code[3] == "s", op.code[:3] == "mod"
    if not signed:
        narrow = w <= 32
        div = (b"\x70" if mod else b"\x6e") if narrow else (b"\x82" if mod else b"\x80")
        if b.const is not None:
            e.define(d, e.s(a) + e.s(b) + div if b.const else _zero(w))
            return
        x = e.s(a)
        y = e.s(b)
        get, _, tee = e.temp(W.I32 if narrow else W.I64)
        # A zero divisor is replaced by one, and the result by zero.
        if narrow:
            e.define(d, x + y + tee + get + b"\x45\x72" + div + b"\x41\x00" + get + b"\x1b")
        else:
            e.define(d, x + y + tee + get + b"\x50\xad\x84" + div + b"\x42\x00" + get + b"\x50\x45\x1b")
        return
    if w <= 32 and b.const is not None and b.const not in (0, b.ty.mask):
        e.define(d, signed32(e, a) + signed32(e, b) + (b"\x6f" if mod else b"\x6d") + MASK32[w])
        return
    if w <= 32:
        # In 64 bits the most negative number / -1 does not overflow.
        x, y = signed64(e, a), signed64(e, b)
        mask = MASK32[w]
        back = b"\xa7" + mask
    else:
        x, y = signed64(e, a), signed64(e, b)
        back = MASK64[w]
    div = b"\x81" if mod else b"\x7f"
    if b.const is not None and b.const not in (0, b.ty.mask):
        e.define(d, x + y + div + back)
        return
    get, _, tee = e.temp(W.I64)
    if w == 64 and not mod:
        num, _, tee_num = e.temp(W.I64)
        # x / -1 is 0 - x; the division itself is done by 1 then.
        safe = b"\x42\x01" + get + get + b"\x42\x01\x7c\x42\x02\x54\x1b"
        q = x + tee_num + y + tee + b"\x1a" + safe + b"\x7f"
        neg = b"\x42\x00" + num + b"\x7d"
        # (quotient, -x) by y == -1, then 0 by y == 0: `select` takes the first when the condition holds.
        code = q + neg + get + b"\x42\x7f\x52\x1b" + b"\x42\x00" + get + b"\x50\x45\x1b"
        e.define(d, code)
        return
    e.define(d, x + y + tee + get + b"\x50\xad\x84" + div + b"\x42\x00" + get + b"\x50\x45\x1b" + back)


def _zero(w: int) -> bytes:
    return b"\x41\x00" if w <= 32 else b"\x42\x00"


@lowers("shl", "shru", "shrs")
def _shift(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    w = d.ty.size
    if w > 64:
        wide.shift(e, op)
        return
    a, n = op.args
    narrow = w <= 32
    code = op.code
    if n.const is not None:
        k = int(n.const)
        if k >= w:
            if code != "shrs":
                e.define(d, _zero(w))
                return
            k = w - 1
        const = i32_const(k) if narrow else i64_const(k)
        if code == "shl":
            e.define(d, e.s(a) + const + (b"\x74" + MASK32[w] if narrow else b"\x86" + MASK64[w]))
        elif code == "shru":
            e.define(d, e.s(a) + const + (b"\x76" if narrow else b"\x88"))
        elif narrow:
            e.define(d, signed32(e, a) + const + b"\x75" + MASK32[w])
        else:
            e.define(d, signed64(e, a) + const + b"\x87" + MASK64[w])
        return
    x = e.s(a) if code != "shrs" else signed32(e, a) if narrow else signed64(e, a)
    y = e.s(n)
    if code == "shrs":
        # The amount is limited to w-1, which gives the sign.
        get, _, tee = e.temp(W.I32 if narrow else W.I64)
        if narrow:
            amount = y if w <= 5 and (1 << w) <= 32 else y + tee + i32_const(w - 1) + get + i32_const(w) + b"\x49\x1b"
            e.define(d, x + amount + b"\x75" + MASK32[w])
        else:
            e.define(d, x + y + tee + i64_const(w - 1) + get + i64_const(w) + b"\x54\x1b\x87" + MASK64[w])
        return
    if narrow and w <= 5:
        # The amount is below 32; bits pushed beyond the width are masked away.
        e.define(d, x + y + (b"\x74" + MASK32[w] if code == "shl" else b"\x76"))
        return
    get, _, tee = e.temp(W.I32 if narrow else W.I64)
    if narrow:
        sh = b"\x74" + MASK32[w] if code == "shl" else b"\x76"
        e.define(d, x + y + tee + sh + b"\x41\x00" + get + i32_const(w) + b"\x49\x1b")
    else:
        sh = b"\x86" + MASK64[w] if code == "shl" else b"\x88"
        e.define(d, x + y + tee + sh + b"\x42\x00" + get + i64_const(w) + b"\x54\x1b")


_CMP = {
    "eq": (b"\x46", b"\x51"), "ne": (b"\x47", b"\x52"),
    "ult": (b"\x49", b"\x54"), "ugt": (b"\x4b", b"\x56"), "ule": (b"\x4d", b"\x58"), "uge": (b"\x4f", b"\x5a"),
    "slt": (b"\x48", b"\x53"), "sgt": (b"\x4a", b"\x55"), "sle": (b"\x4c", b"\x57"), "sge": (b"\x4e", b"\x59"),
}  # fmt: skip


def _aligned(e: Emitter, v: Val, top: int) -> bytes:
    """The value shifted so that its sign is the sign of the container, which is enough to compare."""
    w = v.ty.size
    const = i32_const if top == 32 else i64_const
    if v.const is not None:
        return const(int(v.const) << (top - w))
    code = e.s(v)
    return code if w == top else code + const(top - w) + (b"\x74" if top == 32 else b"\x86")


@lowers("icmp")
def _icmp(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    a, b = op.args
    if a.ty.kind == "a" or a.ty.size > 64:
        wide.compare(e, op)
        return
    pred = op.attr
    w = a.ty.size
    if w <= 32:
        if pred[0] == "s":
            e.define(d, _aligned(e, a, 32) + _aligned(e, b, 32) + _CMP[pred][0])
        elif pred == "eq" and b.const == 0:
            e.define(d, e.s(a) + b"\x45")
        elif pred == "ne" and b.const == 0 and w == 1:
            e.define(d, e.s(a))
        else:
            e.define(d, e.s(a) + e.s(b) + _CMP[pred][0])
    elif pred[0] == "s":
        e.define(d, _aligned(e, a, 64) + _aligned(e, b, 64) + _CMP[pred][1])
    elif pred == "eq" and b.const == 0:
        e.define(d, e.s(a) + b"\x50")
    else:
        e.define(d, e.s(a) + e.s(b) + _CMP[pred][1])


@lowers("mux")
def _mux(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    c, a, b = op.args
    if in_memory(d.ty) or (d.ty.kind == "i" and d.ty.size > 64):
        wide.mux(e, op)
    else:
        e.define(d, e.s(a) + e.s(b) + e.s(c) + b"\x1b")


@lowers("extract")
def _extract(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    a = op.args[0]
    low, k, w = op.attr, d.ty.size, a.ty.size
    if w <= 32:
        code = e.s(a)
        if low:
            code += i32_const(low) + b"\x76"
        e.define(d, code if low + k == w else code + MASK32[k])
    elif w <= 64:
        code = e.s(a)
        if low:
            code += i64_const(low) + b"\x88"
        if k <= 32:
            e.define(d, code + b"\xa7" + (b"" if low + k == w and k < 32 else MASK32[k]))
        else:
            e.define(d, code if low + k == w else code + MASK64[k])
    else:
        wide.extract(e, op)


@lowers("concat")
def _concat(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    w = d.ty.size
    if w > 64:
        wide.concat(e, d, op.args)
        return
    at = w
    code = b""
    for v in op.args:
        at -= v.ty.size
        part = e.s(v)
        if w <= 32:
            part += (i32_const(at) + b"\x74" if at else b"") + (b"\x72" if code else b"")
        else:
            part += (b"\xad" if v.ty.size <= 32 else b"") + (i64_const(at) + b"\x86" if at else b"") + (b"\x84" if code else b"")
        code += part
    e.define(d, code)


@lowers("repl")
def _repl(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    a = op.args[0]
    w, k = d.ty.size, a.ty.size
    if w > 64:
        wide.repl(e, op)
    elif k == w:
        e.define(d, e.s(a))
    elif w <= 32:
        ones = sum(1 << i for i in range(0, w, k))
        e.define(d, e.s(a) + i32_const(ones) + b"\x6c" if k > 1 else b"\x41\x00" + e.s(a) + b"\x6b" + MASK32[w])
    else:
        ones = sum(1 << i for i in range(0, w, k))
        x = e.s(a) + (b"\xad" if k <= 32 else b"")
        e.define(d, x + i64_const(ones) + b"\x7e" if k > 1 else b"\x42\x00" + x + b"\x7d" + MASK64[w])


@lowers("zext")
def _zext(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    a = op.args[0]
    w, k = d.ty.size, a.ty.size
    if w > 64:
        wide.zext(e, op)
    elif w <= 32 or k > 32:
        e.define(d, e.s(a))
    else:
        e.define(d, e.s(a) + b"\xad")


@lowers("sext")
def _sext(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    a = op.args[0]
    w = d.ty.size
    if w > 64:
        wide.sext(e, op)
    elif a.ty.size == w:
        e.define(d, e.s(a))
    elif w <= 32:
        e.define(d, signed32(e, a) + MASK32[w])
    else:
        e.define(d, signed64(e, a) + MASK64[w])


@lowers("parity", "popcount")
def _popcount(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    a = op.args[0]
    w = a.ty.size
    if w > 64:
        wide.popcount(e, op)
    elif w <= 32:
        e.define(d, e.s(a) + b"\x69" + (b"\x41\x01\x71" if op.code == "parity" else MASK32[w] if w <= 2 else b""))
    elif op.code == "parity":
        e.define(d, e.s(a) + b"\x7b\xa7\x41\x01\x71")
    else:
        e.define(d, e.s(a) + b"\x7b")


@lowers("ctlz", "cttz")
def _zeros(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    a = op.args[0]
    w = a.ty.size
    if w > 64:
        wide.zeros(e, op)
        return
    mask = b""
    if w <= 32:
        mask = MASK32[w] if w <= 2 else b""
    if op.code == "ctlz":
        if w <= 32:
            e.define(d, e.s(a) + b"\x67" + (i32_const(32 - w) + b"\x6b" if w < 32 else b"") + mask)
        else:
            e.define(d, e.s(a) + b"\x79" + (i64_const(64 - w) + b"\x7d" if w < 64 else b""))
    # A one above the top bit limits the count.
    elif w <= 32:
        e.define(d, e.s(a) + (i32_const(1 << w) + b"\x72" if w < 32 else b"") + b"\x68" + mask)
    else:
        e.define(d, e.s(a) + (i64_const(1 << w) + b"\x84" if w < 64 else b"") + b"\x7a")
