"""Every operator of a property, in the MLIR that circt-verilog makes of it, against annex F.5 of IEEE 1800-2023 on random traces."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.sem.sva.reference import INF, Term
from tests.sem.sva.source import Writer, matchable, weakly
from wasmjit.ir import Op, Value, parse_text
from wasmjit.sem.sva.automaton import FAIL, FIRST
from wasmjit.sem.sva.translate import Clock, Leaf, Property, Translator, structure

LEAVES = 2
conditions = st.recursive(
    st.tuples(st.just("leaf"), st.integers(0, LEAVES - 1)),
    lambda c: st.one_of(st.tuples(st.just("bnot"), c), st.tuples(st.just("band"), c, c)),
    max_leaves=2,
)


def bounds(first: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(first, first + 1), st.sampled_from([INF, 0, 1])).map(lambda b: (b[0], b[1] if b[1] == INF else b[0] + b[1]))


sequences = st.recursive(
    st.one_of(
        st.tuples(st.just("bool"), conditions),
        st.tuples(st.just("bool"), conditions),
        st.builds(lambda c, b: ("goto", c, *b), conditions, bounds(1)),
        st.builds(lambda c, b: ("nonconsecutive", c, *b), conditions, bounds(1)),
    ),
    lambda s: st.one_of(
        st.tuples(st.sampled_from(["cat", "alt", "both", "conjunction"]), s, s),
        st.builds(lambda a, b, c: ("wait", a, *b, c), s, bounds(1), s),
        st.builds(lambda a, b: ("repeat", a, *b), s, bounds(1)),
    ),
    max_leaves=3,
).flatmap(lambda s: st.sampled_from([s, s, ("first", s)]))  # inside of others annex F's letter that satisfies everything makes it end too early
ranges = st.tuples(st.integers(0, 2), st.integers(0, 1)).map(lambda b: (b[0], b[0] + b[1]))
properties = st.recursive(
    st.one_of(st.tuples(st.just("seq"), sequences), st.tuples(st.just("strong"), sequences)),
    lambda p: st.one_of(
        st.tuples(st.sampled_from(["not", "always", "s_eventually"]), p),
        st.tuples(st.sampled_from(["and", "or", "implies", "iff", "until", "s_until", "until_with", "s_until_with"]), p, p),
        st.tuples(st.sampled_from(["|->", "|=>", "#-#", "#=#"]), sequences, p),
        st.tuples(st.just("if"), conditions, p, p),
        st.tuples(st.sampled_from(["accept_on", "reject_on", "sync_accept_on", "sync_reject_on", "disable_iff"]), conditions, p),
        st.tuples(st.sampled_from(["nexttime", "s_nexttime"]), st.integers(1, 2), p),
        st.tuples(st.just("always_from"), st.integers(1, 2), p),
        st.builds(
            lambda op, b, q: (op, *b, q),
            st.sampled_from(["always_range", "s_always_range", "eventually_range", "s_eventually_range"]),
            ranges,
            p,
        ),
    ),
    max_leaves=3,
)
traces = st.lists(st.integers(0, (1 << LEAVES) - 1), min_size=1, max_size=7).map(tuple)


class Run:
    """Steps the automaton of a translated property and the detectors inside of it."""

    def __init__(self, prop: Property, names: dict[Value, int]) -> None:
        self.prop = prop
        self.names = names
        self.detectors: dict[int, int] = {}
        self.ticks = 0
        self.past: list[int] = []

    def letter(self, leaves: list[Leaf], values: int) -> int:
        return sum(self.bit(leaf, values) << i for i, leaf in enumerate(leaves))

    def bit(self, leaf: Leaf, values: int) -> int:
        if leaf.kind == "past":
            values = self.past[-leaf.count] if leaf.count <= len(self.past) else 0
        elif leaf.kind == "triggered":
            d = leaf.detector
            assert d is not None
            state = self.detectors.get(id(d), 0)
            code = d.automaton.transition(state, self.letter(d.leaves, values) & d.automaton.support(state))
            self.detectors[id(d)] = (code - 1) >> 1
            return (code - 1) & 1
        assert leaf.value is not None
        return evaluate(leaf.value, self.names, values)

    def failures(self, trace: tuple[int, ...]) -> list[tuple[int, int]]:
        """(begin, tick) of the attempts that fail."""
        automaton = self.prop.automaton
        attempts: list[tuple[int, int]] = []
        out = []
        for now, values in enumerate(trace):
            letter = self.letter(self.prop.leaves, values)
            later: list[tuple[int, int]] = []
            disabled = self.prop.disable is not None and evaluate(self.prop.disable, self.names, values)
            for begun, state in [] if disabled else [*attempts, (now, 0)]:
                code = automaton.transition(state, letter & automaton.support(state))
                if code == FAIL:
                    out.append((begun, now))
                elif code >= FIRST:
                    later.append((begun, code - FIRST))
            attempts = later
            self.past.append(values)
        return out


def evaluate(v: Value, names: dict[Value, int], values: int) -> int:
    op = v.owner
    if v in names:
        return values >> names[v] & 1
    assert isinstance(op, Op)
    if op.name == "hw.constant":
        return int(op.attrs["value"]) & 1
    a, b = (evaluate(o, names, values) for o in op.operands)
    return a ^ b if op.name == "comb.xor" else a & b


def translated(p: Term) -> Run:
    w = Writer()
    v = w.property(p)
    ports = ", ".join(f"in %x{i} : i1" for i in range(LEAVES))
    text = "\n".join(
        [
            f"hw.module @m(in %clk : i1, {ports}) {{",
            "%true = hw.constant true",
            *w.lines,
            f"verif.clocked_assert {v}, posedge %clk : {w.types[v]}",
            "hw.output",
            "}",
        ]
    )
    module = parse_text(text).root.regions[0].blocks[0].ops[0]
    body = module.regions[0].blocks[0]
    op = next(o for o in body.ops if o.name == "verif.clocked_assert")
    memo: dict[object, object] = {}
    prop = Translator(op, Clock(structure(body.args[0], memo), "posedge", body.args[0]), memo).run(op.operands[0])
    return Run(prop, {a: i - 1 for i, a in enumerate(body.args)})


def expected(p: Term, trace: tuple[int, ...]) -> list[tuple[int, int]]:
    out = []
    for begin in range(len(trace)):
        for now in range(begin, len(trace)):
            if not weakly(p, begin, trace[: now + 1]):
                out.append((begin, now))
                break
    return sorted(out, key=lambda x: (x[1], x[0]))


@settings(max_examples=600, deadline=None)
@given(properties, traces)
def test_attempts_fail_at_the_tick_of_the_standard(p: Term, trace: tuple[int, ...]) -> None:
    assume(matchable(p))
    assert sorted(translated(p).failures(trace), key=lambda x: (x[1], x[0])) == expected(p, trace)


X0, X1 = ("bool", ("leaf", 0)), ("bool", ("leaf", 1))
NEXT = ("cat", X0, X1)


def operators(p: Term, q: Term) -> list[Term]:
    """Every operator of properties around the operands p and q."""
    out: list[Term] = [(op, p) for op in ("not", "always", "s_eventually")]
    out += [(op, p, q) for op in ("and", "or", "implies", "iff", "until", "s_until", "until_with", "s_until_with")]
    out += [(op, s, p) for op in ("|->", "|=>", "#-#", "#=#") for s in (X0, NEXT)]
    out += [(op, ("bnot", ("leaf", 1)), p) for op in ("accept_on", "reject_on", "sync_accept_on", "sync_reject_on", "disable_iff")]
    out += [(op, 1, p) for op in ("nexttime", "s_nexttime", "always_from")]
    out += [(op, 1, 2, p) for op in ("always_range", "s_always_range", "eventually_range", "s_eventually_range")]
    return [*out, ("if", ("leaf", 1), p, q)]


ATOMS: list[Term] = [("seq", X0), ("seq", NEXT), ("strong", NEXT)]
SIMPLE = [p for a in ATOMS for p in operators(a, ("seq", X1))]


def checked(p: Term, cases: Iterable[tuple[int, ...]]) -> None:
    for trace in cases:
        got = sorted(translated(p).failures(trace), key=lambda x: (x[1], x[0]))
        assert got == expected(p, trace), trace


@pytest.mark.parametrize("p", SIMPLE, ids=str)
def test_every_operator_on_every_short_trace(p: Term) -> None:
    checked(p, product(range(1 << LEAVES), repeat=3))


@pytest.mark.parametrize("outer", range(len(operators(X0, X1))))
def test_every_operator_inside_of_every_other(outer: int) -> None:
    rng = random.Random(outer)
    for inner in SIMPLE:
        p = operators(inner, ("seq", X1))[outer]
        checked(p, [tuple(rng.randrange(1 << LEAVES) for _ in range(5)) for _ in range(3)])
