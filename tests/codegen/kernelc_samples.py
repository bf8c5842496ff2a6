"""Kernel functions for test_kernelc: one per statement form and language rule."""

from __future__ import annotations

from enum import IntEnum

from wasmjit.sched.intrinsics import (
    call_indirect_i_i,
    call_indirect_i_v,
    call_indirect_ii_i,
    call_indirect_ii_v,
    export,
    f64,
    f64_from_i64_u,
    fdiv,
    get_sp,
    host_import,
    i32,
    i64,
    inline,
    ld8,
    ld32,
    ld64,
    ldf64,
    memcpy,
    memory_grow,
    memory_size,
    memset,
    select,
    set_sp,
    st8,
    st16,
    st32,
    st64,
    stf64,
    u32,
    u64,
    unreachable,
)

HEAD = 8
BIG = 1 << 40
HALF = 0.5


class Kind(IntEnum):
    A = 1
    B = HEAD + 2


@host_import
def h_note(a: i32, b: i64) -> i32:
    """Host function with a result."""
    raise NotImplementedError


@host_import
def h_mark(a: f64) -> None:
    """Host function without a result."""
    raise NotImplementedError


@export
def if_chain(a: i32, b: i32) -> i32:
    if a == 0:
        r = 1
    elif a < b:
        r = 2
    elif not b:
        r = 3
    else:
        r = 4
    return r


@export
def while_loop(n: i32) -> i64:
    total: i64 = 1
    i = 0
    while i < n:
        i += 1
        if i & 3 == 2:
            continue
        if i == 40:
            break
        total = u64(total * 3 + i)
    return total


def while_true(n: i32) -> i32:
    i = n
    while True:
        if i >= 10:
            return i
        i += 3


def range_forms(a: i32, b: i32) -> i64:
    s = u64(0)
    for i in range(7):
        s = u64(s * 31 + i)
    for i in range(a, b):
        if i == 20:
            continue
        if i > a + 40:
            break
        s = u64(s * 31 + i)
    for i in range(a, b, 3):
        s = u64(s * 7 + i)
        if i - a > 100:
            break
    return s


def range_near_the_top(a: i32) -> i32:
    n = 0
    for _i in range(a, 0xFFFFFFFF, 0x10000001):
        n += 1
    return n


def range_keeps_the_last_value(n: i32) -> i32:
    i = 99
    for i in range(n):
        n = 0
        if i == 5:
            break
    return i * 100 + n


def range64(n: i64) -> i64:
    s = u64(0)
    for i in range(n, n + 5):
        s = u64(s + i)
    return s


def nested_loops(n: i32) -> i32:
    r = 0
    for i in range(n):
        j = 0
        while j < i:
            j += 1
            if j & 1:
                continue
            for k in range(j):
                if k == 3:
                    break
                r = u32(r * 5 + k)
            if r & 0x100:
                break
        else_value = r
        r = else_value ^ i
    return r


def logic_values(a: i32, b: i64, c: i32) -> i64:
    x = a and b
    y = a or b or c
    z = (a < c) or (not b and c)
    w = a and c and 7
    return u64(x * 3 + y * 5 + z * 7 + w)


def logic_tests(a: i32, b: i32, c: i32) -> i32:
    r = 0
    if a and b or c:
        r |= 1
    if a or (b and c):
        r |= 2
    if not (a and b) and (c or not a):
        r |= 4
    if (a or b) and (b or c):
        r |= 8
    else:
        r |= 16
    while not (r & 32) and (a or r):
        r |= 32
    return r + ((a or b) and c)


def evaluation_stops(a: i32) -> i32:
    if a and h_note(a, 1):
        return 1
    if a == 0 or h_note(a, 2) == 5:
        return 2
    return h_note(a, 3) if a & 1 else h_note(a, 4)


def conditional(a: i32, b: i64) -> i64:
    return (a if a > 10 else b) + (1 if a else 2)


def widening(a: i32, b: i32, c: i64) -> i64:
    t = u64(a * b)
    wide: i64 = a + b
    t = u64(t + (c ^ a) - b)
    t = u64(t + (a << 4) + wide)
    return u64(t + ~a) if c >= a else u64(-t)


