"""cf: branches. Formats: MLIR `ControlFlow/IR/ControlFlowOps.td`."""

from __future__ import annotations

import re
from typing import Any

from wasmjit.ir.assembly import STR, fast_path, row, syntax
from wasmjit.ir.core import Block, Op, Value, statement
from wasmjit.ir.names import Scope
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.scanner import to_int
from wasmjit.ir.types import I1, Type

_SSA = r"%[\w$.-]+(?:#\d+)?"
_DEST = r"\^([\w$.-]+)(?:\((%[^:\n]*?) : ([^\n]*?)\))?"


@syntax("cf.br llvm.br", "", succ_groups=("destOperands",), traits="terminator", results="")
def _br(p: Parser, st: OpState) -> None:
    st.successors.append(p.successor())
    st.attrs = p.optional_attr_dict()


@syntax("cf.cond_br llvm.cond_br", "condition", succ_groups=("trueDestOperands", "falseDestOperands"), traits="terminator", results="")
def _cond_br(p: Parser, st: OpState) -> None:
    cond = p.ssa()
    if p.accept_word("weights"):
        p.expect("(")
        st.attrs["branch_weights"] = p.array_attr()
        p.expect(")")
    p.expect(",")
    st.operands = [p.resolve(cond, I1)]
    st.successors.append(p.successor())
    p.expect(",")
    st.successors.append(p.successor())
    st.attrs.update(p.optional_attr_dict())


def branch_target(
    p: Parser, label: str, args: str | None, types: str | None, types_at: int, at: int, scope: Scope
) -> tuple[Block, list[Value]] | None:
    """Block and operands of a successor that stands at `at`, its types at `types_at`; None if that is for the general reader."""
    block = p.labels.get(label)
    if block is None:
        block = p.labels[label] = Block(p.block.region, label)
        p.label_uses[label] = at
    if args is None or types is None:
        return block, []
    known = p.branch_types.get(types) or note_types(p, types, types_at)
    if known is None:
        return None
    try:
        values = [scope[n] for n in args.split(", ")]
    except KeyError:
        return None
    if len(values) != len(known):
        return None
    for v, t in zip(values, known, strict=True):
        if v.type is not t:
            return None
    return block, values


def note_types(p: Parser, types: str, at: int) -> tuple[Type, ...] | None:
    """Reads a list of types once per spelling; None if it is not one."""
    back, p.pos = p.pos, at
    found = p.types_plain()
    ok = p.pos == at + len(types)
    p.pos = back
    if not ok:
        return None
    known = p.branch_types[types] = tuple(found)
    return known


_BR = re.compile(rf" {_DEST}[ \t]*(?=\n)", re.ASCII)
_COND = re.compile(rf" ({_SSA}), {_DEST}, {_DEST}[ \t]*(?=\n)", re.ASCII)


@fast_path("cf.br")
def _fast_br(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
    m = _BR.match(p.text, pos)
    if m is None or rname is not None:
        return None
    label, args, types = m.groups()
    target = branch_target(p, label, args, types, m.start(3), pos + 1, scope)
    if target is None:
        return None
    p.pos = m.end()
    op = statement("cf.br", [], {}, start, p.source, p.block, None)
    op.successors = (target,)
    return op


@fast_path("cf.cond_br")
def _fast_cond_br(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
    m = _COND.match(p.text, pos)
    if m is None or rname is not None:
        return None
    cond, l1, a1, t1, l2, a2, t2 = m.groups()
    try:
        value = scope[cond]
    except KeyError:
        return None
    if value.type is not I1:
        return None
    one = branch_target(p, l1, a1, t1, m.start(4), pos + 1, scope)
    two = branch_target(p, l2, a2, t2, m.start(7), pos + 1, scope)
    if one is None or two is None:
        return None
    p.pos = m.end()
    op = statement("cf.cond_br", [value], {}, start, p.source, p.block, None)
    op.successors = (one, two)
    return op


@syntax("cf.switch llvm.switch", "flag", succ_groups=("defaultOperands", "*caseOperands"), traits="terminator", results="")
def _switch(p: Parser, st: OpState) -> None:
    """`%v : T, [ default: ^bb0(...), 42: ^bb1(...) ]`; llvm has no `default:` inside the brackets but the block before them."""
    flag = p.ssa()
    p.expect(":")
    t = p.type()
    st.operands = [p.resolve(flag, t)]
    p.expect(",")
    values: list[int] = []
    if st.name == "llvm.switch":
        st.successors.append(p.successor())
        p.expect("[")
        more = not p.accept("]")
    else:
        p.expect("[")
        p.expect_word("default")
        p.expect(":")
        st.successors.append(p.successor())
        more = p.accept(",")
        if not more:
            p.expect("]")
    while more:
        m = p.match(re.compile(r"-?[0-9]+"))
        if m is None:
            p.error(f"expected a case value{p.found()}")
        values.append(to_int(m[0]))
        p.expect(":")
        st.successors.append(p.successor())
        if not p.accept(","):
            p.expect("]")
            break
    st.attrs["case_values"] = values
    st.attrs.update(p.optional_attr_dict())


row("cf.assert", "arg:i1", "", "$arg `,` $msg attr-dict", attrs={"msg": STR})
