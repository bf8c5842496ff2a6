"""The one heap: kernel pools, frames and what the design allocates.

Blocks are 16-byte aligned with a 16-byte header {size | flags, previous block, check word, bytes asked for}. Up to 512 bytes: size classes in
steps of 16, carved from slabs, never merged. Larger: two-level segregated fit (TLSF: O(1), good fit, neighbours coalesce). The memory grows on
demand up to CB_HEAP_LIMIT; after that allocation returns 0 and CB_LIMIT is set, which ends the run.
"""

from __future__ import annotations

from wasmjit.sched.control import (
    CB_BINS,
    CB_CUR_ID,
    CB_FAULT_ADDR,
    CB_FAULT_ID,
    CB_FAULT_SITE,
    CB_FAULTED,
    CB_HEAP_BASE,
    CB_HEAP_END,
    CB_HEAP_FL,
    CB_HEAP_LAST,
    CB_HEAP_LIMIT,
    CB_HEAP_PEAK,
    CB_HEAP_SL,
    CB_HEAP_USED,
    CB_LIMIT,
    CB_LIMIT_ID,
    CB_SMALL,
    CB_SMALL_BUMP,
    CB_STOP,
    FAULT_BAD_FREE,
    LIMIT_MEMORY,
    STOP_FAULT,
    STOP_LIMIT,
)
from wasmjit.sched.intrinsics import (
    clz32,
    ctz32,
    export,
    i32,
    i64,
    inline,
    ld32,
    ld64,
    memcpy,
    memory_grow,
    memory_size,
    memset,
    select,
    st32,
    st64,
    u32,
)

B_SIZE = 0  # total size | BF_*
B_PREV = 4  # block before it in memory (large blocks)
B_CHECK = 8
B_ASKED = 12
B_HEADER = 16
B_NEXT_FREE = 16  # links of a free block lie in its payload
B_PREV_FREE = 20
BF_FREE = 1
BF_SMALL = 2
BF_WEAK = 4  # the collector does not look into the block
SIZE_MASK = 0xFFFFFFF0
CHECK = 0xA110C8ED
SLAB_CHECK = 0x51AB51AB  # of a block that holds items of a small class; B_ASKED is their size
SMALL_MAX = 496  # bytes asked for
MAX_ASK = 0x7FFF0000
MIN_SPLIT = 64
MIN_GROW = 16  # pages
SMALL_FILL = 256  # bytes up to which a loop is quicker than memory.fill, which is a call out of wasm


@export
def k_fault(site: i32, addr: i64) -> None:
    """The first fault of the run: remembers site, address and process, and stops."""
    if ld32(CB_FAULTED) == 0:
        st32(CB_FAULTED, 1)
        st32(CB_FAULT_SITE, site)
        st64(CB_FAULT_ADDR, addr)
        st32(CB_FAULT_ID, ld32(CB_CUR_ID))
    st32(CB_STOP, STOP_FAULT)


@export
def k_limit(limit: i32, ident: i32) -> None:
    """A limit was hit: the run stops."""
    if ld32(CB_LIMIT) == 0:
        st32(CB_LIMIT, limit)
        st32(CB_LIMIT_ID, ident)
    if ld32(CB_STOP) == 0:
        st32(CB_STOP, STOP_LIMIT)


@inline
def bin_of(size: i32) -> i32:
    """Row and column of a size as row * 16 + column."""
    row = u32(31 - clz32(size))
    return row * 16 + ((size >> u32(row - 4)) & 15)


def bin_insert(b: i32, size: i32) -> None:
    k = bin_of(size)
    row = k >> 4
    head = CB_BINS + k * 4
    first = ld32(head)
    st32(b + B_SIZE, size | BF_FREE)
    st32(b + B_CHECK, 0)
    st32(b + B_NEXT_FREE, first)
    st32(b + B_PREV_FREE, 0)
    if first:
        st32(first + B_PREV_FREE, b)
    st32(head, b)
    st32(CB_HEAP_FL, ld32(CB_HEAP_FL) | (1 << row))
    st32(CB_HEAP_SL + row * 4, ld32(CB_HEAP_SL + row * 4) | (1 << (k & 15)))


def bin_remove(b: i32) -> None:
    k = bin_of(ld32(b + B_SIZE) & SIZE_MASK)
    nxt = ld32(b + B_NEXT_FREE)
    prv = ld32(b + B_PREV_FREE)
    if nxt:
        st32(nxt + B_PREV_FREE, prv)
    if prv:
        st32(prv + B_NEXT_FREE, nxt)
    else:
        st32(CB_BINS + k * 4, nxt)
        if nxt == 0:
            row = k >> 4
            sl = ld32(CB_HEAP_SL + row * 4) & ~(1 << (k & 15))
            st32(CB_HEAP_SL + row * 4, sl)
            if sl == 0:
                st32(CB_HEAP_FL, ld32(CB_HEAP_FL) & ~(1 << row))


