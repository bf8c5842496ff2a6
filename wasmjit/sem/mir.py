"""MIR: the scalar control-flow graph that both tiers execute.

One `Body` per definition. Every MLIR operation is lowered to MIR once (`wasmjit.sem.lower`), so what an operation means is written
down once; `wasmjit.interp` and `wasmjit.codegen` only know the operations of this page.

Values are leaves (see `docs/internals.md` §2). Integers are kept zero-extended. A `Val` with `const` set has no defining operation
and may be used anywhere. `Op.attr` holds what is not a value; its form is given with each operation below.

Integer operations (all operands and the result of one width w unless said otherwise)
  add sub mul and or xor            modulo 2**w
  divu modu divs mods               truncating; x/0 and x%0 are 0; the most negative number / -1 wraps
  shl shru shrs                     amount has the same width; amount >= w gives 0 (shrs: the sign)
  icmp    (a, b) -> I(1)            attr: eq ne slt sle sgt sge ult ule ugt uge; eq/ne also on A(n) (byte-wise)
  mux     (c: I(1), a, b)           any type, A(n) included; both sides are already evaluated
  extract (a) -> I(k)               attr: low bit; low + k <= w
  concat  (hi, ..., lo) -> I(sum)
  repl    (a) -> I(k*w)             a repeated
  zext sext                         to a wider (or equal) integer
  parity (a) -> I(1); popcount ctlz cttz (a) -> I(w)      ctlz/cttz of 0 is w modulo 2**w
Floats (F32 results are rounded to single precision)
  fadd fsub fmul fdiv frem fmin fmax fneg fabs; fcmp (a, b) -> I(1), attr: one of MLIR's predicates (oeq ogt ... une uno ord true false)
  fptosi fptoui (f) -> I(w)         toward zero, saturating at the ends of the range, NaN gives 0
  sitofp uitofp (i) -> F            correctly rounded (w <= 64; wider: through the nearest double)
  fext ftrunc; f2bits (f) -> I(32|64); bits2f (i) -> F
  fmath   (a[, b]) -> F             attr: a function of Python's `math` by name (sqrt, sin, pow, log10, floor, ceil, ...)
Images
  aget    (img, idx: I(k)) -> leaf  attr: (count, stride, off): the leaf at idx*stride+off, all-zero when idx >= count. The leaf may be an A
  aput    (img, idx, leaf...) -> A  attr: (count, stride, offs): a copy with these leaves replaced at idx*stride+off; unchanged when idx >= count
  anew    (leaf...) -> A(n)         attr: offs; everything else zero
  aslice  (img, idx) -> A(m)        attr: (count, stride): bytes [idx*stride, idx*stride+m); elements beyond count read as zero
  apack   (img) -> I(w)             attr: `Packing`; image to bit vector
  aunpack (i) -> A(n)               attr: `Packing`; bit vector to image
Memory
  ctx     () -> I(32)               the instance context of this activation;  frame () -> I(32) the frame (0 in regions and functions)
  ldt     (base: I(32)) -> leaf     attr: byte offset. Trusted: contexts, frames, control block
  stt     (base: I(32), leaf)       attr: byte offset
  ldbits  (addr: I(32), bit: I(32)) -> I(w)   w bits from bit offset `bit` counted from the byte at addr (little endian); trusted
  ld      (ptr: I(64)) -> leaf      attr: (byte offset, site). Guest load: checks GUEST_LO <= low 32 bits of ptr + offset, and the memory's end; a bad address faults at `site`
  st      (ptr: I(64), leaf)        attr: (byte offset, site). Guest store, checked alike; when the high half of ptr is not 0 it is a store to net (hi-1): done through
                                    the kernel (`k_store_net`), which wakes the listeners if the value changes (blocking assignment, IEEE 1800 §10.4.1)
  alloca  (n: I(64)) -> I(64)       attr: (element size in bytes, alignment). Guest memory, zeroed. Static n in a `process`: one frame slot area, zeroed at each execution; else shadow stack,
                                    released at return (functions) or with the frame
  memcpy (dst, src, n: I(64)) / memmove / memset (dst, byte: I(8), n: I(64))     attr: site; guest, checked
Nets
  netstore (leaf...)                attr: (k, off, offs, size[, members]). Continuous value: if any leaf differs from what lies at ctx+off+offs[i], store all, set the bits
                                    `members` of the word at CB_ISLAND (`elab.islands`), and call k_net_changed(net_base + k)
  drv     (net: I(32), addr: I(32), leaf..., [fs: I(64), delta: I(32), eps: I(32)])   attr: Drive. Schedules the leaves to be stored at addr+offs[i] of that net. Whole value of `size` bytes, padding zero.
  drvref  (ptr: I(64), bit: I(32), leaf..., [time...])   attr: Drive. As drv through a reference: high half of ptr 0 → immediate guest store; a non-constant-zero bit (only with one I(w) leaf) → bits of the leaf there
  netid   () -> I(32)               attr: k; this instance's net k
Calls
  rt      (scalars...) -> scalars   attr: name of a kernel/runtime export compiled from restricted Python (signature in `wasmjit.sched.exports`); A and wide integers are not allowed
  svc     (leaves...) -> leaves     attr: `Service`; a host service. May fault. Never suspends
  call    (leaves...) -> leaves     attr: function key (str); a function that cannot suspend
  icall   (ptr: I(64), leaves...) -> leaves   attr: `CallSite`; through a function pointer; a pointer that is no function of that signature calls the site's
                                    `fallback`; without one the results are zero and the simulator warns (see `sched.interpreter`)
  gcpoll  ()                        guest objects that nothing refers to are freed here if a collection is due (the word at POLL_PLACE is not 0)
  spawn   (leaves...) -> I(32)      attr: body key; a new process of that body with the leaves as its parameters, in the current instance; it is put on the ready queue; result: process id
Terminators (`Block.term`)
  Br CondBr Switch Ret Wait CallS Halt Fault
"""

