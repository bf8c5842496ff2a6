"""Operations, blocks and regions in text. The syntax of single ops comes from the table (`wasmjit.ir.spec`)."""

from __future__ import annotations

import gc
import re
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from wasmjit.ir.blocks import BlockReader
from wasmjit.ir.core import Block, Op, Region, Source, Value, skip_space
from wasmjit.ir.diagnostics import Diagnostic, IRError
from wasmjit.ir.generic import check_generic, read_generic
from wasmjit.ir.names import Scope
from wasmjit.ir.scanner import BARE, ParseError
from wasmjit.ir.spec import ALIASES, SPECS, PlainFn
from wasmjit.ir.types import Type

if TYPE_CHECKING:
    from wasmjit.ir.short import RowScanner, Short

# A statement as the printer writes it: at most one result, name with or without dialect; and if it is a plain line (`fastpath`), what it consists of.
# Everything else takes the slow way.
_NAME = r"(%[\w$.-]++(?:#\d++)?+)"
PLAIN_LINE = re.compile(
    rf"[ \t\r\n]*+(?:(%[\w$.-]++) = )?+([a-z_][\w.$]*+)(?:(?: ([a-z]\w*+,?))?+ {_NAME}(?:, {_NAME}(?:, {_NAME})?+)?+ (: [^\n]*+))?+", re.ASCII
)
_RESULT = re.compile(r"(%(?:[0-9]+|[A-Za-z_$.-][\w$.-]*))(?::([0-9]+))?", re.ASCII)
MAX_ERRORS = 20
MAX_RESULTS = 1 << 20


class OpState:
    """What the parse of one op collects; `Parser.finish` makes the Op of it."""

    __slots__ = ("attrs", "name", "operands", "pos", "regions", "result_count", "results", "segments", "successors", "tail", "tail_start")

    def __init__(self, name: str, pos: int, result_count: int) -> None:
        self.name = name
        self.pos = pos
        self.operands: list[Value] = []
        self.attrs: dict[str, Any] = {}
        self.results: list[Type] = []
        self.regions: list[Region] = []
        self.successors: list[tuple[Block, list[Value]]] = []
        self.segments: list[int] | None = None
        self.result_count = result_count  # number of names on the left of `=`
        self.tail_start = -1
        self.tail: tuple[int, Any] | None = None


def _make_room() -> None:
    """Lets Python recurse as deep as MAX_DEPTH levels of nesting need (about five calls a level)."""
    if sys.getrecursionlimit() < 8000:
        sys.setrecursionlimit(8000)


def no_plain_line(*args: Any) -> None:
    """For ops that have no plain lines."""


class _TooManyErrors(Exception):
    pass


