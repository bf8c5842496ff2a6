"""Bodies in short form (`wasmjit.ir.short`): rows become MIR without an operation tree in between, everything else is lowered as always.

The result is the same body that `Lowerer.region_cfg` makes of the whole region.
"""

from __future__ import annotations

from typing import Any

from wasmjit.ir.short import CODES, COMPARE, CONSTANT, EXTRACT, LOWEST, NARROW, REPLICATE, SAME, RowPlace, Short, constant
from wasmjit.sem.lower import arith, comb
from wasmjit.sem.lower.core import Lowerer, order
from wasmjit.sem.mir import BOOL, I, Ty, Val

BINARY = {**comb.CODES, **arith.BINARY}
OTHERS = {
    "comb.icmp": "icmp", "arith.cmpi": "icmp", "comb.mux": "mux", "comb.extract": "extract", "comb.replicate": "repl", "comb.concat": "concat", "arith.extui": "zext",
    "arith.extsi": "sext", "arith.trunci": "extract", "hw.constant": "", "arith.constant": "",
}  # fmt: skip
_new = object.__new__


def meanings() -> list[tuple[int, str, str | None]]:
    """What to do with a row of each code: its form, the MIR operation, the predicate."""
    out: list[tuple[int, str, str | None]] = [(SAME, "", None)]
    for name, form, word in CODES[1:]:
        attr = comb.PREDICATES.get(word, word) if form == COMPARE and word is not None else None
        out.append((form, BINARY[name] if name in BINARY else OTHERS[name], attr))
    return out


MEANINGS = meanings()
_TYPES: dict[int, Ty] = {}


def lower_short(lw: Lowerer, short: Short) -> None:
    """Lower a body in place: control continues from the current block into its entry block."""
    blocks = short.region.blocks
    reachable = order(blocks)
    lw.enter_blocks(blocks, reachable)
    vals: list[Any] = [None] * short.count
    lw.rows = vals
    one, number, const = lw.b.one, lw.b.number, lw.b.const
    src, start, externals = short.scope.src, short.scope.start, short.scope.externals
    x: Val
    y: Val
    for ir_block in reachable:
        if ir_block is not blocks[0]:
            lw.b.set_block(lw.blocks[ir_block])
        for item in short.statements[ir_block]:
            if not isinstance(item, tuple):
                lw.run_op(item)
                continue
            n, end = item
            for code, width, pos, a, b, c, _, _ in short.rows(n, end):
                if code:
                    form, mir_code, attr = MEANINGS[code]
                    if form == CONSTANT:
                        ty = _TYPES.get(width)
                        if ty is None:
                            ty = _TYPES[width] = I(width)
                        vals[n] = const(ty, constant(width, b, c))
                    else:
                        x = vals[a] if a >= 0 else lw.one(externals[-2 - a])
                        if b == -1:
                            if form >= EXTRACT:
                                x = converted(lw, form, mir_code, width, x, c - LOWEST, RowPlace(src, start + pos))
                            vals[n] = x
                        else:
                            y = vals[b] if b >= 0 else lw.one(externals[-2 - b])
                            place = _new(RowPlace)
                            place.src = src
                            place.pos = start + pos
                            if form == SAME:
                                args = (x, y)
                                ty = x.ty
                                if x is y or x.const is not None or y.const is not None:
                                    x = one(mir_code, ty, args, None, place)
                                else:
                                    x = number((mir_code, ty, None, args), mir_code, ty, args, None, place)
                                if c != -1:
                                    x = one(mir_code, ty, (x, vals[c] if c >= 0 else lw.one(externals[-2 - c])), None, place)
                                vals[n] = x
                            elif form == COMPARE:
                                vals[n] = one("icmp", BOOL, (x, y), attr, place)
                            else:
                                rest = () if c == -1 else (vals[c] if c >= 0 else lw.one(externals[-2 - c]),)
                                vals[n] = one(mir_code, I(width), (x, y, *rest), None, place)
                n += 1


def converted(lw: Lowerer, form: int, code: str, width: int, x: Val, low: int, place: RowPlace) -> Val:
    """A row with one operand: bits of it, copies, more or fewer bits."""
    if form == REPLICATE and width == x.ty.size:
        return x
    return lw.b.one(code, I(width), (x,), low if form in (EXTRACT, NARROW) else None, place)
