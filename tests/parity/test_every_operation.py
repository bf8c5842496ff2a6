"""Every operation of MIR in both tiers: the interpreter and wasm give the same for the same operands, at all widths from 1 to 200 bits.

Four-state values are pairs of integers by the time they are MIR, so these widths are those of both halves; `test_four_state_logic` goes through the
operations on pairs as circt-verilog writes them.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.codegen import test_effects
from tests.codegen.harness import Machine
from tests.support import mirgen
from tests.support.fake_env import CTX, FakeEnv
from tests.support.mirgen import PureOp, random_operands, random_value, same
from wasmjit.codegen.emit import HANDLERS
from wasmjit.interp import compile_body
from wasmjit.sem.builder import BodyBuilder
from wasmjit.sem.fold import FOLD, leaf_to_bytes
from wasmjit.sem.mir import BOOL, F32, F64, FRAME_PROC, FUNC_PTR_BASE, I64, POLL_PLACE, STATUS_DONE, A, Body, CallSite, I, Service, Ty

PAGES = 32
WIDTHS = range(1, 201)
BATCH = 50


def at_width(code: str, rng: random.Random, width: int, monkeypatch: pytest.MonkeyPatch) -> PureOp:
    """An instance of a pure operation whose integers are `width` bits wide wherever its kind leaves a choice."""
    with monkeypatch.context() as m:
        m.setattr(mirgen, "random_width", lambda rng, limit=200: min(width, limit))
        return mirgen.OPS[code](rng)


def single(op: PureOp, key: str) -> Body:
    b = BodyBuilder(key, "function", (op.dst,))
    params = [b.param(t) for t in op.args]
    b.set_block(b.new_block())
    b.ret((b.op(op.code, op.dst, params, op.attr),))
    return b.finish()


@pytest.mark.parametrize("code", sorted(FOLD))
@settings(max_examples=1, deadline=None, derandomize=False)
@given(seed=st.integers(0, 2**32))
def test_a_pure_operation_at_every_width(code: str, seed: int) -> None:
    rng = random.Random(seed)
    patch = pytest.MonkeyPatch()
    for first in range(WIDTHS.start, WIDTHS.stop, BATCH):
        ops = [at_width(code, rng, w, patch) for w in range(first, first + BATCH)]
        bodies = [single(op, f"w{first + i}") for i, op in enumerate(ops)]
        machine = Machine(PAGES)
        machine.load(*bodies)
        env = FakeEnv()
        for op, body in zip(ops, bodies, strict=True):
            interpreted = compile_body(body, env)
            for _ in range(3):
                args = random_operands(rng, op)
                (a,), (b,) = interpreted(*args), machine.call(body, args)
                assert same(op.dst, a, b), (op, args, a, b)


# ---- four-state values as circt-verilog writes them --------------------------------------------------------------------------------------------


def four_state(b: BodyBuilder, kind: str, x: tuple[Any, Any], y: tuple[Any, Any], w: int) -> tuple[Any, Any]:
    """(value, unknown) of a four-state operation on pairs."""
    (xv, xu), (yv, yu) = x, y
    ones = b.const(I(w), I(w).mask)

    def both(code: str, p: Any, q: Any) -> Any:
        return b.op(code, I(w), (p, q))

    def invert(p: Any) -> Any:
        return both("xor", p, ones)

    if kind in ("add", "sub", "mul", "divu", "modu"):
        bad = b.icmp("ne", both("or", xu, yu), b.const(I(w), 0))
        if kind in ("divu", "modu"):
            bad = b.op("or", BOOL, (bad, b.icmp("eq", yv, b.const(I(w), 0))))
        unknown = b.op("repl", I(w), (bad,))
        return both("and", both(kind, xv, yv), invert(unknown)), unknown
    if kind == "and":
        zero = both("or", both("and", invert(xv), invert(xu)), both("and", invert(yv), invert(yu)))
        unknown = both("and", both("or", xu, yu), invert(zero))
        return both("and", both("and", xv, yv), invert(unknown)), unknown
    if kind == "or":
        one = both("or", both("and", xv, invert(xu)), both("and", yv, invert(yu)))
        unknown = both("and", both("or", xu, yu), invert(one))
        return both("or", one, both("and", both("or", xv, yv), invert(unknown))), unknown
    if kind == "xor":
        unknown = both("or", xu, yu)
        return both("and", both("xor", xv, yv), invert(unknown)), unknown
    if kind in ("shl", "shru", "shrs"):
        bad = b.icmp("ne", yu, b.const(I(w), 0))
        return b.op("mux", I(w), (bad, b.const(I(w), 0), both(kind, xv, yv))), b.op("mux", I(w), (bad, ones, both("shru" if kind == "shrs" else kind, xu, yv)))
    assert kind == "mux"
    select, differ = b.extract(xv, 0, 1), both("or", both("xor", xv, yv), both("or", xu, yu))
    bad = b.extract(xu, 0, 1)
    return b.op("mux", I(w), (bad, both("and", xv, yv), b.op("mux", I(w), (select, xv, yv)))), b.op("mux", I(w), (bad, differ, b.op("mux", I(w), (select, xu, yu))))


FOUR_STATE = ("add", "sub", "mul", "divu", "modu", "and", "or", "xor", "shl", "shru", "shrs", "mux")


@pytest.mark.parametrize("kind", FOUR_STATE)
@settings(max_examples=1, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_four_state_logic(kind: str, seed: int) -> None:
    rng = random.Random(seed)
    for first in range(WIDTHS.start, WIDTHS.stop, BATCH):
        bodies = []
        for w in range(first, first + BATCH):
            b = BodyBuilder(f"w{w}", "function", (I(w), I(w)))
            xv, xu, yv, yu = (b.param(I(w)) for _ in range(4))
            b.set_block(b.new_block())
            b.ret(four_state(b, kind, (xv, xu), (yv, yu), w))
            bodies.append(b.finish())
        machine = Machine(PAGES)
        machine.load(*bodies)
        env = FakeEnv()
        for body in bodies:
            interpreted = compile_body(body, env)
            for _ in range(3):
                args = [random_value(rng, p.ty) for p in body.params]
                assert list(interpreted(*args)) == machine.call(body, args), (body.key, args)


# ---- calls ------------------------------------------------------------------------------------------------------------------------------------


def leaf_types(rng: random.Random, limit: int = 5) -> tuple[Ty, ...]:
    """Types of any width, floats and images."""
    return tuple(rng.choice((I(rng.randint(1, 200)), I(rng.randint(1, 64)), F32, F64, A(rng.choice((1, 8, 24, 40))))) for _ in range(rng.randint(1, limit)))


def callee(rng: random.Random, params: tuple[Ty, ...], results: tuple[Ty, ...]) -> Body:
    """A function that gives back parameters of the right type, changed, and constants."""
    b = BodyBuilder("callee", "function", results)
    vals = [b.param(t) for t in params]
    b.set_block(b.new_block())
    out = []
    for t in results:
        fits = [v for v in vals if v.ty == t]
        if not fits:
            out.append(b.const(t, random_value(rng, t)))
        elif t.kind == "i":
            out.append(b.bin("sub", b.const(t, random_value(rng, t)), rng.choice(fits)))
        else:
            out.append(rng.choice(fits))
    b.ret(tuple(out))
    return b.finish()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), indirect=st.booleans())
def test_calls_of_functions(seed: int, indirect: bool) -> None:
    rng = random.Random(seed)
    params = leaf_types(rng)
    results = tuple(rng.choice((rng.choice(params), *leaf_types(rng, 1))) for _ in range(rng.randint(1, 4)))
    site = CallSite(9, params, results)
    f = callee(rng, params, results)
    b = BodyBuilder("caller", "function", results)
    vals = [b.param(t) for t in params]
    b.set_block(b.new_block())
    b.ret(b.op("icall", results, (b.i64(FUNC_PTR_BASE + 1), *vals), site) if indirect else b.op("call", results, vals, "callee"))
    g = b.finish()
    env, records = FakeEnv(), 0x3000
    env.add(f)
    env.add(g)
    env.pointers[FUNC_PTR_BASE + 1] = "callee"
    m = Machine(PAGES, func_records=records, func_count=2)
    m.load(f)
    m.load(g)
    m.write(records + 16, struct.pack("<IIII", m.link.sig_id(params, results), m.link.slots["callee"], 0, 0))
    args = [random_value(rng, t) for t in params]
    for t, x, y in zip(results, compile_body(g, env)(*args), m.call(g, args), strict=True):
        assert same(t, x, y), (params, results, args)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_calls_of_services(seed: int) -> None:
    rng = random.Random(seed)
    params, results = leaf_types(rng), leaf_types(rng)
    answers = tuple(random_value(rng, t) for t in results)
    seen: list[list[bytes]] = [[], []]
    b = BodyBuilder("f", "function", results)
    vals = [b.param(t) for t in params]
    b.set_block(b.new_block())
    b.ret(b.op("svc", results, vals, Service("probe", None, 4)))
    body = b.finish()
    env, m = FakeEnv(), Machine(PAGES)

    def probe(*args: Any) -> tuple[Any, ...]:
        seen[0] += [leaf_to_bytes(t, a) for t, a in zip(params, args, strict=True)]
        return answers

    env.services["probe"] = probe

    def raw(buf: int) -> int:
        at = buf
        for t in params:
            if t.kind == "a":
                seen[1].append(m.read(struct.unpack("<Q", m.read(at, 8))[0], t.size))
                at += 8
            elif t.kind == "f":
                seen[1].append(leaf_to_bytes(t, struct.unpack("<d", m.read(at, 8))[0]))
                at += 8
            else:
                n = (t.size + 63) // 64 * 8
                seen[1].append(leaf_to_bytes(t, int.from_bytes(m.read(at, n), "little")))
                at += n
        out = b""
        for t, answer in zip(results, answers, strict=True):
            if t.kind == "a":
                m.write(struct.unpack("<Q", m.read(at, 8))[0], answer)
                at += 8
                out += bytes(8)
            elif t.kind == "f":
                out += struct.pack("<d", answer)
            else:
                out += answer.to_bytes((t.size + 63) // 64 * 8, "little")
        m.write(buf, out)
        return 0

    m.services[4] = raw
    m.load(body)
    args = [random_value(rng, t) for t in params]
    for t, x, y in zip(results, compile_body(body, env)(*args), m.call(body, args), strict=True):
        assert same(t, x, y), (params, results, args)
    assert seen[0] == seen[1]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_spawned_processes_and_their_frames(seed: int) -> None:
    rng = random.Random(seed)
    types = leaf_types(rng)
    b = BodyBuilder("child", "process")
    for t in types:
        b.param(t)
    b.set_block(b.new_block())
    b.halt()
    child = b.finish()
    b = BodyBuilder("top", "process")
    values = [random_value(rng, t) for t in types]
    b.set_block(b.new_block())
    pid = b.op("spawn", I(32), [b.const(t, v) for t, v in zip(types, values, strict=True)], "child")
    b.op("stt", (), (b.ctx(), pid), 64)
    b.op("stt", (), (b.ctx(), b.op("frame", I(32), ())), 72)
    b.halt()
    top = b.finish()
    env, m = FakeEnv(PAGES * 65536), Machine(PAGES)
    for body in (child, top):
        env.add(body)
    m.load(child, top)
    ours, theirs = m.new_frame(top), env.new_frame(top)
    assert (m.activate(top, ours), env.run(top, theirs)) == (STATUS_DONE, STATUS_DONE)
    assert child.frame is not None
    frames = (max(m.live), max(env.live_frames))
    for p, off in zip(child.params, child.frame.params, strict=True):
        assert m.read(frames[0] + off, p.ty.nbytes) == bytes(env.mem[frames[1] + off : frames[1] + off + p.ty.nbytes])
    assert m.u32(CTX + 64) == m.u32(frames[0] + FRAME_PROC)
    assert env.u32[CTX + 64 >> 2] == env.u32[frames[1] + FRAME_PROC >> 2]
    assert m.u32(CTX + 72) == ours
    assert env.u32[CTX + 72 >> 2] == theirs


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_calls_of_runtime_functions(seed: int) -> None:
    import wasmtime

    class Sig:
        def __init__(self, params: tuple[str, ...], result: str) -> None:
            self.params, self.result = params, result

    rng = random.Random(seed)
    names = [rng.choice(("i32", "i64")) for _ in range(rng.randint(0, 4))]
    result = rng.choice(("i32", "i64"))
    width = rng.randint(1, 32 if result == "i32" else 64)
    answer = rng.getrandbits(64)
    kinds = {"i32": (wasmtime.ValType.i32(), 32), "i64": (wasmtime.ValType.i64(), 64)}
    types = [I(rng.randint(1, kinds[n][1])) for n in names]
    seen: list[list[int]] = [[], []]

    def work(which: int) -> Callable[..., int]:
        def run(*args: int) -> int:
            seen[which] += [a & (1 << kinds[n][1]) - 1 for n, a in zip(names, args, strict=True)]
            bits = kinds[result][1]
            raw = answer & (1 << bits) - 1
            return raw - (1 << bits) if raw >> bits - 1 else raw

        return run

    b = BodyBuilder("f", "function", (I(width),))
    vals = [b.param(t) for t in types]
    b.set_block(b.new_block())
    b.ret((b.op("rt", I(width), vals, "r_work"),))
    body = b.finish()
    env, m = FakeEnv(), Machine(PAGES)
    env.bind_kernel("r_work", work(0))
    m.link.kernel["r_work"] = Sig(tuple(names), result)
    m.extra["r_work"] = wasmtime.Func(m.store, wasmtime.FuncType([kinds[n][0] for n in names], [kinds[result][0]]), work(1))
    m.load(body)
    args = [random_value(rng, t) for t in types]
    assert list(compile_body(body, env)(*args)) == m.call(body, args)
    assert seen[0] == seen[1] == args


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_polls_for_collections(seed: int) -> None:
    """A poll collects if one is due, and what lives across it is as before in both tiers (that nothing reachable is freed: tests/sched/test_garbage.py)."""
    import wasmtime

    rng = random.Random(seed)
    types = [I(rng.choice((32, 64, 64, 100, 200))) for _ in range(rng.randint(1, 4))]
    due = rng.random() < 0.5
    counts = [0, 0]

    def collect(which: int) -> Callable[[], None]:
        def run() -> None:
            counts[which] += 1

        return run

    b = BodyBuilder("f", "function", tuple(types))
    vals = [b.param(t) for t in types]
    b.set_block(b.new_block())
    doubled = [b.bin("add", v, v) for v in vals]
    b.op("gcpoll", (), ())
    b.ret([b.bin("xor", x, v) for x, v in zip(doubled, vals, strict=True)])
    body = b.finish()
    env, m = FakeEnv(), Machine(PAGES)
    env.bind_kernel("k_collect", collect(0))
    m.extra["k_collect"] = wasmtime.Func(m.store, wasmtime.FuncType([], []), collect(1))
    env.u32[POLL_PLACE >> 2] = due
    m.write(POLL_PLACE, int(due).to_bytes(4, "little"))
    m.load(body)
    args = [random_value(rng, t) for t in types]
    assert list(compile_body(body, env)(*args)) == m.call(body, args) == [(2 * a & t.mask) ^ a for t, a in zip(types, args, strict=True)]
    assert counts == [due, due]


# ---- nothing is left out --------------------------------------------------------------------------------------------------------------------

BY_ITSELF = {
    "call": test_calls_of_functions,
    "icall": test_calls_of_functions,
    "svc": test_calls_of_services,
    "rt": test_calls_of_runtime_functions,
    "gcpoll": test_polls_for_collections,
    "spawn": test_spawned_processes_and_their_frames,
    "frame": test_spawned_processes_and_their_frames,
}
"""Operations with effects that have a test here; the others are in the random effects of tests/codegen/test_effects.py."""


def test_every_operation_is_compared_between_the_tiers() -> None:
    random_effects: set[str] = set()
    for seed in range(150):
        rng = random.Random(seed)
        w = test_effects.Writer(rng)
        w.allocate()
        for _ in range(20):
            w.step()
        random_effects |= {op.code for block in w.b.body.blocks for op in block.ops}
    assert set(HANDLERS) == set(FOLD) | set(BY_ITSELF) | (random_effects - set(FOLD))
    assert set(mirgen.OPS) == set(FOLD)


def test_widths_are_the_ones_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(1)
    for code in ("add", "shl", "zext", "popcount"):
        ops = [at_width(code, rng, w, monkeypatch) for w in WIDTHS]
        assert {t.size for op in ops for t in op.args if t.kind == "i"} >= set(WIDTHS) - {1}, code
    assert I64.size == 64
