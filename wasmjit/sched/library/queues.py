"""Queues (IEEE 1800-2023 §7.10) in restricted Python. Layout and ownership of storage: `wasmjit.runtime.moore.layouts`.

A queue whose length or data pointer cannot be right is left alone (circt-sim does the same): designs pass uninitialised headers.
"""

from __future__ import annotations

from wasmjit.runtime.moore.layouts import MAX_QUEUE_LENGTH, QH_BASE, QH_ELEM, QH_END, QH_OWNER, QUEUE_HEADER, QUEUE_MAGIC, QUEUE_SIZE
from wasmjit.sched.control import CB_GUEST_LO
from wasmjit.sched.intrinsics import (
    export,
    i32,
    i64,
    inline,
    ld8_64,
    ld32,
    ld64,
    memcpy,
    memory_size,
    memset,
    pair,
    select,
    st32,
    st64,
    u32,
    u64,
)
from wasmjit.sched.kernel.heap import MAX_ASK, k_alloc, k_free
from wasmjit.sched.library.faults import LF_QUEUE_BYTES, LF_QUEUE_COUNT
from wasmjit.sched.library.memory import check, copy, element_size, h_lib_fault, new_block, new_bytes, result, store_bytes, store_pair

MAX_QUEUES = 1 << 20
TRUSTED_LENGTH = 100000
POINTER_BYTES = 8


def readable(addr: i32, n: i64) -> i32:
    """Whether n bytes from addr lie in guest memory."""
    return addr >= ld32(CB_GUEST_LO) and addr + n <= u64(memory_size()) * 65536


def has_header(data: i64) -> i32:
    """Whether `data` lies behind a header of queue storage."""
    if data >> 32 or data < QUEUE_HEADER:
        return 0
    h = u32(data) - QUEUE_HEADER
    if readable(h, QUEUE_HEADER) == 0:
        return 0
    return ld32(h) == QUEUE_MAGIC and ld32(h + QH_BASE) <= h and h < ld32(h + QH_END)


def owned(queue: i64, data: i64) -> i32:
    """Whether the queue struct owns the storage of `data`."""
    if has_header(data) == 0:
        return 0
    return ld64(u32(data) - QUEUE_HEADER + QH_OWNER) == u64(~queue)


def valid(data: i64, length: i64, elem: i32) -> i32:
    """Whether a queue header can be right: every element lies in memory."""
    if length == 0:
        return 1
    if data == 0 or length > MAX_QUEUE_LENGTH:
        return 0
    if readable(u32(data), length * elem) == 0:
        return 0
    return length <= TRUSTED_LENGTH or has_header(data)


def put_header(data: i32, elem: i32, base: i32, end: i32, owner: i64) -> None:
    h = data - QUEUE_HEADER
    st32(h, QUEUE_MAGIC)
    st32(h + QH_ELEM, elem)
    st32(h + QH_BASE, base)
    st32(h + QH_END, end)
    st64(h + QH_OWNER, owner)


def new_storage(nbytes: i64, elem: i32, owner: i64, front: i64, back: i64) -> i32:
    """Storage with `front`, `nbytes` and `back` bytes; the address of the middle part. owner: the complement of the queue's address, all ones for nobody."""
    size = front + nbytes + back + QUEUE_HEADER
    if size >= MAX_ASK:
        h_lib_fault(LF_QUEUE_BYTES, size, 0)
    base = 0
    if elem < POINTER_BYTES:
        base = new_bytes(u32(size))
    else:
        base = new_block(u32(size))
    data = base + QUEUE_HEADER + u32(front)
    put_header(data, elem, base, base + u32(size), owner)
    return data


def nobody() -> i64:
    return u64(~u64(0))


def make_queue(src: i32, length: i64, elem: i32) -> i32:
    """A queue value without an owner yet, with `length` elements from src; what pushes first copies it."""
    if length == 0:
        return result(0, 0)
    data = new_storage(length * elem, elem, nobody(), 0, 0)
    memcpy(data, src, u32(length * elem))
    return result(data, length)


@inline
def slack(used: i64, elem: i32) -> i64:
    """Room to grow into: as much as there is, at least a few elements."""
    least = u64(elem) * 4
    if least < 64:
        least = 64
    if used > least:
        least = used
    return least


def grown(queue: i64, data: i64, length: i64, elem: i32, front: i32) -> i32:
    """New storage of a queue with room at one end; the elements are copied. The old one stays: copies by value may read it."""
    used = length * elem
    more = slack(used, elem)
    none: i64 = 0
    to = new_storage(used, elem, u64(~queue), select(front, more, none), select(front, none, more))
    if length:
        memcpy(to, u32(data), u32(used))
    return to


@export
def __moore_queue_create(elem: i64) -> i32:
    """A new empty queue struct in guest memory."""
    return new_block(QUEUE_SIZE)


