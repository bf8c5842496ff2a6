from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
import pywellen
from hypothesis import given, settings
from hypothesis import strategies as st

from wasmjit.waves.convert import create_writer
from wasmjit.waves.data import sample_of
from wasmjit.waves.model import ScopeDecl, Value, VarDecl, WaveError, compress_bits, extend_bits, format_time, parse_time, walk_vars
from wasmjit.waves.read import open_wave
from wasmjit.waves.vcd import VcdWriter, escape_string, identifier_code
from wasmjit.waves.vcd_read import unescape_string

FORMATS = ("vcd", "fst")

HIERARCHY = [
    ScopeDecl(
        "top",
        "module",
        (
            VarDecl("clk", "wire", 1, 0),
            VarDecl("bus", "reg", 8, 1, 7, 0),
            VarDecl("mem[3]", "reg", 8, 2),
            VarDecl("level", "real", 64, 3),
            VarDecl("text", "string", 1, 4),
            VarDecl("go", "event", 1, 5),
            VarDecl("wide", "wire", 100, 6),
            VarDecl("clk_alias", "wire", 1, 0),
            VarDecl("odd name", "wire", 4, 7),
        ),
        (
            ScopeDecl("u1", "module", (VarDecl("q", "wire", 4, 8, 0, 3),)),
            ScopeDecl("p", "process", (VarDecl("i", "integer", 32, 9),)),
            ScopeDecl("f", "fork"),
            ScopeDecl("g", "function", (VarDecl("r", "reg", 1, 10),)),
        ),
    )
]
KINDS = {v.id: v for v in walk_vars(HIERARCHY)}


def value_of(kind: str, width: int) -> st.SearchStrategy[Value]:
    if kind == "real":
        return st.floats(allow_nan=False)
    if kind == "string":
        return st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
    if kind == "event":
        return st.just(1)
    return st.one_of(st.integers(0, (1 << width) - 1), st.text("01xz", min_size=width, max_size=width))


steps = st.lists(
    st.tuples(
        st.integers(1, 5000),
        st.lists(st.sampled_from(sorted(KINDS)).flatmap(lambda i: st.tuples(st.just(i), value_of(KINDS[i].kind, KINDS[i].width))), max_size=8),
    ),
    max_size=8,
)


def expected_samples(run: list[tuple[int, list[tuple[int, Value]]]]) -> dict[int, list[tuple[int, object]]]:
    """Reference model: last value per step, written when it differs; unset variables are x, 0.0 or '' at the first step."""
    now, current, samples = 0, {}, {i: [] for i in KINDS}
    first = run[0][0] if run else 0  # without any change the file begins at 0
    for i, var in KINDS.items():
        if var.kind != "event":
            unset = {"real": 0.0, "string": ""}.get(var.kind, "x" * var.width)
            current[i] = unset
            samples[i].append((first, unset))
    for delta, pairs in run:
        now += delta
        for i, value in dict(pairs).items():
            var = KINDS[i]
            sample = sample_of(value, var.kind, var.width)
            if var.kind == "event":
                samples[i].append((now, sample))
            elif sample != current[i]:
                if samples[i] and samples[i][-1][0] == now:
                    samples[i].pop()
                samples[i].append((now, sample))
                current[i] = sample
    return samples


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_is_written_reads_back(suffix: str, tmp_path: Path) -> None:
    @settings(max_examples=60 if suffix == "vcd" else 8, deadline=None)
    @given(steps)
    def check(run: list[tuple[int, list[tuple[int, Value]]]]) -> None:
        path = tmp_path / f"w.{suffix}"
        writer = create_writer(str(path))
        writer.declare(HIERARCHY)
        now = 0
        for delta, pairs in run:
            now += delta
            writer.changes(now, pairs)
        writer.close(now + 7)
        data = open_wave(path)
        expected = expected_samples(run)
        by_leaf = {s.path[-1]: s for s in data.signals}
        for i, var in KINDS.items():
            assert list(data.changes(by_leaf[var.name.replace(" ", "_")])) == expected[i], var
        assert data.end_fs == now + 7
        assert list(data.changes(by_leaf["clk_alias"])) == expected[0]

    check()


