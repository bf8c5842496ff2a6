"""Semaphores and mailboxes (IEEE 1800 §15.3, §15.4).

A handle is any 64-bit value that names the object (circt-verilog uses the address of the class object); its record is made on first use. What a
blocked process asked for is handed over by whoever makes it possible, in the order of asking, so that a woken process need not try again.
"""

from __future__ import annotations

from wasmjit.sched.control import CB_USER
from wasmjit.sched.intrinsics import export, i32, i64, ld32, ld64, st32, st64, u32, u64
from wasmjit.sched.kernel.heap import k_alloc0, k_free
from wasmjit.sched.kernel.mark import k_gc_alive
from wasmjit.sched.kernel.objects import k_object, keep_out_of_roots
from wasmjit.sched.kernel.queues import k_waitq_wake_one
from wasmjit.sched.kernel.waits import k_waitq_block, k_waitq_head_arg

US_SYNC = CB_USER + 16  # hash table of records: address, capacity, used
US_SYNC_CAP = CB_USER + 20
US_SYNC_USED = CB_USER + 24
E_SIZE = 16  # u64 handle, u32 record, u32 spare

S_KEYS = 0  # semaphore: keys; mailbox: bound (0 none)
S_COUNT = 4  # messages
S_HEAD = 8
S_TAIL = 12
S_GETQ = 16  # wait queues, two words each
S_PUTQ = 24
S_BYTES = 32

N_NEXT = 0
N_VAL = 8
N_BYTES = 16

PEEK = 1
"""Bit 0 of what a waiting getter asks for: it only looks. The rest is the address of its cell."""


def sync_find(table: i32, cap: i32, handle: i64) -> i32:
    i = u32((handle ^ (handle >> 16)) >> 3) & (cap - 1)
    while True:
        e = table + i * E_SIZE
        if ld32(e + 8) == 0 or ld64(e) == handle:
            return e
        i = (i + 1) & (cap - 1)


def sync_move(old: i32, table: i32, cap: i32) -> None:
    """Put the entry `old` into another table."""
    e = sync_find(table, cap, ld64(old))
    st64(e, ld64(old))
    st32(e + 8, ld32(old + 8))


def sync_record(handle: i64) -> i32:
    """Record of a handle, 0 when memory is exhausted."""
    table = ld32(US_SYNC)
    cap = ld32(US_SYNC_CAP)
    if ld32(US_SYNC_USED) * 2 >= cap:
        more = cap * 2 if cap else 32
        bigger = k_alloc0(more * E_SIZE)
        if bigger == 0:
            return 0
        keep_out_of_roots(bigger)  # a record does not keep the object that names it
        for i in range(cap):
            old = table + i * E_SIZE
            if ld32(old + 8):
                sync_move(old, bigger, more)
        if table:
            k_free(table)
        table = bigger
        cap = more
        st32(US_SYNC, table)
        st32(US_SYNC_CAP, cap)
    e = sync_find(table, cap, handle)
    r = ld32(e + 8)
    if r == 0:
        r = k_alloc0(S_BYTES)
        if r == 0:
            return 0
        st64(e, handle)
        st32(e + 8, r)
        st32(US_SYNC_USED, ld32(US_SYNC_USED) + 1)
    return r


def sync_dead(e: i32) -> i32:
    """Whether the object that names a record is gone, and nobody waits there."""
    handle = ld64(e)
    r = ld32(e + 8)
    return handle >> 32 == 0 and ld32(r + S_GETQ) == 0 and ld32(r + S_PUTQ) == 0 and k_gc_alive(u32(handle)) == 0


def sync_forget() -> None:
    """After marking: records of objects that are not alive go, with their messages (what these refer to goes with the next collection)."""
    table = ld32(US_SYNC)
    cap = ld32(US_SYNC_CAP)
    dead = 0
    for i in range(cap if table else 0):
        e = table + i * E_SIZE
        if ld32(e + 8) and sync_dead(e):
            dead = dead + 1
    if dead == 0:
        return
    fresh = k_alloc0(cap * E_SIZE)
    if fresh == 0:
        return
    keep_out_of_roots(fresh)
    for i in range(cap):
        e = table + i * E_SIZE
        r = ld32(e + 8)
        if r and sync_dead(e):
            while ld32(r + S_HEAD):
                mailbox_pop(r)
            k_free(r)
        elif r:
            sync_move(e, fresh, cap)
    k_free(table)
    st32(US_SYNC, fresh)
    st32(US_SYNC_USED, ld32(US_SYNC_USED) - dead)


# ---- semaphores -------------------------------------------------------------------------------------------------------------------


def semaphore_serve(r: i32) -> None:
    """Give keys to the waiters that can be served, first come, first served."""
    while ld32(r + S_GETQ):
        want = u32(k_waitq_head_arg(r + S_GETQ))
        if want > ld32(r + S_KEYS):
            return
        st32(r + S_KEYS, ld32(r + S_KEYS) - want)
        k_waitq_wake_one(r + S_GETQ)


@export
def rt_semaphore_init(handle: i64, keys: i32) -> i64:
    """new(keys). Returns the handle."""
    r = sync_record(handle)
    if r:
        st32(r + S_KEYS, keys)
        semaphore_serve(r)
    return handle


