"""`apack` and `aunpack` as functions made for one Packing.

Bytes that lie in memory as their bits do, bytes in reverse order and arrays of single bits are one conversion; anything else is a list of
fields, or the reference implementation when that list would be long.
"""

from __future__ import annotations

from collections.abc import Callable

from ..sem import fold
from ..sem.mir import Packing, int_bytes

MAX_FIELDS = 1024
_DIGITS = bytes(48 + (i & 1) for i in range(256))
_BITS = bytes(i & 1 for i in range(256))


def make_pack(p: Packing) -> Callable[[bytes], int]:
    """Image (bytes) to bit vector (int)."""
    size = p.count * p.stride
    if _dense(p):
        if not p.reverse or p.count == 1:
            return lambda img: int.from_bytes(img[:size], "little")
        if p.stride == 1:
            return lambda img: int.from_bytes(img[:size], "big")
        return lambda img: int.from_bytes(_swapped(img, size, p.stride), "little")
    if _single_bits(p):
        if p.reverse:
            return lambda img: int(img[:size].translate(_DIGITS), 2)
        return lambda img: int(img[:size][::-1].translate(_DIGITS), 2)
    fields = _fields(p)
    if fields is None:
        return lambda img: fold.apack(img, p)

    def pack(img: bytes) -> int:
        out = 0
        for at, end, width, low in fields:
            out |= (int.from_bytes(img[at:end], "little") & ((1 << width) - 1)) << low
        return out

    return pack


def make_unpack(p: Packing, size: int) -> Callable[[int], bytes]:
    """Bit vector to an image of `size` bytes."""
    n = p.count * p.stride
    pad = bytes(size - n)
    if _dense(p):
        if not p.reverse or p.count == 1:
            return lambda v: v.to_bytes(n, "little") + pad
        if p.stride == 1:
            return lambda v: v.to_bytes(n, "big") + pad
        return lambda v: _swapped(v.to_bytes(n, "little"), n, p.stride) + pad
    if _single_bits(p):
        if p.reverse:
            return lambda v: format(v, f"0{n}b").encode().translate(_BITS) + pad
        return lambda v: format(v, f"0{n}b").encode()[::-1].translate(_BITS) + pad
    fields = _fields(p)
    if fields is None:
        return lambda v: fold.aunpack(v, size, p)

    def unpack(v: int) -> bytes:
        out = bytearray(size)
        for at, end, width, low in fields:
            out[at:end] = ((v >> low) & ((1 << width) - 1)).to_bytes(end - at, "little")
        return bytes(out)

    return unpack


def _swapped(data: bytes, size: int, step: int) -> bytes:
    """The pieces of `step` bytes in reverse order."""
    return b"".join([data[i : i + step] for i in range(size - step, -1, -step)])


def _dense(p: Packing) -> bool:
    """Elements are whole bytes without padding, each in the order of its bits."""
    if p.bits != 8 * p.stride or len(p.leaves) != 1 or p.count == 0:
        return False
    off, width, low, nested = p.leaves[0]
    if off != 0 or low != 0 or width != p.bits:
        return False
    if nested is None:
        return width % 64 == 0 or width in (8, 16, 32)
    return _dense(nested) and (not nested.reverse or nested.count == 1)


def _single_bits(p: Packing) -> bool:
    return p.stride == 1 and p.bits == 1 and p.leaves == ((0, 1, 0, None),) and p.count > 0


def _fields(p: Packing) -> list[tuple[int, int, int, int]] | None:
    """(first byte, end, width, low bit) of every integer; None when there are more than MAX_FIELDS."""
    out: list[tuple[int, int, int, int]] = []

    def add(p: Packing, base: int, bit: int) -> bool:
        for i in range(p.count):
            at = base + (p.count - 1 - i if p.reverse else i) * p.stride
            for off, width, low, nested in p.leaves:
                if nested is not None:
                    if not add(nested, at + off, bit + i * p.bits + low):
                        return False
                else:
                    out.append((at + off, at + off + int_bytes(width), width, bit + i * p.bits + low))
            if len(out) > MAX_FIELDS:
                return False
        return True

    return out if add(p, 0, 0) else None
