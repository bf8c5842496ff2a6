"""The generic form of operations: `"name"(operands)[successors] <{properties}> ({regions}) {attributes} : function type`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasmjit.ir.core import Block, Op, Value, skip_space
from wasmjit.ir.rules import table_problem
from wasmjit.ir.spec import SPECS, OpSpec

if TYPE_CHECKING:
    from wasmjit.ir.parser import OpState, Parser


def check_generic(p: Parser, op: Op) -> None:
    """Brings an op of the generic form to the table's conventions and holds it against its row."""
    spec = SPECS.get(op.name)
    if spec is None:
        return
    if spec.normalise is not None:
        spec.normalise(op)
    problem = table_problem(op, spec)
    if problem is not None:
        p.error(problem, op.text_pos)


def read_generic(p: Parser, st: OpState) -> None:
    """`"name"(operands)[successors] <{properties}> ({regions}) {attributes} : function type`, after the name."""
    start = p.pos
    spec = SPECS.get(st.name)
    p.expect("(")
    operands = p.ssa_list(")")
    targets: list[tuple[Block, list[Value]]] = []
    if p.accept("["):
        while True:
            targets.append(p.successor())
            if not p.accept(","):
                break
        p.expect("]")
    attrs: dict[str, Any] = {}
    if p.accept("<"):
        attrs.update(p.attr_dict())
        p.expect(">")
    if p.accept("(") and not p.accept(")"):
        while True:
            begin = p.ws()
            region = p.region(lazy=spec is not None and spec.lazy)
            # A declaration has an empty region in the generic form, and none in the custom one.
            if (
                spec is None
                or "symbol" not in spec.traits
                or spec.name == "builtin.module"
                or skip_space(p.text, begin + 1) != p.pos - 1
            ):
                st.regions.append(region)
            if not p.accept(","):
                break
        p.expect(")")
    for key, value in p.optional_attr_dict().items():
        attrs.setdefault(key, value)
    p.expect(":")
    pos = p.ws()
    ftype = p.function_type()
    values = p.resolve_all(operands, ftype.inputs, pos)
    st.results = list(ftype.results)
    st.attrs = attrs
    st.successors = targets
    st.operands = values
    if spec is not None and (spec.segmented or spec.succ_groups):
        split_segments(p, st, spec, start)


def split_segments(p: Parser, st: OpState, spec: OpSpec, start: int) -> None:
    """Brings operands that belong to successors to them, as the custom form has it."""
    sizes = st.attrs.get("operandSegmentSizes")
    groups = len(spec.operands)
    if sizes is None:
        if spec.succ_groups and st.successors and not spec.operands:
            st.successors = [(st.successors[0][0], st.operands), *st.successors[1:]]
            st.operands = []
        elif spec.segmented and (len(st.operands) - sum(1 for g in spec.operands if not g.kind)) % sum(
            1 for g in spec.operands if g.kind
        ):
            p.error(f"{st.name} needs the attribute operandSegmentSizes", start)
        return
    if not isinstance(sizes, list) or not all(isinstance(n, int) and n >= 0 for n in sizes) or sum(sizes) != len(st.operands):
        p.error(f"operandSegmentSizes of {st.name} do not add up to its {len(st.operands)} operands", start)
    if len(sizes) != groups + len(spec.succ_groups):
        p.error(f"{st.name} has {groups + len(spec.succ_groups)} operand segments, got {len(sizes)}", start)
    at = sum(sizes[:groups])
    rest = st.operands[at:]
    st.operands = st.operands[:at]
    per: list[int] = list(sizes[groups:])
    if spec.succ_groups and spec.succ_groups[-1].startswith("*"):
        case_sizes = st.attrs.pop("case_operand_segments", [])
        if not isinstance(case_sizes, list) or sum(case_sizes) != per[-1]:
            p.error(f"case_operand_segments of {st.name} do not add up", start)
        per = per[:-1] + case_sizes
    if len(per) != len(st.successors):
        p.error(f"{st.name} has {len(st.successors)} successors and operands for {len(per)}", start)
    out = []
    for (block, _), n in zip(st.successors, per, strict=True):
        out.append((block, rest[:n]))
        rest = rest[n:]
    st.successors = out
    st.attrs["operandSegmentSizes"] = sizes[:groups]
    if not spec.segmented or sum(1 for g in spec.operands if g.kind) < 2:
        del st.attrs["operandSegmentSizes"]
