"""hw: constants, aggregates, bitcasts."""

from __future__ import annotations

from typing import Any

from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem.layout import Layout, layout
from wasmjit.sem.lower.bounds import default_leaves
from wasmjit.sem.lower.core import Leaves, Lowerer, Unsupported, lowers
from wasmjit.sem.mir import A, I, Packing, Val


def to_bits(lw: Lowerer, leaves: Leaves, lay: Layout) -> Val:
    """hw's bit packing of a value: an integer of lay.bits bits, first field most significant."""
    parts = [pack_leaf(lw, leaf, p) for leaf, p in zip(leaves, lay.packings, strict=True)]
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return lw.const(I(1), 0)  # integers of width 0 are read as 0
    return lw.x("concat", I(lay.bits), *parts)


def pack_leaf(lw: Lowerer, leaf: Val, packing: Packing | None) -> Val:
    if leaf.ty.kind == "a":
        if packing is None or packing.bits == 0:
            raise Unsupported(lw.op, "an aggregate of this type has no bit representation")
        return lw.x("apack", I(packing.count * packing.bits), leaf, attr=packing)
    if leaf.ty.kind == "f":
        return lw.x("f2bits", I(leaf.ty.size), leaf)
    return leaf


def from_bits(lw: Lowerer, bits: Val, lay: Layout) -> list[Val]:
    out: list[Val] = []
    for ty, low, packing in zip(lay.leaves, lay.low, lay.packings, strict=True):
        if ty.kind == "a":
            if packing is None or packing.bits == 0:
                raise Unsupported(lw.op, "an aggregate of this type has no bit representation")
            width = packing.count * packing.bits
            piece = bits if width == bits.ty.size else lw.x("extract", I(width), bits, attr=low)
            out.append(lw.x("aunpack", ty, piece, attr=packing))
        else:
            ity = I(ty.size)
            piece = bits if ity == bits.ty else lw.x("extract", ity, bits, attr=low)
            out.append(lw.x("bits2f", ty, piece) if ty.kind == "f" else piece)
    return out


@lowers("hw.constant")
def _constant(lw: Lowerer, op: Op) -> None:
    lay = lw.lay(op.results[0])
    lw.set(op.results[0], [lw.const(ty, int(op.attrs["value"]) & ty.mask) for ty in lay.leaves])


@lowers("hw.param.value")
def _param_value(lw: Lowerer, op: Op) -> None:
    value = op.attrs["value"]
    if not isinstance(value, int):
        raise Unsupported(op, f"module parameter expression {value} is not resolved")
    ty = lw.leaf(op.results[0])
    lw.set(op.results[0], lw.const(ty, value & ty.mask))


def constant_leaves(lw: Lowerer, t: T.Type, value: Any) -> list[Val]:
    """Leaves of an attribute value (nested lists in hw order: struct fields in order, arrays highest index first)."""
    lay = layout(t)
    match t:
        case T.StructType():
            return [leaf for (_, ft), v in zip(t.fields, value, strict=True) for leaf in constant_leaves(lw, ft, v)]
        case T.ArrayType():
            return [array_of(lw, t, [constant_leaves(lw, t.elem, v) for v in value])]
        case T.FloatType():
            return [lw.const(lay.leaves[0], float(value))]
    return [lw.const(ty, int(value) & ty.mask) for ty in lay.leaves]


@lowers("hw.aggregate_constant")
def _aggregate_constant(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], constant_leaves(lw, op.results[0].type, op.attrs["fields"]))


@lowers("hw.bitcast")
def _bitcast(lw: Lowerer, op: Op) -> None:
    src, dst = lw.lay(op.operands[0]), lw.lay(op.results[0])
    leaves = lw.get(op.operands[0])
    if op.operands[0].type == op.results[0].type:
        lw.set(op.results[0], leaves)
        return
    lw.set(op.results[0], from_bits(lw, to_bits(lw, leaves, src), dst))


@lowers("hw.wire")
def _wire(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], lw.get(op.operands[0]))


@lowers("hw.enum.constant")
def _enum_constant(lw: Lowerer, op: Op) -> None:
    t = op.results[0].type
    if not isinstance(t, T.EnumType):
        raise Unsupported(op, f"expected an enum type, got {t}")
    ty = lw.leaf(t)
    lw.set(op.results[0], lw.const(ty, t.names.index(str(op.attrs["field"]))))


