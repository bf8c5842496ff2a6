"""Values of a service call between compiled code and the host: leaves in a buffer of 64-bit words, images by their addresses (docs/internals.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from wasmjit.runtime.memory import LinearMemory
from wasmjit.sem.mir import Ty


def handler(fn: Callable[..., Any], params: Sequence[Ty], results: Sequence[Ty], memory: LinearMemory) -> Callable[[int], None]:
    """A function of the address of the buffer of a call site: reads the leaves, calls, writes the results back."""
    u8, u64, f64 = memory.u8, memory.u64, memory.f64
    readers: list[Callable[[int], Any]] = []
    at = 0
    for t in params:
        readers.append(_reader(t, at, u8, u64, f64))
        at += max(1, (t.size + 63) // 64) if t.kind == "i" else 1
    writers: list[Callable[[int, Any], None]] = []
    image = at
    pos = 0
    targets: list[tuple[int, int]] = []
    for t in results:
        if t.kind == "a":
            targets.append((image, t.size))
            writers.append(lambda buf, v: None)
            image += 1
            pos += 1
        else:
            writers.append(_writer(t, pos, u8, u64, f64))
            pos += max(1, (t.size + 63) // 64) if t.kind == "i" else 1
    image_results = [i for i, t in enumerate(results) if t.kind == "a"]

    def run(buf: int) -> None:
        base = buf >> 3
        out = fn(*[r(base) for r in readers])
        if image_results:
            places = [u64[base + slot] & 0xFFFFFFFF for slot, _ in targets]
            for i, place in zip(image_results, places, strict=True):
                data = out[i]
                u8[place : place + len(data)] = data
        for w, v in zip(writers, out, strict=True):
            w(base, v)

    return run


def _reader(t: Ty, at: int, u8: memoryview, u64: memoryview, f64: memoryview[float]) -> Callable[[int], Any]:
    if t.kind == "f":
        return lambda base: f64[base + at]
    if t.kind == "a":
        size = t.size

        def image(base: int) -> bytes:
            addr = u64[base + at] & 0xFFFFFFFF
            return bytes(u8[addr : addr + size])

        return image
    if t.size <= 64:
        return lambda base: u64[base + at]
    n = (t.size + 63) // 64 * 8

    def wide(base: int) -> int:
        addr = (base + at) << 3
        return int.from_bytes(u8[addr : addr + n], "little")

    return wide


def _writer(t: Ty, at: int, u8: memoryview, u64: memoryview, f64: memoryview[float]) -> Callable[[int, Any], None]:
    mask = t.mask if t.kind == "i" else 0
    if t.kind == "f":

        def real(base: int, v: Any) -> None:
            f64[base + at] = v

        return real
    if t.size <= 64:

        def word(base: int, v: Any) -> None:
            u64[base + at] = v & mask

        return word
    n = (t.size + 63) // 64 * 8

    def wide(base: int, v: Any) -> None:
        addr = (base + at) << 3
        u8[addr : addr + n] = (v & mask).to_bytes(n, "little")

    return wide