def release_large(b: i32) -> None:
    """Put a block on its free list, merged with its free neighbours."""
    size = ld32(b + B_SIZE) & SIZE_MASK
    nxt = b + size
    nsize = ld32(nxt + B_SIZE)
    if nsize & BF_FREE:
        bin_remove(nxt)
        size = size + (nsize & SIZE_MASK)
    prv = ld32(b + B_PREV)
    if prv:
        psize = ld32(prv + B_SIZE)
        if psize & BF_FREE:
            bin_remove(prv)
            size = size + (psize & SIZE_MASK)
            b = prv
    st32(b + size + B_PREV, b)
    bin_insert(b, size)


def grow_heap(total: i32) -> i32:
    """Make room for a block of `total` bytes at the end of the memory: 1 if there is some now."""
    old_end = ld32(CB_HEAP_END)
    now: i64 = memory_size() * 65536
    limit: i64 = ld32(CB_HEAP_LIMIT)
    if limit == 0:
        limit = 0xFFFF0000
    pages = u32((total + 32 + 65535) >> 16)
    want = select(pages < MIN_GROW, MIN_GROW, pages)
    if now + want * 65536 > limit:
        want = pages
        if now + want * 65536 > limit:
            return 0
    if memory_grow(want) == 0xFFFFFFFF:
        if want == pages or memory_grow(pages) == 0xFFFFFFFF:
            return 0
        want = pages
    size = want * 65536
    start = u32(now)
    new_end = start + size
    last = ld32(CB_HEAP_LAST)
    if start == old_end:
        start = last  # the old sentinel becomes the header of the new block
        size = size + B_HEADER
    else:
        st32(start + B_PREV, 0)
        st32(last + B_ASKED, start)  # the end of a segment names the next one
    sentinel = new_end - B_HEADER
    st32(start + B_SIZE, size - B_HEADER)
    st32(sentinel + B_SIZE, 0)
    st32(sentinel + B_PREV, start)
    st32(sentinel + B_CHECK, 0)
    st32(sentinel + B_ASKED, 0)
    st32(CB_HEAP_END, new_end)
    st32(CB_HEAP_LAST, sentinel)
    release_large(start)
    return 1


def find_large(total: i32) -> i32:
    """The free block to use for `total` bytes, taken off its list; 0 when there is none."""
    row = u32(31 - clz32(total))
    k = bin_of(total + (1 << u32(row - 4)) - 1)
    row = k >> 4
    columns = ld32(CB_HEAP_SL + row * 4) & u32(0xFFFFFFFF << (k & 15))
    if columns == 0:
        rows = ld32(CB_HEAP_FL) & ~u32((2 << row) - 1)
        if rows == 0:
            return 0
        row = ctz32(rows)
        columns = ld32(CB_HEAP_SL + row * 4)
    b = ld32(CB_BINS + (row * 16 + ctz32(columns)) * 4)
    bin_remove(b)
    return b


def last_block(total: i32) -> i32:
    """The block at the end of the heap, taken off its list, if it is free and large enough; else 0. (The search by size class rounds up and may miss it.)"""
    b = ld32(ld32(CB_HEAP_LAST) + B_PREV)
    size = ld32(b + B_SIZE)
    if (size & BF_FREE) == 0 or (size & SIZE_MASK) < total:
        return 0
    bin_remove(b)
    return b


def take_large(total: i32) -> i32:
    """A block of at least `total` bytes (a multiple of 16), or 0."""
    b = find_large(total)
    if b == 0:
        b = last_block(total)
        if b == 0:
            if grow_heap(total) == 0:
                return 0
            b = last_block(total)
    size = ld32(b + B_SIZE) & SIZE_MASK
    rest = u32(size - total)
    if rest >= MIN_SPLIT:
        r = b + total
        st32(r + B_PREV, b)
        st32(b + size + B_PREV, r)
        bin_insert(r, rest)
        size = total
    st32(b + B_SIZE, size)
    return b


def refill_small(total: i32) -> i32:
    """A fresh item of a small class, from a new slab; 0 when memory is exhausted."""
    slab = select(total < 128, 4096, total * 32)
    b = take_large(slab)
    if b == 0:
        return 0
    st32(b + B_CHECK, b ^ SLAB_CHECK)
    st32(b + B_ASKED, total)
    item = b + B_HEADER
    bump = CB_SMALL_BUMP + (total >> 4) * 8
    st32(bump, item + total)
    st32(bump + 4, b + (ld32(b + B_SIZE) & SIZE_MASK))
    return item


