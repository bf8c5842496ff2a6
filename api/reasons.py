"""The one reason table (`wasmjit.report.reasons`) and the allow-list, as the page needs them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ALLOW_FILE = "allow.txt"


def reason_table() -> list[dict[str, Any]]:
    """Rows {reason, kind, message, explanation, remedy} of every reason wasmjit knows."""
    from wasmjit.report import reasons

    return [_row(entry) for entry in _entries(reasons)]


def _entries(module: Any) -> list[Any]:
    table = module.REASONS
    return list(table.values()) if isinstance(table, dict) else list(table)


def _row(entry: Any) -> dict[str, Any]:
    return {key: str(getattr(getattr(entry, key, ""), "value", getattr(entry, key, ""))) for key in ("reason", "kind", "message", "explanation", "remedy")}


def explain(reason: str, detail: str) -> dict[str, Any]:
    """The table's row for a reason; a reason of another tool gets a row that says so."""
    for row in reason_table():
        if row["reason"] == reason:
            return row
    return {
        "reason": reason, "kind": "", "message": reason.replace("_", " "), "explanation": "This reason is not in wasmjit's table; another tool or version recorded it.",
        "remedy": "",
    }


@dataclass(slots=True)
class AllowList:
    """Deopts that are accepted: lines `reason:`, `reason_detail:` or `process_name:` followed by `exact:`, `prefix:` or `regex:` and a pattern."""

    path: Path
    rules: list[tuple[str, re.Pattern[str]]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.rules)

    def accepts(self, reason: str, detail: str, process: str) -> bool:
        values = {"reason": reason, "reason_detail": f"{reason}:{detail}", "process_name": process, "process_reason": f"{process}:{reason}"}
        return any(pattern.fullmatch(values[what]) for what, pattern in self.rules)


def allow_list(root: Path) -> AllowList:
    """The allow-list RUNS/allow.txt; an empty one when there is none."""
    return AllowList(root / ALLOW_FILE)
