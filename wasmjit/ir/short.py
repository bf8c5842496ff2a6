"""The short form of a process body: operations where the structure is, rows for the computations in between.

Most lines of a body compute one integer from others. A reader that makes an `Op` of each of them, with lists, attributes and values, and code behind it that walks
over these objects several times, costs more than everything else of a large design. In the short form such a line is a tuple of its names (`Row`); waits, drives,
probes, branches and whatever else a body has are operations as always. A row's value becomes a `Value` with a `RowOp` behind it only when somebody asks for it.

There is a short form only of bodies without any fault: everything that the reader and the verifier check of the lines is checked here too (`_Reader.row`), and at the
first doubt there is none. Then, and for everybody who asks for `Region.blocks`, the body is read as always, with all messages.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from wasmjit.ir.core import Block, Op, Region, Source, Value, skip_space
from wasmjit.ir.dominance import Dominance
from wasmjit.ir.names import Scope
from wasmjit.ir.parser import PLAIN_LINE, Parser
from wasmjit.ir.scanner import ParseError, to_int
from wasmjit.ir.types import I1, IntType, Type

if TYPE_CHECKING:
    from wasmjit.ir.core import Loc

Row = tuple[str, int, Any, Any, Any, Any, Type, int]
"""(operation, number, first, second and third operand, word, type of the result, offset in the text). Rows of a body are numbered from 0 in the order of the text.
An operand is the number of another row or a Value; those that are not there are None. `word` is the predicate of a comparison, the value of a constant, or `bin`."""

SAME, COMPARE, SELECT, CONSTANT = range(4)
_COMB: dict[str | None, str | None] = {None: None, "bin": "bin"}
_COMPARISONS = "eq ne slt sle sgt sge ult ule ugt uge"
_FORMS: dict[str, tuple[int, int, dict[str | None, str | None]]] = {
    **{f"comb.{n}": (SAME, 1, _COMB) for n in "add mul and or xor".split()},
    **{f"comb.{n}": (SAME, 2, _COMB) for n in "sub divu divs modu mods shl shru shrs".split()},
    **{f"arith.{n}": (SAME, 2, {None: None}) for n in "addi subi muli andi ori xori shli shrui shrsi divui divsi remui remsi".split()},
    "comb.icmp": (COMPARE, 2, {w: w for w in (_COMPARISONS + " ceq cne weq wne").split()}),
    "arith.cmpi": (COMPARE, 2, {w + ",": w for w in _COMPARISONS.split()}),
    "comb.mux": (SELECT, 3, _COMB),
}
FORMS = {name: (name, *form) for name, form in _FORMS.items()}
"""Operations that may be rows: (name, form, number of operands (1: any), words as written)."""
CONSTANTS = frozenset({"hw.constant", "arith.constant"})
_CONSTANT = re.compile(r" (?:(-?\d{1,100}) : i([1-9]\d{0,3})|(true|false))(?=[ \t]*+\n)", re.ASCII)
_TAIL = re.compile(r": i([1-9]\d{0,3})[ \t]*")
STRUCTURE = ("comb.", "hw.", "arith.", "cf.", "sim.proc.print", "sim.fmt.")
STRUCTURE_OPS = frozenset({"llhd.prb", "llhd.drv", "llhd.wait", "llhd.halt", "llhd.constant_time", "llhd.sig.extract", "llhd.sig.array_get", "llhd.sig.struct_extract"})
"""What else may be in a body with a short form: nothing that others look for among the operations of a body."""


class RowOp(Op):
    """The operation of a row, as far as somebody wants to know. Operands are looked up when they are asked for."""

    __slots__ = ("row", "scope")

    def __init__(self, row: Row, block: Block, scope: ShortScope, src: Source) -> None:
        self.row = row
        self.scope = scope
        self.name = row[0]
        self.regions = self.successors = ()
        self._pos = row[7]
        self._src = src
        self._sloc = None
        self.parent = block
        self.results = [Value(row[6], self, 0, scope.names[row[1]][1:])]

    @property
    def operands(self) -> list[Value]:  # type: ignore[override]
        return [self.scope[self.scope.names[x]] if isinstance(x, int) else x for x in self.row[2:5] if x is not None]

    @property
    def attrs(self) -> dict[str, Any]:  # type: ignore[override]
        word = self.row[5]
        if self.name in CONSTANTS:
            return {"value": word}
        return {} if word is None else {"twoState": True} if word == "bin" else {"predicate": word}


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
    """SSA names of a body in short form: a row's value is made when its name is looked up. `rows` and `names` are in order of the numbers."""

    __slots__ = ("blocks", "names", "numbers", "rows", "src")

    def __init__(self, parent: Scope | None, src: Source) -> None:
        super().__init__(parent)
        self.src = src
        self.rows: list[Row] = []
        self.names: list[str] = []
        self.numbers: dict[str, int] = {}
        self.blocks: list[tuple[int, Block]] = []
        """Where the rows of each block begin."""

    def home(self, number: int) -> Block:
        """The block of a row."""
        return self.blocks[bisect_right(self.blocks, number, key=itemgetter(0)) - 1][1]

    def __missing__(self, key: str) -> Value:
        number = self.numbers.get(key)
        if number is None:
            return super().__missing__(key)
        value = self[key] = RowOp(self.rows[number], self.home(number), self, self.src).results[0]
        return value


