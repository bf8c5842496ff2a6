"""Processes: spawning, ending, killing, suspending; fork/join (IEEE 1800 §9.3, §9.6, §9.7).

Dynamic descriptors come in chunks and never move; they are used again once the process has ended and nobody holds a handle. A process that ends leaves its children
to its own parent, marked as adopted: `disable fork` still reaches them, `wait fork` does not count them.
"""

from __future__ import annotations

from wasmjit.sched.control import (
    CB_C_ACT0,
    CB_C_DEOPTS,
    CB_C_SPAWNS,
    CB_CUR,
    CB_CUR_CTX,
    CB_DRIVERS,
    CB_DYN_DIR,
    CB_DYN_DIR_CAP,
    CB_EMERGENCY,
    CB_FORK,
    CB_JOIN_FREE,
    CB_LIVE_DYN,
    CB_N_DYN,
    CB_N_STATIC,
    CB_PEAK_DYN,
    CB_PROC_FREE,
    FAULT_STATUS,
    LIMIT_MEMORY,
    LIMIT_PROCESSES,
)
from wasmjit.sched.descriptors import (
    ARM_FORK,
    ARM_JOIN,
    ARM_PENDING,
    C_ADOPTED,
    C_AWAIT,
    C_BLOCK,
    C_CHILD,
    C_CHILDREN,
    C_JOIN,
    C_NEXT,
    C_PARENT,
    C_PREV,
    C_QUEUE,
    C_REFS,
    C_RNG,
    C_SIZE,
    C_WAIT_JOIN,
    CHUNK,
    CHUNK_SHIFT,
    FR_CHILD,
    FR_CTX,
    FR_FN,
    FR_PROC,
    J_DONE,
    J_KIND,
    J_LEFT,
    J_NAME,
    J_REFS,
    J_SIZE,
    J_WAITER,
    JOIN_ANY,
    JOIN_NONE,
    P_ACT,
    P_ARMED,
    P_BODY,
    P_COLD,
    P_COUNTER,
    P_CTX,
    P_DYN,
    P_FLAGS,
    P_FN,
    P_FRAME,
    P_ID,
    P_NEXT,
    P_SIZE,
    P_SLOT,
    P_STATE,
    P_WSET,
    PF_DYNAMIC,
    ST_DEAD,
    ST_DONE,
    ST_DYING,
    ST_FREE,
    ST_HELD,
    ST_KILLED,
    ST_OVER,
    ST_READY,
    ST_RUNNING,
    ST_WAITING,
)
from wasmjit.sched.intrinsics import export, host_import, i32, inline, ld32, ld64, memset, st32, st64, unreachable
from wasmjit.sched.kernel.drivers import new_owner
from wasmjit.sched.kernel.heap import B_ASKED, B_HEADER, k_alloc, k_alloc0, k_fault, k_free, k_limit, k_realloc
from wasmjit.sched.kernel.objects import keep_out_of_roots
from wasmjit.sched.kernel.queues import disarm, join_release, k_waitq_wake_all, leave_join, ready_push, wake, wake_proc
from wasmjit.sched.kernel.rng import draw, rng_state, seed_of
from wasmjit.sched.kernel.wheel import proc_ptr

EMERGENCY_BYTES = 65536
MAX_LIVE = 1 << 20  # forked processes alive at once; more is a fork in an endless loop
STATUS_WAIT = 0  # what an activation returns
STATUS_DONE = 1
STATUS_DEOPT = 2


# ---- frames -------------------------------------------------------------------------------------------------------------------


@export
def k_frame_new(size: i32) -> i32:
    """A zeroed frame for a suspending callee. When memory is exhausted: an emergency area, and the run stops after this activation."""
    f = k_alloc0(size)
    if f == 0:
        if size > EMERGENCY_BYTES:
            unreachable()
        f = ld32(CB_EMERGENCY)
        memset(f, 0, size)
    return f


@export
def k_frame_free(addr: i32) -> None:
    """Free a frame of k_frame_new."""
    if addr != ld32(CB_EMERGENCY):
        k_free(addr)


