"""Reader for textual MLIR: text to a tree of operations.

`parse_file(path)` and `parse_text(text)` give a `Design`; every problem is an `IRError` with diagnostics. Bodies are read on first access.
"""

from __future__ import annotations

from wasmjit.ir.attrs import Dense, Opaque, SymbolRef, TimeAttr
from wasmjit.ir.core import Block, Design, Loc, Op, Region, Source, Value
from wasmjit.ir.diagnostics import Diagnostic, IRError
from wasmjit.ir.printer import print_generic
from wasmjit.ir.reader import parse_file, parse_text
from wasmjit.ir.verify import verify

__all__ = [
    "Block", "Dense", "Design", "Diagnostic", "IRError", "Loc", "Op", "Opaque", "Region", "Source", "SymbolRef", "TimeAttr", "Value", "parse_file",
    "parse_text", "print_generic", "verify",
]  # fmt: skip
