"""Continuous stores to nets, and what a region keeps in locals while it runs.

Most nets have no listener: a change of theirs only has to be counted. A region counts its changes in a local and adds them up at its end, and small values
are stored without asking whether they differ, so that the usual store has no branch that depends on data. The work word of an island (`elab.islands`) is a local as
well, where nothing but `netstore`s can set bits in it: the kernel does so in memory, and what it has set is taken over behind the call.
"""

from __future__ import annotations

from ..sem.mir import CB_ISLAND, CUR_PROCESS, Op
from . import wasm as W
from .emit import Emitter, lowers
from .forms import STORE_INT, Place, address, copy_code, in_memory
from .values import canonical_bits
from .views import WRITERS
from .wasm import GET, SET, i32_const, i64_const, memarg
from .wide import call

NET_SHIFT = 5
"""Net descriptors take 32 bytes (`sched.descriptors.N_SIZE`)."""
N_FAN, N_DRIVER, F_SET, SET_SHIFT, R_DIRTY = 8, 24, 4, 2, 16
NF_LISTENED, NF_SOLE = 1, 64
"""As in `sched.descriptors`."""
PLAIN_BYTES = 16
"""Values of at most this many bytes are stored whether they differ or not."""
_ZERO = b"\x41\x00"
_LOCAL_WORK = frozenset({"netstore", "stt"})
"""Operations that leave the work word in memory alone, or are known to change it (what else writes may wake members through the kernel)."""


class RegionLocals:
    """Locals of a region: `base`, where the descriptors of its instance's nets begin (offsets from there are small: Cranelift checks large ones); `changes` that no listener saw; `work` word of an island, -1 none."""

    __slots__ = ("base", "changes", "edges", "work")

    def __init__(self, e: Emitter, island: bool) -> None:
        self.base = e.local(W.I32)
        self.changes = e.local(W.I32)
        self.edges = e.local(W.I32)
        """Changes with a listener that needs no telling (gangs)."""
        self.work = e.local(W.I32) if island else -1

    def prologue(self, table: int) -> bytes:
        """table: address of the descriptors of nets."""
        code = descriptors(table) + SET.at(self.base)
        if self.work >= 0:
            code += _ZERO + memarg(W.I32_LOAD, CB_ISLAND) + SET.at(self.work) + _ZERO + _ZERO + memarg(W.I32_STORE, CB_ISLAND)
        return code

    def epilogue(self, e: Emitter) -> bytes:
        assert e.link.nets is not None
        code = add_to(e.link.nets.updates, self.changes)
        if self.edges >= 0:
            code += add_to(e.link.nets.edges, self.edges)
        if self.work >= 0:
            code += _ZERO + GET.at(self.work) + memarg(W.I32_STORE, CB_ISLAND)
        return code

    def changed(self, e: Emitter, k: int) -> bytes:
        """Code behind a change of own net k, which has listeners: it tells the kernel, which counts the change itself."""
        if self.edges >= 0:
            return b"\x02\x40" + self.already(e, k) + self.call(e, k) + b"\x0b"
        return self.call(e, k)

    def already(self, e: Emitter, k: int) -> bytes:
        """Code that leaves the block around it when the only listener of net k is a region that is to be evaluated anyway: its members are noted."""
        assert e.link.nets is not None
        net = k << NET_SHIFT
        base = GET.at(self.base)
        (fan, _, tee_fan), (target, _, tee_target), (dirty, _, tee_dirty) = e.temp(W.I32), e.temp(W.I32), e.temp(W.I32)
        code = base + memarg(W.I32_LOAD, net + e.link.nets.flags) + i32_const(NF_LISTENED | NF_SOLE) + b"\x46\x04\x40"
        code += base + memarg(W.I32_LOAD, net + N_FAN) + tee_fan + memarg(W.I32_LOAD, 0) + tee_target + memarg(W.I32_LOAD, R_DIRTY - 1) + tee_dirty + b"\x04\x40"
        code += target + dirty + fan + memarg(W.I32_LOAD, F_SET) + i32_const(SET_SHIFT) + b"\x76\x72" + memarg(W.I32_STORE, R_DIRTY - 1)
        code += base + _ZERO + memarg(W.I32_LOAD, CUR_PROCESS) + memarg(W.I32_STORE, net + N_DRIVER)
        return code + GET.at(self.edges) + i32_const(1) + b"\x6a" + SET.at(self.edges) + b"\x0c\x02\x0b\x0b"

    def call(self, e: Emitter, k: int) -> bytes:
        code = GET[0] + memarg(W.I32_LOAD, 0) + (i32_const(k) + b"\x6a" if k else b"") + e.mod.call("k", "k_net_changed")
        code += GET.at(self.changes) + i32_const(1) + b"\x6b" + SET.at(self.changes)
        if self.work >= 0:
            code += GET.at(self.work) + _ZERO + memarg(W.I32_LOAD, CB_ISLAND) + b"\x72" + SET.at(self.work) + _ZERO + _ZERO + memarg(W.I32_STORE, CB_ISLAND)
        return code


