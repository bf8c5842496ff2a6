"""Code that is left again and again for the same cause: it rests for ever longer, and in the end it is no longer entered.

The n-th deopt of a body for one cause keeps its code out of the table for 2**n activations; with the `LIMIT`-th it stays out. Forced deopts do not count: they test the
change of tiers, and shall go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasmjit.report.telemetry import TimelineEvent
from wasmjit.runtime.raw import Func
from wasmjit.sched import control as cb

if TYPE_CHECKING:
    from wasmjit.sched.governor import Governor

LIMIT = 8
"""Deopts of one body for one cause, after which its code is given up."""
FINAL = "no longer entered"


class BackOff:
    """`out`: activations that the code of a body still rests for, by body key; -1 for ever."""

    def __init__(self, governor: Governor) -> None:
        self.governor = governor
        self.out: dict[str, int] = {}
        self.deopts: dict[tuple[str, str], int] = {}
        self.native: dict[str, Func] = {}

    def left(self, key: str, cause: str) -> str:
        """Count a deopt, put the interpreter in the place of the code; what was done, for the record."""
        n = self.deopts[key, cause] = self.deopts.get((key, cause), 0) + 1
        code = self.governor.sim.code
        if key not in self.out:
            func = self.governor.sim.table.get(code.slots[key])
            assert func is not None
            self.native[key] = func
            code.install_interpreter(key)
            self.governor.installed(key, 0)
        self.out[key] = -1 if n >= LIMIT or self.out.get(key) == -1 else 1 << n
        action = FINAL if self.out[key] < 0 else f"not entered for {1 << n} activations"
        self.event(key, 0, f"{action}: {n} deopts ({cause})")
        return action

    def activation(self, key: str) -> bool:
        """The interpreter runs a body that rests; the code is put back for the next activation when it has rested enough. False: it is given up."""
        rest = self.out[key]
        if rest < 0:
            return False
        if rest > 1:
            self.out[key] = rest - 1
            return True
        del self.out[key]
        sim = self.governor.sim
        sim.table.set(sim.code.slots[key], self.native.pop(key))
        sim.code.installed(key)
        self.governor.installed(key, sim.code.tier(sim.code.slots[key]))
        self.event(key, 1, "entered again")
        return True

    def replaced(self, key: str) -> None:
        """Other code has come into the table for a body that rests."""
        sim = self.governor.sim
        func = sim.table.get(sim.code.slots[key])
        assert func is not None
        self.native[key] = func
        sim.code.install_interpreter(key)

    def event(self, key: str, tier: int, detail: str) -> None:
        sim = self.governor.sim
        body = sim.program.bodies.get(key)
        name = body.name if body is not None else key
        sim.telemetry.event(TimelineEvent("tier", 0, name, tier, sim.view.u64(cb.CB_FS), self.governor.wall(), 0, key, detail))
