"""std::process handles: state after the end, one value for the kernel and the runtime library, generators of objects."""

from __future__ import annotations

import pytest
from class_runs import run

HEAD = """
  llvm.func @__moore_process_self() -> i64
  llvm.func @__moore_process_status(i64) -> i32
  llvm.func @__moore_process_kill(i64)
  llvm.func @__moore_process_await(i64)
  llvm.func @__moore_process_suspend(i64)
  llvm.func @__moore_process_srandom(i64, i32)
  llvm.func @__moore_class_srandom(!llvm.ptr, i32)
  llvm.func @__moore_randomize_basic(!llvm.ptr, i64) -> i32
  llvm.func @__moore_randomize_with_range(i64, i64) -> i64
  llvm.func @__moore_urandom() -> i32
  llvm.func @__moore_delay(i64)
  llvm.func @malloc(i64) -> !llvm.ptr
"""


@pytest.mark.parametrize("mode", ["interpret", "compile"])
def test_the_state_of_an_ended_process_can_be_asked_for_while_others_come_and_go(mode: str) -> None:
    text = f"""{HEAD} hw.module @t() {{
      %eps = llhd.constant_time <0ns, 0d, 1e>
      %step = hw.constant 1000000 : i64
      %long = hw.constant 9000000 : i64
      %none = hw.constant 0 : i64
      %done = llhd.sig %none : i64
      %killed = llhd.sig %none : i64
      %nl = sim.fmt.literal " "
      llhd.process {{
        %f1 = sim.fork join_type "join_none" {{
          %me = llvm.call @__moore_process_self() : () -> i64
          llhd.drv %done, %me after %eps : i64
          sim.fork.terminator
        }}
        %f2 = sim.fork join_type "join_none" {{
          %me = llvm.call @__moore_process_self() : () -> i64
          llhd.drv %killed, %me after %eps : i64
          llvm.call @__moore_delay(%long) : (i64) -> ()
          sim.fork.terminator
        }}
        llvm.call @__moore_delay(%step) : (i64) -> ()
        %k = llhd.prb %killed : i64
        llvm.call @__moore_process_kill(%k) : (i64) -> ()
        %f3 = sim.fork {{
          llvm.call @__moore_delay(%step) : (i64) -> ()
          sim.fork.terminator
        }}, {{
          llvm.call @__moore_delay(%step) : (i64) -> ()
          sim.fork.terminator
        }}
        %d = llhd.prb %done : i64
        %me = llvm.call @__moore_process_self() : () -> i64
        %a = llvm.call @__moore_process_status(%d) : (i64) -> i32
        %b = llvm.call @__moore_process_status(%k) : (i64) -> i32
        %c = llvm.call @__moore_process_status(%me) : (i64) -> i32
        %fa = sim.fmt.dec %a specifierWidth 0 : i32
        %fb = sim.fmt.dec %b specifierWidth 0 : i32
        %fc = sim.fmt.dec %c specifierWidth 0 : i32
        %all = sim.fmt.concat (%fa, %nl, %fb, %nl, %fc)
        sim.proc.print %all
        llhd.halt
      }}
    }}"""
    assert run(text, mode=mode).out.split() == ["0", "4", "1"]


def test_the_library_knows_the_handles_of_the_kernel() -> None:
    draw = """
          %me = llvm.call @__moore_process_self() : () -> i64
          llvm.call @__moore_process_srandom(%me, %seed) : (i64, i32) -> ()
          %v = llvm.call @__moore_urandom() : () -> i32
          %f = sim.fmt.dec %v specifierWidth 0 : i32
          %c = sim.fmt.concat (%f, %nl)
          sim.proc.print %c
          sim.fork.terminator
"""
    text = f"""{HEAD} hw.module @t() {{
      %seed = hw.constant 100 : i32
      %nl = sim.fmt.literal " "
      llhd.process {{
        %f1 = sim.fork {{ {draw} }}, {{ {draw} }}
        llhd.halt
      }}
    }}"""
    first, second = run(text).out.split()
    assert first == second


