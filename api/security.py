"""Who may talk to the server: Host and Origin checks, the token, body limits and response headers.

A local server is reachable by every page the user's browser shows. So: the Host header must be an address this server was
bound to (DNS rebinding), requests that a foreign site causes are refused (CSRF; Fetch metadata and Origin), answers are never
framed, sniffed or cached across origins. Outside the loopback interface a token is required for everything.
"""

from __future__ import annotations

import hmac
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from wasmjit_api.config import Settings, is_loopback
from wasmjit_api.errors import error_response

COOKIE = "wasmjit_token"
_SAFE = ("GET", "HEAD", "OPTIONS")
_HEADERS = [
    (b"content-security-policy", (b"default-src 'self'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; connect-src 'self'; "
     b"frame-ancestors 'none'; base-uri 'none'; form-action 'self'")),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


class _TooLarge(Exception):
    pass


class Guard:
    """ASGI middleware that applies the rules above before anything else sees the request."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        hosts = {"localhost", "127.0.0.1", "[::1]"} if is_loopback(settings.host) else {settings.host}
        self.any_host = settings.host in ("0.0.0.0", "::")
        self.hosts = hosts | set(settings.allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refuse(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, _with_headers(send))
            return
        if self.settings.token and self._token_in_query(scope) and scope["method"] == "GET":
            await self._login(scope, receive, _with_headers(send))
            return
        limit = self.settings.max_upload if scope["path"] == "/api/uploads" else self.settings.max_body
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or int(declared) > limit:
            await error_response(413, f"the body is larger than {limit} bytes")(scope, receive, _with_headers(send))
            return
        started = False

        async def counted_send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await _with_headers(send)(message)

        seen = 0

        async def counted_receive() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise _TooLarge
            return message

        try:
            await self.app(scope, counted_receive, counted_send)
        except _TooLarge:
            if started:
                raise
            await error_response(413, f"the body is larger than {limit} bytes")(scope, receive, _with_headers(send))

    def _refuse(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        host = headers.get("host", "")
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if not self.any_host and name.lower() not in self.hosts:
            return error_response(403, f"this server does not answer for the host {name[:80]!r}", "open it by the address it was started with")
        site = headers.get("sec-fetch-site")
        navigation = scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate" and not scope["path"].startswith("/api/")
        if site in ("cross-site", "same-site") and not navigation:
            return error_response(403, "a request from another site", "open the dashboard itself")
        origin = headers.get("origin")
        if origin is not None and (origin == "null" or urlsplit(origin).netloc.lower() != host.lower()):
            return error_response(403, f"the origin {origin[:80]!r} is not this server's")
        if self.settings.token and not self._authorised(scope, headers):
            return error_response(401, "a token is required", "use the address with ?token=… that `wasmjit serve` printed", headers={"www-authenticate": "Bearer"})
        return None

    def _token_in_query(self, scope: Scope) -> str | None:
        values = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token")
        return values[0] if values else None

    def _authorised(self, scope: Scope, headers: Headers) -> bool:
        token = self.settings.token or ""
        offered = [self._token_in_query(scope) or ""]
        scheme, _, value = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            offered.append(value.strip())
        cookie: SimpleCookie = SimpleCookie()
        cookie.load(headers.get("cookie", ""))
        if COOKIE in cookie:
            offered.append(cookie[COOKIE].value)
        return any(hmac.compare_digest(one.encode("utf-8", "replace"), token.encode()) for one in offered)

    async def _login(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Put the token into a cookie and take it out of the address, so that it is not in the history or in links."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        query.pop("token")
        from starlette.responses import RedirectResponse

        # One leading slash only: "//host/" would send the browser to another site.
        response = RedirectResponse("/" + scope["path"].lstrip("/\\") + ("?" + urlencode(query, doseq=True) if query else ""), 303)
        response.set_cookie(COOKIE, self.settings.token or "", httponly=True, samesite="strict")
        await response(scope, receive, send)


def _with_headers(send: Send) -> Send:
    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _value in message.get("headers", [])}
            extra = [pair for pair in _HEADERS if pair[0] not in present]
            if b"cache-control" not in present:
                extra.append((b"cache-control", b"no-cache"))
            message = {**message, "headers": [*message.get("headers", []), *extra]}
        await send(message)

    return sender
