"""The verifier: what the syntax alone cannot rule out. It runs over a body when that body is read, or over everything with `verify(design, deep=True)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wasmjit.ir.attrs import SymbolRef
from wasmjit.ir.core import Block, Design, Op, Region, Value
from wasmjit.ir.diagnostics import Diagnostic, IRError
from wasmjit.ir.dominance import Dominance
from wasmjit.ir.spec import SPECS
from wasmjit.ir.types import FunctionType, LLVMFuncType, LLVMVoidType, OpaqueType, Type

MAX_DIAGNOSTICS = 20

_CFG_PARENTS = {"func.func", "llvm.func", "llhd.process", "llhd.final", "llhd.combinational", "llhd.coroutine"}
"""Ops whose blocks must all end in a terminator."""

_FUNCTIONS = ("func.func", "llvm.func", "llhd.coroutine", "sim.func.dpi")


class _Full(Exception):
    """Enough diagnostics."""


class Verifier:
    """Checks bodies of one design. `root` is set once the top level is read."""

    def __init__(self) -> None:
        self.found: list[Diagnostic] = []
        self.tables: dict[Op, dict[str, Op]] = {}
        self.root: Op | None = None
        self.known: dict[str, tuple[Any, bool, Callable[[Verifier, Op], None] | None]] = {}
        """Rules of an operation by its name: (check of its table row, whether it is a terminator, check of its symbols)."""

    # --- reporting -----------------------------------------------------------------------------------------------------

    def report(self, op: Op, message: str, hint: str = "") -> None:
        src = op._src
        self.found.append(src.diagnostic(op.text_pos, message, hint) if src is not None else Diagnostic(message, hint=hint))
        if len(self.found) >= MAX_DIAGNOSTICS:
            raise _Full

    def collect(self, work: Callable[[], None]) -> list[Diagnostic]:
        saved, self.found = self.found, []
        try:
            work()
        except _Full:
            pass
        finally:
            out, self.found = self.found, saved
        return out

    def region(self, region: Region) -> list[Diagnostic]:
        """Problems of a body that was just read; bodies inside it that are still unread are left out."""
        return self.collect(lambda: self._region(region))

    # --- structure -----------------------------------------------------------------------------------------------------

    def _region(self, region: Region) -> None:
        work = [region]
        while work:
            at = work.pop()
            parent = at.parent
            spec = SPECS.get(parent.name)
            graph = spec is not None and "graph" in spec.traits
            blocks = at._blocks
            need_end = len(blocks) > 1 or parent.name in _CFG_PARENTS
            if parent.name in _CFG_PARENTS and not blocks:
                self.report(parent, f"the body of {parent.name} is empty")
            dom = None if graph else Dominance(at)
            self._entry_args(parent, blocks)
            for block in blocks:
                self._block(block, dom, need_end, work)

    def _entry_args(self, parent: Op, blocks: list[Block]) -> None:
        t = parent.attrs.get("function_type")
        if parent.name in _FUNCTIONS and blocks and isinstance(t, (FunctionType, LLVMFuncType)):
            want = t.inputs if isinstance(t, FunctionType) else t.params
            got = tuple(a.type for a in blocks[0].args)
            if want != got:
                self.report(parent, f"the entry block has arguments {_types(got)}, but the function takes {_types(want)}")

    def _block(self, block: Block, dom: Dominance | None, need_end: bool, work: list[Region]) -> None:
        known, report = self.known, self.report
        last = block.ops[-1] if block.ops else None
        for op in block.ops:
            name = op.name
            rules = known.get(name)
            if rules is None:
                spec = SPECS.get(name)
                rules = known[name] = (None, False, None) if spec is None else (spec.verify, "terminator" in spec.traits, _SYMBOL_CHECKS.get(name))
            verify, terminator, check = rules
            if verify is not None:
                verify(op, report)
            if terminator and op is not last:
                report(op, f"{name} ends a block, but further operations follow")
            if check is not None:
                check(self, op)
            if dom is not None:
                for v in op.operands:
                    owner = v.owner
                    # Nearly all uses: the definition stands above in the same block.
                    if owner.__class__ is not Op or owner.parent is not block or owner._pos > op._pos or owner._src is not op._src:
                        self._uses(op, [v], block, dom)
            if op.successors:
                self._branch(op, block, dom)
            for region in op.regions:
                if region._lazy is None:
                    work.append(region)
        if need_end and (last is None or not _ends(last)):
            at = last if last is not None else block.region.parent
            report(at, "the block does not end with a terminator", "blocks end in a branch, return, llhd.wait, llhd.halt or the like")

    def _uses(self, op: Op, values: list[Value], block: Block, dom: Dominance) -> None:
        for v in values:
            owner = v.owner
            if isinstance(owner, Op):
                if owner.parent is block:
                    if owner._pos > op._pos and owner._src is op._src:
                        self.report(op, f"'%{v.name}' is used before it is defined")
                elif not dom.visible(owner, op, block):
                    self.report(op, f"'%{v.name}' is not defined on every path to this use")
            elif owner is not block and not dom.visible_block(owner, block):
                self.report(op, f"'%{v.name}' is not defined on every path to this use")

    def _branch(self, op: Op, block: Block, dom: Dominance | None) -> None:
        for target, args in op.successors:
            if target.region is not block.region:
                self.report(op, f"^{target.label} is not a block of this region")
                continue
            if target.region._blocks and target is target.region._blocks[0]:
                self.report(op, "the entry block of a region cannot be the target of a branch")
            if len(args) != len(target.args):
                self.report(op, f"^{target.label} takes {len(target.args)} arguments, got {len(args)}")
                continue
            for i, (a, p) in enumerate(zip(args, target.args, strict=True)):
                if a.type is not p.type:
                    self.report(op, f"argument {i} of ^{target.label} is {p.type}, got {a.type}")
            if dom is not None:
                self._uses(op, args, block, dom)

    # --- symbols -------------------------------------------------------------------------------------------------------

    def lookup(self, op: Op, ref: Any) -> Op | None:
        """What a symbol reference in `op` names, searched in the enclosing symbol tables from the inside out."""
        if not isinstance(ref, SymbolRef):
            return None
        at = op.parent_op
        while at is not None:
            if at.name == "builtin.module":
                found = self._table(at).get(ref.name)
                if found is not None:
                    for name in ref.nested:
                        inner = _symbols(found).get(name)
                        if inner is None:
                            return None
                        found = inner
                    return found
            at = at.parent_op
        return None

    def _table(self, module: Op) -> dict[str, Op]:
        table = self.tables.get(module)
        if table is None:
            table = self.tables[module] = _symbols(module)
        return table


def _symbols(op: Op) -> dict[str, Op]:
    out: dict[str, Op] = {}
    for region in op.regions:
        for block in region.blocks:
            for inner in block.ops:
                name = inner.attrs.get("sym_name")
                if isinstance(name, str):
                    out.setdefault(name, inner)
    return out


def _types(types: tuple[Type, ...]) -> str:
    return "(" + ", ".join(map(str, types)) + ")"


def _ends(op: Op) -> bool:
    if op.successors:
        return True
    spec = SPECS.get(op.name)
    # An op the tables do not know may well be a terminator.
    return spec is None or "terminator" in spec.traits


# --- checks of single ops that need the symbol table or the parent -----------------------------------------------------


def _parametric(t: Type) -> bool:
    return "#hw.param" in str(t) if isinstance(t, OpaqueType) else False


def _instance(v: Verifier, op: Op) -> None:
    for ref in op.attrs.get("moduleNames", [op.attrs.get("moduleName")]):
        _instance_of(v, op, ref)


def _instance_of(v: Verifier, op: Op, ref: Any) -> None:
    target = v.lookup(op, ref)
    if target is None:
        v.report(op, f"there is no module {ref}", "is a file missing?")
        return
    if not target.name.startswith("hw.module"):
        v.report(op, f"{ref} is a {target.name}, not a module")
        return
    ports = target.attrs.get("ports", [])
    ins = [(n, t) for d, n, t, _ in ports if d != "out"]
    outs = [(n, t) for d, n, t, _ in ports if d == "out"]
    for what, want, names, values in (
        ("input", ins, op.attrs.get("argNames", []), op.operands),
        ("output", outs, op.attrs.get("resultNames", []), op.results),
    ):
        if len(values) != len(want):
            v.report(op, f"{ref} has {len(want)} {what} ports, but {len(values)} are connected")
            continue
        for i, (name, t) in enumerate(want):
            if i < len(names) and names[i] != name:
                v.report(op, f"{what} port {i} of {ref} is '{name}', not '{names[i]}'")
            elif values[i].type is not t and not _parametric(t):
                v.report(op, f"{what} port '{name}' of {ref} is {t}, not {values[i].type}")


def _call(v: Verifier, op: Op) -> None:
    ref = op.attrs.get("callee")
    if ref is None:
        return
    target = v.lookup(op, ref)
    if target is None:
        v.report(op, f"there is no function {ref}", "declare it, or is a file missing?")
        return
    t = target.attrs.get("function_type")
    if target.name not in _FUNCTIONS:
        v.report(op, f"{ref} is a {target.name}, not a function")
    elif isinstance(t, FunctionType):
        _signature(v, op, ref, t.inputs, t.results, False)
    elif isinstance(t, LLVMFuncType):
        _signature(v, op, ref, t.params, () if isinstance(t.result, LLVMVoidType) else (t.result,), t.vararg)


def _signature(v: Verifier, op: Op, ref: Any, params: tuple[Type, ...], results: tuple[Type, ...], vararg: bool) -> None:
    args = [a.type for a in op.operands]
    if len(args) < len(params) or (len(args) > len(params) and not vararg):
        v.report(op, f"{ref} takes {len(params)} arguments, got {len(args)}")
        return
    for i, (a, p) in enumerate(zip(args, params, strict=False)):
        if a is not p:
            v.report(op, f"argument {i} of {ref} is {p}, got {a}")
    got = tuple(r.type for r in op.results)
    if got != results:
        v.report(op, f"{ref} returns {_types(results)}, not {_types(got)}")


def _address(v: Verifier, op: Op) -> None:
    ref = op.attrs.get("global_name")
    target = v.lookup(op, ref)
    if target is None:
        v.report(op, f"there is no global or function {ref}")
    elif target.name not in ("llvm.mlir.global", "llvm.mlir.alias", *_FUNCTIONS):
        v.report(op, f"{ref} is a {target.name}, not a global or function")


def _global_signal(v: Verifier, op: Op) -> None:
    ref = op.attrs.get("global_name")
    target = v.lookup(op, ref)
    if target is None or target.name != "llhd.global_signal":
        v.report(op, f"there is no global signal {ref}")


def _results_of(kinds: tuple[str, ...]) -> Callable[[Verifier, Op], None]:
    """Terminators that give the results of the op around them."""

    def check(v: Verifier, op: Op) -> None:
        parent = op.parent_op
        if parent is None or parent.name not in kinds:
            if parent is not None and parent.name in SPECS:
                v.report(op, f"{op.name} does not belong into {parent.name}")
            return
        if op.name == "llhd.wait" or op.name == "llhd.halt":
            got = tuple(x.type for x in op.group("yieldOperands"))
        else:
            got = tuple(x.type for x in op.operands)
        want: tuple[Type, ...]
        t = parent.attrs.get("function_type")
        if op.name in ("llhd.wait", "llhd.halt") and parent.name != "llhd.process":
            want = ()
        elif isinstance(t, FunctionType):
            want = t.results
        elif isinstance(t, LLVMFuncType):
            want = () if isinstance(t.result, LLVMVoidType) else (t.result,)
        elif parent.name == "hw.module":
            want = tuple(x[2] for x in parent.attrs.get("ports", ()) if x[0] == "out")
        elif parent.name == "llvm.mlir.global":
            want = (parent.attrs["global_type"],)
        elif parent.name == "llhd.global_signal":
            want = (parent.attrs["type"],)
        elif parent.name == "seq.initial":
            want = tuple(getattr(r.type, "elem", r.type) for r in parent.results)
        else:
            want = tuple(r.type for r in parent.results)
        if got != want and not any(map(_parametric, want)):
            v.report(op, f"{op.name} gives {_types(got)}, but {parent.name} has {_types(want)}")

    return check


_SYMBOL_CHECKS: dict[str, Callable[[Verifier, Op], None]] = {
    "hw.instance": _instance,
    "hw.instance_choice": _instance,
    "func.call": _call,
    "llvm.call": _call,
    "llvm.invoke": _call,
    "llhd.call_coroutine": _call,
    "llvm.mlir.addressof": _address,
    "llhd.get_global_signal": _global_signal,
    "hw.output": _results_of(("hw.module",)),
    "func.return": _results_of(("func.func",)),
    "llvm.return": _results_of(("llvm.func", "llvm.mlir.global")),
    "llhd.return": _results_of(("llhd.coroutine",)),
    "llhd.yield": _results_of(("llhd.combinational", "llhd.global_signal")),
    "llhd.halt": _results_of(("llhd.process", "llhd.final", "llhd.coroutine")),
    "llhd.wait": _results_of(("llhd.process", "llhd.coroutine")),
    "scf.yield": _results_of(("scf.if", "scf.for", "scf.while", "scf.index_switch", "scf.execute_region")),
    "seq.yield": _results_of(("seq.initial",)),
}


def top_level(root: Op, verifier: Verifier) -> list[Diagnostic]:
    """Problems of the top level: symbols defined twice, ops that do not belong there."""

    def work() -> None:
        modules = [root]
        while modules:
            module = modules.pop()
            seen: dict[str, Op] = {}
            for region in module.regions:
                for block in region.blocks:
                    for op in block.ops:
                        name = op.attrs.get("sym_name")
                        if isinstance(name, str) and name:
                            if name in seen:
                                verifier.report(
                                    op, f"symbol @{name} is defined twice", f"the first definition is at line {seen[name].loc.line}"
                                )
                            seen.setdefault(name, op)
                        if op.name == "builtin.module":
                            modules.append(op)
            verifier.tables[module] = seen
        for region in root.regions:
            verifier._region(region)

    return verifier.collect(work)


def verify(design: Design, deep: bool = False) -> list[Diagnostic]:
    """Problems of a design: of what is read so far, or with `deep` of all bodies, which are read for that. Empty if there are none."""
    verifier = Verifier()
    found = top_level(design.root, verifier)
    if deep:
        found += _force(design.root, verifier.region)
    seen = set()
    return [d for d in found if not (d in seen or seen.add(d))]  # type: ignore[func-returns-value]


def _force(root: Op, check: Callable[[Region], list[Diagnostic]] | None) -> list[Diagnostic]:
    """Reads every body; the problems of all of them."""
    found: list[Diagnostic] = []
    stack = [root]
    while stack:
        op = stack.pop()
        for region in reversed(op.regions):
            fresh = not region.forced
            try:
                blocks = region.blocks
            except IRError as e:
                found += e.diagnostics
                continue
            if fresh and check is not None:
                found += check(region)
            for block in reversed(blocks):
                stack += [inner for inner in reversed(block.ops) if inner.regions]
    return found


def force_all(design: Design) -> None:
    """Reads every body. Raises IRError with the problems of all of them."""
    found = _force(design.root, None)
    if found:
        raise IRError(found)
