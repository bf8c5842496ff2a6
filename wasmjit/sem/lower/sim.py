"""sim: printing, termination, forks, plusargs."""

from __future__ import annotations

from wasmjit.data import replace
from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.format import Concat, Dec, FormatSpec, Literal, Select, Str, spec_for_op
from wasmjit.sem.lower.bounds import four_state
from wasmjit.sem.lower.control import end_activation
from wasmjit.sem.lower.core import Lowerer, Unsupported, lowers
from wasmjit.sem.lower.disable import fork_number
from wasmjit.sem.lower.hw import to_bits
from wasmjit.sem.lower.waits import refuse_suspension
from wasmjit.sem.mir import BOOL, F64, I32, I64, Val

FORMAT_OPS = (
    "literal dec hex oct bin char flt exp gen scientific float general string dyn_string time current_time hier_path concat".split()
)


@lowers(*[f"sim.fmt.{n}" for n in FORMAT_OPS])
def _format(lw: Lowerer, op: Op) -> None:
    """Nothing happens here: the tree is read off the defining operations where it is printed."""


def mux_format(lw: Lowerer, op: Op) -> None:
    """A mux over format strings is part of the tree as well."""


def format_tree(lw: Lowerer, v: Value) -> tuple[FormatSpec, list[Val]]:
    """Format specification and its leaf values, evaluated at the current place."""
    owner = v.owner
    if not isinstance(owner, Op) or v in lw.values:
        return Str(), list(lw.get(v))
    if owner.name == "sim.fmt.concat":
        specs, leaves = [], []
        for o in owner.operands:
            s, ls = format_tree(lw, o)
            specs.append(s)
            leaves += ls
        return Concat(tuple(specs)), leaves
    if owner.name in ("comb.mux", "arith.select"):
        cond = lw.one(owner.operands[0])
        a, la = format_tree(lw, owner.operands[1])
        b, lb = format_tree(lw, owner.operands[2])
        return Select(a, b), [cond, *la, *lb]
    if not owner.name.startswith("sim.fmt."):
        return Str(), list(lw.get(v))
    leaves = [leaf for o in owner.operands for leaf in lw.get(o)]
    kind = owner.name.removeprefix("sim.fmt.")
    if kind not in ("dyn_string", "string", "time", "current_time", "literal", "hier_path"):
        if leaves and leaves[0].ty.kind == "f":
            leaves = [lw.x("fext", F64, leaves[0]) if leaves[0].ty.size == 32 else leaves[0]]
        elif len(leaves) != 1:
            leaves = [to_bits(lw, tuple(leaves), lw.lay(owner.operands[0]))]
    elif kind == "time":
        leaves = leaves[:1]
    elif kind in ("dyn_string", "string") and len(leaves) == 1:
        site = lw.site("string at an invalid address", owner)
        ptr = leaves[0]
        leaves = [lw.x("ld", I64, ptr, attr=(0, site)), lw.x("ld", I64, ptr, attr=(8, site))]
    width = leaves[0].ty.size if leaves and leaves[0].ty.kind == "i" else 0
    try:
        spec = spec_for_op(owner.name, owner.attrs, width)
        if isinstance(spec, Dec) and spec.specifier_width is None and not spec.four_state and not lw.program.from_frontend():
            # `%d` of SystemVerilog pads to the width of the type (IEEE 1800 §21.2.1.3); in hand-written MLIR no width means none.
            spec = replace(spec, specifier_width=0)
        return spec, leaves
    except KeyError:
        raise Unsupported(owner, f"format operation '{owner.name}' is not supported") from None


def flatten(spec: FormatSpec) -> FormatSpec:
    """Nested concatenations become one; neighbouring literals join."""
    if not isinstance(spec, Concat):
        return spec
    parts: list[FormatSpec] = []
    for p in map(flatten, spec.parts):
        for q in p.parts if isinstance(p, Concat) else (p,):
            if isinstance(q, Literal) and parts and isinstance(parts[-1], Literal):
                parts[-1] = Literal(parts[-1].text + q.text)
            else:
                parts.append(q)
    return parts[0] if len(parts) == 1 else Concat(tuple(parts))


DUMP_TASKS = ("dumpvars", "dumpoff", "dumpon", "dumpall", "dumpflush", "dumplimit")


def render(lw: Lowerer, v: Value) -> tuple[Val, ...]:
    """A format string as a guest string (pointer, length), for values that travel through control flow."""
    spec, leaves = format_tree(lw, v)
    return lw.emit("svc", (I64, I64), tuple(leaves), lw.program.service("sim.render", flatten(spec)))


@lowers("sim.proc.print")
def _proc_print(lw: Lowerer, op: Op) -> None:
    """Prints. circt-verilog also writes $monitor and the dump tasks as prints, marked with attributes; their text is not output."""
    if "circt.monitor.kind" in op.attrs:
        from wasmjit.sem.lower.monitor import monitor

        monitor(lw, op)
        return
    if "circt.dumpfile" in op.attrs:
        lw.do("svc", attr=lw.program.service("sim.dumpfile", str(op.attrs["circt.dumpfile"])))
        return
    for task in DUMP_TASKS:
        if f"circt.{task}" in op.attrs:
            lw.do("svc", attr=lw.program.service(f"sim.{task}", op.attrs[f"circt.{task}"]))
            return
    put(lw, op)


def put(lw: Lowerer, op: Op) -> None:
    """Print the format string of an operation, to its stream if it names one."""
    text, stream = op.group("input")[0], op.group("stream")
    if stream:
        from wasmjit.sem.lower.streams import write

        write(lw, text, stream[0])
        return
    spec, leaves = format_tree(lw, text)
    lw.op = op
    lw.do("svc", *leaves, attr=lw.program.service("sim.print", flatten(spec)))


