"""Lowers the parts of a definition: initialisation, regions of continuous logic, register groups, processes."""

from __future__ import annotations

from wasmjit.elab.definition import REGISTER_OPS, Definition, Sink, is_constant, is_pure, short_form
from wasmjit.elab.edges import edge_waits
from wasmjit.elab.idle import mark_idle
from wasmjit.elab.islands import form_islands
from wasmjit.elab.region import Lowered, ProcessDef, RegionDef
from wasmjit.elab.registers import commit_region, plan_commits, register_region
from wasmjit.elab.scope import ModuleScope
from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.layout import layout
from wasmjit.sem.lower.core import Leaves, Lowerer, Program, Unsupported
from wasmjit.sem.lower.llhd import drive_op, drive_signal, set_ref
from wasmjit.sem.lower.observe import Evaluation, lower_clocks, lower_sample
from wasmjit.sem.lower.refs import PART, NetRef, Own, Ref, const_time, drive, piece_of, pointer, ref_of, store_now
from wasmjit.sem.lower.seq import power_up
from wasmjit.sem.lower.short import lower_short
from wasmjit.sem.lower.sim import captured_values
from wasmjit.sem.mir import BOOL, I32, Body, I, Val
from wasmjit.sem.sva.plan import Group
from wasmjit.sem.twostate import two_state

TRIVIAL = frozenset({"llhd.prb", "hw.struct_extract", "hw.constant", "hw.aggregate_constant", "comb.extract", "llhd.constant_time", "hw.struct_create", "hw.bitcast", "comb.concat", "comb.replicate"})
"""Operations too cheap to make two regions one."""


def lower_definition(d: Definition, program: Program, split: bool = False, islands: bool = True) -> Lowered:
    """Lower a definition. `split`: one region per sink, not `islands`: no joined regions (used where they would form a cycle)."""
    plan_commits(d)
    out = Lowered(lower_init(d, program))
    out.regions = lower_regions(d, program, split)
    for i, g in enumerate(d.groups):
        out.regions.append(register_region(d, program, g, i))
        if g.commits:
            out.regions.append(commit_region(d, program, g, i, split))
    places = unknown_places(d)
    for r in out.regions:
        r.body = two_state(r.body, *places) or r.body
    assertions = [r for i, o in enumerate(d.plan.groups) for r in assertion_regions(d, program, o, i)]
    for number, op in enumerate(d.processes, 1):
        out.processes.append(lower_process(d, program, op, number))
    others = [r.body for r in assertions] + [p.body for p in out.processes] + ([out.init] if out.init is not None else [])
    mark_idle(d, out.regions, others, program.bodies)
    if islands:
        out.regions = form_islands(d, out.regions, split)
    out.regions += assertions
    return out


def unknown_places(d: Definition) -> tuple[set[int], dict[int, set[int]]]:
    """Where the unknown halves of four-state values lie: context offsets, and offsets relative to what each port slot points to."""

    def halves(t: T.Type) -> list[int]:
        offs = layout(t).offs
        return [offs[u] for _, u in four_state_pairs(t) if u is not None]

    own = {n.off + o for n in d.nets for o in halves(n.type)}
    own.update(off + o for r, off in d.shadows.items() for o in halves(r.type))
    return own, {off: {*halves(t)} for off, t in d.slots}


# -- initial state ------------------------------------------------------------------------------------------------------------------------------


