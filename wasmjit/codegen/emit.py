"""MIR body → wasm function body: values, blocks and edges. The operations are in `ints`, `wide`, `floats`, `images`, `memory` and `calls`.

How values are held:

* I(≤32), I(≤64), F32, F64: one wasm value of the obvious type, always clean (zero-extended to its container);
* I(≤512): a tuple of i64 limbs, the top one clean;
* wider I and A(n): the address of an immutable image, as (cheap base code, constant offset).

A value used once, in the block that defines it, has no local: its code is kept as bytes and put where it is used. Values that depend on memory
are kept like that only until something may write memory (`flush`). Everything else lives in one local per value (function-wide).

Storage of images: every operation that makes one has a static place of its own, in the shadow stack area of the activation or, if the value
lives across suspensions, in its frame slot; block parameters too, with copies on edges. A value is never needed again once its definition runs
another time, so aliases (a `mux` of images, an image inside an image) need no copies. `aput` works in place when nothing that shares the
storage is needed later (`roots` says which places a value may lie in).

Measured (2 shared cores, Python 3.11): 100 integer operations of mixed widths take 110–150 µs from MIR to module bytes; the figure for a given
machine is printed by `python -m wasmjit.codegen.measure`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from ..sem.analysis import Liveness, liveness
from ..sem.fold import NAN_BITS
from ..sem.mir import (
    FRAME_CHILD,
    FRAME_CTX,
    FRAME_FN,
    FRAME_HEADER,
    FRAME_PROC,
    LIMB_BITS,
    STATUS_DEOPT,
    STATUS_DONE,
    STATUS_FAULT,
    STATUS_WAIT,
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
from . import wasm as W
from .structure import BR_JUMP, END_JUMP, Jump, plan, write
from .wasm import GET, SET, TEE, i32_const, i64_const, memarg

if TYPE_CHECKING:
    from .module import ModuleEmitter

NO_SITE = 0xFFFFFFFF
EXTERN = -1
"""Root of images that lie in memory this activation does not own: they are never written in place."""

_INLINE = 256
"""Code longer than this is not carried to its use but put into a local, which keeps copying linear."""
_MANY = 1 << 20


class Unsupported(Exception):
    """The body cannot be compiled; str() says why. It stays interpreted."""


class Place(NamedTuple):
    """Address of an image: code for an i32 that may be repeated, and a constant added to it."""

    base: bytes
    off: int


def limb_count(bits: int) -> int:
    return (bits + 63) >> 6


def in_memory(ty: Ty) -> bool:
    """Whether values of the type are held as an address."""
    return ty.kind == "a" or (ty.kind == "i" and ty.size > LIMB_BITS)


@cache
def value_types(ty: Ty) -> tuple[int, ...]:
    """Wasm types of a value of MIR type `ty`."""
    if ty.kind == "i":
        if ty.size <= 32:
            return (W.I32,)
        if ty.size <= 64:
            return (W.I64,)
        return (W.I64,) * limb_count(ty.size) if ty.size <= LIMB_BITS else (W.I32,)
    if ty.kind == "f":
        return (W.F32,) if ty.size == 32 else (W.F64,)
    return (W.I32,)


@cache
def function_type(params: tuple[Ty, ...], results: tuple[Ty, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(parameter, result) wasm types of a plain function: scalars and limbs in order, one trailing address per result that is held in memory."""
    ps: list[int] = []
    rs: list[int] = []
    out = 0
    for t in params:
        ps += value_types(t)
    for t in results:
        if in_memory(t):
            out += 1
        else:
            rs += value_types(t)
    return (*ps, *(W.I32,) * out), tuple(rs)


MASK32: list[bytes] = [b""] + [i32_const((1 << w) - 1) + b"\x71" for w in range(1, 32)] + [b""]
MASK64: list[bytes] = [b""] + [i64_const((1 << w) - 1) + b"\x83" for w in range(1, 64)] + [b""]
"""Code that clears the bits above w of an i64; index w in 0..64."""

LOAD_INT = {1: W.I32_LOAD8_U, 2: W.I32_LOAD16_U, 4: W.I32_LOAD, 8: W.I64_LOAD}
STORE_INT = {1: W.I32_STORE8, 2: W.I32_STORE16, 4: W.I32_STORE, 8: W.I64_STORE}

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


