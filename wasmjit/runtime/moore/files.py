"""File input and output (IEEE 1800-2023 §21.3).

A descriptor of `$fopen` with a mode has bit 31 set; 0x8000_0000, 0x8000_0001 and 0x8000_0002 are the standard streams. Without a mode it
is a multichannel
descriptor, one bit per file, bit 0 standard output. What a design writes to standard output goes through `rt.out`.
"""

from __future__ import annotations

import errno
import io
import os
import struct
from typing import IO, cast

from wasmjit.data import dataclass, field
from wasmjit.runtime.moore.layouts import storage_bytes
from wasmjit.runtime.moore.scan import Number, Source, scan
from wasmjit.runtime.moore.strings import make
from wasmjit.runtime.services import (
    M32,
    M64,
    Runtime,
    SimFault,
    checked_len,
    cstring,
    s32,
    service,
    store_pair,
    string_at,
    string_value,
    text,
)

FD_BIT = 1 << 31
MAX_OPEN = 256
MAX_LINE = 1 << 24
EOF = M32
SCAN_CHUNK = 4096


@dataclass(slots=True)
class File:
    """An open file; `pushed`: characters of `$ungetc`, the next one last."""

    stream: IO[bytes]
    name: str
    eof: bool = False
    error: int = 0
    pushed: bytearray = field(default_factory=bytearray)
    last: str = ""

    def turn(self, operation: str) -> None:
        """C requires a seek between reading and writing the same file; do it for the design."""
        if self.last and self.last != operation:
            self.stream.seek(self.tell())
            self.pushed.clear()
        self.last = operation

    def tell(self) -> int:
        return self.stream.tell() - len(self.pushed)

    def unread(self, data: bytes, used: int, pushed: int) -> None:
        """Give back what follows the first `used` bytes of `data`, which was just read; the first `pushed` bytes of it had been pushed back."""
        fresh = len(data) - max(used, pushed)
        if fresh > 0:
            self.stream.seek(-fresh, 1)
        self.pushed += data[used:pushed][::-1]

    def read(self, n: int) -> bytes:
        """Up to `n` bytes; sets `eof` when there are fewer."""
        self.turn("r")
        out = bytearray()
        while self.pushed and len(out) < n:
            out.append(self.pushed.pop())
        if len(out) < n:
            out += self.stream.read(n - len(out))
            if len(out) < n:
                self.eof = True
        return bytes(out)


@dataclass(slots=True)
class FileTable:
    files: dict[int, File] = field(default_factory=dict)
    channels: dict[int, File] = field(default_factory=dict)
    last_error: int = 0

    def add(self, file: File) -> int:
        """The new file's descriptor, or 0 when too many are open."""
        for n in range(3, MAX_OPEN + 3):
            if FD_BIT | n not in self.files:
                self.files[FD_BIT | n] = file
                return FD_BIT | n
        return 0

    def add_channel(self, file: File) -> int:
        for bit in range(1, 31):
            if 1 << bit not in self.channels:
                self.channels[1 << bit] = file
                return 1 << bit
        return 0

    def close(self, fd: int) -> None:
        if fd & FD_BIT:
            file = self.files.pop(fd, None)
            if file is not None:
                file.stream.close()
            return
        for bit in [b for b in self.channels if fd & b]:
            self.channels.pop(bit).stream.close()

    def close_all(self) -> None:
        """At the end of the run: what was written must reach the disk."""
        for file in [*self.files.values(), *self.channels.values()]:
            file.stream.close()
        self.files.clear()
        self.channels.clear()


_MODES = {b"r": "rb", b"w": "wb", b"a": "ab", b"r+": "r+b", b"w+": "w+b", b"a+": "a+b"}


def open_file(rt: Runtime, name: str, mode: str) -> File | None:
    """Open for the design; None with the errno in the table when that fails or the sandbox does not grant the path."""
    table = rt.host.files
    path = rt.open_path(name, mode != "rb")
    if path is None:
        table.last_error = errno.EACCES
        rt.warn(f"$fopen: access to {name!r} is not allowed (--allow-read / --allow-write grant directories)")
        return None
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            table.last_error = errno.EISDIR if os.path.isdir(path) else errno.EACCES
            return None
        return File(cast("IO[bytes]", io.open(path, mode)), name)  # noqa: UP020
    except (OSError, ValueError) as e:
        table.last_error = getattr(e, "errno", None) or errno.EINVAL
        return None


@service("__moore_fopen", "pp", "i")
def fopen(rt: Runtime, name: int, mode: int) -> int:
    path, how = text(string_at(rt, name)), string_at(rt, mode).replace(b"b", b"").strip()
    table = rt.host.files
    if not how:
        file = open_file(rt, path, "wb")
        return table.add_channel(file) if file else 0
    python_mode = _MODES.get(how)
    if python_mode is None:
        table.last_error = errno.EINVAL
        return 0
    file = open_file(rt, path, python_mode)
    return table.add(file) if file else 0


