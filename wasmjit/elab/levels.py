"""Strongly connected components and levels of the graph of continuous logic."""

from __future__ import annotations


def components(succ: list[list[int]]) -> list[list[int]]:
    """Strongly connected components (Tarjan, without recursion), in reverse topological order."""
    n = len(succ)
    index = [-1] * n
    low = [0] * n
    on_stack = [False] * n
    stack: list[int] = []
    out: list[list[int]] = []
    counter = 0
    for root in range(n):
        if index[root] >= 0:
            continue
        work = [(root, 0)]
        while work:
            v, i = work.pop()
            if i == 0:
                index[v] = low[v] = counter
                counter += 1
                stack.append(v)
                on_stack[v] = True
            descend = False
            edges = succ[v]
            while i < len(edges):
                w = edges[i]
                i += 1
                if index[w] < 0:
                    work.append((v, i))
                    work.append((w, 0))
                    descend = True
                    break
                if on_stack[w]:
                    low[v] = min(low[v], index[w])
            if descend:
                continue
            if low[v] == index[v]:
                members = []
                while True:
                    w = stack.pop()
                    on_stack[w] = False
                    members.append(w)
                    if w == v:
                        break
                out.append(members)
            if work:
                u = work[-1][0]
                low[u] = min(low[u], low[v])
    return out


def levels(succ: list[list[int]]) -> list[int]:
    """Level of each node: one more than the highest of its predecessors; members of a loop share their level."""
    comps = components(succ)
    of = [0] * len(succ)
    for c, members in enumerate(comps):
        for v in members:
            of[v] = c
    level = [0] * len(comps)
    for c in range(len(comps) - 1, -1, -1):
        for v in comps[c]:
            for w in succ[v]:
                if of[w] != c:
                    level[of[w]] = max(level[of[w]], level[c] + 1)
    return [level[of[v]] for v in range(len(succ))]
