"""Broken inputs for robustness tests: tokens of a text truncated, swapped, deleted, duplicated, or replaced; or text that is mostly still
well-formed and means something else."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[%@^!#]?[\w$.]+|\s+|.', re.DOTALL)
KINDS = ("truncate", "swap", "delete", "duplicate", "replace", "byte")


def mutate(text: str, seed: int) -> str:
    """One mutation, chosen by the seed."""
    rng = random.Random(seed)
    tokens = _TOKEN.findall(text)
    solid = [i for i, t in enumerate(tokens) if not t.isspace()]
    if len(solid) < 2:
        return text[: len(text) // 2]
    i, j = rng.choice(solid), rng.choice(solid)
    match KINDS[seed % len(KINDS)]:
        case "truncate":
            del tokens[i:]
        case "swap":
            tokens[i], tokens[j] = tokens[j], tokens[i]
        case "delete":
            end = min(i + rng.choice((1, 1, 1, 5, 30)), len(tokens))
            del tokens[i:end]
        case "duplicate":
            tokens[i:i] = tokens[i : i + rng.choice((1, 1, 4, 20))]
        case "replace":
            tokens[i] = tokens[j]
        case _:
            joined = "".join(tokens)
            at = rng.randrange(len(joined))
            return joined[:at] + rng.choice("{}()<>[]\"%^@!#:,=-0 \n\x00\xff") + joined[at + 1 :]
    return "".join(tokens)


# ---- text that is still well-formed, mostly ------------------------------------------------------------------------------------------------------

_INTEGER = re.compile(r"(?<![\w%^@#.])-?\d+(?![\w.])")
_SSA = re.compile(r"%\w+(?:#\d+)?")
_WIDTH = re.compile(r"\bi(\d+)\b")
_OPERATION = re.compile(r"\b(comb|llvm|arith|hw|llhd|sim|func|cf|seq|ltl|verif|moore)\.[\w.]+")
_INTEGERS = (
    "0", "1", "-1", "2", "7", "63", "64", "65", "1000", "2147483647", "-2147483648", "4294967296", "9223372036854775807", "18446744073709551615", "99999999999999999999999",
)  # fmt: skip
_WIDTHS = ("0", "1", "2", "7", "33", "64", "65", "128", "200", "1000")
MEANINGS = ("integer", "operand", "delete line", "repeat line", "width", "operation", "swap lines")


def mutate_meaning(text: str, seed: int) -> str:
    """Another integer, operand, width or operation somewhere, or a line missing, repeated or elsewhere."""
    rng = random.Random(seed)
    lines = text.split("\n")
    body = [i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("//")]
    kind = MEANINGS[seed % len(MEANINGS)]
    for _ in range(20):
        i = rng.choice(body)
        line = lines[i]
        if kind == "integer":
            new = _replace(rng, line, _INTEGER, lambda _: rng.choice(_INTEGERS))
        elif kind == "operand":
            near = _SSA.findall("\n".join(lines[max(0, i - 12) : i + 12]))
            new = _replace(rng, line, _SSA, lambda _: rng.choice(near))
        elif kind == "operation":
            new = _replace(rng, line, _OPERATION, lambda m: rng.choice([o.group(0) for o in _OPERATION.finditer(text) if o.group(1) == m.group(1)]))
        elif kind == "width":
            widths = _WIDTH.findall(text)
            return re.sub(rf"\bi{rng.choice(widths)}\b", f"i{rng.choice(_WIDTHS)}", text) if widths else text
        else:
            if kind == "delete line":
                del lines[i]
            elif kind == "repeat line":
                lines.insert(i, line)
            else:
                j = rng.choice(body)
                lines[i], lines[j] = lines[j], line
            break
        if new != line:
            lines[i] = new
            break
    return "\n".join(lines)


def _replace(rng: random.Random, line: str, what: re.Pattern[str], new: Callable[[re.Match[str]], str]) -> str:
    """One match, chosen at random, replaced."""
    found = list(what.finditer(line))
    if not found:
        return line
    m = rng.choice(found)
    return line[: m.start()] + new(m) + line[m.end() :]
