"""llhd: signals, time, processes."""

from __future__ import annotations

from typing import Any

from wasmjit.ir import Op, TimeAttr, Value
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.layout import layout
from wasmjit.sem.lower.bounds import defaults, reachable, uses_around
from wasmjit.sem.lower.core import Leaves, Lowerer, Unsupported, lowers, outermost
from wasmjit.sem.lower.hw import field_range, mem_index
from wasmjit.sem.lower.llvm_values import field_offset
from wasmjit.sem.lower.partial import driven_ranges
from wasmjit.sem.lower.refs import PART, Own, Ref, drive, element, force, pointer, probe, ref_of
from wasmjit.sem.mir import I32, I64, I, Val

NOW_OFFSET, DELTA_OFFSET, EPSILON_OFFSET = 16, 24, 28
"""Control block: current time (u64 fs, u32 delta, u32 epsilon); see sched/control.py."""


def set_ref(lw: Lowerer, v: Value, ref: Ref) -> None:
    lw.extra.setdefault("refs", {})[v] = ref
    ptr, bit = pointer(lw, ref)
    if ref.valid is not None and isinstance(v.owner, Op) and isinstance(v.type, T.RefType) and v in uses_around(lw, v.owner).escaping:
        ptr = reachable(lw, ptr, ref.valid, layout(v.type.elem).size)
    lw.set(v, (ptr, bit))


def parse_time(value: Any) -> tuple[int, int, int]:
    """(fs, delta, epsilon) of a time attribute such as `<1ns, 0d, 1e>`."""
    if isinstance(value, TimeAttr):
        return value.fs, value.delta, value.epsilon
    raise ValueError(f"expected a time attribute, got {value}")


@lowers("llhd.constant_time")
def _constant_time(lw: Lowerer, op: Op) -> None:
    try:
        fs, d, e = parse_time(op.attrs["value"])
    except ValueError as err:
        raise Unsupported(op, str(err)) from None
    lw.set(op.results[0], (lw.i64(fs), lw.i32(d), lw.i32(e)))


@lowers("llhd.current_time")
def _current_time(lw: Lowerer, op: Op) -> None:
    zero = lw.i32(0)
    lw.set(op.results[0], (now(lw), lw.x("ldt", I32, zero, attr=DELTA_OFFSET), lw.x("ldt", I32, zero, attr=EPSILON_OFFSET)))


UNITS = {"fs": 0, "ps": 3, "ns": 6, "us": 9, "ms": 12, "s": 15}


@lowers("sim.time")
def _sim_time(lw: Lowerer, op: Op) -> None:
    """The time as an integer in a unit, ns if none is named; what is less than a unit is cut off."""
    unit = str(op.attrs.get("unit", "ns"))
    if unit not in UNITS:
        raise Unsupported(op, f"a unit of time '{unit}'")
    if isinstance(op.results[0].type, T.TimeType):
        _current_time(lw, op)
        return
    scaled = lw.x("divu", I64, now(lw), lw.i64(10 ** UNITS[unit])) if unit != "fs" else now(lw)
    lw.set(op.results[0], lw.resize(scaled, lw.leaf(op.results[0])))


def now(lw: Lowerer) -> Val:
    return lw.x("ldt", I64, lw.i32(0), attr=NOW_OFFSET)


@lowers("llhd.time_to_int")
def _time_to_int(lw: Lowerer, op: Op) -> None:
    ty = lw.leaf(op.results[0])
    lw.set(op.results[0], lw.resize(lw.get(op.operands[0])[0], ty))


@lowers("llhd.int_to_time")
def _int_to_time(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], (lw.resize(lw.one(op.operands[0]), I64), lw.i32(0), lw.i32(0)))


# -- signals -------------------------------------------------------------------------------------------------------------------------------


