"""Derivatives and progression against the direct definitions of IEEE 1800-2023 on random sequences, properties and traces."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sem.sva.reference import ends, true_at
from wasmjit.sem.sva.automaton import FAIL, FIRST, PASS, VACUOUS, Automaton
from wasmjit.sem.sva.property import Properties
from wasmjit.sem.sva.sequence import INF, Node

LEAVES = 3
conditions = st.recursive(
    st.tuples(st.just("leaf"), st.integers(0, LEAVES - 1)),
    lambda c: st.one_of(st.tuples(st.just("bnot"), c), st.tuples(st.just("band"), c, c)),
    max_leaves=3,
)
bounds = st.tuples(st.integers(0, 2), st.one_of(st.just(INF), st.integers(0, 2))).map(
    lambda b: (b[0], b[1] if b[1] == INF else b[0] + b[1])
)
sequences = st.recursive(
    st.one_of(
        st.tuples(st.just("bool"), conditions),
        st.builds(lambda c, b: ("goto", c, *b), conditions, bounds),
        st.builds(lambda c, b: ("nonconsecutive", c, *b), conditions, bounds),
    ),
    lambda s: st.one_of(
        st.tuples(st.sampled_from(["cat", "fuse", "alt", "both", "conjunction"]), s, s),
        st.tuples(st.just("first"), s),
        st.builds(lambda a, b: ("repeat", a, *b), s, bounds),
        st.builds(lambda a, b: ("delay", a, *b), s, bounds),
    ),
    max_leaves=4,
)
decided = st.recursive(  # two-valued at the end of a trace, so that they may be negated
    st.tuples(st.just("seq"), sequences),
    lambda p: st.one_of(st.tuples(st.just("not"), p), st.tuples(st.sampled_from(["and", "or"]), p, p), st.tuples(st.just("eventually"), p)),
    max_leaves=3,
)
properties = st.recursive(
    decided,
    lambda p: st.one_of(
        st.tuples(st.sampled_from(["and", "or", "until"]), p, p),
        st.tuples(st.just("implies"), sequences, p),
        st.tuples(st.just("eventually"), decided),
        st.tuples(st.just("always"), p),
    ),
    max_leaves=3,
)
traces = st.lists(st.integers(0, (1 << LEAVES) - 1), max_size=7).map(tuple)


def condition(t: Properties, c: tuple) -> Node:
    match c:
        case ("leaf", i):
            return t.leaf(i)
        case ("bnot", a):
            return t.bnot(condition(t, a))
        case ("band", a, b):
            return t.band(condition(t, a), condition(t, b))
    raise AssertionError(c)


def sequence(t: Properties, s: tuple) -> Node:
    match s:
        case ("bool", c):
            return t.bool(condition(t, c))
        case ("cat" | "fuse" | "both" | "conjunction", a, b):
            return getattr(t, s[0])(sequence(t, a), sequence(t, b))
        case ("alt", a, b):
            return t.alt((sequence(t, a), sequence(t, b)))
        case ("first", a):
            return t.first_match(sequence(t, a))
        case ("repeat" | "delay", a, low, high):
            return getattr(t, s[0])(sequence(t, a), low, high)
        case ("goto", c, low, high):
            return t.goto(condition(t, c), low, high)
        case ("nonconsecutive", c, low, high):
            return t.non_consecutive(condition(t, c), low, high)
    raise AssertionError(s)


def term(t: Properties, p: tuple) -> Node:
    match p:
        case ("seq", s):
            return t.sequence(sequence(t, s), strong=True)
        case ("implies", s, q):
            return t.implies(sequence(t, s), term(t, q))
        case ("not", q):
            return t.negate(term(t, q))
        case ("and", a, b):
            return t.all_of((term(t, a), term(t, b)))
        case ("or", a, b):
            return t.any_of((term(t, a), term(t, b)))
        case ("until", a, b):
            return t.until(term(t, a), term(t, b))
        case ("eventually", a):
            return t.eventually(term(t, a))
        case ("always", a):
            return t.always(term(t, a))
    raise AssertionError(p)


@settings(max_examples=300, deadline=None)
@given(sequences, traces)
def test_a_sequence_matches_where_the_direct_definition_says(s: tuple, trace: tuple[int, ...]) -> None:
    t = Properties()
    node = sequence(t, s)
    assert node.nullable == (0 in ends(s, 0, trace))
    found = set()
    for i, letter in enumerate(trace):
        node = t.derive(node, letter)
        if node.nullable:
            found.add(i + 1)
    assert found == {e for e in ends(s, 0, trace) if e > 0}


@settings(max_examples=300, deadline=None)
@given(properties, traces)
def test_a_property_has_the_verdict_of_the_direct_definition(p: tuple, trace: tuple[int, ...]) -> None:
    if not trace:
        return
    t = Properties()
    node = term(t, p)
    for letter in trace:
        node = t.progress(node, letter)
    assert (t.final(node, 0) is not False) == true_at(p, 0, trace)


@settings(max_examples=100, deadline=None)
@given(properties, traces, traces)
def test_a_verdict_does_not_change_with_later_ticks(p: tuple, trace: tuple[int, ...], more: tuple[int, ...]) -> None:
    t = Properties()
    node = term(t, p)
    for letter in trace:
        node = t.progress(node, letter)
    if node.op in ("holds", "vacuous", "fails") and trace:
        assert true_at(p, 0, trace + more) == (node.op != "fails")


@settings(max_examples=100, deadline=None)
@given(sequences, traces)
def test_a_detector_sees_the_ends_of_matches_from_every_start(s: tuple, trace: tuple[int, ...]) -> None:
    t = Properties()
    a = Automaton(t, sequence(t, s), endpoint=True)
    state = 0
    for i, letter in enumerate(trace):
        code = a.transition(state, letter & a.support(state))
        state, hit = (code - 1) >> 1, bool((code - 1) & 1)
        assert hit == any(i + 1 in ends(s, k, trace) for k in range(i + 1))


@settings(max_examples=100, deadline=None)
@given(properties, traces)
def test_transitions_depend_on_the_supported_leaves_only(p: tuple, trace: tuple[int, ...]) -> None:
    t = Properties()
    a = Automaton(t, term(t, p))
    masked = plain = 0
    for letter in trace:
        x, y = a.transition(masked, letter & a.support(masked)), a.transition(plain, letter)
        assert x == y
        if x < FIRST:
            return
        masked = plain = x - FIRST


def test_long_delay_ranges_have_as_many_states_as_ticks() -> None:
    t = Properties()
    a, b, c = (t.bool(t.leaf(i)) for i in range(3))
    p = t.implies(a, t.sequence(t.cat(t.delay(b, 1, 200), t.delay(c, 0, 200))))
    m = Automaton(t, p)
    state = m.transition(0, 1) - FIRST
    for i in range(150):
        code = m.transition(state, 2 if i % 3 else 0)
        assert code >= FIRST
        state = code - FIRST
    assert len(m.states) < 200
    assert m.transition(state, 4) == PASS


def test_an_antecedent_that_does_not_match_is_a_vacuous_success() -> None:
    t = Properties()
    m = Automaton(t, t.implies(t.bool(t.leaf(0)), t.sequence(t.bool(t.leaf(1)))))
    assert [m.transition(0, x) for x in (0, 1, 2, 3)] == [VACUOUS, FAIL, VACUOUS, PASS]


def test_accept_and_reject_decide_pending_attempts() -> None:
    t = Properties()
    p = t.sequence(t.cat(t.bool(t.leaf(0)), t.bool(t.leaf(1))))
    for accept, verdict in ((True, VACUOUS), (False, FAIL)):
        m = Automaton(t, t.abort(accept, t.leaf(2), p))
        pending = m.transition(0, 1)
        assert pending >= FIRST
        assert m.transition(pending - FIRST, 4) == verdict
        assert m.transition(pending - FIRST, 2) == PASS


@pytest.mark.parametrize(("strong", "verdict"), [(True, False), (False, None)])
def test_only_strong_operators_demand_something_at_the_end(strong: bool, verdict: bool | None) -> None:
    t = Properties()
    s = t.sequence(t.cat(t.any, t.bool(t.leaf(0))), strong)
    assert t.final(t.progress(s, 0), 0) is verdict
    assert t.final(t.progress(t.eventually(s, strong), 0), 0) is verdict
    assert t.final(t.progress(t.always(s), 0), 0) is verdict
