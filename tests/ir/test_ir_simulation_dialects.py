"""sim, verif, ltl, sv, moore, dbg, emit, om: every spelling reads, and comes back from the generic form."""

from __future__ import annotations

import pytest
from ir_helpers import body_ops, errors, module, ops, read

from wasmjit.ir.types import I1, I8, I32, I64, FStringType, OpaqueType, PropertyType, SequenceType


def test_sim_formatting() -> None:
    text = r"""
      %l = sim.fmt.literal "a\0Ab\22\FF"
      %0 = sim.fmt.hex %a, isUpper true specifierWidth 4 : i8
      %1 = sim.fmt.hex %a, isUpper false isLeftAligned true paddingChar 32 fourStateWidth 4 : i8
      %2 = sim.fmt.dec %a paddingChar 48 specifierWidth 0 fourStateWidth 32 signed : i8
      %3 = sim.fmt.dec %a : i8
      %4 = sim.fmt.bin %a fourStateWidth 4 : i8
      %5 = sim.fmt.oct %a isLeftAligned true : i8
      %6 = sim.fmt.char %a : i8
      %7 = sim.fmt.flt %f fracDigits 1 : f64
      %8 = sim.fmt.exp %f isLeftAligned true fieldWidth 9 fracDigits 3 : f64
      %9 = sim.fmt.gen %f : f64
      %10 = sim.fmt.concat (%l, %0)
      %11 = sim.fmt.concat ()
      %12 = sim.fmt.hier_path
      %13 = sim.fmt.hier_path escaped
      %14 = sim.fmt.dyn_string %s : !llvm.struct<(ptr, i64)>
      %15 = sim.string.literal "x"
      %16 = sim.fmt.string %15 specifierWidth 3 : !sim.dstring
    """
    found = ops(text, "%a: i8, %f: f64, %s: !llvm.struct<(ptr, i64)>")
    assert found[0].attrs["literal"] == 'a\nb"\udcff'
    assert found[1].attrs == {"isHexUppercase": True, "specifierWidth": 4}
    assert found[2].attrs == {"isHexUppercase": False, "isLeftAligned": True, "paddingChar": 32, "fourStateWidth": 4}
    assert found[3].attrs == {"paddingChar": 48, "specifierWidth": 0, "fourStateWidth": 32, "isSigned": True}
    assert found[4].attrs == {}
    assert found[8].attrs == {"fracDigits": 1}
    assert len(found[11].operands) == 2 and found[12].operands == []
    assert found[14].attrs == {"useEscapes": True}
    assert found[11].result.type is FStringType()


def test_sim_control_and_printing() -> None:
    text = """
      sim.print %m on %c if %e
      sim.clocked_terminate %c, %e, success, verbose
      sim.clocked_pause %c, %e, quiet
      %x = sim.plusargs.test "foo"
      %y, %z = sim.plusargs.value "n=%d" : i32
      sim.triggered %c if %e {
        sim.proc.print %m {circt.dumpvars}
      }
      seq.initial() {
        sim.proc.print %m
        sim.terminate failure, quiet
        sim.pause verbose
      } : () -> ()
    """
    found = ops(text, "%m: !sim.fstring, %c: !seq.clock, %e: i1")
    assert found[1].attrs == {"success": True, "verbose": True}
    assert found[2].attrs == {"verbose": False}
    assert [str(r.type) for r in found[4].results] == ["i1", "i32"]
    body = found[6].regions[0].blocks[0].ops
    assert body[1].attrs == {"success": False, "verbose": False}
    assert body[-1].name == "seq.yield"


def test_sim_dpi() -> None:
    text = """
    sim.func.dpi private @dpi(out arg0 : i1, in %arg1 : i8, return ret : i32) attributes {verilogName = "d"}
    hw.module @t(in %c : !seq.clock, in %e : i1, in %a : i8) {
      %0, %1 = sim.func.dpi.call @dpi(%a) clock %c enable %e : (i8) -> (i1, i32)
      %2:2 = sim.func.dpi.call @dpi(%a) : (i8) -> (i1, i32)
    }
    """
    design = read(text)
    assert [(d, n) for d, n, _, _ in design.symbols["dpi"].attrs["ports"]] == [("out", "arg0"), ("in", "arg1"), ("out", "ret")]
    assert design.symbols["dpi"].attrs["ports"][2][3] == {"dpi.direction": "return"}
    calls = body_ops(design)
    assert calls[0].group("clock")[0].name == "c" and calls[0].group("inputs")[0].name == "a"
    assert calls[1].group("clock") == [] and calls[1].group("enable") == []


