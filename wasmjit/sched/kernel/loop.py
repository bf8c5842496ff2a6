"""The main loop: LLHD time, one slot (fs, delta, epsilon) after the other (docs/internals.md §5, architecture.md §5).

(1) pick the earliest slot; before real time moves, finish the time step   (2) apply its drives, wake and mark
(3) settle dirty regions, lowest level first                               (4) run ready processes, first come, first served
(3) and (4) alternate until both are empty: the processes that are ready together run as one batch, then dirty regions settle.
"""

from __future__ import annotations

from wasmjit.sched.control import (
    CB_APPLYING,
    CB_ATTENTION,
    CB_C_ACT0,
    CB_C_ACT1,
    CB_C_ACT2,
    CB_C_ACT3,
    CB_C_DRIVES,
    CB_C_MAX_SLOTS,
    CB_C_SLOTS,
    CB_C_STEPS,
    CB_C_WAKEUPS,
    CB_CHANGED,
    CB_CHANGED_N,
    CB_COLD,
    CB_CUR,
    CB_CUR_CTX,
    CB_CUR_ID,
    CB_DELTA,
    CB_DELTA_BASE,
    CB_DELTA_CUR,
    CB_DIRTY,
    CB_EMERGENCY,
    CB_EPS,
    CB_EPS_BASE,
    CB_EPS_CUR,
    CB_EVENTS,
    CB_FAULTED,
    CB_FINISH,
    CB_FS,
    CB_HOST_PHASE,
    CB_HOST_WANT,
    CB_LEFT,
    CB_LEVELS,
    CB_LIMIT,
    CB_MAX_DELTAS,
    CB_MAX_STEPS,
    CB_MIN_LEVEL,
    CB_N_LEVELS,
    CB_N_NETS,
    CB_N_REGIONS,
    CB_N_STATIC,
    CB_NEAR,
    CB_POLL,
    CB_PROCS,
    CB_READY_HEAD,
    CB_READY_TAIL,
    CB_REGIONS,
    CB_ROUNDS,
    CB_SIZE,
    CB_SPARE_BASE,
    CB_SPARE_END,
    CB_STEP_SLOTS,
    CB_STOP,
    CB_TOP_FS,
    HOST_AT,
    HOST_NEXT_TIME,
    HOST_READ_ONLY,
    HOST_READ_WRITE,
    LIMIT_DELTAS,
    LIMIT_ROUNDS,
    LIMIT_STEPS,
    NONE,
    REASON_BUDGET,
    REASON_FAULT,
    REASON_FINISHED,
    REASON_HOST,
    REASON_LIMIT,
    REASON_NO_EVENTS,
    REASON_RING,
    REASON_STOP,
    REASON_UNTIL,
)
from wasmjit.sched.descriptors import (
    ALL_MEMBERS,
    ARM_ATTENTION,
    ARM_DEFERRED,
    ARM_TIME,
    C_SIZE,
    D_KIND,
    D_NET,
    D_SIZE,
    D_VAL,
    DK_WAKE,
    EVENT_BUCKETS,
    GANGED,
    L_HEAD,
    L_SIZE,
    L_TAIL,
    P_ACT,
    P_ARMED,
    P_COLD,
    P_COUNTER,
    P_CTX,
    P_FLAGS,
    P_FN,
    P_FRAME,
    P_ID,
    P_NEXT,
    P_SIZE,
    P_SLOT,
    P_STATE,
    P_WSET,
    PF_FINAL,
    R_DIRTY,
    R_ISLAND,
    R_LEVEL,
    R_NEXT,
    R_SIZE,
    READY_DUMMY,
    S_BASE,
    S_CUR,
    S_DELTA,
    S_EPS,
    S_HOST,
    S_LIVE,
    SOME_OF_GANG,
    ST_DEAD,
    ST_DONE,
    ST_DORMANT,
    ST_HELD,
    ST_KILLED,
    ST_OVER,
    ST_READY,
    ST_RUNNING,
    ST_WAITING,
    V_CUR,
    V_END,
)
from wasmjit.sched.intrinsics import (
    call_indirect_ii_i,
    export,
    i32,
    i64,
    inline,
    ld32,
    ld64,
    memcpy,
    st32,
    st64,
    u32,
)
from wasmjit.sched.kernel.apply import apply_records
from wasmjit.sched.kernel.heap import heap_init, k_alloc, k_alloc0, k_limit
from wasmjit.sched.kernel.process import EMERGENCY_BYTES, activation_over, recycle
from wasmjit.sched.kernel.queues import dirty_region, ready_push, wake, walk_nodes
from wasmjit.sched.kernel.settle import settle
from wasmjit.sched.kernel.slots import slot_pop, slot_recycle
from wasmjit.sched.kernel.trace import k_trace_flush
from wasmjit.sched.kernel.wheel import vec_push, waiting_proc, wheel_init

