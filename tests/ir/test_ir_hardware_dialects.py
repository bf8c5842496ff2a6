"""comb, hw, seq, llhd: every spelling reads, and comes back from the generic form."""

from __future__ import annotations

import pytest
from ir_helpers import body_ops, errors, module, ops, read

from wasmjit.ir import SymbolRef, TimeAttr, parse_text
from wasmjit.ir.types import CLOCK, I1, I8, TIME, ArrayType, ImmutableType, InOutType, IntType, RefType, StructType, UnionType

S4 = "!hw.struct<value: i4, unknown: i4>"


@pytest.mark.parametrize("name", ["add", "sub", "mul", "and", "or", "xor", "divu", "divs", "modu", "mods", "shl", "shru", "shrs"])
@pytest.mark.parametrize("bin_", ["", "bin "])
def test_comb_binary(name: str, bin_: str) -> None:
    (op,) = ops(f"%0 = comb.{name} {bin_}%a, %b : i8", "%a: i8, %b: i8")
    assert op.name == f"comb.{name}"
    assert op.attrs == ({"twoState": True} if bin_ else {})
    assert [v.name for v in op.operands] == ["a", "b"]
    assert op.result.type is I8


def test_comb_variadic_with_attributes() -> None:
    (op,) = ops('%0 = comb.xor %a, %a, %a {sv.namehint = "x"} : i8', "%a: i8")
    assert len(op.operands) == 3
    assert op.attrs == {"sv.namehint": "x"}


def test_comb_icmp_predicates_are_names_in_both_forms() -> None:
    a, b = ops('%0 = comb.icmp bin ult %a, %b : i8\n%1 = "comb.icmp"(%a, %b) <{predicate = 6 : i64}> : (i8, i8) -> i1', "%a: i8, %b: i8")
    assert a.attrs["predicate"] == b.attrs["predicate"] == "ult"
    assert a.result.type is I1


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("comb.extract %a from 3 : (i8) -> i4", "i4"),
        ("comb.concat %a, %b, %a : i8, i8, i8", "i24"),
        ("comb.replicate %a : (i8) -> i32", "i32"),
        ("comb.parity %a : i8", "i1"),
        ("comb.mux %c, %a, %b : i8", "i8"),
        ("comb.mux bin %c, %a, %b : i8", "i8"),
        ("comb.reverse %a : i8", "i8"),
        ("comb.truth_table %c, %c -> [true, false, false, true]", "i1"),
    ],
)
def test_comb_result_types(text: str, result: str) -> None:
    (op,) = ops(f"%0 = {text}", "%a: i8, %b: i8, %c: i1")
    assert str(op.result.type) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("%0 = comb.extract %a from 5 : (i8) -> i4", "outside"),
        ("%0 = comb.add %a, %c : i8", "is used as i8"),
        ('%0 = "comb.add"(%a, %c) : (i8, i1) -> i8', "inputs is i1"),
        ('%0 = "comb.mux"(%a, %a, %a) : (i8, i8, i8) -> i8', "cond must be i1"),
        ("%0 = comb.replicate %a : (i8) -> i12", "no multiple"),
        ('%0 = "comb.concat"(%a, %c) : (i8, i1) -> i8', "do not add up"),
        ('%0 = "comb.sub"(%a) : (i8) -> i8', "wrong number of operands"),
        ("%0 = comb.icmp foo %a, %a : i8", "unknown predicate"),
        ("%0 = comb.and %f, %f : f32", "integers"),
    ],
)
def test_comb_errors(text: str, message: str) -> None:
    found = errors(module(text, "%a: i8, %c: i1, %f: f32"))
    assert len(found) == 1
    assert message in found[0]


