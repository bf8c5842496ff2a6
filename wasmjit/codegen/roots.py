"""Values that may be pointers and live across a collection: where they have to lie in memory, for the collector to see them.

A collection happens at `gcpoll`, or inside of a call that reaches one. Before the call, and at a poll that is taken, the live values are stored to a part of
the shadow stack frame. The interpreter needs none of this: the collector looks into its Python frames.
"""

from __future__ import annotations

from collections.abc import Callable

from ..sem.analysis import liveness
from ..sem.mir import POLL_PLACE, Body, Op, Val
from . import wasm as W
from .emit import Emitter, lowers
from .forms import in_memory, limb_count
from .wasm import i32_const, memarg

_ADDRESS = 32
"""Bits of an address."""


def may_point(body: Body) -> set[int]:
    """Values that may hold the address of an object: all integers of 64 bits or more but those made from narrower ones, and results of the runtime library."""
    out = {v.id for v in body.params if _wide(v)}
    narrow: set[int] = set()
    for b in body.blocks:
        out.update(p.id for p in b.params if _wide(p))
        for op in b.ops:
            for d in op.dsts:
                if d.ty.kind != "i" or d.ty.size < _ADDRESS:
                    continue
                if op.code in ("zext", "sext", "extract", "add", "sub", "mux", "concat"):
                    # Arguments of other blocks may come later in the list: they count as pointers.
                    known = any(a.id in out or (a.const is None and a.id not in narrow and a.ty.size >= _ADDRESS) for a in op.args)
                else:
                    known = _wide(d) or op.code == "rt"
                (out if known else narrow).add(d.id)
            narrow.update(d.id for d in op.dsts if d.id not in out)
    return out


def _wide(v: Val) -> bool:
    return v.ty.kind == "i" and v.ty.size >= 64


def root_sets(body: Body, may_collect: Callable[[str], bool]) -> dict[int, list[Val]]:
    """By `id` of the operation: what has to be in memory when it collects."""
    sites = {id(op) for b in body.blocks for op in b.ops if op.code in ("gcpoll", "icall") or (op.code == "call" and may_collect(op.attr))}
    if not sites:
        return {}
    live = liveness(body)
    pointers = 0
    for vid in may_point(body):
        pointers |= 1 << vid
    out: dict[int, list[Val]] = {}
    for b in body.blocks:
        bits = live.live_out[b.id]
        for op in reversed(b.ops):
            for d in op.dsts:
                bits &= ~(1 << d.id)
            if id(op) in sites:
                out[id(op)] = [v for v in live.vals(bits & pointers) if not in_memory(v.ty)]
            for a in op.args:
                if a.const is None:
                    bits |= 1 << a.id
    return out


def stores(e: Emitter, op: Op) -> bytes:
    """Code that puts the values live across `op` into memory. Nothing may be pending."""
    vals = [v for v in e.root_ops.get(id(op), ()) if v.id not in e.areas]
    if not vals:
        return b""
    if e.root_place is None:
        most = max(sum(limb_count(v.ty.size) for v in vs) for vs in e.root_ops.values())
        e.root_place = e.scratch_place(8 * most)
    base, at = e.root_place
    code = b""
    for v in vals:
        for c in e.limbs(v):
            code += base + c + memarg(W.I64_STORE, at)
            at += 8
    return code


@lowers("gcpoll")
def _gcpoll(e: Emitter, op: Op) -> None:
    e.flush()
    code = stores(e, op)
    e.out += i32_const(0) + memarg(W.I32_LOAD, POLL_PLACE) + b"\x04\x40" + code + e.mod.call("k", "k_collect") + b"\x0b"
