"""arith, cf, scf, func, math, index, llvm: every spelling reads, and comes back from the generic form."""

from __future__ import annotations

import math

import pytest
from ir_helpers import errors, read

from wasmjit.ir import Op, Opaque, SymbolRef, parse_text
from wasmjit.ir.types import I1, I8, I32, INDEX, PTR, VOID, FunctionType, LLVMArrayType, LLVMFuncType, LLVMStructType


def func(body: str, args: str = "", result: str = "", top: str = "") -> str:
    return f"{top}\nfunc.func @f({args}){' -> ' + result if result else ''} {{\n{body}\n}}\n"


def ops(body: str, args: str = "", top: str = "") -> list[Op]:
    return read(func(body + "\nreturn", args, "", top)).symbols["f"].regions[0].blocks[0].ops[:-1]


_ARITH_INT = "muli addi subi shli andi ori xori divsi divui ceildivsi ceildivui floordivsi remsi remui shrsi shrui maxsi maxui minsi minui"


@pytest.mark.parametrize("name", _ARITH_INT.split())
def test_arith_integers(name: str) -> None:
    (op,) = ops(f"%0 = arith.{name} %a, %b : i8", "%a: i8, %b: i8")
    assert op.name == f"arith.{name}" and op.result.type is I8


@pytest.mark.parametrize(
    "text",
    [
        "arith.addi %a, %b overflow<nsw, nuw> : i8",
        "arith.addf %x, %x fastmath<fast> : f64",
        "arith.negf %x : f64",
        "arith.maximumf %x, %x : f64",
        "arith.cmpi slt, %a, %b : i8",
        "arith.cmpf ole, %x, %x : f64",
        "arith.select %c, %a, %b : i8",
        "arith.extui %a : i8 to i32",
        "arith.trunci %a overflow<nsw> : i8 to i4",
        "arith.sitofp %a : i8 to f64",
        "arith.fptosi %x : f64 to i8",
        "arith.index_cast %a : i8 to index",
        "arith.bitcast %x : f64 to i64",
        "arith.constant 5 : i8",
        "arith.constant 1.5 : f64",
        "arith.constant 7 : index",
        "arith.constant dense<[1, 2]> : vector<2xi8>",
        "arith.constant {x = 1 : i32} false",
        "math.sqrt %x : f64",
        "math.powf %x, %x : f64",
        "math.ipowi %a, %b : i8",
        "math.fpowi %x, %a : f64, i8",
        "math.fma %x, %x, %x fastmath<nnan> : f64",
        "math.isnan %x : f64",
        "math.ctpop %a : i8",
        "index.constant 5",
        "index.casts %a : i8 to index",
        "func.constant @f : (i8, i8, i1, f64) -> ()",
        "builtin.unrealized_conversion_cast %a : i8 to f32",
    ],
)
def test_expressions(text: str) -> None:
    (op,) = ops(f"%0 = {text}", "%a: i8, %b: i8, %c: i1, %x: f64")
    assert op.name == text.split(" ")[0]


def test_index_arithmetic() -> None:
    found = ops(
        "%i = index.constant 3\n%0 = index.add %i, %i\n%1 = index.cmp slt(%i, %0)\n%2 = index.sizeof\n%3 = index.bool.constant true"
    )
    assert [op.result.type for op in found] == [INDEX, INDEX, I1, INDEX, I1]


def test_several_results() -> None:
    (op,) = ops("%0, %1 = arith.addui_extended %a, %a : i8, i1", "%a: i8")
    assert [r.name for r in op.results] == ["0", "1"]
    one, two = ops("%0:2 = arith.mulsi_extended %a, %a : i8\n%1 = arith.addi %0#0, %0#1 : i8", "%a: i8")
    assert two.operands == one.results


def test_float_constants() -> None:
    a, b, c, d = ops(
        "%0 = arith.constant 0x7FF0000000000000 : f64\n%1 = arith.constant -1.5e-3 : f32\n%2 = arith.constant 0x7FC00000 : f32\n%3 = arith.constant 1.0E+2 : f64"
    )
    assert a.attrs["value"] == math.inf and b.attrs["value"] == -1.5e-3 and d.attrs["value"] == 100.0
    assert math.isnan(c.attrs["value"])


