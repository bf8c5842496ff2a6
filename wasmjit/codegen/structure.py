"""Structured control flow from arbitrary control-flow graphs.

Reducible graphs follow Norman Ramsey, "Beyond Relooper" (ICFP 2022): the dominator tree gives the nesting, a node with several forward
predecessors becomes the end of a `block`, the target of a back edge becomes a `loop`, everything else is placed where its only predecessor
branches to it. A strongly connected part with several entries gets a dispatch node (a `br_table` over a label local) in front of them; only
edges from outside and back edges that do not go to a dominator pass through it, so that the inner loops of such a part stay plain.

Everything is iterative (10 000 blocks and more) and close to linear. `plan` makes the decisions, `write` the instructions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from wasmjit.data import dataclass, field

from .wasm import GET, SET, i32_const, uleb


@dataclass(slots=True)
class Plan:
    """A reducible graph and its nesting. Nodes >= `given` are dispatch nodes whose edge i is taken when the label local holds i."""

    succs: list[list[int]]
    given: int
    entry: int
    labels: dict[tuple[int, int], int] = field(default_factory=dict)
    """(node, edge) -> number to put into the label local before the jump to a dispatch node."""
    rpo: list[int] = field(default_factory=list)
    """Position in reverse postorder; -1: unreachable."""
    idom: list[int] = field(default_factory=list)
    loop: bytearray = field(default_factory=bytearray)
    merge: bytearray = field(default_factory=bytearray)
    merge_children: dict[int, list[int]] = field(default_factory=dict)
    """Merge nodes below a node in the dominator tree, in reverse postorder."""


def _reverse_postorder(succs: Sequence[Sequence[int]], entry: int) -> list[int]:
    seen = bytearray(len(succs))
    seen[entry] = 1
    order: list[int] = []
    stack = [(entry, len(succs[entry]))]
    while stack:
        u, k = stack.pop()
        # The last successor is visited first, so that the first one comes first in the result.
        while k:
            k -= 1
            v = succs[u][k]
            if not seen[v]:
                seen[v] = 1
                stack.append((u, k))
                stack.append((v, len(succs[v])))
                break
        else:
            order.append(u)
    order.reverse()
    return order


def _dominators(succs: Sequence[Sequence[int]], order: Sequence[int], rpo: Sequence[int]) -> list[int]:
    """Immediate dominators by node (Cooper, Harvey, Kennedy); the entry is its own, unreachable nodes have -1."""
    preds: list[list[int]] = [[] for _ in order]
    for i, u in enumerate(order):
        for v in succs[u]:
            preds[rpo[v]].append(i)
    dom = [-1] * len(order)
    dom[0] = 0
    changed = True
    while changed:
        changed = False
        for i in range(1, len(order)):
            new = -1
            for p in preds[i]:
                if dom[p] < 0:
                    continue
                if new < 0:
                    new = p
                    continue
                while p != new:
                    while p > new:
                        p = dom[p]
                    while new > p:
                        new = dom[new]
            if dom[i] != new:
                dom[i] = new
                changed = True
    out = [-1] * len(succs)
    for i, d in enumerate(dom):
        out[order[i]] = order[d]
    return out


def _intervals(idom: Sequence[int], order: Sequence[int]) -> tuple[list[int], list[int]]:
    """Entry and exit numbers of a walk over the dominator tree: a dominates b when pre[a] <= pre[b] and post[b] <= post[a]."""
    children: dict[int, list[int]] = {}
    for v in order[1:]:
        children.setdefault(idom[v], []).append(v)
    pre, post = [0] * len(idom), [0] * len(idom)
    clock = 0
    stack = [order[0]]
    while stack:
        u = stack.pop()
        clock += 1
        if u < 0:
            post[~u] = clock
            continue
        pre[u] = clock
        stack.append(~u)
        stack += children.get(u, ())
    return pre, post


def _components(nodes: Sequence[int], succs: Sequence[Sequence[int]], inside: bytearray) -> list[list[int]]:
    """Strongly connected components with a cycle, of the graph restricted to nodes with `inside` set (Tarjan, iterative)."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    on: set[int] = set()
    path: list[int] = []
    out: list[list[int]] = []
    for root in nodes:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        path.append(root)
        on.add(root)
        stack = [(root, 0)]
        while stack:
            u, k = stack.pop()
            su = succs[u]
            while k < len(su):
                v = su[k]
                k += 1
                if not inside[v]:
                    continue
                if v not in index:
                    stack.append((u, k))
                    index[v] = low[v] = len(index)
                    path.append(v)
                    on.add(v)
                    stack.append((v, 0))
                    break
                if v in on:
                    low[u] = min(low[u], index[v])
            else:
                if stack:
                    parent = stack[-1][0]
                    low[parent] = min(low[parent], low[u])
                if low[u] == index[u]:
                    comp: list[int] = []
                    while True:
                        v = path.pop()
                        on.discard(v)
                        comp.append(v)
                        if v == u:
                            break
                    if len(comp) > 1 or u in su:
                        out.append(comp)
    return out


