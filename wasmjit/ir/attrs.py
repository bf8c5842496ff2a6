"""Attribute values that have no natural Python type. Everything else is int, float, bool, str, list, dict or a `Type`."""

from __future__ import annotations

from typing import Any

from wasmjit.data import dataclass
from wasmjit.ir.types import Type


@dataclass(frozen=True, slots=True)
class SymbolRef:
    """`@name::@a::@b`: `nested` holds the names after the first."""

    name: str
    nested: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "::".join("@" + symbol_text(n) for n in (self.name, *self.nested))


@dataclass(frozen=True, slots=True)
class Dense:
    """`dense<...> : type` and `array<i32: ...>` of unusual element types.

    `values` is nested lists as written; a splat is the bare value; `dense<"0x...">` keeps its hexadecimal text as a string.
    """

    type: Type
    values: Any


@dataclass(frozen=True, slots=True)
class Opaque:
    """An attribute the reader does not interpret, as text (`#llvm.zero`, `affine_map<...>`)."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class TimeAttr:
    """`#llhd.time<5ns, 1d, 2e>` in femtoseconds, delta and epsilon steps."""

    fs: int
    delta: int
    epsilon: int


def symbol_text(name: str) -> str:
    """A symbol name as written after `@`: bare if possible, else quoted."""
    from wasmjit.ir.strings import is_bare_symbol, quote

    return name if is_bare_symbol(name) else quote(name)
