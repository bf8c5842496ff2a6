"""Properties and their progression: what an evaluation attempt still has to check after a tick (IEEE 1800-2023 §16.12, annex F).

An attempt is a property term. `progress` gives the term for the ticks to come; the three constants are verdicts: `holds` (a nonvacuous success), `vacuous`
(§16.14.8) and `fails`. At the end of the run `final` gives True, False (a strong operator was not satisfied) or None (incomplete, which is no failure).
"""

from __future__ import annotations

from collections.abc import Iterable

from wasmjit.sem.sva.sequence import Node, Sequences

CONSTANTS = ("holds", "vacuous", "fails")


class Properties(Sequences):
    """Constructors of properties over sequences, and progression."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: dict[tuple[int, int], Node] = {}
        self.holds_p = self._make("holds", ())
        self.vacuous_p = self._make("vacuous", ())
        self.fails_p = self._make("fails", ())

    # -- constructors ----------------------------------------------------------------------------------------------------------------

    def sequence(self, s: Node, strong: bool = False) -> Node:
        """A sequence as a property: there is a match that is not empty; weak unless `strong` (§16.12.2)."""
        return self.fails_p if s is self.none else self._make("seq", (s, int(strong)))

    def implies(self, s: Node, p: Node) -> Node:
        """`s |-> p`: p holds from the end of every match of s (§16.12.7)."""
        if s in (self.none, self.empty):
            return self.vacuous_p
        return self._make("implies", (s, p))

    def negate(self, p: Node) -> Node:
        match p.op:
            case "holds" | "vacuous":
                return self.fails_p
            case "fails":
                return self.holds_p
            case "not":
                inner: Node = p.args[0]
                return inner
            case "and":
                return self.any_of([self.negate(a) for a in p.args])
            case "or":
                return self.all_of([self.negate(a) for a in p.args])
        return self._make("not", (p,))

    def all_of(self, parts: Iterable[Node]) -> Node:
        """Conjunction. A success among pending parts stays as a mark that the attempt is not vacuous."""
        flat: set[Node] = set()
        for p in parts:
            flat.update(p.args if p.op == "and" else (p,))
        if self.fails_p in flat:
            return self.fails_p
        flat.discard(self.vacuous_p)
        if not flat:
            return self.vacuous_p
        if len(flat) == 1:
            return flat.pop()
        return self._make("and", tuple(sorted(flat, key=lambda n: n.id)))

    def any_of(self, parts: Iterable[Node]) -> Node:
        flat: set[Node] = set()
        for p in parts:
            flat.update(p.args if p.op == "or" else (p,))
        if self.holds_p in flat:
            return self.holds_p
        if self.vacuous_p in flat:
            return self.vacuous_p
        flat.discard(self.fails_p)
        if not flat:
            return self.fails_p
        if len(flat) == 1:
            return flat.pop()
        return self._make("or", tuple(sorted(flat, key=lambda n: n.id)))

    def until(self, p: Node, q: Node) -> Node:
        """`p until q`, weak (§16.12.12)."""
        return self._make("until", (p, q))

    def eventually(self, p: Node, strong: bool = True) -> Node:
        """`s_eventually p`; weak: nothing is demanded at the end of the run (§16.12.13)."""
        return self._make("eventually", (p, int(strong)))

    def always(self, p: Node) -> Node:
        return self.negate(self.eventually(self.negate(p), strong=False))

    def abort(self, accept: bool, cond: Node, p: Node) -> Node:
        """`accept_on (cond) p` or `reject_on (cond) p` (§16.12.14)."""
        return p if p.op in CONSTANTS else self._make("abort", (int(accept), cond, p))

    # -- progression -------------------------------------------------------------------------------------------------------------------

    def progress(self, p: Node, letter: int) -> Node:
        """The obligation after a tick with this letter."""
        if p.op in CONSTANTS:
            return p
        key = (p.id, letter & p.support)
        got = self.steps.get(key)
        if got is None:
            got = self.steps[key] = self._progress(p, letter)
        return got

    def _progress(self, p: Node, letter: int) -> Node:
        a: tuple[Node, ...] = p.args
        match p.op:
            case "seq":
                d = self.derive(a[0], letter)
                return self.holds_p if d.nullable else self.sequence(d, bool(a[1]))
            case "implies":
                d = self.derive(a[0], letter)
                later = self.implies(d, a[1])
                return self.all_of((self.progress(a[1], letter), later)) if d.nullable else later
            case "not":
                return self.negate(self.progress(a[0], letter))
            case "and":
                return self.all_of([self.progress(x, letter) for x in a])
            case "or":
                return self.any_of([self.progress(x, letter) for x in a])
            case "until":
                q = self.progress(a[1], letter)
                return q if q is self.holds_p else self.any_of((q, self.all_of((self.progress(a[0], letter), p))))
            case "eventually":
                return self.any_of((self.progress(a[0], letter), p))
            case "abort":
                if self.holds(a[1], letter):
                    return self.vacuous_p if p.args[0] else self.fails_p
                return self.abort(bool(p.args[0]), a[1], self.progress(a[2], letter))
        raise AssertionError(p.op)

    def final(self, p: Node, aborts: int) -> bool | None:
        """Verdict when no more ticks come. `aborts`: a letter with the abort conditions that held since the last tick."""
        a: tuple[Node, ...] = p.args
        match p.op:
            case "holds" | "vacuous":
                return True
            case "fails":
                return False
            case "seq" | "eventually":
                return False if p.args[1] else None
            case "implies" | "until":
                return None
            case "not":
                inner = self.final(a[0], aborts)
                return None if inner is None else not inner
            case "and":
                every = [self.final(x, aborts) for x in a]
                return False if False in every else None if None in every else True
            case "or":
                each = [self.final(x, aborts) for x in a]
                return True if True in each else None if None in each else False
            case "abort":
                return bool(p.args[0]) if self.holds(a[1], aborts) else self.final(a[2], aborts)
        raise AssertionError(p.op)
