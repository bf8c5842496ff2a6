"""The format language of the op tables, and its two compilers: an interpreter of the elements and a one-regex fast path.

A row is one op in the notation of MLIR's ODS `assemblyFormat`:

    row("comb.icmp", "lhs rhs=lhs", "result:i1", "(`bin` $twoState)? $predicate $lhs `,` $rhs attr-dict `:` type($lhs)",
        attrs={"predicate": enum("eq ne slt"), "twoState": UNIT})

Operands and results: `name` one, `name?` optional, `name*` any number; `:type` a fixed type (a name of `SHORT`), `=other` the type of another
operand or result. Types not fixed by the text, a `:` or an `=` are the operand's own; results may be computed by `infer(types, attrs)`.

Elements: `` `lit` ``  `$operand`  `$attr`  `$region`  `$successor`  `type($x)`  `functional-type($a, $b)`  `attr-dict`  `attr-dict-with-keyword`
`( ... )?`  `( ... ):( ... )?`  `<fn>` (a function of `custom`, called with parser and state).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from wasmjit.ir.attrs import SymbolRef
from wasmjit.ir.core import Op
from wasmjit.ir.elements import CUSTOM, State, custom, run, settle
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.rowformat import BOOL, INT, STR, SYM, TYPE, TYPED, UNIT, WORD, AttrKind, Infer, Row, Types, enum, groups, slots
from wasmjit.ir.spec import SPECS, OpSpec, PlainFn

ROW_COUNT = [0]
ROWS: list[Row] = []
"""All rows: their formats are read when the ops are first met, by a test in any case."""


def row(
    name: str,
    operands: str = "",
    results: str = "",
    fmt: str = "attr-dict",
    *,
    attrs: dict[str, AttrKind] | None = None,
    regions: str = "",
    successors: str = "",
    succ_groups: Sequence[str] = (),
    traits: str = "",
    infer: Infer | None = None,
    infer_attrs: bool = False,
    defaults: dict[str, Any] | None = None,
    verify: Callable[..., None] | None = None,
    implicit: str = "",
    lazy: bool = False,
    fast: bool = True,
    normalise: Callable[[Op], None] | None = None,
) -> OpSpec:
    """Adds an op to the table. `regions`: names, `name!` for one without implicit terminator. `infer_attrs`: `infer` looks at attributes.
    `defaults`: attributes added when absent. Returns the spec for further settings."""
    ins, outs = slots(operands), slots(results)
    region_kinds = {r.rstrip("!"): "plain" if r.endswith("!") else "" for r in regions.split()}
    ident = ROW_COUNT[0]
    ROW_COUNT[0] += 1
    r = Row(name, ins, outs, attrs or {}, region_kinds, set(successors.split()), infer, infer_attrs, defaults or {}, ident, fmt)

    ROWS.append(r)

    def parse(p: Parser, st: OpState) -> None:
        s = State()
        run(p, r, r.elements if r.spelled else r.spell().elements, st, s)
        settle(p, r, st, s)

    spec = OpSpec(
        name,
        groups(operands),
        groups(results),
        tuple(succ_groups),
        frozenset(traits.split()),
        parse,
        None,
        normalise,
        verify,
        lazy,
        implicit,
    )
    spec.extra["same"] = {x.name: x.same for x in (*ins, *outs) if x.same}
    spec.extra["fixed"] = {x.name: x.fixed for x in (*ins, *outs) if x.fixed is not None}
    SPECS[name] = spec
    if fast and not region_kinds and not r.successors and not any(x.kind == "*" for x in outs[:-1]):
        spec.fast = _first_use(spec, r)
        spec.plain = _plain(r)
    return spec


def _first_use(spec: OpSpec, r: Row) -> Callable[..., Any]:
    """The fast path is generated when the op is first met: most designs use few of the ops."""
    made: list[Any] = []

    def fast(*args: Any) -> Any:
        # Parsers keep the function they found in the table when they began: this one puts the other in its place there.
        if not made:
            from wasmjit.ir.fastpath import build

            made.append(build(r.spell()))
            spec.fast = made[0]
        if made[0] is not None:
            fasts = args[0].fasts
            for name, known in fasts.items():
                if known is fast:
                    fasts[name] = made[0]
        return made[0](*args) if made[0] is not None else None

    return fast


def _plain(r: Row) -> Callable[[], PlainFn | None]:
    @cache
    def make() -> PlainFn | None:
        from wasmjit.ir.fastpath import build_plain

        return build_plain(r.spell())

    return make


def rows(names: str, *args: Any, **kwargs: Any) -> None:
    """The same row for several ops, names separated by blanks."""
    for name in names.split():
        row(name, *args, **kwargs)


ParseCustom = Callable[[Parser, OpState], None]


def syntax(
    name: str,
    operands: str = "",
    *,
    succ_groups: Sequence[str] = (),
    traits: str = "",
    lazy: bool = False,
    implicit: str = "",
    verify: Callable[..., None] | None = None,
    normalise: Callable[[Op], None] | None = None,
    results: str | None = None,
) -> Callable[[ParseCustom], ParseCustom]:
    """Registers a hand-written reader for one op (or several, separated by blanks)."""

    def add(fn: ParseCustom) -> ParseCustom:
        for one in name.split():
            SPECS[one] = OpSpec(
                one,
                groups(operands),
                None if results is None else groups(results),
                tuple(succ_groups),
                frozenset(traits.split()),
                fn,
                None,
                normalise,
                verify,
                lazy,
                implicit,
            )
        return fn

    return add


def new_row_id() -> int:
    """A slot in `Parser.tails` for a hand-written fast path."""
    ROW_COUNT[0] += 1
    return ROW_COUNT[0] - 1


def fast_path(name: str) -> Callable[[Any], Any]:
    """Registers a hand-written fast path for an op that is in the table already."""

    def add(fn: Any) -> Any:
        SPECS[name].fast = fn
        return fn

    return add


def plain_path(name: str) -> Callable[[PlainFn], PlainFn]:
    """Registers a hand-written function for plain lines of an op that is in the table already."""

    def add(fn: PlainFn) -> PlainFn:
        SPECS[name].plain = lambda: fn
        return fn

    return add


__all__ = [
    "BOOL",
    "CUSTOM",
    "INT",
    "STR",
    "SYM",
    "TYPE",
    "TYPED",
    "Types",
    "UNIT",
    "WORD",
    "AttrKind",
    "SymbolRef",
    "custom",
    "enum",
    "fast_path",
    "new_row_id",
    "plain_path",
    "row",
    "rows",
    "syntax",
]
