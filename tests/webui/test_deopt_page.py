"""Deopt triage on recorded runs: lanes, marks, ranges, causes, the record with its source, and the burn-down."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from wave_view import model

from wasmjit.report.reasons import explain
from wasmjit.report.record import RunRecorder

pytestmark = pytest.mark.browser


@pytest.fixture
def deopts(page: Any, pico: str) -> Any:
    page.open(f"run/{pico}/deopts", "lanes-canvas")
    return page


def report(page: Any, run: str) -> dict[str, Any]:
    return dict(json.loads((page.server.runs / run / "report.json").read_text()))


def number(text: str) -> int:
    return int(text.split(",")[0].split()[0].replace("\u202f", ""))


def count(page: Any) -> int:
    return number(page.text("record-count"))


def scores(page: Any) -> dict[str, tuple[int, float]]:
    """(deopts, score) per process, of the list of processes."""
    found = page.js("return [...document.querySelectorAll('[data-testid=scores] tbody tr')].map(r => [...r.cells].map(c => c.textContent.trim()))")
    return {name: (number(n), float(score)) for name, n, _, score in found}


def lane_of(page: Any, name: str) -> tuple[int, float]:
    """Process id and vertical middle (pixels of the canvas) of a lane."""
    rows = page.js("return [...document.querySelectorAll('.lane-names > div:not(.axis)')].map(e => [e.dataset.process || null, e.querySelector('.name').textContent])")
    index = next(n for n, (_, text) in enumerate(rows) if text == name)
    return int(rows[index][0]), 26 + 24 * index + 12


def width(page: Any) -> int:
    return int(page.js("return document.querySelector('[data-testid=lanes-canvas]').clientWidth"))


def test_lanes_are_ranked_by_lost_time_and_named_with_their_definition(deopts: Any, pico: str) -> None:
    rows = [p for p in report(deopts, pico)["processes"] if p["lost_ns"]]
    names = deopts.js("return [...document.querySelectorAll('.lane-names .lane .name')].map(e => e.textContent)")
    assert names[: len(rows)] == [p["process_name"] for p in sorted(rows, key=lambda p: -p["lost_ns"])]
    assert len(rows) == 5 and rows[0]["definition"] in deopts.text("lanes")


def test_processes_of_one_definition_are_a_group_that_folds(page: Any) -> None:
    page.open(f"run/{page.server.ids['fabric']}/deopts", "lanes-canvas")
    group = page.find('[data-group="switch.process1"]')
    assert "×6" in group.text
    assert len(page.css(".lane-names .lane[data-process]")) == 7  # with the compiler's
    group.send_keys("\ue007")  # by keyboard
    page.until(lambda: len(page.css(".lane-names .lane[data-process]")) == 1)
    assert page.find('[data-group="switch.process1"]').get_attribute("aria-expanded") == "false"
    page.click('[data-group="switch.process1"]')
    page.until(lambda: len(page.css(".lane-names .lane[data-process]")) == 7)


def test_lanes_show_the_tier_that_ran_the_process(page: Any, pico: str) -> None:
    page.js("localStorage.setItem('wasmjit.theme', '\"light\"')")
    page.open(f"run/{page.server.ids['budget']}/deopts", "lanes-canvas")

    def bar(name: str) -> tuple[int, int, int]:
        _, y = lane_of(page, name)
        r, g, b = page.js("const c = arguments[0]; return [...c.getContext('2d').getImageData(c.width / 2, arguments[1] + 1, 1, 1).data].slice(0, 3)", page.find("lanes-canvas"), y)
        return r, g, b

    bailed = {d["process_name"] for d in report(page, page.server.ids["budget"])["deopts"]}
    processes = {p["process_name"] for p in report(page, page.server.ids["budget"])["processes"]}
    assert len(bailed) == 4 and len(processes) == 6
    interpreted, compiled = {bar(name) for name in bailed}, {bar(name) for name in processes - bailed}
    assert len(interpreted) == len(compiled) == 1 and interpreted != compiled
    ((r, g, _),) = interpreted
    assert r > g, "the interpreter is orange"
    ((r, g, _),) = compiled
    assert g > r, "compiled code is green"


@pytest.mark.parametrize(("role", "kind"), [("pico", "compile"), ("pico", "install"), ("pico", "deopt"), ("budget", "bailout"), ("evict", "evict")])
def test_every_kind_of_mark_of_real_runs_says_what_it_is(page: Any, role: str, kind: str) -> None:
    run = page.server.ids[role]
    events = report(page, run)["timeline"]
    event = next(e for e in reversed(events) if e["kind"] == kind)
    page.open(f"run/{run}/deopts", "lanes-canvas")
    wall = page.css("[data-testid=axis] button")[1]
    wall.click()
    page.until(lambda: "on" in wall.get_attribute("class"))
    end = page.js("return fetch(`/api/runs/${arguments[0]}/timeline`).then(r => r.json()).then(b => b.end_ns)", run)
    of_definition = {p["definition"]: p["process_name"] for p in report(page, run)["processes"]}
    name = event["process_name"] if event["process_id"] else "compiler" if kind == "compile" else of_definition.get(event["definition"], "compiler")
    _, y = lane_of(page, name)
    tips = page.driver.execute_async_script(
        """const [canvas, x, y, done] = arguments; const box = canvas.getBoundingClientRect(); const tips = new Set();
        (async () => {
          for (let dx = -8; dx <= 8; dx += 1) {
            canvas.dispatchEvent(new PointerEvent('pointermove', {bubbles: true, clientX: box.left + x + dx, clientY: box.top + y}));
            await new Promise(next => setTimeout(next, 5));
            const tip = document.querySelector('.tip');
            if (tip) tips.add(tip.textContent);
          }
          done([...tips]);
        })();""",
        page.find("lanes-canvas"), event["wall_ns"] / end * width(page), y,
    )
    assert any(tip.startswith(f"{kind} · {name}") and "wall" in tip for tip in tips), tips


def test_the_marks_of_evictions_and_bailouts_are_drawn(page: Any) -> None:
    """Without the events of that kind the picture is another one."""
    page.js("localStorage.setItem('wasmjit.theme', '\"light\"')")
    for role, kind in (("budget", "bailout"), ("evict", "evict")):
        run = page.server.ids[role]
        page.open(f"run/{run}/deopts", "lanes-canvas")
        pixels = "return document.querySelector('[data-testid=lanes-canvas]').toDataURL()"
        page.until(lambda: len(page.colours("lanes-canvas")) > 4)
        whole = page.js(pixels)
        page.js(
            """window.realFetch ??= window.fetch; const kind = arguments[0];
            window.fetch = async (url, ...rest) => { const answer = await realFetch(url, ...rest); if (!String(url).includes('/timeline')) return answer;
              const body = await answer.json(); body.events = body.events.filter(e => e.kind !== kind); return new Response(JSON.stringify(body), {status: 200, headers: {'content-type': 'application/json'}}); };
            location.hash = '#/runs';""",
            kind,
        )
        page.find("runs")
        page.js("location.hash = arguments[0]", f"#/run/{run}/deopts")
        page.find("lanes-canvas")
        page.until(lambda: page.js("return document.querySelector('[data-testid=lanes-canvas]').height") > 0 and len(page.colours("lanes-canvas")) > 4)
        assert page.js(pixels) != whole, kind
        page.js("window.fetch = realFetch")


def test_a_dragged_range_filters_every_panel_and_breadcrumbs_lead_back(deopts: Any, pico: str) -> None:
    data = report(deopts, pico)
    end = data["final_time_fs"]
    whole, curve = count(deopts), deopts.js("return document.querySelector('[data-testid=curve-counts]').toDataURL()")
    assert whole == len(data["deopts"]) == sum(n for n, _ in scores(deopts).values())
    px = width(deopts)
    deopts.drag("lanes-canvas", (px * 0.25, 60), (px * 0.5, 60))
    deopts.until(lambda: 0 < count(deopts) < whole)
    part = count(deopts)
    inside = Counter(d["process_name"] for d in data["deopts"] if 0.25 * end <= d["sim_time_fs"] <= 0.5 * end)
    assert abs(part - inside.total()) <= inside.total() / 50
    assert number(deopts.text("cause-count")) == part == sum(n for n, _ in scores(deopts).values())
    for name, n in inside.items():
        assert abs(scores(deopts)[name][0] - n) <= 3 and scores(deopts)[name][1] >= 3 * scores(deopts)[name][0]
    deopts.until(lambda: deopts.js("return document.querySelector('[data-testid=curve-counts]').toDataURL()") != curve)
    deopts.drag("lanes-canvas", (px * 0.1, 60), (px * 0.5, 60))
    deopts.until(lambda: count(deopts) < part)
    crumbs = deopts.css("[data-testid=crumbs] .crumb")
    assert len(crumbs) == 3 and "µs" in crumbs[1].text
    crumbs[1].click()
    deopts.until(lambda: count(deopts) == part)
    deopts.css("[data-testid=crumbs] .crumb")[0].click()
    deopts.until(lambda: count(deopts) == whole)


def test_the_axis_switches_to_wall_time_and_keeps_the_range(deopts: Any) -> None:
    px = width(deopts)
    deopts.drag("lanes-canvas", (px * 0.25, 60), (px * 0.5, 60))
    deopts.until(lambda: len(deopts.css("[data-testid=crumbs] .crumb")) == 2)
    part = count(deopts)
    deopts.css("[data-testid=axis] button")[1].click()
    deopts.until(lambda: deopts.css("[data-testid=crumbs] .crumb")[1].text.split()[-1] in ("ms", "s"))
    assert abs(count(deopts) - part) <= max(2, part // 50)
    deopts.css("[data-testid=axis] button")[0].click()
    deopts.until(lambda: "µs" in deopts.css("[data-testid=crumbs] .crumb")[1].text)
    assert count(deopts) == part


def test_a_process_and_a_cause_narrow_every_panel(deopts: Any, pico: str) -> None:
    data = report(deopts, pico)
    whole = count(deopts)
    per_process = Counter(d["process_id"] for d in data["deopts"])
    curves = {}
    for process, n in per_process.items():
        deopts.click(f'.lane[data-process="{process}"]')
        deopts.until(lambda n=n: count(deopts) == n == number(deopts.text("cause-count")))
        listed = deopts.js("return [...new Set([...document.querySelectorAll('[data-testid=records] tbody tr')].map(r => r.cells[2].textContent))]")
        assert listed == [next(p["process_name"] for p in data["processes"] if p["process_id"] == process)]
        curves[process] = deopts.js("return document.querySelector('[data-testid=curve-counts]').toDataURL()")
        assert f"p={process}" in deopts.driver.current_url
    assert len(set(curves.values())) > 1
    deopts.click("crumb-process")
    deopts.until(lambda: count(deopts) == whole)
    deopts.click("[data-testid=scores] tbody a")
    deopts.until(lambda: 0 < count(deopts) < whole)
    deopts.click("crumb-process")
    deopts.click("[data-testid=causes] tbody button")
    assert "guard_failed" in deopts.text("crumb-cause") and count(deopts) == Counter(d["reason"] for d in data["deopts"])["guard_failed"]


def test_two_causes_of_one_run_are_told_apart(page: Any) -> None:
    """A budget of one: the second body is refused, and what was compiled is left by force."""
    from recorded import EXAMPLES, record

    run = record(page.server, EXAMPLES / "handshake.mlir", "--jit-compile-budget=1", "--force-deopt=all", "-q")
    causes = Counter((d["reason"], d["detail"]) for d in report(page, run)["deopts"])
    assert len(causes) == 2
    page.open(f"run/{run}/deopts", "lanes-canvas")
    assert count(page) == causes.total()
    for n, (reason, detail) in enumerate(sorted(causes, key=lambda key: -causes[key])):
        page.css("[data-testid=causes] tbody button")[n].click()
        page.until(lambda reason=reason, detail=detail: count(page) == causes[reason, detail])
        assert reason in page.text("crumb-cause") and detail in page.text("crumb-cause")
        assert sum(k for k, _ in scores(page).values()) == causes[reason, detail]
        page.click("crumb-cause")


def test_causes_come_with_explanation_and_remedy_from_the_reason_table(page: Any) -> None:
    for role in ("pico", "budget"):
        page.open(f"run/{page.server.ids[role]}/deopts", "lanes-canvas")
        record = report(page, page.server.ids[role])["deopts"][0]
        entry = explain(record["reason"], record["detail"])
        text = page.text("causes")
        assert record["reason"] in text and record["detail"] in text
        for part in (entry.message, entry.remedy):
            assert part.replace("`", "")[:40] in text.replace("`", "")


def test_a_record_leads_to_the_source_line_the_resume_point_the_frame_and_the_wasm(deopts: Any, pico: str) -> None:
    data = report(deopts, pico)["deopts"]
    record = next(d for d in data if d["frame"] and d["resume_point"] != "entry")
    seq = data.index(record)
    deopts.js("location.hash = arguments[0]", f"#/run/{pico}/deopts?d={seq}")
    line = int(record["location"].split(":")[-2])
    text = (deopts.server.runs / pico / "design.mlir").read_text().splitlines()
    deopts.until(lambda: deopts.text("[data-testid=source] .on").startswith(str(line)))
    assert text[line - 1].strip() in deopts.text("[data-testid=source] .on")
    assert "llhd.wait" in text[line - 1]
    for near in (line - 3, line + 3):
        assert text[near - 1].strip() in deopts.text("source")
    assert record["resume_point"] in deopts.text("resume")
    for value in record["frame"]:
        assert value["name"].lstrip("%") in deopts.text("frame") and value["value"] in deopts.text("frame")
    assert "What to do:" in deopts.text("remedy")
    deopts.css("[data-testid=code-side] button")[1].click()
    deopts.expect_text("wat", f"(func ${record['definition']} ")
    deopts.css("[data-testid=code-side] button")[0].click()
    deopts.click("[data-testid=detail] [aria-label='Next record']")
    deopts.expect_text("[data-testid=detail] h2", str(seq + 1))
    deopts.click("[data-testid=detail] [aria-label='Close']")
    deopts.gone("detail")


def test_a_bailout_says_that_there_was_no_frame_and_no_code(page: Any) -> None:
    run = page.server.ids["budget"]
    page.open(f"run/{run}/deopts?d=0", "detail")
    page.expect_text("[data-testid=detail] h2", "Bailout")
    assert "never compiled" in page.text("detail") and "compile_budget_exhausted" in page.text("detail")
    page.click("[data-testid=code-side] button", 1)
    page.expect_text("[data-testid=detail] .empty", "never compiled")
    assert all("404" in problem for problem in page.problems())


def test_the_record_is_in_the_address_and_opens_again(deopts: Any) -> None:
    deopts.click('[data-testid=records] tbody tr[data-seq="5"]')
    deopts.expect_text("[data-testid=detail] h2", "5")
    deopts.until(lambda: "d=5" in deopts.driver.current_url)
    deopts.driver.refresh()
    deopts.expect_text("[data-testid=detail] h2", "5")


def test_waves_at_the_moment_of_a_deopt_have_the_cursor_there(deopts: Any, pico: str) -> None:
    record = report(deopts, pico)["deopts"][50]
    deopts.click('[data-testid=records] tbody tr[data-seq="50"]')
    deopts.expect_text("[data-testid=detail] h2", "50")
    deopts.click("to-waves")
    deopts.find("wave-canvas")
    deopts.until(lambda: model(deopts, "model.cursor") == record["sim_time_fs"])


def test_cumulative_curves_are_drawn(deopts: Any) -> None:
    for name in ("curve-counts", "curve-tiers"):
        assert len(deopts.colours(name)) > 3


def test_a_run_without_deopts_or_without_report_has_a_designed_empty_page(page: Any) -> None:
    page.open(f"run/{page.server.ids['sha_interpret']}/deopts", "lanes-canvas")
    page.expect_text(".deopts", "nothing was compiled")
    page.open(f"run/{page.server.ids['sha_compile']}/deopts", "lanes-canvas")
    page.expect_text(".deopts", "stayed in native code")
    run = page.server.ids["evict"]
    times = {e["wall_ns"] for e in report(page, run)["timeline"] if e["kind"] == "evict"}
    page.open(f"run/{run}/deopts", "lanes-canvas")
    page.expect_text(".deopts", f"code was evicted {len(times)} times")
    page.open("run/no-such-run/deopts")
    page.expect_text("error", "no run named")
    assert all("404" in problem for problem in page.problems())


def test_what_a_page_leaves_out_it_says(page: Any) -> None:
    record = RunRecorder(page.server.runs, design="many.mlir", mode="compile")
    processes = [{"process_id": n, "process_name": f"p{n}", "definition": f"d{n}", "tier": 1, "activations": 3, "tier_ns": {}, "lost_ns": 1000 - n} for n in range(1, 401)]
    deopts = [{"reason": "guard_failed", "detail": "forced", "process_id": n, "process_name": f"p{n}", "sim_time_fs": n, "wall_ns": n} for n in (1, 2)]
    record.finish({"exit_code": 0, "final_time_fs": 1000, "run_wall_ms": 1.0, "jit": {"jit_deopts_total": 250_000}, "processes": processes, "deopts": deopts, "timeline": []})
    page.open(f"run/{record.run_id}/deopts", "lanes-canvas")
    assert "The first 2 of 250\u202f000 deopts" in page.text("cut")
    assert page.text("hidden-lanes").startswith("100 more processes")
    assert len(page.css("[data-testid=scores] tbody tr")) == 200


def causes(page: Any) -> dict[str, str]:
    """Text of the burn-down's rows by detail."""
    found = page.js("return [...document.querySelectorAll('[data-testid=burndown-causes] tbody tr')].map(r => [r.querySelector('.mono').textContent, r.innerText])")
    return dict(found)


