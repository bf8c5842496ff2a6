"""The time wheel: record vectors of the next epsilon and the next delta, and slots for every other time.

LLHD time is (real fs, delta, epsilon), totally ordered. Almost everything goes to (fs, delta, eps + 1) or (fs, delta + 1, 0): these two have a
vector of 32-byte records each and cost no search. Other times have a slot each (`slots`).
Records are drives and timed wake-ups in the order they were scheduled. Adding a time: a non-zero real part resets delta and epsilon, a non-zero
delta resets epsilon; the zero time is one epsilon.
"""

from __future__ import annotations

from wasmjit.sched.control import (
    CB_CUR,
    CB_CUR_ID,
    CB_DELTA,
    CB_DELTA_BASE,
    CB_DYN_DIR,
    CB_EPS,
    CB_EPS_BASE,
    CB_FS,
    CB_N_DYN,
    CB_N_STATIC,
    CB_PROCS,
    CB_REGIONS,
    CB_SCRATCH,
    CB_SPARE_BASE,
    CB_SPARE_END,
    NEVER,
)
from wasmjit.sched.descriptors import (
    ARM_TIME,
    CHUNK,
    CHUNK_SHIFT,
    D_ADDR,
    D_DRIVER,
    D_KIND,
    D_LEN,
    D_NET,
    D_SIZE,
    D_VAL,
    DK_BITS,
    DK_COMMIT,
    DK_MEM,
    DK_WAKE,
    GANGED,
    P_ACT,
    P_ARMED,
    P_ID,
    P_SIZE,
    P_SLOT,
    R_DIRTY,
    R_ISLAND,
    R_LEVEL,
    R_PENDING,
    R_SIZE,
    S_BASE,
    S_HOST,
    S_LIVE,
    V_BASE,
    V_CUR,
    V_END,
)
from wasmjit.sched.intrinsics import export, i32, i64, inline, ld32, ld32_64, ld64, memcpy, memset, st32, st64, u32, u64
from wasmjit.sched.kernel.heap import k_alloc, k_free, k_realloc
from wasmjit.sched.kernel.slots import find_slot, slot_at, slot_drop, slots_init


def proc_ptr(pid: i32) -> i32:
    """Descriptor of process `pid`, 0 when there is no such process."""
    n = ld32(CB_N_STATIC)
    if pid < n:
        return ld32(CB_PROCS) + pid * P_SIZE
    d = u32(pid - n)
    if d >= ld32(CB_N_DYN):
        return 0
    return ld32(ld32(CB_DYN_DIR) + (d >> CHUNK_SHIFT) * 4) + (d & (CHUNK - 1)) * P_SIZE


@inline
def waiting_proc(pid: i32) -> i32:
    """Descriptor for the wait calls: almost always the running process."""
    p = ld32(CB_CUR)
    if p == 0 or ld32(p + P_ID) != pid:
        p = proc_ptr(pid)
    return p


# ---- record vectors ---------------------------------------------------------------------------------------------------------


def stale(r: i32) -> i32:
    """Whether a record is a timed wake-up that will be ignored."""
    return ld32(r + D_KIND) == DK_WAKE and ld32(ld32(r + D_NET) + P_ACT) != ld32(r + D_VAL)


def compact(v: i32) -> i32:
    """Drop cancelled wake-ups from a full vector; the number of records left."""
    r = ld32(v + V_BASE)
    end = ld32(v + V_CUR)
    out = r
    while r != end:
        if stale(r) == 0:
            if out != r:
                memcpy(out, r, D_SIZE)
            out = out + D_SIZE
        r = r + D_SIZE
    st32(v + V_CUR, out)
    return u32(out - ld32(v + V_BASE)) // D_SIZE


def vec_grow(v: i32) -> i32:
    """Make room in the full vector at v and return where the next record goes. When memory is exhausted the last record is given up (the run ends)."""
    base = ld32(v + V_BASE)
    size = u32(ld32(v + V_CUR) - base)
    live = compact(v)
    if live * D_SIZE <= size >> 1:
        return ld32(v + V_CUR)
    cap = u32(ld32(v + V_END) - base)
    moved = k_realloc(base, cap * 2)
    cur = ld32(v + V_CUR)
    if moved == 0:
        if cur == ld32(v + V_END):
            cur = u32(cur - D_SIZE)
        return cur
    st32(v + V_BASE, moved)
    st32(v + V_CUR, moved + live * D_SIZE)
    st32(v + V_END, moved + cap * 2)
    return moved + live * D_SIZE


