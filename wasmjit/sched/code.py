"""Code of bodies: one function-table slot per process, coroutine and region body, whichever tier is behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wasmjit.interp.compiler import lazy
from wasmjit.interp.env import SimFault
from wasmjit.runtime.raw import Func, host_func, raw_call
from wasmjit.runtime.services import SimFault as ServiceFault
from wasmjit.sem.lower.core import Unsupported
from wasmjit.sem.mir import STATUS_DEOPT, STATUS_FAULT, Body

if TYPE_CHECKING:
    from wasmjit.sched.simulation import Simulation

FIRST_SLOT = 1


class Code:
    """Slots in the function table. What is not compiled when the run begins starts with a host function that interprets the body."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.slots: dict[str, int] = {}
        self.keys: list[str] = [""] * FIRST_SLOT
        self.python: list[Callable[..., Any] | None] = [None] * FIRST_SLOT
        self.trampolines: dict[str, Func] = {}
        self.native: dict[int, Callable[..., Any]] = {}
        self.entries: dict[int, Callable[..., Any]] = {}
        self.compiled: set[int] = set()
        self.optimised: set[int] = set()
        """Slots of `compiled` whose code was made again with optimisation beside the run."""
        self.on_deopt: Callable[[str, int], None] = lambda key, frame: None
        self.on_install: Callable[[str], None] = lambda key: None
        self.enter: Callable[[str, Callable[..., Any]], Callable[..., Any]] = lambda key, run: run
        self.on_new: Callable[[str], None] | None = None
        self.running = False
        """Before the run slots are empty: most of a design that is compiled at its start never need an interpreter."""

    def slot(self, key: str) -> int:
        """Table index of a body; makes one on first use."""
        got = self.slots.get(key)
        if got is None:
            got = self.slots[key] = len(self.keys)
            self.keys.append(key)
            self.python.append(None)
            table = self.sim.table
            if got >= len(table):
                table.grow(max(1024, len(table)))
            if self.running:
                self.install_interpreter(key)
            if self.on_new is not None:
                self.on_new(key)
        return got

    def start(self) -> None:
        """The run begins: every slot that has no compiled code gets its interpreter."""
        self.running = True
        for key, index in list(self.slots.items()):
            if index not in self.compiled:
                self.install_interpreter(key)

    def reserve(self, key: str) -> int:
        """A table slot for a plain function of compiled code."""
        index = len(self.keys)
        self.keys.append(key)
        self.python.append(None)
        if index >= len(self.sim.table):
            self.sim.table.grow(max(1024, len(self.sim.table)))
        return index

    def installed(self, key: str) -> None:
        """Compiled code stands in the slot of a body now."""
        index = self.slots.get(key)
        if index is not None:
            self.native.pop(index, None)
            self.compiled.add(index)
            self.on_install(key)

    def tier(self, index: int) -> int:
        """Tier of the code in a slot: 0 interpreter, 1 compiled, 2 optimised."""
        return 0 if index not in self.compiled else 2 if index in self.optimised else 1

    def interpreted(self, key: str) -> Callable[..., Any]:
        """The body as a Python function with the code ABI; its faults are recorded, not raised."""
        index = self.slots[key]
        fn = self.python[index]
        if fn is None:
            fn = self.python[index] = self.guarded(key)
        return fn

    def guarded(self, key: str) -> Callable[..., Any]:
        sim = self.sim
        inner: list[Callable[..., Any]] = []

        def run(*args: int) -> Any:
            try:
                if not inner:
                    inner.append(lazy(sim.program.body(key), sim.env, sim.options.count_operations, lambda fn: inner.__setitem__(0, fn)))
                return inner[0](*args)
            except SimFault as e:
                sim.record_fault(e.site, e.addr)
            except ServiceFault as e:
                sim.record_message_fault(e.message, e.addr)
            except Unsupported as e:
                sim.record_unsupported(e)
            except RecursionError:
                sim.record_message_fault("call depth limit exceeded (recursion too deep)", 0)
            return STATUS_FAULT

        return run

    def install_interpreter(self, key: str) -> None:
        """Put the interpreter trampoline of a body into its slot."""
        index = self.slots[key]
        func = self.trampolines.get(key)
        if func is None:
            region = self.sim.is_region(key)
            run = self.enter(key, self.interpreted(key))
            if region:

                def call(ctx: int) -> None:
                    if run(ctx) == STATUS_FAULT:
                        self.sim.stop_after_region_fault()

                func = host_func(self.sim.store, ("i32",), (), call)
            else:
                func = host_func(self.sim.store, ("i32", "i32"), ("i32",), run)
            self.trampolines[key] = func
        self.sim.table.set(index, func)
        self.native.pop(index, None)
        self.compiled.discard(index)

    def call(self, index: int, ctx: int, frame: int) -> int:
        """Run a suspending body on its frame from interpreted code."""
        if index in self.compiled:
            fn = self.native.get(index)
            if fn is None:
                func = self.sim.table.get(index)
                assert func is not None
                fn = self.native[index] = raw_call(func)
            status = int(fn(ctx, frame))
            if status != STATUS_DEOPT:
                return status
            self.on_deopt(self.keys[index], frame)
            run = self.python[index] or self.interpreted(self.keys[index])
            return int(run(ctx, frame))
        counted = self.entries.get(index)
        if counted is None:
            key = self.keys[index]
            counted = self.entries[index] = self.enter(key, self.interpreted(key))
        return int(counted(ctx, frame))

    def body(self, index: int) -> Body:
        return self.sim.program.body(self.keys[index])
