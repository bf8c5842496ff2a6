"""moore: event controls, and the runtime functions that suspend or touch scheduling."""

from __future__ import annotations

from wasmjit.ir import Block, Op, Value
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.layout import layout
from wasmjit.sem.lower.core import Leaves, Lowerer, Unsupported, lowers
from wasmjit.sem.lower.disable import end_if
from wasmjit.sem.lower.refs import probe, signal_behind
from wasmjit.sem.lower.runtime import runtime_call
from wasmjit.sem.lower.waits import CALLS, Watch, refuse_suspension
from wasmjit.sem.mir import BOOL, I32, I64, I, Val

ANY, POSEDGE, NEGEDGE, BOTHEDGES = 0, 1, 2, 3
TRIGGERED = 3
"""Edge code of a dynamic wait: the event at that address is triggered."""
CHANGED_OR_TRIGGERED = 5
"""Edge code of a dynamic wait: what lies at that address changes, or it is an event and is triggered."""
EDGES = {"any": ANY, "posedge": POSEDGE, "negedge": NEGEDGE, "edge": BOTHEDGES, "bothedges": BOTHEDGES}


def edge_happened(lw: Lowerer, edge: int, old: Leaves, new: Leaves) -> Val:
    """Edge between two values (two-state or value/unknown leaves), IEEE 1800 Table 9-2."""
    if edge == ANY:
        changed: Val | None = None
        for o, n in zip(old, new, strict=True):
            c = lw.x("icmp", BOOL, o, n, attr="ne") if o.ty.kind != "f" else lw.x("fcmp", BOOL, o, n, attr="une")
            changed = c if changed is None else lw.x("or", BOOL, changed, c)
        return changed if changed is not None else lw.const(BOOL, 0)

    def bit(v: Val) -> Val:
        return v if v.ty.size == 1 else lw.x("extract", BOOL, v, attr=0)

    one = lw.const(BOOL, 1)
    ov, nv = bit(old[0]), bit(new[0])
    ou = bit(old[1]) if len(old) > 1 else lw.const(BOOL, 0)
    nu = bit(new[1]) if len(new) > 1 else lw.const(BOOL, 0)

    def known(v: Val, u: Val, level: int) -> Val:
        lit = v if level else lw.x("xor", BOOL, v, one)
        return lw.x("and", BOOL, lit, lw.x("xor", BOOL, u, one))

    def towards(level: int) -> Val:
        was_off, is_on = known(ov, ou, 1 - level), known(nv, nu, level)
        was_on, is_off = known(ov, ou, level), known(nv, nu, 1 - level)
        # 0 -> 1/x/z, or x/z -> 1 (mirrored for the other edge).
        left = lw.x("and", BOOL, was_off, lw.x("xor", BOOL, is_off, one))
        right = lw.x("and", BOOL, is_on, lw.x("xor", BOOL, was_on, one))
        return lw.x("or", BOOL, left, right)

    if edge == POSEDGE:
        return towards(1)
    if edge == NEGEDGE:
        return towards(0)
    return lw.x("or", BOOL, towards(1), towards(0))


@lowers("moore.detect_event", "moore.yield")
def _detect(lw: Lowerer, op: Op) -> None:
    if op.name == "moore.detect_event" and "detect" not in lw.extra:
        raise Unsupported(op, "moore.detect_event outside of moore.wait_event")


