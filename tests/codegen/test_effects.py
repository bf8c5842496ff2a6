"""Memory, nets and faults: compiled regions do what interpreted ones do, to memory and in their kernel calls."""

from __future__ import annotations

import random
from typing import Any

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.codegen.harness import CTX, GUEST_LO, Machine
from tests.support.fake_env import FakeEnv
from tests.support.mirgen import random_type, random_value
from wasmjit.codegen.emit import HANDLERS
from wasmjit.interp import SimFault, compile_body
from wasmjit.sem.builder import BodyBuilder
from wasmjit.sem.fold import leaf_to_bytes
from wasmjit.sem.mir import F32, F64, I64, STATUS_DONE, A, Body, Drive, I, Ty, Val
from wasmjit.sem.verify import CHECKS

PAGES = 16
NET = 1 << 32
DATA, DATA_END = CTX + 0x100, CTX + 0x900  # what regions read and write at constant offsets


def both(body: Body, memory: bytes) -> tuple[FakeEnv, Machine]:
    env = FakeEnv(PAGES * 65536)
    env.write(CTX, memory)
    fault: tuple[int, int] | None = None
    try:
        compile_body(body, env)(CTX)
    except SimFault as e:
        fault = (e.site & 0xFFFFFFFF, e.addr)
    m = Machine(PAGES)
    m.write(CTX, memory)
    m.load(body)
    sp = m.sp.value(m.store)
    if fault is None:
        m.func(body.key)(m.store, CTX)
        assert m.sp.value(m.store) == sp
        assert m.faults == []
    else:
        with pytest.raises(wasmtime.Trap):
            m.func(body.key)(m.store, CTX)
        assert m.faults == [fault]
    assert [effect(c) for c in m.calls] == [effect(c) for c in env.calls]
    assert m.read(CTX, 0x7000) == env.read(CTX, 0x7000)
    return env, m


def effect(c: tuple[Any, ...]) -> tuple[Any, ...]:
    """A kernel call in a form that does not depend on which of several equal calls was chosen."""
    short = {"k_drive_eps": (0, 0, 1), "k_drive_delta": (0, 1, 0)}
    if c[0] in short or c[0] in ("k_drive", "k_store_net"):
        name = "store" if c[0] == "k_store_net" else "drive"
        return (name, *c[1:4], c[4].to_bytes(8, "little")[: c[3]], *short.get(c[0], c[5:]))
    return {"k_drive_mem": ("drive",), "k_store_net_mem": ("store",)}.get(c[0], c[:1]) + c[1:]


