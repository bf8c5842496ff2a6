"""Designs that can be read but make no sense end with a diagnostic that says where, in both modes."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasmjit.cli import main

PROCESS = """
module {{
  llvm.func @malloc(i64) -> !llvm.ptr
  {outside}
  hw.module @top() {{
    %c8 = llvm.mlir.constant(8 : i64) : i64
    llhd.process {{
      {body}
      llhd.halt
    }}
    hw.output
  }}
}}
"""
CASES = {
    "a field that a struct does not have": (
        "%p = llvm.call @malloc(%c8) : (i64) -> !llvm.ptr\n%q = llvm.getelementptr %p[0, 7] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<(i32, i32)>",
        "has no field 7",
    ),
    "indices that do not fit together": (
        "%p = llvm.call @malloc(%c8) : (i64) -> !llvm.ptr\n"
        '%q = "llvm.getelementptr"(%p) <{elem_type = i32, rawConstantIndices = array<i32: -2147483648>}> : (!llvm.ptr) -> !llvm.ptr',
        "do not fit together",
    ),
    "a bitcast that changes the size": ("%f = arith.constant 1.0 : f64\n%i = llvm.bitcast %f : f64 to i65\n%t = sim.fmt.dec %i : i65\nsim.proc.print %t", "bitcast between 64 and 65 bits"),
    "arithmetic on integers of width 0": ("%z = hw.constant 0 : i0\n%s = arith.addi %z, %z : i0\n%t = sim.fmt.dec %s : i0\nsim.proc.print %t", "type i0"),
    "a position outside of a struct": (
        "%u = llvm.mlir.undef : !llvm.struct<(i32, i32)>\n%v = llvm.extractvalue %u[3] : !llvm.struct<(i32, i32)>\n%t = sim.fmt.dec %v : i32\nsim.proc.print %t",
        "3",
    ),
}


@pytest.mark.parametrize("mode", ["interpret", "compile"])
@pytest.mark.parametrize("case", CASES)
def test_a_design_without_meaning_is_refused(case: str, mode: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    body, message = CASES[case]
    path = tmp_path / "design.mlir"
    path.write_text(PROCESS.format(outside="", body=body))
    status = main(["run", str(path), f"--mode={mode}", "-q"])
    err = capfd.readouterr().err
    assert status in (1, 2), err
    assert message in err
    assert "design.mlir:" in err


@pytest.mark.parametrize("mode", ["interpret", "compile"])
def test_blocks_that_nobody_reaches_are_left_alone(mode: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "design.mlir"
    path.write_text(PROCESS.format(outside="", body="llhd.halt\n^bb1:\nllhd.wait ^bb1\n^bb2:"))
    assert main(["run", str(path), f"--mode={mode}", "-q"]) == 0, capfd.readouterr().err


@pytest.mark.parametrize("mode", ["interpret", "compile"])
def test_a_sampled_value_that_depends_on_itself_is_no_constant(mode: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "design.mlir"
    text = """hw.module @top() {
      %true = hw.constant true
      %clk = llhd.sig %true : i1
      %c = llhd.prb %clk : i1
      %x = comb.xor %true, %x : i1
      verif.clocked_assert %x, posedge %c : i1
      hw.output
    }"""
    path.write_text(text)
    status = main(["run", str(path), f"--mode={mode}", "-q", "--max-deltas=100"])
    err = capfd.readouterr().err
    assert (status, "loop" in err or "design.mlir:5" in err) in ((2, True), (3, True)), err


@pytest.mark.parametrize("mode", ["interpret", "compile"])
def test_a_design_larger_than_memory_is_refused(mode: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    many = "\n".join(f"  llvm.mlir.global internal @g{i}(#llvm.zero) {{addr_space = 0 : i32}} : !llvm.array<1000000000 x i8>" for i in range(5))
    path = tmp_path / "design.mlir"
    path.write_text(PROCESS.format(outside=many, body="\n".join(f"%a{i} = llvm.mlir.addressof @g{i} : !llvm.ptr\n%v{i} = llvm.load %a{i} : !llvm.ptr -> i8" for i in range(5))))
    assert main(["run", str(path), f"--mode={mode}", "-q"]) == 3
    assert "more than 32-bit addresses reach" in capfd.readouterr().err


@pytest.mark.parametrize("mode", ["interpret", "compile"])
def test_integers_of_width_0_are_printed_as_0(mode: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "design.mlir"
    path.write_text(PROCESS.format(outside="", body="%z = hw.constant 0 : i0\n%s = llhd.sig %z : i0\n%t = sim.fmt.dec %z : i0\nsim.proc.print %t"))
    assert main(["run", str(path), f"--mode={mode}", "-q"]) == 0
    assert capfd.readouterr().out == "0"
