"""MLIR string literals: escapes in both directions. Bytes that are not UTF-8 live in `str` as surrogate escapes."""

from __future__ import annotations

import re

_ESCAPE = re.compile(rb'\\(?:([0-9A-Fa-f]{2})|([nt"\\]))')
_SYMBOL = re.compile(r"(?:[A-Za-z_$.-][\w$.-]*|[0-9]+)\Z", re.ASCII)
_PLAIN = re.compile(r"[ !#-\[\]-~]*\Z")
_SIMPLE = {b"n": b"\n", b"t": b"\t", b'"': b'"', b"\\": b"\\"}


def unescape(body: str) -> str:
    """The value of a string literal, given the text between its quotes."""
    if "\\" not in body:
        return body
    raw = body.encode("utf-8", "surrogateescape")
    raw = _ESCAPE.sub(lambda m: bytes((int(m[1], 16),)) if m[1] else _SIMPLE[m[2]], raw)
    return raw.decode("utf-8", "surrogateescape")


def quote(value: str) -> str:
    """`value` as a string literal with quotes, as MLIR prints it (`\\0A` style escapes)."""
    if _PLAIN.match(value):
        return f'"{value}"'
    out = []
    for byte in value.encode("utf-8", "surrogateescape"):
        if byte == 0x5C:
            out.append("\\\\")
        elif byte == 0x22 or not 0x20 <= byte < 0x7F:
            out.append(f"\\{byte:02X}")
        else:
            out.append(chr(byte))
    return '"' + "".join(out) + '"'


def is_bare_symbol(name: str) -> bool:
    """Whether `@name` needs no quotes."""
    return _SYMBOL.match(name) is not None
