"""Bodies in short form: lowering them gives what lowering the whole region gives, and there is none where anything is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.manybodies import design as many_bodies
from wasmjit import ir
from wasmjit.ir import Design, IRError, Op, Region
from wasmjit.ir.short import OPERATIONS, RowOp, Short
from wasmjit.sched.options import RunOptions
from wasmjit.sched.rowreader import RowReader, row_scanner
from wasmjit.sched.simulation import Simulation
from wasmjit.sem.lower.core import Unsupported
from wasmjit.sem.lower.short import BINARY, OTHERS
from wasmjit.sem.printer import format_body


def parse_text(text: str) -> Design:
    return ir.parse_text(text, rows=row_scanner)


def parse_file(path: Path) -> Design:
    return ir.parse_file(path, rows=row_scanner)


def row_names(short: Short) -> list[str]:
    """Names of the rows that are used, in order."""
    ranges = [x for items in short.statements.values() for x in items if isinstance(x, tuple)]
    return [short.scope.name(short.scope.start + row[2]) for first, end in ranges for row in short.rows(first, end) if row[0]]


def lowered(design: Design) -> dict[str, str]:
    """Printed bodies of all processes by key, and the names of all nets."""
    elab = Simulation(design, RunOptions()).elab
    out = {
        p.body.key: renumbered(re.sub("0x[0-9a-f]+", "", "\n".join([format_body(p.body), repr(p.body.sens_sets), repr(p.body.sens_edges)])))
        for low in elab.lowered.values()
        for p in low.processes
    }
    return out | {"nets": repr([(n.name, n.kind) for n in elab.nets])}


def renumbered(text: str) -> str:
    """The text with values numbered in the order in which they appear, and without the lines they come from: rows that nothing uses take no numbers, and are not
    the first of several that compute the same.
    """
    numbers: dict[str, str] = {}
    text = re.sub(r"(?m)^( *%\d+: .*?) +;.*$", r"\1", text)
    text = re.sub(" +;", " ;", text)
    return re.sub(r"%\d+", lambda m: numbers.setdefault(m[0], f"%{len(numbers)}"), text)


def rows(monkeypatch: pytest.MonkeyPatch, design: Design) -> tuple[dict[str, str], int]:
    """The bodies, and how many lines were rows."""
    found: dict[int, int] = {}
    short = Region.short

    def noting(region: Region) -> Short | None:
        got = short(region)
        if got is not None:
            found[id(region)] = len(row_names(got))
        return got

    with monkeypatch.context() as m:
        m.setattr(Region, "short", noting)
        bodies = lowered(design)
    return bodies, sum(found.values())


def whole(monkeypatch: pytest.MonkeyPatch, design: Design) -> dict[str, str]:
    with monkeypatch.context() as m:
        m.setattr(Region, "short", lambda region: None)
        return lowered(design)


def module(body: str) -> str:
    return f"""hw.module @top() {{
  %c3 = hw.constant 3 : i8
  %five = hw.constant 5 : i8
  %t = llhd.constant_time <1ns, 0d, 0e>
  %a = llhd.sig %c3 : i8
  %b = llhd.sig %c3 : i8
  %pa = llhd.prb %a : i8
  %sum = comb.add %pa, %c3 : i8
  llhd.process {{
{body}
  }}
}}
"""


MIXED = """
    %zero = hw.constant 0 : i8
    cf.br ^loop(%zero : i8)
  ^loop(%n: i8):
    %p = llhd.prb %b : i8
    %q = comb.add %p, %n, %five : i8
    %low = comb.extract %q from 0 : (i8) -> i4
    %wide = comb.concat %low, %low : i4, i4
    %four = comb.concat %low, %low, %low, %low : i4, i4, i4, i4
    %three = comb.concat %low, %q, %low : i4, i8, i4
    %mix = comb.xor %four, %three : i16
    %bit = comb.extract %mix from 15 : (i16) -> i1
    %all = comb.extract %q from 0 : (i8) -> i8
    %copies = comb.replicate %bit : (i1) -> i8
    %once = comb.replicate %copies : (i8) -> i8
    %more = arith.extui %once : i8 to i70
    %signed = arith.extsi %all : i8 to i70
    %sum70 = comb.add %more, %signed : i70
    %less = arith.trunci %sum70 : i70 to i8
    %x8 = comb.xor %wide, %less : i8
    %r = comb.xor bin %x8, %sum : i8
    %odd = comb.icmp ult %r, %q : i8
    %also = comb.icmp bin ne %r, %q : i8
    %s = arith.select %odd, %r, %q : i8
    %m = comb.mux bin %also, %s, %q : i8
    %k = arith.muli %m, %n : i8
    %big = arith.cmpi sgt, %k, %zero : i8
    %one = comb.add %k : i8
    %f = hw.constant true
    %and = comb.and %big, %f : i1
    cf.cond_br %and, ^drive, ^wait(%one : i8)
  ^drive:
    llhd.drv %b, %k after %t : i8
    cf.br ^wait(%k : i8)
  ^wait(%keep: i8):
    %next = comb.sub %keep, %one : i8
    llhd.wait delay %t, (%pa : i8), ^loop(%next : i8)