@service("__moore_fclose", "i")
def fclose(rt: Runtime, fd: int) -> None:
    rt.host.files.close(fd & M32)


def _reader(rt: Runtime, fd: int) -> File | None:
    """The file behind a descriptor, or None (an error the design can ask for)."""
    file = rt.host.files.files.get(fd & M32)
    if file is None:
        rt.host.files.last_error = errno.EBADF
    return file


def write_to(rt: Runtime, fd: int, data: bytes) -> None:
    """`$fwrite` to a descriptor or to each channel of a multichannel descriptor."""
    fd &= M32
    table = rt.host.files
    if fd & FD_BIT:
        if fd == FD_BIT | 1:
            rt.out(data)
            return
        if fd == FD_BIT | 2:
            os.write(2, data)
            return
        targets = [table.files.get(fd)]
    else:
        if fd & 1:
            rt.out(data)
        targets = [f for bit, f in table.channels.items() if fd & bit]
    for file in targets:
        if file is None:
            table.last_error = errno.EBADF
            continue
        try:
            file.turn("w")
            file.stream.write(data)
        except (OSError, ValueError) as e:
            file.error = table.last_error = getattr(e, "errno", None) or errno.EBADF


@service("__moore_fwrite", "ip")
def fwrite(rt: Runtime, fd: int, string: int) -> None:
    write_to(rt, fd, string_at(rt, string))


@service("__moore_fflush", "i")
def fflush(rt: Runtime, fd: int) -> None:
    """Descriptor 0 flushes all files."""
    fd &= M32
    table = rt.host.files
    files = (
        [table.files[fd]]
        if fd in table.files
        else [f for b, f in table.channels.items() if fd & b]
        if fd
        else [*table.files.values(), *table.channels.values()]
    )
    for file in files:
        if file.stream.writable():
            file.stream.flush()


@service("__moore_feof", "i", "i")
def feof(rt: Runtime, fd: int) -> int:
    """Non-zero when nothing is left to read, also before a read has failed (as circt-sim; C and Icarus wait for the failing read)."""
    file = _reader(rt, fd)
    if file is None:
        return 1
    if not file.eof and file.last != "w" and file.stream.readable():
        at = file.tell()
        file.eof = not file.pushed and not file.stream.read(1)
        if not file.pushed:
            file.stream.seek(at)
    return int(file.eof)


@service("__moore_ferror", "ip", "i")
def ferror(rt: Runtime, fd: int, message: int) -> int:
    """The error number, with its text stored in the string at `message`; 0 and an empty string for a good descriptor."""
    fd &= M32
    table = rt.host.files
    standard = fd in (FD_BIT, FD_BIT | 1, FD_BIT | 2) or (
        fd and not fd & FD_BIT and all(fd >> b & 1 == 0 or 1 << b in table.channels or b == 0 for b in range(31))
    )
    file = table.files.get(fd)
    code = file.error if file else 0 if standard else table.last_error or errno.EBADF
    if message:
        store_string(rt, message, os.strerror(code).encode() if code else b"")
    return code


def store_string(rt: Runtime, dest: int, data: bytes) -> None:
    """Assign text to a string variable, or to a packed one when the destination is a net (last character least significant)."""
    if dest >> 32:
        size = rt.pointee_size(dest)
        if size > 1 and size != 16:
            half = size // 2
            rt.store_bytes(dest, int.from_bytes(data[-half:], "big").to_bytes(half, "little") + bytes(size - half))
            return
    store_pair(rt, dest, *make(rt, data))


@service("__moore_fgetc", "i", "i")
def fgetc(rt: Runtime, fd: int) -> int:
    file = _reader(rt, fd)
    data = _read(rt, file, 1)
    return data[0] if data else EOF


def _read(rt: Runtime, file: File | None, n: int) -> bytes:
    if file is None:
        return b""
    try:
        return file.read(n)
    except (OSError, ValueError) as e:
        file.error = rt.host.files.last_error = getattr(e, "errno", None) or errno.EBADF
        return b""


@service("__moore_ungetc", "ii", "i")
def ungetc(rt: Runtime, char: int, fd: int) -> int:
    """Pushes a character back; the character, or EOF on a bad descriptor."""
    file = _reader(rt, fd)
    if file is None or char & M32 == EOF or len(file.pushed) >= 64:
        return EOF
    file.turn("r")
    file.pushed.append(char & 0xFF)
    file.eof = False
    return char & 0xFF


