"""What a run tells about itself: --sim-stats, --process-stats, --op-stats, and the data of the JSON report."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from wasmjit.ir import Block as IRBlock
from wasmjit.ir import Op
from wasmjit.report.json_report import ControlCounters, JitConfig, ReportData, SchedulerCounters
from wasmjit.report.telemetry import TIERS
from wasmjit.sem.mir import Body, place_of

if TYPE_CHECKING:
    from wasmjit.sched.simulation import Simulation

FOLDED = ("comb.", "arith.", "hw.", "builtin.", "llvm.mlir.")
"""Operations of these families that left nothing behind in the lowered body were folded or dead: they are not executed and not counted."""


# ---- text ---------------------------------------------------------------------------------------------------------------------------


def sim_stats(sim: Simulation) -> list[str]:
    """--sim-stats: the kernel's counters. 'Processes executed' counts activations."""
    r = sim.view.scheduler_report()
    c = sim.view.counters()
    rows = [
        ("Processes registered", r["processes_registered"]),
        ("Processes executed", r["processes_executed"]),
        ("Delta cycles", r["delta_cycles_executed"]),
        ("Signal updates", r["signal_updates"]),
        ("Edges detected", r["edges_detected"]),
        ("Time steps", c["time_steps"]),
        ("Region evaluations", c["region_evaluations"]),
        ("Drives applied", c["drives_applied"]),
        ("Wake-ups", c["wakeups"]),
        ("Most delta cycles in a time step", r["max_delta_cycles_reached"]),
        ("Heap peak (bytes)", c["heap_bytes_peak"]),
    ]
    return ["=== Simulation Statistics ===", *(f"  {name}: {value}" for name, value in rows)]


def process_stats(sim: Simulation, top: int) -> list[str]:
    """--process-stats: per process the operations the interpreter executed for it (`steps`) and its activations; the busiest `top` (0: all).

    Instances of one body share its counters: their steps are its total, divided by activations.
    """
    fill_processes(sim)
    rows = sorted(sim.telemetry.processes.values(), key=lambda p: (-p.steps, -p.activations, p.process_id))
    shown = rows[: top or None]
    out = [f"=== Process Stats (top {len(shown)} of {len(rows)}) ==="]
    out += [f"  proc {p.process_id} '{p.name}' steps={p.steps} activations={p.activations} tier={TIERS[p.tier]}" for p in shown]
    return out


def op_stats(sim: Simulation, top: int) -> list[str]:
    """--op-stats: operations the interpreter executed, by their MLIR names; the most frequent `top` (0: all)."""
    counts = op_counts(sim)
    shown = counts.most_common(top or None)
    return [f"=== Op Stats (top {len(shown)} of {len(counts)}, {sum(counts.values())} executed) ===", *(f"  {name}: {n}" for name, n in shown)]


def analysis(sim: Simulation) -> list[str]:
    """--mode=analyze: what a design consists of, without running it."""
    elab = sim.elab
    ops: Counter[str] = Counter()
    for d in elab.definitions.values():
        ops.update(o.name for o in walk(d.op))
    rows = [
        ("Modules", len(elab.definitions)),
        ("Instances", len(elab.instances)),
        ("Processes", len(elab.processes)),
        ("Regions of continuous logic and registers", len(elab.regions)),
        ("Nets", len(elab.nets)),
        ("Operations", sum(ops.values())),
    ]
    return [
        "=== Design Analysis ===",
        *(f"  {name}: {n}" for name, n in rows),
        "=== Operations ===",
        *(f"  {name}: {n}" for name, n in sorted(ops.items(), key=lambda item: (-item[1], item[0]))),
    ]


# ---- counting -----------------------------------------------------------------------------------------------------------------------


def walk(op: Op) -> list[Op]:
    """All operations inside an operation, in the order of the text, terminators included."""
    out: list[Op] = []
    for region in op.regions:
        for block in region.blocks:
            for o in block.ops:
                out.append(o)
                out.extend(walk(o))
    return out


def body_sources(sim: Simulation) -> dict[str, Op]:
    """Body key -> the operation whose regions it was lowered from (processes and functions)."""
    out: dict[str, Op] = {}
    for low in sim.elab.lowered.values():
        for p in low.processes:
            out[p.body.key] = p.op
    for key in sim.program.bodies:
        if key not in out:
            symbol = sim.design.symbols.get(key.removesuffix("!co"))
            if symbol is not None and symbol.name != "hw.module":
                out[key] = symbol
    return out


def block_executions(body: Body, counts: list[int]) -> dict[Any, int]:
    """Executions by source location: the most often executed block that holds something of it."""
    by_loc: dict[Any, int] = {}
    for block, n in zip(body.blocks, counts, strict=False):
        locations = {place_of(op.loc) for op in block.ops}
        if block.term is not None:
            locations.add(place_of(block.term.loc))
        for loc in locations:
            if loc is not None and n > by_loc.get(loc, -1):
                by_loc[loc] = n
    return by_loc


