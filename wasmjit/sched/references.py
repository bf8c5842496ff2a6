"""What the host knows of guest objects, told to the collector: addresses that it holds, and records of objects that go with them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from wasmjit.sched import control as cb

if TYPE_CHECKING:
    from wasmjit.sched.simulation import Simulation

M64 = (1 << 64) - 1


class HostReferences:
    """Host side of a collection (`sched.kernel.collect`)."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim

    def roots(self) -> None:
        """h.gc_roots: all words in Python frames of this thread (interpreted bodies, services and what calls them), and what the host keeps."""
        view = self.sim.view
        low, high = view.u32(cb.CB_OBJ_LO), view.u32(cb.CB_OBJ_HI)
        found: set[int] = set()
        if view.u32(cb.CB_GC_HANDLES):
            low = 1  # process handles are small numbers
        frame = sys._getframe(1)
        while frame is not None:
            collect_words(frame.f_locals.values(), low, high, found)
            frame = frame.f_back  # type: ignore[assignment]
        host, monitor = self.sim.runtime.host, self.sim.postponed.monitor
        collect_words((host.randomizing, monitor.observed, monitor.shown), low, high, found)
        mark = self.sim.kernel.call["k_gc_root"]
        for word in sorted(found):
            mark(word)

    def forget(self) -> None:
        """h.gc_dead: an object that comes to lie where another one was must not inherit what was known about that one."""
        alive = self.sim.kernel.call["k_gc_alive"]

        def dead(key: Any) -> bool:
            value = key[0] if isinstance(key, tuple) else key
            address = ~value if value < 0 else value
            return 0 < address <= 0xFFFFFFFF and not alive(address)

        host = self.sim.runtime.host
        tables: tuple[dict[Any, Any], ...] = (host.object_random, host.rand_off, host.constraint_off, host.randc)
        for table in tables:
            for key in [k for k in table if dead(k)]:
                del table[key]
        host.rand_all_off.difference_update([k for k in host.rand_all_off if dead(k)])


def collect_words(values: Iterable[Any], low: int, high: int, found: set[int], depth: int = 0) -> None:
    """Add to `found` the integers of [low, high] among the values, in containers and in the words of byte strings."""
    for v in values:
        kind = type(v)
        if kind is int:
            if low <= v <= high:
                found.add(v)
            elif v > M64:
                while v:
                    if low <= v & M64 <= high:
                        found.add(v & M64)
                    v >>= 64
        elif kind is bytes:
            if len(v) >= 8:
                found.update(w for w in memoryview(v[: len(v) & ~7]).cast("Q") if low <= w <= high)
        elif depth < 3 and v and kind in (tuple, list):
            collect_words(v, low, high, found, depth + 1)
        elif depth < 3 and v and kind is dict and len(v) < 4096:
            collect_words(v.values(), low, high, found, depth + 1)
