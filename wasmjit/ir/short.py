"""A short form of process bodies: operations where the structure is, rows of numbers for the computations in between.

Most lines of a body compute one integer from others. A reader that makes an `Op` of each of them, with lists, attributes and values, and code behind it that walks
over these objects several times, costs more than everything else of a large design. In the short form such a line is a row of numbers that a `RowScanner` makes without
Python (`wasmjit.sched.rowscan`); waits, drives, probes, branches and whatever else a body has are operations as always. A row's value becomes a `Value` with a `RowOp`
behind it only when somebody asks for it.

There is a short form only of bodies without any fault: everything that the reader and the verifier check of the lines is checked here too, and at the first doubt there
is none. Then, and for everybody who asks for `Region.blocks`, the body is read as always, with all messages.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from operator import itemgetter
from struct import Struct
from typing import TYPE_CHECKING, Any, Protocol

from wasmjit.ir.core import Block, Op, Region, Source, Value, skip_space
from wasmjit.ir.dominance import Dominance
from wasmjit.ir.names import Scope
from wasmjit.ir.parser import PLAIN_LINE, Parser
from wasmjit.ir.scanner import ParseError
from wasmjit.ir.types import IntType

if TYPE_CHECKING:
    from wasmjit.ir.core import Loc

SAME, COMPARE, SELECT, CONSTANT, EXTRACT, REPLICATE, WIDEN, NARROW, CONCAT = range(9)
"""Forms of rows: operands and result of one type, `: T` at the end of the line; the result is a bit; the first operand is a bit; a constant; bits of the operand
(`from N : (T) -> U`); copies of it (`: (T) -> U`); more or fewer bits (`: T to U`); two or three operands side by side (`: T, U`)."""
_COMB = (None, "bin")
_COMPARISONS = "eq ne slt sle sgt sge ult ule ugt uge".split()
OPERATIONS: dict[str, tuple[int, int, dict[str | None, str | None]]] = {
    **{f"comb.{n}": (SAME, 1, {w: w for w in _COMB}) for n in "add mul and or xor".split()},
    **{f"comb.{n}": (SAME, 2, {w: w for w in _COMB}) for n in "sub divu divs modu mods shl shru shrs".split()},
    **{f"arith.{n}": (SAME, 2, {None: None}) for n in "addi subi muli andi ori xori shli shrui shrsi divui divsi remui remsi".split()},
    "comb.icmp": (COMPARE, 2, {w: w for w in [*_COMPARISONS, "ceq", "cne", "weq", "wne"]}),
    "arith.cmpi": (COMPARE, 2, {w + ",": w for w in _COMPARISONS}),
    "comb.mux": (SELECT, 3, {w: w for w in _COMB}),
    "comb.extract": (EXTRACT, 1, {None: None}),
    "comb.replicate": (REPLICATE, 1, {None: None}),
    "comb.concat": (CONCAT, 1, {None: None}),
    "arith.extui": (WIDEN, 1, {None: None}),
    "arith.extsi": (WIDEN, 1, {None: None}),
    "arith.trunci": (NARROW, 1, {None: None}),
    "hw.constant": (CONSTANT, 0, {None: None}),
    "arith.constant": (CONSTANT, 0, {None: None}),
}
"""Operations that may be rows: form, number of operands (1: one to three), the words that may stand before the operands in their spelling and their meaning."""
CODES: list[tuple[str, int, str | None]] = [("", SAME, None), *((n, form, meant) for n, (form, _, words) in OPERATIONS.items() for meant in words.values())]
"""What a row's code means: operation, form, word. 0: a row that nothing uses."""
ROW = Struct("<8i")
"""A row as bytes: code, width of the result, place of the line, three operands, two words of the scanner.
An operand is the number of another row, -1 if it is not there, or -2 - k for external k. A constant has its value, 64 bits, in place of the second and third operand. The third operand of conversions (`EXTRACT` to `NARROW`) is LOWEST + the lowest bit."""
LOWEST = -1 << 31
MAX_BODY = 32 << 20
"""Bytes of a body that is read in short form."""
LARGE_BODY = 1 << 20
"""Bytes of a body from which on the scanner, whose memory grows with the body, is not kept for the next one."""
STRUCTURE = ("comb.", "hw.", "arith.", "cf.", "sim.proc.print", "sim.fmt.")
STRUCTURE_OPS = frozenset({"llhd.prb", "llhd.drv", "llhd.wait", "llhd.halt", "llhd.constant_time", "llhd.sig.extract", "llhd.sig.array_get", "llhd.sig.struct_extract"})
"""What else may be in a body with a short form: nothing that others look for among the operations of a body."""
_SSA = re.compile(r"%[\w$.-]++(?:#\d++)?+", re.ASCII)


