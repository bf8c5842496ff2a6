"""Strings made by the host, and conversions between strings and reals (IEEE 1800-2023 §6.16). The other string methods are compiled (`compiled`).

Strings come as a pointer to `{ptr, i64}` and go as the two leaves.
"""

from __future__ import annotations

import math
import re

from wasmjit.runtime.services import Runtime, SimFault, service, string_at

MAX_RESULT = 1 << 26


def make(rt: Runtime, data: bytes) -> tuple[int, int]:
    """A new string value: (address, length); the empty string is (0, 0)."""
    if len(data) > MAX_RESULT:
        raise SimFault(f"a string of {len(data)} bytes is longer than the limit of {MAX_RESULT}")
    if not data:
        return 0, 0
    addr = rt.alloc_bytes(len(data))
    rt.write(addr, data)
    return addr, len(data)


_REAL = re.compile(rb"\s*([-+]?[0-9_]+(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|[-+]?\.[0-9]+(?:[eE][-+]?[0-9]+)?)")


def parse_real(data: bytes) -> float:
    m = _REAL.match(data)
    digits = m.group(1).replace(b"_", b"") if m else b""
    try:
        return float(digits)
    except ValueError:
        return 0.0


@service("__moore_string_atoreal", "p", "d")
def string_atoreal(rt: Runtime, s: int) -> float:
    return parse_real(string_at(rt, s))


@service("__moore_string_realtoa", "d", "pl")
def string_realtoa(rt: Runtime, value: float) -> tuple[int, int]:
    return make(rt, b"nan" if math.isnan(value) else b"%g" % value)
