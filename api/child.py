"""Starts `wasmjit_api.worker` under the limits of the server: whatever a file contains costs that process, not this one."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from wasmjit_api.config import Settings


class Child:
    """Runs workers, two at a time. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._slots = threading.Semaphore(2)

    def run(self, arguments: Sequence[str], progress: Callable[[int], None] | None = None) -> str | None:
        """Run the worker to its end; None, or why it failed. `progress` gets the bytes read so far."""
        s = self._settings
        limits = f"{s.parse_cpu_s},{s.parse_memory},{s.parse_file}"
        root = str(Path(__file__).resolve().parent.parent)
        with self._slots, subprocess.Popen(
            [sys.executable, "-m", "wasmjit_api.worker", limits, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=root,
        ) as child:
            timer = threading.Timer(s.parse_wall_s, child.kill)
            timer.start()
            stderr: list[bytes] = []
            drain = threading.Thread(target=lambda: stderr.append(child.stderr.read() if child.stderr else b""), daemon=True)
            drain.start()
            last: dict[str, Any] = {}
            assert child.stdout is not None
            for line in child.stdout:
                try:
                    last = json.loads(line)
                except ValueError:
                    continue
                if "read" in last and progress is not None:
                    progress(last["read"])
            code = child.wait()
            timer.cancel()
            drain.join()
        if code == 0 and last.get("ok"):
            return None
        if "error" in last:
            return str(last["error"])
        if code < 0:
            return "the file took more time or memory than the server allows for one file"
        tail = b"".join(stderr).decode("utf-8", "replace").strip().splitlines()
        return f"the reader failed: {tail[-1][:200] if tail else f'exit code {code}'}"
