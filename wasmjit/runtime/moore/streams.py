"""Streaming operators over queues and dynamic arrays (IEEE 1800-2023 §11.4.14).

`{>>{q}}` puts element 0 into the most significant bits; the flag `right_to_left` (`<<`) takes the elements, or slices, from the other end.
"""

from __future__ import annotations

from wasmjit.runtime.moore.arrays import replace_queue
from wasmjit.runtime.moore.layouts import QUEUE_SIZE, storage_bytes
from wasmjit.runtime.moore.queues import contents, make_queue
from wasmjit.runtime.moore.strings import make
from wasmjit.runtime.services import M64, Runtime, SimFault, checked_len, read_pair, s32, service, string_value

MAX_BITS = 1 << 24


def _width(value: int, what: str) -> int:
    n = s32(value)
    if not 0 <= n <= MAX_BITS:
        raise SimFault(f"{what} of {n} bits is out of range")
    return n


def _values(rt: Runtime, queue: int, bits: int) -> list[int]:
    size = storage_bytes(bits)
    data = contents(rt, queue, size)
    mask = (1 << bits) - 1
    return [int.from_bytes(data[i : i + size], "little") & mask for i in range(0, len(data), size)]


@service("__moore_stream_concat_strings", "pb", "pl")
def stream_concat_strings(rt: Runtime, queue: int, right_to_left: int) -> tuple[int, int]:
    data, length = read_pair(rt, queue)
    n = checked_len(length, "queue length", 1 << 24)
    parts = [string_value(rt, *read_pair(rt, data + QUEUE_SIZE * i)) for i in range(n)]
    return make(rt, b"".join(reversed(parts) if right_to_left & 1 else parts))


@service("__moore_stream_concat_bits", "pib", "l")
def stream_concat_bits(rt: Runtime, queue: int, bits: int, right_to_left: int) -> int:
    w = max(1, _width(bits, "stream element"))
    values = _values(rt, queue, w)
    out = 0
    for v in reversed(values) if right_to_left & 1 else values:
        out = (out << w | v) & M64
    return out


@service("__moore_stream_unpack_bits", "plib")
def stream_unpack_bits(rt: Runtime, queue: int, source: int, bits: int, right_to_left: int) -> None:
    """The inverse: an existing array keeps its length, an empty one gets as many elements as 64 bits hold."""
    w = max(1, _width(bits, "stream element"))
    size = storage_bytes(w)
    _, length = read_pair(rt, queue)
    n = length if length > 0 else -(-64 // w)
    n = checked_len(n, "queue length", 1 << 24)
    mask = (1 << w) - 1
    values = [(source & M64) >> (w * i) & mask if w * i < 64 else 0 for i in range(n)]
    if not right_to_left & 1:
        values.reverse()
    replace_queue(rt, queue, b"".join(v.to_bytes(size, "little") for v in values), size)


def _bits_at(rt: Runtime, ptr: int, bits: int) -> int:
    return int.from_bytes(rt.read(ptr, -(-bits // 8)), "little") & ((1 << bits) - 1) if bits else 0


def reverse_slices(value: int, total: int, slice_bits: int) -> int:
    """`<<` with a slice size: slices taken from the right end; what is left over at the left end stays whole (§11.4.14.2)."""
    out, done = 0, 0
    while done < total:
        k = min(slice_bits, total - done)
        out = out << k | value >> done & ((1 << k) - 1)
        done += k
    return out


@service("__moore_stream_concat_mixed", "pipipiib", "pl")
def stream_concat_mixed(
    rt: Runtime,
    prefix: int,
    prefix_bits: int,
    queue: int,
    elem_bits: int,
    suffix: int,
    suffix_bits: int,
    slice_bits: int,
    right_to_left: int,
) -> tuple[int, int]:
    """prefix, elements, suffix (prefix and suffix: little-endian bytes) as one stream, cut into elements of `slice_bits` bits, most
    significant first."""
    np, ns, w = _width(prefix_bits, "stream prefix"), _width(suffix_bits, "stream suffix"), max(1, _width(elem_bits, "stream element"))
    k = _width(slice_bits, "stream slice") or 8
    value, total = _bits_at(rt, prefix, np), np
    for v in _values(rt, queue, w):
        value, total = value << w | v, total + w
    value, total = value << ns | _bits_at(rt, suffix, ns), total + ns
    if right_to_left & 1:
        value = reverse_slices(value, total, k)
    count = -(-total // k)
    value <<= count * k - total
    size, mask = storage_bytes(k), (1 << k) - 1
    return make_queue(rt, b"".join((value >> k * (count - 1 - i) & mask).to_bytes(size, "little") for i in range(count)), size)


@service("__moore_stream_unpack_mixed_extract", "piiiib", "piplpi")
def stream_unpack_mixed_extract(
    rt: Runtime, queue: int, prefix_bits: int, elem_bits: int, suffix_bits: int, slice_bits: int, right_to_left: int
) -> tuple[int, int, int, int, int, int]:
    """The inverse of `concat_mixed`: (prefix bytes, their number, elements as a queue, suffix bytes, their number)."""
    np, ns, w = _width(prefix_bits, "stream prefix"), _width(suffix_bits, "stream suffix"), max(1, _width(elem_bits, "stream element"))
    k = _width(slice_bits, "stream slice") or 8
    value, total = 0, 0
    for v in _values(rt, queue, k):
        value, total = value << k | v, total + k
    if right_to_left & 1:
        value = reverse_slices(value, total, k)
    count = max(0, total - np - ns) // w
    spare = total - np - ns - count * w
    value = value >> spare if spare > 0 else value << -spare
    size = storage_bytes(w)
    elements = [(value >> ns + w * (count - 1 - i) & ((1 << w) - 1)).to_bytes(size, "little") for i in range(count)]

    def block(number: int, bits: int) -> tuple[int, int]:
        n = -(-bits // 8)
        addr = rt.alloc(n)
        rt.write(addr, (number & ((1 << bits) - 1)).to_bytes(n, "little"))
        return addr, n

    data, length = make_queue(rt, b"".join(elements), size)
    return (*block(value >> ns + count * w, np), data, length, *block(value, ns))
