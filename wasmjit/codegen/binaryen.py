"""Binaryen over finished wasm bytes: optimise, print.

Uses the C library that icpp-binaryen bundles (version 116), by ctypes: no declarations to parse (cffi: 60 ms), and nothing is loaded before the first use
(about 10 ms). Binaryen ends the process on misuse, therefore: bytes are validated by wasmtime before they get near it, features are set first, pass names come from a
fixed list. Its levels are process-wide, so one lock covers a whole pass run.

Does -O2 pay on kernel-like code? No. The event kernel (23 KB, 72 exports) with N = 1 / 32 / 1024 clocked processes, Cranelift `speed`, best of 14 runs of CPU time:
45.2 / 13.3 / 10.8 ns per activation as the kernel compiler writes it; after -O2 44.1 / 13.9 / 11.7 (-2 / +5 / +8 %), after -O3 42.0 / 13.7 / 11.2 (-7 / +3 / +4 %).
The module gets 12 % smaller; the passes cost 75 (-O2) and 100 ms (-O3). So the kernel is not passed through Binaryen.
"""

from __future__ import annotations

import ctypes
import importlib.util
import sys
import threading
from collections.abc import Sequence
from ctypes import POINTER, c_bool, c_char_p, c_int, c_size_t, c_uint32, c_void_p
from functools import cache
from pathlib import Path
from typing import Any, Self

from wasmjit.runtime.engine import Engine, validate

# Left out because they end the process: rereloop (wants flat IR), optimize-added-constants* (want an option).
FUNCTION_PASSES = frozenset(
    {
        "avoid-reinterprets", "coalesce-locals", "code-folding", "code-pushing", "dce", "heap2local", "licm", "local-cse", "merge-blocks", "merge-locals",
        "optimize-casts", "optimize-instructions", "pick-load-signs", "precompute", "precompute-propagate", "remove-unused-brs", "remove-unused-names",
        "reorder-locals", "rse", "simplify-locals", "simplify-locals-nostructure", "simplify-locals-notee-nostructure", "ssa-nomerge", "untee", "vacuum",
    }
)  # fmt: skip
MODULE_PASSES = frozenset(
    {
        "dae-optimizing", "directize", "duplicate-function-elimination", "duplicate-import-elimination", "inlining", "inlining-optimizing", "memory-packing",
        "once-reduction", "remove-unused-module-elements", "reorder-functions", "simplify-globals",
    }
)  # fmt: skip
_FEATURES = ("MutableGlobals", "NontrappingFPToInt", "BulkMemory", "SignExt", "Multivalue", "ReferenceTypes", "SIMD128", "TailCall")
_lock = threading.Lock()


class _Written(ctypes.Structure):
    _fields_ = (("binary", c_void_p), ("size", c_size_t), ("source_map", c_void_p))


class BinaryenError(Exception):
    """Binaryen is missing, or does not accept a module that wasmtime accepts."""


@cache
def _load() -> tuple[Any, Any, int]:
    """(libbinaryen, free, feature set)."""
    spec = importlib.util.find_spec("icpp_binaryen")
    if spec is None or not spec.submodule_search_locations:
        raise BinaryenError("icpp-binaryen is not installed: `pip install icpp-binaryen`")
    name = "libbinaryen.dylib" if sys.platform == "darwin" else "libbinaryen.so"
    lib = ctypes.CDLL(str(Path(spec.submodule_search_locations[0]) / "lib" / name))
    for fn, result, args in (
        ("BinaryenModuleRead", c_void_p, (c_char_p, c_size_t)),
        ("BinaryenModuleSetFeatures", None, (c_void_p, c_uint32)),
        ("BinaryenModuleValidate", c_bool, (c_void_p,)),
        ("BinaryenModuleOptimize", None, (c_void_p,)),
        ("BinaryenModuleRunPasses", None, (c_void_p, POINTER(c_char_p), c_uint32)),
        ("BinaryenModuleDispose", None, (c_void_p,)),
        ("BinaryenModuleAllocateAndWrite", _Written, (c_void_p, c_char_p)),
        ("BinaryenModuleAllocateAndWriteText", c_void_p, (c_void_p,)),
        ("BinaryenSetOptimizeLevel", None, (c_int,)),
        ("BinaryenSetShrinkLevel", None, (c_int,)),
        ("BinaryenSetDebugInfo", None, (c_bool,)),
        ("BinaryenSetColorsEnabled", None, (c_bool,)),
    ):
        f = getattr(lib, fn)
        f.restype, f.argtypes = result, args
    lib.BinaryenSetColorsEnabled(False)
    free = ctypes.CDLL(None).free
    free.argtypes, free.restype = (c_void_p,), None
    features = 0
    for feature in _FEATURES:
        get = getattr(lib, f"BinaryenFeature{feature}")
        get.restype = c_uint32
        features |= get()
    return lib, free, features


