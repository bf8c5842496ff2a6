"""seq: registers, clocks and memories (module-level state)."""

from __future__ import annotations

from typing import Any

from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.layout import layout
from wasmjit.sem.lower.core import LOWER, Leaves, Lowerer, Unsupported, lowers
from wasmjit.sem.lower.hw import from_bits
from wasmjit.sem.lower.moore import edge_happened
from wasmjit.sem.lower.observe import sampled_input
from wasmjit.sem.lower.refs import Own, Ref, drive, net_id
from wasmjit.sem.mir import BOOL, I32, Drive, I, Val

COMMIT = (0, 1, 0)
"""Registers change one delta after their clock edge, together with nonblocking assignments (IEEE 1800 §4.4.2.4)."""


# -- clocks --------------------------------------------------------------------------------------------------------------------------------


@lowers("seq.to_clock", "seq.from_clock", "seq.from_immutable", "seq.to_immutable")
def _same(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], lw.get(op.operands[0]))


@lowers("seq.clock_inv")
def _clock_inv(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], lw.x("xor", BOOL, lw.one(op.operands[0]), lw.const(BOOL, 1)))


@lowers("seq.const_clock")
def _const_clock(lw: Lowerer, op: Op) -> None:
    value = op.attrs["value"]
    high = value in (1, True, "high") or str(getattr(value, "text", value)).endswith("high")
    lw.set(op.results[0], lw.const(BOOL, int(high)))


@lowers("seq.clock_mux")
def _clock_mux(lw: Lowerer, op: Op) -> None:
    c, t, f = (lw.one(v) for v in op.operands)
    lw.set(op.results[0], lw.x("mux", BOOL, c, t, f))


def _cell(lw: Lowerer, nbytes: int) -> int:
    make = lw.extra.get("cell")
    if make is None:
        raise Unsupported(lw.op, "a stateful clock operation cannot be used here")
    return int(make(nbytes))


@lowers("seq.clock_gate")
def _clock_gate(lw: Lowerer, op: Op) -> None:
    """A latch transparent while the clock is low, and an AND."""
    clk = lw.one(op.operands[0])
    enable = lw.one(op.operands[1])
    for extra in op.operands[2:]:
        enable = lw.x("or", BOOL, enable, lw.one(extra))
    off = _cell(lw, 1)
    ctx = lw.x("ctx", I32)
    held = lw.x("mux", BOOL, clk, lw.x("ldt", BOOL, ctx, attr=off), enable)
    lw.do("stt", ctx, held, attr=off)
    lw.set(op.results[0], lw.x("and", BOOL, clk, held))


@lowers("seq.clock_div")
def _clock_div(lw: Lowerer, op: Op) -> None:
    """Divides by 2**pow2: the top bit of a counter of rising edges."""
    clk = lw.one(op.operands[0])
    n = int(op.attrs["pow2"])
    if n == 0:
        lw.set(op.results[0], clk)
        return
    prev, count = _cell(lw, 1), _cell(lw, 8)
    ctx = lw.x("ctx", I32)
    ty = I(n)
    old = lw.x("ldt", I(64), ctx, attr=count)
    low = lw.x("xor", BOOL, lw.x("ldt", BOOL, ctx, attr=prev), lw.const(BOOL, 1))
    rose = lw.x("and", BOOL, clk, low)
    # Counting down from 0 raises the top bit with the first edge.
    step = lw.x("mux", I(64), rose, lw.x("sub", I(64), old, lw.const(I(64), 1)), old)
    lw.do("stt", ctx, clk, attr=prev)
    lw.do("stt", ctx, step, attr=count)
    lw.set(op.results[0], lw.x("extract", BOOL, lw.x("extract", ty, step, attr=0), attr=n - 1))


# -- registers -------------------------------------------------------------------------------------------------------------------------------


