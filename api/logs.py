"""The log of a run: its lines with the simulation time each was printed at."""

from __future__ import annotations

import mmap
import struct
import threading
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from pathlib import Path
from typing import Any

_ENTRY = 16
_LINE_LIMIT = 4000


class LogFile:
    """Lines of stdout.txt, found by number or by time. `times[n]` is the time of the write that line n began in, 0 without an index."""

    def __init__(self, text: Path, index: Path | None) -> None:
        self.path = text
        self.starts = array("Q")
        offsets, stamps = _read_index(index)
        with text.open("rb") as file:
            self.size = file.seek(0, 2)
            if self.size:
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                    position = 0
                    while position < self.size:
                        self.starts.append(position)
                        found = data.find(b"\n", position)
                        position = self.size if found < 0 else found + 1
        self.times = array("Q", (stamps[max(0, bisect_right(offsets, start) - 1)] if stamps else 0 for start in self.starts))

    def lines(self, first: int, count: int) -> list[dict[str, Any]]:
        """Lines `first` … : {"n", "t", "text"}; long ones are cut."""
        out = []
        last = min(len(self.starts), first + count)
        with self.path.open("rb") as file:
            for n in range(first, last):
                end = self.starts[n + 1] if n + 1 < len(self.starts) else self.size
                file.seek(self.starts[n])
                raw = file.read(min(end - self.starts[n], _LINE_LIMIT))
                out.append({"n": n, "t": self.times[n], "text": printable(raw.decode("utf-8", "replace").rstrip("\r\n"))})
        return out

    def line_at(self, time: int) -> int:
        """Number of the first line printed at or after `time`."""
        return bisect_left(self.times, time)

    def search(self, text: str, first: int, limit: int) -> list[int]:
        """Numbers of the lines from `first` on that contain `text`."""
        needle = text.encode("utf-8", "replace")
        found: list[int] = []
        if not self.size or not needle:
            return found
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            position = self.starts[first] if first < len(self.starts) else self.size
            while len(found) < limit and (hit := data.find(needle, position)) >= 0:
                line = bisect_right(self.starts, hit) - 1
                found.append(line)
                position = self.starts[line + 1] if line + 1 < len(self.starts) else self.size
        return found


def printable(text: str) -> str:
    """The text without control characters (a design may print terminal escapes), tabs kept."""
    return "".join(c if c >= " " and c != "\x7f" or c == "\t" else "\ufffd" for c in text)


def _read_index(index: Path | None) -> tuple[array[int], array[int]]:
    offsets, stamps = array("Q"), array("Q")
    if index is None:
        return offsets, stamps
    raw = index.read_bytes()
    for offset, stamp in struct.iter_unpack("<QQ", raw[: len(raw) // _ENTRY * _ENTRY]):
        offsets.append(offset)
        stamps.append(stamp)
    return offsets, stamps


class LogCache:
    """The logs last used, by file, size and modification time."""

    def __init__(self, limit: int = 8) -> None:
        self._limit = limit
        self._known: OrderedDict[tuple[str, int, int], LogFile] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, text: Path, index: Path | None) -> LogFile:
        stat = text.stat()
        key = (str(text), stat.st_size, stat.st_mtime_ns)
        with self._lock:
            log = self._known.get(key)
        if log is None:
            log = LogFile(text, index)
            with self._lock:
                self._known[key] = log
                while len(self._known) > self._limit:
                    self._known.popitem(last=False)
        return log