def write_sample(path: Path) -> None:
    writer = create_writer(str(path))
    writer.declare(HIERARCHY)
    writer.changes(0, [(0, 0), (1, 5), (3, 1.5), (4, "Hello"), (6, (1 << 99) | 3)])
    writer.changes(10, [(0, 1), (1, "0000x1z1"), (5, 1), (2, "zzzzzzzz")])
    writer.changes(20, [(0, 0), (0, 1), (3, -2.25), (4, "a b\\c"), (5, 1), (8, 5), (9, 7), (10, "x")])
    writer.dumpoff(25)
    writer.changes(30, [(0, 0)])
    writer.dumpon(40)
    writer.changes(50, [(5, 1), (0, 1)])
    writer.close(100)


def foreign_view(path: Path) -> dict[str, object]:
    wave = pywellen.Waveform(str(path))
    assert str(wave.timescale) == "1fs"
    return {v.full_name: (str(v.var_type), v.bitwidth, [(t, str(x)) for t, x in v.signal]) for v in wave.all_vars()}


def test_a_foreign_reader_sees_both_formats_alike(tmp_path: Path) -> None:
    for suffix in FORMATS:
        write_sample(tmp_path / f"w.{suffix}")
    vcd, fst = foreign_view(tmp_path / "w.vcd"), foreign_view(tmp_path / "w.fst")
    assert vcd == fst
    assert vcd["top.clk"] == ("Wire", 1, [(0, "0"), (10, "1"), (25, "x"), (40, "0"), (50, "1")])
    assert vcd["top.bus"] == ("Reg", 8, [(0, "5"), (10, "0000x1z1"), (25, "x" * 8), (40, "0000x1z1")])
    assert vcd["top.level"] == ("Real", None, [(0, "1.5"), (20, "-2.25"), (25, "nan"), (40, "-2.25")])
    assert [t for t, _ in vcd["top.go"][2]] == [10, 20, 50]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_foreign_reader_sees_what_we_read(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"w.{suffix}"
    write_sample(path)
    ours, theirs = open_wave(path), pywellen.Waveform(str(path))
    assert len(ours.signals) == len(theirs.all_vars())
    by_leaf = {v.name: v for v in theirs.all_vars()}
    for signal in ours.signals:
        if signal.kind in ("event", "string", "real") or signal.path[-1].startswith(("mem", "odd")):
            continue
        var = by_leaf[signal.path[-1]]
        samples = [(t, format(v, f"0{signal.width}b") if isinstance(v, int) else v) for t, v in var.signal]
        assert samples == list(ours.changes(signal)), signal


def test_vcd_text_follows_the_standard(tmp_path: Path) -> None:
    path = tmp_path / "w.vcd"
    write_sample(path)
    lines = path.read_text().splitlines()
    assert "$timescale 1fs $end" in lines
    assert "$scope begin p $end" in lines and "$scope fork f $end" in lines and "$scope function g $end" in lines
    assert '$var reg 8 " bus [7:0] $end' in lines
    assert "$var reg 8 # mem[3] [7:0] $end" in lines
    assert any(line.startswith("$var wire 4") and line.endswith("\\odd_name [3:0] $end") for line in lines)
    first = lines.index("#0")
    assert lines[first + 1] == "$dumpvars"
    assert lines[first + 2 : first + 5] == ["0!", 'b101 "', "bx #"]
    assert 'b0x1z1 "' in lines
    assert "1&" in lines
    assert lines[-1] == "#100"
    assert lines.count("$dumpoff") == lines.count("$dumpon") == 1


def test_a_glitch_within_a_step_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "w.vcd"
    writer = VcdWriter(str(path))
    writer.declare([ScopeDecl("t", "module", (VarDecl("a", "wire", 1, 0),))])
    writer.change(0, 0, 0)
    writer.change(5, 0, 1)
    writer.change(5, 0, 0)
    writer.change(9, 0, 1)
    writer.close()
    assert path.read_text().split("$end\n")[-1].split() == ["#9", "1!"]


def test_a_coarse_timescale_collapses_steps(tmp_path: Path) -> None:
    path = tmp_path / "w.vcd"
    writer = VcdWriter(str(path), timescale="1ps")
    writer.declare([ScopeDecl("t", "module", (VarDecl("a", "wire", 8, 0),))])
    for time, value in ((0, 1), (1500, 2), (1700, 3), (2000, 4)):
        writer.change(time, 0, value)
    writer.close()
    data = open_wave(path)
    assert [(t, int(str(v), 2)) for t, v in data.changes(data.signals[0])] == [(0, 1), (1000, 3), (2000, 4)]


@pytest.mark.parametrize("suffix", FORMATS)
def test_misuse_is_reported(suffix: str, tmp_path: Path) -> None:
    writer = create_writer(str(tmp_path / f"w.{suffix}"))
    with pytest.raises(WaveError, match="not open"):
        writer.change(0, 0, 0)
    writer.declare(HIERARCHY)
    with pytest.raises(WaveError, match="already declared"):
        writer.declare(HIERARCHY)
    writer.change(10, 0, 1)
    with pytest.raises(WaveError, match="backwards"):
        writer.change(9, 0, 0)
    writer.close()
    writer.close()
    with pytest.raises(WaveError, match="not open"):
        writer.change(11, 0, 1)
    with pytest.raises(WaveError, match="cannot write"):
        create_writer(str(tmp_path / "no" / f"w.{suffix}"))


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ((VarDecl("a", "net", 1, 0),), "unknown kind"),
        ((VarDecl("a", "wire", 0, 0),), "below 1"),
        ((VarDecl("a", "wire", 1, 0), VarDecl("b", "wire", 2, 0)), "share id"),
    ],
)
def test_wrong_declarations_are_refused(variables: tuple[VarDecl, ...], message: str, tmp_path: Path) -> None:
    writer = VcdWriter(str(tmp_path / "w.vcd"))
    with pytest.raises(WaveError, match=message):
        writer.declare([ScopeDecl("t", "module", variables)])
    writer.close()