def test_hw_constants() -> None:
    a, b, c, d = ops(
        '%0 = hw.constant -5 : i8\n%1 = hw.constant true\n%2 = hw.constant 255 : i8 {sv.namehint = "q"}\n%3 = hw.constant 0 : i0'
    )
    assert a.attrs["value"] == -5
    assert b.attrs["value"] is True and b.result.type is I1
    assert c.attrs == {"value": 255, "sv.namehint": "q"}
    assert d.result.type is IntType(0)


def test_integers_longer_than_pythons_digit_limit() -> None:
    number = "1" * 6000
    (op,) = ops(f"%0 = hw.constant {number} : i20000")
    assert op.attrs["value"] % 10**9 == 111111111
    assert op.attrs["value"] > 10**5998


def test_hw_aggregates() -> None:
    text = f"""
      %0 = hw.struct_create (%a, %b) : {S4}
      %1 = hw.struct_extract %0["unknown"] : {S4}
      %2 = hw.struct_inject %0["value"], %1 : {S4}
      %3:2 = hw.struct_explode %2 : {S4}
      %4 = hw.array_create %a, %b, %a, %b : i4
      %5 = hw.array_get %4[%i] : !hw.array<4xi4>, i2
      %6 = hw.array_slice %4[%i] : (!hw.array<4xi4>) -> !hw.array<2xi4>
      %7 = hw.array_concat %4, %6 : !hw.array<4xi4>, !hw.array<2xi4>
      %8 = hw.array_inject %4[%i], %a : !hw.array<4xi4>, i2
      %9 = hw.bitcast %0 : ({S4}) -> i8
      %10 = hw.union_create "x", %a : !hw.union<x: i4, y: i2 offset 1>
      %11 = hw.union_extract %10["y"] : !hw.union<x: i4, y: i2 offset 1>
      %12 = hw.aggregate_constant [3 : i4, [true, false]] : !hw.struct<a: i4, b: !hw.array<2xi1>>
      %13 = hw.enum.constant RED : !hw.enum<RED, GREEN>
      %14 = hw.enum.cmp %13, %13 : !hw.enum<RED, GREEN>, !hw.enum<RED, GREEN>
      %15 = hw.wire %a sym @s name "w" : i4
      %16 = hw.aggregate_constant [true, false] {{sv.namehint = "k"}} : !hw.struct<a: i1, b: i1>
    """
    found = ops(text, "%a: i4, %b: i4, %i: i2")
    types = [op.results[-1].type for op in found]
    i4 = IntType(4)
    assert types[1] is i4
    assert len(found[3].results) == 2
    assert types[4] is ArrayType(4, i4)
    assert types[5] is i4
    assert types[7] is ArrayType(6, i4)
    assert types[10] is UnionType((("x", i4, 0), ("y", IntType(2), 1)))
    assert types[11] is IntType(2)
    assert found[12].attrs["fields"] == [3, [True, False]]
    assert found[15].attrs["name"] == "w"


def test_hw_module_ports_parameters_and_instance() -> None:
    text = """
    hw.module.extern private @ext<W: i32 = 4, N: none>(in %a : i8 {hw.exportPort = #hw<innerSym@x>}, inout %b : i2, out "out" : i4, in %in : i1) attributes {verilogName = "e"}
    hw.module.generated @gen, @SCHEMA(in %a : i1, out b : i1) attributes {x = 1 : i32}
    hw.generator.schema @SCHEMA, "d", ["x"]
    hw.module @top(in %a : i8, in %a_0 a1 : i1, inout %io : i2, out x : i4) {
      %u.out = hw.instance "u" sym @u @ext<W: i32 = 8, N: none = unit>(a: %a: i8, b: %io: !hw.inout<i2>, in: %a_0: i1) -> (out: i4) {doc = "x"}
      hw.output %u.out : i4
    }
    """
    design = read(text)
    ext = design.symbols["ext"]
    assert [(d, n, str(t)) for d, n, t, _ in ext.attrs["ports"]] == [
        ("in", "a", "i8"),
        ("inout", "b", "!hw.inout<i2>"),
        ("out", "out", "i4"),
        ("in", "in", "i1"),
    ]
    assert [q["name"] for q in ext.attrs["parameters"]] == ["W", "N"]
    assert ext.attrs["parameters"][0]["value"] == 4
    top = design.symbols["top"]
    assert [n for _, n, _, _ in top.attrs["ports"]] == ["a", "a1", "io", "x"]
    assert [a.type for a in top.regions[0].blocks[0].args] == [I8, I1, InOutType(IntType(2))]
    instance = top.regions[0].blocks[0].ops[0]
    assert instance.attrs["moduleName"] == SymbolRef("ext")
    assert instance.attrs["instanceName"] == "u"
    assert instance.attrs["argNames"] == ["a", "b", "in"]
    assert instance.attrs["parameters"][0]["value"] == 8
    assert instance.attrs["doc"] == "x"
    assert instance.result.name == "u.out"


