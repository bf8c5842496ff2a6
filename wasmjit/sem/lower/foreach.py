"""`foreach` over strings and queues (IEEE 1800 §12.7.3), which circt-verilog writes as iteration over an associative array: the keys are the indices."""

from __future__ import annotations

from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.layout import layout
from wasmjit.sem.lower.core import Lowerer, Unsupported
from wasmjit.sem.lower.func import call_library
from wasmjit.sem.lower.moore import define, pointee
from wasmjit.sem.lower.runtime import runtime_call
from wasmjit.sem.mir import BOOL, I64, Val

LENGTH_OFFSET = 8
"""Strings and queues are `{ptr, i64 length}`; no associative array looks like that."""


def sequence_place(handle: Value) -> Value | None:
    """Where the string or queue lies whose address, or whose data pointer, is passed for an array; None if it is an array."""
    if is_sequence(pointee(handle)):
        return handle
    op = handle.owner
    if isinstance(op, Op) and op.name == "llvm.load" and is_sequence(pointee(op.operands[0])):
        return op.operands[0]
    return None


def is_sequence(t: T.Type | None) -> bool:
    return isinstance(t, T.LLVMStructType) and len(t.members) == 2 and isinstance(t.members[0], T.PtrType) and t.members[1] == T.IntType(64)


def _iteration(name: str) -> None:
    how = name.removeprefix("__moore_assoc_")

    @runtime_call(name)
    def _lower(lw: Lowerer, op: Op, operands: list[Value]) -> None:
        place = sequence_place(operands[0])
        if place is None:
            call_library(lw, op, name, operands)
            return
        t = pointee(operands[1])
        leaves = layout(t).leaves if t is not None else (mir.I32,)
        ty = leaves[0]
        if len(leaves) != 1 or ty.kind != "i":
            raise Unsupported(op, f"iteration over a string or queue with an index of type {t}; expected an integer")
        length = lw.x("ld", I64, lw.one(place), attr=(LENGTH_OFFSET, lw.site("string at an invalid address")))
        key = lw.one(operands[1])
        old = signed(lw, lw.x("ld", ty, key, attr=(0, lw.site("index at an invalid address"))))
        one = lw.i64(1)
        if how == "first":
            new = lw.i64(0)
        elif how == "last":
            new = lw.x("sub", I64, length, one)
        else:
            new = lw.x("add" if how == "next" else "sub", I64, old, one)
        found = lw.x("icmp", BOOL, new, length, attr="ult")
        store, done = lw.new_block(), lw.new_block()
        lw.b.terminate(mir.CondBr(found, store, (), done, ()))
        lw.b.set_block(store)
        lw.do("st", key, lw.resize(new, ty), attr=(0, lw.site("index at an invalid address")))
        lw.goto(done)
        lw.b.set_block(done)
        define(lw, op, found)


def signed(lw: Lowerer, v: Val) -> Val:
    return v if v.ty.size >= 64 else lw.x("sext", I64, v)


for _how in ("first", "last", "next", "prev"):
    _iteration(f"__moore_assoc_{_how}")
