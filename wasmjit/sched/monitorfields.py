"""Offsets in the records of assertion monitors and codes of their transitions: for the kernel (`kernel/monitor.py`) and the host (`monitors.py`)."""

from __future__ import annotations

# ---- automaton record: hash table, capacity - 1, masks (u64 per state), positions (u32 per state) -----------------------------------
A_TABLE = 0
A_MASK = 4
A_CARE = 8
A_POS = 12
A_SIZE = 16

H_LETTER = 0  # u64
H_STATE = 8  # state + 1, 0 free
H_CODE = 12
H_SIZE = 16

# ---- monitor ---------------------------------------------------------------------------------------------------------------------------
M_AUTOMATON = 0
M_LIST = 4
M_COUNT = 8
M_CAP = 12
M_NEXT = 16  # the list being made
M_MISS_STATE = 20
M_MISS_LETTER = 24  # u64
M_PASSED = 32  # u64 counts of attempts: nonvacuous successes, failures, vacuous successes, disabled, begun
M_FAILED = 40
M_VACUOUS = 48
M_DISABLED = 56
M_STARTED = 64
M_FAILING = 72  # attempts that failed with this step
M_SINCE = 80  # u64, when the oldest of them began
M_LETTER = 88  # u64, letter of the last step

L_STATE = 0
L_COUNT = 4
L_SINCE = 8  # u64
L_SIZE = 16

D_STATE = 4  # detector: automaton as in a monitor, state, miss fields as in a monitor

PASS = 1
VACUOUS = 2
FAIL = 3
FIRST = 4
KILL = 1
NO_START = 2
