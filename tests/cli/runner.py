"""Runs the command line in a child process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def wasmjit(*args: object, cwd: Path | None = None, timeout: float = 120, **env: str) -> subprocess.CompletedProcess[str]:
    """`wasmjit ARGS` with the environment of this process and `env`; its output as text."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("WASMJIT_", "CIRCT_SIM_")) or k == "WASMJIT_CACHE_DIR"}
    path = os.pathsep.join([str(ROOT), clean.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return subprocess.run(
        [sys.executable, "-m", "wasmjit", *map(str, args)],
        capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, cwd=cwd, check=False, env={**clean, "PYTHONPATH": path, **env},
    )  # fmt: skip
