"""String methods (IEEE 1800-2023 §6.16) and conversions between strings, integers and reals.

Strings come as a pointer to `{ptr, i64}` and go as the two leaves. Numbers wider than 64 bits reach these functions truncated by the
front end.
"""

from __future__ import annotations

import math
import re

from wasmjit.runtime.services import M32, M64, Runtime, SimFault, s32, s64, service, string_at
from wasmjit.sem.format import packed_string

MAX_RESULT = 1 << 26


def make(rt: Runtime, data: bytes) -> tuple[int, int]:
    """A new string value: (address, length)."""
    if len(data) > MAX_RESULT:
        raise SimFault(f"a string of {len(data)} bytes is longer than the limit of {MAX_RESULT}")
    return rt.host.intern(rt, data)


@service("__moore_string_len", "p", "i")
def string_len(rt: Runtime, s: int) -> int:
    return len(string_at(rt, s)) & M32


@service("__moore_string_concat", "pp", "pl")
def string_concat(rt: Runtime, a: int, b: int) -> tuple[int, int]:
    return make(rt, string_at(rt, a) + string_at(rt, b))


@service("__moore_string_replicate", "pi", "pl")
def string_replicate(rt: Runtime, s: int, count: int) -> tuple[int, int]:
    data, n = string_at(rt, s), max(0, s32(count))
    if len(data) * n > MAX_RESULT:
        raise SimFault(f"a string of {len(data)} bytes replicated {n} times is longer than the limit of {MAX_RESULT}")
    return make(rt, data * n)


def _compare(a: bytes, b: bytes) -> int:
    return (a > b) - (a < b) & M32


@service("__moore_string_cmp", "pp", "i")
def string_cmp(rt: Runtime, a: int, b: int) -> int:
    return _compare(string_at(rt, a), string_at(rt, b))


@service("__moore_string_compare", "pp", "i")
def string_compare(rt: Runtime, a: int, b: int) -> int:
    return _compare(string_at(rt, a), string_at(rt, b))


@service("__moore_string_icompare", "pp", "i")
def string_icompare(rt: Runtime, a: int, b: int) -> int:
    return _compare(string_at(rt, a).lower(), string_at(rt, b).lower())


@service("__moore_string_toupper", "p", "pl")
def string_toupper(rt: Runtime, s: int) -> tuple[int, int]:
    return make(rt, string_at(rt, s).upper())


@service("__moore_string_tolower", "p", "pl")
def string_tolower(rt: Runtime, s: int) -> tuple[int, int]:
    return make(rt, string_at(rt, s).lower())


@service("__moore_string_getc", "pi", "c")
def string_getc(rt: Runtime, s: int, index: int) -> int:
    data, i = string_at(rt, s), s32(index)
    return data[i] if 0 <= i < len(data) else 0


@service("__moore_string_putc", "pic", "pl")
def string_putc(rt: Runtime, s: int, index: int, char: int) -> tuple[int, int]:
    """A NUL or an index outside leaves the string as it is (§6.16.2)."""
    data, i, c = string_at(rt, s), s32(index), char & 0xFF
    if c and 0 <= i < len(data):
        data = data[:i] + bytes((c,)) + data[i + 1 :]
    return make(rt, data)


@service("__moore_string_substr", "pii", "pl")
def string_substr(rt: Runtime, s: int, first: int, last: int) -> tuple[int, int]:
    """Characters first ... last, both included; empty when the range is not inside the string (§6.16.8)."""
    data, i, j = string_at(rt, s), s32(first), s32(last)
    return make(rt, data[i : j + 1] if 0 <= i <= j < len(data) else b"")


_DIGITS = {2: rb"[01_]*", 8: rb"[0-7_]*", 10: rb"[0-9_]*", 16: rb"[0-9a-fA-F_]*"}
_NUMBER = {base: re.compile(rb"\s*([-+]?)(" + digits + rb")") for base, digits in _DIGITS.items()}
_PREFIX = {16: re.compile(rb"\s*[-+]?(0[xX])"), 2: re.compile(rb"\s*[-+]?(0[bB])")}


