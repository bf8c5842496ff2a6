"""Runs: list, one, delete, upload, log, source, live events."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse
from wasmjit_api import models
from wasmjit_api.config import MAX_TIME
from wasmjit_api.context import Context, Limit, Offset, RunId
from wasmjit_api.errors import ApiError, documented, json_response
from wasmjit_api.store import read_json

Sort = Literal[
    "created", "design", "mode", "verdict", "status", "run_wall_ms", "total_wall_ms", "final_time_fs", "deopts_total", "compiles_total", "tier_native",
    "coverage", "commit", "id",
]


def router(ctx: Context) -> APIRouter:
    """Routes below /api for the list of runs and what belongs to one run as a whole."""
    api = APIRouter(prefix="/api", tags=["runs"])

    @api.get("/status", response_model=None, responses={200: {"model": models.Status}, **documented()})
    def status() -> Response:
        """The server: where its runs are, what is going on."""
        from wasmjit_api.main import VERSION

        _, total = ctx.store.runs(limit=1)
        return json_response({
            "ok": True, "version": VERSION, "runs_dir": str(ctx.store.root), "runs": total, "launch": ctx.launcher.status(), "failure": ctx.hub.failure,
        })

    @api.get("/runs", response_model=None, responses={200: {"model": models.RunPage}, **documented()})
    def runs(
        q: Annotated[str, Query(max_length=200, description="words that occur in the name, design, mode, verdict or commit")] = "",
        design: Annotated[str, Query(max_length=200)] = "",
        mode: Annotated[str, Query(max_length=40)] = "",
        verdict: Annotated[str, Query(max_length=40)] = "",
        kind: Annotated[str, Query(max_length=40)] = "",
        sort: Sort = "created",
        order: Literal["asc", "desc"] = "desc",
        limit: Limit = 200,
        offset: Offset = 0,
    ) -> Response:
        """A page of the runs that fit the filters."""
        rows, total = ctx.store.runs(
            q=q, design=design, mode=mode, verdict=verdict, kind=kind, sort="commit_id" if sort == "commit" else sort, descending=order == "desc",
            limit=limit, offset=offset,
        )
        return json_response({"ok": True, "runs": rows, "total": total, "limit": limit, "offset": offset, "facets": ctx.store.facets()})

    @api.get("/runs/{run_id}", response_model=None, responses={200: {"model": models.RunBody}, **documented(404)})
    def one(run_id: RunId) -> Response:
        """One run, and which parts it has."""
        run = ctx.store.run(run_id)
        file = ctx.store.file
        has = {
            "design": file(run_id, "design.mlir") is not None, "log": file(run_id, "stdout.txt") is not None,
            "report": file(run_id, "report.json") is not None, "wat": file(run_id, "code/index.json") is not None,
            "verdict": file(run_id, "verdict.json") is not None,
        }
        return json_response({"ok": True, "run": run, "waves": ctx.waves.state(run_id), "has": has})

    @api.delete("/runs/{run_id}", response_model=None, responses={200: {"model": models.Deleted}, **documented(404, 409)})
    def delete(run_id: RunId) -> Response:
        """Delete a run and all its files."""
        ctx.store.delete(run_id)
        ctx.waves.forget(run_id)
        ctx.drivers.forget(run_id)
        ctx.hub.publish({"event": "deleted", "id": run_id})
        return json_response({"ok": True, "deleted": run_id})

    @api.get("/runs/{run_id}/report", response_model=None, responses={200: {"content": {"application/json": {}}}, **documented(404)})
    def report(run_id: RunId) -> Response:
        """The JSON report as the simulator wrote it."""
        path = ctx.store.file(run_id, "report.json")
        if path is None:
            raise ApiError(404, "the run has no report")
        return Response(path.read_bytes(), media_type="application/json")

    @api.get("/runs/{run_id}/log", response_model=None, responses={200: {"model": models.LogPage}, **documented(404)})
    def log(
        run_id: RunId,
        first: Offset = 0,
        limit: Limit = 500,
        at: Annotated[int | None, Query(ge=0, le=MAX_TIME, description="instead of `first`: begin some lines before this time, fs")] = None,
        q: Annotated[str, Query(max_length=200, description="also return the numbers of lines that contain this")] = "",
    ) -> Response:
        """Lines the design printed, each with its simulation time."""
        text = ctx.store.file(run_id, "stdout.txt")
        if text is None:
            ctx.store.directory(run_id)
            return json_response({"ok": True, "lines": [], "total": 0, "first": 0, "hits": []})
        log_file = ctx.logs.open(text, ctx.store.file(run_id, "stdout.idx"))
        if at is not None:
            first = max(0, log_file.line_at(at) - limit // 2)
        hits = log_file.search(q, 0, 2000) if q else []
        return json_response({"ok": True, "lines": log_file.lines(first, limit), "total": len(log_file.starts), "first": first, "hits": hits})

    @api.get("/runs/{run_id}/source", response_model=None, responses={200: {"model": models.Source}, **documented(404)})
    def source(
        run_id: RunId,
        line: Annotated[int, Query(ge=1, le=2**31, description="line in the middle")] = 1,
        context: Annotated[int, Query(ge=0, le=500, description="lines before and after")] = 12,
    ) -> Response:
        """Lines of the design's MLIR around one line."""
        path = ctx.store.file(run_id, "design.mlir")
        if path is None:
            raise ApiError(404, "the run kept no design.mlir", "record with --record; runs of older versions have none")
        lines = path.read_bytes().split(b"\n")
        first = max(1, line - context)
        picked = [raw[:2000].decode("utf-8", "replace") for raw in lines[first - 1 : line + context]]
        return json_response({"ok": True, "name": "design.mlir", "first": first, "lines": picked, "total": len(lines)})

    @api.get("/runs/{run_id}/wat", response_model=None, responses={200: {"model": models.Wat}, **documented(404, 409)})
    def wat(
        run_id: RunId,
        body: Annotated[str, Query(min_length=1, max_length=500, description="name of the process body (definition)")],
        at: Annotated[int | None, Query(ge=0, le=MAX_TIME, description="ns since the start of the run: the code in force then; absent: the last")] = None,
    ) -> Response:
        """WebAssembly text of a compiled process body."""
        return json_response({"ok": True, **ctx.code.text(run_id, body, at)})

    @api.post(
        "/uploads", status_code=201, response_model=None, responses={201: {"model": models.Uploaded}, **documented(413)},
        openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary", "minLength": 1}}}}},
    )
    async def upload(
        request: Request,
        name: Annotated[str, Query(min_length=1, max_length=120, pattern=r"^[A-Za-z0-9][A-Za-z0-9._ -]*$", description="file name, for the list")],
    ) -> Response:
        """Add a VCD or FST file of any simulator as a run of kind `upload`. The body is the file."""
        from wasmjit.report.record import RunRecorder

        staging = Path(tempfile.mkdtemp(prefix=".upload-", dir=ctx.store.root))
        try:
            size = 0
            head = b""
            with (staging / "body").open("wb") as file:
                async for chunk in request.stream():
                    head = head or chunk[:1]
                    size += len(chunk)
                    file.write(chunk)
            if not size:
                raise ApiError(400, "the body is empty", "send the VCD or FST file as the body")
            record = RunRecorder(ctx.store.root, design=name, mode="upload", kind="upload")
            target = record.waves_path("fst" if head[:1] in (b"\x00", b"\xfe") else "vcd")
            (staging / "body").replace(target)
            record.finish({}, exit_code=0, verdict="loaded")
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        ctx.store.scan()
        ctx.hub.publish(ctx.hub.message("added", record.run_id))
        return json_response({"ok": True, "id": record.run_id}, 201)

    @api.get("/events", response_model=None, responses={200: {"content": {"text/event-stream": {}}}, **documented()})
    async def events() -> Response:
        """Server-sent events: `{"event": "added"|"changed"|"deleted", "id", "run"?}`; `reload` when some were missed. Never ends."""
        return StreamingResponse(ctx.hub.stream(), media_type="text/event-stream", headers={"cache-control": "no-store", "x-accel-buffering": "no"})

    @api.get("/runs/{run_id}/verdict", response_model=None, responses={200: {"content": {"application/json": {}}}, **documented(404)})
    def verdict(run_id: RunId) -> Response:
        """verdict.json of a parity run."""
        path = ctx.store.file(run_id, "verdict.json")
        value = read_json(path) if path is not None else None
        if value is None:
            raise ApiError(404, "the run has no verdict.json", "only runs of `wasmjit parity` have one")
        return Response(json.dumps(value).encode(), media_type="application/json")

    return api
