"""Which processes are combinational logic, and what becomes of them."""

from __future__ import annotations

import pytest

from wasmjit.ir import parse_text
from wasmjit.runtime.engine import with_stack
from wasmjit.sched.options import RunOptions
from wasmjit.sched.simulation import Simulation

HEAD = """
hw.module @top() {
  %c0 = hw.constant 0 : i8
  %false = hw.constant false
  %now = llhd.constant_time <0ns, 0d, 1e>
  %later = llhd.constant_time <0ns, 1d, 0e>
  %a = llhd.sig %c0 : i8
  %b = llhd.sig %c0 : i8
  %y = llhd.sig %c0 : i8
  %pa = llhd.prb %a : i8
  %pb = llhd.prb %b : i8
"""
TAIL = """
  llhd.process {
    %d = llhd.constant_time <1ns, 0d, 0e>
    %e = llhd.constant_time <0ns, 0d, 1e>
    %c5 = hw.constant 5 : i8
    %c9 = hw.constant 9 : i8
    llhd.wait delay %d, ^b1
  ^b1:
    llhd.drv %a, %c5 after %e : i8
    llhd.wait delay %d, ^b2
  ^b2:
    llhd.drv %b, %c9 after %e : i8
    llhd.wait delay %d, ^b3
  ^b3:
    llhd.halt
  }
}
"""


def always(first: str = "%pa, %pb", observed: str = "%pa, %pb", again: str = "%qa, %qb", time: str = "%now", more: str = "", extra: str = "") -> str:
    """A process that adds two signals."""
    types = ", ".join("i8" for _ in observed.split(","))
    return f"""{HEAD}
  %r = llhd.process -> i8 {{
    cf.br ^body({first} : i8, i8)
  ^again:
    %qa = llhd.prb %a : i8
    %qb = llhd.prb %b : i8
    cf.br ^body({again} : i8, i8)
  ^body(%x: i8, %z: i8):
    %s = comb.add %x, %z : i8
    {more}
    llhd.wait yield (%s : i8), ({observed} : {types}), ^again
  }}
  llhd.drv %y, %r after {time} : i8
  {extra}
{TAIL}"""


def ran(text: str, mode: str = "interpret") -> tuple[int, int]:
    """(number of processes, value of y at the end)."""
    sim = Simulation(parse_text(text, "t.mlir"), RunOptions(mode=mode), stdout=lambda data: None, stderr=lambda line: None)
    with_stack(sim.engine, sim.run)
    y = next(n for n in sim.elab.nets if n.name == "y")
    return len(sim.elab.processes), sim.memory.u8[y.address]


@pytest.mark.parametrize("mode", ["interpret", "compile"])
def test_a_process_that_computes_what_it_observes_is_continuous_logic(mode: str) -> None:
    assert ran(always(), mode) == (1, 14)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (always(observed="%pa"), 5),  # b is read but not observed
        (always(time="%later"), 14),  # a nonblocking assignment
        (always(first="%pa, %c0"), 14),  # begins with something else than it resumes with
        (always(extra="llhd.drv %y, %c0 after %later if %false : i8"), 14),  # a second driver
        (always(more="%d = llhd.constant_time <0ns, 0d, 1e>\n    llhd.drv %b, %c0 after %d if %false : i8"), 14),  # an effect of its own
    ],
)
@pytest.mark.parametrize("mode", ["interpret", "compile"])
def test_other_processes_stay_processes(text: str, value: int, mode: str) -> None:
    assert ran(text, mode) == (2, value)


def test_a_value_kept_from_one_activation_to_the_next_is_state() -> None:
    text = always().replace("cf.br ^body(%pa, %pb : i8, i8)", "%old = llhd.prb %a : i8\n    cf.br ^body(%pa, %pb : i8, i8)").replace("comb.add %x, %z", "comb.add %old, %z")
    assert ran(text) == (2, 9)
