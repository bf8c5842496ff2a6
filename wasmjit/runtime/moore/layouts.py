"""Layouts of the runtime library's data in guest memory. All little endian; sizes and offsets in bytes.

String, queue, dynamic array: `{ptr data, i64 length}`, 16 bytes. A string's length counts bytes and its bytes are never changed once made
(`putc`
returns a new string); short strings are shared. A queue's or array's length counts elements of a size that the caller names. The empty
one is {0, 0}.

Queue storage (made by `push`, `insert`, `concat` ...): a header of QUEUE_HEADER bytes directly before element 0. Only the owner, the
queue struct whose address is the complement of what the header says, changes storage in place; any other struct with the same data pointer is
a copy by value and gets storage of its own when it changes. Popping the front moves the header up; growing makes a new block twice as large and
leaves the old one, which copies by value may still read. A dynamic array is storage that nobody owns, with element size 0 (not known).

Associative array: a handle is the address of a header of ASSOC_HEADER bytes; table, nodes and order are described in
`wasmjit.sched.library.assoc_table`. The address of a value stays the same until its key is deleted.

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
QH_OWNER = 16  # u64 complement of the pointer to the owning queue struct; all ones: nobody
QH_SPARE = 24
QUEUE_MAGIC = 0x51534A57
MAX_QUEUE_LENGTH = 1 << 28
MAX_ELEMENT = 1 << 24

ASSOC_HEADER = 48
ASSOC_MAGIC = 0x43_4F_53_53_41_4A_4D_57  # u64 at 0
AH_KEY = 8  # u32 bytes of a key, 0 strings
AH_VALUE = 12  # u32 bytes of a value
AH_TABLE = 16  # u64 buckets, 8 bytes each; 0 none yet
AH_MASK = 24  # u32 number of buckets - 1
AH_COUNT = 28  # u32 entries
AH_ROOT = 32  # u32 root of the treap
AH_ORDERED = 36  # u32: the treap is kept

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
