"""Bodies in short form (`wasmjit.ir.short`): rows become MIR without an operation tree in between, everything else is lowered as always.

The result is the same body that `Lowerer.region_cfg` makes of the whole region.
"""

from __future__ import annotations

from wasmjit.ir.short import CONSTANTS, RowPlace, Short
from wasmjit.ir.types import Type
from wasmjit.sem.layout import layout
from wasmjit.sem.lower import arith, comb
from wasmjit.sem.lower.core import Lowerer, order
from wasmjit.sem.mir import BOOL, Ty

BINARY = {**comb.CODES, **arith.BINARY}
COMPARISONS = frozenset({"comb.icmp", "arith.cmpi"})
_TYPES: dict[Type, Ty] = {}
_new = object.__new__


def lower_short(lw: Lowerer, short: Short) -> None:
    """Lower a body in place: control continues from the current block into its entry block."""
    blocks = short.region.blocks
    reachable = order(blocks)
    lw.enter_blocks(blocks, reachable)
    rows, scope, one, src = lw.rows, short.scope, lw.b.one, short.source
    for ir_block in reachable:
        if ir_block is not blocks[0]:
            lw.b.set_block(lw.blocks[ir_block])
        for item in short.statements[ir_block]:
            if not isinstance(item, tuple):
                lw.run_op(item)
                continue
            name, result, a, b, c, word, t, pos = item
            place = _new(RowPlace)
            place.src = src
            place.pos = pos
            if name in CONSTANTS:
                ty = _TYPES.get(t)
                if ty is None:
                    ty = _TYPES[t] = layout(t).leaves[0]
                rows[result] = lw.b.const(ty, word)
                continue
            x = rows.get(a)
            if x is None:
                x = lw.one(scope[a])
            if b is None:
                rows[result] = x
                continue
            y = rows.get(b)
            if y is None:
                y = lw.one(scope[b])
            code = BINARY.get(name)
            if code is not None:
                x = one(code, x.ty, (x, y), None, place)
                if c is not None:
                    x = one(code, x.ty, (x, rows.get(c) or lw.one(scope[c])), None, place)
                rows[result] = x
            elif name in COMPARISONS:
                rows[result] = one("icmp", BOOL, (x, y), comb.PREDICATES.get(word, word), place)
            else:
                z = rows.get(c)
                if z is None:
                    z = lw.one(scope[c])
                rows[result] = one("mux", y.ty, (x, y, z), None, place)
