"""What stands behind the name of an operation in a line that is a row, form by form, in restricted Python (`wasmjit.ir.short` lists the forms)."""

from __future__ import annotations

from wasmjit.sched.intrinsics import i32, i64, inline, ld8, ld32, ld64, st32, u32, u64
from wasmjit.sched.rowtable import (
    BLANK,
    C_NAMES,
    CLASSES,
    COMMA,
    COMPARE,
    DIGIT,
    EXTRACT,
    FAULT,
    LOWER,
    NARROW,
    NEWLINE,
    NONE,
    OTHER,
    REPLICATE,
    SELECT,
    SPACE,
    WIDEN,
    ZERO,
    operand,
    operand_name,
)

MINUS = 0x2D
COMMA_PERCENT = 0x25202C
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


def names(q: i32, r: i32) -> i32:
    """One to three operands from the blank at q on: the places of their names into the row at r, NONE for the others; where they end, or OTHER."""
    n = 0
    st32(r + 16, NONE)
    st32(r + 20, NONE)
    while n == 0 or ld8(q) == COMMA:
        a = q + 3
        if n == 0:
            a = q + 2
            if ld8(q) != SPACE:
                return OTHER
        elif n == 3 or ld32(q) & 0xFFFFFF != COMMA_PERCENT:
            return OTHER
        q = u32(operand_name(a - 1))
        if q == a:
            return OTHER
        st32(r + 12 + (n << 2), a)
        n = n + 1
    st32(C_NAMES, n)
    return q


@inline
def settle(place: i32, width: i32) -> i32:
    """Puts the operand of a width in place of where its name is: whether its type is another one."""
    a = ld32(place)
    found = operand_name(a - 1)
    x = operand(a, u32(found), u32(found >> 32), width)
    st32(place, x)
    return x == FAULT


def uniform(q: i32, r: i32, form: i32, count: i32) -> i32:
    """`%a, %b : T` from behind the operands on: the end of the line, OTHER or FAULT."""
    n = ld32(C_NAMES)
    if ld8(q) != SPACE or (count > 1 and n != count):
        return OTHER
    found = type_end(q + 1)
    if found == 0:
        return OTHER
    width = u32(found >> 32)
    if settle(r + 12, 1 if form == SELECT else width):
        return FAULT
    if n > 1 and settle(r + 16, width):
        return FAULT
    if n > 2 and settle(r + 20, width):
        return FAULT
    st32(r + 4, 1 if form == COMPARE else width)
    return u32(found)


def conversion(q: i32, r: i32, form: i32) -> i32:
    """One operand that gives another width, from behind it on: as `uniform`."""
    if ld32(C_NAMES) != 1:
        return OTHER
    low = 0
    if form == EXTRACT:
        if ld64(q) & MASK48 != FROM:
            return OTHER
        found = digits(q + FROM_SIZE)
        if found == 0:
            return OTHER
        low = u32(found >> 32)
        q = u32(found)
    change = form == WIDEN or form == NARROW
    if change:
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
    if change:
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
    if settle(r + 12, width):
        return FAULT
    st32(r + 4, out)
    st32(r + 20, FAULT | low)
    return q


def concatenation(q: i32, r: i32) -> i32:
    """Two or three operands of widths of their own, from behind them on: as `uniform`."""
    n = ld32(C_NAMES)
    if n < 2 or ld32(q) != OF_TYPE:
        return OTHER
    q = q + 4
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
    # The line is one: only now anything is noted.
    total = 0
    q = types
    for i in range(n):
        found = width_at(q)
        width = u32(found >> 32)
        if settle(r + 12 + (i << 2), width):
            return FAULT
        total = total + width
        q = u32(found) + 3
    st32(r + 4, total)
    return end
