"""What is common to all dialects: attributes, types, aliases, locations, names, nesting, laziness."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from ir_helpers import body_ops, errors, module, ops, read

from wasmjit.ir import Dense, IRError, Loc, Opaque, SymbolRef, parse_file, parse_text, print_generic, verify
from wasmjit.ir.types import F64, I1, I8, I32, ArrayType, FunctionType, OpaqueType, StructType, TensorType, bit_width


def attrs_of(text: str) -> dict[str, object]:
    design = read(f'"test.op"() {{{text}}} : () -> ()')
    return design.root.regions[0].blocks[0].ops[0].attrs


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5 : i32", 5),
        ("-1", -1),
        ("0xFF : i8", 255),
        ("true", True),
        ("false", False),
        ("unit", True),
        ("1.5", 1.5),
        ("-2.0e3 : f32", -2000.0),
        ("2.5e-1 : f64", 0.25),
        ('"a\\0A\\22\\5C\\t\\\\"', 'a\n"\\\t\\'),
        ('"x" : !llvm.array<1 x i8>', "x"),
        ("[1, [2 : i8, true], {}]", [1, [2, True], {}]),
        ('{a = 1, "b c" = "d", u}', {"a": 1, "b c": "d", "u": True}),
        ("@f", SymbolRef("f")),
        ('@"p::q"::@a::@"b c"', SymbolRef("p::q", ("a", "b c"))),
        ("i8", I8),
        ("(i8, i1) -> (i32, f64)", FunctionType((I8, I1), (I32, F64))),
        ("() -> ()", FunctionType((), ())),
        ("array<i32: 1, -2>", [1, -2]),
        ("array<i1: true, false>", [True, False]),
        ("array<i32>", []),
        ("array<f64: 1.5, 2.0>", [1.5, 2.0]),
        ("dense<[[1, 2], [3, -4]]> : tensor<2x2xi32>", Dense(TensorType((2, 2), I32), [[1, 2], [3, -4]])),
        ("dense<true> : tensor<2xi1>", Dense(TensorType((2,), I1), True)),
        ("dense<> : tensor<0xi32>", Dense(TensorType((0,), I32), [])),
        ("dense<1> : tensor<2xf64>", Dense(TensorType((2,), F64), 1.0)),
        ('dense<"0x0102"> : tensor<2xi8>', Dense(TensorType((2,), I8), "0x0102")),
        ("#llvm.zero", Opaque("#llvm.zero")),
        ("#hw<innerSym@x>", Opaque("#hw<innerSym@x>")),
        ('#foo.bar<"a>b", [1, (2)], x -> y>', Opaque('#foo.bar<"a>b", [1, (2)], x -> y>')),
        ("affine_map<(d0) -> (d0 + 1)>", Opaque("affine_map<(d0) -> (d0 + 1)>")),
    ],
)
def test_attribute_values(text: str, value: object) -> None:
    assert attrs_of(f"k = {text}") == {"k": value}


@pytest.mark.parametrize(
    "text",
    [
        "i0", "i65536", "si8", "ui1", "index", "none", "bf16", "f16", "f80", "tuple<i8, f32>", "complex<f32>", "vector<4xi8>", "tensor<*xf32>",
        "tensor<2x?xi8>", "memref<4xi8, 1>", "!hw.struct<a: i1, \"b c\": i8, 0: i2>", "!hw.struct<>", "!hw.uarray<3xi8>", "!hw.inout<i8>", "!hw.string",
        "!hw.union<a: i8, b: i4 offset 2>", "!hw.enum<A, B>", "!llhd.ref<!hw.array<2xi8>>", "!llhd.time", "!seq.clock", "!seq.firmem<4 x 8>",
        "!seq.firmem<4 x 8, mask 2>", "!seq.hlmem<4x2xi8>", "!seq.immutable<i8>", "!sim.fstring", "!sim.dstring", "!sim.queue<i8, 0>", "!ltl.property",
        "!ltl.sequence", "!llvm.ptr", "!llvm.ptr<3>", "!llvm.void", "!llvm.struct<packed (i8, ptr)>", '!llvm.struct<"a b", (array<2 x i8>)>',
        '!llvm.struct<"o", opaque>', "!llvm.func<i32 (ptr, ...)>", "!moore.l1", "!moore.struct<{a: i1}>", "!foo.bar<[1, \"x>\"]>",
    ],
)  # fmt: skip
def test_types_read_back_from_their_text(text: str) -> None:
    t = parse_text(f'"test.op"() : () -> ({text})').root.regions[0].blocks[0].ops[0].result.type
    again = parse_text(f'"test.op"() : () -> ({t})').root.regions[0].blocks[0].ops[0].result.type
    assert again is t
    assert pickle.loads(pickle.dumps(t)) is t


def test_bit_widths() -> None:
    assert bit_width(StructType((("a", I1), ("b", ArrayType(3, I8))))) == 25
    assert bit_width(OpaqueType("!x.y")) is None


def test_aliases_may_come_before_or_after_their_use() -> None:
    text = """
    !b = i8
    #five = 5 : i32
    hw.module @t(in %a : !b) attributes {k = #five, l = #later} {
      %0 = comb.add %a, %a : !b loc(#loc1)
    }
    #later = "x"
    #loc = loc("top.sv":1:2)
    #loc1 = loc(fused["f"(#loc), unknown])
    """
    design = parse_text(text.replace("\n    ", "\n")).force()
    module_op = design.symbols["t"]
    assert module_op.attrs["k"] == 5 and module_op.attrs["l"] == "x"
    add = body_ops(design)[0]
    assert add.result.type is I8
    assert add.source_loc == Loc("top.sv", 1, 2)


@pytest.mark.parametrize(
    ("loc", "place"),
    [
        ('"a b.sv":3:4', Loc("a b.sv", 3, 4)),
        ("unknown", None),
        ('"name"', None),
        ('"name"("f.sv":7:1)', Loc("f.sv", 7, 1)),
        ('callsite("f.sv":7:1 at "g.sv":8:2)', Loc("f.sv", 7, 1)),
        ('fused<"meta">["x.sv":1:1, "y.sv":2:2]', Loc("x.sv", 1, 1)),
    ],
)
def test_locations(loc: str, place: Loc | None) -> None:
    text = f"hw.module @t(in %a : i8 loc({loc})) {{\n  %0 = comb.add %a, %a : i8 loc({loc})\n  %1 = comb.add %a, %a : i8 loc({loc})\n  hw.output loc({loc})\n}} loc({loc})\n"
    design = parse_text(text).force()
    assert design.symbols["t"].source_loc == place
    assert [op.source_loc for op in body_ops(design)] == [place] * 3
    assert body_ops(design)[1].loc == Loc("<text>", 3, 3)


def test_places_of_ops_in_the_text() -> None:
    (op,) = body_ops(parse_text("// c\nhw.module @t(in %a : i8) {\n\n   // d\n   %0 = comb.add %a,\n     %a : i8\n}"))[:-1]
    assert op.loc == Loc("<text>", 5, 4)


def test_modules_implicit_explicit_nested_and_resources() -> None:
    implicit = parse_text('hw.module @a() {\n}\nhw.module @b() {\n}\n{-#\n  dialect_resources: { builtin: { x: "0x00}" } }\n#-}\n')
    assert implicit.root.name == "builtin.module" and list(implicit.symbols) == ["a", "b"]
    explicit = parse_text(
        "module @top attributes {x = 1 : i32} {\n  hw.module @a() {\n  }\n  builtin.module @inner {\n    hw.module @a() {\n    }\n  }\n}"
    )
    assert explicit.root.attrs == {"sym_name": "top", "x": 1}
    assert list(explicit.symbols) == ["a", "inner"]
    assert verify(explicit, deep=True) == []


def test_symbols_are_looked_up_in_the_nearest_module_first() -> None:
    text = """
    module {
      hw.module.extern @m(in %x : i8)
      module @inner {
        hw.module.extern @m(in %x : i1)
        hw.module @t(in %a : i1) {
          hw.instance "u" @m(x: %a: i1) -> ()
        }
      }
    }
    """
    assert errors(text) == []


def test_names_of_values() -> None:
    text = "%c-1_i8 = hw.constant -1 : i8\n%value_3 = hw.constant 3 : i8\n%206:2 = hw.struct_explode %s : !hw.struct<a: i1, b: i8>\n%x.y$z = comb.add %206#1, %c-1_i8, %value_3 : i8\n%7, %8 = hw.struct_explode %s : !hw.struct<a: i1, b: i8>\n%9 = comb.add %8, %x.y$z : i8"
    found = ops(text, "%s: !hw.struct<a: i1, b: i8>")
    assert [r.name for op in found for r in op.results] == ["c-1_i8", "value_3", "206", "206", "x.y$z", "7", "8", "9"]
    assert found[3].operands[0] is found[2].results[1]


def test_forward_references_in_module_bodies() -> None:
    found = ops(
        "%0 = comb.add %1, %2 : i8\n%1 = comb.add %2, %a : i8\n%2 = hw.constant 1 : i8\n%3 = seq.clock_inv %4\n%4 = seq.to_clock %5\n%5 = hw.constant true",
        "%a: i8",
    )
    assert found[0].operands == [found[1].result, found[2].result]
    assert found[3].operands[0] is found[4].result
    assert "is used as i1 before" in errors(module("%0 = comb.add %1, %1 : i1\n%1 = hw.constant 1 : i8"))[0]


def test_inner_regions_may_use_values_that_their_module_defines_later() -> None:
    text = """
      llhd.process {
        %s = scf.if %late -> (i8) {
          %n = comb.add %v, %v : i8
          scf.yield %n : i8
        } else {
          scf.yield %v : i8
        }
        llhd.halt
      }
      %v = hw.constant 1 : i8
      %late = hw.constant true
    """
    process, v, late = ops(text)
    scf_if = process.regions[0].blocks[0].ops[0]
    assert scf_if.operands == [late.result]
    assert scf_if.regions[0].blocks[0].ops[0].operands == [v.result, v.result]


def test_bodies_do_not_see_values_of_isolated_surroundings_or_siblings() -> None:
    assert "'%x' is not defined" in errors("%x = hw.constant 1 : i8\nhw.module @t() {\n%0 = comb.add %x, %x : i8\n}")[0]
    text = module("llhd.process {\n%x = hw.constant 1 : i8\nllhd.halt\n}\nllhd.process {\n%y = comb.add %x, %x : i8\nllhd.halt\n}")
    assert "'%x' is not defined" in errors(text)[0]


def test_sibling_regions_may_reuse_names() -> None:
    text = "llhd.process {\n%x = hw.constant 1 : i8\nllhd.halt\n}\nllhd.process {\n%x = hw.constant true\nllhd.halt\n}"
    assert len(ops(text)) == 2


def test_bodies_are_read_on_first_access() -> None:
    design = parse_text("hw.module @good() {\n}\nhw.module @bad() {\n  nonsense here\n}\n")
    region = design.symbols["bad"].regions[0]
    assert not region.forced
    assert design.symbols["good"].regions[0].blocks
    with pytest.raises(IRError, match="nonsense"):
        _ = region.blocks
    with pytest.raises(IRError, match="nonsense"):
        _ = region.blocks
    assert not region.forced


def test_braces_in_strings_and_comments_do_not_confuse_the_skimming() -> None:
    text = 'hw.module @a() {\n  // } {{\n  %0 = sim.fmt.literal "}\\22{"\n  hw.output\n} // {\nhw.module @b() {\n}\n'
    assert list(parse_text(text).force().symbols) == ["a", "b"]


def test_unknown_dialects_in_the_generic_form() -> None:
    text = '"my.op"(%a)[^b, ^c] <{p = 1 : i8}> ({\n^bb0(%x: i8):\n  "my.end"() : () -> ()\n}, {\n}) {q} : (i8) -> (i8, i1)\n^b:\n"my.end"() : () -> ()\n^c:\n"my.end"() : () -> ()'
    design = read(f"func.func @t(%a: i8) {{\n%0:2 = {text}\n}}")
    op = body_ops(design)[0]
    assert op.attrs == {"p": 1, "q": True}
    assert len(op.regions) == 2 and [b.label for b, _ in op.successors] == ["b", "c"]
    with pytest.raises(KeyError):
        op.group("x")


def test_operand_groups_name_what_exists() -> None:
    (op,) = ops("%0 = comb.mux %c, %a, %a : i8", "%a: i8, %c: i1")
    assert [v.name for v in op.group("cond")] == ["c"]
    with pytest.raises(KeyError, match="trueValue"):
        op.group("nope")


def test_walk_visits_ops_in_text_order() -> None:
    design = parse_text(module("llhd.process {\n%x = hw.constant 1 : i8\nllhd.halt\n}\n%y = hw.constant true"))
    assert [op.name for op in design.root.walk()] == [
        "builtin.module",
        "hw.module",
        "llhd.process",
        "hw.constant",
        "llhd.halt",
        "hw.constant",
        "hw.output",
    ]


def test_values_and_ops_have_no_dictionaries() -> None:
    (op,) = ops("%0 = comb.add %a, %a : i8", "%a: i8")
    for thing in (op, op.result, op.parent, op.parent.region if op.parent else None):
        assert not hasattr(thing, "__dict__")


def test_file_and_gzip_give_the_same_tree(tmp_path: Path) -> None:
    import gzip

    text = module("%0 = comb.add %a, %a : i8", "%a: i8")
    (tmp_path / "a.mlir").write_text(text)
    (tmp_path / "a.mlir.gz").write_bytes(gzip.compress(text.encode()))
    assert print_generic(parse_file(tmp_path / "a.mlir")) == print_generic(parse_file(str(tmp_path / "a.mlir.gz")))


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys

    class Stdin:
        buffer = io.BytesIO(b"hw.module @a() {\n}\n")

    monkeypatch.setattr(sys, "stdin", Stdin())
    design = parse_file("-")
    assert list(design.symbols) == ["a"] and design.root.loc.file == "<stdin>"


def test_the_formats_of_all_rows_can_be_read() -> None:
    from wasmjit.ir.assembly import ROWS

    assert len(ROWS) > 400
    for r in ROWS:
        assert r.spell().spelled, r.name