def free_frames(f: i32) -> None:
    """Free the frames of the calls below root frame f."""
    child = ld32(f + FR_CHILD)
    st32(f + FR_CHILD, 0)
    while child:
        below = ld32(child + FR_CHILD)
        k_frame_free(child)
        child = below


# ---- descriptors --------------------------------------------------------------------------------------------------------------


def chunk_new() -> i32:
    """One more chunk of dynamic descriptors (the cold parts follow the hot ones), all put on the free list: 1, or 0 when memory is exhausted."""
    n = ld32(CB_N_DYN)
    k = n >> CHUNK_SHIFT
    cap = ld32(CB_DYN_DIR_CAP)
    if k == cap:
        cap = cap * 2 if cap else 16
        moved = k_realloc(ld32(CB_DYN_DIR), cap * 4)
        if moved == 0:
            return 0
        st32(CB_DYN_DIR, moved)
        st32(CB_DYN_DIR_CAP, cap)
    chunk = k_alloc0(CHUNK * (P_SIZE + C_SIZE))
    if chunk == 0:
        return 0
    keep_out_of_roots(chunk)
    st32(ld32(CB_DYN_DIR) + k * 4, chunk)
    for i in range(CHUNK):
        p = chunk + i * P_SIZE
        st32(p + P_ID, ld32(CB_N_STATIC) + n + i)
        st32(p + P_COLD, chunk + CHUNK * P_SIZE + i * C_SIZE)
        st32(p + P_FLAGS, PF_DYNAMIC)
        if i + 1 < CHUNK:
            st32(p + P_NEXT, p + P_SIZE)
    st32(CB_N_DYN, n + CHUNK)
    st32(CB_PROC_FREE, chunk)
    return 1


FRAME_STEP = 32  # frames of forked processes are multiples of it
FRAME_KEPT = 512  # up to this size a frame stays, zeroed, with the descriptor of its process


def frame_for(p: i32, size: i32) -> i32:
    """A zeroed frame for the process to be at descriptor p, which has none that is large enough."""
    f = ld32(p + P_FRAME)
    if f:
        k_free(f)
    return k_frame_new((size + FRAME_STEP - 1) & ~(FRAME_STEP - 1))


@export
def k_spawn(fn: i32, ctx: i32, frame_size: i32) -> i32:
    """A new process on the ready queue, child of the running one and member of the fork being started, if any. Returns its zeroed frame (header filled in)."""
    if ld32(CB_LIVE_DYN) >= MAX_LIVE:
        k_limit(LIMIT_PROCESSES, MAX_LIVE)
        unreachable()
    p = ld32(CB_PROC_FREE)
    if p == 0:
        if chunk_new() == 0:
            k_limit(LIMIT_MEMORY, 0)
            unreachable()
        p = ld32(CB_PROC_FREE)
    st32(CB_PROC_FREE, ld32(p + P_NEXT))
    if ld32(CB_DRIVERS) and ld64(p + P_ACT):
        new_owner(p)
    f = ld32(p + P_FRAME)
    if f == 0 or ld32(f - B_HEADER + B_ASKED) < frame_size:
        f = frame_for(p, frame_size)
    c = ld32(p + P_COLD)
    st32(c + C_CHILD, 0)
    st32(c + C_PREV, 0)
    st64(c + C_JOIN, 0)  # and C_REFS
    st64(c + C_AWAIT, 0)
    st64(c + C_QUEUE, 0)  # and C_CHILDREN
    st64(c + C_WAIT_JOIN, 0)  # and C_ADOPTED
    st32(c + C_BLOCK, 0)
    parent = ld32(CB_CUR)
    st32(p + P_WSET, 0)
    st32(p + P_FN, fn)
    st32(p + P_CTX, ctx)
    st32(p + P_FRAME, f)
    st32(p + P_ARMED, 0)
    st64(p + P_ACT, ld64(p + P_ACT) + 1)  # a stale timed wake-up of the previous owner must not match
    st32(p + P_SLOT, 0)
    st32(p + P_DYN, 0)
    st32(p + P_BODY, fn)
    st32(p + P_COUNTER, CB_C_ACT0)
    st32(f + FR_PROC, ld32(p + P_ID))
    st32(f + FR_FN, fn)
    st32(f + FR_CTX, ctx)
    st32(c + C_RNG, seed_of(draw(rng_state(parent))))
    st32(c + C_PARENT, parent)
    if parent:
        pc = ld32(parent + P_COLD)
        first = ld32(pc + C_CHILD)
        st32(c + C_NEXT, first)
        if first:
            st32(ld32(first + P_COLD) + C_PREV, p)
        st32(pc + C_CHILD, p)
        st32(pc + C_CHILDREN, ld32(pc + C_CHILDREN) + 1)
    j = ld32(CB_FORK)
    if j:
        st32(c + C_JOIN, j)
        st32(c + C_BLOCK, ld32(j + J_NAME))
        st32(j + J_LEFT, ld32(j + J_LEFT) + 1)
        st32(j + J_REFS, ld32(j + J_REFS) + 1)
    live = ld32(CB_LIVE_DYN) + 1
    st32(CB_LIVE_DYN, live)
    if live > ld32(CB_PEAK_DYN):
        st32(CB_PEAK_DYN, live)
    st64(CB_C_SPAWNS, ld64(CB_C_SPAWNS) + 1)
    ready_push(p)
    return f


