"""llvm: guest memory, aggregates, integers of functions."""

from __future__ import annotations

from typing import Any

from wasmjit.ir import Block, Dense, Op, Value
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.dense import dense_elements
from wasmjit.sem.layout import Layout, layout, leaf_slice
from wasmjit.sem.lower.arith import CMPF, CMPI, bitcast
from wasmjit.sem.lower.bounds import DYNAMIC_INDEX, in_range, loaded_defaults, of_dynamic_array, reachable, uses_around
from wasmjit.sem.lower.core import Leaves, Lowerer, Unsupported, lowers
from wasmjit.sem.lower.func import call_named, call_pointer, signature_of, vtable_slot
from wasmjit.sem.lower.refs import probe, signal_behind, store_now
from wasmjit.sem.mir import BOOL, I32, I64, Val

_BINARY = {
    "add": "add",
    "sub": "sub",
    "mul": "mul",
    "and": "and",
    "or": "or",
    "xor": "xor",
    "udiv": "divu",
    "sdiv": "divs",
    "urem": "modu",
    "srem": "mods",
    "shl": "shl",
    "lshr": "shru",
    "ashr": "shrs",
    "fadd": "fadd",
    "fsub": "fsub",
    "fmul": "fmul",
    "fdiv": "fdiv",
    "frem": "frem",
}
GUEST_LO_OFFSET = 148
"""Control block: first guest address (`sched.control.CB_GUEST_LO`)."""


@lowers(*[f"llvm.{k}" for k in _BINARY])
def _binary(lw: Lowerer, op: Op) -> None:
    a, b = lw.one(op.operands[0]), lw.one(op.operands[1])
    lw.set(op.results[0], lw.x(_BINARY[op.name[5:]], a.ty, a, b))


@lowers("llvm.fneg")
def _fneg(lw: Lowerer, op: Op) -> None:
    a = lw.one(op.operands[0])
    lw.set(op.results[0], lw.x("fneg", a.ty, a))


@lowers("llvm.icmp")
def _icmp(lw: Lowerer, op: Op) -> None:
    p = op.attrs["predicate"]
    lw.set(op.results[0], lw.x("icmp", BOOL, lw.one(op.operands[0]), lw.one(op.operands[1]), attr=CMPI[p] if isinstance(p, int) else str(p)))


_LLVM_CMPF = ("false", "oeq", "ogt", "oge", "olt", "ole", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "une", "uno", "true")
assert _LLVM_CMPF == CMPF


@lowers("llvm.fcmp")
def _fcmp(lw: Lowerer, op: Op) -> None:
    p = op.attrs["predicate"]
    pred = {"_false": "false", "_true": "true"}.get(str(p), CMPF[p] if isinstance(p, int) else str(p))
    lw.set(op.results[0], lw.x("fcmp", BOOL, lw.one(op.operands[0]), lw.one(op.operands[1]), attr=pred))


_CONVERT = {"llvm.fptosi": "fptosi", "llvm.fptoui": "fptoui", "llvm.sitofp": "sitofp", "llvm.uitofp": "uitofp", "llvm.fpext": "fext", "llvm.fptrunc": "ftrunc"}


@lowers(*_CONVERT)
def _convert(lw: Lowerer, op: Op) -> None:
    ty = lw.leaf(op.results[0])
    lw.set(op.results[0], lw.x(_CONVERT[op.name], ty, lw.one(op.operands[0])))


@lowers("llvm.trunc", "llvm.zext", "llvm.ptrtoint", "llvm.inttoptr", "llvm.addrspacecast")
def _resize(lw: Lowerer, op: Op) -> None:
    ty = lw.leaf(op.results[0])
    lw.set(op.results[0], lw.resize(lw.one(op.operands[0]), ty))


@lowers("llvm.sext")
def _sext(lw: Lowerer, op: Op) -> None:
    ty = lw.leaf(op.results[0])
    lw.set(op.results[0], lw.x("sext", ty, lw.one(op.operands[0])))


@lowers("llvm.bitcast")
def _bitcast(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], bitcast(lw, lw.one(op.operands[0]), op.results[0].type))


@lowers("llvm.freeze")
def _freeze(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], lw.get(op.operands[0]))


