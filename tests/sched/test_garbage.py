"""Whole runs that make garbage: what is in use stays whole, in both tiers, and memory stays flat."""

from __future__ import annotations

import pytest
from class_runs import simulate

MODES = pytest.mark.parametrize("mode", ["interpret", "compile"])

HEAD = """
module {
  llvm.func @malloc(i64) -> !llvm.ptr
  llvm.func @__moore_string_concat(!llvm.ptr, !llvm.ptr) -> !llvm.struct<(ptr, i64)>
  llvm.func @__moore_int_to_string(i64) -> !llvm.struct<(ptr, i64)>
  llvm.func @__moore_string_len(!llvm.ptr) -> i32
  llvm.func @__moore_string_getc(!llvm.ptr, i32) -> i8
  llvm.func @__moore_queue_push_back(!llvm.ptr, !llvm.ptr, i64)
  llvm.func @__moore_queue_pop_front(!llvm.ptr, i64) -> i64
  llvm.func @__moore_assoc_create(i32, i32) -> !llvm.ptr
  llvm.func @__moore_assoc_get_ref(!llvm.ptr, !llvm.ptr, i32) -> !llvm.ptr
  llvm.func @__moore_delay(i64)
  llvm.func @__moore_process_self() -> i64
  llvm.func @__moore_mailbox_create(i32) -> i64
  llvm.func @__moore_mailbox_tryput(i64, i64) -> i1
  llvm.func @__moore_mailbox_tryget(i64, !llvm.ptr) -> i1
  func.func private @node(%value: i32, %next: !llvm.ptr, %bytes: i64) -> !llvm.ptr {
    %o = llvm.call @malloc(%bytes) : (i64) -> !llvm.ptr
    llvm.store %value, %o : i32, !llvm.ptr
    %at = llvm.getelementptr %o[0, 1] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<"node", (i32, ptr)>
    llvm.store %next, %at : !llvm.ptr, !llvm.ptr
    return %o : !llvm.ptr
  }
  func.func private @sum(%o: !llvm.ptr) -> i32 {
    %null = llvm.mlir.zero : !llvm.ptr
    %c0 = hw.constant 0 : i32
    cf.br ^head(%o, %c0 : !llvm.ptr, i32)
  ^head(%p: !llvm.ptr, %s: i32):
    %end = llvm.icmp "eq" %p, %null : !llvm.ptr
    cf.cond_br %end, ^done, ^more
  ^more:
    %v = llvm.load %p : !llvm.ptr -> i32
    %t = comb.add %s, %v : i32
    %at = llvm.getelementptr %p[0, 1] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<"node", (i32, ptr)>
    %q = llvm.load %at : !llvm.ptr -> !llvm.ptr
    cf.br ^head(%q, %t : !llvm.ptr, i32)
  ^done:
    return %s : i32
  }
  hw.module @top() {
    %c0 = hw.constant 0 : i32
    %c1 = hw.constant 1 : i32
    %c7 = hw.constant 7 : i32
    %n = hw.constant N : i32
    %bytes = llvm.mlir.constant(BYTES : i64) : i64
    %one = llvm.mlir.constant(1 : i64) : i64
    %e8 = llvm.mlir.constant(8 : i64) : i64
    %k4 = llvm.mlir.constant(4 : i32) : i32
    %z = llvm.mlir.constant(0 : i64) : i64
    %d = hw.constant 1000000 : i64
    %null = llvm.mlir.zero : !llvm.ptr
    %u = llvm.mlir.undef : !llvm.struct<(ptr, i64)>
    %q0 = llvm.insertvalue %null, %u[0] : !llvm.struct<(ptr, i64)>
    %empty = llvm.insertvalue %z, %q0[1] : !llvm.struct<(ptr, i64)>
    %t = llhd.constant_time <1ns, 0d, 0e>
    %nl = sim.fmt.literal "\\0A"
    %box = llvm.call @__moore_mailbox_create(%c0) : (i32) -> i64
    llhd.process {
      %kept = func.call @node(%c7, %null, %bytes) : (i32, !llvm.ptr, i64) -> !llvm.ptr
      cf.br ^loop(%c0, %c0 : i32, i32)
    ^loop(%i: i32, %total: i32):
      %go = comb.icmp slt %i, %n : i32
      cf.cond_br %go, ^body, ^end
    ^body:
"""
TAIL = """
      %total1 = comb.add %total, %x : i32
      %i1 = comb.add %i, %c1 : i32
      WAIT
    ^end:
      %left = llvm.load %kept : !llvm.ptr -> i32
      %f0 = sim.fmt.dec %total specifierWidth 0 : i32
      %f1 = sim.fmt.dec %left specifierWidth 0 : i32
      %f = sim.fmt.concat (%f0, %nl, %f1, %nl)
      sim.proc.print %f
      sim.terminate success, quiet
      llhd.halt
    }
    hw.output
  }
}
"""
ON = "cf.br ^loop(%i1, %total1 : i32, i32)"
WAIT = f"llhd.wait delay %t, ^again\n    ^again:\n      {ON}"

