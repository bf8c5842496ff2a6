"""Deopt governance over many reports: ranked causes and gates. Reads the `circt-sim` report shape as well as our own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from wasmjit.data import dataclass, field
from wasmjit.report.allow import AllowList, DeoptRow
from wasmjit.report.reasons import explain

MAX_REPORT_BYTES = 512 << 20


class ReportError(Exception):
    """A report cannot be read; the text names the file and why."""


@dataclass(slots=True)
class Summary:
    """Rows of all reports, and which of them no allow-list accepts. `cost_ns`: time lost per (reason, detail), where the reports tell it."""

    reports: list[str] = field(default_factory=list)
    rows: list[DeoptRow] = field(default_factory=list)
    allowed: list[bool] = field(default_factory=list)
    cost_ns: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def blocked(self) -> list[DeoptRow]:
        """Rows that no rule allows."""
        return [row for row, allowed in zip(self.rows, self.allowed, strict=True) if not allowed]


def collect_reports(inputs: Iterable[str], pattern: str = "*.json") -> list[Path]:
    """Report files: files as named, directories searched for the glob. Sorted, without duplicates. Raises ReportError when there is none."""
    found: set[Path] = set()
    for name in inputs:
        path = Path(name)
        if path.is_dir():
            found.update(p.resolve() for p in path.rglob(pattern) if p.is_file() and not beside_report(p, path))
        elif path.exists():
            found.add(path.resolve())
        else:
            raise ReportError(f"{name}: no such file or directory")
    if not found:
        raise ReportError("no JIT report JSON files found")
    return sorted(found)


def beside_report(path: Path, root: Path) -> bool:
    """Whether a file below `root` belongs to a recorded run (`wasmjit run --record`) without being its report."""
    for folder in path.parents:
        if (folder / "run.json").is_file():
            return path != folder / "report.json"
        if folder == root:
            break
    return False


def read_report(path: Path) -> dict[str, Any]:
    """A report file as data. Raises ReportError."""
    try:
        if path.stat().st_size > MAX_REPORT_BYTES:
            raise ReportError(f"{path}: larger than {MAX_REPORT_BYTES} bytes")
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ReportError(f"{path}: {exc.strerror}") from exc
    except (ValueError, RecursionError) as exc:
        raise ReportError(f"{path}: invalid JSON: {exc}") from exc
    if not isinstance(report, dict):
        raise ReportError(f"{path}: expected a JSON object but got {type(report).__name__}")
    return report


def deopt_rows(report: dict[str, Any], source: str) -> list[DeoptRow]:
    """Rows of `jit.jit_deopt_processes`; a report without a `jit` section has none. Raises ReportError for a wrong shape."""
    jit = report.get("jit", {})
    rows = jit.get("jit_deopt_processes", []) if isinstance(jit, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ReportError(f"{source}: jit.jit_deopt_processes is not a list of objects")

    def text(row: dict[str, Any], key: str) -> str:
        value = row.get(key)
        return "" if value is None else str(value).strip()

    return [
        DeoptRow(source, text(row, "process_id"), text(row, "process_name"), text(row, "reason") or "unknown", text(row, "detail")) for row in rows
    ]


def summarize(paths: Sequence[Path], allow: AllowList) -> Summary:
    """Read all reports. Raises ReportError at the first that is unreadable."""
    summary = Summary()
    for path in paths:
        report = read_report(path)
        summary.reports.append(str(path))
        rows = deopt_rows(report, str(path))
        summary.rows.extend(rows)
        summary.allowed.extend(allow.allows(row) for row in rows)
        records = report.get("deopts")
        for record in records if isinstance(records, list) else ():
            if isinstance(record, dict) and isinstance(record.get("cost_ns"), int):
                summary.cost_ns[str(record.get("reason", "unknown")), str(record.get("detail", ""))] += record["cost_ns"]
    return summary


def ranked_reasons(rows: Iterable[DeoptRow]) -> list[tuple[str, int]]:
    """Reasons by falling count, then by name."""
    return sorted(Counter(row.reason for row in rows).items(), key=lambda item: (-item[1], item[0]))


def ranked_details(rows: Iterable[DeoptRow]) -> list[tuple[str, str, int]]:
    """(reason, detail, count) by falling count, then by name."""
    counts = Counter((row.reason, row.detail) for row in rows)
    return sorted(((r, d, n) for (r, d), n in counts.items()), key=lambda item: (-item[2], item[0], item[1]))


def gate_failures(summary: Summary, any_blocked: bool, reasons: Iterable[str], details: Iterable[str]) -> list[str]:
    """Messages of the gates that are violated. `details`: REASON:DETAIL, DETAIL `-` or empty for none. Raises ValueError for a malformed gate."""
    blocked = summary.blocked
    failures = []
    if any_blocked and blocked:
        failures.append(f"non-allowlisted deopts present: rows={len(blocked)}")
    for reason in reasons:
        if not reason.strip():
            raise ValueError("--fail-on-reason needs a reason")
        count = sum(row.reason == reason.strip() for row in blocked)
        if count:
            failures.append(f"blocked reason matched: reason={reason.strip()} count={count}")
    for spec in details:
        reason, colon, detail = (part.strip() for part in spec.partition(":"))
        if not colon or not reason:
            raise ValueError(f"expected --fail-on-reason-detail REASON:DETAIL but got {spec!r}")
        detail = "" if detail == "-" else detail
        count = sum(row.reason == reason and row.detail == detail for row in blocked)
        if count:
            failures.append(f"blocked reason/detail matched: reason={reason} detail={detail or '-'} count={count}")
    return failures


def summary_text(summary: Summary, top: int = 0) -> list[str]:
    """Lines `key=value` as circt-sim's summariser prints them, then an explanation of each cause. `top`: causes shown (0: all)."""
    rows, blocked = summary.rows, summary.blocked
    reasons, details = ranked_reasons(rows), ranked_details(rows)
    blocked_reasons, blocked_details = ranked_reasons(blocked), ranked_details(blocked)
    lines = [
        f"reports_scanned={len(summary.reports)}",
        f"deopt_process_rows={len(rows)}",
        f"deopt_process_rows_non_allowlisted={len(blocked)}",
        f"unique_reasons={len(reasons)}",
        f"unique_reason_details={len(details)}",
        f"unique_reasons_non_allowlisted={len(blocked_reasons)}",
        f"unique_reason_details_non_allowlisted={len(blocked_details)}",
    ]
    end = top or None
    lines += [f"top_reason[{k}] reason={r} count={n}" for k, (r, n) in enumerate(reasons[:end], 1)]
    lines += [f"top_reason_detail[{k}] reason={r} detail={d or '-'} count={n}" for k, (r, d, n) in enumerate(details[:end], 1)]
    lines += [f"top_non_allowlisted_reason[{k}] reason={r} count={n}" for k, (r, n) in enumerate(blocked_reasons[:end], 1)]
    lines += [
        f"top_non_allowlisted_reason_detail[{k}] reason={r} detail={d or '-'} count={n}" for k, (r, d, n) in enumerate(blocked_details[:end], 1)
    ]
    for reason, detail, count in details[:end]:
        text = explain(reason, detail)
        cost = summary.cost_ns[reason, detail]
        lines += ["", f"{reason}{' ' + detail if detail else ''}: {count} processes" + (f", {cost / 1e6:.3f} ms" if cost else ""), f"  {text.message} {text.explanation}"]
        if text.remedy:
            lines.append(f"  What to do: {text.remedy}")
    return lines