@lowers("llvm.select")
def _select(lw: Lowerer, op: Op) -> None:
    c = lw.one(op.operands[0])
    lw.set(op.results[0], [lw.x("mux", t.ty, c, t, f) for t, f in zip(lw.get(op.operands[1]), lw.get(op.operands[2]), strict=True)])


_COUNT = {"ctpop": "popcount", "ctlz": "ctlz", "cttz": "cttz"}
_FUNARY = {
    "fabs": "fabs",
    "sqrt": "sqrt",
    "sin": "sin",
    "cos": "cos",
    "exp": "exp",
    "exp2": "exp2",
    "log": "log",
    "log2": "log2",
    "log10": "log10",
    "floor": "floor",
    "ceil": "ceil",
    "trunc": "trunc",
    "round": "round_half_away",
    "rint": "round_half_even",
    "nearbyint": "round_half_even",
}
_MINMAX = {"smin": "slt", "smax": "sgt", "umin": "ult", "umax": "ugt"}


@lowers(*[f"llvm.intr.{n}" for n in (*_COUNT, *_FUNARY, *_MINMAX)], "llvm.intr.pow", "llvm.intr.copysign", "llvm.intr.abs")
def _intrinsic(lw: Lowerer, op: Op) -> None:
    name = op.name.removeprefix("llvm.intr.")
    a = lw.one(op.operands[0])
    if name in _COUNT:
        r = lw.x(_COUNT[name], a.ty, a)
    elif name == "fabs":
        r = lw.x("fabs", a.ty, a)
    elif name in _FUNARY:
        r = lw.x("fmath", a.ty, a, attr=_FUNARY[name])
    elif name in _MINMAX:
        b = lw.one(op.operands[1])
        r = lw.x("mux", a.ty, lw.x("icmp", BOOL, a, b, attr=_MINMAX[name]), a, b)
    elif name == "abs":
        r = lw.x("mux", a.ty, lw.x("icmp", BOOL, a, lw.zero(a.ty), attr="slt"), lw.x("sub", a.ty, lw.zero(a.ty), a), a)
    else:
        r = lw.x("fmath", a.ty, a, lw.one(op.operands[1]), attr=name)
    lw.set(op.results[0], r)


@lowers("llvm.intr.lifetime.start", "llvm.intr.lifetime.end", "llvm.intr.assume", "llvm.intr.dbg.declare", "llvm.intr.dbg.value", "llvm.intr.stacksave", "llvm.intr.stackrestore")
def _nothing(lw: Lowerer, op: Op) -> None:
    for r in op.results:
        lw.set(r, [lw.zero(ty) for ty in lw.lay(r).leaves])


@lowers("llvm.intr.expect")
def _expect(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], lw.get(op.operands[0]))


@lowers("llvm.intr.memcpy", "llvm.intr.memmove")
def _memcpy(lw: Lowerer, op: Op) -> None:
    dst, src, n = (lw.one(v) for v in op.operands[:3])
    lw.do("memmove" if op.name.endswith("move") else "memcpy", dst, src, lw.resize(n, I64), attr=lw.site("bad address in memory copy"))
    if shallow_copy(op) and lw.program.symbol("__moore_randomize_basic") is not None:
        params = (dst, src, lw.resize(n, I64))
        lw.emit("svc", (), params, lw.program.service("__wasmjit_object_copied", (tuple(p.ty for p in params), ())))


def shallow_copy(op: Op) -> bool:
    """Whether a copy is `new source` (IEEE 1800 §8.12): all of a new object comes from another one."""
    made = op.operands[0].owner
    callee = made.attrs.get("callee") if isinstance(made, Op) and made.name == "llvm.call" else None
    return callee is not None and callee.name == "malloc" and isinstance(made, Op) and made.operands[0] is op.operands[2]


@lowers("llvm.intr.memset")
def _memset(lw: Lowerer, op: Op) -> None:
    dst, byte, n = (lw.one(v) for v in op.operands[:3])
    lw.do("memset", dst, byte, lw.resize(n, I64), attr=lw.site("bad address in memory fill"))


# -- constants ---------------------------------------------------------------------------------------------------------------------------


