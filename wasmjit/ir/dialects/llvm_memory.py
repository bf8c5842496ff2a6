"""llvm: memory. Formats: MLIR `LLVMIR/LLVMOps.td`."""

from __future__ import annotations

import re
from typing import Any

from wasmjit.ir.assembly import custom, fast_path, new_row_id, plain_path, syntax
from wasmjit.ir.core import Op, definition, statement
from wasmjit.ir.names import Operand
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.types import I1, PTR, LLVMStructType, Type

# --- memory ------------------------------------------------------------------------------------------------------------


@syntax("llvm.alloca", "arraySize", results="res")
def _alloca(p: Parser, st: OpState) -> None:
    """`inalloca? %n x T {alignment = 8} : (i64) -> !llvm.ptr`: attribute `elem_type`."""
    if p.accept_word("inalloca"):
        st.attrs["inalloca"] = True
    size = p.ssa()
    p.expect_word("x")
    st.attrs["elem_type"] = p.type()
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    pos = p.ws()
    t = p.function_type()
    st.operands = p.resolve_all([size], t.inputs, pos)
    st.results = list(t.results)


_ALLOCA = re.compile(r" (%[\w$.-]+(?:#\d+)?) x ([^\n{]*?) : \((i\d+)\) -> !llvm\.ptr(?=[ \t]*\n)", re.ASCII)


