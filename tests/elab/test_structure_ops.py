"""Structure that elaboration resolves or leaves out: choices of instances, debug information, unpacked arrays, type scopes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sched"))
from class_runs import run  # noqa: E402

from wasmjit.ir import parse_text  # noqa: E402
from wasmjit.ir.verify import verify  # noqa: E402

MODES = pytest.mark.parametrize("mode", ["interpret", "compile"])

DESIGN = """
module {
  hw.type_scope @types {
    hw.typedecl @word : i8
  }
  hw.hierpath @path [@top::@plain]
  hw.module private @next(in %a: i8, out y: i8) {
    %c1 = hw.constant 1 : i8
    %r = comb.add %a, %c1 : i8
    hw.output %r : i8
  }
  hw.module private @same(in %a: i8, out y: i8) {
    hw.output %a : i8
  }
  hw.module @top() {
    %ns = llhd.constant_time <1ns, 0d, 0e>
    %sp = sim.fmt.literal " "
    %c5 = hw.constant 5 : i8
    %t = hw.bitcast %c5 : (i8) -> !hw.typealias<@types::@word, i8>
    %a = hw.bitcast %t : (!hw.typealias<@types::@word, i8>) -> i8
    %x = hw.instance "plain" sym @plain @next(a: %a: i8) -> (y: i8)
    %y = hw.instance_choice "chosen" option "Speed" @same or @next if "Fast" (a: %x: i8) -> (y: i8)
    %array = dbg.array [%x, %y] : i8
    dbg.variable "array", %array : !dbg.array
    %both = dbg.struct {"x": %x, "y": %y} : i8, i8
    dbg.variable "both", %both : !dbg.struct
    %u = hw.uarray_create %x, %a : i8
    %fx = sim.fmt.dec %x specifierWidth 0 : i8
    %fy = sim.fmt.dec %y specifierWidth 0 : i8
    %line = sim.fmt.concat (%fx, %sp, %fy)
    llhd.process {
      llhd.wait delay %ns, ^now
    ^now:
      sim.proc.print %line
      llhd.halt
    }
    hw.output
  }
}
"""


@MODES
def test_a_choice_of_instances_is_its_default_and_debug_information_does_nothing(mode: str) -> None:
    assert run(DESIGN, mode=mode).out == "6 6"


def test_every_module_of_a_choice_is_looked_up() -> None:
    design = parse_text(DESIGN.replace("or @next if", "or @nobody if"))
    assert [d.message for d in verify(design, deep=True)] == ["there is no module @nobody"]
