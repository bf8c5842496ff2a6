"""llvm: guest memory, aggregates, integers of functions."""

from __future__ import annotations

from wasmjit.ir import Op
from wasmjit.sem import mir
from wasmjit.sem.lower.arith import CMPF, CMPI, bitcast
from wasmjit.sem.lower.core import Lowerer, lowers
from wasmjit.sem.lower.func import call_named, call_pointer, signature_of
from wasmjit.sem.mir import BOOL, I64

_BINARY = {
    "add": "add",
    "sub": "sub",
    "mul": "mul",
    "and": "and",
    "or": "or",
    "xor": "xor",
    "udiv": "divu",
    "sdiv": "divs",
    "urem": "modu",
    "srem": "mods",
    "shl": "shl",
    "lshr": "shru",
    "ashr": "shrs",
    "fadd": "fadd",
    "fsub": "fsub",
    "fmul": "fmul",
    "fdiv": "fdiv",
    "frem": "frem",
}


@lowers(*[f"llvm.{k}" for k in _BINARY])
def _binary(lw: Lowerer, op: Op) -> None:
    a, b = lw.one(op.operands[0]), lw.one(op.operands[1])
    lw.set(op.results[0], lw.x(_BINARY[op.name[5:]], a.ty, a, b))


@lowers("llvm.fneg")
def _fneg(lw: Lowerer, op: Op) -> None:
    a = lw.one(op.operands[0])
    lw.set(op.results[0], lw.x("fneg", a.ty, a))


@lowers("llvm.icmp")
def _icmp(lw: Lowerer, op: Op) -> None:
    p = op.attrs["predicate"]
    lw.set(op.results[0], lw.x("icmp", BOOL, lw.one(op.operands[0]), lw.one(op.operands[1]), attr=CMPI[p] if isinstance(p, int) else str(p)))


_LLVM_CMPF = ("false", "oeq", "ogt", "oge", "olt", "ole", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "une", "uno", "true")
assert _LLVM_CMPF == CMPF


@lowers("llvm.fcmp")
def _fcmp(lw: Lowerer, op: Op) -> None:
    p = op.attrs["predicate"]
    pred = {"_false": "false", "_true": "true"}.get(str(p), CMPF[p] if isinstance(p, int) else str(p))
    lw.set(op.results[0], lw.x("fcmp", BOOL, lw.one(op.operands[0]), lw.one(op.operands[1]), attr=pred))


_CONVERT = {"llvm.fptosi": "fptosi", "llvm.fptoui": "fptoui", "llvm.sitofp": "sitofp", "llvm.uitofp": "uitofp", "llvm.fpext": "fext", "llvm.fptrunc": "ftrunc"}


@lowers(*_CONVERT)
def _convert(lw: Lowerer, op: Op) -> None:
    ty = lw.leaf(op.results[0])
    lw.set(op.results[0], lw.x(_CONVERT[op.name], ty, lw.one(op.operands[0])))


@lowers("llvm.trunc", "llvm.zext", "llvm.ptrtoint", "llvm.inttoptr", "llvm.addrspacecast")
def _resize(lw: Lowerer, op: Op) -> None:
    ty = lw.leaf(op.results[0])
    lw.set(op.results[0], lw.resize(lw.one(op.operands[0]), ty))


@lowers("llvm.sext")
def _sext(lw: Lowerer, op: Op) -> None:
    ty = lw.leaf(op.results[0])
    lw.set(op.results[0], lw.x("sext", ty, lw.one(op.operands[0])))


@lowers("llvm.bitcast")
def _bitcast(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], bitcast(lw, lw.one(op.operands[0]), op.results[0].type))


@lowers("llvm.freeze")
def _freeze(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], lw.get(op.operands[0]))


@lowers("llvm.select")
def _select(lw: Lowerer, op: Op) -> None:
    c = lw.one(op.operands[0])
    lw.set(op.results[0], [lw.x("mux", t.ty, c, t, f) for t, f in zip(lw.get(op.operands[1]), lw.get(op.operands[2]), strict=True)])


_COUNT = {"ctpop": "popcount", "ctlz": "ctlz", "cttz": "cttz"}
_FUNARY = {
    "fabs": "fabs",
    "sqrt": "sqrt",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "exp": "exp",
    "exp2": "exp2",
    "log": "log",
    "log2": "log2",
    "log10": "log10",
    "floor": "floor",
    "ceil": "ceil",
    "trunc": "trunc",
    "round": "round_half_away",
    "rint": "round_half_even",
    "roundeven": "round_half_even",
    "nearbyint": "round_half_even",
}
_MINMAX = {"smin": "slt", "smax": "sgt", "umin": "ult", "umax": "ugt"}


