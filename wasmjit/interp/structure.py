"""Chooses the shape of generated code: which blocks are dispatched by number, which stand inside an if, which follow one.

Python has no goto. A *head* is reached by `b = n; continue` of the surrounding dispatch loop. A block with one predecessor stands where that
branches to it. A join (several predecessors, no loop) follows the if of its immediate dominator when every path to it falls through to there.
"""

from __future__ import annotations

from wasmjit.data import dataclass, field

from ..sem.mir import Block, Body, CallS, Wait

MAX_DEPTH = 30
"""Nesting of ifs; CPython allows 100 levels of indentation."""
MAX_CASES = 4
"""Switches with more cases are decided by a binary tree, whose default target must be a head."""


@dataclass(slots=True)
class Plan:
    """`roots`: resume token -> block (token 0 is the entry). `heads`: block id -> dispatch number. `follow`: block id -> join behind its if."""

    roots: dict[int, Block]
    heads: dict[int, int] = field(default_factory=dict)
    follow: dict[int, Block] = field(default_factory=dict)
    blocks: dict[int, Block] = field(default_factory=dict)


def _edges(block: Block) -> list[Block]:
    return [] if block.term is None else [t for t, _ in block.term.edges()]


def plan(body: Body) -> Plan:
    """Heads get numbers after the tokens, in the order of the blocks."""
    roots = {0: body.blocks[0]}
    for b in body.blocks:
        if isinstance(b.term, (Wait, CallS)):
            roots[b.term.token] = b.term.resume
    out = Plan(roots, blocks={b.id: b for b in body.blocks})
    order, npreds, looping = _walk(body, roots)
    idom = _dominators(body, roots, order)
    heads = set(looping)
    joins: dict[int, list[Block]] = {}
    for b in order:
        if npreds[b.id] > 1 and b.id not in heads:
            d = idom[b.id]
            if d < 0:
                heads.add(b.id)
            else:
                joins.setdefault(d, []).append(b)
    for b in order:
        term = b.term
        if term is not None and len(term.edges()) > MAX_CASES + 1:
            heads.add(term.edges()[-1][0].id)
    while True:
        follow: dict[int, Block] = {}
        for d, bs in joins.items():
            left = [b for b in bs if b.id not in heads]
            if left:
                follow[d] = left[-1]
        wrong = _violations(out, heads, follow, npreds)
        if not wrong:
            break
        heads |= wrong
    out.follow = follow
    number = max(roots) + 1
    for b in body.blocks:
        if b.id in heads:
            out.heads[b.id] = number
            number += 1
    return out


def _walk(body: Body, roots: dict[int, Block]) -> tuple[list[Block], dict[int, int], set[int]]:
    """Reverse postorder over edges from all roots, predecessor counts (a root entry counts), targets of back edges."""
    npreds = {b.id: 0 for b in body.blocks}
    for r in roots.values():
        npreds[r.id] += 1
    for b in body.blocks:
        for t in _edges(b):
            npreds[t.id] += 1
    state: dict[int, int] = {}
    looping: set[int] = set()
    order: list[Block] = []
    for token in sorted(roots, reverse=True):
        root = roots[token]
        if root.id in state:
            continue
        state[root.id] = 1
        stack = [(root, iter(_edges(root)))]
        while stack:
            block, it = stack[-1]
            for t in it:
                s = state.get(t.id, 0)
                if s == 0:
                    state[t.id] = 1
                    stack.append((t, iter(_edges(t))))
                    break
                if s == 1:
                    looping.add(t.id)
            else:
                state[block.id] = 2
                order.append(block)
                stack.pop()
    order.reverse()
    return order, npreds, looping


def _dominators(body: Body, roots: dict[int, Block], order: list[Block]) -> dict[int, int]:
    """Immediate dominator by block id with one virtual root (-1) above all roots."""
    index = {b.id: i + 1 for i, b in enumerate(order)}
    preds: dict[int, list[int]] = {i: [] for i in range(1, len(order) + 1)}
    for r in roots.values():
        preds[index[r.id]].append(0)
    for b in order:
        for t in _edges(b):
            preds[index[t.id]].append(index[b.id])
    idom = [-1] * (len(order) + 1)
    idom[0] = 0
    changed = True
    while changed:
        changed = False
        for i in range(1, len(order) + 1):
            new = -1
            for p in preds[i]:
                if idom[p] < 0:
                    continue
                a = new
                if a < 0:
                    new = p
                    continue
                while a != p:
                    while a > p:
                        a = idom[a]
                    while p > a:
                        p = idom[p]
                new = a
            if new != idom[i]:
                idom[i] = new
                changed = True
    return {b.id: (-1 if idom[i + 1] == 0 else order[idom[i + 1] - 1].id) for i, b in enumerate(order)}


def _violations(p: Plan, heads: set[int], follow: dict[int, Block], npreds: dict[int, int]) -> set[int]:
    """Blocks that would be reached from a place where the code cannot fall through to them, or would be nested too deep."""
    wrong: set[int] = set()
    starts = {r.id: r for r in p.roots.values() if r.id not in heads}
    starts.update({h: p.blocks[h] for h in heads})
    work: list[tuple[Block, int, int]] = [(b, -1, 0) for b in starts.values()]  # block, id of what follows, depth
    placed: set[int] = set()
    while work:
        block, after, depth = work.pop()
        if block.id in placed:
            continue
        placed.add(block.id)
        join = follow.get(block.id)
        inner = after if join is None else join.id
        targets = _edges(block)
        deeper = depth + (1 if len(targets) == 2 else 2 if len(targets) <= MAX_CASES + 1 else 2 + len(targets).bit_length())
        if len(targets) == 1:
            deeper = depth
        for t in targets:
            if t.id in heads or t.id == inner:
                continue
            if npreds[t.id] > 1 or deeper > MAX_DEPTH:
                wrong.add(t.id)
            else:
                work.append((t, inner, deeper))
        if join is not None and join.id not in wrong:
            work.append((join, after, depth))
    return wrong