@inline
def recycle(p: i32) -> None:
    """The descriptor of an ended dynamic process is free again, unless a handle is held."""
    if ld32(ld32(p + P_COLD) + C_REFS) or (ld32(p + P_FLAGS) & PF_DYNAMIC) == 0:
        return
    st32(p + P_STATE, ST_FREE)
    st32(p + P_NEXT, ld32(CB_PROC_FREE))
    st32(CB_PROC_FREE, p)


@inline
def drop_frames(p: i32) -> None:
    """Free the frames of an ended process. The root frame of a forked one stays for the next process of this descriptor, if it is small."""
    f = ld32(p + P_FRAME)
    if f == 0:
        return
    if ld32(f + FR_CHILD):
        free_frames(f)
    if ld32(p + P_FLAGS) & PF_DYNAMIC:
        size = ld32(f - B_HEADER + B_ASKED)
        if f == ld32(CB_EMERGENCY) or size > FRAME_KEPT:
            st32(p + P_FRAME, 0)
            k_frame_free(f)
        else:
            end = f + size
            while f != end:
                st64(f, 0)
                st64(f + 8, 0)
                f = f + 16


# ---- the end of a process -----------------------------------------------------------------------------------------------------


@inline
def join_satisfied(j: i32) -> i32:
    kind = ld32(j + J_KIND)
    return kind == JOIN_NONE or ld32(j + J_LEFT) == 0 or (kind == JOIN_ANY and ld32(j + J_DONE) != 0)


@inline
def leave_parent(p: i32, c: i32) -> None:
    """Take p out of its parent's list of children; the parent may be in `wait fork`."""
    parent = ld32(c + C_PARENT)
    if parent == 0:
        return
    pc = ld32(parent + P_COLD)
    nxt = ld32(c + C_NEXT)
    prv = ld32(c + C_PREV)
    if nxt:
        st32(ld32(nxt + P_COLD) + C_PREV, prv)
    if prv:
        st32(ld32(prv + P_COLD) + C_NEXT, nxt)
    else:
        st32(pc + C_CHILD, nxt)
    st32(c + C_PARENT, 0)
    if ld32(c + C_ADOPTED) == 0:
        left = ld32(pc + C_CHILDREN) - 1
        st32(pc + C_CHILDREN, left)
        if left == 0 and ld32(parent + P_ARMED) & ARM_FORK:
            wake_proc(parent)


