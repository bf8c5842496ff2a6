"""Islands: regions of continuous logic of one module that are one activation.

An island is a body made of the bodies of its members, in topological order. A member runs if its bit of the work word (`CB_ISLAND`) is set: the kernel
sets the bits of the members that a changed net dirties, a member that changes a net those of the later members that read it. So each member is evaluated
exactly when it would be as a region of its own, and inside the island without fan-out, queue and indirect call.
"""

from __future__ import annotations

from wasmjit.data import dataclass
from wasmjit.elab.definition import Definition
from wasmjit.elab.levels import components
from wasmjit.elab.region import RegionDef
from wasmjit.elab.scope import ModuleScope
from wasmjit.sem import mir
from wasmjit.sem.lower.refs import NetRef, Own, Slot
from wasmjit.sem.mir import BOOL, CB_ISLAND, I32, Block, Body, Op, Val

MAX_MEMBERS = 30
"""Bits of a fan-out entry's second word that are left for members (`sched.descriptors.F_SET`)."""
MAX_OPS = 4000
"""Operations of an island: larger functions take the compiler more than linear time."""
ALL = 0xFFFFFFFF


@dataclass(slots=True)
class _Node:
    region: RegionDef
    succ: list[int]
    band: int = 0
    joined: bool = True


def form_islands(d: Definition, regions: list[RegionDef], around: bool = False) -> list[RegionDef]:
    """Join what can be joined of the continuous logic of a definition; everything else is returned as it is. around: what surrounds the instances may pass on
    what they put out to what they take in (where it turned out to do so).
    """
    candidates = [r for r in regions if joinable(r)]
    if len(candidates) < 2:
        return regions
    order = [r for r in regions if not r.sequential]
    number = {id(r): i for i, r in enumerate(order)}
    nodes = [_Node(r, []) for r in order]
    producers: dict[NetRef, list[int]] = {}
    for i, r in enumerate(order):
        for net in r.outputs:
            producers.setdefault(net, []).append(i)
    for i, r in enumerate(order):
        for net in r.inputs:
            for p in producers.get(net, ()):
                nodes[p].succ.append(i)
    outside = children_paths(d, order, len(nodes), nodes)
    if around:
        outside.append(parent_paths(d, order, len(nodes) + len(outside), nodes, outside))
    succ = [n.succ for n in nodes] + outside
    comps = components(succ)
    chosen = {number[id(r)] for r in candidates}
    for c in comps:
        if len(c) > 1 or c[0] in succ[c[0]]:
            chosen -= set(c)  # a loop: its members settle as regions of their own
    # Bands: no path leaves a band and comes back to it, so a band never waits for its own outside.
    band = [0] * len(succ)
    inside = [i in chosen for i in range(len(succ))]
    topological = [v for c in reversed(comps) for v in c]
    for c in reversed(comps):
        latest = max(band[v] for v in c)
        for v in c:
            band[v] = latest
        for v in c:
            for w in succ[v]:
                band[w] = max(band[w], latest + (1 if inside[v] != inside[w] else 0))
    groups: dict[int, list[int]] = {}
    for v in topological:
        if v in chosen:
            groups.setdefault(band[v], []).append(v)
    joined: list[RegionDef] = []
    taken: set[int] = set()
    for members in groups.values():
        for part in parts([order[v] for v in members]):
            if len(part) > 1:
                joined.append(join(d, part, len(joined)))
                taken.update(id(r) for r in part)
    return [r for r in regions if id(r) not in taken] + joined


def joinable(r: RegionDef) -> bool:
    """Plain continuous logic: runs on changes of nets alone (not of memory behind pointers), and nobody asks for it by number."""
    if r.sequential or r.commit or r.edge or r.group is not None or r.idle or not r.inputs:
        return False
    return not any(op.code == "rt" and str(op.attr).startswith("k_region") for b in r.body.blocks for op in b.ops)


def children_paths(d: Definition, order: list[RegionDef], first: int, nodes: list[_Node]) -> list[list[int]]:
    """Each child instance as a node: it may pass what drives its inputs on to its outputs. Extends the successors of `nodes`; returns those of the children."""
    scope = ModuleScope(d)
    readers: dict[NetRef, list[int]] = {}
    for i, r in enumerate(order):
        for net in r.inputs:
            readers.setdefault(net, []).append(i)
    drivers: dict[NetRef, list[int]] = {}
    for i, r in enumerate(order):
        for net in r.outputs:
            drivers.setdefault(net, []).append(i)
    out: list[list[int]] = []
    feeds: dict[NetRef, list[int]] = {}
    for k, c in enumerate(d.children):
        for v in c.inputs.values():
            for net in scope.sources(v):
                feeds.setdefault(net, []).append(first + k)
    for k, c in enumerate(d.children):
        succ: list[int] = []
        for result in c.op.results:
            home = d.home.get(result)
            if home is not None:
                succ += readers.get(home, ())
                succ += [n for n in feeds.get(home, ()) if n != first + k]
        out.append(succ)
    for net, targets in feeds.items():
        for i in drivers.get(net, ()):
            nodes[i].succ += targets
    return out


