"""Attributes in text. Dialect attributes register a reader with `@dialect_attr`; the others stay `Opaque` text."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wasmjit.ir.attrs import Dense, Opaque, SymbolRef
from wasmjit.ir.scanner import BARE, STRING, SYMBOL, to_int
from wasmjit.ir.strings import unescape
from wasmjit.ir.typereader import TypeReader
from wasmjit.ir.types import FloatType, IntType, TensorType, Type

if TYPE_CHECKING:
    from wasmjit.ir.parser import Parser

AttrFn = Callable[["Parser"], Any]
ATTR_READERS: dict[str, AttrFn] = {}
"""Full name ("llhd.time") -> reader; called with the position after the name."""

NUMBER = re.compile(r"-?(?:0x[0-9A-Fa-f]+(?![\w.])|[0-9]+(?:\.[0-9]*(?:[eE][-+]?[0-9]+)?)?)")
_WORDS = ("affine_map", "affine_set", "dense_resource", "sparse", "opaque", "strided", "distinct")


def dialect_attr(*names: str) -> Callable[[AttrFn], AttrFn]:
    def add(fn: AttrFn) -> AttrFn:
        for name in names:
            ATTR_READERS[name] = fn
        return fn

    return add


_ENTRY = re.compile(r"""\[(\d{1,18}), @(?:"([^"\\\n]*)"|([A-Za-z_$.-][\w$.-]*))\]""", re.ASCII)
"""An entry of the table of virtual methods that a class has: `[3, @f]`. Class libraries have tens of thousands of them."""


