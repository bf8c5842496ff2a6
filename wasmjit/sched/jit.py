"""The compile tier of a run: batches of bodies become wasm modules, which are installed in the function table."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from wasmjit.codegen.calls import REC_CORO, REC_FRAME, REC_FUNC, REC_SIG
from wasmjit.codegen.floats import FMATH_NAMES
from wasmjit.codegen.gangs import suits
from wasmjit.codegen.module import Emitted, Nets, compile_bodies, emit_bodies
from wasmjit.codegen.module import Unsupported as CannotCompile
from wasmjit.interp.env import SimFault
from wasmjit.report.telemetry import CodeModule, TimelineEvent
from wasmjit.runtime.engine import Instance, Module, compile_module, deserialize_module
from wasmjit.runtime.raw import Func, WasmError, WasmTrap, host_func, raw_call
from wasmjit.runtime.services import SimFault as ServiceFault
from wasmjit.sched import control as cb
from wasmjit.sched import descriptors
from wasmjit.sched.background import LARGE_MODULE, Background, Job, quick_native
from wasmjit.sched.exports import Signature
from wasmjit.sched.marshal import handler
from wasmjit.sem.builder import BodyBuilder
from wasmjit.sem.fold import FMATH
from wasmjit.sem.lower.core import FUNCTIONS, Unsupported
from wasmjit.sem.mir import Body, CallS, CallSite, Service, Ty

if TYPE_CHECKING:
    from wasmjit.sched.simulation import Simulation

CLOSURE_LIMIT = 400
"""Functions compiled together with the bodies that call them; further ones wait until they are called."""
LARGE_DESIGN = 1000
"""In designs of more functions (class libraries), most of those that are called are called once: see PATIENCE."""
PATIENCE = 8
"""Calls of a function of a large design that are interpreted before it is compiled, and with it those called half as often."""
RECORD_BYTES = 16
QUICK = b"quick"
_TWO_ARGUMENTS = frozenset({"atan2", "hypot", "copysign", "fmod", "remainder", "pow"})


class Jit:
    """Compiles bodies and keeps the records that indirect calls look at. Implements `codegen.module.Link`."""

    def __init__(self, sim: Simulation, records: int, countdown: int | None, ask_deopt: bool = False) -> None:
        self.sim = sim
        self.guest_lo = sim.guest_lo
        self.mem_end_addr: int | None = None
        self.deopt_flag_addr = countdown
        self.ask_deopt = ask_deopt
        self.on_failed: Callable[[str, str], None] = lambda key, why: None
        self.asks: Callable[[int], int] = lambda frame: 0
        self.stack_limit: int | None = sim.stack_low
        self.func_records: int | None = records
        self.nets: Nets | None = None
        self.regions = 0
        self.gangs: dict[str, list[int]] = {}
        """Addresses of the heads of gangs by the one body of their regions."""
        self.gang_slots: dict[str, int] = {}
        self.collects = sim.program.collects
        self.compiled: set[str] = set()
        self.failed: dict[str, str] = {}
        self.functions: dict[str, int] = {}
        self.signatures: dict[tuple[tuple[Ty, ...], tuple[Ty, ...]], int] = {}
        self.images: dict[bytes, int] = {}
        self.service_types: dict[int, tuple[Service, tuple[Ty, ...], tuple[Ty, ...]]] = {}
        self.handlers: dict[int, Callable[[int], None]] = {}
        self.instances: list[Instance] = []
        self.modules: list[CodeModule] = []
        self.stubs = 0
        self.nulls: dict[tuple[tuple[Ty, ...], tuple[Ty, ...]], int] = {}
        self.calls: dict[str, int] = {}
        store = sim.store
        self.imports: dict[tuple[str, str], Any] = {
            ("env", "memory"): sim.memory,
            ("env", "table"): sim.table,
            ("env", "sp"): sim.sp,
            ("h", "svc"): host_func(store, ("i32", "i32"), ("i32",), self.service),
            ("h", "fault"): host_func(store, ("i32", "i64"), (), self.fault),
            ("h", "resolve"): host_func(store, ("i32", "i64"), ("i32",), self.resolve),
            ("h", "forced"): host_func(store, ("i32",), ("i32",), lambda frame: self.asks(frame)),
            ("h", "fmath"): host_func(store, ("i32", "f64", "f64"), ("f64",), self.fmath),
        }
        # Every function gets its number now: the count is a constant in compiled code.
        for name, op in sim.design.symbols.items():
            if op.name in FUNCTIONS:
                sim.program.function_number(name)
        self.func_count = len(sim.program.functions)
        self.patience = 0 if self.func_count <= LARGE_DESIGN or sim.options.fail_on_deopt else PATIENCE

    # -- Link ----------------------------------------------------------------------------------------------------------------------------

    def table_index(self, key: str) -> int:
        if key in self.functions:
            return self.functions[key]
        body = self.sim.program.bodies.get(key)
        if (body is not None and body.kind == "function") or (body is None and key in self.sim.design.symbols):
            return self.function_slot(key)
        return self.sim.code.slot(key)

    def function_slot(self, key: str) -> int:
        """Table slot of a plain function; until it is compiled a stub stands there."""
        slot = self.functions.get(key)
        if slot is None:
            slot = self.functions[key] = self.sim.code.reserve(key)
            self.pending.append(key)
        return slot

    def gang_slot(self, key: str) -> int | None:
        slot = self.gang_slots.get(key)
        if slot is None and key in self.gangs and suits(self.sim.program.bodies[key]):
            slot = self.gang_slots[key] = self.sim.code.reserve(f"{key} (gang)")
        return slot

    @property
    def pending(self) -> list[str]:
        return self.__dict__.setdefault("_pending", [])  # type: ignore[no-any-return]

    def frame_size(self, key: str) -> int:
        frame = self.sim.program.body(key).frame
        assert frame is not None
        return frame.size

    def const_image(self, data: bytes) -> int:
        at = self.images.get(data)
        if at is None:
            at = self.sim.kernel.call["k_alloc0"](len(data) + 16)
            if not at:
                raise CannotCompile("memory is exhausted")
            self.sim.memory.u8[at : at + len(data)] = data
            self.images[data] = at
        return at

    def sig_id(self, params: tuple[Ty, ...], results: tuple[Ty, ...]) -> int:
        return self.signatures.setdefault((tuple(params), tuple(results)), len(self.signatures) + 1)

    def kernel_type(self, name: str) -> Signature:
        return self.sim.kernel_signatures[name]

    def call_fault(self, site: Any) -> int:
        return self.sim.call_fault_site(site)

    def may_collect(self, key: str) -> bool:
        return self.sim.program.may_collect(key)

    # -- records of functions for indirect calls --------------------------------------------------------------------------------------------

    def resolve(self, site_id: int, ptr: int) -> int:
        """h.resolve: record of what an indirect call reaches that finds none; site_id is negative when the callee may suspend.

        Records are filled in here, so that functions nobody calls cost nothing. A pointer that is no function of the signature gives the
        record of one that returns zeros.
        """
        suspends = site_id >= 1 << 31
        program = self.sim.program
        site = program.call_sites[((1 << 32) - site_id if suspends else site_id) - 1]
        assert self.func_records is not None
        try:
            name = self.sim.env.target(ptr, site)
            if name is not None:
                index = program.function_number(name)
                if index < self.func_count:
                    at = self.func_records + index * RECORD_BYTES
                    self.write_record(name, at, suspends)
                    return at
            return self.null_record(site)
        except Unsupported as e:
            self.sim.record_unsupported(e)
            return 0

    def null_record(self, site: CallSite) -> int:
        """Record of a function with the signature of a site that does nothing and returns zeros."""
        key = (site.params, site.results)
        at = self.nulls.get(key)
        if at is None:
            program, memory = self.sim.program, self.sim.memory
            name = f"nothing {site.params} -> {site.results}"
            b = BodyBuilder(name, "function", site.results)
            b.set_block(b.new_block())
            for ty in site.params:
                b.param(ty)
            b.ret([b.zero(ty) for ty in site.results])
            program.bodies[name] = b.finish()
            self.functions[name] = self.sim.code.reserve(name)
            self.compile([name], "null")
            coroutine = program.null_coroutine(site)
            frame = program.body(coroutine).frame
            assert frame is not None
            at = self.nulls[key] = self.sim.kernel.call["k_alloc0"](RECORD_BYTES)
            for offset, value in ((REC_SIG, self.sig_id(*key)), (REC_FUNC, self.functions[name]), (REC_CORO, self.sim.code.slot(coroutine)), (REC_FRAME, frame.size)):
                memory.u32[(at + offset) >> 2] = value
        return at

    def write_record(self, name: str, at: int, suspends: bool) -> None:
        """Fill in the record of a function, or the part of it for its resumable form."""
        program, memory = self.sim.program, self.sim.memory
        params, results = program.signature(name)
        memory.u32[(at + REC_SIG) >> 2] = self.sig_id(params, results)
        if not suspends:
            memory.u32[(at + REC_FUNC) >> 2] = self.function_slot(name)
            if not self.patience and self.sim.options.hot_threshold <= 1 and name not in self.compiled and name not in self.failed:
                self.compile([name], "call")
            self.make_stubs()
            return
        key = program.coroutine_key(name)
        frame = program.body(key).frame
        assert frame is not None
        memory.u32[(at + REC_CORO) >> 2] = self.sim.code.slot(key)
        memory.u32[(at + REC_FRAME) >> 2] = frame.size

    # -- compiling -------------------------------------------------------------------------------------------------------------------------

    def closure(self, keys: Iterable[str]) -> list[Body]:
        """The bodies, and the functions and resumable callees they reach by direct calls, as far as the limit allows."""
        limit = 0 if self.patience else self.func_count if self.sim.options.fail_on_deopt else CLOSURE_LIMIT
        program = self.sim.program
        out: list[Body] = []
        seen: set[str] = set()
        work = list(keys)
        first = len(work)
        while work:
            key = work.pop(0)
            if key in seen or key in self.compiled or key in self.failed:
                continue
            if len(seen) >= first + limit:
                break
            seen.add(key)
            try:
                body = program.body(key)
            except Unsupported as e:
                self.failed[key] = e.message
                continue
            out.append(body)
            for b in body.blocks:
                for op in b.ops:
                    if op.code in ("call", "spawn"):
                        work.append(op.attr)
                if isinstance(b.term, CallS) and b.term.callee is not None:
                    work.append(b.term.callee)
        return out

    def compile(self, keys: Iterable[str], cause: str = "") -> set[str]:
        """Compile bodies (with what they reach) as one module and install them. Returns the keys that are compiled now; the others are in `failed`."""
        bodies = self.closure(keys)
        done: set[str] = set()
        while bodies:
            t0 = time.perf_counter_ns()
            try:
                emitted = emit_bodies(bodies, self)
            except CannotCompile as e:
                bodies = self.without_failing(bodies, str(e))
                continue
            self.install(bodies, emitted, t0, cause)
            done.update(b.key for b in bodies)
            break
        self.make_stubs()
        return done

    def without_failing(self, bodies: list[Body], message: str) -> list[Body]:
        """Find the bodies that cannot be compiled, by trying each alone."""
        good = []
        for body in bodies:
            try:
                emit_bodies([body], self)
                good.append(body)
            except CannotCompile as e:
                self.failed[body.key] = str(e)
        if len(good) == len(bodies):
            raise CannotCompile(message)
        return good

    def install(self, bodies: list[Body], emitted: Emitted, t0: int, cause: str) -> None:
        sim = self.sim
        wasm = emitted.module()
        for body in bodies:
            self.note_services(body)
        key = hashlib.sha256(b"design\0" + sim.engine.key + b"\0" + wasm).digest() if sim.options.cache_policy == "disk" and sim.cache is not None else b""
        module = self.cached(key)
        hit = module is not None
        large = module is None and len(wasm) >= LARGE_MODULE
        if module is None and large:
            module = self.cached(key + QUICK) if key else None
            hit = module is not None
        if module is None and large:
            native = quick_native(sim.engine.wasm_stack, emitted.module(shared=True))
            module = deserialize_module(sim.engine, native)
            if key and sim.cache is not None:
                sim.cache.put(key + QUICK, native)
        elif module is None:
            module = compile_module(sim.engine, wasm)
            if key and sim.cache is not None:
                sim.cache.put(key, module.serialize())
        self.instantiate(module)
        if large:
            self.background.add(Job([b.key for b in bodies], wasm, key))
        for body in bodies:
            self.compiled.add(body.key)
            sim.code.installed(body.key)
            if body.key in self.gang_slots:
                for head in self.gangs[body.key]:
                    sim.view.set_u32(head + descriptors.R_FN, self.gang_slots[body.key])
        dur = time.perf_counter_ns() - t0
        now = sim.view.u64(cb.CB_FS)
        wall = t0 - sim.started_ns
        self.modules.append(CodeModule(wasm, tuple(b.key for b in bodies), wall + dur, now, cause))
        kind = "cache_hit" if hit else "compile"
        named = [b for b in bodies if b.kind == "process"] or bodies
        sim.telemetry.event(TimelineEvent(kind, 0, "", 1, now, wall, dur, named[0].name, cause, len(bodies)))
        for body in named:
            sim.telemetry.event(TimelineEvent("install", 0, body.name, 1, now, wall + dur, 0, body.key))

    def cached(self, key: bytes) -> Module | None:
        """The module behind a key of the disk cache."""
        data = self.sim.cache.get(key) if key and self.sim.cache is not None else None
        if data is None:
            return None
        try:
            return deserialize_module(self.sim.engine, data)
        except WasmError:
            return None  # native code of another CPU: compiled again

    def instantiate(self, module: Module) -> None:
        """Make the module's functions those of the table."""
        for ns, name in module.imports:
            if ns == "k" and (ns, name) not in self.imports:
                self.imports[ns, name] = self.sim.kernel.instance.func(name)
        self.instances.append(Instance(self.sim.store, module, self.imports))

    # -- optimised code from the background ----------------------------------------------------------------------------------------------------

    @cached_property
    def background(self) -> Background:
        view = self.sim.view
        return Background(self.sim.engine.wasm_stack, lambda: view.set_u32(cb.CB_ATTENTION, 1))

    def swap(self) -> list[str]:
        """Between two time steps: optimised modules that are ready take the place of the quick ones. The keys of their bodies."""
        sim = self.sim
        swapped: list[str] = []
        if "background" not in self.__dict__:
            return swapped
        for job in self.background.finished():
            if not job.native:
                continue
            t0 = time.perf_counter_ns()
            self.instantiate(deserialize_module(sim.engine, job.native))
            if job.cache_key and sim.cache is not None:
                sim.cache.put(job.cache_key, job.native)
            names = [k for k in job.keys if k in sim.program.bodies]
            first = sim.program.bodies[names[0]].name if names else ""
            now, wall = sim.view.u64(cb.CB_FS), t0 - sim.started_ns
            sim.telemetry.event(TimelineEvent("tier", 0, "", 2, now, wall, job.dur_ns, first, "optimised in the background", len(job.keys)))
            swapped += job.keys
        return swapped

    def close(self) -> None:
        """The run is over."""
        if "background" in self.__dict__:
            self.background.close()

    # -- stubs -------------------------------------------------------------------------------------------------------------------------------

    def make_stubs(self) -> None:
        """Functions that were referred to but not compiled get a stub that has the host call them."""
        pending = [k for k in self.pending if k not in self.compiled]
        self.pending.clear()
        bodies = []
        for key in pending:
            params, results = self.sim.program.signature(key)
            if all(scalar(t) for t in (*params, *results)):
                types = [tuple(wasm_type(t) for t in ts) for ts in (params, results)]
                self.sim.table.set(self.functions[key], host_func(self.sim.store, types[0], types[1], self.direct_stub(key, len(results))))
                self.stubs += 1
                continue
            b = BodyBuilder(key, "function", results, f"stub {key}")
            b.set_block(b.new_block())
            args = [b.param(t) for t in params]
            service = self.sim.program.service("jit.call", (key, tuple(params), tuple(results)))
            b.ret(b.op("svc", tuple(results), args, service))
            bodies.append(b.finish())
        if bodies:
            wasm = compile_bodies(bodies, self)
            for body in bodies:
                self.note_services(body)
            module = compile_module(self.sim.engine, wasm)
            self.instances.append(Instance(self.sim.store, module, self.imports))
            self.stubs += len(bodies)

    def direct_stub(self, key: str, results: int) -> Callable[..., Any]:
        """A stub for a function of scalars. Its faults are recorded and end the run as a trap does."""
        call, sim = self.call_stub(key), self.sim

        def run(*args: Any) -> Any:
            try:
                out = call(*args)
            except SimFault as e:
                sim.record_fault(e.site, e.addr)
            except ServiceFault as e:
                sim.record_message_fault(e.message, e.addr)
            except Unsupported as e:
                sim.record_unsupported(e)
            else:
                return out[0] if results == 1 else out
            raise WasmTrap(f"fault in {key}", None, [])

        return run

    def call_stub(self, key: str) -> Callable[..., tuple[Any, ...]]:
        """First calls of a function that is not compiled yet: it is interpreted this time and compiled for the next."""

        def run(*args: Any) -> tuple[Any, ...]:
            if not self.called(key) and key in self.failed:
                self.on_failed(key, self.failed[key])
            return self.sim.env.function(key)(*args)

        return run

    def called(self, key: str) -> bool:
        """Count a call of a function or a resumable body that is not compiled; compile it when it is hot. Whether it is compiled now."""
        n = self.calls[key] = self.calls.get(key, 0) + 1
        if key in self.compiled:
            return True
        if key in self.failed or n < max(1, self.sim.options.hot_threshold, self.patience):
            return False
        self.compile([key, *self.warm(key)], "call")
        return key in self.compiled

    def warm(self, key: str) -> list[str]:
        """What is about to become hot: modules of one function each would cost more than they are worth."""
        if not self.patience:
            return []
        return [k for k, n in self.calls.items() if n >= self.patience // 2 and k != key and k not in self.compiled and k not in self.failed]

    def promoting(self, key: str, interpreted: Callable[..., tuple[Any, ...]]) -> Callable[..., tuple[Any, ...]]:
        """A function as interpreted code calls it: interpreted at first, compiled once it is hot (functions of scalars)."""
        params, results = self.sim.program.signature(key) if key in self.sim.design.symbols else ((), ())
        if not self.patience or key not in self.sim.design.symbols or not all(scalar(t) for t in (*params, *results)):
            return interpreted

        def run(*args: Any) -> tuple[Any, ...]:
            if self.called(key):
                func = self.sim.table.get(self.function_slot(key))
                assert func is not None
                raw = raw_call(func)
                native = raw if len(results) > 1 else (lambda *a: (raw(*a),)) if results else (lambda *a: raw(*a) or ())
                self.sim.env.replace(key, native)
                return native(*args)
            return interpreted(*args)

        return run

    # -- host side of compiled code ------------------------------------------------------------------------------------------------------------

    def note_services(self, body: Body) -> None:
        for b in body.blocks:
            for op in b.ops:
                if op.code == "svc":
                    self.service_types[op.attr.id] = (op.attr, tuple(a.ty for a in op.args), tuple(d.ty for d in op.dsts))

    def service(self, site: int, buf: int) -> int:
        """h.svc: 0, or 1 when the service faulted (the fault is recorded)."""
        handler = self.handlers.get(site)
        sim = self.sim
        try:
            if handler is None:
                handler = self.handlers[site] = self.marshal(site)
            handler(buf)
        except SimFault as e:
            sim.record_fault(e.site, e.addr)
            return 1
        except ServiceFault as e:
            sim.record_message_fault(e.message, e.addr)
            return 1
        except Unsupported as e:
            sim.record_unsupported(e)
            return 1
        return 0

    def marshal(self, site: int) -> Callable[[int], None]:
        """Reads the leaves of a call site from its buffer, calls, writes the results back."""
        service, params, results = self.service_types[site]
        fn = self.call_stub(service.data[0]) if service.name == "jit.call" else self.sim.services.callable(service)
        return handler(fn, params, results, self.sim.memory)

    def fault(self, site: int, addr: int) -> None:
        """h.fault: the code traps right after."""
        self.sim.record_fault(site if site < 0x80000000 else -1, addr)

    def fmath(self, which: int, a: float, b: float) -> float:
        name = FMATH_NAMES[which]
        return float(FMATH[name](a, b) if name in _TWO_ARGUMENTS else FMATH[name](a))

    def exported(self, key: str) -> Func | None:
        """Compiled function behind a body's slot."""
        return self.sim.table.get(self.table_index(key)) if key in self.compiled else None

    def native(self, key: str) -> Callable[..., Any] | None:
        func = self.exported(key)
        return raw_call(func) if func is not None else None


def scalar(t: Ty) -> bool:
    """Whether values of a type are one number on both sides of the border."""
    return t.kind == "f" or (t.kind == "i" and t.size <= 64)


def wasm_type(t: Ty) -> str:
    if t.kind == "f":
        return "f64" if t.size == 64 else "f32"
    return "i32" if t.size <= 32 else "i64"
