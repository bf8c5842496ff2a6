"""Whole runs of what class-based designs are made of: static variables, casts, run-time types."""

from __future__ import annotations

import pytest
from class_runs import run, simulate

from wasmjit.sched import jit
from wasmjit.sem.unsupported import Unsupported

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


FOREACH = """
module {
llvm.func @__moore_assoc_HOW(!llvm.ptr, !llvm.ptr) -> i1
llvm.mlir.global internal @text("abc") {addr_space = 0 : i32} : !llvm.array<3 x i8>
hw.module @top() {
  %nl = sim.fmt.literal "\\0A"
  %sep = sim.fmt.literal " "
  llhd.process {
    %one = llvm.mlir.constant(1 : i64) : i64
    %len = llvm.mlir.constant(3 : i64) : i64
    %start = llvm.mlir.constant(START : i32) : i32
    %data = llvm.mlir.addressof @text : !llvm.ptr
    %undef = llvm.mlir.undef : !llvm.struct<(ptr, i64)>
    %s1 = llvm.insertvalue %data, %undef[0] : !llvm.struct<(ptr, i64)>
    %s2 = llvm.insertvalue %len, %s1[1] : !llvm.struct<(ptr, i64)>
    %str = llvm.alloca %one x !llvm.struct<(ptr, i64)> : (i64) -> !llvm.ptr
    llvm.store %s2, %str : !llvm.struct<(ptr, i64)>, !llvm.ptr
    %key = llvm.alloca %one x i32 : (i64) -> !llvm.ptr
    llvm.store %start, %key : i32, !llvm.ptr
    %loaded = llvm.load %str : !llvm.ptr -> !llvm.ptr
    %ok = llvm.call @__moore_assoc_HOW(HANDLE, %key) : (!llvm.ptr, !llvm.ptr) -> i1
    %k = llvm.load %key : !llvm.ptr -> i32
    %f = sim.fmt.dec %k specifierWidth 0 signed : i32
    %g = sim.fmt.dec %ok specifierWidth 0 : i1
    %t = sim.fmt.concat (%g, %sep, %f, %nl)
    sim.proc.print %t
    llhd.halt
  }
  hw.output
}
}
"""


@pytest.mark.parametrize("handle", ["%str", "%loaded"])
@pytest.mark.parametrize(
    ("how", "start", "answer"),
    [("first", 7, "1 0"), ("last", 0, "1 2"), ("next", 0, "1 1"), ("next", 2, "0 2"), ("prev", 2, "1 1"), ("prev", 0, "0 0"), ("next", -5, "0 -5")],
)
def test_foreach_over_a_string_visits_its_indices(handle: str, how: str, start: int, answer: str) -> None:
    text = FOREACH.replace("HOW", how).replace("START", str(start)).replace("HANDLE", handle)
    assert run(text, mode="interpret").out == answer + "\n"


def test_foreach_with_an_index_that_is_no_integer_is_refused() -> None:
    text = FOREACH.replace("HOW", "first").replace("START", "0").replace("HANDLE", "%str")
    text = text.replace("%key = llvm.alloca %one x i32", "%key = llvm.alloca %one x !llvm.struct<(i32, i32)>")
    with pytest.raises(Unsupported, match="expected an integer"):
        run(text)


OBSERVER = """
module {
llvm.func @malloc(i64) -> !llvm.ptr
hw.module @top(out y : i32) {
  %null = llvm.mlir.zero : !llvm.ptr
  %eps = llhd.constant_time <0ns, 0d, 1e>
  %ns = llhd.constant_time <1ns, 0d, 0e>
  %nl = sim.fmt.literal "\\0A"
  %obj = llhd.sig %null : !llvm.ptr
  %y = llhd.sig name "y" %zero : i32
  %zero = hw.constant 0 : i32
  llhd.process {
    %size = llvm.mlir.constant(24 : i64) : i64
    %c7 = hw.constant 7 : i32
    %new = llvm.call @malloc(%size) : (i64) -> !llvm.ptr
    %p = llvm.getelementptr %new[0, 2] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<"C", (i32, ptr, i32)>
    llvm.store %c7, %p : i32, !llvm.ptr
    llhd.drv %obj, %new after %eps : !llvm.ptr
    llhd.wait delay %ns, ^bb1
  ^bb1:
    %v = llhd.prb %y : i32
    %f = sim.fmt.dec %v specifierWidth 0 : i32
    %t = sim.fmt.concat (%f, %nl)
    sim.proc.print %t
    llhd.halt
  }
  %o = llhd.prb %obj : !llvm.ptr
  %field = llvm.getelementptr %o[0, 2] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<"C", (i32, ptr, i32)>
  %x = llvm.load %field : !llvm.ptr -> i32
  llhd.drv %y, %x after %eps : i32
  hw.output %x : i32
}
}
"""