# ---- waits ----------------------------------------------------------------------------------------------------------------------


@export
def k_wait_set(proc: i32, set: i32) -> None:
    """The process waits for a change of a net whose fan-out names it with this sensitivity set."""
    st32(waiting_proc(proc) + P_WSET, set + 1)


# ---- (4) processes ----------------------------------------------------------------------------------------------------------------


def drop_ready(p: i32) -> None:
    """A process on the ready queue that must not run: killed or suspended since it was put there."""
    state = ld32(p + P_STATE)
    if state == ST_DEAD:
        st32(p + P_STATE, ST_KILLED)
        recycle(p)
    elif state == ST_OVER:
        st32(p + P_STATE, ST_DONE)
        recycle(p)
    elif state == ST_HELD:
        st32(p + P_STATE, ST_WAITING)
        st32(p + P_ARMED, ld32(p + P_ARMED) | ARM_DEFERRED)


def requeue(p: i32) -> None:
    """Put the chain of processes from p, which did not run, before the others on the ready queue."""
    last = p
    while ld32(last + P_NEXT):
        last = ld32(last + P_NEXT)
    head = ld32(CB_READY_HEAD)
    st32(last + P_NEXT, head)
    st32(CB_READY_HEAD, p)
    if head == 0:
        st32(CB_READY_TAIL, last)


@inline
def activate(p: i32) -> None:
    """One activation."""
    st32(p + P_STATE, ST_RUNNING)
    st64(p + P_ACT, ld64(p + P_ACT) + 1)
    counter = ld32(p + P_COUNTER)
    st64(counter, ld64(counter) + 1)
    ctx = ld32(p + P_CTX)
    st32(CB_CUR, p)
    st32(CB_CUR_ID, ld32(p + P_ID))
    st32(CB_CUR_CTX, ctx)
    status = call_indirect_ii_i(ld32(p + P_FN), ctx, ld32(p + P_FRAME))
    if status == 0 and (ld32(p + P_ARMED) & ARM_ATTENTION) == 0 and ld32(p + P_STATE) == ST_RUNNING:
        st32(p + P_STATE, ST_WAITING)
    else:
        activation_over(p, status)


def stop_reason() -> i32:
    """Why CB_STOP is set."""
    if ld32(CB_FAULTED):
        return REASON_FAULT
    if ld32(CB_LIMIT):
        return REASON_LIMIT
    return REASON_STOP


@inline
def leave() -> None:
    """Nothing runs any more."""
    st32(CB_CUR, 0)
    st32(CB_CUR_ID, NONE)


