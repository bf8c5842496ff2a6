"""Loops that look for a character in a string, one index at a time, and have left the string.

    while (i != K && c != "." ...) c = s[--i];        (or ++i)

Outside of the string every character reads as 0 (IEEE 1800 §6.16.3), so nothing changes but the index until it becomes K or gets back into the
string. An empty string makes such a loop run around all 2**32 indices. The index is set forward to the last step before something happens;
what the loop computes is the same.
"""

from __future__ import annotations

from wasmjit.data import dataclass
from wasmjit.ir import Block, Op, Value
from wasmjit.sem.layout import layout
from wasmjit.sem.lower.core import Lowerer
from wasmjit.sem.lower.moore import pointee
from wasmjit.sem.mir import BOOL, I64, I, Val

GETC = "__moore_string_getc"
LENGTH_OFFSET = 8


@dataclass(frozen=True)
class Scan:
    """Body of such a loop. index: block argument of the head; step 1 or -1; last: K; string: address of the string; cell: of the character."""

    index: Value
    step: int
    last: int
    string: Value
    cell: Value


def constant(v: Value) -> int | None:
    op = v.owner
    value = op.attrs.get("value") if isinstance(op, Op) and op.name in ("hw.constant", "arith.constant", "llvm.mlir.constant") else None
    return int(value) if isinstance(value, int) else None


def scan_body(body: Block) -> Scan | None:
    """The loop whose whole body a block is, if it is one of these."""
    by_name: dict[str, list[Op]] = {}
    for o in body.ops:
        by_name.setdefault(o.name, []).append(o)
    if {n: len(ops) for n, ops in by_name.items()} != {"llvm.load": 1, "comb.add": 1, "llvm.alloca": 1, "llvm.store": 2, "llvm.call": 1, "cf.br": 1}:
        return None
    load, add, temp, call, jump = (by_name[n][0] for n in ("llvm.load", "comb.add", "llvm.alloca", "llvm.call", "cf.br"))
    head, passed = jump.successors[0]
    callee = call.attrs.get("callee")
    step = constant(add.operands[1]) if len(add.operands) == 2 else None
    index = add.operands[0]
    size = getattr(index.type, "width", 0)
    if callee is None or callee.name != GETC or step is None or size < 2 or index.owner is not head:
        return None
    signed = step - (1 << size) if step >> (size - 1) == 1 else step
    copy, keep = by_name["llvm.store"]
    fits = (
        signed in (1, -1)
        and call.operands[0] is temp.results[0]
        and call.operands[1] is add.results[0]
        and copy.operands[0] is load.results[0]
        and copy.operands[1] is temp.results[0]
        and keep.operands[0] is call.results[0]
        and len(passed) == len(head.args)
        and all(p is (add.results[0] if a is index else a) for p, a in zip(passed, head.args, strict=True))
    )
    cell = keep.operands[1]
    last = stop_index(head, body, index, cell) if fits else None
    if last is None or cell is load.operands[0] or not local(cell) or not local(load.operands[0]):
        return None
    return Scan(index, signed, last % (1 << size), load.operands[0], cell)


def local(place: Value) -> bool:
    """Whether a place is a variable of its own: an `llvm.alloca`."""
    return isinstance(place.owner, Op) and place.owner.name == "llvm.alloca"


def stop_index(head: Block, body: Block, index: Value, cell: Value) -> int | None:
    """K, if the head goes on into the body exactly while the index is not K and the character is none of some constants."""
    end = head.ops[-1] if head.ops else None
    if end is None or end.name != "cf.cond_br" or end.successors[0][0] is not body or end.successors[0][1] or end.successors[1][0] is body:
        return None
    if any(o.name not in ("comb.icmp", "llvm.load", "comb.and", "cf.cond_br") for o in head.ops):
        return None
    found: list[int] = []
    todo = [end.operands[0]]
    while todo:
        op = todo.pop().owner
        if not isinstance(op, Op):
            return None
        if op.name == "comb.and":
            todo += op.operands
            continue
        if op.name != "comb.icmp" or op.attrs["predicate"] not in ("ne", 1):
            return None
        k = constant(op.operands[1])
        source = op.operands[0]
        if k is None:
            return None
        if source is index:
            found.append(k)
        elif not (isinstance(source.owner, Op) and source.owner.name == "llvm.load" and source.owner.operands[0] is cell):
            return None
    return found[0] if len(found) == 1 else None


def set_forward(lw: Lowerer, scan: Scan) -> Val:
    """At the start of the body: the index from which to go on."""
    index = lw.one(scan.index)
    ty = index.ty
    t = pointee(scan.cell)
    (char_type,) = layout(t).leaves if t is not None else (I(8),)
    char = lw.x("ld", char_type, lw.one(scan.cell), attr=(0, lw.site("character at an invalid address")))
    length = lw.x("ld", I64, lw.one(scan.string), attr=(LENGTH_OFFSET, lw.site("string at an invalid address")))
    short = lw.resize(length, ty)
    one = lw.const(ty, 1)
    following = lw.x("add" if scan.step > 0 else "sub", ty, index, one)
    wide = lw.x("sext", I64, following) if ty.size < 64 else following
    outside = lw.x("icmp", BOOL, wide, length, attr="uge")
    idle = lw.x("and", BOOL, outside, lw.x("icmp", BOOL, char, lw.zero(char_type), attr="eq"))

    def steps(to: Val) -> Val:
        """Steps from the index to another one, going round."""
        return lw.x("sub", ty, to, index) if scan.step > 0 else lw.x("sub", ty, index, to)

    to_last = steps(lw.const(ty, scan.last))
    # The index next to the string: -1 upwards, its length downwards. Without characters there is none to come back to.
    edge = steps(lw.const(ty, ty.mask)) if scan.step > 0 else steps(short)
    to_edge = lw.x("mux", ty, lw.x("icmp", BOOL, length, lw.i64(0), attr="eq"), to_last, edge)
    nearest = lw.x("mux", ty, lw.x("icmp", BOOL, to_last, to_edge, attr="ult"), to_last, to_edge)
    skipped = lw.x("sub", ty, nearest, one)
    skip = lw.x("and", BOOL, idle, lw.x("icmp", BOOL, nearest, lw.zero(ty), attr="ne"))
    target = lw.x("add" if scan.step > 0 else "sub", ty, index, skipped)
    return lw.x("mux", ty, skip, target, index)


__all__ = ["Scan", "scan_body", "set_forward"]
