"""Runs of the simulator itself, recorded for the page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any


def record(server: Any, design: Path, *options: str) -> str:
    """Run the simulator with --record; the id of the new run."""
    before = {path.name for path in server.runs.iterdir()}
    done = subprocess.run(
        [sys.executable, "-m", "wasmjit", "run", str(design), "--record", str(server.runs), *options], capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (made,) = [path.name for path in server.runs.iterdir() if path.name not in before and path.name[0] != "."]
    return made
