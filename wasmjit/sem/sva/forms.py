"""Forms of `ltl` operations in which circt-verilog writes what the dialect has no operation for (conventions: `translate`)."""

from __future__ import annotations

from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem.sva.sequence import INF


def bounds(op: Op, low: str, span: str) -> tuple[int, int]:
    """(minimum, maximum or INF) of a delay or repetition."""
    m = int(op.attrs.get(low, 0))
    n = op.attrs.get(span)
    return m, INF if n is None else m + int(n)


def within_operand(v: Value) -> Value | None:
    """s, if v is what circt-verilog makes of `1[*0:$] ##1 s ##1 1[*0:$]` for `s within t`."""
    op = v.owner
    if not isinstance(op, Op) or op.name != "ltl.concat" or len(op.operands) != 3 or not is_true(op.operands[2]):
        return None
    before, middle = op.operands[0].owner, op.operands[1].owner
    for d in (before, middle):
        if not isinstance(d, Op) or d.name != "ltl.delay" or bounds(d, "delay", "length") != (1, 1):
            return None
    assert isinstance(before, Op) and isinstance(middle, Op)
    rep = before.operands[0].owner
    if not isinstance(rep, Op) or rep.name != "ltl.repeat" or bounds(rep, "base", "more") != (0, INF) or not is_true(rep.operands[0]):
        return None
    return middle.operands[0]


def next_tick_operand(v: Value) -> Value | None:
    """s, if v is the antecedent that circt-verilog makes of `s |=> p` and `s #=# p` with a property p: `past(s, 1)` or `concat(delay(s, 1, 0), true)`."""
    op = v.owner
    if not isinstance(op, Op):
        return None
    if op.name == "ltl.past" and op.attrs["delay"] == 1:
        return op.operands[0]
    if op.name != "ltl.concat" or len(op.operands) != 2 or not is_true(op.operands[1]):
        return None
    return delayed_operand(op.operands[0])


def delayed_operand(v: Value) -> Value | None:
    """s, if v is `delay(s, 1, 0)`."""
    d = v.owner
    return d.operands[0] if isinstance(d, Op) and d.name == "ltl.delay" and bounds(d, "delay", "length") == (1, 1) else None


def abort_action(op: Op) -> str:
    """"accept" or "reject" if an operation is an abort operator, else ""."""
    action = op.attrs.get("sva.abort_on.action")
    return action if action in ("accept", "reject") and len(op.operands) == 2 else ""


def aborts(v: Value) -> bool:
    """Whether a value of the type of a sequence is a property in truth: an abort operator or disable iff around a sequence has the type of that."""
    op = v.owner
    if not isinstance(op, Op) or v.type == T.IntType(1) or op.name not in ("ltl.or", "ltl.and", "ltl.delay", "ltl.clock"):
        return False
    return is_disable_iff(op) or bool(abort_action(op)) or any(aborts(o) for o in op.operands)


def is_disable_iff(op: Op) -> bool:
    """`disable iff (c) p` arrives as `or(c, p) {sva.disable_iff}` where it is not part of the assertion's enable."""
    return op.name == "ltl.or" and "sva.disable_iff" in op.attrs and len(op.operands) == 2 and op.operands[0].type == T.IntType(1)


def is_true(v: Value) -> bool:
    return isinstance(v.owner, Op) and v.owner.name == "hw.constant" and v.type == T.IntType(1) and bool(int(v.owner.attrs["value"]) & 1)


def unbounded(v: Value, seen: set[Value]) -> bool:
    """Whether the wait for a match of a sequence has no bound: a delay without an upper limit, `[->n]`, `[=n]`."""
    op = v.owner
    if v in seen or not isinstance(op, Op) or not op.name.startswith("ltl.") or op.name in ("ltl.triggered", "ltl.matched"):
        return False
    seen.add(v)
    if op.name in ("ltl.goto_repeat", "ltl.non_consecutive_repeat") or (
        op.name in ("ltl.delay", "ltl.clocked_delay") and op.attrs.get("length") is None
    ):
        return True
    return any(unbounded(o, seen) for o in op.operands)
