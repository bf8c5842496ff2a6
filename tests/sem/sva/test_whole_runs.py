"""Random properties in whole runs (sampling, monitors, both tiers) against annex F.5 of IEEE 1800-2023."""

from __future__ import annotations

import random
import re

import pytest

from tests.sem.sva.reference import Term
from tests.sem.sva.source import Writer
from tests.sem.sva.test_runs import NS, run, stimulus
from tests.sem.sva.test_translation import LEAVES, SIMPLE, expected, operators

TICKS = 10
X1 = ("seq", ("bool", ("leaf", 1)))
UNSAMPLED = "disable_iff"  # looks at present values, so that ticks do not tell what it does


def reported(p: Term, trace: tuple[int, ...], mode: str) -> dict[int, int]:
    """Failed attempts by tick. Ticks are at 5, 15, ... ns, the end of the run is at another time; what is assigned with one of them is sampled at the next."""
    w = Writer()
    v = w.property(p)
    body = [stimulus(f"x{i}", "".join(str(x >> i & 1) for x in trace[1:])) for i in range(LEAVES)]
    body += [*w.lines, f"verif.clocked_assert {v}, posedge %clk : {w.types[v]}"]
    _, lines = run("\n".join(body), (10 * TICKS + 2) * NS, mode=mode)
    out: dict[int, int] = {}
    for line in lines:
        found = re.search(r"failed at time (\d+) fs.*?(?:, (\d+) attempts)?$", line)
        if found and int(found[1]) % (10 * NS) == 5 * NS:
            tick = int(found[1]) // NS // 10
            out[tick] = out.get(tick, 0) + int(found[2] or 1)
    return out


@pytest.mark.parametrize("mode", ["interpret", "compile"])
@pytest.mark.parametrize("seed", range(12))
def test_a_run_reports_the_attempts_that_fail(seed: int, mode: str) -> None:
    rng = random.Random(seed)
    for _ in range(4):
        p = rng.choice([q for q in operators(rng.choice(SIMPLE), X1) if UNSAMPLED not in str(q)] or [X1])
        trace = (0, *(rng.randrange(1 << LEAVES) for _ in range(TICKS - 1)))
        want: dict[int, int] = {}
        for _, now in expected(p, trace):
            want[now] = want.get(now, 0) + 1
        assert reported(p, trace, mode) == want, (p, trace)
