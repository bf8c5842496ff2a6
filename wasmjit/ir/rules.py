"""Checks of one op against its table row, for ops in the generic form (the custom form cannot break them)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasmjit.ir.attrs import Dense, SymbolRef, TimeAttr
from wasmjit.ir.spec import OpSpec
from wasmjit.ir.types import FunctionType, LLVMFuncType, Type

if TYPE_CHECKING:
    from wasmjit.ir.core import Op, Value
    from wasmjit.ir.spec import Group


REGIONS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(
        [
            "builtin.module",
            "hw.module",
            "llhd.process",
            "llhd.combinational",
            "llhd.final",
            "seq.initial",
            "moore.wait_event",
            "scf.for",
            "scf.execute_region",
            "sim.triggered",
            "sim.named_block",
            "sim.process",
            "sim.comb_process",
            "sim.triggered_process",
            "hw.triggered",
            "verif.formal",
            "verif.simulation",
            "verif.contract",
        ],
        (1, 1),
    ),
    **dict.fromkeys(["func.func", "llvm.func", "llhd.coroutine", "llvm.mlir.global", "llhd.global_signal"], (0, 1)),
    "scf.if": (1, 2),
    "scf.while": (2, 2),
    "sim.fork": (0, 1 << 20),
    "scf.index_switch": (1, 1 << 20),
}
"""Least and greatest number of regions; ops not named here are not checked, ops with rows and no region have none."""

ATTRIBUTES: dict[str, dict[str, type | tuple[type, ...]]] = {
    "hw.module": {"sym_name": str, "ports": list},
    "hw.module.extern": {"sym_name": str, "ports": list},
    "hw.instance_choice": {"instanceName": str, "moduleNames": list, "argNames": list, "resultNames": list},
    "hw.instance": {"instanceName": str, "moduleName": SymbolRef, "argNames": list, "resultNames": list},
    "hw.constant": {"value": int},
    "hw.aggregate_constant": {"fields": list},
    "hw.struct_extract": {"field": str},
    "hw.struct_inject": {"field": str},
    "hw.union_extract": {"field": str},
    "hw.union_create": {"field": str},
    "comb.icmp": {"predicate": str},
    "comb.extract": {"lowBit": int},
    "arith.cmpi": {"predicate": str},
    "arith.cmpf": {"predicate": str},
    "arith.constant": {"value": (int, float, Dense)},
    "func.func": {"sym_name": str, "function_type": FunctionType},
    "func.call": {"callee": SymbolRef},
    "llhd.constant_time": {"value": TimeAttr},
    "llhd.sig.struct_extract": {"field": str},
    "llhd.coroutine": {"sym_name": str, "function_type": FunctionType},
    "llhd.call_coroutine": {"callee": SymbolRef},
    "llhd.global_signal": {"sym_name": str, "type": Type},
    "llhd.get_global_signal": {"global_name": SymbolRef},
    "llvm.func": {"sym_name": str, "function_type": LLVMFuncType},
    "llvm.mlir.global": {"sym_name": str, "global_type": Type},
    "llvm.mlir.addressof": {"global_name": SymbolRef},
    "llvm.mlir.constant": {"value": object},
    "llvm.icmp": {"predicate": str},
    "llvm.fcmp": {"predicate": str},
    "llvm.alloca": {"elem_type": Type},
    "llvm.getelementptr": {"rawConstantIndices": list},
    "llvm.extractvalue": {"position": list},
    "llvm.insertvalue": {"position": list},
    "cf.assert": {"msg": str},
    "seq.clock_div": {"pow2": int},
    "seq.const_clock": {"value": str},
    "seq.firmem": {"readLatency": int, "writeLatency": int},
    "sim.fmt.literal": {"literal": str},
    "sim.terminate": {"success": bool, "verbose": bool},
    "sim.pause": {"verbose": bool},
    "sim.func.dpi": {"sym_name": str, "ports": list},
    "sim.plusargs.test": {"formatString": str},
    "sim.plusargs.value": {"formatString": str},
}
"""Attributes that everybody relies on, with their Python types."""


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
    least, most = REGIONS.get(op.name, (0, 1 << 20))
    if not least <= len(op.regions) <= most:
        return f"{op.name} has {len(op.regions)} regions"
    for attr, kind in ATTRIBUTES.get(op.name, {}).items():
        if not isinstance(op.attrs.get(attr), kind) or attr not in op.attrs:
            return (
                f"{op.name} needs the attribute {attr}" if attr not in op.attrs else f"{op.name}: the attribute {attr} has the wrong kind"
            )
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
