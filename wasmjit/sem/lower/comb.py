"""comb: combinational logic on two-state integers."""

from __future__ import annotations

from wasmjit.ir import Op
from wasmjit.sem.lower.core import Lowerer, lowers
from wasmjit.sem.mir import BOOL, I, Val

_FOLDED = {"comb.and": "and", "comb.or": "or", "comb.xor": "xor", "comb.add": "add", "comb.mul": "mul"}
_BINARY = {
    "comb.sub": "sub",
    "comb.divu": "divu",
    "comb.divs": "divs",
    "comb.modu": "modu",
    "comb.mods": "mods",
    "comb.shl": "shl",
    "comb.shru": "shru",
    "comb.shrs": "shrs",
}
CODES = {**_FOLDED, **_BINARY}
"""MIR operations of those that have one."""
# The four-state and wildcard predicates coincide with the two-state ones on two-state values.
PREDICATES = {"ceq": "eq", "cne": "ne", "weq": "eq", "wne": "ne"}
_NUMBERED = ("eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge", "ceq", "cne", "weq", "wne")


def empty(lw: Lowerer, op: Op) -> bool:
    """Whether the result is an integer without bits: there is nothing to compute."""
    if lw.lay(op.results[0]).leaves:
        return False
    lw.set(op.results[0], ())
    return True


@lowers(*_FOLDED)
def _variadic(lw: Lowerer, op: Op) -> None:
    if empty(lw, op):
        return
    code = _FOLDED[op.name]
    acc = lw.one(op.operands[0])
    for v in op.operands[1:]:
        acc = lw.b.one(code, acc.ty, (acc, lw.one(v)), None, op)
    lw.values[op.results[0]] = (acc,)


@lowers(*_BINARY)
def _binary(lw: Lowerer, op: Op) -> None:
    if empty(lw, op):
        return
    a, b = lw.one(op.operands[0]), lw.one(op.operands[1])
    lw.values[op.results[0]] = (lw.b.one(_BINARY[op.name], a.ty, (a, b), None, op),)


@lowers("comb.icmp")
def _icmp(lw: Lowerer, op: Op) -> None:
    p = op.attrs["predicate"]
    pred = _NUMBERED[p] if isinstance(p, int) else str(p)
    if not lw.get(op.operands[0]):
        # Integers without bits are equal.
        lw.set(op.results[0], lw.const(BOOL, int(pred in ("eq", "ceq", "weq", "ule", "uge", "sle", "sge"))))
        return
    a, b = lw.one(op.operands[0]), lw.one(op.operands[1])
    lw.set(op.results[0], lw.x("icmp", BOOL, a, b, attr=PREDICATES.get(pred, pred)))


@lowers("comb.extract")
def _extract(lw: Lowerer, op: Op) -> None:
    if empty(lw, op):
        return
    a = lw.one(op.operands[0])
    ty = lw.leaf(op.results[0])
    lw.set(op.results[0], lw.x("extract", ty, a, attr=int(op.attrs["lowBit"])))


@lowers("comb.concat")
def _concat(lw: Lowerer, op: Op) -> None:
    parts: list[Val] = [leaf for v in op.operands for leaf in lw.get(v)]
    if not parts:
        lw.set(op.results[0], ())
        return
    lw.set(op.results[0], lw.x("concat", I(sum(p.ty.size for p in parts)), *parts) if len(parts) > 1 else parts[0])


@lowers("comb.replicate")
def _replicate(lw: Lowerer, op: Op) -> None:
    if empty(lw, op):
        return
    a = lw.one(op.operands[0])
    ty = lw.leaf(op.results[0])
    lw.set(op.results[0], a if ty == a.ty else lw.x("repl", ty, a))


@lowers("comb.parity")
def _parity(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], lw.x("parity", BOOL, lw.one(op.operands[0])) if lw.get(op.operands[0]) else lw.const(BOOL, 0))


@lowers("comb.reverse")
def _reverse(lw: Lowerer, op: Op) -> None:
    if empty(lw, op):
        return
    a = lw.one(op.operands[0])
    bits = [lw.x("extract", BOOL, a, attr=i) for i in range(a.ty.size)]
    lw.set(op.results[0], lw.x("concat", a.ty, *bits) if len(bits) > 1 else a)


@lowers("comb.mux")
def _mux(lw: Lowerer, op: Op) -> None:
    c = lw.one(op.operands[0])
    if op.results[0].type.__class__.__name__ == "FStringType":
        from wasmjit.sem.lower.sim import mux_format

        mux_format(lw, op)
        return
    ts, fs = lw.get(op.operands[1]), lw.get(op.operands[2])
    lw.set(op.results[0], [lw.x("mux", t.ty, c, t, f) for t, f in zip(ts, fs, strict=True)])


@lowers("comb.truth_table")
def _truth_table(lw: Lowerer, op: Op) -> None:
    inputs = [lw.one(v) for v in op.operands]
    table = list(op.attrs["lookupTable"])
    width = len(table)
    bits = sum(int(bool(b)) << i for i, b in enumerate(table))
    index = lw.x("concat", I(len(inputs)), *inputs) if len(inputs) > 1 else inputs[0]
    ty = I(width)
    amount = lw.resize(index, ty) if index.ty.size <= width else lw.x("extract", ty, index, attr=0)
    lw.set(op.results[0], lw.x("extract", BOOL, lw.x("shru", ty, lw.const(ty, bits), amount), attr=0))
