"""What a module has to observe for its assertions: clocks, properties, and the values that are sampled.

Sampling (IEEE 1800-2023 §16.5.1): an assertion reads the value an expression had before the time step of its clock edge. Continuous logic keeps that value:
with the first change in a new time step the old value is saved together with the time (`Sample`). Assertions run in the Observed region, after all
other events of the time step: the edge schedules a change of the group's tick net OBSERVED deltas later.
"""

from __future__ import annotations

from typing import Any

from wasmjit.data import dataclass, field
from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem.layout import Layout, layout
from wasmjit.sem.sva.translate import Clock, Leaf, Property, Translator, edge_name
from wasmjit.sem.unsupported import Unsupported

OBSERVED = (0, 1 << 24, 0)
"""Delay from a clock edge to the evaluation of its assertions: later than any other delta of the time step."""

CLOCKED = frozenset({"verif.clocked_assert", "verif.clocked_assume", "verif.clocked_cover"})
UNCLOCKED = frozenset(
    {"verif.assert", "verif.assume", "verif.cover", "verif.require", "verif.ensure", "sv.assert", "sv.assume", "sv.cover"}
)
UNCLEAN = ("ltl.", "llvm.load", "llhd.current_time", "sim.")
"""Operations whose value changes without a net changing: what depends on them is computed at the tick from sampled operands."""

MAX_CLOCKS = 8
MONITOR_BYTES = 96
DETECTOR_BYTES = 32


@dataclass(slots=True, eq=False)
class Sample:
    """A value that is kept as it was before the present time step. Offsets are in the context; -1: not needed.

    now, saved: the present value and the one before the step; stamp: u64 time of the first change; seen: evaluated before; settled: it was true at the end of a
    time step since the last tick; lowered: it was false at any moment since the last tick; ticked: u64 time of that tick.
    """

    value: Value
    lay: Layout
    now: int
    saved: int
    stamp: int
    seen: int
    settled: int = -1
    lowered: int = -1
    ticked: int = -1
    notify: list[Group] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Check:
    """One assertion of a group. kind: assert, assume or cover. `prop` None: `value` is a condition checked without a clock."""

    op: Op
    kind: str
    prop: Property | None
    enable: Value | None
    monitor: int = -1
    inner: dict[Value, Leaf] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Group:
    """Assertions with the same clocks (none: checked whenever a condition changed). pending: context offset of a byte with a bit per clock that ticked."""

    clocks: list[Clock]
    pending: int
    tick: Any
    checks: list[Check] = field(default_factory=list)
    key: str = ""