@MODES
def test_continuous_logic_may_look_into_an_object_before_it_is_made(mode: str) -> None:
    r = run(OBSERVER, mode=mode)
    assert not r.outcome.faulted
    assert r.out == "7\n"


COUNTED = """
module {
llvm.func @__moore_delay(i64)
llvm.mlir.global internal @"C::__vtable__"(#llvm.zero) {addr_space = 0 : i32, circt.vtable_entries = [[0, @"C::add"], [1, @"C::pause"]]} : !llvm.array<2 x ptr>
llvm.mlir.global internal @sum(0 : i32) {addr_space = 0 : i32} : i32
func.func private @"C::add"(%this: !llvm.ptr, %n: i32) -> i32 {
  %p = llvm.mlir.addressof @sum : !llvm.ptr
  %old = llvm.load %p : !llvm.ptr -> i32
  %twice = func.call @twice(%n) : (i32) -> i32
  %new = comb.add %old, %twice : i32
  llvm.store %new, %p : i32, !llvm.ptr
  return %new : i32
}
func.func private @twice(%n: i32) -> i32 {
  %r = comb.add %n, %n : i32
  return %r : i32
}
func.func private @"C::pause"(%this: !llvm.ptr, %n: i32, %m: i32) {
  %fs = llvm.mlir.constant(1000000 : i64) : i64
  llvm.call @__moore_delay(%fs) : (i64) -> ()
  %r = func.call @"C::add"(%this, %n) : (!llvm.ptr, i32) -> i32
  return
}
hw.module @top() {
  %nl = sim.fmt.literal "\\0A"
  %c0 = hw.constant 0 : i32
  %c1 = hw.constant 1 : i32
  %c20 = hw.constant 20 : i32
  %null = llvm.mlir.zero : !llvm.ptr
  llhd.process {
    %vt = llvm.mlir.addressof @"C::__vtable__" : !llvm.ptr
    cf.br ^bb1(%c0 : i32)
  ^bb1(%i: i32):
    %a0 = llvm.getelementptr %vt[0, 0] : (!llvm.ptr) -> !llvm.ptr, !llvm.array<2 x ptr>
    %a1 = llvm.load %a0 : !llvm.ptr -> !llvm.ptr
    %add = builtin.unrealized_conversion_cast %a1 : !llvm.ptr to (!llvm.ptr, i32) -> i32
    %sum = func.call_indirect %add(%null, %i) : (!llvm.ptr, i32) -> i32
    %b0 = llvm.getelementptr %vt[0, 1] : (!llvm.ptr) -> !llvm.ptr, !llvm.array<2 x ptr>
    %b1 = llvm.load %b0 : !llvm.ptr -> !llvm.ptr
    %pause = builtin.unrealized_conversion_cast %b1 : !llvm.ptr to (!llvm.ptr, i32, i32) -> ()
    func.call_indirect %pause(%null, %i, %i) : (!llvm.ptr, i32, i32) -> ()
    %n = comb.add %i, %c1 : i32
    %more = comb.icmp ult %n, %c20 : i32
    cf.cond_br %more, ^bb1(%n : i32), ^bb2
  ^bb2:
    %f = sim.fmt.dec %sum specifierWidth 0 : i32
    %t = sim.fmt.concat (%f, %nl)
    sim.proc.print %t
    llhd.halt
  }
  hw.output
}
}
"""


