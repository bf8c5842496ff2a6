"""The command line in a forked child: isolated like a process of its own, without the start of an interpreter and the imports."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

KILLED = -9
POLL_S = 0.005


@dataclass(frozen=True, slots=True)
class Ended:
    """`code`: exit status; minus the signal number if a signal ended the child (KILLED when it did not end in time). `seconds`: wall time."""

    code: int
    seconds: float

    @property
    def late(self) -> bool:
        return self.code == KILLED


def run_forked(work: Callable[[], int], stdout: Path, stderr: Path, timeout: float, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Ended:
    """Run `work` in a forked child whose output goes to files; its result is the exit status. Killed with its process group after `timeout` seconds."""
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            os.setsid()
            gc.freeze()
            for fd, path in ((1, stdout), (2, stderr)):
                new = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
                os.dup2(new, fd)
                os.close(new)
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            if cwd is not None:
                os.chdir(cwd)
            os.environ.update(env or {})
            status = work()
        except BaseException:  # noqa: BLE001  (the child must not return into the caller's code)
            import traceback

            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(status & 0xFF)
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return Ended(os.waitstatus_to_exitcode(status), time.monotonic() - began)
        if time.monotonic() - began > timeout:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return Ended(KILLED, time.monotonic() - began)
        time.sleep(POLL_S)


def command(args: Sequence[str]) -> Callable[[], int]:
    """`wasmjit ARGS` as work for `run_forked`."""
    from wasmjit import cli, cli_run  # noqa: F401  (loaded before the fork)
    from wasmjit.sched import session  # noqa: F401

    return lambda: cli.main(list(args))