def vec_push(v: i32) -> i32:
    """Room for one record at the end of the vector at v."""
    return pushed(v)


@inline
def pushed(v: i32) -> i32:
    """`vec_push` where it counts."""
    r = ld32(v + V_CUR)
    if r == ld32(v + V_END):
        r = vec_grow(v)
    st32(v + V_CUR, r + D_SIZE)
    return r


def slot_after(fs: i64, delta: i32, eps: i32) -> i32:
    """The slot of now + (fs, delta, eps); 0 when there is none (memory exhausted, or beyond the end of time)."""
    now = ld64(CB_FS)
    if fs == 0:
        if delta:
            return slot_at(now, u32(ld32(CB_DELTA) + delta), eps)
        return slot_at(now, ld32(CB_DELTA), u32(ld32(CB_EPS) + eps))
    t = u64(now + fs)
    if t < now or t == NEVER:
        return 0
    return slot_at(t, delta, eps)


def record_after(fs: i64, delta: i32, eps: i32) -> i32:
    """Room for a drive record at now + (fs, delta, eps). A record that cannot take place goes to a scratch area."""
    if fs == 0:
        if delta == 0 and eps <= 1:
            return vec_push(CB_EPS_BASE)
        if delta == 1 and eps == 0:
            return vec_push(CB_DELTA_BASE)
    s = slot_after(fs, delta, eps)
    if s == 0:
        return CB_SCRATCH
    st32(s + S_LIVE, ld32(s + S_LIVE) + 1)
    return vec_push(s + S_BASE)


# ---- drives -----------------------------------------------------------------------------------------------------------------


@inline
def put_drive(r: i32, net: i32, addr: i32, size: i32, val: i64) -> None:
    """Make record r the drive of a value by whoever runs."""
    st32(r + D_NET, net)
    st32(r + D_ADDR, addr)
    st32(r + D_KIND, size)
    st32(r + D_DRIVER, ld32(CB_CUR_ID))
    st64(r + D_VAL, val)


@export
def k_drive_eps(net: i32, addr: i32, size: i32, val: i64) -> None:
    """Schedule a store of size 1, 2, 4 or 8 bytes one epsilon from now."""
    put_drive(pushed(CB_EPS_BASE), net, addr, size, val)


@export
def k_drive_delta(net: i32, addr: i32, size: i32, val: i64) -> None:
    """Schedule a store of size 1, 2, 4 or 8 bytes one delta from now."""
    put_drive(pushed(CB_DELTA_BASE), net, addr, size, val)


@export
def k_commit(region: i32) -> None:
    """Have a region evaluated one delta from now: registers take over what was sampled."""
    d = ld32(CB_REGIONS) + region * R_SIZE
    if ld32(d + R_ISLAND) & GANGED:
        st32(d + R_DIRTY, 1)
        d = ld32(d + R_LEVEL)
        if ld32(d + R_PENDING):
            return
        st32(d + R_PENDING, 1)
    r = pushed(CB_DELTA_BASE)
    st32(r + D_NET, d)
    st32(r + D_KIND, DK_COMMIT)


@export
def k_drive(net: i32, addr: i32, size: i32, val: i64, fs: i64, delta: i32, eps: i32) -> None:
    """Schedule a store of size 1, 2, 4 or 8 bytes at now + (fs, delta, eps)."""
    put_drive(record_after(fs, delta, eps), net, addr, size, val)


@export
def k_drive_mem(net: i32, addr: i32, n: i32, src: i32, fs: i64, delta: i32, eps: i32) -> None:
    """Schedule a store of n bytes at now + (fs, delta, eps); they are copied from src now."""
    copy = k_alloc(n)
    if copy == 0:
        return
    memcpy(copy, src, n)
    r = record_after(fs, delta, eps)
    if r == CB_SCRATCH:
        k_free(copy)
    st32(r + D_NET, net)
    st32(r + D_ADDR, addr)
    st32(r + D_KIND, DK_MEM)
    st32(r + D_DRIVER, ld32(CB_CUR_ID))
    st32(r + D_VAL, copy)
    st32(r + D_LEN, n)


