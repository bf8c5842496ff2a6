"""Monitors of assertions: the step over an automaton's table against attempts followed one by one, on both kernels."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest
from world import World, both

from wasmjit.sched.kernel import monitor as km
from wasmjit.sched.monitors import Table
from wasmjit.sem.sva.automaton import Automaton
from wasmjit.sem.sva.property import Properties
from wasmjit.sem.sva.sequence import INF, Node

LEAVES = 4


def examples(t: Properties) -> list[Node]:
    a, b, c, d = (t.bool(t.leaf(i)) for i in range(LEAVES))
    return [
        t.implies(a, t.sequence(t.delay(b, 1, 6))),
        t.implies(t.cat(a, t.repeat(b, 1, INF)), t.until(t.sequence(c), t.sequence(d))),
        t.always(t.implies(a, t.sequence(t.first_match(t.cat(t.delay(b, 0, 3), c))))),
        t.abort(True, t.leaf(3), t.implies(a, t.sequence(t.goto(t.leaf(1), 2, 2)))),
        t.negate(t.sequence(t.both(t.cat(a, t.any_star), t.cat(t.delay(b, 1, 9), c)))),
    ]


def host(w: World) -> SimpleNamespace:
    """What a `Table` needs of a simulation."""
    return SimpleNamespace(view=w.view, kernel=SimpleNamespace(call=w.call))


@pytest.mark.parametrize("n", range(5))
@pytest.mark.parametrize("seed", range(4))
def test_a_monitor_counts_what_its_attempts_do(n: int, seed: int) -> None:
    def scenario(w: World) -> None:
        w.run()
        rng = random.Random(seed)
        t = Properties()
        root = examples(t)[n]
        table = Table(host(w), Automaton(t, root))  # type: ignore[arg-type]
        m = w.call["k_alloc0"](96)
        attempts: list[Node] = []
        totals = {km.M_PASSED: 0, km.M_FAILED: 0, km.M_VACUOUS: 0, km.M_DISABLED: 0}
        for _ in range(120):
            letter, flags = rng.getrandbits(LEAVES), rng.choice((0, 0, 0, 0, 0, km.NO_START, km.KILL, km.KILL | km.NO_START))
            while (result := w.call["k_monitor_step"](m, letter, flags)) == 1:
                w.view.set_u32(m + km.M_AUTOMATON, table.record)
                table.expand(w.view.u32(m + km.M_MISS_STATE), w.view.u64(m + km.M_MISS_LETTER))
            if flags & km.KILL:
                totals[km.M_DISABLED] += len(attempts)
                attempts = []
            if not flags & km.NO_START:
                attempts.append(root)
            after = [t.progress(p, letter) for p in attempts]
            failed = sum(p is t.fails_p for p in after)
            totals[km.M_FAILED] += failed
            totals[km.M_PASSED] += sum(p is t.holds_p for p in after)
            totals[km.M_VACUOUS] += sum(p is t.vacuous_p for p in after)
            attempts = [p for p in after if p.op not in ("holds", "vacuous", "fails")]
            assert result == (2 if failed else 0)
            assert w.view.u32(m + km.M_FAILING) == failed
            assert {at: w.view.u64(m + at) for at in totals} == totals
            entries = [w.view.u32(m + km.M_LIST) + i * km.L_SIZE for i in range(w.view.u32(m + km.M_COUNT))]
            held = {table.automaton.states[w.view.u32(e + km.L_STATE)]: w.view.u32(e + km.L_COUNT) for e in entries}
            assert held == {p: attempts.count(p) for p in attempts}

    both(scenario)


@pytest.mark.parametrize("seed", range(4))
def test_a_detector_says_when_a_sequence_has_an_end(seed: int) -> None:
    def scenario(w: World) -> None:
        w.run()
        rng = random.Random(seed)
        t = Properties()
        a, b, c, _ = (t.bool(t.leaf(i)) for i in range(LEAVES))
        s = t.cat(a, t.cat(t.repeat(b, 0, INF), t.delay(c, 0, 2)))
        table = Table(host(w), Automaton(t, s, endpoint=True))  # type: ignore[arg-type]
        m = w.call["k_alloc0"](32)
        active: list[Node] = []
        for _ in range(150):
            letter = rng.getrandbits(LEAVES)
            while (result := w.call["k_monitor_endpoint"](m, letter)) == 2:
                w.view.set_u32(m + km.M_AUTOMATON, table.record)
                table.expand(w.view.u32(m + km.M_MISS_STATE), w.view.u64(m + km.M_MISS_LETTER))
            active = list({t.derive(x, letter) for x in [*active, s]})
            assert result == int(any(x.nullable for x in active))

    both(scenario)
