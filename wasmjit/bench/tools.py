"""The simulators that are compared: how a model is built and run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from wasmjit.bench.workloads import Workload
from wasmjit.data import dataclass

BUILD_TIMEOUT_S = 600


class BuildError(Exception):
    """A model could not be built; str() is the tool's complaint."""


@dataclass(slots=True)
class Tool:
    """`build` returns the command line of the model, to which `+argument=size` is added. Raises BuildError."""

    name: str
    version: str
    build: Callable[[Workload, Path, Path], list[str]]
    reference: bool = False


def available() -> list[Tool]:
    """wasmjit in both modes, and the reference simulators found on PATH."""
    tools = [
        Tool("interpret", "wasmjit", lambda w, folder, work: wasmjit_model(w, folder, "interpret")),
        Tool("compile", "wasmjit", lambda w, folder, work: wasmjit_model(w, folder, "compile")),
    ]
    if shutil.which("iverilog") and shutil.which("vvp"):
        tools.append(Tool("icarus", first_line(["iverilog", "-V"]), icarus_model, True))
    if shutil.which("verilator") and shutil.which("make") and (shutil.which("g++") or shutil.which("clang++")):
        tools.append(Tool("verilator", first_line(["verilator", "--version"]), verilator_model, True))
    return tools


def first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout.splitlines() or [""])[0].strip()


def wasmjit_model(w: Workload, folder: Path, mode: str) -> list[str]:
    path = folder / f"{w.name}.mlir"
    if not path.exists():
        raise BuildError(f"{path} does not exist")
    return [sys.executable, "-m", "wasmjit", "run", str(path), f"--mode={mode}", "-q", "--no-progress"]


def source(w: Workload, folder: Path) -> Path:
    path = folder / f"{w.name}.sv"
    if not path.exists():
        raise BuildError(f"{path} does not exist")
    return path


def icarus_model(w: Workload, folder: Path, work: Path) -> list[str]:
    if not w.icarus:
        raise BuildError("Icarus does not support what this workload uses")
    out = work / f"{w.name}.vvp"
    build(["iverilog", "-g2012", "-s", w.top, "-o", str(out), str(source(w, folder))])
    return ["vvp", "-n", str(out)]


def verilator_model(w: Workload, folder: Path, work: Path) -> list[str]:
    out = work / f"verilator-{w.name}"
    build(
        [
            "verilator", "--binary", "--timing", "-O3", "-Wno-fatal", "-Wno-lint", "--top-module", w.top, "-CFLAGS", "-O2",
            "--Mdir", str(out), "-o", "model", "-j", str(os.cpu_count() or 1), str(source(w, folder)),
        ]
    )  # fmt: skip
    return [str(out / "model")]


def build(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False)
    if done.returncode:
        text = (done.stderr or done.stdout).strip().splitlines()
        raise BuildError(f"{command[0]} failed: {text[0] if text else f'status {done.returncode}'}")
