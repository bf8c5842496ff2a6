"""Who changed a net, for the history of drivers (`--trace-drivers`): names that stay right when the id of an ended process is used again.

A static process or a region is named by its CB_CUR_ID. A dynamic process is named by its function, DYNAMIC_DRIVER | function: ids of ended ones are used again,
perhaps before a drive of the former owner has matured. So when a descriptor gets a new owner, what still names the old one is renamed. Without
a history (CB_DRIVERS is 0) nothing of this happens.
"""

from __future__ import annotations

from wasmjit.sched.control import (
    CB_CHANGED,
    CB_CHANGED_DONE,
    CB_CHANGED_N,
    CB_DELTA_BASE,
    CB_DELTA_CUR,
    CB_EPS_BASE,
    CB_EPS_CUR,
    CB_HEAP_ARR,
    CB_HEAP_N,
    CB_N_STATIC,
    CB_NEAR,
    CB_NETS,
    DYNAMIC_DRIVER,
)
from wasmjit.sched.descriptors import D_DRIVER, D_SIZE, N_DRIVER, N_SIZE, P_BODY, P_ID, S_BASE, S_CUR, S_NEXT
from wasmjit.sched.intrinsics import i32, ld32, st32
from wasmjit.sched.kernel.wheel import proc_ptr


def lasting_name(who: i32) -> i32:
    """A CB_CUR_ID, or for a dynamic process its name by function."""
    if who >= DYNAMIC_DRIVER or who < ld32(CB_N_STATIC):
        return who
    return DYNAMIC_DRIVER | ld32(proc_ptr(who) + P_BODY)


def rename(r: i32, end: i32, who: i32, name: i32) -> None:
    """Rename a driver in the records [r, end)."""
    while r != end:
        if ld32(r + D_DRIVER) == who:
            st32(r + D_DRIVER, name)
        r = r + D_SIZE


def new_owner(p: i32) -> None:
    """The descriptor at p is about to be that of another process: pending drives and nets changed in this time step keep the name of the old one."""
    who = ld32(p + P_ID)
    name = DYNAMIC_DRIVER | ld32(p + P_BODY)
    rename(ld32(CB_EPS_BASE), ld32(CB_EPS_CUR), who, name)
    rename(ld32(CB_DELTA_BASE), ld32(CB_DELTA_CUR), who, name)
    s = ld32(CB_NEAR)
    while s:
        rename(ld32(s + S_BASE), ld32(s + S_CUR), who, name)
        s = ld32(s + S_NEXT)
    slots = ld32(CB_HEAP_ARR)
    for i in range(ld32(CB_HEAP_N)):
        s = ld32(slots + i * 4)
        rename(ld32(s + S_BASE), ld32(s + S_CUR), who, name)
    changed = ld32(CB_CHANGED)
    nets = ld32(CB_NETS)
    j = ld32(CB_CHANGED_DONE)
    while j < ld32(CB_CHANGED_N):
        na = nets + ld32(changed + j * 4) * N_SIZE
        if ld32(na + N_DRIVER) == who:
            st32(na + N_DRIVER, name)
        j = j + 1
