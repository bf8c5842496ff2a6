"""Steps of assertion monitors (wasmjit.sem.sva): every evaluation attempt of a property is in a state of the property's automaton.

Attempts in the same state are one entry with a count. Transitions are looked up in the automaton's hash table; one that is not there is asked of the host
("miss": nothing has changed, the step is repeated). All records are made by the host on the first miss.
"""

from __future__ import annotations

from wasmjit.sched.control import CB_FS
from wasmjit.sched.intrinsics import export, i32, i64, ld32, ld64, st32, st64, u32, u64
from wasmjit.sched.kernel.heap import k_alloc0, k_free
from wasmjit.sched.monitorfields import (
    A_CARE,
    A_MASK,
    A_POS,
    A_TABLE,
    D_STATE,
    FIRST,
    H_CODE,
    H_LETTER,
    H_SIZE,
    H_STATE,
    KILL,
    L_COUNT,
    L_SINCE,
    L_SIZE,
    L_STATE,
    M_AUTOMATON,
    M_CAP,
    M_COUNT,
    M_DISABLED,
    M_FAILED,
    M_FAILING,
    M_LETTER,
    M_LIST,
    M_MISS_LETTER,
    M_MISS_STATE,
    M_NEXT,
    M_PASSED,
    M_SINCE,
    M_STARTED,
    M_VACUOUS,
    NO_START,
    PASS,
    VACUOUS,
)


def transition(automaton: i32, state: i32, letter: i64) -> i32:
    """Code of a transition, 0 if it is not known."""
    key = letter & ld64(ld32(automaton + A_CARE) + state * 8)
    mask = ld32(automaton + A_MASK)
    table = ld32(automaton + A_TABLE)
    h = u64(key ^ (key >> 32))
    i = (u32(h) * 73 + (u32(h) >> 7) + state * 31) & mask
    while True:
        e = table + i * H_SIZE
        s = ld32(e + H_STATE)
        if s == 0:
            return 0
        if s == state + 1 and ld64(e + H_LETTER) == key:
            return ld32(e + H_CODE)
        i = (i + 1) & mask


def miss(m: i32, state: i32, letter: i64) -> None:
    st32(m + M_MISS_STATE, state)
    st64(m + M_MISS_LETTER, letter)


def enter(m: i32, n: i32, state: i32, count: i32, since: i64) -> i32:
    """Add attempts to the list being made, which has n entries; returns its new length."""
    pos = ld32(ld32(m + M_AUTOMATON) + A_POS) + state * 4
    base = ld32(m + M_NEXT)
    at = ld32(pos)
    e = base + at * L_SIZE
    if at < n and ld32(e + L_STATE) == state:
        st32(e + L_COUNT, u32(ld32(e + L_COUNT) + count))
        return n
    st32(pos, n)
    e = base + n * L_SIZE
    st32(e + L_STATE, state)
    st32(e + L_COUNT, count)
    st64(e + L_SINCE, since)
    return n + 1


def room(m: i32, n: i32) -> i32:
    """Make both lists long enough for n entries: 0 when memory is exhausted."""
    cap = ld32(m + M_CAP)
    if n <= cap:
        return 1
    more = cap * 2 if cap else 8
    a = k_alloc0(more * L_SIZE)
    b = k_alloc0(more * L_SIZE)
    if a == 0 or b == 0:
        return 0
    old = ld32(m + M_LIST)
    for i in range(ld32(m + M_COUNT) * (L_SIZE // 8)):
        st64(a + i * 8, ld64(old + i * 8))
    if old:
        k_free(old)
        k_free(ld32(m + M_NEXT))
    st32(m + M_LIST, a)
    st32(m + M_NEXT, b)
    st32(m + M_CAP, more)
    return 1


@export
def k_monitor_step(m: i32, letter: i64, flags: i32) -> i32:
    """One tick of an assertion: 0 done, 1 a transition is missing, 2 attempts failed (M_FAILING)."""
    automaton = ld32(m + M_AUTOMATON)
    count = ld32(m + M_COUNT)
    if automaton == 0:
        miss(m, 0, letter)
        return 1
    if room(m, count + 1) == 0:
        return 0
    now = ld64(CB_FS)
    old = ld32(m + M_LIST)
    if flags & KILL:
        count = 0
    n = 0
    passed: i64 = 0
    vacuous: i64 = 0
    failing = 0
    since = now
    last = count
    if flags & NO_START == 0:
        last = count + 1
    for i in range(last):
        state = 0
        many = 1
        began = now
        if i < count:
            e = old + i * L_SIZE
            state = ld32(e + L_STATE)
            many = ld32(e + L_COUNT)
            began = ld64(e + L_SINCE)
        code = transition(automaton, state, letter)
        if code == 0:
            miss(m, state, letter)
            return 1
        if code >= FIRST:
            n = enter(m, n, code - FIRST, many, began)
        elif code == PASS:
            passed = passed + many
        elif code == VACUOUS:
            vacuous = vacuous + many
        else:
            if failing == 0:
                since = began
            failing = u32(failing + many)
    if flags & KILL:
        killed = ld32(m + M_COUNT)
        for i in range(killed):
            st64(m + M_DISABLED, ld64(m + M_DISABLED) + ld32(old + i * L_SIZE + L_COUNT))
    if flags & NO_START == 0:
        st64(m + M_STARTED, ld64(m + M_STARTED) + 1)
    st32(m + M_LIST, ld32(m + M_NEXT))
    st32(m + M_NEXT, old)
    st32(m + M_COUNT, n)
    st64(m + M_PASSED, ld64(m + M_PASSED) + passed)
    st64(m + M_VACUOUS, ld64(m + M_VACUOUS) + vacuous)
    st64(m + M_FAILED, ld64(m + M_FAILED) + failing)
    st32(m + M_FAILING, failing)
    st64(m + M_SINCE, since)
    st64(m + M_LETTER, letter)
    return 2 if failing else 0


@export
def k_monitor_endpoint(m: i32, letter: i64) -> i32:
    """One tick of a detector: 1 the sequence has an end now, 0 not, 2 a transition is missing."""
    automaton = ld32(m + M_AUTOMATON)
    state = ld32(m + D_STATE)
    code = 0
    if automaton:
        code = transition(automaton, state, letter)
    if code == 0:
        miss(m, state, letter)
        return 2
    st32(m + D_STATE, (code - 1) >> 1)
    return (code - 1) & 1
