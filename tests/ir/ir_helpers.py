"""Small designs around single statements."""

from __future__ import annotations

from ir_corpus import shape

from wasmjit.ir import Design, IRError, Op, parse_text, print_generic


def module(body: str, args: str = "", top: str = "") -> str:
    """A module @t whose inputs are `args` ("%a: i8, %b: i1") around `body`; `top` stands before it."""
    ports = ", ".join("in " + a.strip() for a in _split(args)) if args else ""
    return f"{top}\nhw.module @t({ports}) {{\n{body}\n  hw.output\n}}\n"


def _split(args: str) -> list[str]:
    out, depth, start = [], 0, 0
    for i, c in enumerate(args):
        if c in "<([":
            depth += 1
        elif c in ">)]":
            depth -= 1
        elif c == "," and depth == 0:
            out.append(args[start:i])
            start = i + 1
    return [*out, args[start:]]


def read(text: str) -> Design:
    """Parses with all bodies, and checks that the generic form reads back to the same tree."""
    design = parse_text(text).force()
    again = parse_text(print_generic(design), "<generic>").force()
    assert shape(again.root) == shape(design.root)
    return design


def body_ops(design: Design, name: str = "t") -> list[Op]:
    return design.symbols[name].regions[0].blocks[0].ops


def ops(body: str, args: str = "", top: str = "") -> list[Op]:
    """The ops of `body` (without the final hw.output) inside a module."""
    return body_ops(read(module(body, args, top)))[:-1]


def errors(text: str) -> list[str]:
    """Messages of the IRError that reading all of `text` gives; empty if it is accepted."""
    try:
        parse_text(text).force()
    except IRError as e:
        return [d.message for d in e.diagnostics]
    return []
