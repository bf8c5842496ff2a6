"""Simulation errors and warnings of the compiled runtime library: numbers, as the restricted-Python modules report them, and texts."""

from __future__ import annotations

from typing import NoReturn

from wasmjit.runtime.services import SimFault

LF_ADDRESS = 1
LF_MEMORY = 2
LF_STRING_LENGTH = 3
LF_STRING_LIMIT = 4
LF_REPLICATE = 5
LF_ELEMENT = 6
LF_QUEUE_BYTES = 7
LF_QUEUE_COUNT = 8
LF_ARRAY_SIZE = 9
LF_ARRAY_COPY = 10
LF_ASSOC_SHAPE = 11
LF_ASSOC_HANDLE = 12
LF_ASSOC_VALUE = 13
LF_ASSOC_NULL = 14
LF_MALLOC = 15
LF_CALLOC = 16
LF_NET = 17
LF_REALLOC = 18
LF_FREE = 19

LW_NULL_UPDATE = 1
LW_NULL_ASSOC = 2

MAX_RESULT = 1 << 26
"""Longest string that an operation makes, in bytes."""

FAULTS: dict[int, str] = {
    LF_ADDRESS: "invalid address {a:#x} ({b} bytes)",
    LF_MEMORY: "memory is exhausted (allocation of {a} bytes)",
    LF_STRING_LENGTH: "string length of {s} is out of range",
    LF_STRING_LIMIT: f"a string of {{a}} bytes is longer than the limit of {MAX_RESULT}",
    LF_REPLICATE: f"a string of {{a}} bytes replicated {{b}} times is longer than the limit of {MAX_RESULT}",
    LF_ELEMENT: "queue element size of {s} bytes is out of range",
    LF_QUEUE_BYTES: "a queue of {a} bytes does not fit the memory",
    LF_QUEUE_COUNT: "number of queues of {s} is out of range",
    LF_ARRAY_SIZE: "dynamic array size of {s} is out of range",
    LF_ARRAY_COPY: "bytes to copy into a dynamic array of {s} is out of range",
    LF_ASSOC_SHAPE: "associative array with keys of {s} and values of {t} bytes is out of range",
    LF_ASSOC_HANDLE: "{a:#x} is no associative array",
    LF_ASSOC_VALUE: "associative array value of {s} bytes is out of range",
    LF_ASSOC_NULL: "copy into a null associative array",
    LF_MALLOC: "malloc size of {s} is out of range",
    LF_CALLOC: "calloc size of {s} is out of range",
    LF_REALLOC: "realloc size of {s} is out of range",
    LF_FREE: "free of an address that was not allocated: {a:#x}",
    LF_NET: "invalid signal pointer {a:#x}",
}
"""`a`, `b`: the two numbers of a fault, unsigned; `s`, `t`: the same, signed."""

WARNINGS: dict[int, str] = {
    LW_NULL_UPDATE: "update of a queue or string that was never created",
    LW_NULL_ASSOC: "access to an associative array that was never created",
}


def _signed(x: int) -> int:
    return x - (1 << 64) if x >> 63 else x


def fault_text(code: int, a: int, b: int) -> str:
    """Message of a fault with its two numbers (unsigned 64 bits)."""
    return FAULTS[code].format(a=a, b=b, s=_signed(a), t=_signed(b))


def lib_fault(code: int, a: int, b: int) -> NoReturn:
    """h.lib_fault: raises the simulation error that the library reports."""
    raise SimFault(fault_text(code, a, b), a)