def wrapping(a: i32, b: i32) -> i32:
    x = u32(a - b)
    y = u32(-a)
    z = u32(~(a + b))
    m = a & ~b
    return u32(x * y + (z ^ m) - u32(-1))


def constants(a: i32) -> i64:
    k = Kind.B + HEAD * 2
    return u64(a) + BIG + k + (HEAD if a > 3 else 0xFFFF_FFFF)


def floats(a: f64, b: f64, n: i64) -> f64:
    x = a + b * HALF - 2
    if x < a or x != x:  # noqa: PLR0124  (the test for NaN in restricted Python)
        x = -x
    while x > 1e300 and x < 1e308:
        x = fdiv(x, 1e10)
    return x if n == 0 else x * f64_from_i64_u(n)


@inline
def _twice(x: i32) -> i32:
    return u32(x + x)


@inline
def _early(x: i32, k: i32) -> i32:
    for i in range(k):
        if x == i:
            return i + 100
    if k > 3:
        return 7
    x = u32(x + 1)
    return x


@inline
def _poke(addr: i32, val: i32) -> None:
    if val == 0:
        return
    st32(addr + HEAD, val)


def inlining(a: i32, b: i32) -> i32:
    r = 0
    for i in range(3):
        _poke(i * 4, u32(a + i))
        r = u32(r + _twice(_early(a, 5)) + _early(b, 2) + _early(u32(_twice(b) + i), i))
    return r


def fib(n: i32) -> i32:
    if n < 2:
        return n
    return u32(fib(n - 1) + fib(n - 2))


def is_even(n: i32) -> i32:
    return 1 if n == 0 else is_odd(n - 1)


def is_odd(n: i32) -> i32:
    return 0 if n == 0 else is_even(n - 1)


def memory_forms(p: i32, v: i64) -> i64:
    st64(p + HEAD, v)
    st8(p, 0x1FF)
    st16(p + 1, 0x12345)
    st32(p + 4, u32(v))
    stf64(HEAD + (p + 16), 2.5)
    memset(p + 64, 0x1AB, 9)
    memcpy(p + 60, p + 62, 8)
    memcpy(p + 70, p + 66, 8)
    return ld64(p + 3) ^ ld8(p) ^ ld32(p + HEAD + 1)


def load_anywhere(p: i32) -> i64:
    return ld64(p + 4)


def grow(n: i32) -> i32:
    before = memory_size()
    old = memory_grow(n)
    if old != 0xFFFFFFFF:
        st8((before + n) * 65536 - 1, 7)
    return u32(old * 1000 + memory_size())


def stack_pointer(n: i32) -> i32:
    p = u32(get_sp() - n)
    set_sp(p)
    return p


def tuple_swap(a: i32, b: i32) -> i32:
    x = y = a
    x, y = b, x
    a, b = b, u32(a + y)
    return u32(x * 7 + y * 5 + a * 3 + b)


def selecting(a: i32, b: i64) -> i64:
    return select(a < 5, b, a) + select(a, 1, 2)


def select_order(a: i32) -> i32:
    return select(h_note(a, 0), h_note(a, 1), h_note(a, 2))


def host_calls(a: i32, x: f64) -> i32:
    h_mark(x)
    h_note(a, 7)
    return h_note(u32(a + 1), BIG)


def asserting(a: i32) -> i32:
    assert a < 10, "only small numbers"
    return a


def dividing(a: i32, b: i32) -> i32:
    return a // b * 3 % 1000 + a % b


def trapping(a: i32) -> None:
    st32(0, a)
    if a > 5:
        unreachable()
    st32(4, a)


def t_add(a: i32, b: i32) -> i32:
    return u32(a + b)


def t_store(a: i32) -> None:
    st32(16, a)


def t_store2(a: i32, b: i32) -> None:
    st32(20, a ^ b)


def indirect(fn: i32, a: i32, b: i32) -> i32:
    if fn == 1:
        call_indirect_i_v(fn, a)
        return 0
    if fn == 2:
        call_indirect_ii_v(fn, a, b)
        return 1
    if fn == 3:
        return call_indirect_i_i(fn, a)
    return call_indirect_ii_i(fn, a, b)


def float_memory(p: i32) -> f64:
    return ldf64(p + 1)
