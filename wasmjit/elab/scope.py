"""How bodies of a module see the module's values."""

from __future__ import annotations

from typing import Any

from wasmjit.elab.definition import Definition, is_pure
from wasmjit.ir import Op, Value
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.layout import layout
from wasmjit.sem.lower.core import Leaves, Lowerer, Unsupported
from wasmjit.sem.lower.llhd import set_ref
from wasmjit.sem.lower.refs import NetRef, Own, Ref, Slot, pointer, probe
from wasmjit.sem.lower.sim import captured_values
from wasmjit.sem.mir import I32, Val


class ModuleScope:
    """Resolves module-level values for processes (`inline` False: a value is computed again in each block that uses it) and for region
    bodies (`inline` True: computed once, in the order of use; `own_sinks` are computed rather than read back).
    """

    def __init__(self, definition: Definition, inline: bool = False) -> None:
        self.d = definition
        self.inline = inline
        self.compute: set[Value] = set()
        self.inputs: set[NetRef] = set()
        self.memory_inputs: list[Val] = []
        self.cache: dict[tuple[mir.Block | None, Value], Leaves] = {}

    # -- values ------------------------------------------------------------------------------------------------------------------------

    def external(self, lw: Lowerer, v: Value) -> Leaves:
        home = self.d.home.get(v)
        if isinstance(v.type, T.RefType):
            ref = self.external_ref(lw, v)
            return pointer(lw, ref) if ref is not None else self.evaluate(lw, v)
        if home is not None and v not in self.compute:
            return self.load(lw, home, v.type)
        block = self.d.objects.get(v)
        if block is not None:
            return (pointer(lw, Ref(block))[0],)
        cell = self.d.cells.get(v)
        if cell is not None:
            lay = layout(v.type)
            ctx = lw.x("ctx", I32)
            return tuple(lw.x("ldt", ty, ctx, attr=cell + o) for ty, o in zip(lay.leaves, lay.offs, strict=True))
        return self.evaluate(lw, v)

    def reads(self, net: NetRef) -> None:
        self.inputs.add(net)

    def load(self, lw: Lowerer, home: NetRef, t: T.Type) -> Leaves:
        self.inputs.add(home)
        return tuple(probe(lw, Ref(home), layout(t)))

    def evaluate(self, lw: Lowerer, v: Value) -> Leaves:
        op = v.owner
        if not isinstance(op, Op):
            raise Unsupported(lw.op, f"value %{v.name} is not available here")
        if op in lw.extra.get("initialising", ()):
            raise Unsupported(op, "value is used before it is computed")
        if not is_pure(op):
            raise Unsupported(op, f"the result of '{op.name}' cannot be used here")
        key = (lw.b.block, v)  # the block itself: forked bodies share this scope and number their blocks anew
        hit = self.cache.get(key)
        if hit is not None:
            return hit
        active: set[Op] = lw.extra.setdefault("active", set())
        if op in active:
            raise Unsupported(op, "combinational loop without a signal in it")
        active.add(op)
        saved = lw.op
        self.prepare(lw, op)
        lw.run_op(op)
        lw.op = saved
        active.discard(op)
        leaves = lw.values[v] if v in lw.values else ()
        if not self.inline:
            for r in op.results:
                if r in lw.values:
                    self.cache[lw.b.block, r] = lw.values.pop(r)
                lw.extra.get("refs", {}).pop(r, None)
        return leaves

    def prepare(self, lw: Lowerer, op: Op) -> None:
        """Evaluate deep cones bottom up (no Python recursion per operation), and what nested regions capture before control flow splits."""
        wanted = list(op.operands)
        for r in op.regions:
            wanted += captured_values(r)
        if not self.inline:
            for v in wanted:
                if not isinstance(v.type, (T.RefType, T.FStringType)) and op.regions and v not in lw.values:
                    lw.get(v)
            return
        stack = [v for v in wanted if self.missing(lw, v)]
        while stack:
            v = stack[-1]
            if not self.missing(lw, v):
                stack.pop()
                continue
            src = v.owner
            assert isinstance(src, Op)
            need = list(src.operands)
            for r in src.regions:
                need += captured_values(r)
            pending = [o for o in need if self.missing(lw, o)]
            if pending and src not in lw.extra.setdefault("visiting", set()):
                lw.extra["visiting"].add(src)
                stack.extend(pending)
                continue
            if pending:
                raise Unsupported(src, "combinational loop without a signal in it")
            lw.extra.setdefault("visiting", set()).discard(src)
            stack.pop()
            if not is_pure(src):
                lw.get(v)
                continue
            saved = lw.op
            lw.run_op(src)
            lw.op = saved

    def missing(self, lw: Lowerer, v: Value) -> bool:
        if v in lw.values or v in self.d.cells or isinstance(v.type, (T.RefType, T.FStringType)):
            return False
        if v in self.d.home and v not in self.compute:
            return False
        return isinstance(v.owner, Op)

    # -- references ----------------------------------------------------------------------------------------------------------------------

    def external_ref(self, lw: Lowerer, v: Value) -> Any:
        home = self.d.home.get(v)
        if home is not None:
            if isinstance(home, Slot):
                return Ref(home)
            return Ref(home)
        op = v.owner
        if isinstance(op, Op) and is_pure(op):
            refs: dict[Value, Ref] = lw.extra.setdefault("refs", {})
            saved = lw.op
            lw.run_op(op)
            lw.op = saved
            ref = refs.pop(v, None) if not self.inline else refs.get(v)
            if not self.inline:
                lw.values.pop(v, None)
            if ref is not None:
                return ref
        return None

    def sens_net(self, lw: Lowerer, v: Value) -> Any | None:
        """Net behind an outside value that a wait observes."""
        home = self.d.home.get(v)
        if home is not None and not isinstance(v.type, T.RefType):
            return home
        op = v.owner
        if isinstance(op, Op) and op.name == "llhd.prb":
            return self.d.home.get(op.operands[0])
        return None

    def sources(self, v: Value) -> list[NetRef]:
        """All nets in the cone of an outside value."""
        out: list[NetRef] = []
        seen: set[Value] = set()
        stack = [v]
        while stack:
            x = stack.pop()
            if x in seen:
                continue
            seen.add(x)
            home = self.d.home.get(x)
            if home is not None:
                out.append(home)
                continue
            if isinstance(x.owner, Op):
                stack.extend(x.owner.operands)
                for r in x.owner.regions:
                    stack.extend(captured_values(r))
        return out


def bind_signal(lw: Lowerer, v: Value, own: Own) -> None:
    set_ref(lw, v, Ref(own))


def ctx_load(lw: Lowerer, off: int, ty: mir.Ty) -> Val:
    return lw.x("ldt", ty, lw.x("ctx", I32), attr=off)
