"""arith: standard arithmetic. Formats: MLIR `Arith/IR/ArithOps.td`."""

from __future__ import annotations

import re
from typing import Any

from wasmjit.ir.assembly import UNIT, custom, enum, fast_path, row, rows, syntax
from wasmjit.ir.attrreader import NUMBER, number_value
from wasmjit.ir.attrs import Dense
from wasmjit.ir.core import Op, definition
from wasmjit.ir.normal import named_enum
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.scanner import to_int
from wasmjit.ir.spec import FastFn
from wasmjit.ir.types import I1, FloatType, IndexType, IntType, Type, VectorType

CMPI = "eq ne slt sle sgt sge ult ule ugt uge"
CMPF = "false oeq ogt oge olt ole one ord ueq ugt uge ult ule une uno true"


@custom
def _overflow(p: Parser, st: OpState, s: Any) -> None:
    """`overflow<nsw, nuw>`."""
    p.expect("<")
    flags = [p.bare("an overflow flag")]
    while p.accept(","):
        flags.append(p.bare("an overflow flag"))
    p.expect(">")
    st.attrs["overflowFlags"] = flags


@custom
def _fastmath(p: Parser, st: OpState, s: Any) -> None:
    """`fastmath<fast>`."""
    p.expect("<")
    flags = [p.bare("a fastmath flag")]
    while p.accept(","):
        flags.append(p.bare("a fastmath flag"))
    p.expect(">")
    st.attrs["fastmath"] = flags


_BIN = "$lhs `,` $rhs {} attr-dict `:` type($result)"
_PAIR = "lhs=result rhs=result"
rows(
    "arith.muli arith.addi arith.subi arith.shli arith.andi arith.ori arith.xori arith.divsi arith.divui arith.ceildivsi arith.ceildivui arith.floordivsi "
    "arith.remsi arith.remui arith.shrsi arith.shrui arith.maxsi arith.maxui arith.minsi arith.minui",
    _PAIR,
    "result",
    _BIN.format("(`overflow` <overflow>)? (`exact` $isExact)?"),
    attrs={"isExact": UNIT},
)
rows(
    "arith.addf arith.subf arith.mulf arith.divf arith.remf arith.maximumf arith.minimumf arith.maxnumf arith.minnumf arith.maxf arith.minf",
    _PAIR,
    "result",
    _BIN.format("(`fastmath` <fastmath>)?"),
)
row("arith.negf", "operand=result", "result", "$operand (`fastmath` <fastmath>)? attr-dict `:` type($result)")
_CAST = "$in (`overflow` <overflow>)? (`nneg` $nonNeg)? (`fastmath` <fastmath>)? attr-dict `:` type($in) `to` type($out)"
rows(
    "arith.extui arith.extsi arith.extf arith.trunci arith.truncf arith.uitofp arith.sitofp arith.fptoui arith.fptosi arith.index_cast arith.index_castui "
    "arith.bitcast arith.scaling_extf arith.scaling_truncf",
    "in",
    "out",
    _CAST,
    attrs={"nonNeg": UNIT},
)


def _bool_like(types: dict[str, Any], attrs: dict[str, Any]) -> Type:
    t = types["lhs"]
    return VectorType(t.shape, I1) if isinstance(t, VectorType) else I1


row(
    "arith.cmpi", "lhs rhs=lhs", "result", "$predicate `,` $lhs `,` $rhs attr-dict `:` type($lhs)",
    attrs={"predicate": enum(CMPI)}, infer=_bool_like, normalise=named_enum("predicate", CMPI),
)  # fmt: skip
row(
    "arith.cmpf", "lhs rhs=lhs", "result", "$predicate `,` $lhs `,` $rhs (`fastmath` <fastmath>)? attr-dict `:` type($lhs)",
    attrs={"predicate": enum(CMPF)}, infer=_bool_like, normalise=named_enum("predicate", CMPF),
)  # fmt: skip
rows("arith.addui_extended", _PAIR, "result overflow:i1", "$lhs `,` $rhs attr-dict `:` type($result) `,` type($overflow)")
rows("arith.mulsi_extended arith.mului_extended", _PAIR.replace("result", "low"), "low high=low", "$lhs `,` $rhs attr-dict `:` type($low)")


@syntax("arith.select", "condition true_value false_value", results="result")
def _select(p: Parser, st: OpState) -> None:
    """`%c, %a, %b : T`; with a vector condition `: C, T`."""
    names = [p.ssa()]
    p.expect(",")
    names.append(p.ssa())
    p.expect(",")
    names.append(p.ssa())
    st.attrs = p.optional_attr_dict()
    p.expect(":")
    types = p.types_plain()
    t = types[-1]
    st.operands = p.resolve_all(names, [types[0] if len(types) > 1 else I1, t, t])
    st.results = [t]


def constant_value(p: Parser, st: OpState) -> None:
    """`5 : i32`, `true`, `1.5 : f64`, `dense<...> : T`: the attribute `value` and the result type."""
    pos = p.ws()
    t: Type = I1
    if p.accept_word("true"):
        st.attrs["value"] = True
    elif p.accept_word("false"):
        st.attrs["value"] = False
    elif p.peek_word("dense"):
        value = p.attr()
        st.attrs["value"] = value
        st.results = [value.type if isinstance(value, Dense) else I1]
        return
    else:
        m = p.match(NUMBER)
        if m is None:
            p.error(f"expected a constant{p.found()}")
        p.expect(":")
        found = p.type()
        if not isinstance(found, (IntType, FloatType, IndexType)):
            p.error(f"a number cannot have the type {found}", pos)
        st.attrs["value"] = number_value(p, m[0], found, pos)
        st.results = [found]
        return
    if p.accept(":"):
        t2 = p.type()
        if t2 is not t:
            p.error(f"true and false have the type i1, not {t2}", pos)
    st.results = [t]


@syntax("arith.constant func.constant", results="result")
def _constant(p: Parser, st: OpState) -> None:
    if st.name == "func.constant":
        st.attrs["value"] = p.symbol_ref()
        p.expect(":")
        st.results = [p.type()]
        return
    st.attrs = p.optional_attr_dict()
    constant_value(p, st)


def constant_fast(name: str, pattern: str) -> FastFn:
    """Fast path of `name = op <integer> : iN`."""
    match = re.compile(pattern, re.ASCII).match
    widths: dict[str, Type] = {}

    def fast(p: Parser, pos: int, start: int, rname: str | None, scope: Any) -> Op | None:
        m = match(p.text, pos)
        if m is None or rname is None or rname in scope or p.has_locs:
            return None
        digits, width = m.groups()
        t = widths.get(width)
        if t is None:
            if len(width) > 7:
                return None
            t = widths[width] = IntType(int(width))
        op, scope[rname] = definition(name, [], {"value": to_int(digits)}, start, p.source, p.block, None, t, rname)
        p.pos = m.end()
        return op

    return fast


fast_path("arith.constant")(constant_fast("arith.constant", r" (-?\d+) : i([1-9]\d*)(?=[ \t]*\n)"))
