"""The program around the modules: functions, globals, fault sites, services, forked bodies. Bodies are lowered when first asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from wasmjit.data import dataclass
from wasmjit.elab.bodies import prefetch_heap_allocas
from wasmjit.elab.suspends import SuspendAnalysis
from wasmjit.ir import Design, Op, Region, Value
from wasmjit.ir import types as T
from wasmjit.sem import mir
from wasmjit.sem.builder import BodyBuilder
from wasmjit.sem.layout import Layout, UnsupportedType, layout
from wasmjit.sem.lower.core import FUNCTIONS, Lowerer, Unsupported
from wasmjit.sem.lower.func import has_body
from wasmjit.sem.lower.library import KernelFunction, library_call
from wasmjit.sem.lower.llhd import set_ref
from wasmjit.sem.lower.llvm_values import data_bytes
from wasmjit.sem.lower.refs import Ref
from wasmjit.sem.mir import FUNC_PTR_BASE, Body, CallSite, Service, Ty

COROUTINE = "!co"


@dataclass(frozen=True, slots=True)
class Site:
    """Where and why a fault can happen."""

    location: str
    message: str
    op: Op | None = None


@dataclass(slots=True)
class Global:
    name: str
    op: Op
    lay: Layout
    address: int


MAKERS = ("!sim.fstring", "sim.string.", "sim.semaphore.", "sim.mailbox.", "sim.event.")
"""Parts of the text of a design that may make guest objects without a function of the runtime library."""


class ProgramImpl:
    """Implements `wasmjit.sem.lower.Program` for one design."""

    def __init__(self, design: Design, exports: dict[str, KernelFunction]) -> None:
        self.design = design
        self.exports = exports
        self.sites: list[Site] = []
        self._site_index: dict[tuple[int, str], int] = {}
        self.services: list[Service] = []
        self.call_sites: list[CallSite] = []
        self.functions: list[str] = []
        self.function_index: dict[str, int] = {}
        self.bodies: dict[str, Body] = {}
        self.globals: dict[str, Global] = {}
        self.globals_end = 0
        self.forks: dict[str, int] = {}
        self.suspends = SuspendAnalysis(design)
        self._frontend: bool | None = None
        self.on_body: Callable[[Body], None] | None = None
        self.warnings: list[str] = []
        self.on_warning: Callable[[str], None] = self.warnings.append
        self.count_steps = False
        self.analyses: dict[str, dict[Op, Any]] = {}

    # -- Program protocol ------------------------------------------------------------------------------------------------------------

    def site(self, op: Op | None, message: str) -> int:
        key = (id(op), message)
        got = self._site_index.get(key)
        if got is None:
            got = self._site_index[key] = len(self.sites)
            self.sites.append(Site("", message, op))
        return got

    def site_text(self, number: int) -> tuple[str, str]:
        """(location, message) of a site."""
        s = self.sites[number]
        if s.op is None:
            return "", s.message
        return str(s.op.source_loc or s.op.loc), s.message

    def service(self, name: str, data: Any) -> Service:
        s = Service(name, data, len(self.services))
        self.services.append(s)
        return s

    def call_site(self, op: Op, params: tuple[Ty, ...], results: tuple[Ty, ...], owner: str, fallback: str = "") -> CallSite:
        if fallback and self.signature(fallback) != (params, results):
            fallback = ""
        s = CallSite(len(self.call_sites) + 1, params, results, owner, str(op.source_loc or op.loc), fallback)
        self.call_sites.append(s)
        return s

    def warn(self, message: str) -> None:
        self.on_warning(message)

    def step_site(self) -> int | None:
        return self.site(None, "step limit") if self.count_steps else None

    def function_number(self, name: str) -> int:
        """Index of a function in the pointer space."""
        got = self.function_index.get(name)
        if got is None:
            got = self.function_index[name] = len(self.functions)
            self.functions.append(name)
        return got

    def function_pointer(self, name: str) -> int:
        return FUNC_PTR_BASE + self.function_number(name)

    def global_address(self, name: str) -> int | None:
        g = self.globals.get(name)
        return g.address if g is not None else None

    def symbol(self, name: str) -> Op | None:
        return self.design.symbols.get(name)

    def may_suspend(self, name: str) -> bool:
        return self.suspends.function(name)

    def may_end(self, name: str) -> bool:
        return self.suspends.ends(name)

    def sites_may_suspend(self, fn_type: str) -> bool:
        return self.suspends.signature(fn_type)

    def sites_may_end(self, fn_type: str) -> bool:
        return self.suspends.signature_ends(fn_type)

    def may_collect(self, key: str) -> bool:
        """Whether a call of the function body may reach a poll of the collector."""
        return self.suspends.collects(key.removesuffix(COROUTINE))

    @cached_property
    def collects(self) -> bool:
        """Whether the design can make guest objects: it declares functions of the runtime library, renders strings at run time, or has operations that make some."""
        functions = [op for op in self.design.symbols.values() if op.name in FUNCTIONS]
        return any(not has_body(op) for op in functions) or any(mark in self.design.source.text for mark in MAKERS)

    def coroutine_key(self, name: str) -> str:
        return name + COROUTINE

    def kernel_exports(self) -> dict[str, KernelFunction]:
        return self.exports

    def from_frontend(self) -> bool:
        if self._frontend is None:
            self._frontend = any(op.name == "hw.module" and any(k.startswith("vpi.") for k in op.attrs) for op in self.design.symbols.values())
        return self._frontend

    def fork_body(self, op: Op, region: Region, owner: Lowerer, captured: list[Value]) -> str:
        """Lower a forked branch: a process whose parameters are the captured values."""

        def lower(lw: Lowerer) -> None:
            prefetch_heap_allocas(lw, op)
            lw.region_cfg(region)

        return self.detached_body(owner, captured, lower)

    def detached_body(self, owner: Lowerer, captured: list[Value], lower: Callable[[Lowerer], None]) -> str:
        """A process body in the surroundings of `owner` whose parameters are the captured values; `lower` fills it."""
        n = self.forks[owner.key] = self.forks.get(owner.key, 0) + 1
        key = f"{owner.key}.fork{n}"
        lw = Lowerer(key, "process", self, owner.scope, f"{owner.name}.fork{n}")
        for name in ("local_signal", "net_size"):
            if name in owner.extra:
                lw.extra[name] = owner.extra[name]
        lw.extra["dynamic_waits"] = True
        lw.extra["captured"] = set(captured)
        lw.b.set_block(lw.new_block())
        for v in captured:
            leaves = tuple(lw.b.param(leaf.ty) for leaf in owner.get(v))
            lw.set(v, leaves)
            if isinstance(v.type, T.RefType):
                set_ref(lw, v, Ref(None, leaves[0], bit=leaves[1] if owner.get(v)[1].const != 0 else None))
        lower(lw)
        self.add_body(lw.finish())
        return key

    # -- bodies ------------------------------------------------------------------------------------------------------------------------

    def add_body(self, body: Body) -> None:
        self.bodies[body.key] = body
        if self.on_body is not None:
            self.on_body(body)

    def body(self, key: str) -> Body:
        """Body of a function (`name`), of its suspending form (`name!co`), or a registered one. Raises Unsupported."""
        got = self.bodies.get(key)
        if got is None:
            got = self.lower_function(key)
            self.add_body(got)
        return got

    def null_coroutine(self, site: CallSite) -> str:
        """Key of a coroutine that takes the arguments of a call site and returns zeros: what a suspending call of nothing does."""
        key = f"no function {site.params} -> {site.results}"
        if key not in self.bodies:
            b = BodyBuilder(key, "coroutine", site.results)
            b.set_block(b.new_block())
            for ty in site.params:
                b.param(ty)
            b.ret([b.zero(ty) for ty in site.results])
            self.add_body(b.finish())
        return key

    def signature(self, name: str) -> tuple[tuple[Ty, ...], tuple[Ty, ...]]:
        """Leaf types of parameters and results of a function symbol."""
        op = self.design.symbols[name]
        t = op.attrs["function_type"]
        if isinstance(t, T.LLVMFuncType):
            params: tuple[T.Type, ...] = tuple(t.params)
            results: tuple[T.Type, ...] = () if isinstance(t.result, T.LLVMVoidType) else (t.result,)
        else:
            params, results = tuple(t.inputs), tuple(t.results)
        return leaves(op, params), leaves(op, results)

    def lower_function(self, key: str) -> Body:
        name = key.removesuffix(COROUTINE)
        op = self.design.symbols.get(name)
        kind = "coroutine" if key.endswith(COROUTINE) else "function"
        if op is None:
            raise Unsupported(op, f"function @{name} does not exist")
        if not has_body(op):
            return self.external_function(key, kind, name)
        lw = Lowerer(key, kind, self, None, name)
        _, results = self.signature(name)
        lw.b.body.results = results
        lw.b.body.loc = op.loc
        lw.extra["dynamic_waits"] = True
        lw.op = op
        lw.b.set_block(lw.new_block())
        entry = op.regions[0].blocks[0]
        args = []
        for a in entry.args:
            values = tuple(lw.b.param(ty) for ty in lw.lay(a).leaves)
            args.append(values)
        prefetch_heap_allocas(lw, op)
        lw.region_cfg(op.regions[0], args)
        return lw.finish()

    def external_function(self, key: str, kind: str, name: str) -> Body:
        """Body around a function that only the runtime library defines, for calls through pointers."""
        params, results = self.signature(name)
        b = BodyBuilder(key, kind, results)
        b.set_block(b.new_block())
        args = [b.param(ty) for ty in params]
        got = library_call(b, self.exports, name, args, results)
        b.ret(got if got is not None else b.op("svc", results, args, self.service(name, (params, results))))
        return b.finish()

    # -- globals -----------------------------------------------------------------------------------------------------------------------

    def place_globals(self, start: int) -> int:
        """Give every llvm global an address from `start` (bytes); returns the end."""
        pos = start
        for name, op in self.design.symbols.items():
            if op.name != "llvm.mlir.global":
                continue
            t = op.attrs["global_type"]
            try:
                lay = layout(t)
            except UnsupportedType as e:
                raise Unsupported(op, f"type {e} has no run-time representation") from None
            pos = (pos + 15) // 16 * 16
            self.globals[name] = Global(name, op, lay, pos)
            pos += max(lay.size, 1)
        self.globals_end = (pos + 15) // 16 * 16
        return self.globals_end

    def global_image(self, g: Global) -> bytes:
        """Initial bytes of a global: its value attribute, its initialiser region, or its vtable."""
        entries = g.op.attrs.get("circt.vtable_entries")
        if entries:
            img = bytearray(g.lay.size)
            for index, target in entries:
                off = int(index) * 8
                if off + 8 <= len(img):
                    img[off : off + 8] = self.function_pointer(target.name).to_bytes(8, "little")
            return bytes(img)
        if g.op.regions and g.op.regions[0].blocks:
            return self.initialiser(g)
        value = g.op.attrs.get("value")
        return data_bytes(g.op.attrs["global_type"], value)

    def initialiser(self, g: Global) -> bytes:
        from wasmjit.sem.lower.llvm_values import leaf_bytes

        lw = Lowerer(f"{g.name}.init", "function", self, None)
        lw.b.set_block(lw.new_block())
        returned: list[mir.Val] = []
        for op in g.op.regions[0].blocks[0].ops:
            lw.op = op
            if op.name == "llvm.return":
                returned = list(lw.args(op.operands))
                break
            lw.run_op(op)
        img = bytearray(g.lay.size)
        for leaf, off in zip(returned, g.lay.offs, strict=True):
            if leaf.const is None:
                raise Unsupported(g.op, f"the initialiser of @{g.name} is not constant")
            img[off : off + leaf.ty.nbytes] = leaf_bytes(leaf.ty, leaf.const)
        return bytes(img)

    def constructors(self) -> list[str]:
        """Functions of llvm.mlir.global_ctors in order of priority.

        Those that call no function of the design come first: they give static variables their default values (IEEE 1800 §6.8), which the
        initialisers of other variables may rely on wherever they stand in the text.
        """
        out: list[tuple[int, bool, int, str]] = []
        for op in [o for r in self.design.root.regions for b in r.blocks[:1] for o in b.ops]:
            if op.name == "llvm.mlir.global_ctors":
                prios = op.attrs.get("priorities") or []
                for i, f in enumerate(op.attrs.get("ctors") or []):
                    out.append((int(prios[i]) if i < len(prios) else 65535, self.calls_design(f.name), len(out), f.name))
        return [name for *_, name in sorted(out)]

    def calls_design(self, name: str) -> bool:
        """Whether a function calls another one that has a body, or through a pointer."""
        op = self.design.symbols.get(name)
        for b in op.regions[0].blocks if op is not None and op.regions else ():
            for o in b.ops:
                if o.name in ("func.call_indirect", "llvm.invoke"):
                    return True
                if o.name in ("func.call", "llvm.call"):
                    callee = o.attrs.get("callee")
                    target = self.design.symbols.get(callee.name) if callee is not None else None
                    if callee is None or (target is not None and has_body(target)):
                        return True
        return False


def leaves(op: Op, ts: tuple[T.Type, ...]) -> tuple[Ty, ...]:
    try:
        return tuple(leaf for t in ts for leaf in layout(t).leaves)
    except UnsupportedType as e:
        raise Unsupported(op, f"type {e} has no run-time representation") from None


