"""Checked guest memory, values of the form `{ptr, i64}`, allocation: what the rest of the library stands on (restricted Python)."""

from __future__ import annotations

from wasmjit.runtime.moore.layouts import MAX_ELEMENT, QUEUE_HEADER, QUEUE_MAGIC
from wasmjit.sched.control import CB_CUR, CB_GUEST_LO, CB_N_NETS, CB_PAIR, CB_RNG_OBJECTS
from wasmjit.sched.intrinsics import (
    export,
    host_import,
    i32,
    i64,
    inline,
    ld8,
    ld16,
    ld32,
    ld64,
    memcpy,
    memory_size,
    mulhi64,
    pair,
    s64,
    st8,
    st16,
    st32,
    st64,
    u32,
    u64,
)
from wasmjit.sched.kernel.apply import k_store_net, k_store_net_mem
from wasmjit.sched.kernel.heap import MAX_ASK
from wasmjit.sched.kernel.objects import k_bytes, k_object, k_object_free, k_object_size, k_object_start
from wasmjit.sched.kernel.rng import draw, rng_state, seed_of
from wasmjit.sched.library.faults import (
    LF_ADDRESS,
    LF_CALLOC,
    LF_ELEMENT,
    LF_FREE,
    LF_MALLOC,
    LF_MEMORY,
    LF_NET,
    LF_REALLOC,
    LW_NULL_UPDATE,
)

MAX_BLOCK = 0x100000000


@host_import
def h_lib_fault(code: i32, a: i64, b: i64) -> None:
    """A simulation error with the text of `faults`; does not return."""
    raise NotImplementedError


@host_import
def h_lib_warn(code: i32) -> None:
    """A warning with the text of `faults`."""
    raise NotImplementedError


@inline
def check(addr: i32, n: i32) -> None:
    """Fault unless [addr, addr + n) lies in guest memory; n = 0 needs no memory."""
    if n and (addr < ld32(CB_GUEST_LO) or u64(addr) + n > u64(memory_size()) * 65536):
        h_lib_fault(LF_ADDRESS, addr, n)


def check_net(ptr: i64) -> i32:
    """Net behind a pointer whose high half is not 0; a fault when there is none of that number."""
    net = u32(ptr >> 32)
    if net > ld32(CB_N_NETS):
        h_lib_fault(LF_NET, ptr, 0)
    return net - 1


def store_word(ptr: i64, val: i64) -> None:
    """Store 8 bytes, through the kernel when the pointer names a net."""
    addr = u32(ptr)
    check(addr, 8)
    if ptr >> 32:
        k_store_net(check_net(ptr), addr, 8, val)
    else:
        st64(addr, val)


def store_bytes(ptr: i64, src: i32, n: i32) -> None:
    """Store n bytes from src, through the kernel when the pointer names a net."""
    addr = u32(ptr)
    check(addr, n)
    if n == 0:
        return
    if ptr >> 32:
        k_store_net_mem(check_net(ptr), addr, n, src)
    else:
        copy(addr, src, n)


@inline
def copy(dst: i32, src: i32, n: i32) -> None:
    """Copy n bytes; the common sizes without the call that memory.copy is."""
    if n == 8:
        st64(dst, ld64(src))
    elif n == 4:
        st32(dst, ld32(src))
    elif n == 1:
        st8(dst, ld8(src))
    elif n == 2:
        st16(dst, ld16(src))
    else:
        memcpy(dst, src, n)


def store_pair(ptr: i64, data: i32, length: i64) -> None:
    """Update a `{ptr, i64}` struct; an update behind a null pointer is lost, with a warning."""
    addr = u32(ptr)
    if addr == 0:
        h_lib_warn(LW_NULL_UPDATE)
        return
    check(addr, 16)
    if ptr >> 32:
        net = check_net(ptr)
        k_store_net(net, addr, 8, data)
        k_store_net(net, addr + 8, 8, length)
    else:
        st64(addr, data)
        st64(addr + 8, length)


@inline
def result(data: i32, length: i64) -> i32:
    """Result of a function that is a pair: the pointer is returned, the other half left in the control block."""
    st64(CB_PAIR, length)
    return data


def new_block(n: i32) -> i32:
    """Zeroed guest memory for data that may hold pointers."""
    p = k_object(n)
    if p == 0:
        h_lib_fault(LF_MEMORY, n, 0)
    return p


def new_bytes(n: i32) -> i32:
    """Guest memory for data without pointers, not zeroed."""
    p = k_bytes(n)
    if p == 0:
        h_lib_fault(LF_MEMORY, n, 0)
    return p


@inline
def element_size(size: i64) -> i32:
    if size == 0 or size > MAX_ELEMENT:
        h_lib_fault(LF_ELEMENT, size, 0)
    return u32(size)


def allocated(size: i64) -> i32:
    """`size` zeroed bytes; an address of its own also for 0."""
    if size > MAX_BLOCK:
        h_lib_fault(LF_MALLOC, size, 0)
    if size >= MAX_ASK:
        h_lib_fault(LF_MEMORY, size, 0)
    return new_block(u32(size) if size else 1)


@export
def malloc(size: i64) -> i32:
    """`size` zeroed bytes. Objects are made with it: in designs that randomize objects each has a random number generator, whose state lies in the last 4 bytes of the
    block, behind what was asked for. It is seeded by the process that makes the object (IEEE 1800 §18.14.2)."""
    if ld32(CB_RNG_OBJECTS) == 0 or size > MAX_BLOCK:
        return allocated(size)
    p = allocated(((size + 3) & 0xFFFFFFFFFFFFFFFC) + 4)
    st32(p + k_object_size(p) - 4, seed_of(draw(rng_state(ld32(CB_CUR)))))
    return p


@export
def k_object_rng(obj: i64) -> i32:
    """Address of the state of an object's generator; 0 for what `malloc` did not make."""
    p = u32(obj)
    if ld32(CB_RNG_OBJECTS) == 0 or p == 0 or k_object_start(p) != p:
        return 0
    return p + k_object_size(p) - 4


@export
def calloc(count: i64, size: i64) -> i32:
    total = u64(count * size)
    if total > MAX_BLOCK or mulhi64(count, size):
        h_lib_fault(LF_CALLOC, total, 0)
    return allocated(total)


def block_of(ptr: i64) -> i32:
    """The object that a pointer given to `free` means: one that begins there, or storage of a queue whose data begins there. A fault when there is none."""
    p = u32(ptr)
    start = 0
    if ptr >> 32 == 0:
        start = k_object_start(p)
    if start == 0 or (start != p and (p - start < QUEUE_HEADER or ld32(p - QUEUE_HEADER) != QUEUE_MAGIC)):
        h_lib_fault(LF_FREE, ptr, 0)
    return start


@export
def free(ptr: i64) -> None:
    """Null is allowed. The memory is used again after the next collection."""
    if ptr:
        k_object_free(block_of(ptr))


@export
def realloc(ptr: i64, size: i64) -> i32:
    """A new block with what fits of the old one, the rest zeroed."""
    if size > MAX_BLOCK:
        h_lib_fault(LF_REALLOC, size, 0)
    if ptr == 0:
        return allocated(size)
    old = block_of(ptr)
    p = allocated(size)
    n = k_object_size(old) - (u32(ptr) - old)
    if size < n:
        n = u32(size)
    memcpy(p, u32(ptr), n)
    k_object_free(old)
    return p


__all__ = ["MAX_BLOCK", "calloc", "malloc", "pair", "s64"]
