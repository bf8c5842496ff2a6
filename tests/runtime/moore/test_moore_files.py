"""File services, scanning, memory files."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from fake_runtime import FakeRuntime
from hypothesis import given
from hypothesis import strategies as st

from wasmjit.runtime.moore.scan import Number, Source, scan
from wasmjit.runtime.services import SimFault
from wasmjit.sem.readmem import ReadMemError, Word, format_memory, parse_memory

EOF = (1 << 32) - 1


def fopen(rt: FakeRuntime, name: bytes, mode: bytes = b"") -> int:
    return rt.call("__moore_fopen", rt.string(name), rt.string(mode))  # type: ignore[no-any-return]


def test_writing_and_reading_back(rt: FakeRuntime, tmp_path: Path) -> None:
    fd = fopen(rt, b"a.txt", b"w")
    assert fd >> 31 == 1
    rt.call("__moore_fwrite", fd, rt.string(b"AB\n"))
    rt.call("__moore_fwrite", fd, rt.string(b"42\n"))
    rt.call("__moore_fclose", fd)
    assert (tmp_path / "a.txt").read_bytes() == b"AB\n42\n"
    fd = fopen(rt, b"a.txt", b"r")
    assert rt.call("__moore_feof", fd) == 0
    assert rt.call("__moore_fgetc", fd) == 65
    assert rt.call("__moore_ftell", fd) == 1
    assert rt.call("__moore_ungetc", 90, fd) == 90
    assert rt.call("__moore_ftell", fd) == 0
    assert rt.call("__moore_fgetc", fd) == 90
    assert rt.call("__moore_fseek", fd, 0, 0) == 0
    line = rt.queue()
    assert rt.call("__moore_fgets", line, fd) == 3
    addr, n = struct.unpack("<Qq", rt.read(line, 16))
    assert rt.read(addr, n) == b"AB\n"
    assert rt.call("__moore_fgets", line, fd) == 3
    assert rt.call("__moore_feof", fd) != 0
    assert rt.call("__moore_fgets", line, fd) == 0
    assert rt.call("__moore_fgetc", fd) == EOF
    rt.call("__moore_rewind", fd)
    assert rt.call("__moore_ftell", fd) == 0 and rt.call("__moore_feof", fd) == 0
    assert rt.call("__moore_fseek", fd, -2, 2) == 0
    assert rt.call("__moore_fgetc", fd) == ord("2")
    assert rt.call("__moore_fseek", fd, 0, 7) == EOF


def test_update_mode_reads_what_was_written(rt: FakeRuntime) -> None:
    fd = fopen(rt, b"b.txt", b"w+")
    rt.call("__moore_fwrite", fd, rt.string(b"xyz"))
    rt.call("__moore_rewind", fd)
    assert rt.call("__moore_fgetc", fd) == ord("x")
    rt.call("__moore_fwrite", fd, rt.string(b"!"))
    rt.call("__moore_rewind", fd)
    assert [rt.call("__moore_fgetc", fd) for _ in range(4)] == [*b"x!z", EOF]


def test_errors_have_numbers_and_texts(rt: FakeRuntime) -> None:
    message = rt.queue()
    assert fopen(rt, b"missing.txt", b"r") == 0
    assert rt.call("__moore_ferror", 0, message) != 0
    addr, n = struct.unpack("<Qq", rt.read(message, 16))
    assert rt.read(addr, n) == b"No such file or directory"
    good = fopen(rt, b"c.txt", b"w")
    assert rt.call("__moore_ferror", good, message) == 0
    assert struct.unpack("<Qq", rt.read(message, 16))[1] == 0
    rt.call("__moore_fclose", good)
    assert rt.call("__moore_ferror", good, message) != 0
    assert rt.call("__moore_fgetc", 0x8000_0055) == EOF and rt.call("__moore_ftell", 0x8000_0055) == EOF
    assert fopen(rt, b"c.txt", b"zz") == 0
    assert fopen(rt, b".", b"r") == 0


def test_without_a_grant_no_file_is_opened() -> None:
    rt = FakeRuntime(None)
    assert fopen(rt, b"/etc/passwd", b"r") == 0
    assert "not allowed" in rt.warnings[0]


def test_standard_output_and_multichannel_descriptors(rt: FakeRuntime, tmp_path: Path) -> None:
    rt.call("__moore_fwrite", 0x8000_0001, rt.string(b"one "))
    channel = fopen(rt, b"m.txt")
    assert channel == 2
    rt.call("__moore_fwrite", channel | 1, rt.string(b"both"))
    rt.call("__moore_fflush", channel)
    assert (tmp_path / "m.txt").read_bytes() == b"both"
    rt.call("__moore_fclose", channel)
    assert rt.printed == b"one both"
    assert fopen(rt, b"m.txt") == 2, "a closed channel is free again"


def test_fgets_fills_a_packed_net(rt: FakeRuntime, tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_bytes(b"hi\n")
    dest = rt.net(64)
    rt.store_bytes(dest, b"\xff" * 64)
    assert rt.call("__moore_fgets", dest, fopen(rt, b"p.txt", b"r")) == 3
    assert rt.read(dest, 32) == b"\nih" + bytes(29) and rt.read(dest + 32, 32) == bytes(32)


def test_fread_fills_memories_and_words_big_endian(rt: FakeRuntime, tmp_path: Path) -> None:
    (tmp_path / "d.bin").write_bytes(b"\xde\xad\xbe\xef")
    mem, word = rt.net(8), rt.net(8)
    rt.store_bytes(mem, b"\xff" * 8)
    rt.store_bytes(word, b"\xff" * 8)
    assert rt.call("__moore_fread", mem, 8, 2, 4, fopen(rt, b"d.bin", b"r")) == 4
    assert rt.read(mem, 8) == b"\xde\0\xad\0\xbe\0\xef\0"
    fd = fopen(rt, b"d.bin", b"r")
    assert rt.call("__moore_fread", word, 32, 8, 1, fd) == 4
    assert rt.read(word, 8) == struct.pack("<II", 0xDEADBEEF, 0)
    assert rt.call("__moore_fread", word, 32, 8, 1, fd) == 0
    with pytest.raises(SimFault):
        rt.call("__moore_fread", word, 0, 8, 1, fd)


def sscanf(rt: FakeRuntime, text: bytes, fmt: bytes, n: int) -> tuple[int, list[int]]:
    results, widths = rt.alloc(8 * n + 8), rt.data(struct.pack(f"<{n + 1}i", *[160] * (n + 1)))
    count = rt.call("__moore_sscanf", rt.data(text), len(text), rt.data(fmt + b"\0"), results, widths, n)
    return count, [rt.ld(results + 8 * i, 8) for i in range(n)]


def test_sscanf_stores_numbers_and_packed_strings(rt: FakeRuntime) -> None:
    count, values = sscanf(rt, b"42 hello", b"%d %s", 2)
    assert count == 2 and values == [42, int.from_bytes(b"hello", "big")]
    assert sscanf(rt, b"ff", b"%h", 1) == (1, [255])
    assert sscanf(rt, b"x=-3", b"x=%d", 1) == (1, [(1 << 64) - 3])
    assert sscanf(rt, b"", b"%d", 1)[0] == EOF
    assert sscanf(rt, b"abc", b"%d", 1)[0] == 0
    assert sscanf(rt, b"1,2,3", b"%d,%d", 1)[0] == 1, "no more results than the call has room for"


def test_scan_conversions() -> None:
    def run(text: bytes, fmt: bytes) -> list[Number | float | bytes]:
        return scan(Source(text), fmt, "top")[0]

    assert run(b"1x0z", b"%b") == [Number(0b1001, 0b0101)]
    assert run(b"17 0x1F z", b"%o %h %d") == [Number(15), Number(31), Number(-1, -1)]
    assert run(b"12345", b"%2d%d") == [Number(12), Number(345)]
    assert run(b"1 2 3", b"%d %*d %d") == [Number(1), Number(3)]
    assert run(b"2.5e1!", b"%f%c") == [25.0, Number(33)]
    assert run(b"100% ok", b"%d%% %s") == [Number(100), b"ok"]
    assert run(b"", b"%m") == [b"top"]
    assert run(b"a", b"%q") == []


def test_fscanf_leaves_the_rest_of_the_file(rt: FakeRuntime, tmp_path: Path) -> None:
    (tmp_path / "n.txt").write_bytes(b"42\n99\n" + b"7 " * 5000)
    fd = fopen(rt, b"n.txt", b"r")
    results, widths, fmt = rt.alloc(8), rt.data(struct.pack("<i", 32)), rt.data(b"%d\0")

    def one() -> int:
        return rt.call("__moore_fscanf", fd, fmt, results, widths, 1)  # type: ignore[no-any-return]

    assert one() == 1 and rt.ld(results, 8) == 42
    assert rt.call("__moore_ftell", fd) == 2
    assert one() == 1 and rt.ld(results, 8) == 99
    total = 0
    while one() == 1:
        total += rt.ld(results, 8)
    assert total == 35000 and rt.call("__moore_feof", fd) == 1


def test_memory_files_round_trip(rt: FakeRuntime, tmp_path: Path) -> None:
    mem, copy = rt.net(8), rt.net(8)
    rt.store_bytes(mem, bytes((0xDE, 0, 0, 0xFF, 0xF1, 0xF0, 1, 0)))
    rt.call("__moore_writememh", rt.string(b"o.hex"), mem, 8, 4)
    assert (tmp_path / "o.hex").read_bytes() == b"// 0x00000000\nde\nxx\nz1\n01\n", "as Icarus writes it"
    rt.call("__moore_readmemh", rt.string(b"o.hex"), copy, 8, 4)
    assert rt.read(copy, 8) == rt.read(mem, 8)
    rt.call("__moore_writememb", rt.string(b"o.bin"), mem, 8, 4)
    rt.store_bytes(copy, bytes(8))
    rt.woken.clear()
    rt.call("__moore_readmemb", rt.string(b"o.bin"), copy, 8, 4)
    assert rt.read(copy, 8) == rt.read(mem, 8) and rt.woken == [1], "one store for the whole memory"


def test_a_2_state_memory_takes_values_only(rt: FakeRuntime, tmp_path: Path) -> None:
    (tmp_path / "m.hex").write_text("@1 aa x1\n")
    mem = rt.net(4)
    rt.store_bytes(mem, b"\x77" * 4)
    rt.call("__moore_readmemh", rt.string(b"m.hex"), mem, 8, 4)
    assert rt.read(mem, 4) == b"\x77\xaa\x01\x77"


def test_problems_of_memory_files_are_warnings(rt: FakeRuntime, tmp_path: Path) -> None:
    mem = rt.net(4)
    (tmp_path / "bad.hex").write_text("11 22\n33 gg\n")
    (tmp_path / "long.hex").write_text("1 2 3 4 5 6\n")
    for name in (b"none.hex", b"bad.hex", b"long.hex"):
        rt.call("__moore_readmemh", rt.string(name), mem, 8, 4)
    assert "unable to open" in rt.warnings[0] and "line 2" in rt.warnings[1] and "outside" in rt.warnings[2]
    assert rt.read(mem, 4) == b"\1\2\3\4"
    with pytest.raises(SimFault):
        rt.call("__moore_readmemh", rt.string(b"long.hex"), mem, -1, 4)


def test_an_address_outside_of_the_memory_ends_the_loading(rt: FakeRuntime, tmp_path: Path) -> None:
    """Also when no word follows before the next address (IEEE 1800 §21.4)."""
    (tmp_path / "m.hex").write_text("1 @4 @2 3\n")
    mem = rt.net(4)
    rt.call("__moore_readmemh", rt.string(b"m.hex"), mem, 8, 4)
    assert rt.read(mem, 4) == b"\1\0\0\0" and "0x4 is outside" in rt.warnings[0]


def test_the_memory_file_grammar() -> None:
    text = b"// c\n1 /* a\nb */ 2_2\n@10 xz?\n\n\t0F"
    assert list(parse_memory(text, 16)) == [Word(0, 1, 0), Word(1, 0x22, 0), Word(16, 0x0FF, 0xFFF), Word(17, 15, 0)]
    assert list(parse_memory(b"1x0z", 2)) == [Word(0, 0b1001, 0b0101)]
    for bad in (b"@ 1", b"@_", b"12g", b"1.5", b"/* open"):
        with pytest.raises(ReadMemError):
            list(parse_memory(bad, 16))


@given(st.lists(st.tuples(st.integers(0, 2**70 - 1), st.integers(0, 2**70 - 1)), max_size=8))
def test_binary_memory_files_keep_every_bit(words: list[tuple[int, int]]) -> None:
    back = [(w.value, w.unknown) for w in parse_memory(format_memory(words, 70, 2), 2)]
    assert back == words
