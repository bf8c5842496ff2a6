"""sim: formatted output, simulation control, DPI, fork/join, and the event-driven ops of circt-sim's CIRCT. Formats: `Sim/SimOps.td`, `SimOps.cpp`."""

from __future__ import annotations

from typing import Any

from wasmjit.ir.assembly import BOOL, INT, STR, SYM, UNIT, custom, row, rows, syntax
from wasmjit.ir.dialects.hw_module import port_list, ports_of_modty
from wasmjit.ir.parser import OpState, Parser
from wasmjit.ir.typereader import dialect_type
from wasmjit.ir.types import CLOCK, I1, I64, TIME, DStringType, FStringType, Type


@dialect_type("sim.fstring")
def _fstring(p: Parser) -> Type:
    return FStringType()


@dialect_type("sim.dstring")
def _dstring(p: Parser) -> Type:
    return DStringType()


# --- formatting --------------------------------------------------------------------------------------------------------

row("sim.fmt.literal", "", "result:fstring", "$literal attr-dict", attrs={"literal": STR})
_PAD = "(`isLeftAligned` <is_left_aligned>)? (`paddingChar` $paddingChar)? (`specifierWidth` $specifierWidth)? (`fourStateWidth` $fourStateWidth)?"
_PAD_ATTRS = {"paddingChar": INT, "specifierWidth": INT, "fourStateWidth": INT, "isSigned": UNIT, "isHexUppercase": BOOL}


@custom
def _is_left_aligned(p: Parser, st: OpState, s: Any) -> None:
    st.attrs["isLeftAligned"] = p.attr()


row(
    "sim.fmt.hex",
    "value",
    "result:fstring",
    "$value (`,` `isUpper` $isHexUppercase)? " + _PAD + " attr-dict `:` type($value)",
    attrs=_PAD_ATTRS,
)
for _name in ("oct", "bin"):
    row(f"sim.fmt.{_name}", "value", "result:fstring", "$value " + _PAD + " attr-dict `:` type($value)", attrs=_PAD_ATTRS)
row("sim.fmt.dec", "value", "result:fstring", "$value " + _PAD + " (`signed` $isSigned)? attr-dict `:` type($value)", attrs=_PAD_ATTRS)
row("sim.fmt.char", "value", "result:fstring", "$value attr-dict `:` type($value)")
_REAL = {"fieldWidth": INT, "fracDigits": INT}
for _name in ("exp", "flt", "gen"):
    row(
        f"sim.fmt.{_name}",
        "value",
        "result:fstring",
        "$value (`isLeftAligned` <is_left_aligned>)? (`fieldWidth` $fieldWidth)? (`fracDigits` $fracDigits)? attr-dict `:` type($value)",
        attrs=_REAL,
    )
row("sim.fmt.concat", "inputs*:fstring", "result:fstring", "`(` $inputs `)` attr-dict")
row("sim.fmt.hier_path", "", "result:fstring", "(`escaped` $useEscapes)? attr-dict", attrs={"useEscapes": UNIT})
row("sim.fmt.dyn_string", "value", "result:fstring", "$value attr-dict `:` type($value)")
row("sim.fmt.string", "value", "result:fstring", "$value " + _PAD + " attr-dict `:` type($value)", attrs=_PAD_ATTRS)
row("sim.fmt.time", "value", "result:fstring", "$value attr-dict `:` type($value)")

# --- printing and control ----------------------------------------------------------------------------------------------


@custom
def _success(p: Parser, st: OpState, s: Any) -> None:
    st.attrs["success"] = _either(p, "success", "failure")


@custom
def _verbose(p: Parser, st: OpState, s: Any) -> None:
    st.attrs["verbose"] = _either(p, "verbose", "quiet")


def _either(p: Parser, yes: str, no: str) -> bool:
    if p.accept_word(yes):
        return True
    if p.accept_word(no):
        return False
    p.error(f"expected '{yes}' or '{no}'{p.found()}")


row(
    "sim.print", "input:fstring clock:clock condition:i1 stream?:stream", "", "$input `on` $clock `if` $condition (`to` $stream)? attr-dict"
)
row("sim.proc.print", "input:fstring stream?:stream", "", "$input (`to` $stream)? attr-dict")
row("sim.clocked_terminate", "clock:clock condition:i1", "", "$clock `,` $condition `,` <success> `,` <verbose> attr-dict")
row("sim.clocked_pause", "clock:clock condition:i1", "", "$clock `,` $condition `,` <verbose> attr-dict")
row("sim.terminate", "", "", "<success> `,` <verbose> attr-dict")
row("sim.pause", "", "", "<verbose> attr-dict")
rows("sim.exit sim.fatal sim.finish", "clk:clock cond:i1", "", "`on` $clk `if` $cond attr-dict")
row("sim.plusargs.test", "", "found:i1", "$formatString attr-dict", attrs={"formatString": STR})
row("sim.plusargs.value", "", "found:i1 result", "$formatString attr-dict `:` type($result)", attrs={"formatString": STR})


