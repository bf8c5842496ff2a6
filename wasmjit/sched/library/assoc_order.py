"""Order of the entries of an associative array: a treap over the nodes of its table, built when first asked for (restricted Python)."""

from __future__ import annotations

from wasmjit.runtime.moore.layouts import (
    AH_KEY,
    AH_MASK,
    AH_ORDERED,
    AH_ROOT,
    AH_TABLE,
)
from wasmjit.sched.control import CB_KEY
from wasmjit.sched.intrinsics import (
    i32,
    i64,
    ld32,
    st32,
    st64,
    u32,
)
from wasmjit.sched.library.assoc_keys import (
    N_HASH,
    N_KEY,
    N_LEFT,
    N_NEXT,
    N_RIGHT,
    N_SIZE,
    WORD,
    compare_keys,
    is_word,
    key_bytes,
    key_size,
    word_key,
)
from wasmjit.sched.library.memory import check
from wasmjit.sched.library.strings import LESS


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