@lowers("llhd.sig")
def _sig(lw: Lowerer, op: Op) -> None:
    """A signal created by a body: in a process one net per operation and instance, in a function plain memory (drives act at once)."""
    lay = lw.lay(op.operands[0])
    leaves = lw.get(op.operands[0])
    own: Own | None = lw.extra["local_signal"](op) if "local_signal" in lw.extra else None
    if own is not None:
        lw.do("netstore", *leaves, attr=(own.k, own.off, lay.offs, lay.size))
        set_ref(lw, op.results[0], Ref(own))
        return
    plain_memory(lw, op)


def plain_memory(lw: Lowerer, op: Op) -> None:
    """A reference to memory of the activation that holds the operand at first."""
    lay = lw.lay(op.operands[0])
    leaves = lw.get(op.operands[0])
    ptr = lw.x("alloca", I64, lw.i64(1), attr=(max(lay.size, 1), max(lay.align, 1)))
    site = lw.site("signal storage")
    for leaf, off in zip(leaves, lay.offs, strict=True):
        lw.do("st", ptr, leaf, attr=(off, site))
    set_ref(lw, op.results[0], Ref(None, ptr))


@lowers("llhd.var")
def _var(lw: Lowerer, op: Op) -> None:
    """A variable of a body (older LLHD): plain memory."""
    plain_memory(lw, op)


@lowers("llhd.store")
def _store(lw: Lowerer, op: Op) -> None:
    drive(lw, ref_of(lw, op.operands[0]), lw.lay(op.operands[1]), lw.get(op.operands[1]), (lw.i64(0), lw.i32(0), lw.i32(1)))


@lowers("llhd.prb", "llhd.load")
def _prb(lw: Lowerer, op: Op) -> None:
    ref = ref_of(lw, op.operands[0])
    if ref.net is not None and lw.scope is not None:
        lw.scope.reads(ref.net)
    lw.set(op.results[0], probe(lw, ref, lw.lay(op.results[0]), defaults(lw, op.results[0].type) if ref.valid is not None else ()))


@lowers("llhd.drv")
def _drv(lw: Lowerer, op: Op) -> None:
    enable = op.group("enable")
    if enable:
        cond = lw.one(enable[0])
        if cond.const == 0:
            return
        if cond.const is None:
            then, done = lw.new_block(), lw.new_block()
            lw.b.terminate(mir.CondBr(cond, then, (), done, ()))
            lw.b.set_block(then)
            drive_op(lw, op)
            lw.goto(done)
            lw.b.set_block(done)
            return
    drive_op(lw, op)


def drive_op(lw: Lowerer, op: Op) -> None:
    value = op.group("value")[0]
    time = lw.get(op.group("time")[0])
    drive_signal(lw, op, lw.get(value), (time[0], time[1], time[2]), value)


def drive_signal(lw: Lowerer, op: Op, leaves: Leaves, time: tuple[Val, Val, Val], source: Value) -> None:
    """What an `llhd.drv` does with the value `leaves` (whose bits come from `source`): it drives, forces or releases."""
    signal = op.group("signal")[0]
    lay = lw.lay(op.group("value")[0])
    ref = ref_of(lw, signal)
    if "circt.release" in op.attrs or "circt.force" in op.attrs:
        done = None
        if ref.valid is not None:
            then, done = lw.new_block(), lw.new_block()
            lw.b.terminate(mir.CondBr(ref.valid, then, (), done, ()))
            lw.b.set_block(then)
        force(lw, ref, lay, None if "circt.release" in op.attrs else leaves)
        if done is not None:
            lw.goto(done)
            lw.b.set_block(done)
    else:
        drive(lw, ref, lay, leaves, time, driven_ranges(source, signal))


