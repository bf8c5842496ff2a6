"""Waveforms of designs with source beside them against those of an independent simulator."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wasmjit.waves.compare import Window, compare
from wasmjit.waves.read import open_wave

DUMP = '`timescale 1ns/1ps\nmodule dumper; initial begin $dumpfile("a.vcd"); $dumpvars; end endmodule\n'


def run(*argv: str, cwd: Path) -> None:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{argv[0]}: {done.stderr[-2000:]}"


@pytest.mark.parametrize("mode", ["interpret", "compile"])
@pytest.mark.parametrize(("design", "argument"), [("lfsr", "+cycles=300"), ("rv32", "+iters=20")])
def test_same_changes_at_the_same_times(design: str, argument: str, mode: str, shared: Path, tmp_path: Path) -> None:
    """Everything both files name, bit by bit. Icarus does not write the changes of the time step in which `$finish` runs, so that one may differ."""
    source = shared / "bench" / f"{design}.sv"
    (tmp_path / "dump.sv").write_text(DUMP)
    run("iverilog", "-g2012", "-s", "tb", "-s", "dumper", "-o", "a.vvp", "dump.sv", str(source), cwd=tmp_path)
    run("vvp", "a.vvp", argument, cwd=tmp_path)
    run(sys.executable, "-m", "wasmjit", "run", str(source.with_suffix(".mlir")), f"--mode={mode}", "--vcd=b.vcd", "--trace-all", argument, cwd=tmp_path)
    a, b = open_wave(tmp_path / "a.vcd"), open_wave(tmp_path / "b.vcd")
    names = {f"tb.cells_{i}.c": f"tb.cells[{i}].c" for i in range(32)}
    rows = compare(a, b, name_map=names, ignore_initial=True, window=Window(0, b.end_fs - 1))
    missing = {r.signal for r in rows if r.kind == "missing_in_b"}
    assert len({s.name for s in a.signals} - missing) >= 15
    assert sum(len(b.times[s.index]) for s in b.signals) > 2000
    assert [r for r in rows if not r.kind.startswith("missing")] == []
