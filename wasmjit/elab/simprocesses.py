"""Event-driven operations of the sim dialect: they become those of LLHD that mean the same.

`sim.process` with `sim.suspend` is `llhd.process` with `llhd.wait`, `sim.comb_process` is `llhd.combinational`, `sim.drive` of a reference is `llhd.drv`.
A suspension that names neither values nor a delay goes on in the next delta.
"""

from __future__ import annotations

from typing import Any

from wasmjit.ir import Block, Op, TimeAttr, Value
from wasmjit.ir import types as T
from wasmjit.sem.unsupported import Unsupported

PROCESSES = {"sim.process": "llhd.process", "sim.comb_process": "llhd.combinational"}
EVENT_OPS = frozenset({*PROCESSES, "sim.suspend", "sim.yield", "sim.drive"})
REGIONS = {"active": (0, 0), "inactive": (0, 1), "nba": (1, 0)}
"""(delta, epsilon) that a suspension in a scheduling region waits at least."""
MODES = {"blocking": (0, 1), "nonblocking": (1, 0)}
"""(delta, epsilon) after which a drive without a delay acts."""


def rewrite_event_ops(body: Block) -> None:
    """Replace these operations in a module body and in the processes among them."""
    for op in list(body.ops):
        if op.name in PROCESSES:
            made = taken_over(op, PROCESSES[op.name], [], dict(op.attrs))
            made.regions = op.regions
            body.ops[body.ops.index(op)] = made
            for region in made.regions:
                region.parent = made
                for block in region.blocks:
                    rewrite_event_ops(block)
        elif op.name == "sim.drive":
            drive(body, op)
        elif op.name == "sim.suspend":
            wait(body, op)
        elif op.name == "sim.yield":
            body.ops[body.ops.index(op)] = taken_over(op, "llhd.yield", list(op.operands), {})


def taken_over(op: Op, name: str, operands: list[Value], attrs: dict[str, Any]) -> Op:
    """Another operation in the place of `op`, with its results and successors."""
    made = Op(name, operands, attrs, pos=op._pos, src=op._src, parent=op.parent, sloc=op._sloc, results=op.results, successors=op.successors)
    for r in made.results:
        r.owner = made
    return made


def time_before(block: Block, op: Op, fs: int, delta: int, epsilon: int) -> Value:
    """A constant time in front of an operation."""
    made = Op("llhd.constant_time", [], {"value": TimeAttr(fs, delta, epsilon)}, pos=op._pos, src=op._src, parent=block, sloc=op._sloc)
    made.results = [Value(T.TIME, made, 0, "")]
    block.ops.insert(block.ops.index(op), made)
    return made.results[0]


def drive(block: Block, op: Op) -> None:
    signal = op.operands[0]
    if not isinstance(signal.type, T.RefType):
        raise Unsupported(op, f"'{op.name}' of a value of type {signal.type}; expected a reference")
    mode = str(op.attrs.get("mode", "blocking"))
    if mode not in MODES or "strength" in op.attrs:
        raise Unsupported(op, f"a drive of mode '{mode}'" + (" with a strength" if "strength" in op.attrs else ""))
    fs = int(op.attrs.get("delayFemtoseconds", 0))
    time = time_before(block, op, fs, *((0, 0) if fs and mode == "blocking" else MODES[mode]))
    block.ops[block.ops.index(op)] = taken_over(op, "llhd.drv", [signal, op.operands[1], time], {})


def wait(block: Block, suspend: Op) -> None:
    where = str(suspend.attrs.get("region", "active"))
    if where not in REGIONS:
        raise Unsupported(suspend, f"a suspension in the scheduling region '{where}'")
    yields, observed = suspend.group("yieldOperands"), suspend.group("observed")
    delta, epsilon = REGIONS[where]
    fs = suspend.attrs.get("delayFemtoseconds")
    delay: list[Value] = []
    if fs is not None or where != "active" or not observed:
        if fs is None and where == "active":
            delta = 1
        delay = [time_before(block, suspend, int(fs or 0), delta, epsilon)]
    attrs = {"operandSegmentSizes": [len(yields), len(delay), len(observed)]}
    block.ops[-1] = taken_over(suspend, "llhd.wait", [*yields, *delay, *observed], attrs)