@pytest.mark.parametrize(("mode", "large"), [("interpret", False), ("compile", False), ("compile", True)])
def test_methods_become_hot_while_they_are_called(mode: str, large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit, "LARGE_DESIGN", -1 if large else 1000)
    monkeypatch.setattr(jit, "PATIENCE", 4)
    r = run(COUNTED, mode=mode)
    assert r.out == "722\n"
    assert r.outcome.final_time_fs == 20_000_000


def test_in_a_large_design_hot_methods_are_compiled_and_cold_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = {}
    for patience in (4, 1000):
        monkeypatch.setattr(jit, "LARGE_DESIGN", -1)
        monkeypatch.setattr(jit, "PATIENCE", patience)
        compiled[patience] = set(simulate(COUNTED, mode="compile").governor.jit.compiled)
    assert {"C::add", "C::pause!co"} <= compiled[4]
    assert not {"C::add", "C::pause!co", "twice"} & compiled[1000]


NESTED = """
module {
llvm.func @__moore_assoc_create(i32, i32) -> !llvm.ptr
llvm.func @__moore_assoc_get_ref(!llvm.ptr, !llvm.ptr, i32) -> !llvm.ptr
llvm.func @__moore_assoc_exists(!llvm.ptr, !llvm.ptr) -> i32
llvm.func @__moore_assoc_size(!llvm.ptr) -> i64
hw.module @top() {
  %nl = sim.fmt.literal "\\0A"
  %sep = sim.fmt.literal " "
  llhd.process {
    %one = llvm.mlir.constant(1 : i64) : i64
    %four = llvm.mlir.constant(4 : i32) : i32
    %eight = llvm.mlir.constant(8 : i32) : i32
    %five = llvm.mlir.constant(5 : i8) : i8
    %six = llvm.mlir.constant(6 : i8) : i8
    %null = llvm.mlir.zero : !llvm.ptr
    %var = llvm.alloca %one x !llvm.ptr : (i64) -> !llvm.ptr
    llvm.store %null, %var : !llvm.ptr, !llvm.ptr
    %outer = llvm.load %var : !llvm.ptr -> !llvm.ptr
    %k1 = llvm.alloca %one x i32 : (i64) -> !llvm.ptr
    llvm.store %four, %k1 : i32, !llvm.ptr
    %inner = llvm.call @__moore_assoc_get_ref(%outer, %k1, %eight) : (!llvm.ptr, !llvm.ptr, i32) -> !llvm.ptr
    %k2 = llvm.alloca %one x i8 : (i64) -> !llvm.ptr
    llvm.store %five, %k2 : i8, !llvm.ptr
    %slot = llvm.call @__moore_assoc_get_ref(%inner, %k2, %four) : (!llvm.ptr, !llvm.ptr, i32) -> !llvm.ptr
    llvm.store %eight, %slot : i32, !llvm.ptr
    llvm.store %six, %k2 : i8, !llvm.ptr
    %slot2 = llvm.call @__moore_assoc_get_ref(%inner, %k2, %four) : (!llvm.ptr, !llvm.ptr, i32) -> !llvm.ptr
    %again = llvm.load %var : !llvm.ptr -> !llvm.ptr
    %n = llvm.call @__moore_assoc_size(%again) : (!llvm.ptr) -> i64
    %m = llvm.call @__moore_assoc_size(%inner) : (!llvm.ptr) -> i64
    %v = llvm.load %slot : !llvm.ptr -> i32
    %f = sim.fmt.dec %n specifierWidth 0 : i64
    %g = sim.fmt.dec %m specifierWidth 0 : i64
    %h = sim.fmt.dec %v specifierWidth 0 : i32
    %t = sim.fmt.concat (%f, %sep, %g, %sep, %h, %nl)
    sim.proc.print %t
    llhd.halt
  }
  hw.output
}
}
"""


@MODES
def test_arrays_inside_of_arrays_come_into_being_when_they_are_written(mode: str) -> None:
    assert run(NESTED, mode=mode).out == "1 2 8\n"


