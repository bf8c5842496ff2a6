"""What the parity and strict sweeps run: designs, benches and the conformance corpus with the options of each test's own RUN lines."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

SHARED = Path(__file__).resolve().parents[3] / "shared"
SETS = ("designs", "random", "bench", "head", "jit-era", "sv")
SLOWER = {"aes": ["+blocks=1"], "sha256": ["+blocks=1"], "rv32": ["+iters=10"], "gates": ["+cycles=20"], "lfsr": ["+cycles=100"], "classes": ["+rounds=50"], "behave": ["+rounds=100"]}
"""Sizes that the interpreter ends in seconds."""
_OWN = re.compile(r"--(mode|jit-[a-z-]+|vcd|fst|trace|trace-all|sim-stats|process-stats|process-stats-top|op-stats|op-stats-top|profile|timeout|v|verbose)(=|$)")
_VALUED = re.compile(r"--?(top|max-time|max-deltas|max-process-steps|max-cycles|seed|allow-read|allow-write)$")


@dataclass(frozen=True, slots=True)
class Case:
    """A design and how to run it. `env`: set for the run."""

    name: str
    design: Path
    options: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)


def run_lines(text: str) -> list[str]:
    """Commands of the RUN lines, continuation lines joined."""
    out: list[str] = []
    more = False
    for line in text.splitlines():
        at = line.find("RUN:")
        if at < 0 or not line.lstrip().startswith("//"):
            continue
        command = line[at + 4 :].strip()
        if more:
            out[-1] += " " + command
        else:
            out.append(command)
        more = out[-1].endswith("\\")
        if more:
            out[-1] = out[-1][:-1].rstrip()
    return out


def own_options(line: str, place: str) -> tuple[list[str], dict[str, str]] | None:
    """(options, environment) of the simulation in a RUN line without what a sweep sets itself; None when the line runs none. `place` stands for %t."""
    if "circt-sim" not in line:
        return None
    words = shlex.split(line.replace("%t", place), comments=False)
    start = words.index("circt-sim") if "circt-sim" in words else -1
    if start < 0:
        return None
    env = dict(w.split("=", 1) for w in words[:start] if re.fullmatch(r"[A-Z_]+=.*", w) and "JIT" not in w)
    options: list[str] = []
    own = False
    rest = iter(words[start + 1 :])
    for word in rest:
        if re.fullmatch(r"\||&&|;|\d?>.*|\|\|", word):
            break
        if own and not word.startswith(("-", "+", "%")):
            own = False
            continue
        own = False
        if word in ("%s", "-"):
            continue
        if word == "%s-top":  # a blank is missing in a test
            word = "--top"
        if _OWN.match(word):
            own = "=" not in word and not re.fullmatch(r"--(trace-all|sim-stats|process-stats|op-stats|jit-fail-on-deopt)", word)
            continue
        options.append(word)
        if _VALUED.match(word):
            options.append(next(rest))
    return options, env


def conformance(part: str, place: str) -> list[Case]:
    """One case per distinct way a test is run."""
    out: list[Case] = []
    for path in sorted((SHARED / "conformance" / part).glob("*.mlir")):
        ways: list[tuple[list[str], dict[str, str]]] = []
        for line in run_lines(path.read_text(encoding="utf-8", errors="surrogateescape")):
            way = own_options(line, place)
            if way is not None and way not in ways:
                ways.append(way)
        for n, (options, env) in enumerate(ways):
            out.append(Case(f"{part}/{path.stem}" + (f"#{n + 1}" if n else ""), path, options, env))
    return out


def cases(sets: list[str], place: str) -> list[Case]:
    """All cases of the named sets (`SETS`). `place`: directory for the files that tests write."""
    out: list[Case] = []
    for name in sets:
        if name == "designs":
            out += [Case(f"designs/{p.stem}", p, SLOWER.get(p.stem, [])) for p in sorted((SHARED / "designs").glob("*.mlir"))]
        elif name == "random":
            out += [Case(f"random/{p.stem}", p, ["+x"]) for p in sorted((SHARED / "designs" / "random").glob("*.mlir"))]
        elif name == "bench":
            out += [Case(f"bench/{p.stem}", p, SLOWER.get(p.stem, [])) for p in sorted((SHARED / "bench").glob("*.mlir"))]
        else:
            out += conformance(name, place)
    return out
