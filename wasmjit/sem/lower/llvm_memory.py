"""llvm: guest memory (alloca, getelementptr, load, store)."""

from __future__ import annotations

from wasmjit.ir import Block, Op, Value
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.layout import Layout, layout
from wasmjit.sem.lower.bounds import DYNAMIC_INDEX, in_range, loaded_defaults, of_dynamic_array, reachable, uses_around
from wasmjit.sem.lower.core import Leaves, Lowerer, Unsupported, lowers
from wasmjit.sem.lower.func import vtable_slot
from wasmjit.sem.lower.llvm_values import check_field, field_offset
from wasmjit.sem.lower.refs import probe, signal_behind, store_now
from wasmjit.sem.mir import BOOL, I32, I64, Val

GUEST_LO_OFFSET = 148
"""Control block: first guest address (`sched.control.CB_GUEST_LO`)."""


@lowers("llvm.alloca")
def _alloca(lw: Lowerer, op: Op) -> None:
    lay = layout(op.attrs["elem_type"])
    n = lw.resize(lw.one(op.operands[0]), I64)
    if lw.extra.get("module_init") or op in lw.extra.get("heap_allocas", ()):
        size = lw.x("mul", I64, n, lw.i64(max(lay.size, 1)))
        if lw.extra.get("module_init"):
            lw.set(op.results[0], lw.x("zext", I64, lw.x("rt", I32, lw.x("extract", I32, size, attr=0), attr="k_alloc0")))
        else:
            lw.do("gcpoll")
            lw.set(op.results[0], lw.x("zext", I64, lw.x("rt", I32, lw.i64(1), size, attr="calloc")))
        return
    lw.set(op.results[0], lw.x("alloca", I64, n, attr=(lay.size, max(lay.align, 1))))


def ptr_add(lw: Lowerer, ptr: Val, delta: Val | int) -> Val:
    """Pointer arithmetic: only the low 32 bits move (the high half names a net)."""
    if isinstance(delta, int):
        if delta == 0:
            return ptr
        if delta > 0:
            # Layout offsets never leave the object, so the carry cannot reach the net id.
            return lw.x("add", I64, ptr, lw.i64(delta))
        delta = lw.i64(delta)
    low = lw.x("add", I32, lw.x("extract", I32, ptr, attr=0), lw.x("extract", I32, delta, attr=0))
    return lw.x("concat", I64, lw.x("extract", I32, ptr, attr=32), low)


@lowers("llvm.getelementptr")
def _gep(lw: Lowerer, op: Op) -> None:
    ptr = lw.one(op.operands[0])
    if sum(int(raw) == DYNAMIC_INDEX for raw in op.attrs["rawConstantIndices"]) != len(op.operands) - 1:
        raise Unsupported(op, "rawConstantIndices and the indices given as operands do not fit together")
    dynamic = iter(op.operands[1:])
    t: T.Type = op.attrs["elem_type"]
    const = 0
    for i, raw in enumerate(op.attrs["rawConstantIndices"]):
        raw = int(raw)
        index: Val | int = raw
        if raw == DYNAMIC_INDEX:
            v = lw.one(next(dynamic))
            index = lw.resize(v, I64) if v.ty.size >= 64 else lw.x("sext", I64, v)
            if index.const is not None:
                c = int(index.const)
                index = c - (1 << 64) if c >> 63 else c
        if i == 0:
            stride = layout(t).size
        else:
            match t:
                case T.LLVMStructType() | T.StructType():
                    if not isinstance(index, int):
                        raise Unsupported(op, "a struct index must be constant")
                    check_field(op, t, index)
                    const += field_offset(t, index)
                    t = t.members[index] if isinstance(t, T.LLVMStructType) else t.fields[index][1]
                    continue
                case T.LLVMArrayType() | T.ArrayType():
                    t = t.elem
                    stride = layout(t).size
                case _:
                    raise Unsupported(op, f"cannot index into type {t}")
        if isinstance(index, int):
            const += index * stride
        else:
            ptr = ptr_add(lw, ptr, lw.x("mul", I64, index, lw.i64(stride)) if stride != 1 else index)
    ptr = ptr_add(lw, ptr, const)
    if len(op.operands) > 1 or of_dynamic_array(op.operands[0]):
        if op.results[0] in uses_around(lw, op).escaping:
            ok = in_range(lw, op.results[0])
            if ok is not None:
                ptr = reachable(lw, ptr, ok, layout(t).size)
    lw.set(op.results[0], ptr)


