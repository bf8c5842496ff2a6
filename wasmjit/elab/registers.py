"""Lowers the register groups of a definition: sampling at the edge, and the commit one delta later."""

from __future__ import annotations

from wasmjit.elab.definition import MEMORY_READS, Definition, RegisterGroup, Sink
from wasmjit.elab.region import RegionDef
from wasmjit.elab.scope import ModuleScope
from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.layout import layout
from wasmjit.sem.lower.core import Leaves, Lowerer, Program, Unsupported
from wasmjit.sem.lower.refs import NetRef, Own
from wasmjit.sem.lower.seq import lower_group
from wasmjit.sem.lower.sim import captured_values
from wasmjit.sem.mir import BOOL, I32


def register_region(d: Definition, program: Program, g: RegisterGroup, number: int) -> RegionDef:
    scope = ModuleScope(d, inline=True)
    key = f"{d.name}.clocked{number}"
    lw = Lowerer(key, "region", program, scope, key)
    lw.b.set_block(lw.new_block())
    inputs: set[NetRef] = set()
    for trigger in (g.clock, g.reset):
        if trigger is not None:
            inputs.update(scope.sources(trigger))
    edge = clock_filter(d, program, g) if g.reset is None and g.edge == "posedge" and len(inputs) == 1 else 0
    g.filtered = edge != 0
    lower_group(lw, d, g)
    lw.b.terminate(mir.Ret(()))
    return RegionDef(lw.finish(), sorted(inputs, key=repr), [], True, key, edge, commit_cell=g.commit_cell)


def clock_filter(d: Definition, program: Program, g: RegisterGroup) -> int:
    """Level that bit 0 of the clock's net must have for the clock to be high: 1 high, 2 low, 0 either. Found by trying all values of the net."""
    high: set[int] = set()
    for value, unknown in ((0, 0), (1, 0), (0, 1), (1, 1)):
        scope = FixedScope(d, value, unknown)
        lw = Lowerer("probe", "region", program, scope)
        lw.b.set_block(lw.new_block())
        try:
            clk = lw.one(g.clock)
        except Unsupported:
            return 0
        if clk.const is None:
            return 0
        if clk.const:
            high.add(value)
    return 1 if high == {1} else 2 if high == {0} else 0


class FixedScope(ModuleScope):
    """Every one-bit net has the same given value."""

    def __init__(self, d: Definition, value: int, unknown: int) -> None:
        super().__init__(d, inline=True)
        self.fixed = (value, unknown)

    def load(self, lw: Lowerer, home: NetRef, t: T.Type) -> Leaves:
        leaves = layout(t).leaves
        if len(leaves) > 2 or any(ty != BOOL for ty in leaves):
            raise Unsupported(lw.op, "not a one-bit clock")
        return tuple(lw.const(BOOL, v) for v in self.fixed[: len(leaves)])

    def external(self, lw: Lowerer, v: Value) -> Leaves:
        op = v.owner
        if isinstance(op, Op) and op.name == "llhd.prb" and v not in self.d.home:
            return self.load(lw, self.d.home[op.operands[0]], v.type) if op.operands[0] in self.d.home else super().external(lw, v)
        return super().external(lw, v)

    def missing(self, lw: Lowerer, v: Value) -> bool:
        op = v.owner
        return super().missing(lw, v) and not (isinstance(op, Op) and op.name == "llhd.prb")


# -- commits: registers of a group change together, one delta after their edge ------------------------------------------------------------------

COMMIT_LIMIT = 64
"""Registers of more bytes than this are driven one by one."""


