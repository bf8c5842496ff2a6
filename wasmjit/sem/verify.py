"""Checks that a MIR body is well formed: types of every operation, SSA dominance, terminators, resume tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .fold import FCMP, FMATH, ICMP
from .mir import (
    BOOL,
    I32,
    I64,
    Block,
    Body,
    Br,
    CallS,
    CallSite,
    CondBr,
    Drive,
    Fault,
    Halt,
    I,
    Op,
    Packing,
    Ret,
    Service,
    Switch,
    Ty,
    Val,
    Wait,
    int_bytes,
)

I8 = I(8)


def _need(cond: bool, what: str) -> None:
    if not cond:
        raise AssertionError(what)


def _sig(op: Op, args: tuple[Ty, ...], dsts: tuple[Ty, ...]) -> None:
    got_a, got_d = tuple(a.ty for a in op.args), tuple(d.ty for d in op.dsts)
    if got_a != args:
        raise AssertionError(f"expected operands {args}, got {got_a}")
    if got_d != dsts:
        raise AssertionError(f"expected results {dsts}, got {got_d}")


def _int(t: Ty) -> Ty:
    if t.kind != "i":
        raise AssertionError(f"expected an integer, got {t}")
    return t


def _float(t: Ty) -> Ty:
    if not (t.kind == "f" and t.size in (32, 64)):
        raise AssertionError(f"expected a float, got {t}")
    return t


def _image(t: Ty) -> Ty:
    if t.kind != "a":
        raise AssertionError(f"expected an image, got {t}")
    return t


def _counts(op: Op, nargs: int, ndsts: int = 1) -> None:
    if len(op.args) != nargs:
        raise AssertionError(f"expected {nargs} operands, got {len(op.args)}")
    if len(op.dsts) != ndsts:
        raise AssertionError(f"expected {ndsts} results, got {len(op.dsts)}")


def _same(op: Op, n: int, kind: Callable[[Ty], Ty]) -> None:
    _counts(op, n)
    t = kind(op.dsts[0].ty)
    _sig(op, (t,) * n, (t,))


def _icmp(op: Op) -> None:
    _counts(op, 2)
    t = op.args[0].ty
    if op.attr not in ICMP:
        raise AssertionError(f"unknown predicate {op.attr!r}")
    if not (t.kind == "i" or (t.kind == "a" and op.attr in ("eq", "ne"))):
        raise AssertionError(f"predicate {op.attr} on {t}")
    _sig(op, (t, t), (BOOL,))


def _mux(op: Op) -> None:
    _counts(op, 3)
    t = op.dsts[0].ty
    _sig(op, (BOOL, t, t), (t,))


def _extract(op: Op) -> None:
    _counts(op, 1)
    a, k = _int(op.args[0].ty), _int(op.dsts[0].ty)
    if not (isinstance(op.attr, int) and op.attr >= 0 and op.attr + k.size <= a.size):
        raise AssertionError(f"bits [{op.attr}, +{k.size}) of {a}")


def _concat(op: Op) -> None:
    _need(len(op.args) >= 1 and len(op.dsts) == 1, "concat needs operands and one result")
    total = sum(_int(a.ty).size for a in op.args)
    if op.dsts[0].ty != I(total):
        raise AssertionError(f"result {op.dsts[0].ty}, operands have {total} bits")


def _repl(op: Op) -> None:
    _counts(op, 1)
    a, d = _int(op.args[0].ty), _int(op.dsts[0].ty)
    if d.size % a.size != 0:
        raise AssertionError(f"{d} is no multiple of {a}")


def _widen(op: Op) -> None:
    _counts(op, 1)
    if _int(op.dsts[0].ty).size < _int(op.args[0].ty).size:
        raise AssertionError(f"{op.args[0].ty} to narrower {op.dsts[0].ty}")


def _bitcount(op: Op) -> None:
    _counts(op, 1)
    t = _int(op.args[0].ty)
    if op.dsts[0].ty != (BOOL if op.code == "parity" else t):
        raise AssertionError(f"result {op.dsts[0].ty} for {t}")


def _fcmp(op: Op) -> None:
    _counts(op, 2)
    t = _float(op.args[0].ty)
    if op.attr not in FCMP:
        raise AssertionError(f"unknown predicate {op.attr!r}")
    _sig(op, (t, t), (BOOL,))


def _convert(src: Callable[[Ty], Ty], dst: Callable[[Ty], Ty]) -> Callable[[Op], None]:
    def check(op: Op) -> None:
        _counts(op, 1)
        src(op.args[0].ty)
        dst(op.dsts[0].ty)

    return check


def _fixed(args: tuple[Ty, ...], dsts: tuple[Ty, ...], attr: Callable[[Any], bool] | None = None) -> Callable[[Op], None]:
    def check(op: Op) -> None:
        _sig(op, args, dsts)
        if not (attr is None or attr(op.attr)):
            raise AssertionError(f"bad attribute {op.attr!r}")

    return check


def _float_bits(op: Op) -> None:
    _counts(op, 1)
    i, f = (op.dsts[0].ty, op.args[0].ty) if op.code == "f2bits" else (op.args[0].ty, op.dsts[0].ty)
    if _int(i).size != _float(f).size:
        raise AssertionError(f"{i} and {f} differ in size")


def _fmath(op: Op) -> None:
    if op.attr not in FMATH:
        raise AssertionError(f"unknown function {op.attr!r}")
    _need(len(op.args) in (1, 2), "fmath takes one or two operands")
    t = _float(op.dsts[0].ty)
    _sig(op, (t,) * len(op.args), (t,))


def _within(img: Ty, count: int, stride: int, off: int, leaf: Ty) -> None:
    ok = count == 0 or (off >= 0 and (count - 1) * stride + off + leaf.nbytes <= img.size)
    if not ok:
        raise AssertionError(f"leaf {leaf} at {off} of {count} elements of {stride} bytes is outside of {img}")


def _aget(op: Op) -> None:
    _counts(op, 2)
    img = _image(op.args[0].ty)
    _int(op.args[1].ty)
    count, stride, off = op.attr
    _within(img, count, stride, off, op.dsts[0].ty)


def _aput(op: Op) -> None:
    _need(len(op.args) >= 2 and len(op.dsts) == 1, "aput needs an image and an index")
    img = _image(op.args[0].ty)
    _int(op.args[1].ty)
    if op.dsts[0].ty != img:
        raise AssertionError(f"result {op.dsts[0].ty} for {img}")
    count, stride, offs = op.attr
    _need(len(offs) == len(op.args) - 2, "one offset per leaf")
    for off, leaf in zip(offs, op.args[2:], strict=True):
        _within(img, count, stride, off, leaf.ty)


def _anew(op: Op) -> None:
    _need(len(op.dsts) == 1 and len(op.attr) == len(op.args), "one offset per leaf")
    img = _image(op.dsts[0].ty)
    for off, leaf in zip(op.attr, op.args, strict=True):
        _within(img, 1, 0, off, leaf.ty)


def _aslice(op: Op) -> None:
    _counts(op, 2)
    img = _image(op.args[0].ty)
    _image(op.dsts[0].ty)
    _int(op.args[1].ty)
    count, stride = op.attr
    if count * stride > img.size:
        raise AssertionError(f"{count} elements of {stride} bytes in {img}")


def _packing(p: Packing, size: int) -> None:
    for off, width, low, nested in p.leaves:
        n = int_bytes(width) if nested is None else nested.count * nested.stride
        if not (p.count == 0 or (p.count - 1) * p.stride + off + n <= size):
            raise AssertionError(f"packing leaf at {off} outside of {size} bytes")
        if low + width > p.bits:
            raise AssertionError(f"packing leaf at bit {low} outside of {p.bits} bits")
        if nested is not None:
            _need(nested.count * nested.bits == width, "nested packing of another width")
            _packing(nested, n)


def _pack(op: Op) -> None:
    _counts(op, 1)
    img, i = (op.args[0].ty, op.dsts[0].ty) if op.code == "apack" else (op.dsts[0].ty, op.args[0].ty)
    _need(isinstance(op.attr, Packing), "attribute must be a Packing")
    if _int(i).size != op.attr.count * op.attr.bits:
        raise AssertionError(f"{i} for {op.attr.count} elements of {op.attr.bits} bits")
    _packing(op.attr, _image(img).size)


def _load(base: Ty) -> Callable[[Op], None]:
    def check(op: Op) -> None:
        _counts(op, 1)
        if op.args[0].ty != base:
            raise AssertionError(f"base must be {base}, got {op.args[0].ty}")
        _mem_attr(op)

    return check


def _store(base: Ty) -> Callable[[Op], None]:
    def check(op: Op) -> None:
        _counts(op, 2, 0)
        if op.args[0].ty != base:
            raise AssertionError(f"base must be {base}, got {op.args[0].ty}")
        _mem_attr(op)

    return check


def _mem_attr(op: Op) -> None:
    if op.code in ("ldt", "stt"):
        _need(isinstance(op.attr, int), "attribute must be a byte offset")
    else:
        _need(isinstance(op.attr, tuple) and len(op.attr) == 2, "attribute must be (byte offset, site)")


def _ldbits(op: Op) -> None:
    _counts(op, 2)
    _int(op.dsts[0].ty)
    _need(op.args[0].ty == I32 and op.args[1].ty == I32, "ldbits takes two I(32)")


def _netstore(op: Op) -> None:
    _need(not op.dsts and len(op.attr) in (4, 5) and len(op.attr[2]) == len(op.args), "one offset per leaf, no result")


def _drive(head: tuple[Ty, ...]) -> Callable[[Op], None]:
    def check(op: Op) -> None:
        d = op.attr
        _need(isinstance(d, Drive) and len(d.offs) == d.nleaves, "attribute must be a Drive with one offset per leaf")
        time = () if d.time is not None else (I64, I32, I32)
        leaves = tuple(a.ty for a in op.args[len(head) : len(head) + d.nleaves])
        if len(leaves) != d.nleaves:
            raise AssertionError(f"expected {d.nleaves} leaves")
        _sig(op, head + leaves + time, ())
        if op.code == "drvref" and op.args[1].const != 0:
            _need(d.nleaves == 1 and leaves[0].kind == "i", "a bit offset needs a single integer leaf")

    return check


def _rt(op: Op) -> None:
    _need(isinstance(op.attr, str), "attribute must be a name")
    for v in (*op.args, *op.dsts):
        if not (v.ty.kind == "f" or (v.ty.kind == "i" and v.ty.size <= 64)):
            raise AssertionError(f"{v.ty} in a runtime call")


def _svc(op: Op) -> None:
    _need(isinstance(op.attr, Service), "attribute must be a Service")


def _call(op: Op) -> None:
    _need(isinstance(op.attr, str), "attribute must be a function key")


def _icall(op: Op) -> None:
    _need(isinstance(op.attr, CallSite), "attribute must be a CallSite")
    _sig(op, (I64, *op.attr.params), op.attr.results)


def _spawn(op: Op) -> None:
    _call(op)
    _need(tuple(d.ty for d in op.dsts) == (I32,), "spawn gives a process id")


def _table() -> dict[str, Callable[[Op], None]]:
    t: dict[str, Callable[[Op], None]] = {}
    for code in ("add", "sub", "mul", "and", "or", "xor", "divu", "modu", "divs", "mods", "shl", "shru", "shrs"):
        t[code] = lambda op: _same(op, 2, _int)
    for code in ("fadd", "fsub", "fmul", "fdiv", "frem", "fmin", "fmax"):
        t[code] = lambda op: _same(op, 2, _float)
    for code in ("fneg", "fabs"):
        t[code] = lambda op: _same(op, 1, _float)
    for code in ("parity", "popcount", "ctlz", "cttz"):
        t[code] = _bitcount
    t.update(icmp=_icmp, mux=_mux, extract=_extract, concat=_concat, repl=_repl, zext=_widen, sext=_widen)
    t.update(fcmp=_fcmp, f2bits=_float_bits, bits2f=_float_bits, fmath=_fmath)
    t.update(fptosi=_convert(_float, _int), fptoui=_convert(_float, _int), sitofp=_convert(_int, _float), uitofp=_convert(_int, _float))
    f32, f64 = Ty("f", 32), Ty("f", 64)
    t.update(fext=_fixed((f32,), (f64,)), ftrunc=_fixed((f64,), (f32,)))
    t.update(aget=_aget, aput=_aput, anew=_anew, aslice=_aslice, apack=_pack, aunpack=_pack)
    t.update(ctx=_fixed((), (I32,)), frame=_fixed((), (I32,)), netid=_fixed((), (I32,), lambda a: isinstance(a, int)))
    t.update(ldt=_load(I32), stt=_store(I32), ldbits=_ldbits, ld=_load(I64), st=_store(I64))
    t["alloca"] = _fixed((I64,), (I64,), lambda a: isinstance(a, tuple) and len(a) == 2)
    t.update(memcpy=_fixed((I64, I64, I64), ()), memmove=_fixed((I64, I64, I64), ()), memset=_fixed((I64, I8, I64), ()))
    t.update(netstore=_netstore, drv=_drive((I32, I32)), drvref=_drive((I64, I32)))
    t["gcpoll"] = _fixed((), ())
    t.update(rt=_rt, svc=_svc, call=_call, icall=_icall, spawn=_spawn)
    return t


CHECKS = _table()
"""One check per operation code: the list of all operations of MIR."""


def check_op(op: Op) -> None:
    """Raises AssertionError when operands, results or the attribute of `op` do not fit its code."""
    check = CHECKS.get(op.code)
    _need(check is not None, "unknown operation")
    assert check is not None
    check(op)


def _check_edge(target: Block, args: tuple[Val, ...]) -> None:
    want, got = tuple(p.ty for p in target.params), tuple(a.ty for a in args)
    if want != got:
        raise AssertionError(f"edge to {target}: parameters {want}, arguments {got}")


def _check_term(body: Body, block: Block) -> None:
    term = block.term
    _need(term is not None, "no terminator")
    assert term is not None
    for target, args in term.edges():
        _check_edge(target, args)
    if isinstance(term, CondBr):
        if term.cond.ty != BOOL:
            raise AssertionError(f"condition is {term.cond.ty}")
    elif isinstance(term, Switch):
        w = _int(term.value.ty)
        for c, _, _ in term.cases:
            if not 0 <= c <= w.mask:
                raise AssertionError(f"case {c} does not fit {w}")
        _need(len({c for c, _, _ in term.cases}) == len(term.cases), "case given twice")
    elif isinstance(term, Ret):
        got = tuple(v.ty for v in term.vals)
        _need(body.kind != "process", "a process ends with Halt")
        if got != body.results:
            raise AssertionError(f"returns {got}, body has {body.results}")
    elif isinstance(term, Wait):
        if not body.suspending:
            raise AssertionError(f"Wait in a {body.kind}")
        _need(not term.resume.params, "the resume block of a Wait has parameters")
        _need(all(v.ty == I64 for v, _, _ in term.dyn), "dynamic sensitivity takes pointers")
        _need(term.time is None or tuple(v.ty for v in term.time) == (I64, I32, I32), "wait time must be (I(64), I(32), I(32))")
        if not (term.sens is None or 0 <= term.sens < len(body.sens_sets)):
            raise AssertionError(f"no sensitivity set {term.sens}")
    elif isinstance(term, CallS):
        if not body.suspending:
            raise AssertionError(f"CallS in a {body.kind}")
        _need((term.callee is None) == (term.site is not None), "either a callee or a call site")
        if term.site is not None:
            got = tuple(a.ty for a in term.args)
            if got != (I64, *term.site.params):
                raise AssertionError(f"call site takes {(I64, *term.site.params)}, got {got}")
            res = tuple(p.ty for p in term.resume.params)
            if res != term.site.results:
                raise AssertionError(f"call site gives {term.site.results}, resume block takes {res}")
    elif isinstance(term, Halt):
        if body.kind != "process":
            raise AssertionError(f"Halt in a {body.kind}")
    else:
        _need(isinstance(term, (Br, Fault)), "unknown terminator")


def _ancestors(idom: dict[int, int]) -> Callable[[int, int], bool]:
    """A test of `a dominates b` by the order in which a walk enters and leaves the nodes of the dominator tree."""
    children: dict[int, list[int]] = {}
    root = -1
    for b, d in idom.items():
        if b == d:
            root = b
        else:
            children.setdefault(d, []).append(b)
    enter: dict[int, int] = {}
    leave: dict[int, int] = {}
    stack = [(root, False)]
    clock = 0
    while stack:
        node, done = stack.pop()
        clock += 1
        if done:
            leave[node] = clock
            continue
        enter[node] = clock
        stack.append((node, True))
        stack.extend((c, False) for c in children.get(node, ()))
    return lambda a, b: a in enter and enter[a] <= enter[b] and leave[b] <= leave[a]


def verify(body: Body) -> None:
    """Raises AssertionError with block and operation when `body` is not well formed.

    Checked: types of every operation and edge, one definition per value, every use dominated by its definition, the entry block has
    neither parameters nor predecessors, tokens number the Wait and CallS terminators from 1 in block order, constants fit their type.
    """
    from .analysis import dominators, predecessors

    if not body.blocks:
        raise AssertionError(f"{body.key}: no blocks")
    if body.kind not in ("process", "coroutine", "function", "region"):
        raise AssertionError(f"{body.key}: unknown kind {body.kind!r}")
    ids = {b.id for b in body.blocks}
    if len(ids) != len(body.blocks):
        raise AssertionError(f"{body.key}: two blocks of one id")
    where: tuple[Any, ...] = (body.key,)
    defined: dict[int, tuple[int, int]] = {p.id: (-1, 0) for p in body.params}  # value -> (block, position)
    if len(defined) != len(body.params):
        raise AssertionError(f"{body.key}: parameter given twice")
    token = 0
    try:
        for b in body.blocks:
            where = (body.key, b)
            for v in b.params:
                if v.id in defined:
                    raise AssertionError(f"{v} defined twice")
                defined[v.id] = (b.id, -1)
            for n, op in enumerate(b.ops):
                where = (body.key, b, "op", n, op)
                check_op(op)
                for v in op.dsts:
                    _need(v.const is None, "a constant as result")
                    if v.id in defined:
                        raise AssertionError(f"{v} defined twice")
                    defined[v.id] = (b.id, n)
            where = (body.key, b, type(b.term).__name__)
            _check_term(body, b)
            assert b.term is not None
            targets = [t for t, _ in b.term.edges()]
            if isinstance(b.term, (Wait, CallS)):
                targets.append(b.term.resume)
                token += 1
                if b.term.token != token:
                    raise AssertionError(f"token {b.term.token}, expected {token}")
            for t in targets:
                if t.id not in ids:
                    raise AssertionError(f"target {t} is not in the body")
        entry = body.blocks[0]
        where = (body.key, entry)
        _need(not entry.params, "the entry block has parameters")
        _need(not predecessors(body)[entry.id], "the entry block has predecessors")
        idom = dominators(body)
        above = _ancestors(idom)

        def use(v: Val, block: int, at: int) -> None:
            if v.const is not None:
                if not _const_fits(v):
                    raise AssertionError(f"constant {v.const!r} does not fit {v.ty}")
                return
            d = defined.get(v.id)
            if d is None:
                raise AssertionError(f"{v} has no definition")
            ok = d[1] < at if d[0] == block else d[0] < 0 or above(d[0], block)
            if not ok:
                raise AssertionError(f"{v} is used before its definition")

        for b in body.blocks:
            if b.id not in idom:
                continue
            for n, op in enumerate(b.ops):
                where = (body.key, b, "op", n, op)
                for v in op.args:
                    use(v, b.id, n)
            where = (body.key, b, type(b.term).__name__)
            assert b.term is not None
            for v in b.term.uses():
                use(v, b.id, len(b.ops))
            for _, args in b.term.edges():
                for v in args:
                    use(v, b.id, len(b.ops))
    except AssertionError as e:
        place = " ".join(map(str, where))
        raise AssertionError(f"{place}: {e}") from None


def _const_fits(v: Val) -> bool:
    c = v.const
    if v.ty.kind == "i":
        return isinstance(c, int) and 0 <= c <= v.ty.mask
    if v.ty.kind == "f":
        return isinstance(c, float)
    return isinstance(c, bytes) and len(c) == v.ty.size
