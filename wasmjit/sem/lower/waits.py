"""llhd.wait: what a suspension listens to, and whether a wake-up means a change (LLHD: observed values)."""

from __future__ import annotations

from typing import Any

from wasmjit.ir import Block, Op, Region, Value
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.lower.core import Leaves, Lowerer, lowers
from wasmjit.sem.lower.llhd import parse_time
from wasmjit.sem.lower.refs import Ref, pointer, ref_of
from wasmjit.sem.mir import I32, I64, I, Val


@lowers("llhd.wait", suspends=True)
def _wait(lw: Lowerer, op: Op) -> None:
    if lw.kind != "process" and lw.kind != "coroutine":
        refuse_suspension(lw, op)
        dest, dest_args = op.successors[0]
        args = lw.args(dest_args)
        lw.b.terminate(mir.Br(lw.block(dest), (*args, *(lw.zero(p.ty) for p in lw.block(dest).params[len(args) :]))))
        return
    yielded = op.group("yieldOperands")
    if lw.yields is not None and yielded:
        lw.yields(list(yielded))
    dest, dest_args = op.successors[0]
    args = lw.args(dest_args)
    # circt-verilog leaves trailing destination operands out when their value does not matter.
    missing = lw.block(dest).params[len(args) :]
    args = (*args, *(lw.zero(p.ty) for p in missing))
    delay = op.group("delay")
    observed = op.group("observed")
    time: tuple[Val, Val, Val] | None = None
    if delay:
        t = lw.get(delay[0])
        time = (t[0], t[1], t[2])
    if not delay and not observed:
        if lw.program.from_frontend():
            suspend_on_memory(lw, op)
        else:
            suspend_reading(lw, dest)
    else:
        behind = overtaken(lw, op, observed) if not delay else []
        if behind:
            # The process itself has changed what it observes since it looked: in LLHD that change comes an epsilon after the wait began.
            normal, soon, done = lw.new_block(), lw.new_block(), lw.new_block()
            changed = differs(lw, [lw.get(v) for v in behind], [reevaluate(lw, v, {}) for v in behind])
            lw.b.terminate(mir.CondBr(changed, soon, (), normal, ()))
            lw.b.set_block(soon)
            lw.b.terminate(mir.Wait(done, time=(lw.i64(0), lw.i32(0), lw.i32(1))))
            lw.b.set_block(normal)
            suspend_observing(lw, observed, None)
            lw.goto(done)
            lw.b.set_block(done)
        else:
            suspend_observing(lw, observed, time)
    lw.b.terminate(mir.Br(lw.block(dest), args))


def suspend_on_memory(lw: Lowerer, op: Op) -> None:
    """A wait that observes nothing. circt-verilog writes an event control on fields of an interface like that, since it has no name for them: it reads
    them in the block of the wait, and again behind it, where it decides whether the event happened. So the wait listens to what its block has loaded.
    """
    block = op.parent
    watch = Watch(lw)
    assert block is not None
    own = [o for o in block.ops if o.name == "llvm.load" and o.results[0] in lw.values]
    for o in own:
        watch.cone(o.results[0])
    watch.nets = []
    if not own:
        # `always_comb` that reads fields of interfaces and nothing else: whatever the process loads.
        watch.dyn += loaded_elsewhere(lw, block, watch)
    resume = lw.new_block()
    lw.b.terminate(watch.wait(resume, None))
    lw.b.set_block(resume)


def loaded_elsewhere(lw: Lowerer, block: Block, watch: Watch) -> list[tuple[Val, int, int]]:
    """Memory that the process of `block` loads from, as far as the addresses can be computed in that block; its own variables are left out."""
    region = block.region
    assert region is not None
    above = {b for b in region.blocks if dominates(b, block)}
    found: dict[Value, int] = {}
    for b in region.blocks:
        for o in b.ops:
            address = o.operands[0] if o.name == "llvm.load" else None
            if address is not None and address in lw.values and computable(address, region, above):
                found[address] = max(found.get(address, 1), lw.lay(o.results[0]).size)
    return [(reevaluate(lw, address, watch.fresh)[0], size, 0) for address, size in found.items()]


