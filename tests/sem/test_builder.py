"""The builder: folding, simplification, numbering, and the passes of `finish` keep the meaning and do their work."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import mirgen
from wasmjit.sem.analysis import dominators, liveness, predecessors, reverse_postorder
from wasmjit.sem.builder import BodyBuilder
from wasmjit.sem.mir import BOOL, F64, FRAME_HEADER, I32, I64, A, Br, CallS, I, Op, Ret, Wait
from wasmjit.sem.verify import verify

I8 = I(8)


def function(*tys, results=()):  # type: ignore[no-untyped-def]
    b = BodyBuilder("f", "function", results)
    params = [b.param(t) for t in tys]
    b.set_block(b.new_block())
    return b, params


@pytest.mark.parametrize("code", sorted(mirgen.OPS))
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_constant_operands_fold_to_the_reference_result(code: str, seed: int) -> None:
    rng = random.Random(seed)
    op = mirgen.OPS[code](rng)
    args = mirgen.random_operands(rng, op)
    b, _ = function()
    v = b.op(code, op.dst, [b.const(t, a) for t, a in zip(op.args, args, strict=True)], op.attr)
    assert v.ty == op.dst and mirgen.same(op.dst, v.const, mirgen.fold(op, args))
    assert not b.block.ops


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32), nops=st.integers(1, 60))
def test_simplification_preserves_the_value_of_expressions(seed: int, nops: int) -> None:
    rng = random.Random(seed)
    dag = mirgen.random_dag(rng, nops, const_rate=0.35)
    body = mirgen.dag_function(dag)
    for _ in range(3):
        args = [mirgen.random_value(rng, t) for t in dag.inputs]
        for t, got, want in zip(dag.output_types, mirgen.interpret(body, args), mirgen.evaluate(dag, args), strict=True):
            assert mirgen.same(t, got, want), (seed, nops, args, got, want)


_BITS = ("and", "or", "xor", "extract", "concat", "zext", "sext", "mux", "icmp", "repl", "shl", "shru", "add", "sub", "mul", "divu", "modu")


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32), nops=st.integers(1, 60))
def test_simplification_preserves_bit_manipulation(seed: int, nops: int) -> None:
    rng = random.Random(seed)
    dag = mirgen.random_dag(rng, nops, const_rate=0.3, codes=_BITS)
    body = mirgen.dag_function(dag)
    for _ in range(3):
        args = [mirgen.random_value(rng, t) for t in dag.inputs]
        assert mirgen.interpret(body, args) == mirgen.evaluate(dag, args), (seed, nops, args)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), nops=st.integers(1, 40))
def test_simplification_preserves_images(seed: int, nops: int) -> None:
    rng = random.Random(seed)
    size, elem = 24, rng.choice((I8, I32, I64))
    n = elem.nbytes
    b, (img, x, y) = function(A(size), elem, elem, results=(elem,) * 4)
    args = [rng.randbytes(size), mirgen.random_value(rng, elem), mirgen.random_value(rng, elem)]
    model = bytearray(args[0])
    for _ in range(nops):
        i = rng.randrange(size // n + 1)
        which = rng.randrange(3)
        v = b.op("aget", elem, (img, b.const(I8, rng.randrange(size // n))), (size // n, n, 0)) if which == 2 else (x, y)[which]
        val = mirgen.interpret_value(b, v, dict(zip((p.id for p in b.body.params), args, strict=True)))
        img = b.op("aput", A(size), (img, b.const(I8, i), v), (size // n, n, (0,)))
        if i < size // n:
            model[i * n : i * n + n] = val.to_bytes(n, "little")
    outs = [rng.randrange(size // n + 1) for _ in range(4)]
    b.ret([b.op("aget", elem, (img, b.const(I8, i)), (size // n, n, 0)) for i in outs])
    got = mirgen.interpret(b.finish(), args)
    assert got == [int.from_bytes(model[i * n : i * n + n], "little") for i in outs]


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), nblocks=st.integers(1, 12))
def test_finish_preserves_control_flow(seed: int, nblocks: int) -> None:
    raw = mirgen.random_cfg(random.Random(seed), nblocks, finish=False)
    done = mirgen.random_cfg(random.Random(seed), nblocks)
    assert len(done.blocks) <= len(raw.blocks)
    rng = random.Random(seed)
    for _ in range(3):
        args = [mirgen.random_value(rng, p.ty) for p in done.params]
        for t, got, want in zip(done.results, mirgen.interpret(done, args), mirgen.interpret(raw, args), strict=True):
            assert mirgen.same(t, got, want), (seed, nblocks, args, got, want)


def test_identities_give_the_operand_itself() -> None:
    b, (x, c) = function(I8, BOOL)
    zero, ones, one = b.const(I8, 0), b.const(I8, 255), b.const(I8, 1)
    for code, other in (
        ("and", ones),
        ("or", zero),
        ("xor", zero),
        ("add", zero),
        ("mul", one),
        ("shl", zero),
        ("shru", zero),
        ("shrs", zero),
    ):
        assert b.op(code, I8, (x, other)) is x, code
    assert b.op("add", I8, (zero, x)) is x
    assert b.op("and", I8, (x, zero)).const == 0
    assert b.op("or", I8, (x, ones)).const == 255
    assert b.op("xor", I8, (b.op("xor", I8, (x, ones)), ones)) is x
    assert b.op("extract", I8, (x,), 0) is x
    assert b.op("concat", I8, (x,)) is x
    assert b.zext(x, 8) is x and b.sext(x, 8) is x
    assert b.extract(b.zext(x, 20), 0, 8) is x
    assert b.extract(b.zext(x, 20), 9, 4).const == 0
    wide = b.concat(c, x)
    assert b.extract(wide, 8, 1) is c and b.extract(wide, 0, 8) is x
    assert b.icmp("eq", x, x).const == 1 and b.icmp("ult", x, x).const == 0
    assert b.mux(c, x, x) is x
    assert b.mux(b.bit(True), x, zero) is x
    assert b.mux(c, b.bit(True), b.bit(False)) is c
    img = b.op("anew", A(2), (x, zero), (0, 1))
    assert b.op("aget", I8, (img, b.const(I8, 0)), (2, 1, 0)) is x
    assert b.op("aget", I8, (img, b.const(I8, 2)), (2, 1, 0)).const == 0


def test_equal_operations_of_a_block_are_one() -> None:
    b, (x, y) = function(I8, I8)
    assert b.op("add", I8, (x, y)) is b.op("add", I8, (x, y))
    assert b.op("add", I8, (x, y)) is not b.op("sub", I8, (x, y))
    first = b.op("ldt", I8, (b.ctx(),), 16)
    assert b.op("ldt", I8, (b.ctx(),), 16) is first
    b.op("stt", (), (b.ctx(), x), 16)
    assert b.op("ldt", I8, (b.ctx(),), 16) is not first


def test_constants_are_cut_to_their_width_and_kept_apart_by_bits() -> None:
    b, _ = function()
    assert b.const(I8, -1).const == 255
    assert b.const(I8, 256) is b.const(I8, 0)
    assert b.const(F64, 0.0) is not b.const(F64, -0.0)
    assert b.const(I8, 1) is not b.const(I(9), 1)


def test_dead_operations_and_parameters_go() -> None:
    b, (x,) = function(I8, results=(I8,))
    loop, out = b.new_block((I8, I8)), b.new_block()
    b.op("mul", I8, (x, x))
    b.br(loop, (x, x))
    b.set_block(loop)
    p, q = loop.params
    b.cond_br(b.icmp("eq", p, b.const(I8, 0)), out, loop, (), (b.bin("sub", p, b.const(I8, 1)), b.bin("add", q, p)))
    b.set_block(out)
    b.ret((x,))
    body = b.finish()
    assert [op.code for blk in body.blocks for op in blk.ops] == ["icmp", "sub"]
    assert [len(blk.params) for blk in body.blocks] == [0, 1, 0]


def test_constant_branches_and_chains_collapse_to_one_block() -> None:
    b, (x,) = function(I8, results=(I8,))
    yes, no, join = b.new_block((I8,)), b.new_block(), b.new_block((I8,))
    b.cond_br(b.bit(True), yes, no, (x,), ())
    b.set_block(yes)
    b.br(join, (b.bin("add", yes.params[0], b.const(I8, 1)),))
    b.set_block(no)
    b.br(join, (x,))
    b.set_block(join)
    b.ret((join.params[0],))
    body = b.finish()
    assert len(body.blocks) == 1 and isinstance(body.blocks[0].term, Ret)
    assert mirgen.interpret(body, [4]) == [5]


def test_constant_arguments_fold_through_joins() -> None:
    b, (x, c) = function(I8, BOOL, results=(I8,))
    left, right, join = b.new_block(), b.new_block(), b.new_block((I8,))
    b.cond_br(c, left, right)
    for side in (left, right):
        b.set_block(side)
        b.op("stt", (), (b.i32(0), x), side.id)
        b.br(join, (b.const(I8, 3),))
    b.set_block(join)
    b.ret((b.bin("add", join.params[0], b.const(I8, 4)),))
    body = b.finish()
    assert body.blocks[-1].term.vals[0].const == 7  # type: ignore[union-attr]


def test_resume_points_are_numbered_and_live_values_have_slots() -> None:
    b = BodyBuilder("p", "process")
    p = b.param(I64)
    first, second, third = b.new_block(), b.new_block(), b.new_block((I(600),))
    b.set_block(first)
    x = b.op("ldt", I8, (b.ctx(),), 16)
    y = b.op("ldt", I(100), (b.ctx(),), 24)
    b.wait(second, sens=b.sens_set(("clk",)))
    b.set_block(second)
    b.op("stt", (), (b.ctx(), y), 40)
    b.call_s("callee", (x, p), third)
    b.set_block(third)
    b.op("stt", (), (b.ctx(), third.params[0]), 64)
    b.op("stt", (), (b.ctx(), p), 56)
    b.op("stt", (), (b.ctx(), x), 60)
    b.br(second)
    body = b.finish()
    tokens = {blk.term.token: type(blk.term) for blk in body.blocks if isinstance(blk.term, (Wait, CallS))}
    assert tokens == {1: Wait, 2: CallS}
    assert body.live_in == {1: [p, x, y], 2: [p, x, y]}
    frame = body.frame
    assert frame is not None and frame.params == [FRAME_HEADER]
    assert frame.slots[p.id] == FRAME_HEADER
    spans = sorted((frame.slots[v.id], frame.slots[v.id] + v.ty.nbytes) for v in (p, x, y))
    assert all(a[1] <= b[0] for a, b in pairwise(spans)) and all(s % 8 == 0 for s, _ in spans)
    assert frame.size % 16 == 0 and frame.size >= spans[-1][1]


def test_values_of_different_resume_points_share_a_slot() -> None:
    b = BodyBuilder("p", "process")
    one, two, three = b.new_block(), b.new_block(), b.new_block()
    b.set_block(one)
    x = b.op("ldt", I64, (b.ctx(),), 0)
    b.wait(two)
    b.set_block(two)
    b.op("stt", (), (b.ctx(), x), 104)
    y = b.op("ldt", I64, (b.ctx(),), 8)
    b.wait(three)
    b.set_block(three)
    b.op("stt", (), (b.ctx(), y), 112)
    b.halt()
    body = b.finish()
    assert body.frame is not None and len(set(body.frame.slots.values())) == 1


def test_context_addresses_take_no_frame_slot() -> None:
    b = BodyBuilder("p", "process")
    one, two = b.new_block(), b.new_block()
    b.set_block(one)
    c = b.ctx()
    net = b.op("netid", I32, (), 3)
    b.wait(two)
    b.set_block(two)
    b.op("stt", (), (c, net), 8)
    b.halt()
    body = b.finish()
    assert body.live_in[1] == []
    assert [op.code for op in body.blocks[1].ops] == ["ctx", "netid", "stt"]


def test_static_allocas_of_a_process_lie_in_its_frame() -> None:
    b = BodyBuilder("p", "process")
    b.set_block(b.new_block())
    p = b.op("alloca", I64, (b.i64(3),), (20, 4))
    q = b.op("alloca", I64, (b.i64(1),), (8, 8))
    b.op("st", (), (p, q), (0, 1))
    b.halt()
    body = b.finish()
    assert body.frame is not None
    first, second = body.frame.allocas[p.id], body.frame.allocas[q.id]
    assert first % 16 == second % 16 == 0 and second >= first + 60 and body.frame.size >= second + 8


def test_liveness_and_dominators_of_a_loop() -> None:
    b, (x, y) = function(I32, I32, results=(I32,))
    loop, out = b.new_block((I32,)), b.new_block()
    b.br(loop, (x,))
    b.set_block(loop)
    n = b.bin("sub", loop.params[0], y)
    b.cond_br(b.icmp("eq", n, b.i32(0)), out, loop, (), (n,))
    b.set_block(out)
    b.ret((b.bin("add", n, x),))
    body = b.finish()
    live = liveness(body)
    ids = [blk.id for blk in body.blocks]
    assert live.vals(live.live_in[ids[0]]) == [x, y]
    assert live.vals(live.live_in[ids[1]]) == [x, y]
    assert live.vals(live.live_in[ids[2]]) == [x, n]
    assert dominators(body) == {0: 0, 1: 0, 2: 1}
    assert [blk.id for blk in reverse_postorder(body.blocks[0])] == [0, 1, 2]
    assert {k: sorted(p.id for p in v) for k, v in predecessors(body).items()} == {0: [], 1: [0, 1], 2: [1]}


def test_verify_names_the_place_of_a_type_error() -> None:
    b, (x,) = function(I8, results=(I8,))
    y = b.bin("add", x, x)
    b.ret((y,))
    body = b.finish()
    body.blocks[0].ops.append(Op("add", (mirgen.fresh(body, I(9)),), (x, y)))
    with pytest.raises(AssertionError, match=r"f \^0 op 1 .*add.*expected operands"):
        verify(body)


def test_verify_rejects_a_use_that_is_not_dominated() -> None:
    b, (c,) = function(BOOL, results=(I8,))
    left, right = b.new_block(), b.new_block()
    b.cond_br(c, left, right)
    b.set_block(left)
    x = b.op("ldt", I8, (b.i32(64),), 0)
    b.ret((x,))
    b.set_block(right)
    b.ret((x,))
    with pytest.raises(AssertionError, match="used before its definition"):
        b.finish()


def test_an_entry_that_is_a_loop_gets_a_block_before_it() -> None:
    b = BodyBuilder("p", "process")
    only = b.new_block()
    b.set_block(only)
    b.op("rt", (), (), "k_x")
    b.wait(only)
    body = b.finish()
    assert len(body.blocks) == 2 and isinstance(body.blocks[0].term, Br)
