"""Imports point downwards only (architecture §2)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "wasmjit"

LEVEL = {
    "data": -1, "ir": 0, "sem": 1, "waves": 2, "report": 3, "elab": 4, "runtime": 5, "interp": 6, "codegen": 6, "sched": 7, "foreign": 8, "parity": 8, "suite": 9,
    "bench": 9, "progress": 9, "cli": 10,
}  # fmt: skip
"""A module may import from packages of its own level's package or of a lower level."""

ALLOWED = {
    ("codegen", "runtime"): "the kernel compiler loads what it made through the runtime's cache",
    ("codegen", "sched"): "the kernel compiler reads the restricted-Python sources of the kernel it compiles",
}


def package_of(module: str) -> str:
    parts = module.split(".")
    if len(parts) == 1:
        return ""
    return "cli" if parts[1].startswith(("cli", "__main__")) else parts[1]


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """(absolute module name, line) of everything a file imports; imports for type checking only are left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = ["wasmjit", *path.relative_to(PACKAGE).with_suffix("").parts]
    typing_only = {id(n) for top in ast.walk(tree) if isinstance(top, ast.If) and "TYPE_CHECKING" in ast.unparse(top.test) for n in ast.walk(top)}
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = own[: -node.level] if node.level else []
            name = ".".join([*base, *(node.module.split(".") if node.module else [])])
            yield name, node.lineno
            for alias in node.names:
                if name == "wasmjit" or (PACKAGE / Path(*name.split(".")[1:]) / f"{alias.name}.py").exists():
                    yield f"{name}.{alias.name}", node.lineno


def sources() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if "__pycache__" not in p.parts)


def test_every_package_has_a_level() -> None:
    names = {package_of(".".join(["wasmjit", *p.relative_to(PACKAGE).with_suffix("").parts])) for p in sources()} - {"", "__init__"}
    assert names <= LEVEL.keys(), f"packages without a place in the plan: {sorted(names - LEVEL.keys())}"


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_downwards(path: Path) -> None:
    own = package_of(".".join(["wasmjit", *path.relative_to(PACKAGE).with_suffix("").parts]))
    wrong = []
    for module, line in imports(path):
        if not module.startswith("wasmjit."):
            continue
        target = package_of(module)
        if target not in LEVEL or own not in LEVEL or target == own or (own, target) in ALLOWED:
            continue
        if LEVEL[target] >= LEVEL[own]:
            wrong.append(f"line {line}: {own} imports {module}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_simulator_does_not_import_the_dashboard(path: Path) -> None:
    assert [m for m, _ in imports(path) if m.split(".")[0] in ("wasmjit_api", "api", "webui")] == []


def test_every_exception_is_used() -> None:
    used = set()
    for path in sources():
        own = package_of(".".join(["wasmjit", *path.relative_to(PACKAGE).with_suffix("").parts]))
        used |= {(own, package_of(m)) for m, _ in imports(path) if m.startswith("wasmjit.")}
    assert set(ALLOWED) <= used
