"""The Op tree: operations, values, blocks, regions. Cheap objects; the reader makes them, everything else only walks them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from wasmjit.ir.diagnostics import Diagnostic
from wasmjit.ir.spec import operand_group
from wasmjit.ir.strings import unescape
from wasmjit.ir.types import Type

if TYPE_CHECKING:
    from wasmjit.ir.short import Short


class Loc(NamedTuple):
    """A place in a text; line and column count from 1."""

    file: str
    line: int
    col: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.col}"


_FILE_LOC = re.compile(r'"((?:[^"\\\n]|\\.)*)":(\d+):(\d+)')
_LOC_ALIAS = re.compile(r"#[A-Za-z_][\w$.]*")


class Source:
    """A text with its name; turns offsets into places. `attr_aliases`, `type_aliases`: name (`loc1`) -> offset of its value in the text."""

    __slots__ = ("_lines", "attr_aliases", "name", "text", "type_aliases")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.attr_aliases: dict[str, int] = {}
        self.type_aliases: dict[str, int] = {}
        self._lines: list[int] | None = None

    def loc(self, pos: int) -> Loc:
        if self._lines is None:
            starts = [0]
            find = self.text.find
            at = find("\n")
            while at >= 0:
                starts.append(at + 1)
                at = find("\n", at + 1)
            self._lines = starts
        line = bisect_right(self._lines, pos)
        return Loc(self.name, line, pos - self._lines[line - 1] + 1)

    def aliases_of(self, sigil: str) -> dict[str, int]:
        return self.type_aliases if sigil == "!" else self.attr_aliases

    def line_text(self, line: int) -> str:
        """Text of the line (from 1), without its newline."""
        self.loc(0)
        assert self._lines is not None
        start = self._lines[line - 1]
        end = self.text.find("\n", start)
        return self.text[start : end if end >= 0 else len(self.text)].rstrip("\r")

    def diagnostic(self, pos: int, message: str, hint: str = "") -> Diagnostic:
        place = self.loc(min(pos, len(self.text)))
        return Diagnostic(message, self.name, place.line, place.col, self.line_text(place.line), hint)

    def resolve_loc(self, text: str, depth: int = 16) -> Loc | None:
        """First file position inside the text of a `loc(...)`, following aliases; None if it names none."""
        m = _FILE_LOC.search(text)
        if m:
            return Loc(unescape(m[1]), int(m[2]), int(m[3]))
        if depth:
            for alias in _LOC_ALIAS.findall(text):
                at = self.attr_aliases.get(alias[1:])
                if at is not None:
                    end = self.text.find("\n", at)
                    found = self.resolve_loc(self.text[at : end if end >= 0 else len(self.text)], depth - 1)
                    if found:
                        return found
        return None


_SPACE = re.compile(r"(?:[ \t\r\n]+|//[^\n]*)*")


def skip_space(text: str, pos: int) -> int:
    """First position at or after `pos` that is neither white space nor comment. (The reader keeps where it began to look for an op.)"""
    m = _SPACE.match(text, pos)
    return m.end() if m else pos


class Value:
    """An SSA value. `owner`: the Op it is result `index` of, or the Block it is argument `index` of. `name`: its name in the text without `%`."""

    __slots__ = ("index", "name", "owner", "type")
    type: Type
    owner: Op | Block

    def __init__(self, type: Type, owner: Any, index: int, name: str) -> None:
        self.type = type
        self.owner = owner
        self.index = index
        self.name = name

    @property
    def defining_op(self) -> Op | None:
        """The op this is a result of; None for a block argument."""
        return self.owner if isinstance(self.owner, Op) else None

    def __repr__(self) -> str:
        return f"%{self.name}: {self.type}"


class Op:
    """An operation. Lists that are always empty for most ops (`regions`, `successors`) may be the shared empty tuple."""

    __slots__ = ("_pos", "_sloc", "_src", "attrs", "name", "operands", "parent", "regions", "results", "successors")
    parent: Block | None

    def __init__(
        self,
        name: str,
        operands: list[Value],
        attrs: dict[str, Any],
        regions: Sequence[Region] = (),
        successors: Sequence[tuple[Block, list[Value]]] = (),
        pos: int = -1,
        src: Source | None = None,
        parent: Block | None = None,
        sloc: str | None = None,
        results: list[Value] | None = None,
    ) -> None:
        self.name = name
        self.operands = operands
        self.results: list[Value] = [] if results is None else results
        self.attrs = attrs
        self.regions = regions
        self.successors = successors
        self._pos = pos
        self._src = src
        self.parent = parent
        self._sloc = sloc

    @property
    def loc(self) -> Loc:
        """Place of the op in the MLIR text."""
        if self._src is None or self._pos < 0:
            return Loc("", 0, 0)
        return self._src.loc(skip_space(self._src.text, self._pos))

    @property
    def text_pos(self) -> int:
        """Offset of the op in the text of its source, -1 if it has none."""
        return skip_space(self._src.text, self._pos) if self._src is not None and self._pos >= 0 else -1

    @property
    def source_loc(self) -> Loc | None:
        """Place in the original source, from an attached `loc(...)`; None without one."""
        if self._sloc is None or self._src is None:
            return None
        return self._src.resolve_loc(self._sloc)

    @property
    def result(self) -> Value:
        """The first result."""
        return self.results[0]

    @property
    def parent_op(self) -> Op | None:
        """The op whose region this op is in."""
        return self.parent.region.parent if self.parent is not None else None

    @property
    def sym_name(self) -> str:
        """The symbol this op defines, or ""."""
        return self.attrs.get("sym_name", "")  # type: ignore[no-any-return]

    def group(self, name: str) -> list[Value]:
        """Operands of the group `name` of the op's table row (`seq.firreg`: "next", "clk", "reset", "resetValue"); KeyError if it has none so named."""
        return operand_group(self, name)

    def operand(self, name: str) -> Value | None:
        """First operand of a group, None when an optional group is absent."""
        values = operand_group(self, name)
        return values[0] if values else None

    def walk(self) -> Iterator[Op]:
        """This op and all ops inside it, in order of the text. Forces bodies."""
        stack: list[Iterator[Op]] = [iter((self,))]
        while stack:
            op = next(stack[-1], None)
            if op is None:
                stack.pop()
                continue
            yield op
            for region in reversed(op.regions):
                for block in reversed(region.blocks):
                    stack.append(iter(block.ops))

    def __repr__(self) -> str:
        return f"<{self.name}{' @' + self.sym_name if 'sym_name' in self.attrs else ''} {self.loc.line}>"