def dominates(a: Block, b: Block) -> bool:
    """Whether every path from the entry to `b` goes through `a`."""
    entry = b.region.blocks[0] if b.region is not None else b
    seen = {a}
    todo = [] if entry is a else [entry]
    while todo:
        x = todo.pop()
        if x in seen:
            continue
        if x is b:
            return False
        seen.add(x)
        todo += [s for s, _ in x.ops[-1].successors] if x.ops else []
    return True


def computable(v: Value, region: Region, above: set[Block]) -> bool:
    """Whether an address can be computed where the blocks `above` have been passed; addresses of local variables are not wanted."""
    owner = v.owner
    if not isinstance(owner, Op):
        return owner in above or owner.region is not region
    if owner.name == "llvm.alloca":
        return False
    if owner.parent is None or owner.parent.region is not region:
        return True
    if owner.name in _REEVALUATED:
        return owner.parent in above
    if owner.name in _PURE_LLVM or owner.name.startswith(_PURE_DIALECTS):
        return all(computable(o, region, above) for o in owner.operands)
    return owner.parent in above


def suspend_reading(lw: Lowerer, dest: Block) -> None:
    """A wait that names nothing listens to the signals that are read after it, up to the next suspension; without any it never ends."""
    watch = Watch(lw)
    seen: set[Block] = set()
    todo = [dest]
    while todo:
        block = todo.pop()
        if block in seen:
            continue
        seen.add(block)
        for op in block.ops:
            if op.name == "llhd.prb":
                signal = base_signal(op.operands[0])
                home = signal.owner.parent if isinstance(signal.owner, Op) else signal.owner
                outside = home is not None and home.region is not dest.region
                net = ref_of(lw, signal).net if signal in lw.values or outside else None
                if net is not None:
                    watch.nets.append(net)
            if op.name == "llhd.wait":
                break
        else:
            todo += [b for b, _ in block.ops[-1].successors]
    resume = lw.new_block()
    lw.b.terminate(watch.wait(resume, None))
    lw.b.set_block(resume)


def base_signal(v: Value) -> Value:
    """The signal that a reference is (part of)."""
    while isinstance(v.owner, Op) and v.owner.name.startswith("llhd.sig.") and v.owner.operands:
        v = v.owner.operands[0]
    return v


def overtaken(lw: Lowerer, op: Op, observed: list[Value]) -> list[Value]:
    """Observed probes when all are of signals that this process drives without delay, so that they may have changed since the probe.

    A process that also listens to others does not wake itself: combinational processes do not see their own assignments (IEEE 1800 §9.2.2.2.1).
    Neither does any process of a design from SystemVerilog, where there is no event while nobody waits (§9.4.2).
    """
    block = op.parent
    if not observed or block is None or lw.program.from_frontend():
        return []
    region = block.region
    driven: set[Value] | None = lw.extra.setdefault("driven", {}).get(region)
    if driven is None:
        driven = lw.extra["driven"][region] = {
            base_signal(o.group("signal")[0]) for b in region.blocks for o in b.ops if o.name == "llhd.drv" and no_delay(o.group("time")[0])
        }
    own = [v for v in observed if isinstance(v.owner, Op) and v.owner.name == "llhd.prb" and v in lw.values and base_signal(v.owner.operands[0]) in driven]
    return own if len(own) == len(observed) else []


def no_delay(time: Value) -> bool:
    src = time.owner
    return isinstance(src, Op) and src.name == "llhd.constant_time" and parse_time(src.attrs["value"])[:2] == (0, 0)


def refuse_suspension(lw: Lowerer, op: Op) -> None:
    """Suspending in a call that cannot suspend is a simulation error at run time."""
    bad, after = lw.new_block(), lw.new_block()
    # The branch keeps what follows in the graph, so that it is checked like everything else.
    lw.b.terminate(mir.CondBr(lw.x("icmp", I(1), lw.x("ldt", I32, lw.i32(0), attr=184), lw.i32(0), attr="eq"), bad, (), after, ()))
    lw.b.set_block(bad)
    lw.b.terminate(mir.Fault(lw.site("a process would be suspended inside a call that cannot suspend", op)))
    lw.b.set_block(after)


