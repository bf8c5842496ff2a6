"""The dump tasks of a design: `$dumpfile $dumpvars $dumpoff $dumpon $dumpall $dumpflush $dumplimit` (IEEE 1800-2023 §21.7.1)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from wasmjit.data import dataclass
from wasmjit.waves.model import WaveWriter

DEFAULT_FILE = "dump.vcd"


class DumpState(Enum):
    """IDLE: no `$dumpvars` yet. PENDING: in the step of the first one. ON, OFF: file open. FULL: `$dumplimit` reached."""

    IDLE = "idle"
    PENDING = "pending"
    ON = "on"
    OFF = "off"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Selection:
    """Argument of `$dumpvars`: a scope or variable and how many levels below it are dumped (0: all)."""

    levels: int
    path: tuple[str, ...]

    def selects(self, variable: tuple[str, ...]) -> bool:
        """Whether the variable of this full path (scopes, then its own name) is dumped."""
        size = len(self.path)
        if variable[:size] != self.path:
            return False
        return self.levels == 0 or len(variable) - size <= self.levels


@dataclass(frozen=True, slots=True)
class DumpRequest:
    """What to dump and where. No selection means everything."""

    path: str
    selections: tuple[Selection, ...] = ()

    def selects(self, variable: tuple[str, ...]) -> bool:
        return not self.selections or any(s.selects(variable) for s in self.selections)


class DumpControl:
    """State machine behind the dump tasks.

    `start` opens the file, declares what the request selects, gives the values of that moment and returns the writer. It is called by
    `end_of_step` at the end of the time step of the first `$dumpvars`, since further `$dumpvars` of that step add to the selection.
    `warn` receives messages about calls that have no effect.
    """

    def __init__(self, start: Callable[[DumpRequest, int], WaveWriter], warn: Callable[[str], None]) -> None:
        self._start = start
        self._warn = warn
        self._file = DEFAULT_FILE
        self._selections: list[Selection] = []
        self._everything = False
        self._off_in_first_step = False
        self._limit = 0
        self._time = 0
        self.state = DumpState.IDLE
        self.writer: WaveWriter | None = None

    def dumpfile(self, path: str) -> None:
        """Name the file; only before the first `$dumpvars`'s step has ended."""
        if self.writer is not None:
            self._warn(f"$dumpfile({path!r}) has no effect: {self._file!r} is already open")
        elif path:
            self._file = path
        else:
            self._warn(f"$dumpfile needs a file name; using {self._file!r}")

    def dumpvars(self, time_fs: int, levels: int = 0, paths: tuple[tuple[str, ...], ...] = ()) -> None:
        """Add to the selection; no paths means everything (then `levels` has no meaning). All calls belong to one time step (§21.7.1.2)."""
        if self.state is DumpState.IDLE:
            self.state = DumpState.PENDING
            self._time = time_fs
        elif self.state is not DumpState.PENDING or time_fs != self._time:
            self._warn(f"$dumpvars at {time_fs} fs has no effect: the selection was fixed at {self._time} fs")
            return
        if not paths:
            self._everything = True
        self._selections.extend(Selection(max(levels, 0), path) for path in paths)

    def dumpoff(self, time_fs: int) -> None:
        """Stop dumping with a checkpoint of x."""
        if self.state is DumpState.PENDING:
            self._off_in_first_step = True
        elif self.state is DumpState.ON and self.writer is not None:
            self.writer.dumpoff(time_fs)
            self.state = DumpState.OFF

    def dumpon(self, time_fs: int) -> None:
        """Go on dumping with a checkpoint of the current values."""
        if self.state is DumpState.PENDING:
            self._off_in_first_step = False
        elif self.state is DumpState.OFF and self.writer is not None:
            self.writer.dumpon(time_fs)
            self.state = DumpState.ON

    def dumpall(self, time_fs: int) -> None:
        """Checkpoint of all values."""
        if self.state is DumpState.ON and self.writer is not None:
            self.writer.dumpall(time_fs)

    def dumpflush(self) -> None:
        """Bring what is complete to the disk."""
        if self.writer is not None:
            self.writer.flush()

    def dumplimit(self, size: int) -> None:
        """Largest size of the file in bytes; 0 means no limit."""
        if size < 0:
            self._warn(f"$dumplimit({size}) has no effect: the size is negative")
        else:
            self._limit = size

    @property
    def limited(self) -> bool:
        """Whether the size of the file has to be looked at after every step."""
        return self._limit > 0 and self.state in (DumpState.ON, DumpState.OFF)

    @property
    def selection(self) -> DumpRequest:
        return DumpRequest(self._file, () if self._everything else tuple(self._selections))

    def end_of_step(self, time_fs: int) -> None:
        """To be called when a time step is over: opens the file, enforces the limit."""
        if self.state is DumpState.PENDING:
            self.writer = self._start(self.selection, time_fs)
            self.state = DumpState.ON
            if self._off_in_first_step:
                self.dumpoff(time_fs)
        elif self._limit and self.writer is not None and self.state in (DumpState.ON, DumpState.OFF):
            size = self.writer.bytes_written()
            if size >= self._limit:
                self.writer.comment(f"$dumplimit of {self._limit} bytes reached at {time_fs} fs")
                self.writer.close()
                self.state = DumpState.FULL
                self._warn(f"$dumplimit: {self._file!r} has {size} bytes at {time_fs} fs; dumping stops")

    @property
    def recording(self) -> bool:
        """Whether value changes are still wanted (they are while dumping is off, for the next `$dumpon`)."""
        return self.state in (DumpState.ON, DumpState.OFF)

    def close(self, time_fs: int) -> None:
        """End of the run."""
        if self.state is DumpState.PENDING:
            self.end_of_step(time_fs)
        if self.writer is not None:
            self.writer.close(None if self.state is DumpState.FULL else time_fs)
