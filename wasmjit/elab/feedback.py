"""Feedback in continuous logic: values of a module that depend on themselves without a signal between.

circt-verilog keeps no signal for a net that is only assigned (`assign q = ~(s & qb); assign qb = ~(r & q);`, a latch made of gates), so the SSA graph of the
module has cycles. A net holds its value while the logic behind it settles; each cycle gets such a net here: `llhd.sig`, `llhd.drv` without delay, `llhd.prb`.
It starts at zero, as the operations that compute value and unknown bits do not say which is which.
"""

from __future__ import annotations

from collections.abc import Iterator

from wasmjit.elab.definition import STATEFUL_WIRES, is_pure
from wasmjit.ir import Block, Op, Value
from wasmjit.ir import types as T
from wasmjit.ir.attrs import TimeAttr
from wasmjit.sem.layout import layout


def cut_feedback(body: Block) -> int:
    """Give every cycle of pure operations in the body of a module a net; how many values were given one."""
    # Only a use before the definition can close a cycle.
    done: set[Op] = set()
    forward: list[tuple[Op, Op, int]] = []
    for op in body.ops:
        if part_of_logic(op):
            for user, i in uses_of(op):
                owner = user.operands[i].owner
                if isinstance(owner, Op) and owner.parent is body and owner not in done and part_of_logic(owner):
                    forward.append((op, user, i))
        done.add(op)
    if not forward:
        return 0
    component = components({op: list(uses_of(op)) for op in body.ops if part_of_logic(op)})
    nets: dict[Value, Value] = {}
    for op, user, i in forward:
        v = user.operands[i]
        assert isinstance(v.owner, Op)
        if component[v.owner] == component[op]:
            user.operands[i] = nets[v] if v in nets else nets.setdefault(v, net(body, v))
    return len(nets)


def part_of_logic(op: Op) -> bool:
    return is_pure(op) and op.name not in STATEFUL_WIRES and op.name not in ("llhd.prb", "llhd.delay") and not any(isinstance(r.type, T.RefType) for r in op.results)


def uses_of(op: Op) -> Iterator[tuple[Op, int]]:
    """Every operand of an operation and of those inside of it: (user, index)."""
    for inner in op.walk() if op.regions else (op,):
        for i in range(len(inner.operands)):
            yield inner, i


def components(uses: dict[Op, list[tuple[Op, int]]]) -> dict[Op, int]:
    """Number of the strongly connected component of each operation (Tarjan)."""
    number: dict[Op, int] = {}
    low: dict[Op, int] = {}
    component: dict[Op, int] = {}
    path: list[Op] = []

    def sources(op: Op) -> Iterator[Op]:
        for user, i in uses[op]:
            owner = user.operands[i].owner
            if isinstance(owner, Op) and owner in uses:
                yield owner

    for root in uses:
        if root in number:
            continue
        number[root] = low[root] = len(number)
        path.append(root)
        work = [(root, sources(root))]
        while work:
            op, rest = work[-1]
            nxt = next(rest, None)
            if nxt is not None:
                if nxt not in number:
                    number[nxt] = low[nxt] = len(number)
                    path.append(nxt)
                    work.append((nxt, sources(nxt)))
                elif nxt not in component:
                    low[op] = min(low[op], number[nxt])
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[op])
            if low[op] == number[op]:
                while op not in component:
                    component[path.pop()] = number[op]
    return component


def net(body: Block, v: Value) -> Value:
    """A net that follows `v`; what a probe of it reads."""
    owner = v.owner
    assert isinstance(owner, Op)

    def make(name: str, operands: list[Value], t: T.Type | None = None, **attrs: object) -> Op:
        op = Op(name, operands, attrs, pos=owner._pos, src=owner._src, parent=body, sloc=owner._sloc)
        if t is not None:
            op.results = [Value(t, op, 0, v.name)]
        return op

    start = [make("hw.constant", [], v.type if isinstance(v.type, T.IntType) else T.IntType(layout(v.type).bits), value=0)]
    if not isinstance(v.type, T.IntType):
        start.append(make("hw.bitcast", [start[0].result], v.type))
    sig = make("llhd.sig", [start[-1].result], T.RefType(v.type))
    probe = make("llhd.prb", [sig.result], v.type)
    now = make("llhd.constant_time", [], T.TimeType(), value=TimeAttr(0, 0, 0))
    body.ops[:0] = [*start, sig, probe, now]
    body.ops.insert(len(body.ops) - 1, make("llhd.drv", [sig.result, v, now.result]))
    return probe.result
