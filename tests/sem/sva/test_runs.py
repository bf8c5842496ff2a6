"""Assertions in whole runs: sampling, clocks, disabling, coverage, ends of runs, against traces worked out by hand from IEEE 1800-2023 §16."""

from __future__ import annotations

import pytest

from wasmjit.ir import parse_text
from wasmjit.sched.options import RunOptions
from wasmjit.sched.simulation import Simulation

NS = 1_000_000

HEADER = """
hw.module @top() {
  %zero = llhd.constant_time <0ns, 0d, 1e>
  %half = llhd.constant_time <5ns, 0d, 0e>
  %true = hw.constant true
  %false = hw.constant false
  %clk_s = llhd.sig %false : i1
  llhd.process {
    cf.br ^bb1
  ^bb1:
    llhd.wait delay %half, ^bb2
  ^bb2:
    %v = llhd.prb %clk_s : i1
    %n = comb.xor %v, %true : i1
    llhd.drv %clk_s, %n after %zero : i1
    cf.br ^bb1
  }
  %clk = llhd.prb %clk_s : i1
"""


def stimulus(name: str, values: str, offset: str = "0ns", step: str = "10ns", final: str = "") -> str:
    """A signal with one value per step from time 5 ns + offset on; each is assigned with a blocking assignment."""
    lines = [
        f"  %{name}_s = llhd.sig %false : i1",
        "  llhd.process {",
        f"    %first = llhd.constant_time <{offset}, 0d, 0e>",
        f"    %step = llhd.constant_time <{step}, 0d, 0e>",
    ]
    lines += ["    llhd.wait delay %half, ^a", "  ^a:", "    llhd.wait delay %first, ^b0"]
    for i, bit in enumerate(values):
        lines += [
            f"  ^b{i}:",
            f"    llhd.drv %{name}_s, %{'true' if bit == '1' else 'false'} after %zero : i1",
            f"    llhd.wait delay %step, ^b{i + 1}",
        ]
    lines += [f"  ^b{len(values)}:", *([f"    {final}"] if final else []), "    llhd.halt", "  }", f"  %{name} = llhd.prb %{name}_s : i1"]
    return "\n".join(lines)


def run(body: str, until: int = 100 * NS, verbose: int = 0, mode: str = "interpret") -> tuple[Simulation, list[str]]:
    lines: list[str] = []
    sim = Simulation(
        parse_text(HEADER + body + "\n  hw.output\n}\n"),
        RunOptions(mode=mode, tops=["top"], max_time=until, verbose=verbose),
        stdout=lambda _: None,
        stderr=lines.append,
    )
    sim.run()
    return sim, lines


