"""Flags and environment of the compile tier: which one wins, and what an invalid value does (interface.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from runner import EXAMPLES, wasmjit

DESIGN = EXAMPLES / "counter.mlir"


def config(tmp_path: Path, *flags: str, **env: str) -> tuple[dict[str, Any], str]:
    """(jit_config of the report, standard error) of a run."""
    report = tmp_path / "report.json"
    done = wasmjit("run", DESIGN, f"--jit-report={report}", *flags, **env)
    assert done.returncode == 0, done.stderr
    return json.loads(report.read_text())["jit_config"], done.stderr


DEFAULT = {"hot_threshold": 1, "compile_budget": 100000, "cache_policy": "memory", "fail_on_deopt": 0}

NAMES = [
    ("JIT_HOT_THRESHOLD", "--jit-hot-threshold", "hot_threshold", "3", 3, "4", 4),
    ("JIT_COMPILE_BUDGET", "--jit-compile-budget", "compile_budget", "7", 7, "-1", -1),
    ("JIT_CACHE_POLICY", "--jit-cache-policy", "cache_policy", "none", "none", "disk", "disk"),
]


@pytest.mark.parametrize(("name", "flag", "key", "a", "a_value", "b", "b_value"), NAMES)
def test_a_flag_beats_wasmjit_which_beats_circt_sim(
    tmp_path: Path, name: str, flag: str, key: str, a: str, a_value: object, b: str, b_value: object
) -> None:
    cache = {"XDG_CACHE_HOME": str(tmp_path)}
    assert config(tmp_path, **{f"CIRCT_SIM_{name}": a}, **cache)[0] == DEFAULT | {key: a_value}
    assert config(tmp_path, **{f"CIRCT_SIM_{name}": a, f"WASMJIT_{name}": b}, **cache)[0] == DEFAULT | {key: b_value}
    assert config(tmp_path, f"{flag}={a}", **{f"WASMJIT_{name}": b}, **cache)[0] == DEFAULT | {key: a_value}


@pytest.mark.parametrize("prefix", ["CIRCT_SIM_", "WASMJIT_"])
def test_strict_mode_comes_from_the_environment(tmp_path: Path, prefix: str) -> None:
    done = wasmjit("run", DESIGN, "--jit-compile-budget=0", **{f"{prefix}JIT_FAIL_ON_DEOPT": "1"})
    assert done.returncode == 1 and "Strict JIT policy violation: deopts_total=" in done.stderr
    assert "detail=compile_budget_zero" in done.stderr
    assert wasmjit("run", DESIGN, "--jit-compile-budget=0", **{f"{prefix}JIT_FAIL_ON_DEOPT": "off"}).returncode == 0


@pytest.mark.parametrize("prefix", ["CIRCT_SIM_", "WASMJIT_"])
def test_the_report_path_comes_from_the_environment(tmp_path: Path, prefix: str) -> None:
    path = tmp_path / "r.json"
    assert wasmjit("run", DESIGN, **{f"{prefix}JIT_REPORT_PATH": str(path)}).returncode == 0
    assert json.loads(path.read_text())["jit_config"] == DEFAULT


INVALID = [
    ("JIT_HOT_THRESHOLD", "soon", "(expected a number that is not negative); using '1'"),
    ("JIT_HOT_THRESHOLD", "-2", "(expected a number that is not negative); using '1'"),
    ("JIT_COMPILE_BUDGET", "-2", "(expected a number, -1 for unlimited); using '100000'"),
    ("JIT_CACHE_POLICY", "bogus", "(expected 'memory' or 'none'); using 'memory' ('disk' is accepted too)"),
    ("JIT_FAIL_ON_DEOPT", "perhaps", "(expected 0 or 1, true or false, yes or no, on or off); using 'False'"),
]


@pytest.mark.parametrize("prefix", ["CIRCT_SIM_", "WASMJIT_"])
@pytest.mark.parametrize(("name", "value", "text"), INVALID)
def test_an_invalid_value_is_a_warning_and_the_default_is_used(tmp_path: Path, prefix: str, name: str, value: str, text: str) -> None:
    got, said = config(tmp_path, **{prefix + name: value})
    assert got == DEFAULT
    assert f"[wasmjit] Warning: invalid {prefix}{name}='{value}' {text}" in said


def test_an_invalid_flag_is_a_warning_too(tmp_path: Path) -> None:
    got, said = config(tmp_path, "--jit-cache-policy=bogus", WASMJIT_JIT_CACHE_POLICY="none")
    assert got == DEFAULT and "Warning: invalid --jit-cache-policy='bogus'" in said


@pytest.mark.parametrize("env", [{"CIRCT_SIM_JIT_FORCE_DEOPT_REQUEST": "1"}, {"WASMJIT_FORCE_DEOPT": "once"}])
def test_a_forced_deopt_is_recorded_and_fails_a_strict_run(env: dict[str, str]) -> None:
    done = wasmjit("run", DESIGN, "--jit-fail-on-deopt", **env)
    assert done.returncode == 1 and "deopts_total=1" in done.stderr and "reason=guard_failed detail=forced" in done.stderr
    assert done.stdout == (EXAMPLES / "counter.gold").read_text()


def test_verbose_two_prints_the_decisions() -> None:
    done = wasmjit("run", DESIGN, "-v", "2", "--jit-hot-threshold=3")
    lines = done.stderr.splitlines()
    assert any(line.startswith("[wasmjit] compile ") for line in lines) and any("missing_thunk:below_hot_threshold" in line for line in lines)
    assert any(line.startswith("[wasmjit] install ") for line in lines)


def test_the_second_run_from_the_disk_cache_compiles_nothing(tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    counts = []
    for _ in range(2):
        wasmjit("run", DESIGN, "--jit-cache-policy=disk", f"--jit-report={report}", XDG_CACHE_HOME=str(tmp_path / "cache"))
        got = json.loads(report.read_text())
        counts.append((got["jit"]["jit_compiles_total"], sum(e["kind"] == "cache_hit" for e in got["timeline"])))
    assert counts == [(1, 0), (0, 1)]
    assert (tmp_path / "cache" / "wasmjit").stat().st_mode & 0o777 == 0o700


def test_a_coverage_file_is_written_also_when_nothing_else_was_asked_for(tmp_path: Path) -> None:
    done = wasmjit("run", DESIGN, f"--coverage={tmp_path / 'coverage.json'}")
    assert done.returncode == 0, done.stderr
    assert "covergroups" in json.loads((tmp_path / "coverage.json").read_text())