@inline
def run_slot(alone: i32) -> i32:
    """Phases 3 and 4 until nothing is dirty or ready: 0, or the reason to return. alone: the only process that is ready, on no queue; 0 none."""
    reason = 0
    left = ld64(CB_LEFT)
    if alone:
        if left == 0 or ld32(CB_STOP):
            ready_push(alone)
        else:
            st32(CB_ROUNDS, 1)
            activate(alone)
            left = left - 1
    if ld32(CB_DIRTY):
        settle()
        if ld32(CB_STOP):
            return stop_reason()
    while reason == 0:
        p = ld32(CB_READY_HEAD)
        if p == 0:
            if ld32(CB_POLL) == 0:
                break
            walk_nodes(CB_POLL, 0)  # plain memory has no change events: look now
            p = ld32(CB_READY_HEAD)
            if p == 0:
                break
        if left == 0:
            reason = REASON_BUDGET
            break
        st32(CB_READY_HEAD, 0)
        st32(CB_READY_TAIL, READY_DUMMY)
        rounds = ld32(CB_ROUNDS) + 1
        st32(CB_ROUNDS, rounds)
        limit = ld32(CB_MAX_DELTAS)
        if limit and rounds > limit:
            k_limit(LIMIT_ROUNDS, ld32(p + P_ID))
        while p:
            if ld32(CB_STOP):
                reason = REASON_BUDGET
                requeue(p)
                st32(CB_ROUNDS, rounds - 1)
                break
            nxt = ld32(p + P_NEXT)
            if ld32(p + P_STATE) == ST_READY:
                activate(p)
                if left:
                    left = left - 1
            else:
                drop_ready(p)
            p = nxt
        # Continuous assignments follow once the processes that were ready together have run (they are events behind those, IEEE 1800 §4.4.2.2).
        if ld32(CB_DIRTY):
            settle()
    st64(CB_LEFT, left)
    leave()
    if ld32(CB_STOP):
        return stop_reason()
    return reason


# ---- (1) and (2) ------------------------------------------------------------------------------------------------------------------


@inline
def begin_slot() -> None:
    """Counters of a new slot."""
    st64(CB_C_SLOTS, ld64(CB_C_SLOTS) + 1)
    st32(CB_ROUNDS, 0)
    st32(CB_STEP_SLOTS, ld32(CB_STEP_SLOTS) + 1)


@inline
def longest_step() -> None:
    """Keep the most slots seen in one time step."""
    n = ld32(CB_STEP_SLOTS)
    if n > ld64(CB_C_MAX_SLOTS):
        st64(CB_C_MAX_SLOTS, n)


def apply_vector(v: i32) -> None:
    """Phase 2 for a fast vector: swapped with the spare one first, so that its records may be followed by new ones."""
    base = ld32(v)
    cur = ld32(v + V_CUR)
    end = ld32(v + V_END)
    spare = ld32(CB_SPARE_BASE)
    st32(v, spare)
    st32(v + V_CUR, spare)
    st32(v + V_END, ld32(CB_SPARE_END))
    st32(CB_SPARE_BASE, base)
    st32(CB_SPARE_END, end)
    begin_slot()
    apply_records(base, cur)


@inline
def apply_slot() -> i32:
    """Phase 2 for the earliest slot. When all there is in it is the wake-up of one process, that process, which is on no queue; else 0."""
    s = slot_pop()
    st32(CB_DELTA, ld32(s + S_DELTA))
    st32(CB_EPS, ld32(s + S_EPS))
    begin_slot()
    r = ld32(s + S_BASE)
    end = ld32(s + S_CUR)
    alone = 0
    if end == r + D_SIZE and ld32(r + D_KIND) == DK_WAKE:
        st64(CB_C_DRIVES, ld64(CB_C_DRIVES) + 1)
        p = ld32(r + D_NET)
        if ld32(p + P_ACT) == ld32(r + D_VAL) and ld32(p + P_STATE) == ST_WAITING:
            if ld32(p + P_SLOT) == s:
                st32(p + P_SLOT, 0)
                st32(p + P_ARMED, ld32(p + P_ARMED) & ~ARM_TIME)
            if ld32(p + P_ARMED):
                wake(p)
            else:
                st64(CB_C_WAKEUPS, ld64(CB_C_WAKEUPS) + 1)
                st32(p + P_WSET, 0)
                alone = p
    else:
        st32(CB_APPLYING, s)
        apply_records(r, end)
        st32(CB_APPLYING, 0)
    slot_recycle(s)
    return alone


