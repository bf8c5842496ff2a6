"""seq: registers, memories, clocks. Formats: CIRCT `Seq/SeqOps.td` and `SeqOps.cpp`."""

from __future__ import annotations

from typing import Any

from wasmjit.ir.assembly import enum, row, syntax
from wasmjit.ir.core import Value
from wasmjit.ir.names import Operand
from wasmjit.ir.normal import named_enum
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.spec import SPECS
from wasmjit.ir.typereader import dialect_type
from wasmjit.ir.types import CLOCK, I1, FirMemType, HLMemType, ImmutableType, IntType, Type

# --- types -------------------------------------------------------------------------------------------------------------


@dialect_type("seq.clock")
def _clock(p: Parser) -> Type:
    return CLOCK


@dialect_type("seq.immutable")
def _immutable(p: Parser) -> Type:
    p.expect("<")
    elem = p.type("hw.")
    p.expect(">")
    return ImmutableType(elem)


@dialect_type("seq.firmem")
def _firmem_type(p: Parser) -> Type:
    """`<12 x 42, mask 3>`."""
    p.expect("<")
    depth = p.integer("the depth")
    p.expect("x")
    width = p.integer("the width")
    mask = None
    if p.accept(","):
        p.expect_word("mask")
        mask = p.integer("the mask width")
    p.expect(">")
    return FirMemType(depth, width, mask)


@dialect_type("seq.hlmem")
def _hlmem_type(p: Parser) -> Type:
    p.expect("<")
    shape = p.dims()
    elem = p.type("hw.")
    p.expect(">")
    return HLMemType(tuple(shape), elem)


def _short(p: Parser, full: Any) -> Type:
    """`<...>` or the whole type."""
    result: Type = full(p) if p.peek("<") else p.type()
    return result


# --- registers ---------------------------------------------------------------------------------------------------------


def _sym(p: Parser, st: OpState) -> None:
    if p.accept_word("sym"):
        st.attrs["inner_sym"] = p.attr()


