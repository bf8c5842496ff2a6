"""Sampling and assertions as MIR (see `wasmjit.sem.sva.plan`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.lower.core import Leaves, Lowerer
from wasmjit.sem.lower.llhd import now
from wasmjit.sem.lower.moore import edge_happened
from wasmjit.sem.lower.refs import Ref, net_id
from wasmjit.sem.mir import BOOL, I32, I64, Drive, I, Val
from wasmjit.sem.sva.plan import OBSERVED, Check, Group, Plan, Sample
from wasmjit.sem.sva.translate import Leaf

BYTE = I(8)
STATE = I(2)
KILL, NO_START = 1, 2
STEP_DONE, STEP_MISS, STEP_FAILED = 0, 1, 2


def ctx(lw: Lowerer) -> Val:
    return lw.x("ctx", I32)


def load(lw: Lowerer, off: int, ty: mir.Ty) -> Val:
    return lw.x("ldt", ty, ctx(lw), attr=off)


def store(lw: Lowerer, off: int, v: Val) -> None:
    lw.do("stt", ctx(lw), v, attr=off)


def both(lw: Lowerer, *vs: Val) -> Val:
    out = vs[0]
    for v in vs[1:]:
        out = lw.x("and", BOOL, out, v)
    return out


def either(lw: Lowerer, *vs: Val) -> Val:
    out = vs[0]
    for v in vs[1:]:
        out = lw.x("or", BOOL, out, v)
    return out


def inverse(lw: Lowerer, v: Val) -> Val:
    return lw.x("xor", BOOL, v, lw.const(BOOL, 1))


def same(lw: Lowerer, a: Val, b: Val) -> Val:
    return lw.x("icmp", BOOL, a, b, attr="eq") if a.ty.kind != "f" else lw.x("fcmp", BOOL, a, b, attr="oeq")


def when(lw: Lowerer, cond: Val, emit: Any) -> None:
    """Emit operations that are executed if `cond`."""
    act, done = lw.new_block(), lw.new_block()
    lw.b.terminate(mir.CondBr(cond, act, (), done, ()))
    lw.b.set_block(act)
    emit()
    lw.goto(done)
    lw.b.set_block(done)


# -- samples ---------------------------------------------------------------------------------------------------------------------------------


def lower_sample(lw: Lowerer, s: Sample) -> None:
    """Continuous logic: keep the value, and save the old one with the first change of a time step."""
    new = lw.get(s.value)
    offs = s.lay.offs
    first, later, done = lw.new_block(), lw.new_block(), lw.new_block()
    lw.b.terminate(mir.CondBr(lw.x("icmp", BOOL, load(lw, s.seen, BYTE), lw.const(BYTE, 0), attr="eq"), first, (), later, ()))
    lw.b.set_block(first)
    store(lw, s.seen, lw.const(BYTE, 1))
    for leaf, o in zip(new, offs, strict=True):
        store(lw, s.saved + o, leaf)
    follow(lw, s, new)
    lw.goto(done)
    lw.b.set_block(later)
    old = tuple(load(lw, s.now + o, ty) for ty, o in zip(s.lay.leaves, offs, strict=True))
    changed: Val | None = None
    for a, b in zip(old, new, strict=True):
        ne = inverse(lw, same(lw, a, b))
        changed = ne if changed is None else lw.x("or", BOOL, changed, ne)
    if changed is not None:

        def change() -> None:
            def save() -> None:
                for leaf, o in zip(old, offs, strict=True):
                    store(lw, s.saved + o, leaf)
                store(lw, s.stamp, now(lw))
                if s.settled >= 0:
                    stale = lw.x("icmp", BOOL, load(lw, s.ticked, I64), now(lw), attr="ne")
                    store(lw, s.settled, either(lw, load(lw, s.settled, BOOL), both(lw, stale, old[0])))

            when(lw, lw.x("icmp", BOOL, load(lw, s.stamp, I64), now(lw), attr="ne"), save)
            follow(lw, s, new)

        when(lw, changed, change)
    lw.goto(done)
    lw.b.set_block(done)


def follow(lw: Lowerer, s: Sample, new: Leaves) -> None:
    """The value is `new` from now on."""
    for leaf, o in zip(new, s.lay.offs, strict=True):
        store(lw, s.now + o, leaf)
    if s.lowered >= 0:
        store(lw, s.lowered, either(lw, load(lw, s.lowered, BOOL), inverse(lw, new[0])))
        store(lw, s.lowered + 1, either(lw, load(lw, s.lowered + 1, BOOL), new[0]))
    for g in s.notify:
        announce(lw, g, 1)


def sampled(lw: Lowerer, s: Sample) -> Leaves:
    """The value before the present time step."""
    fresh = lw.x("icmp", BOOL, load(lw, s.stamp, I64), now(lw), attr="eq")
    return tuple(
        lw.x("mux", ty, fresh, load(lw, s.saved + o, ty), load(lw, s.now + o, ty)) for ty, o in zip(s.lay.leaves, s.lay.offs, strict=True)
    )


def present(lw: Lowerer, s: Sample) -> Val:
    return load(lw, s.now, BOOL)


def at_tick(lw: Lowerer, plan: Plan, v: Value, endpoint: Callable[[Value], Val] | None = None) -> Leaves:
    """Leaves of `v` computed from sampled values; `endpoint` gives what `ltl.triggered` and `ltl.matched` say."""
    got = lw.values.get(v)
    if got is not None:
        return got
    s = plan.samples.get(v)
    op = v.owner
    if s is not None:
        lw.set(v, sampled(lw, s))
    elif isinstance(op, Op) and op.name in ("ltl.triggered", "ltl.matched") and endpoint is not None:
        lw.set(v, endpoint(v))
    elif isinstance(op, Op) and not plan.constant(v):
        for o in op.operands:
            if not isinstance(o.type, T.RefType):
                at_tick(lw, plan, o, endpoint)
    return lw.get(v)


def sampled_input(lw: Lowerer, plan: Plan, v: Value) -> Leaves:
    """The sampled value of a register's input; other uses of the same values in this body keep their present values."""
    saved = lw.values
    lw.values = {}
    out = at_tick(lw, plan, v)
    lw.values = saved
    return out


