"""What the scanner of rows (`wasmjit.sched.rowscan`) keeps in its memory: rows, names and what they mean, in restricted Python.

The host puts the text of a body at TEXT, a byte per character with zeros behind it, and enters the operations that may be rows, with their forms, words and codes: nothing
here knows an operation. A name is looked up in one hash table; what the body did not define in a row before is an *external*: the host says what it is.
"""

from __future__ import annotations

from wasmjit.sched.intrinsics import export, i32, i64, inline, ld8, ld32, ld64, memset, st16, st32, u32, u64

# Words of the control block.
C_ROWS = 0x100
"""Where the rows are, 32 bytes each: code, width, offset of the line in the text, three operands, the last block that used it, whether it is used.
A constant has its value, 64 bits, in place of the second and third operand."""
C_TABLE = 0x104
"""Names of the body: entries of 16 bytes (length or 0, offset, hash, number as an operand)."""
C_MASK = 0x108
C_EXTERNALS = 0x110
"""Externals, 16 bytes each: offset and length of the name, width (0: no integer), last block that used it."""
C_USED = 0x114
"""Operands used in a block for the first time that come from elsewhere."""
C_ROW_COUNT = 0x118
C_EXTERNAL_COUNT = 0x11C
C_USED_COUNT = 0x120
C_FIRST = 0x124
"""The first row of the current block."""
C_BLOCK = 0x128
"""Number of the current block, from 1."""
C_NAMES = 0x130
"""How many operands `names` found."""
C_DEFINED = 0x12C
"""The external that the line where `scan` stopped defines, as an operand; NONE if it has not exactly one result."""

CLASSES = 0x400
"""A byte for each character: what it may be part of."""
OPERATIONS = 0x800
OPERATIONS_MASK = 127
WORDS = 0x1000
WORDS_MASK = 63
FORMS = 0x1400
"""Form and number of operands (form | operands << 8) of every operation, 4 bytes each."""
CODES = 0x1800
"""Codes by operation and word, 2 bytes each, 32 words each; 0: the operation does not have the word."""
KEYS = 0x4000
"""The names of operations and words."""
TEXT = 0x10000

BLANK = 1
NAME = 2
OPERATION = 4
LOWER = 8
DIGIT = 16

SAME = 0
COMPARE = 1
SELECT = 2
CONSTANT = 3
EXTRACT = 4
"""The third operand is FAULT | lowest bit."""
REPLICATE = 5
WIDEN = 6
NARROW = 7
CONCAT = 8

NONE = 0xFFFFFFFF
"""No operand. Rows count from 0, externals from NONE - 1 downwards."""
FAULT = 0x80000000
OTHER = 0
SEED = 0x811C9DC5
PRIME = 0x01000193

PERCENT = 0x25
SPACE = 0x20
HASH = 0x23
COMMA = 0x2C
ZERO = 0x30
NEWLINE = 0x0A


@inline
def same(a: i32, b: i32, n: i32) -> i32:
    """Whether n > 0 bytes are equal; 8 bytes behind them may be read."""
    i = 0
    while i + 8 <= n and ld64(a + i) == ld64(b + i):
        i = i + 8
    if i + 8 <= n:
        return 0
    if i == n:
        return 1
    return u64((ld64(a + i) ^ ld64(b + i)) << (64 - ((n - i) << 3))) == 0


def place(table: i32, mask: i32, h: i32, p: i32, n: i32) -> i32:
    """The entry of the name of n > 0 bytes at p, or the free one where it belongs, which begins with 0."""
    i = (h ^ (h >> 15)) & mask
    while True:
        e = table + (i << 4)
        found = ld32(e)
        if found == 0 or (found == n and ld32(e + 8) == h and same(ld32(e + 4), p, n)):
            return e
        i = (i + 1) & mask


@inline
def enter(e: i32, n: i32, p: i32, h: i32, number: i32) -> None:
    st32(e, n)
    st32(e + 4, p)
    st32(e + 8, h)
    st32(e + 12, number)


@inline
def characters(p: i32, kind: i32) -> i64:
    """Hash << 32 | end of the characters of a kind from p on."""
    h = SEED
    c = ld8(p)
    while ld8(CLASSES + c) & kind:
        h = u32((h ^ c) * PRIME)
        p = p + 1
        c = ld8(p)
    return u64(h) << 32 | p


