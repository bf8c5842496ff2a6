"""Custom ops the tables do not know, by way of the `circt` package (a stand-in here)."""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any, Self

import pytest
from ir_helpers import errors, module

from wasmjit.ir import parse_text
from wasmjit.ir.foreign import to_generic
from wasmjit.ir.types import I8


class _Context:
    allow_unregistered_dialects = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        return None


class _Operation:
    def __init__(self, text: str) -> None:
        self.text = text

    def get_asm(self, print_generic_op_form: bool) -> str:
        assert print_generic_op_form
        # What the real package does to values: new names. And it knows `foo.twice`.
        text = re.sub(r"%v(\d+)_", r"%in\1", self.text)
        text = re.sub(r"foo\.twice (%\w+) : (\w+)", r'"foo.twice"(\1, \1) {n = 2 : i32} : (\2, \2) -> \2', text)
        return '"builtin.module"() ({\n' + text + "\n}) : () -> ()\n"


class _Module:
    def __init__(self, text: str) -> None:
        self.operation = _Operation(text)

    @staticmethod
    def parse(text: str) -> _Module:
        if "foo.twice" not in text:
            raise RuntimeError("unregistered operation")
        return _Module(text)


@pytest.fixture
def circt(monkeypatch: pytest.MonkeyPatch) -> Any:
    package, ir = ModuleType("circt"), ModuleType("circt.ir")
    package.register_dialects = lambda context: None  # type: ignore[attr-defined]
    package.ir = ir  # type: ignore[attr-defined]
    ir.Context, ir.Module = _Context, _Module  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "circt", package)
    monkeypatch.setitem(sys.modules, "circt.ir", ir)
    return package


@pytest.mark.usefixtures("circt")
def test_unknown_op_is_read_through_the_package() -> None:
    design = parse_text(module("%0 = foo.twice %a : i8\n%1 = comb.add %0, %a : i8", "%a: i8")).force()
    twice, add, _ = design.symbols["t"].regions[0].blocks[0].ops
    assert twice.name == "foo.twice" and twice.attrs == {"n": 2} and twice.result.type is I8
    assert [v.name for v in twice.operands] == ["a", "a"]
    assert add.operands[0] is twice.result


@pytest.mark.usefixtures("circt")
def test_what_the_package_does_not_accept_either_is_an_error() -> None:
    assert "the circt package does not accept it: unregistered operation" in errors(module("%0 = foo.thrice %a : i8", "%a: i8"))[0]


def test_without_the_package_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "circt", None)
    assert to_generic("foo.twice") is None
    assert "unknown operation 'foo.twice'" in errors(module("%0 = foo.twice %a : i8", "%a: i8"))[0]
