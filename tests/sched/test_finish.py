"""$finish in functions: the process that called it goes no further, others of the slot run (as in Icarus Verilog), final procedures run whole."""

from __future__ import annotations

import pytest
from class_runs import run

MODES = pytest.mark.parametrize("mode", ["interpret", "compile"])


def say(*words: str) -> str:
    return "\n".join(f'%w{i} = sim.fmt.literal "{w} "' for i, w in enumerate(words))


FUNCTIONS = f"""
llvm.func @__moore_delay(i64)
func.func private @check(%bad: i1) -> i32 {{
  {say("in", "never")}
  %c1 = hw.constant 1 : i32
  cf.cond_br %bad, ^stop, ^go
^stop:
  sim.proc.print %w0
  sim.terminate success, quiet
  sim.proc.print %w1
  cf.br ^go
^go:
  return %c1 : i32
}}
func.func private @outer(%bad: i1) {{
  {say("never")}
  %x = func.call @check(%bad) : (i1) -> i32
  cf.cond_br %bad, ^say, ^end
^say:
  sim.proc.print %w0
  cf.br ^end
^end:
  return
}}
func.func private @task(%bad: i1) {{
  {say("never")}
  %t = hw.constant 1000000 : i64
  llvm.call @__moore_delay(%t) : (i64) -> ()
  func.call @outer(%bad) : (i1) -> ()
  sim.proc.print %w0
  return
}}
"""


def design(call: str) -> str:
    return f"""{FUNCTIONS}
hw.module @top() {{
  {say("never", "other", "final")}
  %true = hw.constant true
  %false = hw.constant false
  %t = llhd.constant_time <1ns, 0d, 0e>
  llhd.process {{
    llhd.wait delay %t, ^now
  ^now:
    func.call @{call}(%true) : (i1) -> {"i32" if call == "check" else "()"}
    sim.proc.print %w0
    llhd.halt
  }}
  llhd.process {{
    llhd.wait delay %t, ^now
  ^now:
    llhd.wait delay %t, ^later
  ^later:
    func.call @outer(%false) : (i1) -> ()
    sim.proc.print %w1
    llhd.halt
  }}
  llhd.final {{
    func.call @outer(%false) : (i1) -> ()
    sim.proc.print %w2
    llhd.halt
  }}
  hw.output
}}"""


@MODES
@pytest.mark.parametrize(("call", "want"), [("outer", "in final "), ("check", "in final "), ("task", "in other final ")])
def test_nothing_follows_finish_in_the_calling_process(mode: str, call: str, want: str) -> None:
    text = design(call).replace("func.call @check(%true)", "%r = func.call @check(%true)")
    assert run(text, mode=mode).out == want


@MODES
@pytest.mark.parametrize(("op", "code"), [("sim.finish", 0), ("sim.exit", 0), ("sim.fatal", 1)])
def test_clocked_ends_of_older_designs(mode: str, op: str, code: int) -> None:
    text = f"""
hw.module @top() {{
  {say("tick")}
  %false = hw.constant false
  %true = hw.constant true
  %t = llhd.constant_time <1ns, 0d, 0e>
  %eps = llhd.constant_time <0ns, 0d, 1e>
  %clk = llhd.sig %false : i1
  %n = llhd.sig %false : i1
  %on = llhd.prb %n : i1
  %c = llhd.prb %clk : i1
  %clock = seq.to_clock %c
  sim.print %w0 on %clock if %true
  {op} on %clock if %on
  llhd.process {{
    cf.br ^loop
  ^loop:
    llhd.wait delay %t, ^up
  ^up:
    llhd.drv %clk, %true after %eps : i1
    llhd.wait delay %t, ^down
  ^down:
    llhd.drv %clk, %false after %eps : i1
    llhd.drv %n, %true after %eps : i1
    cf.br ^loop
  }}
  hw.output
}}"""
    ran = run(text, mode=mode, max_time=100_000_000)
    assert ran.out == "tick tick " and ran.outcome.exit_code == code


VIRTUAL = f"""
llvm.mlir.global internal @"C::__vtable__"() {{addr_space = 0 : i32, circt.vtable_entries = [[0, @quiet], [1, @loud]]}} : !llvm.array<2 x ptr> {{
  %0 = llvm.mlir.undef : !llvm.array<2 x ptr>
  llvm.return %0 : !llvm.array<2 x ptr>
}}
func.func private @quiet(%self: !llvm.ptr) {{
  return
}}
func.func private @loud(%self: !llvm.ptr) {{
  {say("never")}
  sim.terminate success, quiet
  sim.proc.print %w0
  return
}}
func.func private @through(%slot: i64, %table: !llvm.ptr) {{
  {say("never", "quiet")}
  %c0 = hw.constant 0 : i64
  %at = llvm.getelementptr %table[%slot] : (!llvm.ptr, i64) -> !llvm.ptr, !llvm.ptr
  %p = llvm.load %at : !llvm.ptr -> !llvm.ptr
  %f = builtin.unrealized_conversion_cast %p : !llvm.ptr to (!llvm.ptr) -> ()
  %null = llvm.mlir.zero : !llvm.ptr
  func.call_indirect %f(%null) : (!llvm.ptr) -> ()
  %loud = comb.icmp ne %slot, %c0 : i64
  cf.cond_br %loud, ^a, ^b
^a:
  sim.proc.print %w0
  return
^b:
  sim.proc.print %w1
  return
}}
hw.module @top() {{
  {say("never", "other")}
  %c0 = hw.constant 0 : i64
  %c1 = hw.constant 1 : i64
  %t = llhd.constant_time <1ns, 0d, 0e>
  %table = llvm.mlir.addressof @"C::__vtable__" : !llvm.ptr
  llhd.process {{
    func.call @through(%c0, %table) : (i64, !llvm.ptr) -> ()
    llhd.wait delay %t, ^now
  ^now:
    func.call @through(%c1, %table) : (i64, !llvm.ptr) -> ()
    sim.proc.print %w0
    llhd.halt
  }}
  llhd.process {{
    llhd.wait delay %t, ^now
  ^now:
    sim.proc.print %w1
    llhd.halt
  }}
  hw.output
}}"""


@MODES
def test_finish_behind_a_call_through_a_pointer_ends_the_process(mode: str) -> None:
    assert run(VIRTUAL, mode=mode).out.split() == ["quiet", "other"]
