"""The HTTP interface as scripts use it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from wasmtime import wat2wasm

from wasmjit.report.record import CodeModule, RunRecorder


def test_runs_are_paged_filtered_and_sorted(api: Any) -> None:
    body = api.get("/api/runs", limit=2, sort="deopts_total").json()
    assert body["ok"] and len(body["runs"]) == 2 and body["total"] >= 13
    assert body["runs"][0]["deopts_total"] == 64
    second = api.get("/api/runs", limit=2, offset=2, sort="deopts_total").json()["runs"]
    assert {r["id"] for r in second}.isdisjoint(r["id"] for r in body["runs"])
    assert {r["mode"] for r in api.get("/api/runs", mode="interpret").json()["runs"]} == {"interpret"}
    assert api.get("/api/runs", q="sha256 comp").json()["total"] == 1
    assert api.get("/api/runs", q="100%_\\").json()["total"] == 0


def test_one_run_says_which_parts_it_has(api: Any) -> None:
    body = api.get(f"/api/runs/{api.ids['sha_compile']}").json()
    assert body["run"]["verdict"] == "different" and body["has"] == {"design": True, "log": True, "report": True, "wat": True, "verdict": True}


@pytest.mark.parametrize(("path", "status"), [("/api/runs/none", 404), ("/api/nothing", 404), ("/api/runs?limit=0", 422), ("/nothing.js", 404)])
def test_errors_have_one_shape(api: Any, path: str, status: int) -> None:
    answer = api.get(path)
    body = answer.json()
    assert answer.status_code == status and body["ok"] is False and body["status"] == status and body["error"]


def test_a_run_is_deleted_but_not_while_it_goes_on(api: Any) -> None:
    record = RunRecorder(api.runs, design="x.mlir", mode="compile")
    assert api.client.delete(f"/api/runs/{record.run_id}").status_code == 409
    record.finish({"exit_code": 0})
    api.client.app.state.context.store.scan()
    assert api.client.delete(f"/api/runs/{record.run_id}").json() == {"ok": True, "deleted": record.run_id}
    assert not record.directory.exists() and api.get(f"/api/runs/{record.run_id}").status_code == 404


def test_deopts_are_paged_by_range_process_and_reason(api: Any) -> None:
    run = api.ids["pico"]
    whole = api.get(f"/api/runs/{run}/deopts", limit=1000).json()
    assert whole["total"] == 48 == len(whole["deopts"])
    times = [d["time_fs"] for d in whole["deopts"]]
    part = api.get(f"/api/runs/{run}/deopts", begin=times[10], end=times[20]).json()
    assert part["total"] == sum(times[10] <= t <= times[20] for t in times)
    walls = [d["wall_ns"] for d in whole["deopts"]]
    assert api.get(f"/api/runs/{run}/deopts", axis="wall", begin=walls[10]).json()["total"] == 38
    assert {d["process_id"] for d in api.get(f"/api/runs/{run}/deopts", process_id=2).json()["deopts"]} == {2}
    assert {d["reason"] for d in api.get(f"/api/runs/{run}/deopts", reason="guard_failed").json()["deopts"]} == {"guard_failed"}
    assert all(not d["frame"] for d in api.get(f"/api/runs/{run}/deopts", brief=True).json()["deopts"])


def test_a_deopt_has_its_frame_its_remedy_its_source_and_its_wasm(api: Any) -> None:
    run = api.ids["pico"]
    body = api.get(f"/api/runs/{run}/deopts/0").json()
    assert body["deopt"]["line"] == 33 and body["deopt"]["frame"][0] == {"name": "prev", "type": "i1", "value": "0"}
    assert body["reason"]["remedy"]
    source = api.get(f"/api/runs/{run}/source", line=33, context=2).json()
    assert source["first"] == 31 and "llvm.load" in source["lines"][2]
    definition = body["deopt"]["definition"]
    text = api.get(f"/api/runs/{run}/wat", body=definition, at=body["deopt"]["wall_ns"]).json()["text"]
    assert text.startswith(f"(func ${definition} ") and "(call $wait" in text and text.endswith("\n)")
    assert api.get(f"/api/runs/{run}/wat", body="../run.json").status_code == 404


def test_the_wasm_of_a_deopt_is_the_version_that_was_in_force(api: Any) -> None:
    record = RunRecorder(api.runs, design="twice.mlir", mode="compile")
    first, second = (bytes(wat2wasm(f"(module (func $p (result i32) (i32.const {n})))")) for n in (11, 22))
    record.code([CodeModule(first, ("tb.p",), 100, 0, "start"), CodeModule(second, ("tb.p",), 200, 0, "hot"), CodeModule(b"no module", ("tb.q",), 300, 0, "hot")])
    record.finish({"exit_code": 0})
    found = {at: api.get(f"/api/runs/{record.run_id}/wat", body="tb.p", **({"at": at} if at is not None else {})).json() for at in (0, 150, 250, None)}
    assert [("i32.const 11" in found[at]["text"], found[at]["module"], found[at]["versions"]) for at in found] == [(True, 0, 2), (True, 0, 2), (False, 1, 2), (False, 1, 2)]
    bad = api.get(f"/api/runs/{record.run_id}/wat", body="tb.q")
    assert bad.status_code == 409 and "cannot be read" in bad.json()["error"]
    api.client.delete(f"/api/runs/{record.run_id}")


def test_the_timeline_ranks_processes_by_lost_time(api: Any) -> None:
    body = api.get(f"/api/runs/{api.ids['pico']}/timeline").json()
    lost = [p["lost_ns"] for p in body["processes"]]
    assert lost == sorted(lost, reverse=True) and lost[0] > 0
    assert {e["kind"] for e in body["events"]} >= {"compile", "install", "deopt", "evict"}


def test_log_lines_have_times_and_are_found_by_time_and_text(api: Any) -> None:
    run = api.ids["sha_compile"]
    body = api.get(f"/api/runs/{run}/log").json()
    assert [line["text"] for line in body["lines"][:2]] == ["block 0 hashed", "block 1 hashed"]
    assert body["lines"][1]["t"] == (3 + 68 * 2) * 10_000_000
    assert api.get(f"/api/runs/{run}/log", q="chain").json()["hits"] == [3]
    at = api.get(f"/api/runs/{run}/log", at=body["lines"][2]["t"], limit=2).json()
    assert at["first"] == 1


def test_the_last_driver_of_a_difference_comes_with_its_tier(api: Any) -> None:
    run = api.ids["sha_compile"]
    first = json.loads((api.runs / run / "verdict.json").read_text())["differences"][0]
    body = api.get(f"/api/runs/{run}/driver", signal=first["signal"], t=first["time_fs"]).json()
    assert body["source"] == "verdict" and body["drivers"][0]["process"] == "tb.dut.reg_update"
    assert body["drivers"][0]["tier"] in ("interpret", "compile", "optimise")
    assert api.get(f"/api/runs/{run}/driver", signal="tb.none", t=0).json()["drivers"] == []


def test_the_burn_down_counts_the_last_run_of_each_design_per_commit(api: Any) -> None:
    (api.runs / "allow.txt").write_text("exact:reason:guard_failed\n")
    body = api.get("/api/burndown").json()
    assert body["trend"][0]["deopts"] == 64 and len(body["trend"]) == 8
    assert {c["state"] for c in body["causes"] if c["reason"] == "guard_failed"} == {"allowed"}
    (api.runs / "allow.txt").write_text("nonsense line\n")
    assert api.get("/api/burndown").json()["allow"]["errors"]
    (api.runs / "allow.txt").unlink()
    assert {c["state"] for c in api.get("/api/burndown", by="date").json()["causes"]} == {"open"}


def test_the_reason_table_is_the_simulators(api: Any) -> None:
    from wasmjit.report.reasons import REASONS

    rows = api.get("/api/reasons").json()["reasons"]
    assert {row["reason"] for row in rows if not row["detail"]} == set(REASONS)


def test_perfetto_and_vcd_of_the_timeline(api: Any) -> None:
    run = api.ids["pico"]
    trace = api.get(f"/api/runs/{run}/export/timeline.json").json()
    slices = [e for e in trace["traceEvents"] if e["ph"] == "X" and e["cat"] == "tier"]
    assert slices and all(e["dur"] >= 0 for e in slices)
    assert "$var wire 2" in api.get(f"/api/runs/{run}/export/timeline.vcd").text
    assert api.get(f"/api/runs/{api.ids['aborted']}/export/timeline.vcd").status_code == 404


def test_the_event_stream_begins_with_a_greeting() -> None:
    import asyncio

    from wasmjit_api.events import Hub

    async def check() -> None:
        hub = Hub(None, 1.0)  # type: ignore[arg-type]  # the store is only used by the watcher, which is not started
        hub._loop = asyncio.get_running_loop()
        stream = hub.stream()
        assert b"hello" in await anext(stream)
        hub.publish({"event": "added", "id": "x"})
        assert b'"added"' in await anext(stream)
        hub.end_streams()
        assert [part async for part in stream] == []

    asyncio.run(check())


def test_a_reader_that_does_not_keep_up_is_told_to_reload() -> None:
    import asyncio

    from wasmjit_api.events import Hub

    async def check() -> None:
        hub = Hub(None, 1.0)  # type: ignore[arg-type]
        hub._loop = asyncio.get_running_loop()
        stream = hub.stream()
        await anext(stream)
        for n in range(300):
            hub._put(f"data: {n}\n\n".encode())
        assert b"reload" in await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(check())


def test_the_api_describes_itself(api: Any) -> None:
    schema = api.get("/api/openapi.json").json()
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            assert operation.get("description"), f"{method} {path} has no description"
            assert "422" in operation["responses"] and "403" in operation["responses"]