@syntax("sim.triggered", "clock condition?", results="")
def _triggered(p: Parser, st: OpState) -> None:
    """`%clk if %c { ... }`."""
    clk = p.ssa()
    st.operands.append(p.resolve(clk, CLOCK))
    if p.accept_word("if"):
        st.operands.append(p.resolve(p.ssa(), I1))
    st.regions.append(p.region())
    st.attrs.update(p.optional_attr_dict())


# --- DPI ---------------------------------------------------------------------------------------------------------------


@syntax("sim.func.dpi", traits="isolated symbol", results="", normalise=ports_of_modty)
def _dpi(p: Parser, st: OpState) -> None:
    """`@f(in %a : i32, out b : i32) attributes {...}`: attribute `ports` as of a module."""
    for word in ("private", "public", "nested"):
        if p.accept_word(word):
            st.attrs["sym_visibility"] = word
    st.attrs["sym_name"] = p.symbol()
    args = port_list(p, st)
    if p.accept_word("attributes"):
        st.attrs.update(p.attr_dict())
    if p.peek("{"):
        st.regions.append(p.region(args, isolated=True))


row(
    "sim.func.dpi.call", "clock?:clock enable?:i1 inputs*", "results*",
    "$callee `(` $inputs `)` (`clock` $clock)? (`enable` $enable)? attr-dict `:` functional-type($inputs, $results)",
    attrs={"callee": SYM}, fast=False,
)  # fmt: skip

# --- fork and join -----------------------------------------------------------------------------------------------------


@syntax("sim.fork", results="handle", implicit="sim.fork.terminator")
def _fork(p: Parser, st: OpState) -> None:
    """`join_type "join_any" name "x" { ... }, { ... }`: attributes `joinType`, `name`; one region per branch."""
    st.attrs["joinType"] = "join"
    while True:
        if p.accept_word("join_type"):
            st.attrs["joinType"] = p.string()
        elif p.accept_word("name"):
            st.attrs["name"] = p.string()
        else:
            break
    if p.accept_word("attributes"):
        st.attrs.update(p.attr_dict())
    while True:
        st.regions.append(p.region(implicit="sim.fork.terminator"))
        if not p.accept(","):
            break
    st.attrs.update(p.optional_attr_dict())
    if p.accept(":"):
        p.type()
    st.results = [I64]


rows("sim.fork.terminator sim.named_block.terminator", traits="terminator")
rows("sim.join sim.join_any sim.join_none", "handle:i64", "", "$handle attr-dict")
rows("sim.wait_fork sim.disable_fork sim.delta_cycle")
row("sim.disable", "", "", "$target attr-dict", attrs={"target": STR})
row("sim.wait", "condition:i1", "timedOut?", "$condition (`timeout` $timeoutFemtoseconds)? attr-dict (`:` type($timedOut))?",
    attrs={"timeoutFemtoseconds": INT}, fast=False)  # fmt: skip
row("sim.delay", "delay", "", "$delay attr-dict `:` type($delay)")


@syntax("sim.named_block", results="", implicit="sim.named_block.terminator")
def _named_block(p: Parser, st: OpState) -> None:
    st.attrs["blockName"] = p.string("the name of the block")
    if p.accept_word("attributes"):
        st.attrs.update(p.attr_dict())
    st.regions.append(p.region(implicit="sim.named_block.terminator"))


# --- processes ---------------------------------------------------------------------------------------------------------


@syntax("sim.process sim.comb_process", lazy=True)
def _process(p: Parser, st: OpState) -> None:
    if p.accept("->"):
        st.results = p.types_plain()
    if p.accept_word("attributes"):
        st.attrs = p.attr_dict()
    st.regions.append(p.region(lazy=True))


