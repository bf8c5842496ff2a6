"""func and calls in general."""

from __future__ import annotations

from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.layout import layout
from wasmjit.sem.lower.control import end_activation, result_block
from wasmjit.sem.lower.core import Leaves, Lowerer, Unsupported, lowers
from wasmjit.sem.lower.library import library_call
from wasmjit.sem.lower.runtime import RUNTIME_CALLS
from wasmjit.sem.mir import I64, Ty


def leaf_types(ts: list[T.Type] | tuple[T.Type, ...]) -> tuple[Ty, ...]:
    return tuple(leaf for t in ts for leaf in layout(t).leaves)


def set_results(lw: Lowerer, op: Op, leaves: Leaves) -> None:
    pos = 0
    for r in op.results:
        n = len(lw.lay(r).leaves)
        lw.set(r, leaves[pos : pos + n])
        pos += n


def call_named(lw: Lowerer, op: Op, name: str, operands: list[Value]) -> None:
    """Call of a symbol: a body of the design, a kernel export, or a host service."""
    target = lw.program.symbol(name)
    if target is None or not has_body(target):
        special = RUNTIME_CALLS.get(name)
        if special is not None:
            special(lw, op, operands)
        else:
            call_library(lw, op, name, operands)
        return
    args = lw.args(operands)
    results = leaf_types([r.type for r in op.results])
    if lw.program.may_suspend(name) and lw.kind in ("process", "coroutine"):
        call_suspending(lw, op, lw.program.coroutine_key(name), args, None)
    else:
        set_results(lw, op, lw.emit("call", results, args, name))
    if lw.kind != "region" and lw.program.may_end(name):
        end_activation(lw)


def has_body(function: Op) -> bool:
    """Whether a function is defined here. The text of a body is not read for that: many are never called."""
    return any(not r.forced or bool(r.blocks) for r in function.regions)


def call_library(lw: Lowerer, op: Op, name: str, operands: list[Value]) -> None:
    """Call of a function without a body: one compiled with the kernel, or a host service."""
    args = lw.args(operands)
    results = leaf_types([r.type for r in op.results])
    set_results(lw, op, call_runtime(lw, name, args, results))


def call_runtime(lw: Lowerer, name: str, args: Leaves, results: tuple[Ty, ...]) -> Leaves:
    """Results of a function of the runtime library."""
    got = library_call(lw.b, lw.program.kernel_exports(), name, args, results)
    return got if got is not None else lw.emit("svc", results, args, lw.program.service(name, (tuple(a.ty for a in args), results)))


def call_suspending(lw: Lowerer, op: Op, name: str | None, args: Leaves, site: mir.CallSite | None) -> None:
    resume = result_block(lw, op)
    term = mir.CallS(name, args, resume, site)
    term.loc = op
    lw.b.terminate(term)
    lw.b.set_block(resume)


def call_pointer(lw: Lowerer, op: Op, callee: Value, operands: list[Value], signature: str) -> None:
    ptr = lw.one(callee)
    args = lw.args(operands)
    results = leaf_types([r.type for r in op.results])
    target = static_target(lw, callee)
    site = lw.program.call_site(op, tuple(a.ty for a in args), results, lw.name or lw.key, target)
    if lw.kind in ("process", "coroutine") and lw.program.sites_may_suspend(signature):
        call_suspending(lw, op, None, (ptr, *args), site)
    else:
        set_results(lw, op, lw.emit("icall", results, (ptr, *args), site))
    if lw.kind != "region" and (lw.program.sites_may_end(signature) or (target and lw.program.may_end(target))):
        end_activation(lw)


def vtable_slot(address: Value) -> tuple[Op, int] | None:
    """(load of the vtable pointer, slot) if an address is a constant slot of a vtable reached through an object: `gep [0, k] : array<n x ptr>`."""
    gep = address.owner
    if not isinstance(gep, Op) or gep.name != "llvm.getelementptr" or not isinstance(gep.attrs["elem_type"], T.LLVMArrayType):
        return None
    indices = [int(i) for i in gep.attrs["rawConstantIndices"]]
    base = gep.operands[0].owner
    if len(indices) != 2 or indices[0] != 0 or not 0 <= indices[1] < gep.attrs["elem_type"].size or not isinstance(gep.attrs["elem_type"].elem, T.PtrType):
        return None
    if not isinstance(base, Op) or base.name != "llvm.load":
        return None
    return base, indices[1]


def static_target(lw: Lowerer, callee: Value) -> str:
    """Name of the method that a virtual call finds in the vtable of the object's static class; "" if the call does not look like one.

    circt-verilog reads the vtable pointer from a field of the class struct, and names the vtable of class C `C::__vtable__`.
    """
    src = callee.owner
    if isinstance(src, Op) and src.name == "builtin.unrealized_conversion_cast" and len(src.operands) == 1:
        src = src.operands[0].owner
    slot = vtable_slot(src.operands[0]) if isinstance(src, Op) and src.name == "llvm.load" else None
    if slot is None:
        return ""
    field = slot[0].operands[0].owner
    struct = field.attrs["elem_type"] if isinstance(field, Op) and field.name == "llvm.getelementptr" else None
    vtable = lw.program.symbol(f"{struct.name}::__vtable__") if isinstance(struct, T.LLVMStructType) and struct.name else None
    for index, target in (vtable.attrs.get("circt.vtable_entries") or []) if vtable is not None else []:
        method = lw.program.symbol(target.name)
        if int(index) == slot[1] and method is not None and has_body(method):
            return str(target.name)
    return ""


def signature_of(operands: list[Value], results: list[Value]) -> str:
    """Group of signatures for the may-suspend analysis: how many arguments and results (a superset of what can be called)."""
    return f"{len(operands)}->{len(results)}"


@lowers("func.call", "llhd.call_coroutine", suspends=True)
def _call(lw: Lowerer, op: Op) -> None:
    call_named(lw, op, str(op.attrs["callee"].name), op.operands)


@lowers("func.call_indirect", suspends=True)
def _call_indirect(lw: Lowerer, op: Op) -> None:
    call_pointer(lw, op, op.operands[0], op.operands[1:], signature_of(op.operands[1:], op.results))


@lowers("func.constant")
def _constant(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], lw.const(I64, lw.program.function_pointer(op.attrs["value"].name)))


@lowers("func.return", "llvm.return", "llhd.return")
def _return(lw: Lowerer, op: Op) -> None:
    if lw.kind not in ("function", "coroutine"):
        raise Unsupported(op, "return outside of a function")
    lw.b.terminate(mir.Ret(lw.args(op.operands)))
