"""Entries that many process bodies of a module share.

Every function that the table refers to gets a piece of native code of its own through which the host could call it: 50 µs of Cranelift and 450 bytes for each, a quarter of the
time that a large design takes to compile. The kernel enters process bodies from their descriptors only, so in code that is made quickly the slots of up to `SHARE` processes
have one entry, which looks into the descriptor of the running process and calls the body: 2 ns for each activation, until optimised code takes its place.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..sem.mir import CB_CUR, PROC_FN
from . import wasm as w

SHARE = 256
FEWEST = 64
"""Processes of a module from which on entries are shared."""


def share_entries(builder: w.ModuleBuilder, slots: Mapping[int, int]) -> dict[int, int]:
    """Adds shared entries for process bodies (`slots`: function index by table slot) to a module; the function indices that belong into the slots."""
    if len(slots) < FEWEST:
        return dict(slots)
    order = sorted(slots)
    out: dict[int, int] = {}
    for at in range(0, len(order), SHARE):
        group = order[at : at + SHARE]
        entry = builder.add_func((w.I32, w.I32), (w.I32,), (), entry_code([(slot, slots[slot]) for slot in group]), f"processes of slots {group[0]} to {group[-1]}")
        out.update(dict.fromkeys(group, entry))
    return out


def entry_code(bodies: list[tuple[int, int]]) -> w.CodeBuf:
    """Calls the body, of the given (slot, function index) in order of the slots, whose slot is that of the running process; traps when there is none."""
    first, last = bodies[0][0], bodies[-1][0]
    depths = [len(bodies)] * (last - first + 1)
    for i, (slot, _) in enumerate(bodies):
        depths[slot - first] = i
    code = w.CodeBuf()
    for _ in range(len(bodies) + 1):
        code.block()
    code.i32_const(0).load(w.I32_LOAD, CB_CUR).load(w.I32_LOAD, PROC_FN).i32_const(first).op(w.I32_SUB).br_table(depths, len(bodies))
    for _, index in bodies:
        code.end().local_get(0).local_get(1).call(index).ret()
    return code.end().op(w.UNREACHABLE)
