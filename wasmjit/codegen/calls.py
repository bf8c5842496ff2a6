"""Calls: functions, function pointers, runtime exports, host services, new processes, suspending callees.

Buffer of `h.svc` (docs/internals.md §5): arguments from buf+0, 8-byte slots; integers up to 64 bits zero-extended, floats as doubles, wider
integers as limbs, images as an address; then one slot per image result with the address it is to be copied to. Results from buf+0 in the same
form (the slot of an image result is not used).
"""

from __future__ import annotations

from collections.abc import Sequence

from ..sem.mir import FRAME_CHILD, FRAME_CTX, FRAME_FN, FRAME_HEADER, FRAME_PROC, FRAME_SPARE, FUNC_PTR_BASE, CallS, CallSite, Op, Ty, Val
from . import wasm as W
from .emit import Emitter, lowers
from .forms import MASK32, MASK64, NO_SITE, Place, Unsupported, address, function_type, in_memory, limb_count
from .memory import context
from .roots import stores
from .suspend import Suspension
from .wasm import i32_const, i64_const, memarg

REC_SIG, REC_FUNC, REC_CORO, REC_FRAME, REC_SHIFT = 0, 4, 8, 12, 4
"""Record of a function in the table at `Link.func_records`: u32 signature id, table slot of the function, slot and frame size of its
resumable form (0: there is none)."""


def runtime_call(e: Emitter, op: Op) -> None:
    """Operation `rt`."""
    params, results = e.mod.kernel_type(op.attr)
    if len(params) != len(op.args) or len(results) != len(op.dsts):
        raise Unsupported(f"call of {op.attr} with {len(op.args)} arguments and {len(op.dsts)} results")
    code = b"".join([_coerced(e, v, t) for v, t in zip(op.args, params, strict=True)])
    e.flush()
    e.out += code + e.mod.call("k", op.attr)
    for d, t in zip(reversed(op.dsts), reversed(results), strict=True):
        w = d.ty.size
        if d.ty.kind == "i":
            if w <= 32:
                e.out += (b"\xa7" if t == W.I64 else b"") + MASK32[w]
            else:
                e.out += (b"\xad" if t == W.I32 else b"") + MASK64[w]
        elif w == 32 and t == W.F64:
            e.out += b"\xb6"
        e.out += e.receive(d)
    e.tainted = False


def _coerced(e: Emitter, v: Val, t: int) -> bytes:
    """Code of an argument as wasm type `t`."""
    code = e.s(v)
    if v.ty.kind == "f":
        return code + b"\xbb" if t == W.F64 and v.ty.size == 32 else code
    if t == W.I64 and v.ty.size <= 32:
        return code + b"\xad"
    return code + b"\xa7" if t == W.I32 and v.ty.size > 32 else code


def _slots(ty: Ty) -> int:
    return limb_count(ty.size) if ty.kind == "i" else 1


@lowers("svc")
def _svc(e: Emitter, op: Op) -> None:
    outs = [d for d in op.dsts if d.ty.kind == "a"]
    nargs = sum(_slots(a.ty) for a in op.args)
    nres = sum(_slots(d.ty) for d in op.dsts)
    buf = e.scratch_place(8 * max(nargs + len(outs), nres, 1))
    at = 0
    for v in op.args:
        to = Place(buf.base, buf.off + 8 * at)
        if v.ty.kind == "a":
            e.out += to.base + address(e.place(v)) + b"\xad" + memarg(W.I64_STORE, to.off)
        elif v.ty.kind == "f":
            e.out += to.base + e.s(v) + (b"\xbb" if v.ty.size == 32 else b"") + memarg(W.F64_STORE, to.off)
        else:
            for i, c in enumerate(e.limbs(v)):
                e.out += to.base + c + memarg(W.I64_STORE, to.off + 8 * i)
        at += _slots(v.ty)
    for d in outs:
        e.out += buf.base + address(e.own_place(d)) + b"\xad" + memarg(W.I64_STORE, buf.off + 8 * at)
        at += 1
    e.flush()
    e.out += i32_const(op.attr.id) + address(buf) + e.mod.call("h", "svc") + b"\x04\x40\x00\x0b"
    at = 0
    for d in op.dsts:
        p = Place(buf.base, buf.off + 8 * at)
        at += _slots(d.ty)
        if not e.uses.get(d.id):
            continue
        if d.ty.kind == "a":
            e.define_image(d, e.own_place(d))
        elif d.ty.kind == "f":
            e.define(d, p.base + memarg(W.F64_LOAD, p.off) + (b"\xb6" if d.ty.size == 32 else b""), True)
        elif d.ty.size <= 32:
            e.define(d, p.base + memarg(W.I32_LOAD, p.off) + MASK32[d.ty.size], True)
        else:
            e.define_loaded(d, p, clean=False)
    e.flush()


def _call_code(e: Emitter, args: Sequence[Val], dsts: Sequence[Val]) -> bytes:
    """Pushes the arguments and the addresses of results in memory."""
    code = b"".join([e.push(a) for a in args])
    return code + b"".join([address(e.own_place(d)) for d in dsts if in_memory(d.ty)])


