"""A driver for modules that have no test bench: the same random inputs in every mode, as one more module of the design's text."""

from __future__ import annotations

import random
import re
from pathlib import Path

from wasmjit.ir import parse_file
from wasmjit.ir import types as T
from wasmjit.sem.layout import layout

STIMULUS = "wasmjit_stimulus"
STEP_FS = 5_000_000
_CLOCK = re.compile(r"(^|_)(clk|clock|ck)(_|\d|$)", re.IGNORECASE)
_RESET = re.compile(r"(^|_)(rst|reset|clr)", re.IGNORECASE)
_LOW_ACTIVE = re.compile(r"(_n|_ni|n|_b)$", re.IGNORECASE)


class NoStimulus(Exception):
    """The ports cannot be driven; str() says why."""


def random_bits(t: T.Type, rng: random.Random, value: int | None = None) -> int:
    """Random packed bits of a type; `unknown` fields of 4-state structs are 0. `value` replaces the random integer."""
    if isinstance(t, T.StructType):
        bits = 0
        for name, ft in t.fields:
            width = layout(ft).bits
            part = 0 if name == "unknown" and len(t.fields) == 2 else random_bits(ft, rng, value)
            bits = bits << width | (part & ((1 << width) - 1))
        return bits
    if isinstance(t, T.ArrayType):
        width = layout(t.elem).bits
        bits = 0
        for _ in range(t.size):
            bits = bits << width | random_bits(t.elem, rng, value)
        return bits
    width = layout(t).bits
    return rng.getrandbits(width) if value is None and width else (value or 0) & ((1 << max(width, 0)) - 1)


def drive_value(port: str, t: T.Type, step: int, rng: random.Random) -> int:
    """Clocks toggle, resets are active for the first eight steps and rarely afterwards, everything else is random."""
    if _CLOCK.search(port):
        return random_bits(t, rng, -(step & 1))
    if _RESET.search(port):
        active = step < 8 or rng.random() < 0.02
        level = not active if _LOW_ACTIVE.search(port) else active
        return random_bits(t, rng, -int(level))
    return random_bits(t, rng)


def wrap(path: Path, tops: tuple[str, ...], steps: int = 40, seed: int = 1) -> str:
    """The design's text with the stimulus module added. Raises NoStimulus, IRError, OSError."""
    design = parse_file(str(path))
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    rng = random.Random(f"{path.name}:{seed}")
    body: list[str] = []
    signals: list[tuple[str, str, T.Type]] = []
    for n, top in enumerate(tops):
        op = design.symbols.get(top)
        if op is None or op.name != "hw.module":
            raise NoStimulus(f"there is no module @{top}")
        inputs, outputs = [], []
        for k, (direction, port, t, _) in enumerate(op.attrs["ports"]):
            quoted = spelled(port)
            if direction == "out":
                outputs.append(f"{quoted}: {t}")
                continue
            if direction == "inout" or isinstance(t, (T.RefType, T.InOutType)):
                raise NoStimulus(f"port {port} of @{top} is bidirectional")
            width = layout(t).bits
            if not width:
                raise NoStimulus(f"port {port} of @{top} has type {t}, which has no bits")
            name = f"in{n}_{k}"
            body += constant(f"init_{name}", t, width, 0)
            body += [f"    %{name} = llhd.sig %init_{name} : {t}", f"    %{name}_v = llhd.prb %{name} : {t}"]
            inputs.append(f"{quoted}: %{name}_v: {t}")
            signals.append((name, port, t))
        results = ", ".join(f"%out{n}_{k}" for k in range(len(outputs)))
        body.append(f'    {results + " = " if results else ""}hw.instance "{top}" @{spelled(top)}({", ".join(inputs)}) -> ({", ".join(outputs)})')
    body += ["    %now = llhd.constant_time <0ns, 0d, 1e>", f"    %step = llhd.constant_time <{STEP_FS}fs, 0d, 0e>", "    llhd.process {"]
    for step in range(steps):
        if step:
            body.append(f"    ^step{step}:")
        for name, port, t in signals:
            body += constant(f"v{step}_{name}", t, layout(t).bits, drive_value(port, t, step, rng))
            body.append(f"      llhd.drv %{name}, %v{step}_{name} after %now : {t}")
        body.append(f"      llhd.wait delay %step, ^step{step + 1}")
    body += [f"    ^step{steps}:", "      sim.terminate success, quiet", "      llhd.halt", "    }", "    hw.output", "  }"]
    module = "\n".join([f"  hw.module @{STIMULUS}() {{", *body]) + "\n"
    stripped = text.rstrip()
    if re.match(r"(?:\s*//.*\n)*\s*(?:builtin\.)?module\b[^@\n]*\{", text) and stripped.endswith("}"):
        return stripped[:-1] + module + "}\n"
    return text + "\n" + module


def spelled(name: str) -> str:
    """A port or symbol name as MLIR writes it."""
    return name if re.fullmatch(r"[A-Za-z_][\w$.]*", name) else f'"{name}"'


def constant(name: str, t: T.Type, width: int, bits: int) -> list[str]:
    if isinstance(t, T.IntType):
        return [f"      %{name} = hw.constant {signed(bits, width)} : i{width}"]
    return [f"      %{name}_bits = hw.constant {signed(bits, width)} : i{width}", f"      %{name} = hw.bitcast %{name}_bits : (i{width}) -> {t}"]


def signed(bits: int, width: int) -> int:
    """Two's complement as MLIR writes it."""
    if width == 1:
        return -bits
    return bits - (1 << width) if bits >> (width - 1) else bits
