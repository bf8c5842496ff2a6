"""The corpus as files and texts, and a comparison of op trees."""

from __future__ import annotations

import math
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wasmjit.ir import Op, Value


def corpus_files(shared: Path) -> list[Path]:
    """All designs that lie unpacked, the two large ones (`.gz`) included."""
    return sorted(
        p for part in ("designs", "bench", "conformance") for p in (shared / part).rglob("*") if p.name.endswith((".mlir", ".mlir.gz"))
    )


def suite_texts(shared: Path) -> Iterator[tuple[str, bytes]]:
    """Name and contents of every design of the packed suites."""
    for archive in sorted((shared / "suites").glob("*.tar.xz")):
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile() and member.name.endswith(".mlir"):
                    file = tar.extractfile(member)
                    assert file is not None
                    yield f"{archive.name}:{member.name}", file.read()


def _comparable(value: Any) -> Any:
    """NaN equals NaN."""
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    if isinstance(value, dict):
        return {k: _comparable(v) for k, v in value.items()}
    return [_comparable(v) for v in value] if isinstance(value, (list, tuple)) else value


def shape(root: Op) -> list[Any]:
    """What an op tree says, independent of names and places: ops, attributes, types, and values numbered by their definition."""
    out: list[Any] = []
    ids: dict[Value, int] = {}

    def number(v: Value) -> int:
        return ids.setdefault(v, len(ids))

    def visit(op: Op) -> None:
        for r in op.results:
            number(r)
        out.append(
            (
                op.name,
                [number(v) for v in op.operands],
                [r.type for r in op.results],
                _comparable(op.attrs),
                [(region_index(block), [number(v) for v in args]) for block, args in op.successors],
            )
        )
        for region in op.regions:
            for block in region.blocks:
                out.append([a.type for a in block.args])
                for a in block.args:
                    number(a)
                for inner in block.ops:
                    visit(inner)

    def region_index(block: Any) -> int:
        index: int = block.region.blocks.index(block)
        return index

    visit(root)
    return out
