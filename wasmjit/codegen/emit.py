"""MIR body → wasm function body: use counts, blocks, edges, suspension. The operations are in `ints`, `wide`, `floats`, `images`, `memory` and
`calls`, registered here by code; values are in `values`.

Measured (2 shared cores under load, Python 3.11): 135 µs per 100 integer operations of mixed widths, and about 50 µs per body for its control
flow, from MIR to module bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..sem.analysis import liveness
from ..sem.mir import (
    LIMB_BITS,
    STATUS_DONE,
    STATUS_FAULT,
    Block,
    Br,
    CallS,
    CondBr,
    Fault,
    Halt,
    Op,
    Ret,
    Switch,
    Val,
    Wait,
)
from . import wasm as W
from .forms import NO_SITE, Place, address, function_type, in_memory, value_types
from .structure import BR_JUMP, END_JUMP, Jump, known_plan, write
from .suspend import Suspension
from .values import EXTERN_ROOT, MANY, NeedShadow
from .views import WRITERS, views
from .wasm import GET, SET, TEE, i32_const, i64_const

Handler = Callable[["Emitter", Op], None]
HANDLERS: dict[str, Handler] = {}
"""Operation code → what emits it."""


def lowers(*codes: str) -> Callable[[Handler], Handler]:
    """Registers the emitter of one or more operation codes."""

    def add(fn: Handler) -> Handler:
        for c in codes:
            HANDLERS[c] = fn
        return fn

    return add


MEMORY_WRITERS = WRITERS


class Emitter(Suspension):
    """One body. `code()` gives (local types, instructions)."""

    __slots__ = ()
    gang = False
    """Whether the function goes through the regions of a gang (`gangs`)."""

    # ------------------------------------------------------------ analysis

    def _scan(self) -> None:
        """Counts uses (1: one use in the defining block; a use elsewhere counts as many) and finds out what the body needs."""
        uses = self.uses
        count = uses.get
        where: dict[int, int] = {}
        body = self.body
        shadow = False
        for b in body.blocks:
            bid = b.id
            for p in b.params:
                where[p.id] = -2  # always a local of its own
                if not shadow:
                    shadow = in_memory(p.ty)
            for op in b.ops:
                for a in op.args:
                    if a.const is None:
                        i = a.id
                        uses[i] = count(i, 0) + 1 if where.get(i) == bid else MANY
                for d in op.dsts:
                    where[d.id] = bid
                    ty = d.ty
                    if ty.size > LIMB_BITS or ty.kind == "a":
                        shadow = True
                code = op.code
                if code in MEMORY_WRITERS:
                    self.writers = True
                    if code == "svc" or (code == "alloca" and not body.suspending):
                        shadow = True
                elif code == "aput":
                    self.has_aput = True
            t = b.term
            assert t is not None
            if isinstance(t, CallS):
                self.writers = True
            for v in t.uses():
                if v.const is None:
                    uses[v.id] = count(v.id, 0) + 1 if where.get(v.id) == bid else MANY
            for _, args in t.edges():
                for v in args:
                    if v.const is None:
                        uses[v.id] = count(v.id, 0) + 1 if where.get(v.id) == bid else MANY
        if self.link.collects:
            from .roots import root_sets

            self.root_ops = root_sets(body, self.link.may_collect)
            for vals in self.root_ops.values():
                shadow = shadow or bool(vals)
                for v in vals:
                    uses[v.id] = MANY
        self.uses_shadow = self.uses_shadow or shadow
        if body.live_in:
            for vals in body.live_in.values():
                for v in vals:
                    uses[v.id] = MANY
                    self.saved[v.id] = v

    # ------------------------------------------------------------ whole

    def code(self) -> tuple[bytes, bytes]:
        """(local types after the parameters, instructions)."""
        try:
            return self._code()
        except NeedShadow:
            self.__init__(self.body, self.mod)  # type: ignore[misc]
            self.uses_shadow = True
            return self._code()

    def _code(self) -> tuple[bytes, bytes]:
        body = self.body
        self._scan()
        if body.kind == "function":
            nparams = len(function_type(tuple(p.ty for p in body.params), body.results)[0])
        else:
            nparams = 1 if body.kind == "region" and not self.gang else 2
        self.nlocals = nparams
        if body.suspending:
            self.frame = GET[1]
            self._frame_slots()
        if body.kind == "region":
            from .nets import region_locals

            self.region = region_locals(self)
        if self.uses_shadow:
            self.sp0, self.fp = self.local(W.I32), self.local(W.I32)
        self._parameters()
        carried = any(p.ty.kind == "a" for b in body.blocks for p in b.params)
        if self.has_aput or carried:
            self.live = liveness(body)
            if carried:
                self.views = views(body, self.live, self.saved)
        for b in body.blocks:
            for p in b.params:
                self._block_param(p)
        if len(body.blocks) == 1 and not body.suspending and not self.gang:
            self._block(body.blocks[0])
            self._terminate(body.blocks[0])
        else:
            self._graph()
        code = self._prologue() + bytes(self.out)
        if body.kind != "region" or self.gang:
            code += b"\x00"
        return bytes(self.local_types), code

    def _prologue(self) -> bytes:
        first = self.region.prologue(self.link.nets.table) if self.region is not None and self.link.nets is not None and not self.gang else b""
        if not self.uses_shadow:
            return first
        code = first + b"\x23" + W.uleb(self.mod.sp) + TEE.at(self.sp0) + i32_const(self.shadow) + b"\x6b" + TEE.at(self.fp)
        limit = self.link.stack_limit
        if limit is not None:
            code += i32_const(limit) + b"\x49\x04\x40" + self.fault(NO_SITE, GET.at(self.fp) + b"\xad") + b"\x0b" + GET.at(self.fp)
        return code + b"\x24" + W.uleb(self.mod.sp)

    def fault(self, site: int, addr: bytes) -> bytes:
        """Code that records a fault (addr: code of an i64) and traps."""
        return i32_const(site) + addr + self.mod.call("h", "fault") + b"\x00"

    def _parameters(self) -> None:
        """Parameters of a function are wasm parameters; those of a suspending body lie in the frame."""
        body = self.body
        if body.kind == "function":
            at = 0
            for p in body.params:
                n = len(value_types(p.ty))
                ls = tuple(range(at, at + n))
                at += n
                self.loc[p.id] = ls
                self._bind(p, ls)
        elif body.suspending:
            assert body.frame is not None
            for p, off in zip(body.params, body.frame.params, strict=True):
                self.params_in_frame[p.id] = off
                if in_memory(p.ty):
                    self.img[p.id] = Place(self.frame, off)
                    self.roots[p.id] = EXTERN_ROOT
                elif self.uses.get(p.id):
                    self._bind(p, self.locals_of(p))
            for v in self.saved.values():
                if v.id not in self.params_in_frame:
                    if in_memory(v.ty):
                        off = body.frame.slots[v.id]
                        self.img[v.id] = Place(GET.at(self.locals_of(v)[0]), 0)
                        self.roots[v.id] = frozenset((off * 2 + 1,))
                        self.unplaced.add(v.id)
                    else:
                        self._bind(v, self.locals_of(v))

    def _bind(self, v: Val, ls: tuple[int, ...]) -> None:
        if in_memory(v.ty):
            self.img[v.id] = Place(GET.at(ls[0]), 0)
            self.roots[v.id] = EXTERN_ROOT
        elif len(ls) == 1:
            self.expr[v.id] = GET.at(ls[0])
        else:
            self.limb[v.id] = tuple([GET.at(i) for i in ls])

    def _block_param(self, p: Val) -> None:
        if not self.uses.get(p.id):
            return
        if in_memory(p.ty):
            if p.id in self.views:
                self._bind(p, self.locals_of(p))
                return
            # A static place even when saved: what is in the frame is copied back there on resume.
            self.img[p.id] = self.own_place(p)
            self.unplaced.discard(p.id)
        else:
            self._bind(p, self.locals_of(p))

    # ------------------------------------------------------------ control flow

    def special(self, kind: str) -> Jump:
        """Code of a node that is neither a block nor belongs to a resume point."""
        raise AssertionError(kind)

    def extend(self, nodes: list[tuple[str, Block | None]], succs: list[list[int]]) -> None:
        """Add such nodes to the graph of the blocks."""

    def _graph(self) -> None:
        """Nodes: 0 the entry, then the blocks, then two nodes per resume point (reload, call) as needed."""
        body = self.body
        index = {b.id: i + 1 for i, b in enumerate(body.blocks)}
        nodes: list[tuple[str, Block | None]] = [("entry", None)] + [("block", b) for b in body.blocks]
        succs: list[list[int]] = [[1]] + [[] for _ in body.blocks]
        for b in body.blocks:
            t = b.term
            me = index[b.id]
            if isinstance(t, (Wait, CallS)):
                reload = len(nodes)
                nodes.append(("reload", b))
                succs[0].append(reload)
                succs.append([])
                if isinstance(t, CallS):
                    call = len(nodes)
                    nodes.append(("call", b))
                    succs.append([index[t.resume.id]])
                    succs[me] = [call]
                    succs[reload] = [call]
                else:
                    succs[reload] = [index[t.resume.id]]
            else:
                assert t is not None
                succs[me] = [index[x.id] for x, _ in t.edges()]
        self.extend(nodes, succs)

        def node(u: int) -> Jump:
            kind, b = nodes[u]
            if kind == "entry":
                return self._entry(len(succs[0]))
            if b is None:
                return self.special(kind)
            if kind == "reload":
                self._reload(b)
                return BR_JUMP
            if kind == "call":
                self._call_node(b)
                return BR_JUMP
            self._block(b)
            return self._terminate(b)

        def edge(u: int, k: int) -> bytes:
            kind, b = nodes[u]
            if kind == "entry":
                return self._load_params() if k == 0 and self.body.suspending else b""
            if b is None or kind != "block" or isinstance(b.term, (CallS, Ret)):
                return b""
            assert b.term is not None
            target, args = b.term.edges()[k]
            return self._moves(target, args) if args else b""

        def label() -> int:
            if self.label < 0:
                self.label = self.local(W.I32)
            return self.label

        write(known_plan(succs), self.out, node, edge, label)

    def _moves(self, target: Block, args: Sequence[Val]) -> bytes:
        """Moves of block arguments, as if all at once: everything is pushed before images are copied and locals set."""
        push: list[bytes] = []
        pop: list[bytes] = []
        images: list[tuple[Place, frozenset[int], Val]] = []
        for p, a in zip(target.params, args, strict=True):
            if p is a or not self.uses.get(p.id):
                continue
            if in_memory(p.ty):
                if p.id in self.views:
                    push.append(address(self.place(a)))
                    pop.append(SET.at(self.locals_of(p)[0]))
                else:
                    images.append((self.img[p.id], self.roots[p.id], a))
                continue
            code = self.push(a)
            push.append(code)
            pop.append(b"".join([SET.at(i) for i in reversed(self.locals_of(p))]))
        if images:
            push.append(self.image_moves(images))
        pop.reverse()
        return b"".join(push) + b"".join(pop)

    def _block(self, b: Block) -> None:
        handlers = HANDLERS
        if self.live is not None:
            self.last_uses(b)
        self.block = b
        for i, op in enumerate(b.ops):
            self.position = i
            handlers[op.code](self, op)

    def _terminate(self, b: Block) -> Jump:
        t = b.term
        if isinstance(t, Br):
            return BR_JUMP
        if isinstance(t, CondBr):
            return Jump("if", self.s(t.cond))
        if isinstance(t, Switch):
            return self._switch(t)
        if isinstance(t, Ret):
            return self._ret(t)
        elif isinstance(t, Wait):
            self._wait(t)
        elif isinstance(t, CallS):
            from .calls import start_child

            start_child(self, t)
            return BR_JUMP
        elif isinstance(t, Halt):
            self.release_frame()
            self.out += self.epilogue() + i32_const(STATUS_DONE) + b"\x0f"
        else:
            assert isinstance(t, Fault)
            self.out += i32_const(t.site) + b"\x42\x00" + self.mod.call("h", "fault")
            if self.body.suspending:
                self.out += self.epilogue() + i32_const(STATUS_FAULT) + b"\x0f"
            else:
                self.out += b"\x00"
        return END_JUMP

    def _switch(self, t: Switch) -> Jump:
        """Edges of a switch: case i is edge i, the default the last one. Dense cases become a table, others tests."""
        default = len(t.cases)
        w = t.value.ty.size
        if not t.cases:
            return Jump("table", i32_const(0), (), default)
        values = [c for c, _, _ in t.cases]
        lo, hi = min(values), max(values)
        if w <= 64 and hi - lo < 4 * len(values) + 8:
            table = [default] * (hi - lo + 1)
            for i, c in enumerate(values):
                table[c - lo] = i
            if w <= 32:
                code = self.s(t.value)
                return Jump("table", code + i32_const(lo) + b"\x6b" if lo else code, table, default)
            v = self.keep(self.s(t.value) + (i64_const(lo) + b"\x7d" if lo else b""), W.I64)
            # Values beyond the table (as 64-bit numbers) go to the default.
            return Jump("table", v + b"\xa7" + i32_const(-1) + v + i64_const(len(table)) + b"\x54\x1b", table, default)
        if w <= 64:
            v = self.cheap(t.value)
            const, eq = (i32_const, b"\x46") if w <= 32 else (i64_const, b"\x51")
            return Jump("tests", tests=[(v + const(c) + eq, i) for i, c in enumerate(values)], default=default)
        from .wide import equals_constant

        limbs = self.cheap_limbs(t.value)
        return Jump("tests", tests=[(equals_constant(limbs, c), i) for i, c in enumerate(values)], default=default)

    def _ret(self, t: Ret) -> Jump:
        kind = self.body.kind
        if kind == "region":
            if self.region is not None:
                self.out += self.region.epilogue(self)
            self.out += self.epilogue() + b"\x0f"
            return END_JUMP
        if kind == "coroutine":
            assert self.body.frame is not None
            self.flush()
            for v, off in zip(t.vals, self.body.frame.results, strict=True):
                self.out += self.store_leaf(Place(self.frame, off), v)
            self.release_frame()
            self.out += self.epilogue() + i32_const(STATUS_DONE) + b"\x0f"
            return END_JUMP
        images = [v for v in t.vals if in_memory(v.ty)]
        if images:
            self.flush()
            at = sum(len(value_types(p.ty)) for p in self.body.params)
            for i, v in enumerate(images):
                self.copy(Place(GET.at(at + i), 0), self.place(v), v.ty.nbytes)
        for v in t.vals:
            if not in_memory(v.ty):
                self.out += self.push(v)
        self.out += self.epilogue() + b"\x0f"
        return END_JUMP
