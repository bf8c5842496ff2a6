"""Phase 3 of the loop: dirty regions of continuous logic and registers are evaluated, lowest level first."""

from __future__ import annotations

from wasmjit.sched.control import (
    CB_C_REGIONS,
    CB_CUR,
    CB_CUR_ID,
    CB_DIRTY,
    CB_ISLAND,
    CB_MAX_DELTAS,
    CB_MIN_LEVEL,
    CB_REGION,
    CB_REGIONS,
    CB_STOP,
    LIMIT_LOOP,
    NONE,
    REGION_DRIVER,
)
from wasmjit.sched.descriptors import (
    ALL_OF_GANG,
    GANG,
    L_HEAD,
    L_SIZE,
    L_TAIL,
    R_CTX,
    R_DIRTY,
    R_EVALS,
    R_FN,
    R_ISLAND,
    R_NEXT,
    R_PENDING,
    R_SHIFT,
    SOME_OF_GANG,
)
from wasmjit.sched.intrinsics import call_indirect_i_v, call_indirect_ii_i, i32, i64, inline, ld32, ld64, select, st32, st64, u32
from wasmjit.sched.kernel.heap import k_limit
from wasmjit.sched.kernel.queues import dirty_region


def evaluate_gang(head: i32) -> i32:
    """Evaluate what is due of a gang; how many regions. Compiled code of the one body that all of them run does the same (`codegen.gangs`)."""
    every = ld32(head + R_DIRTY) & (ALL_OF_GANG ^ SOME_OF_GANG)
    st32(head + R_DIRTY, 0)
    st32(head + R_PENDING, 0)
    st32(CB_REGION, 0)
    st32(CB_ISLAND, 0)
    st32(CB_DIRTY, ld32(CB_DIRTY) - 1)
    r = ld32(head + R_CTX)
    fn = ld32(head + R_FN)
    if fn:
        return call_indirect_ii_i(fn, r, every)
    n = 0
    regions = ld32(CB_REGIONS)
    while r:
        if every | ld32(r + R_DIRTY):
            st32(r + R_DIRTY, 0)
            st32(CB_CUR_ID, REGION_DRIVER | u32(r - regions) >> R_SHIFT)
            st64(r + R_EVALS, ld64(r + R_EVALS) + 1)
            n = n + 1
            call_indirect_i_v(ld32(r + R_FN), ld32(r + R_CTX))
        r = ld32(r + R_NEXT)
    return n


@inline
def evaluate(r: i32) -> i32:
    """Evaluate what has just been taken off its bucket: how many regions."""
    members = ld32(r + R_ISLAND)
    if members & GANG:
        return evaluate_gang(r)
    st32(CB_REGION, select(members, r, 0))
    st32(CB_ISLAND, ld32(r + R_DIRTY) & members)
    st32(r + R_DIRTY, 0)
    st32(CB_DIRTY, ld32(CB_DIRTY) - 1)
    st32(CB_CUR_ID, REGION_DRIVER | u32(r - ld32(CB_REGIONS)) >> R_SHIFT)
    st64(r + R_EVALS, ld64(r + R_EVALS) + 1)
    call_indirect_i_v(ld32(r + R_FN), ld32(r + R_CTX))
    left = ld32(CB_ISLAND)
    if left:
        dirty_region(r, left)
    return 1


@inline
def settle() -> None:
    """Evaluate dirty regions in level order. Going back to a level already done is a feedback pass: more than max_deltas of them are a loop."""
    st32(CB_CUR, 0)
    back = 0
    bucket = ld32(CB_MIN_LEVEL)
    r = ld32(bucket + L_HEAD)
    if ld32(CB_DIRTY) == 1 and r:
        # the usual case of a small design: a single region, and none that it makes dirty
        st32(CB_MIN_LEVEL, NONE)
        st32(bucket + L_HEAD, 0)
        st32(bucket + L_TAIL, u32(bucket - R_NEXT))
        n: i64 = evaluate(r)
        st64(CB_C_REGIONS, ld64(CB_C_REGIONS) + n)
        if ld32(CB_MIN_LEVEL) <= bucket:
            back = 1
    if ld32(CB_DIRTY) and (back == 0 or ld32(CB_STOP) == 0):
        settle_levels(back)
    st32(CB_REGION, 0)
    st32(CB_CUR_ID, NONE)


def settle_levels(back: i32) -> None:
    """`settle`, bucket by bucket, after `back` feedback passes."""
    bucket = ld32(CB_MIN_LEVEL)
    count: i64 = 0
    while ld32(CB_DIRTY):
        r = ld32(bucket + L_HEAD)
        if r:
            st32(CB_MIN_LEVEL, NONE)
            st32(bucket + L_HEAD, 0)
            st32(bucket + L_TAIL, u32(bucket - R_NEXT))
            last = r
            while r:
                nxt = ld32(r + R_NEXT)
                last = r
                n: i64 = evaluate(r)
                count = count + n
                r = nxt
            if ld32(CB_MIN_LEVEL) <= bucket:
                back = back + 1
                bucket = ld32(CB_MIN_LEVEL)
                limit = ld32(CB_MAX_DELTAS)
                if limit and back > limit:
                    k_limit(LIMIT_LOOP, u32(last - ld32(CB_REGIONS)) >> R_SHIFT)
                    break
                if ld32(CB_STOP):
                    break
            else:
                bucket = bucket + L_SIZE
        else:
            bucket = bucket + L_SIZE
    if ld32(CB_DIRTY) == 0:
        st32(CB_MIN_LEVEL, NONE)
    st64(CB_C_REGIONS, ld64(CB_C_REGIONS) + count)
