"""Dynamic waits: nodes on the list of a net, of plain memory, or of an event address. And wait queues in memory.

Lists are circular and doubly linked; the head word holds the last node, so that waiters are woken in the order they came. A process's nodes are
also chained, and all are taken away when it wakes: nothing stale stays behind.
"""

from __future__ import annotations

from wasmjit.sched.control import CB_CUR, CB_CUR_ID, CB_EVENTS, CB_NETS, CB_NODE_FREE, CB_POLL, CB_REGIONS, NO_NET, NONE, REGION_DRIVER
from wasmjit.sched.descriptors import (
    ARM_DYN,
    ARM_QUEUE,
    C_QARG,
    C_QNEXT,
    C_QPREV,
    C_QUEUE,
    EDGE_EITHER,
    EDGE_EVENT,
    EDGE_REGION,
    EVENT_BUCKETS,
    N_DYN,
    N_FLAGS,
    N_SIZE,
    NF_DYN,
    P_ARMED,
    P_COLD,
    P_DYN,
    R_SIZE,
    W_ADDR,
    W_BYTES,
    W_COPY,
    W_EDGE,
    W_HEAD,
    W_NEXT,
    W_OLD,
    W_PNEXT,
    W_PREV,
    W_PROC,
    W_SIZE,
)
from wasmjit.sched.intrinsics import export, i32, i64, inline, ld8_64, ld16_64, ld32, ld32_64, ld64, memcpy, select, st32, st64, u32, u64
from wasmjit.sched.kernel.heap import k_alloc, k_free
from wasmjit.sched.kernel.wheel import waiting_proc

NODES_PER_POOL = 64


def load_odd(addr: i32, n: i32) -> i64:
    """3, 5, 6 or 7 bytes, zero-extended."""
    return ld64(addr) & (u64(0xFFFFFFFFFFFFFFFF) >> (64 - n * 8))


@inline
def load_bytes(addr: i32, n: i32) -> i64:
    """1 to 8 bytes, zero-extended."""
    return ld8_64(addr) if n == 1 else ld32_64(addr) if n == 4 else ld64(addr) if n == 8 else ld16_64(addr) if n == 2 else load_odd(addr, n)


def mem_equal(a: i32, b: i32, n: i32) -> i32:
    """Whether two areas of n bytes are equal."""
    end = a + (n & 0xFFFFFFF8)
    while a != end:
        if ld64(a) != ld64(b):
            return 0
        a = a + 8
        b = b + 8
    n = n & 7
    return n == 0 or load_bytes(a, n) == load_bytes(b, n)


# ---- nodes ------------------------------------------------------------------------------------------------------------------


def node_pool() -> i32:
    """A chain of new nodes; 0 when memory is exhausted."""
    w = k_alloc(W_SIZE * NODES_PER_POOL)
    if w == 0:
        return 0
    for i in range(NODES_PER_POOL - 1):
        st32(w + i * W_SIZE + W_NEXT, w + (i + 1) * W_SIZE)
        st32(w + i * W_SIZE + W_PROC, 0)
    st32(w + (NODES_PER_POOL - 1) * W_SIZE + W_NEXT, 0)
    return w


@inline
def node_new() -> i32:
    """A wait node; 0 when memory is exhausted."""
    w = ld32(CB_NODE_FREE)
    if w == 0:
        w = node_pool()
    if w:
        st32(CB_NODE_FREE, ld32(w + W_NEXT))
    return w


@inline
def event_bucket(addr: i32) -> i32:
    return ld32(CB_EVENTS) + ((addr >> 3) * 4 & (EVENT_BUCKETS * 4 - 4))


@export
def k_wait_dyn(proc: i32, net: i32, addr: i32, size: i32, edge: i32) -> None:
    """The process wakes when the `size` bytes at addr change (edge 0), when bit 0 there rises (1) or falls (2), when the event there is triggered (3), or at a
    change or trigger (5).

    net: the net they belong to. NO_NET: plain memory, which is looked at whenever the ready queue is empty.
    """
    if edge == EDGE_EITHER and net == NO_NET:
        k_wait_dyn(proc, net, addr, size, EDGE_EVENT)
        edge = 0
    p = waiting_proc(proc)
    w = node_new()
    if w == 0:
        return
    if edge == EDGE_EVENT:
        head = event_bucket(addr)
    elif net != NO_NET:
        na = ld32(CB_NETS) + net * N_SIZE
        st32(na + N_FLAGS, ld32(na + N_FLAGS) | NF_DYN)
        head = na + N_DYN
    else:
        head = CB_POLL
    st32(w + W_HEAD, head)
    st32(w + W_PROC, p)
    st32(w + W_ADDR, addr)
    st32(w + W_BYTES, size)
    st32(w + W_EDGE, edge)
    st32(w + W_COPY, 0)
    if edge != EDGE_EVENT:
        if size > 8 and (edge == 0 or edge == EDGE_EITHER):
            copy = k_alloc(size)
            if copy:
                memcpy(copy, addr, size)
            st32(w + W_COPY, copy)
        else:
            st64(w + W_OLD, load_bytes(addr, select(size > 8, 8, size)))
    link_node(w, head)
    st32(w + W_PNEXT, ld32(p + P_DYN))
    st32(p + P_DYN, w)
    st32(p + P_ARMED, ld32(p + P_ARMED) | ARM_DYN)


