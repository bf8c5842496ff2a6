"""Waking: the ready queue and the dirty regions.

A process is on the ready queue at most once (state READY, HELD, DEAD or OVER). What a wake-up has to undo beyond the usual is in P_ARMED.
"""

from __future__ import annotations

from wasmjit.sched.control import (
    CB_C_WAKEUPS,
    CB_DIRTY,
    CB_EVENTS,
    CB_JOIN_FREE,
    CB_MIN_LEVEL,
    CB_NETS,
    CB_READY_TAIL,
)
from wasmjit.sched.descriptors import (
    ALL_MEMBERS,
    ARM_ATTENTION,
    ARM_DEFERRED,
    ARM_DYN,
    ARM_JOIN,
    ARM_PENDING,
    ARM_QUEUE,
    ARM_SUSPENDED,
    ARM_TIME,
    C_CHILD,
    C_WAIT_JOIN,
    EDGE_EITHER,
    EDGE_EVENT,
    EDGE_POS,
    EDGE_REGION,
    J_REFS,
    J_WAITER,
    L_TAIL,
    N_DYN,
    N_FLAGS,
    N_SIZE,
    NF_DYN,
    P_ARMED,
    P_COLD,
    P_NEXT,
    P_STATE,
    P_WSET,
    R_DIRTY,
    R_LEVEL,
    R_NEXT,
    ST_READY,
    ST_RUNNING,
    ST_WAITING,
    W_ADDR,
    W_BYTES,
    W_COPY,
    W_EDGE,
    W_HIT,
    W_NEXT,
    W_OLD,
    W_PROC,
)
from wasmjit.sched.intrinsics import export, i32, i64, inline, ld32, ld64, select, st32, st64, u32
from wasmjit.sched.kernel.waits import drop_nodes, event_bucket, load_bytes, mem_equal, queue_unlink
from wasmjit.sched.kernel.wheel import cancel_time, proc_ptr


@inline
def ready_push(p: i32) -> None:
    st32(p + P_STATE, ST_READY)
    st32(p + P_NEXT, 0)
    st32(ld32(CB_READY_TAIL) + P_NEXT, p)
    st32(CB_READY_TAIL, p)


@inline
def join_release(j: i32) -> None:
    """One holder less of a join record."""
    refs = ld32(j + J_REFS) - 1
    st32(j + J_REFS, refs)
    if refs == 0:
        st32(j + J_WAITER, ld32(CB_JOIN_FREE))
        st32(CB_JOIN_FREE, j)


@inline
def leave_join(p: i32) -> None:
    """p no longer waits for its fork."""
    c = ld32(p + P_COLD)
    j = ld32(c + C_WAIT_JOIN)
    st32(c + C_WAIT_JOIN, 0)
    st32(j + J_WAITER, 0)
    join_release(j)


def disarm(p: i32) -> None:
    """Take away every wait of p (suspension and its kin stay)."""
    a = ld32(p + P_ARMED)
    st32(p + P_WSET, 0)
    if a & ARM_TIME:
        cancel_time(p)
    if a & ARM_DYN:
        drop_nodes(p)
    if a & ARM_QUEUE:
        queue_unlink(p)
    if a & ARM_JOIN:
        leave_join(p)
    st32(p + P_ARMED, a & ARM_ATTENTION)


def wake_armed(p: i32) -> None:
    """Wake a waiting process that has more than a static set. While it is suspended the wake-up is remembered (IEEE 1800 §9.7)."""
    a = ld32(p + P_ARMED)
    if a == ARM_DYN:
        drop_nodes(p)
        st32(p + P_ARMED, 0)
        st32(p + P_WSET, 0)
        ready_push(p)
    elif a == ARM_JOIN:
        leave_join(p)
        st32(p + P_ARMED, 0)
        st32(p + P_WSET, 0)
        ready_push(p)
    else:
        disarm(p)
        if a & ARM_SUSPENDED:
            st32(p + P_ARMED, (a & ARM_ATTENTION) | ARM_DEFERRED)
        else:
            ready_push(p)


@inline
def wake(p: i32) -> None:
    """Put a waiting process on the ready queue."""
    st64(CB_C_WAKEUPS, ld64(CB_C_WAKEUPS) + 1)
    if ld32(p + P_ARMED):
        wake_armed(p)
    else:
        st32(p + P_WSET, 0)
        ready_push(p)


def wake_proc(p: i32) -> None:
    """Wake p if it waits; remember it if it is running; otherwise nothing."""
    state = ld32(p + P_STATE)
    if state == ST_WAITING:
        wake(p)
    elif state == ST_RUNNING:
        st32(p + P_ARMED, ld32(p + P_ARMED) | ARM_PENDING)


@export
def k_wake(proc: i32) -> None:
    """Wake a process whatever it waits for. A wake-up of the running process ends its next wait at once."""
    p = proc_ptr(proc)
    if p:
        wake_proc(p)


