"""cf, scf: control flow inside a body."""

from __future__ import annotations

from typing import Any

from wasmjit.ir import Dense, Op, Region
from wasmjit.sem import mir
from wasmjit.sem.lower.core import Leaves, Lowerer, Unsupported, lowers
from wasmjit.sem.mir import BOOL, I32


@lowers("cf.br", "llvm.br")
def _br(lw: Lowerer, op: Op) -> None:
    block, args = op.successors[0]
    lw.b.terminate(mir.Br(lw.block(block), lw.args(args)))


@lowers("cf.cond_br", "llvm.cond_br")
def _cond_br(lw: Lowerer, op: Op) -> None:
    (tb, targs), (fb, fargs) = op.successors
    cond = lw.one(op.operands[0])
    lw.b.terminate(mir.CondBr(cond, lw.block(tb), lw.args(targs), lw.block(fb), lw.args(fargs)))


def case_values(attr: Any) -> list[int]:
    """Integers of a list or dense attribute; none when it is absent."""
    values = attr.values if isinstance(attr, Dense) else attr
    return [int(values)] if isinstance(values, int) else [int(v) for v in values or ()]


@lowers("cf.switch", "llvm.switch")
def _switch(lw: Lowerer, op: Op) -> None:
    value = lw.one(op.operands[0])
    values = op.attrs.get("case_values")
    raw = case_values(values)
    (db, dargs), *cases = op.successors
    lw.b.terminate(
        mir.Switch(
            value,
            [(int(v) & value.ty.mask, lw.block(b), lw.args(a)) for v, (b, a) in zip(raw, cases, strict=True)],
            lw.block(db),
            lw.args(dargs),
        )
    )


@lowers("cf.assert")
def _assert(lw: Lowerer, op: Op) -> None:
    ok, bad = lw.new_block(), lw.new_block()
    lw.b.terminate(mir.CondBr(lw.one(op.operands[0]), ok, (), bad, ()))
    lw.b.set_block(bad)
    lw.b.terminate(mir.Fault(lw.site(f"assertion failed: {op.attrs.get('msg', '')}", op)))
    lw.b.set_block(ok)


def inline_region(lw: Lowerer, region: Region, entry_args: list[Leaves], exits: str, done: mir.Block) -> None:
    """Lower a region from the current block; its terminators named `exits` branch to `done` with their operands."""
    saved = lw.extra.get(exits)
    lw.extra[exits] = done
    lw.region_cfg(region, entry_args)
    lw.extra[exits] = saved


@lowers("scf.yield")
def _scf_yield(lw: Lowerer, op: Op) -> None:
    done = lw.extra.get("scf.yield")
    if done is None:
        raise Unsupported(op, "scf.yield outside of a structured operation")
    if callable(done):
        done(op)
        return
    lw.b.terminate(mir.Br(done, lw.args(op.operands)))


def result_block(lw: Lowerer, op: Op) -> mir.Block:
    """A block whose parameters are the results of `op`."""
    done = lw.new_block()
    for r in op.results:
        lw.set(r, [lw.b.block_param(done, ty) for ty in lw.lay(r).leaves])
    return done


@lowers("scf.if")
def _scf_if(lw: Lowerer, op: Op) -> None:
    cond = lw.one(op.operands[0])
    then, els, done = lw.new_block(), lw.new_block(), result_block(lw, op)
    lw.b.terminate(mir.CondBr(cond, then, (), els, ()))
    lw.b.set_block(then)
    inline_region(lw, op.regions[0], [], "scf.yield", done)
    lw.b.set_block(els)
    if len(op.regions) > 1 and op.regions[1].blocks:
        inline_region(lw, op.regions[1], [], "scf.yield", done)
    else:
        lw.goto(done)
    lw.b.set_block(done)