"""


def test_all_kinds_of_rows_and_what_stands_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    text = module(MIXED)
    bodies, count = rows(monkeypatch, parse_text(text))
    assert count == 24
    assert bodies == whole(monkeypatch, parse_text(text))


def test_generated_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    text = many_bodies(40, seed=7)
    bodies, count = rows(monkeypatch, parse_text(text))
    assert count > 40 * 60
    assert bodies == whole(monkeypatch, parse_text(text))


@pytest.mark.parametrize("name", ["designs/picorv32_ez.mlir", "bench/gates.mlir", "bench/behave.mlir"])
def test_designs(shared: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies, _ = rows(monkeypatch, parse_file(shared / name))
    assert bodies == whole(monkeypatch, parse_file(shared / name))


WAIT = "\n    llhd.wait delay %t, ^next\n  ^next:\n    llhd.halt"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("%x = comb.add %c3, %nowhere : i8", "'%nowhere' is not defined"),
        ("%x = comb.add %c3, %five : i9", "has type i8, but is used as i9"),
        ("%x = comb.sub %c3, %five, %c3 : i8", "expected ':'"),
        ("%x = comb.icmp larger %c3, %five : i8", "unknown predicate 'larger'"),
        ("%x = comb.mux %c3, %five, %c3 : i8", "has type i8, but is used as i1"),
        ("%x = comb.extract %c3 from 5 : (i8) -> i4", "are outside of i8"),
        ("%x = comb.replicate %c3 : (i8) -> i12", "multiple"),
        ("%x = comb.concat %c3, %five : i8, i9", "has type i8, but is used as i9"),
        ("%x = comb.add %c3, %five : i8\n    %x = comb.add %c3, %five : i8", "'%x' is defined twice"),
        ("%x = comb.add %y, %five : i8\n    %y = comb.add %c3, %five : i8", "'%y' is used before it is defined"),
        ("%x = comb.add %c3, %five : i8" + WAIT.replace("llhd.halt", "llhd.wait delay %t, ^on\n  ^on:\n    %y = comb.add %z, %x : i8\n    llhd.halt\n  ^off:\n    %z = comb.add %c3, %c3 : i8\n    cf.br ^on"), "'%z' is not defined on every path"),
        ("%x = comb.add %c3, %five : i8\n    cf.br ^nowhere", "block '^nowhere' is not defined"),
    ],
)
def test_wrong_bodies_have_no_short_form_and_are_reported(lines: str, message: str) -> None:
    body = f"    {lines}" + ("" if "cf.br ^nowhere" in lines or "^on:" in lines else WAIT)
    design = parse_text(module(body))
    process = next(op for op in design.symbols["top"].regions[0].blocks[0].ops if op.name == "llhd.process")
    assert process.regions[0].short() is None
    with pytest.raises(IRError, match=re.escape(message)):
        process.regions[0].blocks  # noqa: B018


def test_rows_that_nothing_uses_are_left_out() -> None:
    lines = ["%x = comb.add %c3, %five : i8", "%y = comb.add %x, %five : i8", "%z = comb.add %y, %x : i8", "llhd.drv %b, %x after %t : i8"]
    far = WAIT.replace("llhd.halt", "%w = comb.add %u, %c3 : i8\n    llhd.drv %b, %w after %t : i8\n    llhd.halt")
    design = parse_text(module("    " + "\n    ".join(["%u = comb.add %c3, %c3 : i8", *lines]) + far))
    process = next(op for op in design.symbols["top"].regions[0].blocks[0].ops if op.name == "llhd.process")
    short = process.regions[0].short()
    assert short is not None
    assert row_names(short) == ["%u", "%x", "%w"]


def test_rows_are_operations_for_those_who_ask() -> None:
    design = parse_text(module("    %x = comb.add %c3, %five : i8\n    %y = comb.icmp eq %x, %c3 : i8\n    llhd.drv %b, %x after %t if %y : i8" + WAIT))
    process = next(op for op in design.symbols["top"].regions[0].blocks[0].ops if op.name == "llhd.process")
    short = process.regions[0].short()
    assert short is not None
    drive = short.region.blocks[0].ops[0]
    made = drive.operands[1].owner
    assert isinstance(made, RowOp)
    assert (made.name, [v.name for v in made.operands], made.attrs, made.loc.line) == ("comb.add", ["c3", "five"], {}, 10)
    compare = drive.operands[3].owner
    assert isinstance(compare, Op)
    assert compare.operands[0] is drive.operands[1]
    assert compare.attrs == {"predicate": "eq"}
    # Reading the body in full gives operations of its own, and no short form any more.
    assert [op.name for op in process.regions[0].blocks[0].ops] == ["comb.add", "comb.icmp", "llhd.drv", "llhd.wait"]
    assert process.regions[0].short() is None


def test_every_row_has_a_lowering() -> None:
    assert OPERATIONS.keys() <= BINARY.keys() | OTHERS.keys()


def outcome(monkeypatch: pytest.MonkeyPatch, text: str, short: bool) -> dict[str, str] | str:
    """What lowering gives, or the message of the error."""
    try:
        design = parse_text(text)
        return rows(monkeypatch, design)[0] if short else whole(monkeypatch, design)
    except (IRError, Unsupported) as e:
        return str(e)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 2000), gone=st.integers(0, 3), new=st.sampled_from(["", "%", " ", "a", "1", ",", ":", "i9", "%q", "%c3", "^", "}", "// x\n", "\n", "#0", "bin "]))
def test_a_body_with_a_change_anywhere_means_the_same_in_short_form(monkeypatch: pytest.MonkeyPatch, at: int, gone: int, new: str) -> None:
    at %= len(MIXED)
    text = module(MIXED[:at] + new + MIXED[at + gone :])
    assert outcome(monkeypatch, text, True) == outcome(monkeypatch, text, False)


def test_the_scanner_of_a_large_body_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def scanner() -> RowReader:
        made.append(row_scanner())
        return made[-1]

    text = module("    %x = comb.add %c3, %five : i8\n    llhd.drv %b, %x after %t : i8" + WAIT + "\n  }\n  llhd.process {\n    llhd.drv %b, %five after %t : i8" + WAIT)
    for size, count in ((1 << 20, 1), (10, 2)):
        made.clear()
        monkeypatch.setattr("wasmjit.ir.short.LARGE_BODY", size)
        design = ir.parse_text(text, rows=scanner)
        processes = [op for op in design.symbols["top"].regions[0].blocks[0].ops if op.name == "llhd.process"]
        assert [p.regions[0].short() is None for p in processes] == [False, False]
        assert len(made) == count
