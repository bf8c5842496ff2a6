"""Whole function bodies: random expression graphs and control flow, wide integers, against reference execution."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.codegen.harness import Machine
from tests.codegen.test_ops import check, single
from tests.support import mirgen
from tests.support.mirgen import PureOp, interpret, random_value, same
from wasmjit.sem.mir import BOOL, F32, F64, A, Body, I, Packing

BIG = (513, 520, 576, 1000, 1024, 2049)


def compare(m: Machine, body: Body, rng: random.Random, n: int = 3) -> None:
    for _ in range(n):
        args = [random_value(rng, p.ty) for p in body.params]
        want = interpret(body, args)
        got = m.call(body, args)
        for t, a, b in zip(body.results, got, want, strict=True):
            assert same(t, a, b), (body.key, args, got, want)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_random_expression_graphs(seed: int) -> None:
    rng = random.Random(seed)
    bodies = [mirgen.dag_function(mirgen.random_dag(rng, rng.randint(1, 30)), f"d{i}") for i in range(8)]
    m = Machine()
    m.load(*bodies)
    for b in bodies:
        compare(m, b, rng)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_random_control_flow(seed: int) -> None:
    rng = random.Random(seed)
    bodies = [mirgen.random_cfg(rng, nblocks=rng.randint(1, 9), nvars=rng.randint(1, 4), key=f"c{i}") for i in range(6)]
    m = Machine()
    m.load(*bodies)
    for b in bodies:
        compare(m, b, rng)


@pytest.mark.parametrize("seed", range(3))
def test_binaryen_reads_and_optimises_the_modules(seed: int) -> None:
    rng = random.Random(seed)
    bodies = [mirgen.random_cfg(rng, key=f"c{i}") for i in range(3)] + [mirgen.dag_function(mirgen.random_dag(rng, 30), f"d{i}") for i in range(3)]
    m = Machine()
    m.load(*bodies, optimise=True)
    for b in bodies:
        compare(m, b, rng)


def _big_ops(rng: random.Random) -> list[PureOp]:
    w = rng.choice(BIG)
    t = I(w)
    out = [PureOp(c, (t, t), t) for c in ("add", "sub", "mul", "and", "or", "xor", "divu", "modu", "divs", "mods")]
    out += [PureOp(c, (t, t), t, small={1: w + 2}) for c in ("shl", "shru", "shrs")]
    out += [PureOp("icmp", (t, t), BOOL, p) for p in ("eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge")]
    out.append(PureOp("mux", (BOOL, t, t), t))
    for k in (1, 17, 64, 65, 200, 512, 513, w):
        if k <= w:
            out.append(PureOp("extract", (t,), I(k), rng.randint(0, w - k)))
            out += [PureOp("zext", (I(k),), t), PureOp("sext", (I(k),), t)]
    a, b, c = rng.randint(1, 100), rng.randint(1, 700), rng.randint(400, 600)
    out.append(PureOp("concat", (I(a), I(b), I(c)), I(a + b + c)))
    for k in (1, 8, 33, 70, 130, 600):
        out.append(PureOp("repl", (I(k),), I(k * (600 // k + 1))))
    out += [PureOp("parity", (t,), BOOL)] + [PureOp(c, (t,), t) for c in ("popcount", "ctlz", "cttz")]
    for f in (F32, F64):
        out += [PureOp("fptosi", (f,), t), PureOp("fptoui", (f,), t), PureOp("sitofp", (t,), f), PureOp("uitofp", (t,), f)]
    return out


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_integers_that_live_in_memory(seed: int) -> None:
    rng = random.Random(seed)
    work = []
    for i, op in enumerate(_big_ops(rng)):
        sets = []
        for _ in range(2):
            args: list[Any] = [random_value(rng, t) for t in op.args]
            for k, limit in op.small.items():
                args[k] = rng.randrange(limit + 1)
            if "v" in op.code[:3] + op.code[3:4] and rng.random() < 0.5:
                args[1] >>= rng.randrange(op.args[1].size)
            sets.append(args)
        const = {1: sets[0][1]} if len(op.args) == 2 and rng.random() < 0.2 else {}
        for s in sets:
            s[1:2] = [const[1]] if const else s[1:2]
        work.append((single(op, f"b{i}", const), op, sets, const))
    m = Machine(64)
    m.load(*(b for b, *_ in work))
    for body, op, sets, const in work:
        for args in sets:
            check(m, body, op, args, const)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("count", "width", "size"), [(300, 7, 1), (100, 33, 8), (40, 64, 8), (80, 16, 2), (9, 100, 16)])
def test_packing_of_large_arrays(count: int, width: int, size: int, reverse: bool) -> None:
    p = Packing(count, size, width, ((0, width, 0, None),), reverse)
    outer = Packing(2, count * size, count * width, ((0, count * width, 0, p),), reverse)
    work = []
    rng = random.Random(count)
    for i, (q, n) in enumerate(((p, count * size), (outer, 2 * count * size))):
        bits = I(q.count * q.bits)
        for code, src, dst in (("apack", A(n), bits), ("aunpack", bits, A(n))):
            op = PureOp(code, (src,), dst, q)
            work.append((single(op, f"{code}{i}", {}), op, [[random_value(rng, src)] for _ in range(3)]))
    m = Machine(64)
    m.load(*(b for b, *_ in work))
    for body, op, sets in work:
        for args in sets:
            check(m, body, op, args, {})
