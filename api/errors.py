"""Uniform errors: every answer that is not a success is `{"ok": false, "error", "status", "hint"?, "errors"?}`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response


class ErrorBody(BaseModel):
    """What every error looks like."""

    ok: bool = Field(False, description="always false")
    error: str = Field(description="what went wrong, for people")
    status: int = Field(description="the HTTP status again")
    hint: str | None = Field(None, description="what to do about it")
    errors: list[str] | None = Field(None, description="one line per invalid parameter")


class ApiError(Exception):
    """An error answer. `hint` says what to do about it."""

    def __init__(self, status: int, error: str, hint: str | None = None) -> None:
        super().__init__(error)
        self.status, self.error, self.hint = status, error, hint


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """`value` through orjson; surrogates in names of designs are replaced."""
    try:
        body = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        import json

        body = json.dumps(value).encode("utf-8", "replace")
    return Response(body, status, headers, "application/json")


def error_response(status: int, error: str, hint: str | None = None, errors: list[str] | None = None, headers: dict[str, str] | None = None) -> Response:
    """The one shape of an error."""
    body: dict[str, Any] = {"ok": False, "error": error, "status": status}
    if hint:
        body["hint"] = hint
    if errors:
        body["errors"] = errors
    return json_response(body, status, headers)


def allowed_methods(app: FastAPI, request: Request) -> list[str]:
    """Methods of the described resources at the path of a request; [] when there is none."""
    found: set[str] = set()
    for path, operations in app.openapi()["paths"].items():
        parts, asked = path.split("/"), request.url.path.split("/")
        if len(parts) == len(asked) and all(part == given or (part.startswith("{") and given) for part, given in zip(parts, asked, strict=True)):
            found.update(method.upper() for method in operations)
    return sorted(found)


def not_allowed(methods: list[str]) -> Response:
    """405 with the methods that are."""
    allow = ", ".join(methods)
    return error_response(405, "the resource does not support this method", f"it supports {allow}", headers={"allow": allow})


def install_error_handlers(app: FastAPI) -> None:
    """Give every way to fail the uniform shape."""

    @app.exception_handler(ApiError)
    async def on_api_error(_request: Request, error: ApiError) -> Response:
        return error_response(error.status, error.error, error.hint)

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> Response:
        if error.status_code == 405:
            return not_allowed(allowed_methods(app, request))
        return error_response(error.status_code, str(error.detail), headers=dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_request: Request, error: RequestValidationError) -> Response:
        lines = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
        return error_response(422, "the request does not fit: " + "; ".join(lines[:3]), errors=lines)

    @app.exception_handler(Exception)
    async def on_bug(_request: Request, error: Exception) -> Response:
        return error_response(500, f"a bug in the server: {type(error).__name__}", "the server's terminal shows where")


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: the error statuses it can answer besides those every route has."""
    return {s: {"model": ErrorBody, "description": HTTPStatus(s).phrase} for s in sorted({400, 401, 403, 422, *statuses})}