@pytest.mark.parametrize(
    ("instance", "message"),
    [
        ('%0 = hw.instance "u" @nope(a: %a: i8) -> (b: i8)', "no module @nope"),
        ('%0 = hw.instance "u" @m(a: %a: i8) -> (b: i8, c: i8)', "but 1 are named"),
        ('hw.instance "u" @m() -> ()', "input ports"),
        ('%0 = hw.instance "u" @m(x: %a: i8) -> (b: i8)', "is 'a', not 'x'"),
        ('%0 = hw.instance "u" @m(a: %c: i1) -> (b: i8)', "is i8, not i1"),
    ],
)
def test_wrong_instances(instance: str, message: str) -> None:
    found = errors(module(instance, "%a: i8, %c: i1", "hw.module.extern @m(in %a : i8, out b : i8)"))
    assert any(message in m for m in found), found


def test_old_port_list_syntax() -> None:
    design = read("hw.module @m(%a: i1, %b: i8) -> (x: i8, y: i1) {\n hw.output %b, %a : i8, i1\n}")
    assert [(d, n) for d, n, _, _ in design.symbols["m"].attrs["ports"]] == [("in", "a"), ("in", "b"), ("out", "x"), ("out", "y")]


def test_typealias_is_what_it_names() -> None:
    (op,) = ops("%0 = hw.wire %a : i8", "%a: !hw.typealias<@p::@byte, i8>")
    assert op.operands[0].type is I8


def test_nested_array_spellings_are_one_type() -> None:
    short = "!hw.array<2xarray<3xstruct<a: i1>>>"
    long = "!hw.array<2x!hw.array<3x!hw.struct<a: i1>>>"
    a, b = ops(f"%0 = hw.wire %a : {long}\n%1 = hw.wire %0 : {short}", f"%a: {short}")
    assert a.result.type is b.result.type is ArrayType(2, ArrayType(3, StructType((("a", I1),))))


def test_seq_registers() -> None:
    text = """
      %0 = seq.firreg %d clock %c : i8
      %1 = seq.firreg %d clock %c sym @r reset async %r, %d preset 7 {name = "q"} : i8
      %2 = seq.firreg %d clock %c reset sync %r, %d : i8
      %3 = seq.initial() {
        %k = hw.constant 1 : i8
        seq.yield %k : i8
      } : () -> !seq.immutable<i8>
      %4 = seq.compreg %d, %c : i8
      %5 = seq.compreg sym @s %d, %c reset %r, %d initial %3 : i8
      %6 = seq.compreg.ce %d, %c, %r reset %r, %d : i8
      %7 = seq.shiftreg [3] %d, %c, %r reset %r, %d powerOn %d {name = "x"} : i8
      %8 = seq.from_immutable %3 : (!seq.immutable<i8>) -> i8
    """
    found = ops(text, "%d: i8, %c: !seq.clock, %r: i1")
    assert found[0].group("reset") == [] and found[0].group("resetValue") == []
    assert [v.name for v in found[1].group("reset")] == ["r"]
    assert found[1].attrs["isAsync"] is True and found[1].attrs["preset"] == 7 and found[1].attrs["name"] == "q"
    assert "isAsync" not in found[2].attrs and found[2].group("resetValue")[0].name == "d"
    assert found[3].result.type is ImmutableType(I8)
    assert found[4].group("clockEnable") == [] and found[4].group("initialValue") == []
    assert found[5].group("initialValue")[0].name == "3" and found[5].group("reset")[0].name == "r"
    assert found[6].group("clockEnable")[0].name == "r"
    assert found[7].attrs["numElements"] == 3 and found[7].group("powerOnValue")[0].name == "d"


