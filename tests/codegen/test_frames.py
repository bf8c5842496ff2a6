"""Suspension: frames written by compiled code are those of the interpreter, and activations may change tier at every resume point."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.codegen.harness import CTX, HEAP, Machine
from tests.support import mirgen
from tests.support.fake_env import FakeEnv
from wasmjit.codegen.calls import REC_SHIFT
from wasmjit.interp import compile_body
from wasmjit.sem.builder import BodyBuilder
from wasmjit.sem.mir import (
    BOOL,
    CB_CUR,
    FRAME_CHILD,
    FRAME_SPARE,
    FUNC_PTR_BASE,
    I32,
    I64,
    PROC_WSET,
    STATUS_DEOPT,
    STATUS_DONE,
    STATUS_FAULT,
    STATUS_WAIT,
    A,
    Body,
    CallSite,
    I,
)

PAGES = 16


class Both:
    """The same bodies in both tiers over equal memories; each activation runs in one of them."""

    def __init__(self, rng: random.Random, *bodies: Body) -> None:
        self.rng = rng
        self.env = FakeEnv(PAGES * 65536)
        self.m = Machine(PAGES)
        for b in bodies:
            self.env.add(b)
        self.m.load(*bodies)
        self.env.brk = HEAP
        # One set of table indices: the interpreter finds bodies where compiled code expects them.
        self.env.table = [None] * 64  # type: ignore[list-item]
        for b in bodies:
            slot = self.m.link.slots[b.key]
            self.env.indices[b.key] = slot
            self.env.table[slot] = compile_body(b, self.env)

    def activate(self, body: Body, frame: int, compiled: bool) -> int:
        env, m = self.env, self.m
        if compiled:
            status = m.activate(body, frame)
            env.mem[:] = m.read(0, len(env.mem))
            env.brk, env.live_frames = m.brk, m.live
        else:
            env.brk, env.live_frames = m.brk, m.live
            env.mem[:] = m.read(0, len(env.mem))
            status = int(env.table[m.link.slots[body.key]](CTX, frame))
            m.write(0, bytes(env.mem))
            m.brk = env.brk
        return status

    def finish(self, body: Body, frame: int, mode: str = "mixed", limit: int = 10_000) -> list[Any]:
        for _ in range(limit):
            compiled = mode == "compiled" or (mode == "mixed" and self.rng.random() < 0.5)
            status = self.activate(body, frame, compiled)
            if status == STATUS_DONE:
                return self.m.results(body, frame)
            assert status == STATUS_WAIT
        raise AssertionError("never done")


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), mode=st.sampled_from(("compiled", "mixed")))
def test_control_flow_with_waits_equals_the_same_without(seed: int, mode: str) -> None:
    rng = random.Random(seed)
    nblocks, nvars = rng.randint(1, 8), rng.randint(1, 5)
    plain = mirgen.random_cfg(random.Random(seed), nblocks, nvars)
    co = mirgen.suspending(mirgen.random_cfg(random.Random(seed), nblocks, nvars, finish=False), rng)
    both = Both(rng, co)
    for _ in range(3):
        args = [mirgen.random_value(rng, p.ty) for p in co.params]
        frame = both.m.new_frame(co, args)
        got = both.finish(co, frame, mode)
        want = mirgen.interpret(plain, args)
        for t, a, b in zip(plain.results, got, want, strict=True):
            assert mirgen.same(t, a, b), (args, got, want)


def counter() -> Body:
    """Counts down in a loop: waits `n` times, giving 3*n and its image."""
    b = BodyBuilder("counter", "coroutine", (I64, A(200)))
    n = b.param(I32)
    img = b.param(A(200))
    start, loop, go, end = b.new_block(), b.new_block((I32, I64, A(200))), b.new_block(), b.new_block()
    b.set_block(start)
    b.br(loop, (n, b.i64(0), img))
    b.set_block(loop)
    left, total, arr = loop.params
    b.cond_br(b.icmp("eq", left, b.i32(0)), end, go)
    b.set_block(go)
    resume = b.new_block()
    new = b.op("aput", A(200), (arr, left, b.extract(total, 0, 8)), (200, 1, (0,)))
    b.wait(resume, time=(b.i64(5), b.i32(0), b.i32(0)))
    b.set_block(resume)
    b.br(loop, (b.bin("sub", left, b.i32(1)), b.bin("add", total, b.i64(3)), new))
    b.set_block(end)
    b.ret((total, arr))
    return b.finish()


def caller(key: str, callee: str | None, site: CallSite | None = None) -> Body:
    """Calls `callee` for 1, 2, 3 and adds up; values of every kind live across the calls."""
    b = BodyBuilder(key, "coroutine", (I64, A(200)))
    n = b.param(I32)
    img = b.param(A(200))
    start, loop, end = b.new_block(), b.new_block((I32, I64, A(200), I(100))), b.new_block()
    b.set_block(start)
    b.br(loop, (b.i32(1), b.i64(0), img, b.const(I(100), 1 << 99)))
    b.set_block(loop)
    i, total, arr, wide = loop.params
    resume = b.new_block((I64, A(200)))
    args = (b.bin("add", i, n), arr)
    if site is not None:
        args = (b.i64(FUNC_PTR_BASE + 2), *args)  # type: ignore[assignment]
    b.call_s(callee, args, resume, site)
    b.set_block(resume)
    part, new = resume.params
    i2 = b.bin("add", i, b.i32(1))
    w2 = b.bin("add", wide, b.const(I(100), 1))
    sum_ = b.bin("add", b.bin("add", total, part), b.extract(w2, 0, 64))
    b.cond_br(b.icmp("ugt", i2, b.i32(3)), end, loop, (), (i2, sum_, new, w2))
    b.set_block(end)
    b.ret((sum_, new))
    return b.finish()


def expected(depth: int, n: int, img: bytes) -> tuple[int, bytes]:
    if depth == 0:
        out = bytearray(img)
        for k in range(n):
            if n - k < 200:
                out[n - k] = 3 * k & 0xFF
        return 3 * n, bytes(out)
    total = 0
    for i in (1, 2, 3):
        part, img = expected(depth - 1, i + n, img)
        total += part + i
    return total, img


@pytest.mark.parametrize("mode", ["compiled", "mixed", "interpreted"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_suspending_calls_nest(depth: int, mode: str) -> None:
    bodies = [counter()] + [caller(f"c{d}", "counter" if d == 1 else f"c{d - 1}") for d in range(1, depth + 1)]
    both = Both(random.Random(depth), *bodies)
    img = bytes(range(200))
    frame = both.m.new_frame(bodies[-1], [2, img])
    assert tuple(both.finish(bodies[-1], frame, mode)) == expected(depth, 2, img)
    assert both.m.u32(frame + FRAME_CHILD) == 0
    assert both.m.live == {frame}


def test_suspending_calls_through_function_pointers() -> None:
    records = 0x3000
    site = CallSite(77, (I32, A(200)), (I64, A(200)))
    c, top = counter(), caller("top", None, site)
    m = Machine(PAGES, func_records=records, func_count=4)
    m.load(c, top)
    assert c.frame is not None
    sig = m.link.sig_id(site.params, site.results)
    m.write(records + (2 << REC_SHIFT), struct.pack("<IIII", sig, 0, m.link.slots["counter"], c.frame.size))
    frame = m.new_frame(top, [1, bytes(200)])
    while (status := m.activate(top, frame)) == STATUS_WAIT:
        pass
    assert status == STATUS_DONE
    assert tuple(m.results(top, frame)) == expected(1, 1, bytes(200))
    m.write(records + (2 << REC_SHIFT), struct.pack("<I", sig + 1))
    with pytest.raises(wasmtime.Trap):
        m.activate(top, m.new_frame(top, [1, bytes(200)]))
    assert m.faults == [(77, FUNC_PTR_BASE + 2)]


def test_calls_through_function_pointers_are_checked() -> None:
    records = 0x3000
    site = CallSite(5, (I32, A(16)), (I64, A(16), I32))
    f = BodyBuilder("f", "function", site.results)
    x, img = f.param(I32), f.param(A(16))
    f.set_block(f.new_block())
    f.ret((f.zext(x, 64), f.op("aput", A(16), (img, f.extract(x, 0, 4), f.const(I(8), 9)), (16, 1, (0,))), f.bin("add", x, x)))
    g = BodyBuilder("g", "function", site.results)
    p, y, arr = g.param(I64), g.param(I32), g.param(A(16))
    g.set_block(g.new_block())
    g.ret(g.op("icall", site.results, (p, y, arr), site))
    fb, gb = f.finish(), g.finish()
    m = Machine(PAGES, func_records=records, func_count=3)
    m.load(fb)
    m.load(gb)
    sig = m.link.sig_id(site.params, site.results)
    m.write(records + 16, struct.pack("<IIII", sig, m.link.slots["f"], 0, 0))
    assert m.call(gb, [FUNC_PTR_BASE + 1, 3, bytes(16)]) == [3, bytes(3) + b"\x09" + bytes(12), 6]
    for bad in (0, 1, FUNC_PTR_BASE, FUNC_PTR_BASE + 2, FUNC_PTR_BASE + 3, FUNC_PTR_BASE + 1 + (1 << 32), FUNC_PTR_BASE - 1):
        m.faults.clear()
        with pytest.raises(wasmtime.Trap):
            m.call(gb, [bad, 3, bytes(16)])
        assert m.faults == [(5, bad)]


def test_functions_call_each_other_directly_and_through_the_table() -> None:
    def fact(key: str, callee: str) -> Body:
        b = BodyBuilder(key, "function", (I64, A(8), I(70)))
        n = b.param(I64)
        one, more, done = b.new_block(), b.new_block(), b.new_block()
        b.set_block(one)
        b.cond_br(b.icmp("ult", n, b.i64(2)), done, more)
        b.set_block(done)
        b.ret((b.i64(1), b.const(A(8), bytes(8)), b.const(I(70), 1 << 69)))
        b.set_block(more)
        rest, img, wide = b.op("call", (I64, A(8), I(70)), (b.bin("sub", n, b.i64(1)),), callee)
        out = b.op("aput", A(8), (img, b.const(I32, 0), rest), (1, 8, (0,)))
        b.ret((b.bin("mul", n, rest), out, b.bin("add", wide, b.const(I(70), 1))))
        return b.finish()

    want = [720, (120).to_bytes(8, "little"), (1 << 69) + 5]
    m = Machine(PAGES)
    direct = fact("a", "a")
    m.load(direct)
    assert m.call(direct, [6]) == want
    m.link.slots.update(x=10, y=11)
    x, y = fact("x", "y"), fact("y", "x")
    m.load(x)
    m.load(y)
    assert m.call(x, [6]) == want


def test_the_deopt_flag_is_polled_and_leaves_the_frame_alone() -> None:
    c = counter()
    m = Machine(PAGES, deopt_flag_addr=64)
    m.load(c)
    frame = m.new_frame(c, [2, bytes(200)])
    assert m.activate(c, frame) == STATUS_WAIT
    before = m.read(frame, c.frame.size)  # type: ignore[union-attr]
    m.write(64, b"\1")
    assert m.activate(c, frame) == STATUS_DEOPT
    assert m.read(frame, c.frame.size) == before  # type: ignore[union-attr]
    m.write(64, b"\0")
    assert m.activate(c, frame) == STATUS_WAIT


def test_the_host_is_asked_whether_a_frame_is_handed_over() -> None:
    c = counter()
    m = Machine(PAGES, ask_deopt=True)
    m.load(c)
    asked: list[int] = []

    def forced(frame: int) -> bool:
        asked.append(frame)
        return len(asked) == 2

    m.forced = forced
    frame = m.new_frame(c, [2, bytes(200)])
    assert [m.activate(c, frame) for _ in range(3)] == [STATUS_WAIT, STATUS_DEOPT, STATUS_WAIT]
    assert asked == [frame] * 3


def test_status_of_a_callee_is_handed_up() -> None:
    b = BodyBuilder("bad", "coroutine", ())
    b.set_block(b.new_block())
    b.fault(12)
    bad = b.finish()
    c = BodyBuilder("top", "process")
    first, rest = c.new_block(), c.new_block()
    c.set_block(first)
    c.call_s("bad", (), rest)
    c.set_block(rest)
    c.halt()
    top = c.finish()
    m = Machine(PAGES)
    m.load(bad, top)
    assert m.activate(top, m.new_frame(top)) == STATUS_FAULT
    assert m.faults == [(12, 0)]


def test_waits_report_sensitivity_and_time() -> None:
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
    m = Machine(PAGES)
    m.load(body)
    m.write(CTX + 8, ((9 << 32) | 0x3000).to_bytes(8, "little"))
    m.write(CB_CUR, (0x5800).to_bytes(4, "little"))
    frame = m.new_frame(body)
    assert [m.activate(body, frame) for _ in range(3)] == [STATUS_WAIT, STATUS_WAIT, STATUS_DONE]
    assert m.read(0x5800 + PROC_WSET, 4) == (1).to_bytes(4, "little")  # set 0, plus 1, in the descriptor of the running process
    assert m.calls == [
        ("k_wait_dyn", 7, 8, 0x3000, 4, 1),
        ("k_wait_dyn", 7, 0xFFFFFFFF, 0x5000, 8, 0),
        ("k_wait_time", 7, 5, 6, 7),
    ]


@pytest.mark.parametrize(("time", "call"), [((9, 0, 0), ("k_wait_fs", 9)), ((0, 0, 1), ("k_wait_time", 7, 0, 0, 1)), ((9, 1, 0), ("k_wait_time", 7, 9, 1, 0))])
def test_waits_for_a_constant_real_time_take_the_short_call(time: tuple[int, int, int], call: tuple[str | int, ...]) -> None:
    b = BodyBuilder("p", "process")
    one, two = b.new_block(), b.new_block()
    b.set_block(one)
    b.wait(two, time=(b.i64(time[0]), b.i32(time[1]), b.i32(time[2])))
    b.set_block(two)
    b.halt()
    body = b.finish()
    m = Machine(PAGES)
    m.load(body)
    assert m.activate(body, m.new_frame(body)) == STATUS_WAIT
    assert m.calls == [call]


def test_spawned_processes_get_their_parameters() -> None:
    child = BodyBuilder("child", "process")
    x, img = child.param(I64), child.param(A(5))
    child.set_block(child.new_block())
    child.op("stt", (), (child.ctx(), x), 16)
    child.op("stt", (), (child.ctx(), img), 24)
    child.halt()
    b = BodyBuilder("p", "process")
    b.set_block(b.new_block())
    proc = b.op("spawn", I32, (b.i64(77), b.const(A(5), b"hello")), "child")
    b.op("stt", (), (b.ctx(), proc), 32)
    b.halt()
    top, kid = b.finish(), child.finish()
    m = Machine(PAGES)
    m.load(kid, top)
    assert m.activate(top, m.new_frame(top)) == STATUS_DONE
    (call,) = m.calls
    assert call == ("k_spawn", m.link.slots["child"], CTX, kid.frame.size)  # type: ignore[union-attr]
    assert m.u32(CTX + 32) == 101
    assert m.activate(kid, max(m.live)) == STATUS_DONE
    assert m.read(CTX + 16, 13) == (77).to_bytes(8, "little") + b"hello"


@pytest.mark.parametrize("dynamic", [False, True])
def test_allocas_of_processes_live_with_the_frame(dynamic: bool) -> None:
    b = BodyBuilder("p", "process")
    n = b.param(I64)
    one, two = b.new_block(), b.new_block()
    b.set_block(one)
    ptr = b.op("alloca", I64, (n if dynamic else b.i64(20),), (4, 4))
    b.op("st", (), (ptr, b.i32(0x1234)), (40, 1))
    b.wait(two)
    b.set_block(two)
    b.op("stt", (), (b.ctx(), b.op("ld", A(80), (ptr,), (0, 1))), 64)
    b.halt()
    body = b.finish()
    m = Machine(PAGES)
    m.load(body)
    frame = m.new_frame(body, [20])
    assert m.activate(body, frame) == STATUS_WAIT
    assert (m.u32(frame + FRAME_SPARE) != 0) == dynamic
    assert len(m.live) == 1 + dynamic
    assert m.activate(body, frame) == STATUS_DONE
    assert m.live == {frame}
    assert m.read(CTX + 64, 80) == bytes(40) + b"\x34\x12" + bytes(38)


def test_allocas_of_functions_are_zeroed_and_released() -> None:
    b = BodyBuilder("f", "function", (I64, A(24)))
    n = b.param(I64)
    b.set_block(b.new_block())
    ptr = b.op("alloca", I64, (n,), (8, 8))
    before = b.op("ld", A(24), (ptr,), (0, 1))
    b.op("memset", (), (ptr, b.const(I(8), 255), b.bin("mul", n, b.i64(8))), 2)
    b.ret((ptr, before))
    body = b.finish()
    m = Machine(PAGES, stack_limit=0x38000)
    m.load(body)
    first = m.call(body, [3])
    assert first == m.call(body, [3])
    assert first[1] == bytes(24)
    for big in (0x8000, 1 << 29, 1 << 61, (1 << 61) + 3):
        m.faults.clear()
        if (big * 8) % 2**64 < 0x100:
            continue
        with pytest.raises(wasmtime.Trap):
            m.call(body, [big])
        assert m.faults[0][0] == 0xFFFFFFFF
        m.sp.set_value(m.store, wasmtime.Val.i32(0x3F000))


def test_shadow_stack_overflow_by_recursion_is_a_fault() -> None:
    b = BodyBuilder("f", "function", (A(512),))
    img = b.param(A(512))
    b.set_block(b.new_block())
    b.ret((b.op("call", (A(512),), (b.op("aput", A(512), (img, b.i32(1), b.i32(7)), (128, 4, (0,))),), "f")[0],))
    body = b.finish()
    m = Machine(PAGES, stack_limit=0x38000)
    m.load(body)
    with pytest.raises(wasmtime.Trap):
        m.call(body, [bytes(512)])
    assert m.faults[0][0] == 0xFFFFFFFF


def test_services_get_leaves_in_a_buffer() -> None:
    from wasmjit.sem.mir import F32, F64, Service

    b = BodyBuilder("f", "function", (I(8), I(100), A(3), F64, F32, I(600)))
    x = b.param(I(8))
    b.set_block(b.new_block())
    res = b.op(
        "svc",
        (I(8), I(100), A(3), F64, F32, I(600)),
        (b.icmp("ult", x, b.const(I(8), 9)), b.const(A(2), b"hi"), b.const(F32, 0.5), b.const(I(130), 1 << 129), x),
        Service("probe", None, 4),
    )
    b.ret(res)
    body = b.finish()
    m = Machine(PAGES)
    m.load(body)

    def probe(buf: int) -> int:
        q = struct.unpack("<8Q", m.read(buf, 64))
        assert q[0] == 1
        assert m.read(q[1], 2) == b"hi"
        assert struct.unpack("<d", m.read(buf + 16, 8))[0] == 0.5
        assert q[3:7] == (0, 0, 2, 3)
        m.write(q[7], b"xyz")
        m.write(buf, struct.pack("<QQQQdd10Q", 5, 0, 1 << 26, 0, 2.5, 1.5, *range(10)))
        return 0

    m.services[4] = probe
    assert m.call(body, [3]) == [5, 1 << 90, b"xyz", 2.5, 1.5, sum(i << (64 * i) for i in range(10)) & ((1 << 600) - 1)]
    m.services[4] = lambda buf: 1
    with pytest.raises(wasmtime.Trap):
        m.call(body, [3])


def test_runtime_functions_are_called_with_their_own_types() -> None:
    from dataclasses import dataclass

    @dataclass
    class Sig:
        params: tuple[str, ...]
        result: str

    b = BodyBuilder("f", "function", (I(8), I(40)))
    x = b.param(I(8))
    b.set_block(b.new_block())
    r = b.op("rt", I(8), (x, b.zext(x, 64)), "r_one")
    q = b.op("rt", I(40), (), "r_two")
    b.ret((r, q))
    body = b.finish()
    m = Machine(PAGES)
    m.link.kernel.update(r_one=Sig(("i64", "i32"), "i32"), r_two=Sig((), "i32"))
    i32, i64 = wasmtime.ValType.i32(), wasmtime.ValType.i64()
    m.extra["r_one"] = wasmtime.Func(m.store, wasmtime.FuncType([i64, i32], [i32]), lambda a, b: a * 1000 + b)
    m.extra["r_two"] = wasmtime.Func(m.store, wasmtime.FuncType([], [i32]), lambda: -1)
    m.load(body)
    assert m.call(body, [7]) == [7007 & 0xFF, 0xFFFFFFFF]


def test_large_process_with_many_waits() -> None:
    """A thousand resume points in a row inside one loop."""
    b = BodyBuilder("p", "process")
    start, loop = b.new_block(), b.new_block((I32,))
    b.set_block(start)
    b.br(loop, (b.i32(0),))
    b.set_block(loop)
    v = loop.params[0]
    for k in range(1000):
        nxt = b.new_block()
        b.wait(nxt)
        b.set_block(nxt)
        v = b.bin("add", v, b.i32(k))
        b.op("stt", (), (b.ctx(), v), 64)
    end = b.new_block()
    b.cond_br(b.icmp("ugt", v, b.i32(1_000_000)), end, loop, (), (v,))
    b.set_block(end)
    b.halt()
    body = b.finish()
    m = Machine(PAGES)
    m.load(body)
    frame = m.new_frame(body)
    for _ in range(2500):
        assert m.activate(body, frame) == STATUS_WAIT
    want = (2 * sum(range(1000)) + sum(range(499))) & 0xFFFFFFFF
    # The 2500 activations ran 2499 stores.
    assert m.u32(CTX + 64) == want


def test_conditions_of_every_switch_form() -> None:
    cases = {
        I(3): [0, 1, 2, 5], I(32): [7, 9, 0xFFFFFFFF, 0x80000000], I(40): [1 << 39, (1 << 39) + 1, (1 << 39) + 3], I(64): [0, 1 << 63, 5],
        I(100): [1 << 99, 0, 3], BOOL: [1],
    }  # fmt: skip
    bodies = []
    for ty, values in cases.items():
        b = BodyBuilder(f"s{ty.size}", "function", (I32,))
        x = b.param(ty)
        start, end = b.new_block(), b.new_block((I32,))
        b.set_block(start)
        b.switch(x, [(c, end, (b.i32(i),)) for i, c in enumerate(values)], end, (b.i32(100),))
        b.set_block(end)
        b.ret((end.params[0],))
        bodies.append((b.finish(), ty, values))
    m = Machine(PAGES)
    m.load(*(x for x, *_ in bodies))
    for body, ty, values in bodies:
        for v in {*values, 0, ty.mask, ty.mask >> 1, 4 & ty.mask, 8 & ty.mask, 1 << 32 & ty.mask}:
            assert m.call(body, [v]) == [values.index(v) if v in values else 100]
