"""`disable` of named blocks and forks, and processes that end themselves (IEEE 1800 §9.6.2, §9.7), in both modes."""

from __future__ import annotations

import pytest
from class_runs import run

from wasmjit.sem.lower import Unsupported

MODES = pytest.mark.parametrize("mode", ["interpret", "compile"])

HEAD = """
llvm.func @__moore_delay(i64)
llvm.func @__moore_process_self() -> i64
llvm.func @__moore_process_kill(i64)
"""


def say(*words: str) -> str:
    """Literals %w0 ... of the words, with a space each."""
    return "\n".join(f'%w{i} = sim.fmt.literal "{w} "' for i, w in enumerate(words))


def delay(ns: int) -> str:
    return f"llvm.call @__moore_delay(%t{ns}) : (i64) -> ()"


TIMES = "\n".join(f"%t{ns} = hw.constant {ns * 1000000} : i64" for ns in (1, 2, 3, 5))


def design(process: str, words: tuple[str, ...], more: str = "") -> str:
    return f"{HEAD}{more}\nhw.module @top() {{\n{say(*words)}\n{TIMES}\n{process}\nhw.output\n}}"


@MODES
@pytest.mark.parametrize("join", ["join", "join_any", "join_none"])
def test_all_branches_of_a_named_fork_end_with_what_they_started(mode: str, join: str) -> None:
    process = f"""
    llhd.process {{
      %f = sim.fork join_type "{join}" name "f" {{
        {delay(2)}
        sim.disable "f"
        sim.proc.print %w0
        sim.fork.terminator
      }}, {{
        {delay(1)}
        sim.proc.print %w1
        %g = sim.fork join_type "join_none" {{
          {delay(3)}
          sim.proc.print %w0
          sim.fork.terminator
        }}
        {delay(5)}
        sim.proc.print %w0
        sim.fork.terminator
      }}
      sim.proc.print %w2
      {delay(5)}
      sim.proc.print %w3
      llhd.halt
    }}"""
    want = "started over later " if join != "join_none" else "over started later "
    assert run(design(process, ("never", "started", "over", "later")), mode=mode).out == want


@MODES
def test_another_process_disables_the_fork_of_its_own_instance_only(mode: str) -> None:
    more = f"""
    hw.module @sub(in %on: i1, in %tag: i8) {{
      {say("goes on", "over", "on")}
      {TIMES}
      llhd.process {{
        %f = sim.fork name "work" {{
          {delay(5)}
          %c = sim.fmt.char %tag : i8
          %x = sim.fmt.concat (%c, %w0)
          sim.proc.print %x
          sim.fork.terminator
        }}
        %c = sim.fmt.char %tag : i8
        %x = sim.fmt.concat (%c, %w1)
        sim.proc.print %x
        llhd.halt
      }}
      llhd.process {{
        {delay(1)}
        cf.cond_br %on, ^yes, ^no
      ^yes:
        sim.disable "work"
        cf.br ^no
      ^no:
        llhd.halt
      }}
      hw.output
    }}"""
    top = """
      %true = hw.constant true
      %false = hw.constant false
      %a = hw.constant 97 : i8
      %b = hw.constant 98 : i8
      hw.instance "a" @sub(on: %true: i1, tag: %a: i8) -> ()
      hw.instance "b" @sub(on: %false: i1, tag: %b: i8) -> ()"""
    assert run(design(top, ("x",), more), mode=mode).out == "aover bgoes on bover "


@MODES
def test_a_block_is_left_where_it_is_disabled(mode: str) -> None:
    process = f"""
    llhd.process {{
      sim.named_block "outer" {{
        sim.named_block "inner" {{
          sim.proc.print %w0
          {delay(1)}
          sim.disable "outer"
          sim.proc.print %w1
        }}
        sim.proc.print %w1
      }}
      sim.named_block "plain" {{
        sim.proc.print %w2
      }}
      sim.proc.print %w3
      llhd.halt
    }}"""
    assert run(design(process, ("in", "never", "next", "end")), mode=mode).out == "in next end "


@MODES
def test_a_task_that_disables_itself_returns(mode: str) -> None:
    more = f"""
    func.func private @"p::work"(%n: i32) {{
      {say("in", "never")}
      {TIMES}
      sim.proc.print %w0
      {delay(1)}
      sim.disable "work"
      sim.proc.print %w1
      return
    }}"""
    process = """
    llhd.process {
      %n = hw.constant 1 : i32
      func.call @"p::work"(%n) : (i32) -> ()
      sim.proc.print %w0
      llhd.halt
    }"""
    assert run(design(process, ("back",), more), mode=mode).out == "in back "


def test_a_name_that_is_not_in_the_design_is_an_error() -> None:
    with pytest.raises(Unsupported, match='nothing that can be disabled is called "lost"'):
        run(design('llhd.process {\nsim.disable "lost"\nllhd.halt\n}', ("x",)))


def test_a_name_that_two_forks_have_is_an_error() -> None:
    fork = '%f{n} = sim.fork join_type "join_none" name "f" {{\nsim.fork.terminator\n}}\n'
    text = "llhd.process {\n" + fork.format(n=1) + fork.format(n=2) + 'sim.disable "f"\nllhd.halt\n}'
    with pytest.raises(Unsupported, match='2 forks are called "f"'):
        run(design(text, ("x",)))


@MODES
def test_a_process_that_kills_itself_goes_no_further(mode: str) -> None:
    more = f"""
    func.func private @quit() {{
      {say("never")}
      %me = llvm.call @__moore_process_self() : () -> i64
      llvm.call @__moore_process_kill(%me) : (i64) -> ()
      sim.proc.print %w0
      return
    }}
    func.func private @outer() {{
      {say("before", "never")}
      sim.proc.print %w0
      func.call @quit() : () -> ()
      sim.proc.print %w1
      return
    }}"""
    process = f"""
    llhd.process {{
      %f = sim.fork {{
        func.call @outer() : () -> ()
        sim.proc.print %w0
        sim.fork.terminator
      }}, {{
        {delay(1)}
        sim.proc.print %w1
        sim.fork.terminator
      }}
      sim.proc.print %w2
      %me = llvm.call @__moore_process_self() : () -> i64
      llvm.call @__moore_process_kill(%me) : (i64) -> ()
      sim.proc.print %w0
      llhd.halt
    }}"""
    assert run(design(process, ("never", "other", "joined"), more), mode=mode).out == "before other joined "
