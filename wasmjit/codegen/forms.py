"""Wasm forms of MIR types, and pieces of code that need no state: addresses, copies, masks."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from ..sem.mir import LIMB_BITS, I, Ty
from . import wasm as W
from .wasm import i32_const, i64_const, memarg

NO_SITE = 0xFFFFFFFF
EXTERN = -1
"""Root of images that lie in memory this activation does not own: they are never written in place."""

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

LOAD_WIDTH: list[int] = [0] + [LOAD_INT[I(w).nbytes] for w in range(1, 65)]
"""Load opcode of an I(w), w <= 64."""
STORE_WIDTH: list[int] = [0] + [STORE_INT[I(w).nbytes] for w in range(1, 65)]
