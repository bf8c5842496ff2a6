"""Queues and dynamic arrays (IEEE 1800-2023 §7.5, §7.10). Layout and ownership of storage: `layouts`.

A queue whose length or data pointer cannot be right is left alone (circt-sim does the same): designs pass uninitialised headers.
"""

from __future__ import annotations

import struct

from wasmjit.data import dataclass
from wasmjit.runtime.moore import layouts as L
from wasmjit.runtime.services import M32, M64, Runtime, SimFault, checked_len, read_pair, s32, s64, service, store_pair

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
    return length <= 100_000 or _storage(rt, data) is not None or _known_block(rt, data, length * elem)


def _known_block(rt: Runtime, data: int, nbytes: int) -> bool:
    return rt.host.block_size.get(data, 0) >= nbytes


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
    return Storage(data, elem, base, end, owner)


def _put_header(rt: Runtime, s: Storage) -> None:
    rt.write(s.data - L.QUEUE_HEADER, _HEADER.pack(L.QUEUE_MAGIC, s.elem, s.base, s.end, s.owner, 0))


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
    if s is not None:
        return s.elem
    nbytes = rt.host.block_size.get(data) or rt.pointee_size(data)
    if nbytes and length > 0 and nbytes % length == 0:
        return nbytes // length
    return 4


def _owned(rt: Runtime, queue: int, data: int) -> Storage | None:
    s = _storage(rt, data) if data else None
    return s if s is not None and s.owner == queue else None


def _grown(rt: Runtime, queue: int, data: int, length: int, elem: int, front: int, back: int) -> Storage:
    content = rt.read(data, length * elem) if length else b""
    slack = max(4 * elem, 64, len(content))
    return new_storage(rt, content, elem, queue, slack if front else 0, slack if back else 0)


@service("__moore_queue_create", "l", "p")
def queue_create(rt: Runtime, elem: int) -> int:
    """A new empty queue struct in guest memory."""
    return rt.alloc(L.QUEUE_SIZE)


@service("__moore_queue_push_back", "ppl")
def queue_push_back(rt: Runtime, queue: int, element: int, elem_size: int) -> None:
    elem = element_size(elem_size)
    data, length = read_pair(rt, queue)
    if length < 0 or not _valid(rt, data, length, elem):
        return
    value = rt.read(element, elem) if element & M32 else bytes(elem)
    s = _owned(rt, queue, data)
    if s is None or s.data + (length + 1) * elem > s.end:
        if s is not None and s.data - L.QUEUE_HEADER - s.base > length * elem:
            # popped elements left more room in front than is in use: slide down instead of growing
            content = rt.read(data, length * elem)
            s.data = s.base + L.QUEUE_HEADER
            _put_header(rt, s)
            rt.write(s.data, content)
        else:
            s = _grown(rt, queue, data, length, elem, 0, 1)
    rt.write(s.data + length * elem, value)
    store_pair(rt, queue, s.data, length + 1)


@service("__moore_queue_push_front", "ppl")
def queue_push_front(rt: Runtime, queue: int, element: int, elem_size: int) -> None:
    elem = element_size(elem_size)
    data, length = read_pair(rt, queue)
    if length < 0 or not _valid(rt, data, length, elem):
        return
    value = rt.read(element, elem) if element & M32 else bytes(elem)
    s = _owned(rt, queue, data)
    if s is None or s.data - L.QUEUE_HEADER - elem < s.base:
        s = _grown(rt, queue, data, length, elem, 1, 0)
    s.data -= elem
    _put_header(rt, s)
    rt.write(s.data, value)
    store_pair(rt, queue, s.data, length + 1)


def _take(rt: Runtime, queue: int, elem: int, front: bool) -> bytes | None:
    """Remove and return one element, or None when there is none."""
    data, length = read_pair(rt, queue)
    if length <= 0 or not _valid(rt, data, length, elem):
        return None
    if not front:
        value = rt.read(data + (length - 1) * elem, elem)
        store_pair(rt, queue, data, length - 1)
        return value
    value = rt.read(data, elem)
    s = _owned(rt, queue, data)
    if s is None:
        s = new_storage(rt, rt.read(data + elem, (length - 1) * elem), elem, queue, 0, max(64, 4 * elem))
    else:
        s.data += elem
        _put_header(rt, s)
    store_pair(rt, queue, s.data, length - 1)
    return value


@service("__moore_queue_pop_back", "pl", "l")
def queue_pop_back(rt: Runtime, queue: int, elem_size: int) -> int:
    """The element as an integer, 0 when the queue is empty."""
    return int.from_bytes(_take(rt, queue, element_size(elem_size), False) or b"", "little") & M64


@service("__moore_queue_pop_front", "pl", "l")
def queue_pop_front(rt: Runtime, queue: int, elem_size: int) -> int:
    return int.from_bytes(_take(rt, queue, element_size(elem_size), True) or b"", "little") & M64


