"""Signal references: where a reference is known to point to, and probes and drives through it."""

from __future__ import annotations

from collections.abc import Callable

from wasmjit.data import dataclass
from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.layout import Layout, layout
from wasmjit.sem.lower.core import Leaves, Lowerer, Unsupported
from wasmjit.sem.mir import I32, I64, Drive, I, Val

PART = 0x80000000
"""Bit 31 of a bit-offset leaf: the reference is to a part of a leaf, starting at the bit in the other 31. A leaf of 0 is a whole value."""


@dataclass(frozen=True, slots=True)
class Own:
    """Net `k` of this instance, stored at context offset `off`."""

    k: int
    off: int


@dataclass(frozen=True, slots=True)
class Slot:
    """Net behind the port slot at context offset `off`: {u32 address, u32 net id, u32 bit offset}."""

    off: int


NetRef = Own | Slot


@dataclass(slots=True)
class Ref:
    """A reference. `net`: the static net, or None when only `ptr` (I(64)) is known.

    off: constant byte offset from the net's storage; dyn: further dynamic offset (I(32)) or None; bit: bit offset (I(32)) or None for 0;
    valid: I(1) that is 0 for an out-of-range element (probes read the default value, drives do nothing), or None.
    """

    net: NetRef | None
    ptr: Val | None = None
    off: int = 0
    dyn: Val | None = None
    bit: Val | None = None
    valid: Val | None = None


def ref_of(lw: Lowerer, v: Value) -> Ref:
    """The reference behind a value of type llhd.ref."""
    refs: dict[Value, Ref] = lw.extra.setdefault("refs", {})
    got = refs.get(v)
    if got is not None:
        return got
    if v not in lw.values and lw.scope is not None:
        ext = lw.scope.external_ref(lw, v)
        if ext is not None:
            return ext  # type: ignore[no-any-return]
    ptr, bit = lw.get(v)
    leaves = layout(v.type.elem).leaves if isinstance(v.type, T.RefType) else ()
    whole = bit.const == 0 or len(leaves) != 1 or leaves[0].kind != "i"
    return Ref(None, ptr, bit=None if whole else bit)


def signal_behind(lw: Lowerer, ptr: Value, lay: Layout) -> Ref | None:
    """The signal of this instance that a pointer was cast from, if that is visible and the signal lies in memory as `lay` says.

    What is done through such a pointer is done to the signal: no address has to be checked, and a store is one change of the net.
    """
    cast = ptr.owner
    if not isinstance(cast, Op) or cast.name != "builtin.unrealized_conversion_cast" or len(cast.operands) != 1:
        return None
    source = cast.operands[0]
    if not isinstance(source.type, T.RefType) or isinstance(source.type.elem, T.PtrType):
        return None
    ref = ref_of(lw, source)
    if not isinstance(ref.net, Own) or ref.dyn is not None or ref.bit is not None or ref.valid is not None:
        return None
    own = layout(source.type.elem)
    return ref if (own.size, own.leaves, own.offs) == (lay.size, lay.leaves, lay.offs) else None


def base_address(lw: Lowerer, ref: Ref) -> tuple[Val, int]:
    """(address value I(32), constant offset) of the referenced storage."""
    if ref.net is None:
        assert ref.ptr is not None
        base, off = lw.x("extract", I32, ref.ptr, attr=0), ref.off
    elif isinstance(ref.net, Own):
        base, off = lw.x("ctx", I32), ref.net.off + ref.off
    else:
        base, off = lw.x("ldt", I32, lw.x("ctx", I32), attr=ref.net.off), ref.off
    if ref.dyn is not None:
        base = lw.x("add", I32, base, ref.dyn)
    return base, off


def net_id(lw: Lowerer, ref: Ref) -> Val:
    assert ref.net is not None
    if isinstance(ref.net, Own):
        return lw.x("netid", I32, attr=ref.net.k)
    return lw.x("ldt", I32, lw.x("ctx", I32), attr=ref.net.off + 4)


def pointer(lw: Lowerer, ref: Ref) -> tuple[Val, Val]:
    """The two leaves (pointer, bit offset) of a reference."""
    bit = ref.bit if ref.bit is not None else lw.i32(0)
    if ref.net is None:
        assert ref.ptr is not None
        ptr = ref.ptr
        if ref.off or ref.dyn is not None:
            base, off = base_address(lw, ref)
            low = lw.x("add", I32, base, lw.i32(off)) if off else base
            ptr = lw.x("concat", I64, lw.x("extract", I32, ptr, attr=32), low)
        return ptr, bit
    base, off = base_address(lw, ref)
    low = lw.x("add", I32, base, lw.i32(off)) if off else base
    high = lw.x("add", I32, net_id(lw, ref), lw.i32(1))
    return lw.x("concat", I64, high, low), bit


