"""`$test$plusargs` and `$value$plusargs` (IEEE 1800-2023 §21.6)."""

from __future__ import annotations

from wasmjit.runtime.moore.scan import Number, scan_number
from wasmjit.runtime.moore.strings import make, parse_real
from wasmjit.runtime.services import Runtime, SimFault, checked_len, s32, service, store_pair

MAX_VALUE = 1 << 20


def _text(rt: Runtime, ptr: int, length: int) -> bytes:
    n = checked_len(s32(length), "plusargs string length", 1 << 16)
    return rt.read(ptr, n).split(b"\0")[0] if n else b""


def find_prefix(rt: Runtime, prefix: bytes) -> bytes | None:
    """What follows the prefix in the first argument that begins with it."""
    for arg in rt.plusargs:
        data = arg.encode("utf-8", "surrogateescape")
        if data.startswith(prefix):
            return data[len(prefix) :]
    return None


@service("__moore_test_plusargs", "pi", "i")
def test_plusargs(rt: Runtime, ptr: int, length: int) -> int:
    return int(find_prefix(rt, _text(rt, ptr, length)) is not None)


def is_four_state(rt: Runtime, ptr: int, size: int) -> bool:
    """Whether a destination of `size` bytes is followed by as many bytes of unknown bits: known for a net, by its size."""
    return rt.pointee_size(ptr) == 2 * size


def store_number(rt: Runtime, ptr: int, size: int, number: Number) -> None:
    """Store a number of `size` bytes; the unknown bits of a 4-state destination are written too, those of a 2-state one become 0."""
    mask = (1 << 8 * size) - 1
    if is_four_state(rt, ptr, size):
        rt.store_bytes(ptr, (number.value & mask).to_bytes(size, "little") + (number.unknown & mask).to_bytes(size, "little"))
    else:
        rt.store_bytes(ptr, (number.value & ~number.unknown & mask).to_bytes(size, "little"))


@service("__moore_value_plusargs", "pipi", "i")
def value_plusargs(rt: Runtime, fmt: int, fmt_len: int, dest: int, dest_size: int) -> int:
    """`fmt` is "NAME=%d"; `dest_size` is the size in bytes of the destination's value (without its unknown bits)."""
    spec = _text(rt, fmt, fmt_len)
    prefix, percent, code = spec.partition(b"%")
    rest = find_prefix(rt, prefix)
    if rest is None:
        return 0
    if not percent:
        return 1
    size = checked_len(s32(dest_size), "plusargs destination size", MAX_VALUE)
    if not dest:
        raise SimFault("$value$plusargs: the destination is null")
    kind = code.lstrip(b"0123456789")[:1].lower()
    if kind == b"s":
        if size == 16 and not dest >> 32:
            store_pair(rt, dest, *make(rt, rest))
        else:
            store_number(rt, dest, size, Number(int.from_bytes(rest[-size:], "big")))
        return 1
    if kind in (b"e", b"f", b"g"):
        import struct

        rt.store_bytes(dest, struct.pack("<f" if size == 4 else "<d", parse_real(rest)))
        return 1
    store_number(rt, dest, size, argument_number(rest, kind, spec.decode("utf-8", "replace")))
    return 1


def argument_number(rest: bytes, kind: bytes, spec: str) -> Number:
    """The number that an argument holds by a conversion: 0 when nothing is there; what is illegal reads as x (§21.6), of which a 2-state destination makes 0."""
    base = {b"d": 10, b"h": 16, b"x": 16, b"o": 8, b"b": 2}.get(kind)
    if base is None:
        raise SimFault(f"$value$plusargs: unknown format {spec!r}")
    number = scan_number(rest, base)
    return number if number is not None else Number(0, 0 if not rest else -1)
