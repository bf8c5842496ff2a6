"""The passes that `BodyBuilder.finish` runs over a body: control-flow simplification, dead code, resume points, frame layout."""

from __future__ import annotations

from .analysis import frame_layout, liveness, map_term, resume_block, reverse_postorder, successors
from .fold import EFFECT_FREE, FOLD
from .lanes import widen_lanes
from .mir import Block, Body, Br, CallS, CondBr, Op, Switch, Term, Val, Wait

_REMAT = frozenset({"ctx", "frame", "netid"})
"""Cheaper to compute again than to carry across a suspension."""


VERIFY = False
"""Whether finished bodies are verified: a twentieth of the start-up time of a large design. The tests and `wasmjit inspect` switch it on."""


def finish_body(body: Body, next_id: int, check: bool | None) -> int:
    """Runs all passes in place; returns the next free value id."""
    for b in body.blocks:
        assert b.term is not None, f"{body.key}: {b} has no terminator"
    _fold_branches(body)
    _thread(body)
    _prune(body)
    changed = True
    while changed:
        changed = _drop_constant_params(body)
        if changed:
            next_id = _fold_ops(body, next_id)
            _fold_branches(body)
            _prune(body)
    _merge_chains(body)
    _separate_entry(body)
    next_id, whole = widen_lanes(body, next_id)
    if whole:
        _substitute(body, whole)
    next_id = _rematerialise(body, next_id)
    _remove_dead(body)
    _number(body)
    live = liveness(body)
    body.live_in = {}
    for b in body.blocks:
        if isinstance(b.term, (Wait, CallS)):
            body.live_in[b.term.token] = live.vals(live.live_in[b.term.resume.id])
    body.frame = frame_layout(body) if body.suspending else None
    if VERIFY if check is None else check:
        from .verify import verify

        verify(body)
    return next_id


def _fold_branches(body: Body) -> None:
    """Branches whose target is known become `Br`."""
    for b in body.blocks:
        term = b.term
        new: Term | None = None
        if isinstance(term, CondBr):
            if term.cond.const is not None:
                new = Br(term.ttarget, term.targs) if term.cond.const else Br(term.ftarget, term.fargs)
            elif term.ttarget is term.ftarget and _same(term.targs, term.fargs):
                new = Br(term.ttarget, term.targs)
        elif isinstance(term, Switch):
            if term.value.const is not None:
                new = Br(term.default, term.dargs)
                for c, t, a in term.cases:
                    if c == term.value.const:
                        new = Br(t, a)
                        break
            elif all(t is term.default and _same(a, term.dargs) for _, t, a in term.cases):
                new = Br(term.default, term.dargs)
        if new is not None:
            assert term is not None
            new.loc = term.loc
            b.term = new


def _same(a: tuple[Val, ...], b: tuple[Val, ...]) -> bool:
    return len(a) == len(b) and all(x is y for x, y in zip(a, b, strict=True))


def _thread(body: Body) -> None:
    """Edges to a block that only branches on go to its target."""

    def final(block: Block, args: tuple[Val, ...]) -> tuple[Block, tuple[Val, ...]]:
        seen = set()
        while not block.ops and not block.params and block.id not in seen:
            term = block.term
            if not isinstance(term, Br):
                break
            seen.add(block.id)
            block, args = term.target, term.args
        return block, args

    for b in body.blocks:
        t = b.term
        if isinstance(t, Br):
            t.target, t.args = final(t.target, t.args)
        elif isinstance(t, CondBr):
            t.ttarget, t.targs = final(t.ttarget, t.targs)
            t.ftarget, t.fargs = final(t.ftarget, t.fargs)
        elif isinstance(t, Switch):
            t.default, t.dargs = final(t.default, t.dargs)
            t.cases = [(c, *final(x, a)) for c, x, a in t.cases]
            t.cases = [(c, x, a) for c, x, a in t.cases if not (x is t.default and _same(a, t.dargs))] or t.cases[:1]
        elif isinstance(t, (Wait, CallS)) and not t.resume.params:
            target, args = final(t.resume, ())
            if not args and not target.params:
                t.resume = target
    _fold_branches(body)


