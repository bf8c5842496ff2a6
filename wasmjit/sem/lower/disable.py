"""Named blocks, and `disable` of them (IEEE 1800 §9.6.2).

circt-verilog turns a `disable` into a branch when the block encloses it in the same process. What is left as `sim.disable` names a fork (`sim.fork name "x"`) whose
branches end, wherever they are, or the task that it stands in. The names of other blocks are not in the MLIR.
"""

from __future__ import annotations

import re

from wasmjit.ir import Op
from wasmjit.sem import mir
from wasmjit.sem.lower.control import inline_region
from wasmjit.sem.lower.core import Lowerer, Unsupported, lowers, outermost
from wasmjit.sem.mir import BOOL, I32, Val

BLOCKS = "named blocks"
END = "sim.named_block.terminator"


@lowers("sim.named_block")
def _named_block(lw: Lowerer, op: Op) -> None:
    done = lw.new_block()
    outer = lw.extra.get(BLOCKS, ())
    lw.extra[BLOCKS] = (*outer, (op, done))
    inline_region(lw, op.regions[0], [], END, done)
    lw.extra[BLOCKS] = outer
    lw.b.set_block(done)


@lowers(END)
def _end(lw: Lowerer, op: Op) -> None:
    lw.b.terminate(mir.Br(lw.extra[END], ()))


@lowers("sim.disable", suspends=True)
def _disable(lw: Lowerer, op: Op) -> None:
    name = str(op.attrs["target"])
    for block, done in reversed(lw.extra.get(BLOCKS, ())):
        if block.attrs["blockName"] == name:
            lw.b.terminate(mir.Br(done, ()))
            lw.b.set_block(lw.new_block())
            return
    fork = target_fork(op, name)
    if fork is not None:
        own = lw.i32(0) if outermost(fork).name != "hw.module" else lw.x("rt", I32, attr="k_context")
        end_if(lw, lw.x("rt", I32, lw.i32(fork_number(lw, fork)), own, attr="k_disable"))
    elif lw.kind in ("function", "coroutine") and outermost(op).attrs.get("sym_name", "").rpartition("::")[2] == name:
        lw.b.terminate(mir.Ret(tuple(lw.zero(ty) for ty in lw.b.body.results)))
        lw.b.set_block(lw.new_block())
    else:
        raise Unsupported(op, f'nothing that can be disabled is called "{name}": the MLIR has no fork of that name, and no block or task of that name around this operation')


def end_if(lw: Lowerer, dies: Val) -> None:
    """End the activation if the running process has just been killed. (A plain call goes on to its end, and the process ends where it would wait next.)"""
    if lw.kind not in ("process", "coroutine"):
        return
    stop, after = lw.new_block(), lw.new_block()
    lw.b.terminate(mir.CondBr(lw.x("icmp", BOOL, dies, lw.i32(0), attr="ne"), stop, (), after, ()))
    lw.b.set_block(stop)
    lw.b.terminate(mir.Wait(after))
    lw.b.set_block(after)


# ---- which fork is meant -----------------------------------------------------------------------------------------------------------


def fork_number(lw: Lowerer, fork: Op) -> int:
    """Number of a named fork in this design, from 1."""
    numbers: dict[Op, int] = lw.program.analyses.setdefault("named forks", {})
    return numbers.setdefault(fork, len(numbers) + 1)


def forks_below(root: Op, name: str) -> list[Op]:
    found = []
    work = [b for r in root.regions for b in r.blocks]
    while work:
        for op in work.pop().ops:
            work += [b for r in op.regions for b in r.blocks]
            if op.name == "sim.fork" and op.attrs.get("name") == name:
                found.append(op)
    return found


def target_fork(op: Op, name: str) -> Op | None:
    """The fork that `disable name` means: the innermost around it, else the one in the same function or module, else the only one of the design."""
    outer = op
    while outer.parent is not None and isinstance(outer.parent.region.parent, Op):
        outer = outer.parent.region.parent
        if outer.name == "sim.fork" and outer.attrs.get("name") == name:
            return outer
    root = outermost(op)
    found = forks_below(root, name)
    if not found and root.parent is not None:
        mention = re.compile(rf'\bsim\.fork\b[^{{\n]*"{re.escape(name)}"|"sim\.fork"')
        for other in root.parent.ops:
            if other is not root and other.regions and mention.search(text_of(other)):
                found += forks_below(other, name)
    if len(found) > 1:
        raise Unsupported(op, f'{len(found)} forks are called "{name}"; the MLIR does not say which of them is to be disabled')
    return found[0] if found else None


def text_of(op: Op) -> str:
    """Text of a top-level operation up to the next one."""
    ops = op.parent.ops if op.parent is not None else []
    later = [o.text_pos for o in ops if o.text_pos > op.text_pos]
    source = op._src
    return source.text[op.text_pos : min(later, default=len(source.text))] if source is not None else ""
