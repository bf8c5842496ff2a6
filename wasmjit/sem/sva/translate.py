"""From `ltl` operations to property terms, and the conditions (leaves) the terms read.

Conventions of the operations, as circt-verilog writes them and the conformance corpus fixes them:

* `ltl.concat` appends (`a ##1 b`); `##n` between elements is a delay of n-1 on the right element, `##n` in front a delay of n.
* `1[*0:$] ##1 s ##1 1[*0:$]` of `within` appears as `concat(delay(repeat(true, 0), 1), delay(s, 1), true)` inside `ltl.intersect`; this one form has its source meaning.
* `and(s, eventually(s))` with one sequence s is `strong(s)`: the sequence holds and one of its ends is seen by the end of the run.
* `s |=> p` with a property p appears as `implication(past(s, 1), p)` or `implication(concat(delay(s, 1, 0), true), p)`; both have their source meaning.
* `or(c, p) {sva.disable_iff}` is `disable iff (c) p`.
* `or(c, p) {sva.abort_on.action = "accept"}` and `and(not c, p) {... "reject"}` are abort operators; `sva.abort_on.sync` is the synchronous kind.
* A sequence whose wait is unbounded (`ltl.delay` without length, `[->n]`, `[=n]`) asks for a finite one (dialect: "unbounded but finite"; the corpus
  demands it): as a property it is strong, so an attempt that still waits at the end of the run has failed. Bounded sequences are weak (§16.12.2).
"""

from __future__ import annotations

from typing import Any

from wasmjit.data import dataclass, field
from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem.sva.automaton import Automaton
from wasmjit.sem.sva.forms import (
    abort_action,
    aborts,
    bounds,
    delayed_operand,
    is_disable_iff,
    next_tick_operand,
    unbounded,
    within_operand,
)
from wasmjit.sem.sva.property import Properties
from wasmjit.sem.sva.sequence import INF, Node
from wasmjit.sem.unsupported import Unsupported

MAX_LEAVES = 64
EDGES = ("posedge", "negedge", "both")