@inline
def put_element(dst: i32, element: i64, elem: i32) -> None:
    """An element from the pointer a design passes; zeros for a null pointer."""
    if u32(element):
        copy(dst, u32(element), elem)
    else:
        memset(dst, 0, elem)


def room_behind(queue: i64, data: i64, length: i64, elem: i32) -> i32:
    """Data address of a queue with room for one more element at its end."""
    used = length * elem
    if owned(queue, data) == 0:
        return grown(queue, data, length, elem, 0)
    d = u32(data)
    base = ld32(d - QUEUE_HEADER + QH_BASE)
    end = ld32(d - QUEUE_HEADER + QH_END)
    if d + used + elem <= end:
        return d
    if d - QUEUE_HEADER - base > used:
        # Popped elements left more room in front than is in use: slide down instead of growing.
        to = base + QUEUE_HEADER
        memcpy(to, d, u32(used))
        put_header(to, elem, base, end, u64(~queue))
        return to
    return grown(queue, data, length, elem, 0)


@inline
def takes(queue: i64, element: i64, elem: i32) -> i32:
    """Whether an element can be put into the queue: its addresses are checked, a null queue faults."""
    q = u32(queue)
    if q == 0:
        store_pair(queue, 0, 0)
        return 0
    check(q, 16)
    if u32(element):
        check(u32(element), elem)
    return valid(ld64(q), ld64(q + 8), elem)


@export
def __moore_queue_push_back(queue: i64, element: i64, size: i64) -> None:
    elem = element_size(size)
    if takes(queue, element, elem) == 0:
        return
    data = ld64(u32(queue))
    length = ld64(u32(queue) + 8)
    to = room_behind(queue, data, length, elem)
    put_element(to + u32(length * elem), element, elem)
    store_pair(queue, to, length + 1)


@export
def __moore_queue_push_front(queue: i64, element: i64, size: i64) -> None:
    elem = element_size(size)
    if takes(queue, element, elem) == 0:
        return
    data = ld64(u32(queue))
    length = ld64(u32(queue) + 8)
    d = u32(data)
    if owned(queue, data) == 0 or d - QUEUE_HEADER < ld32(d - QUEUE_HEADER + QH_BASE) + elem:
        d = grown(queue, data, length, elem, 1)
    base = ld32(d - QUEUE_HEADER + QH_BASE)
    end = ld32(d - QUEUE_HEADER + QH_END)
    d = d - elem
    put_header(d, elem, base, end, u64(~queue))
    put_element(d, element, elem)
    store_pair(queue, d, length + 1)


def drop_first(queue: i64, data: i64, length: i64, elem: i32) -> None:
    """Take the first element off."""
    d = u32(data)
    if owned(queue, data):
        base = ld32(d - QUEUE_HEADER + QH_BASE)
        end = ld32(d - QUEUE_HEADER + QH_END)
        d = d + elem
        if length == 1:
            d = base + QUEUE_HEADER  # the data of an empty queue lies inside of its block, so that the block stays
        put_header(d, elem, base, end, u64(~queue))
    else:
        rest = (length - 1) * elem
        d = new_storage(rest, elem, u64(~queue), 0, slack(0, elem))
        memcpy(d, u32(data) + elem, u32(rest))
    store_pair(queue, d, length - 1)


def present(queue: i64, elem: i32) -> i64:
    """Length of a queue that may be taken from; 0 when there is nothing to take."""
    q = u32(queue)
    if q == 0:
        return 0
    check(q, 16)
    length = ld64(q + 8)
    if length and valid(ld64(q), length, elem):
        return length
    return 0


@inline
def number_at(addr: i32, elem: i32) -> i64:
    """An element as an integer, its lowest 64 bits."""
    value: i64 = 0
    if elem >= 8:
        value = ld64(addr)
    else:
        i = elem
        while i:
            i = i - 1
            value = u64(value << 8) | ld8_64(addr + i)
    return value


@inline
def popped(queue: i64, size: i64, front: i32) -> i64:
    """Take the first (front 1) or last element off: its value as an integer, 0 when the queue is empty."""
    elem = element_size(size)
    length = present(queue, elem)
    value: i64 = 0
    if length:
        data = ld64(u32(queue))
        if front:
            value = number_at(u32(data), elem)
            drop_first(queue, data, length, elem)
        else:
            value = number_at(u32(data) + u32((length - 1) * elem), elem)
            store_pair(queue, u32(data), length - 1)
    return value


@export
def __moore_queue_pop_back(queue: i64, size: i64) -> i64:
    return popped(queue, size, 0)


@export
def __moore_queue_pop_front(queue: i64, size: i64) -> i64:
    return popped(queue, size, 1)


