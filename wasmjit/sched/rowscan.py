"""The lines of process bodies that compute integers from integers, as rows of numbers, in restricted Python (`wasmjit.ir.short` says what a row is).

The host puts the text of a body at TEXT, a byte per character with zeros behind it, and calls `scan` for the rows up to the next line that is something else. A name is
looked up in one hash table; what the body did not define in a row before is an *external*: the host says what it is. Nothing here knows an operation: names, their forms and
codes are entered by the host (`add_operation`, `add_word`).
"""

from __future__ import annotations

from wasmjit.sched.intrinsics import export, i32, i64, inline, ld8, ld16, ld32, ld64, memset, st16, st32, u32, u64

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
MINUS = 0x2D
ZERO = 0x30
NEWLINE = 0x0A
COMMA_PERCENT = 0x25202C
EQUALS = 0x203D20
COLON_I = 0x69203A
FROM = 0x206D6F726620
FROM_SIZE = 6
OF_TYPE = 0x69203A20
"""` : i`"""
FUNCTION = 0x6928203A20
"""` : (i`"""
ARROW = 0x69203E2D2029
"""`) -> i`"""
TO = 0x69206F7420
"""` to i`"""
COMMA_I = 0x69202C
MASK40 = 0xFFFFFFFFFF
MASK48 = 0xFFFFFFFFFFFF
MAX_DIGITS = 18


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


def digits(p: i32) -> i64:
    """Value << 32 | end of the number of up to 4 digits at p, without leading zeros; 0 if there is none."""
    c = ld8(p)
    q = p
    value = 0
    while ld8(CLASSES + c) & DIGIT:
        value = value * 10 + c - ZERO
        q = q + 1
        if q > p + 4:
            return 0
        c = ld8(q)
    if q == p or (ld8(p) == ZERO and q > p + 1):
        return 0
    return u64(value) << 32 | q


def width_at(p: i32) -> i64:
    """As `digits`, for a width: not 0."""
    return 0 if ld8(p) == ZERO else digits(p)


def line_end(p: i32) -> i32:
    """The offset of the end of the line when only white space comes before it, else 0."""
    c = ld8(p)
    while c != NEWLINE and ld8(CLASSES + c) & BLANK:
        p = p + 1
        c = ld8(p)
    return p if c == NEWLINE else 0


def type_end(p: i32) -> i64:
    """Width << 32 | offset of the end of the line, for the rest of a line `: i8`; 0 if it is none."""
    if ld32(p) & 0xFFFFFF != COLON_I:
        return 0
    found = width_at(p + 3)
    end = line_end(u32(found))
    return 0 if found == 0 or end == 0 else (found >> 32) << 32 | end


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


def constant(p: i32, r: i32) -> i32:
    """The value and the type of a constant from p on into the row at r: the end of the line, or OTHER."""
    if ld8(p) != SPACE:
        return OTHER
    p = p + 1
    value: i64 = 0
    c = ld8(p)
    if ld8(CLASSES + c) & LOWER:
        if ld32(p) == 0x65757274:
            value = 1
            p = p + 4
        elif ld32(p) == 0x736C6166 and ld8(p + 4) == 0x65:
            p = p + 5
        else:
            return OTHER
        while ld8(p) != NEWLINE and ld8(CLASSES + ld8(p)) & BLANK:
            p = p + 1
        if ld8(p) != NEWLINE:
            return OTHER
        st32(r + 4, 1)
    else:
        negative = 0
        if c == MINUS:
            negative = 1
            p = p + 1
            c = ld8(p)
        n = 0
        while ld8(CLASSES + c) & DIGIT:
            value = value * 10 + c - ZERO
            n = n + 1
            if n > MAX_DIGITS:
                return OTHER
            p = p + 1
            c = ld8(p)
        if n == 0 or c != SPACE:
            return OTHER
        found = type_end(p + 1)
        if found == 0:
            return OTHER
        p = u32(found)
        width = u32(found >> 32)
        st32(r + 4, width)
        if negative:
            if width < 64 and value > u64(1) << (width - 1):
                return OTHER
            value = u64(0 - value)
        elif width < 64 and value >> width:
            return OTHER
    st32(r + 12, NONE)
    st32(r + 16, u32(value))
    st32(r + 20, u32(value >> 32))
    return p


