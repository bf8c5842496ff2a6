"""The hash table of an associative array: nodes are found by key, made, copied and forgotten (restricted Python)."""

from __future__ import annotations

from wasmjit.runtime.moore.layouts import (
    AH_COUNT,
    AH_KEY,
    AH_MASK,
    AH_ORDERED,
    AH_ROOT,
    AH_TABLE,
)
from wasmjit.sched.intrinsics import (
    i32,
    i64,
    inline,
    ld32,
    ld64,
    memcpy,
    st32,
    st64,
    u32,
)
from wasmjit.sched.library.assoc_keys import (
    N_HASH,
    N_KEY,
    N_NEXT,
    N_SIZE,
    WORD,
    bytes_equal,
    hash_bytes,
    is_word,
    key_bytes,
    key_size,
    mix,
    word_key,
)
from wasmjit.sched.library.assoc_order import treap_insert
from wasmjit.sched.library.memory import check, new_block

FIRST_TABLE = 8


@inline
def find_word(a: i32, key: i64) -> i32:
    """Node of a number, 0 if there is none."""
    table = ld32(a + AH_TABLE)
    n = 0
    if table:
        n = ld32(table + (mix(key) & ld32(a + AH_MASK)) * 8)
        while n and ld64(n + N_KEY) != key:
            n = ld32(n + N_NEXT)
    return n


def find_bytes(a: i32, p: i32, size: i32, h: i32) -> i32:
    """Node of a string or wide key."""
    table = ld32(a + AH_TABLE)
    if table == 0:
        return 0
    n = ld32(table + (h & ld32(a + AH_MASK)) * 8)
    while n:
        if ld32(n + N_HASH) == h and ld32(n + N_SIZE) == size and bytes_equal(n + N_KEY, p, size):
            return n
        n = ld32(n + N_NEXT)
    return 0


def find(a: i32, key: i64) -> i32:
    """Node of the key at `key`, 0 if there is none."""
    if is_word(a):
        size = ld32(a + AH_KEY)
        check(u32(key), size)
        return find_word(a, word_key(u32(key), size))
    size = key_size(a, key)
    p = key_bytes(a, key, size)
    return find_bytes(a, p, size, hash_bytes(p, size))


def grow_table(a: i32) -> None:
    """Twice as many buckets."""
    old = ld32(a + AH_TABLE)
    size = FIRST_TABLE
    if old:
        size = (ld32(a + AH_MASK) + 1) * 2
    table = new_block(size * 8)
    if old:
        for i in range(size >> 1):
            n = ld32(old + i * 8)
            while n:
                nxt = ld32(n + N_NEXT)
                at = table + (ld32(n + N_HASH) & (size - 1)) * 8
                st64(n + N_NEXT, ld64(at))
                st64(at, n)
                n = nxt
    st64(a + AH_TABLE, table)
    st32(a + AH_MASK, size - 1)


def value_at(n: i32) -> i32:
    return n + N_KEY + ((ld32(n + N_SIZE) + 7) & 0xFFFFFFF8)


def insert(a: i32, n: i32) -> None:
    """Add a node whose key is new."""
    count = ld32(a + AH_COUNT)
    if ld32(a + AH_TABLE) == 0 or count > ld32(a + AH_MASK):
        grow_table(a)
    at = ld32(a + AH_TABLE) + (ld32(n + N_HASH) & ld32(a + AH_MASK)) * 8
    st64(n + N_NEXT, ld64(at))
    st64(at, n)
    st32(a + AH_COUNT, count + 1)
    if ld32(a + AH_ORDERED):
        treap_insert(a, n)


def new_node(size: i32, value_size: i32, h: i32) -> i32:
    """A node without key, its value zeroed."""
    n = new_block(N_KEY + ((size + 7) & 0xFFFFFFF8) + value_size)
    st32(n + N_HASH, h)
    st32(n + N_SIZE, size)
    return n


def add(a: i32, key: i64, value_size: i32) -> i32:
    """A new node for the key at `key`."""
    n = 0
    if is_word(a):
        k = word_key(u32(key), ld32(a + AH_KEY))
        n = new_node(WORD, value_size, mix(k))
        st64(n + N_KEY, k)
    else:
        size = key_size(a, key)
        p = key_bytes(a, key, size)
        n = new_node(size, value_size, hash_bytes(p, size))
        memcpy(n + N_KEY, p, size)
    insert(a, n)
    return n


def copy_node(n: i32, value_size: i32, room: i32) -> i32:
    """A node with the key of n and `value_size` bytes of its value in a place of `room` bytes."""
    m = new_node(ld32(n + N_SIZE), room if room else 1, ld32(n + N_HASH))
    memcpy(m + N_KEY, n + N_KEY, value_at(n) - n - N_KEY + value_size)
    return m


def clear(a: i32) -> None:
    st64(a + AH_TABLE, 0)
    st32(a + AH_MASK, 0)
    st32(a + AH_COUNT, 0)
    st32(a + AH_ROOT, 0)
    st32(a + AH_ORDERED, 0)
