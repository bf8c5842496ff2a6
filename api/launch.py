"""Start a run from the page: only designs below the configured folder, only the options listed here."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from wasmjit_api.config import Settings
from wasmjit_api.errors import ApiError

SUFFIXES = (".mlir", ".sv", ".v")
_LIST_LIMIT = 2000


class Launcher:
    """Child processes `wasmjit run … --record RUNS`. Their output is kept (tail) for the error shown when one fails to start."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._active: dict[int, subprocess.Popen[bytes]] = {}
        self._failures: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    @property
    def enabled(self) -> bool:
        return self._settings.designs_dir is not None

    def _root(self) -> Path:
        if self._settings.designs_dir is None:
            raise ApiError(403, "starting runs is switched off", "start the server with --designs DIR")
        return self._settings.designs_dir.resolve()

    def designs(self) -> list[dict[str, Any]]:
        """Designs that can be started: path below the folder, and size."""
        root = self._root()
        found: list[dict[str, Any]] = []
        for path in sorted(root.rglob("*")):
            if path.suffix in SUFFIXES and path.is_file() and path.resolve().is_relative_to(root):
                found.append({"path": str(path.relative_to(root)), "bytes": path.stat().st_size})
                if len(found) == _LIST_LIMIT:
                    break
        return found

    def resolve(self, design: str) -> Path:
        """The file of a design name. Raises ApiError 404 for anything that is not a design below the folder."""
        root = self._root()
        try:
            path = (root / design).resolve()
            inside = path.is_relative_to(root) and path.suffix in SUFFIXES and path.is_file()
        except (OSError, ValueError):
            inside = False
        if not inside:
            raise ApiError(404, "no such design in the configured folder", "GET /api/designs lists them")
        return path

    def start(self, design: str, mode: str, plusargs: list[str], max_time_fs: int | None, hot_threshold: int | None, force_deopt: str | None) -> int:
        """Start a run; returns the child's process id. Raises ApiError 404, 409 (too many at once)."""
        path = self.resolve(design)
        command = [sys.executable, "-m", "wasmjit", "run", str(path), f"--mode={mode}", "--record", str(self._settings.runs_dir.resolve()), "--no-progress"]
        if max_time_fs is not None:
            command += ["--max-time", str(max_time_fs)]
        if hot_threshold is not None:
            command.append(f"--jit-hot-threshold={hot_threshold}")
        if force_deopt:
            command += ["--force-deopt", force_deopt]
        with self._lock:
            if len(self._active) >= self._settings.max_runs_active:
                raise ApiError(409, f"{len(self._active)} runs started from the page are still going on", "wait for one to end")
            child = subprocess.Popen([*command, *plusargs], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            self._active[child.pid] = child
        threading.Thread(target=self._wait, args=(child, design), daemon=True).start()
        return child.pid

    def _wait(self, child: subprocess.Popen[bytes], design: str) -> None:
        _, stderr = child.communicate()
        with self._lock:
            self._active.pop(child.pid, None)
            if child.returncode not in (0, 1, 3):
                tail = stderr.decode("utf-8", "replace").strip()[-800:]
                self._failures = [*self._failures[-9:], {"pid": child.pid, "design": design, "exit_code": child.returncode, "message": tail}]

    def stop(self, pid: int) -> None:
        """Ask a run that was started here to stop (SIGTERM). Raises ApiError 404."""
        with self._lock:
            child = self._active.get(pid)
        if child is None:
            raise ApiError(404, "no run with this process id was started from the page")
        child.terminate()

    def status(self) -> dict[str, Any]:
        """Process ids going on, and the last failures to run."""
        with self._lock:
            return {"enabled": self.enabled, "active": sorted(self._active), "failures": list(self._failures)}
