"""$monitor, the dump tasks and the end of a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from class_runs import run

V = "!hw.struct<value: i8, unknown: i8>"


def wait(n: int) -> str:
    return f"""
      %t{n} = llhd.int_to_time %step
      llhd.wait delay %t{n}, ^bb{n}
    ^bb{n}:
"""


def module(body: str) -> str:
    return f"""hw.module @t() {{
      %eps = llhd.constant_time <0ns, 0d, 1e>
      %step = hw.constant 1000000 : i64
      %c1 = hw.constant 1 : i8
      %c2 = hw.constant 2 : i8
      %c3 = hw.constant 3 : i8
      %nl = sim.fmt.literal "\\0A"
      %mark = sim.fmt.literal "marker"
      %a = llhd.sig %c1 : i8
      %b = llhd.sig %c1 : i8
      {body}
    }}"""


def monitor(n: int, signal: str, label: str) -> str:
    return f"""
      %m{n} = llhd.prb %{signal} : i8
      %now{n} = llhd.current_time
      %ns{n} = llhd.time_to_int %now{n}
      %w{n} = sim.fmt.dec %ns{n} specifierWidth 0 : i64
      %d{n} = sim.fmt.dec %m{n} specifierWidth 0 : i8
      %lab{n} = sim.fmt.literal "{label} "
      %at{n} = sim.fmt.literal " @"
      %g{n} = sim.fmt.concat (%lab{n}, %d{n}, %at{n}, %w{n}, %nl)
      sim.proc.print %g{n} {{circt.monitor.kind = "register"}}
