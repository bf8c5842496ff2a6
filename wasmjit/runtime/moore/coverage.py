"""Functional coverage (IEEE 1800-2023 §19): the model, free of any runtime.

Auto bins: one per value while the type has at most `auto_bin_max` values, else equal parts of its range (§19.5.3). A cross counts the
combinations seen
against the product of the bins seen in each of its coverpoints (as circt-sim; the standard's product of all bins would
also count combinations of bins that no sample has reached).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

AUTO_BIN_MAX = 64
MAX_COMBINATIONS = 100_000

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

    def auto_bins(self) -> int:
        """Number of auto bins: values excluded by ignore and illegal bins do not count."""
        values = 1 << min(self.width, 62)
        if values > self.auto_bin_max:
            return max(1, self.auto_bin_max)
        excluded = self.ignore + self.illegal
        return values - sum(any(b.matches(v) for b in excluded) for v in range(values)) if excluded else values

    def auto_bin(self, value: int) -> int:
        values = 1 << min(self.width, 62)
        v = value & (values - 1)
        if values <= self.auto_bin_max:
            return v
        n = max(1, self.auto_bin_max)
        return min(v // max(1, values // n), n - 1)

    def sample(self, value: int) -> bool:
        """Count a value; false if it is illegal."""
        if any(b.matches(value) for b in self.illegal):
            self.illegal_hits += 1
            return False
        if any(b.matches(value) for b in self.ignore):
            return True
        self.hits += 1
        if self.bins:
            for b in self.bins:
                if b.matches(value):
                    b.hits += 1
        else:
            key = self.auto_bin(value)
            self.auto_hits[key] = self.auto_hits.get(key, 0) + 1
        return True

    def keys(self, value: int) -> list[int]:
        """What a cross takes from a value: the indices of its bins, or the value itself with auto bins."""
        if any(b.matches(value) for b in self.illegal) or any(b.matches(value) for b in self.ignore):
            return []
        return [i for i, b in enumerate(self.bins) if b.matches(value)] if self.bins else [value]

    def covered(self, at_least: int) -> tuple[int, int]:
        """(bins hit often enough, all bins)."""
        need = max(1, self.at_least or at_least)
        if self.bins:
            return sum(b.hits >= need for b in self.bins), len(self.bins)
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
        ok = True
        if self.bins:
            ok = key in self.bins
        if ok and (self.values or self.ranges):
            low, high = (cp.bins[key].low, cp.bins[key].high) if cp.bins else (key, key)
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
        """(bins hit often enough, all bins): named bins, and the combinations that belong to none."""
        need = max(1, at_least)
        if not self.seen:
            return 0, 1
        axes = [sorted({c[i] for c in self.seen}) for i in range(len(self.points))]
        total = 1
        for axis in axes:
            total *= len(axis)
        if not self.bins or total > MAX_COMBINATIONS:
            return sum(n >= need for n in self.seen.values()), total
        named = [b for b in self.bins if b.kind == KIND_NORMAL]
        hit, count = sum(b.hits >= need for b in named), len(named)
        for combination in itertools.product(*axes):
            if any(self._in(b, cps, combination) for b in self.bins):
                continue
            count += 1
            hit += self.seen.get(combination, 0) >= need
        return hit, count

    def coverage(self, cps: Sequence[Coverpoint], at_least: int = 1) -> float:
        hit, total = self.covered(cps, at_least)
        return 100.0 * hit / total if total else 100.0


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
        """Weighted mean over coverpoints and crosses (§19.11)."""
        parts = [(p.weight, p.coverage(self.at_least)) for p in self.points] + [
            (1, c.coverage(self.points, self.at_least)) for c in self.crosses
        ]
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
                lines += [f"    bin {b.name}: {b.hits}" for b in p.bins]
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
                        "bins": [{"name": b.name, "hits": b.hits} for b in p.bins],
                    }
                    for p in g.points
                ],
                "crosses": [{"name": c.name, "coverage": c.coverage(g.points, g.at_least), "bins_hit": len(c.seen)} for c in g.crosses],
            }
            for g in self.groups.values()
        ]
