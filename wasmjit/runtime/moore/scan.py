"""Conversions of `$fscanf`, `$sscanf` and `$value$plusargs` (IEEE 1800-2023 §21.3.4.3)."""

from __future__ import annotations

import re

from wasmjit.data import dataclass
from wasmjit.runtime.moore.strings import parse_real

_SPACE = b" \t\n\r\f\v"


@dataclass(frozen=True, slots=True)
class Number:
    """A 4-state number: per bit (value, unknown) 0,1 is x and 1,1 is z. Negative numbers are Python ints; callers mask."""

    value: int
    unknown: int = 0


_PATTERN = {
    10: re.compile(rb"([-+]?)([0-9][0-9_]*)|()([xX?zZ])"),
    16: re.compile(rb"()(?:0[xX](?=[0-9a-fA-F]))?([0-9a-fA-FxXzZ?_]+)"),
    8: re.compile(rb"()([0-7xXzZ?_]+)"),
    2: re.compile(rb"()([01xXzZ?_]+)"),
}
"""(sign, digits); only decimal numbers have a sign, and only before digits."""
_BITS = {16: 4, 8: 3, 2: 1}


def digits_value(digits: bytes, base: int) -> Number:
    """Digits without sign; x, z and ? stand for unknown digits; underscores are ignored."""
    digits = digits.replace(b"_", b"")
    if base == 10:
        if digits[:1] in (b"x", b"X"):
            return Number(0, -1)
        if digits[:1] in (b"z", b"Z", b"?"):
            return Number(-1, -1)
        return Number(int(digits or b"0"))
    lowered = digits.lower()
    if not any(c in lowered for c in b"xz?"):
        return Number(int(digits or b"0", base))
    k = _BITS[base]
    full = (1 << k) - 1
    value = unknown = 0
    for c in lowered:
        value <<= k
        unknown <<= k
        if c in b"z?":
            value |= full
            unknown |= full
        elif c == 0x78:
            unknown |= full
        else:
            value |= int(chr(c), base)
    return Number(value, unknown)


def match_number(data: bytes, at: int, base: int, limit: int | None = None) -> tuple[Number, int] | None:
    """A number at position `at`, at most `limit` characters long: (number, end) or None."""
    end = len(data) if limit is None else min(len(data), at + limit)
    m = _PATTERN[base].match(data, at, end)
    if m is None:
        return None
    sign, digits = m.group(1, 2) if m.group(2) is not None else m.group(3, 4)
    if not digits.replace(b"_", b""):
        return None
    number = digits_value(digits, base)
    if sign == b"-":
        number = Number(-number.value, number.unknown)
    return number, m.end()


def scan_number(data: bytes, base: int) -> Number | None:
    """A whole string as a number; None when it is none. Trailing characters that are no digits end it."""
    stripped = data.strip(_SPACE)
    found = match_number(stripped, 0, base)
    return found[0] if found else None


class Source:
    """Characters to scan, with the position reached."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def skip_space(self) -> None:
        while self.at < len(self.data) and self.data[self.at] in _SPACE:
            self.at += 1


def scan(source: Source, fmt: bytes, path: str = "") -> tuple[list[Number | float | bytes], bool]:
    """Scan by a format: the converted values in order, and whether the input ended before the first conversion (the result is then EOF)."""
    out: list[Number | float | bytes] = []
    i, n = 0, len(fmt)
    data = source.data
    while i < n:
        c = fmt[i]
        if c in _SPACE:
            source.skip_space()
            i += 1
            continue
        if c != 0x25:
            if source.at >= len(data) or data[source.at] != c:
                return out, source.at >= len(data) and not out
            source.at += 1
            i += 1
            continue
        i += 1
        suppress = fmt[i : i + 1] == b"*"
        i += suppress
        j = i
        while j < n and 0x30 <= fmt[j] <= 0x39:
            j += 1
        limit = int(fmt[i:j][:6]) if j > i else None
        code = fmt[j : j + 1].lower()
        i = j + 1
        if code == b"%":
            if data[source.at : source.at + 1] != b"%":
                return out, source.at >= len(data) and not out
            source.at += 1
            continue
        value: Number | float | bytes
        if code == b"m":
            value = path.encode("utf-8", "surrogateescape")
        elif code == b"c":
            if source.at >= len(data):
                return out, not out
            value = Number(data[source.at])
            source.at += 1
        else:
            source.skip_space()
            if source.at >= len(data):
                return out, not out
            converted = _convert(source, code, limit)
            if converted is None:
                return out, False
            value = converted
        if not suppress:
            out.append(value)
    return out, False


_REAL = re.compile(rb"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


def _convert(source: Source, code: bytes, limit: int | None) -> Number | float | bytes | None:
    data, at = source.data, source.at
    end = len(data) if limit is None else min(len(data), at + limit)
    if code in (b"d", b"i"):
        base = 10
    elif code in (b"h", b"x"):
        base = 16
    elif code == b"o":
        base = 8
    elif code == b"b":
        base = 2
    elif code == b"v":
        return None
    elif code in (b"f", b"e", b"g", b"t"):
        m = _REAL.match(data, at, end)
        if m is None:
            _skip_sign(source)
            return None
        source.at = m.end()
        return parse_real(m.group(0))
    elif code == b"s":
        stop = at
        while stop < end and data[stop] not in _SPACE:
            stop += 1
        source.at = stop
        return data[at:stop]
    else:
        return None
    found = match_number(data, at, base, limit)
    if found is None:
        if base == 10:
            _skip_sign(source)
        return None
    source.at = found[1]
    return found[0]


def _skip_sign(source: Source) -> None:
    """A sign without a number: the sign has matched, and what follows it is the character that is left unread."""
    source.at += source.data[source.at : source.at + 1] in (b"-", b"+")
