"""Integer operations with a second result or a limit: overflow bits, high halves, saturation, rounding divisions, funnel shifts, and predicates of floats."""

from __future__ import annotations

from wasmjit.ir import Op
from wasmjit.sem import mir
from wasmjit.sem.lower.core import Lowerer, Unsupported, lowers
from wasmjit.sem.mir import BOOL, I, Val


def operands(lw: Lowerer, op: Op) -> tuple[Val, Val]:
    return lw.one(op.operands[0]), lw.one(op.operands[1])


def widened(lw: Lowerer, code: str, signed: bool, a: Val, b: Val, width: int) -> Val:
    """The exact result, in `width` bits."""
    ext, ty = "sext" if signed else "zext", I(width)
    return lw.x(code, ty, lw.x(ext, ty, a), lw.x(ext, ty, b))


def with_overflow(lw: Lowerer, code: str, signed: bool, a: Val, b: Val) -> tuple[Val, Val]:
    """(the result in the width of the operands, whether it is not the exact one)."""
    n = a.ty.size
    exact = widened(lw, code, signed, a, b, 2 * n if code == "mul" else n + 1)
    value = lw.x("extract", a.ty, exact, attr=0)
    back = lw.x("sext" if signed else "zext", exact.ty, value)
    return value, lw.x("icmp", BOOL, back, exact, attr="ne")


def _overflow(letter: str, code: str) -> None:
    @lowers(f"llvm.intr.{letter}{code}.with.overflow")
    def _lower(lw: Lowerer, op: Op) -> None:
        lw.set(op.results[0], with_overflow(lw, code, letter == "s", *operands(lw, op)))


def _saturating(letter: str, code: str) -> None:
    @lowers(f"llvm.intr.{letter}{code}.sat")
    def _lower(lw: Lowerer, op: Op) -> None:
        a, b = operands(lw, op)
        value, over = with_overflow(lw, code, letter == "s", a, b)
        ty, top = a.ty, a.ty.mask >> 1
        if letter == "s":
            negative = lw.x("extract", BOOL, a, attr=ty.size - 1)  # the operand that pushes the result over the limit has this sign
            limit = lw.x("mux", ty, negative, lw.const(ty, top + 1), lw.const(ty, top))
        else:
            limit = lw.const(ty, ty.mask if code == "add" else 0)
        lw.set(op.results[0], lw.x("mux", ty, over, limit, value))


for _letter in "us":
    for _code in ("add", "sub", "mul"):
        _overflow(_letter, _code)
        if _code != "mul":
            _saturating(_letter, _code)


@lowers("arith.addui_extended")
def _addui_extended(lw: Lowerer, op: Op) -> None:
    value, carry = with_overflow(lw, "add", False, *operands(lw, op))
    lw.set(op.results[0], value)
    lw.set(op.results[1], carry)


@lowers("arith.mului_extended", "arith.mulsi_extended")
def _mul_extended(lw: Lowerer, op: Op) -> None:
    """(low half, high half) of the product."""
    a, b = operands(lw, op)
    n = a.ty.size
    exact = widened(lw, "mul", op.name == "arith.mulsi_extended", a, b, 2 * n)
    lw.set(op.results[0], lw.x("extract", a.ty, exact, attr=0))
    lw.set(op.results[1], lw.x("extract", a.ty, exact, attr=n))


@lowers("arith.ceildivui", "arith.ceildivsi", "arith.floordivsi", "index.ceildivu", "index.ceildivs", "index.floordivs")
def _rounding_division(lw: Lowerer, op: Op) -> None:
    """The quotient toward zero, plus or minus one when something is left and the exact quotient lies on the other side."""
    a, b = operands(lw, op)
    ty, zero = a.ty, lw.const(a.ty, 0)
    signed, up = not op.name.endswith("u") and not op.name.endswith("ui"), "ceil" in op.name
    quotient = lw.x("divs" if signed else "divu", ty, a, b)
    left = lw.x("icmp", BOOL, lw.x("mods" if signed else "modu", ty, a, b), zero, attr="ne")
    if signed:
        same = lw.x("icmp", BOOL, lw.x("extract", BOOL, a, attr=ty.size - 1), lw.x("extract", BOOL, b, attr=ty.size - 1), attr="eq" if up else "ne")
        left = lw.x("and", BOOL, left, same)
    step = lw.x("zext", ty, left) if ty.size > 1 else left
    lw.set(op.results[0], lw.x("add" if up else "sub", ty, quotient, step))


