"""Which functions may suspend or end their caller: a fixed point over the call graph, read off the text without parsing bodies."""

from __future__ import annotations

import re
from functools import cache

from wasmjit.ir import Design, Op
from wasmjit.ir import types as T
from wasmjit.sem.lower.core import FUNCTIONS
from wasmjit.sem.lower.runtime import SUSPENDING_CALLS

_REFERENCE = re.compile(r'@("(?:[^"\\]|\\.)*"|[\w$.-]+)')
_TAKEN = re.compile(r'(?:addressof|func\.constant|constant)\s+@("(?:[^"\\]|\\.)*"|[\w$.-]+)')
_PRIMITIVES = (
    "llhd.wait", "llhd.halt", "llhd.call_coroutine", "moore.wait_event", "sim.fork", "sim.join", "sim.wait_fork", "sim.disable", "sim.delay", "sim.wait",
    "sim.semaphore.get", "sim.mailbox.put", "sim.mailbox.get", "sim.mailbox.peek", "sim.event.wait",
)  # fmt: skip
_PRIMITIVE = re.compile(rf"\b(?:{'|'.join(map(re.escape, _PRIMITIVES))})\b")
_ENDS = ("sim.terminate", "sim.pause")
_INDIRECT = re.compile(r"(?:call_indirect\s+%|llvm\.call\s+%|llvm\.invoke\s+%)[^\n]*?:\s*([^\n]*)")
_GENERIC_INDIRECT = re.compile(r'"func\.call_indirect"|"llvm\.call"')


@cache
def arity(text: str) -> str | None:
    """'params->results' of a function type as printed after a call, None if it is not understood."""
    text = text.strip()
    text = re.sub(r"^!llvm\.ptr,\s*", "", text)
    if not text.startswith("("):
        return None
    depth, count, inside, i = 0, 0, False, 0
    for i, ch in enumerate(text):
        if ch in "(<[{":
            depth += 1
        elif ch in ")>]}":
            if ch == ">" and i and text[i - 1] == "-":
                continue
            depth -= 1
            if depth == 0:
                break
        elif ch == "," and depth == 1:
            count += 1
        elif depth == 1 and not ch.isspace():
            inside = True
    params = count + 1 if inside or count or text[1:i].strip() else 0
    rest = text[i + 1 :].strip().removeprefix("->").strip()
    rest = re.split(r"\s+loc\(", rest)[0].strip()
    if rest in ("()", ""):
        results = 0
    elif rest.startswith("("):
        inner = arity(rest + " -> ()")
        results = int(inner.split("->")[0]) if inner else 1
    else:
        results = 1
    return f"{params}->{results}"


def function_arity(op: Op) -> str:
    t = op.attrs.get("function_type")
    if isinstance(t, T.LLVMFuncType):
        return f"{len(t.params)}->{0 if isinstance(t.result, T.LLVMVoidType) else 1}"
    if isinstance(t, T.FunctionType):
        return f"{len(t.inputs)}->{len(t.results)}"
    return "0->0"


