"""Elements outside of their array: reads give the default value of the type, writes do nothing (IEEE 1800-2023 §7.4.5, §7.10.1).

circt-verilog checks the indices of fixed arrays itself in part; those of dynamic arrays and queues it does not check at all: an element is
`getelementptr data[i]` with `data` from a `{ptr, i64}` value whose second field is the number of elements. Loads and stores at such an address
look at the number first. An address that goes elsewhere (into a call, a reference, a block) points to memory of nobody when the element does
not exist (`k_sink`).
"""

from __future__ import annotations

from wasmjit.data import dataclass, field
from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.layout import UnsupportedType, layout
from wasmjit.sem.lower.core import Leaves, Lowerer, outermost
from wasmjit.sem.mir import BOOL, I32, I64, Val

DYNAMIC_INDEX = -(1 << 31)
_ARRAY = (T.PtrType(), T.IntType(64))
_REF_OPS = frozenset({"llhd.sig.array_get", "llhd.sig.array_slice", "llhd.sig.extract", "llhd.sig.struct_extract"})
_REF_USERS = _REF_OPS | {"llhd.prb", "llhd.drv"}


@dataclass(slots=True)
class Uses:
    """What has to be known of the uses of values of one function or module.

    `escaping`: element addresses and references to elements that are used otherwise than by a load, store, probe or drive beside them.
    `unknown`: per result of a load the field positions (as in `llvm.extractvalue`) that are the unknown bits of a four-state value.
    `accessed`: bytes that the design reads or writes at an address that a call returned.
    """

    escaping: set[Value] = field(default_factory=set)
    unknown: dict[Value, list[tuple[int, ...]]] = field(default_factory=dict)
    accessed: dict[Value, int] = field(default_factory=dict)


def uses_around(lw: Lowerer, op: Op) -> Uses:
    """Uses in the function or module that `op` is in; found once for each."""
    root = outermost(op)
    known: dict[Op, Uses] = lw.program.analyses.setdefault("element uses", {})
    got = known.get(root)
    if got is None:
        got = known[root] = Uses()
        _look(root, got)
    return got


def _look(root: Op, out: Uses) -> None:
    work = [b for r in root.regions for b in r.blocks]
    while work:
        block = work.pop()
        for op in block.ops:
            work += [b for r in op.regions for b in r.blocks]
            for n, v in enumerate(op.operands):
                d = v.owner
                if not isinstance(d, Op):
                    continue
                if d.name == "llvm.call" or d.name == "func.call":
                    size = accessed_bytes(op, n)
                    if size > out.accessed.get(v, 0):
                        out.accessed[v] = size
                elif d.name == "llvm.getelementptr":
                    if not (op.name == "llvm.load" or (op.name == "llvm.store" and n == 1)):
                        out.escaping.add(v)
                elif d.name in _REF_OPS and (op.name not in _REF_USERS or not _same_region(d, op)):
                    out.escaping.add(v)
            for _, args in op.successors:
                out.escaping.update(v for v in args if isinstance(v.owner, Op) and (v.owner.name in _REF_OPS or v.owner.name == "llvm.getelementptr"))
            if op.name == "hw.struct_create" and four_state(op.results[0].type):
                _four_state_fields(op, out)
            elif op.name == "builtin.unrealized_conversion_cast" and len(op.operands) == 1:
                d = op.operands[0].owner
                if isinstance(d, Op) and d.name == "llvm.load":
                    out.unknown.setdefault(op.operands[0], []).extend(unknown_fields(op.results[0].type))


def accessed_bytes(op: Op, n: int) -> int:
    """Bytes that a load, store or element address says there are at its operand n; 0 for anything else."""
    if op.name == "llvm.load":
        t: object = op.results[0].type
    elif op.name == "llvm.store" and n == 1:
        t = op.operands[0].type
    elif op.name == "llvm.getelementptr" and n == 0:
        t = op.attrs["elem_type"] if next(iter(op.attrs["rawConstantIndices"]), None) == 0 else None
    else:
        return 0
    try:
        return layout(t).size if isinstance(t, T.Type) else 0
    except UnsupportedType:
        return 0


def _same_region(a: Op, b: Op) -> bool:
    return a.parent is not None and b.parent is not None and a.parent.region is b.parent.region


def _four_state_fields(op: Op, out: Uses) -> None:
    """A four-state value put together from two fields of a loaded struct."""
    value, unknown = (v.owner for v in op.operands)
    if not (isinstance(value, Op) and isinstance(unknown, Op) and value.name == unknown.name == "llvm.extractvalue"):
        return
    loaded = unknown.operands[0]
    if value.operands[0] is not loaded or not isinstance(loaded.owner, Op) or loaded.owner.name != "llvm.load":
        return
    a, b = (tuple(int(p) for p in o.attrs["position"]) for o in (value, unknown))
    if a[:-1] == b[:-1] and (a[-1], b[-1]) == (0, 1):
        out.unknown.setdefault(loaded, []).append(b)


def four_state(t: T.Type) -> bool:
    """Whether a type is circt-verilog's pair of value and unknown bits."""
    return isinstance(t, T.StructType) and [n for n, _ in t.fields] == ["value", "unknown"] and t.fields[0][1] == t.fields[1][1]


