"""sv: the assertion-like, procedural and declarative ops that reach circt-verilog users. Formats: CIRCT `SV/*.td`."""

from __future__ import annotations

import re
from typing import Any

from wasmjit.ir.assembly import STR, SYM, TYPED, Types, row, rows, syntax
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.types import I1, I32, ArrayType, InOutType, IntType, StringType, StructType, Type


def _elem(types: Types, attrs: dict[str, Any]) -> Any:
    t = types["input"]
    return t.elem if isinstance(t, InOutType) else f"expected an inout type, got {t}"


def _inout(p: Parser) -> Type:
    t = p.type()
    return t if isinstance(t, InOutType) else InOutType(t)


@syntax("sv.reg sv.logic sv.wire sv.localparam sv.xmr", "init?", results="result")
def _declaration(p: Parser, st: OpState) -> None:
    """`sv.reg init %x sym @s {..} : !hw.inout<T>`."""
    if st.name == "sv.xmr":
        if p.accept_word("isRooted"):
            st.attrs["isRooted"] = True
        path = [p.string()]
        while p.accept(","):
            path.append(p.string())
        st.attrs["path"], st.attrs["terminal"] = path[:-1], path[-1]
    init = p.ssa() if p.accept_word("init") else None
    if p.accept_word("sym"):
        st.attrs["inner_sym"] = p.attr()
    if p.accept_word("name"):
        st.attrs["name"] = p.string()
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    t = p.type() if st.name == "sv.localparam" else _inout(p)
    if init is not None:
        st.operands = [p.resolve(init, t.elem)]  # type: ignore[attr-defined]
    st.results = [t]


row("sv.read_inout", "input", "result", "$input attr-dict `:` type($input)", infer=_elem)
row("sv.assign", "dest src", "", "$dest `,` $src attr-dict `:` type($src)")
rows("sv.bpassign sv.passign sv.force", "dest src", "", "$dest `,` $src attr-dict `:` type($src)")
row("sv.release", "dest", "", "$dest attr-dict `:` type($dest)")


@syntax("sv.array_index_inout", "input index", results="result")
def _array_index(p: Parser, st: OpState) -> None:
    names = [p.ssa()]
    p.expect("[")
    names.append(p.ssa())
    p.expect("]")
    st.attrs = p.optional_attr_dict()
    p.expect(":")
    pos = p.ws()
    t = p.type()
    p.expect(",")
    it = p.type()
    inner = t.elem if isinstance(t, InOutType) else None
    if not isinstance(inner, ArrayType):
        p.error(f"expected an inout array, got {t}", pos)
    st.operands = p.resolve_all(names, [t, it])
    st.results = [InOutType(inner.elem)]


@syntax("sv.struct_field_inout", "input", results="result")
def _struct_field(p: Parser, st: OpState) -> None:
    name = p.ssa()
    p.expect("[")
    st.attrs["field"] = p.string()
    p.expect("]")
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    pos = p.ws()
    t = p.type()
    inner = t.elem if isinstance(t, InOutType) else None
    ft = inner.field_type(st.attrs["field"]) if isinstance(inner, StructType) else None
    if ft is None:
        p.error(f"{t} has no field '{st.attrs['field']}'", pos)
    st.operands = [p.resolve(name, t)]
    st.results = [InOutType(ft)]


row("sv.indexed_part_select", "input base", "result", "<sv_part>", fast=False)


def _part_select(p: Parser, st: OpState, s: Any) -> None:
    """`%x[%base : 4] : iN, iM` (`decrement` before the width's bracket)."""
    names = [p.ssa()]
    p.expect("[")
    names.append(p.ssa())
    if p.accept_word("decrement"):
        st.attrs["decrement"] = True
    p.expect(":")
    st.attrs["width"] = p.integer("a width")
    p.expect("]")
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    one = p.type()
    p.expect(",")
    s.operands = {"input": [names[0]], "base": [names[1]]}
    s.types = {"input": [one], "base": [p.type()], "result": [IntType(st.attrs["width"])]}


def _register_part() -> None:
    from wasmjit.ir.assembly import CUSTOM

    CUSTOM["sv_part"] = _part_select