def plan_commits(d: Definition) -> None:
    """Choose the registers that commit as a group, give them shadow cells, and find the logic that depends on nothing else."""
    owner: dict[NetRef, RegisterGroup] = {}
    for g in d.groups:
        for op in g.ops:
            if op.name not in ("seq.firreg", "seq.compreg", "seq.compreg.ce"):
                continue
            r = op.results[0]
            lay = layout(r.type)
            home = d.home.get(r)
            if home is None or lay.size > COMMIT_LIMIT or any(ty.kind == "a" for ty in lay.leaves):
                continue
            d.shadows[r] = d.storage(lay)
            g.commits.append(r)
            owner[home] = g
        if g.commits:
            g.commit_cell = d.cell(4)
    if not owner:
        return
    scope = ModuleScope(d, inline=True)
    wires = {s.home: s for s in d.sinks if s.kind == "wire" and s.home is not None}
    group_of: dict[int, RegisterGroup | None] = {}

    def group(s: Sink, depth: int = 0) -> RegisterGroup | None:
        """The register group that alone determines a wire, None if there is none."""
        if id(s) in group_of:
            return group_of[id(s)]
        group_of[id(s)] = None
        if s.kind != "wire" or s.value is None or depth > 50 or has_stateful(s.value, d):
            return None
        found: RegisterGroup | None = None
        d_home = d.home.get(s.value)
        for ref in cone_inputs(scope, s.value, d_home):
            behind = owner.get(ref)
            if behind is None and ref in wires and wires[ref] is not s:
                behind = group(wires[ref], depth + 1)
            if behind is None or (found is not None and behind is not found):
                return None
            found = behind
        group_of[id(s)] = found
        return found

    for s in d.sinks:
        determined = group(s)
        if determined is not None:
            determined.merged.append(s)


def cone_inputs(scope: ModuleScope, v: Value, own: NetRef | None) -> list[NetRef]:
    """Nets a wire is computed from (its own home does not stop the walk at the root)."""
    op = v.owner
    out: list[NetRef] = []
    if isinstance(op, Op):
        if op.name == "llhd.prb":
            return scope.sources(v)
        for o in op.operands:
            out += scope.sources(o)
        for r in op.regions:
            for c in captured_values(r):
                out += scope.sources(c)
    return [n for n in out if n != own]


def has_stateful(v: Value, d: Definition) -> bool:
    """Whether a wire must not be moved: it reads memory or time, or keeps state of its own."""
    seen: set[Value] = set()
    stack = [v]
    while stack:
        x = stack.pop()
        if x in seen:
            continue
        seen.add(x)
        op = x.owner
        if not isinstance(op, Op):
            continue
        if op.name in ("llvm.load", "llhd.current_time", "seq.clock_gate", "seq.clock_div", *MEMORY_READS, "llhd.delay") or x in d.cells:
            return True
        if x is not v and x in d.home:
            continue
        stack.extend(op.operands)
        for r in op.regions:
            stack.extend(captured_values(r))
            for o in walk_ops(r):
                if o.name in ("llvm.load", "llvm.call", "func.call"):
                    return True
    return False


def walk_ops(region: object) -> list[Op]:
    return [o for b in region.blocks for o in b.ops]  # type: ignore[attr-defined]


def commit_region(d: Definition, program: Program, g: RegisterGroup, number: int, split: bool) -> RegionDef:
    """Moves the sampled values of a group into its registers, and evaluates the wires that depend on them alone."""
    scope = ModuleScope(d, inline=True)
    key = f"{d.name}.commit{number}" + (".split" if split else "")
    lw = Lowerer(key, "region", program, scope, key)
    lw.extra["cell"] = d.cell
    lw.b.set_block(lw.new_block())
    outputs: list[NetRef] = []
    ctx = lw.x("ctx", I32)
    for r in g.commits:
        lay = layout(r.type)
        home = d.home[r]
        assert isinstance(home, Own)
        leaves = [lw.x("ldt", ty, ctx, attr=d.shadows[r] + o) for ty, o in zip(lay.leaves, lay.offs, strict=True)]
        lw.do("netstore", *leaves, attr=(home.k, home.off, lay.offs, lay.size))
        outputs.append(home)
    if not split:
        scope.compute = {s.value for s in g.merged if s.value is not None}
        for s in g.merged:
            assert s.value is not None and s.home is not None
            lay = layout(s.value.type)
            lw.do("netstore", *lw.get(s.value), attr=(s.home.k, s.home.off, lay.offs, lay.size))
            outputs.append(s.home)
    lw.b.terminate(mir.Ret(()))
    return RegionDef(lw.finish(), [], outputs, False, key, 0, True, g.commit_cell)
