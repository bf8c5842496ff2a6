"""Every pure operation through tier 0 against the reference semantics."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import mirgen
from tests.support.fake_env import FakeEnv
from wasmjit.interp import compile_body, source
from wasmjit.sem.builder import BodyBuilder

ENV = FakeEnv()


@pytest.mark.parametrize("code", sorted(mirgen.OPS))
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_operation_equals_fold(code: str, seed: int) -> None:
    rng = random.Random(seed)
    op = mirgen.OPS[code](rng)
    b = BodyBuilder("op", "function", (op.dst,))
    params = [b.param(t) for t in op.args]
    b.set_block(b.new_block())
    b.ret((b.op(code, op.dst, params, op.attr),))
    body = b.finish()
    fn = compile_body(body, ENV)
    for _ in range(6):
        args = mirgen.random_operands(rng, op)
        (got,) = fn(*args)
        assert mirgen.same(op.dst, got, mirgen.fold(op, args)), (op, args, got, source(body, ENV))


@pytest.mark.parametrize("code", sorted(mirgen.OPS))
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_operation_with_some_constant_operands_equals_fold(code: str, seed: int) -> None:
    rng = random.Random(seed)
    op = mirgen.OPS[code](rng)
    args = mirgen.random_operands(rng, op)
    const = [rng.random() < 0.5 for _ in args]
    b = BodyBuilder("op", "function", (op.dst,))
    b.set_block(b.new_block())
    vals = [b.const(t, a) if c else b.param(t) for t, a, c in zip(op.args, args, const, strict=True)]
    b.ret((b.op(code, op.dst, vals, op.attr),))
    body = b.finish()
    (got,) = compile_body(body, ENV)(*[a for a, c in zip(args, const, strict=True) if not c])
    assert mirgen.same(op.dst, got, mirgen.fold(op, args)), (op, args, got, source(body, ENV))


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), nops=st.integers(1, 40))
def test_expression_dag_equals_fold(seed: int, nops: int) -> None:
    rng = random.Random(seed)
    dag = mirgen.random_dag(rng, nops)
    body = mirgen.dag_function(dag)
    fn = compile_body(body, ENV)
    for _ in range(3):
        args = [mirgen.random_value(rng, t) for t in dag.inputs]
        got = fn(*args)
        want = mirgen.evaluate(dag, args)
        for t, g, w in zip(dag.output_types, got, want, strict=True):
            assert mirgen.same(t, g, w), (seed, nops, args, g, w)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), nblocks=st.integers(1, 12))
def test_random_control_flow_equals_reference(seed: int, nblocks: int) -> None:
    rng = random.Random(seed)
    body = mirgen.random_cfg(rng, nblocks)
    fn = compile_body(body, ENV)
    for _ in range(3):
        args = [mirgen.random_value(rng, p.ty) for p in body.params]
        got = fn(*args)
        want = mirgen.interpret(body, args)
        for t, g, w in zip(body.results, got, want, strict=True):
            assert mirgen.same(t, g, w), (seed, nblocks, args, g, w)
