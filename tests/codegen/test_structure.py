"""Structuring: every path through the written wasm is the path through the graph."""

from __future__ import annotations

import random

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from wasmjit.codegen import wasm as w
from wasmjit.codegen.structure import BR_JUMP, END_JUMP, Jump, plan, write

FUEL = 60


def _module(graphs: list[list[list[int]]]) -> bytes:
    """One function per graph: hash = hash*31+node at each node; choices come from the low bits of a generator; stops after FUEL nodes."""
    m = w.ModuleBuilder()
    for n, succs in enumerate(graphs):
        out = bytearray()
        p = plan(succs)
        label: list[int] = []

        def label_local(label: list[int] = label) -> int:
            label.append(3)
            return 3

        def node(u: int, out: bytearray = out, succs: list[list[int]] = succs) -> Jump:
            c = w.CodeBuf()
            c.local_get(2).i32_const(31).op(w.I32_MUL).i32_const(u + 1).op(w.I32_ADD).local_set(2)
            c.local_get(1).i32_const(1).op(w.I32_SUB).local_tee(1).op(w.I32_EQZ).if_().local_get(2).ret().end()
            c.local_get(0).i32_const(1103515245).op(w.I32_MUL).i32_const(12345).op(w.I32_ADD).local_set(0)
            rnd = w.CodeBuf().local_get(0).i32_const(16).op(w.I32_SHR_U)
            k = len(succs[u])
            if k == 0:
                c.local_get(2).ret()
            out += c.buf
            if k == 0:
                return END_JUMP
            if k == 1:
                return BR_JUMP
            if k == 2:
                return Jump("if", bytes(rnd.i32_const(1).op(w.I32_AND).op(w.I32_EQZ).buf))
            rnd.i32_const(k).op(w.I32_REM_U)
            if k % 2:
                return Jump("table", bytes(rnd.buf), range(k - 1), k - 1)
            code = bytes(rnd.buf)
            return Jump("tests", tests=[(code + w.i32_const(i) + b"\x46", i) for i in range(k - 1)], default=k - 1)

        def edge(u: int, k: int) -> bytes:
            # Moves on some edges: they must run exactly when the edge is taken.
            c = w.CodeBuf()
            return bytes(c.local_get(2).i32_const(u * 7 + k).op(w.I32_XOR).local_set(2).buf) if (u + k) % 3 == 0 else b""

        write(p, out, node, edge, label_local)
        out.append(0)
        m.export_func(f"f{n}", m.add_func((w.I32,), (w.I32,), (w.I32, w.I32, w.I32), w.i32_const(FUEL) + w.SET[1] + out))
    return m.finish()


def _walk(succs: list[list[int]], x: int) -> int:
    h, u, fuel = 0, 0, FUEL
    while True:
        h = (h * 31 + u + 1) & 0xFFFFFFFF
        fuel -= 1
        if fuel == 0 or not succs[u]:
            return h
        x = (x * 1103515245 + 12345) & 0xFFFFFFFF
        n = len(succs[u])
        k = 0 if n == 1 else (x >> 16) % n
        if (u + k) % 3 == 0:
            h ^= u * 7 + k
        u = succs[u][k]


def _check(graphs: list[list[list[int]]]) -> None:
    store = wasmtime.Store()
    ex = wasmtime.Instance(store, wasmtime.Module(store.engine, _module(graphs)), []).exports(store)
    for n, g in enumerate(graphs):
        for seed in range(6):
            got = ex[f"f{n}"](store, seed * 99991 + 7)  # type: ignore[operator]
            assert got & 0xFFFFFFFF == _walk(g, seed * 99991 + 7), g


@st.composite
def _graphs(draw: st.DrawFn) -> list[list[list[int]]]:
    rnd = random.Random(draw(st.integers(0, 2**32)))
    out = []
    for _ in range(12):
        n = rnd.choice([1, 2, 3, 4, 5, 6, 8, 12, 20])
        out.append([[rnd.randrange(n) for _ in range(rnd.choice([0, 1, 1, 2, 2, 2, 3, 4, 5]))] for _ in range(n)])
    return out


@settings(max_examples=40, deadline=None)
@given(_graphs())
def test_random_graphs_irreducible_ones_included_take_the_same_path(graphs: list[list[list[int]]]) -> None:
    _check(graphs)


@pytest.mark.parametrize(
    "g",
    [
        [[1, 2], [2, 3], [1, 3], []],  # two entries into one loop
        [[1, 3, 4, 6], [2], [3, 1], [4, 2], [5], [6, 4], [1, 7], []],  # jumps into a nest of loops
        [[0, 0]],
        [[1, 1], [0, 2], []],
    ],
)
def test_known_graphs(g: list[list[int]]) -> None:
    _check([g])


def test_inner_loop_of_an_irreducible_part_does_not_pass_through_the_dispatch() -> None:
    # 1 and 3 are both entered from 0 and form a cycle; 2 <-> 3 inside is a natural loop of header 3.
    p = plan([[1, 3], [3], [3, 1], [2, 4], []])
    assert len(p.succs) == 6
    assert p.succs[2][0] == 3
    assert p.succs[2][1] == 5


def test_ten_thousand_blocks() -> None:
    n = 10_000
    chain = [[i + 1, (i * 7919) % n] for i in range(n - 1)] + [[]]
    forward = [[i + 1, min(n - 1, i + 2 + i % 5)] for i in range(n - 1)] + [[]]
    diamonds = [[i + 1, i + 2] if i % 3 == 0 else [i + 3 - i % 3] for i in range(n - 4)] + [[]] * 4
    for g in (forward, diamonds):
        _check([g])
    p = plan(chain)
    assert p.rpo[n - 1] >= 0
