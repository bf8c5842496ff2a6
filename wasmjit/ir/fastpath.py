"""Compiles a table row into straight-line code for statements written as the MLIR printer writes them.

A *plain line* is `%r = name word %a, %b, %c : types` with one to three operands and, in front of them, perhaps a word of a fixed set: what the statement loop's
own regular expression takes apart (`parser._LINE`), so that the row's function gets its pieces (`build_plain`). Other rows have a regular expression of their own
for what follows the name (`build`).

The function returns None for anything unusual (forward references, unknown type texts, several results); the general reader then takes the
statement, with full checks and messages. Types at the end of a line are not parsed but looked up by their text: the general reader notes them
when it meets a text for the first time (`Parser.tails`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from wasmjit.ir.attrs import SymbolRef
from wasmjit.ir.core import Op, Value, definition, statement
from wasmjit.ir.scanner import to_int

if TYPE_CHECKING:
    from wasmjit.ir.rowformat import Row
    from wasmjit.ir.spec import FastFn, PlainFn

_SSA = r"%[\w$.-]+(?:#\d+)?"
_ATTR_RX = {
    "int": r"(-?\d+)(?![\w.])",
    "bool": r"(true|false)(?![\w$.])",
    "str": r'"([^"\\\n]*)"',
    "sym": r'(@(?:[A-Za-z_$.-][\w$.-]*|"[^"\\\n]*"))(?!:)',
}


class _NotSimple(Exception):
    """The row has elements a regular expression cannot take."""


class _Builder:
    def __init__(self, row: Row) -> None:
        self.row = row
        self.regex: list[str] = []
        self.groups: list[str] = []  # python variable per capture group
        self.code: list[str] = []
        self.attr_code: list[str] = []
        self.const_attrs: list[str] = []
        self.operand_vars: dict[str, str] = {}
        self.dict_group = ""
        self.absent: set[str] = set()
        self.plain = False
        self.two_state = ""
        """Attribute that the word `bin` stands for."""
        self.words: dict[str, str] = {}
        """What the word of a plain line may be, with the comma that follows it, and the attribute's value."""

    def group(self) -> str:
        name = f"g{len(self.groups)}"
        self.groups.append(name)
        return name

    def elements(self, elements: list[Any], optional: bool) -> None:
        row = self.row
        for e in elements:
            what = e[0]
            if what == "lit":
                if not e[1]:
                    continue
                word = re.escape(e[1])
                self.regex.append(" *" + (word + r"(?![\w$.])" if e[1][-1].isalnum() else word))
            elif what == "var" and e[1] in row.attrs:
                kind = row.attrs[e[1]]
                if kind.kind == "unit":
                    if not optional:
                        raise _NotSimple
                    continue
                if kind.kind == "enum":
                    g = self.group()
                    self.regex.append(" *(" + "|".join(sorted(map(re.escape, kind.words), key=len, reverse=True)) + r")(?![\w$.])")
                    value = g
                elif kind.kind in _ATTR_RX:
                    g = self.group()
                    self.regex.append(" *" + _ATTR_RX[kind.kind])
                    value = {"int": f"int({g})", "bool": f"({g} == 'true')", "str": g, "sym": f"_symbol({g})"}[kind.kind]
                else:
                    raise _NotSimple
                if optional:
                    self.attr_code.append(f"    if {g} is not None: attrs[{e[1]!r}] = {value}")
                else:
                    self.const_attrs.append(f"{e[1]!r}: {value}")
            elif what == "var":
                slot = next((x for x in row.operands if x.name == e[1]), None)
                if slot is None or slot.name in self.operand_vars:
                    raise _NotSimple
                g = self.group()
                self.operand_vars[e[1]] = g
                if slot.kind == "*":
                    self.regex.append(f" *((?:{_SSA}, )*{_SSA})" + ("" if optional else "?"))
                elif slot.kind == "?" and not optional:
                    self.regex.append(f"(?: *({_SSA}))?")
                else:
                    self.regex.append(f" *({_SSA})")
            elif what == "dict":
                if e[1] or optional or self.dict_group:
                    raise _NotSimple
                self.dict_group = self.group()
                self.regex.append(r"(?: *(\{[^{}\n]*\}))?")
            elif what == "opt":
                if e[2]:
                    raise _NotSimple
                if e[1][0][0] == "lit" and any(
                    x[0] in ("fn", "type") or (x[0] == "var" and x[1] in row.attrs and row.attrs[x[1]].kind == "typed") for x in e[1]
                ):
                    # A rare clause: where it is present, the rest of the line is no known type text, and the general reader takes over.
                    for x in e[1]:
                        if x[0] == "var" and x[1] not in row.attrs:
                            self.absent.add(x[1])
                    continue
                unit = next((x[1] for x in e[1] if x[0] == "var" and x[1] in row.attrs and row.attrs[x[1]].kind == "unit"), None)
                if unit is not None:
                    if any(x[0] != "lit" and x[1] != unit for x in e[1]):
                        raise _NotSimple
                    g = self.group()
                    self.regex.append("(?:(")
                    self.elements(e[1], True)
                    self.regex.append("))?")
                    self.attr_code.append(f"    if {g} is not None: attrs[{unit!r}] = True")
                else:
                    self.regex.append("(?:")
                    self.elements(e[1], True)
                    self.regex.append(")?")
            elif what == "tail":
                pass
            else:
                raise _NotSimple

    def plain_elements(self) -> None:
        """The pieces of a plain line; raises _NotSimple when the row is none."""
        row = self.row
        self.plain = True
        elements = list(row.elements[:-1])
        if elements and elements[0][0] == "opt" and elements[0][1][0] == ("lit", "bin"):
            self.two_state = elements.pop(0)[1][1][1]
        if elements and elements[-1] == ("dict", False):
            elements.pop()  # without a dictionary
        tail = row.elements[-1]
        if tail[0] != "tail" or not tail[1] or tail[1][0] != ("lit", ":") or not elements:
            raise _NotSimple
        first = elements[0]
        if first[0] == "var" and first[1] in row.attrs:
            kind = row.attrs[first[1]]
            if kind.kind != "enum":
                raise _NotSimple
            elements.pop(0)
            self.two_state = ""  # two words are no plain line
            comma = bool(elements) and elements[0] == ("lit", ",")
            if comma:
                elements.pop(0)
            self.words = {w + "," if comma else w: w for w in kind.words}
            self.const_attrs.append(f"{first[1]!r}: words[word]")
        slots = {x.name: x for x in row.operands}
        names = [e[1] for e in elements[::2]]
        if not 1 <= len(names) <= 3 or len(elements) != 2 * len(names) - 1 or any(e != ("lit", ",") for e in elements[1::2]):
            raise _NotSimple
        if any(e[0] != "var" or e[1] not in slots for e in elements[::2]) or len(set(names)) != len(names):
            raise _NotSimple
        if any(slots[n].kind for n in names) and (len(names) > 1 or slots[names[0]].kind != "*"):
            raise _NotSimple
        self.operand_vars = {n: f"g{i}" for i, n in enumerate(names)}

    def plain_head(self) -> list[str]:
        """Code that refuses lines whose pieces are not those of the row."""
        out = ["def fast(p, start, rname, word, g0, g1, g2, tail, scope):"]
        if self.words:
            out.append("    if word not in words: return None")
        elif self.two_state:
            out.append("    if word is not None and word != 'bin': return None")
            self.attr_code.append(f"    if word is not None: attrs[{self.two_state!r}] = True")
        else:
            out.append("    if word is not None: return None")
        n = len(self.operand_vars)
        if not any(x.kind for x in self.row.operands):
            out.append("    if " + {1: "g1 is not None", 2: "g1 is None or g2 is not None", 3: "g2 is None"}[n] + ": return None")
        return out

    # Python expression for the type of a slot, None if it is only known from the operand.
    def type_of(self, name: str, seen: frozenset[str] = frozenset()) -> str | None:
        row = self.row
        if name in seen:
            return None
        if name in row.tail_names:
            return f"t{row.tail_names.index(name)}"
        slot = next(x for x in (*row.operands, *row.results) if x.name == name)
        if slot.fixed is not None:
            return f"F_{name}"
        if slot.same:
            found = self.type_of(slot.same, seen | {name})
            if found:
                return found
            if slot.same in self.operand_vars and not next(x for x in row.operands if x.name == slot.same).kind:
                return f"v_{slot.same}.type" if slot in row.results or self.before(slot.same, name) else None
        for other in (*row.operands, *row.results):
            if other.same == name and other.name not in seen:
                found = self.type_of(other.name, seen | {name})
                if found and not found.startswith("v_"):
                    return found
        return None

    def before(self, a: str, b: str) -> bool:
        names = [x.name for x in self.row.operands]
        return a in names and b in names and names.index(a) < names.index(b)

    def build(self, plain: bool = False) -> tuple[str, str]:
        """(regular expression, code); the first is empty for plain lines."""
        row = self.row
        if len(row.results) > 1 or (not row.elements or row.elements[-1][0] != "tail"):
            raise _NotSimple
        if plain:
            self.plain_elements()
        else:
            self.elements(row.elements, False)
        missing = [x.name for x in row.operands if x.name not in self.operand_vars and x.name not in self.absent]
        if missing:
            raise _NotSimple
        pattern = "".join(self.regex) + r"[ \t]*([^\n]*)"
        out = self.plain_head() if plain else ["def fast(p, pos, start, rname, scope):", "    m = match(p.text, pos)", "    if m is None: return None"]
        result = row.results[0] if row.results else None
        if result is None:
            out.append("    if rname is not None: return None")
        elif not result.kind:
            out.append("    if rname is None or rname in scope: return None")
        if not plain:
            out.append(f"    {', '.join([*self.groups, 'tail'])}{',' if not self.groups else ''} = m.groups()")
        out.append("    sloc = None")
        out.append("    if p.has_locs: tail, sloc = p.split_loc(tail)")
        out.append(f"    t = p.tails[{row.ident}].get(tail)")
        out.append("    if t is None: return None")
        if row.tail_names:
            out.append("    " + ", ".join(f"t{i}" for i in range(len(row.tail_names))) + ", = t")
        if result is not None and result.kind:
            rt = self.type_of(result.name)
            if rt is None or result.name not in row.tail_names or result.kind != "*":
                raise _NotSimple
            out.append(f"    if len({rt}) != (rname is not None) or (rname is not None and rname in scope): return None")
        out.append("    try:")
        parts = []
        checks = []
        seg = []
        for slot in row.operands:
            if slot.name in self.absent:
                seg.append("0")
                continue
            g = self.operand_vars[slot.name]
            expected = self.type_of(slot.name)
            if slot.kind == "*":
                if plain:
                    out.append(f"        v_{slot.name} = [scope[g0]] if g1 is None else [scope[g0], scope[g1]] if g2 is None else [scope[g0], scope[g1], scope[g2]]")
                else:
                    out.append(f"        v_{slot.name} = [scope[n] for n in {g}.split(', ')] if {g} else []")
                parts.append(f"*v_{slot.name}")
                seg.append(f"len(v_{slot.name})")
                if slot.name in row.tail_names:
                    checks.append(f"    if len(v_{slot.name}) != len({expected}): return None")
                    checks.append(f"    for v, x in zip(v_{slot.name}, {expected}):\n        if v.type is not x: return None")
                elif expected:
                    src = None
                    if re.fullmatch(r"t[0-9]+", expected):
                        name = row.tail_names[int(expected[1:])]
                        src = next(x for x in (*row.operands, *row.results) if x.name == name)
                    if src is not None and src.kind == "*":
                        raise _NotSimple
                    checks.append(f"    for v in v_{slot.name}:\n        if v.type is not {expected}: return None")
                else:
                    checks.append(f"    for v in v_{slot.name}:\n        if v.type is None: return None")
            elif slot.kind == "?":
                out.append(f"        v_{slot.name} = [scope[{g}]] if {g} else []")
                parts.append(f"*v_{slot.name}")
                seg.append(f"len(v_{slot.name})")
                test = f"v_{slot.name}[0].type is not {expected}" if expected else f"v_{slot.name}[0].type is None"
                checks.append(f"    if v_{slot.name} and {test}: return None")
            else:
                out.append(f"        v_{slot.name} = scope[{g}]")
                parts.append(f"v_{slot.name}")
                seg.append("1")
                checks.append(f"    if v_{slot.name}.type is {'not ' + expected if expected else 'None'}: return None")
        out.append("        pass")
        out.append("    except KeyError: return None")
        out += checks
        if self.absent and row.infer is not None:
            raise _NotSimple
        attrs = [*self.const_attrs, *(f"{k!r}: {v!r}" for k, v in row.defaults.items())]
        out.append("    attrs = {" + ", ".join(attrs) + "}")
        out += self.attr_code
        if self.dict_group:
            out.append(f"    if {self.dict_group} is not None: attrs.update(p.dict_at(m.start({self.groups.index(self.dict_group) + 1})))")
        if sum(1 for x in row.operands if x.kind) > 1:
            out.append(f"    attrs['operandSegmentSizes'] = [{', '.join(seg)}]")
        operands = "[" + ", ".join(parts) + "]"
        if len(parts) == 1 and parts[0].startswith("*"):
            operands = parts[0][1:]
        common = f"{row.name!r}, {operands}, attrs, start, p.source, p.block, sloc"
        if result is None:
            out.append(f"    op = statement({common})")
        elif result.kind == "*":
            rt = self.type_of(result.name)
            out.append("    if rname is None:")
            out.append(f"        op = statement({common})")
            out.append("    else:")
            out.append(f"        op, scope[rname] = definition({common}, {rt}[0], rname)")
        else:
            rt = self.type_of(result.name)
            if rt is None:
                if row.infer is None:
                    raise _NotSimple
                view = ", ".join(
                    f"{x.name!r}: "
                    + (
                        f"[v.type for v in v_{x.name}]"
                        if x.kind == "*"
                        else f"(v_{x.name}[0].type if v_{x.name} else None)"
                        if x.kind
                        else f"v_{x.name}.type"
                    )
                    for x in row.operands
                )
                out.append(f"    rt = infer({{{view}}}, attrs)")
                out.append("    if rt is None or isinstance(rt, (str, list)): return None")
                rt = "rt"
            out += define(f"{row.name!r}", operands, str(rt))
        if not plain:
            out.append("    p.pos = m.end()")
        out.append("    return op")
        return pattern, "\n".join(out)