def _pop_into(rt: Runtime, queue: int, dest: int, elem_size: int, front: bool) -> None:
    elem = element_size(elem_size)
    value = _take(rt, queue, elem, front)
    if value is not None:
        rt.store_bytes(dest, value)
    elif read_pair(rt, queue)[1] == 0:
        rt.store_bytes(dest, bytes(elem))


@service("__moore_queue_pop_back_ptr", "ppl")
def queue_pop_back_ptr(rt: Runtime, queue: int, dest: int, elem_size: int) -> None:
    _pop_into(rt, queue, dest, elem_size, False)


@service("__moore_queue_pop_front_ptr", "ppl")
def queue_pop_front_ptr(rt: Runtime, queue: int, dest: int, elem_size: int) -> None:
    _pop_into(rt, queue, dest, elem_size, True)


@service("__moore_queue_clear", "p")
def queue_clear(rt: Runtime, queue: int) -> None:
    store_pair(rt, queue, 0, 0)


@service("__moore_queue_delete_index", "pil")
def queue_delete_index(rt: Runtime, queue: int, index: int, elem_size: int) -> None:
    """An index outside changes nothing (§7.10.2.3)."""
    elem, i = element_size(elem_size), s32(index)
    data, length = read_pair(rt, queue)
    if not 0 <= i < length or not _valid(rt, data, length, elem):
        return
    if i == 0:
        _take(rt, queue, elem, True)
        return
    rest = rt.read(data + (i + 1) * elem, (length - 1 - i) * elem)
    if _owned(rt, queue, data) is None:
        data = new_storage(rt, rt.read(data, i * elem) + rest, elem, queue, 0, max(64, 4 * elem)).data
    else:
        rt.write(data + i * elem, rest)
    store_pair(rt, queue, data, length - 1)


@service("__moore_queue_insert", "pipl")
def queue_insert(rt: Runtime, queue: int, index: int, element: int, elem_size: int) -> None:
    """An index below 0 or above the size changes nothing (§7.10.2.2)."""
    elem, i = element_size(elem_size), s32(index)
    data, length = read_pair(rt, queue)
    if not 0 <= i <= length or not _valid(rt, data, length, elem):
        return
    rest = rt.read(data + i * elem, (length - i) * elem) if i < length else b""
    queue_push_back(rt, queue, element, elem)
    data, _ = read_pair(rt, queue)
    if rest:
        rt.write(data + i * elem, rt.read(element, elem) + rest)


@service("__moore_queue_size", "l", "i")
def queue_size(rt: Runtime, queue: int) -> int:
    return max(0, read_pair(rt, queue)[1]) & M32 if queue else 0


@service("__moore_queue_concat", "pll", "pl")
def queue_concat(rt: Runtime, queues: int, count: int, elem_size: int) -> tuple[int, int]:
    """The queues of an array of `count` queue structs, one after the other."""
    elem, n = element_size(elem_size), checked_len(count, "number of queues", 1 << 20)
    return make_queue(rt, b"".join(contents(rt, queues + L.QUEUE_SIZE * i, elem) for i in range(n)), elem)


@service("__moore_queue_slice", "plll", "pl")
def queue_slice(rt: Runtime, queue: int, first: int, last: int, elem_size: int) -> tuple[int, int]:
    """`q[first:last]`, both included, cut to what exists (§7.10.1)."""
    elem = element_size(elem_size)
    data = contents(rt, queue, elem)
    i, j = max(0, s64(first)), min(s64(last), len(data) // elem - 1)
    return make_queue(rt, data[i * elem : (j + 1) * elem] if i <= j else b"", elem)


# ---------------------------------------------------------------------------------------------------------------------------------
# Dynamic arrays


def _array(rt: Runtime, nbytes: int, content: bytes) -> tuple[int, int]:
    addr = rt.alloc(nbytes)
    rt.host.block_size[addr] = nbytes
    if content:
        rt.write(addr, content)
    return addr, nbytes


@service("__moore_dyn_array_new", "i", "pl")
def dyn_array_new(rt: Runtime, nbytes: int) -> tuple[int, int]:
    """A zeroed block of `nbytes` bytes; the front end puts the element count in place of the length."""
    n = checked_len(s32(nbytes), "dynamic array size")
    return _array(rt, n, b"") if n else (0, 0)


@service("__moore_dyn_array_new_copy_bytes", "ipl", "pl")
def dyn_array_new_copy_bytes(rt: Runtime, nbytes: int, source: int, copy: int) -> tuple[int, int]:
    """A block of `nbytes` bytes that begins with `copy` bytes of `source`."""
    n = checked_len(s32(nbytes), "dynamic array size")
    k = min(checked_len(copy, "bytes to copy into a dynamic array"), n)
    if not n:
        return 0, 0
    if not k or not source:
        return _array(rt, n, b"")
    content = rt.read(source, k)
    s = _storage(rt, source)
    if s is not None and k == n:
        # keep what is known about the elements: a queue that is copied stays a queue
        return new_storage(rt, content, s.elem, 0).data, n
    return _array(rt, n, content)
