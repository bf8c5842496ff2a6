"""The JSON report of `--jit-report` (schema in docs and `../shared/design/interface.md`): keys and their order are a contract, additions only."""

from __future__ import annotations

import json
import os
import stat
from typing import Any

from wasmjit.data import dataclass, field
from wasmjit.report.reasons import COUNTED_REASONS
from wasmjit.report.telemetry import TIERS, Telemetry

SCHEMA_VERSION = 1


@dataclass(slots=True)
class JitConfig:
    """The options that decide what is compiled."""

    hot_threshold: int = 1
    compile_budget: int = 100_000
    cache_policy: str = "memory"
    fail_on_deopt: bool = False


@dataclass(slots=True)
class SchedulerCounters:
    """`processes_executed` counts activations."""

    processes_registered: int = 0
    processes_executed: int = 0
    delta_cycles_executed: int = 0
    signal_updates: int = 0
    edges_detected: int = 0
    max_delta_cycles_reached: int = 0


@dataclass(slots=True)
class ControlCounters:
    """Messages and control calls of the design."""

    messages_reported: int = 0
    messages_filtered: int = 0
    finish_calls: int = 0
    stop_calls: int = 0
    errors: int = 0
    warnings: int = 0


@dataclass(slots=True)
class ReportData:
    """Everything a report is made of. `memory`: figures in bytes; `drivers`: signal name → names of the processes that drive it;
    `extra`: further keys, written last."""

    mode: str = "compile"
    exit_code: int = 0
    final_time_fs: int = 0
    run_wall_ms: float = 0
    total_wall_ms: float = 0
    config: JitConfig = field(default_factory=JitConfig)
    scheduler: SchedulerCounters = field(default_factory=SchedulerCounters)
    control: ControlCounters = field(default_factory=ControlCounters)
    telemetry: Telemetry = field(default_factory=Telemetry)
    memory: dict[str, int] = field(default_factory=dict)
    drivers: dict[str, list[str]] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


def _counters(data: Any) -> dict[str, int]:
    return {name: int(getattr(data, name)) for name in data.__slots__}


def _ms(value: float) -> float | int:
    """Milliseconds with three decimals; whole numbers without a point."""
    rounded = round(value, 3)
    return int(rounded) if rounded == int(rounded) else rounded


def build_report(data: ReportData) -> dict[str, Any]:
    """The report as plain data, keys in the order they are written."""
    t = data.telemetry
    sites = [t.call_sites[key] for key in sorted(t.call_sites)]
    jit: dict[str, Any] = {
        "jit_compiles_total": t.compiles_total,
        "jit_cache_hits_total": t.cache_hits_total,
        "jit_exec_hits_total": t.exec_hits_total,
        "jit_deopts_total": t.deopts_total,
    }
    for reason in COUNTED_REASONS:
        jit[f"jit_deopt_reason_{reason}"] = t.reasons[reason]
    jit |= {
        "jit_compile_wall_ms": _ms(t.compile_wall_ns / 1e6),
        "jit_exec_wall_ms": _ms(t.exec_wall_ns / 1e6),
        "jit_strict_violations_total": t.strict_violations_total,
        "jit_call_indirect_sites_total": len(sites),
        "jit_call_indirect_calls_total": sum(site.calls_total for site in sites),
        "jit_call_indirect_unresolved_total": sum(site.unresolved_calls for site in sites),
        "jit_deopt_processes": [
            {"process_id": r.process_id, "process_name": r.process_name, "reason": r.reason} | ({"detail": r.detail} if r.detail else {})
            for r in t.deopt_processes()
        ],
        "jit_call_indirect_sites": [site.as_json() for site in sites],
    }
    report: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "mode": data.mode,
        "exit_code": data.exit_code,
        "final_time_fs": data.final_time_fs,
        "run_wall_ms": _ms(data.run_wall_ms),
        "total_wall_ms": _ms(data.total_wall_ms),
        "jit_config": {
            "hot_threshold": data.config.hot_threshold,
            "compile_budget": data.config.compile_budget,
            "cache_policy": data.config.cache_policy,
            # A number, as scripts for circt-sim expect.
            "fail_on_deopt": int(data.config.fail_on_deopt),
        },
        "scheduler": _counters(data.scheduler),
        "control": _counters(data.control),
        "jit": jit,
        "tiers": _tiers(t),
        "processes": [t.processes[key].as_json() for key in sorted(t.processes)],
        "deopts": [record.as_json() for record in t.deopts],
        "timeline": [event.as_json() for event in t.timeline],
        "dropped_records": {"deopts": t.dropped_deopts, "timeline": t.dropped_events},
        "memory": dict(data.memory),
        "drivers": {signal: list(names) for signal, names in data.drivers.items()},
    }
    for key, value in data.extra.items():
        if key in report:
            raise ValueError(f"the report already has the key {key!r}")
        report[key] = value
    return report


def _tiers(telemetry: Telemetry) -> dict[str, dict[str, int]]:
    """Per tier: processes that are in it at the end, their activations, and time spent in it by all processes."""
    tiers = {name: {"processes": 0, "activations": 0, "wall_ns": 0} for name in TIERS}
    for process in telemetry.processes.values():
        row = tiers[TIERS[process.tier]]
        row["processes"] += 1
        row["activations"] += process.activations
        for name, ns in process.tier_ns.items():
            tiers[name]["wall_ns"] += ns
    return tiers


def render_report(report: dict[str, Any]) -> str:
    """JSON text, indented by two spaces, ending with a newline."""
    return json.dumps(report, indent=2, allow_nan=False) + "\n"


def write_report(path: str | os.PathLike[str], report: dict[str, Any]) -> None:
    """Write the report so that a reader never sees part of one. Raises OSError."""
    write_text_atomically(os.fspath(path), render_report(report))


def write_text_atomically(path: str, text: str) -> None:
    """Replace a file by new content through a temporary file beside it; devices and pipes are written directly. Raises OSError."""
    try:
        regular = stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        regular = True
    if not regular:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return
    path = os.path.realpath(path)
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
