"""Start runs from the page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as PathParameter
from starlette.responses import Response
from wasmjit_api import models
from wasmjit_api.context import Context
from wasmjit_api.errors import documented, json_response


def router(ctx: Context) -> APIRouter:
    """Routes below /api that start and stop simulations."""
    api = APIRouter(prefix="/api", tags=["launch"])

    @api.get("/designs", response_model=None, responses={200: {"model": models.Designs}, **documented()})
    def designs() -> Response:
        """Designs of the configured folder."""
        return json_response({"ok": True, "designs": ctx.launcher.designs()})

    @api.post("/launch", status_code=202, response_model=None, responses={202: {"model": models.Launched}, **documented(404, 409)})
    def launch(request: models.LaunchRequest) -> Response:
        """Start a run; it appears in the list as soon as the simulator has made its directory."""
        pid = ctx.launcher.start(
            request.design, request.mode, request.plusargs, request.max_time_fs, request.hot_threshold, request.force_deopt,
        )
        return json_response({"ok": True, "pid": pid}, 202)

    @api.delete("/launch/{pid}", response_model=None, responses={200: {"model": models.Launched}, **documented(404)})
    def stop(pid: Annotated[int, PathParameter(ge=1, lt=2**31)]) -> Response:
        """Stop a run that was started from the page."""
        ctx.launcher.stop(pid)
        return json_response({"ok": True, "pid": pid})

    return api
