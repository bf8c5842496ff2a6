"""Slots of the time wheel: a record vector for every (fs, delta, epsilon) other than the next epsilon and the next delta.

The earliest slots, NEAR_MOST at most, form a chain in the order of time: most designs wait for a handful of times at once, so that finding, making and
taking one is a look at one or two. What is later than all of these lies in a binary heap and is found by hash; a few move over when the chain is used up.
"""

from __future__ import annotations

from wasmjit.sched.control import (
    CB_HEAP_ARR,
    CB_HEAP_CAP,
    CB_HEAP_N,
    CB_NEAR,
    CB_NEAR_N,
    CB_SLOT_FREE,
    CB_SLOT_HASH,
    CB_SLOT_HASH_BITS,
    CB_SLOT_LAST,
    CB_TOP_FS,
    NEVER,
    NONE,
)
from wasmjit.sched.descriptors import D_SIZE, S_BASE, S_BUCKET, S_CUR, S_DELTA, S_EPS, S_FS, S_INDEX, S_LIVE, S_NEXT, S_SIZE, V_END
from wasmjit.sched.intrinsics import i32, i64, inline, ld32, ld32_64, ld64, st32, st64, u32, u64
from wasmjit.sched.kernel.heap import k_alloc, k_alloc0, k_free, k_realloc

FIRST_RECORDS = 4  # capacity of a fresh slot
KEEP_BYTES = 2048  # vectors up to this size stay with a recycled slot
NEAR = NONE  # S_INDEX of a slot of the chain
NEAR_MOST = 12
NEAR_FILL = 6  # slots that move from the heap to an empty chain


@inline
def before(a: i32, b: i32) -> i32:
    """Whether slot a is earlier than slot b (their keys differ)."""
    fa = ld64(a + S_FS)
    fb = ld64(b + S_FS)
    da = ld32(a + S_DELTA)
    db = ld32(b + S_DELTA)
    return fa < fb or (fa == fb and (da < db or (da == db and ld32(a + S_EPS) < ld32(b + S_EPS))))


# ---- the heap: later slots ------------------------------------------------------------------------------------------------


def sift_up(i: i32, s: i32) -> None:
    arr = ld32(CB_HEAP_ARR)
    while i > 0:
        up = (i - 1) >> 1
        t = ld32(arr + up * 4)
        if before(s, t) == 0:
            break
        st32(arr + i * 4, t)
        st32(t + S_INDEX, i)
        i = up
    st32(arr + i * 4, s)
    st32(s + S_INDEX, i)


def sift_down(i: i32, s: i32) -> None:
    arr = ld32(CB_HEAP_ARR)
    n = ld32(CB_HEAP_N)
    while True:
        c = i * 2 + 1
        if c >= n:
            break
        t = ld32(arr + c * 4)
        if c + 1 < n:
            other = ld32(arr + c * 4 + 4)
            if before(other, t):
                c = c + 1
                t = other
        if before(t, s) == 0:
            break
        st32(arr + i * 4, t)
        st32(t + S_INDEX, i)
        i = c
    st32(arr + i * 4, s)
    st32(s + S_INDEX, i)


@inline
def slot_hash(fs: i64, delta: i32, eps: i32) -> i32:
    """Address of the hash bucket."""
    h = u64((fs + delta * 0x85EBCA6B + eps * 0xC2B2AE35) * 0x9E3779B97F4A7C15)
    return ld32(CB_SLOT_HASH) + u32(h >> u64(64 - ld32_64(CB_SLOT_HASH_BITS))) * 4


@inline
def hash_insert(s: i32) -> None:
    b = slot_hash(ld64(s + S_FS), ld32(s + S_DELTA), ld32(s + S_EPS))
    st32(s + S_BUCKET, b)
    st32(s + S_NEXT, ld32(b))
    st32(b, s)


