"""The control block: linear memory 0..4095 of every run, shared by the kernel, compiled code, the interpreter and the host.

Offsets are byte addresses (the block lies at address 0). Fields are u32 unless a comment says u64. Addresses 0..15 stay zero, so that a
null pointer never hits a field. "in" marks what elaboration writes before `k_init`; everything else belongs to the kernel, except the
words the host may write at any time between calls: CB_STOP, CB_ATTENTION, CB_FINISH, CB_HOST_WANT, the limits and the ring cursor.
"""

from __future__ import annotations

from wasmjit.sem import mir

CB_SIZE = 4096

# ---- time and the current activation (one cache line) ---------------------------------------------------------------------
CB_FS = 16  # u64, femtoseconds
CB_DELTA = 24
CB_EPS = 28
CB_CUR = mir.CB_CUR  # 32, descriptor address of the running process, 0 outside processes
CB_CUR_ID = mir.CUR_PROCESS  # 36, its id; REGION_DRIVER | region id while a region runs; NONE outside
CB_CUR_CTX = 40  # instance context of the running process
CB_STOP = 44  # non-zero: k_run returns after the current activation (STOP_*)
CB_EPS_BASE = 48  # drives of the next epsilon: base, cursor, end of the record vector
CB_EPS_CUR = 52
CB_EPS_END = 56
CB_DIRTY = 60  # number of dirty regions

# ---- queues ---------------------------------------------------------------------------------------------------------------
CB_READY_HEAD = 64  # first ready process
CB_READY_TAIL = 68  # last ready process, or READY_DUMMY
CB_MIN_LEVEL = 72  # address of the lowest bucket that may hold a dirty region, NONE when there is none
CB_DELTA_BASE = 76  # drives of the next delta: base, cursor, end
CB_DELTA_CUR = 80
CB_DELTA_END = 84
CB_SPARE_BASE = 88  # an empty vector, swapped with the one being applied
CB_SPARE_END = 92
CB_TOP_FS = 96  # u64, real time of the earliest slot, all ones when there is none
CB_LEFT = 104  # u64, rest of the budget of this k_run

# ---- tables (in) ----------------------------------------------------------------------------------------------------------
CB_NETS = 112
CB_N_NETS = 116
CB_PROCS = 120
CB_N_STATIC = 124
CB_COLD = 128
CB_REGIONS = 132
CB_N_REGIONS = 136
CB_LEVELS = 140
CB_N_LEVELS = 144
CB_GUEST_LO = 148
CB_HEAP_BASE = 152  # first address the heap may use, multiple of 16
CB_HEAP_LIMIT = 156  # the heap never grows beyond this address (0: only the memory's own maximum)
CB_RING_BASE = 160  # value-change ring (linear buffer; the host drains all of it and resets CB_RING_CUR to the base)
CB_RING_CUR = 164
CB_RING_END = 168

# ---- limits and requests --------------------------------------------------------------------------------------------------
CB_MAX_DELTAS = 172  # slots (delta + epsilon) per time step, 0 none
CB_MAX_STEPS = 176  # u64, activations of the whole run (and, counted apart, turns of loops), 0 none
CB_FINISH = 184  # non-zero: the current slot finishes, then k_run returns REASON_FINISHED
CB_HOST_WANT = 188  # HOST_* bits: the host wants control in these phases (each bit is cleared when it is served)
CB_HOST_PHASE = 192  # which phase REASON_HOST is about
CB_LIMIT = 196  # LIMIT_* once a limit was hit
CB_LIMIT_ID = 200  # LIMIT_LOOP: a region of the loop; LIMIT_ROUNDS: a process

# ---- first fault ----------------------------------------------------------------------------------------------------------
CB_FAULTED = 204
CB_FAULT_ADDR = 208  # u64
CB_FAULT_SITE = 216
CB_FAULT_ID = 220  # CB_CUR_ID at the fault

