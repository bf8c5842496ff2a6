"""Generates the Python source of a MIR body.

Values are locals `vN`; a pure value that is used once, in its own block, becomes part of its user's expression. Suspending bodies are one
dispatch loop: numbers 0..T are the entry and the resume points (token k reloads the values of `live_in[k]`), further numbers are blocks that
several places reach (see `structure`).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from ..sem.fold import EFFECT_FREE, NO_WRITE
from ..sem.mir import (
    FRAME_PROC,
    I32,
    Block,
    Body,
    Br,
    CallS,
    CondBr,
    Fault,
    Halt,
    Op,
    Ret,
    Switch,
    Ty,
    Val,
    Wait,
)
from .effects import EFFECTS, LOADS, NAMED, NAMED_COMPACT, load, outward, place_alloca, store
from .exprs import EXPRS, RAW_MAKERS, RAW_USERS, TWICE, num
from .helpers import Slots
from .structure import MAX_CASES, plan

if TYPE_CHECKING:
    from .env import Env

MAX_EXPR = 12
"""Depth of nested expressions."""
_TERM = 1 << 30
"""Position of a terminator in its block."""


class Generator:
    """Source text of one body. `source()` may be called once. `compact`: shorter and slower text, for a body that is executed a few times."""

    def __init__(self, body: Body, env: Env, count: bool = False, compact: bool = False) -> None:
        self.body = body
        self.compact = compact
        self.places: dict[int, tuple[str, int, int]] = {}
        """Pointers into allocas by value: (base, offset from it, end of the alloca from it). The base is `frame` or the name of a value, 8-byte aligned."""
        self._named = NAMED_COMPACT if compact else NAMED
        self.env = env
        self.count = count
        self.lines: list[str] = []
        self.indent = ""
        self._inline: dict[int, str] = {}
        self._depth: dict[int, int] = {}
        self._epoch: dict[int, int] = {}  # inlined values that contain a load -> number of writes before it
        self._raw: set[int] = set()
        self._alias: dict[int, str] = {}
        self._shifts: set[tuple[str, int]] = set()
        self._uses: dict[int, tuple[int, int, int, Op | None]] = {}
        self._making_raw = False
        self._plan = plan(body)
        self._params = {p.id for p in body.params}
        self._dynamic_allocas = any(
            op.code == "alloca" and (body.frame is None or op.dsts[0].id not in body.frame.allocas) for b in body.blocks for op in b.ops
        )
        self._position = {b.id: i for i, b in enumerate(body.blocks)}
        self._writes: dict[int, list[int]] = {}
        self._collect_uses()
        self._name_places()

    # ------------------------------------------------------------ text

    def line(self, text: str) -> None:
        self.lines.append(self.indent + text)

    def set(self, v: Val, text: str) -> None:
        self.line(f"v{v.id} = {text}")

    def place(self, v: Val, base: str, off: int, end: int) -> None:
        """`v` is a pointer `off` bytes behind `base`, into an alloca that ends at `end`: it needs no variable."""
        self.places[v.id] = (base, off, end)
        self._alias[v.id] = f"({base} + {off})" if off else base

    def name(self, value: Any, key: Any = None) -> str:
        """Global name for a Python object."""
        return self.env.name_of(value, ("object", value) if key is None else key)

    def slots(self, tys: tuple[Ty, ...]) -> str:
        """Global name for the slots of leaves of these types."""
        return self.name(Slots(tys), ("slots", tys))

    def kernel(self, name: str) -> str:
        assert name in self.env.kernel, f"{self.body.key}: no runtime function {name}"
        return name

    def shifted(self, base: str, shift: int) -> str:
        self._shifts.add((base, shift))
        return f"{base}{shift}"

    def const_text(self, ty: Ty, value: Any) -> str:
        if ty.kind == "i":
            return num(value)
        if ty.kind == "f":
            if value != value:  # noqa: PLR0124  (NaN)
                return "NAN"
            if value in (float("inf"), float("-inf")):
                return "INF" if value > 0 else "(-INF)"
            text = repr(value)
            return f"({text})" if text[0] == "-" else text
        return repr(value) if len(value) <= 8 else self.name(value)

    def use(self, v: Val) -> str:
        """Text of a value: a literal, a name or something in parentheses."""
        if v.const is not None:
            return self.const_text(v.ty, v.const)
        text = self._inline.get(v.id)
        if text is not None:
            return text
        return self._alias.get(v.id) or f"v{v.id}"

    def _name_places(self) -> None:
        """Values that need no variable because they are the frame, the context or a place in an alloca. Known before any text: the code of a block may come before
        that of the block which defines what it uses."""
        sums = []
        for op in (op for b in self.body.blocks for op in b.ops):
            if op.code in ("ctx", "frame"):
                self._alias[op.dsts[0].id] = op.code if self._has(op.code) else "0"
            elif op.code == "alloca":
                place_alloca(self, op)
            elif op.code == "add":
                sums.append(op)
        while sums:
            left = [op for op in sums if not self._moved(op)]
            if len(left) == len(sums) or not self.places:
                break
            sums = left

    # ------------------------------------------------------------ inlining

    def _collect_uses(self) -> None:
        """Number of uses of each value, and where the last one is: (count, block, position, operation)."""
        uses = self._uses
        for b in self.body.blocks:
            writes = []
            n = 0
            for i, op in enumerate(b.ops):
                writes.append(n)
                if op.code not in NO_WRITE:
                    n += 1
                for a in op.args:
                    if a.const is None:
                        old = uses.get(a.id)
                        uses[a.id] = (1 if old is None else old[0] + 1, b.id, i, op)
            writes.append(n)
            self._writes[b.id] = writes
            term = b.term
            assert term is not None
            used = list(term.uses())
            for _, args in term.edges():
                used.extend(args)
            if isinstance(term, (Wait, CallS)):
                used.extend(self.body.live_in[term.token])
                used.extend(self.body.live_in[term.token])  # never part of an expression
            for a in used:
                if a.const is None:
                    old = uses.get(a.id)
                    uses[a.id] = (1 if old is None else old[0] + 1, b.id, _TERM, None)

    def _can_inline(self, op: Op, block: Block, pos: int) -> bool:
        """Whether the result of `op` may stand in the expression of its only user."""
        v = op.dsts[0]
        count, where, at, user = self._uses[v.id]
        if count != 1 or where != block.id:
            return False
        depth = 1 + max((self._depth.get(a.id, 0) for a in op.args), default=0)
        if depth > MAX_EXPR:
            return False
        loads = [self._epoch[a.id] for a in op.args if a.id in self._epoch]
        if op.code in LOADS:
            loads.append(self._writes[block.id][pos])
        if user is None:
            late = loads and (isinstance(block.term, Ret) or self._writes[block.id][-1] != min(loads))
            if isinstance(block.term, (Wait, CallS, Switch)) or late:
                return False
        else:
            if loads and (self._writes[block.id][at] != min(loads) or user.code in ("rt", "svc", "call", "icall", "spawn")):
                return False
            named: tuple[int, ...] | None = self._named.get(user.code, TWICE.get(user.code, ()))
            if user.code == "ldt" and (user.dsts[0].ty.kind == "a" or user.dsts[0].ty.nbytes > 8):
                named = None
            if user.code == "stt" and (user.args[0] is v or v.ty.kind == "f"):
                named = None
            if named is None or any(user.args[i] is v for i in named):
                return False
        self._depth[v.id] = depth
        if loads:
            self._epoch[v.id] = min(loads)
        return True

    def raw_ok(self, op: Op) -> bool:
        """Whether the operation being rendered may leave bits above its width."""
        return self._making_raw

    def is_raw(self, v: Val) -> bool:
        return v.id in self._raw

    # ------------------------------------------------------------ operations

    def _op(self, op: Op, block: Block, pos: int) -> None:
        code = op.code
        if code in EFFECT_FREE:
            v = op.dsts[0]
            if v.id not in self._uses:
                return
            if code in ("ctx", "frame") or v.id in self.places:
                return
            inline = self._can_inline(op, block, pos)
            user = self._uses[v.id][3]
            self._making_raw = inline and user is not None and (code in RAW_MAKERS and user.code in RAW_USERS or self._address(op, user))
            maker = LOADS.get(code)
            text = maker(self, op) if maker is not None else EXPRS[code](self, op, [self.use(a) for a in op.args])
            if inline:
                self._inline[v.id] = f"({text})"
                if self._making_raw:
                    self._raw.add(v.id)
            else:
                self.set(v, text)
            return
        EFFECTS[code](self, op)

    def _address(self, op: Op, user: Op) -> bool:
        """Whether a sum is the pointer of a load or store that does not mind bits above the 64th."""
        v = op.dsts[0]
        if not self.compact or op.code != "add" or user.code not in ("ld", "st") or user.args[0] is not v or v in user.args[1:]:
            return False
        ty = user.dsts[0].ty if user.code == "ld" else user.args[1].ty
        return ty.kind == "i" and ty.nbytes <= 8 and not any(self.is_raw(a) for a in op.args)

    def _moved(self, op: Op) -> bool:
        """A pointer into an alloca plus a constant that stays inside of it is a place, too."""
        ptr, by = op.args
        if ptr.const is not None:
            ptr, by = by, ptr
        known = self.places.get(ptr.id) if ptr.const is None else None
        if known is None or by.const is None:
            return False
        base, off, end = known
        off += int(by.const)
        if not off <= end:
            return False
        self.place(op.dsts[0], base, off, end)
        return True

    def _has(self, what: str) -> bool:
        return self.body.kind != "function" and (what == "ctx" or self.body.suspending)

    # ------------------------------------------------------------ control flow

    def _edge(self, target: Block, args: tuple[Val, ...], after: Block | None) -> Block | None:
        """Passes the arguments; returns the target when its code has to come next, None when control is on its way."""
        pairs = [(p, a) for p, a in zip(target.params, args, strict=True) if p is not a]
        if pairs:
            params = {p.id for p, _ in pairs}
            simple = all(a.const is not None or (a.id not in params and a.id not in self._inline) for _, a in pairs)
            if simple or len(pairs) == 1:
                for p, a in pairs:
                    self.set(p, self.use(a))
            else:
                self.line(f"{', '.join(f'v{p.id}' for p, _ in pairs)} = {', '.join(self.use(a) for _, a in pairs)}")
        if target is after:
            return None
        head = self._plan.heads.get(target.id)
        if head is None:
            return target
        self.line(f"b = {head}")
        self.line("continue")
        return None

    def _tree(self, block: Block, after: Block | None) -> None:
        """Code of a block and of everything placed behind it; control then falls through to `after`."""
        todo: list[tuple[Block, Block | None]] = [(block, after)]
        while todo:
            block, after = todo.pop()
            self._straight(block)
            join = self._plan.follow.get(block.id)
            if join is not None:
                todo.append((join, after))
            inner = after if join is None else join
            term = block.term
            if isinstance(term, Br):
                nxt = self._edge(term.target, term.args, inner)
                if nxt is not None:
                    todo.append((nxt, inner))
            elif isinstance(term, CondBr):
                self.line(f"if {self.use(term.cond)}:")
                self._arm(term.ttarget, term.targs, inner)
                self.line("else:")
                self._arm(term.ftarget, term.fargs, inner)
            elif isinstance(term, Switch):
                self._switch(term, inner)
            else:
                self._leave(block)

    def _arm(self, target: Block, args: tuple[Val, ...], after: Block | None) -> None:
        outer = self.indent
        self.indent += " "
        before = len(self.lines)
        nxt = self._edge(target, args, after)
        if nxt is not None:
            self._tree(nxt, after)
        if len(self.lines) == before:
            self.line("pass")
        self.indent = outer

    def _switch(self, term: Switch, after: Block | None) -> None:
        value = self.use(term.value)
        if len(term.cases) <= MAX_CASES:
            for i, (c, target, args) in enumerate(term.cases):
                self.line(f"{'elif' if i else 'if'} {value} == {num(c)}:")
                self._arm(target, args, after)
            self.line("else:")
            self._arm(term.default, term.dargs, after)
            return
        cases = sorted(term.cases, key=lambda c: c[0])

        def decide(lo: int, hi: int) -> None:
            outer = self.indent
            if hi - lo == 1:
                c, target, args = cases[lo]
                self.line(f"if {value} == {num(c)}:")
                self._arm(target, args, after)
                self.line("else:")
                self._arm(term.default, term.dargs, after)
                return
            mid = (lo + hi) // 2
            self.line(f"if {value} < {num(cases[mid][0])}:")
            self.indent = outer + " "
            decide(lo, mid)
            self.indent = outer
            self.line("else:")
            self.indent = outer + " "
            decide(mid, hi)
            self.indent = outer

        decide(0, len(cases))

    def _straight(self, block: Block) -> None:
        if self.count:
            self.line(f"BC[{self._position[block.id]}] += 1")
        for i, op in enumerate(block.ops):
            self._op(op, block, i)

    # ------------------------------------------------------------ ends

    def _leave(self, block: Block) -> None:
        term = block.term
        if isinstance(term, Ret):
            self._ret(term)
        elif isinstance(term, Halt):
            if self._dynamic_allocas:
                self.line("FREL(E, frame)")
            self.line("return 1")
        elif isinstance(term, Fault):
            self.line(f"F({term.site}, 0)")
        elif isinstance(term, Wait):
            self._save(term.token)
            self._wait(term)
            self.line("return 0")
        else:
            assert isinstance(term, CallS)
            self._call(term)

    def _ret(self, term: Ret) -> None:
        kind = self.body.kind
        if kind == "coroutine":
            assert self.body.frame is not None
            for v, off in zip(term.vals, self.body.frame.results, strict=True):
                self.line(store(self, v.ty, "frame", off, self.use(v)))
            if self._dynamic_allocas:
                self.line("FREL(E, frame)")
            self.line("return 1")
            return
        if self._dynamic_allocas:
            if term.vals:
                self.line(f"r = {', '.join(outward(v.ty, self.use(v)) for v in term.vals)},")
            self.line("E.stack_release(sp)")
            self.line("return r" if term.vals else "return ()" if kind == "function" else "return")
            return
        if kind == "region":
            self.line("return")
        else:
            self.line(f"return ({''.join(outward(v.ty, self.use(v)) + ', ' for v in term.vals)})")

    def _save(self, token: int) -> None:
        """Stores the values live at the resume point, and the token. Parameters are in the frame already."""
        for run, off in self._runs([v for v in self.body.live_in[token] if v.id not in self._params]):
            if len(run) > 1:
                packer = self.name(_packing(run).pack_into, ("pack", tuple(v.ty.nbytes for v in run)))
                self.line(f"{packer}(m8, frame + {off}, {', '.join(map(self.use, run))})")
            else:
                self.line(store(self, run[0].ty, "frame", off, self.use(run[0])))
        self.line(store(self, I32, "frame", 0, str(token)))

    def _runs(self, vals: list[Val]) -> list[tuple[list[Val], int]]:
        """Values by their slots: integers of up to 64 bits that lie side by side together, each other one alone; and the offset of the first."""
        assert self.body.frame is not None
        slots = self.body.frame.slots
        out: list[tuple[list[Val], int]] = []
        end = -1
        for v in sorted(vals, key=lambda v: slots[v.id]):
            off = slots[v.id]
            scalar = v.ty.kind == "i" and v.ty.size <= 64
            if scalar and off == end:
                out[-1][0].append(v)
            else:
                out.append(([v], off))
            end = off + v.ty.nbytes if scalar else -1
        return out

    def _wait(self, term: Wait) -> None:
        proc = load(self, I32, "frame", FRAME_PROC)
        if term.sens is not None:
            self.line(f"{self.kernel('k_wait_set')}({proc}, {term.sens})")
        for ptr, size, edge in term.dyn:
            p = self.use(ptr)
            self.line(f"{self.kernel('k_wait_dyn')}({proc}, ({p} >> 32) - 1 & 0xffffffff, {p} & 0xffffffff, {size}, {edge})")
        if term.time is not None:
            self.line(f"{self.kernel('k_wait_time')}({proc}, {', '.join(map(self.use, term.time))})")

    def _call(self, term: CallS) -> None:
        args = term.args
        if term.site is not None:
            callee = f"E.coroutine_by_pointer({self.use(args[0])}, {self.name(term.site)})"
            args = args[1:]
        else:
            callee = f"E.callee({term.callee!r})"
        tys = tuple(a.ty for a in args)
        values = "".join(f"{self.use(a)}, " for a in args)
        self.line(f"NEWCH(E, ctx, frame, {callee}, {self.slots(tys)}, ({values}))")
        self._save(term.token)
        self.line(f"b = {term.token}")
        self.line("continue")

    def _resume(self, term: Wait | CallS) -> None:
        """Code of a resume point: re-enters the callee of a suspending call, reloads, continues."""
        assert self.body.frame is not None
        if isinstance(term, CallS):
            self.line("s = RUNCH(E, frame)")
            self.line("if s != 1: return s")
            params = Slots(tuple(a.ty for a in (term.args if term.site is None else term.args[1:]))).size
            results = tuple(p.ty for p in term.resume.params)
            call = f"ENDCH(E, frame, {params}, {self.slots(results)})"
            self.line(f"{''.join(f'v{p.id}, ' for p in term.resume.params)}= {call}" if results else call)
        self._load(self.body.live_in[term.token])
        head = self._plan.heads.get(term.resume.id)
        if head is None:
            self._tree(term.resume, None)
        else:
            self.line(f"b = {head}")
            self.line("continue")

    def _load(self, vals: list[Val]) -> None:
        for run, off in self._runs([v for v in vals if v.id not in self.places]):
            if len(run) > 1:
                unpacker = self.name(_packing(run).unpack_from, ("unpack", tuple(v.ty.nbytes for v in run)))
                self.line(f"{', '.join(f'v{v.id}' for v in run)} = {unpacker}(m8, frame + {off})")
            else:
                self.set(run[0], load(self, run[0].ty, "frame", off))

    # ------------------------------------------------------------ whole

    def source(self, name: str = "f") -> str:
        """The definition of function `name`."""
        body = self.body
        sections: list[tuple[int, list[str]]] = []

        def section(number: int, emit: Any) -> None:
            self.lines, self.indent = [], ""
            emit()
            sections.append((number, self.lines))

        entry = self._plan.roots[0]

        def start() -> None:
            if body.suspending:
                used = [p for p in body.params if p.id in self._uses]
                self._load(used)
            head = self._plan.heads.get(entry.id)
            if head is None:
                self._tree(entry, None)
            else:
                self.line(f"b = {head}")
                self.line("continue")

        section(0, start)
        for b in body.blocks:
            if isinstance(b.term, (Wait, CallS)):
                term = b.term
                section(term.token, lambda t=term: self._resume(t))
        for bid, number in sorted(self._plan.heads.items(), key=lambda kv: kv[1]):
            block = self._plan.blocks[bid]
            section(number, lambda b=block: self._tree(b, None))
        sections.sort(key=lambda s: s[0])
        out = [self._signature(name)]
        if self.count:
            counts = self.env.block_counts.setdefault(body.key, [0] * len(body.blocks))
            out.append(f" BC = {self.env.name_of(counts, ('counts', body.key))}")
        token = load(self, I32, "frame", 0) if body.suspending else ""
        for base, shift in sorted(self._shifts):
            out.append(f" {base}{shift} = {base} >> {shift}")
        if self._dynamic_allocas and not body.suspending:
            out.append(" sp = E.stack_mark()")
        if len(sections) == 1:
            out += [" " + line for line in sections[0][1]]
        else:
            out.append(f" b = {token or 0}")
            out.append(" while True:")
            _dispatch(sections, 0, len(sections), "  ", out)
        return "\n".join(out) + "\n"

    def _signature(self, name: str) -> str:
        if self.body.kind == "function":
            return f"def {name}({', '.join(f'v{p.id}' for p in self.body.params)}):"
        return f"def {name}(ctx):" if self.body.kind == "region" else f"def {name}(ctx, frame):"


def _packing(run: list[Val]) -> struct.Struct:
    """Layout of integers side by side."""
    return struct.Struct("<" + "".join({1: "B", 2: "H", 4: "I", 8: "Q"}[v.ty.nbytes] for v in run))


def _dispatch(sections: list[tuple[int, list[str]]], lo: int, hi: int, pad: str, out: list[str]) -> None:
    """A binary tree of tests of `b` around the sections."""
    if hi - lo == 1:
        out += [pad + line for line in sections[lo][1]]
        return
    mid = (lo + hi) // 2
    out.append(f"{pad}if b < {sections[mid][0]}:")
    _dispatch(sections, lo, mid, pad + " ", out)
    out.append(f"{pad}else:")
    _dispatch(sections, mid, hi, pad + " ", out)
