"""seq: memories (firmem, hlmem) and FIFOs.

A memory is a net holding an array; word `a` is element `a` of an hw.array. Writes act one delta after their edge, like registers, in the order of the
text (the later port wins a word or lane, `port_order`). Read ports of firmem: latency 0 reads the present word (0 when disabled); otherwise the address
passes latency-1 stages and the word of before the edge is taken (read under write `old` or `undefined`), or it passes all stages and the word is read
behind them (`new`): what CIRCT's memory model does.
"""

from __future__ import annotations

from typing import Any

from wasmjit.data import dataclass, field
from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem.layout import Layout, layout
from wasmjit.sem.lower.core import Leaves, Lowerer, Unsupported, lowers
from wasmjit.sem.lower.observe import when
from wasmjit.sem.lower.refs import Own, Ref, drive, element, net_id, probe
from wasmjit.sem.lower.seq import CLOCKED, COMMIT, memory_type, sampled, select
from wasmjit.sem.mir import BOOL, I32, Drive, I, Ty, Val

RUW = ("undefined", "old", "new")


@dataclass(slots=True, eq=False)
class Port:
    """A read port with latency. `stages`: nets of delayed address and enable; `data`: net of the word that was taken, or None (`new`)."""

    stages: list[tuple[Own, Own]] = field(default_factory=list)
    data: Own | None = None


def source(op: Op) -> Op:
    """The memory of a port."""
    mem = op.operands[0].owner
    if not isinstance(mem, Op):
        raise Unsupported(op, "the memory of a port is not in this module")
    return mem


def latency(op: Op, kind: str) -> int:
    mem = source(op)
    return int(mem.attrs.get(f"{kind}Latency", 0)) if mem.name == "seq.firmem" else int(op.attrs.get("latency", 1))


def takes_new(op: Op) -> bool:
    ruw = source(op).attrs.get("ruw", 0)
    return (RUW[ruw] if isinstance(ruw, int) else str(ruw)) == "new"


def addresses(op: Op) -> list[Value]:
    return [op.group("address")[0]] if op.name.startswith("seq.firmem.") else list(op.group("addresses"))


def shape(op: Op) -> list[int]:
    t = source(op).results[0].type
    return [t.depth] if isinstance(t, T.FirMemType) else list(t.shape)  # type: ignore[attr-defined]


def plan_port(d: Any, op: Op) -> bool:
    """Nets of a read port, made by the analysis of the module. Returns whether the port has something to do at clock edges."""
    n = latency(op, "read")
    writes = op.name == "seq.firmem.read_write_port"
    if n == 0:
        d.memory_ports[op] = Port()
        return writes
    new = op.name != "seq.read" and takes_new(op)
    index = T.IntType(max(depth(op).bit_length(), 1))
    stages = [(d.net(index, "", "wire"), d.net(T.IntType(1), "", "wire")) for _ in range(n if new else n - 1)]
    data = None if new else d.net(op.results[0].type, "", "wire")
    d.memory_ports[op] = Port(stages, data)
    return True


def depth(op: Op) -> int:
    n = 1
    for s in shape(op):
        n *= s
    return n


# -- access ----------------------------------------------------------------------------------------------------------------------------------


def index(lw: Lowerer, op: Op) -> Val:
    """Position of the addressed word in declaration order; the number of words or more when an address is out of range."""
    words = depth(op)
    ty = I(max(words.bit_length(), 1))
    dims = shape(op)
    total: Val | None = None
    ok: Val | None = None
    for v, n in zip(addresses(op), dims, strict=True):
        leaves = lw.get(v)
        a = leaves[0] if leaves else lw.const(BOOL, 0)
        if n < 1 << a.ty.size:
            inside = lw.x("icmp", BOOL, a, lw.const(a.ty, n), attr="ult")
            ok = inside if ok is None else lw.x("and", BOOL, ok, inside)
        a = lw.resize(a, ty)
        total = a if total is None else lw.x("add", ty, lw.x("mul", ty, total, lw.const(ty, n)), a)
    if total is None:
        total = lw.const(ty, 0)
    return total if ok is None else lw.x("mux", ty, ok, total, lw.const(ty, words))


