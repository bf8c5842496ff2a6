"""Formatting: recorded output of Icarus Verilog 11, an independent oracle, and Icarus itself where it is installed."""

from __future__ import annotations

import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasmjit.sem import format as f


class Context:
    """A context over a piece of memory."""

    def __init__(self, memory: bytes = b"", now_fs: int = 0, time_format: f.TimeFormat | None = None) -> None:
        self.memory, self.now_fs, self.time_format = memory, now_fs, time_format or f.TimeFormat()

    def read(self, addr: int, n: int, /) -> bytes:
        assert 0 <= addr <= addr + n <= len(self.memory)
        return self.memory[addr : addr + n]

    def instance_path(self) -> str:
        return "top.u0.g[1].x"


CTX = Context()


def pack(bits: str) -> int:
    """A 4-state literal as the packed operand `value << n | unknown`."""
    value = int("".join("1" if c in "1z" else "0" for c in bits), 2)
    unknown = int("".join("1" if c in "xz" else "0" for c in bits), 2)
    return value << len(bits) | unknown


RADIX = {"b": 1, "o": 3, "h": 4}


def show(spec: str, bits: str, signed: bool = False) -> str:
    """Print a 4-state literal by a Verilog conversion such as '012h', translated as circt-verilog translates it."""
    flags, kind = spec[:-1], spec[-1]
    left = flags.startswith("-")
    flags = flags.removeprefix("-")
    width = int(flags) if flags else None
    zero = flags.startswith("0")
    n = len(bits)
    node: f.FormatSpec
    if kind == "d":
        node = f.Dec(n, signed, f.ZERO if zero else f.SPACE, width, left, True)
    else:
        node = f.Radix(RADIX[kind], n, False, f.ZERO if zero or width is None else f.SPACE, width, left, True)
    return f.render(node, [pack(bits)], CTX).decode()


# printed by Icarus Verilog 11 for $display("[%b][%h][%o][%d][%0b][%0h][%0o][%0d]", ...)
# (where %0 has leading x or z digits Icarus keeps repeated ones: None here)
RECORDED = {
    "00001x1z": ["00001x1z", "0X", "01X", "  X", "1x1z", "X", "1X", "X"],
    "0000x001": ["0000x001", "0X", "0X1", "  X", "x001", "X", "X1", "X"],
    "00000001": ["00000001", "01", "001", "  1", "1", "1", "1", "1"],
    "0000zzzz": ["0000zzzz", "0z", "0Zz", "  Z", None, "z", "Zz", "Z"],
    "0000xxxx": ["0000xxxx", "0x", "0Xx", "  X", None, "x", "Xx", "X"],
    "xxxxzzzz": ["xxxxzzzz", "xz", "xXz", "  X", None, "xz", "xXz", "X"],
    "xxxxxxxx": ["xxxxxxxx", "xx", "xxx", "  x", None, None, None, "x"],
    "zzzzzzzz": ["zzzzzzzz", "zz", "zzz", "  z", None, None, None, "z"],
    "xz0z1z": ["xz0z1z", "XZ", "XZ", " X", "xz0z1z", "XZ", "XZ", "X"],
    "xx0000": ["xx0000", "x0", "X0", " X", None, "x0", "X0", "X"],
    "x00000": ["x00000", "X0", "X0", " X", "x00000", "X0", "X0", "X"],
    "0xxxxx": ["0xxxxx", "Xx", "Xx", " X", None, "Xx", "Xx", "X"],
}


@pytest.mark.parametrize("bits", RECORDED)
def test_four_state_digits_print_as_recorded(bits: str) -> None:
    for spec, want in zip(["b", "h", "o", "d", "0b", "0h", "0o", "0d"], RECORDED[bits], strict=True):
        if want is not None:
            assert show(spec, bits) == want, spec


@pytest.mark.parametrize(
    ("bits", "spec", "want"),
    [
        ("00000001", "12b", "           1"),
        ("00000001", "012h", "000000000001"),
        ("00000001", "12d", "           1"),
        ("00000001", "04d", "0001"),
        ("00000001", "-12d", "1           "),
        ("00000001", "-d", "1  "),
        ("00000001", "-12h", "01          "),
        ("00000001", "-12o", "001         "),
        ("00000001", "1d", "1"),
        ("0000xx01", "012h", "00000000000X"),
        ("0000xx01", "012d", "00000000000X"),
        ("0000xx01", "4d", "   X"),
    ],
)
def test_field_width_and_padding(bits: str, spec: str, want: str) -> None:
    assert show(spec, bits) == want


