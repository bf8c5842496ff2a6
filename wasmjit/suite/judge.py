"""What counts as a pass, per suite (../shared/suites/README.md)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from wasmjit.data import dataclass, field
from wasmjit.suite.assertions import BadAssertion, assertions, holds
from wasmjit.suite.manifest import Case

_UVM = re.compile(r"^UVM_(ERROR|FATAL)\b(?! *: *0\b)", re.MULTILINE)
WITHOUT_BENCH = ("yosys", "opentitan")
"""Suites of plain modules: they are driven with random inputs."""


@dataclass(slots=True)
class CaseResult:
    """status: pass, fail, error (a bug of wasmjit, a hang) or skip."""

    case: Case
    status: str = "pass"
    reason: str = ""
    mode: str = ""
    exit_code: int = 0
    wall_s: float = 0.0
    details: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "suite": self.case.suite, "name": self.case.name, "tags": self.case.tags, "mode": self.mode, "status": self.status, "reason": self.reason,
            "exit_code": self.exit_code, "wall_s": round(self.wall_s, 3), "details": self.details,
        }  # fmt: skip


def judge(case: Case, exit_code: int, timed_out: bool, folder: Path) -> tuple[str, str, list[str]]:
    """(status, reason, details) of one run whose stdout and stderr are in `folder`."""
    out = (folder / "stdout").read_text(encoding="utf-8", errors="replace")
    err = (folder / "stderr").read_text(encoding="utf-8", errors="replace")
    last = next((line for line in reversed(err.strip().splitlines()) if "rror" in line), "")
    if timed_out:
        return "error", "does not end", [last]
    if exit_code == 70 or exit_code < 0 or exit_code > 70:
        return "error", f"exit status {exit_code}", [last]
    if case.suite in WITHOUT_BENCH and exit_code == 1:
        # Random inputs violate what a design assumes of its surroundings; that is a finding of the run, not a failure to run.
        return "pass", "", []
    failed = exit_code != 0
    if case.should_fail:
        return ("pass", "", []) if failed else ("fail", "should fail but does not", [])
    if failed:
        return "fail", f"exit status {exit_code}", [last]
    wrong: list[str] = []
    for text in assertions(out):
        try:
            if not holds(text):
                wrong.append(f"assertion is false: {text}")
        except BadAssertion as e:
            wrong.append(f"assertion cannot be read: {text} ({e})")
    if wrong:
        return "fail", f"{len(wrong)} assertion{'' if len(wrong) == 1 else 's'} of the log false", wrong[:20]
    if case.suite == "verilator-verification" and _UVM.search(out):
        return "fail", "UVM errors", [m.group(0) for m in _UVM.finditer(out)][:20]
    return "pass", "", []
