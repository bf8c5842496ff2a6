from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.waves.support import random_wave
from wasmjit.waves.data import Limits
from wasmjit.waves.model import WaveError
from wasmjit.waves.read import open_wave

HEADER = """$date today $end $version hand $end
$comment a remark $end
$timescale 10 ns $end
$scope module top $end
$var wire 1 ! clk $end
$var wire 8 " data[7:0] $end
$var wire 1 # v [3] $end
$scope task t $end
$var real 64 $ r $end
$var string 1 % \\s.x $end
$var event 1 & e $end
$upscope $end
$upscope $end
$enddefinitions $end
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "a.vcd"
    path.write_text(text)
    return path


def test_a_hand_written_file(tmp_path: Path) -> None:
    body = '#0 $dumpvars 0! bx1 " z# r0.5 $ shi\\040you % $end\n#2\n1!\nB101 "\n1&\n#3 $comment #1 ignored $end 1& 0! 1!\n#7'
    data = open_wave(write(tmp_path, HEADER + body))
    assert (data.timescale_fs, data.start_fs, data.end_fs) == (10**7, 0, 7 * 10**7)
    assert (data.date, data.version) == ("today", "hand")
    assert [s.name for s in data.signals] == ["top.clk", "top.data", "top.v[3]", "top.t.r", "top.t.s.x", "top.t.e"]
    assert data.scope_kinds[("top", "t")] == "task"

    def of(name: str) -> list[tuple[int, object]]:
        return [(t // 10**7, v) for t, v in data.changes(data.signal(name))]

    assert of("top.clk") == [(0, "0"), (2, "1")]
    assert of("top.data") == [(0, "xxxxxxx1"), (2, "00000101")]
    assert of("top.v[3]") == [(0, "z")]
    assert of("top.t.r") == [(0, 0.5)]
    assert of("top.t.s.x") == [(0, "hi you")]
    assert of("top.t.e") == [(2, "1"), (3, "1")]
    assert data.value_at(data.signal("top.data"), 15 * 10**6) == "xxxxxxx1"
    assert data.value_at(data.signal("top.t.e"), 0) is None
    assert [t for t, _, _ in data.all_changes()] == sorted(t for s in data.signals for t, _ in data.changes(s))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello world", "expected a \\$keyword"),
        ("", "empty"),
        ("$scope module top $end", "no \\$enddefinitions"),
        ("$scope module top", "\\$scope has no \\$end"),
        ("$scope $end", "needs a kind and a name"),
        ("$upscope $end", "without a \\$scope"),
        ("$timescale 3 ns $end", "time scale"),
        ("$var wire x ! a $end", "expected \\$var"),
        ("$var wire 0 ! a $end", "width 0"),
        ("$var wire 99999999 ! a $end", "beyond the limit"),
        ("$var wire 1 ! a $end $var wire 2 ! b $end", "declared with width 1 and 2"),
        (HEADER + "#x", "expected a time"),
        (HEADER + "#5 #4", "backwards"),
        (HEADER + "#0 1?", "undeclared code '\\?'"),
        (HEADER + "#0 b1 ?", "undeclared code '\\?'"),
        (HEADER + "#0 b101", "without its code"),
        (HEADER + '#0 b1a "', "expected a bit vector"),
        (HEADER + '#0 b111111111 "', "9 bits for a variable of 8"),
        (HEADER + "#0 r1.5 !", "real value"),
        (HEADER + "#0 rone $", "real number"),
        (HEADER + "#0 sx !", "string"),
        (HEADER + "#0 1$", "bit value"),
        (HEADER + "#0 $comment", "no \\$end"),
        (HEADER + "#0 $scope", "unexpected"),
        (HEADER + "#0 q!", "expected a value change"),
    ],
)
def test_malformed_files_are_refused_with_the_place(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(WaveError, match=message) as caught:
        open_wave(write(tmp_path, text))
    assert str(tmp_path / "a.vcd") in str(caught.value)


def test_a_damaged_file_can_be_read_up_to_the_damage(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + '#0 0! #5 1! #6 b10')
    data = open_wave(path, tolerant=True)
    assert "without its code" in data.truncated
    assert list(data.changes(data.signals[0])) == [(0, "0"), (5 * 10**7, "1")]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(file_bytes=100), "file size"),
        (Limits(variables=3), "number of variables"),
        (Limits(width=7), "width"),
        (Limits(depth=1), "depth"),
        (Limits(changes=2), "number of value changes"),
    ],
)
def test_limits_bound_what_is_read(limits: Limits, message: str, tmp_path: Path) -> None:
    with pytest.raises(WaveError, match=message):
        open_wave(write(tmp_path, HEADER + "#0 0! #1 1! #2 0!"), limits)


def test_a_file_of_one_endless_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WaveError, match="length of a word"):
        open_wave(write(tmp_path, "$comment " + "x" * 3_000_000), Limits(token_bytes=1_000_000))


def test_gzip_is_read_and_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.vcd.gz"
    path.write_bytes(gzip.compress((HEADER + "#0 0!\n" + " " * 50_000_000).encode()))
    with pytest.raises(WaveError, match="file size"):
        open_wave(path, Limits(file_bytes=1_000_000))
    path.write_bytes(gzip.compress((HEADER + "#0 1!").encode()))
    assert open_wave(path).change_count == 1
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(WaveError, match="cannot read"):
        open_wave(path)


def test_words_may_straddle_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, HEADER + '#0\n$dumpvars\n0!\nb1 "\n$end\n#10\n1!\nb1010 "\nr2.5 $\n')
    whole = open_wave(path)
    for size in (1, 2, 3, 7):
        monkeypatch.setattr("wasmjit.waves.vcd_read._CHUNK", size)
        assert open_wave(path) == whole


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(WaveError, match="No such file"):
        open_wave(tmp_path / "none.vcd")
    with pytest.raises(WaveError, match="cannot read"):
        open_wave(tmp_path)


def test_damaged_fst_files_are_refused(tmp_path: Path) -> None:
    good = tmp_path / "good.fst"
    random_wave(good, seed=1)
    content = good.read_bytes()
    bad = tmp_path / "bad.fst"
    for size in (1, 9, 329, 400, len(content) - 1):
        bad.write_bytes(content[:size])
        with pytest.raises(WaveError):
            open_wave(bad)
    # Flipped bytes inside blocks: libfst may refuse them, crash in its process, or deliver something that is still a waveform.
    rng = random.Random(5)
    for _ in range(12):
        damaged = bytearray(content)
        for _ in range(3):
            damaged[rng.randrange(330, len(damaged))] = rng.randrange(256)
        bad.write_bytes(damaged)
        try:
            assert open_wave(bad).format == "fst"
        except WaveError as exc:
            assert "bad.fst" in str(exc)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutated_vcd_never_raises_anything_else(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    text = bytearray((HEADER + '#0 $dumpvars 0! bx1 " z# r0.5 $ shi % $end #2 1! B101 " 1& #3 0!').encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=4))
    path = tmp_path_factory.mktemp("m") / "m.vcd"
    path.write_bytes(text)
    try:
        read = open_wave(path)
    except WaveError as exc:
        assert "m.vcd" in str(exc)
    else:
        assert all(len(t) == len(v) for t, v in zip(read.times, read.values, strict=True))
