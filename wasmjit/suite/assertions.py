"""The `:assert: (expression)` lines of sv-tests: Python expressions over constants, evaluated without `eval`."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from typing import Any

LINE = re.compile(r":assert:\s*(.+?)\s*$")

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b, ast.Is: operator.is_, ast.IsNot: operator.is_not,
}  # fmt: skip
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod, ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
}  # fmt: skip
_SHIFT: dict[type[ast.operator], Callable[[int, int], int]] = {ast.LShift: operator.lshift, ast.RShift: operator.rshift}
MAX_SHIFT = 1 << 16
"""Most bits that a shift may move a number: the text of a log must not make numbers that fill the memory."""
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.Not: operator.not_, ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Invert: operator.invert}


class BadAssertion(Exception):
    """The expression is no expression over constants."""


def assertions(text: str) -> list[str]:
    """Expressions of all assertion lines."""
    return [m.group(1) for line in text.splitlines() if (m := LINE.search(line)) is not None]


def holds(expression: str) -> bool:
    """Raises BadAssertion."""
    try:
        return bool(_value(ast.parse(expression, mode="eval").body))
    except (SyntaxError, TypeError, ValueError, ZeroDivisionError, RecursionError) as e:
        raise BadAssertion(str(e)) from e


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=v):
            return v
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return [_value(x) for x in items]
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_value(v) for v in values)
        case ast.BoolOp(values=values):
            return any(_value(v) for v in values)
        case ast.UnaryOp(op=op, operand=x):
            return _UNARY[type(op)](_value(x))
        case ast.BinOp(left=a, op=bop, right=b) if type(bop) in _BINARY:
            return _BINARY[type(bop)](_value(a), _value(b))
        case ast.BinOp(left=a, op=bop, right=b) if type(bop) in _SHIFT:
            number, places = _value(a), _value(b)
            if not (isinstance(number, int) and isinstance(places, int) and 0 <= places <= MAX_SHIFT):
                raise BadAssertion(f"shift by {places}")
            return _SHIFT[type(bop)](number, places)
        case ast.Compare(left=left, ops=ops, comparators=rest):
            value = _value(left)
            for cop, item in zip(ops, rest, strict=True):
                other = _value(item)
                if not _COMPARE[type(cop)](value, other):
                    return False
                value = other
            return True
    raise BadAssertion(f"not an expression over constants: {ast.dump(node)[:60]}")
