"""Functional coverage as a neutral tree, and its exports: text, JSON, Cobertura XML, UCIS-like XML.

Percentages follow IEEE 1800-2023 §19.11: a coverpoint or cross has covered bins / countable bins, a covergroup the mean of its items by weight,
the whole the mean of the covergroups by weight. Default, ignore and illegal bins are not counted; what has no countable bin is left out of the mean.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from typing import Any

from wasmjit.data import dataclass

SCHEMA_VERSION = 1
MAX_EMPTY_LINES = 4096
"""Most lines that the Cobertura form has for unlisted bins of one item; the rates count all of them."""
_INVALID_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class CoverBin:
    """A bin. `kind`: bin, default (neither counted), ignore or illegal. It is covered when hits ≥ at_least."""

    name: str
    hits: int
    at_least: int = 1
    kind: str = "bin"

    @property
    def counted(self) -> bool:
        return self.kind == "bin"

    @property
    def covered(self) -> bool:
        return self.hits >= self.at_least


@dataclass(frozen=True, slots=True)
class CoverItem:
    """A coverpoint or cross. `samples`: times it was sampled (the sum of the bins' hits when -1)."""

    name: str
    bins: tuple[CoverBin, ...] = ()
    kind: str = "coverpoint"
    goal: float = 100.0
    weight: int = 1
    comment: str = ""
    samples: int = -1
    location: str = ""
    unlisted: int = 0
    """Countable bins without a hit that are not in `bins`: of crosses and automatic bins, which may be many."""

    @property
    def hits(self) -> int:
        return self.samples if self.samples >= 0 else sum(b.hits for b in self.bins)

    @property
    def countable(self) -> int:
        return sum(b.counted for b in self.bins) + self.unlisted

    @property
    def covered(self) -> int:
        return sum(b.counted and b.covered for b in self.bins)

    @property
    def percent(self) -> float:
        """0..100; 0 without countable bins."""
        return 100.0 * self.covered / self.countable if self.countable else 0.0


@dataclass(frozen=True, slots=True)
class CoverGroup:
    """A covergroup (type) or one of its instances (`instance` names it)."""

    name: str
    items: tuple[CoverItem, ...] = ()
    instance: str = ""
    goal: float = 100.0
    weight: int = 1
    comment: str = ""
    location: str = ""

    @property
    def percent(self) -> float:
        return _mean((item.percent, item.weight) for item in self.items if item.countable)

    @property
    def title(self) -> str:
        return f"{self.name} ({self.instance})" if self.instance else self.name


@dataclass(frozen=True, slots=True)
class CoverageData:
    """All covergroups of a run."""

    groups: tuple[CoverGroup, ...] = ()

    @property
    def percent(self) -> float:
        return _mean((group.percent, group.weight) for group in self.groups if any(item.countable for item in group.items))


def _mean(pairs: Iterable[tuple[float, int]]) -> float:
    total = weights = 0.0
    for value, weight in pairs:
        total += value * weight
        weights += weight
    return total / weights if weights else 0.0


def coverage_text(data: CoverageData) -> str:
    """Report for people; empty without covergroups."""
    if not data.groups:
        return ""
    lines = ["", "=== Coverage Report ==="]
    for group in data.groups:
        lines.append(f"Covergroup: {group.title}  {group.percent:.2f}% (goal {group.goal:g}%)")
        for item in group.items:
            kind = "" if item.kind == "coverpoint" else f" [{item.kind}]"
            lines.append(f"  {item.name}: {item.hits} hits, {item.covered}/{item.countable} bins, {item.percent:.2f}%{kind}")
            for b in item.bins:
                mark = "" if b.kind == "bin" else f" ({b.kind})"
                state = "" if not b.counted or b.covered else "  not covered" if not b.hits else f"  below {b.at_least}"
                lines.append(f"    {b.name}{mark}: {b.hits}{state}")
    lines.append(f"Total coverage: {data.percent:.2f}%")
    return "\n".join(lines) + "\n"


def coverage_json(data: CoverageData) -> dict[str, Any]:
    """The tree as data, with percentages."""
    return {
        "schema_version": SCHEMA_VERSION,
        "percent": round(data.percent, 4),
        "covergroups": [
            {
                "name": g.name, "instance": g.instance, "percent": round(g.percent, 4), "goal": g.goal, "weight": g.weight, "comment": g.comment,
                "location": g.location,
                "items": [
                    {
                        "name": i.name, "kind": i.kind, "percent": round(i.percent, 4), "goal": i.goal, "weight": i.weight, "comment": i.comment,
                        "location": i.location, "hits": i.hits, "bins_covered": i.covered, "bins_total": i.countable, "bins_unlisted": i.unlisted,
                        "bins": [{"name": b.name, "kind": b.kind, "hits": b.hits, "at_least": b.at_least, "covered": b.covered} for b in i.bins],
                    }
                    for i in g.items
                ],
            }
            for g in data.groups
        ],
    }


def coverage_from_json(value: dict[str, Any]) -> CoverageData:
    """Inverse of `coverage_json`. Raises ValueError when the shape is wrong."""
    try:
        if value["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"coverage schema version {value['schema_version']!r} is not {SCHEMA_VERSION}")
        return CoverageData(
            tuple(
                CoverGroup(
                    g["name"],
                    tuple(
                        CoverItem(
                            i["name"], tuple(CoverBin(b["name"], b["hits"], b["at_least"], b["kind"]) for b in i["bins"]), i["kind"], i["goal"],
                            i["weight"], i["comment"], i["hits"], i["location"], i.get("bins_unlisted", 0),
                        )
                        for i in g["items"]
                    ),
                    g["instance"], g["goal"], g["weight"], g["comment"], g["location"],
                )
                for g in value["covergroups"]
            )
        )
    except (KeyError, TypeError) as exc:
        raise ValueError(f"this is no coverage file: {exc!r}") from exc


@dataclass(frozen=True, slots=True)
class CoverageDifference:
    """A bin with different hits; None: missing on that side."""

    path: tuple[str, str, str]
    a_hits: int | None
    b_hits: int | None


def compare_coverage(a: CoverageData, b: CoverageData) -> list[CoverageDifference]:
    """Bins (and item samples, under the bin name '') whose hits differ, in order of their names."""
    left, right = _flat(a), _flat(b)
    return [
        CoverageDifference(path, left.get(path), right.get(path)) for path in sorted({*left, *right}) if left.get(path) != right.get(path)
    ]


def _flat(data: CoverageData) -> dict[tuple[str, str, str], int]:
    flat: dict[tuple[str, str, str], int] = {}
    for group in data.groups:
        for item in group.items:
            flat[group.title, item.name, ""] = item.hits
            for b in item.bins:
                flat[group.title, item.name, b.name] = b.hits
    return flat


def cobertura_xml(data: CoverageData, source: str = "") -> str:
    """Cobertura form for CI dashboards: covergroup → package, coverpoint → class, countable bin → line (numbered from 1)."""
    covered = sum(i.covered for g in data.groups for i in g.items)
    valid = sum(i.countable for g in data.groups for i in g.items)
    root = ET.Element("coverage", _rates(covered, valid) | {"lines-covered": str(covered), "lines-valid": str(valid), "version": "wasmjit", "timestamp": "0"})
    ET.SubElement(ET.SubElement(root, "sources"), "source").text = _clean(source)
    packages = ET.SubElement(root, "packages")
    for group in data.groups:
        done, total = sum(i.covered for i in group.items), sum(i.countable for i in group.items)
        package = ET.SubElement(packages, "package", {"name": _clean(group.title)} | _rates(done, total))
        classes = ET.SubElement(package, "classes")
        for item in group.items:
            where = item.location or group.location
            attributes = {"name": _clean(item.name), "filename": _clean(where.split(":")[0] or group.name)} | _rates(item.covered, item.countable)
            cls = ET.SubElement(classes, "class", attributes)
            ET.SubElement(cls, "methods")
            lines = ET.SubElement(cls, "lines")
            counted = [b.hits if b.covered else 0 for b in item.bins if b.counted]
            for number, hits in enumerate(counted + [0] * min(item.unlisted, MAX_EMPTY_LINES), 1):
                ET.SubElement(lines, "line", {"number": str(number), "hits": str(hits), "branch": "false"})
    return _document(root)


def _rates(covered: int, valid: int) -> dict[str, str]:
    return {"line-rate": f"{covered / valid if valid else 1.0:.4f}", "branch-rate": "0", "complexity": "0"}


def ucis_xml(data: CoverageData) -> str:
    """A small subset of the UCIS interchange form: covergroup coverage with its options, bins and counts."""
    root = ET.Element("UCIS", {"ucisVersion": "1.0", "writtenBy": "wasmjit"})
    scope = ET.SubElement(root, "instanceCoverages", {"name": "design"})
    for group in data.groups:
        attributes = {"name": _clean(group.title), "weight": str(group.weight), "goal": f"{group.goal:g}", "coverage": f"{group.percent:.4f}"}
        cg = ET.SubElement(scope, "covergroupCoverage", attributes)
        for item in group.items:
            tag = "cross" if item.kind == "cross" else "coverpoint"
            attributes = {"name": _clean(item.name), "weight": str(item.weight), "goal": f"{item.goal:g}", "coverage": f"{item.percent:.4f}"}
            element = ET.SubElement(cg, tag, attributes)
            for b in item.bins:
                bin_element = ET.SubElement(element, f"{tag}Bin", {"name": _clean(b.name), "type": b.kind})
                ET.SubElement(bin_element, "contents", {"coverageCount": str(b.hits), "atLeast": str(b.at_least)})
    return _document(root)


def _document(root: ET.Element) -> str:
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _clean(text: str) -> str:
    """XML 1.0 cannot hold most control characters, escaped or not."""
    return _INVALID_XML.sub("\ufffd", text)


def merge_coverage(runs: Sequence[CoverageData]) -> CoverageData:
    """Sum of the hits of several runs; groups, items and bins in order of first appearance, options from the first run that has them."""
    groups: dict[str, CoverGroup] = {}
    for run in runs:
        for group in run.groups:
            known = groups.get(group.title)
            groups[group.title] = group if known is None else _merge_group(known, group)
    return CoverageData(tuple(groups.values()))


def _merge_group(a: CoverGroup, b: CoverGroup) -> CoverGroup:
    items = {i.name: i for i in a.items}
    for item in b.items:
        known = items.get(item.name)
        items[item.name] = item if known is None else _merge_item(known, item)
    return CoverGroup(a.name, tuple(items.values()), a.instance, a.goal, a.weight, a.comment, a.location)


def _merge_item(a: CoverItem, b: CoverItem) -> CoverItem:
    bins = {x.name: x for x in a.bins}
    for x in b.bins:
        known = bins.get(x.name)
        bins[x.name] = x if known is None else CoverBin(known.name, known.hits + x.hits, known.at_least, known.kind)
    new = sum(x.counted for x in bins.values()) - sum(x.counted for x in a.bins)
    return CoverItem(a.name, tuple(bins.values()), a.kind, a.goal, a.weight, a.comment, a.hits + b.hits, a.location, max(0, a.unlisted - new))
