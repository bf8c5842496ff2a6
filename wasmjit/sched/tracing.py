"""Waveform recording: which nets are traced under which names, and draining the kernel's value-change ring."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wasmjit.elab.design import Instance
from wasmjit.ir import types as T
from wasmjit.sched import control as cb
from wasmjit.sem.lower.refs import NetRef, Own, Slot

if TYPE_CHECKING:
    from wasmjit.report.drivers import DriverHistory
    from wasmjit.sched.simulation import Simulation
    from wasmjit.waves.images import Shape
    from wasmjit.waves.trace import SignalTrace

HEADER = 24


class Tracing:
    """Records the value changes of selected signals into VCD and FST files."""

    def __init__(self, sim: Simulation) -> None:
        from wasmjit.waves.trace import SignalTrace

        self.sim = sim
        self.trace = SignalTrace()
        self.paths: list[str] = [p for p in (sim.options.vcd, sim.options.fst) if p]
        self.names: dict[int, list[str]] = {}
        self.open = False
        self.records = 0
        self.drivers: DriverHistory | None = None
        if sim.options.trace_drivers:
            from wasmjit.report.drivers import DriverHistory

            self.drivers = DriverHistory(cb.NONE)

    def start(self) -> None:
        """Declare everything, open the files, tell the kernel what to trace. Raises OSError when a file cannot be made."""
        from wasmjit.waves.convert import create_writer

        options = self.sim.options
        patterns = options.trace if not options.trace_all else []

        def wanted(path: str, name: str) -> bool:
            return not patterns or any(fnmatchcase(path, p) or fnmatchcase(name, p) for p in patterns)

        self.names = declare(self.sim, self.trace, wanted, options.trace_all)
        writers = [create_writer(p) for p in self.paths]
        self.trace.start(*writers)
        self.open = True
        self.sim.view.set_u32(cb.CB_DRIVERS, self.drivers is not None)
        trace_net = self.sim.kernel.call["k_trace_net"]
        for net in self.trace.nets:
            trace_net(net, 1)

    def close(self) -> None:
        """Write what is left; the files are complete up to the present time."""
        if not self.open:
            return
        self.open = False
        self.sim.kernel.call["k_trace_flush"]()
        self.sim.drain()
        self.trace.close(self.sim.view.u64(cb.CB_FS))
        for p in self.paths:
            self.sim.say(f"Wrote waveform to {p}")

    def write_drivers(self) -> None:
        """Write the history of drivers, if one was asked for. Raises OSError."""
        if self.drivers is not None and self.sim.options.trace_drivers:
            self.drivers.write(Path(self.sim.options.trace_drivers), self.names, self.driver)

    def driver(self, who: int) -> dict[str, Any]:
        """What the history of drivers says of a driver as samples name it."""
        elab = self.sim.elab
        if who == cb.NONE:
            return {"process_id": None, "name": None, "definition": None, "instance": None}
        if who & cb.REGION_DRIVER:
            k = who & ~cb.REGION_DRIVER
            if k >= len(elab.regions):
                return {"process_id": None, "name": "logic", "definition": "logic", "instance": ""}
            name = elab.regions[k].region.name
            return {"process_id": None, "name": name, "definition": name, "instance": elab.regions[k].instance.path}
        if who & cb.DYNAMIC_DRIVER:
            name = self.sim.name_of(who)
            return {"process_id": 0, "name": name, "definition": name, "instance": ""}
        process = elab.processes[who]
        return {"process_id": who + 1, "name": process.name, "definition": process.body.key, "instance": process.instance.path}


def declare(sim: Simulation, trace: SignalTrace, wanted: Callable[[str, str], bool], unnamed: bool) -> dict[int, list[str]]:
    """Add every signal that `wanted(path, name)` to a trace; the paths of each net."""
    from wasmjit.waves.shapes import shape_of

    names: dict[int, list[str]] = {}
    for inst in sim.elab.instances:
        scope = tuple(inst.path.split("."))
        trace.add_scope(scope, "module")
        for name, ref, t in signals(inst, unnamed):
            path = f"{inst.path}.{name}"
            if not wanted(path, name):
                continue
            owner, own, off, bit = sim.elab.resolve(inst, ref)
            shape = shape_of(t.elem if isinstance(t, T.RefType) else t)
            if own is None or off or bit or shape is None:
                continue
            shape = declared_indices(shape, array_ranges(inst.definition.op.attrs, name))
            net = owner.net_base + own.k
            # A signal of LLHD may be a net or a variable of the source: only registers are known to be variables.
            kind = "reg" if owner.definition.nets[own.k].kind in ("reg", "memory") else "wire"
            try:
                trace.add(net, scope, name, shape, kind, bounds(inst, name))
            except ValueError:
                continue  # a port seen as another type than its signal: the signal itself is recorded
            names.setdefault(net, []).append(path)
    return names


def drain(sim: Simulation, traces: list[SignalTrace], drivers: DriverHistory | None = None) -> int:
    """Take the records out of the ring and give them to the traces; how many. `drivers`: notes who made the changes."""
    base, end = sim.view.u32(cb.CB_RING_BASE), sim.view.u32(cb.CB_RING_CUR)
    data = bytes(sim.memory.u8[base:end])
    sim.view.set_u32(cb.CB_RING_CUR, base)
    pos, n, records = 0, len(data), 0
    now = -1
    batch: list[tuple[int, bytes]] = []
    word = memoryview(data).cast("I") if n else memoryview(b"")

    def flush() -> None:
        for trace in traces:
            trace.record(now, batch)

    while pos < n:
        net, size = word[pos >> 2], word[(pos >> 2) + 1]
        fs = word[(pos >> 2) + 2] | word[(pos >> 2) + 3] << 32
        if fs != now:
            if batch:
                flush()
                batch = []
            now = fs
        batch.append((net, data[pos + HEADER : pos + HEADER + size]))
        if drivers is not None:
            who = word[(pos >> 2) + 4]
            if drivers.last.get(net, cb.NONE) != who:
                drivers.note(net, fs, who)
        pos += HEADER + ((size + 7) & ~7)
        records += 1
    if batch:
        flush()
    return records


def signals(inst: Instance, unnamed: bool) -> list[tuple[str, NetRef, T.Type]]:
    """(name, net, type) of everything in an instance that a waveform shows: ports, signals, registers, named wires."""
    d = inst.definition
    out: dict[str, tuple[NetRef, T.Type]] = {}
    for direction, port, t in d.ports:
        if direction == "out":
            v = d.output_values.get(port)
            home = d.home.get(v) if v is not None else None
            if home is not None:
                out[port] = (home, t)
        else:
            out[port] = (Slot(d.inputs[port]), t)
    for name, ref, t in d.aliases:
        if name:
            out.setdefault(name, (ref, t))
    for net in d.nets:
        name = net.name or (f"_net_{net.k}" if unnamed else "")
        if name:
            out.setdefault(name, (Own(net.k, net.off), net.type))
    return [(name, ref, t) for name, (ref, t) in out.items()]


def array_ranges(attrs: dict[str, Any], name: str) -> list[tuple[int, int]]:
    """Declared (left, right) of the unpacked dimensions of an array, outermost first, from `vpi.array_bounds`; [] where there are none."""
    table = attrs.get("vpi.array_bounds")
    entry = table.get(name) if isinstance(table, dict) else None
    if not isinstance(entry, dict):
        return []
    inner = entry.get("inner_bounds", [])
    ranges = [entry, *(inner if isinstance(inner, list) else [])]
    return [(int(r["left"]), int(r["right"])) for r in ranges if isinstance(r, dict) and "left" in r and "right" in r]


def declared_indices(shape: Shape, ranges: list[tuple[int, int]]) -> Shape:
    """The shape with its array elements numbered as declared: the leftmost element is the first one in memory (docs/internals.md §2).

    A range that does not fit the number of elements is left aside, with those inside of it.
    """
    from wasmjit.waves.images import ArrayShape

    if not ranges or not isinstance(shape, ArrayShape):
        return shape
    left, right = ranges[0]
    if abs(right - left) + 1 != shape.count:
        return shape
    from wasmjit.data import replace

    element = declared_indices(shape.element, ranges[1:])
    return replace(shape, element=element, first=left, step=1 if right >= left else -1)


def bounds(inst: Instance, name: str) -> tuple[int, int] | None:
    """Declared vector range, where circt-verilog wrote it down."""
    table = inst.definition.op.attrs.get("vpi.vector_bounds")
    entry = table.get(name) if isinstance(table, dict) else None
    if isinstance(entry, dict) and "left" in entry and "right" in entry:
        return int(entry["left"]), int(entry["right"])
    return None
