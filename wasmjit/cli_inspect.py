"""`wasmjit inspect`: hierarchy, processes, operations, what compiles and what not and why."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from wasmjit.ir import IRError
from wasmjit.sched.options import RunOptions
from wasmjit.sem.lower.core import Unsupported


def add_parser(subparsers: Any) -> None:
    p = subparsers.add_parser("inspect", help="hierarchy, processes, operations, what compiles and what not", description="Show what a design consists of, without running it.")
    p.add_argument("design", nargs="+", metavar="DESIGN", help="textual MLIR, or SystemVerilog files if circt-verilog is on PATH")
    p.add_argument("--top", action="append", default=[], metavar="NAME", help="top module (repeatable)")
    p.add_argument("--frontend-arg", action="append", default=[], metavar="ARG", help="argument for circt-verilog")
    p.add_argument("--json", action="store_true", help="print JSON")
    p.add_argument("--nets", action="store_true", help="list every net")
    p.add_argument("--limit", type=int, default=40, metavar="N", help="rows per table (40; 0: all)")
    p.add_argument("--dump-mir", metavar="NAME", help="lowered body of a process, region or function")
    p.add_argument("--dump-wat", metavar="NAME", help="WebAssembly text of a process, region or function")


def run(args: argparse.Namespace) -> int:
    """Run the subcommand; returns the exit status (2: unreadable design, or no such body)."""
    from wasmjit.codegen.module import Unsupported as NotCompiled
    from wasmjit.sched.inspection import find_bodies, inspect, mir_text, wat_text
    from wasmjit.sched.session import InputError, read_design, unsupported_text
    from wasmjit.sched.simulation import Simulation
    from wasmjit.sem import passes

    passes.VERIFY = True
    try:
        sim = Simulation(read_design(args.design, args.frontend_arg), RunOptions(mode="interpret", tops=args.top))
    except (InputError, IRError) as e:
        print(e, file=sys.stderr)
        return 2
    except Unsupported as e:
        print(unsupported_text(e), file=sys.stderr)
        return 2
    wanted = args.dump_mir or args.dump_wat
    if wanted:
        bodies = find_bodies(sim, wanted)
        if not bodies:
            print(f"wasmjit: error: no process, region or function is called {wanted!r}", file=sys.stderr)
            return 2
        try:
            sys.stdout.write(mir_text(bodies) if args.dump_mir else wat_text(sim, bodies))
        except NotCompiled as e:
            print(f"wasmjit: error: {e}", file=sys.stderr)
            return 1
        return 0
    data = inspect(sim)
    if args.json:
        print(json.dumps(data, indent=2))
    else:
        print("\n".join(text(data, args.limit, args.nets)))
    return 0


def text(data: dict[str, Any], limit: int, nets: bool) -> list[str]:
    """The same for people."""
    t = data["totals"]
    out = [
        f"{t['instances']} instances of {t['modules']} modules, {t['nets']} nets, {t['processes']} processes, {t['regions']} regions in {t['levels']} levels, "
        f"{t['functions']} functions; {t['static_bytes']} bytes before the heap",
        f"{t['bodies'] - t['bodies_not_compiled']} of {t['bodies']} bodies compile",
        "",
        "Hierarchy",
    ]
    for top in data["hierarchy"]:
        hierarchy(top, 1, out, limit)
    section(out, "Processes", data["processes"], limit, process_row)
    section(out, "Regions of continuous logic and registers, by level", sorted(data["regions"], key=lambda r: r["level"]), limit, region_row)
    if nets:
        section(out, "Nets", data["nets"], 0, lambda n: f"{n['id']:6} {n['name']}: {n['type']} ({n['kind']}, {n['bytes']} bytes)")
    section(out, "Not compiled", [b for b in data["bodies"] if not b["compiles"]], limit, lambda b: f"{b['key']} ({b['kind']}): {b['why_not']}")
    section(out, "Not lowered", data["not_lowered"], limit, str)
    section(out, "Combinational loops", data["combinational_loops"], limit, " -> ".join)
    section(out, "Operations", list(data["operations"].items()), limit, lambda item: f"{item[1]:8} {item[0]}")
    return out


def section(out: list[str], title: str, rows: list[Any], limit: int, show: Any) -> None:
    if not rows:
        return
    out += ["", f"{title} ({len(rows)})"]
    shown = rows[: limit or None]
    out += [f"  {show(r)}" for r in shown]
    if len(shown) < len(rows):
        out.append(f"  ... and {len(rows) - len(shown)} more (--limit 0 shows all)")


def hierarchy(node: dict[str, Any], depth: int, out: list[str], limit: int) -> None:
    count = f" x{node['count']}" if node["count"] > 1 else ""
    module = "" if node["module"] == node["name"] else f": {node['module']}"
    out.append(f"{'  ' * depth}{node['name']}{module}{count}")
    shown = node["children"][: limit or None]
    for child in shown:
        hierarchy(child, depth + 1, out, limit)
    if len(shown) < len(node["children"]):
        out.append(f"{'  ' * (depth + 1)}... and {len(node['children']) - len(shown)} more")


def process_row(p: dict[str, Any]) -> str:
    sens = "; ".join(", ".join(s[:6]) + (", ..." if len(s) > 6 else "") for s in p["sensitive_to"])
    tail = f", waits for {sens}" if sens else ""
    why = "" if p["compiles"] else f"  NOT COMPILED: {p['why_not']}"
    return f"{p['id']:4} {p['instance']}: {p['name']}{' (final)' if p['final'] else ''} at {p['location']}, {p['operations']} operations, frame {p['frame_bytes']} bytes{tail}{why}"


def region_row(r: dict[str, Any]) -> str:
    why = "" if r["compiles"] else f"  NOT COMPILED: {r['why_not']}"
    kind = "registers" if r["sequential"] else f"level {r['level']}"
    return f"{r['id']:4} {r['instance']}: {r['name']}, {kind}, {r['operations']} operations, {len(r['inputs'])} in, {len(r['outputs'])} out{why}"
