"""Logic written bit by bit becomes logic of whole vectors.

`circt-verilog` writes some selections (an element of a small four-state array, for one) as a sum of products for every bit, put together by a `comb.concat`. Where the
bits of a concatenation are the same expression of and, or, xor and mux over bits that lie side by side, or over values that are the same for all of them, one operation
of the whole width takes the place of one per bit.
"""

from __future__ import annotations

from collections.abc import Sequence

from .mir import Body, I, Op, Val

MIN_LANES = 4
MAX_LANES = 512
MAX_DEPTH = 150
KIND_DEPTH = 3
_BITWISE = frozenset({"and", "or", "xor"})


def widen_lanes(body: Body, next_id: int) -> tuple[int, dict[int, Val]]:
    """Rewrites the concatenations of a body; the next free value id, and what stands for concatenations that are one value now. What is no longer used stays (dead
    code)."""
    replaced: dict[int, Val] = {}
    if not any(op.code == "concat" and len(op.args) >= MIN_LANES for b in body.blocks for op in b.ops):
        return next_id, replaced
    defs: dict[int, Op] = {op.dsts[0].id: op for b in body.blocks for op in b.ops if len(op.dsts) == 1}
    for b in body.blocks:
        out: list[Op] = []
        for op in b.ops:
            if op.code == "concat" and len(op.args) >= MIN_LANES:
                w = Widener(defs, next_id, op)
                args = w.arguments(op.args)
                if len(args) < len(op.args):
                    out += w.ops
                    next_id = w.next_id
                    for new in w.ops:
                        defs[new.dsts[0].id] = new
                    op.args = args
                    if len(args) == 1:
                        replaced[op.dsts[0].id] = args[0]
                        continue
            out.append(op)
        b.ops = out
    return next_id, replaced


class Widener:
    """Builds the operations that take the place of one concatenation's bits."""

    def __init__(self, defs: dict[int, Op], next_id: int, at: Op) -> None:
        self.defs, self.next_id, self.at = defs, next_id, at
        self.ops: list[Op] = []
        self.known: dict[tuple[int, ...], Val] = {}
        self.kinds: dict[tuple[int, int], int] = {}

    def arguments(self, args: Sequence[Val]) -> tuple[Val, ...]:
        """The arguments of the concatenation, most significant first, with runs of bits as one value each where that is possible."""
        out: list[Val] = []
        run: list[Val] = []
        for a in (*args, None):
            if a is not None and a.ty.size == 1 and a.ty.kind == "i" and len(run) < MAX_LANES:
                run.append(a)
                continue
            out += self.run(run)
            run = []
            if a is not None:
                out.append(a)
        return tuple(out)

    def run(self, run: list[Val]) -> list[Val]:
        if len(run) < MIN_LANES or any(self.code(v) not in _BITWISE and self.code(v) != "mux" for v in run):
            return run
        made = len(self.ops)
        v = self.vector(run, 0)
        if v is None:
            del self.ops[made:]
            self.known = {k: x for k, x in self.known.items() if x.const is not None}
            return run
        return [v]

    def code(self, v: Val) -> str:
        op = self.defs.get(v.id) if v.const is None else None
        return op.code if op is not None else ""

    def emit(self, code: str, width: int, args: tuple[Val, ...], attr: int | None = None) -> Val:
        v = Val(self.next_id, I(width))
        self.next_id += 1
        self.ops.append(Op(code, (v,), args, attr, self.at.loc))
        return v

    def vector(self, lanes: Sequence[Val], depth: int) -> Val | None:
        """The value whose bits are these, most significant first; None if they are not alike."""
        key = tuple([v.id if v.const is None else -1 - int(v.const) for v in lanes])
        got = self.known.get(key)
        if got is None and depth < MAX_DEPTH:
            got = self.build(lanes, key, depth)
            if got is not None:
                self.known[key] = got
        return got

    def build(self, lanes: Sequence[Val], key: tuple[int, ...], depth: int) -> Val | None:
        n = len(lanes)
        if all(v.const is not None for v in lanes):
            bits = 0
            for v in lanes:
                assert isinstance(v.const, int)
                bits = bits << 1 | v.const
            return Val(0, I(n), bits)
        first = lanes[0]
        if key.count(key[0]) == n:
            return self.emit("repl", n, (first,))
        ops = [self.defs.get(v.id) if v.const is None else None for v in lanes]
        lead = ops[0]
        if lead is None or any(op is None or op.code != lead.code for op in ops):
            return None
        same = [op for op in ops if op is not None]
        if lead.code == "extract":
            return self.slice(same)
        if lead.code == "mux":
            if any(op.args[0] is not lead.args[0] for op in same):
                return None
            whole = [self.vector([op.args[k] for op in same], depth + 1) for k in (1, 2)]
            if whole[0] is None or whole[1] is None:
                return None
            return self.emit("mux", n, (lead.args[0], whole[0], whole[1]))
        if lead.code not in _BITWISE:
            return None
        kinds = self.kind(lead.args[0]), self.kind(lead.args[1])
        pairs = []
        for op in same:
            x, y = op.args
            if kinds[0] != kinds[1] and (self.kind(x), self.kind(y)) == kinds[::-1]:
                x, y = y, x
            pairs.append((x, y))
        left = self.vector([x for x, _ in pairs], depth + 1)
        right = self.vector([y for _, y in pairs], depth + 1) if left is not None else None
        return self.emit(lead.code, n, (left, right)) if left is not None and right is not None else None

    def kind(self, v: Val, depth: int = KIND_DEPTH) -> int:
        """A hash of what an operand looks like, to tell the operands of a commutative operation apart: it is the same for every bit of one vector."""
        if v.const is not None:
            return 0
        known = self.kinds.get((v.id, depth))
        if known is None:
            op = self.defs.get(v.id)
            if op is None or depth == 0:
                known = hash(("value", v.id if op is None else op.code))
            elif op.code == "extract":
                known = hash(("extract", op.args[0].id))
            else:
                parts = [self.kind(a, depth - 1) for a in op.args]
                known = hash((op.code, tuple(sorted(parts) if op.code in _BITWISE else parts)))
            self.kinds[v.id, depth] = known
        return known

    def slice(self, ops: list[Op]) -> Val | None:
        """Bits that lie side by side in one value."""
        source, low = ops[0].args[0], ops[-1].attr
        if source.const is not None or any(op.args[0] is not source or op.attr != low + len(ops) - 1 - i for i, op in enumerate(ops)):
            return None
        return source if source.ty.size == len(ops) else self.emit("extract", len(ops), (source,), low)
