"""Queues and associative arrays as values of the sim dialect against Python's lists and dictionaries, in both modes."""

from __future__ import annotations

import random

import pytest
from class_runs import run

MODES = pytest.mark.parametrize("mode", ["interpret", "compile"])


class Program:
    """A process that computes with queues and arrays and prints what the model expects; every value made stays usable."""

    def __init__(self, rng: random.Random, elem: str, bound: int) -> None:
        self.rng, self.elem, self.bound = rng, elem, bound
        self.queue_type = f"!sim.queue<{elem}, {bound}>"
        self.width = int(elem[1:])
        self.lines: list[str] = []
        self.want: list[str] = []
        self.n = 0

    def name(self) -> str:
        self.n += 1
        return f"%v{self.n}"

    def emit(self, text: str) -> str:
        v = self.name()
        self.lines.append(f"{v} = {text}")
        return v

    def constant(self, value: int, type_: str) -> str:
        w = int(type_[1:])
        value &= (1 << w) - 1
        return self.emit(f"hw.constant {value - (1 << w) if value >> (w - 1) else value} : {type_}")

    def show(self, v: str, type_: str, want: int) -> None:
        f = self.emit(f"sim.fmt.dec {v} specifierWidth 0 : {type_}")
        text = self.emit(f"sim.fmt.concat ({f}, %nl)")
        self.lines.append(f"sim.proc.print {text}")
        self.want.append(str(int(want)))

    def text(self) -> str:
        body = "\n    ".join(self.lines)
        return f'hw.module @top() {{\n  %nl = sim.fmt.literal " "\n  llhd.process {{\n    {body}\n    llhd.halt\n  }}\n  hw.output\n}}\n'


def limited(p: Program, values: list[int]) -> list[int]:
    return values[: p.bound] if p.bound else values


def queue_program(seed: int, elem: str, bound: int) -> Program:
    rng = random.Random(seed)
    p = Program(rng, elem, bound)
    t = p.queue_type
    queues: list[tuple[str, list[int]]] = [(p.emit(f"sim.queue.empty : {t}"), [])]
    for _ in range(60):
        q, m = rng.choice(queues[-6:])
        what = rng.choice(["push_back", "push_front", "pop_back", "pop_front", "delete", "insert", "set", "get", "slice", "concat", "array", "cmp", "size"])
        value, index = rng.randrange(1 << p.width), rng.choice([-(1 << 31), -1, 0, 1, len(m) - 1, len(m), len(m) + 1])
        new: list[int] | None = None
        v = ""
        if what in ("push_back", "push_front"):
            v = p.emit(f"sim.queue.{what} {p.constant(value, elem)} into {q} : {t}")
            new = limited(p, [*m, value] if what == "push_back" else [value, *m])
        elif what in ("pop_back", "pop_front"):
            v, popped = p.name(), p.name()
            p.lines.append(f"{v}, {popped} = sim.queue.{what} from {q} : {t}")
            p.show(popped, elem, 0 if not m else m[-1] if what == "pop_back" else m[0])
            new = m[:-1] if what == "pop_back" else m[1:]
        elif what == "delete":
            v = p.emit(f"sim.queue.delete index {p.constant(index, 'i32')} of {q} : {t}")
            new = m[:index] + m[index + 1 :] if 0 <= index < len(m) else m
        elif what == "insert":
            v = p.emit(f"sim.queue.insert {p.constant(value, elem)} into {q} at {p.constant(index, 'i32')} : {t}")
            new = limited(p, [*m[:index], value, *m[index:]]) if 0 <= index <= len(m) else m
        elif what == "set":
            v = p.emit(f"sim.queue.set {q}[{p.constant(index, 'i32')}] = {p.constant(value, elem)} : {t}")
            new = limited(p, [*m[:index], value, *m[index + 1 :]]) if 0 <= index <= len(m) else m
        elif what == "get":
            p.show(p.emit(f"sim.queue.get {p.constant(index, 'i32')} of {q} : {t}"), elem, m[index] if 0 <= index < len(m) else 0)
        elif what == "slice":
            low, high = rng.randrange(-2, 4), rng.randrange(-2, 6)
            v = p.emit(f"sim.queue.slice {q} from {p.constant(low, 'i32')} to {p.constant(high, 'i32')} : {t}")
            new = limited(p, [m[i] if 0 <= i < len(m) else 0 for i in range(low, high + 1)])
        elif what == "concat":
            others = [rng.choice(queues) for _ in range(rng.randrange(3))]
            v = p.emit(f"sim.queue.concat ({', '.join(o for o, _ in others)}) : ({', '.join([t] * len(others))}) {t}")
            new = limited(p, [x for _, o in others for x in o])
        elif what == "array":
            values = [rng.randrange(1 << p.width) for _ in range(3)]
            a = p.emit(f"hw.array_create {', '.join(p.constant(x, elem) for x in reversed(values))} : {elem}")  # written with the last element first
            v = p.emit(f"sim.queue.from_array {a} : !hw.array<3x{elem}> -> {t}")
            new = limited(p, values)
        elif what == "cmp":
            other, o = rng.choice(queues)
            p.show(p.emit(f"sim.queue.cmp eq {q}, {other} : {t}"), "i1", m == o)
            p.show(p.emit(f"sim.queue.cmp ne {q}, {other} : {t}"), "i1", m != o)
        else:
            p.show(p.emit(f"sim.queue.size {q} : {t}"), "i64", len(m))
        if new is not None:
            queues.append((v, new))
    for q, m in queues[-8:]:
        for i in range(len(m)):
            p.show(p.emit(f"sim.queue.get {p.constant(i, 'i32')} of {q} : {t}"), elem, m[i])
    return p


