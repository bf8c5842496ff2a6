"""Normalisers for the generic form: enumerations that it prints as numbers or attributes become the words of the custom form."""

from __future__ import annotations

import re
from collections.abc import Callable

from wasmjit.ir.attrs import Opaque
from wasmjit.ir.core import Op

_ENUM = re.compile(r"#[\w.]+<\s*(?:\w+\s+)?(\w+)\s*>\Z")


def named_enum(attr: str, words: str) -> Callable[[Op], None]:
    """Turns a number in `attr` into the word at that place of `words`, and `#dialect.kind<word>` into the word."""
    names = words.split()

    def normalise(op: Op) -> None:
        value = op.attrs.get(attr)
        if type(value) is int and 0 <= value < len(names):
            op.attrs[attr] = names[value]
        else:
            bare_words(op, attr)

    return normalise


def bare_words(op: Op, *attrs: str) -> None:
    """`#llvm.linkage<internal>` becomes "internal"."""
    for attr in attrs:
        value = op.attrs.get(attr)
        if isinstance(value, Opaque):
            m = _ENUM.match(value.text)
            if m:
                op.attrs[attr] = m[1]