def clocking(op: Op) -> list[tuple[Value, str, Value | None]]:
    """(clock, edge, asynchronous reset) of a clocked operation."""
    g = op.group
    match op.name:
        case "seq.firreg":
            reset = g("reset")
            return [(g("clk")[0], "posedge", reset[0] if reset and op.attrs.get("isAsync") else None)]
        case "seq.compreg" | "seq.compreg.ce" | "seq.shiftreg" | "seq.fifo":
            return [(g("clk")[0], "posedge", None)]
        case "seq.firmem.write_port" | "seq.firmem.read_write_port":
            return [(g("clk")[0], "posedge", None)]
        case "seq.firmem.read_port":
            return [(g("clk")[0], "posedge", None)]
        case "seq.write" | "seq.read":
            return [(op.operands[0].owner.operands[0], "posedge", None)]  # type: ignore[union-attr]
        case "sim.print" | "sim.clocked_print" | "sim.clocked_terminate" | "sim.clocked_pause":
            return [(g("clock")[0], "posedge", None)]
        case "sim.finish" | "sim.fatal" | "sim.exit":
            return [(g("clk")[0], "posedge", None)]
        case "sim.triggered" | "hw.triggered":
            edge = op.attrs.get("event", 0)
            names = ("posedge", "negedge", "edge")
            return [(g("clock")[0] if op.name.startswith("sim") else g("trigger")[0], names[edge] if isinstance(edge, int) else str(edge), None)]
        case "verif.clocked_assert" | "verif.clocked_assume" | "verif.clocked_cover":
            edge = op.attrs.get("edge", 0)
            names = ("posedge", "negedge", "both")
            return [(g("clock")[0], names[edge] if isinstance(edge, int) else str(edge), None)]
    raise Unsupported(op, f"'{op.name}' has no clock")


def memory_type(op: Op) -> T.Type:
    """Storage of a memory: an array of words in declaration order."""
    t = op.results[0].type
    if isinstance(t, T.FirMemType):
        return T.ArrayType(t.depth, T.IntType(t.width))
    if isinstance(t, T.HLMemType):
        n = 1
        for s in t.shape:
            n *= s
        return T.ArrayType(n, t.elem)
    raise Unsupported(op, f"expected a memory type, got {t}")


def unknown_leaves(lw: Lowerer, t: T.Type) -> list[Val]:
    """All bits X where the type is four-state, else zero."""
    if isinstance(t, T.StructType):
        if [n for n, _ in t.fields] == ["value", "unknown"]:
            (ty,) = layout(t.fields[1][1]).leaves
            return [lw.zero(ty), lw.const(ty, ty.mask)]
        return [leaf for _, f in t.fields for leaf in unknown_leaves(lw, f)]
    if isinstance(t, T.ArrayType):
        from wasmjit.sem.lower.hw import array_of

        return [array_of(lw, t, [unknown_leaves(lw, t.elem) for _ in range(t.size)])]
    return [lw.zero(ty) for ty in layout(t).leaves]


def power_up(lw: Lowerer, op: Op, r: Value) -> Leaves | None:
    """Initial value of a register's result."""
    if op.name == "seq.firreg":
        preset = op.attrs.get("preset")
        if isinstance(preset, int):
            lay = layout(r.type)
            bits = lw.const(I(lay.bits), preset & ((1 << lay.bits) - 1))
            return tuple(from_bits(lw, bits, lay))
        return tuple(unknown_leaves(lw, r.type))
    if op.name == "seq.fifo":
        from wasmjit.sem.lower.seq_memory import fifo_power_up

        return fifo_power_up(lw, op, r)
    initial = op.group("initialValue") if op.name.startswith("seq.compreg") else []
    if initial:
        return lw.get(initial[0])
    if op.name in ("seq.compreg", "seq.compreg.ce", "seq.shiftreg"):
        value = op.attrs.get("powerOnValue")
        del value
        power = op.group("powerOnValue") if op.name == "seq.shiftreg" else []
        return lw.get(power[0]) if power else tuple(unknown_leaves(lw, r.type))
    return None


