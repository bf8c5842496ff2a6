"""Process and region bodies in restricted Python for kernel tests and the kernel benchmark: compiled into the same module as the kernel."""

from __future__ import annotations

from wasmjit.sched.intrinsics import export, i32, ld8, ld32, ld64, st32, u32
from wasmjit.sched.kernel.loop import k_wait_set
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