def test_branches_with_arguments() -> None:
    text = func(
        """
        cf.cond_br %c, ^a(%x : i8), ^b weights([3, 4])
      ^a(%0: i8):
        cf.switch %0 : i8, [
          default: ^b,
          1: ^a(%x : i8),
          -2: ^c(%0, %c : i8, i1)
        ]
      ^b:
        cf.br ^c(%x, %c : i8, i1)
      ^c(%1: i8, %2: i1):
        cf.assert %2, "no"
        return
      """.replace(" weights([3, 4])", ""),
        "%c: i1, %x: i8",
    )
    blocks = read(text).symbols["f"].regions[0].blocks
    cond = blocks[0].ops[-1]
    assert [v.name for v in cond.operands] == ["c"]
    assert [(b.label, [v.name for v in args]) for b, args in cond.successors] == [("a", ["x"]), ("b", [])]
    switch = blocks[1].ops[-1]
    assert switch.attrs["case_values"] == [1, -2]
    assert [b.label for b, _ in switch.successors] == ["b", "a", "c"]


def test_generic_branches_carry_operands_in_segments() -> None:
    text = """
    "func.func"() <{function_type = (i1, i8) -> (), sym_name = "f"}> ({
    ^bb0(%c: i1, %x: i8):
      "cf.cond_br"(%c, %x, %x, %c)[^bb1, ^bb2] <{operandSegmentSizes = array<i32: 1, 1, 2>}> : (i1, i8, i8, i1) -> ()
    ^bb1(%0: i8):
      "cf.br"(%0, %c)[^bb2] : (i8, i1) -> ()
    ^bb2(%1: i8, %2: i1):
      "func.return"() : () -> ()
    }) : () -> ()
    """
    blocks = read(text).symbols["f"].regions[0].blocks
    cond, br = blocks[0].ops[0], blocks[1].ops[0]
    assert len(cond.operands) == 1
    assert [len(args) for _, args in cond.successors] == [1, 2]
    assert br.operands == [] and len(br.successors[0][1]) == 2


def test_scf() -> None:
    found = ops(
        """
        %0 = scf.if %c -> (i8) {
          scf.yield %x : i8
        } else {
          scf.yield %x : i8
        }
        scf.if %c {
        }
        %1 = scf.for %i = %l to %l step %l iter_args(%acc = %x) -> (i8) {
          scf.yield %acc : i8
        }
        scf.for %i = %x to %x step %x : i8 {
        }
        %2 = scf.while (%a = %x) : (i8) -> i8 {
          scf.condition(%c) %a : i8
        } do {
        ^bb0(%b: i8):
          scf.yield %b : i8
        }
        %3 = scf.index_switch %l -> i8
        case 2 {
          scf.yield %x : i8
        }
        default {
          scf.yield %x : i8
        }
        %4 = scf.execute_region -> i8 {
          scf.yield %x : i8
        }
        """,
        "%c: i1, %x: i8, %l: index",
    )
    assert len(found[0].regions) == 2
    assert [op.name for op in found[1].regions[0].blocks[0].ops] == ["scf.yield"]
    loop = found[2]
    assert [a.name for a in loop.regions[0].blocks[0].args] == ["i", "acc"]
    assert [len(loop.group(g)) for g in ("lowerBound", "upperBound", "step", "initArgs")] == [1, 1, 1, 1]
    assert found[3].regions[0].blocks[0].args[0].type is I8
    assert found[5].attrs["cases"] == [2]


