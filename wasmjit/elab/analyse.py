"""Builds a `Definition` from the body of an hw.module."""

from __future__ import annotations

from collections.abc import Container

from wasmjit.elab.calls import calls_as_logic
from wasmjit.elab.combinational import combinational_processes
from wasmjit.elab.definition import (
    ASSERTIONS,
    CLOCKED_EFFECTS,
    CONTROL_OPS,
    IGNORED_OPS,
    INSTANCES,
    MEMORY_READS,
    PROCESS_OPS,
    REGISTER_OPS,
    STATEFUL_WIRES,
    Child,
    Definition,
    RegisterGroup,
    Sink,
    attr_name,
    drive_kind,
    instance_modules,
    is_constant,
    is_pure,
    root_of,
    short_form,
    structure,
    walk,
    zero_time,
)
from wasmjit.elab.drivers import drop_repeats, find_resolved
from wasmjit.elab.feedback import cut_feedback
from wasmjit.elab.objects import Field, allocation, field_of, fixed, points_to_object, ties
from wasmjit.elab.observers import loops_without_wait, polls, waits_for_change
from wasmjit.elab.resets import rewrite_resets
from wasmjit.elab.simprocesses import rewrite_event_ops
from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem.layout import UnsupportedType
from wasmjit.sem.lower.core import Unsupported
from wasmjit.sem.lower.llhd import handle_of
from wasmjit.sem.lower.refs import NetRef, Own, Slot
from wasmjit.sem.lower.seq_memory import plan_port

GATHER_CONE = 200
ARRANGING = frozenset({"llhd.prb", "hw.struct_create", "hw.struct_extract", "hw.array_create", "hw.array_concat", "comb.concat", "comb.extract"})
INLINE_CONE = 12
"""A value captured by a process is computed there if its cone has at most this many operations; larger ones are stored once."""


