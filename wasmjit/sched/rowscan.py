"""The lines of process bodies that compute integers from integers, as rows of numbers, in restricted Python (`wasmjit.ir.short` says what a row is).

The host calls `begin` for a body (`wasmjit.sched.rowtable` says what it puts into the memory), then `scan` for the rows up to the next line that is something else, and
at the end `mark`.
"""

from __future__ import annotations

from wasmjit.sched.intrinsics import export, i32, inline, ld8, ld16, ld32, st32, u32
from wasmjit.sched.rowforms import concatenation, constant, conversion, names, uniform
from wasmjit.sched.rowtable import (
    C_BLOCK,
    C_DEFINED,
    C_MASK,
    C_ROW_COUNT,
    C_ROWS,
    C_TABLE,
    C_USED,
    CLASSES,
    CODES,
    COMMA,
    CONCAT,
    CONSTANT,
    FAULT,
    FORMS,
    LOWER,
    NAME,
    NONE,
    OPERATION,
    OPERATIONS,
    OPERATIONS_MASK,
    OTHER,
    PERCENT,
    PRIME,
    SPACE,
    TEXT,
    WORDS,
    WORDS_MASK,
    blanks,
    characters,
    define,
    enter,
    place,
)

EQUALS = 0x203D20


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
    if end == q:
        return OTHER
    e = place(OPERATIONS, OPERATIONS_MASK, u32(found >> 32), q, end - q)
    if ld32(e) == 0:
        return OTHER
    q = end
    operation = ld32(e + 12)
    form = ld32(FORMS + (operation << 2))
    count = form >> 8
    form = form & 0xFF
    r = ld32(C_ROWS) + (number << 5)
    word = 0
    if form != CONSTANT and ld8(q) == SPACE and ld8(CLASSES + ld8(q + 1)) & LOWER:
        found = characters(q + 1, OPERATION)
        end = u32(found)
        h = u32(found >> 32)
        if ld8(end) == COMMA:
            h = u32((h ^ COMMA) * PRIME)
            end = end + 1
        e = place(WORDS, WORDS_MASK, h, q + 1, end - q - 1)
        if ld32(e) == 0:
            return OTHER
        word = ld32(e + 12)
        q = end
    code = ld16(CODES + (operation << 6) + (word << 1))
    if code == 0:
        return OTHER
    if form == CONSTANT:
        q = constant(q, r)
    else:
        q = names(q, r)
        if q == OTHER:
            return OTHER
        if form == CONCAT:
            q = concatenation(q, r)
        elif form > CONSTANT:
            q = conversion(q, r, form)
        else:
            q = uniform(q, r, form, count)
    if q == OTHER or q == FAULT:
        return q
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