# -- bits --------------------------------------------------------------------------------------------------------------------------------


@lowers("llvm.intr.bswap")
def _bswap(lw: Lowerer, op: Op) -> None:
    a = lw.one(op.operands[0])
    if a.ty.size % 8:
        raise Unsupported(op, f"bytes of {a.ty.size} bits")
    lw.set(op.results[0], lw.x("concat", a.ty, *(lw.x("extract", I(8), a, attr=i) for i in range(0, a.ty.size, 8))))


@lowers("llvm.intr.bitreverse")
def _bitreverse(lw: Lowerer, op: Op) -> None:
    a = lw.one(op.operands[0])
    lw.set(op.results[0], lw.x("concat", a.ty, *(lw.x("extract", BOOL, a, attr=i) for i in range(a.ty.size))) if a.ty.size > 1 else a)


@lowers("llvm.intr.fshl", "llvm.intr.fshr")
def _funnel_shift(lw: Lowerer, op: Op) -> None:
    """The upper (fshl) or lower half of the two operands shifted together by the third, modulo their width."""
    a, b = operands(lw, op)
    n = a.ty.size
    both = I(2 * n)
    by = lw.x("zext", both, lw.x("modu", a.ty, lw.one(op.operands[2]), lw.const(a.ty, n)) if n & n - 1 or n == 1 else lw.x("and", a.ty, lw.one(op.operands[2]), lw.const(a.ty, n - 1)))
    if n == 1:
        lw.set(op.results[0], a if op.name.endswith("l") else b)
        return
    pair = lw.x("concat", both, a, b)
    if op.name.endswith("l"):
        lw.set(op.results[0], lw.x("extract", a.ty, lw.x("shl", both, pair, by), attr=n))
    else:
        lw.set(op.results[0], lw.x("extract", a.ty, lw.x("shru", both, pair, by), attr=0))


# -- floats, and nothing -------------------------------------------------------------------------------------------------------------------


@lowers("math.isnan", "math.isinf", "math.isfinite")
def _float_class(lw: Lowerer, op: Op) -> None:
    a = lw.one(op.operands[0])
    if op.name == "math.isnan":
        lw.set(op.results[0], lw.x("fcmp", BOOL, a, a, attr="uno"))
        return
    infinity = lw.const(a.ty, float("inf"))
    lw.set(op.results[0], lw.x("fcmp", BOOL, lw.x("fabs", a.ty, a), infinity, attr="oeq" if op.name == "math.isinf" else "olt"))


@lowers("arith.maxf", "arith.minf", "llvm.intr.maximum", "llvm.intr.minimum")
def _minmax(lw: Lowerer, op: Op) -> None:
    """IEEE 754-2019 minimum and maximum: NaN if an operand is one."""
    a, b = operands(lw, op)
    lw.set(op.results[0], lw.x("fmax" if "max" in op.name else "fmin", a.ty, a, b))


@lowers("arith.maxnumf", "arith.minnumf", "llvm.intr.maxnum", "llvm.intr.minnum")
def _minmax_of_numbers(lw: Lowerer, op: Op) -> None:
    """A NaN counts as missing: the result is the other operand."""
    a, b = operands(lw, op)
    both = lw.x("fmax" if "max" in op.name else "fmin", a.ty, a, b)
    without_b = lw.x("mux", a.ty, lw.x("fcmp", BOOL, b, b, attr="uno"), a, both)
    lw.set(op.results[0], lw.x("mux", a.ty, lw.x("fcmp", BOOL, a, a, attr="uno"), b, without_b))


@lowers("llvm.intr.fmuladd")
def _fmuladd(lw: Lowerer, op: Op) -> None:
    """Fused or not, as the target likes; here not."""
    a, b = operands(lw, op)
    lw.set(op.results[0], lw.x("fadd", a.ty, lw.x("fmul", a.ty, a, b), lw.one(op.operands[2])))


@lowers("llvm.intr.trap", "llvm.intr.debugtrap", "llvm.intr.ubsantrap")
def _trap(lw: Lowerer, op: Op) -> None:
    lw.b.terminate(mir.Fault(lw.site(f"{op.name.removeprefix('llvm.intr.')}", op)))
    lw.b.set_block(lw.new_block())


@lowers("llvm.intr.donothing", "llvm.intr.prefetch", "llvm.fence")
def _nothing(lw: Lowerer, op: Op) -> None:
    """Of no consequence in a simulation: processes run one at a time."""