def failures(lines: list[str]) -> list[int]:
    """Times (ns) of the reported failures."""
    return [int(line.split("failed at time ")[1].split()[0]) // NS for line in lines if "failed at time" in line]


def test_an_operand_changed_in_the_time_step_of_the_edge_has_its_old_value() -> None:
    # a becomes 1 with the edge at 15 ns and 0 with the one at 25 ns: the tick at 25 ns samples 1
    _, lines = run(stimulus("a", "010000") + "\n  verif.clocked_assert %na, posedge %clk : i1\n  %na = comb.xor %a, %true : i1", 60 * NS)
    assert failures(lines) == [25]


def test_a_remembered_sample_is_the_one_of_the_tick_before() -> None:
    body = (
        stimulus("a", "011010000")
        + """
  %clock = seq.to_clock %clk
  %init = seq.initial() {
    %x = hw.constant false
    seq.yield %x : i1
  } : () -> !seq.immutable<i1>
  %past = seq.compreg %a, %clock initial %init {circt.sva.sampled_past} : i1
  %np = comb.xor %past, %true : i1
  %rose = comb.and %a, %np : i1
  %no = comb.xor %rose, %true : i1
  verif.clocked_assert %no, posedge %clk label "rose" : i1"""
    )
    _, lines = run(body)
    assert failures(lines) == [25, 55]
    assert all("rose in top" in line for line in lines if "failed at" in line)


def test_disable_iff_kills_pending_attempts_at_any_moment() -> None:
    def verdict(pulse: int) -> list[int]:
        body = (
            stimulus("a", "0100010000")
            + "\n"
            + stimulus("r", "0" * pulse + "1" + "0" * (34 - pulse), "1ns", "2ns")
            + """
  %on = comb.xor %r, %true : i1
  %next = ltl.delay %false, 1, 0 : i1
  %p = ltl.implication %a, %next : i1, !ltl.sequence
  verif.clocked_assert %p if %on, posedge %clk : !ltl.property"""
        )
        return failures(run(body)[1])

    # attempts that are not vacuous begin at 25 ns and 65 ns; the pulses are at 14..16 ns, 24..26 ns and 30..32 ns
    assert verdict(4) == [35, 75]
    assert verdict(9) == [75]
    assert verdict(12) == [75]


def test_disable_iff_sees_a_reset_that_comes_with_the_clock_edge() -> None:
    body = (
        stimulus("r", "0110000")
        + """
  %on = comb.xor %r, %true : i1
  verif.clocked_assert %false if %on, posedge %clk : i1"""
    )
    assert failures(run(body, 60 * NS)[1]) == [5, 35, 45, 55]


def test_attempts_that_overlap_are_checked_each() -> None:
    # a at ticks 15, 25, 35; b at tick 45 only: a |-> ##[1:2] b holds for the attempts of 25 and 35, fails for that of 15 at 35
    body = (
        stimulus("a", "1110000000")
        + "\n"
        + stimulus("b", "0001000000")
        + """
  %w = ltl.delay %b, 1, 1 : i1
  %p = ltl.implication %a, %w : i1, !ltl.sequence
  verif.clocked_assert %p, posedge %clk : !ltl.property"""
    )
    sim, lines = run(body, verbose=1)
    assert failures(lines) == [35]
    assert sim.outcome.exit_code == 1
    summary = next(line for line in lines if "attempts," in line)
    assert "10 attempts, 2 passed, 7 vacuous, 1 failed" in summary


def test_covers_count_nonvacuous_matches() -> None:
    body = (
        stimulus("a", "0101100000")
        + "\n"
        + stimulus("b", "0011010000")
        + """
  %n = ltl.delay %b, 1, 0 : i1
  %p = ltl.implication %a, %n : i1, !ltl.sequence
  verif.clocked_cover %p, posedge %clk label "ab" : !ltl.property"""
    )
    sim, lines = run(body)
    assert sim.outcome.covers == {"ab": 2}
    assert sim.outcome.exit_code == 0 and not failures(lines)


@pytest.mark.parametrize(("op", "times"), [("ltl.eventually %a", [60]), ("ltl.eventually %a {ltl.weak}", [])])
def test_a_strong_operator_that_is_not_satisfied_fails_at_the_end(op: str, times: list[int]) -> None:
    sim, lines = run(stimulus("a", "0000") + f"\n  %p = {op} : i1\n  verif.clocked_assert %p, posedge %clk : !ltl.property", 60 * NS)
    assert sorted(set(failures(lines))) == times
    assert sim.outcome.exit_code == len(times)


def test_assertions_of_the_last_time_step_are_evaluated() -> None:
    _, lines = run(
        stimulus("a", "01", final="sim.terminate success, quiet")
        + "\n  %na = comb.xor %a, %true : i1\n  verif.clocked_assert %na, posedge %clk : i1"
    )
    assert failures(lines) == [25]


def test_a_condition_without_a_clock_is_checked_when_it_has_settled() -> None:
    # b follows a through a process, in a later epsilon of the same time step: only the settled difference counts
    body = (
        stimulus("a", "0110")
        + "\n"
        + stimulus("c", "00001", "3ns", "4ns")
        + """
  %b_s = llhd.sig %false : i1
  llhd.process {
    cf.br ^bb1
  ^bb1:
    %x = llhd.prb %a_s : i1
    %y = llhd.prb %c_s : i1
    %z = comb.or %x, %y : i1
    llhd.drv %b_s, %z after %zero : i1
    llhd.wait (%a, %c : i1, i1), ^bb1
  }
  %b = llhd.prb %b_s : i1
  %same = comb.icmp eq %a, %b : i1
  verif.assert %same label "same" : i1"""
    )
    sim, lines = run(body)
    assert failures(lines) == [35]
    assert sim.outcome.exit_code == 1


def test_a_sequence_goes_from_one_clock_to_another() -> None:
    # a at the tick of clk at 15 ns, then b at the next tick of k, strictly later (§16.13.1)
    def verdict(b: str) -> list[int]:
        body = (
            stimulus("a", "1000000000")
            + "\n"
            + stimulus("b", b, "2ns")
            + "\n"
            + stimulus("k", "0001000100010001000100010001", "0ns", "2ns")
            + """
  %bk = ltl.clock %b, posedge %k : i1
  %s = ltl.delay %bk, 0, 0 : !ltl.sequence
  %ac = ltl.delay %a, 0, 0 : i1
  %q = ltl.concat %ac, %true : !ltl.sequence, i1
  %c = ltl.concat %ac, %s : !ltl.sequence, !ltl.sequence
  %p = ltl.implication %a, %c : i1, !ltl.sequence
  verif.clocked_assert %p, posedge %clk : !ltl.property"""
        )
        _, lines = run(body, 60 * NS)
        return failures(lines)

    # k rises at 11, 19, 27, ...: b is sampled at 19 ns
    assert verdict("0100000") == []
    assert verdict("0000000") == [19]


@pytest.mark.parametrize(
    "consequent",
    [
        "%bk = ltl.clock %b, posedge %k : i1\n  %d = ltl.delay %bk, 1, 0 : !ltl.sequence\n  %p = ltl.implication %a, %d : i1, !ltl.sequence",
        "%nb = comb.xor %b, %true : i1\n  %nn = ltl.not %nb : i1\n  %bk = ltl.clock %nn, posedge %k : !ltl.property\n"
        "  %before = ltl.past %a, 1 : i1\n  %p = ltl.implication %before, %bk : !ltl.sequence, !ltl.property",
    ],
)
def test_an_implication_goes_to_the_next_tick_of_another_clock(consequent: str) -> None:
    def verdict(b: str) -> list[int]:
        body = [stimulus("a", "1000000000"), stimulus("b", b, "2ns"), stimulus("k", "0001000100010001000100010001", "0ns", "2ns"), f"  {consequent}"]
        return failures(run("\n".join([*body, "  verif.clocked_assert %p, posedge %clk : !ltl.property"]), 60 * NS)[1])

    # a holds at the tick of clk at 15 ns; k rises at 11, 19, 27 ... ns; b changes at 7, 17, 27 ... ns
    assert verdict("0100000") == []
    assert verdict("0010000") == [19]


def test_triggered_sees_ends_of_matches_that_began_at_any_tick() -> None:
    body = (
        stimulus("a", "0100110000")
        + "\n"
        + stimulus("b", "0010001000")
        + """
  %db = ltl.delay %b, 0, 0 : i1
  %s = ltl.concat %a, %db : i1, !ltl.sequence
  %t = ltl.triggered %s : !ltl.sequence -> i1
  %n = comb.xor %t, %true : i1
  verif.clocked_assert %n, posedge %clk : i1"""
    )
    _, lines = run(body)
    assert failures(lines) == [35, 75]


def test_within_has_its_source_meaning() -> None:
    def verdict(inner: str) -> list[int]:
        body = (
            stimulus("g", "1000000")
            + "\n"
            + stimulus("a", inner)
            + """
  %w = ltl.delay %true, 3, 0 : i1
  %rep = ltl.repeat %true, 0 : i1
  %before = ltl.delay %rep, 1, 0 : !ltl.sequence
  %middle = ltl.delay %a, 1, 0 : i1
  %c = ltl.concat %before, %middle, %true : !ltl.sequence, !ltl.sequence, i1
  %x = ltl.intersect %c, %w : !ltl.sequence, !ltl.sequence
  %p = ltl.implication %g, %x : i1, !ltl.sequence
  verif.clocked_assert %p, posedge %clk : !ltl.property"""
        )
        _, lines = run(body, 70 * NS)
        return failures(lines)

    assert verdict("0001000") == []
    assert verdict("0000100") == [45]
    assert verdict("1000000") == []


def test_more_conditions_than_a_letter_holds_are_refused() -> None:
    from wasmjit.sem.lower.core import Unsupported

    names = [f"x{i}" for i in range(65)]
    body = "\n".join(f"  %{n}_s = llhd.sig %false : i1\n  %{n} = llhd.prb %{n}_s : i1" for n in names)
    body += f"\n  %p = ltl.or {', '.join('%' + n for n in names)} : {', '.join(['i1'] * 65)}\n  %d = ltl.delay %p, 1, 0 : !ltl.sequence\n  verif.clocked_assert %d, posedge %clk : !ltl.sequence"
    with pytest.raises(Unsupported, match="more than 64"):
        run(body)


def test_both_tiers_agree() -> None:
    body = (
        stimulus("a", "0110101101")
        + "\n"
        + stimulus("b", "0011010110")
        + """
  %w = ltl.delay %b, 1, 2 : i1
  %r = ltl.repeat %a, 1, 1 : i1
  %c = ltl.concat %r, %w : !ltl.sequence, !ltl.sequence
  %f = ltl.first_match %c : !ltl.sequence
  %g = ltl.goto_repeat %b, 1, 0 : i1
  %p = ltl.implication %f, %g : !ltl.sequence, !ltl.sequence
  %u = ltl.until %p, %b : !ltl.property, i1
  verif.clocked_assert %u, posedge %clk : !ltl.property"""
    )
    results = [run(body, verbose=1, mode=m)[1] for m in ("interpret", "compile")]
    pick = [[line for line in lines if "failed at" in line or "attempts," in line] for lines in results]
    assert pick[0] == pick[1] and pick[0]


def test_a_default_disable_iff_kills_pending_attempts_at_any_moment() -> None:
    def verdict(pulse: int) -> list[int]:
        body = (
            stimulus("a", "0100010000")
            + "\n"
            + stimulus("r", "0" * pulse + "1" + "0" * (34 - pulse), "1ns", "2ns")
            + """
  %next = ltl.delay %false, 1, 0 : i1
  %p = ltl.implication %a, %next : i1, !ltl.sequence
  %d = ltl.or %r, %p {sva.disable_iff} : i1, !ltl.property
  verif.clocked_assert %d, posedge %clk : !ltl.property"""
        )
        return failures(run(body)[1])

    assert verdict(4) == [35, 75]
    assert verdict(9) == [75]
    assert verdict(12) == [75]