@inline
def apply_mixed() -> i32:
    """A slot lies at the present real time: it may come before, with or after the fast vectors. The result is that of `apply_slot`."""
    s = ld32(CB_NEAR)
    delta = ld32(CB_DELTA)
    eps = ld32(CB_EPS) + 1
    v = CB_EPS_BASE
    if ld32(CB_EPS_CUR) == ld32(CB_EPS_BASE):
        v = CB_DELTA_BASE
        delta = delta + 1
        eps = 0
        if ld32(CB_DELTA_CUR) == ld32(CB_DELTA_BASE):
            v = 0
    sd = ld32(s + S_DELTA)
    se = ld32(s + S_EPS)
    if v == 0 or sd < delta or (sd == delta and se < eps):
        return apply_slot()
    elif sd == delta and se == eps:
        # both are this slot; the slot's records were scheduled earlier
        r = ld32(v)
        end = ld32(v + V_CUR)
        while r != end:
            memcpy(vec_push(s + S_BASE), r, D_SIZE)
            r = r + D_SIZE
        st32(v + V_CUR, ld32(v))
        return apply_slot()
    else:
        st32(CB_DELTA, delta)
        st32(CB_EPS, eps)
        apply_vector(v)
    return 0


@inline
def end_step() -> i32:
    """What is due when a time step has no more events: 0, or the reason to return first."""
    longest_step()
    want = ld32(CB_HOST_WANT)
    if want & HOST_READ_WRITE:
        st32(CB_HOST_WANT, want & ~HOST_READ_WRITE)
        st32(CB_HOST_PHASE, HOST_READ_WRITE)
        return REASON_HOST
    if ld32(CB_CHANGED_N) and k_trace_flush() == 0:
        return REASON_RING
    if want & HOST_READ_ONLY:
        st32(CB_HOST_WANT, want & ~HOST_READ_ONLY)
        st32(CB_HOST_PHASE, HOST_READ_ONLY)
        return REASON_HOST
    return 0


@inline
def advance(until: i64) -> i32:
    """Move real time to the earliest slot: 0, or the reason to return."""
    reason = end_step()
    if reason:
        return reason
    if ld32(CB_NEAR) == 0:
        return REASON_NO_EVENTS
    t = ld64(CB_TOP_FS)
    if t > until:
        return REASON_UNTIL
    st64(CB_FS, t)
    st32(CB_DELTA, 0)
    st32(CB_EPS, 0)
    st32(CB_STEP_SLOTS, 0)
    st64(CB_C_STEPS, ld64(CB_C_STEPS) + 1)
    want = ld32(CB_HOST_WANT)
    if want & HOST_NEXT_TIME:
        st32(CB_HOST_WANT, want & ~HOST_NEXT_TIME)
        st32(CB_HOST_PHASE, HOST_NEXT_TIME)
        return REASON_HOST
    if ld32(CB_ATTENTION):
        st32(CB_ATTENTION, 0)
        return REASON_BUDGET
    return 0


@inline
def next_slot(until: i64) -> i32:
    """Phases 1 and 2: when a slot has been applied, 0 or the process that `apply_slot` found; else the reason to return."""
    mixed = 1
    if ld64(CB_TOP_FS) != ld64(CB_FS):
        if ld32(CB_EPS_CUR) != ld32(CB_EPS_BASE):
            st32(CB_EPS, ld32(CB_EPS) + 1)
            apply_vector(CB_EPS_BASE)
            return 0
        if ld32(CB_DELTA_CUR) != ld32(CB_DELTA_BASE):
            st32(CB_DELTA, ld32(CB_DELTA) + 1)
            st32(CB_EPS, 0)
            apply_vector(CB_DELTA_BASE)
            return 0
        reason = advance(until)
        if reason:
            return reason
        mixed = 0
    s = ld32(CB_NEAR)
    if ld32(s + S_HOST):
        st32(s + S_HOST, 0)
        st32(s + S_LIVE, ld32(s + S_LIVE) - 1)
        st32(CB_HOST_PHASE, HOST_AT)
        return REASON_HOST
    if mixed:
        return apply_mixed()
    return apply_slot()