def test_generic_register_without_segment_sizes() -> None:
    (op,) = ops(
        '%0 = "seq.firreg"(%d, %c, %r, %d) <{name = "", isAsync}> : (i8, !seq.clock, i1, i8) -> i8', "%d: i8, %c: !seq.clock, %r: i1"
    )
    assert op.group("reset")[0].name == "r" and op.attrs["isAsync"] is True


def test_seq_clocks() -> None:
    text = """
      %0 = seq.to_clock %e
      %1 = seq.from_clock %c
      %2 = seq.clock_inv %c
      %3 = seq.clock_mux %e, %c, %2
      %4 = seq.clock_gate %c, %e
      %5 = seq.clock_gate %c, %e, %e sym @g
      %6 = seq.clock_div %c by 2
      %7 = seq.const_clock high
      %8 = seq.const_clock low {x = 1 : i32}
    """
    found = ops(text, "%c: !seq.clock, %e: i1")
    assert [str(op.result.type) for op in found] == ["!seq.clock", "i1"] + ["!seq.clock"] * 7
    assert found[4].group("test_enable") == [] and len(found[5].group("test_enable")) == 1
    assert found[6].attrs["pow2"] == 2
    assert [found[7].attrs["value"], found[8].attrs["value"]] == ["high", "low"]


def test_seq_memories() -> None:
    text = """
      %mem = seq.firmem 0, 1, undefined, port_order {name = "m"} : <12 x 42, mask 3>
      %0 = seq.firmem.read_port %mem[%a], clock %c : <12 x 42, mask 3>
      %1 = seq.firmem.read_port %mem[%a], clock %c enable %e : !seq.firmem<12 x 42, mask 3>
      seq.firmem.write_port %mem[%a] = %0, clock %c enable %e mask %k : <12 x 42, mask 3>
      seq.firmem.write_port %mem[%a] = %0, clock %c {x} : <12 x 42, mask 3>
      %2 = seq.firmem.read_write_port %mem[%a] = %0 if %e, clock %c enable %e mask %k : <12 x 42, mask 3>
      %hl = seq.hlmem @hl %c, %e : <4xi8>
      %3 = seq.read %hl[%i] rden %e {latency = 1 : i64} : !seq.hlmem<4xi8>
      %4 = seq.read %hl[%i] {latency = 0 : i64} : <4xi8>
      seq.write %hl[%i] %d wren %e {latency = 1 : i64} : !seq.hlmem<4xi8>
      %5:3 = seq.fifo depth 4 in %d rdEn %e wrEn %e clk %c rst %e : i8
      %6:5 = seq.fifo depth 4 rd_latency 1 almost_full 3 almost_empty 1 in %d rdEn %e wrEn %e clk %c rst %e : i8
    """
    found = ops(text, "%a: i4, %c: !seq.clock, %e: i1, %k: i3, %i: i2, %d: i8")
    assert found[0].attrs["ruw"] == "undefined" and found[0].attrs["wuw"] == "port_order"
    assert found[1].group("enable") == [] and len(found[2].group("enable")) == 1
    assert found[3].group("mask")[0].name == "k" and found[4].group("mask") == []
    assert found[5].group("mode")[0].name == "e"
    assert found[7].group("rdEn")[0].name == "e"
    assert found[8].group("rdEn") == []
    assert len(found[11].results) == 5 and found[11].attrs["almostFullThreshold"] == 3


