"""Dynamic arrays (IEEE 1800-2023 §7.5) in restricted Python: storage of a queue that nobody owns, so that its size is known later."""

from __future__ import annotations

from wasmjit.runtime.moore.layouts import QH_ELEM, QUEUE_HEADER
from wasmjit.sched.intrinsics import export, i32, i64, ld32, memcpy, pair, s64, u32
from wasmjit.sched.kernel.heap import MAX_ASK
from wasmjit.sched.library.faults import LF_ARRAY_COPY, LF_ARRAY_SIZE, LF_QUEUE_BYTES
from wasmjit.sched.library.memory import check, h_lib_fault, new_block, result
from wasmjit.sched.library.queues import has_header, nobody, put_header
from wasmjit.sched.library.strings import MAX_STRING


def new_array(nbytes: i32, elem: i32) -> i32:
    """`nbytes` > 0 zeroed bytes; elem 0: the size of elements is not known."""
    if nbytes >> 31 or nbytes > MAX_STRING:
        h_lib_fault(LF_ARRAY_SIZE, s64(nbytes), 0)
    size = nbytes + QUEUE_HEADER
    if size >= MAX_ASK:
        h_lib_fault(LF_QUEUE_BYTES, size, 0)
    base = new_block(size)
    put_header(base + QUEUE_HEADER, elem, base, base + size, nobody())
    return base + QUEUE_HEADER


@export
@pair
def __moore_dyn_array_new(nbytes: i32) -> i32:
    """A zeroed block of `nbytes` bytes; the front end puts the element count in place of the length."""
    if nbytes == 0:
        return result(0, 0)
    return result(new_array(nbytes, 0), nbytes)


@export
@pair
def __moore_dyn_array_new_copy_bytes(nbytes: i32, source: i64, count: i64) -> i32:
    """A block of `nbytes` bytes that begins with `count` bytes of `source`."""
    if nbytes == 0:
        return result(0, 0)
    if count > MAX_STRING:
        h_lib_fault(LF_ARRAY_COPY, count, 0)
    k = u32(count) if count < nbytes else nbytes
    elem = 0
    src = u32(source)
    if k == nbytes and has_header(source):
        elem = ld32(src - QUEUE_HEADER + QH_ELEM)  # a queue that is copied stays a queue
    if k and src:
        check(src, k)
    data = new_array(nbytes, elem)
    if k and src:
        memcpy(data, src, k)
    return result(data, nbytes)
