"""wasmtime engines, stores, modules and instances, set up the way a simulation needs them.

Measured here (2 shared x86-64 cores, Python 3.11, wasmtime 50.0.1): `import wasmtime` 28 ms, an engine 0.3 ms, a store with a memory 0.1 ms,
deserialising the kernel (110 KB) 0.1 ms, instantiating a small module 3 µs, `Instance.func` 1.3 µs by name, `raw_call` 8 µs to make (once per function).

Features beyond wasmtime's Tier 1 (GC, exceptions, threads, stack switching, wide arithmetic, ...) are switched off: only Tier-1 bugs are treated as security
bugs (wasmtime: stability-wasm-proposals).
"""

from __future__ import annotations

import _thread
import ctypes
import os
import sys
import threading
from collections.abc import Callable, Mapping
from ctypes import POINTER, byref, c_char_p, c_size_t, c_void_p
from typing import Any, Protocol, TypeVar

import wasmtime
from wasmtime import _bindings as wb
from wasmtime import _ffi as ffi

from wasmjit.runtime.raw import Func, WasmError, check_error, lib, raise_failure, raw_call

T = TypeVar("T")

GIB4 = 1 << 32
DEFAULT_WASM_STACK = 2 << 20
"""Fits every thread (main thread and ctypes threads usually have 8 MiB) with room for Python frames above it."""
_STACK_MARGIN = 16 << 20


class Extern(Protocol):
    """Anything that can be imported: Func, LinearMemory, Table, Global."""

    def extern(self) -> Any: ...


class Engine:
    """A wasmtime engine.

    opt_level: 'speed' or 'none' (Cranelift; 'none' also uses the single-pass register allocator). epoch: code polls the epoch (1-27 % slower); then give every store a
    deadline. fuel: deterministic limit (`Store.set_fuel`). wasm_stack: bytes of native stack wasm code may use; more than `DEFAULT_WASM_STACK` must only be used with calls
    made inside `with_stack`, or the process can die on the guard page. parallel: compile on several threads. reservation: bytes of address space per memory; it counts
    against RLIMIT_AS. debug_verifier is for tests of the code generators.
    """

    def __init__(
        self,
        opt_level: str = "speed",
        epoch: bool = False,
        *,
        fuel: bool = False,
        wasm_stack: int = DEFAULT_WASM_STACK,
        parallel: bool = True,
        reservation: int = GIB4,
        perfmap: bool = False,
        debug_verifier: bool = False,
    ) -> None:
        if opt_level not in ("speed", "none"):
            raise ValueError(f"opt_level is 'speed' or 'none', not {opt_level!r}")
        c = wasmtime.Config()
        p = c.ptr()
        c.cranelift_opt_level = opt_level
        if opt_level == "none":
            # 1 = single pass (regalloc.h numbers from 0; the enum in wasmtime-py's bindings counts from 1)
            wb.wasmtime_config_cranelift_regalloc_algorithm_set(p, 1)
        c.wasm_exceptions = False
        c.wasm_gc = False
        c.gc_support = False
        c.wasm_function_references = False
        c.wasm_stack_switching = False
        c.wasm_threads = False
        c.wasm_wide_arithmetic = False
        c.wasm_custom_page_sizes = False
        wb.wasmtime_config_concurrency_support_set(p, False)
        c.epoch_interruption = epoch
        c.consume_fuel = fuel
        c.max_wasm_stack = wasm_stack
        # async_stack_size (default 2 MiB) has to be larger than max_wasm_stack even though async calls are not used
        wb.wasmtime_config_async_stack_size_set(p, wasm_stack + (1 << 20))
        c.parallel_compilation = parallel
        c.memory_reservation = reservation
        c.memory_guard_size = 32 << 20
        c.memory_may_move = False
        c.cranelift_debug_verifier = debug_verifier
        if perfmap:
            c.profiler = "perfmap"
        self.opt_level = opt_level
        self.wasm_stack = wasm_stack
        self.key = f"wasmtime {library_id()} {sys.platform} {opt_level} {epoch} {fuel} {wasm_stack} {reservation} {perfmap}".encode()
        """What compiled code depends on besides the wasm bytes: for cache keys. wasmtime itself checks the CPU features when it deserialises."""
        self.raw = wb.wasm_engine_new_with_config(c._consume())

    def __del__(self, delete: Any = lib.wasm_engine_delete, exiting: Any = sys.is_finalizing) -> None:
        if not exiting() and hasattr(self, "raw"):
            delete(self.raw)

    def increment_epoch(self) -> None:
        """Advance the epoch; may be called from any thread."""
        wb.wasmtime_engine_increment_epoch(self.raw)

    def store(self) -> Store:
        return Store(self)


