"""Code that evaluates a gang: one body for the regions of many instances, in a loop (`elab.gangs`, `sched.kernel.settle.evaluate_gang`).

The function takes the address of the first region's descriptor and whether all of them are due (else those whose own R_DIRTY is set), and returns how many it
evaluated. Its local 0 is the instance context, as in the function of a single region; what that function does at its return is a step to the next region here.
"""

from __future__ import annotations

from ..sem.mir import CUR_PROCESS, Block, Body, Op, Ret
from . import wasm as W
from .calls import runtime_call
from .emit import Emitter, lowers
from .structure import BR_JUMP, END_JUMP, Jump
from .wasm import GET, SET, i32_const, i64_const, memarg

R_CTX, R_LEVEL, R_NEXT, R_DIRTY, R_ISLAND, R_EVALS, R_PENDING, R_SHIFT = 4, 8, 12, 16, 20, 24, 24, 5
GANGED = 0x40000000
REGION_DRIVER = 0x80000000
"""As in `sched.descriptors` and `sched.control`."""


@lowers("rt")
def _rt(e: Emitter, op: Op) -> None:
    """A commit of a region that is in a gang which is scheduled already is only noted; all other calls are those of `calls`."""
    if op.attr != "k_commit" or not e.gang:
        runtime_call(e, op)
        return
    region = e.cheap(op.args[0])
    e.flush()
    row = e.keep(region + i32_const(R_SHIFT) + b"\x74" + i32_const(e.link.regions) + b"\x6a", W.I32)
    e.out += b"\x02\x40" + row + memarg(W.I32_LOAD, R_ISLAND) + i32_const(GANGED) + b"\x71\x04\x40"
    e.out += row + i32_const(1) + memarg(W.I32_STORE, R_DIRTY) + row + memarg(W.I32_LOAD, R_LEVEL) + memarg(W.I32_LOAD, R_PENDING) + b"\x0d\x01\x0b"
    e.out += region + e.mod.call("k", "k_commit") + b"\x0b"


class GangEmitter(Emitter):
    """The function of a gang. It ends where there is no next region."""

    __slots__ = ("count", "every", "row")
    gang = True

    def _entry(self, n: int) -> Jump:
        self.every = 1
        self.row, self.count = self.local(W.I32), self.local(W.I32)
        self.out += GET[0] + SET.at(self.row)
        return BR_JUMP

    def extend(self, nodes: list[tuple[str, Block | None]], succs: list[list[int]]) -> None:
        """entry -> check -> begin -> blocks -> step -> check; check -> exit."""
        check = len(nodes)
        for i, (kind, b) in enumerate(nodes):
            if kind == "block" and b is not None and isinstance(b.term, Ret):
                succs[i] = [check + 2]
        nodes += [("check", None), ("begin", None), ("step", None), ("exit", None)]
        succs[0] = [check]
        succs += [[check + 1, check + 3], [1], [check], []]

    def _ret(self, t: Ret) -> Jump:
        return BR_JUMP

    def special(self, kind: str) -> Jump:
        row = GET.at(self.row)
        if kind == "check":
            # To the next region that is due; 0: there is none.
            due = GET.at(self.every) + row + memarg(W.I32_LOAD, R_DIRTY) + b"\x72"
            self.out += b"\x02\x40\x03\x40" + row + b"\x45\x0d\x01" + due + b"\x0d\x01" + self.following() + b"\x0c\x00\x0b\x0b"
            return Jump("if", row)
        if kind == "begin":
            number = row + i32_const(self.link.regions) + b"\x6b" + i32_const(R_SHIFT) + b"\x76" + i32_const(REGION_DRIVER - (1 << 32)) + b"\x72"
            self.out += row + i32_const(0) + memarg(W.I32_STORE, R_DIRTY) + i32_const(0) + number + memarg(W.I32_STORE, CUR_PROCESS)
            self.out += row + row + memarg(W.I64_LOAD, R_EVALS) + i64_const(1) + b"\x7c" + memarg(W.I64_STORE, R_EVALS)
            self.out += GET.at(self.count) + i32_const(1) + b"\x6a" + SET.at(self.count) + row + memarg(W.I32_LOAD, R_CTX) + SET.at(0)
            if self.region is not None and self.link.nets is not None:
                self.out += self.region.prologue(self.link.nets.table)
            return BR_JUMP
        if kind == "step":
            self.out += self.following()
            return BR_JUMP
        if self.region is not None:
            self.out += self.region.epilogue(self)
        self.out += self.epilogue() + GET.at(self.count) + b"\x0f"
        return END_JUMP

    def following(self) -> bytes:
        """Code that goes to the next region's descriptor, 0 behind the last."""
        return GET.at(self.row) + memarg(W.I32_LOAD, R_NEXT) + SET.at(self.row)


def suits(body: Body) -> bool:
    """Whether a region may be evaluated in a loop: its memory on the shadow stack is that of one evaluation."""
    return body.kind == "region" and not any(op.code == "alloca" for b in body.blocks for op in b.ops)