def word(lw: Lowerer, op: Op, at: Val) -> tuple[Ref, Layout]:
    """Reference to the word at a position (see `index`)."""
    mem = source(op)
    t = memory_type(mem)
    assert isinstance(t, T.ArrayType)
    lay = layout(t.elem)
    home = lw.scope.d.home[mem.results[0]]  # type: ignore[union-attr]
    backwards = lw.x("sub", at.ty, lw.const(at.ty, t.size - 1), at)
    return element(
        lw,
        Ref(home),
        lw.x("mux", at.ty, lw.x("icmp", BOOL, at, lw.const(at.ty, t.size), attr="ult"), backwards, lw.const(at.ty, t.size)),
        t.size,
        lay.size,
    ), lay


def read(lw: Lowerer, op: Op, at: Val) -> Leaves:
    ref, lay = word(lw, op, at)
    assert lw.scope is not None
    lw.scope.reads(ref.net)
    return tuple(probe(lw, ref, lay))


def net_value(lw: Lowerer, own: Own, t: T.Type) -> Leaves:
    assert lw.scope is not None
    lw.scope.reads(own)
    return tuple(probe(lw, Ref(own), layout(t)))


def schedule(lw: Lowerer, own: Own, lay: Layout, leaves: Leaves) -> None:
    addr = lw.x("add", I32, lw.x("ctx", I32), lw.i32(own.off))
    lw.do("drv", net_id(lw, Ref(own)), addr, *leaves, attr=Drive(lay.offs, lay.size, COMMIT, len(leaves)))


def zeros(lw: Lowerer, t: T.Type) -> Leaves:
    return tuple(lw.zero(ty) for ty in layout(t).leaves)


def optional(lw: Lowerer, op: Op, group: str) -> Val:
    v = op.group(group)
    return lw.one(v[0]) if v else lw.const(BOOL, 1)


def reading(lw: Lowerer, op: Op) -> Val:
    """Whether the port reads now."""
    if op.name == "seq.read":
        return optional(lw, op, "rdEn")
    enable = optional(lw, op, "enable")
    if op.name == "seq.firmem.read_write_port":
        return lw.x("and", BOOL, enable, lw.x("xor", BOOL, lw.one(op.group("mode")[0]), lw.const(BOOL, 1)))
    return enable


# -- read ports ------------------------------------------------------------------------------------------------------------------------------


@lowers("seq.firmem.read_port", "seq.firmem.read_write_port", "seq.read")
def _read_port(lw: Lowerer, op: Op) -> None:
    """The word a port shows."""
    port: Port = lw.scope.d.memory_ports[op]  # type: ignore[union-attr]
    t = op.results[0].type
    if port.data is not None:
        lw.set(op.results[0], net_value(lw, port.data, t))
        return
    if port.stages:
        at_net, en_net = port.stages[-1]
        ty = T.IntType(max(depth(op).bit_length(), 1))
        at, enable = net_value(lw, at_net, ty)[0], net_value(lw, en_net, T.IntType(1))[0]
    else:
        at, enable = index(lw, op), reading(lw, op)
    lw.set(op.results[0], select(lw, enable, read(lw, op, at), zeros(lw, t)))


def _clock_read(lw: Lowerer, d: Any, op: Op) -> None:
    """A clock edge of a read port: addresses move on, and the word is taken behind the last stage."""
    port: Port = d.memory_ports[op]
    if not port.stages and port.data is None:
        return
    at_type, bit = layout(T.IntType(max(depth(op).bit_length(), 1))), layout(T.IntType(1))
    at, enable = index(lw, op), reading(lw, op)
    for at_net, en_net in port.stages:
        ctx = lw.x("ctx", I32)
        next_at, next_enable = lw.x("ldt", at_type.leaves[0], ctx, attr=at_net.off), lw.x("ldt", BOOL, ctx, attr=en_net.off)
        schedule(lw, at_net, at_type, (at,))
        schedule(lw, en_net, bit, (enable,))
        at, enable = next_at, next_enable
    if port.data is not None:
        t = op.results[0].type
        data = read(lw, op, at)
        if op.name == "seq.read":
            own = port.data
            when(lw, enable, lambda: schedule(lw, own, layout(t), data))
        else:
            schedule(lw, port.data, layout(t), select(lw, enable, data, zeros(lw, t)))