class Plan:
    """Built by the analysis of a module; `samples` become continuous logic, `groups` regions."""

    def __init__(self, definition: Any) -> None:
        self.d = definition
        self.samples: dict[Value, Sample] = {}
        self.groups: list[Group] = []
        self.sampled_inputs: set[Op] = set()
        self.visited: set[tuple[Check | None, Value]] = set()
        self.memo: dict[Any, Any] = {}
        self.constant: Any = None

    # -- operations --------------------------------------------------------------------------------------------------------------------

    def add(self, op: Op) -> None:
        """An assertion at module level."""
        kind = "cover" if op.name.endswith("cover") else "assume" if op.name.endswith(("assume", "require")) else "assert"
        value = op.operands[0]
        enables = op.group("enable") if op.name.startswith("verif.") else []
        enable = enables[0] if enables else None
        clock = None
        if op.name in CLOCKED:
            from wasmjit.sem.sva.translate import structure

            c = op.group("clock")[0]
            clock = Clock(structure(c, self.memo), edge_name(op), c)
        if clock is None and value.type == T.IntType(1):
            group = self.group([])
            check = Check(op, kind, None, enable)
            self.watch(check, value).notify.append(group)
            if enable is not None and self.clean(enable):
                # Else ($assertoff and the like: a load) it is looked at when the value changes.
                self.sample(enable).notify.append(group)
            group.checks.append(check)
            return
        prop = Translator(op, clock, self.memo).run(value)
        if len(prop.clocks) > MAX_CLOCKS:
            raise Unsupported(op, f"'{op.name}' of a property with more than {MAX_CLOCKS} clocks")
        check = Check(op, kind, prop, enable, self.d.cell(MONITOR_BYTES))
        for leaf in prop.leaves:
            self.need(check, leaf)
        if enable is not None and not self.constant(enable):
            self.wants(self.sample(enable), "lowered")
        if prop.disable is not None:
            self.wants(self.sample(prop.disable), "raised")
        self.group(prop.clocks).checks.append(check)

    def group(self, clocks: list[Clock]) -> Group:
        for g in self.groups:
            if g.clocks == clocks:
                return g
        tick = self.d.net(T.IntType(8), "", "wire")
        g = Group(clocks, self.d.cell(4), tick)
        self.groups.append(g)
        return g

    def sampled_input(self, op: Op) -> None:
        """A register that remembers a sampled value ($past and what is built on it)."""
        self.sampled_inputs.add(op)
        self.leaf_value(None, op.group("input")[0])

    # -- samples -----------------------------------------------------------------------------------------------------------------------

    def need(self, check: Check, leaf: Leaf) -> None:
        if leaf.detector is not None:
            for inner in leaf.detector.leaves:
                self.need(check, inner)
            return
        if leaf.kind == "tick" and check.prop is not None and leaf.clock not in check.prop.clocks:
            raise Unsupported(check.op, "the clock of a sequence inside of a condition is none of the property's clocks")
        if leaf.value is None:
            return
        if leaf.kind in ("abort", "current"):
            self.wants(self.sample(leaf.value), "settled" if leaf.kind == "abort" else "raised")
        else:
            self.leaf_value(check, leaf.value)

    def wants(self, s: Sample, what: str) -> None:
        if what == "settled" and s.settled < 0:
            s.settled, s.ticked = self.d.cell(1), self.d.cell(8)
        if what in ("lowered", "raised") and s.lowered < 0:
            s.lowered = self.d.cell(2)

    def watch(self, check: Check, v: Value) -> Sample:
        if not self.clean(v):
            raise Unsupported(check.op, f"'{check.op.name}' without a clock depends on a value that changes without an event")
        return self.sample(v)

    def leaf_value(self, check: Check | None, v: Value) -> None:
        """Register what must be sampled to compute `v` at a tick."""
        if v in self.samples or (check, v) in self.visited or self.constant(v):
            return
        if self.clean(v):
            self.sample(v)
            return
        op = v.owner
        assert isinstance(op, Op)
        if op.name in ("ltl.triggered", "ltl.matched"):
            if check is None or check.prop is None:
                raise Unsupported(op, f"'{op.name}' cannot be used here")
            t = Translator(check.op, check.prop.clocks[0], self.memo)
            t.clocks = list(check.prop.clocks)
            t.endpoint(op.operands[0], check.prop.clocks[0], op.name[4:])
            check.inner[v] = t.leaves[0]
            self.need(check, t.leaves[0])
            return
        self.visited.add((check, v))
        for o in op.operands:
            if not isinstance(o.type, T.RefType):
                self.leaf_value(check, o)

    def clean(self, v: Value) -> bool:
        """Whether the value changes only when a net changes."""
        seen: set[Value] = set()
        stack = [v]
        while stack:
            x = stack.pop()
            if x in seen or (x in self.d.home and not isinstance(x.type, T.RefType)):
                continue
            seen.add(x)
            op = x.owner
            if isinstance(op, Op):
                if op.name.startswith(UNCLEAN):
                    return False
                stack.extend(op.operands)
                for r in op.regions:
                    for b in r.blocks:
                        for o in b.ops:
                            if o.name.startswith(UNCLEAN):
                                return False
                            stack.extend(x for x in o.operands if x.owner is not b)
        return True

    def sample(self, v: Value) -> Sample:
        s = self.samples.get(v)
        if s is None:
            lay = layout(v.type)
            s = Sample(v, lay, self.d.storage(lay), self.d.storage(lay), self.d.cell(8), self.d.cell(1))
            self.samples[v] = s
        return s
