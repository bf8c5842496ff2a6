"""Associative arrays that nobody created: elements of other arrays (`int a[string][int]`), and variables without an initialiser.

An array comes into being when an element of it is referred to for writing. circt-verilog passes the address of the element of the outer array
for the inner one; what the keys look like is known only here.
"""

from __future__ import annotations

from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.layout import layout
from wasmjit.sem.lower.bounds import uses_around
from wasmjit.sem.lower.core import Lowerer
from wasmjit.sem.lower.foreach import is_sequence
from wasmjit.sem.lower.func import call_library, call_runtime, set_results
from wasmjit.sem.lower.moore import pointee
from wasmjit.sem.lower.runtime import runtime_call
from wasmjit.sem.mir import BOOL, I32, I64, Val

GET_REF = "__moore_assoc_get_ref"
MAKE = "__wasmjit_assoc_make"


def handle_place(handle: Value) -> Value | None:
    """Address of the variable that a handle was just read from, or that is passed instead of a handle; None if it is not known."""
    op = handle.owner
    if not isinstance(op, Op):
        return None
    if op.name == "llvm.load":
        return op.operands[0]
    callee = op.attrs.get("callee") if op.name in ("llvm.call", "func.call") else None
    return handle if callee is not None and callee.name == GET_REF else None


@runtime_call(GET_REF)
def _get_ref(lw: Lowerer, op: Op, operands: list[Value]) -> None:
    place, key = handle_place(operands[0]), pointee(operands[1])
    if len(operands) != 3 or not op.results:
        call_library(lw, op, GET_REF, operands)
        return
    size = value_bytes(lw, op, operands[2])
    results = lw.lay(op.results[0]).leaves
    if place is None or key is None:
        set_results(lw, op, call_runtime(lw, GET_REF, (lw.one(operands[0]), lw.one(operands[1]), size), results))
        return
    address = lw.one(place)
    handle = lw.one(operands[0])
    if place is operands[0]:
        handle = lw.x("ld", I64, address, attr=(0, lw.site("associative array at an invalid address")))
    make, ready = lw.new_block(), lw.new_block()
    array = lw.b.block_param(ready, I64)
    lw.b.terminate(mir.CondBr(lw.x("icmp", BOOL, handle, lw.i64(0), attr="eq"), make, (), ready, (handle,)))
    lw.b.set_block(make)
    params = (address, lw.i32(key_bytes(key)), lw.resize(size, I32))
    (made,) = call_runtime(lw, MAKE, params, (I64,))
    lw.goto(ready, (made,))
    lw.b.set_block(ready)
    args = (array, lw.one(operands[1]), size)
    set_results(lw, op, call_runtime(lw, GET_REF, args, results))


def value_bytes(lw: Lowerer, op: Op, size: Value) -> Val:
    """Size of a value: what the call says, or what the design reads and writes at the reference if that is more (circt-verilog says 4 for strings)."""
    said = lw.one(size)
    if said.const is None:
        return said
    return lw.const(said.ty, max(int(said.const), uses_around(lw, op).accessed.get(op.results[0], 0)))


def key_bytes(t: T.Type) -> int:
    """Size of keys as `__moore_assoc_create` takes it: 0 for strings."""
    return 0 if is_sequence(t) else layout(t).size
