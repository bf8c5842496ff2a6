"""Sequences and implications over two clocks (IEEE 1800-2023 §16.13) against a reading of the standard by positions of ticks, on random traces.

A letter has x0 and x1 in bits 0 and 1, and in bits 2 and 3 which of the clocks tick at this moment; an attempt begins at every tick of the first clock.
"""

from __future__ import annotations

import random

import pytest

from tests.sem.sva.reference import BOTTOM, TOP, Term, ends
from tests.sem.sva.source import EXTENSION, Writer
from tests.sem.sva.test_translation import Run
from wasmjit.ir import Value, parse_text
from wasmjit.sem.sva.automaton import FAIL, FIRST
from wasmjit.sem.sva.translate import Clock, Leaf, Translator, structure

X0, X1 = ("bool", ("leaf", 0)), ("bool", ("leaf", 1))
POOL: list[Term] = [X0, X1, ("cat", X0, X1), ("repeat", X1, 1, 2), ("goto", ("leaf", 1), 1, 1), ("alt", X0, ("cat", X1, X1))]
Part = tuple[int, Term]  # clock and sequence


def ticks(letter: int, clock: int) -> bool:
    return letter == TOP or (letter >= 0 and bool(letter >> (2 + clock) & 1))


def part_ends(part: Part, i: int, trace: tuple[int, ...]) -> set[int]:
    """Positions behind the last ticks of matches that begin at the nearest tick of the part's clock at or after position i."""
    clock, s = part
    at = [k for k in range(i, len(trace)) if ticks(trace[k], clock)]
    return {at[e - 1] + 1 for e in ends(s, 0, tuple(trace[k] for k in at)) if e > 0}


def chain_ends(parts: list[Part], i: int, trace: tuple[int, ...]) -> set[int]:
    """`s ##1 @(c) t ...`: each part begins strictly later than the one before ends."""
    out = {i}
    for part in parts:
        out = {f for e in out for f in part_ends(part, e, trace)}
    return out


def weakly(op: str, left: list[Part], right: list[Part], i: int, trace: tuple[int, ...]) -> bool:
    sure, open_ = trace + (BOTTOM,) * EXTENSION, trace + (TOP,) * EXTENSION
    if op == "seq":
        return bool(chain_ends(left, i, open_))
    back = 1 if op == "|->" else 0
    return all(bool(chain_ends(right, e - back, open_)) for e in chain_ends(left, i, sure))


class ClockRun(Run):
    """As `Run`; the letter says which clocks tick."""

    def bit(self, leaf: Leaf, values: int) -> int:
        if leaf.kind == "tick":
            assert leaf.clock is not None
            return values >> (2 + self.names[leaf.clock.value] - 2) & 1
        return super().bit(leaf, values)

    def failures(self, trace: tuple[int, ...]) -> list[tuple[int, int]]:
        attempts: list[tuple[int, int]] = []
        out = []
        automaton = self.prop.automaton
        for now, values in enumerate(trace):
            if not any(ticks(values, self.names[c.value] - 2) for c in self.prop.clocks):
                continue  # monitors step at ticks of their clocks only
            letter = self.letter(self.prop.leaves, values)
            if ticks(values, 0):
                attempts.append((now, 0))
            later = []
            for begun, state in attempts:
                code = automaton.transition(state, letter & automaton.support(state))
                if code == FAIL:
                    out.append((begun, now))
                elif code >= FIRST:
                    later.append((begun, code - FIRST))
            attempts = later
        return out


def translated(op: str, left: list[Part], right: list[Part]) -> ClockRun:
    w = Writer()

    def clocked(part: Part, outer: int) -> str:
        v = w.sequence(part[1])
        return v if part[0] == outer else w.emit(f"ltl.clock {v}, posedge %clk{part[0]} {{sva.explicit_clocking}} : {w.types[v]}", "!ltl.sequence")

    def chain(parts: list[Part], outer: int) -> str:
        values = [w.unary("delay", clocked(p, outer), ", 0, 0") for p in parts]
        return clocked(parts[0], outer) if len(parts) == 1 else w.several("concat", *values)

    v = chain(left, 0)
    if op != "seq":
        q = chain(right, 0)
        v = w.several("implication", v, w.unary("delay", q, ", 1, 0") if op == "|=>" else q, type_="!ltl.property")
    lines = "\n".join(w.lines)
    text = f"""hw.module @m(in %x0 : i1, in %x1 : i1, in %clk0 : i1, in %clk1 : i1) {{
      %true = hw.constant true
      {lines}
      verif.clocked_assert {v}, posedge %clk0 : {w.types[v]}
      hw.output
    }}"""
    body = parse_text(text).root.regions[0].blocks[0].ops[0].regions[0].blocks[0]
    check = next(o for o in body.ops if o.name == "verif.clocked_assert")
    memo: dict[object, object] = {}
    names: dict[Value, int] = {a: i for i, a in enumerate(body.args)}
    base = body.args[2]
    return ClockRun(Translator(check, Clock(structure(base, memo), "posedge", base), memo).run(check.operands[0]), names)


@pytest.mark.parametrize("seed", range(40))
def test_attempts_fail_at_the_tick_of_the_standard(seed: int) -> None:
    rng = random.Random(seed)

    def part(clock: int) -> Part:
        return clock, rng.choice(POOL)

    op = rng.choice(["seq", "|->", "|=>"])
    left = [part(0), *([part(1)] if rng.random() < 0.5 or op == "seq" else []), *([part(0)] if rng.random() < 0.2 else [])]
    right = [part(rng.choice([0, 1])) for _ in range(1)]
    if op == "|=>" and len(left) > 1:
        right = [part(0)]
    for _ in range(8):
        trace = tuple(rng.randrange(4) | rng.randrange(1, 4) << 2 for _ in range(7))
        want = []
        for i in range(len(trace)):
            if ticks(trace[i], 0):
                now = next((k for k in range(i, len(trace)) if not weakly(op, left, right, i, trace[: k + 1])), None)
                if now is not None:
                    want.append((i, now))
        assert sorted(translated(op, left, right).failures(trace)) == want, (op, left, right, trace)