@MODES
@pytest.mark.parametrize(("seed", "elem", "bound"), [(1, "i8", 0), (2, "i32", 4), (3, "i70", 0), (4, "i64", 3), (5, "i1", 0), (6, "i13", 0)])
def test_queues_behave_like_lists_that_are_never_changed(mode: str, seed: int, elem: str, bound: int) -> None:
    p = queue_program(seed, elem, bound)
    assert run(p.text(), mode=mode).out.split() == p.want


def signed(x: int, width: int) -> int:
    return x - (1 << width) if x >> (width - 1) else x


def array_program(seed: int, key: str, elem: str) -> Program:
    rng = random.Random(seed)
    p = Program(rng, elem, 0)
    kw = int(key[1:])
    t = f"!sim.assoc_array<{elem}, {key}>"
    keys = [rng.randrange(1 << kw) for _ in range(5)]
    arrays: list[tuple[str, dict[int, int]]] = [(p.emit(f"sim.assoc_array.empty : {t}"), {})]
    for _ in range(60):
        a, m = rng.choice(arrays[-6:])
        k, value = rng.choice(keys), rng.randrange(1 << p.width)
        c = p.constant(k, key)
        what = rng.choice(["set", "set", "set", "delete", "get", "exists", "size", "first", "last", "next", "prev", "cmp"])
        if what == "set":
            arrays.append((p.emit(f"sim.assoc_array.set {a}[{c}] = {p.constant(value, elem)} : {t}"), {**m, k: value}))
        elif what == "delete":
            arrays.append((p.emit(f"sim.assoc_array.delete index {c} of {a} : {t}"), {x: y for x, y in m.items() if x != k}))
        elif what == "get":
            p.show(p.emit(f"sim.assoc_array.get {a}[{c}] : {t}"), elem, m.get(k, 0))
            p.show(p.emit(f"sim.assoc_array.size {a} : {t}"), "i32", len(m))
        elif what == "exists":
            p.show(p.emit(f"sim.assoc_array.exists {c} in {a} : {t}"), "i32", k in m)
        elif what == "size":
            p.show(p.emit(f"sim.assoc_array.size {a} : {t}"), "i32", len(m))
        elif what == "cmp":
            other, o = rng.choice(arrays)
            p.show(p.emit(f"sim.assoc_array.cmp eq {a}, {other} : {t}"), "i1", m == o)
        else:
            found, index = p.name(), p.name()
            at = f"[{c}]" if what in ("next", "prev") else ""
            p.lines.append(f"{found}, {index} = sim.assoc_array.{what} {a}{at} : {t}")
            order = sorted(m, key=lambda x: signed(x, kw))
            if what == "next":
                order = [x for x in order if signed(x, kw) > signed(k, kw)]
            elif what == "prev":
                order = [x for x in order if signed(x, kw) < signed(k, kw)]
            p.show(found, "i32", bool(order))
            if order:
                p.show(index, key, order[0] if what in ("first", "next") else order[-1])
            elif what in ("next", "prev"):
                p.show(index, key, k)
    return p


