"""One run: memory image, kernel, code, services, the run loop, and how it ended."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from typing import Any

from wasmjit.codegen.module import Nets
from wasmjit.elab.definition import Definition
from wasmjit.elab.design import Elaborated, Process, default_tops
from wasmjit.elab.program import ProgramImpl
from wasmjit.interp.compiler import lazy
from wasmjit.ir import Dense, Design, IRError, Op
from wasmjit.report.telemetry import Telemetry
from wasmjit.runtime.cache import Cache, open_cache
from wasmjit.runtime.engine import Engine
from wasmjit.runtime.memory import Global, LinearMemory, Table
from wasmjit.runtime.moore.declarations import ALLOCATING, COMPILED, PAIRS
from wasmjit.runtime.moore.prng import root_seed
from wasmjit.runtime.raw import WasmTrap
from wasmjit.runtime.services import SimFault as ServiceFault
from wasmjit.sched import control as cb
from wasmjit.sched import descriptors, kernelimage, overflow
from wasmjit.sched.code import Code
from wasmjit.sched.exports import image_signatures
from wasmjit.sched.failures import Failures
from wasmjit.sched.governor import Governor
from wasmjit.sched.hdl import Names
from wasmjit.sched.interpreter import InterpEnv, deepen_recursion
from wasmjit.sched.jit import RECORD_BYTES
from wasmjit.sched.library.faults import WARNINGS
from wasmjit.sched.monitors import Monitors
from wasmjit.sched.options import RunOptions
from wasmjit.sched.outcome import Outcome, OutputError, TooLarge
from wasmjit.sched.postponed import Postponed
from wasmjit.sched.references import HostReferences
from wasmjit.sched.runtime_impl import RuntimeImpl, write_fd
from wasmjit.sched.services import Services
from wasmjit.sched.tables import KernelTables
from wasmjit.sched.tracing import Tracing, drain
from wasmjit.sched.view import KernelView
from wasmjit.sched.wasmkernel import WasmKernel
from wasmjit.sem.dense import dense_elements
from wasmjit.sem.lower.core import FUNCTIONS, Unsupported
from wasmjit.sem.lower.library import KernelFunction
from wasmjit.sem.mir import FRAME_HEADER, Body, CallSite
from wasmjit.waves.model import WaveError

STACK_BYTES = 4 << 20
RING_BYTES = 1 << 20
PAGE = 1 << 16
GUEST_BASE = 1 << 28
"""First guest address. What lies below holds only the control block and is never backed by real memory: a null pointer plus the offset of any
field is caught, and so are small integers taken for pointers. The first 16 guest bytes stay zero."""
FOREVER = (1 << 64) - 1
CHUNK = 1 << 40
RANDOMIZING = ("__moore_randomize_", "__moore_class_", "__moore_randc_")
"""Functions of the runtime library by which designs randomize objects."""
"""Activations per call of the kernel when nobody wants to look in between."""


class Simulation(Failures):
    """A design made ready to run. `run()` returns an `Outcome`."""

    def __init__(self, design: Design, options: RunOptions, stdout: Callable[[bytes], None] = write_fd, stderr: Callable[[str], None] | None = None) -> None:
        self.design = design
        self.options = options
        self.write_stdout = stdout
        self.stderr = stderr or (lambda line: print(line, file=sys.stderr, flush=True))
        self.interactive = sys.stdout.isatty() if stdout is write_fd else False
        self.outcome = Outcome()
        self.telemetry = Telemetry()
        self.stop_cause = ""
        self.call_profile: dict[int, Any] = {}
        self.time_precision = -15
        self.rtti_parents = rtti_table(design)
        self.started = time.perf_counter()
        self.started_ns = time.perf_counter_ns()
        self.telemetry = Telemetry()
        self.tracing: Tracing | None = None
        self.postponed = Postponed(self)
        self.references = HostReferences(self)
        self.names: Names | None = None
        self.cache: Cache | None = open_cache()
        self.engine = Engine("speed", wasm_stack=8 << 20)
        self.kernel_code = kernelimage.load(self.engine, self.cache, kernelimage.KERNEL)
        exports = self.kernel_code[1].exports
        self.kernel_signatures = image_signatures(exports)
        self.program = ProgramImpl(
            design,
            {
                n: KernelFunction(params, results[0] if results else "", cb.CB_PAIR if n in PAIRS else 0, n in ALLOCATING)
                for n, (params, results) in exports.items()
                if n in COMPILED or n.startswith("k_")
            },
        )
        self.program.count_steps = bool(options.max_process_steps)
        self.elab = Elaborated(design, self.program)
        self.region_keys: set[str] = set()
        self.warned_sites: set[int] = set()
        self.guest_lo = GUEST_BASE
        self.globals_end = self.program.place_globals(GUEST_BASE + 16)
        self.elaborate()
        self.build_memory()

    # -- set-up ------------------------------------------------------------------------------------------------------------------------

    def elaborate(self) -> None:
        tops = self.options.tops or default_tops(self.design)
        self.elab.build(tops)
        for low in self.elab.lowered.values():
            for r in low.regions:
                self.program.bodies[r.body.key] = r.body
                self.region_keys.add(r.body.key)
            for p in low.processes:
                self.program.bodies[p.body.key] = p.body
            if low.init is not None:
                self.program.bodies[low.init.key] = low.init

    def build_memory(self) -> None:
        """Lay everything out, create engine, memory, kernel, and write the image."""
        elab = self.elab
        tables = KernelTables()
        for p in elab.processes:
            for s, nets in enumerate(p.sens):
                for net in nets:
                    tables.fanout.proc(net, p.id - 1, s, p.body.sens_edges.get(s, 0))
        everything = self.options.trace_all and bool(self.options.vcd or self.options.fst)
        ganged = {i for g in elab.gangs for i in g.regions}
        heads = {g.regions[0]: len(elab.regions) + k for k, g in enumerate(elab.gangs)}
        for i, r in enumerate(elab.regions):
            head = heads.get(i)
            if head is not None:
                gang = elab.gangs[head - len(elab.regions)]
                for net in gang.inputs:
                    tables.fanout.region(net, head, gang.edge, descriptors.ALL_OF_GANG)
            if i in ganged or (r.region.idle and not everything):
                continue
            for net in dict.fromkeys(r.inputs):
                tables.fanout.region(net, i, r.region.edge, r.masks.get(net, 1), net in r.internal)
        n_nets = sum(len(inst.definition.nets) for inst in elab.instances)
        tables.nets.add_range([0] * n_nets, [0] * n_nets)
        tables.procs.rows = [(0, 0, 0, 0, 0, 0)] * len(elab.processes)
        tables.regions.rows = [(0, 0, r.level, 0) for r in elab.regions]
        for gang in elab.gangs:
            tables.regions.gang(gang.regions, elab.regions[gang.regions[0]].level)
        pos = elab.place(self.globals_end + 64)
        tables.nets.addr = [n.address for n in elab.nets]
        tables.nets.size = [n.size for n in elab.nets]
        frames: list[int] = []
        for p in elab.processes:
            pos = (pos + 15) // 16 * 16
            frames.append(pos)
            pos += p.body.frame.size if p.body.frame is not None else FRAME_HEADER
        static_end = pos
        ring = (pos + 63) // 64 * 64
        pos = ring + RING_BYTES
        self.stack_low = (pos + 63) // 64 * 64
        stack_top = self.stack_low + STACK_BYTES
        functions = sum(1 for op in self.design.symbols.values() if op.name in FUNCTIONS)
        records = (stack_top + tables.size() + 127) // 64 * 64
        countdown = records + functions * RECORD_BYTES
        self.heap_base = (countdown + 64 + 63) // 64 * 64
        self.store = self.engine.store()
        if self.heap_base + PAGE > 1 << 32:
            raise TooLarge(f"the design needs {self.heap_base - GUEST_BASE} bytes of memory at the start, more than 32-bit addresses reach")
        limit = max(GUEST_BASE + self.options.max_memory, self.heap_base + (16 << 20))
        self.memory = LinearMemory(self.store, self.heap_base + PAGE, min(limit, 4 << 30))
        self.table = Table(self.store, max(1024, 2 * (len(elab.processes) + len(elab.regions))))
        self.sp = Global(self.store, stack_top)
        self.kernel = WasmKernel(self.engine, self.store, self.memory, self.table, self.sp, {"drain": self.drain, "net_change": self.net_change, "deopt": self.deopt, "lib_warn": self.library_warning, "gc_roots": self.references.roots, "gc_dead": self.references.forget}, loaded=self.kernel_code)
        self.view = KernelView(self.memory)
        self.runtime = RuntimeImpl(self)
        self.services = Services(self)
        self.monitors = Monitors(self)
        self.env = InterpEnv(self, self.guest_lo)
        self.code = Code(self)
        self.governor = Governor(self, records, countdown) if self.options.mode == "compile" else None
        rows = []
        for p, frame in zip(elab.processes, frames, strict=True):
            rows.append((self.code.slot(p.body.key), p.instance.ctx, frame, 0, 2 if p.final else 0, cb.CB_C_ACT0))
        tables.procs.rows = rows
        tables.regions.rows = [(self.code.slot(r.region.body.key), r.instance.ctx, r.level, r.region.members) for r in elab.regions]
        image = tables.build(stack_top)
        if self.governor is not None:
            jit = self.governor.jit
            jit.regions = image.fields[cb.CB_REGIONS]
            for k, gang in enumerate(elab.gangs):
                keys = {elab.regions[i].region.body.key for i in gang.regions}
                if len(keys) == 1:
                    jit.gangs.setdefault(keys.pop(), []).append(jit.regions + (len(elab.regions) + k) * descriptors.R_SIZE)
            jit.nets = Nets(image.fields[cb.CB_NETS], descriptors.N_FLAGS, cb.CB_C_UPDATES, cb.CB_C_EDGES)
        image.write(
            self.memory.u8,
            guest_lo=self.guest_lo,
            heap_base=self.heap_base,
            heap_limit=self.memory.max_bytes if self.memory.max_bytes < 1 << 32 else 0,
            ring=(ring, RING_BYTES),
            max_deltas=self.options.max_deltas,
            max_steps=self.options.max_process_steps,
        )
        self.view.set_u32(cb.CB_STACK_TOP, stack_top)
        self.view.set_u32(cb.CB_GC_STRESS, self.options.gc_stress)
        self.view.set_u32(cb.CB_GC_WANT, self.options.gc_stress)
        self.view.set_u32(cb.CB_ENDED, cb.NONE - 1)
        self.view.set_u32(cb.CB_RNG_SEED, root_seed(self.options.seed & 0xFFFFFFFF, 0))
        self.view.set_u32(cb.CB_RNG_OBJECTS, any(name.startswith(RANDOMIZING) for name in self.design.symbols))
        self.view.set_u32(cb.CB_STATIC_END, static_end & ~7)
        for addr, data in elab.images():
            self.memory.u8[addr : addr + len(data)] = data
        for addr, region in elab.commit_cells():
            self.memory.u32[addr >> 2] = region
        for g in list(self.program.globals.values()):
            data = self.program.global_image(g)
            if data.strip(b"\0"):
                self.memory.u8[g.address : g.address + len(data)] = data
        self.paths = {inst.ctx: inst.path for inst in elab.instances}

    def is_region(self, key: str) -> bool:
        return key in self.region_keys

    # -- running -----------------------------------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """Run to the end; never raises for what a design does."""
        deepen_recursion()
        self.program.on_warning = lambda message: self.say(f"Warning: {message}")
        out = self.outcome
        t0 = time.perf_counter()
        try:
            self.initialise()
            if not gc.isenabled():
                gc.freeze()
                gc.enable()
            self.loop()
        except WasmTrap as e:
            self.trapped(e)
        except IRError as e:
            self.invalid(e)
        except ServiceFault as e:
            self.record_message_fault(e.message, e.addr)
        finally:
            if self.governor is not None:
                self.governor.close()
            self.runtime.flush()
            out.run_wall_ms = (time.perf_counter() - t0) * 1e3
            out.total_wall_ms = (time.perf_counter() - self.started) * 1e3
            out.final_time_fs = self.view.u64(cb.CB_FS)
        return out

    def initialise(self) -> None:
        """Kernel, global constructors, per-instance initialisation."""
        self.kernel.call["k_init"]()
        if self.options.vcd or self.options.fst:
            self.tracing = Tracing(self)
            try:
                self.tracing.start()
            except (OSError, WaveError) as e:
                raise OutputError(f"cannot write {self.options.vcd or self.options.fst}: {e}") from e
        from wasmjit.interp.env import SimFault

        if self.governor is not None:
            self.governor.start()
        self.code.start()
        try:
            for name in self.program.constructors():
                self.env.function(name)()
            slots: dict[int, list[tuple[int, int]]] = {}
            for address, owner, cell in self.elab.pointer_slots():
                slots.setdefault(owner.index, []).append((address, cell))
            for inst in self.elab.instances:  # parents come before their children
                init = self.elab.lowered[inst.definition.name].init
                if init is not None:
                    self.memory.u32[cb.CB_CUR_CTX >> 2] = inst.ctx
                    self.init_body(init)(inst.ctx)
                for address, cell in slots.get(inst.index, ()):
                    pointer = self.view.u64(inst.ctx + cell)
                    self.view.set_u64(address, (pointer & 0xFFFFFFFF) | ((pointer >> 32) - 1 & 0xFFFFFFFF) << 32)
        except SimFault as e:
            self.record_fault(e.site, e.addr)
        except ServiceFault as e:
            self.record_message_fault(e.message, e.addr)
        except Unsupported as e:
            self.record_unsupported(e)

    def init_body(self, body: Body) -> Callable[..., Any]:
        return lazy(body, self.env)

    def loop(self) -> None:
        options = self.options
        until = options.max_time if options.max_time else FOREVER
        run = self.kernel.call["k_run"]
        while not self.outcome.faulted:
            reason = run(until, CHUNK)
            if reason == cb.REASON_HOST:
                self.end_of_step(self.postponed.phase)
                continue
            if reason == cb.REASON_FINISHED or self.outcome.finish_requested:
                self.end_of_step(self.postponed.end_of_step)
                self.outcome.reason = "finished"
                break
            if reason == cb.REASON_NO_EVENTS:
                self.outcome.reason = "no_events"
                break
            if reason == cb.REASON_UNTIL:
                self.outcome.reason = "max_time"
                break
            if reason == cb.REASON_BUDGET:
                if self.governor is not None:
                    self.governor.between_steps()
                continue
            if reason == cb.REASON_RING:
                self.drain()
                continue
            if reason == cb.REASON_LIMIT:
                self.limit()
                break
            if reason == cb.REASON_FAULT:
                self.kernel_fault()
                break
            if reason == cb.REASON_STOP:
                self.stopped()
                break
            raise RuntimeError(f"the kernel returned reason {reason}")
        if not self.outcome.faulted and not self.outcome.limit and not self.stop_cause:
            self.monitors.settle()
            self.kernel.call["k_final"](CHUNK)
            if self.view.u32(cb.CB_FAULTED):
                self.kernel_fault()
            self.monitors.finish()

    def end_of_step(self, act: Callable[[], None]) -> None:
        """Postponed actions of the time step."""
        try:
            act()
        except ServiceFault as e:
            self.record_message_fault(e.message, e.addr)

    # -- ends ----------------------------------------------------------------------------------------------------------------------------

    def terminate(self, success: bool, verbose: bool) -> None:
        """sim.terminate: the current slot finishes, then the run ends."""
        out = self.outcome
        out.finish_calls += 1
        if not out.finish_requested:
            out.success = success
            out.exit_code = 0 if success else 1
            self.runtime.flush()
            now = self.view.u64(cb.CB_FS)
            self.say(f"Simulation terminated at time {now} fs (success={str(success).lower()}, verbose={str(verbose).lower()})")
        elif not success:
            out.success = False
            out.exit_code = 1
        out.finish_requested = True
        self.end_caller()

    def request_finish(self, code: int) -> None:
        self.outcome.exit_code = max(self.outcome.exit_code, code)
        self.outcome.finish_requested = True
        self.outcome.finish_calls += 1
        self.end_caller()

    def end_caller(self) -> None:
        """The run ends with the present slot; the running process goes no further."""
        self.view.set_u32(cb.CB_FINISH, 1)
        self.view.set_u32(cb.CB_ENDED, self.view.u32(cb.CB_CUR_ID))

    def pause(self, verbose: bool) -> None:
        """$stop: without an interactive shell the run ends."""
        self.outcome.stop_calls += 1
        self.runtime.flush()
        self.say(f"Simulation stopped at time {self.view.u64(cb.CB_FS)} fs")
        self.request_finish(0)

    def assertion(self, kind: str, label: str, location: str, settled: bool = False) -> None:
        """A condition without a clock is false: an immediate assertion is an error message (§16.3), one of the module (`settled`) fails the run."""
        out = self.outcome
        if kind == "cover":
            out.covers[label or location] = out.covers.get(label or location, 0) + 1
        elif settled:
            self.monitors.report(kind, label, location)
        else:
            out.errors += 1
            name = f" {label}" if label else ""
            what = "Assertion failed" if kind == "assert" else "SVA assumption failed"
            self.say(f"Error: {what} at time {self.view.u64(cb.CB_FS)} fs: {location}{name}")

    def count_severity(self, level: str) -> None:
        out = self.outcome
        out.messages += 1
        if level == "warning":
            out.warnings += 1
        elif level in ("error", "fatal"):
            out.errors += 1

    def ask_stop(self, cause: str) -> None:
        """Let the run end after the present activation; callable from any thread. cause: 'timeout' or 'interrupted'."""
        self.stop_cause = self.stop_cause or cause
        self.view.set_u32(cb.CB_STOP, cb.STOP_HOST)

    def stopped(self) -> None:
        """The kernel came back because somebody asked it to."""
        out = self.outcome
        out.reason = self.stop_cause or "stopped"
        self.runtime.flush()
        now = self.view.u64(cb.CB_FS)
        if self.stop_cause == "timeout":
            out.limit = True
            out.exit_code = 3
            self.stderr(f"[wasmjit] Wall-clock timeout reached ({self.options.timeout:g} s) at time {now} fs")
        elif self.stop_cause == "interrupted":
            out.exit_code = 130
            self.say(f"Error: interrupted at time {now} fs")

    # -- names ---------------------------------------------------------------------------------------------------------------------------

    def process_name(self) -> str:
        n = self.view.u32(cb.CB_CUR_ID)
        if n == cb.NONE:
            return "none"
        if n & cb.REGION_DRIVER:
            i = n & ~cb.REGION_DRIVER
            return self.elab.regions[i].region.name if i < len(self.elab.regions) else "logic"
        return self.name_of(n)

    def name_of(self, n: int) -> str:
        """Name of a process by id (or by function: DYNAMIC_DRIVER)."""
        if n & cb.DYNAMIC_DRIVER:
            return self.code.keys[n & ~cb.DYNAMIC_DRIVER]
        return self.process(n).name if n < len(self.elab.processes) else f"fork_{n + 1}"

    def overflow_lines(self) -> list[str]:
        return overflow.report(self)

    def process(self, n: int) -> Process:
        return self.elab.processes[n]

    def instance_at(self, ctx: int) -> str:
        return self.paths.get(ctx, "")

    def definition(self, name: str) -> Definition:
        return self.elab.definitions[name]

    def say(self, line: str) -> None:
        """A line of the tool on standard error."""
        if self.options.quiet and not line.startswith(("Error", "ERROR")):
            return
        self.runtime.flush()
        self.stderr(f"[wasmjit] {line}")

    # -- hooks filled in by the compile tier -------------------------------------------------------------------------------------------------

    def deopt(self, proc: int) -> int:
        """Interpret the activation of a process whose compiled code returned DEOPT."""
        if self.governor is not None:
            return self.governor.deopt()
        row = self.view.u32(cb.CB_CUR)
        fn, ctx, frame = (self.view.u32(row + at) for at in (descriptors.P_FN, descriptors.P_CTX, descriptors.P_FRAME))
        return int(self.code.interpreted(self.code.keys[fn])(ctx, frame))

    def library_warning(self, code: int) -> None:
        """The compiled runtime library has something to say."""
        self.runtime.warn(WARNINGS[code])

    def note_call(self, site: CallSite, name: str) -> None:
        """An indirect call found its target."""

    def bad_call(self, site: CallSite, ptr: int, name: str | None) -> None:
        """An indirect call found none: the run goes on (a simulator of classes that stopped at each would not get through UVM), with a warning per site."""
        if site.id in self.warned_sites:
            return
        self.warned_sites.add(site.id)
        what = f"@{name} has another signature or no body" if name is not None else f"{ptr:#x} is no function pointer"
        then = f"@{site.fallback} of the static class is called" if site.fallback else "the result is 0"
        self.say(f"Warning: {site.loc}: indirect call in {site.owner}: {what}; {then} (process {self.process_name()}, time {self.view.u64(cb.CB_FS)} fs)")

    def call_fault_site(self, site: CallSite) -> int:
        return self.program.site(None, f"indirect call at {site.loc} of something that is no function of that signature (address)")

    def finish_outputs(self) -> None:
        """Close what was opened for the run, and report its coverage."""
        self.postponed.close(self.view.u64(cb.CB_FS))
        host = self.runtime.host
        host.files.close_all()
        for line in host.coverage.report().splitlines():
            if line:
                self.say(line)
        if self.tracing is not None:
            self.tracing.close()

    def drain(self) -> None:
        """Value-change records are in the ring."""
        traces = [t for t in (self.tracing.trace if self.tracing is not None else None, self.postponed.trace) if t is not None]
        records = drain(self, traces, self.tracing.drivers if self.tracing is not None else None)
        if self.tracing is not None:
            self.tracing.records += records

    def net_change(self, net: int) -> None:
        """A watched net changed."""


def rtti_table(design: Design) -> list[int]:
    attr = design.root.attrs.get("circt.rtti_parent_table")
    for op in () if attr is not None else [o for r in design.root.regions for b in r.blocks[:1] for o in b.ops]:
        if isinstance(op, Op) and op.name == "builtin.module" and "circt.rtti_parent_table" in op.attrs:
            attr = op.attrs["circt.rtti_parent_table"]
            break
    if attr is None:
        return []
    return [int(v) for v in (dense_elements(attr) if isinstance(attr, Dense) else attr)]
