"""Compares bundles of `wasmjit suite` with known_failures.tsv, which must be exact: an unexpected pass fails too.

    python tests/suite/suite_check.py BUNDLE...

A row names a case whose failure is not one of wasmjit. `cause`: translation (the MLIR does not say what the source says), accepted (the front end translates
a source that is to be refused), contract (interface.md asks for another exit status than the
manifest), race (IEEE 1800 §4.8 leaves the order open).
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

KNOWN = Path(__file__).with_name("known_failures.tsv")
CAUSES = ("translation", "accepted", "contract", "race")


def read_known() -> dict[tuple[str, str], tuple[str, str]]:
    """(suite, file) -> (cause, reason)."""
    with KNOWN.open(encoding="utf-8", newline="") as file:
        return {(row["suite"], row["file"]): (row["cause"], row["reason"]) for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}


def differences(results: list[dict[str, str]], known: dict[tuple[str, str], tuple[str, str]]) -> list[str]:
    """What a bundle's cases have that the list has not, and the reverse."""
    out = []
    for case in results:
        key = case["suite"], case["name"]
        if case["status"] != "pass" and (key not in known or case["status"] == "error"):
            out.append(f"{case['status']}: {'/'.join(key)}: {case['reason']}")
        elif case["status"] == "pass" and key in known:
            out.append(f"passes: {'/'.join(key)}, which is listed because {known[key][1]}")
    return out


def main(bundles: list[str]) -> int:
    known = read_known()
    lines = [line for b in bundles for line in differences(json.loads((Path(b) / "results.json").read_text(encoding="utf-8"))["cases"], known)]
    print("\n".join(lines) or "as listed")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
