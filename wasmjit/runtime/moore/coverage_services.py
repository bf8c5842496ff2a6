"""Covergroup calls of a design (model: `coverage`). A covergroup's handle is the address of a small guest block."""

from __future__ import annotations

import struct

from wasmjit.runtime.moore.coverage import Bin, BinsOf, Covergroup, Coverpoint, Cross, CrossBin
from wasmjit.runtime.moore.layouts import COVER_HEADER, COVER_MAGIC, CROSS_FILTER_SIZE
from wasmjit.runtime.services import M32, M64, Runtime, SimFault, checked_len, cstring, s32, s64, service, text

MAX_POINTS = 1 << 16


def group(rt: Runtime, handle: int) -> Covergroup:
    found = rt.host.coverage.groups.get(handle)
    if found is None:
        raise SimFault("access to a null covergroup" if not handle else f"{handle:#x} is no covergroup", handle)
    return found


def point(rt: Runtime, handle: int, index: int) -> Coverpoint:
    g, i = group(rt, handle), s32(index)
    if not 0 <= i < len(g.points):
        raise SimFault(f"covergroup {g.name} has no coverpoint {i}", handle)
    return g.points[i]


def cross(rt: Runtime, handle: int, index: int) -> Cross:
    g, i = group(rt, handle), s32(index)
    if not 0 <= i < len(g.crosses):
        raise SimFault(f"covergroup {g.name} has no cross {i}", handle)
    return g.crosses[i]


@service("__moore_covergroup_create", "pi", "p")
def covergroup_create(rt: Runtime, name: int, count: int) -> int:
    n = checked_len(s32(count), "number of coverpoints", MAX_POINTS)
    handle = rt.alloc_fixed(COVER_HEADER)
    rt.write(handle, COVER_MAGIC.to_bytes(8, "little"))
    rt.host.coverage.groups[handle] = Covergroup(text(cstring(rt, name)), [Coverpoint(f"cp{i}") for i in range(n)])
    return handle


@service("__moore_covergroup_destroy", "p")
def covergroup_destroy(rt: Runtime, handle: int) -> None:
    if handle:
        group(rt, handle)
        del rt.host.coverage.groups[handle]


@service("__moore_coverpoint_init", "pip")
def coverpoint_init(rt: Runtime, handle: int, index: int, name: int) -> None:
    point(rt, handle, index).name = text(cstring(rt, name))


@service("__moore_coverpoint_init_with_width", "pipi")
def coverpoint_init_with_width(rt: Runtime, handle: int, index: int, name: int, width: int) -> None:
    p = point(rt, handle, index)
    p.name, p.width = text(cstring(rt, name)), max(1, s32(width))


def _bin(rt: Runtime, name: int, kind: int, low: int, high: int) -> Bin:
    return Bin(text(cstring(rt, name)), s32(kind), s64(low), s64(high))


@service("__moore_coverpoint_add_bin", "pipill")
def coverpoint_add_bin(rt: Runtime, handle: int, index: int, name: int, kind: int, low: int, high: int) -> None:
    """kind 0 value, 1 range, 2 wildcard (pattern, mask of bits that do not matter)."""
    point(rt, handle, index).bins.append(_bin(rt, name, kind, low, high))


@service("__moore_coverpoint_add_ignore_bin", "pipll")
def coverpoint_add_ignore_bin(rt: Runtime, handle: int, index: int, name: int, low: int, high: int) -> None:
    point(rt, handle, index).ignore.append(_bin(rt, name, 1, low, high))


@service("__moore_coverpoint_add_illegal_bin", "pipll")
def coverpoint_add_illegal_bin(rt: Runtime, handle: int, index: int, name: int, low: int, high: int) -> None:
    point(rt, handle, index).illegal.append(_bin(rt, name, 1, low, high))


@service("__moore_coverpoint_sample", "pil")
def coverpoint_sample(rt: Runtime, handle: int, index: int, value: int) -> None:
    g, p = group(rt, handle), point(rt, handle, index)
    if g.enabled and rt.host.coverage.enabled and not p.sample(s64(value)):
        rt.severity("error")
        rt.warn(f"illegal bin hit: covergroup {g.name}, coverpoint {p.name}, value {s64(value)}")


def _sample_crosses(rt: Runtime, handle: int, values: int, count: int, mask: bytes | None) -> None:
    g, n = group(rt, handle), checked_len(s32(count), "number of sampled values", MAX_POINTS)
    if not g.crosses or not g.enabled or not rt.host.coverage.enabled:
        return
    sampled = struct.unpack(f"<{n}q", rt.read(values, 8 * n)) if n else ()
    for c in g.crosses:
        if all(p < n and (mask is None or mask[p]) for p in c.points) and not c.sample(g.points, sampled):
            rt.severity("error")
            rt.warn(f"illegal bin hit: covergroup {g.name}, cross {c.name}")