def test_functions_and_calls() -> None:
    text = """
    func.func private @ext(i8, i1 {x = 1 : i32}) -> (i8 {y}, i1) attributes {z}
    func.func nested @"p::op::f"(%a: i8) -> i8 {
      %0:2 = call @ext(%a, %a2) : (i8, i1) -> (i8, i1)
      %g = constant @"p::op::f" : (i8) -> i8
      %1 = call_indirect %g(%0#0) : (i8) -> i8
      %2 = func.call_indirect %g(%1) : (i8) -> i8
      return %2 : i8
    }
    """.replace("%a, %a2", "%a, %t").replace("%0:2", "%t = arith.constant true\n%0:2")
    design = read(text)
    f = design.symbols["p::op::f"]
    assert f.attrs["function_type"] is FunctionType((I8,), (I8,))
    assert f.attrs["sym_visibility"] == "nested"
    names = [op.name for op in f.regions[0].blocks[0].ops]
    assert names == ["arith.constant", "func.call", "func.constant", "func.call_indirect", "func.call_indirect", "func.return"]
    assert f.regions[0].blocks[0].ops[1].attrs["callee"] == SymbolRef("ext")
    assert design.symbols["ext"].regions == ()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("call @nope() : () -> ()\nreturn", "no function @nope"),
        ("call @g() : () -> ()\nreturn", "takes 1 arguments"),
        ("%0 = arith.constant 1 : i8\ncall @g(%0) : (i8) -> ()\nreturn", "is i1, got i8"),
        ("%0 = arith.constant true\n%1 = call @g(%0) : (i1) -> i8\nreturn", "returns ()"),
        ("%0 = arith.constant true\nreturn %0 : i1", "func.return gives (i1)"),
        ("%0 = arith.addi %1, %1 : i8\n%1 = arith.constant 1 : i8\nreturn", "before it is defined"),
        ("cf.br ^nope", "'^nope' is not defined"),
        ("cf.br ^b\n^b(%x: i8):\nreturn", "takes 1 arguments, got 0"),
        ("%t = arith.constant true\ncf.br ^b(%t : i1)\n^b(%x: i8):\nreturn", "argument 0 of ^b is i8"),
        (
            "%t = arith.constant true\ncf.cond_br %t, ^b, ^c\n^b:\n%x = arith.constant 1 : i8\ncf.br ^c\n^c:\n%y = arith.addi %x, %x : i8\nreturn",
            "not defined on every path",
        ),
        ("%t = arith.constant true", "does not end with a terminator"),
        ("return\n%t = arith.constant true", "ends a block"),
        ("%t = arith.constant true\n%t = arith.constant true\nreturn", "defined twice"),
        ("%t = arith.addi %u, %u : i8\nreturn", "'%u' is not defined"),
        ("return\n^b:\nreturn\n^b:\nreturn", "block '^b' is defined twice"),
    ],
)
def test_wrong_functions(body: str, message: str) -> None:
    found = errors(func(body, top="func.func private @g(i1)"))
    assert any(message in m for m in found), found


def test_values_may_be_defined_later_in_the_text_if_they_dominate() -> None:
    text = func("cf.br ^late\n^use:\n%y = arith.addi %x, %x : i8\nreturn\n^late:\n%x = arith.constant 1 : i8\ncf.br ^use")
    blocks = read(text).symbols["f"].regions[0].blocks
    assert blocks[1].ops[0].operands[0] is blocks[2].ops[0].result


def test_unreachable_blocks_may_use_anything_of_their_region() -> None:
    assert errors(func("return\n^dead:\n%y = arith.addi %x, %x : i8\ncf.br ^dead2\n^dead2:\n%x = arith.constant 1 : i8\nreturn")) == []


LLVM_CASES = [
    ("llvm.add %a, %b : i32", "i32"),
    ("llvm.add %a, %b overflow<nsw> : i32", "i32"),
    ("llvm.sdiv exact %a, %b : i32", "i32"),
    ("llvm.or disjoint %a, %b : i32", "i32"),
    ('llvm.icmp "ult" %a, %b : i32', "i1"),
    ('llvm.fcmp "une" %x, %x : f64', "i1"),
    ("llvm.fadd %x, %x {fastmathFlags = #llvm.fastmath<fast>} : f64", "f64"),
    ("llvm.select %c, %a, %b : i1, i32", "i32"),
    ("llvm.zext %a : i32 to i64", "i64"),
    ("llvm.zext nneg %a : i32 to i64", "i64"),
    ("llvm.inttoptr %n : i64 to !llvm.ptr", "!llvm.ptr"),
    ("llvm.bitcast %x : f64 to i64", "i64"),
    ("llvm.alloca %n x i32 : (i64) -> !llvm.ptr", "!llvm.ptr"),
    ("llvm.alloca inalloca %n x !llvm.array<4 x i8> {alignment = 8 : i64} : (i64) -> !llvm.ptr", "!llvm.ptr"),
    ("llvm.load %p : !llvm.ptr -> i32", "i32"),
    ('llvm.load volatile %p atomic syncscope("agent") acquire {alignment = 4 : i64} : !llvm.ptr -> i32', "i32"),
    ("llvm.getelementptr %p[0, 1] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<(i32, ptr)>", "!llvm.ptr"),
    ("llvm.getelementptr inbounds %p[%n, 2, %a] : (!llvm.ptr, i64, i32) -> !llvm.ptr, i32", "!llvm.ptr"),
    ("llvm.atomicrmw add %p, %a acq_rel : !llvm.ptr, i32", "i32"),
    ("llvm.cmpxchg %p, %a, %b acq_rel monotonic : !llvm.ptr, i32", "!llvm.struct<(i32, i1)>"),
    ("llvm.extractvalue %s[1, 0] : !llvm.struct<(i32, array<2 x ptr>)>", "!llvm.ptr"),
    ("llvm.insertvalue %a, %s[0] : !llvm.struct<(i32, array<2 x ptr>)> ", "!llvm.struct<(i32, !llvm.array<2 x !llvm.ptr>)>"),
    ("llvm.mlir.undef : !llvm.struct<packed (i8, i32)>", "!llvm.struct<packed (i8, i32)>"),
    ("llvm.mlir.poison : i32", "i32"),
    ("llvm.mlir.zero : !llvm.ptr", "!llvm.ptr"),
    ("llvm.mlir.constant(-5 : i32) : i32", "i32"),
    ("llvm.mlir.constant(true) : i1", "i1"),
    ('llvm.mlir.constant("ab\\00") : !llvm.array<3 x i8>', "!llvm.array<3 x i8>"),
    ("llvm.mlir.constant(dense<0> : tensor<2xi8>) : !llvm.array<2 x i8>", "!llvm.array<2 x i8>"),
    ("llvm.mlir.constant(1.5 : f64) : f64", "f64"),
    ("llvm.mlir.addressof @g : !llvm.ptr", "!llvm.ptr"),
    ("llvm.call @puts(%p) : (!llvm.ptr) -> i32", "i32"),
    ("llvm.call tail @puts(%p) {x} : (!llvm.ptr) -> i32", "i32"),
    ("llvm.call @printf(%p, %a) vararg(!llvm.func<i32 (ptr, ...)>) : (!llvm.ptr, i32) -> i32", "i32"),
    ("llvm.call %p(%a) : !llvm.ptr, (i32) -> i32", "i32"),
    ("llvm.intr.ctpop(%a) : (i32) -> i32", "i32"),
    ("llvm.intr.smax(%a, %b) : (i32, i32) -> i32", "i32"),
    ("llvm.freeze %a : i32", "i32"),
]
LLVM_TOP = """
llvm.func @puts(!llvm.ptr) -> i32
llvm.func @printf(!llvm.ptr, ...) -> i32
llvm.mlir.global external @g() : i32
"""
LLVM_ARGS = "%a: i32, %b: i32, %c: i1, %n: i64, %p: !llvm.ptr, %x: f64, %s: !llvm.struct<(i32, array<2 x ptr>)>"