class AttrReader(TypeReader):
    alias_attrs: dict[str, Any]

    def attr(self, typed: bool = True) -> Any:
        """Any attribute; a trailing `: type` of a string, number or dialect attribute is taken (`typed` False: left, for dialect attributes)."""
        text, pos = self.text, self.ws()
        c = text[pos : pos + 1]
        if c == '"':
            value: Any = self.string()
            if self.peek(":") and not self.peek("::"):
                self.expect(":")
                self.type()
            return value
        if c.isdigit() or c == "-":
            return self.number()
        if c == "@":
            return self.symbol_ref()
        if c == "[":
            return self.array_attr()
        if c == "{":
            return self.attr_dict()
        if c == "#":
            return self._dialect_attr(typed)
        m = BARE.match(text, pos)
        if m:
            word = m[0]
            if word in ("true", "false", "unit"):
                self.pos = m.end()
                return word != "false"
            if word == "dense":
                self.pos = m.end()
                return self.dense()
            if word == "array" and text.startswith("<", m.end()):
                self.pos = m.end()
                return self.dense_array()
            if word == "loc":
                return Opaque(self.location())
            if word in _WORDS:
                self.pos = m.end()
                if text.startswith("[", self.pos):
                    self.skip_balanced()
                if text.startswith("<", self.pos):
                    self.skip_affine() if word.startswith("affine") else self.skip_balanced()
                value = Opaque(text[pos : self.pos])
                if self.accept(":"):
                    self.type()
                return value
        if c in ("!", "(") or m:
            return self.type()
        self.error(f"expected an attribute value{self.found()}")

    def number(self) -> int | float:
        """A number with its optional `: type`."""
        start = self.ws()
        m = self.match(NUMBER)
        if m is None:
            self.error(f"expected a number{self.found()}")
        word = m[0]
        t: Type | None = None
        if self.text.startswith(" : ", self.pos) or self.peek(":"):
            self.expect(":")
            t = self.type()
        return number_value(self, word, t, start)

    def symbol_ref(self) -> SymbolRef:
        name = self.symbol()
        if not self.text.startswith("::", self.pos):
            return SymbolRef(name)
        nested = []
        while self.text.startswith("::@", self.pos):
            self.pos += 2
            nested.append(self.symbol())
        return SymbolRef(name, tuple(nested))

    def array_attr(self) -> list[Any]:
        self.expect("[")
        out: list[Any] = []
        if self.accept("]"):
            return out
        self.enter()
        while True:
            m = _ENTRY.match(self.text, self.ws())
            if m is not None:
                self.pos = m.end()
                out.append([int(m[1]), SymbolRef(m[3] if m[2] is None else m[2])])
            else:
                out.append(self.attr())
            if self.accept("]"):
                self.leave()
                return out
            self.expect(",")

    def attr_dict(self) -> dict[str, Any]:
        """`{a = 1, b, "c d" = "x"}`."""
        self.expect("{")
        out: dict[str, Any] = {}
        if self.accept("}"):
            return out
        self.enter()
        while True:
            pos = self.ws()
            name = self.key("an attribute name")
            if name in out:
                self.error(f"attribute '{name}' is given twice", pos)
            out[name] = self.attr() if self.accept("=") else True
            if self.accept("}"):
                self.leave()
                return out
            self.expect(",")

    def optional_attr_dict(self) -> dict[str, Any]:
        return self.attr_dict() if self.peek("{") else {}

    def location(self) -> str:
        """`loc(...)`: its text inside the parentheses."""
        self.expect_word("loc")
        self.ws()
        if not self.text.startswith("(", self.pos):
            self.error(f"expected '(' after 'loc'{self.found()}")
        return self.skip_balanced()[1:-1].strip()

    def optional_location(self) -> str | None:
        return self.location() if self.peek_word("loc") else None

    def skip_affine(self) -> None:
        """`<(d0) -> (d0 floordiv 2)>`: angle brackets in it are only arrows and comparisons."""
        end = self.text.find(">", self.pos)
        while end >= 0 and self.text[end - 1] in "-=" or self.text[end + 1 : end + 2] == "=":
            end = self.text.find(">", end + 1)
        if end < 0:
            self.error("this '<' is never closed")
        self.pos = end + 1

    def dense_array(self) -> list[Any]:
        """`array<i32: 1, 2>` as a plain list."""
        self.expect("<")
        elem = self.type()
        out: list[Any] = []
        if self.accept(":"):
            while True:
                pos = self.ws()
                if self.accept_word("true"):
                    out.append(True)
                elif self.accept_word("false"):
                    out.append(False)
                else:
                    m = self.match(NUMBER)
                    if m is None:
                        self.error(f"expected a number{self.found()}")
                    out.append(number_value(self, m[0], elem, pos))
                if not self.accept(","):
                    break
        self.expect(">")
        return out

    def dense(self) -> Dense:
        """After `dense`: `<values> : type`."""
        self.expect("<")
        values: Any = []
        if not self.peek(">"):
            values = self._dense_values()
        self.expect(">")
        self.expect(":")
        t = self.type()
        elem = getattr(t, "elem", None)
        if isinstance(elem, FloatType):
            values = _as_floats(values, elem)
        return Dense(t, values)

    def _dense_values(self) -> Any:
        c = self.text[self.ws() : self.pos + 1]
        if c == "[":
            self.pos += 1
            out: list[Any] = []
            if self.accept("]"):
                return out
            self.enter()
            while True:
                out.append(self._dense_values())
                if self.accept("]"):
                    self.leave()
                    return out
                self.expect(",")
        if c == '"':
            return self.string()
        if c == "(":
            self.pos += 1
            re_part = self._dense_values()
            self.expect(",")
            im_part = self._dense_values()
            self.expect(")")
            return (re_part, im_part)
        if self.accept_word("true"):
            return True
        if self.accept_word("false"):
            return False
        m = self.match(NUMBER)
        if m is None:
            self.error(f"expected a number{self.found()}")
        return number_value(self, m[0], None, m.start())

    def _dialect_attr(self, typed: bool) -> Any:
        start = self.pos
        m = BARE.match(self.text, start + 1)
        if m is None:
            self.error("expected an attribute name after '#'")
        self.pos = m.end()
        name = m[0]
        aliases = self.source.aliases_of("#")
        if name in aliases and not self.text.startswith("<", self.pos):
            if name not in self.alias_attrs:
                self.enter()
                back, self.pos = self.pos, aliases[name]
                self.alias_attrs[name] = self.attr()
                self.pos = back
                self.leave()
            return self.alias_attrs[name]
        reader = ATTR_READERS.get(name)
        if reader is not None:
            value = reader(self)  # type: ignore[arg-type]
        else:
            if "." not in name and not self.text.startswith("<", self.pos):
                self.error(f"attribute alias '#{name}' is not defined", start)
            if self.text.startswith("<", self.pos):
                self.skip_balanced()
            value = Opaque(self.text[start : self.pos])
        if typed and self.peek(":") and not self.peek("::"):
            self.expect(":")
            self.type()
        return value


def number_value(p: TypeReader, word: str, t: Type | None, pos: int) -> int | float:
    """Value of the number `word` of type `t` (None: as it looks). `0x...` with a float type are its bits."""
    if isinstance(t, FloatType):
        if word.startswith("0x"):
            code = {16: "<e", 32: "<f", 64: "<d"}.get(t.width)
            bits = int(word, 16)
            if code is None or bits >> t.width:
                p.error(f"'{word}' does not fit {t}", pos)
            return float(struct.unpack(code, bits.to_bytes(t.width // 8, "little"))[0])
        return float(word)
    if "." in word:
        if isinstance(t, IntType):
            p.error(f"floating point number '{word}' has the integer type {t}", pos)
        return float(word)
    return to_int(word)


def _as_floats(values: Any, elem: FloatType) -> Any:
    if isinstance(values, list):
        return [_as_floats(v, elem) for v in values]
    return float(values) if isinstance(values, int) else values


__all__ = ["ATTR_READERS", "STRING", "SYMBOL", "AttrReader", "TensorType", "dialect_attr", "number_value", "unescape"]
