"""Integers above 64 bits, and images where they behave alike (comparison, selection).

Up to LIMB_BITS everything but division, products of three and more limbs and shifts by unknown amounts is straight code over limbs; those,
and all wider numbers, go through `wide_rt` on numbers in memory (limbs are spilled to the shadow stack for it).
"""

from __future__ import annotations

from collections.abc import Sequence

from ..sem.mir import LIMB_BITS, Op, Val
from . import wasm as W
from .bits import signed64
from .emit import Emitter
from .forms import MASK64, Place, address, copy_code, in_memory, limb_count, zero_code
from .wasm import i32_const, i64_const, memarg

ZERO = b"\x42\x00"


def spill(e: Emitter, v: Val) -> Place:
    """An address where the integer lies: its place, or a copy of its limbs on the shadow stack."""
    if in_memory(v.ty):
        return e.place(v)
    p = e.scratch_place(limb_count(v.ty.size) * 8)
    for i, c in enumerate(e.limbs(v)):
        e.out += p.base + c + memarg(W.I64_STORE, p.off + 8 * i)
    return p


def result_place(e: Emitter, d: Val) -> Place:
    """Where a helper writes the integer `d`; `finish` defines it from there."""
    return e.own_place(d) if in_memory(d.ty) else e.scratch_place(d.ty.nbytes)


def finish(e: Emitter, d: Val, p: Place) -> None:
    if in_memory(d.ty):
        e.define_image(d, p)
    else:
        e.define_values(d, e.load_codes(d.ty, p, True))


def call(e: Emitter, name: str, *args: bytes | int) -> bytes:
    """A call of a `wide_rt` function; ints are i32 constants."""
    return b"".join([i32_const(a) if isinstance(a, int) else a for a in args]) + e.mod.call("k", name)


def masked(codes: list[bytes], w: int) -> list[bytes]:
    if w & 63:
        codes[-1] += MASK64[w & 63]
    return codes


def amount32(e: Emitter, v: Val, limit: int) -> bytes:
    """min(v, limit) as i32 (the code may be taken once), for an unsigned integer of any width; limit < 2**31."""
    w = v.ty.size
    if v.const is not None:
        return i32_const(min(int(v.const), limit))
    if w < 32 and (1 << w) - 1 <= limit:
        return e.s(v)
    if w <= 32:
        x = e.cheap(v)
        return x + i32_const(limit) + x + i32_const(limit) + b"\x49\x1b"
    if w <= 64:
        x = e.cheap(v)
        return x + b"\xa7" + i32_const(limit) + x + i64_const(limit) + b"\x54\x1b"
    limbs = e.cheap_limbs(v)
    rest = limbs[1] + b"".join([c + b"\x84" for c in limbs[2:]]) + b"\x50"
    return limbs[0] + b"\xa7" + i32_const(limit) + limbs[0] + i64_const(limit) + b"\x54" + rest + b"\x71\x1b"


# ---------------------------------------------------------------- arithmetic


def arith(e: Emitter, op: Op) -> None:
    """add, sub, mul."""
    d = op.dsts[0]
    if not e.uses.get(d.id):
        return
    w = d.ty.size
    a, b = op.args
    n = limb_count(w)
    code = op.code
    if w > LIMB_BITS or (code == "mul" and n > 2):
        px, py = spill(e, a), spill(e, b)
        p = result_place(e, d)
        e.out += call(e, f"w_{code}", address(p), address(px), address(py), w)
        finish(e, d, p)
        return
    x, y = e.cheap_limbs(a), e.cheap_limbs(b)
    if code == "mul":
        low = x[0] + y[0] + b"\x7e"
        high = x[0] + y[0] + e.mod.call("k", "w_mulhi") + x[0] + y[1] + b"\x7e\x7c" + x[1] + y[0] + b"\x7e\x7c"
        e.define_limbs(d, masked([low, high], w))
        return
    plus = b"\x7c" if code == "add" else b"\x7d"
    codes: list[bytes] = []
    carry = b""
    for i in range(n):
        xi, yi = x[i], y[i]
        if i == n - 1:
            codes.append(xi + yi + plus + (carry + plus if carry else b""))
            break
        t = e.keep(xi + yi + plus, W.I64)
        # Carry: the sum is less than an operand. Borrow: the minuend is less than the subtrahend.
        out = t + xi + b"\x54" if code == "add" else xi + yi + b"\x54"
        if carry:
            r = e.keep(t + carry + plus, W.I64)
            out += (r + t + b"\x54" if code == "add" else t + carry + b"\x54") + b"\x72"
            t = r
        codes.append(t)
        carry = e.keep(out + b"\xad", W.I64)
    e.define_limbs(d, masked(codes, w))


