"""Elements of `dense<...>` attributes, in whichever of its forms they are written."""

from __future__ import annotations

import struct
from math import prod
from typing import Any

from wasmjit.ir import Dense
from wasmjit.ir import types as T


def dense_elements(attr: Dense) -> list[int] | list[float]:
    """All elements in row-major order.

    A splat is repeated; `dense<"0x...">` holds the raw elements, little endian, each in whole bytes (i1: eight to a byte, least significant
    bit first; a blob of one element is a splat). Raises ValueError if a blob has the wrong length.
    """
    elem = getattr(attr.type, "elem", None)
    count = prod(getattr(attr.type, "shape", ()) or (1,))
    values = attr.values
    if isinstance(values, str):
        return blob_elements(bytes.fromhex(values.removeprefix("0x")), elem, count)
    if isinstance(values, (int, float)):
        return [values] * count
    return flat(values)


def flat(values: Any) -> list[Any]:
    out: list[Any] = []
    for v in values:
        if isinstance(v, (list, tuple)):
            out += flat(v)
        else:
            out.append(v)
    return out


def blob_elements(raw: bytes, elem: object, count: int) -> list[Any]:
    width = elem.width if isinstance(elem, (T.IntType, T.FloatType)) else 64
    if width == 1 and len(raw) == (count + 7) // 8:
        return [raw[i >> 3] >> (i & 7) & 1 for i in range(count)]
    step = (width + 7) // 8
    if len(raw) not in (step, step * count):
        raise ValueError(f"{len(raw)} bytes do not hold {count} elements of {elem}")
    pieces = [raw[i : i + step] for i in range(0, len(raw), step)]
    if isinstance(elem, T.FloatType):
        code = {16: "<e", 32: "<f", 64: "<d"}[width]
        out = [struct.unpack(code, p)[0] for p in pieces]
    else:
        out = [int.from_bytes(p, "little") for p in pieces]
    return out * count if len(out) == 1 else out