@lowers("moore.wait_event", suspends=True)
def _wait_event(lw: Lowerer, op: Op) -> None:
    """`@(...)`: evaluate the region, suspend, evaluate again at each change until one of the detected events happened."""
    blocks = op.regions[0].blocks
    if not blocks or not any(o.name == "moore.detect_event" for b in blocks for o in b.ops):
        # No event can be detected: an `@` on constants never continues.
        never = lw.new_block()
        need_suspension(lw, op)
        lw.goto(never)
        lw.b.set_block(never)
        lw.b.terminate(mir.Wait(never) if lw.kind in ("process", "coroutine") else mir.Ret(()))
        lw.b.set_block(lw.new_block())
        return
    need_suspension(lw, op)
    if len(blocks) != 1:
        raise Unsupported(op, "moore.wait_event with control flow in its region")
    body = blocks[0]
    if assigned_just_before(op, body):
        after = lw.new_block()
        lw.b.terminate(mir.Wait(after, time=(lw.i64(0), lw.i32(1), lw.i32(0))))
        lw.b.set_block(after)
        return
    detects = [o for o in body.ops if o.name == "moore.detect_event"]

    def evaluate() -> list[tuple[Leaves, Val | None]]:
        lw.extra["detect"] = True
        for o in body.ops:
            lw.run_op(o)
        del lw.extra["detect"]
        lw.op = op
        return [(lw.get(d.operands[0]), lw.one(d.operands[1]) if len(d.operands) > 1 else None) for d in detects]

    first = [leaves for leaves, _ in evaluate()]
    head, resume, done = lw.new_block(), lw.new_block(), lw.new_block()
    params = [tuple(lw.b.block_param(head, v.ty) for v in leaves) for leaves in first]
    lw.goto(head, tuple(v for leaves in first for v in leaves))
    lw.b.set_block(head)
    watch = Watch(lw)
    lw.extra["watch_ops"] = set(body.ops)
    for d in detects:
        watch.add(d.operands[0])
    wait = watch.wait(resume, None)
    lw.extra["watch_ops"] = ()
    lw.b.terminate(wait)
    lw.b.set_block(resume)
    now = evaluate()
    hit: Val | None = None
    for d, old, (new, cond) in zip(detects, params, now, strict=True):
        edge = d.attrs["edge"]
        code = edge if isinstance(edge, int) else EDGES[str(edge)]
        e = edge_happened(lw, code, old, new)
        if cond is not None:
            e = lw.x("and", BOOL, e, cond)
        hit = e if hit is None else lw.x("or", BOOL, hit, e)
    assert hit is not None
    lw.b.terminate(mir.CondBr(hit, done, (), head, tuple(v for new, _ in now for v in new)))
    lw.b.set_block(done)


def assigned_just_before(op: Op, body: Block) -> bool:
    """Whether an event control waits for nothing but a change of the static variable that the operation before it stored to: `x <= v; @(x);`.

    circt-verilog writes nonblocking assignments to static variables as stores. Where the next thing the process does is to wait for that very
    change (which tells it that the nonblocking assignments of the time step have been made), the change is still to come: the wait ends in the next
    delta cycle. After a blocking assignment such a wait would miss the change it was written for.
    """
    ops = op.parent.ops if op.parent is not None else []
    at = next((i for i, o in enumerate(ops) if o is op), 0)
    before = ops[at - 1] if at else None
    if before is None or before.name != "llvm.store":
        return False
    place = before.operands[1]
    static = isinstance(place.owner, Op) and place.owner.name == "llvm.mlir.addressof"
    loads = [o for o in body.ops if o.name == "llvm.load"]
    detects = [o for o in body.ops if o.name == "moore.detect_event"]
    plain = all(o.name in ("llvm.load", "moore.detect_event", "moore.yield", "builtin.unrealized_conversion_cast") for o in body.ops)
    any_change = len(detects) == 1 and len(detects[0].operands) == 1 and detects[0].attrs["edge"] in (ANY, "any")
    return static and plain and any_change and len(loads) == 1 and loads[0].operands[0] is place


def define(lw: Lowerer, op: Op, *leaves: Val) -> None:
    """Results of a call, resized to the types of the call."""
    if not op.results:
        return
    want = lw.lay(op.results[0]).leaves
    lw.set(op.results[0], [lw.resize(v, ty) for v, ty in zip(leaves, want, strict=True)])


@runtime_call("__moore_delay", suspends=True)
def _delay(lw: Lowerer, op: Op, operands: list[Value]) -> None:
    need_suspension(lw, op)
    resume = lw.new_block()
    lw.b.terminate(mir.Wait(resume, time=(lw.resize(lw.one(operands[0]), I64), lw.i32(0), lw.i32(0))))
    lw.b.set_block(resume)


def need_suspension(lw: Lowerer, op: Op) -> None:
    """In a plain call (module initialisation, a function pointer called where nothing may suspend) suspending is a simulation error."""
    if lw.kind not in ("process", "coroutine"):
        refuse_suspension(lw, op)