def lower_init(d: Definition, program: Program) -> Body | None:
    """Runs once per instance before anything else: signal initial values that are not constant, and module-level operations with effects,
    in the order of the text.
    """
    if not d.init_ops and not d.dynamic:
        return None
    lw = Lowerer(f"{d.name}.init", "region", program, ModuleScope(d), f"{d.name}.init")
    lw.extra["module_init"] = True
    lw.b.set_block(lw.new_block())
    emitted = False
    for op in d.init_ops:
        lw.op = op
        if op.name == "llhd.sig":
            emitted |= init_net(lw, d, d.home[op.results[0]], lw.get(op.operands[0]), op.operands[0].type)
        elif op.name in REGISTER_OPS:
            for r in op.results:
                leaves = power_up(lw, op, r)
                if leaves is not None:
                    emitted |= init_net(lw, d, d.home[r], leaves, r.type)
                    if r in d.shadows:
                        emitted |= init_net(lw, d, Own(-1, d.shadows[r]), leaves, r.type)
        else:
            lw.run_op(op)
            emitted = True
            ctx = lw.x("ctx", I32)
            for r in op.results:
                lay = layout(r.type)
                for leaf, off in zip(lw.get(r), lay.offs, strict=True):
                    lw.do("stt", ctx, leaf, attr=d.cells[r] + off)
    for v, cell in d.dynamic.items():
        lw.do("stt", lw.x("ctx", I32), lw.get(v)[0], attr=cell)
        emitted = True
    lw.b.terminate(mir.Ret(()))
    return lw.finish() if emitted else None


def init_net(lw: Lowerer, d: Definition, home: NetRef, leaves: Leaves, t: T.Type) -> bool:
    """Constant initial values go into the image of the context, others are stored by the init body (True)."""
    assert isinstance(home, Own)
    lay = layout(t)
    if all(v.const is not None for v in leaves):
        from wasmjit.sem.lower.llvm_values import leaf_bytes

        img = bytearray(lay.size)
        for leaf, off in zip(leaves, lay.offs, strict=True):
            img[off : off + leaf.ty.nbytes] = leaf_bytes(leaf.ty, leaf.const)
        d.init_images[home.off] = bytes(img)
        return False
    ctx = lw.x("ctx", I32)
    for leaf, off in zip(leaves, lay.offs, strict=True):
        lw.do("stt", ctx, leaf, attr=home.off + off)
    return True


# -- continuous logic --------------------------------------------------------------------------------------------------------------------------


def cone(d: Definition, roots: list[Value], stop_at_homes: set[Value]) -> list[Op]:
    """Module-level operations needed for `roots`, without looking behind stored values."""
    seen: set[Op] = set()
    out: list[Op] = []
    stack = list(roots)
    while stack:
        v = stack.pop()
        op = v.owner
        if not isinstance(op, Op) or op in seen or v in d.cells or not is_pure(op):
            continue
        if v in d.home and v not in stop_at_homes and not isinstance(v.type, T.RefType):
            continue
        seen.add(op)
        out.append(op)
        stack.extend(op.operands)
        for r in op.regions:
            stack.extend(captured_values(r))
    return out


def sink_roots(s: Sink) -> list[Value]:
    if s.kind in ("wire", "sample"):
        assert s.value is not None
        return [s.value]
    assert s.op is not None
    return list(s.op.operands)


def lower_regions(d: Definition, program: Program, split: bool) -> list[RegionDef]:
    """Partition the sinks into regions: sinks that share work go together."""
    merged = {id(s) for g in d.groups for s in g.merged}
    sinks = [s for s in d.sinks if split or id(s) not in merged]
    if not sinks:
        return []
    memo: dict[Value, bool] = {}
    parent = list(range(len(sinks)))

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    if not split:
        owner: dict[Op, int] = {}
        wires = {s.value: i for i, s in enumerate(sinks) if s.kind == "wire" and s.value is not None}
        effects = {s.op: i for i, s in enumerate(sinks) if s.kind == "effect"}
        for i, s in enumerate(sinks):
            acts = s.op if s.kind == "effect" else s.value.owner if s.value is not None else None
            if acts in effects:
                # Evaluated exactly when what it reads changes: together with its own results, and with nothing else.
                parent[find(i)] = find(effects[acts])
                continue
            for op in cone(d, sink_roots(s), set(wires)):
                for r in op.results:
                    if r in wires and wires[r] != i and op.name not in TRIVIAL:
                        parent[find(i)] = find(wires[r])
                if op.name in TRIVIAL or all(is_constant(r, memo) for r in op.results):
                    continue
                first = owner.setdefault(op, i)
                if first != i:
                    parent[find(i)] = find(first)
    groups: dict[int, list[Sink]] = {}
    for i, s in enumerate(sinks):
        groups.setdefault(find(i), []).append(s)
    return [lower_region(d, program, members, n, split) for n, members in enumerate(groups.values())]


