"""Values of a MIR body while its wasm is being written: expressions, locals, storage of images.

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
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..sem.analysis import Liveness
from ..sem.fold import NAN_BITS
from ..sem.mir import LIMB_BITS, Block, Body, Op, Ty, Val
from . import wasm as W
from .forms import EXTERN, LOAD_INT, MASK32, MASK64, STORE_INT, Place, address, copy_code, in_memory, limb_count, value_types
from .wasm import GET, SET, TEE, i32_const, i64_const, memarg

if TYPE_CHECKING:
    from .module import ModuleEmitter
    from .nets import RegionLocals

_INLINE = 256
"""Code longer than this is not carried to its use but put into a local, which keeps copying linear."""
MANY = 1 << 20
_I32, _I64, _F32, _F64 = W.I32, W.I64, W.F32, W.F64
_CACHED = len(GET)


class NeedShadow(Exception):
    """Emission found out that it needs shadow stack after all."""


EXTERN_ROOT = frozenset((EXTERN,))
NO_ROOTS: frozenset[int] = frozenset()


class Values:
    """The values of one body while it is being emitted; `Emitter` adds control flow."""

    __slots__ = (
        "areas", "block", "body", "expr", "fp", "frame", "has_aput", "img", "label", "last_use", "limb", "link", "live", "loc",
        "local_types", "mod", "nlocals", "out", "params_in_frame", "pending", "position", "region", "root_ops", "root_place", "roots", "saved", "shadow", "shared_slots",
        "slot_of", "sp0", "tainted", "unplaced", "uses", "uses_shadow", "views", "writers",
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
        self.has_aput = False
        self.uses_shadow = False
        self.nlocals = 0
        self.tainted = False
        self.areas: dict[int, tuple[Place, int]] = {}
        """Pointers into memory that this activation has allocated, at a fixed place: (place, bytes from there on that are valid)."""
        self.unplaced: set[int] = set()
        self.views: set[int] = set()
        """Images that stay where they lie (`views`)."""
        self.root_ops: dict[int, list[Val]] = {}
        self.root_place: Place | None = None
        self.region: RegionLocals | None = None
        """What a region keeps in locals (`nets`)."""

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
            return i32_const(c) if v.ty.size <= 32 else i64_const(c)
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
        vid = d.id
        n = self.uses.get(vid, 0)
        if n == 1 and len(code) < _INLINE:
            self.expr[vid] = code
            if mem or self.tainted:
                self.pending[vid] = d
                self.tainted = False
        elif n:
            known = self.loc.get(vid)
            if known is None:
                i = self.nlocals
                self.nlocals = i + 1
                ty = d.ty
                self.local_types.append((_I32 if ty.size <= 32 else _I64) if ty.kind == "i" else (_F32 if ty.size == 32 else _F64))
            else:
                i = known[0]
            self.out += code
            if i < _CACHED:
                self.out += SET[i]
                self.expr[vid] = GET[i]
            else:
                self.out += SET.at(i)
                self.expr[vid] = GET.at(i)
            self.tainted = False

    def define_constant(self, d: Val, code: bytes) -> None:
        """Gives `d` short code that may be repeated and never changes (a local that is set once, a constant)."""
        if d.id in self.saved:
            self.out += code + SET.at(self.locals_of(d)[0])
        else:
            self.expr[d.id] = code

    def define_address(self, d: Val, at: Place, nbytes: int) -> None:
        """Gives `d` a pointer to `nbytes` bytes of the activation's own memory, which loads and stores need not check."""
        self.areas[d.id] = (at, nbytes)
        code = address(at) + b"\xad"
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
            raise NeedShadow

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
        return self.roots.get(v.id, EXTERN_ROOT) if v.const is None else EXTERN_ROOT

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

    def last_uses(self, b: Block) -> None:
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
            if at > here and (vid in self.unplaced or roots & self.roots.get(vid, NO_ROOTS)):
                return False
        return len(op.args) == 3 or not any(roots & self.roots_of(a) for a in op.args[2:] if in_memory(a.ty))


def canonical_bits(e: Values, code: bytes, size: int) -> bytes:
    """Bits of the float that `code` gives, as i32 or i64, any NaN as the positive quiet one."""
    get, _, tee = e.temp(W.F32 if size == 32 else W.F64)
    if size == 32:
        return code + tee + b"\xbc" + i32_const(NAN_BITS[32]) + get + get + b"\x5b\x1b"
    return code + tee + b"\xbd" + i64_const(NAN_BITS[64]) + get + get + b"\x61\x1b"
