"""Nets with several drivers: strengths, wired nets, releases, inout ports; force and release."""

from __future__ import annotations

import pytest
from class_runs import run

L = "!hw.struct<value: i1, unknown: i1>"
HEAD = f"""
    %eps = llhd.constant_time <0ns, 0d, 1e>
    %step = hw.constant 1000000 : i64
    %true = hw.constant true
    %false = hw.constant false
    %b0 = hw.aggregate_constant [false, false] : {L}
    %b1 = hw.aggregate_constant [true, false] : {L}
    %bx = hw.aggregate_constant [false, true] : {L}
    %bz = hw.aggregate_constant [true, true] : {L}
    %nl = sim.fmt.literal "\\0A"
"""


def show(signal: str, n: int) -> str:
    return f"""
      %p{n} = llhd.prb %{signal} : {L}
      %i{n} = hw.bitcast %p{n} : ({L}) -> i2
      %f{n} = sim.fmt.bin %i{n} fourStateWidth 1 : i2
      %c{n} = sim.fmt.concat (%f{n}, %nl)
      sim.proc.print %c{n}
"""


def wait(n: int) -> str:
    return f"""
      %t{n} = llhd.int_to_time %step
      llhd.wait delay %t{n}, ^bb{n}
    ^bb{n}:
"""


def settled(drives: str, attributes: str = "") -> str:
    """What a net shows that has these drives."""
    text = f"""hw.module @t() {{ {HEAD}
      %n = llhd.sig %bx {attributes} : {L}
      {drives}
      llhd.process {{ {wait(1)} {show("n", 1)}
        llhd.halt
      }}
    }}"""
    return run(text).out.strip()


def drv(value: str, strength: str = "") -> str:
    return f"llhd.drv %n, %b{value} after %eps {strength} : {L}\n"


@pytest.mark.parametrize(
    ("values", "shown"),
    [("00", "0"), ("11", "1"), ("01", "x"), ("0z", "0"), ("z1", "1"), ("zz", "z"), ("x0", "x"), ("xz", "x"), ("zzz1", "1"), ("110", "x")],
)
def test_drivers_of_one_strength_resolve_as_a_wire(values: str, shown: str) -> None:
    assert settled("".join(map(drv, values))) == shown


@pytest.mark.parametrize(
    ("drives", "shown"),
    [
        (drv("1", "strength(highz, pull)") + drv("0"), "0"),
        (drv("1", "strength(highz, pull)") + drv("z"), "1"),
        (drv("0", "strength(highz, pull)") + drv("z"), "z"),
        (drv("1", "strength(weak, weak)") + drv("0", "strength(pull, pull)"), "0"),
        (drv("1", "strength(supply, supply)") + drv("x"), "1"),
        (drv("1", "strength(weak, weak)") + drv("x"), "x"),
        (drv("0", "strength(strong, weak)") + drv("1", "strength(strong, weak)"), "0"),
    ],
)
def test_the_stronger_driver_wins(drives: str, shown: str) -> None:
    assert settled(drives) == shown


@pytest.mark.parametrize(
    ("values", "wired_and", "wired_or"), [("00", "0", "0"), ("01", "0", "1"), ("11", "1", "1"), ("1z", "1", "1"), ("x0", "0", "x"), ("x1", "x", "1"), ("zz", "z", "z")]
)
def test_wired_nets(values: str, wired_and: str, wired_or: str) -> None:
    drives = "".join(map(drv, values))
    assert settled(drives, '{circt.resolution = "wired_and"}') == wired_and
    assert settled(drives, '{circt.resolution = "wired_or"}') == wired_or


def test_a_drive_that_is_switched_off_contributes_z() -> None:
    text = f"""hw.module @t() {{ {HEAD}
      %on = llhd.sig %true : i1
      %n = llhd.sig %bz : {L}
      llhd.drv %n, %b1 after %eps strength(highz, pull) : {L}
      %en = llhd.prb %on : i1
      llhd.drv %n, %b0 after %eps if %en : {L}
      llhd.process {{ {wait(1)} {show("n", 1)}
        llhd.drv %on, %false after %eps : i1 {wait(2)} {show("n", 2)}
        llhd.drv %on, %true after %eps : i1 {wait(3)} {show("n", 3)}
        llhd.halt
      }}
    }}"""
    assert run(text).out.split() == ["0", "1", "0"]


