"""Random MIR for tests of the builder and of both tiers.

Everything is driven by a `random.Random`, so a seed names a body: hypothesis draws the seed.

* `random_value(rng, ty)`: a value with a bias to corners. `random_type(rng)`: integers of 1..200 bits, floats, small images.
* `OPS`: one generator per pure operation: `make(rng, pick) -> PureOp`, the types, operands and attribute of one instance.
* `random_dag(rng, nops)`: a `Dag`; `evaluate` computes it with FOLD; `build(dag, builder, inputs)` adds it to a body.
* `random_cfg(rng)`: a function body with bounded loops.
* `interpret(body, args)`: reference execution of any body of kind 'function' that has only pure operations.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from wasmjit.sem.builder import BodyBuilder
from wasmjit.sem.fold import FCMP, FOLD, ICMP
from wasmjit.sem.mir import BOOL, F32, F64, A, Block, Body, Br, CondBr, I, Packing, Ret, Switch, Ty, Val, Wait, int_bytes
from wasmjit.sem.passes import finish_body

WIDTHS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 191, 192, 200)


def same(ty: Ty, a: Any, b: Any) -> bool:
    """Equality of leaves: floats by bits, except that all NaNs are one."""
    if ty.kind == "f":
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    return type(a) is not bool and bool(a == b)


# ---------------------------------------------------------------- types and values


def random_width(rng: random.Random, limit: int = 200) -> int:
    w = rng.choice(WIDTHS) if rng.random() < 0.6 else rng.randint(1, limit)
    return min(w, limit)


def random_type(rng: random.Random) -> Ty:
    r = rng.random()
    if r < 0.7:
        return I(random_width(rng))
    if r < 0.85:
        return rng.choice((F32, F64))
    return A(rng.choice((0, 1, 3, 8, 16, 24, 40)))


_FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.0, 1e10, -1e10, 2.0**31, -(2.0**31), 2.0**63, 2.0**64, 1e30, -1e38)
_SPECIAL = (math.inf, -math.inf, math.nan)


def random_value(rng: random.Random, ty: Ty) -> Any:
    if ty.kind == "i":
        r = rng.random()
        m = ty.mask
        if r < 0.35:
            return rng.choice((0, 1, m, m >> 1, (m >> 1) + 1, m - 1 & m, ty.size & m, ty.size - 1 & m, 2 & m, 3 & m))
        if r < 0.5:
            return 1 << rng.randrange(ty.size)
        return rng.getrandbits(rng.randint(1, ty.size))
    if ty.kind == "f":
        r = rng.random()
        x = rng.choice(_FLOATS) if r < 0.5 else rng.choice(_SPECIAL) if r < 0.65 else rng.uniform(-100, 100) * 10.0 ** rng.randint(-5, 12)
        return FOLD["ftrunc"]((F32,), (F64,), (x,), None)[0] if ty.size == 32 else x
    return rng.randbytes(ty.size) if rng.random() < 0.7 else bytes(ty.size)


# ---------------------------------------------------------------- pure operations


@dataclass
class PureOp:
    """One instance: operand types, result type, attribute; `small` are operands that should be small numbers (indices, amounts)."""

    code: str
    args: tuple[Ty, ...]
    dst: Ty
    attr: Any = None
    small: dict[int, int] = field(default_factory=dict)


def _int(rng: random.Random) -> Ty:
    return I(random_width(rng))


def _float(rng: random.Random) -> Ty:
    return rng.choice((F32, F64))


def _same_int(code: str) -> Callable[[random.Random], PureOp]:
    def make(rng: random.Random) -> PureOp:
        t = _int(rng)
        small = {1: t.size + 2} if code in ("shl", "shru", "shrs") else {}
        return PureOp(code, (t, t), t, small=small)

    return make


def _icmp(rng: random.Random) -> PureOp:
    if rng.random() < 0.15:
        t = A(rng.choice((1, 8, 12)))
        return PureOp("icmp", (t, t), BOOL, rng.choice(("eq", "ne")))
    t = _int(rng)
    return PureOp("icmp", (t, t), BOOL, rng.choice(ICMP))


def _mux(rng: random.Random) -> PureOp:
    t = random_type(rng)
    return PureOp("mux", (BOOL, t, t), t)


def _extract(rng: random.Random) -> PureOp:
    w = random_width(rng)
    k = rng.randint(1, w)
    return PureOp("extract", (I(w),), I(k), rng.randint(0, w - k))


def _concat(rng: random.Random) -> PureOp:
    parts = tuple(I(random_width(rng, 70)) for _ in range(rng.randint(1, 4)))
    return PureOp("concat", parts, I(sum(p.size for p in parts)))


def _repl(rng: random.Random) -> PureOp:
    w = random_width(rng, 66)
    return PureOp("repl", (I(w),), I(w * rng.randint(1, 5)))


def _widen(code: str) -> Callable[[random.Random], PureOp]:
    def make(rng: random.Random) -> PureOp:
        a, b = sorted((random_width(rng), random_width(rng)))
        return PureOp(code, (I(a),), I(b))

    return make


def _count(code: str) -> Callable[[random.Random], PureOp]:
    def make(rng: random.Random) -> PureOp:
        t = _int(rng)
        return PureOp(code, (t,), BOOL if code == "parity" else t)

    return make


def _fbin(code: str, n: int = 2) -> Callable[[random.Random], PureOp]:
    def make(rng: random.Random) -> PureOp:
        t = _float(rng)
        return PureOp(code, (t,) * n, t)

    return make


def _fcmp(rng: random.Random) -> PureOp:
    t = _float(rng)
    return PureOp("fcmp", (t, t), BOOL, rng.choice(FCMP))


def _convert(code: str, to_int: bool) -> Callable[[random.Random], PureOp]:
    def make(rng: random.Random) -> PureOp:
        f, i = _float(rng), _int(rng)
        return PureOp(code, (f,), i) if to_int else PureOp(code, (i,), f)

    return make


def _bits(code: str) -> Callable[[random.Random], PureOp]:
    def make(rng: random.Random) -> PureOp:
        f = _float(rng)
        return PureOp(code, (f,), I(f.size)) if code == "f2bits" else PureOp(code, (I(f.size),), f)

    return make


EXACT_MATH = ("sqrt", "floor", "ceil", "trunc", "fabs", "round_half_even")
"""Functions whose result every correct implementation gives bit for bit."""


def _fmath(rng: random.Random) -> PureOp:
    t = _float(rng)
    return PureOp("fmath", (t,), t, rng.choice(EXACT_MATH))


def _leaf(rng: random.Random) -> Ty:
    r = rng.random()
    return I(random_width(rng)) if r < 0.75 else _float(rng) if r < 0.9 else A(rng.choice((1, 3, 8)))


def _array(rng: random.Random, leaves: Sequence[Ty]) -> tuple[int, int, tuple[int, ...], int]:
    """(count, stride, offsets, image bytes) of an array whose elements have these leaves, naturally aligned."""
    offs, at = [], rng.choice((0, 0, 0, 8))
    for t in leaves:
        align = 1 if t.kind == "a" else min(t.nbytes, 8)
        at = -(-at // align) * align
        offs.append(at)
        at += t.nbytes
    stride = -(-max(at, 1) // 8) * 8 if len(leaves) > 1 or rng.random() < 0.3 else max(at, 1)
    count = rng.choice((1, 2, 3, 4, 8))
    return count, stride, tuple(offs), count * stride


def _index(rng: random.Random) -> Ty:
    return I(rng.choice((1, 2, 3, 4, 8, 32, 64, 70)))


def _aget(rng: random.Random) -> PureOp:
    t = _leaf(rng)
    count, stride, offs, size = _array(rng, [t])
    return PureOp("aget", (A(size), _index(rng)), t, (count, stride, offs[0]), small={1: count + 2})


def _aput(rng: random.Random) -> PureOp:
    leaves = [_leaf(rng) for _ in range(rng.choice((1, 1, 2, 3)))]
    count, stride, offs, size = _array(rng, leaves)
    return PureOp("aput", (A(size), _index(rng), *leaves), A(size), (count, stride, offs), small={1: count + 2})


def _anew(rng: random.Random) -> PureOp:
    leaves = [_leaf(rng) for _ in range(rng.randint(1, 4))]
    _, stride, offs, _ = _array(rng, leaves)
    return PureOp("anew", tuple(leaves), A(stride), offs)


def _aslice(rng: random.Random) -> PureOp:
    count, stride = rng.choice((1, 2, 4, 5)), rng.choice((1, 2, 4, 8, 12))
    size = stride * rng.randint(1, count)
    return PureOp("aslice", (A(count * stride), _index(rng)), A(size), (count, stride), small={1: count + 2})


def random_packing(rng: random.Random, depth: int = 1) -> tuple[Packing, int]:
    """A packing and the bytes of its image."""
    if rng.random() < 0.25:  # the plain arrays that implementations treat specially
        count, w = rng.choice((1, 2, 7, 16)), rng.choice((1, 8, 16, 32, 64, 128))
        return Packing(count, int_bytes(w), w, ((0, w, 0, None),), reverse=rng.random() < 0.5), count * int_bytes(w)
    count = rng.choice((1, 2, 3, 8))
    leaves: list[tuple[int, int, int, Packing | None]] = []
    at = low = 0
    for _ in range(rng.choice((1, 1, 2))):
        if depth and rng.random() < 0.3:
            nested, n = random_packing(rng, depth - 1)
            leaves.append((at, nested.count * nested.bits, low, nested))
            at += n
            low += nested.count * nested.bits
        else:
            w = random_width(rng, 66)
            n = int_bytes(w)
            at = -(-at // min(n, 8)) * min(n, 8)
            leaves.append((at, w, low, None))
            at += n
            low += w
    stride = at if len(leaves) == 1 else -(-at // 8) * 8
    return Packing(count, stride, low, tuple(leaves), reverse=rng.random() < 0.5), count * stride


def _pack(code: str) -> Callable[[random.Random], PureOp]:
    def make(rng: random.Random) -> PureOp:
        p, size = random_packing(rng)
        bits = I(p.count * p.bits)
        return PureOp(code, (A(size),), bits, p) if code == "apack" else PureOp(code, (bits,), A(size), p)

    return make


OPS: dict[str, Callable[[random.Random], PureOp]] = {
    **{c: _same_int(c) for c in ("add", "sub", "mul", "and", "or", "xor", "divu", "modu", "divs", "mods", "shl", "shru", "shrs")},
    "icmp": _icmp, "mux": _mux, "extract": _extract, "concat": _concat, "repl": _repl, "zext": _widen("zext"), "sext": _widen("sext"),
    **{c: _count(c) for c in ("parity", "popcount", "ctlz", "cttz")},
    **{c: _fbin(c) for c in ("fadd", "fsub", "fmul", "fdiv", "frem", "fmin", "fmax")},
    "fneg": _fbin("fneg", 1), "fabs": _fbin("fabs", 1), "fcmp": _fcmp,
    "fptosi": _convert("fptosi", True), "fptoui": _convert("fptoui", True),
    "sitofp": _convert("sitofp", False), "uitofp": _convert("uitofp", False),
    "fext": lambda rng: PureOp("fext", (F32,), F64), "ftrunc": lambda rng: PureOp("ftrunc", (F64,), F32),
    "f2bits": _bits("f2bits"), "bits2f": _bits("bits2f"), "fmath": _fmath,
    "aget": _aget, "aput": _aput, "anew": _anew, "aslice": _aslice, "apack": _pack("apack"), "aunpack": _pack("aunpack"),
}  # fmt: skip
assert set(OPS) == set(FOLD), set(OPS) ^ set(FOLD)


def random_operands(rng: random.Random, op: PureOp) -> list[Any]:
    out = []
    for i, t in enumerate(op.args):
        if i in op.small and rng.random() < 0.8:
            out.append(rng.randrange(op.small[i]) & t.mask)
        else:
            out.append(random_value(rng, t))
    return out


def fold(op: PureOp, args: Sequence[Any]) -> Any:
    return FOLD[op.code]((op.dst,), op.args, args, op.attr)[0]


# ---------------------------------------------------------------- expression DAGs


@dataclass
class Dag:
    """Inputs, then nodes; a node's operands are positions in inputs + nodes, or constants."""

    inputs: list[Ty]
    nodes: list[tuple[PureOp, list[tuple[str, Any]]]]  # operand: ("ref", position) or ("const", value)
    outputs: list[int]

    def type_of(self, pos: int) -> Ty:
        return self.inputs[pos] if pos < len(self.inputs) else self.nodes[pos - len(self.inputs)][0].dst

    @property
    def output_types(self) -> list[Ty]:
        return [self.type_of(p) for p in self.outputs]


