"""Window queries over the changes of one signal, in restricted Python (see `wasmjit.sched.intrinsics`): `arena` runs them as WebAssembly.

A window costs O(columns · log changes per column). As CPython executes it that is 1.8 µs per column and row, too slow for 40 rows of 2800 columns; as
wasm it is 0.03 µs. Times and positions lie in linear memory as the index stores them. Columns: column c of `pixels` over [t0, t0 + span) begins at
t0 + ceil(c · span / pixels).
"""

from __future__ import annotations

from wasmjit.sched.intrinsics import export, f64, i32, i64, ld32, ld64, ldf64, st64, stf64, u32, u64

DENSE = 1 << 62
"""Added to the code of a dense stretch; a smaller number is the position of a change within its signal."""
DENSE_X = 16
NARROW = 32
"""Code of a single known value that is shown over too few pixels to be read."""
CODE_MAX = 7


def column_edge(column: i64, whole: i64, rest: i64, pixels: i64) -> i64:
    """Begin of a column, relative to t0; `whole` and `rest` are span // pixels and span % pixels (the product with span would not fit)."""
    return column * whole + (column * rest + pixels - 1) // pixels


def column_of(time: i64, span: i64, whole: i64, rest: i64, pixels: i64) -> i64:
    """The column that holds a time (relative to t0, less than 2**63): the largest whose begin is not after it."""
    shift: i64 = 0
    while (span >> shift) >= 0x1000000000000:
        shift += 1
    column: i64 = (time >> shift) * pixels // (span >> shift)
    while column > 0 and column_edge(column, whole, rest, pixels) > time:
        column -= 1
    while column_edge(column + 1, whole, rest, pixels) <= time:
        column += 1
    return column


def first_at(times: i32, low: i32, high: i32, time: i64) -> i32:
    """The first position in [low, high) whose time is not before `time`; high if there is none."""
    while low < high:
        middle = (low + high) >> 1
        if ld64(times + middle * 8) < time:
            low = middle + 1
        else:
            high = middle
    return low


def end_of_column(times: i32, i: i32, count: i32, edge: i64) -> i32:
    """The first position after i whose time is not before `edge`: steps that double, then a binary search."""
    j = i + 1
    if j >= count or ld64(times + j * 8) >= edge:
        return j
    step = 2
    while j + step < count and ld64(times + (j + step) * 8) < edge:
        step = step * 2
    high = j + step + 1
    if high > count:
        high = count
    return first_at(times, j, high, edge)


@export
def w_window(times: i32, count: i32, xs: i32, count_x: i32, t0: i64, t1: i64, pixels: i64, narrow: i64, out_t: i32, out_v: i32) -> i32:
    """The items of a row (see `WaveIndex.window`): u64 times at `out_t`, and at `out_v` positions or DENSE + code. At most 2 · pixels + 4 items; their number is returned.

    A known value that holds for less than `narrow` is DENSE + NARROW (0: its position, however short).
    """
    span = t1 - t0
    whole = span // pixels
    rest = span % pixels
    n = 0
    i = first_at(times, 0, count, t0 + 1)
    if i > 0:
        st64(out_t, t0)
        st64(out_v, i - 1)
        n = 1
    x = 0
    pending = 0  # position + 1 of the value that holds after a dense stretch, 0 none
    pending_t: i64 = 0
    while i < count:
        t = ld64(times + i * 8)
        if t > t1:
            break
        column = column_of(t - t0, span, whole, rest, pixels)
        edge = t0 + column_edge(column + 1, whole, rest, pixels)
        j = end_of_column(times, i, count, edge)
        if j == i + 1:
            if pending > 0 and pending_t < t:
                st64(out_t + n * 8, pending_t)
                st64(out_v + n * 8, pending - 1)
                n += 1
            pending = 0
            st64(out_t + n * 8, t)
            item: i64 = i
            if narrow > 0 and j < count and ld64(times + j * 8) - t < narrow:
                while x < count_x and ld32(xs + x * 4) < i:
                    x += 1
                if x == count_x or ld32(xs + x * 4) != i:
                    item = DENSE + NARROW
            st64(out_v + n * 8, item)
            n += 1
        else:
            begin = t0 + column_edge(column, whole, rest, pixels)
            code: i64 = 1
            size = (j - i) >> 2
            while size > 0 and code < CODE_MAX:
                code += 1
                size = size >> 1
            while x < count_x and ld32(xs + x * 4) < i:
                x += 1
            if x < count_x and ld32(xs + x * 4) < j:
                code += DENSE_X
            if pending > 0 and pending_t < begin:
                st64(out_t + n * 8, pending_t)
                st64(out_v + n * 8, pending - 1)
                n += 1
                pending = 0
            if pending == 0 or n == 0 or ld64(out_v + (n - 1) * 8) != DENSE + code:
                if begin < t0:
                    begin = t0
                st64(out_t + n * 8, begin)
                st64(out_v + n * 8, DENSE + code)
                n += 1
            pending = j
            pending_t = edge
        i = j
    if pending > 0 and pending_t < t1:
        st64(out_t + n * 8, pending_t)
        st64(out_v + n * 8, pending - 1)
        n += 1
    return n


@export
def w_analog(times: i32, count: i32, refs: i32, pool: i32, t0: i64, t1: i64, pixels: i64, out_t: i32, out_low: i32, out_high: i32, out_last: i32) -> i32:
    """Per column with changes its first time, its least, greatest and last number (NaN: x). `refs`: u32 per change, the f64 in `pool` that is its number.

    At most pixels + 2 items.
    """
    span = t1 - t0
    whole = span // pixels
    rest = span % pixels
    n = 0
    i = first_at(times, 0, count, t0 + 1)
    if i > 0:
        value = ldf64(pool + ld32(refs + (i - 1) * 4) * 8)
        st64(out_t, t0)
        stf64(out_low, value)
        stf64(out_high, value)
        stf64(out_last, value)
        n = 1
    while i < count:
        t = ld64(times + i * 8)
        if t > t1:
            break
        edge = t0 + column_edge(column_of(t - t0, span, whole, rest, pixels) + 1, whole, rest, pixels)
        low: f64 = ldf64(pool + ld32(refs + i * 4) * 8)
        high: f64 = low
        last: f64 = low
        i += 1
        while i < count and ld64(times + i * 8) < edge:
            last = ldf64(pool + ld32(refs + i * 4) * 8)
            if low != low or last < low:
                low = last
            if high != high or last > high:
                high = last
            i += 1
        st64(out_t + n * 8, t)
        stf64(out_low + n * 8, low)
        stf64(out_high + n * 8, high)
        stf64(out_last + n * 8, last)
        n += 1
    return n


@export
def w_activity(times: i32, count: i32, t0: i64, span: i64, pixels: i64, out: i32) -> None:
    """Add the changes of a signal to the u64 counters of the columns at `out`; those before t0 and after the last column are left out."""
    whole = span // pixels
    rest = span % pixels
    i = first_at(times, 0, count, t0)
    while i < count:
        t = ld64(times + i * 8)
        if t - t0 >= span:
            break  # far behind the window its column would not be a small number
        column = column_of(t - t0, span, whole, rest, pixels)
        j = end_of_column(times, i, count, t0 + column_edge(column + 1, whole, rest, pixels))
        at = out + u32(column) * 8
        st64(at, u64(ld64(at) + j - i))
        i = j