def lower_region(d: Definition, program: Program, sinks: list[Sink], number: int, split: bool) -> RegionDef:
    scope = ModuleScope(d, inline=True)
    key = f"{d.name}.logic{number}" + (".split" if split else "")
    lw = Lowerer(key, "region", program, scope, key)
    lw.extra["cell"] = d.cell
    lw.extra["listens"] = True
    lw.b.set_block(lw.new_block())
    scope.compute = {s.value for s in sinks if s.kind == "wire" and s.value is not None}
    outputs: list[NetRef] = []
    for s in sinks:
        lw.op = s.op
        if s.kind == "wire":
            assert s.value is not None and s.home is not None
            lay = layout(s.value.type)
            leaves = lw.get(s.value)
            lw.do("netstore", *leaves, attr=(s.home.k, s.home.off, lay.offs, lay.size))
            outputs.append(s.home)
        elif s.kind == "drive":
            outputs += drive_sink(lw, d, s)
        elif s.kind == "store":
            outputs += store_sink(lw, d, s)
        elif s.kind == "effect":
            assert s.op is not None
            lw.run_op(s.op)
        else:
            assert s.sample is not None
            lower_sample(lw, s.sample)
    lw.b.terminate(mir.Ret(()))
    return RegionDef(lw.finish(), sorted(scope.inputs, key=repr), outputs, False, key)


def on_change(lw: Lowerer, d: Definition, watched: list[Val]) -> mir.Block:
    """Enter a block that runs when one of the values differs from the last time, and at the start; returns the block where control joins again."""
    ctx = lw.x("ctx", I32)
    started = d.cell(1)
    changed = lw.x("icmp", BOOL, lw.x("ldt", I(8), ctx, attr=started), lw.const(I(8), 0), attr="eq")
    cells = []
    for v in watched:
        off = d.cell(v.ty.nbytes)
        cells.append(off)
        old = lw.x("ldt", v.ty, ctx, attr=off)
        ne = lw.x("icmp", BOOL, old, v, attr="ne") if v.ty.kind != "f" else lw.x("fcmp", BOOL, old, v, attr="une")
        changed = lw.x("or", BOOL, changed, ne)
    act, done = lw.new_block(), lw.new_block()
    lw.b.terminate(mir.CondBr(changed, act, (), done, ()))
    lw.b.set_block(act)
    ctx = lw.x("ctx", I32)
    lw.do("stt", ctx, lw.const(I(8), 1), attr=started)
    for v, off in zip(watched, cells, strict=True):
        lw.do("stt", ctx, v, attr=off)
    return done


def drive_sink(lw: Lowerer, d: Definition, s: Sink) -> list[NetRef]:
    """A continuous drive acts when its value or enable differs from the last time (and at the start)."""
    op = s.op
    assert op is not None
    value, enable = op.group("value")[0], op.group("enable")
    leaves = lw.get(value)
    lay = lw.lay(value)
    ref = ref_of(lw, op.group("signal")[0])
    time = lw.get(op.group("time")[0])
    en = lw.one(enable[0]) if enable else None
    done = on_change(lw, d, [*leaves, *(lw.one(e) for e in enable)])
    if op in d.resolved and ref.valid is None and all(ty.kind == "i" for ty in lay.leaves):
        contribute(lw, d, ref, value.type, leaves, en, d.resolved[op])
    else:
        if en is not None:
            go = lw.new_block()
            lw.b.terminate(mir.CondBr(en, go, (), done, ()))
            lw.b.set_block(go)
        drive(lw, ref, lay, leaves, (time[0], time[1], time[2]))
    lw.goto(done)
    lw.b.set_block(done)
    immediate = const_time((time[0], time[1], time[2]))
    return [ref.net] if ref.net is not None and immediate is not None and immediate[:2] == (0, 0) else []