@pytest.mark.parametrize(
    ("value", "spec", "want"),
    [
        (-5, "d", "  -5"),
        (-5, "0d", "-5"),
        (-5, "4d", "  -5"),
        (-5, "04d", "-005"),
        (-5, "06d", "-00005"),
        (-5, "-6d", "-5    "),
        (-5, "-d", "-5  "),
        (5, "d", "   5"),
        (5, "06d", "000005"),
        (-128, "1d", "-128"),
    ],
)
def test_signed_numbers(value: int, spec: str, want: str) -> None:
    assert show(spec, format(value & 0xFF, "08b"), signed=True) == want


def test_default_decimal_widths_are_those_of_the_type() -> None:
    assert [f.decimal_width(w, False) for w in (0, 1, 4, 8, 32, 64, 65, 100)] == [1, 1, 2, 3, 10, 20, 20, 31]
    assert [f.decimal_width(w, True) for w in (0, 1, 4, 8, 32, 64)] == [1, 2, 2, 4, 11, 20]


def test_leading_unknown_digits_collapse_only_when_a_width_is_given() -> None:
    # circt-sim's tests; its digits were compared with a commercial simulator
    eight = (0xB5 << 8) | 0xB4
    assert f.render(f.Oct(8, four_state=True), [eight], CTX) == b"ZZZ"
    assert f.render(f.Oct(8, four_state=True, specifier_width=0), [eight], CTX) == b"Z"
    assert f.render(f.Oct(8, four_state=True, specifier_width=5), [eight], CTX) == b"00ZZZ"
    assert f.render(f.Bin(4, four_state=True), [(9 << 4) | 3], CTX) == b"10xz"
    assert show("0h", "x" * 32) == "x"
    assert show("0h", "xx0000") == "x0"
    assert show("0h", "0xxx0xxx") == "XX", "capital X is not a repetition of the same value"


def test_hex_of_two_state_values_follows_the_operation() -> None:
    for width, want in {None: "0a", 8: "0000000a", 4: "000a", 2: "0a", 0: "a", 1: "a"}.items():
        assert f.render(f.Hex(8, specifier_width=width), [10], CTX).decode() == want
    assert f.render(f.Hex(8, upper=True, specifier_width=4), [0xAB], CTX) == b"00AB"
    assert f.render(f.Hex(0), [0], CTX) == b""
    assert f.render(f.Dec(0), [0], CTX) == b"0"
    assert f.render(f.Hex(100), [1], CTX) == b"0" * 24 + b"1"


PI = 3.14159


@pytest.mark.parametrize(
    ("value", "node", "want"),
    [
        (PI, f.Real("f"), "3.141590"),
        (PI, f.Real("e"), "3.141590e+00"),
        (PI, f.Real("g"), "3.14159"),
        (PI, f.Real("f", 3, 10), "     3.142"),
        (PI, f.Real("f", 3, 10, True), "3.142     "),
        (PI, f.Real("f", 0, 5), "    3"),
        (PI, f.Real("e", 2), "3.14e+00"),
        (PI, f.Real("g", 3, 10), "      3.14"),
        (1e300, f.Real("g"), "1e+300"),
        (123456789.0, f.Real("g"), "1.23457e+08"),
        (123456789.0, f.Real("f"), "123456789.000000"),
        (0.0001, f.Real("g"), "0.0001"),
        (0.00001, f.Real("g"), "1e-05"),
        (math.inf, f.Real("f", 6, 10), "       inf"),
        (-math.inf, f.Real("e"), "-inf"),
        (math.nan, f.Real("g"), "nan"),
    ],
)
def test_reals(value: float, node: f.Real, want: str) -> None:
    assert f.render(node, [value], CTX).decode() == want


