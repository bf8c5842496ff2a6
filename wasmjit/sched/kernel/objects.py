"""Guest objects that are collected when nothing refers to them: allocation (`collect` is the collector).

Small objects lie in chunks of 64 KiB, aligned to their size, each with objects of one size and one kind (with or without pointers). A chunk begins with
a header, a bit per object that says whether it is allocated, and a bit for the mark. Allocation takes the free bits of one word after the other and
sets the allocated bits of a word when it leaves it, so that an allocation is a few loads. Larger objects are blocks of the heap (`heap`) in a table.
"""

from __future__ import annotations

from wasmjit.sched.control import (
    CB_GC_LIMIT,
    CB_GC_NEW,
    CB_GC_WANT,
    CB_OBJ_CHUNKS,
    CB_OBJ_CLASSES,
    CB_OBJ_DIR,
    CB_OBJ_DIR_CAP,
    CB_OBJ_HI,
    CB_OBJ_LARGE,
    CB_OBJ_LARGE_CAP,
    CB_OBJ_LARGE_N,
    CB_OBJ_LO,
    CB_OBJ_PAGES,
    CB_OBJ_POOL,
)
from wasmjit.sched.intrinsics import clz32, ctz64, export, i32, i64, inline, ld8, ld32, ld64, memset, popcnt64, st8, st32, st64, u32, u64
from wasmjit.sched.kernel.heap import B_CHECK, B_HEADER, B_SIZE, BF_WEAK, k_alloc, k_alloc0, k_realloc

SCAN = 0  # kinds: the object may hold pointers, or cannot
BYTES = 1

CHUNK = 65536
ARENA = 16  # chunks taken from the heap at once
K_CLASS = 0  # header of a chunk: address of its class
K_SIZE = 4  # bytes of an object
K_COUNT = 8  # objects
K_INVERSE = 12  # 2**32 / K_SIZE, rounded up
K_NEXT = 16  # next chunk of the class with free objects, or of the pool
K_KIND = 20
K_USED = 24  # the chunk belongs to a class
K_ALLOC = 64  # bit per object: allocated
K_MARK = 576  # bit per object
K_FIRST = 1088  # object 0

SMALL_STEP = 512  # up to here sizes are multiples of 16
SMALL_TOP = 8192  # larger objects are blocks of the heap
N_CLASSES = 48  # per kind
R_FREE = 0  # class: u64 free bits of the present word
R_BASE = 8  # address of the object of bit 0
R_BYTES = 12
R_CHUNK = 16  # present chunk, 0 none
R_WORD = 20  # index of the present word
R_LIST = 24  # chunks with free objects
R_KIND = 28
R_SIZE = 32

LARGE_CHECK = 0x1A26E0B1
LARGE_ENTRY = 8  # u32 address, u32 kind | LARGE_MARK
LARGE_MARK = 2
LEAST_LIMIT = 0x800000  # bytes allocated before the first collection, and at least between two


def keep_out_of_roots(p: i32) -> None:
    """The collector does not look into this heap block."""
    b = p - B_HEADER
    st32(b + B_SIZE, ld32(b + B_SIZE) | BF_WEAK)


@inline
def class_index(n: i32) -> i32:
    """Class of an object of 1 to SMALL_TOP bytes."""
    k = (n - 1) >> 4
    if n > SMALL_STEP:
        row = u32(31 - clz32(n - 1))  # 9 ... 12
        k = 32 + (row - 9) * 4 + (((n - 1) >> u32(row - 2)) & 3)
    return k


@inline
def class_size(k: i32) -> i32:
    """Bytes of the objects of a class."""
    row = 9 + ((k - 32) >> 2) if k >= 32 else 0
    return (1 << row) + (((k - 32) & 3) + 1) * (1 << u32(row - 2)) if k >= 32 else (k + 1) * 16


def objects_init() -> i32:
    """Tables of the object heap, made by the first allocation: 1, or 0 when memory is exhausted."""
    classes = k_alloc0(N_CLASSES * 2 * R_SIZE)
    pages = k_alloc0(65536)
    if classes == 0 or pages == 0:
        return 0
    for i in range(N_CLASSES * 2):
        r = classes + i * R_SIZE
        st32(r + R_BYTES, class_size(i if i < N_CLASSES else i - N_CLASSES))
        st32(r + R_KIND, SCAN if i < N_CLASSES else BYTES)
    keep_out_of_roots(classes)
    keep_out_of_roots(pages)
    st32(CB_OBJ_CLASSES, classes)
    st32(CB_OBJ_PAGES, pages)
    st32(CB_OBJ_LO, 0xFFFFFFFF)
    st64(CB_GC_LIMIT, LEAST_LIMIT)
    return 1


def widen(lo: i32, hi: i32) -> None:
    """Objects lie between lo and hi too."""
    if lo < ld32(CB_OBJ_LO):
        st32(CB_OBJ_LO, lo)
    if hi > ld32(CB_OBJ_HI):
        st32(CB_OBJ_HI, hi)