class RowScanner(Protocol):
    """Finds the rows of one body after the other. Places are offsets in the text that `begin` got."""

    def begin(self, text: str) -> None:
        """A new body; only ASCII."""

    def block(self) -> int:
        """A new block; the number of its first row."""

    def scan(self, pos: int) -> int:
        """Makes rows of the lines from pos on; where the first one begins that cannot be a row, -1 if something is wrong with the body."""

    def count(self) -> int:
        """How many rows there are."""

    def defined(self) -> int | None:
        """The external defined by the line where `scan` stopped, if it has one result."""

    def define(self, name: str) -> int | None:
        """An external for a name (without `%`) that the current block defines; None if the name is known already."""

    def typed(self, external: int, width: int) -> None:
        """The width of an external that the body defines, which must not be used before; 0 if it is no integer."""

    def find(self, name: str) -> int | None:
        """What a name (without `%`) is as an operand, if it is known."""

    def externals(self) -> int:
        """How many externals there are."""

    def external(self, number: int) -> tuple[int, int, int]:
        """Place and length of an external's name (without `%`), and the width at which it is used."""

    def used(self) -> list[int]:
        """Operands that blocks used for the first time since the last call, if they are externals or rows of another block."""

    def row(self, number: int) -> bytes:
        """A row as it is now."""

    def finish(self, roots: list[int]) -> bytes:
        """All rows; those that neither `roots` (numbers of rows) nor rows with a use use have the code 0."""


class RowOp(Op):
    """The operation of a row, as far as somebody wants to know. Operands are looked up when they are asked for."""

    __slots__ = ("number", "row", "scope")

    def __init__(self, number: int, row: tuple[int, ...], block: Block, scope: ShortScope) -> None:
        self.number = number
        self.row = row
        self.scope = scope
        self.name = CODES[row[0]][0]
        self.regions = self.successors = ()
        self._pos = scope.start + row[2]
        self._src = scope.src
        self._sloc = None
        self.parent = block
        self.results = [Value(IntType(row[1]), self, 0, scope.name(self._pos)[1:])]

    @property
    def operands(self) -> list[Value]:  # type: ignore[override]
        if CODES[self.row[0]][1] == CONSTANT:
            return []
        return [self.scope.value(x) for x in self.row[3 : 4 if EXTRACT <= CODES[self.row[0]][1] <= NARROW else 6] if x != -1]

    @property
    def attrs(self) -> dict[str, Any]:  # type: ignore[override]
        _, form, word = CODES[self.row[0]]
        if form == CONSTANT:
            return {"value": constant(self.row[1], self.row[4], self.row[5])}
        if form == EXTRACT:
            return {"lowBit": self.row[5] - LOWEST}
        return {} if word is None else {"twoState": True} if word == "bin" else {"predicate": word}


def constant(width: int, low: int, high: int) -> int | bool:
    """The value of the constant of a row."""
    return bool(low) if width == 1 else high << 32 | low & 0xFFFFFFFF


class RowPlace:
    """Where the line of a row is: what stands in for the operation as the origin of lowered code."""

    __slots__ = ("pos", "src")

    def __init__(self, src: Source, pos: int) -> None:
        self.src = src
        self.pos = pos

    @property
    def loc(self) -> Loc:
        return self.src.loc(skip_space(self.src.text, self.pos))