from __future__ import annotations

from functools import cache
from typing import Any

from wasmjit.data import dataclass, field


class Ty:
    """A leaf type: kind 'i' (size = bits), 'f' (32 or 64) or 'a' (size = bytes). There is one object per type, so types are compared by identity.

    `nbytes`: size in memory (1, 2, 4, 8 or a multiple of 8 for integers). `mask`: all ones of an integer, 0 for images.
    """

    __slots__ = ("kind", "mask", "nbytes", "size")
    kind: str
    size: int
    nbytes: int
    mask: int

    def __new__(cls, kind: str, size: int) -> Ty:
        made = _TYPES.get((kind, size))
        if made is None:
            made = _TYPES[kind, size] = super().__new__(cls)
            made.kind = kind
            made.size = size
            made.nbytes = size if kind == "a" else int_bytes(size)
            made.mask = 0 if kind == "a" else (1 << size) - 1
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return Ty, (self.kind, self.size)

    def __repr__(self) -> str:
        return f"{self.kind}{self.size}"


_TYPES: dict[tuple[str, int], Ty] = {}


def int_bytes(bits: int) -> int:
    """Bytes an integer of `bits` bits takes in memory: 1, 2, 4, 8, then multiples of 8."""
    if bits <= 8:
        return 1
    if bits <= 16:
        return 2
    if bits <= 32:
        return 4
    return (bits + 63) // 64 * 8


@cache
def I(bits: int) -> Ty:  # noqa: E743  (the name is the notation of docs/internals.md)
    assert bits >= 1, bits
    return Ty("i", bits)


@cache
def A(nbytes: int) -> Ty:
    return Ty("a", nbytes)


F32 = Ty("f", 32)
F64 = Ty("f", 64)
BOOL = I(1)
I32 = I(32)
I64 = I(64)


class Val:
    """An SSA value. `const`: int (masked), float or bytes when the value is a constant."""

    __slots__ = ("const", "id", "ty")

    def __init__(self, vid: int, ty: Ty, const: int | float | bytes | None = None) -> None:
        self.id = vid
        self.ty = ty
        self.const = const

    def __repr__(self) -> str:
        return f"%{self.id}:{self.ty}" if self.const is None else f"{self.const!r}:{self.ty}"


class Op:
    __slots__ = ("args", "attr", "code", "dsts", "loc")

    def __init__(self, code: str, dsts: tuple[Val, ...], args: tuple[Val, ...], attr: Any = None, loc: Any = None) -> None:
        self.code = code
        self.dsts = dsts
        self.args = args
        self.attr = attr
        self.loc = loc

    def __repr__(self) -> str:
        d = ", ".join(map(repr, self.dsts))
        return f"{d} = {self.code}{self.args} {self.attr!r}"


