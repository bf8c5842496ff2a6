"""$monitor (IEEE 1800 §21.2.3): a print that is repeated at the end of every time step in which one of its arguments changed.

circt-verilog writes it as a marked `sim.proc.print`. The call starts a process of its own that evaluates the arguments, hands the text to the host
(which prints it in the postponed region) and waits for a change of anything the arguments depend on.
"""

from __future__ import annotations

from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem.lower.core import Lowerer
from wasmjit.sem.lower.sim import flatten, format_tree
from wasmjit.sem.lower.waits import Watch
from wasmjit.sem.mir import I32

REPEATABLE = ("llhd.prb", "llvm.load", "llhd.current_time", "llhd.time_to_int")
REPEATABLE_DIALECTS = ("comb.", "hw.", "arith.", "math.", "index.", "builtin.unrealized_conversion_cast", "llvm.extractvalue", "llvm.insertvalue", "llvm.getelementptr", "llhd.sig.")


def repeatable(op: Op) -> bool:
    """Whether the monitor evaluates the operation itself; the results of others keep the value they have at the call."""
    return not op.regions and (op.name in REPEATABLE or op.name.startswith(REPEATABLE_DIALECTS))


def local(lw: Lowerer, v: Value) -> bool:
    """Whether a value belongs to this body (and not to the module around it)."""
    return v in lw.values or v in lw.extra.get("refs", {})


def arguments(root: Value) -> list[Value]:
    """The values that a format tree prints."""
    out: dict[Value, None] = {}
    stack = [root]
    while stack:
        v = stack.pop()
        if isinstance(v.owner, Op) and isinstance(v.type, T.FStringType):
            stack.extend(v.owner.operands)
        else:
            out[v] = None
    return list(out)


def monitor(lw: Lowerer, op: Op) -> None:
    """Lower a marked print: register, switch off or switch on."""
    kind = str(op.attrs["circt.monitor.kind"])
    if kind != "register":
        lw.do("svc", attr=lw.program.service("sim.monitor_control", kind == "on"))
        return
    order, captured = cone(lw, arguments(op.operands[0]))
    key = lw.program.detached_body(lw, captured, lambda inner: body(inner, op, order))
    proc = lw.x("spawn", I32, *lw.args(captured), attr=key)
    lw.do("rt", proc, attr="k_detach")
    lw.op = op
    lw.do("svc", proc, attr=lw.program.service("sim.monitor_start", None))


def cone(lw: Lowerer, roots: list[Value]) -> tuple[list[Op], list[Value]]:
    """Operations of this body to be evaluated again for the roots, operands first, and the values of this body that are captured."""
    order: dict[Op, None] = {}
    captured: dict[Value, None] = {}
    seen: set[Value] = set()
    stack: list[tuple[Value, bool]] = [(v, False) for v in roots]
    while stack:
        v, done = stack.pop()
        owner = v.owner
        if done:
            assert isinstance(owner, Op)
            order[owner] = None
        elif v not in seen and local(lw, v):
            seen.add(v)
            if isinstance(owner, Op) and repeatable(owner):
                stack.append((v, True))
                stack.extend((o, False) for o in owner.operands)
            else:
                captured[v] = None
    return list(order), list(captured)


def body(lw: Lowerer, op: Op, order: list[Op]) -> None:
    """The loop of a monitor: evaluate, hand over, wait."""
    head, resume = lw.new_block(), lw.new_block()
    lw.goto(head)
    lw.b.set_block(head)
    for o in order:
        lw.run_op(o)
    lw.op = op
    spec, leaves = format_tree(lw, op.operands[0])
    lw.op = op
    of_time = time_dependent(order)
    observed = [v for v in arguments(op.operands[0]) if v not in of_time]
    lw.do("svc", *leaves, *lw.args(observed), attr=lw.program.service("sim.monitor", (flatten(spec), len(leaves))))
    watch = Watch(lw)
    for v in observed:
        observe(lw, watch, v)
    lw.b.terminate(watch.wait(resume, None))
    lw.b.set_block(resume)
    lw.goto(head)


def time_dependent(order: list[Op]) -> set[Value]:
    """Values that change with time alone: they do not make the monitor print."""
    out: set[Value] = set()
    for o in order:
        if o.name == "llhd.current_time" or any(v in out for v in o.operands):
            out.update(o.results)
    return out


def observe(lw: Lowerer, watch: Watch, v: Value) -> None:
    """Listen to everything that v depends on."""
    todo, seen = [v], {v}
    while todo:
        x = todo.pop()
        owner = x.owner
        if local(lw, x):
            watch.cone(x)
            if isinstance(owner, Op):
                todo += [o for o in owner.operands if o not in seen and not seen.add(o)]  # type: ignore[func-returns-value]
        elif lw.scope is not None and not isinstance(x.type, (T.RefType, T.TimeType)):
            watch.nets += lw.scope.sources(x)