class ShortScope(Scope):
    """SSA names of a body in short form: a row's value is made when its name is looked up."""

    __slots__ = ("blocks", "externals", "made", "rows", "scanner", "src", "start")

    def __init__(self, parent: Scope | None, src: Source, start: int, scanner: RowScanner) -> None:
        super().__init__(parent)
        self.src = src
        self.start = start
        """Where the text of the body begins."""
        self.scanner: RowScanner | None = scanner
        """While the body is being read."""
        self.rows = b""
        self.made: dict[int, Value] = {}
        """Values of rows that somebody asked for, by number."""
        self.externals: list[Value] = []
        self.blocks: list[tuple[int, Block]] = []
        """Where the rows of each block begin."""

    def home(self, number: int) -> Block:
        """The block of a row."""
        return self.blocks[bisect_right(self.blocks, number, key=itemgetter(0)) - 1][1]

    def name(self, pos: int) -> str:
        """The name, with its `%`, that stands at a position of the source."""
        m = _SSA.match(self.src.text, pos)
        assert m is not None
        return m[0]

    def value(self, x: int) -> Value:
        """The value of an operand."""
        if x < 0:
            return self.externals[-2 - x]
        value = self.made.get(x)
        if value is None:
            row = self.scanner.row(x) if self.scanner is not None else self.rows[x * ROW.size : (x + 1) * ROW.size]
            op = RowOp(x, ROW.unpack(row), self.home(x), self)
            value = self.made[x] = op.results[0]
        return value

    def outer(self, key: str) -> Value:
        """The value of a name that is no row."""
        value = self.get(key)
        return value if value is not None else super().__missing__(key)

    def __missing__(self, key: str) -> Value:
        number = self.scanner.find(key[1:]) if self.scanner is not None else None
        if number is None or number < 0:
            value = super().__missing__(key)
        else:
            value = self.value(number)
        self[key] = value
        return value


class Short:
    """A body in short form. `region`: its blocks with the operations that are no rows; `statements`: by block, operations and (first row, one behind the last) in order;
    `outside`: the values from outside of the body that it uses, in order, and whether a wait observes them; `count`: number of rows."""

    __slots__ = ("count", "outside", "region", "scope", "statements")

    def __init__(self, region: Region, scope: ShortScope, statements: dict[Block, list[tuple[int, int] | Op]], outside: dict[Value, bool]) -> None:
        self.region = region
        self.statements = statements
        self.scope = scope
        self.outside = outside
        self.count = len(scope.rows) // ROW.size

    def rows(self, first: int, end: int) -> Iterator[tuple[int, ...]]:
        """The rows from `first` to `end`, each as eight numbers (`ROW`)."""
        return ROW.iter_unpack(self.scope.rows[first * ROW.size : end * ROW.size])

    def clear(self) -> None:
        """Frees the rows: operations of the body, which stay as the origin of lowered code, refer to them in circles. Nobody asks for operands of a `RowOp` then."""
        self.statements.clear()
        self.scope.rows = b""
        self.scope.made.clear()
        self.scope.externals.clear()


class _NotShort(Exception):
    """The body has no short form."""


def short_form(p: Parser, parent: Op, start: int, end: int, outer: Scope | None) -> Short | None:
    """The short form of the body of `parent` from the brace at `start` to that before `end`; None if it has none."""
    if p.has_locs or p.rows is None:
        return None
    with p.lock:
        saved = p.pos, p.scope, p.labels, p.label_uses, p.block, p.errors, p.depth
        p.pos, p.labels, p.label_uses, p.errors, p.depth = start, {}, {}, [], 0
        try:
            return _Reader(p, parent, start, end, outer).read()
        except (_NotShort, ParseError, KeyError, RecursionError):
            return None  # whatever it is, reading the body as always tells
        finally:
            p.pos, p.scope, p.labels, p.label_uses, p.block, p.errors, p.depth = saved


