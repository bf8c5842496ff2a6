"""Damaged inputs: the reader must give a design or an IRError, nothing else, and soon."""

from __future__ import annotations

import random
import re
import signal
import traceback
from pathlib import Path
from types import FrameType

from ir_corpus import corpus_files

from wasmjit.ir import IRError, parse_text, print_generic

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|[%@^#!]?[\w$.-]+|\s+|.', re.DOTALL)
MAX_SIZE = 60_000
SECONDS = 10


class _TooSlow(Exception):
    pass


def _alarm(signum: int, frame: FrameType | None) -> None:
    raise _TooSlow


def mutate(text: str, rng: random.Random) -> str:
    """`text` with one to four damages: cut off, or a token deleted, doubled, swapped with another, or replaced by one."""
    if rng.random() < 0.15:
        return text[: rng.randrange(len(text))]
    tokens = _TOKEN.findall(text)
    for _ in range(rng.randint(1, 4)):
        i = rng.randrange(len(tokens))
        j = rng.randrange(len(tokens)) if rng.random() < 0.5 else min(len(tokens) - 1, i + rng.randint(1, 12))
        kind = rng.randrange(5)
        if kind == 0:
            tokens[i] = ""
        elif kind == 1:
            tokens[i] += tokens[i]
        elif kind == 2:
            tokens[i], tokens[j] = tokens[j], tokens[i]
        elif kind == 3:
            tokens[i] = tokens[j]
        else:
            tokens[i] = rng.choice(
                [
                    "{",
                    "}",
                    "(",
                    ")",
                    "<",
                    ">",
                    '"',
                    "%",
                    "@",
                    "^",
                    "!",
                    "#",
                    ":",
                    "-1",
                    "99999999999999999999",
                    "->",
                    "\0",
                    "\udcff",
                    "é",
                    "0x",
                ]
            )
    return "".join(tokens)


def mutation_findings(shared: Path, n: int = 200, seed: int = 1) -> list[str]:
    """Reads `n` damaged inputs with all bodies; what went wrong other than by IRError, one text per finding. `SECONDS` for each at most."""
    rng = random.Random(seed)
    files = [p for p in corpus_files(shared) if p.suffix == ".mlir" and p.stat().st_size <= MAX_SIZE]
    findings = []
    before = signal.signal(signal.SIGALRM, _alarm)
    try:
        for k in range(n):
            path = rng.choice(files)
            text = path.read_bytes().decode("utf-8", "surrogateescape")
            if rng.random() < 0.4:
                # The generic form goes through other code.
                text = print_generic(parse_text(text, path.name))
            text = mutate(text, rng)
            where = f"sample {k} of seed {seed} ({path.name})"
            signal.alarm(SECONDS)
            try:
                design = parse_text(text, path.name).force()
                if design.root.name != "builtin.module":
                    findings.append(f"{where}: the root is {design.root.name}")
            except IRError as e:
                if not e.diagnostics or not str(e):
                    findings.append(f"{where}: an error without a message")
            except _TooSlow:
                findings.append(f"{where}: longer than {SECONDS} s")
            except Exception:  # noqa: BLE001  (anything but IRError is what is looked for)
                findings.append(f"{where}: {traceback.format_exc()[-1200:]}")
            finally:
                signal.alarm(0)
    finally:
        signal.signal(signal.SIGALRM, before)
    return findings
