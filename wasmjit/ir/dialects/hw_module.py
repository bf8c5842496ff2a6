"""hw: types, modules, instances. Formats: CIRCT `HW/HWStructure.td`, `HWTypes.cpp` and `HWOps.cpp`."""

from __future__ import annotations

import re
from typing import Any

from wasmjit.ir.assembly import syntax
from wasmjit.ir.attrreader import dialect_attr
from wasmjit.ir.core import Op
from wasmjit.ir.normal import named_enum
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.typereader import dialect_type, field_name, int_type
from wasmjit.ir.types import (
    I1,
    ArrayType,
    EnumType,
    InOutType,
    OpaqueType,
    StringType,
    StructType,
    Type,
    UnionType,
)

# --- types -------------------------------------------------------------------------------------------------------------


@dialect_type("hw.array", "hw.uarray")
def _array(p: Parser) -> Type:
    packed = not p.text.endswith("uarray", 0, p.pos)
    start = p.pos
    p.expect("<")
    if p.peek("#"):
        p.pos = start
        return OpaqueType(f"!hw.{'array' if packed else 'uarray'}{p.skip_balanced()}")
    m = re.compile(r"([0-9]+)x").match(p.text, p.ws())
    if m is None:
        p.error(f"expected the size of the array (Nx){p.found()}")
    p.pos = m.end()
    if len(m[1]) > 10:
        p.error(f"array of {m[1]} elements is too large", m.start())
    elem = p.type("hw.")
    p.expect(">")
    return ArrayType(int(m[1]), elem, packed)


@dialect_type("hw.struct")
def _struct(p: Parser) -> Type:
    p.expect("<")
    fields: list[tuple[str, Type]] = []
    seen = set()
    if not p.accept(">"):
        while True:
            pos = p.ws()
            name = field_name(p)
            if name in seen:
                p.error(f"field '{name}' is given twice", pos)
            seen.add(name)
            p.expect(":")
            fields.append((name, p.type("hw.")))
            if p.accept(">"):
                break
            p.expect(",")
    return StructType(tuple(fields))


@dialect_type("hw.union")
def _union(p: Parser) -> Type:
    p.expect("<")
    fields: list[tuple[str, Type, int]] = []
    if not p.accept(">"):
        while True:
            name = field_name(p)
            p.expect(":")
            t = p.type("hw.")
            offset = p.integer() if p.accept_word("offset") else 0
            fields.append((name, t, offset))
            if p.accept(">"):
                break
            p.expect(",")
    return UnionType(tuple(fields))


@dialect_type("hw.enum")
def _enum_type(p: Parser) -> Type:
    p.expect("<")
    names = []
    if not p.accept(">"):
        while True:
            names.append(p.bare("an enumerator"))
            if p.accept(">"):
                break
            p.expect(",")
    return EnumType(tuple(names))


@dialect_type("hw.inout")
def _inout(p: Parser) -> Type:
    p.expect("<")
    elem = p.type("hw.")
    p.expect(">")
    return InOutType(elem)


@dialect_type("hw.int")
def _int(p: Parser) -> Type:
    """`!hw.int<17>` is i17; with a parameter it stays text."""
    start = p.pos
    p.expect("<")
    if p.text[p.ws() : p.pos + 1].isdigit():
        width = p.integer()
        p.expect(">")
        return int_type(p, width, "", start)
    p.pos = start
    return OpaqueType("!hw.int" + p.skip_balanced())


@dialect_type("hw.string")
def _string(p: Parser) -> Type:
    return StringType()


@dialect_type("hw.typealias")
def _typealias(p: Parser) -> Type:
    """`!hw.typealias<@scope::@name, T>` is T."""
    p.expect("<")
    p.symbol_ref()
    p.expect(",")
    t = p.type("hw.")
    p.expect(">")
    return t


@dialect_type("hw.modty")
def _modty(p: Parser) -> Type:
    return OpaqueType("!hw.modty" + p.skip_balanced())


@dialect_attr("hw.enum.field")
def _enum_field(p: Parser) -> Any:
    p.expect("<")
    name = p.bare("an enumerator")
    p.expect(",")
    p.type()
    p.expect(">")
    return name


# --- modules -----------------------------------------------------------------------------------------------------------

Port = tuple[str, str, Type, dict[str, Any]]


def parameters(p: Parser, values: bool) -> list[dict[str, Any]]:
    """`<W: i32 = 4, N: none>`: dictionaries with name, type and, where given, value."""
    out: list[dict[str, Any]] = []
    if not p.accept("<"):
        return out
    if p.accept(">"):
        return out
    while True:
        one: dict[str, Any] = {"name": p.key("a parameter name")}
        p.expect(":")
        one["type"] = p.type()
        if p.accept("="):
            one["value"] = p.attr()
        out.append(one)
        if p.accept(">"):
            return out
        p.expect(",")


