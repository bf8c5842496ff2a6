"""Build the index of a waveform file: each signal's changes, contiguous, as plain arrays.

The index is a directory of flat files that the server maps into memory (`wasmjit_api.waves.index` reads it):

    meta.json   hierarchy, signals, time range, source size and mtime
    times.bin   u64 fs per change, signal after signal
    refs.bin    u32 per change: number of the value in the pool
    pool.bin    value texts, one after the other; pool.off: u64 offsets (n+1); pool.num: f64 per value, NaN if not a number
    xs.bin      u32 per change that holds x or z: its position within its signal

One sample per signal and time is kept, the last one, and a sample that does not change the value is dropped; so two
dumps of the same behaviour by different simulators index alike. Values are canonical: bit vectors without redundant
leading digits (`b0011` -> `11`, `bxx1` -> `x1`, IEEE 1364-2005 §18.2.1 extends them back), lower case.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import struct
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from wasmjit_api.config import MAX_TIME

INDEX_VERSION = 3
_CHUNK = 1 << 22
_POOL_DICT_LIMIT = 1 << 20
_SCALARS = {"0": 0, "1": 1, "x": 2, "z": 3, "l": 0, "h": 1, "u": 2, "w": 2, "-": 2}
_UNIT_FS = {"s": 10**15, "ms": 10**12, "us": 10**9, "ns": 10**6, "ps": 10**3, "fs": 1}


class WaveFileError(Exception):
    """The file is not a waveform this server can read; the text says why."""


@dataclass(slots=True)
class Var:
    """A declared variable; `signal` is the number its changes are stored under (aliases share it)."""

    name: str
    kind: str
    width: int
    signal: int
    scope: int
    left: int | None = None
    right: int | None = None


@dataclass(slots=True)
class Header:
    """Hierarchy of a file. `scopes`: (name, kind, parent number or -1); `idents`: identifier code -> signal number."""

    scale_fs: int = 1
    scopes: list[tuple[str, str, int]] = field(default_factory=list)
    variables: list[Var] = field(default_factory=list)
    idents: dict[bytes, int] = field(default_factory=dict)
    comment: str = ""

    def declare(self, ident: bytes, name: str, kind: str, width: int, scope: int) -> None:
        signal = self.idents.setdefault(ident, len(self.idents))
        base, left, right = split_range(name)
        self.variables.append(Var(base, kind, width, signal, scope, left, right))


def split_range(name: str) -> tuple[str, int | None, int | None]:
    """('data', 31, 0) of 'data [31:0]' or 'data[31:0]'; a bit select of an unpacked name stays part of the name."""
    if name.endswith("]") and not name.startswith("\\"):
        base, _, inside = name[:-1].rpartition("[")
        left, colon, right = inside.partition(":")
        if colon and base and _is_int(left) and _is_int(right):
            return base.rstrip(), int(left), int(right)
    return name.removeprefix("\\"), None, None


def _is_int(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and len(text) < 12


# -- value pool -------------------------------------------------------------------------------------------------------


class Pool:
    """Interned value texts. `number` is exact up to 2**53, the nearest double beyond."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.offsets = array("Q", [0])
        self.numbers = array("d")
        self.has_x: list[bool] = []
        self._raw: dict[bytes, int] = {}
        self._canonical: dict[bytes, int] = {}
        for text in (b"0", b"1", b"x", b"z"):
            self._intern(text, math.nan if text in b"xz" else float(text), text in b"xz")

    def _intern(self, text: bytes, number: float, has_x: bool) -> int:
        known = self._canonical.get(text)
        if known is not None:
            return known
        ref = len(self.numbers)
        if ref >= 1 << 32:
            raise WaveFileError("more than 2**32 different values")
        self.data += text
        self.offsets.append(len(self.data))
        self.numbers.append(number)
        self.has_x.append(has_x)
        if len(self._canonical) > _POOL_DICT_LIMIT:
            self._canonical.clear()  # bounds memory: a value seen again is stored again, which is only larger
        self._canonical[text] = ref
        return ref

    def ref(self, token: bytes) -> int:
        """Number of a value token as it stands in the file: b1010, r1.5 or stext."""
        ref = self._raw.get(token)
        if ref is None:
            ref = self._add(token)
            if len(self._raw) > _POOL_DICT_LIMIT:
                self._raw.clear()
            self._raw[token] = ref
        return ref

    def _add(self, token: bytes) -> int:
        kind, text = token[:1].lower(), token[1:]
        if kind == b"b":
            text = canonical_bits(text)
            has_x = bool(text.translate(None, b"01"))
            return self._intern(text, math.nan if has_x else _bits_to_float(text), has_x)
        if kind == b"r":
            try:
                return self._intern(text, float(text), False)
            except ValueError:
                raise WaveFileError(f"{token[:40]!r} is not a real value") from None
        return self._intern(b'"' + text, math.nan, False)


