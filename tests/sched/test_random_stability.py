"""Random stability (IEEE 1800-2023 §18.14): who seeds whom, and who does not disturb whom, in both modes."""

from __future__ import annotations

import pytest
from class_runs import run

HEAD = """
llvm.func @__moore_process_srandom(i64, i32)
llvm.func @__moore_urandom() -> i32
llvm.func @__moore_delay(i64)
llvm.func @__moore_randomize_basic(!llvm.ptr, i64) -> i32
llvm.func @__moore_randomize_with_range(i64, i64) -> i64
llvm.func @malloc(i64) -> !llvm.ptr
func.func private @number() {
  %nl = sim.fmt.literal " "
  %v = llvm.call @__moore_urandom() : () -> i32
  %f = sim.fmt.hex %v, isUpper false specifierWidth 0 : i32
  %c = sim.fmt.concat (%f, %nl)
  sim.proc.print %c
  return
}
func.func private @new() -> !llvm.ptr {
  %size = llvm.mlir.constant(24 : i64) : i64
  %o = llvm.call @malloc(%size) : (i64) -> !llvm.ptr
  return %o : !llvm.ptr
}
func.func private @randomize(%o: !llvm.ptr) {
  %nl = sim.fmt.literal " "
  %size = llvm.mlir.constant(24 : i64) : i64
  %low = hw.constant 0 : i64
  %high = hw.constant 4294967295 : i64
  %r = llvm.call @__moore_randomize_basic(%o, %size) : (!llvm.ptr, i64) -> i32
  %v = llvm.call @__moore_randomize_with_range(%low, %high) : (i64, i64) -> i64
  %f = sim.fmt.hex %v, isUpper false specifierWidth 0 : i64
  %c = sim.fmt.concat (%f, %nl)
  sim.proc.print %c
  return
}
func.func private @seed(%s: i32) {
  %me = hw.constant 0 : i64
  llvm.call @__moore_process_srandom(%me, %s) : (i64, i32) -> ()
  return
}
"""
NUMBER = "func.call @number() : () -> ()\n"
SEED = "func.call @seed(%s) : (i32) -> ()\n"
DELAY = "llvm.call @__moore_delay(%t) : (i64) -> ()\n"


def numbers(*processes: str, more: str = "", seed: int = 0) -> list[str]:
    """What processes of one instance print, the same in both modes."""
    body = "\n".join(f"llhd.process {{\n{p}\nllhd.halt\n}}" for p in processes)
    text = f"{HEAD}{more}\nhw.module @top() {{\n%s = hw.constant 5 : i32\n%t = hw.constant 1000000 : i64\n{body}\nhw.output\n}}"
    out = [run(text, mode=mode, seed=seed).out for mode in ("interpret", "compile")]
    assert out[0] == out[1]
    return out[0].split()


def forked(*branches: str, join: str = "join", name: str = "f") -> str:
    return f'%{name} = sim.fork join_type "{join}" ' + ", ".join(f"{{\n{b}sim.fork.terminator\n}}" for b in branches) + "\n"


def test_static_processes_do_not_disturb_each_other() -> None:
    alone = numbers(NUMBER, DELAY + NUMBER)
    assert alone[0] != alone[1]
    assert [alone[0], alone[1]] == [v for i, v in enumerate(numbers(NUMBER * 3, DELAY + NUMBER)) if i in (0, 3)]


def test_the_seed_of_the_run_decides() -> None:
    assert numbers(NUMBER) == numbers(NUMBER) != numbers(NUMBER, seed=1)


def test_instances_of_one_module_draw_the_same() -> None:
    """Each has an initialisation generator of the default seed (§18.14.1)."""
    sub = f"hw.module @sub() {{\n%t = hw.constant 1000000 : i64\nllhd.process {{\n{NUMBER}llhd.halt\n}}\nllhd.process {{\n{DELAY}{NUMBER}llhd.halt\n}}\nhw.output\n}}"
    text = f'{HEAD}{sub}\nhw.module @top() {{\nhw.instance "a" @sub() -> ()\nhw.instance "b" @sub() -> ()\nhw.output\n}}'
    a, b, c, d = run(text).out.split()
    assert a == b != c == d


def test_a_forked_process_is_seeded_by_its_parent() -> None:
    """Whatever the branches draw, the next fork gets the same seeds; a seed set in the parent decides for all below it."""
    few = numbers(SEED + forked(NUMBER, DELAY + NUMBER) + SEED + forked(NUMBER, DELAY + NUMBER, name="g"))
    assert few[:2] == few[2:] and few[0] != few[1]
    many = numbers(SEED + forked(NUMBER * 5, DELAY + NUMBER) + NUMBER)
    assert [many[0], many[5]] == few[:2]
    assert many[6] == numbers(SEED + forked("", "") + NUMBER)[0] != numbers(SEED + NUMBER)[0]


def test_a_process_that_takes_the_place_of_an_ended_one_has_a_seed_of_its_own() -> None:
    one = "".join(forked(NUMBER, name=f"f{i}") for i in range(6))
    drawn = numbers(SEED + one + SEED + "".join(forked(NUMBER, name=f"g{i}") for i in range(6)))
    assert drawn[:6] == drawn[6:] and len(set(drawn)) == 6


def test_the_end_of_a_process_takes_nothing_from_its_parent() -> None:
    """Also when children of it live on."""
    orphan = forked(forked(DELAY, join="join_none", name="i"), name="f")
    assert numbers(SEED + orphan + NUMBER) == numbers(SEED + forked("", name="f") + NUMBER)