def summary_json(summary: Summary, failures: Sequence[str]) -> dict[str, Any]:
    """The same as data."""
    blocked = Counter((row.reason, row.detail) for row in summary.blocked)
    causes = []
    for reason, detail, count in ranked_details(summary.rows):
        text = explain(reason, detail)
        causes.append(
            {
                "reason": reason, "detail": detail, "count": count, "non_allowlisted": blocked[reason, detail], "cost_ns": summary.cost_ns[reason, detail],
                "message": text.message, "explanation": text.explanation, "remedy": text.remedy,
            }
        )
    return {
        "reports_scanned": len(summary.reports),
        "deopt_process_rows": len(summary.rows),
        "deopt_process_rows_non_allowlisted": len(summary.blocked),
        "reasons": [{"reason": r, "count": n} for r, n in ranked_reasons(summary.rows)],
        "causes": causes,
        "processes": [
            {
                "report": row.report, "process_id": row.process_id, "process_name": row.process_name, "reason": row.reason, "detail": row.detail,
                "allowlisted": allowed,
            }
            for row, allowed in zip(summary.rows, summary.allowed, strict=True)
        ],
        "failures": list(failures),
    }


def write_tables(summary: Summary, reasons: str | None, details: str | None, processes: str | None) -> None:
    """Tab-separated tables of ranked reasons, of reasons with details, and of all rows, each where a path is given. Raises OSError."""
    if reasons:
        _write_table(reasons, ("rank", "reason", "count"), [(str(k), r, str(n)) for k, (r, n) in enumerate(ranked_reasons(summary.rows), 1)])
    if details:
        ranked = enumerate(ranked_details(summary.rows), 1)
        _write_table(details, ("rank", "reason", "detail", "count"), [(str(k), r, d or "-", str(n)) for k, (r, d, n) in ranked])
    if processes:
        rows = sorted(summary.rows, key=lambda r: (r.report, int(r.process_id) if r.process_id.isdecimal() else -1, r.reason, r.detail, r.process_name))
        header = ("report", "process_id", "process_name", "reason", "detail")
        _write_table(processes, header, [(r.report, r.process_id, r.process_name, r.reason, r.detail) for r in rows])


def _write_table(path: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    def line(cells: Sequence[str]) -> str:
        return "\t".join(" ".join(cell.split()) for cell in cells) + "\n"

    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(line(header) + "".join(map(line, rows)), encoding="utf-8")