def _call_results(e: Emitter, dsts: Sequence[Val]) -> None:
    for d in reversed(dsts):
        if not in_memory(d.ty):
            e.out += e.receive(d)
    for d in dsts:
        if in_memory(d.ty) and e.uses.get(d.id):
            e.define_image(d, e.own_place(d))
    e.tainted = False


@lowers("call")
def _call(e: Emitter, op: Op) -> None:
    code = _call_code(e, op.args, op.dsts)
    e.flush()
    e.out += stores(e, op) + code + e.mod.call_key(op.attr, tuple(a.ty for a in op.args), tuple(d.ty for d in op.dsts))
    _call_results(e, op.dsts)


def _function_record(e: Emitter, ptr: bytes, site: CallSite, slot: int) -> bytes:
    """Emits the check of a function pointer; i32 code of the address of its record (`slot`: the field that must not be 0)."""
    link = e.link
    if link.func_records is None:
        raise Unsupported("call through a function pointer without a function table")
    index = e.keep(ptr + i64_const(FUNC_PTR_BASE) + b"\x7d", W.I64)
    rec, put, _ = e.temp(W.I32)
    sig = link.sig_id(site.params, site.results)
    # block: leave with the record when everything fits, else fall into the fault.
    e.out += b"\x02\x40" + b"\x02\x40" + index + i64_const(link.func_count) + b"\x5a\x0d\x00"
    e.out += index + b"\xa7" + i32_const(REC_SHIFT) + b"\x74" + i32_const(link.func_records) + b"\x6a" + put
    e.out += rec + memarg(W.I32_LOAD, REC_SIG) + i32_const(sig) + b"\x46" + rec + memarg(W.I32_LOAD, slot) + b"\x41\x00\x47\x71\x0d\x01\x0b"
    # The host fills in the record, or finds what the call means (a fallback, or nothing that returns zeros); 0 is a fault.
    # The number of the site is negative when the callee may suspend.
    e.out += i32_const(site.id if slot == REC_FUNC else -site.id) + ptr + e.mod.call("h", "resolve") + put
    e.out += rec + b"\x45\x04\x40" + e.fault(link.call_fault(site), ptr) + b"\x0b\x0b"
    return rec


@lowers("icall")
def _icall(e: Emitter, op: Op) -> None:
    site: CallSite = op.attr
    ptr = e.cheap(op.args[0])
    rec = _function_record(e, ptr, site, REC_FUNC)
    code = _call_code(e, op.args[1:], op.dsts)
    e.flush()
    e.out += stores(e, op)
    params, results = function_type(tuple(site.params), tuple(site.results))
    e.out += code + rec + memarg(W.I32_LOAD, REC_FUNC) + e.mod.call_indirect(params, results)
    _call_results(e, op.dsts)


def _store_args(e: Emitter, frame: bytes, args: Sequence[Val]) -> None:
    at = FRAME_HEADER
    for v in args:
        e.out += e.store_leaf(Place(frame, at), v)
        at += (v.ty.nbytes + 7) & ~7


@lowers("spawn")
def _spawn(e: Emitter, op: Op) -> None:
    d = op.dsts[0]
    e.flush()
    frame = e.keep(
        i32_const(e.link.table_index(op.attr)) + context(e) + i32_const(e.link.frame_size(op.attr)) + e.mod.call("k", "k_spawn"), W.I32
    )
    _store_args(e, frame, op.args)
    if e.uses.get(d.id):
        e.define(d, e.keep(frame + memarg(W.I32_LOAD, FRAME_PROC), W.I32))


def start_child(e: Emitter, t: CallS) -> None:
    """Frame of a suspending callee with its arguments; saves what lives across the call."""
    e.flush()
    args = t.args
    if t.site is not None:
        ptr = e.cheap(args[0])
        args = args[1:]
        rec = _function_record(e, ptr, t.site, REC_CORO)
        slot, size = rec + memarg(W.I32_LOAD, REC_CORO), rec + memarg(W.I32_LOAD, REC_FRAME)
    else:
        assert t.callee is not None
        slot, size = i32_const(e.link.table_index(t.callee)), i32_const(e.link.frame_size(t.callee))
    child = e.keep(size + e.mod.call("k", "k_frame_new"), W.I32)
    out = e.out
    out += child + b"\x45\x04\x40" + e.fault(NO_SITE, size + b"\xad") + b"\x0b"
    out += child + e.proc() + memarg(W.I32_STORE, FRAME_PROC) + child + slot + memarg(W.I32_STORE, FRAME_FN)
    out += child + context(e) + memarg(W.I32_STORE, FRAME_CTX)
    _store_args(e, child, args)
    e.save(t.token)
    out += e.frame + child + memarg(W.I32_STORE, FRAME_CHILD)


def release_chain(e: Suspension) -> None:
    """Frees the heap blocks chained at FRAME_SPARE."""
    block, put, _ = e.temp(W.I32)
    following, put_next, _ = e.temp(W.I32)
    out = e.out
    out += e.frame + memarg(W.I32_LOAD, FRAME_SPARE) + put + e.frame + b"\x41\x00" + memarg(W.I32_STORE, FRAME_SPARE)
    out += b"\x02\x40\x03\x40" + block + b"\x45\x0d\x01" + block + memarg(W.I32_LOAD, 0) + put_next + block + e.mod.call("k", "k_free")
    out += following + put + b"\x0c\x00\x0b\x0b"
