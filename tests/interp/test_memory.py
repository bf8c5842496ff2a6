"""Loads, stores, nets, drives and calls of tier 0 over linear memory."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import mirgen
from tests.support.fake_env import CTX, GUEST_LO, FakeEnv
from wasmjit.interp import NO_SITE, SimFault, compile_body, lazy, op_counts
from wasmjit.sem.builder import BodyBuilder
from wasmjit.sem.fold import leaf_to_bytes
from wasmjit.sem.mir import BOOL, F32, F64, FUNC_PTR_BASE, I32, I64, A, CallSite, Drive, I, Service, Ty

I8, I16 = I(8), I(16)
LEAVES = [I(1), I8, I(12), I16, I(24), I32, I(40), I64, I(65), I(128), I(200), I(600), F32, F64, A(0), A(3), A(16), A(100)]


def region() -> BodyBuilder:
    b = BodyBuilder("r", "region")
    b.set_block(b.new_block())
    return b


def run_region(b: BodyBuilder, env: FakeEnv) -> None:
    b.ret()
    compile_body(b.finish(), env)(CTX)


def image(ty: Ty, value: Any) -> bytes:
    return leaf_to_bytes(ty, value)


@pytest.mark.parametrize("ty", LEAVES, ids=str)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_trusted_loads_and_stores_move_leaves(ty: Ty, seed: int) -> None:
    env = FakeEnv()
    value = mirgen.random_value(random.Random(seed), ty)
    env.write(CTX + 64, image(ty, value))
    b = region()
    other = b.op("ldt", I32, (b.ctx(),), 8)
    env.u32[CTX + 8 >> 2] = CTX + 0x400
    v = b.op("ldt", ty, (b.ctx(),), 64)
    b.op("stt", (), (b.ctx(), v), 0x200)
    b.op("stt", (), (other, v), 16)
    run_region(b, env)
    assert env.read(CTX + 0x200, ty.nbytes) == env.read(CTX + 0x410, ty.nbytes) == image(ty, value)


@pytest.mark.parametrize("ty", LEAVES, ids=str)
@pytest.mark.parametrize("misalign", [0, 1, 4])
def test_guest_loads_and_stores_at_any_alignment(ty: Ty, misalign: int) -> None:
    env = FakeEnv()
    value = mirgen.random_value(random.Random(misalign), ty)
    src, dst = GUEST_LO + 0x100 + misalign, GUEST_LO + 0x400 + misalign
    env.write(src, image(ty, value))
    env.u64[CTX + 8 >> 3], env.u64[CTX + 16 >> 3] = src - 8, dst
    b = region()
    p, q = (b.op("ldt", I64, (b.ctx(),), o) for o in (8, 16))
    b.op("st", (), (q, b.op("ld", ty, (p,), (8, 1))), (0, 2))
    before = bytes(env.mem)
    run_region(b, env)
    assert env.read(dst, ty.nbytes) == image(ty, value)
    assert env.mem[:dst] == before[:dst] and env.mem[dst + ty.nbytes :] == before[dst + ty.nbytes :]


def test_guest_loads_cut_integers_to_their_width() -> None:
    env = FakeEnv()
    env.write(GUEST_LO, b"\xff" * 32)
    for ty in (I(1), I(12), I(31), I(63), I(100)):
        b = region()
        b.op("stt", (), (b.ctx(), b.op("ld", ty, (b.i64(GUEST_LO),), (0, 1))), 64)
        run_region(b, env)
        assert env.read(CTX + 64, ty.nbytes) == image(ty, ty.mask)


@pytest.mark.parametrize("ty", [I8, I32, I64, I(128), F64, A(16)], ids=str)
@pytest.mark.parametrize("ptr", [0, 4, GUEST_LO - 1, (1 << 18) - 3 + 4, 0xFFFFFFF0, FUNC_PTR_BASE + 3])
def test_bad_guest_addresses_fault_with_site_and_address(ty: Ty, ptr: int) -> None:
    if ptr == (1 << 18) + 1 and ty is I8:
        ptr += 8
    for store in (False, True):
        env = FakeEnv()
        env.u64[CTX + 8 >> 3] = ptr
        before = bytes(env.mem)
        b = region()
        p = b.op("ldt", I64, (b.ctx(),), 8)
        if store:
            b.op("st", (), (p, b.zero(ty)), (0, 7))
        else:
            b.op("ld", ty, (p,), (0, 7))
        with pytest.raises(SimFault) as e:
            run_region(b, env)
        assert (e.value.site, e.value.addr) == (7, ptr)
        assert bytes(env.mem) == before


def test_the_last_guest_bytes_are_valid_and_one_more_is_not() -> None:
    env = FakeEnv()
    end = env.mem_size()
    for addr, ok in ((GUEST_LO, True), (end - 4, True), (end - 3, False), (GUEST_LO - 1, False)):
        b = region()
        b.op("st", (), (b.i64(addr - 16), b.i32(5)), (16, 3))
        if ok:
            run_region(b, env)
            assert env.read(addr, 4) == b"\5\0\0\0"
        else:
            with pytest.raises(SimFault):
                run_region(b, env)


def test_stores_through_net_pointers_go_to_the_kernel() -> None:
    env = FakeEnv()
    ptr = (7 << 32) | (GUEST_LO + 64)
    wide = random.Random(1).randbytes(24)
    b = region()
    p = b.i64(ptr)
    b.op("st", (), (p, b.const(I8, 200)), (1, 1))
    b.op("st", (), (p, b.const(F64, 1.5)), (8, 1))
    b.op("st", (), (p, b.bit(True)), (0, 1))
    b.op("st", (), (p, b.const(A(24), wide)), (16, 1))
    b.op("st", (), (p, b.const(I(100), 1 << 99)), (0, 1))
    run_region(b, env)
    at = GUEST_LO + 64
    assert env.calls == [
        ("k_store_net", 6, at + 1, 1, 200),
        ("k_store_net", 6, at + 8, 8, int.from_bytes(image(F64, 1.5), "little")),
        ("k_store_net", 6, at, 1, 1),
        ("k_store_net_mem", 6, at + 16, 24, wide),
        ("k_store_net_mem", 6, at, 16, image(I(100), 1 << 99)),
    ]
    assert not any(env.mem[at : at + 64])


@settings(max_examples=60, deadline=None)
@given(bit=st.integers(0, 40), width=st.integers(1, 130), seed=st.integers(0, 2**32))
def test_ldbits_reads_at_a_bit_offset(bit: int, width: int, seed: int) -> None:
    env = FakeEnv()
    data = random.Random(seed).randbytes(32)
    env.write(CTX + 64, data)
    env.u32[CTX + 8 >> 2] = bit
    b = region()
    addr = b.op("add", I32, (b.ctx(), b.i32(64)))
    b.op("stt", (), (b.ctx(), b.op("ldbits", I(width), (addr, b.op("ldt", I32, (b.ctx(),), 8)))), 0x200)
    run_region(b, env)
    want = (int.from_bytes(data, "little") >> bit) & ((1 << width) - 1)
    assert int.from_bytes(env.read(CTX + 0x200, I(width).nbytes), "little") == want


def test_block_copies_and_fills_are_checked_and_reach_nets() -> None:
    env = FakeEnv()
    env.write(GUEST_LO, bytes(range(32)))
    b = region()
    b.op("memcpy", (), (b.i64(GUEST_LO + 100), b.i64(GUEST_LO), b.i64(16)), 1)
    b.op("memmove", (), (b.i64(GUEST_LO + 1), b.i64(GUEST_LO), b.i64(16)), 1)
    b.op("memset", (), (b.i64(GUEST_LO + 200), b.const(I8, 0xAB), b.i64(3)), 1)
    b.op("memcpy", (), (b.i64(0), b.i64(0), b.i64(0)), 1)
    b.op("memcpy", (), (b.i64((3 << 32) | (GUEST_LO + 300)), b.i64(GUEST_LO + 100), b.i64(5)), 1)
    run_region(b, env)
    assert env.read(GUEST_LO + 100, 16) == bytes(range(16))
    assert env.read(GUEST_LO, 17) == b"\0" + bytes(range(16))
    assert env.read(GUEST_LO + 200, 4) == b"\xab\xab\xab\0"
    assert env.calls == [("k_store_net_mem", 2, GUEST_LO + 300, 5, bytes(range(5)))]
    for code, args in (("memcpy", (GUEST_LO, 0, 4)), ("memcpy", (0, GUEST_LO, 4)), ("memcpy", (GUEST_LO, GUEST_LO, 1 << 40))):
        b = region()
        b.op(code, (), [b.i64(a) for a in args], 9)
        with pytest.raises(SimFault) as e:
            run_region(b, env)
        assert e.value.site == 9
    b = region()
    b.op("memset", (), (b.i64(GUEST_LO), b.const(I8, 1), b.i64(1 << 60)), 4)
    with pytest.raises(SimFault):
        run_region(b, env)


def test_netstore_stores_all_leaves_and_reports_once_if_any_differs() -> None:
    tys = (I(1), I32, I(100), F64, A(3))
    offs = (0, 4, 8, 24, 32)
    values: list[Any] = [1, 77, 1 << 98, -0.0, b"abc"]
    env = FakeEnv()
    env.u32[CTX >> 2] = 500
    for i in range(len(tys) + 1):
        for ty, off, v in zip(tys, offs, values, strict=True):
            env.write(CTX + 64 + off, image(ty, v))
        if i < len(tys):
            old = env.read(CTX + 64 + offs[i], tys[i].nbytes)
            env.write(CTX + 64 + offs[i], image(tys[i], [0, 78, 1 << 97, 0.0, b"abd"][i]))
        env.calls.clear()
        b = region()
        b.op("netstore", (), [b.const(t, v) for t, v in zip(tys, values, strict=True)], (3, 64, offs, 40))
        run_region(b, env)
        assert env.calls == ([("k_net_changed", 503)] if i < len(tys) else []), i
        if i < len(tys):
            assert env.read(CTX + 64 + offs[i], tys[i].nbytes) == old


def test_drives_choose_the_kernel_call_by_size_and_time() -> None:
    env = FakeEnv()
    env.u32[CTX >> 2] = 40
    b = region()
    net, addr = b.op("netid", I32, (), 2), b.op("add", I32, (b.ctx(), b.i32(64)))
    x = b.const(I8, 9)
    b.op("drv", (), (net, addr, x), Drive((0,), 1, (0, 0, 1), 1))
    b.op("drv", (), (net, addr, x), Drive((0,), 1, (0, 1, 0), 1))
    b.op("drv", (), (net, addr, x), Drive((0,), 1, (5000, 0, 0), 1))
    b.op("drv", (), (net, addr, x, b.i64(6), b.i32(7), b.i32(8)), Drive((0,), 1, None, 1))
    b.op("drv", (), (net, addr, b.const(F32, 2.0)), Drive((0,), 4, (0, 0, 1), 1))
    b.op("drv", (), (net, addr, x, b.const(I16, 0x1234)), Drive((0, 2), 4, (0, 0, 1), 2))
    b.op("drv", (), (net, addr, b.const(I(72), 1 << 70)), Drive((0,), 16, (0, 1, 0), 1))
    run_region(b, env)
    at = CTX + 64
    assert env.calls == [
        ("k_drive_eps", 42, at, 1, 9),
        ("k_drive_delta", 42, at, 1, 9),
        ("k_drive", 42, at, 1, 9, 5000, 0, 0),
        ("k_drive", 42, at, 1, 9, 6, 7, 8),
        ("k_drive_eps", 42, at, 4, 0x40000000),
        ("k_drive", 42, at, 4, 0x12340009, 0, 0, 1),
        ("k_drive_mem", 42, at, 16, image(I(72), 1 << 70), 0, 1, 0),
    ]


def test_drives_through_references() -> None:
    env = FakeEnv()
    at = GUEST_LO + 32
    env.write(at, b"\xff\xff\xff\xff")
    env.u32[CTX + 8 >> 2] = 5
    b = region()
    bit = b.op("ldt", I32, (b.ctx(),), 8)
    none = b.i32(0)
    plain, net = b.i64(at), b.i64((9 << 32) | at)
    eps = (0, 0, 1)
    b.op("drvref", (), (plain, bit, b.const(I(6), 0b101010)), Drive((0,), 1, eps, 1))
    b.op("drvref", (), (b.i64(at + 8), none, b.const(I32, 0x01020304)), Drive((0,), 4, eps, 1))
    b.op("drvref", (), (net, none, b.const(I16, 3)), Drive((0,), 2, eps, 1))
    b.op("drvref", (), (net, bit, b.const(I(6), 33)), Drive((0,), 1, (10, 0, 0), 1))
    b.op("drvref", (), (net, bit, b.const(I(100), (1 << 99) | 1)), Drive((0,), 16, eps, 1))
    run_region(b, env)
    assert int.from_bytes(env.read(at, 4), "little") == (0xFFFFFFFF & ~(0x3F << 5)) | (0b101010 << 5)
    assert env.read(at + 8, 4) == b"\4\3\2\1"
    assert env.calls == [
        ("k_drive", 8, at, 2, 3, 0, 0, 1),
        ("k_drive_bits", 8, at, 5, 6, 33, 10, 0, 0),
        ("k_drive_bits", 8, at, 5, 64, 1, 0, 0, 1),
        ("k_drive_bits", 8, at, 69, 36, 1 << 35, 0, 0, 1),
    ]
    b = region()
    b.op("drvref", (), (b.i64(12), b.i32(0), b.const(I8, 1)), Drive((0,), 1, eps, 1))
    with pytest.raises(SimFault) as e:
        run_region(b, env)
    assert e.value.site == NO_SITE


def test_services_get_plain_values_and_give_results() -> None:
    env = FakeEnv()
    seen: list[Any] = []

    def service(*args: Any) -> tuple[Any, ...]:
        seen.extend(args)
        return (5, 1 << 90, b"xyz", 2.5)

    env.services["probe"] = service
    b = BodyBuilder("f", "function", (I8, I(100), A(3), F64))
    x = b.param(I8)
    b.set_block(b.new_block())
    flag = b.icmp("ult", x, b.const(I8, 9))
    res = b.op("svc", (I8, I(100), A(3), F64), (flag, b.zext(flag, 8), b.const(A(2), b"hi"), b.const(F64, 0.5)), Service("probe", None, 4))
    b.ret(res)
    assert compile_body(b.finish(), env)(3) == (5, 1 << 90, b"xyz", 2.5)
    assert seen == [1, 1, b"hi", 0.5] and all(type(s) is not bool for s in seen)


def test_runtime_results_are_read_as_unsigned() -> None:
    env = FakeEnv()
    env.bind_kernel("k_two", lambda a: (-a, -1))
    env.bind_kernel("k_one", lambda: -2)
    b = BodyBuilder("f", "function", (I32, I64, I8))
    b.set_block(b.new_block())
    two = b.op("rt", (I32, I64), (b.i32(3),), "k_two")
    b.ret((*two, b.op("rt", I8, (), "k_one")))
    assert compile_body(b.finish(), env)() == (0xFFFFFFFD, (1 << 64) - 1, 0xFE)


def factorial() -> BodyBuilder:
    b = BodyBuilder("fact", "function", (I64,))
    n = b.param(I64)
    one, more = b.new_block(), b.new_block()
    done = b.new_block()
    b.set_block(one)
    b.cond_br(b.icmp("ult", n, b.i64(2)), done, more)
    b.set_block(done)
    b.ret((b.i64(1),))
    b.set_block(more)
    (rest,) = b.op("call", (I64,), (b.bin("sub", n, b.i64(1)),), "fact")
    b.ret((b.bin("mul", n, rest),))
    return b


def test_functions_call_each_other_by_key_and_by_pointer() -> None:
    env = FakeEnv()
    env.add(factorial().finish())
    env.pointers[FUNC_PTR_BASE + 2] = "fact"
    b = BodyBuilder("g", "function", (I64, I64))
    p = b.param(I64)
    b.set_block(b.new_block())
    (x,) = b.op("call", (I64,), (b.i64(10),), "fact")
    (y,) = b.op("icall", (I64,), (p, b.i64(5)), CallSite(11, (I64,), (I64,)))
    b.ret((x, y))
    fn = compile_body(b.finish(), env)
    assert fn(FUNC_PTR_BASE + 2) == (3628800, 120)
    with pytest.raises(SimFault) as e:
        fn(FUNC_PTR_BASE + 3)
    assert (e.value.site, e.value.addr) == (11, FUNC_PTR_BASE + 3)


def test_a_function_may_be_replaced_in_code_that_calls_it() -> None:
    env = FakeEnv()
    env.add(factorial().finish())
    b = BodyBuilder("g", "function", (I64,))
    b.set_block(b.new_block())
    b.ret(b.op("call", (I64,), (b.i64(4),), "fact"))
    fn = compile_body(b.finish(), env)
    assert fn() == (24,)
    env.bind_function("fact", lambda n: (n + 1000,))
    assert fn() == (1004,)


def test_allocas_of_functions_are_zeroed_stack_memory_that_is_released() -> None:
    env = FakeEnv()
    env.mem[GUEST_LO:0x10000] = b"\xee" * (0x10000 - GUEST_LO)
    b = BodyBuilder("f", "function", (I64, I64, I64))
    n = b.param(I64)
    b.set_block(b.new_block())
    p = b.op("alloca", I64, (b.i64(2),), (8, 8))
    q = b.op("alloca", I64, (n,), (4, 16))
    first = b.op("ld", I64, (p,), (8, 1))
    b.op("st", (), (q, b.i64(-1)), (0, 1))
    b.ret((p, q, b.op("or", I64, (first, b.op("ld", I64, (p,), (0, 1))))))
    fn = compile_body(b.finish(), env)
    p1, q1, zero = fn(100)
    assert zero == 0 and q1 + 400 <= p1 and q1 % 16 == 0 and p1 % 8 == 0
    assert fn(100) == (p1, q1, 0)
    with pytest.raises(SimFault):
        fn(1 << 50)


def test_fault_terminator_ends_the_activation() -> None:
    env = FakeEnv()
    b = region()
    b.fault(21)
    with pytest.raises(SimFault) as e:
        compile_body(b.finish(), env)(CTX)
    assert e.value.site == 21


def test_operation_counts_are_exact() -> None:
    env = FakeEnv(count=True)
    body = factorial().finish()
    env.add(body)
    fn = compile_body(body, env, count=True)
    assert fn(6) == (720,) and fn(1) == (1,)
    counts = op_counts(body, env)
    assert (counts["icmp"], counts["call"], counts["mul"]) == (7, 5, 5)


def test_memory_may_grow_under_existing_code() -> None:
    env = FakeEnv()
    b = BodyBuilder("f", "function", (I32,))
    p = b.param(I64)
    b.set_block(b.new_block())
    b.ret((b.op("ld", I32, (p,), (0, 1)),))
    fn = compile_body(b.finish(), env)
    at = env.mem_size() + 8
    with pytest.raises(SimFault):
        fn(at)
    bigger = bytearray(env.mem_size() * 2)
    bigger[at] = 9
    env.bind_memory(bigger)
    assert fn(at) == (9,)


def test_bool_is_never_stored_as_text_of_a_bool() -> None:
    env = FakeEnv()
    b = region()
    x = b.op("ldt", I8, (b.ctx(),), 8)
    f = b.icmp("eq", x, b.const(I8, 0))
    b.op("stt", (), (b.ctx(), f), 16)
    b.op("stt", (), (b.ctx(), b.op("repl", I(3), (f,))), 17)
    b.op("stt", (), (b.ctx(), b.sext(f, 70)), 24)
    b.op("drv", (), (b.i32(1), b.i32(CTX), f), Drive((0,), 1, (0, 0, 1), 1))
    b.op("stt", (), (b.ctx(), b.op("sext", BOOL, (f,))), 18)
    run_region(b, env)
    assert env.read(CTX + 16, 3) == b"\1\7\1"
    assert env.read(CTX + 24, 16) == image(I(70), (1 << 70) - 1)


def test_every_nan_is_stored_as_one() -> None:
    env = FakeEnv()
    odd64, odd32 = 0xFFF0000000000123, 0xFF800123
    env.u64[CTX + 8 >> 3], env.u32[CTX + 16 >> 2] = odd64, odd32
    b = region()
    d, f = b.op("ldt", F64, (b.ctx(),), 8), b.op("ldt", F32, (b.ctx(),), 16)
    b.op("stt", (), (b.ctx(), d), 64)
    b.op("stt", (), (b.ctx(), f), 72)
    b.op("stt", (), (b.ctx(), d), 81)
    b.op("st", (), (b.i64(GUEST_LO), d), (0, 1))
    b.op("st", (), (b.i64(GUEST_LO), d), (9, 1))
    b.op("stt", (), (b.ctx(), b.op("anew", A(16), (d, f), (0, 8))), 96)
    b.op("stt", (), (b.ctx(), b.op("f2bits", I64, (d,))), 112)
    b.op("st", (), (b.i64((1 << 32) | GUEST_LO), f), (0, 1))
    run_region(b, env)
    d_bytes, f_bytes = (0x7FF8000000000000).to_bytes(8, "little"), (0x7FC00000).to_bytes(4, "little")
    for at in (CTX + 64, CTX + 81, GUEST_LO, GUEST_LO + 9, CTX + 96, CTX + 112):
        assert env.read(at, 8) == d_bytes
    for at in (CTX + 72, CTX + 104):
        assert env.read(at, 4) == f_bytes
    assert env.calls == [("k_store_net", 0, GUEST_LO, 4, 0x7FC00000)]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_accesses_of_allocas_and_static_data_need_no_checks_and_do_the_same(seed: int) -> None:
    # Stores and loads at random offsets of an alloca and of static data, some beyond the end of the alloca: as a byte array says.
    rng = random.Random(seed)
    env = FakeEnv()
    b = BodyBuilder("f", "function", (I64,) * 12)
    b.set_block(b.new_block())
    place = b.op("alloca", I64, (b.i64(3),), (16, 8))
    static = GUEST_LO + 64
    model = {"alloca": bytearray(48), "static": bytearray(env.mem[static : static + 48])}
    results, expected = [], []
    for _ in range(12):
        kind = rng.choice(("alloca", "static"))
        ty = rng.choice((I(1), I8, I16, I32, I64, I(40), F64))
        off = rng.randrange(0, 48 - ty.nbytes)
        moved = rng.randrange(0, off + 1)
        base = place if kind == "alloca" else b.i64(static)
        ptr = b.bin("add", base, b.i64(moved)) if moved else base
        value = rng.random() if ty.kind == "f" else rng.getrandbits(ty.size)
        b.op("st", (), (ptr, b.const(ty, value)), (off - moved, 5))
        model[kind][off : off + ty.nbytes] = image(ty, value)
        read = rng.randrange(0, 40)
        results.append(b.op("ld", I64, (base,), (read, 6)))
        expected.append(int.from_bytes(model[kind][read : read + 8], "little"))
    b.ret(results)
    assert compile_body(b.finish(), env)() == tuple(expected)
    assert bytes(env.mem[static : static + 48]) == bytes(model["static"])


def test_an_access_behind_the_end_of_memory_faults_with_its_address() -> None:
    env = FakeEnv()
    for code in ("ld", "st"):
        b = BodyBuilder("f", "function", ())
        b.set_block(b.new_block())
        at = b.i64(len(env.mem) - 4)
        if code == "ld":
            b.ret((b.op("ld", I64, (at,), (0, 7)),))
            b.body.results = (I64,)
        else:
            b.op("st", (), (at, b.i64(1)), (0, 7))
            b.ret(())
        with pytest.raises(SimFault) as e:
            compile_body(b.finish(), env)()
        assert (e.value.site, e.value.addr) == (7, len(env.mem) - 4)


def test_a_body_called_often_is_compiled_again_and_does_the_same() -> None:
    env = FakeEnv()
    b = BodyBuilder("f", "function", (I64,))
    p = b.param(I64)
    b.set_block(b.new_block())
    b.ret((b.op("ld", I64, (b.bin("add", p, b.i64(8)),), (0, 7)),))
    body = b.finish()
    later: list[Any] = []
    fn = lazy(body, env, replaced=later.append)
    for i in range(100):
        env.u64[GUEST_LO + 8 >> 3] = i
        assert fn(GUEST_LO) == (i,)
        with pytest.raises(SimFault):
            fn(8)
    assert len(later) == 1 and later[0](GUEST_LO) == (99,)
