"""verif.has_been_reset, in both modes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sched"))
from class_runs import run  # noqa: E402


def design(steps: str) -> str:
    """Each step assigns the clock and the reset, then prints the result: `c` and `r` mean 1."""
    lines = [
        f"""    llhd.drv %clk_s, {"%true" if "c" in s else "%false"} after %eps : i1
    llhd.drv %rst_s, {"%true" if "r" in s else "%false"} after %eps : i1
    llhd.wait delay %ns, ^b{i}
  ^b{i}:
    sim.proc.print %line"""
        for i, s in enumerate(steps.split(","))
    ]
    return "\n".join(
        [
            """hw.module @top() {
  %true = hw.constant true
  %false = hw.constant false
  %ns = llhd.constant_time <1ns, 0d, 0e>
  %eps = llhd.constant_time <0ns, 0d, 1e>
  %clk_s = llhd.sig %false : i1
  %rst_s = llhd.sig %false : i1
  %clk = llhd.prb %clk_s : i1
  %rst = llhd.prb %rst_s : i1
  %sync = verif.has_been_reset %clk, sync %rst
  %async = verif.has_been_reset %clk, async %rst
  %f1 = sim.fmt.bin %sync : i1
  %f2 = sim.fmt.bin %async : i1
  %sp = sim.fmt.literal " "
  %line = sim.fmt.concat (%f1, %f2, %sp)
  llhd.process {""",
            *lines,
            "    llhd.halt\n  }\n  hw.output\n}",
        ]
    )


@pytest.mark.parametrize("mode", ["interpret", "compile"])
@pytest.mark.parametrize(
    ("steps", "want"),
    [
        ("-,c,-,c", "00 00 00 00"),  # never reset
        ("-,c,r,rc,r,-,c", "00 00 00 00 00 11 11"),  # a reset with an edge in it
        ("-,c,-,r,-,c", "00 00 00 00 01 01"),  # a pulse between edges is only asynchronous
        ("r,rc,r,-,r,-", "00 00 00 11 00 11"),  # 0 again during another reset
    ],
)
def test_it_is_1_after_a_reset_and_0_before_and_during(steps: str, want: str, mode: str) -> None:
    assert run(design(steps), mode=mode).out.strip() == want
