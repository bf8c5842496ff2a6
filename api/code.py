"""WebAssembly text of the bodies of a run, made from its compiled modules when somebody asks for it."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path
from typing import Any

from wasmjit_api.child import Child
from wasmjit_api.errors import ApiError
from wasmjit_api.store import RunStore, read_json

_CACHE = ".wat"
_MODULE_LIMIT = 256 << 20
_TEXT_LIMIT = 16 << 20


class BadModule(Exception):
    """A stored module that cannot be read; the text says why."""


def write_text(module: Path, function: int, out: Path) -> None:
    """Write the text of the function with number `function` (among those the module defines). Raises BadModule."""
    from wasmjit.codegen.binaryen import BinaryenError, function_texts
    from wasmjit.runtime.raw import WasmError

    try:
        with gzip.open(module) as file:
            wasm = file.read(_MODULE_LIMIT + 1)
        if len(wasm) > _MODULE_LIMIT:
            raise BadModule(f"the module is larger than {_MODULE_LIMIT >> 20} MiB")
        texts = function_texts(wasm)
    except (OSError, EOFError, WasmError, BinaryenError) as error:
        raise BadModule(f"the module cannot be read: {str(error).splitlines()[0][:200] if str(error) else type(error).__name__}") from None
    if function >= len(texts):
        raise BadModule(f"the module defines {len(texts)} functions, the body should be number {function}")
    temporary = out.with_name(f"{out.name}.{os.getpid()}.tmp")
    temporary.write_text(texts[function], encoding="utf-8", errors="replace")
    temporary.replace(out)


class CodeTexts:
    """Texts of bodies, kept beside the run once they are made. Thread-safe."""

    def __init__(self, child: Child, store: RunStore) -> None:
        self._child = child
        self._store = store
        self._lock = threading.Lock()

    def _modules(self, run_id: str) -> list[dict[str, Any]] | None:
        path = self._store.file(run_id, "code/index.json")
        index = read_json(path) if path is not None else None
        modules = index.get("modules") if isinstance(index, dict) else None
        if not isinstance(modules, list):
            return None
        return [m for m in modules if isinstance(m, dict) and isinstance(m.get("bodies"), list) and isinstance(m.get("file"), str)]

    def bodies(self, run_id: str) -> set[str]:
        """Names of the bodies that were compiled."""
        return {body for module in self._modules(run_id) or () for body in module["bodies"] if isinstance(body, str)}

    def installed(self, run_id: str, body: str, time_fs: int) -> int | None:
        """When code of a body was installed first, fs; None when that was not before a time."""
        times = [module.get("time_fs") for module in self._modules(run_id) or () if body in module["bodies"]]
        return min((t for t in times if isinstance(t, int) and t <= time_fs), default=None)

    def text(self, run_id: str, body: str, wall_ns: int | None) -> dict[str, Any]:
        """`{"body", "text", "module", "bytes", "cause"}` of the code of a body that was in force `wall_ns` after the start (None: at the end).

        Raises ApiError 404 for a body without code, 409 when its module cannot be read.
        """
        modules = self._modules(run_id)
        if modules is None:
            raise ApiError(404, "the run kept no compiled code", "it compiled nothing, or it was recorded by a version that kept none")
        found = [(number, module) for number, module in enumerate(modules) if body in module["bodies"]]
        if not found:
            raise ApiError(404, f"no WebAssembly of {body!r}", "the body was never compiled: `wasmjit inspect DESIGN` says why")
        before = [one for one in found if wall_ns is None or not isinstance(one[1].get("wall_ns"), int) or one[1]["wall_ns"] <= wall_ns]
        number, module = before[-1] if before else found[0]
        source = self._store.file(run_id, f"code/{module['file']}")
        if source is None:
            raise ApiError(404, f"the module of {body!r} is gone")
        function = module["bodies"].index(body)
        cache = self._store.directory(run_id) / _CACHE
        out = cache / f"{number}-{function}.wat"
        with self._lock:  # one text at a time: the second who asks for it finds it made
            if not out.is_file():
                try:
                    cache.mkdir(exist_ok=True)
                except OSError as error:
                    raise ApiError(409, f"the text cannot be written: {error.strerror or error}") from None
                failure = self._child.run(["wat", str(source), str(function), str(out)])
                if failure is not None:
                    raise ApiError(409, failure)
        text = out.read_bytes()[:_TEXT_LIMIT].decode("utf-8", "replace")
        return {"body": body, "text": text, "module": number, "cause": str(module.get("cause") or ""), "versions": len(found)}