def new_arena() -> i32:
    """More empty chunks in the pool: 1, or 0 when memory is exhausted."""
    n = ld32(CB_OBJ_CHUNKS)
    cap = ld32(CB_OBJ_DIR_CAP)
    if n + ARENA > cap:
        cap = cap * 2 if cap else 64
        moved = k_realloc(ld32(CB_OBJ_DIR), cap * 4)
        if moved == 0:
            return 0
        keep_out_of_roots(moved)
        st32(CB_OBJ_DIR, moved)
        st32(CB_OBJ_DIR_CAP, cap)
    p = k_alloc((ARENA + 1) * CHUNK - B_HEADER)
    if p == 0:
        return 0
    st32(p - B_HEADER + B_CHECK, 0)  # nothing that a design could free
    keep_out_of_roots(p)
    c = (p + CHUNK - 1) & 0xFFFF0000
    widen(c, c + ARENA * CHUNK)
    i = ARENA
    while i:
        i = i - 1
        chunk = c + i * CHUNK
        st32(chunk + K_USED, 0)
        st32(chunk + K_NEXT, ld32(CB_OBJ_POOL))
        st32(CB_OBJ_POOL, chunk)
        st8(ld32(CB_OBJ_PAGES) + (chunk >> 16), 1)
    for k in range(ARENA):
        st32(ld32(CB_OBJ_DIR) + (n + k) * 4, c + k * CHUNK)
    st32(CB_OBJ_CHUNKS, n + ARENA)
    return 1


