"""String services, plusargs and time formatting."""

from __future__ import annotations

import struct

import pytest
from fake_runtime import FakeRuntime
from hypothesis import given
from hypothesis import strategies as st

from wasmjit.runtime.services import SimFault


def test_methods_return_what_the_standard_says(rt: FakeRuntime) -> None:
    s = rt.string(b"Hello World")
    assert rt.call("__moore_string_len", s) == 11
    assert rt.text("__moore_string_toupper", s) == b"HELLO WORLD"
    assert rt.text("__moore_string_tolower", s) == b"hello world"
    assert rt.call("__moore_string_getc", s, 0) == 72
    assert rt.call("__moore_string_getc", s, 11) == 0
    assert rt.call("__moore_string_getc", s, -1) == 0
    assert rt.text("__moore_string_substr", s, 6, 10) == b"World"
    assert rt.text("__moore_string_substr", s, 6, 11) == b""
    assert rt.text("__moore_string_substr", s, 3, 2) == b""
    assert rt.text("__moore_string_putc", s, 0, ord("J")) == b"Jello World"
    assert rt.text("__moore_string_putc", s, 0, 0) == b"Hello World"
    assert rt.text("__moore_string_putc", s, 11, 65) == b"Hello World"
    assert rt.text("__moore_string_concat", s, rt.string(b"!")) == b"Hello World!"
    assert rt.text("__moore_string_replicate", rt.string(b"ab"), 3) == b"ababab"
    assert rt.text("__moore_string_replicate", rt.string(b"ab"), -1) == b""


def test_strings_are_values_that_are_never_changed_in_place(rt: FakeRuntime) -> None:
    s = rt.string(b"abc")
    rt.call("__moore_string_putc", s, 1, ord("X"))
    assert rt.text("__moore_string_tolower", s) == b"abc"


def test_comparison_is_by_bytes_and_optionally_without_case(rt: FakeRuntime) -> None:
    a, b = rt.string(b"abc"), rt.string(b"ABD")
    assert rt.call("__moore_string_compare", a, b) == 1
    assert rt.call("__moore_string_cmp", b, a) == 0xFFFF_FFFF
    assert rt.call("__moore_string_icompare", a, b) == 0xFFFF_FFFF
    assert rt.call("__moore_string_icompare", a, rt.string(b"aBC")) == 0
    assert rt.call("__moore_string_cmp", rt.string(b""), rt.string(b"")) == 0


@pytest.mark.parametrize(
    ("text", "base", "value"),
    [
        (b"42", 10, 42),
        (b" -7x", 10, -7),
        (b"1_000", 10, 1000),
        (b"ff", 16, 255),
        (b"0xFF", 16, 255),
        (b"x", 10, 0),
        (b"", 10, 0),
        (b"777", 8, 511),
        (b"1012", 2, 5),
        (b"fg", 16, 15),
        (b"__", 10, 0),
    ],
)
def test_numbers_in_strings(rt: FakeRuntime, text: bytes, base: int, value: int) -> None:
    name = {2: "__moore_string_atobin", 8: "__moore_string_atooct", 10: "__moore_string_atoi", 16: "__moore_string_atohex"}[base]
    assert rt.call(name, rt.string(text)) == value & 0xFFFF_FFFF


def test_numbers_to_strings(rt: FakeRuntime) -> None:
    assert rt.text("__moore_string_itoa", -5) == b"-5"
    assert rt.text("__moore_string_hextoa", 255) == b"ff"
    assert rt.text("__moore_string_octtoa", 8) == b"10"
    assert rt.text("__moore_string_bintoa", 10) == b"1010"
    assert rt.text("__moore_string_hextoa_width", 255, 32) == b"000000ff"
    assert rt.text("__moore_string_hextoa_width", 0xCAFE, 16) == b"cafe"
    assert rt.text("__moore_string_realtoa", 3.5) == b"3.5"
    assert rt.text("__moore_string_chartoa", 0xDE) == b"\xde"
    assert rt.call("__moore_string_atoreal", rt.string(b"3.14 m")) == 3.14
    assert rt.call("__moore_string_atoreal", rt.string(b"m")) == 0.0
    assert rt.call("__moore_string_atoi", rt.string(b"-1")) == 0xFFFF_FFFF


@given(st.binary(max_size=8).filter(lambda b: 0 not in b))
def test_packed_strings_convert_both_ways(text: bytes) -> None:
    rt = FakeRuntime()
    packed = int.from_bytes(text, "big")
    assert rt.text("__moore_packed_string_to_string", packed) == text
    assert rt.call("__moore_string_to_int", rt.string(text)) == packed