def pointee(v: Value) -> T.Type | None:
    """Type behind a pointer that was cast from a signal reference, if it is visible here."""
    owner = v.owner
    if isinstance(owner, Op):
        if owner.name == "builtin.unrealized_conversion_cast" and isinstance(owner.operands[0].type, T.RefType):
            return owner.operands[0].type.elem
        if owner.name == "llvm.alloca":
            t = owner.attrs["elem_type"]
            return t if isinstance(t, T.Type) else None
        if owner.name == "llvm.getelementptr":
            t = owner.attrs["elem_type"]
            for raw in list(owner.attrs["rawConstantIndices"])[1:]:
                if isinstance(t, T.LLVMStructType):
                    t = t.members[int(raw)]
                elif isinstance(t, (T.LLVMArrayType, T.ArrayType)):
                    t = t.elem
                else:
                    return None
            return t if isinstance(t, T.Type) else None
    return None


@runtime_call("__moore_wait_event", suspends=True)
def _rt_wait_event(lw: Lowerer, op: Op, operands: list[Value]) -> None:
    """Wait for an edge (0 any, 1 posedge, 2 negedge) of what the pointer refers to, or for a trigger of the event there."""
    need_suspension(lw, op)
    kind = lw.one(operands[0])
    ptr = lw.one(operands[1])
    edge = int(kind.const) if kind.const is not None else ANY
    t = pointee(operands[1])
    lay = layout(t) if t is not None else layout(T.IntType(1))
    site = lw.site("event control on an invalid address")

    signal = signal_behind(lw, operands[1], lay)

    def read() -> Leaves:
        if signal is not None:
            return tuple(probe(lw, signal, lay))
        return tuple(lw.x("ld", ty, ptr, attr=(off, site)) for ty, off in zip(lay.leaves, lay.offs, strict=True))

    first = read()
    head, resume, done = lw.new_block(), lw.new_block(), lw.new_block()
    params = tuple(lw.b.block_param(head, v.ty) for v in first)
    lw.goto(head, first)
    lw.b.set_block(head)
    lw.b.terminate(mir.Wait(resume, None, ((ptr, max(lay.size, 1), CHANGED_OR_TRIGGERED),)))
    lw.b.set_block(resume)
    if edge == ANY:
        lw.goto(done)
    else:
        now = read()
        lw.b.terminate(mir.CondBr(edge_happened(lw, edge, params[:2], now[:2]), done, (), head, now))
    lw.b.set_block(done)


@runtime_call("__moore_wait_condition", suspends=True)
def _wait_condition(lw: Lowerer, op: Op, operands: list[Value]) -> None:
    """`wait (cond)`: the operand is the condition as evaluated before the call; while it is false the cone of the operand is evaluated again
    whenever something it reads changes.
    """
    need_suspension(lw, op)
    value = operands[0]
    cond = lw.one(value)
    wait, resume, done = lw.new_block(), lw.new_block(), lw.new_block()
    lw.b.terminate(mir.CondBr(lw.x("icmp", BOOL, cond, lw.zero(cond.ty), attr="ne"), done, (), wait, ()))
    lw.b.set_block(wait)
    given = lw.extra.get("captured", set())
    lw.extra["captured"] = given | read_before(op, value)
    watch = Watch(lw)
    watch.add(value)
    lw.b.terminate(watch.wait(resume, None))
    lw.b.set_block(resume)
    again = watch.evaluate(value)[0]
    lw.extra["captured"] = given
    lw.b.terminate(mir.CondBr(lw.x("icmp", BOOL, again, lw.zero(again.ty), attr="ne"), done, (), wait, ()))
    lw.b.set_block(done)


def read_before(op: Op, condition: Value) -> set[Value]:
    """What the cone of a condition reads in other blocks than that of the wait: the values of local variables, not part of the expression."""
    found: set[Value] = set()
    seen: set[Value] = set()
    stack = [condition]
    while stack:
        v = stack.pop()
        owner = v.owner
        if v in seen or not isinstance(owner, Op):
            continue
        seen.add(v)
        if owner.parent is not op.parent and owner.name in ("llvm.load", "llhd.prb", *CALLS):
            found.add(v)
        else:
            stack += owner.operands
    return found


@runtime_call("__moore_event_trigger")
def _event_trigger(lw: Lowerer, op: Op, operands: list[Value]) -> None:
    lw.do("rt", lw.one(operands[0]), attr="k_event_trigger")


