"""The application and `serve`, which `wasmjit serve` calls."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from wasmjit_api.child import Child
from wasmjit_api.code import CodeTexts
from wasmjit_api.config import Settings, is_loopback
from wasmjit_api.context import Context
from wasmjit_api.drivers import Drivers
from wasmjit_api.errors import allowed_methods, error_response, install_error_handlers, not_allowed
from wasmjit_api.events import Hub
from wasmjit_api.launch import Launcher
from wasmjit_api.logs import LogCache
from wasmjit_api.routes import deopts, exports, launch, runs, waves
from wasmjit_api.security import Guard
from wasmjit_api.store import RunStore
from wasmjit_api.waves.arena import arena
from wasmjit_api.waves.service import WaveService

VERSION = "0.1.0"
_MEDIA = {
    ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain", ".png": "image/png",
}


def static_root() -> Path:
    """The page's files: beside this package when installed, webui/static in a checkout."""
    here = Path(__file__).resolve().parent
    for candidate in (here / "static", here.parent / "webui" / "static"):
        if (candidate / "index.html").is_file():
            return candidate
    raise FileNotFoundError("the dashboard's page (webui/static) is not installed with wasmjit_api")


def create_app(settings: Settings) -> FastAPI:
    """The ASGI application over `settings.runs_dir`. The run store opens here, the watcher starts with the server."""
    store = RunStore(settings.runs_dir, settings.database)
    store.scan()
    child = Child(settings)
    waves_of, code = WaveService(child, store), CodeTexts(child, store)
    ctx = Context(settings, store, waves_of, code, Drivers(store, waves_of, code), LogCache(), Hub(store, settings.scan_interval_s), Launcher(settings))
    page = static_root()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        ctx.hub.start(asyncio.get_running_loop())
        threading.Thread(target=arena, daemon=True).start()  # compiled by the time somebody zooms
        yield
        ctx.hub.stop()
        store.close()

    app = FastAPI(
        title="wasmjit dashboard", version=VERSION, lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json",
        description="Recorded runs of wasmjit: why code left the compiled tiers, and where two runs first differ. "
        "Errors are always `{\"ok\": false, \"error\", \"status\", \"hint\"?, \"errors\"?}`. Lists take `limit` and `offset` and return `total`.",
    )
    app.state.context = ctx
    for module in (runs, deopts, waves, exports, launch):
        app.include_router(module.router(ctx))
    install_error_handlers(app)

    @app.get("/api/{rest:path}", include_in_schema=False)
    def unknown(request: Request, rest: str) -> Response:
        methods = allowed_methods(app, request)
        if methods:
            return not_allowed(methods)
        return error_response(404, f"no such resource: /api/{rest[:100]}", "GET /api/openapi.json describes what there is")

    @app.get("/{path:path}", include_in_schema=False)
    def static(request: Request, path: str) -> Response:
        target = (page / (path or "index.html")).resolve()
        if not target.is_relative_to(page) or not target.is_file() or target.suffix not in _MEDIA:
            return error_response(404, "no such page", "the dashboard is at /")
        return FileResponse(target, media_type=_MEDIA[target.suffix])

    app.add_middleware(Guard, settings=settings)
    return app


def make_server(app: FastAPI, host: str, port: int) -> uvicorn.Server:
    """A server of `app` that ends the pages' event streams when it is told to stop; they would keep it waiting for ever."""

    class DashboardServer(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            app.state.context.hub.end_streams()
            super().handle_exit(sig, frame)

    return DashboardServer(uvicorn.Config(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=2))


def serve(
    runs_dir: Path | str,
    host: str = "127.0.0.1",
    port: int = 8787,
    token: str | None = None,
    designs_dir: Path | str | None = None,
) -> None:
    """Serve the dashboard over `runs_dir` until interrupted.

    `host`: anything but a loopback address needs a `token`. `designs_dir`: folder whose designs may be started from the page. Raises ValueError
    for a bind without token, OSError when the port is taken.
    """
    import sys

    settings = Settings(Path(runs_dir), host, port, token, Path(designs_dir) if designs_dir is not None else None)
    app = create_app(settings)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}/{f'?token={token}' if token else ''}"
    sys.stderr.write(f"[wasmjit] dashboard at {address}\n")
    newest, _ = app.state.context.store.runs(sort="created", limit=50)
    deopted = next((run for run in newest if run["deopts_total"]), None)
    if deopted is not None:
        sys.stderr.write(f"[wasmjit] why {deopted['design']} left compiled code, newest run: {address}#/run/{deopted['id']}/deopts?d={app.state.context.store.telling_deopt(deopted['id'])}\n")
    if not is_loopback(host):
        sys.stderr.write("[wasmjit] Warning: reachable from the network; whoever has the token can read, delete and start runs\n")
    with contextlib.suppress(KeyboardInterrupt):  # the usual way to end it
        make_server(app, host, port).run()
