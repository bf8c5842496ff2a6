"""Broken designs end in a diagnostic, never in a traceback or a hang (the seeded 200; `robustness.py` as a script tries more)."""

from __future__ import annotations

from pathlib import Path

import pytest
from robustness import NAMES, try_one
from support.mutate import mutate


@pytest.mark.parametrize("group", range(20))
def test_mutated_designs_end_with_a_known_status(shared: Path, group: int) -> None:
    found = [p for seed in range(group * 10, group * 10 + 10) if (p := try_one(shared, seed, "interpret")) is not None]
    assert found == []


def test_mutations_differ_from_the_original_and_are_repeatable(shared: Path) -> None:
    text = (shared / NAMES[0]).read_text()
    seeds = range(30)
    assert sum(mutate(text, s) != text for s in seeds) >= 25
    assert [mutate(text, s) for s in seeds] == [mutate(text, s) for s in seeds]