def empty_result(queue: i64, dest: i64, elem: i32) -> None:
    """What a pop of nothing leaves: zeros if the queue is empty, nothing if its header is impossible."""
    if u32(queue) == 0 or ld64(u32(queue) + 8) == 0:
        zeros = k_alloc(elem)
        memset(zeros, 0, elem)
        store_bytes(dest, zeros, elem)
        k_free(zeros)


@inline
def pop_into(queue: i64, dest: i64, size: i64, front: i32) -> None:
    """Take the first (front 1) or last element off and store it at `dest`."""
    elem = element_size(size)
    length = present(queue, elem)
    if length == 0:
        empty_result(queue, dest, elem)
    else:
        data = ld64(u32(queue))
        if front:
            store_bytes(dest, u32(data), elem)  # before the header moves over it
            drop_first(queue, data, length, elem)
        else:
            store_pair(queue, u32(data), length - 1)
            store_bytes(dest, u32(data) + u32((length - 1) * elem), elem)


@export
def __moore_queue_pop_back_ptr(queue: i64, dest: i64, size: i64) -> None:
    pop_into(queue, dest, size, 0)


@export
def __moore_queue_pop_front_ptr(queue: i64, dest: i64, size: i64) -> None:
    pop_into(queue, dest, size, 1)


@export
def __moore_queue_clear(queue: i64) -> None:
    store_pair(queue, 0, 0)


@export
def __moore_queue_delete_index(queue: i64, index: i32, size: i64) -> None:
    """An index outside changes nothing (§7.10.2.3)."""
    elem = element_size(size)
    length = present(queue, elem)
    if index >= length or index >> 31:
        return
    data = ld64(u32(queue))
    if index == 0:
        drop_first(queue, data, length, elem)
        return
    d = u32(data)
    at = index * elem
    rest = u32((length - 1 - index) * elem)
    if owned(queue, data) == 0:
        d = new_storage((length - 1) * elem, elem, u64(~queue), 0, slack(0, elem))
        memcpy(d, u32(data), at)
    memcpy(d + at, u32(data) + at + elem, rest)
    store_pair(queue, d, length - 1)


@export
def __moore_queue_insert(queue: i64, index: i32, element: i64, size: i64) -> None:
    """An index below 0 or above the size changes nothing (§7.10.2.2)."""
    elem = element_size(size)
    q = u32(queue)
    if index >> 31:
        return
    length: i64 = 0
    if q:
        check(q, 16)
        length = ld64(q + 8)
    if index > length or (q and valid(ld64(q), length, elem) == 0):
        return
    __moore_queue_push_back(queue, element, elem)
    if index == length:
        return
    # The element is the last one now: turn it to its place.
    d = ld32(q)
    last = d + u32(length * elem)
    at = d + index * elem
    value = k_alloc(elem)
    copy(value, last, elem)
    memcpy(at + elem, at, last - at)
    copy(at, value, elem)
    k_free(value)
    store_pair(queue, d, length + 1)


@export
def __moore_queue_size(queue: i64) -> i32:
    q = u32(queue)
    if q == 0:
        return 0
    check(q, 16)
    n = ld64(q + 8)
    if n >> 63:
        return 0
    return u32(n)


@export
@pair
def __moore_queue_concat(queues: i64, count: i64, size: i64) -> i32:
    """The queues of an array of `count` queue structs, one after the other."""
    elem = element_size(size)
    if count > MAX_QUEUES:
        h_lib_fault(LF_QUEUE_COUNT, count, 0)
    total: i64 = 0
    q = u32(queues)
    for i in range(u32(count)):
        total = total + contents(u64(q + i * QUEUE_SIZE), elem)
    if total == 0:
        return result(0, 0)
    data = new_storage(total * elem, elem, nobody(), 0, 0)
    at = data
    for i in range(u32(count)):
        n = u32(contents(u64(q + i * QUEUE_SIZE), elem) * elem)
        if n:
            memcpy(at, ld32(q + i * QUEUE_SIZE), n)
            at = at + n
    return result(data, total)


def contents(queue: i64, elem: i32) -> i64:
    """Length of a queue to read; an invalid queue reads as empty."""
    q = u32(queue)
    if q == 0:
        return 0
    check(q, 16)
    length = ld64(q + 8)
    if length >> 63 or length == 0 or valid(ld64(q), length, elem) == 0:
        return 0
    return length


@export
@pair
def __moore_queue_slice(queue: i64, first: i64, last: i64, size: i64) -> i32:
    """`q[first:last]`, both included, cut to what exists (§7.10.1)."""
    elem = element_size(size)
    length = contents(queue, elem)
    if length == 0 or last >> 63:
        return result(0, 0)
    i: i64 = 0
    if first >> 63 == 0:
        i = first
    j = select(last < length, last, length - 1)
    if i > j:
        return result(0, 0)
    return make_queue(ld32(u32(queue)) + u32(i * elem), j - i + 1, elem)