def lower_group(lw: Lowerer, d: Any, g: Any) -> None:
    """Body of a register group: find the edge, then sample every input and commit what differs."""
    lw.extra["cell"] = d.cell
    clk = lw.one(g.clock)
    ctx = lw.x("ctx", I32)
    prev = d.cell(2)
    state = I(2)
    # The cell holds the last level plus one; 0 means that the clock has not been seen yet, and the first look is no edge.
    last = lw.x("ldt", state, ctx, attr=prev)
    level = lw.x("extract", BOOL, lw.x("sub", state, last, lw.const(state, 1)), attr=0)
    seen = lw.x("icmp", BOOL, last, lw.const(state, 0), attr="ne")
    lw.do("stt", ctx, lw.x("add", state, lw.x("zext", state, clk), lw.const(state, 1)), attr=prev)
    code = {"posedge": 1, "negedge": 2}.get(g.edge, 3)
    # Behind an edge filter every evaluation but the first is a rising edge, and falling ones are not seen at all.
    edge = lw.x("and", BOOL, seen, clk if g.filtered else edge_happened(lw, code, (level,), (clk,)))
    act, done = lw.new_block(), lw.new_block()
    if g.reset is not None:
        rst = lw.one(g.reset)
        resetting, normal = lw.new_block(), lw.new_block()
        lw.b.terminate(mir.CondBr(rst, resetting, (), normal, ()))
        lw.b.set_block(resetting)
        snapshot = dict(lw.values)
        changed: Val | None = None
        for op in g.ops:
            lw.op = op
            changed = commit(lw, d, op.results[0], lw.get(op.group("resetValue")[0]), changed)
        finish_commit(lw, g, changed)
        lw.values = snapshot
        lw.goto(done)
        lw.b.set_block(normal)
    lw.b.terminate(mir.CondBr(edge, act, (), done, ()))
    lw.b.set_block(act)
    snapshot = dict(lw.values)
    lw.extra["changed"] = None
    for op in g.ops:
        lw.op = op
        handler = CLOCKED.get(op.name)
        if handler is None:
            raise Unsupported(op, f"operation '{op.name}' is not supported")
        handler(lw, d, op)
    finish_commit(lw, g, lw.extra["changed"])
    lw.values = snapshot
    lw.goto(done)
    lw.b.set_block(done)


def finish_commit(lw: Lowerer, g: Any, changed: Val | None) -> None:
    """If a sampled value differs from its register, the group's commit region runs one delta later."""
    if changed is None or changed.const == 0:
        return
    act, done = lw.new_block(), lw.new_block()
    lw.b.terminate(mir.CondBr(changed, act, (), done, ()))
    lw.b.set_block(act)
    lw.do("rt", lw.x("ldt", I32, lw.x("ctx", I32), attr=g.commit_cell), attr="k_commit")
    lw.goto(done)
    lw.b.set_block(done)


def commit(lw: Lowerer, d: Any, r: Value, leaves: Leaves, changed: Val | None = None) -> Val | None:
    """Take the next value of a register: into its shadow cell (returned: whether anything so far differs), or scheduled as a drive of its own."""
    home = d.home[r]
    assert isinstance(home, Own)
    lay = layout(r.type)
    ctx = lw.x("ctx", I32)
    shadow = d.shadows.get(r)
    differs: Val | None = None
    for leaf, off in zip(leaves, lay.offs, strict=True):
        old = lw.x("ldt", leaf.ty, ctx, attr=home.off + off)
        ne = lw.x("icmp", BOOL, old, leaf, attr="ne") if leaf.ty.kind != "f" else lw.x("fcmp", BOOL, old, leaf, attr="une")
        differs = ne if differs is None else lw.x("or", BOOL, differs, ne)
    if differs is None:
        return changed
    if shadow is not None:
        for leaf, off in zip(leaves, lay.offs, strict=True):
            lw.do("stt", ctx, leaf, attr=shadow + off)
        return differs if changed is None else lw.x("or", BOOL, changed, differs)
    if differs.const == 0:
        return changed
    act, done = lw.new_block(), lw.new_block()
    lw.b.terminate(mir.CondBr(differs, act, (), done, ()))
    lw.b.set_block(act)
    addr = lw.x("add", I32, lw.x("ctx", I32), lw.i32(home.off))
    lw.do("drv", net_id(lw, Ref(home)), addr, *leaves, attr=Drive(lay.offs, lay.size, COMMIT, len(leaves)))
    lw.goto(done)
    lw.b.set_block(done)
    return changed