MEMORY_WRITERS = frozenset({"stt", "st", "netstore", "drvref", "memcpy", "memmove", "memset", "alloca", "rt", "svc", "call", "icall", "spawn"})
"""Operations after which a value read from memory before may be out of date (drives only schedule)."""


class Emitter:
    """One body. `code()` gives (local types, instructions)."""

    __slots__ = (
        "block", "body", "expr", "fp", "frame", "img", "label", "last_use", "limb", "link", "live",
        "loc", "local_types", "mod", "nlocals", "out", "params_in_frame", "pending", "position", "roots", "saved", "shadow",
        "shared_slots", "slot_of", "sp0", "tainted", "unplaced", "uses", "uses_shadow", "writers",
    )  # fmt: skip

    def __init__(self, body: Body, mod: ModuleEmitter) -> None:
        self.body = body
        self.mod = mod
        self.link = mod.link
        self.out = bytearray()
        self.expr: dict[int, bytes] = {}
        self.limb: dict[int, tuple[bytes, ...]] = {}
        self.img: dict[int, Place] = {}
        self.roots: dict[int, frozenset[int]] = {}
        self.loc: dict[int, tuple[int, ...]] = {}
        self.pending: dict[int, Val] = {}
        self.uses: dict[int, int] = {}
        self.local_types = bytearray()
        self.frame = b""
        self.fp = -1
        self.sp0 = -1
        self.shadow = 0
        self.slot_of: dict[int, Place] = {}
        self.label = -1
        self.saved: dict[int, Val] = {}
        self.live: Liveness | None = None
        self.last_use: dict[int, int] = {}
        self.position = 0
        self.params_in_frame: dict[int, int] = {}
        self.shared_slots: set[int] = set()
        self.writers = False
        self.nlocals = 0
        self.tainted = False
        self.unplaced: set[int] = set()

    # ------------------------------------------------------------ locals and values

    def local(self, valtype: int) -> int:
        """A new local."""
        i = self.nlocals
        self.nlocals = i + 1
        self.local_types.append(valtype)
        return i

    def temp(self, valtype: int) -> tuple[bytes, bytes, bytes]:
        """(get, set, tee) of a new local."""
        i = self.local(valtype)
        return GET.at(i), SET.at(i), TEE.at(i)

    def locals_of(self, v: Val) -> tuple[int, ...]:
        """The locals of a value, made on first request; from then on the value is read from them."""
        got = self.loc.get(v.id)
        if got is None:
            got = self.loc[v.id] = tuple(self.local(t) for t in value_types(v.ty))
        return got

    def s(self, v: Val) -> bytes:
        """Code that pushes a scalar. Code of a value that has no local may be taken once."""
        c = v.const
        if c is None:
            if self.pending and self.pending.pop(v.id, None) is not None:
                self.tainted = True
            return self.expr[v.id]
        if v.ty.kind == "i":
            return i32_const(c) if v.ty.size <= 32 else i64_const(c)  # type: ignore[arg-type]
        return W.f32_const(c) if v.ty.size == 32 else W.f64_const(c)  # type: ignore[arg-type]

    def cheap(self, v: Val) -> bytes:
        """Code that pushes a scalar and may be repeated; puts the value into a local if needed."""
        code = self.s(v)
        if v.const is not None or (len(code) <= 3 and code[0] == 0x20):
            return code
        return self.keep(code, value_types(v.ty)[0])

    def keep(self, code: bytes, valtype: int) -> bytes:
        """Emits `code` into a new local; the code that reads it."""
        get, put, _ = self.temp(valtype)
        self.out += code + put
        return get

    def limbs(self, v: Val) -> tuple[bytes, ...]:
        """i64 codes of an integer of any width, least significant first; each may be taken once."""
        w = v.ty.size
        c = v.const
        if c is not None:
            return tuple([i64_const(c >> i) for i in range(0, w, 64)])  # type: ignore[operator]
        if w <= 32:
            return (self.s(v) + b"\xad",)
        if w <= 64:
            return (self.s(v),)
        if w <= LIMB_BITS:
            if self.pending and self.pending.pop(v.id, None) is not None:
                self.tainted = True
            return self.limb[v.id]
        base, off = self.img[v.id]
        return tuple([base + memarg(W.I64_LOAD, off + 8 * i) for i in range(limb_count(w))])

    def cheap_limbs(self, v: Val) -> tuple[bytes, ...]:
        """As `limbs`, but every code may be repeated."""
        return tuple([c if (len(c) <= 3 and c[0] == 0x20) or (v.const is not None) else self.keep(c, W.I64) for c in self.limbs(v)])

    def define(self, d: Val, code: bytes, mem: bool = False) -> None:
        """Gives scalar `d` its code. mem: the code reads memory that may be written later (it is known of operands taken by `s`)."""
        n = self.uses.get(d.id, 0)
        if n == 1 and len(code) < _INLINE:
            self.expr[d.id] = code
            if mem or self.tainted:
                self.pending[d.id] = d
                self.tainted = False
        elif n:
            (i,) = self.locals_of(d)
            self.out += code + SET.at(i)
            self.expr[d.id] = GET.at(i)
            self.tainted = False

    def define_constant(self, d: Val, code: bytes) -> None:
        """Gives `d` short code that may be repeated and never changes (a local that is set once, a constant)."""
        if d.id in self.saved:
            self.out += code + SET.at(self.locals_of(d)[0])
        else:
            self.expr[d.id] = code

    def define_limbs(self, d: Val, codes: Sequence[bytes], mem: bool = False) -> None:
        """Gives an integer of any width its limbs (the top one clean)."""
        w = d.ty.size
        if w <= 64:
            return self.define(d, codes[0] + b"\xa7" if w <= 32 else codes[0], mem)
        n = self.uses.get(d.id, 0)
        if not n:
            return None
        if w > LIMB_BITS:
            return self.store_big(d, codes)
        if n == 1 and sum(map(len, codes)) < _INLINE:
            self.limb[d.id] = tuple(codes)
            if mem or self.tainted:
                self.pending[d.id] = d
                self.tainted = False
            return None
        ls = self.locals_of(d)
        for c, i in zip(codes, ls, strict=True):
            self.out += c + SET.at(i)
        self.limb[d.id] = tuple([GET.at(i) for i in ls])
        return None

    def store_big(self, d: Val, codes: Sequence[bytes]) -> None:
        place = self.own_place(d)
        for i, c in enumerate(codes):
            self.out += place.base + c + memarg(W.I64_STORE, place.off + 8 * i)
        self.define_image(d, place)

    def flush(self) -> None:
        """Puts everything that was read from memory and is still to be used into locals: memory is about to change."""
        for v in list(self.pending.values()):
            ls = self.locals_of(v)
            if len(ls) == 1:
                self.out += self.expr[v.id] + SET.at(ls[0])
                self.expr[v.id] = GET.at(ls[0])
            else:
                for c, i in zip(self.limb[v.id], ls, strict=True):
                    self.out += c + SET.at(i)
                self.limb[v.id] = tuple([GET.at(i) for i in ls])
        self.pending.clear()

    # ------------------------------------------------------------ images

    def own_place(self, v: Val) -> Place:
        """The static place of an image value: its frame slot if it lives across suspensions and shares it with no other, else shadow stack."""
        place = self.slot_of.get(v.id)
        if place is None:
            frame = self.body.frame
            off = frame.slots.get(v.id) if frame is not None and v.id in self.saved else None
            if off is not None and off not in self.shared_slots:
                place = Place(self.frame, off)
                self.roots[v.id] = frozenset((off * 2 + 1,))
            else:
                at = self.scratch(v.ty.nbytes)
                place = Place(GET.at(self.fp), at)
                self.roots[v.id] = frozenset((at * 2,))
            self.slot_of[v.id] = place
        else:
            self.roots[v.id] = frozenset(((place.off * 2 + 1) if place.base == self.frame else place.off * 2,))
        return place

    def scratch(self, nbytes: int) -> int:
        """Offset of a new area of the shadow stack frame, 16-byte aligned, with slack for reads of whole words behind its end."""
        self.need_shadow()
        at = self.shadow
        self.shadow = (at + nbytes + 16 + 15) & ~15
        return at

    def need_shadow(self) -> None:
        if not self.uses_shadow:
            raise _NeedShadow

    def scratch_place(self, nbytes: int) -> Place:
        at = self.scratch(nbytes)
        return Place(GET.at(self.fp), at)

    def place(self, v: Val) -> Place:
        """Where an image or an integer wider than LIMB_BITS lies."""
        c = v.const
        if c is None:
            return self.img[v.id]
        data = c if isinstance(c, bytes) else int(c).to_bytes(v.ty.nbytes, "little")
        return Place(i32_const(self.link.const_image(data)), 0)

    def roots_of(self, v: Val) -> frozenset[int]:
        return self.roots.get(v.id, _EXTERN_ROOT) if v.const is None else _EXTERN_ROOT

    def define_image(self, d: Val, place: Place, roots: frozenset[int] | None = None) -> None:
        """Gives image `d` its place; `roots` when it is not its own one. Values that live across suspensions are reached through a local."""
        if roots is not None:
            self.roots[d.id] = roots
        if d.id in self.saved:
            self.unplaced.discard(d.id)
            frame = self.body.frame
            assert frame is not None
            if not (place.base == self.frame and place.off == frame.slots.get(d.id)):
                self.roots[d.id] = self.roots[d.id] | {frame.slots[d.id] * 2 + 1}
            (i,) = self.locals_of(d)
            self.out += address(place) + SET.at(i)
            self.img[d.id] = Place(GET.at(i), 0)
            return
        self.img[d.id] = place

    def pointer(self, d: Val, code: bytes, roots: frozenset[int]) -> None:
        """Gives image `d` a computed address."""
        (i,) = self.locals_of(d)
        self.out += code + SET.at(i)
        self.roots[d.id] = roots
        if d.id in self.saved and self.body.frame is not None:
            self.unplaced.discard(d.id)
            self.roots[d.id] = roots | {self.body.frame.slots[d.id] * 2 + 1}
        self.img[d.id] = Place(GET.at(i), 0)

    def copy(self, dst: Place, src: Place, n: int) -> None:
        self.out += copy_code(dst, src, n)

    def store_leaf(self, at: Place, v: Val) -> bytes:
        """Code that stores a leaf at an address."""
        base, off = at
        ty = v.ty
        if ty.kind == "i":
            w = ty.size
            if w <= 32:
                return base + self.s(v) + memarg(STORE_INT[ty.nbytes], off)
            if w <= 64:
                return base + self.s(v) + memarg(W.I64_STORE, off)
            if w <= LIMB_BITS:
                return b"".join([base + c + memarg(W.I64_STORE, off + 8 * i) for i, c in enumerate(self.limbs(v))])
        elif ty.kind == "f":
            # Every NaN is stored as one, so that both tiers leave the same bytes.
            return base + canonical_bits(self, self.s(v), ty.size) + memarg(W.I32_STORE if ty.size == 32 else W.I64_STORE, off)
        return copy_code(at, self.place(v), ty.nbytes)

    def load_codes(self, ty: Ty, at: Place, clean: bool) -> tuple[bytes, ...]:
        """Codes of the wasm values of a leaf (not an image) at an address. clean: bits above the width are known to be 0."""
        base, off = at
        if ty.kind == "f":
            return (base + memarg(W.F32_LOAD if ty.size == 32 else W.F64_LOAD, off),)
        w = ty.size
        if w <= 32:
            code = base + memarg(LOAD_INT[ty.nbytes], off)
            return (code if clean or w in (8, 16, 32) else code + MASK32[w],)
        n = limb_count(w)
        codes = [base + memarg(W.I64_LOAD, off + 8 * i) for i in range(n)]
        if not clean and w & 63:
            codes[-1] += MASK64[w & 63]
        return tuple(codes)

    def define_loaded(self, d: Val, at: Place, clean: bool = True, mem: bool = True) -> None:
        """Defines a leaf by what lies at an address (images are copied)."""
        if in_memory(d.ty):
            if not self.uses.get(d.id):
                return
            place = self.own_place(d)
            self.copy(place, at, d.ty.nbytes)
            if d.ty.kind == "i" and not clean and d.ty.size & 63:
                top = d.ty.nbytes - 8
                self.out += place.base + place.base + memarg(W.I64_LOAD, place.off + top) + MASK64[d.ty.size & 63] + memarg(W.I64_STORE, place.off + top)
            self.define_image(d, place)
            return
        self.define_values(d, self.load_codes(d.ty, at, clean), mem)

    def define_values(self, d: Val, codes: Sequence[bytes], mem: bool = False) -> None:
        """Gives a value that is not in memory its wasm values (i32/i64/float, or limbs)."""
        if len(codes) == 1:
            self.define(d, codes[0], mem)
        else:
            self.define_limbs(d, codes, mem)

    def receive(self, d: Val) -> bytes:
        """Code that pops the wasm values of `d` (not an image) from the stack, as a call leaves them."""
        if not self.uses.get(d.id):
            return b"\x1a" * len(value_types(d.ty))
        ls = self.locals_of(d)
        if len(ls) == 1:
            self.expr[d.id] = GET.at(ls[0])
        else:
            self.limb[d.id] = tuple([GET.at(i) for i in ls])
        return b"".join([SET.at(i) for i in reversed(ls)])

    def push(self, v: Val) -> bytes:
        """Code that pushes a value as an argument: scalar, limbs, or address."""
        if in_memory(v.ty):
            return address(self.place(v))
        if v.ty.kind == "i" and v.ty.size > 64:
            return b"".join(self.limbs(v))
        return self.s(v)

    def copy_images(self, moves: Sequence[tuple[Place, frozenset[int], Val]]) -> None:
        """Parallel copies of images: (destination, its root, source value)."""
        self.out += self.image_moves(moves)

    def image_moves(self, moves: Sequence[tuple[Place, frozenset[int], Val]]) -> bytes:
        todo = []
        for dst, root, v in moves:
            src = self.place(v)
            if src != dst:
                todo.append((dst, root, src, self.roots_of(v), v.ty.nbytes))
        written: frozenset[int] = frozenset().union(*(t[1] for t in todo)) if len(todo) > 1 else frozenset()
        first, code = b"", b""
        for dst, root, src, roots, n in todo:
            if roots & (written - root):
                tmp = self.scratch_place(n)
                first += copy_code(tmp, src, n)
                src = tmp
            code += copy_code(dst, src, n)
        return first + code

    # ------------------------------------------------------------ analysis

    def _scan(self) -> None:
        """Counts uses (1: one use in the defining block; a use elsewhere counts as many) and finds out what the body needs."""
        uses = self.uses
        where: dict[int, int] = {}
        body = self.body
        shadow = False
        for b in body.blocks:
            bid = b.id
            for p in b.params:
                where[p.id] = -2  # always a local of its own
            for op in b.ops:
                for a in op.args:
                    if a.const is None:
                        i = a.id
                        uses[i] = uses.get(i, 0) + 1 if where.get(i) == bid else _MANY
                for d in op.dsts:
                    where[d.id] = bid
                    if in_memory(d.ty):
                        shadow = True
                if op.code in MEMORY_WRITERS:
                    self.writers = True
            t = b.term
            assert t is not None
            if isinstance(t, CallS):
                self.writers = True
            for v in t.uses():
                if v.const is None:
                    uses[v.id] = uses.get(v.id, 0) + 1 if where.get(v.id) == bid else _MANY
            for _, args in t.edges():
                for v in args:
                    if v.const is None:
                        uses[v.id] = uses.get(v.id, 0) + 1 if where.get(v.id) == bid else _MANY
            if b.params and not shadow:
                shadow = any(in_memory(p.ty) for p in b.params)
        self.uses_shadow = self.uses_shadow or shadow
        if body.live_in:
            for vals in body.live_in.values():
                for v in vals:
                    uses[v.id] = _MANY
                    self.saved[v.id] = v

    # ------------------------------------------------------------ whole

    uses_shadow: bool

    def code(self) -> tuple[bytes, bytes]:
        """(local types after the parameters, instructions)."""
        self.uses_shadow = False
        try:
            return self._code()
        except _NeedShadow:
            self.__init__(self.body, self.mod)  # type: ignore[misc]
            self.uses_shadow = True
            return self._code()

    def _code(self) -> tuple[bytes, bytes]:
        body = self.body
        self._scan()
        if body.kind == "function":
            nparams = len(function_type(tuple(p.ty for p in body.params), body.results)[0])
        else:
            nparams = 1 if body.kind == "region" else 2
        self.nlocals = nparams
        if body.suspending:
            self.frame = GET[1]
            self._frame_slots()
        if self.uses_shadow:
            self.sp0, self.fp = self.local(W.I32), self.local(W.I32)
        self._parameters()
        if any(op.code == "aput" and op.args[0].const is None for b in body.blocks for op in b.ops):
            self.live = liveness(body)
        for b in body.blocks:
            for p in b.params:
                self._block_param(p)
        if len(body.blocks) == 1 and not body.suspending:
            self._block(body.blocks[0])
            self._terminate(body.blocks[0])
        else:
            self._graph()
        code = self._prologue() + bytes(self.out)
        if body.kind != "region":
            code += b"\x00"
        return bytes(self.local_types), code

    def _prologue(self) -> bytes:
        if not self.uses_shadow:
            return b""
        code = b"\x23" + W.uleb(self.mod.sp) + TEE.at(self.sp0) + i32_const(self.shadow) + b"\x6b" + TEE.at(self.fp)
        limit = self.link.stack_limit
        if limit is not None:
            code += i32_const(limit) + b"\x49\x04\x40" + self.fault(NO_SITE, GET.at(self.fp) + b"\xad") + b"\x0b" + GET.at(self.fp)
        return code + b"\x24" + W.uleb(self.mod.sp)

    def epilogue(self) -> bytes:
        """Code that gives the shadow stack back, before every exit."""
        return GET.at(self.sp0) + b"\x24" + W.uleb(self.mod.sp) if self.uses_shadow else b""

    def fault(self, site: int, addr: bytes) -> bytes:
        """Code that records a fault (addr: code of an i64) and traps."""
        return i32_const(site) + addr + self.mod.call("h", "fault") + b"\x00"

    def _frame_slots(self) -> None:
        body = self.body
        assert body.frame is not None, f"{body.key}: a suspending body without a frame"
        seen: set[int] = set()
        for vid in self.saved:
            off = body.frame.slots[vid]
            if off in seen:
                self.shared_slots.add(off)
            seen.add(off)

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
                    self.roots[p.id] = _EXTERN_ROOT
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
            self.roots[v.id] = _EXTERN_ROOT
        elif len(ls) == 1:
            self.expr[v.id] = GET.at(ls[0])
        else:
            self.limb[v.id] = tuple([GET.at(i) for i in ls])

    def _block_param(self, p: Val) -> None:
        if not self.uses.get(p.id):
            return
        if in_memory(p.ty):
            # A static place even when saved: what is in the frame is copied back there on resume.
            self.img[p.id] = self.own_place(p)
            self.unplaced.discard(p.id)
        else:
            self._bind(p, self.locals_of(p))

    # ------------------------------------------------------------ control flow

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

        def node(u: int) -> Jump:
            kind, b = nodes[u]
            if kind == "entry":
                return self._entry(len(succs[0]))
            assert b is not None
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
            assert b is not None
            assert b.term is not None
            if kind != "block" or isinstance(b.term, CallS):
                return b""
            target, args = b.term.edges()[k]
            return self._moves(target, args) if args else b""

        def label() -> int:
            if self.label < 0:
                self.label = self.local(W.I32)
            return self.label

        write(plan(succs), self.out, node, edge, label)

    def _entry(self, n: int) -> Jump:
        if not self.body.suspending:
            return BR_JUMP
        flag = self.link.deopt_flag_addr
        if flag is not None:
            self.out += i32_const(0) + memarg(W.I32_LOAD, flag) + b"\x04\x40" + self.epilogue() + i32_const(STATUS_DEOPT) + b"\x0f\x0b"
        if n == 1:
            return BR_JUMP
        token = self.frame + memarg(W.I32_LOAD, 0)
        return Jump("if", token + b"\x45") if n == 2 else Jump("table", token, range(n), 0)

    def _load_params(self) -> bytes:
        """Parameters of a suspending body, on its first activation."""
        code = b""
        for p in self.body.params:
            if not in_memory(p.ty) and self.uses.get(p.id):
                code += self._reload_value(p, self.params_in_frame[p.id])
        return code

    def _reload_value(self, v: Val, off: int) -> bytes:
        codes = self.load_codes(v.ty, Place(self.frame, off), True)
        return b"".join([c + SET.at(i) for c, i in zip(codes, self.locals_of(v), strict=True)])

    def _reload(self, b: Block) -> None:
        term = b.term
        assert isinstance(term, (Wait, CallS))
        frame = self.body.frame
        assert frame is not None
        for v in self.body.live_in[term.token]:
            off = self.params_in_frame.get(v.id)
            if off is None:
                off = frame.slots[v.id]
                if in_memory(v.ty):
                    place = self.slot_of.get(v.id)
                    if self.img[v.id] == place:  # a block parameter
                        if place != Place(self.frame, off):
                            self.copy(self.img[v.id], Place(self.frame, off), v.ty.nbytes)
                    else:
                        self.out += address(Place(self.frame, off)) + SET.at(self.locals_of(v)[0])
                    continue
            elif in_memory(v.ty):
                continue
            self.out += self._reload_value(v, off)

    def save(self, token: int) -> None:
        """Stores what lives at a resume point, and the token."""
        frame = self.body.frame
        assert frame is not None
        images: list[tuple[Place, frozenset[int], Val]] = []
        for v in self.body.live_in[token]:
            if v.id in self.params_in_frame:
                continue
            off = frame.slots[v.id]
            if in_memory(v.ty):
                images.append((Place(self.frame, off), frozenset((off * 2 + 1,)), v))
            else:
                self.out += self.store_leaf(Place(self.frame, off), v)
        self.out += self._save_images(images)
        self.out += self.frame + i32_const(token) + memarg(W.I32_STORE, 0)

    def _save_images(self, images: list[tuple[Place, frozenset[int], Val]]) -> bytes:
        if not images:
            return b""
        slots = frozenset().union(*(r for _, r, _ in images))
        first, code = b"", b""
        for dst, root, v in images:
            src = self.place(v)
            if src == dst:
                continue
            n = v.ty.nbytes
            if self.roots_of(v) & (slots - root):
                tmp = self.scratch_place(n)
                first += copy_code(tmp, src, n)
                code += copy_code(dst, tmp, n)
            elif root <= self.roots_of(v) and n > 64:
                # It may lie there already.
                code += address(src) + address(dst) + b"\x47\x04\x40" + copy_code(dst, src, n) + b"\x0b"
            else:
                code += copy_code(dst, src, n)
        return first + code

    def _moves(self, target: Block, args: Sequence[Val]) -> bytes:
        """Moves of block arguments, as if all at once: everything is pushed before images are copied and locals set."""
        push: list[bytes] = []
        pop: list[bytes] = []
        images: list[tuple[Place, frozenset[int], Val]] = []
        for p, a in zip(target.params, args, strict=True):
            if p is a or not self.uses.get(p.id):
                continue
            if in_memory(p.ty):
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
            self._last_uses(b)
        self.block = b
        for i, op in enumerate(b.ops):
            self.position = i
            handlers[op.code](self, op)

    def _last_uses(self, b: Block) -> None:
        """Position of the last use in the block of every image; past the end for what the terminator or later blocks use."""
        assert self.live is not None
        end = len(b.ops)
        last: dict[int, int] = {}
        for i, op in enumerate(b.ops):
            for a in op.args:
                if a.const is None and in_memory(a.ty):
                    last[a.id] = i
        assert b.term is not None
        for v in (*b.term.uses(), *(a for _, args in b.term.edges() for a in args)):
            if v.const is None and in_memory(v.ty):
                last[v.id] = end
        for v in self.live.vals(self.live.live_out[b.id]):
            if in_memory(v.ty):
                last[v.id] = end
        self.last_use = last

    def dies_here(self, v: Val, op: Op) -> bool:
        """Whether nothing that shares storage with image `v` is used after the current operation, so that it may be overwritten."""
        if v.const is not None or self.live is None:
            return False
        roots = self.roots_of(v)
        if EXTERN in roots or v.id in self.unplaced:
            return False
        here = self.position
        for vid, at in self.last_use.items():
            if at > here and (vid in self.unplaced or roots & self.roots.get(vid, _EMPTY)):
                return False
        return len(op.args) == 3 or not any(roots & self.roots_of(a) for a in op.args[2:] if in_memory(a.ty))

    def _terminate(self, b: Block) -> Jump:
        t = b.term
        if isinstance(t, Br):
            return BR_JUMP
        if isinstance(t, CondBr):
            return Jump("if", self.s(t.cond))
        if isinstance(t, Switch):
            return self._switch(t)
        if isinstance(t, Ret):
            self._ret(t)
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

    def _ret(self, t: Ret) -> None:
        kind = self.body.kind
        if kind == "region":
            self.out += self.epilogue() + b"\x0f"
            return
        if kind == "coroutine":
            assert self.body.frame is not None
            self.flush()
            for v, off in zip(t.vals, self.body.frame.results, strict=True):
                self.out += self.store_leaf(Place(self.frame, off), v)
            self.release_frame()
            self.out += self.epilogue() + i32_const(STATUS_DONE) + b"\x0f"
            return
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

    def release_frame(self) -> None:
        """Frees the heap blocks of dynamic `alloca`s, chained in the frame."""
        from .calls import release_chain

        if self.body.suspending and self.mod.has_dynamic_alloca(self.body):
            release_chain(self)

    def proc(self) -> bytes:
        return self.frame + memarg(W.I32_LOAD, FRAME_PROC)

    def _wait(self, t: Wait) -> None:
        self.flush()
        # Operands first: the frame slots written by the save may be what they are computed from.
        calls = b""
        if t.sens is not None:
            calls += self.proc() + i32_const(t.sens) + self.mod.call("k", "k_wait_set")
        for ptr, size, edge in t.dyn:
            p = self.cheap(ptr)
            calls += self.proc() + p + i64_const(32) + b"\x88\xa7" + i32_const(1) + b"\x6b" + p + b"\xa7" + i32_const(size) + i32_const(edge)
            calls += self.mod.call("k", "k_wait_dyn")
        if t.time is not None:
            calls += self.proc() + b"".join([self.s(v) for v in t.time]) + self.mod.call("k", "k_wait_time")
        self.save(t.token)
        self.out += calls + self.epilogue() + i32_const(STATUS_WAIT) + b"\x0f"

    def _call_node(self, b: Block) -> None:
        """Calls the child (again); on DONE its results become the parameters of the resume block."""
        t = b.term
        assert isinstance(t, CallS)
        out = self.out
        child, _, tee = self.temp(W.I32)
        status, _, tee_status = self.temp(W.I32)
        out += self.frame + memarg(W.I32_LOAD, FRAME_CHILD) + tee + memarg(W.I32_LOAD, FRAME_CTX) + child
        out += child + memarg(W.I32_LOAD, FRAME_FN) + self.mod.call_indirect((W.I32, W.I32), (W.I32,))
        out += tee_status + i32_const(STATUS_DONE) + b"\x47\x04\x40" + self.epilogue() + status + b"\x0f\x0b"
        args = t.args if t.site is None else t.args[1:]
        at = FRAME_HEADER + sum((a.ty.nbytes + 7) & ~7 for a in args)
        for p in t.resume.params:
            if self.uses.get(p.id):
                if in_memory(p.ty):
                    self.copy(self.img[p.id], Place(child, at), p.ty.nbytes)
                else:
                    codes = self.load_codes(p.ty, Place(child, at), True)
                    out += b"".join([c + SET.at(i) for c, i in zip(codes, self.locals_of(p), strict=True)])
            at += (p.ty.nbytes + 7) & ~7
        out += self.frame + i32_const(0) + memarg(W.I32_STORE, FRAME_CHILD) + child + self.mod.call("k", "k_frame_free")


