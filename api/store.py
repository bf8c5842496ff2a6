"""The run store: run directories on disk, indexed into SQLite.

The directories (`wasmjit.report.record` writes them) are the truth; the database holds what lists and searches need and can be deleted at any
time. `scan` looks for new, changed and vanished directories and returns what happened, for the event stream.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wasmjit_api.errors import ApiError
from wasmjit_api.records import RunRecords, read_report

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
DATABASE_VERSION = 7
_REPORT_LIMIT = 512 << 20

_SCHEMA = """
CREATE TABLE runs (
  id TEXT PRIMARY KEY, kind TEXT, design TEXT, design_path TEXT, mode TEXT, status TEXT, verdict TEXT, exit_code INTEGER, created TEXT, finished TEXT,
  final_time_fs INTEGER, run_wall_ms REAL, total_wall_ms REAL, compiles_total INTEGER, deopts_total INTEGER, tier_mix TEXT, tier_native REAL,
  coverage REAL, commit_id TEXT, waves TEXT, pair TEXT, message TEXT, pid INTEGER, signature TEXT, report_signature TEXT, argv TEXT, top TEXT);
CREATE TABLE deopts (
  run_id TEXT, seq INTEGER, kind TEXT, reason TEXT, detail TEXT, process_id INTEGER, process TEXT, definition TEXT, file TEXT, line INTEGER, col INTEGER,
  resume TEXT, time_fs INTEGER, delta INTEGER, wall_ns INTEGER, cost_ns INTEGER, action TEXT, frame TEXT, tier TEXT, PRIMARY KEY (run_id, seq)) WITHOUT ROWID;
CREATE INDEX deopts_by_time ON deopts (run_id, time_fs);
CREATE INDEX deopts_by_cause ON deopts (reason, detail);
CREATE TABLE events (
  run_id TEXT, seq INTEGER, kind TEXT, process_id INTEGER, tier TEXT, time_fs INTEGER, wall_ns INTEGER, dur_ns INTEGER, reason TEXT, definition TEXT,
  PRIMARY KEY (run_id, seq)) WITHOUT ROWID;
CREATE TABLE processes (
  run_id TEXT, process_id INTEGER, name TEXT, definition TEXT, tier TEXT, activations INTEGER, tier_ns TEXT, lost_ns INTEGER, deopts INTEGER, score REAL,
  PRIMARY KEY (run_id, process_id)) WITHOUT ROWID;