# ---- kernel private -------------------------------------------------------------------------------------------------------
CB_N_DYN = 224  # dynamic process descriptors made so far
CB_DYN_DIR = 228  # directory of chunks of dynamic descriptors
CB_DYN_DIR_CAP = 232
CB_PROC_FREE = 236  # free dynamic descriptors
CB_FORK = 240  # join record of the fork that is being started
CB_NODE_FREE = 244  # free dynamic-wait nodes
CB_POLL = 248  # list of waits on plain memory
CB_EVENTS = 252  # hash table of event waits
CB_SLOT_FREE = 256
CB_SLOT_LAST = 260  # slot used last
CB_SLOT_HASH = 264
CB_SLOT_HASH_BITS = 268
CB_HEAP_ARR = 272  # binary heap of slots
CB_HEAP_N = 276
CB_HEAP_CAP = 280
CB_CHANGED = 284  # ids of the traced nets changed in this time step
CB_CHANGED_N = 288
CB_CHANGED_DONE = 292
CB_ROUNDS = 296  # batches of processes run in this slot
CB_STEP_SLOTS = 300  # slots of this time step
CB_FORCES = 304
CB_EMERGENCY = 308  # where frames go when memory is exhausted
CB_LIVE_DYN = 312  # dynamic processes alive
CB_PEAK_DYN = 316
CB_ATTENTION = 320  # non-zero: k_run returns REASON_BUDGET when time has advanced; set by any thread of the host
CB_REGION = 332  # region being evaluated
CB_ISLAND = mir.CB_ISLAND  # 328: its members that are still to be evaluated (wasmjit.elab.islands)
CB_X_GUARDS = mir.CB_X_GUARDS  # 336: u64, evaluations of two-state regions that met unknown bits
CB_NEAR = 344  # the earliest slots in order (a chain through S_NEXT), number of them
CB_NEAR_N = 348
CB_JOIN_FREE = 352  # free join records
CB_APPLYING = 324  # slot of the heap being applied, 0 for the fast vectors
CB_LOOPS = 376  # u64, turns of loops without suspension; counted by code when there is a step limit

# ---- counters (u64 each) --------------------------------------------------------------------------------------------------
CB_C_ACT0 = 384  # activations by tier: interpreter, compiled, optimised, other
CB_C_ACT1 = 392
CB_C_ACT2 = 400
CB_C_ACT3 = 408
CB_C_REGIONS = 416  # region evaluations
CB_C_SLOTS = 424  # slots executed (delta cycles)
CB_C_STEPS = 432  # time steps
CB_C_DRIVES = 440  # drive records applied
CB_C_UPDATES = 448  # real changes of signals by drives and stores
CB_C_EDGES = 456  # changes of nets that somebody listens to
CB_C_WAKEUPS = 464
CB_C_DEOPTS = 472
CB_C_SPAWNS = 480
CB_C_MAX_SLOTS = 488  # most slots in one time step
CB_C_SAMPLES = 496  # records written to the value-change ring
CB_HEAP_USED = 504  # bytes in use, headers included
CB_HEAP_PEAK = 512

# ---- runtime library --------------------------------------------------------------------------------------------------------
CB_PAIR = 520  # u64, second half of a result that is a pair (intrinsics.pair)
CB_KEY = 528  # u64, an integer key that is being looked for

# ---- guest objects and their collector --------------------------------------------------------------------------------------
CB_GC_WANT = mir.POLL_PLACE  # 536; non-zero: code that polls collects
CB_OBJ_CLASSES = 540  # size classes, 0 before the first allocation
CB_OBJ_PAGES = 544  # a byte per 64 KiB of memory: 1 where a chunk lies
CB_OBJ_LO = 548  # bounds of all objects
CB_OBJ_HI = 552
CB_OBJ_DIR = 556  # addresses of all chunks, capacity, number
CB_OBJ_DIR_CAP = 560
CB_OBJ_CHUNKS = 564
CB_OBJ_POOL = 568  # empty chunks
CB_OBJ_LARGE = 572  # table of large objects, capacity, number
CB_OBJ_LARGE_CAP = 576
CB_OBJ_LARGE_N = 580
CB_GC_STACK = 584  # mark stack, capacity, number
CB_GC_STACK_CAP = 588
CB_GC_STACK_N = 592
CB_STACK_TOP = 596  # (in) end of the shadow stack
CB_STATIC_END = 600  # (in) end of globals, contexts and frames of static processes, which begin at CB_GUEST_LO
CB_GC_STRESS = 604  # (in) non-zero: every poll collects, and freed objects are overwritten
CB_GC_NEW = 608  # u64, bytes allocated since the last collection
CB_GC_LIMIT = 616  # u64, bytes of new objects at which the next one is due
CB_GC_LIVE = 624  # u64, bytes alive after the last one
CB_GC_RECLAIMED = 632  # u64, bytes freed by all of them