@lowers(*[f"llvm.intr.{n}" for n in (*_COUNT, *_FUNARY, *_MINMAX)], "llvm.intr.pow", "llvm.intr.copysign", "llvm.intr.abs")
def _intrinsic(lw: Lowerer, op: Op) -> None:
    name = op.name.removeprefix("llvm.intr.")
    a = lw.one(op.operands[0])
    if name in _COUNT:
        r = lw.x(_COUNT[name], a.ty, a)
    elif name == "fabs":
        r = lw.x("fabs", a.ty, a)
    elif name in _FUNARY:
        r = lw.x("fmath", a.ty, a, attr=_FUNARY[name])
    elif name in _MINMAX:
        b = lw.one(op.operands[1])
        r = lw.x("mux", a.ty, lw.x("icmp", BOOL, a, b, attr=_MINMAX[name]), a, b)
    elif name == "abs":
        r = lw.x("mux", a.ty, lw.x("icmp", BOOL, a, lw.zero(a.ty), attr="slt"), lw.x("sub", a.ty, lw.zero(a.ty), a), a)
    else:
        r = lw.x("fmath", a.ty, a, lw.one(op.operands[1]), attr=name)
    lw.set(op.results[0], r)


@lowers("llvm.intr.lifetime.start", "llvm.intr.lifetime.end", "llvm.intr.assume", "llvm.intr.dbg.declare", "llvm.intr.dbg.value", "llvm.intr.stacksave", "llvm.intr.stackrestore")
def _nothing(lw: Lowerer, op: Op) -> None:
    for r in op.results:
        lw.set(r, [lw.zero(ty) for ty in lw.lay(r).leaves])


@lowers("llvm.intr.expect")
def _expect(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], lw.get(op.operands[0]))


@lowers("llvm.intr.memcpy", "llvm.intr.memmove")
def _memcpy(lw: Lowerer, op: Op) -> None:
    dst, src, n = (lw.one(v) for v in op.operands[:3])
    lw.do("memmove" if op.name.endswith("move") else "memcpy", dst, src, lw.resize(n, I64), attr=lw.site("bad address in memory copy"))
    if shallow_copy(op) and lw.program.symbol("__moore_randomize_basic") is not None:
        params = (dst, src, lw.resize(n, I64))
        lw.emit("svc", (), params, lw.program.service("__wasmjit_object_copied", (tuple(p.ty for p in params), ())))


def shallow_copy(op: Op) -> bool:
    """Whether a copy is `new source` (IEEE 1800 §8.12): all of a new object comes from another one."""
    made = op.operands[0].owner
    callee = made.attrs.get("callee") if isinstance(made, Op) and made.name == "llvm.call" else None
    return callee is not None and callee.name == "malloc" and isinstance(made, Op) and made.operands[0] is op.operands[2]


@lowers("llvm.intr.memset")
def _memset(lw: Lowerer, op: Op) -> None:
    dst, byte, n = (lw.one(v) for v in op.operands[:3])
    lw.do("memset", dst, byte, lw.resize(n, I64), attr=lw.site("bad address in memory fill"))


# -- calls and control -------------------------------------------------------------------------------------------------------------------------


@lowers("llvm.call", suspends=True)
def _call(lw: Lowerer, op: Op) -> None:
    callee = op.attrs.get("callee")
    if callee is not None:
        call_named(lw, op, callee.name, op.operands)
    else:
        call_pointer(lw, op, op.operands[0], op.operands[1:], signature_of(op.operands[1:], op.results))


@lowers("llvm.invoke", suspends=True)
def _invoke(lw: Lowerer, op: Op) -> None:
    """No guest code unwinds, so an invoke is a call that continues at the normal destination."""
    callee = op.attrs.get("callee")
    operands = op.group("callee_operands")
    if callee is not None:
        call_named(lw, op, callee.name, operands)
    else:
        call_pointer(lw, op, operands[0], operands[1:], signature_of(operands[1:], op.results))
    block, args = op.successors[0]
    lw.goto(lw.block(block), lw.args(args))


@lowers("llvm.landingpad")
def _landingpad(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], [lw.zero(ty) for ty in lw.lay(op.results[0]).leaves])


@lowers("llvm.unreachable", "llvm.resume")
def _unreachable(lw: Lowerer, op: Op) -> None:
    lw.b.terminate(mir.Fault(lw.site("unreachable code was reached", op)))
