"""The format language of the op tables, and its two compilers: an interpreter of the elements and a one-regex fast path.

A row is one op in the notation of MLIR's ODS `assemblyFormat`:

    row("comb.icmp", "lhs rhs=lhs", "result:i1", "(`bin` $twoState)? $predicate $lhs `,` $rhs attr-dict `:` type($lhs)",
        attrs={"predicate": enum("eq ne slt"), "twoState": UNIT})

Operands and results: `name` one, `name?` optional, `name*` any number; `:type` a fixed type (a name of `SHORT`), `=other` the type of another
operand or result. Types not fixed by the text, a `:` or an `=` are the operand's own; results may be computed by `infer(types, attrs)`.

Elements: `` `lit` ``  `$operand`  `$attr`  `$region`  `$successor`  `type($x)`  `functional-type($a, $b)`  `attr-dict`  `attr-dict-with-keyword`
`( ... )?`  `( ... ):( ... )?`  `<fn>` (a function of `custom`, called with parser and state).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from wasmjit.data import dataclass, field
from wasmjit.ir.attrs import SymbolRef
from wasmjit.ir.core import Op, Value
from wasmjit.ir.names import Operand
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.scanner import BARE
from wasmjit.ir.spec import SPECS, Group, OpSpec, PlainFn
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

ROW_COUNT = [0]
ROWS: list[_Row] = []
"""All rows: their formats are read when the ops are first met, by a test in any case."""
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
class _Slot:
    """An operand or result of a row with its type rule."""

    name: str
    kind: str
    fixed: Type | None
    same: str


@dataclass(slots=True)
class _Row:
    name: str
    operands: list[_Slot]
    results: list[_Slot]
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

    def spell(self) -> _Row:
        """Read the format when the op is first met: most designs use few of the ops."""
        if not self.spelled:
            self.spelled = True
            elements = _parse_format(self.fmt)
            self.elements, tail = _split_tail(elements)
            self.tail_names = _names_of(self, tail)
            if tail or not _has_region(self, elements):
                self.elements = [*self.elements, ("tail", tail)]
            outs = self.results
            if self.infer is not None and not self.infer_attrs and len(outs) == 1 and outs[0].name not in self.tail_names and not self.regions:
                self.tail_names.append(outs[0].name)
        return self


class _State:
    """Operands and types by name while a row is being read."""

    __slots__ = ("operands", "types")

    def __init__(self) -> None:
        self.operands: dict[str, list[Operand]] = {}
        self.types: dict[str, list[Type]] = {}


_SLOT = re.compile(r"(\w+)([?*]?)(?::([\w]+)|=(\w+))?\Z")


@cache
def _slots(text: str) -> list[_Slot]:
    out = []
    for word in text.split():
        m = _SLOT.match(word)
        assert m is not None, word
        out.append(_Slot(m[1], m[2], SHORT[m[3]] if m[3] else None, m[4] or ""))
    return out


@cache
def _groups(text: str) -> tuple[Group, ...]:
    return tuple(Group(x.name, x.kind) for x in _slots(text))


# --- elements ----------------------------------------------------------------------------------------------------------

_ELEMENT = re.compile(
    r"\s*(?:`(?P<lit>[^`]*)`|\$(?P<var>\w+)|(?P<ft>functional-type)\((?P<fta>\$\w+|\w+)\s*,\s*(?P<ftb>\$?\w+)\)"
    r"|type\(\$?(?P<type>\w+)\)|(?P<dict>attr-dict-with-keyword|attr-dict)|<(?P<fn>\w+)>|(?P<open>\()|(?P<close>\)\?|\):\(|\)))"
)


def _parse_format(text: str) -> list[tuple[Any, ...]]:
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


def _present(p: Parser, row: _Row, element: tuple[Any, ...]) -> bool:
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
        return _present(p, row, element[1][0])
    if what == "dict":
        return p.peek("{") or p.peek_word("attributes")
    return False


def _run(p: Parser, row: _Row, elements: Iterable[tuple[Any, ...]], st: OpState, s: _State) -> None:
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
                slots = _group_slots(row, group)
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
            if _present(p, row, e[1][0]):
                _run(p, row, e[1], st, s)
            else:
                _run(p, row, e[2], st, s)
        elif what == "fn":
            CUSTOM[e[1]](p, st, s)
        elif what == "tail":
            st.tail_start = p.ws()
            _run(p, row, e[1], st, s)


CUSTOM: dict[str, Callable[[Parser, OpState, _State], None]] = {}


def custom(fn: Callable[[Parser, OpState, Any], None]) -> Callable[[Parser, OpState, Any], None]:
    """Registers a function as the element `<name>`; its third argument has `operands` and `types` by group name."""
    CUSTOM[fn.__name__.strip("_")] = fn
    return fn


def _group_slots(row: _Row, group: str) -> list[_Slot]:
    if group == "operands":
        return row.operands
    if group == "results":
        return row.results
    return [x for x in (*row.operands, *row.results) if x.name == group]


def _first_type(types: list[Type]) -> Type | None:
    return types[0] if types else None


def _settle(p: Parser, row: _Row, st: OpState, s: _State) -> None:
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
            first = _first_type(types.get(slot.same, []))
            if first is not None:
                types[slot.name] = [first]
    segments = []
    for slot in row.operands:
        st.operands += values[slot.name]
        segments.append(len(values[slot.name]))
    if SPECS[row.name].segmented:
        st.segments = segments
    if row.infer is not None and any(r.name not in types for r in row.results):
        inferred = row.infer(_view(row, types), st.attrs)
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
        out = [_tail_entry(row, n, types) for n in row.tail_names]
        st.tail = row.ident, tuple(out)


def _view(row: _Row, types: dict[str, list[Type]]) -> Types:
    """Types by name: single ones bare, groups as lists."""
    kinds = {x.name: x.kind for x in (*row.operands, *row.results)}
    return {n: (t if kinds.get(n) == "*" else _first_type(t)) for n, t in types.items()}


def _tail_entry(row: _Row, name: str, types: dict[str, list[Type]]) -> Any:
    slot = next(x for x in (*row.operands, *row.results) if x.name == name)
    return tuple(types[name]) if slot.kind == "*" else _first_type(types[name])


# --- rows --------------------------------------------------------------------------------------------------------------


def row(
    name: str,
    operands: str = "",
    results: str = "",
    fmt: str = "attr-dict",
    *,
    attrs: dict[str, AttrKind] | None = None,
    regions: str = "",
    successors: str = "",
    succ_groups: Sequence[str] = (),
    traits: str = "",
    infer: Infer | None = None,
    infer_attrs: bool = False,
    defaults: dict[str, Any] | None = None,
    verify: Callable[..., None] | None = None,
    implicit: str = "",
    lazy: bool = False,
    fast: bool = True,
    normalise: Callable[[Op], None] | None = None,
) -> OpSpec:
    """Adds an op to the table. `regions`: names, `name!` for one without implicit terminator. `infer_attrs`: `infer` looks at attributes.
    `defaults`: attributes added when absent. Returns the spec for further settings."""
    ins, outs = _slots(operands), _slots(results)
    region_kinds = {r.rstrip("!"): "plain" if r.endswith("!") else "" for r in regions.split()}
    ident = ROW_COUNT[0]
    ROW_COUNT[0] += 1
    r = _Row(name, ins, outs, attrs or {}, region_kinds, set(successors.split()), infer, infer_attrs, defaults or {}, ident, fmt)

    ROWS.append(r)

    def parse(p: Parser, st: OpState) -> None:
        s = _State()
        _run(p, r, r.elements if r.spelled else r.spell().elements, st, s)
        _settle(p, r, st, s)

    spec = OpSpec(
        name,
        _groups(operands),
        _groups(results),
        tuple(succ_groups),
        frozenset(traits.split()),
        parse,
        None,
        normalise,
        verify,
        lazy,
        implicit,
    )
    spec.extra["same"] = {x.name: x.same for x in (*ins, *outs) if x.same}
    spec.extra["fixed"] = {x.name: x.fixed for x in (*ins, *outs) if x.fixed is not None}
    SPECS[name] = spec
    if fast and not region_kinds and not r.successors and not any(x.kind == "*" for x in outs[:-1]):
        spec.fast = _first_use(spec, r)
        spec.plain = _plain(r)
    return spec


def _first_use(spec: OpSpec, r: _Row) -> Callable[..., Any]:
    """The fast path is generated when the op is first met: most designs use few of the ops."""
    made: list[Any] = []

    def fast(*args: Any) -> Any:
        # Parsers keep the function they found in the table when they began: this one puts the other in its place there.
        if not made:
            from wasmjit.ir.fastpath import build

            made.append(build(r.spell()))
            spec.fast = made[0]
        if made[0] is not None:
            fasts = args[0].fasts
            for name, known in fasts.items():
                if known is fast:
                    fasts[name] = made[0]
        return made[0](*args) if made[0] is not None else None

    return fast


def _plain(r: _Row) -> Callable[[], PlainFn | None]:
    @cache
    def make() -> PlainFn | None:
        from wasmjit.ir.fastpath import build_plain

        return build_plain(r.spell())

    return make


def rows(names: str, *args: Any, **kwargs: Any) -> None:
    """The same row for several ops, names separated by blanks."""
    for name in names.split():
        row(name, *args, **kwargs)


def _has_region(r: _Row, elements: list[tuple[Any, ...]]) -> bool:
    return bool(r.regions) or bool(r.successors)


def _split_tail(elements: list[tuple[Any, ...]]) -> tuple[list[Any], list[Any]]:
    """Splits off the trailing elements that only spell types."""
    i = len(elements)
    while i > 0 and elements[i - 1][0] in ("type", "ft", "lit"):
        i -= 1
    while i < len(elements) and elements[i][0] == "lit" and elements[i][1] != ":":
        i += 1
    if not any(e[0] in ("type", "ft") for e in elements[i:]):
        i = len(elements)
    return elements[:i], elements[i:]


def _names_of(r: _Row, tail: list[tuple[Any, ...]]) -> list[str]:
    out: list[str] = []
    for e in tail:
        if e[0] == "type":
            out.append(e[1])
        elif e[0] == "ft":
            out += [x.name for group in e[1:] for x in _group_slots(r, group)]
    return out


ParseCustom = Callable[[Parser, OpState], None]


def syntax(
    name: str,
    operands: str = "",
    *,
    succ_groups: Sequence[str] = (),
    traits: str = "",
    lazy: bool = False,
    implicit: str = "",
    verify: Callable[..., None] | None = None,
    normalise: Callable[[Op], None] | None = None,
    results: str | None = None,
) -> Callable[[ParseCustom], ParseCustom]:
    """Registers a hand-written reader for one op (or several, separated by blanks)."""

    def add(fn: ParseCustom) -> ParseCustom:
        for one in name.split():
            SPECS[one] = OpSpec(
                one,
                _groups(operands),
                None if results is None else _groups(results),
                tuple(succ_groups),
                frozenset(traits.split()),
                fn,
                None,
                normalise,
                verify,
                lazy,
                implicit,
            )
        return fn

    return add


def new_row_id() -> int:
    """A slot in `Parser.tails` for a hand-written fast path."""
    ROW_COUNT[0] += 1
    return ROW_COUNT[0] - 1


def fast_path(name: str) -> Callable[[Any], Any]:
    """Registers a hand-written fast path for an op that is in the table already."""

    def add(fn: Any) -> Any:
        SPECS[name].fast = fn
        return fn

    return add


def plain_path(name: str) -> Callable[[PlainFn], PlainFn]:
    """Registers a hand-written function for plain lines of an op that is in the table already."""

    def add(fn: PlainFn) -> PlainFn:
        SPECS[name].plain = lambda: fn
        return fn

    return add


__all__ = [
    "BOOL",
    "INT",
    "STR",
    "SYM",
    "TYPE",
    "TYPED",
    "UNIT",
    "WORD",
    "AttrKind",
    "SymbolRef",
    "custom",
    "enum",
    "fast_path",
    "new_row_id",
    "plain_path",
    "row",
    "rows",
    "syntax",
]
