"""Automata over properties and sequences, made state by state as a run needs them.

A transition depends on the letter only through the state's `support`. Codes of transitions are 32 bits, 0 is never used (it means "not known yet"):
property: PASS, VACUOUS, FAIL, or FIRST + next state. Endpoint: 1 + 2 * next state + (1 if the sequence has an end here).
"""

from __future__ import annotations

from wasmjit.sem.sva.property import Properties
from wasmjit.sem.sva.sequence import Node

PASS, VACUOUS, FAIL, FIRST = 1, 2, 3, 4


class Automaton:
    """States are terms; state 0 is a new attempt (property) or no match under way (endpoint)."""

    def __init__(self, terms: Properties, root: Node, endpoint: bool = False) -> None:
        self.terms = terms
        self.root = root
        self.endpoint = endpoint
        start = terms.none if endpoint else root
        self.states: list[Node] = [start]
        self.index: dict[Node, int] = {start: 0}

    def support(self, state: int) -> int:
        """Leaves the transitions of a state depend on."""
        mask = self.states[state].support
        return mask | self.root.support if self.endpoint else mask

    def state(self, term: Node) -> int:
        n = self.index.get(term)
        if n is None:
            n = self.index[term] = len(self.states)
            self.states.append(term)
        return n

    def transition(self, state: int, letter: int) -> int:
        t = self.terms
        here = self.states[state]
        if self.endpoint:
            d = t.derive(t.alt((here, self.root)), letter)
            return 1 + 2 * self.state(d) + int(d.nullable)
        p = t.progress(here, letter)
        if p is t.holds_p:
            return PASS
        if p is t.vacuous_p:
            return VACUOUS
        if p is t.fails_p:
            return FAIL
        return FIRST + self.state(p)

    def final(self, state: int, aborts: int) -> bool | None:
        """Verdict of an attempt that is in `state` at the end of the run."""
        return self.terms.final(self.states[state], aborts)