@service("__moore_fgets", "pi", "i")
def fgets(rt: Runtime, dest: int, fd: int) -> int:
    """A line with its newline, at most as long as a packed destination; the number of characters read, 0 at the end."""
    file = _reader(rt, fd)
    if file is None:
        return 0
    limit = MAX_LINE
    if dest >> 32 and rt.pointee_size(dest) not in (0, 16):
        limit = max(1, rt.pointee_size(dest) // 2)
    line = bytearray()
    while len(line) < limit:
        if file.pushed:
            line += _read(rt, file, 1)
        else:
            try:
                file.turn("r")
                got = file.stream.readline(limit - len(line))
            except (OSError, ValueError) as e:
                file.error = rt.host.files.last_error = getattr(e, "errno", None) or errno.EBADF
                break
            line += got
            if not got or (not got.endswith(b"\n") and len(line) < limit):
                file.eof = True
                break
        if line.endswith(b"\n"):
            break
    if line:
        store_string(rt, dest, bytes(line))
    return len(line)


@service("__moore_ftell", "i", "i")
def ftell(rt: Runtime, fd: int) -> int:
    file = _reader(rt, fd)
    return file.tell() & M32 if file else EOF


@service("__moore_fseek", "iii", "i")
def fseek(rt: Runtime, fd: int, offset: int, origin: int) -> int:
    """origin 0 start, 1 current position, 2 end; 0, or -1 on error."""
    file, whence = _reader(rt, fd), s32(origin)
    if file is None or whence not in (0, 1, 2):
        return EOF
    at = s32(offset) + (file.tell() if whence == 1 else 0)
    file.pushed.clear()
    try:
        file.stream.seek(at, 0 if whence == 1 else whence)
    except (OSError, ValueError) as e:
        file.error = rt.host.files.last_error = getattr(e, "errno", None) or errno.EINVAL
        return EOF
    file.eof = False
    return 0


@service("__moore_rewind", "i")
def rewind(rt: Runtime, fd: int) -> None:
    fseek(rt, fd, 0, 0)


@service("__moore_fread", "piiii", "i")
def fread(rt: Runtime, dest: int, bits: int, stride: int, count: int, fd: int) -> int:
    """Binary data, big endian: `count` elements of `bits` bits, `stride` bytes apart in memory; the number of bytes read.

    An element is 4-state when the stride has room for the unknown bits.
    """
    width, step, n = s32(bits), s32(stride), checked_len(s32(count), "$fread element count")
    if not 0 < width <= 1 << 20 or not 0 < step <= 1 << 20:
        raise SimFault(f"$fread of {width} bits with a stride of {step} bytes is out of range")
    file = _reader(rt, fd)
    if file is None:
        return 0
    size, unit = storage_bytes(width), -(-width // 8)
    unknown = bytes(size) if step == 2 * size else b""
    mask = (1 << width) - 1
    total = 0
    for i in range(n):
        chunk = _read(rt, file, unit)
        if not chunk:
            break
        total += len(chunk)
        value = int.from_bytes(chunk.ljust(unit, b"\0"), "big") & mask
        rt.store_bytes(dest + i * step, value.to_bytes(size, "little") + unknown)
        if len(chunk) < unit:
            break
    return total & M32


# ---------------------------------------------------------------------------------------------------------------------------------
# Formatted input


def _store_scanned(rt: Runtime, values: list[Number | float | bytes], results: int, widths: int, count: int) -> int:
    """Results go to i64 slots; `widths` holds the bit width of each destination."""
    values = values[:count]
    for i, value in enumerate(values):
        if isinstance(value, Number):
            bits = value.value & ~value.unknown & M64
        elif isinstance(value, float):
            bits = struct.unpack("<Q", struct.pack("<d", value))[0]
        else:
            width = rt.ld(widths + 4 * i, 4) if widths else 64
            room = max(1, min(8, -(-min(width, 64) // 8)))
            bits = int.from_bytes(value[-room:], "big")
        rt.st(results + 8 * i, 8, bits)
    return len(values)


def _scan_count(count: int) -> int:
    return checked_len(s32(count), "number of scan arguments", 1 << 16)


@service("__moore_sscanf", "plpppi", "i")
def sscanf(rt: Runtime, data: int, length: int, fmt: int, results: int, widths: int, count: int) -> int:
    values, ended = scan(Source(string_value(rt, data, length)), cstring(rt, fmt), rt.instance_path())
    n = _store_scanned(rt, values, results, widths, _scan_count(count))
    return EOF if ended and not n else n


@service("__moore_fscanf", "ipppi", "i")
def fscanf(rt: Runtime, fd: int, fmt: int, results: int, widths: int, count: int) -> int:
    file = _reader(rt, fd)
    if file is None:
        return EOF
    spec, path = cstring(rt, fmt), rt.instance_path()
    pushed, data, want = len(file.pushed), b"", SCAN_CHUNK
    while True:
        # a conversion that stops at the end of the chunk might go on behind it: read more
        data += _read(rt, file, want - len(data))
        source = Source(data)
        values, ended = scan(source, spec, path)
        if source.at < len(data) or len(data) < want or want >= MAX_LINE:
            break
        want *= 8
    at_end = len(data) < want and source.at >= len(data)
    file.unread(data, source.at, min(pushed, len(data)))
    file.eof = at_end
    n = _store_scanned(rt, values, results, widths, _scan_count(count))
    return EOF if ended and not n else n