def select(lw: Lowerer, c: Val, a: Leaves, b: Leaves) -> Leaves:
    return tuple(lw.x("mux", x.ty, c, x, y) for x, y in zip(a, b, strict=True))


def current(lw: Lowerer, d: Any, r: Value) -> Leaves:
    home = d.home[r]
    lay = layout(r.type)
    ctx = lw.x("ctx", I32)
    return tuple(lw.x("ldt", ty, ctx, attr=home.off + o) for ty, o in zip(lay.leaves, lay.offs, strict=True))


def _firreg(lw: Lowerer, d: Any, op: Op) -> None:
    value = lw.get(op.group("next")[0])
    reset = op.group("reset")
    if reset and not op.attrs.get("isAsync"):
        value = select(lw, lw.one(reset[0]), lw.get(op.group("resetValue")[0]), value)
    sampled(lw, d, op.results[0], value)


def sampled(lw: Lowerer, d: Any, r: Value, value: Leaves) -> None:
    lw.extra["changed"] = commit(lw, d, r, value, lw.extra["changed"])


def _compreg(lw: Lowerer, d: Any, op: Op) -> None:
    source = op.group("input")[0]
    value = sampled_input(lw, d.plan, source) if op in d.plan.sampled_inputs else lw.get(source)
    if op.name.endswith(".ce"):
        value = select(lw, lw.one(op.group("clockEnable")[0]), value, current(lw, d, op.results[0]))
    reset = op.group("reset")
    if reset:
        value = select(lw, lw.one(reset[0]), lw.get(op.group("resetValue")[0]), value)
    sampled(lw, d, op.results[0], value)


def _shiftreg(lw: Lowerer, d: Any, op: Op) -> None:
    """Stages between input and output live in hidden cells; each edge moves all by one if enabled."""
    n = int(op.attrs["numElements"])
    lay = layout(op.results[0].type)
    stages = [d.storage(lay) for _ in range(n - 1)]
    reset = op.group("reset")
    initial = lw.get(op.group("powerOnValue")[0]) if op.group("powerOnValue") else None
    if initial is not None and all(v.const is not None for v in initial):
        from wasmjit.sem.lower.llvm_values import leaf_bytes

        img = bytearray(lay.size)
        for leaf, off in zip(initial, lay.offs, strict=True):
            img[off : off + leaf.ty.nbytes] = leaf_bytes(leaf.ty, leaf.const)
        for s in stages:
            d.init_images[s] = bytes(img)
    enable = lw.one(op.group("clockEnable")[0])
    ctx = lw.x("ctx", I32)
    moved: list[Leaves] = [lw.get(op.group("input")[0])]
    moved += [tuple(lw.x("ldt", ty, ctx, attr=s + o) for ty, o in zip(lay.leaves, lay.offs, strict=True)) for s in stages]
    out = select(lw, enable, moved[-1], current(lw, d, op.results[0]))
    if reset:
        out = select(lw, lw.one(reset[0]), lw.get(op.group("resetValue")[0]), out)
    sampled(lw, d, op.results[0], out)
    ctx = lw.x("ctx", I32)
    for i, s in enumerate(stages):
        old = moved[i + 1]
        new = select(lw, enable, moved[i], old)
        if reset:
            new = select(lw, lw.one(reset[0]), lw.get(op.group("resetValue")[0]), new)
        for leaf, o in zip(new, lay.offs, strict=True):
            lw.do("stt", ctx, leaf, attr=s + o)


