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


row("builtin.unrealized_conversion_cast", "inputs*", "outputs*", "($inputs^ `:` type($inputs))? `to` type($outputs) attr-dict".replace("^", ""), fast=False)