def descriptors(table: int) -> bytes:
    """Code of the address of the instance's first net descriptor."""
    return GET[0] + memarg(W.I32_LOAD, 0) + i32_const(NET_SHIFT) + b"\x74" + i32_const(table) + b"\x6a"


def add_to(counter: int, local: int) -> bytes:
    """Code that adds an i32 local to the u64 at an address."""
    return _ZERO + _ZERO + memarg(W.I64_LOAD, counter) + GET.at(local) + b"\xad\x7c" + memarg(W.I64_STORE, counter)


def region_locals(e: Emitter) -> RegionLocals | None:
    """The locals of a region that stores to nets; None for one that does not, and where the descriptors of nets are not known."""
    if e.link.nets is None:
        return None
    ops = [op for b in e.body.blocks for op in b.ops]
    if not any(op.code == "netstore" for op in ops):
        return None
    island = any(op.code == "ldt" and is_work(op) for op in ops) and not any(op.code in WRITERS and op.code not in _LOCAL_WORK for op in ops)
    return RegionLocals(e, island)


def is_work(op: Op) -> bool:
    """Whether a load or store is one of the work word."""
    return bool(op.attr == CB_ISLAND and op.args[0].const == 0)


def add_members(e: Emitter, bits: int, changed: bytes = b"") -> bytes:
    """Code that sets bits of the work word. changed: code of an i32 that says whether (1) or not (0); b"": always."""
    mask = _ZERO + changed + b"\x6b" + i32_const(bits) + b"\x71" if changed else i32_const(bits)
    local = e.region.work if e.region is not None else -1
    if local >= 0:
        return GET.at(local) + mask + b"\x72" + SET.at(local)
    return _ZERO + _ZERO + memarg(W.I32_LOAD, CB_ISLAND) + mask + b"\x72" + memarg(W.I32_STORE, CB_ISLAND)


@lowers("netstore")
def _netstore(e: Emitter, op: Op) -> None:
    k, off, offs, _size, *members = op.attr
    plain = e.region is not None and all(v.ty.kind == "i" and v.ty.size <= 64 for v in op.args) and sum(v.ty.nbytes for v in op.args) <= PLAIN_BYTES
    test, stores = parts(e, op, off, offs)
    e.flush()
    r = e.region
    nets = e.link.nets
    if r is None or nets is None:
        net = GET[0] + memarg(W.I32_LOAD, 0)
        at = net + i32_const(k) + b"\x6a" if k else net
        e.out += test + b"\x04\x40" + stores + b"".join([add_members(e, bits) for bits in members])
        if nets is None:
            e.out += at + e.mod.call("k", "k_net_changed") + b"\x0b"
            return
        # A net that nobody listens to only counts the change; its flags are read here so that the common case makes no call.
        flags = descriptors(nets.table) + memarg(W.I32_LOAD, (k << NET_SHIFT) + nets.flags)
        count = _ZERO + _ZERO + memarg(W.I64_LOAD, nets.updates) + i64_const(1) + b"\x7c" + memarg(W.I64_STORE, nets.updates)
        e.out += flags + b"\x04\x40" + at + e.mod.call("k", "k_net_changed") + b"\x05" + count + b"\x0b\x0b"
        return
    flags = GET.at(r.base) + memarg(W.I32_LOAD, (k << NET_SHIFT) + nets.flags)
    if plain:
        c, put, _ = e.temp(W.I32)
        e.out += test + put + stores + b"".join([add_members(e, bits, c) for bits in members])
        e.out += GET.at(r.changes) + c + b"\x6a" + SET.at(r.changes)
        e.out += flags + b"\x45\x45" + c + b"\x71\x04\x40" + r.changed(e, k) + b"\x0b"
        return
    e.out += test + b"\x04\x40" + stores + b"".join([add_members(e, bits) for bits in members])
    e.out += GET.at(r.changes) + i32_const(1) + b"\x6a" + SET.at(r.changes) + flags + b"\x04\x40" + r.changed(e, k) + b"\x0b\x0b"