@lowers("llhd.sig.extract")
def _sig_extract(lw: Lowerer, op: Op) -> None:
    ref = ref_of(lw, op.operands[0])
    low = lw.one(op.operands[1])
    src = op.operands[0].type
    width = layout(src.elem).leaves[0].size if isinstance(src, T.RefType) else 0
    out = layout(op.results[0].type.elem)  # type: ignore[attr-defined]
    n = out.leaves[0].size
    if low.const == 0 and n == width and ref.bit is None:
        set_ref(lw, op.results[0], ref)
        return
    wide = lw.resize(low, I32) if low.ty.size <= 32 else lw.x("extract", I32, low, attr=0)
    bit = lw.x("or", I32, wide, lw.i32(PART)) if ref.bit is None else lw.x("add", I32, ref.bit, wide)
    valid = ref.valid
    if low.const is None:
        # Out of range: reads give zero, drives do nothing (IEEE 1800 §11.5.1: an out-of-bounds write has no effect).
        last = lw.const(low.ty, min(max(width - n, 0), low.ty.mask))
        ok = lw.x("icmp", I(1), low, last, attr="ule")
        valid = ok if valid is None else lw.x("and", I(1), valid, ok)
        bit = lw.x("mux", I32, ok, bit, ref.bit if ref.bit is not None else lw.i32(PART))
    elif int(low.const) + n > width:
        valid = lw.const(I(1), 0)
    set_ref(lw, op.results[0], Ref(ref.net, ref.ptr, ref.off, ref.dyn, bit, valid))


@lowers("llhd.sig.struct_extract")
def _sig_struct_extract(lw: Lowerer, op: Op) -> None:
    ref = ref_of(lw, op.operands[0])
    t = op.operands[0].type.elem  # type: ignore[attr-defined]
    if not isinstance(t, T.StructType):
        raise Unsupported(op, f"expected a reference to an hw.struct, got {t}")
    field = op.attrs["field"] if "field" in op.attrs else op.attrs["fieldIndex"]
    index = field if isinstance(field, int) else [n for n, _ in t.fields].index(str(field))
    field_range(op, t, index)
    set_ref(lw, op.results[0], Ref(ref.net, ref.ptr, ref.off + field_offset(t, index), ref.dyn, None, ref.valid))


@lowers("llhd.sig.array_get")
def _sig_array_get(lw: Lowerer, op: Op) -> None:
    ref = ref_of(lw, op.operands[0])
    t = op.operands[0].type.elem  # type: ignore[attr-defined]
    idx = mem_index(lw, op, 1, t.size)
    set_ref(lw, op.results[0], element(lw, ref, idx, t.size, layout(t.elem).size))


@lowers("llhd.sig.array_slice")
def _sig_array_slice(lw: Lowerer, op: Op) -> None:
    ref = ref_of(lw, op.operands[0])
    t = op.operands[0].type.elem  # type: ignore[attr-defined]
    m = op.results[0].type.elem.size  # type: ignore[attr-defined]
    low = lw.get(op.operands[1])
    if not low:
        set_ref(lw, op.results[0], ref)
        return
    idx = lw.resize(low[0], I(max(low[0].ty.size, t.size.bit_length()) + 1))
    start = lw.x("sub", idx.ty, lw.const(idx.ty, t.size - m), idx)
    set_ref(lw, op.results[0], element(lw, ref, start, t.size - m + 1, layout(t.elem).size))


# -- suspension ------------------------------------------------------------------------------------------------------------------------------


@lowers("llhd.halt")
def _halt(lw: Lowerer, op: Op) -> None:
    if lw.yields is not None and op.operands:
        lw.yields(list(op.operands))
    if lw.kind == "process":
        lw.b.terminate(mir.Halt())
    elif lw.kind == "coroutine" and outermost(op).name == "llhd.coroutine":
        # LLHD: the process that called the coroutine halts with it
        lw.do("rt", lw.x("rt", I32, attr="k_self"), attr="k_kill")
        never = lw.new_block()
        lw.b.terminate(mir.Wait(never))
        lw.b.set_block(never)
        lw.b.terminate(mir.Ret(tuple(lw.zero(ty) for ty in lw.b.body.results)))
    else:
        lw.b.terminate(mir.Ret(tuple(lw.zero(ty) for ty in lw.b.body.results)))