class SuspendAnalysis:
    """`function(name)`: calls of it may suspend; `signature(arity)`: indirect calls of that arity may. `ends`, `signature_ends`: they may end the process."""

    def __init__(self, design: Design) -> None:
        self.design = design
        self._functions: set[str] | None = None
        self._signatures: set[str] = set()
        self._taken: set[str] = set()
        self._calls: dict[str, set[str]] = {}
        self._indirect: set[str] = set()
        self._collecting: set[str] | None = None
        self._terminating: set[str] = set()
        self._ending: set[str] | None = None
        self._ending_signatures: set[str] = set()
        self._arities: dict[str, str] = {}
        self._by_kind: dict[str, list[str]] = {}

    def function(self, name: str) -> bool:
        if name in SUSPENDING_CALLS:
            return True
        return name in self.solve()

    def signature(self, key: str) -> bool:
        self.solve()
        return key in self._signatures

    def solve(self) -> set[str]:
        if self._functions is not None:
            return self._functions
        text = self.design.source.text
        functions = {n: op for n, op in self.design.symbols.items() if op.name in FUNCTIONS}
        starts = sorted((op._pos, n) for n, op in self.design.symbols.items() if op._pos >= 0)
        ends = {n: (starts[i + 1][0] if i + 1 < len(starts) else len(text)) for i, (_, n) in enumerate(starts)}
        taken: set[str] = {unquote(m) for m in _TAKEN.findall(text)}
        calls: dict[str, set[str]] = {}
        indirect: dict[str, set[str]] = {}
        suspending: set[str] = set(SUSPENDING_CALLS)
        printing: set[str] = set()
        for op in self.design.symbols.values():
            if op.name == "llvm.mlir.global" and op.attrs.get("circt.vtable_entries"):
                taken.update(e[1].name for e in op.attrs["circt.vtable_entries"])
        interesting = functions.keys() | SUSPENDING_CALLS
        for n, op in functions.items():
            if not op.regions or op._pos < 0:
                continue
            body = text[op._pos : ends[n]]
            if "sim." in body:
                printing.add(n)
                if any(mark in body for mark in _ENDS):
                    self._terminating.add(n)
            calls[n] = {unquote(m) for m in _REFERENCE.findall(body)} & interesting
            calls[n].discard(n)
            kinds = {arity(m) or "?" for m in _INDIRECT.findall(body)} if "call_indirect" in body or "call %" in body or "invoke" in body else set()
            if '"' in body and _GENERIC_INDIRECT.search(body):
                kinds.add("?")
            indirect[n] = kinds
            if op.name == "llhd.coroutine" or (any(p in body for p in _PRIMITIVES) and _PRIMITIVE.search(body)):
                suspending.add(n)
        arities = {n: function_arity(functions[n]) for n in taken if n in functions}
        callers: dict[str, list[str]] = {}
        by_kind: dict[str, list[str]] = {}
        for n, called in calls.items():
            for c in called:
                callers.setdefault(c, []).append(n)
            for kind in indirect[n]:
                by_kind.setdefault(kind, []).append(n)
        self._arities, self._by_kind = arities, by_kind
        self._signatures = self._spread(suspending, callers)
        self._calls, self._indirect = calls, {n for n, kinds in indirect.items() if kinds} | printing
        self._functions = suspending
        self._taken = taken & functions.keys()
        return suspending

    def collects(self, name: str) -> bool:
        """Whether a call of the function may reach a poll of the collector: it calls a function of the runtime library, or a pointer, or one that does."""
        if self._collecting is None:
            self.solve()
            functions = self._calls
            self._collecting = self._with_callers({n for n, called in functions.items() if n in self._indirect or not called <= functions.keys()})
        return name not in self._calls or name in self._collecting

    def ends(self, name: str) -> bool:
        """Whether a call of the function may end the process that calls it: it terminates the run, or calls one that does."""
        self.solve()
        if self._ending is None:
            self._ending = set(self._terminating)
            self._ending_signatures = self._spread(self._ending, self._callers())
        return name in self._ending

    def signature_ends(self, key: str) -> bool:
        self.ends("")
        return key in self._ending_signatures

    def _spread(self, found: set[str], callers: dict[str, list[str]]) -> set[str]:
        """Add to `found` whoever calls one of them, also through a pointer; the arities of indirect calls that may reach one."""
        signatures: set[str] = set()
        todo = list(found)
        while todo:
            n = todo.pop()
            affected = callers.get(n, [])
            a = self._arities.get(n)
            if a is not None and a not in signatures:
                affected = affected + self._by_kind.get(a, []) + (self._by_kind.get("?", []) if not signatures else [])
                signatures.add(a)
            new = [c for c in affected if c not in found]
            found.update(new)
            todo += dict.fromkeys(new)
        return signatures

    def _callers(self) -> dict[str, list[str]]:
        callers: dict[str, list[str]] = {}
        for n, called in self._calls.items():
            for c in called:
                callers.setdefault(c, []).append(n)
        return callers

    def _with_callers(self, found: set[str]) -> set[str]:
        """Functions of the set and all that call them, directly or not."""
        callers = self._callers()
        found = set(found)
        work = list(found)
        while work:
            for n in callers.get(work.pop(), ()):
                if n not in found:
                    found.add(n)
                    work.append(n)
        return found

    def taken(self) -> set[str]:
        """Functions whose address is taken."""
        self.solve()
        return self._taken


def unquote(name: str) -> str:
    return name[1:-1] if name.startswith('"') else name
