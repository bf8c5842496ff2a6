"""Files to take away: JIT timeline for Perfetto and as VCD, selections of a waveform, set-ups for GTKWave and Surfer."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response
from wasmjit_api.config import MAX_TIME
from wasmjit_api.context import Context, RunId, Time
from wasmjit_api.errors import ApiError, documented
from wasmjit_api.export import gtkw_text, perfetto_events, surfer_commands, timeline_vcd, write_selection
from wasmjit_api.routes.deopts import require_report
from wasmjit_api.routes.waves import SignalList, _numbers

_PERFETTO: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {}}}}
_TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}}}}
_FILE: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}


def _attachment(body: bytes | str, name: str, media: str) -> Response:
    return Response(body, media_type=media, headers={"content-disposition": f'attachment; filename="{name}"'})


def router(ctx: Context) -> APIRouter:
    """Routes below /api/runs/{run_id}/export."""
    api = APIRouter(prefix="/api/runs/{run_id}/export", tags=["exports"])

    @api.get("/timeline.json", response_model=None, responses={**_PERFETTO, **documented(404)})
    def perfetto(run_id: RunId) -> Response:
        """The JIT timeline as Chrome trace events: open in Perfetto, speedscope or the Firefox profiler."""
        run = ctx.store.run(run_id)
        require_report(ctx, run_id)
        trace = perfetto_events(run, ctx.store.processes(run_id), ctx.store.events(run_id))
        return _attachment(orjson.dumps(trace), f"{run_id}.perfetto.json", "application/json")

    @api.get("/timeline.vcd", response_model=None, responses={**_TEXT, **documented(404)})
    def vcd(run_id: RunId) -> Response:
        """The JIT timeline as VCD on the simulation's time axis: the tier of each process, next to the design's signals."""
        ctx.store.run(run_id)
        require_report(ctx, run_id)
        return _attachment(timeline_vcd(ctx.store.processes(run_id), ctx.store.events(run_id)), f"{run_id}.tiers.vcd", "text/plain")

    @api.get("/waves", response_model=None, responses={**_FILE, **documented(404, 409)})
    def selection(
        run_id: RunId,
        t0: Time,
        t1: Time,
        s: Annotated[SignalList, Query()],
        form: Annotated[Literal["vcd", "fst"], Query(description="file format")] = "vcd",
    ) -> Response:
        """The chosen signals between two times as a VCD or FST file; `s` empty: every signal."""
        t1 = max(t1, t0 + 1)
        index = ctx.waves.open(run_id)
        chosen = set(_numbers(s, index)) if s else None
        folder = tempfile.TemporaryDirectory(prefix="wasmjit-export-")
        path = Path(folder.name) / f"selection.{form}"
        write_selection(index, path, chosen, t0, t1)
        return FileResponse(
            path, media_type="application/octet-stream", filename=f"{run_id}.selection.{form}", background=BackgroundTask(folder.cleanup),
        )

    @api.get("/gtkw", response_model=None, responses={**_TEXT, **documented(404, 409)})
    def gtkw(run_id: RunId, s: SignalList = "", t: Annotated[int, Query(ge=0, le=MAX_TIME)] = 0) -> Response:
        """A GTKWave save file: `gtkwave waves.vcd run.gtkw`."""
        index = ctx.waves.open(run_id)
        source = ctx.waves.source(run_id)
        return _attachment(gtkw_text(index, source or Path("waves.vcd"), _numbers(s, index), t), f"{run_id}.gtkw", "text/plain")

    @api.get("/surfer", response_model=None, responses={**_TEXT, **documented(404, 409)})
    def surfer(run_id: RunId, s: SignalList = "", t: Annotated[int, Query(ge=0, le=MAX_TIME)] = 0) -> Response:
        """A Surfer command file: `surfer --command-file run.sucl`."""
        index = ctx.waves.open(run_id)
        source = ctx.waves.source(run_id)
        return _attachment(surfer_commands(index, source or Path("waves.vcd"), _numbers(s, index), t), f"{run_id}.sucl", "text/plain")

    @api.get("/dump", response_model=None, responses={**_FILE, **documented(404)})
    def dump(run_id: RunId) -> Response:
        """The recorded waveform file as it is, for any viewer (Surfer opens it by address)."""
        ctx.store.run(run_id)
        source = ctx.waves.source(run_id)
        if source is None:
            raise ApiError(404, "the run has no waveform")
        return FileResponse(source, media_type="application/octet-stream", filename=f"{run_id}{source.suffix}")

    return api


