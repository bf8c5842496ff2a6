"""Strings as values (`!sim.dstring`): the runtime library's strings, which it takes by the address of a pair (pointer, length)."""

from __future__ import annotations

from wasmjit.ir import Op, Value
from wasmjit.sem.format import Literal
from wasmjit.sem.lower.core import Leaves, Lowerer, Unsupported, lowers
from wasmjit.sem.lower.func import call_runtime
from wasmjit.sem.lower.sim import render
from wasmjit.sem.mir import BOOL, I32, I64, I, Val

STRING = (I64, I64)
PREDICATES = {"eq": "eq", "ne": "ne", "lt": "slt", "le": "sle", "gt": "sgt", "ge": "sge"}


def by_address(lw: Lowerer, s: Leaves) -> Val:
    """Address of a pair with this string."""
    place = lw.x("alloca", I64, lw.i64(1), attr=(16, 8))
    site = lw.site("string operand")
    for i, leaf in enumerate(s):
        lw.do("st", place, leaf, attr=(8 * i, site))
    return place


def operand(lw: Lowerer, v: Value) -> Val:
    return by_address(lw, lw.get(v))


@lowers("sim.string.literal")
def _literal(lw: Lowerer, op: Op) -> None:
    text = str(op.attrs["literal"]).encode("utf-8", "surrogateescape")
    if text:
        lw.set(op.results[0], lw.emit("svc", STRING, (), lw.program.service("sim.render", Literal(text))))
    else:
        lw.set(op.results[0], (lw.i64(0), lw.i64(0)))


@lowers("sim.string.format_to_string")
def _format_to_string(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], render(lw, op.operands[0]))


@lowers("sim.string.length")
def _length(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], lw.get(op.operands[0])[1])


@lowers("sim.string.concat")
def _concat(lw: Lowerer, op: Op) -> None:
    whole: Leaves = lw.get(op.operands[0]) if op.operands else (lw.i64(0), lw.i64(0))
    for v in op.operands[1:]:
        whole = call_runtime(lw, "__moore_string_concat", (by_address(lw, whole), operand(lw, v)), STRING)
    lw.set(op.results[0], whole)


@lowers("sim.string.get")
def _get(lw: Lowerer, op: Op) -> None:
    """0 for an index outside (IEEE 1800 §6.16.3)."""
    lw.set(op.results[0], call_runtime(lw, "__moore_string_getc", (operand(lw, op.operands[0]), lw.one(op.operands[1])), (I(8),)))


@lowers("sim.string.int_to_string")
def _int_to_string(lw: Lowerer, op: Op) -> None:
    """The bytes of an integer as characters, NULs left out (§6.16)."""
    value = lw.one(op.operands[0])
    if value.ty.kind != "i" or value.ty.size > 64:
        raise Unsupported(op, f"a string of an integer of {value.ty.size} bits")
    lw.set(op.results[0], call_runtime(lw, "__moore_packed_string_to_string", (lw.resize(value, I64),), STRING))


@lowers("sim.string.string_to_int")
def _string_to_int(lw: Lowerer, op: Op) -> None:
    (value,) = call_runtime(lw, "__moore_string_to_int", (operand(lw, op.operands[0]),), (I64,))
    ty = lw.leaf(op.results[0])
    if ty.kind != "i" or ty.size > 64:
        raise Unsupported(op, f"an integer of {ty.size} bits of a string")
    lw.set(op.results[0], lw.resize(value, ty))


def compared(lw: Lowerer, op: Op) -> Val:
    (sign,) = call_runtime(lw, "__moore_string_cmp", (operand(lw, op.operands[0]), operand(lw, op.operands[1])), (I32,))
    return sign


@lowers("sim.string.compare")
def _compare(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], compared(lw, op))


@lowers("sim.string.cmp")
def _cmp(lw: Lowerer, op: Op) -> None:
    predicate = op.attrs["predicate"]
    name = predicate if isinstance(predicate, str) else ("eq", "ne", "lt", "le", "gt", "ge")[int(predicate)]
    lw.set(op.results[0], lw.x("icmp", BOOL, compared(lw, op), lw.i32(0), attr=PREDICATES[name]))


def _letters(name: str) -> None:
    @lowers(f"sim.string.{name}")
    def _lower(lw: Lowerer, op: Op) -> None:
        lw.set(op.results[0], call_runtime(lw, f"__moore_string_{name}", (operand(lw, op.operands[0]),), STRING))


_letters("tolower")
_letters("toupper")
