"""func and calls in general."""

from __future__ import annotations

from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.layout import layout
from wasmjit.sem.lower.core import Leaves, Lowerer, Unsupported, lowers
from wasmjit.sem.lower.control import result_block
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
    has_body = target is not None and bool(target.regions) and bool(target.regions[0].blocks)
    if not has_body:
        special = RUNTIME_CALLS.get(name)
        if special is not None:
            special(lw, op, operands)
            return
    args = lw.args(operands)
    results = leaf_types([r.type for r in op.results])
    if has_body:
        if lw.program.may_suspend(name) and lw.kind in ("process", "coroutine"):
            call_suspending(lw, op, lw.program.coroutine_key(name), args, None)
        else:
            set_results(lw, op, lw.emit("call", results, args, name))
        return
    exports = lw.program.kernel_exports()
    if name in exports:
        params, outs = exports[name]
        converted = tuple(fit(lw, a, p) for a, p in zip(args, params, strict=True))
        got = lw.emit("rt", tuple(KERNEL_TYPES[o] for o in outs), converted, name)
        set_results(lw, op, tuple(lw.resize(g, ty) if ty.kind == "i" else g for g, ty in zip(got, results, strict=True)))
        return
    set_results(lw, op, lw.emit("svc", results, args, lw.program.service(name, (tuple(a.ty for a in args), results))))


KERNEL_TYPES = {"i32": mir.I32, "i64": mir.I64, "f64": mir.F64, "f32": mir.F32}


def fit(lw: Lowerer, v: mir.Val, kernel_type: str) -> mir.Val:
    """Bring a leaf to the type of a kernel parameter."""
    ty = KERNEL_TYPES[kernel_type]
    return lw.resize(v, ty) if ty.kind == "i" and v.ty.kind == "i" else v


def call_suspending(lw: Lowerer, op: Op, name: str | None, args: Leaves, site: mir.CallSite | None) -> None:
    resume = result_block(lw, op)
    term = mir.CallS(name, args, resume, site)
    term.loc = op.loc
    lw.b.terminate(term)
    lw.b.set_block(resume)


def call_pointer(lw: Lowerer, op: Op, ptr: mir.Val, operands: list[Value], signature: str) -> None:
    args = lw.args(operands)
    results = leaf_types([r.type for r in op.results])
    site = lw.program.call_site(op, tuple(a.ty for a in args), results, lw.name or lw.key)
    if lw.kind in ("process", "coroutine") and lw.program.sites_may_suspend(signature):
        call_suspending(lw, op, None, (ptr, *args), site)
    else:
        set_results(lw, op, lw.emit("icall", results, (ptr, *args), site))


def signature_of(operands: list[Value], results: list[Value]) -> str:
    """Group of signatures for the may-suspend analysis: how many arguments and results (a superset of what can be called)."""
    return f"{len(operands)}->{len(results)}"


@lowers("func.call", suspends=True)
def _call(lw: Lowerer, op: Op) -> None:
    call_named(lw, op, str(op.attrs["callee"].name), op.operands)


@lowers("func.call_indirect", suspends=True)
def _call_indirect(lw: Lowerer, op: Op) -> None:
    call_pointer(lw, op, lw.one(op.operands[0]), op.operands[1:], signature_of(op.operands[1:], op.results))


@lowers("func.constant")
def _constant(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], lw.const(I64, lw.program.function_pointer(op.attrs["value"].name)))


@lowers("func.return", "llvm.return")
def _return(lw: Lowerer, op: Op) -> None:
    if lw.kind not in ("function", "coroutine"):
        raise Unsupported(op, "return outside of a function")
    lw.b.terminate(mir.Ret(lw.args(op.operands)))
