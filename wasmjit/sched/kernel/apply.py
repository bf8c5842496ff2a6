"""Putting values into nets: the drives of a slot, and blocking stores.

Applying a slot has two passes, so that what counts is the value before the slot against the value after it: a register that is driven to 0 and then to its
old value 1 in one slot has not changed (last write wins, no glitch). Pass 1 stores, and turns the record of a net's first change into an entry
with the old value, in place at the front of the vector. Pass 2 compares and follows the fan-out. A net of at most 8 bytes has one entry for its whole
value; a wider one an entry per (address, size) driven.
"""

from __future__ import annotations

from wasmjit.sched.control import CB_APPLYING, CB_C_DRIVES, CB_C_UPDATES, CB_NETS, NO_NET
from wasmjit.sched.descriptors import (
    ARM_TIME,
    D_ADDR,
    D_DRIVER,
    D_KIND,
    D_LEN,
    D_LINK,
    D_NET,
    D_SIZE,
    D_VAL,
    DK_COMMIT,
    DK_MEM,
    DK_WAKE,
    N_ADDR,
    N_BYTES,
    N_DRIVER,
    N_ENTRY,
    N_FLAGS,
    N_SIZE,
    NF_FORCED,
    P_ACT,
    P_ARMED,
    P_SLOT,
    P_STATE,
    SOME_OF_GANG,
    ST_WAITING,
)
from wasmjit.sched.intrinsics import (
    export,
    i32,
    i64,
    inline,
    ld8,
    ld8_64,
    ld16_64,
    ld32,
    ld32_64,
    ld64,
    memcpy,
    select,
    st8,
    st16,
    st32,
    st64,
    u32,
    u64,
)
from wasmjit.sched.kernel.force import forced_overwritten, forced_write, forced_write_bits, forced_write_val, put_bits
from wasmjit.sched.kernel.heap import k_free
from wasmjit.sched.kernel.nets import changed_now, net_changed, net_fan
from wasmjit.sched.kernel.queues import dirty_region, wake
from wasmjit.sched.kernel.waits import load_bytes, mem_equal


@inline
def load_size(addr: i32, size: i32) -> i64:
    """1, 2, 4 or 8 bytes."""
    return ld8_64(addr) if size == 1 else ld32_64(addr) if size == 4 else ld64(addr) if size == 8 else ld16_64(addr)


@inline
def store_size(addr: i32, size: i32, val: i64) -> None:
    if size == 1:
        st8(addr, u32(val))
    elif size == 4:
        st32(addr, u32(val))
    elif size == 8:
        st64(addr, val)
    else:
        st16(addr, u32(val))


# ---- blocking stores ----------------------------------------------------------------------------------------------------------


@export
def k_net_changed(net: i32) -> None:
    """The value of the net has changed; its storage is already written."""
    na = ld32(CB_NETS) + net * N_SIZE
    if ld32(na + N_FLAGS) & NF_FORCED:
        forced_overwritten(net)
    else:
        changed_now(na)


@export
def k_store_net(net: i32, addr: i32, size: i32, val: i64) -> None:
    """Store 1, 2, 4 or 8 bytes now; if the value differs, follow the fan-out."""
    if net == NO_NET:
        store_size(addr, size, val)
        return
    na = ld32(CB_NETS) + net * N_SIZE
    if ld32(na + N_FLAGS) & NF_FORCED:
        forced_write_val(net, addr, size, val)
        return
    old = load_size(addr, size)
    store_size(addr, size, val)
    if old != load_size(addr, size):
        changed_now(na)


@export
def k_store_net_mem(net: i32, addr: i32, n: i32, src: i32) -> None:
    """Store n bytes now; if they differ, follow the fan-out."""
    if net == NO_NET:
        memcpy(addr, src, n)
        return
    na = ld32(CB_NETS) + net * N_SIZE
    if ld32(na + N_FLAGS) & NF_FORCED:
        forced_write(net, addr, n, src)
        return
    if mem_equal(addr, src, n) == 0:
        memcpy(addr, src, n)
        net_changed(na)


