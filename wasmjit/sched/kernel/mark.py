"""Marking: from a word to the object that it points into, and from there to all that can be reached (`collect` says what the roots are)."""

from __future__ import annotations

from wasmjit.sched.control import (
    CB_GC_HANDLES,
    CB_GC_STACK,
    CB_GC_STACK_CAP,
    CB_GC_STACK_N,
    CB_GC_WANT,
    CB_HEAP_BASE,
    CB_OBJ_HI,
    CB_OBJ_LARGE,
    CB_OBJ_LARGE_N,
    CB_OBJ_LO,
)
from wasmjit.sched.descriptors import C_HANDLE_SEEN, C_REFS, P_COLD
from wasmjit.sched.intrinsics import export, i32, i64, ld32, ld64, st32, st64, u32, u64
from wasmjit.sched.kernel.heap import B_ASKED, B_CHECK, B_HEADER, B_SIZE, BF_FREE, BF_WEAK, CHECK, SIZE_MASK, SLAB_CHECK, k_realloc
from wasmjit.sched.kernel.objects import (
    BYTES,
    K_ALLOC,
    K_COUNT,
    K_FIRST,
    K_KIND,
    K_MARK,
    K_SIZE,
    LARGE_ENTRY,
    LARGE_MARK,
    chunk_of,
    index_in,
    keep_out_of_roots,
    large_bytes,
)
from wasmjit.sched.kernel.wheel import proc_ptr


def push(p: i32, n: i32) -> None:
    """Have n bytes from p scanned. When the stack cannot grow the collection is given up."""
    k = ld32(CB_GC_STACK_N)
    cap = ld32(CB_GC_STACK_CAP)
    if k == cap:
        cap = cap * 2 if cap else 1024
        moved = k_realloc(ld32(CB_GC_STACK), cap * 8)
        if moved == 0:
            st32(CB_GC_WANT, 2)
            return
        keep_out_of_roots(moved)
        st32(CB_GC_STACK, moved)
        st32(CB_GC_STACK_CAP, cap)
    at = ld32(CB_GC_STACK) + k * 8
    st32(at, p)
    st32(at + 4, n)
    st32(CB_GC_STACK_N, k + 1)


def find_large(a: i32) -> i32:
    """Entry of the large object that address a lies in 0 if there is none. The table is sorted."""
    lo = 0
    hi = ld32(CB_OBJ_LARGE_N)
    table = ld32(CB_OBJ_LARGE)
    while lo < hi:
        mid = (lo + hi) >> 1
        if ld32(table + mid * LARGE_ENTRY) <= a:
            lo = mid + 1
        else:
            hi = mid
    if lo == 0:
        return 0
    e = table + (lo - 1) * LARGE_ENTRY
    if a - ld32(e) >= large_bytes(ld32(e)):
        return 0
    return e


def mark_large(a: i32) -> None:
    e = find_large(a)
    if e == 0:
        return
    word = ld32(e + 4)
    if word & LARGE_MARK:
        return
    st32(e + 4, word | LARGE_MARK)
    if word != BYTES:
        push(ld32(e), large_bytes(ld32(e)))


def mark_small(c: i32, k: i32) -> None:
    """Mark object k of chunk c, if it is allocated."""
    bit = u64(u64(1) << u64(k & 63))
    word = c + (k >> 6) * 8
    if ld64(word + K_ALLOC) & bit == 0 or ld64(word + K_MARK) & bit:
        return
    st64(word + K_MARK, ld64(word + K_MARK) | bit)
    if ld32(c + K_KIND) != BYTES:
        size = ld32(c + K_SIZE)
        push(c + K_FIRST + k * size, size)


def mark(a: i32) -> None:
    """Mark the object that a points into. a lies in the range of objects."""
    c = chunk_of(a)
    if c:
        k = index_in(c, a)
        if k < ld32(c + K_COUNT):
            mark_small(c, k)
    else:
        mark_large(a)


