"""`randomize()` as circt-verilog breaks it down: fill an object with random bits, then draw the constrained fields one by one (IEEE
1800-2023 §18).

The generated code saves and restores what is not `rand`; it relies on these functions for values only.
"""

from __future__ import annotations

import struct

from wasmjit.runtime.moore.prng import ProcessRandom
from wasmjit.runtime.moore.random import object_random
from wasmjit.runtime.services import M32, M64, Runtime, SimFault, checked_len, cstring, s32, s64, service

OBJECT_HEADER = 16
"""`{i32 type id, ptr vtable}` at the start of every object."""
LARGE_OBJECT = 128
MAX_RANGES = 1 << 16
RANDC_LIMIT = 16
"""Widest `randc` field, in bits, whose whole cycle is kept."""


def _rng(rt: Runtime) -> ProcessRandom:
    """The generator that the present draw takes from: constrained fields of an object are drawn from the object's own (§18.14.2), which the
    calls do not name; `__moore_randomize_basic` came before them."""
    host, proc = rt.host, rt.proc_id
    obj = host.randomizing.get(proc)
    return object_random(rt, obj) if obj is not None else host.random_of_process(proc)


def _guest_pointer(rt: Runtime, value: int) -> bool:
    """Whether a word can be a pointer into guest memory."""
    if not 4096 <= value <= M32:
        return False
    try:
        rt.read(value, 1)
    except SimFault:
        return False
    return True


@service("__moore_randomize_basic", "pl", "i")
def randomize_basic(rt: Runtime, obj: int, size: int) -> int:
    """Random bits for every field of an object of `size` bytes; 1, or 0 for a null object.

    The header is kept. In large objects (class libraries) pointers in the first 128 bytes are kept as well: code is in circulation that
    does not restore them.
    """
    if not obj:
        return 0
    n = checked_len(size, "object size")
    rt.host.randomizing[rt.proc_id] = obj
    rng = _rng(rt)
    start = OBJECT_HEADER if n > OBJECT_HEADER else min(4, n)
    if n <= start:
        return 1
    old = rt.read(obj, n)
    new = bytearray(rng.data(n - start))
    if n > LARGE_OBJECT:
        for at in range(start, LARGE_OBJECT, 8):
            word = old[at : at + 8]
            if _guest_pointer(rt, int.from_bytes(word, "little")):
                new[at - start : at - start + 8] = word
    rt.store_bytes(obj + start, bytes(new))
    return 1


def randomize_masked(rt: Runtime, obj: int, drawn: bytes, cleared: bytes) -> int:
    """Random bits where `drawn` has ones, zeros where `cleared` has; both are as long as the object. 1, or 0 for a null object."""
    if not obj:
        return 0
    rt.host.randomizing[rt.proc_id] = obj
    n = len(drawn)
    mask = int.from_bytes(drawn, "little")
    new = int.from_bytes(_rng(rt).data(n), "little") & mask
    kept = int.from_bytes(rt.read(obj, n), "little") & ~(mask | int.from_bytes(cleared, "little"))
    rt.store_bytes(obj, (kept | new).to_bytes(n, "little"))
    return 1


@service("__moore_randomize_bytes", "pl", "i")
def randomize_bytes(rt: Runtime, data: int, size: int) -> int:
    rt.host.randomizing.pop(rt.proc_id, None)
    if not data:
        return 0
    n = checked_len(size, "number of bytes to randomize")
    if n:
        rt.store_bytes(data, _rng(rt).data(n))
    return 1


def draw(rt: Runtime, low: int, high: int) -> int:
    """Uniform between two 64-bit leaves, both included, in either order.

    The front end passes signed as well as unsigned bounds: they are taken as signed if that gives a range, else as unsigned.
    """
    a, b = s64(low), s64(high)
    if a > b:
        a, b = low & M64, high & M64
        if a > b:
            a, b = b, a
    return _rng(rt).between(a, b) & M64


@service("__moore_randomize_with_range", "ll", "l")
def randomize_with_range(rt: Runtime, low: int, high: int) -> int:
    return draw(rt, low, high)


