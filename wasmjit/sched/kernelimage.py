"""The compiled kernel as it is kept: in the user's cache with native code, and in a file beside this one that the installation writes.

    kept = load_image(engine.key, cache)

Without either the kernel is compiled from its sources (0.2 s). What is kept names the sources it was made from with their SHA-256, so an edited kernel is never
mixed up with an old image; nothing of the kernel's own modules is imported then.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wasmjit.codegen.kernelc import KernelImage, Signature, compile_kernel, source_files
from wasmjit.data import dataclass
from wasmjit.runtime.cache import Cache

PACKAGE = Path(__file__).resolve().parents[1]
FILE = PACKAGE / "sched" / "kernel.image"
"""Written by setup.py. It is as trustworthy as the modules beside it, and holds no native code."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A kernel, the SHA-256 of every file it depends on by its path in the package, and its native code (b"" when there is none yet)."""

    image: KernelImage
    sources: dict[str, str]
    native: bytes = b""


def load_image(engine_key: bytes, cache: Cache | None, file: Path = FILE) -> Kept:
    """The kernel from the cache, with native code for the engine; else from the file; else compiled."""
    found = cache.get(cache_key(engine_key)) if cache is not None else None
    kept = unpack(found) if found is not None else None
    if kept is None:
        try:
            kept = unpack(file.read_bytes())
        except FileNotFoundError:
            pass
    return kept if kept is not None else build()


def cache_key(engine_key: bytes) -> bytes:
    return b"kernel image 2\0" + str(PACKAGE).encode() + b"\0" + engine_key


def build() -> Kept:
    """Compile the kernel and the runtime library of wide numbers."""
    from wasmjit.codegen import wide_rt
    from wasmjit.sched import kernel, library

    modules = [*kernel.MODULES, *library.LIBRARY, wide_rt]
    lists = [Path(str(m.__file__)) for m in (kernel, library)]  # they say which modules there are
    names = sorted({str(p.resolve().relative_to(PACKAGE)) for p in (*source_files(modules), *lists)})
    return Kept(compile_kernel(modules), {n: digest(n) for n in names})


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
