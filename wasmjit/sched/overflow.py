"""What was going on when a time step did not end: for the message about too many delta cycles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasmjit.sched import control as cb

if TYPE_CHECKING:
    from wasmjit.sched.simulation import Simulation

MAX_LINES = 50
"""Of each list; the rest is counted."""
STATES = ("finished", "running", "waiting", "suspended", "killed")
"""By `k_proc_status`."""


def report(sim: Simulation) -> list[str]:
    """Lines on the processes and on what happens from one delta cycle to the next. Runs one more delta cycle to see it; its output is dropped."""
    view = sim.view
    count = view.u32(cb.CB_N_STATIC) + view.u32(cb.CB_N_DYN)
    status = sim.kernel.call["k_proc_status"]
    # Ready in the present slot: the limit has come before they ran.
    ready = set(view.ready_processes())
    states = [f"  {sim.name_of(n)}: {'ready' if n in ready else STATES[status(n)]}" for n in range(count)]
    values = [bytes(sim.memory.u8[n.address : n.address + n.size]) for n in sim.elab.nets]
    activations = [view.activations(n) for n in range(count)]
    step(sim)
    changed = []
    for net, old in zip(sim.elab.nets, values, strict=True):
        new = bytes(sim.memory.u8[net.address : net.address + net.size])
        if new != old:
            name = net.name or f"unnamed {net.kind}"
            changed.append(f"  {net.instance.path}.{name}: {number(old)} -> {number(new)}")
    executed = [f"  {sim.name_of(n)}" for n in range(count) if view.activations(n) != activations[n]]
    return [
        *limited("Process states:", states),
        *limited("Signals changed in last delta:", changed),
        *limited("Processes executed in last delta:", executed),
    ]


def step(sim: Simulation) -> None:
    """One delta cycle beyond the limit that was hit."""
    view = sim.view
    kind, ident, limit = view.u32(cb.CB_LIMIT), view.u32(cb.CB_LIMIT_ID), view.u32(cb.CB_MAX_DELTAS)
    view.set_u32(cb.CB_LIMIT, 0)
    view.set_u32(cb.CB_STOP, 0)
    view.set_u32(cb.CB_MAX_DELTAS, limit + 1)
    sim.kernel.call["k_run"](view.u64(cb.CB_FS), 1 << 40)
    sim.runtime.discard()
    view.set_u32(cb.CB_MAX_DELTAS, limit)
    view.set_u32(cb.CB_LIMIT, kind)
    view.set_u32(cb.CB_LIMIT_ID, ident)


def number(raw: bytes) -> str:
    return f"{int.from_bytes(raw, 'little'):#x}"


def limited(title: str, lines: list[str]) -> list[str]:
    more = len(lines) - MAX_LINES
    return [title, *lines[:MAX_LINES], *([f"  and {more} more"] if more > 0 else []), *(["  none"] if not lines else [])]
