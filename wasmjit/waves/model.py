"""What a waveform is: scopes, variables and the writer protocol.

Values handed to a writer are, by kind of variable:

* bit vectors (every kind but `real`, `realtime`, `string` and `event`): an `int` in 0 .. 2**width-1 when all bits are known, else a `str` of
  exactly `width` characters out of `01xz`, most significant first;
* `real` and `realtime`: `float`; `string`: `str`; `event`: anything, the change itself is the information.

Times are femtoseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from wasmjit.data import dataclass

Value = int | float | str

REAL_KINDS = frozenset({"real", "realtime"})
# fmt: off
VAR_KINDS = frozenset({
    "event", "integer", "parameter", "real", "realtime", "reg", "supply0", "supply1", "time", "tri", "triand", "trior", "trireg", "tri0", "tri1",
    "wand", "wire", "wor", "string",
})
# fmt: on
"""IEEE 1364-2005 §18.2.3.7, and `string`, which the common viewers read."""
SCOPE_KINDS = frozenset({"begin", "fork", "function", "module", "task"})

_UNIT_FS = {"s": 10**15, "ms": 10**12, "us": 10**9, "ns": 10**6, "ps": 10**3, "fs": 1}
_TIME = re.compile(r"\s*(\d+)\s*(s|ms|us|ns|ps|fs)\s*\Z")
_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*(\[-?\d+\])*\Z")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")


class WaveError(Exception):
    """A waveform file cannot be read or written; the text says which and why."""


@dataclass(frozen=True, slots=True)
class VarDecl:
    """A variable of a scope. `id` is the number changes refer to; two variables with one id are aliases of one signal.

    `left`/`right`: declared range, e.g. 31 and 0; None for a scalar or an unknown range.
    """

    name: str
    kind: str
    width: int
    id: int
    left: int | None = None
    right: int | None = None


@dataclass(frozen=True, slots=True)
class ScopeDecl:
    """A node of the hierarchy. `kind`: module, process (a `begin` block in the file), begin, fork, function or task."""

    name: str
    kind: str = "module"
    variables: tuple[VarDecl, ...] = ()
    children: tuple[ScopeDecl, ...] = ()


class WaveWriter(Protocol):
    """Writes one waveform file. `declare` comes first, times never decrease, one sample per signal and time is kept: the last one."""

    @property
    def closed(self) -> bool: ...

    def declare(self, scopes: Sequence[ScopeDecl]) -> None: ...

    def change(self, time_fs: int, var_id: int, value: Value) -> None: ...

    def changes(self, time_fs: int, pairs: Iterable[tuple[int, Value]]) -> None: ...

    def dumpoff(self, time_fs: int) -> None: ...

    def dumpon(self, time_fs: int) -> None: ...

    def dumpall(self, time_fs: int) -> None: ...

    def comment(self, text: str) -> None: ...

    def flush(self) -> None: ...

    def bytes_written(self) -> int: ...

    def close(self, time_fs: int | None = None) -> None: ...


def walk_vars(scopes: Sequence[ScopeDecl]) -> Iterator[VarDecl]:
    """All variables of a forest, depth first, in order of declaration."""
    stack = list(reversed(scopes))
    while stack:
        scope = stack.pop()
        yield from scope.variables
        stack.extend(reversed(scope.children))


def check_declarations(scopes: Sequence[ScopeDecl]) -> dict[int, VarDecl]:
    """Variable of each id. Raises WaveError for unknown kinds, widths below 1 and aliases of different width or kind of value."""
    by_id: dict[int, VarDecl] = {}
    for var in walk_vars(scopes):
        if var.kind not in VAR_KINDS:
            raise WaveError(f"variable {var.name!r}: unknown kind {var.kind!r}")
        if var.width < 1 and var.kind != "string":
            raise WaveError(f"variable {var.name!r}: width {var.width} is below 1")
        first = by_id.setdefault(var.id, var)
        if first.width != var.width or value_class(first.kind) != value_class(var.kind):
            raise WaveError(f"variables {first.name!r} and {var.name!r} share id {var.id} but not their width and kind")
    return by_id


def value_class(kind: str) -> str:
    """'real', 'string', 'event' or 'bits': the form of the values of a variable of this kind."""
    if kind in REAL_KINDS:
        return "real"
    return kind if kind in ("string", "event") else "bits"


def escape_name(name: str) -> str:
    """Verilog spelling of a name: as it stands if it is a simple identifier or an element `name[3]` of an array of that name, else escaped
    (IEEE 1800 §5.6.1). White space and control characters, which no identifier may have, become `_`; an empty name is `_`."""
    if _SIMPLE.match(name):
        return name
    clean = _UNPRINTABLE.sub("_", name) or "_"
    if clean == "_":
        return clean
    return clean if clean.startswith("\\") else "\\" + clean


def parse_time(text: str) -> int:
    """Femtoseconds of '10ns', '1 fs', '250' (plain numbers are fs). Raises ValueError."""
    match = _TIME.match(text)
    if match:
        return int(match[1]) * _UNIT_FS[match[2]]
    if text.strip().isdigit():
        return int(text)
    raise ValueError(f"expected a time like 10ns or 2500 (fs) but got {text!r}")


def format_time(time_fs: int) -> str:
    """Shortest exact spelling of a time: 1500000 -> '1500ps'."""
    for unit, size in _UNIT_FS.items():
        if time_fs and time_fs % size == 0:
            return f"{time_fs // size}{unit}"
    return f"{time_fs}fs"


def parse_timescale(text: str) -> int:
    """Femtoseconds of a time scale: 1, 10 or 100 of a unit (IEEE 1364-2005 §18.2.3.4). Raises ValueError."""
    match = _TIME.match(text)
    if not match or match[1] not in ("1", "10", "100"):
        raise ValueError(f"expected a time scale like 1fs, 10ps or 100ns but got {text!r}")
    return int(match[1]) * _UNIT_FS[match[2]]


def normalise_bits(value: Value) -> Value:
    """A bit string without x and z as the integer it spells; anything else unchanged."""
    if type(value) is str:
        try:
            return int(value, 2)
        except ValueError:
            return value.lower()
    return value


def bit_string(value: Value, width: int) -> str:
    """Full-width bit string of a bit-vector value."""
    if type(value) is int:
        return format(value & ((1 << width) - 1), f"0{width}b")
    return extend_bits(str(value).lower(), width)


def extend_bits(bits: str, width: int) -> str:
    """A bit string of exactly `width` characters: left-extended by 0, x or z after its first character (§18.2.1), or cut on the left."""
    size = len(bits)
    if size == width:
        return bits
    if size > width:
        return bits[size - width :]
    fill = bits[0] if bits and bits[0] in "xz" else "0"
    return bits.rjust(width, fill)


def compress_bits(bits: str) -> str:
    """Shortest bit string that extends to this one: `0001`→`1`, `xxx1`→`x1`, `0000`→`0`, `zz`→`z` (IEEE 1364-2005 §18.2.1)."""
    first = bits[0]
    if first == "1":
        return bits
    rest = bits.lstrip(first)
    if first == "0":
        return rest if rest and rest[0] == "1" else "0" + rest
    return first + rest
