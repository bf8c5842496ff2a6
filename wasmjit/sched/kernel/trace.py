"""The value-change ring: one sample per traced net and time step, written when the step is over.

Record: {u32 net, u32 bytes, u64 fs, u32 driver, u32 0, payload padded with zeros to 8 bytes}; driver: whoever changed the net last
(`kernel/drivers.py`). The ring is a linear buffer [CB_RING_BASE, CB_RING_END): the host takes everything
up to CB_RING_CUR and sets that back to the base.
"""

from __future__ import annotations

from wasmjit.sched.control import (
    CB_C_SAMPLES,
    CB_CHANGED,
    CB_CHANGED_DONE,
    CB_CHANGED_N,
    CB_FS,
    CB_NETS,
    CB_RING_CUR,
    CB_RING_END,
)
from wasmjit.sched.descriptors import N_ADDR, N_BYTES, N_DRIVER, N_FLAGS, N_SIZE, NF_CHANGED, NF_TRACED, NF_WATCHED
from wasmjit.sched.intrinsics import export, host_import, i32, ld32, ld64, memcpy, st32, st64, u32
from wasmjit.sched.kernel.drivers import lasting_name

SAMPLE_HEADER = 24


@host_import
def h_drain() -> None:
    """The value-change ring is full: take its contents and reset CB_RING_CUR (or leave it: then k_run returns REASON_RING)."""


def sample(net: i32) -> i32:
    """Write a record of the net's value: 1, or 0 when the ring has no room."""
    na = ld32(CB_NETS) + net * N_SIZE
    n = ld32(na + N_BYTES)
    need = SAMPLE_HEADER + ((n + 7) & 0xFFFFFFF8)
    r = ld32(CB_RING_CUR)
    if u32(ld32(CB_RING_END) - r) < need:
        h_drain()
        r = ld32(CB_RING_CUR)
        if u32(ld32(CB_RING_END) - r) < need:
            return 0
    st32(r, net)
    st32(r + 4, n)
    st64(r + 8, ld64(CB_FS))
    st64(r + 16, lasting_name(ld32(na + N_DRIVER)))
    st64(r + need - 8, 0)
    memcpy(r + SAMPLE_HEADER, ld32(na + N_ADDR), n)
    st32(CB_RING_CUR, r + need)
    st64(CB_C_SAMPLES, ld64(CB_C_SAMPLES) + 1)
    return 1


@export
def k_trace_flush() -> i32:
    """Write the samples of this time step: 1 when all are written, 0 when the ring is full (call again after draining)."""
    n = ld32(CB_CHANGED_N)
    i = ld32(CB_CHANGED_DONE)
    list_ = ld32(CB_CHANGED)
    while i != n:
        net = ld32(list_ + i * 4)
        if sample(net) == 0:
            st32(CB_CHANGED_DONE, i)
            return 0
        na = ld32(CB_NETS) + net * N_SIZE
        st32(na + N_FLAGS, ld32(na + N_FLAGS) & ~NF_CHANGED)
        i = i + 1
    st32(CB_CHANGED_N, 0)
    st32(CB_CHANGED_DONE, 0)
    return 1


@export
def k_trace_net(net: i32, on: i32) -> None:
    """Start or stop tracing a net; when started, its present value is sampled at the end of this time step."""
    na = ld32(CB_NETS) + net * N_SIZE
    flags = ld32(na + N_FLAGS)
    if on == 0:
        st32(na + N_FLAGS, flags & ~NF_TRACED)
        return
    if (flags & NF_CHANGED) == 0:
        n = ld32(CB_CHANGED_N)
        st32(ld32(CB_CHANGED) + n * 4, net)
        st32(CB_CHANGED_N, n + 1)
    st32(na + N_FLAGS, flags | NF_TRACED | NF_CHANGED)


@export
def k_watch_net(net: i32, on: i32) -> None:
    """Start or stop calling h_net_change when the net changes."""
    na = ld32(CB_NETS) + net * N_SIZE
    flags = ld32(na + N_FLAGS) & ~NF_WATCHED
    if on:
        flags = flags | NF_WATCHED
    st32(na + N_FLAGS, flags)
