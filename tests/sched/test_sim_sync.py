"""Semaphores, mailboxes, events, delays and conditions as operations of the sim dialect, in both modes."""

from __future__ import annotations

import pytest
from class_runs import run, show_function

MODES = pytest.mark.parametrize("mode", ["interpret", "compile"])

SHOW = show_function(32)
CONSTANTS = "\n".join(f"%c{n} = hw.constant {n} : i32" for n in range(6)) + "\n" + "\n".join(f"%t{n} = hw.constant {n}000000 : i64" for n in (0, 1, 2, 5))


def printed(body: str, mode: str, more: str = "") -> str:
    return run(f"{SHOW}{more}\nhw.module @top() {{\n{CONSTANTS}\nllhd.process {{\n{body}\nllhd.halt\n}}\nhw.output\n}}", mode=mode).out


def show(v: str) -> str:
    return f"func.call @show({v}) : (i32) -> ()\n"


def fork(*branches: str, join: str = "join") -> str:
    return f'%f = sim.fork join_type "{join}" ' + ", ".join(f"{{\n{b}\nsim.fork.terminator\n}}" for b in branches) + "\n"


@MODES
def test_semaphores_serve_their_waiters_in_order(mode: str) -> None:
    body = "%s = sim.semaphore.create %c1 : i32\n" + fork(
        f"sim.semaphore.get %s\n{show('%c1')}sim.delay %t5 : i64\nsim.semaphore.put %s, %c3 : i32",
        f"sim.delay %t1 : i64\nsim.semaphore.get %s, %c2 : i32\n{show('%c2')}",
        f"sim.delay %t2 : i64\n%no = sim.semaphore.try_get %s -> i1\n%n = comb.concat %z, %no : i31, i1\n{show('%n')}sim.semaphore.get %s, %c1 : i32\n{show('%c3')}",
    )
    assert printed("%z = hw.constant 0 : i31\n" + body, mode) == "1@0 0@2 2@5 3@5 "


@MODES
def test_bounded_mailboxes_block_at_both_ends(mode: str) -> None:
    body = "%m = sim.mailbox.create bound 1 : i64\n" + fork(
        f"sim.mailbox.put %m, %c1 : i32\nsim.mailbox.put %m, %c2 : i32\n{show('%c5')}",
        f"sim.delay %t1 : i64\n%full = sim.mailbox.try_put %m, %c3 : i32 -> i1\n%p = sim.mailbox.peek %m : i32\n{show('%p')}%a = sim.mailbox.get %m : i32\n{show('%a')}"
        f"%ok, %b = sim.mailbox.try_get %m : i1, i32\n{show('%b')}%n = sim.mailbox.num %m : i32\n{show('%n')}"
        f"%x = comb.concat %z, %full : i31, i1\n{show('%x')}%d = sim.mailbox.get %m : i32\n{show('%d')}",
        "sim.delay %t5 : i64\nsim.mailbox.put %m, %c4 : i32",
    )
    assert sorted(printed("%z = hw.constant 0 : i31\n" + body, mode).split()) == sorted("1@1 1@1 2@1 0@1 0@1 5@1 4@5".split())


@MODES
def test_mailboxes_carry_floats(mode: str) -> None:
    body = """
    %m = sim.mailbox.create : i64
    %x = arith.constant 2.5 : f64
    sim.mailbox.put %m, %x : f64
    %y = sim.mailbox.get %m : f64
    %f = sim.fmt.gen %y : f64
    sim.proc.print %f"""
    assert printed(body, mode) == "2.5"


@MODES
def test_an_event_wakes_who_waits_for_it(mode: str) -> None:
    body = "%e = sim.event.create : i64\n" + fork(
        f"sim.event.wait %e\n{show('%c1')}sim.event.wait %e\n{show('%c2')}",
        "sim.delay %t1 : i64\nsim.event.trigger %e\nsim.delay %t2 : i64\nsim.event.trigger %e",
    )
    assert printed(body, mode) == "1@1 2@3 "


@MODES
def test_a_wait_for_a_condition_has_a_time_limit(mode: str) -> None:
    text = f"""{SHOW}
hw.module @top() {{
  {CONSTANTS}
  %eps = llhd.constant_time <0ns, 0d, 1e>
  %three = llhd.constant_time <3ns, 0d, 0e>
  %z = hw.constant 0 : i31
  %s = llhd.sig %c0 : i32
  llhd.process {{
    %v = llhd.prb %s : i32
    %on = comb.icmp eq %v, %c2 : i32
    %late = sim.wait %on timeout 2000000 : i1
    %a = comb.concat %z, %late : i31, i1
    {show("%a")}
    %w = llhd.prb %s : i32
    %done = comb.icmp eq %w, %c2 : i32
    %again = sim.wait %done timeout 9000000 : i1
    %b = comb.concat %z, %again : i31, i1
    {show("%b")}
    llhd.halt
  }}
  llhd.process {{
    llhd.wait delay %three, ^one
  ^one:
    llhd.drv %s, %c1 after %eps : i32
    llhd.wait delay %three, ^two
  ^two:
    llhd.drv %s, %c2 after %eps : i32
    llhd.halt
  }}
  hw.output
}}"""
    assert run(text, mode=mode).out == "1@2 0@6 "


@MODES
def test_a_function_that_waits_suspends_its_caller(mode: str) -> None:
    more = """
func.func private @two(%t: i64, %m: i64) -> i32 {
  sim.delay %t : i64
  %v = sim.mailbox.get %m : i32
  return %v : i32
}"""
    body = "%m = sim.mailbox.create : i64\n" + fork(
        f"%v = func.call @two(%t1, %m) : (i64, i64) -> i32\n{show('%v')}",
        "sim.delay %t2 : i64\nsim.mailbox.put %m, %c4 : i32",
    )
    assert printed(body, mode, more) == "4@2 "
