"""llhd: signals, processes, time. Formats: CIRCT `LLHD/LLHDOps.td`, and the older spellings that are still in the wild."""

from __future__ import annotations

import re
from typing import Any

from wasmjit.ir.assembly import SYM, custom, fast_path, plain_path, row, syntax
from wasmjit.ir.attrreader import dialect_attr
from wasmjit.ir.attrs import TimeAttr
from wasmjit.ir.core import Op, Value, definition, statement
from wasmjit.ir.dialects.cf import branch_target, note_types
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.typereader import dialect_type
from wasmjit.ir.types import I1, TIME, ArrayType, InOutType, RefType, StructType, Type

# --- types and attributes ----------------------------------------------------------------------------------------------


@dialect_type("llhd.ref", "llhd.sig")
def _ref(p: Parser) -> Type:
    p.expect("<")
    elem = p.type("hw.")
    p.expect(">")
    return RefType(elem)


@dialect_type("llhd.time")
def _time(p: Parser) -> Type:
    return TIME


_UNITS = {"fs": 1, "ps": 10**3, "ns": 10**6, "us": 10**9, "ms": 10**12, "s": 10**15}
_TIME = re.compile(r"<\s*(\d{1,30})\s*([munpf]?s)\s*,\s*(\d{1,20})\s*d\s*,\s*(\d{1,20})\s*e\s*>", re.ASCII)


@dialect_attr("llhd.time")
def time_attr(p: Parser) -> TimeAttr:
    """`<5ns, 1d, 2e>`."""
    m = p.match(_TIME)
    if m is None:
        p.error(f"expected a time like <1ns, 0d, 0e>{p.found()}")
    return TimeAttr(int(m[1]) * _UNITS[m[2]], int(m[3]), int(m[4]))


def ref_type(p: Parser) -> Type:
    """`!llhd.ref<T>`, `!llhd.sig<T>`, or the short `<T>`."""
    if p.peek("<"):
        return _ref(p)
    return p.type()


def ref_or_elem(p: Parser) -> RefType | InOutType:
    """The type of a signal operand in any spelling: `!llhd.ref<T>`, `<T>`, the older `!hw.inout<T>`, or T itself."""
    t = ref_type(p)
    return t if isinstance(t, (RefType, InOutType)) else RefType(t)


# --- signals -----------------------------------------------------------------------------------------------------------


@syntax("llhd.constant_time", results="result")
def _constant_time(p: Parser, st: OpState) -> None:
    """`<1ns, 0d, 0e>` or `#llhd.time<...>`: attribute `value` is a TimeAttr."""
    if p.peek("#"):
        pos = p.ws()
        value = p.attr()
        if not isinstance(value, TimeAttr):
            p.error("expected #llhd.time<...>", pos)
        st.attrs["value"] = value
    else:
        st.attrs["value"] = time_attr(p)
    st.attrs.update(p.optional_attr_dict())
    if p.accept(":"):
        p.type()
    st.results = [TIME]


_TIME_LINE = re.compile(r" <(\d{1,30})([munpf]?s), (\d{1,20})d, (\d{1,20})e>(?=[ \t]*+\n)", re.ASCII)


