"""The waveform index against an independent reader, and windows against the definition."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import big_vcd, sha256_waves
from wasmjit_api.export import write_selection
from wasmjit_api.waves.build import WaveFileError, build_index, canonical_bits, fst_ident, parse_timescale, split_range
from wasmjit_api.waves.diff import compare_indexes, paths_of
from wasmjit_api.waves.index import DENSE_X, WaveIndex

pywellen = pytest.importorskip("pywellen")


def index_of(source: Path, directory: Path) -> WaveIndex:
    directory.mkdir()
    build_index(source, directory)
    return WaveIndex(directory)


def changes(index: WaveIndex, signal: int) -> list[tuple[int, str]]:
    first, count = index.signals[signal][:2]
    return [(index.times[k], index.text(index.refs[k])) for k in range(first, first + count)]


def vcd(body: str, width: int = 4, kind: str = "wire") -> str:
    return f"$timescale 1 ns $end $scope module t $end $var {kind} {width} ! s [{width - 1}:0] $end $upscope $end $enddefinitions $end\n{body}\n"


def text_of(value: Any, width: int) -> str:
    """A pywellen value in canonical form."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int):
        return f"{value:b}"
    return canonical_bits(str(value).lower().encode()).decode()


@pytest.fixture(scope="module")
def sha(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, WaveIndex]:
    folder = tmp_path_factory.mktemp("sha")
    sha256_waves(folder / "a.vcd", 2)
    return folder / "a.vcd", index_of(folder / "a.vcd", folder / "idx")


@pytest.mark.parametrize("suffix", ["vcd", "fst"])
def test_every_change_of_every_signal_equals_what_an_independent_reader_sees(sha: tuple[Path, WaveIndex], tmp_path: Path, suffix: str) -> None:
    source, index = sha
    if suffix == "fst":
        source = tmp_path / "copy.fst"
        write_selection(index, source, None, index.t_begin, index.t_end)
        index = index_of(source, tmp_path / "idx")
    wave = pywellen.Waveform(str(source))
    paths = paths_of(index)
    seen = 0
    for var in wave.all_vars():
        expected: list[tuple[int, str]] = []
        for time, value in var.signal[:]:
            text = text_of(value, index.signals[paths[var.full_name]][4])
            if not expected or expected[-1][1] != text:
                expected.append((time, text))
        mine = [(t, repr(float(v)) if index.signals[paths[var.full_name]][5] == "real" else v) for t, v in changes(index, paths[var.full_name])]
        assert mine == expected, var.full_name
        seen += len(mine)
    assert len(paths) == 42 and seen > 3000


@pytest.mark.parametrize(
    ("token", "canonical"), [("0000", "0"), ("0011", "11"), ("xxxx", "x"), ("xx1", "x1"), ("0x1", "0x1"), ("00z", "0z"), ("ZZZ0", "z0"), ("UWLH", "x01"), ("1", "1")],
)
def test_bit_vectors_have_one_canonical_spelling(token: str, canonical: str) -> None:
    assert canonical_bits(token.encode()).decode() == canonical


@given(st.text("01xz", min_size=1, max_size=40))
def test_canonical_bits_extend_back_to_the_same_value(bits: str) -> None:
    short = canonical_bits(bits.encode()).decode()
    fill = short[0] if short[0] in "xz" else "0"
    assert short.rjust(len(bits), fill) == bits


