"""comb: combinational arithmetic and logic. Formats: CIRCT `Comb/Combinational.td`."""

from __future__ import annotations

from typing import Any

from wasmjit.ir.assembly import INT, UNIT, Types, custom, enum, row, rows
from wasmjit.ir.core import Op
from wasmjit.ir.normal import named_enum
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.spec import Report
from wasmjit.ir.types import IntType, OpaqueType, Type

_BIN = {"twoState": UNIT}
PREDICATES = "eq ne slt sle sgt sge ult ule ugt uge ceq cne weq wne"


def _int_width(t: Type | None) -> int | None:
    return t.width if isinstance(t, IntType) else None


def ints_only(op: Op, report: Report) -> None:
    """All operands and results are integers."""
    for v in op.operands:
        if v.type.__class__ is not IntType:
            break
    else:
        for v in op.results:
            if v.type.__class__ is not IntType:
                break
        else:
            return
    for v in (*op.operands, *op.results):
        if not isinstance(v.type, IntType) and not (isinstance(v.type, OpaqueType) and v.type.text.startswith("!hw.int<")):
            report(op, f"{op.name} works on integers, not on {v.type}")
            return


def _at_least_one(op: Op, report: Report) -> None:
    if not op.operands:
        report(op, f"{op.name} needs at least one operand")
    ints_only(op, report)


def _extract(op: Op, report: Report) -> None:
    low, src, dst = op.attrs.get("lowBit"), _int_width(op.operands[0].type), _int_width(op.results[0].type)
    if not isinstance(low, int) or src is None or dst is None:
        report(op, "comb.extract takes bits from an integer")
    elif low < 0 or low + dst > src:
        report(op, f"bits {low} to {low + dst - 1} are outside of {op.operands[0].type}")


def _concat_type(types: Types, attrs: dict[str, Any]) -> Any:
    total = 0
    for t in types["inputs"]:
        if not isinstance(t, IntType):
            return f"comb.concat works on integers, not on {t}"
        total += t.width
    return IntType(total)


def _concat(op: Op, report: Report) -> None:
    ints_only(op, report)
    if sum(_int_width(v.type) or 0 for v in op.operands) != _int_width(op.results[0].type):
        report(op, f"the parts of comb.concat do not add up to {op.results[0].type}")


def _replicate(op: Op, report: Report) -> None:
    src, dst = _int_width(op.operands[0].type), _int_width(op.results[0].type)
    if not src or dst is None or dst % src:
        report(op, f"{op.results[0].type} is no multiple of {op.operands[0].type}")


rows(
    "comb.add comb.mul comb.and comb.or comb.xor",
    "inputs*=result",
    "result",
    "(`bin` $twoState)? $inputs attr-dict `:` type($result)",
    attrs=_BIN,
    verify=_at_least_one,
)
rows(
    "comb.sub comb.divu comb.divs comb.modu comb.mods comb.shl comb.shru comb.shrs",
    "lhs=result rhs=result",
    "result",
    "(`bin` $twoState)? $lhs `,` $rhs attr-dict `:` type($result)",
    attrs=_BIN,
    verify=ints_only,
)
row(
    "comb.icmp",
    "lhs rhs=lhs",
    "result:i1",
    "(`bin` $twoState)? $predicate $lhs `,` $rhs attr-dict `:` type($lhs)",
    attrs={"twoState": UNIT, "predicate": enum(PREDICATES)},
    normalise=named_enum("predicate", PREDICATES),
)
row("comb.parity", "input", "result:i1", "(`bin` $twoState)? $input attr-dict `:` type($input)", attrs=_BIN, verify=ints_only)
row(
    "comb.extract",
    "input",
    "result",
    "$input `from` $lowBit attr-dict `:` functional-type($input, $result)",
    attrs={"lowBit": INT},
    verify=_extract,
)
row("comb.concat", "inputs*", "result", "$inputs attr-dict `:` type($inputs)", infer=_concat_type, verify=_concat)
row("comb.replicate", "input", "result", "$input attr-dict `:` functional-type($input, $result)", verify=_replicate)
row(
    "comb.mux",
    "cond:i1 trueValue=result falseValue=result",
    "result",
    "(`bin` $twoState)? $cond `,` $trueValue `,` $falseValue attr-dict `:` type($result)",
    attrs=_BIN,
)
row("comb.reverse", "input=result", "result", "$input attr-dict `:` type($input)")


@custom
def _lookup_table(p: Parser, st: OpState, s: Any) -> None:
    st.attrs["lookupTable"] = p.attr()


row("comb.truth_table", "inputs*:i1", "result:i1", "$inputs `->` <lookup_table> attr-dict", fast=False)