_register_part()

# --- procedures --------------------------------------------------------------------------------------------------------


@syntax("sv.initial sv.alwayscomb sv.ordered sv.always_comb", results="")
def _procedure(p: Parser, st: OpState) -> None:
    st.regions.append(p.region())
    st.attrs = p.optional_attr_dict()


@syntax("sv.always", "clocks*", results="")
def _always(p: Parser, st: OpState) -> None:
    """`posedge %clk, negedge %rst { ... }`."""
    events = []
    while (word := p.peek_any()) in ("posedge", "negedge", "edge"):
        p.accept_word(word)
        events.append(word)
        st.operands.append(p.resolve(p.ssa(), I1))
        if not p.accept(","):
            break
    st.attrs["events"] = events
    st.regions.append(p.region())
    st.attrs.update(p.optional_attr_dict())


@syntax("sv.alwaysff", "clock reset?", results="")
def _alwaysff(p: Parser, st: OpState) -> None:
    """`(posedge %clk) { } (syncreset : posedge %rst) { }`."""
    p.expect("(")
    st.attrs["clockEdge"] = p.bare("an edge")
    st.operands.append(p.resolve(p.ssa(), I1))
    p.expect(")")
    st.regions.append(p.region())
    if p.accept("("):
        st.attrs["resetStyle"] = p.bare("syncreset or asyncreset")
        p.expect(":")
        st.attrs["resetEdge"] = p.bare("an edge")
        st.operands.append(p.resolve(p.ssa(), I1))
        p.expect(")")
        st.regions.append(p.region())
    st.attrs.update(p.optional_attr_dict())


@syntax("sv.if", "cond", results="")
def _if(p: Parser, st: OpState) -> None:
    cond = p.ssa()
    st.operands = [p.resolve(cond, I1)]
    st.regions.append(p.region())
    if p.accept_word("else"):
        st.regions.append(p.region())
    st.attrs = p.optional_attr_dict()


@syntax("sv.ifdef sv.ifdef.procedural", results="")
def _ifdef(p: Parser, st: OpState) -> None:
    st.attrs["cond"] = p.attr(typed=False)
    st.regions.append(p.region())
    if p.accept_word("else"):
        st.regions.append(p.region())
    st.attrs.update(p.optional_attr_dict())


@syntax("sv.generate", traits="symbol", results="")
def _generate(p: Parser, st: OpState) -> None:
    st.attrs["sym_name"] = p.string() if p.peek('"') else p.symbol()
    p.expect(":")
    st.regions.append(p.region())
    st.attrs.update(p.optional_attr_dict())


_FD = "$fd `,` $format_string (`(` $substitutions `)` `:` type($substitutions))? attr-dict"
row("sv.fwrite", "fd:i32 substitutions*", "", _FD, attrs={"format_string": STR}, fast=False)
row("sv.fflush", "fd?", "", "(`fd` $fd)? attr-dict", fast=False)
_MSG = "(`(` $substitutions `)` `:` type($substitutions))? attr-dict"
rows("sv.error sv.warning sv.info", "substitutions*", "", "($message)? " + _MSG, attrs={"message": STR}, fast=False)
rows(
    "sv.error.procedural sv.warning.procedural sv.info.procedural sv.fatal.procedural",
    "substitutions*",
    "",
    "($message)? " + _MSG,
    attrs={"message": STR},
    fast=False,
)


@syntax("sv.finish sv.stop sv.fatal sv.exit", "substitutions*", results="")
def _finish(p: Parser, st: OpState) -> None:
    """`sv.finish 1`; `sv.fatal 1, "text"(%a) : T`."""
    if re.compile(r"[0-9]").match(p.text, p.ws()):
        st.attrs["verbosity"] = p.integer()
        p.accept(",")
    if p.peek('"'):
        st.attrs["message"] = p.string()
    if p.accept("("):
        names = p.ssa_list(")")
        p.expect(":")
        st.operands = p.resolve_all(names, p.types_plain())
    st.attrs.update(p.optional_attr_dict())


# --- assertions --------------------------------------------------------------------------------------------------------


