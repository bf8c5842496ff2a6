"""`$readmemh/b` and `$writememh/b` (IEEE 1800-2023 §21.4, §21.5) on a memory in guest memory.

Word i of the memory lies i strides from the pointer: declaration order is memory order. A memory of nets tells by its size whether
its words carry unknown bits; where the size is not known they do, as memories are nearly always `reg` or `logic`.
"""

from __future__ import annotations

from wasmjit.runtime.moore.files import open_file
from wasmjit.runtime.moore.layouts import storage_bytes
from wasmjit.runtime.services import Runtime, SimFault, checked_len, s32, service, string_at, text
from wasmjit.sem.readmem import ReadMemError, format_memory, parse_memory

MAX_FILE = 1 << 30


def _geometry(rt: Runtime, mem: int, bits: int, count: int) -> tuple[int, int, int, bool]:
    """(width, number of words, bytes of a value, 4-state)."""
    width, n = s32(bits), checked_len(s32(count), "memory depth")
    if not 0 < width <= 1 << 20:
        raise SimFault(f"memory word of {width} bits is out of range")
    if not mem:
        raise SimFault("memory file into a null memory")
    size = storage_bytes(width)
    total = rt.pointee_size(mem)
    return width, n, size, total == 0 or total >= 2 * size * n


def _readmem(rt: Runtime, name: int, mem: int, bits: int, count: int, base: int, task: str) -> None:
    width, n, size, four = _geometry(rt, mem, bits, count)
    path = text(string_at(rt, name))
    file = open_file(rt, path, "rb")
    if file is None:
        rt.warn(f"{task}: unable to open {path!r} for reading")
        return
    with file.stream as stream:
        data = stream.read(MAX_FILE)
    mask, stride = (1 << width) - 1, size * (2 if four else 1)
    # all words first, then one store: listeners wake once
    image = bytearray(rt.read(mem, n * stride))
    seen = 0
    try:
        for word in parse_memory(data, base, depth=n):
            if not 0 <= word.address < n:
                rt.warn(f"{task}({path}): address 0x{word.address:x} is outside the memory's {n} words")
                break
            at = word.address * stride
            if four:
                image[at : at + size] = (word.value & mask).to_bytes(size, "little")
                image[at + size : at + stride] = (word.unknown & mask).to_bytes(size, "little")
            else:
                image[at : at + size] = (word.value & ~word.unknown & mask).to_bytes(size, "little")
            seen += 1
    except ReadMemError as e:
        rt.warn(f"{task}({path}): {e}")
    if seen:
        rt.store_bytes(mem, bytes(image))


@service("__moore_readmemh", "ppii")
def readmemh(rt: Runtime, name: int, mem: int, bits: int, count: int) -> None:
    """File name (string), memory, bits of a word, number of words."""
    _readmem(rt, name, mem, bits, count, 16, "$readmemh")


@service("__moore_readmemb", "ppii")
def readmemb(rt: Runtime, name: int, mem: int, bits: int, count: int) -> None:
    _readmem(rt, name, mem, bits, count, 2, "$readmemb")


def _writemem(rt: Runtime, name: int, mem: int, bits: int, count: int, base: int, task: str) -> None:
    width, n, size, four = _geometry(rt, mem, bits, count)
    path = text(string_at(rt, name))
    stride = size * (2 if four else 1)
    image = rt.read(mem, n * stride)
    words = []
    for at in range(0, n * stride, stride):
        value = int.from_bytes(image[at : at + size], "little")
        words.append((value, int.from_bytes(image[at + size : at + stride], "little") if four else 0))
    file = open_file(rt, path, "wb")
    if file is None:
        rt.warn(f"{task}: unable to open {path!r} for writing")
        return
    with file.stream as stream:
        stream.write(format_memory(words, width, base))


@service("__moore_writememh", "ppii")
def writememh(rt: Runtime, name: int, mem: int, bits: int, count: int) -> None:
    _writemem(rt, name, mem, bits, count, 16, "$writememh")


@service("__moore_writememb", "ppii")
def writememb(rt: Runtime, name: int, mem: int, bits: int, count: int) -> None:
    _writemem(rt, name, mem, bits, count, 2, "$writememb")