def split(lw: Lowerer, bit: Val, part: Callable[[Val], Leaves], whole: Callable[[], Leaves]) -> Leaves:
    """Code for a reference whose bit-offset leaf is only known at run time: `part(offset)` or `whole()`; results are joined."""
    on_part, on_whole, done = lw.new_block(), lw.new_block(), lw.new_block()
    is_part = lw.x("icmp", I(1), bit, lw.i32(0), attr="ne")
    lw.b.terminate(mir.CondBr(is_part, on_part, (), on_whole, ()))
    lw.b.set_block(on_part)
    lw.goto(done, part(lw.x("and", I32, bit, lw.i32(PART - 1))))
    lw.b.set_block(on_whole)
    values = whole()
    joined = tuple(lw.b.block_param(done, v.ty) for v in values)
    lw.goto(done, values)
    lw.b.set_block(done)
    return joined


def probe(lw: Lowerer, ref: Ref, lay: Layout, default: Leaves = ()) -> list[Val]:
    """Current value behind a reference. `default`: what an element that does not exist reads as; zeros if not given."""

    def part(offset: Val) -> Leaves:
        base, off = base_address(lw, ref)
        addr = lw.x("add", I32, base, lw.i32(off)) if off else base
        return (lw.x("ldbits", lay.leaves[0], addr, offset),)

    def whole() -> Leaves:
        if ref.net is None:
            ptr, _ = pointer(lw, Ref(None, ref.ptr, ref.off, ref.dyn))
            site = lw.site("probe through an invalid reference")
            return tuple(lw.x("ld", ty, ptr, attr=(o, site)) for ty, o in zip(lay.leaves, lay.offs, strict=True))
        base, off = base_address(lw, ref)
        return tuple(lw.x("ldt", ty, base, attr=off + o) for ty, o in zip(lay.leaves, lay.offs, strict=True))

    if ref.bit is None:
        out = list(whole())
    elif len(lay.leaves) != 1 or lay.leaves[0].kind != "i":
        raise Unsupported(lw.op, "a bit reference must be to an integer")
    elif ref.net is not None:
        out = list(part(lw.x("and", I32, ref.bit, lw.i32(PART - 1))))
    else:
        out = list(split(lw, ref.bit, part, whole))
    if ref.valid is not None:
        out = [lw.x("mux", v.ty, ref.valid, v, d) for v, d in zip(out, default or [lw.zero(v.ty) for v in out], strict=True)]
    return out


def drive(lw: Lowerer, ref: Ref, lay: Layout, leaves: tuple[Val, ...], time: tuple[Val, Val, Val], ranges: list[list[tuple[int, int]]] | None = None) -> None:
    """Schedule a drive of the referenced storage. `ranges`: (low bit, width) of what is really assigned in each leaf (see `partial`), None everything."""
    if not leaves:
        return  # of type i0
    if ref.valid is not None:
        then, done = lw.new_block(), lw.new_block()
        lw.b.terminate(mir.CondBr(ref.valid, then, (), done, ()))
        lw.b.set_block(then)
        _drive(lw, ref, lay, leaves, time, ranges)
        lw.goto(done)
        lw.b.set_block(done)
    else:
        _drive(lw, ref, lay, leaves, time, ranges)


def const_time(time: tuple[Val, Val, Val]) -> tuple[int, int, int] | None:
    if any(t.const is None for t in time):
        return None
    fs, d, e = (int(t.const) for t in time)  # type: ignore[arg-type]
    return fs, d, e


def _drive(lw: Lowerer, ref: Ref, lay: Layout, leaves: tuple[Val, ...], time: tuple[Val, Val, Val], ranges: list[list[tuple[int, int]]] | None) -> None:
    """Zero real time and zero delta is a blocking or continuous assignment and acts at once (IEEE 1800 §10.4.1): circt-verilog writes it as
    one epsilon and expects later probes of the same process to see it. Anything later is scheduled.
    """
    t = const_time(time)
    if t is not None and t[:2] == (0, 0):
        store_now(lw, ref, lay, leaves)
        return
    if ranges is not None and ref.bit is None:
        ptr, _ = pointer(lw, ref)
        for leaf, off, parts in zip(leaves, lay.offs, ranges, strict=True):
            for low, width in parts:
                piece = leaf if width == leaf.ty.size else lw.x("extract", I(width), leaf, attr=low)
                for at, n, bits in bit_pieces(lw, piece, lw.i32(off * 8 + low)):
                    lw.do("rt", ptr, at, lw.i32(n), bits, *time, attr="k_drive_ref_bits")
        return
    attr = Drive(lay.offs, lay.size, t, len(leaves))
    extra = () if t is not None else time

    def part(offset: Val) -> Leaves:
        ptr, _ = pointer(lw, ref)
        for at, n, piece in bit_pieces(lw, leaves[0], offset):
            lw.do("rt", ptr, at, lw.i32(n), piece, *time, attr="k_drive_ref_bits")
        return ()

    def whole() -> Leaves:
        ptr, _ = pointer(lw, ref)
        lw.do("drvref", ptr, lw.i32(0), *leaves, *extra, attr=attr)
        return ()

    if ref.bit is not None:
        if ref.net is not None:
            part(lw.x("and", I32, ref.bit, lw.i32(PART - 1)))
        else:
            split(lw, ref.bit, part, whole)
        return
    if ref.net is None:
        whole()
        return
    base, off = base_address(lw, ref)
    addr = lw.x("add", I32, base, lw.i32(off)) if off else base
    lw.do("drv", net_id(lw, ref), addr, *leaves, *extra, attr=attr)


