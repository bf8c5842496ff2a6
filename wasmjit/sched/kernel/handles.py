"""Process control by handle: kill, suspend, resume, await, status (IEEE 1800 §9.7)."""

from __future__ import annotations

from wasmjit.sched.control import CB_CUR, CB_CUR_ID, NONE
from wasmjit.sched.descriptors import (
    ARM_DEFERRED,
    ARM_SUSPENDED,
    C_AWAIT,
    C_REFS,
    P_ARMED,
    P_COLD,
    P_STATE,
    ST_DEAD,
    ST_DONE,
    ST_DORMANT,
    ST_DYING,
    ST_HELD,
    ST_KILLED,
    ST_READY,
    ST_RUNNING,
    ST_WAITING,
)
from wasmjit.sched.intrinsics import export, i32, ld32, st32
from wasmjit.sched.kernel.process import (
    kill_descendants,
    recycle,
    running_dies,
    terminate,
)
from wasmjit.sched.kernel.queues import wake
from wasmjit.sched.kernel.waits import queue_append
from wasmjit.sched.kernel.wheel import proc_ptr

STATUS_FINISHED = 0  # process::state of IEEE 1800 §9.7
STATUS_RUNNING = 1
STATUS_WAITING = 2
STATUS_SUSPENDED = 3
STATUS_KILLED = 4


@export
def k_self() -> i32:
    """Id of the running process, NONE outside processes."""
    if ld32(CB_CUR) == 0:
        return NONE
    return ld32(CB_CUR_ID)


@export
def k_kill(proc: i32) -> i32:
    """Kill a process and its descendants. 1 when the running process is among them: it ends when it returns to the kernel, which it has to do at once."""
    p = proc_ptr(proc)
    if p:
        kill_descendants(p)
        terminate(p)
    return running_dies()


@export
def k_suspend(proc: i32) -> None:
    """Suspend a process. The running one must then wait. Wake-ups of a suspended process are remembered until k_resume."""
    p = proc_ptr(proc)
    if p == 0:
        return
    state = ld32(p + P_STATE)
    a = ld32(p + P_ARMED)
    if a & ARM_SUSPENDED:
        return
    if state == ST_WAITING:
        st32(p + P_ARMED, a | ARM_SUSPENDED)
    elif state == ST_READY:
        st32(p + P_STATE, ST_HELD)
        st32(p + P_ARMED, a | ARM_SUSPENDED)
    elif state == ST_RUNNING:
        st32(p + P_ARMED, a | ARM_SUSPENDED | ARM_DEFERRED)


@export
def k_resume(proc: i32) -> None:
    """Resume a suspended process; it runs if its wait is over by now."""
    p = proc_ptr(proc)
    if p == 0:
        return
    a = ld32(p + P_ARMED)
    if (a & ARM_SUSPENDED) == 0:
        return
    st32(p + P_ARMED, a & ~(ARM_SUSPENDED | ARM_DEFERRED))
    state = ld32(p + P_STATE)
    if state == ST_HELD:
        st32(p + P_STATE, ST_READY)
    elif state == ST_WAITING and a & ARM_DEFERRED:
        wake(p)


@export
def k_await(proc: i32) -> i32:
    """Wait for the end of a process: 1 when the running process has to wait, 0 when it has ended."""
    p = proc_ptr(proc)
    if p == 0 or k_proc_status(proc) == STATUS_FINISHED or k_proc_status(proc) == STATUS_KILLED:
        return 0
    queue_append(ld32(p + P_COLD) + C_AWAIT, ld32(CB_CUR), 0)
    return 1


@export
def k_proc_status(proc: i32) -> i32:
    """process::state: 0 FINISHED, 1 RUNNING, 2 WAITING, 3 SUSPENDED, 4 KILLED."""
    p = proc_ptr(proc)
    if p == 0:
        return STATUS_FINISHED
    state = ld32(p + P_STATE)
    if state == ST_READY or state == ST_RUNNING:
        return STATUS_RUNNING
    if state == ST_HELD:
        return STATUS_SUSPENDED
    if state == ST_WAITING or state == ST_DORMANT:
        if ld32(p + P_ARMED) & ARM_SUSPENDED:
            return STATUS_SUSPENDED
        return STATUS_WAITING
    if state == ST_KILLED or state == ST_DEAD or state == ST_DYING:
        return STATUS_KILLED
    return STATUS_FINISHED


@export
def k_proc_hold(proc: i32) -> None:
    """Somebody keeps a handle of the process: its id is not used again."""
    p = proc_ptr(proc)
    if p:
        c = ld32(p + P_COLD)
        st32(c + C_REFS, ld32(c + C_REFS) + 1)


@export
def k_proc_drop(proc: i32) -> None:
    """A handle of k_proc_hold is gone."""
    p = proc_ptr(proc)
    if p == 0:
        return
    c = ld32(p + P_COLD)
    refs = ld32(c + C_REFS)
    if refs == 0:
        return
    st32(c + C_REFS, refs - 1)
    state = ld32(p + P_STATE)
    if refs == 1 and (state == ST_DONE or state == ST_KILLED):
        recycle(p)
