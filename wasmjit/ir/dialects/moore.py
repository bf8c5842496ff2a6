"""moore: the few ops of the front end's dialect that remain in its output (event waits), and its types as opaque text."""

from __future__ import annotations

import re

from wasmjit.ir.assembly import syntax
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.types import OpaqueType, Type


def _short_type(p: Parser) -> Type:
    """A moore type without its prefix (`event`, `l1`, `i32`, `struct<...>`), or any type with `!`."""
    if p.peek("!") or p.peek("("):
        return p.type()
    m = p.match(re.compile(r"[A-Za-z_][\w.]*"))
    if m is None:
        p.error(f"expected a type{p.found()}")
    text = m[0]
    if p.text.startswith("<", p.pos):
        text += p.skip_balanced()
    return OpaqueType("!moore." + text)


@syntax("moore.wait_event", results="")
def _wait_event(p: Parser, st: OpState) -> None:
    st.regions.append(p.region())
    st.attrs = p.optional_attr_dict()


@syntax("moore.detect_event", "input condition?", results="")
def _detect_event(p: Parser, st: OpState) -> None:
    """`posedge %x if %c : l1`: attribute `edge` (any, posedge, negedge, edge). The type at the end is the operand's, without `!moore.`."""
    st.attrs["edge"] = p.bare("any, posedge, negedge or edge")
    names = [p.ssa()]
    cond = [p.ssa()] if p.accept_word("if") else []
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    t = _short_type(p)
    value = p.resolve(names[0], None)
    if value.type is None:
        value.type = t
    st.operands = [value, *(p.resolve(c, None) for c in cond)]


@syntax("moore.yield moore.return", "operands*", traits="terminator", results="")
def _yield(p: Parser, st: OpState) -> None:
    names = p.ssa_list()
    st.attrs = p.optional_attr_dict()
    if names and p.accept(":"):
        _short_type(p)
        while p.accept(","):
            _short_type(p)
    st.operands = [p.resolve(n, None) for n in names]
