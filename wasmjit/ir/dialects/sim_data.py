"""sim: strings, queues, associative arrays and files as values. Formats: CIRCT `Sim/SimOps.td`."""

from __future__ import annotations

from typing import Any

from wasmjit.ir.assembly import STR, UNIT, Types, enum, row, rows
from wasmjit.ir.parser import Parser
from wasmjit.ir.typereader import dialect_type
from wasmjit.ir.types import I32, ArrayType, AssocType, OpaqueType, QueueType, Type


@dialect_type("sim.queue")
def _queue(p: Parser) -> Type:
    p.expect("<")
    elem = p.type("hw.")
    bound = p.integer() if p.accept(",") else 0
    p.expect(">")
    return QueueType(elem, bound)


@dialect_type("sim.assoc_array")
def _assoc(p: Parser) -> Type:
    elem, index = _two(p)
    return AssocType(elem, index)


def _two(p: Parser) -> tuple[Type, Type]:
    p.expect("<")
    a = p.type("hw.")
    p.expect(",")
    b = p.type("hw.")
    p.expect(">")
    return a, b


@dialect_type("sim.output_stream")
def _stream(p: Parser) -> Type:
    return OpaqueType("!sim.output_stream")


def _elem(types: Types, attrs: dict[str, Any]) -> Any:
    """Element type of the container."""
    t = types.get("queue") or types.get("array")
    return t.elem if isinstance(t, (QueueType, AssocType, ArrayType)) else f"expected a container, got {t}"


def _popped(types: Types, attrs: dict[str, Any]) -> Any:
    t = _elem(types, attrs)
    return t if isinstance(t, str) else [types["queue"], t]


def _found(types: Types, attrs: dict[str, Any]) -> Any:
    t = types["array"]
    return [I32, t.index] if isinstance(t, AssocType) else f"expected an associative array, got {t}"


# --- strings -----------------------------------------------------------------------------------------------------------

row("sim.string.literal", "", "result:dstring", "$literal attr-dict", attrs={"literal": STR})
row("sim.string.length", "input:dstring", "result:i64", "$input attr-dict")
row("sim.string.concat", "inputs*:dstring", "result:dstring", "`(` $inputs `)` attr-dict")
row("sim.string.get", "str:dstring index:i32", "result:i8", "$str `[` $index `]` attr-dict")
row("sim.string.int_to_string", "input", "result:dstring", "$input attr-dict `:` type($input)")
row("sim.string.string_to_int", "input:dstring", "result", "$input attr-dict `:` type($result)")
row("sim.string.format_to_string", "fmtstring:fstring", "result:dstring", "$fmtstring attr-dict")
row(
    "sim.string.cmp",
    "lhs rhs=lhs",
    "result:i1",
    "$predicate $lhs `,` $rhs attr-dict `:` type($lhs)",
    attrs={"predicate": enum("eq ne lt le gt ge")},
)
row("sim.string.compare", "lhs:dstring rhs:dstring", "result:i32", "$lhs `,` $rhs attr-dict")
rows("sim.string.tolower sim.string.toupper", "input:dstring", "result:dstring", "$input attr-dict")

# --- queues ------------------------------------------------------------------------------------------------------------

_CMP = {"predicate": enum("eq ne")}
row("sim.queue.cmp", "lhs rhs=lhs", "result:i1", "$predicate $lhs `,` $rhs attr-dict `:` type($lhs)", attrs=_CMP)
row("sim.queue.empty", "", "outqueue", "attr-dict `:` type($outqueue)")
row("sim.queue.size", "queue", "result:i64", "$queue attr-dict `:` type($queue)")
rows("sim.queue.push_back sim.queue.push_front", "queue element", "outQueue=queue", "$element `into` $queue attr-dict `:` type($queue)")
rows(
    "sim.queue.pop_back sim.queue.pop_front",
    "queue",
    "outQueue popped",
    "`from` $queue attr-dict `:` type($queue)",
    infer=_popped,
    infer_attrs=True,
)
row("sim.queue.delete", "queue index:i32", "outQueue=queue", "`index` $index `of` $queue attr-dict `:` type($queue)")
row("sim.queue.insert", "queue index:i32 item", "outQueue=queue", "$item `into` $queue `at` $index attr-dict `:` type($queue)")
row("sim.queue.set", "queue index:i32 item", "outQueue=queue", "$queue `[` $index `]` `=` $item attr-dict `:` type($queue)")
row("sim.queue.get", "queue index:i32", "result", "$index `of` $queue attr-dict `:` type($queue)", infer=_elem)
row("sim.queue.slice", "queue lowIdx:i32 highIdx:i32", "result=queue", "$queue `from` $lowIdx `to` $highIdx attr-dict `:` type($queue)")
rows("sim.queue.resize sim.queue.from_array", "input", "result", "$input attr-dict `:` type($input) `->` type($result)")
row("sim.queue.concat", "inputs*", "result", "`(` $inputs `)` attr-dict `:` `(` type($inputs) `)` type($result)")

# --- associative arrays ------------------------------------------------------------------------------------------------

row("sim.assoc_array.empty", "", "result", "attr-dict `:` type($result)")
row("sim.assoc_array.get", "array index", "result", "$array `[` $index `]` attr-dict `:` type($array)", infer=_elem, infer_attrs=True)
row("sim.assoc_array.set", "array index value", "outArray=array", "$array `[` $index `]` `=` $value attr-dict `:` type($array)")
row("sim.assoc_array.delete", "array index", "outArray=array", "`index` $index `of` $array attr-dict `:` type($array)")
row("sim.assoc_array.size", "array", "result:i32", "$array attr-dict `:` type($array)")
row("sim.assoc_array.cmp", "lhs rhs=lhs", "result:i1", "$predicate $lhs `,` $rhs attr-dict `:` type($lhs)", attrs=_CMP)
row("sim.assoc_array.exists", "array index", "result:i32", "$index `in` $array attr-dict `:` type($array)")
rows(
    "sim.assoc_array.first sim.assoc_array.last",
    "array",
    "found index",
    "$array attr-dict `:` type($array)",
    infer=_found,
    infer_attrs=True,
)
rows(
    "sim.assoc_array.next sim.assoc_array.prev",
    "array index",
    "found next",
    "$array `[` $index `]` attr-dict `:` type($array)",
    infer=_found,
    infer_attrs=True,
)

# --- files -------------------------------------------------------------------------------------------------------------

row("sim.get_file", "fileName:fstring", "result:stream", "$fileName attr-dict")
rows("sim.stdout_stream sim.stderr_stream", "", "result:stream", "attr-dict")
row(
    "sim.sv.fopen",
    "fileName:dstring",
    "fd:i32",
    "$fileName (`mode` `=` $mode)? attr-dict",
    attrs={"mode": enum("r w a r_update w_update a_update")},
)
row("sim.sv.fclose", "fd:i32", "", "$fd attr-dict")
row("sim.sv.channel_to_output_stream", "channel:i32", "stream:stream", "$channel attr-dict")
row("sim.sv.fflush_all")
row("sim.flush", "stream:stream", "", "$stream attr-dict")
row(
    "sim.sv.readmem", "filename:dstring memory startAddr?:i32 finishAddr?:i32 sliceLeft?:i32 sliceRight?:i32", "result=memory",
    "$filename `,` $memory (`start` `=` $startAddr)? (`finish` `=` $finishAddr)? (`slice` `[` $sliceLeft `,` $sliceRight `]`)? attr-dict `:` type($memory)",
    attrs={"isBinary": UNIT}, fast=False,
)  # fmt: skip
