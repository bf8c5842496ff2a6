"""The C side of the UVM library (IEEE 1800.2 reference implementation, src/dpi), which every simulator provides: regular expressions and
arguments.

A design declares these as functions without a body. Strings come by value as two leaves, a `ref` as pointer and bit offset. Access to
signals by name (`uvm_hdl_*`) is not here: it needs the hierarchy.
"""

from __future__ import annotations

import re
from functools import lru_cache

from wasmjit.runtime.moore.strings import make
from wasmjit.runtime.services import Runtime, service, string_value

MAX_PATTERN = 4096
MAX_SUBJECT = 1 << 16


def deglob(glob: bytes, brackets: bool) -> bytes:
    """A glob (`*` any text, `+` at least one character, `?` one character) as a regular expression; `/.../` is one already."""
    if not glob or (len(glob) > 1 and glob.startswith(b"/") and glob.endswith(b"/")):
        return glob
    out = bytearray()
    for c in glob:
        if c in b"*":
            out += b".*"
        elif c in b"+":
            out += b".+"
        elif c in b"?":
            out += b"."
        elif c in b".[]()^$|{}\\":
            out += b"\\" + bytes((c,))
        else:
            out.append(c)
    body = b"^" + bytes(out) + b"$"
    return b"/" + body + b"/" if brackets else body


_CLASSES = {
    b"[:alnum:]": b"0-9A-Za-z",
    b"[:alpha:]": b"A-Za-z",
    b"[:digit:]": b"0-9",
    b"[:space:]": rb"\s",
    b"[:upper:]": b"A-Z",
    b"[:lower:]": b"a-z",
    b"[:punct:]": rb"!-/:-@\[-`{-~",
    b"[:xdigit:]": b"0-9A-Fa-f",
    b"[:blank:]": rb" \t",
}


@lru_cache(maxsize=1024)
def compile_pattern(pattern: bytes) -> re.Pattern[bytes] | str:
    """A POSIX extended regular expression, also in `/.../`; the text of the error when it is none."""
    if len(pattern) > 1 and pattern.startswith(b"/") and pattern.endswith(b"/"):
        pattern = pattern[1:-1]
    if len(pattern) > MAX_PATTERN:
        return "pattern too long"
    for name, members in _CLASSES.items():
        pattern = pattern.replace(name, members)
    try:
        return re.compile(pattern, re.DOTALL)
    except (re.error, RecursionError, OverflowError) as e:
        return str(e)


@service("uvm_re_compexecfree", "plplbpi", "b")
def compexecfree(rt: Runtime, re_ptr: int, re_len: int, str_ptr: int, str_len: int, is_glob: int, result: int, _bit: int) -> int:
    """Match once: 1 with 0 (match) or 1 (none) stored in `result`; 0 when the pattern is invalid (text: `uvm_re_buffer`)."""
    pattern = string_value(rt, re_ptr, re_len)
    if is_glob & 1:
        pattern = deglob(pattern, False)
    found = compile_pattern(pattern)
    if isinstance(found, str):
        rt.host.regex_error = f"invalid regular expression {pattern[:80]!r}: {found}"
        return 0
    rt.st(result, 4, int(found.search(string_value(rt, str_ptr, str_len)[:MAX_SUBJECT]) is None))
    return 1


@service("uvm_re_deglobbed", "plb", "pl")
def deglobbed(rt: Runtime, ptr: int, length: int, brackets: int) -> tuple[int, int]:
    return make(rt, deglob(string_value(rt, ptr, length), bool(brackets & 1)))


@service("uvm_re_buffer", "", "pl")
def re_buffer(rt: Runtime) -> tuple[int, int]:
    """Text of the last error."""
    return make(rt, rt.host.regex_error.encode("utf-8", "surrogateescape"))


@service("uvm_re_free", "p")
def re_free(rt: Runtime, handle: int) -> None:
    """Patterns are kept in a cache of the host: nothing to free."""


@service("uvm_dpi_get_next_arg_c", "i", "pl")
def get_next_arg(rt: Runtime, init: int) -> tuple[int, int]:
    """The run's plus arguments one after the other, then the empty string; non-zero starts again."""
    if init:
        rt.host.next_arg = 0
    i = rt.host.next_arg
    if i >= len(rt.plusargs):
        return 0, 0
    rt.host.next_arg = i + 1
    return make(rt, b"+" + rt.plusargs[i].encode("utf-8", "surrogateescape"))


@service("uvm_dpi_get_tool_name_c", "", "pl")
def get_tool_name(rt: Runtime) -> tuple[int, int]:
    return make(rt, b"wasmjit")


@service("uvm_dpi_get_tool_version_c", "", "pl")
def get_tool_version(rt: Runtime) -> tuple[int, int]:
    from wasmjit import __version__

    return make(rt, __version__.encode())
