"""Suspension, resumption, suspending calls and frames in tier 0."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import mirgen
from tests.support.fake_env import CTX, FakeEnv
from wasmjit.interp import SimFault, source
from wasmjit.sem.builder import BodyBuilder
from wasmjit.sem.fold import leaf_from_bytes, leaf_to_bytes
from wasmjit.sem.mir import (
    BOOL,
    F32,
    F64,
    FRAME_CHILD,
    FRAME_CTX,
    FRAME_FN,
    FRAME_HEADER,
    FRAME_PROC,
    FUNC_PTR_BASE,
    I32,
    I64,
    STATUS_DONE,
    STATUS_WAIT,
    A,
    Body,
    CallSite,
    I,
    Ty,
)

I8 = I(8)


def leaves(rng: random.Random, n: int) -> list[Ty]:
    out: list[Ty] = []
    for _ in range(n):
        r = rng.random()
        if r < 0.6:
            out.append(I(rng.randint(1, 600)))
        else:
            out.append(F32 if r < 0.7 else F64 if r < 0.8 else A(rng.choice((0, 1, 7, 33))))
    return out


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), nwaits=st.integers(1, 5), n=st.integers(1, 8))
def test_values_of_every_kind_survive_suspension(seed: int, nwaits: int, n: int) -> None:
    rng = random.Random(seed)
    tys = leaves(rng, n)
    env = FakeEnv()
    at, src = 64, []
    for t in tys:
        src.append(at)
        at += (t.nbytes + 7) & ~7
    values = [mirgen.random_value(rng, t) for t in tys]
    for t, off, v in zip(tys, src, values, strict=True):
        env.write(CTX + off, leaf_to_bytes(t, v))
    b = BodyBuilder("p", "process")
    b.set_block(b.new_block())
    vals: list[Any] = [None] * n
    uses: list[tuple[int, int]] = []  # (leaf, destination offset)
    out = 0x800
    first = [rng.randrange(nwaits) for _ in range(n)]
    for w in range(nwaits + 1):
        for i, t in enumerate(tys):
            if w < nwaits and first[i] == w:
                vals[i] = b.op("ldt", t, (b.ctx(),), src[i])
            if vals[i] is not None and (rng.random() < 0.5 or w == nwaits):
                b.op("stt", (), (b.ctx(), vals[i]), out)
                uses.append((i, out))
                out += (t.nbytes + 7) & ~7
        if w < nwaits:
            nxt = b.new_block()
            b.wait(nxt, sens=b.sens_set(w))
            b.set_block(nxt)
    b.halt()
    body = b.finish()
    env.add(body)
    frame = env.new_frame(body)
    env.u32[frame + FRAME_PROC >> 2] = 5
    for w in range(nwaits):
        assert env.run(body, frame) == STATUS_WAIT
        assert env.u32[frame >> 2] == w + 1
        assert env.calls[-1] == ("k_wait_set", 5, w)
    assert env.run(body, frame) == STATUS_DONE
    for i, off in uses:
        assert mirgen.same(tys[i], leaf_from_bytes(tys[i], env.read(CTX + off, tys[i].nbytes)), values[i])


def test_a_counter_process_loops_through_its_wait() -> None:
    b = BodyBuilder("p", "process")
    step = b.param(I32)
    start, loop, done = b.new_block(), b.new_block((I32,)), b.new_block()
    b.set_block(start)
    b.br(loop, (b.i32(0),))
    b.set_block(loop)
    again = b.new_block()
    n = loop.params[0]
    b.op("stt", (), (b.ctx(), n), 64)
    b.cond_br(b.icmp("ugt", n, b.i32(20)), done, again)
    b.set_block(again)
    resume = b.new_block()
    b.wait(resume, time=(b.i64(1000), b.i32(0), b.i32(0)))
    b.set_block(resume)
    b.br(loop, (b.bin("add", n, step),))
    b.set_block(done)
    b.halt()
    body = b.finish()
    env = FakeEnv()
    env.add(body)
    frame = env.new_frame(body)
    assert body.frame is not None
    env.u32[frame + body.frame.params[0] >> 2] = 7
    seen = []
    while env.run(body, frame) == STATUS_WAIT:
        seen.append(env.u32[CTX + 64 >> 2])
    assert seen == [0, 7, 14]
    assert env.u32[CTX + 64 >> 2] == 21
    assert env.calls == [("k_wait_time", 0, 1000, 0, 0)] * 3


def test_waits_report_every_kind_of_sensitivity() -> None:
    b = BodyBuilder("p", "process")
    one, two, three = b.new_block(), b.new_block(), b.new_block()
    b.set_block(one)
    p = b.op("ldt", I64, (b.ctx(),), 8)
    b.wait(two, sens=b.sens_set("s"), dyn=((p, 4, 1), (b.i64(0x5000), 8, 0)), time=(b.i64(5), b.i32(6), b.i32(7)))
    b.set_block(two)
    b.wait(three)
    b.set_block(three)
    b.halt()
    body = b.finish()
    env = FakeEnv()
    env.u64[CTX + 8 >> 3] = (3 << 32) | 0x4444
    env.add(body)
    frame = env.new_frame(body)
    env.u32[frame + FRAME_PROC >> 2] = 9
    assert env.run(body, frame) == STATUS_WAIT
    assert env.calls == [
        ("k_wait_set", 9, 0),
        ("k_wait_dyn", 9, 2, 0x4444, 4, 1),
        ("k_wait_dyn", 9, 0xFFFFFFFF, 0x5000, 8, 0),
        ("k_wait_time", 9, 5, 6, 7),
    ]
    env.calls.clear()
    assert env.run(body, frame) == STATUS_WAIT and env.calls == []
    assert env.run(body, frame) == STATUS_DONE


def delayed_sum(key: str = "sum", nested: str | None = None) -> Body:
    """A coroutine (a, b) -> (a + b + 1, flag) that waits once, and through `nested` again."""
    b = BodyBuilder(key, "coroutine", (I(100), BOOL))
    x, y = b.param(I(100)), b.param(I8)
    start, after = b.new_block(), b.new_block()
    b.set_block(start)
    s = b.bin("add", x, b.zext(y, 100))
    b.wait(after, time=(b.i64(10), b.i32(0), b.i32(0)))
    b.set_block(after)
    if nested is None:
        b.ret((b.bin("add", s, b.const(I(100), 1)), b.icmp("eq", y, b.const(I8, 0))))
    else:
        back = b.new_block((I(100), BOOL))
        b.call_s(nested, (s, y), back)
        b.set_block(back)
        r, f = back.params
        b.ret((b.bin("add", r, s), b.not_(f)))
    return b.finish()


def caller(callee: str | None, site: CallSite | None = None) -> Body:
    b = BodyBuilder("main", "process")
    start, back = b.new_block(), b.new_block((I(100), BOOL))
    b.set_block(start)
    x = b.op("ldt", I(100), (b.ctx(),), 64)
    y = b.op("ldt", I8, (b.ctx(),), 80)
    head = (b.op("ldt", I64, (b.ctx(),), 88),) if site is not None else ()
    b.call_s(callee, (*head, x, y), back, site)
    b.set_block(back)
    r, f = back.params
    b.op("stt", (), (b.ctx(), b.bin("xor", r, x)), 128)
    b.op("stt", (), (b.ctx(), f), 144)
    b.halt()
    return b.finish()


def prepared(env: FakeEnv, body: Body) -> int:
    env.write(CTX + 64, ((1 << 99) + 5).to_bytes(16, "little"))
    env.mem[CTX + 80] = 3
    env.add(body)
    frame = env.new_frame(body)
    env.u32[frame + FRAME_PROC >> 2] = 77
    return frame


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_suspending_calls_nest_and_give_their_results(depth: int) -> None:
    env = FakeEnv()
    for d in range(depth):
        env.add(delayed_sum(f"f{d}", f"f{d + 1}" if d + 1 < depth else None))
    main = caller("f0")
    frame = prepared(env, main)
    for waits in range(depth):
        assert env.run(main, frame) == STATUS_WAIT
        chain, at = 0, frame
        while at:
            assert env.u32[at + FRAME_PROC >> 2] == 77
            chain, at = chain + 1, env.u32[at + FRAME_CHILD >> 2]
        assert chain == waits + 2
    assert env.run(main, frame) == STATUS_DONE
    x, y, m = (1 << 99) + 5, 3, (1 << 100) - 1

    def model(d: int, x: int) -> tuple[int, bool]:
        s = (x + y) & m
        if d == depth - 1:
            return (s + 1) & m, y == 0
        r, f = model(d + 1, s)
        return (r + s) & m, not f

    r, f = model(0, x)
    assert int.from_bytes(env.read(CTX + 128, 16), "little") == r ^ x
    assert env.mem[CTX + 144] == f
    assert env.live_frames == {frame}
    assert env.u32[frame + FRAME_CHILD >> 2] == 0


def test_callee_frames_carry_code_context_and_arguments() -> None:
    env = FakeEnv()
    env.add(delayed_sum("sum"))
    main = caller("sum")
    frame = prepared(env, main)
    assert env.run(main, frame) == STATUS_WAIT
    child = env.u32[frame + FRAME_CHILD >> 2]
    assert (env.u32[child + FRAME_FN >> 2], env.u32[child + FRAME_CTX >> 2], env.u32[child >> 2]) == (env.fn_index("sum"), CTX, 1)
    assert int.from_bytes(env.read(child + FRAME_HEADER, 16), "little") == (1 << 99) + 5
    assert env.mem[child + FRAME_HEADER + 16] == 3


def test_suspending_calls_through_pointers() -> None:
    env = FakeEnv()
    env.add(delayed_sum("sum"))
    env.pointers[FUNC_PTR_BASE + 1] = "sum"
    main = caller(None, CallSite(5, (I(100), I8), (I(100), BOOL)))
    frame = prepared(env, main)
    env.u64[CTX + 88 >> 3] = FUNC_PTR_BASE + 1
    assert [env.run(main, frame), env.run(main, frame)] == [STATUS_WAIT, STATUS_DONE]
    assert int.from_bytes(env.read(CTX + 128, 16), "little") == ((1 << 99) + 9) ^ ((1 << 99) + 5)
    frame = env.new_frame(main)
    env.u64[CTX + 88 >> 3] = 12
    with pytest.raises(SimFault) as e:
        env.run(main, frame)
    assert (e.value.site, e.value.addr) == (5, 12)


def test_a_callee_that_does_not_wait_returns_at_once() -> None:
    env = FakeEnv()
    b = BodyBuilder("now", "coroutine", (I(100), BOOL))
    x, y = b.param(I(100)), b.param(I8)
    b.set_block(b.new_block())
    b.ret((b.bin("sub", x, b.zext(y, 100)), b.bit(True)))
    env.add(b.finish())
    main = caller("now")
    frame = prepared(env, main)
    assert env.run(main, frame) == STATUS_DONE
    assert env.mem[CTX + 144] == 1


def test_spawned_processes_get_their_parameters_in_the_frame() -> None:
    env = FakeEnv()
    b = BodyBuilder("child", "process")
    p, q = b.param(I64), b.param(I(70))
    b.set_block(b.new_block())
    b.op("stt", (), (b.ctx(), p), 64)
    b.op("stt", (), (b.ctx(), q), 80)
    b.halt()
    child = b.finish()
    env.add(child)
    b = BodyBuilder("main", "process")
    b.set_block(b.new_block())
    (pid,) = b.op("spawn", (I32,), (b.i64(11), b.const(I(70), 1 << 69)), "child")
    b.op("stt", (), (b.ctx(), pid), 72)
    b.halt()
    main = b.finish()
    env.add(main)
    assert env.run(main, env.new_frame(main)) == STATUS_DONE
    assert child.frame is not None
    assert env.calls == [("k_spawn", env.fn_index("child"), CTX, child.frame.size)]
    assert env.u32[CTX + 72 >> 2] == 100
    assert env.run(child, max(env.live_frames)) == STATUS_DONE
    assert env.u64[CTX + 64 >> 3] == 11 and int.from_bytes(env.read(CTX + 80, 16), "little") == 1 << 69


def test_allocas_of_processes_keep_their_contents_over_a_wait_and_are_zeroed_when_executed() -> None:
    b = BodyBuilder("p", "process")
    n = b.param(I64)
    loop, after = b.new_block(), b.new_block()
    b.set_block(loop)
    fixed = b.op("alloca", I64, (b.i64(4),), (8, 8))
    dynamic = b.op("alloca", I64, (n,), (8, 8))
    for p, off in ((fixed, 64), (dynamic, 72)):
        b.op("stt", (), (b.ctx(), b.op("ld", I64, (p,), (8, 1))), off)
        b.op("st", (), (p, b.i64(123)), (8, 1))
    b.wait(after)
    b.set_block(after)
    x = b.bin("add", b.op("ld", I64, (fixed,), (8, 1)), b.op("ld", I64, (dynamic,), (8, 1)))
    b.op("stt", (), (b.ctx(), x), 80)
    end = b.new_block()
    b.cond_br(b.icmp("eq", b.op("ldt", I8, (b.ctx(),), 96), b.const(I8, 0)), loop, end)
    b.set_block(end)
    b.halt()
    body = b.finish()
    env = FakeEnv()
    env.add(body)
    frame = env.new_frame(body)
    assert body.frame is not None
    env.u64[frame + body.frame.params[0] >> 3] = 3
    for _ in range(3):
        assert env.run(body, frame) == STATUS_WAIT
        assert (env.u64[CTX + 64 >> 3], env.u64[CTX + 72 >> 3]) == (0, 0)
    assert env.u64[CTX + 80 >> 3] == 246
    assert len(env.live_frames) == 4
    env.mem[CTX + 96] = 1
    assert env.run(body, frame) == STATUS_DONE
    assert env.live_frames == {frame}


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), nblocks=st.integers(1, 10))
def test_control_flow_with_waits_equals_the_same_without(seed: int, nblocks: int) -> None:
    plain = mirgen.random_cfg(random.Random(seed), nblocks)
    body = mirgen.suspending(mirgen.random_cfg(random.Random(seed), nblocks, finish=False), random.Random(seed))
    env = FakeEnv()
    env.add(body)
    args = [mirgen.random_value(random.Random(seed), p.ty) for p in plain.params]
    frame = env.new_frame(body)
    assert body.frame is not None
    for p, off, a in zip(body.params, body.frame.params, args, strict=True):
        env.write(frame + off, leaf_to_bytes(p.ty, a))
    status, activations = STATUS_WAIT, 0
    while status == STATUS_WAIT:
        status = env.run(body, frame)
        activations += 1
        assert activations < 1000
    got = [leaf_from_bytes(t, env.read(frame + off, t.nbytes)) for t, off in zip(body.results, body.frame.results, strict=True)]
    for t, g, w in zip(body.results, got, mirgen.interpret(plain, args), strict=True):
        assert mirgen.same(t, g, w), (seed, nblocks, source(body, env))


def test_very_large_bodies_stay_within_the_limits_of_python() -> None:
    env = FakeEnv()
    b = BodyBuilder("big", "function", (I32,))
    x, deep = b.param(I32), b.param(I32)
    b.set_block(b.new_block())
    acc = x
    for i in range(6000):  # one expression, deeper than any parser allows
        acc = b.bin("add" if i % 2 else "xor", acc, b.i32(i + 1))
    out = b.new_block((I32,))
    for i in range(300):  # ifs nested 300 deep
        yes, no = b.new_block(), b.new_block()
        b.cond_br(b.icmp("eq", deep, b.i32(i)), yes, no)
        b.set_block(yes)
        b.br(out, (b.bin("add", acc, b.i32(i)),))
        b.set_block(no)
    b.br(out, (acc,))
    b.set_block(out)
    v = out.params[0]
    for i in range(300):  # ifs in a row
        yes, join = b.new_block(), b.new_block((I32,))
        b.cond_br(b.icmp("ult", v, b.i32(i * 99991)), yes, join, (), (v,))
        b.set_block(yes)
        b.br(join, (b.bin("add", v, b.i32(i + 3)),))
        b.set_block(join)
        v = join.params[0]
    targets = [b.new_block() for _ in range(200)]
    end = b.new_block((I32,))
    b.switch(b.bin("modu", v, b.i32(211)), [(i, t, ()) for i, t in enumerate(targets)], end, (v,))
    for i, t in enumerate(targets):
        b.set_block(t)
        b.br(end, (b.bin("xor", v, b.i32(i * 7 + 1)),))
    b.set_block(end)
    b.ret((end.params[0],))
    body = b.finish()
    env.add(body)
    fn = env.function("big")
    for args in ((0, 0), (1, 299), (12345, 150), (0xFFFFFFFF, 1000)):
        assert list(fn(*args)) == mirgen.interpret(body, args)