def define(name: str, operands: str, type_: str) -> list[str]:
    """`core.definition`, written out: most statements come here."""
    fields = {
        "name": name, "operands": operands, "results": "[r]", "attrs": "attrs", "regions": "()", "successors": "()", "_pos": "start", "_src": "p.source",
        "parent": "p.block", "_sloc": "sloc",
    }  # fmt: skip
    return [
        "    op = new(Op)",
        "    r = scope[rname] = new(Value)",
        f"    r.type = {type_}",
        "    r.owner = op",
        "    r.index = 0",
        "    r.name = rname[1:]",
        *(f"    op.{k} = {v}" for k, v in fields.items()),
    ]


def _symbol(text: str) -> SymbolRef:
    return SymbolRef(text[2:-1] if text[1] == '"' else text[1:])


def build(row: Row) -> FastFn | None:
    """The fast path of a row; None if its format is not a line that one regular expression takes."""
    builder = _Builder(row)
    try:
        pattern, code = builder.build()
    except _NotSimple:
        return None
    return _compiled(builder, code, match=re.compile(pattern, re.ASCII).match)  # type: ignore[no-any-return]


def build_plain(row: Row) -> PlainFn | None:
    """The function for plain lines of a row; None if it has no such form."""
    builder = _Builder(row)
    try:
        _, code = builder.build(plain=True)
    except _NotSimple:
        return None
    return _compiled(builder, code, words=builder.words)  # type: ignore[no-any-return]


def _compiled(builder: _Builder, code: str, **names: Any) -> Any:
    row = builder.row
    names |= {
        "Op": Op, "Value": Value, "new": object.__new__, "definition": definition, "statement": statement, "infer": row.infer, "_symbol": _symbol, "int": to_int,
    }  # fmt: skip
    names.update({f"F_{x.name}": x.fixed for x in (*row.operands, *row.results) if x.fixed is not None})
    exec(compile(code, f"<fast path of {row.name}>", "exec"), names)  # noqa: S102  (the text is made above, from the tables only)
    return names["fast"]
