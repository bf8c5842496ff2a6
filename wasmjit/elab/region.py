"""What the lowering of a definition gives: its bodies, and what they read and write."""

from __future__ import annotations

from wasmjit.data import dataclass, field
from wasmjit.ir import Op
from wasmjit.sem.lower.refs import NetRef
from wasmjit.sem.mir import Body
from wasmjit.sem.sva.plan import Group


@dataclass(slots=True)
class RegionDef:
    """A region body with the nets it reads and writes.

    sequential: runs after all logic of the slot has settled. edge: fan-out filter of its inputs (descriptors.FILTER_*). commit: runs only when a
    register group asks for it (`k_commit`); commit_cell: context offset where that group (it has the same one) finds the region's id. idle: only a waveform of everything shows what
    it makes (`elab.idle`).
    """

    body: Body
    inputs: list[NetRef]
    outputs: list[NetRef]
    sequential: bool = False
    name: str = ""
    edge: int = 0
    commit: bool = False
    commit_cell: int = 0
    group: Group | None = None
    masks: dict[NetRef, int] = field(default_factory=dict)
    """Of an island: bits of the members that read a net."""
    internal: frozenset[NetRef] = frozenset()
    """Of an island: nets that a member makes for later ones."""
    members: int = 0
    """Of an island: a bit per member."""
    idle: bool = False


@dataclass(slots=True)
class ProcessDef:
    body: Body
    op: Op
    final: bool = False
    name: str = ""


@dataclass(slots=True)
class Lowered:
    """Everything of a definition that runs."""

    init: Body | None
    regions: list[RegionDef] = field(default_factory=list)
    processes: list[ProcessDef] = field(default_factory=list)