def test_sim_fork_and_processes() -> None:
    text = """
      llhd.process {
        %h = sim.fork join_type "join_any" name "n" {
          sim.disable "blk"
        }, {
          cf.br ^b
        ^b:
          sim.fork.terminator
        }
        %k = sim.fork {
          sim.named_block "blk" {
            sim.delta_cycle
          }
          sim.fork.terminator
        }
        sim.join %h
        sim.join_any %h
        sim.wait_fork
        sim.disable_fork
        %w = sim.wait %e timeout 1000 : i1
        sim.wait %e
        sim.delay %d : i64
        %s = sim.semaphore.create %d : i64
        sim.semaphore.get %s
        sim.semaphore.put %s, %d : i64
        %g = sim.semaphore.try_get %s -> i1
        %m = sim.mailbox.create bound 4 : i64
        sim.mailbox.put %m, %a : i8
        %v = sim.mailbox.get %m : i8
        %o, %p = sim.mailbox.try_get %m : i1, i8
        %q = sim.event.create : i64
        sim.event.trigger %q nonblocking
        sim.event.wait %q
        llhd.halt
      }
      %0 = sim.process -> i8 {
        sim.suspend region "nba" observed (%e : i1), delay 10 fs, yield (%a : i8), ^n
      ^n:
        sim.suspend yield (%a : i8), ^n
      }
      %1 = sim.comb_process -> i8 {
        sim.yield %a : i8
      }
      %2 = sim.triggered_process @(posedge %e, negedge %e : i1, i1) -> i8 {
        sim.yield %a : i8
      }
      %3 = sim.sensitivity posedge %e, negedge %e : i1, i1
      %4 = sim.time
      %5 = sim.time unit "ns" : i64
      %6 = sim.sample %a region "observed" : i8
      %7 = sim.edge_detect %e, %e edge "posedge" : i1
      sim.drive %a, %a delay 3 mode "blocking" : i8, i8
    """
    found = ops(text, "%e: i1, %d: i64, %a: i8")
    fork, fork2 = found[0].regions[0].blocks[0].ops[:2]
    assert fork.attrs == {"joinType": "join_any", "name": "n"} and len(fork.regions) == 2
    assert fork.result.type is I64
    assert fork.regions[0].blocks[0].ops[-1].name == "sim.fork.terminator"
    assert len(fork.regions[1].blocks) == 2
    assert fork2.attrs["joinType"] == "join"
    suspend = found[1].regions[0].blocks[0].ops[0]
    assert [v.name for v in suspend.group("observed")] == ["e"] and [v.name for v in suspend.group("yieldOperands")] == ["a"]


def test_sim_containers_and_files() -> None:
    q, m = "!sim.queue<i8, 4>", "!sim.assoc_array<i8, i32>"
    text = f"""
      %0 = sim.queue.empty : {q}
      %1 = sim.queue.push_back %a into %0 : {q}
      %2, %3 = sim.queue.pop_front from %1 : {q}
      %4 = sim.queue.get %i of %2 : {q}
      %5 = sim.queue.set %2[%i] = %4 : {q}
      %6 = sim.queue.slice %5 from %i to %i : {q}
      %7 = sim.queue.concat (%5, %6) : ({q}, {q}) !sim.queue<i8>
      %8 = sim.queue.cmp eq %5, %6 : {q}
      %9 = sim.queue.insert %a into %6 at %i : {q}
      %10 = sim.queue.delete index %i of %9 : {q}
      %11 = sim.assoc_array.empty : {m}
      %12 = sim.assoc_array.set %11[%i] = %a : {m}
      %13 = sim.assoc_array.get %12[%i] : {m}
      %14, %15 = sim.assoc_array.next %12[%i] : {m}
      %16 = sim.string.literal "f"
      %17 = sim.string.get %16[%i]
      %18 = sim.string.cmp lt %16, %16 : !sim.dstring
      %19 = sim.sv.fopen %16 mode = r
      sim.sv.fclose %19
      %20 = sim.sv.channel_to_output_stream %19
      sim.flush %20
      %21 = sim.sv.readmem %16, %5 start = %i : {q}
    """
    found = ops(text, "%a: i8, %i: i32")
    assert [r.type for r in found[2].results][1] is I8
    assert found[12].result.type is I8
    assert [r.type for r in found[13].results] == [I32, I32]
    assert found[21].group("startAddr")[0].name == "i" and found[21].group("sliceLeft") == []


