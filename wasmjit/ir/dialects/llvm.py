"""llvm: types, arithmetic, aggregates, conversions. Formats: MLIR `LLVMIR/LLVMOps.td`. Memory: `llvm_memory`; functions, calls, globals: `llvm_func`."""

from __future__ import annotations

import re
from typing import Any

from wasmjit.ir.assembly import SYM, UNIT, Types, enum, fast_path, row, rows, syntax
from wasmjit.ir.attrs import Dense
from wasmjit.ir.core import Op, definition
from wasmjit.ir.dialects.arith import CMPF, CMPI
from wasmjit.ir.normal import named_enum
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.typereader import dialect_type
from wasmjit.ir.types import I1, PTR, VOID, IntType, LLVMArrayType, LLVMFuncType, LLVMStructType, PtrType, Type, VectorType

# --- types -------------------------------------------------------------------------------------------------------------


@dialect_type("llvm.ptr")
def _ptr(p: Parser) -> Type:
    if not p.text.startswith("<", p.pos):
        return PTR
    p.expect("<")
    if re.compile(r"[0-9]+\s*>").match(p.text, p.ws()):
        space = p.integer()
    else:
        # `!llvm.ptr<T>` of the time before opaque pointers
        p.type("llvm.")
        space = p.integer() if p.accept(",") else 0
    p.expect(">")
    return PtrType(space)


@dialect_type("llvm.void")
def _void(p: Parser) -> Type:
    return VOID


@dialect_type("llvm.struct")
def _struct(p: Parser) -> Type:
    """`<(T, T)>`, `<packed (T)>`, `<"name", (T)>`, `<"name", opaque>`, `<"name">` (the one being defined or defined before)."""
    p.expect("<")
    name: str | None = None
    if p.peek('"'):
        name = p.string()
        if p.accept(">"):
            return p.llvm_structs.get(name) or LLVMStructType(name, None)
        p.expect(",")
        if p.accept_word("opaque"):
            p.expect(">")
            return LLVMStructType(name, None)
    packed = p.accept_word("packed")
    fields = p.type_list_parens("llvm.")
    p.expect(">")
    t = LLVMStructType(name, tuple(fields), packed)
    if name is not None:
        p.llvm_structs[name] = t
    return t


@dialect_type("llvm.array")
def _array(p: Parser) -> Type:
    p.expect("<")
    size = p.integer("the size of the array")
    if size < 0 or size >= 1 << 40:
        p.error(f"array of {size} elements")
    # the lexer of MLIR takes `4xi8` too
    if not p.accept("x"):
        p.error(f"expected 'x' between size and element type{p.found()}")
    elem = p.type("llvm.")
    p.expect(">")
    return LLVMArrayType(size, elem)


@dialect_type("llvm.func")
def _func(p: Parser) -> Type:
    p.expect("<")
    result = p.type("llvm.")
    p.expect("(")
    params: list[Type] = []
    vararg = False
    if not p.accept(")"):
        while True:
            if p.accept("..."):
                vararg = True
                p.expect(")")
                break
            params.append(p.type("llvm."))
            if p.accept(")"):
                break
            p.expect(",")
    p.expect(">")
    return LLVMFuncType(result, tuple(params), vararg)


@dialect_type("llvm.vec")
def _vec(p: Parser) -> Type:
    p.expect("<")
    scalable = p.accept("?") and p.accept("x")
    size = p.integer()
    p.expect("x")
    elem = p.type("llvm.")
    p.expect(">")
    return VectorType((size,), elem, " scalable" if scalable else "")


# --- arithmetic --------------------------------------------------------------------------------------------------------

_OVERFLOW = "(`overflow` <overflow>)? (`exact` $isExact)? (`disjoint` $isDisjoint)?"
rows("llvm.fadd llvm.fsub llvm.fmul llvm.fdiv llvm.frem", "lhs=res rhs=res", "res", "$lhs `,` $rhs attr-dict `:` type($res)")
rows("llvm.fneg llvm.freeze", "operand=res", "res", "$operand attr-dict `:` type($res)")


