from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasmjit import cli_report
from wasmjit.report.allow import AllowListError, DeoptRow, parse_allow_list
from wasmjit.report.json_report import ReportData, build_report, write_report
from wasmjit.report.record import CodeModule, RunRecorder
from wasmjit.report.summary import collect_reports
from wasmjit.report.telemetry import DeoptRecord, Telemetry

ROWS_A = [
    {"process_id": 1, "process_name": "llhd_process_1", "reason": "unsupported_operation", "detail": "prewait_impure:sim.proc.print"},
    {"process_id": 2, "process_name": "llhd_process_2", "reason": "missing_thunk", "detail": "compile_budget_zero"},
]
ROWS_B = [{"process_id": 7, "process_name": "llhd_process_7", "reason": "unsupported_operation", "detail": "first_op:llvm.call"}]


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    folder = tmp_path / "reports"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.json").write_text(json.dumps({"jit": {"jit_deopt_processes": ROWS_A}}))
    (folder / "deep" / "b.json").write_text(json.dumps({"jit": {"jit_deopt_processes": ROWS_B}}))
    return folder


def cli(*argv: object) -> int:
    parser = argparse.ArgumentParser()
    cli_report.add_parser(parser.add_subparsers(dest="command"))
    return cli_report.run(parser.parse_args(["report", *map(str, argv)]))


