"""Islands, shared code and two-state versions change nothing that can be seen."""

from __future__ import annotations

from pathlib import Path

import pytest

import wasmjit.elab.bodies as bodies
import wasmjit.elab.design as design
from tests.elab.designs import random_design, waves
from wasmjit.ir import parse_text
from wasmjit.runtime.engine import with_stack
from wasmjit.sched.options import RunOptions
from wasmjit.sched.simulation import Simulation

SEEDS = range(12)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Elaboration without any of the three."""
    monkeypatch.setattr(bodies, "form_islands", lambda d, regions, around: regions)
    monkeypatch.setattr(bodies, "two_state", lambda *a: None)
    monkeypatch.setattr(design, "share_bodies", lambda d: 0)
    return monkeypatch


def simulation(text: str) -> Simulation:
    return Simulation(parse_text(text, "t.mlir"), RunOptions(mode="interpret"), stdout=lambda data: None, stderr=lambda line: None)


@pytest.mark.parametrize("seed", SEEDS)
def test_value_changes_are_those_of_regions_alone(seed: int, tmp_path: Path, capfd: pytest.CaptureFixture[str], plain: pytest.MonkeyPatch) -> None:
    text = random_design(f"islands {seed}")
    expected = waves(tmp_path, text, "interpret", capfd)
    plain.undo()
    assert waves(tmp_path, text, "interpret", capfd) == expected
    assert waves(tmp_path, text, "compile", capfd) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_loops_settle_alike(seed: int, tmp_path: Path, capfd: pytest.CaptureFixture[str], plain: pytest.MonkeyPatch) -> None:
    text = random_design(f"loops {seed}", unknown=0.0, loops=True)
    expected = waves(tmp_path, text, "compile", capfd)
    plain.undo()
    assert waves(tmp_path, text, "compile", capfd) == expected
    assert waves(tmp_path, text, "interpret", capfd) == expected


@pytest.mark.parametrize("seed", range(4))
def test_modules_that_differ_in_constants_share_code(seed: int, tmp_path: Path, capfd: pytest.CaptureFixture[str], plain: pytest.MonkeyPatch) -> None:
    text = random_design(f"alike {seed}", modules=4, alike=True)
    expected = waves(tmp_path, text, "interpret", capfd)
    separate = {r.region.body.key for r in simulation(text).elab.regions}
    plain.undo()
    assert len({r.region.body.key for r in simulation(text).elab.regions}) < len(separate)
    assert waves(tmp_path, text, "compile", capfd) == expected


def test_an_island_is_one_region_that_knows_its_members() -> None:
    sim = simulation(random_design("one"))
    found = [r for r in sim.elab.regions if r.region.members]
    assert found and all(r.region.body.key.startswith("m") and r.region.members & 3 == 3 for r in found)
    assert all(set(r.masks) == set(r.inputs) for r in found)


def test_modules_of_different_shape_share_nothing() -> None:
    sim = simulation(random_design("apart"))
    assert len({r.region.body.key for r in sim.elab.regions if r.region.members}) == len([r for r in sim.elab.regions if r.region.members])


def test_a_deopt_of_shared_code_names_the_line_of_its_own_module() -> None:
    cell = """hw.module private @NAME() {
  %d = llhd.constant_time <1ns, 0d, 0e>
  %e = llhd.constant_time <0ns, 0d, 1e>
  %c = hw.constant NUMBER : i8
  %z = hw.constant 0 : i8
  %n = llhd.sig %z : i8
  llhd.process {
    llhd.wait delay %d, ^b1
  ^b1:
    %p = llhd.prb %n : i8
    %a = comb.add %p, %c : i8
    %b = comb.xor %a, %p : i8
    %g = comb.add %b, %c : i8
    %h = comb.xor %g, %a : i8
    %i = comb.add %h, %b : i8
    llhd.drv %n, %i after %e : i8
    llhd.wait delay %d, ^b2
  ^b2:
    llhd.halt
  }
}
"""
    text = "".join(cell.replace("NAME", f"m{k}").replace("NUMBER", str(3 + k)) for k in range(2))
    text += 'hw.module @top() {\n  hw.instance "u0" @m0() -> ()\n  hw.instance "u1" @m1() -> ()\n}\n'
    sim = Simulation(parse_text(text, "t.mlir"), RunOptions(mode="compile", force_deopt="all"), stdout=lambda data: None, stderr=lambda line: None)
    with_stack(sim.engine, sim.run)
    assert sim.elab.processes[0].body is sim.elab.processes[1].body
    lines: dict[int, set[int]] = {}
    for r in sim.telemetry.deopts:
        lines.setdefault(r.process_id, set()).add(int(r.location.split(":")[1]))
    height = cell.count("\n")
    assert lines[1] and lines[2] == {n + height for n in lines[1]} and all(n <= height for n in lines[1])
