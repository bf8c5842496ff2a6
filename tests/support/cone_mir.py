"""Pure cones of the IR as MIR functions, and plain values (see `mlir_eval`) as the leaves MIR works on.

The layout of values is written out again here from docs/internals.md §2, so that a mistake in `wasmjit.sem.layout` shows.
"""

from __future__ import annotations

import random
from typing import Any

from tests.support.mlir_eval import OPS, Plain, width
from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem.layout import layout
from wasmjit.sem.lower.core import Lowerer
from wasmjit.sem.mir import Body


class Program:
    """What lowering of pure operations asks of a program: nothing."""

    def step_site(self) -> None:
        return None

    def from_frontend(self) -> bool:
        return True


def int_size(bits: int) -> int:
    for n in (1, 2, 4, 8):
        if bits <= 8 * n:
            return n
    return (bits + 63) // 64 * 8


def size_align(t: T.Type) -> tuple[int, int]:
    """Bytes and alignment of a type in memory."""
    match t:
        case T.ArrayType():
            n, a = size_align(t.elem)
            return n * t.size, a
        case T.StructType():
            at, align = 0, 1
            for _, f in t.fields:
                n, a = size_align(f)
                at, align = -(-at // a) * a + n, max(align, a)
            return -(-at // align) * align, align
    n = int_size(width(t))
    return n, min(n, 8)


def image(t: T.Type, v: Plain) -> bytes:
    """Memory image of a value: integers little endian, fields at natural alignment, the highest array index first."""
    match t:
        case T.ArrayType():
            return b"".join(image(t.elem, x) for x in reversed(v))
        case T.StructType():
            out = b""
            for (_, f), x in zip(t.fields, v, strict=True):
                out += bytes(-len(out) % size_align(f)[1]) + image(f, x)
            return out + bytes(size_align(t)[0] - len(out))
    return int(v).to_bytes(size_align(t)[0], "little")


def leaves(t: T.Type, v: Plain) -> list[Any]:
    """MIR leaves of a value."""
    match t:
        case T.StructType():
            return [leaf for (_, f), x in zip(t.fields, v, strict=True) for leaf in leaves(f, x)]
        case T.ArrayType():
            return [image(t, v)]
    return [v]


def random_plain(rng: random.Random, t: T.Type) -> Plain:
    """A random value, with a taste for the ends of the range."""
    match t:
        case T.StructType():
            return tuple(random_plain(rng, f) for _, f in t.fields)
        case T.ArrayType():
            return tuple(random_plain(rng, t.elem) for _ in range(t.size))
    w = width(t)
    pick = rng.randrange(6)
    if pick < 2:
        return (0, (1 << w) - 1)[pick]
    if pick == 2:
        return rng.randrange(min(1 << w, 70))
    return rng.getrandbits(w) if w else 0


def pure(op: Op | None) -> bool:
    return op is not None and op.name in OPS and not op.name.startswith("seq.")


def cone(rng: random.Random, root: Value, limit: int) -> tuple[list[Op], list[Value]]:
    """(operations in order, leaves) of the logic behind a value: at most `limit` operations, nearest first, with a few random cuts."""
    inside: dict[Op, None] = {}
    queue = [root]
    cut: dict[Value, None] = {}
    while queue:
        v = queue.pop(0)
        op = v.defining_op
        if op in inside:
            continue
        if op is None or not pure(op) or len(inside) >= limit or (inside and rng.random() < 0.02):
            cut[v] = None
            continue
        inside[op] = None
        queue += op.operands
    ordered: list[Op] = []
    placed: set[Op] = set()
    stack = list(inside)
    while stack:
        op = stack[-1]
        missing = [d for v in op.operands if (d := v.defining_op) in inside and d not in placed]
        if op in placed or not missing:
            stack.pop()
            if op not in placed:
                placed.add(op)
                ordered.append(op)
            continue
        stack += missing
    return ordered, [v for v in cut if v.defining_op not in inside]


def cone_function(ops: list[Op], inputs: list[Value], roots: list[Value], known: dict[Value, Plain]) -> Body:
    """A MIR function of the inputs that are not `known` (those become constants), which returns the leaves of the roots."""
    lw = Lowerer("cone", "function", Program(), None)  # type: ignore[arg-type]
    lw.b.body.results = tuple(ty for r in roots for ty in layout(r.type).leaves)
    params = {v: [lw.b.param(ty) for ty in layout(v.type).leaves] for v in inputs if v not in known}
    lw.b.set_block(lw.new_block())
    for v in inputs:
        tys = layout(v.type).leaves
        lw.set(v, params[v] if v in params else [lw.const(ty, x) for ty, x in zip(tys, leaves(v.type, known[v]), strict=True)])
    for op in ops:
        lw.run_op(op)
    lw.b.ret(tuple(leaf for r in roots for leaf in lw.get(r)))
    return lw.finish()
