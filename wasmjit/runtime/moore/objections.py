"""Objections: counters that the design itself polls. (Mailboxes, semaphores and events are the kernel's: `sched/kernel/sync.py`.)"""

from __future__ import annotations

from wasmjit.data import dataclass
from wasmjit.runtime.services import M64, Runtime, SimFault, s64, service, string_value

FIRST_HANDLE = 1


@dataclass(slots=True)
class Objection:
    """A counted objection; `drained` once it was raised and fell back to 0."""

    name: bytes
    count: int = 0
    drained: bool = False


def objection(rt: Runtime, handle: int) -> Objection:
    found = rt.host.objections.get(s64(handle))
    if found is None:
        raise SimFault(f"{s64(handle)} is no objection")
    return found


@service("__moore_objection_create", "pl", "l")
def objection_create(rt: Runtime, name: int, length: int) -> int:
    handle = len(rt.host.objections) + FIRST_HANDLE
    rt.host.objections[handle] = Objection(string_value(rt, name, length) if name else b"")
    return handle


@service("__moore_objection_raise", "lplpll")
def objection_raise(rt: Runtime, handle: int, source: int, source_len: int, description: int, description_len: int, count: int) -> None:
    """Adds `count`; source and description are informative only."""
    found = objection(rt, handle)
    found.count += max(0, s64(count))
    found.drained = False


@service("__moore_objection_drop", "lplpll")
def objection_drop(rt: Runtime, handle: int, source: int, source_len: int, description: int, description_len: int, count: int) -> None:
    found = objection(rt, handle)
    n = max(0, s64(count))
    if n > found.count:
        rt.warn(f"objection {found.name.decode('utf-8', 'replace')!r}: {n} dropped but only {found.count} raised")
        n = found.count
    found.count -= n
    if n and not found.count:
        found.drained = True


@service("__moore_objection_get_count", "l", "l")
def objection_get_count(rt: Runtime, handle: int) -> int:
    return objection(rt, handle).count & M64


@service("__moore_objection_is_zero", "l", "b")
def objection_is_zero(rt: Runtime, handle: int) -> int:
    return int(objection(rt, handle).count == 0)
