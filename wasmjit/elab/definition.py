"""One hardware module, analysed once for all of its instances: nets, slots, what must be stored, what is computed where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from wasmjit.data import dataclass, field
from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem.layout import Layout, layout
from wasmjit.sem.lower.refs import NetRef, Own
from wasmjit.sem.sva.plan import CLOCKED, UNCLOCKED, Plan, Sample

if TYPE_CHECKING:
    from wasmjit.ir.short import Short

CTX_NET_BASE, CTX_INSTANCE, CTX_HEADER = 0, 4, 16
SLOT_SIZE = 16
"""Port slot: u32 address, u32 net id, u32 bit offset, u32 spare."""

REGISTER_OPS = frozenset({"seq.firreg", "seq.compreg", "seq.compreg.ce", "seq.shiftreg", "seq.fifo", "seq.firmem", "seq.hlmem"})
CLOCKED_EFFECTS = frozenset(
    {
        "sim.print",
        "sim.clocked_print",
        "sim.clocked_terminate",
        "sim.clocked_pause",
        "sim.finish",
        "sim.fatal",
        "sim.exit",
        "sim.triggered",
        "hw.triggered",
        "verif.clocked_assert",
        "verif.clocked_assume",
        "verif.clocked_cover",
        "seq.firmem.write_port",
        "seq.write",
        "sim.dpi.call",
    }
)
PROCESS_OPS = frozenset({"llhd.process", "llhd.final"})
ASSERTIONS = CLOCKED | UNCLOCKED
PURE_PREFIXES = ("comb.", "hw.", "arith.", "math.", "index.", "sim.fmt.", "ltl.", "llvm.intr.", "sim.string.", "sim.queue.", "sim.assoc_array.")
"""`llvm.intr.` without those of EFFECTS_OF_INTRINSICS."""
EFFECTS_OF_INTRINSICS = ("llvm.intr.mem", "llvm.intr.stack", "llvm.intr.lifetime", "llvm.intr.va", "llvm.intr.trap", "llvm.intr.debugtrap", "llvm.intr.ubsantrap")
PURE_OPS = frozenset(
    {
        "llhd.constant_time",
        "llhd.current_time",
        "llhd.time_to_int",
        "llhd.int_to_time",
        "llhd.combinational",
        "llhd.prb",
        "llhd.sig.extract",
        "llhd.sig.struct_extract",
        "llhd.sig.array_get",
        "llhd.sig.array_slice",
        "llhd.delay",
        "scf.if",
        "builtin.unrealized_conversion_cast",
        "seq.to_clock",
        "seq.from_clock",
        "seq.clock_inv",
        "seq.clock_mux",
        "seq.clock_gate",
        "seq.clock_div",
        "seq.const_clock",
        "seq.from_immutable",
        "seq.to_immutable",
        "seq.firmem.read_port",
        "seq.firmem.read_write_port",
        "seq.read",
        "llvm.mlir.constant",
        "llvm.mlir.undef",
        "llvm.mlir.poison",
        "llvm.mlir.zero",
        "llvm.mlir.addressof",
        "llvm.getelementptr",
        "llvm.insertvalue",
        "llvm.extractvalue",
        "llvm.load",
        "llvm.bitcast",
        "llvm.ptrtoint",
        "llvm.inttoptr",
        "llvm.icmp",
        "llvm.select",
        "llvm.add",
        "llvm.sub",
        "llvm.mul",
        "llvm.and",
        "llvm.or",
        "llvm.xor",
        "llvm.zext",
        "llvm.sext",
        "llvm.trunc",
        *(f"llvm.{n}" for n in "udiv sdiv urem srem shl lshr ashr fcmp freeze fadd fsub fmul fdiv frem fneg fptosi fptoui sitofp uitofp fpext fptrunc".split()),
        "func.constant",
        "sim.stdout_stream",
        "sim.stderr_stream",
        "dbg.variable",
        "dbg.scope",
    }
)
CONTROL_OPS = frozenset({"llhd.yield", "cf.br", "cf.cond_br", "cf.switch", "scf.yield", "scf.for", "scf.while", "scf.condition", "scf.index_switch"})
"""Structure without effect of its own inside llhd.combinational."""
MEMORY_READS = ("seq.firmem.read_port", "seq.firmem.read_write_port", "seq.read")
STATEFUL_WIRES = frozenset({"seq.clock_gate", "seq.clock_div"})
"""Continuous logic with a hidden cell: always stored, so that it is evaluated in one place."""
INSTANCES = frozenset({"hw.instance", "hw.instance_choice"})


def instance_modules(op: Op) -> list[str]:
    """Names of the modules an instance may be of; the first is the one that is made (of a choice, the default: options are chosen by tools before)."""
    refs = [op.attrs["moduleName"]] if op.name == "hw.instance" else op.attrs["moduleNames"]
    return [r.name for r in refs]


IGNORED_OPS = frozenset({"dbg.array", "dbg.struct", "dbg.variable", "dbg.scope", "dbg.enumdef", "om.class", "hw.output", "llhd.output", "hw.probe", "emit.file", "sv.verbatim"})


@dataclass(slots=True)
class NetDef:
    """Own net `k`: storage at context offset `off` of `lay.size` bytes. kind: signal, wire, reg, result, memory."""

    k: int
    off: int
    type: T.Type
    lay: Layout
    name: str
    kind: str


@dataclass(slots=True)
class Child:
    """An instance in this module. inputs: port name -> value; outputs: port name -> slot offset (also for results nobody uses)."""

    op: Op
    module: str
    name: str
    inputs: dict[str, Value]
    outputs: dict[str, int]


@dataclass(slots=True)
class Sink:
    """Something continuous logic does: 'wire' (store `value` in own net), 'drive' (an llhd.drv), 'store' (an llvm.store to a field of an interface; with
    `tied`, an llhd.drv of a net that is the field, it drives that net) or 'sample' (keep `value` as it was before the time step)."""

    kind: str
    op: Op | None
    value: Value | None
    home: Own | None = None
    tied: Op | None = None
    sample: Sample | None = None


@dataclass(slots=True)
class RegisterGroup:
    """Registers and clocked effects of one clock (and one asynchronous reset)."""

    clock: Value
    edge: str
    reset: Value | None
    ops: list[Op] = field(default_factory=list)
    commits: list[Value] = field(default_factory=list)
    merged: list[Sink] = field(default_factory=list)
    commit_cell: int = 0
    filtered: bool = False


class Definition:
    """Analysis result of an hw.module (see `analyse`). Context layout: header, slots, then storage (own nets and hidden cells)."""

    def __init__(self, name: str, op: Op) -> None:
        self.name = name
        self.op = op
        self.size = CTX_HEADER
        self.slots: list[tuple[int, T.Type]] = []
        self.nets: list[NetDef] = []
        self.home: dict[Value, NetRef] = {}
        self.cells: dict[Value, int] = {}
        self.children: list[Child] = []
        self.sinks: list[Sink] = []
        self.groups: list[RegisterGroup] = []
        self.processes: list[Op] = []
        self.init_ops: list[Op] = []
        self.ports: list[tuple[str, str, T.Type]] = []
        self.inputs: dict[str, int] = {}
        self.output_values: dict[str, Value] = {}
        self.names: dict[str, tuple[NetRef, T.Type]] = {}
        self.aliases: list[tuple[str, NetRef, T.Type]] = []
        self.process_drives: dict[Op, list[Op]] = {}
        self.result_nets: dict[Value, Own] = {}
        self.local_signals: dict[Op, Own] = {}
        self.init_images: dict[int, bytes] = {}
        self.shadows: dict[Value, int] = {}
        self.opened: dict[int, Own] = {}
        self.objects: dict[Value, Own] = {}
        """Module-level allocations: the net that is the block of memory."""
        self.dynamic: dict[Value, int] = {}
        """References connected to ports that are only known at run time: offset of the cell that holds the pointer."""
        self.resolved: dict[Op, int] = {}
        """Drives that are one of several drivers of a net, with their strengths (see `drive_kind`)."""
        self.polling: list[Op] = []
        """Branches of loops that poll without waiting (see `observers.polls`)."""
        self.plan = Plan(self)
        self.memory_ports: dict[Op, Any] = {}

    def slot(self, t: T.Type) -> int:
        off = self.size
        self.size += SLOT_SIZE
        self.slots.append((off, t))
        return off

    def storage(self, lay: Layout) -> int:
        align = max(lay.align, 1)
        off = (self.size + align - 1) // align * align
        self.size = off + lay.size
        return off

    def cell(self, nbytes: int) -> int:
        align = min(max(nbytes, 1), 8)
        off = (self.size + align - 1) // align * align
        self.size = off + nbytes
        return off

    def net(self, t: T.Type, name: str, kind: str) -> Own:
        lay = layout(t)
        if lay.size in (2, 4, 8):  # a four-state value is stored as one word: it should not straddle two cache lines
            self.size = (self.size + lay.size - 1) & -lay.size
        own = Own(len(self.nets), self.storage(lay))
        self.nets.append(NetDef(own.k, own.off, t, lay, name, kind))
        return own

    def net_size(self, ref: NetRef) -> int:
        """Bytes of the net behind a reference: an own net, or what a port slot is declared to be."""
        if isinstance(ref, Own):
            return max(self.nets[ref.k].lay.size, 1)
        return max(next(layout(t).size for off, t in self.slots if off == ref.off), 1)


def is_pure(op: Op) -> bool:
    """No effect at module level; its value may be computed wherever it is needed."""
    name = op.name
    if name in PROCESS_OPS or name in REGISTER_OPS or name in CLOCKED_EFFECTS or name in INSTANCES:
        return False
    return name in PURE_OPS or name.startswith(PURE_PREFIXES) and not name.startswith(EFFECTS_OF_INTRINSICS)


def is_constant(v: Value, memo: dict[Value, bool]) -> bool:
    """Whether a value is fixed at elaboration (pure and without probes, loads or time in its cone; not where it depends on itself)."""
    stack = [v]
    begun: set[Value] = set()
    while stack:
        x = stack[-1]
        if x in memo:
            stack.pop()
            continue
        op = x.owner
        if not isinstance(op, Op) or not is_pure(op) or op.regions or op.name in ("llhd.prb", "llvm.load", "llhd.current_time", *MEMORY_READS, "llhd.delay"):
            memo[x] = False
            stack.pop()
            continue
        if isinstance(x.type, T.RefType):
            memo[x] = False
            stack.pop()
            continue
        begun.add(x)
        pending = [o for o in op.operands if o not in memo]
        for o in pending:
            if o in begun:
                memo[o] = False
        if pending:
            stack.extend(pending)
            continue
        memo[x] = all(memo[o] for o in op.operands)
        stack.pop()
    return memo[v]


def zero_time(op: Op, value: Value) -> bool:
    """Whether the delay of a drive is a constant without real time or delta."""
    from wasmjit.sem.lower.llhd import parse_time

    src = value.owner
    if isinstance(src, Op) and src.name == "llhd.constant_time":
        fs, d, _ = parse_time(src.attrs["value"])
        return fs == 0 and d == 0
    return False


STRENGTHS = {"highz": 0, "small": 1, "medium": 2, "weak": 3, "large": 4, "pull": 5, "strong": 6, "supply": 7}
"""Drive and charge strengths, IEEE 1800 Table 28-7."""
WIRED = {"wired_and": 1, "wired_or": 2}


def drive_kind(op: Op, resolution: object) -> int:
    """Strengths of 0 and 1 of a drive and the kind of net, as `k_contribute` takes them."""
    s0, s1 = (STRENGTHS.get(str(op.attrs.get(name, "strong")), 6) for name in ("strength0", "strength1"))
    return s0 | s1 << 3 | WIRED.get(str(resolution), 0) << 6


def root_of(ref: Value) -> Value:
    """The signal or port that a reference is a part of."""
    while isinstance(ref.owner, Op) and ref.owner.name.startswith("llhd.sig."):
        ref = ref.owner.operands[0]
    return ref


def attr_name(op: Op) -> str:
    """Source name of a signal or register."""
    name = op.attrs.get("name")
    if isinstance(name, str) and name:
        return name
    hint = op.attrs.get("sv.namehint")
    if isinstance(hint, str) and hint:
        return hint
    ssa = op.results[0].name
    if ssa and not ssa.isdigit():
        return ssa
    return ""


def short_form(op: Op) -> Short | None:
    """The body of a process in short form, if it has one."""
    return op.regions[0].short() if op.name == "llhd.process" and op.regions else None


def structure(op: Op) -> Iterator[Op]:
    """As `walk`, without computations of integers from integers where the body is known in short form: what uses signals, waits or branches is there."""
    short = short_form(op)
    if short is None:
        yield from walk(op)
    else:
        for block in short.region.blocks:
            yield from block.ops


def walk(op: Op) -> Any:
    """Every operation in the regions of `op`, outermost first."""
    stack = [iter(list(op.regions))]
    while stack:
        region = next(stack[-1], None)
        if region is None:
            stack.pop()
            continue
        for block in region.blocks:
            for o in block.ops:
                yield o
                if o.regions:
                    stack.append(iter(list(o.regions)))
