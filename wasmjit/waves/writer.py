"""What all waveform writers share: one sample per signal and time step, dump blocks, closing at exit."""

from __future__ import annotations

import atexit
import math
from collections.abc import Iterable, Sequence
from enum import Enum

from wasmjit.waves.model import REAL_KINDS, ScopeDecl, Value, VarDecl, WaveError, check_declarations, normalise_bits, value_class

_open: dict[int, StepWriter] = {}


class Block(Enum):
    """A checkpoint of all variables (IEEE 1364-2005 §18.1)."""

    VARS = "$dumpvars"
    OFF = "$dumpoff"
    ON = "$dumpon"
    ALL = "$dumpall"


class StepWriter:
    """Collects the changes of a time step and hands the format (a subclass) those values that differ at its end.

    Glitches that return to the old value within a step leave no trace. The first step with a change becomes the `$dumpvars` checkpoint; variables
    without a value are x there (reals 0, strings empty). A writer stays open until `close`; those still open are closed at exit, so that the
    file is complete up to the last change whatever ends the run.
    """

    def __init__(self, path: str, scale_fs: int) -> None:
        self.path = path
        self._scale = scale_fs
        self._now = -1
        self._pending: dict[int, Value] = {}
        self._last: dict[int, Value] = {}
        self._vars: dict[int, VarDecl] = {}
        self._events: frozenset[int] = frozenset()
        self._block: Block | None = Block.VARS
        self._active = True
        self._declared = False
        self._closed = False
        _open[id(self)] = self

    # -- the format's part ---------------------------------------------------------------------------------------------------------

    def _header(self, scopes: Sequence[ScopeDecl]) -> None:
        raise NotImplementedError

    def _emit(self, time: int, changed: list[tuple[int, Value]]) -> None:
        raise NotImplementedError

    def _emit_block(self, time: int, block: Block, values: list[tuple[int, Value]]) -> None:
        raise NotImplementedError

    def _finish(self, end: int | None) -> None:
        raise NotImplementedError

    def _sync(self) -> None:
        raise NotImplementedError

    def bytes_written(self) -> int:
        """Size of the file so far in bytes; what is still buffered may be estimated or left out."""
        raise NotImplementedError

    def comment(self, text: str) -> None:
        """Insert a remark at the current time."""
        raise NotImplementedError

    # -- the public part -----------------------------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether `close` was called; a closed writer takes no changes."""
        return self._closed

    def declare(self, scopes: Sequence[ScopeDecl]) -> None:
        """Write the header. Once, before any change. Raises WaveError for inconsistent declarations."""
        if self._declared:
            raise WaveError(f"{self.path}: the hierarchy is already declared")
        self._vars = check_declarations(scopes)
        self._events = frozenset(i for i, var in self._vars.items() if var.kind == "event")
        self._last = {i: unset_value(var) for i, var in self._vars.items()}
        self._header(scopes)
        self._declared = True

    def change(self, time_fs: int, var_id: int, value: Value) -> None:
        """One change; see `changes`."""
        self._advance(time_fs)
        self._pending[var_id] = value

    def changes(self, time_fs: int, pairs: Iterable[tuple[int, Value]]) -> None:
        """Changes of one time step, later ones of a signal replacing earlier ones. Raises WaveError when time goes backwards."""
        self._advance(time_fs)
        self._pending.update(pairs)

    def dumpoff(self, time_fs: int) -> None:
        """Checkpoint of x for every variable; changes are only remembered from now on."""
        self._advance(time_fs)
        self._block = Block.OFF
        self._active = False

    def dumpon(self, time_fs: int) -> None:
        """Checkpoint of the values at the end of this step; changes are written again."""
        self._advance(time_fs)
        self._block = Block.ON
        self._active = True

    def dumpall(self, time_fs: int) -> None:
        """Checkpoint of all values at the end of this step."""
        self._advance(time_fs)
        if self._active and self._block is None:
            self._block = Block.ALL

    def flush(self) -> None:
        """Write out all complete time steps (the current step may still change)."""
        self._sync()

    def close(self, time_fs: int | None = None) -> None:
        """Write the last step and close the file. `time_fs`: end of the run, if later than the last change. Closing twice is allowed."""
        if self._closed:
            return
        self._closed = True
        _open.pop(id(self), None)
        end = None if time_fs is None else time_fs // self._scale
        try:
            if self._declared:
                self._now = max(self._now, 0)
                self._end_step()
        finally:
            self._finish(end if end is not None and end > self._now else None)

    # -- steps ---------------------------------------------------------------------------------------------------------------------

    def _advance(self, time_fs: int) -> None:
        now = time_fs // self._scale
        if now == self._now:
            return
        if now < self._now or self._closed or not self._declared:
            why = "time goes backwards" if self._declared and not self._closed else "the file is not open for changes"
            raise WaveError(f"{self.path}: {why} ({time_fs} fs)")
        if self._now >= 0:
            self._end_step()
        self._now = now

    def _end_step(self) -> None:
        pending, block = self._pending, self._block
        if block is None and self._active:
            if pending:
                changed = self._changed(pending)
                if changed:
                    self._emit(self._now, changed)
                self._pending = {}
            return
        self._changed(pending)
        self._pending = {}
        if block is None:
            return
        self._block = None
        last = self._last
        if block is Block.OFF:
            values = [(i, off_value(var)) for i, var in self._vars.items() if i not in self._events]
        else:
            values = [(i, last[i]) for i in self._vars if i not in self._events]
        self._emit_block(self._now, block, values)
        triggered = [(i, v) for i, v in pending.items() if i in self._events]
        if triggered and self._active:
            self._emit(self._now, triggered)

    def _changed(self, pending: dict[int, Value]) -> list[tuple[int, Value]]:
        last, events = self._last, self._events
        changed: list[tuple[int, Value]] = []
        append = changed.append
        try:
            for i, value in pending.items():
                if type(value) is str and self._vars[i].kind != "string":
                    value = normalise_bits(value)
                if last[i] != value or i in events:
                    last[i] = value
                    append((i, value))
        except KeyError as exc:
            raise WaveError(f"{self.path}: a change of the undeclared variable {exc}") from None
        return changed


def unset_value(var: VarDecl) -> Value:
    """Value of a variable that was never given one."""
    kind = value_class(var.kind)
    if kind == "bits":
        return "x" * var.width
    return 0.0 if kind == "real" else ("" if kind == "string" else 0)


def off_value(var: VarDecl) -> Value:
    """Value shown while dumping is off. Reals have no x; they are NaN (as other simulators write them)."""
    return math.nan if var.kind in REAL_KINDS else unset_value(var)


@atexit.register
def _close_all() -> None:
    for writer in list(_open.values()):
        writer.close()