def _bits_to_float(text: bytes) -> float:
    try:
        return float(int(text, 2))
    except OverflowError:
        return math.inf


_BIT_MAP = bytes.maketrans(b"XZUWLHuwlh-", b"xzxx01xx01x")


def canonical_bits(text: bytes) -> bytes:
    """Shortest spelling of a bit vector that extends to the same value. Raises WaveFileError for other characters."""
    text = text.translate(_BIT_MAP)
    if not text or text.translate(None, b"01xz"):
        raise WaveFileError(f"{text[:40]!r} is not a bit vector")
    first = text[:1]
    if first in b"xz":
        return first + text.lstrip(first) if len(text) > 1 else text
    stripped = text.lstrip(b"0")
    if not stripped:
        return b"0"
    return stripped if stripped[:1] == b"1" else b"0" + stripped


# -- VCD ----------------------------------------------------------------------------------------------------------------


def _tokens(file: BinaryIO, progress: Callable[[int], None] | None = None) -> Iterator[bytes]:
    def chunks() -> Iterator[list[bytes]]:
        rest = b""
        done = 0
        while block := file.read(_CHUNK):
            done += len(block)
            if progress is not None:
                progress(done)
            block = rest + block
            cut = max(block.rfind(b"\n"), block.rfind(b" "), block.rfind(b"\t"), block.rfind(b"\r")) + 1
            if not cut and len(block) > 4 * _CHUNK:
                raise WaveFileError("a single word of more than 16 MiB")
            rest = block[cut:]
            yield block[:cut].split()
        # A word cut off by the end of the file (a run still going on) cannot be told from a whole one: without a line end it is dropped.

    return itertools.chain.from_iterable(chunks())


def read_vcd_header(tokens: Iterator[bytes]) -> Header:
    """Declarations up to `$enddefinitions`. Raises WaveFileError."""
    header = Header()
    stack = [-1]
    for token in tokens:
        if token == b"$enddefinitions":
            _until_end(tokens)
            return header
        if not token.startswith(b"$"):
            raise WaveFileError(f"expected a declaration but got {token[:40]!r}: this is not a VCD file")
        words = [word.decode("utf-8", "replace") for word in _until_end(tokens)]
        if token == b"$scope":
            if len(words) < 2:
                raise WaveFileError("a $scope without a name")
            header.scopes.append((words[1].removeprefix("\\"), words[0], stack[-1]))
            stack.append(len(header.scopes) - 1)
        elif token == b"$upscope":
            if len(stack) == 1:
                raise WaveFileError("an $upscope without its $scope")
            stack.pop()
        elif token == b"$var":
            if len(words) < 4 or not words[1].isdecimal():
                raise WaveFileError(f"a $var of unknown form: {' '.join(words)[:80]!r}")
            header.declare(words[2].encode(), " ".join(words[3:]), words[0], int(words[1]), stack[-1])
        elif token == b"$timescale":
            header.scale_fs = parse_timescale("".join(words))
        elif token in (b"$comment", b"$version", b"$date") and token == b"$version":
            header.comment = " ".join(words)[:200]
    raise WaveFileError("the file ends before $enddefinitions: this is not a whole VCD file")


def _until_end(tokens: Iterator[bytes]) -> list[bytes]:
    words: list[bytes] = []
    for word in tokens:
        if word == b"$end":
            return words
        words.append(word)
    raise WaveFileError("the file ends inside a declaration")


def parse_timescale(text: str) -> int:
    """Femtoseconds per tick of '1ns', '10 ps'. Raises WaveFileError below 1 fs."""
    text = text.replace(" ", "")
    digits = text.rstrip("smunpfa")
    unit = _UNIT_FS.get(text[len(digits) :])
    if unit is None or digits not in ("1", "10", "100"):
        raise WaveFileError(f"expected a timescale like 1ns but got {text[:40]!r}")
    return int(digits) * unit