class Short:
    """A body in short form. `region`: its blocks with the operations that are no rows; `statements`: everything, in order; `outside`: the values from outside of
    the body that it uses, in order, and whether a wait observes them; `source`: the text; `count`: one more than the highest number of a row."""

    __slots__ = ("count", "outside", "region", "scope", "source", "statements")

    def __init__(self, region: Region, scope: ShortScope, statements: dict[Block, list[Row | Op]], outside: dict[Value, bool], source: Source) -> None:
        self.region = region
        self.statements = statements
        self.scope = scope
        self.outside = outside
        self.source = source
        self.count = len(scope.rows)

    def clear(self) -> None:
        """Frees the rows: operations of the body, which stay as the origin of lowered code, refer to them in circles. Nobody asks for operands of a `RowOp` then."""
        self.statements.clear()
        self.scope.rows.clear()
        self.scope.names.clear()
        self.scope.numbers.clear()


class _NotShort(Exception):
    """The body has no short form."""


def short_form(p: Parser, parent: Op, start: int, outer: Scope | None) -> Short | None:
    """The short form of the body of `parent` that begins with the brace at `start`; None if it has none."""
    if p.has_locs:
        return None
    with p.lock:
        saved = p.pos, p.scope, p.labels, p.label_uses, p.block, p.errors, p.depth
        p.pos, p.labels, p.label_uses, p.errors, p.depth = start, {}, {}, [], 0
        try:
            return _Reader(p, parent, outer).read()
        except (_NotShort, ParseError, KeyError, RecursionError):
            return None  # whatever it is, reading the body as always tells
        finally:
            p.pos, p.scope, p.labels, p.label_uses, p.block, p.errors, p.depth = saved


