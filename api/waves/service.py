"""Waveforms of runs: built in a limited child process on first use, kept open, and compared in pairs."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from wasmjit_api.child import Child
from wasmjit_api.errors import ApiError
from wasmjit_api.store import RunStore
from wasmjit_api.waves.build import INDEX_VERSION
from wasmjit_api.waves.index import WaveIndex

_OPEN_LIMIT = 12
_CACHE = ".waves"


class WaveService:
    """Index state per run: none, indexing, ready or error. Thread-safe."""

    def __init__(self, child: Child, store: RunStore) -> None:
        self._child = child
        self._store = store
        self._open: OrderedDict[tuple[str, str], WaveIndex] = OrderedDict()
        self._jobs: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    # -- one waveform ---------------------------------------------------------------------------------------------------

    def source(self, run_id: str) -> Path | None:
        """The dump of a run: waves.fst or waves.vcd, or None."""
        for name in ("waves.fst", "waves.vcd"):
            path = self._store.file(run_id, name)
            if path is not None and path.stat().st_size:
                return path
        return None

    def state(self, run_id: str, asked: str | None = None) -> dict[str, Any]:
        """`{"state": "none" | "indexing" | "ready" | "error", ...}`; starts indexing when the dump is not what was indexed last.

        `asked`: the signature of an earlier answer. What was being indexed then is enough, so that a dump that grows all the time gets ready too.
        """
        source = self.source(run_id)
        if source is None:
            return {"state": "none", "message": "a recorded run keeps a VCD unless --vcd or --fst put the waveform elsewhere"}
        stat = source.stat()
        signature = f"{stat.st_size}:{stat.st_mtime_ns}"
        cache = self._store.directory(run_id) / _CACHE
        indexed = _indexed(cache)
        if indexed == signature:
            return {"state": "ready", "signature": signature}
        with self._lock:
            job = self._jobs.get(run_id)
            if indexed is not None and asked is not None and job is not None and job["state"] == "ready" and job["signature"] == asked:
                return {"state": "ready", "signature": asked}
            if job is None or (job["state"] != "indexing" and job["signature"] != signature):
                job = self._jobs[run_id] = {"state": "indexing", "signature": signature, "read": 0, "size": stat.st_size}
                threading.Thread(target=self._build, args=(source, cache, job), daemon=True).start()
            return {key: job[key] for key in ("state", "signature", "read", "size", "message") if key in job}

    def open(self, run_id: str) -> WaveIndex:
        """The index of a run; while the run goes on or its dump is indexed anew, what was indexed last.

        Raises ApiError 404 (no waveform), 409 (being indexed for the first time: ask again; or it cannot be read).
        """
        cache = self._store.directory(run_id) / _CACHE
        indexed = _indexed(cache)
        if indexed is None or self._store.run(run_id)["status"] != "running":
            state = self.state(run_id)
            if state["state"] == "none":
                raise ApiError(404, "the run has no waveform", state["message"])
            if state["state"] == "error":
                raise ApiError(409, f"the waveform cannot be read: {state['message']}")
            if state["state"] == "indexing" and indexed is None:
                raise ApiError(409, "the waveform is being indexed", "ask GET /api/runs/{id}/waves until its state is ready")
            indexed = _indexed(cache) or indexed
        key = (run_id, str(indexed))
        with self._lock:
            index = self._open.get(key)
            if index is None:
                try:
                    index = self._open[key] = WaveIndex(cache)
                except OSError:
                    raise ApiError(409, "the waveform is being indexed", "ask again") from None
                while len(self._open) > _OPEN_LIMIT:
                    self._open.popitem(last=False)
            else:
                self._open.move_to_end(key)
            return index

    def forget(self, run_id: str) -> None:
        """Drop what is cached about a deleted run."""
        with self._lock:
            self._jobs.pop(run_id, None)
            for key in [key for key in self._open if key[0] == run_id]:
                del self._open[key]

    def _build(self, source: Path, cache: Path, job: dict[str, Any]) -> None:
        staging = None
        try:
            staging = Path(tempfile.mkdtemp(prefix=".waves-", dir=cache.parent))
            failure = self._child.run(["index", str(source), str(staging)], lambda done: job.update(read=done))
            if failure is None:
                shutil.rmtree(cache, ignore_errors=True)
                staging.rename(cache)
                job["state"] = "ready"
            else:
                job.update(state="error", message=failure)
        except OSError as error:
            job.update(state="error", message=f"the index cannot be written: {error.strerror or error}")
        finally:
            if staging is not None:
                shutil.rmtree(staging, ignore_errors=True)

    # -- two waveforms ----------------------------------------------------------------------------------------------------

    def comparison(self, run_a: str, run_b: str) -> dict[str, Any]:
        """`{"state": "indexing" | "ready" | "error", "result"?}` of the comparison of two runs."""
        a, b = self.state(run_a), self.state(run_b)
        for name, state in ((run_a, a), (run_b, b)):
            if state["state"] == "none":
                raise ApiError(404, f"run {name!r} has no waveform", state["message"])
            if state["state"] == "error":
                raise ApiError(409, f"the waveform of {name!r} cannot be read: {state['message']}")
        if a["state"] != "ready" or b["state"] != "ready":
            return {"state": "indexing"}
        signature = f"{a['signature']} {b['signature']}"
        key = f"{run_a} {run_b}"
        out = self._store.directory(run_a) / f".diff-{run_b}.json"
        with self._lock:
            job = self._jobs.get(key)
            if job is None or (job["state"] != "indexing" and (job["signature"] != signature or (job["state"] == "ready" and not out.is_file()))):
                job = self._jobs[key] = {"state": "indexing", "signature": signature, "read": 0}
                directories = [str(self._store.directory(run) / _CACHE) for run in (run_a, run_b)]
                threading.Thread(target=self._compare, args=(directories, out, job), daemon=True).start()
                return {"state": "indexing"}
        if job["state"] == "error":
            raise ApiError(409, f"the comparison failed: {job['message']}")
        if job["state"] == "indexing":
            return {"state": "indexing"}
        return {"state": "ready", "result": json.loads(out.read_bytes())}

    def _compare(self, directories: list[str], out: Path, job: dict[str, Any]) -> None:
        failure = self._child.run(["diff", *directories, str(out)])
        if failure is None:
            job["state"] = "ready"
        else:
            job.update(state="error", message=failure)


def _indexed(cache: Path) -> str | None:
    """Signature of the dump that was indexed into `cache`; None without an index of this version."""
    try:
        with (cache / "meta.json").open("rb") as file:
            head = file.read(400)
    except OSError:
        return None
    # The first keys are the ones needed here; a hierarchy of 100 000 variables is not parsed to learn them.
    try:
        meta = json.loads(head[: head.index(b',"scale_fs"')] + b"}")
    except ValueError:
        return None
    return f"{meta['source_size']}:{meta['source_mtime_ns']}" if meta["version"] == INDEX_VERSION else None