def bit_pieces(lw: Lowerer, leaf: Val, offset: Val) -> list[tuple[Val, int, Val]]:
    """(bit offset, width, value as I(64)) of each piece of at most 64 bits."""
    out = []
    width = leaf.ty.size
    for low in range(0, width, 64):
        n = min(64, width - low)
        piece = leaf if n == width else lw.x("extract", I(n), leaf, attr=low)
        out.append((offset if low == 0 else lw.x("add", I32, offset, lw.i32(low)), n, lw.resize(piece, I64)))
    return out


def store_now(lw: Lowerer, ref: Ref, lay: Layout, leaves: tuple[Val, ...]) -> None:
    """Blocking store; listeners wake if the value changes."""

    def part(offset: Val) -> Leaves:
        ptr, _ = pointer(lw, ref)
        for at, n, piece in bit_pieces(lw, leaves[0], offset):
            lw.do("rt", ptr, at, lw.i32(n), piece, attr="k_store_bits")
        return ()

    def whole() -> Leaves:
        ptr, _ = pointer(lw, ref)
        site = lw.site("assignment through an invalid reference")
        for leaf, off in zip(leaves, lay.offs, strict=True):
            lw.do("st", ptr, leaf, attr=(off, site))
        return ()

    if ref.bit is not None:
        if ref.net is not None:
            part(lw.x("and", I32, ref.bit, lw.i32(PART - 1)))
        else:
            split(lw, ref.bit, part, whole)
    elif isinstance(ref.net, Own) and ref.dyn is None:
        lw.do("netstore", *leaves, attr=(ref.net.k, ref.net.off + ref.off, lay.offs, lay.size))
    else:
        whole()


def force(lw: Lowerer, ref: Ref, lay: Layout, leaves: tuple[Val, ...] | None) -> None:
    """Force (or, with `leaves` None, release) what a reference stands for: IEEE 1800 §10.6.2."""
    ptr, bit = pointer(lw, ref)
    for i, (ty, off) in enumerate(zip(lay.leaves, lay.offs, strict=True)):
        start = lw.i32(off * 8)
        if ref.bit is not None:
            start = lw.x("and", I32, bit, lw.i32(PART - 1))
        width = ty.nbytes * 8 if ty.kind != "i" else ty.size
        for low in range(0, width, 64):
            n = min(64, width - low)
            at = start if low == 0 else lw.x("add", I32, start, lw.i32(low))
            if leaves is None:
                lw.do("rt", ptr, at, lw.i32(n), attr="k_release_ref")
            else:
                lw.do("rt", ptr, at, lw.i32(n), piece_of(lw, leaves[i], low, n), attr="k_force_ref")


def piece_of(lw: Lowerer, leaf: Val, low: int, n: int) -> Val:
    """Bits [low, low + n) of a leaf of any kind as I(64); n is at most 64."""
    if leaf.ty.kind == "f":
        return lw.resize(lw.x("f2bits", I(leaf.ty.size), leaf), I64)
    if leaf.ty.kind == "a":
        return lw.resize(lw.x("aget", I(n), leaf, lw.const(I(1), 0), attr=(1, leaf.ty.size, low // 8)), I64)
    return lw.resize(leaf if n == leaf.ty.size else lw.x("extract", I(n), leaf, attr=low), I64)


def element(lw: Lowerer, ref: Ref, index: Val, count: int, stride: int) -> Ref:
    """Reference to memory element `index` (already in memory order) of an array of `count`; out of range is marked invalid."""
    if index.const is not None and ref.valid is None and int(index.const) < count:
        return Ref(ref.net, ref.ptr, ref.off + int(index.const) * stride, ref.dyn, None)
    wide = lw.resize(index, I32)
    valid = ref.valid
    if count < (1 << index.ty.size):
        ok = lw.x("icmp", I(1), index, lw.const(index.ty, count), attr="ult")
        valid = ok if valid is None else lw.x("and", I(1), valid, ok)
        wide = lw.x("mux", I32, ok, wide, lw.i32(0))
    dyn = lw.x("mul", I32, wide, lw.i32(stride)) if stride != 1 else wide
    if ref.dyn is not None:
        dyn = lw.x("add", I32, ref.dyn, dyn)
    return Ref(ref.net, ref.ptr, ref.off, dyn, None, valid)
