"""Writers of the kernel's descriptor tables: what elaboration fills in before `k_init`.

    t = KernelTables()
    clk = t.nets.add(addr, 1)
    p = t.procs.add(fn, ctx, frame, body=7)
    r = t.regions.add(fn, ctx, level=0)
    t.fanout.proc(clk, p, sens_set=0)
    t.fanout.region(clk, r)
    image = t.build()                     # addresses are fixed from here on
    image.write(memory.u8, guest_lo=image.end, heap_base=..., ring=(base, size))

Everything is 32-bit little endian; layouts are in `descriptors.py`. Ids are dense from 0.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import MutableSequence

from wasmjit.data import dataclass, field
from wasmjit.sched import control as cb
from wasmjit.sched import descriptors as d

TABLES_BASE = cb.CB_SIZE


def _words(n: int) -> array[int]:
    return array("I", bytes(4 * n))


def _align(x: int, n: int = 64) -> int:
    return (x + n - 1) & -n


@dataclass(slots=True)
class NetTable:
    """Nets: a signal, or a wire of continuous logic with readers outside its region."""

    addr: list[int] = field(default_factory=list)
    size: list[int] = field(default_factory=list)
    traced: set[int] = field(default_factory=set)
    watched: set[int] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.addr)

    def add(self, addr: int, size: int, *, traced: bool = False) -> int:
        """A net of `size` bytes at `addr`; its id."""
        self.addr.append(addr)
        self.size.append(size)
        net = len(self.addr) - 1
        if traced:
            self.traced.add(net)
        return net

    def add_range(self, addrs: list[int], sizes: list[int]) -> int:
        """Many nets at once; the id of the first."""
        first = len(self.addr)
        self.addr.extend(addrs)
        self.size.extend(sizes)
        return first


@dataclass(slots=True)
class ProcTable:
    """Static processes. The frame header (token 0, process id, table index, context) is written by `TableImage.write`."""

    rows: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, fn: int, ctx: int, frame: int, *, body: int = 0, final: bool = False, tier: int = 0) -> int:
        """A process running table entry `fn`; its id. final: an `llhd.final` body. tier: 0 interpreter, 1 compiled, 2 optimised."""
        self.rows.append((fn, ctx, frame, body, d.PF_FINAL if final else 0, cb.CB_C_ACT0 + 8 * tier))
        return len(self.rows) - 1


@dataclass(slots=True)
class RegionTable:
    """Region instances; they are evaluated by ascending level, and at time 0 by (level, id)."""

    rows: list[tuple[int, int, int, int]] = field(default_factory=list)
    gangs: list[tuple[list[int], int]] = field(default_factory=list)
    """(regions, level): those that are evaluated together."""

    def __len__(self) -> int:
        return len(self.rows) + len(self.gangs)

    def gang(self, regions: list[int], level: int) -> int:
        """Have these regions evaluated together, in this order; the id to name in fan-out. After all regions have been added."""
        self.gangs.append((regions, level))
        return len(self) - 1

    def add(self, fn: int, ctx: int, level: int, *, members: int = 0) -> int:
        """A region instance; its id. members: of an island, a bit each."""
        self.rows.append((fn, ctx, level, members))
        return len(self.rows) - 1


@dataclass(slots=True)
class FanoutBuilder:
    """Static fan-out: who is told when a net changes, in the order of the calls. The same entry twice counts once."""

    entries: dict[int, dict[tuple[bool, int, int], None]] = field(default_factory=dict)
    loud: set[int] = field(default_factory=set)
    """Nets whose changes the kernel must be told of; the others are only read by the island that makes them."""

    def proc(self, net: int, proc: int, sens_set: int, edge: int = 0) -> None:
        """`proc` wakes on a change of `net` while it waits on its sensitivity set `sens_set`; with an edge filter only on changes to that level of bit 0."""
        self.entries.setdefault(net, {})[False, proc, sens_set << d.SET_SHIFT | edge] = None
        self.loud.add(net)

    def region(self, net: int, region: int, edge: int = 0, mask: int = 1, internal: bool = False) -> None:
        """`region` is evaluated after a change of `net`; with an edge filter (descriptors.FILTER_*) only after changes to that level of bit 0.

        mask: members of an island that are to be evaluated (30 bits). internal: the island itself makes the net, and sets these bits when it does.
        """
        self.entries.setdefault(net, {})[True, region, edge | mask << d.SET_SHIFT] = None
        if not internal:
            self.loud.add(net)


@dataclass(frozen=True, slots=True)
class TableImage:
    """The tables as bytes, to be placed at `base`. `end`: first address behind them."""

    base: int
    data: bytes
    end: int
    fields: dict[int, int]
    frames: tuple[tuple[int, int, int, int], ...]

    def write(
        self,
        mem: MutableSequence[int] | memoryview,
        *,
        guest_lo: int,
        heap_base: int,
        heap_limit: int = 0,
        ring: tuple[int, int] | None = None,
        max_deltas: int = 10000,
        max_steps: int = 0,
    ) -> None:
        """Write tables, control block and frame headers of the static processes. heap_base is rounded up to 16. ring: (address, bytes) of the value-change ring."""
        view = memoryview(mem)  # type: ignore[arg-type]
        view[self.base : self.end] = self.data
        ring_base, ring_size = ring or (0, 0)
        fields = {
            **self.fields,
            cb.CB_GUEST_LO: guest_lo,
            cb.CB_HEAP_BASE: _align(heap_base, 16),
            cb.CB_HEAP_LIMIT: heap_limit,
            cb.CB_RING_BASE: ring_base,
            cb.CB_RING_CUR: ring_base,
            cb.CB_RING_END: ring_base + ring_size,
            cb.CB_MAX_DELTAS: max_deltas,
        }
        for offset, value in fields.items():
            view[offset : offset + 4] = value.to_bytes(4, "little")
        view[cb.CB_MAX_STEPS : cb.CB_MAX_STEPS + 8] = max_steps.to_bytes(8, "little")
        for proc, fn, ctx, frame in self.frames:
            for offset, value in ((d.FR_PROC, proc), (d.FR_FN, fn), (d.FR_CTX, ctx)):
                view[frame + offset : frame + offset + 4] = value.to_bytes(4, "little")


class KernelTables:
    """All descriptor tables of a design."""

    def __init__(self) -> None:
        self.nets = NetTable()
        self.procs = ProcTable()
        self.regions = RegionTable()
        self.fanout = FanoutBuilder()

    def size(self) -> int:
        """Bytes the tables take (with the present contents)."""
        return sum(self._sizes())

    def _sizes(self) -> tuple[int, ...]:
        entries = sum(map(len, self.fanout.entries.values()))
        levels = max((r[2] for r in self.regions.rows), default=-1) + 1
        return (
            _align(len(self.procs) * d.P_SIZE),
            _align(len(self.nets) * d.N_SIZE),
            _align(len(self.regions) * d.R_SIZE),
            _align(entries * d.F_SIZE),
            _align(levels * d.L_SIZE),
            _align(len(self.procs) * d.C_SIZE),
        )

    def build(self, base: int = TABLES_BASE) -> TableImage:
        """Lay the tables out from `base` (a multiple of 64)."""
        if base % 64:
            raise ValueError(f"tables must start at a multiple of 64, not {base:#x}")
        sizes = self._sizes()
        starts = [base + sum(sizes[:i]) for i in range(len(sizes))]
        procs_at, nets_at, regions_at, fan_at, levels_at, cold_at = starts
        fan, fan_spans = self._fanout_words(procs_at, regions_at, fan_at)
        parts = (
            self._proc_words(),
            self._net_words(fan_spans),
            self._region_words(regions_at, levels_at),
            fan,
            _words(sizes[4] // 4),
            _words(sizes[5] // 4),
        )
        data = b"".join(_bytes(words).ljust(size, b"\0") for words, size in zip(parts, sizes, strict=True))
        levels = max((r[2] for r in self.regions.rows), default=-1) + 1
        fields = {
            cb.CB_NETS: nets_at,
            cb.CB_N_NETS: len(self.nets),
            cb.CB_PROCS: procs_at,
            cb.CB_N_STATIC: len(self.procs),
            cb.CB_COLD: cold_at,
            cb.CB_REGIONS: regions_at,
            cb.CB_N_REGIONS: len(self.regions),
            cb.CB_LEVELS: levels_at,
            cb.CB_N_LEVELS: levels,
        }
        frames = tuple((i, row[0], row[1], row[2]) for i, row in enumerate(self.procs.rows) if row[2])
        return TableImage(base, data, base + sum(sizes), fields, frames)

    def _fanout_words(self, procs_at: int, regions_at: int, fan_at: int) -> tuple[array[int], dict[int, tuple[int, int]]]:
        words: array[int] = array("I")
        spans: dict[int, tuple[int, int]] = {}
        for net, entries in self.fanout.entries.items():
            spans[net] = (fan_at + len(words) * 4, len(entries))
            for is_region, target, sens_set in entries:
                if is_region:
                    words.extend((regions_at + target * d.R_SIZE + 1, sens_set))
                else:
                    words.extend((procs_at + target * d.P_SIZE | (sens_set & 3) << d.EDGE_SHIFT, (sens_set >> d.SET_SHIFT) + 1))
        return words, spans

    def _net_words(self, spans: dict[int, tuple[int, int]]) -> array[int]:
        n = len(self.nets)
        words = _words(n * (d.N_SIZE // 4))
        step = d.N_SIZE // 4
        words[d.N_ADDR // 4 :: step] = array("I", self.nets.addr)
        words[d.N_BYTES // 4 :: step] = array("I", self.nets.size)
        words[d.N_DRIVER // 4 :: step] = array("I", [cb.NONE]) * n
        for net, (at, count) in spans.items():
            words[net * step + d.N_FAN // 4] = at
            words[net * step + d.N_FAN_COUNT // 4] = count
            if net in self.fanout.loud:
                ((is_region, _, word), *others) = self.fanout.entries[net]
                sole = is_region and not others and word & 3 == d.FILTER_NONE
                words[net * step + d.N_FLAGS // 4] = d.NF_LISTENED | (d.NF_SOLE if sole else 0)
        for net in self.nets.traced:
            words[net * step + d.N_FLAGS // 4] |= d.NF_TRACED
        for net in self.nets.watched:
            words[net * step + d.N_FLAGS // 4] |= d.NF_WATCHED
        return words

    def _proc_words(self) -> array[int]:
        words = _words(len(self.procs) * (d.P_SIZE // 4))
        step = d.P_SIZE // 4
        for offset, column in zip((d.P_FN, d.P_CTX, d.P_FRAME, d.P_BODY, d.P_FLAGS, d.P_COUNTER), zip(*self.procs.rows, strict=True), strict=False):
            words[offset // 4 :: step] = array("I", column)
        return words

    def _region_words(self, regions_at: int, levels_at: int) -> array[int]:
        words = _words(len(self.regions) * (d.R_SIZE // 4))
        step = d.R_SIZE // 4
        for i, (fn, ctx, level, members) in enumerate(self.regions.rows):
            words[i * step + d.R_FN // 4] = fn
            words[i * step + d.R_CTX // 4] = ctx
            words[i * step + d.R_LEVEL // 4] = levels_at + level * d.L_SIZE
            words[i * step + d.R_ISLAND // 4] = members
        for k, (regions, level) in enumerate(self.regions.gangs):
            head = len(self.regions.rows) + k
            words[head * step + d.R_LEVEL // 4] = levels_at + level * d.L_SIZE
            words[head * step + d.R_ISLAND // 4] = d.GANG
            words[head * step + d.R_CTX // 4] = regions_at + regions[0] * d.R_SIZE
            for i, following in zip(regions, [*regions[1:], -1], strict=True):
                words[i * step + d.R_LEVEL // 4] = regions_at + head * d.R_SIZE
                words[i * step + d.R_ISLAND // 4] = d.GANGED
                words[i * step + d.R_NEXT // 4] = regions_at + following * d.R_SIZE if following >= 0 else 0
        return words


def _bytes(words: array[int]) -> bytes:
    if sys.byteorder == "big":
        words = array("I", words)
        words.byteswap()
    return words.tobytes()
