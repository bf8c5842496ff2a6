"""Recognises processes that are combinational logic (always_comb): they become regions, without activations of their own."""

from __future__ import annotations

from wasmjit.elab.definition import PURE_OPS, PURE_PREFIXES
from wasmjit.ir import Block, Op, Value

_BRANCHES = frozenset({"cf.br", "cf.cond_br", "cf.switch"})
_CONSTANTS = frozenset({"hw.constant", "hw.aggregate_constant", "llhd.constant_time", "arith.constant", "llvm.mlir.constant"})
_FORBIDDEN = frozenset({"llvm.load", "llhd.current_time"})


def is_combinational(process: Op) -> bool:
    """Whether the process only computes its results from probes, again whenever any probed signal changes, and carries nothing across its wait.

    Shape: the entry block branches (constants and probes of the module as arguments) to the computation, which ends in the one `llhd.wait` without
    delay; its destination probes the same signals again and branches to the same place.
    """
    if process.name != "llhd.process" or not process.results or not process.regions:
        return False
    blocks = process.regions[0].blocks
    if len(blocks) < 2:
        return False
    waits = []
    for b in blocks:
        for op in b.ops:
            if op.name == "llhd.wait":
                waits.append(op)
            elif op.name in _FORBIDDEN or not (op.name in _BRANCHES or op.name in PURE_OPS or op.name.startswith(PURE_PREFIXES)):
                return False
            if op.regions:
                return False
    if len(waits) != 1:
        return False
    wait = waits[0]
    dest, dest_args = wait.successors[0]
    if dest_args or wait.group("delay") or len(wait.group("yieldOperands")) != len(process.results):
        return False
    entry = blocks[0]
    if any(op.name not in _CONSTANTS for op in entry.ops[:-1]) or entry.ops[-1].name != "cf.br":
        return False
    if not same_start(entry, dest, process) or not computes_first(entry, wait):
        return False
    return sensitive_to_all(process, wait)


def same_start(entry: Block, dest: Block, process: Op) -> bool:
    """Entry and wait destination begin the same computation with the same inputs."""
    target, args = entry.ops[-1].successors[0]
    if target is dest:
        return not args
    last = dest.ops[-1]
    if last.name != "cf.br" or any(op.name != "llhd.prb" and op.name not in _CONSTANTS for op in dest.ops[:-1]):
        return False
    target2, args2 = last.successors[0]
    # What the destination probes must only be handed on, not used further down.
    return target2 is target and len(args) == len(args2) and all(equal(a, b) for a, b in zip(args, args2, strict=True)) and not leaks(dest, process)


def leaks(block: Block, process: Op) -> bool:
    mine = {r for op in block.ops for r in op.results}
    for b in process.regions[0].blocks:
        if b is block:
            continue
        for op in b.ops:
            if any(v in mine for v in op.operands) or any(v in mine for _, vs in op.successors for v in vs):
                return True
    return False


def equal(a: Value, b: Value) -> bool:
    if a is b:
        return True
    x, y = a.owner, b.owner
    if not isinstance(x, Op) or not isinstance(y, Op) or x.name != y.name:
        return False
    if x.name == "llhd.prb":
        return x.operands[0] is y.operands[0]
    return x.name in _CONSTANTS and a.type == b.type and x.attrs == y.attrs


def computes_first(entry: Block, wait: Op) -> bool:
    """The computation does not start with the wait (`always @*` waits first and holds its results until something changes)."""
    target = entry.ops[-1].successors[0][0]
    return wait.parent is not target or len(target.ops) > 1


def sensitive_to_all(process: Op, wait: Op) -> bool:
    # circt-verilog observes what the computation uses of a signal, which may be an expression of it: the signals behind count as observed.
    observed: set[Value] = set()
    stack = list(wait.group("observed"))
    while stack:
        v = stack.pop()
        if v in observed:
            continue
        observed.add(v)
        op = v.owner
        if isinstance(op, Op) and not op.regions and (op.name == "llhd.prb" or op.name in PURE_OPS or op.name.startswith(PURE_PREFIXES)):
            stack.extend(op.operands)
    inside = {r for b in process.regions[0].blocks for op in b.ops for r in op.results} | {a for b in process.regions[0].blocks for a in b.args}
    for b in process.regions[0].blocks:
        for op in b.ops:
            if op.name == "llhd.prb" and op.operands[0] not in observed:
                return False
            if op.name == "llhd.wait":
                continue
            for v in (*op.operands, *(x for _, vs in op.successors for x in vs)):
                if v not in inside and not covered(v, observed, 0):
                    return False
    return True


def covered(v: Value, observed: set[Value], depth: int) -> bool:
    """A module-level value used inside follows from observed signals (or constants)."""
    from wasmjit.ir import types as T

    if v in observed or isinstance(v.type, T.RefType):
        return True
    op = v.owner
    if not isinstance(op, Op) or depth > 20:
        return False
    if op.name in _CONSTANTS:
        return True
    if op.name == "llhd.prb":
        return op.operands[0] in observed
    if op.regions or not (op.name in PURE_OPS or op.name.startswith(PURE_PREFIXES)) or op.name in _FORBIDDEN:
        return False
    return all(covered(o, observed, depth + 1) for o in op.operands)