@lowers("sim.terminate")
def _terminate(lw: Lowerer, op: Op) -> None:
    lw.do("svc", attr=lw.program.service("sim.terminate", (bool(op.attrs.get("success")), bool(op.attrs.get("verbose")))))
    end_activation(lw)


@lowers("sim.pause")
def _pause(lw: Lowerer, op: Op) -> None:
    lw.do("svc", attr=lw.program.service("sim.pause", bool(op.attrs.get("verbose"))))
    end_activation(lw)


@lowers("sim.plusargs.test")
def _plusargs_test(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], lw.emit("svc", (BOOL,), (), lw.program.service("sim.plusargs.test", str(op.attrs["formatString"]))))


@lowers("sim.plusargs.value")
def _plusargs_value(lw: Lowerer, op: Op) -> None:
    lay = lw.lay(op.results[1])
    text = isinstance(op.results[1].type, T.DStringType)
    if not text and (not lay.leaves or any(ty.kind == "a" for ty in lay.leaves) or (len(lay.leaves) > 1 and not four_state(op.results[1].type))):
        raise Unsupported(op, f"'sim.plusargs.value' with a result of type {op.results[1].type}")
    got = lw.emit("svc", (BOOL, *lay.leaves), (), lw.program.service("sim.plusargs.value", (str(op.attrs["formatString"]), lay, text)))
    lw.set(op.results[0], got[0])
    lw.set(op.results[1], got[1:])


# -- forks (IEEE 1800 §9.3.2) ------------------------------------------------------------------------------------------------------------------

JOIN_KINDS = {"join": 0, "join_any": 1, "join_none": 2}


@lowers("sim.fork", suspends=True)
def _fork(lw: Lowerer, op: Op) -> None:
    kind = JOIN_KINDS.get(str(op.attrs.get("joinType", op.attrs.get("join_type", "join"))).strip('"'))
    if kind is None:
        raise Unsupported(op, f"unknown join type {op.attrs.get('joinType')}")
    record = lw.x("rt", I32, lw.i32(kind), lw.i32(len(op.regions)), attr="k_fork_begin")
    if op.attrs.get("name"):
        lw.do("rt", record, lw.i32(fork_number(lw, op)), attr="k_fork_name")
    for region in op.regions:
        captured = [v for v in captured_values(region) if v in lw.values]
        key = lw.program.fork_body(op, region, lw, captured)
        lw.x("spawn", I32, *lw.args(captured), attr=key)
    if op.results:
        lw.set(op.results[0], lw.x("zext", lw.lay(op.results[0]).leaves[0], record) if lw.lay(op.results[0]).leaves[0].size > 32 else record)
    wait_joined(lw, record) if kind != 2 else lw.emit("rt", (I32,), (record,), "k_fork_wait")


def wait_joined(lw: Lowerer, record: Val) -> None:
    """Block until the kernel says that the join is satisfied."""
    if lw.kind not in ("process", "coroutine"):
        assert lw.op is not None
        refuse_suspension(lw, lw.op)
        return
    wait, done = lw.new_block(), lw.new_block()
    must = lw.x("icmp", BOOL, lw.x("rt", I32, record, attr="k_fork_wait"), lw.i32(0), attr="ne")
    lw.b.terminate(mir.CondBr(must, wait, (), done, ()))
    lw.b.set_block(wait)
    lw.b.terminate(mir.Wait(done))
    lw.b.set_block(done)


def captured_values(region: object) -> list[Value]:
    """Values used inside of a region but defined outside, in order of first use."""
    inside: set[Value] = set()
    used: dict[Value, None] = {}

    def walk(r: object) -> None:
        for b in r.blocks:  # type: ignore[attr-defined]
            inside.update(b.args)
            for o in b.ops:
                inside.update(o.results)
        for b in r.blocks:  # type: ignore[attr-defined]
            for o in b.ops:
                for v in o.operands:
                    used.setdefault(v)
                for _, args in o.successors:
                    for v in args:
                        used.setdefault(v)
                for rr in o.regions:
                    walk(rr)

    walk(region)
    return [v for v in used if v not in inside]


@lowers("sim.fork.terminator")
def _fork_terminator(lw: Lowerer, op: Op) -> None:
    lw.b.terminate(mir.Halt())


@lowers("sim.join", "sim.join_any", suspends=True)
def _join(lw: Lowerer, op: Op) -> None:
    """Join through a handle. A fork that joins has waited already; for join_none this waits for the children of the process."""
    fork = op.operands[0].owner
    if isinstance(fork, Op) and fork.name == "sim.fork" and str(fork.attrs.get("joinType", "join")).strip('"') == "join":
        return
    _wait_fork(lw, op)


@lowers("sim.wait_fork", suspends=True)
def _wait_fork(lw: Lowerer, op: Op) -> None:
    if lw.kind not in ("process", "coroutine"):
        refuse_suspension(lw, op)
        return
    head, wait, done = lw.new_block(), lw.new_block(), lw.new_block()
    lw.goto(head)
    lw.b.set_block(head)
    must = lw.x("icmp", BOOL, lw.x("rt", I32, attr="k_wait_fork"), lw.i32(0), attr="ne")
    lw.b.terminate(mir.CondBr(must, wait, (), done, ()))
    lw.b.set_block(wait)
    lw.b.terminate(mir.Wait(head))
    lw.b.set_block(done)


@lowers("sim.disable_fork")
def _disable_fork(lw: Lowerer, op: Op) -> None:
    lw.do("rt", attr="k_disable_fork")
