"""The collector: conservative, non-moving mark and sweep over the guest objects (`objects`, `mark`).

Roots: the static part of guest memory (globals, instance contexts with all signals, frames of static processes), the shadow stack, all other blocks of the
heap that are in use (frames of dynamic processes and calls, pending drives, mailboxes, wait lists ...), and what the host names. A word is taken for a
pointer if its high half is 0 and it lies inside an object (just behind its end does not count); heap blocks of the kernel hold 32-bit addresses, so every aligned 32-bit word
counts there. A collection happens only where code polls (`gcpoll`), with all values that live across it in memory.
"""

from __future__ import annotations

from wasmjit.sched.control import (
    CB_GC_COUNT,
    CB_GC_HANDLES,
    CB_GC_HELD,
    CB_GC_LIMIT,
    CB_GC_LIVE,
    CB_GC_NEW,
    CB_GC_PEAK,
    CB_GC_RECLAIMED,
    CB_GC_STACK_N,
    CB_GC_STRESS,
    CB_GC_WANT,
    CB_GUEST_LO,
    CB_HEAP_BASE,
    CB_HEAP_LIMIT,
    CB_HEAP_USED,
    CB_N_DYN,
    CB_N_STATIC,
    CB_OBJ_CHUNKS,
    CB_OBJ_CLASSES,
    CB_OBJ_DIR,
    CB_OBJ_LARGE,
    CB_OBJ_LARGE_N,
    CB_OBJ_POOL,
    CB_STACK_TOP,
    CB_STATIC_END,
)
from wasmjit.sched.descriptors import C_HANDLE_SEEN, C_REFS, P_COLD, P_STATE, ST_DONE, ST_KILLED
from wasmjit.sched.intrinsics import export, get_sp, host_import, i32, i64, ld32, ld64, memcpy, memset, popcnt64, st32, st64, u32, u64
from wasmjit.sched.kernel.heap import B_CHECK, B_HEADER, CHECK, k_free
from wasmjit.sched.kernel.mark import drain, k_gc_alive, scan, scan_heap
from wasmjit.sched.kernel.objects import (
    K_ALLOC,
    K_CLASS,
    K_COUNT,
    K_FIRST,
    K_MARK,
    K_NEXT,
    K_SIZE,
    K_USED,
    LARGE_MARK,
    LEAST_LIMIT,
    N_CLASSES,
    R_CHUNK,
    R_FREE,
    R_LIST,
    R_SIZE,
    R_WORD,
    flush_word,
    large_bytes,
    objects_init,
)
from wasmjit.sched.kernel.process import recycle
from wasmjit.sched.kernel.refs import T_SIZE, US_TRIGGERED, US_TRIGGERED_CAP
from wasmjit.sched.kernel.sync import sync_forget
from wasmjit.sched.kernel.wheel import proc_ptr


@host_import
def h_gc_roots() -> None:
    """The host calls `k_gc_root` with every address that it holds."""
    raise NotImplementedError


@host_import
def h_gc_dead() -> None:
    """The host forgets what it knows about objects that are not alive (`k_gc_alive`)."""
    raise NotImplementedError


# ---- before and after --------------------------------------------------------------------------------------------------------------


def sift(table: i32, i: i32, n: i32) -> None:
    """Heap order below entry i of n."""
    e = ld64(table + i * 8)
    while True:
        child = 2 * i + 1
        if child >= n:
            break
        if child + 1 < n and ld32(table + (child + 1) * 8) > ld32(table + child * 8):
            child = child + 1
        if ld32(table + child * 8) <= u32(e):
            break
        st64(table + i * 8, ld64(table + child * 8))
        i = child
    st64(table + i * 8, e)


def sort_large() -> None:
    """Sort the table of large objects by address, marks cleared."""
    table = ld32(CB_OBJ_LARGE)
    n = ld32(CB_OBJ_LARGE_N)
    sorted_already = 1
    for i in range(n):
        st32(table + i * 8 + 4, ld32(table + i * 8 + 4) & ~LARGE_MARK)
        if i and ld32(table + i * 8) < ld32(table + i * 8 - 8):
            sorted_already = 0
    if sorted_already:
        return
    i = n >> 1
    while i:
        i = i - 1
        sift(table, i, n)
    i = n
    while i > 1:
        i = i - 1
        e = ld64(table)
        st64(table, ld64(table + i * 8))
        st64(table + i * 8, e)
        sift(table, 0, i)


def begin() -> None:
    """Allocated bits exact, no marks."""
    classes = ld32(CB_OBJ_CLASSES)
    for i in range(N_CLASSES * 2):
        flush_word(classes + i * R_SIZE)
    for i in range(ld32(CB_OBJ_CHUNKS)):
        c = ld32(ld32(CB_OBJ_DIR) + i * 4)
        if ld32(c + K_USED):
            memset(c + K_MARK, 0, (ld32(c + K_COUNT) + 63) >> 6 << 3)
    sort_large()
    st32(CB_GC_HANDLES, ld32(CB_N_STATIC) + ld32(CB_N_DYN) if ld32(CB_GC_HELD) else 0)


def forget_triggers() -> None:
    """Events whose memory is gone were never triggered: the next object there must not inherit that."""
    table = ld32(US_TRIGGERED)
    for i in range(ld32(US_TRIGGERED_CAP) if table else 0):
        e = table + i * T_SIZE
        if ld32(e) and k_gc_alive(ld32(e)) == 0:
            st64(e + 8, 0)


