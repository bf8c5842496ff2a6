"""Every pure operation at many widths, compiled, against the reference semantics (`wasmjit.sem.fold`)."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.codegen.harness import Machine
from tests.support.mirgen import OPS, PureOp, random_value, same
from wasmjit.sem.builder import BodyBuilder
from wasmjit.sem.fold import FOLD
from wasmjit.sem.mir import Body


def operands(rng: random.Random, op: PureOp) -> list[Any]:
    out = []
    for i, t in enumerate(op.args):
        if i in op.small and rng.random() < 0.8:
            out.append(rng.randrange(op.small[i] + 1) & t.mask)
        else:
            out.append(random_value(rng, t))
    return out


def single(op: PureOp, key: str, const: dict[int, Any]) -> Body:
    """A function that computes one operation; operands in `const` are constants."""
    b = BodyBuilder(key, "function", (op.dst,))
    params = [b.const(t, const[i]) if i in const else b.param(t) for i, t in enumerate(op.args)]
    b.set_block(b.new_block())
    raw = b._emit(op.code, (op.dst,), tuple(params), op.attr, None)
    b.ret(raw)
    return b.finish()


def check(m: Machine, body: Body, op: PureOp, args: list[Any], const: dict[int, Any]) -> None:
    want = FOLD[op.code]((op.dst,), op.args, args, op.attr)[0]
    got = m.call(body, [a for i, a in enumerate(args) if i not in const])[0]
    assert same(op.dst, got, want), (op, args, const, got, want)


def run(code: str, seed: int, n: int = 24) -> None:
    rng = random.Random(seed)
    work = []
    for i in range(n):
        op = OPS[code](rng)
        sets = [operands(rng, op) for _ in range(4)]
        const = {k: sets[0][k] for k in range(len(op.args)) if rng.random() < 0.2}
        if len(const) == len(op.args):
            const = {}
        for s in sets:
            for k, v in const.items():
                s[k] = v
        work.append((single(op, f"f{i}", const), op, sets, const))
    m = Machine()
    m.load(*(b for b, *_ in work))
    for body, op, sets, const in work:
        for args in sets:
            check(m, body, op, args, const)


@pytest.mark.parametrize("code", sorted(OPS))
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_operation_matches_its_definition(code: str, seed: int) -> None:
    run(code, seed)
