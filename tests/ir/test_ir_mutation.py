from __future__ import annotations

from pathlib import Path

from ir_mutation import mutation_findings


def test_damaged_inputs_give_a_design_or_an_ir_error(shared: Path) -> None:
    findings = mutation_findings(shared, n=200, seed=1)
    assert not findings, "\n\n".join(findings[:5])