@export
def k_region_listen(ptr: i64) -> None:
    """The region being evaluated reads through a pointer: it is evaluated again when the net behind it (high half: net id + 1) changes."""
    high = u32(ptr >> 32)
    driver = ld32(CB_CUR_ID)
    if high == 0 or driver == NONE or (driver & REGION_DRIVER) == 0:
        return
    region = u32(ld32(CB_REGIONS) + u32(driver ^ REGION_DRIVER) * R_SIZE)
    na = u32(ld32(CB_NETS) + (high - 1) * N_SIZE)
    head = na + N_DYN
    last = ld32(head)
    w = last
    while w:
        if ld32(w + W_EDGE) == EDGE_REGION and ld32(w + W_ADDR) == region:
            return
        w = ld32(w + W_NEXT)
        if w == last:
            break
    w = node_new()
    if w == 0:
        return
    st32(na + N_FLAGS, ld32(na + N_FLAGS) | NF_DYN)
    st32(w + W_HEAD, head)
    st32(w + W_PROC, 0)
    st32(w + W_ADDR, region)
    st32(w + W_EDGE, EDGE_REGION)
    st32(w + W_COPY, 0)
    link_node(w, head)


@inline
def link_node(w: i32, head: i32) -> None:
    """Put a node at the end of a list."""
    last = ld32(head)
    if last:
        first = ld32(last + W_NEXT)
        st32(w + W_NEXT, first)
        st32(w + W_PREV, last)
        st32(last + W_NEXT, w)
        st32(first + W_PREV, w)
    else:
        st32(w + W_NEXT, w)
        st32(w + W_PREV, w)
    st32(head, w)


def drop_nodes(p: i32) -> None:
    """Take away all dynamic waits of p."""
    w = ld32(p + P_DYN)
    st32(p + P_DYN, 0)
    while w:
        following = ld32(w + W_PNEXT)
        nxt = ld32(w + W_NEXT)
        head = ld32(w + W_HEAD)
        if nxt == w:
            st32(head, 0)
        else:
            prv = ld32(w + W_PREV)
            st32(prv + W_NEXT, nxt)
            st32(nxt + W_PREV, prv)
            if ld32(head) == w:
                st32(head, prv)
        if ld32(w + W_COPY):
            k_free(ld32(w + W_COPY))
        st32(w + W_PROC, 0)
        st32(w + W_NEXT, ld32(CB_NODE_FREE))
        st32(CB_NODE_FREE, w)
        w = following


# ---- wait queues: two words {first, last} anywhere in memory, zero when empty -------------------------------------------------------


def queue_unlink(p: i32) -> None:
    c = ld32(p + P_COLD)
    q = ld32(c + C_QUEUE)
    nxt = ld32(c + C_QNEXT)
    prv = ld32(c + C_QPREV)
    if nxt:
        st32(ld32(nxt + P_COLD) + C_QPREV, prv)
    else:
        st32(q + 4, prv)
    if prv:
        st32(ld32(prv + P_COLD) + C_QNEXT, nxt)
    else:
        st32(q, nxt)
    st32(c + C_QUEUE, 0)


def queue_append(q: i32, p: i32, arg: i64) -> None:
    """A process is in one queue at most: the last one counts."""
    if ld32(p + P_ARMED) & ARM_QUEUE:
        queue_unlink(p)
    c = ld32(p + P_COLD)
    last = ld32(q + 4)
    st32(c + C_QUEUE, q)
    st32(c + C_QPREV, last)
    st32(c + C_QNEXT, 0)
    st64(c + C_QARG, arg)
    if last:
        st32(ld32(last + P_COLD) + C_QNEXT, p)
    else:
        st32(q, p)
    st32(q + 4, p)
    st32(p + P_ARMED, ld32(p + P_ARMED) | ARM_QUEUE)


@export
def k_waitq_block(q: i32, arg: i64) -> None:
    """Append the running process to the wait queue at q; the code must then wait. `arg` is kept for k_waitq_head_arg (keys asked of a semaphore, ...)."""
    p = ld32(CB_CUR)
    if p:
        queue_append(q, p, arg)


@export
def k_waitq_head_arg(q: i32) -> i64:
    """`arg` of the first waiter, 0 when the queue is empty."""
    p = ld32(q)
    if p == 0:
        return 0
    return ld64(ld32(p + P_COLD) + C_QARG)


@export
def k_waitq_len(q: i32) -> i32:
    """Number of waiters."""
    n = 0
    p = ld32(q)
    while p:
        n = u32(n + 1)
        p = ld32(ld32(p + P_COLD) + C_QNEXT)
    return n
