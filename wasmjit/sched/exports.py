"""Signatures of what restricted-Python modules export, for code that calls them (MIR operation `rt`, imports of compiled modules under namespace `k`).

    EXPORTS["k_drive_eps"]      # Signature(params=("i32", "i32", "i32", "i64"), result="")
    signatures(my_modules)      # the same for other modules, e.g. the runtime library
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import FunctionType, ModuleType
from typing import Any

from wasmjit.data import dataclass


@dataclass(frozen=True, slots=True)
class Signature:
    """Types are 'i32', 'i64' or 'f64'; `result` is '' for none. `pair`: the result is a pointer, an i64 lies at CB_PAIR after the call."""

    params: tuple[str, ...]
    result: str
    pair: bool = False


def exported(modules: Iterable[ModuleType]) -> dict[str, Callable[..., Any]]:
    """The @export functions defined in the modules, by name. Raises ValueError when two have one name."""
    out: dict[str, Callable[..., Any]] = {}
    for m in modules:
        for fn in vars(m).values():
            if not isinstance(fn, FunctionType) or not getattr(fn, "__kernel_export__", False) or fn.__module__ != m.__name__:
                continue
            if out.setdefault(fn.__name__, fn) is not fn:
                raise ValueError(f"{fn.__name__} is exported twice")
    return out


def signature(fn: Callable[..., Any]) -> Signature:
    """Signature of a restricted-Python function, read from its annotations."""
    notes = dict(fn.__annotations__)
    result = notes.pop("return", "None")
    return Signature(tuple(str(t) for t in notes.values()), "" if result in ("None", None) else str(result), getattr(fn, "__kernel_pair__", False))


def signatures(modules: Iterable[ModuleType]) -> dict[str, Signature]:
    """Name to signature of every @export function of the modules."""
    return {name: signature(fn) for name, fn in exported(modules).items()}


EXPORTS: dict[str, Signature]
"""Of the event kernel and the runtime library; made from its sources when first asked for. Runs take them from the kernel's image."""


def __getattr__(name: str) -> dict[str, Signature]:
    if name != "EXPORTS":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from wasmjit.sched.kernel import MODULES
    from wasmjit.sched.library import LIBRARY

    return globals().setdefault(name, signatures([*MODULES, *LIBRARY]))  # type: ignore[no-any-return]


def image_signatures(exports: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]) -> dict[str, Signature]:
    """The same table from the exports of a compiled kernel."""
    return {name: Signature(params, results[0] if results else "") for name, (params, results) in exports.items()}