def store_sink(lw: Lowerer, d: Definition, s: Sink) -> list[NetRef]:
    """A continuous assignment to a field of an interface: it acts when its value changes, and at the start."""
    op = s.op
    assert op is not None
    leaves = lw.get(op.operands[0])
    lay = lw.lay(op.operands[0])
    net: NetRef | None = None
    if s.tied is not None:
        signal = s.tied.group("signal")[0]
        ref = ref_of(lw, signal)
        net = ref.net
        done = on_change(lw, d, list(leaves))
        contribute(lw, d, ref, signal.type.elem, leaves, None, d.resolved[s.tied])  # type: ignore[attr-defined]
    else:
        ptr = lw.one(op.operands[1])
        done = on_change(lw, d, [*leaves, ptr])
        if op in d.resolved:
            vector = op.operands[0].type.fields[0]  # type: ignore[attr-defined]
            contribute(lw, d, Ref(None, ptr), T.StructType((("value", vector), ("unknown", vector))), leaves, None, d.resolved[op])
        else:
            site = lw.site("store to an invalid address", op)
            for leaf, off in zip(leaves, lay.offs, strict=True):
                lw.do("st", ptr, leaf, attr=(off, site))
    lw.goto(done)
    lw.b.set_block(done)
    return [net] if net is not None else []


def contribute(lw: Lowerer, d: Definition, ref: Ref, t: T.Type, leaves: Leaves, enable: Val | None, kind: int) -> None:
    """One of several drivers of a net: its bits go into its records (`sched/kernel/resolve.py`); a disabled drive contributes z."""
    ptr, bit = pointer(lw, ref)
    first = lw.x("and", I32, bit, lw.i32(PART - 1)) if ref.bit is not None else lw.i32(0)
    for at, unknown_at in four_state_pairs(t):
        v = leaves[at]
        u = leaves[unknown_at] if unknown_at is not None else lw.zero(v.ty)
        if enable is not None:
            ones = lw.const(v.ty, v.ty.mask)
            v, u = lw.x("mux", v.ty, enable, v, ones), lw.x("mux", u.ty, enable, u, ones)
        offs = layout(t).offs
        offsets = offs[at] | (offs[unknown_at] if unknown_at is not None else 0xFFFFFFFF) << 32
        for low in range(0, v.ty.size, 64):
            n = min(64, v.ty.size - low)
            span = lw.x("or", I32, lw.x("add", I32, first, lw.i32(low)), lw.i32(n << 16))
            cell = lw.x("add", I32, lw.x("ctx", I32), lw.i32(d.cell(4)))
            lw.do("rt", cell, ptr, lw.i64(offsets), span, lw.i32(kind), piece_of(lw, v, low, n), piece_of(lw, u, low, n), attr="k_contribute")


def four_state_pairs(t: T.Type) -> list[tuple[int, int | None]]:
    """(value leaf, unknown leaf) of every vector inside a type; None for the unknown leaf of two-state ones."""
    if not isinstance(t, T.StructType):
        return [(i, None) for i in range(len(layout(t).leaves))]
    if [n for n, _ in t.fields] == ["value", "unknown"]:
        return [(0, 1)]
    out: list[tuple[int, int | None]] = []
    pos = 0
    for _, f in t.fields:
        out += [(pos + a, pos + b if b is not None else None) for a, b in four_state_pairs(f)]
        pos += len(layout(f).leaves)
    return out


# -- assertions ---------------------------------------------------------------------------------------------------------------------------------


def assertion_regions(d: Definition, program: Program, g: Group, number: int) -> list[RegionDef]:
    """One region looks for the edges of the group's clocks, the other evaluates its assertions in the Observed region."""
    out = []
    scope = ModuleScope(d, inline=True)
    if g.clocks:
        key = f"{d.name}.edges{number}"
        lw = Lowerer(key, "region", program, scope, key)
        lw.b.set_block(lw.new_block())
        lower_clocks(lw, d, g)
        lw.b.terminate(mir.Ret(()))
        inputs = {n for c in g.clocks for n in scope.sources(c.value)}
        out.append(RegionDef(lw.finish(), sorted(inputs, key=repr), [], True, key))
    key = f"{d.name}.assertions{number}"
    lw = Lowerer(key, "region", program, ModuleScope(d, inline=True), key)
    lw.b.set_block(lw.new_block())
    Evaluation(lw, d, g).run()
    lw.b.terminate(mir.Ret(()))
    out.append(RegionDef(lw.finish(), [g.tick], [], True, key, group=g))
    return out