@pytest.mark.parametrize("length", [-1, 1 << 40, 1 << 21])
def test_a_wrong_length_is_a_fault(rt: FakeRuntime, length: int) -> None:
    bad = rt.data(struct.pack("<Qq", rt.data(b"abc"), length))
    with pytest.raises(SimFault):
        rt.call("__moore_string_toupper", bad)


def test_a_wild_pointer_is_a_fault(rt: FakeRuntime) -> None:
    with pytest.raises(SimFault):
        rt.call("__moore_string_len", 0x7FFF_FFFF)
    with pytest.raises(SimFault):
        rt.call("__moore_string_len", 8)


def test_test_plusargs_matches_prefixes(rt: FakeRuntime) -> None:
    rt.plusargs = ["VERBOSE", "MY_TEST=3"]

    def found(name: bytes) -> int:
        return rt.call("__moore_test_plusargs", rt.data(name + b"\0"), len(name))  # type: ignore[no-any-return]

    assert [found(n) for n in (b"VERBOSE", b"VERB", b"MY_TEST", b"MISSING", b"")] == [1, 1, 1, 0, 1]


def value(rt: FakeRuntime, fmt: bytes, dest: int, size: int) -> int:
    return rt.call("__moore_value_plusargs", rt.data(fmt + b"\0"), len(fmt), dest, size)  # type: ignore[no-any-return]


def test_value_plusargs_stores_through_the_net_and_wakes_it(rt: FakeRuntime) -> None:
    rt.plusargs = ["MY_INT=42", "MY_HEX=1F", "NEG=-3", "EMPTY="]
    dest = rt.net(4)
    assert value(rt, b"MY_INT=%d", dest, 4) == 1
    assert rt.ld(dest, 4) == 42 and rt.woken == [0]
    assert value(rt, b"MY_HEX=%h", dest, 4) == 1
    assert rt.ld(dest, 4) == 31
    assert value(rt, b"NEG=%0d", dest, 4) == 1
    assert rt.ld(dest, 4) == 0xFFFF_FFFD
    assert value(rt, b"EMPTY=%d", dest, 4) == 1
    assert rt.ld(dest, 4) == 0
    before = len(rt.woken)
    assert value(rt, b"MISSING=%d", dest, 4) == 0
    assert len(rt.woken) == before


def test_value_plusargs_clears_the_unknown_bits_of_a_4_state_variable(rt: FakeRuntime) -> None:
    rt.plusargs = ["T=5", "X=1xz"]
    dest = rt.net(8)
    rt.store_bytes(dest, b"\0\0\0\0\xff\xff\xff\xff")
    assert value(rt, b"T=%d", dest, 4) == 1
    assert rt.read(dest, 8) == struct.pack("<II", 5, 0)
    assert value(rt, b"X=%b", dest, 4) == 1
    assert rt.read(dest, 8) == struct.pack("<II", 0b101, 0b011)
    two_state = rt.net(4)
    assert value(rt, b"X=%b", two_state, 4) == 1
    assert rt.ld(two_state, 4) == 0b100


def test_value_plusargs_of_strings_and_reals(rt: FakeRuntime) -> None:
    rt.plusargs = ["S=hello", "R=2.5"]
    dest = rt.queue()
    assert value(rt, b"S=%s", dest, 16) == 1
    addr, n = struct.unpack("<Qq", rt.read(dest, 16))
    assert rt.read(addr, n) == b"hello"
    packed = rt.net(8)
    assert value(rt, b"S=%s", packed, 8) == 1
    assert rt.ld(packed, 8).to_bytes(8, "big") == b"\0\0\0hello"
    real = rt.net(8)
    assert value(rt, b"R=%f", real, 8) == 1
    assert struct.unpack("<d", rt.read(real, 8)) == (2.5,)
    with pytest.raises(SimFault):
        value(rt, b"S=%q", packed, 8)


def test_times_print_by_timeformat(rt: FakeRuntime) -> None:
    assert rt.text("__moore_format_time", 50_000_000) == b"50"
    rt.call("__moore_timeformat", -9, 3, rt.data(b" ns"), 3, 15)
    assert rt.text("__moore_format_time", 42_000_000) == b"      42.000 ns"
    rt.call("__moore_timeformat", 5, 0, 0, 0, 0)
    assert rt.text("__moore_format_time", 42_000_000) == b"42", "an impossible unit keeps the one in force"


def test_printtimescale(rt: FakeRuntime) -> None:
    rt.call("__moore_printtimescale")
    assert rt.printed == b"Time scale of (top.u) is 1ns / 1ps\n"
