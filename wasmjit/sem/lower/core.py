"""Lowering of operation trees to MIR: the registry and the state of one body being lowered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from wasmjit.ir import Block as IRBlock
from wasmjit.ir import Op, Region, Value
from wasmjit.ir import types as T
from wasmjit.ir.short import RowOp
from wasmjit.sem import mir
from wasmjit.sem.builder import BodyBuilder
from wasmjit.sem.layout import Layout, UnsupportedType, layout
from wasmjit.sem.loops import count_turns, stop_idle_loops
from wasmjit.sem.mir import I32, I64, Body, Ty, Val
from wasmjit.sem.unsupported import Unsupported as Unsupported

if TYPE_CHECKING:
    from wasmjit.ir.types import Type
    from wasmjit.sem.lower.library import KernelFunction

Leaves = tuple[Val, ...]
LowerFn = Callable[["Lowerer", Op], None]

LOWER: dict[str, LowerFn] = {}
"""Operation name -> lowering. Every operation with a meaning is here."""

SUSPENDING: set[str] = set()
"""Operations after which the body may be suspended."""


def lowers(*names: str, suspends: bool = False) -> Callable[[LowerFn], LowerFn]:
    """Register the lowering of operations."""

    def register(fn: LowerFn) -> LowerFn:
        for name in names:
            LOWER[name] = fn
            if suspends:
                SUSPENDING.add(name)
        return fn

    return register


FUNCTIONS = ("func.func", "llvm.func", "llhd.coroutine")
"""Operations that define or declare a function."""


def outermost(op: Op) -> Op:
    """The function or module that an operation is in."""
    while op.parent is not None and op.parent.region is not None:
        outer = op.parent.region.parent
        if not isinstance(outer, Op) or outer.name == "builtin.module":
            break
        op = outer
    return op


class Program(Protocol):
    """What lowering asks of the program as a whole (implemented by `wasmjit.elab`)."""

    analyses: dict[str, dict[Op, Any]]
    """What was found out of functions and modules, by the name of the question."""
    bodies: dict[str, mir.Body]
    """Bodies lowered so far, by key."""

    def site(self, op: Op | None, message: str) -> int:
        """A fault site: location and message, by number."""

    def service(self, name: str, data: Any) -> mir.Service:
        """A new host-service call site."""

    def call_site(self, op: Op, params: tuple[Ty, ...], results: tuple[Ty, ...], owner: str, fallback: str = "") -> mir.CallSite:
        """A new indirect call site."""

    def function_pointer(self, name: str) -> int:
        """64-bit pointer of a function."""

    def global_address(self, name: str) -> int | None:
        """Linear-memory address of an llvm global."""

    def symbol(self, name: str) -> Op | None: ...

    def may_suspend(self, name: str) -> bool:
        """Whether calls of this function can suspend."""

    def may_end(self, name: str) -> bool:
        """Whether a call of this function may end the process ($finish, $fatal, $stop)."""

    def coroutine_key(self, name: str) -> str:
        """Body key of the suspending form of a function."""

    def sites_may_suspend(self, fn_type: str) -> bool:
        """Whether an indirect call with this signature can suspend."""

    def sites_may_end(self, fn_type: str) -> bool:
        """Whether an indirect call with this signature may end the process."""

    def kernel_exports(self) -> dict[str, KernelFunction]:
        """Functions available to the rt op."""

    def from_frontend(self) -> bool:
        """Whether circt-verilog wrote the design (its modules carry vpi.* attributes)."""

    def fork_body(self, op: Op, region: Region, owner: Lowerer, captured: list[Value]) -> str:
        """Body key of a forked branch."""

    def warn(self, message: str) -> None:
        """Tell the user about something odd in the design."""

    def step_site(self) -> int | None:
        """Fault site of loops that turn too often, None when nobody counts."""

    def detached_body(self, owner: Lowerer, captured: list[Value], lower: Callable[[Lowerer], None]) -> str:
        """Body key of a process with the captured values as parameters that `lower` fills."""


class Scope(Protocol):
    """What surrounds a body: resolves values defined outside of it."""

    def external(self, lw: Lowerer, value: Value) -> Leaves: ...

    def external_ref(self, lw: Lowerer, value: Value) -> Any: ...

    def reads(self, net: Any) -> None:
        """The body reads this net."""

    def sens_net(self, lw: Lowerer, value: Value) -> Any | None:
        """Static net behind an observed outside value, or None if there is none."""

    def sources(self, v: Value) -> list[Any]:
        """All nets an outside value depends on."""


class Lowerer:
    """One body being lowered. `get`/`set` map IR values to leaves."""

    def __init__(self, key: str, kind: str, program: Program, scope: Scope | None, name: str = "") -> None:
        self.b = BodyBuilder(key, kind)
        self.key = key
        self.kind = kind
        self.program = program
        self.scope = scope
        self.name = name
        self.values: dict[Value, Leaves] = {}
        self.rows: list[Val | None] = []
        """Values of the rows of a body in short form, by their numbers."""
        self.blocks: dict[IRBlock, mir.Block] = {}
        self.op: Op | None = None
        self.on_return: Callable[[Op], None] | None = None
        self.sens: dict[tuple[Any, ...], int] = {}
        self.sens_sets: list[tuple[Any, ...]] = []
        self.yields: Callable[[list[Value]], None] | None = None
        self.extra: dict[str, Any] = {}
        self.regions_of_interest: set[Region] = set()

    # -- values ---------------------------------------------------------------------------------------------------------------------

    def lay(self, v: Value | Type) -> Layout:
        t = v.type if isinstance(v, Value) else v
        try:
            return layout(t)
        except UnsupportedType as e:
            raise Unsupported(self.op, f"type {e} has no run-time representation") from None

    def leaf(self, v: Value | Type) -> Ty:
        """The only leaf of a scalar type."""
        leaves = self.lay(v).leaves
        if len(leaves) != 1:
            raise Unsupported(self.op, f"expected a scalar, got type {v.type if isinstance(v, Value) else v}")
        return leaves[0]

    def get(self, v: Value) -> Leaves:
        got = self.values.get(v)
        if got is None:
            if isinstance(v.type, T.FStringType) and isinstance(v.owner, Op):
                from wasmjit.sem.lower.sim import render

                return render(self, v)
            if isinstance(v.owner, RowOp):
                row = self.rows[v.owner.number]
                if row is None:
                    raise Unsupported(self.op, f"value %{v.name} is used before it is computed")
                return (row,)
            if self.scope is None:
                raise Unsupported(self.op, f"value %{v.name} is defined outside of this body")
            got = self.scope.external(self, v)
        return got

    def one(self, v: Value) -> Val:
        leaves = self.values.get(v)
        if leaves is None:
            leaves = self.get(v)
        if len(leaves) != 1:
            raise Unsupported(self.op, f"expected a scalar, got type {v.type}")
        return leaves[0]

    def set(self, v: Value, leaves: Leaves | Val | list[Val]) -> None:
        self.values[v] = (leaves,) if isinstance(leaves, Val) else tuple(leaves)

    def args(self, vs: Iterable[Value]) -> Leaves:
        return tuple(leaf for v in vs for leaf in self.get(v))

    def const(self, ty: Ty, value: int | float | bytes) -> Val:
        return self.b.const(ty, value)

    def i32(self, value: int) -> Val:
        return self.b.const(I32, value & 0xFFFFFFFF)

    def i64(self, value: int) -> Val:
        return self.b.const(I64, value & 0xFFFFFFFFFFFFFFFF)

    def emit(self, code: str, tys: tuple[Ty, ...], args: tuple[Val, ...], attr: Any = None) -> Leaves:
        """An operation with any number of results."""
        r = self.b.op(code, tys, args, attr, self.op)
        return r if isinstance(r, tuple) else (r,) if r is not None else ()

    def x(self, code: str, ty: Ty, *args: Val, attr: Any = None) -> Val:
        """An operation with one result."""
        return self.b.one(code, ty, args, attr, self.op)

    def do(self, code: str, *args: Val, attr: Any = None) -> None:
        """An operation without results."""
        if code == "netstore" and not args:
            return  # a net of type i0
        self.emit(code, (), args, attr)

    def zero(self, ty: Ty) -> Val:
        if ty.kind == "a":
            return self.b.const(ty, bytes(ty.size))
        return self.b.const(ty, 0 if ty.kind == "i" else 0.0)

    def resize(self, v: Val, ty: Ty) -> Val:
        """Zero-extend or truncate an integer."""
        if v.ty.size == ty.size:
            return v
        return self.x("zext", ty, v) if v.ty.size < ty.size else self.x("extract", ty, v, attr=0)

    def site(self, message: str, op: Op | None = None) -> int:
        return self.program.site(op or self.op, message)

    # -- bodies ---------------------------------------------------------------------------------------------------------------------

    def run_op(self, op: Op) -> None:
        fn = LOWER.get(op.name)
        if fn is None:
            raise Unsupported(op, f"operation '{op.name}' is not supported")
        # Operands may be lowered on the way, so the place is put back afterwards.
        outer, self.op = self.op, op
        where, self.b.loc = self.b.loc, op
        try:
            fn(self, op)
        except UnsupportedType as e:
            raise Unsupported(op, f"type {e} has no run-time representation") from None
        self.op, self.b.loc = outer, where

    def new_block(self) -> mir.Block:
        return self.b.new_block()

    def block(self, b: IRBlock) -> mir.Block:
        """The block of a successor."""
        got = self.blocks.get(b)
        if got is None:
            raise Unsupported(self.op, f"branch to {f'^{b.label}' if b.label else 'the entry block'}, which is no block that can be branched to here")
        return got

    def goto(self, block: mir.Block, args: Leaves = ()) -> None:
        self.b.terminate(mir.Br(block, args))

    def region_cfg(self, region: Region, entry_args: list[Leaves] | None = None) -> None:
        """Lower a CFG region in place: control continues from the current block into its entry block.

        Blocks are lowered in reverse postorder of their appearance; the current block after the call is unspecified (terminated).
        """
        from wasmjit.sem.lower.scan import scan_body, set_forward

        blocks = region.blocks
        if not blocks:
            raise Unsupported(self.op, "empty region")
        reachable = order(blocks)
        self.enter_blocks(blocks, reachable)
        first = blocks[0]
        if entry_args is not None:
            for a, leaves in zip(first.args, entry_args, strict=True):
                self.set(a, leaves)
        for ir_block in reachable:
            if ir_block is not first:
                self.b.set_block(self.blocks[ir_block])
            scan = scan_body(ir_block)
            if scan is not None:
                index = self.values[scan.index]
                self.set(scan.index, set_forward(self, scan))
            for op in ir_block.ops:
                self.run_op(op)
            if scan is not None:
                self.values[scan.index] = index
            if not self.b.terminated:
                raise Unsupported(ir_block.ops[-1] if ir_block.ops else self.op, "block does not end in a terminator")

    def enter_blocks(self, blocks: list[IRBlock], reachable: list[IRBlock]) -> None:
        """Make the MIR blocks of all reachable blocks but the entry, with their parameters."""
        known = set(reachable)
        for ir_block in blocks[1:]:
            if ir_block not in known:
                continue
            mb = self.new_block()
            self.blocks[ir_block] = mb
            for a in ir_block.args:
                self.set(a, [self.b.block_param(mb, ty) for ty in self.lay(a).leaves])

    def branch_args(self, values: list[Value]) -> Leaves:
        return self.args(values)

    def sens_set(self, nets: Iterable[Any]) -> int:
        key = tuple(sorted(set(nets), key=repr))
        if key not in self.sens:
            self.sens[key] = len(self.sens_sets)
            self.sens_sets.append(key)
        return self.sens[key]

    def leave_out_waits(self) -> None:
        """In a body that cannot suspend: a wait has been refused before it is reached, except while the run ends anyway."""
        for block in self.b.body.blocks:
            term = block.term
            if isinstance(term, mir.Wait):
                again = term.resume is block
                block.term = mir.Fault(self.site("a process would be suspended inside a call that cannot suspend")) if again else mir.Br(term.resume, ())
                block.term.loc = term.loc

    def finish(self) -> Body:
        self.b.body.sens_sets = list(self.sens_sets)
        if stop_idle_loops(self.b.body):
            self.program.warn(f"{self.name or self.key} has an endless loop that neither suspends nor does anything: it waits there forever")
        if self.kind not in ("process", "coroutine"):
            self.leave_out_waits()
        site = self.program.step_site()
        if site is not None and self.kind != "region":
            count_turns(self.b, site)
        body = self.b.finish()
        body.name = self.name or self.key
        return body


def order(blocks: list[IRBlock]) -> list[IRBlock]:
    """Reachable blocks in reverse postorder, so that dominating definitions are lowered first."""
    seen: set[IRBlock] = {blocks[0]}
    post: list[IRBlock] = []
    stack: list[tuple[IRBlock, int]] = [(blocks[0], 0)]
    while stack:
        block, i = stack.pop()
        succ = block.ops[-1].successors if block.ops else []
        if i < len(succ):
            stack.append((block, i + 1))
            nxt = succ[i][0]
            if nxt not in seen:
                seen.add(nxt)
                stack.append((nxt, 0))
        else:
            post.append(block)
    return post[::-1]


def is_ref(t: T.Type) -> bool:
    return isinstance(t, T.RefType)
