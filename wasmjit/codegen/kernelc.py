"""The kernel compiler: restricted Python (see `wasmjit.sched.intrinsics`) to one wasm module.

    image = compile_kernel([wheel, drives, loop])
    module = compile_module(engine, image.wasm)

The module imports `env.memory`, `env.table`, `env.sp` and the reached host functions under `h`, and exports every `@export` function of the given modules. Functions of
other modules that these call are compiled in without being exported. A typical kernel of 100 functions takes about 0.1 s to compile; `load_kernel` keeps the result.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from wasmjit.data import dataclass

if TYPE_CHECKING:
    from wasmjit.runtime.cache import Cache
    from wasmjit.runtime.engine import Engine, Module

Signature = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class KernelImage:
    """A compiled kernel. `exports` and `host_imports`: name -> (parameter types, result types), each 'i32', 'i64' or 'f64'."""

    wasm: bytes
    exports: dict[str, Signature]
    host_imports: dict[str, Signature]


def exported_functions(modules: Iterable[ModuleType]) -> dict[str, Callable[..., Any]]:
    """The @export functions defined in the modules, by name, in the order of the modules and of their definition."""
    out: dict[str, Callable[..., Any]] = {}
    for m in modules:
        for fn in vars(m).values():
            own = isinstance(fn, FunctionType) and fn.__module__ == m.__name__ and hasattr(fn, "__kernel_export__")
            if own and out.setdefault(fn.__name__, fn) is not fn:
                raise ValueError(f"{fn.__name__} is exported by {out[fn.__name__].__module__} and by {m.__name__}")
    return out


def compile_functions(functions: Mapping[str, Callable[..., Any]], *, names: bool = True) -> KernelImage:
    """Compile functions (and all that they call) under the given export names. Raises KernelError with file and line."""
    from wasmjit.codegen.kernel_module import KernelBuilder, signature  # only here: a start from the cache does without the compiler
    from wasmjit.codegen.kernel_source import source

    builder = KernelBuilder(functions.values())
    for name, fn in functions.items():
        builder.module.export_func(name, builder.index[fn])
    data = builder.finish(names)
    return KernelImage(data, {n: signature(source(f)) for n, f in functions.items()}, builder.host)


def compile_kernel(modules: list[ModuleType], *, names: bool = True) -> KernelImage:
    """Compile the @export functions of kernel modules. `names`: with a name section (wasm backtraces then show function names)."""
    return compile_functions(exported_functions(modules), names=names)


# ---- cache -------------------------------------------------------------------------------------------------------------------


def source_modules(modules: Iterable[ModuleType]) -> list[ModuleType]:
    """The modules and every module of this package whose functions or constants they see, by name."""
    todo, seen = list(modules), set()
    while todo:
        m = todo.pop()
        if m.__name__ in seen:
            continue
        seen.add(m.__name__)
        for value in vars(m).values():
            owner = value if isinstance(value, ModuleType) else _module_of(value)
            if owner is not None and owner.__name__.partition(".")[0] == m.__name__.partition(".")[0]:
                todo.append(owner)
    return [sys.modules[name] for name in sorted(seen)]


def compiler_files() -> list[Path]:
    """The sources of this compiler."""
    return [Path(__file__).with_name(part + ".py") for part in ("kernelc", "kernel_module", "kernel_lower", "kernel_expr", "kernel_source", "wasm")]


def source_files(modules: Iterable[ModuleType]) -> list[Path]:
    """All files that the compiled kernel depends on. Constants that come from elsewhere than these modules' functions and modules are theirs by import."""
    named = source_modules(modules)
    constants = {sys.modules[n] for m in named for n in _imported_names(m)}
    return [Path(str(m.__file__)) for m in {*named, *constants}] + compiler_files()


def _imported_names(module: ModuleType) -> list[str]:
    """Modules of the same package that a module's source imports from."""
    import ast

    tree = ast.parse(Path(str(module.__file__)).read_bytes())
    package = module.__name__.partition(".")[0]
    found = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module and not n.level]
    found += [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    return [n for n in found if n.partition(".")[0] == package and n in sys.modules]


def source_key(modules: Iterable[ModuleType]) -> bytes:
    """Hash of what the compiled kernel depends on: the sources of the modules and of every module of this package whose functions or constants they see, and of the compiler."""
    digest = hashlib.sha256(b"kernel 1")
    for m in source_modules(modules):
        digest.update(m.__name__.encode() + b"\0" + Path(str(m.__file__)).read_bytes())
        for key, value in sorted(vars(m).items()):
            if key.isupper() and isinstance(value, (int, float)):
                digest.update(f"{key}={value!r}\n".encode())
    for part in compiler_files():
        digest.update(part.read_bytes())
    return digest.digest()


def _module_of(value: Any) -> ModuleType | None:
    return sys.modules.get(value.__module__) if isinstance(value, FunctionType) else None


def load_kernel(engine: Engine, modules: list[ModuleType], cache: Cache | None) -> tuple[Module, KernelImage]:
    """The kernel ready to be instantiated, from the cache when it holds it (about 2 ms), else compiled and stored there."""
    from wasmjit.runtime.engine import compile_module, deserialize_module  # only here: the compiler itself runs without wasmtime
    from wasmjit.runtime.raw import WasmError

    key = b"kernel\0" + source_key(modules) + b"\0" + engine.key
    found = cache.get(key) if cache is not None else None
    if found is not None:
        try:
            head, _, rest = found.partition(b"\n")
            meta = json.loads(head)
            image = KernelImage(rest[: meta["wasm"]], _unjson(meta["exports"]), _unjson(meta["host"]))
            return deserialize_module(engine, rest[meta["wasm"] :]), image
        except WasmError:
            pass  # native code of another CPU: compiled again below
    image = compile_kernel(modules)
    module = compile_module(engine, image.wasm)
    if cache is not None:
        head = json.dumps({"wasm": len(image.wasm), "exports": image.exports, "host": image.host_imports}).encode()
        cache.put(key, head + b"\n" + image.wasm + module.serialize())
    return module, image


def _unjson(table: dict[str, Any]) -> dict[str, Signature]:
    return {name: (tuple(p), tuple(r)) for name, (p, r) in table.items()}

__all__ = ["KernelImage", "compile_functions", "compile_kernel", "exported_functions", "load_kernel", "source_key"]