def random_dag(
    rng: random.Random, nops: int = 20, inputs: Sequence[Ty] = (), const_rate: float = 0.25, codes: Sequence[str] | None = None
) -> Dag:
    """A random DAG; operands come from equal-typed earlier values, else from a cast of an earlier integer, else a constant or a new input."""
    dag = Dag(list(inputs), [], [])
    by_type: dict[Ty, list[tuple[int, int]]] = {}  # type -> (0 input | 1 node, index)
    for i, t in enumerate(dag.inputs):
        by_type.setdefault(t, []).append((0, i))
    refs: list[tuple[PureOp, list[tuple[str, Any]]]] = []

    def add(op: PureOp, operands: list[tuple[str, Any]]) -> tuple[int, int]:
        refs.append((op, operands))
        here = (1, len(refs) - 1)
        by_type.setdefault(op.dst, []).append(here)
        return here

    def operand(t: Ty, small: int | None) -> tuple[str, Any]:
        if small is not None and rng.random() < 0.4:
            return ("const", rng.randrange(small) & t.mask)
        if rng.random() < const_rate:
            return ("const", random_value(rng, t))
        known = by_type.get(t)
        if known and rng.random() < 0.85:
            return ("ref", rng.choice(known[-6:]))
        if t.kind == "i" and rng.random() < 0.7:
            ints = [x for x in by_type if x.kind == "i" and x != t]
            if ints:
                src = rng.choice(ints)
                ref = ("ref", rng.choice(by_type[src]))
                if src.size > t.size:
                    return ("ref", add(PureOp("extract", (src,), t, rng.randint(0, src.size - t.size)), [ref]))
                return ("ref", add(PureOp(rng.choice(("zext", "sext")), (src,), t), [ref]))
        dag.inputs.append(t)
        here = (0, len(dag.inputs) - 1)
        by_type.setdefault(t, []).append(here)
        return ("ref", here)

    names = list(codes or OPS)
    for _ in range(nops):
        op = OPS[rng.choice(names)](rng)
        if op.code in ("add", "sub", "mul", "and", "or", "xor", "icmp", "shl", "shru", "shrs") and by_type and rng.random() < 0.7:
            ints = [x for x in by_type if x.kind == "i"]
            if ints:  # stay on a type in use, so that operations chain
                t = rng.choice(ints)
                op = PureOp(op.code, (t, t), BOOL if op.code == "icmp" else t, op.attr, {1: t.size + 2} if op.code.startswith("sh") else {})
        add(op, [operand(t, op.small.get(i)) for i, t in enumerate(op.args)])
    n = len(dag.inputs)

    def position(ref: tuple[int, int]) -> int:
        return ref[1] if ref[0] == 0 else n + ref[1]

    for op, operands in refs:
        dag.nodes.append((op, [(k, position(v)) if k == "ref" else (k, v) for k, v in operands]))
    count = rng.randint(1, min(4, len(refs)))
    dag.outputs = sorted({n + len(refs) - 1, *(n + rng.randrange(len(refs)) for _ in range(count))})
    return dag


