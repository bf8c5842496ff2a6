"""Elements outside of their array read as the default of their type, and writing them changes nothing (IEEE 1800-2023 §7.4.5, §7.10.1)."""

from __future__ import annotations

import pytest

from wasmjit.ir import parse_text
from wasmjit.sched.options import RunOptions
from wasmjit.sched.simulation import Simulation

MODES = ("interpret", "compile")
L8 = "!llvm.struct<(i8, i8)>"
H8 = "!hw.struct<value: i8, unknown: i8>"


def run(text: str, mode: str) -> list[str]:
    out: list[bytes] = []
    err: list[str] = []
    sim = Simulation(parse_text(text), RunOptions(mode=mode, tops=["top"]), stdout=out.append, stderr=err.append)
    assert sim.run().exit_code == 0, err
    return b"".join(out).decode().split()


def module(body: str, functions: str = "", signals: str = "") -> str:
    return f"""
module {{
  llvm.func @malloc(i64) -> !llvm.ptr
  {functions}
  hw.module @top() {{
    %eps = llhd.constant_time <0ns, 0d, 1e>
    %sp = sim.fmt.literal " "
    {signals}
    llhd.process {{
      %one = llvm.mlir.constant(1 : i64) : i64
      %size = llvm.mlir.constant(64 : i64) : i64
      %undef = llvm.mlir.undef : !llvm.struct<(ptr, i64)>
      {body}
      llhd.halt
    }}
    hw.output
  }}
}}
"""


def queue(name: str, count: int, element: str, fill: str) -> str:
    """An array of `count` elements of 2 * count bytes or more of memory, all of which is filled through raw pointers."""
    stores = "\n".join(
        f"""
      %{name}_p{i} = llvm.getelementptr %{name}_d[{i}] : (!llvm.ptr) -> !llvm.ptr, {element}
      llvm.store {fill}, %{name}_p{i} : {element}, !llvm.ptr"""
        for i in range(2 * count)
    )
    return f"""
      %{name}_d = llvm.call @malloc(%size) : (i64) -> !llvm.ptr
      {stores}
      %{name}_n = llvm.mlir.constant({count} : i64) : i64
      %{name}_0 = llvm.insertvalue %{name}_d, %undef[0] : !llvm.struct<(ptr, i64)>
      %{name}_1 = llvm.insertvalue %{name}_n, %{name}_0[1] : !llvm.struct<(ptr, i64)>
      %{name}_v = llvm.alloca %one x !llvm.struct<(ptr, i64)> : (i64) -> !llvm.ptr
      llvm.store %{name}_1, %{name}_v : !llvm.struct<(ptr, i64)>, !llvm.ptr
      %{name} = llvm.load %{name}_v : !llvm.ptr -> !llvm.struct<(ptr, i64)>
      %{name}_b = llvm.extractvalue %{name}[0] : !llvm.struct<(ptr, i64)>"""


def show(value: str, ty: str, n: str) -> str:
    return f"""
      %f{n} = sim.fmt.dec {value} specifierWidth 0 : {ty}
      %t{n} = sim.fmt.concat (%f{n}, %sp)
      sim.proc.print %t{n}"""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("index", "read"), [(0, "7"), (3, "7"), (4, "0"), (5, "0"), (-1, "0"), (1 << 31, "0"), ((1 << 32) - 1, "0")])
def test_a_dynamic_array_has_the_elements_it_counts(mode: str, index: int, read: str) -> None:
    text = module(
        f"""
      %c7 = hw.constant 7 : i32
      {queue("q", 4, "i32", "%c7")}
      %i = llvm.mlir.constant({index} : i64) : i64
      %e = llvm.getelementptr %q_b[%i] : (!llvm.ptr, i64) -> !llvm.ptr, i32
      %v = llvm.load %e : !llvm.ptr -> i32
      {show("%v", "i32", "a")}"""
    )
    assert run(text, mode) == [read]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("index", "after"), [(1, ["9", "7"]), (2, ["7", "7"]), (-1, ["7", "7"])])
