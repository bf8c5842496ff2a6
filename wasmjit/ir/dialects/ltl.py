"""ltl: sequences and properties. Formats: CIRCT `LTL/LTLOps.td`."""

from __future__ import annotations

from typing import Any

from wasmjit.ir.assembly import INT, Types, custom, enum, row, rows
from wasmjit.ir.normal import named_enum
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.typereader import dialect_type
from wasmjit.ir.types import PropertyType, SequenceType, Type

PROPERTY, SEQUENCE = PropertyType(), SequenceType()
EDGES = "posedge negedge edge"


@dialect_type("ltl.property")
def _property(p: Parser) -> Type:
    return PROPERTY


@dialect_type("ltl.sequence")
def _sequence(p: Parser) -> Type:
    return SEQUENCE


named_edge = named_enum("edge", EDGES)


def _joined(types: Types, attrs: dict[str, Any]) -> Any:
    """A property if any input is one, else a sequence (integers only: i1 stays i1 in `intersect`'s siblings of newer CIRCT)."""
    return PROPERTY if PROPERTY in types["inputs"] else SEQUENCE


rows("ltl.and ltl.or ltl.intersect", "inputs*", "result", "$inputs attr-dict `:` type($inputs)", infer=_joined)
row("ltl.concat", "inputs*", "result:sequence", "$inputs attr-dict `:` type($inputs)")
row(
    "ltl.delay",
    "input",
    "result:sequence",
    "$input `,` $delay (`,` $length)? attr-dict `:` type($input)",
    attrs={"delay": INT, "length": INT},
)
row(
    "ltl.clocked_delay", "clock:i1 input", "result:sequence", "$clock `,` $edge `,` $input `,` $delay (`,` $length)? attr-dict `:` type($input)",
    attrs={"delay": INT, "length": INT, "edge": enum(EDGES)}, normalise=named_edge,
)  # fmt: skip
row("ltl.past", "input", "result:sequence", "$input `,` $delay attr-dict `:` type($input)", attrs={"delay": INT})
rows(
    "ltl.repeat ltl.goto_repeat ltl.non_consecutive_repeat", "input", "result:sequence", "$input `,` $base (`,` $more)? attr-dict `:` type($input)",
    attrs={"base": INT, "more": INT},
)  # fmt: skip
row("ltl.first_match", "input", "result:sequence", "$input attr-dict `:` type($input)")
rows("ltl.matched ltl.triggered", "input", "result", "$input attr-dict `:` type($input) `->` type($result)")


@custom
def _bool_value(p: Parser, st: OpState, s: Any) -> None:
    st.attrs["value"] = bool(p.attr())


row("ltl.boolean_constant", "", "result:property", "<bool_value> attr-dict", fast=False)
rows("ltl.not ltl.eventually", "input", "result:property", "$input attr-dict `:` type($input)")
row(
    "ltl.implication",
    "antecedent consequent",
    "result:property",
    "$antecedent `,` $consequent attr-dict `:` type($antecedent) `,` type($consequent)",
)
row("ltl.until", "input condition", "result:property", "$input `,` $condition attr-dict `:` type($input) `,` type($condition)")


def _clocked(types: Types, attrs: dict[str, Any]) -> Any:
    return PROPERTY if types["input"] is PROPERTY else SEQUENCE


row(
    "ltl.clock", "input clock:i1", "result", "$input `,` $edge $clock attr-dict `:` type($input)", attrs={"edge": enum(EDGES)}, infer=_clocked,
    normalise=named_edge,
)  # fmt: skip
row("ltl.disable", "input condition:i1", "result:property", "$input `if` $condition attr-dict `:` type($input)")
row("ltl.sampled", "input=result", "result", "$input attr-dict `:` type($result)")