def _prune(body: Body) -> None:
    """Only reachable blocks, in the order of their creation."""
    reachable = {b.id for b in reverse_postorder(body.blocks[0])}
    if len(reachable) < len(body.blocks):
        body.blocks = [b for b in body.blocks if b.id in reachable]


def _substitute(body: Body, val: dict[int, Val]) -> None:
    for vid, v in val.items():  # chains: a -> b -> c
        while v.const is None and v.id in val:
            v = val[v.id]
        val[vid] = v
    for b in body.blocks:
        for op in b.ops:
            for a in op.args:
                if a.const is None and a.id in val:
                    op.args = tuple([x if x.const is not None else val.get(x.id, x) for x in op.args])
                    break
        assert b.term is not None
        map_term(b.term, val)


def _drop_constant_params(body: Body) -> bool:
    """Removes block parameters that always receive the same value. Results of suspending calls stay."""
    incoming: dict[int, list[tuple[Val, ...]]] = {}
    fixed = {body.blocks[0].id}
    for b in body.blocks:
        assert b.term is not None
        for t, args in b.term.edges():
            incoming.setdefault(t.id, []).append(args)
        r = resume_block(b.term)
        if r is not None:
            fixed.add(r.id)
    val: dict[int, Val] = {}
    dropped: dict[int, list[bool]] = {}
    for b in body.blocks:
        if not b.params or b.id in fixed:
            continue
        keep = []
        for i, p in enumerate(b.params):
            source: Val | None = None
            ok = True
            for args in incoming[b.id]:
                a = args[i]
                while a.const is None and a.id in val:
                    a = val[a.id]
                if a is p or a is source:
                    continue
                if source is not None:
                    ok = False
                    break
                source = a
            if ok and source is not None:
                val[p.id] = source
                keep.append(False)
            else:
                keep.append(True)
        if not all(keep):
            dropped[b.id] = keep
    if not val:
        return False
    _drop_params(body, dropped)
    _substitute(body, val)
    return True


def _drop_params(body: Body, dropped: dict[int, list[bool]]) -> None:
    """Removes the parameters marked False and the arguments for them."""

    def cut(t: Block, args: tuple[Val, ...]) -> tuple[Val, ...]:
        keep = dropped.get(t.id)
        return args if keep is None else tuple([a for a, k in zip(args, keep, strict=True) if k])

    for b in body.blocks:
        t = b.term
        if isinstance(t, Br):
            t.args = cut(t.target, t.args)
        elif isinstance(t, CondBr):
            t.targs, t.fargs = cut(t.ttarget, t.targs), cut(t.ftarget, t.fargs)
        elif isinstance(t, Switch):
            t.dargs = cut(t.default, t.dargs)
            t.cases = [(c, x, cut(x, a)) for c, x, a in t.cases]
    for b in body.blocks:
        keep = dropped.get(b.id)
        if keep is not None:
            b.params = [p for p, k in zip(b.params, keep, strict=True) if k]


def _fold_ops(body: Body, next_id: int) -> int:
    """Pure operations all of whose operands have become constant."""
    val: dict[int, Val] = {}
    for b in body.blocks:
        for op in b.ops:
            fold = FOLD.get(op.code)
            if fold is None:
                continue
            args = [a if a.const is not None else val.get(a.id, a) for a in op.args]
            if all(a.const is not None for a in args):
                dst = op.dsts[0]
                out = fold((dst.ty,), [a.ty for a in args], [a.const for a in args], op.attr)[0]
                val[dst.id] = Val(next_id, dst.ty, out)
                next_id += 1
    if val:
        _substitute(body, val)
        for b in body.blocks:
            b.ops = [op for op in b.ops if len(op.dsts) != 1 or op.dsts[0].id not in val]
    return next_id