def rehash() -> None:
    """Double the hash table of slots. Without memory for it the chains just get longer."""
    bits = ld32(CB_SLOT_HASH_BITS) + 1
    table = k_alloc0(4 << bits)
    if table == 0:
        return
    k_free(ld32(CB_SLOT_HASH))
    st32(CB_SLOT_HASH, table)
    st32(CB_SLOT_HASH_BITS, bits)
    arr = ld32(CB_HEAP_ARR)
    for i in range(ld32(CB_HEAP_N)):
        hash_insert(ld32(arr + i * 4))


def far_push(s: i32) -> i32:
    """Put a slot into the heap: 1, or 0 when memory is exhausted."""
    n = ld32(CB_HEAP_N)
    if n == ld32(CB_HEAP_CAP):
        moved = k_realloc(ld32(CB_HEAP_ARR), n * 8)
        if moved == 0:
            return 0
        st32(CB_HEAP_ARR, moved)
        st32(CB_HEAP_CAP, n * 2)
        rehash()
    hash_insert(s)
    st32(CB_HEAP_N, n + 1)
    sift_up(n, s)
    return 1


def far_remove(s: i32) -> None:
    """Take a slot out of heap and hash."""
    n = ld32(CB_HEAP_N) - 1
    st32(CB_HEAP_N, n)
    i = ld32(s + S_INDEX)
    if i != n:
        last = ld32(ld32(CB_HEAP_ARR) + n * 4)
        if before(last, s):
            sift_up(i, last)
        else:
            sift_down(i, last)
    if ld32(CB_SLOT_LAST) == s:
        st32(CB_SLOT_LAST, 0)
    t = ld32(s + S_BUCKET)
    while ld32(t + S_NEXT) != s:  # the bucket itself is at S_NEXT of its own address
        t = ld32(t + S_NEXT)
    st32(t + S_NEXT, ld32(s + S_NEXT))


def far_slot(fs: i64, delta: i32, eps: i32) -> i32:
    """The slot of a time later than the chain, made if needed; 0 when memory is exhausted."""
    s = ld32(CB_SLOT_LAST)
    if s and ld64(s + S_FS) == fs and ld32(s + S_DELTA) == delta and ld32(s + S_EPS) == eps:
        return s
    s = ld32(slot_hash(fs, delta, eps))
    while s:
        if ld64(s + S_FS) == fs and ld32(s + S_DELTA) == delta and ld32(s + S_EPS) == eps:
            break
        s = ld32(s + S_NEXT)
    if s == 0:
        s = slot_new(fs, delta, eps)
        if s and far_push(s) == 0:
            slot_recycle(s)
            s = 0
    st32(CB_SLOT_LAST, s)
    return s


# ---- the chain: the earliest slots ----------------------------------------------------------------------------------------


def refill() -> None:
    """Move slots from the heap, which has some, to the empty chain; they are then the earliest."""
    at = CB_NEAR
    n = 0
    while n < NEAR_FILL and ld32(CB_HEAP_N):
        s = ld32(ld32(CB_HEAP_ARR))
        far_remove(s)
        st32(s + S_INDEX, NEAR)
        st32(at + S_NEXT, s)
        at = s
        n = n + 1
    st32(at + S_NEXT, 0)
    st32(CB_NEAR_N, n)
    st64(CB_TOP_FS, ld64(ld32(CB_NEAR) + S_FS))


def spill() -> None:
    """The last slot of a chain that is too long moves to the heap; without memory for it the chain is just longer."""
    t = ld32(CB_NEAR)
    s = ld32(t + S_NEXT)
    while ld32(s + S_NEXT):
        t = s
        s = ld32(s + S_NEXT)
    if far_push(s):
        st32(t + S_NEXT, 0)
        st32(CB_NEAR_N, ld32(CB_NEAR_N) - 1)


