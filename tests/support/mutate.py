"""Broken inputs for robustness tests: tokens of a text truncated, swapped, deleted, duplicated, or replaced."""

from __future__ import annotations

import random
import re

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