def data_bytes(t: T.Type, value: Any) -> bytes:
    """Memory image of an attribute value of type t (llvm.mlir.constant, initialisers of globals)."""
    lay = layout(t)
    if value is None or type(value).__name__ == "Opaque":  # #llvm.zero, #llvm.undef, #llvm.poison
        return bytes(lay.size)
    match t:
        case T.LLVMArrayType() | T.ArrayType():
            if isinstance(value, str):
                raw = value.encode("utf-8", "surrogateescape")
                return raw[: lay.size].ljust(lay.size, b"\0")
            values = dense_elements(value) if isinstance(value, Dense) else value
            if isinstance(values, (int, float, bool)):
                return data_bytes(t.elem, values) * t.size
            values = list(values)
            if len(values) == 1 and t.size != 1:
                values *= t.size
            if values and not isinstance(values[0], (list, tuple)) and isinstance(t.elem, T.LLVMArrayType):
                step = len(values) // t.size
                values = [values[i * step : (i + 1) * step] for i in range(t.size)]
            return b"".join(data_bytes(t.elem, v) for v in values)
        case T.LLVMStructType():
            out = bytearray(lay.size)
            pos = 0
            for f, v in zip(t.members, value, strict=True):
                fl = layout(f)
                if not t.packed:
                    pos = (pos + fl.align - 1) // fl.align * fl.align
                out[pos : pos + fl.size] = data_bytes(f, v)
                pos += fl.size
            return bytes(out)
        case T.StructType():
            out = bytearray(lay.size)
            pos = 0
            for (_, f), v in zip(t.fields, value, strict=True):
                fl = layout(f)
                pos = (pos + fl.align - 1) // fl.align * fl.align
                out[pos : pos + fl.size] = data_bytes(f, v)
                pos += fl.size
            return bytes(out)
    if not lay.leaves:
        return b""
    (ty,) = lay.leaves
    return leaf_bytes(ty, value)


def leaf_bytes(ty: mir.Ty, value: Any) -> bytes:
    import struct

    if ty.kind == "f":
        return struct.pack("<d" if ty.size == 64 else "<f", float(value))
    if isinstance(value, bytes):
        return value
    return (int(value) & ty.mask).to_bytes(ty.nbytes, "little")


@lowers("llvm.mlir.constant")
def _constant(lw: Lowerer, op: Op) -> None:
    lay = lw.lay(op.results[0])
    value = op.attrs["value"]
    if len(lay.leaves) == 1 and lay.leaves[0].kind != "a" and isinstance(value, (int, float)):
        ty = lay.leaves[0]
        lw.set(op.results[0], lw.const(ty, float(value) if ty.kind == "f" else int(value) & ty.mask))
        return
    lw.set(op.results[0], leaves_of_bytes(lw, lay, data_bytes(op.results[0].type, value)))


def leaves_of_bytes(lw: Lowerer, lay: Layout, raw: bytes) -> list[Val]:
    import struct

    out = []
    for ty, off in zip(lay.leaves, lay.offs, strict=True):
        piece = raw[off : off + ty.nbytes]
        if ty.kind == "a":
            out.append(lw.const(ty, piece))
        elif ty.kind == "f":
            out.append(lw.const(ty, struct.unpack("<d" if ty.size == 64 else "<f", piece)[0]))
        else:
            out.append(lw.const(ty, int.from_bytes(piece, "little") & ty.mask))
    return out


@lowers("llvm.mlir.undef", "llvm.mlir.poison", "llvm.mlir.zero", "llvm.mlir.null")
def _zero(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], [lw.zero(ty) for ty in lw.lay(op.results[0]).leaves])


@lowers("llvm.mlir.addressof")
def _addressof(lw: Lowerer, op: Op) -> None:
    name = op.attrs["global_name"].name
    addr = lw.program.global_address(name)
    lw.set(op.results[0], lw.i64(addr if addr is not None else lw.program.function_pointer(name)))


# -- aggregates ----------------------------------------------------------------------------------------------------------------------------


