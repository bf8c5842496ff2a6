"""The coverage of a run in the form of `wasmjit.report.coverage`, and its file."""

from __future__ import annotations

import json

from wasmjit.report.coverage import CoverageData, CoverBin, CoverGroup, CoverItem, cobertura_xml, coverage_json, coverage_text, ucis_xml
from wasmjit.runtime.moore.coverage import KIND_IGNORE, KIND_NORMAL, CoverageDatabase, Covergroup, Coverpoint, Cross

MAX_LISTED = 4096
"""Most combinations of a cross that are listed one by one, those with hits first."""


def coverage_data(db: CoverageDatabase) -> CoverageData:
    """Every covergroup instance; the second and later ones of a type are told apart by a number."""
    groups = []
    for name, instances in db.types().items():
        for i, g in enumerate(instances):
            items = [coverpoint_item(p, g) for p in g.points] + [cross_item(c, g) for c in g.crosses]
            groups.append(CoverGroup(name, tuple(items), str(i + 1) if len(instances) > 1 else "", g.goal, g.weight, g.comment))
    return CoverageData(tuple(groups))


def coverpoint_item(p: Coverpoint, g: Covergroup) -> CoverItem:
    need = max(1, p.at_least or g.at_least)
    if p.bins:
        alive = {i for i, _ in p.alive()}
        bins = [CoverBin(name, b.hits, need, "bin" if i in alive else "ignore") for i, (name, b) in enumerate(zip(p.bin_names(), p.bins, strict=True))]
        unlisted = 0
    else:
        low = {i: (a, b) for i, a, b in p.cells()}
        bins = [CoverBin(f"auto[{a}]" if a == b else f"auto[{a}:{b}]", p.auto_hits[i], need) for i, (a, b) in low.items() if i in p.auto_hits]
        unlisted = p.auto_bins() - len(bins)
    bins += [CoverBin(b.name, b.hits, kind="ignore") for b in p.ignore] + [CoverBin(b.name, b.hits, kind="illegal") for b in p.illegal]
    return CoverItem(p.name, tuple(bins), "coverpoint", p.goal, p.weight, p.comment, p.hits, unlisted=unlisted)


def cross_item(c: Cross, g: Covergroup) -> CoverItem:
    """Own bins of the cross, and the combinations outside of them that were hit."""
    need = max(1, g.at_least)
    _, total = c.covered(g.points, g.at_least)
    kinds = {KIND_NORMAL: "bin", KIND_IGNORE: "ignore"}
    bins = [CoverBin(b.name, b.hits, need, kinds.get(b.kind, "illegal")) for b in c.bins]
    hits: dict[tuple[int, ...], int] = {}
    for keys, n in c.seen.items():
        if not c.owned(g.points, keys):
            cell = tuple(g.points[p].cell_of(k) for p, k in zip(c.points, keys, strict=True))
            hits[cell] = hits.get(cell, 0) + n
    names = [g.points[p].bin_names() for p in c.points]
    for cell, n in list(hits.items())[:MAX_LISTED]:
        bins.append(CoverBin("<" + ",".join(names[a][i] if names[a] else f"auto[{i}]" for a, i in enumerate(cell)) + ">", n, need))
    return CoverItem(c.name, tuple(bins), "cross", samples=sum(c.seen.values()), unlisted=max(0, total - sum(b.counted for b in bins)))


def coverage_file(data: CoverageData, path: str) -> str:
    """Text of the file, by its suffix: `.json`, `.ucis` (UCIS's XML), `.xml` (Cobertura), anything else the report for people."""
    if path.endswith(".json"):
        return json.dumps(coverage_json(data), indent=2) + "\n"
    if path.endswith(".ucis"):
        return ucis_xml(data)
    return cobertura_xml(data) if path.endswith(".xml") else coverage_text(data)