def suspend_observing(lw: Lowerer, observed: list[Value], time: tuple[Val, Val, Val] | None) -> None:
    """Suspend until an observed value differs from what it is now, or for `time`. Continues in the current block."""
    watch = Watch(lw)
    for v in observed:
        watch.add(v)
    old = [watch.evaluate(v) for v in watch.composite] if time is None else []
    again, resume = lw.new_block(), lw.new_block()
    lw.goto(again)
    lw.b.set_block(again)
    lw.b.terminate(watch.wait(resume, time))
    lw.b.set_block(resume)
    if old and not watch.exact:
        done = lw.new_block()
        changed = differs(lw, old, [watch.evaluate(v) for v in watch.composite])
        lw.b.terminate(mir.CondBr(changed, done, (), again, ()))
        lw.b.set_block(done)


def differs(lw: Lowerer, old: list[Leaves], new: list[Leaves]) -> Val:
    changed: Val | None = None
    for os, ns in zip(old, new, strict=True):
        for o, n in zip(os, ns, strict=True):
            if o is n:
                continue
            c = lw.x("icmp", I(1), o, n, attr="ne") if o.ty.kind != "f" else lw.x("fcmp", I(1), o, n, attr="une")
            changed = c if changed is None else lw.x("or", I(1), changed, c)
    return changed if changed is not None else lw.const(I(1), 0)


class Watch:
    """What a suspension listens to: static nets, references and memory found in the cones of observed values.

    `exact` stays true while every observed value is a whole net: then a wake-up means that it changed.
    """

    def __init__(self, lw: Lowerer) -> None:
        self.lw = lw
        self.nets: list[Any] = []
        self.dyn: list[tuple[Val, int, int]] = []
        self.composite: list[Value] = []
        self.exact = True
        self.seen: set[Value] = set()
        self.fresh: dict[Value, Leaves] = {}

    def add(self, v: Value) -> None:
        self.composite.append(v)
        self.cone(v, top=True)

    def cone(self, v: Value, top: bool = False) -> None:
        if v in self.seen:
            return
        self.seen.add(v)
        lw = self.lw
        owner = v.owner
        if not isinstance(owner, Op) or v in lw.extra.get("captured", ()):
            return
        if not self.inside(owner):
            if lw.scope is not None:
                net = lw.scope.sens_net(lw, v)
                if net is not None:
                    self.nets.append(net)
                else:
                    # Continuous logic that is stored nowhere: whatever it reads.
                    self.exact = False
                    self.nets.extend(lw.scope.sources(v))
            return
        if owner.name == "llhd.prb":
            ref = ref_of(lw, owner.operands[0])
            if ref.net is not None and ref.dyn is None and ref.valid is None:
                self.nets.append(ref.net)
                # A probe of part of a net is woken by changes of the rest as well.
                if not top or ref.off or ref.bit is not None or not isinstance(owner.operands[0].owner, Op) or owner.operands[0].owner.name != "llhd.sig":
                    self.exact = False
            else:
                self.exact = False
                ptr, _ = pointer(lw, ref)
                lay = lw.lay(v)
                self.dyn.append((ptr, max(lay.size, 1), 0))
            return
        self.exact = False
        if owner.name == "llvm.load":
            # The address may itself come from memory that has changed since.
            lay = lw.lay(v)
            self.dyn.append((reevaluate(lw, owner.operands[0], self.fresh)[0], max(lay.size, 1), 0))
        elif owner.name in CALLS and repeatable(lw, owner):
            self.call(owner)
        for o in owner.operands:
            self.cone(o)

    def call(self, owner: Op) -> None:
        """What a call reads is not visible: listen to the header of every object it is given, and look again in each later slot."""
        lw = self.lw
        for o in owner.operands:
            src = o.owner
            if isinstance(o.type, T.PtrType) or (isinstance(src, Op) and src.name == "llvm.ptrtoint"):
                self.dyn.append((lw.resize(reevaluate(lw, o, self.fresh)[0], I64), HEADER_BYTES, 0))
        self.dyn.append((lw.i64(SLOTS_OFFSET), 8, 0))

    def inside(self, op: Op) -> bool:
        return op.results[0] in self.lw.values or op.results[0] in self.lw.extra.get("refs", {}) or op in self.lw.extra.get("watch_ops", ())

    def evaluate(self, v: Value) -> Leaves:
        """Lower the cone of `v` anew at the current place (probes read the present values)."""
        return reevaluate(self.lw, v, {})

    def wait(self, resume: mir.Block, time: tuple[Val, Val, Val] | None) -> mir.Wait:
        lw = self.lw
        if self.nets and lw.extra.get("dynamic_waits"):
            # A process made at run time has no entries in the static fan-out.
            for net in dict.fromkeys(self.nets):
                ptr, _ = pointer(lw, Ref(net))
                self.dyn.append((ptr, lw.extra["net_size"](net), 0))
            self.nets = []
        sens = lw.sens_set(self.nets) if self.nets else None
        return mir.Wait(resume, sens, tuple(self.dyn), time)


