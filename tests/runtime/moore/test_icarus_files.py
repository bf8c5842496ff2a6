"""File input against Icarus Verilog: random sequences of calls on random files, each with the same results.

Left out, because the standard or the corpus says otherwise or nothing at all: `$feof` (the corpus asks for true as soon as nothing is left to read), what `$ungetc`
returns (the corpus asks for the character, Icarus gives 0), `$ftell` while characters are pushed back, and unknown digits (a scan has no place for them:
the front end takes 64 bits of value). Icarus returns 0 instead of EOF when only white space is left (IEEE 1800-2023 §21.3.4.3 says EOF).
"""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_runtime import FakeRuntime

FORMATS = (
    "%d", "%h", "%o", "%s", "%c", "%d %d", " %c", "%3d%d", "%2s", "%d,%d", "%*d %d", "a%d", "%x", "%c%c", "%f", "%e", "%d%%", "%d\n%d", "%s %s",
)  # fmt: skip
WORDS = (b"ff1 ", b"abc ", b"\n", b"1.5 ", b"-", b"+", b"73_ ", b"1e3", b"a7 ", b"5,6 ", b"9%")
STRIDES = {8: 1, 16: 2, 12: 2, 32: 4, 24: 4}

Call = tuple[str, int | str, int]


def content(r: random.Random) -> bytes:
    kind = r.randrange(3)
    if kind == 0:
        return bytes(r.choice(b"ab 1\n\t-7") for _ in range(r.randrange(40)))
    if kind == 1:
        return b"".join(r.choice((*WORDS, b"%d " % r.randrange(-50, 5000))) for _ in range(r.randrange(12)))
    return b"\n".join(bytes(r.randrange(97, 103) for _ in range(r.randrange(9))) for _ in range(r.randrange(6)))


def calls(r: random.Random) -> list[Call]:
    out: list[Call] = []
    pushed = False
    for _ in range(r.randrange(3, 14)):
        name = r.choice(["fgetc", "fgetc", "fgets", "ungetc", "fseek", "ftell", "rewind", "fscanf", "fscanf", "fscanf", "fread"])
        if name == "ftell" and pushed:
            continue
        pushed = (pushed or name == "ungetc") and name not in ("fseek", "rewind", "fgets")
        match name:
            case "fseek":
                out.append((name, r.randrange(-5, 30), r.randrange(3)))
            case "ungetc":
                out.append((name, r.randrange(97, 120), 0))
            case "fscanf":
                out.append((name, r.choice(FORMATS), 0))
            case "fread":
                out.append((name, r.choice(list(STRIDES)), r.choice([1, 3])))
            case _:
                out.append((name, 0, 0))
    return out


def conversions(fmt: str) -> str:
    """Letters of the conversions that assign."""
    out, parts = "", fmt.split("%")[1:]
    while parts:
        part = parts.pop(0)
        if not part:
            parts = parts[1:]
            continue
        letter = part.lstrip("*0123456789")[:1]
        out += letter if part[0] != "*" else ""
    return out


def verilog(call: Call) -> str:
    """A statement that prints the result of the call, then what it has stored."""
    name, a, b = call
    match name:
        case "fgets":
            return "s = 0; q = $fgets(s, f); $display(q,, s);"
        case "ungetc":
            return f'q = $ungetc({a}, f); $display("0");'
        case "fseek":
            return f"q = $fseek(f, {a}, {b}); $display(q);"
        case "rewind":
            return 'q = $rewind(f); $display("0");'
        case "fread":
            clear = " ".join(f"m{a}[{i}] = 0;" for i in range(4))
            return f"{clear} q = $fread(m{a}, f, 0, {b}); $display(q,, m{a}[0],, m{a}[1],, m{a}[2]);"
        case "fscanf":
            codes = conversions(str(a))
            places = [f"{'x' if c in 'fe' else 'w'}{i}" for i, c in enumerate(codes)]
            clear = " ".join(f"{p} = 0;" for p in places)
            shown = ",, ".join(f"$realtobits({p})" if p[0] == "x" else p for p in places)
            text = str(a).replace("\n", "\\n")
            return f'{clear} q = $fscanf(f, "{text}", {", ".join(places)}); $display(q,, {shown});'
    return f"q = ${name}(f); $display(q);"


HEAD = "reg [255:0] s; reg [63:0] w0, w1; real x0, x1;" + " ".join(f" reg [{n - 1}:0] m{n}[0:3];" for n in STRIDES)


def icarus(folder: Path, cases: list[tuple[bytes, list[Call]]]) -> list[list[list[int]]]:
    """Results of all calls."""
    body = []
    for i, (data, todo) in enumerate(cases):
        (folder / f"d{i}").write_bytes(data)
        body += [f'f = $fopen("d{i}", "r"); $display("case");', *map(verilog, todo), "$fclose(f);"]
    (folder / "t.v").write_text(f"module t; integer f, q; {HEAD}\ninitial begin\n" + "\n".join(body) + "\nend endmodule\n")
    subprocess.run(["iverilog", "-g2012", "-o", "t", "t.v"], cwd=folder, check=True)
    text = subprocess.run(["vvp", "-n", "t"], cwd=folder, check=True, capture_output=True, text=True).stdout
    return [[[int(n) for n in line.split()] for line in part.splitlines() if line] for part in text.split("case\n")[1:]]


def signed(v: int) -> int:
    return (v & 0xFFFFFFFF) - (1 << 32 if v >> 31 & 1 else 0)


def perform(rt: FakeRuntime, fd: int, call: Call) -> list[int]:
    name, a, b = call
    service: Callable[..., int] = lambda *args: rt.call(f"__moore_{name}", *args)  # noqa: E731
    match name:
        case "fgets":
            place = rt.net(64)
            return [service(place, fd), int.from_bytes(rt.read(place, 32), "little")]
        case "ungetc":
            service(a, fd)
            return [0]
        case "fseek":
            return [signed(service(fd, int(a) & 0xFFFFFFFF, b))]
        case "rewind":
            service(fd)
            return [0]
        case "fread":
            size = STRIDES[int(a)]
            place = rt.data(bytes(8 * size))
            return [service(place, a, 2 * size, b, fd), *(rt.ld(place + 2 * size * i, size) for i in range(3))]
        case "fscanf":
            codes = conversions(str(a))
            results, widths = rt.data(bytes(8 * len(codes) + 8)), rt.data(struct.pack("<3i", 64, 64, 64))
            got = signed(service(fd, rt.data(str(a).encode() + b"\0"), results, widths, len(codes)))
            return [got, *(rt.ld(results + 8 * i, 8) for i in range(len(codes)))]
    return [signed(service(fd))]


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog")
@pytest.mark.parametrize("seed", range(4))
def test_reading_calls_have_the_results_of_icarus(tmp_path: Path, seed: int) -> None:
    r = random.Random(seed)
    cases = [(content(r), calls(r)) for _ in range(150)]
    for i, ((data, todo), want) in enumerate(zip(cases, icarus(tmp_path, cases), strict=True)):
        rt = FakeRuntime(tmp_path)
        fd = rt.call("__moore_fopen", rt.string(b"d%d" % i), rt.string(b"r"))
        for n, (call, wanted) in enumerate(zip(todo, want, strict=True)):
            got = perform(rt, fd, call)
            if got[:1] == [-1] and call[0] == "fscanf":
                got[0] = wanted[0] = min(wanted[0], 0)
            assert got == wanted, (data, todo[: n + 1])
