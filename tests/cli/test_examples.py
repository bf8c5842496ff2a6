"""The examples print what Icarus printed for the SystemVerilog beside them."""

from __future__ import annotations

import pytest
from runner import EXAMPLES, wasmjit

NAMES = sorted(p.stem for p in EXAMPLES.glob("*.mlir"))


def test_every_example_has_source_and_log() -> None:
    assert len(NAMES) >= 4
    for name in NAMES:
        assert (EXAMPLES / f"{name}.sv").exists()
        assert (EXAMPLES / f"{name}.gold").exists()


@pytest.mark.parametrize("mode", ["interpret", "compile"])
@pytest.mark.parametrize("name", NAMES)
def test_example_prints_its_gold_log(name: str, mode: str) -> None:
    done = wasmjit("run", EXAMPLES / f"{name}.mlir", f"--mode={mode}")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (EXAMPLES / f"{name}.gold").read_text()