def guarded(lw: Lowerer, cond: Val, emit: Any) -> None:
    act, done = lw.new_block(), lw.new_block()
    lw.b.terminate(mir.CondBr(cond, act, (), done, ()))
    lw.b.set_block(act)
    emit()
    lw.goto(done)
    lw.b.set_block(done)


def _clocked_print(lw: Lowerer, d: Any, op: Op) -> None:
    def emit() -> None:
        from wasmjit.sem.lower.sim import put

        put(lw, op)

    cond = op.group("condition")
    guarded(lw, lw.one(cond[0]) if cond else lw.const(BOOL, 1), emit)


def _clocked_end(lw: Lowerer, d: Any, op: Op) -> None:
    cond = op.group("condition")

    def emit() -> None:
        if op.name == "sim.clocked_pause":
            lw.do("svc", attr=lw.program.service("sim.pause", bool(op.attrs.get("verbose"))))
        else:
            lw.do("svc", attr=lw.program.service("sim.terminate", (bool(op.attrs.get("success")), bool(op.attrs.get("verbose")))))

    guarded(lw, lw.one(cond[0]) if cond else lw.const(BOOL, 1), emit)


def _finish(lw: Lowerer, d: Any, op: Op) -> None:
    """Before `sim.clocked_terminate`: $finish, $fatal, $exit."""
    what = (op.name != "sim.fatal", op.name != "sim.exit")
    guarded(lw, lw.one(op.group("cond")[0]), lambda: lw.do("svc", attr=lw.program.service("sim.terminate", what)))


def _triggered(lw: Lowerer, d: Any, op: Op) -> None:
    cond = op.group("condition") if op.name == "sim.triggered" else []

    def emit() -> None:
        inputs = [lw.get(v) for v in op.group("inputs")] if op.name == "hw.triggered" else []
        block = op.regions[0].blocks[0]
        for a, leaves in zip(block.args, inputs, strict=False):
            lw.set(a, leaves)
        for o in block.ops:
            lw.run_op(o)

    guarded(lw, lw.one(cond[0]) if cond else lw.const(BOOL, 1), emit)


CLOCKED: dict[str, Any] = {
    "seq.firreg": _firreg,
    "seq.compreg": _compreg,
    "seq.compreg.ce": _compreg,
    "seq.shiftreg": _shiftreg,
    "sim.print": _clocked_print,
    "sim.clocked_print": _clocked_print,
    "sim.clocked_terminate": _clocked_end,
    "sim.clocked_pause": _clocked_end,
    "sim.finish": _finish,
    "sim.fatal": _finish,
    "sim.exit": _finish,
    "sim.triggered": _triggered,
    "hw.triggered": _triggered,
}
"""What an operation does at its clock edge: (lowerer, definition, op)."""


@lowers("seq.initial", "seq.yield")
def _initial(lw: Lowerer, op: Op) -> None:
    """Runs once before the first event; its results are the initial values of registers."""
    if op.name == "seq.yield":
        done = lw.extra.get("seq.yield")
        if done is None:
            if lw.kind != "process":
                raise Unsupported(op, "seq.yield outside of seq.initial")
            lw.b.terminate(mir.Halt())
            return
        lw.b.terminate(mir.Br(done, lw.args(op.operands)))
        return
    from wasmjit.sem.lower.control import inline_region, result_block

    done = result_block(lw, op)
    entry = [lw.get(v) for v in op.operands]
    inline_region(lw, op.regions[0], entry, "seq.yield", done)
    lw.b.set_block(done)


@lowers("hw.output", "sim.yield")
def _terminator(lw: Lowerer, op: Op) -> None:
    """The end of a body without results."""


__all__ = ["CLOCKED", "COMMIT", "LOWER", "clocking", "drive", "lower_group", "memory_type", "power_up"]