CREATE TABLE drivers (run_id TEXT, signal TEXT, processes TEXT, PRIMARY KEY (run_id, signal)) WITHOUT ROWID;
"""

_RUN_COLUMNS = ["id", "kind", "design", "design_path", "mode", "status", "verdict", "exit_code", "created", "finished", "final_time_fs", "run_wall_ms", "total_wall_ms", "compiles_total", "deopts_total", "tier_mix", "tier_native", "coverage", "commit_id", "waves", "pair", "message", "pid", "argv", "top"]
SORTABLE = (
    "created", "design", "mode", "verdict", "status", "run_wall_ms", "total_wall_ms", "final_time_fs", "deopts_total", "compiles_total", "tier_native",
    "coverage", "commit_id", "id",
)
_TABLES = ("deopts", "events", "processes", "drivers")


class RunStore:
    """Runs below `root`. Thread-safe; every method may be called from any thread."""

    def __init__(self, root: Path, database: Path | None = None) -> None:
        self.root = root.resolve()
        self.root.mkdir(parents=True, exist_ok=True)
        self._path = database or self.root / ".index.sqlite3"
        self._lock = threading.Lock()
        self._db = self._open()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        db.row_factory = sqlite3.Row
        try:
            version = db.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError:
            version = -1
        if version != DATABASE_VERSION:
            # An index of another version, or a damaged one, is rebuilt from the directories.
            db.close()
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self._path}{suffix}").unlink(missing_ok=True)
            db = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
            db.row_factory = sqlite3.Row
            db.executescript(_SCHEMA)
            db.execute(f"PRAGMA user_version = {DATABASE_VERSION}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        return db

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        with self._lock:
            return [dict(row) for row in self._db.execute(sql, parameters)]

    # -- directories --------------------------------------------------------------------------------------------------

    def directory(self, run_id: str) -> Path:
        """The directory of a run. Raises ApiError 404 for anything that is not the name of an existing run."""
        if not RUN_ID.match(run_id):
            raise ApiError(404, "no such run", "run names are letters, digits, '.', '_' and '-'")
        path = self.root / run_id
        if not (path / "run.json").is_file() or path.is_symlink():
            raise ApiError(404, f"no run named {run_id!r}", "it may have been deleted; GET /api/runs lists them")
        return path

    def file(self, run_id: str, name: str) -> Path | None:
        """A file of a run, or None; never one that a link leads out of the run's directory."""
        directory = self.directory(run_id)
        path = (directory / name).resolve()
        return path if path.is_file() and path.is_relative_to(directory.resolve()) else None

    def scan(self) -> list[tuple[str, str]]:
        """Bring the database up to date: [("added" | "changed" | "deleted", run id)]."""
        known = {row["id"]: row for row in self._rows("SELECT id, signature, report_signature, status, pid FROM runs")}
        changes: list[tuple[str, str]] = []
        seen = set()
        for entry in os.scandir(self.root):
            if not RUN_ID.match(entry.name) or not entry.is_dir(follow_symlinks=False):
                continue
            directory = Path(entry.path)
            signature = _signature(directory / "run.json", directory / "progress.json")
            if signature is None:
                continue
            seen.add(entry.name)
            old = known.get(entry.name)
            gone = old is not None and old["status"] == "running" and not _alive(old["pid"])
            if old is not None and old["signature"] == signature and not gone:
                continue
            if self._index(directory, signature, old["report_signature"] if old else None):
                changes.append(("changed" if old else "added", entry.name))
        for run_id in known.keys() - seen:
            self._forget(run_id)
            changes.append(("deleted", run_id))
        return changes

    def _index(self, directory: Path, signature: str, report_signature: str | None) -> bool:
        meta = read_json(directory / "run.json")
        if not isinstance(meta, dict):
            return False
        row = _run_row(directory.name, meta, read_json(directory / "progress.json"))
        fresh = _signature(directory / "report.json") or ""
        records = read_report(read_json(directory / "report.json")) if fresh != (report_signature or "") and fresh else None
        with self._transaction() as db:
            row.update(signature=signature, report_signature=fresh)
            names = ", ".join(row)
            db.execute(f"INSERT OR REPLACE INTO runs ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
            if records is not None:
                _store_records(db, directory.name, records)
        return True

    def _forget(self, run_id: str) -> None:
        with self._transaction() as db:
            db.execute("DELETE FROM runs WHERE id = ?", (run_id,))
            for table in _TABLES:
                db.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))

    def delete(self, run_id: str) -> None:
        """Remove a run and all its files. Raises ApiError 404, and 409 while it goes on."""
        directory = self.directory(run_id)
        run = self.run(run_id)
        if run["status"] == "running":
            raise ApiError(409, "the run is still going on", "stop it first, or delete it when it has ended")
        shutil.rmtree(directory)
        self._forget(run_id)

    # -- queries ------------------------------------------------------------------------------------------------------

    def run(self, run_id: str) -> dict[str, Any]:
        """One run. Raises ApiError 404."""
        rows = self._rows("SELECT * FROM runs WHERE id = ?", (run_id,))
        if not rows:
            self.directory(run_id)
            self.scan()
            rows = self._rows("SELECT * FROM runs WHERE id = ?", (run_id,))
        if not rows:
            raise ApiError(404, f"run {run_id!r} cannot be read", "its run.json is damaged")
        return _present_run(rows[0])

    def runs(
        self,
        *,
        q: str = "",
        design: str = "",
        mode: str = "",
        verdict: str = "",
        kind: str = "",
        sort: str = "created",
        descending: bool = True,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[list[dict[str, Any]], int]:
        """A page of runs and the number of all that fit. `q` matches part of the name, design, commit or verdict."""
        where, values = ["1"], []
        for column, wanted in (("design", design), ("mode", mode), ("verdict", verdict), ("kind", kind)):
            if wanted:
                where.append(f"{column} = ?")
                values.append(_clean(wanted))
        for word in _clean(q).split()[:8]:
            where.append("(id || ' ' || design || ' ' || mode || ' ' || verdict || ' ' || ifnull(commit_id, '')) LIKE ? ESCAPE '\\'")
            values.append("%" + re.sub(r"([%_\\])", r"\\\1", word) + "%")
        clause = " AND ".join(where)
        total = self._rows(f"SELECT count(*) AS n FROM runs WHERE {clause}", values)[0]["n"]
        order = sort if sort in SORTABLE else "created"
        direction = "DESC" if descending else "ASC"
        rows = self._rows(f"SELECT * FROM runs WHERE {clause} ORDER BY {order} {direction} NULLS LAST, id {direction} LIMIT ? OFFSET ?", [*values, limit, offset])
        return [_present_run(row) for row in rows], total

    def facets(self) -> dict[str, list[str]]:
        """The values that filters offer."""
        return {
            column: [row[column] for row in self._rows(f"SELECT DISTINCT {column} FROM runs WHERE {column} IS NOT NULL ORDER BY {column} LIMIT 500")]
            for column in ("design", "mode", "verdict", "kind")
        }

    def processes(self, run_id: str) -> list[dict[str, Any]]:
        """Processes of a run, those that lost most time first."""
        rows = self._rows("SELECT * FROM processes WHERE run_id = ? ORDER BY lost_ns DESC, score DESC, process_id", (run_id,))
        for row in rows:
            row["tier_ns"] = json.loads(row["tier_ns"])
            del row["run_id"]
        return rows

    def events(self, run_id: str, limit: int = 200_000) -> list[dict[str, Any]]:
        """Timeline events in order of simulation time; `tier` is the one the process is in afterwards."""
        return self._rows("SELECT kind, process_id, tier, time_fs, wall_ns, dur_ns, reason, definition FROM events WHERE run_id = ? ORDER BY seq LIMIT ?", (run_id, limit))

    def deopts(
        self,
        run_id: str,
        *,
        reason: str = "",
        process_id: int | None = None,
        axis: str = "sim",
        begin: int | None = None,
        end: int | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[list[dict[str, Any]], int]:
        """A page of deopt records, in the order they happened; `axis` sim or wall says what begin and end mean."""
        column = "wall_ns" if axis == "wall" else "time_fs"
        where, values = ["run_id = ?"], [run_id]
        parameters: list[Any] = list(values)
        for clause, value in (("reason = ?", _clean(reason) or None), ("process_id = ?", process_id), (f"{column} >= ?", begin), (f"{column} <= ?", end)):
            if value is not None:
                where.append(clause)
                parameters.append(value)
        clause = " AND ".join(where)
        total = self._rows(f"SELECT count(*) AS n FROM deopts WHERE {clause}", parameters)[0]["n"]
        rows = self._rows(f"SELECT * FROM deopts WHERE {clause} ORDER BY seq LIMIT ? OFFSET ?", [*parameters, limit, offset])
        return [_present_deopt(row) for row in rows], total

    def deopt(self, run_id: str, seq: int) -> dict[str, Any]:
        """One record. Raises ApiError 404."""
        rows = self._rows("SELECT * FROM deopts WHERE run_id = ? AND seq = ?", (run_id, seq))
        if not rows:
            raise ApiError(404, f"run {run_id!r} has no deopt number {seq}")
        return _present_deopt(rows[0])

    def telling_deopt(self, run_id: str) -> int:
        """Number of the record to show first: the costliest that has live values, else the costliest."""
        rows = self._rows("SELECT seq FROM deopts WHERE run_id = ? ORDER BY frame = '[]', cost_ns DESC, seq LIMIT 1", (run_id,))
        return int(rows[0]["seq"]) if rows else 0

    def tier_at(self, run_id: str, process_id: int, time_fs: int) -> dict[str, Any]:
        """`{"tier", "since_fs", "deopt"}`: the tier a process is in at a time; `deopt`: number of its last deopt at exactly that time, then the interpreter ran it."""
        deopt = self._rows("SELECT max(seq) AS seq FROM deopts WHERE run_id = ? AND process_id = ? AND time_fs = ?", (run_id, process_id, time_fs))[0]["seq"]
        if deopt is not None:
            return {"tier": "interpret", "since_fs": time_fs, "deopt": deopt}
        rows = self._rows(
            "SELECT tier, time_fs FROM events WHERE run_id = ? AND process_id = ? AND time_fs <= ? AND kind IN ('install', 'tier', 'deopt', 'evict') ORDER BY seq DESC LIMIT 1",
            (run_id, process_id, time_fs),
        )
        return {"tier": rows[0]["tier"], "since_fs": rows[0]["time_fs"], "deopt": None} if rows else {"tier": "interpret", "since_fs": 0, "deopt": None}

    def deopt_of_body(self, run_id: str, definition: str, time_fs: int) -> int | None:
        """Number of the last deopt at exactly this time of a process with this body."""
        found: int | None = self._rows("SELECT max(seq) AS seq FROM deopts WHERE run_id = ? AND definition = ? AND time_fs = ?", (run_id, definition, time_fs))[0]["seq"]
        return found

    def drivers(self, run_id: str, signal: str) -> list[str]:
        """Names of the processes that drive a signal, as far as the report says."""
        rows = self._rows("SELECT processes FROM drivers WHERE run_id = ? AND signal = ?", (run_id, _clean(signal)))
        return list(json.loads(rows[0]["processes"])) if rows else []

    def causes(self, run_ids: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Deopts per run, reason, detail and process name over all runs, for the burn-down."""
        where, values = ("", [])
        if run_ids is not None:
            where, values = f"WHERE d.run_id IN ({', '.join('?' * len(run_ids))})", list(run_ids)
        return self._rows(
            "SELECT d.run_id, r.design, r.mode, r.created, r.commit_id, d.kind, d.reason, d.detail, d.process, count(*) AS count, sum(d.cost_ns) AS cost_ns, "
            f"min(d.seq) AS first_seq FROM deopts d JOIN runs r ON r.id = d.run_id {where} GROUP BY d.run_id, d.reason, d.detail, d.process ORDER BY r.created",
            values,
        )


def _clean(text: str) -> str:
    """Text SQLite can take: no lone surrogates, no NUL."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")


def _signature(*paths: Path) -> str | None:
    parts = []
    for path in paths:
        try:
            stat = path.stat()
        except OSError:
            parts.append("-")
        else:
            parts.append(f"{stat.st_mtime_ns}:{stat.st_size}")
    return None if parts[0] == "-" else " ".join(parts)


def read_json(path: Path) -> Any:
    """The value in a JSON file; None if it is missing, too large or not JSON."""
    try:
        if path.stat().st_size > _REPORT_LIMIT:
            return None
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def _alive(pid: Any) -> bool:
    if not isinstance(pid, int) or pid <= 0:
        return False
    if os.name == "nt":
        return True  # there os.kill would end the process instead of asking for it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _number(value: Any, kind: type[int | float]) -> Any:
    return kind(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**63 else None


def _mix(value: dict[str, Any]) -> dict[str, Any]:
    mix = value.get("tier_mix")
    return mix if isinstance(mix, dict) else {}


def _run_row(run_id: str, meta: dict[str, Any], progress: Any) -> dict[str, Any]:
    """The database row of a run; a run whose process is gone without an end reads as aborted."""
    text = {key: _clean(str(meta[key])) if meta.get(key) is not None else None for key in
            ("kind", "design", "design_path", "mode", "status", "verdict", "created", "finished", "waves", "pair", "message")}
    mix = _mix(meta)
    row: dict[str, Any] = {
        "id": run_id, **text, "exit_code": _number(meta.get("exit_code"), int), "final_time_fs": _number(meta.get("final_time_fs"), int) or 0,
        "run_wall_ms": _number(meta.get("run_wall_ms"), float) or 0.0, "total_wall_ms": _number(meta.get("total_wall_ms"), float) or 0.0,
        "compiles_total": _number(meta.get("compiles_total"), int) or 0, "deopts_total": _number(meta.get("deopts_total"), int) or 0,
        "coverage": _number(meta.get("coverage"), float), "commit_id": _clean(str(meta["commit"])) if meta.get("commit") else None,
        "pid": _number(meta.get("pid"), int), "argv": json.dumps(meta.get("argv") or []), "top": json.dumps(meta.get("top") or []),
    }
    row["design"] = row["design"] or "unnamed"
    row["mode"] = row["mode"] or ""
    row["verdict"] = row["verdict"] or "error"
    row["kind"] = row["kind"] or "run"
    if row["status"] == "running":
        if not _alive(row["pid"]):
            row.update(status="aborted", verdict="error", message=row["message"] or "the simulator's process is gone; it did not end the run itself")
        if isinstance(progress, dict):
            for key in ("final_time_fs", "compiles_total", "deopts_total"):
                row[key] = _number(progress.get(key), int) or 0
            row["run_wall_ms"] = _number(progress.get("run_wall_ms"), float) or 0.0
            mix = _mix(progress) or mix
    clean_mix = {_clean(str(k)): float(v) for k, v in mix.items() if isinstance(v, (int, float))}
    row["tier_mix"] = json.dumps(clean_mix)
    row["tier_native"] = 1.0 - clean_mix.get("interpret", 0.0) if clean_mix else None
    return row


def _present_run(row: dict[str, Any]) -> dict[str, Any]:
    out = {key: row[key] for key in _RUN_COLUMNS}
    out["tier_mix"] = json.loads(out["tier_mix"] or "{}")
    out["argv"] = json.loads(out["argv"] or "[]")
    out["top"] = json.loads(out["top"] or "[]")
    out["commit"] = out.pop("commit_id")
    return out


def _present_deopt(row: dict[str, Any]) -> dict[str, Any]:
    row["frame"] = json.loads(row["frame"])
    return row


def _store_records(db: sqlite3.Connection, run_id: str, records: RunRecords) -> None:
    for table in _TABLES:
        db.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))
    columns = ["seq", "kind", "reason", "detail", "process_id", "process", "definition", "file", "line", "col", "resume", "time_fs", "delta", "wall_ns", "cost_ns", "action", "tier"]
    db.executemany(
        f"INSERT INTO deopts (run_id, {', '.join(columns)}, frame) VALUES (?, {', '.join('?' * len(columns))}, ?)",
        ([run_id, *(_clean(d[c]) if isinstance(d[c], str) else d[c] for c in columns), json.dumps(d["frame"])] for d in records.deopts),
    )
    db.executemany(
        "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((run_id, n, e["kind"], e["process_id"], e["tier"], e["time_fs"], e["wall_ns"], e["dur_ns"], e["reason"], _clean(e["definition"])) for n, e in enumerate(records.events)),
    )
    db.executemany(
        "INSERT OR IGNORE INTO processes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((run_id, p["process_id"], _clean(p["name"]), _clean(p["definition"]), p["tier"], p["activations"], json.dumps(p["tier_ns"]), p["lost_ns"], p["deopts"],
          p["score"]) for p in records.processes),
    )
    db.executemany("INSERT OR IGNORE INTO drivers VALUES (?, ?, ?)", ((run_id, _clean(s), json.dumps(p)) for s, p in records.drivers.items()))
