"""Two-state versions of four-state region bodies.

A body that reads four-state values computes value and unknown bits of everything. While no input is unknown, the unknown halves of all that it computes are
zero, so a copy of the body with zeros in their place folds to two-state arithmetic (about a third of the operations). A guard before it reads the unknown
halves of the inputs and goes to the four-state code if any bit is set; that is counted (`CB_X_GUARDS`). Both versions leave the same state.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial

from .analysis import dominators, reverse_postorder
from .builder import BodyBuilder
from .copier import copy_block
from .fold import NO_WRITE
from .mir import CB_X_GUARDS, I32, I64, Block, Body, Op, Ty, Val

MIN_OPS = 12
MAX_OPS = 3000
GAIN = 0.8
"""The two-state version with its guard must have at most this part of the operations."""
_HARMLESS = frozenset({"netstore", "stt", "drv"})
"""Operations with effects that leave the inputs alone, but for the nets they name."""

Place = tuple[int, int]
"""Where an unknown half lies: (offset of the port slot in the context or -1, byte offset there)."""


def two_state(body: Body, own: Collection[int], slots: Mapping[int, Collection[int]]) -> Body | None:
    """`body` (a region) with a two-state version of its largest part in front; None if that does not pay.

    own: context offsets at which unknown halves lie. slots: the same relative to what each port slot (by context offset) points to.
    """
    if body.kind != "region" or not 0 < sum(len(b.ops) for b in body.blocks) <= MAX_OPS:
        return None
    head = max(body.blocks, key=lambda b: len(b.ops))
    if len(head.ops) < MIN_OPS:
        return None
    inside = dominated(body, head)
    loads = unknown_loads(body, own, slots)
    part = [b for b in body.blocks if b.id in inside]
    assumed: dict[int, tuple[Place, Ty]] = {}
    outer: list[Val] = []
    used = {a.id for b in part for op in b.ops for a in op.args}
    used |= {a.id for b in part if b.term is not None for _, args in b.term.edges() for a in args}
    for b in body.blocks:
        for op in b.ops:
            if op.code == "ldt" and op.dsts[0].id in loads:
                place = loads[op.dsts[0].id]
                if b.id in inside:
                    assumed[op.dsts[0].id] = (place, op.dsts[0].ty)
                elif op.dsts[0].id in used:
                    outer.append(op.dsts[0])
    if not assumed or any(op.code not in _HARMLESS and writes(op) for b in part for op in b.ops):
        return None
    return Specialiser(body, head, inside, assumed, outer, own).build()


def dominated(body: Body, head: Block) -> set[int]:
    """Ids of the blocks that are reached through `head` only."""
    idom = dominators(body)
    out = {head.id}
    for b in body.blocks:
        x = b.id
        path = []
        while x in idom and x not in out:
            path.append(x)
            if idom[x] == x:
                path = []
                break
            x = idom[x]
        if x in out:
            out.update(path)
    return out


def unknown_loads(body: Body, own: Collection[int], slots: Mapping[int, Collection[int]]) -> dict[int, Place]:
    """The loads of unknown halves, by the id of their result."""
    context: set[int] = set()
    ports: dict[int, int] = {}
    found: dict[int, Place] = {}
    for b in body.blocks:
        for op in b.ops:
            if op.code == "ctx":
                context.add(op.dsts[0].id)
            elif op.code == "ldt":
                base, at, d = op.args[0].id, op.attr, op.dsts[0]
                if base in context and op.args[0].const is None:
                    if at in slots and d.ty == I32:
                        ports[d.id] = at
                    if at in own and d.ty.kind == "i":
                        found[d.id] = (-1, at)
                elif base in ports and op.args[0].const is None and at in slots[ports[base]] and d.ty.kind == "i":
                    found[d.id] = (ports[base], at)
    return found


def writes(op: Op) -> bool:
    """Whether an operation may change an input of the body (`k_commit` only asks for an evaluation)."""
    return op.code not in NO_WRITE and not (op.code == "rt" and op.attr == "k_commit")


def block_of(blocks: Mapping[int, Block], block: Block) -> Block:
    return blocks[block.id]


class Specialiser:
    """Builds the body with both versions."""

    def __init__(self, body: Body, head: Block, inside: set[int], assumed: dict[int, tuple[Place, Ty]], outer: list[Val], own: Collection[int]) -> None:
        self.body, self.head, self.inside, self.assumed, self.outer, self.own = body, head, inside, assumed, outer, own
        self.b = BodyBuilder(body.key, body.kind, body.results, body.name, body.loc)

    def build(self) -> Body | None:
        b = self.b
        plain: dict[int, Block] = {}
        order = reverse_postorder(self.body.blocks[0])  # what dominates a block comes before it
        for x in order:
            plain[x.id] = b.new_block([p.ty for p in x.params])
        guard = b.new_block([p.ty for p in self.head.params])
        quick = {x.id: b.new_block([p.ty for p in x.params]) for x in order if x.id in self.inside}
        counted = b.new_block()
        values: dict[int, Val] = {}
        outside = [x for x in order if x.id not in self.inside]
        part = [x for x in order if x.id in self.inside]
        for x in (*outside, *part):
            entered = plain if x.id in self.inside else {**plain, self.head.id: guard}
            copy_block(b, x, plain[x.id], values, partial(block_of, entered), {})
        slow = sum(len(plain[x.id].ops) for x in part)
        fast_values = dict(values)
        zeros = {v: self.b.const(ty, 0) for v, (_, ty) in self.assumed.items()}
        zeros.update({v.id: self.b.const(v.ty, 0) for v in self.outer})
        for x in part:
            copy_block(b, x, quick[x.id], fast_values, partial(block_of, {**plain, **quick}), zeros, zeros)
        if not self.stays_known([quick[x.id] for x in part]):
            return None
        places = dict.fromkeys((p, ty) for p, ty in self.assumed.values())
        b.set_block(guard)
        tests = [self.load(p, ty) for p, ty in places] + [values[v.id] for v in self.outer]
        if sum(len(quick[x.id].ops) for x in part) + 2 * len(tests) > GAIN * slow:
            return None
        any_unknown = self.any_set(tests)
        args = tuple(guard.params)
        b.cond_br(any_unknown, counted, quick[self.head.id], (), args)
        b.set_block(counted)
        zero = b.i32(0)
        n = b.op("ldt", I64, (zero,), CB_X_GUARDS)
        b.op("stt", (), (zero, b.bin("add", n, b.i64(1))), CB_X_GUARDS)
        b.br(plain[self.head.id], args)
        if self.head is self.body.blocks[0]:
            # The entry of the body is the guard now.
            blocks = b.body.blocks
            blocks.remove(guard)
            blocks.insert(0, guard)
        return b.finish()

    def load(self, place: Place, ty: Ty) -> Val:
        slot, at = place
        base = self.b.ctx()
        if slot >= 0:
            base = self.b.op("ldt", I32, (base,), slot)
        return self.b.op("ldt", ty, (base,), at)

    def any_set(self, tests: list[Val]) -> Val:
        """Whether any of the values is not 0."""
        b = self.b
        out: list[Val] = []
        for limit in (32, 64):
            these = [v for v in tests if limit // 2 * (limit == 64) < v.ty.size <= limit]
            if these:
                word = b.zext(these[0], limit)
                for v in these[1:]:
                    word = b.bin("or", word, b.zext(v, limit))
                out.append(b.icmp("ne", word, b.const(word.ty, 0)))
        out += [b.icmp("ne", v, b.const(v.ty, 0)) for v in tests if v.ty.size > 64]
        found = out[0]
        for v in out[1:]:
            found = b.bin("or", found, v)
        return found

    def stays_known(self, part: list[Block]) -> bool:
        """Whether the two-state version stores no unknown bit itself."""
        for x in part:
            for op in x.ops:
                if op.code == "netstore":
                    _, off, offs, *_ = op.attr
                    if any(off + o in self.own and v.const != 0 for v, o in zip(op.args, offs, strict=True)):
                        return False
                elif op.code == "stt" and op.attr in self.own and op.args[1].const != 0:
                    return False
        return True

