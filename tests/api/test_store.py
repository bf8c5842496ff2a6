"""The run store: what it makes of directories, whole and damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wasmjit_api.errors import ApiError
from wasmjit_api.records import read_report
from wasmjit_api.store import RunStore

from wasmjit.report.record import RunRecorder

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
        ["processes", "deopts", "timeline", "drivers", "jit", "kind", "process_id", "location", "frame", "tier", "reason", "resume", "tier_ns", "time_fs", "x"]), inner, max_size=5),
    max_leaves=20,
)


def test_new_changed_and_deleted_runs_are_noticed(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    record = RunRecorder(tmp_path, design="a.mlir", mode="compile")
    assert store.scan() == [("added", record.run_id)] and store.scan() == []
    record.progress(time_fs=5, wall_ms=1, deopts_total=2, force=True)
    assert store.scan() == [("changed", record.run_id)]
    assert store.run(record.run_id)["deopts_total"] == 2
    record.finish({"exit_code": 3, "final_time_fs": 9})
    store.scan()
    assert store.run(record.run_id)["verdict"] == "limit" and store.run(record.run_id)["final_time_fs"] == 9
    for path in record.directory.iterdir():
        path.unlink()
    record.directory.rmdir()
    assert store.scan() == [("deleted", record.run_id)]


def test_a_run_whose_process_is_gone_reads_as_aborted(tmp_path: Path) -> None:
    record = RunRecorder(tmp_path, design="a.mlir", mode="compile")
    record.meta["pid"] = 2**22 + 12345
    record._write_meta()
    store = RunStore(tmp_path)
    store.scan()
    assert store.run(record.run_id)["status"] == "aborted" and "gone" in store.run(record.run_id)["message"]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"tier_mix": 5, "deopts_total": "x", "final_time_fs": 1e400, "pid": true}', "[" * 100000])
def test_damaged_run_files_do_not_break_the_list(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "run.json").write_text(text)
    good = RunRecorder(tmp_path, design="a.mlir", mode="compile")
    store = RunStore(tmp_path)
    store.scan()
    assert good.run_id in {run["id"] for run in store.runs()[0]}


def test_a_damaged_or_old_database_is_rebuilt(tmp_path: Path) -> None:
    record = RunRecorder(tmp_path, design="a.mlir", mode="compile")
    (tmp_path / ".index.sqlite3").write_bytes(b"not a database at all, but long enough to be read as a header" * 40)
    store = RunStore(tmp_path)
    store.scan()
    assert store.runs()[1] == 1
    store.close()
    again = RunStore(tmp_path)
    assert again.run(record.run_id)["design"] == "a"


@example({"processes": [{"tier": [], "tier_ns": {}}], "deopts": [{"tier": {}}], "timeline": [{"kind": "deopt", "tier": []}]})
@given(JSON)
def test_any_json_value_is_a_report(value: object) -> None:
    records = read_report(value)
    json.dumps([records.deopts, records.events, records.processes, records.drivers])


def test_reports_of_the_simulators_own_writer_are_read() -> None:
    from wasmjit.report.json_report import ReportData, build_report
    from wasmjit.report.telemetry import DeoptRecord, Telemetry, TimelineEvent

    telemetry = Telemetry()
    telemetry.process(3, "tb.p", "body").tier_ns.update({"interpret": 7_000_000, "compile": 5})
    telemetry.event(TimelineEvent("install", 3, "tb.p", 1, 10, 20))
    telemetry.deopt(DeoptRecord("eager", "guard_failed", "x", 3, "tb.p", location="d.mlir:4:2", resume_point="wait 2", sim_time_fs=50, wall_ns=60, cost_ns=9, frame=[("a", "i1", "1")]))
    records = read_report(build_report(ReportData(telemetry=telemetry, drivers={"tb.q": ["tb.p"]})))
    deopt = records.deopts[0]
    assert (deopt["file"], deopt["line"], deopt["col"], deopt["resume"], deopt["time_fs"]) == ("d.mlir", 4, 2, "wait 2", 50)
    assert deopt["frame"] == [{"name": "a", "type": "i1", "value": "1"}]
    assert [e["kind"] for e in records.events] == ["install", "deopt"] and records.events[0]["tier"] == "compile"
    assert records.processes[0]["lost_ns"] == 7_000_009 and records.drivers == {"tb.q": ["tb.p"]}


def test_reports_of_the_reference_simulator_are_read() -> None:
    records = read_report({"jit": {"jit_deopt_processes": [{"process_id": 1, "process_name": "p", "reason": "missing_thunk", "detail": "compile_budget_zero"}]}})
    assert records.deopts[0]["kind"] == "bailout" and records.processes[0]["name"] == "p" and records.events[0]["kind"] == "bailout"


def test_names_that_are_no_run_raise_404(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    for name in ("..", "", ".hidden", "a/b", "x" * 200, "none"):
        with pytest.raises(ApiError) as caught:
            store.directory(name)
        assert caught.value.status == 404


def test_installs_of_a_body_reach_all_its_instances_and_single_deopts_leave_them_compiled() -> None:
    records = read_report({
        "processes": [{"process_id": n, "process_name": f"p{n}", "definition": "cell"} for n in (1, 2)],
        "timeline": [
            {"kind": "compile", "process_id": 0, "tier": 1, "sim_time_fs": 0, "wall_ns": 5, "dur_ns": 3, "definition": "cell", "bodies": 9},
            {"kind": "install", "process_id": 0, "tier": 1, "sim_time_fs": 0, "wall_ns": 8, "definition": "cell"},
            {"kind": "deopt", "process_id": 2, "tier": 0, "sim_time_fs": 7, "wall_ns": 9}, {"kind": "deopt", "process_id": 1, "tier": 0, "sim_time_fs": 8, "wall_ns": 9},
        ],
        "deopts": [
            {"kind": "eager", "reason": "guard_failed", "process_id": 2, "sim_time_fs": 7, "wall_ns": 9, "action": "interpreted once", "tier": 1},
            {"kind": "eager", "reason": "guard_failed", "process_id": 1, "sim_time_fs": 8, "wall_ns": 9, "action": "no longer entered", "tier": 1},
        ],
    })
    assert [(e["kind"], e["process_id"], e["tier"]) for e in records.events] == [
        ("compile", 0, "compile"), ("install", 1, "compile"), ("install", 2, "compile"), ("deopt", 2, "compile"), ("deopt", 1, "interpret"),
    ]
    assert [p["name"] for p in records.processes] == ["p1", "p2", "compiler"]


def test_the_record_to_show_first_is_the_costliest_with_live_values(tmp_path: Path) -> None:
    record = RunRecorder(tmp_path, design="a.mlir", mode="compile")
    rows = [(50, []), (10, [{"name": "%a", "type": "i1", "value": "0x1"}]), (20, [{"name": "%b", "type": "i1", "value": "0x0"}])]
    record.finish({"exit_code": 0, "deopts": [{"reason": "guard_failed", "process_id": 1, "process_name": "p", "cost_ns": cost, "frame": frame} for cost, frame in rows]})
    store = RunStore(tmp_path)
    store.scan()
    assert store.telling_deopt(record.run_id) == 2 and store.telling_deopt("none") == 0
    store.close()
