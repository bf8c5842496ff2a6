"""Associative arrays (IEEE 1800-2023 §7.8, §7.9) in restricted Python.

A handle is the address of a header. Entries are nodes of a hash table: link, key and value in one block, so that the address of a value stays the same
until its key is deleted. Order (strings by their bytes, integers by value as signed numbers, wider keys likewise) costs nothing until somebody asks for it: the
first `first`, `last`, `next` or `prev` builds a treap over the same nodes, which is kept from then on. `next` and `prev` look for the neighbour of the key given,
so they go on correctly when the current key was deleted in between.
"""

from __future__ import annotations

from wasmjit.runtime.moore.layouts import (
    AH_COUNT,
    AH_KEY,
    AH_MASK,
    AH_ORDERED,
    AH_TABLE,
    AH_VALUE,
    ASSOC_HEADER,
    ASSOC_MAGIC,
    MAX_ELEMENT,
)
from wasmjit.sched.intrinsics import (
    export,
    i32,
    i64,
    ld32,
    ld64,
    s64,
    st32,
    st64,
    u32,
)
from wasmjit.sched.kernel.objects import k_object_size
from wasmjit.sched.library.assoc_keys import N_HASH, N_KEY, N_LEFT, N_NEXT, N_RIGHT, N_SIZE
from wasmjit.sched.library.assoc_order import neighbour_of, order, outermost, treap_remove
from wasmjit.sched.library.assoc_table import add, clear, copy_node, find, insert, value_at
from wasmjit.sched.library.faults import LF_ASSOC_HANDLE, LF_ASSOC_NULL, LF_ASSOC_SHAPE, LF_ASSOC_VALUE, LW_NULL_ASSOC
from wasmjit.sched.library.memory import check, h_lib_fault, h_lib_warn, new_block, store_bytes, store_pair, store_word

MAX_KEY = 1 << 16


# ---- arrays ------------------------------------------------------------------------------------------------------------------------


@export
def __moore_assoc_create(key_size: i32, value_size: i32) -> i32:
    """key_size in bytes, 0 for strings."""
    if key_size > MAX_KEY or value_size > MAX_ELEMENT:
        h_lib_fault(LF_ASSOC_SHAPE, s64(key_size), s64(value_size))
    a = new_block(ASSOC_HEADER)
    st64(a, ASSOC_MAGIC)
    st32(a + AH_KEY, key_size)
    st32(a + AH_VALUE, value_size)
    return a


@export
def __wasmjit_assoc_make(place: i64, key_size: i32, value_size: i32) -> i32:
    """A new array in the variable at `place` (`sem/lower/assoc.py` calls this when an element of an array is written that nobody created)."""
    a = __moore_assoc_create(key_size, value_size)
    store_word(place, a)
    return a


def resolve(handle: i64) -> i32:
    """The header of a handle, or of the handle in a variable (front ends pass either); 0 for a null handle, a fault for anything else."""
    if handle == 0:
        return 0
    a = u32(handle)
    check(a, 8)
    word = ld64(a)
    if word == ASSOC_MAGIC:
        return a
    if word == 0:
        return 0
    a = u32(word)
    if word >> 32:
        h_lib_fault(LF_ASSOC_HANDLE, handle, 0)
    check(a, ASSOC_HEADER)
    if ld64(a) != ASSOC_MAGIC:
        h_lib_fault(LF_ASSOC_HANDLE, handle, 0)
    return a


def give_key(a: i32, n: i32, key: i64) -> i32:
    """Store the key of a node in the variable at `key`: 1, or 0 when there is no node."""
    if n == 0:
        return 0
    size = ld32(a + AH_KEY)
    if size == 0:
        length = ld32(n + N_SIZE)
        store_pair(key, n + N_KEY if length else 0, length)
    else:
        store_bytes(key, n + N_KEY, size)
    return 1


# ---- methods -----------------------------------------------------------------------------------------------------------------------------


@export
def __moore_assoc_size(handle: i64) -> i64:
    a = resolve(handle)
    if a == 0:
        return 0
    return ld32(a + AH_COUNT)


@export
def __moore_assoc_exists(handle: i64, key: i64) -> i32:
    a = resolve(handle)
    return a != 0 and find(a, key) != 0


