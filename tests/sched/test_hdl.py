"""Access to signals by hierarchical name."""

from __future__ import annotations

import pytest

from wasmjit.ir import parse_text
from wasmjit.sched import hdl
from wasmjit.sched.options import RunOptions
from wasmjit.sched.simulation import Simulation

DESIGN = """
hw.module private @sub(in %x : i8) attributes {vpi.vector_bounds = {v = {left = 0 : i32, right = 7 : i32}}} {
  %c0 = hw.constant 0 : i8
  %v = llhd.sig %c0 : i8
  %hold = llhd.sig %x : i8
  llhd.process {
    llhd.drv %hold, %c0 after %t : i8
    llhd.halt
  }
  %t = llhd.constant_time <0ns, 0d, 1e>
}
hw.module @top() attributes {vpi.array_bounds = {mem = {left = 3 : i32, right = 0 : i32}, up = {left = 1 : i32, right = 4 : i32}}} {
  %c0 = hw.constant 0 : i8
  %q = hw.aggregate_constant [17 : i100, 2 : i100] : !hw.struct<value: i100, unknown: i100>
  %zeros = hw.constant 0 : i32
  %m0 = hw.bitcast %zeros : (i32) -> !hw.array<4xi8>
  %wide = llhd.sig %q : !hw.struct<value: i100, unknown: i100>
  %mem = llhd.sig %m0 : !hw.array<4xi8>
  %up = llhd.sig %m0 : !hw.array<4xi8>
  hw.instance "u" @sub(x: %c0: i8) -> ()
}
"""


@pytest.fixture
def sim() -> Simulation:
    sim = Simulation(parse_text(DESIGN, "t.mlir"), RunOptions(mode="interpret", tops=["top"]), stdout=lambda data: None, stderr=lambda line: None)
    sim.run()
    return sim


def at(sim: Simulation, name: str, scope: str = "") -> hdl.Place:
    found = hdl.Names(sim).find(name, scope)
    assert found is not None, name
    return found


def test_a_four_state_vector_is_written_and_read_with_its_unknown_bits(sim: Simulation) -> None:
    p = at(sim, "top.wide")
    assert hdl.read(sim, p) == (17, 2)
    value, unknown = 1 << 99 | 5, 1 << 98
    hdl.write(sim, p, value, unknown)
    assert hdl.read(sim, p) == (value, unknown)


def test_selects_follow_the_declared_ranges(sim: Simulation) -> None:
    for index in range(4):
        hdl.write(sim, at(sim, f"top.mem[{index}]"), 0x10 + index, 0)
        hdl.write(sim, at(sim, f"top.up[{index + 1}]"), 0x20 + index, 0)
    mem, up = at(sim, "top.mem[3]").address, at(sim, "top.up[1]").address
    # The leftmost element comes first in memory.
    assert bytes(sim.memory.u8[mem : mem + 4]) == bytes([0x13, 0x12, 0x11, 0x10])
    assert bytes(sim.memory.u8[up : up + 4]) == bytes([0x20, 0x21, 0x22, 0x23])
    hdl.write(sim, at(sim, "top.mem[2][7:4]"), 0xA, 0)
    assert hdl.read(sim, at(sim, "top.mem[2]")) == (0xA2, 0)


def test_an_ascending_vector_counts_from_the_left(sim: Simulation) -> None:
    hdl.write(sim, at(sim, "top.u.v[0]"), 1, 0)
    assert hdl.read(sim, at(sim, "top.u.v")) == (0x80, 0)


def test_names_are_absolute_or_relative_to_the_caller(sim: Simulation) -> None:
    assert at(sim, "v", "top.u") == at(sim, "u.v", "top") == at(sim, "top.u.v", "elsewhere")


@pytest.mark.parametrize("name", ["top.none", "nowhere.v", "top.mem[4]", "top.up[0]", "top.wide[100]", "top.mem", "top.wide[3][2]", "top.u.v[8]"])
def test_what_does_not_exist_is_not_found(sim: Simulation, name: str) -> None:
    assert hdl.Names(sim).find(name) is None


def test_a_forced_signal_keeps_its_value_until_it_is_released(sim: Simulation) -> None:
    p = at(sim, "top.wide")
    hdl.write(sim, p, 3, 0, "k_force_bits")
    hdl.write(sim, p, 9, 1)
    assert hdl.read(sim, p) == (3, 0)
    hdl.release(sim, p)
    assert hdl.read(sim, p) == (9, 1)


def test_two_state_places_have_no_unknown_bits(sim: Simulation) -> None:
    p = at(sim, "top.u.v")
    hdl.write(sim, p, 0xFF, 0x0F)
    assert hdl.read(sim, p) == (0xF0, 0)