def library_id() -> str:
    """Identity of the wasmtime shared library: size and time of the file (asking the package metadata would cost 10 ms of imports)."""
    st = os.stat(ffi.dll._name)
    return f"{st.st_size}-{st.st_mtime_ns}"


class Store:
    """A wasmtime store: everything of one run lives in it. It is freed with the last object that refers to it; throw it away after a trap."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.raw = wb.wasmtime_store_new(engine.raw, None, ctypes.CFUNCTYPE(None, c_void_p)())
        self.context = wb.wasmtime_store_context(self.raw)
        self.p_ctx = c_void_p(ctypes.cast(self.context, c_void_p).value)
        self.trap = (c_size_t * 1)()
        self.p_trap = c_void_p(ctypes.addressof(self.trap))
        self.pending: BaseException | None = None
        self.keep: list[Any] = []

    def __del__(self, delete: Any = lib.wasmtime_store_delete, exiting: Any = sys.is_finalizing) -> None:
        if not exiting() and hasattr(self, "raw"):
            delete(self.raw)

    def set_fuel(self, fuel: int) -> None:
        """Fuel for the engine's `fuel=True`; a store starts with none. Used up: trap 'out_of_fuel'."""
        check_error(_address(wb.wasmtime_context_set_fuel(self.context, fuel)))

    def get_fuel(self) -> int:
        fuel = ctypes.c_uint64()
        check_error(_address(wb.wasmtime_context_get_fuel(self.context, byref(fuel))))
        return fuel.value

    def set_epoch_deadline(self, ticks: int) -> None:
        """Trap 'interrupt' after that many `increment_epoch` from now; needs the engine's `epoch=True`."""
        wb.wasmtime_context_set_epoch_deadline(self.context, ticks)

    def set_limits(self, memory_size: int = -1, table_elements: int = -1, instances: int = -1) -> None:
        """Upper bounds in bytes, elements, instances; -1: wasmtime's default."""
        wb.wasmtime_store_limiter(self.raw, memory_size, table_elements, instances, -1, -1)


class Module:
    """Compiled code. `imports`: (module, name) pairs in order."""

    def __init__(self, engine: Engine, raw: Any) -> None:
        self.engine = engine
        self.raw = raw
        self.imports = self._imports()

    def __del__(self, delete: Any = lib.wasmtime_module_delete, exiting: Any = sys.is_finalizing) -> None:
        if not exiting():  # at exit the operating system is faster, and ctypes is half gone
            delete(self.raw)

    def _imports(self) -> list[tuple[str, str]]:
        vec = wb.wasm_importtype_vec_t()
        wb.wasmtime_module_imports(self.raw, byref(vec))
        out = [(_text(wb.wasm_importtype_module(vec.data[i])), _text(wb.wasm_importtype_name(vec.data[i]))) for i in range(vec.size)]
        wb.wasm_importtype_vec_delete(byref(vec))
        return out

    def exports(self) -> list[str]:
        """Names of all exports in order (2 µs each; for one export use `Instance.func`)."""
        vec = wb.wasm_exporttype_vec_t()
        wb.wasmtime_module_exports(self.raw, byref(vec))
        out = [_text(wb.wasm_exporttype_name(vec.data[i])) for i in range(vec.size)]
        wb.wasm_exporttype_vec_delete(byref(vec))
        return out

    def serialize(self) -> bytes:
        """Native code for `deserialize_module`."""
        vec = wb.wasm_byte_vec_t()
        check_error(_address(wb.wasmtime_module_serialize(self.raw, byref(vec))))
        data = ctypes.string_at(vec.data, vec.size)
        wb.wasm_byte_vec_delete(byref(vec))
        return data


def _text(name: Any) -> str:
    return ctypes.string_at(name.contents.data, name.contents.size).decode()


def _address(ptr: Any) -> int | None:
    return ctypes.cast(ptr, c_void_p).value


def _module(engine: Engine, data: bytes, make: Callable[..., Any]) -> Module:
    out = POINTER(wb.wasmtime_module_t)()
    buf = ctypes.cast(c_char_p(bytes(data)), POINTER(ctypes.c_uint8))
    check_error(_address(make(engine.raw, buf, len(data), byref(out))))
    return Module(engine, out)


def compile_module(engine: Engine, wasm: bytes) -> Module:
    """Compile a binary module. Raises WasmError with wasmtime's message when it does not validate."""
    return _module(engine, wasm, wb.wasmtime_module_new)


