"""Loops that do nothing become waits; turns of loops are counted."""

from __future__ import annotations

from wasmjit.sem.builder import BodyBuilder
from wasmjit.sem.loops import LIMIT_OFFSET, STEPS_OFFSET, count_turns, headers, stop_idle_loops
from wasmjit.sem.mir import I32, CondBr, Fault, I, Op, Wait


def looping(effect: bool, kind: str = "process") -> BodyBuilder:
    """entry -> head <-> tail, with or without a store in the tail."""
    b = BodyBuilder("p", kind)
    entry, head, tail = b.new_block(), b.new_block(), b.new_block()
    b.set_block(entry)
    b.br(head)
    b.set_block(head)
    x = b.op("ldt", I(8), (b.op("ctx", I32, ()),), 16)
    b.br(tail)
    b.set_block(tail)
    if effect:
        b.op("stt", (), (b.op("ctx", I32, ()), x), 17)
    b.br(head)
    return b


def ops(b: BodyBuilder) -> list[Op]:
    return [op for block in b.body.blocks for op in block.ops]


def test_an_endless_loop_without_effect_becomes_a_wait_that_nothing_ends() -> None:
    b = looping(effect=False)
    assert stop_idle_loops(b.body) == 1
    waits = [block.term for block in b.finish().blocks if isinstance(block.term, Wait)]
    assert len(waits) == 1
    assert waits[0].sens is None and waits[0].dyn == () and waits[0].time is None


def test_a_loop_that_stores_is_left_alone() -> None:
    b = looping(effect=True)
    assert stop_idle_loops(b.body) == 0
    assert not any(isinstance(block.term, Wait) for block in b.finish().blocks)


def test_a_function_cannot_wait_so_its_loop_stays() -> None:
    assert stop_idle_loops(looping(effect=False, kind="function").body) == 0


def test_a_loop_with_a_way_out_is_left_alone() -> None:
    b = BodyBuilder("p", "process")
    entry, head, out = b.new_block(), b.new_block(), b.new_block()
    b.set_block(entry)
    b.br(head)
    b.set_block(head)
    go = b.op("ldt", I(1), (b.op("ctx", I32, ()),), 16)
    b.cond_br(go, head, out)
    b.set_block(out)
    b.halt()
    assert stop_idle_loops(b.body) == 0


def test_a_way_out_that_is_never_taken_is_none() -> None:
    b = BodyBuilder("p", "process")
    entry, head, out = b.new_block(), b.new_block(), b.new_block()
    b.set_block(entry)
    b.br(head)
    b.set_block(head)
    b.cond_br(b.const(I(1), 1), head, out)
    b.set_block(out)
    b.halt()
    assert stop_idle_loops(b.body) == 1


def test_a_loop_through_a_wait_is_no_loop_of_one_activation() -> None:
    b = BodyBuilder("p", "process")
    entry, again = b.new_block(), b.new_block()
    b.set_block(entry)
    b.br(again)
    b.set_block(again)
    b.wait(again)
    assert headers(b.body) == set()


def test_each_turn_is_counted_and_the_limit_faults() -> None:
    b = looping(effect=True)
    count_turns(b, 7)
    codes = [(op.code, op.attr) for op in ops(b)]
    assert codes.count(("stt", STEPS_OFFSET)) == 1
    assert ("ldt", LIMIT_OFFSET) in codes
    checks = [block.term for block in b.body.blocks if isinstance(block.term, CondBr)]
    assert len(checks) == 1
    stop = checks[0].ttarget.term
    assert isinstance(stop, Fault) and stop.site == 7
    b.finish()


def test_the_counter_lies_where_the_control_block_has_it() -> None:
    from wasmjit.sched import control

    assert STEPS_OFFSET == control.CB_LOOPS and LIMIT_OFFSET == control.CB_MAX_STEPS
