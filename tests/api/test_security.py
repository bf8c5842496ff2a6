"""Who may talk to the server, and what it never does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from wasmjit_api.config import Settings
from wasmjit_api.main import create_app

TOKEN = "a-long-secret-token"


@pytest.fixture
def guarded(tmp_path: Path) -> Any:
    app = create_app(Settings(tmp_path, host="0.0.0.0", token=TOKEN))
    with TestClient(app, base_url="http://lab.example:8787") as client:
        yield client


def test_a_bind_beyond_the_machine_needs_a_token(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="token"):
        Settings(tmp_path, host="0.0.0.0")
    assert Settings(tmp_path, host="::1").token is None


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8787", "127.0.0.1.evil.example", ""])
def test_other_host_names_are_refused_against_dns_rebinding(api: Any, host: str) -> None:
    answer = api.client.get("/api/runs", headers={"host": host})
    assert answer.status_code == 403 and answer.json()["ok"] is False


@pytest.mark.parametrize("host", ["127.0.0.1:8787", "localhost", "LOCALHOST:9000", "[::1]:8787"])
def test_the_machines_own_names_are_served(api: Any, host: str) -> None:
    assert api.client.get("/api/runs", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "http://127.0.0.1:9999"}],
)
def test_requests_that_another_site_causes_are_refused(api: Any, headers: dict[str, str]) -> None:
    run = api.ids["failed"]
    for method, path in (("DELETE", f"/api/runs/{run}"), ("POST", "/api/launch"), ("GET", "/api/runs")):
        assert api.client.request(method, path, headers=headers).status_code == 403
    assert (api.runs / run).is_dir()


def test_a_link_from_elsewhere_may_open_the_page_but_not_the_api(api: Any) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert api.client.get("/", headers=headers).status_code == 200
    assert api.client.get("/api/runs", headers=headers).status_code == 403


def test_without_the_token_nothing_is_served(guarded: Any) -> None:
    for path in ("/", "/api/runs", "/js/app.js", "/api/openapi.json"):
        answer = guarded.get(path)
        assert answer.status_code == 401 and answer.json()["error"] == "a token is required"
    assert guarded.get("/api/runs", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert guarded.get("/api/runs", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_a_token_in_the_address_becomes_a_cookie_and_leaves_the_address(guarded: Any) -> None:
    answer = guarded.get(f"/?token={TOKEN}&x=1", follow_redirects=False)
    assert answer.status_code == 303 and answer.headers["location"] == "/?x=1"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert guarded.get("/api/runs").status_code == 200


def test_the_redirect_after_login_stays_on_this_server(guarded: Any) -> None:
    answer = guarded.get(f"//evil.example/?token={TOKEN}", follow_redirects=False)
    assert not answer.headers.get("location", "/").startswith("//")


@pytest.mark.parametrize(
    "path",
    ["/../pyproject.toml", "/%2e%2e/%2e%2e/etc/passwd", "/js/..%2f..%2f..%2fpyproject.toml", "/js/%5c..%5capp.js", "/vendor/", "/etc/passwd", "/api/main.py"],
)
def test_paths_never_leave_the_pages_folder(api: Any, path: str) -> None:
    assert api.client.get(path).status_code == 404


@pytest.mark.parametrize("run", ["..", "%2e%2e", "..%2f..", ".index.sqlite3", "a%00b", "-rf", "allow.txt"])
def test_run_names_never_leave_the_runs_folder(api: Any, run: str) -> None:
    for path in ("", "/log", "/waves", "/report", "/export/dump"):
        assert api.client.get(f"/api/runs/{run}{path}").status_code in (404, 422)
    assert api.client.delete(f"/api/runs/{run}").status_code in (404, 405, 422)


def test_links_inside_a_run_are_not_followed_out_of_it(api: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("password")
    run = api.ids["aborted"]
    (api.runs / run / "design.mlir").symlink_to(secret)
    assert api.get(f"/api/runs/{run}/source").status_code == 404
    (api.runs / run / "design.mlir").unlink()


@pytest.mark.parametrize("design", ["../runs/allow.txt", "/etc/passwd", "away.mlir", "notes.txt", "counter.mlir/../../x.mlir", "\0.mlir"])
def test_only_designs_of_the_folder_are_started(api: Any, design: str) -> None:
    answer = api.client.post("/api/launch", json={"design": design})
    assert answer.status_code in (404, 422) and answer.json()["ok"] is False


@pytest.mark.parametrize("body", [{"design": "counter.mlir", "plusargs": ["--vcd=/etc/x"]}, {"design": "counter.mlir", "plusargs": ["+a b"]}, {"design": "counter.mlir", "shell": 1}])
def test_options_that_are_not_listed_are_refused(api: Any, body: dict[str, Any]) -> None:
    assert api.client.post("/api/launch", json=body).status_code == 422


def test_uploads_have_a_limit(api: Any) -> None:
    answer = api.client.post("/api/uploads", params={"name": "big.vcd"}, content=b"x" * (5 << 20))
    assert answer.status_code == 413 and answer.json()["status"] == 413

    def chunks() -> Any:
        for _ in range(6):
            yield b"x" * (1 << 20)

    before = len(list(api.runs.iterdir()))
    assert api.client.post("/api/uploads", params={"name": "big.vcd"}, content=chunks()).status_code == 413
    assert len(list(api.runs.iterdir())) == before


def test_answers_carry_the_headers_that_keep_other_sites_out(api: Any) -> None:
    headers = api.client.get("/").headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff" and headers["cross-origin-resource-policy"] == "same-origin"


def test_control_characters_of_a_designs_output_are_not_passed_on(api: Any) -> None:
    from wasmjit_api.logs import printable

    assert printable("a\x1b[31mb\tc\x07") == "a\ufffd[31mb\tc\ufffd"