def operand_name(p: i32) -> i64:
    """Hash << 32 | end of the operand at p, `%name` or `%name#1`, without the `%`; the end is p + 1 if there is none."""
    if ld8(p) != PERCENT:
        return p + 1
    found = characters(p + 1, NAME)
    q = u32(found)
    if ld8(q) != HASH or q == p + 1 or ld8(CLASSES + ld8(q + 1)) & DIGIT == 0:
        return found
    h = u32(found >> 32)
    q = q + 1
    h = u32((h ^ HASH) * PRIME)
    c = ld8(q)
    while ld8(CLASSES + c) & DIGIT:
        h = u32((h ^ c) * PRIME)
        q = q + 1
        c = ld8(q)
    return u64(h) << 32 | q


@inline
def blanks(p: i32) -> i32:
    """The first character that is no white space, from p on."""
    while ld8(CLASSES + ld8(p)) & BLANK:
        p = p + 1
    return p


@inline
def note_use(x: i32) -> None:
    n = ld32(C_USED_COUNT)
    st32(ld32(C_USED) + (n << 2), x)
    st32(C_USED_COUNT, n + 1)


def external(p: i32, n: i32, width: i32, block: i32) -> i32:
    """A new external."""
    k = ld32(C_EXTERNAL_COUNT)
    st32(C_EXTERNAL_COUNT, k + 1)
    r = ld32(C_EXTERNALS) + (k << 4)
    st32(r, p)
    st32(r + 4, n)
    st32(r + 8, width)
    st32(r + 12, block)
    return NONE - 1 - k


def operand(p: i32, end: i32, h: i32, width: i32) -> i32:
    """The operand whose name is from p to end; FAULT if it is known to have another type."""
    n = end - p
    e = place(ld32(C_TABLE), ld32(C_MASK), h, p, n)
    block = ld32(C_BLOCK)
    if ld32(e) == 0:
        x = external(p, n, width, block)
        enter(e, n, p, h, x)
        note_use(x)
        return x
    x = ld32(e + 12)
    if x >> 31:
        r = ld32(C_EXTERNALS) + ((NONE - 1 - x) << 4)
        if ld32(r + 8) != width:
            return FAULT
        if ld32(r + 12) != block:
            st32(r + 12, block)
            note_use(x)
        return x
    r = ld32(C_ROWS) + (x << 5)
    if ld32(r + 4) != width:
        return FAULT
    if x < ld32(C_FIRST) and ld32(r + 24) != block:
        st32(r + 24, block)
        note_use(x)
    return x


@export
def find(p: i32, n: i32) -> i32:
    """What the name of n bytes at p is as an operand; NONE if it is not known."""
    e = place(ld32(C_TABLE), ld32(C_MASK), hash_of(p, n), p, n)
    return ld32(e + 12) if ld32(e) else NONE


@export
def define(p: i32, n: i32) -> i32:
    """The name of n bytes at p as a new external of the current block, without a type yet; FAULT if it is known already."""
    h = hash_of(p, n)
    e = place(ld32(C_TABLE), ld32(C_MASK), h, p, n)
    if ld32(e):
        return FAULT
    x = external(p, n, 0, ld32(C_BLOCK))
    enter(e, n, p, h, x)
    return x


def hash_of(p: i32, n: i32) -> i32:
    h = SEED
    for i in range(n):
        h = u32((h ^ ld8(p + i)) * PRIME)
    return h


@export
def begin(size: i32) -> None:
    """Lays out the tables behind the text of a body of `size` bytes; there is room for them (`room_for` of the host)."""
    p = (TEXT + 2 * size + 0x10000) & 0xFFFFFFF8
    st32(C_EXTERNALS, p)
    p = p + 4 * size + 64
    st32(C_USED, p)
    p = p + 2 * size + 64
    st32(C_ROWS, p)
    p = p + 2 * size + 64
    st32(C_TABLE, p)
    slots = 256
    while slots < size >> 1:
        slots = slots << 1
    st32(C_MASK, slots - 1)
    st32(C_ROW_COUNT, 0)
    st32(C_EXTERNAL_COUNT, 0)
    st32(C_USED_COUNT, 0)
    st32(C_FIRST, 0)
    st32(C_BLOCK, 0)
    memset(p, 0, slots << 4)


@export
def add_operation(p: i32, n: i32, number: i32, form: i32) -> None:
    """Enters an operation: its name of n bytes at p, its number, its form and number of operands (form | operands << 8)."""
    h = hash_of(p, n)
    enter(place(OPERATIONS, OPERATIONS_MASK, h, p, n), n, p, h, number)
    st32(FORMS + (number << 2), form)


@export
def add_word(p: i32, n: i32, number: i32) -> None:
    """Enters a word that may stand before the operands; the number 0 is that of no word."""
    h = hash_of(p, n)
    enter(place(WORDS, WORDS_MASK, h, p, n), n, p, h, number)


@export
def add_code(operation: i32, word: i32, code: i32) -> None:
    """The code of an operation with a word."""
    st16(CODES + (operation << 6) + (word << 1), code)
