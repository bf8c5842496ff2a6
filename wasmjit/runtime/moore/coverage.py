"""Functional coverage (IEEE 1800-2023 §19): the model, free of any runtime.

Auto bins: one per value while the type has at most `auto_bin_max` values, else equal parts of its range (§19.5.3). The bins of a cross are the
combinations of the bins of its coverpoints, without those that its own bins select, and these (§19.6, §19.11.2); they are counted, not listed.
`Cross.of_seen` measures against the combinations of bins that some sample has reached, which is what `get_coverage()` of a cross means in circt-sim.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence

from wasmjit.data import dataclass, field

AUTO_BIN_MAX = 64
MAX_LISTED = 4096
"""Widest bin whose values are looked at one by one, where wildcards are to be left out."""
MAX_COMBINATIONS = 100_000
"""Most classes of combinations that are looked at one by one for `Cross.of_seen`."""

BIN_VALUE, BIN_RANGE, BIN_WILDCARD, BIN_TRANSITION = range(4)
KIND_NORMAL, KIND_IGNORE, KIND_ILLEGAL = range(3)


@dataclass(slots=True)
class Bin:
    """`low`/`high`: bounds; of a wildcard bin the pattern and the mask of bits that do not matter."""

    name: str
    type: int
    low: int
    high: int
    hits: int = 0

    def matches(self, value: int) -> bool:
        if self.type == BIN_WILDCARD:
            return (value ^ self.low) & ~self.high == 0
        return self.low <= value <= self.high


@dataclass(slots=True)
class Coverpoint:
    """`width` in bits. Options as of §19.7; `at_least` 0: the covergroup's."""

    name: str
    width: int = 32
    bins: list[Bin] = field(default_factory=list)
    ignore: list[Bin] = field(default_factory=list)
    illegal: list[Bin] = field(default_factory=list)
    auto_hits: dict[int, int] = field(default_factory=dict)
    hits: int = 0
    illegal_hits: int = 0
    auto_bin_max: int = AUTO_BIN_MAX
    at_least: int = 0
    weight: int = 1
    goal: float = 100.0
    comment: str = ""

    def matches(self, b: Bin, value: int) -> bool:
        """Whether a sample lies in a bin. Samples come zero-extended from `width` bits: a bin with negative bounds takes them as signed."""
        if b.type == BIN_WILDCARD:
            return b.matches(value & (1 << self.width) - 1)
        if b.low < 0 <= value and value >> (self.width - 1) == 1:
            value -= 1 << self.width
        elif value < 0 <= b.low:
            value &= (1 << self.width) - 1
        return b.matches(value)

    def excluded(self, value: int) -> bool:
        return any(self.matches(b, value) for b in self.illegal) or any(self.matches(b, value) for b in self.ignore)

    def emptied(self, b: Bin) -> bool:
        """Whether ignore and illegal bins take all values of a bin: it is then no bin of the coverpoint (§19.5.5, §19.5.6)."""
        out = [x for x in (*self.ignore, *self.illegal) if x.type != BIN_TRANSITION]
        if b.type not in (BIN_VALUE, BIN_RANGE) or not out:
            return False
        if any(x.type == BIN_WILDCARD for x in out):
            return b.high - b.low < MAX_LISTED and all(self.excluded(v) for v in range(b.low, b.high + 1))
        at = b.low
        for x in sorted(out, key=lambda x: x.low):
            if x.low <= at <= x.high:
                at = x.high + 1
        return at > b.high

    def alive(self) -> list[tuple[int, Bin]]:
        """The explicit bins that count, with their indices."""
        return [(i, b) for i, b in enumerate(self.bins) if not self.emptied(b)] if self.ignore or self.illegal else list(enumerate(self.bins))

    def auto_bins(self) -> int:
        """Number of auto bins: values excluded by ignore and illegal bins do not count."""
        values = 1 << min(self.width, 62)
        if values > self.auto_bin_max:
            return max(1, self.auto_bin_max)
        return values - sum(self.excluded(v) for v in range(values)) if self.ignore or self.illegal else values

    def auto_bin(self, value: int) -> int:
        values = 1 << min(self.width, 62)
        v = value & (values - 1)
        if values <= self.auto_bin_max:
            return v
        n = max(1, self.auto_bin_max)
        return min(v // max(1, values // n), n - 1)

    def cells(self) -> list[tuple[int, int, int]]:
        """(index, low, high) of every bin that counts: the explicit ones, or the auto bins."""
        if self.bins:
            return [(i, b.low, b.high) for i, b in self.alive()]
        values = 1 << min(self.width, 62)
        if values <= self.auto_bin_max:
            return [(v, v, v) for v in range(values) if not self.excluded(v)]
        n = max(1, self.auto_bin_max)
        step = max(1, values // n)
        return [(i, i * step, values - 1 if i == n - 1 else (i + 1) * step - 1) for i in range(n)]

    def sample(self, value: int) -> bool:
        """Count a value; false if it is illegal."""
        if any(self.matches(b, value) for b in self.illegal):
            self.illegal_hits += 1
            return False
        if any(self.matches(b, value) for b in self.ignore):
            return True
        self.hits += 1
        if self.bins:
            for b in self.bins:
                if self.matches(b, value):
                    b.hits += 1
        else:
            key = self.auto_bin(value)
            self.auto_hits[key] = self.auto_hits.get(key, 0) + 1
        return True

    def keys(self, value: int) -> list[int]:
        """What a cross takes from a value: the indices of its bins, or the value itself with auto bins."""
        if self.excluded(value):
            return []
        return [i for i, b in enumerate(self.bins) if self.matches(b, value)] if self.bins else [value]

    def cell_of(self, key: int) -> int:
        """Index of the bin that a key stands for."""
        return key if self.bins else self.auto_bin(key)

    def bin_names(self) -> list[str]:
        """Names of the explicit bins; those of an array, which share one, with their values."""
        count = Counter(b.name for b in self.bins)
        return [b.name if count[b.name] == 1 else f"{b.name}[{b.low}]" if b.low == b.high else f"{b.name}[{b.low}:{b.high}]" for b in self.bins]

    def covered(self, at_least: int) -> tuple[int, int]:
        """(bins hit often enough, all bins)."""
        need = max(1, self.at_least or at_least)
        if self.bins:
            alive = self.alive()
            return sum(b.hits >= need for _, b in alive), len(alive)
        return sum(n >= need for n in self.auto_hits.values()), self.auto_bins()

    def coverage(self, at_least: int = 1) -> float:
        hit, total = self.covered(at_least)
        return 100.0 * hit / total if total else 100.0


@dataclass(frozen=True, slots=True)
class BinsOf:
    """`binsof(coverpoint[.bins]) intersect {values, ranges}`; `point`: index within the covergroup. Empty lists restrict nothing."""

    point: int
    bins: tuple[int, ...] = ()
    values: tuple[int, ...] = ()
    ranges: tuple[tuple[int, int], ...] = ()
    negate: bool = False

    def accepts(self, cp: Coverpoint, key: int) -> bool:
        low, high = (cp.bins[key].low, cp.bins[key].high) if cp.bins else (key, key)
        return self.accepts_cell((key, low, high))

    def accepts_cell(self, cell: tuple[int, int, int]) -> bool:
        """The same for a bin of `Coverpoint.cells`."""
        index, low, high = cell
        ok = not self.bins or index in self.bins
        if ok and (self.values or self.ranges):
            ok = any(low <= v <= high for v in self.values) or any(low <= b and a <= high for a, b in self.ranges)
        return ok != self.negate


@dataclass(slots=True)
class CrossBin:
    name: str
    kind: int
    filters: tuple[BinsOf, ...]
    hits: int = 0


@dataclass(slots=True)
class Cross:
    """`points`: indices of coverpoints in the covergroup; `seen`: hits by combination of keys."""

    name: str
    points: tuple[int, ...]
    bins: list[CrossBin] = field(default_factory=list)
    seen: dict[tuple[int, ...], int] = field(default_factory=dict)
    illegal_hits: int = 0

    def _in(self, bin_: CrossBin, cps: Sequence[Coverpoint], combination: tuple[int, ...]) -> bool:
        return bool(bin_.filters) and all(f.accepts(cps[f.point], combination[self.points.index(f.point)]) for f in bin_.filters)

    def owned(self, cps: Sequence[Coverpoint], combination: tuple[int, ...]) -> bool:
        """Whether a combination of keys belongs to a bin of the cross's own."""
        return any(self._in(b, cps, combination) for b in self.bins)

    def sample(self, cps: Sequence[Coverpoint], values: Sequence[int]) -> bool:
        """Count the combinations of one sample (`values` by coverpoint of the group); false if one is illegal."""
        legal = True
        for combination in itertools.product(*(cps[p].keys(values[p]) for p in self.points)):
            kinds = [b for b in self.bins if self._in(b, cps, combination)]
            if any(b.kind == KIND_ILLEGAL for b in kinds):
                self.illegal_hits += 1
                legal = False
                continue
            if any(b.kind == KIND_IGNORE for b in kinds):
                continue
            for b in kinds:
                b.hits += 1
            self.seen[combination] = self.seen.get(combination, 0) + 1
        return legal

    def covered(self, cps: Sequence[Coverpoint], at_least: int) -> tuple[int, int]:
        """(bins hit often enough, all bins): the cross's own bins, and the combinations that belong to none of its bins (§19.11.2)."""
        need = max(1, at_least)
        cells = [{c[0]: c for c in cps[p].cells()} for p in self.points]
        hits: Counter[tuple[int, ...]] = Counter()
        for keys, n in self.seen.items():
            hits[tuple(cps[p].cell_of(k) for p, k in zip(self.points, keys, strict=True))] += n
        if not self.bins:
            return sum(n >= need for n in hits.values()), math.prod(len(c) for c in cells)
        # Bins of a coverpoint that every filter treats alike form a class; the cross's bins consist of combinations of classes.
        filters = [[f for b in self.bins for f in b.filters if f.point == p] for p in self.points]
        kind = [{i: tuple(f.accepts_cell(c) for f in fs) for i, c in axis.items()} for axis, fs in zip(cells, filters, strict=True)]
        sizes = [Counter(k.values()) for k in kind]
        owners = {combination: self._owners(combination, filters) for combination in itertools.product(*sizes)}
        skipped = {c: any(b.kind != KIND_NORMAL for b in own) for c, own in owners.items()}
        alive = {id(b) for c, own in owners.items() if not skipped[c] for b in own}
        named = [b for b in self.bins if b.kind == KIND_NORMAL and id(b) in alive]
        free = sum(math.prod(sizes[axis][k] for axis, k in enumerate(c)) for c, own in owners.items() if not own)
        hit = sum(n >= need and not owners[tuple(kind[axis][i] for axis, i in enumerate(c))] for c, n in hits.items())
        return hit + sum(b.hits >= need for b in named), free + len(named)

    def _owners(self, combination: tuple[tuple[bool, ...], ...], filters: list[list[BinsOf]]) -> list[CrossBin]:
        """The cross's bins that a combination of classes lies in; a class says which of the filters of its axis accept it."""
        accepted = {id(f): ok for axis, fs in enumerate(filters) for f, ok in zip(fs, combination[axis], strict=True)}
        return [b for b in self.bins if b.filters and all(accepted[id(f)] for f in b.filters)]

    def coverage(self, cps: Sequence[Coverpoint], at_least: int = 1) -> float:
        hit, total = self.covered(cps, at_least)
        return 100.0 * hit / total if total else 100.0

    def of_seen(self, cps: Sequence[Coverpoint], at_least: int) -> float:
        """Coverage in percent of the product of what was seen of each coverpoint, 0 before the first sample."""
        need = max(1, at_least)
        if not self.seen:
            return 0.0
        axes = [sorted({c[i] for c in self.seen}) for i in range(len(self.points))]
        total = math.prod(len(axis) for axis in axes)
        if not self.bins or total > MAX_COMBINATIONS:
            return 100.0 * sum(n >= need for n in self.seen.values()) / total
        named = [b for b in self.bins if b.kind == KIND_NORMAL]
        hit, count = sum(b.hits >= need for b in named), len(named)
        for combination in itertools.product(*axes):
            if any(self._in(b, cps, combination) for b in self.bins):
                continue
            count += 1
            hit += self.seen.get(combination, 0) >= need
        return 100.0 * hit / count if count else 100.0


@dataclass(slots=True)
class Covergroup:
    """One instance. `enabled`: `start()`/`stop()`."""

    name: str
    points: list[Coverpoint]
    crosses: list[Cross] = field(default_factory=list)
    at_least: int = 1
    weight: int = 1
    goal: float = 100.0
    comment: str = ""
    per_instance: bool = False
    enabled: bool = True

    def coverage(self) -> float:
        """Weighted mean over coverpoints and crosses; those without any bin that counts take no part (§19.11)."""
        counts = [(p.weight, p.covered(self.at_least)) for p in self.points] + [(1, c.covered(self.points, self.at_least)) for c in self.crosses]
        parts = [(w, 100.0 * hit / total) for w, (hit, total) in counts if total]
        weight = sum(w for w, _ in parts)
        return sum(w * c for w, c in parts) / weight if weight else 100.0 if not parts else 0.0


@dataclass(slots=True)
class CoverageDatabase:
    """All covergroup instances of a run, by handle, in order of creation."""

    groups: dict[int, Covergroup] = field(default_factory=dict)
    enabled: bool = True

    def total(self) -> float:
        """`$get_coverage`: mean over covergroup types, 0 without any."""
        types = self.types()
        weighted = [(max(g.weight for g in gs), self.type_coverage(gs)) for gs in types.values()]
        weight = sum(w for w, _ in weighted)
        return sum(w * c for w, c in weighted) / weight if weight else 0.0

    def types(self) -> dict[str, list[Covergroup]]:
        out: dict[str, list[Covergroup]] = {}
        for g in self.groups.values():
            out.setdefault(g.name, []).append(g)
        return out

    @staticmethod
    def type_coverage(groups: Sequence[Covergroup]) -> float:
        """Coverage of a type: mean of its instances (§19.11.3, merge_instances = 0), by weight."""
        weight = sum(g.weight for g in groups)
        return sum(g.weight * g.coverage() for g in groups) / weight if weight else 0.0

    def report(self) -> str:
        """The report printed at the end of a run; empty without covergroups."""
        if not self.groups:
            return ""
        lines = ["", "=" * 64, "Coverage Report", "=" * 64]
        for g in self.groups.values():
            lines.append(f"Covergroup: {g.name}")
            lines.append(f"  Overall coverage: {g.coverage():.2f}%")
            for p in g.points:
                hit, total = p.covered(g.at_least)
                lines.append(
                    f"  {p.name}: {p.hits} hits, {hit}/{total} bins, {p.coverage(g.at_least):.2f}%"
                    + (f", {p.illegal_hits} illegal" if p.illegal_hits else "")
                )
                lines += [f"    bin {name}: {b.hits}" for name, b in zip(p.bin_names(), p.bins, strict=True)]
            for c in g.crosses:
                hit, total = c.covered(g.points, g.at_least)
                lines.append(f"  {c.name}: {sum(c.seen.values())} hits, {hit}/{total} bins, {c.coverage(g.points, g.at_least):.2f}%")
                lines += [f"    bin {b.name}: {b.hits}" for b in c.bins if b.kind == KIND_NORMAL]
        lines += [f"Total coverage: {self.total():.2f}%", "=" * 64]
        return "\n".join(lines) + "\n"

    def as_dict(self) -> list[dict[str, object]]:
        """The same for the JSON report."""
        return [
            {
                "name": g.name,
                "coverage": g.coverage(),
                "coverpoints": [
                    {
                        "name": p.name,
                        "hits": p.hits,
                        "coverage": p.coverage(g.at_least),
                        "bins": [{"name": name, "hits": b.hits} for name, b in zip(p.bin_names(), p.bins, strict=True)],
                    }
                    for p in g.points
                ],
                "crosses": [{"name": c.name, "coverage": c.coverage(g.points, g.at_least), "bins_hit": len(c.seen)} for c in g.crosses],
            }
            for g in self.groups.values()
        ]