# -- write ports -----------------------------------------------------------------------------------------------------------------------------


def delayed(lw: Lowerer, d: Any, values: list[Val], n: int) -> list[Val]:
    """The values of n edges ago (zero before the first ones)."""
    for _ in range(n):
        ctx = lw.x("ctx", I32)
        cells = [d.cell(v.ty.nbytes) for v in values]
        older = [lw.x("ldt", v.ty, ctx, attr=c) for v, c in zip(values, cells, strict=True)]
        for v, c in zip(values, cells, strict=True):
            lw.do("stt", ctx, v, attr=c)
        values = older
    return values


def _clock_write(lw: Lowerer, d: Any, op: Op) -> None:
    """A clock edge of a write port: the word, or its enabled lanes, changes `latency` edges after this one counts as the first."""
    firmem = op.name.startswith("seq.firmem.")
    data = lw.get(op.group("writeData" if op.name == "seq.firmem.read_write_port" else "data" if firmem else "inData")[0])
    enable = optional(lw, op, "enable") if firmem else lw.one(op.group("wrEn")[0])
    if op.name == "seq.firmem.read_write_port":
        enable = lw.x("and", BOOL, enable, lw.one(op.group("mode")[0]))
    mask = op.group("mask") if firmem else []
    values = [enable, index(lw, op), *data, *([lw.one(mask[0])] if mask else [])]
    values = delayed(lw, d, values, max(latency(op, "write") - 1, 0))
    enable, at = values[0], values[1]
    lanes = values[-1] if mask else None
    data = tuple(values[2 : 2 + len(data)])

    def store() -> None:
        ref, lay = word(lw, op, at)
        time = (lw.i64(COMMIT[0]), lw.i32(COMMIT[1]), lw.i32(COMMIT[2]))
        if lanes is None:
            drive(lw, ref, lay, data, time)
            return
        width = lay.leaves[0].size // lanes.ty.size
        for i in range(lanes.ty.size):
            part = lw.x("extract", I(width), data[0], attr=i * width)
            lane = Ref(ref.net, ref.ptr, ref.off, ref.dyn, lw.i32(i * width), ref.valid)
            when(
                lw,
                lw.x("extract", BOOL, lanes, attr=i),
                lambda lane=lane, part=part, w=width: drive(lw, lane, layout(T.IntType(w)), (part,), time),
            )

    when(lw, enable, store)


def _clock_read_write(lw: Lowerer, d: Any, op: Op) -> None:
    _clock_read(lw, d, op)
    _clock_write(lw, d, op)


# -- FIFOs -----------------------------------------------------------------------------------------------------------------------------------


def thresholds(op: Op) -> list[tuple[str, int]]:
    """Flags behind output, full and empty, in the order of the results."""
    names = (("almostFull", "almostFullThreshold"), ("almostEmpty", "almostEmptyThreshold"))
    return [(kind, int(op.attrs[key])) for kind, key in names if key in op.attrs and op.attrs[key] is not None]


def fifo_power_up(lw: Lowerer, op: Op, r: Value) -> Leaves:
    """An empty FIFO."""
    i = r.index
    if i == 0:
        return zeros(lw, r.type)
    if i <= 2:
        return (lw.const(BOOL, int(i == 2)),)
    kind, limit = thresholds(op)[i - 3]
    return (lw.const(BOOL, int(limit <= 0 if kind == "almostFull" else True)),)


