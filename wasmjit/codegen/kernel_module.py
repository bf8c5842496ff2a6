"""The kernel module under construction: finds what is called, numbers it, and lowers every function."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any

from wasmjit.codegen import wasm as w
from wasmjit.codegen.kernel_lower import VALTYPE, FunctionLowering
from wasmjit.codegen.kernel_source import Source, calls, source

Signature = tuple[tuple[str, ...], tuple[str, ...]]


def signature(src: Source) -> Signature:
    return tuple(t for _, t in src.params), (src.result,) if src.result else ()


def _codes(sig: Signature) -> tuple[list[int], list[int]]:
    return [VALTYPE[t] for t in sig[0]], [VALTYPE[t] for t in sig[1]]


class KernelBuilder:
    """One kernel module; also the `Unit` of the function lowering."""

    def __init__(self, roots: Iterable[Callable[..., Any]]) -> None:
        self.module = w.ModuleBuilder()
        self.module.import_memory("env", "memory", 0)
        self.module.import_table("env", "table", 0)
        self.module.import_global("env", "sp", w.I32, True)
        self.index: dict[Any, int] = {}
        self.host: dict[str, Signature] = {}
        self.functions: list[Source] = []
        self._reach(roots)

    def _reach(self, roots: Iterable[Callable[..., Any]]) -> None:
        """Find everything that is called: imports have to be numbered before functions."""
        work, seen, hosts = list(roots), set(), []
        exported = set(work)
        while work:
            fn = work.pop(0)
            if fn in seen:
                continue
            seen.add(fn)
            src = source(fn)
            if fn in exported or not getattr(fn, "__kernel_inline__", False):
                self.functions.append(src)
            for node, target in calls(src):
                if hasattr(target, "__kernel_host__"):
                    if target not in hosts:
                        hosts.append(target)
                elif isinstance(target, FunctionType) and not hasattr(target, "__kernel_intrinsic__"):
                    work.append(target)
                elif target is None and not (isinstance(node.func, ast.Name) and node.func.id == "range"):
                    raise src.error(node, "call of something that is no kernel function and no intrinsic")
        for target in hosts:
            sig = signature(source(target.__wrapped__))
            name = target.__kernel_host__
            if self.host.setdefault(name, sig) != sig:
                raise source(target.__wrapped__).error(None, f"host function {name} is declared with two signatures")
            self.index[target] = self.module.import_func("h", name, *_codes(sig))
        for src in self.functions:
            self.index[src.fn] = self.module.declare_func(*_codes(signature(src)), name=src.name)

    def func_index(self, target: Callable[..., Any]) -> int:
        return self.index[target]

    def type_index(self, params: tuple[str, ...], result: str) -> int:
        return self.module.add_type([VALTYPE[t] for t in params], [VALTYPE[result]] if result else [])

    def finish(self, names: bool) -> bytes:
        for src in self.functions:
            lowered = FunctionLowering(self, src)
            self.module.define_func(self.index[src.fn], lowered.locals, lowered.code)
        return self.module.finish(names=names)