def pair_word(e: Emitter, op: Op, offs: tuple[int, ...]) -> tuple[bytes, int, int, bytes] | None:
    """A four-state value of up to 32 bits as one word: (code of it, which may be repeated, load, store, comparison); None for anything else."""
    if len(op.args) != 2:
        return None
    v, u = op.args
    n = v.ty.nbytes
    if v.ty.kind != "i" or u.ty is not v.ty or n > 4 or tuple(offs) != (0, n):
        return None
    widen = b"\xad" if n == 4 else b""
    const, shift, either = (i64_const, b"\x86", b"\x84") if n == 4 else (i32_const, b"\x74", b"\x72")
    code = const(int(v.const)) if v.const is not None else e.s(v) + widen
    if u.const is None:
        code += e.s(u) + widen + const(8 * n) + shift + either
    elif u.const:
        code += const(int(u.const) << 8 * n) + either
    word = code if v.const is not None and u.const == 0 else e.keep(code, W.I64 if n == 4 else W.I32)
    load, store = _PAIRS[n]
    return word, load, store, b"\x52" if n == 4 else b"\x47"


_PAIRS = {1: (W.I32_LOAD16_U, W.I32_STORE16), 2: (W.I32_LOAD, W.I32_STORE), 4: (W.I64_LOAD, W.I64_STORE)}


def parts(e: Emitter, op: Op, off: int, offs: tuple[int, ...]) -> tuple[bytes, bytes]:
    """(code of an i32 that is 1 if the value differs from the net at context offset `off`, code that stores it)."""
    ctx = GET[0]
    pair = pair_word(e, op, offs)
    if pair is not None:
        word, load, store, differs = pair
        return ctx + memarg(load, off) + word + differs, ctx + word + memarg(store, off)
    tests: list[bytes] = []
    stores: list[bytes] = []
    for v, o in zip(op.args, offs, strict=True):
        at = Place(ctx, off + o)
        ty = v.ty
        if in_memory(ty):
            src = e.place(v)
            tests.append(call(e, "w_ne", address(at), address(src), ty.nbytes))
            stores.append(copy_code(at, src, ty.nbytes, overlap=True))
        elif ty.kind == "i" and ty.size > 64:
            limbs = e.cheap_limbs(v)
            diff = [ctx + memarg(W.I64_LOAD, at.off + 8 * i) + c + b"\x85" for i, c in enumerate(limbs)]
            tests.append(diff[0] + b"".join([c + b"\x84" for c in diff[1:]]) + b"\x50\x45")
            stores += [ctx + c + memarg(W.I64_STORE, at.off + 8 * i) for i, c in enumerate(limbs)]
        elif ty.kind == "f":
            wide_ = ty.size == 64
            bits = e.keep(canonical_bits(e, e.s(v), ty.size), W.I64 if wide_ else W.I32)
            tests.append(ctx + memarg(W.I64_LOAD if wide_ else W.I32_LOAD, at.off) + bits + (b"\x52" if wide_ else b"\x47"))
            stores.append(ctx + bits + memarg(W.I64_STORE if wide_ else W.I32_STORE, at.off))
        else:
            val = e.cheap(v)
            (old,) = e.load_codes(ty, at, True)
            tests.append(old + val + (b"\x47" if ty.size <= 32 else b"\x52"))
            stores.append(ctx + val + memarg(STORE_INT[ty.nbytes], at.off))
    return tests[0] + b"".join([t + b"\x72" for t in tests[1:]]), b"".join(stores)