def test_an_undeclared_variable_is_refused(tmp_path: Path) -> None:
    writer = VcdWriter(str(tmp_path / "w.vcd"))
    writer.declare(HIERARCHY)
    writer.change(0, 99, 1)
    with pytest.raises(WaveError, match="undeclared variable 99"):
        writer.change(1, 0, 1)
    with pytest.raises(WaveError, match="undeclared variable 99"):
        writer.close()
    assert writer.closed and open_wave(tmp_path / "w.vcd").change_count == 0


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("ending", ["raise RuntimeError('stop')", "raise SystemExit(3)", "del writer"])
def test_the_file_is_complete_when_the_run_is_aborted(suffix: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"w.{suffix}"
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from wasmjit.waves.convert import create_writer
from wasmjit.waves.model import ScopeDecl, VarDecl
writer = create_writer({str(path)!r})
writer.declare([ScopeDecl("t", "module", (VarDecl("a", "wire", 8, 0),))])
for time in range(50):
    writer.change(time, 0, time)
{ending}
"""
    subprocess.run([sys.executable, "-c", script], stderr=subprocess.DEVNULL, check=False)
    data = open_wave(path)
    assert [int(str(v), 2) for _, v in data.changes(data.signals[0])] == list(range(50))


@given(st.text("01xz", min_size=1, max_size=70))
def test_compressed_bits_extend_to_the_same_value(bits: str) -> None:
    short = compress_bits(bits)
    assert extend_bits(short, len(bits)) == bits
    assert len(short) == 1 or extend_bits(short[1:], len(short)) != short


@given(st.text(st.characters(codec="utf-8")))
def test_string_values_are_one_word_and_invertible(text: str) -> None:
    word = "s" + escape_string(text)
    assert word.split() == [word] and word.isascii()
    assert unescape_string(word[1:]) == text


def test_identifier_codes_are_printable_and_distinct() -> None:
    codes = [identifier_code(i) for i in range(20000)]
    assert len(set(codes)) == 20000
    assert all(33 <= ord(c) <= 126 for code in codes for c in code)
    assert max(map(len, codes)) == 3


@given(st.integers(0, 10**20))
def test_times_print_and_parse(time: int) -> None:
    assert parse_time(format_time(time)) == time


def test_reals_keep_all_their_bits(tmp_path: Path) -> None:
    values = [0.1, 1e-300, -math.pi, math.inf, 5e-324]
    for suffix in FORMATS:
        writer = create_writer(str(tmp_path / f"w.{suffix}"))
        writer.declare([ScopeDecl("t", "module", (VarDecl("a", "real", 64, 0),))])
        for time, value in enumerate(values):
            writer.change(time, 0, value)
        writer.close()
        data = open_wave(tmp_path / f"w.{suffix}")
        assert [v for _, v in data.changes(data.signals[0])] == values, suffix
