"""Semaphores, mailboxes, events and waits as operations of the sim dialect (IEEE 1800 §9.4.3, §15): the same as the runtime functions of these names (`moore`).

A message is an integer of up to 64 bits, a float or a pointer; it travels as 64 bits.
"""

from __future__ import annotations

from wasmjit.ir import Op, Value
from wasmjit.sem import mir
from wasmjit.sem.lower.core import Lowerer, Unsupported, lowers
from wasmjit.sem.lower.llhd import now
from wasmjit.sem.lower.moore import TRIGGERED, blocking, need_suspension, not_null, refuse_negative
from wasmjit.sem.lower.waits import Watch
from wasmjit.sem.mir import BOOL, I32, I64, I, Ty, Val

HANDLE_BYTES = 16
"""Size of the object that names a semaphore or an event."""


def new_handle(lw: Lowerer) -> Val:
    lw.do("gcpoll")
    return lw.x("zext", I64, lw.x("rt", I32, lw.i64(1), lw.i64(HANDLE_BYTES), attr="calloc"))


def keys(lw: Lowerer, op: Op) -> Val:
    """The number of keys that an operation names; 1 when it names none."""
    count = lw.i32(1) if len(op.operands) < 2 else lw.resize(lw.one(op.operands[1]), I32)
    refuse_negative(lw, count)
    return count


def message_type(lw: Lowerer, v: Value) -> Ty:
    ty = lw.leaf(v)
    if ty.kind == "a" or ty.size > 64:
        raise Unsupported(lw.op, f"a message of type {v.type} does not fit into 64 bits")
    return ty


def to_word(lw: Lowerer, v: Value) -> Val:
    """A message as 64 bits."""
    ty, value = message_type(lw, v), lw.one(v)
    if ty.kind == "f":
        value = lw.x("f2bits", I(ty.size), value)
    return lw.resize(value, I64)


def from_word(lw: Lowerer, word: Val, ty: Ty) -> Val:
    if ty.kind == "f":
        return lw.x("bits2f", ty, lw.resize(word, I(ty.size)))
    return lw.resize(word, ty)


# -- semaphores ----------------------------------------------------------------------------------------------------------------------


@lowers("sim.semaphore.create")
def _semaphore_create(lw: Lowerer, op: Op) -> None:
    count = lw.resize(lw.one(op.operands[0]), I32)
    refuse_negative(lw, count)
    handle = new_handle(lw)
    lw.emit("rt", (I64,), (handle, count), "rt_semaphore_init")
    lw.set(op.results[0], handle)


@lowers("sim.semaphore.get", suspends=True)
def _semaphore_get(lw: Lowerer, op: Op) -> None:
    blocking(lw, op, "rt_semaphore_get", (not_null(lw, op.operands[0], "semaphore"), keys(lw, op)))


@lowers("sim.semaphore.put")
def _semaphore_put(lw: Lowerer, op: Op) -> None:
    lw.emit("rt", (I32,), (not_null(lw, op.operands[0], "semaphore"), keys(lw, op)), "rt_semaphore_put")


@lowers("sim.semaphore.try_get")
def _semaphore_try_get(lw: Lowerer, op: Op) -> None:
    got = lw.x("rt", I32, not_null(lw, op.operands[0], "semaphore"), keys(lw, op), attr="rt_semaphore_try_get")
    lw.set(op.results[0], lw.resize(got, lw.leaf(op.results[0])))


# -- mailboxes -----------------------------------------------------------------------------------------------------------------------


@lowers("sim.mailbox.create")
def _mailbox_create(lw: Lowerer, op: Op) -> None:
    bound = int(op.attrs.get("bound") or 0)
    if bound < 0:
        raise Unsupported(op, "a negative mailbox bound")
    lw.do("gcpoll")
    lw.set(op.results[0], lw.resize(lw.x("rt", I64, lw.i32(bound), attr="rt_mailbox_create"), lw.leaf(op.results[0])))


@lowers("sim.mailbox.put", suspends=True)
def _mailbox_put(lw: Lowerer, op: Op) -> None:
    blocking(lw, op, "rt_mailbox_put", (not_null(lw, op.operands[0], "mailbox"), to_word(lw, op.operands[1])))


@lowers("sim.mailbox.try_put")
def _mailbox_try_put(lw: Lowerer, op: Op) -> None:
    got = lw.x("rt", I32, not_null(lw, op.operands[0], "mailbox"), to_word(lw, op.operands[1]), attr="rt_mailbox_tryput")
    lw.set(op.results[0], lw.resize(got, lw.leaf(op.results[0])))


def message_cell(lw: Lowerer) -> tuple[Val, Val]:
    """Room for a message: a pointer to it, and its address for the kernel."""
    cell = lw.x("alloca", I64, lw.i64(1), attr=(8, 8))
    return cell, lw.x("extract", I32, cell, attr=0)


