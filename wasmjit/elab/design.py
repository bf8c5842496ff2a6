"""Elaboration: from the module hierarchy to flat tables with addresses and global net ids."""

from __future__ import annotations

from collections.abc import Iterable

from wasmjit.data import dataclass, field
from wasmjit.elab.analyse import analyse
from wasmjit.elab.bodies import lower_definition
from wasmjit.elab.definition import CTX_HEADER, INSTANCES, Definition, instance_modules
from wasmjit.elab.gangs import Gang, form_gangs
from wasmjit.elab.levels import components, levels
from wasmjit.elab.program import ProgramImpl
from wasmjit.elab.region import Lowered, ProcessDef, RegionDef
from wasmjit.elab.sharing import share_bodies
from wasmjit.ir import Design, Op, Value
from wasmjit.ir import types as T
from wasmjit.sem.layout import layout
from wasmjit.sem.lower.core import Unsupported
from wasmjit.sem.lower.llhd import handle_of
from wasmjit.sem.lower.llvm_values import field_offset
from wasmjit.sem.lower.refs import NetRef, Own, Slot
from wasmjit.sem.mir import Body

MAX_DEPTH = 1000
"""Instance nesting that is refused as recursive."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """A reference known at run time only: the pointer is in the context cell at that offset once the instance is initialised."""

    cell: int


@dataclass(slots=True, eq=False)
class Instance:
    """One instance of a definition. `bindings`: slot offset -> (instance, net, byte offset, bit offset)."""

    index: int
    definition: Definition
    name: str
    path: str
    parent: Instance | None
    bindings: dict[int, tuple[Instance, NetRef | Pointer, int, int]] = field(default_factory=dict)
    children: list[Instance] = field(default_factory=list)
    ctx: int = 0
    net_base: int = 0


@dataclass(frozen=True, slots=True)
class Net:
    """Global net: address and size in bytes, its type and owner."""

    address: int
    size: int
    type: T.Type
    name: str
    kind: str
    instance: Instance


@dataclass(slots=True, eq=False)
class Process:
    """Static process instance. `sens`: for each sensitivity set of the body the global net ids."""

    id: int
    body: Body
    instance: Instance
    name: str
    sens: list[list[int]]
    final: bool
    op: Op


@dataclass(slots=True, eq=False)
class RegionInstance:
    region: RegionDef
    instance: Instance
    inputs: list[int]
    outputs: list[int]
    level: int = 0
    masks: dict[int, int] = field(default_factory=dict)
    internal: frozenset[int] = frozenset()


class Elaborated:
    """A design with everything that has a place in memory. Addresses are filled in by `place`."""

    def __init__(self, design: Design, program: ProgramImpl) -> None:
        self.design = design
        self.program = program
        self.definitions: dict[str, Definition] = {}
        self.lowered: dict[str, Lowered] = {}
        self.instances: list[Instance] = []
        self.tops: list[Instance] = []
        self.nets: list[Net] = []
        self.processes: list[Process] = []
        self.regions: list[RegionInstance] = []
        self.level_count = 1
        self.gangs: list[Gang] = []
        self.loops: list[list[int]] = []
        self.warnings = program.warnings

    # -- hierarchy -----------------------------------------------------------------------------------------------------------------

    def definition(self, name: str, user: Op | None) -> Definition:
        got = self.definitions.get(name)
        if got is None:
            op = self.design.symbols.get(name)
            if op is None:
                raise Unsupported(user, f"module @{name} does not exist")
            if op.name == "hw.module.extern":
                self.warnings.append(f"module '{name}' is external: its outputs stay 0")
            elif op.name != "hw.module":
                raise Unsupported(user, f"@{name} is no module but '{op.name}'")
            got = self.definitions[name] = analyse(name, op) if op.name == "hw.module" else black_box(name, op)
            for loop in got.polling:
                where = loop.source_loc or loop.loc
                self.warnings.append(f"{where}: this loop never waits, so nothing it reads can change inside of it; it waits for a change instead")
            # At once: what was read of its processes is dropped then, before the next definition is read.
            self.lowered[name] = lower_definition(got, self.program)
        return got

    def build(self, tops: Iterable[str]) -> None:
        """Instantiate the tops (which analyses and lowers every definition that is used), and number nets, processes and regions."""
        for top in tops:
            self.tops.append(self.instantiate(self.definition(top, None), top, None, 0))
        self.number()
        for options in ({"islands": False}, {"split": True}, {"split": True, "islands": False}):
            # Joined or grouped logic can look like a loop where single assignments do not: cut the definitions of the cycle finer and try again. What is a loop of
            # single assignments stays one; the others are joined again, unless an island of theirs is part of a loop.
            loops = self.cycles()
            if len(options) == 2:
                loops = [c for c in loops if any(self.regions[i].region.members for i in c)]
            names = dict.fromkeys(self.regions[i].instance.definition.name for component in loops for i in component)
            if not names:
                break
            for name in names:
                self.lowered[name] = lower_definition(self.fresh(name), self.program, **options)
            self.number()
        self.cycles()
        if share_bodies((self.definitions[name], low) for name, low in self.lowered.items()):
            self.number()
        self.assign_levels()

    def fresh(self, name: str) -> Definition:
        """A definition analysed again (lowering allocates cells), put in the place of the old one in every instance."""
        d = analyse(name, self.design.symbols[name])
        self.definitions[name] = d
        for inst in self.instances:
            if inst.definition.name == name:
                inst.definition = d
        return d

    def instantiate(self, d: Definition, name: str, parent: Instance | None, depth: int) -> Instance:
        if depth > MAX_DEPTH:
            raise Unsupported(d.op, f"module @{d.name} instantiates itself")
        inst = Instance(len(self.instances), d, name, f"{parent.path}.{name}" if parent else name, parent)
        self.instances.append(inst)
        for c in d.children:
            child = self.instantiate(self.definition(c.module, c.op), c.name, inst, depth + 1)
            inst.children.append(child)
        return inst

    def bind(self) -> None:
        """Fill the slots: what every port and every used instance result stands for."""
        for inst in self.instances:
            inst.bindings = {}
        for inst in self.instances:
            d = inst.definition
            for c, child in zip(d.children, inst.children, strict=True):
                for port, value in c.inputs.items():
                    off = child.definition.inputs.get(port)
                    if off is None:
                        raise Unsupported(c.op, f"module @{c.module} has no input '{port}'")
                    cell = d.dynamic.get(value)
                    child.bindings[off] = (inst, Pointer(cell), 0, 0) if cell is not None else (inst, *static_net(d, value, c.op))
                for port, off in c.outputs.items():
                    v = child.definition.output_values.get(port)
                    if v is not None:
                        inst.bindings[off] = (child, *static_net(child.definition, v, c.op))

    def resolve(self, inst: Instance, ref: NetRef) -> tuple[Instance, Own | None, int, int]:
        """The net behind a reference: (owner, own net, byte offset, bit). Own None: unconnected (the input of a top)."""
        off = bit = 0
        seen = 0
        while isinstance(ref, Slot):
            target = inst.bindings.get(ref.off)
            if target is None:
                return inst, (inst.definition.opened.get(ref.off) if inst.parent is None else None), off, bit
            inst, net, more, b = target
            if isinstance(net, Pointer):
                return inst, None, off, bit
            ref = net
            off += more
            bit += b
            seen += 1
            if seen > 10000:
                raise Unsupported(inst.definition.op, "ports are connected in a circle")
        return inst, ref, off, bit

    def pointer_slots(self) -> Iterable[tuple[int, Instance, int]]:
        """(address of the slot, instance, offset of the cell in its context) of port slots whose reference is computed by an instance above."""
        for inst in self.instances:
            for off, _ in inst.definition.slots:
                owner: Instance = inst
                ref: NetRef | Pointer = Slot(off)
                while isinstance(ref, Slot) and ref.off in owner.bindings:
                    owner, ref, _, _ = owner.bindings[ref.off]
                if isinstance(ref, Pointer):
                    yield inst.ctx + off, owner, ref.cell

    def gnet(self, inst: Instance, ref: NetRef) -> int | None:
        owner, own, _, _ = self.resolve(inst, ref)
        return owner.net_base + own.k if own is not None else None

    # -- numbering -------------------------------------------------------------------------------------------------------------------

    def number(self) -> None:
        self.open_inputs()
        self.bind()
        base = 0
        for inst in self.instances:
            inst.net_base = base
            base += len(inst.definition.nets)
        self.processes = []
        self.regions = []
        for inst in self.instances:
            low = self.lowered[inst.definition.name]
            for r in low.regions:
                inputs = [g for g in (self.gnet(inst, n) for n in r.inputs) if g is not None]
                outputs = [g for g in (self.gnet(inst, n) for n in r.outputs) if g is not None]
                row = RegionInstance(r, inst, inputs, outputs)
                self.regions.append(row)
                for ref, mask in r.masks.items():
                    g = self.gnet(inst, ref)
                    if g is not None:
                        row.masks[g] = row.masks.get(g, 0) | mask
                if r.internal:
                    row.internal = frozenset(g for g in (self.gnet(inst, ref) for ref in r.internal) if g is not None)
            for p in low.processes:
                self.processes.append(self.process(inst, p))

    def open_inputs(self) -> None:
        """Inputs of tops are driven to their initial values: each gets a net of its own, named as the port."""
        for inst in self.tops:
            d = inst.definition
            for port, off in d.inputs.items():
                if off not in d.opened:
                    t = next(t for _, n, t in d.ports if n == port)
                    d.opened[off] = d.net(t.elem if isinstance(t, T.RefType) else t, port, "signal")

    def process(self, inst: Instance, p: ProcessDef) -> Process:
        n = len(self.processes) + 1
        sens = [sorted({g for g in (self.gnet(inst, r) for r in key) if g is not None}) for key in p.body.sens_sets]
        return Process(n, p.body, inst, p.name or f"llhd_process_{n - 1}", sens, p.final, p.op)

    # -- levels ------------------------------------------------------------------------------------------------------------------------

    def graph(self) -> list[list[int]]:
        """Successors of each region instance (only continuous logic: registers cut the graph)."""
        producers: dict[int, list[int]] = {}
        for i, r in enumerate(self.regions):
            if not r.region.sequential:
                for net in r.outputs:
                    producers.setdefault(net, []).append(i)
        succ: list[list[int]] = [[] for _ in self.regions]
        for i, r in enumerate(self.regions):
            if not r.region.sequential:
                for net in r.inputs:
                    for p in producers.get(net, ()):
                        if p != i or net not in r.internal:
                            succ[p].append(i)
        return succ

    def cycles(self) -> list[list[int]]:
        succ = self.graph()
        self.loops = [c for c in components(succ) if len(c) > 1 or c[0] in succ[c[0]]]
        return self.loops

    def assign_levels(self) -> None:
        succ = self.graph()
        level = levels(succ)
        top = max(level, default=0) + 1
        for r, n in zip(self.regions, level, strict=True):
            r.level = top if r.region.sequential else n
        self.level_count = top + 1
        self.gangs = form_gangs(self.regions)

    # -- memory --------------------------------------------------------------------------------------------------------------------------

    def place(self, start: int) -> int:
        """Give every context an address from `start` (bytes); returns the end. Fills `nets`."""
        pos = start
        self.nets = []
        for inst in self.instances:
            pos = (pos + 63) // 64 * 64
            inst.ctx = pos
            pos += max(inst.definition.size, CTX_HEADER)
            for n in inst.definition.nets:
                self.nets.append(Net(inst.ctx + n.off, n.lay.size, n.type, n.name, n.kind, inst))
        return pos

    def commit_cells(self) -> Iterable[tuple[int, int]]:
        """(address, region id) of the words that tell register groups their commit regions."""
        for i, r in enumerate(self.regions):
            if r.region.commit:
                yield r.instance.ctx + r.region.commit_cell, i

    def images(self) -> Iterable[tuple[int, bytes]]:
        """(address, bytes) of every context: header, slots, initial values."""
        templates: dict[str, bytearray] = {}
        for inst in self.instances:
            d = inst.definition
            template = templates.get(d.name)
            if template is None:
                template = bytearray(d.size)
                for off, img in d.init_images.items():
                    template[off : off + len(img)] = img
                templates[d.name] = template
            out = bytearray(template)
            out[0:4] = inst.net_base.to_bytes(4, "little")
            out[4:8] = inst.index.to_bytes(4, "little")
            for off, _ in d.slots:
                owner, own, extra, bit = self.resolve(inst, Slot(off))
                if own is not None:
                    out[off : off + 4] = (owner.ctx + own.off + extra).to_bytes(4, "little")
                    out[off + 4 : off + 8] = (owner.net_base + own.k).to_bytes(4, "little")
                    out[off + 8 : off + 12] = bit.to_bytes(4, "little")
            yield inst.ctx, bytes(out)


def black_box(name: str, op: Op) -> Definition:
    """Ports only; outputs are nets that stay 0."""
    d = Definition(name, op)
    for direction, port, t, _ in op.attrs["ports"]:
        d.ports.append((direction, port, t))
        if direction != "out":
            d.inputs[port] = d.slot(t.elem if isinstance(t, T.RefType) else t)
        else:
            own = d.net(t, port, "signal")
            v = Value(t, op, 0, port)
            d.home[v] = own
            d.output_values[port] = v
    return d


def static_net(d: Definition, v: Value, user: Op) -> tuple[NetRef, int, int]:
    """(net, byte offset, bit offset) of a value connected to a port."""
    off = bit = 0
    while True:
        home = d.home.get(v)
        if home is not None:
            return home, off, bit
        op = v.owner
        if isinstance(op, Op):
            handle = handle_of(v)
            if handle is not None:
                v = handle
                continue
            if op.name in ("llhd.prb", "hw.wire", "seq.to_clock", "seq.from_clock", "dbg.variable") or (
                op.name == "builtin.unrealized_conversion_cast" and isinstance(v.type, T.RefType)
            ):
                v = op.operands[0]
                continue
            if op.name == "llhd.sig.struct_extract":
                t = op.operands[0].type.elem  # type: ignore[attr-defined]
                f = op.attrs["field"] if "field" in op.attrs else op.attrs["fieldIndex"]
                off += field_offset(t, f if isinstance(f, int) else [n for n, _ in t.fields].index(str(f)))
                v = op.operands[0]
                continue
            index = constant_index(op)
            if op.name == "llhd.sig.array_get" and index is not None:
                t = op.operands[0].type.elem  # type: ignore[attr-defined]
                off += (t.size - 1 - index) * layout(t.elem).size
                v = op.operands[0]
                continue
            if op.name == "llhd.sig.extract" and index is not None:
                bit += index
                v = op.operands[0]
                continue
        raise Unsupported(user, f"value of type {v.type} cannot be connected to a port")


def constant_index(op: Op) -> int | None:
    if len(op.operands) < 2:
        return None
    src = op.operands[1].owner
    if isinstance(src, Op) and src.name in ("hw.constant", "arith.constant"):
        t = op.operands[1].type
        width = t.width if isinstance(t, T.IntType) else 64
        return int(src.attrs["value"]) & ((1 << width) - 1)
    return None


def default_tops(design: Design) -> list[str]:
    """Modules nobody instantiates, in the order of the text."""
    used: set[str] = set()
    modules = [n for n, op in design.symbols.items() if op.name == "hw.module"]
    for n in modules:
        body = design.symbols[n].regions[0].blocks if design.symbols[n].regions else []
        for b in body:
            for op in b.ops:
                if op.name in INSTANCES:
                    used.update(instance_modules(op))
    return [n for n in modules if n not in used]
