"""llvm: functions, calls, globals. Formats: MLIR `LLVMIR/LLVMOps.td` and `LLVMDialect.cpp`."""

from __future__ import annotations

import re
from typing import Any

from wasmjit.ir.assembly import fast_path, new_row_id, syntax
from wasmjit.ir.attrs import Opaque, SymbolRef
from wasmjit.ir.core import Op, definition, statement
from wasmjit.ir.dialects.func import signature
from wasmjit.ir.names import Operand
from wasmjit.ir.normal import bare_words
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.types import I8, VOID, FunctionType, LLVMArrayType, LLVMFuncType, PtrType, Type

_LINKAGE = (
    "private", "internal", "available_externally", "linkonce", "weak", "common", "appending", "extern_weak", "linkonce_odr", "weak_odr", "external",
)  # fmt: skip
_VISIBILITY = ("hidden", "protected", "default")
_CCONV = (
    "ccc",
    "fastcc",
    "coldcc",
    "cc_10",
    "cc_11",
    "preserve_mostcc",
    "preserve_allcc",
    "tailcc",
    "swiftcc",
    "swifttailcc",
    "anyregcc",
    "ghccc",
)


def _flags(p: Parser, st: OpState) -> None:
    """Linkage, visibility, thread_local, unnamed_addr, calling convention, constant: in the order they come."""
    while True:
        m = p.peek_any()
        if m in _LINKAGE:
            st.attrs["linkage"] = m
        elif m in _VISIBILITY:
            st.attrs["visibility_"] = m
        elif m in ("public", "nested"):
            st.attrs["sym_visibility"] = m
        elif m in ("thread_local", "thread_local_"):
            st.attrs["thread_local_"] = True
        elif m in ("unnamed_addr", "local_unnamed_addr"):
            st.attrs["unnamed_addr"] = m
        elif m in _CCONV:
            st.attrs["CConv"] = m
        elif m == "cconv":
            p.accept_word(m)
            p.ws()
            p.skip_balanced()
            continue
        elif m == "constant":
            st.attrs["constant"] = True
        elif m == "vscale_range":
            p.accept_word(m)
            p.skip_balanced()
            continue
        else:
            return
        p.accept_word(m)


def _plain_words(op: Op) -> None:
    """Generic form: linkage and its like as words."""
    bare_words(op, "linkage", "CConv", "unnamed_addr", "visibility_")


@syntax("llvm.func", traits="isolated symbol", lazy=True, normalise=_plain_words, results="")
def _func(p: Parser, st: OpState) -> None:
    """`internal @f(%a: T, ...) -> R vararg attributes {...} { body }`: `function_type` is an LLVMFuncType."""
    _flags(p, st)
    st.attrs["sym_name"] = p.symbol()
    names, inputs, results, vararg = signature(p, st)
    if len(results) > 1:
        p.error("an llvm function has at most one result")
    st.attrs["function_type"] = LLVMFuncType(results[0] if results else VOID, tuple(inputs), vararg)
    while True:
        word = p.peek_any()
        if word in ("vscale_range", "comdat"):
            p.accept_word(word)
            p.ws()
            p.skip_balanced()
        elif word == "attributes":
            p.accept_word(word)
            st.attrs.update(p.attr_dict())
            break
        else:
            break
    if p.peek("{"):
        # Without names in the header, the entry block has its own argument list.
        args = list(zip(names, inputs, strict=True)) if all(names) else []
        st.regions.append(p.region(args, lazy=True, isolated=True))


@syntax("llvm.return", "arg?", traits="terminator", results="")
def _return(p: Parser, st: OpState) -> None:
    name = p.ssa() if p.peek("%") else None
    st.attrs = p.optional_attr_dict()
    if name is not None:
        p.expect(":")
        st.operands = [p.resolve(name, p.type())]


_CALL_ROW = new_row_id()