def evaluate(dag: Dag, inputs: Sequence[Any]) -> list[Any]:
    """Values of the outputs by FOLD."""
    vals = list(inputs)
    for op, operands in dag.nodes:
        vals.append(fold(op, [vals[v] if k == "ref" else v for k, v in operands]))
    return [vals[p] for p in dag.outputs]


def build(dag: Dag, b: BodyBuilder, inputs: Sequence[Val]) -> list[Val]:
    """Adds the DAG to the current block; the output values."""
    vals = list(inputs)
    for op, operands in dag.nodes:
        args = [vals[v] if k == "ref" else b.const(t, v) for t, (k, v) in zip(op.args, operands, strict=True)]
        vals.append(b.op(op.code, op.dst, args, op.attr))
    return [vals[p] for p in dag.outputs]


def dag_function(dag: Dag, key: str = "dag") -> Body:
    """A function body: the inputs are its parameters, the outputs its results."""
    b = BodyBuilder(key, "function", dag.output_types)
    params = [b.param(t) for t in dag.inputs]
    b.set_block(b.new_block())
    b.ret(build(dag, b, params))
    return b.finish()


# ---------------------------------------------------------------- control flow


def random_cfg(rng: random.Random, nblocks: int = 8, nvars: int = 3, fuel: int = 40, key: str = "cfg", finish: bool = True) -> Body:
    """A random function body: blocks pass a fuel counter and variables; every edge burns fuel, at 0 the body returns.

    Branches, switches and returns choose any block, so that there are irreducible loops and joins of every shape. Parameters: the
    variables; results: the variables and the fuel left. With `finish=False` the body is as built, before any pass over the control flow.
    """
    tys = [I(32), *(random_type(rng) for _ in range(nvars - 1))]
    b = BodyBuilder(key, "function", (*tys, I(16)))
    params = [b.param(t) for t in tys]
    entry = b.new_block()
    blocks = [b.new_block((I(16), *tys)) for _ in range(nblocks)]
    end = b.new_block((I(16), *tys))
    b.set_block(entry)
    b.br(blocks[0], (b.const(I(16), fuel), *params))
    b.set_block(end)
    b.ret((*end.params[1:], end.params[0]))
    for blk in blocks:
        b.set_block(blk)
        left, *variables = blk.params
        left = b.bin("sub", left, b.const(I(16), 1))
        dag = random_dag(rng, rng.randint(1, 5), tys)
        extra = dag.inputs[len(tys) :]
        outs = build(dag, b, [*variables, *(b.const(t, random_value(rng, t)) for t in extra)])
        new = list(variables)
        for i, t in enumerate(tys):
            same_type = [v for v in outs if v.ty == t]
            if same_type:
                new[i] = rng.choice(same_type)
            elif rng.random() < 0.2:
                swap = [v for v in variables if v.ty == t]
                new[i] = rng.choice(swap)
        new[0] = b.bin("add", new[0], b.const(I(32), rng.randrange(1, 100)))
        args = (left, *new)

        def some(args: tuple[Val, ...] = args) -> tuple[Block, tuple[Val, ...]]:
            t = rng.choice(blocks)
            if rng.random() < 0.3:
                other = list(args)
                other[1] = args[1] if rng.random() < 0.5 else b.const(I(32), rng.getrandbits(32))
                args = tuple(other)
            return t, args

        ok = b.new_block()
        b.cond_br(b.icmp("eq", left, b.const(I(16), 0)), end, ok, args)
        b.set_block(ok)
        kind = rng.random()
        if kind < 0.2:
            t, a = some()
            b.br(t, a)
        elif kind < 0.75:
            bit = b.extract(new[0], rng.randrange(6), 1)
            (t, a), (f, c) = some(), some()
            b.cond_br(bit, t, f, a, c)
        elif kind < 0.9:
            n = rng.choice((1, 2, 3, 5, 7))
            value = b.extract(new[0], 0, 3)
            d, da = some()
            b.switch(value, [(c, *some()) for c in rng.sample(range(8), n)], d, da)
        else:
            b.br(end, args)
    return b.finish() if finish else b.body


