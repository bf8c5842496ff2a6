"""`randomize()` of objects whose class is visible: which bits of an object are data (IEEE 1800 §18.4), so that handles, strings and queues stay whole."""

from __future__ import annotations

import re

from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem.layout import layout
from wasmjit.sem.lower.core import Lowerer
from wasmjit.sem.lower.func import call_library
from wasmjit.sem.lower.llvm_values import field_offset
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
    mark(t, 0, drawn, cleared, ordinary_pairs(op._src.text if op._src is not None else "", t), ())
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


_INDICES = re.compile(r"llvm\.getelementptr\s+(?:inbounds\s+)?%[\w$.-]+\[([^\]]*)\]")


def ordinary_pairs(text: str, t: T.LLVMStructType) -> set[tuple[int, ...]]:
    """Structs of two integers of one width that are structs in the source too, by their path of fields from an object of class `t`.

    The LLVM type of `struct { byte a, b; }` is that of a four-state byte. But only members of a struct are addressed one by one: a four-state vector is always
    loaded and stored as a whole. Looked for are addresses of second members, in the text of the whole design, through the class and those it extends.
    """
    out: set[tuple[int, ...]] = set()
    prefix: tuple[int, ...] = ()
    base: T.Type | None = t
    while isinstance(base, T.LLVMStructType) and base.name:
        wanted = f'-> !llvm.ptr, !llvm.struct<"{base.name}"'
        at = text.find(wanted)
        while at >= 0:
            m = _INDICES.search(text, text.rfind("\n", 0, at) + 1, at)
            if m is not None:
                path = [int(i) if i.lstrip("-").isdigit() else -1 for i in m[1].replace(" ", "").split(",")]
                if len(path) > 2 and path[-1] == 1 and (found := (*prefix, *path[1:-1])) not in out and is_pair(member(t, found)):
                    out.add(found)
            at = text.find(wanted, at + len(wanted))
        prefix = (*prefix, 0)
        base = base.fields[0] if base.fields else None
    return out


def member(t: T.Type | None, path: tuple[int, ...]) -> T.Type | None:
    """Type at the end of a path of fields; elements of arrays count as field -1."""
    for i in path:
        if isinstance(t, T.LLVMArrayType):
            t = t.elem
        elif isinstance(t, T.LLVMStructType) and 0 <= i < len(t.fields or ()):
            t = t.fields[i]  # type: ignore[index]
        else:
            return None
    return t


def is_pair(t: T.Type | None) -> bool:
    return isinstance(t, T.LLVMStructType) and len(t.fields or ()) == 2 and isinstance(t.fields[0], T.IntType) and t.fields[0] == t.fields[1]  # type: ignore[index]


def mark(t: T.Type, at: int, drawn: bytearray, cleared: bytearray, ordinary: set[tuple[int, ...]], path: tuple[int, ...]) -> None:
    """Set the bits of `drawn` that are data, and those of `cleared` that say which bits of four-state data are unknown. `path`: of fields, to `t`.

    A four-state vector is a struct of two integers of the same width, value and unknown bits, that is not in `ordinary`; random values have no x (§18.4).
    """
    match t:
        case T.LLVMStructType() if is_pair(t) and path not in ordinary:
            value, unknown = t.fields or ()
            mark(value, at, drawn, cleared, ordinary, ())
            mark(unknown, at + field_offset(t, 1), cleared, cleared, ordinary, ())
        case T.LLVMStructType(fields=(T.PtrType(), T.IntType())):
            return  # string or queue
        case T.LLVMStructType():
            for i, f in enumerate(t.fields or ()):
                mark(f, at + field_offset(t, i), drawn, cleared, ordinary, (*path, i))
        case T.LLVMArrayType():
            step = layout(t.elem).size
            for i in range(t.size):
                mark(t.elem, at + i * step, drawn, cleared, ordinary, (*path, -1))
        case T.IntType():
            n = layout(t).size
            drawn[at : at + n] = ((1 << t.width) - 1).to_bytes(n, "little")