def test_causes_are_ranked_over_all_reports(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli("summarize", reports) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["reports_scanned=2", "deopt_process_rows=3", "deopt_process_rows_non_allowlisted=3"]
    assert "top_reason[1] reason=unsupported_operation count=2" in lines
    assert "top_reason[2] reason=missing_thunk count=1" in lines
    assert "top_reason_detail[1] reason=missing_thunk detail=compile_budget_zero count=1" in lines
    assert "top_reason_detail[3] reason=unsupported_operation detail=prewait_impure:sim.proc.print count=1" in lines
    assert "  What to do: Remove the option, or give a budget above 0." in lines


def test_json_holds_the_same(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli("check", reports, "--json") == 1
    out = json.loads(capsys.readouterr().out)
    assert (out["reports_scanned"], out["deopt_process_rows"]) == (2, 3)
    assert out["reasons"][0] == {"reason": "unsupported_operation", "count": 2}
    assert out["causes"][0]["remedy"] and out["processes"][2]["process_name"] == "llhd_process_7"
    assert out["failures"] == ["non-allowlisted deopts present: rows=3"]


def test_tables_are_written(reports: Path, tmp_path: Path) -> None:
    r, d, p = (tmp_path / "out" / n for n in ("r.tsv", "d.tsv", "p.tsv"))
    assert cli("summarize", reports, "--out-reason-tsv", r, "--out-detail-tsv", d, "--out-process-tsv", p) == 0
    assert r.read_text() == "rank\treason\tcount\n1\tunsupported_operation\t2\n2\tmissing_thunk\t1\n"
    assert d.read_text().splitlines()[2] == "2\tunsupported_operation\tfirst_op:llvm.call\t1"
    assert p.read_text().splitlines()[1].endswith("a.json\t1\tllhd_process_1\tunsupported_operation\tprewait_impure:sim.proc.print")


@pytest.mark.parametrize(
    ("allow", "status"),
    [
        ("", 1),
        ("exact:reason:unsupported_operation\nreason:missing_thunk", 0),
        ("prefix:reason_detail:unsupported_operation:\nexact:reason_detail:missing_thunk:compile_budget_zero", 0),
        ("regex:^process_name:llhd_process_[0-9]+$", 0),
        ("process_name: prefix: llhd_process_", 0),
        ("reason: regex: missing.*\nprocess_reason: exact: llhd_process_1:unsupported_operation", 1),
        ("# nothing\n\nexact:reason:guard_failed", 1),
        ("reason: regex: missing", 1),
    ],
)
def test_check_passes_exactly_when_everything_is_allowed(allow: str, status: int, reports: Path, tmp_path: Path) -> None:
    path = tmp_path / "allow.txt"
    path.write_text(allow)
    assert cli("check", reports, "--allow", path) == status


def test_gates_see_only_what_is_not_allowed(reports: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    allow = tmp_path / "allow.txt"
    allow.write_text("exact:reason:missing_thunk\nexact:reason:never")
    assert cli("summarize", reports, "--allow", allow) == 0
    assert "the allow-list rule 'exact:reason:never' matches nothing" in capsys.readouterr().err
    assert cli("summarize", reports, "--allow", allow, "--fail-on-any-non-allowlisted-deopt") == 1
    assert cli("summarize", reports, "--allow", allow, "--fail-on-reason", "missing_thunk") == 0
    assert cli("summarize", reports, "--fail-on-reason", "missing_thunk") == 1
    assert cli("check", reports, "--fail-on-reason", "guard_failed") == 0
    capsys.readouterr()
    assert cli("summarize", reports, "--fail-on-reason-detail", "unsupported_operation:first_op:llvm.call") == 1
    assert "blocked reason/detail matched: reason=unsupported_operation detail=first_op:llvm.call count=1" in capsys.readouterr().err
    assert cli("summarize", reports, "--fail-on-reason-detail", "unsupported_operation:-") == 0


@pytest.mark.parametrize("content", ["{", "[]", '{"jit": []}', '{"jit": {"jit_deopt_processes": {}}}', '{"jit": {"jit_deopt_processes": [1]}}', "[" * 100_000])
def test_unreadable_reports_are_status_2(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.json").write_text(content)
    assert cli("check", tmp_path / "r.json") == 2
    assert "r.json" in capsys.readouterr().err


def test_missing_files_and_malformed_options_are_status_2(reports: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert cli("check", tmp_path / "empty") == 2
    assert "no JIT report JSON files found" in capsys.readouterr().err
    assert cli("check", tmp_path / "none.json") == 2
    assert cli("check", reports, "--allow", tmp_path / "none.txt") == 2
    assert cli("check", reports, "--fail-on-reason-detail", "nonsense") == 2
    assert cli("check", reports, "--fail-on-reason", " ") == 2


@pytest.mark.parametrize("line", ["glob:reason:x", "exact:", "regex:(", "reason:", "reason: prefix:", "nonsense"])
def test_malformed_rules_name_their_line(line: str) -> None:
    with pytest.raises(AllowListError, match="allow-list:2"):
        parse_allow_list(f"# head\n{line}\n")


def test_a_report_without_jit_section_has_no_deopts(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("{}")
    assert cli("check", tmp_path / "r.json") == 0


def test_our_own_reports_are_read_with_their_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = Telemetry()
    for time in range(2):
        telemetry.deopt(DeoptRecord("eager", "guard_failed", "unknown_bits:top.a", 1, "p", sim_time_fs=time, cost_ns=2_000_000))
    write_report(tmp_path / "r.json", build_report(ReportData(telemetry=telemetry)))
    assert cli("summarize", tmp_path / "r.json") == 0
    assert "guard_failed unknown_bits:top.a: 1 processes, 4.000 ms" in capsys.readouterr().out.splitlines()


names = st.text("abc_:.", min_size=1, max_size=6)


@given(names, names, names)
def test_an_exact_rule_accepts_the_token_it_spells(process: str, reason: str, detail: str) -> None:
    row = DeoptRow("r", "1", process, reason, detail)
    for token in row.tokens():
        assert parse_allow_list(f"exact:{token}").allows(row)
        assert parse_allow_list(f"prefix:{token[:-1]}").allows(row) or token[:-1].endswith(":")


def test_of_recorded_runs_only_the_reports_are_read(tmp_path: Path) -> None:
    record = RunRecorder(tmp_path / "runs", design="a.mlir", mode="compile")
    record.code([CodeModule(b"\0asm", ("p",), 0, 0)])
    record.progress(time_fs=1, wall_ms=1, force=True)
    record.finish({"exit_code": 0, "jit": {"jit_deopt_processes": [{"process_id": 1, "process_name": "p", "reason": "guard_failed", "detail": "forced"}]}})
    (record.directory / ".waves").mkdir()
    (record.directory / ".waves" / "meta.json").write_text("{}")
    (tmp_path / "other.json").write_text('{"jit": {}}')
    found = collect_reports([str(tmp_path)])
    assert sorted(path.name for path in found) == ["other.json", "report.json"]
