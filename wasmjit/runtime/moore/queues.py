"""Queues and dynamic arrays (IEEE 1800-2023 §7.5, §7.10) as host services read and make them. Layout and ownership of storage: `layouts`.

Their own methods are compiled (`compiled`). A queue whose length or data pointer cannot be right reads as empty (circt-sim does the same): designs
pass uninitialised headers.
"""

from __future__ import annotations

import struct

from wasmjit.data import dataclass
from wasmjit.runtime.moore import layouts as L
from wasmjit.runtime.services import M32, M64, Runtime, SimFault, read_pair, s64

_HEADER = struct.Struct("<IIIIQQ")


@dataclass(slots=True)
class Storage:
    """Header of queue storage (`layouts`), read for one operation."""

    data: int
    elem: int
    base: int
    end: int
    owner: int


def element_size(value: int) -> int:
    n = s64(value)
    if not 1 <= n <= L.MAX_ELEMENT:
        raise SimFault(f"queue element size of {n} bytes is out of range")
    return n


def _valid(rt: Runtime, data: int, length: int, elem: int) -> bool:
    """Whether a queue header can be right: every element lies in memory."""
    if length == 0:
        return True
    if not data or not 0 < length <= L.MAX_QUEUE_LENGTH:
        return False
    try:
        rt.read(data + length * elem - 1, 1)
    except SimFault:
        return False
    return length <= 100_000 or _storage(rt, data) is not None


def _storage(rt: Runtime, data: int) -> Storage | None:
    """The header before `data` if there is one."""
    if data >> 32 or data < L.QUEUE_HEADER:
        return None
    try:
        magic, elem, base, end, owner, _ = _HEADER.unpack(rt.read(data - L.QUEUE_HEADER, L.QUEUE_HEADER))
    except SimFault:
        return None
    if magic != L.QUEUE_MAGIC or not base <= data - L.QUEUE_HEADER < end:
        return None
    return Storage(data, elem, base, end, ~owner & M64)


def _put_header(rt: Runtime, s: Storage) -> None:
    rt.write(s.data - L.QUEUE_HEADER, _HEADER.pack(L.QUEUE_MAGIC, s.elem, s.base, s.end, ~s.owner & M64 if s.owner else M64, 0))


def new_storage(rt: Runtime, content: bytes, elem: int, owner: int, front: int = 0, back: int = 0) -> Storage:
    """Storage holding `content`, with room for `front` and `back` more bytes."""
    size = L.QUEUE_HEADER + front + len(content) + back
    if size > M32:
        raise SimFault(f"a queue of {size} bytes does not fit the memory")
    base = rt.alloc(size)
    s = Storage(base + L.QUEUE_HEADER + front, elem, base, base + size, owner)
    _put_header(rt, s)
    if content:
        rt.write(s.data, content)
    return s


def make_queue(rt: Runtime, content: bytes, elem: int) -> tuple[int, int]:
    """A queue value without an owner yet: (data, length); what pushes first copies it."""
    if not content:
        return 0, 0
    return new_storage(rt, content, elem, 0).data, len(content) // elem


def contents(rt: Runtime, queue: int, elem: int) -> bytes:
    """All elements of a queue given by a pointer to its struct; an invalid queue reads as empty."""
    if not queue:
        return b""
    data, length = read_pair(rt, queue)
    if length <= 0 or not _valid(rt, data, length, elem):
        return b""
    return rt.read(data, length * elem)


def guess_element_size(rt: Runtime, data: int, length: int) -> int:
    """Element size of an array that comes without one: from its storage, else 4 (`int`)."""
    s = _storage(rt, data)
    if s is not None and s.elem:
        return s.elem
    nbytes = s.end - data if s is not None else rt.pointee_size(data)
    if nbytes and length > 0 and nbytes % length == 0:
        return nbytes // length
    return 4
