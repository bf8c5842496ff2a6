"""Nets with several drivers (IEEE 1800 §28.11, §28.12, §6.6.2-6.6.4).

Every continuous drive of such a net has a record with the bits it contributes and their strengths; when one changes, the bits it drives are resolved
anew over all records of the net and stored. A record is at most 64 bits of one leaf: the value at one address and, for a four-state net, the unknown
bits at another ((value, unknown): (0,0) 0, (1,0) 1, (0,1) x, (1,1) z).

The rule, per bit: the strongest contribution towards 0 against the strongest towards 1; equal ones give x, none gives z. An x contributes to both sides,
with the larger of its strengths. Wired nets: a 0 (wand) or 1 (wor) decides, then x; z counts for nothing.
"""

from __future__ import annotations

from wasmjit.sched.control import CB_USER, NO_NET
from wasmjit.sched.intrinsics import export, i32, i64, ld32, ld64, st32, st64, u32, u64
from wasmjit.sched.kernel.apply import k_store_net_bits
from wasmjit.sched.kernel.heap import k_alloc0

US_DRIVERS = CB_USER + 32  # hash table of nets with drivers: 256 lists of heads
BUCKETS = 256

H_NEXT = 0
H_NET = 4
H_FIRST = 8
H_SIZE = 16

DR_NEXT = 0
DR_HEAD = 4
DR_VALUE_AT = 8  # address of the leaf that holds the value
DR_UNKNOWN_AT = 12  # address of its unknown bits, 0 for a two-state leaf
DR_BIT = 16  # first bit in the leaf
DR_WIDTH = 20
DR_KIND = 24
DR_VALUE = 32  # u64
DR_UNKNOWN = 40  # u64
DR_SIZE = 48

KIND_ONE = 3  # shift of the strength of 1 (that of 0 is in the lowest three bits; 0 highz ... 7 supply)
KIND_WIRED = 6  # shift of the kind of net
WIRED_AND = 1
WIRED_OR = 2


def head_of(net: i32) -> i32:
    """List of the drivers of a net; 0 when memory is exhausted."""
    table = ld32(US_DRIVERS)
    if table == 0:
        table = k_alloc0(BUCKETS * 4)
        if table == 0:
            return 0
        st32(US_DRIVERS, table)
    bucket = table + (net & (BUCKETS - 1)) * 4
    h = ld32(bucket)
    while h:
        if ld32(h + H_NET) == net:
            return h
        h = ld32(h + H_NEXT)
    h = k_alloc0(H_SIZE)
    if h:
        st32(h + H_NET, net)
        st32(h + H_NEXT, ld32(bucket))
        st32(bucket, h)
    return h


def resolve_bit(d: i32, at: i32) -> i32:
    """Value (bit 0) and unknown (bit 1) of bit `at` of the leaf that record d drives."""
    value_at = ld32(d + DR_VALUE_AT)
    wired = ld32(d + DR_KIND) >> KIND_WIRED
    zero = 0
    one = 0
    seen = 0  # wired nets: bit 0: a 0, bit 1: a 1, bit 2: an x
    r = ld32(ld32(d + DR_HEAD) + H_FIRST)
    while r:
        low = ld32(r + DR_BIT)
        if ld32(r + DR_VALUE_AT) == value_at and at >= low and at < low + ld32(r + DR_WIDTH):
            v = u32(ld64(r + DR_VALUE) >> (at - low)) & 1
            u = u32(ld64(r + DR_UNKNOWN) >> (at - low)) & 1
            kind = ld32(r + DR_KIND)
            s0 = kind & 7
            s1 = kind >> KIND_ONE & 7
            if u == 0:
                if v:
                    seen = seen | 2
                    if s1 > one:
                        one = s1
                else:
                    seen = seen | 1
                    if s0 > zero:
                        zero = s0
            elif v == 0:
                seen = seen | 4
                if s1 > s0:
                    s0 = s1
                if s0 > zero:
                    zero = s0
                if s0 > one:
                    one = s0
        r = ld32(r + DR_NEXT)
    if wired:
        if seen == 0:
            return 3
        decisive = 1 if wired == WIRED_AND else 2
        if seen & decisive:
            return decisive - 1
        if seen & 4:
            return 2
        return 2 - decisive
    if zero == one:
        return 2 if zero else 3
    return 1 if one > zero else 0


@export
def k_contribute(cell: i32, ptr: i64, offsets: i64, span: i32, kind: i32, value: i64, unknown: i64) -> None:
    """What a continuous drive contributes to a net from now on.

    cell: address of the drive's word, 0 before its first call. ptr: the reference (high half: net id + 1). offsets: byte offset of the value leaf from ptr (low
    half) and of the unknown leaf (high half, 0xFFFFFFFF none). span: first bit | width << 16. kind: strength of 0 | of 1 << 3 | wired kind << 6.
    """
    d = ld32(cell)
    high = u32(ptr >> 32)
    net = NO_NET
    if high:
        net = high - 1
    if d == 0:
        h = head_of(net)
        d = k_alloc0(DR_SIZE)
        if d == 0 or h == 0:
            return
        base = u32(ptr)
        st32(d + DR_HEAD, h)
        st32(d + DR_VALUE_AT, base + u32(offsets))
        if u32(offsets >> 32) != 0xFFFFFFFF:
            st32(d + DR_UNKNOWN_AT, base + u32(offsets >> 32))
        st32(d + DR_BIT, span & 0xFFFF)
        st32(d + DR_WIDTH, span >> 16)
        st32(d + DR_KIND, kind)
        st32(d + DR_NEXT, ld32(h + H_FIRST))
        st32(h + H_FIRST, d)
        st32(cell, d)
    st64(d + DR_VALUE, value)
    st64(d + DR_UNKNOWN, unknown)
    low = ld32(d + DR_BIT)
    width = ld32(d + DR_WIDTH)
    v: i64 = 0
    u: i64 = 0
    for i in range(width):
        bit = u64(resolve_bit(d, low + i))
        v = v | (bit & 1) << i
        u = u | bit >> 1 << i
    unknown_at = ld32(d + DR_UNKNOWN_AT)
    if unknown_at == 0:
        v = v & ~u
    k_store_net_bits(net, ld32(d + DR_VALUE_AT), low, width, v)
    if unknown_at:
        k_store_net_bits(net, unknown_at, low, width, u)
