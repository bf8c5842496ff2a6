"""Images that stay where they lie: which ones may, and that nothing changes them while they are needed."""

from __future__ import annotations

import pytest

from tests.codegen.test_effects import both
from wasmjit.codegen.views import views
from wasmjit.sem.analysis import liveness
from wasmjit.sem.builder import BodyBuilder
from wasmjit.sem.mir import BOOL, A, Body, I, Val

N = 64
AT, OTHER, OUT = 128, 256, 512


def select(write: bool, make: bool = False) -> tuple[Body, Val]:
    """A parameter that is one of two arrays of the context; its last word is stored. write: the array changes before that."""
    b = BodyBuilder("r", "region")
    start, one, two, end = b.new_block(), b.new_block(), b.new_block(), b.new_block((A(N),))
    b.set_block(start)
    b.cond_br(b.op("ldt", BOOL, (b.ctx(),), 64), one, two)
    for block, at in ((one, AT), (two, OTHER)):
        b.set_block(block)
        b.br(end, (b.op("ldt", A(N), (b.ctx(),), at),))
    b.set_block(end)
    (p,) = end.params
    if write:
        b.op("stt", (), (b.ctx(), b.const(I(32), 0xDEAD)), AT + N - 4)
    if make:
        p = b.op("aput", A(N), (p, b.i32(15), b.const(I(32), 7)), (16, 4, (0,)))
    b.op("stt", (), (b.ctx(), b.op("aget", I(32), (p, b.op("ldt", I(32), (b.ctx(),), 72)), (16, 4, 0))), OUT)
    b.ret()
    body = b.finish()
    return body, next(v for x in body.blocks for v in x.params)


def memory(flag: int, index: int) -> bytes:
    out = bytearray(range(256)) + bytearray(512)
    out[64] = flag
    out[72:76] = index.to_bytes(4, "little")
    return bytes(out)


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("make", [False, True])
@pytest.mark.parametrize("flag", [0, 1])
def test_both_tiers_read_the_same_array(write: bool, make: bool, flag: int) -> None:
    body, _ = select(write, make)
    for index in (0, 15, 16):
        both(body, memory(flag, index))


def test_a_parameter_is_a_view_while_nothing_writes() -> None:
    body, p = select(write=False)
    assert p.id in views(body, liveness(body), {})


def test_a_write_before_the_last_use_needs_a_copy() -> None:
    body, p = select(write=True)
    assert p.id not in views(body, liveness(body), {})


def test_what_lives_across_a_suspension_is_in_the_frame() -> None:
    body, p = select(write=False)
    assert p.id not in views(body, liveness(body), {p.id: p})


def test_parameters_beside_one_that_copies_are_no_views() -> None:
    """The edge writes the storage of the other one, which may be what the view would point to."""
    b = BodyBuilder("r", "region")
    start, loop, end = b.new_block(), b.new_block((A(N), A(N), I(32))), b.new_block()
    b.set_block(start)
    ctx = b.ctx()
    b.br(loop, (b.op("ldt", A(N), (ctx,), AT), b.op("ldt", A(N), (ctx,), OTHER), b.i32(0)))
    b.set_block(loop)
    x, y, i = loop.params
    made = b.op("aput", A(N), (x, i, i), (16, 4, (0,)))
    b.cond_br(b.icmp("ult", i, b.i32(5)), loop, end, (y, made, b.bin("add", i, b.i32(1))), ())
    b.set_block(end)
    b.op("stt", (), (b.ctx(), made), OUT)
    b.ret()
    body = b.finish()
    assert not {v.id for x in body.blocks for v in x.params} & views(body, liveness(body), {})
    both(body, memory(0, 0))
