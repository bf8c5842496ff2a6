"""Associative arrays in whole runs."""

from __future__ import annotations

import pytest
from class_runs import run

MODES = pytest.mark.parametrize("mode", ["interpret", "compile"])

STRINGS = """
llvm.func @__moore_packed_string_to_string(i64) -> !llvm.struct<(ptr, i64)>
llvm.func @__moore_assoc_get_ref(!llvm.ptr, !llvm.ptr, i32) -> !llvm.ptr
llvm.func @__moore_assoc_copy_into(!llvm.ptr, !llvm.ptr)
llvm.func @__moore_assoc_create(i32, i32) -> !llvm.ptr
func.func private @show(%a: !llvm.ptr, %key: !llvm.ptr) {
  %size = llvm.mlir.constant(4 : i32) : i32
  %nl = sim.fmt.literal " "
  %p = llvm.call @__moore_assoc_get_ref(%a, %key, %size) : (!llvm.ptr, !llvm.ptr, i32) -> !llvm.ptr
  %v = llvm.load %p : !llvm.ptr -> !llvm.struct<(ptr, i64)>
  %f = sim.fmt.dyn_string %v : !llvm.struct<(ptr, i64)>
  %t = sim.fmt.concat (%f, %nl)
  sim.proc.print %t
  return
}
hw.module @top() {
  %size = llvm.mlir.constant(4 : i32) : i32
  %one = llvm.mlir.constant(1 : i64) : i64
  %c7 = hw.constant 7 : i32
  %hello = hw.constant 448378203247 : i64
  %sad = hw.constant 7561572 : i64
  llhd.process {
    %a = llvm.call @__moore_assoc_create(%size, %size) : (i32, i32) -> !llvm.ptr
    %b = llvm.call @__moore_assoc_create(%size, %size) : (i32, i32) -> !llvm.ptr
    %key = llvm.alloca %one x i32 : (i64) -> !llvm.ptr
    llvm.store %c7, %key : i32, !llvm.ptr
    %p = llvm.call @__moore_assoc_get_ref(%a, %key, %size) : (!llvm.ptr, !llvm.ptr, i32) -> !llvm.ptr
    %s = llvm.call @__moore_packed_string_to_string(%hello) : (i64) -> !llvm.struct<(ptr, i64)>
    llvm.store %s, %p : !llvm.struct<(ptr, i64)>, !llvm.ptr
    llvm.call @__moore_assoc_copy_into(%b, %a) : (!llvm.ptr, !llvm.ptr) -> ()
    %q = llvm.call @__moore_assoc_get_ref(%b, %key, %size) : (!llvm.ptr, !llvm.ptr, i32) -> !llvm.ptr
    func.call @show(%b, %key) : (!llvm.ptr, !llvm.ptr) -> ()
    %t = llvm.call @__moore_packed_string_to_string(%sad) : (i64) -> !llvm.struct<(ptr, i64)>
    llvm.store %t, %q : !llvm.struct<(ptr, i64)>, !llvm.ptr
    func.call @show(%b, %key) : (!llvm.ptr, !llvm.ptr) -> ()
    func.call @show(%a, %key) : (!llvm.ptr, !llvm.ptr) -> ()
    llhd.halt
  }
  hw.output
}
"""


@MODES
def test_an_array_of_strings_that_was_created_for_smaller_values_is_copied_whole(mode: str) -> None:
    assert run(STRINGS, mode=mode).out == "hello sad hello "