class _Reader:
    """Reads one body."""

    def __init__(self, p: Parser, parent: Op, start: int, end: int, outer: Scope | None) -> None:
        body = p.text[start:end]
        if not body.isascii() or len(body) > MAX_BODY:
            raise _NotShort
        self.p = p
        self.start = start
        self.size = len(body)
        self.scanner = p.row_scanner()
        self.region = Region([])
        self.region.parent = parent
        self.scope = p.scope = ShortScope(outer, p.source, start, self.scanner)
        self.outside: dict[Value, bool] = {}
        self.statements: dict[Block, list[tuple[int, int] | Op]] = {}
        self.crossing: set[tuple[Block, Block]] = set()
        """Blocks of a definition and of a use, where they differ."""
        p.block = Block(self.region)
        self.scanner.begin(body)

    def read(self) -> Short | None:
        p, blocks, scope = self.p, self.region._blocks, self.scope
        try:
            p.expect("{")
            if not p.peek("^"):
                blocks.append(Block(self.region))
                self.block(blocks[-1])
            while p.peek("^"):
                blocks.append(p.block_header(self.region))
                self.block(blocks[-1])
            p.expect("}")
            if p.label_uses or p.errors or scope.pending or (p.verify_body is not None and p.verify_body(self.region)):
                return None
            if self.crossing:
                dominance = Dominance(self.region)
                if not all(dominance.dominates(a, b) for a, b in self.crossing):
                    return None
            scope.rows = self.scanner.finish(list(scope.made))
        finally:
            scope.scanner = None
            if self.size > LARGE_BODY:
                p.drop_row_scanner()
        return Short(self.region, scope, self.statements, self.outside)

    def block(self, block: Block) -> None:
        """The statements of a block."""
        p, scanner, start = self.p, self.scanner, self.start
        p.block = block
        text = p.text
        first = scanner.block()
        self.scope.blocks.append((first, block))
        for v in block.args:
            self.define(v)
        items: list[tuple[int, int] | Op] = []
        self.statements[block] = items
        pos = p.pos
        while True:
            pos = scanner.scan(pos - start) + start
            if pos < start:
                raise _NotShort
            end = scanner.count()
            if end > first:
                items.append((first, end))
                first = end
            defined = scanner.defined()
            self.note_uses(block, scanner.externals() - (defined is not None))
            c = text[pos]
            if c in "}^":
                break
            if c == "/":
                p.pos = pos
                pos = p.ws()
                continue
            op = self.operation(block, pos)
            items.append(op)
            if defined is not None:
                self.enter(defined, op.results[0])
            elif op.results:
                self.define(op.results[0])
            pos = p.pos
        p.pos = pos
        if not block.ops or items[-1] is not block.ops[-1]:
            raise _NotShort

    def operation(self, block: Block, pos: int) -> Op:
        """Whatever else stands in a body; where it ends is `Parser.pos`."""
        p, scope = self.p, self.scope
        m = PLAIN_LINE.match(p.text, pos)
        if m is None:
            raise _NotShort
        result, name, word, a, b, c, tail = m.groups()
        if name not in STRUCTURE_OPS and not name.startswith(STRUCTURE):
            raise _NotShort
        op = None
        if tail is not None:
            plain = p.plains.get(name) or p.plain(name)
            op = plain(p, pos, result, word, a, b, c, tail, scope)
            p.pos = m.end()
        if op is None:
            fast = p.fasts.get(name)
            op = fast(p, m.end(2), pos, result, scope) if fast is not None else None
        if op is None:
            p.pos = pos
            op = p.op()
        if op.regions or len(op.results) > 1 or (op.name == "llhd.wait" and not op.group("delay") and not op.group("observed")):
            raise _NotShort
        self.uses(op)
        block.ops.append(op)
        return op

    def uses(self, op: Op) -> None:
        """Notes what an operation uses from outside of the body."""
        values = op.operands
        if op.successors:
            values = [*values, *(v for _, args in op.successors for v in args)]
        for v in values:
            home = v.owner.parent if isinstance(v.owner, Op) else v.owner
            if home is None or home.region is not self.region:
                self.outside[v] = self.outside.get(v, False) or (op.name == "llhd.wait" and any(v is o for o in op.group("observed")))

    def note_uses(self, block: Block, known: int) -> None:
        """Looks up the externals below `known` that are new, and notes which values the block uses that are not its own."""
        scope, scanner = self.scope, self.scanner
        externals = scope.externals
        for number in range(len(externals), known):
            pos, size, width = scanner.external(number)
            pos += self.start
            v = scope.outer(self.p.text[pos - 1 : pos + size])
            if v.type is not IntType(width):
                raise _NotShort
            externals.append(v)
        for x in scanner.used():
            if x >= 0:
                self.crossing.add((scope.home(x), block))
                continue
            v = externals[-2 - x]
            place = v.owner.parent if isinstance(v.owner, Op) else v.owner
            if place is None or place.region is not self.region:
                self.outside.setdefault(v, False)
            elif place is not block:
                self.crossing.add((place, block))

    def define(self, v: Value) -> None:
        """A value of this block that is no row."""
        number = self.scanner.define(v.name)
        if number is None:
            raise _NotShort
        self.enter(number, v)

    def enter(self, number: int, v: Value) -> None:
        """What an external that the body defines is."""
        t = v.type
        self.scope.externals.append(v)
        assert len(self.scope.externals) == number + 1
        self.scanner.typed(number, t.width if isinstance(t, IntType) and t.signedness == "signless" else 0)


__all__ = ["CODES", "OPERATIONS", "ROW", "RowOp", "RowPlace", "RowScanner", "Short", "constant", "short_form"]
