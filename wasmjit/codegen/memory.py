"""Loads, stores and drives: trusted memory, checked guest memory, nets."""

from __future__ import annotations

from collections.abc import Sequence

from ..sem.analysis import is_static_alloca
from ..sem.mir import FRAME_SPARE, LIMB_BITS, Drive, Op, Val
from . import wasm as W
from .emit import MEMORY_WRITERS, Emitter, lowers
from .forms import EXTERN, LOAD_WIDTH, MASK64, NO_SITE, STORE_INT, STORE_WIDTH, Place, Unsupported, address, copy_code, in_memory, zero_code
from .nets import is_work
from .values import canonical_bits
from .wasm import GET, SET, i32_const, i64_const, memarg
from .wide import call, spill

_EXTERNAL = frozenset((EXTERN,))


def context(e: Emitter) -> bytes:
    """Code of the instance context."""
    if e.body.kind == "function":
        raise Unsupported("a function has no instance context")
    return GET[0]


@lowers("ctx")
def _ctx(e: Emitter, op: Op) -> None:
    e.define_constant(op.dsts[0], context(e))


@lowers("frame")
def _frame(e: Emitter, op: Op) -> None:
    e.define_constant(op.dsts[0], e.frame or i32_const(0))


@lowers("netid")
def _netid(e: Emitter, op: Op) -> None:
    e.define(op.dsts[0], _net(e, op.attr))


def _net(e: Emitter, k: int) -> bytes:
    base = context(e) + memarg(W.I32_LOAD, 0)
    return base + i32_const(k) + b"\x6a" if k else base


# ---------------------------------------------------------------- trusted memory

_READERS = frozenset({"drv", "netstore", "stt", "st", "icmp", "aput", "anew", "aget"})
_LOOK_AHEAD = 200


def _may_alias(e: Emitter, d: Val) -> bool:
    """Whether the image just loaded may be read where it lies: nothing writes memory between here and its last use."""
    if not e.writers or d.id in e.views:
        return True
    left = e.uses[d.id]
    ops = e.block.ops
    for op in ops[e.position + 1 : e.position + _LOOK_AHEAD]:
        n = sum(1 for a in op.args if a is d)
        writes = op.code in MEMORY_WRITERS
        if n:
            if op.code not in _READERS or any(in_memory(r.ty) for r in op.dsts if op.code == "aget"):
                return False
            left -= n
            if left == 0:
                return not writes or sum(1 for a in op.args if in_memory(a.ty)) == 1
        if writes:
            return False
    return False


def _loaded(e: Emitter, d: Val, base: Val, off: int) -> None:
    if in_memory(d.ty):
        if not e.uses.get(d.id):
            return
        at = Place(e.cheap(base), off)
        if _may_alias(e, d):
            e.define_image(d, at, _EXTERNAL)
        else:
            e.define_loaded(d, at)
        return
    many = d.ty.kind == "i" and d.ty.size > 64
    e.define_loaded(d, Place(e.cheap(base) if many else e.s(base), off))


