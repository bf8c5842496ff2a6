"""Shape of a signal's memory image from its MLIR type."""

from __future__ import annotations

from wasmjit.ir import types as T
from wasmjit.sem.layout import UnsupportedType, layout
from wasmjit.waves.images import ArrayShape, BitsShape, RealShape, RecordShape, Shape

_Leaf = tuple[int, int]


def shape_of(t: T.Type) -> Shape | None:
    """How a waveform shows a signal of this type; None for what it cannot show (strings, references, empty types).

    Integers, 4-state structs {value, unknown} and structs of them are one vector, first field most significant. A struct that holds an array or a
    float becomes one variable per field. Element i of an hw.array of N lies at (N-1-i)*stride, of an llvm.array at i*stride (docs/internals.md §2).
    """
    try:
        size = layout(t).size
    except UnsupportedType:
        return None
    if size == 0:
        return None
    leaves = _leaves(t, 0)
    if leaves is not None:
        value = tuple(v for v, _ in leaves)
        four_state = any(u[0] >= 0 for _, u in leaves)
        return BitsShape(value, tuple(u for _, u in leaves) if four_state else None)
    match t:
        case T.FloatType():
            return RealShape(0, t.width)
        case T.ImmutableType() | T.InOutType():
            return shape_of(t.elem)
        case T.ArrayType():
            element = shape_of(t.elem)
            return None if element is None else ArrayShape(t.size, layout(t.elem).size, element, 0, t.size - 1, -1)
        case T.LLVMArrayType():
            element = shape_of(t.elem)
            return None if element is None else ArrayShape(t.size, layout(t.elem).size, element)
        case T.StructType():
            shapes = [(name, offset, shape_of(field)) for name, offset, field in _fields(t)]
            shown = tuple((name, offset, shape) for name, offset, shape in shapes if shape is not None)
            return RecordShape(shown) if shown else None
    return None


def _fields(t: T.StructType) -> list[tuple[str, int, T.Type]]:
    """(name, byte offset, type) of the fields."""
    found, at = [], 0
    for name, field in t.fields:
        part = layout(field)
        at = (at + part.align - 1) // part.align * part.align
        found.append((name, at, field))
        at += part.size
    return found


def _leaves(t: T.Type, base: int) -> list[tuple[_Leaf, _Leaf]] | None:
    """(value leaf, unknown leaf) of a type that is one bit vector, most significant first; None if it is not one."""
    match t:
        case T.StructType():
            fields = _fields(t)
            names = [name for name, _, _ in fields]
            if names == ["value", "unknown"] and fields[0][2] == fields[1][2]:
                value, unknown = (_leaves(field, base + offset) for _, offset, field in fields)
                if value is None or unknown is None:
                    return None
                return [(v, u) for (v, _), (u, _) in zip(value, unknown, strict=True)]
            found: list[tuple[_Leaf, _Leaf]] = []
            for _, offset, field in fields:
                part = _leaves(field, base + offset)
                if part is None:
                    return None
                found += part
            return found
        case T.IntType() | T.EnumType() | T.ClockType() | T.IndexType() | T.PtrType() | T.UnionType():
            flat = layout(t)
            return [((base, flat.bits), (-1, flat.bits))] if flat.bits else []
        case T.TimeType():
            # Femtoseconds only: delta and epsilon have no place on the time axis.
            return [((base, 64), (-1, 64))]
    return None
