"""Mailboxes, semaphores (IEEE 1800-2023 §15.3, §15.4), events (§15.5) and objections: the data and the calls that never block.

The kernel blocks: it asks `can_get()` / `can_put()`, queues the process if not, and is told by `rt.wake_sync` when something changed.
A handle is an id given out here, or the address of the design's own mailbox or semaphore object, for which the data is made on first use.
"""

from __future__ import annotations

from collections import deque

from wasmjit.data import dataclass, field
from wasmjit.runtime.services import M64, Runtime, SimFault, s32, s64, service, string_value

FIRST_HANDLE = 1


@dataclass(slots=True)
class Mailbox:
    """A FIFO of 64-bit messages; `bound` 0: unbounded."""

    bound: int = 0
    messages: deque[int] = field(default_factory=deque)

    def can_get(self) -> bool:
        return bool(self.messages)

    def can_put(self) -> bool:
        return self.bound == 0 or len(self.messages) < self.bound

    def get(self) -> int:
        """The oldest message, removed. Only when `can_get()`."""
        return self.messages.popleft()

    def peek(self) -> int:
        return self.messages[0]

    def put(self, message: int) -> None:
        """Only when `can_put()`."""
        self.messages.append(message & M64)


@dataclass(slots=True)
class Semaphore:
    keys: int = 0

    def can_get(self, count: int) -> bool:
        return self.keys >= count

    def get(self, count: int) -> None:
        """Only when `can_get(count)`."""
        self.keys -= count

    def put(self, count: int) -> None:
        self.keys += count


@dataclass(slots=True)
class Objection:
    """A counted objection; `drained` once it was raised and fell back to 0."""

    name: bytes
    count: int = 0
    drained: bool = False


def mailbox(rt: Runtime, handle: int) -> Mailbox:
    """The mailbox of a handle; made (unbounded) on first use of a new one. A null handle is a fault."""
    box = rt.host.mailboxes.get(handle)
    if box is None:
        if not handle:
            raise SimFault("access to a null mailbox")
        box = rt.host.mailboxes[handle] = Mailbox()
    return box


def semaphore(rt: Runtime, handle: int) -> Semaphore:
    sem = rt.host.semaphores.get(handle)
    if sem is None:
        if not handle:
            raise SimFault("access to a null semaphore")
        sem = rt.host.semaphores[handle] = Semaphore()
    return sem


@service("__moore_mailbox_create", "i", "l")
def mailbox_create(rt: Runtime, bound: int) -> int:
    n = s32(bound)
    if n < 0:
        raise SimFault(f"mailbox bound of {n} is negative")
    handle = FIRST_HANDLE
    while handle in rt.host.mailboxes:
        handle += 1
    rt.host.mailboxes[handle] = Mailbox(n)
    return handle


@service("__moore_mailbox_tryput", "ll", "b")
def mailbox_tryput(rt: Runtime, handle: int, message: int) -> int:
    box = mailbox(rt, handle)
    if not box.can_put():
        return 0
    box.put(message)
    rt.wake_sync("mailbox", handle)
    return 1


@service("__moore_mailbox_tryget", "lp", "b")
def mailbox_tryget(rt: Runtime, handle: int, dest: int) -> int:
    box = mailbox(rt, handle)
    if not box.can_get():
        return 0
    rt.st(dest, 8, box.get())
    rt.wake_sync("mailbox", handle)
    return 1


@service("__moore_mailbox_trypeek", "lp", "b")
def mailbox_trypeek(rt: Runtime, handle: int, dest: int) -> int:
    box = mailbox(rt, handle)
    if not box.can_get():
        return 0
    rt.st(dest, 8, box.peek())
    return 1


@service("__moore_mailbox_num", "l", "l")
def mailbox_num(rt: Runtime, handle: int) -> int:
    return len(mailbox(rt, handle).messages)


def keys_of(count: int) -> int:
    """A number of keys; a negative one is a fault."""
    n = s32(count)
    if n < 0:
        raise SimFault(f"{n} semaphore keys")
    return n


@service("__moore_semaphore_create", "li")
def semaphore_create(rt: Runtime, handle: int, keys: int) -> None:
    if not handle:
        raise SimFault("access to a null semaphore")
    rt.host.semaphores[handle] = Semaphore(keys_of(keys))


@service("__moore_semaphore_put", "li")
def semaphore_put(rt: Runtime, handle: int, count: int) -> None:
    semaphore(rt, handle).put(keys_of(count))
    rt.wake_sync("semaphore", handle)


@service("__moore_semaphore_try_get", "li", "b")
def semaphore_try_get(rt: Runtime, handle: int, count: int) -> int:
    sem, n = semaphore(rt, handle), keys_of(count)
    if not sem.can_get(n):
        return 0
    sem.get(n)
    return 1


@service("__moore_event_trigger", "p")
def event_trigger(rt: Runtime, event: int) -> None:
    if not event:
        raise SimFault("trigger of a null event")
    rt.host.events[event] = rt.now_fs
    rt.wake_event(event)


@service("__moore_event_triggered", "p", "b")
def event_triggered(rt: Runtime, event: int) -> int:
    """Whether the event was triggered in the current time step (§15.5.3)."""
    return int(rt.host.events.get(event, -1) == rt.now_fs)


# ---------------------------------------------------------------------------------------------------------------------------------
# Objections


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
        rt.wake_sync("objection", s64(handle))


@service("__moore_objection_get_count", "l", "l")
def objection_get_count(rt: Runtime, handle: int) -> int:
    return objection(rt, handle).count & M64


@service("__moore_objection_is_zero", "l", "b")
def objection_is_zero(rt: Runtime, handle: int) -> int:
    return int(objection(rt, handle).count == 0)
