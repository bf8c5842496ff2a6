"""The simulator does not know the dashboard, and no module of the page outgrows a reader."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_simulator_does_not_import_the_dashboard_at_import_time() -> None:
    for path in (ROOT / "wasmjit").rglob("*.py"):
        assert not re.search(r"^(from|import) wasmjit_api", path.read_text(), re.MULTILINE), path


def test_modules_stay_below_500_lines() -> None:
    for path in (*(ROOT / "api").rglob("*.py"), *(ROOT / "webui" / "static" / "js").rglob("*.js")):
        assert len(path.read_text().splitlines()) <= 500, path


def test_vendored_files_come_with_their_licences() -> None:
    vendor = ROOT / "webui" / "static" / "vendor"
    note = (vendor / "README.txt").read_text()
    for path in vendor.glob("*.js"):
        assert path.name in note
    assert "Apache License" in (vendor / "LICENSE-htm.txt").read_text() and "MIT License" in (vendor / "LICENSE-preact.txt").read_text()


def test_every_route_and_every_key_of_the_waves_is_documented() -> None:
    text = (ROOT / "docs" / "dashboard.md").read_text()
    commands = (ROOT / "webui" / "static" / "js" / "wave" / "commands.js").read_text()
    for name, key in re.findall(r"^    \['([^']+)', '([^']+)',", commands, re.MULTILINE):
        assert f"`{key}`" in text, f"{name}: key {key} is not in docs/dashboard.md"