def test_wide_vectors_are_resolved_bit_by_bit() -> None:
    v = "!hw.struct<value: i100, unknown: i100>"
    high = 1 << 99
    text = f"""hw.module @t() {{
      %eps = llhd.constant_time <0ns, 0d, 1e>
      %step = hw.constant 1000000 : i64
      %nl = sim.fmt.literal "\\0A"
      %a = hw.aggregate_constant [{high - (1 << 100)} : i100, 0 : i100] : {v}
      %b = hw.aggregate_constant [3 : i100, 1 : i100] : {v}
      %n = llhd.sig %a : {v}
      llhd.drv %n, %a after %eps : {v}
      llhd.drv %n, %b after %eps : {v}
      llhd.process {{ {wait(1)}
        %p = llhd.prb %n : {v}
        %val = hw.struct_extract %p["value"] : {v}
        %unk = hw.struct_extract %p["unknown"] : {v}
        %f = sim.fmt.hex %val, isUpper false specifierWidth 0 : i100
        %g = sim.fmt.hex %unk, isUpper false specifierWidth 0 : i100
        %c = sim.fmt.concat (%f, %nl, %g, %nl)
        sim.proc.print %c
        llhd.halt
      }}
    }}"""
    # bit 0: 0 against z; bit 1: 0 against 1; bit 99: 1 against 0; the others agree
    assert [int(x, 16) for x in run(text).out.split()] == [0, high | 2]


def test_drivers_in_several_modules_meet_at_an_inout_port() -> None:
    text = f"""
    hw.module private @pad(in %pin : !llhd.ref<{L}>, in %out : {L}) {{
      %eps = llhd.constant_time <0ns, 0d, 1e>
      llhd.drv %pin, %out after %eps : {L}
    }}
    hw.module @t() {{ {HEAD}
      %n = llhd.sig %bx : {L}
      %a = llhd.sig %bz : {L}
      %b = llhd.sig %bz : {L}
      %av = llhd.prb %a : {L}
      %bv = llhd.prb %b : {L}
      hw.instance "p" @pad(pin: %n: !llhd.ref<{L}>, out: %av: {L}) -> ()
      hw.instance "q" @pad(pin: %n: !llhd.ref<{L}>, out: %bv: {L}) -> ()
      llhd.process {{ {wait(1)} {show("n", 1)}
        llhd.drv %a, %b1 after %eps : {L} {wait(2)} {show("n", 2)}
        llhd.drv %b, %b0 after %eps : {L} {wait(3)} {show("n", 3)}
        llhd.drv %a, %bz after %eps : {L} {wait(4)} {show("n", 4)}
        llhd.halt
      }}
    }}"""
    assert run(text, tops=["t"]).out.split() == ["z", "1", "x", "0"]


def test_two_processes_of_one_variable_assign_in_turn() -> None:
    text = f"""hw.module @t() {{ {HEAD}
      %n = llhd.sig %bx : {L}
      llhd.process {{
        llhd.drv %n, %b0 after %eps : {L}
        llhd.halt
      }}
      llhd.process {{ {wait(1)}
        llhd.drv %n, %b1 after %eps : {L} {show("n", 1)}
        llhd.halt
      }}
    }}"""
    assert run(text).out.split() == ["1"]


def test_a_forced_signal_ignores_assignments_until_it_is_released() -> None:
    text = f"""hw.module @t() {{ {HEAD}
      %n = llhd.sig %b0 : {L}
      llhd.process {{
        llhd.drv %n, %b1 after %eps {{circt.force}} : {L} {show("n", 1)}
        llhd.drv %n, %bx after %eps : {L} {show("n", 2)}
        %old = llhd.prb %n : {L}
        llhd.drv %n, %old after %eps {{circt.release}} : {L} {show("n", 3)}
        llhd.drv %n, %b0 after %eps : {L} {show("n", 4)}
        llhd.halt
      }}
    }}"""
    assert run(text).out.split() == ["1", "1", "x", "0"]


def test_forcing_a_part_leaves_the_other_bits_alone() -> None:
    text = """hw.module @t() {
      %eps = llhd.constant_time <0ns, 0d, 1e>
      %c0 = hw.constant 0 : i8
      %cff = hw.constant -1 : i8
      %c5 = hw.constant 5 : i4
      %two = hw.constant 2 : i3
      %nl = sim.fmt.literal " "
      %n = llhd.sig %c0 : i8
      llhd.process {
        %part = llhd.sig.extract %n from %two : <i8> -> <i4>
        llhd.drv %part, %c5 after %eps {circt.force} : i4
        llhd.drv %n, %cff after %eps : i8
        %a = llhd.prb %n : i8
        %fa = sim.fmt.bin %a : i8
        llhd.drv %part, %c5 after %eps {circt.release} : i4
        %b = llhd.prb %n : i8
        %fb = sim.fmt.bin %b : i8
        %c = sim.fmt.concat (%fa, %nl, %fb)
        sim.proc.print %c
        llhd.halt
      }
    }"""
    assert run(text).out.split() == ["11010111", "11111111"]