@lowers("ldt")
def _ldt(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    ty = d.ty
    if e.region is not None and e.region.work >= 0 and is_work(op):
        e.define(d, GET.at(e.region.work), True)
    elif ty.size <= 64 and ty.kind == "i":
        e.define(d, e.s(op.args[0]) + memarg(LOAD_WIDTH[ty.size], op.attr), True)
    else:
        _loaded(e, d, op.args[0], op.attr)


@lowers("stt")
def _stt(e: Emitter, op: Op) -> None:
    base, v = op.args
    ty = v.ty
    if ty.size <= 64 and ty.kind == "i":
        if e.region is not None and e.region.work >= 0 and is_work(op):
            code = e.s(v) + SET.at(e.region.work)
        else:
            code = e.s(base) + e.s(v) + memarg(STORE_WIDTH[ty.size], op.attr)
        if e.pending:
            e.flush()
        e.out += code
        return
    one = v.ty.kind == "f" or (v.ty.kind == "i" and v.ty.size <= 64)
    code = e.store_leaf(Place(e.s(base) if one else e.cheap(base), op.attr), v)
    e.flush()
    e.out += code


@lowers("ldbits")
def _ldbits(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    if not e.uses.get(d.id):
        return
    addr, bit = op.args
    w = d.ty.size
    if w > LIMB_BITS:
        a, b = e.s(addr), e.s(bit)
        p = e.own_place(d)
        e.out += call(e, "w_getbits", address(p), a, b, w)
        e.define_image(d, p)
        return
    if bit.const is not None:
        base, off, s = e.cheap(addr), int(bit.const) >> 3, i64_const(int(bit.const) & 7)
        most = int(bit.const) & 7
        rest = i64_const(64 - most)
        over = b"\x86"
    else:
        b = e.cheap(bit)
        base, off = e.keep(e.s(addr) + b + i32_const(3) + b"\x76\x6a", W.I32), 0
        s = e.keep(b + i32_const(7) + b"\x71\xad", W.I64)
        most = 7
        rest = i64_const(63) + s + b"\x7d"
        over = b"\x41\x00"
    codes = []
    for i in range(0, w, 64):
        k = min(64, w - i)
        at = off + i // 8
        # As few bytes as can hold the bits: nothing behind the net is read needlessly.
        load = W.I64_LOAD8_U if k + most <= 8 else W.I64_LOAD16_U if k + most <= 16 else W.I64_LOAD32_U if k + most <= 32 else W.I64_LOAD
        code = base + memarg(load, at) + (s + b"\x88" if most else b"")
        if k + most > 64:
            high = base + memarg(W.I64_LOAD8_U, at + 8)
            # For an unknown shift of 0 the high byte must vanish: it is shifted by 1 and 63 - s.
            code += high + (rest + over if bit.const is not None else i64_const(1) + b"\x86" + rest + b"\x86") + b"\x84"
        codes.append(code + MASK64[k])
    e.define_limbs(d, codes, True)


# ---------------------------------------------------------------- guest memory


def mem_end(e: Emitter) -> bytes:
    """i32 code of the size of memory in bytes."""
    if e.link.mem_end_addr is not None:
        return i32_const(0) + memarg(W.I32_LOAD, e.link.mem_end_addr)
    return b"\x3f\x00" + i32_const(16) + b"\x74"


def checked(e: Emitter, low: bytes, off: int, n: int, site: int) -> Place:
    """Emits the check of n bytes at (i32 code) low + off; their place. Faults at `site`."""
    lo = e.link.guest_lo
    get, _, tee = e.temp(W.I32)
    end = mem_end(e)
    addr = get + b"\xad" + (i64_const(off) + b"\x7c" if off else b"")
    if off <= lo:
        # In 32 bits: addresses below guest memory, and sums that wrap, become very large.
        e.out += low + tee + i32_const(off - lo) + b"\x6a" + end + i32_const(lo + n) + b"\x6b\x4b"
    else:
        e.out += low + tee + b"\xad" + i64_const(off - lo) + b"\x7c" + end + b"\xad" + i64_const(lo + n) + b"\x7d\x56"
    e.out += b"\x04\x40" + e.fault(site, addr) + b"\x0b"
    return Place(get, off)


def _own(e: Emitter, ptr: Val, off: int, n: int) -> Place | None:
    """The place of n bytes at ptr + off when they are known to lie in memory that this activation has allocated."""
    area = e.areas.get(ptr.id) if e.areas and ptr.const is None else None
    if area is None or off < 0 or off + n > area[1]:
        return None
    return Place(area[0].base, area[0].off + off)


@lowers("ld")
def _ld(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    off, site = op.attr
    ptr = op.args[0]
    own = _own(e, ptr, off, d.ty.nbytes)
    at = own if own is not None else checked(e, e.s(ptr) + b"\xa7", off, d.ty.nbytes, site)
    if in_memory(d.ty) and e.uses.get(d.id) and d.ty.kind == "a" and _may_alias(e, d):
        e.define_image(d, at, _EXTERNAL)
        return
    e.define_loaded(d, at, clean=False)


def bits_of(e: Emitter, v: Val) -> bytes:
    """i64 code of a scalar leaf as it lies in memory, zero-extended."""
    if v.ty.kind == "f":
        return canonical_bits(e, e.s(v), v.ty.size) + (b"\xad" if v.ty.size == 32 else b"")
    return e.s(v) + (b"\xad" if v.ty.size <= 32 else b"")


@lowers("st")
def _st(e: Emitter, op: Op) -> None:
    ptr, v = op.args
    off, site = op.attr
    n = v.ty.nbytes
    own = _own(e, ptr, off, n)
    if own is not None:
        one = v.ty.kind == "f" or v.ty.size <= 64
        if not one:
            e.flush()
        code = e.store_leaf(own, v) if not in_memory(v.ty) else copy_code(own, e.place(v), n, overlap=True)
        e.flush()
        e.out += code
        return
    p = e.cheap(ptr)
    if in_memory(v.ty) or (v.ty.kind == "i" and v.ty.size > 64):
        src = spill(e, v) if v.ty.kind == "i" else e.place(v)
        at = checked(e, p + b"\xa7", off, n, site)
        e.flush()
        e.out += net_of(p) + b"\x04\x40" + net_minus_one(p) + address(at) + i32_const(n) + address(src) + e.mod.call("k", "k_store_net_mem")
        e.out += b"\x05" + copy_code(at, src, n, overlap=True) + b"\x0b"
        return
    val = e.keep(canonical_bits(e, e.s(v), v.ty.size), W.I64 if n == 8 else W.I32) if v.ty.kind == "f" else e.cheap(v)
    at = checked(e, p + b"\xa7", off, n, site)
    e.flush()
    bits = val + (b"\xad" if n < 8 else b"")
    store = memarg(STORE_INT[n], at.off)
    e.out += net_of(p) + b"\x04\x40" + net_minus_one(p) + address(at) + i32_const(n) + bits + e.mod.call("k", "k_store_net")
    e.out += b"\x05" + at.base + val + store + b"\x0b"


def net_of(p: bytes) -> bytes:
    """i32 condition: the pointer names a net."""
    return p + i64_const(32) + b"\x88\xa7"


def net_minus_one(p: bytes) -> bytes:
    return net_of(p) + i32_const(1) + b"\x6b"


@lowers("alloca")
def _alloca(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    size, align = op.attr
    n = op.args[0]
    body = e.body
    if is_static_alloca(body, op):
        assert body.frame is not None
        p = Place(e.frame, body.frame.allocas[d.id])
    elif not body.suspending and n.const is not None and e.block is body.blocks[0] and align <= 16 and int(n.const) * size <= _STATIC_LIMIT:
        # The entry block runs once, so a part of the stack frame will do.
        p = e.scratch_place(int(n.const) * size)
    else:
        _alloca_dynamic(e, op)
        return
    e.flush()
    e.out += zero_code(p, int(n.const) * size)  # type: ignore[arg-type]
    e.define_address(d, p, int(n.const) * size)  # type: ignore[arg-type]


_STATIC_LIMIT = 1 << 16


def _alloca_dynamic(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    size, align = op.attr
    n = op.args[0]
    body = e.body
    nbytes = e.keep(e.s(n) + (i64_const(size) + b"\x7e" if size != 1 else b""), W.I64)
    e.flush()
    big = nbytes + i64_const(1 << 31) + b"\x56\x04\x40" + e.fault(NO_SITE, nbytes) + b"\x0b"
    get, put, tee = e.temp(W.I32)
    if body.suspending:
        # A heap block chained at FRAME_SPARE, its data 16 bytes in.
        total = nbytes + b"\xa7" + i32_const(16) + b"\x6a"
        e.out += big + total + e.mod.call("k", "k_alloc") + tee + b"\x45\x04\x40" + e.fault(NO_SITE, nbytes) + b"\x0b"
        e.out += get + b"\x41\x00" + total + W.MEMORY_FILL
        e.out += get + e.frame + memarg(W.I32_LOAD, FRAME_SPARE) + memarg(W.I32_STORE, 0) + e.frame + get + memarg(W.I32_STORE, FRAME_SPARE)
        e.define(d, e.keep(get + i32_const(16) + b"\x6a\xad", W.I64))
        return
    e.need_shadow()
    sp = b"\x23" + W.uleb(e.mod.sp)
    limit = e.link.stack_limit if e.link.stack_limit is not None else e.link.guest_lo
    room = sp + b"\xad" + i64_const(limit + max(align, 1)) + b"\x7d"
    e.out += big + nbytes + room + b"\x55\x04\x40" + e.fault(NO_SITE, nbytes) + b"\x0b"
    e.out += sp + nbytes + b"\xa7\x6b" + i32_const(-max(align, 16)) + b"\x71" + put + get + b"\x24" + W.uleb(e.mod.sp)
    e.out += get + b"\x41\x00" + nbytes + b"\xa7" + W.MEMORY_FILL
    e.define(d, get + b"\xad")


def _guard(e: Emitter, p: bytes, n: bytes, site: int) -> bytes:
    bad = p + n + i32_const(e.link.guest_lo) + e.mod.call("k", "w_bad")
    return bad + b"\x04\x40" + e.fault(site, p + i64_const(0xFFFFFFFF) + b"\x83") + b"\x0b"


def _site(op: Op) -> int:
    return NO_SITE if op.attr is None else int(op.attr)


@lowers("memcpy", "memmove")
def _memcpy(e: Emitter, op: Op) -> None:
    dst, src, n = (e.cheap(v) for v in op.args)
    e.flush()
    site = _site(op)
    low, low_src, count = dst + b"\xa7", src + b"\xa7", n + b"\xa7"
    e.out += n + b"\x50\x45\x04\x40" + _guard(e, src, n, site) + _guard(e, dst, n, site)
    e.out += net_of(dst) + b"\x04\x40" + net_minus_one(dst) + low + count + low_src + e.mod.call("k", "k_store_net_mem")
    e.out += b"\x05" + low + low_src + count + W.MEMORY_COPY + b"\x0b\x0b"


@lowers("memset")
def _memset(e: Emitter, op: Op) -> None:
    dst, byte, n = (e.cheap(v) for v in op.args)
    e.flush()
    low, count = dst + b"\xa7", n + b"\xa7"
    get, put, _ = e.temp(W.I32)
    e.out += n + b"\x50\x45\x04\x40" + _guard(e, dst, n, _site(op))
    e.out += net_of(dst) + b"\x04\x40" + count + e.mod.call("k", "k_alloc") + put + get + b"\x45\x04\x40" + e.fault(NO_SITE, n) + b"\x0b"
    e.out += get + byte + count + W.MEMORY_FILL + net_minus_one(dst) + low + count + get + e.mod.call("k", "k_store_net_mem")
    e.out += get + e.mod.call("k", "k_free") + b"\x05" + low + byte + count + W.MEMORY_FILL + b"\x0b\x0b"


# ---------------------------------------------------------------- nets


def _word(e: Emitter, leaves: Sequence[Val], offs: Sequence[int]) -> bytes:
    """i64 code of all leaves of a value of at most 8 bytes."""
    code = b""
    for v, off in zip(leaves, offs, strict=True):
        if v.ty.kind == "a":
            base, at = e.place(v)
            parts: list[tuple[bytes, int]] = []
            left, pos = v.ty.size, 0
            for size, load in ((8, W.I64_LOAD), (4, W.I64_LOAD32_U), (2, W.I64_LOAD16_U), (1, W.I64_LOAD8_U)):
                while left >= size:
                    parts.append((base + memarg(load, at + pos), off + pos))
                    pos += size
                    left -= size
        else:
            parts = [(bits_of(e, v), off)]
        for part, at in parts:
            code += part + (i64_const(8 * at) + b"\x86" if at else b"") + (b"\x84" if code else b"")
    return code or b"\x42\x00"


def _buffer(e: Emitter, leaves: Sequence[Val], d: Drive) -> Place:
    """Address of the whole value of a drive."""
    if len(leaves) == 1 and d.offs[0] == 0 and leaves[0].ty.nbytes == d.size and leaves[0].ty.kind != "f":
        return spill(e, leaves[0]) if leaves[0].ty.kind == "i" and leaves[0].ty.size > 64 else _stored(e, leaves, d)
    return _stored(e, leaves, d)


def _stored(e: Emitter, leaves: Sequence[Val], d: Drive) -> Place:
    if len(leaves) == 1 and in_memory(leaves[0].ty) and leaves[0].ty.nbytes == d.size:
        return e.place(leaves[0])
    p = e.scratch_place(d.size)
    if sum(v.ty.nbytes for v in leaves) < d.size:
        e.out += zero_code(p, d.size)
    for v, off in zip(leaves, d.offs, strict=True):
        e.out += e.store_leaf(Place(p.base, p.off + off), v)
    return p


def _time(e: Emitter, op: Op, first: int) -> bytes:
    d: Drive = op.attr
    if d.time is not None:
        fs, delta, eps = d.time
        return i64_const(fs) + i32_const(delta) + i32_const(eps)
    return b"".join([e.s(v) for v in op.args[first + d.nleaves :]])


def _fits(d: Drive) -> bool:
    return d.size in (1, 2, 4, 8)


_SHORT = {(0, 0, 1): "k_drive_eps", (0, 1, 0): "k_drive_delta"}


@lowers("drv")
def _drv(e: Emitter, op: Op) -> None:
    d: Drive = op.attr
    leaves = op.args[2 : 2 + d.nleaves]
    if d.size == 0:
        return
    if _fits(d):
        code = e.s(op.args[0]) + e.s(op.args[1]) + i32_const(d.size) + _word(e, leaves, d.offs)
        short = _SHORT.get(d.time) if d.time is not None else None
        e.out += code + (e.mod.call("k", short) if short else _time(e, op, 2) + e.mod.call("k", "k_drive"))
    else:
        src = _buffer(e, leaves, d)
        e.out += e.s(op.args[0]) + e.s(op.args[1]) + i32_const(d.size) + address(src) + _time(e, op, 2) + e.mod.call("k", "k_drive_mem")
    e.tainted = False


@lowers("drvref")
def _drvref(e: Emitter, op: Op) -> None:
    d: Drive = op.attr
    ptr, bit = op.args[:2]
    leaves = op.args[2 : 2 + d.nleaves]
    if d.size == 0 or not leaves:
        return
    p = e.cheap(ptr)
    low = p + b"\xa7"
    if bit.const != 0:
        _drvref_bits(e, op, p, e.cheap(bit), leaves[0])
        return
    if _fits(d):
        val = e.keep(_word(e, leaves, d.offs), W.I64)
        time = [e.keep(e.s(v), W.I64 if v.ty.size > 32 else W.I32) for v in op.args[2 + d.nleaves :]]
        e.flush()
        when = b"".join(time) if d.time is None else _time(e, op, 2)
        e.out += net_of(p) + b"\x04\x40" + net_minus_one(p) + low + i32_const(d.size) + val + when + e.mod.call("k", "k_drive") + b"\x05"
        at = checked(e, low, 0, d.size, NO_SITE)
        e.out += at.base + val + memarg({1: W.I64_STORE8, 2: W.I64_STORE16, 4: W.I64_STORE32, 8: W.I64_STORE}[d.size], 0) + b"\x0b"
        return
    src = _buffer(e, leaves, d)
    time = [e.keep(e.s(v), W.I64 if v.ty.size > 32 else W.I32) for v in op.args[2 + d.nleaves :]]
    e.flush()
    when = b"".join(time) if d.time is None else _time(e, op, 2)
    e.out += net_of(p) + b"\x04\x40" + net_minus_one(p) + low + i32_const(d.size) + address(src) + when + e.mod.call("k", "k_drive_mem") + b"\x05"
    at = checked(e, low, 0, d.size, NO_SITE)
    e.out += copy_code(at, src, d.size, overlap=True) + b"\x0b"


def _drvref_bits(e: Emitter, op: Op, p: bytes, bit: bytes, v: Val) -> None:
    d: Drive = op.attr
    w = v.ty.size
    limbs = e.cheap_limbs(v)
    time = [e.keep(e.s(x), W.I64 if x.ty.size > 32 else W.I32) for x in op.args[2 + d.nleaves :]]
    e.flush()
    when = b"".join(time) if d.time is None else _time(e, op, 2)
    low = p + b"\xa7"
    e.out += net_of(p) + b"\x04\x40"
    for i, c in enumerate(limbs):
        at = bit + i32_const(64 * i) + b"\x6a" if i else bit
        e.out += net_minus_one(p) + low + at + i32_const(min(64, w - 64 * i)) + c + when + e.mod.call("k", "k_drive_bits")
    e.out += b"\x05"
    first = e.keep(low + b"\xad" + bit + i32_const(3) + b"\x76\xad\x7c", W.I64)
    nbytes = e.keep(bit + i32_const(7) + b"\x71\xad" + i64_const(w + 7) + b"\x7c" + i64_const(3) + b"\x88", W.I64)
    bad = first + i64_const(32) + b"\x88\x50\x45" + first + nbytes + i32_const(e.link.guest_lo) + e.mod.call("k", "w_bad") + b"\x72"
    e.out += bad + b"\x04\x40" + e.fault(NO_SITE, p + i64_const(0xFFFFFFFF) + b"\x83") + b"\x0b"
    for i, c in enumerate(limbs):
        at = bit + i32_const(64 * i) + b"\x6a" if i else bit
        e.out += low + at + c + i32_const(min(64, w - 64 * i)) + e.mod.call("k", "w_setbits")
    e.out += b"\x0b"
