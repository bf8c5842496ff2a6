"""Lowering of comb and hw operations against an oracle that evaluates the IR itself (tests/support/mlir_eval.py)."""

from __future__ import annotations

import os
import random
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import mirgen
from tests.support.cone_mir import cone, cone_function, leaves, pure, random_plain
from tests.support.fake_env import FakeEnv
from tests.support.mlir_eval import OPS, Oracle, Plain
from wasmjit.interp import compile_body
from wasmjit.ir import Op, Value, parse_file, parse_text
from wasmjit.ir import types as T

SHARED = Path(os.environ.get("WASMJIT_SHARED", Path(__file__).parents[4] / "shared"))
CORPUS = [*sorted((SHARED / "designs").rglob("*.mlir")), *sorted((SHARED / "bench").glob("*.mlir"))]
ENV = FakeEnv()
OPEN_ENDED = {"seq.to_clock", "seq.from_clock", "seq.clock_inv"}


def check(rng: random.Random, ops: list[Op], inputs: list[Value], roots: list[Value]) -> None:
    """MIR of the cone, run by tier 0, by the reference rules and folded from constants, gives the oracle's values."""
    tys = [t for r in roots for t in cone_function(ops, inputs, [r], {}).results]
    for share in (0.0, 0.3, 1.0):
        values = {v: random_plain(rng, v.type) for v in inputs}
        known = {v: x for v, x in values.items() if rng.random() < share}
        body = cone_function(ops, inputs, roots, known)
        args = [leaf for v in inputs if v not in known for leaf in leaves(v.type, values[v])]
        oracle = Oracle(values.__getitem__)
        oracle.known.update(values)
        want = [leaf for r in roots for leaf in leaves(r.type, oracle.value(r))]
        for got in (list(compile_body(body, ENV)(*args)), mirgen.interpret(body, args)):
            for t, g, w in zip(tys, got, want, strict=True):
                assert mirgen.same(t, g, w), (ops[-1].loc, values)


@cache
def roots_of(path: Path) -> list[Value]:
    return [op.results[0] for op in parse_file(path).root.walk() if pure(op) and op.operands]


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("path", CORPUS, ids=lambda p: p.stem)
def test_random_cones_of_the_designs_mean_what_the_oracle_says(path: Path) -> None:
    rng = random.Random(path.stem)
    found = roots_of(path)
    roots_of.cache_clear()
    assert found
    for _ in range(8):
        root = rng.choice(found)
        ops, inputs = cone(rng, root, rng.choice((1, 10, 60, 200)))
        check(rng, ops, inputs, [root])


# -- random logic over all operations, widths and aggregates


