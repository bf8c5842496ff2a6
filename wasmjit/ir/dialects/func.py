"""func: functions and calls. Formats: MLIR `Func/IR/FuncOps.td`."""

from __future__ import annotations

import re
from typing import Any

from wasmjit.ir.assembly import SYM, fast_path, new_row_id, row, syntax
from wasmjit.ir.core import Op, Value, definition, statement
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.types import FunctionType, Type


def signature(p: Parser, st: OpState) -> tuple[list[str], list[Type], list[Type], bool]:
    """`(%a: T {attrs}, ...) -> (T {attrs}, T)`: argument names ("" for types only), input and result types, vararg. Attributes go to `st.attrs`."""
    start = p.ws()
    end = p.text.find("\n", start)
    line = p.text[start : end if end >= 0 else len(p.text)]
    llvm = st.name.startswith("llvm")
    known = p.signatures.get((llvm, line))
    if known is not None:
        p.pos = start + known[0]
        return list(known[1]), list(known[2]), list(known[3]), known[4]
    p.expect("(")
    names: list[str] = []
    inputs: list[Type] = []
    arg_attrs: list[dict[str, Any]] = []
    vararg = False
    if not p.accept(")"):
        while True:
            if p.accept("..."):
                vararg = True
                p.expect(")")
                break
            name = ""
            if p.peek("%"):
                name = p.ssa()[0]
                p.expect(":")
            names.append(name)
            inputs.append(p.type("llvm." if llvm else ""))
            arg_attrs.append(p.optional_attr_dict())
            p.optional_location()
            if p.accept(")"):
                break
            p.expect(",")
    results: list[Type] = []
    res_attrs: list[dict[str, Any]] = []
    if p.accept("->"):
        if p.accept("("):
            if not p.accept(")"):
                while True:
                    results.append(p.type())
                    res_attrs.append(p.optional_attr_dict())
                    if p.accept(")"):
                        break
                    p.expect(",")
        else:
            results.append(p.type())
    if any(arg_attrs):
        st.attrs["arg_attrs"] = arg_attrs
    if any(res_attrs):
        st.attrs["res_attrs"] = res_attrs
    if not any(arg_attrs) and not any(res_attrs) and p.pos - start <= len(line):
        # Methods of a class library share their signatures, and so the rest of the line.
        p.signatures[llvm, line] = p.pos - start, tuple(names), tuple(inputs), tuple(results), vararg
    return names, inputs, results, vararg


_VISIBILITY = ("private", "public", "nested")


def function(p: Parser, st: OpState) -> None:
    """`private @f(...) -> T attributes {...} { body }`."""
    for word in _VISIBILITY:
        if p.accept_word(word):
            st.attrs["sym_visibility"] = word
    st.attrs["sym_name"] = p.symbol()
    names, inputs, results, _ = signature(p, st)
    st.attrs["function_type"] = FunctionType(tuple(inputs), tuple(results))
    if p.accept_word("attributes"):
        st.attrs.update(p.attr_dict())
    if p.peek("{"):
        # Without names in the header, the entry block has its own argument list.
        args = list(zip(names, inputs, strict=True)) if all(names) else []
        st.regions.append(p.region(args, lazy=True, isolated=True))


syntax("func.func", traits="isolated symbol", lazy=True, results="")(function)
row(
    "func.call",
    "operands*",
    "results*",
    "$callee `(` $operands `)` attr-dict `:` functional-type($operands, $results)",
    attrs={"callee": SYM},
)


@syntax("func.return", "operands*", traits="terminator", results="")
def _return(p: Parser, st: OpState) -> None:
    st.attrs = p.optional_attr_dict()
    names = p.ssa_list()
    if names:
        p.expect(":")
        st.operands = p.resolve_all(names, p.types_plain())


@syntax("func.call_indirect", "callee callee_operands*")
def _call_indirect(p: Parser, st: OpState) -> None:
    callee = p.ssa()
    p.expect("(")
    names = p.ssa_list(")")
    st.attrs = p.optional_attr_dict()
    p.expect(":")
    pos = p.ws()
    t = p.function_type()
    st.operands = [p.resolve(callee, t), *p.resolve_all(names, t.inputs, pos)]
    st.results = list(t.results)
    if len(st.results) <= 1:
        st.tail_start, st.tail = pos, (_INDIRECT_ROW, (t, t.inputs, tuple(st.results)))


_INDIRECT_ROW = new_row_id()
_INDIRECT = re.compile(r" (%[\w$.-]+(?:#\d+)?)\(((?:%[\w$.-]+(?:#\d+)?(?:, )?)*)\) : ([^\n]*)", re.ASCII)


@fast_path("func.call_indirect")
def _fast_indirect(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
    m = _INDIRECT.match(p.text, pos)
    if m is None:
        return None
    callee, args, text = m.groups()
    tail = p.tails[_INDIRECT_ROW].get(text)
    if tail is None or (rname is None) != (not tail[2]) or rname in scope:
        return None
    t, inputs, results = tail
    try:
        operands = [scope[callee]]
        if args:
            operands += [scope[n] for n in args.split(", ")]
    except KeyError:
        return None
    if len(operands) != len(inputs) + 1 or operands[0].type is not t:
        return None
    for v, x in zip(operands[1:], inputs, strict=True):
        if v.type is not x:
            return None
    p.pos = m.end()
    if rname is None:
        return statement("func.call_indirect", operands, {}, start, p.source, p.block, None)
    op, scope[rname] = definition("func.call_indirect", operands, {}, start, p.source, p.block, None, results[0], rname)
    return op


_RETURN = re.compile(r"(?: (%[\w$.-]+(?:#\d+)?) : ([^\n]*)|[ \t]*)(?=\n)", re.ASCII)


@fast_path("func.return")
def _fast_return(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
    m = _RETURN.match(p.text, pos)
    if m is None or rname is not None:
        return None
    name, text = m.groups()
    operands: list[Value] = []
    if name is not None:
        t = p.type_cache.get(text)
        try:
            value = scope[name]
        except KeyError:
            return None
        if t is None or value.type is not t:
            return None
        operands = [value]
    p.pos = m.end()
    return statement("func.return", operands, {}, start, p.source, p.block, None)
