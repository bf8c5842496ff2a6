"""Layouts of the runtime library's data in guest memory. All little endian; sizes and offsets in bytes.

String, queue, dynamic array: `{ptr data, i64 length}`, 16 bytes. A string's length counts bytes and its bytes are never changed once made
(`putc`
returns a new string); short strings are shared. A queue's or array's length counts elements of a size that the caller names. The empty
one is {0, 0}.

Queue storage (made by `push`, `insert`, `concat` ...): a header of QUEUE_HEADER bytes directly before element 0. Only the owner, the
queue struct at the
address in the header, changes storage in place; any other struct with the same data pointer is a copy by value and gets storage of its
own when it
changes. Popping the front moves the header up; growing makes a new block twice as large and keeps the old one, which copies by value may
still read.

Associative array: an opaque handle, the address of a 16-byte block `{u64 ASSOC_MAGIC, u32 key size, u32 value size}`; entries are kept on
the host, each with a value
slot of its own in guest memory, whose address stays the same until the key is deleted.

Integer keys are read as `key size` bytes, signed two's complement: the commonest index type is `int`, and the size is all that is known.
"""

from __future__ import annotations

STRING_SIZE = 16
QUEUE_SIZE = 16

QUEUE_HEADER = 32
QH_MAGIC = 0  # u32
QH_ELEM = 4  # u32 element size
QH_BASE = 8  # u32 start of the block (the header lies at or after it)
QH_END = 12  # u32 end of the block
QH_OWNER = 16  # u64 address of the owning queue struct
QH_SPARE = 24
QUEUE_MAGIC = 0x51534A57
MAX_QUEUE_LENGTH = 1 << 28
MAX_ELEMENT = 1 << 24

ASSOC_HEADER = 16
ASSOC_MAGIC = 0x43_4F_53_53_41_4A_4D_57
AH_KEY = 8
AH_VALUE = 12

COVER_HEADER = 16
COVER_MAGIC = 0x56_4F_43_47_52_50_4A_57

CROSS_FILTER_SIZE = 56
"""`{i32 coverpoint, ptr bins, i32 n, ptr values, i32 n, ptr ranges, i32 n, i1 negate}`; ranges are pairs of i64."""

PROCESS_HANDLE = 0
"""A process handle is this plus the process id counted from 1 (`k_process_handle` makes the same): below every valid address, never null."""


def storage_bytes(bits: int) -> int:
    """Bytes of an integer of `bits` bits in memory (docs/internals.md §2)."""
    if bits <= 8:
        return 1
    if bits <= 16:
        return 2
    if bits <= 32:
        return 4
    return (bits + 63) // 64 * 8