def new_chunk(r: i32) -> i32:
    """An empty chunk for a class; 0 when memory is exhausted."""
    c = ld32(CB_OBJ_POOL)
    if c == 0:
        if new_arena() == 0:
            return 0
        c = ld32(CB_OBJ_POOL)
    st32(CB_OBJ_POOL, ld32(c + K_NEXT))
    size = ld32(r + R_BYTES)
    memset(c, 0, K_FIRST)
    st32(c + K_CLASS, r)
    st32(c + K_SIZE, size)
    st32(c + K_COUNT, (CHUNK - K_FIRST) // size)
    st32(c + K_INVERSE, 0xFFFFFFFF // size + 1)
    st32(c + K_KIND, ld32(r + R_KIND))
    st32(c + K_USED, 1)
    return c


def flush_word(r: i32) -> None:
    """Write down which objects of the present word are allocated."""
    c = ld32(r + R_CHUNK)
    if c:
        w = ld32(r + R_WORD)
        st64(c + K_ALLOC + w * 8, u64(~ld64(r + R_FREE)) & word_mask(ld32(c + K_COUNT), w))


def word_mask(count: i32, w: i32) -> i64:
    """Bits of word w that stand for objects."""
    left = count - w * 64
    if left >= 64:
        return 0xFFFFFFFFFFFFFFFF
    return u64(u64(1) << u64(left)) - 1


def account(n: i32) -> None:
    """n bytes more are in use; a collection is due when enough came together."""
    fresh = ld64(CB_GC_NEW) + n
    st64(CB_GC_NEW, fresh)
    limit = ld64(CB_GC_LIMIT)
    if fresh >= (limit if limit else LEAST_LIMIT):
        st32(CB_GC_WANT, 1)


def refill(r: i32) -> i64:
    """Free bits of the next word of a class that has some; 0 when memory is exhausted."""
    flush_word(r)
    c = ld32(r + R_CHUNK)
    w = ld32(r + R_WORD) + 1
    while True:
        if c == 0 or w * 64 >= ld32(c + K_COUNT):
            c = ld32(r + R_LIST)
            if c:
                st32(r + R_LIST, ld32(c + K_NEXT))
            else:
                c = new_chunk(r)
                if c == 0:
                    st32(r + R_CHUNK, 0)
                    return 0
            w = 0
        bits = u64(~ld64(c + K_ALLOC + w * 8)) & word_mask(ld32(c + K_COUNT), w)
        if bits:
            size = ld32(r + R_BYTES)
            st32(r + R_CHUNK, c)
            st32(r + R_WORD, w)
            st32(r + R_BASE, c + K_FIRST + w * 64 * size)
            account(u32(popcnt64(bits)) * size)
            return bits
        w = w + 1


def large_new(n: i32, kind: i32) -> i32:
    """An object that is a block of the heap, not zeroed."""
    count = ld32(CB_OBJ_LARGE_N)
    if count == ld32(CB_OBJ_LARGE_CAP):
        cap = count * 2 if count else 64
        moved = k_realloc(ld32(CB_OBJ_LARGE), cap * LARGE_ENTRY)
        if moved == 0:
            return 0
        keep_out_of_roots(moved)
        st32(CB_OBJ_LARGE, moved)
        st32(CB_OBJ_LARGE_CAP, cap)
    p = k_alloc(n)
    if p == 0:
        return 0
    st32(p - B_HEADER + B_CHECK, p ^ LARGE_CHECK)
    keep_out_of_roots(p)
    e = ld32(CB_OBJ_LARGE) + count * LARGE_ENTRY
    st32(e, p)
    st32(e + 4, kind)
    st32(CB_OBJ_LARGE_N, count + 1)
    widen(p, p + n)
    account(n)
    return p


@inline
def object_place(n: i32, kind: i32) -> i32:
    """Room for a small object, not zeroed; 0 when memory is exhausted."""
    r = ld32(CB_OBJ_CLASSES) + (class_index(n) + kind * N_CLASSES) * R_SIZE
    bits = ld64(r + R_FREE)
    if bits == 0:
        bits = refill(r)
    p = 0
    if bits:
        st64(r + R_FREE, bits & (bits - 1))
        p = ld32(r + R_BASE) + u32(ctz64(bits)) * ld32(r + R_BYTES)
    return p


@export
def k_object(n: i32) -> i32:
    """A zeroed object of n > 0 bytes that may hold pointers; 0 (and CB_LIMIT) when memory is exhausted."""
    if ld32(CB_OBJ_CLASSES) == 0 and objects_init() == 0:
        return 0
    p = 0
    if n > SMALL_TOP:
        p = large_new(n, SCAN)
        if p:
            memset(p, 0, n)
        return p
    p = object_place(n, SCAN)
    if p:
        size = class_size(class_index(n))  # all of it: the collector looks at whole objects
        if size <= 64:
            st64(p, 0)
            st64(p + 8, 0)
            i = 16
            while i < size:
                st64(p + i, 0)
                st64(p + i + 8, 0)
                i = i + 16
        else:
            memset(p, 0, size)
    return p


@export
def k_bytes(n: i32) -> i32:
    """An object of n > 0 bytes that holds no pointers, not zeroed."""
    if ld32(CB_OBJ_CLASSES) == 0 and objects_init() == 0:
        return 0
    if n > SMALL_TOP:
        return large_new(n, BYTES)
    return object_place(n, BYTES)


# ---- finding objects --------------------------------------------------------------------------------------------------------------


@inline
def chunk_of(a: i32) -> i32:
    """The chunk that address a lies in, 0 if it lies in none that is in use."""
    c = a & 0xFFFF0000
    return c if ld8(ld32(CB_OBJ_PAGES) + (a >> 16)) and ld32(c + K_USED) else 0


@inline
def index_in(c: i32, a: i32) -> i32:
    """Number of the object of chunk c at address a, or a number that is too large."""
    off = u32((a & 0xFFFF) - K_FIRST)
    k = 0xFFFFFFFF
    if off < CHUNK:
        k = u32(u64(off) * ld32(c + K_INVERSE) >> 32)
    return k


@export
def k_object_start(a: i32) -> i32:
    """Start of the allocated object that a points into (a small one: allocated since the last collection or found alive by it), 0 if there is none."""
    if a < ld32(CB_OBJ_LO) or a >= ld32(CB_OBJ_HI) or ld32(CB_OBJ_CLASSES) == 0:
        return 0
    c = chunk_of(a)
    if c == 0:
        for i in range(ld32(CB_OBJ_LARGE_N)):
            p = ld32(ld32(CB_OBJ_LARGE) + i * LARGE_ENTRY)
            if a >= p and a - p < large_bytes(p):
                return p
        return 0
    k = index_in(c, a)
    if k >= ld32(c + K_COUNT):
        return 0
    flush_word(ld32(c + K_CLASS))
    if ld64(c + K_ALLOC + (k >> 6) * 8) >> u64(k & 63) & 1:
        return c + K_FIRST + k * ld32(c + K_SIZE)
    return 0


@inline
def large_bytes(p: i32) -> i32:
    return ld32(p - 4)  # B_ASKED


@export
def k_object_size(p: i32) -> i32:
    """Bytes of the object that starts at p (for a small one: of its class)."""
    c = chunk_of(p)
    if c:
        return ld32(c + K_SIZE)
    return large_bytes(p)


@export
def k_object_free(p: i32) -> None:
    """The design gives back the object that starts at p. Its place is used again at once or after the next collection.

    Bytes of strings may be shared, and a large object may be: they go when the collector finds nothing that refers to them.
    """
    c = chunk_of(p)
    if c == 0 or ld32(c + K_KIND) == BYTES:
        return
    k = index_in(c, p)
    w = k >> 6
    bit = u64(u64(1) << u64(k & 63))
    r = ld32(c + K_CLASS)
    if ld32(r + R_CHUNK) == c and ld32(r + R_WORD) == w:
        st64(r + R_FREE, ld64(r + R_FREE) | bit)
    else:
        st64(c + K_ALLOC + w * 8, ld64(c + K_ALLOC + w * 8) & u64(~bit))