def read_changes(header: Header, tokens: Iterator[bytes], pool: Pool) -> tuple[list[array[int]], list[array[int]], int, int]:
    """All value changes: (times, refs) per signal, and the first and last time. Raises WaveFileError."""
    count = len(header.idents)
    times = [array("Q") for _ in range(count)]
    refs = [array("I") for _ in range(count)]
    scalar = [-1] * 256
    for text, ref in _SCALARS.items():
        scalar[ord(text)] = scalar[ord(text.upper())] = ref
    events = {var.signal for var in header.variables if var.kind == "event"}
    table = {ident: (times[n], refs[n], n in events) for ident, n in header.idents.items()}
    scale, now, first = header.scale_fs, 0, -1
    vectors = frozenset(b"bBrRsS")
    pool_ref = pool.ref
    for token in tokens:
        lead = token[0]
        ref = scalar[lead]
        if ref >= 0:
            ident = token[1:]
        elif lead == 35:  # '#'
            try:
                later = int(token[1:]) * scale
            except ValueError:
                raise WaveFileError(f"{token[:40]!r} is not a time") from None
            if later < now or later > MAX_TIME:
                raise WaveFileError(f"time {later} fs after {now} fs: times must not decrease and stay below 9e18 fs")
            now = later
            if first < 0:
                first = now
            continue
        elif lead in vectors:
            ref = pool_ref(token)
            ident = next(tokens, b"")
            if not ident:
                break
        elif lead == 36:  # '$': $dumpvars, $dumpoff, $end are markers only; a comment is skipped
            if token == b"$comment":
                _until_end(tokens)
            continue
        else:
            raise WaveFileError(f"expected a value change but got {token[:40]!r}")
        try:
            column, values, is_event = table[ident]
        except KeyError:
            raise WaveFileError(f"a change of the undeclared identifier {ident[:40]!r}") from None
        if values:
            if column[-1] == now:
                values[-1] = ref
                if len(values) > 1 and values[-2] == ref and not is_event:
                    values.pop()
                    column.pop()
                continue
            if values[-1] == ref and not is_event:
                continue
        column.append(now)
        values.append(ref)
    return times, refs, max(first, 0), now


# -- FST ----------------------------------------------------------------------------------------------------------------

_FST_KINDS = ["event", "integer", "parameter", "real", "real_parameter", "reg", "supply0", "supply1", "time", "tri", "triand", "trior", "trireg", "tri0", "tri1", "wand", "wire", "wor", "port", "sparray", "realtime", "string", "bit", "logic", "int", "shortint", "longint", "byte", "enum", "shortreal"]


def fst_ident(handle: int) -> bytes:
    """The VCD identifier code that libfst writes for a handle."""
    out = bytearray()
    while handle:
        handle -= 1
        out.append(33 + handle % 94)
        handle //= 94
    return bytes(out)


