from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from wasmjit.report.json_report import JitConfig, ReportData, build_report, render_report, write_report
from wasmjit.report.telemetry import DeoptRecord, Telemetry, TimelineEvent

CONTRACT = Path(__file__).parents[3] / "shared" / "design" / "interface.md"


def sample_telemetry() -> Telemetry:
    t = Telemetry()
    t.event(TimelineEvent("compile", 1, "llhd_process_0", 1, 0, 1_000_000, 2_500_000, bodies=2))
    t.event(TimelineEvent("install", 1, "llhd_process_0", 1, 0, 3_600_000))
    t.deopt(DeoptRecord("bailout", "missing_thunk", "compile_budget_exhausted", 2, "llhd_process_1", "a.mlir:4:5"))
    t.deopt(DeoptRecord("eager", "guard_failed", "", 1, "llhd_process_0", "a.mlir:9:5", "wait 1", 5000, 2, 7_000_000, 1200, "recompiled"))
    site = t.call_site(3, "top", "a.mlir:7:7")
    site.note("callee_a", 2)
    site.note("callee_b")
    site.note(None)
    stats = t.process(1, "llhd_process_0", "top::p0")
    stats.tier, stats.activations, stats.tier_ns = 1, 7, {"interpret": 10, "compile": 90}
    t.process(2, "llhd_process_1")
    return t


def flat_keys(value: dict[str, object]) -> list[str]:
    keys: list[str] = []
    for key, inner in value.items():
        keys.append(key)
        if isinstance(inner, dict):
            keys += flat_keys(inner)
        elif isinstance(inner, list) and inner and isinstance(inner[0], dict):
            keys += flat_keys(inner[0])
    return keys


def contract_keys() -> list[str]:
    """The keys of interface.md's report section in the order they stand there."""
    block = CONTRACT.read_text(encoding="utf-8").split("## JSON report")[1].split("```")[1]
    block = re.sub(r"(\w*)\{([\w,]+)\}(\w*)", lambda m: " ".join(m[1] + part + m[3] for part in m[2].split(",")), block)
    return [w for w in re.findall(r"[\w?]+", block.replace("detail?", "detail")) if w]


@pytest.mark.usefixtures("shared")
def test_keys_and_their_order_are_those_of_the_contract() -> None:
    telemetry = sample_telemetry()
    report = build_report(ReportData(telemetry=telemetry))
    keys = flat_keys(report)
    expected = contract_keys()
    assert keys[: len(expected)] == expected
    assert list(report)[10:] == ["tiers", "processes", "deopts", "timeline", "dropped_records", "memory", "drivers"]


def test_an_empty_run_has_zeros_and_empty_lists() -> None:
    text = render_report(build_report(ReportData(mode="interpret", config=JitConfig(compile_budget=-1))))
    for line in (
        '  "mode": "interpret",', '    "hot_threshold": 1,', '    "compile_budget": -1,', '    "fail_on_deopt": 0', '    "jit_compiles_total": 0,',
        '    "jit_deopt_reason_missing_thunk": 0,', '    "jit_compile_wall_ms": 0,', '    "jit_deopt_processes": [],', '    "jit_call_indirect_sites": []',
    ):  # fmt: skip
        assert line in text.splitlines(), line


def test_checks_of_the_conformance_corpus_hold_for_such_a_run() -> None:
    data = ReportData(telemetry=sample_telemetry(), config=JitConfig(hot_threshold=7, compile_budget=11, fail_on_deopt=True))
    data.telemetry.check_strict()
    text = render_report(build_report(data))
    at = 0
    for check in (
        '"mode": "compile"', '"jit_config":', '"hot_threshold": 7', '"compile_budget": 11', '"cache_policy": "memory"', '"fail_on_deopt": 1', '"scheduler":',
        '"processes_executed": 0', '"jit":', '"jit_compiles_total": 1', '"jit_cache_hits_total": 0', '"jit_exec_hits_total": 0', '"jit_deopts_total": 2',
        '"jit_deopt_reason_guard_failed": 1', '"jit_deopt_reason_unsupported_operation": 0', '"jit_deopt_reason_missing_thunk": 1',
        '"jit_strict_violations_total": 1', '"jit_call_indirect_sites_total": 1', '"jit_call_indirect_unresolved_total": 1', '"jit_deopt_processes": [',
        '"reason": "missing_thunk"', '"detail": "compile_budget_exhausted"', '"targets_total": 2', '"target_set_version": 2', '"target_name": "callee_a"',
        '"target_name": "callee_b"',
    ):  # fmt: skip
        at = text.find(check, at)
        assert at >= 0, check


def test_deopt_processes_leave_out_an_empty_detail() -> None:
    rows = build_report(ReportData(telemetry=sample_telemetry()))["jit"]["jit_deopt_processes"]
    assert rows == [
        {"process_id": 2, "process_name": "llhd_process_1", "reason": "missing_thunk", "detail": "compile_budget_exhausted"},
        {"process_id": 1, "process_name": "llhd_process_0", "reason": "guard_failed"},
    ]


def test_further_keys_come_last_and_cannot_hide_a_contract_key() -> None:
    report = build_report(ReportData(extra={"islands": 3}))
    assert list(report)[-1] == "islands"
    with pytest.raises(ValueError, match="already has the key 'mode'"):
        build_report(ReportData(extra={"mode": "x"}))


def test_times_in_tiers_are_summed() -> None:
    tiers = build_report(ReportData(telemetry=sample_telemetry()))["tiers"]
    assert tiers["interpret"] == {"processes": 1, "activations": 0, "wall_ns": 10}
    assert tiers["compile"] == {"processes": 1, "activations": 7, "wall_ns": 90}


def test_the_file_appears_whole_and_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text("old")
    report = build_report(ReportData(telemetry=sample_telemetry()))
    write_report(path, report)
    assert json.loads(path.read_text()) == report
    assert os.listdir(tmp_path) == ["r.json"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "l.json").symlink_to("r.json")
    write_report(tmp_path / "l.json", {"a": 1})
    assert (tmp_path / "l.json").is_symlink() and json.loads((tmp_path / "r.json").read_text()) == {"a": 1}


def test_an_unwritable_place_is_an_os_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        write_report(tmp_path / "none" / "r.json", {})
    (tmp_path / "d.json").mkdir()
    with pytest.raises(OSError):
        write_report(tmp_path / "d.json", {})
    assert os.listdir(tmp_path) == ["d.json"]


def test_devices_are_written_directly() -> None:
    write_report("/dev/null", {"a": 1})
    assert not Path("/dev/null").is_file()


def test_undecodable_names_still_give_valid_json() -> None:
    telemetry = Telemetry()
    telemetry.process(1, "p\udcff")
    assert json.loads(render_report(build_report(ReportData(telemetry=telemetry))).encode())["processes"][0]["process_name"] == "p\udcff"
