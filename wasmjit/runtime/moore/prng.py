"""Random number algorithms.

`$random`, `$dist_*`: IEEE 1364-2005 §17.9.3 / IEEE 1800-2023 annex N bit-exact (it builds its fraction from the bits of a
single-precision number). The standard leaves `$urandom`
open: here it is the 32-bit generator of annex N, 16 high bits of two successive steps, one state per process or object.
"""

from __future__ import annotations

import math
import struct

M32 = (1 << 32) - 1
BOOT_SEED = 259341593
"""What annex N uses in place of seed 0."""
URANDOM_BOOT_SEED = 3692098232
"""The same for `$urandom`."""

_F32 = struct.Struct("<f")
_U32 = struct.Struct("<I")


def step(seed: int) -> int:
    """The congruential step of annex N."""
    return (69069 * seed + 1) & M32


def _to_signed(value: int) -> int:
    value &= M32
    return value - (1 << 32) if value >> 31 else value


def uniform(seed: int, start: int, end: int) -> tuple[float, int]:
    """Annex N's `uniform`: a double in [start, end) and the next seed. start and end are 32-bit signed."""
    d = 0.00000011920928955078125
    if seed == 0:
        seed = BOOT_SEED
    if start >= end:
        a, b = 0.0, 2147483647.0
    else:
        a, b = float(start), float(end)
    seed = step(seed)
    c = float(_F32.unpack(_U32.pack((seed >> 9) | 0x3F800000))[0])
    c = c + c * d
    return (b - a) * (c - 1.0) + a, seed


def dist_uniform(seed: int, start: int, end: int) -> tuple[int, int]:
    """`$dist_uniform`: inclusive bounds; (signed value, next seed)."""
    if start >= end:
        return start, seed
    if end != 2147483647:
        end += 1
        r, seed = uniform(seed, start, end)
        i = int(r) if r >= 0 else int(r - 1)
        i = max(i, start)
        if i >= end:
            i = end - 1
    elif start != -2147483648:
        start -= 1
        r, seed = uniform(seed, start, end)
        r += 1.0
        i = int(r) if r >= 0 else int(r - 1)
        if i <= start:
            i = start + 1
        i = min(i, end)
    else:
        r, seed = uniform(seed, start, end)
        r = (r + 2147483648.0) / 4294967295.0
        r = r * 4294967296.0 - 2147483648.0
        i = int(r) if r >= 0 else int(r - 1)
    return _to_signed(i), seed


def dollar_random(seed: int) -> tuple[int, int]:
    """`$random(seed)`: (signed value, next seed)."""
    return dist_uniform(seed, -2147483648, 2147483647)


def _normal(seed: int, mean: int, deviation: int) -> tuple[float, int]:
    s = 1.0
    v1 = 0.0
    while s >= 1.0 or s == 0.0:
        v1, seed = uniform(seed, -1, 1)
        v2, seed = uniform(seed, -1, 1)
        s = v1 * v1 + v2 * v2
    s = v1 * math.sqrt(-2.0 * math.log(s) / s)
    return s * float(deviation) + float(mean), seed


def _exponential(seed: int, mean: int) -> tuple[float, int]:
    n, seed = uniform(seed, 0, 1)
    if n != 0.0:
        n = -math.log(n) * mean
    return n, seed


def _poisson(seed: int, mean: int) -> tuple[int, int]:
    n = 0
    q = -float(mean)
    p = math.exp(q)
    q, seed = uniform(seed, 0, 1)
    while p < q:
        n += 1
        u, seed = uniform(seed, 0, 1)
        q = u * q
    return n, seed


def _chi_square(seed: int, freedom: int) -> tuple[float, int]:
    if freedom % 2:
        x, seed = _normal(seed, 0, 1)
        x = x * x
    else:
        x = 0.0
    for _ in range(2, freedom + 1, 2):
        e, seed = _exponential(seed, 1)
        x += 2 * e
    return x, seed


def _t(seed: int, freedom: int) -> tuple[float, int]:
    chi2, seed = _chi_square(seed, freedom)
    root = math.sqrt(chi2 / float(freedom))
    n, seed = _normal(seed, 0, 1)
    return n / root, seed


