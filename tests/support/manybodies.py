"""Designs of many distinct process bodies: `python -m tests.support.manybodies 10000 > many.mlir`.

Each body reads a signal of its own, computes about `ops` operations of one random width on it and drives it after 1 ns; half of the processes run on clock edges, the
others after delays of their own.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator

WIDTHS = (1, 4, 8, 13, 16, 24, 32, 33, 48, 64)
CODES = ("add", "sub", "mul", "and", "or", "xor", "shl", "shru", "mux", "constant")


def design(bodies: int, ops: int = 100, per_module: int = 1000, seed: int = 1) -> str:
    """MLIR text with a clock of 10 ns in @top and `bodies` processes in modules below it."""
    rnd = random.Random(seed)
    lines: list[str] = []
    sizes = [min(per_module, bodies - at) for at in range(0, bodies, per_module)]
    for m, size in enumerate(sizes):
        lines += module(rnd, m, size, ops)
    lines += TOP
    lines += [f'  hw.instance "m{m}" @m{m}(clk: %c: i1) -> ()' for m in range(len(sizes))]
    return "\n".join([*lines, "  hw.output", "}", ""])


TOP = """hw.module @top() {
  %now = llhd.constant_time <0ns, 0d, 1e>
  %half = llhd.constant_time <5ns, 0d, 0e>
  %false = hw.constant false
  %true = hw.constant true
  %clk = llhd.sig %false : i1
  %c = llhd.prb %clk : i1
  llhd.process {
    cf.br ^low
  ^low:
    llhd.wait delay %half, ^edge
  ^edge:
    %p = llhd.prb %clk : i1
    %n = comb.xor %p, %true : i1
    llhd.drv %clk, %n after %now : i1
    cf.br ^low
  }""".splitlines()


def module(rnd: random.Random, number: int, size: int, ops: int) -> Iterator[str]:
    yield f"hw.module private @m{number}(in %clk : i1) {{"
    yield "  %later = llhd.constant_time <1ns, 0d, 0e>"
    for p in range(size):
        w = rnd.choice(WIDTHS)
        yield f"  %c{p} = {constant(rnd, w)}"
        yield f"  %s{p} = llhd.sig %c{p} : i{w}"
        yield from process(rnd, p, w, ops)
    yield "  hw.output"
    yield "}"


def process(rnd: random.Random, p: int, w: int, ops: int) -> Iterator[str]:
    yield "  llhd.process {"
    yield "    cf.br ^wait"
    yield "  ^wait:"
    if rnd.random() < 0.5:
        yield "    llhd.wait (%clk : i1), ^look"
        yield "  ^look:"
        yield "    cf.cond_br %clk, ^body, ^wait"
    else:
        yield f"    %d = llhd.constant_time <{rnd.randrange(1, 20)}ns, 0d, 0e>"
        yield "    llhd.wait delay %d, ^body"
    yield "  ^body:"
    yield f"    %v0 = llhd.prb %s{p} : i{w}"
    values = ["%v0"]
    for i in range(1, ops - 5):
        code = rnd.choice(CODES)
        a, b, c = (rnd.choice(values[-6:]) for _ in range(3))
        if code == "constant":
            yield f"    %v{i} = {constant(rnd, w)}"
        elif code == "mux":
            yield f"    %x{i} = comb.icmp ult {a}, {b} : i{w}"
            yield f"    %v{i} = comb.mux %x{i}, {b}, {c} : i{w}"
        else:
            yield f"    %v{i} = comb.{code} {a}, {b} : i{w}"
        values.append(f"%v{i}")
    yield f"    llhd.drv %s{p}, {values[-1]} after %later : i{w}"
    yield "    cf.br ^wait"
    yield "  }"


def constant(rnd: random.Random, w: int) -> str:
    return "hw.constant true" if w == 1 else f"hw.constant {rnd.getrandbits(w) - (1 << (w - 1))} : i{w}"


if __name__ == "__main__":
    sys.stdout.write(design(int(sys.argv[1])))
