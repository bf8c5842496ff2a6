"""Value change dump (IEEE 1364-2005 §18) writer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from wasmjit.waves.model import (
    SCOPE_KINDS,
    ScopeDecl,
    Value,
    VarDecl,
    WaveError,
    bit_string,
    compress_bits,
    escape_name,
    format_time,
    parse_timescale,
    value_class,
)
from wasmjit.waves.writer import Block, StepWriter

_BUFFER_LINES = 16384


def identifier_code(index: int) -> str:
    """Identifier of the index-th signal: base 94 over the printable characters `!` to `~`."""
    text = chr(33 + index % 94)
    index //= 94
    while index:
        index -= 1
        text += chr(33 + index % 94)
        index //= 94
    return text


def escape_string(text: str) -> str:
    """A string as one VCD word: backslash and everything outside `!`..`~` as octal escapes of its UTF-8 bytes (as libfst writes them)."""
    if text.isascii() and text.isalnum():
        return text
    data = text.encode("utf-8", "surrogateescape")
    return "".join(chr(c) if 33 <= c <= 126 and c != 92 else ("\\\\" if c == 92 else f"\\{c:03o}") for c in data)


class VcdWriter(StepWriter):
    """Streams a VCD file. `timescale` is the unit of time in the file: 1, 10 or 100 of s..fs; finer changes of a step collapse into one sample."""

    def __init__(self, path: str, timescale: str = "1fs", version: str = "wasmjit", date: str = "") -> None:
        scale = parse_timescale(timescale)
        try:
            self._file: BinaryIO = open(path, "wb")  # noqa: SIM115  (lives as long as the writer)
        except OSError as exc:
            raise WaveError(f"cannot write {path}: {exc.strerror}") from exc
        super().__init__(path, scale)
        self._version = version
        self._date = date
        self._lines: list[str] = []
        self._written = 0
        self._stamp = -1
        # Per variable: a table of complete lines for scalars, (mask, ' code\n') for vectors, None for everything else.
        self._rows: dict[int, dict[Value, str] | tuple[int, str] | None] = {}
        self._codes: dict[int, str] = {}

    def _header(self, scopes: Sequence[ScopeDecl]) -> None:
        out = self._lines
        if self._date:
            out.append(f"$date\n  {self._date}\n$end\n")
        out.append(f"$version\n  {self._version}\n$end\n$timescale {format_time(self._scale)} $end\n")
        for index, (var_id, var) in enumerate(self._vars.items()):
            code = self._codes[var_id] = identifier_code(index)
            if value_class(var.kind) != "bits":
                self._rows[var_id] = None
            elif var.width == 1:
                self._rows[var_id] = {0: f"0{code}\n", 1: f"1{code}\n", "x": f"x{code}\n", "z": f"z{code}\n"}
            else:
                self._rows[var_id] = ((1 << var.width) - 1, f" {code}\n")
        out.extend(self._scope_lines(scopes))
        out.append("$enddefinitions $end\n")
        self._drain()

    def _scope_lines(self, scopes: Sequence[ScopeDecl]) -> Iterator[str]:
        stack: list[ScopeDecl | None] = list(reversed(scopes))
        while stack:
            scope = stack.pop()
            if scope is None:
                yield "$upscope $end\n"
                continue
            kind = scope.kind if scope.kind in SCOPE_KINDS else ("begin" if scope.kind == "process" else "module")
            yield f"$scope {kind} {escape_name(scope.name)} $end\n"
            for var in scope.variables:
                yield self._var_line(var)
            stack.append(None)
            stack.extend(reversed(scope.children))

    def _var_line(self, var: VarDecl) -> str:
        width, bounds = var.width, ""
        if value_class(var.kind) != "bits":
            width = 64 if value_class(var.kind) == "real" else 1
        elif var.left is not None and var.right is not None:
            bounds = f" [{var.left}:{var.right}]"
        elif width > 1:
            bounds = f" [{width - 1}:0]"
        return f"$var {var.kind} {width} {self._codes[var.id]} {escape_name(var.name)}{bounds} $end\n"

    def _emit(self, time: int, changed: list[tuple[int, Value]]) -> None:
        append, rows = self._lines.append, self._rows
        if time != self._stamp:
            append(f"#{time}\n")
            self._stamp = time
        for i, value in changed:
            row = rows[i]
            if type(row) is dict:
                try:
                    append(row[value])
                except KeyError:
                    raise WaveError(f"{self.path}: variable {self._vars[i].name!r} has 1 bit but the value {value!r}") from None
            elif type(row) is tuple and type(value) is int:
                append(f"b{value & row[0]:b}{row[1]}")
            else:
                append(self._other(i, value))
        if len(self._lines) > _BUFFER_LINES:
            self._drain()

    def _other(self, i: int, value: Value) -> str:
        var = self._vars[i]
        kind, code = value_class(var.kind), self._codes[i]
        if kind == "event":
            return f"1{code}\n"
        if kind == "real":
            return f"r{float(value):.17g} {code}\n"
        if kind == "string":
            return f"s{escape_string(str(value))} {code}\n"
        return f"b{compress_bits(bit_string(value, var.width))} {code}\n"

    def _emit_block(self, time: int, block: Block, values: list[tuple[int, Value]]) -> None:
        if time != self._stamp:
            self._lines.append(f"#{time}\n")
            self._stamp = time
        self._lines.append(f"{block.value}\n")
        self._emit(time, values)
        self._lines.append("$end\n")

    def comment(self, text: str) -> None:
        """A `$comment` at the current time."""
        self._lines.append(f"$comment {text.replace('$end', '$ end')} $end\n")

    def bytes_written(self) -> int:
        """Size so far; a buffered line counts as 8 bytes, so that asking every time step stays cheap."""
        return self._written + 8 * len(self._lines)

    def _drain(self) -> None:
        data = "".join(self._lines).encode("utf-8", "replace")
        self._lines.clear()
        try:
            self._file.write(data)
        except OSError as exc:
            raise WaveError(f"cannot write {self.path}: {exc.strerror}") from exc
        self._written += len(data)

    def _sync(self) -> None:
        self._drain()
        try:
            self._file.flush()
        except OSError as exc:
            raise WaveError(f"cannot write {self.path}: {exc.strerror}") from exc

    def _finish(self, end: int | None) -> None:
        if end is not None:
            self._lines.append(f"#{end}\n")
        try:
            self._drain()
            self._file.close()
        except OSError as exc:
            raise WaveError(f"cannot write {self.path}: {exc.strerror}") from exc
