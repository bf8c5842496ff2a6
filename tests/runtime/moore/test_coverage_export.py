"""Functional coverage of a run as JSON, Cobertura, UCIS and text."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from wasmjit.report.coverage import coverage_from_json, merge_coverage
from wasmjit.runtime.moore.coverage import Bin, BinsOf, CoverageDatabase, Covergroup, Coverpoint, Cross, CrossBin
from wasmjit.runtime.moore.coverage_export import coverage_data, coverage_file


def database() -> CoverageDatabase:
    """A group with array bins, automatic bins and a cross with a bin of its own; a second instance that is never sampled."""
    db = CoverageDatabase()
    for handle in (1, 2):
        a = Coverpoint("a", 8, [Bin("b", 0, 1, 1), Bin("b", 0, 2, 2), Bin("rest", 1, 3, 255)])
        b = Coverpoint("b", 2)
        db.groups[handle] = Covergroup("cg", [a, b], [Cross("x", (0, 1), [CrossBin("low", 0, (BinsOf(0, values=(1,)),))])])
    g = db.groups[1]
    for va, vb in ((1, 0), (2, 3), (2, 3)):
        g.points[0].sample(va)
        g.points[1].sample(vb)
        g.crosses[0].sample(g.points, (va, vb))
    return db


def test_percentages_are_those_of_the_model() -> None:
    db = database()
    first, second = coverage_data(db).groups
    assert [i.covered for i in first.items] == [2, 2, 2]
    assert [i.countable for i in first.items] == [3, 4, 9]
    assert first.percent == pytest.approx(db.groups[1].coverage())
    assert second.percent == 0.0
    assert (first.title, second.title) == ("cg (1)", "cg (2)")


def test_bins_carry_names_and_hits() -> None:
    a, b, x = coverage_data(database()).groups[0].items
    assert [(i.name, i.hits) for i in a.bins] == [("b[1]", 1), ("b[2]", 2), ("rest", 0)]
    assert [(i.name, i.hits) for i in b.bins] == [("auto[0]", 1), ("auto[3]", 2)]
    assert [(i.name, i.hits) for i in x.bins] == [("low", 1), ("<b[2],auto[3]>", 2)]
    assert (b.unlisted, x.unlisted) == (2, 7)


def test_json_reads_back_and_merges() -> None:
    data = coverage_data(database())
    again = coverage_from_json(json.loads(coverage_file(data, "c.json")))
    assert again == data
    assert merge_coverage([data, again]).percent == pytest.approx(data.percent)


def test_cobertura_and_ucis_are_xml_with_the_same_totals() -> None:
    data = coverage_data(database())
    cobertura = ET.fromstring(coverage_file(data, "c.xml"))
    assert cobertura.tag == "coverage" and (cobertura.get("lines-covered"), cobertura.get("lines-valid")) == ("6", "32")
    assert len(cobertura.findall(".//line")) == 32
    ucis = ET.fromstring(coverage_file(data, "c.ucis"))
    assert len(ucis.findall(".//covergroupCoverage")) == 2


def test_the_text_names_what_is_missing() -> None:
    text = coverage_file(coverage_data(database()), "c.txt")
    assert "rest: 0  not covered" in text and "x: 3 hits, 2/9 bins" in text