def drive_bits(net: i32, addr: i32, bit: i32, width: i32, val: i64, fs: i64, delta: i32, eps: i32) -> None:
    put_drive(record_after(fs, delta, eps), net, addr, DK_BITS | bit << 8 | width << 16, val)


@export
def k_drive_bits(net: i32, addr: i32, bit: i32, width: i32, val: i64, fs: i64, delta: i32, eps: i32) -> None:
    """Schedule a store of 1..64 bits at bit offset `bit` (any size) from addr, at now + (fs, delta, eps). What spans nine bytes becomes two records."""
    addr = u32(addr + (bit >> 3))
    bit = bit & 7
    if bit + width > 64:
        low = u32(64 - bit)
        drive_bits(net, addr + 8, 0, u32(width - low), val >> low, fs, delta, eps)
        width = low
    drive_bits(net, addr, bit, width, val, fs, delta, eps)


# ---- timed waits --------------------------------------------------------------------------------------------------------------


@inline
def wake_record(v: i32, p: i32) -> None:
    """Push the wake-up of p to a vector."""
    r = pushed(v)
    st32(r + D_NET, p)
    st32(r + D_KIND, DK_WAKE)
    st64(r + D_VAL, ld32_64(p + P_ACT))


@export
def k_wait_fs(fs: i64) -> None:
    """The running process wakes at now + fs, which is not 0, unless something else wakes it before. One time per wait."""
    p = ld32(CB_CUR)
    if ld32(p + P_SLOT):
        cancel_time(p)
    now = ld64(CB_FS)
    t = u64(now + fs)
    if t < now or t == NEVER:
        return
    s = find_slot(t, 0, 0)
    if s == 0:
        return
    st32(s + S_LIVE, ld32(s + S_LIVE) + 1)
    st32(p + P_SLOT, s)
    st32(p + P_ARMED, ld32(p + P_ARMED) | ARM_TIME)
    wake_record(s + S_BASE, p)


@export
def k_wait_time(proc: i32, fs: i64, delta: i32, eps: i32) -> None:
    """The process wakes at now + (fs, delta, eps) unless something else wakes it before. One time per wait."""
    p = waiting_proc(proc)
    if ld32(p + P_SLOT):
        cancel_time(p)
    v = 0
    if fs == 0:
        if delta == 0 and eps <= 1:
            v = CB_EPS_BASE
        elif delta == 1 and eps == 0:
            v = CB_DELTA_BASE
    if v == 0:
        s = slot_after(fs, delta, eps)
        if s == 0:
            return
        st32(s + S_LIVE, ld32(s + S_LIVE) + 1)
        st32(p + P_SLOT, s)
        st32(p + P_ARMED, ld32(p + P_ARMED) | ARM_TIME)
        v = s + S_BASE
    wake_record(v, p)


def cancel_time(p: i32) -> None:
    """The timed wait of p no longer counts; a slot with nothing else in it disappears, so that it cannot advance time."""
    s = ld32(p + P_SLOT)
    st32(p + P_SLOT, 0)
    st32(p + P_ARMED, ld32(p + P_ARMED) & ~ARM_TIME)
    live = ld32(s + S_LIVE) - 1
    st32(s + S_LIVE, live)
    if live == 0:
        slot_drop(s)


@export
def k_host_at(fs: i64) -> None:
    """The host wants control (HOST_AT) when the absolute time fs has come, before anything is applied. Not for the present or the past."""
    if fs <= ld64(CB_FS):
        return
    s = slot_at(fs, 0, 0)
    if s == 0 or ld32(s + S_HOST):
        return
    st32(s + S_HOST, 1)
    st32(s + S_LIVE, ld32(s + S_LIVE) + 1)


def wheel_init() -> None:
    """Empty vectors, hash and heap. The heap (memory) must be ready."""
    for i in range(2):
        v = CB_EPS_BASE if i == 0 else CB_DELTA_BASE
        base = k_alloc(64 * D_SIZE)
        st32(v + V_BASE, base)
        st32(v + V_CUR, base)
        st32(v + V_END, base + 64 * D_SIZE)
    spare = k_alloc(64 * D_SIZE)
    st32(CB_SPARE_BASE, spare)
    st32(CB_SPARE_END, spare + 64 * D_SIZE)
    slots_init()
    memset(CB_SCRATCH, 0, 64)