@lowers("llvm.load")
def _load(lw: Lowerer, op: Op) -> None:
    lay = lw.lay(op.results[0])
    if not lw.extra.get("listens"):
        signal = signal_behind(lw, op.operands[0], lay)
        if signal is not None:
            lw.set(op.results[0], probe(lw, signal, lay))
            return
    ptr = lw.one(op.operands[0])
    site = lw.site("load from an invalid address", op)
    if (isinstance(op.results[0].type, T.PtrType) and vtable_slot(op.operands[0]) is not None) or cast_check_reads(lw, op):
        # An object whose vtable pointer was never set has no methods: the call site deals with the null pointer. The first guest word is 0.
        # Casts look at the type of the object before they ask whether there is one.
        lowest = lw.x("ldt", I32, lw.i32(0), attr=GUEST_LO_OFFSET)
        ok = lw.x("icmp", BOOL, lw.x("extract", I32, ptr, attr=0), lowest, attr="uge")
        ptr = lw.x("mux", I64, ok, ptr, lw.x("zext", I64, lowest))
    inside = in_range(lw, op.operands[0])
    if lw.extra.get("listens"):
        listen(lw, ptr)
        if ptr.const is None:
            # Continuous logic is evaluated from the start, before anybody made the object it looks into: until then it reads the default value.
            made = lw.x("icmp", BOOL, lw.x("extract", I32, ptr, attr=0), lw.x("ldt", I32, lw.i32(0), attr=GUEST_LO_OFFSET), attr="uge")
            default = tuple(lw.zero(ty) for ty in lay.leaves) if inside is None else loaded_defaults(lw, op)
            lw.set(op.results[0], load_if(lw, made if inside is None else lw.x("and", BOOL, made, inside), ptr, lay, site, default))
            return
    if inside is not None:
        lw.set(op.results[0], load_if(lw, inside, ptr, lay, site, loaded_defaults(lw, op)))
        return
    lw.set(op.results[0], [lw.x("ld", ty, ptr, attr=(off, site)) for ty, off in zip(lay.leaves, lay.offs, strict=True)])


def load_if(lw: Lowerer, ok: Val, ptr: Val, lay: Layout, site: int, default: Leaves) -> list[Val]:
    """Leaves behind a pointer if `ok`, else a default."""
    read, done = lw.new_block(), lw.new_block()
    lw.b.terminate(mir.CondBr(ok, read, (), done, default))
    lw.b.set_block(read)
    lw.goto(done, tuple(lw.x("ld", ty, ptr, attr=(off, site)) for ty, off in zip(lay.leaves, lay.offs, strict=True)))
    lw.b.set_block(done)
    return [lw.b.block_param(done, ty) for ty in lay.leaves]


CAST_CHECK = "__moore_dyn_cast_check"


def cast_check_reads(lw: Lowerer, op: Op) -> bool:
    """Whether a load reads the type of an object for a dynamic cast in the same block."""
    if op.results[0].type != T.IntType(32) or op.parent is None or lw.program.symbol(CAST_CHECK) is None:
        return False
    known: dict[Block, set[Value]] = lw.extra.setdefault("cast_checks", {})
    types = known.get(op.parent)
    if types is None:
        calls = [o for o in op.parent.ops if o.name in ("llvm.call", "func.call") and o.attrs.get("callee") is not None]
        types = known[op.parent] = {o.operands[0] for o in calls if o.attrs["callee"].name == CAST_CHECK}
    return op.results[0] in types


def listen(lw: Lowerer, ptr: Val) -> None:
    """Continuous logic that reads through a pointer is evaluated again when the net behind it changes. A cell remembers the net listened to last."""
    high = lw.x("extract", I32, ptr, attr=32)
    if high.const == 0:
        return
    cell = lw.extra["cell"](4)
    ctx = lw.x("ctx", I32)
    new, done = lw.new_block(), lw.new_block()
    lw.b.terminate(mir.CondBr(lw.x("icmp", BOOL, high, lw.x("ldt", I32, ctx, attr=cell), attr="ne"), new, (), done, ()))
    lw.b.set_block(new)
    lw.do("stt", lw.x("ctx", I32), high, attr=cell)
    lw.do("rt", ptr, attr="k_region_listen")
    lw.goto(done)
    lw.b.set_block(done)


@lowers("llvm.store")
def _store(lw: Lowerer, op: Op) -> None:
    lay = lw.lay(op.operands[0])
    signal = signal_behind(lw, op.operands[1], lay)
    if signal is not None:
        store_now(lw, signal, lay, lw.get(op.operands[0]))
        return
    leaves, ptr = lw.get(op.operands[0]), lw.one(op.operands[1])
    site = lw.site("store to an invalid address", op)
    done = None
    inside = in_range(lw, op.operands[1])
    if inside is not None:
        write, done = lw.new_block(), lw.new_block()
        lw.b.terminate(mir.CondBr(inside, write, (), done, ()))
        lw.b.set_block(write)
    for leaf, off in zip(leaves, lay.offs, strict=True):
        lw.do("st", ptr, leaf, attr=(off, site))
    if done is not None:
        lw.goto(done)
        lw.b.set_block(done)