@export
def k_waitq_wake_one(q: i32) -> i32:
    """Wake the first waiter of the queue at q: 1, or 0 when nobody waits."""
    p = ld32(q)
    if p == 0:
        return 0
    wake_proc(p)
    if ld32(q) == p:
        disarm(p)
    return 1


@export
def k_waitq_wake_all(q: i32) -> i32:
    """Wake all waiters of the queue at q in order; how many."""
    n = 0
    while k_waitq_wake_one(q):
        n = n + 1
    return n


def dirty_region(r: i32, members: i32) -> None:
    """Mark a region for evaluation; members: those of an island, a bit each."""
    mark_dirty(r, members)


@inline
def mark_dirty(r: i32, members: i32) -> None:
    """Mark a region for evaluation; members: those of an island, a bit each."""
    dirty = ld32(r + R_DIRTY)
    st32(r + R_DIRTY, dirty | members)
    if dirty == 0:
        st32(r + R_NEXT, 0)
        b = ld32(r + R_LEVEL)
        st32(ld32(b + L_TAIL) + R_NEXT, r)
        st32(b + L_TAIL, r)
        if b < ld32(CB_MIN_LEVEL):
            st32(CB_MIN_LEVEL, b)
        st32(CB_DIRTY, ld32(CB_DIRTY) + 1)


# ---- dynamic waits ------------------------------------------------------------------------------------------------------------


@inline
def node_hit(w: i32) -> i32:
    """Whether the wait of node w is over."""
    edge = ld32(w + W_EDGE)
    if edge == EDGE_EVENT:
        return 1
    addr = ld32(w + W_ADDR)
    n = ld32(w + W_BYTES)
    copy = ld32(w + W_COPY)
    if copy:
        return mem_equal(addr, copy, n) == 0
    now = load_bytes(addr, select(n > 8, 8, n))
    old = ld64(w + W_OLD)
    if edge == 0 or edge == EDGE_EITHER:
        return now != old
    st64(w + W_OLD, now)
    if edge == EDGE_POS:
        return (now & ~old & 1) != 0
    return (old & ~now & 1) != 0


@inline
def wake_chain(w: i32) -> None:
    """Wake the processes of the nodes chained through W_HIT. A node freed meanwhile (its process was woken by another one) names no process."""
    while w:
        nxt = ld32(w + W_HIT)
        p = ld32(w + W_PROC)
        if p:
            wake_proc(p)
            if ld32(w + W_PROC) == p:
                disarm(p)
        w = nxt


def walk_nodes(head: i32, addr: i32) -> None:
    """Wake whoever waits on the list at `head` and is due. addr: the event there is triggered (0: values may have changed). Two passes: waking takes nodes off the list.

    Processes with live children come last: what a process does about its children (`disable fork`) on some event comes after they have seen the event. The
    standard leaves the order open (IEEE 1800 §4.7); otherwise it is first come, first served.
    """
    last = ld32(head)
    if last == 0:
        return
    w = last
    if ld32(w + W_NEXT) == w and ld32(w + W_EDGE) != EDGE_REGION:  # one process waits
        edge = ld32(w + W_EDGE)
        if node_hit(w) if addr == 0 else (ld32(w + W_ADDR) == addr and (edge == EDGE_EITHER or edge == EDGE_EVENT)):
            p = ld32(w + W_PROC)
            wake_proc(p)
            if ld32(w + W_PROC) == p:
                disarm(p)
        return
    first = 0
    tail = 0
    first_parent = 0
    tail_parent = 0
    while True:
        w = ld32(w + W_NEXT)
        edge = ld32(w + W_EDGE)
        if edge == EDGE_REGION:
            if addr == 0:
                dirty_region(ld32(w + W_ADDR), ALL_MEMBERS)
        elif node_hit(w) if addr == 0 else (ld32(w + W_ADDR) == addr and (edge == EDGE_EITHER or edge == EDGE_EVENT)):
            st32(w + W_HIT, 0)
            if ld32(ld32(ld32(w + W_PROC) + P_COLD) + C_CHILD):
                if tail_parent:
                    st32(tail_parent + W_HIT, w)
                else:
                    first_parent = w
                tail_parent = w
            else:
                if tail:
                    st32(tail + W_HIT, w)
                else:
                    first = w
                tail = w
        if w == last:
            break
    if tail:
        st32(tail + W_HIT, first_parent)
        wake_chain(first)
    else:
        wake_chain(first_parent)


def trigger(ptr: i64) -> None:
    """Wake whoever waits for the event that ptr points to: on the list of its net, and by address."""
    if ptr >> 32:
        na = ld32(CB_NETS) + u32((ptr >> 32) - 1) * N_SIZE
        if ld32(na + N_FLAGS) & NF_DYN:
            walk_nodes(na + N_DYN, u32(ptr))
    k_mem_event(u32(ptr))


@export
def k_mem_event(addr: i32) -> None:
    """Wake whoever waits for the event at addr (edge 3)."""
    if ld32(CB_EVENTS):
        walk_nodes(event_bucket(addr), addr)