def hit_limit() -> i32:
    """A limit may be hit: whether it is."""
    longest_step()
    limit = ld32(CB_MAX_DELTAS)
    if limit and ld32(CB_STEP_SLOTS) > limit:
        k_limit(LIMIT_DELTAS, 0)
    steps = ld64(CB_MAX_STEPS)
    if steps and ld64(CB_C_ACT0) + ld64(CB_C_ACT1) + ld64(CB_C_ACT2) + ld64(CB_C_ACT3) >= steps:
        k_limit(LIMIT_STEPS, 0)
    return ld32(CB_LIMIT)


@export
def k_run(until: i64, budget: i64) -> i32:
    """Run until something is wanted of the host: a REASON_*. until: slots later than this real time (fs) are not begun; budget: process activations."""
    st64(CB_LEFT, budget)
    alone = 0
    while True:
        reason = run_slot(alone)
        if reason:
            return reason
        if ld32(CB_FINISH):
            longest_step()
            if ld32(CB_CHANGED_N) and k_trace_flush() == 0:
                return REASON_RING
            return REASON_FINISHED
        if (ld32(CB_STEP_SLOTS) > ld32(CB_MAX_DELTAS) or ld64(CB_MAX_STEPS)) and hit_limit():
            return REASON_LIMIT
        reason = next_slot(until)
        alone = 0
        if reason >= CB_SIZE:
            alone = reason
        elif reason:
            return reason


@export
def k_final(budget: i64) -> i32:
    """Run the `llhd.final` bodies, once, at the present time: 0 or a REASON_*. Events they schedule do not take place."""
    procs = ld32(CB_PROCS)
    for i in range(ld32(CB_N_STATIC)):
        p = procs + i * P_SIZE
        if ld32(p + P_STATE) == ST_DORMANT:
            ready_push(p)
    st64(CB_LEFT, budget)
    st32(CB_STOP, 0)
    st32(CB_ROUNDS, 0)
    reason = run_slot(0)
    if reason == 0 and ld32(CB_CHANGED_N) and k_trace_flush() == 0:
        reason = REASON_RING
    return reason


@export
def k_dirty_region(region: i32) -> None:
    """Have a region evaluated in the present slot."""
    r = ld32(CB_REGIONS) + region * R_SIZE
    if ld32(r + R_ISLAND) & GANGED:
        st32(r + R_DIRTY, 1)
        dirty_region(ld32(r + R_LEVEL), SOME_OF_GANG)
    else:
        dirty_region(r, ALL_MEMBERS)


@export
def k_init() -> None:
    """Make the kernel ready: heap, wheel, queues; every region is dirty and every process (except `llhd.final` bodies) ready, in id order."""
    heap_init()
    wheel_init()
    st32(CB_EVENTS, k_alloc0(EVENT_BUCKETS * 4))
    st32(CB_EMERGENCY, k_alloc(EMERGENCY_BYTES))
    st32(CB_CHANGED, k_alloc(ld32(CB_N_NETS) * 4))
    st32(CB_READY_HEAD, 0)
    st32(CB_READY_TAIL, READY_DUMMY)
    st32(CB_MIN_LEVEL, NONE)
    st32(CB_CUR_ID, NONE)
    levels = ld32(CB_LEVELS)
    for i in range(ld32(CB_N_LEVELS)):
        bucket = levels + i * L_SIZE
        st32(bucket + L_HEAD, 0)
        st32(bucket + L_TAIL, u32(bucket - R_NEXT))
    for i in range(ld32(CB_N_REGIONS)):
        r = ld32(CB_REGIONS) + i * R_SIZE
        if ld32(r + R_ISLAND) & GANGED == 0:
            dirty_region(r, ALL_MEMBERS)
    for i in range(ld32(CB_N_STATIC)):
        p = ld32(CB_PROCS) + i * P_SIZE
        st32(p + P_ID, i)
        st32(p + P_COLD, ld32(CB_COLD) + i * C_SIZE)
        if ld32(p + P_COUNTER) == 0:
            st32(p + P_COUNTER, CB_C_ACT0)
        if ld32(p + P_FLAGS) & PF_FINAL:
            st32(p + P_STATE, ST_DORMANT)
        else:
            ready_push(p)