@pytest.mark.parametrize(("text", "result"), LLVM_CASES)
def test_llvm_expressions(text: str, result: str) -> None:
    (op,) = ops(f"%0 = {text}", LLVM_ARGS, LLVM_TOP)
    assert str(op.result.type) == result


@pytest.mark.parametrize(
    "text",
    [
        "llvm.store %a, %p : i32, !llvm.ptr",
        "llvm.store volatile %a, %p atomic release {alignment = 4 : i64} : i32, !llvm.ptr",
        "llvm.fence seq_cst",
        '"llvm.intr.memcpy"(%p, %p, %n) <{isVolatile = false}> : (!llvm.ptr, !llvm.ptr, i64) -> ()',
        "llvm.intr.assume %c : i1",
        "llvm.intr.lifetime.start 4, %p : !llvm.ptr",
        "llvm.call @puts2(%p) : (!llvm.ptr) -> ()",
    ],
)
def test_llvm_statements(text: str) -> None:
    (op,) = ops(text, LLVM_ARGS, LLVM_TOP + "llvm.func @puts2(!llvm.ptr)")
    assert op.results == []


def test_llvm_details() -> None:
    gep, call, alloca = ops(
        "%0 = llvm.getelementptr %p[%n, 2] : (!llvm.ptr, i64) -> !llvm.ptr, i32\n"
        "%1 = llvm.call %p(%a) : !llvm.ptr, (i32) -> i32\n"
        '%2 = llvm.alloca %n x !llvm.struct<"c", (i8)> : (i64) -> !llvm.ptr',
        LLVM_ARGS,
    )
    assert gep.attrs["rawConstantIndices"] == [-(1 << 31), 2] and gep.attrs["elem_type"] is I32
    assert [v.name for v in gep.group("dynamicIndices")] == ["n"]
    assert "callee" not in call.attrs and [v.name for v in call.operands] == ["p", "a"]
    assert alloca.attrs["elem_type"] is LLVMStructType("c", (I8,))


def test_llvm_insertvalue_operands_are_container_then_value() -> None:
    (op,) = ops("%0 = llvm.insertvalue %a, %s[0] : !llvm.struct<(i32, array<2 x ptr>)>", LLVM_ARGS)
    assert op.group("container")[0].name == "s" and op.group("value")[0].name == "a"


