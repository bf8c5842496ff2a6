"""A net has changed: follow its fan-out.

Only real changes come here. A process that waits on static set s wakes if the fan-out entry names s; that its own condition is met (an edge, a different
value of an expression) is checked by its code when it resumes.
"""

from __future__ import annotations

from wasmjit.sched.control import CB_C_EDGES, CB_C_UPDATES, CB_CHANGED, CB_CHANGED_N, CB_CUR_ID, CB_ISLAND, CB_NETS, CB_REGION
from wasmjit.sched.descriptors import (
    EDGE_SHIFT,
    F_SET,
    F_SIZE,
    FILTER_HIGH,
    FILTER_NONE,
    N_ADDR,
    N_DRIVER,
    N_DYN,
    N_FAN,
    N_FAN_COUNT,
    N_FLAGS,
    N_SHIFT,
    NF_CHANGED,
    NF_DYN,
    NF_LISTENED,
    NF_SLOW,
    NF_TRACED,
    NF_WATCHED,
    P_WSET,
    SET_SHIFT,
)
from wasmjit.sched.intrinsics import host_import, i32, inline, ld8, ld32, ld64, st32, st64, u32
from wasmjit.sched.kernel.queues import mark_dirty, wake, walk_nodes


@host_import
def h_net_change(net: i32) -> None:
    """A watched net (cbValueChange) has a new value."""


def fan_slow(na: i32, flags: i32) -> None:
    """Tracing, host watchers, dynamic waits."""
    if flags & NF_TRACED and (flags & NF_CHANGED) == 0:
        n = ld32(CB_CHANGED_N)
        st32(ld32(CB_CHANGED) + n * 4, u32(na - ld32(CB_NETS)) >> N_SHIFT)
        st32(CB_CHANGED_N, n + 1)
        flags = flags | NF_CHANGED
        st32(na + N_FLAGS, flags)
    if flags & NF_WATCHED:
        h_net_change(u32(na - ld32(CB_NETS)) >> N_SHIFT)
    if flags & NF_DYN:
        walk_nodes(na + N_DYN, 0)
        if ld32(na + N_DYN) == 0:
            st32(na + N_FLAGS, ld32(na + N_FLAGS) & ~NF_DYN)


def net_fan(na: i32) -> None:
    """Follow the fan-out of the net at na: its value differs from before."""
    fan_out(na)


@inline
def fan_out(na: i32) -> None:
    """`net_fan` where it counts."""
    flags = ld32(na + N_FLAGS)
    if flags & (NF_LISTENED | NF_DYN):
        st64(CB_C_EDGES, ld64(CB_C_EDGES) + 1)
    f = ld32(na + N_FAN)
    end = f + ld32(na + N_FAN_COUNT) * F_SIZE
    while f != end:
        target = ld32(f)
        if target & 1:
            edge = ld32(f + F_SET)
            level = edge & 3
            if level == FILTER_NONE or (ld8(ld32(na + N_ADDR)) & 1) == (level == FILTER_HIGH):
                if target - 1 == ld32(CB_REGION):
                    st32(CB_ISLAND, ld32(CB_ISLAND) | u32(edge) >> SET_SHIFT)
                else:
                    mark_dirty(target - 1, u32(edge) >> SET_SHIFT)
        else:
            level = target >> EDGE_SHIFT & 3
            if level == FILTER_NONE or (ld8(ld32(na + N_ADDR)) & 1) == (level == FILTER_HIGH):
                p = target & ~(3 << EDGE_SHIFT)
                if ld32(p + P_WSET) == ld32(f + F_SET):
                    wake(p)
        f = f + F_SIZE
    if flags & NF_SLOW:
        fan_slow(na, flags)


def net_changed(na: i32) -> None:
    """As net_fan for a change made just now by whoever runs."""
    changed_now(na)


@inline
def changed_now(na: i32) -> None:
    """`net_changed` where it counts."""
    st64(CB_C_UPDATES, ld64(CB_C_UPDATES) + 1)
    st32(na + N_DRIVER, ld32(CB_CUR_ID))
    fan_out(na)
