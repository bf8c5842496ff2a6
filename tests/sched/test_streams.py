"""Output streams of the sim dialect, and strings in continuous logic."""

from __future__ import annotations

from pathlib import Path

import pytest
from class_runs import run

DESIGN = """
hw.module @top() {{
  %ns = llhd.constant_time <1ns, 0d, 0e>
  %eps = llhd.constant_time <0ns, 0d, 1e>
  %o = sim.stdout_stream
  %e = sim.stderr_stream
  %ab = sim.string.literal "ab"
  %str = llhd.sig %ab : !sim.dstring
  %now = llhd.prb %str : !sim.dstring
  %length = sim.string.length %now
  %fl = sim.fmt.dec %length specifierWidth 0 : i64
  %one = sim.fmt.literal "one "
  %two = sim.fmt.literal "two "
  %first = sim.fmt.literal "{folder}/first.txt"
  %second = sim.string.literal "{folder}/second.txt"
  llhd.process {{
    sim.proc.print %one to %o
    sim.proc.print %two to %e
    %f = sim.get_file %first
    sim.proc.print %one to %f
    sim.flush %f
    %a = sim.sv.fopen %second mode = w
    %ch = sim.sv.channel_to_output_stream %a
    sim.proc.print %two to %ch
    sim.sv.fclose %a
    %b = sim.sv.fopen %second mode = a
    %bs = sim.sv.channel_to_output_stream %b
    sim.proc.print %one to %bs
    sim.sv.fflush_all
    %longer = sim.string.literal "abcde"
    llhd.drv %str, %longer after %eps : !sim.dstring
    llhd.wait delay %ns, ^bb1
  ^bb1:
    sim.proc.print %fl
    llhd.halt
  }}
  hw.output
}}
"""


@pytest.mark.parametrize("mode", ["interpret", "compile"])
def test_prints_go_to_their_streams_and_strings_follow_signals(mode: str, tmp_path: Path) -> None:
    ran = run(DESIGN.format(folder=tmp_path), mode=mode, allow_write=[str(tmp_path)])
    assert ran.out == "one 5"
    assert (tmp_path / "first.txt").read_text() == "one "
    assert (tmp_path / "second.txt").read_text() == "two one "
