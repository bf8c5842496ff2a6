"""Generated pages are current; every flag and report key is documented."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runner import EXAMPLES, ROOT, wasmjit

from wasmjit import cli_docs
from wasmjit.elab import opsdoc

DOCS = ROOT / "docs"


def test_operations_page_is_current() -> None:
    assert (DOCS / "ops.md").read_text() == opsdoc.docs_markdown(), "run: python -m wasmjit.elab.opsdoc > docs/ops.md"


def test_command_line_page_is_current() -> None:
    assert (DOCS / "cli.md").read_text() == cli_docs.docs_markdown(), "run: python -m wasmjit.cli_docs > docs/cli.md"


def test_every_flag_has_an_explanation() -> None:
    bare = [
        f"{title}: {names}"
        for command in cli_docs.COMMANDS
        for title, parser in cli_docs.parsers(cli_docs.command_parser(command), command)
        for names, meaning in cli_docs.rows(parser)
        if not meaning.strip()
    ]
    assert bare == []


def keys_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | set().union(*map(keys_of, value.values())) if value else set()
    if isinstance(value, list):
        return set().union(*map(keys_of, value)) if value else set()
    return set()


def test_every_report_key_is_documented(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    done = wasmjit("run", EXAMPLES / "counter.mlir", "--mode=compile", "--jit-compile-budget=0", f"--jit-report={path}")
    assert done.returncode == 0, done.stderr
    report = json.loads(path.read_text())
    report["drivers"] = {}
    page = (DOCS / "report.md").read_text()
    missing = sorted(k for k in keys_of(report) if f"`{k}`" not in page)
    assert missing == []


def test_readme_names_every_command() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [c for c in cli_docs.COMMANDS if f"wasmjit {c}" not in readme] == []