# ---- heap -----------------------------------------------------------------------------------------------------------------
CB_HEAP_END = 640  # end of the last segment
CB_HEAP_LAST = 644  # sentinel of the last segment
CB_HEAP_FL = 648  # bitmap of size rows with free blocks
CB_HEAP_SL = 656  # one bitmap of columns per row (32 words)
CB_SMALL = 784  # free lists of the small classes (33 words)
CB_SMALL_BUMP = 920  # cursor and end of the slab of each small class (33 pairs)
CB_GC_PEAK = 1184  # u64, most bytes of objects before a collection
CB_GC_COUNT = 1192  # u64, collections
CB_GC_HANDLES = 1200  # during marking: number of process ids, 0 when nobody asked for a handle
CB_GC_HELD = 1204  # non-zero: somebody asked for a process handle
CB_DRIVERS = 1208  # (in) non-zero: a history of drivers is kept
CB_RNG_SEED = 1212  # (in) the run's seed
CB_RNG = 1216  # state of the random number generator used outside of processes, 0 not seeded yet
CB_ENDED = mir.ENDED_PROCESS  # 1224; id of the process that called $finish last
CB_RNG_OBJECTS = 1220  # (in) non-zero: objects have random number generators of their own
CB_BINS = 1280  # rows 0..31 of 16 free-list heads (2048 bytes)
CB_SCRATCH = 3584  # 64 bytes
CB_USER = 3712  # 384 bytes for the runtime library and the host
CB_USER_END = 4096

# ---- values ---------------------------------------------------------------------------------------------------------------
NONE = 0xFFFFFFFF
NO_NET = 0xFFFFFFFF
REGION_DRIVER = 0x80000000
DYNAMIC_DRIVER = 0x40000000  # | function: a dynamic process, in the history of drivers
NEVER = 0xFFFFFFFFFFFFFFFF

REASON_FINISHED = 1  # CB_FINISH was set and the slot is over
REASON_NO_EVENTS = 2
REASON_UNTIL = 3  # the next event is later than `until`
REASON_BUDGET = 4
REASON_STOP = 5  # CB_STOP
REASON_RING = 6  # value-change ring full and not drained
REASON_HOST = 7  # CB_HOST_PHASE says which phase
REASON_LIMIT = 8  # CB_LIMIT says which limit
REASON_FAULT = 9

HOST_READ_WRITE = 1  # no more events in this time step (cbReadWriteSynch)
HOST_READ_ONLY = 2  # after the value-change flush of the time step (cbReadOnlySynch)
HOST_NEXT_TIME = 4  # time has advanced, nothing applied yet (cbNextSimTime)
HOST_AT = 8  # a time asked for by k_host_at has come (cbAfterDelay)

STOP_HOST = 1
STOP_FAULT = 2
STOP_LIMIT = 3

LIMIT_DELTAS = 1
LIMIT_LOOP = 2  # combinational loop
LIMIT_ROUNDS = 3  # processes wake each other without time passing
LIMIT_MEMORY = 4
LIMIT_STEPS = 5
LIMIT_PROCESSES = 6

FAULT_BAD_FREE = 0xFFFFFF01  # fault sites of the kernel itself
FAULT_STATUS = 0xFFFFFF02  # an activation returned FAULT (or no known status) without details
