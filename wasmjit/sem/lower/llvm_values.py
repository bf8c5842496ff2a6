"""llvm: constants, their memory images, and aggregates."""

from __future__ import annotations

from typing import Any

from wasmjit.ir import Dense, Op
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.dense import dense_elements
from wasmjit.sem.layout import Layout, layout, leaf_slice
from wasmjit.sem.lower.core import Lowerer, Unsupported, lowers
from wasmjit.sem.mir import Val

# -- constants ---------------------------------------------------------------------------------------------------------------------------


def data_bytes(t: T.Type, value: Any) -> bytes:
    """Memory image of an attribute value of type t (llvm.mlir.constant, initialisers of globals)."""
    lay = layout(t)
    if value is None or type(value).__name__ == "Opaque":  # #llvm.zero, #llvm.undef, #llvm.poison
        return bytes(lay.size)
    match t:
        case T.LLVMArrayType() | T.ArrayType():
            if isinstance(value, str):
                raw = value.encode("utf-8", "surrogateescape")
                return raw[: lay.size].ljust(lay.size, b"\0")
            values = dense_elements(value) if isinstance(value, Dense) else value
            if isinstance(values, (int, float, bool)):
                return data_bytes(t.elem, values) * t.size
            values = list(values)
            if len(values) == 1 and t.size != 1:
                values *= t.size
            if values and not isinstance(values[0], (list, tuple)) and isinstance(t.elem, T.LLVMArrayType):
                step = len(values) // t.size
                values = [values[i * step : (i + 1) * step] for i in range(t.size)]
            return b"".join(data_bytes(t.elem, v) for v in values)
        case T.LLVMStructType():
            out = bytearray(lay.size)
            pos = 0
            for f, v in zip(t.members, value, strict=True):
                fl = layout(f)
                if not t.packed:
                    pos = (pos + fl.align - 1) // fl.align * fl.align
                out[pos : pos + fl.size] = data_bytes(f, v)
                pos += fl.size
            return bytes(out)
        case T.StructType():
            out = bytearray(lay.size)
            pos = 0
            for (_, f), v in zip(t.fields, value, strict=True):
                fl = layout(f)
                pos = (pos + fl.align - 1) // fl.align * fl.align
                out[pos : pos + fl.size] = data_bytes(f, v)
                pos += fl.size
            return bytes(out)
    if not lay.leaves:
        return b""
    (ty,) = lay.leaves
    return leaf_bytes(ty, value)


def leaf_bytes(ty: mir.Ty, value: Any) -> bytes:
    import struct

    if ty.kind == "f":
        return struct.pack("<d" if ty.size == 64 else "<f", float(value))
    if isinstance(value, bytes):
        return value
    return (int(value) & ty.mask).to_bytes(ty.nbytes, "little")


@lowers("llvm.mlir.constant")
def _constant(lw: Lowerer, op: Op) -> None:
    lay = lw.lay(op.results[0])
    value = op.attrs["value"]
    if len(lay.leaves) == 1 and lay.leaves[0].kind != "a" and isinstance(value, (int, float)):
        ty = lay.leaves[0]
        lw.set(op.results[0], lw.const(ty, float(value) if ty.kind == "f" else int(value) & ty.mask))
        return
    lw.set(op.results[0], leaves_of_bytes(lw, lay, data_bytes(op.results[0].type, value)))


def leaves_of_bytes(lw: Lowerer, lay: Layout, raw: bytes) -> list[Val]:
    import struct

    out = []
    for ty, off in zip(lay.leaves, lay.offs, strict=True):
        piece = raw[off : off + ty.nbytes]
        if ty.kind == "a":
            out.append(lw.const(ty, piece))
        elif ty.kind == "f":
            out.append(lw.const(ty, struct.unpack("<d" if ty.size == 64 else "<f", piece)[0]))
        else:
            out.append(lw.const(ty, int.from_bytes(piece, "little") & ty.mask))
    return out