def mark_handle(proc: i32) -> None:
    """A word may be the handle of this process."""
    p = proc_ptr(proc)
    if p:
        c = ld32(p + P_COLD)
        refs = ld32(c + C_REFS)
        if refs:
            st32(c + C_REFS, refs | C_HANDLE_SEEN)


def scan(p: i32, n: i32) -> None:
    """Mark what the 8-byte words of [p, p + n) point to."""
    lo = ld32(CB_OBJ_LO)
    span: i64 = ld32(CB_OBJ_HI) - lo
    handles: i64 = ld32(CB_GC_HANDLES)
    end = p + (n & 0xFFFFFFF8)
    while p < end:
        word = ld64(p)
        if u64(word - lo) < span:
            mark(u32(word))
        elif u64(word - 1) < handles:
            mark_handle(u32(word) - 1)
        p = p + 8


def scan_words(p: i32, n: i32) -> None:
    """Mark what the 4-byte words of [p, p + n) point to, p a multiple of 8. Handles take 8 bytes here too."""
    lo = ld32(CB_OBJ_LO)
    handles: i64 = ld32(CB_GC_HANDLES)
    span = ld32(CB_OBJ_HI) - lo
    end = p + (n & 0xFFFFFFFC)
    while p < end:
        word = ld32(p)
        if u32(word - lo) < span:
            mark(word)
        elif handles and p & 4 == 0 and p + 8 <= end and u64(ld64(p) - 1) < handles:
            mark_handle(word - 1)
        p = p + 4


def drain() -> None:
    """Scan what is marked until nothing new comes up."""
    while ld32(CB_GC_STACK_N):
        k = ld32(CB_GC_STACK_N) - 1
        st32(CB_GC_STACK_N, k)
        at = ld32(CB_GC_STACK) + k * 8
        scan(ld32(at), ld32(at + 4))


def scan_block(b: i32) -> None:
    """A heap block in use."""
    if ld32(b + B_SIZE) & BF_WEAK == 0:
        scan_words(b + B_HEADER, ld32(b + B_ASKED))


def scan_heap() -> None:
    """All blocks of the heap, slabs item by item."""
    segment = ld32(CB_HEAP_BASE)
    while segment:
        b = segment
        while True:
            word = ld32(b + B_SIZE)
            size = word & SIZE_MASK
            if size == 0:
                break
            if word & BF_FREE == 0:
                if ld32(b + B_CHECK) == b ^ CHECK:
                    scan_block(b)
                elif ld32(b + B_CHECK) == b ^ SLAB_CHECK:
                    step = ld32(b + B_ASKED)
                    item = b + B_HEADER
                    while item + step <= b + size:
                        if ld32(item + B_CHECK) == item ^ CHECK:
                            scan_block(item)
                        item = item + step
                drain()
            b = b + size
        segment = ld32(b + B_ASKED)  # the end of a segment names the next one


@export
def k_gc_root(word: i64) -> None:
    """The host holds this word."""
    lo = ld32(CB_OBJ_LO)
    if word >> 32 == 0 and u64(word - lo) < ld32(CB_OBJ_HI) - lo:
        mark(u32(word))
    elif u64(word - 1) < ld32(CB_GC_HANDLES):
        mark_handle(u32(word) - 1)


@export
def k_gc_alive(a: i32) -> i32:
    """During a collection, after marking: whether a lies outside of objects, or in one that is alive."""
    if a < ld32(CB_OBJ_LO) or a >= ld32(CB_OBJ_HI):
        return 1
    c = a & 0xFFFF0000
    if chunk_of(a):
        k = index_in(c, a)
        return k >= ld32(c + K_COUNT) or u32(ld64(c + K_MARK + (k >> 6) * 8) >> u64(k & 63)) & 1
    e = find_large(a)
    return e == 0 or (ld32(e + 4) & LARGE_MARK) != 0