@lowers("hw.enum.cmp")
def _enum_cmp(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], lw.x("icmp", I(1), lw.one(op.operands[0]), lw.one(op.operands[1]), attr="eq"))


# -- structs -----------------------------------------------------------------------------------------------------------------------------


def field_range(op: Op, t: T.Type, field: Any) -> tuple[int, int]:
    """(first leaf, count) of a field named or numbered `field`."""
    if not isinstance(t, T.StructType):
        raise Unsupported(op, f"expected an hw.struct, got {t}")
    index = field if isinstance(field, int) else [n for n, _ in t.fields].index(str(field))
    first = sum(len(layout(f).leaves) for _, f in t.fields[:index])
    return first, len(layout(t.fields[index][1]).leaves)


@lowers("hw.struct_create")
def _struct_create(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], lw.args(op.operands))


@lowers("hw.struct_extract")
def _struct_extract(lw: Lowerer, op: Op) -> None:
    first, n = field_range(op, op.operands[0].type, op.attrs["fieldIndex"] if "fieldIndex" in op.attrs else op.attrs["field"])
    lw.set(op.results[0], lw.get(op.operands[0])[first : first + n])


@lowers("hw.struct_inject")
def _struct_inject(lw: Lowerer, op: Op) -> None:
    first, n = field_range(op, op.operands[0].type, op.attrs["fieldIndex"] if "fieldIndex" in op.attrs else op.attrs["field"])
    old = lw.get(op.operands[0])
    lw.set(op.results[0], (*old[:first], *lw.get(op.operands[1]), *old[first + n :]))


@lowers("hw.struct_explode")
def _struct_explode(lw: Lowerer, op: Op) -> None:
    leaves = lw.get(op.operands[0])
    pos = 0
    for r in op.results:
        n = len(lw.lay(r).leaves)
        lw.set(r, leaves[pos : pos + n])
        pos += n


# -- unions: the bits of the widest member; a member lies at the top (hw packs members to the most significant side) minus its offset ----------


def _union_field(op: Op, t: T.Type) -> tuple[int, Layout]:
    if not isinstance(t, T.UnionType):
        raise Unsupported(op, f"expected an hw.union, got {t}")
    field = op.attrs["fieldIndex"] if "fieldIndex" in op.attrs else op.attrs["field"]
    index = field if isinstance(field, int) else [f[0] for f in t.fields].index(str(field))
    return t.fields[index][2], layout(t.fields[index][1])


@lowers("hw.union_create")
def _union_create(lw: Lowerer, op: Op) -> None:
    off, flay = _union_field(op, op.results[0].type)
    ty = lw.leaf(op.results[0])
    bits = lw.resize(to_bits(lw, lw.get(op.operands[0]), flay), ty)
    if off:
        bits = lw.x("shl", ty, bits, lw.const(ty, off))
    lw.set(op.results[0], bits)


@lowers("hw.union_extract")
def _union_extract(lw: Lowerer, op: Op) -> None:
    off, flay = _union_field(op, op.operands[0].type)
    lw.set(op.results[0], from_bits(lw, lw.x("extract", I(flay.bits), lw.one(op.operands[0]), attr=off), flay))


# -- arrays: hw element i lies at byte offset (N-1-i)*stride ---------------------------------------------------------------------------------


def array_of(lw: Lowerer, t: T.Type, elements: list[list[Val]]) -> Val:
    """Image of an array from its elements in memory order (highest hw index first)."""
    lay = layout(t)
    elem = layout(t.elem)  # type: ignore[attr-defined]
    offs = tuple(i * elem.size + o for i in range(len(elements)) for o in elem.offs)
    return lw.x("anew", lay.leaves[0], *[leaf for e in elements for leaf in e], attr=offs)


def mem_index(lw: Lowerer, op: Op, n: int, count: int) -> Val:
    """Memory position that operand `n` (an hw index) of `op` stands for in an array of `count`; `count` or more when it is out of range."""
    leaves = lw.get(op.operands[n])
    if not leaves:
        return lw.const(I(1), 0)  # an index of width 0: the only element
    idx = leaves[0]
    if count > (1 << idx.ty.size):
        idx = lw.x("zext", I(count.bit_length()), idx)
    at = lw.x("sub", idx.ty, lw.const(idx.ty, (count - 1) & idx.ty.mask), idx)
    ok = range_check(op.operands[n]) if count == 1 << idx.ty.size else None
    if ok is None:
        return at
    wide = I(idx.ty.size + 1)
    return lw.x("mux", wide, lw.one(ok), lw.x("zext", wide, at), lw.const(wide, count))