def parent_paths(d: Definition, order: list[RegionDef], number: int, nodes: list[_Node], children: list[list[int]]) -> list[int]:
    """What surrounds an instance as node `number`: it may pass what drives outputs on to whoever reads inputs, and through references either way. Extends the
    successors of `nodes` and `children`; returns its own.
    """
    scope = ModuleScope(d)
    ports = {Slot(off) for off in d.inputs.values()}
    out = {net for v in d.output_values.values() for net in scope.sources(v)} | ports
    for i, r in enumerate(order):
        if not out.isdisjoint(r.outputs):
            nodes[i].succ.append(number)
    succ = [i for i, r in enumerate(order) if not ports.isdisjoint(r.inputs)]
    for k, c in enumerate(d.children):
        if any(d.home.get(result) in out for result in c.op.results):
            children[k].append(number)
        if any(not ports.isdisjoint(scope.sources(v)) for v in c.inputs.values()):
            succ.append(len(order) + k)
    return succ


def parts(members: list[RegionDef]) -> list[list[RegionDef]]:
    """Cut a list in topological order into islands of bearable size."""
    out: list[list[RegionDef]] = [[]]
    ops = 0
    for r in members:
        n = sum(len(b.ops) for b in r.body.blocks)
        if out[-1] and (len(out[-1]) == MAX_MEMBERS or ops + n > MAX_OPS):
            out.append([])
            ops = 0
        out[-1].append(r)
        ops += n
    return out


def join(d: Definition, members: list[RegionDef], n: int) -> RegionDef:
    """One region of several; `members` in topological order."""
    key = f"{d.name}.island{n}"
    masks: dict[NetRef, int] = {}
    for i, r in enumerate(members):
        for net in r.inputs:
            masks[net] = masks.get(net, 0) | 1 << i
    produced: dict[NetRef, int] = {}
    for i, r in enumerate(members):
        for net in r.outputs:
            produced[net] = max(produced.get(net, 0), i)
    internal = frozenset(net for net, i in produced.items() if net in masks and masks[net] >> (i + 1) << (i + 1) == masks[net])
    body = join_bodies(key, [r.body for r in members], {net.k: masks[net] for net in internal if isinstance(net, Own)})
    outputs = list(dict.fromkeys(net for r in members for net in r.outputs))
    return RegionDef(body, sorted(masks, key=repr), outputs, False, key, masks=masks, internal=internal, members=(1 << len(members)) - 1)


def join_bodies(key: str, bodies: list[Body], readers: dict[int, int]) -> Body:
    """The island's body. readers: own net → bits of the members that read it. The bodies given are taken apart."""
    out = Body(key, "region", name=key)
    ids = 0
    tests = [Block(0) for _ in bodies]
    end = Block(0)
    end.term = mir.Ret(())
    zero = Val(0, I32, 0)
    for i, body in enumerate(bodies):
        following = tests[i + 1] if i + 1 < len(tests) else end
        for b in body.blocks:
            for v in (*b.params, *(r for op in b.ops for r in op.dsts)):
                v.id = ids
                ids += 1
            for op in b.ops:
                if op.code == "netstore" and op.attr[0] in readers:
                    op.attr = (*op.attr, readers[op.attr[0]])
            if isinstance(b.term, mir.Ret):
                b.term = mir.Br(following)
        entry = body.blocks[0]
        word, bit, due, rest = (Val(ids + k, t) for k, t in enumerate((I32, I32, BOOL, I32)))
        ids += 4
        test = tests[i]
        test.ops = [
            Op("ldt", (word,), (zero,), CB_ISLAND),
            Op("and", (bit,), (word, Val(0, I32, 1 << i))),
            Op("icmp", (due,), (bit, zero), "ne"),
        ]
        test.term = mir.CondBr(due, entry, (), following, ())
        entry.ops[:0] = [
            Op("and", (rest,), (word, Val(0, I32, ALL ^ 1 << i))),
            Op("stt", (), (zero, rest), CB_ISLAND),
        ]
        out.blocks += [test, *body.blocks]
    out.blocks.append(end)
    for i, b in enumerate(out.blocks):
        b.id = i
    return out