@service("__moore_cross_sample", "ppi")
def cross_sample(rt: Runtime, handle: int, values: int, count: int) -> None:
    """`values`: one i64 for each coverpoint."""
    _sample_crosses(rt, handle, values, count, None)


@service("__moore_cross_sample_masked", "pppi")
def cross_sample_masked(rt: Runtime, handle: int, values: int, mask: int, count: int) -> None:
    """`mask`: one byte for each coverpoint, 0 where it was not sampled (`iff`, unknown value): its crosses are not sampled either."""
    n = checked_len(s32(count), "number of sampled values", MAX_POINTS)
    _sample_crosses(rt, handle, values, count, rt.read(mask, n) if n else b"")


@service("__moore_cross_create", "pppi", "i")
def cross_create(rt: Runtime, handle: int, name: int, points: int, count: int) -> int:
    g, n = group(rt, handle), checked_len(s32(count), "number of crossed coverpoints", 64)
    indices = struct.unpack(f"<{n}i", rt.read(points, 4 * n)) if n else ()
    if any(not 0 <= i < len(g.points) for i in indices):
        raise SimFault(f"cross of coverpoints {indices}: covergroup {g.name} has {len(g.points)}", handle)
    g.crosses.append(Cross(text(cstring(rt, name)), tuple(indices)))
    return len(g.crosses) - 1


_FILTER = struct.Struct("<i4xQi4xQi4xQiB3x")


@service("__moore_cross_add_named_bin", "pipipi", "i")
def cross_add_named_bin(rt: Runtime, handle: int, index: int, name: int, kind: int, filters: int, count: int) -> int:
    """kind 0 bins, 1 ignore_bins, 2 illegal_bins; the filters (`layouts.CROSS_FILTER_SIZE`) are and-ed; their coverpoint is an index
    within the cross."""
    c, n = cross(rt, handle, index), checked_len(s32(count), "number of binsof filters", 1024)
    found = []
    for i in range(n):
        at, bins, n_bins, values, n_values, ranges, n_ranges, negate = _FILTER.unpack(
            rt.read(filters + CROSS_FILTER_SIZE * i, CROSS_FILTER_SIZE)
        )
        nb, nv, nr = (checked_len(k, "length of a binsof filter", 1 << 16) for k in (n_bins, n_values, n_ranges))
        flat = struct.unpack(f"<{2 * nr}q", rt.read(ranges, 16 * nr)) if nr and ranges else ()
        if not 0 <= at < len(c.points):
            raise SimFault(f"cross {c.name} has no coverpoint {at}", handle)
        found.append(
            BinsOf(
                c.points[at],
                struct.unpack(f"<{nb}i", rt.read(bins, 4 * nb)) if nb and bins else (),
                struct.unpack(f"<{nv}q", rt.read(values, 8 * nv)) if nv and values else (),
                tuple(zip(flat[::2], flat[1::2], strict=True)),
                bool(negate & 1),
            )
        )
    c.bins.append(CrossBin(text(cstring(rt, name)), s32(kind), tuple(found)))
    return len(c.bins) - 1


@service("__moore_cross_get_bins_hit", "pi", "l")
def cross_get_bins_hit(rt: Runtime, handle: int, index: int) -> int:
    return len(cross(rt, handle, index).seen)


@service("__moore_cross_get_coverage", "pi", "d")
def cross_get_coverage(rt: Runtime, handle: int, index: int) -> float:
    """Of what was seen so far (see `Cross.of_seen`); the covergroup's own coverage counts all bins of the cross."""
    g = group(rt, handle)
    return cross(rt, handle, index).of_seen(g.points, g.at_least)


@service("__moore_cross_get_inst_coverage", "pi", "d")
def cross_get_inst_coverage(rt: Runtime, handle: int, index: int) -> float:
    return cross_get_coverage(rt, handle, index)


@service("__moore_cross_get_named_bin_hits", "pii", "l")
def cross_get_named_bin_hits(rt: Runtime, handle: int, index: int, bin_index: int) -> int:
    bins, i = cross(rt, handle, index).bins, s32(bin_index)
    return bins[i].hits if 0 <= i < len(bins) else 0


@service("__moore_coverpoint_get_coverage", "pi", "d")
def coverpoint_get_coverage(rt: Runtime, handle: int, index: int) -> float:
    return point(rt, handle, index).coverage(group(rt, handle).at_least)


@service("__moore_coverpoint_get_inst_coverage", "pi", "d")
def coverpoint_get_inst_coverage(rt: Runtime, handle: int, index: int) -> float:
    return coverpoint_get_coverage(rt, handle, index)


