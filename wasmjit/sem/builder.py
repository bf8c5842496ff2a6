"""Builds MIR bodies: constant folding, simplification and local value numbering while operations are added, then `finish`.

```python
b = BodyBuilder("top.p0", "process")
entry = b.new_block()
b.set_block(entry)
x = b.op("ldt", I(8), (b.op("ctx", I32, ()),), 16)          # one result type -> one Val
y = b.op("add", I(8), (x, b.const(I(8), 1)))
b.op("stt", (), (b.op("ctx", I32, ()), y), 16)              # a tuple of result types -> a tuple of Vals
b.wait(entry2, sens=b.sens_set(...))
body = b.finish()
```
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, overload

from .fold import EFFECT_FREE, FOLD, NO_WRITE, zero_leaf
from .mir import BOOL, I32, I64, Block, Body, Br, CallS, CallSite, CondBr, Fault, Halt, I, Op, Ret, Switch, Term, Ty, Val, Wait
from .passes import finish_body
from .simplify import COMMUTATIVE, OF_CONSTANTS, SIMPLIFY, SWAPPED

_LOADS = frozenset({"ldt", "ldbits"})
_PURE = {code: (FOLD.get(code), SIMPLIFY.get(code) if code in FOLD else None, code in OF_CONSTANTS) for code in EFFECT_FREE}
"""What may be removed when nobody uses it: (folding, simplification, whether that needs a constant or twice the same operand)."""
_new = object.__new__
MAKES_NOTHING = ("sim.d", "sim.m", "sim.p", "sim.t", "verif.", "sva.", "jit.", "randomize.", "sin", "cos", "exp", "log", "sqrt", "pow")
"""Beginnings of the names of host services that allocate no guest memory; there is a poll of the collector before all others."""


class BodyBuilder:
    """Creates one `Body`. Values and blocks belong to the builder that made them.

    The first block made is the entry. Operations go to the current block (`set_block`) until it has a terminator. A value may be used in
    every block that its definition dominates; anything else goes through block parameters.
    """

    def __init__(self, key: str, kind: str, results: Sequence[Ty] = (), name: str = "", loc: Any = None) -> None:
        self.body = Body(key, kind, results=tuple(results), name=name or key, loc=loc)
        self.block: Block | None = None
        self.loc: Any = None
        """Location of terminators that are made without one."""
        self._next = 0
        self._consts: dict[Any, Val] = {}
        self._defs: dict[int, Op] = {}
        self._tables: dict[int, dict[Any, Any]] = {}
        self._epochs: dict[int, int] = {}
        self._table: dict[Any, Any] = {}

    # ------------------------------------------------------------ blocks and values

    def new_block(self, params: Sequence[Ty] = ()) -> Block:
        """A new block with parameters of the given types (`block.params` are the values)."""
        block = Block(len(self.body.blocks))
        block.params = [self._val(t) for t in params]
        self.body.blocks.append(block)
        return block

    def block_param(self, block: Block, ty: Ty) -> Val:
        """Adds a parameter to `block`."""
        v = self._val(ty)
        block.params.append(v)
        return v

    def set_block(self, block: Block) -> None:
        """Operations are added to the end of `block` from here on."""
        self.block = block
        self._table = self._tables.setdefault(block.id, {})

    def param(self, ty: Ty) -> Val:
        """Adds a parameter to the body (function argument, or value in the frame of a process)."""
        v = self._val(ty)
        self.body.params.append(v)
        return v

    @property
    def terminated(self) -> bool:
        """True when the current block has its terminator."""
        return self.block is not None and self.block.term is not None

    def _val(self, ty: Ty) -> Val:
        v = _new(Val)
        v.id = self._next
        v.ty = ty
        v.const = None
        self._next += 1
        return v

    def const(self, ty: Ty, value: float | bytes) -> Val:
        """The constant `value` of type `ty`: ints are cut to the width (negative ones become two's complement), one Val per constant."""
        key: Any
        if ty.kind == "i":
            value = int(value) & ty.mask
            key = (ty, value)
        elif ty.kind == "f":
            value = float(value)
            key = (ty, struct.pack("<d", value))
        else:
            assert isinstance(value, bytes) and len(value) == ty.size, f"constant of {ty} needs {ty.size} bytes"
            key = (ty, value)
        v = self._consts.get(key)
        if v is None:
            v = self._consts[key] = Val(self._next, ty, value)
            self._next += 1
        return v

    def zero(self, ty: Ty) -> Val:
        """0, 0.0 or an image of zero bytes."""
        return self.const(ty, zero_leaf(ty))

    def bit(self, value: bool) -> Val:
        """The I(1) constant."""
        return self.const(BOOL, int(value))

    def i32(self, value: int) -> Val:
        return self.const(I32, value)

    def i64(self, value: int) -> Val:
        return self.const(I64, value)

    def def_of(self, v: Val) -> Op | None:
        """The operation that defines `v`; None for constants and parameters."""
        return self._defs.get(v.id)

    # ------------------------------------------------------------ operations

    @overload
    def op(self, code: str, result: Ty, args: Sequence[Val], attr: Any = None, loc: Any = None) -> Val: ...
    @overload
    def op(self, code: str, result: Sequence[Ty], args: Sequence[Val], attr: Any = None, loc: Any = None) -> tuple[Val, ...]: ...
    def op(self, code: str, result: Ty | Sequence[Ty], args: Sequence[Val], attr: Any = None, loc: Any = None) -> Val | tuple[Val, ...]:
        """Adds an operation to the current block; its results.

        `result`: one type gives one Val, a sequence of types a tuple. Pure operations are folded, simplified and numbered; loads from
        trusted memory are numbered up to the next operation that may write.
        """
        if isinstance(result, Ty):
            return self.one(code, result, args, attr, loc)
        tys = tuple(result)
        if code in EFFECT_FREE and len(tys) == 1:
            return (self.one(code, tys[0], args, attr, loc),)
        return self._emit(code, tys, tuple(args), attr, loc)

    def one(self, code: str, ty: Ty, args: Sequence[Val], attr: Any, loc: Any) -> Val:
        """`op` with one result type."""
        if args.__class__ is not tuple:
            args = tuple(args)
        known = _PURE.get(code)
        if known is None:
            return self._emit(code, (ty,), args, attr, loc)[0]
        fold, simplify, two = known
        block = self.block
        assert block is not None
        if fold is None:
            key: tuple[Any, ...] = (code, ty, attr, args) if code not in _LOADS else (code, ty, attr, args, self._epochs.get(block.id, 0))
        else:
            if not args or args[0].const is not None:
                for a in args:
                    if a.const is None:
                        break
                else:
                    return self.const(ty, fold((ty,), [a.ty for a in args], [a.const for a in args], attr)[0])
                if code in COMMUTATIVE:
                    args = (args[1], args[0])
                elif code == "icmp":
                    args, attr = (args[1], args[0]), SWAPPED[attr]
            # Most operations have two different operands that are no constants, of which nothing follows.
            if simplify is not None and (not two or args[1].const is not None or args[0].const is not None or args[0] is args[1]):
                r = simplify(self, ty, args, attr)
                if r is not None:
                    return r
            key = (code, ty, attr, args)
        return self.number(key, code, ty, args, attr, loc)

    def number(self, key: tuple[Any, ...], code: str, ty: Ty, args: tuple[Val, ...], attr: Any, loc: Any) -> Val:
        """The value that has been numbered under `key`, else that of a new operation with one result that writes nothing.

        The key of an integer operation is (code, ty, attr, args). Whoever calls this instead of `one` knows that it cannot be folded or simplified: its operands are
        different and no constants. Instances made without `__init__` cost a third.
        """
        v: Val | None = self._table.get(key)
        if v is None:
            block = self.block
            assert block is not None and block.term is None, f"{self.body.key}: {code} after the end of {block}"
            n = self._next
            self._next = n + 1
            v = self._table[key] = _new(Val)
            v.id = n
            v.ty = ty
            v.const = None
            op = self._defs[n] = _new(Op)
            op.code = code
            op.dsts = (v,)
            op.args = args
            op.attr = attr
            op.loc = loc
            block.ops.append(op)
        return v

    def _emit(self, code: str, tys: tuple[Ty, ...], args: tuple[Val, ...], attr: Any, loc: Any) -> tuple[Val, ...]:
        block = self.block
        assert block is not None and block.term is None, f"{self.body.key}: {code} after the end of {block}"
        if code == "svc" and not attr.name.startswith(MAKES_NOTHING):
            self._emit("gcpoll", (), (), None, loc)
        dsts = tuple([self._val(t) for t in tys])
        op = _new(Op)
        op.code = code
        op.dsts = dsts
        op.args = args
        op.attr = attr
        op.loc = loc
        block.ops.append(op)
        for d in dsts:
            self._defs[d.id] = op
        if code not in NO_WRITE:
            self._epochs[block.id] = self._epochs.get(block.id, 0) + 1
        return dsts

    # Short forms of frequent operations; the result type follows from the operands.

    def bin(self, code: str, a: Val, b: Val) -> Val:
        """A two-operand operation whose result has the operands' type."""
        return self.one(code, a.ty, (a, b), None, None)

    def not_(self, a: Val) -> Val:
        return self.one("xor", a.ty, (a, self.const(a.ty, a.ty.mask)), None, None)

    def icmp(self, pred: str, a: Val, b: Val) -> Val:
        return self.one("icmp", BOOL, (a, b), pred, None)

    def mux(self, cond: Val, a: Val, b: Val) -> Val:
        return self.one("mux", a.ty, (cond, a, b), None, None)

    def extract(self, a: Val, low: int, width: int) -> Val:
        return self.one("extract", I(width), (a,), low, None)

    def concat(self, *parts: Val) -> Val:
        """Parts from the most significant one down."""
        return self.one("concat", I(sum(p.ty.size for p in parts)), parts, None, None)

    def zext(self, a: Val, width: int) -> Val:
        return self.one("zext", I(width), (a,), None, None)

    def sext(self, a: Val, width: int) -> Val:
        return self.one("sext", I(width), (a,), None, None)

    def resize(self, a: Val, width: int, is_signed: bool = False) -> Val:
        """Zero- or sign-extended or cut to `width` bits."""
        if width < a.ty.size:
            return self.extract(a, 0, width)
        return self.sext(a, width) if is_signed else self.zext(a, width)

    def ctx(self) -> Val:
        return self.one("ctx", I32, (), None, None)

    # ------------------------------------------------------------ terminators

    def terminate(self, term: Term, loc: Any = None) -> None:
        """Ends the current block."""
        assert self.block is not None and self.block.term is None, f"{self.body.key}: {self.block} already has a terminator"
        term.loc = self.loc if loc is None else loc
        self.block.term = term

    def br(self, target: Block, args: Sequence[Val] = (), loc: Any = None) -> None:
        self.terminate(Br(target, tuple(args)), loc)

    def cond_br(
        self, cond: Val, ttarget: Block, ftarget: Block, targs: Sequence[Val] = (), fargs: Sequence[Val] = (), loc: Any = None
    ) -> None:
        """Note the order: both targets, then both argument lists."""
        self.terminate(CondBr(cond, ttarget, tuple(targs), ftarget, tuple(fargs)), loc)

    def switch(
        self, value: Val, cases: Sequence[tuple[int, Block, Sequence[Val]]], default: Block, dargs: Sequence[Val] = (), loc: Any = None
    ) -> None:
        self.terminate(Switch(value, [(c & value.ty.mask, t, tuple(a)) for c, t, a in cases], default, tuple(dargs)), loc)

    def ret(self, vals: Sequence[Val] = (), loc: Any = None) -> None:
        self.terminate(Ret(tuple(vals)), loc)

    def wait(
        self,
        resume: Block,
        sens: int | None = None,
        dyn: Sequence[tuple[Val, int, int]] = (),
        time: tuple[Val, Val, Val] | None = None,
        loc: Any = None,
    ) -> None:
        self.terminate(Wait(resume, sens, tuple(dyn), time), loc)

    def call_s(self, callee: str | None, args: Sequence[Val], resume: Block, site: CallSite | None = None, loc: Any = None) -> None:
        """Call that may suspend; results arrive in `resume.params`. With `site`, args[0] is the function pointer and callee None."""
        self.terminate(CallS(callee, tuple(args), resume, site), loc)

    def halt(self, loc: Any = None) -> None:
        self.terminate(Halt(), loc)

    def fault(self, site: int, loc: Any = None) -> None:
        self.terminate(Fault(site), loc)

    def sens_set(self, value: Any) -> int:
        """Registers a static sensitivity set; its index for `wait(sens=...)`."""
        self.body.sens_sets.append(value)
        return len(self.body.sens_sets) - 1

    # ------------------------------------------------------------ end

    def finish(self, check: bool | None = None) -> Body:
        """Simplifies the control flow, removes what is dead, numbers the resume points, lays out the frame; verifies if `check` (None: as `passes.VERIFY` says)."""
        self._next = finish_body(self.body, self._next, check)
        return self.body
