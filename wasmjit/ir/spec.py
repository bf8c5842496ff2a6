"""The op table: one `OpSpec` per operation, one or more spellings each. The dialect files fill it; see `assembly.row`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wasmjit.data import dataclass, field

if TYPE_CHECKING:
    from wasmjit.ir.core import Op, Value
    from wasmjit.ir.parser import OpState, Parser

ParseFn = Callable[["Parser", "OpState"], None]
FastFn = Callable[["Parser", int, int, "str | None", Any], "Op | None"]
PlainFn = Callable[["Parser", int, "str | None", "str | None", str, "str | None", "str | None", str, Any], "Op | None"]
"""(parser, place, result, word, first, second and third operand, text from the colon before the types on, scope) of a plain line (`fastpath`)."""
Report = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Group:
    """An operand or result group. kind: "" exactly one, "?" none or one, "*" any number."""

    name: str
    kind: str = ""


@dataclass(slots=True)
class OpSpec:
    """What the reader, verifier and printer know of one op.

    `succ_groups`: names of the operand groups that travel with the successors (they follow `operands` in the generic form); "*name" for one
    group per case.
    `traits`: "terminator", "isolated" (from above), "graph" (regions without dominance), "symbol" (defines `sym_name`), "symbol_table".
    `lazy`: bodies are parsed on first access. `implicit`: op added when a block lacks its terminator.
    """

    name: str
    operands: tuple[Group, ...] = ()
    results: tuple[Group, ...] | None = None
    succ_groups: tuple[str, ...] = ()
    traits: frozenset[str] = frozenset()
    parse: ParseFn | None = None
    fast: FastFn | None = None
    normalise: Callable[[Op], None] | None = None
    verify: Callable[[Op, Report], None] | None = None
    lazy: bool = False
    implicit: str = ""
    parent: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)
    single: dict[str, int] = field(default_factory=dict)
    """Places of operand groups of one operand with only such groups in front of them (filled by `operand_group`)."""
    sized: dict[str, int] = field(default_factory=dict)
    """Numbers of operand groups whose places follow from `operandSegmentSizes` (filled by `operand_group`)."""
    plain: Callable[[], PlainFn | None] | None = None
    """Makes the function for plain lines."""

    @property
    def segmented(self) -> bool:
        """Whether the generic form needs `operandSegmentSizes`."""
        groups = [g.kind for g in self.operands if g.kind]
        return len(groups) + len(self.succ_groups) > 1

    def find(self, name: str) -> int:
        """Index of the operand group called `name`; KeyError if there is none."""
        for i, g in enumerate(self.operands):
            if g.name == name:
                return i
        raise KeyError(f"{self.name} has no operand group {name!r}; it has {[g.name for g in self.operands]}")


SPECS: dict[str, OpSpec] = {}
"""All known ops by full name ("comb.add")."""

ALIASES: dict[str, str] = {
    "module": "builtin.module",
    "func": "func.func",
    "call": "func.call",
    "return": "func.return",
    "call_indirect": "func.call_indirect",
    "constant": "func.constant",
    "unrealized_conversion_cast": "builtin.unrealized_conversion_cast",
    "cond_br": "cf.cond_br",
    "br": "cf.br",
    "assert": "cf.assert",
}
"""Spellings without a dialect prefix."""


def operand_group(op: Op, name: str) -> list[Value]:
    """The operands of `op` in the group `name` of its table row."""
    spec = SPECS[op.name]
    first = spec.single.get(name)
    if first is not None:
        return op.operands[first : first + 1]
    if op.attrs:
        sizes = op.attrs.get("operandSegmentSizes")
        if sizes is not None and (want := spec.sized.get(name)) is not None:
            start = sum(sizes[:want])
            return op.operands[start : start + sizes[want]]
    else:
        sizes = None
    groups = spec.operands
    if name in spec.extra.get("absent", ()):
        return []
    want = spec.find(name)
    n = len(op.operands)
    if not any(g.kind for g in groups[: want + 1]):
        spec.single[name] = want
        return op.operands[want : want + 1]
    if sizes is not None and spec.segmented:
        spec.sized[name] = want
        start = sum(sizes[:want])
        return op.operands[start : start + sizes[want]]
    # Without sizes the groups that vary share what the single ones leave (mostly there is one; MLIR's SameVariadicOperandSize).
    vary = sum(1 for g in groups if g.kind)
    share = (n - (len(groups) - vary)) // vary if vary else 0
    pos = 0
    for i, g in enumerate(groups):
        size = share if g.kind else 1
        if i == want:
            return op.operands[pos : pos + size]
        pos += size
    raise AssertionError(name)
