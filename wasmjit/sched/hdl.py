"""Signals by hierarchical name, and UVM's backdoor access to them (`uvm_hdl_deposit`, `uvm_hdl_read`, `uvm_hdl_force` ...; UVM 1.2 class reference §C.2).

A name is a path of instances and a signal in the last one, absolute or relative to the calling instance, with constant selects behind it: array elements
first, then at most one bit or part select of a vector.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wasmjit.data import dataclass
from wasmjit.ir import types as T
from wasmjit.runtime.services import string_value, text
from wasmjit.sched import control as cb
from wasmjit.sched.tracing import array_ranges, bounds, signals
from wasmjit.sem.layout import layout
from wasmjit.sem.mir import Ty

if TYPE_CHECKING:
    from wasmjit.elab.design import Instance
    from wasmjit.sched.simulation import Simulation

SELECT = re.compile(r"\[\s*(-?\d+)\s*(?::\s*(-?\d+)\s*)?\]")


@dataclass(frozen=True, slots=True)
class Place:
    """Bits [low, low + width) of the integer at `address` in a net; `unknown`: address of its unknown bits, 0 for a two-state one."""

    net: int
    address: int
    low: int
    width: int
    unknown: int


class Names:
    """Finds signals of the elaborated design."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.instances = {inst.path: inst for inst in sim.elab.instances}

    def find(self, name: str, scope: str = "") -> Place | None:
        """The place of a name seen from the instance of path `scope`; None when there is nothing of that name with a value in bits."""
        base = SELECT.sub("", name)
        selects = [(int(a), int(b) if b else None) for a, b in SELECT.findall(name)]
        for path in (base, f"{scope}.{base}" if scope else base):
            owner, _, leaf = path.rpartition(".")
            inst = self.instances.get(owner)
            if inst is not None:
                return self.signal(inst, leaf, selects)
        return None

    def signal(self, inst: Instance, name: str, selects: list[tuple[int, int | None]]) -> Place | None:
        for n, ref, t in signals(inst, False):
            if n != name:
                continue
            owner, own, off, bit = self.sim.elab.resolve(inst, ref)
            if own is None:
                return None
            ranges = array_ranges(inst.definition.op.attrs, name)
            return place(owner.net_base + own.k, owner.ctx + own.off + off, bit, t.elem if isinstance(t, T.RefType) else t, bounds(inst, name), ranges, selects)
        return None


def place(
    net: int, address: int, low: int, t: T.Type, declared: tuple[int, int] | None, ranges: list[tuple[int, int]], selects: list[tuple[int, int | None]]
) -> Place | None:
    """Follow selects into a value of type t. `declared`: bounds of the vector, `ranges`: of the unpacked dimensions, as far as they are known."""
    selects, ranges = list(selects), list(ranges)
    while isinstance(t, T.ArrayType) and selects:
        index, last = selects.pop(0)
        left, right = ranges.pop(0) if ranges else (t.size - 1, 0)
        at = index - left if right >= left else left - index  # the leftmost element comes first in memory
        if last is not None or not 0 <= at < t.size:
            return None
        address += at * layout(t.elem).size
        t = t.elem
    unknown = 0
    if isinstance(t, T.StructType) and [n for n, _ in t.fields] == ["value", "unknown"]:
        lay = layout(t)
        if len(lay.leaves) != 2:
            return None
        unknown = address + lay.offs[1]
        t = t.fields[0][1]
    if not isinstance(t, T.IntType):
        return None
    width = t.width
    if selects:
        first, second = selects.pop(0)
        positions = [position(i, width, declared) for i in (first, first if second is None else second)]
        if selects or min(positions) < 0 or max(positions) >= width:
            return None
        low, width = low + min(positions), max(positions) - min(positions) + 1
    return Place(net, address, low, width, unknown)


def position(index: int, width: int, declared: tuple[int, int] | None) -> int:
    """Bit number, counted from the least significant, of an index of the vector."""
    left, right = declared or (width - 1, 0)
    return index - right if left >= right else right - index


# -- reading and writing -------------------------------------------------------------------------------------------------------------------


def read(sim: Simulation, p: Place) -> tuple[int, int]:
    """(value, unknown) of a place."""

    def bits(address: int) -> int:
        n = (p.low + p.width + 7) // 8
        return int.from_bytes(sim.memory.u8[address : address + n], "little") >> p.low & ((1 << p.width) - 1)

    return bits(p.address), bits(p.unknown) if p.unknown else 0


