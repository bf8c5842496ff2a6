"""`wasmjit bench`: speed ratios against the simulators found on PATH."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from wasmjit.bench.workloads import WORKLOADS


def add_parser(subparsers: Any) -> None:
    p = subparsers.add_parser(
        "bench",
        help="speed ratios against the simulators found on PATH",
        description="Build the Icarus and Verilator models of the workloads, run all simulators in turn, check the checksums, print ratios.",
    )
    p.add_argument("workload", nargs="*", metavar="WORKLOAD", help=f"which ({', '.join(WORKLOADS)}; default: all)")
    p.add_argument("--path", default="../shared/bench", metavar="DIR", help="directory of the NAME.sv and NAME.mlir (../shared/bench)")
    p.add_argument("--tool", action="append", default=[], metavar="NAME", help="interpret, compile, icarus, verilator (repeatable; default: all found)")
    p.add_argument("--target", type=float, default=1.0, metavar="S", help="seconds the large size shall take (1)")
    p.add_argument("--repeats", type=int, default=3, metavar="N", help="best of N (3)")
    p.add_argument("--timeout", type=float, default=120.0, metavar="S", help="per process (120)")
    p.add_argument("-o", "--output", metavar="DIR", help="also write bench.json, bench.txt and bench.svg there")
    p.add_argument("--telemetry", action="store_true", help="also measure what report, timeline and sampling cost in compile mode (processor time, on each workload's large size)")
    p.add_argument("--no-calls", action="store_true", help="leave out the cost of calls between Python and wasm")
    p.add_argument("--json", action="store_true", help="print JSON")


def run(a: argparse.Namespace) -> int:
    """Run the subcommand; 1 when a checksum was wrong or a run failed."""
    from wasmjit.bench.costs import call_costs, telemetry_cost
    from wasmjit.bench.measure import Bench, Measurement
    from wasmjit.bench.tables import summary, svg, text
    from wasmjit.bench.tools import available, wasmjit_model

    unknown = [n for n in a.workload if n not in WORKLOADS]
    tools = available()
    unknown += [n for n in a.tool if n not in {t.name for t in tools}]
    if unknown:
        print(f"wasmjit: error: unknown workload or tool not found: {', '.join(unknown)}", file=sys.stderr)
        return 2
    folder = Path(a.path)
    if not folder.is_dir():
        print(f"wasmjit: error: {folder} is no directory (--path says where the workloads are)", file=sys.stderr)
        return 2
    chosen = [t for t in tools if not a.tool or t.name in a.tool]
    rows: list[Measurement] = []
    with tempfile.TemporaryDirectory(prefix="wasmjit-bench-") as work:
        bench = Bench(folder, Path(work), a.target, a.repeats, a.timeout, lambda line: print(f"[wasmjit] {line}", file=sys.stderr, flush=True))
        for name in a.workload or list(WORKLOADS):
            rows += bench.workload(WORKLOADS[name], chosen)
    calls = {} if a.no_calls else call_costs()
    telemetry = {}
    if a.telemetry:
        for r in rows:
            if r.tool == "compile" and not r.problem:
                w = WORKLOADS[r.workload]
                telemetry[r.workload] = telemetry_cost([*wasmjit_model(w, folder, "compile"), f"+{w.argument}={r.large}"])
    data = summary(rows, {t.name: t.version for t in chosen}, calls, telemetry)
    lines = text(data)
    print(json.dumps(data, indent=2) if a.json else "\n".join(lines))
    if a.output:
        out = Path(a.output)
        out.mkdir(parents=True, exist_ok=True)
        (out / "bench.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        (out / "bench.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (out / "bench.svg").write_text(svg(data), encoding="utf-8")
    return 1 if any(r.problem and r.tool in ("interpret", "compile") for r in rows) else 0