# -- processes -----------------------------------------------------------------------------------------------------------------------------------


def lower_process(d: Definition, program: Program, op: Op, number: int) -> ProcessDef:
    scope = ModuleScope(d)
    final = op.name == "llhd.final"
    hint = op.attrs.get("sv.namehint") or op.attrs.get("name")
    name = str(hint) if isinstance(hint, str) and hint else ""
    key = f"{d.name}.{'final' if final else 'process'}{number}"
    lw = Lowerer(key, "process", program, scope, name or key)
    lw.extra["local_signal"] = lambda sig: local_signal(d, sig)
    lw.extra["net_size"] = d.net_size
    results = list(op.results)
    drives = d.process_drives.get(op, [])

    def yields(values: list[Value]) -> None:
        current = dict(zip(results, values, strict=True))
        for r, own in d.result_nets.items():
            if r in current:
                lay = layout(r.type)
                lw.do("netstore", *lw.get(current[r]), attr=(own.k, own.off, lay.offs, lay.size))
        for drv in drives:
            attached_drive(lw, drv, current)

    lw.yields = yields if (results and (drives or any(r in d.result_nets for r in results))) else None
    lw.b.set_block(lw.new_block())
    prefetch_heap_allocas(lw, op)
    short = short_form(op)
    if short is not None:
        lower_short(lw, short)
        op.regions[0].forget_short()
    elif not op.regions or not op.regions[0].blocks:
        lw.b.terminate(mir.Halt())
    else:
        lw.region_cfg(op.regions[0], [lw.get(v) for v in op.operands] if op.name == "seq.initial" else None)
    return ProcessDef(edge_waits(d, program, lw.finish()), op, final, name)


def local_signal(d: Definition, sig: Op) -> Own:
    own = d.local_signals.get(sig)
    if own is None:
        own = d.net(sig.operands[0].type, "", "signal")
        d.local_signals[sig] = own
    return own


def attached_drive(lw: Lowerer, drv: Op, current: dict[Value, Value]) -> None:
    """A module-level drive of process results, done where the process yields: only if enabled."""

    def leaves_of(v: Value) -> Leaves:
        return lw.get(current.get(v, v))

    enable = drv.group("enable")
    cond: Val | None = leaves_of(enable[0])[0] if enable else None
    if cond is not None and cond.const == 0:
        return
    saved = lw.op
    lw.op = drv
    done = None
    if cond is not None and cond.const is None:
        act, done = lw.new_block(), lw.new_block()
        lw.b.terminate(mir.CondBr(cond, act, (), done, ()))
        lw.b.set_block(act)
    value = drv.group("value")[0]
    time = lw.get(drv.group("time")[0])
    drive_signal(lw, drv, leaves_of(value), (time[0], time[1], time[2]), current.get(value, value))
    if done is not None:
        lw.goto(done)
        lw.b.set_block(done)
    lw.op = saved


def prefetch_heap_allocas(lw: Lowerer, op: Op) -> None:
    """Allocas whose address is captured by a fork that may outlive an iteration get memory of their own each time they execute."""
    heap: set[Op] = set()
    from wasmjit.elab.definition import structure

    for inner in structure(op):
        if inner.name == "sim.fork" and str(inner.attrs.get("joinType", "join")).strip('"') != "join":
            for r in inner.regions:
                for v in captured_values(r):
                    if isinstance(v.owner, Op) and v.owner.name == "llvm.alloca":
                        heap.add(v.owner)
    lw.extra["heap_allocas"] = heap


__all__ = ["Lowered", "ProcessDef", "RegionDef", "Unsupported", "drive_op", "lower_definition", "set_ref", "store_now", "Ref"]