_REEVALUATED = ("llhd.prb", "llvm.load")
_PURE_DIALECTS = ("comb.", "hw.", "arith.", "math.", "index.", "builtin.unrealized_conversion_cast", "llhd.sig.", "seq.", "moore.", "llvm.intr.")
_IMPURE_INTRINSICS = ("llvm.intr.mem", "llvm.intr.stack", "llvm.intr.lifetime")
_PURE_LLVM = frozenset(
    f"llvm.{n}"
    for n in (
        "add", "sub", "mul", "udiv", "sdiv", "urem", "srem", "and", "or", "xor", "shl", "lshr", "ashr", "icmp", "fcmp", "select",
        "zext", "sext", "trunc", "ptrtoint", "inttoptr", "bitcast", "getelementptr", "extractvalue", "insertvalue", "fadd", "fsub",
        "fmul", "fdiv", "frem", "fneg", "fptosi", "fptoui", "sitofp", "uitofp", "fpext", "fptrunc", "freeze", "addrspacecast",
    )
)  # fmt: skip
CALLS = ("llvm.call", "func.call")
_ALLOCATORS = ("malloc", "calloc", "realloc")
HEADER_BYTES = 16
"""Of an object handed to a call: a queue's data pointer and length, a string's, the first fields of a class object."""
SLOTS_OFFSET = 424
"""Control block: number of slots executed (`sched.control.CB_C_SLOTS`)."""


def repeatable(lw: Lowerer, op: Op) -> bool:
    """Whether a call belongs to a condition that is evaluated again: it must not suspend, and a new object is none of the condition's business."""
    callee = op.attrs.get("callee")
    return callee is not None and bool(op.results) and callee.name not in _ALLOCATORS and not lw.program.may_suspend(callee.name)


def again(lw: Lowerer, op: Op) -> bool:
    """Whether the value of an operation has to be computed again to see present values."""
    name = op.name
    if name in _REEVALUATED or name in _PURE_LLVM:
        return True
    if name in CALLS:
        return repeatable(lw, op)
    return name.startswith(_PURE_DIALECTS) and not name.startswith(_IMPURE_INTRINSICS)


def reevaluate(lw: Lowerer, v: Value, memo: dict[Value, Leaves]) -> Leaves:
    """Leaves of `v` with every probe and load in its cone done again here."""
    from wasmjit.sem.lower.core import LOWER

    if v in memo:
        return memo[v]
    owner = v.owner
    captured = lw.extra.get("captured", ())  # what a fork was given does not change any more
    if isinstance(owner, Op) and v in lw.values and v not in captured and not isinstance(v.type, T.RefType) and again(lw, owner):
        saved_op = lw.op
        saved: dict[Value, Leaves] = {}
        for o in owner.operands:
            if isinstance(o.type, T.RefType):
                continue
            new = reevaluate(lw, o, memo)
            if o in lw.values:
                saved[o] = lw.values[o]
                lw.values[o] = new
        before = [lw.values[r] for r in owner.results]
        lw.op = owner
        LOWER[owner.name](lw, owner)
        for r, old in zip(owner.results, before, strict=True):
            memo[r] = lw.values[r]
            lw.values[r] = old
        for o, old in saved.items():
            lw.values[o] = old
        lw.op = saved_op
        return memo[v]
    memo[v] = lw.get(v)
    return memo[v]