def _merge_chains(body: Body) -> None:
    """Joins a block with its successor when that has no other predecessor."""
    count: dict[int, int] = {}
    for b in body.blocks:
        for s in successors(b):
            count[s.id] = count.get(s.id, 0) + 1
    val: dict[int, Val] = {}
    gone: set[int] = set()
    entry = body.blocks[0]
    for b in body.blocks:
        if b.id in gone:
            continue
        while isinstance(b.term, Br):
            t = b.term.target
            if t is b or t is entry or count[t.id] != 1:
                break
            for p, a in zip(t.params, b.term.args, strict=True):
                val[p.id] = a
            b.ops.extend(t.ops)
            b.term = t.term
            gone.add(t.id)
    if gone:
        body.blocks = [b for b in body.blocks if b.id not in gone]
    if val:
        _substitute(body, val)


def _separate_entry(body: Body) -> None:
    """The entry block must have no predecessors: a token of 0 enters it once."""
    entry = body.blocks[0]
    if any(s is entry for b in body.blocks for s in successors(b)):
        first = Block(max(b.id for b in body.blocks) + 1)
        first.term = Br(entry)
        body.blocks.insert(0, first)


def _rematerialise(body: Body, next_id: int) -> int:
    """Context and frame addresses and net ids are computed anew in each block that uses them, so that they never take a frame slot."""
    if len(body.blocks) == 1:
        return next_id
    defs = {op.dsts[0].id: (op, b.id) for b in body.blocks for op in b.ops if op.code in _REMAT}
    if not defs:
        return next_id
    for b in body.blocks:
        term = b.term
        assert term is not None
        bid = b.id
        used = {a.id for op in b.ops for a in op.args if a.const is None}
        used.update([v.id for v in term.uses() if v.const is None])
        used.update([v.id for _, args in term.edges() for v in args if v.const is None])
        here: dict[int, Val] = {}
        new: list[Op] = []
        for i in sorted(used & defs.keys()):
            op, home = defs[i]
            if home != bid:
                here[i] = Val(next_id, op.dsts[0].ty)
                next_id += 1
                new.append(Op(op.code, (here[i],), (), op.attr, op.loc))
        if here:
            for op in b.ops:
                for a in op.args:
                    if a.id in here and a.const is None:
                        op.args = tuple([x if x.const is not None else here.get(x.id, x) for x in op.args])
                        break
            map_term(term, here)
            b.ops[:0] = new
    return next_id


def _remove_dead(body: Body) -> None:
    """Removes operations without effects and block parameters that nothing needs."""
    defs: dict[int, Op] = {}
    sources: dict[int, list[Val]] = {}  # block parameter -> arguments it may receive
    needed: list[Val] = []
    fixed: set[int] = set()
    for b in body.blocks:
        for op in b.ops:
            if op.code in EFFECT_FREE:
                for d in op.dsts:
                    defs[d.id] = op
            else:
                needed += op.args
        term = b.term
        assert term is not None
        needed += term.uses()
        for t, args in term.edges():
            for p, a in zip(t.params, args, strict=True):
                sources.setdefault(p.id, []).append(a)
        r = resume_block(term)
        if r is not None:
            fixed.add(r.id)
            needed += r.params
    live: set[int] = set()
    seen = live.add
    while needed:
        v = needed.pop()
        i = v.id
        if v.const is not None or i in live:
            continue
        seen(i)
        made = defs.get(i)
        if made is not None:
            needed += made.args
        elif i in sources:
            needed += sources[i]
    dropped: dict[int, list[bool]] = {}
    for b in body.blocks:
        b.ops = [op for op in b.ops if op.code not in EFFECT_FREE or op.dsts[0].id in live]
        if b.params and b.id not in fixed:
            keep = [p.id in live for p in b.params]
            if not all(keep):
                dropped[b.id] = keep
    if dropped:
        _drop_params(body, dropped)


def _number(body: Body) -> None:
    """Block ids and resume tokens in block order; tokens start at 1."""
    token = 0
    for i, b in enumerate(body.blocks):
        b.id = i
        if isinstance(b.term, (Wait, CallS)):
            token += 1
            b.term.token = token
