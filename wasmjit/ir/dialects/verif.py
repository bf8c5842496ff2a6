"""verif: assertions, formal tests. Formats: CIRCT `Verif/VerifOps.td`."""

from __future__ import annotations

from typing import Any

from wasmjit.ir.assembly import STR, custom, enum, row, rows, syntax
from wasmjit.ir.dialects.ltl import EDGES, named_edge
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.types import StringType

rows(
    "verif.assert verif.assume verif.cover verif.require verif.ensure", "property enable?:i1", "",
    "$property (`if` $enable)? (`label` $label)? attr-dict `:` type($property)", attrs={"label": STR},
)  # fmt: skip
rows(
    "verif.clocked_assert verif.clocked_assume verif.clocked_cover", "property clock:i1 enable?:i1", "",
    "$property (`if` $enable)? `,` $edge $clock (`label` $label)? attr-dict `:` type($property)",
    attrs={"label": STR, "edge": enum(EDGES)}, normalise=named_edge,
)  # fmt: skip


@custom
def _async(p: Parser, st: OpState, s: Any) -> None:
    st.attrs["async"] = p.accept_word("async")
    if not st.attrs["async"]:
        p.expect_word("sync")


row("verif.has_been_reset", "clock:i1 reset:i1", "result:i1", "$clock `,` <async> $reset attr-dict")


@syntax("verif.format_verilog_string", "substitutions*", results="str")
def _format(p: Parser, st: OpState) -> None:
    st.attrs["formatString"] = p.string()
    p.expect("(")
    names = p.ssa_list(")")
    if names:
        p.expect(":")
        st.operands = p.resolve_all(names, p.types_plain())
    elif p.accept(":"):
        pass
    st.attrs.update(p.optional_attr_dict())
    st.results = [StringType()]


row("verif.print", "string", "", "$string attr-dict")
row("verif.yield", "inputs*", "", "($inputs `:` type($inputs))? attr-dict", traits="terminator", fast=False)


@syntax("verif.formal verif.simulation", traits="isolated graph symbol", results="")
def _formal(p: Parser, st: OpState) -> None:
    """`@name {parameters} attributes {...} { body }`."""
    st.attrs["sym_name"] = p.symbol()
    st.attrs["parameters"] = p.attr_dict() if _is_dict(p) else {}
    if p.accept_word("attributes"):
        st.attrs.update(p.attr_dict())
    st.regions.append(p.region(isolated=True))


def _is_dict(p: Parser) -> bool:
    """Whether the `{` ahead begins a dictionary: a second bracket (or `attributes`) follows the matching one."""
    if not p.peek("{"):
        return False
    back = p.pos
    p.pos = p.skim_braces()
    more = p.peek("{") or p.peek_word("attributes")
    p.pos = back
    return more


@syntax("verif.lec verif.refines", traits="isolated")
def _lec(p: Parser, st: OpState) -> None:
    st.attrs = p.optional_attr_dict()
    if p.accept(":"):
        st.results = [p.type()]
    for word in ("first", "second"):
        p.expect_word(word)
        st.regions.append(p.region(isolated=True))


@syntax("verif.bmc", traits="isolated", results="result")
def _bmc(p: Parser, st: OpState) -> None:
    from wasmjit.ir.types import I1

    for word in ("bound", "num_regs", "initial_values"):
        p.expect_word(word)
        st.attrs[word] = p.attr()
    if p.accept_word("attributes"):
        st.attrs.update(p.attr_dict())
    for word in ("init", "loop", "circuit"):
        p.expect_word(word)
        st.regions.append(p.region(isolated=True))
    st.results = [I1]


row("verif.symbolic_value", "", "result", "attr-dict `:` type($result)")


@syntax("verif.contract", "inputs*")
def _contract(p: Parser, st: OpState) -> None:
    names = p.ssa_list()
    if names:
        st.attrs = p.attr_dict() if _is_dict(p) else {}
        p.expect(":")
        types = p.types_plain()
        st.operands = p.resolve_all(names, types)
        st.results = types
    st.regions.append(p.region())
