"""Sign extension of values of up to 64 bits inside expressions."""

from __future__ import annotations

from ..sem.mir import Val
from .emit import Emitter
from .wasm import i32_const, i64_const


def signed_const(v: Val) -> int:
    """Two's complement reading of a constant."""
    c, w = int(v.const), v.ty.size  # type: ignore[arg-type]
    return c - (1 << w) if c >> (w - 1) else c


def signed32(e: Emitter, v: Val) -> bytes:
    """Sign-extended i32 of an I(≤32)."""
    w = v.ty.size
    if v.const is not None:
        return i32_const(signed_const(v))
    code = e.s(v)
    if w == 32:
        return code
    if w == 8:
        return code + b"\xc0"
    if w == 16:
        return code + b"\xc1"
    if w == 1:
        return b"\x41\x00" + code + b"\x6b"
    k = i32_const(32 - w)
    return code + k + b"\x74" + k + b"\x75"


def signed64(e: Emitter, v: Val) -> bytes:
    """Sign-extended i64 of an I(≤64)."""
    w = v.ty.size
    if v.const is not None:
        return i64_const(signed_const(v))
    if w <= 32:
        return signed32(e, v) + b"\xac"
    code = e.s(v)
    if w == 64:
        return code
    k = i64_const(64 - w)
    return code + k + b"\x86" + k + b"\x87"
