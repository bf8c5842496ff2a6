"""Small dialects that only annotate a design: dbg, emit, om."""

from __future__ import annotations

from wasmjit.ir.assembly import STR, TYPED, custom, row, rows, syntax
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.types import OpaqueType

# --- dbg (CIRCT `Debug/DebugOps.td`) -----------------------------------------------------------------------------------

_SCOPE, _STRUCT, _ARRAY = OpaqueType("!dbg.scope"), OpaqueType("!dbg.struct"), OpaqueType("!dbg.array")


@syntax("dbg.scope", "scope?", results="result")
def _scope(p: Parser, st: OpState) -> None:
    """`"name", "module" scope %s`."""
    st.attrs["instanceName"] = p.string()
    p.expect(",")
    st.attrs["moduleName"] = p.string()
    if p.accept_word("scope"):
        st.operands = [p.resolve(p.ssa(), _SCOPE)]
    st.attrs.update(p.optional_attr_dict())
    st.results = [_SCOPE]


@syntax("dbg.variable", "value scope?", results="")
def _variable(p: Parser, st: OpState) -> None:
    """`"name", %value scope %s : T`."""
    st.attrs["name"] = p.string()
    p.expect(",")
    value = p.ssa()
    scope = [p.resolve(p.ssa(), _SCOPE)] if p.accept_word("scope") else []
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    st.operands = [p.resolve(value, p.type()), *scope]


@syntax("dbg.struct", "fields*", results="result")
def _struct(p: Parser, st: OpState) -> None:
    """`{"a": %a, "b": %b} : T, T`."""
    p.expect("{")
    names, fields = [], []
    if not p.accept("}"):
        while True:
            names.append(p.string())
            p.expect(":")
            fields.append(p.ssa())
            if p.accept("}"):
                break
            p.expect(",")
    st.attrs = {"names": names, **p.optional_attr_dict()}
    if fields:
        p.expect(":")
        st.operands = p.resolve_all(fields, p.types_plain())
    st.results = [_STRUCT]


@syntax("dbg.array", "elements*", results="result")
def _array(p: Parser, st: OpState) -> None:
    """`[%a, %b] : T`."""
    p.expect("[")
    names = p.ssa_list("]")
    st.attrs = p.optional_attr_dict()
    if names:
        p.expect(":")
        t = p.type()
        st.operands = p.resolve_all(names, [t] * len(names))
    st.results = [_ARRAY]


# --- emit (CIRCT `Emit/EmitOps.td`) ------------------------------------------------------------------------------------


@syntax("emit.file emit.fragment emit.file_list", traits="graph", results="")
def _emit(p: Parser, st: OpState) -> None:
    if p.peek('"'):
        st.attrs["file_name"] = p.string()
    if p.accept_word("sym") or p.peek("@"):
        st.attrs["sym_name"] = p.symbol()
    if p.accept(","):
        st.attrs["files"] = p.attr()
    if p.accept_word("attributes"):
        st.attrs.update(p.attr_dict())
    if p.peek("{"):
        st.regions.append(p.region())
    st.attrs.update(p.optional_attr_dict())


row("emit.ref", "", "", "$target attr-dict", attrs={"target": TYPED}, fast=False)
row("emit.verbatim", "", "", "$text attr-dict", attrs={"text": STR})

# --- om (CIRCT `OM/OMOps.td`): the body is kept only as long as it can be read ---------------------------------------------


@custom
def _om_value(p: Parser, st: OpState, s: object) -> None:
    st.attrs["value"] = p.attr()


@syntax("om.class om.class.extern", traits="isolated symbol", lazy=True, results="")
def _om_class(p: Parser, st: OpState) -> None:
    """`@C(%a: T) -> (f: T) { ... }`."""
    st.attrs["sym_name"] = p.symbol()
    p.expect("(")
    args = p.block_args()
    if p.accept("->"):
        p.ws()
        p.skip_balanced()
    if p.accept_word("attributes"):
        st.attrs.update(p.attr_dict())
    if p.peek("{"):
        st.regions.append(p.region([(n, t) for n, t, _, _ in args], lazy=True, isolated=True))


@syntax("om.class.fields", "fields*", traits="terminator", results="")
def _om_fields(p: Parser, st: OpState) -> None:
    names = p.ssa_list()
    st.attrs = p.optional_attr_dict()
    if names:
        p.expect(":")
        st.operands = p.resolve_all(names, p.types_plain())


row("om.constant", "", "result", "<om_value>", fast=False,
    infer=lambda t, a: OpaqueType("!om.any"))  # fmt: skip
rows("om.basepath_create", "basePath", "result=basePath", "$basePath $target attr-dict", attrs={"target": TYPED}, fast=False)