_BIT = {"and": b"\x83", "or": b"\x84", "xor": b"\x85"}


def bitwise(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    if not e.uses.get(d.id):
        return
    a, b = op.args
    if d.ty.size > LIMB_BITS:
        p = e.own_place(d)
        kind = ("and", "or", "xor").index(op.code)
        e.out += call(e, "w_bit", address(p), address(e.place(a)), address(e.place(b)), limb_count(d.ty.size), kind)
        e.define_image(d, p)
        return
    bit = _BIT[op.code]
    e.define_limbs(d, [x + y + bit for x, y in zip(e.limbs(a), e.limbs(b), strict=True)])


def division(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    if not e.uses.get(d.id):
        return
    w = d.ty.size
    x, y = spill(e, op.args[0]), spill(e, op.args[1])
    p = result_place(e, d)
    t = e.scratch_place(4 * d.ty.nbytes + 32)
    kind = ("divu", "modu", "divs", "mods").index(op.code)
    e.out += call(e, "w_div", address(p), address(x), address(y), w, kind, address(t))
    finish(e, d, p)


def shift(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    if not e.uses.get(d.id):
        return
    w = d.ty.size
    a, n = op.args
    code = op.code
    if n.const is not None and w <= LIMB_BITS:
        _shift_const(e, d, a, code, min(int(n.const), w))
        return
    amount = e.keep(amount32(e, n, w), W.I32)
    x = spill(e, a)
    p = result_place(e, d)
    if code == "shl":
        e.out += call(e, "w_shl", address(p), address(x), amount, w)
    else:
        e.out += call(e, "w_shr", address(p), address(x), amount, w, int(code == "shrs"))
    finish(e, d, p)


def _shift_const(e: Emitter, d: Val, a: Val, code: str, k: int) -> None:
    w = d.ty.size
    n = limb_count(w)
    words, s = k >> 6, k & 63
    x: list[bytes] = list(e.cheap_limbs(a))
    if code == "shl":
        if k >= w:
            e.define_limbs(d, [ZERO] * n)
            return
        x = [ZERO] * words + x
        codes = []
        for i in range(n):
            c = x[i]
            if s and c != ZERO:
                c += i64_const(s) + b"\x86"
            if s and i > 0 and x[i - 1] != ZERO:
                low = x[i - 1] + i64_const(64 - s) + b"\x88"
                c = low if c == ZERO else c + low + b"\x84"
            codes.append(c)
        e.define_limbs(d, masked(codes, w))
        return
    fill = ZERO
    if code == "shrs":
        top = x[-1]
        if w & 63:
            m = i64_const(64 - (w & 63))
            top = x[-1] = e.keep(top + m + b"\x86" + m + b"\x87", W.I64)
        fill = e.keep(top + i64_const(63) + b"\x87", W.I64)
    x = x[words:] + [fill] * (words + 1)
    codes = []
    for i in range(n):
        c = x[i]
        if s:
            if c != ZERO:
                c += i64_const(s) + b"\x88"
            if x[i + 1] != ZERO:
                high = x[i + 1] + i64_const(64 - s) + b"\x86"
                c = high if c == ZERO else c + high + b"\x84"
        codes.append(c)
    e.define_limbs(d, masked(codes, w) if code == "shrs" else codes)


# ---------------------------------------------------------------- comparison, selection, counting


def equals_constant(limbs: Sequence[bytes], c: int) -> bytes:
    """i32 code: whether the limbs are the constant."""
    parts = [x if not (c >> (64 * i)) & (2**64 - 1) else x + i64_const(c >> (64 * i)) + b"\x85" for i, x in enumerate(limbs)]
    return parts[0] + b"".join([p + b"\x84" for p in parts[1:]]) + b"\x50"


def compare(e: Emitter, op: Op) -> None:
    """icmp above 64 bits and on images."""
    d = op.dsts[0]
    if not e.uses.get(d.id):
        return
    a, b = op.args
    pred = op.attr
    if in_memory(a.ty):
        x, y = address(e.place(a)), address(e.place(b))
        if pred in ("eq", "ne"):
            code = call(e, "w_ne", x, y, a.ty.nbytes)
            negate = pred == "eq"
        else:
            if pred[1:] in ("gt", "le"):
                x, y = y, x
            code = call(e, "w_lt", x, y, a.ty.size, int(pred[0] == "s"))
            negate = pred[1:] in ("le", "ge")
        e.define(d, code + b"\x45" if negate else code, True)
        return
    if pred in ("eq", "ne"):
        if b.const is not None:
            code = equals_constant(e.limbs(a), int(b.const))
        else:
            pairs = [x + y + b"\x85" for x, y in zip(e.limbs(a), e.limbs(b), strict=True)]
            code = pairs[0] + b"".join([p + b"\x84" for p in pairs[1:]]) + b"\x50"
        e.define(d, code if pred == "eq" else code + b"\x45")
        return
    x2, y2 = list(e.cheap_limbs(a)), list(e.cheap_limbs(b))
    if pred[1:] in ("gt", "le"):
        x2, y2 = y2, x2
    r = x2[0] + y2[0] + b"\x54"
    last = len(x2) - 1
    for i in range(1, len(x2)):
        xi, yi, less = x2[i], y2[i], b"\x54"
        if i == last and pred[0] == "s":
            less = b"\x53"
            s = a.ty.size & 63
            if s:
                k = i64_const(64 - s) + b"\x86"
                xi, yi = xi + k, yi + k
        r += xi + yi + less + x2[i] + y2[i] + b"\x51\x1b"
    e.define(d, r if pred[1:] in ("lt", "gt") else r + b"\x45")


def mux(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    if not e.uses.get(d.id):
        return
    c, a, b = op.args
    if in_memory(d.ty):
        e.pointer(d, address(e.place(a)) + address(e.place(b)) + e.s(c) + b"\x1b", e.roots_of(a) | e.roots_of(b))
        return
    cond = e.cheap(c)
    e.define_limbs(d, [x + y + cond + b"\x1b" for x, y in zip(e.limbs(a), e.limbs(b), strict=True)])


def _small_result(e: Emitter, d: Val, low: bytes) -> None:
    """Defines the wide integer `d` by its lowest limb, the others are zero."""
    e.define_limbs(d, [low] + [ZERO] * (limb_count(d.ty.size) - 1))


def popcount(e: Emitter, op: Op) -> None:
    """parity and popcount."""
    d = op.dsts[0]
    a = op.args[0]
    if not e.uses.get(d.id):
        return
    if in_memory(a.ty):
        code = call(e, "w_popcount", address(e.place(a)), a.ty.size)
        if op.code == "parity":
            e.define(d, code + b"\x41\x01\x71")
        else:
            _small_result(e, d, code + b"\xad")
        return
    x = e.limbs(a)
    if op.code == "parity":
        e.define(d, x[0] + b"".join([c + b"\x85" for c in x[1:]]) + b"\x7b\xa7\x41\x01\x71")
    else:
        _small_result(e, d, x[0] + b"\x7b" + b"".join([c + b"\x7b\x7c" for c in x[1:]]))


def zeros(e: Emitter, op: Op) -> None:
    """ctlz and cttz."""
    d = op.dsts[0]
    a = op.args[0]
    w = a.ty.size
    if not e.uses.get(d.id):
        return
    if in_memory(a.ty):
        _small_result(e, d, call(e, f"w_{op.code}", address(e.place(a)), w) + b"\xad")
        return
    x = e.cheap_limbs(a)
    n = len(x)
    r = i64_const(w)
    if op.code == "ctlz":
        for i in range(n):
            r = x[i] + b"\x79" + i64_const((n - 1 - i) * 64 - (64 * n - w)) + b"\x7c" + r + x[i] + b"\x50\x45\x1b"
    else:
        for i in range(n - 1, -1, -1):
            r = x[i] + b"\x7a" + i64_const(64 * i) + b"\x7c" + r + x[i] + b"\x50\x45\x1b"
    _small_result(e, d, r)


# ---------------------------------------------------------------- bits


def bit_field(limbs: Sequence[bytes], low: int, k: int, w: int) -> bytes:
    """i64 code of bits [low, low+k) of a w-bit number, k <= 64; takes each limb it needs once."""
    i, s = low >> 6, low & 63
    code = limbs[i]
    if s:
        code += i64_const(s) + b"\x88"
        if s + k > 64:
            code += limbs[i + 1] + i64_const(64 - s) + b"\x86\x84"
    clean = low + k == w or k == 64
    return code if clean else code + MASK64[k]


def _memory_field(p: Place, low: int, k: int) -> bytes:
    """i64 code of k <= 64 bits at bit offset `low` from an address; reads whole words behind them."""
    base, off = p
    byte, s = low >> 3, low & 7
    code = base + memarg(W.I64_LOAD, off + byte)
    if s:
        code += i64_const(s) + b"\x88"
        if s + k > 64:
            code += base + memarg(W.I64_LOAD8_U, off + byte + 8) + i64_const(64 - s) + b"\x86\x84"
    return code + MASK64[k]


def extract(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    a = op.args[0]
    low, k, w = op.attr, d.ty.size, a.ty.size
    if not e.uses.get(d.id):
        return
    if k > LIMB_BITS:
        p = e.own_place(d)
        e.out += call(e, "w_getbits", address(p), address(e.place(a)), low, k)
        e.define_image(d, p)
    elif in_memory(a.ty):
        p = e.place(a)
        e.define_limbs(d, [_memory_field(p, low + i, min(64, k - i)) for i in range(0, k, 64)], True)
    else:
        x = e.limbs(a) if k <= 64 or not low & 63 else e.cheap_limbs(a)
        e.define_limbs(d, [bit_field(x, low + i, min(64, k - i), w) for i in range(0, k, 64)])


def assemble(e: Emitter, w: int, pieces: Sequence[tuple[bytes, int, int]]) -> list[bytes]:
    """Limbs of a w-bit number from (i64 code, bit position, width <= 64) that do not overlap; a code that is needed twice is put into a local."""
    parts: list[list[bytes]] = [[] for _ in range(limb_count(w))]
    for code, pos, width in pieces:
        i, s = pos >> 6, pos & 63
        if s + width > 64:
            if not (len(code) <= 3 and code[0] == 0x20):
                code = e.keep(code, W.I64)
            parts[i + 1].append(code + i64_const(64 - s) + b"\x88")
        parts[i].append(code + i64_const(s) + b"\x86" if s else code)
    return [p[0] + b"".join([c + b"\x84" for c in p[1:]]) if p else ZERO for p in parts]


def _pieces(limbs: Sequence[bytes], pos: int, w: int) -> list[tuple[bytes, int, int]]:
    return [(c, pos + 64 * i, min(64, w - 64 * i)) for i, c in enumerate(limbs)]


def concat(e: Emitter, d: Val, args: Sequence[Val]) -> None:
    """Bit concatenation to more than 64 bits, the first operand on top."""
    if not e.uses.get(d.id):
        return
    w = d.ty.size
    pos = w
    if w <= LIMB_BITS:
        pieces: list[tuple[bytes, int, int]] = []
        for v in args:
            pos -= v.ty.size
            pieces += _pieces(e.limbs(v), pos, v.ty.size)
        e.define_limbs(d, assemble(e, w, pieces))
        return
    values = []
    for v in args:
        pos -= v.ty.size
        values.append((v, pos, () if in_memory(v.ty) else e.cheap_limbs(v)))
    p = e.own_place(d)
    e.out += zero_code(p, d.ty.nbytes)
    for v, at, limbs in values:
        if in_memory(v.ty):
            e.out += call(e, "w_putbits", address(p), at, address(e.place(v)), v.ty.size)
        for code, bit, width in _pieces(limbs, at, v.ty.size):
            e.out += call(e, "w_put64", address(p), bit, code, width)
    e.define_image(d, p)


def repl(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    a = op.args[0]
    w, k = d.ty.size, a.ty.size
    if not e.uses.get(d.id):
        return
    if w <= LIMB_BITS:
        if k == 1:
            t = e.keep(ZERO + e.s(a) + b"\xad\x7d", W.I64)
            e.define_limbs(d, masked([t] * limb_count(w), w))
            return
        limbs = e.cheap_limbs(a)
        pieces = [p for pos in range(0, w, k) for p in _pieces(limbs, pos, k)]
        e.define_limbs(d, assemble(e, w, pieces))
        return
    big = in_memory(a.ty)
    limbs = () if big else e.cheap_limbs(a)
    p = e.own_place(d)
    e.out += zero_code(p, d.ty.nbytes)
    pos, put, tee = e.temp(W.I32)
    e.out += i32_const(0) + put + b"\x03\x40"
    if big:
        e.out += call(e, "w_putbits", address(p), pos, address(e.place(a)), k)
    for code, bit, width in _pieces(limbs, 0, k):
        e.out += call(e, "w_put64", address(p), pos + i32_const(bit) + b"\x6a", code, width)
    e.out += pos + i32_const(k) + b"\x6a" + tee + i32_const(w) + b"\x49\x0d\x00\x0b"
    e.define_image(d, p)


def zext(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    a = op.args[0]
    if not e.uses.get(d.id):
        return
    if d.ty.size <= LIMB_BITS:
        limbs = e.limbs(a)
        e.define_limbs(d, [*limbs, *[ZERO] * (limb_count(d.ty.size) - len(limbs))])
        return
    if in_memory(a.ty) and a.ty.nbytes == d.ty.nbytes:
        e.pointer(d, address(e.place(a)), e.roots_of(a))
        return
    codes = () if in_memory(a.ty) else e.cheap_limbs(a)
    p = e.own_place(d)
    if in_memory(a.ty):
        e.out += copy_code(p, e.place(a), a.ty.nbytes)
        n = a.ty.nbytes
    else:
        for i, c in enumerate(codes):
            e.out += p.base + c + memarg(W.I64_STORE, p.off + 8 * i)
        n = 8 * len(codes)
    e.out += zero_code(Place(p.base, p.off + n), d.ty.nbytes - n)
    e.define_image(d, p)


def sext(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    a = op.args[0]
    w, k = d.ty.size, a.ty.size
    if not e.uses.get(d.id):
        return
    if w > LIMB_BITS:
        x = spill(e, a)
        p = e.own_place(d)
        e.out += call(e, "w_sext", address(p), address(x), k, w)
        e.define_image(d, p)
        return
    if k <= 64:
        limbs = [e.keep(signed64(e, a), W.I64)]
    else:
        limbs = list(e.cheap_limbs(a))
        if k & 63:
            m = i64_const(64 - (k & 63))
            limbs[-1] = e.keep(limbs[-1] + m + b"\x86" + m + b"\x87", W.I64)
    n = limb_count(w)
    if len(limbs) < n:
        sign = e.keep(limbs[-1] + i64_const(63) + b"\x87", W.I64)
        limbs += [sign] * (n - len(limbs))
    e.define_limbs(d, masked(limbs, w))