def interpret(body: Body, args: Sequence[Any]) -> list[Any]:
    """Reference execution of a function body of pure operations, by FOLD."""
    vals: dict[int, Any] = {p.id: a for p, a in zip(body.params, args, strict=True)}

    def get(v: Val) -> Any:
        return v.const if v.const is not None else vals[v.id]

    block = body.blocks[0]
    while True:
        for op in block.ops:
            out = FOLD[op.code]([d.ty for d in op.dsts], [a.ty for a in op.args], [get(a) for a in op.args], op.attr)
            vals.update({d.id: o for d, o in zip(op.dsts, out, strict=True)})
        term = block.term
        if isinstance(term, Ret):
            return [get(v) for v in term.vals]
        if isinstance(term, Br):
            target, passed = term.target, term.args
        elif isinstance(term, CondBr):
            target, passed = (term.ttarget, term.targs) if get(term.cond) else (term.ftarget, term.fargs)
        else:
            assert isinstance(term, Switch), term
            target, passed = term.default, term.dargs
            for c, t, a in term.cases:
                if c == get(term.value):
                    target, passed = t, a
        new = [get(a) for a in passed]
        vals.update({p.id: n for p, n in zip(target.params, new, strict=True)})
        block = target


def fresh(body: Body, ty: Ty) -> Val:
    """A value whose id is not in use in a finished body."""
    ids = [p.id for p in body.params]
    for b in body.blocks:
        ids += [p.id for p in b.params]
        for op in b.ops:
            ids += [v.id for v in (*op.dsts, *op.args)]
    return Val(max(ids, default=-1) + 1, ty)