def test_ltl() -> None:
    text = """
      %0 = ltl.delay %a, 1, 0 : i1
      %1 = ltl.delay %0, 2 : !ltl.sequence
      %2 = ltl.concat %a, %0 : i1, !ltl.sequence
      %3 = ltl.repeat %a, 1, 2 : i1
      %4 = ltl.goto_repeat %a, 1 : i1
      %5 = ltl.non_consecutive_repeat %a, 1, 0 : i1
      %6 = ltl.not %0 : !ltl.sequence
      %7 = ltl.and %0, %6 {x} : !ltl.sequence, !ltl.property
      %8 = ltl.or %a, %0 : i1, !ltl.sequence
      %9 = ltl.intersect %0, %a : !ltl.sequence, i1
      %10 = ltl.implication %a, %7 : i1, !ltl.property
      %11 = ltl.until %a, %a : i1, i1
      %12 = ltl.eventually %a {ltl.weak} : i1
      %13 = ltl.clock %0,  posedge %a {sva.explicit_clocking} : !ltl.sequence
      %14 = ltl.clock %6, negedge %a : !ltl.property
      %15 = ltl.matched %0 : !ltl.sequence -> i1
      %16 = ltl.triggered %0 : !ltl.sequence -> i1
      %17 = ltl.past %a, 1 : i1
      %18 = ltl.first_match %0 : !ltl.sequence
      %19 = ltl.boolean_constant true
      %20 = ltl.clocked_delay %a, posedge, %0, 1, 2 : !ltl.sequence
      %21 = "ltl.clock"(%0, %a) <{edge = 1 : i32}> : (!ltl.sequence, i1) -> !ltl.sequence
    """
    found = ops(text, "%a: i1")
    assert found[0].attrs == {"delay": 1, "length": 0} and found[1].attrs == {"delay": 2}
    prop, seq = PropertyType(), SequenceType()
    assert [found[i].result.type for i in (6, 7, 8, 9, 13, 14)] == [prop, prop, seq, seq, seq, prop]
    assert found[13].attrs["edge"] == "posedge" and found[21].attrs["edge"] == "negedge"


def test_verif() -> None:
    text = """
      verif.assert %a : i1
      verif.assert %p if %a label "x" {bmc.final} : !ltl.property
      verif.assume %a label "" : i1
      verif.cover %a : i1
      verif.clocked_assert %p if %a, posedge %a label "y: %d" : !ltl.property
      verif.clocked_assume %a, negedge %a : i1
      verif.clocked_cover %a, edge %a : i1
      %0 = verif.has_been_reset %a, async %a
      %1 = verif.format_verilog_string "s %d"(%a) : i1
      verif.print %1
    """
    found = ops(text, "%a: i1, %p: !ltl.property")
    assert found[1].group("enable")[0].name == "a" and found[1].attrs["label"] == "x"
    assert found[4].group("clock")[0].name == "a" and found[4].group("enable")[0].name == "a" and found[4].attrs["edge"] == "posedge"
    assert found[5].group("enable") == []
    assert found[7].attrs["async"] is True


def test_verif_entry_points() -> None:
    text = """
    verif.formal @F {ignore = true} attributes {x} {
      %0 = verif.symbolic_value : i8
      %1 = comb.icmp eq %0, %0 : i8
      verif.assert %1 : i1
    }
    verif.formal @G {
      %0 = verif.symbolic_value : i8
    }
    hw.module @t(in %a : i8) {
      %0 = verif.contract %a : i8 {
        %k = comb.icmp eq %a, %a : i8
        verif.ensure %k : i1
        verif.require %k : i1
      }
    }
    """
    design = read(text)
    assert design.symbols["F"].attrs["parameters"] == {"ignore": True}
    assert design.symbols["G"].attrs["parameters"] == {}


