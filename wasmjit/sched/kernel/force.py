"""Force and release (IEEE 1800 §10.6.2).

A forced net has a record with three areas of the net's size: which bits are forced, their values, and the driven value, which goes on receiving
drives and stores. The visible value is (driven & ~mask) | (value & mask). Nothing here costs anything while no net is forced.
"""

from __future__ import annotations

from wasmjit.sched.control import CB_FORCES, CB_NETS, CB_SCRATCH
from wasmjit.sched.descriptors import (
    N_ADDR,
    N_BYTES,
    N_FLAGS,
    N_SIZE,
    NF_FORCED,
    O_BYTES,
    O_DRIVEN,
    O_MASK,
    O_NET,
    O_NEXT,
    O_SIZE,
    O_VALUE,
)
from wasmjit.sched.intrinsics import export, i32, i64, ld8, ld32, memcpy, memset, st8, st32, st64, u32, u64
from wasmjit.sched.kernel.heap import k_alloc0, k_free
from wasmjit.sched.kernel.nets import net_changed


def force_find(net: i32) -> i32:
    """Force record of the net, 0 when it has none."""
    o = ld32(CB_FORCES)
    while o:
        if ld32(o + O_NET) == net:
            break
        o = ld32(o + O_NEXT)
    return o


def force_record(net: i32) -> i32:
    """Force record of the net, made if needed; 0 when memory is exhausted."""
    o = force_find(net)
    if o:
        return o
    na = ld32(CB_NETS) + net * N_SIZE
    n = ld32(na + N_BYTES)
    o = k_alloc0(O_SIZE + n * 3)
    if o == 0:
        return 0
    st32(o + O_NET, net)
    st32(o + O_BYTES, n)
    st32(o + O_MASK, o + O_SIZE)
    st32(o + O_VALUE, o + O_SIZE + n)
    st32(o + O_DRIVEN, o + O_SIZE + n * 2)
    memcpy(o + O_SIZE + n * 2, ld32(na + N_ADDR), n)
    st32(o + O_NEXT, ld32(CB_FORCES))
    st32(CB_FORCES, o)
    st32(na + N_FLAGS, ld32(na + N_FLAGS) | NF_FORCED)
    return o


def put_bits(at: i32, bit: i32, width: i32, val: i64) -> None:
    """Bits [bit, bit + width) counted from the byte at `at`."""
    at = at + (bit >> 3)
    bit = bit & 7
    while width:
        old = ld8(at)
        b = 1 << bit
        st8(at, (old & ~b) | (u32(val) & 1) << bit)
        val = val >> 1
        width = width - 1
        bit = bit + 1
        if bit == 8:
            bit = 0
            at = at + 1


def force_show(o: i32) -> None:
    """Recompute the visible value of a forced net; follow its fan-out if that differs."""
    na = ld32(CB_NETS) + ld32(o + O_NET) * N_SIZE
    addr = ld32(na + N_ADDR)
    mask = ld32(o + O_MASK)
    value = ld32(o + O_VALUE)
    driven = ld32(o + O_DRIVEN)
    changed = 0
    for i in range(ld32(o + O_BYTES)):
        m = ld8(mask + i)
        new = (ld8(driven + i) & ~m) | (ld8(value + i) & m)
        if new != ld8(addr + i):
            st8(addr + i, new)
            changed = 1
    if changed:
        net_changed(na)


def forced_write(net: i32, addr: i32, n: i32, src: i32) -> None:
    """A drive or store of n bytes to a forced net."""
    o = force_find(net)
    na = ld32(CB_NETS) + net * N_SIZE
    memcpy(u32(ld32(o + O_DRIVEN) + (addr - ld32(na + N_ADDR))), src, n)
    force_show(o)


def forced_write_val(net: i32, addr: i32, n: i32, val: i64) -> None:
    st64(CB_SCRATCH, val)
    forced_write(net, addr, n, CB_SCRATCH)


def forced_write_bits(net: i32, addr: i32, bit: i32, width: i32, val: i64) -> None:
    o = force_find(net)
    na = ld32(CB_NETS) + net * N_SIZE
    put_bits(u32(ld32(o + O_DRIVEN) + (addr - ld32(na + N_ADDR))), bit, width, val)
    force_show(o)


