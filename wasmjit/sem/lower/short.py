"""Bodies in short form (`wasmjit.ir.short`): rows become MIR without an operation tree in between, everything else is lowered as always.

The result is the same body that `Lowerer.region_cfg` makes of the whole region.
"""

from __future__ import annotations

from typing import Any

from wasmjit.ir.short import RowPlace, Short
from wasmjit.ir.types import Type
from wasmjit.sem.layout import layout
from wasmjit.sem.lower import arith, comb
from wasmjit.sem.lower.core import Lowerer, order
from wasmjit.sem.mir import BOOL, Ty, Val

BINARY = {**comb.CODES, **arith.BINARY}
COMPARISONS = frozenset({"comb.icmp", "arith.cmpi"})
_TYPES: dict[Type, Ty] = {}
_new = object.__new__


def lower_short(lw: Lowerer, short: Short) -> None:
    """Lower a body in place: control continues from the current block into its entry block."""
    blocks = short.region.blocks
    reachable = order(blocks)
    lw.enter_blocks(blocks, reachable)
    vals: list[Any] = [None] * short.count
    lw.rows = vals
    one, src = lw.b.one, short.source
    for ir_block in reachable:
        if ir_block is not blocks[0]:
            lw.b.set_block(lw.blocks[ir_block])
        for item in short.statements[ir_block]:
            if not isinstance(item, tuple):
                lw.run_op(item)
                continue
            name, number, a, b, c, word, t, pos = item
            x: Val
            y: Val
            if a is None:
                ty = _TYPES.get(t)
                if ty is None:
                    ty = _TYPES[t] = layout(t).leaves[0]
                vals[number] = lw.b.const(ty, word)
                continue
            x = vals[a] if a.__class__ is int else lw.one(a)
            if b is None:
                vals[number] = x
                continue
            y = vals[b] if b.__class__ is int else lw.one(b)
            place = _new(RowPlace)
            place.src = src
            place.pos = pos
            code = BINARY.get(name)
            if code is not None:
                x = one(code, x.ty, (x, y), None, place)
                if c is not None:
                    x = one(code, x.ty, (x, vals[c] if c.__class__ is int else lw.one(c)), None, place)
                vals[number] = x
            elif name in COMPARISONS:
                vals[number] = one("icmp", BOOL, (x, y), comb.PREDICATES.get(word, word), place)
            else:
                vals[number] = one("mux", y.ty, (x, y, vals[c] if c.__class__ is int else lw.one(c)), None, place)