def test_writing_an_element_that_does_not_exist_touches_nothing(mode: str, index: int, after: list[str]) -> None:
    text = module(
        f"""
      %c7 = hw.constant 7 : i32
      %c9 = hw.constant 9 : i32
      {queue("q", 2, "i32", "%c7")}
      %i = llvm.mlir.constant({index} : i64) : i64
      %e = llvm.getelementptr %q_b[%i] : (!llvm.ptr, i64) -> !llvm.ptr, i32
      llvm.store %c9, %e : i32, !llvm.ptr
      %b = llvm.load %q_p1 : !llvm.ptr -> i32
      %c = llvm.load %q_p2 : !llvm.ptr -> i32
      {show("%b", "i32", "b")}
      {show("%c", "i32", "c")}"""
    )
    assert run(text, mode) == after


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("index", "read"), [(1, "5"), (2, "x")])
@pytest.mark.parametrize("how", ["fields", "cast"])
def test_four_state_elements_that_do_not_exist_are_x(mode: str, index: int, read: str, how: str) -> None:
    whole = f"%h = builtin.unrealized_conversion_cast %v : {L8} to {H8}"
    fields = f"""%a = llvm.extractvalue %v[0] : {L8}
      %u = llvm.extractvalue %v[1] : {L8}
      %h = hw.struct_create (%a, %u) : {H8}"""
    text = module(
        f"""
      %n5 = hw.constant 5 : i8
      %n0 = hw.constant 0 : i8
      %s = llvm.mlir.undef : {L8}
      %s0 = llvm.insertvalue %n5, %s[0] : {L8}
      %s1 = llvm.insertvalue %n0, %s0[1] : {L8}
      {queue("q", 2, L8, "%s1")}
      %i = llvm.mlir.constant({index} : i64) : i64
      %e = llvm.getelementptr %q_b[%i] : (!llvm.ptr, i64) -> !llvm.ptr, {L8}
      %v = llvm.load %e : !llvm.ptr -> {L8}
      {fields if how == "fields" else whole}
      %bits = hw.bitcast %h : ({H8}) -> i16
      %f = sim.fmt.dec %bits specifierWidth 0 fourStateWidth 8 : i16
      sim.proc.print %f"""
    )
    assert run(text, mode) == [read]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("index", "answer"), [(1, ["3", "4"]), (2, ["0", "4"]), (-1, ["0", "4"])])
def test_an_array_in_an_object_does_not_reach_into_the_next_field(mode: str, index: int, answer: list[str]) -> None:
    obj = '!llvm.struct<"obj", (array<2 x i32>, i32)>'
    text = module(
        f"""
      %c3 = hw.constant 3 : i32
      %c4 = hw.constant 4 : i32
      %o = llvm.call @malloc(%size) : (i64) -> !llvm.ptr
      %next = llvm.getelementptr %o[0, 1] : (!llvm.ptr) -> !llvm.ptr, {obj}
      llvm.store %c4, %next : i32, !llvm.ptr
      %i = llvm.mlir.constant({index} : i32) : i32
      %e = llvm.getelementptr %o[0, 0, %i] : (!llvm.ptr, i32) -> !llvm.ptr, {obj}
      llvm.store %c3, %e : i32, !llvm.ptr
      %v = llvm.load %e : !llvm.ptr -> i32
      %w = llvm.load %next : !llvm.ptr -> i32
      {show("%v", "i32", "v")}
      {show("%w", "i32", "w")}"""
    )
    assert run(text, mode) == answer