def give_away_children(c: i32) -> None:
    """The children (there are some) of an ended dynamic process go to its parent as adopted ones (or become roots)."""
    child = ld32(c + C_CHILD)
    parent = ld32(c + C_PARENT)
    last = 0
    w = child
    while w:
        wc = ld32(w + P_COLD)
        st32(wc + C_PARENT, parent)
        st32(wc + C_ADOPTED, 1)
        last = w
        nxt = ld32(wc + C_NEXT)
        if parent == 0:
            st32(wc + C_NEXT, 0)
            st32(wc + C_PREV, 0)
        w = nxt
    if parent:
        pc = ld32(parent + P_COLD)
        first = ld32(pc + C_CHILD)
        st32(ld32(last + P_COLD) + C_NEXT, first)
        if first:
            st32(ld32(first + P_COLD) + C_PREV, last)
        st32(pc + C_CHILD, child)
    st32(c + C_CHILD, 0)
    st32(c + C_CHILDREN, 0)


@inline
def process_end(p: i32, state: i32) -> None:
    """Everything that the end of a process means to others: join, `wait fork`, awaiting processes, children. Frames and descriptor remain."""
    c = ld32(p + P_COLD)
    if ld32(p + P_ARMED):
        disarm(p)
        st32(p + P_ARMED, 0)
    st32(p + P_WSET, 0)
    st32(p + P_STATE, state)
    if ld32(p + P_FLAGS) & PF_DYNAMIC:
        st32(CB_LIVE_DYN, ld32(CB_LIVE_DYN) - 1)
        if ld32(c + C_CHILD):
            give_away_children(c)
        leave_parent(p, c)
    j = ld32(c + C_JOIN)
    if j:
        st32(c + C_JOIN, 0)
        st32(j + J_LEFT, ld32(j + J_LEFT) - 1)
        st32(j + J_DONE, ld32(j + J_DONE) + 1)
        waiter = ld32(j + J_WAITER)
        if waiter and join_satisfied(j):
            wake_proc(waiter)
        join_release(j)
    if ld32(c + C_AWAIT):
        k_waitq_wake_all(c + C_AWAIT)


def terminate(p: i32) -> None:
    """Kill one process that has no live children of its own."""
    state = ld32(p + P_STATE)
    after = ST_FREE
    if state == ST_RUNNING:
        after = ST_DYING  # its frame is in use until it returns
    elif state == ST_READY or state == ST_HELD:
        after = ST_DEAD  # stays linked in the ready queue until it is popped
    elif state == ST_WAITING:
        after = ST_KILLED
    if after != ST_FREE:
        process_end(p, after)
        if after != ST_DYING:
            drop_frames(p)
        if after == ST_KILLED:
            recycle(p)


def kill_descendants(root: i32) -> None:
    """Kill everything below root, leaves first, without recursion."""
    q = root
    while True:
        child = ld32(ld32(q + P_COLD) + C_CHILD)
        if child:
            q = child
        elif q == root:
            break
        else:
            parent = ld32(ld32(q + P_COLD) + C_PARENT)
            terminate(q)
            q = parent


@host_import
def h_deopt(proc: i32) -> i32:
    """Compiled code has given up in the middle of an activation: the interpreter continues it from the frame; the status as if the code had returned it."""
    raise NotImplementedError


def activation_over(p: i32, status: i32) -> None:
    """The rest of an activation that did not simply wait: deopt, done, fault; killed, woken or suspended while running."""
    while status == STATUS_DEOPT:
        st64(CB_C_DEOPTS, ld64(CB_C_DEOPTS) + 1)
        status = h_deopt(ld32(p + P_ID))
    if status == STATUS_DONE and ld32(p + P_STATE) == ST_RUNNING:
        process_end(p, ST_DONE)
        drop_frames(p)
        recycle(p)
    else:
        went_on(p, status)


