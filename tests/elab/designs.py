"""Random designs of continuous logic, and their waveforms."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from wasmjit.cli import main

V = "!hw.struct<value: i8, unknown: i8>"


def waves(tmp_path: Path, text: str, mode: str, capfd: pytest.CaptureFixture[str], *options: str) -> list[str]:
    """The value changes of a run, as the lines of its VCD after the header."""
    design, vcd = tmp_path / "d.mlir", tmp_path / "d.vcd"
    design.write_text(text)
    capfd.readouterr()
    status = main(["run", str(design), "-q", f"--mode={mode}", "--vcd", str(vcd), "--trace-all", *options])
    out, err = capfd.readouterr()
    assert status == 0, err
    lines = vcd.read_text().splitlines()
    steps: list[list[str]] = [[]]
    for line in lines[next(i for i, x in enumerate(lines) if "$scope" in x) :]:
        if line.startswith("#"):
            steps.append([])
        steps[-1].append(line)
    # The order of changes inside a time step says nothing.
    return [out, *(line for step in steps for line in sorted(step))]


def logic(rng: random.Random, name: str, a: str, b: str) -> list[str]:
    """Operations that compute %name from two four-state values as circt-verilog writes them: operator, and x where an operand is not known."""
    op = rng.choice(("and", "or", "xor", "add", "sub"))
    out = [f'%{name}v{k} = hw.struct_extract %{x}["value"] : {V}\n%{name}u{k} = hw.struct_extract %{x}["unknown"] : {V}' for k, x in enumerate((a, b))]
    out += [
        f"%{name}r = comb.{op} %{name}v0, %{name}v1 : i8",
        f"%{name}o = comb.or %{name}u0, %{name}u1 : i8",
        f"%{name}any = comb.icmp ne %{name}o, %c0 : i8",
        f"%{name}x = comb.replicate %{name}any : (i1) -> i8",
        f"%{name}k = comb.xor %{name}x, %ones : i8",
        f"%{name}z = comb.and %{name}r, %{name}k : i8",
        f"%{name} = hw.struct_create (%{name}z, %{name}x) : {V}",
    ]
    return out


def random_module(rng: random.Random, name: str, inputs: int = 3, nodes: int = 10, constant: int = 0, loops: bool = False) -> str:
    """A module of signals, each assigned from two earlier ones (with `loops`, sometimes from any), and an output."""
    ports = ", ".join(f"in %i{k} : {V}" for k in range(inputs))
    body = [
        "%c0 = hw.constant 0 : i8",
        "%ones = hw.constant -1 : i8",
        "%now = llhd.constant_time <0ns, 0d, 1e>",
        f"%init = hw.aggregate_constant [0 : i8, -1 : i8] : {V}",
        f"%const = hw.aggregate_constant [{constant} : i8, 0 : i8] : {V}",
    ]
    sources = [f"i{k}" for k in range(inputs)]
    body += [f"%s{n} = llhd.sig %init : {V}" for n in range(nodes)]
    for n in range(nodes):
        picks = []
        for k in range(2):
            m = rng.randrange(len(sources) + n + 1)
            if loops and rng.random() < 0.1:
                m = len(sources) + 1 + rng.randrange(nodes)
            if m < len(sources):
                picks.append(sources[m])
            elif m == len(sources):
                picks.append("const")
            else:
                body.append(f"%p{n}_{k} = llhd.prb %s{m - len(sources) - 1} : {V}")
                picks.append(f"p{n}_{k}")
        body += logic(rng, f"n{n}", *picks)
        body.append(f"llhd.drv %s{n}, %n{n} after %now : {V}")
    body.append(f"%last = llhd.prb %s{nodes - 1} : {V}")
    body.append(f"hw.output %last : {V}")
    return f"hw.module private @{name}({ports}, out o : {V}) {{\n" + "\n".join(body) + "\n}\n"


def stimulus(rng: random.Random, signals: int, steps: int, unknown: float) -> str:
    """A process that assigns random values; with probability `unknown` some bits are unknown."""
    out = ["llhd.process {", "%d = llhd.constant_time <1ns, 0d, 0e>", "%e = llhd.constant_time <0ns, 0d, 1e>", "cf.br ^b0"]
    for n in range(steps):
        out.append(f"^b{n}:")
        for k in range(signals):
            if rng.random() < 0.6:
                v = rng.randrange(-128, 128)
                u = rng.randrange(-128, 128) if rng.random() < unknown else 0
                out += [f"%v{n}_{k} = hw.aggregate_constant [{v} : i8, {u} : i8] : {V}", f"llhd.drv %w{k}, %v{n}_{k} after %e : {V}"]
        out.append(f"llhd.wait delay %d, ^b{n + 1}")
    return "\n".join([*out, f"^b{steps}:", "llhd.halt", "}"])


def random_design(seed: str, unknown: float = 0.2, modules: int = 3, loops: bool = False, alike: bool = False) -> str:
    """Modules in a row, the output of each an input of the next, the last one's fed back to nowhere. alike: they differ in constants only."""
    rng = random.Random(seed)
    shape = rng.random()
    texts, body = [], [f"%init = hw.aggregate_constant [0 : i8, -1 : i8] : {V}"]
    body += [f"%w{k} = llhd.sig %init : {V}\n%r{k} = llhd.prb %w{k} : {V}" for k in range(3)]
    feed = "r0"
    for m in range(modules):
        texts.append(random_module(random.Random(shape) if alike else rng, f"m{m}", constant=17 * m + 3, loops=loops))
        body.append(f'%o{m} = hw.instance "u{m}" @m{m}(i0: %{feed}: {V}, i1: %r1: {V}, i2: %r2: {V}) -> (o: {V})')
        feed = f"o{m}"
    body.append(stimulus(rng, 3, 25, unknown))
    return "".join(texts) + "hw.module @top() {\n" + "\n".join(body) + "\n}\n"