@lowers("llvm.mlir.undef", "llvm.mlir.poison", "llvm.mlir.zero", "llvm.mlir.null")
def _zero(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], [lw.zero(ty) for ty in lw.lay(op.results[0]).leaves])


@lowers("llvm.mlir.addressof")
def _addressof(lw: Lowerer, op: Op) -> None:
    name = op.attrs["global_name"].name
    addr = lw.program.global_address(name)
    lw.set(op.results[0], lw.i64(addr if addr is not None else lw.program.function_pointer(name)))


# -- aggregates ----------------------------------------------------------------------------------------------------------------------------


def _path(op: Op, t: T.Type, position: list[int]) -> tuple[int, int, list[tuple[int, Layout, T.Type]], T.Type]:
    """Walk a constant position: (first leaf, leaf count) inside the value, then inside at most one image: byte steps."""
    first, count = 0, len(layout(t).leaves)
    inside: list[tuple[int, Layout, T.Type]] = []
    offset = 0
    in_image = False
    for p in position:
        match t:
            case T.LLVMStructType() | T.StructType():
                check_field(op, t, p)
                fields = list(t.members) if isinstance(t, T.LLVMStructType) else [f for _, f in t.fields]
                if in_image:
                    offset += field_offset(t, p)
                else:
                    f0, n = leaf_slice(fields, p)
                    first, count = first + f0, n
                t = fields[p]
            case T.LLVMArrayType() | T.ArrayType():
                if not 0 <= p < t.size:
                    raise Unsupported(op, f"position {p} is outside of {t}")
                in_image = True
                offset += p * layout(t.elem).size
                t = t.elem
            case _:
                raise Unsupported(op, f"type {t} has no elements")
    if in_image:
        inside.append((offset, layout(t), t))
    return first, count, inside, t


def check_field(op: Op, t: T.LLVMStructType | T.StructType, index: int) -> None:
    if not 0 <= index < len(t.members if isinstance(t, T.LLVMStructType) else t.fields):
        raise Unsupported(op, f"{t} has no field {index}")


def field_offset(t: T.Type, index: int) -> int:
    """Byte offset of field `index` of a struct."""
    fields = list(t.members) if isinstance(t, T.LLVMStructType) else [f for _, f in t.fields]  # type: ignore[attr-defined]
    pos = 0
    for i, f in enumerate(fields):
        fl = layout(f)
        if not (isinstance(t, T.LLVMStructType) and t.packed):
            pos = (pos + fl.align - 1) // fl.align * fl.align
        if i == index:
            return pos
        pos += fl.size
    raise IndexError(index)


@lowers("llvm.extractvalue")
def _extractvalue(lw: Lowerer, op: Op) -> None:
    leaves = lw.get(op.operands[0])
    first, count, inside, _ = _path(op, op.operands[0].type, [int(p) for p in op.attrs["position"]])
    if not inside:
        lw.set(op.results[0], leaves[first : first + count])
        return
    offset, lay, _ = inside[0]
    img = leaves[first]
    lw.set(op.results[0], [lw.x("aget", ty, img, lw.const(mir.I(1), 0), attr=(1, img.ty.size, offset + o)) for ty, o in zip(lay.leaves, lay.offs, strict=True)])


@lowers("llvm.insertvalue")
def _insertvalue(lw: Lowerer, op: Op) -> None:
    # Generic operand order: container, value.
    container, value = op.operands[0], op.operands[1]
    leaves = lw.get(container)
    first, count, inside, _ = _path(op, container.type, [int(p) for p in op.attrs["position"]])
    new = lw.get(value)
    if inside:
        offset, lay, _ = inside[0]
        img = leaves[first]
        new = (lw.x("aput", img.ty, img, lw.const(mir.I(1), 0), *new, attr=(1, img.ty.size, tuple(offset + o for o in lay.offs))),)
        count = 1
    lw.set(op.results[0], (*leaves[:first], *new, *leaves[first + count :]))