@dataclass(frozen=True, slots=True)
class Clock:
    """A clocking event: `key` identifies the signal, `edge` is posedge, negedge or both."""

    key: Any
    edge: str
    value: Value = field(compare=False)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A bit of the letter.

    kind: sampled (`value` as sampled), tick (`clock` ticks now), abort (`value` was true since the last tick, asynchronously), current (as abort, but for a disable
    condition: values are not sampled), triggered / matched (`detector`), past (`value` sampled `count` ticks of `clock` ago).
    """

    kind: str
    key: Any
    value: Value | None = field(default=None, compare=False)
    clock: Clock | None = None
    detector: Detector | None = field(default=None, compare=False)
    count: int = 0


@dataclass(slots=True, eq=False)
class Detector:
    """Watches for ends of a sequence, independent of any attempt."""

    automaton: Automaton
    leaves: list[Leaf]
    clock: Clock


@dataclass(slots=True, eq=False)
class Property:
    """A translated assertion: automaton, its leaves in bit order, all its clocks (the leading one first), and a disable condition if it has one."""

    automaton: Automaton
    leaves: list[Leaf]
    clocks: list[Clock]
    disable: Value | None = None


def edge_name(op: Op) -> str:
    edge = op.attrs.get("edge", 0)
    name = EDGES[edge] if isinstance(edge, int) else str(edge)
    return "both" if name == "edge" else name


SAME = ("comb.", "hw.constant", "hw.struct_extract", "hw.bitcast", "llhd.prb", "ltl.", "seq.from_clock", "seq.to_clock")
IGNORED = ("sv.namehint", "twoState")
MAX_DEPTH = 100


def structure(v: Value, memo: dict[Any, Any], depth: int = 0) -> Any:
    """A key that is equal for values computed alike from the same sources. `memo`: one dictionary per module."""
    got = memo.get(v)
    if got is not None:
        return got
    op = v.owner
    key: Any = v
    if isinstance(op, Op) and not op.regions and op.name.startswith(SAME) and depth < MAX_DEPTH:
        memo[v] = v  # where the logic is a loop, the value stands for itself
        attrs = repr(sorted((k, repr(x)) for k, x in op.attrs.items() if k not in IGNORED))
        full = (op.name, v.index, attrs, v.type, *[structure(o, memo, depth + 1) for o in op.operands])
        key = memo.setdefault(full, len(memo))
    memo[v] = key
    return key


class Translator:
    """Translates the property of one operation."""

    def __init__(self, op: Op, clock: Clock | None, memo: dict[Any, Any]) -> None:
        self.op = op
        self.memo = memo
        self.terms = Properties()
        self.leaves: list[Leaf] = []
        self.base = clock
        self.clocks: list[Clock] = [clock] if clock is not None else []
        self.disable: Value | None = None

    def run(self, value: Value) -> Property:
        """Translate. Raises Unsupported for what has no meaning here."""
        value = self.outermost(value)
        if self.base is None:
            raise Unsupported(self.op, f"'{self.op.name}' of a property without a clock")
        self.find_clocks(value, set())
        root = self.whole(value, self.base)
        return Property(Automaton(self.terms, root), self.leaves, self.clocks, self.disable)

    def outermost(self, value: Value) -> Value:
        """Strip the leading clock and the disable condition."""
        while isinstance(value.owner, Op):
            op = value.owner
            if op.name == "ltl.clock" and (self.base is None or self.clock_of(op) == self.base):
                if self.base is None:
                    self.base = self.clock_of(op)
                    self.clocks.append(self.base)
                value = op.operands[0]
            elif op.name == "ltl.disable" and self.disable is None:
                value, self.disable = op.operands
            elif is_disable_iff(op) and self.disable is None:
                self.disable, value = op.operands
            else:
                break
        return value

    # -- clocks ------------------------------------------------------------------------------------------------------------------------

    def clock_of(self, op: Op) -> Clock:
        v = op.group("clock")[0]
        return Clock(structure(v, self.memo), edge_name(op), v)

    def find_clocks(self, v: Value, seen: set[Value]) -> None:
        op = v.owner
        if v in seen or not isinstance(op, Op) or not op.name.startswith("ltl."):
            return
        seen.add(v)
        if op.name in ("ltl.clock", "ltl.clocked_delay"):
            c = self.clock_of(op)
            if c not in self.clocks:
                self.clocks.append(c)
        for o in op.operands:
            self.find_clocks(o, seen)

    @property
    def several(self) -> bool:
        return len(self.clocks) > 1

    def tick(self, clock: Clock) -> Node:
        """The condition that `clock` ticks now."""
        return self.bit(Leaf("tick", (clock.key, clock.edge), None, clock)) if self.several else self.terms.true

    def gated(self, cond: Node, clock: Clock) -> Node:
        """A condition at the next tick of `clock`: `!tick[*0:$] ##1 tick && cond` (annex F.5.1)."""
        t = self.terms
        if not self.several:
            return t.bool(cond)
        c = self.tick(clock)
        return t.cat(t.repeat(t.bool(t.bnot(c)), 0, INF), t.bool(t.band(c, cond)))

    # -- leaves ------------------------------------------------------------------------------------------------------------------------

    def bit(self, leaf: Leaf) -> Node:
        if leaf not in self.leaves:
            if len(self.leaves) == MAX_LEAVES:
                raise Unsupported(self.op, f"'{self.op.name}' reads more than {MAX_LEAVES} conditions")
            self.leaves.append(leaf)
        return self.terms.leaf(self.leaves.index(leaf))

    def condition(self, v: Value, clock: Clock) -> Node:
        """An i1 as a condition sampled at a tick."""
        op = v.owner
        if isinstance(op, Op):
            if op.name == "hw.constant" or op.name == "arith.constant":
                return self.terms.true if int(op.attrs["value"]) & 1 else self.terms.false
            if op.name in ("ltl.triggered", "ltl.matched"):
                return self.endpoint(op.operands[0], clock, op.name[4:])
            if op.name == "ltl.sampled":
                return self.condition(op.operands[0], clock)
            if op.name == "ltl.and" and op.results[0].type == T.IntType(1):
                out = self.terms.true
                for o in op.operands:
                    out = self.terms.band(out, self.condition(o, clock))
                return out
            if op.name == "ltl.or" and op.results[0].type == T.IntType(1):
                none = self.terms.true
                for o in op.operands:
                    none = self.terms.band(none, self.terms.bnot(self.condition(o, clock)))
                return self.terms.bnot(none)
            if op.name.startswith("ltl."):
                raise Unsupported(op, f"'{op.name}' cannot be used as a condition")
        return self.bit(Leaf("sampled", structure(v, self.memo), v))

    def endpoint(self, s: Value, clock: Clock, kind: str) -> Node:
        """The condition that a sequence has an end now (triggered), or had one since the last tick of `clock` (matched)."""
        inner = Translator(self.op, None, self.memo)
        inner.base = clock
        inner.clocks = list(self.clocks)
        s = inner.strip(s)
        source = inner.base
        inner.find_clocks(s, set())
        root = inner.sequence(s, source)
        d = Detector(Automaton(inner.terms, root, endpoint=True), inner.leaves, source)
        key = (kind, structure(s, self.memo), source)
        return self.bit(Leaf(kind, key, None, clock, d))

    def strip(self, s: Value) -> Value:
        op = s.owner
        if isinstance(op, Op) and op.name == "ltl.clock":
            self.base = self.clock_of(op)
            return op.operands[0]
        return s

    # -- sequences ---------------------------------------------------------------------------------------------------------------------

    def is_sequence(self, v: Value) -> bool:
        return not isinstance(v.type, T.PropertyType)

    def sequence(self, v: Value, clock: Clock) -> Node:
        t = self.terms
        op = v.owner
        if v.type == T.IntType(1):
            return self.gated(self.condition(v, clock), clock)
        if not isinstance(op, Op) or not self.is_sequence(v):
            raise Unsupported(self.op, f"expected a sequence, got a value of type {v.type}")
        a = op.operands
        match op.name:
            case "ltl.delay":
                low, high = bounds(op, "delay", "length")
                return self.delay(self.sequence(a[0], clock), low, high, clock)
            case "ltl.clocked_delay":
                low, high = bounds(op, "delay", "length")
                return self.delay(self.sequence(op.group("input")[0], clock), low, high, self.clock_of(op))
            case "ltl.concat":
                out = t.empty
                for x in a:
                    out = t.cat(out, self.sequence(x, clock))
                return out
            case "ltl.repeat":
                return t.repeat(self.sequence(a[0], clock), *bounds(op, "base", "more"))
            case "ltl.goto_repeat" | "ltl.non_consecutive_repeat":
                return self.occurrences(op, clock)
            case "ltl.or":
                return t.alt([self.sequence(x, clock) for x in a])
            case "ltl.and":
                out = self.sequence(a[0], clock)
                for x in a[1:]:
                    out = t.conjunction(out, self.sequence(x, clock))
                return out
            case "ltl.intersect":
                out = self.intersected(a[0], clock)
                for x in a[1:]:
                    out = t.both(out, self.intersected(x, clock))
                return out
            case "ltl.first_match":
                return t.first_match(self.sequence(a[0], clock))
            case "ltl.clock":
                return self.sequence(a[0], self.clock_of(op))
            case "ltl.sampled":
                return self.sequence(a[0], clock)
            case "ltl.past":
                return self.gated(self.past(op, clock), clock)
            case "builtin.unrealized_conversion_cast":
                return self.sequence(a[0], clock)
        raise Unsupported(op, f"operation '{op.name}' is not supported in a sequence")

    def crosses(self, before: Value, v: Value, clock: Clock) -> bool:
        """Whether v has another clock than the end of the sequence before it: `|=>` then goes to the nearest tick of v's that is strictly later (§16.13.2)."""
        op = v.owner
        begins = self.clock_of(op) if isinstance(op, Op) and op.name == "ltl.clock" else clock
        return self.last_clock(before, clock) != begins

    def last_clock(self, v: Value, clock: Clock) -> Clock:
        """The clock at whose tick matches of a sequence end."""
        op = v.owner
        if not isinstance(op, Op) or not op.name.startswith("ltl.") or op.name in ("ltl.triggered", "ltl.matched") or not op.operands:
            return clock
        if op.name == "ltl.clock":
            return self.last_clock(op.operands[0], self.clock_of(op))
        return self.last_clock(op.operands[-1 if op.name == "ltl.concat" else 0], clock)

    def delay(self, s: Node, low: int, high: int, clock: Clock) -> Node:
        t = self.terms
        if not self.several:
            return t.delay(s, low, high)
        return t.cat(t.repeat(self.gated(t.true, clock), low, high), s)

    def occurrences(self, op: Op, clock: Clock) -> Node:
        """`b[->m:n]` and `b[=m:n]` of a Boolean b."""
        t = self.terms
        b = op.operands[0]
        if b.type != T.IntType(1):
            raise Unsupported(op, f"'{op.name}' of something that is not Boolean")
        cond, tick = self.condition(b, clock), self.tick(clock)
        low, high = bounds(op, "base", "more")
        # Ticks of other clocks count like ticks without the condition.
        return (t.goto if op.name == "ltl.goto_repeat" else t.non_consecutive)(t.band(tick, cond), low, high)

    def past(self, op: Op, clock: Clock) -> Node:
        count = int(op.attrs["delay"])
        v = op.operands[0]
        if v.type != T.IntType(1):
            raise Unsupported(op, "'ltl.past' of something that is not Boolean")
        if count == 0:
            return self.condition(v, clock)
        return self.bit(Leaf("past", (structure(v, self.memo), clock, count), v, clock, None, count))

    def intersected(self, v: Value, clock: Clock) -> Node:
        inner = within_operand(v)
        if inner is None:
            return self.sequence(v, clock)
        t = self.terms
        some = t.repeat(self.gated(t.true, clock), 0, INF)
        return t.cat(some, t.cat(self.sequence(inner, clock), some))

    # -- properties ----------------------------------------------------------------------------------------------------------------------

    def whole(self, v: Value, clock: Clock) -> Node:
        """The property of the assertion itself. With several clocks an attempt begins at ticks of the leading clock only."""
        t = self.terms
        p = self.property(v, clock)
        return t.implies(t.bool(self.tick(clock)), p) if self.several else p

    def property(self, v: Value, clock: Clock) -> Node:
        t = self.terms
        op = v.owner
        if self.is_sequence(v) and not aborts(v):
            return t.sequence(self.sequence(v, clock), strong=unbounded(v, set()))
        if not isinstance(op, Op):
            raise Unsupported(self.op, "a property from outside of the module")
        a = op.operands
        match op.name:
            case "ltl.boolean_constant":
                return t.sequence(self.gated(t.true, clock)) if op.attrs["value"] else t.negate(t.sequence(self.gated(t.true, clock)))
            case "ltl.not":
                return t.negate(self.property(a[0], clock))
            case "ltl.and" | "ltl.or":
                return self.combination(op, clock)
            case "ltl.delay":
                return self.later(a[0], *bounds(op, "delay", "length"), clock)
            case "ltl.implication":
                if not self.is_sequence(a[0]):
                    raise Unsupported(op, "the antecedent of an implication is not a sequence")
                plain = self.is_sequence(a[1]) and not aborts(a[1])
                before = None if plain else next_tick_operand(a[0])
                if before is not None:
                    after = t.any if self.crosses(before, a[1], clock) else self.gated(t.true, clock)
                    return t.implies(t.cat(self.sequence(before, clock), after), self.property(a[1], clock))
                later = delayed_operand(a[1]) if plain else None
                if later is not None and self.crosses(a[0], later, clock):
                    q = t.sequence(t.cat(t.any, self.sequence(later, clock)), strong=unbounded(later, set()))
                    return t.implies(self.sequence(a[0], clock), q)
                return t.implies(self.sequence(a[0], clock), self.property(a[1], clock))
            case "ltl.until":
                p, q = self.property(a[0], clock), self.property(a[1], clock)
                return t.until(self.unless_tick(p, clock), self.at_tick(q, clock))
            case "ltl.eventually":
                strong = "ltl.weak" not in op.attrs
                plain = self.is_sequence(a[0]) and not aborts(a[0])
                p = t.sequence(self.sequence(a[0], clock), strong) if plain else self.property(a[0], clock)
                return t.eventually(self.at_tick(p, clock), strong)
            case "ltl.clock":
                return self.property(a[0], self.clock_of(op))
            case "ltl.disable":
                return self.disabled(a[1], a[0], clock)
            case "ltl.sampled" | "builtin.unrealized_conversion_cast":
                return self.property(a[0], clock)
        raise Unsupported(op, f"operation '{op.name}' is not supported in a property")

    def at_tick(self, p: Node, clock: Clock) -> Node:
        """p, and `clock` ticks now."""
        return self.terms.all_of((self.terms.sequence(self.terms.bool(self.tick(clock))), p)) if self.several else p

    def unless_tick(self, p: Node, clock: Clock) -> Node:
        """p if `clock` ticks now."""
        return self.terms.implies(self.terms.bool(self.tick(clock)), p) if self.several else p

    def later(self, v: Value, low: int, high: int, clock: Clock) -> Node:
        """A property between `low` and `high` ticks from now (`nexttime [low]`, `eventually [low:high]`)."""
        t = self.terms
        p = self.property(v, clock)
        tick = self.gated(t.true, clock)

        def shifted(n: int, q: Node) -> Node:
            return t.implies(t.cat(t.repeat(tick, n, n), tick), q) if n else q

        if high == INF:
            return shifted(low, t.eventually(self.at_tick(p, clock)))
        return t.any_of([shifted(n, p) for n in range(low, high + 1)])

    def disabled(self, cond: Value, p: Value, clock: Clock) -> Node:
        """`disable iff (cond) p` inside of a property."""
        return self.terms.abort(True, self.bit(Leaf("current", ("current", structure(cond, self.memo)), cond)), self.property(p, clock))

    def combination(self, op: Op, clock: Clock) -> Node:
        t = self.terms
        a = op.operands
        if is_disable_iff(op):
            return self.disabled(a[0], a[1], clock)
        action = abort_action(op)
        if action:
            return self.abort(op, action == "accept", clock)
        checked = {self.strong_operand(x) for x in a} if op.name == "ltl.and" else set()
        parts: list[Node] = []
        for x in a:
            s = self.strong_operand(x)
            if s is not None and s in a and op.name == "ltl.and":
                parts.append(t.eventually(t.sequence(t.bool(self.endpoint(s, clock, "triggered")))))
            elif x in checked:
                parts.append(t.sequence(self.sequence(x, clock)))
            else:
                parts.append(self.property(x, clock))
        return t.all_of(parts) if op.name == "ltl.and" else t.any_of(parts)

    def strong_operand(self, v: Value) -> Value | None:
        """s, if v is `eventually(s)` of a sequence that is not just a condition."""
        op = v.owner
        if not isinstance(op, Op) or op.name != "ltl.eventually" or "ltl.weak" in op.attrs:
            return None
        s = op.operands[0]
        return s if self.is_sequence(s) and s.type != T.IntType(1) and not aborts(s) else None

    def abort(self, op: Op, accept: bool, clock: Clock) -> Node:
        t = self.terms
        cond, p = op.operands
        if not accept:
            inner = cond.owner
            if not isinstance(inner, Op) or inner.name != "ltl.not":
                raise Unsupported(op, "a reject_on without its negated condition")
            cond = inner.operands[0]
        at = clock
        src = cond.owner
        if isinstance(src, Op) and src.name == "ltl.clock":
            at, cond = self.clock_of(src), src.operands[0]
        if cond.type != T.IntType(1):
            raise Unsupported(op, "the condition of an abort operator is not Boolean")
        if "sva.abort_on.sync" in op.attrs:
            test = t.band(self.tick(at), self.condition(cond, at))
        else:
            test = self.bit(Leaf("abort", ("abort", structure(cond, self.memo)), cond))
        return t.abort(accept, test, self.property(p, clock))
