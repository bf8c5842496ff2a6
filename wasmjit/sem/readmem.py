"""The text format of `$readmemh`/`$readmemb` and `$writememh`/`$writememb` (IEEE 1800-2023 §21.4, §21.5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from wasmjit.data import dataclass


class ReadMemError(Exception):
    """Malformed memory file; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Word:
    """A word for `address`: per bit (value, unknown) 0,1 is x and 1,1 is z."""

    address: int
    value: int
    unknown: int


_TOKEN = re.compile(rb"//[^\n]*|/\*.*?\*/|@[0-9a-fA-F_]+|[0-9a-zA-Z_?]+|\s+|.", re.DOTALL)
_BITS = {16: 4, 2: 1}


def parse_word(token: bytes, base: int) -> tuple[int, int] | None:
    """(value, unknown) of one number without base prefix, or None if a character does not fit the base."""
    k = _BITS[base]
    full = (1 << k) - 1
    value = unknown = 0
    digits = token.replace(b"_", b"").lower()
    if not digits:
        return None
    if not any(c in digits for c in b"xz?"):
        try:
            return int(digits, base), 0
        except ValueError:
            return None
    for c in digits:
        value, unknown = value << k, unknown << k
        if c == 0x78:
            unknown |= full
        elif c in b"z?":
            value |= full
            unknown |= full
        else:
            try:
                value |= int(chr(c), base)
            except ValueError:
                return None
    return value, unknown


def parse_memory(text: bytes, base: int, start: int = 0, step: int = 1, depth: int | None = None) -> Iterator[Word]:
    """Words of a memory file in order. Addresses go from `start` by `step`; `@` (hexadecimal) sets the next one, which must be below `depth`. Raises ReadMemError."""
    address = start
    line = 1
    for m in _TOKEN.finditer(text):
        token = m.group(0)
        first = token[:1]
        if not (first.isspace() or token[:2] in (b"//", b"/*")):
            if first == b"@":
                if len(token) == 1:
                    raise ReadMemError(line, "address expected after @")
                digits = token[1:].replace(b"_", b"")
                if not digits:
                    raise ReadMemError(line, "address expected after @")
                address = int(digits, 16)
                if depth is not None and address >= depth:
                    raise ReadMemError(line, f"address 0x{address:x} is outside the memory's {depth} words")
            else:
                word = parse_word(token, base)
                if word is None:
                    shown = token[:40].decode("utf-8", "replace")
                    raise ReadMemError(line, f"expected a {'hexadecimal' if base == 16 else 'binary'} number but got {shown!r}")
                yield Word(address, *word)
                address += step
        line += token.count(b"\n")


def format_memory(words: Iterable[tuple[int, int]], width: int, base: int, start: int = 0) -> bytes:
    """A memory file: a comment with the first address, then one word per line (as Icarus Verilog writes it)."""
    from wasmjit.sem.format import radix_digits4

    lines = [f"// 0x{start:08x}".encode()]
    lines += [radix_digits4(value, unknown, width, _BITS[base]) for value, unknown in words]
    return b"\n".join(lines) + b"\n"
