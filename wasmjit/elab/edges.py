"""Waits for an edge: processes that a change to the wrong level would wake for nothing.

`always @(posedge clk)` comes as a process that waits for any change of the truth value of the clock, remembers the value from before, and goes back to the wait
when there was no edge. Such a wait is found by running the code behind it for every state of the clock at which the truth value is 0 (or 1): if it comes
back to the same wait without any effect, and what it would remember is a constant or unchanged, the kernel need not wake the process for those changes. What is
remembered is that constant whenever the process wakes, because the last change was one of those, or it would not wake.

Where a single state of the clock makes the truth value 1 (or 0), any change to that state is a change of the truth value: the process then waits for the clock itself.
That wakes it without going through the logic that computes the truth value; changes to other states that get through the filter bring it back to the wait, as above.
"""

from __future__ import annotations

from wasmjit.elab.definition import Definition
from wasmjit.elab.registers import FixedScope
from wasmjit.elab.scope import ModuleScope
from wasmjit.ir import Op as IROp
from wasmjit.ir import Value
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.analysis import dominators, reverse_postorder
from wasmjit.sem.builder import BodyBuilder
from wasmjit.sem.copier import copy_block
from wasmjit.sem.fold import EFFECT_FREE, FOLD
from wasmjit.sem.layout import layout
from wasmjit.sem.lower.core import Lowerer, Program, Unsupported
from wasmjit.sem.lower.refs import NetRef, Own, Slot
from wasmjit.sem.mir import Block, Body, Op, Val, Wait

HIGH, LOW = 1, 2
"""As `sched.descriptors.FILTER_*`: the level of bit 0 of the net that wakes the process."""
STATES = ((0, 0), (1, 0), (0, 1), (1, 1))
MAX_STEPS = 40

Known = int | float | bytes | Val | None
"""A constant, a value as it was when the process suspended (the Val), or None."""


def edge_waits(d: Definition, program: Program, body: Body) -> Body:
    """The body with its edge waits marked (`Body.sens_edges`); the same object if it has none."""
    waits = [b.term for b in body.blocks if isinstance(b.term, Wait)]
    found: dict[int, tuple[int, dict[int, Known]]] = {}
    sources: dict[int, tuple[NetRef, int]] = {}
    for w in waits:
        if w.sens is None or w.dyn or w.time is not None or len(body.sens_sets[w.sens]) != 1:
            continue
        if sum(1 for x in waits if x.sens == w.sens) != 1:
            continue
        clock = Clock.of(d, program, body.sens_sets[w.sens][0])
        if clock is None:
            continue
        for level in (HIGH, LOW):
            kept = returns(body, w, clock, 0 if level == HIGH else 1)
            if kept is not None:
                found[w.sens] = (level, kept)
                source = clock.waited_for(d, level)
                if source is not None:
                    sources[w.sens] = source
                break
    if not found:
        return body
    out = rebuilt(body, found)
    for s, (net, level) in sources.items():
        out.sens_sets[s] = (net,)
        out.sens_edges[s] = level
    return out


class Clock:
    """A net of one bit that follows from one net: its value for each state of that net, and where both are loaded from."""

    def __init__(self, source: NetRef, value_of: dict[tuple[int, int], int], places: dict[tuple[int, int], int], own: int) -> None:
        self.source = source
        self.value_of = value_of
        self.places = places
        """(slot offset or -1, byte offset) → 0 for the value bit of the source, 1 for its unknown bit."""
        self.own = own

    @staticmethod
    def of(d: Definition, program: Program, net: NetRef) -> Clock | None:
        if not isinstance(net, Own) or layout(d.nets[net.k].type).leaves != (mir.BOOL,) or d.nets[net.k].kind not in ("wire", "signal"):
            return None
        sink = next((s for s in d.sinks if s.kind == "wire" and s.home == net), None)
        if sink is None or sink.value is None or not isinstance(sink.value.owner, IROp):
            return None
        source = sole_source(d, sink.value, net)
        if source is None:
            return None
        ref, leaves, offs = source
        value_of = {}
        for state in STATES if leaves == 2 else STATES[:2]:
            scope = FixedScope(d, *state)
            scope.compute = {sink.value}
            lw = Lowerer("probe", "region", program, scope)
            lw.b.set_block(lw.new_block())
            try:
                v = lw.one(sink.value)
            except Unsupported:
                return None
            if v.const is None:
                return None
            value_of[state] = int(v.const)
        base = ref.off if isinstance(ref, Own) else 0
        slot = -1 if isinstance(ref, Own) else ref.off
        return Clock(ref, value_of, {(slot, base + o): i for i, o in enumerate(offs)}, net.off)


    def waited_for(self, d: Definition, level: int) -> tuple[NetRef, int] | None:
        """(net, level of its bit 0) whose changes are those of the truth value to `level`, and at most some to the other one; None if there is no such net."""
        states = [state for state, value in self.value_of.items() if value == (level == HIGH)]
        if len(states) != 1 or (isinstance(self.source, Slot) and not carries_value(d, self.source)):
            return None
        return self.source, HIGH if states[0][0] else LOW


def carries_value(d: Definition, slot: Slot) -> bool:
    """Whether a port slot is that of a value: the net behind it is what the port shows, from its first bit on. A reference may be to a part of a net."""
    ports = {name: t for direction, name, t in d.ports if direction != "out"}
    return not any(off == slot.off and isinstance(ports.get(name), T.RefType) for name, off in d.inputs.items())