@lowers("scf.for")
def _scf_for(lw: Lowerer, op: Op) -> None:
    lower, upper, step = (lw.one(v) for v in op.operands[:3])
    init = lw.args(op.operands[3:])
    head, body, done = lw.new_block(), lw.new_block(), result_block(lw, op)
    iv = lw.b.block_param(head, lower.ty)
    carried = tuple(lw.b.block_param(head, v.ty) for v in init)
    lw.goto(head, (lower, *init))
    lw.b.set_block(head)
    more = lw.x("icmp", BOOL, iv, upper, attr="ult" if op.attrs.get("unsignedCmp") else "slt")
    lw.b.terminate(mir.CondBr(more, body, (), done, carried))
    lw.b.set_block(body)
    args: list[Leaves] = [(iv,)]
    pos = 0
    for a in op.regions[0].blocks[0].args[1:]:
        n = len(lw.lay(a).leaves)
        args.append(carried[pos : pos + n])
        pos += n

    def latch(yield_op: Op) -> None:
        lw.goto(head, (lw.x("add", iv.ty, iv, step), *lw.args(yield_op.operands)))

    saved = lw.extra.get("scf.yield")
    lw.extra["scf.yield"] = latch
    lw.region_cfg(op.regions[0], args)
    lw.extra["scf.yield"] = saved
    lw.b.set_block(done)


@lowers("scf.condition")
def _scf_condition(lw: Lowerer, op: Op) -> None:
    lw.extra["scf.condition"](op)


@lowers("scf.while")
def _scf_while(lw: Lowerer, op: Op) -> None:
    before, after, done = lw.new_block(), lw.new_block(), result_block(lw, op)
    init = lw.args(op.operands)
    bparams = tuple(lw.b.block_param(before, v.ty) for v in init)
    after_args = op.regions[1].blocks[0].args
    aparams = [tuple(lw.b.block_param(after, ty) for ty in lw.lay(a).leaves) for a in after_args]
    lw.goto(before, init)
    lw.b.set_block(before)
    args: list[Leaves] = []
    pos = 0
    for a in op.regions[0].blocks[0].args:
        n = len(lw.lay(a).leaves)
        args.append(bparams[pos : pos + n])
        pos += n

    def condition(c: Op) -> None:
        values = lw.args(c.operands[1:])
        lw.b.terminate(mir.CondBr(lw.one(c.operands[0]), after, values, done, values))

    saved = lw.extra.get("scf.condition"), lw.extra.get("scf.yield")
    lw.extra["scf.condition"] = condition
    lw.region_cfg(op.regions[0], args)
    lw.extra["scf.yield"] = lambda y: lw.goto(before, lw.args(y.operands))
    lw.b.set_block(after)
    lw.region_cfg(op.regions[1], list(aparams))
    lw.extra["scf.condition"], lw.extra["scf.yield"] = saved
    lw.b.set_block(done)


@lowers("scf.execute_region")
def _execute_region(lw: Lowerer, op: Op) -> None:
    done = result_block(lw, op)
    inline_region(lw, op.regions[0], [], "scf.yield", done)
    lw.b.set_block(done)


@lowers("scf.index_switch")
def _index_switch(lw: Lowerer, op: Op) -> None:
    value = lw.one(op.operands[0])
    done = result_block(lw, op)
    cases = op.attrs.get("cases")
    raw = case_values(cases)
    blocks = [lw.new_block() for _ in op.regions]
    lw.b.terminate(mir.Switch(value, [(int(v) & value.ty.mask, b, ()) for v, b in zip(raw, blocks[1:], strict=True)], blocks[0], ()))
    for region, block in zip(op.regions, blocks, strict=True):
        lw.b.set_block(block)
        inline_region(lw, region, [], "scf.yield", done)
    lw.b.set_block(done)


def end_activation(lw: Lowerer) -> None:
    """After $finish the process goes no further: functions return to their callers, which look at the same word (`func.call_named`)."""
    after = lw.new_block()
    stop = lw.new_block()
    flag = lw.x("icmp", BOOL, lw.x("ldt", I32, lw.i32(0), attr=mir.ENDED_PROCESS), lw.x("ldt", I32, lw.i32(0), attr=mir.CUR_PROCESS), attr="eq")
    lw.b.terminate(mir.CondBr(flag, stop, (), after, ()))
    lw.b.set_block(stop)
    if lw.kind == "process":
        lw.b.terminate(mir.Halt())
    else:
        lw.b.terminate(mir.Ret(tuple(lw.zero(ty) for ty in lw.b.body.results)))
    lw.b.set_block(after)
