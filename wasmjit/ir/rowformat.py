"""Rows of the op tables as data: operands and results with their type rules, attributes, and the elements of the format (notation: `wasmjit.ir.assembly`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from wasmjit.data import dataclass, field
from wasmjit.ir.spec import Group
from wasmjit.ir.types import (
    CLOCK,
    F32,
    F64,
    I1,
    I8,
    I16,
    I32,
    I64,
    INDEX,
    PTR,
    TIME,
    DStringType,
    FStringType,
    OpaqueType,
    PropertyType,
    SequenceType,
    Type,
)

SHORT: dict[str, Type] = {
    "i1": I1, "i8": I8, "i16": I16, "i32": I32, "i64": I64, "f32": F32, "f64": F64, "index": INDEX, "time": TIME, "ptr": PTR, "clock": CLOCK,
    "fstring": FStringType(), "dstring": DStringType(), "property": PropertyType(), "sequence": SequenceType(),
    "stream": OpaqueType("!sim.output_stream"),
}  # fmt: skip

Types = dict[str, Any]
Infer = Callable[[Types, dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class AttrKind:
    """How `$attr` is written. kind: int, typed (any attribute), str, sym, type, unit, word, enum, bool."""

    kind: str
    words: tuple[str, ...] = ()


INT, TYPED, STR, SYM, TYPE, UNIT, WORD, BOOL = (AttrKind(k) for k in ("int", "typed", "str", "sym", "type", "unit", "word", "bool"))


def enum(words: str) -> AttrKind:
    return AttrKind("enum", tuple(words.split()))


@dataclass(slots=True)
class Slot:
    """An operand or result of a row with its type rule."""

    name: str
    kind: str
    fixed: Type | None
    same: str


@dataclass(slots=True)
class Row:
    name: str
    operands: list[Slot]
    results: list[Slot]
    attrs: dict[str, AttrKind]
    regions: dict[str, str]
    successors: set[str]
    infer: Infer | None
    infer_attrs: bool
    defaults: dict[str, Any]
    ident: int
    fmt: str
    spelled: bool = False
    elements: list[Any] = field(default_factory=list)
    tail_names: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)

    def spell(self) -> Row:
        """Read the format when the op is first met: most designs use few of the ops."""
        if not self.spelled:
            self.spelled = True
            elements = parse_format(self.fmt)
            self.elements, tail = split_tail(elements)
            self.tail_names = names_of(self, tail)
            if tail or not has_region(self, elements):
                self.elements = [*self.elements, ("tail", tail)]
            outs = self.results
            if self.infer is not None and not self.infer_attrs and len(outs) == 1 and outs[0].name not in self.tail_names and not self.regions:
                self.tail_names.append(outs[0].name)
        return self


_SLOT = re.compile(r"(\w+)([?*]?)(?::([\w]+)|=(\w+))?\Z")


@cache
def slots(text: str) -> list[Slot]:
    out = []
    for word in text.split():
        m = _SLOT.match(word)
        assert m is not None, word
        out.append(Slot(m[1], m[2], SHORT[m[3]] if m[3] else None, m[4] or ""))
    return out


@cache
def groups(text: str) -> tuple[Group, ...]:
    return tuple(Group(x.name, x.kind) for x in slots(text))


# --- elements ----------------------------------------------------------------------------------------------------------

_ELEMENT = re.compile(
    r"\s*(?:`(?P<lit>[^`]*)`|\$(?P<var>\w+)|(?P<ft>functional-type)\((?P<fta>\$\w+|\w+)\s*,\s*(?P<ftb>\$?\w+)\)"
    r"|type\(\$?(?P<type>\w+)\)|(?P<dict>attr-dict-with-keyword|attr-dict)|<(?P<fn>\w+)>|(?P<open>\()|(?P<close>\)\?|\):\(|\)))"
)


def parse_format(text: str) -> list[tuple[Any, ...]]:
    """Elements as tuples: ("lit", s), ("var", name), ("type", name), ("ft", a, b), ("dict", keyword), ("fn", name), ("opt", elements, else)."""
    stack: list[list[tuple[Any, ...]]] = [[]]
    pos = 0
    text = text.strip()
    while pos < len(text):
        m = _ELEMENT.match(text, pos)
        assert m is not None, f"bad format at {text[pos:]!r}"
        pos = m.end()
        if m["lit"] is not None:
            stack[-1].append(("lit", m["lit"]))
        elif m["var"]:
            stack[-1].append(("var", m["var"]))
        elif m["ft"]:
            stack[-1].append(("ft", m["fta"].lstrip("$"), m["ftb"].lstrip("$")))
        elif m["type"]:
            stack[-1].append(("type", m["type"]))
        elif m["dict"]:
            stack[-1].append(("dict", m["dict"] != "attr-dict"))
        elif m["fn"]:
            stack[-1].append(("fn", m["fn"]))
        elif m["open"]:
            stack.append([])
        else:
            group = stack.pop()
            if m["close"] == "):(":
                stack[-1].append(("else", group))
                stack.append([])
                continue
            assert m["close"] == ")?", text
            if stack[-1] and stack[-1][-1][0] == "else":
                stack[-1][-1] = ("opt", stack[-1][-1][1], group)
            else:
                stack[-1].append(("opt", group, []))
    assert len(stack) == 1, text
    return stack[0]


def has_region(r: Row, elements: list[tuple[Any, ...]]) -> bool:
    return bool(r.regions) or bool(r.successors)


def split_tail(elements: list[tuple[Any, ...]]) -> tuple[list[Any], list[Any]]:
    """Splits off the trailing elements that only spell types."""
    i = len(elements)
    while i > 0 and elements[i - 1][0] in ("type", "ft", "lit"):
        i -= 1
    while i < len(elements) and elements[i][0] == "lit" and elements[i][1] != ":":
        i += 1
    if not any(e[0] in ("type", "ft") for e in elements[i:]):
        i = len(elements)
    return elements[:i], elements[i:]


def names_of(r: Row, tail: list[tuple[Any, ...]]) -> list[str]:
    out: list[str] = []
    for e in tail:
        if e[0] == "type":
            out.append(e[1])
        elif e[0] == "ft":
            out += [x.name for group in e[1:] for x in group_slots(r, group)]
    return out


def group_slots(row: Row, group: str) -> list[Slot]:
    if group == "operands":
        return row.operands
    if group == "results":
        return row.results
    return [x for x in (*row.operands, *row.results) if x.name == group]