def test_llhd_signals_in_old_and_new_spelling() -> None:
    text = """
      %t = llhd.constant_time <1ns, 2d, 3e>
      %u = llhd.constant_time #llhd.time<5ps, 0d, 0e>
      %s0 = llhd.sig %a : i8
      %s1 = llhd.sig name "clk" %a : i8
      %s2 = llhd.sig "old" %a : i8
      %s3 = llhd.sig %a : <i8>
      %s4 = llhd.sig %a : !llhd.ref<i8>
      %p0 = llhd.prb %s0 : i8
      %p1 = llhd.prb %s1 : !llhd.ref<i8>
      %p2 = llhd.prb %s1 : <i8>
      llhd.drv %s0, %p1 after %t : i8
      llhd.drv %s0, %p1 after %t if %e : i8
      llhd.drv %s0, %p1 after %t : !llhd.ref<i8>
      llhd.drv %s0, %p1 after %t if %e strength(weak, strong) {x = 1 : i32} : i8
      %x0 = llhd.sig.extract %s0 from %i : <i8> -> <i2>
      %x1 = llhd.sig.extract %s0 from %i : !llhd.ref<i8> -> !llhd.ref<i2>
      %x2 = llhd.sig.extract %s0 from %i : (!llhd.sig<i8>, i3) -> !llhd.sig<i2>
      %o = llhd.output "out" %a after %t : i8
      %d = llhd.delay %a by <1ns, 0d, 0e> : i8
    """
    found = ops(text, "%a: i8, %e: i1, %i: i3")
    assert found[0].attrs["value"] == TimeAttr(1_000_000, 2, 3)
    assert found[1].attrs["value"] == TimeAttr(5_000, 0, 0)
    assert found[0].result.type is TIME
    assert all(op.result.type is RefType(I8) for op in found[2:7])
    assert [op.attrs.get("name") for op in found[2:5]] == [None, "clk", "old"]
    assert all(op.result.type is I8 for op in found[7:10])
    assert [bool(op.group("enable")) for op in found[10:14]] == [False, True, False, True]
    assert found[13].attrs["strength0"] == "weak" and found[13].attrs["strength1"] == "strong"
    assert found[10].group("signal")[0].name == "s0" and found[10].group("value")[0].name == "p1" and found[10].group("time")[0].name == "t"
    assert all(op.result.type is RefType(IntType(2)) for op in found[14:17])


def test_llhd_projections() -> None:
    array, st = "!hw.array<4xi8>", "!hw.struct<a: i1, b: i8>"
    text = f"""
      %s = llhd.sig %a : {array}
      %r = llhd.sig %b : {st}
      %0 = llhd.sig.array_get %s[%i] : <{array}>
      %1 = llhd.sig.array_get %s[%i] : !llhd.ref<{array}>
      %2 = llhd.sig.array_slice %s at %i : <{array}> -> <!hw.array<2xi8>>
      %3 = llhd.sig.struct_extract %r["b"] : <{st}>
      %4 = llhd.sig.struct_extract %r["a"] : !llhd.ref<{st}>
    """
    found = ops(text, f"%a: {array}, %b: {st}, %i: i2")
    assert [str(op.result.type) for op in found[2:]] == [
        "!llhd.ref<i8>",
        "!llhd.ref<i8>",
        "!llhd.ref<!hw.array<2xi8>>",
        "!llhd.ref<i8>",
        "!llhd.ref<i1>",
    ]