# -- ticks -----------------------------------------------------------------------------------------------------------------------------------


def announce(lw: Lowerer, g: Group, bit: int) -> None:
    """Have the group's assertions evaluated in the Observed region of this time step."""
    old = load(lw, g.pending, BYTE)
    store(lw, g.pending, lw.x("or", BYTE, old, lw.const(BYTE, bit)))

    def schedule() -> None:
        value = lw.x("add", BYTE, load(lw, g.tick.off, BYTE), lw.const(BYTE, 1))
        addr = lw.x("add", I32, ctx(lw), lw.i32(g.tick.off))
        lw.do("drv", net_id(lw, Ref(g.tick)), addr, value, attr=Drive((0,), 1, OBSERVED, 1))

    when(lw, lw.x("icmp", BOOL, old, lw.const(BYTE, 0), attr="eq"), schedule)


def lower_clocks(lw: Lowerer, d: Any, g: Group) -> None:
    """Look for edges of the group's clocks."""
    for i, clock in enumerate(g.clocks):
        clk = lw.one(clock.value)
        cell = d.cell(1)
        last = load(lw, cell, STATE)
        level = lw.x("extract", BOOL, lw.x("sub", STATE, last, lw.const(STATE, 1)), attr=0)
        seen = lw.x("icmp", BOOL, last, lw.const(STATE, 0), attr="ne")
        store(lw, cell, lw.x("add", STATE, lw.x("zext", STATE, clk), lw.const(STATE, 1)))
        code = {"posedge": 1, "negedge": 2}.get(clock.edge, 3)
        edge = both(lw, seen, edge_happened(lw, code, (level,), (clk,)))
        when(lw, edge, lambda i=i: announce(lw, g, 1 << i))


# -- evaluation ------------------------------------------------------------------------------------------------------------------------------