def sole_source(d: Definition, value: Value, own: NetRef) -> tuple[NetRef, int, tuple[int, ...]] | None:
    """The one net of one bit (two-state or four-state) that a value is computed from: (net, number of leaves, their byte offsets)."""
    scope = ModuleScope(d)
    op = value.owner
    assert isinstance(op, IROp)
    if op.regions:
        return None
    operands = [op.operands[0]] if op.name == "llhd.prb" else list(op.operands)
    nets = {n for o in operands for n in scope.sources(o)}
    if len(nets) != 1:
        return None
    (net,) = nets
    if net == own:
        return None
    t = d.nets[net.k].type if isinstance(net, Own) else dict(d.slots).get(net.off)
    if t is None:
        return None
    lay = layout(t)
    if not 1 <= len(lay.leaves) <= 2 or any(ty != mir.BOOL for ty in lay.leaves):
        return None
    assert isinstance(net, (Own, Slot))
    return net, len(lay.leaves), tuple(lay.offs)


def returns(body: Body, wait: Wait, clock: Clock, level: int) -> dict[int, Known] | None:
    """What the values that live across the wait become if the process wakes while the net is `level`; None unless it goes back to the wait without an effect."""
    kept: dict[int, Known] | None = None
    for state, value in clock.value_of.items():
        if value != level:
            continue
        after = run(body, wait, clock, state, value)
        if after is None or (kept is not None and after != kept):
            return None
        kept = after
    return kept


def run(body: Body, wait: Wait, clock: Clock, state: tuple[int, int], value: int) -> dict[int, Known] | None:
    """Follow the code behind a wait for one state of the clock."""
    live = {v.id for v in body.live_in[wait.token]}
    env: dict[int, Known] = {v.id: v for v in body.live_in[wait.token]}
    kinds: dict[int, int] = {}
    """Results that are the context (-2) or what a port slot points to (the slot's offset)."""
    block = wait.resume
    for _ in range(MAX_STEPS):
        for op in block.ops:
            if op.code not in EFFECT_FREE:
                return None
            step(op, env, kinds, clock, state, value)
        t = block.term
        if t is wait:
            out = {i: env.get(i) for i in live}
            # Only a constant, or the value as it was.
            return out if all(k is not None and (not isinstance(k, Val) or k.id == i) for i, k in out.items()) else None
        if isinstance(t, mir.Br):
            block = enter(t.target, t.args, env)
        elif isinstance(t, mir.CondBr):
            cond = known(t.cond, env)
            if cond is None or isinstance(cond, Val):
                return None
            block = enter(t.ttarget, t.targs, env) if cond else enter(t.ftarget, t.fargs, env)
        else:
            return None
    return None


def known(v: Val, env: dict[int, Known]) -> Known:
    return v.const if v.const is not None else env.get(v.id)


def enter(target: Block, args: tuple[Val, ...], env: dict[int, Known]) -> Block:
    values = [known(a, env) for a in args]
    for p, x in zip(target.params, values, strict=True):
        env[p.id] = x
    return target


def step(op: Op, env: dict[int, Known], kinds: dict[int, int], clock: Clock, state: tuple[int, int], value: int) -> None:
    """Values of the results of an operation without effects."""
    (d,) = op.dsts
    env[d.id] = None
    if op.code == "ctx":
        kinds[d.id] = -2
        return
    if op.code == "ldt":
        base = kinds.get(op.args[0].id) if op.args[0].const is None else None
        if base == -2:
            if op.attr == clock.own and d.ty == mir.BOOL:
                env[d.id] = value
            elif (-1, op.attr) in clock.places:
                env[d.id] = state[clock.places[-1, op.attr]]
            else:
                kinds[d.id] = op.attr
        elif base is not None and (base, op.attr) in clock.places:
            env[d.id] = state[clock.places[base, op.attr]]
        return
    values = [known(a, env) for a in op.args]
    if op.code in ("and", "mul") and any(v == 0 and not isinstance(v, Val) and v is not None for v in values):
        env[d.id] = 0
    elif op.code == "or" and any(not isinstance(v, Val) and v == d.ty.mask for v in values):
        env[d.id] = d.ty.mask
    elif op.code == "mux" and values[0] is not None and not isinstance(values[0], Val):
        env[d.id] = values[1] if values[0] else values[2]
    elif op.code in FOLD and all(v is not None and not isinstance(v, Val) for v in values):
        env[d.id] = FOLD[op.code]((d.ty,), [a.ty for a in op.args], values, op.attr)[0]


def rebuilt(body: Body, found: dict[int, tuple[int, dict[int, Known]]]) -> Body:
    """The body with constants for what is remembered, behind each edge wait."""
    idom = dominators(body)
    replaced: dict[int, dict[int, Known]] = {}
    for b in body.blocks:
        if isinstance(b.term, Wait) and b.term.sens in found:
            head = b.term.resume.id
            constants = {i: k for i, k in found[b.term.sens][1].items() if not isinstance(k, Val)}
            for x in body.blocks:
                at = x.id
                while at in idom and at != head and idom[at] != at:
                    at = idom[at]
                if at == head:
                    replaced.setdefault(x.id, {}).update(constants)
    builder = BodyBuilder(body.key, body.kind, body.results, body.name, body.loc)
    order = reverse_postorder(body.blocks[0])
    blocks = {b.id: builder.new_block([p.ty for p in b.params]) for b in order}
    values: dict[int, Val] = {p.id: builder.param(p.ty) for p in body.params}
    types = {v.id: v.ty for live in body.live_in.values() for v in live}
    for b in order:
        constants_here = {i: builder.const(types[i], k) for i, k in replaced.get(b.id, {}).items() if k is not None and not isinstance(k, Val)}
        copy_block(builder, b, blocks[b.id], values, lambda t: blocks[t.id], constants_here)
    builder.body.sens_sets = list(body.sens_sets)
    builder.body.sens_edges = {s: level for s, (level, _) in found.items()}
    return builder.finish()
