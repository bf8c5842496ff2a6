from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from tests.waves.support import random_wave
from wasmjit import cli_waves
from wasmjit.waves.compare import Difference, Window, compare, normalise_name
from wasmjit.waves.convert import select, write_wave
from wasmjit.waves.model import ScopeDecl, Value, VarDecl
from wasmjit.waves.read import open_wave
from wasmjit.waves.vcd import VcdWriter


def wave(path: Path, variables: tuple[VarDecl, ...], *changes: tuple[int, int, Value], scope: str = "t", timescale: str = "1fs") -> Path:
    writer = VcdWriter(str(path), timescale)
    writer.declare([ScopeDecl(scope, "module", variables)])
    for time, var, value in changes:
        writer.change(time, var, value)
    writer.close(100_000)
    return path


def cli(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    cli_waves.add_parser(parser.add_subparsers(dest="command"))
    return cli_waves.run(parser.parse_args(["waves", *argv]))


def test_equal_runs_in_different_formats_and_time_units(tmp_path: Path) -> None:
    random_wave(tmp_path / "a.vcd", 3)
    random_wave(tmp_path / "b.fst", 3)
    a = open_wave(tmp_path / "a.vcd")
    assert compare(a, open_wave(tmp_path / "b.fst")) == []
    bit = (VarDecl("a", "wire", 1, 0),)
    fine = wave(tmp_path / "fine.vcd", bit, (0, 0, 0), (5000, 0, 1))
    coarse = wave(tmp_path / "coarse.vcd", bit, (0, 0, 0), (5000, 0, 1), timescale="1ps")
    assert compare(open_wave(fine), open_wave(coarse)) == []


def test_the_first_difference_comes_first_with_both_values(tmp_path: Path) -> None:
    random_wave(tmp_path / "a.vcd", 3)
    random_wave(tmp_path / "b.vcd", 3, patch={(200, 1): 0x5A, (310, 0): "z"})
    a, b = open_wave(tmp_path / "a.vcd"), open_wave(tmp_path / "b.vcd")
    found = compare(a, b)
    first = found[0]
    assert (first.kind, first.time_fs, first.signal, first.b_value) == ("value", 200, "top.s1", "01011010")
    assert first.a_value == a.value_at(a.signal("top.s1"), 200)
    assert {d.signal for d in found} == {"top.s0", "top.s1", "top.u.port"}
    assert [d.time_fs for d in found] == sorted(d.time_fs or 0 for d in found)


def test_swapping_the_sides_swaps_the_values(tmp_path: Path) -> None:
    random_wave(tmp_path / "a.vcd", 1)
    random_wave(tmp_path / "b.vcd", 2)
    a, b = open_wave(tmp_path / "a.vcd"), open_wave(tmp_path / "b.vcd")
    mirrored = [Difference(d.kind, d.time_fs, d.signal, d.b_value, d.a_value, d.until_fs) for d in compare(b, a)]
    assert compare(a, b) == mirrored != []


def test_missing_signals_and_widths_are_listed_before_values(tmp_path: Path) -> None:
    a = wave(tmp_path / "a.vcd", (VarDecl("x", "wire", 1, 0), VarDecl("y", "wire", 4, 1), VarDecl("z", "wire", 4, 2)), (0, 2, 1))
    b = wave(tmp_path / "b.vcd", (VarDecl("w", "wire", 1, 0), VarDecl("y", "wire", 5, 1), VarDecl("z", "wire", 4, 2)), (0, 2, 3))
    found = compare(open_wave(a), open_wave(b))
    assert [(d.kind, d.signal) for d in found] == [("missing_in_a", "t.w"), ("missing_in_b", "t.x"), ("width", "t.y"), ("value", "t.z")]


def test_a_difference_lasts_until_the_values_agree_again(tmp_path: Path) -> None:
    bit = (VarDecl("a", "wire", 8, 0),)
    a = open_wave(wave(tmp_path / "a.vcd", bit, (0, 0, 0), (10, 0, 1), (30, 0, 2)))
    b = open_wave(wave(tmp_path / "b.vcd", bit, (0, 0, 0), (20, 0, 1), (30, 0, 2), (40, 0, 3)))
    assert [(d.time_fs, d.until_fs, d.a_value, d.b_value) for d in compare(a, b)] == [
        (10, 20, "00000001", "00000000"),
        (40, None, "00000010", "00000011"),
    ]
    assert [d.time_fs for d in compare(a, b, window=Window(12, 30))] == [12]
    assert [d.time_fs for d in compare(a, b, max_per_signal=1)] == [10]


def test_initial_values_can_be_ignored(tmp_path: Path) -> None:
    bit = (VarDecl("a", "wire", 8, 0),)
    a = open_wave(wave(tmp_path / "a.vcd", bit, (0, 0, 1), (10, 0, 5)))
    b = open_wave(wave(tmp_path / "b.vcd", bit, (0, 0, 2), (10, 0, 5)))
    assert [d.time_fs for d in compare(a, b)] == [0]
    assert compare(a, b, ignore_initial=True) == []
    c = open_wave(wave(tmp_path / "c.vcd", bit, (0, 0, 2), (10, 0, 6)))
    assert [d.time_fs for d in compare(a, c, ignore_initial=True)] == [10]


def test_events_are_compared_by_their_times(tmp_path: Path) -> None:
    event = (VarDecl("e", "event", 1, 0),)
    a = open_wave(wave(tmp_path / "a.vcd", event, (5, 0, 1), (9, 0, 1)))
    b = open_wave(wave(tmp_path / "b.vcd", event, (5, 0, 1), (11, 0, 1)))
    assert [(d.time_fs, d.a_value, d.b_value) for d in compare(a, b)] == [(9, "1", None), (11, None, "1")]


def test_nan_equals_nan(tmp_path: Path) -> None:
    real = (VarDecl("r", "real", 64, 0),)
    a = open_wave(wave(tmp_path / "a.vcd", real, (0, 0, 1.0), (5, 0, float("nan"))))
    b = open_wave(wave(tmp_path / "b.vcd", real, (0, 0, 1.0), (5, 0, float("nan"))))
    assert compare(a, b) == []


@pytest.mark.parametrize(
    ("name", "plain"),
    [("top.a[31:0]", "top.a"), ("top.a [31:0]", "top.a"), ("top.\\a+b ", "top.a+b"), ("top.m[3]", "top.m[3]"), ("top.m[3] [7:0]", "top.m[3]")],
)
def test_names_are_normalised(name: str, plain: str) -> None:
    assert normalise_name(name) == plain


def test_names_of_another_tool_are_mapped(tmp_path: Path) -> None:
    random_wave(tmp_path / "a.vcd", 3)
    random_wave(tmp_path / "b.vcd", 3, rename="dut")
    a, b = open_wave(tmp_path / "a.vcd"), open_wave(tmp_path / "b.vcd")
    assert compare(a, b, name_map={"dut": "top"}) == []
    assert compare(a, b, name_map=lambda name: name.replace("dut", "top", 1)) == []
    assert {d.kind for d in compare(a, b)} == {"missing_in_a", "missing_in_b"}


def test_a_vector_equals_its_single_bits(tmp_path: Path) -> None:
    a = open_wave(wave(tmp_path / "a.vcd", (VarDecl("v", "wire", 3, 0),), (0, 0, 5), (9, 0, "1x0")))
    bits = tuple(VarDecl(f"v[{i}]", "wire", 1, i) for i in range(3))
    changes = [(0, 0, 1), (0, 1, 0), (0, 2, 1), (9, 0, 0), (9, 1, "x")]
    b = open_wave(wave(tmp_path / "b.vcd", bits, *changes))
    assert compare(a, b) == [] == compare(b, a)
    c = open_wave(wave(tmp_path / "c.vcd", bits, *changes, (12, 2, 0)))
    assert [(d.signal, d.time_fs, d.b_value) for d in compare(a, c)] == [("t.v", 12, "0x0")]


def test_signals_are_chosen_by_glob(tmp_path: Path) -> None:
    random_wave(tmp_path / "a.vcd", 1)
    random_wave(tmp_path / "b.vcd", 2)
    a, b = open_wave(tmp_path / "a.vcd"), open_wave(tmp_path / "b.vcd")
    assert {d.signal for d in compare(a, b, ["top.s?", "*.port"])} == {"top.s0", "top.s1", "top.s2", "top.s3", "top.u.port"}
    assert [s.name for s in select(a, ["*.port"]).signals] == ["top.u.port"]


@pytest.mark.parametrize("suffix", ["vcd", "fst"])
def test_conversion_keeps_everything(suffix: str, tmp_path: Path) -> None:
    random_wave(tmp_path / "a.vcd", 9)
    a = open_wave(tmp_path / "a.vcd")
    write_wave(a, str(tmp_path / f"c.{suffix}"))
    c = open_wave(tmp_path / f"c.{suffix}")
    assert compare(a, c) == []
    assert (c.end_fs, [s.name for s in c.signals]) == (a.end_fs, [s.name for s in a.signals])


def test_a_window_is_cut_out_with_its_initial_values(tmp_path: Path) -> None:
    random_wave(tmp_path / "a.vcd", 9)
    a = open_wave(tmp_path / "a.vcd")
    write_wave(a, str(tmp_path / "c.vcd"), Window(105, 250))
    c = open_wave(tmp_path / "c.vcd")
    assert (c.start_fs, c.end_fs) == (105, 250)
    assert compare(a, c, window=Window(105, 250)) == []


def test_cli_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random_wave(tmp_path / "a.vcd", 3)
    random_wave(tmp_path / "b.fst", 3)
    random_wave(tmp_path / "c.vcd", 3, patch={(200, 1): 0x5A})
    a, b, c = (str(tmp_path / n) for n in ("a.vcd", "b.fst", "c.vcd"))
    assert cli("diff", a, b) == 0
    assert capsys.readouterr().out.startswith("equal: 7 signals")
    assert cli("diff", a, c) == 1
    assert capsys.readouterr().out.splitlines()[0].startswith("200fs: top.s1: A=")
    assert cli("diff", a, c, "--to", "199") == 0
    assert cli("diff", a, c, "--signal", "top.s0") == 0
    capsys.readouterr()
    assert cli("diff", a, c, "--json", "--limit", "1") == 1
    out = json.loads(capsys.readouterr().out)
    assert out["equal"] is False and out["differences_total"] == 2 and out["differences"][0]["time_fs"] == 200
    assert cli("diff", a, str(tmp_path / "none.vcd")) == 2
    assert "[wasmjit] error: cannot read" in capsys.readouterr().err
    assert cli("diff", a, b, "--from", "soon") == 2
    assert cli("diff", a, b, "--map", "nonsense") == 2


def test_cli_info_and_convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random_wave(tmp_path / "a.vcd", 3)
    a = str(tmp_path / "a.vcd")
    assert cli("info", a, "--json", "--signal", "top.s1") == 0
    out = json.loads(capsys.readouterr().out)
    assert out["signals_total"] == 7 and [s["name"] for s in out["signals"]] == ["top.s1"]
    assert cli("info", a) == 0
    assert "top.s2 [32:0]  wire 33" in capsys.readouterr().out
    assert cli("convert", a, str(tmp_path / "o.fst"), "--from", "100", "--to", "200fs") == 0
    assert cli("diff", a, str(tmp_path / "o.fst"), "--from", "100", "--to", "200") == 0
    assert cli("convert", a, str(tmp_path / "o.txt")) == 2
    assert cli("convert", a, str(tmp_path / "o.vcd"), "--signal", "nothing") == 2


def test_cli_reads_damaged_files_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random_wave(tmp_path / "a.vcd", 3)
    text = (tmp_path / "a.vcd").read_text()
    (tmp_path / "b.vcd").write_text(text[: text.index("#100\n")] + "#100\nb10")
    assert cli("info", str(tmp_path / "b.vcd")) == 2
    assert cli("info", str(tmp_path / "b.vcd"), "--tolerant") == 0
    assert "Warning" in capsys.readouterr().err
    assert cli("diff", str(tmp_path / "a.vcd"), str(tmp_path / "b.vcd"), "--tolerant", "--to", "99") == 0