def test_sv_assertions_and_procedures() -> None:
    text = """
      %r = sv.reg sym @r {x} : !hw.inout<i8>
      %w = sv.wire : !hw.inout<i8>
      %0 = sv.read_inout %r : !hw.inout<i8>
      sv.assign %w, %0 : i8
      sv.always posedge %c, negedge %c {
        sv.if %c {
          sv.passign %r, %a : i8
        } else {
          sv.bpassign %r, %a : i8
        }
        sv.finish 1
        sv.fatal 1, "x %d"(%a) : i8
        sv.error "no"
      }
      sv.alwaysff(posedge %c) {
      } (syncreset : posedge %c) {
      }
      sv.initial {
        sv.assert %c, immediate label "l" message "m %d"(%a) : i8
        sv.assume %c, final
        sv.fwrite %fd, "x %d"(%a) : i8
      }
      sv.assert.concurrent posedge %c, %c label "k"
      sv.assert_property %c on posedge %c disable_iff %c label "k" : i1
      %1 = sv.verbatim.expr "{{0}}"(%a) : (i8) -> i8
      %2 = sv.macro.ref.expr @M() : () -> i8
      %3 = sv.constantX : i8
      %4 = sv.system.sampled %a : i8
      %5 = sv.indexed_part_select %a[%a : 2] : i8, i8
    """
    found = ops(text, "%c: i1, %a: i8, %fd: i32", "sv.macro.decl @M")
    always = found[4]
    assert always.attrs["events"] == ["posedge", "negedge"]
    names = [op.name for op in found]
    assert "sv.assert.concurrent" in names and "sv.assert_property" in names
    assert found[2].result.type is I8


def test_moore_event_waits() -> None:
    text = """
    llhd.process {
      moore.wait_event {
        %e = builtin.unrealized_conversion_cast %a : i1 to !moore.l1
        moore.detect_event posedge %e : l1
        moore.detect_event any %a if %a : i1
        moore.detect_event negedge %s : struct<{a: i1}>
      }
      llhd.halt
    }
    """
    (process,) = ops(text, "%a: i1, %s: !moore.struct<{a: i1}>")
    wait = process.regions[0].blocks[0].ops[0]
    detect = wait.regions[0].blocks[0].ops[1:]
    assert [op.attrs["edge"] for op in detect] == ["posedge", "any", "negedge"]
    assert detect[0].operands[0].type is OpaqueType("!moore.l1")
    assert [len(op.group("condition")) for op in detect] == [0, 1, 0]


def test_annotations() -> None:
    text = """
      %s = dbg.scope "i", "M"
      %t = dbg.scope "j", "N" scope %s
      dbg.variable "v", %a scope %t : i8
      %0 = dbg.struct {"x": %a, "y": %a} : i8, i8
      %1 = dbg.array [%a, %a] : i8
      dbg.variable "w", %0 : !dbg.struct
    """
    found = ops(text, "%a: i8", 'emit.file "x.sv" {\n  emit.verbatim "y"\n}')
    assert found[3].attrs["names"] == ["x", "y"]
    assert found[0].result.type is OpaqueType("!dbg.scope")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sim.terminate maybe, quiet", "'success' or 'failure'"),
        ("%0 = sim.fmt.literal 5", "expected a string"),
        ("%0 = ltl.clock %a, sideways %a : i1", "unknown edge"),
        ("sim.proc.print %a", "is used as !sim.fstring"),
        ("sim.fork.terminator\n%0 = hw.constant true", "further operations follow"),
    ],
)
def test_errors(text: str, message: str) -> None:
    found = errors(module(text, "%a: i1"))
    assert any(message in m for m in found), found


def test_kinds_of_results_are_interned() -> None:
    a, b = ops("%0 = ltl.not %a : i1\n%1 = ltl.not %a : i1", "%a: i1")
    assert a.result.type is b.result.type
    assert a.operands[0].type is I1