@export
def k_store_net_bits(net: i32, addr: i32, bit: i32, width: i32, val: i64) -> None:
    """Store 1..64 bits at bit offset `bit` from addr now; if they differ, follow the fan-out."""
    if net == NO_NET:
        put_bits(addr, bit, width, val)
        return
    na = ld32(CB_NETS) + net * N_SIZE
    if ld32(na + N_FLAGS) & NF_FORCED:
        forced_write_bits(net, addr, bit, width, val)
        return
    at = addr + (bit >> 3)
    n = ((bit & 7) + width + 7) >> 3
    last = u32(at + n - 1)
    low = load_bytes(at, select(n < 8, n, 8))
    high = ld8(last)
    put_bits(addr, bit, width, val)
    if low != load_bytes(at, select(n < 8, n, 8)) or high != ld8(last):
        net_changed(na)


# ---- the drives of a slot -------------------------------------------------------------------------------------------------------


def note(base: i32, e: i32, na: i32, net: i32, addr: i32, kind: i32, old: i64) -> i32:
    """Remember the value a net had before the slot: `old` are its bytes at addr, not overwritten yet. e: where the next entry goes; returns the new e."""
    entry = ld32(na + N_ENTRY)
    known = 0
    if entry >= base and entry < e and ld32(entry + D_NET) == net:
        known = entry
    whole = ld32(na + N_BYTES)
    if whole <= 8:
        if known:
            return e
        if whole != kind:
            addr = ld32(na + N_ADDR)
            old = load_bytes(addr, whole)
            kind = whole
    else:
        t = known
        while t:
            if ld32(t + D_ADDR) == addr and ld32(t + D_KIND) == kind:
                return e
            t = ld32(t + D_LINK)
    st32(na + N_ENTRY, e)
    st32(e + D_NET, net)
    st32(e + D_ADDR, addr)
    st32(e + D_KIND, kind)
    st64(e + D_VAL, old)
    st32(e + D_LINK, known)
    return e + D_SIZE


def swap_mem(a: i32, b: i32, n: i32) -> None:
    """Exchange two areas of n bytes."""
    while n >= 8:
        x = ld64(a)
        st64(a, ld64(b))
        st64(b, x)
        a = a + 8
        b = b + 8
        n = n - 8
    while n:
        y = ld8(a)
        st8(a, ld8(b))
        st8(b, y)
        a = a + 1
        b = b + 1
        n = n - 1


def apply_mem(base: i32, e: i32, net: i32, addr: i32, n: i32, copy: i32, driver: i32) -> i32:
    """Pass 1 of a drive of n bytes. The payload ends up holding the old value of an entry, or is freed."""
    if net == NO_NET:
        memcpy(addr, copy, n)
        k_free(copy)
        return e
    na = ld32(CB_NETS) + net * N_SIZE
    flags = ld32(na + N_FLAGS)
    if flags & NF_FORCED:
        forced_write(net, addr, n, copy)
    elif mem_equal(addr, copy, n) == 0:
        st32(na + N_DRIVER, driver)
        if flags == 0:
            st64(CB_C_UPDATES, ld64(CB_C_UPDATES) + 1)
            memcpy(addr, copy, n)
        elif ld32(na + N_BYTES) <= 8:
            e = note(base, e, na, net, addr, 0, 0)
            memcpy(addr, copy, n)
        else:
            made = note_mem(base, e, na, net, addr, n, copy)
            if made:
                swap_mem(addr, copy, n)
                return e + D_SIZE
            memcpy(addr, copy, n)
    k_free(copy)
    return e


def note_mem(base: i32, e: i32, na: i32, net: i32, addr: i32, n: i32, copy: i32) -> i32:
    """Make an entry for n bytes of a wide net whose old value will be in `copy`: 1, or 0 when there is one already."""
    entry = ld32(na + N_ENTRY)
    known = 0
    if entry >= base and entry < e and ld32(entry + D_NET) == net:
        known = entry
    t = known
    while t:
        if ld32(t + D_ADDR) == addr and ld32(t + D_KIND) == DK_MEM and ld32(t + D_LEN) == n:
            return 0
        t = ld32(t + D_LINK)
    st32(na + N_ENTRY, e)
    st32(e + D_NET, net)
    st32(e + D_ADDR, addr)
    st32(e + D_KIND, DK_MEM)
    st32(e + D_VAL, copy)
    st32(e + D_LEN, n)
    st32(e + D_LINK, known)
    return 1


