"""math: elementary functions. Formats: MLIR `Math/IR/MathOps.td`."""

from __future__ import annotations

from wasmjit.ir.assembly import row, rows

_FM = "(`fastmath` <fastmath>)? attr-dict `:` type($result)"
rows(
    "math.absf math.absi math.acos math.acosh math.asin math.asinh math.atan math.atanh math.cbrt math.ceil math.cos math.cosh math.ctlz math.cttz math.ctpop "
    "math.erf math.erfc math.exp math.exp2 math.expm1 math.floor math.log math.log10 math.log1p math.log2 math.round math.roundeven math.rsqrt math.sin "
    "math.sinh math.sqrt math.tan math.tanh math.trunc",
    "operand=result",
    "result",
    "$operand " + _FM,
)
rows("math.atan2 math.copysign math.ipowi math.powf", "lhs=result rhs=result", "result", "$lhs `,` $rhs " + _FM)
row("math.fpowi", "lhs rhs", "result=lhs", "$lhs `,` $rhs (`fastmath` <fastmath>)? attr-dict `:` type($lhs) `,` type($rhs)")
row("math.fma", "a=result b=result c=result", "result", "$a `,` $b `,` $c " + _FM)
rows(
    "math.isfinite math.isinf math.isnan math.isnormal",
    "operand",
    "result:i1",
    "$operand (`fastmath` <fastmath>)? attr-dict `:` type($operand)",
)
row("math.sincos", "operand=sin", "sin cos=sin", "$operand (`fastmath` <fastmath>)? attr-dict `:` type($operand)")
