"""Process handles (IEEE 1800-2023 §9.7) and run-time type checks."""

from __future__ import annotations

from wasmjit.runtime.moore.layouts import PROCESS_HANDLE
from wasmjit.runtime.services import M64, Runtime, SimFault, s32, service

MAX_PROCESS = 0x0FFF_FFFF


def process_of_handle(rt: Runtime, handle: int) -> int:
    """The process id of a handle; a null handle means the running process. Anything else is a fault."""
    if not handle:
        return rt.proc_id
    proc_id = (handle & M64) - PROCESS_HANDLE
    if not 0 < proc_id <= MAX_PROCESS:
        raise SimFault(f"{handle:#x} is no process handle", handle)
    return proc_id


@service("__moore_dyn_cast_check", "iii", "b")
def dyn_cast_check(rt: Runtime, source: int, target: int, depth: int) -> int:
    """Whether class type `source` is `target` or derived from it; type id 0 is no class (§8.16)."""
    at, want = s32(source), s32(target)
    parents = rt.rtti_parents
    for _ in range(len(parents) + 1):
        if at == 0:
            return 0
        if at == want:
            return 1
        if not 0 <= at < len(parents):
            return 0
        at = s32(parents[at])
    return 0
