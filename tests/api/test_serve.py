"""`serve`: what `wasmjit serve` starts."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from wasmjit_api.main import serve

from wasmjit.report.record import RunRecorder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_server_answers_and_stops_on_an_interrupt_although_a_page_is_open(tmp_path: Path) -> None:
    port = free_port()
    record = RunRecorder(tmp_path, design="a.mlir", mode="compile")
    record.finish({"exit_code": 0, "jit": {"jit_deopts_total": 1}, "deopts": [{"reason": "guard_failed", "process_id": 1, "process_name": "p"}]})
    code = f"from wasmjit_api.main import serve; serve({str(tmp_path)!r}, port={port})"
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        assert f"http://127.0.0.1:{port}/" in child.stderr.readline()
        assert f"http://127.0.0.1:{port}/#/run/{record.run_id}/deopts?d=0" in child.stderr.readline()
        while True:
            try:
                stream = urllib.request.urlopen(f"http://127.0.0.1:{port}/api/events", timeout=30)
                break
            except urllib.error.URLError:
                assert child.poll() is None, "the server ended"
        with stream:
            assert b"retry" in stream.readline()
            child.send_signal(signal.SIGINT)
            child.wait(timeout=60)
        assert "Traceback" not in child.stderr.read()
    assert child.returncode == 0


def test_a_bind_to_the_network_without_a_token_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="token"):
        serve(tmp_path / "runs", host="0.0.0.0", port=1)
    assert not (tmp_path / "runs").exists()


def test_a_missing_runs_folder_is_made(tmp_path: Path) -> None:
    from wasmjit_api.config import Settings
    from wasmjit_api.main import create_app

    create_app(Settings(tmp_path / "new" / "runs"))
    assert (tmp_path / "new" / "runs").is_dir()
