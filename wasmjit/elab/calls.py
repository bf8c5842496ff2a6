"""Calls of functions in the body of a module: continuous logic (IEEE 1800 §10.3.2: `assign y = f(a);` calls `f` whenever `a` changes).

A call whose arguments follow from constants is executed once, as is one whose result is needed at the beginning, as the first value of a signal or by
what is made then.
"""

from __future__ import annotations

from wasmjit.elab.definition import CLOCKED_EFFECTS, INSTANCES, REGISTER_OPS, is_pure
from wasmjit.ir import Block, Op, Region, Value
from wasmjit.ir import types as T
from wasmjit.sem.sva.plan import CLOCKED, UNCLOCKED


def calls_as_logic(body: Block) -> int:
    """Put every call of a function that has results and depends on a signal, or is connected to a port, into an `llhd.combinational`, which is evaluated when what
    it reads changes; how many."""
    calls = [(at, op) for at, op in enumerate(body.ops) if op.name in ("func.call", "llvm.call") and op.results and by_value(op)]
    if not calls:
        return 0
    early: set[Value] = set()
    ports: set[Value] = set()
    callers = {op for _, op in calls}
    for op in body.ops:
        if op in callers:
            continue
        if op.name == "llhd.sig" or not (is_pure(op) or op.name in LATER or op.name in REGISTER_OPS or op.name in CLOCKED_EFFECTS or op.regions):
            early.update(op.operands)
        elif op.name in INSTANCES or op.name == "hw.output":
            ports.update(op.operands)
    for _, op in reversed(calls):
        if any(r in early for r in op.results):
            early.update(op.operands)
    moved: set[Op] = set()
    for at, op in calls:
        if any(r in early for r in op.results):
            continue
        if any(r in ports for r in op.results) or any(changes(v, moved) for v in op.operands):
            body.ops[at] = logic = enclose(op, body)
            moved.add(logic)
    return len(moved)


def by_value(call: Op) -> bool:
    """Calls of the runtime library belong to the logic if they take no pointers: memory that they are given was filled once, at the beginning."""
    return call.name == "func.call" or bool(call.operands) and not any(isinstance(v.type, T.PtrType) for v in call.operands) and call.attrs.get("callee") is not None


LATER = frozenset({"hw.output", "llhd.output", "llhd.drv"}) | INSTANCES | CLOCKED | UNCLOCKED
"""Operations of a module, besides pure ones and registers, that use values during the run."""


def changes(v: Value, moved: set[Op]) -> bool:
    """Whether a value of a module can change during the run."""
    stack, seen = [v], {v}
    while stack:
        x = stack.pop()
        op = x.owner
        if not isinstance(op, Op) or isinstance(x.type, T.RefType):
            return True
        if op in moved or op.name in REGISTER_OPS or op.name in INSTANCES or op.name in ("llhd.process", "llhd.prb", "llvm.load", "llhd.current_time") or op.regions:
            return True
        if is_pure(op):
            new = [o for o in op.operands if o not in seen]
            seen.update(new)
            stack += new
    return False


def enclose(call: Op, body: Block) -> Op:
    """The combinational process around a call; it takes over the results. Signals handed over by reference are probed, so that their changes count."""
    region = Region()
    block = Block(region)
    region.blocks.append(block)
    logic = Op("llhd.combinational", [], {}, [region], pos=call._pos, src=call._src, parent=body, sloc=call._sloc)
    region.parent = logic
    for v in call.operands:
        if isinstance(v.type, T.RefType):
            probe = Op("llhd.prb", [v], {}, pos=call._pos, src=call._src, parent=block, sloc=call._sloc)
            probe.results = [Value(v.type.elem, probe, 0, "")]
            block.ops.append(probe)
    logic.results = call.results
    for r in logic.results:
        r.owner = logic
    call.results = [Value(r.type, call, r.index, r.name) for r in logic.results]
    call.parent = block
    block.ops += [call, Op("llhd.yield", list(call.results), {}, pos=call._pos, src=call._src, parent=block, sloc=call._sloc)]
    return logic
