from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasmjit.report.coverage import (
    CoverageData,
    CoverageDifference,
    CoverBin,
    CoverGroup,
    CoverItem,
    cobertura_xml,
    compare_coverage,
    coverage_from_json,
    coverage_json,
    coverage_text,
    merge_coverage,
    ucis_xml,
)

SAMPLE = CoverageData(
    (
        CoverGroup(
            "sram_cg",
            (
                CoverItem("cp_addr", (CoverBin("low", 3), CoverBin("high", 0), CoverBin("bad", 5, kind="illegal")), weight=2, location="a.sv:3:1"),
                CoverItem("cp_we", (CoverBin("on", 1), CoverBin("off", 1, at_least=2)), samples=2),
                CoverItem("addr_x_we", (CoverBin("<low,on>", 1),), kind="cross", weight=1),
            ),
            weight=3,
        ),
        CoverGroup("empty_cg", (CoverItem("nothing"),)),
        CoverGroup("full_cg", (CoverItem("c", (CoverBin("x", 9),)),), instance="top.u1"),
    )
)

texts = st.text(max_size=6)
bins = st.builds(CoverBin, texts, st.integers(0, 9), st.integers(1, 3), st.sampled_from(["bin", "default", "ignore", "illegal"]))
items = st.builds(
    CoverItem, texts, st.lists(bins, max_size=4, unique_by=lambda b: b.name).map(tuple), st.sampled_from(["coverpoint", "cross"]),
    st.floats(0, 100), st.integers(0, 5), texts, st.integers(0, 50), texts,
)  # fmt: skip
groups = st.builds(CoverGroup, texts, st.lists(items, max_size=3, unique_by=lambda i: i.name).map(tuple), texts, st.floats(0, 100), st.integers(0, 5), texts, texts)
data = st.builds(CoverageData, st.lists(groups, max_size=3, unique_by=lambda g: g.title).map(tuple))


def test_percentages_are_means_by_weight() -> None:
    sram = SAMPLE.groups[0]
    assert [i.percent for i in sram.items] == [50, 50, 100]
    assert sram.percent == pytest.approx((2 * 50 + 50 + 100) / 4)
    assert SAMPLE.percent == pytest.approx((3 * 62.5 + 100) / 4)
    assert CoverageData().percent == 0


def test_the_text_names_groups_points_and_hits() -> None:
    lines = coverage_text(SAMPLE).splitlines()
    assert "=== Coverage Report ===" in lines
    assert "Covergroup: sram_cg  62.50% (goal 100%)" in lines
    assert "  cp_addr: 8 hits, 1/2 bins, 50.00%" in lines
    assert "  cp_we: 2 hits, 1/2 bins, 50.00%" in lines
    assert "    high: 0  not covered" in lines and "    off: 1  below 2" in lines and "    bad (illegal): 5" in lines
    assert "Covergroup: full_cg (top.u1)  100.00% (goal 100%)" in lines
    assert coverage_text(CoverageData()) == ""


@given(data)
def test_json_round_trips(tree: CoverageData) -> None:
    assert coverage_from_json(json.loads(json.dumps(coverage_json(tree)))) == CoverageData(
        tuple(
            CoverGroup(g.name, tuple(CoverItem(i.name, i.bins, i.kind, i.goal, i.weight, i.comment, i.hits, i.location) for i in g.items), g.instance, g.goal, g.weight, g.comment, g.location)
            for g in tree.groups
        )
    )


@pytest.mark.parametrize("wrong", [{}, {"schema_version": 9}, {"schema_version": 1}, {"schema_version": 1, "covergroups": [3]}])
def test_other_json_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        coverage_from_json(wrong)


@given(data)
def test_xml_is_well_formed_and_complete(tree: CoverageData) -> None:
    cobertura, ucis = ET.fromstring(cobertura_xml(tree)), ET.fromstring(ucis_xml(tree))
    countable = sum(i.countable for g in tree.groups for i in g.items)
    covered = sum(i.covered for g in tree.groups for i in g.items)
    lines = cobertura.findall(".//line")
    assert len(lines) == countable == int(cobertura.attrib["lines-valid"])
    assert sum(int(line.attrib["hits"]) > 0 for line in lines) == covered
    assert len(ucis.findall(".//contents")) == sum(len(i.bins) for g in tree.groups for i in g.items)


def test_cobertura_names_the_source_file() -> None:
    root = ET.fromstring(cobertura_xml(SAMPLE, "/src"))
    assert root.findtext("sources/source") == "/src"
    cls = root.find(".//class[@name='cp_addr']")
    assert cls is not None and cls.attrib["filename"] == "a.sv" and cls.attrib["line-rate"] == "0.5000"


@given(data)
def test_comparing_and_merging(tree: CoverageData) -> None:
    assert compare_coverage(tree, tree) == []
    doubled = merge_coverage([tree, tree])
    for group, twice in zip(tree.groups, doubled.groups, strict=True):
        assert [i.hits * 2 for i in group.items] == [i.hits for i in twice.items]
        assert [[b.hits * 2 for b in i.bins] for i in group.items] == [[b.hits for b in i.bins] for i in twice.items]


def test_differences_name_the_bin() -> None:
    other = CoverageData((CoverGroup("full_cg", (CoverItem("c", (CoverBin("x", 8), CoverBin("y", 1))),), instance="top.u1"),))
    assert compare_coverage(CoverageData(SAMPLE.groups[2:]), other) == [
        CoverageDifference(("full_cg (top.u1)", "c", "x"), 9, 8),
        CoverageDifference(("full_cg (top.u1)", "c", "y"), None, 1),
    ]
