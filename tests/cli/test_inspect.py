"""`wasmjit inspect`."""

from __future__ import annotations

import json

from runner import EXAMPLES, wasmjit


def test_text_shows_hierarchy_processes_and_what_compiles() -> None:
    done = wasmjit("inspect", EXAMPLES / "gray.mlir")
    assert done.returncode == 0, done.stderr
    assert "enc: bin2gray" in done.stdout
    assert "llhd_process_0" in done.stdout
    assert "bodies compile" in done.stdout
    assert "comb.xor" in done.stdout


def test_json_holds_the_same_as_data() -> None:
    data = json.loads(wasmjit("inspect", EXAMPLES / "gray.mlir", "--json").stdout)
    assert data["tops"] == ["tb"]
    assert data["totals"]["instances"] == 3
    assert [m["instances"] for m in data["modules"]] == [1, 1, 1]
    assert all(p["compiles"] for p in data["processes"])
    assert {r["instance"] for r in data["regions"]} >= {"tb.enc", "tb.dec"}


def test_bodies_are_dumped_as_mir_and_as_webassembly() -> None:
    mir = wasmjit("inspect", EXAMPLES / "gray.mlir", "--dump-mir", "llhd_process_0")
    assert mir.returncode == 0
    assert mir.stdout.startswith('process "tb.')
    wat = wasmjit("inspect", EXAMPLES / "gray.mlir", "--dump-wat", "llhd_process_0")
    assert wat.returncode == 0, wat.stderr
    assert wat.stdout.startswith("(module")


def test_an_unknown_body_is_an_error() -> None:
    done = wasmjit("inspect", EXAMPLES / "gray.mlir", "--dump-mir", "nothing_like_that")
    assert done.returncode == 2
    assert "nothing_like_that" in done.stderr


def test_a_missing_file_is_an_error() -> None:
    assert wasmjit("inspect", "no-such-file.mlir").returncode == 2