def _call_common(p: Parser, st: OpState, invoke: bool) -> None:
    """Callee, operands, and for calls: `vararg(!llvm.func<...>)`, attributes, function type."""
    word = p.peek_any()
    if word in _CCONV:
        p.accept_word(word)
        st.attrs["CConv"] = word
    word = p.peek_any()
    if word in ("tail", "musttail", "notail", "none"):
        p.accept_word(word)
        st.attrs["TailCallKind"] = word
    pointer: Operand | None = None
    if p.peek("@"):
        st.attrs["callee"] = p.symbol_ref()
    else:
        pointer = p.ssa()
    p.expect("(")
    names = p.ssa_list(")")
    if invoke:
        p.expect_word("to")
        st.successors.append(p.successor())
        p.expect_word("unwind")
        st.successors.append(p.successor())
    if p.accept_word("vararg"):
        p.expect("(")
        st.attrs["var_callee_type"] = p.type()
        p.expect(")")
    if p.peek("["):
        p.skip_balanced()
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    types: list[Type] = []
    start = p.ws()
    if pointer is not None and not p.peek("("):
        types.append(p.type())
        p.expect(",")
    elif pointer is not None:
        types.append(PtrType())
    pos = p.ws()
    t = p.function_type()
    first = [] if pointer is None else [p.resolve(pointer, types[0])]
    st.operands = [*first, *p.resolve_all(names, t.inputs, pos)]
    st.results = [] if t.results == (VOID,) else list(t.results)
    if pointer is None and not invoke and len(st.results) <= 1:
        st.tail_start, st.tail = start, (_CALL_ROW, (t.inputs, tuple(st.results)))


@syntax("llvm.call", "callee_operands*")
def _call(p: Parser, st: OpState) -> None:
    """Direct: attribute `callee`, operands are the arguments. Indirect: the first operand is the pointer."""
    _call_common(p, st, False)


@syntax("llvm.invoke", "callee_operands*", succ_groups=("normalDestOperands", "unwindDestOperands"), traits="terminator")
def _invoke(p: Parser, st: OpState) -> None:
    _call_common(p, st, True)