def port_name(p: Parser) -> str:
    if p.peek('"'):
        return p.string()
    m = p.match(re.compile(r"[A-Za-z0-9_$.-]+"))
    if m is None:
        p.error(f"expected a port name{p.found()}")
    return m[0]


_DIRECTIONS = (("inout", "inout"), ("input", "in"), ("output", "out"), ("in", "in"), ("out", "out"), ("return", "out"), ("ref", "in"))
"""Keyword and direction; the last two are of DPI functions, whose port attributes then say which."""


def port_list(p: Parser, st: OpState) -> list[tuple[str, Type]]:
    """`(in %a : i1, out b : i8, inout %c : i4)` or the older `(%a: i1) -> (b: i8)`: fills `attrs["ports"]`, returns the arguments of the body."""
    ports: list[Port] = []
    args: list[tuple[str, Type]] = []
    p.expect("(")
    old = False
    if not p.accept(")"):
        while True:
            pos = p.ws()
            direction = "in"
            for word, name in _DIRECTIONS:
                if p.accept_word(word):
                    direction = name
                    break
            else:
                if not p.peek("%"):
                    p.error(f"expected 'in', 'out' or 'inout'{p.found()}")
                word, old = "in", True
            ssa = ""
            if p.peek("%"):
                ssa = p.ssa()[0]
                label = ssa[1:]
                if not p.peek(":"):
                    # an SSA name that had to differ from the port's: `%a_0 a`
                    label = port_name(p)
            else:
                label = port_name(p)
            p.expect(":")
            t = p.type()
            attrs = p.optional_attr_dict()
            p.optional_location()
            if word in ("return", "ref") and not old:
                attrs["dpi.direction"] = word
            if direction == "inout" and st.name != "sim.func.dpi" and not isinstance(t, InOutType):
                t = InOutType(t)
            if ssa and direction == "out":
                p.error("an output port has no SSA name", pos)
            if direction != "out":
                args.append((ssa or "%" + label, t))
            ports.append((direction, label, t, attrs))
            if p.accept(")"):
                break
            p.expect(",")
    if (old or not ports) and p.accept("->"):
        p.expect("(")
        if not p.accept(")"):
            while True:
                label = port_name(p)
                p.expect(":")
                t = p.type()
                ports.append(("out", label, t, p.optional_attr_dict()))
                if p.accept(")"):
                    break
                p.expect(",")
    st.attrs["ports"] = ports
    return args


def _header(p: Parser, st: OpState) -> list[tuple[str, Type]]:
    for word in ("private", "public", "nested"):
        if p.accept_word(word):
            st.attrs["sym_visibility"] = word
    st.attrs["sym_name"] = p.symbol()
    if st.name == "hw.module.generated":
        p.expect(",")
        st.attrs["generatorKind"] = p.symbol_ref()
    st.attrs["parameters"] = parameters(p, False)
    args = port_list(p, st)
    if p.accept_word("attributes"):
        st.attrs.update(p.attr_dict())
    return args


def ports_of_modty(op: Op) -> None:
    """Generic form: `ports` from `module_type`."""
    if "ports" in op.attrs:
        return
    t = op.attrs.get("module_type")
    if not isinstance(t, OpaqueType) or not t.text.startswith("!hw.modty"):
        return
    from wasmjit.ir.core import Source

    assert op._src is not None
    q = Parser(Source(op._src.name, t.text[len("!hw.modty") :]))
    q.source.type_aliases = {}
    ports: list[Port] = []
    q.expect("<")
    per = op.attrs.get("per_port_attrs") or []
    if not q.accept(">"):
        while True:
            direction = {"input": "in", "output": "out", "inout": "inout"}.get(q.bare("a direction"), "in")
            name = port_name(q)
            q.expect(":")
            pt = q.type()
            if direction == "inout" and not isinstance(pt, InOutType):
                pt = InOutType(pt)
            attrs = per[len(ports)] if len(ports) < len(per) else {}
            ports.append((direction, name, pt, attrs))
            if q.accept(">"):
                break
            q.expect(",")
    op.attrs.pop("per_port_attrs", None)
    op.attrs = {("ports" if k == "module_type" else k): (ports if k == "module_type" else v) for k, v in op.attrs.items()}


_MODULE = "isolated graph symbol"


