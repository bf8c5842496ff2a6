"""How MLIR types become leaves and where they lie in memory (docs/internals.md §2)."""

from __future__ import annotations

from functools import cache

from wasmjit.data import dataclass
from wasmjit.ir import types as T
from wasmjit.sem.mir import F32, F64, I32, I64, A, I, Packing, Ty, int_bytes

MAX_BYTES = 1 << 30
"""Largest value of an aggregate: the whole memory is 4 GiB."""


class UnsupportedType(Exception):
    """A type that has no run-time representation; str() names it."""


def _align_up(n: int, a: int) -> int:
    return (n + a - 1) // a * a


@dataclass(frozen=True, slots=True)
class Layout:
    """Memory layout and leaves of one type.

    size, align: bytes; leaves: leaf types; offs: byte offset of each leaf; bits: width in hw's bit packing (0: has none).
    low: for each leaf the position of its lowest bit in the packing.
    """

    size: int
    align: int
    leaves: tuple[Ty, ...]
    offs: tuple[int, ...]
    bits: int
    low: tuple[int, ...]
    packings: tuple[Packing | None, ...]


def scalar(ty: Ty, bits: int) -> Layout:
    n = ty.nbytes
    return Layout(n, min(n, 8), (ty,), (0,), bits, (0,), (None,))


def _record(fields: list[Layout], packed: bool = False) -> Layout:
    leaves: list[Ty] = []
    offs: list[int] = []
    low: list[int] = []
    packings: list[Packing | None] = []
    pos, align = 0, 1
    bits = sum(f.bits for f in fields)
    top = bits
    for f in fields:
        if not packed:
            pos = _align_up(pos, f.align)
            align = max(align, f.align)
        top -= f.bits
        leaves += f.leaves
        offs += [pos + o for o in f.offs]
        low += [top + b for b in f.low]
        packings += f.packings
        pos += f.size
    return Layout(_align_up(pos, align), align, tuple(leaves), tuple(offs), bits, tuple(low), tuple(packings))


def array_packing(count: int, elem: Layout) -> Packing:
    """Packing of an hw.array image: element 0 is least significant and last in memory, so that memory order is declaration order (left to right) as in llvm.array."""
    return Packing(
        count,
        elem.size,
        elem.bits,
        tuple((o, leaf.nbytes * 8 if leaf.kind == "a" else leaf.size, b, p) for leaf, o, b, p in zip(elem.leaves, elem.offs, elem.low, elem.packings, strict=True)),
        True,
    )


def _array(count: int, elem: Layout) -> Layout:
    size = elem.size * count
    if count == 0 or size == 0:
        return Layout(0, 1, (), (), 0, (), ())
    return Layout(size, elem.align, (A(size),), (0,), elem.bits * count, (0,), (array_packing(count, elem),))


def _sized(t: T.Type, lay: Layout) -> Layout:
    if lay.size > MAX_BYTES:
        raise UnsupportedType(f"{t} ({lay.size} bytes)")
    return lay


@cache
def layout(t: T.Type) -> Layout:
    """Layout of an MLIR type. Raises UnsupportedType."""
    match t:
        case T.IntType():
            return scalar(I(t.width), t.width) if t.width else Layout(0, 1, (), (), 0, (), ())
        case T.FloatType():
            if t.width not in (32, 64):
                raise UnsupportedType(str(t))
            return scalar(F64 if t.width == 64 else F32, t.width)
        case T.IndexType():
            return scalar(I64, 64)
        case T.ClockType():
            return scalar(I(1), 1)
        case T.ImmutableType() | T.InOutType():
            return layout(t.elem)
        case T.EnumType():
            w = max(1, (len(t.names) - 1).bit_length())
            return scalar(I(w), w)
        case T.StructType():
            return _sized(t, _record([layout(f) for _, f in t.fields]))
        case T.LLVMStructType():
            return _sized(t, _record([layout(f) for f in t.members], t.packed))
        case T.ArrayType() | T.LLVMArrayType():
            return _sized(t, _array(t.size, layout(t.elem)))
        case T.UnionType():
            w = max((layout(f[1]).bits + f[2] for f in t.fields), default=0)
            return scalar(I(w), w) if w else Layout(0, 1, (), (), 0, (), ())
        case T.PtrType() | T.FunctionType() | T.LLVMFuncType():
            return scalar(I64, 64)
        case T.TimeType():
            return Layout(16, 8, (I64, I32, I32), (0, 8, 12), 128, (64, 32, 0), (None, None, None))
        case T.OpaqueType(text="!sim.output_stream"):
            return scalar(I(32), 32)
        case T.QueueType():
            return Layout(16, 8, (I64, I64), (0, 8), 0, (0, 0), (None, None))
        case T.AssocType():
            return Layout(8, 8, (I64,), (0,), 0, (0,), (None,))
        case T.RefType():
            return Layout(16, 8, (I64, I32), (0, 8), 0, (0, 0), (None, None))
        case T.DStringType() | T.FStringType():
            return Layout(16, 8, (I64, I64), (0, 8), 128, (64, 0), (None, None))
        case T.NoneType() | T.LLVMVoidType():
            return Layout(0, 1, (), (), 0, (), ())
        case T.PropertyType() | T.SequenceType():
            return scalar(I(1), 1)
    raise UnsupportedType(str(t))


def leaf_slice(fields: list[T.Type], index: int) -> tuple[int, int]:
    """(first leaf, number of leaves) of field `index` of a struct with these field types."""
    first = sum(len(layout(f).leaves) for f in fields[:index])
    return first, len(layout(fields[index]).leaves)


def int_storage(bits: int) -> int:
    return int_bytes(bits)