def conversion(q: i32, r: i32, form: i32) -> i32:
    """An operation on one operand that gives another width, from behind its name on, into the row at r: as `line`."""
    if ld8(q) != SPACE:
        return OTHER
    a = q + 2
    found = operand_name(q + 1)
    end = u32(found)
    h = u32(found >> 32)
    if a == end:
        return OTHER
    q = end
    low = 0
    if form == EXTRACT:
        if ld64(q) & MASK48 != FROM:
            return OTHER
        found = digits(q + FROM_SIZE)
        if found == 0:
            return OTHER
        low = u32(found >> 32)
        q = u32(found)
    if form == WIDEN or form == NARROW:
        if ld32(q) != OF_TYPE:
            return OTHER
        q = q + 4
    else:
        if ld64(q) & MASK40 != FUNCTION:
            return OTHER
        q = q + 5
    found = width_at(q)
    if found == 0:
        return OTHER
    width = u32(found >> 32)
    q = u32(found)
    if form == WIDEN or form == NARROW:
        if ld64(q) & MASK40 != TO:
            return OTHER
        q = q + 5
    else:
        if ld64(q) & MASK48 != ARROW:
            return OTHER
        q = q + 6
    found = width_at(q)
    if found == 0:
        return OTHER
    q = line_end(u32(found))
    if q == 0:
        return OTHER
    out = u32(found >> 32)
    if (form == EXTRACT and low + out > width) or (form == REPLICATE and out % width) or (form == WIDEN and out <= width) or (form == NARROW and out >= width):
        return OTHER
    x = operand(a, end, h, width)
    if x == FAULT:
        return FAULT
    st32(r + 4, out)
    st32(r + 12, x)
    st32(r + 16, NONE)
    st32(r + 20, FAULT | low)
    return q


def concatenation(q: i32, r: i32) -> i32:
    """Two or three operands of different widths, from behind the name of the operation on, into the row at r: as `line`."""
    places = r + 12
    n = 0
    while n == 0 or ld32(q) & 0xFFFFFF == COMMA_PERCENT:
        if n == 3 or ld8(q) != (SPACE if n == 0 else COMMA):
            return OTHER
        a = q + (2 if n == 0 else 3)
        found = operand_name(a - 1)
        q = u32(found)
        if q == a:
            return OTHER
        st32(places + (n << 2), a)
        n = n + 1
    if n < 2 or ld32(q) != OF_TYPE:
        return OTHER
    q = q + 4
    # The types, and what the line is worth, come before anything is noted.
    types = q
    for i in range(n):
        found = width_at(q)
        if found == 0:
            return OTHER
        q = u32(found)
        if i + 1 < n:
            if ld32(q) & 0xFFFFFF != COMMA_I:
                return OTHER
            q = q + 3
    end = line_end(q)
    if end == 0:
        return OTHER
    total = 0
    q = types
    for i in range(n):
        found = width_at(q)
        width = u32(found >> 32)
        q = u32(found) + 3
        a = ld32(places + (i << 2))
        found = operand_name(a - 1)
        x = operand(a, u32(found), u32(found >> 32), width)
        if x == FAULT:
            return FAULT
        st32(places + (i << 2), x)
        total = total + width
    if n == 2:
        st32(r + 20, NONE)
    st32(r + 4, total)
    return end


