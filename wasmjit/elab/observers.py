"""Processes that check or poll something and never wait.

circt-verilog writes a deferred immediate assertion at module level (`assume #0 (e);`, `cover final (e);`: IEEE 1800-2017 16.4.3, equivalent to one inside
of `always_comb`) as a process that branches to itself without a wait. It means: check at the beginning, and again when the condition changes.

A loop that only polls (`while (!ready);`) hangs every simulator whose signals stand still while a process runs: nothing can change what it reads before
the process suspends. Such a process waits here for a change of what it reads instead, and the others go on.
"""

from __future__ import annotations

from wasmjit.elab.definition import is_pure
from wasmjit.ir import Block, Op, Value

CHECKS = frozenset({"verif.assert", "verif.assume", "verif.cover"})


def waits_for_change(process: Op) -> bool:
    """Give the endless loop of such a process its wait: the branch back becomes `llhd.wait` on what the checks use (`llhd.halt` if that is constant).

    Shape: an entry block of pure operations that branches to a block of pure operations and checks, which branches to itself without arguments.
    Returns whether the process had that shape.
    """
    blocks = process.regions[0].blocks if process.name == "llhd.process" and not process.results else []
    loop = blocks[-1] if 1 <= len(blocks) <= 2 else None
    if loop is None or loop.args or any(b.ops[-1].name != "cf.br" or list(b.ops[-1].successors) != [(loop, [])] for b in blocks):
        return False
    ops = [op for b in blocks for op in b.ops[:-1]]
    checks = [op for op in ops if op.name in CHECKS]
    if not checks or any(op.regions or not (op in checks or is_pure(op)) for op in ops) or any(op.parent is not loop for op in checks):
        return False
    observed = list(dict.fromkeys(v for op in checks for v in op.operands if not constant(v)))
    back = loop.ops[-1]
    back.operands = observed
    if observed:
        back.name = "llhd.wait"
        back.attrs = {"operandSegmentSizes": [0, 0, len(observed)]}
    else:
        back.name, back.successors = "llhd.halt", ()
    return True


def polls(process: Op) -> list[Op]:
    """Give every loop of an `llhd.process` that only polls a wait on the way back; the branches that led back.

    Such a loop is left through a condition, its blocks have pure operations only, and its head takes no arguments: a turn that comes back to the head changes
    nothing. What it reads are signals (`llhd.prb`) and memory at places that are known outside of the loop; a loop that reads anything else is left alone.
    """
    region = process.regions[0]
    found: list[tuple[Op, Block, list[Op]]] = []
    for head, tails in back_edges(region.blocks).items():
        inside = loop_blocks(head, tails)
        ops = [op for b in inside for op in b.ops]
        reads = [op for op in ops if op.name in ("llhd.prb", "llvm.load")]
        left = any(b not in inside for block in inside for b, _ in block.ops[-1].successors)
        if head.args or not left or not reads or any(not (is_pure(op) or op.name in BRANCHES) or op.regions or op.name == "llhd.current_time" for op in ops):
            continue
        if any(op.operands[0] in {r for o in ops for r in o.results} | {a for b in inside for a in b.args} for op in reads):
            continue
        found += [(tail.ops[-1], head, reads) for tail in tails]
    for branch, head, reads in found:
        turn = Block(region, "")
        places = {(op.name, op.operands[0], op.results[0].type): op for op in reads}
        for op in places.values():
            again = Op(op.name, list(op.operands), op.attrs, pos=op._pos, src=op._src, parent=turn, sloc=op._sloc)
            again.results = [Value(op.results[0].type, again, 0, "")]
            turn.ops.append(again)
        observed = [op.results[0] for op in turn.ops]
        attrs = {"operandSegmentSizes": [0, 0, len(observed)]}
        turn.ops.append(Op("llhd.wait", observed, attrs, successors=[(head, [])], pos=branch._pos, src=branch._src, parent=turn, sloc=branch._sloc))
        branch.successors = [(turn, []) if b is head else (b, args) for b, args in branch.successors]
        region.blocks.append(turn)
    return [branch for branch, _, _ in found]


BRANCHES = ("cf.br", "cf.cond_br", "cf.switch")


def loops_without_wait(blocks: list[Block]) -> bool:
    """Whether control can come back to a block of a body without passing a wait."""
    done: dict[Block, bool] = {}
    for root in blocks:
        stack = [root] if root not in done else []
        while stack:
            block = stack[-1]
            if block in done:
                done[stack.pop()] = True
                continue
            done[block] = False
            if block.ops[-1].name != "llhd.wait":
                for s in successors(block):
                    if s not in done:
                        stack.append(s)
                    elif not done[s]:
                        return True
    return False


def back_edges(blocks: list[Block]) -> dict[Block, list[Block]]:
    """Heads of the loops of a body, each with the blocks that branch back to it (a depth-first search from the entry)."""
    out: dict[Block, list[Block]] = {}
    if not blocks:
        return out
    state = {blocks[0]: 1}
    stack = [(blocks[0], iter(successors(blocks[0])))]
    while stack:
        block, rest = stack[-1]
        following = next(rest, None)
        if following is None:
            state[block] = 2
            stack.pop()
        elif following not in state:
            state[following] = 1
            stack.append((following, iter(successors(following))))
        elif state[following] == 1:
            out.setdefault(following, []).append(block)
    return out


def successors(block: Block) -> list[Block]:
    return [b for b, _ in block.ops[-1].successors] if block.ops else []


def loop_blocks(head: Block, tails: list[Block]) -> set[Block]:
    """The blocks from which a tail can be reached without passing the head again, and the head: all of a loop's ways, not only one."""
    before: dict[Block, list[Block]] = {}
    for b in head.region.blocks:
        for s in successors(b):
            before.setdefault(s, []).append(b)
    inside, todo = {head}, list(tails)
    while todo:
        b = todo.pop()
        if b not in inside:
            inside.add(b)
            todo += before.get(b, [])
    return inside


def constant(v: Value) -> bool:
    """Whether a value follows from constants alone."""
    stack, seen = [v], {v}
    while stack:
        op = stack.pop().owner
        if not isinstance(op, Op) or op.regions or op.name in ("llhd.prb", "llhd.sig", "llhd.current_time", "llvm.load") or not is_pure(op):
            return False
        new = [o for o in op.operands if o not in seen]
        seen.update(new)
        stack += new
    return True
