"""The history of drivers: what is kept, what a reader finds, and what real designs leave."""

from __future__ import annotations

import subprocess
import sys
from bisect import bisect_right
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasmjit.report.drivers import DriverFile, DriverHistory, enclosing
from wasmjit.waves.read import open_wave

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 0xFFFFFFFF


def describe(who: int) -> dict[str, object]:
    if who == NOBODY:
        return {"process_id": None, "name": None, "definition": None, "instance": None}
    return {"process_id": who + 1, "name": f"p{who}", "definition": f"d{who}", "instance": "tb"}


@given(changes=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.sampled_from([NOBODY, 0, 1, 2])), max_size=60), asked=st.integers(0, 200))
def test_the_driver_at_any_time_is_the_one_of_the_last_change_before(tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int, int]], asked: int) -> None:
    history = DriverHistory(NOBODY)
    expected: dict[int, list[tuple[int, int]]] = {}
    time = 0
    for net, step, who in changes:
        time += step
        if history.last.get(net, NOBODY) != who:
            history.note(net, time, who)
        expected.setdefault(net, []).append((time, who))
    path = tmp_path_factory.mktemp("history") / "drivers.bin"
    history.write(path, {net: [f"tb.n{net}"] for net in range(4)}, describe)
    file = DriverFile(path)
    for net in range(4):
        before = [who for t, who in expected.get(net, ()) if t <= asked]
        found = file.at(f"tb.n{net}", asked)
        assert (found.name if found else None) == (f"p{before[-1]}" if before and before[-1] != NOBODY else None)
        assert {one.name for one in file.of(f"tb.n{net}")} == {f"p{who}" for _, who in expected.get(net, ()) if who != NOBODY}
    assert file.exact(asked)


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    history = DriverHistory(NOBODY, limit=3)
    for n in range(5):
        history.note(0, n * 10, n % 2)
    history.write(tmp_path / "drivers.bin", {0: ["tb.a"]}, describe)
    file = DriverFile(tmp_path / "drivers.bin")
    assert (file.exact(29), file.exact(30)) == (True, False)
    driven = file.at("tb.a", 25)
    assert driven is not None and driven.name == "p0"


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    history = DriverHistory(NOBODY)
    history.note(0, 10, 1)
    history.write(tmp_path / "drivers.bin", {0: ["tb.a"]}, describe)
    whole = (tmp_path / "drivers.bin").read_bytes()
    (tmp_path / "drivers.bin").write_bytes(whole[:-1])
    with pytest.raises(ValueError, match="incomplete"):
        DriverFile(tmp_path / "drivers.bin")
    (tmp_path / "drivers.bin").write_bytes(b"\x00\xff\n")
    with pytest.raises(ValueError):
        DriverFile(tmp_path / "drivers.bin")


def test_an_element_belongs_to_the_array_around_it() -> None:
    assert list(enclosing("tb.u.mem[3][1].data")) == ["tb.u.mem[3][1].data", "tb.u.mem[3][1]", "tb.u.mem[3]", "tb.u.mem", "tb.u", "tb"]


def trace(design: Path, folder: Path, *options: str) -> tuple[Path, DriverFile]:
    """Run a design with a waveform and its history of drivers."""
    done = subprocess.run(
        [sys.executable, "-m", "wasmjit", "run", str(design), "-q", "--vcd", str(folder / "waves.vcd"), "--trace-drivers", str(folder / "drivers.bin"), *options],
        capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "waves.vcd", DriverFile(folder / "drivers.bin")


@pytest.mark.parametrize("options", [("--mode=interpret",), ("--mode=compile",), ("--mode=compile", "--force-deopt=all")], ids=["interpret", "compile", "deopts"])
def test_branches_of_a_fork_and_their_parent_are_told_apart_at_every_change(shared: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    """bench/behave: `total` is written by a branch of each fork and, when all have joined, by the parent; the times follow from the source."""
    vcd, history = trace(shared / "bench" / "behave.mlir", tmp_path, *options)
    writers: dict[int, str] = {}
    begin = total = 0
    for r in range(100):
        branch = r % 7
        for i in range(1, branch):
            writers[begin + 2 * (i + 1)] = "tb.process3.fork2"
            total += i
        begin += max(7, 2 * branch)
        if r % 16:
            writers[begin] = "tb.process3"
            total += r % 16
    wave = open_wave(vcd)
    changes = list(wave.changes(wave.signal("tb.total")))
    assert int(str(changes[-1][1]), 2) == total == 1216
    assert [t // 1_000_000 for t, _ in changes if t] == sorted(writers)
    for t, _ in changes[1:]:
        driven = history.at("tb.total", t)
        assert driven is not None and driven.definition == writers[t // 1_000_000], t
    ordered = sorted(writers)
    between = history.at("tb.total", 400_500_000)
    assert between is not None and between.definition == writers[ordered[bisect_right(ordered, 400) - 1]]
    for signal, drivers in (("tb.req", {"tb.process3.fork1"}), ("tb.ack", {"tb.process1"}), ("tb.ticks", {"tb.process2"})):
        assert {one.definition for one in history.of(signal)} == drivers


@pytest.mark.parametrize("mode", ["interpret", "compile"])
def test_two_instances_that_drive_one_net_are_told_apart(tmp_path: Path, mode: str) -> None:
    _, history = trace(ROOT / "examples" / "bus.mlir", tmp_path, f"--mode={mode}")
    # Every fourth step nobody talks, then only the left one, only the right one, and both.
    for step in range(1, 11, 4):
        assert [(d := history.at(name, step * 1_000_000 + 5)) and d.instance for name in ("tb.bus", "tb.left.bus", "tb.right.bus")] == ["tb.left"] * 3
    for step in range(2, 11, 4):
        driven = history.at("tb.bus", step * 1_000_000)
        assert driven is not None and driven.instance == "tb.right"
    assert {one.instance for one in history.of("tb.bus")} == {"tb.left", "tb.right"}


def test_a_history_without_a_waveform_is_warned_about(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wasmjit", "run", str(ROOT / "examples" / "bus.mlir"), "--trace-drivers", str(tmp_path / "d.bin")], capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0 and "--trace-drivers says who drove the signals of a waveform" in done.stderr
    assert not (tmp_path / "d.bin").exists()


def test_a_history_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wasmjit", "run", str(ROOT / "examples" / "bus.mlir"), "--vcd", str(tmp_path / "w.vcd"), "--trace-drivers", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )
    assert done.returncode == 2 and "Error: cannot write" in done.stderr and "Traceback" not in done.stderr