def went_on(p: i32, status: i32) -> None:
    """An activation that waits, or whose process was killed or woken meanwhile."""
    state = ld32(p + P_STATE)
    if state == ST_DYING:
        disarm(p)
        st32(p + P_ARMED, 0)
        drop_frames(p)
        st32(p + P_STATE, ST_KILLED)
        recycle(p)
    elif state == ST_READY:
        # its own store has ended the wait it had just asked for: it is on the ready queue already
        if status == STATUS_DONE:
            process_end(p, ST_OVER)
            drop_frames(p)
        else:
            disarm(p)
            if status != STATUS_WAIT:
                k_fault(FAULT_STATUS, 0)
    else:
        st32(p + P_STATE, ST_WAITING)
        a = ld32(p + P_ARMED)
        if a & ARM_PENDING:
            st32(p + P_ARMED, a & ~ARM_PENDING)
            wake(p)
        if status != STATUS_WAIT:
            k_fault(FAULT_STATUS, 0)


# ---- fork and join --------------------------------------------------------------------------------------------------------------


@export
def k_fork_begin(kind: i32, n: i32) -> i32:
    """Start a fork (kind 0 join, 1 join_any, 2 join_none) of n branches: the following k_spawn calls are its branches, k_fork_wait ends it. Returns its handle."""
    j = ld32(CB_JOIN_FREE)
    if j:
        st32(CB_JOIN_FREE, ld32(j + J_WAITER))
    else:
        j = k_alloc(J_SIZE)
    if j:
        st32(j + J_KIND, kind)
        st32(j + J_LEFT, 0)
        st32(j + J_DONE, 0)
        st32(j + J_WAITER, 0)
        st32(j + J_REFS, 1)
        st32(j + J_NAME, 0)
    st32(CB_FORK, j)
    return j


@export
def k_fork_name(j: i32, name: i32) -> None:
    """The fork just begun is the one of that number (k_disable)."""
    if j:
        st32(j + J_NAME, name)


@export
def k_fork_wait(j: i32) -> i32:
    """End of the fork: 1 when the running process has to wait now (it is woken when the join is satisfied), 0 when it goes on."""
    st32(CB_FORK, 0)
    if j == 0:
        return 0
    if join_satisfied(j):
        join_release(j)
        return 0
    p = ld32(CB_CUR)
    if ld32(p + P_ARMED) & ARM_JOIN:
        leave_join(p)
    st32(j + J_WAITER, p)
    st32(ld32(p + P_COLD) + C_WAIT_JOIN, j)
    st32(p + P_ARMED, ld32(p + P_ARMED) | ARM_JOIN)
    return 1


@export
def k_wait_fork() -> i32:
    """`wait fork`: 1 when the running process has to wait (immediate children are alive), else 0."""
    p = ld32(CB_CUR)
    if ld32(ld32(p + P_COLD) + C_CHILDREN) == 0:
        return 0
    st32(p + P_ARMED, ld32(p + P_ARMED) | ARM_FORK)
    return 1


@export
def k_disable_fork() -> None:
    """`disable fork`: kill all descendants of the running process."""
    kill_descendants(ld32(CB_CUR))


@export
def k_disable(name: i32, ctx: i32) -> i32:
    """`disable` of a named fork (IEEE 1800 §9.6.2): kill all branches of all its activations in that context (0: in any). 1 when the running process is among them."""
    for k in range(ld32(CB_N_DYN) >> CHUNK_SHIFT):
        p = ld32(ld32(CB_DYN_DIR) + k * 4)
        for _ in range(CHUNK):
            state = ld32(p + P_STATE)
            if (
                ld32(ld32(p + P_COLD) + C_BLOCK) == name
                and (ctx == 0 or ld32(p + P_CTX) == ctx)
                and (state == ST_READY or state == ST_HELD or state == ST_WAITING or state == ST_RUNNING)
            ):
                kill_descendants(p)
                terminate(p)
            p = p + P_SIZE
    return running_dies()


@export
def k_context() -> i32:
    """Instance context of the running process."""
    return ld32(CB_CUR_CTX)


@inline
def running_dies() -> i32:
    """Whether the running process has been killed."""
    p = ld32(CB_CUR)
    return p != 0 and ld32(p + P_STATE) == ST_DYING


@export
def k_detach(proc: i32) -> None:
    """The process belongs to nobody any more: `wait fork` and `disable fork` pass it by."""
    p = proc_ptr(proc)
    if p:
        leave_parent(p, ld32(p + P_COLD))