def test_one_sample_per_time_is_kept_and_repeated_values_are_dropped(tmp_path: Path) -> None:
    (tmp_path / "a.vcd").write_text(vcd("#0 b0001 !\n#5 b0010 ! b0011 !\n#6 b0011 !\n#7 b1 ! b11 !\n#9 bx !"))
    index = index_of(tmp_path / "a.vcd", tmp_path / "i")
    assert changes(index, 0) == [(0, "1"), (5_000_000, "11"), (9_000_000, "x")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "neither"), ("", "empty"), ("$scope module t $end", "enddefinitions"), (vcd("#5 b1 ?"), "undeclared"), (vcd("#5 1!\n#3 0!"), "must not decrease"),
        (vcd("#x"), "not a time"), (vcd("b12 !"), "not a bit vector"), (vcd("?"), "expected a value change"), (vcd("").replace("1 ns", "3 as"), "timescale"),
        (vcd("rhello !", 64, "real"), "not a real"), ("$upscope $end", "without its"), ("$var wire x ! a $end", "unknown form"), (vcd("#99999999999999999999 "), "below 9e18"),
    ],
)
def test_files_that_are_no_waveforms_say_why(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.vcd").write_text(text + (" " if text else ""))
    with pytest.raises(WaveFileError, match=message):
        index_of(tmp_path / "a.vcd", tmp_path / "i")


def test_a_dump_that_is_cut_off_is_read_up_to_the_cut(tmp_path: Path) -> None:
    whole = vcd("#0 b1 !\n#5 b10 !\n#9 b11 !")
    (tmp_path / "a.vcd").write_text(whole[: whole.rindex("b11")] + "b1")
    assert changes(index_of(tmp_path / "a.vcd", tmp_path / "i"), 0) == [(0, "1"), (5_000_000, "10")]


@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from("01xz")), max_size=120), st.integers(0, 400), st.integers(1, 900), st.integers(1, 60))
@settings(max_examples=150, deadline=None)
def test_a_window_shows_each_pixel_column_as_its_changes_say(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str]], t0: int, span: int, pixels: int) -> None:
    folder = tmp_path_factory.mktemp("w")
    now, lines = 0, []
    for step, bit in steps:
        now += step
        lines.append(f"#{now}\n{bit}!")
    (folder / "a.vcd").write_text("$timescale 1 fs $end $var wire 1 ! s $end $enddefinitions $end\n" + "\n".join(lines) + "\n#99999\n")
    index = index_of(folder / "a.vcd", folder / "i")
    truth = changes(index, 0)
    row = index.window(0, t0, t0 + span, pixels)
    assert row["t"] == sorted(row["t"])
    for column in range(pixels):
        low, high = t0 + -(-column * span // pixels), t0 + -(-(column + 1) * span // pixels)
        inside = [v for t, v in truth if low <= t < high and t > t0]
        at = [k for k, t in enumerate(row["t"]) if t <= max(low, t0)]
        shown = row["v"][at[-1]] if at else None
        if len(inside) > 1 and high > low:
            here = [row["v"][k] for k, t in enumerate(row["t"]) if low <= t < high] or [shown]
            code = next((v for v in [*here, shown] if isinstance(v, int)), None)
            assert code is not None, (column, inside, row)
            if any(v in "xz" for v in inside):
                assert code >= DENSE_X
        elif not inside and high > low:
            before = [v for t, v in truth if t <= max(low, t0)]
            assert shown == (before[-1] if before else None)


def test_values_edges_and_searches_agree_with_the_changes(sha: tuple[Path, WaveIndex]) -> None:
    _, index = sha
    signal = paths_of(index)["tb.dut.t_ctr_reg"]
    truth = changes(index, signal)
    assert index.value_at(signal, truth[3][0]) == truth[3][1] and index.value_at(signal, truth[3][0] - 1) == truth[2][1]
    assert index.value_at(signal, truth[0][0] - 1) is None
    assert index.edge(signal, truth[3][0], True) == truth[4][0] and index.edge(signal, truth[3][0], False) == truth[2][0]
    assert index.edge(signal, truth[-1][0], True) is None
    assert index.find_value(signal, 0, True, "101") == next(t for t, v in truth if v == "101")
    assert index.find_value(signal, index.t_end, False, "101") == [t for t, v in truth if v == "101"][-1]
    assert index.nearest_edge(signal, truth[5][0] + 1) == truth[5][0]
    reset = paths_of(index)["tb.reset_n"]
    assert index.edge(reset, 0, True, "rise") == 30_000_000 and index.edge(reset, 0, True, "fall") is None


def test_analog_columns_hold_the_least_and_greatest_values(tmp_path: Path) -> None:
    big_vcd(tmp_path / "a.vcd", 20_000, 4)
    index = index_of(tmp_path / "a.vcd", tmp_path / "i")
    truth = [(t, int(v, 2)) for t, v in changes(index, 3)]
    pixels, end = 20, index.t_end
    row = index.analog(3, 0, end, pixels)
    for t, low, high in zip(row["t"][1:], row["lo"][1:], row["hi"][1:], strict=True):
        column = t * pixels // end
        inside = [v for when, v in truth if when * pixels // end == column and when > 0]
        assert (low, high) == (min(inside), max(inside))
    assert math.isfinite(row["v"][-1])


def test_a_selection_is_written_and_read_back(sha: tuple[Path, WaveIndex], tmp_path: Path) -> None:
    _, index = sha
    signal = paths_of(index)["tb.dut.a_reg"]
    write_selection(index, tmp_path / "s.vcd", {signal}, 10**8, 2 * 10**8)
    part = index_of(tmp_path / "s.vcd", tmp_path / "i")
    assert list(paths_of(part)) == ["tb.dut.a_reg"]
    expected = [(t, v) for t, v in changes(index, signal) if 10**8 < t <= 2 * 10**8]
    assert changes(part, 0)[1:] == expected and changes(part, 0)[0] == (10**8, index.value_at(signal, 10**8))


def test_comparison_finds_the_injected_difference_and_nothing_before_it(sha: tuple[Path, WaveIndex], tmp_path: Path) -> None:
    _, index = sha
    sha256_waves(tmp_path / "b.vcd", 2, flip_at_cycle=40)
    other = index_of(tmp_path / "b.vcd", tmp_path / "i")
    result = compare_indexes(index, other)
    first = result["differing"][0]
    assert (first["signal"], first["first"], result["first"]) == ("tb.dut.e_reg", 40 * 10_000_000, 40 * 10_000_000)
    assert int(first["value_a"], 2) ^ int(first["value_b"], 2) == 1 << 9
    assert not result["equal"] and compare_indexes(index, index)["equal"]


def test_tops_of_different_names_are_matched_below_the_top(tmp_path: Path) -> None:
    for name, top in (("a", "tb"), ("b", "testbench")):
        (tmp_path / f"{name}.vcd").write_text(vcd("#0 b1 !\n#5 b10 !").replace("module t ", f"module {top} "))
    result = compare_indexes(index_of(tmp_path / "a.vcd", tmp_path / "ia"), index_of(tmp_path / "b.vcd", tmp_path / "ib"))
    assert result["equal"] and result["signals_compared"] == 1


def test_a_dump_in_another_unit_of_time_or_of_another_bench_is_pointed_out(tmp_path: Path) -> None:
    body = vcd("#0 b1 !\n#5 b10 !\n#9 b11 !")
    for name, text in (("ns", body), ("s", body.replace("1 ns", "1 ps")), ("other", body.replace(" s [", " other ["))):
        (tmp_path / f"{name}.vcd").write_text(text)
    index = {name: index_of(tmp_path / f"{name}.vcd", tmp_path / name) for name in ("ns", "s", "other")}
    assert "A ends 10^3 times as late" in compare_indexes(index["ns"], index["s"])["hint"]
    assert "no signal has the same" in compare_indexes(index["ns"], index["other"])["hint"]
    assert compare_indexes(index["ns"], index["ns"])["hint"] is None


def test_hostile_files_cost_the_child_its_limits_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.vcd").write_text(vcd("#0\n" + "b1 !\n" * 10))
    (tmp_path / "i").mkdir()
    for limits in ("0,1000000000,1000000", "60,1000000000,10"):
        done = subprocess.run([sys.executable, "-m", "wasmjit_api.worker", limits, "index", str(tmp_path / "a.vcd"), str(tmp_path / "i")], capture_output=True, timeout=60, check=False)
        assert done.returncode != 0 and b'"ok": true' not in done.stdout


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x00", b"$scope module t $end $var wire 4 ! s $end $enddefinitions $end\n#0 b1 !\n"]))
@settings(deadline=None)
def test_any_bytes_are_an_index_or_a_plain_error(tmp_path_factory: pytest.TempPathFactory, data: bytes, head: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "a").write_bytes((head + data).replace(b"\x00", b" ") if head != b"\x00" else b"#" + data)
    try:
        index_of(folder / "a", folder / "i")
    except WaveFileError as error:
        assert str(error)


def test_small_helpers() -> None:
    assert split_range("data [31:0]") == ("data", 31, 0) and split_range("m[3]") == ("m[3]", None, None) and split_range("\\a[1:0]") == ("a[1:0]", None, None)
    assert parse_timescale("100ps") == 100_000 and fst_ident(1) == b"!" and fst_ident(95) == b"!!"
