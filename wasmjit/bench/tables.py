"""Ratio tables of measurements as text, JSON and SVG."""

from __future__ import annotations

import math
import platform
from html import escape
from typing import Any

from wasmjit.bench.measure import Measurement

COLOURS = {"interpret": "#8a8f98", "compile": "#2f6fde", "icarus": "#c2542d", "verilator": "#3d8b40"}


def ratio(a: float, b: float) -> float | None:
    """How many times faster b is than a; None without both figures."""
    return a / b if a > 0 and b > 0 else None


def summary(
    rows: list[Measurement],
    versions: dict[str, str],
    calls: dict[str, float] | None = None,
    telemetry: dict[str, dict[str, float]] | None = None,
) -> dict[str, Any]:
    """All figures and the ratios of every pair wasmjit mode / reference simulator. calls: microseconds by direction; telemetry: by workload (`costs`)."""
    by = {(r.workload, r.tool): r for r in rows}
    ratios = []
    for r in rows:
        if r.tool not in ("interpret", "compile") or r.problem:
            continue
        for other in ("icarus", "verilator"):
            ref = by.get((r.workload, other))
            if ref is None or ref.problem:
                continue
            steady, whole = ratio(ref.steady_s, r.steady_s), ratio(ref.default_s, r.default_s)
            ratios.append(
                {
                    "workload": r.workload, "tool": r.tool, "against": other, "steady": steady and round(steady, 4), "whole_process": whole and round(whole, 4),
                }
            )  # fmt: skip
    return {
        "schema_version": 1,
        "machine": {"system": platform.platform(), "processor": platform.machine(), "python": platform.python_version()},
        "tools": versions,
        "measurements": [r.as_json() for r in rows],
        "ratios": ratios,
        "calls_us": calls or {},
        "telemetry": telemetry or {},
    }


def text(data: dict[str, Any]) -> list[str]:
    """Tables: times, then ratios (above 1: wasmjit is faster)."""
    out = ["Steady state (us per unit: difference of two sizes), start-up (s, small size), whole process (s, default size)"]
    out.append(f"{'workload':10} {'tool':10} {'steady us':>12} {'start-up s':>11} {'whole s':>9}  note")
    for m in data["measurements"]:
        if m["problem"]:
            out.append(f"{m['workload']:10} {m['tool']:10} {'-':>12} {'-':>11} {'-':>9}  {m['problem']}")
        else:
            out.append(f"{m['workload']:10} {m['tool']:10} {m['steady_us']:12.3f} {m['small_s']:11.3f} {m['default_s']:9.3f}")
    out += ["", "Speed ratios (above 1: wasmjit is faster)", f"{'workload':10} {'tool':10} {'against':10} {'steady':>10} {'whole':>10}"]
    for r in data["ratios"]:
        out.append(f"{r['workload']:10} {r['tool']:10} {r['against']:10} {number(r['steady']):>10} {number(r['whole_process']):>10}")
    if data["calls_us"]:
        out += ["", "Calls across the border (us, processor time)"]
        out += [f"{name.replace('_', ' '):20} {us:8.3f}" for name, us in data["calls_us"].items()]
    if data["telemetry"]:
        out += ["", "Telemetry: report, timeline and sampling in compile mode (s of processor time)", f"{'workload':10} {'without':>9} {'with':>9} {'cost':>8}"]
        out += [f"{name:10} {t['plain_s']:9.3f} {t['telemetry_s']:9.3f} {t['percent']:7.1f}%" for name, t in data["telemetry"].items()]
    return out


def number(x: float | None) -> str:
    return "-" if x is None else f"{x:.1f}x" if x >= 10 else f"{x:.3f}x"


def svg(data: dict[str, Any]) -> str:
    """Bars of the steady-state speed of each tool relative to Icarus (else to the first tool that has a figure), on a logarithmic scale."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for m in data["measurements"]:
        if not m["problem"] and m["steady_us"] > 0:
            groups.setdefault(m["workload"], []).append(m)
    bar, gap, left, width = 16, 26, 150, 520
    values: list[tuple[str, str, float]] = []
    for name, rows in groups.items():
        base = next((r for r in rows if r["tool"] == "icarus"), rows[0])
        values += [(name, r["tool"], base["steady_us"] / r["steady_us"]) for r in rows]
    low = math.floor(min((math.log10(v) for *_, v in values), default=0))
    high = math.ceil(max((math.log10(v) for *_, v in values), default=1)) or 1
    span = max(high - low, 1)

    def x(v: float) -> float:
        return left + width * (math.log10(v) - low) / span

    height = 60 + len(values) * bar + len(groups) * gap
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 90}" height="{height}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{left}" y="18" font-size="14">Steady-state speed relative to Icarus (logarithmic)</text>',
    ]
    for e in range(low, high + 1):
        px = left + width * (e - low) / span
        label = f"{10**e:g}x"
        out.append(f'<line x1="{px:.1f}" y1="28" x2="{px:.1f}" y2="{height - 20}" stroke="#ddd"/><text x="{px:.1f}" y="{height - 6}" text-anchor="middle">{label}</text>')
    y = 34
    seen = ""
    for name, tool, v in values:
        if name != seen:
            y += gap if seen else 8
            out.append(f'<text x="8" y="{y + 12}" font-weight="bold">{escape(name)}</text>')
            seen = name
        a, b = sorted((x(1.0), x(v)))
        out.append(f'<text x="{left - 6}" y="{y + 12}" text-anchor="end">{escape(tool)}</text>')
        out.append(f'<rect x="{a:.1f}" y="{y + 2}" width="{max(b - a, 2):.1f}" height="{bar - 4}" fill="{COLOURS.get(tool, "#666")}"/>')
        out.append(f'<text x="{max(a, b) + 5:.1f}" y="{y + 12}">{number(v)}</text>')
        y += bar
    return "\n".join([*out, "</svg>", ""])
