"""The interpreter's environment over the memory and kernel of a run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from wasmjit.interp.compiler import lazy
from wasmjit.interp.env import Env, SimFault
from wasmjit.sem.fold import zero_leaf
from wasmjit.sem.mir import FUNC_PTR_BASE, CallSite, Service

if TYPE_CHECKING:
    from wasmjit.sched.simulation import Simulation

SCRATCH_BYTES = 1 << 20


class InterpEnv(Env):
    """Callables for interpreted bodies: functions and coroutines by key, services by site."""

    def __init__(self, sim: Simulation, guest_lo: int) -> None:
        self.sim = sim
        self.count = sim.options.count_operations
        super().__init__(sim.kernel.call, guest_lo)
        memory = sim.memory
        self.u8, self.u16, self.u32, self.u64, self.f64 = memory.u8, memory.u16, memory.u32, memory.u64, memory.f64
        self.f32 = memory.u8.cast("f")
        self.ns.update(m8=self.u8, m16=self.u16, m32=self.u32, m64=self.u64, mf32=self.f32, mf64=self.f64, MEND=memory.size())
        self._functions: dict[str, Callable[..., Any]] = {}
        self._coroutines: dict[tuple[int, int], tuple[str, tuple[int, int]]] = {}
        """Suspending functions behind pointers: name and callee by pointer and call site."""
        self._pointers: dict[tuple[int, int], Callable[..., Any]] = {}
        self._scratch = 0
        self._scratch_size = 0

    def mem_size(self) -> int:
        return self.sim.memory.size()

    def read(self, addr: int, n: int) -> bytes:
        return self.sim.memory.read(addr, n)

    def fault(self, site: int, addr: int) -> NoReturn:
        """Linear memory may have grown since the bound was last read: then the access is good after all."""
        size = self.sim.memory.size()
        if self.guest_lo <= addr and size > self.ns["MEND"]:
            self.ns["MEND"] = size
            if addr <= size - 8:
                return  # type: ignore[misc]  # generated code goes on with the access
        raise SimFault(site, addr)

    # -- functions -------------------------------------------------------------------------------------------------------------------

    def function(self, key: str) -> Callable[..., tuple[Any, ...]]:
        fn = self._functions.get(key)
        if fn is None:
            program = self.sim.program

            def first(*args: Any) -> Any:
                governor = self.sim.governor
                compiled = lazy(program.body(key), self, self.count, None if governor is not None else lambda fn: self.replace(key, fn))
                self.replace(key, compiled if governor is None else governor.jit.promoting(key, compiled))
                return self._functions[key](*args)

            fn = self._functions[key] = first
        return fn

    def replace(self, key: str, fn: Callable[..., tuple[Any, ...]]) -> None:
        """Calls of a function body from interpreted code reach `fn` from here on."""
        self._functions[key] = fn
        self.bind_function(key, fn)

    def target(self, ptr: int, site: CallSite) -> str | None:
        """Function behind a pointer; else the method of the object's static class; else None, and the call returns zeros."""
        index = (ptr & 0xFFFFFFFF) - FUNC_PTR_BASE
        program = self.sim.program
        name = program.functions[index] if 0 <= index < len(program.functions) else None
        if name is None or name not in program.design.symbols or program.signature(name) != (site.params, site.results):
            self.sim.bad_call(site, ptr, name)
            return site.fallback or None
        self.sim.note_call(site, name)
        return name

    def function_by_pointer(self, ptr: int, site: CallSite) -> Callable[..., tuple[Any, ...]]:
        name = self.target(ptr, site)
        if name is None:
            zeros = tuple(zero_leaf(ty) for ty in site.results)
            return lambda *_: zeros
        return self.function(name)

    def coroutine_by_pointer(self, ptr: int, site: CallSite) -> tuple[int, int]:
        known = self._coroutines.get((ptr, site.id))
        if known is not None:
            self.sim.note_call(site, known[0])
            return known[1]
        program = self.sim.program
        name = self.target(ptr, site)
        if name is None:
            return self.callee(program.null_coroutine(site))
        callee = self.callee(program.coroutine_key(name))
        index = (ptr & 0xFFFFFFFF) - FUNC_PTR_BASE
        if 0 <= index < len(program.functions) and program.functions[index] == name:
            self._coroutines[ptr, site.id] = name, callee
        return callee

    def fn_index(self, key: str) -> int:
        return self.sim.code.slot(key)

    def frame_size(self, key: str) -> int:
        frame = self.sim.program.body(key).frame
        assert frame is not None
        return frame.size

    def call_frame(self, fn_index: int, ctx: int, frame: int) -> int:
        return self.sim.code.call(fn_index, ctx, frame)

    def service(self, service: Service) -> Callable[..., tuple[Any, ...]]:
        return self.sim.services.callable(service)

    # -- shadow stack ------------------------------------------------------------------------------------------------------------------

    def stack_mark(self) -> int:
        return self.sim.sp.get()

    def stack_alloc(self, n: int, align: int) -> int:
        sp = (self.sim.sp.get() - n) & -max(align, 16)
        if sp < self.sim.stack_low:
            raise SimFault(-1, sp & 0xFFFFFFFF)
        self.sim.sp.set(sp)
        self.u8[sp : sp + n] = bytes(n)
        return sp

    def stack_release(self, mark: int) -> None:
        self.sim.sp.set(mark)

    def scratch(self, n: int) -> int:
        if n > self._scratch_size:
            size = max(n, 4096)
            addr = self.kernel["k_alloc"](size)
            if not addr:
                raise SimFault(-1, 0)
            self._scratch, self._scratch_size = addr, size
        return self._scratch


def deepen_recursion() -> None:
    """Guest recursion in the interpreter uses Python frames; the run's thread has the stack for it."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 60000))