@pytest.mark.parametrize(
    ("fs", "fmt", "want"),
    [
        (42_000_000, f.TimeFormat(-9, 3, b" ns", 15), "      42.000 ns"),
        (150_000_000, f.TimeFormat(-9, 2, b" ns", 10), " 150.00 ns"),
        (1_235_000, f.TimeFormat(-9, 2, b"ns", 8), "  1.24ns"),
        (1_235_000, f.TimeFormat(-12, 0, b"", 20), "                1235"),
        (12_500_000, f.TimeFormat(-6, 3, b" us", 8), "0.013 us"),
        (12_500_000, f.TimeFormat(-15, 3, b" fs", 8), "12500000.000 fs"),
        (12_500_000, f.TimeFormat(-3, 0, b" ms", 8), "    0 ms"),
        (-5_000_000, f.TimeFormat(-15, 3, b" fs", 8), "-5000000.000 fs"),
        (30_000_000, f.TimeFormat(), "30"),
    ],
)
def test_times(fs: int, fmt: f.TimeFormat, want: str) -> None:
    ctx = Context(now_fs=fs, time_format=fmt)
    assert f.render(f.Time(), [fs], ctx).decode() == want
    assert f.render(f.Time(current=True), [], ctx).decode() == want


def test_strings_are_read_from_memory_and_padded() -> None:
    ctx = Context(b"..hello")
    assert f.render(f.Str(), [2, 5], ctx) == b"hello"
    assert f.render(f.Str(specifier_width=8), [2, 5], ctx) == b"   hello"
    assert f.render(f.Str(specifier_width=8, left=True), [2, 5], ctx) == b"hello   "
    assert f.render(f.Str(), [0, 0], ctx) == b""
    assert f.render(f.Char(8), [65], ctx) == b"A"
    assert f.render(f.Char(8, four_state=True), [65 << 8 | 1], ctx) == b"@"
    assert f.packed_string(0x61000062) == b"ab"


def test_hierarchical_paths() -> None:
    assert f.render(f.HierPath(), [], CTX) == b"top.u0.g[1].x"
    assert f.render(f.HierPath(escaped=True), [], CTX) == rb"top.u0.\g[1] .x"


def test_concatenation_consumes_leaves_in_order() -> None:
    inner = f.Concat((f.Literal(b"<"), f.Str(), f.Literal(b">")))
    spec = f.Concat(
        (f.Literal(b"a"), f.Literal(b"="), f.Dec(8, specifier_width=0), inner, f.Select(f.Literal(b"T"), f.Hex(8)), f.HierPath(), f.Bin(2))
    )
    assert f.leaf_count(spec) == 6
    run = f.compile_spec(spec)
    ctx = Context(b"xyz")
    assert run([7, 1, 2, 0, 0xAB, 2], ctx) == b"a=7<yz>abtop.u0.g[1].x10"
    assert run([7, 1, 2, 1, 0xAB, 2], ctx) == b"a=7<yz>Ttop.u0.g[1].x10"
    assert f.render(f.Concat(()), [], CTX) == b""


def test_nodes_are_made_from_operations_in_both_spellings() -> None:
    make = f.spec_for_op
    assert make("sim.fmt.literal", {"literal": "a\udcff"}) == f.Literal(b"a\xff")
    assert make("sim.fmt.dec", {"paddingChar": 48, "specifierWidth": 0, "fourStateWidth": 32, "isSigned": True}, 64) == f.Dec(
        32, True, 48, 0, False, True
    )
    assert make("sim.fmt.hex", {"isUpper": True, "specifierWidth": 4}, 8) == f.Hex(8, upper=True, specifier_width=4)
    assert make("sim.fmt.oct", {"isLeftAligned": True}, 8) == f.Oct(8, left=True)
    assert make("sim.fmt.bin", {"fourStateWidth": 8}, 8) == f.Bin(8), "the operand is no pair: print it as it is"
    assert make("sim.fmt.flt", {"fracDigits": 2}, 0) == f.Real("f", 2)
    assert make("sim.fmt.gen", {"fieldWidth": 9, "isLeftAligned": True}, 0) == f.Real("g", 6, 9, True)
    assert make("sim.fmt.dyn_string", {}) == f.Str()
    assert make("sim.fmt.hier_path", {"useEscapes": True}) == f.HierPath(True)
    assert make("sim.fmt.current_time", {}) == f.Time(True)
    with pytest.raises(KeyError):
        make("sim.fmt.nothing", {})


def test_field_width_is_bounded() -> None:
    assert len(f.render(f.Dec(8, specifier_width=1 << 40), [1], CTX)) == f.MAX_FIELD


# -- an independent oracle ---------------------------------------------------------------------------------------------------------


