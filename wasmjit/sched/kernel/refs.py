"""What code does through pointers and events: bit stores, event triggers, `.triggered`, process handles."""

from __future__ import annotations

from wasmjit.sched.control import CB_CUR, CB_CUR_ID, CB_FS, CB_GC_HELD, CB_USER, NO_NET
from wasmjit.sched.descriptors import C_REFS, C_SIZE, P_COLD, P_SIZE
from wasmjit.sched.intrinsics import export, i32, i64, ld32, ld64, memset, st32, st64, u32
from wasmjit.sched.kernel.apply import k_store_net_bits
from wasmjit.sched.kernel.force import k_force_bits, k_release_bits
from wasmjit.sched.kernel.heap import k_alloc0, k_free
from wasmjit.sched.kernel.objects import account, keep_out_of_roots
from wasmjit.sched.kernel.queues import trigger
from wasmjit.sched.kernel.wheel import k_drive_bits

US_TRIGGERED = CB_USER  # table of triggered events: address, capacity (a power of two), entries ever used
US_TRIGGERED_CAP = CB_USER + 4
US_TRIGGERED_USED = CB_USER + 8
US_SINK = CB_USER + 12  # memory of nobody, and its size
US_SINK_SIZE = CB_USER + 36
SINK_BYTES = 256
T_SIZE = 16  # u32 address, u32 spare, u64 time + 1


@export
def k_store_bits(ptr: i64, bit: i32, width: i32, val: i64) -> None:
    """Blocking store of 1..64 bits at bit offset `bit` from a pointer (high half: net id + 1, 0 plain memory)."""
    high = u32(ptr >> 32)
    net = NO_NET
    if high:
        net = high - 1
    k_store_net_bits(net, u32(ptr), bit, width, val)


@export
def k_drive_ref_bits(ptr: i64, bit: i32, width: i32, val: i64, fs: i64, delta: i32, eps: i32) -> None:
    """Schedule a store of 1..64 bits at bit offset `bit` from a pointer; into plain memory at once."""
    high = u32(ptr >> 32)
    if high == 0:
        k_store_net_bits(NO_NET, u32(ptr), bit, width, val)
    else:
        k_drive_bits(high - 1, u32(ptr), bit, width, val, fs, delta, eps)


@export
def k_force_ref(ptr: i64, bit: i32, width: i32, val: i64) -> None:
    """Force 1..64 bits at bit offset `bit` from a pointer into a net; plain memory has no drivers, there it is an assignment."""
    high = u32(ptr >> 32)
    if high == 0:
        k_store_net_bits(NO_NET, u32(ptr), bit, width, val)
    else:
        k_force_bits(high - 1, u32(ptr), bit, width, val)


@export
def k_release_ref(ptr: i64, bit: i32, width: i32) -> None:
    """Release 1..64 bits: what they are driven or assigned to shows again."""
    high = u32(ptr >> 32)
    if high:
        k_release_bits(high - 1, u32(ptr), bit, width, 1)


@export
def k_sink(n: i32) -> i32:
    """Address of n zero bytes of nobody: where a reference to an element that does not exist points."""
    at = ld32(US_SINK)
    if at == 0 or ld32(US_SINK_SIZE) < n:
        size = n
        if size < SINK_BYTES:
            size = SINK_BYTES
        at = k_alloc0(size)  # an old one stays: somebody may still point there
        if at == 0:
            return 0
        st32(US_SINK, at)
        st32(US_SINK_SIZE, size)
    memset(at, 0, n)
    return at


def triggered_slot(table: i32, cap: i32, addr: i32, now: i64) -> i32:
    """Entry of addr, or the first free or stale one on its way."""
    i = (addr >> 3) * 0x9E5 & (cap - 1)
    stale = 0
    while True:
        e = table + i * T_SIZE
        a = ld32(e)
        if a == addr:
            return e
        if a == 0:
            return stale if stale else e
        if stale == 0 and ld64(e + 8) != now:
            stale = e
        i = (i + 1) & (cap - 1)


@export
def k_event_trigger(ptr: i64) -> None:
    """`-> event`: remembered until time moves on (`.triggered`, IEEE 1800 §15.5.3), and whoever waits for the event wakes."""
    addr = u32(ptr)
    now = ld64(CB_FS) + 1
    table = ld32(US_TRIGGERED)
    cap = ld32(US_TRIGGERED_CAP)
    if ld32(US_TRIGGERED_USED) * 2 >= cap:
        more = cap * 2 if cap else 64
        bigger = k_alloc0(more * T_SIZE)
        if bigger:
            keep_out_of_roots(bigger)  # a trigger keeps no event alive
            used = 0
            for i in range(cap):
                e = table + i * T_SIZE
                if ld64(e + 8) == now:
                    s = triggered_slot(bigger, more, ld32(e), now)
                    st32(s, ld32(e))
                    st64(s + 8, now)
                    used = u32(used + 1)
            if table:
                k_free(table)
            table = bigger
            cap = more
            st32(US_TRIGGERED, table)
            st32(US_TRIGGERED_CAP, cap)
            st32(US_TRIGGERED_USED, used)
    if cap:
        s = triggered_slot(table, cap, addr, now)
        if ld32(s) == 0:
            st32(US_TRIGGERED_USED, ld32(US_TRIGGERED_USED) + 1)
        st32(s, addr)
        st64(s + 8, now)
    trigger(ptr)


@export
def k_event_triggered(ptr: i64) -> i32:
    """Whether the event was triggered in this time step."""
    table = ld32(US_TRIGGERED)
    if table == 0:
        return 0
    cap = ld32(US_TRIGGERED_CAP)
    addr = u32(ptr)
    now = ld64(CB_FS) + 1
    i = (addr >> 3) * 0x9E5 & (cap - 1)
    while ld32(table + i * T_SIZE):
        if ld32(table + i * T_SIZE) == addr and ld64(table + i * T_SIZE + 8) == now:
            return 1
        i = (i + 1) & (cap - 1)
    return 0


@export
def k_process_handle() -> i32:
    """Handle of the running process: its id plus one, 0 outside of processes. Its descriptor is not used again while anybody has the handle."""
    p = ld32(CB_CUR)
    if p == 0:
        return 0
    c = ld32(p + P_COLD)
    if ld32(c + C_REFS) == 0:
        st32(c + C_REFS, 1)
        st32(CB_GC_HELD, 1)
        account(P_SIZE + C_SIZE)  # the collector gives back descriptors whose handles are gone
    return ld32(CB_CUR_ID) + 1
