"""Whole runs of what class-based designs are made of: static variables, casts, run-time types."""

from __future__ import annotations

import pytest
from class_runs import run

MODES = pytest.mark.parametrize("mode", ["interpret", "compile"])

STATIC = """
module {
llvm.func @__moore_assoc_create(i32, i32) -> !llvm.ptr
llvm.func @__moore_assoc_get_ref(!llvm.ptr, !llvm.ptr, i32) -> !llvm.ptr
llvm.func @__moore_assoc_size(!llvm.ptr) -> i64
llvm.mlir.global internal @"a::done"(false) {addr_space = 0 : i32} : i1
llvm.mlir.global_ctors ctors = [@"init a::done"], priorities = [65535 : i32], data = [#llvm.zero]
llvm.func internal @"init a::done"() {
  %p = llvm.mlir.addressof @"a::done" : !llvm.ptr
  %v = func.call @register() : () -> i1
  llvm.store %v, %p : i1, !llvm.ptr
  llvm.return
}
func.func private @register() -> i1 {
  %one = llvm.mlir.constant(1 : i64) : i64
  %four = llvm.mlir.constant(4 : i32) : i32
  %key = llvm.alloca %one x i32 : (i64) -> !llvm.ptr
  llvm.store %four, %key : i32, !llvm.ptr
  %p = llvm.mlir.addressof @"b::map" : !llvm.ptr
  %map = llvm.load %p : !llvm.ptr -> !llvm.ptr
  %slot = llvm.call @__moore_assoc_get_ref(%map, %key, %four) : (!llvm.ptr, !llvm.ptr, i32) -> !llvm.ptr
  llvm.store %four, %slot : i32, !llvm.ptr
  %true = hw.constant true
  return %true : i1
}
llvm.mlir.global internal @"b::map"(#llvm.zero) {addr_space = 0 : i32} : !llvm.ptr
llvm.mlir.global_ctors ctors = [@"init b::map"], priorities = [65535 : i32], data = [#llvm.zero]
llvm.func internal @"init b::map"() {
  %p = llvm.mlir.addressof @"b::map" : !llvm.ptr
  %four = llvm.mlir.constant(4 : i32) : i32
  %v = llvm.call @__moore_assoc_create(%four, %four) : (i32, i32) -> !llvm.ptr
  llvm.store %v, %p : !llvm.ptr, !llvm.ptr
  llvm.return
}
hw.module @top() {
  %nl = sim.fmt.literal "\\0A"
  llhd.process {
    %p = llvm.mlir.addressof @"b::map" : !llvm.ptr
    %map = llvm.load %p : !llvm.ptr -> !llvm.ptr
    %n = llvm.call @__moore_assoc_size(%map) : (!llvm.ptr) -> i64
    %f = sim.fmt.dec %n specifierWidth 0 : i64
    %t = sim.fmt.concat (%f, %nl)
    sim.proc.print %t
    llhd.halt
  }
  hw.output
}
}
"""


@MODES
def test_an_initialiser_finds_the_default_value_of_a_variable_declared_later(mode: str) -> None:
    r = run(STATIC, mode=mode)
    assert r.out == "1\n"
    assert not r.outcome.faulted


def cast(obj: str, target: int) -> str:
    """A process that casts an object of type 3 (or null) to a type and prints whether it worked. Types: 3 -> 2 -> 1, 4 -> 1."""
    return f"""
module attributes {{circt.rtti_parent_table = dense<"0x0000000000000000010000000200000001000000"> : tensor<5xi32>}} {{
llvm.func @__moore_dyn_cast_check(i32, i32, i32) -> i1
hw.module @top() {{
  %nl = sim.fmt.literal "\\0A"
  llhd.process {{
    %one = llvm.mlir.constant(1 : i64) : i64
    %c3 = llvm.mlir.constant(3 : i32) : i32
    %want = llvm.mlir.constant({target} : i32) : i32
    %depth = llvm.mlir.constant(1 : i32) : i32
    %made = llvm.alloca %one x !llvm.struct<"C", (i32, ptr)> : (i64) -> !llvm.ptr
    llvm.store %c3, %made : i32, !llvm.ptr
    %null = llvm.mlir.zero : !llvm.ptr
    %cell = llvm.alloca %one x !llvm.ptr : (i64) -> !llvm.ptr
    llvm.store {obj}, %cell : !llvm.ptr, !llvm.ptr
    %obj = llvm.load %cell : !llvm.ptr -> !llvm.ptr
    %field = llvm.getelementptr %obj[0, 0] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<"C", (i32, ptr)>
    %type = llvm.load %field : !llvm.ptr -> i32
    %ok = llvm.call @__moore_dyn_cast_check(%type, %want, %depth) : (i32, i32, i32) -> i1
    %there = llvm.icmp "ne" %obj, %null : !llvm.ptr
    %both = llvm.and %ok, %there : i1
    %f = sim.fmt.dec %both specifierWidth 0 : i1
    %t = sim.fmt.concat (%f, %nl)
    sim.proc.print %t
    llhd.halt
  }}
  hw.output
}}
}}
"""


@MODES
@pytest.mark.parametrize(("target", "answer"), [(1, "1"), (2, "1"), (3, "1"), (4, "0")])
def test_a_cast_follows_the_parents_of_the_type(mode: str, target: int, answer: str) -> None:
    assert run(cast("%made", target), mode=mode).out == answer + "\n"


@MODES
def test_a_cast_of_null_asks_for_its_type_and_fails(mode: str) -> None:
    r = run(cast("%null", 1), mode=mode)
    assert r.out == "0\n"
    assert not r.outcome.faulted