def oracle_radix(bits: str, k: int) -> str:
    out = []
    end = len(bits)
    while end > 0:
        group = bits[max(0, end - k) : end]
        end -= k
        if "x" in group:
            out.append("x" if set(group) == {"x"} else "X")
        elif "z" in group:
            out.append("z" if set(group) == {"z"} else "Z")
        else:
            out.append("0123456789abcdef"[int(group, 2)])
    return "".join(reversed(out))


@given(st.text("01xz", min_size=1, max_size=140), st.sampled_from([1, 3, 4]))
def test_digits_agree_with_a_bitwise_oracle(bits: str, k: int) -> None:
    assert f.render(f.Radix(k, len(bits), four_state=True), [pack(bits)], CTX).decode() == oracle_radix(bits, k)


@given(st.integers(1, 200), st.data())
def test_numbers_read_back(width: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(0, (1 << width) - 1))
    field = data.draw(st.none() | st.integers(0, 80))
    signed_value = value - (1 << width) if value >> (width - 1) else value
    for four in (False, True):
        operand = value << width if four else value
        for pad in (f.SPACE, f.ZERO):
            for left in (False, True):
                text = f.render(f.Dec(width, False, pad, field, left, four), [operand], CTX)
                assert int(text) == value and len(text) >= (field or 0)
                text = f.render(f.Dec(width, True, pad, field, left, four), [operand], CTX)
                assert int(text) == signed_value and len(text) >= (field or 0)
                for k, base in ((1, 2), (3, 8), (4, 16)):
                    text = f.render(f.Radix(k, width, False, pad, field, left, four), [operand], CTX)
                    assert int(text, base) == value and len(text) >= (field or 0)


@given(st.floats(allow_nan=False), st.sampled_from("efg"), st.integers(0, 12), st.none() | st.integers(0, 30), st.booleans())
def test_reals_agree_with_printf(value: float, style: str, frac: int, width: int | None, left: bool) -> None:
    want = f"%{'-' if left else ''}{'' if width is None else width}.{frac}{style}" % value
    assert f.render(f.Real(style, frac, width, left), [value], CTX).decode() == want


# -- Icarus itself -----------------------------------------------------------------------------------------------------------------


def icarus(tmp_path: Path, body: str) -> list[str]:
    (tmp_path / "t.v").write_text(f"module t;\ninitial begin\n{body}\nend\nendmodule\n")
    subprocess.run(["iverilog", "-g2012", "-o", str(tmp_path / "t"), str(tmp_path / "t.v")], check=True, capture_output=True)
    done = subprocess.run(["vvp", "-n", str(tmp_path / "t")], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def cases(seed: int) -> list[tuple[str, str, bool]]:
    import random

    rng = random.Random(seed)
    out: list[tuple[str, str, bool]] = []
    for _ in range(150):
        n = rng.choice([1, 2, 3, 5, 7, 8, 16, 31, 32, 33, 64, 65, 127])
        alphabet = rng.choice(["01", "01", "01x", "01z", "01xz", "x", "z"])
        bits = "".join(rng.choice(alphabet) for _ in range(n))
        out.append((rng.choice(["b", "h", "o", "d", "d", "0d", "12d", "012d", "-12d", "0h", "060h", "0o", "0b"]), bits, rng.random() < 0.3))
    return out


def test_random_values_print_as_icarus_prints_them(tmp_path: Path) -> None:
    samples = [c for c in cases(7) if not (c[0] in ("0b", "0h", "0o") and set(c[1]) & set("xz"))]
    if shutil.which("iverilog"):
        body = "\n".join(f'$display("[%{s}]", {len(b)}\'{"s" if signed else ""}b{b});' for s, b, signed in samples)
        got = icarus(tmp_path, body)
    else:
        got = (Path(__file__).parent / "icarus_format.txt").read_text().splitlines()
    assert got == [f"[{show(s, b, signed and s[-1] == 'd')}]" for s, b, signed in samples]


def test_the_recorded_icarus_output_is_the_expected_one() -> None:
    samples = [c for c in cases(7) if not (c[0] in ("0b", "0h", "0o") and set(c[1]) & set("xz"))]
    recorded: Any = (Path(__file__).parent / "icarus_format.txt").read_text().splitlines()
    assert recorded == [f"[{show(s, b, signed and s[-1] == 'd')}]" for s, b, signed in samples]