@syntax("hw.module", traits=_MODULE, lazy=True, implicit="hw.output", normalise=ports_of_modty, results="")
def _module(p: Parser, st: OpState) -> None:
    args = _header(p, st)
    st.regions.append(p.region(args, lazy=True, isolated=True, implicit="hw.output"))


@syntax("hw.module.extern hw.module.generated", traits=_MODULE, normalise=ports_of_modty, results="")
def _extern(p: Parser, st: OpState) -> None:
    _header(p, st)


@syntax("hw.generator.schema", traits="symbol", results="")
def _schema(p: Parser, st: OpState) -> None:
    st.attrs["sym_name"] = p.symbol()
    p.expect(",")
    st.attrs["descriptor"] = p.string()
    p.expect(",")
    st.attrs["requiredAttrs"] = p.array_attr()
    st.attrs.update(p.optional_attr_dict())


def _named(p: Parser) -> list[tuple[str, Type]]:
    """`(a: T, b: T)`."""
    p.expect("(")
    out: list[tuple[str, Type]] = []
    if p.accept(")"):
        return out
    while True:
        name = port_name(p)
        p.expect(":")
        out.append((name, p.type()))
        if p.accept(")"):
            return out
        p.expect(",")


@syntax("hw.instance hw.instance_choice", "inputs*")
def _instance(p: Parser, st: OpState) -> None:
    """`"u0" sym @s @Mod<W: i32 = 4>(a: %x: i1) -> (b: i8)`."""
    st.attrs["instanceName"] = p.string("the instance name")
    if p.accept_word("sym"):
        st.attrs["inner_sym"] = p.attr()
    if st.name == "hw.instance_choice":
        p.expect_word("option")
        st.attrs["optionName"] = p.string()
    refs = [p.symbol_ref()]
    cases = []
    while st.name == "hw.instance_choice" and p.accept_word("or"):
        refs.append(p.symbol_ref())
        p.expect_word("if")
        cases.append(p.string())
    if st.name == "hw.instance":
        st.attrs["moduleName"] = refs[0]
    else:
        st.attrs["moduleNames"], st.attrs["caseNames"] = refs, cases
    st.attrs["parameters"] = parameters(p, True)
    names: list[str] = []
    p.expect("(")
    if not p.accept(")"):
        while True:
            names.append(port_name(p))
            p.expect(":")
            operand = p.ssa()
            p.expect(":")
            st.operands.append(p.resolve(operand, p.type()))
            if p.accept(")"):
                break
            p.expect(",")
    st.attrs["argNames"] = names
    results: list[tuple[str, Type]] = []
    if p.accept("->"):
        results = _named(p)
    st.attrs["resultNames"] = [n for n, _ in results]
    st.results = [t for _, t in results]
    st.attrs.update(p.optional_attr_dict())


@syntax("hw.output", "outputs*", traits="terminator", results="")
def _output(p: Parser, st: OpState) -> None:
    st.attrs = p.optional_attr_dict()
    names = p.ssa_list()
    if names:
        p.expect(":")
        st.operands = p.resolve_all(names, p.types_plain())


@syntax("hw.triggered", "trigger inputs*", results="", normalise=named_enum("event", "posedge negedge edge"))
def _triggered(p: Parser, st: OpState) -> None:
    """`posedge %clk(%a : i1) { ^bb0(%x: i1): ... }`."""
    st.attrs["event"] = p.bare("an edge")
    names = [p.ssa()]
    types: list[Type] = [I1]
    if p.accept("("):
        more = p.ssa_list()
        if more:
            p.expect(":")
            types += p.types_plain()
            names += more
        p.expect(")")
    st.operands = p.resolve_all(names, types)
    st.regions.append(p.region(isolated=True))
    st.attrs.update(p.optional_attr_dict())


@syntax("hw.type_scope", traits="symbol symbol_table", results="")
def _type_scope(p: Parser, st: OpState) -> None:
    st.attrs["sym_name"] = p.symbol()
    st.regions.append(p.region())
    st.attrs.update(p.optional_attr_dict())


@syntax("hw.typedecl", traits="symbol", results="")
def _typedecl(p: Parser, st: OpState) -> None:
    st.attrs["sym_name"] = p.symbol()
    if p.peek('"') or p.accept(","):
        st.attrs["verilogName"] = p.string()
    p.expect(":")
    st.attrs["type"] = p.type()


@syntax("hw.hierpath", traits="symbol", results="")
def _hierpath(p: Parser, st: OpState) -> None:
    if p.accept_word("private"):
        st.attrs["sym_visibility"] = "private"
    st.attrs["sym_name"] = p.symbol()
    st.attrs["namepath"] = p.array_attr()
    st.attrs.update(p.optional_attr_dict())
