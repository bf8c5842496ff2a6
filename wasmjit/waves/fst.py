"""FST writer over pylibfst's bundled libfst."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from pylibfst import ffi, lib  # type: ignore[import-untyped]

from wasmjit.waves.model import VAR_KINDS, ScopeDecl, Value, WaveError, bit_string, escape_name, parse_timescale, value_class
from wasmjit.waves.writer import Block, StepWriter

_SCOPES = {
    "module": lib.FST_ST_VCD_MODULE,
    "task": lib.FST_ST_VCD_TASK,
    "function": lib.FST_ST_VCD_FUNCTION,
    "begin": lib.FST_ST_VCD_BEGIN,
    "process": lib.FST_ST_VCD_BEGIN,
    "fork": lib.FST_ST_VCD_FORK,
}
_VARS = {kind: getattr(lib, f"FST_VT_VCD_{kind.upper()}") for kind in VAR_KINDS - {"string"}}
_VARS["string"] = lib.FST_VT_GEN_STRING


class FstWriter(StepWriter):
    """Streams an FST file (compressed blocks; the file is readable once closed). Parameters as for `VcdWriter`."""

    def __init__(self, path: str, timescale: str = "1fs", version: str = "wasmjit", date: str = "") -> None:
        scale = parse_timescale(timescale)
        try:
            # libfst reports nothing but failure; opening the file first tells the reason.
            open(path, "wb").close()
        except OSError as exc:
            raise WaveError(f"cannot write {path}: {exc.strerror}") from exc
        self._ctx: Any = lib.fstWriterCreate(os.fsencode(path), 1)
        if self._ctx == ffi.NULL:
            raise WaveError(f"cannot write {path}: libfst cannot create it")
        super().__init__(path, scale)
        lib.fstWriterSetTimescaleFromString(self._ctx, timescale.replace(" ", "").encode())
        lib.fstWriterSetVersion(self._ctx, version.encode())
        lib.fstWriterSetDate(self._ctx, date.encode())
        lib.fstWriterSetPackType(self._ctx, lib.FST_WR_PT_LZ4)
        # Per variable: handle, class ('bits64' for up to 64 bits), width.
        self._rows: dict[int, tuple[int, str, int]] = {}
        self._real = ffi.new("double *")
        self._stamp = -1

    def _header(self, scopes: Sequence[ScopeDecl]) -> None:
        stack: list[ScopeDecl | None] = list(reversed(scopes))
        while stack:
            scope = stack.pop()
            if scope is None:
                lib.fstWriterSetUpscope(self._ctx)
                continue
            kind = _SCOPES.get(scope.kind, lib.FST_ST_VCD_MODULE)
            lib.fstWriterSetScope(self._ctx, kind, escape_name(scope.name).encode("utf-8", "replace"), ffi.NULL)
            for var in scope.variables:
                cls = value_class(var.kind)
                width = {"real": 8, "string": 0, "event": 1}.get(cls, var.width)
                bounds = ""
                if cls == "bits" and var.left is not None and var.right is not None:
                    bounds = f" [{var.left}:{var.right}]"
                elif cls == "bits" and width > 1:
                    bounds = f" [{width - 1}:0]"
                alias = self._rows[var.id][0] if var.id in self._rows else 0
                name = (escape_name(var.name) + bounds).encode("utf-8", "replace")
                handle = lib.fstWriterCreateVar(self._ctx, _VARS[var.kind], lib.FST_VD_IMPLICIT, width, name, alias)
                if not alias:
                    self._rows[var.id] = (handle, "bits64" if cls == "bits" and width <= 64 else cls, width)
            stack.append(None)
            stack.extend(reversed(scope.children))

    def _time(self, time: int) -> None:
        if time != self._stamp:
            if time >= 1 << 64:
                raise WaveError(f"{self.path}: time {time} does not fit the 64 bits of FST; choose a coarser time scale")
            lib.fstWriterEmitTimeChange(self._ctx, time)
            self._stamp = time

    def _emit(self, time: int, changed: list[tuple[int, Value]]) -> None:
        self._time(time)
        ctx, rows = self._ctx, self._rows
        emit64, emit = lib.fstWriterEmitValueChange64, lib.fstWriterEmitValueChange
        for i, value in changed:
            handle, cls, width = rows[i]
            if cls == "bits64" and type(value) is int:
                emit64(ctx, handle, width, value & ((1 << width) - 1))
            elif cls == "bits" or cls == "bits64":
                emit(ctx, handle, bit_string(value, width).encode())
            elif cls == "real":
                self._real[0] = float(value)
                emit(ctx, handle, self._real)
            elif cls == "string":
                data = str(value).encode("utf-8", "surrogateescape")
                lib.fstWriterEmitVariableLengthValueChange(ctx, handle, data, len(data))
            else:
                emit(ctx, handle, b"1")

    def _emit_block(self, time: int, block: Block, values: list[tuple[int, Value]]) -> None:
        self._time(time)
        if block is Block.ON:
            lib.fstWriterEmitDumpActive(self._ctx, 1)
        self._emit(time, values)
        if block is Block.OFF:
            lib.fstWriterEmitDumpActive(self._ctx, 0)

    def comment(self, text: str) -> None:
        """A comment in the file's attributes; FST has none between changes."""
        lib.fstWriterSetComment(self._ctx, text.encode("utf-8", "replace").replace(b"\0", b" "))

    def bytes_written(self) -> int:
        """Bytes in the file; libfst's own buffers are not counted."""
        return os.path.getsize(self.path)

    def _sync(self) -> None:
        lib.fstWriterFlushContext(self._ctx)

    def _finish(self, end: int | None) -> None:
        if end is not None:
            self._time(end)
        failed = lib.fstWriterGetFseekFailed(self._ctx)
        lib.fstWriterClose(self._ctx)
        self._ctx = ffi.NULL
        if failed:
            raise WaveError(f"cannot write {self.path}: libfst reports a failed seek (disk full?)")