@fast_path("llvm.alloca")
def _fast_alloca(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
    m = _ALLOCA.match(p.text, pos)
    if m is None or rname is None or rname in scope:
        return None
    size, elem, width = m.groups()
    t, st = p.type_cache.get(elem), p.type_cache.get(width)
    if t is None or st is None:
        return None
    try:
        value = scope[size]
    except KeyError:
        return None
    if value.type is not st:
        return None
    op, scope[rname] = definition("llvm.alloca", [value], {"elem_type": t}, start, p.source, p.block, None, PTR, rname)
    p.pos = m.end()
    return op


@custom
def _atomic(p: Parser, st: OpState, s: Any) -> None:
    """`syncscope("x") acquire`."""
    if p.accept_word("syncscope"):
        p.expect("(")
        st.attrs["syncscope"] = p.string()
        p.expect(")")
    st.attrs["ordering"] = p.bare("an atomic ordering")


@syntax("llvm.load", "addr", results="res")
def _load(p: Parser, st: OpState) -> None:
    """`volatile? %p atomic ...? invariant? : !llvm.ptr -> T`."""
    if p.accept_word("volatile"):
        st.attrs["volatile_"] = True
    name = p.ssa()
    _memory_flags(p, st)
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    pt = p.type()
    st.operands = [p.resolve(name, pt)]
    p.expect("->")
    st.results = [p.type()]


def _memory_flags(p: Parser, st: OpState) -> None:
    while True:
        if p.accept_word("atomic"):
            _atomic(p, st, None)
        elif p.accept_word("invariant_group"):
            st.attrs["invariantGroup"] = True
        elif p.accept_word("invariant"):
            st.attrs["invariant"] = True
        elif p.accept_word("dereferenceable"):
            p.skip_balanced()
        else:
            return


@syntax("llvm.store", "value addr", results="")
def _store(p: Parser, st: OpState) -> None:
    """`volatile? %v, %p atomic ...? : T, !llvm.ptr`."""
    if p.accept_word("volatile"):
        st.attrs["volatile_"] = True
    value = p.ssa()
    p.expect(",")
    addr = p.ssa()
    _memory_flags(p, st)
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    vt = p.type()
    p.expect(",")
    pt = p.type()
    st.operands = [p.resolve(value, vt), p.resolve(addr, pt)]


_SSA = r"(%[\w$.-]+(?:#\d+)?)"
_LOAD_ROW, _STORE_ROW = new_row_id(), new_row_id()
_LOADED = re.compile(r": !llvm\.ptr -> (.*\S)[ \t]*")
_STORED = re.compile(r": (.*), !llvm\.ptr[ \t]*")


def _known(p: Parser, row: int, form: re.Pattern[str], text: str) -> Type | None:
    """The type in the rest of a line of this form; None if nobody has read that type yet."""
    t = p.tails[row].get(text)
    if t is None:
        m = form.fullmatch(text)
        t = p.type_cache.get(m[1]) if m is not None else None
        if t is not None:
            p.tails[row][text] = t
    return t


@plain_path("llvm.load")
def _plain_load(
    p: Parser, start: int, rname: str | None, word: str | None, name: str, b: str | None, c: str | None, text: str, scope: Any
) -> Op | None:
    if rname is None or rname in scope or word is not None or b is not None:
        return None
    t = p.tails[_LOAD_ROW].get(text) or _known(p, _LOAD_ROW, _LOADED, text)
    if t is None:
        return None
    try:
        addr = scope[name]
    except KeyError:
        return None
    if addr.type is not PTR:
        return None
    op, scope[rname] = definition("llvm.load", [addr], {}, start, p.source, p.block, None, t, rname)
    return op


@plain_path("llvm.store")
def _plain_store(
    p: Parser, start: int, rname: str | None, word: str | None, val: str, ptr: str | None, c: str | None, text: str, scope: Any
) -> Op | None:
    if rname is not None or word is not None or ptr is None or c is not None:
        return None
    t = p.tails[_STORE_ROW].get(text) or _known(p, _STORE_ROW, _STORED, text)
    if t is None:
        return None
    try:
        value, addr = scope[val], scope[ptr]
    except KeyError:
        return None
    if addr.type is not PTR or value.type is not t:
        return None
    return statement("llvm.store", [value, addr], {}, start, p.source, p.block, None)


DYNAMIC = -(1 << 31)
"""Entry of `rawConstantIndices` that stands for the next operand."""


@syntax("llvm.getelementptr", "base dynamicIndices*", results="res")
def _gep(p: Parser, st: OpState) -> None:
    """`inbounds? %p[0, %i, 2] : (!llvm.ptr, i64) -> !llvm.ptr, T`: attributes `rawConstantIndices` (DYNAMIC = operand), `elem_type`."""
    while True:
        if p.accept("inbounds|nuw"):
            st.attrs["noWrapFlags"] = ["inbounds", "nuw"]
        elif p.accept_word("inbounds"):
            st.attrs["inbounds"] = True
        elif p.accept_word("nusw") or p.accept_word("nuw"):
            st.attrs["noWrapFlags"] = True
        elif not p.accept("|"):
            break
    names: list[Operand] = [p.ssa()]
    indices: list[int] = []
    p.expect("[")
    if not p.accept("]"):
        while True:
            if p.peek("%"):
                names.append(p.ssa())
                indices.append(DYNAMIC)
            else:
                indices.append(p.integer("an index"))
            if p.accept("]"):
                break
            p.expect(",")
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    start = p.ws()
    t = p.function_type()
    st.operands = p.resolve_all(names, t.inputs, start)
    st.results = list(t.results)
    if p.accept(","):
        st.attrs["elem_type"] = p.type()
    st.attrs["rawConstantIndices"] = indices
    st.tail_start, st.tail = start, (_GEP_ROW, (t.inputs, t.results[0] if t.results else PTR, st.attrs.get("elem_type")))


_GEP_ROW = new_row_id()
_GEP = re.compile(rf" (inbounds )?{_SSA}\[([\w%$.#, -]*)\] : ([^\n]*)", re.ASCII)


@fast_path("llvm.getelementptr")
def _fast_gep(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
    m = _GEP.match(p.text, pos)
    if m is None or rname is None or rname in scope:
        return None
    inbounds, base, inside, text = m.groups()
    tail = p.tails[_GEP_ROW].get(text)
    if tail is None:
        return None
    inputs, res, elem = tail
    try:
        operands = [scope[base]]
        indices = []
        for word in inside.split(", "):
            if word[0] == "%":
                operands.append(scope[word])
                indices.append(DYNAMIC)
            else:
                indices.append(int(word))
    except (KeyError, ValueError, IndexError):
        return None
    if len(operands) != len(inputs):
        return None
    for v, t in zip(operands, inputs, strict=True):
        if v.type is not t:
            return None
    attrs: dict[str, Any] = {"elem_type": elem, "rawConstantIndices": indices}
    if inbounds:
        attrs["inbounds"] = True
    op, scope[rname] = definition("llvm.getelementptr", operands, attrs, start, p.source, p.block, None, res, rname)
    p.pos = m.end()
    return op


@syntax("llvm.atomicrmw", "ptr val", results="res")
def _atomicrmw(p: Parser, st: OpState) -> None:
    """`volatile? add %p, %v syncscope("x")? acq_rel : !llvm.ptr, i32`."""
    if p.accept_word("volatile"):
        st.attrs["volatile_"] = True
    st.attrs["bin_op"] = p.bare("an operation")
    ptr = p.ssa()
    p.expect(",")
    val = p.ssa()
    _atomic(p, st, None)
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    pt = p.type()
    p.expect(",")
    vt = p.type()
    st.operands = [p.resolve(ptr, pt), p.resolve(val, vt)]
    st.results = [vt]


@syntax("llvm.cmpxchg", "ptr cmp val", results="res")
def _cmpxchg(p: Parser, st: OpState) -> None:
    for word in ("weak", "volatile"):
        if p.accept_word(word):
            st.attrs[word if word == "weak" else "volatile_"] = True
    ptr = p.ssa()
    p.expect(",")
    cmp = p.ssa()
    p.expect(",")
    val = p.ssa()
    _atomic(p, st, None)
    st.attrs["success_ordering"] = st.attrs.pop("ordering")
    st.attrs["failure_ordering"] = p.bare("an atomic ordering")
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    pt = p.type()
    p.expect(",")
    vt = p.type()
    st.operands = [p.resolve(ptr, pt), p.resolve(cmp, vt), p.resolve(val, vt)]
    st.results = [LLVMStructType(None, (vt, I1))]


@syntax("llvm.fence", results="")
def _fence(p: Parser, st: OpState) -> None:
    _atomic(p, st, None)
    st.attrs.update(p.optional_attr_dict())
