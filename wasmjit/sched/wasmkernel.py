"""The kernel as wasm: instantiated over the memory, table and stack pointer of a run.

    k = WasmKernel(store, memory, table, sp, host={"deopt": f}, cache=cache)
    table.set(5, code.func("p5"))
    k.call["k_init"](); reason = k.call["k_run"](NEVER, 10**9)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from wasmjit.codegen.kernelc import KernelImage, load_kernel
from wasmjit.runtime.cache import Cache
from wasmjit.runtime.engine import Engine, Instance, Module, Store
from wasmjit.runtime.memory import Global, LinearMemory, Table
from wasmjit.runtime.raw import host_func
from wasmjit.sched.library.faults import lib_fault


class WasmKernel:
    """An instance of the kernel module. `call` maps every exported name to a raw call (about 1 µs)."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        memory: LinearMemory,
        table: Table,
        sp: Global,
        host: Mapping[str, Callable[..., Any]] | None = None,
        cache: Cache | None = None,
        extra: tuple[ModuleType, ...] = (),
        loaded: tuple[Module, KernelImage] | None = None,
    ) -> None:
        """extra: further restricted-Python modules compiled into the same wasm module (test bodies). `loaded`: the result of `kernelimage.load` instead."""
        if loaded is None:
            from wasmjit.sched.kernel import MODULES
            from wasmjit.sched.library import LIBRARY

            loaded = load_kernel(engine, [*MODULES, *LIBRARY, *extra], cache)
        module, self.image = loaded
        functions: dict[str, Callable[..., Any]] = {"drain": lambda: None, "net_change": lambda net: None, "deopt": lambda proc: 3, "lib_fault": lib_fault, "lib_warn": lambda code: None, "gc_roots": lambda: None, "gc_dead": lambda: None, **(host or {})}
        imports: dict[tuple[str, str], Any] = {("env", "memory"): memory, ("env", "table"): table, ("env", "sp"): sp}
        for name, (params, results) in self.image.host_imports.items():
            imports["h", name] = host_func(store, params, results, functions[name])
        self.memory = memory
        self.table = table
        self.instance = Instance(store, module, imports)
        self.call: dict[str, Callable[..., Any]] = {name: self.instance.call(name) for name in self.image.exports}
