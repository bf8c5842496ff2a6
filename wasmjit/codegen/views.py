"""Images that need no storage of their own: views of where they were loaded from.

A loop that carries a whole memory from wait to wait (what `circt-verilog` makes of an array that a process assigns) would copy it at every turn. A block
parameter is a view if nothing can write memory, and no image is made, between the edge that passes it and its last use; then the edge passes an address.
A loaded image is a view on the same condition if it goes to such parameters.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..sem.analysis import Liveness
from ..sem.mir import Block, Body, Op, Val
from .forms import in_memory

WRITERS = frozenset({"stt", "st", "netstore", "drvref", "memcpy", "memmove", "memset", "alloca", "rt", "svc", "call", "icall", "spawn", "gcpoll"})
"""Operations after which a value read from memory before may be out of date (drives only schedule)."""
PRINTING = frozenset({"sim.print", "sim.terminate", "sim.pause"})
"""Services that leave the memory of the design alone."""


def writes(op: Op) -> bool:
    """Whether an operation may change memory that the design sees."""
    return op.code in WRITERS and not (op.code == "svc" and op.attr.name in PRINTING)


def views(body: Body, live: Liveness, saved: Mapping[int, Val]) -> set[int]:
    """Ids of the image parameters and loaded images that may stay where they lie."""
    found = {p.id for b in body.blocks for p in b.params if p.ty.kind == "a" and p.id not in saved}
    if not found:
        return found
    loads = {d.id for b in body.blocks for op in b.ops if op.code == "ldt" for d in op.dsts if d.ty.kind == "a" and d.id not in saved}
    out = {b.id: {v.id for v in live.vals(live.live_out[b.id]) if v.ty.kind == "a"} for b in body.blocks}
    into = {b.id: {v.id for v in live.vals(live.live_in[b.id]) if v.ty.kind == "a"} for b in body.blocks}
    wanted = found | loads
    before = -1
    while len(wanted) != before:
        before = len(wanted)
        for b in body.blocks:
            if any(in_memory(p.ty) and p.id not in wanted for p in b.params):
                wanted -= into[b.id] | {p.id for p in b.params}  # the edge writes the storage of a parameter
            _check(b, into[b.id], out[b.id], wanted)
    return wanted


def _check(b: Block, into: set[int], out: set[int], wanted: set[int]) -> None:
    """Takes out of `wanted` what a write or a new image in the block may change before its last use."""
    term = b.term
    assert term is not None
    kept = out | {v.id for v in term.uses()} | {a.id for _, args in term.edges() for a in args}
    last = {a.id: i for i, op in enumerate(b.ops) for a in op.args}
    end = len(b.ops)
    alive = {v: end if v in kept else last.get(v, -1) for v in (into | {p.id for p in b.params}) & wanted}
    for i, op in enumerate(b.ops):
        changes = writes(op)
        if changes or any(in_memory(d.ty) and not (d.id in wanted or op.code == "aget") for d in op.dsts):
            for v, stop in alive.items():
                if stop > i or (stop == i and not (changes and op.code == "netstore")):
                    wanted.discard(v)
        for d in op.dsts:
            if d.id in wanted:
                alive[d.id] = end if d.id in kept else last.get(d.id, -1)
