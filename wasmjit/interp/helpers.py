"""Operations of interpreted code that are not worth spelling out in each body. `E` is the `Env`."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from ..sem import fold
from ..sem.mir import FRAME_CHILD, FRAME_CTX, FRAME_FN, FRAME_HEADER, FRAME_PROC, FRAME_SPARE, CallSite, Ty

if TYPE_CHECKING:
    from .env import Env

NO_SITE = -1
LOW = 0xFFFFFFFF
MAX_ALLOC = 0x7FFF0000
"""Largest dynamic `alloca` in bytes; more does not fit the kernel's 32-bit sizes."""


# ---------------------------------------------------------------- guest memory


def load_bytes(E: Env, addr: int, n: int, site: int) -> bytes:
    if addr < E.guest_lo or addr + n > E.mem_size():
        E.fault(site, addr)
    return bytes(E.u8[addr : addr + n])


def store_bytes(E: Env, ptr: int, off: int, data: bytes, site: int) -> None:
    """Guest store of any size, through the kernel when the pointer names a net."""
    addr = (ptr & LOW) + off
    n = len(data)
    if addr < E.guest_lo or addr + n > E.mem_size():
        E.fault(site, addr)
    net = ptr >> 32
    if not net:
        E.u8[addr : addr + n] = data
    elif n in (1, 2, 4, 8):
        E.kernel["k_store_net"](net - 1, addr, n, int.from_bytes(data, "little"))
    else:
        src = E.scratch(n)
        E.u8[src : src + n] = data
        E.kernel["k_store_net_mem"](net - 1, addr, n, src)


def mem_copy(E: Env, dst: int, src: int, n: int, site: int) -> None:
    """memcpy and memmove; nothing is checked when n is 0."""
    if n == 0:
        return
    a = src & LOW
    if a < E.guest_lo or a + n > E.mem_size():
        E.fault(site, a)
    d = dst & LOW
    if d < E.guest_lo or d + n > E.mem_size():
        E.fault(site, d)
    if dst >> 32:
        E.kernel["k_store_net_mem"]((dst >> 32) - 1, d, n, a)
    else:
        E.u8[d : d + n] = bytes(E.u8[a : a + n])


def mem_set(E: Env, dst: int, byte: int, n: int, site: int) -> None:
    if n == 0:
        return
    d = dst & LOW
    if d < E.guest_lo or d + n > E.mem_size():  # before the bytes are made: n is the guest's
        E.fault(site, d)
    store_bytes(E, dst, 0, bytes([byte]) * n, site)


def frame_alloc(E: Env, frame: int, n: int) -> int:
    """Zeroed heap block that lives as long as the frame (an `alloca` of dynamic size): chained at FRAME_SPARE, data 16 bytes in."""
    if n > MAX_ALLOC:
        E.fault(NO_SITE, n)
    block = E.kernel["k_alloc"](n + 16) & LOW
    if block == 0:
        E.fault(NO_SITE, n)
    E.u8[block : block + n + 16] = bytes(n + 16)
    at = frame + FRAME_SPARE >> 2
    E.u32[block >> 2] = E.u32[at]
    E.u32[at] = block
    return int(block + 16)


def frame_release(E: Env, frame: int) -> None:
    at = frame + FRAME_SPARE >> 2
    block = E.u32[at]
    E.u32[at] = 0
    while block:
        after = E.u32[block >> 2]
        E.kernel["k_free"](block)
        block = after


# ---------------------------------------------------------------- nets


def drive_bytes(E: Env, net: int, addr: int, data: bytes, fs: int, delta: int, eps: int) -> None:
    n = len(data)
    if n in (1, 2, 4, 8) and addr & (n - 1) == 0:
        E.kernel["k_drive"](net, addr, n, int.from_bytes(data, "little"), fs, delta, eps)
    else:
        src = E.scratch(n)
        E.u8[src : src + n] = data
        E.kernel["k_drive_mem"](net, addr, n, src, fs, delta, eps)


def drive_ref(E: Env, ptr: int, data: bytes, fs: int, delta: int, eps: int) -> None:
    if ptr >> 32:
        drive_bytes(E, (ptr >> 32) - 1, ptr & LOW, data, fs, delta, eps)
    else:
        store_bytes(E, ptr, 0, data, NO_SITE)


def drive_ref_bits(E: Env, ptr: int, bit: int, width: int, val: int, fs: int, delta: int, eps: int) -> None:
    """`width` bits at bit offset `bit` from the pointer's address; at once when it is plain memory."""
    addr = ptr & LOW
    if ptr >> 32:
        drive = E.kernel["k_drive_bits"]
        for low in range(0, width, 64):
            w = min(64, width - low)
            drive((ptr >> 32) - 1, addr, bit + low, w, (val >> low) & ((1 << w) - 1), fs, delta, eps)
        return
    first, last = addr + (bit >> 3), addr + ((bit + width + 7) >> 3)
    if first < E.guest_lo or last > E.mem_size():
        E.fault(NO_SITE, addr)
    shift = bit & 7
    old = int.from_bytes(E.u8[first:last], "little")
    new = (old & ~(((1 << width) - 1) << shift)) | (val << shift)
    E.u8[first:last] = new.to_bytes(last - first, "little")


