"""The run directory that a recorded run leaves."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path

import pytest

from wasmjit.report.record import RUN_FIELDS, CodeModule, RunRecorder, safe_name, tier_mix_of


def test_a_finished_run_has_its_metadata_report_and_log(tmp_path: Path) -> None:
    report = {"exit_code": 1, "final_time_fs": 70, "run_wall_ms": 2.5, "jit": {"jit_deopts_total": 3}, "processes": [{"tier_ns": {"interpret": 1, "compile": 3}}]}
    with RunRecorder(tmp_path, design="dir/sha256.mlir", mode="compile") as record:
        record.stdout(b"one\n", 10)
        record.stdout(b"", 20)
        record.stdout(b"two\n", 30)
        record.finish(report)
    meta = json.loads((record.directory / "run.json").read_text())
    assert set(meta) == set(RUN_FIELDS)
    assert (meta["design"], meta["status"], meta["verdict"], meta["deopts_total"]) == ("sha256", "finished", "fail", 3)
    assert meta["tier_mix"] == {"compile": 0.75, "interpret": 0.25}
    assert (record.directory / "stdout.txt").read_bytes() == b"one\ntwo\n"
    assert list(struct.iter_unpack("<QQ", (record.directory / "stdout.idx").read_bytes())) == [(0, 10), (4, 30)]
    assert json.loads((record.directory / "report.json").read_text()) == report


def test_a_run_that_ends_by_an_exception_reads_as_aborted(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), RunRecorder(tmp_path, design="a", mode="interpret") as record:
        raise RuntimeError("power cut")
    meta = json.loads((record.directory / "run.json").read_text())
    assert (meta["status"], meta["message"]) == ("aborted", "power cut")


def test_progress_is_limited_in_rate_but_can_be_forced(tmp_path: Path) -> None:
    record = RunRecorder(tmp_path, design="a", mode="compile")
    assert record.progress(time_fs=1, wall_ms=1)
    assert record.progress(time_fs=2, wall_ms=1, force=True)
    assert json.loads((record.directory / "progress.json").read_text())["final_time_fs"] == 2
    record.abort("end")


def test_compiled_modules_are_kept_compressed_with_the_bodies_that_are_in_them(tmp_path: Path) -> None:
    record = RunRecorder(tmp_path, design="a", mode="compile")
    record.code([CodeModule(b"\0asm one", ("tb.p1", "tb.p2"), 10, 0, "start"), CodeModule(b"\0asm two", ("../../x",), 20, 5, "hot")])
    index = json.loads((record.directory / "code" / "index.json").read_text())
    assert [(m["bodies"], m["wall_ns"], m["time_fs"], m["cause"], m["bytes"]) for m in index["modules"]] == [(["tb.p1", "tb.p2"], 10, 0, "start", 8), (["../../x"], 20, 5, "hot", 8)]
    assert [gzip.decompress((record.directory / "code" / m["file"]).read_bytes()) for m in index["modules"]] == [b"\0asm one", b"\0asm two"]
    record.abort("end")


def test_names_become_safe_file_names() -> None:
    assert safe_name("../../etc/passwd") == "etc_passwd"
    assert safe_name("...") == "unnamed" and len(safe_name("x" * 500)) == 80


def test_the_tier_mix_of_a_report_without_processes_is_empty() -> None:
    assert tier_mix_of({}) == {} and tier_mix_of({"processes": [{"tier_ns": {}}]}) == {}


def test_an_interrupted_run_reads_as_aborted(tmp_path: Path) -> None:
    record = RunRecorder(tmp_path, design="a", mode="compile")
    record.finish({"exit_code": 130})
    meta = json.loads((record.directory / "run.json").read_text())
    assert (meta["status"], meta["verdict"], meta["message"]) == ("aborted", "error", "interrupted")