rows(
    "llvm.add llvm.sub llvm.mul llvm.shl llvm.and llvm.or llvm.xor llvm.udiv llvm.sdiv llvm.urem llvm.srem llvm.lshr llvm.ashr",
    "lhs=res rhs=res",
    "res",
    f"{_OVERFLOW} $lhs `,` $rhs {_OVERFLOW} attr-dict `:` type($res)",
    attrs={"isExact": UNIT, "isDisjoint": UNIT},
)


def _bool_like(types: Types, attrs: dict[str, Any]) -> Type:
    t = types["lhs"]
    return VectorType(t.shape, I1, t.suffix) if isinstance(t, VectorType) else I1


_CMP = "$predicate $lhs `,` $rhs attr-dict `:` type($lhs)"


def _compare(name: str, words: str) -> None:
    """`"eq" %a, %b : T`, the predicate quoted."""
    spec = row(
        name,
        "lhs rhs=lhs",
        "res",
        _CMP,
        attrs={"predicate": enum(words)},
        infer=_bool_like,
        fast=False,
        normalise=named_enum("predicate", words),
    )
    known = set(words.split())
    match = re.compile(r' "(\w+)" (%[\w$.-]+(?:#\d+)?), (%[\w$.-]+(?:#\d+)?) : ([^\n]*)', re.ASCII).match

    def fast(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
        m = match(p.text, pos)
        if m is None or rname is None or rname in scope:
            return None
        predicate, a, b, text = m.groups()
        t = p.type_cache.get(text) or p.type_cache.get(text.rstrip())
        if t is None or predicate not in known or isinstance(t, VectorType):
            return None
        try:
            lhs, rhs = scope[a], scope[b]
        except KeyError:
            return None
        if lhs.type is not t or rhs.type is not t:
            return None
        op, scope[rname] = definition(name, [lhs, rhs], {"predicate": predicate}, start, p.source, p.block, None, I1, rname)
        p.pos = m.end()
        return op

    spec.fast = fast


_compare("llvm.icmp", CMPI)
_compare("llvm.fcmp", CMPF.replace("false ", "_false ").replace(" true", " _true"))


@syntax("llvm.select", "condition trueValue falseValue", results="res")
def _select(p: Parser, st: OpState) -> None:
    """`%c, %a, %b : i1, T`."""
    names = [p.ssa()]
    p.expect(",")
    names.append(p.ssa())
    p.expect(",")
    names.append(p.ssa())
    st.attrs = p.optional_attr_dict()
    p.expect(":")
    types = p.types_plain()
    t = types[-1]
    st.operands = p.resolve_all(names, [types[0], t, t])
    st.results = [t]


rows(
    "llvm.bitcast llvm.addrspacecast llvm.inttoptr llvm.ptrtoint llvm.sext llvm.zext llvm.trunc llvm.sitofp llvm.uitofp llvm.fptosi llvm.fptoui llvm.fpext llvm.fptrunc",
    "arg",
    "res",
    "(`nneg` $nonNeg)? $arg attr-dict `:` type($arg) `to` type($res)",
    attrs={"nonNeg": UNIT},
)


# --- constants and aggregates ------------------------------------------------------------------------------------------


def member_type(t: Type, position: list[int]) -> Type | None:
    """Type of a member of an aggregate; None if there is no such member."""
    for i in position:
        if isinstance(t, LLVMStructType) and t.fields is not None and 0 <= i < len(t.fields):
            t = t.fields[i]
        elif isinstance(t, LLVMArrayType) and 0 <= i < t.size:
            t = t.elem
        else:
            return None
    return t


def _position(p: Parser) -> list[int]:
    p.expect("[")
    out = [p.integer("an index")]
    while p.accept(","):
        out.append(p.integer("an index"))
    p.expect("]")
    return out


@syntax("llvm.extractvalue", "container", results="res")
def _extractvalue(p: Parser, st: OpState) -> None:
    name = p.ssa()
    pos = p.ws()
    st.attrs["position"] = position = _position(p)
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    t = p.type()
    member = member_type(t, position)
    if member is None:
        p.error(f"{t} has no member {position}", pos)
    st.operands = [p.resolve(name, t)]
    st.results = [member]


@syntax("llvm.insertvalue", "container value", results="res")
def _insertvalue(p: Parser, st: OpState) -> None:
    """`%v, %aggregate[0, 1] : T` (operands: container, value, as in the generic form)."""
    value = p.ssa()
    p.expect(",")
    name = p.ssa()
    pos = p.ws()
    st.attrs["position"] = position = _position(p)
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    t = p.type()
    member = member_type(t, position)
    if member is None:
        p.error(f"{t} has no member {position}", pos)
    st.operands = [p.resolve(name, t), p.resolve(value, member)]
    st.results = [t]


_SSA = r"(%[\w$.-]+(?:#\d+)?)"
_EXTRACT = re.compile(rf" {_SSA}\[(\d+(?:, \d+)*)\] : ([^\n]*)", re.ASCII)
_INSERT = re.compile(rf" {_SSA}, {_SSA}\[(\d+(?:, \d+)*)\] : ([^\n]*)", re.ASCII)


@fast_path("llvm.extractvalue")
def _fast_extract(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
    m = _EXTRACT.match(p.text, pos)
    if m is None or rname is None or rname in scope:
        return None
    name, where, text = m.groups()
    t = p.type_cache.get(text.rstrip())
    if t is None or len(where) > 200:
        return None
    try:
        value = scope[name]
    except KeyError:
        return None
    position = [int(x) for x in where.split(", ")]
    member = member_type(t, position)
    if value.type is not t or member is None:
        return None
    op, scope[rname] = definition("llvm.extractvalue", [value], {"position": position}, start, p.source, p.block, None, member, rname)
    p.pos = m.end()
    return op


@fast_path("llvm.insertvalue")
def _fast_insert(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
    m = _INSERT.match(p.text, pos)
    if m is None or rname is None or rname in scope:
        return None
    val, name, where, text = m.groups()
    t = p.type_cache.get(text.rstrip())
    if t is None or len(where) > 200:
        return None
    try:
        value, container = scope[val], scope[name]
    except KeyError:
        return None
    position = [int(x) for x in where.split(", ")]
    if container.type is not t or member_type(t, position) is not value.type:
        return None
    op, scope[rname] = definition("llvm.insertvalue", [container, value], {"position": position}, start, p.source, p.block, None, t, rname)
    p.pos = m.end()
    return op


rows("llvm.mlir.undef llvm.mlir.poison llvm.mlir.zero llvm.mlir.null", "", "res", "attr-dict `:` type($res)")
row("llvm.mlir.none", "", "res", "attr-dict `:` type($res)")


row("llvm.mlir.addressof", "", "res", "$global_name attr-dict `:` type($res)", attrs={"global_name": SYM})


@syntax("llvm.mlir.constant", results="res")
def _mlir_constant(p: Parser, st: OpState) -> None:
    """`(5 : i64) : i64`: attribute `value`."""
    p.expect("(")
    st.attrs["value"] = p.attr()
    p.expect(")")
    st.attrs.update(p.optional_attr_dict())
    if p.accept(":"):
        st.results = [p.type()]
    elif isinstance(st.attrs["value"], Dense):
        st.results = [st.attrs["value"].type]
    elif isinstance(st.attrs["value"], bool):
        st.results = [I1]
    else:
        p.error("expected ':' and the type of the constant")


_CONSTANT = re.compile(r"\((-?\d{1,100}) : i\d+\) : i([1-9]\d{0,6})(?=[ \t]*\n)", re.ASCII)


@fast_path("llvm.mlir.constant")
def _fast_constant(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
    m = _CONSTANT.match(p.text, pos)
    if m is None or rname is None or rname in scope:
        return None
    digits, width = m.groups()
    op, scope[rname] = definition("llvm.mlir.constant", [], {"value": int(digits)}, start, p.source, p.block, None, IntType(int(width)), rname)
    p.pos = m.end()
    return op


row("llvm.unreachable", "", "", "attr-dict", traits="terminator")
rows("llvm.extractelement", "vector position", "res", "$vector `[` $position `:` type($position) `]` attr-dict `:` type($vector)",
     infer=lambda t, a: getattr(t["vector"], "elem", None) or "expected a vector")  # fmt: skip
rows(
    "llvm.insertelement",
    "value vector position",
    "res=vector",
    "$value `,` $vector `[` $position `:` type($position) `]` attr-dict `:` type($vector)",
)

# --- intrinsics --------------------------------------------------------------------------------------------------------

_INTRINSIC = "`(` $args `)` attr-dict `:` functional-type($args, $res)"
rows(
    "llvm.intr.ctpop llvm.intr.ctlz llvm.intr.cttz llvm.intr.bswap llvm.intr.bitreverse llvm.intr.abs llvm.intr.smax llvm.intr.smin llvm.intr.umax llvm.intr.umin "
    "llvm.intr.fshl llvm.intr.fshr llvm.intr.sadd.with.overflow llvm.intr.uadd.with.overflow llvm.intr.ssub.with.overflow llvm.intr.usub.with.overflow "
    "llvm.intr.smul.with.overflow llvm.intr.umul.with.overflow llvm.intr.sadd.sat llvm.intr.uadd.sat llvm.intr.ssub.sat llvm.intr.usub.sat llvm.intr.sqrt "
    "llvm.intr.sin llvm.intr.cos llvm.intr.tan llvm.intr.pow llvm.intr.powi llvm.intr.exp llvm.intr.exp2 llvm.intr.log llvm.intr.log10 llvm.intr.log2 "
    "llvm.intr.fabs llvm.intr.floor llvm.intr.ceil llvm.intr.trunc llvm.intr.rint llvm.intr.nearbyint llvm.intr.round llvm.intr.roundeven llvm.intr.copysign "
    "llvm.intr.fma llvm.intr.fmuladd llvm.intr.maxnum llvm.intr.minnum llvm.intr.maximum llvm.intr.minimum llvm.intr.memcpy llvm.intr.memcpy.inline "
    "llvm.intr.memmove llvm.intr.memset llvm.intr.expect llvm.intr.is.constant llvm.intr.fptosi.sat llvm.intr.fptoui.sat llvm.intr.stacksave "
    "llvm.intr.eh.typeid.for",
    "args*",
    "res*",
    _INTRINSIC,
)


@syntax("llvm.intr.stackrestore llvm.intr.assume llvm.intr.trap llvm.intr.debugtrap llvm.intr.ubsantrap llvm.intr.vastart llvm.intr.vaend llvm.intr.vacopy "
        "llvm.intr.lifetime.start llvm.intr.lifetime.end llvm.intr.prefetch llvm.intr.donothing", "args*", results="")  # fmt: skip
def _intrinsic(p: Parser, st: OpState) -> None:
    """`%a, %b : T, T`, sometimes with a number in front."""
    if p.peek("("):
        p.expect("(")
        names = p.ssa_list(")")
        st.attrs = p.optional_attr_dict()
        p.expect(":")
        t = p.function_type()
        st.operands, st.results = p.resolve_all(names, t.inputs), list(t.results)
        return
    if p.text[p.ws() : p.pos + 1].isdigit():
        st.attrs["size"] = p.integer()
        p.expect(",")
    names = p.ssa_list()
    st.attrs.update(p.optional_attr_dict())
    if p.accept(":"):
        st.operands = p.resolve_all(names, p.types_plain())
    else:
        st.operands = [p.resolve(n, None) for n in names]


row("llvm.intr.is.fpclass", "in", "res:i1", "`(` $in `)` attr-dict `:` functional-type($in, $res)")
