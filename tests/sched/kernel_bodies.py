"""Process and region bodies in restricted Python for kernel tests and the kernel benchmark: compiled into the same module as the kernel."""

from __future__ import annotations

from wasmjit.sched.intrinsics import export, i32, ld8, ld32, ld64, st32, u32
from wasmjit.sched.kernel.loop import k_wait_set
from wasmjit.sched.kernel.process import k_fork_begin, k_fork_wait, k_spawn
from wasmjit.sched.kernel.wheel import k_drive_eps, k_wait_time

# clock generator: ctx +0 net, +4 address of the clock (1 byte), +8 u64 half period in fs


@export
def clock_body(ctx: i32, frame: i32) -> i32:
    addr = ld32(ctx + 4)
    k_drive_eps(ld32(ctx), addr, 1, ld8(addr) ^ 1)
    k_wait_time(ld32(frame + 4), ld64(ctx + 8), 0, 0)
    return 0


# register: ctx +0 net of q, +4 address of the clock, +8 address of d (4 bytes), +16 q (4 bytes)


@export
def counter_body(ctx: i32, frame: i32) -> i32:
    """q <= q + 1 at the rising edge; runs at both edges."""
    if ld32(frame) == 0:
        st32(frame, 1)
    elif ld8(ld32(ctx + 4)):
        k_drive_eps(ld32(ctx), ctx + 16, 4, u32(ld32(ctx + 16) + 1))
    k_wait_set(ld32(frame + 4), 0)
    return 0


@export
def copy_body(ctx: i32, frame: i32) -> i32:
    """q <= d at the rising edge."""
    if ld32(frame) == 0:
        st32(frame, 1)
    elif ld8(ld32(ctx + 4)):
        k_drive_eps(ld32(ctx), ctx + 16, 4, ld32(ld32(ctx + 8)))
    k_wait_set(ld32(frame + 4), 0)
    return 0


# processes that fork: ctx +0 u32 how many, +4 u32 ended children, +8 u32 table index of the child, +12 u32 done, +16 u32 alive


@export
def fork_all_body(ctx: i32, frame: i32) -> i32:
    """Fork `how many` children at once and join them."""
    if ld32(frame):
        st32(ctx + 12, 1)
        return 1
    st32(frame, 1)
    j = k_fork_begin(0, ld32(ctx))
    for _ in range(ld32(ctx)):
        k_spawn(ld32(ctx + 8), ctx, 64)
    return 1 - k_fork_wait(j)


@export
def fork_each_body(ctx: i32, frame: i32) -> i32:
    """Fork and join one child after the other."""
    n = ld32(frame)
    if n == ld32(ctx):
        st32(ctx + 12, 1)
        return 1
    st32(frame, n + 1)
    j = k_fork_begin(0, 1)
    k_spawn(ld32(ctx + 8), ctx, 64)
    return 1 - k_fork_wait(j)


@export
def child_body(ctx: i32, frame: i32) -> i32:
    """Sleep, count oneself, end."""
    if ld32(frame) == 0:
        st32(frame, 1)
        alive = ld32(ctx + 20) + 1
        st32(ctx + 20, alive)
        if alive > ld32(ctx + 16):
            st32(ctx + 16, alive)
        k_wait_time(ld32(frame + 4), 1 + ld32(frame + 4) % 97, 0, 0)
        return 0
    st32(ctx + 20, ld32(ctx + 20) - 1)
    st32(ctx + 4, ld32(ctx + 4) + 1)
    return 1