# ---------------------------------------------------------------- calls


def put(E: Env, addr: int, ty: Ty, value: Any) -> None:
    """Stores a leaf at a trusted address."""
    data = fold.leaf_to_bytes(ty, value)
    E.u8[addr : addr + len(data)] = data


def get(E: Env, addr: int, ty: Ty) -> Any:
    return fold.leaf_from_bytes(ty, bytes(E.u8[addr : addr + ty.nbytes]))


class Slots:
    """The slots of some leaves in a frame, 8-byte aligned one after the other: parameters, results."""

    __slots__ = ("packing", "size", "tys")

    def __init__(self, tys: tuple[Ty, ...]) -> None:
        self.tys = tys
        self.size = sum((t.nbytes + 7) & ~7 for t in tys)
        self.packing = struct.Struct(f"<{len(tys)}Q") if all(t.kind == "i" and t.size <= 64 for t in tys) else None

    def store(self, E: Env, at: int, args: tuple[Any, ...]) -> None:
        if self.packing is not None:
            self.packing.pack_into(E.u8, at, *args)
            return
        for ty, a in zip(self.tys, args, strict=True):
            put(E, at, ty, a)
            at += (ty.nbytes + 7) & ~7

    def load(self, E: Env, at: int) -> tuple[Any, ...]:
        if self.packing is not None:
            return self.packing.unpack_from(E.u8, at)
        out = []
        for ty in self.tys:
            out.append(get(E, at, ty))
            at += (ty.nbytes + 7) & ~7
        return tuple(out)


def new_child(E: Env, ctx: int, frame: int, callee: tuple[int, int], params: Slots, args: tuple[Any, ...]) -> None:
    """Frame of a suspending callee (table index, frame size), with its arguments, as child of `frame`."""
    index, size = callee
    child = E.kernel["k_frame_new"](size) & LOW
    if child == 0:
        E.fault(NO_SITE, size)
    u32 = E.u32
    u32[child + FRAME_PROC >> 2] = u32[frame + FRAME_PROC >> 2]
    u32[child + FRAME_FN >> 2] = index
    u32[child + FRAME_CTX >> 2] = ctx
    params.store(E, child + FRAME_HEADER, args)
    u32[frame + FRAME_CHILD >> 2] = child


def run_child(E: Env, frame: int) -> int:
    """Calls or re-enters the child of `frame`; its status."""
    child = E.u32[frame + FRAME_CHILD >> 2]
    return E.call_frame(E.u32[child + FRAME_FN >> 2], E.u32[child + FRAME_CTX >> 2], child)


def end_child(E: Env, frame: int, params: int, results: Slots) -> tuple[Any, ...]:
    """Results of the child that is done, which lie behind its `params` bytes of parameters; frees its frame."""
    at = frame + FRAME_CHILD >> 2
    child = E.u32[at]
    out = results.load(E, child + FRAME_HEADER + params)
    E.u32[at] = 0
    E.kernel["k_frame_free"](child)
    return out


def spawn(E: Env, key: str, ctx: int, params: Slots, args: tuple[Any, ...]) -> int:
    """New process; its id."""
    frame = E.kernel["k_spawn"](E.fn_index(key), ctx, E.frame_size(key)) & LOW
    params.store(E, frame + FRAME_HEADER, args)
    return int(E.u32[frame + FRAME_PROC >> 2])


def icall(E: Env, ptr: int, site: CallSite, args: tuple[Any, ...]) -> tuple[Any, ...]:
    return E.function_by_pointer(ptr, site)(*args)


# ---------------------------------------------------------------- values


def _bits_of_double(x: float) -> int:
    return fold.float_bits(x, 64)


def _bits_of_single(x: float) -> int:
    return fold.float_bits(x, 32)


HELPERS: dict[str, Any] = {
    "LDB": load_bytes, "STB": store_bytes, "MCPY": mem_copy, "MSET": mem_set, "FALLOC": frame_alloc, "FREL": frame_release,
    "DRVB": drive_bytes, "DREF": drive_ref, "DBITS": drive_ref_bits,
    "NEWCH": new_child, "RUNCH": run_child, "ENDCH": end_child, "SPAWN": spawn, "ICALL": icall,
    "DIVS": fold.div_signed, "MODS": fold.mod_signed, "FDIV": fold.fdiv, "FREM": fold.frem, "FMIN": fold.fmin, "FMAX": fold.fmax,
    "FTOI": fold.float_to_int, "ITOF": fold.int_to_float, "FB64": _bits_of_double, "FB32": _bits_of_single, "BTOF": fold.bits_float,
    "AGET": fold.aget, "APUT": fold.aput, "ANEW": fold.anew, "ASLICE": fold.aslice,
}  # fmt: skip
