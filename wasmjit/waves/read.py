"""Opening waveform files of either format."""

from __future__ import annotations

import gzip
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from wasmjit.waves.data import Limits, WaveData, check_limit
from wasmjit.waves.model import WaveError
from wasmjit.waves.vcd import identifier_code
from wasmjit.waves.vcd_read import VcdReader

DEFAULT_LIMITS = Limits()
_FST_CPU_S = 600
_FST_MEMORY = 16 << 30
_FST_BLOCKS = frozenset(range(9)) | {254}
_FST_HEADER_BYTES = 329


def open_wave(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS, tolerant: bool = False) -> WaveData:
    """Read a VCD (plain or gzip) or FST file completely; the format is told by the content.

    `tolerant`: keep what precedes the first damage of a VCD and describe the damage in `WaveData.truncated`, instead of raising.
    Raises WaveError for unreadable, malformed or too large files.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            check_limit("file size", os.fstat(file.fileno()).st_size, limits.file_bytes, name)
            head = file.read(16)
            file.seek(0)
            if head[:2] == b"\x1f\x8b":
                with gzip.open(file) as plain:
                    return VcdReader(cast(BinaryIO, plain), name, limits, tolerant).parse()
            if not head.strip():
                raise WaveError(f"{name}: the file is empty")
            if head[0] in _FST_BLOCKS:
                check_fst(file, name)
                return _read_fst(name, limits)
            return VcdReader(file, name, limits, tolerant).parse()
    except (OSError, EOFError, zlib.error) as exc:
        raise WaveError(f"cannot read {name}: {getattr(exc, 'strerror', None) or exc}") from exc


def check_fst(file: BinaryIO, name: str) -> None:
    """Check the block structure of an FST file: types known, lengths inside the file, a complete header first. Raises WaveError."""
    size = os.fstat(file.fileno()).st_size
    at, first = 0, True
    while at < size:
        file.seek(at)
        head = file.read(9)
        length = int.from_bytes(head[1:9], "big")
        if len(head) < 9 or head[0] not in _FST_BLOCKS or length < 8 or at + 1 + length > size:
            raise WaveError(f"{name}: damaged FST file (block at byte {at}); it may not have been closed")
        if first and head[0] != 254 and (head[0] != 0 or length != _FST_HEADER_BYTES):
            raise WaveError(f"{name}: this is no FST file, or its header is damaged")
        first = False
        at += 1 + length


def _real_records(stream: BinaryIO, name: str, limits: Limits) -> list[tuple[str, int, float]]:
    """Changes of real variables as (VCD code, time, value); see `_fst_child`."""
    line = stream.readline(32).split()
    if len(line) != 2 or line[0] != b"R":
        raise WaveError(f"{name}: libfst delivered nothing")
    size = int(line[1])
    check_limit("size of real values", size, limits.file_bytes, name)
    records = stream.read(size)
    if len(records) != size:
        raise WaveError(f"{name}: libfst stopped early")
    # libfst's VCD code of a handle, counted from 1, is the one we use for an index counted from 0.
    return [(identifier_code(handle - 1), time, value) for handle, time, value in struct.iter_unpack("<IQd", records)]


def _read_fst(name: str, limits: Limits) -> WaveData:
    """libfst in a child process writes VCD into a pipe; see `_fst_child`."""
    child = Path(__file__).with_name("_fst_child.py")
    command = [sys.executable, str(child), os.path.abspath(name), str(_FST_CPU_S), str(_FST_MEMORY)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        failure: WaveError | None = None
        data = WaveData(name, "fst", 1)
        try:
            stream = cast(BinaryIO, process.stdout)
            reals = _real_records(stream, name, limits)
            reader = VcdReader(stream, name, limits)
            data = reader.parse()
            reader.add_reals(reals)
        except WaveError as exc:
            failure = exc
            process.kill()
        process.stdout.close()
        message = process.stderr.read(4096).decode("utf-8", "replace").strip()
        status = process.wait()
    if failure is not None and "beyond the limit" in str(failure):
        raise failure
    if status or failure is not None:
        why = message.splitlines()[-1] if message else f"libfst stopped with status {status}"
        raise WaveError(f"{name}: damaged FST file: {why}") from failure
    data.format = "fst"
    return data
