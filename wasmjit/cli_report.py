"""`wasmjit report summarize|check REPORT... [--allow F]`: deopt governance over JIT reports.

Exit status: 0 fine, 1 a gate is violated, 2 an unreadable report or allow-list, or wrong arguments.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from wasmjit.report.allow import AllowList, AllowListError, parse_allow_list
from wasmjit.report.summary import ReportError, collect_reports, gate_failures, summarize, summary_json, summary_text, write_tables


def add_parser(subparsers: Any) -> None:
    """Register the `report` subcommand with an argparse sub-parser action."""
    parser = subparsers.add_parser("report", help="rank the causes of deopts over many JIT reports and gate on them")
    actions = parser.add_subparsers(dest="report_action", required=True, metavar="summarize|check")
    summary = actions.add_parser("summarize", help="ranked causes with explanations; gates only where asked for")
    check = actions.add_parser("check", help="exit status 1 when a gate is violated (default gate: any deopt that is not allowed)")
    for action in (summary, check):
        action.add_argument("reports", nargs="+", metavar="REPORT", help="report files, or directories that are searched for them")
        action.add_argument("--glob", default="*.json", help="files taken from directories (*.json)")
        action.add_argument("--allow", "--allowlist-file", dest="allow", action="append", default=[], metavar="FILE", help="allow-list (repeatable)")
        action.add_argument("--fail-on-any-non-allowlisted-deopt", action="store_true", help="gate: no deopt outside the allow-lists")
        action.add_argument("--fail-on-reason", action="append", default=[], metavar="REASON", help="gate: no such deopt outside the allow-lists (repeatable)")
        action.add_argument(
            "--fail-on-reason-detail", action="append", default=[], metavar="REASON:DETAIL", help="the same with a detail, `-` for none (repeatable)"
        )
        action.add_argument("--top", type=int, default=0, metavar="N", help="causes shown (0: all)")
        action.add_argument("--json", action="store_true", help="print JSON")
        action.add_argument("--out-reason-tsv", metavar="FILE", help="also write ranked reasons")
        action.add_argument("--out-detail-tsv", metavar="FILE", help="also write ranked reasons with details")
        action.add_argument("--out-process-tsv", metavar="FILE", help="also write all rows")


def run(args: argparse.Namespace) -> int:
    """Run the subcommand; returns the exit status."""
    gates = bool(args.fail_on_any_non_allowlisted_deopt or args.fail_on_reason or args.fail_on_reason_detail)
    any_blocked = args.fail_on_any_non_allowlisted_deopt or (args.report_action == "check" and not gates)
    try:
        allow = _read_allow_lists(args.allow)
        summary = summarize(collect_reports(args.reports, args.glob), allow)
        failures = gate_failures(summary, any_blocked, args.fail_on_reason, args.fail_on_reason_detail)
        write_tables(summary, args.out_reason_tsv, args.out_detail_tsv, args.out_process_tsv)
    except (ReportError, AllowListError, ValueError, OSError) as exc:
        print(f"[wasmjit] error: {exc}", file=sys.stderr)
        return 2
    if args.json:
        print(json.dumps(summary_json(summary, failures), indent=2))
    else:
        print("\n".join(summary_text(summary, max(args.top, 0))))
    sys.stdout.flush()
    for rule in allow.unused(summary.rows):
        print(f"[wasmjit] Warning: the allow-list rule {rule!r} matches nothing", file=sys.stderr)
    for failure in failures:
        print(f"[wasmjit] {failure}", file=sys.stderr)
    return 1 if failures else 0


def _read_allow_lists(paths: list[str]) -> AllowList:
    merged = AllowList()
    for path in paths:
        merged.rules.extend(parse_allow_list(Path(path).read_text(encoding="utf-8"), path).rules)
    return merged