def _fifo(lw: Lowerer, d: Any, op: Op) -> None:
    """One clock edge. Reading when empty and writing when full do nothing; a full FIFO that is read and written at once stays full.

    rdLatency 0: the output is the oldest word all the time; 1: it is the word taken by the last read.
    """
    g = op.group
    n = int(op.attrs["depth"])
    t = op.results[0].type
    lay = layout(t)
    ty = I(max(n, *(limit for _, limit in thresholds(op)), 1).bit_length())
    storage = d.storage(layout(T.ArrayType(n, t))) if n > 1 else d.storage(lay)
    head_cell, tail_cell, count_cell = (d.cell(ty.nbytes) for _ in range(3))
    ctx = lw.x("ctx", I32)
    head, tail, count = (lw.x("ldt", ty, ctx, attr=c) for c in (head_cell, tail_cell, count_cell))
    zero, one, top = lw.const(ty, 0), lw.const(ty, 1), lw.const(ty, n)
    empty = lw.x("icmp", BOOL, count, zero, attr="eq")
    full = lw.x("icmp", BOOL, count, top, attr="eq")
    rd = lw.x("and", BOOL, lw.one(g("rdEn")[0]), inverse(lw, empty))
    wr = lw.x("and", BOOL, lw.one(g("wrEn")[0]), lw.x("or", BOOL, inverse(lw, full), rd))
    rst = lw.one(g("rst")[0])
    data = lw.get(g("input")[0])

    def step(at: Val, by: Val) -> Val:
        following = lw.x("add", ty, at, one)
        wrapped = lw.x("mux", ty, lw.x("icmp", BOOL, following, top, attr="eq"), zero, following)
        return lw.x("mux", ty, rst, zero, lw.x("mux", ty, by, wrapped, at))

    def place(at: Val) -> Val:
        return lw.x("add", I32, ctx, lw.x("mul", I32, lw.resize(at, I32), lw.i32(lay.size)))

    next_head, next_tail = step(head, rd), step(tail, wr)
    more = lw.x("sub", ty, lw.x("add", ty, count, widen(lw, wr, ty)), widen(lw, rd, ty))
    next_count = lw.x("mux", ty, rst, zero, more)
    oldest = tuple(lw.x("ldt", leaf, place(head), attr=storage + o) for leaf, o in zip(lay.leaves, lay.offs, strict=True))
    following = tuple(lw.x("ldt", leaf, place(next_head), attr=storage + o) for leaf, o in zip(lay.leaves, lay.offs, strict=True))
    fresh = lw.x("and", BOOL, wr, lw.x("icmp", BOOL, tail, next_head, attr="eq"))
    if int(op.attrs.get("rdLatency", 0)):
        own = d.home[op.results[0]]
        shown = tuple(lw.x("ldt", leaf, ctx, attr=own.off + o) for leaf, o in zip(lay.leaves, lay.offs, strict=True))
        output = select(lw, rd, oldest, shown)
    else:
        output = select(lw, fresh, data, following)
    sampled(lw, d, op.results[0], output)
    sampled(lw, d, op.results[1], (lw.x("icmp", BOOL, next_count, top, attr="eq"),))
    sampled(lw, d, op.results[2], (lw.x("icmp", BOOL, next_count, zero, attr="eq"),))
    for r, (kind, limit) in zip(op.results[3:], thresholds(op), strict=True):
        sampled(lw, d, r, (lw.x("icmp", BOOL, next_count, lw.const(ty, limit), attr="uge" if kind == "almostFull" else "ule"),))

    def push() -> None:
        for leaf, o in zip(data, lay.offs, strict=True):
            lw.do("stt", place(tail), leaf, attr=storage + o)

    when(lw, wr, push)
    for cell, v in ((head_cell, next_head), (tail_cell, next_tail), (count_cell, next_count)):
        lw.do("stt", lw.x("ctx", I32), v, attr=cell)


def inverse(lw: Lowerer, v: Val) -> Val:
    return lw.x("xor", BOOL, v, lw.const(BOOL, 1))


def widen(lw: Lowerer, v: Val, ty: Ty) -> Val:
    return lw.resize(v, ty)


CLOCKED.update(
    {
        "seq.firmem.read_port": _clock_read,
        "seq.read": _clock_read,
        "seq.firmem.write_port": _clock_write,
        "seq.write": _clock_write,
        "seq.firmem.read_write_port": _clock_read_write,
        "seq.fifo": _fifo,
    }
)