@lowers("llhd.yield")
def _yield(lw: Lowerer, op: Op) -> None:
    done = lw.extra.get("llhd.yield")
    if done is None:
        raise Unsupported(op, "llhd.yield outside of a combinational or global signal")
    lw.b.terminate(mir.Br(done, lw.args(op.operands)))


@lowers("llhd.combinational")
def _combinational(lw: Lowerer, op: Op) -> None:
    from wasmjit.sem.lower.control import inline_region, result_block

    done = result_block(lw, op)
    inline_region(lw, op.regions[0], [], "llhd.yield", done)
    lw.b.set_block(done)


@lowers("llhd.delay", "llhd.final", "llhd.output", "llhd.global_signal")
def _module_level(lw: Lowerer, op: Op) -> None:
    raise Unsupported(op, f"'{op.name}' cannot be used here")


def handle_of(ref: Value) -> Value | None:
    """The signal behind `cast(probe(signal of pointers))` to a reference of its type: a modport of an interface is the interface's handle."""
    op = ref.owner
    probe_op = op.operands[0].owner if isinstance(op, Op) and op.name == "builtin.unrealized_conversion_cast" else None
    if not isinstance(probe_op, Op) or probe_op.name != "llhd.prb":
        return None
    source = probe_op.operands[0]
    same = isinstance(ref.type, T.RefType) and isinstance(ref.type.elem, T.PtrType) and source.type == ref.type
    return source if same else None


@lowers("builtin.unrealized_conversion_cast")
def _cast(lw: Lowerer, op: Op) -> None:
    if len(op.operands) != 1 or len(op.results) != 1:
        raise Unsupported(op, "a conversion cast with several operands or results")
    src, dst = op.operands[0], op.results[0]
    if isinstance(src.type, T.RefType) and not isinstance(dst.type, T.RefType):
        ptr = lw.get(src)[0]
        lw.set(dst, lw.resize(ptr, lw.lay(dst).leaves[0]))
        return
    if isinstance(dst.type, T.RefType) and not isinstance(src.type, T.RefType):
        handle = handle_of(dst)
        if handle is not None:
            set_ref(lw, dst, ref_of(lw, handle))
            return
        p = lw.resize(lw.one(src), I64)
        set_ref(lw, dst, Ref(None, p))
        return
    if isinstance(dst.type, T.RefType):
        set_ref(lw, dst, ref_of(lw, src))
        return
    leaves = lw.get(src)
    if isinstance(dst.type, T.OpaqueType) or isinstance(src.type, T.OpaqueType):
        lw.set(dst, leaves)  # moore types only carry a value to moore operations
        return
    want = lw.lay(dst).leaves
    if tuple(v.ty for v in leaves) == want:
        lw.set(dst, leaves)
    elif len(leaves) == 1 and len(want) == 1 and leaves[0].ty.kind == want[0].kind == "i":
        lw.set(dst, lw.resize(leaves[0], want[0]))
    elif len(want) == 2 and len(leaves) == 1 and leaves[0].ty == want[0] == want[1]:
        lw.set(dst, (leaves[0], lw.zero(want[1])))  # two-state to four-state
    elif len(want) == 1 and len(leaves) == 2 and leaves[0].ty == leaves[1].ty == want[0]:
        lw.set(dst, lw.x("and", want[0], leaves[0], lw.x("xor", want[0], leaves[1], lw.const(want[0], want[0].mask))))
    else:
        from wasmjit.sem.lower.hw import from_bits, to_bits

        s, d = lw.lay(src), lw.lay(dst)
        if s.bits != d.bits or not s.bits:
            raise Unsupported(op, f"no conversion from {src.type} to {dst.type}")
        lw.set(dst, from_bits(lw, to_bits(lw, leaves, s), d))
