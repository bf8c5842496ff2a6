"""Control-flow and liveness analysis of MIR bodies, and the frame layout of suspending bodies.

Sets of values are Python ints used as bit sets (bit `Val.id`); ids are dense within a body.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wasmjit.data import dataclass

from .mir import FRAME_HEADER, Block, Body, Br, CallS, CondBr, FrameLayout, Op, Ret, Switch, Term, Ty, Val, Wait

__all__ = [
    "Liveness",
    "dominators",
    "frame_layout",
    "is_static_alloca",
    "liveness",
    "map_term",
    "predecessors",
    "resume_block",
    "reverse_postorder",
    "successors",
]


def resume_block(term: Term | None) -> Block | None:
    """The block at which a suspending terminator continues."""
    return term.resume if isinstance(term, (Wait, CallS)) else None


def successors(block: Block) -> list[Block]:
    """Targets of edges and, last, of the resume point."""
    return block.term.targets() if block.term is not None else []


def predecessors(body: Body) -> dict[int, list[Block]]:
    """Predecessors by block id, one entry per edge (resume edges included)."""
    preds: dict[int, list[Block]] = {b.id: [] for b in body.blocks}
    for b in body.blocks:
        for s in successors(b):
            preds[s.id].append(b)
    return preds


def reverse_postorder(entry: Block) -> list[Block]:
    """Blocks reachable from `entry` (through resume edges too); every block comes before its successors except along back edges."""
    seen = {entry.id}
    order: list[Block] = []
    stack: list[tuple[Block, Iterator[Block]]] = [(entry, iter(successors(entry)))]
    while stack:
        block, it = stack[-1]
        for s in it:
            if s.id not in seen:
                seen.add(s.id)
                stack.append((s, iter(successors(s))))
                break
        else:
            order.append(block)
            stack.pop()
    order.reverse()
    return order


def dominators(body: Body) -> dict[int, int]:
    """Immediate dominator by block id (the entry's is itself); reachable blocks only. Cooper, Harvey, Kennedy, 'A Simple, Fast Dominance Algorithm'."""
    order = reverse_postorder(body.blocks[0])
    index = {b.id: i for i, b in enumerate(order)}
    preds: list[list[int]] = [[] for _ in order]
    for b in order:
        for s in successors(b):
            preds[index[s.id]].append(index[b.id])
    idom = [-1] * len(order)
    idom[0] = 0
    changed = True
    while changed:
        changed = False
        for i in range(1, len(order)):
            new = -1
            for p in preds[i]:
                if idom[p] < 0:
                    continue
                if new < 0:
                    new = p
                    continue
                a, b2 = p, new
                while a != b2:
                    while a > b2:
                        a = idom[a]
                    while b2 > a:
                        b2 = idom[b2]
                new = a
            if new != idom[i]:
                idom[i] = new
                changed = True
    return {order[i].id: order[d].id for i, d in enumerate(idom)}


@dataclass(slots=True)
class Liveness:
    """`live_in[b]` and `live_out[b]` are bit sets of value ids at the start (after the parameters) and the end of block b.

    Parameters of a block are not in its own `live_in`; edge arguments are used at the end of the predecessor.
    """

    live_in: dict[int, int]
    live_out: dict[int, int]
    values: dict[int, Val]

    def vals(self, bits: int) -> list[Val]:
        """The values of a bit set in order of their ids."""
        out = []
        while bits:
            low = bits & -bits
            out.append(self.values[low.bit_length() - 1])
            bits ^= low
        return out


def _bits(ids: Iterable[int]) -> int:
    bits = 0
    for i in ids:
        bits |= 1 << i
    return bits


def liveness(body: Body) -> Liveness:
    """Classic backward data flow over blocks. Constants are never live."""
    values: dict[int, Val] = {v.id: v for v in body.params}
    gen: dict[int, int] = {}
    kill: dict[int, int] = {}
    end: dict[int, int] = {}
    defined: dict[int, set[int]] = {}
    crossing: set[int] = set()
    for b in body.blocks:
        ops = b.ops
        local = {v.id for v in b.params}
        for v in b.params:
            values[v.id] = v
        made = {d.id: d for op in ops for d in op.dsts}
        values.update(made)
        local.update(made)
        # What a block uses of its own it has computed before.
        used = {a.id for op in ops for a in op.args if a.const is None} - local
        last: set[int] = set()
        if b.term is not None:
            last.update([v.id for v in b.term.uses() if v.const is None])
            for _, args in b.term.edges():
                last.update([v.id for v in args if v.const is None])
        gen[b.id], end[b.id], defined[b.id] = _bits(used), _bits(last), local
        crossing |= used
        crossing |= last
    for bid, local in defined.items():
        kill[bid] = _bits(local & crossing)  # other values are never live, and a body has many of them
    live_in = {b.id: 0 for b in body.blocks}
    live_out = {b.id: 0 for b in body.blocks}
    preds = predecessors(body)
    order = reverse_postorder(body.blocks[0])
    order.reverse()
    pending = {b.id for b in order}
    work = list(order)
    while work:
        again: list[Block] = []
        for b in work:
            if b.id not in pending:
                continue
            pending.discard(b.id)
            out = end[b.id]
            for s in successors(b):
                out |= live_in[s.id]
            live_out[b.id] = out
            new = gen[b.id] | (out & ~kill[b.id])
            if new != live_in[b.id]:
                live_in[b.id] = new
                for p in preds[b.id]:
                    if p.id not in pending:
                        pending.add(p.id)
                        again.append(p)
        work = again
    return Liveness(live_in, live_out, values)


def is_static_alloca(body: Body, op: Op) -> bool:
    """True when the `alloca` gets a fixed area of the frame (constant size in a suspending body)."""
    return op.code == "alloca" and body.suspending and op.args[0].const is not None


def frame_layout(body: Body) -> FrameLayout:
    """Frame of a process or coroutine; needs `body.live_in`.

    Header, then parameters, results (coroutines), one slot per value live at a resume point, static alloca areas. Everything starts at
    a multiple of 8, alloca areas at a multiple of 16 (the frame itself is 16-byte aligned); the size is a multiple of 16.
    `slots[v.id]` of a body parameter is its parameter slot. `allocas` is keyed by the id of the alloca's result. Two values that are
    never live at the same resume point may have the same slot: a slot is meaningful only for the token that is in the frame.
    """
    lay = FrameLayout()
    at = FRAME_HEADER

    def take(ty: Ty) -> int:
        nonlocal at
        off = at
        at += (ty.nbytes + 7) & ~7
        return off

    for p in body.params:
        lay.params.append(take(p.ty))
        lay.slots[p.id] = lay.params[-1]
    if body.kind == "coroutine":
        lay.results = [take(t) for t in body.results]
    params = {p.id for p in body.params}
    together: dict[int, set[int]] = {}  # value id -> tokens at which it is live
    vals: dict[int, Val] = {}
    for token, live in body.live_in.items():
        for v in live:
            if v.id not in params:
                vals[v.id] = v
                together.setdefault(v.id, set()).add(token)
    free: dict[int, list[tuple[int, set[int]]]] = {}  # bytes -> slots with the tokens that occupy them
    for vid in sorted(vals):
        nbytes = (vals[vid].ty.nbytes + 7) & ~7
        tokens = together[vid]
        for off, taken in free.setdefault(nbytes, []):
            if taken.isdisjoint(tokens):
                lay.slots[vid] = off
                taken |= tokens
                break
        else:
            lay.slots[vid] = take(vals[vid].ty)
            free[nbytes].append((lay.slots[vid], set(tokens)))
    for b in body.blocks:
        for op in b.ops:
            if is_static_alloca(body, op):
                size, align = op.attr
                count = op.args[0].const
                assert isinstance(count, int)
                assert align <= 16, f"alloca alignment {align} exceeds that of frames"
                at = (at + 15) & ~15
                lay.allocas[op.dsts[0].id] = at
                at += count * size
    lay.size = (at + 15) & ~15
    return lay


def map_term(term: Term, val: dict[int, Val]) -> None:
    """Replaces, in place, the values that a terminator and its edges read."""

    def one(v: Val) -> Val:
        return val.get(v.id, v) if v.const is None else v

    def many(vs: tuple[Val, ...]) -> tuple[Val, ...]:
        return tuple(map(one, vs))

    if isinstance(term, Br):
        term.args = many(term.args)
    elif isinstance(term, CondBr):
        term.cond, term.targs, term.fargs = one(term.cond), many(term.targs), many(term.fargs)
    elif isinstance(term, Switch):
        term.value, term.dargs = one(term.value), many(term.dargs)
        term.cases = [(c, b, many(a)) for c, b, a in term.cases]
    elif isinstance(term, Ret):
        term.vals = many(term.vals)
    elif isinstance(term, CallS):
        term.args = many(term.args)
    elif isinstance(term, Wait):
        term.dyn = tuple((one(v), n, e) for v, n, e in term.dyn)
        if term.time is not None:
            fs, delta, eps = map(one, term.time)
            term.time = (fs, delta, eps)
