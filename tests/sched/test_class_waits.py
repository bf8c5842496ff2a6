"""Whole runs of waits and loops as the front end writes them for classes and interfaces."""

from __future__ import annotations

import pytest
from class_runs import run

MODES = pytest.mark.parametrize("mode", ["interpret", "compile"])

NONBLOCKING = """
module {
llvm.mlir.global internal @nba(0 : i32) {addr_space = 0 : i32} : i32
llvm.mlir.global internal @seen(0 : i32) {addr_space = 0 : i32} : i32
hw.module @top() {
  %nl = sim.fmt.literal "\\0A"
  %c1 = hw.constant 1 : i32
  %c0 = hw.constant 0 : i32
  %d = llhd.constant_time <0ns, 1d, 0e>
  %s = llhd.sig %c0 : i32
  llhd.process {
    %p = llvm.mlir.addressof @nba : !llvm.ptr
    %old = llvm.load %p : !llvm.ptr -> i32
    %new = comb.add %old, %c1 : i32
    llhd.drv %s, %c1 after %d : i32
    llvm.store %new, %p : i32, !llvm.ptr
    moore.wait_event {
      %v = llvm.load %p : !llvm.ptr -> i32
      %m = builtin.unrealized_conversion_cast %v : i32 to !moore.i32
      moore.detect_event any %m : i32
    }
    %v = llhd.prb %s : i32
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
def test_an_event_control_on_what_was_just_assigned_ends_after_the_nonblocking_assignments(mode: str) -> None:
    r = run(NONBLOCKING, mode=mode)
    assert r.out == "1\n"
    assert r.outcome.final_time_fs == 0


SNAPSHOT = """
module {
llvm.func @__moore_wait_condition(i32)
llvm.func @__moore_delay(i64)
llvm.func @malloc(i64) -> !llvm.ptr
llvm.mlir.global internal @count(7 : i32) {addr_space = 0 : i32} : i32
hw.module @top() {
  %done = sim.fmt.literal "changed\\0A"
  llhd.process {
    %p = llvm.mlir.addressof @count : !llvm.ptr
    %before = llvm.load %p : !llvm.ptr -> i32
    cf.br ^bb1
  ^bb1:
    %now = llvm.load %p : !llvm.ptr -> i32
    %ne = comb.icmp ne %before, %now : i32
    %c = llvm.zext %ne : i1 to i32
    llvm.call @__moore_wait_condition(%c) : (i32) -> ()
    sim.proc.print %done
    llhd.halt
  }
  llhd.process {
    %ns = llvm.mlir.constant(1000000 : i64) : i64
    %c8 = hw.constant 8 : i32
    %p = llvm.mlir.addressof @count : !llvm.ptr
    llvm.call @__moore_delay(%ns) : (i64) -> ()
    llvm.store %c8, %p : i32, !llvm.ptr
    llvm.call @__moore_delay(%ns) : (i64) -> ()
    llhd.halt
  }
  hw.output
}
}
"""


@MODES
def test_a_wait_compares_with_the_value_of_a_local_variable(mode: str) -> None:
    assert run(SNAPSHOT, mode=mode).out == "changed\n"


INTERFACE = """
module {
llvm.func @malloc(i64) -> !llvm.ptr
hw.module @top() attributes {vpi.all_vars = {}} {
  %size = llvm.mlir.constant(16 : i64) : i64
  %c5 = hw.constant 5 : i32
  %c0 = hw.constant 0 : i32
  %ns = llhd.constant_time <1ns, 0d, 0e>
  %nl = sim.fmt.literal "\\0A"
  %a = llvm.call @malloc(%size) : (i64) -> !llvm.ptr
  %from = llhd.sig %a : !llvm.ptr
  %b = llvm.call @malloc(%size) : (i64) -> !llvm.ptr
  %to = llhd.sig %b : !llvm.ptr
  %ha = llhd.prb %from : !llvm.ptr
  %hb = llhd.prb %to : !llvm.ptr
  llhd.process {
    cf.br ^bb2(%ha, %hb : !llvm.ptr, !llvm.ptr)
  ^bb1:
    %x = llhd.prb %from : !llvm.ptr
    %y = llhd.prb %to : !llvm.ptr
    cf.br ^bb2(%x, %y : !llvm.ptr, !llvm.ptr)
  ^bb2(%f: !llvm.ptr, %t: !llvm.ptr):
    %valid = llvm.getelementptr %f[0, 0] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<"interface.i", (i1, i32)>
    %v = llvm.load %valid : !llvm.ptr -> i1
    cf.cond_br %v, ^bb3, ^bb4
  ^bb3:
    %data = llvm.getelementptr %f[0, 1] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<"interface.i", (i1, i32)>
    %d = llvm.load %data : !llvm.ptr -> i32
    %out = llvm.getelementptr %t[0, 1] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<"interface.i", (i1, i32)>
    llvm.store %d, %out : i32, !llvm.ptr
    cf.br ^bb4
  ^bb4:
    llhd.wait ^bb1
  }
  llhd.process {
    %true = hw.constant true
    llhd.wait delay %ns, ^bb1
  ^bb1:
    %valid = llvm.getelementptr %ha[0, 0] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<"interface.i", (i1, i32)>
    llvm.store %true, %valid : i1, !llvm.ptr
    llhd.wait delay %ns, ^bb2
  ^bb2:
    %data = llvm.getelementptr %ha[0, 1] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<"interface.i", (i1, i32)>
    llvm.store %c5, %data : i32, !llvm.ptr
    llhd.wait delay %ns, ^bb3
  ^bb3:
    %out = llvm.getelementptr %hb[0, 1] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<"interface.i", (i1, i32)>
    %r = llvm.load %out : !llvm.ptr -> i32
    %f = sim.fmt.dec %r specifierWidth 0 : i32
    %t = sim.fmt.concat (%f, %nl)
    sim.proc.print %t
    llhd.halt
  }
  hw.output
}
}
"""


@MODES
def test_always_comb_over_fields_of_an_interface_runs_again_when_they_change(mode: str) -> None:
    assert run(INTERFACE, mode=mode).out == "5\n"


def scan(text: str, start: int, step: int, last: int) -> str:
    """`c = 0; while (i != last && c != ".") c = s[i += step];` and prints i and c."""
    data = f'llvm.mlir.global internal @text("{text}") {{addr_space = 0 : i32}} : !llvm.array<{len(text)} x i8>' if text else ""
    address = "llvm.mlir.addressof @text : !llvm.ptr" if text else "llvm.mlir.zero : !llvm.ptr"
    return f"""