def unknown_fields(t: T.Type, at: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """Positions of the unknown bits in a struct type."""
    if four_state(t):
        return [(*at, 1)]
    if isinstance(t, T.StructType):
        return [p for i, (_, f) in enumerate(t.fields) for p in unknown_fields(f, (*at, i))]
    return []


# -- default values ----------------------------------------------------------------------------------------------------------------------


def default_leaves(t: T.Type) -> list[int | float | bytes]:
    """Leaves of the default value of a type: x for four-state values, 0 for the rest."""
    if isinstance(t, T.StructType):
        if four_state(t):
            (first,), (second,) = layout(t.fields[0][1]).leaves, layout(t.fields[1][1]).leaves
            if first.kind == second.kind == "i":
                return [0, second.mask]
        return [leaf for _, f in t.fields for leaf in default_leaves(f)]
    if isinstance(t, T.ArrayType):
        return [default_bytes(t.elem) * t.size]
    return [bytes(ty.size) if ty.kind == "a" else 0.0 if ty.kind == "f" else 0 for ty in layout(t).leaves]


def default_bytes(t: T.Type) -> bytes:
    """Memory image of the default value."""
    lay = layout(t)
    out = bytearray(lay.size)
    for ty, off, v in zip(lay.leaves, lay.offs, default_leaves(t), strict=True):
        out[off : off + ty.nbytes] = v if isinstance(v, bytes) else int(v).to_bytes(ty.nbytes, "little")
    return bytes(out)


def defaults(lw: Lowerer, t: T.Type) -> Leaves:
    return tuple(lw.const(ty, v) for ty, v in zip(layout(t).leaves, default_leaves(t), strict=True))


def loaded_defaults(lw: Lowerer, op: Op) -> Leaves:
    """Default value of what an `llvm.load` gives: x where its fields are used as unknown bits."""
    t = op.results[0].type
    out = list(defaults(lw, t))
    if isinstance(t, T.LLVMStructType):
        for position in uses_around(lw, op).unknown.get(op.results[0], ()):
            first, inner = 0, t
            for p in position:
                if not isinstance(inner, T.LLVMStructType):
                    break
                first += sum(len(layout(f).leaves) for f in inner.members[:p])
                inner = inner.members[p]  # type: ignore[assignment]
            else:
                ty = out[first].ty
                if ty.kind == "i":
                    out[first] = lw.const(ty, ty.mask)
    return tuple(out)


# -- addresses ---------------------------------------------------------------------------------------------------------------------------


def in_range(lw: Lowerer, address: Value) -> Val | None:
    """Whether an address lies in the arrays that its `getelementptr` indexes; None when it always does, or nothing is known of them."""
    gep = address.owner
    if not isinstance(gep, Op) or gep.name != "llvm.getelementptr":
        return None
    dynamic = iter(gep.operands[1:])
    t: T.Type = gep.attrs["elem_type"]
    ok: Val | None = None
    for n, raw in enumerate(int(r) for r in gep.attrs["rawConstantIndices"]):
        index: int | Value = next(dynamic) if raw == DYNAMIC_INDEX else raw
        check: Val | None = None
        if n == 0:
            check = _below_count(lw, gep.operands[0], index)
        elif isinstance(t, (T.LLVMArrayType, T.ArrayType)):
            if not isinstance(index, int):
                check = _below(lw, lw.one(index), lw.i64(t.size))
            t = t.elem
        elif isinstance(t, (T.LLVMStructType, T.StructType)):
            assert isinstance(index, int)
            t = t.members[index] if isinstance(t, T.LLVMStructType) else t.fields[index][1]
        if check is not None:
            ok = check if ok is None else lw.x("and", BOOL, ok, check)
    return ok


def of_dynamic_array(data: Value) -> bool:
    """Whether a pointer is the data of a dynamic array or queue."""
    d = data.owner
    if not isinstance(d, Op) or d.name != "llvm.extractvalue" or list(d.attrs["position"]) != [0]:
        return False
    t = d.operands[0].type
    return isinstance(t, T.LLVMStructType) and t.fields == _ARRAY


def _below_count(lw: Lowerer, data: Value, index: int | Value) -> Val | None:
    """Check of the index of an element of a dynamic array or queue."""
    d = data.owner
    if not isinstance(d, Op) or not of_dynamic_array(data):
        return None
    count = lw.get(d.operands[0])[1]
    return _below(lw, lw.i64(index) if isinstance(index, int) else lw.one(index), count)


def _below(lw: Lowerer, index: Val, count: Val) -> Val | None:
    """Whether a signed index is one of `count` elements; None when its width says so."""
    wide = index
    if index.ty.size < 64:
        wide = lw.x("sext", I64, index)
    elif index.ty.size > 64:
        return lw.x("icmp", BOOL, index, lw.resize(count, index.ty), attr="ult")
    if count.const is not None:
        source = lw.b.def_of(wide)
        if source is not None and source.code == "zext" and source.args[0].ty.size < 63 and 1 << source.args[0].ty.size <= int(count.const):
            return None
    ok = lw.x("icmp", BOOL, wide, count, attr="ult")
    return None if ok.const == 1 else ok


def reachable(lw: Lowerer, ptr: Val, ok: Val, size: int) -> Val:
    """The address itself, or one of `size` zero bytes of nobody when it is out of range."""
    away, done = lw.new_block(), lw.new_block()
    lw.b.terminate(mir.CondBr(ok, done, (ptr,), away, ()))
    out = lw.b.block_param(done, I64)
    lw.b.set_block(away)
    lw.goto(done, (lw.x("zext", I64, lw.x("rt", I32, lw.i32(size), attr="k_sink")),))
    lw.b.set_block(done)
    return out