def test_nested_forks_follow_from_the_seed_above_them() -> None:
    inner = forked(NUMBER, DELAY + NUMBER, name="i")
    drawn = numbers(SEED + forked(inner, DELAY + DELAY + DELAY + inner) + SEED + forked(inner, DELAY + DELAY + DELAY + inner, name="g"))
    assert drawn[:4] == drawn[4:] and len(set(drawn)) == 4


def test_urandom_with_a_seed_initialises_the_generator_of_the_process() -> None:
    """§18.13.1: `$urandom(254)` begins a sequence that the following calls continue."""
    more = "llvm.func @__moore_urandom_seeded(i32) -> i32\n"
    seeded = "%u{0} = llvm.call @__moore_urandom_seeded(%s) : (i32) -> i32\n"
    drawn = numbers(seeded.format(1) + NUMBER * 2 + seeded.format(2) + NUMBER * 2, more=more)
    assert drawn[:2] == drawn[2:] == numbers(SEED + NUMBER * 3)[1:]


NEW = "%{0} = func.call @new() : () -> !llvm.ptr\n"
RANDOMIZE = "func.call @randomize(%{0}) : (!llvm.ptr) -> ()\n"


def test_objects_are_seeded_when_they_are_made() -> None:
    """The order of making counts, not the order of randomizing nor what is drawn in between (§18.14.2, object stability)."""
    make, a, b = NEW.format("a") + NEW.format("b"), RANDOMIZE.format("a"), RANDOMIZE.format("b")
    first, second = numbers(SEED + make + a + b)
    assert first != second
    assert numbers(SEED + make + b + a) == [second, first]
    assert [v for i, v in enumerate(numbers(SEED + make + a + NUMBER + b)) if i != 1] == [first, second]
    assert numbers(SEED + make + a + a + b)[2] == second


def test_randomizing_an_object_takes_nothing_from_the_process() -> None:
    make, a = NEW.format("a"), RANDOMIZE.format("a")
    assert numbers(SEED + make + a + a + NUMBER)[2:] == numbers(SEED + make + NUMBER)


def test_an_object_keeps_its_generator_in_other_processes() -> None:
    make, a = NEW.format("a"), RANDOMIZE.format("a")
    assert numbers(SEED + make + forked(a) + forked(a, name="g")) == numbers(SEED + make + a + a)


COPY = """
%size = llvm.mlir.constant(24 : i64) : i64
%b = llvm.call @malloc(%size) : (i64) -> !llvm.ptr
"llvm.intr.memcpy"(%b, %a, %size) <{isVolatile = false}> : (!llvm.ptr, !llvm.ptr, i64) -> ()
"""


def test_a_shallow_copy_takes_the_generator_along() -> None:
    """§8.12: copies of an object randomize alike, and go on each by itself."""
    drawn = numbers(SEED + NEW.format("a") + RANDOMIZE.format("a") + COPY + RANDOMIZE.format("a") * 2 + RANDOMIZE.format("b") * 2)
    assert drawn[1:3] == drawn[3:5] and len(set(drawn)) == 3


def test_a_shallow_copy_takes_the_modes_along() -> None:
    more = """
llvm.func @__moore_rand_mode_set(!llvm.ptr, !llvm.ptr, i32) -> i32
llvm.func @__moore_is_rand_enabled(!llvm.ptr, !llvm.ptr) -> i32
llvm.func @__moore_constraint_mode_set(!llvm.ptr, !llvm.ptr, i32) -> i32
llvm.func @__moore_is_constraint_enabled(!llvm.ptr, !llvm.ptr) -> i32
llvm.mlir.global internal constant @x("x\\00") {addr_space = 0 : i32}
func.func private @modes(%o: !llvm.ptr) {
  %nl = sim.fmt.literal " "
  %x = llvm.mlir.addressof @x : !llvm.ptr
  %r = llvm.call @__moore_is_rand_enabled(%o, %x) : (!llvm.ptr, !llvm.ptr) -> i32
  %c = llvm.call @__moore_is_constraint_enabled(%o, %x) : (!llvm.ptr, !llvm.ptr) -> i32
  %fr = sim.fmt.dec %r specifierWidth 0 : i32
  %fc = sim.fmt.dec %c specifierWidth 0 : i32
  %t = sim.fmt.concat (%fr, %fc, %nl)
  sim.proc.print %t
  return
}
"""
    off = """
%x = llvm.mlir.addressof @x : !llvm.ptr
%z = hw.constant 0 : i32
%one = hw.constant 1 : i32
%r = llvm.call @__moore_rand_mode_set(%a, %x, %z) : (!llvm.ptr, !llvm.ptr, i32) -> i32
%c = llvm.call @__moore_constraint_mode_set(%a, %x, %z) : (!llvm.ptr, !llvm.ptr, i32) -> i32
"""
    on = "%q = llvm.call @__moore_rand_mode_set(%a, %x, %one) : (!llvm.ptr, !llvm.ptr, i32) -> i32\n"
    show = "func.call @modes(%{0}) : (!llvm.ptr) -> ()\n"
    assert numbers(NEW.format("a") + off + COPY + show.format("b") + on + show.format("b") + show.format("a"), more=more) == ["00", "00", "10"]


@pytest.mark.parametrize("mode", ["interpret", "compile"])
def test_generators_survive_collections(mode: str) -> None:
    text = f"""{HEAD}
hw.module @top() {{
  %s = hw.constant 5 : i32
  llhd.process {{
    {SEED}{NEW.format("a")}{RANDOMIZE.format("a")}{NEW.format("b")}{RANDOMIZE.format("a")}{RANDOMIZE.format("b")}
    llhd.halt
  }}
  hw.output
}}"""
    assert run(text, mode=mode, gc_stress=True).out == run(text, mode=mode).out