def interpret_value(b: BodyBuilder, v: Val, vals: dict[int, Any]) -> Any:
    """Value of `v` while its body is being built, given those of the parameters by id."""
    if v.const is not None:
        return v.const
    if v.id not in vals:
        op = b.def_of(v)
        assert op is not None
        args = [interpret_value(b, a, vals) for a in op.args]
        vals[v.id] = FOLD[op.code]((v.ty,), [a.ty for a in op.args], args, op.attr)[0]
    return vals[v.id]


def suspending(body: Body, rng: random.Random, key: str = "co") -> Body:
    """An unfinished function body as a finished coroutine that waits at the start of random blocks (every value stays live there)."""
    body.kind, body.key = "coroutine", key
    top = 1 + max(
        [v.id for b in body.blocks for op in b.ops for v in (*op.dsts, *op.args)] + [p.id for b in body.blocks for p in b.params] + [0]
    )
    for b in list(body.blocks[1:]):
        if rng.random() < 0.4:
            rest = Block(len(body.blocks))
            rest.ops, rest.term = b.ops, b.term
            b.ops, b.term = [], Wait(rest)
            body.blocks.append(rest)
    for b in body.blocks:
        if b.term is not None:
            for v in (*b.term.uses(), *(a for _, args in b.term.edges() for a in args)):
                top = max(top, v.id + 1)
    finish_body(body, top, check=True)
    return body
