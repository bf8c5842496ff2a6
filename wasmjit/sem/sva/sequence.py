"""Sequences as regular expressions over letters, and their derivatives.

A letter is an int: bit i is the value of leaf i (a Boolean condition) at one clock tick. A sequence denotes a set of words of letters; a word is a
match that begins at the word's first tick and ends at its last one (IEEE 1800-2023 §16.9, annex F.5.1). The derivative of a sequence by a letter is
what remains to be matched after this tick (Brzozowski); the sequence matches at a tick when the derivative contains the empty word.

Nodes are made by a `Sequences` only and are interned: equal sequences are one object, so that states can be recognised.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

INF = -1
"""Upper bound of an unbounded repetition or delay."""


class Node:
    """An interned term. `args` are nodes and plain ints or strings. `shortest` and `longest`: bounds of the lengths of a sequence's matches."""

    __slots__ = ("args", "id", "longest", "nullable", "op", "shortest", "support")

    def __init__(self, op: str, args: tuple[Any, ...], ident: int) -> None:
        self.op = op
        self.args = args
        self.id = ident
        self.nullable = False
        self.support = 0
        self.shortest: float = 0
        self.longest: float = math.inf

    def __repr__(self) -> str:
        return self.op if not self.args else f"{self.op}({', '.join(map(repr, self.args))})"


