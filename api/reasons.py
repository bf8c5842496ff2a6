"""The one reason table (`wasmjit.report.reasons`) and the allow-list (`wasmjit.report.allow`), as the page needs them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wasmjit.report.allow import AllowList, AllowListError, DeoptRow, parse_allow_list
from wasmjit.report.reasons import DETAILS, REASONS
from wasmjit.report.reasons import explain as explain_record

ALLOW_FILE = "allow.txt"


def reason_table() -> list[dict[str, Any]]:
    """Rows {reason, detail, kind, message, explanation, remedy}: every reason, then every known detail of it."""
    rows = [
        {"reason": r.reason, "detail": "", "kind": r.kind, "message": r.message, "explanation": r.explanation, "remedy": r.remedy} for r in REASONS.values()
    ]
    rows += [
        {"reason": d.reason, "detail": d.pattern, "kind": REASONS[d.reason].kind, "message": d.message, "explanation": d.explanation, "remedy": d.remedy}
        for d in DETAILS
    ]
    return rows


def explain(reason: str, detail: str) -> dict[str, Any]:
    """What a record means and what to do about it, for any reason and detail."""
    found = explain_record(reason, detail)
    return {"reason": reason, "message": found.message, "explanation": found.explanation, "remedy": found.remedy}


@dataclass(frozen=True, slots=True)
class Allowed:
    """The allow-list of a folder of runs; `errors` says why one could not be read (then nothing is allowed)."""

    path: Path
    rules: AllowList = field(default_factory=AllowList)
    errors: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.rules.rules)

    def accepts(self, reason: str, detail: str, process: str) -> bool:
        return self.rules.allows(DeoptRow("", "", process, reason, detail))


def allow_list(root: Path) -> Allowed:
    """The allow-list RUNS/allow.txt; an empty one when there is none."""
    path = root / ALLOW_FILE
    try:
        return Allowed(path, parse_allow_list(path.read_text(encoding="utf-8", errors="replace"), ALLOW_FILE))
    except FileNotFoundError:
        return Allowed(path)
    except (AllowListError, OSError) as error:
        return Allowed(path, errors=[str(error)])