@export
def __moore_assoc_get_ref(handle: i64, key: i64, value_size: i32) -> i32:
    """Address of the value, made and zeroed if the key is new."""
    a = resolve(handle)
    if a == 0:
        h_lib_warn(LW_NULL_ASSOC)
        return 0
    size = ld32(a + AH_VALUE)
    if value_size > size and value_size >> 31 == 0:
        widen_values(a, value_size)
        size = value_size
    n = find(a, key)
    if n:
        return value_at(n)
    return value_at(add(a, key, size if size else 1))


def widen_values(a: i32, size: i32) -> None:
    """Values of `size` bytes from now on: front ends create arrays with a smaller size than the design then stores. Nodes with room for that stay where they are."""
    if size > MAX_ELEMENT:
        h_lib_fault(LF_ASSOC_VALUE, s64(size), 0)
    old = ld32(a + AH_VALUE)
    st32(a + AH_VALUE, size)
    table = ld32(a + AH_TABLE)
    moved = 0
    for i in range(ld32(a + AH_MASK) + 1 if table else 0):
        at = table + i * 8
        while ld32(at):
            n = ld32(at)
            if k_object_size(n) - (value_at(n) - n) < size:
                moved = 1
                m = copy_node(n, old, size)
                st64(m + N_NEXT, ld64(n + N_NEXT))
                st64(at, m)
                n = m
            at = n + N_NEXT
    if moved and ld32(a + AH_ORDERED):
        st32(a + AH_ORDERED, 0)
        order(a)


@export
def __moore_assoc_delete(handle: i64) -> None:
    a = resolve(handle)
    if a:
        clear(a)


@export
def __moore_assoc_delete_key(handle: i64, key: i64) -> None:
    a = resolve(handle)
    if a == 0:
        return
    n = find(a, key)
    if n == 0:
        return
    if ld32(a + AH_ORDERED):
        treap_remove(a, n)
    at = ld32(a + AH_TABLE) + (ld32(n + N_HASH) & ld32(a + AH_MASK)) * 8
    while ld32(at) != n:
        at = ld32(at) + N_NEXT
    st64(at, ld64(n + N_NEXT))
    st32(a + AH_COUNT, ld32(a + AH_COUNT) - 1)


def end_of(handle: i64, key: i64, side: i32) -> i32:
    a = resolve(handle)
    if a == 0 or ld32(a + AH_COUNT) == 0:
        return 0
    order(a)
    return give_key(a, outermost(a, side), key)


def step(handle: i64, key: i64, after: i32) -> i32:
    a = resolve(handle)
    if a == 0 or ld32(a + AH_COUNT) == 0:
        return 0
    order(a)
    return give_key(a, neighbour_of(a, key, after), key)


@export
def __moore_assoc_first(handle: i64, key: i64) -> i32:
    return end_of(handle, key, N_LEFT)


@export
def __moore_assoc_last(handle: i64, key: i64) -> i32:
    return end_of(handle, key, N_RIGHT)


@export
def __moore_assoc_next(handle: i64, key: i64) -> i32:
    return step(handle, key, 1)


@export
def __moore_assoc_prev(handle: i64, key: i64) -> i32:
    return step(handle, key, 0)


def copy_entries(dst: i32, src: i32) -> None:
    """Make the entries of dst copies of those of src."""
    clear(dst)
    size = ld32(src + AH_VALUE)
    st32(dst + AH_VALUE, size)
    table = ld32(src + AH_TABLE)
    for i in range(ld32(src + AH_MASK) + 1 if table else 0):
        n = ld32(table + i * 8)
        while n:
            insert(dst, copy_node(n, size, size))
            n = ld32(n + N_NEXT)


@export
def __moore_assoc_copy_into(dst: i64, src: i64) -> None:
    """Replace the entries of `dst` by copies of those of `src`. A destination variable that holds no array yet gets one."""
    source = resolve(src)
    target = resolve(dst)
    if target == 0:
        if source == 0:
            return
        if dst == 0:
            h_lib_fault(LF_ASSOC_NULL, 0, 0)
        target = __wasmjit_assoc_make(dst, ld32(source + AH_KEY), ld32(source + AH_VALUE))
    if source == 0:
        clear(target)
    elif source != target:
        copy_entries(target, source)


@export
def __moore_assoc_copy(src: i64) -> i32:
    source = resolve(src)
    if source == 0:
        return 0
    a = __moore_assoc_create(ld32(source + AH_KEY), ld32(source + AH_VALUE))
    copy_entries(a, source)
    return a
