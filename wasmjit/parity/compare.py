"""What two runs of one design have in common, and what not. Works on the files of two finished runs."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from pathlib import Path
from typing import Any

from wasmjit.data import dataclass, field
from wasmjit.report.drivers import DriverFile, enclosing
from wasmjit.waves.compare import compare, normalise_name
from wasmjit.waves.data import Signal, WaveData
from wasmjit.waves.model import WaveError
from wasmjit.waves.read import open_wave

MODES = ("interpret", "compile")
SCHEMA_VERSION = 1
MAX_PER_SIGNAL = 10
MAX_LISTED = 1000

_TOOL = "[wasmjit] "
_NOT_COMPARED = re.compile(r"(Wrote waveform|Read in|Recording to|Strict JIT|compile |install |tier |cache_hit |evict |deopt |bailout |Simulation finished with exit code)")


@dataclass(slots=True)
class Verdict:
    """`differences`: rows as in verdict.json. `total`: all that were found; at most MAX_LISTED are kept."""

    design: str
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    differences: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0
    signals_compared: int = 0
    value_changes_compared: int = 0

    @property
    def equal(self) -> bool:
        return self.total == 0

    def add(self, kind: str, a: Any, b: Any, *, time_fs: int | None = None, until_fs: int | None = None, signal: str = "", driver: str = "", drivers: tuple[str, ...] | None = None, detail: str = "") -> None:
        """Count a difference. driver: who drove the signal last (in compile mode, if the modes disagree: then `drivers` has both)."""
        self.total += 1
        if len(self.differences) < MAX_LISTED:
            row = {"kind": kind, "time_fs": time_fs, "until_fs": until_fs, "signal": signal, "a": a, "b": b, "driver": driver, "detail": detail}
            self.differences.append(row | ({"drivers": list(drivers)} if drivers else {}))

    def as_json(self) -> dict[str, Any]:
        """a is interpret, b is compile."""
        return {
            "schema_version": SCHEMA_VERSION,
            "design": self.design,
            "equal": self.equal,
            "a": MODES[0],
            "b": MODES[1],
            "runs": self.runs,
            "signals_compared": self.signals_compared,
            "value_changes_compared": self.value_changes_compared,
            "differences_total": self.total,
            "differences": self.differences,
        }

    def lines(self, limit: int = 10) -> list[str]:
        """For people."""
        if self.equal:
            return [f"{self.design}: equal ({self.signals_compared} signals, {self.value_changes_compared} value changes)"]
        out = [f"{self.design}: {self.total} difference{'' if self.total == 1 else 's'}"]
        for d in self.differences[:limit]:
            where = f" {d['signal']}" if d["signal"] else ""
            when = f" at {d['time_fs']} fs" if d["time_fs"] is not None else ""
            who = f", last driven by {d['driver']}" if d["driver"] else ""
            out.append(f"  {d['kind']}{where}{when}: interpret {d['a']!r}, compile {d['b']!r}{who}{' (' + d['detail'] + ')' if d['detail'] else ''}")
        if self.total > limit:
            out.append(f"  ... and {self.total - limit} more in verdict.json")
        return out


def normalise_messages(text: str) -> list[str]:
    """The tool's lines that both modes must print alike: without those about files, time spent and the compiler's own decisions."""
    return [line for line in text.splitlines() if not (line.startswith(_TOOL) and _NOT_COMPARED.match(line[len(_TOOL) :]))]


def compare_runs(design: str, folder: Path, codes: dict[str, int]) -> Verdict:
    """Compare the two runs whose files are in `folder`/interpret and `folder`/compile."""
    v = Verdict(design)
    a, b = (folder / mode for mode in MODES)
    reports = {mode: _json(folder / mode / "report.json") for mode in MODES}
    for mode in MODES:
        r = reports[mode]
        v.runs[mode] = {
            "exit_code": codes[mode],
            "final_time_fs": r.get("final_time_fs"),
            "run_wall_ms": r.get("run_wall_ms"),
            "deopts_total": r.get("jit", {}).get("jit_deopts_total"),
            "compiles_total": r.get("jit", {}).get("jit_compiles_total"),
        }
    if codes[MODES[0]] != codes[MODES[1]]:
        v.add("exit status", codes[MODES[0]], codes[MODES[1]])
    elif codes[MODES[0]] == 70:
        v.add("exit status", 70, 70, detail="internal error in both modes")
    _lines(v, "message", "stdout", _text(a / "stdout").splitlines(), _text(b / "stdout").splitlines())
    _lines(v, "message", "stderr", normalise_messages(_text(a / "stderr")), normalise_messages(_text(b / "stderr")))
    ra, rb = reports[MODES[0]], reports[MODES[1]]
    for key in ("final_time_fs", "control"):
        if ra.get(key) != rb.get(key):
            v.add("message", ra.get(key), rb.get(key), detail=key)
    if ra.get("coverage") != rb.get("coverage"):
        _coverage(v, ra.get("coverage") or {}, rb.get("coverage") or {})
    for mode in MODES:
        (folder / mode / "coverage.json").write_text(json.dumps(reports[mode].get("coverage"), indent=2) + "\n", encoding="utf-8")
    _waves(v, a / "waves.vcd", b / "waves.vcd", (_history(a), _history(b)), rb.get("drivers") or ra.get("drivers") or {})
    return v


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else ""


def _json(path: Path) -> dict[str, Any]:
    """A report; empty when the run left none."""
    if not path.exists():
        return {}
    data = json.loads(path.read_text(encoding="utf-8"))
    return data if isinstance(data, dict) else {}


def _history(folder: Path) -> DriverFile | None:
    """Who drove what in a run; None when it was killed before it could write that."""
    path = folder / "drivers.bin"
    return DriverFile(path) if path.exists() else None


def _lines(v: Verdict, kind: str, where: str, a: list[str], b: list[str]) -> None:
    for n in range(max(len(a), len(b))):
        x = a[n] if n < len(a) else None
        y = b[n] if n < len(b) else None
        if x != y:
            v.add(kind, x, y, detail=f"{where} line {n + 1}")


def _coverage(v: Verdict, a: dict[str, Any], b: dict[str, Any]) -> None:
    for key in sorted(a.keys() | b.keys()):
        if a.get(key) != b.get(key):
            v.add("coverage", a.get(key), b.get(key), detail=key)


def _waves(v: Verdict, a: Path, b: Path, histories: tuple[DriverFile | None, DriverFile | None], reported: dict[str, list[str]]) -> None:
    if a.exists() != b.exists():
        v.add("value change", a.exists(), b.exists(), detail="only one run left a waveform")
        return
    if not a.exists():
        return
    if a.read_bytes() == b.read_bytes():
        # Nothing can differ; the count is still worth having.
        try:
            wave = open_wave(a)
        except WaveError as e:  # both runs were killed before the waveform had a header
            v.add("value change", None, None, detail=f"unreadable waveform: {e}")
            return
        v.signals_compared, v.value_changes_compared = len(wave.signals), wave.change_count
        return
    try:
        wa, wb = open_wave(a), open_wave(b)
    except WaveError as e:
        v.add("value change", None, None, detail=f"unreadable waveform: {e}")
        return
    v.signals_compared, v.value_changes_compared = len(wa.signals), wa.change_count
    last = _LastDriver(wa, histories[0]), _LastDriver(wb, histories[1])
    for d in compare(wa, wb, max_per_signal=MAX_PER_SIGNAL):
        row = d.as_json()
        who = tuple(one.before(d.signal, d.time_fs) if d.time_fs is not None else "" for one in last)
        driver = who[1] or who[0] or ", ".join(reported.get(d.signal, ()))
        v.add(
            "value change", row["a_value"], row["b_value"], time_fs=d.time_fs, until_fs=d.until_fs, signal=d.signal, driver=driver, drivers=who if who[0] != who[1] else None, detail="" if d.kind == "value" else d.kind
        )


class _LastDriver:
    """The driver of the last change of a signal in one run."""

    def __init__(self, wave: WaveData, history: DriverFile | None) -> None:
        self.wave, self.history = wave, history
        self._rows: dict[str, Signal] = {}

    def before(self, signal: str, time_fs: int) -> str:
        """The last process or logic to change a signal not after a time; empty when nothing is known."""
        if self.history is None:
            return ""
        if not self._rows:
            self._rows = {normalise_name(row.name): row for row in self.wave.signals}
        row = self._rows.get(signal)
        if row is None:
            return ""
        times = self.wave.times[row.index]
        at = bisect_right(times, time_fs)
        for name in enclosing(row.name):
            driven = self.history.at(name, times[at - 1] if at else time_fs)
            if driven is not None:
                return driven.name
        return ""