module {{
llvm.func @__moore_string_getc(!llvm.ptr, i32) -> i8
{data}
hw.module @top() {{
  %nl = sim.fmt.literal "\\0A"
  %sep = sim.fmt.literal " "
  %start = hw.constant {start} : i32
  %step = hw.constant {step} : i32
  %last = hw.constant {last} : i32
  %dot = hw.constant 46 : i8
  %zero = hw.constant 0 : i8
  llhd.process {{
    %one = llvm.mlir.constant(1 : i64) : i64
    %len = llvm.mlir.constant({len(text)} : i64) : i64
    %data = {address}
    %undef = llvm.mlir.undef : !llvm.struct<(ptr, i64)>
    %s1 = llvm.insertvalue %data, %undef[0] : !llvm.struct<(ptr, i64)>
    %s2 = llvm.insertvalue %len, %s1[1] : !llvm.struct<(ptr, i64)>
    %str = llvm.alloca %one x !llvm.struct<(ptr, i64)> : (i64) -> !llvm.ptr
    llvm.store %s2, %str : !llvm.struct<(ptr, i64)>, !llvm.ptr
    %cell = llvm.alloca %one x i8 : (i64) -> !llvm.ptr
    llvm.store %zero, %cell : i8, !llvm.ptr
    cf.br ^bb1(%start : i32)
  ^bb1(%i: i32):
    %go = comb.icmp ne %i, %last : i32
    %c = llvm.load %cell : !llvm.ptr -> i8
    %no = comb.icmp ne %c, %dot : i8
    %both = comb.and %go, %no : i1
    cf.cond_br %both, ^bb2, ^bb3
  ^bb2:
    %copy = llvm.load %str : !llvm.ptr -> !llvm.struct<(ptr, i64)>
    %n = comb.add %i, %step : i32
    %tmp = llvm.alloca %one x !llvm.struct<(ptr, i64)> : (i64) -> !llvm.ptr
    llvm.store %copy, %tmp : !llvm.struct<(ptr, i64)>, !llvm.ptr
    %ch = llvm.call @__moore_string_getc(%tmp, %n) : (!llvm.ptr, i32) -> i8
    llvm.store %ch, %cell : i8, !llvm.ptr
    cf.br ^bb1(%n : i32)
  ^bb3:
    %e = llvm.load %cell : !llvm.ptr -> i8
    %f = sim.fmt.dec %i specifierWidth 0 signed : i32
    %g = sim.fmt.dec %e specifierWidth 0 : i8
    %t = sim.fmt.concat (%f, %sep, %g, %nl)
    sim.proc.print %t
    llhd.halt
  }}
  hw.output
}}
}}
"""


def walked(text: str, start: int, step: int, last: int) -> str:
    """The same loop in Python; only for loops that end soon."""
    i, c = start, 0
    while i != last and c != 46:
        i += step
        c = ord(text[i]) if 0 <= i < len(text) else 0
    return f"{i} {c}\n"


@MODES
@pytest.mark.parametrize(
    ("text", "start", "step", "last"),
    [("a.b", 3, -1, 0), ("abc", 2, -1, 0), ("a.b", 40, -1, 0), ("abc", 40, -1, 0), ("abc", 40, -1, 20), ("abc", 5, 1, 50), ("ab.", -50, 1, 9), ("", -1, -1, -90), ("", 5, -1, 0), ("abc", 2, -1, -7)],
)
def test_scans_of_strings_find_what_a_plain_loop_finds(mode: str, text: str, start: int, step: int, last: int) -> None:
    assert run(scan(text, start, step, last), mode=mode).out == walked(text, start, step, last)


@pytest.mark.parametrize(
    ("text", "start", "step", "last", "answer"),
    [("", -1, -1, 0, "0 0"), ("", 1, 1, 0, "0 0"), ("ab.c", -1, -1, 0, "2 46"), ("abc", -1, -1, 0, "0 97"), (".bc", 3, 1, 2, "0 46")],
)
def test_scans_that_leave_the_string_come_around_the_other_end(text: str, start: int, step: int, last: int, answer: str) -> None:
    assert run(scan(text, start, step, last), mode="interpret").out == answer + "\n"


NULL_CALLS = {
    "semaphore": "llvm.call @__moore_semaphore_get(%c0, %k1) : (i64, i32) -> ()",
    "semaphore put": "llvm.call @__moore_semaphore_put(%c0, %k1) : (i64, i32) -> ()",
    "mailbox": "llvm.call @__moore_mailbox_put(%c0, %c0) : (i64, i64) -> ()",
    "mailbox try": "%p = llvm.call @__moore_mailbox_tryput(%c0, %c0) : (i64, i64) -> i1",
    "process": "%p = llvm.call @__moore_process_status(%c0) : (i64) -> i32",
    "a negative number": "llvm.call @__moore_semaphore_put(%c8, %m1) : (i64, i32) -> ()",
    "a negative mailbox bound": "%p = llvm.call @__moore_mailbox_create(%m1) : (i32) -> i64",
    "waits for its own end": "%me = llvm.call @__moore_process_self() : () -> i64\n llvm.call @__moore_process_await(%me) : (i64) -> ()",
}


@pytest.mark.parametrize("mode", ["interpret", "compile"])
@pytest.mark.parametrize("what", list(NULL_CALLS))
def test_methods_of_null_handles_and_impossible_arguments_are_errors(mode: str, what: str) -> None:
    text = f"""module {{
llvm.func @__moore_semaphore_get(i64, i32)
llvm.func @__moore_semaphore_put(i64, i32)
llvm.func @__moore_mailbox_put(i64, i64)
llvm.func @__moore_mailbox_create(i32) -> i64
llvm.func @__moore_mailbox_tryput(i64, i64) -> i1
llvm.func @__moore_process_await(i64)
llvm.func @__moore_process_status(i64) -> i32
llvm.func @__moore_process_self() -> i64
hw.module @top() {{
  %c0 = hw.constant 0 : i64
  %c8 = hw.constant 8 : i64
  %k1 = hw.constant 1 : i32
  %m1 = hw.constant -1 : i32
  %on = sim.fmt.literal "on"
  llhd.process {{
    {NULL_CALLS[what]}
    sim.proc.print %on
    llhd.halt
  }}
  hw.output
}} }}"""
    ran = run(text, mode=mode)
    assert ran.out == "" and ran.outcome.exit_code == 1
    words = what if what.startswith(("a negative", "waits")) else f"access to a null {what.split()[0]}"
    assert any(words in line for line in ran.lines)


@pytest.mark.parametrize("mode", ["interpret", "compile"])
@pytest.mark.parametrize("call", ["llvm.call @__moore_delay(%t) : (i64) -> ()", "%f = sim.fork {\nsim.delay %t : i64\nsim.fork.terminator\n}", "sim.delay %t : i64"])
def test_a_wait_outside_of_processes_is_an_error(mode: str, call: str) -> None:
    text = f"""module {{
llvm.func @__moore_delay(i64)
hw.module @top() {{
  %t = hw.constant 1000 : i64
  {call}
  hw.output
}} }}"""
    ran = run(text, mode=mode)
    assert ran.outcome.exit_code == 1
    assert any("a process would be suspended inside a call that cannot suspend" in line for line in ran.lines)