def line(p: i32, number: i32) -> i32:
    """Makes row `number` of the line at p: the end of the line, OTHER if it is no row, FAULT if something is wrong with it."""
    if ld8(p) != PERCENT:
        return OTHER
    found = characters(p + 1, NAME)
    result_hash = u32(found >> 32)
    q = u32(found)
    if ld32(q) & 0xFFFFFF != EQUALS or q == p + 1:
        return OTHER
    result_size = q - p - 1
    q = q + 3
    found = characters(q, OPERATION)
    end = u32(found)
    n = end - q
    if n == 0:
        return OTHER
    e = place(OPERATIONS, OPERATIONS_MASK, u32(found >> 32), q, n)
    if ld32(e) == 0:
        return OTHER
    operation = ld32(e + 12)
    form = ld32(FORMS + (operation << 2))
    count = form >> 8
    form = form & 0xFF
    r = ld32(C_ROWS) + (number << 5)
    q = end
    code = ld16(CODES + (operation << 6))
    if form == CONSTANT:
        q = constant(q, r)
        if q == OTHER:
            return OTHER
    elif form > CONSTANT:
        q = concatenation(q, r) if form == CONCAT else conversion(q, r, form)
        if q == OTHER or q == FAULT:
            return q
    else:
        if ld8(q) == SPACE and ld8(CLASSES + ld8(q + 1)) & LOWER:
            found = characters(q + 1, OPERATION)
            end = u32(found)
            if ld8(end) == COMMA:
                found = u64(u32((u32(found >> 32) ^ COMMA) * PRIME)) << 32
                end = end + 1
            n = end - q - 1
            e = place(WORDS, WORDS_MASK, u32(found >> 32), q + 1, n)
            if ld32(e) == 0:
                return OTHER
            code = ld16(CODES + (operation << 6) + (ld32(e + 12) << 1))
            q = end
        if code == 0 or ld8(q) != SPACE:
            return OTHER
        a = q + 2
        found = operand_name(q + 1)
        a_end = u32(found)
        a_hash = u32(found >> 32)
        q = a_end
        if a == q:
            return OTHER
        b = 0
        c = 0
        b_end = 0
        c_end = 0
        b_hash = 0
        c_hash = 0
        if ld8(q) == COMMA:
            if ld32(q) & 0xFFFFFF != COMMA_PERCENT:
                return OTHER
            b = q + 3
            found = operand_name(q + 2)
            b_end = u32(found)
            b_hash = u32(found >> 32)
            q = b_end
            if b == q:
                return OTHER
            if ld8(q) == COMMA:
                if ld32(q) & 0xFFFFFF != COMMA_PERCENT:
                    return OTHER
                c = q + 3
                found = operand_name(q + 2)
                c_end = u32(found)
                c_hash = u32(found >> 32)
                q = c_end
                if c == q:
                    return OTHER
        if ld8(q) != SPACE or (count == 2 and (b == 0 or c != 0)) or (count == 3 and c == 0):
            return OTHER
        found = type_end(q + 1)
        if found == 0:
            return OTHER
        q = u32(found)
        width = u32(found >> 32)
        x = operand(a, a_end, a_hash, 1 if form == SELECT else width)
        y = NONE
        z = NONE
        if b:
            y = operand(b, b_end, b_hash, width)
            if c:
                z = operand(c, c_end, c_hash, width)
        if x == FAULT or y == FAULT or z == FAULT:
            return FAULT
        st32(r + 4, 1 if form == COMPARE else width)
        st32(r + 12, x)
        st32(r + 16, y)
        st32(r + 20, z)
    e = place(ld32(C_TABLE), ld32(C_MASK), result_hash, p + 1, result_size)
    if ld32(e):
        return FAULT
    enter(e, result_size, p + 1, result_hash, number)
    st32(r, code)
    st32(r + 8, p - TEXT)
    st32(r + 24, ld32(C_BLOCK))
    st32(r + 28, 0)
    return q


@export
def scan(p: i32) -> i32:
    """Reads rows from p on: where the first line begins that is none (a name on its left is an external then), or FAULT. Something is wrong with the body then."""
    number = ld32(C_ROW_COUNT)
    p = blanks(p)
    q = line(p, number)
    while q != OTHER:
        if q == FAULT:
            return FAULT
        number = number + 1
        p = blanks(q)
        q = line(p, number)
    st32(C_ROW_COUNT, number)
    defined = NONE
    if ld8(p) == PERCENT:
        found = characters(p + 1, NAME)
        q = u32(found)
        if ld32(q) & 0xFFFFFF == EQUALS and q > p + 1:
            defined = define(p + 1, q - p - 1)
            if defined == FAULT:
                return FAULT
    st32(C_DEFINED, defined)
    return p


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
def mark(roots: i32) -> None:
    """Marks what the first `roots` numbers at C_USED use, and the rows these use; all other rows get the code 0. A row uses rows of lower numbers only."""
    rows = ld32(C_ROWS)
    used = ld32(C_USED)
    for i in range(roots):
        st32(rows + (ld32(used + (i << 2)) << 5) + 28, 1)
    n = ld32(C_ROW_COUNT)
    while n:
        n = n - 1
        r = rows + (n << 5)
        if ld32(r + 28) == 0:
            st32(r, 0)
        elif ld32(r + 12) != NONE:
            mark_operand(rows, ld32(r + 12))
            mark_operand(rows, ld32(r + 16))
            mark_operand(rows, ld32(r + 20))


@inline
def mark_operand(rows: i32, x: i32) -> None:
    if x >> 31 == 0:
        st32(rows + (x << 5) + 28, 1)


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