def open_fst(path: Path) -> tuple[Header, Iterator[bytes]]:
    """Header and value-change tokens of an FST file; libfst writes the changes as VCD text into a pipe. Raises WaveFileError."""
    import ctypes
    import threading

    from pylibfst import ffi, lib, string  # type: ignore[import-untyped]

    reader = lib.fstReaderOpen(str(path).encode())
    if reader == ffi.NULL:
        raise WaveFileError("libfst cannot open this file: it is not a whole FST file")
    exponent = int(lib.fstReaderGetTimescale(reader))
    if not -15 <= exponent <= 2:
        raise WaveFileError(f"a time scale of 1e{exponent} s: the finest this server reads is 1 fs")
    header = Header(scale_fs=10 ** (15 + exponent), comment=string(lib.fstReaderGetVersionString(reader)).strip()[:200])
    stack = [-1]
    lib.fstReaderIterateHierRewind(reader)
    while (item := lib.fstReaderIterateHier(reader)) != ffi.NULL:
        if item.htyp == lib.FST_HT_SCOPE:
            header.scopes.append((string(item.u.scope.name), "module" if item.u.scope.typ == 0 else "scope", stack[-1]))
            stack.append(len(header.scopes) - 1)
        elif item.htyp == lib.FST_HT_UPSCOPE and len(stack) > 1:
            stack.pop()
        elif item.htyp == lib.FST_HT_VAR:
            kind = _FST_KINDS[item.u.var.typ] if item.u.var.typ < len(_FST_KINDS) else "wire"
            header.declare(fst_ident(item.u.var.handle), string(item.u.var.name), kind, int(item.u.var.length), stack[-1])
    lib.fstReaderSetFacProcessMaskAll(reader)
    read_end, write_end = os.pipe()
    libc = ctypes.CDLL(None)
    libc.fdopen.restype = ctypes.c_void_p
    libc.fdopen.argtypes = (ctypes.c_int, ctypes.c_char_p)
    libc.fclose.argtypes = (ctypes.c_void_p,)
    stream = libc.fdopen(write_end, b"wb")
    null_callback = ffi.cast("void(*)(void *, uint64_t, fstHandle, const unsigned char *)", 0)

    def pump() -> None:
        # cffi releases the interpreter lock, so this thread fills the pipe while the main thread reads it.
        lib.fstReaderIterBlocks(reader, null_callback, ffi.NULL, ffi.cast("FILE *", stream))
        libc.fclose(stream)
        lib.fstReaderClose(reader)

    threading.Thread(target=pump, daemon=True).start()
    return header, _tokens(os.fdopen(read_end, "rb"))


# -- the index directory ------------------------------------------------------------------------------------------------


def build_index(source: Path, target: Path, progress: Callable[[int], None] | None = None) -> dict[str, Any]:
    """Index `source` (VCD or FST, told apart by content) into the existing directory `target`; returns the meta data.

    `progress` gets bytes read. Raises WaveFileError for files that are not waveforms, OSError for I/O.
    """
    stat = source.stat()
    with source.open("rb") as file:
        head = file.read(4096)
        if not head:
            raise WaveFileError("the file is empty")
        pool = Pool()
        if head.lstrip()[:1] == b"$":
            file.seek(0)
            tokens = _tokens(file, progress)
            header, form = read_vcd_header(tokens), "vcd"
        elif head[0] in (0, 254):
            (header, tokens), form = open_fst(source), "fst"
        else:
            raise WaveFileError("neither a VCD nor an FST file")
        times, refs, first, last = read_changes(header, tokens, pool)
    signals = _write_columns(target, times, refs, pool, header)
    meta = {
        "version": INDEX_VERSION, "format": form, "source_size": stat.st_size, "source_mtime_ns": stat.st_mtime_ns, "scale_fs": header.scale_fs,
        "t_begin": first, "t_end": last, "changes": sum(map(len, times)), "comment": header.comment, "scopes": header.scopes,
        "vars": [[v.name, v.kind, v.width, v.signal, v.scope, v.left, v.right] for v in header.variables], "signals": signals,
    }
    (target / "meta.json").write_text(json.dumps(meta, separators=(",", ":")), encoding="utf-8", errors="replace")
    return meta


def _write_columns(target: Path, times: list[array[int]], refs: list[array[int]], pool: Pool, header: Header) -> list[list[Any]]:
    widths: dict[int, tuple[int, str]] = {}
    for var in header.variables:
        widths.setdefault(var.signal, (var.width, "real" if "real" in var.kind else var.kind if var.kind in ("string", "event") else "bits"))
    signals: list[list[Any]] = []
    has_x = pool.has_x
    first = first_x = 0
    with (target / "xs.bin").open("wb") as xs_file:
        for number, column in enumerate(refs):
            marks = array("I", (k for k, ref in enumerate(column) if has_x[ref]))
            marks.tofile(xs_file)
            width, kind = widths[number]
            signals.append([first, len(column), first_x, len(marks), width, kind])
            first += len(column)
            first_x += len(marks)
    _write(target / "times.bin", times)
    _write(target / "refs.bin", refs)
    _write(target / "pool.off", [pool.offsets])
    _write(target / "pool.num", [pool.numbers])
    (target / "pool.bin").write_bytes(pool.data)
    return signals


def _write(path: Path, columns: Iterable[array[Any]]) -> None:
    if struct.pack("=H", 1) != struct.pack("<H", 1):
        raise WaveFileError("the index format is little endian; this machine is not")
    with path.open("wb") as file:
        for column in columns:
            column.tofile(file)
