"""Nets with several drivers: which continuous drives of a module are resolved with others, and which only repeat another one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from wasmjit.elab.definition import INSTANCES, REGISTER_OPS, Definition, drive_kind, is_pure, root_of, zero_time
from wasmjit.ir import Op, Value
from wasmjit.ir import types as T

Uses = Mapping[Value, list[Op]]
"""Operations that use a reference."""


def drop_repeats(ops: Iterable[Op], uses: Uses, collapsed: set[Op]) -> None:
    """Continuous drives that say again what another one says: the same value, with the same strengths, to the same signal. Resolved with itself a value stays what
    it is (IEEE 1800 §28.11, §6.6), so one of them is enough. `circt-verilog` drives the wire behind a port of a non-ANSI header twice.

    They are added to `collapsed`, and are no uses any more.
    """
    said: set[tuple[Value, Value, str]] = set()
    for op in ops:
        if op.name != "llhd.drv" or op.group("enable") or not zero_time(op, op.group("time")[0]) or procedural(op):
            continue
        signal = op.group("signal")[0]
        what = (signal, op.group("value")[0], repr(sorted((k, repr(v)) for k, v in op.attrs.items())))
        if what in said:
            collapsed.add(op)
            uses[signal].remove(op)
        said.add(what)


def find_resolved(d: Definition, ops: Iterable[Op], uses: Uses, collapsed: set[Op]) -> None:
    """Drives whose values are resolved with those of other drivers rather than assigned: of nets with strengths or a wired type, of inout ports
    and what is connected to them, and of four-state signals with nothing but several continuous drives of the whole.
    """
    drives: dict[Value, list[Op]] = {}
    for op in ops:
        if op.name == "llhd.drv" and op not in collapsed and "circt.force" not in op.attrs and "circt.release" not in op.attrs and zero_time(op, op.group("time")[0]):
            drives.setdefault(root_of(op.group("signal")[0]), []).append(op)
    for root, of_root in drives.items():
        continuous = [op for op in of_root if not procedural(op)]
        src = root.owner
        resolution = src.attrs.get("circt.resolution") if isinstance(src, Op) else None
        if continuous and (resolution or any("strength0" in op.attrs for op in of_root) or inout(root, uses) or several(root, of_root, continuous, uses)):
            for op in continuous:
                d.resolved[op] = drive_kind(op, resolution)


def procedural(drv: Op) -> bool:
    """Whether a module-level drive carries on what a process yields."""
    src = drv.group("value")[0].owner
    return isinstance(src, Op) and src.name == "llhd.process" and not is_pure(src)


def inout(root: Value, uses: Uses) -> bool:
    """Whether a four-state signal is an inout port, or connected to one."""
    t = root.type
    if not (isinstance(t, T.RefType) and is_four_state(t.elem)):
        return False
    src = root.owner
    return not isinstance(src, Op) or any(user.name in INSTANCES for user in uses.get(root, []))


def several(root: Value, ops: list[Op], continuous: list[Op], uses: Uses) -> bool:
    t = root.type
    if len(ops) < 2 or len(continuous) != len(ops) or not (isinstance(t, T.RefType) and is_four_state(t.elem)):
        return False
    if any(op.group("enable") or op.group("signal")[0] is not root or isinstance(op.group("value")[0].owner, Op) and op.group("value")[0].owner.name in REGISTER_OPS for op in ops):  # type: ignore[union-attr]
        return False
    return all(user.name == "llhd.prb" or user.name in INSTANCES or user in ops for user in uses.get(root, []))


def is_four_state(t: T.Type) -> bool:
    """Whether a type consists of four-state vectors (structs of them included)."""
    if not isinstance(t, T.StructType):
        return False
    return [n for n, _ in t.fields] == ["value", "unknown"] or bool(t.fields) and all(is_four_state(f) for _, f in t.fields)
