"""Which continuous drives are resolved with others, and which say nothing new."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.elab.designs import waves
from wasmjit.elab.definition import Definition
from wasmjit.ir import parse_text
from wasmjit.sched.options import RunOptions
from wasmjit.sched.simulation import Simulation

PAIR = "!hw.struct<value: i8, unknown: i8>"


def design(drives: str) -> str:
    """A module whose port is the wire `s` by `drives`, under a test bench that counts its input up and prints what comes out."""
    return f"""
hw.module private @dut(in %a : {PAIR}, in %b : {PAIR}, out y : {PAIR}) {{
  %x = hw.aggregate_constant [0 : i8, -1 : i8] : {PAIR}
  %now = llhd.constant_time <0ns, 0d, 0e>
  %soon = llhd.constant_time <0ns, 0d, 1e>
  %later = llhd.constant_time <1ns, 0d, 0e>
  %s = llhd.sig %x : {PAIR}
  {drives}
  %y = llhd.prb %s : {PAIR}
  hw.output %y : {PAIR}
}}
hw.module @tb() {{
  %soon = llhd.constant_time <0ns, 0d, 1e>
  %tick = llhd.constant_time <1ns, 0d, 0e>
  %c0 = hw.constant 0 : i8
  %c1 = hw.constant 1 : i8
  %limit = hw.constant 5 : i8
  %n = llhd.sig %c0 : i8
  %v = llhd.prb %n : i8
  %other = comb.xor %v, %c1 : i8
  %a = hw.struct_create (%v, %c0) : {PAIR}
  %b = hw.struct_create (%other, %c0) : {PAIR}
  %y = hw.instance "dut" @dut(a: %a: {PAIR}, b: %b: {PAIR}) -> (y: {PAIR})
  llhd.process {{
    cf.br ^turn
  ^turn:
    llhd.wait delay %tick, ^step
  ^step:
    %was = llhd.prb %n : i8
    %next = comb.add %was, %c1 : i8
    llhd.drv %n, %next after %soon : i8
    %more = comb.icmp ult %next, %limit : i8
    cf.cond_br %more, ^turn, ^end
  ^end:
    llhd.halt
  }}
  hw.output
}}"""


def dut(drives: str) -> Definition:
    sim = Simulation(parse_text(design(drives), "t.mlir"), RunOptions(mode="interpret"), stdout=lambda data: None, stderr=lambda line: None)
    return sim.definition("dut")


ONCE = f"llhd.drv %s, %a after %soon : {PAIR}"
AGAIN = f"llhd.drv %s, %a after %now : {PAIR}"
OTHER = f"llhd.drv %s, %b after %now : {PAIR}"


def test_a_drive_said_twice_is_one_drive() -> None:
    d = dut(ONCE + "\n  " + AGAIN)
    assert not d.resolved and not d.sinks and d.aliases


@pytest.mark.parametrize("other", [OTHER, f"llhd.drv %s, %a after %later : {PAIR}", AGAIN.replace(" : ", ' {strength0 = "pull", strength1 = "pull"} : ', 1)])
def test_a_drive_of_another_value_time_or_strength_counts(other: str) -> None:
    assert len(dut(ONCE + "\n  " + other).sinks) == 2


def test_a_repeat_changes_no_waveform(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for rest in ("", OTHER):
        expected = waves(tmp_path, design(ONCE + "\n  " + rest), "interpret", capfd)
        for mode in ("interpret", "compile"):
            assert waves(tmp_path, design("\n  ".join((ONCE, AGAIN, rest, AGAIN))), mode, capfd) == expected