@cache
def _validator() -> Engine:
    return Engine("none")


class _Module:
    """A Binaryen module made from validated bytes; a context manager that holds the lock."""

    def __init__(self, wasm: bytes) -> None:
        validate(_validator(), wasm)
        self.lib, self.free, features = _load()
        _lock.acquire()
        try:
            self.ref = self.lib.BinaryenModuleRead(wasm, len(wasm))
            self.lib.BinaryenModuleSetFeatures(self.ref, features)
        except BaseException:
            _lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.lib.BinaryenModuleDispose(self.ref)
        _lock.release()


def optimize(wasm: bytes, level: int = 2, shrink: int = 0, passes: Sequence[str] | None = None, names: bool = True) -> bytes:
    """The module after Binaryen's default passes of a level (0..4), or after the given passes in order.

    names: keep the name section. Raises WasmError for bytes that are no valid module, ValueError for an unknown pass or level, BinaryenError if Binaryen rejects the module.
    """
    if not 0 <= level <= 4 or not 0 <= shrink <= 2:
        raise ValueError(f"optimisation level {level} (0..4), shrink level {shrink} (0..2)")
    unknown = [p for p in passes or () if p not in FUNCTION_PASSES and p not in MODULE_PASSES]
    if unknown:
        raise ValueError(f"unknown Binaryen passes: {', '.join(unknown)}")
    with _Module(wasm) as m:
        lib = m.lib
        if not lib.BinaryenModuleValidate(m.ref):
            raise BinaryenError("Binaryen rejects the module (its message is on standard error)")
        lib.BinaryenSetOptimizeLevel(level)
        lib.BinaryenSetShrinkLevel(shrink)
        lib.BinaryenSetDebugInfo(names)
        if passes is None:
            lib.BinaryenModuleOptimize(m.ref)
        else:
            lib.BinaryenModuleRunPasses(m.ref, (c_char_p * len(passes))(*(p.encode() for p in passes)), len(passes))
        out = lib.BinaryenModuleAllocateAndWrite(m.ref, None)
        data = ctypes.string_at(out.binary, out.size)
        m.free(out.binary)
        return data


def to_wat(wasm: bytes) -> str:
    """The module as WebAssembly text (folded S-expressions, as Binaryen prints it). Raises WasmError for bytes that are no valid module."""
    with _Module(wasm) as m:
        text = m.lib.BinaryenModuleAllocateAndWriteText(m.ref)
        data = ctypes.string_at(text)
        m.free(text)
        return data.decode("utf-8", "replace")


def function_texts(wasm: bytes) -> list[str]:
    """WebAssembly text of each function the module defines, in the order of their indices. Raises WasmError for bytes that are no valid module."""
    functions: list[list[str]] = []
    for line in to_wat(wasm).split("\n"):
        if line.startswith(" (func "):
            functions.append([])
        elif line == ")":
            break
        if functions and (line.startswith("  ") or not functions[-1] or line == " )"):
            functions[-1].append(line[1:])
    return ["\n".join(lines) for lines in functions]
