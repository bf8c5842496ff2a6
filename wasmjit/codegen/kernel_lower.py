"""Restricted Python: statements of one function to wasm instructions (expressions: `kernel_expr`)."""

from __future__ import annotations

import ast

from wasmjit.codegen import wasm as w
from wasmjit.codegen.kernel_expr import VALTYPE, ExpressionLowering, Unit
from wasmjit.codegen.kernel_source import Source, range_bounds


class FunctionLowering(ExpressionLowering):
    """Compiles one function; `code` and `locals` are the result."""

    def __init__(self, unit: Unit, src: Source) -> None:
        super().__init__(unit, src)
        self.body(src)

    def body(self, src: Source) -> None:
        for s in src.node.body:
            self.stmt(s)
        if src.result:
            self.code.op(w.UNREACHABLE)

    def stmt(self, s: ast.stmt) -> None:
        method = getattr(self, f"s_{type(s).__name__}", None)
        if method is None:
            raise self.error(s, f"{type(s).__name__} statement is outside restricted Python")
        method(s)

    def s_Pass(self, s: ast.Pass) -> None:
        """Nothing."""

    def s_Expr(self, s: ast.Expr) -> None:
        if isinstance(s.value, ast.Constant) and (isinstance(s.value.value, str) or s.value.value is ...):
            return
        if not isinstance(s.value, ast.Call):
            raise self.error(s, f"{ast.unparse(s)!r} has no effect")
        if self.call(s.value):
            self.code.op(w.DROP)

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple):
            assert isinstance(value, ast.Tuple)
            pairs = list(zip(target.elts, value.elts, strict=True))
            for t, v in pairs:
                if not isinstance(t, ast.Name):
                    raise self.error(t, "nested tuple assignment")
                self.expr(v, self.var(t.id)[1])
            for t, _ in reversed(pairs):
                assert isinstance(t, ast.Name)
                self.code.local_set(self.var(t.id)[0])
            return
        assert isinstance(target, ast.Name)
        i, ty = self.var(target.id)
        self.expr(value, ty)
        self.code.local_set(i)

    def s_Assign(self, s: ast.Assign) -> None:
        self._assign(s.targets[0], s.value)
        for t in s.targets[1:]:
            first = s.targets[0]
            if not isinstance(first, ast.Name) or not isinstance(t, ast.Name):
                raise self.error(s, "chained assignment takes plain names")
            self._assign(t, ast.copy_location(ast.Name(first.id, ast.Load()), s))

    def s_AnnAssign(self, s: ast.AnnAssign) -> None:
        if s.value is not None:
            self._assign(s.target, s.value)

    def s_AugAssign(self, s: ast.AugAssign) -> None:
        assert isinstance(s.target, ast.Name)
        load = ast.copy_location(ast.Name(s.target.id, ast.Load()), s)
        self._assign(s.target, ast.copy_location(ast.BinOp(load, s.op, s.value), s))

    def s_Return(self, s: ast.Return) -> None:
        want = self.scope.src.result
        if (s.value is None) != (want == ""):
            raise self.error(s, f"{self.scope.src.name} returns {want or 'nothing'}")
        if s.value is not None:
            self.expr(s.value, want)
        if self.ret is None:
            self.code.ret()
        else:
            self.code.br(self.depth - self.ret)

    def s_Assert(self, s: ast.Assert) -> None:
        self.test(s.test)
        self.code.op(w.I32_EQZ).if_().op(w.UNREACHABLE).end()

    def s_If(self, s: ast.If) -> None:
        value = self.scope.const(s.test)
        if value is not None:
            for b in s.body if value else s.orelse:
                self.stmt(b)
            return
        if isinstance(s.test, ast.BoolOp):
            end = self.open(self.code.block)
            other = self.open(self.code.block) if s.orelse else end
            self.jump_unless(s.test, other)
            for b in s.body:
                self.stmt(b)
            if s.orelse:
                self.code.br(self.depth - end)
                self.close()
                for b in s.orelse:
                    self.stmt(b)
            self.close()
            return
        self.test(s.test)
        self.open(self.code.if_)
        for b in s.body:
            self.stmt(b)
        if s.orelse:
            self.code.else_()
            for b in s.orelse:
                self.stmt(b)
        self.close()

    def s_While(self, s: ast.While) -> None:
        if s.orelse:
            raise self.error(s, "while ... else is outside restricted Python")
        value = self.scope.const(s.test)
        if value is not None and not value:
            return
        out = self.open(self.code.block)
        top = self.open(self.code.loop)
        if value is None:
            self.jump_unless(s.test, out)
        self.loops.append((out, top))
        for b in s.body:
            self.stmt(b)
        self.loops.pop()
        self.code.br(self.depth - top)
        self.close()
        self.close()

    def s_For(self, s: ast.For) -> None:
        start, end, step = range_bounds(self.scope.src, s)
        stride = self.scope.const(step)
        if not isinstance(stride, int) or stride <= 0:
            raise self.error(s, "the step of range is a positive constant; count down with `while`")
        assert isinstance(s.target, ast.Name)
        i, t = self.var(s.target.id)
        p, one = ("I64", self.code.i64_const) if t == "i64" else ("I32", self.code.i32_const)
        if t == "f64":
            raise self.error(s, f"{s.target.id} is an f64")
        count = self.new_local(t)
        self.expr(start, t)
        self.code.local_set(count)
        limit_value = self.scope.const(end)
        limit = -1
        if limit_value is None:
            limit = self.new_local(t)
            self.expr(end, t)
            self.code.local_set(limit)

        def push_limit() -> None:
            if limit < 0:
                self.expr(end, t)
            else:
                self.code.local_get(limit)

        out = self.open(self.code.block)
        self.code.local_get(count)
        push_limit()
        self.code.op(getattr(w, f"{p}_GE_U")).br_if(self.depth - out)
        top = self.open(self.code.loop)
        self.code.local_get(count).local_set(i)
        cont = self.open(self.code.block)
        self.loops.append((out, cont))
        for b in s.body:
            self.stmt(b)
        self.loops.pop()
        self.close()
        # count < end holds, so end - count does not wrap, and count += step is only done when it stays below end
        push_limit()
        self.code.local_get(count).op(getattr(w, f"{p}_SUB"))
        one(stride)
        self.code.op(getattr(w, f"{p}_LE_U")).br_if(self.depth - out)
        self.code.local_get(count)
        one(stride)
        self.code.op(getattr(w, f"{p}_ADD")).local_set(count).br(self.depth - top)
        self.close()
        self.close()

    def s_Break(self, s: ast.Break) -> None:
        self.code.br(self.depth - self.loops[-1][0])

    def s_Continue(self, s: ast.Continue) -> None:
        self.code.br(self.depth - self.loops[-1][1])


__all__ = ["VALTYPE", "FunctionLowering"]
