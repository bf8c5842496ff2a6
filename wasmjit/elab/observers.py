"""Processes that only check something and never wait.

circt-verilog writes a deferred immediate assertion at module level (`assume #0 (e);`, `cover final (e);`: IEEE 1800-2017 16.4.3, equivalent to one inside
of `always_comb`) as a process that branches to itself without a wait. It means: check at the beginning, and again when the condition changes.
"""

from __future__ import annotations

from wasmjit.elab.definition import is_pure
from wasmjit.ir import Op, Value

CHECKS = frozenset({"verif.assert", "verif.assume", "verif.cover"})


def waits_for_change(process: Op) -> bool:
    """Give the endless loop of such a process its wait: the branch back becomes `llhd.wait` on what the checks use (`llhd.halt` if that is constant).

    Shape: an entry block of pure operations that branches to a block of pure operations and checks, which branches to itself without arguments.
    Returns whether the process had that shape.
    """
    blocks = process.regions[0].blocks if process.name == "llhd.process" and not process.results else []
    loop = blocks[-1] if 1 <= len(blocks) <= 2 else None
    if loop is None or loop.args or any(b.ops[-1].name != "cf.br" or list(b.ops[-1].successors) != [(loop, [])] for b in blocks):
        return False
    ops = [op for b in blocks for op in b.ops[:-1]]
    checks = [op for op in ops if op.name in CHECKS]
    if not checks or any(op.regions or not (op in checks or is_pure(op)) for op in ops) or any(op.parent is not loop for op in checks):
        return False
    observed = list(dict.fromkeys(v for op in checks for v in op.operands if not constant(v)))
    back = loop.ops[-1]
    back.operands = observed
    if observed:
        back.name = "llhd.wait"
        back.attrs = {"operandSegmentSizes": [0, 0, len(observed)]}
    else:
        back.name, back.successors = "llhd.halt", ()
    return True


def constant(v: Value) -> bool:
    """Whether a value follows from constants alone."""
    stack, seen = [v], {v}
    while stack:
        op = stack.pop().owner
        if not isinstance(op, Op) or op.regions or op.name in ("llhd.prb", "llhd.sig", "llhd.current_time", "llvm.load") or not is_pure(op):
            return False
        new = [o for o in op.operands if o not in seen]
        seen.update(new)
        stack += new
    return True