CHAIN = """
      %a = func.call @node(%i, %kept, %bytes) : (i32, !llvm.ptr, i64) -> !llvm.ptr
      %b = func.call @node(%c1, %a, %bytes) : (i32, !llvm.ptr, i64) -> !llvm.ptr
      %c = func.call @node(%c1, %b, %bytes) : (i32, !llvm.ptr, i64) -> !llvm.ptr
      %x = func.call @sum(%c) : (!llvm.ptr) -> i32
"""
STRING = """
      %w = comb.concat %c0, %i : i32, i32
      %s0 = llvm.call @__moore_int_to_string(%w) : (i64) -> !llvm.struct<(ptr, i64)>
      %sa = llvm.alloca %one x !llvm.struct<(ptr, i64)> : (i64) -> !llvm.ptr
      llvm.store %s0, %sa : !llvm.struct<(ptr, i64)>, !llvm.ptr
      %s1 = llvm.call @__moore_string_concat(%sa, %sa) : (!llvm.ptr, !llvm.ptr) -> !llvm.struct<(ptr, i64)>
      %s2 = llvm.call @__moore_int_to_string(%w) : (i64) -> !llvm.struct<(ptr, i64)>
      %sb = llvm.alloca %one x !llvm.struct<(ptr, i64)> : (i64) -> !llvm.ptr
      llvm.store %s1, %sb : !llvm.struct<(ptr, i64)>, !llvm.ptr
      %len = llvm.call @__moore_string_len(%sb) : (!llvm.ptr) -> i32
      %ch = llvm.call @__moore_string_getc(%sb, %c1) : (!llvm.ptr, i32) -> i8
      %c24 = hw.constant 0 : i24
      %chw = comb.concat %c24, %ch : i24, i8
      %x = comb.add %len, %chw : i32
"""
QUEUE = """
      %qa = llvm.alloca %one x !llvm.struct<(ptr, i64)> : (i64) -> !llvm.ptr
      llvm.store %empty, %qa : !llvm.struct<(ptr, i64)>, !llvm.ptr
      %o = func.call @node(%i, %null, %bytes) : (i32, !llvm.ptr, i64) -> !llvm.ptr
      %oa = llvm.alloca %one x !llvm.ptr : (i64) -> !llvm.ptr
      llvm.store %o, %oa : !llvm.ptr, !llvm.ptr
      llvm.call @__moore_queue_push_back(%qa, %oa, %e8) : (!llvm.ptr, !llvm.ptr, i64) -> ()
      llvm.store %null, %oa : !llvm.ptr, !llvm.ptr
      %o2 = func.call @node(%c1, %null, %bytes) : (i32, !llvm.ptr, i64) -> !llvm.ptr
      llvm.store %o2, %oa : !llvm.ptr, !llvm.ptr
      llvm.call @__moore_queue_push_back(%qa, %oa, %e8) : (!llvm.ptr, !llvm.ptr, i64) -> ()
      %p = llvm.call @__moore_queue_pop_front(%qa, %e8) : (!llvm.ptr, i64) -> i64
      %pp = llvm.inttoptr %p : i64 to !llvm.ptr
      %o3 = func.call @node(%c1, %null, %bytes) : (i32, !llvm.ptr, i64) -> !llvm.ptr
      %x = llvm.load %pp : !llvm.ptr -> i32
"""
ASSOC = """
      %a = llvm.call @__moore_assoc_create(%k4, %k4) : (i32, i32) -> !llvm.ptr
      %ka = llvm.alloca %one x i32 : (i64) -> !llvm.ptr
      llvm.store %i, %ka : i32, !llvm.ptr
      %r = llvm.call @__moore_assoc_get_ref(%a, %ka, %k4) : (!llvm.ptr, !llvm.ptr, i32) -> !llvm.ptr
      %kb = llvm.alloca %one x i32 : (i64) -> !llvm.ptr
      llvm.store %c7, %kb : i32, !llvm.ptr
      %r7 = llvm.call @__moore_assoc_get_ref(%a, %kb, %k4) : (!llvm.ptr, !llvm.ptr, i32) -> !llvm.ptr
      llvm.store %i, %r : i32, !llvm.ptr
      %r2 = llvm.call @__moore_assoc_get_ref(%a, %ka, %k4) : (!llvm.ptr, !llvm.ptr, i32) -> !llvm.ptr
      %x = llvm.load %r2 : !llvm.ptr -> i32
"""
FORK = """
      %o = func.call @node(%i, %kept, %bytes) : (i32, !llvm.ptr, i64) -> !llvm.ptr
      %sum = llvm.alloca %one x i32 : (i64) -> !llvm.ptr
      llvm.store %c0, %sum : i32, !llvm.ptr
      %h = sim.fork join_type "join" {
        %me = llvm.call @__moore_process_self() : () -> i64
        llvm.call @__moore_delay(%d) : (i64) -> ()
        %v = func.call @sum(%o) : (!llvm.ptr) -> i32
        llvm.store %v, %sum : i32, !llvm.ptr
        sim.fork.terminator
      }, {
        %g = func.call @node(%i, %null, %bytes) : (i32, !llvm.ptr, i64) -> !llvm.ptr
        llvm.call @__moore_delay(%d) : (i64) -> ()
        sim.fork.terminator
      }
      %x = llvm.load %sum : !llvm.ptr -> i32
"""
MESSAGE = """
      %o = func.call @node(%i, %null, %bytes) : (i32, !llvm.ptr, i64) -> !llvm.ptr
      %oi = llvm.ptrtoint %o : !llvm.ptr to i64
      %put = llvm.call @__moore_mailbox_tryput(%box, %oi) : (i64, i64) -> i1
      %other = func.call @node(%c1, %null, %bytes) : (i32, !llvm.ptr, i64) -> !llvm.ptr
      %cell = llvm.alloca %one x i64 : (i64) -> !llvm.ptr
      %got = llvm.call @__moore_mailbox_tryget(%box, %cell) : (i64, !llvm.ptr) -> i1
      %mi = llvm.load %cell : !llvm.ptr -> i64
      %m = llvm.inttoptr %mi : i64 to !llvm.ptr
      %x = llvm.load %m : !llvm.ptr -> i32
"""
BODIES = {"chain": CHAIN, "string": STRING, "queue": QUEUE, "assoc": ASSOC, "fork": FORK, "message": MESSAGE}


