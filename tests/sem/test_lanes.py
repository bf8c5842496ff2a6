"""Expressions of single bits become expressions of vectors, and mean the same."""

from __future__ import annotations

import random

import pytest

from wasmjit.sem.builder import BodyBuilder
from wasmjit.sem.fold import FOLD
from wasmjit.sem.mir import BOOL, Body, I, Ret, Val

Tree = tuple[str, ...] | tuple[str, "Tree", "Tree"]  # type: ignore[misc]


def tree(rng: random.Random, depth: int) -> Tree:
    """An expression of one bit: a bit of a or b, a value that all bits share, a constant, or an operation."""
    if depth == 0 or rng.random() < 0.1:
        return (rng.choice(("a", "b", "c", "d", "0", "1")),)
    return rng.choice(("and", "or", "xor", "mux")), tree(rng, depth - 1), tree(rng, depth - 1)


def bit(b: BodyBuilder, t: Tree, k: int, a: Val, o: Val, c: Val, d: Val, shift: int, swap: random.Random | None) -> Val:
    """The expression for bit k. shift: from which bit on b is read; swap: puts operands of commutative operations in any order."""
    match t:
        case ("a",):
            return b.op("extract", BOOL, (a,), k)
        case ("b",):
            return b.op("extract", BOOL, (o,), k + shift)
        case ("c",):
            return c
        case ("d",):
            return d
        case ("0" | "1" as n,):
            return b.const(BOOL, int(n))
        case (code, x, y):
            p, q = (bit(b, u, k, a, o, c, d, shift, swap) for u in (x, y))
            if code == "mux":
                return b.op("mux", BOOL, (c, p, q))
            if swap is not None and swap.random() < 0.5:
                p, q = q, p
            return b.op(code, BOOL, (p, q))
    raise AssertionError(t)


def build(t: Tree, width: int, shift: int, swap: random.Random | None = None, odd: Tree | None = None, front: bool = False) -> Body:
    """A function that puts the bits together. odd: another expression for the middle bit; front: a vector stands before the bits."""
    b = BodyBuilder("f", "function", (I(width + (8 if front else 0)),))
    b.set_block(b.new_block())
    a, o, c, d = b.param(I(width)), b.param(I(width + shift)), b.param(BOOL), b.param(BOOL)
    bits = [bit(b, odd if odd is not None and k == width // 2 else t, k, a, o, c, d, shift, swap) for k in reversed(range(width))]
    first = [b.op("extract", I(8), (o,), 0)] if front else []
    b.ret([b.op("concat", I(width + 8 * front), (*first, *bits))])
    return b.finish()


def value(body: Body, args: list[int]) -> int:
    """Result of a function of one block."""
    env = {p.id: x for p, x in zip(body.params, args, strict=True)}

    def of(v: Val) -> int:
        return env[v.id] if v.const is None else v.const  # type: ignore[return-value]

    for op in body.blocks[0].ops:
        env[op.dsts[0].id] = FOLD[op.code](tuple(d.ty for d in op.dsts), [x.ty for x in op.args], [of(x) for x in op.args], op.attr)[0]
    t = body.blocks[0].term
    assert isinstance(t, Ret)
    return of(t.vals[0])


def size(body: Body) -> int:
    return len(body.blocks[0].ops)


def same(made: Body, plain: Body, rng: random.Random, width: int, shift: int) -> None:
    for _ in range(20):
        args = [rng.getrandbits(width), rng.getrandbits(width + shift), rng.getrandbits(1), rng.getrandbits(1)]
        assert value(made, args) == value(plain, args)


@pytest.mark.parametrize("seed", range(60))
def test_vectors_mean_what_the_bits_mean(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    t, width, shift = tree(rng, 4), rng.choice((4, 7, 32, 33, 64, 65, 130)), rng.randrange(8, 20)
    odd = tree(rng, 2) if rng.random() < 0.3 else None
    options = {"odd": odd, "front": rng.random() < 0.3}
    made = build(t, width, shift, random.Random(seed), **options)  # type: ignore[arg-type]
    monkeypatch.setattr("wasmjit.sem.passes.widen_lanes", lambda body, next_id: (next_id, {}))
    plain = build(t, width, shift, random.Random(seed), **options)  # type: ignore[arg-type]
    assert size(made) <= size(plain)
    same(made, plain, rng, width, shift)


def test_a_sum_of_products_takes_one_operation_of_each_kind() -> None:
    t = ("or", ("and", ("a",), ("c",)), ("and", ("b",), ("d",)))
    body = build(t, 32, 8, random.Random(1))
    assert sorted(op.code for op in body.blocks[0].ops) == ["and", "and", "extract", "or", "repl", "repl"]


def test_bits_that_are_not_alike_stay_bits() -> None:
    t = ("and", ("a",), ("b",))
    assert size(build(t, 16, 8, odd=("or", ("a",), ("b",)))) > 32
    assert size(build(t, 16, 8)) == 2


def test_bits_in_another_order_stay_bits() -> None:
    b = BodyBuilder("f", "function", (I(8),))
    b.set_block(b.new_block())
    a, o = b.param(I(8)), b.param(I(8))
    bits = [b.op("and", BOOL, (b.op("extract", BOOL, (a,), 7 - k), b.op("extract", BOOL, (o,), k))) for k in reversed(range(8))]
    b.ret([b.op("concat", I(8), bits)])
    body = b.finish()
    assert size(body) == 25
    assert value(body, [0b11110000, 0b10101010]) == 0b1010
