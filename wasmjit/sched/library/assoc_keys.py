"""Keys of associative arrays and the nodes that hold them (restricted Python): integers up to 8 bytes as one signed number, wider ones and strings as bytes."""

from __future__ import annotations

from wasmjit.runtime.moore.layouts import (
    AH_KEY,
)
from wasmjit.sched.intrinsics import (
    i32,
    i64,
    inline,
    ld8,
    ld8_64,
    ld32,
    ld64,
    lt_s64,
    s64,
    sext8,
    shr_s64,
    u32,
    u64,
)
from wasmjit.sched.library.memory import check
from wasmjit.sched.library.strings import LESS, compare_bytes, string_bytes, string_size

WORD = 8  # integer keys up to this many bytes are kept as one signed 64-bit number

N_NEXT = 0  # u64: next node of the bucket
N_LEFT = 8  # u32 each: the treap
N_RIGHT = 12
N_HASH = 16  # u32; also the priority in the treap
N_SIZE = 20  # u32: bytes of the key
N_KEY = 24  # the key, padded to 8 bytes; then the value


@inline
def is_word(a: i32) -> i32:
    """Whether keys are kept as numbers."""
    return u32(ld32(a + AH_KEY) - 1) < WORD


@inline
def word_key(p: i32, n: i32) -> i64:
    """An integer key of n <= 8 bytes, sign-extended."""
    value: i64 = 0
    if n == 4:
        value = s64(ld32(p))
    elif n == 8:
        value = ld64(p)
    elif n == 1:
        value = s64(sext8(ld8(p)))
    else:
        for i in range(n):
            value = value | ld8_64(p + i) << u64(i * 8)
        value = shr_s64(u64(value << u64(64 - n * 8)), u64(64 - n * 8))
    return value


@inline
def mix(x: i64) -> i32:
    """32 well mixed bits of 64."""
    x = u64((x ^ (x >> 32)) * 0xD6E8FEB86659FD93)
    x = u64((x ^ (x >> 32)) * 0xD6E8FEB86659FD93)
    return u32(x >> 32)


def hash_bytes(p: i32, n: i32) -> i32:
    x: i64 = n
    i = 0
    while i + 8 <= n:
        x = u64((x ^ ld64(p + i)) * 0x9E3779B97F4A7C15)
        x = x ^ (x >> 29)
        i = i + 8
    while i < n:
        x = u64((x ^ ld8_64(p + i)) * 0x9E3779B97F4A7C15)
        i = i + 1
    return mix(x)


def compare_wide(a: i32, b: i32, n: i32) -> i32:
    """-1, 0 or 1 for two signed little-endian numbers of n bytes."""
    i = n - 1
    x = sext8(ld8(a + i)) ^ 0x80000000
    y = sext8(ld8(b + i)) ^ 0x80000000
    while x == y:
        if i == 0:
            return 0
        i = i - 1
        x = ld8(a + i)
        y = ld8(b + i)
    return LESS if x < y else 1


def compare_keys(kind: i32, p: i32, n: i32, q: i32, m: i32) -> i32:
    """-1, 0 or 1 for the keys of n bytes at p and m bytes at q, both as nodes keep them."""
    if kind == 0:
        return compare_bytes(p, n, q, m)
    if kind <= WORD:
        x = ld64(p)
        y = ld64(q)
        if x == y:
            return 0
        return LESS if lt_s64(x, y) else 1
    return compare_wide(p, q, n)


def bytes_equal(p: i32, q: i32, n: i32) -> i32:
    i = 0
    while i + 8 <= n:
        if ld64(p + i) != ld64(q + i):
            return 0
        i = i + 8
    while i < n:
        if ld8(p + i) != ld8(q + i):
            return 0
        i = i + 1
    return 1


def key_size(a: i32, key: i64) -> i32:
    """Bytes of a string or wide key given by its address, which is checked."""
    size = ld32(a + AH_KEY)
    if size:
        check(u32(key), size)
        return size
    return string_size(key)


@inline
def key_bytes(a: i32, key: i64, size: i32) -> i32:
    """Where these bytes lie."""
    if ld32(a + AH_KEY):
        return u32(key)
    return string_bytes(key) if size else 0