@service("__moore_coverpoint_get_bin_hits", "pii", "l")
def coverpoint_get_bin_hits(rt: Runtime, handle: int, index: int, bin_index: int) -> int:
    bins, i = point(rt, handle, index).bins, s32(bin_index)
    return bins[i].hits & M64 if 0 <= i < len(bins) else 0


@service("__moore_covergroup_get_inst_coverage", "p", "d")
def covergroup_get_inst_coverage(rt: Runtime, handle: int) -> float:
    return group(rt, handle).coverage()


@service("__moore_covergroup_get_coverage", "p", "d")
def covergroup_get_coverage(rt: Runtime, handle: int) -> float:
    """Of the type, over all its instances."""
    db = rt.host.coverage
    return db.type_coverage(db.types()[group(rt, handle).name])


@service("__moore_covergroup_sample", "p")
def covergroup_sample(rt: Runtime, handle: int) -> None:
    """Sampling proper is done coverpoint by coverpoint; this only checks the handle."""
    group(rt, handle)


@service("__moore_coverage_get_total", "", "d")
def coverage_get_total(rt: Runtime) -> float:
    return rt.host.coverage.total()


@service("__moore_uvm_get_coverage", "", "d")
def uvm_get_coverage(rt: Runtime) -> float:
    return rt.host.coverage.total()


@service("__moore_coverage_get_max", "i", "i")
def coverage_get_max(rt: Runtime, kind: int) -> int:
    """`$coverage_get_max` (§20.14.2.3): the most that can be covered; at least 1."""
    db = rt.host.coverage
    return max(1, sum(p.covered(g.at_least)[1] for g in db.groups.values() for p in g.points)) & M32


OK, ERROR = 1, M32


@service("__moore_coverage_control", "ii", "i")
def coverage_control(rt: Runtime, control: int, kind: int) -> int:
    """`$coverage_control` (§20.14.1): 1 start, 2 stop, 3 reset, 4 check; 1 is `SV_COV_OK`."""
    db, what = rt.host.coverage, s32(control)
    if what in (1, 2):
        db.enabled = what == 1
    elif what == 3:
        for g in db.groups.values():
            for p in g.points:
                p.hits = p.illegal_hits = 0
                p.auto_hits.clear()
                for b in p.bins:
                    b.hits = 0
            for c in g.crosses:
                c.seen.clear()
                c.illegal_hits = 0
                for named in c.bins:
                    named.hits = 0
    elif what != 4:
        return ERROR
    return OK


# ---------------------------------------------------------------------------------------------------------------------------------
# Options (§19.7)


@service("__moore_covergroup_set_weight", "pl")
def covergroup_set_weight(rt: Runtime, handle: int, weight: int) -> None:
    group(rt, handle).weight = max(0, s64(weight))


@service("__moore_covergroup_set_goal", "pd")
def covergroup_set_goal(rt: Runtime, handle: int, goal: float) -> None:
    group(rt, handle).goal = goal


@service("__moore_covergroup_set_comment", "pp")
def covergroup_set_comment(rt: Runtime, handle: int, comment: int) -> None:
    group(rt, handle).comment = text(cstring(rt, comment))


@service("__moore_covergroup_set_at_least", "pl")
def covergroup_set_at_least(rt: Runtime, handle: int, count: int) -> None:
    group(rt, handle).at_least = max(1, s64(count))


@service("__moore_covergroup_set_per_instance", "pb")
def covergroup_set_per_instance(rt: Runtime, handle: int, flag: int) -> None:
    group(rt, handle).per_instance = bool(flag & 1)


@service("__moore_coverpoint_set_weight", "pil")
def coverpoint_set_weight(rt: Runtime, handle: int, index: int, weight: int) -> None:
    point(rt, handle, index).weight = max(0, s64(weight))


@service("__moore_coverpoint_set_goal", "pid")
def coverpoint_set_goal(rt: Runtime, handle: int, index: int, goal: float) -> None:
    point(rt, handle, index).goal = goal


@service("__moore_coverpoint_set_comment", "pip")
def coverpoint_set_comment(rt: Runtime, handle: int, index: int, comment: int) -> None:
    point(rt, handle, index).comment = text(cstring(rt, comment))


@service("__moore_coverpoint_set_at_least", "pil")
def coverpoint_set_at_least(rt: Runtime, handle: int, index: int, count: int) -> None:
    point(rt, handle, index).at_least = max(0, s64(count))


@service("__moore_coverpoint_set_auto_bin_max", "pil")
def coverpoint_set_auto_bin_max(rt: Runtime, handle: int, index: int, count: int) -> None:
    point(rt, handle, index).auto_bin_max = max(1, min(s64(count), 1 << 16))
