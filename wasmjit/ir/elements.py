"""Reads an op by the elements of its row: the general way, which the fast path (`wasmjit.ir.fastpath`) must agree with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from wasmjit.ir.core import Value
from wasmjit.ir.names import Operand
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.rowformat import AttrKind, Row, Types, group_slots
from wasmjit.ir.scanner import BARE
from wasmjit.ir.spec import SPECS
from wasmjit.ir.types import Type


class State:
    """Operands and types by name while a row is being read."""

    __slots__ = ("operands", "types")

    def __init__(self) -> None:
        self.operands: dict[str, list[Operand]] = {}
        self.types: dict[str, list[Type]] = {}


def read_attr(p: Parser, kind: AttrKind, name: str) -> Any:
    k = kind.kind
    if k == "int":
        return p.integer(f"an integer ({name})")
    if k == "bool":
        if not p.accept_word("true"):
            p.expect_word("false")
            return False
        return True
    if k == "str":
        return p.string(f"a string ({name})")
    if k == "sym":
        return p.symbol_ref()
    if k == "type":
        return p.type()
    if k in ("enum", "word"):
        pos = p.ws()
        if p.peek('"'):
            word = p.string()
        else:
            word = p.bare(name)
        if k == "enum" and word not in kind.words:
            p.error(f"unknown {name} '{word}'", pos, "one of: " + " ".join(kind.words))
        return word
    return p.attr()


def present(p: Parser, row: Row, element: tuple[Any, ...]) -> bool:
    """Whether an optional group that begins with `element` is there."""
    what, arg = element[0], element[1]
    if what == "lit":
        return p.peek_word(arg) if BARE.fullmatch(arg) else p.peek(arg)
    if what == "var":
        if arg in row.attrs:
            kind = row.attrs[arg]
            c = p.text[p.ws() : p.pos + 1]
            return {
                "str": c == '"', "sym": c == "@", "int": c.isdigit() or c == "-", "type": c == "!" or c.isalpha(),
                "enum": any(p.peek_word(w) for w in kind.words), "word": c.isalpha(), "bool": c in "tf", "typed": c not in ("", ":", "}", "{", "%", "^"),
            }.get(kind.kind, False)  # fmt: skip
        if arg in row.regions:
            return p.peek("{")
        if arg in row.successors:
            return p.peek("^")
        return p.peek("%")
    if what == "opt":
        return present(p, row, element[1][0])
    if what == "dict":
        return p.peek("{") or p.peek_word("attributes")
    return False


def run(p: Parser, row: Row, elements: Iterable[tuple[Any, ...]], st: OpState, s: State) -> None:
    for e in elements:
        what = e[0]
        if what == "lit":
            word = e[1]
            if word and (word[0].isalpha() or word[0] == "_"):
                p.expect_word(word)
            elif word:
                p.expect(word)
        elif what == "var":
            name = e[1]
            if name in row.attrs:
                if row.attrs[name].kind == "unit":
                    st.attrs[name] = True
                else:
                    st.attrs[name] = read_attr(p, row.attrs[name], name)
            elif name in row.regions:
                kind = row.regions[name]
                spec = SPECS[row.name]
                region = p.region((), spec.lazy, "isolated" in spec.traits, spec.implicit if kind != "plain" else "")
                st.regions.append(region)
            elif name in row.successors:
                st.successors.append(p.successor())
            else:
                slot = next(x for x in row.operands if x.name == name)
                if slot.kind == "*":
                    s.operands[name] = p.ssa_list()
                elif slot.kind == "?" and not p.peek("%"):
                    s.operands[name] = []
                else:
                    s.operands[name] = [p.ssa()]
        elif what == "type":
            name = e[1]
            slot = next(x for x in (*row.operands, *row.results) if x.name == name)
            if slot.kind == "*":
                if s.operands.get(name, True):
                    s.types[name] = p.types_plain()
                else:
                    s.types[name] = []
            else:
                s.types[name] = [p.type()]
        elif what == "ft":
            pos = p.ws()
            ft = p.function_type()
            for group, types in ((e[1], ft.inputs), (e[2], ft.results)):
                slots = group_slots(row, group)
                if len(slots) == 1 and slots[0].kind == "*":
                    s.types[slots[0].name] = list(types)
                elif len(types) != len(slots):
                    p.error(f"expected {len(slots)} types, got {len(types)}", pos)
                else:
                    for slot, t in zip(slots, types, strict=True):
                        s.types[slot.name] = [t]
        elif what == "dict":
            if not e[1] or p.accept_word("attributes"):
                for key, value in p.optional_attr_dict().items():
                    st.attrs[key] = value
        elif what == "opt":
            if present(p, row, e[1][0]):
                run(p, row, e[1], st, s)
            else:
                run(p, row, e[2], st, s)
        elif what == "fn":
            CUSTOM[e[1]](p, st, s)
        elif what == "tail":
            st.tail_start = p.ws()
            run(p, row, e[1], st, s)


CUSTOM: dict[str, Callable[[Parser, OpState, State], None]] = {}


def custom(fn: Callable[[Parser, OpState, Any], None]) -> Callable[[Parser, OpState, Any], None]:
    """Registers a function as the element `<name>`; its third argument has `operands` and `types` by group name."""
    CUSTOM[fn.__name__.strip("_")] = fn
    return fn


def first_type(types: list[Type]) -> Type | None:
    return types[0] if types else None


def settle(p: Parser, row: Row, st: OpState, s: State) -> None:
    """Fixes the types that the text left open, looks the operands up, and computes result types."""
    types, ops = s.types, s.operands
    slots = (*row.operands, *row.results)
    for slot in slots:
        if slot.fixed is not None and slot.name not in types:
            n = len(ops.get(slot.name, ())) if slot in row.operands else 1
            types[slot.name] = [slot.fixed] * n
    for _ in range(2):  # once in each direction along `=`
        for slot in slots:
            if not slot.same:
                continue
            there = types.get(slot.same)
            if slot.name not in types and there:
                n = len(ops.get(slot.name, ())) if slot in row.operands else 1
                types[slot.name] = [there[0]] * n
            elif there is None and types.get(slot.name):
                n = len(ops.get(slot.same, ())) if slot.same in ops else 1
                types[slot.same] = [types[slot.name][0]] * n
    values: dict[str, list[Value]] = {}
    for slot in row.operands:
        given = ops.get(slot.name, [])
        known = types.get(slot.name)
        if known is None:
            values[slot.name] = [p.resolve(o, None) for o in given]
            types[slot.name] = [v.type for v in values[slot.name]]
        else:
            if len(known) == 1 and len(given) > 1:
                known = types[slot.name] = known * len(given)
            values[slot.name] = p.resolve_all(given, known, st.pos)
    # `=` against an operand whose type only its definition told.
    for slot in row.results:
        if slot.name not in types and slot.same:
            first = first_type(types.get(slot.same, []))
            if first is not None:
                types[slot.name] = [first]
    segments = []
    for slot in row.operands:
        st.operands += values[slot.name]
        segments.append(len(values[slot.name]))
    if SPECS[row.name].segmented:
        st.segments = segments
    if row.infer is not None and any(r.name not in types for r in row.results):
        inferred = row.infer(view(row, types), st.attrs)
        if isinstance(inferred, str):
            p.error(inferred, st.pos)
        for slot, t in zip(
            [r for r in row.results if r.name not in types], inferred if isinstance(inferred, list) else [inferred], strict=True
        ):
            types[slot.name] = t if isinstance(t, list) else [t]
    for slot in row.results:
        got = types.get(slot.name)
        if got is None and slot.kind:
            got = []
        if got is None or None in got:
            p.error(f"the type of the result of {row.name} is not known here; define its operands first", st.pos)
        st.results += got
    for key, value in row.defaults.items():
        st.attrs.setdefault(key, value)
    if st.tail_start >= 0 and None not in [t for group in types.values() for t in group]:
        out = [tail_entry(row, n, types) for n in row.tail_names]
        st.tail = row.ident, tuple(out)


def view(row: Row, types: dict[str, list[Type]]) -> Types:
    """Types by name: single ones bare, groups as lists."""
    kinds = {x.name: x.kind for x in (*row.operands, *row.results)}
    return {n: (t if kinds.get(n) == "*" else first_type(t)) for n, t in types.items()}


def tail_entry(row: Row, name: str, types: dict[str, list[Type]]) -> Any:
    slot = next(x for x in (*row.operands, *row.results) if x.name == name)
    return tuple(types[name]) if slot.kind == "*" else first_type(types[name])
