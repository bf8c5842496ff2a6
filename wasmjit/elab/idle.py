"""Idle regions: logic that makes nothing but wires without a name which nobody reads.

The clock of `always @(posedge clk)` is such a wire once the process waits for the net behind it (`edges`). Only a waveform of everything shows it, so its region
is evaluated on changes in runs that record one (`--trace-all`), and otherwise at the start only.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping

from wasmjit.elab.definition import Definition
from wasmjit.elab.region import RegionDef
from wasmjit.sem.fold import EFFECT_FREE
from wasmjit.sem.lower.refs import Own
from wasmjit.sem.mir import Body, CallS

HARMLESS = EFFECT_FREE | {"netstore"}


def mark_idle(d: Definition, regions: list[RegionDef], others: Iterable[Body], bodies: Mapping[str, Body]) -> None:
    """Mark the idle ones of `regions`. others: all other bodies that see the context; bodies: where those that they start are found."""
    candidates = [r for r in regions if makes_wires(d, r)]
    if not candidates:
        return
    seen = {id(r): reads(d, r.body, bodies) for r in regions}
    outside: set[int] = set()
    for body in others:
        found = reads(d, body, bodies)
        if found is None:
            return
        outside |= found
    for v in (*(v for c in d.children for v in c.inputs.values()), *d.output_values.values()):
        home = d.home.get(v)
        if isinstance(home, Own):
            outside.add(home.k)
    outside.update(ref.k for _, ref, _ in d.aliases if isinstance(ref, Own))
    outside.update(ref.k for ref, _ in d.names.values() if isinstance(ref, Own))
    idle: set[int] = set()
    found_one = True
    while found_one:
        found_one = False
        for r in candidates:
            if id(r) in idle:
                continue
            made = {net.k for net in r.outputs if isinstance(net, Own)}
            readers = (seen[id(x)] for x in regions if x is not r and id(x) not in idle)
            if not made & outside and all(nets is not None and not made & nets for nets in readers):
                idle.add(id(r))
                r.idle = True
                found_one = True


def makes_wires(d: Definition, r: RegionDef) -> bool:
    """Whether a region only computes wires without names."""
    if r.sequential or r.commit or r.edge or r.group is not None or not r.inputs or not r.outputs:
        return False
    for net in r.outputs:
        if not isinstance(net, Own) or d.nets[net.k].kind != "wire" or d.nets[net.k].name:
            return False
    return all(op.code in HARMLESS for b in r.body.blocks for op in b.ops)


def reads(d: Definition, body: Body, bodies: Mapping[str, Body]) -> set[int] | None:
    """Own nets that a body loads from, waits for, or names; None if that is not visible."""
    starts = [n.off for n in d.nets]
    out: set[int] = set()

    def note(at: int, size: int) -> None:
        i = max(bisect_right(starts, at) - 1, 0)
        while i < len(starts) and starts[i] < at + size:
            if starts[i] + d.nets[i].lay.size > at:
                out.add(i)
            i += 1

    todo, done = [body], {body.key}
    while todo:
        b = todo.pop()
        out.update(net.k for s in b.sens_sets for net in s if isinstance(net, Own))
        context: set[int] = set()
        for block in b.blocks:
            if isinstance(block.term, CallS):
                return None
            for op in block.ops:
                match op.code:
                    case "ctx":
                        context.add(op.dsts[0].id)
                    case "ldt" if op.args[0].const is None and op.args[0].id in context:
                        note(op.attr, op.dsts[0].ty.nbytes)
                    case "netid":
                        out.add(op.attr)
                    case "add":
                        for v in op.args:
                            if isinstance(v.const, int):
                                note(v.const, 1)
                    case "spawn":
                        child = bodies.get(op.attr)
                        if child is None:
                            return None
                        if child.key not in done:
                            done.add(child.key)
                            todo.append(child)
    return out