@runtime_call("__moore_event_triggered")
def _event_triggered(lw: Lowerer, op: Op, operands: list[Value]) -> None:
    define(lw, op, lw.x("rt", I32, lw.one(operands[0]), attr="k_event_triggered"))


# -- std::process (IEEE 1800 §9.7); a handle is the process id plus one so that null stays invalid ----------------------------------------------


@runtime_call("__moore_process_self")
def _self(lw: Lowerer, op: Op, operands: list[Value]) -> None:
    lw.do("gcpoll")
    define(lw, op, lw.x("zext", I64, lw.x("rt", I32, attr="k_process_handle")))


@runtime_call("__moore_process_status")
def _status(lw: Lowerer, op: Op, operands: list[Value]) -> None:
    define(lw, op, lw.x("rt", I32, process_id(lw, operands[0]), attr="k_proc_status"))


def process_id(lw: Lowerer, handle: Value) -> Val:
    return lw.x("sub", I32, lw.resize(not_null(lw, handle, "process"), I32), lw.i32(1))


def not_null(lw: Lowerer, handle: Value, what: str) -> Val:
    """A handle, as 64 bits; a method of a null one is a simulation error."""
    value = lw.resize(lw.one(handle), I64)
    refuse(lw, lw.x("icmp", BOOL, value, lw.i64(0), attr="eq"), f"access to a null {what}")
    return value


def refuse(lw: Lowerer, condition: Val, message: str) -> None:
    """A simulation error if the condition holds."""
    if condition.const == 0:
        return
    bad, good = lw.new_block(), lw.new_block()
    lw.b.terminate(mir.CondBr(condition, bad, (), good, ()))
    lw.b.set_block(bad)
    lw.b.terminate(mir.Fault(lw.site(message)))
    lw.b.set_block(good)


def _simple(name: str, export: str) -> None:
    @runtime_call(name)
    def _lower(lw: Lowerer, op: Op, operands: list[Value]) -> None:
        lw.do("rt", process_id(lw, operands[0]), attr=export)


@runtime_call("__moore_process_kill", suspends=True)
def _kill(lw: Lowerer, op: Op, operands: list[Value]) -> None:
    end_if(lw, lw.x("rt", I32, process_id(lw, operands[0]), attr="k_kill"))


_simple("__moore_process_resume", "k_resume")


@runtime_call("__moore_process_suspend", suspends=True)
def _suspend(lw: Lowerer, op: Op, operands: list[Value]) -> None:
    need_suspension(lw, op)
    proc = process_id(lw, operands[0])
    lw.do("rt", proc, attr="k_suspend")
    me = lw.x("icmp", BOOL, lw.x("rt", I32, attr="k_self"), proc, attr="eq")
    wait, done = lw.new_block(), lw.new_block()
    lw.b.terminate(mir.CondBr(me, wait, (), done, ()))
    lw.b.set_block(wait)
    lw.b.terminate(mir.Wait(done))
    lw.b.set_block(done)


@runtime_call("__moore_process_await", suspends=True)
def _await(lw: Lowerer, op: Op, operands: list[Value]) -> None:
    need_suspension(lw, op)
    proc = process_id(lw, operands[0])
    refuse(lw, lw.x("icmp", BOOL, lw.x("rt", I32, attr="k_self"), proc, attr="eq"), "a process waits for its own end")
    wait, done = lw.new_block(), lw.new_block()
    must = lw.x("icmp", BOOL, lw.x("rt", I32, proc, attr="k_await"), lw.i32(0), attr="ne")
    lw.b.terminate(mir.CondBr(must, wait, (), done, ()))
    lw.b.set_block(wait)
    lw.b.terminate(mir.Wait(done))
    lw.b.set_block(done)


def blocking(lw: Lowerer, op: Op, export: str, args: Leaves) -> None:
    """Call `export`; when it returns 0 it has queued the process, and what was asked for is there when the process wakes."""
    need_suspension(lw, op)
    wait, done = lw.new_block(), lw.new_block()
    ok = lw.x("icmp", BOOL, lw.x("rt", I32, *args, attr=export), lw.i32(0), attr="ne")
    lw.b.terminate(mir.CondBr(ok, done, (), wait, ()))
    lw.b.set_block(wait)
    lw.b.terminate(mir.Wait(done))
    lw.b.set_block(done)


