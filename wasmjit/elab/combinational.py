"""Processes that are combinational logic: they become `llhd.combinational`, so that they are levelised with the continuous logic.

`always_comb` comes as a process that computes its results from all that it observes and waits again. Such a process has no state: what it yields is a
function of the present values of the signals it reads, which are all among those it observes (IEEE 1800 §9.2.2.2). Evaluated as continuous logic it
is run once per slot, in topological order, without the event queue.
"""

from __future__ import annotations

from wasmjit.elab.definition import CONTROL_OPS, is_constant, is_pure, root_of, zero_time
from wasmjit.ir import Block, Op, Region, Value
from wasmjit.ir import types as T

STATEFUL = frozenset({"llvm.load", "llhd.current_time", "llhd.delay", "seq.clock_gate", "seq.clock_div", "seq.firmem.read_port", "seq.firmem.read_write_port", "seq.read"})
"""Pure at module level, but more than a function of signals."""
MAX_DEPTH = 50


def combinational_processes(body: Block) -> int:
    """Replace the processes among the operations of a module body that are combinational logic; returns how many there were."""
    drives: dict[Value, int] = {}
    uses: dict[Value, list[Op]] = {}
    candidates = [op for op in body.ops if op.name == "llhd.process" and op.results]
    if not candidates:
        return 0
    for op in body.ops:
        for v in op.operands:
            uses.setdefault(v, []).append(op)
        if op.name == "llhd.drv":
            root = root_of(op.group("signal")[0])
            drives[root] = drives.get(root, 0) + 1
    changed = 0
    for op in candidates:
        if all(sole_drive(u, r, drives) for r in op.results for u in uses.get(r, ()) if u.name == "llhd.drv") and (made := combinational_form(op)) is not None:
            body.ops[body.ops.index(op)] = made
            changed += 1
    return changed


def sole_drive(drv: Op, result: Value, drives: dict[Value, int]) -> bool:
    """Whether a drive carries a result on to a signal that it alone drives as a whole, without a delay."""
    signal = drv.group("signal")[0]
    src = signal.owner
    return (
        isinstance(src, Op)
        and src.name == "llhd.sig"
        and drives.get(signal) == 1
        and drv.group("value")[0] is result
        and not drv.group("enable")
        and "circt.force" not in drv.attrs
        and "circt.release" not in drv.attrs
        and zero_time(drv, drv.group("time")[0])
    )


def combinational_form(process: Op) -> Op | None:
    """The `llhd.combinational` that computes what a process yields, if that is all the process does. It takes over the results and blocks of the process."""
    blocks = process.regions[0].blocks
    if len(blocks) < 2 or blocks[0].args:
        return None
    waits = [b for b in blocks if b.ops and b.ops[-1].name == "llhd.wait"]
    if len(waits) != 1:
        return None
    wait = waits[0].ops[-1]
    if wait.group("delay") or not wait.group("observed") or len(wait.group("yieldOperands")) != len(process.results):
        return None
    resume, resume_args = wait.successors[0]
    entry = blocks[0]
    if resume_args or resume.args or not enters_alike(entry, resume):
        return None
    body = [b for b in blocks if b is not entry]
    for b in body:
        for op in b.ops:
            if op is not wait and (op.regions or op.name in STATEFUL or not (is_pure(op) or op.name in CONTROL_OPS)):
                return None
    if not complete(body, entry, wait):
        return None
    made = Op("llhd.combinational", [], dict(process.attrs), pos=process._pos, src=process._src, parent=process.parent, sloc=process._sloc, results=process.results)
    region = Region([resume, *(b for b in body if b is not resume)])
    region.parent = made
    made.regions = [region]
    for b in body:
        b.region = region
    for r in made.results:
        r.owner = made
    end = Op("llhd.yield", list(wait.group("yieldOperands")), {}, pos=wait._pos, src=wait._src, parent=waits[0], sloc=wait._sloc)
    waits[0].ops[-1] = end
    return made


def enters_alike(entry: Block, resume: Block) -> bool:
    """Whether the process begins as it resumes: the same values go to the same block."""
    first, again = entry.ops[-1], resume.ops[-1]
    if first.name != "cf.br" or len(first.successors) != 1:
        return False
    target, args = first.successors[0]
    if target is resume:
        return not args
    if again.name != "cf.br" or len(again.successors) != 1 or again.successors[0][0] is not target:
        return False
    others = again.successors[0][1]
    return len(others) == len(args) and all(same(a, b, 0) for a, b in zip(args, others, strict=True))


def same(a: Value, b: Value, depth: int) -> bool:
    """Whether two values are the same function of the same signals."""
    if a is b:
        return True
    x, y = a.owner, b.owner
    if not isinstance(x, Op) or not isinstance(y, Op) or x.name != y.name or x.regions or y.regions or depth > MAX_DEPTH:
        return False
    if x.name in STATEFUL or not is_pure(x) or a.index != b.index or x.attrs != y.attrs or len(x.operands) != len(y.operands) or a.type != b.type:
        return False
    return all(same(p, q, depth + 1) for p, q in zip(x.operands, y.operands, strict=True))


def signals_behind(v: Value) -> set[Value]:
    """The signals whose changes a wait on `v` sees: the probed one; of a computed value, those of one bit (what `circt-verilog` writes for the truth value
    of a bit that `always_comb` reads; IEEE 1800 §9.2.2.2.1: the process is sensitive to the bit).
    """
    found: set[Value] = set()
    stack, seen, computed = [v], {v}, False
    while stack:
        op = stack.pop().owner
        if not isinstance(op, Op) or op.regions or op.name in STATEFUL or not is_pure(op):
            return {v}
        if op.name == "llhd.prb":
            if computed and not one_bit(op.results[0].type):
                return set()
            found.add(root_of(op.operands[0]))
            continue
        computed = True
        new = [o for o in op.operands if o not in seen]
        seen.update(new)
        stack += new
    return found


def one_bit(t: T.Type) -> bool:
    if isinstance(t, T.StructType):
        return [n for n, _ in t.fields] == ["value", "unknown"] and all(one_bit(f) for _, f in t.fields)
    return isinstance(t, T.IntType) and t.width == 1


def complete(body: list[Block], entry: Block, wait: Op) -> bool:
    """Whether everything the body reads is observed by the wait, and nothing is kept from one activation to the next."""
    inside: set[Value] = set()
    for b in body:
        inside.update(b.args)
        for op in b.ops:
            inside.update(op.results)
    kept = {r for op in entry.ops for r in op.results}
    observed: set[Value] = set()
    for v in wait.group("observed"):
        if v in inside or v in kept:
            return False
        observed.add(v)
        observed |= signals_behind(v)
    memo: dict[Value, bool] = {}

    def read(v: Value, depth: int = 0) -> bool:
        """Whether an outside value can only change when something observed does."""
        if v in observed or is_constant(v, memo):
            return True
        op = v.owner
        if not isinstance(op, Op) or op.regions or op.name in STATEFUL or not is_pure(op) or depth > MAX_DEPTH:
            return False
        if op.name == "llhd.prb":
            return root_of(op.operands[0]) in observed
        return all(read(o, depth + 1) for o in op.operands)

    for b in body:
        for op in b.ops:
            if op is wait:
                values = list(op.group("yieldOperands"))
            else:
                values = [*op.operands, *(v for _, args in op.successors for v in args)]
            for v in values:
                if v in kept:
                    return False
                if isinstance(v.type, T.RefType):
                    if op.name == "llhd.prb" and root_of(v) not in observed:
                        return False
                elif v not in inside and not read(v):
                    return False
    return True