def write(sim: Simulation, p: Place, value: int, unknown: int, export: str = "k_store_net_bits") -> None:
    """Store (or with k_force_bits force) value and unknown bits; a two-state place gets 0 for unknown bits."""
    call = sim.kernel.call[export]
    parts = [(p.address, value if p.unknown else value & ~unknown)]
    if p.unknown:
        parts.append((p.unknown, unknown))
    for address, bits in parts:
        for low in range(0, p.width, 64):
            n = min(64, p.width - low)
            call(p.net, address, p.low + low, n, bits >> low & ((1 << n) - 1))


def release(sim: Simulation, p: Place) -> None:
    for address in (p.address, p.unknown):
        for low in range(0, p.width if address else 0, 64):
            sim.kernel.call["k_release_bits"](p.net, address, p.low + low, min(64, p.width - low), 1)


# -- UVM -----------------------------------------------------------------------------------------------------------------------------------

Signature = tuple[tuple[Ty, ...], tuple[Ty, ...]]
Made = Callable[..., tuple[Any, ...]]


def lookup(sim: Simulation, leaves: tuple[Any, ...]) -> Place | None:
    """The place named by the string in the first two leaves; a warning when there is none."""
    name = text(string_value(sim.runtime, leaves[0], leaves[1]))
    if sim.names is None:
        sim.names = Names(sim)
    found = sim.names.find(name, sim.instance_at(sim.memory.u32[cb.CB_CUR_CTX >> 2]))
    if found is None:
        sim.runtime.warn(f"uvm_hdl: there is no signal {name!r}")
    return found


def _store(export: str) -> Callable[[Simulation, Signature], Made]:
    def make(sim: Simulation, _: Signature) -> Made:
        def run(*leaves: Any) -> tuple[Any, ...]:
            p = lookup(sim, leaves)
            if p is None:
                return (0,)
            write(sim, p, leaves[2], leaves[3] if len(leaves) > 3 else 0, export)
            return (1,)

        return run

    return make


def _check_path(sim: Simulation, _: Signature) -> Made:
    def run(*leaves: Any) -> tuple[Any, ...]:
        return (int(lookup(sim, leaves) is not None),)

    return run


def _release(sim: Simulation, _: Signature) -> Made:
    def run(*leaves: Any) -> tuple[Any, ...]:
        p = lookup(sim, leaves)
        if p is not None:
            release(sim, p)
        return (int(p is not None),)

    return run


def _read(name: str, releases: bool) -> Callable[[Simulation, Signature], Made]:
    def make(sim: Simulation, _: Signature) -> Made:
        result = argument_type(sim, name)

        def run(*leaves: Any) -> tuple[Any, ...]:
            p = lookup(sim, leaves)
            if p is None:
                return (0,)
            if releases:
                release(sim, p)
            value, unknown = read(sim, p)
            store_result(sim, leaves[2], result, p.width, value, unknown)
            return (1,)

        return run

    return make


def argument_type(sim: Simulation, name: str) -> T.Type | None:
    """What the last argument of a declared function refers to, None for a bare pointer."""
    op = sim.design.symbols.get(name)
    t = op.attrs["function_type"].inputs[-1] if op is not None and isinstance(op.attrs.get("function_type"), T.FunctionType) else None
    return t.elem if isinstance(t, T.RefType) else None


def store_result(sim: Simulation, ptr: int, t: T.Type | None, width: int, value: int, unknown: int) -> None:
    """Store a value through the pointer of an output argument of type t; without a type, as many bytes as the signal's value has."""
    rt = sim.runtime
    lay = layout(t if t is not None else T.IntType(width))
    parts = (value, unknown) if len(lay.leaves) == 2 else (value & ~unknown,)
    for ty, off, bits in zip(lay.leaves, lay.offs, parts, strict=True):
        rt.store_bytes(ptr + off, (bits & ty.mask).to_bytes(ty.nbytes, "little"))


SERVICES: dict[str, Callable[[Any, Any], Made]] = {
    "uvm_hdl_check_path": _check_path,
    "uvm_hdl_deposit": _store("k_store_net_bits"),
    "uvm_hdl_force": _store("k_force_bits"),
    "uvm_hdl_release": _release,
    "uvm_hdl_read": _read("uvm_hdl_read", False),
    "uvm_hdl_release_and_read": _read("uvm_hdl_release_and_read", True),
}