ELEMENT = """
module {
llvm.func @malloc(i64) -> !llvm.ptr
hw.module @top() {
  %nl = sim.fmt.literal "\\0A"
  llhd.process {
    %one = llvm.mlir.constant(1 : i64) : i64
    %n = llvm.mlir.constant(COUNT : i64) : i64
    %idx = llvm.mlir.constant(1 : i64) : i64
    %c9 = hw.constant 9 : i32
    %data = DATA
    %undef = llvm.mlir.undef : !llvm.struct<(ptr, i64)>
    %s1 = llvm.insertvalue %data, %undef[0] : !llvm.struct<(ptr, i64)>
    %s2 = llvm.insertvalue %n, %s1[1] : !llvm.struct<(ptr, i64)>
    %var = llvm.alloca %one x !llvm.struct<(ptr, i64)> : (i64) -> !llvm.ptr
    llvm.store %s2, %var : !llvm.struct<(ptr, i64)>, !llvm.ptr
    %arr = llvm.load %var : !llvm.ptr -> !llvm.struct<(ptr, i64)>
    %base = llvm.extractvalue %arr[0] : !llvm.struct<(ptr, i64)>
    %e = llvm.getelementptr %base[%idx] : (!llvm.ptr, i64) -> !llvm.ptr, i32
    llvm.store %c9, %e : i32, !llvm.ptr
    %v = llvm.load %e : !llvm.ptr -> i32
    %f = sim.fmt.dec %v specifierWidth 0 : i32
    %t = sim.fmt.concat (%f, %nl)
    sim.proc.print %t
    llhd.halt
  }
  hw.output
}
}
"""


@MODES
@pytest.mark.parametrize(
    ("count", "data", "answer"),
    [(0, "llvm.mlir.zero : !llvm.ptr", "0"), (4, "llvm.call @malloc(%size) : (i64) -> !llvm.ptr", "9")],
)
def test_elements_of_an_array_without_elements_read_as_zero(mode: str, count: int, data: str, answer: str) -> None:
    text = ELEMENT.replace("COUNT", str(count)).replace("%data = DATA", f"%size = llvm.mlir.constant(16 : i64) : i64\n    %data = {data}")
    assert run(text, mode=mode).out == answer + "\n"


LATE = """
module {
func.func private @later(%p: !llvm.ptr) -> i32 {
  %one = arith.constant 1 : i32
  %bad = arith.addi %one, %one : %one
  return %one : i32
}
llvm.mlir.global internal @table(#llvm.zero) {addr_space = 0 : i32, circt.vtable_entries = [[0, @later]]} : !llvm.array<1 x ptr>
hw.module @top() {
  %null = llvm.mlir.zero : !llvm.ptr
  llhd.process {
    %t = llvm.mlir.addressof @table : !llvm.ptr
    %f = llvm.load %t : !llvm.ptr -> !llvm.ptr
    %fn = builtin.unrealized_conversion_cast %f : !llvm.ptr to (!llvm.ptr) -> i32
    %r = func.call_indirect %fn(%null) : (!llvm.ptr) -> i32
    llhd.halt
  }
  hw.output
}
}
"""


@MODES
def test_a_body_that_is_not_valid_is_found_when_it_is_needed(mode: str) -> None:
    result = run(LATE, mode=mode)
    assert result.outcome.exit_code == 2
    assert any("expected a type" in line for line in result.lines)


@MODES
def test_recursion_without_end_is_reported_as_such(mode: str) -> None:
    text = """module {
func.func private @rec(%a: i32) -> i32 {
  %b = func.call @rec(%a) : (i32) -> i32
  %c = comb.add %b, %a : i32
  return %c : i32
}
hw.module @top() {
  %c1 = hw.constant 1 : i32
  llhd.process {
    %r = func.call @rec(%c1) : (i32) -> i32
    llhd.halt
  }
  hw.output
} }"""
    ran = run(text, mode=mode)
    assert ran.outcome.exit_code == 1
    assert "[wasmjit] Error: call depth limit exceeded (recursion too deep) (process llhd_process_0, time 0 fs)" in ran.lines