class _Reader:
    """Reads one body."""

    def __init__(self, p: Parser, parent: Op, outer: Scope | None) -> None:
        self.p = p
        self.region = Region([])
        self.region.parent = parent
        self.scope = p.scope = ShortScope(outer, p.source)
        self.outside: dict[Value, bool] = {}
        self.statements: dict[Block, list[Row | Op]] = {}
        self.crossing: set[tuple[Block, Block]] = set()
        """Blocks of a definition and of a use, where they differ."""
        p.block = Block(self.region)

    def read(self) -> Short | None:
        p, blocks = self.p, self.region._blocks
        p.expect("{")
        if not p.peek("^"):
            blocks.append(Block(self.region))
            self.block(blocks[-1])
        while p.peek("^"):
            blocks.append(p.block_header(self.region))
            self.block(blocks[-1])
        p.expect("}")
        if p.label_uses or p.errors or self.scope.pending or (p.verify_body is not None and p.verify_body(self.region)):
            return None
        if self.crossing:
            dominance = Dominance(self.region)
            if not all(dominance.dominates(a, b) for a, b in self.crossing):
                return None
        self.drop_unused()
        return Short(self.region, self.scope, self.statements, self.outside, p.source)

    def drop_unused(self) -> None:
        """Leaves out the rows whose values nothing uses. Operations have looked theirs up in the scope; a row uses rows of lower numbers only."""
        scope = self.scope
        rows, numbers = scope.rows, scope.numbers
        used = bytearray(len(rows))
        for name in scope:
            number = numbers.get(name)
            if number is not None:
                used[number] = 1
        for n in range(len(rows) - 1, -1, -1):
            if used[n]:
                _, _, a, b, c, _, _, _ = rows[n]
                if a.__class__ is int:
                    used[a] = 1
                if b.__class__ is int:
                    used[b] = 1
                if c.__class__ is int:
                    used[c] = 1
        if not all(used):
            for block, items in self.statements.items():
                self.statements[block] = [x for x in items if not isinstance(x, tuple) or used[x[1]]]

    def block(self, block: Block) -> None:
        """The statements of a block."""
        p, scope = self.p, self.scope
        p.block = block
        text, line, forms, types = p.text, PLAIN_LINE.match, FORMS, p.int_tails
        rows, names, numbers = scope.rows, scope.names, scope.numbers
        known = numbers.get
        number = first = len(rows)
        scope.blocks.append((first, block))
        items: list[Row | Op] = []
        self.statements[block] = items
        append = items.append
        row: Row
        x: Any
        y: Any
        z: Any
        pos = p.ws()
        while True:
            m = line(text, pos)
            if m is None:
                break
            result, name, word, a, b, c, tail = m.groups()
            if result is not None:
                if result in numbers or result in scope:
                    raise _NotShort
                if tail is not None and (form := forms.get(name)) is not None:
                    t = types.get(tail)
                    if t is None:
                        t = self.int_type(tail)
                    name, kind, count, words = form
                    if word not in words or (count == 2 and (b is None or c is not None)) or (count == 3 and c is None):
                        raise _NotShort
                    x = known(a)
                    if x is None or x < first or rows[x][6] is not t:
                        x = self.operand(a, x, I1 if kind == SELECT else t, block)
                    y = z = None
                    if b is not None:
                        y = known(b)
                        if y is None or y < first or rows[y][6] is not t:
                            y = self.operand(b, y, t, block)
                        if c is not None:
                            z = known(c)
                            if z is None or z < first or rows[z][6] is not t:
                                z = self.operand(c, z, t, block)
                    row = (name, number, x, y, z, words[word], I1 if kind == COMPARE else t, pos)
                    pos = m.end()
                elif name in CONSTANTS and (m := _CONSTANT.match(text, m.end(2))) is not None:
                    digits, width, truth = m.groups()
                    t = I1 if width is None else types.get(": i" + width) or self.int_type(": i" + width)
                    row = ("hw.constant", number, None, None, None, truth == "true" if width is None else to_int(digits), t, pos)
                    pos = m.end()
                else:
                    append(self.operation(block, pos, result))
                    pos = p.pos
                    continue
                numbers[result] = number
                names.append(result)
                rows.append(row)
                append(row)
                number += 1
                continue
            append(self.operation(block, pos, None))
            pos = p.pos
        p.pos = pos
        end = p.ws()
        if text[end : end + 1] not in ("}", "^") or not block.ops or items[-1] is not block.ops[-1]:
            raise _NotShort

    def operation(self, block: Block, pos: int, result: str | None) -> Op:
        """Whatever else stands in a body; where it ends is `Parser.pos`."""
        p, scope = self.p, self.scope
        m = PLAIN_LINE.match(p.text, pos)
        assert m is not None
        _, name, word, a, b, c, tail = m.groups()
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
        if op.regions or (op.name == "llhd.wait" and not op.group("delay") and not op.group("observed")):
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

    def int_type(self, tail: str) -> Type:
        """The type in the rest of a line, `: i8`."""
        m = _TAIL.fullmatch(tail)
        if m is None:
            raise _NotShort
        t = self.p.int_tails[tail] = IntType(int(m[1]))
        return t

    def operand(self, name: str, number: int | None, t: Type, block: Block) -> int | Value:
        """An operand that is not the row of this block it should be at first sight."""
        if number is not None:
            if self.scope.rows[number][6] is not t:
                raise _NotShort
            home = self.scope.home(number)
            if home is not block:
                self.crossing.add((home, block))
            return number
        v = self.scope[name]
        if v.type is not t:
            raise _NotShort
        place = v.owner.parent if isinstance(v.owner, Op) else v.owner
        if place is None or place.region is not self.region:
            self.outside.setdefault(v, False)
        elif place is not block:
            self.crossing.add((place, block))
        return v


__all__ = ["CONSTANTS", "FORMS", "Row", "RowOp", "RowPlace", "Short", "short_form"]
