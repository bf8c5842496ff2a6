"""Custom operations the tables do not know, through the `circt` Python package where it is installed.

The statement is parsed there inside a small module in which stand-ins define its operands, printed in the generic form, and read again here.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from wasmjit.ir.core import Source, Value
from wasmjit.ir.diagnostics import IRError
from wasmjit.ir.scanner import SSA
from wasmjit.ir.strings import quote

if TYPE_CHECKING:
    from wasmjit.ir.parser import OpState, Parser

_STAND_IN = "wasmjit.operand"


def _package() -> tuple[ModuleType, ModuleType] | None:
    try:
        return importlib.import_module("circt"), importlib.import_module("circt.ir")
    except ImportError:
        return None


def to_generic(text: str) -> str | None:
    """`text` in the generic form; None without the `circt` package. Raises ValueError with its message if it does not accept the text."""
    found = _package()
    if found is None:
        return None
    circt, ir = found
    with ir.Context() as context:
        context.allow_unregistered_dialects = True
        circt.register_dialects(context)
        try:
            module = ir.Module.parse(text)
        except Exception as e:  # MLIRError of the package; it cannot be named without importing the package
            raise ValueError(str(e)) from e
        return str(module.operation.get_asm(print_generic_op_form=True))


def reread_op(p: Parser, st: OpState, pos: int) -> bool:
    """Reads the statement at `st.pos` (op name at `pos`) through the package into `st`. False if there is no package."""
    from wasmjit.ir.parser import Parser as Inner

    if _package() is None:
        return False
    end = p.next_statement(pos)
    statement = p.text[st.pos : end]
    values: dict[str, Value] = {}
    for m in SSA.finditer(p.text[pos:end]):
        name = m[0]
        if name not in values and name in p.scope and p.scope[name].type is not None:
            values[name] = p.scope[name]
    lines = []
    stand_ins: dict[str, Value] = {}
    for i, (name, value) in enumerate(values.items()):
        key = f"v{i}"
        stand_ins[key] = value
        lines.append(f'%{key}_ = "{_STAND_IN}"() {{name = {quote(key)}}} : () -> {value.type}')
        statement = statement.replace(name, f"%{key}_")
    try:
        text = to_generic("\n".join([*lines, statement]))
        assert text is not None
        root = Inner(Source(p.source.name, text)).top()
    except (ValueError, IRError) as e:
        p.error(f"unknown operation '{st.name}', and the circt package does not accept it: {str(e).splitlines()[0]}", pos)
    op = root.regions[0].blocks[0].ops[-1]
    back: dict[Value, Value] = {}
    for other in root.regions[0].blocks[0].ops[:-1]:
        if other.name == _STAND_IN:
            back[other.results[0]] = stand_ins[other.attrs["name"]]
    for inner in op.walk():
        inner.operands = [back.get(v, v) for v in inner.operands]
    st.operands, st.attrs, st.regions = op.operands, op.attrs, list(op.regions)
    st.results = [r.type for r in op.results]
    p.pos = end
    return True