def range_check(index: Value) -> Value | None:
    """The range check inside of an index, if it is one by circt-verilog: `mux(high bits of i are 0, low bits of i, all ones)`.

    All ones is meant to be out of range, which it is not when the array has 2**width elements: then the check itself must be looked at.
    """
    mux = index.owner
    if not isinstance(mux, Op) or mux.name != "comb.mux":
        return None
    ok, low, sentinel = (v.owner for v in mux.operands)
    width = index.type.width if isinstance(index.type, T.IntType) else 0
    if not (isinstance(sentinel, Op) and sentinel.name == "hw.constant" and int(sentinel.attrs["value"]) & ((1 << width) - 1) == (1 << width) - 1):
        return None
    if not (isinstance(low, Op) and low.name == "comb.extract" and int(low.attrs["lowBit"]) == 0):
        return None
    if not (isinstance(ok, Op) and ok.name == "comb.icmp"):
        return None
    high = ok.operands[0].owner
    whole = isinstance(high, Op) and high.name == "comb.extract" and high.operands[0] is low.operands[0] and int(high.attrs["lowBit"]) == width
    return mux.operands[0] if whole else None


def _index(lw: Lowerer, op: Op, n: int) -> Val | None:
    leaves = lw.get(op.operands[n])
    return leaves[0] if leaves else None


@lowers("hw.array_create", "hw.uarray_create")
def _array_create(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], array_of(lw, op.results[0].type, [list(lw.get(v)) for v in op.operands]))


@lowers("hw.array_concat")
def _array_concat(lw: Lowerer, op: Op) -> None:
    ty = lw.leaf(op.results[0])
    offs, pos = [], 0
    for v in op.operands:
        offs.append(pos)
        pos += lw.lay(v).size
    lw.set(op.results[0], lw.x("anew", ty, *[lw.one(v) for v in op.operands], attr=tuple(offs)))


@lowers("hw.array_get")
def _array_get(lw: Lowerer, op: Op) -> None:
    t = op.operands[0].type
    elem = layout(t.elem)  # type: ignore[attr-defined]
    img = lw.one(op.operands[0])
    idx = mem_index(lw, op, 1, t.size)  # type: ignore[attr-defined]
    out = [lw.x("aget", ty, img, idx, attr=(t.size, elem.size, o)) for ty, o in zip(elem.leaves, elem.offs, strict=True)]  # type: ignore[attr-defined]
    if idx.const is None and idx.ty.mask >= t.size:  # type: ignore[attr-defined]
        # A four-state element that does not exist is x (IEEE 1800 §7.4.5); `aget` gives zeros.
        ok: Val | None = None
        for n, default in enumerate(default_leaves(t.elem)):  # type: ignore[attr-defined]
            if any(default) if isinstance(default, bytes) else default:
                ok = ok or lw.x("icmp", I(1), idx, lw.const(idx.ty, t.size), attr="ult")  # type: ignore[attr-defined]
                out[n] = lw.x("mux", out[n].ty, ok, out[n], lw.const(out[n].ty, default))
    lw.set(op.results[0], out)


@lowers("hw.array_inject")
def _array_inject(lw: Lowerer, op: Op) -> None:
    t = op.operands[0].type
    elem = layout(t.elem)  # type: ignore[attr-defined]
    img = lw.one(op.operands[0])
    idx = mem_index(lw, op, 1, t.size)  # type: ignore[attr-defined]
    lw.set(op.results[0], lw.x("aput", img.ty, img, idx, *lw.get(op.operands[2]), attr=(t.size, elem.size, elem.offs)))  # type: ignore[attr-defined]


@lowers("hw.array_slice")
def _array_slice(lw: Lowerer, op: Op) -> None:
    t, r = op.operands[0].type, op.results[0].type
    elem = layout(t.elem)  # type: ignore[attr-defined]
    n, m = t.size, r.size  # type: ignore[attr-defined]
    img = lw.one(op.operands[0])
    low = _index(lw, op, 1)
    # The slice [low, low+m) starts at memory element n-m-low.
    if low is None:
        start = lw.const(I(1), 0)
    else:
        wide = lw.resize(low, I(max(low.ty.size, n.bit_length()) + 1))
        start = lw.x("sub", wide.ty, lw.const(wide.ty, n - m), wide)
    lw.set(op.results[0], lw.x("aslice", A(m * elem.size), img, start, attr=(n, elem.size)))