def deserialize_module(engine: Engine, data: bytes) -> Module:
    """The module of `Module.serialize`. Raises WasmError when it comes from another wasmtime, configuration or CPU.

    Hostile bytes are arbitrary native code: only give it bytes whose HMAC was checked (`wasmjit.runtime.cache`).
    """
    return _module(engine, data, wb.wasmtime_module_deserialize)


def validate(engine: Engine, wasm: bytes) -> None:
    """Raises WasmError when the bytes are no valid module under this engine's features."""
    buf = ctypes.cast(c_char_p(bytes(wasm)), POINTER(ctypes.c_uint8))
    check_error(_address(wb.wasmtime_module_validate(engine.raw, buf, len(wasm))))


class Instance:
    """An instance of a module in a store. Imports are given by (module, name); missing ones raise WasmError with their names."""

    def __init__(self, store: Store, module: Module, imports: Mapping[tuple[str, str], Extern]) -> None:
        missing = [f"{m}.{n}" for m, n in module.imports if (m, n) not in imports]
        if missing:
            raise WasmError(f"imports are missing: {', '.join(missing)}")
        self.store = store
        self.module = module
        externs = (wb.wasmtime_extern_t * len(module.imports))(*(imports[key].extern() for key in module.imports))
        self.raw = wb.wasmtime_instance_t()
        error = lib.wasmtime_instance_new(store.p_ctx, module.raw, externs, c_size_t(len(externs)), byref(self.raw), store.p_trap)
        if store.trap[0]:
            raise_failure(store, error)
        check_error(error)
        self._calls: dict[str, Callable[..., Any]] = {}

    def export(self, name: str) -> Any:
        """The raw `wasmtime_extern_t` of an export; KeyError if there is none."""
        data = name.encode()
        item = wb.wasmtime_extern_t()
        if not lib.wasmtime_instance_export_get(self.store.p_ctx, byref(self.raw), c_char_p(data), c_size_t(len(data)), byref(item)):
            raise KeyError(f"the module has no export {name!r}")
        return item

    def func(self, name: str) -> Func:
        """An exported function; KeyError if there is none."""
        item = self.export(name)
        if item.kind != 0:
            raise KeyError(f"export {name!r} is no function")
        raw = wb.wasmtime_func_t.from_buffer_copy(item.of.func)
        return Func(self.store, raw)

    def call(self, name: str) -> Callable[..., Any]:
        """`raw_call` of an exported function, made once per name."""
        fn = self._calls.get(name)
        if fn is None:
            fn = self._calls[name] = raw_call(self.func(name))
        return fn

    def funcs(self, module: str, names: list[str]) -> dict[tuple[str, str], Extern]:
        """Exports as imports for another module: {(module, name): Func}."""
        return {(module, n): self.func(n) for n in names}


def with_stack(engine: Engine, fn: Callable[..., T], *args: Any, on_interrupt: Callable[[], None] | None = None) -> T:
    """Run `fn(*args)` on a thread whose native stack holds the engine's `wasm_stack` and Python frames above it; its result or exception.

    The calling thread waits. On Ctrl-C it calls `on_interrupt` (which asks the wasm code to stop, through a word in its memory), waits for the end and raises
    KeyboardInterrupt; without `on_interrupt`, and at the second Ctrl-C, it does not wait. Costs about 0.1 ms: enclose a whole run, not a call.
    """
    result: list[T] = []
    failure: list[BaseException] = []
    interrupted: KeyboardInterrupt | None = None
    # Not threading.Thread: an interrupted join() takes the thread for ended (Python 3.11, bpo-45274)
    go, finished = _thread.allocate_lock(), _thread.allocate_lock()
    go.acquire()
    finished.acquire()

    def body() -> None:
        go.acquire()
        try:
            result.append(fn(*args))
        except BaseException as e:  # noqa: BLE001  (raised again in the calling thread)
            failure.append(e)
        finally:
            finished.release()

    old = threading.stack_size(engine.wasm_stack + _STACK_MARGIN)
    try:
        _thread.start_new_thread(body, ())
    finally:
        threading.stack_size(old)
    running = True
    while running:
        try:
            if go.locked():
                go.release()
            running = not finished.acquire(timeout=0.2)
        except KeyboardInterrupt as e:
            if on_interrupt is None or interrupted is not None:
                raise
            interrupted = e
            on_interrupt()
    if failure:
        raise failure[0]
    if interrupted is not None:
        raise interrupted
    return result[0]
