"""Layouts of the kernel's descriptors: field offsets in bytes (u32 unless noted). See `tables.py` for the writers."""

from __future__ import annotations

from wasmjit.sem import mir

# ---- net, 32 bytes ----------------------------------------------------------------------------------------------------------
N_ADDR = 0
N_BYTES = 4  # size of the value in bytes
N_FAN = 8  # static fan-out entries
N_FAN_COUNT = 12
N_DYN = 16  # last node of the circular list of dynamic waits
N_FLAGS = 20
N_DRIVER = 24  # CB_CUR_ID of whoever changed the net last
N_ENTRY = 28  # its change entry in the slot being applied (valid only if that entry names this net)
N_SIZE = 32
N_SHIFT = 5

NF_LISTENED = 1  # has static fan-out
NF_DYN = 2  # may have dynamic waiters
NF_TRACED = 4
NF_FORCED = 8
NF_WATCHED = 16  # call h_net_change on every change
NF_CHANGED = 32  # traced and already on the list of this time step
NF_SOLE = 64  # all of its static fan-out is one region, without a filter
NF_SLOW = 0x16  # NF_DYN | NF_TRACED | NF_WATCHED

# ---- fan-out entry, 8 bytes: target (process descriptor, or region descriptor + 1), sensitivity set + 1 (processes) or edge filter (regions) ----
F_TARGET = 0  # regions: descriptor + 1; processes: descriptor | FILTER_* << EDGE_SHIFT
EDGE_SHIFT = 1
F_SET = 4  # processes: sensitivity set + 1; regions: FILTER_* | members of an island << SET_SHIFT
SET_SHIFT = 2
F_SIZE = 8
FILTER_NONE = 0  # region entries: evaluate on every change ...
FILTER_HIGH = 1  # ... only if bit 0 of the net is 1 now
FILTER_LOW = 2  # ... only if it is 0

# ---- process, hot part, 64 bytes ----------------------------------------------------------------------------------------------
P_WSET = mir.PROC_WSET  # 0: static sensitivity set waited on, plus 1; 0 none
P_STATE = 4
P_FN = mir.PROC_FN  # 8
P_CTX = 12
P_FRAME = 16
P_NEXT = 20  # ready queue or free list
P_ID = 24
P_ARMED = 28  # ARM_* bits: whatever makes a wake-up or the end of an activation more than the usual
P_ACT = 32  # u64, activations; its low half is the generation of the current wait
P_SLOT = 40  # slot of the timed wait, 0 none
P_DYN = 44  # nodes of dynamic waits
P_COLD = 48
P_BODY = 52  # body id (for reports)
P_FLAGS = 56
P_COUNTER = 60  # address of the activation counter of its tier
P_SIZE = 64
P_SHIFT = 6

PF_DYNAMIC = 1
PF_FINAL = 2  # llhd.final: runs in k_final only

READY_DUMMY = 44  # CB_READY_HEAD - P_NEXT: the tail of an empty ready queue

ST_FREE = 0
ST_READY = 1
ST_RUNNING = 2
ST_WAITING = 3
ST_DONE = 4
ST_KILLED = 5
ST_HELD = 6  # suspended while on the ready queue
ST_DEAD = 7  # killed while on the ready queue
ST_DYING = 8  # killed while running
ST_DORMANT = 9  # llhd.final before k_final
ST_OVER = 10  # ended while on the ready queue

ARM_TIME = 1
ARM_DYN = 2
ARM_QUEUE = 4
ARM_JOIN = 8
ARM_FORK = 16
ARM_SUSPENDED = 32
ARM_DEFERRED = 64  # woken while suspended
ARM_PENDING = 128  # woken while running
ARM_ATTENTION = 224  # SUSPENDED | DEFERRED | PENDING

# ---- process, cold part, 64 bytes ----------------------------------------------------------------------------------------------
C_PARENT = 0
C_CHILD = 4  # first child
C_NEXT = 8  # siblings
C_PREV = 12
C_JOIN = 16  # join record this process reports to
C_REFS = 20  # handles held
C_HANDLE_SEEN = 0x80000000  # in C_REFS during a collection: the handle was found
C_AWAIT = 24  # wait queue (head, tail) of processes awaiting the end
C_QNEXT = 32
C_QPREV = 36
C_QUEUE = 40  # wait queue it is blocked on
C_CHILDREN = 44  # immediate children alive
C_QARG = 48  # u64, what it asks of the wait queue (semaphore keys, ...)
C_WAIT_JOIN = 56  # join record it is blocked on
C_ADOPTED = 60  # its own parent has ended: no longer an immediate child
C_BLOCK = 64  # number of the named fork this process is a branch of, 0 none
C_RNG = 68  # state of the process's random number generator, 0 not seeded yet
C_SIZE = 80

