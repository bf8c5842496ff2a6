from __future__ import annotations

import re
from pathlib import Path

import pytest

from wasmjit.report.reasons import COUNTED_REASONS, DETAILS, REASONS, docs_markdown, explain, find_detail

ROOT = Path(__file__).parents[2]
CONTRACT = ROOT.parent / "shared" / "design" / "interface.md"


def test_the_documentation_is_up_to_date() -> None:
    assert (ROOT / "docs" / "deopts.md").read_text(encoding="utf-8") == docs_markdown(), "run: python -m wasmjit.report.reasons > docs/deopts.md"


def test_every_counted_reason_is_explained() -> None:
    assert set(REASONS) == set(COUNTED_REASONS)
    for row in (*REASONS.values(), *DETAILS):
        assert row.message.endswith(".") and row.explanation.endswith(".") and row.remedy.endswith("."), row
        assert row.reason in REASONS


def test_patterns_are_distinct() -> None:
    assert len({d.pattern for d in DETAILS}) == len(DETAILS)


@pytest.mark.usefixtures("shared")
def test_every_detail_the_contract_names_is_in_the_table() -> None:
    text = CONTRACT.read_text(encoding="utf-8").split("Details in use:")[1].split("\n\n")[0]
    named = re.findall(r"`([^`]+)`", text)
    assert len(named) == 9
    for name in named:
        example = name.replace("…", "target_set_changed").replace("OP", "llvm.call")
        assert any(d.matches(example) for d in DETAILS), name


@pytest.mark.parametrize(
    ("reason", "detail", "pattern"),
    [
        ("unsupported_operation", "first_op:func.call:helper", "first_op:"),
        ("guard_failed", "call_indirect_target_guard:target_set_changed:site=4", "call_indirect_target_guard:target_set_changed:"),
        ("missing_thunk", "compile_budget_zero", "compile_budget_zero"),
        ("guard_failed", "forced", "forced"),
    ],
)
def test_details_are_found_by_their_longest_pattern(reason: str, detail: str, pattern: str) -> None:
    row = find_detail(reason, detail)
    assert row is not None and row.pattern == pattern and row.reason == reason


def test_unknown_details_and_reasons_are_explained_too() -> None:
    assert explain("guard_failed", "never_heard_of").message == REASONS["guard_failed"].message
    assert explain("solar_flare").message == "solar flare" and "another tool" in explain("solar_flare").explanation