def release_handles() -> None:
    """Processes whose handles nobody has: their descriptors are used again, now or when they end."""
    n = ld32(CB_GC_HANDLES)
    for proc in range(n):
        p = proc_ptr(proc)
        c = ld32(p + P_COLD)
        refs = ld32(c + C_REFS)
        if refs & C_HANDLE_SEEN:
            st32(c + C_REFS, refs - C_HANDLE_SEEN)
        elif refs == 1:
            st32(c + C_REFS, 0)
            state = ld32(p + P_STATE)
            if state == ST_DONE or state == ST_KILLED:
                recycle(p)


def sweep_large() -> i64:
    """Free what is not marked; bytes alive."""
    table = ld32(CB_OBJ_LARGE)
    alive: i64 = 0
    kept = 0
    for i in range(ld32(CB_OBJ_LARGE_N)):
        p = ld32(table + i * 8)
        word = ld32(table + i * 8 + 4)
        if word & LARGE_MARK:
            alive = alive + large_bytes(p)
            st32(table + kept * 8, p)
            st32(table + kept * 8 + 4, word & ~LARGE_MARK)
            kept = kept + 1
        else:
            st32(p - B_HEADER + B_CHECK, (p - B_HEADER) ^ CHECK)
            k_free(p)
    st32(CB_OBJ_LARGE_N, kept)
    return alive


def overwrite(c: i32) -> None:
    """Make what is freed in a chunk unfit for use."""
    size = ld32(c + K_SIZE)
    for k in range(ld32(c + K_COUNT)):
        at = c + (k >> 6) * 8
        if ld64(at + K_ALLOC) >> u64(k & 63) & 1 and ld64(at + K_MARK) >> u64(k & 63) & 1 == 0:
            memset(c + K_FIRST + k * size, 0xDD, size)


def sweep_small() -> i64:
    """What is marked is what is allocated; chunks with room go to their class, empty ones to the pool. Bytes alive."""
    classes = ld32(CB_OBJ_CLASSES)
    for i in range(N_CLASSES * 2):
        r = classes + i * R_SIZE
        st64(r + R_FREE, 0)
        st32(r + R_CHUNK, 0)
        st32(r + R_WORD, 0)
        st32(r + R_LIST, 0)
    st32(CB_OBJ_POOL, 0)
    alive: i64 = 0
    i = ld32(CB_OBJ_CHUNKS)
    while i:  # backwards, so that the lists are in the order of addresses
        i = i - 1
        c = ld32(ld32(CB_OBJ_DIR) + i * 4)
        n: i64 = 0
        if ld32(c + K_USED):
            words = (ld32(c + K_COUNT) + 63) >> 6
            for w in range(words):
                n = n + popcnt64(ld64(c + K_MARK + w * 8))
            if ld32(CB_GC_STRESS):
                overwrite(c)
            memcpy(c + K_ALLOC, c + K_MARK, words * 8)
        if n == 0:
            st32(c + K_USED, 0)
            st32(c + K_NEXT, ld32(CB_OBJ_POOL))
            st32(CB_OBJ_POOL, c)
        else:
            alive = alive + n * ld32(c + K_SIZE)
            if n < ld32(c + K_COUNT):
                r = ld32(c + K_CLASS)
                st32(c + K_NEXT, ld32(r + R_LIST))
                st32(r + R_LIST, c)
    return alive


def new_limit(alive: i64) -> None:
    """Bytes that may be allocated before the next collection: as many as are alive, at least LEAST_LIMIT, and no more than half of what memory has left."""
    limit = alive
    if limit < LEAST_LIMIT:
        limit = LEAST_LIMIT
    top: i64 = ld32(CB_HEAP_LIMIT)
    if top == 0:
        top = 0xFFFF0000
    room = top - ld32(CB_HEAP_BASE)
    used = ld64(CB_HEAP_USED)
    left: i64 = 0
    if used < room:
        left = (room - used) >> 1
    if limit > left and left > LEAST_LIMIT >> 3:
        limit = left
    st64(CB_GC_LIMIT, limit)


@export
def k_collect() -> None:
    """Free the objects that nothing refers to. Only at a poll."""
    if ld32(CB_OBJ_CLASSES) == 0 and (ld32(CB_GC_HELD) == 0 or objects_init() == 0):
        return
    st32(CB_GC_WANT, 0)
    begin()
    if ld32(CB_GUEST_LO) < ld32(CB_STATIC_END):
        scan(ld32(CB_GUEST_LO), ld32(CB_STATIC_END) - ld32(CB_GUEST_LO))
        drain()
    sp = get_sp() & 0xFFFFFFF8
    if sp < ld32(CB_STACK_TOP):
        scan(sp, ld32(CB_STACK_TOP) - sp)
        drain()
    scan_heap()
    h_gc_roots()
    drain()
    st32(CB_GC_STACK_N, 0)
    before = ld64(CB_GC_LIVE) + ld64(CB_GC_NEW)
    if ld32(CB_GC_WANT):
        # No memory for the stack: everything stays.
        st32(CB_GC_WANT, 0)
        st64(CB_GC_LIVE, before)
        st64(CB_GC_NEW, 0)
        return
    h_gc_dead()
    forget_triggers()
    sync_forget()
    release_handles()
    alive = sweep_small() + sweep_large()
    if before > ld64(CB_GC_PEAK):
        st64(CB_GC_PEAK, before)
    if before > alive:
        st64(CB_GC_RECLAIMED, ld64(CB_GC_RECLAIMED) + before - alive)
    st64(CB_GC_COUNT, ld64(CB_GC_COUNT) + 1)
    st64(CB_GC_LIVE, alive)
    st64(CB_GC_NEW, 0)
    new_limit(alive)
    if ld32(CB_GC_STRESS):
        st32(CB_GC_WANT, 1)
