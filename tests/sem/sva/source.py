"""Properties as SystemVerilog writes them: their MLIR in the forms circt-verilog makes of each operator, and their meaning from IEEE 1800-2023 annex F.5.

Sequences are the terms of `reference`, without delays in front; properties are tuples, see `Writer.property` and `weakly`. A trace is a tuple of letters.
"""

from __future__ import annotations

from functools import cache

from tests.sem.sva.reference import BOTTOM, INF, TOP, Term, ends, holds

EXTENSION = 16
"""Letters that stand for every continuation of a trace: more than the bounds in a generated property add up to."""


# -- meaning -----------------------------------------------------------------------------------------------------------------------------


def weakly(p: Term, start: int, trace: tuple[int, ...]) -> bool:
    """Whether an attempt that began at tick `start` has not failed yet after `trace`: the trace goes on with letters at which everything holds."""
    return satisfied(p, start, trace + (TOP,) * EXTENSION)


def matchable(p: Term) -> bool:
    """Whether every sequence in a property has a match (§16.12.22 forbids others)."""
    if p[0] in ("seq", "strong", "|->", "|=>", "#-#", "#=#") and not any(e > 0 for e in ends(p[1], 0, (TOP,) * EXTENSION)):
        return False
    return all(matchable(q) for q in p[1:] if isinstance(q, tuple) and q[0] not in SEQUENCES)


SEQUENCES = ("bool", "leaf", "bnot", "band", "cat", "wait", "alt", "both", "conjunction", "first", "repeat", "goto", "nonconsecutive")


def negated(trace: tuple[int, ...]) -> tuple[int, ...]:
    return tuple({TOP: BOTTOM, BOTTOM: TOP}.get(x, x) for x in trace)


@cache
def satisfied(p: Term, i: int, trace: tuple[int, ...]) -> bool:
    n = len(trace)
    beyond = trace[-1] == TOP
    if i >= n or trace[i] < 0:
        return beyond

    def at(q: Term, k: int) -> bool:
        return satisfied(q, k, trace)

    match p:
        case ("seq" | "strong", s):
            return any(e > i for e in ends(s, i, trace))
        case ("not", q):
            return not satisfied(q, i, negated(trace))
        case ("and", q, r):
            return at(q, i) and at(r, i)
        case ("or", q, r):
            return at(q, i) or at(r, i)
        case ("implies", q, r):
            return at(("or", ("not", q), r), i)
        case ("iff", q, r):
            return at(("and", ("implies", q, r), ("implies", r, q)), i)
        case ("|->", s, q):
            return all(at(q, e - 1) for e in ends(s, i, negated(trace)) if e > i)
        case ("|=>", s, q):
            return all(at(q, e) for e in ends(s, i, negated(trace)) if e > i)
        case ("#-#", s, q):
            return any(at(q, e - 1) for e in ends(s, i, trace) if e > i)
        case ("#=#", s, q):
            return any(at(q, e) for e in ends(s, i, trace) if e > i)
        case ("accept_on" | "sync_accept_on" | "disable_iff", c, q):
            return at(q, i) or any(holds(c, trace[k]) and satisfied(q, i, trace[:k] + (TOP,) * (n - k)) for k in range(i, n))
        case ("reject_on" | "sync_reject_on", c, q):
            return at(("not", ("accept_on", c, ("not", q))), i)
        case ("if", c, q, r):
            return at(("and", ("|->", ("bool", c), q), ("|->", ("bool", ("bnot", c)), r)), i)
        case ("nexttime" | "s_nexttime", k, q):
            return at(q, i + k)
        case ("always", q):
            return all(at(q, k) for k in range(i, n)) and beyond
        case ("always_from", m, q):
            return at(("nexttime", m, ("always", q)), i)
        case ("always_range" | "s_always_range", m, k, q):
            return all(at(q, i + j) for j in range(m, k + 1))
        case ("eventually_range" | "s_eventually_range", m, k, q):
            return any(at(q, i + j) for j in range(m, k + 1))
        case ("s_eventually", q):
            return any(at(q, k) for k in range(i, n))
        case ("until" | "s_until", q, r):
            for k in range(i, n):
                if at(r, k):
                    return True
                if not at(q, k):
                    return False
            return beyond
        case ("until_with" | "s_until_with", q, r):
            for k in range(i, n):
                if not at(q, k):
                    return False
                if at(r, k):
                    return True
            return beyond
    raise AssertionError(p)


