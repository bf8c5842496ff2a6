"""A waveform in memory: signals and their changes, times in femtoseconds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from heapq import merge
from math import isnan

from wasmjit.data import dataclass, field
from wasmjit.waves.model import ScopeDecl, Value, VarDecl, WaveError, extend_bits, value_class

Sample = str | float
"""Value of a sample: full-width lower-case bit string, float of a real, text of a string, '1' of an event."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what a reader accepts from a file; beyond them it raises WaveError."""

    file_bytes: int = 8 << 30
    variables: int = 4_000_000
    width: int = 1 << 20
    depth: int = 1000
    changes: int = 400_000_000
    token_bytes: int = 4 << 20


@dataclass(frozen=True, slots=True)
class Signal:
    """A variable of a waveform. `path`: scopes and name without escapes; `name`: the same joined by dots; `index`: its row of changes (aliases share)."""

    path: tuple[str, ...]
    width: int
    kind: str
    index: int
    left: int | None = None
    right: int | None = None

    @property
    def name(self) -> str:
        return ".".join(self.path)


@dataclass(slots=True)
class WaveData:
    """A waveform read from `path`. `truncated` says what was wrong when a damaged file was read as far as possible."""

    path: str
    format: str
    timescale_fs: int
    signals: list[Signal] = field(default_factory=list)
    scope_kinds: dict[tuple[str, ...], str] = field(default_factory=dict)
    times: list[list[int]] = field(default_factory=list)
    values: list[list[Sample]] = field(default_factory=list)
    start_fs: int = 0
    end_fs: int = 0
    truncated: str = ""
    version: str = ""
    date: str = ""
    _by_name: dict[str, Signal] = field(default_factory=dict)

    @property
    def change_count(self) -> int:
        return sum(map(len, self.times))

    def signal(self, name: str) -> Signal:
        """The signal of a full name. Raises KeyError."""
        if not self._by_name:
            self._by_name = {s.name: s for s in self.signals}
        return self._by_name[name]

    def changes(self, signal: Signal) -> Iterator[tuple[int, Sample]]:
        """(time in fs, value) of a signal in order of time."""
        return zip(self.times[signal.index], self.values[signal.index], strict=True)

    def value_at(self, signal: Signal, time_fs: int) -> Sample | None:
        """Value at the end of time `time_fs`; None before the first change."""
        at = bisect_right(self.times[signal.index], time_fs)
        return self.values[signal.index][at - 1] if at else None

    def all_changes(self) -> Iterator[tuple[int, int, Sample]]:
        """(time in fs, row index, value) of all rows in order of time."""

        def row(index: int) -> Iterator[tuple[int, int, Sample]]:
            return ((t, index, v) for t, v in zip(self.times[index], self.values[index], strict=True))

        return merge(*(row(i) for i in range(len(self.times))), key=lambda c: (c[0], c[1]))

    def scopes(self) -> list[ScopeDecl]:
        """The hierarchy as declarations for a writer; variable ids are row indices."""
        tree: dict[str, dict[str, object]] = {}
        variables: dict[tuple[str, ...], list[VarDecl]] = {}
        for signal in self.signals:
            scope = signal.path[:-1] or ("top",)
            at = tree
            for name in scope:
                at = at.setdefault(name, {})  # type: ignore[assignment]
            variables.setdefault(scope, []).append(
                VarDecl(signal.path[-1], signal.kind, signal.width, signal.index, signal.left, signal.right)
            )

        def build(name: str, node: dict[str, object], path: tuple[str, ...]) -> ScopeDecl:
            children = tuple(build(key, child, (*path, key)) for key, child in node.items())  # type: ignore[arg-type]
            return ScopeDecl(name, self.scope_kinds.get(path, "module"), tuple(variables.get(path, ())), children)

        return [build(name, node, (name,)) for name, node in tree.items()]


def same_sample(a: Sample | None, b: Sample | None) -> bool:
    """Equality of samples, in which NaN equals NaN."""
    return a == b or (isinstance(a, float) and isinstance(b, float) and isnan(a) and isnan(b))


def sample_of(value: Value, kind: str, width: int) -> Sample:
    """The sample a reader gives for a value handed to a writer."""
    cls = value_class(kind)
    if cls == "real":
        return float(value)
    if cls == "bits":
        return extend_bits(format(value, "b") if isinstance(value, int) else str(value), width)
    return "1" if cls == "event" else str(value)


def check_limit(what: str, value: int, limit: int, path: str) -> None:
    """Raise WaveError when `value` is beyond `limit`."""
    if value > limit:
        raise WaveError(f"{path}: {what} {value} is beyond the limit of {limit}")
