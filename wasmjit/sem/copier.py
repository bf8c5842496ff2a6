"""Copies blocks of a MIR body into a body under construction, with some values known to be constants."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from .builder import BodyBuilder
from .mir import Block, Br, CallS, CondBr, Fault, Halt, Ret, Switch, Val, Wait


def copy_block(
    b: BodyBuilder,
    block: Block,
    to: Block,
    values: dict[int, Val],
    target: Callable[[Block], Block],
    known: Mapping[int, Val],
    without: Collection[int] = (),
) -> None:
    """Emit a block into `to`, which has parameters of the same types; everything is folded and simplified anew.

    `values`: what stands for the values of the original, by their ids; the block's own are added. `target`: the block that stands for a target of the original.
    `known`: constants that operands are replaced by, by id. `without`: results whose operations are left out.
    """
    b.set_block(to)
    for p, q in zip(block.params, to.params, strict=True):
        values[p.id] = q

    def val(v: Val) -> Val:
        if v.const is not None:
            return b.const(v.ty, v.const)
        c = known.get(v.id)
        return c if c is not None else values[v.id]

    for op in block.ops:
        if op.dsts and op.dsts[0].id in without:
            continue
        results = b.op(op.code, tuple(d.ty for d in op.dsts), [val(a) for a in op.args], op.attr, op.loc)
        for d, r in zip(op.dsts, results, strict=True):
            values[d.id] = r
    t = block.term
    match t:
        case Br():
            b.br(target(t.target), [val(v) for v in t.args], t.loc)
        case CondBr():
            b.cond_br(val(t.cond), target(t.ttarget), target(t.ftarget), [val(v) for v in t.targs], [val(v) for v in t.fargs], t.loc)
        case Switch():
            b.switch(val(t.value), [(c, target(x), [val(v) for v in a]) for c, x, a in t.cases], target(t.default), [val(v) for v in t.dargs], t.loc)
        case Wait():
            time = (val(t.time[0]), val(t.time[1]), val(t.time[2])) if t.time is not None else None
            b.wait(target(t.resume), t.sens, [(val(p), n, e) for p, n, e in t.dyn], time, t.loc)
        case CallS():
            b.call_s(t.callee, [val(v) for v in t.args], target(t.resume), t.site, t.loc)
        case Ret():
            b.ret([val(v) for v in t.vals], t.loc)
        case Fault():
            b.fault(t.site, t.loc)
        case _:
            assert isinstance(t, Halt), f"{block} ends with {t}"
            b.halt(t.loc)
