"""hw: constants and aggregates. Formats: CIRCT `HW/HWAggregates.td`, `HWMiscOps.td`. Types and modules: `hw_module`."""

from __future__ import annotations

import re
from typing import Any

from wasmjit.ir.assembly import Types, fast_path, row, syntax
from wasmjit.ir.attrs import Opaque
from wasmjit.ir.core import Op, definition
from wasmjit.ir.dialects.arith import constant_fast, constant_value
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.spec import Report
from wasmjit.ir.types import (
    I1,
    ArrayType,
    EnumType,
    IntType,
    StructType,
    Type,
    UnionType,
    bit_width,
)

# --- values ------------------------------------------------------------------------------------------------------------


@syntax("hw.constant", results="result")
def _constant(p: Parser, st: OpState) -> None:
    constant_value(p, st)
    st.attrs.update(p.optional_attr_dict())
    if not isinstance(st.results[0], IntType):
        p.error(f"hw.constant makes integers, not {st.results[0]}", st.pos)


_number_fast = constant_fast("hw.constant", r" (-?\d+) : i([1-9]\d*)(?=[ \t]*\n)")
_BOOL = re.compile(r" (true|false)(?=[ \t]*\n)")


@fast_path("hw.constant")
def _fast_constant(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
    m = _BOOL.match(p.text, pos)
    if m is None:
        return _number_fast(p, pos, start, rname, scope)
    if rname is None or rname in scope:
        return None
    op, scope[rname] = definition("hw.constant", [], {"value": m[1] == "true"}, start, p.source, p.block, None, I1, rname)
    p.pos = m.end()
    return op


@syntax("hw.aggregate_constant", results="result")
def _aggregate(p: Parser, st: OpState) -> None:
    st.attrs["fields"] = p.array_attr()
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    st.results = [p.type()]


_AGGREGATE = re.compile(r" \[(\w+|-?\d+ : i\d+)(?:, (\w+|-?\d+ : i\d+))?\] : ([^\n]*)", re.ASCII)


@fast_path("hw.aggregate_constant")
def _fast_aggregate(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
    m = _AGGREGATE.match(p.text, pos)
    if m is None or rname is None or rname in scope:
        return None
    one, two, text = m.groups()
    t = p.type_cache.get(text) or p.type_cache.get(text.rstrip())
    if t is None or two is None:
        return None
    fields: list[Any] = []
    for word in (one, two):
        if word == "true" or word == "false":
            fields.append(word == "true")
        elif " " in word and len(word) < 4000:
            fields.append(int(word.split(" ", 1)[0]))
        else:
            return None
    op, scope[rname] = definition("hw.aggregate_constant", [], {"fields": fields}, start, p.source, p.block, None, t, rname)
    p.pos = m.end()
    return op


def _bitcast(op: Op, report: Report) -> None:
    a, b = bit_width(op.operands[0].type), bit_width(op.results[0].type)
    if a is not None and b is not None and a != b:
        report(op, f"hw.bitcast between {a} and {b} bits")


row("hw.bitcast", "input", "result", "$input attr-dict `:` functional-type($input, $result)", verify=_bitcast)


def _index_width(t: Type) -> IntType | None:
    return IntType(max(1, (t.size - 1).bit_length())) if isinstance(t, ArrayType) else None


def _array_index(op: Op, report: Report) -> None:
    array = op.operands[0].type
    if not isinstance(array, ArrayType):
        report(op, f"{op.name} needs an array, not {array}")
        return
    want = _index_width(array)
    if op.operands[1].type is not want and not (array.size <= 1 and isinstance(op.operands[1].type, IntType)):
        report(op, f"index of {array} must be {want}, not {op.operands[1].type}")


@syntax("hw.array_create hw.uarray_create", "inputs*", results="result")
def _array_create(p: Parser, st: OpState) -> None:
    """`%a, %b : T` (the first is the element of the highest index)."""
    names = p.ssa_list()
    st.attrs = p.optional_attr_dict()
    if not names:
        p.error(f"{st.name} needs at least one element")
    p.expect(":")
    t = p.type()
    st.operands = p.resolve_all(names, [t] * len(names))
    st.results = [ArrayType(len(names), t, st.name == "hw.array_create")]


def _concat_arrays(types: Types, attrs: dict[str, Any]) -> Any:
    parts = types["inputs"]
    if not parts or not all(isinstance(t, ArrayType) and t.elem is parts[0].elem for t in parts):
        return "hw.array_concat joins arrays of one element type"
    return ArrayType(sum(t.size for t in parts), parts[0].elem)


row("hw.array_concat", "inputs*", "result", "$inputs attr-dict `:` type($inputs)", infer=_concat_arrays)


def _elem(types: Types, attrs: dict[str, Any]) -> Any:
    t = types["input"]
    return t.elem if isinstance(t, ArrayType) else f"expected an array, got {t}"


row(
    "hw.array_get",
    "input index",
    "result",
    "$input `[` $index `]` attr-dict `:` type($input) `,` type($index)",
    infer=_elem,
    verify=_array_index,
)
row("hw.array_slice", "input lowIndex", "dst", "$input `[` $lowIndex `]` attr-dict `:` functional-type($input, $dst)")


def _array_inject(op: Op, report: Report) -> None:
    _array_index(op, report)
    array = op.operands[0].type
    if isinstance(array, ArrayType) and op.operands[2].type is not array.elem:
        report(op, f"the element of {array} cannot be {op.operands[2].type}")


row(
    "hw.array_inject", "input index element", "result=input", "$input `[` $index `]` `,` $element attr-dict `:` type($input) `,` type($index)",
    verify=_array_inject,
)  # fmt: skip


@syntax("hw.struct_create", "input*", results="result")
def _struct_create(p: Parser, st: OpState) -> None:
    """`(%a, %b) : !hw.struct<...>`."""
    p.expect("(")
    names = p.ssa_list(")")
    st.attrs = p.optional_attr_dict()
    p.expect(":")
    pos = p.ws()
    t = p.type()
    if not isinstance(t, StructType):
        p.error(f"expected a struct type, got {t}", pos)
    if len(names) != len(t.fields):
        p.error(f"{len(names)} values for {len(t.fields)} fields", pos)
    st.operands = p.resolve_all(names, [f for _, f in t.fields], pos)
    st.results = [t]


_CREATE = re.compile(r" \((%[\w$.-]+(?:#\d+)?(?:, %[\w$.-]+(?:#\d+)?)*)\) (?:(\{[^{}\n]*\}) )?: ([^\n]*)", re.ASCII)


@fast_path("hw.struct_create")
def _fast_create(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
    m = _CREATE.match(p.text, pos)
    if m is None or rname is None or rname in scope:
        return None
    names, attrs, text = m.groups()
    t = p.type_cache.get(text) or p.type_cache.get(text.rstrip())
    if t is None:
        return None
    try:
        operands = [scope[n] for n in names.split(", ")]
    except KeyError:
        return None
    if not isinstance(t, StructType):
        return None
    fields = t.fields
    if len(operands) != len(fields):
        return None
    for v, (_, ft) in zip(operands, fields, strict=True):
        if v.type is not ft:
            return None
    op, scope[rname] = definition("hw.struct_create", operands, {} if attrs is None else p.dict_at(m.start(2)), start, p.source, p.block, None, t, rname)
    p.pos = m.end()
    return op


def _field(p: Parser) -> str:
    p.expect("[")
    name = p.string("a field name in quotes")
    p.expect("]")
    return name


@syntax("hw.struct_extract hw.union_extract", "input", results="result")
def _extract(p: Parser, st: OpState) -> None:
    """`%s["field"] : T`."""
    operand = p.ssa()
    pos = p.ws()
    st.attrs["field"] = name = _field(p)
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    t = p.type()
    if not isinstance(t, (StructType, UnionType)) or isinstance(t, StructType) != (st.name == "hw.struct_extract"):
        p.error(f"{st.name} does not work on {t}", pos)
    ft = t.field_type(name)
    if ft is None:
        p.error(f"{t} has no field '{name}'", pos)
    st.operands = [p.resolve(operand, t)]
    st.results = [ft]


_EXTRACT = re.compile(r' (%[\w$.-]+(?:#\d+)?)\["([^"\\\n]*)"\] (?:(\{[^{}\n]*\}) )?: ([^\n]*)', re.ASCII)


@fast_path("hw.struct_extract")
def _fast_extract(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
    m = _EXTRACT.match(p.text, pos)
    if m is None or rname is None or rname in scope:
        return None
    name, field, attrs, text = m.groups()
    t = p.type_cache.get(text) or p.type_cache.get(text.rstrip())
    if t is None:
        return None
    try:
        value = scope[name]
    except KeyError:
        return None
    if value.type is not t or not isinstance(t, StructType):
        return None
    ft = t.field_type(field)
    if ft is None:
        return None
    op, scope[rname] = definition("hw.struct_extract", [value], {"field": field}, start, p.source, p.block, None, ft, rname)
    if attrs is not None:
        op.attrs.update(p.dict_at(m.start(3)))
    p.pos = m.end()
    return op


@syntax("hw.struct_inject", "input newValue", results="result")
def _inject(p: Parser, st: OpState) -> None:
    operand = p.ssa()
    pos = p.ws()
    st.attrs["field"] = name = _field(p)
    p.expect(",")
    value = p.ssa()
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    t = p.type()
    ft = t.field_type(name) if isinstance(t, StructType) else None
    if ft is None:
        p.error(f"{t} has no field '{name}'", pos)
    st.operands = [p.resolve(operand, t), p.resolve(value, ft)]
    st.results = [t]


@syntax("hw.struct_explode", "input")
def _explode(p: Parser, st: OpState) -> None:
    operand = p.ssa()
    st.attrs = p.optional_attr_dict()
    p.expect(":")
    pos = p.ws()
    t = p.type()
    if not isinstance(t, StructType):
        p.error(f"expected a struct type, got {t}", pos)
    st.operands = [p.resolve(operand, t)]
    st.results = [f for _, f in t.fields]


@syntax("hw.union_create", "input", results="result")
def _union_create(p: Parser, st: OpState) -> None:
    pos = p.ws()
    st.attrs["field"] = name = p.string("a field name in quotes")
    p.expect(",")
    value = p.ssa()
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    t = p.type()
    ft = t.field_type(name) if isinstance(t, UnionType) else None
    if ft is None:
        p.error(f"{t} has no field '{name}'", pos)
    st.operands = [p.resolve(value, ft)]
    st.results = [t]


@syntax("hw.enum.constant", results="result")
def _enum_constant(p: Parser, st: OpState) -> None:
    pos = p.ws()
    st.attrs["field"] = name = p.bare("an enumerator")
    p.expect(":")
    t = p.type()
    if not isinstance(t, EnumType) or name not in t.names:
        p.error(f"{t} has no enumerator '{name}'", pos)
    st.attrs.update(p.optional_attr_dict())
    st.results = [t]


row("hw.enum.cmp", "lhs rhs", "result:i1", "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs)")


@syntax("hw.wire", "input", results="result")
def _wire(p: Parser, st: OpState) -> None:
    operand = p.ssa()
    if p.accept_word("sym"):
        st.attrs["inner_sym"] = p.attr()
    if p.accept_word("name"):
        st.attrs["name"] = p.string()
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    t = p.type()
    st.operands = [p.resolve(operand, t)]
    st.results = [t]


@syntax("hw.param.value", results="result")
def _param_value(p: Parser, st: OpState) -> None:
    """`i32 = #hw.param.decl.ref<"W">`, or the older `#... : i32`."""
    if p.peek("#"):
        st.attrs["value"] = p.attr(typed=False)
        p.expect(":")
        st.results = [p.type()]
    else:
        st.results = [p.type()]
        p.expect("=")
        st.attrs["value"] = p.attr()
    st.attrs.update(p.optional_attr_dict())


def param_ref(value: Any) -> str | None:
    """Name of the parameter an attribute `#hw.param.decl.ref<"W">` refers to; None for anything else."""
    if isinstance(value, Opaque):
        m = re.match(r'#hw\.param\.decl\.ref<"([^"]*)"', value.text)
        return m[1] if m else None
    return None