def account(total: i32) -> None:
    used = ld64(CB_HEAP_USED) + total
    st64(CB_HEAP_USED, used)
    if used > ld64(CB_HEAP_PEAK):
        st64(CB_HEAP_PEAK, used)


@export
def k_alloc(n: i32) -> i32:
    """n bytes, not zeroed, 16-byte aligned; 0 (and CB_LIMIT) when memory is exhausted. Also k_alloc(0) gives an address of its own."""
    b = 0
    if n <= SMALL_MAX:
        total = select(n == 0, 32, (n + 31) & SIZE_MASK)
        head = CB_SMALL + (total >> 4) * 4
        b = ld32(head)
        if b:
            st32(head, ld32(b + B_NEXT_FREE))
        else:
            bump = CB_SMALL_BUMP + (total >> 4) * 8
            b = ld32(bump)
            if b + total <= ld32(bump + 4):
                st32(bump, b + total)
            else:
                b = refill_small(total)
        if b:
            st32(b + B_SIZE, total | BF_SMALL)
    elif n < MAX_ASK:
        b = take_large((n + 31) & SIZE_MASK)
    if b == 0:
        k_limit(LIMIT_MEMORY, 0)
        return 0
    st32(b + B_CHECK, b ^ CHECK)
    st32(b + B_ASKED, n)
    account(ld32(b + B_SIZE) & SIZE_MASK)
    return b + B_HEADER


@export
def k_alloc0(n: i32) -> i32:
    """k_alloc, zeroed."""
    p = k_alloc(n)
    if p:
        if n <= SMALL_FILL:
            a = p
            end = p + n
            while a < end:  # blocks are multiples of 8 bytes
                st64(a, 0)
                a = a + 8
        else:
            memset(p, 0, n)
    return p


@export
def k_heap_valid(p: i32) -> i32:
    """Whether p is the start of an allocated block."""
    if p & 15 or p < ld32(CB_HEAP_BASE) + B_HEADER or p >= ld32(CB_HEAP_END):
        return 0
    b = p - B_HEADER
    return ld32(b + B_CHECK) == b ^ CHECK


@export
def k_block_size(p: i32) -> i32:
    """Bytes asked for when block p was allocated (0: no block)."""
    if k_heap_valid(p) == 0:
        return 0
    return ld32(p - B_HEADER + B_ASKED)


@export
def k_free(p: i32) -> None:
    """Free a block; 0 is ignored, anything that is no block is a fault."""
    if p == 0:
        return
    if k_heap_valid(p) == 0:
        k_fault(FAULT_BAD_FREE, p)
        return
    b = p - B_HEADER
    word = ld32(b + B_SIZE)
    total = word & SIZE_MASK
    st64(CB_HEAP_USED, ld64(CB_HEAP_USED) - total)
    st32(b + B_CHECK, 0)
    if word & BF_SMALL:
        head = CB_SMALL + (total >> 4) * 4
        st32(b + B_NEXT_FREE, ld32(head))
        st32(head, b)
    else:
        release_large(b)


@export
def k_realloc(p: i32, n: i32) -> i32:
    """Resize; the contents up to the smaller size are kept, the block may move. 0 (p stays valid) when memory is exhausted."""
    if p == 0:
        return k_alloc(n)
    if k_heap_valid(p) == 0:
        k_fault(FAULT_BAD_FREE, p)
        return 0
    b = p - B_HEADER
    room = (ld32(b + B_SIZE) & SIZE_MASK) - B_HEADER
    if n <= room and n >= room >> 1:
        st32(b + B_ASKED, n)
        return p
    q = k_alloc(n)
    if q == 0:
        return 0
    keep = ld32(b + B_ASKED)
    keep = select(n < keep, n, keep)
    memcpy(q, p, keep)
    k_free(p)
    return q


@export
def k_realloc0(p: i32, n: i32) -> i32:
    """k_realloc with bytes beyond the old size zeroed."""
    old = 0
    if p:
        old = k_block_size(p)
    q = k_realloc(p, n)
    if q and n > old:
        memset(q + old, 0, u32(n - old))
    return q


def heap_init() -> None:
    """Make [CB_HEAP_BASE, end of memory) the first segment. Zeroed control block assumed."""
    base = ld32(CB_HEAP_BASE)
    end = memory_size() * 65536
    if end < base + 4096:
        memory_grow(((base + 4096 - end) >> 16) + 1)
        end = memory_size() * 65536
    sentinel = end - B_HEADER
    st32(base + B_PREV, 0)
    st32(base + B_SIZE, sentinel - base)
    st32(sentinel + B_SIZE, 0)
    st32(sentinel + B_PREV, base)
    st32(sentinel + B_CHECK, 0)
    st32(sentinel + B_ASKED, 0)
    st32(CB_HEAP_END, end)
    st32(CB_HEAP_LAST, sentinel)
    release_large(base)