# -- MLIR --------------------------------------------------------------------------------------------------------------------------------


class Writer:
    """Lines of MLIR for sequences and properties over i1 values %x0, %x1, ..."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.types = {"%true": "i1"}
        self.known: dict[str, str] = {}

    def emit(self, text: str, type_: str) -> str:
        if text not in self.known:
            name = f"%v{len(self.known)}"
            self.known[text] = name
            self.types[name] = type_
            self.lines.append(f"{name} = {text}")
        return self.known[text]

    def unary(self, op: str, v: str, attrs: str = "", type_: str = "!ltl.sequence") -> str:
        return self.emit(f"ltl.{op} {v}{attrs} : {self.types[v]}", type_)

    def several(self, op: str, *vs: str, type_: str = "", attrs: str = "") -> str:
        types = [self.types[v] for v in vs]
        got = type_ or ("!ltl.property" if "!ltl.property" in types else "!ltl.sequence")
        return self.emit(f"ltl.{op} {', '.join(vs)}{attrs} : {', '.join(types)}", got)

    def condition(self, c: Term) -> str:
        match c:
            case ("leaf", i):
                self.types[f"%x{i}"] = "i1"
                return f"%x{i}"
            case ("bnot", a):
                return self.emit(f"comb.xor {self.condition(a)}, %true : i1", "i1")
            case ("band", a, b):
                return self.emit(f"comb.and {self.condition(a)}, {self.condition(b)} : i1", "i1")
        raise AssertionError(c)

    def sequence(self, s: Term) -> str:
        def bounds(low: int, high: int) -> str:
            return f", {low}" if high == INF else f", {low}, {high - low}"

        match s:
            case ("bool", c):
                return self.condition(c)
            case ("cat", a, b):
                return self.several("concat", *(self.unary("delay", self.sequence(x), ", 0, 0") for x in (a, b)))
            case ("wait", a, low, high, b):  # a ##[low:high] b with low >= 1
                first = self.unary("delay", self.sequence(a), ", 0, 0")
                return self.several("concat", first, self.unary("delay", self.sequence(b), bounds(low - 1, high if high == INF else high - 1)))
            case ("alt" | "both" | "conjunction", a, b):
                return self.several({"alt": "or", "both": "intersect", "conjunction": "and"}[s[0]], self.sequence(a), self.sequence(b))
            case ("first", a):
                return self.unary("first_match", self.sequence(a))
            case ("repeat", a, low, high):
                return self.unary("repeat", self.sequence(a), bounds(low, high))
            case ("goto", c, low, high):
                return self.unary("goto_repeat", self.condition(c), bounds(low, high))
            case ("nonconsecutive", c, low, high):
                return self.unary("non_consecutive_repeat", self.condition(c), bounds(low, high))
        raise AssertionError(s)

    def negation(self, v: str) -> str:
        return self.unary("not", v, type_="!ltl.property")

    def eventually(self, v: str, weak: bool = False) -> str:
        return self.unary("eventually", v, " {ltl.weak}" if weak else "", "!ltl.property")

    def shifted(self, v: str, n: int, strong: bool = False) -> str:
        if n == 0:
            return v
        later = self.unary("delay", "%true", f", {n}, 0")
        p = self.several("implication", later, v, type_="!ltl.property")
        return self.several("and", later, p) if strong else p

    def always(self, v: str) -> str:
        return self.negation(self.eventually(self.negation(v), weak=True))

    def strengthened(self, v: str) -> str:
        return self.several("and", v, self.eventually(v), type_="!ltl.property")

    def after(self, s: str, v: str, follows: bool) -> str:
        """`s |=> v`; for `s #=# v` v is already negated, and so is the result."""
        if self.types[v] != "!ltl.property":
            return self.several("implication", s, self.unary("delay", v, ", 1, 0"), type_="!ltl.property")
        if self.types[s] == "i1" and not follows:
            before = self.unary("past", s, ", 1")
        else:
            before = self.several("concat", self.unary("delay", s, ", 1, 0"), "%true", type_="!ltl.sequence")
        return self.several("implication", before, v, type_="!ltl.property")

    def property(self, p: Term) -> str:
        match p:
            case ("seq", s):
                return self.sequence(s)
            case ("strong", s):
                return self.strengthened(self.sequence(s))
            case ("not", q):
                return self.negation(self.property(q))
            case ("and" | "or", q, r):
                return self.several(p[0], self.property(q), self.property(r))
            case ("implies", q, r):
                return self.several("or", self.negation(self.property(q)), self.property(r))
            case ("iff", q, r):
                a, b = self.property(q), self.property(r)
                neither = self.negation(self.several("or", a, b))
                return self.several("or", neither, self.several("and", a, b))
            case ("|->", s, q):
                return self.several("implication", self.sequence(s), self.property(q), type_="!ltl.property")
            case ("|=>", s, q):
                return self.after(self.sequence(s), self.property(q), False)
            case ("#-#", s, q):
                not_q = self.negation(self.property(q))
                return self.negation(self.several("implication", self.sequence(s), not_q, type_="!ltl.property"))
            case ("#=#", s, q):
                return self.negation(self.after(self.sequence(s), self.negation(self.property(q)), True))
            case ("disable_iff", c, q):
                return self.several("or", self.condition(c), self.property(q), attrs=" {sva.disable_iff}")
            case ("accept_on" | "reject_on" | "sync_accept_on" | "sync_reject_on", c, q):
                v = self.condition(c)
                attrs = f' {{sva.abort_on.action = "{"accept" if "accept" in p[0] else "reject"}"}}'
                if p[0].startswith("sync"):
                    v = self.emit(f"ltl.clock {v}, posedge %clk {{sva.explicit_clocking}} : i1", "!ltl.sequence")
                    attrs = attrs.replace("}", ", sva.abort_on.sync}")
                if "accept" in p[0]:
                    return self.several("or", v, self.property(q), attrs=attrs)
                return self.several("and", self.negation(v), self.property(q), attrs=attrs)
            case ("if", c, q, r):
                v = self.condition(c)
                yes = self.several("and", v, self.property(q))
                return self.several("or", yes, self.several("and", self.negation(v), self.property(r)))
            case ("nexttime", k, q):
                v = self.property(q)
                return self.shifted(v, k) if self.types[v] == "!ltl.property" else self.unary("delay", v, f", {k}, 0")
            case ("s_nexttime", k, q):
                v = self.property(q)
                strong = self.types[v] == "!ltl.property"
                return self.shifted(v, k, True) if strong else self.strengthened(self.unary("delay", v, f", {k}, 0"))
            case ("always", q):
                return self.always(self.property(q))
            case ("always_from", m, q):
                return self.always(self.shifted(self.property(q), m))
            case ("always_range" | "s_always_range", m, k, q):
                v = self.property(q)
                parts = [self.shifted(v, j, p[0][0] == "s") for j in range(m, k + 1)]
                return parts[0] if len(parts) == 1 else self.several("and", *parts)
            case ("eventually_range" | "s_eventually_range", m, k, q):
                v = self.property(q)
                strong = p[0][0] == "s"
                if self.types[v] != "!ltl.property":
                    late = self.unary("delay", v, f", {m}, {k - m}")
                    return self.strengthened(late) if strong else late
                parts = [self.shifted(v, j, strong) for j in range(m, k + 1)]
                return parts[0] if len(parts) == 1 else self.several("or", *parts)
            case ("s_eventually", q):
                return self.eventually(self.property(q))
            case ("until" | "s_until" | "until_with" | "s_until_with", q, r):
                a, b = self.property(q), self.property(r)
                if p[0].endswith("with"):
                    b = self.several("and", a, b)
                u = self.several("until", a, b, type_="!ltl.property")
                return self.several("and", u, self.eventually(b)) if p[0].startswith("s_") else u
        raise AssertionError(p)