def test_llhd_processes_and_wait_groups() -> None:
    text = """
      %0:2 = llhd.process -> i8, i1 {
        %t = llhd.current_time
        cf.br ^w(%a, %e : i8, i1)
      ^w(%x: i8, %y: i1):
        llhd.wait yield (%x, %y : i8, i1), delay %t, (%a, %e : i8, i1), ^w(%a, %e : i8, i1)
      }
      llhd.process {
        llhd.wait ^b
      ^b:
        llhd.wait (%a : i8), ^c
      ^c:
        %n = llhd.time_to_int %t2
        %m = llhd.int_to_time %n
        llhd.wait delay %m, ^d
      ^d:
        llhd.halt
      }
      %t2 = llhd.constant_time <0ns, 0d, 1e>
      %1 = llhd.combinational -> i8 {
        llhd.yield %a : i8
      }
      llhd.final {
        llhd.halt
      }
    """
    found = ops(text, "%a: i8, %e: i1")
    process = found[0]
    wait = process.regions[0].blocks[1].ops[0]
    assert [v.name for v in wait.group("yieldOperands")] == ["x", "y"]
    assert [v.name for v in wait.group("delay")] == ["t"]
    assert [v.name for v in wait.group("observed")] == ["a", "e"]
    ((block, args),) = wait.successors
    assert block is process.regions[0].blocks[1]
    assert [v.name for v in args] == ["a", "e"]
    assert [str(r.type) for r in process.results] == ["i8", "i1"]


def test_llhd_coroutines_and_global_signals() -> None:
    text = """
    llhd.coroutine private @co(%a: i8) -> i8 {
      %t = llhd.constant_time <1ns, 0d, 0e>
      llhd.wait delay %t, ^b
    ^b:
      llhd.return %a : i8
    }
    llhd.global_signal @g : i8 init {
      %0 = hw.constant 1 : i8
      llhd.yield %0 : i8
    }
    llhd.global_signal @h : i1
    hw.module @t(in %a : i8) {
      llhd.process {
        %0 = llhd.call_coroutine @co(%a) : (i8) -> i8
        %1 = llhd.get_global_signal @g : <i8>
        %2 = llhd.prb %1 : i8
        llhd.halt
      }
    }
    """
    design = read(text)
    process = body_ops(design)[0]
    assert process.regions[0].blocks[0].ops[1].result.type is RefType(I8)
    assert design.symbols["co"].regions[0].blocks[1].ops[0].name == "llhd.return"


def test_a_wait_with_too_few_values_gets_zeros_and_a_warning() -> None:
    text = module("llhd.process {\n  llhd.wait ^b(%a : i8)\n^b(%x: i8, %y: i1):\n  llhd.halt\n}", "%a: i8")
    design = parse_text(text).force()
    wait = body_ops(design)[0].regions[0].blocks[0].ops[-1]
    assert [v.type for v in wait.successors[0][1]] == [I8, I1]
    assert [w.severity for w in design.warnings] == ["warning"]
    assert "taken as zero" in design.warnings[0].message


def test_missing_terminator_of_a_module_is_added() -> None:
    design = read("hw.module @m() {\n}")
    assert [op.name for op in design.symbols["m"].regions[0].blocks[0].ops] == ["hw.output"]


def test_clock_type_is_checked() -> None:
    assert "is used as !seq.clock" in errors(module("%0 = seq.clock_inv %a", "%a: i1"))[0]
    assert CLOCK is ops("%0 = seq.to_clock %a", "%a: i1")[0].result.type


def test_hw_triggered_and_types_of_scopes() -> None:
    text = """
    hw.type_scope @p {
      hw.typedecl @byte : i8
      hw.typedecl @named, "other" : i4
    }
    hw.hierpath private @path [@t::@x]
    """
    design = read(
        text
        + module(
            "hw.triggered posedge %e(%a) : i8 {\n^bb0(%x: i8):\n  %0 = hw.constant 1 : i1\n}".replace("(%a) : i8", "(%a : i8)"),
            "%a: i8, %e: i1",
        )
    )
    assert body_ops(design)[0].attrs["event"] == "posedge"