@inline
def slot_new(fs: i64, delta: i32, eps: i32) -> i32:
    """An empty slot with that key; 0 when memory is exhausted."""
    s = ld32(CB_SLOT_FREE)
    if s:
        st32(CB_SLOT_FREE, ld32(s + S_NEXT))
    else:
        s = k_alloc0(S_SIZE)
        if s == 0:
            return 0
    base = ld32(s + S_BASE)
    if base == 0:
        base = k_alloc(FIRST_RECORDS * D_SIZE)
        if base == 0:
            st32(s + S_NEXT, ld32(CB_SLOT_FREE))
            st32(CB_SLOT_FREE, s)
            return 0
        st32(s + S_BASE, base)
        st32(s + S_BASE + V_END, base + FIRST_RECORDS * D_SIZE)
    st32(s + S_CUR, base)
    st64(s + S_FS, fs)
    st32(s + S_DELTA, delta)
    st32(s + S_EPS, eps)
    st64(s + S_LIVE, 0)  # and S_HOST
    return s


def slot_at(fs: i64, delta: i32, eps: i32) -> i32:
    """The slot of an absolute time, made if needed; 0 when memory is exhausted."""
    return find_slot(fs, delta, eps)


@inline
def find_slot(fs: i64, delta: i32, eps: i32) -> i32:
    """`slot_at` for the hottest of its callers."""
    at = CB_NEAR
    s = ld32(CB_NEAR)
    while s:
        f = ld64(s + S_FS)
        if f >= fs:
            if f > fs:
                break
            d = ld32(s + S_DELTA)
            e = ld32(s + S_EPS)
            if d == delta and e == eps:
                return s
            if d > delta or (d == delta and e > eps):
                break
        at = s
        s = ld32(s + S_NEXT)
    n = ld32(CB_NEAR_N)
    if s == 0 and (n >= NEAR_MOST or ld32(CB_HEAP_N)):
        return far_slot(fs, delta, eps)
    made = slot_new(fs, delta, eps)
    if made == 0:
        return 0
    st32(made + S_INDEX, NEAR)
    st32(made + S_NEXT, s)
    st32(at + S_NEXT, made)
    st32(CB_NEAR_N, n + 1)
    if at == CB_NEAR:
        st64(CB_TOP_FS, fs)
    if n >= NEAR_MOST:
        spill()
    return made


@inline
def slot_pop() -> i32:
    """Take the earliest slot out of the wheel; there is one."""
    s = ld32(CB_NEAR)
    nxt = ld32(s + S_NEXT)
    st32(CB_NEAR, nxt)
    if nxt:
        st32(CB_NEAR_N, ld32(CB_NEAR_N) - 1)
        st64(CB_TOP_FS, ld64(nxt + S_FS))
    else:
        st32(CB_NEAR_N, 0)
        st64(CB_TOP_FS, NEVER)
        if ld32(CB_HEAP_N):
            refill()
    return s


def slot_drop(s: i32) -> None:
    """A slot that nothing needs any more disappears."""
    if ld32(s + S_INDEX) != NEAR:
        far_remove(s)
    elif s == ld32(CB_NEAR):
        slot_pop()
    else:
        t = ld32(CB_NEAR)
        while ld32(t + S_NEXT) != s:
            t = ld32(t + S_NEXT)
        st32(t + S_NEXT, ld32(s + S_NEXT))
        st32(CB_NEAR_N, ld32(CB_NEAR_N) - 1)
    slot_recycle(s)


@inline
def slot_recycle(s: i32) -> None:
    """Keep a slot that is out of the wheel for later; a small vector stays with it."""
    base = ld32(s + S_BASE)
    if u32(ld32(s + S_BASE + V_END) - base) > KEEP_BYTES:
        k_free(base)
        st32(s + S_BASE, 0)
        st32(s + S_BASE + V_END, 0)
    st32(s + S_NEXT, ld32(CB_SLOT_FREE))
    st32(CB_SLOT_FREE, s)


def slots_init() -> None:
    """Empty chain, heap and hash. The heap (memory) must be ready."""
    st32(CB_SLOT_HASH_BITS, 6)
    st32(CB_SLOT_HASH, k_alloc0(4 << 6))
    st32(CB_HEAP_ARR, k_alloc(4 * 32))
    st32(CB_HEAP_CAP, 32)
    st64(CB_TOP_FS, NEVER)
