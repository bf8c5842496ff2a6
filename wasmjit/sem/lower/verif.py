"""verif and sv: immediate assertions inside bodies."""

from __future__ import annotations

from wasmjit.ir import Op
from wasmjit.sem import mir
from wasmjit.sem.lower.core import Lowerer, lowers
from wasmjit.sem.mir import BOOL


def check(lw: Lowerer, op: Op, kind: str) -> None:
    """Report if the condition is false; a four-state or disabled condition follows IEEE 1800 §16.3 (unknown counts as false)."""
    cond = lw.one(op.operands[0])
    enable = op.operands[1:] if len(op.operands) > 1 and op.name.startswith("verif.") else []
    bad = lw.x("xor", BOOL, cond, lw.const(BOOL, 1))
    for e in enable:
        bad = lw.x("and", BOOL, bad, lw.one(e))
    label = op.attrs.get("label") or op.attrs.get("message") or ""
    if kind == "cover":
        bad = cond
    hit, done = lw.new_block(), lw.new_block()
    lw.b.terminate(mir.CondBr(bad, hit, (), done, ()))
    lw.b.set_block(hit)
    lw.do("svc", attr=lw.program.service("verif.report", (kind, str(label), str(op.source_loc or op.loc))))
    lw.goto(done)
    lw.b.set_block(done)


@lowers("verif.assert", "sv.assert")
def _assert(lw: Lowerer, op: Op) -> None:
    check(lw, op, "assert")


@lowers("verif.assume", "sv.assume")
def _assume(lw: Lowerer, op: Op) -> None:
    check(lw, op, "assume")


@lowers("verif.cover", "sv.cover")
def _cover(lw: Lowerer, op: Op) -> None:
    check(lw, op, "cover")
