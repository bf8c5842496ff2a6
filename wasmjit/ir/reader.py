"""Input files to designs: bytes, compression, encoding, what is not text, and the entry points."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from wasmjit.ir import dialects
from wasmjit.ir.core import Design, Op, Source
from wasmjit.ir.diagnostics import Diagnostic, IRError
from wasmjit.ir.parser import Parser
from wasmjit.ir.verify import Verifier, top_level

if TYPE_CHECKING:
    from wasmjit.ir.short import RowScanner

__all__ = ["decode", "parse_file", "parse_text", "read_bytes"]

assert dialects.__all__  # importing it fills the op table

_NOT_TEXT = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|[\udc80-\udcff]')
_NUL = "\0"


def read_bytes(path: str | Path) -> bytes:
    """Contents of a file; "-" is standard input; gzip is unpacked wherever it is found. Raises IRError."""
    name = str(path)
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(path).read_bytes()
    except OSError as e:
        hint = "give the path of an .mlir file, or - for standard input" if isinstance(e, FileNotFoundError) else ""
        raise IRError([Diagnostic(f"cannot read the file: {e.strerror or e}", name, hint=hint)]) from e
    if data[:2] == b"\x1f\x8b":
        import gzip
        import zlib

        try:
            data = gzip.decompress(data)
        except EOFError as e:
            raise IRError([Diagnostic("the compressed file is cut off", name, hint="copy or download it again")]) from e
        except (OSError, zlib.error) as e:
            raise IRError([Diagnostic(f"the compressed file is damaged: {e}", name, hint="copy or download it again")]) from e
    return data


def decode(data: bytes, name: str) -> str:
    """Text of an input. Raises IRError for bytecode, other binaries and text that is not UTF-8 (in strings and comments any byte is accepted)."""
    if data.startswith(b"ML\xefR"):
        hint = f"convert it to text: circt-opt --mlir-print-op-generic {name} -o {name.removesuffix('.mlirbc')}.mlir"
        raise IRError([Diagnostic("this is MLIR bytecode, not text", name, hint=hint)])
    for bom, encoding in ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16")):
        if data.startswith(bom):
            raise IRError(
                [Diagnostic(f"the file is encoded in {encoding}; MLIR text is UTF-8", name, hint=f"iconv -f {encoding} -t UTF-8")]
            )
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("utf-8", "surrogateescape")
        for m in _NOT_TEXT.finditer(text):
            if len(m[0]) == 1:
                byte = ord(m[0]) - 0xDC00
                hint = "the file is binary or not UTF-8"
                raise IRError([Source(name, text).diagnostic(m.start(), f"byte 0x{byte:02X} is not part of UTF-8 text", hint)]) from None
    if not text.strip():
        raise IRError([Diagnostic("the input is empty", name, hint="was the front end's output written to this file?")])
    if _NUL in text:
        at = text.index(_NUL)
        raise IRError([Source(name, text).diagnostic(at, "NUL byte in the input", "the file is binary or damaged")])
    return text


def parse_file(path: str | Path, verify: bool = True, rows: Callable[[], RowScanner] | None = None) -> Design:
    """Reads a design from a file (`.mlir`, gzipped or not; "-" is standard input).

    Bodies of modules and functions are read on first access of `Region.blocks`. With `verify` they are checked then. `rows` makes a scanner of short forms
    of process bodies (`wasmjit.ir.short`; `wasmjit.sched.rowreader.row_scanner`), None: there are none. Raises IRError.
    """
    name = "<stdin>" if str(path) == "-" else str(path)
    return parse_text(decode(read_bytes(path), name), name, verify, rows)


def parse_text(text: str, name: str = "<text>", verify: bool = True, rows: Callable[[], RowScanner] | None = None) -> Design:
    """Reads a design from a text. `rows`: as for `parse_file`. Raises IRError."""
    source = Source(name, text)
    verifier = Verifier() if verify else None
    parser = Parser(source, verifier.region if verifier is not None else None, rows)
    root = parser.top()
    problems = top_level(root, verifier) if verifier is not None else []
    if problems:
        raise IRError(problems)
    symbols: dict[str, Op] = {}
    for op in root.regions[0].blocks[0].ops if root.regions[0].blocks else ():
        symbol = op.attrs.get("sym_name")
        if isinstance(symbol, str) and symbol:
            symbols.setdefault(symbol, op)
    return Design(root, source, symbols, parser.warnings)
