"""Sequences and properties on finite traces, written down directly from IEEE 1800-2023 §16.9 and §16.12: sets of match ends, no derivatives.

Terms are tuples. A trace is a list of letters. `ends(s, i, trace)`: exclusive ends of the matches of s that begin at tick i.
"""

from __future__ import annotations

from functools import cache

INF = -1
TOP, BOTTOM = -1, -2
"""Letters of continuations (annex F.5): every condition holds at the one and none at the other, whatever it is."""
Term = tuple


def holds(cond: Term, letter: int) -> bool:
    if letter < 0:
        return letter == TOP
    match cond:
        case ("leaf", i):
            return bool(letter >> i & 1)
        case ("bnot", a):
            return not holds(a, letter)
        case ("band", a, b):
            return holds(a, letter) and holds(b, letter)
    raise AssertionError(cond)


@cache
def ends(s: Term, i: int, trace: tuple[int, ...]) -> frozenset[int]:
    n = len(trace)
    match s:
        case ("bool", c):
            return frozenset({i + 1} if i < n and holds(c, trace[i]) else ())
        case ("any",):
            return frozenset({i + 1} if i < n else ())
        case ("cat", a, b):
            return frozenset(f for e in ends(a, i, trace) for f in ends(b, e, trace))
        case ("fuse", a, b):
            return frozenset(f for e in ends(a, i, trace) if e > i for f in ends(b, e - 1, trace) if f > e - 1)
        case ("wait", a, low, high, b):
            return ends(("cat", a, ("delay", b, low - 1, high if high == INF else high - 1)), i, trace)
        case ("alt", a, b):
            return ends(a, i, trace) | ends(b, i, trace)
        case ("both", a, b):
            return ends(a, i, trace) & ends(b, i, trace)
        case ("conjunction", a, b):
            return frozenset(max(e, f) for e in ends(a, i, trace) for f in ends(b, i, trace))
        case ("first", a):
            return frozenset(sorted(ends(a, i, trace))[:1])
        case ("repeat", a, low, high):
            out: set[int] = set()
            now: set[int] = {i}
            last = high if high != INF else low + n + 1
            for k in range(last + 1):
                if k >= low:
                    out |= now
                now = {f for e in now for f in ends(a, e, trace)}
            return frozenset(out)
        case ("delay", a, low, high):
            return ends(("cat", ("repeat", ("any",), low, high), a), i, trace)
        case ("goto", c, low, high):
            step = ("cat", ("repeat", ("bool", ("bnot", c)), 0, INF), ("bool", c))
            return ends(("repeat", step, low, high), i, trace)
        case ("nonconsecutive", c, low, high):
            return ends(("cat", ("goto", c, low, high), ("repeat", ("bool", ("bnot", c)), 0, INF)), i, trace)
    raise AssertionError(s)


@cache
def true_at(p: Term, i: int, trace: tuple[int, ...]) -> bool:
    """Truth on a trace that ends: sequences and eventually are strong, until is weak."""
    n = len(trace)
    match p:
        case ("seq", s):
            return any(e > i for e in ends(s, i, trace))
        case ("implies", s, q):
            return all(true_at(q, e - 1, trace) for e in ends(s, i, trace) if e > i)
        case ("not", q):
            return not true_at(q, i, trace)
        case ("and", a, b):
            return true_at(a, i, trace) and true_at(b, i, trace)
        case ("or", a, b):
            return true_at(a, i, trace) or true_at(b, i, trace)
        case ("until", a, b):
            for k in range(i, n):
                if true_at(b, k, trace):
                    return True
                if not true_at(a, k, trace):
                    return False
            return True
        case ("eventually", a):
            return any(true_at(a, k, trace) for k in range(i, n))
        case ("always", a):
            return all(true_at(a, k, trace) for k in range(i, n))
    raise AssertionError(p)