def _path(op: Op, t: T.Type, position: list[int]) -> tuple[int, int, list[tuple[int, Layout, T.Type]], T.Type]:
    """Walk a constant position: (first leaf, leaf count) inside the value, then inside at most one image: byte steps."""
    first, count = 0, len(layout(t).leaves)
    inside: list[tuple[int, Layout, T.Type]] = []
    offset = 0
    in_image = False
    for p in position:
        match t:
            case T.LLVMStructType() | T.StructType():
                check_field(op, t, p)
                fields = list(t.members) if isinstance(t, T.LLVMStructType) else [f for _, f in t.fields]
                if in_image:
                    offset += field_offset(t, p)
                else:
                    f0, n = leaf_slice(fields, p)
                    first, count = first + f0, n
                t = fields[p]
            case T.LLVMArrayType() | T.ArrayType():
                if not 0 <= p < t.size:
                    raise Unsupported(op, f"position {p} is outside of {t}")
                in_image = True
                offset += p * layout(t.elem).size
                t = t.elem
            case _:
                raise Unsupported(op, f"type {t} has no elements")
    if in_image:
        inside.append((offset, layout(t), t))
    return first, count, inside, t


def check_field(op: Op, t: T.LLVMStructType | T.StructType, index: int) -> None:
    if not 0 <= index < len(t.members if isinstance(t, T.LLVMStructType) else t.fields):
        raise Unsupported(op, f"{t} has no field {index}")


def field_offset(t: T.Type, index: int) -> int:
    """Byte offset of field `index` of a struct."""
    fields = list(t.members) if isinstance(t, T.LLVMStructType) else [f for _, f in t.fields]  # type: ignore[attr-defined]
    pos = 0
    for i, f in enumerate(fields):
        fl = layout(f)
        if not (isinstance(t, T.LLVMStructType) and t.packed):
            pos = (pos + fl.align - 1) // fl.align * fl.align
        if i == index:
            return pos
        pos += fl.size
    raise IndexError(index)


@lowers("llvm.extractvalue")
def _extractvalue(lw: Lowerer, op: Op) -> None:
    leaves = lw.get(op.operands[0])
    first, count, inside, _ = _path(op, op.operands[0].type, [int(p) for p in op.attrs["position"]])
    if not inside:
        lw.set(op.results[0], leaves[first : first + count])
        return
    offset, lay, _ = inside[0]
    img = leaves[first]
    lw.set(op.results[0], [lw.x("aget", ty, img, lw.const(mir.I(1), 0), attr=(1, img.ty.size, offset + o)) for ty, o in zip(lay.leaves, lay.offs, strict=True)])


@lowers("llvm.insertvalue")
def _insertvalue(lw: Lowerer, op: Op) -> None:
    # Generic operand order: container, value.
    container, value = op.operands[0], op.operands[1]
    leaves = lw.get(container)
    first, count, inside, _ = _path(op, container.type, [int(p) for p in op.attrs["position"]])
    new = lw.get(value)
    if inside:
        offset, lay, _ = inside[0]
        img = leaves[first]
        new = (lw.x("aput", img.ty, img, lw.const(mir.I(1), 0), *new, attr=(1, img.ty.size, tuple(offset + o for o in lay.offs))),)
        count = 1
    lw.set(op.results[0], (*leaves[:first], *new, *leaves[first + count :]))


# -- memory ----------------------------------------------------------------------------------------------------------------------------------


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


# -- calls and control -------------------------------------------------------------------------------------------------------------------------


@lowers("llvm.call", suspends=True)
def _call(lw: Lowerer, op: Op) -> None:
    callee = op.attrs.get("callee")
    if callee is not None:
        call_named(lw, op, callee.name, op.operands)
    else:
        call_pointer(lw, op, op.operands[0], op.operands[1:], signature_of(op.operands[1:], op.results))


@lowers("llvm.invoke", suspends=True)
def _invoke(lw: Lowerer, op: Op) -> None:
    """No guest code unwinds, so an invoke is a call that continues at the normal destination."""
    callee = op.attrs.get("callee")
    operands = op.group("callee_operands")
    if callee is not None:
        call_named(lw, op, callee.name, operands)
    else:
        call_pointer(lw, op, operands[0], operands[1:], signature_of(operands[1:], op.results))
    block, args = op.successors[0]
    lw.goto(lw.block(block), lw.args(args))


@lowers("llvm.landingpad")
def _landingpad(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], [lw.zero(ty) for ty in lw.lay(op.results[0]).leaves])


@lowers("llvm.unreachable", "llvm.resume")
def _unreachable(lw: Lowerer, op: Op) -> None:
    lw.b.terminate(mir.Fault(lw.site("unreachable code was reached", op)))