"""


def drive(signal: str, value: int) -> str:
    return f"llhd.drv %{signal}, %c{value} after %eps : i8\n"


def control(kind: str) -> str:
    return f'sim.proc.print %mark {{circt.monitor.kind = "{kind}"}}\n'


def test_a_monitor_prints_at_the_end_of_the_steps_in_which_an_argument_changed() -> None:
    text = module(f"""llhd.process {{
        {monitor(1, "a", "a")} {drive("a", 2)} {wait(1)} {drive("b", 2)} {wait(2)} {drive("a", 3)} {drive("a", 1)} {wait(3)} {drive("a", 2)} {drive("a", 1)} {wait(4)}
        llhd.halt
      }}""")
    # Time alone does not make it print, nor a value that is back where it was when the step ends.
    assert run(text).out.splitlines() == ["a 2 @0", "a 1 @2000000"]


def test_a_new_monitor_takes_the_place_of_the_old_one() -> None:
    text = module(f"""llhd.process {{
        {monitor(1, "a", "a")} {wait(1)} {monitor(2, "b", "b")} {drive("a", 2)} {wait(2)} {drive("b", 3)} {wait(3)}
        llhd.halt
      }}""")
    assert run(text).out.splitlines() == ["a 1 @0", "b 1 @1000000", "b 3 @2000000"]


def test_a_monitor_is_switched_off_and_on() -> None:
    text = module(f"""llhd.process {{
        {monitor(1, "a", "a")} {wait(1)} {control("off")} {drive("a", 2)} {wait(2)} {control("on")} {wait(3)} {drive("a", 3)} {wait(4)}
        llhd.halt
      }}""")
    # Switching on prints at once.
    assert run(text).out.splitlines() == ["a 1 @0", "a 2 @2000000", "a 3 @3000000"]


def test_a_monitor_is_no_child_of_the_process_that_started_it() -> None:
    text = module(f"""llhd.process {{
        {monitor(1, "a", "a")}
        sim.wait_fork
        sim.disable_fork
        {wait(1)} {drive("a", 2)} {wait(2)}
        llhd.halt
      }}""")
    assert run(text).out.splitlines() == ["a 1 @0", "a 2 @1000000"]


def test_the_dump_tasks_write_a_vcd_and_print_nothing(tmp_path: Path) -> None:
    path = tmp_path / "d.vcd"
    text = module(f"""llhd.process {{
        sim.proc.print %mark {{circt.dumpfile = "{path}"}}
        sim.proc.print %mark {{circt.dumpvars}}
        {drive("a", 2)} {wait(1)} {drive("a", 3)} {wait(2)}
        sim.proc.print %mark {{circt.dumpoff}}
        {drive("a", 1)} {wait(3)}
        sim.proc.print %mark {{circt.dumpon}}
        {wait(4)}
        llhd.halt
      }}""")
    from wasmjit.ir import parse_text
    from wasmjit.sched.options import RunOptions
    from wasmjit.sched.simulation import Simulation
    from wasmjit.waves import open_wave

    printed: list[bytes] = []
    sim = Simulation(parse_text(text, "t.mlir"), RunOptions(mode="interpret"), stdout=printed.append, stderr=lambda line: None)
    sim.run()
    sim.finish_outputs()
    assert printed == []
    wave = open_wave(str(path))
    row = next(i for i, s in enumerate(wave.signals) if s.name.endswith("a"))
    samples = list(zip(wave.times[row], (str(v) for v in wave.values[row]), strict=True))
    assert [t for t, _ in samples] == [0, 1_000_000, 2_000_000, 3_000_000]
    assert [int(v, 2) for _, v in samples if set(v) <= {"0", "1"}] == [2, 3, 1]


def test_the_coverage_report_comes_at_the_end() -> None:
    text = """
    llvm.mlir.global private constant @cg("cg\\00")
    llvm.mlir.global private constant @cp("cp\\00")
    llvm.func @__moore_covergroup_create(!llvm.ptr, i32) -> !llvm.ptr
    llvm.func @__moore_coverpoint_init_with_width(!llvm.ptr, i32, !llvm.ptr, i32)
    llvm.func @__moore_coverpoint_sample(!llvm.ptr, i32, i64)
    hw.module @t() {
      llhd.process {
        %one = llvm.mlir.constant(1 : i32) : i32
        %zero = llvm.mlir.constant(0 : i32) : i32
        %two = llvm.mlir.constant(2 : i32) : i32
        %v = llvm.mlir.constant(3 : i64) : i64
        %n = llvm.mlir.addressof @cg : !llvm.ptr
        %p = llvm.mlir.addressof @cp : !llvm.ptr
        %g = llvm.call @__moore_covergroup_create(%n, %one) : (!llvm.ptr, i32) -> !llvm.ptr
        llvm.call @__moore_coverpoint_init_with_width(%g, %zero, %p, %two) : (!llvm.ptr, i32, !llvm.ptr, i32) -> ()
        llvm.call @__moore_coverpoint_sample(%g, %zero, %v) : (!llvm.ptr, i32, i64) -> ()
        llhd.halt
      }
    }"""
    from wasmjit.ir import parse_text
    from wasmjit.sched.options import RunOptions
    from wasmjit.sched.simulation import Simulation

    lines: list[str] = []
    sim = Simulation(parse_text(text, "t.mlir"), RunOptions(mode="interpret"), stdout=lambda data: None, stderr=lines.append)
    sim.run()
    sim.finish_outputs()
    report = "\n".join(lines)
    assert "Coverage Report" in report
    assert "cp: 1 hits, 1/4 bins, 25.00%" in report


@pytest.mark.parametrize("mode", ["interpret", "compile"])
def test_an_initial_procedure_is_a_process_that_may_wait(mode: str) -> None:
    text = """hw.module @t() {
      %step = hw.constant 1000000 : i64
      %a = sim.fmt.literal "first "
      %b = sim.fmt.literal "second "
      %c = sim.fmt.literal "third"
      seq.initial() {
        sim.proc.print %a
        %f = sim.fork join_type "join_none" {
          sim.proc.print %c
          sim.fork.terminator
        }
        sim.proc.print %b
      } : () -> ()
    }"""
    assert run(text, mode=mode).out == "first second third"


@pytest.mark.parametrize("mode", ["interpret", "compile"])
def test_initial_values_computed_at_run_time_reach_their_registers(mode: str) -> None:
    text = """hw.module @t() {
      %clk = seq.const_clock low
      %c5 = hw.constant 5 : i8
      %init = seq.initial() {
        %c7 = hw.constant 7 : i8
        seq.yield %c7 : i8
      } : () -> !seq.immutable<i8>
      %r = seq.compreg %c5, %clk initial %init : i8
      llhd.process {
        %f = sim.fmt.dec %r specifierWidth 0 : i8
        sim.proc.print %f
        llhd.halt
      }
    }"""
    assert run(text, mode=mode).out == "7"