class Parser(BlockReader):
    """One text being read. It stays alive as long as bodies of it are unread, since they are parsed on first access."""

    def __init__(self, source: Source, verify: Callable[[Region], list[Diagnostic]] | None = None, rows: Callable[[], RowScanner] | None = None) -> None:
        """rows: makes the scanner of short forms of bodies (`wasmjit.ir.short`); without it there are none."""
        from wasmjit.ir.assembly import ROW_COUNT

        super().__init__(source)
        self.type_cache: dict[str, Type] = {}
        self.alias_types: dict[str, Type] = {}
        self.alias_attrs: dict[str, Any] = {}
        self.llvm_structs: dict[str, Type] = {}
        self.branch_types: dict[str | None, tuple[Type, ...]] = {}
        self.tails: list[dict[str, Any]] = [{} for _ in range(ROW_COUNT[0])]
        self.fasts = {name: spec.fast for name, spec in SPECS.items() if spec.fast is not None}
        self.fasts.update({short: self.fasts[full] for short, full in ALIASES.items() if full in self.fasts})
        self.plains: dict[str, PlainFn] = {}
        self.signatures: dict[tuple[bool, str], tuple[int, tuple[str, ...], tuple[Type, ...], tuple[Type, ...], bool]] = {}
        """Signatures of functions by the rest of their line (`dialects.func.signature`)."""
        self.rows = rows
        self._row_scanner: RowScanner | None = None
        self.has_locs = " loc(" in self.text
        self.verify_body = verify
        self.lock = threading.RLock()
        self.find_aliases()

    # --- ops -------------------------------------------------------------------------------------------------------

    def op(self) -> Op:
        """One operation in any spelling, with its location."""
        start = self.ws()
        names: list[tuple[str, int, int]] = []
        text = self.text
        if text.startswith("%", start):
            while True:
                pos = self.ws()
                m = self.match(_RESULT)
                if m is None:
                    self.error(f"expected a result name (%...){self.found()}")
                count = int(m[2]) if m[2] and len(m[2]) < 8 else 1 if not m[2] else MAX_RESULTS + 1
                if count < 1 or count > MAX_RESULTS:
                    self.error(f"'{m[0]}' asks for {m[2]} results", pos)
                names.append((m[1], count, pos))
                if not self.accept(","):
                    break
            self.expect("=")
        pos = self.ws()
        total = sum(n for _, n, _ in names)
        generic = text.startswith('"', pos)
        if generic:
            st = OpState(self.string("an op name"), start, total)
            read_generic(self, st)
        else:
            m = self.match(BARE)
            if m is None:
                self.error(f"expected an operation{self.found()}")
            name = ALIASES.get(m[0], m[0])
            st = OpState(name, start, total)
            spec = SPECS.get(name)
            if spec is None or spec.parse is None:
                self.unknown_op(st, pos)
            else:
                spec.parse(self, st)
                if st.segments is not None and "operandSegmentSizes" not in st.attrs:
                    st.attrs["operandSegmentSizes"] = st.segments
        if st.tail_start >= 0 and st.tail is not None:
            self._note_tail(st.tail, st.tail_start)
        op = self.finish(st, names)
        if generic:
            check_generic(self, op)
        return op

    def finish(self, st: OpState, names: list[tuple[str, int, int]]) -> Op:
        sloc = self.optional_location() if self.has_locs else None
        op = Op(st.name, st.operands, st.attrs, st.regions or (), st.successors or (), st.pos, self.source, self.block, sloc)
        for region in st.regions:
            region.parent = op
        types = st.results
        if not names:
            op.results = [Value(t, op, i, "") for i, t in enumerate(types)]
            return op
        if st.result_count != len(types):
            self.error(f"{st.name} has {len(types)} results, but {st.result_count} are named", names[0][2])
        index = 0
        for name, count, pos in names:
            for k in range(count):
                value = Value(types[index], op, index, name[1:])
                if count == 1:
                    value = self.define(name, value, pos)
                else:
                    value = self.define(f"{name}#{k}", value, pos)
                    if k == 0:
                        self.scope.setdefault(name, value)
                op.results.append(value)
                index += 1
        return op

    def _note_tail(self, tail: tuple[int, Any], start: int) -> None:
        """Remembers which types the rest of this line spells, for the fast path of the same row."""
        text, pos = self.text, self.pos
        while text[pos - 1] in " \t\r\n":  # skipped in the search for a further element
            pos -= 1
        end = text.find("\n", pos)
        if end < 0:
            end = len(text)
        rest = text[pos:end].lstrip()
        if not rest or rest.startswith("//"):
            self.tails[tail[0]][text[start:end]] = tail[1]
        elif rest.startswith("loc("):
            self.tails[tail[0]][text[start:pos].rstrip()] = tail[1]

    def unknown_op(self, st: OpState, pos: int) -> None:
        from wasmjit.ir.foreign import reread_op

        name = st.name
        if reread_op(self, st, pos):
            return
        hint = (
            'write it in the generic form: "'
            + name
            + '"(operands) {attributes} : (types) -> types; circt-opt --mlir-print-op-generic does so for a whole file'
        )
        if "." not in name:
            hint = "operation names have the form dialect.name"
        self.error(f"unknown operation '{name}'", pos, hint)

    # --- blocks and regions ------------------------------------------------------------------------------------------

    def region(
        self, args: Sequence[tuple[str, Type]] = (), lazy: bool = False, isolated: bool = False, implicit: str = "", short: bool = False
    ) -> Region:
        """A region in braces. `args`: arguments of the entry block that the op's header names. Lazy bodies are only skimmed now. `short`: the body may have a
        short form (`wasmjit.ir.short`)."""
        if not self.peek("{"):
            self.error(f"expected '{{' to begin a region{self.found()}")
        scope = Scope(None if isolated else self.scope)
        if lazy:
            start = self.pos
            self.pos = self.skim_braces()
            made = Region(lazy=lambda region: self._force(region, start, scope, args, implicit))
            if short:
                end = self.pos
                made._make_short = lambda: self._short(made, start, end, scope.parent)
            return made
        region = Region()
        region._blocks = self._body(region, scope, args, implicit)
        return region

    def _force(self, region: Region, start: int, scope: Scope, args: Sequence[tuple[str, Type]], implicit: str) -> list[Block]:
        collecting = gc.isenabled()
        _make_room()
        with self.lock:
            # Only allocation happens here; the collector would walk the growing tree over and over.
            gc.disable()
            saved = self.pos, self.scope, self.labels, self.label_uses, self.block, self.errors, self.depth
            self.pos, self.errors, self.depth = start, [], 0
            try:
                blocks: list[Block] | None = self._guarded(lambda: self._body(region, scope, args, implicit))
                if self.errors:
                    raise IRError(self.errors)
                assert blocks is not None
                region._blocks = blocks
                lazy, region._lazy = region._lazy, None
                if self.verify_body is not None:
                    found = self.verify_body(region)
                    if found:
                        region._blocks, region._lazy = [], lazy
                        raise IRError(found)
                return blocks
            finally:
                self.pos, self.scope, self.labels, self.label_uses, self.block, self.errors, self.depth = saved
                if collecting:
                    gc.enable()

    def _short(self, region: Region, start: int, end: int, outer: Scope | None) -> Short | None:
        from wasmjit.ir.short import short_form

        return short_form(self, region.parent, start, end, outer)

    def row_scanner(self) -> RowScanner:
        """The scanner of this text, made at its first use."""
        if self._row_scanner is None:
            assert self.rows is not None
            self._row_scanner = self.rows()
        return self._row_scanner

    def drop_row_scanner(self) -> None:
        """Gives its memory back; the next use makes another one."""
        self._row_scanner = None

    def _guarded(self, work: Callable[[], Any]) -> Any:
        """Runs a reading step; every problem ends up in `errors`."""
        try:
            return work()
        except ParseError as e:
            self.errors.append(e.diagnostic)
        except _TooManyErrors:
            pass
        except RecursionError:
            self.errors.append(self.source.diagnostic(self.pos, "the input is nested too deeply"))
        return None

    def _body(self, region: Region, scope: Scope, args: Sequence[tuple[str, Type]], implicit: str) -> list[Block]:
        saved = self.scope, self.labels, self.label_uses, self.block
        self.scope, self.labels, self.label_uses = scope, {}, {}
        self.enter()
        self.expect("{")
        blocks: list[Block] = []
        if args or not (self.peek("^") or self.peek("}")) or (implicit and self.peek("}")):
            block = Block(region)
            for i, (name, t) in enumerate(args):
                value = Value(t, block, i, name[1:])
                block.args.append(self.define(name, value, self.pos) if name else value)
            blocks.append(block)
            self.ops(block)
        while self.peek("^"):
            block = self.block_header(region)
            blocks.append(block)
            self.ops(block)
        self.expect("}")
        self.leave()
        if implicit:
            for block in blocks:
                if not block.ops or "terminator" not in getattr(SPECS.get(block.ops[-1].name), "traits", ()):
                    block.ops.append(Op(implicit, [], {}, (), (), self.pos - 1, self.source, block))
        self.pad_waits(blocks)
        for label, pos in self.label_uses.items():
            self.errors.append(self.source.diagnostic(pos, f"block '^{label}' is not defined"))
        self.scope, self.labels, self.label_uses, self.block = saved
        if scope.pending:
            self.leave_pending(scope)
        return blocks

    def plain(self, name: str) -> PlainFn:
        """The function for plain lines of an op, looked up when the op is first met."""
        spec = SPECS.get(ALIASES.get(name, name))
        made = spec.plain() if spec is not None and spec.plain is not None else None
        made = self.plains[name] = made or no_plain_line
        return made

    def ops(self, block: Block) -> None:
        """The ops of a block, up to `}` or the next block."""
        self.block = block
        text, scope = self.text, self.scope
        line, plains, fasts, append = PLAIN_LINE.match, self.plains, self.fasts, block.ops.append
        pos = self.ws()
        while True:
            m = line(text, pos)
            if m is not None:
                result, name, word, a, b, c, tail = m.groups()
                if tail is not None:
                    plain = plains.get(name)
                    if plain is None:
                        plain = self.plain(name)
                    op = plain(self, pos, result, word, a, b, c, tail, scope)
                    if op is not None:
                        append(op)
                        pos = m.end()
                        continue
                fast = fasts.get(name)
                if fast is not None:
                    op = fast(self, m.end(2), pos, result, scope)
                    if op is not None:
                        append(op)
                        pos = self.pos
                        continue
            self.pos = pos
            start = self.ws()
            c = text[start : start + 1]
            if c == "}" or c == "^":
                return
            if not c:
                self.error("expected '}', got the end of the file", hint="the file may be cut off")
            depth = self.depth
            try:
                append(self.op())
            except ParseError as e:
                self.depth = depth
                self.block = block
                self.scope = scope
                self._recover(e, start)
            pos = self.pos

    def _recover(self, e: ParseError, start: int) -> None:
        """Notes an error and goes on after the statement; what it would have defined counts as defined, with any type."""
        if e.diagnostic not in self.errors:
            self.errors.append(e.diagnostic)
        if len(self.errors) >= MAX_ERRORS:
            raise _TooManyErrors from None
        m = re.compile(r"(?:%[\w$.-]+(?::[0-9]+)?(?:[ \t]*,[ \t]*)?)+(?=[ \t]*=)", re.ASCII).match(self.text, start)
        if m:
            for name, count in _RESULT.findall(m[0]):
                for key in [name] + [f"{name}#{k}" for k in range(min(int(count[:4] or 0), 1000))]:
                    self.scope.pending.pop(key, None)
                    self.scope[key] = Value(None, None, -1, name[1:])  # type: ignore[arg-type]
        end = self.next_statement(start)
        self.pos = max(end, start + 1) if self.text[end : end + 1] != "}" or end > start else start + 1

    # --- top level ---------------------------------------------------------------------------------------------------

    def top(self) -> Op:
        """The whole text: its module, or an implicit one around its ops."""
        gc_on = gc.isenabled()
        _make_room()
        gc.disable()
        try:
            root = self._guarded(self._top)
        finally:
            if gc_on:
                gc.enable()
        if self.errors:
            raise IRError(self.errors)
        assert isinstance(root, Op)
        return root

    def _top(self) -> Op:
        region = Region()
        block = Block(region)
        text = self.text
        while True:
            start = self.ws()
            c = text[start : start + 1]
            if not c:
                break
            if c in "#!" and (m := BARE.match(text, start + 1)) and text.startswith("=", skip_space(text, m.end())):
                self.pos = skip_space(text, m.end()) + 1
                try:
                    self._alias_value(c)
                except ParseError as e:
                    self._recover(e, start)
                continue
            if text.startswith("{-#", start):
                end = text.find("#-}", start)
                if end < 0:
                    self.error("this '{-#' is never closed")
                self.pos = end + 3
                continue
            if c == "}":
                self.pos = start + 1
                self.errors.append(self.source.diagnostic(start, "unexpected '}'"))
                if len(self.errors) >= MAX_ERRORS:
                    raise _TooManyErrors
                continue
            if c == "^":
                self.error("a block outside of any region", start)
            self.block = block
            depth, scope = self.depth, self.scope
            try:
                block.ops.append(self.op())
            except ParseError as e:
                self.depth, self.scope = depth, scope
                self._recover(e, start)
        for name, pos in self.scope.pending.items():
            self.errors.append(self.source.diagnostic(pos, f"'{name}' is not defined"))
        if len(block.ops) == 1 and block.ops[0].name == "builtin.module":
            root = block.ops[0]
            root.parent = None
            return root
        root = Op("builtin.module", [], {}, [region], (), 0, self.source)
        region.parent = root
        region._blocks = [block]
        return root

    def _alias_value(self, sigil: str) -> None:
        if sigil == "!":
            self.type()
        else:
            self.attr()

    def dict_at(self, pos: int) -> dict[str, Any]:
        """The attribute dictionary at a place (fast paths)."""
        self.pos = pos
        return self.attr_dict()

    def split_loc(self, tail: str) -> tuple[str, str | None]:
        """The rest of a line without and with its `loc(...)`."""
        at = tail.rfind(" loc(")
        if at < 0 or not tail.endswith(")"):
            return tail, None
        return tail[:at].rstrip(), tail[at + 5 : -1]