def test_constrained_fields_are_drawn_from_the_generator_of_the_object() -> None:
    draw = """
        llvm.call @__moore_class_srandom(%o, %seed) : (!llvm.ptr, i32) -> ()
        %r{n} = llvm.call @__moore_randomize_basic(%o, %size) : (!llvm.ptr, i64) -> i32
        %v{n} = llvm.call @__moore_randomize_with_range(%low, %high) : (i64, i64) -> i64
        %f{n} = sim.fmt.dec %v{n} specifierWidth 0 : i64
        %c{n} = sim.fmt.concat (%f{n}, %nl)
        sim.proc.print %c{n}
"""
    text = f"""{HEAD} hw.module @t() {{
      %seed = hw.constant 42 : i32
      %size = llvm.mlir.constant(24 : i64) : i64
      %low = hw.constant 0 : i64
      %high = hw.constant 1000000000 : i64
      %nl = sim.fmt.literal " "
      llhd.process {{
        %o = llvm.call @malloc(%size) : (i64) -> !llvm.ptr
        {draw.replace("{n}", "1")}
        {draw.replace("{n}", "2")}
        %u = llvm.call @__moore_urandom() : () -> i32
        %v3 = llvm.call @__moore_randomize_with_range(%low, %high) : (i64, i64) -> i64
        %f3 = sim.fmt.dec %v3 specifierWidth 0 : i64
        sim.proc.print %f3
        llhd.halt
      }}
    }}"""
    first, second, third = run(text).out.split()
    assert first == second
    assert third != first


def test_a_child_that_waits_for_the_same_event_runs_before_its_parent_disables_it() -> None:
    text = f"""{HEAD} llvm.func @__moore_wait_event(i32, !llvm.ptr)
    hw.module @t() {{
      %eps = llhd.constant_time <0ns, 0d, 1e>
      %step = hw.constant 1000000 : i64
      %rise = llvm.mlir.constant(1 : i32) : i32
      %false = hw.constant false
      %true = hw.constant true
      %clk = llhd.sig %false : i1
      %child = sim.fmt.literal "child "
      %parent = sim.fmt.literal "parent"
      llhd.process {{
        %f = sim.fork join_type "join_none" {{
          %p = builtin.unrealized_conversion_cast %clk : !llhd.ref<i1> to !llvm.ptr
          llvm.call @__moore_wait_event(%rise, %p) : (i32, !llvm.ptr) -> ()
          sim.proc.print %child
          llvm.call @__moore_wait_event(%rise, %p) : (i32, !llvm.ptr) -> ()
          sim.proc.print %child
          sim.fork.terminator
        }}
        %p = builtin.unrealized_conversion_cast %clk : !llhd.ref<i1> to !llvm.ptr
        llvm.call @__moore_wait_event(%rise, %p) : (i32, !llvm.ptr) -> ()
        sim.proc.print %parent
        sim.disable_fork
        llhd.halt
      }}
      llhd.process {{
        llvm.call @__moore_delay(%step) : (i64) -> ()
        llhd.drv %clk, %true after %eps : i1
        llvm.call @__moore_delay(%step) : (i64) -> ()
        llhd.drv %clk, %false after %eps : i1
        llvm.call @__moore_delay(%step) : (i64) -> ()
        llhd.drv %clk, %true after %eps : i1
        llhd.halt
      }}
    }}"""
    assert run(text).out == "child parent"


@pytest.mark.parametrize("mode", ["interpret", "compile"])
def test_a_variable_made_behind_a_wait_is_found_in_a_loop_that_waits(mode: str) -> None:
    text = f"""{HEAD} hw.module @t() {{
      %nl = sim.fmt.literal " "
      %one = llvm.mlir.constant(1 : i64) : i64
      %c0 = hw.constant 0 : i32
      %c1 = hw.constant 1 : i32
      %c3 = hw.constant 3 : i32
      llhd.process {{
        %f = sim.fork join_type "join_none" {{
          %x = llvm.call @__moore_process_self() : () -> i64
          sim.fork.terminator
        }}
        %me = llvm.call @__moore_process_self() : () -> i64
        %next = comb.add %me, %one : i64
        llvm.call @__moore_process_await(%next) : (i64) -> ()
        %i = llvm.alloca %one x !llvm.struct<(i32, i32)> : (i64) -> !llvm.ptr
        %n = llvm.getelementptr %i[0, 1] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<(i32, i32)>
        llvm.store %c0, %n : i32, !llvm.ptr
        cf.br ^head
      ^head:
        %a = llvm.load %n : !llvm.ptr -> i32
        %more = comb.icmp slt %a, %c3 : i32
        cf.cond_br %more, ^body, ^end
      ^body:
        %status = llvm.call @__moore_process_status(%me) : (i64) -> i32
        %on = comb.icmp eq %status, %c0 : i32
        cf.cond_br %on, ^kill, ^step
      ^kill:
        llvm.call @__moore_process_suspend(%me) : (i64) -> ()
        cf.br ^step
      ^step:
        %b = llvm.load %n : !llvm.ptr -> i32
        %c = comb.add %b, %c1 : i32
        llvm.store %c, %n : i32, !llvm.ptr
        %fc = sim.fmt.dec %c specifierWidth 0 : i32
        %all = sim.fmt.concat (%fc, %nl)
        sim.proc.print %all
        cf.br ^head
      ^end:
        llhd.halt
      }}
    }}"""
    assert run(text, mode=mode).out == "1 2 3 "
