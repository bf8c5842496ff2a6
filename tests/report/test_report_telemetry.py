from __future__ import annotations

import json
from pathlib import Path

import pytest

from wasmjit.report.perfetto import trace_events, write_timeline
from wasmjit.report.telemetry import CallSiteProfile, DeoptRecord, Telemetry, TimelineEvent
from wasmjit.waves.read import open_wave


def bailout(process: int, detail: str = "below_hot_threshold") -> DeoptRecord:
    return DeoptRecord("bailout", "missing_thunk", detail, process, f"llhd_process_{process - 1}")


def guard(process: int, time: int, detail: str = "unknown_bits:top.a") -> DeoptRecord:
    return DeoptRecord("eager", "guard_failed", detail, process, f"llhd_process_{process - 1}", sim_time_fs=time, wall_ns=time * 10, cost_ns=5)


def test_a_bailout_counts_once_per_process_and_detail() -> None:
    t = Telemetry()
    assert t.deopt(bailout(1))
    assert not t.deopt(bailout(1))
    assert t.deopt(bailout(1, "compile_budget_exhausted"))
    assert t.deopt(bailout(2))
    assert t.deopts_total == 3 == len(t.deopts) == t.reasons["missing_thunk"]


def test_each_failed_guard_counts_but_a_process_is_listed_once() -> None:
    t = Telemetry()
    for time in range(5):
        assert t.deopt(guard(1, time))
    assert (t.deopts_total, len(t.deopts), len(t.deopt_processes())) == (5, 5, 1)


def test_totals_stay_exact_beyond_the_limit() -> None:
    t = Telemetry(limit=3)
    for time in range(10):
        t.deopt(guard(1, time))
    assert (t.deopts_total, len(t.deopts), t.dropped_deopts, len(t.timeline), t.dropped_events) == (10, 3, 7, 3, 7)


def test_reasons_of_other_tools_count_as_unknown() -> None:
    t = Telemetry()
    t.deopt(DeoptRecord("eager", "cosmic_ray", "", 1, "p"))
    assert t.reasons["unknown"] == 1


def test_events_feed_the_counters() -> None:
    t = Telemetry()
    t.event(TimelineEvent("compile", 1, "p", 1, 0, 0, 700, bodies=12))
    t.event(TimelineEvent("cache_hit", 1, "p", 1, 0, 800))
    t.event(TimelineEvent("install", 1, "p", 1, 0, 900))
    assert (t.compiles_total, t.compile_wall_ns, t.cache_hits_total, len(t.timeline)) == (1, 700, 1, 3)


def test_strict_lines_name_every_process() -> None:
    t = Telemetry()
    assert t.check_strict() == [] and t.strict_violations_total == 0
    t.deopt(bailout(1, "compile_budget_zero"))
    t.deopt(DeoptRecord("eager", "guard_failed", "", 4, "p"))
    assert t.check_strict() == [
        "Strict JIT policy violation: deopts_total=2",
        "Strict JIT deopt process: id=1 name=llhd_process_0 reason=missing_thunk detail=compile_budget_zero",
        "Strict JIT deopt process: id=4 name=p reason=guard_failed",
    ]
    assert t.strict_violations_total == 1


def test_a_call_site_versions_its_target_set() -> None:
    site, other = CallSiteProfile(1, "f", "x:1:1"), CallSiteProfile(2, "g", "x:2:2")
    assert [site.note(t) for t in ("a", "b", "a", None)] == [True, True, False, False]
    other.note("b")
    assert other.target_set_hash != site.target_set_hash
    other.note("a", 9)
    assert other.target_set_hash == site.target_set_hash and len(site.target_set_hash) == 16
    assert (site.calls_total, site.unresolved_calls, site.target_set_version) == (4, 1, 2)
    assert site.as_json()["targets"] == [{"target_name": "a", "calls": 2}, {"target_name": "b", "calls": 1}]


def timeline() -> Telemetry:
    t = Telemetry()
    t.process(1, "p", "top::p")
    t.process(2, "p", "top::p")
    t.deopt(DeoptRecord("bailout", "missing_thunk", "below_hot_threshold", 3, "q", definition="top::q", wall_ns=10))
    t.event(TimelineEvent("compile", 1, "p", 1, 0, 1000, 500, "top::p", bodies=1))
    t.event(TimelineEvent("install", 1, "p", 1, 10, 1600, definition="top::p"))
    t.deopt(DeoptRecord("eager", "guard_failed", "unknown_bits:top.a", 1, "p", definition="top::p", sim_time_fs=50, wall_ns=3000, cost_ns=20))
    t.event(TimelineEvent("tier", 1, "p", 2, 90, 5000, definition="top::p"))
    return t


def test_the_trace_has_a_track_per_definition_with_tiers_that_fill_the_run() -> None:
    trace = trace_events(timeline(), end_ns=9000)
    events = trace["traceEvents"]
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert sorted(names.values()) == ["top::p", "top::q"]
    tid = next(t for t, n in names.items() if n == "top::p")
    slices = [(e["name"], e["ts"], e["dur"]) for e in events if e.get("cat") == "tier" and e["ph"] == "X" and e["tid"] == tid]
    assert slices == [("interpret", 0, 1.6), ("compile", 1.6, 1.4), ("interpret", 3, 2), ("optimise", 5, 4)]
    instants = [e for e in events if e["ph"] == "i" and e["cat"] == "deopt"]
    assert len(instants) == 1 and instants[0]["ts"] == 3 and instants[0]["args"]["sim_time_fs"] == 50 and "two-state" in instants[0]["args"]["message"]
    assert [e["args"] for e in events if e["ph"] == "C"] == [
        {"compiles": 0, "deopts": 1}, {"compiles": 1, "deopts": 1}, {"compiles": 1, "deopts": 2},
    ]  # fmt: skip
    assert all(e["ts"] >= 0 and e.get("dur", 0) >= 0 for e in events if e["ph"] != "M")


@pytest.mark.parametrize("suffix", ["json", "vcd"])
def test_the_timeline_format_follows_the_suffix(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"t.{suffix}"
    write_timeline(str(path), timeline(), end_fs=200, end_ns=9000)
    if suffix == "json":
        assert json.loads(path.read_text())["displayTimeUnit"] == "ns"
        return
    data = open_wave(path)
    assert data.end_fs == 200
    assert [s.name for s in data.signals if s.path[-1] == "tier"] == ["jit.p.tier", "jit.p#2.tier", "jit.q.tier"]
    assert list(data.changes(data.signal("jit.p.tier"))) == [(0, "00"), (10, "01"), (50, "00"), (90, "10")]
    assert list(data.changes(data.signal("jit.p.deopt"))) == [(50, "1")]
    assert [int(str(v), 2) for _, v in data.changes(data.signal("jit.deopts_total"))] == [1, 2]
