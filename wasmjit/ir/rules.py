"""Checks of one op against its table row, for ops in the generic form (the custom form cannot break them)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasmjit.ir.spec import OpSpec
from wasmjit.ir.types import Type

if TYPE_CHECKING:
    from wasmjit.ir.core import Op, Value
    from wasmjit.ir.spec import Group


def _assign(groups: tuple[Group, ...], values: list[Value], sizes: list[int] | None) -> dict[str, list[Value]] | str:
    """Values by group name, or what is wrong with their number."""
    single = sum(1 for g in groups if not g.kind)
    vary = len(groups) - single
    if sizes is None or len(sizes) != len(groups):
        rest = len(values) - single
        if rest < 0 or (not vary and rest) or (vary and rest % vary):
            return f"{'at least ' if vary else ''}{single}, got {len(values)}"
        sizes = [1 if not g.kind else rest // vary for g in groups]
    out: dict[str, list[Value]] = {}
    at = 0
    for g, n in zip(groups, sizes, strict=True):
        if (not g.kind and n != 1) or (g.kind == "?" and n > 1):
            return f"{'one' if not g.kind else 'at most one'} in the group {g.name}, got {n}"
        out[g.name] = values[at : at + n]
        at += n
    return out


def table_problem(op: Op, spec: OpSpec) -> str | None:
    """What about the op contradicts its row: numbers of operands and results, fixed types, types that must be equal. None if nothing."""
    sizes = op.attrs.get("operandSegmentSizes") if spec.segmented else None
    ins = _assign(spec.operands, op.operands, sizes)
    if isinstance(ins, str):
        return f"{op.name}: wrong number of operands: expected {ins}"
    values = dict(ins)
    if spec.results is not None:
        outs = _assign(spec.results, op.results, op.attrs.get("resultSegmentSizes"))
        if isinstance(outs, str):
            return f"{op.name}: wrong number of results: expected {outs}"
        values.update(outs)
    fixed: dict[str, Type] = spec.extra.get("fixed", {})
    for name, t in fixed.items():
        for v in values.get(name, ()):
            if v.type is not None and v.type is not t:
                return f"{op.name}: {name} must be {t}, not {v.type}"
    same: dict[str, str] = spec.extra.get("same", {})
    for name, other in same.items():
        there = values.get(other)
        if there:
            for v in values.get(name, ()):
                if v.type is not None and there[0].type is not None and v.type is not there[0].type:
                    return f"{op.name}: {name} is {v.type}, but {other} is {there[0].type}"
    return None
