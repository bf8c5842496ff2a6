"""Module-level memory: interfaces, as circt-verilog writes them.

An interface instance is a module-level `malloc`; its variables and nets are fields of that block, reached through pointers that travel in signals and
ports. The block becomes a net of the instance, so that whoever waits on a field hears of stores to it. What the text stores into fields at module level
is a continuous assignment (unless it is fixed at elaboration: then it is an initial value).

A net of the surroundings connected to an inout port of an interface arrives as two one-way connections: a process that copies the net into the field, and a
drive of the net with the field's value. Taken literally, the net would drive itself. They are one net (IEEE 1800 §23.3.3.7): what is assigned to the field
is a driver of the net, and the field shows the net's resolved value.
"""

from __future__ import annotations

from wasmjit.data import dataclass
from wasmjit.elab.definition import Definition, is_pure, root_of, walk
from wasmjit.ir import Op, Value
from wasmjit.ir import types as T

ALLOCATORS = frozenset({"malloc"})
Field = tuple[Value, tuple[int, ...]]
"""Root pointer and constant indices (with the strides left out: equal paths are equal places for one root and type)."""


def allocation(op: Op) -> int | None:
    """Size in bytes of a module-level allocation of constant size."""
    if op.name != "llvm.call" or len(op.operands) != 1 or len(op.results) != 1:
        return None
    callee = op.attrs.get("callee")
    size = op.operands[0].owner
    if callee is None or callee.name not in ALLOCATORS or not isinstance(size, Op) or size.name not in ("llvm.mlir.constant", "hw.constant", "arith.constant"):
        return None
    n = size.attrs["value"]
    return int(n) if isinstance(n, int) and 0 < n <= 1 << 20 else None


def field_of(ptr: Value) -> Field | None:
    """Root and path of a pointer made of constant GEPs; two probes of one signal are one root. None for computed places."""
    path: tuple[int, ...] = ()
    while isinstance(ptr.owner, Op):
        op = ptr.owner
        if op.name == "llvm.getelementptr":
            if len(op.operands) != 1:
                return None
            path = (*(int(i) for i in op.attrs["rawConstantIndices"]), -1, *path)
            ptr = op.operands[0]
        elif op.name in ("llvm.bitcast", "builtin.unrealized_conversion_cast", "llhd.prb"):
            ptr = op.operands[0]
        elif op.name == "llhd.sig" and isinstance(op.operands[0].type, T.PtrType):
            ptr = op.operands[0] if allocation_of(op.operands[0]) else ptr
            return ptr, path
        else:
            break
    return ptr, path


def allocation_of(v: Value) -> bool:
    return isinstance(v.owner, Op) and allocation(v.owner) is not None


def points_to_object(ptr: Value, d: Definition) -> bool:
    """Whether a pointer leads into an interface: a module-level allocation, or what a signal or port holds."""
    while isinstance(ptr.owner, Op):
        op = ptr.owner
        if ptr in d.objects or op.name == "llhd.prb":
            return True
        if op.name not in ("llvm.getelementptr", "llvm.bitcast", "builtin.unrealized_conversion_cast"):
            return op.name == "llvm.load" and points_to_object(op.operands[0], d)
        ptr = op.operands[0]
    return isinstance(ptr.type, (T.PtrType, T.RefType))


def fixed(v: Value, d: Definition, memo: dict[Value, bool]) -> bool:
    """Whether a module-level value is known once initialisation is over: computed from constants, allocations and calls alone."""
    known = memo.get(v)
    if known is None:
        op = v.owner
        if not isinstance(op, Op):
            known = False
        elif v in d.objects or v in d.cells:
            known = True
        elif op.name in ("llvm.load", "llhd.current_time") or op.regions or not is_pure(op):
            known = False
        elif op.name == "llhd.prb":
            known = isinstance(op.results[0].type, T.PtrType)
        else:
            memo[v] = False
            known = all(fixed(o, d, memo) for o in op.operands)
        memo[v] = known
    return known


@dataclass(frozen=True, slots=True)
class Tie:
    """A net tied to a field: `drive` is the net's drive with the field's value."""

    drive: Op
    field: Field


def whole_load(v: Value) -> Value | None:
    """Pointer of the load that `v` is a copy of, field by field."""
    op = v.owner
    if not isinstance(op, Op):
        return None
    if op.name == "llvm.load":
        return op.operands[0]
    if op.name == "builtin.unrealized_conversion_cast":
        return whole_load(op.operands[0])
    if op.name != "hw.struct_create":
        return None
    loads = []
    for i, o in enumerate(op.operands):
        part = o.owner
        if not isinstance(part, Op) or part.name != "llvm.extractvalue" or [int(p) for p in part.attrs["position"]] != [i]:
            return None
        loads.append(part.operands[0])
    first = loads[0].owner if loads else None
    same = all(v is loads[0] for v in loads)
    return first.operands[0] if same and isinstance(first, Op) and first.name == "llvm.load" else None


COPIES = frozenset({"cf.br", "llhd.prb", "hw.struct_extract", "llvm.insertvalue", "llvm.mlir.undef", "llvm.store", "llhd.wait", "builtin.unrealized_conversion_cast", "hw.bitcast"})


def copied_net(process: Op) -> tuple[Value, Value] | None:
    """(signal, pointer) of a process that does nothing but copy a signal to a place whenever it changes."""
    store: Op | None = None
    probes: set[Value] = set()
    for op in walk(process):
        if op.name not in COPIES:
            return None
        if op.name == "llvm.store":
            if store is not None:
                return None
            store = op
        elif op.name == "llhd.prb":
            probes.add(op.operands[0])
    if store is None or len(probes) != 1:
        return None
    return probes.pop(), store.operands[1]


def ties(ops: list[Op], processes: list[Op]) -> list[Tie]:
    """Nets tied to fields in both directions."""
    copies: dict[Value, list[Field]] = {}
    for p in processes:
        found = copied_net(p) if p.name == "llhd.process" else None
        field = field_of(found[1]) if found is not None else None
        if found is not None and field is not None:
            copies.setdefault(found[0], []).append(field)
    out = []
    for op in ops:
        if op.name != "llhd.drv":
            continue
        ptr = whole_load(op.group("value")[0])
        field = field_of(ptr) if ptr is not None else None
        if field is not None and field in copies.get(root_of(op.group("signal")[0]), []):
            out.append(Tie(op, field))
    return out
