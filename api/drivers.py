"""Who drove a signal last before a time, and in which tier: from the history a recorded run keeps, else from what its report says."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from wasmjit_api.code import CodeTexts
from wasmjit_api.store import RunStore, read_json
from wasmjit_api.waves.service import WaveService

from wasmjit.report.drivers import Driven, DriverFile, enclosing

_OPEN_LIMIT = 12


class Drivers:
    """Answers about drivers. Thread-safe."""

    def __init__(self, store: RunStore, waves: WaveService, code: CodeTexts) -> None:
        self._store, self._waves, self._code = store, waves, code
        self._open: OrderedDict[tuple[str, int], DriverFile | None] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, run_id: str, signal: str, t: int) -> dict[str, Any]:
        """`{"drivers", "source", "exact", "changed_fs"}`: the last process or logic to drive a signal not after `t` comes first, with its tier at the time of that drive.

        source: `history` (every change of driver was recorded), `verdict` (a difference that `wasmjit parity` found at that time) or `report` (who changed it last in the
        whole run). `exact`: it is known to be the last one before `t`. `changed_fs`: when the signal changed, null when that is not known.
        """
        mode = self._store.run(run_id)["mode"]
        changed = self._last_change(run_id, signal, t)
        at = t if changed is None else changed
        history = self._history(run_id)
        processes = {p["name"]: p for p in self._store.processes(run_id)}
        by_id = {p["process_id"]: p for p in processes.values()}
        if history is not None:
            for name in self._names(run_id, signal):
                driven = history.at(name, at)
                if driven is not None:
                    found = (driven, *(other for other in history.of(name) if other != driven))
                    rows = [{**self._recorded(run_id, mode, one, by_id, at), "instance": one.instance} for one in found]
                    return {"drivers": rows, "source": "history", "exact": history.exact(at), "changed_fs": changed}
        names, source = self._reported(run_id, signal), "report"
        verdict = self._of_verdict(run_id, signal, t)
        if verdict is not None:
            names, source = [verdict, *(n for n in names if n != verdict)], "verdict"
        rows = [self._row(run_id, mode, name, processes.get(name), at) for name in names]
        return {"drivers": rows, "source": source, "exact": source == "verdict", "changed_fs": changed}

    def forget(self, run_id: str) -> None:
        """Drop what is cached about a deleted run."""
        with self._lock:
            for key in [key for key in self._open if key[0] == run_id]:
                del self._open[key]

    def _row(self, run_id: str, mode: str, name: str, process: dict[str, Any] | None, t: int) -> dict[str, Any]:
        if process is None:
            # Continuous logic or registers: compiled before time 0 if at all, and never left.
            tier = "compile" if name in self._code.bodies(run_id) else "interpret" if mode == "interpret" else None
            return {"process": name, "process_id": None, "definition": name, "kind": "logic", "tier": tier, "since_fs": 0, "deopt": None, "instance": ""}
        at = self._store.tier_at(run_id, process["process_id"], t)
        return {"process": name, "process_id": process["process_id"], "definition": process["definition"], "kind": "process", **at, "instance": ""}

    def _recorded(self, run_id: str, mode: str, one: Driven, processes: dict[int, dict[str, Any]], t: int) -> dict[str, Any]:
        if one.process_id != 0:
            return self._row(run_id, mode, one.name, processes.get(one.process_id) if one.process_id else None, t)
        # Branches of a fork come and go under ids that are used again: they are known by their code, which all of one branch share.
        deopt = self._store.deopt_of_body(run_id, one.definition, t)
        since = self._code.installed(run_id, one.definition, t) if deopt is None else None
        return {
            "process": one.name, "process_id": None, "definition": one.definition, "kind": "fork", "tier": "interpret" if since is None else "compile",
            "since_fs": since or 0 if deopt is None else t, "deopt": deopt,
        }

    def _history(self, run_id: str) -> DriverFile | None:
        """The history of a run; None when it has none (it is still going on, or another tool made it) or a damaged one."""
        path = self._store.file(run_id, "drivers.bin")
        if path is None:
            return None
        key = (run_id, path.stat().st_mtime_ns)
        with self._lock:
            if key not in self._open:
                try:
                    self._open[key] = DriverFile(path)
                except (OSError, ValueError):
                    self._open[key] = None
                while len(self._open) > _OPEN_LIMIT:
                    self._open.popitem(last=False)
            self._open.move_to_end(key)
            return self._open[key]

    def _last_change(self, run_id: str, signal: str, t: int) -> int | None:
        if self._waves.state(run_id)["state"] != "ready":
            return None
        index = self._waves.open(run_id)
        number = index.number(signal)
        return index.last_change(number, t) if number is not None else None

    def _names(self, run_id: str, signal: str) -> Iterator[str]:
        """The signal, the array or record it is part of, and what it is joined to (a port and its net)."""
        yield from enclosing(signal)
        if self._waves.state(run_id)["state"] == "ready":
            for other in self._waves.open(run_id).aliases(signal):
                yield from enclosing(other)

    def _reported(self, run_id: str, signal: str) -> list[str]:
        for name in self._names(run_id, signal):
            found = self._store.drivers(run_id, name)
            if found:
                return found
        return []

    def _of_verdict(self, run_id: str, signal: str, t: int) -> str | None:
        path = self._store.file(run_id, "verdict.json")
        verdict = read_json(path) if path is not None else None
        for row in (verdict.get("differences") or [] if isinstance(verdict, dict) else []):
            if isinstance(row, dict) and row.get("signal") == signal and row.get("time_fs") == t:
                last = row.get("driver") or row.get("process") or row.get("last_driver")
                if isinstance(last, str):
                    return last
        return None
