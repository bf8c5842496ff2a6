from __future__ import annotations

from pathlib import Path

from wasmjit.waves.dump import DumpControl, DumpRequest, DumpState, Selection
from wasmjit.waves.images import ArrayShape, BitsShape
from wasmjit.waves.model import WaveWriter
from wasmjit.waves.read import open_wave
from wasmjit.waves.trace import SignalTrace
from wasmjit.waves.vcd import VcdWriter

BYTE = BitsShape(((0, 8),))


class Bench:
    """A design of three nets with its dump tasks writing into `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warnings: list[str] = []
        self.requests: list[DumpRequest] = []
        self.control = DumpControl(self.start, self.warnings.append)
        self.values = {0: b"\1", 1: b"\2", 2: b"\3"}
        self.trace = SignalTrace()

    def start(self, request: DumpRequest, time_fs: int) -> WaveWriter:
        self.requests.append(request)
        for net, path in ((0, ("top", "a")), (1, ("top", "u", "b")), (2, ("top", "u", "v", "c"))):
            if request.selects(path):
                self.trace.add(net, path[:-1], path[-1], BYTE)
        writer = VcdWriter(str(self.folder / request.path))
        self.trace.start(writer)
        self.trace.record(time_fs, self.values.items())
        return writer

    def step(self, time_fs: int, changes: dict[int, int]) -> None:
        self.values.update({net: bytes([value]) for net, value in changes.items()})
        if self.control.recording:
            self.trace.record(time_fs, [(net, self.values[net]) for net in changes])
        self.control.end_of_step(time_fs)

    def read(self, name: str, signal: str) -> list[tuple[int, str]]:
        data = open_wave(self.folder / name)
        return [(t, str(v).lstrip("0") or "0") for t, v in data.changes(data.signal(signal))]


def test_dumping_off_and_on_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    control = bench.control
    bench.step(0, {0: 5})
    assert control.state is DumpState.IDLE and not control.recording
    control.dumpfile("w.vcd")
    control.dumpvars(10)
    assert control.state is DumpState.PENDING
    bench.step(10, {0: 6})
    bench.step(20, {0: 7})
    bench.trace.flush()
    control.dumpoff(30)
    control.dumpoff(30)
    bench.step(35, {0: 9})
    bench.trace.flush()
    control.dumpon(40)
    bench.step(50, {0: 10})
    bench.trace.close(60)
    control.close(60)
    assert bench.read("w.vcd", "top.a") == [(10, "110"), (20, "111"), (30, "x" * 8), (40, "1001"), (50, "1010")]
    assert bench.warnings == []


def test_off_in_the_step_of_dumpvars_starts_dark(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.control.dumpvars(0)
    bench.control.dumpoff(0)
    bench.step(0, {})
    assert bench.control.state is DumpState.OFF
    bench.step(5, {0: 8})
    bench.trace.flush()
    bench.control.dumpon(7)
    bench.trace.close(9)
    assert bench.read("dump.vcd", "top.a") == [(0, "x" * 8), (7, "1000")]


def test_selections_add_up_within_one_step_only(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.control.dumpvars(3, 1, (("top",),))
    bench.control.dumpvars(3, 0, (("top", "u", "v"),))
    bench.step(3, {})
    bench.control.dumpvars(4, 0)
    bench.trace.close(5)
    names = [s.name for s in open_wave(tmp_path / "dump.vcd").signals]
    assert names == ["top.a", "top.u.v.c"]
    assert bench.warnings == ["$dumpvars at 4 fs has no effect: the selection was fixed at 3 fs"]


def test_levels_of_a_selection() -> None:
    assert Selection(1, ("top",)).selects(("top", "a"))
    assert not Selection(1, ("top",)).selects(("top", "u", "b"))
    assert Selection(2, ("top",)).selects(("top", "u", "b"))
    assert Selection(0, ("top", "u")).selects(("top", "u", "v", "c"))
    assert Selection(1, ("top", "u", "b")).selects(("top", "u", "b"))
    assert not Selection(0, ("top", "u")).selects(("top", "a"))


def test_the_limit_ends_the_dump_with_a_comment(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.control.dumplimit(600)
    bench.control.dumpvars(0)
    for time in range(0, 2000, 10):
        bench.step(time, {0: time % 251})
        bench.trace.flush()
        if bench.control.state is DumpState.FULL:
            break
    assert bench.control.state is DumpState.FULL and not bench.control.recording
    text = (tmp_path / "dump.vcd").read_text()
    assert 600 <= len(text) < 900 and "$dumplimit of 600 bytes reached" in text
    assert len(bench.warnings) == 1
    bench.control.close(5000)
    assert len(open_wave(tmp_path / "dump.vcd").signals) == 3


def test_calls_without_effect_warn(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.control.dumpfile("")
    bench.control.dumplimit(-1)
    bench.control.dumpvars(0)
    bench.step(0, {})
    bench.control.dumpfile("late.vcd")
    bench.trace.close(0)
    assert [w.split("(")[0].split()[0] for w in bench.warnings] == ["$dumpfile", "$dumplimit", "$dumpfile"]
    assert bench.requests == [DumpRequest("dump.vcd")]


def test_a_net_with_two_names_is_one_signal(tmp_path: Path) -> None:
    trace = SignalTrace()
    shape = ArrayShape(2, 1, BYTE)
    first = trace.add(7, ("top",), "m", shape, "reg", (7, 0))
    second = trace.add(7, ("top", "u"), "port", shape)
    assert [v.id for v in first] == [v.id for v in second] == [0, 1]
    trace.add_scope(("top", "u"), "fork")
    writer = VcdWriter(str(tmp_path / "w.vcd"))
    trace.start(writer)
    trace.record(0, [(7, b"\1\2"), (8, b"ignored")])
    trace.record(0, [(7, b"\1\3")])
    trace.record(4, [(7, b"\0\3")])
    trace.close(9)
    data = open_wave(tmp_path / "w.vcd")
    assert [s.name for s in data.signals] == ["top.m[0]", "top.m[1]", "top.u.port[0]", "top.u.port[1]"]
    assert list(data.changes(data.signal("top.u.port[1]"))) == [(0, "00000011")]
    assert list(data.changes(data.signal("top.m[0]"))) == [(0, "00000001"), (4, "00000000")]
    assert data.scope_kinds[("top", "u")] == "fork"