# ---- region instance, 32 bytes ------------------------------------------------------------------------------------------------
R_FN = 0  # head of a gang: compiled code for all of its regions, 0 none
R_CTX = 4  # head of a gang: its first region
R_LEVEL = 8  # address of its level bucket; of a region in a gang: of the gang's head
R_NEXT = 12  # in its bucket; of a region in a gang: the next one there
R_DIRTY = 16  # members to be evaluated: 1 for a region that is no island, all bits for everything
ALL_MEMBERS = 0xFFFFFFFF
R_ISLAND = 20  # an island: a bit per member (of the work word CB_ISLAND); a gang: see below
R_EVALS = 24  # u64
R_PENDING = 24  # head of a gang: its commit is scheduled
R_SIZE = 32
R_SHIFT = 5

# ---- gangs: regions of many instances that are evaluated together, as one entry of fan-out and bucket. The head has a descriptor behind those of all regions;
# R_ISLAND of the head is GANG, of a region in the gang GANGED; R_CTX of the head is the address of the first region, R_NEXT of a region that of the next one (0: none).
GANG = 0x80000000
GANGED = 0x40000000
SOME_OF_GANG = 1  # R_DIRTY of the head: those regions whose own R_DIRTY is set
ALL_OF_GANG = 3  # ... all of them

# ---- level bucket, 8 bytes: head, tail (tail of an empty one: bucket - R_NEXT) -----------------------------------------------
L_HEAD = 0
L_TAIL = 4
L_SIZE = 8

# ---- drive record, 32 bytes ------------------------------------------------------------------------------------------------------
D_NET = 0  # DK_WAKE: the process descriptor
D_ADDR = 4
D_KIND = 8
D_DRIVER = 12
D_VAL = 16  # u64; DK_MEM: address of the payload, then its size; DK_WAKE: generation
D_LEN = 20
D_LINK = 24  # while applied: the previous entry of the same net
D_SIZE = 32

DK_MEM = 16
DK_WAKE = 17
DK_COMMIT = 18  # D_NET: descriptor of a region to be evaluated in that slot
DK_BITS = 32  # | bit << 8 | width << 16

# ---- slot of the time wheel, 48 bytes --------------------------------------------------------------------------------------------
S_NEXT = 0  # near: the next later one; in the heap: next of the hash bucket; free list
S_INDEX = 4  # position in the heap, NEAR for one of the earliest
S_FS = 8  # u64
S_DELTA = 16
S_EPS = 20
S_BASE = 24  # record vector: base, cursor, end
S_CUR = 28
S_END = 32
S_LIVE = 36  # records that still mean something
S_HOST = 40  # the host wants control here
S_BUCKET = 44  # its hash bucket while in the heap
S_SIZE = 48

# ---- record vector: base, cursor, end --------------------------------------------------------------------------------------------
V_BASE = 0
V_CUR = 4
V_END = 8

# ---- dynamic wait node, 64 bytes ------------------------------------------------------------------------------------------------
W_NEXT = 0
W_PREV = 4
W_HEAD = 8  # address of the list head
W_PROC = 12  # 0 when free
W_PNEXT = 16  # next node of the same process
W_ADDR = 20
W_BYTES = 24
W_EDGE = 28
W_OLD = 32  # u64
W_COPY = 40  # heap copy of an old value of more than 8 bytes
W_HIT = 44  # chain of nodes to wake
W_SIZE = 48

EDGE_ANY = 0
EDGE_POS = 1
EDGE_NEG = 2
EDGE_REGION = 4  # no process: the region at W_ADDR is evaluated after any change of the net
EDGE_EVENT = 3  # the event at W_ADDR is triggered (k_mem_event)
EDGE_EITHER = 5  # any change, or a trigger: on the list of a net; in plain memory it is two nodes

# ---- join record, 32 bytes --------------------------------------------------------------------------------------------------------
J_KIND = 0
J_LEFT = 4  # children that have not ended
J_DONE = 8
J_WAITER = 12
J_REFS = 16
J_NAME = 20  # number of a named fork
J_SIZE = 32

JOIN_ALL = 0
JOIN_ANY = 1
JOIN_NONE = 2

# ---- force record, 32 bytes: the net's forced bits, forced values and driven value, `bytes` each -----------------------------------
O_NEXT = 0
O_NET = 4
O_MASK = 8
O_VALUE = 12
O_DRIVEN = 16
O_BYTES = 20
O_SIZE = 32

# ---- frame header (docs/internals.md §4) ----------------------------------------------------------------------------------------
FR_TOKEN = 0
FR_PROC = 4
FR_CHILD = 8
FR_FN = 12
FR_CTX = 16
FR_HEADER = 32

CHUNK_SHIFT = 10
CHUNK = 1024  # dynamic descriptors per chunk
EVENT_BUCKETS = 4096