def apply_bits(base: i32, e: i32, net: i32, addr: i32, kind: i32, val: i64, driver: i32) -> i32:
    """Pass 1 of a drive of bits that lie within 8 bytes."""
    bit = kind >> 8 & 7
    width = kind >> 16
    if net == NO_NET:
        put_bits(addr, bit, width, val)
        return e
    na = ld32(CB_NETS) + net * N_SIZE
    flags = ld32(na + N_FLAGS)
    if flags & NF_FORCED:
        forced_write_bits(net, addr, bit, width, val)
        return e
    n = ((bit + width) + 7) >> 3
    old = load_bytes(addr, n)
    mask = u64((u64(0xFFFFFFFFFFFFFFFF) >> (64 - width)) << bit)
    new = (old & ~mask) | (u64(val << bit) & mask)
    if old == new:
        return e
    st32(na + N_DRIVER, driver)
    if flags == 0:
        st64(CB_C_UPDATES, ld64(CB_C_UPDATES) + 1)
    else:
        e = note(base, e, na, net, addr, n, old)
    for i in range(n):
        st8(addr + i, u32(new >> (i * 8)))
    return e


@inline
def timed_wake(p: i32, generation: i32) -> None:
    """A timed wait matures, if the process is still in it."""
    if ld32(p + P_ACT) == generation and ld32(p + P_STATE) == ST_WAITING:
        if ld32(p + P_SLOT) == ld32(CB_APPLYING):  # this slot goes away by itself
            st32(p + P_SLOT, 0)
            st32(p + P_ARMED, ld32(p + P_ARMED) & ~ARM_TIME)
        wake(p)


def apply_records(base: i32, end: i32) -> None:
    """Phase 2 of the loop: apply the records [base, end) in order, then follow the fan-out of what changed."""
    st64(CB_C_DRIVES, ld64(CB_C_DRIVES) + (u32(end - base) // D_SIZE))
    nets = ld32(CB_NETS)
    e = base
    r = base
    updates = 0
    # pass 1: store, remember the value before
    while r != end:
        kind = ld32(r + D_KIND)
        net = ld32(r + D_NET)
        addr = ld32(r + D_ADDR)
        if kind <= 8:
            if net == NO_NET:
                store_size(addr, kind, ld64(r + D_VAL))
            else:
                na = nets + net * N_SIZE
                old = load_size(addr, kind)
                new = load_size(r + D_VAL, kind)
                flags = ld32(na + N_FLAGS)
                if flags & NF_FORCED:
                    forced_write_val(net, addr, kind, new)
                elif old != new:
                    st32(na + N_DRIVER, ld32(r + D_DRIVER))
                    if flags == 0:
                        updates = updates + 1
                    else:
                        entry = ld32(na + N_ENTRY)
                        if ld32(na + N_BYTES) == kind and (entry < base or entry >= e or ld32(entry + D_NET) != net):
                            # first change of a net driven as a whole (`note` inlined)
                            st32(na + N_ENTRY, e)
                            st64(e + D_VAL, old)
                            if e != r:
                                st32(e + D_NET, net)
                                st32(e + D_ADDR, addr)
                                st32(e + D_KIND, kind)
                            e = e + D_SIZE
                        else:
                            e = note(base, e, na, net, addr, kind, old)
                    store_size(addr, kind, new)
        elif kind == DK_WAKE:
            timed_wake(net, ld32(r + D_VAL))
        elif kind == DK_COMMIT:
            dirty_region(net, SOME_OF_GANG)
        elif kind == DK_MEM:
            e = apply_mem(base, e, net, addr, ld32(r + D_LEN), ld32(r + D_VAL), ld32(r + D_DRIVER))
        else:
            e = apply_bits(base, e, net, addr, kind, ld64(r + D_VAL), ld32(r + D_DRIVER))
        r = r + D_SIZE
    # pass 2: what differs from before the slot is a change
    r = base
    while r != e:
        kind = ld32(r + D_KIND)
        addr = ld32(r + D_ADDR)
        changed = 0
        if kind <= 8:
            changed = ld64(r + D_VAL) != load_bytes(addr, kind)
        else:
            changed = mem_equal(addr, ld32(r + D_VAL), ld32(r + D_LEN)) == 0
            k_free(ld32(r + D_VAL))
        if changed:
            updates = updates + 1
            net_fan(nets + ld32(r + D_NET) * N_SIZE)
        r = r + D_SIZE
    if updates:
        st64(CB_C_UPDATES, ld64(CB_C_UPDATES) + updates)