def test_the_burn_down_ranks_causes_and_knows_the_allow_list(page: Any, pico: str) -> None:
    page.open("burndown", "burndown-causes")
    rows = causes(page)
    assert list(rows)[0] == "forced" and "open" in rows["forced"] and "picorv32_ez" in rows["forced"]
    assert number(rows["forced"]) >= report(page, pico)["jit"]["jit_deopts_total"]
    assert "allowed" in rows["compile_budget_exhausted"] and "missing_thunk" in rows["compile_budget_exhausted"]
    assert "1 allow-list rule" in page.text("burndown")
    for index, kept in ((1, "forced"), (3, "compile_budget_exhausted")):
        page.css("[data-testid=burndown-state] button")[index].click()
        page.until(lambda kept=kept: list(causes(page)) == [kept])
    # A rule for one process only allows a part of the cause.
    busiest = Counter(d["process_name"] for d in report(page, pico)["deopts"]).most_common(1)[0][0]
    allow = page.server.runs / "allow.txt"
    before = allow.read_text()
    try:
        allow.write_text(f"exact:process_name:{busiest}\n")
        page.open("runs", "runs")
        page.open("burndown", "burndown-causes")
        page.until(lambda: "partly allowed" in causes(page)["forced"])
        allow.write_text("regex:reason:(\n")
        page.open("runs", "runs")
        page.open("burndown")
        page.expect_text("error", "The allow-list cannot be read")
    finally:
        allow.write_text(before)


