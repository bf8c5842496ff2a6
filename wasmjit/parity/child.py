"""`wasmjit run` in a child process, with its output in files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from wasmjit.data import dataclass

KILLED = -9


@dataclass(frozen=True, slots=True)
class ChildResult:
    """`exit_code`: KILLED when the child did not end in time. `wall_s`: seconds from start to end."""

    exit_code: int
    wall_s: float
    timed_out: bool = False


def wasmjit_command(*args: str) -> list[str]:
    """A command line of this installation."""
    return [sys.executable, "-m", "wasmjit", *args]


def run_child(command: Sequence[str], stdout: Path, stderr: Path, timeout: float = 0.0, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> ChildResult:
    """Run a command to its end; its output goes to files. env: further environment variables. timeout in seconds (0: none); then its whole process group is killed."""
    began = time.monotonic()
    with stdout.open("wb") as out, stderr.open("wb") as err:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd, env={**os.environ, **env} if env else None, start_new_session=True)
        try:
            code = child.wait(timeout or None)
            late = False
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            code, late = KILLED, True
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise
    return ChildResult(code, time.monotonic() - began, late)