@fast_path("llhd.constant_time")
def _fast_time(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
    m = _TIME_LINE.match(p.text, pos)
    if m is None or rname is None or rname in scope:
        return None
    number, unit, delta, epsilon = m.groups()
    value = TimeAttr(int(number) * _UNITS[unit], int(delta), int(epsilon))
    op, scope[rname] = definition("llhd.constant_time", [], {"value": value}, start, p.source, p.block, None, TIME, rname)
    p.pos = m.end()
    return op


@syntax("llhd.output", "value time", results="result")
@syntax("llhd.sig", "init", results="result")
def _sig(p: Parser, st: OpState) -> None:
    """`%init : T`, with `name "x"` or the older `"x"` in front, or `: <T>` / `: !llhd.ref<T>` at the end. `llhd.output` is a sig driven by `init` (`after %t`)."""
    if p.accept_word("name") or p.peek('"'):
        st.attrs["name"] = p.string()
    init = p.ssa()
    time = None
    if st.name == "llhd.output":
        p.expect_word("after")
        time = p.ssa()
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    ref = ref_or_elem(p)
    st.operands = [p.resolve(init, ref.elem)]
    if time is not None:
        st.operands.append(p.resolve(time, TIME))
    st.results = [ref]


@syntax("llhd.prb", "signal", results="result")
def _prb(p: Parser, st: OpState) -> None:
    signal = p.ssa()
    st.attrs = p.optional_attr_dict()
    p.expect(":")
    ref = ref_or_elem(p)
    st.operands = [p.resolve(signal, ref)]
    st.results = [ref.elem]


def _strength(p: Parser, st: OpState) -> None:
    """`strength(strong, weak)`: drive strengths of 0 and 1."""
    if p.accept_word("strength"):
        p.expect("(")
        st.attrs["strength0"] = p.bare("a strength")
        p.expect(",")
        st.attrs["strength1"] = p.bare("a strength")
        p.expect(")")


@syntax("llhd.drv", "signal value time enable?", results="")
def _drv(p: Parser, st: OpState) -> None:
    """`%sig, %value after %time if %enable : T`."""
    signal = p.ssa()
    p.expect(",")
    value = p.ssa()
    p.expect_word("after")
    time = p.ssa()
    enable = p.ssa() if p.accept_word("if") else None
    _strength(p, st)
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    ref = ref_or_elem(p)
    st.operands = [p.resolve(signal, ref), p.resolve(value, ref.elem), p.resolve(time, TIME)]
    if enable is not None:
        st.operands.append(p.resolve(enable, I1))


_SSA = r"(%[\w$.-]+(?:#\d+)?)"
_DRV = re.compile(rf" {_SSA}, {_SSA} after {_SSA}(?: if {_SSA})? : ([^\n]*)", re.ASCII)
_SIG = re.compile(rf' (?:name "([^"\\\n]*)" )?{_SSA} : ([^\n]*)', re.ASCII)


@plain_path("llhd.prb")
def _plain_prb(
    p: Parser, start: int, rname: str | None, word: str | None, name: str, b: str | None, c: str | None, text: str, scope: Any
) -> Op | None:
    if rname is None or rname in scope or word is not None or b is not None:
        return None
    t = p.type_cache.get(text[2:]) or p.type_cache.get(text[2:].rstrip())
    if t is None or type(t) is RefType:
        return None
    try:
        signal = scope[name]
    except KeyError:
        return None
    st = signal.type
    if type(st) is not RefType or st.elem is not t:
        return None
    op, scope[rname] = definition("llhd.prb", [signal], {}, start, p.source, p.block, None, t, rname)
    return op


@fast_path("llhd.drv")
def _fast_drv(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
    m = _DRV.match(p.text, pos)
    if m is None or rname is not None:
        return None
    sig, val, time, cond, text = m.groups()
    t = p.type_cache.get(text) or p.type_cache.get(text.rstrip())
    if t is None or type(t) is RefType:
        return None
    try:
        signal, value, when = scope[sig], scope[val], scope[time]
        operands = [signal, value, when] if cond is None else [signal, value, when, scope[cond]]
    except KeyError:
        return None
    st = signal.type
    if (
        type(st) is not RefType
        or st.elem is not t
        or value.type is not t
        or when.type is not TIME
        or (cond is not None and operands[3].type is not I1)
    ):
        return None
    p.pos = m.end()
    return statement("llhd.drv", operands, {}, start, p.source, p.block, None)


@fast_path("llhd.sig")
def _fast_sig(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
    m = _SIG.match(p.text, pos)
    if m is None or rname is None or rname in scope:
        return None
    label, name, text = m.groups()
    t = p.type_cache.get(text) or p.type_cache.get(text.rstrip())
    if t is None or type(t) is RefType:
        return None
    try:
        init = scope[name]
    except KeyError:
        return None
    if init.type is not t:
        return None
    op, scope[rname] = definition("llhd.sig", [init], {} if label is None else {"name": label}, start, p.source, p.block, None, RefType(t), rname)
    p.pos = m.end()
    return op


def _like(src: Type, elem: Type) -> Type:
    """A reference to `elem` of the kind that `src` is."""
    return InOutType(elem) if isinstance(src, InOutType) else RefType(elem)


def _elem_of(p: Parser, t: Type, pos: int) -> ArrayType:
    inner = t.elem if isinstance(t, (RefType, InOutType)) else t
    if not isinstance(inner, ArrayType):
        p.error(f"expected a reference to an array, got {t}", pos)
    return inner


def _sig_slice_types(p: Parser, st: OpState, names: list[Any]) -> None:
    """`: <T> -> <T>`, the older `: (!llhd.sig<T>, iN) -> !llhd.sig<T>`."""
    p.expect(":")
    if p.peek("("):
        ft = p.function_type()
        inputs = [*ft.inputs, None] if len(ft.inputs) == 1 else list(ft.inputs)
        if len(inputs) != len(names):
            p.error(f"{len(names)} operands, but {len(inputs)} types")
        st.operands = [p.resolve(n, t) for n, t in zip(names, inputs, strict=True)]
        st.results = list(ft.results)
        return
    src = ref_type(p)
    p.expect("->")
    st.results = [ref_type(p)]
    st.operands = [p.resolve(names[0], src), p.resolve(names[1], None)]


@syntax("llhd.sig.extract llhd.sig.array_slice", "input lowBit", results="result")
def _sig_extract(p: Parser, st: OpState) -> None:
    names = [p.ssa()]
    p.expect_word("from" if st.name == "llhd.sig.extract" else "at")
    names.append(p.ssa())
    st.attrs = p.optional_attr_dict()
    _sig_slice_types(p, st, names)


@syntax("llhd.sig.array_get", "input index", results="result")
def _sig_array_get(p: Parser, st: OpState) -> None:
    names = [p.ssa()]
    p.expect("[")
    names.append(p.ssa())
    p.expect("]")
    st.attrs = p.optional_attr_dict()
    p.expect(":")
    pos = p.ws()
    src = ref_type(p)
    array = _elem_of(p, src, pos)
    st.operands = [p.resolve(names[0], src), p.resolve(names[1], None)]
    st.results = [_like(src, array.elem)]
    if p.accept("->"):
        p.type()


@syntax("llhd.sig.struct_extract", "input", results="result")
def _sig_struct(p: Parser, st: OpState) -> None:
    name = p.ssa()
    pos = p.ws()
    p.expect("[")
    st.attrs["field"] = field = p.string("a field name in quotes")
    p.expect("]")
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    src = ref_type(p)
    inner = src.elem if isinstance(src, (RefType, InOutType)) else src
    ft = inner.field_type(field) if isinstance(inner, StructType) else None
    if ft is None:
        p.error(f"{inner} has no field '{field}'", pos)
    st.operands = [p.resolve(name, src)]
    st.results = [_like(src, ft)]
    if p.accept("->"):
        p.type()


@syntax("llhd.global_signal", traits="symbol", results="")
def _global_signal(p: Parser, st: OpState) -> None:
    """`@name : T init { ... }`."""
    st.attrs["sym_name"] = p.symbol()
    p.expect(":")
    st.attrs["type"] = p.type()
    if p.accept_word("init"):
        st.regions.append(p.region())
    st.attrs.update(p.optional_attr_dict())


@syntax("llhd.get_global_signal", results="result")
def _get_global(p: Parser, st: OpState) -> None:
    st.attrs["global_name"] = p.symbol_ref()
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    st.results = [ref_type(p)]


# --- processes ---------------------------------------------------------------------------------------------------------


@syntax("llhd.process llhd.combinational llhd.final", "", lazy=True)
def _process(p: Parser, st: OpState) -> None:
    """`-> T, T { body }`."""
    if p.accept("->"):
        st.results = p.type_list_parens() if p.peek("(") else p.types_plain()
    if p.accept_word("attributes"):
        st.attrs = p.attr_dict()
    st.regions.append(p.region(lazy=True, short=st.name == "llhd.process" and not st.results))
    st.attrs.update(p.optional_attr_dict())


@syntax("llhd.coroutine", traits="isolated symbol", lazy=True, results="")
def _coroutine(p: Parser, st: OpState) -> None:
    from wasmjit.ir.dialects.func import function

    function(p, st)


row(
    "llhd.call_coroutine", "operands*", "results*", "$callee `(` $operands `)` attr-dict `:` functional-type($operands, $results)",
    attrs={"callee": SYM},
)  # fmt: skip


@syntax("llhd.wait", "yieldOperands* delay? observed*", succ_groups=("destOperands",), traits="terminator", results="")
def _wait(p: Parser, st: OpState) -> None:
    """`yield (%a : i1), delay %t, (%b : i1), ^bb1(%c : i8)`; older: `for %t, (%b : i1), ^bb1`."""
    yields: list[Value] = []
    delay: list[Value] = []
    observed: list[Value] = []
    while True:
        if p.accept_word("yield"):
            yields += _typed_group(p)
        elif p.accept_word("delay") or p.accept_word("for"):
            delay = [p.resolve(p.ssa(), TIME)]
        elif p.peek("("):
            observed += _typed_group(p)
        else:
            break
        if not p.accept(","):
            break
    st.successors.append(p.successor())
    st.operands = [*yields, *delay, *observed]
    st.segments = [len(yields), len(delay), len(observed)]
    st.attrs = p.optional_attr_dict()


_WAIT = re.compile(
    r" (?:delay (%[\w$.-]++), )?+(?:\((%[^:\n()]*) : ([^\n()]*+)\), )?+\^([\w$.-]++)(?:\((%[^:\n()]*) : ([^\n()]*+)\))?+(?=[ \t]*+\n)", re.ASCII
)


@fast_path("llhd.wait")
def _fast_wait(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
    m = _WAIT.match(p.text, pos)
    if m is None or rname is not None:
        return None
    time, observed, types, label, args, arg_types = m.groups()
    operands: list[Value] = []
    try:
        if time is not None:
            operands.append(scope[time])
            if operands[0].type is not TIME:
                return None
        n = 0
        if observed is not None:
            values = [scope[x] for x in observed.split(", ")]
            n = len(values)
            known = p.branch_types.get(types) or note_types(p, types, m.start(3))
            if known is None or len(known) != n or any(v.type is not t for v, t in zip(values, known, strict=True)):
                return None
            operands += values
    except KeyError:
        return None
    target = branch_target(p, label, args, arg_types, m.start(6), pos + 1, scope)
    if target is None:
        return None
    p.pos = m.end()
    op = statement("llhd.wait", operands, {"operandSegmentSizes": [0, int(time is not None), n]}, start, p.source, p.block, None)
    op.successors = (target,)
    return op


def _typed_group(p: Parser) -> list[Value]:
    """`(%a, %b : T, T)`, or nothing in the parentheses."""
    pos = p.ws()
    p.expect("(")
    names = p.ssa_list()
    types: list[Type] = []
    if names:
        p.expect(":")
        types = p.types_plain()
    p.expect(")")
    return p.resolve_all(names, types, pos)


@syntax("llhd.halt llhd.yield llhd.return", "yieldOperands*", traits="terminator", results="")
def _halt(p: Parser, st: OpState) -> None:
    names = p.ssa_list()
    if names:
        st.attrs = p.optional_attr_dict()
        p.expect(":")
        st.operands = p.resolve_all(names, p.types_plain())
    else:
        st.attrs = p.optional_attr_dict()


# --- time and the rest -------------------------------------------------------------------------------------------------


row("llhd.delay", "input=result", "result", "$input `by` <llhd_time> attr-dict `:` type($result)", fast=False)


@custom
def _llhd_time(p: Parser, st: OpState, s: Any) -> None:
    st.attrs["delay"] = p.attr() if p.peek("#") else time_attr(p)


row("llhd.current_time", "", "result:time", "attr-dict")
row("llhd.int_to_time", "input:i64", "result:time", "$input attr-dict")
row("llhd.time_to_int", "input:time", "result:i64", "$input attr-dict")


# Older LLHD: variables and connections.
@dialect_type("llhd.ptr")
def _ptr(p: Parser) -> Type:
    """`!llhd.ptr<T>`, the type of `llhd.var`, is a reference like any other."""
    return _ref(p)


row("llhd.var", "init", "result", "$init attr-dict `:` type($init)", infer=lambda t, a: RefType(t["init"]))
row(
    "llhd.load",
    "pointer",
    "result",
    "$pointer attr-dict `:` type($pointer)",
    infer=lambda t, a: getattr(t["pointer"], "elem", None) or "expected a reference",
)
row("llhd.store", "pointer value", "", "$pointer `,` $value attr-dict `:` type($pointer)")
row("llhd.con", "lhs rhs=lhs", "", "$lhs `,` $rhs attr-dict `:` type($lhs)")