class Text:
    """Random pure operations as text: `types` of the values so far by name."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.types: dict[str, str] = {}
        self.lines: list[str] = []
        self.inputs: list[str] = []

    def fresh(self, t: str, text: str = "") -> str:
        name = f"%v{len(self.types)}"
        self.types[name] = t
        if text:
            self.lines.append(f"{name} = {text}")
        else:
            self.inputs.append(name)
        return name

    def of(self, t: str) -> str:
        """A value of this type, by preference one that exists."""
        have = [n for n, x in self.types.items() if x == t]
        if have and self.rng.random() < 0.85:
            return self.rng.choice(have)
        if t[0] == "i" and self.rng.random() < 0.3:
            return self.fresh(t, f"hw.constant {self.rng.getrandbits(int(t[1:])) - (1 << int(t[1:]) - 1)} : {t}")
        return self.fresh(t)

    def width(self) -> int:
        return self.rng.choice((1, 2, 7, 8, 9, 16, 31, 32, 33, 63, 64, 65, 100, 128, 130, 200, 300))

    def integer(self) -> str:
        have = [n for n, x in self.types.items() if x[0] == "i"]
        return self.rng.choice(have) if have and self.rng.random() < 0.7 else self.of(f"i{self.width()}")

    def bits(self, name: str) -> int:
        return int(self.types[name][1:])

    def step(self) -> None:
        rng = self.rng
        kinds = [n for n in dir(self) if n.startswith("make_")]
        getattr(self, rng.choice(kinds))()

    def make_binary(self) -> None:
        a = self.integer()
        t = self.types[a]
        op = self.rng.choice(("sub", "divu", "divs", "modu", "mods", "shl", "shru", "shrs"))
        self.fresh(t, f"comb.{op} {a}, {self.of(t)} : {t}")

    def make_variadic(self) -> None:
        a = self.integer()
        t = self.types[a]
        more = "".join(f", {self.of(t)}" for _ in range(self.rng.randrange(3)))
        self.fresh(t, f"comb.{self.rng.choice(('and', 'or', 'xor', 'add', 'mul'))} {a}{more} : {t}")

    def make_compare(self) -> None:
        a = self.integer()
        p = self.rng.choice(("eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge", "ceq", "cne", "weq", "wne"))
        self.fresh("i1", f"comb.icmp {p} {a}, {self.of(self.types[a])} : {self.types[a]}")

    def make_extract(self) -> None:
        a = self.integer()
        n = self.rng.randint(1, self.bits(a))
        self.fresh(f"i{n}", f"comb.extract {a} from {self.rng.randint(0, self.bits(a) - n)} : (i{self.bits(a)}) -> i{n}")

    def make_concat(self) -> None:
        parts = [self.integer() for _ in range(self.rng.randint(1, 4))]
        self.fresh(f"i{sum(map(self.bits, parts))}", f"comb.concat {', '.join(parts)} : {', '.join(self.types[p] for p in parts)}")

    def make_replicate(self) -> None:
        a = self.integer()
        n = self.rng.randint(1, 4) * self.bits(a)
        self.fresh(f"i{n}", f"comb.replicate {a} : ({self.types[a]}) -> i{n}")

    def make_unary(self) -> None:
        a = self.integer()
        if self.rng.random() < 0.5:
            self.fresh("i1", f"comb.parity {a} : {self.types[a]}")
        else:
            self.fresh(self.types[a], f"comb.reverse {a} : {self.types[a]}")

    def make_mux(self) -> None:
        a = self.rng.choice(list(self.types) or [self.integer()])
        t = self.types[a]
        self.fresh(t, f"comb.mux {self.of('i1')}, {a}, {self.of(t)} : {t}")

    def struct(self) -> tuple[str, list[str]]:
        fields = [self.rng.choice(("i1", "i8", "i13", "i64", "i70", "!hw.array<3xi9>")) for _ in range(self.rng.randint(1, 3))]
        inner = ", ".join(f"f{i}: {f.removeprefix('!hw.')}" for i, f in enumerate(fields))
        return f"!hw.struct<{inner}>", fields

    def make_struct(self) -> None:
        t, fields = self.struct()
        s = self.fresh(t, f"hw.struct_create ({', '.join(self.of(f) for f in fields)}) : {t}")
        i = self.rng.randrange(len(fields))
        self.fresh(fields[i], f'hw.struct_extract {s}["f{i}"] : {t}')
        self.fresh(t, f'hw.struct_inject {s}["f{i}"], {self.of(fields[i])} : {t}')

    def make_bitcast(self) -> None:
        t, fields = self.struct()
        n = sum(27 if f[0] == "!" else int(f[1:]) for f in fields)
        s = self.fresh(t, f"hw.bitcast {self.of(f'i{n}')} : (i{n}) -> {t}")
        self.fresh(f"i{n}", f"hw.bitcast {s} : ({t}) -> i{n}")

    def make_array(self) -> None:
        element, spelt = self.rng.choice((("i5", "i5"), ("i64", "i64"), ("i90", "i90"), ("!hw.struct<a: i3, b: i12>", "struct<a: i3, b: i12>")))
        n = self.rng.randint(2, 6)
        t, index = f"!hw.array<{n}x{spelt}>", f"i{(n - 1).bit_length()}"
        a = self.fresh(t, f"hw.array_create {', '.join(self.of(element) for _ in range(n))} : {element}")
        self.fresh(element, f"hw.array_get {a}[{self.of(index)}] : {t}, {index}")
        b = self.fresh(t, f"hw.array_inject {a}[{self.of(index)}], {self.of(element)} : {t}, {index}")
        both = f"!hw.array<{2 * n}x{spelt}>"
        self.fresh(both, f"hw.array_concat {b}, {a} : {t}, {t}")
        m = self.rng.randint(1, n)
        low = self.fresh(index, f"hw.constant {self.rng.randint(0, n - m)} : {index}")
        self.fresh(f"!hw.array<{m}x{spelt}>", f"hw.array_slice {b}[{low}] : ({t}) -> !hw.array<{m}x{spelt}>")


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_random_logic_means_what_the_oracle_says(seed: int) -> None:
    rng = random.Random(seed)
    text = Text(rng)
    for _ in range(rng.randint(1, 25)):
        text.step()
    ports = ", ".join(f"in {n} : {text.types[n]}" for n in text.inputs)
    body = "\n  ".join(text.lines)
    design = parse_text(f"hw.module @m({ports}) {{\n  {body}\n  hw.output\n}}\n", "random.mlir")
    block = design.symbols["m"].regions[0].blocks[0]
    ops = block.ops[:-1]
    check(rng, ops, list(block.args), [op.results[0] for op in ops])


def test_the_random_logic_knows_every_operation_of_the_oracle() -> None:
    made: set[str] = set()
    for seed in range(60):
        text = Text(random.Random(seed))
        for _ in range(20):
            text.step()
        made |= {line.split(" = ")[1].split()[0] for line in text.lines}
    elsewhere = OPEN_ENDED | {"hw.aggregate_constant", "hw.wire", "hw.struct_explode"}
    assert set(OPS) - elsewhere == made


def test_aggregate_constants_list_the_first_field_and_the_highest_index_first() -> None:
    design = parse_text(
        "hw.module @m() {\n  %a = hw.aggregate_constant [[1 : i8, [2 : i4, 3 : i4]], [4 : i8, [5 : i4, -1 : i4]]] : "
        "!hw.array<2xstruct<a: i8, b: array<2xi4>>>\n  hw.output\n}\n",
        "constant.mlir",
    )
    (op, _) = design.symbols["m"].regions[0].blocks[0].ops

    def none(v: Value) -> Plain:
        raise AssertionError(v)

    assert Oracle(none).value(op.results[0]) == ((4, (15, 5)), (1, (3, 2)))
    assert isinstance(op.results[0].type, T.ArrayType)
    check(random.Random(0), [op], [], [op.results[0]])