def read_cell(lw: Lowerer, cell: Val) -> Val:
    return lw.x("ld", I64, cell, attr=(0, lw.site("mailbox cell")))


@lowers("sim.mailbox.get", "sim.mailbox.peek", suspends=True)
def _mailbox_get(lw: Lowerer, op: Op) -> None:
    ty = message_type(lw, op.results[0])
    cell, address = message_cell(lw)
    blocking(lw, op, "rt_mailbox_get" if op.name.endswith("get") else "rt_mailbox_peek", (not_null(lw, op.operands[0], "mailbox"), address))
    lw.set(op.results[0], from_word(lw, read_cell(lw, cell), ty))


@lowers("sim.mailbox.try_get", "sim.mailbox.try_peek")
def _mailbox_try_get(lw: Lowerer, op: Op) -> None:
    """(success, message): the message is 0 without success."""
    ty = message_type(lw, op.results[1])
    cell, address = message_cell(lw)
    export = "rt_mailbox_tryget" if op.name.endswith("get") else "rt_mailbox_trypeek"
    got = lw.x("rt", I32, not_null(lw, op.operands[0], "mailbox"), address, attr=export)
    lw.set(op.results[0], lw.resize(got, lw.leaf(op.results[0])))
    lw.set(op.results[1], from_word(lw, read_cell(lw, cell), ty))


@lowers("sim.mailbox.num")
def _mailbox_num(lw: Lowerer, op: Op) -> None:
    n = lw.x("rt", I64, not_null(lw, op.operands[0], "mailbox"), attr="rt_mailbox_num")
    lw.set(op.results[0], lw.resize(n, lw.leaf(op.results[0])))


# -- events --------------------------------------------------------------------------------------------------------------------------


@lowers("sim.event.create")
def _event_create(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], lw.resize(new_handle(lw), lw.leaf(op.results[0])))


@lowers("sim.event.trigger")
def _event_trigger(lw: Lowerer, op: Op) -> None:
    """Triggering a null event has no effect (§15.5.5)."""
    if op.attrs.get("nonblocking"):
        raise Unsupported(op, "a trigger in the NBA region")
    lw.do("rt", lw.resize(lw.one(op.operands[0]), I64), attr="k_event_trigger")


@lowers("sim.event.wait", suspends=True)
def _event_wait(lw: Lowerer, op: Op) -> None:
    need_suspension(lw, op)
    resume = lw.new_block()
    lw.b.terminate(mir.Wait(resume, None, ((not_null(lw, op.operands[0], "event"), 1, TRIGGERED),)))
    lw.b.set_block(resume)


# -- time and conditions -------------------------------------------------------------------------------------------------------------


@lowers("sim.delay", suspends=True)
def _delay(lw: Lowerer, op: Op) -> None:
    """A time, or a number of femtoseconds."""
    need_suspension(lw, op)
    leaves = lw.get(op.operands[0])
    fs, delta, eps = leaves if len(leaves) == 3 else (lw.resize(leaves[0], I64), lw.i32(0), lw.i32(0))
    resume = lw.new_block()
    lw.b.terminate(mir.Wait(resume, time=(fs, delta, eps)))
    lw.b.set_block(resume)


@lowers("sim.wait", suspends=True)
def _wait(lw: Lowerer, op: Op) -> None:
    """Wait until the condition holds; with a time limit at most so long. The result says whether the time was over."""
    need_suspension(lw, op)
    condition = op.operands[0]
    limit = op.attrs.get("timeoutFemtoseconds")
    end = lw.x("add", I64, now(lw), lw.i64(int(limit))) if limit is not None else None
    head, wait, resume, done = lw.new_block(), lw.new_block(), lw.new_block(), lw.new_block()
    first = lw.one(condition)
    value = lw.b.block_param(head, first.ty)
    late = lw.b.block_param(done, BOOL)
    lw.goto(head, (first,))
    lw.b.set_block(head)
    lw.b.terminate(mir.CondBr(lw.x("icmp", BOOL, value, lw.zero(value.ty), attr="ne"), done, (lw.const(BOOL, 0),), wait, ()))
    lw.b.set_block(wait)
    watch = Watch(lw)
    watch.add(condition)
    time = None
    if end is not None:
        left = lw.x("sub", I64, end, now(lw))
        over, more = lw.x("icmp", BOOL, end, now(lw), attr="ule"), lw.new_block()
        lw.b.terminate(mir.CondBr(over, done, (lw.const(BOOL, 1),), more, ()))
        lw.b.set_block(more)
        time = (left, lw.i32(0), lw.i32(0))
    lw.b.terminate(watch.wait(resume, time))
    lw.b.set_block(resume)
    lw.goto(head, (watch.evaluate(condition)[0],))
    lw.b.set_block(done)
    if op.results:
        lw.set(op.results[0], lw.resize(late, lw.leaf(op.results[0])))
