"""The printed form of MIR bodies."""

from __future__ import annotations

import random

from tests.support import mirgen
from wasmjit.sem.builder import BodyBuilder
from wasmjit.sem.mir import I32, I64, A, CallSite, Drive, I, Service
from wasmjit.sem.printer import format_body

I8 = I(8)


def test_a_process_prints_with_tokens_slots_and_locations() -> None:
    b = BodyBuilder("top.p", "process", loc="top.sv:3:1")
    p = b.param(I64)
    one, two, three = b.new_block(), b.new_block(), b.new_block((I8,))
    b.set_block(one)
    x = b.op("ldt", I8, (b.ctx(),), 16, "top.sv:4:9")
    b.wait(two, sens=b.sens_set("clk"), dyn=((p, 4, 1),), time=(b.i64(5), b.i32(0), b.i32(0)), loc="top.sv:5:1")
    b.set_block(two)
    b.op("drv", (), (b.op("netid", I32, (), 2), b.ctx(), x), Drive((0,), 1, (0, 0, 1), 1))
    b.call_s("task", (x, b.const(I(70), 1 << 69)), three)
    b.set_block(three)
    b.op("st", (), (p, three.params[0]), (8, 3))
    b.op("svc", (), (b.const(A(2), b"\1\2"),), Service("print", None, 7))
    b.op("icall", (), (p,), CallSite(4, (), ()))
    b.halt()
    assert format_body(b.finish()) == (
        'process "top.p" (%0: i64) frame 48 {                             ; top.sv:3:1\n'
        "  sens 0 = 'clk'\n"
        "^0:\n"
        "  %2: i32 = ctx\n"
        "  %3: i8 = ldt %2 @16                                            ; top.sv:4:9\n"
        "  wait sens 0, posedge %0/4, time <5:i64, 0:i32, 0:i32> -> ^1  [token 1, live %0@32, %3@40] ; top.sv:5:1\n"
        "^1:\n"
        "  %6: i32 = netid 2\n"
        "  %7: i32 = ctx\n"
        "  drv %6, %7, %3 offs [0] size 1 after <0fs, 0d, 1e>\n"
        '  call.s "task" (%3, 0x200000000000000000:i70) -> ^2  [token 2, live %0@32]\n'
        "^2(%1: i8):\n"
        "  st %0, %1 @8 site 3\n"
        "  gcpoll\n"  # a service may allocate
        '  svc 0x[0102]:a2 "print" id 7\n'
        "  icall %0 site 4 [] -> []\n"
        "  halt\n"
        "}\n"
    )


def test_branches_and_switches_show_their_arguments() -> None:
    b = BodyBuilder("f", "function", (I32,))
    x = b.param(I32)
    entry, loop, end = b.new_block(), b.new_block((I32,)), b.new_block((I32,))
    b.set_block(entry)
    b.cond_br(b.icmp("ult", x, b.i32(5)), loop, end, (x,), (b.i32(0),))
    b.set_block(loop)
    b.switch(loop.params[0], [(1, loop, (b.i32(3),)), (2, end, (x,))], end, (b.i32(9),))
    b.set_block(end)
    b.ret((end.params[0],))
    text = format_body(b.finish())
    assert "= icmp %0, 5:i32 ult\n  br %4 ? ^1(%0) : ^2(0:i32)\n" in text
    assert "switch %1 [1: ^1(3:i32), 2: ^2(%0), default: ^2(9:i32)]" in text
    assert text.endswith("^2(%2: i32):\n  ret %2\n}\n")


def test_every_body_prints_each_operation_once() -> None:
    for seed in range(40):
        body = mirgen.random_cfg(random.Random(seed), 6)
        text = format_body(body)
        lines = text.splitlines()
        assert len(lines) == 2 + sum(2 + len(blk.ops) for blk in body.blocks)
        for blk in body.blocks:
            for op in blk.ops:
                assert any(line.startswith(f"  %{op.dsts[0].id}: ") and f" {op.code}" in line for line in lines)