@dataclass(frozen=True, slots=True)
class Packing:
    """How an image maps to bits. `count` elements of `stride` bytes and `bits` bits; leaves: (byte offset, width, low bit, Packing|None) inside an element.

    Element i occupies bits [i*bits, (i+1)*bits). A leaf with a nested Packing is an image inside the element.
    With `reverse` the element at memory offset m*stride is element count-1-m (hw.array: the leftmost element, which has the highest index, comes first in memory).
    """

    count: int
    stride: int
    bits: int
    leaves: tuple[tuple[int, int, int, Packing | None], ...]
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Drive:
    """offs: byte offset of each leaf; size: bytes of the whole value; time: (fs, delta, epsilon) if constant, else the last three args."""

    offs: tuple[int, ...]
    size: int
    time: tuple[int, int, int] | None
    nleaves: int


@dataclass(frozen=True, slots=True)
class Service:
    """A host service call site. `name` is the registered service, `data` its static data, `id` unique per run."""

    name: str
    data: Any
    id: int


@dataclass(frozen=True, slots=True)
class CallSite:
    """An indirect call. `fallback`: the function that the static type of the object has in this place of its vtable, "" if that is not visible."""

    id: int
    params: tuple[Ty, ...]
    results: tuple[Ty, ...]
    owner: str = ""
    loc: str = ""
    fallback: str = ""


def place_of(loc: Any) -> Any:
    """The place of a MIR operation, whose `loc` may be the IR operation it comes from: its place is looked up only when somebody asks."""
    return getattr(loc, "loc", loc)


class Block:
    __slots__ = ("id", "ops", "params", "term")

    def __init__(self, bid: int) -> None:
        self.id = bid
        self.params: list[Val] = []
        self.ops: list[Op] = []
        self.term: Term | None = None

    def __repr__(self) -> str:
        return f"^{self.id}"


class Term:
    __slots__ = ("loc",)
    loc: Any

    def edges(self) -> list[tuple[Block, tuple[Val, ...]]]:
        """Control-flow edges taken inside one activation: (target, arguments)."""
        return []

    def targets(self) -> list[Block]:
        """Targets of the edges and, last, the block at which a suspension continues."""
        return [b for b, _ in self.edges()]

    def uses(self) -> tuple[Val, ...]:
        """Values read by the terminator itself (edge arguments not included)."""
        return ()


class Br(Term):
    __slots__ = ("args", "target")

    def __init__(self, target: Block, args: tuple[Val, ...] = ()) -> None:
        self.target, self.args, self.loc = target, args, None

    def edges(self) -> list[tuple[Block, tuple[Val, ...]]]:
        return [(self.target, self.args)]

    def targets(self) -> list[Block]:
        return [self.target]


class CondBr(Term):
    __slots__ = ("cond", "fargs", "ftarget", "targs", "ttarget")

    def __init__(self, cond: Val, ttarget: Block, targs: tuple[Val, ...], ftarget: Block, fargs: tuple[Val, ...]) -> None:
        self.cond, self.ttarget, self.targs, self.ftarget, self.fargs, self.loc = cond, ttarget, targs, ftarget, fargs, None

    def edges(self) -> list[tuple[Block, tuple[Val, ...]]]:
        return [(self.ttarget, self.targs), (self.ftarget, self.fargs)]

    def targets(self) -> list[Block]:
        return [self.ttarget, self.ftarget]

    def uses(self) -> tuple[Val, ...]:
        return (self.cond,)


class Switch(Term):
    """cases: list of (constant, target, args); no match → default."""

    __slots__ = ("cases", "default", "dargs", "value")

    def __init__(self, value: Val, cases: list[tuple[int, Block, tuple[Val, ...]]], default: Block, dargs: tuple[Val, ...]) -> None:
        self.value, self.cases, self.default, self.dargs, self.loc = value, cases, default, dargs, None

    def edges(self) -> list[tuple[Block, tuple[Val, ...]]]:
        return [(b, a) for _, b, a in self.cases] + [(self.default, self.dargs)]

    def uses(self) -> tuple[Val, ...]:
        return (self.value,)


class Ret(Term):
    """Return from a function or a coroutine (results go to the caller's frame), or the end of a region."""

    __slots__ = ("vals",)

    def __init__(self, vals: tuple[Val, ...] = ()) -> None:
        self.vals, self.loc = vals, None

    def uses(self) -> tuple[Val, ...]:
        return self.vals


