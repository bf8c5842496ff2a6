"""Copies ../shared/bench into a directory for `wasmjit bench --path DIR`, with the gates that the translation of gates.sv has lost put back.

    python tests/bench/prepare_workloads.py DIR

The proof that they are lost, and the restoration, are in tests/designs/test_golden.py.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "designs"), str(TESTS), str(TESTS.parent)]

from test_golden import BENCH, gates_restored  # noqa: E402


def main(target: Path) -> int:
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(BENCH.iterdir()):
        shutil.copyfile(path, target / path.name)
    gates = target / "gates.mlir"
    gates.write_text(gates_restored(gates.read_text()))
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: prepare_workloads.py DIR")
    sys.exit(main(Path(sys.argv[1])))
