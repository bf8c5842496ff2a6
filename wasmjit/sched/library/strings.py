"""Strings (IEEE 1800-2023 §6.16) in restricted Python.

A string comes as a pointer to `{ptr, i64 length}` and goes as a pair. Its bytes are never changed once made, so a result that equals an operand shares
its bytes.
"""

from __future__ import annotations

from wasmjit.sched.intrinsics import (
    clz64,
    export,
    i32,
    i64,
    inline,
    ld8,
    ld8_64,
    ld32,
    ld64,
    lt_s32,
    memcpy,
    pair,
    st8,
    u32,
    u64,
)
from wasmjit.sched.library.faults import LF_REPLICATE, LF_STRING_LENGTH, LF_STRING_LIMIT, MAX_RESULT
from wasmjit.sched.library.memory import check, h_lib_fault, new_bytes, result

MAX_STRING = 1 << 28
LESS = 0xFFFFFFFF
UNDERSCORE = 0x5F
NINE = 0x39
ZERO = 0x30
MINUS = 0x2D
PLUS = 0x2B


def string_size(s: i64) -> i32:
    """Length in bytes of the string at s; its bytes are known to lie in memory then. A null pointer is the empty string."""
    p = u32(s)
    if p == 0:
        return 0
    check(p, 16)
    n = ld64(p + 8)
    if n == 0:
        return 0
    if n > MAX_STRING:
        h_lib_fault(LF_STRING_LENGTH, n, 0)
    check(ld32(p), u32(n))
    return u32(n)


def string_bytes(s: i64) -> i32:
    """Address of the bytes of a string that is not empty."""
    return ld32(u32(s))


def new_string(n: i64) -> i32:
    """Room for n > 0 bytes."""
    if n > MAX_RESULT:
        h_lib_fault(LF_STRING_LIMIT, n, 0)
    return new_bytes(u32(n))


def same(s: i64, n: i32) -> i32:
    """The string at s, of n bytes, as the result."""
    if n == 0:
        return result(0, 0)
    return result(string_bytes(s), n)


@export
def __moore_string_len(s: i64) -> i32:
    return string_size(s)


@export
@pair
def __moore_string_concat(a: i64, b: i64) -> i32:
    na = string_size(a)
    nb = string_size(b)
    if na == 0:
        return same(b, nb)
    if nb == 0:
        return same(a, na)
    p = new_string(u64(na) + nb)
    memcpy(p, string_bytes(a), na)
    memcpy(p + na, string_bytes(b), nb)
    return result(p, na + nb)


@export
@pair
def __moore_string_replicate(s: i64, count: i32) -> i32:
    n = string_size(s)
    if n == 0 or count == 0 or count >> 31:
        return result(0, 0)
    total = u64(n) * count
    if total > MAX_RESULT:
        h_lib_fault(LF_REPLICATE, n, count)
    p = new_string(total)
    src = string_bytes(s)
    for i in range(count):
        memcpy(p + i * n, src, n)
    return result(p, total)


# ---- comparison ---------------------------------------------------------------------------------------------------------------


def compare_bytes(a: i32, na: i32, b: i32, nb: i32) -> i32:
    """-1, 0 or 1 in order of the bytes."""
    n = na if na < nb else nb
    i = 0
    while i + 8 <= n and ld64(a + i) == ld64(b + i):
        i = i + 8
    while i < n:
        x = ld8(a + i)
        y = ld8(b + i)
        if x != y:
            return LESS if x < y else 1
        i = i + 1
    if na == nb:
        return 0
    return LESS if na < nb else 1


def compare(a: i64, b: i64) -> i32:
    na = string_size(a)
    nb = string_size(b)
    if na == 0 or nb == 0:
        return 1 if na else LESS if nb else 0
    return compare_bytes(string_bytes(a), na, string_bytes(b), nb)


@export
def __moore_string_cmp(a: i64, b: i64) -> i32:
    return compare(a, b)


@export
def __moore_string_compare(a: i64, b: i64) -> i32:
    return compare(a, b)


def lower(c: i32) -> i32:
    return c + 32 if u32(c - 0x41) < 26 else c


def upper(c: i32) -> i32:
    return c - 32 if u32(c - 0x61) < 26 else c


@export
def __moore_string_icompare(a: i64, b: i64) -> i32:
    """Without regard to case, as if all letters were lower case."""
    na = string_size(a)
    nb = string_size(b)
    n = na if na < nb else nb
    for i in range(n):
        x = lower(ld8(string_bytes(a) + i))
        y = lower(ld8(string_bytes(b) + i))
        if x != y:
            return LESS if x < y else 1
    if na == nb:
        return 0
    return LESS if na < nb else 1


# ---- parts ----------------------------------------------------------------------------------------------------------------------


@inline
def in_case(s: i64, capitals: i32) -> i32:
    """A copy in upper or lower case."""
    n = string_size(s)
    if n == 0:
        return result(0, 0)
    p = new_string(n)
    src = string_bytes(s)
    for i in range(n):
        c = ld8(src + i)
        st8(p + i, upper(c) if capitals else lower(c))
    return result(p, n)


@export
@pair
def __moore_string_toupper(s: i64) -> i32:
    return in_case(s, 1)


@export
@pair
def __moore_string_tolower(s: i64) -> i32:
    return in_case(s, 0)


@export
def __moore_string_getc(s: i64, index: i32) -> i32:
    """0 for an index outside (a negative one is a large one)."""
    if index >= string_size(s):
        return 0
    return ld8(string_bytes(s) + index)


