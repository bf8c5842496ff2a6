"""Overflow bits, high halves, saturation, rounding divisions and funnel shifts against Python's integers, in both modes."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "sched"))
from class_runs import run  # noqa: E402

WIDTHS = (1, 2, 7, 8, 16, 31, 32, 33, 64, 65, 100)


def signed(v: int, n: int) -> int:
    return v - (1 << n) if v >> (n - 1) & 1 else v


def limited(v: int, low: int, high: int) -> int:
    return max(low, min(high, v))


def exact(kind: str, code: str, a: int, b: int, n: int) -> int:
    if kind == "s":
        a, b = signed(a, n), signed(b, n)
    return {"add": a + b, "sub": a - b, "mul": a * b}[code]


def fits(kind: str, v: int, n: int) -> bool:
    return -(1 << (n - 1)) <= v < 1 << (n - 1) if kind == "s" else 0 <= v < 1 << n


CASES: dict[str, tuple[str, Callable[[int, int, int], list[int]]]] = {}
for _kind in "us":
    for _code in ("add", "sub", "mul"):
        CASES[f"{_kind}{_code}.with.overflow"] = (
            f"%p = llvm.intr.{_kind}{_code}.with.overflow(%a, %b) : (iN, iN) -> !llvm.struct<(iN, i1)>\n"
            "%r0 = llvm.extractvalue %p[0] : !llvm.struct<(iN, i1)>\n%r1 = llvm.extractvalue %p[1] : !llvm.struct<(iN, i1)>",
            lambda a, b, n, k=_kind, c=_code: [exact(k, c, a, b, n), int(not fits(k, exact(k, c, a, b, n), n))],  # type: ignore[misc]
        )
        if _code != "mul":
            CASES[f"{_kind}{_code}.sat"] = (
                f"%r0 = llvm.intr.{_kind}{_code}.sat(%a, %b) : (iN, iN) -> iN",
                lambda a, b, n, k=_kind, c=_code: [  # type: ignore[misc]
                    limited(exact(k, c, a, b, n), *((-(1 << (n - 1)), (1 << (n - 1)) - 1) if k == "s" else (0, (1 << n) - 1)))
                ],
            )
CASES["addui_extended"] = ("%r0, %r1 = arith.addui_extended %a, %b : iN, i1", lambda a, b, n: [a + b, (a + b) >> n])
CASES["mului_extended"] = ("%r0, %r1 = arith.mului_extended %a, %b : iN", lambda a, b, n: [a * b, a * b >> n])
CASES["mulsi_extended"] = ("%r0, %r1 = arith.mulsi_extended %a, %b : iN", lambda a, b, n: [signed(a, n) * signed(b, n), signed(a, n) * signed(b, n) >> n])
CASES["ceildivui"] = ("%r0 = arith.ceildivui %a, %b : iN", lambda a, b, n: [-(-a // b)])
CASES["ceildivsi"] = ("%r0 = arith.ceildivsi %a, %b : iN", lambda a, b, n: [-(-signed(a, n) // signed(b, n))])
CASES["floordivsi"] = ("%r0 = arith.floordivsi %a, %b : iN", lambda a, b, n: [signed(a, n) // signed(b, n)])
CASES["bitreverse"] = ("%r0 = llvm.intr.bitreverse(%a) : (iN) -> iN", lambda a, b, n: [int(f"{a:0{n}b}"[::-1], 2)])
CASES["fshl"] = ("%r0 = llvm.intr.fshl(%a, %b, %b) : (iN, iN, iN) -> iN", lambda a, b, n: [((a << n | b) << b % n) >> n])
CASES["fshr"] = ("%r0 = llvm.intr.fshr(%a, %b, %b) : (iN, iN, iN) -> iN", lambda a, b, n: [(a << n | b) >> b % n])


def constant(v: int, n: int) -> str:
    return f"hw.constant {signed(v, n)} : i{n}" if n > 1 else f"hw.constant {'true' if v else 'false'}"


def values(r: random.Random, n: int) -> int:
    top = (1 << n) - 1
    return r.choice([0, 1, top, top >> 1, (top >> 1) + 1, r.getrandbits(n), r.getrandbits(n), r.getrandbits(max(1, n // 2))]) & top


@pytest.mark.parametrize("mode", ["interpret", "compile"])
@pytest.mark.parametrize("name", list(CASES))
def test_results_are_those_of_exact_arithmetic(mode: str, name: str) -> None:
    text, model = CASES[name]
    r = random.Random(name)
    divides = "div" in name
    functions, calls, want = [], [], []
    for n in WIDTHS:
        types = [f"i{n}", "i1" if "overflow" in name or name == "addui_extended" else f"i{n}"][: 2 if "%r1" in text else 1]
        prints = "".join(f"%f{i} = sim.fmt.hex %r{i} : {t}\n" for i, t in enumerate(types))
        parts = ", ".join(f"%f{i}, %sp" for i in range(len(types)))
        functions.append(
            f'func.func private @f{n}(%a: i{n}, %b: i{n}) {{\n%sp = sim.fmt.literal " "\n{text.replace("iN", f"i{n}")}\n{prints}'
            f"%c = sim.fmt.concat ({parts})\nsim.proc.print %c\nreturn\n}}"
        )
        for _ in range(25):
            a, b = values(r, n), values(r, n)
            if divides and (b == 0 or (b == (1 << n) - 1 and a == 1 << (n - 1))):
                continue
            k = len(calls)
            calls.append(f"%a{k} = {constant(a, n)}\n%b{k} = {constant(b, n)}\nfunc.call @f{n}(%a{k}, %b{k}) : (i{n}, i{n}) -> ()")
            want += [v & ((1 << int(t[1:])) - 1) for v, t in zip(model(a, b, n), types, strict=True)]
    body = "\n".join(calls)
    out = run("\n".join(functions) + f"\nhw.module @top() {{\nllhd.process {{\n{body}\nllhd.halt\n}}\nhw.output\n}}", mode=mode).out
    assert [int(v, 16) for v in out.split()] == want


@pytest.mark.parametrize("mode", ["interpret", "compile"])
def test_bytes_swap_and_floats_are_classified(mode: str) -> None:
    text = """hw.module @top() {
  %x = hw.constant 305419896 : i32
  %inf = arith.constant 0x7F800000 : f32
  %nan = arith.constant 0x7FC00000 : f32
  %one = arith.constant -1.0 : f32
  llhd.process {
    %s = llvm.intr.bswap(%x) : (i32) -> i32
    %a = math.isnan %nan : f32
    %b = math.isnan %inf : f32
    %c = math.isinf %inf : f32
    %d = math.isfinite %nan : f32
    %e = math.isfinite %one : f32
    %fs = sim.fmt.hex %s : i32
    %all = comb.concat %a, %b, %c, %d, %e : i1, i1, i1, i1, i1
    %fa = sim.fmt.bin %all : i5
    %t = sim.fmt.concat (%fs, %fa)
    sim.proc.print %t
    llhd.halt
  }
  hw.output
}"""
    assert run(text, mode=mode).out == "7856341210101"


MINMAX = """
hw.module @top() {
  %nl = sim.fmt.literal " "
  llhd.process {
    %a = arith.constant A : f64
    %b = arith.constant B : f64
    %r = OP
    %f = sim.fmt.gen %r : f64
    sim.proc.print %f
    llhd.halt
  }
  hw.output
}
"""
NAN = "0x7FF8000000000000"


@pytest.mark.parametrize("mode", ["interpret", "compile"])
@pytest.mark.parametrize(
    ("op", "numbers"),
    [(f"arith.{n} %a, %b : f64", "num" in n) for n in ("minimumf", "maximumf", "minnumf", "maxnumf")]
    + [(f"llvm.intr.{n}(%a, %b) : (f64, f64) -> f64", "num" in n) for n in ("minimum", "maximum", "minnum", "maxnum")],
)
def test_least_and_greatest_floats_treat_nan_as_their_name_says(op: str, numbers: bool, mode: str) -> None:
    def result(a: str, b: str) -> str:
        return run(MINMAX.replace("A :", f"{a} :").replace("B :", f"{b} :").replace("OP", op), mode=mode).out

    assert result("1.0", "2.0") == ("1" if "min" in op else "2")
    assert [result(NAN, "2.0"), result("2.0", NAN)] == ["2" if numbers else "nan"] * 2
    assert result(NAN, NAN) == "nan"
