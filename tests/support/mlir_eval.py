"""An evaluator of comb/hw logic straight from the parsed IR, in plain Python integers.

It is written from the documents of the dialects and shares nothing with `wasmjit.sem` (no MIR, no lowering, no layout), so it can judge
both the lowering and what a translation to MLIR means.

Plain values: iN is an int in [0, 2**N); hw.struct a tuple of fields in order; hw.array a tuple by *index* (element 0 first, although MLIR
writes the highest index first); a time is (fs, delta, epsilon). Division by zero gives 0 and an array read out of range gives zeros, as
`wasmjit.sem.mir` defines what CIRCT leaves open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from wasmjit.ir import Block, Op, Region, Value
from wasmjit.ir import types as T

Plain = Any
OPS: dict[str, Callable[[Op, list[Plain]], tuple[Plain, ...]]] = {}


class NotPure(Exception):
    """A value that no comb/hw operation defines and for which no leaf value was given."""


def _ops(*names: str) -> Callable[[Callable[[Op, list[Plain]], Any]], None]:
    def register(fn: Callable[[Op, list[Plain]], Any]) -> None:
        for name in names:
            OPS[name] = lambda op, a: (fn(op, a),)

    return register


def width(t: T.Type) -> int:
    """Bits of a type."""
    match t:
        case T.IntType():
            return t.width
        case T.StructType():
            return sum(width(f) for _, f in t.fields)
        case T.ArrayType():
            return t.size * width(t.elem)
        case T.ClockType():
            return 1
    raise NotPure(f"no bit width for {t}")


def pack(t: T.Type, v: Plain) -> int:
    """The bits of a value: first struct field and highest array index at the most significant end (CIRCT, `hw.bitcast`)."""
    match t:
        case T.StructType():
            parts = [(width(f), pack(f, x)) for (_, f), x in zip(t.fields, v, strict=True)]
        case T.ArrayType():
            parts = [(width(t.elem), pack(t.elem, x)) for x in reversed(v)]
        case _:
            return int(v)
    bits = 0
    for n, x in parts:
        bits = bits << n | x
    return bits


def unpack(t: T.Type, bits: int) -> Plain:
    """The value of a type with these bits."""
    match t:
        case T.StructType():
            out, at = [], width(t)
            for _, f in t.fields:
                at -= width(f)
                out.append(unpack(f, bits >> at & (1 << width(f)) - 1))
            return tuple(out)
        case T.ArrayType():
            n = width(t.elem)
            return tuple(unpack(t.elem, bits >> i * n & (1 << n) - 1) for i in range(t.size))
    return bits & (1 << width(t)) - 1


def zero(t: T.Type) -> Plain:
    return unpack(t, 0)


def from_attr(t: T.Type, a: Any) -> Plain:
    match t:
        case T.StructType():
            return tuple(from_attr(f, x) for (_, f), x in zip(t.fields, a, strict=True))
        case T.ArrayType():
            return tuple(from_attr(t.elem, x) for x in reversed(a))
    return int(a) & (1 << width(t)) - 1


def _w(op: Op) -> int:
    return width(op.results[0].type)


def _s(x: int, w: int) -> int:
    return x - (1 << w) if w and x >> (w - 1) & 1 else x


def _truncating(a: int, b: int) -> int:
    q = abs(a) // abs(b)
    return -q if (a < 0) != (b < 0) else q


_ops("comb.and")(lambda op, a: reduce(lambda x, y: x & y, a))
_ops("comb.or")(lambda op, a: reduce(lambda x, y: x | y, a))
_ops("comb.xor")(lambda op, a: reduce(lambda x, y: x ^ y, a))
_ops("comb.add")(lambda op, a: sum(a) % (1 << _w(op)))
_ops("comb.mul")(lambda op, a: reduce(lambda x, y: x * y, a) % (1 << _w(op)))
_ops("comb.sub")(lambda op, a: (a[0] - a[1]) % (1 << _w(op)))
_ops("comb.divu")(lambda op, a: a[0] // a[1] if a[1] else 0)
_ops("comb.modu")(lambda op, a: a[0] % a[1] if a[1] else 0)
_ops("comb.shl")(lambda op, a: (a[0] << a[1]) % (1 << _w(op)) if a[1] < _w(op) else 0)
_ops("comb.shru")(lambda op, a: a[0] >> a[1] if a[1] < _w(op) else 0)
_ops("comb.shrs")(lambda op, a: (_s(a[0], _w(op)) >> min(a[1], _w(op))) % (1 << _w(op)))
_ops("comb.parity")(lambda op, a: a[0].bit_count() & 1)
_ops("comb.extract")(lambda op, a: a[0] >> op.attrs["lowBit"] & (1 << _w(op)) - 1)
_ops("comb.mux")(lambda op, a: a[1] if a[0] else a[2])
_ops("comb.reverse")(lambda op, a: int(format(a[0], f"0{_w(op)}b")[::-1], 2))


@_ops("comb.divs")
def _divs(op: Op, a: list[int]) -> int:
    w = _w(op)
    return _truncating(_s(a[0], w), _s(a[1], w)) % (1 << w) if a[1] else 0


@_ops("comb.mods")
def _mods(op: Op, a: list[int]) -> int:
    w = _w(op)
    x, y = _s(a[0], w), _s(a[1], w)
    return (x - y * _truncating(x, y)) % (1 << w) if y else 0


@_ops("comb.concat")
def _concat(op: Op, a: list[int]) -> int:
    bits = 0
    for v, x in zip(op.operands, a, strict=True):
        bits = bits << width(v.type) | x
    return bits


@_ops("comb.replicate")
def _replicate(op: Op, a: list[int]) -> int:
    n = width(op.operands[0].type)
    return sum(a[0] << i * n for i in range(_w(op) // n))


_PREDICATES: dict[str, Callable[[int, int], bool]] = {
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
}
_NUMBERED = ["eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge", "ceq", "cne", "weq", "wne"]


@_ops("comb.icmp")
def _icmp(op: Op, a: list[int]) -> int:
    p = op.attrs["predicate"]
    name = _NUMBERED[p] if isinstance(p, int) else str(p)
    w = width(op.operands[0].type)
    x, y = (_s(v, w) for v in a) if name[0] == "s" else a
    return int(_PREDICATES[name[-2:]](x, y))


_ops("hw.constant")(lambda op, a: int(op.attrs["value"]) & (1 << _w(op)) - 1)
_ops("hw.aggregate_constant")(lambda op, a: from_attr(op.results[0].type, op.attrs["fields"]))
_ops("hw.bitcast")(lambda op, a: unpack(op.results[0].type, pack(op.operands[0].type, a[0])))
_ops("hw.wire", "seq.to_clock", "seq.from_clock")(lambda op, a: a[0])
_ops("hw.struct_create")(lambda op, a: tuple(a))
_ops("seq.clock_inv")(lambda op, a: 1 - a[0])


def _field(op: Op) -> int:
    t = op.operands[0].type
    assert isinstance(t, T.StructType)
    f = op.attrs.get("fieldIndex", op.attrs.get("field"))
    return f if isinstance(f, int) else [n for n, _ in t.fields].index(str(f))


_ops("hw.struct_extract")(lambda op, a: a[0][_field(op)])
_ops("hw.struct_inject")(lambda op, a: (*a[0][: _field(op)], a[1], *a[0][_field(op) + 1 :]))
OPS["hw.struct_explode"] = lambda op, a: tuple(a[0])
_ops("hw.array_create")(lambda op, a: tuple(reversed(a)))
_ops("hw.array_concat")(lambda op, a: tuple(x for part in reversed(a) for x in part))
_ops("hw.array_get")(lambda op, a: a[0][a[1]] if a[1] < len(a[0]) else zero(op.results[0].type))
_ops("hw.array_inject")(lambda op, a: tuple(a[2] if i == a[1] else x for i, x in enumerate(a[0])))


@_ops("hw.array_slice")
def _slice(op: Op, a: list[Plain]) -> Plain:
    t = op.results[0].type
    assert isinstance(t, T.ArrayType)
    return tuple(a[0][i] if i < len(a[0]) else zero(t.elem) for i in range(a[1], a[1] + t.size))


@dataclass(frozen=True, slots=True)
class Ref:
    """Plain value of an `!llhd.ref`: a signal, or element `index` of it."""

    signal: Value
    index: int | None = None


@dataclass(slots=True)
class Stopped:
    """Where a body run by `Oracle.run` stopped: the terminator op, the values of its operands, and the drives made on the way."""

    op: Op
    values: list[Plain]
    drives: list[tuple[Op, Ref, Plain]] = field(default_factory=list)
    """(drive, target, value); drives whose enable is 0 are left out."""


class Oracle:
    """Evaluates values of a body. `leaf(v)` gives the value of anything that is not pure: a signal for `llhd.prb` (v is the signal), a module port,
    a result of an instance, a register or a process; it raises NotPure for what it does not know. `instead`: operations to be evaluated by
    another rule, to ask what a different translation would have given."""

    def __init__(self, leaf: Callable[[Value], Plain], instead: Mapping[Op, Callable[[Op, list[Plain]], tuple[Plain, ...]]] | None = None) -> None:
        self.leaf = leaf
        self.instead = instead or {}
        self.known: dict[Value, Plain] = {}

    def value(self, v: Value) -> Plain:
        """The value of `v`, from its cone."""
        known = self.known
        stack = [v]
        while stack:
            top = stack[-1]
            if top in known:
                stack.pop()
                continue
            op = top.defining_op
            if op is None or op.name not in OPS:
                self._other(top, op)
                continue
            missing = [x for x in op.operands if x not in known]
            if missing:
                stack += missing
                continue
            rule = self.instead.get(op) or OPS[op.name]
            known.update(zip(op.results, rule(op, [known[x] for x in op.operands]), strict=True))
        return known[v]

    def _other(self, v: Value, op: Op | None) -> None:
        name = op.name if op is not None else ""
        if op is not None and name == "llhd.prb":
            ref = self.value(op.operands[0])
            whole = self.leaf(ref.signal)
            self.known[v] = whole if ref.index is None else whole[ref.index]
        elif op is not None and name == "llhd.sig.array_get":
            base = self.value(op.operands[0])
            if base.index is not None:
                raise NotPure(f"an element of an element at {op.loc}")
            self.known[v] = Ref(base.signal, self.value(op.operands[1]))
        elif isinstance(v.type, T.RefType):
            self.known[v] = Ref(v)
        elif op is not None and name == "llhd.combinational":
            self.known.update(zip(op.results, self.run(op.regions[0]).values, strict=True))
        elif op is not None and name == "llhd.constant_time":
            self.known[v] = op.attrs["value"]
        else:
            self.known[v] = self.leaf(v)

    def run(self, region: Region, at: Block | None = None, args: list[Plain] | None = None) -> Stopped:
        """Executes blocks from `at` (the entry) with its arguments until llhd.yield, llhd.wait or llhd.halt. Raises NotPure at anything with
        an effect other than llhd.drv."""
        block = at or region.blocks[0]
        self.known.update(zip(block.args, args or [], strict=True))
        drives: list[tuple[Op, Ref, Plain]] = []
        while True:
            for op in block.ops:
                for r in op.results:
                    self.known.pop(r, None)  # a block may run again, in a loop
            for op in block.ops[:-1]:
                if op.name == "llhd.drv":
                    self._drive(op, drives)
                elif op.results:
                    self.value(op.results[0])
                else:
                    raise NotPure(f"{op.name} at {op.loc}")
            end = block.ops[-1]
            if end.name == "cf.br":
                block = self._enter(*end.successors[0])
            elif end.name == "cf.cond_br":
                block = self._enter(*end.successors[0 if self.value(end.operands[0]) else 1])
            else:
                values = end.group("yieldOperands") if end.name == "llhd.wait" else end.operands
                return Stopped(end, [self.value(x) for x in values], drives)

    def _enter(self, block: Block, args: list[Value]) -> Block:
        self.known.update(zip(block.args, [self.value(x) for x in args], strict=True))
        return block

    def _drive(self, op: Op, drives: list[tuple[Op, Ref, Plain]]) -> None:
        enable = op.operand("enable")
        if enable is None or self.value(enable):
            drives.append((op, self.value(op.operands[0]), self.value(op.operands[1])))
