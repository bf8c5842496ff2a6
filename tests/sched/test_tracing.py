"""Names of array elements in recorded waveforms."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasmjit.cli import main
from wasmjit.sched.tracing import array_ranges, declared_indices
from wasmjit.waves import ArrayShape, BitsShape, SignalTrace, open_wave

BYTE = BitsShape(((0, 8),))


def names(shape: object) -> list[str]:
    return [v.name for v in SignalTrace().add(1, ("top",), "m", shape)]  # type: ignore[arg-type]


def test_elements_are_numbered_from_the_left_bound_to_the_right_one() -> None:
    shape = ArrayShape(3, 1, BYTE)
    assert names(declared_indices(shape, [(0, 2)])) == ["m[0]", "m[1]", "m[2]"]
    assert names(declared_indices(shape, [(7, 5)])) == ["m[7]", "m[6]", "m[5]"]
    assert names(declared_indices(shape, [(-1, 1)])) == ["m[-1]", "m[0]", "m[1]"]


def test_inner_dimensions_have_ranges_of_their_own() -> None:
    shape = ArrayShape(2, 2, ArrayShape(2, 1, BYTE))
    table = {"m": {"left": 1, "right": 0, "inner_bounds": [{"left": 4, "right": 5}]}}
    ranges = array_ranges({"vpi.array_bounds": table}, "m")
    assert ranges == [(1, 0), (4, 5)]
    assert names(declared_indices(shape, ranges)) == ["m[1][4]", "m[1][5]", "m[0][4]", "m[0][5]"]


def test_a_range_of_another_size_is_left_aside() -> None:
    shape = ArrayShape(3, 1, BYTE, 0, 2, -1)
    assert declared_indices(shape, [(0, 3)]) == shape
    assert declared_indices(BYTE, [(0, 7)]) == BYTE
    assert array_ranges({}, "m") == []


def test_two_names_of_a_net_may_number_its_elements_differently() -> None:
    trace = SignalTrace()
    trace.add(1, ("top",), "a", ArrayShape(2, 1, BYTE, 0, 0, 1))
    assert [v.name for v in trace.add(1, ("top",), "b", ArrayShape(2, 1, BYTE, 0, 1, -1))] == ["b[1]", "b[0]"]


ELEMENTS = """
hw.module @top() attributes {vpi.array_bounds = {up = {left = 0 : i32, right = 2 : i32}, down = {left = 5 : i32, right = 3 : i32}}} {
  %up0 = hw.aggregate_constant [10 : i8, 11 : i8, 12 : i8] : !hw.array<3xi8>
  %up = llhd.sig %up0 : !hw.array<3xi8>
  %down = llhd.sig %up0 : !hw.array<3xi8>
  hw.output
}
"""


@pytest.mark.parametrize(("name", "value"), [("up[0]", 10), ("up[2]", 12), ("down[5]", 10), ("down[3]", 12)])
def test_the_leftmost_element_of_an_aggregate_has_the_left_bound(tmp_path: Path, name: str, value: int) -> None:
    (tmp_path / "d.mlir").write_text(ELEMENTS)
    assert main(["run", str(tmp_path / "d.mlir"), "-q", "--mode=interpret", "--vcd", str(tmp_path / "d.vcd")]) == 0
    wave = open_wave(tmp_path / "d.vcd")
    sample = wave.value_at(wave.signal(f"top.{name}"), wave.end_fs)
    assert int(str(sample), 2) == value
