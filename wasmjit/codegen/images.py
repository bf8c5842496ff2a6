"""Operations on memory images (arrays): element access, construction, packing to and from bit vectors."""

from __future__ import annotations

from collections.abc import Sequence

from ..sem.mir import I, Op, Packing, Ty, Val, int_bytes
from . import wasm as W
from .emit import Emitter, lowers
from .forms import EXTERN, MASK64, Place, address, copy_code, in_memory, limb_count, value_types, zero_code
from .wasm import i32_const, i64_const, memarg
from .wide import ZERO, amount32, assemble, bit_field, finish, result_place


def _index(e: Emitter, idx: Val, count: int) -> tuple[bytes, bytes]:
    """(i32 index, cheap; i32 condition that it is below `count`, b"" when it always is) of an index of any width, not constant."""
    w = idx.ty.size
    if w < 31 and (1 << w) <= count:
        return e.cheap(idx), b""
    i = e.keep(amount32(e, idx, count), W.I32)
    return i, i + i32_const(count) + b"\x49"


def _scaled(i: bytes, stride: int) -> bytes:
    if stride == 1:
        return i
    if stride & (stride - 1) == 0:
        return i + i32_const(stride.bit_length() - 1) + b"\x74"
    return i + i32_const(stride) + b"\x6c"


def _element(e: Emitter, p: Place, i: bytes, stride: int) -> Place:
    """Place of element i (an i32 code), through a local."""
    return Place(e.keep(p.base + _scaled(i, stride) + b"\x6a", W.I32), p.off)


def _zero_of(ty: Ty) -> bytes:
    if ty.kind == "f":
        return W.f32_const(0.0) if ty.size == 32 else W.f64_const(0.0)
    return b"\x41\x00" if ty.size <= 32 else ZERO


def _define_zero(e: Emitter, d: Val) -> None:
    if in_memory(d.ty):
        e.define_image(d, Place(i32_const(e.link.const_image(bytes(d.ty.nbytes))), 0), frozenset((EXTERN,)))
    else:
        e.define_values(d, [_zero_of(d.ty)] * (limb_count(d.ty.size) if d.ty.kind == "i" and d.ty.size > 64 else 1))