def _bad_edges(succs: Sequence[Sequence[int]], order: Sequence[int], rpo: Sequence[int], idom: Sequence[int]) -> list[tuple[int, int]]:
    """Retreating edges (node, edge number) to a node that does not dominate their source; none: the graph is reducible."""
    pre: list[int] = []
    post: list[int] = []
    bad: list[tuple[int, int]] = []
    for u in order:
        for k, v in enumerate(succs[u]):
            if rpo[v] <= rpo[u]:
                if not pre:
                    pre, post = _intervals(idom, order)
                if not (pre[v] <= pre[u] and post[u] <= post[v]):
                    bad.append((u, k))
    return bad


_MAX_NEST = 50
"""Loops nested deeper than this around an irreducible part are given to its dispatch node, which bounds the work."""


def _make_reducible(p: Plan, bad: list[tuple[int, int]]) -> None:
    """Puts a dispatch node in front of every outermost strongly connected part that has several entries."""
    succs = p.succs
    preds: list[list[tuple[int, int]]] = [[] for _ in succs]
    for u, su in enumerate(succs):
        if p.rpo[u] >= 0:
            for k, v in enumerate(su):
                preds[v].append((u, k))
    sources = {u for u, _ in bad}
    work = [([u for u in range(len(succs)) if p.rpo[u] >= 0], 0)]
    while work:
        nodes, nest = work.pop()
        inside = bytearray(len(succs))
        for u in nodes:
            inside[u] = 1
        for comp in _components(nodes, succs, inside):
            members = set(comp)
            if members.isdisjoint(sources):
                continue
            entries = [v for v in comp if v == p.entry or any(u not in members for u, _ in preds[v])]
            if len(entries) == 1 and nest < _MAX_NEST:
                # A natural loop: look at it without its header.
                work.append(([u for u in comp if u != entries[0]], nest + 1))
            else:
                _dispatch(p, preds, comp, members, entries)


def _dispatch(p: Plan, preds: list[list[tuple[int, int]]], comp: list[int], members: set[int], targets: list[int]) -> None:
    """One dispatch node for the entries `targets` of `comp`. Inside, only edges that would make the part irreducible go through it."""
    succs = p.succs
    here = {u: i + 1 for i, u in enumerate(comp)}
    kept = [[(k, v) for k, v in enumerate(succs[u]) if v in members] for u in comp]
    inner = [[here[v] for _, v in es] for es in kept]
    while True:
        sub = [[here[t] for t in targets], *inner]
        order = _reverse_postorder(sub, 0)
        rpo = [-1] * len(sub)
        for i, u in enumerate(order):
            rpo[u] = i
        bad = _bad_edges(sub, order, rpo, _dominators(sub, order, rpo))
        known = set(targets)
        more = dict.fromkeys(comp[sub[u][k] - 1] for u, k in bad)
        new = [t for t in more if t not in known]
        if not new:
            break
        targets = targets + new
    number = {t: i for i, t in enumerate(targets)}
    dispatch = len(succs)
    moved = [(comp[u - 1], kept[u - 1][k][0]) for u, k in bad]
    moved += [(u, k) for t in targets for u, k in preds[t] if u not in members]
    for u, k in moved:
        p.labels[u, k] = number[succs[u][k]]
        succs[u][k] = dispatch
    succs.append(list(targets))


def plan(succs: Sequence[Sequence[int]], entry: int = 0) -> Plan:
    """Nesting of the graph with these successor lists; nodes that `entry` does not reach are left out."""
    p = Plan([list(s) for s in succs], len(succs), entry)
    for attempt in range(2):
        order = _reverse_postorder(p.succs, entry)
        p.rpo = [-1] * len(p.succs)
        for i, u in enumerate(order):
            p.rpo[u] = i
        p.idom = _dominators(p.succs, order, p.rpo)
        bad = _bad_edges(p.succs, order, p.rpo, p.idom)
        if not bad:
            break
        assert attempt == 0, "dispatch nodes left the graph irreducible"
        _make_reducible(p, bad)
    n = len(p.succs)
    p.loop, p.merge = bytearray(n), bytearray(n)
    forward = bytearray(n)
    for u in order:
        at = p.rpo[u]
        for v in p.succs[u]:
            if p.rpo[v] <= at:
                p.loop[v] = 1
            elif forward[v]:
                p.merge[v] = 1
            else:
                forward[v] = 1
    for u in order:
        if p.merge[u]:
            p.merge_children.setdefault(p.idom[u], []).append(u)
    return p


SMALL_GRAPH = 24
"""Nodes up to which plans are kept."""


@lru_cache(4096)
def _small_plan(succs: tuple[tuple[int, ...], ...]) -> Plan:
    return plan(succs)


def known_plan(succs: Sequence[Sequence[int]]) -> Plan:
    """`plan(succs)`, which nobody may change: most bodies have one of a few graphs."""
    return _small_plan(tuple([tuple(s) for s in succs])) if len(succs) <= SMALL_GRAPH else plan(succs)