_new = object.__new__


def statement(name: str, operands: list[Value], attrs: dict[str, Any], pos: int, src: Source, parent: Block, sloc: str | None) -> Op:
    """`Op(...)` without results, regions and successors, for fast paths: an instance made without `__init__` costs a third."""
    op = _new(Op)
    op.name = name
    op.operands = operands
    op.results = []
    op.attrs = attrs
    op.regions = op.successors = ()
    op._pos = pos
    op._src = src
    op.parent = parent
    op._sloc = sloc
    return op


def definition(
    name: str, operands: list[Value], attrs: dict[str, Any], pos: int, src: Source, parent: Block, sloc: str | None, type: Type, ssa: str
) -> tuple[Op, Value]:
    """The same with one result, `ssa` (with `%`) of that type."""
    op = _new(Op)
    r = _new(Value)
    r.type = type
    r.owner = op
    r.index = 0
    r.name = ssa[1:]
    op.name = name
    op.operands = operands
    op.results = [r]
    op.attrs = attrs
    op.regions = op.successors = ()
    op._pos = pos
    op._src = src
    op.parent = parent
    op._sloc = sloc
    return op, r


class Block:
    """Straight-line ops with arguments. `label`: its name in the text without `^`, "" for an entry block without one."""

    __slots__ = ("args", "label", "ops", "region")

    def __init__(self, region: Region, label: str = "") -> None:
        self.args: list[Value] = []
        self.ops: list[Op] = []
        self.region = region
        self.label = label

    @property
    def terminator(self) -> Op | None:
        """The last op; None in an empty block."""
        return self.ops[-1] if self.ops else None

    def __repr__(self) -> str:
        return f"^{self.label}"


class Region:
    """Blocks owned by an op. `blocks` is parsed from the text on first access, which raises IRError if the body is not valid."""

    __slots__ = ("_blocks", "_lazy", "_make_short", "_short", "parent")
    parent: Op

    def __init__(self, blocks: list[Block] | None = None, lazy: Callable[[Region], list[Block]] | None = None) -> None:
        self._blocks = blocks if blocks is not None else []
        self._lazy = lazy
        self._short: Short | None = None
        self._make_short: Callable[[], Short | None] | None = None

    @property
    def blocks(self) -> list[Block]:
        if self._lazy is not None:
            self._blocks = self._lazy(self)
            self._lazy = None
        return self._blocks

    def short(self) -> Short | None:
        """The body in short form (`wasmjit.ir.short`); None if it has none, or has been read in full already."""
        if self._lazy is None:
            return None
        if self._make_short is not None and self._short is None:
            self._short = self._make_short()
            if self._short is None:
                self._make_short = None
        return self._short

    def forget_short(self) -> None:
        """Drops the short form, which takes memory; it is made again when somebody asks for it."""
        if self._short is not None:
            self._short.clear()
            self._short = None

    @property
    def forced(self) -> bool:
        """Whether the blocks have been parsed."""
        return self._lazy is None


class Design:
    """A parsed input: `root` is the `builtin.module`, `symbols` its top-level symbols by name. `warnings` grows as bodies are read."""

    __slots__ = ("root", "source", "symbols", "warnings")

    def __init__(self, root: Op, source: Source, symbols: dict[str, Op], warnings: list[Diagnostic]) -> None:
        self.warnings = warnings
        self.root = root
        self.source = source
        self.symbols = symbols

    def force(self) -> Design:
        """Parses every body. Raises IRError with the problems of all of them."""
        from wasmjit.ir.verify import force_all

        force_all(self)
        return self
