"""builtin: module, unrealized_conversion_cast."""

from __future__ import annotations

from wasmjit.ir.assembly import row, syntax
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.scanner import SYMBOL


@syntax("builtin.module", traits="isolated graph symbol symbol_table", results="")
def _module(p: Parser, st: OpState) -> None:
    if SYMBOL.match(p.text, p.ws()):
        st.attrs["sym_name"] = p.symbol()
    if p.accept_word("attributes"):
        st.attrs.update(p.attr_dict())
    st.regions.append(p.region(isolated=True))


_CAST = "builtin.unrealized_conversion_cast"
_general = row(_CAST, "inputs*", "outputs*", "($inputs `:` type($inputs))? `to` type($outputs) attr-dict", fast=False).parse
_plain = row(_CAST, "inputs*", "outputs*", "$inputs `:` type($inputs) `to` type($outputs)")
_plain_parse = _plain.parse


def _cast(p: Parser, st: OpState) -> None:
    """Nearly always with operands and without attributes; the row of that form has the fast path."""
    assert _plain_parse is not None and _general is not None
    end = p.text.find("\n", p.pos)
    line = p.text[p.pos : end if end >= 0 else len(p.text)]
    (_plain_parse if "%" in line and "{" not in line else _general)(p, st)


_plain.parse = _cast
