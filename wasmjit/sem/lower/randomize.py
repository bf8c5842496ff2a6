"""`randomize()` of objects whose class is visible: which bits of an object are data (IEEE 1800 §18.4), so that handles, strings and queues stay whole."""

from __future__ import annotations

from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem.layout import layout
from wasmjit.sem.lower.core import Lowerer
from wasmjit.sem.lower.func import call_library
from wasmjit.sem.lower.llvm import field_offset
from wasmjit.sem.lower.moore import define
from wasmjit.sem.lower.runtime import runtime_call
from wasmjit.sem.mir import I32

BASIC = "__moore_randomize_basic"
OBJECT = "randomize.object"
HEADER_BYTES = 16
"""Type id and vtable pointer in front of every object."""


@runtime_call(BASIC)
def _randomize(lw: Lowerer, op: Op, operands: list[Value]) -> None:
    t = object_type(op, operands[0], operands[1])
    if t is None:
        call_library(lw, op, BASIC, operands)
        return
    drawn, cleared = bytearray(layout(t).size), bytearray(layout(t).size)
    mark(t, 0, drawn, cleared)
    for i in range(min(HEADER_BYTES, len(drawn))):
        drawn[i] = cleared[i] = 0
    define(lw, op, lw.emit("svc", (I32,), (lw.one(operands[0]),), lw.program.service(OBJECT, (bytes(drawn), bytes(cleared))))[0])


def object_type(op: Op, obj: Value, size: Value) -> T.LLVMStructType | None:
    """Struct of the class of an object, read off a field access through the same value; it has the size that is to be randomized."""
    owner = size.owner
    n = owner.attrs.get("value") if isinstance(owner, Op) else None
    region = op.parent.region if op.parent is not None else None
    for block in region.blocks if region is not None else ():
        for o in block.ops:
            if o.name == "llvm.getelementptr" and o.operands[0] is obj:
                t = o.attrs["elem_type"]
                if isinstance(t, T.LLVMStructType) and layout(t).size == n:
                    return t
    return None


def mark(t: T.Type, at: int, drawn: bytearray, cleared: bytearray) -> None:
    """Set the bits of `drawn` that are data, and those of `cleared` that say which bits of four-state data are unknown.

    A four-state vector is a struct of two integers of the same width, value and unknown bits; random values have no x (§18.4).
    """
    match t:
        case T.LLVMStructType(fields=(T.IntType(width=a) as value, T.IntType(width=b) as unknown)) if a == b:
            mark(value, at, drawn, cleared)
            mark(unknown, at + field_offset(t, 1), cleared, cleared)
        case T.LLVMStructType(fields=(T.PtrType(), T.IntType())):
            return  # string or queue
        case T.LLVMStructType():
            for i, f in enumerate(t.fields or ()):
                mark(f, at + field_offset(t, i), drawn, cleared)
        case T.LLVMArrayType():
            step = layout(t.elem).size
            for i in range(t.size):
                mark(t.elem, at + i * step, drawn, cleared)
        case T.IntType():
            n = layout(t).size
            drawn[at : at + n] = ((1 << t.width) - 1).to_bytes(n, "little")