class Analyser:
    def __init__(self, name: str, op: Op) -> None:
        self.d = Definition(name, op)
        self.op = op
        self.body = op.regions[0].blocks[0] if op.regions and op.regions[0].blocks else None
        self.const: dict[Value, bool] = {}
        self.ref_uses: dict[Value, list[Op]] = {}
        self.assertions: list[Op] = []
        self.sampled: list[Op] = []
        self.captured: dict[Value, bool] = {}  # outside values used by processes -> observed by a wait

    def run(self) -> Definition:
        d = self.d
        for direction, name, t, _attrs in self.op.attrs["ports"]:
            d.ports.append((direction, name, t))
        if self.body is None:
            return d
        rewrite_event_ops(self.body)
        rewrite_resets(self.body)
        combinational_processes(self.body)
        args = iter(self.body.args)
        for direction, name, t in d.ports:
            if direction != "out":
                arg = next(args)
                off = d.slot(t.elem if isinstance(t, T.RefType) else t)
                d.inputs[unique(name, d.inputs)] = off
                d.home[arg] = Slot(off)
                d.names.setdefault(name, (Slot(off), t))
        self.scan()
        drop_repeats(self.body.ops, self.ref_uses, self.collapsed)
        find_resolved(d, self.body.ops, self.ref_uses, self.collapsed)
        self.continuous_stores()
        self.collapse()
        self.attach_drives()
        self.demand()
        self.observe()
        return d

    # -- pass 1: what there is ------------------------------------------------------------------------------------------------------

    def scan(self) -> None:
        assert self.body is not None
        d = self.d
        calls_as_logic(self.body)
        cut_feedback(self.body)
        for op in self.body.ops:
            name = op.name
            try:
                self.scan_op(op, name)
            except UnsupportedType as e:
                raise Unsupported(op, f"type {e} has no run-time representation") from None
        for op in self.body.ops:
            for v in op.operands:
                if isinstance(v.type, T.RefType):
                    self.ref_uses.setdefault(v, []).append(op)
            if op.regions:
                for inner in structure(op):
                    for v in inner.operands:
                        if v.type.__class__ is T.RefType:
                            self.ref_uses.setdefault(v, []).append(inner)
                    for _, vs in inner.successors:
                        for v in vs:
                            if isinstance(v.type, T.RefType):
                                self.ref_uses.setdefault(v, []).append(inner)
        last = self.body.ops[-1] if self.body.ops else None
        if last is not None and last.name == "hw.output":
            outs = [n for direction, n, _ in d.ports if direction == "out"]
            d.output_values = dict(zip(outs, last.operands, strict=True))

    def scan_op(self, op: Op, name: str) -> None:
        d = self.d
        if name == "llhd.sig":
            own = d.net(op.operands[0].type, attr_name(op), "signal")
            d.home[op.results[0]] = own
            d.init_ops.append(op)
        elif name in INSTANCES:
            self.child(op)
        elif name in REGISTER_OPS:
            self.register(op)
        elif name in ASSERTIONS:
            self.assertions.append(op)
        elif name in CLOCKED_EFFECTS:
            self.group(op)
        elif name in PROCESS_OPS or (name == "seq.initial" and not op.results):
            # An initial procedure that computes nothing for registers may print, fork and wait: it is a process that starts at time 0.
            short = short_form(op)
            if short is not None and loops_without_wait(short.region.blocks):
                op.regions[0].blocks  # noqa: B018  (read in full: the loop may need a wait)
                short = None
            if short is None and not waits_for_change(op) and name == "llhd.process":
                d.polling += polls(op)
            d.processes.append(op)
        elif name == "llhd.drv":
            pass
        elif name in MEMORY_READS:
            if plan_port(d, op):
                self.group(op)
        elif name in STATEFUL_WIRES:
            self.wire(op.results[0])
        elif name == "llhd.combinational" and any(not is_pure(o) and o.name not in CONTROL_OPS for o in walk(op)):
            # Acts whenever something it reads changes; its values are stored, so that nobody else evaluates it.
            d.sinks.append(Sink("effect", op, None))
            for r in op.results:
                self.wire(r)
        elif name in IGNORED_OPS or is_pure(op):
            pass
        elif name == "llhd.global_signal":
            raise Unsupported(op, "llhd.global_signal inside of a module")
        elif (size := allocation(op)) is not None:
            d.objects[op.results[0]] = d.net(T.LLVMArrayType((size + 7) // 8, T.IntType(64)), "", "object")
        else:
            d.init_ops.append(op)
            for r in op.results:
                from wasmjit.sem.layout import layout

                d.cells[r] = d.storage(layout(r.type))

    def child(self, op: Op) -> None:
        d = self.d
        outputs = {}
        for name, r in zip(op.attrs["resultNames"], op.results, strict=True):
            off = d.slot(r.type)
            outputs[str(name)] = off
            d.home[r] = Slot(off)
        inputs: dict[str, Value] = {}
        for name, v in zip(op.attrs["argNames"], op.operands, strict=True):
            inputs[unique(str(name), inputs)] = v
        d.children.append(Child(op, instance_modules(op)[0], str(op.attrs["instanceName"]), inputs, outputs))

    def register(self, op: Op) -> None:
        d = self.d
        if op.name in ("seq.firmem", "seq.hlmem"):
            from wasmjit.sem.lower.seq import memory_type

            if op.attrs.get("init") is not None:
                raise Unsupported(op, "a memory with contents from a file")
            own = d.net(memory_type(op), attr_name(op), "memory")
            d.home[op.results[0]] = own
            return
        for i, r in enumerate(op.results):
            own = d.net(r.type, attr_name(op) if i == 0 else "", "reg")
            d.home[r] = own
        d.init_ops.append(op)
        if "circt.sva.sampled_past" in op.attrs:
            self.sampled.append(op)
        self.group(op)

    def group(self, op: Op) -> None:
        from wasmjit.sem.lower.seq import clocking

        for clock, edge, reset in clocking(op):
            for g in self.d.groups:
                if g.clock is clock and g.edge == edge and g.reset is reset and (op.name in CLOCKED_EFFECTS) == (g.ops[0].name in CLOCKED_EFFECTS):
                    g.ops.append(op)
                    break
            else:
                self.d.groups.append(RegisterGroup(clock, edge, reset, [op]))

    # -- interfaces ------------------------------------------------------------------------------------------------------------------

    def continuous_stores(self) -> None:
        """Stores into interfaces whose value can change become continuous assignments; those to a field tied to a net, drivers of the net."""
        assert self.body is not None
        d = self.d
        memo: dict[Value, bool] = {}
        stores = [op for op in d.init_ops if op.name == "llvm.store" and points_to_object(op.operands[1], d)]
        if not stores:
            return
        fields: dict[Field, list[Op]] = {}
        for op in stores:
            field = field_of(op.operands[1])
            if field is not None:
                fields.setdefault(field, []).append(op)
        assigned: set[Op] = set()
        for tie in ties(self.body.ops, d.processes):
            for op in fields.get(tie.field, []):
                d.sinks.append(Sink("store", op, op.operands[0], tied=tie.drive))
                assigned.add(op)
                self.collapsed.add(tie.drive)
                d.resolved.setdefault(tie.drive, drive_kind(tie.drive, None))
        for op in stores:
            if op not in assigned and not fixed(op.operands[0], d, memo):
                d.sinks.append(Sink("store", op, op.operands[0]))
                assigned.add(op)
        for ops in fields.values():
            if len(ops) > 1 and all(op in assigned and is_four_state_pair(op.operands[0].type) for op in ops):
                for op in ops:
                    d.resolved[op] = drive_kind(op, None)
        d.init_ops = [op for op in d.init_ops if op not in assigned]

    # -- pass 2: a signal with one continuous driver is that driver's value -----------------------------------------------------------

    def collapse(self) -> None:
        assert self.body is not None
        d = self.d
        for op in self.body.ops:
            if op.name != "llhd.sig":
                continue
            sig = op.results[0]
            drives = []
            for user in self.ref_uses.get(sig, []):
                if user.name == "llhd.prb":
                    continue
                drives.append(user)
            if len(drives) != 1 or drives[0].name != "llhd.drv" or drives[0].parent is not self.body:
                continue
            drv = drives[0]
            if drv in self.collapsed:
                continue
            value = drv.group("value")[0]
            if drv.group("enable") or drv in d.resolved or "circt.force" in drv.attrs or "circt.release" in drv.attrs or not zero_time(drv, drv.group("time")[0]):
                continue
            src = value.owner
            if isinstance(src, Op) and src.name == "llhd.process" and not is_pure(src):
                continue
            alias = self.direct_home(value)
            own = d.home[sig]
            assert isinstance(own, Own)
            d.init_ops.remove(op)
            if alias is not None and alias != own and not self.alias_cycle(sig, value):
                d.home[sig] = alias
                d.aliases.append((d.nets[own.k].name, alias, d.nets[own.k].type))
                self.aliased[sig] = value
            else:
                d.sinks.append(Sink("wire", drv, value, own))
                if isinstance(src, Op) and is_pure(src) and value not in d.home:
                    d.home[value] = own
            self.collapsed.add(drv)

    def alias_cycle(self, sig: Value, value: Value) -> bool:
        seen: set[Value] = set()
        v: Value | None = value
        while v is not None and v not in seen:
            seen.add(v)
            src = v.owner
            base = src.operands[0] if isinstance(src, Op) and src.name == "llhd.prb" else None
            if base is sig:
                return True
            v = self.aliased.get(base) if base is not None else None
        return False

    @property
    def aliased(self) -> dict[Value, Value]:
        return self.__dict__.setdefault("_aliased", {})  # type: ignore[no-any-return]

    @property
    def collapsed(self) -> set[Op]:
        return self.__dict__.setdefault("_collapsed", set())  # type: ignore[no-any-return]

    def direct_home(self, v: Value) -> NetRef | None:
        """The net that always holds exactly this value."""
        home = self.d.home.get(v)
        if home is not None:
            return home if not isinstance(v.type, T.RefType) else None
        src = v.owner
        if isinstance(src, Op):
            if src.name == "llhd.prb":
                return self.d.home.get(src.operands[0])
            if src.name in ("hw.wire", "seq.to_clock", "seq.from_clock", "dbg.variable"):
                return self.direct_home(src.operands[0])
        return None

    # -- pass 3: drives fed by process results run in the process ----------------------------------------------------------------------

    def attach_drives(self) -> None:
        assert self.body is not None
        d = self.d
        for op in self.body.ops:
            if op.name != "llhd.drv" or op in self.collapsed:
                continue
            value, enable = op.group("value")[0], op.group("enable")
            src = value.owner
            same = isinstance(src, Op) and src.name == "llhd.process" and not is_pure(src) and all(e.owner is src or is_constant(e, self.const) for e in enable)
            if same and is_constant(op.group("time")[0], self.const) and op not in d.resolved:
                assert isinstance(src, Op)
                d.process_drives.setdefault(src, []).append(op)
            else:
                d.sinks.append(Sink("drive", op, value))

    # -- pass 4: what must be stored -----------------------------------------------------------------------------------------------------

    def demand(self) -> None:
        d = self.d
        attached = {op for ops in d.process_drives.values() for op in ops}
        assert self.body is not None
        for p in d.processes:
            for r in p.results:
                if any(r in o.operands and o not in attached for o in self.body.ops) or self.used_in_processes(r):
                    d.result_nets[r] = d.net(r.type, "", "result")
                    d.home[r] = d.result_nets[r]
        for p in d.processes:
            self.captures(p)
        for v, observed in self.captured.items():
            if self.direct_home(v) is None and not is_constant(v, self.const) and (observed or self.cone_size(v) > INLINE_CONE):
                self.wire(v)
        for c in d.children:
            for v in c.inputs.values():
                if isinstance(v.type, T.RefType):
                    root = root_of(v)
                    if root not in d.home and root not in d.dynamic and from_pointer(root):
                        d.dynamic[v] = d.cell(8)
                elif self.direct_home(v) is None:
                    self.wire(v)
        for v in d.output_values.values():
            if not isinstance(v.type, T.RefType) and self.direct_home(v) is None:
                self.wire(v)
        for g in d.groups:
            for trigger in (g.clock, g.reset):
                if trigger is not None and self.direct_home(trigger) is None and not is_constant(trigger, self.const) and not self.simple_clock(trigger):
                    self.wire(trigger)

    def simple_clock(self, v: Value) -> bool:
        """A clock computed by a few operations from one one-bit net: the register group listens to that net and computes the clock itself."""
        from wasmjit.elab.scope import ModuleScope
        from wasmjit.sem.layout import layout

        if self.cone_size(v) > INLINE_CONE:
            return False
        scope = ModuleScope(self.d)
        nets = set(scope.sources(v))
        if len(nets) != 1:
            return False
        (net,) = nets
        t = next((n.type for n in self.d.nets if isinstance(net, Own) and n.k == net.k), None) if isinstance(net, Own) else dict(self.d.slots).get(net.off)
        return t is not None and len(layout(t).leaves) <= 2 and all(ty.size == 1 and ty.kind == "i" for ty in layout(t).leaves)

    # -- pass 5: what assertions read ----------------------------------------------------------------------------------------------------

    def observe(self) -> None:
        d = self.d
        d.plan.constant = lambda v: is_constant(v, self.const)
        for op in self.sampled:
            d.plan.sampled_input(op)
        for op in self.assertions:
            d.plan.add(op)
        for g in d.plan.groups:
            for c in g.clocks:
                if self.direct_home(c.value) is None and not is_constant(c.value, self.const):
                    self.wire(c.value)
        d.sinks += [Sink("sample", None, s.value, sample=s) for s in d.plan.samples.values()]

    def used_in_processes(self, v: Value) -> bool:
        if not hasattr(self, "_inner_uses"):
            self._inner_uses: set[Value] = set()
            assert self.body is not None
            for op in self.body.ops:
                if op.regions:
                    short = short_form(op)
                    if short is not None:
                        self._inner_uses.update(short.outside)
                    for inner in structure(op):
                        self._inner_uses.update(inner.operands)
                        for _, vs in inner.successors:
                            self._inner_uses.update(vs)
        return v in self._inner_uses

    def wire(self, v: Value) -> None:
        d = self.d
        if v in d.home or v in d.cells:
            return
        src = v.owner
        if not isinstance(src, Op) or not is_pure(src):
            return
        hint = src.attrs.get("sv.namehint")
        own = d.net(v.type, hint if isinstance(hint, str) else "", "wire")
        d.home[v] = own
        d.sinks.append(Sink("wire", None, v, own))

    def captures(self, process: Op) -> None:
        short = short_form(process)
        if short is not None:
            for v, seen in short.outside.items():
                if not isinstance(v.type, (T.RefType, T.FStringType, T.TimeType)):
                    self.captured[v] = self.captured.get(v, False) or seen
            return
        ops: list[Op] = list(walk(process))
        inside: set[Value] = set()
        for op in ops:
            inside.update(op.results)
            for r in op.regions:
                for b in r.blocks:
                    inside.update(b.args)
        for r in process.regions:
            for b in r.blocks:
                inside.update(b.args)
        for op in ops:
            if not (outside := [v for v in op.operands if v not in inside]) and not op.successors:
                continue
            observed = set(op.group("observed")) if op.name == "llhd.wait" else set()
            for v in outside:
                if not isinstance(v.type, (T.RefType, T.FStringType, T.TimeType)):
                    self.captured[v] = self.captured.get(v, False) or v in observed
            for _, vs in op.successors:
                for v in vs:
                    if v not in inside and not isinstance(v.type, (T.RefType, T.FStringType, T.TimeType)):
                        self.captured.setdefault(v, False)

    def cone_size(self, v: Value) -> int:
        """Number of operations that compute something needed for v from stored values, cut off above INLINE_CONE. Loads and mere arrangement (up to
        GATHER_CONE of them) are free: an array of many signals that a process reads now and then must not be rebuilt whenever one of them changes.
        """
        seen: set[Value] = set()
        count = 0
        stack = [v]
        while stack and count <= INLINE_CONE:
            x = stack.pop()
            if x in seen or x in self.d.home or is_constant(x, self.const):
                continue
            seen.add(x)
            src = x.owner
            if isinstance(src, Op):
                if src.regions:
                    return INLINE_CONE + 1
                if src.name not in ARRANGING or len(seen) > GATHER_CONE:
                    count += 1
                if src.name != "llhd.prb":
                    stack.extend(src.operands)
        return count


def unique(name: str, taken: Container[str]) -> str:
    """Ports may have the same name (an interface port next to its modport): the second becomes `name#1`, on both sides of the connection."""
    n, out = 0, name
    while out in taken:
        n += 1
        out = f"{name}#{n}"
    return out


def from_pointer(ref: Value) -> bool:
    """Whether a reference is a pointer in disguise."""
    op = ref.owner
    return isinstance(op, Op) and op.name == "builtin.unrealized_conversion_cast" and not isinstance(op.operands[0].type, T.RefType) and handle_of(ref) is None


def is_four_state_pair(t: T.Type) -> bool:
    """Whether an LLVM type is that of a four-state vector in memory."""
    return isinstance(t, T.LLVMStructType) and len(t.members) == 2 and isinstance(t.members[0], T.IntType) and t.members[0] == t.members[1]


def analyse(name: str, op: Op) -> Definition:
    """Analyse an hw.module. Raises Unsupported for an operation without meaning at module level."""
    return Analyser(name, op).run()
