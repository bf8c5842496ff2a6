"""What a design consists of and what will be compiled: the data behind `wasmjit inspect`. Nothing is run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from wasmjit.codegen.module import KernelType, SimpleLink, compile_bodies
from wasmjit.codegen.module import Unsupported as NotCompiled
from wasmjit.data import dataclass
from wasmjit.elab.design import Instance
from wasmjit.sched.exports import EXPORTS
from wasmjit.sched.simulation import Simulation
from wasmjit.sched.statistics import walk
from wasmjit.sem.lower.core import FUNCTIONS, Unsupported
from wasmjit.sem.mir import Body, CallS
from wasmjit.sem.printer import format_body


@dataclass(frozen=True, slots=True)
class _Export:
    params: tuple[str, ...]
    result: str


def kernel_types() -> dict[str, KernelType]:
    return {n: _Export(tuple(s.params), s.result) for n, s in EXPORTS.items()}


class _Link(SimpleLink):
    """Placeholders for everything that only a run knows: addresses and slots get numbers in order of use."""

    def table_index(self, key: str) -> int:
        return self.slots.setdefault(key, len(self.slots) + 1)

    def frame_size(self, key: str) -> int:
        return self.frame_sizes.get(key, 64)


def placeholder_link(sim: Simulation) -> _Link:
    sizes = {k: b.frame.size for k, b in sim.program.bodies.items() if b.frame is not None}
    place = iter(range(0x10000, 1 << 31, 0x1000))
    return _Link(sim.guest_lo, frame_sizes=sizes, kernel=kernel_types(), place_image=lambda data: next(place), func_records=0x8000, func_count=len(sim.program.functions))


def load_bodies(sim: Simulation) -> list[str]:
    """Lower every function that the bodies at hand can reach; names of those that cannot be lowered with the reason."""
    problems: list[str] = []
    todo = list(sim.program.bodies)
    done: set[str] = set()
    while todo:
        key = todo.pop()
        if key in done:
            continue
        done.add(key)
        try:
            body = sim.program.body(key)
        except Unsupported as e:
            problems.append(f"{key}: {e.message}")
            continue
        todo.extend(callees(body))
    return problems


def callees(body: Body) -> Iterable[str]:
    """Bodies this one names: calls, suspending calls, forks."""
    for block in body.blocks:
        for op in block.ops:
            if op.code in ("call", "spawn"):
                key = op.attr if isinstance(op.attr, str) else getattr(op.attr, "key", None)
                if isinstance(op.attr, tuple) and op.attr and isinstance(op.attr[0], str):
                    key = op.attr[0]
                if isinstance(key, str):
                    yield key
        if isinstance(block.term, CallS) and block.term.callee is not None:
            yield block.term.callee


def compile_problem(sim: Simulation, body: Body) -> str:
    """Why a body will not be compiled; '' when it will."""
    try:
        compile_bodies([body], placeholder_link(sim))
    except NotCompiled as e:
        return str(e).removeprefix(f"{body.key}: ")
    return ""


def inspect(sim: Simulation) -> dict[str, Any]:
    """Everything as plain data (the form of `--json`)."""
    elab = sim.elab
    problems = load_bodies(sim)
    why = {key: compile_problem(sim, body) for key, body in sim.program.bodies.items()}
    fixed: set[str] = {name for name, d in elab.definitions.items() if d.op.name != "hw.module"}
    counts: Counter[str] = Counter(i.definition.name for i in elab.instances)
    ops: Counter[str] = Counter()
    for d in elab.definitions.values():
        ops.update(o.name for o in walk(d.op))
    functions = [n for n, op in sim.design.symbols.items() if op.name in FUNCTIONS]
    return {
        "tops": [t.name for t in elab.tops],
        "totals": {
            "modules": len(elab.definitions),
            "instances": len(elab.instances),
            "processes": len(elab.processes),
            "regions": len(elab.regions),
            "levels": elab.level_count,
            "nets": len(elab.nets),
            "functions": len(functions),
            "bodies": len(sim.program.bodies),
            "bodies_not_compiled": sum(bool(w) for w in why.values()) + len(problems),
            "static_bytes": sim.heap_base,
        },
        "modules": [
            {"name": name, "instances": counts[name], "external": name in fixed, "location": str(d.op.source_loc or d.op.loc), "nets": len(d.nets)}
            for name, d in elab.definitions.items()
        ],
        "hierarchy": [tree(t) for t in elab.tops],
        "processes": [
            {
                "id": p.id,
                "name": p.name,
                "instance": p.instance.path,
                "body": p.body.key,
                "location": str(p.op.source_loc or p.op.loc),
                "final": p.final,
                "blocks": len(p.body.blocks),
                "operations": operation_count(p.body),
                "frame_bytes": p.body.frame.size if p.body.frame is not None else 0,
                "sensitive_to": [[elab.nets[n].name or f"net {n}" for n in nets] for nets in p.sens],
                "compiles": not why.get(p.body.key),
                "why_not": why.get(p.body.key, ""),
            }
            for p in elab.processes
        ],
        "regions": [
            {
                "id": i,
                "name": r.region.name,
                "instance": r.instance.path,
                "body": r.region.body.key,
                "level": r.level,
                "sequential": r.region.sequential,
                "operations": operation_count(r.region.body),
                "inputs": [elab.nets[n].name or f"net {n}" for n in r.inputs],
                "outputs": [elab.nets[n].name or f"net {n}" for n in r.outputs],
                "compiles": not why.get(r.region.body.key),
                "why_not": why.get(r.region.body.key, ""),
            }
            for i, r in enumerate(elab.regions)
        ],
        "nets": [
            {"id": i, "name": f"{n.instance.path}.{n.name}" if n.name else f"{n.instance.path}.({n.kind} {i})", "type": str(n.type), "kind": n.kind, "bytes": n.size}
            for i, n in enumerate(elab.nets)
        ],
        "bodies": [
            {"key": k, "kind": b.kind, "blocks": len(b.blocks), "operations": operation_count(b), "compiles": not why[k], "why_not": why[k]}
            for k, b in sim.program.bodies.items()
        ],
        "not_lowered": problems,
        "combinational_loops": [[f"{elab.regions[i].instance.path}: {elab.regions[i].region.name}" for i in loop] for loop in elab.loops],
        "operations": dict(sorted(ops.items(), key=lambda item: (-item[1], item[0]))),
    }


def operation_count(body: Body) -> int:
    """Operations and terminators of a lowered body."""
    return sum(len(b.ops) + 1 for b in body.blocks)


def tree(inst: Instance) -> dict[str, Any]:
    """Instance with its children; repeated children of one module and without children of their own are one entry with a count."""
    children: list[dict[str, Any]] = []
    leaves: dict[str, dict[str, Any]] = {}
    for c in inst.children:
        if c.children:
            children.append(tree(c))
        elif c.definition.name in leaves:
            leaves[c.definition.name]["count"] += 1
        else:
            leaves[c.definition.name] = {"name": c.name, "module": c.definition.name, "count": 1, "children": []}
            children.append(leaves[c.definition.name])
    return {"name": inst.name, "module": inst.definition.name, "count": 1, "children": children}


def find_bodies(sim: Simulation, name: str) -> list[Body]:
    """Bodies by key, by process or function name, or by a part of the key when nothing matches exactly."""
    load_bodies(sim)
    bodies = sim.program.bodies
    if name in bodies:
        return [bodies[name]]
    keys = [p.body.key for p in sim.elab.processes if p.name == name]
    keys += [b.key for b in bodies.values() if b.name == name or b.key == f"{name}!co"]
    if not keys:
        keys = [k for k in bodies if name in k]
    return [bodies[k] for k in dict.fromkeys(keys)]


def mir_text(bodies: list[Body]) -> str:
    return "\n\n".join(format_body(b) for b in bodies) + "\n"


def wat_text(sim: Simulation, bodies: list[Body]) -> str:
    """WebAssembly text of the bodies, one module each. Raises codegen's Unsupported."""
    from wasmjit.codegen.binaryen import to_wat

    return "\n".join(to_wat(compile_bodies([b], placeholder_link(sim))) for b in bodies)