@MODES
@pytest.mark.parametrize(("seed", "key", "elem"), [(1, "i32", "i32"), (2, "i8", "i64"), (3, "i128", "i8"), (4, "i64", "i90")])
def test_associative_arrays_behave_like_dictionaries_that_are_never_changed(mode: str, seed: int, key: str, elem: str) -> None:
    p = array_program(seed, key, elem)
    assert run(p.text(), mode=mode).out.split() == p.want


OTHERS = """
hw.module @top() {
  %nl = sim.fmt.literal " "
  %eps = llhd.constant_time <0ns, 0d, 1e>
  %ns = llhd.constant_time <1ns, 0d, 0e>
  %none = sim.queue.empty : !sim.queue<!hw.struct<value: i4, unknown: i4>, 0>
  %q = llhd.sig %none : !sim.queue<!hw.struct<value: i4, unknown: i4>, 0>
  llhd.process {
    %x = hw.aggregate_constant [5 : i4, 0 : i4] : !hw.struct<value: i4, unknown: i4>
    %p = llhd.prb %q : !sim.queue<!hw.struct<value: i4, unknown: i4>, 0>
    %p1 = sim.queue.push_back %x into %p : !sim.queue<!hw.struct<value: i4, unknown: i4>, 0>
    llhd.drv %q, %p1 after %eps : !sim.queue<!hw.struct<value: i4, unknown: i4>, 0>
    llhd.wait delay %ns, ^bb1
  ^bb1:
    %c0 = hw.constant 0 : i32
    %c9 = hw.constant 9 : i32
    %r = llhd.prb %q : !sim.queue<!hw.struct<value: i4, unknown: i4>, 0>
    %in = sim.queue.get %c0 of %r : !sim.queue<!hw.struct<value: i4, unknown: i4>, 0>
    %out = sim.queue.get %c9 of %r : !sim.queue<!hw.struct<value: i4, unknown: i4>, 0>
    %ib = hw.bitcast %in : (!hw.struct<value: i4, unknown: i4>) -> i8
    %ob = hw.bitcast %out : (!hw.struct<value: i4, unknown: i4>) -> i8
    %f1 = sim.fmt.bin %ib fourStateWidth 4 : i8
    %f2 = sim.fmt.bin %ob fourStateWidth 4 : i8
    %s1 = sim.string.literal "one"
    %s2 = sim.string.concat (%s1)
    %e = sim.queue.empty : !sim.queue<!sim.dstring, 0>
    %a = sim.queue.push_back %s1 into %e : !sim.queue<!sim.dstring, 0>
    %b = sim.queue.push_front %s2 into %e : !sim.queue<!sim.dstring, 0>
    %same = sim.queue.cmp eq %a, %b : !sim.queue<!sim.dstring, 0>
    %m0 = sim.assoc_array.empty : !sim.assoc_array<!sim.dstring, !sim.dstring>
    %m1 = sim.assoc_array.set %m0[%s1] = %s2 : !sim.assoc_array<!sim.dstring, !sim.dstring>
    %g = sim.assoc_array.get %m1[%s2] : !sim.assoc_array<!sim.dstring, !sim.dstring>
    %h = sim.assoc_array.get %m0[%s2] : !sim.assoc_array<!sim.dstring, !sim.dstring>
    %found, %first = sim.assoc_array.first %m1 : !sim.assoc_array<!sim.dstring, !sim.dstring>
    %f3 = sim.fmt.dec %same specifierWidth 0 : i1
    %f4 = sim.fmt.string %g : !sim.dstring
    %f5 = sim.fmt.string %h : !sim.dstring
    %f6 = sim.fmt.string %first : !sim.dstring
    %t = sim.fmt.concat (%f1, %nl, %f2, %nl, %f3, %nl, %f4, %nl, %f5, %nl, %f6)
    sim.proc.print %t
    llhd.halt
  }
  hw.output
}
"""


@MODES
def test_elements_may_be_four_state_or_strings_and_signals_hold_containers(mode: str) -> None:
    assert run(OTHERS, mode=mode, gc_stress=True).out == "0101 xxxx 1 one  one"
