"""Shared code: definitions that differ in constants only run the same bodies.

A parameterised module comes as one `hw.module` per set of parameter values. Where the bodies of such modules are alike but for constants, the first one's
serve all of them, and the constants that differ lie in the instance contexts. A simulator that calls one function for all cells keeps it in the
instruction cache (measured on 32 LFSR cells: see docs/internals.md), and compiles it once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from wasmjit.elab.definition import Definition
from wasmjit.elab.region import Lowered, ProcessDef, RegionDef
from wasmjit.sem import mir
from wasmjit.sem.lower.llvm_values import leaf_bytes
from wasmjit.sem.mir import I32, Block, Body, Op, Val

SHAREABLE = frozenset(
    "add sub mul and or xor divu modu divs mods shl shru shrs icmp mux concat repl zext sext extract parity netstore stt fadd fsub fmul fdiv fcmp".split()
)
"""Operations whose constant operands may come from the context instead."""
MIN_OPS = 8
"""Bodies of fewer operations are not worth a look."""
MAX_CONSTANTS = 64


def share_bodies(definitions: Iterable[tuple[Definition, Lowered]]) -> int:
    """Let alike bodies of different definitions be one; returns how many bodies are no longer needed."""
    groups: dict[Hashable, list[tuple[Definition, RegionDef | ProcessDef, list[Slot]]]] = {}
    owners = list(definitions)
    if len(owners) < 2:
        return 0
    # Most bodies have no twin, which their outlines tell.
    alike: dict[Hashable, list[tuple[Definition, RegionDef | ProcessDef]]] = {}
    for d, low in owners:
        holders: list[RegionDef | ProcessDef] = [*low.regions, *low.processes]
        for holder in holders:
            if sum(len(b.ops) for b in holder.body.blocks) >= MIN_OPS:
                alike.setdefault(outline(holder.body), []).append((d, holder))
    for candidates in alike.values():
        if all(d is candidates[0][0] for d, _ in candidates):
            continue
        for d, holder in candidates:
            slots: list[Slot] = []
            key = shape(holder.body, slots)
            if key is not None:
                groups.setdefault((type(holder), key), []).append((d, holder, slots))
    saved = 0
    for members in groups.values():
        # One body per definition: a module's own twins share nothing here, their contexts are the same.
        firsts: dict[int, tuple[Definition, RegionDef | ProcessDef, list[Slot]]] = {}
        for m in members:
            firsts.setdefault(id(m[0]), m)
        if len(firsts) > 1 and share(list(firsts.values())):
            saved += len(firsts) - 1
    return saved


def outline(body: Body) -> Hashable:
    """What bodies of the same shape have in common, at little cost: the operations in order."""
    return hash(tuple([op.code for b in body.blocks for op in b.ops])), len(body.blocks)


class Slot:
    """A place where a constant stands: `get` it, or `put` another value there. `at`: index of the operation in its block (its length: the terminator)."""

    __slots__ = ("at", "block", "movable", "put", "value")

    def __init__(self, value: Val, block: Block, at: int, movable: bool, put: Callable[[Val], None]) -> None:
        self.value, self.block, self.at, self.movable, self.put = value, block, at, movable, put


def shape(body: Body, slots: list[Slot]) -> Hashable | None:
    """What a body looks like without its constants, which are listed in `slots`; None if it cannot be compared."""
    names: dict[int, int] = {}
    blocks = {b.id: i for i, b in enumerate(body.blocks)}

    def name(v: Val) -> Hashable:
        return names.setdefault(v.id, len(names))

    def operand(v: Val, block: Block, at: int, movable: bool, put: Callable[[Val], None]) -> Hashable:
        if v.const is None:
            return name(v)
        slots.append(Slot(v, block, at, movable and v.ty.kind != "a" and v.ty.size <= 64, put))
        return v.ty

    out: list[Hashable] = [body.kind, tuple((name(p), p.ty) for p in body.params), body.results]
    for b in body.blocks:
        row: list[Hashable] = [tuple((name(p), p.ty) for p in b.params)]
        for i, op in enumerate(b.ops):
            movable = op.code in SHAREABLE
            args = tuple(operand(a, b, i, movable and not (op.code == "stt" and k == 0), putter(op, k)) for k, a in enumerate(op.args))
            row.append((op.code, op.attr, args, tuple((name(d), d.ty) for d in op.dsts)))
        t = b.term
        end = len(b.ops)
        for _, args in t.edges() if t is not None else ():
            row.append(tuple(operand(a, b, end, isinstance(t, (mir.Br, mir.CondBr)), lambda v: None) for a in args))
        row.append(terminator(t, blocks, name))
        if row[-1] is None:
            return None
        out.append(tuple(row))
    out.append(tuple((k, tuple(name(v) for v in vs)) for k, vs in body.live_in.items()))
    out.append(repr(body.frame.slots.values()) + repr((body.frame.params, body.frame.results, body.frame.size)) if body.frame is not None else "")
    out.append(tuple(tuple(s) if isinstance(s, (list, tuple)) else s for s in body.sens_sets))
    key = tuple(out)
    try:
        hash(key)
    except TypeError:
        return None
    return key


def putter(op: Op, k: int) -> Callable[[Val], None]:
    def put(v: Val) -> None:
        op.args = (*op.args[:k], v, *op.args[k + 1 :])

    return put


def terminator(t: mir.Term | None, blocks: dict[int, int], name: Callable[[Val], Hashable]) -> Hashable | None:
    """A terminator but for its edge arguments; None for kinds that are not compared."""

    def used(v: Val) -> Hashable:
        return (v.ty, v.const) if v.const is not None else name(v)

    targets = tuple(blocks[x.id] for x, _ in t.edges()) if t is not None else ()
    match t:
        case mir.Br() | mir.CondBr() | mir.Ret() | mir.Halt():
            return (type(t).__name__, targets, tuple(used(v) for v in t.uses()))
        case mir.Switch():
            return ("Switch", targets, used(t.value), tuple(c for c, _, _ in t.cases))
        case mir.Wait():
            return ("Wait", blocks[t.resume.id], t.sens, t.token, tuple((used(p), n, e) for p, n, e in t.dyn), tuple(used(v) for v in t.time) if t.time else None)
        case _:
            return None


def share(members: list[tuple[Definition, RegionDef | ProcessDef, list[Slot]]]) -> bool:
    """Make the first member's body that of all; False if constants differ that cannot be moved."""
    first_d, first, slots = members[0]
    others = [m[2] for m in members[1:]]
    differing: list[int] = []
    for i, s in enumerate(slots):
        if any(o[i].value.const != s.value.const for o in others):
            if not s.movable or s.at == len(s.block.ops):
                return False
            differing.append(i)
    # Alike constants of a slot share a cell: one value may stand in several places.
    cells: dict[tuple[Any, ...], tuple[int, mir.Ty]] = {}
    columns: list[tuple[Any, ...]] = [(slots[i].value.ty, *(o[i].value.const for o in (slots, *others))) for i in differing]
    if len(set(columns)) > MAX_CONSTANTS:
        return False
    size = max(d.size for d, _, _ in members)
    for column in columns:
        if column in cells:
            continue
        ty: mir.Ty = column[0]
        n = ty.nbytes
        size = (size + n - 1) // n * n
        cells[column] = (size, ty)
        for (d, _, _), value in zip(members, column[1:], strict=True):
            d.init_images[size] = leaf_bytes(ty, value)
        size += n
    if cells:
        for d, _, _ in members:
            d.size = size
        parameterise(first.body, [(slots[i], cells[c]) for i, c in zip(differing, columns, strict=True)])
    for _, holder, _ in members[1:]:
        holder.body = first.body
    return True


def parameterise(body: Body, places: list[tuple[Slot, tuple[int, mir.Ty]]]) -> None:
    """Load constants from the context: once in each block, before their first use."""
    ids = 1 + max((v.id for b in body.blocks for v in (*b.params, *(d for op in b.ops for d in op.dsts))), default=-1)
    ids = max([ids, *(p.id + 1 for p in body.params)])
    loaded: dict[int, dict[int, Val]] = {}
    added: dict[int, list[Op]] = {}
    blocks: dict[int, Block] = {}
    for slot, (cell, ty) in places:
        b = slot.block
        blocks[id(b)] = b
        here = loaded.setdefault(id(b), {})
        if cell not in here:
            ops = added.setdefault(id(b), [])
            if not ops:
                ops.append(Op("ctx", (Val(ids, I32),), ()))
                ids += 1
            here[cell] = Val(ids, ty)
            ids += 1
            ops.append(Op("ldt", (here[cell],), (ops[0].dsts[0],), cell))
        slot.put(here[cell])
    for key, ops in added.items():
        blocks[key].ops[:0] = ops