def op_counts(sim: Simulation) -> Counter[str]:
    """MLIR operations executed by the interpreter, by name, from the block counters of the bodies, in order of first appearance."""
    total: Counter[str] = Counter()
    sources = body_sources(sim)
    names: dict[Any, str] | None = None
    for key, counts in sim.env.block_counts.items():
        if not any(counts):
            continue
        body = sim.program.bodies[key]
        by_loc = block_executions(body, counts)
        source = sources.get(key)
        if source is not None:
            count_source(source, by_loc, total)
            continue
        if names is None:
            names = {o.loc: o.name for d in sim.elab.definitions.values() for o in walk(d.op)}
        for loc, n in by_loc.items():
            if loc in names and n:
                total[names[loc]] += n
    return total


def count_source(source: Op, by_loc: dict[Any, int], total: Counter[str]) -> None:
    blocks: list[IRBlock] = [b for region in source.regions for b in region.blocks]
    for block in blocks:
        runs = max((by_loc[o.loc] for o in block.ops if o.loc in by_loc), default=0)
        if not runs:
            continue
        for o in block.ops:
            n = by_loc.get(o.loc, 0 if o.name.startswith(FOLDED) else runs)
            if n:
                total[o.name] += n
            if o.regions:
                count_source(o, by_loc, total)


def body_steps(sim: Simulation) -> dict[str, int]:
    """Operations the interpreter executed, by body key; empty when the run did not count."""
    out: dict[str, int] = {}
    for key, counts in sim.env.block_counts.items():
        body = sim.program.bodies[key]
        out[key] = sum(n * (len(b.ops) + 1) for b, n in zip(body.blocks, counts, strict=False))
    return out


def fill_processes(sim: Simulation) -> None:
    """Bring the rows of the static processes in `sim.telemetry` up to date."""
    t = sim.telemetry
    acts = [sim.view.activations(p.id - 1) for p in sim.elab.processes]
    shared: Counter[str] = Counter()
    for p, n in zip(sim.elab.processes, acts, strict=True):
        shared[p.body.key] += n
    steps = body_steps(sim)
    for p, n in zip(sim.elab.processes, acts, strict=True):
        row = t.process(p.id, p.name, p.body.key)
        row.activations = n
        row.definition = p.body.key
        row.location = str(p.op.source_loc or p.op.loc)
        row.tier = sim.code.tier(sim.code.slots.get(p.body.key, 0))
        total = steps.get(p.body.key, 0)
        row.steps = total * n // shared[p.body.key] if shared[p.body.key] else 0


# ---- report -------------------------------------------------------------------------------------------------------------------------


def report_data(sim: Simulation) -> ReportData:
    """Everything the JSON report is made of, at any moment of a run."""
    out, options = sim.outcome, sim.options
    fill_processes(sim)
    counters = sim.view.counters()
    by_tier = sim.view.activations_by_tier()
    executed = max(sim.telemetry.exec_hits_total, by_tier[1] + by_tier[2] + sim.telemetry.left_total)
    # Every activation of compiled code found it in the cache of the run; what the disk cache saved is counted besides.
    disk = sum(e.kind == "cache_hit" for e in sim.telemetry.timeline)
    sim.telemetry.cache_hits_total = executed + disk
    sim.telemetry.exec_hits_total = executed
    coverage = sim.runtime.host.coverage
    extra: dict[str, Any] = {
        "reason": out.reason,
        "seed": options.seed,
        "activations_by_tier": dict(zip((*TIERS, "other"), by_tier, strict=True)),
        "kernel": {k: v for k, v in counters.items() if not k.startswith("heap")},
        "coverage": {"total_percent": round(coverage.total(), 4), "covergroups": coverage.as_dict(), "cover_properties": dict(out.covers)},
    }
    return ReportData(
        mode=options.mode,
        exit_code=out.exit_code,
        final_time_fs=out.final_time_fs,
        run_wall_ms=out.run_wall_ms,
        total_wall_ms=out.total_wall_ms,
        config=JitConfig(options.hot_threshold, options.compile_budget, options.cache_policy, options.fail_on_deopt),
        scheduler=SchedulerCounters(**sim.view.scheduler_report()),
        control=ControlCounters(out.messages, out.messages_filtered, out.finish_calls, out.stop_calls, out.errors, out.warnings),
        telemetry=sim.telemetry,
        memory={
            "linear_bytes": sim.memory.size(),
            "heap_bytes_in_use": counters["heap_bytes_in_use"],
            "heap_bytes_peak": counters["heap_bytes_peak"],
            "static_bytes": sim.heap_base,
            **sim.view.objects(),
        },
        drivers=drivers(sim),
        extra=extra,
    )


def drivers(sim: Simulation) -> dict[str, list[str]]:
    """Signal -> the process or logic that changed it last, for signals that changed. At most 5000 signals."""
    from wasmjit.sched.control import NONE, REGION_DRIVER

    out: dict[str, list[str]] = {}
    for i, net in enumerate(sim.elab.nets):
        if not net.name:
            continue
        who = sim.view.last_driver(i)
        if who == NONE:
            continue
        if who & REGION_DRIVER:
            k = who & ~REGION_DRIVER
            name = sim.elab.regions[k].region.name if k < len(sim.elab.regions) else "logic"
        else:
            name = sim.name_of(who)
        out[f"{net.instance.path}.{net.name}"] = [name]
        if len(out) >= 5000:
            break
    return out
