"""Broken designs end in a diagnostic, never in a traceback or a hang (the seeded 200; `robustness.py` as a script tries more)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from robustness import NAMES

from tests.support.mutate import mutate, mutate_meaning


def test_mutated_designs_end_with_a_known_status(shared: Path) -> None:
    # In a process of its own: the children are forked from it, and a process that has compiled wasm must not fork (its compiler threads do not come along).
    done = subprocess.run([sys.executable, str(Path(__file__).with_name("robustness.py")), "200"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "200 of 200 mutations ended as they should" in done.stdout


def test_designs_that_mean_something_else_end_with_a_known_status(shared: Path) -> None:
    command = [sys.executable, str(Path(__file__).with_name("robustness.py")), "140", "7000", "--meaning", "--files", "conformance/*/*.mlir", "--mode", "compile"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "140 of 140 mutations ended as they should" in done.stdout


def test_mutations_differ_from_the_original_and_are_repeatable(shared: Path) -> None:
    text = (shared / NAMES[0]).read_text()
    seeds = range(30)
    assert sum(mutate(text, s) != text for s in seeds) >= 25
    assert [mutate(text, s) for s in seeds] == [mutate(text, s) for s in seeds]
    assert sum(mutate_meaning(text, s) != text for s in seeds) >= 25
    assert [mutate_meaning(text, s) for s in seeds] == [mutate_meaning(text, s) for s in seeds]
