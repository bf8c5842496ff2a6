"""Restricted Python, front half: finding the source of kernel functions, resolving names, and typing expressions.

The language is described in `wasmjit.sched.intrinsics`. Types are 'i32', 'i64', 'f64', '' (no value) and 'int' for an integer literal that takes the type of its
surroundings.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

MASK32 = 0xFFFFFFFF
MASK64 = 0xFFFFFFFFFFFFFFFF


class KernelError(Exception):
    """A construct outside restricted Python, with file and line."""

    def __init__(self, file: str, line: int, message: str) -> None:
        super().__init__(f"{file}:{line}: {message}")
        self.file = file
        self.line = line


@cache
def _module_functions(path: str) -> dict[int, ast.FunctionDef]:
    """Functions of a source file by the line their code object starts at (the first decorator)."""
    with open(path, encoding="utf-8") as f:
        tree = ast.parse(f.read(), path)
    return {min([n.lineno, *(d.lineno for d in n.decorator_list)]): n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}


class Source:
    """A kernel function: its AST, the names it can see and its signature."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.fn = fn
        code = fn.__code__
        self.file: str = code.co_filename
        self.name: str = fn.__name__
        node = None
        if self.file == getattr(inspect.getmodule(fn), "__file__", None):
            node = _module_functions(self.file).get(code.co_firstlineno)
        if node is None:
            tree = ast.parse(textwrap.dedent(inspect.getsource(fn)))
            ast.increment_lineno(tree, code.co_firstlineno - 1)
            node = next(n for n in tree.body if isinstance(n, ast.FunctionDef))
        self.node: ast.FunctionDef = node
        self.names: dict[str, Any] = fn.__globals__
        if fn.__closure__:
            self.names = {**self.names, **inspect.getclosurevars(fn).nonlocals}
        a = node.args
        if a.posonlyargs or a.kwonlyargs or a.vararg or a.kwarg or a.defaults:
            raise self.error(node, f"{self.name}: only plain parameters without defaults")
        self.params: list[tuple[str, str]] = [(p.arg, self.annotation(p.annotation, p)) for p in a.args]
        self.result: str = self.annotation(node.returns, node)

    @property
    def key(self) -> str:
        return f"{self.fn.__module__}.{self.fn.__qualname__}"

    def error(self, node: Any, message: str) -> KernelError:
        return KernelError(self.file, getattr(node, "lineno", self.node.lineno if hasattr(self, "node") else 0), message)

    def annotation(self, node: ast.expr | None, at: Any) -> str:
        """A type from its annotation; '' for None."""
        name = None
        if isinstance(node, ast.Constant):
            name = "" if node.value is None else node.value
        elif isinstance(node, ast.Name):
            name = node.id
        elif isinstance(node, ast.Attribute):
            name = node.attr
        if name not in ("i32", "i64", "f64", ""):
            what = f"{ast.unparse(node)!r}" if node is not None else "a missing annotation"
            raise self.error(at, f"{self.name}: {what} is no kernel type: annotate with i32, i64, f64 or -> None")
        return str(name)

    def lookup(self, node: ast.expr) -> Any:
        """What a global name or a dotted name refers to; None if it is nothing known."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id)
        if isinstance(node, ast.Attribute):
            owner = self.lookup(node.value)
            if isinstance(owner, (ModuleType, type)):
                return getattr(owner, node.attr, None)
        return None


def calls(src: Source) -> Iterator[tuple[ast.Call, Any]]:
    """All calls in a function with what they refer to."""
    for stmt in src.node.body:
        for node in ast.walk(stmt):
            if isinstance(node, ast.Call):
                yield node, src.lookup(node.func)


def join(a: str | None, b: str | None) -> str | None:
    """The type that holds both; None when one side is not known yet. 'f64' with an integer type: ValueError."""
    if a is None or b is None:
        return a or b
    if a == b:
        return a
    if "f64" in (a, b):
        if "int" in (a, b):
            return "f64"
        raise ValueError(f"{a} and {b} do not mix: convert with f64_from_i64_u/s or i64_trunc_sat_u/s")
    return "i64" if "i64" in (a, b) else "i32"


class Scope:
    """Names of one (possibly inlined) function body: types and local indices of variables, parameters that are constants."""

    def __init__(self, src: Source, consts: dict[str, int | float]) -> None:
        self.src = src
        self.consts = consts
        self.types: dict[str, str | None] = {}
        self.declared: dict[str, str] = {n: t for n, t in src.params if n not in consts}
        self.index: dict[str, int] = {}
        self._assigned: list[tuple[str, ast.expr, Any]] = []
        self._collect()
        self._infer()

    # ---- variables ----------------------------------------------------------------------------------------------------

    def _target(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._assigned.append((target.id, value, target))
        elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for t, v in zip(target.elts, value.elts, strict=True):
                self._target(t, v)
        else:
            raise self.src.error(target, f"cannot assign to {ast.unparse(target)!r}: only to names (memory is written by st8..st64)")

    def _collect(self) -> None:
        for stmt in self.src.node.body:
            for n in ast.walk(stmt):
                if isinstance(n, ast.Assign):
                    for t in n.targets:
                        self._target(t, n.value)
                elif isinstance(n, ast.AugAssign):
                    self._target(n.target, ast.copy_location(ast.BinOp(ast.copy_location(_load(n.target), n), n.op, n.value), n))
                elif isinstance(n, ast.AnnAssign):
                    if not isinstance(n.target, ast.Name):
                        raise self.src.error(n, "only names can be annotated")
                    self.declared[n.target.id] = self.src.annotation(n.annotation, n)
                    if n.value is not None:
                        self._target(n.target, n.value)
                elif isinstance(n, ast.For):
                    for bound in range_bounds(self.src, n)[:2]:
                        self._target(n.target, bound)
        for name, _, at in self._assigned:
            if name in self.consts:
                raise self.src.error(at, f"{name}: an assigned parameter cannot be a constant")

    def _infer(self) -> None:
        self.types = dict(self.declared)
        names = {n for n, _, _ in self._assigned} - set(self.declared)
        for n in names:
            self.types[n] = None
        changed = True
        while changed:
            changed = False
            for name, value, at in self._assigned:
                if name in self.declared:
                    continue
                try:
                    t = join(self.types[name], self.type_of(value))
                except ValueError as e:
                    raise self.src.error(at, f"{name}: {e}") from None
                if t != self.types[name]:
                    self.types[name] = t
                    changed = True
        for n in names:
            if self.types[n] in ("int", None):
                self.types[n] = "i32"
            elif self.types[n] == "":
                raise self.src.error(self.src.node, f"{n} is assigned the result of a function without one")

    # ---- constants ----------------------------------------------------------------------------------------------------

    def const(self, node: ast.expr) -> int | float | None:
        """The value of a constant expression: literals, UPPER_CASE names, constant parameters of an inlined call, and arithmetic over these."""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, (int, float)) else None
        if isinstance(node, ast.Name):
            if node.id in self.types:
                return None
            if node.id in self.consts:
                return self.consts[node.id]
        if isinstance(node, (ast.Name, ast.Attribute)):
            name = node.id if isinstance(node, ast.Name) else node.attr
            value = self.src.lookup(node) if name.isupper() else None
            return value if isinstance(value, (int, float)) else None
        if isinstance(node, ast.UnaryOp):
            v = self.const(node.operand)
            if v is None or (isinstance(v, float) and isinstance(node.op, ast.Invert)):
                return None
            return _UNARY[type(node.op)](v)  # type: ignore[no-any-return]
        if isinstance(node, ast.BinOp) and type(node.op) in _FOLD:
            a, b = self.const(node.left), self.const(node.right)
            if a is None or b is None:
                return None
            try:
                return _FOLD[type(node.op)](a, b)  # type: ignore[no-any-return]
            except (ArithmeticError, TypeError, ValueError) as e:
                raise self.src.error(node, f"constant expression: {e}") from None
        if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
            form = getattr(getattr(self.src.lookup(node.func), "__kernel_intrinsic__", None), "form", "")
            v = self.const(node.args[0]) if form in ("u32", "u64") else None
            if isinstance(v, int):
                return v & (MASK32 if form == "u32" else MASK64)
        return None

    # ---- types --------------------------------------------------------------------------------------------------------

    def type_of(self, node: ast.expr) -> str | None:
        """Type of an expression: None while it depends on variables that are not typed yet."""
        try:
            return self._type_of(node)
        except ValueError as e:
            raise self.src.error(node, str(e)) from None

    def _type_of(self, node: ast.expr) -> str | None:
        if isinstance(node, ast.Call):
            return self._call_type(node)
        value = self.const(node)
        if value is not None:
            if isinstance(value, float):
                return "f64"
            return "i64" if value > MASK32 or value < -(1 << 31) else "int"
        if isinstance(node, ast.Name):
            if node.id not in self.types:
                raise self.src.error(node, f"{node.id!r} is no variable and no UPPER_CASE constant")
            return self.types[node.id]
        if isinstance(node, ast.BinOp):
            left = self.type_of(node.left)
            if isinstance(node.op, (ast.LShift, ast.RShift)):
                return left if left != "int" else self.type_of(node.right)
            return join(left, self.type_of(node.right))
        if isinstance(node, ast.UnaryOp):
            return "i32" if isinstance(node.op, ast.Not) else self.type_of(node.operand)
        if isinstance(node, ast.Compare):
            return "i32"
        if isinstance(node, ast.BoolOp):
            t: str | None = None
            for v in node.values:
                t = join(t, self.type_of(v))
            return t
        if isinstance(node, ast.IfExp):
            return join(self.type_of(node.body), self.type_of(node.orelse))
        raise self.src.error(node, f"{ast.unparse(node)!r}: {type(node).__name__} is outside restricted Python")

    def _call_type(self, node: ast.Call) -> str | None:
        target = self.src.lookup(node.func)
        spec = getattr(target, "__kernel_intrinsic__", None)
        if spec is not None:
            if spec.form == "select" and len(node.args) == 3:
                return join(self.type_of(node.args[1]), self.type_of(node.args[2]))
            return str(spec.result)
        if hasattr(target, "__kernel_host__"):
            return source(target.__wrapped__).result
        if isinstance(target, FunctionType):
            return source(target).result
        raise self.src.error(node, f"{ast.unparse(node.func)!r} is no kernel function and no intrinsic")


def _load(target: ast.expr) -> ast.expr:
    return ast.Name(target.id, ast.Load()) if isinstance(target, ast.Name) else target


def range_bounds(src: Source, loop: ast.For) -> tuple[ast.expr, ast.expr, ast.expr]:
    """(start, end, step) of `for name in range(...)`."""
    it = loop.iter
    ok = isinstance(it, ast.Call) and isinstance(it.func, ast.Name) and it.func.id == "range" and not it.keywords and 1 <= len(it.args) <= 3
    if not ok or not isinstance(loop.target, ast.Name) or loop.orelse:
        raise src.error(loop, "loops are `for name in range([start,] end[, step])`, without else")
    assert isinstance(it, ast.Call)
    zero, one = (ast.copy_location(ast.Constant(n), it) for n in (0, 1))
    if len(it.args) == 1:
        return zero, it.args[0], one
    return it.args[0], it.args[1], it.args[2] if len(it.args) == 3 else one


@cache
def source(fn: Callable[..., Any]) -> Source:
    """The parsed function, once per function."""
    return Source(fn)


_UNARY: dict[type, Callable[[Any], Any]] = {ast.USub: lambda a: -a, ast.Invert: lambda a: ~a, ast.UAdd: lambda a: +a, ast.Not: lambda a: int(not a)}
_FOLD: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
    ast.BitAnd: lambda a, b: a & b,
    ast.BitOr: lambda a, b: a | b,
    ast.BitXor: lambda a, b: a ^ b,
    ast.LShift: lambda a, b: a << b,
    ast.RShift: lambda a, b: a >> b,
}