class Jump(NamedTuple):
    """How a node ends: `kind` 'end' (left by its own code), 'br' (edge 0), 'if' (`code` is the condition; edges 0 true, 1 false), 'table'
    (`code` is an i32 index; `table[i]` is the edge for index i, `default` for others) or 'tests' (edge of the first true condition)."""

    kind: str
    code: bytes = b""
    table: Sequence[int] = ()
    default: int = 0
    tests: Sequence[tuple[bytes, int]] = ()


END_JUMP = Jump("end")
BR_JUMP = Jump("br")

_TREE, _END, _EDGE = 0, 1, 2


def write(
    p: Plan,
    out: bytearray,
    node: Callable[[int], Jump],
    edge: Callable[[int, int], bytes],
    label_local: Callable[[], int],
) -> None:
    """Appends the whole graph to `out`.

    node(u) appends the straight-line code of node u to `out` and says how it ends; edge(u, k) gives the code to run on an edge (moves of
    block arguments) and is asked once per edge, after node(u). `label_local` gives the i32 local of dispatch nodes. Every path ends in the
    code of a node of kind 'end'; what follows the last instruction is never reached (add `unreachable` where a result is due).
    """
    rpo, succs, merge, loop, labels, given = p.rpo, p.succs, p.merge, p.loop, p.labels, p.given
    block_at: dict[int, int] = {}  # depth inside the construct whose label leads to the node
    loop_at: dict[int, int] = {}
    depth = 0
    stack: list[tuple[int, int, int, bytes]] = [(_TREE, p.entry, 0, b"")]
    pop, push = stack.pop, stack.append

    def edge_code(u: int, k: int) -> bytes:
        code = edge(u, k) if u < given else b""
        lab = labels.get((u, k)) if labels else None
        return code if lab is None else code + i32_const(lab) + SET.at(label_local())

    def target(u: int, k: int) -> int:
        """Depth of the label that the edge jumps to; 0 when its target is placed where the edge is taken."""
        v = succs[u][k]
        if rpo[v] <= rpo[u]:
            return loop_at[v]
        return block_at[v] if merge[v] else 0

    while stack:
        kind, u, k, code = pop()
        if kind == _END:
            out.append(0x0B)
            depth -= 1
            continue
        if kind == _EDGE:
            out += code
            at = target(u, k)
            if at:
                v = succs[u][k]
                # A jump to the end of the innermost construct just falls out of it.
                if not (at == depth and stack and stack[-1][0] == _END and rpo[v] > rpo[u]):
                    out += b"\x0c" + uleb(depth - at)
                continue
            u = succs[u][k]
        if loop[u]:
            out += b"\x03\x40"
            depth += 1
            loop_at[u] = depth
            push((_END, 0, 0, b""))
        ms = p.merge_children.get(u)
        if ms:
            for v in reversed(ms):
                push((_TREE, v, 0, b""))
                push((_END, 0, 0, b""))
                out += b"\x02\x40"
                depth += 1
                block_at[v] = depth
        if u < given:
            j = node(u)
        else:
            last = len(succs[u]) - 1
            j = Jump("table", GET.at(label_local()), range(last), last)
        if j.kind == "end":
            continue
        if j.kind == "br":
            push((_EDGE, u, 0, edge_code(u, 0)))
            continue
        if j.kind == "if":
            c0, c1 = edge_code(u, 0), edge_code(u, 1)
            if not c0 and (at := target(u, 0)):
                out += j.code + b"\x0d" + uleb(depth - at)
                push((_EDGE, u, 1, c1))
            elif not c1 and (at := target(u, 1)):
                out += j.code + b"\x45\x0d" + uleb(depth - at)
                push((_EDGE, u, 0, c0))
            else:
                # Both arms leave by jumps, so the second one can follow the `end` of the first.
                out += j.code + b"\x04\x40"
                depth += 1
                push((_EDGE, u, 1, c1))
                push((_END, 0, 0, b""))
                push((_EDGE, u, 0, c0))
            continue
        edges = dict.fromkeys([*j.table, *(t for _, t in j.tests), j.default])
        code_of = {e: edge_code(u, e) for e in edges}
        to = {e: target(u, e) for e in edges if not code_of[e]}
        own = [e for e in edges if not to.get(e)]
        out += b"\x02\x40" * len(own)
        depth += len(own)
        labels_of = {e: uleb(depth - d) for e, d in to.items()}
        labels_of.update((e, uleb(i)) for i, e in enumerate(own))
        if j.kind == "table":
            out += j.code + b"\x0e" + uleb(len(j.table)) + b"".join([labels_of[e] for e in j.table]) + labels_of[j.default]
        else:
            for cond, e in j.tests:
                out += cond + b"\x0d" + labels_of[e]
            out += b"\x0c" + labels_of[j.default]
        for e in reversed(own):
            push((_EDGE, u, e, code_of[e]))
            push((_END, 0, 0, b""))