CALLEE = """
  func.func private @bump(%p: !llvm.ptr, %r: !llhd.ref<i32>) {
    %eps = llhd.constant_time <0ns, 0d, 1e>
    %c1 = hw.constant 1 : i32
    %v = llvm.load %p : !llvm.ptr -> i32
    %n = comb.add %v, %c1 : i32
    llhd.drv %r, %n after %eps : i32
    return
  }
"""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("index", "answer"), [(1, ["8", "7"]), (2, ["7", "7"])])
def test_references_to_elements_that_do_not_exist_point_to_nothing_else(mode: str, index: int, answer: list[str]) -> None:
    text = module(
        f"""
      %c7 = hw.constant 7 : i32
      {queue("q", 2, "i32", "%c7")}
      %i = llvm.mlir.constant({index} : i64) : i64
      %e = llvm.getelementptr %q_b[%i] : (!llvm.ptr, i64) -> !llvm.ptr, i32
      %r = builtin.unrealized_conversion_cast %e : !llvm.ptr to !llhd.ref<i32>
      func.call @bump(%e, %r) : (!llvm.ptr, !llhd.ref<i32>) -> ()
      %b = llvm.load %q_p1 : !llvm.ptr -> i32
      %c = llvm.load %q_p2 : !llvm.ptr -> i32
      {show("%b", "i32", "b")}
      {show("%c", "i32", "c")}""",
        CALLEE,
    )
    assert run(text, mode) == answer


FIXED = f"""
    %zero = hw.constant 0 : i48
    %init = hw.bitcast %zero : (i48) -> !hw.array<3x{H8}>
    %mem = llhd.sig %init : !hw.array<3x{H8}>
    %three = hw.constant 3 : i2
    %in = llhd.sig %three : i2"""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("index", "read"), [(0, "0"), (2, "0"), (3, "x")])
@pytest.mark.parametrize("how", ["value", "reference"])
def test_elements_of_a_fixed_four_state_array_that_do_not_exist_are_x(mode: str, index: int, read: str, how: str) -> None:
    value = f"""%p = llhd.prb %mem : !hw.array<3x{H8}>
      %h = hw.array_get %p[%i] : !hw.array<3x{H8}>, i2"""
    reference = f"""%r = llhd.sig.array_get %mem[%i] : <!hw.array<3x{H8}>>
      %h = llhd.prb %r : {H8}"""
    text = module(
        f"""
      %k = hw.constant {index} : i2
      llhd.drv %in, %k after %eps : i2
      %i = llhd.prb %in : i2
      {value if how == "value" else reference}
      %bits = hw.bitcast %h : ({H8}) -> i16
      %f = sim.fmt.dec %bits specifierWidth 0 fourStateWidth 8 : i16
      sim.proc.print %f""",
        signals=FIXED,
    )
    assert run(text, mode) == [read]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", ["block", "force"])
@pytest.mark.parametrize(("index", "first"), [(0, "6"), (3, "0")])
def test_assigning_an_element_that_does_not_exist_leaves_the_first_one_alone(mode: str, index: int, first: str, how: str) -> None:
    block = f"""cf.br ^there(%r : !llhd.ref<{H8}>)
    ^there(%s: !llhd.ref<{H8}>):
      llhd.drv %s, %new after %eps : {H8}"""
    force = f"llhd.drv %r, %new after %eps {{circt.force}} : {H8}"
    text = module(
        f"""
      %k = hw.constant {index} : i2
      %n6 = hw.constant 6 : i8
      %n0 = hw.constant 0 : i8
      %new = hw.struct_create (%n6, %n0) : {H8}
      llhd.drv %in, %k after %eps : i2
      %i = llhd.prb %in : i2
      %r = llhd.sig.array_get %mem[%i] : <!hw.array<3x{H8}>>
      {block if how == "block" else force}
      %c0 = hw.constant 0 : i2
      %p = llhd.prb %mem : !hw.array<3x{H8}>
      %h = hw.array_get %p[%c0] : !hw.array<3x{H8}>, i2
      %a = hw.struct_extract %h["value"] : {H8}
      {show("%a", "i8", "a")}""",
        signals=FIXED,
    )
    assert run(text, mode) == [first]