class Writer:
    """Builds a region of random effects; memory at CTX is random, so values come from there."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.b = BodyBuilder("r", "region")
        self.b.set_block(self.b.new_block())
        self.vals: list[Val] = []
        self.areas: list[Val] = []
        self.memory = bytearray(rng.randbytes(0x2000))

    def allocate(self) -> None:
        """Memory of the activation's own: at fixed places, and (once) of a size that is only known at run time."""
        for k in range(self.rng.randint(0, 3)):
            n = self.rng.choice((4, 9, 40))
            count = self.b.i64(n) if k < 2 else self.b.bin("or", self.b.op("ldt", I64, (self.b.const(I(32), 0x700),), 0), self.b.i64(n))
            self.areas.append(self.b.op("alloca", I64, (count,), (8, 8)))

    def small(self) -> Val:
        """A pointer into one of them, with 16 bytes behind it."""
        ptr = self.rng.choice(self.areas)
        return self.b.bin("add", ptr, self.b.i64(self.rng.randrange(16))) if self.rng.random() < 0.6 else ptr

    def fresh(self, ty: Ty) -> Val:
        """A clean value of a type in memory, loaded from there."""
        rng = self.rng
        if rng.random() < 0.2:
            return self.b.const(ty, random_value(rng, ty))
        known = [v for v in self.vals if v.ty == ty]
        if known and rng.random() < 0.5:
            return rng.choice(known)
        v = self.b.op("ld", ty, (self.b.i64(GUEST_LO + rng.randrange(0x300)),), (rng.randrange(3), 9))
        self.vals.append(v)
        return v

    def offset(self, n: int) -> int:
        return self.rng.randrange(DATA - CTX, DATA_END - CTX - n)

    def guest(self, n: int) -> int:
        return GUEST_LO + self.rng.randrange(0x400)

    def leaves(self, small: bool = False) -> tuple[list[Val], tuple[int, ...], int]:
        rng = self.rng
        tys = [random_type(rng) for _ in range(rng.choice((1, 1, 2, 3)))]
        if small:
            tys = [t for t in tys if t.nbytes <= 4][:2] or [I(rng.randint(1, 64))]
        tys = [t if t.nbytes else I(5) for t in tys]
        offs, at = [], 0
        for t in tys:
            align = 1 if t.kind == "a" else min(8, t.nbytes)
            at = -(-at // align) * align
            offs.append(at)
            at += t.nbytes
        size = at if len(tys) == 1 else next((s for s in (1, 2, 4, 8) if s >= at), -(-at // 8) * 8)
        return [self.fresh(t) for t in tys], tuple(offs), size

    def time(self) -> tuple[tuple[int, int, int] | None, list[Val]]:
        r = self.rng.random()
        if r < 0.6:
            return self.rng.choice(((0, 0, 1), (0, 1, 0), (1000, 0, 0))), []
        return None, [self.fresh(I64), self.fresh(I(32)), self.fresh(I(32))]

    def step(self) -> None:
        rng, b = self.rng, self.b
        if self.areas and rng.random() < 0.3:
            if rng.random() < 0.5:
                self.vals.append(b.op("ld", rng.choice((I(8), I(64), I(13), F64, A(8), I(128))), (self.small(),), (0, 3)))
            else:
                b.op("st", (), (self.small(), self.fresh(rng.choice((I(8), I(64), I(13), F64, A(8))))), (0, 4))
            return
        kind = rng.choice(("ldt", "ldt", "stt", "ldbits", "ld", "st", "stnet", "netstore", "drv", "drvref", "bits", "memcpy", "memset", "use"))
        if kind == "ldt":
            t = rng.choice((I(8), I(16), I(32), I(64), I(128), I(576), A(3), A(8), A(40), A(200)))
            self.vals.append(b.op("ldt", t, (b.ctx(),), self.offset(t.nbytes)))
        elif kind == "stt":
            v = self.fresh(random_type(rng))
            b.op("stt", (), (b.ctx(), v), self.offset(v.ty.nbytes))
        elif kind == "ldbits":
            w = rng.choice((1, 5, 8, 31, 57, 58, 64, 65, 130, 600))
            bit = b.const(I(32), rng.randrange(100)) if rng.random() < 0.4 else b.bin("and", self.fresh(I(32)), b.const(I(32), 127))
            self.vals.append(b.op("ldbits", I(w), (b.const(I(32), DATA + rng.randrange(64)), bit)))
        elif kind == "ld":
            t = random_type(rng)
            self.vals.append(b.op("ld", t, (b.i64(self.guest(t.nbytes)),), (rng.randrange(8), 3)))
        elif kind in ("st", "stnet"):
            v = self.fresh(random_type(rng))
            b.op("st", (), (b.i64(self.guest(v.ty.nbytes) + (NET * 5 if kind == "stnet" else 0)), v), (rng.randrange(8), 4))
        elif kind == "netstore":
            vals, offs, size = self.leaves()
            b.op("netstore", (), tuple(vals), (3, self.offset(size), offs, size))
        elif kind == "drv":
            vals, offs, size = self.leaves(rng.random() < 0.5)
            when, time = self.time()
            b.op("drv", (), (b.op("netid", I(32), (), 2), b.const(I(32), 0x1800), *vals, *time), Drive(offs, size, when, len(vals)))
        elif kind == "drvref":
            vals, offs, size = self.leaves(rng.random() < 0.5)
            when, time = self.time()
            ptr = self.guest(size) // 16 * 16 + rng.choice((0, NET * 7))
            b.op("drvref", (), (b.i64(ptr), b.const(I(32), 0), *vals, *time), Drive(offs, size, when, len(vals)))
        elif kind == "bits":
            v = self.fresh(I(rng.choice((1, 9, 60, 64, 65, 150))))
            when, time = self.time()
            bit = b.bin("or", b.bin("and", self.fresh(I(32)), b.const(I(32), 63)), b.const(I(32), 1))
            ptr = self.guest(64) + rng.choice((0, NET * 7))
            b.op("drvref", (), (b.i64(ptr), bit, v, *time), Drive((0,), v.ty.nbytes, when, 1))
        elif kind == "memcpy":
            n = b.bin("and", self.fresh(I64), b.i64(127))
            dst = self.guest(0) + rng.choice((0, 0, NET * 3))
            b.op(rng.choice(("memcpy", "memmove")), (), (b.i64(dst), b.i64(self.guest(0)), n), 8)
        elif kind == "memset":
            n = b.bin("and", self.fresh(I64), b.i64(127))
            b.op("memset", (), (b.i64(self.guest(0) + rng.choice((0, 0, NET * 3))), self.fresh(I(8)), n), 8)
        else:
            wide = [v for v in self.vals if v.ty.kind == "a" and v.ty.size >= 8]
            if wide:
                img = rng.choice(wide)
                idx = b.extract(self.fresh(I(32)), 0, 5)
                n = img.ty.size // 8
                if rng.random() < 0.5:
                    self.vals.append(b.op("aget", I(64), (img, idx), (n, 8, 0)))
                else:
                    self.vals.append(b.op("aput", img.ty, (img, idx, self.fresh(I(64))), (n, 8, (0,))))

    def finish(self) -> Body:
        self.b.ret()
        return self.b.finish()


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_random_effects_equal_the_interpreter(seed: int) -> None:
    rng = random.Random(seed)
    w = Writer(rng)
    w.allocate()
    for _ in range(rng.randint(1, 25)):
        w.step()
    both(w.finish(), bytes(w.memory))


def process(rng: random.Random) -> tuple[Writer, Body]:
    """A process of random effects with waits, branches and a loop around everything."""
    w = Writer(rng)
    b = w.b = BodyBuilder("p", "process")
    start, head = b.new_block(), b.new_block((I(32), A(24)))
    b.set_block(start)
    w.allocate()
    b.br(head, (b.i32(0), b.op("ldt", A(24), (b.ctx(),), w.offset(24))))
    b.set_block(head)
    w.vals += head.params
    for _ in range(rng.randint(1, 8)):
        kind = rng.random()
        if kind < 0.35:
            resume = b.new_block()
            b.wait(resume)
            b.set_block(resume)
        elif kind < 0.7:
            yes, no = b.new_block(), b.new_block()
            join = b.new_block((A(24), I(64), I(576)))
            b.cond_br(b.extract(w.fresh(I(32)), rng.randrange(32), 1), yes, no)
            known = list(w.vals)
            for side in (yes, no):
                b.set_block(side)
                w.vals = list(known)
                for _ in range(rng.randint(0, 4)):
                    w.step()
                if rng.random() < 0.3:
                    resume = b.new_block()
                    b.wait(resume)
                    b.set_block(resume)
                b.br(join, (w.fresh(A(24)), w.fresh(I(64)), w.fresh(I(576))))
            w.vals = known
            b.set_block(join)
            w.vals += join.params
        else:
            for _ in range(rng.randint(1, 4)):
                w.step()
    again, end = b.new_block(), b.new_block()
    n = b.bin("add", head.params[0], b.i32(1))
    image = w.fresh(A(24))
    if rng.random() < 0.5:
        image = b.op("aput", A(24), (image, b.extract(n, 0, 2), w.fresh(I(64))), (3, 8, (0,)))
    b.cond_br(b.icmp("ugt", n, b.i32(3)), end, again)
    b.set_block(again)
    if rng.random() < 0.7:
        resume = b.new_block()
        b.wait(resume)
        b.set_block(resume)
    b.br(head, (n, image))
    b.set_block(end)
    b.op("stt", (), (b.ctx(), image), w.offset(24))
    b.halt()
    return w, b.finish()


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_random_processes_equal_the_interpreter_after_every_activation(seed: int) -> None:
    rng = random.Random(seed)
    w, body = process(rng)
    env, m = FakeEnv(PAGES * 65536), Machine(PAGES)
    env.write(CTX, bytes(w.memory))
    m.write(CTX, bytes(w.memory))
    env.add(body)
    m.load(body)
    theirs, ours = env.new_frame(body), m.new_frame(body)
    while True:
        want, got = env.run(body, theirs), m.activate(body, ours)
        assert got == want
        assert [effect(c) for c in m.calls] == [effect(c) for c in env.calls]
        assert m.read(CTX, 0x7000) == env.read(CTX, 0x7000)
        if got == STATUS_DONE:
            break


def test_every_operation_of_mir_is_lowered() -> None:
    assert set(HANDLERS) == set(CHECKS)


LIMIT = PAGES * 65536


@pytest.mark.parametrize("ty", [I(8), I(32), F64, I(128), A(40), I(600)])
@pytest.mark.parametrize("off", [0, 3, GUEST_LO + 8])
@pytest.mark.parametrize("base", [0, 1, GUEST_LO - 1, GUEST_LO, LIMIT - 45, LIMIT - 1, LIMIT, 0xFFFFFFF0, 0xFFFFFFFF, NET * 2 + 5, NET * 2 + GUEST_LO])
def test_guest_addresses_are_checked(ty: Ty, off: int, base: int) -> None:
    for store in (False, True):
        b = BodyBuilder("r", "region")
        b.set_block(b.new_block())
        ptr = b.op("ldt", I64, (b.ctx(),), 64)
        if store:
            b.op("st", (), (ptr, b.const(ty, random_value(random.Random(1), ty))), (off, 17))
        else:
            b.op("stt", (), (b.ctx(), b.op("ld", ty, (ptr,), (off, 17))), 128)
        b.ret()
        both(b.finish(), bytes(64) + leaf_to_bytes(I64, base) + bytes(0x200))


@pytest.mark.parametrize(("src", "dst", "n"), [(0, GUEST_LO, 0), (0, GUEST_LO, 1), (GUEST_LO, 5, 1), (GUEST_LO, GUEST_LO, 1 << 63), (LIMIT - 4, GUEST_LO, 5), (LIMIT - 4, GUEST_LO, 4), (GUEST_LO, 0xFFFFFFFF, 2)])
def test_block_copies_are_checked(src: int, dst: int, n: int) -> None:
    for code in ("memcpy", "memmove", "memset"):
        b = BodyBuilder("r", "region")
        b.set_block(b.new_block())
        b.op(code, (), (b.i64(dst), b.i64(src) if code != "memset" else b.const(I(8), 0xAA), b.i64(n)), 21)
        b.ret()
        both(b.finish(), bytes(64))


def test_every_nan_is_stored_as_one() -> None:
    b = BodyBuilder("r", "region")
    b.set_block(b.new_block())
    d, f = b.op("ldt", F64, (b.ctx(),), 8), b.op("ldt", F32, (b.ctx(),), 16)
    b.op("stt", (), (b.ctx(), d), 64)
    b.op("st", (), (b.i64(GUEST_LO), f), (0, 1))
    b.op("stt", (), (b.ctx(), b.op("anew", A(16), (d, f), (0, 8))), 96)
    b.op("netstore", (), (d, f), (1, 128, (0, 8), 16))
    b.ret()
    both(b.finish(), bytes(8) + bytes.fromhex("23010000000000f0ffffffff00000000") + bytes(0x100))


def test_an_array_built_in_a_loop_is_not_copied_each_time() -> None:
    """aput of a dead value works in place: no block copy inside the loop."""
    b = BodyBuilder("r", "region")
    n = 8192
    start, loop, end = b.new_block(), b.new_block((I(32), A(n))), b.new_block((A(n),))
    b.set_block(start)
    b.br(loop, (b.i32(0), b.op("ldt", A(n), (b.ctx(),), 0x800)))
    b.set_block(loop)
    i, arr = loop.params
    value = b.bin("mul", i, b.i32(3))
    new = b.op("aput", A(n), (arr, i, value), (n // 4, 4, (0,)))
    i2 = b.bin("add", i, b.i32(1))
    b.cond_br(b.icmp("ult", i2, b.i32(n // 4)), loop, end, (i2, new), (new,))
    b.set_block(end)
    b.op("stt", (), (b.ctx(), end.params[0]), 0x800)
    b.ret()
    body = b.finish()
    m = Machine(PAGES)
    m.load(body)
    assert m.module.count(b"\xfc\x0a\x00\x00") == 2  # into the loop's place, and the store
    m.func("r")(m.store, CTX)
    want = b"".join((3 * i).to_bytes(4, "little") for i in range(n // 4))
    assert m.read(CTX + 0x800, n) == want


def test_an_array_still_needed_is_copied() -> None:
    b = BodyBuilder("f", "function", (A(64), A(64)))
    idx = b.param(I(4))
    b.set_block(b.new_block())
    one = b.op("anew", A(64), tuple(b.const(I(32), 7 * i) for i in range(16)), tuple(range(0, 64, 4)))
    one = b.op("aput", A(64), (one, idx, b.i32(99)), (16, 4, (0,)))
    two = b.op("aput", A(64), (one, idx, b.i32(1)), (16, 4, (0,)))
    b.ret((one, two))
    body = b.finish()
    m = Machine(PAGES)
    m.load(body)
    got: list[Any] = m.call(body, [3])
    assert got[0][12] == 99
    assert got[1][12] == 1
    assert got[0][:12] == got[1][:12]