def forced_overwritten(net: i32) -> None:
    """Code has written the visible value of a forced net: that is its driven value now."""
    o = force_find(net)
    na = ld32(CB_NETS) + net * N_SIZE
    addr = ld32(na + N_ADDR)
    mask = ld32(o + O_MASK)
    value = ld32(o + O_VALUE)
    driven = ld32(o + O_DRIVEN)
    changed = 0
    for i in range(ld32(o + O_BYTES)):
        m = ld8(mask + i)
        v = ld8(value + i) & m
        written = ld8(addr + i)
        if ((written ^ ld8(driven + i)) & ~m) != 0:
            changed = 1
        st8(driven + i, written)
        st8(addr + i, (written & ~m) | v)
    if changed:
        net_changed(na)


@export
def k_force_mem(net: i32, addr: i32, n: i32, src: i32) -> None:
    """Force n bytes of the net at addr to those at src."""
    o = force_record(net)
    if o == 0:
        return
    at = u32(addr - ld32(ld32(CB_NETS) + net * N_SIZE + N_ADDR))
    memset(ld32(o + O_MASK) + at, 0xFF, n)
    memcpy(ld32(o + O_VALUE) + at, src, n)
    force_show(o)


@export
def k_force(net: i32, addr: i32, size: i32, val: i64) -> None:
    """Force 1, 2, 4 or 8 bytes of the net at addr."""
    st64(CB_SCRATCH, val)
    k_force_mem(net, addr, size, CB_SCRATCH)


@export
def k_force_bits(net: i32, addr: i32, bit: i32, width: i32, val: i64) -> None:
    """Force 1..64 bits of the net at bit offset `bit` from addr."""
    o = force_record(net)
    if o == 0:
        return
    at = u32(addr - ld32(ld32(CB_NETS) + net * N_SIZE + N_ADDR))
    put_bits(ld32(o + O_MASK) + at, bit, width, 0xFFFFFFFFFFFFFFFF)
    put_bits(ld32(o + O_VALUE) + at, bit, width, val)
    force_show(o)


def force_end(o: i32, restore: i32) -> None:
    """After mask bits were cleared: bring the visible value back, or keep it (`restore` 0), and drop the record when nothing is forced any more."""
    na = ld32(CB_NETS) + ld32(o + O_NET) * N_SIZE
    addr = ld32(na + N_ADDR)
    n = ld32(o + O_BYTES)
    left = 0
    for i in range(n):
        m = ld8(ld32(o + O_MASK) + i)
        left = left | m
        if restore == 0:
            d = ld32(o + O_DRIVEN) + i
            st8(d, (ld8(d) & m) | (ld8(addr + i) & ~m))
    force_show(o)
    if left:
        return
    st32(na + N_FLAGS, ld32(na + N_FLAGS) & ~NF_FORCED)
    if ld32(CB_FORCES) == o:
        st32(CB_FORCES, ld32(o + O_NEXT))
    else:
        prv = ld32(CB_FORCES)
        while ld32(prv + O_NEXT) != o:
            prv = ld32(prv + O_NEXT)
        st32(prv + O_NEXT, ld32(o + O_NEXT))
    k_free(o)


@export
def k_release(net: i32, addr: i32, n: i32, restore: i32) -> None:
    """Release n bytes. restore 1: the driven value shows again (nets); 0: the value stays until the next assignment (variables)."""
    o = force_find(net)
    if o == 0:
        return
    memset(u32(ld32(o + O_MASK) + (addr - ld32(ld32(CB_NETS) + net * N_SIZE + N_ADDR))), 0, n)
    force_end(o, restore)


@export
def k_release_bits(net: i32, addr: i32, bit: i32, width: i32, restore: i32) -> None:
    """Release 1..64 bits."""
    o = force_find(net)
    if o == 0:
        return
    put_bits(u32(ld32(o + O_MASK) + (addr - ld32(ld32(CB_NETS) + net * N_SIZE + N_ADDR))), bit, width, u64(0))
    force_end(o, restore)
