"""Queues and associative arrays as values (`!sim.queue`, `!sim.assoc_array`) in restricted Python: nothing is changed in place.

A queue value is a pair (address of its elements, their number); an operation that changes it makes another. An array value is a handle that nobody writes to.
Elements and values are memory images of their type; `text` 1 says that they are strings, which are equal when their bytes are.
"""

from __future__ import annotations

from wasmjit.runtime.moore.layouts import AH_COUNT, AH_MASK, AH_TABLE, AH_VALUE
from wasmjit.sched.intrinsics import export, i32, i64, ld32, ld64, le_s64, memcpy, pair, u32, u64
from wasmjit.sched.library.assoc import __moore_assoc_copy, __moore_assoc_create, resolve
from wasmjit.sched.library.assoc_keys import N_HASH, N_KEY, N_NEXT, N_SIZE, bytes_equal, is_word
from wasmjit.sched.library.assoc_table import find_bytes, find_word, value_at
from wasmjit.sched.library.memory import element_size, result
from wasmjit.sched.library.queues import make_queue, new_storage, nobody
from wasmjit.sched.library.strings import string_bytes, string_size


@export
@pair
def __wasmjit_queue_splice(data: i64, length: i64, at: i64, dropped: i64, more: i64, count: i64, size: i64) -> i32:
    """The queue with the `dropped` elements from index `at` on replaced by `count` ones from address `more`."""
    elem = element_size(size)
    total = length - dropped + count
    if total == 0:
        return result(0, 0)
    to = new_storage(total * elem, elem, nobody(), 0, 0)
    head = u32(at * elem)
    new = u32(count * elem)
    tail = at + dropped
    if head:
        memcpy(to, u32(data), head)
    if new:
        memcpy(to + head, u32(more), new)
    if length > tail:
        memcpy(to + head + new, u32(data) + u32(tail * elem), u32((length - tail) * elem))
    return result(to, total)


@export
@pair
def __wasmjit_queue_slice(data: i64, length: i64, low: i64, high: i64, outside: i64, size: i64) -> i32:
    """Elements low ... high (signed); those that do not exist are copies of the one at `outside`."""
    elem = element_size(size)
    if le_s64(low, high) == 0:
        return result(0, 0)
    count = u64(high - low) + 1
    to = new_storage(count * elem, elem, nobody(), 0, 0)
    p = to
    i = low
    n = count
    while n:
        if i < length:
            memcpy(p, u32(data) + u32(i * elem), elem)
        else:
            memcpy(p, u32(outside), elem)
        p = p + elem
        i = u64(i + 1)
        n = n - 1
    return result(to, count)


@export
@pair
def __wasmjit_queue_of_array(image: i64, count: i64, size: i64) -> i32:
    """A queue of the elements of an hw.array, whose element 0 comes last in memory."""
    elem = element_size(size)
    first = make_queue(u32(image), count, elem)
    for i in range(u32(count)):
        memcpy(first + i * elem, u32(image) + (u32(count) - 1 - i) * elem, elem)
    return result(first, count)


def same_value(p: i32, q: i32, size: i32, text: i32) -> i32:
    """Whether two images are equal."""
    if text == 0:
        return bytes_equal(p, q, size)
    n = string_size(p)
    if string_size(q) != n:
        return 0
    if n == 0:
        return 1
    return bytes_equal(string_bytes(p), string_bytes(q), n)


@export
def __wasmjit_queue_equal(data: i64, length: i64, other: i64, others: i64, size: i64, text: i32) -> i32:
    elem = element_size(size)
    if length != others:
        return 0
    for i in range(u32(length)):
        if same_value(u32(data) + i * elem, u32(other) + i * elem, elem, text) == 0:
            return 0
    return 1


@export
def __wasmjit_assoc_value(handle: i64, key_size: i32, value_size: i32) -> i32:
    """An array with the entries of `handle` that may be written to before others see it; null is the empty one."""
    if handle == 0:
        return __moore_assoc_create(key_size, value_size)
    return __moore_assoc_copy(handle)


@export
def __wasmjit_assoc_equal(handle: i64, other: i64, text: i32) -> i32:
    """Whether two arrays have the same keys with equal values."""
    a = resolve(handle)
    b = resolve(other)
    count = 0
    others = 0
    if a:
        count = ld32(a + AH_COUNT)
    if b:
        others = ld32(b + AH_COUNT)
    if count != others:
        return 0
    if count == 0:
        return 1
    size = ld32(a + AH_VALUE)
    table = ld32(a + AH_TABLE)
    for i in range(ld32(a + AH_MASK) + 1):
        n = ld32(table + i * 8)
        while n:
            m = 0
            if is_word(a):
                m = find_word(b, ld64(n + N_KEY))
            else:
                m = find_bytes(b, n + N_KEY, ld32(n + N_SIZE), ld32(n + N_HASH))
            if m == 0:
                return 0
            if same_value(value_at(n), value_at(m), size, text) == 0:
                return 0
            n = ld32(n + N_NEXT)
    return 1
