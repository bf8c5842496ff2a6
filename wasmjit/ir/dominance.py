"""Which definitions are visible at a use in a region with control flow."""

from __future__ import annotations

from wasmjit.ir.core import Block, Op, Region
from wasmjit.ir.spec import SPECS


class Dominance:
    """Of one region. The dominator tree is computed at the first question that needs it (algorithm of Cooper, Harvey and Kennedy)."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self._idom: dict[Block, Block] | None = None
        self._known: dict[tuple[Block, Block], bool] = {}

    def visible(self, definition: Op, use: Op, block: Block) -> bool:
        """Whether results of `definition` (in another block than `use`) may be used by `use`, which is in `block` of this region."""
        where = definition.parent
        if where is None:
            return True
        if where.region is self.region:
            return self.dominates(where, block)
        return _visible_outside(where, definition, self.region)

    def visible_block(self, where: Block, block: Block) -> bool:
        """Whether arguments of `where` may be used in `block` of this region."""
        if where.region is self.region:
            return self.dominates(where, block)
        return _visible_outside(where, None, self.region)

    def dominates(self, a: Block, b: Block) -> bool:
        """Whether every path from the entry to b goes through a. Unreachable b: yes."""
        key = (a, b)
        known = self._known.get(key)
        if known is None:
            idom = self._tree()
            at = b
            if b not in idom:
                known = True
            else:
                while at is not a and idom[at] is not at:
                    at = idom[at]
                known = at is a
            self._known[key] = known
        return known

    def _tree(self) -> dict[Block, Block]:
        if self._idom is not None:
            return self._idom
        idom: dict[Block, Block] = {}
        self._idom = idom
        blocks = self.region._blocks
        if not blocks:
            return idom
        entry = blocks[0]
        # Post order without recursion: functions have thousands of blocks.
        order: list[Block] = []
        seen = {entry}
        stack = [(entry, iter(_targets(entry)))]
        preds: dict[Block, list[Block]] = {}
        while stack:
            block, targets = stack[-1]
            for t in targets:
                preds.setdefault(t, []).append(block)
                if t not in seen:
                    seen.add(t)
                    stack.append((t, iter(_targets(t))))
                    break
            else:
                order.append(block)
                stack.pop()
        number = {b: i for i, b in enumerate(order)}
        idom[entry] = entry
        changed = True
        while changed:
            changed = False
            for block in reversed(order[:-1]):
                new: Block | None = None
                for p in preds.get(block, ()):
                    if p in idom:
                        new = p if new is None else _meet(p, new, idom, number)
                if new is not None and idom.get(block) is not new:
                    idom[block] = new
                    changed = True
        return idom


def _meet(a: Block, b: Block, idom: dict[Block, Block], number: dict[Block, int]) -> Block:
    while a is not b:
        while number[a] < number[b]:
            a = idom[a]
        while number[b] < number[a]:
            b = idom[b]
    return a


def _targets(block: Block) -> list[Block]:
    return [t for t, _ in block.ops[-1].successors] if block.ops else []


def _visible_outside(where: Block, definition: Op | None, inner: Region) -> bool:
    """A value of an enclosing region used inside `inner`: like a use by the op of that region which holds `inner`."""
    region: Region = inner
    while True:
        holder = region.parent
        block = holder.parent
        if block is None:
            return False
        region = block.region
        if region is where.region:
            break
    spec = SPECS.get(region.parent.name)
    if spec is not None and "graph" in spec.traits:
        return True
    if block is where:
        return definition is None or definition._pos < holder._pos or definition._src is not holder._src
    return Dominance(region).dominates(where, block)
