"""Restricted Python: expressions, conditions and calls to wasm instructions.

The values on the wasm stack are those CPython computes, as long as the rules of `wasmjit.sched.intrinsics` are kept:

* An expression is emitted *at* a type. At i64, i32 operands of arithmetic are widened before the operation, so `u64(a * b)` is the full product as in CPython.
* Inside `u32()`/`u64()` ring operations (+ - * & | ^ ~ and << on the left) may leave the range: the masked result is the same.
* Inlined calls become a block with fresh locals; their `return` is a branch to its end. Constant arguments of parameters that are never assigned stay constants.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import FunctionType
from typing import Any, Protocol

from wasmjit.codegen import wasm as w
from wasmjit.codegen.kernel_source import MASK32, MASK64, Scope, Source, join, source

VALTYPE = {"i32": w.I32, "i64": w.I64, "f64": w.F64, "": w.VOID}

_INT_OPS = {
    ast.Add: "ADD", ast.Sub: "SUB", ast.Mult: "MUL", ast.FloorDiv: "DIV_U", ast.Mod: "REM_U", ast.BitAnd: "AND", ast.BitOr: "OR", ast.BitXor: "XOR",
    ast.LShift: "SHL", ast.RShift: "SHR_U",
}  # fmt: skip
_RING = (ast.Add, ast.Sub, ast.Mult, ast.BitAnd, ast.BitOr, ast.BitXor)
_FLOAT_OPS = {ast.Add: w.F64_ADD, ast.Sub: w.F64_SUB, ast.Mult: w.F64_MUL}
_COMPARE = {ast.Eq: "EQ", ast.NotEq: "NE", ast.Lt: "LT", ast.LtE: "LE", ast.Gt: "GT", ast.GtE: "GE"}


class Unit(Protocol):
    """What a function needs from the module being built."""

    def func_index(self, target: Callable[..., Any]) -> int:
        """Index of a kernel function or host import."""

    def type_index(self, params: tuple[str, ...], result: str) -> int: ...


class ExpressionLowering:
    """State of one function being compiled; `code` and `locals` (value types after the parameters) are the result. `FunctionLowering` adds the statements."""

    def __init__(self, unit: Unit, src: Source) -> None:
        self.unit = unit
        self.code = w.CodeBuf()
        self.locals: list[int] = []
        self.n_params = len(src.params)
        self.depth = 0
        self.loops: list[tuple[int, int]] = []  # (depth of the break label, depth of the continue label)
        self.inlining: list[Callable[..., Any]] = [src.fn]
        self.scope = Scope(src, {})
        self.ret: int | None = None  # label of the inlined body's end
        for i, (name, _) in enumerate(src.params):
            self.scope.index[name] = i

    def body(self, src: Source) -> None:
        """Compile the statements of a function; used for inlined calls."""
        raise NotImplementedError

    def error(self, node: Any, message: str) -> Exception:
        """A KernelError at a node of the function whose body is being compiled."""
        return self.scope.src.error(node, message)

    # ---- locals and labels --------------------------------------------------------------------------------------------

    def new_local(self, t: str) -> int:
        self.locals.append(VALTYPE[t])
        return self.n_params + len(self.locals) - 1

    def var(self, name: str) -> tuple[int, str]:
        """(local index, type) of a variable; the local is made at its first use."""
        t = self.scope.types[name]
        assert t is not None
        i = self.scope.index.get(name)
        if i is None:
            i = self.scope.index[name] = self.new_local(t)
        return i, t

    def open(self, start: Callable[..., Any], *args: Any) -> int:
        """Open a block; the label for `jump`."""
        start(*args)
        self.depth += 1
        return self.depth

    def close(self) -> None:
        self.code.end()
        self.depth -= 1

    # ---- conditions -------------------------------------------------------------------------------------------------------

    def test(self, node: ast.expr) -> None:
        """The truth of an expression as an i32 that is 0 or not."""
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            self.test(node.operand)
            self.code.op(w.I32_EQZ)
            return
        if isinstance(node, ast.BoolOp) and self.scope.const(node) is None:
            conj = isinstance(node.op, ast.And)
            for v in node.values[:-1]:
                self.test(v)
                self.open(self.code.if_, w.I32)
                if not conj:
                    self.code.i32_const(1).else_()
            self.test(node.values[-1])
            for _ in node.values[:-1]:
                if conj:
                    self.code.else_().i32_const(0)
                self.close()
            return
        t = self.scope.type_of(node) or "i32"
        if t == "":
            raise self.error(node, f"{ast.unparse(node)!r} has no value")
        t = "i32" if t == "int" else t
        self.expr(node, t)
        if t == "i64":
            self.code.i64_const(0).op(w.I64_NE)
        elif t == "f64":
            self.code.f64_const(0.0).op(w.F64_NE)

    def jump_unless(self, node: ast.expr, label: int) -> None:
        """Branch to the label when the expression is false."""
        if isinstance(node, ast.BoolOp):
            if isinstance(node.op, ast.And):
                for v in node.values:
                    self.jump_unless(v, label)
                return
            yes = self.open(self.code.block)
            for v in node.values[:-1]:
                self.jump_if(v, yes)
            self.jump_unless(node.values[-1], label)
            self.close()
            return
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            self.jump_if(node.operand, label)
            return
        self.test(node)
        self.code.op(w.I32_EQZ).br_if(self.depth - label)

    def jump_if(self, node: ast.expr, label: int) -> None:
        """Branch to the label when the expression is true."""
        if isinstance(node, ast.BoolOp):
            if isinstance(node.op, ast.Or):
                for v in node.values:
                    self.jump_if(v, label)
                return
            no = self.open(self.code.block)
            for v in node.values[:-1]:
                self.jump_unless(v, no)
            self.jump_if(node.values[-1], label)
            self.close()
            return
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            self.jump_unless(node.operand, label)
            return
        self.test(node)
        self.code.br_if(self.depth - label)

    # ---- expressions ------------------------------------------------------------------------------------------------------

    def expr(self, node: ast.expr, t: str, wrapped: bool = False) -> None:
        """Emit an expression at type t. `wrapped`: under u32()/u64(), where ring operations may leave the range."""
        value = self.scope.const(node)
        if value is not None:
            self.const(node, value, t, wrapped)
            return
        natural = self.scope.type_of(node)
        if natural == "":
            raise self.error(node, f"{ast.unparse(node)!r} has no value")
        if natural == "i64" and t == "i32":
            raise self.error(node, f"{ast.unparse(node)!r} is an i64 where an i32 is wanted: narrow it with u32(...)")
        if (natural == "f64") != (t == "f64"):
            raise self.error(node, f"{ast.unparse(node)!r} is an {natural} where an {t} is wanted: convert it explicitly")
        if isinstance(node, ast.BinOp):
            self.binop(node, t, wrapped)
        elif isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.Not):
            self.unary(node, t, wrapped)
        elif isinstance(node, ast.IfExp):
            self.test(node.test)
            self.open(self.code.if_, VALTYPE[t])
            self.expr(node.body, t, wrapped)
            self.code.else_()
            self.expr(node.orelse, t, wrapped)
            self.close()
        elif isinstance(node, ast.BoolOp):
            self.boolop(node, t)
        elif isinstance(node, ast.Call) and self.is_select(node):
            self.select(node, t)
        else:
            self.leaf(node)
            if natural == "i32" and t == "i64":
                self.code.op(w.I64_EXTEND_I32_U)

    def leaf(self, node: ast.expr) -> None:
        """An expression at its own type."""
        if isinstance(node, ast.Name):
            self.code.local_get(self.var(node.id)[0])
        elif isinstance(node, ast.Call):
            self.call(node)
        elif isinstance(node, ast.Compare):
            self.compare(node)
        elif isinstance(node, ast.UnaryOp):  # not
            self.test(node)
        else:
            raise self.error(node, f"{type(node).__name__} is outside restricted Python")

    def const(self, node: ast.expr, value: float, t: str, wrapped: bool) -> None:
        if t == "f64":
            self.code.f64_const(float(value))
            return
        if not isinstance(value, int):
            raise self.error(node, f"{value} is an f64 where an {t} is wanted")
        limit = MASK32 if t == "i32" else MASK64
        if not wrapped and not 0 <= value <= limit:
            raise self.error(node, f"the constant {value} is no unsigned {t} (negative numbers only inside u32()/u64())")
        (self.code.i32_const if t == "i32" else self.code.i64_const)(int(value) & limit)

    def binop(self, node: ast.BinOp, t: str, wrapped: bool) -> None:
        op = type(node.op)
        if t == "f64":
            if op not in _FLOAT_OPS:
                raise self.error(node, "floats have + - * and fdiv(a, b); `/` raises in CPython when the divisor is 0")
            self.expr(node.left, t)
            self.expr(node.right, t)
            self.code.op(_FLOAT_OPS[op])
            return
        if op not in _INT_OPS:
            raise self.error(node, f"operator {op.__name__} is outside restricted Python")
        ring = wrapped and op in _RING
        if op in (ast.LShift, ast.RShift):
            amount = self.scope.const(node.right)
            if amount is not None and not 0 <= amount < (32 if t == "i32" else 64):
                raise self.error(node, f"shift of an {t} by {amount}")
            self.expr(node.left, t, wrapped and op is ast.LShift)
            if t == "i32" and self.scope.type_of(node.right) == "i64":
                self.expr(node.right, "i64")
                self.code.op(w.I32_WRAP_I64)
            else:
                self.expr(node.right, t)
        else:
            # a & ~b: the complement is negative in CPython, the conjunction with an unsigned value is not
            self.expr(node.left, t, ring or (op is ast.BitAnd and _is_invert(node.left)))
            self.expr(node.right, t, ring or (op is ast.BitAnd and _is_invert(node.right)))
        self.code.op(getattr(w, f"{t.upper()}_{_INT_OPS[op]}"))

    def unary(self, node: ast.UnaryOp, t: str, wrapped: bool) -> None:
        if isinstance(node.op, ast.UAdd):
            self.expr(node.operand, t, wrapped)
        elif t == "f64":
            self.expr(node.operand, t)
            self.code.op(w.F64_NEG)
        elif not wrapped:
            raise self.error(node, f"{ast.unparse(node)!r} is negative in CPython: wrap it in u32() or u64()")
        elif isinstance(node.op, ast.Invert):
            self.expr(node.operand, t, wrapped)
            (self.code.i32_const if t == "i32" else self.code.i64_const)(-1)
            self.code.op(w.I32_XOR if t == "i32" else w.I64_XOR)
        else:
            (self.code.i32_const if t == "i32" else self.code.i64_const)(0)
            self.expr(node.operand, t, wrapped)
            self.code.op(w.I32_SUB if t == "i32" else w.I64_SUB)

    def compare(self, node: ast.Compare) -> None:
        if len(node.ops) != 1:
            raise self.error(node, "chained comparison: write `a < b and b < c`")
        op = _COMPARE.get(type(node.ops[0]))
        if op is None:
            raise self.error(node, f"{type(node.ops[0]).__name__} is outside restricted Python")
        a, b = node.left, node.comparators[0]
        try:
            t = join(self.scope.type_of(a), self.scope.type_of(b)) or "i32"
        except ValueError as e:
            raise self.error(node, str(e)) from None
        t = "i32" if t == "int" else t
        self.expr(a, t)
        if t != "f64" and op == "EQ" and self.scope.const(b) == 0:
            self.code.op(w.I32_EQZ if t == "i32" else w.I64_EQZ)
            return
        self.expr(b, t)
        sign = "" if t == "f64" or op in ("EQ", "NE") else "_U"
        self.code.op(getattr(w, f"{t.upper()}_{op}{sign}"))

    def boolop(self, node: ast.BoolOp, t: str) -> None:
        """Value of `a and b` / `a or b`: the operand that decides."""
        if t == "i32" and all(_is_truth(v) for v in node.values):
            self.test(node)
            return
        tmp = self.new_local(t)
        conj = isinstance(node.op, ast.And)
        for v in node.values[:-1]:
            self.expr(v, t)
            self.code.local_tee(tmp)
            if t == "i64":
                self.code.i64_const(0).op(w.I64_NE)
            elif t == "f64":
                self.code.f64_const(0.0).op(w.F64_NE)
            self.open(self.code.if_, VALTYPE[t])
            if not conj:
                self.code.local_get(tmp).else_()
        self.expr(node.values[-1], t)
        for _ in node.values[:-1]:
            if conj:
                self.code.else_().local_get(tmp)
            self.close()

    # ---- calls ------------------------------------------------------------------------------------------------------------

    def call(self, node: ast.Call) -> str:
        """Emit a call; its result type."""
        target = self.scope.src.lookup(node.func)
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            raise self.error(node, "only positional arguments")
        spec = getattr(target, "__kernel_intrinsic__", None)
        if spec is not None:
            return self.intrinsic(node, spec)
        if hasattr(target, "__kernel_host__"):
            callee = source(target.__wrapped__)
        elif isinstance(target, FunctionType):
            callee = source(target)
        else:
            raise self.error(node, f"{ast.unparse(node.func)!r} is no kernel function and no intrinsic")
        if len(node.args) != len(callee.params):
            raise self.error(node, f"{callee.name} takes {len(callee.params)} arguments, not {len(node.args)}")
        if getattr(target, "__kernel_inline__", False):
            self.inline(node, callee)
        else:
            for a, (_, t) in zip(node.args, callee.params, strict=True):
                self.expr(a, t)
            self.code.call(self.unit.func_index(target))
        return callee.result

    def inline(self, node: ast.Call, callee: Source) -> None:
        if callee.fn in self.inlining:
            raise self.error(node, f"@inline function {callee.name} calls itself")
        stored = {n.id for s in callee.node.body for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        consts: dict[str, int | float] = {}
        for a, (name, t) in zip(node.args, callee.params, strict=True):
            value = self.scope.const(a)
            if value is not None and name not in stored and (t == "f64" or 0 <= value <= (MASK32 if t == "i32" else MASK64)):
                consts[name] = float(value) if t == "f64" else value
        inner = Scope(callee, consts)
        for a, (name, t) in zip(node.args, callee.params, strict=True):
            if name not in consts:
                self.expr(a, t)
                inner.index[name] = self.new_local(t)
        for name, _ in reversed(callee.params):
            if name not in consts:
                self.code.local_set(inner.index[name])
        saved = self.scope, self.ret, self.loops
        self.inlining.append(callee.fn)
        self.scope, self.loops = inner, []
        self.ret = self.open(self.code.block, VALTYPE[callee.result])
        self.body(callee)
        self.close()
        self.scope, self.ret, self.loops = saved
        self.inlining.pop()

    def intrinsic(self, node: ast.Call, spec: Any) -> str:
        args = node.args
        if len(args) != len(spec.params):
            raise self.error(node, f"{ast.unparse(node.func)} takes {len(spec.params)} arguments, not {len(args)}")
        if spec.form in ("u32", "u64"):
            return self.wrap(args[0], spec.result)
        if spec.form == "select":
            t = self.scope.type_of(node)
            t = "i32" if t in ("int", None) else str(t)
            self.select(node, t)
            return t
        if spec.form in ("load", "store"):
            offset = self.address(args[0])
            if spec.form == "store":
                self.expr(args[1], spec.params[1])
            self.code.load(_opcode(spec.code), offset)
            return str(spec.result)
        if spec.form == "indirect":
            index = self.new_local("i32")
            self.expr(args[0], "i32")
            self.code.local_set(index)
            for a, t in zip(args[1:], spec.params[1:], strict=True):
                self.expr(a, t)
            self.code.local_get(index).call_indirect(self.unit.type_index(tuple(spec.params[1:]), spec.result))
            return str(spec.result)
        for a, t in zip(args, spec.params, strict=True):
            self.expr(a, t)
        if spec.code in _SPECIAL:
            _SPECIAL[spec.code](self.code)
        else:
            self.code.op(_opcode(spec.code))
        return str(spec.result)

    def address(self, node: ast.expr) -> int:
        """Emit an address; a constant summand is returned as the offset of the instruction. Neither CPython's sum nor wasm's effective address wraps."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and self.scope.type_of(node) == "i32":
            for base, extra in ((node.left, node.right), (node.right, node.left)):
                value = self.scope.const(extra)
                if isinstance(value, int) and 0 <= value <= MASK32 and self.scope.const(base) is None:
                    inner = self.address(base)
                    if inner + value <= MASK32:
                        return inner + value
                    self.code.i32_const(inner).op(w.I32_ADD)
                    return value
        self.expr(node, "i32")
        return 0

    def wrap(self, arg: ast.expr, result: str) -> str:
        natural = self.scope.type_of(arg)
        if natural in ("f64", ""):
            raise self.error(arg, f"u32/u64 of {natural or 'nothing'}: use i64_trunc_sat_u/s or f64_bits")
        if result == "i32" and natural == "i64":
            self.expr(arg, "i64", True)
            self.code.op(w.I32_WRAP_I64)
        else:
            self.expr(arg, result, True)
        return result

    def is_select(self, node: ast.Call) -> bool:
        spec = getattr(self.scope.src.lookup(node.func), "__kernel_intrinsic__", None)
        return spec is not None and spec.form == "select" and len(node.args) == 3 and not node.keywords

    def select(self, node: ast.Call, t: str) -> None:
        cond, a, b = node.args
        ordered = any(isinstance(n, ast.Call) for x in node.args for n in ast.walk(x))
        if ordered:  # CPython evaluates the condition first
            tmp = self.new_local("i32")
            self.test(cond)
            self.code.local_set(tmp)
        self.expr(a, t)
        self.expr(b, t)
        if ordered:
            self.code.local_get(tmp)
        else:
            self.test(cond)
        self.code.op(w.SELECT)


_SPECIAL: dict[str, Callable[[w.CodeBuf], Any]] = {
    "memory.size": w.CodeBuf.memory_size,
    "memory.grow": w.CodeBuf.memory_grow,
    "global.get $sp": lambda c: c.global_get(0),
    "global.set $sp": lambda c: c.global_set(0),
}


def _opcode(mnemonic: str) -> Any:
    return getattr(w, mnemonic.upper().replace(".", "_"))


def _is_invert(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert)


def _is_truth(node: ast.expr) -> bool:
    """Does the expression only give 0 or 1?"""
    if isinstance(node, ast.BoolOp):
        return all(_is_truth(v) for v in node.values)
    return isinstance(node, ast.Compare) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not))
