"""index: arithmetic on `index`. Formats: MLIR `Index/IR/IndexOps.td`."""

from __future__ import annotations

from wasmjit.ir.assembly import INT, enum, row, rows
from wasmjit.ir.dialects.arith import CMPI

rows(
    "index.add index.sub index.mul index.divs index.divu index.ceildivs index.ceildivu index.floordivs index.rems index.remu index.maxs index.maxu index.mins "
    "index.minu index.shl index.shrs index.shru index.and index.or index.xor",
    "lhs:index rhs:index",
    "result:index",
    "$lhs `,` $rhs attr-dict",
)
rows("index.casts index.castu", "input", "output", "$input attr-dict `:` type($input) `to` type($output)")
row("index.cmp", "lhs:index rhs:index", "result:i1", "$pred `(` $lhs `,` $rhs `)` attr-dict", attrs={"pred": enum(CMPI)})
row("index.sizeof", "", "result:index", "attr-dict")
row("index.constant", "", "result:index", "attr-dict $value", attrs={"value": INT})
row("index.bool.constant", "", "result:i1", "attr-dict $value", attrs={"value": enum("true false")})