def design(body: str, n: int, size: int, wait: bool = False) -> str:
    return (HEAD + body + TAIL).replace("N : i32", f"{n} : i32", 1).replace("BYTES", str(size)).replace("WAIT", WAIT if wait else ON)


def expected(kind: str, n: int) -> str:
    total = sum({"chain": i + 2 + 7, "string": 2 * len(str(i)) + (f"{i}{i}".encode()[1]), "fork": i + 7}.get(kind, i) for i in range(n))
    return f"{total & 0xFFFFFFFF if total < 1 << 31 else total}\n7\n".replace(" ", "")


@MODES
@pytest.mark.parametrize("kind", list(BODIES))
@pytest.mark.parametrize("wait", [False, True])
def test_nothing_in_use_is_lost_when_every_poll_collects(mode: str, kind: str, wait: bool) -> None:
    printed: list[bytes] = []
    sim = simulate(design(BODIES[kind], 60, 40, wait), printed, mode=mode, gc_stress=True)
    assert b"".join(printed).replace(b" ", b"").decode() == expected(kind, 60)
    figures = sim.view.objects()
    assert figures["collections"] >= 60 and figures["object_bytes_reclaimed"] > 1000


@MODES
@pytest.mark.parametrize(("kind", "size"), [("chain", 2000), ("queue", 2000), ("fork", 3000), ("chain", 9000)])
@pytest.mark.parametrize("wait", [False, True])
def test_memory_stays_flat_however_much_is_allocated(mode: str, kind: str, size: int, wait: bool) -> None:
    """Some 40 MB of objects with at most three alive pass through less than 11 MB."""
    n = 40_000_000 // size // (2 if kind == "fork" else 3)
    printed: list[bytes] = []
    sim = simulate(design(BODIES[kind], n, size, wait), printed, mode=mode, max_deltas=10 * n)
    assert b"".join(printed).replace(b" ", b"").decode() == expected(kind, n)
    figures = sim.view.objects()
    assert figures["collections"] >= 3
    assert figures["object_bytes_peak"] < 11 << 20
    assert figures["object_bytes_reclaimed"] > 24 << 20


def test_designs_without_objects_have_no_polls() -> None:
    text = 'module { hw.module @top() { %c0 = hw.constant 0 : i32\n %f = sim.fmt.dec %c0 specifierWidth 0 : i32\n llhd.process { sim.proc.print %f\n llhd.halt } } }'
    sim = simulate(text, mode="compile")
    assert not sim.program.collects
    assert all(op.code != "gcpoll" for body in sim.program.bodies.values() for b in body.blocks for op in b.ops)
    assert sim.view.objects() == dict.fromkeys(sim.view.objects(), 0)