@service("__moore_randomize_with_modulo", "ll", "l")
def randomize_with_modulo(rt: Runtime, modulus: int, remainder: int) -> int:
    """A 32-bit value that leaves `remainder` when divided by `modulus`; modulus 0 gives the remainder."""
    m, r = s64(modulus), s64(remainder)
    if m == 0:
        return r & M64
    m = abs(m)
    r %= m
    return (r + m * _rng(rt).below(max(1, ((1 << 31) - 1 - r) // m + 1))) & M64


def _pairs(rt: Runtime, ptr: int, count: int) -> list[tuple[int, int]]:
    """`count` pairs of i64 (low, high)."""
    n = checked_len(count, "number of ranges", MAX_RANGES)
    flat = struct.unpack(f"<{2 * n}q", rt.read(ptr, 16 * n)) if n else ()
    return [(flat[2 * i], flat[2 * i + 1]) for i in range(n)]


@service("__moore_randomize_with_ranges", "pl", "l")
def randomize_with_ranges(rt: Runtime, ranges: int, count: int) -> int:
    """Uniform over the values of all ranges; empty ranges (low > high) count for nothing."""
    pairs = [(a, b) for a, b in _pairs(rt, ranges, count) if a <= b]
    total = sum(b - a + 1 for a, b in pairs)
    if not total:
        return 0
    k = _rng(rt).below(total)
    for a, b in pairs:
        if k <= b - a:
            return (a + k) & M64
        k -= b - a + 1
    raise AssertionError("a value below the total lies in a range")


@service("__moore_randomize_with_dist", "pppllllll", "l")
def randomize_with_dist(
    rt: Runtime, ranges: int, weights: int, per_range: int, count: int, signed: int, bits: int, bounded: int, low: int, high: int
) -> int:
    """`dist` (§18.5.3): weights for each value (`:=`, flag 0) or for the range as a whole (`:/`, flag 1), cut to what `bits` bits can hold
    and, with `bounded`, to low ... high. 0 when nothing is left."""
    pairs = _pairs(rt, ranges, count)
    n = len(pairs)
    weight = struct.unpack(f"<{n}q", rt.read(weights, 8 * n)) if n else ()
    flag = struct.unpack(f"<{n}q", rt.read(per_range, 8 * n)) if n else ()
    width = s64(bits)
    least, most = (
        (-(1 << 63), (1 << 63) - 1)
        if not 0 < width < 64
        else (-(1 << width - 1), (1 << width - 1) - 1)
        if signed & 1
        else (0, (1 << width) - 1)
    )
    if bounded & 1:
        least, most = max(least, s64(low)), min(most, s64(high))
    choices: list[tuple[int, int, int]] = []
    for (a, b), w, per in zip(pairs, weight, flag, strict=True):
        c, d = max(a, least), min(b, most)
        if c <= d and w > 0:
            choices.append((c, d, w if per & 1 else w * (d - c + 1)))
    total = sum(w for _, _, w in choices)
    if not total:
        return 0
    rng = _rng(rt)
    k = rng.below(total)
    for c, d, w in choices:
        if k < w:
            return rng.between(c, d) & M64
        k -= w
    raise AssertionError("a number below the total weight lies in a choice")


@service("__moore_randomize_unique_array", "pllll", "i")
def randomize_unique_array(rt: Runtime, data: int, count: int, elem_size: int, low: int, high: int) -> int:
    """`count` different values in low ... high into elements of `elem_size` bytes; 0 when there are not enough values."""
    n, size = checked_len(count, "array length", 1 << 20), checked_len(elem_size, "element size", 1 << 16)
    if not data or not size:
        return 0
    a, b = s64(low), s64(high)
    if a > b:
        a, b = 0, (1 << min(63, 8 * size)) - 1
    if b - a + 1 < n:
        return 0
    rng = _rng(rt)
    taken: set[int] = set()
    values: list[int] = []
    if b - a + 1 <= 4 * n:
        pool = list(range(a, b + 1))
        for _ in range(n):
            values.append(pool.pop(rng.below(len(pool))))
    else:
        while len(values) < n:
            v = rng.between(a, b)
            if v not in taken:
                taken.add(v)
                values.append(v)
    mask = (1 << 8 * size) - 1
    if values:
        rt.store_bytes(data, b"".join((v & mask).to_bytes(size, "little") for v in values))
    return 1


@service("__moore_randc_next", "pl", "l")
def randc_next(rt: Runtime, field: int, bits: int) -> int:
    """The next value of a `randc` field (§18.4.2): all values of the width once in random order, then again. Wide fields draw without a
    memory."""
    w = checked_len(bits, "randc width", 1 << 16)
    rng = _rng(rt)
    if w > RANDC_LIMIT:
        return rng.bits(min(w, 64))
    pool = rt.host.randc.setdefault((field, w), [])
    if not pool:
        pool.extend(range(1 << w))
    i = rng.below(len(pool))
    pool[i], pool[-1] = pool[-1], pool[i]
    return pool.pop()


# ---------------------------------------------------------------------------------------------------------------------------------
# rand_mode and constraint_mode (§18.8, §18.9); names are NUL-terminated, a null name means all of the object


def _rand_enabled(rt: Runtime, obj: int, name: int) -> int:
    if obj in rt.host.rand_all_off and cstring(rt, name) not in rt.host.rand_off.get(~obj, ()):
        return 0
    return int(cstring(rt, name) not in rt.host.rand_off.get(obj, ()))


@service("__moore_is_rand_enabled", "pp", "i")
def is_rand_enabled(rt: Runtime, obj: int, name: int) -> int:
    return _rand_enabled(rt, obj, name)


@service("__moore_rand_mode_get", "pp", "i")
def rand_mode_get(rt: Runtime, obj: int, name: int) -> int:
    return _rand_enabled(rt, obj, name)


@service("__moore_rand_mode_set", "ppi", "i")
def rand_mode_set(rt: Runtime, obj: int, name: int, mode: int) -> int:
    """The mode before; `~obj` in the table holds the fields switched on again after all were switched off."""
    if not name:
        return rand_mode_enable_all(rt, obj) if s32(mode) else rand_mode_disable_all(rt, obj)
    before = _rand_enabled(rt, obj, name)
    key = cstring(rt, name)
    off, on = rt.host.rand_off.setdefault(obj, set()), rt.host.rand_off.setdefault(~obj, set())
    if s32(mode):
        off.discard(key)
        on.add(key)
    else:
        off.add(key)
        on.discard(key)
    return before


@service("__moore_rand_mode_disable_all", "p", "i")
def rand_mode_disable_all(rt: Runtime, obj: int) -> int:
    before = int(obj not in rt.host.rand_all_off)
    rt.host.rand_all_off.add(obj)
    rt.host.rand_off.pop(~obj, None)
    return before


@service("__moore_rand_mode_enable_all", "p", "i")
def rand_mode_enable_all(rt: Runtime, obj: int) -> int:
    before = int(obj not in rt.host.rand_all_off)
    rt.host.rand_all_off.discard(obj)
    rt.host.rand_off.pop(obj, None)
    return before


@service("__wasmjit_object_copied", "ppl")
def object_copied(rt: Runtime, copy: int, source: int, size: int) -> None:
    """`new source` (§8.12): the copy gets the state of the random number generator, rand_mode, constraint_mode and the cycles of randc fields as well."""
    host = rt.host
    if not copy or not source:
        return
    object_random(rt, copy).state = object_random(rt, source).state
    for table in (host.rand_off, host.constraint_off):
        for old, new in ((source, copy), (~source, ~copy)):
            if old in table:
                table[new] = set(table[old])
    if source in host.rand_all_off:
        host.rand_all_off.add(copy)
    for (place, width), left in [*host.randc.items()]:
        if 0 <= place - source < size:
            host.randc[copy + place - source, width] = list(left)


ALL_CONSTRAINTS = b"\0all"


def _constraint_enabled(rt: Runtime, obj: int, name: int) -> int:
    off = rt.host.constraint_off.get(obj)
    if not off:
        return 1
    key = cstring(rt, name)
    return int(key not in off and (ALL_CONSTRAINTS not in off or key in rt.host.constraint_off.get(~obj, ())))


@service("__moore_is_constraint_enabled", "pp", "i")
def is_constraint_enabled(rt: Runtime, obj: int, name: int) -> int:
    return _constraint_enabled(rt, obj, name)


@service("__moore_constraint_mode_get", "pp", "i")
def constraint_mode_get(rt: Runtime, obj: int, name: int) -> int:
    return _constraint_enabled(rt, obj, name)


@service("__moore_constraint_mode_set", "ppi", "i")
def constraint_mode_set(rt: Runtime, obj: int, name: int, mode: int) -> int:
    """The mode before."""
    off, on = rt.host.constraint_off.setdefault(obj, set()), rt.host.constraint_off.setdefault(~obj, set())
    if not name:
        before = int(ALL_CONSTRAINTS not in off)
        off.clear()
        on.clear()
        if not s32(mode):
            off.add(ALL_CONSTRAINTS)
        return before
    before = _constraint_enabled(rt, obj, name)
    key = cstring(rt, name)
    if s32(mode):
        off.discard(key)
        on.add(key)
    else:
        off.add(key)
        on.discard(key)
    return before


@service("__moore_constraint_mode_disable_all", "p", "i")
def constraint_mode_disable_all(rt: Runtime, obj: int) -> int:
    return constraint_mode_set(rt, obj, 0, 0)


@service("__moore_constraint_mode_enable_all", "p", "i")
def constraint_mode_enable_all(rt: Runtime, obj: int) -> int:
    return constraint_mode_set(rt, obj, 0, 1)
