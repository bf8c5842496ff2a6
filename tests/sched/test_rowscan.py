"""The scanner of rows: what it takes for a row is what regular expressions say, and its layout is the host's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wasmjit.ir import short
from wasmjit.ir.short import CODES, COMPARE, CONCAT, CONSTANT, EXTRACT, LOWEST, NARROW, OPERATIONS, ROW
from wasmjit.sched import rowreader, rowtable
from wasmjit.sched.rowreader import NONE, RowReader, row_scanner

NAME = r"%([\w$.-]+(?:#\d+)?)"
LINE = re.compile(rf"[ \t\r\n]*%([\w$.-]+) = ([\w.$]+)(?: ([a-z][\w.$]*,?))? {NAME}(?:, {NAME})?(?:, {NAME})? : i([1-9]\d{{0,3}})[ \t\r]*\n", re.ASCII)
CONST = re.compile(r"[ \t\r\n]*%([\w$.-]+) = (?:hw|arith)\.constant (?:(-?\d{1,18}) : i([1-9]\d{0,3})|(true|false))[ \t\r]*\n", re.ASCII)


TAIL = r"[ \t\r]*\n"
HEAD = r"[ \t\r\n]*%[\w$.-]+ = "
WIDTH = r"i([1-9]\d{0,3})"
EXTRACTION = re.compile(rf"{HEAD}(comb\.extract) {NAME} from (0|[1-9]\d{{0,3}}) : \({WIDTH}\) -> {WIDTH}{TAIL}", re.ASCII)
COPIES = re.compile(rf"{HEAD}(comb\.replicate) {NAME} : \({WIDTH}\) -> {WIDTH}{TAIL}", re.ASCII)
CHANGE = re.compile(rf"{HEAD}(arith\.(?:ext[su]i|trunci)) {NAME} : {WIDTH} to {WIDTH}{TAIL}", re.ASCII)
PARTS = re.compile(rf"{HEAD}(comb\.concat) ((?:{NAME}(?:, )?)+) : ((?:{WIDTH}(?:, )?)+){TAIL}", re.ASCII)


def conversion(line: str) -> tuple[object, ...] | None:
    """`reference` of the operations that change the width."""
    m = EXTRACTION.fullmatch(line)
    if m is not None:
        low, width, out = int(m[3]), int(m[4]), int(m[5])
        return (code_of(m[1]), out, (m[2],), low) if low + out <= width else None
    m = COPIES.fullmatch(line) or CHANGE.fullmatch(line)
    if m is not None:
        width, out = int(m[3]), int(m[4])
        good = out % width == 0 if m[1] == "comb.replicate" else out < width if m[1] == "arith.trunci" else out > width
        return (code_of(m[1]), out, (m[2],), 0) if good else None
    m = PARTS.fullmatch(line)
    if m is not None:
        operands, widths = m[2].split(", "), m[4].split(", ")
        if len(operands) == len(widths) in (2, 3) and all(operands) and all(widths):
            return (code_of(m[1]), sum(int(w[1:]) for w in widths), tuple(n[1:] for n in operands), 0)
    return None


def code_of(name: str) -> int:
    return CODES.index((name, OPERATIONS[name][0], None))


def reference(line: str) -> tuple[object, ...] | None:
    """(code, width of the result, operand names or value) of a line that is a row."""
    m = CONST.fullmatch(line)
    if m is not None:
        width = int(m[3] or 1)
        value = int(m[2]) if m[2] else int(m[4] == "true")
        if m[2] and width < 64 and not -(1 << (width - 1)) <= value < 1 << width:
            return None
        name = line.split(" = ")[1].split()[0]
        return (CODES.index((name, CONSTANT, None)), width, value)
    m = LINE.fullmatch(line)
    if m is None or m[2] not in OPERATIONS or OPERATIONS[m[2]][0] >= EXTRACT:
        return conversion(line)
    form, count, words = OPERATIONS[m[2]]
    names = [n for n in m.group(4, 5, 6) if n is not None]
    if form == CONSTANT or m[3] not in words or (count > 1 and len(names) != count):
        return None
    return (CODES.index((m[2], form, words[m[3]])), 1 if form == COMPARE else int(m[7]), tuple(names))


def scanned(reader: RowReader, line: str) -> tuple[object, ...] | None:
    reader.begin(line)
    reader.block()
    end = reader.scan(0)
    assert end == len(line) or reader.count() == 0
    if reader.count() == 0:
        return None
    code, width, _, a, b, c, _, _ = ROW.unpack(reader.row(0))
    if CODES[code][1] == CONSTANT:
        return (code, width, c << 32 | b & 0xFFFFFFFF)
    conversion = EXTRACT <= CODES[code][1] <= NARROW
    found = [reader.external(-2 - x) for x in ((a, b) if conversion else (a, b, c)) if x != -1]
    operands = tuple(line[at : at + size] for at, size, _ in found)
    return (code, width, operands, c - LOWEST if conversion else 0) if conversion or CODES[code][1] == CONCAT else (code, width, operands)


names = st.from_regex(r"\A%[\w$.-]{1,12}(?:#[0-9])?\Z".replace(r"\w", "A-Za-z0-9_"))
words = st.sampled_from(["", "", "", "bin ", "ult ", "eq, ", "slt ", "ceq "])
widths = st.sampled_from(["1", "8", "33", "64", "9999", "0", "12345", "x"])
operations = st.sampled_from(sorted(OPERATIONS))


@st.composite
def lines(draw: st.DrawFn) -> str:
    operation = draw(operations)
    if operation.endswith(".constant"):
        rest = draw(st.sampled_from(["true", "false", "-1 : i8", "255 : i8", "256 : i8", "-129 : i8", "123456789012345678 : i64", "7 : i3", "-9 : i100", "0x1F : i8"]))
    elif OPERATIONS[operation][0] >= EXTRACT:
        one, other = draw(widths), draw(st.sampled_from(["1", "2", "8", "16", "64"]))
        operands = ", ".join(draw(st.lists(names, min_size=1, max_size=4)))
        types = ", ".join("i" + draw(widths) for _ in range(operands.count(",") + draw(st.sampled_from([1, 1, 1, 1, 0, 2]))))
        middle = draw(st.sampled_from(["", f" from {draw(st.sampled_from(['0', '3', '00', '60', '12345', 'x']))}"]))
        form = draw(st.sampled_from([f"(i{one}) -> i{other}", f"i{one} to i{other}", types, types]))
        rest = f"{operands}{middle} : {form}"
    else:
        operands = ", ".join(draw(st.lists(names, min_size=0, max_size=4)))
        rest = f"{draw(words)}{operands} : i{draw(widths)}"
    text = f"{draw(st.sampled_from(['    ', '', chr(9)]))}%r = {operation} {rest}{draw(st.sampled_from(['', '', ' ', ' // x', chr(13)]))}\n"
    if draw(st.integers(0, 3)) == 0:  # a character goes, comes or changes
        at = draw(st.integers(0, len(text) - 2))
        text = text[:at] + draw(st.sampled_from(["", " ", "%", ",", "#", "1", "a", ":", "=", "\t"])) + text[at + draw(st.integers(0, 1)) :]
    return text


@settings(max_examples=1500)
@given(lines())
def test_a_line_is_a_row_when_the_expressions_say_so(line: str) -> None:
    want, got = reference(line), scanned(READER, line)
    if got is None and want is not None:
        # Names that appear twice with different types are wrong, and a name is its own operand nowhere.
        assert isinstance(want[2], tuple)
        assert len(set(want[2])) < len(want[2]) or line.split()[0][1:] in want[2]
    elif got is not None and want is not None and isinstance(want[2], tuple):
        assert got[:2] == want[:2]
        assert dict.fromkeys(want[2]) == dict.fromkeys(got[2])  # type: ignore[call-overload]
        assert want[3:] == got[3:]
    else:
        assert got == want


READER = row_scanner()


def test_the_host_and_the_scanner_have_one_layout() -> None:
    words = {n for n in vars(rowtable) if n.startswith("C_") and hasattr(rowreader, n)}
    assert len(words) >= 9
    assert {n: getattr(rowreader, n) << 2 for n in words} == {n: getattr(rowtable, n) for n in words}
    for n in ("KEYS", "TEXT", "NONE", "FAULT", "CLASSES", "BLANK", "NAME", "OPERATION", "LOWER", "DIGIT"):
        assert getattr(rowreader, n) == getattr(rowtable, n)
    forms = "SAME COMPARE SELECT CONSTANT EXTRACT REPLICATE WIDEN NARROW CONCAT".split()
    assert [getattr(rowtable, n) for n in forms] == [getattr(short, n) for n in forms] == list(range(len(forms)))


def test_names_are_told_apart_by_all_their_characters() -> None:
    reader = row_scanner()
    long = "v" * 300
    text = "".join(f"%{long}{i} = hw.constant {i} : i16\n" for i in range(200)) + f"%x = comb.add %{long}7, %{long}70 : i16\n}}"
    reader.begin(text)
    reader.block()
    assert text[reader.scan(0)] == "}"
    assert ROW.unpack(reader.row(200))[3:5] == (7, 70)
    assert reader.externals() == 0
    assert reader.find(long + "199") == 199
    assert reader.find(long) is None


def test_what_another_block_uses_is_told_once_for_each_block() -> None:
    reader = row_scanner()
    text = "%a = hw.constant 1 : i8\n%b = comb.add %a, %o : i8\n^x:\n%c = comb.add %a, %a : i8\n%d = comb.add %o, %b : i8\n}"
    reader.begin(text)
    assert reader.block() == 0
    end = reader.scan(0)
    assert reader.used() == [-2]
    assert reader.block() == 2
    reader.scan(end + 4)
    assert reader.used() == [0, -2, 1]
    assert reader.used() == []
    rows = [ROW.unpack_from(reader.finish([2]), ROW.size * i)[0] for i in range(4)]
    assert [bool(code) for code in rows] == [True, False, True, False]


@pytest.mark.parametrize("text", ["%a = comb.add %b, %b : i8\n%a = comb.add %b, %b : i8\n}", "%a = comb.add %b, %b : i8\n%c = comb.add %a, %b : i9\n}", "%a = comb.add %a, %b : i8\n}"])
def test_faults_end_the_scan(text: str) -> None:
    reader = row_scanner()
    reader.begin(text)
    reader.block()
    assert reader.scan(0) == -1


def test_a_defined_name_has_its_type_from_the_host() -> None:
    reader = row_scanner()
    text = "%p = llhd.prb %s : i8\n%a = comb.add %p, %p : i8\n}"
    reader.begin(text)
    reader.block()
    assert reader.scan(0) == 0
    assert reader.defined() == 0
    reader.typed(0, 8)
    end = reader.scan(text.index("%a"))
    assert text[end] == "}"
    assert ROW.unpack(reader.row(0))[3:6] == (-2, -2, -1)
    assert reader.define("p") is None
    assert reader.define("q") == 1
    assert NONE == 0xFFFFFFFF