# ---- allocation without a wait, in calls --------------------------------------------------------------------------------------------

CALLS = """
llvm.func @malloc(i64) -> !llvm.ptr
func.func private @node(%v: i32, %next: !llvm.ptr) -> !llvm.ptr {
  %s = llvm.mlir.constant(40 : i64) : i64
  %o = llvm.call @malloc(%s) : (i64) -> !llvm.ptr
  %f = llvm.getelementptr %o[0, 2] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<"C", (i32, ptr, i32, ptr, i64)>
  %g = llvm.getelementptr %o[0, 3] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<"C", (i32, ptr, i32, ptr, i64)>
  llvm.store %v, %f : i32, !llvm.ptr
  llvm.store %next, %g : !llvm.ptr, !llvm.ptr
  return %o : !llvm.ptr
}
func.func private @mid(%v: i32) -> i32 {
  %n = llvm.mlir.zero : !llvm.ptr
  %a = func.call @node(%v, %n) : (i32, !llvm.ptr) -> !llvm.ptr
  %b = func.call @node(%v, %a) : (i32, !llvm.ptr) -> !llvm.ptr
  %g = llvm.getelementptr %b[0, 3] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<"C", (i32, ptr, i32, ptr, i64)>
  %p = llvm.load %g : !llvm.ptr -> !llvm.ptr
  %f = llvm.getelementptr %p[0, 2] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<"C", (i32, ptr, i32, ptr, i64)>
  %x = llvm.load %f : !llvm.ptr -> i32
  return %x : i32
}
func.func private @rec(%d: i32, %prev: !llvm.ptr) -> i32 {
  %c0 = hw.constant 0 : i32
  %c1 = hw.constant 1 : i32
  %z = comb.icmp eq %d, %c0 : i32
  cf.cond_br %z, ^e, ^r
^r:
  %o = func.call @node(%d, %prev) : (i32, !llvm.ptr) -> !llvm.ptr
  %m = comb.sub %d, %c1 : i32
  %x = func.call @rec(%m, %o) : (i32, !llvm.ptr) -> i32
  %f = llvm.getelementptr %o[0, 2] : (!llvm.ptr) -> !llvm.ptr, !llvm.struct<"C", (i32, ptr, i32, ptr, i64)>
  %v = llvm.load %f : !llvm.ptr -> i32
  %y = comb.add %x, %v : i32
  return %y : i32
^e:
  return %c0 : i32
}
hw.module @top() {
  %c0 = hw.constant 0 : i32
  %c1 = hw.constant 1 : i32
  %n = hw.constant NNN : i32
  %d = hw.constant 1000 : i32
  %null = llvm.mlir.zero : !llvm.ptr
  %nl = sim.fmt.literal "\\0A"
  llhd.process {
    cf.br ^h(%c0, %c0 : i32, i32)
  ^h(%i: i32, %s: i32):
    BODY
    %t = comb.add %s, %x : i32
    %j = comb.add %i, %c1 : i32
    %m = comb.icmp ult %j, %n : i32
    cf.cond_br %m, ^h(%j, %t : i32, i32), ^e(%t : i32)
  ^e(%r: i32):
    %fr = sim.fmt.dec %r specifierWidth 0 : i32
    %al = sim.fmt.concat (%fr, %nl)
    sim.proc.print %al
    llhd.halt
  }
  hw.output
}
"""
NESTED = "%x = func.call @mid(%i) : (i32) -> i32"
RECURSIVE = "%x = func.call @rec(%d, %null) : (i32, !llvm.ptr) -> i32"


@MODES
@pytest.mark.parametrize(("call", "turns", "total"), [(NESTED, 200_000, 199_999 * 100_000), (RECURSIVE, 400, 400 * 500_500)])
def test_memory_stays_flat_in_a_process_that_never_waits(mode: str, call: str, turns: int, total: int) -> None:
    """400 000 objects of 48 bytes, up to 1000 of them alive, made in nested and in recursive calls."""
    if mode == "interpret":
        turns, total = turns // 4, (turns // 4 - 1) * (turns // 8) if call is NESTED else total // 4
    printed: list[bytes] = []
    sim = simulate(CALLS.replace("NNN", str(turns)).replace("BODY", call), printed, mode=mode)
    assert b"".join(printed).split() == [b"%d" % (total & 0xFFFFFFFF)]
    assert sim.view.objects()["object_bytes_peak"] < 9 << 20
