"""Types in text. Dialect types register a reader with `@dialect_type`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from wasmjit.ir.scanner import BARE, STRING, Scanner, to_int
from wasmjit.ir.types import (
    INDEX,
    FloatType,
    FunctionType,
    IntType,
    MemRefType,
    NoneType,
    OpaqueType,
    TensorType,
    TupleType,
    Type,
    VectorType,
)

if TYPE_CHECKING:
    from wasmjit.ir.parser import Parser

TypeFn = Callable[["Parser"], Type]
TYPE_READERS: dict[str, TypeFn] = {}
"""Full name ("hw.struct") -> reader; called with the position after the name."""

_INT = re.compile(r"([su]?)i([0-9]+)\Z")
_DIM = re.compile(r"([0-9]+|\?)x")
_FLOATS: dict[str, FloatType] = {
    "f16": FloatType(16), "f32": FloatType(32), "f64": FloatType(64), "f80": FloatType(80), "f128": FloatType(128),
    "bf16": FloatType(16, "bf16"), "tf32": FloatType(19, "tf32"),
}  # fmt: skip
MAX_INT_WIDTH = 1 << 24


def _nested(levels: int) -> str:
    inner = r'[^<>"\n{}]|"[^"\n\\]*"'
    pattern = ""
    for _ in range(levels):
        pattern = rf"<(?:{inner}{'|' + pattern if pattern else ''})*>"
    return pattern


# A whole type of up to three bracket levels; the text is a key of the cache, so a wrong guess costs time only.
_TOKEN = re.compile(r"!?[A-Za-z_][\w$.]*(?:" + _nested(3) + ")?")


def dialect_type(*names: str) -> Callable[[TypeFn], TypeFn]:
    def add(fn: TypeFn) -> TypeFn:
        for name in names:
            TYPE_READERS[name] = fn
        return fn

    return add


class TypeReader(Scanner):
    """`type()` reads any type. In hw and llvm types the prefix `!hw.` / `!llvm.` of nested ones may be missing: `prefix` names it."""

    type_cache: dict[str, Type]
    alias_types: dict[str, Type]

    def type(self, prefix: str = "") -> Type:
        pos = self.ws()
        m = _TOKEN.match(self.text, pos)
        if m is not None:
            key = prefix + m[0] if prefix else m[0]
            found = self.type_cache.get(key)
            if found is not None:
                self.pos = m.end()
                return found
        result = self._type(prefix)
        if m is not None and self.pos == m.end():
            self.type_cache[key] = result
        return result

    def _type(self, prefix: str) -> Type:
        text, pos = self.text, self.pos
        if pos >= len(text):
            self.error("expected a type, got the end of the file")
        c = text[pos]
        if c == "(":
            self.enter()
            result: Type = self.function_type()
            self.leave()
            return result
        if c == "!":
            m = BARE.match(text, pos + 1)
            if m is None:
                self.error("expected a type name after '!'")
            self.pos = m.end()
            name = m[0]
            if "." not in name:
                if name in self.source.aliases_of("!"):
                    return self.alias_type(name, pos)
                if text.startswith("<", self.pos):
                    return self._dialect(name, pos)
                self.error(f"type alias '!{name}' is not defined", pos)
            return self._dialect(name, pos)
        m = BARE.match(text, pos)
        if m is None:
            self.error(f"expected a type{self.found()}")
        name = m[0]
        self.pos = m.end()
        i = _INT.match(name)
        if i:
            return int_type(self, int(i[2]) if len(i[2]) < 10 else MAX_INT_WIDTH + 1, i[1], pos)
        if name in _FLOATS:
            return _FLOATS[name]
        if prefix and prefix + name in TYPE_READERS:
            return self._dialect(prefix + name, pos)
        builtin = TYPE_READERS.get("builtin." + name)
        if builtin is None:
            self.pos = pos
            self.error(f"unknown type '{name}'", pos)
        self.enter()
        result = builtin(self)  # type: ignore[arg-type]
        self.leave()
        return result

    def _dialect(self, name: str, start: int) -> Type:
        reader = TYPE_READERS.get(name)
        if reader is None:
            if self.text.startswith("<", self.pos):
                self.skip_balanced()
            return OpaqueType(("" if self.text[start] == "!" else "!" + name.split(".")[0] + ".") + self.text[start : self.pos])
        self.enter()
        result = reader(self)  # type: ignore[arg-type]
        self.leave()
        return result

    def alias_type(self, name: str, pos: int) -> Type:
        found = self.alias_types.get(name)
        if found is None:
            self.enter()
            back = self.pos
            self.pos = self.source.aliases_of("!")[name]
            found = self.type()
            self.alias_types[name] = found
            self.pos = back
            self.leave()
        return found

    def type_list_parens(self, prefix: str = "") -> list[Type]:
        """`(T, T, ...)`, possibly empty."""
        self.expect("(")
        out: list[Type] = []
        if self.accept(")"):
            return out
        while True:
            out.append(self.type(prefix))
            if self.accept(")"):
                return out
            self.expect(",")

    def types_or_one(self) -> list[Type]:
        """`(T, T)` or a single `T`: the result part of a function type. `()` is empty."""
        if self.peek("("):
            # `-> (T) -> T` is one function type, not a list.
            start = self.pos
            out = self.type_list_parens()
            if self.accept("->"):
                self.pos = start
                return [self.type()]
            return out
        return [self.type()]

    def function_type(self) -> FunctionType:
        inputs = self.type_list_parens()
        self.expect("->")
        return FunctionType(tuple(inputs), tuple(self.types_or_one()))

    def dims(self) -> list[int]:
        """`4x8x` in front of an element type; -1 for `?`."""
        out: list[int] = []
        while m := _DIM.match(self.text, self.ws()):
            self.pos = m.end()
            out.append(-1 if m[1] == "?" else to_int(m[1]))
        return out

    def angle_types(self, prefix: str = "") -> list[Type]:
        """`<T, T>`."""
        self.expect("<")
        out: list[Type] = []
        if self.accept(">"):
            return out
        while True:
            out.append(self.type(prefix))
            if self.accept(">"):
                return out
            self.expect(",")


def int_type(p: Scanner, width: int, sign: str, pos: int) -> IntType:
    if width > MAX_INT_WIDTH:
        p.error(f"integer type is wider than {MAX_INT_WIDTH} bits", pos)
    return IntType(width, {"": "signless", "s": "signed", "u": "unsigned"}[sign])


@dialect_type("builtin.index")
def _index(p: Parser) -> Type:
    return INDEX


@dialect_type("builtin.none")
def _none(p: Parser) -> Type:
    return NoneType()


@dialect_type("builtin.tuple")
def _tuple(p: Parser) -> Type:
    return TupleType(tuple(p.angle_types()))


@dialect_type("builtin.complex")
def _complex(p: Parser) -> Type:
    return OpaqueType("complex" + p.skip_balanced())


def _shaped(cls: type[TensorType | VectorType | MemRefType]) -> TypeFn:
    def read(p: Parser) -> Type:
        p.expect("<")
        shape: tuple[int, ...] | None
        if p.accept("*x"):
            shape = None
        else:
            shape = tuple(p.dims())
        elem = p.type()
        start = p.pos
        while p.accept(","):
            p.attr()
        suffix = p.text[start : p.pos].rstrip()
        p.expect(">")
        return cls(shape, elem, suffix)

    return read


dialect_type("builtin.tensor")(_shaped(TensorType))
dialect_type("builtin.vector")(_shaped(VectorType))
dialect_type("builtin.memref")(_shaped(MemRefType))


def field_name(p: Scanner) -> str:
    """Name of a struct field: an identifier, a keyword, or a string."""
    if STRING.match(p.text, p.ws()):
        return p.string()
    m = p.match(re.compile(r"[\w$.-]+", re.ASCII))
    if m is None:
        p.error(f"expected a field name{p.found()}")
    return m[0]