class Sequences:
    """Constructors and derivatives of sequences. `support` of a node: leaves its next derivative can depend on, as a bit mask."""

    def __init__(self) -> None:
        self.table: dict[tuple[Any, ...], Node] = {}
        self.memo: dict[tuple[int, int], Node] = {}
        self.true = self._make("lit", (1,))
        self.false = self._make("lit", (0,))
        self.none = self._make("none", ())
        self.empty = self._make("empty", ())
        self.any = self.bool(self.true)
        self.any_star = self.repeat(self.any, 0, INF)

    # -- interning -----------------------------------------------------------------------------------------------------------------

    def _make(self, op: str, args: tuple[Any, ...]) -> Node:
        key = (op, *[a.id if isinstance(a, Node) else (a,) for a in args])
        n = self.table.get(key)
        if n is None:
            n = self.table[key] = Node(op, args, len(self.table))
            n.nullable = self._nullable(n)
            n.support = self._support(n)
            n.shortest, n.longest = self._lengths(n)
        return n

    def _nullable(self, n: Node) -> bool:
        match n.op:
            case "empty":
                return True
            case "cat" | "both":
                return all(a.nullable for a in n.args)
            case "alt":
                return any(a.nullable for a in n.args)
            case "repeat":
                return bool(n.args[1] == 0 or n.args[0].nullable)
            case "first":
                return bool(n.args[0].nullable)
        return False

    def _lengths(self, n: Node) -> tuple[float, float]:
        a = [x for x in n.args if isinstance(x, Node)]
        match n.op:
            case "empty":
                return 0, 0
            case "bool":
                return 1, 1
            case "cat":
                return a[0].shortest + a[1].shortest, a[0].longest + a[1].longest
            case "fuse":
                return max(a[0].shortest, 1) + max(a[1].shortest, 1) - 1, a[0].longest + a[1].longest - 1
            case "alt":
                return min(x.shortest for x in a), max(x.longest for x in a)
            case "both":
                return max(x.shortest for x in a), min(x.longest for x in a)
            case "repeat":
                low, high = int(n.args[1]), int(n.args[2])
                return low * a[0].shortest, math.inf if high == INF else high * a[0].longest
            case "first":
                return a[0].shortest, a[0].longest
        return 0, math.inf

    def _support(self, n: Node) -> int:
        nodes = [a for a in n.args if isinstance(a, Node)]
        if n.op == "leaf":
            return 1 << int(n.args[0])
        if n.op == "cat" and not nodes[0].nullable:
            return nodes[0].support
        mask = 0
        for a in nodes:
            mask |= a.support
        return mask

    # -- conditions ----------------------------------------------------------------------------------------------------------------

    def leaf(self, i: int) -> Node:
        return self._make("leaf", (i,))

    def bnot(self, a: Node) -> Node:
        if a.op == "lit":
            return self.false if a is self.true else self.true
        return a.args[0] if a.op == "bnot" else self._make("bnot", (a,))

    def band(self, a: Node, b: Node) -> Node:
        if a is self.false or b is self.false:
            return self.false
        if a is self.true or a is b:
            return b
        return a if b is self.true else self._make("band", (a, b))

    def holds(self, cond: Node, letter: int) -> bool:
        """Value of a condition at a tick."""
        match cond.op:
            case "lit":
                return bool(cond.args[0])
            case "leaf":
                return bool(letter >> int(cond.args[0]) & 1)
            case "bnot":
                return not self.holds(cond.args[0], letter)
        return self.holds(cond.args[0], letter) and self.holds(cond.args[1], letter)

    # -- constructors ----------------------------------------------------------------------------------------------------------------

    def bool(self, cond: Node) -> Node:
        """One tick at which the condition holds. A false constant too is looked at when its tick comes, so that an attempt fails then and not before."""
        return self._make("bool", (cond,))

    def cat(self, a: Node, b: Node) -> Node:
        """`a ##1 b`: b begins at the tick after the end of a. The empty match behaves as §16.9.2.1 says for `##1`."""
        if a is self.none or b is self.none:
            return self.none
        if a is self.empty:
            return b
        if b is self.empty:
            return a
        if a.op == "cat":
            return self.cat(a.args[0], self.cat(a.args[1], b))
        return self._make("cat", (a, b))

    def fuse(self, a: Node, b: Node) -> Node:
        """`a ##0 b`: b begins at the last tick of a; neither match may be empty."""
        if a in (self.none, self.empty) or b in (self.none, self.empty):
            return self.none
        return self._make("fuse", (a, b))

    def alt(self, parts: Iterable[Node]) -> Node:
        flat: set[Node] = set()
        for p in parts:
            if p.op == "alt":
                flat.update(p.args)
            elif p is not self.none:
                flat.add(p)
        if len(flat) > 1:
            flat = self._merge_windows(flat)
        if not flat:
            return self.none
        if len(flat) == 1:
            return flat.pop()
        return self._make("alt", tuple(sorted(flat, key=lambda n: n.id)))

    def _window(self, n: Node) -> tuple[Node, int, int] | None:
        """(s, m, n) when the node is `##[m:n] s` in the sense of waiting m..n ticks before s."""
        if n.op == "cat":
            a, b = n.args
            if a is self.any:
                return b, 1, 1
            if a.op == "repeat" and a.args[0] is self.any:
                return b, a.args[1], a.args[2]
        return n, 0, 0

    def _merge_windows(self, parts: set[Node]) -> set[Node]:
        """Waiting for the same thing in overlapping or adjacent windows is waiting in one window: keeps long delay ranges small."""
        by_tail: dict[Node, list[tuple[int, int]]] = {}
        for p in parts:
            w = self._window(p)
            assert w is not None
            by_tail.setdefault(w[0], []).append((w[1], w[2]))
        if len(by_tail) == len(parts):
            return parts
        out: set[Node] = set()
        for tail, windows in by_tail.items():
            windows.sort(key=lambda w: w[0])
            merged = [windows[0]]
            for m, n in windows[1:]:
                lm, ln = merged[-1]
                if ln == INF or m <= ln + 1:
                    merged[-1] = (lm, INF if INF in (ln, n) else max(ln, n))
                else:
                    merged.append((m, n))
            out.update(self.delay(tail, m, n) for m, n in merged)
        return out

    def both(self, a: Node, b: Node) -> Node:
        """`a intersect b`: matches of both with the same length (§16.9.6)."""
        if a is self.none or b is self.none or a.longest < b.shortest or b.longest < a.shortest:
            return self.none
        if a is b or b is self.any_star:
            return a
        if a is self.any_star:
            return b
        if a is self.empty or b is self.empty:
            return self.empty if a.nullable and b.nullable else self.none
        if a.op == "bool" and b.op == "bool":
            return self.bool(self.band(a.args[0], b.args[0]))
        if a.id > b.id:
            a, b = b, a
        return self._make("both", (a, b))

    def conjunction(self, a: Node, b: Node) -> Node:
        """`a and b`: both match from the same start; the match ends with the later one (§16.9.5)."""
        if a.op == "bool" and b.op == "bool":
            return self.both(a, b)
        return self.alt((self.both(a, self.cat(b, self.any_star)), self.both(self.cat(a, self.any_star), b)))

    def repeat(self, s: Node, low: int, high: int) -> Node:
        """`s[*low:high]`; high INF is `$`."""
        if high == 0 or s is self.empty:
            return self.empty
        if s is self.none:
            return self.empty if low == 0 else self.none
        if low == high == 1:
            return s
        return self._make("repeat", (s, low, high))

    def delay(self, s: Node, low: int, high: int) -> Node:
        """`##[low:high] s` at the beginning of a sequence."""
        return self.cat(self.repeat(self.any, low, high), s) if high != 0 else s

    def goto(self, cond: Node, low: int, high: int) -> Node:
        """`cond[->low:high]` (§16.9.2)."""
        step = self.cat(self.repeat(self.bool(self.bnot(cond)), 0, INF), self.bool(cond))
        return self.repeat(step, low, high)

    def non_consecutive(self, cond: Node, low: int, high: int) -> Node:
        """`cond[=low:high]`."""
        return self.cat(self.goto(cond, low, high), self.repeat(self.bool(self.bnot(cond)), 0, INF))

    def first_match(self, s: Node) -> Node:
        """Only the earliest end of matches (§16.9.8)."""
        if s.nullable:
            return self.empty
        return s if s is self.none or s.op == "bool" else self._make("first", (s,))

    # -- derivative --------------------------------------------------------------------------------------------------------------------

    def derive(self, s: Node, letter: int) -> Node:
        """What remains of `s` after a tick with this letter."""
        if s.op in ("none", "empty"):
            return self.none
        key = (s.id, letter & s.support)
        got = self.memo.get(key)
        if got is None:
            got = self.memo[key] = self._derive(s, letter)
        return got

    def _derive(self, s: Node, letter: int) -> Node:
        a: tuple[Node, ...] = s.args
        match s.op:
            case "bool":
                return self.empty if self.holds(a[0], letter) else self.none
            case "cat":
                first = self.cat(self.derive(a[0], letter), a[1])
                return self.alt((first, self.derive(a[1], letter))) if a[0].nullable else first
            case "fuse":
                d = self.derive(a[0], letter)
                first = self.fuse(d, a[1])
                return self.alt((first, self.derive(a[1], letter))) if d.nullable else first
            case "alt":
                return self.alt([self.derive(p, letter) for p in a])
            case "both":
                return self.both(self.derive(a[0], letter), self.derive(a[1], letter))
            case "repeat":
                low, high = int(s.args[1]), int(s.args[2])
                rest = self.repeat(a[0], max(low - 1, 0), high if high == INF else high - 1)
                return self.cat(self.derive(a[0], letter), rest)
            case "first":
                return self.first_match(self.derive(a[0], letter))
        raise AssertionError(s.op)