@lowers("aget")
def _aget(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    if not e.uses.get(d.id):
        return
    img, idx = op.args
    count, stride, off = op.attr
    ty = d.ty
    p = e.place(img)
    roots = e.roots_of(img)
    if idx.const is not None or count <= 0:
        if count <= 0 or int(idx.const) >= count:  # type: ignore[arg-type]
            _define_zero(e, d)
            return
        at = Place(p.base, p.off + int(idx.const) * stride + off)  # type: ignore[arg-type]
        if ty.kind == "a":
            e.define_image(d, at, roots)
        else:
            e.define_loaded(d, at, clean=False)
        return
    i, ok = _index(e, idx, count)
    if not in_memory(ty) and len(codes := value_types(ty)) == 1:
        at = Place(p.base + _scaled(i, stride) + b"\x6a", p.off + off)
        (code,) = e.load_codes(ty, at, False)
        if ok:
            code = ok + b"\x04" + bytes(codes) + code + b"\x05" + _zero_of(ty) + b"\x0b"
        e.define(d, code, True)
        return
    at = _element(e, p, i, stride)
    at = Place(at.base, at.off + off)
    if ty.kind == "a":
        if not ok:
            e.define_image(d, at, roots)
            return
        zero = i32_const(e.link.const_image(bytes(ty.size)))
        e.pointer(d, address(at) + zero + ok + b"\x1b", roots | {EXTERN})
        return
    if ok:
        # An element that does not exist is read from an image of zeros.
        zero = i32_const(e.link.const_image(bytes(ty.nbytes)))
        at = Place(e.keep(address(at) + zero + ok + b"\x1b", W.I32), 0)
    e.define_loaded(d, at, clean=False)


@lowers("aput")
def _aput(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    if not e.uses.get(d.id):
        return
    img, idx, *leaves = op.args
    count, stride, offs = op.attr
    src = e.place(img)
    if idx.const is not None and int(idx.const) >= count:
        e.define_image(d, src, e.roots_of(img))
        return
    in_place = e.dies_here(img, op)
    if in_place:
        e.flush()
    # Operands are worked out before anything is written.
    if idx.const is None:
        i, ok = _index(e, idx, count)
    else:
        i = ok = b""
    if in_place:
        dst, roots = src, e.roots_of(img)
    else:
        dst = e.own_place(d)
        roots = e.roots[d.id]
        e.out += copy_code(dst, src, d.ty.size)
    if idx.const is not None:
        at = Place(dst.base, dst.off + int(idx.const) * stride)
    if ok:
        e.out += ok + b"\x04\x40"
    if idx.const is None:
        at = _element(e, dst, i, stride)
    for v, off in zip(leaves, offs, strict=True):
        to = Place(at.base, at.off + off)
        if in_memory(v.ty):
            e.out += copy_code(to, e.place(v), v.ty.nbytes, overlap=in_place and bool(roots & e.roots_of(v)))
        else:
            e.out += e.store_leaf(to, v)
    if ok:
        e.out += b"\x0b"
    e.define_image(d, dst, roots)


@lowers("anew")
def _anew(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    if not e.uses.get(d.id):
        return
    p = e.own_place(d)
    if sum(v.ty.nbytes for v in op.args) < d.ty.size:
        e.out += zero_code(p, d.ty.size)
    for v, off in zip(op.args, op.attr, strict=True):
        e.out += e.store_leaf(Place(p.base, p.off + off), v)
    e.define_image(d, p)


@lowers("aslice")
def _aslice(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    if not e.uses.get(d.id):
        return
    img, idx = op.args
    count, stride = op.attr
    m = d.ty.size
    src = e.place(img)
    total = count * stride
    if idx.const is not None:
        at = min(int(idx.const), count) * stride
        if at + m <= total:
            e.define_image(d, Place(src.base, src.off + at), e.roots_of(img))
            return
        p = e.own_place(d)
        n = max(0, total - at)
        e.out += copy_code(p, Place(src.base, src.off + at), n) + zero_code(Place(p.base, p.off + n), m - n)
        e.define_image(d, p)
        return
    w = idx.ty.size
    if w < 31 and ((1 << w) - 1) * stride + m <= total:
        e.define_image(d, _element(e, src, e.s(idx), stride), e.roots_of(img))
        return
    at_code = e.keep(_scaled(e.keep(amount32(e, idx, count), W.I32), stride), W.I32)
    p = e.own_place(d)
    # min(m, total - at) bytes are there, the rest is zero.
    left = e.keep(i32_const(total) + at_code + b"\x6b", W.I32)
    n = e.keep(left + i32_const(m) + left + i32_const(m) + b"\x49\x1b", W.I32)
    e.out += zero_code(p, m)
    e.out += address(p) + address(src) + at_code + b"\x6a" + n + W.MEMORY_COPY
    e.define_image(d, p)


# ---------------------------------------------------------------- packing

_FLAT_LIMIT = 64
"""Packings with more leaves than this are done by loops."""


def flat_leaves(p: Packing, base: int = 0, bit: int = 0) -> list[tuple[int, int, int]]:
    """(byte offset, width, bit position) of every integer leaf."""
    out: list[tuple[int, int, int]] = []
    for i in range(p.count):
        m = p.count - 1 - i if p.reverse else i
        for off, width, low, nested in p.leaves:
            at, pos = base + m * p.stride + off, bit + i * p.bits + low
            if nested is None:
                out.append((at, width, pos))
            else:
                out += flat_leaves(nested, at, pos)
    return out


def leaf_total(p: Packing) -> int:
    return p.count * sum(1 if n is None else leaf_total(n) for *_, n in p.leaves)


def dense(p: Packing) -> bool:
    """Whether memory order is bit order, so that packing copies bytes."""
    if p.bits != 8 * p.stride or len(p.leaves) != 1 or (p.reverse and p.count > 1):
        return False
    off, width, low, nested = p.leaves[0]
    if off or low or width != p.bits:
        return False
    return (width % 64 == 0 or width in (8, 16, 32)) if nested is None else dense(nested)


def _leaf64(e: Emitter, at: Place, width: int) -> bytes:
    """i64 code of an integer leaf of at most 64 bits, cut to its width."""
    (code,) = e.load_codes(I(width), at, False)
    return code + b"\xad" if width <= 32 else code


@lowers("apack")
def _apack(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    if not e.uses.get(d.id):
        return
    img = op.args[0]
    packing: Packing = op.attr
    src = e.place(img)
    w = d.ty.size
    if dense(packing):
        if in_memory(d.ty):
            if w % 64 == 0:
                e.define_image(d, src, e.roots_of(img))
            else:
                _copied(e, d, src, w // 8)
        elif img.ty.size >= d.ty.nbytes:
            e.define_loaded(d, src, clean=False)
        else:
            p = e.scratch_place(d.ty.nbytes)
            e.out += zero_code(p, d.ty.nbytes) + copy_code(p, src, w // 8)
            finish(e, d, p)
        return
    if leaf_total(packing) <= _FLAT_LIMIT and not in_memory(d.ty):
        leaves = flat_leaves(packing)
        pieces: list[tuple[bytes, int, int]] = []
        for at, width, pos in leaves:
            if width <= 64:
                pieces.append((_leaf64(e, Place(src.base, src.off + at), width), pos, width))
            else:
                codes = e.load_codes(I(width), Place(src.base, src.off + at), False)
                pieces += [(c, pos + 64 * i, min(64, width - 64 * i)) for i, c in enumerate(codes)]
        if w <= 64:
            code = b"".join([c + (i64_const(pos) + b"\x86" if pos else b"") + (b"\x84" if n else b"") for n, (c, pos, _) in enumerate(pieces)]) or ZERO
            e.define(d, code + b"\xa7" if w <= 32 else code, True)
        else:
            e.define_limbs(d, assemble(e, w, pieces), True)
        return
    n = limb_count(w) * 8
    p = result_place(e, d) if d.ty.nbytes == n else e.scratch_place(n)
    e.out += zero_code(p, n)
    _loop(e, packing, address(src), address(p), i32_const(0), pack=True)
    if d.ty.nbytes == n:
        finish(e, d, p)
    else:
        e.define_values(d, e.load_codes(d.ty, p, True))


def _copied(e: Emitter, d: Val, src: Place, n: int) -> None:
    p = e.own_place(d)
    e.out += copy_code(p, src, n) + zero_code(Place(p.base, p.off + n), d.ty.nbytes - n)
    e.define_image(d, p)


@lowers("aunpack")
def _aunpack(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    if not e.uses.get(d.id):
        return
    a = op.args[0]
    packing: Packing = op.attr
    w = a.ty.size
    if in_memory(a.ty):
        limbs: tuple[bytes, ...] = ()
        src = e.place(a)
    else:
        limbs = e.cheap_limbs(a)
        src = Place(b"", 0)
    p = e.own_place(d)
    if dense(packing):
        n = w // 8
        if limbs:
            _store_bits(e, p, limbs, n)
        else:
            e.out += copy_code(p, src, n)
        e.out += zero_code(Place(p.base, p.off + n), d.ty.size - n)
        e.define_image(d, p)
        return
    if limbs and leaf_total(packing) <= _FLAT_LIMIT:
        leaves = flat_leaves(packing)
        if sum(int_bytes(width) for _, width, _ in leaves) < d.ty.size:
            e.out += zero_code(p, d.ty.size)
        for at, width, pos in leaves:
            _store_field(e, Place(p.base, p.off + at), limbs, pos, width, w)
        e.define_image(d, p)
        return
    if limbs:
        src = e.scratch_place(len(limbs) * 8)
        for i, c in enumerate(limbs):
            e.out += src.base + c + memarg(W.I64_STORE, src.off + 8 * i)
    e.out += zero_code(p, d.ty.size)
    _loop(e, packing, address(p), address(src), i32_const(0), pack=False)
    e.define_image(d, p)


def _store_bits(e: Emitter, p: Place, limbs: Sequence[bytes], n: int) -> None:
    """Stores the first n bytes of limbs."""
    for i, c in enumerate(limbs):
        left = min(8, n - 8 * i)
        at, shift = 8 * i, 0
        for size, store in ((8, W.I64_STORE), (4, W.I64_STORE32), (2, W.I64_STORE16), (1, W.I64_STORE8)):
            while left >= size:
                e.out += p.base + c + (i64_const(shift) + b"\x88" if shift else b"") + memarg(store, p.off + at)
                at += size
                shift += 8 * size
                left -= size


_STORE64 = {1: W.I64_STORE8, 2: W.I64_STORE16, 4: W.I64_STORE32, 8: W.I64_STORE}


def _store_field(e: Emitter, at: Place, limbs: Sequence[bytes], pos: int, width: int, w: int) -> None:
    if width <= 64:
        e.out += at.base + bit_field(limbs, pos, width, w) + memarg(_STORE64[int_bytes(width)], at.off)
        return
    for i in range(0, width, 64):
        e.out += at.base + bit_field(limbs, pos + i, min(64, width - i), w) + memarg(W.I64_STORE, at.off + i // 8)


def _loop(e: Emitter, p: Packing, image: bytes, bits: bytes, bit: bytes, pack: bool) -> None:
    """Emits a loop over the elements of a packing: image bytes at address `image`, the bit vector at address `bits` from bit `bit` on."""
    out = e.out
    if p.count == 0:
        return
    at, put_at, _ = e.temp(W.I32)
    pos, put_pos, _ = e.temp(W.I32)
    left, put_left, tee_left = e.temp(W.I32)
    step = -p.stride if p.reverse else p.stride
    first = (p.count - 1) * p.stride if p.reverse else 0
    out += image + i32_const(first) + b"\x6a" + put_at + bit + put_pos + i32_const(p.count) + put_left + b"\x03\x40"
    for off, width, low, nested in p.leaves:
        where = pos + i32_const(low) + b"\x6a" if low else pos
        if nested is not None:
            _loop(e, nested, at + i32_const(off) + b"\x6a", bits, where, pack)
            continue
        for i in range(0, width, 64):
            k = min(64, width - i)
            spot = where + i32_const(i) + b"\x6a" if i else where
            to = Place(at, off + i // 8)
            if pack:
                out += bits + spot + _leaf64(e, to, k if width <= 64 else 64) + (MASK64[k] if width > 64 else b"") + i32_const(k) + e.mod.call("k", "w_put64")
            else:
                n = int_bytes(width) if width <= 64 else 8
                out += at + bits + spot + i32_const(k) + e.mod.call("k", "w_get64") + memarg(_STORE64[n], to.off)
    out += at + i32_const(step) + b"\x6a" + put_at + pos + i32_const(p.bits) + b"\x6a" + put_pos
    out += left + i32_const(1) + b"\x6b" + tee_left + b"\x0d\x00\x0b"