# -- semaphores and mailboxes (IEEE 1800 §15.3, §15.4) -------------------------------------------------------------------------------------------


@runtime_call("__moore_semaphore_get", suspends=True)
def _semaphore_get(lw: Lowerer, op: Op, operands: list[Value]) -> None:
    handle, keys = not_null(lw, operands[0], "semaphore"), lw.resize(lw.one(operands[1]), I32)
    refuse_negative(lw, keys)
    blocking(lw, op, "rt_semaphore_get", (handle, keys))


def refuse_negative(lw: Lowerer, keys: Val) -> None:
    refuse(lw, lw.x("icmp", BOOL, keys, lw.i32(0), attr="slt"), "a negative number of semaphore keys")


@runtime_call("__moore_mailbox_put", suspends=True)
def _mailbox_put(lw: Lowerer, op: Op, operands: list[Value]) -> None:
    blocking(lw, op, "rt_mailbox_put", (not_null(lw, operands[0], "mailbox"), lw.resize(lw.one(operands[1]), I64)))


def _mailbox_out(name: str, export: str, suspends: bool) -> None:
    @runtime_call(name, suspends=suspends)
    def _lower(lw: Lowerer, op: Op, operands: list[Value]) -> None:
        """The message goes through a stack cell so that the destination may be a signal."""
        handle, dest = not_null(lw, operands[0], "mailbox"), lw.one(operands[1])
        cell = lw.x("alloca", I64, lw.i64(1), attr=(8, 8))
        addr = lw.x("extract", I32, cell, attr=0)
        if suspends:
            blocking(lw, op, export, (handle, addr))
            lw.do("st", dest, lw.x("ld", I64, cell, attr=(0, lw.site("mailbox cell"))), attr=(0, lw.site("mailbox destination")))
            return
        got = lw.x("rt", I32, handle, addr, attr=export)
        yes, done = lw.new_block(), lw.new_block()
        lw.b.terminate(mir.CondBr(lw.x("icmp", BOOL, got, lw.i32(0), attr="ne"), yes, (), done, ()))
        lw.b.set_block(yes)
        lw.do("st", dest, lw.x("ld", I64, cell, attr=(0, lw.site("mailbox cell"))), attr=(0, lw.site("mailbox destination")))
        lw.goto(done)
        lw.b.set_block(done)
        define(lw, op, got)


_mailbox_out("__moore_mailbox_get", "rt_mailbox_get", True)
_mailbox_out("__moore_mailbox_peek", "rt_mailbox_peek", True)
_mailbox_out("__moore_mailbox_tryget", "rt_mailbox_tryget", False)
_mailbox_out("__moore_mailbox_trypeek", "rt_mailbox_trypeek", False)


def _direct(name: str, export: str, params: tuple[int, ...]) -> None:
    @runtime_call(name)
    def _lower(lw: Lowerer, op: Op, operands: list[Value]) -> None:
        if params[0] == 64:
            not_null(lw, operands[0], export.split("_")[1])
        args = [lw.resize(lw.one(v), I(w)) for v, w in zip(operands, params, strict=False)]
        if params == (64, 32):
            refuse_negative(lw, args[1])
        args += [lw.zero(I(w)) for w in params[len(args) :]]
        if export == "rt_mailbox_create":
            refuse(lw, lw.x("icmp", BOOL, args[0], lw.i32(0), attr="slt"), "a negative mailbox bound")
            lw.do("gcpoll")
        if op.results:
            want = lw.lay(op.results[0]).leaves[0]
            lw.set(op.results[0], lw.resize(lw.x("rt", I64 if export.endswith(("_create", "_num", "_init")) else I32, *args, attr=export), want))
        else:
            lw.emit("rt", (I64,) if export.endswith(("_create", "_num", "_init")) else (I32,), tuple(args), export)


_direct("__moore_semaphore_create", "rt_semaphore_init", (64, 32))
_direct("__moore_semaphore_put", "rt_semaphore_put", (64, 32))
_direct("__moore_semaphore_try_get", "rt_semaphore_try_get", (64, 32))
_direct("__moore_mailbox_create", "rt_mailbox_create", (32,))
_direct("__moore_mailbox_num", "rt_mailbox_num", (64,))
_direct("__moore_mailbox_tryput", "rt_mailbox_tryput", (64, 64))