class Evaluation:
    """The body of a group in the Observed region: letters, steps of monitors and detectors, reports."""

    def __init__(self, lw: Lowerer, d: Any, g: Group) -> None:
        self.lw = lw
        self.d = d
        self.plan: Plan = d.plan
        self.g = g
        self.bits: dict[tuple[Any, ...], Val] = {}
        self.after: list[Any] = []
        self.used: dict[Sample, None] = {}

    def run(self) -> None:
        lw = self.lw
        ticks = load(lw, self.g.pending, BYTE)
        act, idle = lw.new_block(), lw.new_block()
        # Every region is evaluated once at the start.
        lw.b.terminate(mir.CondBr(lw.x("icmp", BOOL, ticks, lw.const(BYTE, 0), attr="ne"), act, (), idle, ()))
        lw.b.set_block(idle)
        lw.b.terminate(mir.Ret(()))
        lw.b.set_block(act)
        self.ticks = {(c.key, c.edge): lw.x("extract", BOOL, ticks, attr=i) for i, c in enumerate(self.g.clocks)}
        store(lw, self.g.pending, lw.const(BYTE, 0))
        for c in self.g.checks:
            lw.op = c.op
            if c.prop is None:
                self.condition(c)
            else:
                self.step(c)
        for emit in self.after:
            emit()
        for s in self.used:
            if s.settled >= 0:
                store(lw, s.settled, lw.const(BOOL, 0))
                store(lw, s.ticked, now(lw))
            if s.lowered >= 0:
                store(lw, s.lowered, inverse(lw, present(lw, s)))
                store(lw, s.lowered + 1, present(lw, s))

    def condition(self, c: Check) -> None:
        """An assertion without a clock: its settled value."""
        lw = self.lw
        value = present(lw, self.plan.samples[c.op.operands[0]])
        hit = value if c.kind == "cover" else inverse(lw, value)
        if c.enable is not None:
            known = self.plan.samples.get(c.enable)
            hit = both(lw, hit, present(lw, known) if known is not None else lw.one(c.enable))
        when(lw, hit, lambda: lw.do("svc", attr=lw.program.service("verif.report", (c.kind, *describe(c.op), "settled"))))

    def step(self, c: Check) -> None:
        lw, prop = self.lw, c.prop
        assert prop is not None
        letter = self.letter(c, prop.leaves)
        flags = self.flags(c)
        addr = lw.x("add", I32, ctx(lw), lw.i32(c.monitor))
        again, miss, stepped, failed, done = (lw.new_block() for _ in range(5))
        lw.goto(again)
        lw.b.set_block(again)
        result = lw.x("rt", I32, addr, letter, flags, attr="k_monitor_step")
        lw.b.terminate(mir.Switch(result, [(STEP_MISS, miss, ()), (STEP_FAILED, failed, ())], stepped, ()))
        lw.b.set_block(miss)
        lw.do("svc", addr, attr=lw.program.service("sva.expand", prop.automaton))
        lw.goto(again)
        lw.b.set_block(failed)
        if c.kind != "cover":
            lw.do("svc", addr, attr=lw.program.service("sva.failed", (c.kind, *describe(c.op))))
        lw.goto(stepped)
        lw.b.set_block(stepped)
        lw.goto(done)
        lw.b.set_block(done)

    def flags(self, c: Check) -> Val:
        """KILL: attempts under way are disabled; NO_START: none begins (disable iff uses present values, §16.12.1)."""
        lw = self.lw
        kill = stop = lw.const(BOOL, 0)
        if c.enable is not None:
            if self.plan.constant(c.enable):
                kill = stop = inverse(lw, lw.one(c.enable))
            else:
                s = self.use(c.enable)
                stop = inverse(lw, present(lw, s))
                kill = either(lw, load(lw, s.lowered, BOOL), stop)
        assert c.prop is not None
        if c.prop.disable is not None:
            s = self.use(c.prop.disable)
            on = present(lw, s)
            stop = either(lw, stop, on)
            kill = either(lw, kill, load(lw, s.lowered + 1, BOOL), on)
        if len(c.prop.clocks) > 1:
            base = c.prop.clocks[0]
            stop = either(lw, stop, inverse(lw, self.ticks[(base.key, base.edge)]))
        return lw.x("concat", I32, lw.const(I(30), 0), stop, kill)

    def use(self, v: Value) -> Sample:
        s = self.plan.samples[v]
        self.used[s] = None
        return s

    def letter(self, c: Check, leaves: list[Leaf]) -> Val:
        lw = self.lw
        bits = [self.bit(c, leaf) for leaf in leaves]
        if not bits:
            return lw.i64(0)
        word = bits[0] if len(bits) == 1 else lw.x("concat", I(len(bits)), *bits[::-1])
        return lw.resize(word, I64)

    def bit(self, c: Check, leaf: Leaf) -> Val:
        clock = (leaf.clock.key, leaf.clock.edge) if leaf.clock is not None else None
        key = (leaf.kind, leaf.key, clock)
        got = self.bits.get(key)
        if got is None:
            got = self.bits[key] = self.compute(c, leaf)
        return got

    def compute(self, c: Check, leaf: Leaf) -> Val:
        lw = self.lw
        match leaf.kind:
            case "tick":
                assert leaf.clock is not None
                return self.ticks[(leaf.clock.key, leaf.clock.edge)]
            case "triggered" | "matched":
                return self.detect(c, leaf)
            case "past":
                return self.past(c, leaf)
        assert leaf.value is not None
        if leaf.kind == "sampled":
            return at_tick(lw, self.plan, leaf.value, lambda v: self.bit(c, c.inner[v]))[0]
        s = self.use(leaf.value)
        if leaf.kind == "abort":
            return either(lw, load(lw, s.settled, BOOL), sampled(lw, s)[0])
        return either(lw, load(lw, s.lowered + 1, BOOL), present(lw, s))

    def past(self, c: Check, leaf: Leaf) -> Val:
        """A shift register of samples; before the first tick they are false."""
        lw = self.lw
        assert leaf.value is not None and leaf.clock is not None
        ty = I(leaf.count)
        off = self.d.cell(ty.nbytes)
        new = self.bit(c, Leaf("sampled", leaf.key[0], leaf.value))
        old = load(lw, off, ty)
        moved = lw.x("concat", ty, lw.x("extract", I(leaf.count - 1), old, attr=0), new) if leaf.count > 1 else new
        tick = self.ticks[(leaf.clock.key, leaf.clock.edge)]
        self.after.append(lambda: store(lw, off, lw.x("mux", ty, tick, moved, old)))
        return lw.x("extract", BOOL, old, attr=leaf.count - 1)

    def detect(self, c: Check, leaf: Leaf) -> Val:
        from wasmjit.sem.sva.plan import DETECTOR_BYTES

        lw, det = self.lw, leaf.detector
        assert det is not None and leaf.clock is not None
        letter = self.letter(c, det.leaves)
        off = self.d.cell(DETECTOR_BYTES)
        addr = lw.x("add", I32, ctx(lw), lw.i32(off))
        again, miss, done = lw.new_block(), lw.new_block(), lw.new_block()
        lw.goto(again)
        lw.b.set_block(again)
        result = lw.x("rt", I32, addr, letter, attr="k_monitor_endpoint")
        lw.b.terminate(mir.CondBr(lw.x("icmp", BOOL, result, lw.i32(2), attr="eq"), miss, (), done, ()))
        lw.b.set_block(miss)
        lw.do("svc", addr, attr=lw.program.service("sva.expand", det.automaton))
        lw.goto(again)
        lw.b.set_block(done)
        hit = lw.x("extract", BOOL, result, attr=0)
        if leaf.kind == "triggered":
            return hit
        # matched: an end is visible from the next tick of the destination clock on, until that tick (§16.13.6).
        flag = self.d.cell(1)
        held = load(lw, flag, BOOL)
        tick = self.ticks[(leaf.clock.key, leaf.clock.edge)]
        self.after.append(lambda: store(lw, flag, either(lw, hit, both(lw, held, inverse(lw, tick)))))
        return both(lw, held, tick)


def describe(op: Op) -> tuple[str, str]:
    """(label, location) of an assertion."""
    return str(op.attrs.get("label") or op.attrs.get("message") or ""), str(op.source_loc or op.loc)