def test_llvm_functions_and_globals() -> None:
    text = r"""
    llvm.mlir.global internal constant @str("a\0Ab\22\00") {addr_space = 0 : i32}
    llvm.mlir.global private unnamed_addr @z(#llvm.zero) {addr_space = 0 : i32, v = [[0, @f], [1, @"g h"]]} : !llvm.array<2 x ptr>
    llvm.mlir.global internal @init() : !llvm.ptr {
      %0 = llvm.mlir.addressof @z : !llvm.ptr
      llvm.return %0 : !llvm.ptr
    }
    llvm.mlir.global external thread_local @d(dense<[1, 2]> : tensor<2xi32>) : !llvm.array<2 x i32>
    llvm.mlir.global_ctors ctors = [@f], priorities = [65535 : i32], data = [#llvm.zero]
    llvm.mlir.global_ctors {ctors = [@f], priorities = [1 : i32]}
    llvm.func internal @f(%arg0: !llvm.ptr {llvm.noalias}, %arg1: i32) -> i32 attributes {passthrough = ["noinline"]} {
      llvm.cond_br %c, ^a, ^b(%arg1 : i32)
    ^a:
      llvm.br ^b(%arg1 : i32)
    ^b(%0: i32):
      llvm.switch %0 : i32, ^d [
        1: ^c,
        2: ^d
      ]
    ^c:
      llvm.unreachable
    ^d:
      llvm.return %0 : i32
    }
    llvm.func @"g h"(...)
    llvm.func hidden fastcc @k() attributes {x}
    """.replace("llvm.cond_br %c", "%c = llvm.mlir.constant(true) : i1\n      llvm.cond_br %c")
    design = read(text)
    s = design.symbols
    assert s["str"].attrs["value"] == 'a\nb"\0' and s["str"].attrs["constant"] is True
    assert s["str"].attrs["global_type"] is LLVMArrayType(5, I8)
    assert s["z"].attrs["value"] == Opaque("#llvm.zero") and s["z"].attrs["v"][1] == [1, SymbolRef("g h")]
    assert s["init"].attrs["global_type"] is PTR and s["init"].regions[0].blocks[0].ops[-1].name == "llvm.return"
    assert s["f"].attrs["function_type"] is LLVMFuncType(I32, (PTR, I32))
    assert s["f"].attrs["linkage"] == "internal"
    assert s["g h"].attrs["function_type"] is LLVMFuncType(VOID, (), True)
    switch = s["f"].regions[0].blocks[2].ops[-1]
    assert [b.label for b, _ in switch.successors] == ["d", "c", "d"]
    ctors = [op for op in design.root.regions[0].blocks[0].ops if op.name == "llvm.mlir.global_ctors"]
    assert ctors[0].attrs["priorities"] == [65535] and ctors[1].attrs["ctors"] == [SymbolRef("f")]


def test_llvm_invoke_and_landingpad() -> None:
    text = """
    llvm.func @may(i32) -> i32
    llvm.func @f(%a: i32) -> i32 {
      %0 = llvm.invoke @may(%a) to ^ok(%a : i32) unwind ^bad : (i32) -> i32
    ^ok(%1: i32):
      llvm.return %1 : i32
    ^bad:
      %z = llvm.landingpad cleanup : !llvm.struct<(ptr, i32)>
      llvm.resume %z : !llvm.struct<(ptr, i32)>
    }
    """
    invoke = read(text).symbols["f"].regions[0].blocks[0].ops[0]
    assert [len(args) for _, args in invoke.successors] == [1, 0]


def test_generic_llvm_function_with_linkage_attributes() -> None:
    text = """
    "llvm.func"() <{CConv = #llvm.cconv<ccc>, function_type = !llvm.func<i32 (ptr, ...)>, linkage = #llvm.linkage<internal>, sym_name = "p", visibility_ = 0 : i64}> ({
    }) : () -> ()
    """
    f = read(text).symbols["p"]
    assert f.attrs["linkage"] == "internal"
    assert f.attrs["function_type"] is LLVMFuncType(I32, (PTR,), True)


def test_named_structs_are_found_again_by_name() -> None:
    text = """
    llvm.mlir.global external @a() : !llvm.struct<"node", (i32, ptr)>
    llvm.mlir.global external @b() : !llvm.struct<"node">
    llvm.mlir.global external @c() : !llvm.struct<"hidden", opaque>
    """
    s = parse_text(text).symbols
    assert s["a"].attrs["global_type"] is s["b"].attrs["global_type"]
    assert s["c"].attrs["global_type"] is LLVMStructType("hidden", None)