def parse_integer(data: bytes, base: int) -> int:
    """Leading digits of a string, underscores ignored; 0 when there is none (§6.16.9)."""
    prefix = _PREFIX.get(base)
    found = prefix.match(data) if prefix else None
    if found:
        data = data[: found.start(1)] + data[found.end(1) :]
    m = _NUMBER[base].match(data)
    digits = m.group(2).replace(b"_", b"") if m else b""
    if not digits:
        return 0
    value = int(digits[:4096], base)
    return -value if m and m.group(1) == b"-" else value


@service("__moore_string_atoi", "p", "i")
def string_atoi(rt: Runtime, s: int) -> int:
    return parse_integer(string_at(rt, s), 10) & M32


@service("__moore_string_atohex", "p", "i")
def string_atohex(rt: Runtime, s: int) -> int:
    return parse_integer(string_at(rt, s), 16) & M32


@service("__moore_string_atooct", "p", "i")
def string_atooct(rt: Runtime, s: int) -> int:
    return parse_integer(string_at(rt, s), 8) & M32


@service("__moore_string_atobin", "p", "i")
def string_atobin(rt: Runtime, s: int) -> int:
    return parse_integer(string_at(rt, s), 2) & M32


_REAL = re.compile(rb"\s*([-+]?[0-9_]+(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|[-+]?\.[0-9]+(?:[eE][-+]?[0-9]+)?)")


def parse_real(data: bytes) -> float:
    m = _REAL.match(data)
    digits = m.group(1).replace(b"_", b"") if m else b""
    try:
        return float(digits)
    except ValueError:
        return 0.0


@service("__moore_string_atoreal", "p", "d")
def string_atoreal(rt: Runtime, s: int) -> float:
    return parse_real(string_at(rt, s))


@service("__moore_string_to_int", "p", "l")
def string_to_int(rt: Runtime, s: int) -> int:
    """A string assigned to an integral variable: its bytes, the last one least significant (§6.16: "str as packed array")."""
    return int.from_bytes(string_at(rt, s)[-8:], "big")


@service("__moore_packed_string_to_string", "l", "pl")
def packed_string_to_string(rt: Runtime, value: int) -> tuple[int, int]:
    return make(rt, packed_string(value & M64))


@service("__moore_string_itoa", "l", "pl")
def string_itoa(rt: Runtime, value: int) -> tuple[int, int]:
    return make(rt, b"%d" % s64(value))


@service("__moore_int_to_string", "l", "pl")
def int_to_string(rt: Runtime, value: int) -> tuple[int, int]:
    return make(rt, b"%d" % s64(value))


@service("__moore_string_hextoa", "l", "pl")
def string_hextoa(rt: Runtime, value: int) -> tuple[int, int]:
    return make(rt, b"%x" % (value & M64))


@service("__moore_string_hextoa_width", "li", "pl")
def string_hextoa_width(rt: Runtime, value: int, bits: int) -> tuple[int, int]:
    """All hexadecimal digits of a number of `bits` bits."""
    n = max(0, min(s32(bits), MAX_RESULT))
    mask = (1 << n) - 1 if n else M64
    return make(rt, b"%0*x" % (-(-n // 4), value & M64 & mask))


@service("__moore_string_octtoa", "l", "pl")
def string_octtoa(rt: Runtime, value: int) -> tuple[int, int]:
    return make(rt, b"%o" % (value & M64))


@service("__moore_string_bintoa", "l", "pl")
def string_bintoa(rt: Runtime, value: int) -> tuple[int, int]:
    return make(rt, bin(value & M64)[2:].encode())


@service("__moore_string_chartoa", "l", "pl")
def string_chartoa(rt: Runtime, value: int) -> tuple[int, int]:
    """`%c`: the low byte as one character."""
    return make(rt, bytes((value & 0xFF,)))


@service("__moore_string_realtoa", "d", "pl")
def string_realtoa(rt: Runtime, value: float) -> tuple[int, int]:
    return make(rt, b"nan" if math.isnan(value) else b"%g" % value)