@export
def rt_semaphore_put(handle: i64, keys: i32) -> i32:
    r = sync_record(handle)
    if r:
        st32(r + S_KEYS, u32(ld32(r + S_KEYS) + keys))
        semaphore_serve(r)
    return 0


@export
def rt_semaphore_try_get(handle: i64, keys: i32) -> i32:
    """1 if the keys were there (and nobody waits for them already)."""
    r = sync_record(handle)
    if r == 0 or ld32(r + S_GETQ) or ld32(r + S_KEYS) < keys:
        return 0
    st32(r + S_KEYS, ld32(r + S_KEYS) - keys)
    return 1


@export
def rt_semaphore_get(handle: i64, keys: i32) -> i32:
    """1 when the keys were taken; 0: the process is queued, must wait, and has them when it wakes."""
    if rt_semaphore_try_get(handle, keys):
        return 1
    r = sync_record(handle)
    if r:
        k_waitq_block(r + S_GETQ, u64(keys))
    return 0


# ---- mailboxes ---------------------------------------------------------------------------------------------------------------------


def mailbox_append(r: i32, val: i64) -> None:
    n = k_alloc0(N_BYTES)
    if n == 0:
        return
    st64(n + N_VAL, val)
    tail = ld32(r + S_TAIL)
    if tail:
        st32(tail + N_NEXT, n)
    else:
        st32(r + S_HEAD, n)
    st32(r + S_TAIL, n)
    st32(r + S_COUNT, ld32(r + S_COUNT) + 1)


def mailbox_serve(r: i32) -> None:
    """Match messages with waiting getters and room with waiting putters until nothing more fits."""
    while True:
        if ld32(r + S_COUNT) and ld32(r + S_GETQ):
            arg = u32(k_waitq_head_arg(r + S_GETQ))
            n = ld32(r + S_HEAD)
            st64(arg & ~PEEK, ld64(n + N_VAL))
            if (arg & PEEK) == 0:
                mailbox_pop(r)
            k_waitq_wake_one(r + S_GETQ)
        elif ld32(r + S_PUTQ) and (ld32(r + S_KEYS) == 0 or ld32(r + S_COUNT) < ld32(r + S_KEYS)):
            mailbox_append(r, k_waitq_head_arg(r + S_PUTQ))
            k_waitq_wake_one(r + S_PUTQ)
        else:
            return


def mailbox_pop(r: i32) -> None:
    n = ld32(r + S_HEAD)
    nxt = ld32(n + N_NEXT)
    st32(r + S_HEAD, nxt)
    if nxt == 0:
        st32(r + S_TAIL, 0)
    st32(r + S_COUNT, ld32(r + S_COUNT) - 1)
    k_free(n)


@export
def rt_mailbox_create(bound: i32) -> i64:
    """A new mailbox for `bound` messages, 0 without limit. Returns its handle, the address of an object with which it goes."""
    name = k_object(16)
    if name == 0:
        return 0
    handle = u64(name)
    r = sync_record(handle)
    if r:
        st32(r + S_KEYS, bound)
    return handle


@export
def rt_mailbox_num(handle: i64) -> i64:
    r = sync_record(handle)
    if r == 0:
        return 0
    return u64(ld32(r + S_COUNT))


@export
def rt_mailbox_tryput(handle: i64, val: i64) -> i32:
    """1 if there was room."""
    r = sync_record(handle)
    if r == 0 or (ld32(r + S_KEYS) and ld32(r + S_COUNT) >= ld32(r + S_KEYS)):
        return 0
    mailbox_append(r, val)
    mailbox_serve(r)
    return 1


@export
def rt_mailbox_put(handle: i64, val: i64) -> i32:
    """1 when put; 0: queued, and put when the process wakes."""
    if rt_mailbox_tryput(handle, val):
        return 1
    r = sync_record(handle)
    if r:
        k_waitq_block(r + S_PUTQ, val)
    return 0


def mailbox_take(handle: i64, cell: i32, peek: i32) -> i32:
    r = sync_record(handle)
    if r == 0 or ld32(r + S_COUNT) == 0 or ld32(r + S_GETQ):
        return 0
    st64(cell, ld64(ld32(r + S_HEAD) + N_VAL))
    if peek == 0:
        mailbox_pop(r)
        mailbox_serve(r)
    return 1


@export
def rt_mailbox_tryget(handle: i64, cell: i32) -> i32:
    """1 with the message at cell (u64)."""
    return mailbox_take(handle, cell, 0)


@export
def rt_mailbox_trypeek(handle: i64, cell: i32) -> i32:
    return mailbox_take(handle, cell, 1)


@export
def rt_mailbox_get(handle: i64, cell: i32) -> i32:
    """1 with the message at cell; 0: queued, and it is there when the process wakes. cell: 8-byte aligned."""
    if mailbox_take(handle, cell, 0):
        return 1
    r = sync_record(handle)
    if r:
        k_waitq_block(r + S_GETQ, u64(cell))
    return 0


@export
def rt_mailbox_peek(handle: i64, cell: i32) -> i32:
    if mailbox_take(handle, cell, 1):
        return 1
    r = sync_record(handle)
    if r:
        k_waitq_block(r + S_GETQ, u64(cell | PEEK))
    return 0
