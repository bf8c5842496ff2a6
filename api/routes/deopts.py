"""Deopts: records, timeline, reasons, and the burn-down over many runs."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi import Path as PathParameter
from starlette.responses import Response
from wasmjit_api import models
from wasmjit_api.config import MAX_TIME
from wasmjit_api.context import Context, Limit, Offset, RunId
from wasmjit_api.errors import ApiError, documented, json_response
from wasmjit_api.reasons import allow_list, explain, reason_table

_EVENT_LIMIT = 200_000


def router(ctx: Context) -> APIRouter:
    """Routes below /api about why code left the compiled tiers."""
    api = APIRouter(prefix="/api", tags=["deopts"])

    @api.get("/reasons", response_model=None, responses={200: {"model": models.Reasons}, **documented()})
    def reasons() -> Response:
        """Every deopt reason with its explanation and remedy (the table of `wasmjit.report.reasons`)."""
        return json_response({"ok": True, "reasons": reason_table()})

    @api.get("/runs/{run_id}/timeline", response_model=None, responses={200: {"model": models.Timeline}, **documented(404)})
    def timeline(run_id: RunId) -> Response:
        """Processes ranked by lost time, and every compile, install, deopt, bailout and evict event."""
        run = ctx.store.run(run_id)
        processes, events = ctx.store.processes(run_id), ctx.store.events(run_id, _EVENT_LIMIT)
        end_fs = max([run["final_time_fs"], *(e["time_fs"] for e in events)])
        end_ns = max([int(run["run_wall_ms"] * 1e6), *(e["wall_ns"] + e["dur_ns"] for e in events)])
        return json_response({
            "ok": True, "processes": processes, "events": events, "cut": len(events) == _EVENT_LIMIT, "end_fs": end_fs, "end_ns": end_ns,
        })

    @api.get("/runs/{run_id}/deopts", response_model=None, responses={200: {"model": models.DeoptPage}, **documented(404)})
    def deopts(
        run_id: RunId,
        reason: Annotated[str, Query(max_length=100)] = "",
        process_id: Annotated[int | None, Query(ge=0, lt=2**31)] = None,
        axis: Annotated[Literal["sim", "wall"], Query(description="what begin and end mean: fs of simulation or ns of wall time")] = "sim",
        begin: Annotated[int | None, Query(ge=0, le=MAX_TIME)] = None,
        end: Annotated[int | None, Query(ge=0, le=MAX_TIME)] = None,
        brief: Annotated[bool, Query(description="leave the frames out")] = False,
        limit: Limit = 100,
        offset: Offset = 0,
    ) -> Response:
        """A page of deopt records in the order they happened."""
        ctx.store.run(run_id)
        rows, total = ctx.store.deopts(
            run_id, reason=reason, process_id=process_id, axis=axis, begin=begin, end=end, limit=limit, offset=offset,
        )
        if brief:
            for row in rows:
                row["frame"] = []
        return json_response({"ok": True, "deopts": rows, "total": total, "limit": limit, "offset": offset})

    @api.get("/runs/{run_id}/deopts/{seq}", response_model=None, responses={200: {"model": models.DeoptBody}, **documented(404)})
    def deopt(run_id: RunId, seq: Annotated[int, PathParameter(ge=0, lt=2**31)]) -> Response:
        """One record: where, the live values of the frame, why, and what to do about it."""
        ctx.store.run(run_id)
        record = ctx.store.deopt(run_id, seq)
        return json_response({"ok": True, "deopt": record, "reason": explain(record["reason"], record["detail"])})

    @api.get("/burndown", response_model=None, responses={200: {"model": models.BurnDown}, **documented()})
    def burndown(
        design: Annotated[str, Query(max_length=200)] = "",
        by: Annotated[Literal["commit", "date", "run"], Query(description="what one point of the trend is")] = "commit",
    ) -> Response:
        """Causes over all runs, ranked, and their trend; which of them the allow-list accepts."""
        runs = _all_runs(ctx, design)
        known = {run["id"]: run for run in runs}
        rows = [row for row in ctx.store.causes() if row["run_id"] in known]
        allowed = allow_list(ctx.store.root)
        causes: dict[tuple[str, str], dict[str, Any]] = {}
        for row in rows:
            key = (row["reason"], row["detail"])
            cause = causes.setdefault(key, {
                "reason": row["reason"], "detail": row["detail"], "kind": row["kind"], "count": 0, "cost_ns": 0, "runs": set(), "designs": set(),
                "processes": Counter(), "first_seen": row["created"], "last_seen": row["created"], "allowed": 0, "example": [row["run_id"], row["first_seq"]],
            })
            cause["count"] += row["count"]
            cause["cost_ns"] += row["cost_ns"] or 0
            cause["runs"].add(row["run_id"])
            cause["designs"].add(row["design"])
            cause["processes"][row["process"]] += row["count"]
            cause["last_seen"] = row["created"]
            cause["example"] = [row["run_id"], row["first_seq"]]
            if allowed.accepts(row["reason"], row["detail"], row["process"]):
                cause["allowed"] += row["count"]
        ranked = sorted(causes.values(), key=lambda c: (-c["count"], c["reason"], c["detail"]))
        for cause in ranked:
            cause["runs"] = len(cause["runs"])
            cause["designs"] = sorted(cause["designs"])
            cause["processes"] = [[name, n] for name, n in cause["processes"].most_common(5)]
            cause["state"] = "allowed" if cause["allowed"] == cause["count"] else "partly allowed" if cause["allowed"] else "open"
        return json_response({
            "ok": True, "causes": ranked[:500], "trend": _trend(runs, rows, by), "runs": len(runs),
            "allow": {"file": str(allowed.path), "lines": allowed.count, "errors": allowed.errors},
        })

    return api


def _all_runs(ctx: Context, design: str) -> list[dict[str, Any]]:
    """Finished runs that simulated something, oldest first."""
    runs: list[dict[str, Any]] = []
    while True:
        page, total = ctx.store.runs(design=design, sort="created", descending=False, limit=1000, offset=len(runs))
        runs += page
        if not page or len(runs) >= total:
            return [run for run in runs if run["kind"] != "upload" and run["mode"] != "interpret"]


def _trend(runs: list[dict[str, Any]], rows: list[dict[str, Any]], by: str) -> list[dict[str, Any]]:
    """Deopts per reason at each point (commit, date or run), in order of its last run; a later run of a design at a point replaces the earlier."""

    def point_of(run: dict[str, Any]) -> str:
        if by == "run":
            return str(run["id"])
        return str(run["commit"] or "no commit") if by == "commit" else str(run["created"] or "")[:10]

    latest: dict[tuple[str, str, str], str] = {}
    order: dict[str, str] = {}
    for run in runs:
        point = point_of(run)
        latest[(point, run["design"], run["mode"])] = run["id"]
        order[point] = run["created"] or ""
    counted = set(latest.values())
    points: dict[str, dict[str, Any]] = {
        point: {"point": point, "date": date, "runs": 0, "deopts": 0, "reasons": Counter()} for point, date in sorted(order.items(), key=lambda item: item[1])
    }
    where = {run["id"]: point_of(run) for run in runs}
    for run_id in counted:
        points[where[run_id]]["runs"] += 1
    for row in rows:
        if row["run_id"] in counted:
            here = points[where[row["run_id"]]]
            here["deopts"] += row["count"]
            here["reasons"][row["reason"]] += row["count"]
    return list(points.values())


def require_report(ctx: Context, run_id: str) -> None:
    """Raise ApiError 404 unless the run has a report."""
    if ctx.store.file(run_id, "report.json") is None:
        raise ApiError(404, "the run has no report", "it is still going on, or it ended before writing one")