@syntax("sim.triggered_process sim.sensitivity", "sensitivitySignals*")
def _sensitive(p: Parser, st: OpState) -> None:
    """`@(posedge %clk, negedge %rst : i1, i1) -> i32 { ... }`; `sim.sensitivity posedge %a, %b : i1, i1`."""
    body = st.name == "sim.triggered_process"
    if body:
        p.expect("@")
        p.expect("(")
    edges, names = [], []
    edge = "anyedge"
    while True:
        word = p.peek_any()
        if word:
            edge = p.bare("an edge")
        names.append(p.ssa())
        edges.append(edge)
        if not p.accept(","):
            break
    if p.accept(":"):
        st.operands = p.resolve_all(names, p.types_plain())
    else:
        st.operands = [p.resolve(n, None) for n in names]
    st.attrs["sensitivityEdges" if body else "edges"] = edges
    if not body:
        st.attrs.update(p.optional_attr_dict())
        st.results = [I1]
        return
    p.expect(")")
    if p.accept("->"):
        st.results = p.types_plain()
    if p.accept_word("attributes"):
        st.attrs.update(p.attr_dict())
    st.regions.append(p.region())


row(
    "sim.suspend", "yieldOperands* observed*", "",
    "(`region` $region)? (`observed` `(` $observed `:` type($observed) `)` `,`)? (`delay` $delayFemtoseconds `fs` `,`)? "
    "(`yield` `(` $yieldOperands (`:` type($yieldOperands))? `)` `,`)? $dest attr-dict",
    attrs={"region": STR, "delayFemtoseconds": INT}, successors="dest", succ_groups=("destOperands",), traits="terminator",
)  # fmt: skip
row("sim.yield", "results*", "", "($results `:` type($results))? attr-dict", traits="terminator", fast=False)
row(
    "sim.drive", "signal value", "",
    "$signal `,` $value (`delay` $delayFemtoseconds)? (`mode` $mode)? (`strength` $strength)? attr-dict `:` type($signal) `,` type($value)",
    attrs={"delayFemtoseconds": INT, "mode": STR, "strength": STR},
)  # fmt: skip
row("sim.sample", "signal=value", "value", "$signal (`region` $region)? attr-dict `:` type($value)", attrs={"region": STR})
row(
    "sim.time",
    "",
    "time",
    "(`unit` $unit)? attr-dict (`:` type($time))?",
    attrs={"unit": STR},
    infer=lambda t, a: TIME,
    infer_attrs=True,
    fast=False,
)
row("sim.cast.signed", "input=result", "result", "$input attr-dict `:` type($result)")
row("sim.wait_event", "signal:i1", "", "$signal (`edge` $edge)? attr-dict", attrs={"edge": STR})
row(
    "sim.edge_detect",
    "current previous=current",
    "detected:i1",
    "$current `,` $previous (`edge` $edge)? attr-dict `:` type($current)",
    attrs={"edge": STR},
)
row("sim.signal_register", "signal=previous", "previous", "$signal attr-dict `:` type($previous)")
row("sim.prev", "signal=previous", "previous", "$signal (`delta` $delta)? attr-dict `:` type($previous)", attrs={"delta": INT})
row("sim.iteration_limit", "", "", "$limit attr-dict", attrs={"limit": INT})

# --- semaphores, mailboxes, events -------------------------------------------------------------------------------------

row("sim.semaphore.create", "keyCount", "handle:i64", "$keyCount attr-dict `:` type($keyCount)")
rows(
    "sim.semaphore.get sim.semaphore.put", "handle:i64 keyCount?", "", "$handle (`,` $keyCount `:` type($keyCount))? attr-dict", fast=False
)
row(
    "sim.semaphore.try_get",
    "handle:i64 keyCount?",
    "success",
    "$handle (`,` $keyCount `:` type($keyCount))? attr-dict `->` type($success)",
    fast=False,
)
row("sim.mailbox.create", "", "handle", "(`bound` $bound)? attr-dict `:` type($handle)", attrs={"bound": INT})
row("sim.mailbox.put", "handle:i64 message", "", "$handle `,` $message attr-dict `:` type($message)")
row("sim.mailbox.try_put", "handle:i64 message", "success", "$handle `,` $message attr-dict `:` type($message) `->` type($success)")
rows("sim.mailbox.get sim.mailbox.peek", "handle:i64", "message", "$handle attr-dict `:` type($message)")
rows("sim.mailbox.try_get sim.mailbox.try_peek", "handle:i64", "success message", "$handle attr-dict `:` type($success) `,` type($message)")
row("sim.mailbox.num", "handle:i64", "count", "$handle attr-dict `:` type($count)")
row("sim.event.create", "", "handle", "attr-dict `:` type($handle)")
row("sim.event.trigger", "handle:i64", "", "$handle (`nonblocking` $nonblocking)? attr-dict", attrs={"nonblocking": UNIT})
row("sim.event.wait", "handle:i64", "", "$handle attr-dict")