@syntax("seq.firreg", "next clk reset? resetValue?", results="data")
def _firreg(p: Parser, st: OpState) -> None:
    """`%next clock %clk sym @s reset async %r, %v preset 0 {name = "x"} : i32`; attributes `name`, `isAsync`, `preset`."""
    nxt = p.ssa()
    p.expect_word("clock")
    clk = p.ssa()
    _sym(p, st)
    reset: list[Operand] = []
    if p.accept_word("reset"):
        kind = p.peek_any()
        if kind not in ("async", "sync"):
            p.error("expected 'async' or 'sync' after 'reset'")
        p.accept_word(kind)
        if kind == "async":
            st.attrs["isAsync"] = True
        reset.append(p.ssa())
        p.expect(",")
        reset.append(p.ssa())
    if p.accept_word("preset"):
        st.attrs["preset"] = p.integer("the preset value")
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    t = p.type()
    st.operands = p.resolve_all([nxt, clk], [t, CLOCK])
    if reset:
        st.operands += p.resolve_all(reset, [I1, t])
    st.segments = [1, 1, len(reset) // 2, len(reset) // 2]
    st.results = [t]


def _compreg_rest(p: Parser, st: OpState, names: list[Operand], types: list[Type | None], enable: bool) -> None:
    """`reset %r, %v initial %i powerOn... {..} : T`."""
    reset: list[Operand] = []
    if p.accept_word("reset"):
        p.accept_word("async")
        reset.append(p.ssa())
        p.expect(",")
        reset.append(p.ssa())
    elif p.peek(",") and p.accept(","):
        reset.append(p.ssa())
        p.expect(",")
        reset.append(p.ssa())
    initial: list[Operand] = []
    power_on = p.accept_word("powerOn")
    if power_on or p.accept_word("initial"):
        initial.append(p.ssa())
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    t = p.type()
    values = [p.resolve(n, t if x is None else x) for n, x in zip(names, types, strict=True)]
    if reset:
        values += p.resolve_all(reset, [I1, t])
    if initial:
        values.append(p.resolve(initial[0], t if power_on else ImmutableType(t)))
    st.operands = values
    st.segments = [1, 1, *([1] if enable else []), len(reset) // 2, len(reset) // 2, len(initial)]
    st.results = [t]


_COMPREG = "input clk{} reset? resetValue? initialValue?"


@syntax("seq.compreg", _COMPREG.format(""), results="data")
def _compreg(p: Parser, st: OpState) -> None:
    """`sym @s %input, %clk reset %r, %v initial %i : T`. `clockEnable` is empty."""
    _sym(p, st)
    if p.peek('"'):
        st.attrs["name"] = p.string()
    names = [p.ssa()]
    p.expect(",")
    names.append(p.ssa())
    _compreg_rest(p, st, names, [None, CLOCK], False)


SPECS["seq.compreg"].extra["absent"] = ("clockEnable",)


@syntax("seq.compreg.ce", _COMPREG.format(" clockEnable"), results="data")
def _compreg_ce(p: Parser, st: OpState) -> None:
    _sym(p, st)
    if p.peek('"'):
        st.attrs["name"] = p.string()
    names = [p.ssa()]
    p.expect(",")
    names.append(p.ssa())
    p.expect(",")
    names.append(p.ssa())
    _compreg_rest(p, st, names, [None, CLOCK, I1], True)


@syntax("seq.shiftreg", "input clk clockEnable reset? resetValue? powerOnValue?", results="data")
def _shiftreg(p: Parser, st: OpState) -> None:
    """`[3] sym @s %input, %clk, %ce reset %r, %v powerOn %p : T`; attribute `numElements`."""
    p.expect("[")
    st.attrs["numElements"] = p.integer("the number of elements")
    p.expect("]")
    _sym(p, st)
    if p.peek('"'):
        st.attrs["name"] = p.string()
    names = [p.ssa()]
    for _ in range(2):
        p.expect(",")
        names.append(p.ssa())
    reset: list[Operand] = []
    if p.accept_word("reset"):
        reset.append(p.ssa())
        p.expect(",")
        reset.append(p.ssa())
    power: list[Operand] = []
    immutable = False
    if p.accept_word("powerOn") or (immutable := p.accept_word("initial")):
        power.append(p.ssa())
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    t = p.type()
    st.operands = p.resolve_all(names, [t, CLOCK, I1])
    if reset:
        st.operands += p.resolve_all(reset, [I1, t])
    if power:
        st.operands.append(p.resolve(power[0], ImmutableType(t) if immutable else t))
    st.segments = [1, 1, 1, len(reset) // 2, len(reset) // 2, len(power)]
    st.results = [t]


# --- clocks ------------------------------------------------------------------------------------------------------------

row("seq.to_clock", "input:i1", "output:clock", "$input attr-dict")
row("seq.from_clock", "input:clock", "output:i1", "$input attr-dict")
row("seq.clock_inv", "input:clock", "output:clock", "$input attr-dict")
row("seq.clock_mux", "cond:i1 trueClock:clock falseClock:clock", "result:clock", "$cond `,` $trueClock `,` $falseClock attr-dict")
row("seq.const_clock", "", "result:clock", "$value attr-dict", attrs={"value": enum("low high")}, normalise=named_enum("value", "low high"))


@syntax("seq.clock_gate", "input enable test_enable?", results="output")
def _clock_gate(p: Parser, st: OpState) -> None:
    """`%clk, %enable, %test sym @s`."""
    names = p.ssa_list()
    if len(names) not in (2, 3):
        p.error("seq.clock_gate takes a clock, an enable and at most one test enable", st.pos)
    _sym(p, st)
    st.attrs.update(p.optional_attr_dict())
    st.operands = p.resolve_all(names, [CLOCK, I1, I1][: len(names)])
    st.results = [CLOCK]


@syntax("seq.clock_div", "input", results="output")
def _clock_div(p: Parser, st: OpState) -> None:
    """`%clk by 2`: attribute `pow2`."""
    name = p.ssa()
    p.expect_word("by")
    st.attrs["pow2"] = p.integer("an exponent")
    st.attrs.update(p.optional_attr_dict())
    st.operands = [p.resolve(name, CLOCK)]
    st.results = [CLOCK]


# --- memories ----------------------------------------------------------------------------------------------------------


@syntax("seq.firmem", results="memory")
def _firmem(p: Parser, st: OpState) -> None:
    """`sym @s "name" readLatency, writeLatency, readUnderWrite, writeUnderWrite init {...} prefix "x" : <12 x 42, mask 3>`."""
    _sym(p, st)
    if p.peek('"'):
        st.attrs["name"] = p.string()
    st.attrs["readLatency"] = p.integer("the read latency")
    p.expect(",")
    st.attrs["writeLatency"] = p.integer("the write latency")
    p.expect(",")
    st.attrs["ruw"] = p.bare("undefined, old or new")
    p.expect(",")
    st.attrs["wuw"] = p.bare("undefined or port_order")
    while p.peek_any() and not p.peek("{"):
        word = p.bare("an option")
        st.attrs[word] = p.attr(typed=False)
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    st.results = [_short(p, _firmem_type)]


def _data(p: Parser, t: Type) -> Type:
    if not isinstance(t, FirMemType):
        p.error(f"expected a seq.firmem type, got {t}")
    return IntType(t.width)


def _address(t: Type) -> Type:
    assert isinstance(t, FirMemType)
    return IntType(max(1, (t.depth - 1).bit_length()))


def _bracket(p: Parser) -> Operand:
    p.expect("[")
    name = p.ssa()
    p.expect("]")
    return name


def _clock_enable(p: Parser) -> tuple[Operand, list[Operand]]:
    """`clock %c enable %e`."""
    p.accept(",")
    p.expect_word("clock")
    clk = p.ssa()
    return clk, [p.ssa()] if p.accept_word("enable") else []


def _mem_type(p: Parser, st: OpState) -> Type:
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    t = _short(p, _firmem_type)
    _data(p, t)
    return t


def _mask_type(p: Parser, t: Type) -> Type:
    assert isinstance(t, FirMemType)
    if t.mask is None:
        p.error(f"{t} has no mask")
    return IntType(t.mask)


@syntax("seq.firmem.read_port", "memory address clk enable?", results="data")
def _read_port(p: Parser, st: OpState) -> None:
    """`%mem[%addr], clock %c enable %e : <...>`."""
    mem, addr = p.ssa(), _bracket(p)
    clk, en = _clock_enable(p)
    t = _mem_type(p, st)
    st.operands = p.resolve_all([mem, addr, clk, *en], [t, _address(t), CLOCK, *([I1] * len(en))])
    st.results = [_data(p, t)]


@syntax("seq.firmem.write_port", "memory address clk enable? data mask?", results="")
def _write_port(p: Parser, st: OpState) -> None:
    """`%mem[%addr] = %data, clock %c enable %e mask %m : <...>`."""
    mem, addr = p.ssa(), _bracket(p)
    p.expect("=")
    data = p.ssa()
    clk, en = _clock_enable(p)
    mask = [p.ssa()] if p.accept_word("mask") else []
    t = _mem_type(p, st)
    st.operands = p.resolve_all([mem, addr, clk, *en, data], [t, _address(t), CLOCK, *([I1] * len(en)), _data(p, t)])
    st.operands += [p.resolve(m, _mask_type(p, t)) for m in mask]
    st.segments = [1, 1, 1, len(en), 1, len(mask)]


@syntax("seq.firmem.read_write_port", "memory address clk enable? writeData mode mask?", results="readData")
def _read_write_port(p: Parser, st: OpState) -> None:
    """`%mem[%addr] = %data if %mode, clock %c enable %e mask %m : <...>`."""
    mem, addr = p.ssa(), _bracket(p)
    p.expect("=")
    data = p.ssa()
    p.expect_word("if")
    mode = p.ssa()
    clk, en = _clock_enable(p)
    mask = [p.ssa()] if p.accept_word("mask") else []
    t = _mem_type(p, st)
    st.operands = p.resolve_all([mem, addr, clk, *en, data, mode], [t, _address(t), CLOCK, *([I1] * len(en)), _data(p, t), I1])
    st.operands += [p.resolve(m, _mask_type(p, t)) for m in mask]
    st.segments = [1, 1, 1, len(en), 1, 1, len(mask)]
    st.results = [_data(p, t)]


@syntax("seq.hlmem", "clk rst", results="handle")
def _hlmem(p: Parser, st: OpState) -> None:
    """`@name %clk, %rst : <4xi32>`."""
    _sym(p, st)
    st.attrs["name"] = p.symbol()
    names = [p.ssa()]
    p.expect(",")
    names.append(p.ssa())
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    t = _short(p, _hlmem_type)
    st.operands = p.resolve_all(names, [CLOCK, I1])
    st.results = [t]


def _hl_address(p: Parser) -> list[Operand]:
    p.expect("[")
    return p.ssa_list("]")


@syntax("seq.read", "memory addresses* rdEn?", results="readData")
def _read(p: Parser, st: OpState) -> None:
    """`%mem[%a] rden %e { latency = 1 } : !seq.hlmem<4xi32>`."""
    mem, addr = p.ssa(), _hl_address(p)
    en = [p.ssa()] if p.accept_word("rden") else []
    st.attrs = p.optional_attr_dict()
    p.expect(":")
    t = _short(p, _hlmem_type)
    if not isinstance(t, HLMemType):
        p.error(f"expected a seq.hlmem type, got {t}")
    st.operands = [p.resolve(mem, t), *_hl_values(p, addr, t), *(p.resolve(e, I1) for e in en)]
    st.segments = [1, len(addr), len(en)]
    st.results = [t.elem]


def _hl_values(p: Parser, addr: list[Operand], t: HLMemType) -> list[Value]:
    if len(addr) != len(t.shape):
        p.error(f"{len(addr)} addresses for {t}")
    return [p.resolve(a, IntType(max(1, (n - 1).bit_length()))) for a, n in zip(addr, t.shape, strict=True)]


@syntax("seq.write", "memory addresses* inData wrEn", results="")
def _write(p: Parser, st: OpState) -> None:
    """`%mem[%a] %data wren %e { latency = 1 } : !seq.hlmem<4xi32>`."""
    mem, addr = p.ssa(), _hl_address(p)
    data = p.ssa()
    p.expect_word("wren")
    en = p.ssa()
    st.attrs = p.optional_attr_dict()
    p.expect(":")
    t = _short(p, _hlmem_type)
    if not isinstance(t, HLMemType):
        p.error(f"expected a seq.hlmem type, got {t}")
    st.operands = [p.resolve(mem, t), *_hl_values(p, addr, t), p.resolve(data, t.elem), p.resolve(en, I1)]


@syntax("seq.fifo", "input rdEn wrEn clk rst")
def _fifo(p: Parser, st: OpState) -> None:
    """`depth 4 rd_latency 0 almost_full 2 almost_empty 1 in %d rdEn %r wrEn %w clk %c rst %s : i32`: results output, full, empty[, almostFull][, almostEmpty]."""
    p.expect_word("depth")
    st.attrs["depth"] = p.integer("the depth")
    extra: list[Type] = []
    for word, key in (("rd_latency", "rdLatency"), ("almost_full", "almostFullThreshold"), ("almost_empty", "almostEmptyThreshold")):
        if p.accept_word(word):
            st.attrs[key] = p.integer()
            if word != "rd_latency":
                extra.append(I1)
    names = []
    for word in ("in", "rdEn", "wrEn", "clk", "rst"):
        p.expect_word(word)
        names.append(p.ssa())
    st.attrs.update(p.optional_attr_dict())
    p.expect(":")
    t = p.type()
    st.operands = p.resolve_all(names, [t, I1, I1, CLOCK, I1])
    st.results = [t, I1, I1, *extra]


# --- initial values ----------------------------------------------------------------------------------------------------


@syntax("seq.initial", "inputs*", implicit="seq.yield")
def _initial(p: Parser, st: OpState) -> None:
    """`(%a) { ^bb0(%x: T): ... seq.yield %y : T } : (!seq.immutable<T>) -> !seq.immutable<T>`."""
    names: list[Operand] = []
    if p.accept("("):
        names = p.ssa_list(")")
    st.attrs = p.optional_attr_dict() if p.accept_word("attributes") else {}
    st.regions.append(p.region(implicit="seq.yield"))
    st.attrs.update(p.optional_attr_dict())
    if p.accept(":"):
        t = p.function_type()
        st.operands = p.resolve_all(names, t.inputs)
        st.results = list(t.results)


@syntax("seq.yield", "operands*", traits="terminator", results="")
def _yield(p: Parser, st: OpState) -> None:
    st.attrs = p.optional_attr_dict()
    names = p.ssa_list()
    if names:
        p.expect(":")
        st.operands = p.resolve_all(names, p.types_plain())


row("seq.from_immutable", "input", "output", "$input attr-dict `:` functional-type($input, $output)")