def test_the_burn_down_follows_the_commits_of_a_repository(page: Any) -> None:
    ids = [page.server.ids[f"history{n}"] for n in range(3)]
    commits = [json.loads((page.server.runs / run / "run.json").read_text())["commit"] for run in ids]
    totals = [report(page, run)["jit"]["jit_deopts_total"] for run in ids]
    assert totals[0] > totals[1] > totals[2] == 0
    page.open("burndown?design=picorv32_ez", "trend")
    trend = page.js("return fetch('/api/burndown?design=picorv32_ez&by=commit').then(r => r.json()).then(b => b.trend)")
    points = {point["point"]: point["deopts"] for point in trend}
    assert [points[commit] for commit in commits] == totals
    order = [point["point"] for point in trend]
    assert [order.index(commit) for commit in commits] == sorted(order.index(commit) for commit in commits)
    assert len(page.colours("trend")) > 3
    for index, by in ((1, "date"), (2, "run")):
        before = page.js("return document.querySelector('[data-testid=trend]').toDataURL()")
        page.css("[data-testid=burndown-by] button")[index].click()
        page.until(lambda by=by: f"by={by}" in page.driver.current_url)
        page.until(lambda before=before: page.js("return document.querySelector('[data-testid=trend]')?.toDataURL()") not in (None, before))
    page.click("[data-testid=burndown-causes] tbody a")
    page.find("detail")