class Wait(Term):
    """Suspend; continue at `resume` (a block without parameters; `token` is its resume token, numbered from 1 in block order by `finish`).

    `sens`: index of a static sensitivity set of the body (`Body.sens_sets`), or None. `dyn`: dynamic sensitivity, triples (ptr: I(64), size in bytes, edge:
    0 any change, 1 posedge, 2 negedge of bit 0, 3 the event there is triggered, 5 any change or trigger). `time`: (fs: I(64), delta: I(32), eps: I(32)) values or None. All None/empty: blocked until the kernel wakes it (`k_wake`).
    """

    __slots__ = ("dyn", "resume", "sens", "time", "token")

    def __init__(
        self,
        resume: Block,
        sens: int | None = None,
        dyn: tuple[tuple[Val, int, int], ...] = (),
        time: tuple[Val, Val, Val] | None = None,
    ) -> None:
        self.resume, self.sens, self.dyn, self.time, self.token, self.loc = resume, sens, dyn, time, 0, None

    def targets(self) -> list[Block]:
        return [self.resume]

    def uses(self) -> tuple[Val, ...]:
        return tuple(d[0] for d in self.dyn) + (self.time or ())


class CallS(Term):
    """Call that may suspend. Callee: body key (str) or, with `site`, the function pointer in args[0]. Results arrive in `resume.params` (kept in the frame)."""

    __slots__ = ("args", "callee", "resume", "site", "token")

    def __init__(self, callee: str | None, args: tuple[Val, ...], resume: Block, site: CallSite | None = None) -> None:
        self.callee, self.args, self.resume, self.site, self.token, self.loc = callee, args, resume, site, 0, None

    def targets(self) -> list[Block]:
        return [self.resume]

    def uses(self) -> tuple[Val, ...]:
        return self.args


class Halt(Term):
    """The process ends (status DONE)."""

    __slots__ = ()

    def __init__(self) -> None:
        self.loc = None


class Fault(Term):
    """Ends the run with a simulation error; `site` names location and message."""

    __slots__ = ("site",)

    def __init__(self, site: int) -> None:
        self.site, self.loc = site, None


@dataclass(slots=True)
class FrameLayout:
    """Frame of a suspending body: byte offset of each slot. `size` in bytes, a multiple of 16. `allocas`: offset per static alloca op."""

    slots: dict[int, int] = field(default_factory=dict)
    params: list[int] = field(default_factory=list)
    results: list[int] = field(default_factory=list)
    allocas: dict[int, int] = field(default_factory=dict)
    size: int = 0


@dataclass(slots=True, eq=False)
class Body:
    """kind: 'process', 'coroutine' (a function that may suspend), 'function' or 'region'.

    `live_in[token]`: values live at that resume point, which are exactly those saved in the frame by the Wait/CallS and reloaded on entry there
    (parameters of a process or coroutine are in the frame from the start).
    """

    key: str
    kind: str
    params: list[Val] = field(default_factory=list)
    results: tuple[Ty, ...] = ()
    blocks: list[Block] = field(default_factory=list)
    sens_sets: list[Any] = field(default_factory=list)
    frame: FrameLayout | None = None
    live_in: dict[int, list[Val]] = field(default_factory=dict)
    loc: Any = None
    name: str = ""
    sens_edges: dict[int, int] = field(default_factory=dict)
    """Sensitivity sets of one net that only a change to one level of bit 0 can end: 1 high, 2 low (`elab.edges`)."""

    @property
    def suspending(self) -> bool:
        return self.kind in ("process", "coroutine")


FRAME_TOKEN, FRAME_PROC, FRAME_CHILD, FRAME_FN, FRAME_CTX, FRAME_FLAGS, FRAME_SPARE, FRAME_HEADER = 0, 4, 8, 12, 16, 20, 24, 32
CUR_PROCESS = 36
"""Control block: id of the running process (sched/control.py)."""
ENDED_PROCESS = 1224
"""Control block: id of the process that called $finish; it goes no further."""
POLL_PLACE = 536
"""Address of the word in the control block that says a collection is due (`sched.control.CB_GC_WANT`)."""
STATUS_WAIT, STATUS_DONE, STATUS_DEOPT, STATUS_FAULT = 0, 1, 2, 3
LIMB_BITS = 512
"""Integers up to this width are kept in wasm locals as 64-bit limbs; wider ones live in memory."""
FUNC_PTR_BASE = 0xF0000000
CB_X_GUARDS = 336
"""Address of the control block's counter (u64) of evaluations whose guard found unknown bits (`sem.twostate`)."""
CB_ISLAND = 328
"""Address of the control block's word with the members of the present island that are still to be evaluated (`elab.islands`)."""
CB_CUR = 32
"""Address of the control block's field: descriptor of the running process."""
PROC_WSET = 0
"""Offset in a process descriptor: static sensitivity set waited on, plus 1."""
PROC_FN = 8
"""Offset in a process descriptor: slot of the body in the function table."""
