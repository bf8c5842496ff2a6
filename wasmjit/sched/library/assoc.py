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
    AH_ROOT,
    AH_TABLE,
    AH_VALUE,
    ASSOC_HEADER,
    ASSOC_MAGIC,
    MAX_ELEMENT,
)
from wasmjit.sched.control import CB_KEY
from wasmjit.sched.intrinsics import (
    export,
    i32,
    i64,
    inline,
    ld8,
    ld8_64,
    ld32,
    ld64,
    lt_s64,
    memcpy,
    s64,
    sext8,
    shr_s64,
    st32,
    st64,
    u32,
    u64,
)
from wasmjit.sched.kernel.objects import k_object_size
from wasmjit.sched.library.faults import LF_ASSOC_HANDLE, LF_ASSOC_NULL, LF_ASSOC_SHAPE, LF_ASSOC_VALUE, LW_NULL_ASSOC
from wasmjit.sched.library.memory import check, h_lib_fault, h_lib_warn, new_block, store_bytes, store_pair, store_word
from wasmjit.sched.library.strings import LESS, compare_bytes, string_bytes, string_size

MAX_KEY = 1 << 16
WORD = 8  # integer keys up to this many bytes are kept as one signed 64-bit number
FIRST_TABLE = 8

N_NEXT = 0  # u64: next node of the bucket
N_LEFT = 8  # u32 each: the treap
N_RIGHT = 12
N_HASH = 16  # u32; also the priority in the treap
N_SIZE = 20  # u32: bytes of the key
N_KEY = 24  # the key, padded to 8 bytes; then the value


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


@inline
def is_word(a: i32) -> i32:
    """Whether keys are kept as numbers."""
    return u32(ld32(a + AH_KEY) - 1) < WORD


# ---- keys --------------------------------------------------------------------------------------------------------------------------


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


# ---- hash table ----------------------------------------------------------------------------------------------------------------------


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


# ---- order -----------------------------------------------------------------------------------------------------------------------------


def less(a: i32, n: i32, m: i32) -> i32:
    """Whether the key of node n comes before that of node m."""
    return compare_keys(ld32(a + AH_KEY), n + N_KEY, ld32(n + N_SIZE), m + N_KEY, ld32(m + N_SIZE)) == LESS


def treap_insert(a: i32, n: i32) -> None:
    """Put a node in its place: below the nodes of higher priority; the rest of the path is split around it."""
    at = a + AH_ROOT
    t = ld32(at)
    h = ld32(n + N_HASH)
    while t and ld32(t + N_HASH) >= h:
        at = t + N_RIGHT if less(a, t, n) else t + N_LEFT
        t = ld32(at)
    st32(at, n)
    left = n + N_LEFT
    right = n + N_RIGHT
    while t:
        if less(a, t, n):
            st32(left, t)
            left = t + N_RIGHT
            t = ld32(left)
        else:
            st32(right, t)
            right = t + N_LEFT
            t = ld32(right)
    st32(left, 0)
    st32(right, 0)


def treap_remove(a: i32, n: i32) -> None:
    """Take a node out: its subtrees are merged in its place."""
    at = a + AH_ROOT
    t = ld32(at)
    while t != n:
        at = t + N_RIGHT if less(a, t, n) else t + N_LEFT
        t = ld32(at)
    left = ld32(n + N_LEFT)
    right = ld32(n + N_RIGHT)
    while left and right:
        if ld32(left + N_HASH) >= ld32(right + N_HASH):
            st32(at, left)
            at = left + N_RIGHT
            left = ld32(at)
        else:
            st32(at, right)
            at = right + N_LEFT
            right = ld32(at)
    st32(at, left if left else right)


def order(a: i32) -> None:
    """Build the treap if there is none yet."""
    if ld32(a + AH_ORDERED):
        return
    st32(a + AH_ORDERED, 1)
    st32(a + AH_ROOT, 0)
    table = ld32(a + AH_TABLE)
    for i in range(ld32(a + AH_MASK) + 1 if table else 0):
        n = ld32(table + i * 8)
        while n:
            treap_insert(a, n)
            n = ld32(n + N_NEXT)


def outermost(a: i32, side: i32) -> i32:
    """First (side N_LEFT) or last node."""
    best = 0
    t = ld32(a + AH_ROOT)
    while t:
        best = t
        t = ld32(t + side)
    return best


def neighbour(a: i32, p: i32, size: i32, after: i32) -> i32:
    """Node of the smallest key above the one at p (after = 1), or of the largest below it."""
    best = 0
    t = ld32(a + AH_ROOT)
    kind = ld32(a + AH_KEY)
    while t:
        c = compare_keys(kind, t + N_KEY, ld32(t + N_SIZE), p, size)
        if after:
            if c == 1:
                best = t
                t = ld32(t + N_LEFT)
            else:
                t = ld32(t + N_RIGHT)
        elif c == LESS:
            best = t
            t = ld32(t + N_RIGHT)
        else:
            t = ld32(t + N_LEFT)
    return best


def neighbour_of(a: i32, key: i64, after: i32) -> i32:
    """`neighbour` of the key that a variable of the design holds."""
    if is_word(a):
        size = ld32(a + AH_KEY)
        check(u32(key), size)
        st64(CB_KEY, word_key(u32(key), size))
        return neighbour(a, CB_KEY, WORD, after)
    size = key_size(a, key)
    return neighbour(a, key_bytes(a, key, size), size, after)


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