@export
@pair
def __moore_string_putc(s: i64, index: i32, char: i32) -> i32:
    """A NUL or an index outside leaves the string as it is (§6.16.2)."""
    n = string_size(s)
    c = char & 0xFF
    if c == 0 or index >= n:
        return same(s, n)
    p = new_string(n)
    memcpy(p, string_bytes(s), n)
    st8(p + index, c)
    return result(p, n)


@export
@pair
def __moore_string_substr(s: i64, first: i32, last: i32) -> i32:
    """Characters first ... last, both included; empty when the range is not inside the string (§6.16.8)."""
    n = string_size(s)
    if last >= n or first > last:
        return result(0, 0)
    k = last - first + 1
    if k == n:
        return same(s, n)
    p = new_string(k)
    memcpy(p, string_bytes(s) + first, k)
    return result(p, k)


# ---- numbers --------------------------------------------------------------------------------------------------------------------


def digit(c: i32) -> i32:
    """Value of a digit up to base 16, or 255."""
    if u32(c - ZERO) < 10:
        return c - ZERO
    c = lower(c)
    if u32(c - 0x61) < 6:
        return c - 0x61 + 10
    return 255


def parse(s: i64, base: i32, letter: i32) -> i32:
    """Leading digits of a string, underscores ignored, modulo 2**32; 0 when there is none (§6.16.9). `letter`: of the prefix 0x or 0b that may come first, 0 none."""
    n = string_size(s)
    if n == 0:
        return 0
    p = string_bytes(s)
    end = p + n
    while p < end and (ld8(p) == 0x20 or u32(ld8(p) - 9) < 5):
        p = p + 1
    negative = 0
    if p < end and (ld8(p) == MINUS or ld8(p) == PLUS):
        negative = ld8(p) == MINUS
        p = p + 1
    if letter and p + 1 < end and ld8(p) == ZERO and lower(ld8(p + 1)) == letter:
        p = p + 2
    value = 0
    while p < end:
        c = ld8(p)
        p = p + 1
        if c == UNDERSCORE:
            continue
        d = digit(c)
        if d >= base:
            break
        value = u32(u64(value) * base + d)
    return u32(-value) if negative else value


@export
def __moore_string_atoi(s: i64) -> i32:
    return parse(s, 10, 0)


@export
def __moore_string_atohex(s: i64) -> i32:
    return parse(s, 16, 0x78)


@export
def __moore_string_atooct(s: i64) -> i32:
    return parse(s, 8, 0)


@export
def __moore_string_atobin(s: i64) -> i32:
    return parse(s, 2, 0x62)


@export
def __moore_string_to_int(s: i64) -> i64:
    """A string assigned to an integral variable: its bytes, the last one least significant (§6.16: "str as packed array")."""
    n = string_size(s)
    value: i64 = 0
    i = n - 8 if n > 8 else 0
    while i < n:
        value = u64(value << 8) | ld8_64(string_bytes(s) + i)
        i = i + 1
    return value


@export
@pair
def __moore_packed_string_to_string(value: i64) -> i32:
    """Characters of a packed value, most significant first, NULs left out."""
    n = 0
    v = value
    while v:
        if v & 0xFF:
            n = n + 1
        v = v >> 8
    if n == 0:
        return result(0, 0)
    p = new_string(n)
    i = n
    while value:
        c = u32(value) & 0xFF
        if c:
            i = i - 1
            st8(p + i, c)
        value = value >> 8
    return result(p, n)


def decimal(value: i64) -> i32:
    """A signed number."""
    negative = u32(value >> 63)
    if negative:
        value = u64(-value)
    n = 1 + negative
    v = value // 10
    while v:
        n = n + 1
        v = v // 10
    p = new_string(n)
    i = n
    while True:
        i = i - 1
        v = value // 10
        st8(p + i, ZERO + u32(value - v * 10))
        value = v
        if value == 0:
            break
    if negative:
        st8(p, MINUS)
    return result(p, n)


def power_of_two(value: i64, shift: i32, width: i32) -> i32:
    """Digits of `shift` bits each, at least `width` of them."""
    n = u32(64 - clz64(value) + shift - 1) // shift
    if n == 0:
        n = 1
    if n < width:
        n = width
    p = new_string(n)
    mask = (1 << shift) - 1
    i = n
    while i:
        i = i - 1
        d = u32(value) & mask
        st8(p + i, d + ZERO if d < 10 else d + 0x57)
        value = value >> shift
    return result(p, n)


@export
@pair
def __moore_string_itoa(value: i64) -> i32:
    return decimal(value)


@export
@pair
def __moore_int_to_string(value: i64) -> i32:
    return decimal(value)


@export
@pair
def __moore_string_hextoa(value: i64) -> i32:
    return power_of_two(value, 4, 0)


@export
@pair
def __moore_string_hextoa_width(value: i64, bits: i32) -> i32:
    """All hexadecimal digits of a number of `bits` bits."""
    n = bits
    if lt_s32(n, 0):
        n = 0
    if n > MAX_RESULT:
        n = MAX_RESULT
    if n and n < 64:
        value = value & u64((1 << u64(n)) - 1)
    return power_of_two(value, 4, (n + 3) >> 2)


@export
@pair
def __moore_string_octtoa(value: i64) -> i32:
    return power_of_two(value, 3, 0)


@export
@pair
def __moore_string_bintoa(value: i64) -> i32:
    return power_of_two(value, 1, 0)


@export
@pair
def __moore_string_chartoa(value: i64) -> i32:
    """`%c`: the low byte as one character."""
    p = new_string(1)
    st8(p, u32(value) & 0xFF)
    return result(p, 1)
