"""Partial assignments written as read-modify-write.

`v[15:8] <= x` reaches us as a drive of the whole of v whose other bits are those of a probe of v. Scheduled as a whole, two such assignments in one
time step would undo each other (the later one writes back bits it read before the earlier one took effect), which SystemVerilog does not mean
(IEEE 1800 §10.4.2: each nonblocking assignment updates its own bits). So bits that provably pass through from a probe of the driven reference are
left out of a scheduled drive.
"""

from __future__ import annotations

from wasmjit.data import dataclass
from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem.layout import layout, leaf_slice

MAX_OPS = 200


@dataclass(frozen=True, slots=True)
class Segment:
    """`width` bits: kind 'c' (constant `value`), 'p' (bits [src, src+width) of leaf `leaf` of the driven storage) or 'o' (anything else)."""

    kind: str
    width: int
    value: int = 0
    leaf: int = 0
    src: int = 0


Bits = list[Segment]
"""Least significant segment first."""


def cut(bits: Bits, low: int, width: int) -> Bits:
    out: Bits = []
    pos = 0
    for s in bits:
        a, b = max(low, pos), min(low + width, pos + s.width)
        if a < b:
            skip = a - pos
            out.append(Segment(s.kind, b - a, s.value >> skip & ((1 << (b - a)) - 1), s.leaf, s.src + skip))
        pos += s.width
    return out


def zip_segments(a: Bits, b: Bits) -> list[tuple[Segment, Segment]]:
    """Both cut at each other's borders."""
    borders = sorted({*_borders(a), *_borders(b)})
    out = []
    for lo, hi in zip(borders, borders[1:], strict=False):
        out.append((cut(a, lo, hi - lo)[0], cut(b, lo, hi - lo)[0]))
    return out


def _borders(bits: Bits) -> list[int]:
    out, pos = [0], 0
    for s in bits:
        pos += s.width
        out.append(pos)
    return out


def constant_runs(value: int, width: int) -> list[tuple[int, int]]:
    """(bit, run length) of a constant, least significant first."""
    out: list[tuple[int, int]] = []
    pos = 0
    while pos < width:
        bit = value >> pos & 1
        n = 1
        while pos + n < width and (value >> (pos + n) & 1) == bit:
            n += 1
        out.append((bit, n))
        pos += n
    return out


class Tracer:
    """Finds where the bits of a value come from, relative to probes of one reference."""

    def __init__(self, ref: Value) -> None:
        self.ref = ref
        self.memo: dict[tuple[Value, int], Bits] = {}
        self.count = 0

    def leaves(self, v: Value) -> list[Bits]:
        """Bits of every leaf of v ('o' where unknown)."""
        ts = layout(v.type).leaves
        return [self.leaf(v, i) if ty.kind == "i" else [Segment("o", ty.nbytes * 8)] for i, ty in enumerate(ts)]

    def leaf(self, v: Value, i: int) -> Bits:
        key = (v, i)
        got = self.memo.get(key)
        if got is None:
            self.count += 1
            width = layout(v.type).leaves[i].size
            got = self.memo[key] = self.trace(v, i, width) if self.count < MAX_OPS else [Segment("o", width)]
        return got

    def trace(self, v: Value, i: int, width: int) -> Bits:
        other = [Segment("o", width)]
        op = v.owner
        if not isinstance(op, Op):
            return other
        match op.name:
            case "hw.constant":
                return [Segment("c", width, int(op.attrs["value"]) & ((1 << width) - 1))]
            case "llhd.prb":
                return [Segment("p", width, 0, i, 0)] if op.operands[0] is self.ref else other
            case "hw.struct_create":
                for o in op.operands:
                    n = len(layout(o.type).leaves)
                    if i < n:
                        return self.leaf(o, i) if layout(o.type).leaves[i].kind == "i" else other
                    i -= n
                return other
            case "hw.struct_extract":
                t = op.operands[0].type
                if isinstance(t, T.StructType):
                    f = op.attrs["fieldIndex"] if "fieldIndex" in op.attrs else op.attrs["field"]
                    index = f if isinstance(f, int) else [n for n, _ in t.fields].index(str(f))
                    first, _ = leaf_slice([ft for _, ft in t.fields], index)
                    return self.leaf(op.operands[0], first + i)
                return other
            case "comb.extract":
                return cut(self.leaf(op.operands[0], 0), int(op.attrs["lowBit"]), width)
            case "comb.concat":
                out: Bits = []
                for o in reversed(op.operands):
                    out += self.leaf(o, 0)
                return out
            case "comb.and" | "comb.or" if len(op.operands) == 2:
                return self.mask(op, self.leaf(op.operands[0], 0), self.leaf(op.operands[1], 0))
        return other

    @staticmethod
    def mask(op: Op, a: Bits, b: Bits) -> Bits:
        keep = 1 if op.name == "comb.and" else 0
        out: Bits = []
        for x, y in zip_segments(a, b):
            if x.kind == "c":
                x, y = y, x
            if y.kind != "c":
                out.append(Segment("o", x.width))
                continue
            pos = 0
            for bit, n in constant_runs(y.value, y.width):
                if bit == keep:
                    out += cut([x], pos, n)
                else:
                    out.append(Segment("c", n, 0 if keep else (1 << n) - 1))
                pos += n
        return out


def driven_ranges(value: Value, ref: Value) -> list[list[tuple[int, int]]] | None:
    """For each leaf the (low bit, width) ranges that a drive of `value` to `ref` really assigns; None when it assigns everything."""
    tracer = Tracer(ref)
    out: list[list[tuple[int, int]]] = []
    partial = False
    for i, bits in enumerate(tracer.leaves(value)):
        ranges: list[tuple[int, int]] = []
        pos = 0
        for s in bits:
            if s.kind == "p" and s.leaf == i and s.src == pos:
                partial = True
            elif ranges and ranges[-1][0] + ranges[-1][1] == pos:
                ranges[-1] = (ranges[-1][0], ranges[-1][1] + s.width)
            else:
                ranges.append((pos, s.width))
            pos += s.width
        out.append(ranges)
    return out if partial else None