def _make_fast(name: str, row: int) -> Any:
    import re

    match = re.compile(r" @([A-Za-z_$.-][\w$.-]*|\"[^\"\\\n]*\")\(((?:%[\w$.-]+(?:#\d+)?(?:, )?)*)\) : ([^\n]*)", re.ASCII).match
    refs: dict[str, SymbolRef] = {}

    def fast(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
        m = match(p.text, pos)
        if m is None:
            return None
        callee, args, text = m.groups()
        tail = p.tails[row].get(text)
        if tail is None:
            return None
        inputs, results = tail
        try:
            operands = [scope[n] for n in args.split(", ")] if args else []
        except KeyError:
            return None
        if len(operands) != len(inputs):
            return None
        for v, t in zip(operands, inputs, strict=True):
            if v.type is not t:
                return None
        ref = refs.get(callee)
        if ref is None:
            ref = refs[callee] = SymbolRef(callee[1:-1] if callee[0] == '"' else callee)
        if rname is None:
            if results:
                return None
            p.pos = m.end()
            return statement(name, operands, {"callee": ref}, start, p.source, p.block, None)
        if rname in scope or not results:
            return None
        op, scope[rname] = definition(name, operands, {"callee": ref}, start, p.source, p.block, None, results[0], rname)
        p.pos = m.end()
        return op

    return fast


fast_path("llvm.call")(_make_fast("llvm.call", _CALL_ROW))


@syntax("llvm.landingpad", "operands*", results="res")
def _landingpad(p: Parser, st: OpState) -> None:
    """`cleanup (catch %a : !llvm.ptr) (filter %b : T) : R`."""
    if p.accept_word("cleanup"):
        st.attrs["cleanup"] = True
    while p.accept("("):
        p.bare("catch or filter")
        name = p.ssa()
        p.expect(":")
        st.operands.append(p.resolve(name, p.type()))
        p.expect(")")
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    st.results = [p.type()]


@syntax("llvm.resume", "value", traits="terminator", results="")
def _resume(p: Parser, st: OpState) -> None:
    name = p.ssa()
    p.expect(":")
    st.operands = [p.resolve(name, p.type())]


@syntax("llvm.mlir.global", traits="isolated symbol", lazy=True, normalise=_plain_words, results="")
def _global(p: Parser, st: OpState) -> None:
    """`internal constant @g("text\\00") {...} : T { init }`: attributes `value`, `global_type`."""
    _flags(p, st)
    st.attrs["sym_name"] = p.symbol()
    p.expect("(")
    if not p.accept(")"):
        st.attrs["value"] = p.attr()
        p.expect(")")
    if p.accept_word("comdat"):
        p.ws()
        p.skip_balanced()
    st.attrs.update(p.optional_attr_dict())
    value = st.attrs.get("value")
    if p.accept(":"):
        st.attrs["global_type"] = p.type()
    elif isinstance(value, str):
        st.attrs["global_type"] = LLVMArrayType(len(value.encode("utf-8", "surrogateescape")), I8)
    elif "global_type" not in st.attrs:
        p.error("expected ':' and the type of the global")
    if p.peek("{"):
        st.regions.append(p.region(lazy=True, isolated=True))


_TEXT = re.compile(
    r""" internal (constant )?+@(?:"([^"\\\n]*+)"|([A-Za-z_$.-][\w$.-]*+))\((?:"([^"\\\n]*+)"|(#llvm\.zero|true|false))\)"""
    r""" \{addr_space = 0 : i32\}(?: : ([^\n{]*+))?+(?=[ \t]*+\n[ \t]*+[^\s{/])""",
    re.ASCII,
)


@fast_path("llvm.mlir.global")
def _fast_global(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
    m = _TEXT.match(p.text, pos)
    if m is None or rname is not None:
        return None
    constant, quoted, name, text, word, type_text = m.groups()
    attrs: dict[str, Any] = {"linkage": "internal"}
    if constant is not None:
        attrs["constant"] = True
    attrs["sym_name"] = name if quoted is None else quoted
    attrs["value"] = text if text is not None else word == "true" if word[0] != "#" else Opaque(word)
    attrs["addr_space"] = 0
    if type_text is not None:
        t = p.type_cache.get(type_text)
        if t is None:
            return None
        attrs["global_type"] = t
    elif text is not None:
        attrs["global_type"] = LLVMArrayType(len(text.encode("utf-8", "surrogateescape")), I8)
    else:
        return None
    p.pos = m.end()
    return statement("llvm.mlir.global", [], attrs, start, p.source, p.block, None)


@syntax("llvm.mlir.alias", traits="isolated symbol", lazy=True, results="")
def _alias(p: Parser, st: OpState) -> None:
    _flags(p, st)
    st.attrs["sym_name"] = p.symbol()
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    st.attrs["alias_type"] = p.type()
    st.regions.append(p.region(lazy=True, isolated=True))


@syntax("llvm.mlir.global_ctors llvm.mlir.global_dtors", results="")
def _ctors(p: Parser, st: OpState) -> None:
    """`ctors = [@f], priorities = [65535 : i32], data = [#llvm.zero]`, or the older attribute dictionary."""
    if p.peek("{"):
        st.attrs = p.attr_dict()
        return
    while True:
        name = p.bare("ctors, dtors, priorities or data")
        p.expect("=")
        st.attrs[name] = p.attr()
        if not p.accept(","):
            break
    st.attrs.update(p.optional_attr_dict())


@syntax("llvm.comdat", traits="symbol symbol_table", results="")
def _comdat(p: Parser, st: OpState) -> None:
    st.attrs["sym_name"] = p.symbol()
    st.regions.append(p.region())


@syntax("llvm.comdat_selector", traits="symbol", results="")
def _selector(p: Parser, st: OpState) -> None:
    st.attrs["sym_name"] = p.symbol()
    st.attrs["comdat"] = p.bare("a selector")
    st.attrs.update(p.optional_attr_dict())


def function_type_of(op: Op) -> FunctionType | None:
    """Inputs and results of `func.func`, `llvm.func`, `llhd.coroutine`; None for anything else or with varargs."""
    t = op.attrs.get("function_type")
    if isinstance(t, FunctionType):
        return t
    if isinstance(t, LLVMFuncType) and not t.vararg:
        return FunctionType(t.params, () if t.result is VOID else (t.result,))
    return None
