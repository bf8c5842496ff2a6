"""Who changed each recorded signal, over the whole run: kept while it goes on, written beside the waveform, read back by signal and time.

Most signals have one driver, so what is kept is the moments at which a signal is changed by somebody else than before: 12 bytes each.
The file is one line of JSON, then rows of 16 bytes (u64 fs, u32 index of the driver, u32 0; little endian), contiguous per net::

    {"version": 1, "signals": {path: [first row, rows]}, "drivers": [{"process_id", "name", "definition", "instance"}], "complete_until_fs": null}

`process_id` is null for continuous logic and registers and 0 for processes made by a fork, which are named by their code; `name` is null for the value before anybody drove. `complete_until_fs`: the limit on rows was reached there, and later changes of driver are missing.
"""

from __future__ import annotations

import json
import mmap
import struct
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from wasmjit.data import dataclass

__all__ = ["DriverFile", "DriverHistory", "Driven", "enclosing"]

VERSION = 1
ROW = struct.Struct("<QII")
LIMIT = 4_000_000
"""Rows that are kept: 48 MB while the run goes on."""


class DriverHistory:
    """Collects (net, time, driver) in the order of time. Drivers are numbers of the caller's choice; `nobody` is the one of an initial value."""

    def __init__(self, nobody: int, limit: int = LIMIT) -> None:
        self.last: dict[int, int] = {}
        self.nobody = nobody
        self.complete_until_fs: int | None = None
        self._left = limit
        self._rows: dict[int, tuple[array[int], array[int]]] = {}  # net -> times, drivers (as indices)
        self._index: dict[int, int] = {}

    def note(self, net: int, time_fs: int, driver: int) -> None:
        """A net was changed by another driver than `last` says."""
        self.last[net] = driver
        if self._left <= 0:
            if self.complete_until_fs is None:
                self.complete_until_fs = time_fs
            return
        rows = self._rows.get(net)
        if rows is None:
            if driver == self.nobody:
                return
            rows = self._rows[net] = array("Q"), array("I")
        self._left -= 1
        rows[0].append(time_fs)
        rows[1].append(self._index.setdefault(driver, len(self._index)))

    def write(self, path: Path, names: Mapping[int, Iterable[str]], describe: Callable[[int], dict[str, Any]]) -> None:
        """Write the file. names: hierarchical names of each net; describe: the row of `drivers` for a number. Raises OSError."""
        signals: dict[str, list[int]] = {}
        first = 0
        for net, (times, _) in self._rows.items():
            for name in names.get(net, ()):
                signals[name] = [first, len(times)]
            first += len(times)
        head = {
            "version": VERSION, "signals": signals, "drivers": [describe(driver) for driver in self._index], "complete_until_fs": self.complete_until_fs,
        }
        with path.open("wb") as file:
            file.write(json.dumps(head, separators=(",", ":")).encode("utf-8", "surrogateescape") + b"\n")
            for times, who in self._rows.values():
                file.write(b"".join(ROW.pack(t, w, 0) for t, w in zip(times, who, strict=True)))


def enclosing(signal: str) -> Iterator[str]:
    """The name itself, then those of the arrays and records it may be an element of, innermost first."""
    while signal:
        yield signal
        cut = signal.rfind("[") if signal.endswith("]") else signal.rfind(".")
        if cut <= 0:
            return
        signal = signal[:cut]


@dataclass(frozen=True, slots=True)
class Driven:
    """Who changed a signal. `instance`: the path of the module it is in, empty when it is not known."""

    process_id: int | None
    name: str
    definition: str
    instance: str


class DriverFile:
    """A written history; only the rows that are asked for are read. Raises OSError, or ValueError when it is no such file."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            line = file.readline()
            self._start = len(line)
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        head = json.loads(line)
        if not isinstance(head, dict) or head.get("version") != VERSION:
            raise ValueError(f"{path} is not a history of drivers of version {VERSION}")
        self._signals: dict[str, list[int]] = head["signals"]
        self._drivers: list[dict[str, Any]] = head["drivers"]
        self._until: int | None = head["complete_until_fs"]
        rows = (len(self._data) - self._start) // ROW.size
        if any(first < 0 or count < 1 or first + count > rows for first, count in self._signals.values()):
            raise ValueError(f"{path} is incomplete")

    def _row(self, number: int) -> tuple[int, int]:
        time, driver, _ = ROW.unpack_from(self._data, self._start + number * ROW.size)
        return time, driver

    def __contains__(self, signal: str) -> bool:
        return signal in self._signals

    def exact(self, time_fs: int) -> bool:
        """Whether no change of driver up to this time can be missing."""
        return self._until is None or time_fs < self._until

    def of(self, signal: str) -> list[Driven]:
        """Everything that drives a signal in the whole run, in order of appearance (of a signal whose driver changes very often, in its first 10 000 changes of driver)."""
        first, count = self._signals.get(signal, (0, 0))
        seen = dict.fromkeys(self._row(first + n)[1] for n in range(min(count, 10_000)))
        return [driven for driven in map(self._driven, seen) if driven is not None]

    def _driven(self, index: int) -> Driven | None:
        row = self._drivers[index]
        return Driven(row["process_id"], row["name"], row["definition"], row["instance"]) if row["name"] is not None else None

    def at(self, signal: str, time_fs: int) -> Driven | None:
        """The driver of the last change of a signal that is not after a time; None when there is none, or nothing is known about the signal."""
        place = self._signals.get(signal)
        if place is None:
            return None
        first, count = place
        at = bisect_right(range(first, first + count), time_fs, key=lambda number: self._row(number)[0])
        if at == 0:
            return None
        return self._driven(self._row(first + at - 1)[1])
