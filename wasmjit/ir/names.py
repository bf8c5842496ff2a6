"""SSA names: what an operand means, and what a definition makes of earlier uses."""

from __future__ import annotations

from collections.abc import Sequence

from wasmjit.ir.attrreader import AttrReader
from wasmjit.ir.core import Source, Value, skip_space
from wasmjit.ir.scanner import BARE, SSA
from wasmjit.ir.types import Type

Operand = tuple[str, int]
"""An operand as read: its name with `%`, and where it stands."""


class Scope(dict[str, Value]):
    """SSA names (with `%`) of one region; names of outer regions are found through `parent`. `pending`: used before its definition, with the place."""

    __slots__ = ("parent", "pending")

    def __init__(self, parent: Scope | None) -> None:
        self.parent = parent
        self.pending: dict[str, int] = {}

    def __missing__(self, key: str) -> Value:
        if self.parent is not None:
            return self.parent[key]
        if key.endswith("#0"):
            return self[key[:-2]]
        raise KeyError(key)


class NameReader(AttrReader):
    """Reads operands and knows the names in scope."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.scope = Scope(None)

    def find_aliases(self) -> None:
        """Notes where `#name = ...` and `!name = ...` lines are; they may follow their uses."""
        text = self.text
        for sigil, table in (("#", self.source.attr_aliases), ("!", self.source.type_aliases)):
            at = 0 if text.startswith(sigil) else text.find("\n" + sigil) + 1
            while text.startswith(sigil, at):
                m = BARE.match(text, at + 1)
                if m:
                    eq = skip_space(text, m.end())
                    if text.startswith("=", eq):
                        table.setdefault(m[0], eq + 1)
                following = text.find("\n" + sigil, at)
                if following < 0:
                    break
                at = following + 1

    def ssa(self) -> Operand:
        """`%name` or `%name#1`, not yet looked up."""
        pos = self.ws()
        m = SSA.match(self.text, pos)
        if m is None:
            self.error(f"expected an operand (%...){self.found()}")
        self.pos = m.end()
        return m[0], pos

    def ssa_list(self, end: str = "") -> list[Operand]:
        """Comma-separated operands, possibly none. With `end`, up to and including that bracket."""
        out: list[Operand] = []
        if end and self.accept(end):
            return out
        if not end and not self.peek("%"):
            return out
        while True:
            out.append(self.ssa())
            if not self.accept(","):
                break
        if end:
            self.expect(end)
        return out

    def resolve(self, operand: Operand, t: Type | None) -> Value:
        """The value of an operand; `t` is the type the syntax gives it. A name that is not defined yet gets a placeholder, which its definition fills in."""
        name, pos = operand
        try:
            value = self.scope[name]
        except KeyError:
            value = Value(t, None, 0, name[1:])  # type: ignore[arg-type]
            self.scope[name] = value
            self.scope.pending[name] = pos
            return value
        if t is not None and value.type is not t:
            if value.type is None:
                if value.index >= 0:
                    value.type = t
            else:
                self.error(f"'{name}' has type {value.type}, but is used as {t}", pos)
        return value

    def resolve_all(self, operands: Sequence[Operand], types: Sequence[Type], pos: int | None = None) -> list[Value]:
        if len(operands) != len(types):
            self.error(f"{len(operands)} operands, but {len(types)} types", pos)
        return [self.resolve(o, t) for o, t in zip(operands, types, strict=True)]

    def define(self, name: str, value: Value, pos: int) -> Value:
        """Enters a definition; the value itself, or the placeholder earlier uses hold, filled in."""
        scope = self.scope
        if name in scope:
            if name in scope.pending:
                place = scope[name]
                if place.type is not None and place.type is not value.type:
                    self.error(f"'{name}' has type {value.type}, but is used as {place.type} before", pos)
                del scope.pending[name]
                place.type, place.owner, place.index, place.name = value.type, value.owner, value.index, value.name
                return place
            if scope[name].index < 0:
                return value
            self.error(f"'{name}' is defined twice", pos)
        scope[name] = value
        return value


def near(name: str, scope: Scope) -> str:
    import difflib

    names: list[str] = []
    at: Scope | None = scope
    while at is not None and len(names) < 2000:
        names += [n for n in at if n not in at.pending]
        at = at.parent
    close = difflib.get_close_matches(name, names[:2000], 1)
    return f"did you mean '{close[0]}'?" if close else "values must be defined in this body or an enclosing one"