def _erlang(seed: int, k: int, mean: int) -> tuple[float, int]:
    x = 1.0
    for _ in range(1, k + 1):
        u, seed = uniform(seed, 0, 1)
        x = x * u
    return -mean * math.log(x) / float(k), seed


def _round(r: float) -> int:
    """Annex N's conversion: half away from zero."""
    return _to_signed(int(r + 0.5)) if r >= 0 else _to_signed(-int(-r + 0.5))


LOOP_LIMIT = 1_000_000
"""Largest parameter that a distribution loops over."""


def dist_normal(seed: int, mean: int, deviation: int) -> tuple[int, int]:
    r, seed = _normal(seed, mean, deviation)
    return _round(r), seed


def dist_exponential(seed: int, mean: int) -> tuple[int, int]:
    if mean <= 0:
        return 0, seed
    r, seed = _exponential(seed, mean)
    return _round(r), seed


def dist_poisson(seed: int, mean: int) -> tuple[int, int]:
    if mean <= 0:
        return 0, seed
    return _poisson(seed, mean)


def dist_chi_square(seed: int, freedom: int) -> tuple[int, int]:
    if not 0 < freedom <= LOOP_LIMIT:
        return 0, seed
    r, seed = _chi_square(seed, freedom)
    return _round(r), seed


def dist_t(seed: int, freedom: int) -> tuple[int, int]:
    if not 0 < freedom <= LOOP_LIMIT:
        return 0, seed
    r, seed = _t(seed, freedom)
    return _round(r), seed


def dist_erlang(seed: int, k: int, mean: int) -> tuple[int, int]:
    if not 0 < k <= LOOP_LIMIT:
        return 0, seed
    r, seed = _erlang(seed, k, mean)
    return _round(r), seed


class RandomSequence:
    """`$random` without a seed argument: one sequence for the design, starting at seed 0 as every simulator does."""

    __slots__ = ("seed",)

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed & M32

    def next(self) -> int:
        value, self.seed = dollar_random(self.seed)
        return value & M32


class ProcessRandom:
    """The generator of one process or object: `$urandom`, `randomize`, `shuffle` ... State: 32 bits."""

    __slots__ = ("state",)

    def __init__(self, seed: int) -> None:
        self.state = 0
        self.srandom(seed)

    def srandom(self, seed: int) -> None:
        seed &= M32
        self.state = seed or URANDOM_BOOT_SEED

    def u32(self) -> int:
        first = step(self.state)
        self.state = second = step(first)
        return (first & 0xFFFF0000) | (second >> 16)

    def bits(self, n: int) -> int:
        """`n` random bits."""
        value = 0
        for _ in range(-(-n // 32)):
            value = value << 32 | self.u32()
        return value & ((1 << n) - 1)

    def below(self, n: int) -> int:
        """Uniform in 0 ... n-1, without bias; n >= 1."""
        if n <= 1:
            return 0
        width = (n - 1).bit_length()
        while True:
            # take the high bits: the low ones of a congruential generator have short periods
            words = -(-width // 32)
            value = self.bits(words * 32) >> (words * 32 - width)
            if value < n:
                return value

    def between(self, low: int, high: int) -> int:
        """Uniform in low ... high, both included."""
        return low + self.below(high - low + 1)

    def data(self, n: int) -> bytes:
        """`n` random bytes."""
        return b"".join(self.u32().to_bytes(4, "little") for _ in range(-(-n // 4)))[:n]

    def save(self) -> bytes:
        """`get_randstate`: printable."""
        return b"W1:%08x" % self.state

    def restore(self, text: bytes) -> bool:
        """`set_randstate`: false when the string is no saved state."""
        if len(text) != 11 or not text.startswith(b"W1:"):
            return False
        try:
            self.state = int(text[3:], 16)
        except ValueError:
            return False
        return True


def root_seed(seed: int, key: int) -> int:
    """Seed of process or object `key` in a run with that seed: well mixed, never 0 (the finaliser of MurmurHash3)."""
    h = (seed * 0x9E3779B1 + key * 0x85EBCA77 + 0x27D4EB2F) & M32
    h ^= h >> 16
    h = h * 0x85EBCA6B & M32
    h ^= h >> 13
    h = h * 0xC2B2AE35 & M32
    h ^= h >> 16
    return h or 1
