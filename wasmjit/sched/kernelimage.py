"""Modules compiled from restricted Python, as they are kept: in the user's cache with native code, and in a file beside this one that the installation writes.

    module, image = load(engine, cache, KERNEL)

Without either a module is compiled from its sources (the kernel: 0.2 s). What is kept names the sources it was made from with their SHA-256, so an edited module is
never mixed up with an old image; nothing of the sources is imported then.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from wasmjit.codegen.kernelc import KernelImage, Signature, compile_kernel, source_files
from wasmjit.data import dataclass
from wasmjit.runtime.cache import Cache

if TYPE_CHECKING:
    from wasmjit.runtime.engine import Engine, Module

PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Kit:
    """What is compiled into one module: its name, and when they are needed its sources and the modules that say which sources there are."""

    name: str
    sources: Callable[[], tuple[list[ModuleType], list[ModuleType]]]

    @property
    def file(self) -> Path:
        """Written by setup.py. It is as trustworthy as the modules beside it, and holds no native code."""
        return PACKAGE / "sched" / f"{self.name}.image"


def _kernel() -> tuple[list[ModuleType], list[ModuleType]]:
    from wasmjit.codegen import wide_rt
    from wasmjit.sched import kernel, library

    return [*kernel.MODULES, *library.LIBRARY, wide_rt], [kernel, library]


def _rows() -> tuple[list[ModuleType], list[ModuleType]]:
    from wasmjit.sched import rowforms, rowscan, rowtable

    return [rowtable, rowforms, rowscan], []


KERNEL = Kit("kernel", _kernel)
"""The event kernel, the runtime library and the arithmetic of wide numbers."""
ROWS = Kit("rows", _rows)
"""The scanner of process bodies in short form (`wasmjit.ir.short`)."""
KITS = (KERNEL, ROWS)


@dataclass(frozen=True, slots=True)
class Kept:
    """A module, the SHA-256 of every file it depends on by its path in the package, and its native code (b"" when there is none yet)."""

    image: KernelImage
    sources: dict[str, str]
    native: bytes = b""


def load(engine: Engine, cache: Cache | None, kit: Kit) -> tuple[Module, KernelImage]:
    """A module compiled for an engine. The cache keeps the native code whatever the cache policy: it is no design's."""
    from wasmjit.runtime.engine import compile_module, deserialize_module  # only here: setup.py builds the files without wasmtime
    from wasmjit.runtime.raw import WasmError

    kept = load_image(engine.key, cache, kit)
    if kept.native:
        try:
            return deserialize_module(engine, kept.native), kept.image
        except WasmError:
            pass  # native code of another CPU: compiled again below
    module = compile_module(engine, kept.image.wasm)
    if cache is not None:
        cache.put(cache_key(engine.key, kit), pack(kept, module.serialize()))
    return module, kept.image


def load_image(engine_key: bytes, cache: Cache | None, kit: Kit) -> Kept:
    """A module from the cache, with native code for the engine; else from the file; else compiled."""
    found = cache.get(cache_key(engine_key, kit)) if cache is not None else None
    kept = unpack(found) if found is not None else None
    if kept is None:
        try:
            kept = unpack(kit.file.read_bytes())
        except FileNotFoundError:
            pass
    return kept if kept is not None else build(kit)


def cache_key(engine_key: bytes, kit: Kit) -> bytes:
    return kit.name.encode() + b" image 2\0" + str(PACKAGE).encode() + b"\0" + engine_key


def build(kit: Kit) -> Kept:
    """Compile a module."""
    modules, lists = kit.sources()
    files = [*source_files(modules), *(Path(str(m.__file__)) for m in lists)]
    return Kept(compile_kernel(modules), {n: digest(n) for n in sorted({str(p.resolve().relative_to(PACKAGE)) for p in files})})


def pack(kept: Kept, native: bytes = b"") -> bytes:
    """One line of JSON (sources, sizes, signatures), then the wasm bytes, then the native code."""
    image = kept.image
    head = {"sources": kept.sources, "wasm": len(image.wasm), "exports": image.exports, "host": image.host_imports}
    return json.dumps(head).encode() + b"\n" + image.wasm + native


def unpack(data: bytes) -> Kept | None:
    """The contents of `pack`, None when one of the sources is another one now."""
    head, _, rest = data.partition(b"\n")
    meta: dict[str, Any] = json.loads(head)
    if any(digest(name) != known for name, known in meta["sources"].items()):
        return None
    size = meta["wasm"]
    return Kept(KernelImage(rest[:size], signatures(meta["exports"]), signatures(meta["host"])), meta["sources"], rest[size:])


def digest(name: str) -> str:
    """SHA-256 of a file of the package, '' when it is not there."""
    try:
        return hashlib.sha256((PACKAGE / name).read_bytes()).hexdigest()
    except OSError:
        return ""


def signatures(table: dict[str, Iterable[Iterable[str]]]) -> dict[str, Signature]:
    out = {}
    for name, (params, results) in table.items():
        out[name] = (tuple(params), tuple(results))
    return out