@syntax("sv.assert sv.assume sv.cover", "expression substitutions*", results="")
def _assert(p: Parser, st: OpState) -> None:
    """`%p, immediate label "x" message "text"(%a) : T`; `observed` and `final` are the deferred kinds."""
    name = p.ssa()
    p.expect(",")
    st.attrs["defer"] = p.bare("immediate, observed or final")
    _label_message(p, st, [p.resolve(name, I1)])


def _label_message(p: Parser, st: OpState, operands: list[Any]) -> None:
    if p.accept_word("label"):
        st.attrs["label"] = p.string()
    st.operands = operands
    if p.accept_word("message"):
        st.attrs["message"] = p.string()
        if p.accept("("):
            names = p.ssa_list(")")
            p.expect(":")
            st.operands = [*operands, *p.resolve_all(names, p.types_plain())]
    st.attrs.update(p.optional_attr_dict())


@syntax("sv.assert.concurrent sv.assume.concurrent sv.cover.concurrent", "clock property substitutions*", results="")
def _concurrent(p: Parser, st: OpState) -> None:
    """`posedge %clk, %p label "x" message "text"(%a) : T`."""
    st.attrs["event"] = p.bare("an edge")
    names = [p.ssa()]
    p.expect(",")
    names.append(p.ssa())
    _label_message(p, st, p.resolve_all(names, [I1, I1]))


@syntax("sv.assert_property sv.assume_property sv.cover_property", "property clock? disable?", results="")
def _property(p: Parser, st: OpState) -> None:
    """`%p on posedge %clk disable_iff %d label "x" : T`."""
    name = p.ssa()
    clock, disable = [], []
    if p.accept_word("on"):
        st.attrs["event"] = p.bare("an edge")
        clock.append(p.ssa())
    if p.accept_word("disable_iff"):
        disable.append(p.ssa())
    if p.accept_word("label"):
        st.attrs["label"] = p.string()
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    st.operands = [p.resolve(name, p.type()), *(p.resolve(n, I1) for n in (*clock, *disable))]
    st.segments = [1, len(clock), len(disable)]


# --- expressions and texts ---------------------------------------------------------------------------------------------


@syntax("sv.verbatim sv.verbatim.expr sv.verbatim.expr.se sv.macro.ref.expr sv.macro.ref.expr.se sv.macro.ref", "substitutions*")
def _verbatim(p: Parser, st: OpState) -> None:
    key = "format_string" if "verbatim" in st.name else "macroName"
    st.attrs[key] = p.string() if p.peek('"') else p.symbol_ref()
    names = []
    if p.accept("("):
        names = p.ssa_list(")")
    if st.name == "sv.verbatim" or st.name == "sv.macro.ref":
        if names:
            p.expect(":")
            st.operands = p.resolve_all(names, p.types_plain())
        st.attrs.update(p.optional_attr_dict())
        return
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    if p.peek("("):
        t = p.function_type()
        st.operands, st.results = p.resolve_all(names, t.inputs), list(t.results)
    else:
        st.results = [p.type()]


rows("sv.constantX sv.constantZ", "", "result", "attr-dict `:` type($result)")
row("sv.constantStr", "", "result", "$str attr-dict", attrs={"str": STR}, infer=lambda t, a: StringType(), fast=False)
row("sv.system.sampled", "expression=result", "result", "$expression attr-dict `:` type($result)")
row("sv.system", "args*", "out", "$funcName `(` $args `)` attr-dict `:` functional-type($args, $out)", attrs={"funcName": STR})
row("sv.system.time", "", "out", "attr-dict `:` type($out)")
row("sv.random", "", "result", "attr-dict", infer=lambda t, a: I32)
row("sv.macro.decl", "", "", "$sym_name ($verilogName)? attr-dict", attrs={"sym_name": SYM, "verilogName": STR}, traits="", fast=False)
row("sv.macro.def", "", "", "$macroName $format_string attr-dict", attrs={"macroName": SYM, "format_string": STR}, fast=False)
row("sv.bind", "", "", "$instance attr-dict", attrs={"instance": TYPED}, fast=False)
