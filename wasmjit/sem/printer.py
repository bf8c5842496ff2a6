"""Readable text of MIR bodies, for `inspect`, tests and debugging.

```
process "top.p0" (%0: i64) frame 64 {
  sens 0 = ('clk',)
^0:
  %3: i32 = ctx
  %4: i8 = ldt %3 @16                          ; top.sv:12:3
  wait sens 0 -> ^1  [token 1, live %4@32]
^1:
  ...
}
```

Constants stand as `5:i8`; `attr` is printed behind the operands in the form that suits the operation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .mir import Block, Body, Br, CallS, CallSite, CondBr, Drive, Fault, Op, Packing, Ret, Service, Switch, Term, Val, Wait, place_of

_LOC_COLUMN = 64


def format_val(v: Val) -> str:
    """`%7`, or a constant with its type."""
    c = v.const
    if c is None:
        return f"%{v.id}"
    if isinstance(c, bytes):
        text = c.hex() if len(c) <= 16 else f"{c[:16].hex()}...({len(c)} bytes)"
        return f"0x[{text}]:{v.ty}"
    if isinstance(c, int) and c >= 1 << 32:
        return f"{c:#x}:{v.ty}"
    return f"{c!r}:{v.ty}"


def _vals(vals: Iterable[Val]) -> str:
    return ", ".join(map(format_val, vals))


def _typed(vals: Iterable[Val]) -> str:
    return ", ".join(f"%{v.id}: {v.ty}" for v in vals)


def _attr(op: Op) -> str:
    a = op.attr
    if a is None:
        return ""
    if op.code in ("ldt", "stt"):
        return f" @{a}"
    if op.code in ("ld", "st"):
        return f" @{a[0]} site {a[1]}"
    if isinstance(a, Drive):
        time = "" if a.time is None else " after <{}fs, {}d, {}e>".format(*a.time)
        return f" offs {list(a.offs)} size {a.size}{time}"
    if isinstance(a, Service):
        return f' "{a.name}" id {a.id}' + ("" if a.data is None else f" {a.data!r}")
    if isinstance(a, CallSite):
        return f" site {a.id} {list(a.params)} -> {list(a.results)}"
    if isinstance(a, Packing):
        return f" {_packing(a)}"
    if isinstance(a, str):
        return f' "{a}"' if op.code in ("call", "spawn", "rt") else f" {a}"
    return f" {a!r}".replace("None", "-")


def _packing(p: Packing) -> str:
    leaves = ", ".join(f"{off}:{low}+{width}" + ("" if n is None else f" {_packing(n)}") for off, width, low, n in p.leaves)
    return f"pack({'reversed ' if p.reverse else ''}{p.count} x {p.stride}B/{p.bits}b: {leaves})"


def format_op(op: Op) -> str:
    """One operation without its location."""
    dst = f"{_typed(op.dsts)} = " if op.dsts else ""
    return f"{dst}{op.code} {_vals(op.args)}".rstrip() + _attr(op)


def _edge(target: Block, args: tuple[Val, ...]) -> str:
    return f"^{target.id}" + (f"({_vals(args)})" if args else "")


def format_term(term: Term | None) -> str:
    """A terminator without its location and frame slots."""
    if isinstance(term, Br):
        return f"br {_edge(term.target, term.args)}"
    if isinstance(term, CondBr):
        return f"br {format_val(term.cond)} ? {_edge(term.ttarget, term.targs)} : {_edge(term.ftarget, term.fargs)}"
    if isinstance(term, Switch):
        cases = ", ".join(f"{c}: {_edge(t, a)}" for c, t, a in term.cases)
        return f"switch {format_val(term.value)} [{cases}, default: {_edge(term.default, term.dargs)}]"
    if isinstance(term, Ret):
        return f"ret {_vals(term.vals)}".rstrip()
    if isinstance(term, Wait):
        parts = [] if term.sens is None else [f"sens {term.sens}"]
        parts += [f"{('change', 'posedge', 'negedge', 'event')[e]} {format_val(v)}/{n}" for v, n, e in term.dyn]
        if term.time is not None:
            parts.append(f"time <{_vals(term.time)}>")
        return f"wait {', '.join(parts) or 'forever'} -> ^{term.resume.id}"
    if isinstance(term, CallS):
        callee = f'"{term.callee}"' if term.site is None else f"pointer site {term.site.id}"
        return f"call.s {callee} ({_vals(term.args)}) -> ^{term.resume.id}"
    if isinstance(term, Fault):
        return f"fault site {term.site}"
    return "no terminator" if term is None else type(term).__name__.lower()


def _with_loc(text: str, loc: Any) -> str:
    return text if loc is None else f"{text:<{_LOC_COLUMN}} ; {place_of(loc)}"


def _slots(body: Body, term: Wait | CallS) -> str:
    slots = {} if body.frame is None else body.frame.slots
    live = ", ".join(f"%{v.id}" + (f"@{slots[v.id]}" if v.id in slots else "") for v in body.live_in.get(term.token, ()))
    return f"  [token {term.token}{', live ' + live if live else ''}]"


def format_block(body: Body, block: Block) -> list[str]:
    """The lines of one block."""
    out = [f"^{block.id}" + (f"({_typed(block.params)})" if block.params else "") + ":"]
    for op in block.ops:
        text = f"  {format_op(op)}"
        if body.frame is not None and op.code == "alloca" and op.dsts[0].id in body.frame.allocas:
            text += f" frame+{body.frame.allocas[op.dsts[0].id]}"
        out.append(_with_loc(text, op.loc))
    text = f"  {format_term(block.term)}"
    if isinstance(block.term, (Wait, CallS)):
        text += _slots(body, block.term)
    out.append(_with_loc(text, None if block.term is None else block.term.loc))
    return out


def format_body(body: Body) -> str:
    """The whole body, finished or not; ends with a newline."""
    results = f" -> ({', '.join(map(repr, body.results))})" if body.results else ""
    frame = f" frame {body.frame.size}" if body.frame is not None else ""
    out = [_with_loc(f'{body.kind} "{body.key}" ({_typed(body.params)}){results}{frame} {{', body.loc)]
    out += [f"  sens {i} = {s!r}" for i, s in enumerate(body.sens_sets)]
    for b in body.blocks:
        out += format_block(body, b)
    out.append("}")
    return "\n".join(out) + "\n"