class _NeedShadow(Exception):
    """Emission found out that it needs shadow stack after all."""


_EXTERN_ROOT = frozenset((EXTERN,))
_EMPTY: frozenset[int] = frozenset()


def canonical_bits(e: Emitter, code: bytes, size: int) -> bytes:
    """Bits of the float that `code` gives, as i32 or i64, any NaN as the positive quiet one."""
    get, _, tee = e.temp(W.F32 if size == 32 else W.F64)
    if size == 32:
        return code + tee + b"\xbc" + i32_const(NAN_BITS[32]) + get + get + b"\x5b\x1b"
    return code + tee + b"\xbd" + i64_const(NAN_BITS[64]) + get + get + b"\x61\x1b"


def address(p: Place) -> bytes:
    """Code that pushes an address as one i32."""
    return p.base + i32_const(p.off) + b"\x6a" if p.off else p.base


_UNROLL = 64


def copy_code(dst: Place, src: Place, n: int, overlap: bool = False) -> bytes:
    """Copies n bytes; small ones as plain loads and stores unless source and destination may overlap."""
    if n == 0 or dst == src:
        return b""
    if overlap or n > _UNROLL:
        return address(dst) + address(src) + i32_const(n) + W.MEMORY_COPY
    out = []
    at = 0
    for size, load, store in _CHUNKS:
        while n - at >= size:
            out.append(dst.base + src.base + memarg(load, src.off + at) + memarg(store, dst.off + at))
            at += size
    return b"".join(out)


def zero_code(dst: Place, n: int) -> bytes:
    """Clears n bytes."""
    if n > _UNROLL:
        return address(dst) + b"\x41\x00" + i32_const(n) + W.MEMORY_FILL
    out = []
    at = 0
    for size, _, store in _CHUNKS:
        while n - at >= size:
            out.append(dst.base + (b"\x42\x00" if size == 8 else b"\x41\x00") + memarg(store, dst.off + at))
            at += size
    return b"".join(out)


_CHUNKS = (
    (8, W.I64_LOAD, W.I64_STORE),
    (4, W.I32_LOAD, W.I32_STORE),
    (2, W.I32_LOAD16_U, W.I32_STORE16),
    (1, W.I32_LOAD8_U, W.I32_STORE8),
)
