"""Loops inside one activation: those that can never end nor do anything, and counting the turns of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .fold import EFFECT_FREE
from .mir import BOOL, I64, Block, Body, Br, CallS, CondBr, Fault, Switch, Wait

if TYPE_CHECKING:
    from .builder import BodyBuilder

STEPS_OFFSET = 376
"""Control block: turns of loops, counted when the run has a step limit (`sched.control.CB_LOOPS`); the limit itself is at CB_MAX_STEPS."""
LIMIT_OFFSET = 176


def targets(block: Block) -> list[Block]:
    """Blocks that can follow in the same activation (a suspending call may return at once)."""
    term = block.term
    assert term is not None
    if isinstance(term, CallS):
        return [term.resume]
    if isinstance(term, CondBr) and term.cond.const is not None:
        return [term.ttarget if term.cond.const else term.ftarget]
    return [b for b, _ in term.edges()]


def headers(body: Body) -> set[Block]:
    """Targets of edges back to a block that is still being visited: every cycle of blocks contains one."""
    out: set[Block] = set()
    state: dict[Block, int] = {}
    roots = [body.blocks[0], *(b.term.resume for b in body.blocks if isinstance(b.term, Wait))]
    for root in roots:
        if root in state:
            continue
        state[root] = 1
        stack = [(root, iter(targets(root)))]
        while stack:
            block, rest = stack[-1]
            nxt = next(rest, None)
            if nxt is None:
                state[block] = 2
                stack.pop()
            elif nxt not in state:
                state[nxt] = 1
                stack.append((nxt, iter(targets(nxt))))
            elif state[nxt] == 1:
                out.add(nxt)
    return out


def stop_idle_loops(body: Body) -> int:
    """Turn every endless loop without any effect into a suspension that nothing ends; how many there were.

    Once inside such a loop a process can do nothing any more, and the simulator could do nothing else either. Only `process` and `coroutine`
    bodies can be suspended.
    """
    count = 0
    if not body.suspending:
        return 0
    for head in sorted(headers(body), key=lambda b: b.id):
        inside: set[Block] = set()
        todo = [head]
        idle = True
        while todo and idle:
            b = todo.pop()
            if b in inside:
                continue
            inside.add(b)
            idle = isinstance(b.term, (Br, CondBr, Switch)) and all(op.code in EFFECT_FREE for op in b.ops)
            if idle:
                todo += targets(b)
        if not idle:
            continue
        head.ops = []
        stop = Block(len(body.blocks))
        body.blocks.append(stop)
        stop.term = Wait(stop)
        head.term = Br(stop)
        count += 1
    return count


def count_turns(b: BodyBuilder, site: int) -> None:
    """Count each turn of each loop, and fault at `site` when there are more than the step limit."""
    body = b.body
    for head in sorted(headers(body), key=lambda x: x.id):
        rest, stop = b.new_block(), b.new_block()
        rest.ops, rest.term = head.ops, head.term
        head.ops, head.term = [], None
        b.set_block(head)
        zero = b.i32(0)
        n = b.op("add", I64, (b.op("ldt", I64, (zero,), STEPS_OFFSET), b.i64(1)))
        b.op("stt", (), (zero, n), STEPS_OFFSET)
        over = b.op("icmp", BOOL, (n, b.op("ldt", I64, (zero,), LIMIT_OFFSET)), "ugt")
        b.terminate(CondBr(over, stop, (), rest, ()))
        stop.term = Fault(site)


__all__ = ["LIMIT_OFFSET", "STEPS_OFFSET", "count_turns", "headers", "stop_idle_loops"]
