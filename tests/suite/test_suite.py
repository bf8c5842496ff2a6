"""Downstream suites: manifests, judgement, stimulus, results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from suite_check import CAUSES, differences, read_known

from wasmjit.ir import parse_text
from wasmjit.suite.assertions import BadAssertion, assertions, holds
from wasmjit.suite.judge import CaseResult, judge
from wasmjit.suite.manifest import Case, Suite, SuiteError, load
from wasmjit.suite.runner import junit
from wasmjit.suite.stimulus import STIMULUS, NoStimulus, wrap

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def a_case(suite: str = "sv-tests", should_fail: bool = False) -> Case:
    return Case(suite, "a/b.mlir", Path("b.mlir"), "", "", should_fail, ())


def outcome(folder: Path, code: int, out: str = "", err: str = "", case: Case | None = None, late: bool = False) -> tuple[str, str, list[str]]:
    (folder / "stdout").write_text(out)
    (folder / "stderr").write_text(err)
    return judge(case or a_case(), code, late, folder)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(1 == 1)", True), ("(3 == 4)", False), ("('ab' == 'ab')", True), ("(0x0f == 15) and (2 != 3)", True), ("('Test' in 'My Test')", True), ("True", True),
        ("(-1 == -1)", True), ("(not False)", True), ("((1 + 2) * 3 == 9)", True), ("(1 < 2 < 2)", False),
        ("((( 1094861636 << 32) +  1162233672) ==  4702394921427289928)", True), ("(256 >> 8 == 2)", False),
    ],
)  # fmt: skip
def test_assertion_lines_are_python_expressions(text: str, expected: bool) -> None:
    assert holds(text) is expected


@pytest.mark.parametrize("text", ["__import__('os')", "(x == 1)", "(1 ==", "[].append(1)", "(1).real", "1 << 99999999", "1 << -1", "1.5 << 2", "2 ** 99999999"])
def test_anything_but_constants_is_refused(text: str) -> None:
    with pytest.raises(BadAssertion):
        holds(text)


def test_assertions_are_found_in_a_log() -> None:
    assert assertions("x\n:assert: (1 == 1)\nfoo :assert:(2 == 3)  \n") == ["(1 == 1)", "(2 == 3)"]


def test_a_false_assertion_fails_the_case(tmp_path: Path) -> None:
    assert outcome(tmp_path, 0, ":assert: (1 == 1)\n")[0] == "pass"
    assert outcome(tmp_path, 0, ":assert: (1 == 2)\n")[0] == "fail"
    assert outcome(tmp_path, 0, ":assert: (x)\n")[0] == "fail"


def test_cases_that_should_fail_pass_when_they_do(tmp_path: Path) -> None:
    assert outcome(tmp_path, 1, case=a_case(should_fail=True))[0] == "pass"
    assert outcome(tmp_path, 0, case=a_case(should_fail=True))[0] == "fail"


def test_crashes_and_hangs_are_errors_even_where_failure_is_expected(tmp_path: Path) -> None:
    for code in (70, -11, 139):
        assert outcome(tmp_path, code, case=a_case(should_fail=True))[0] == "error"
    assert outcome(tmp_path, -9, late=True)[0] == "error"


def test_uvm_errors_fail_but_their_zero_count_does_not(tmp_path: Path) -> None:
    case = a_case("verilator-verification")
    assert outcome(tmp_path, 0, "UVM_ERROR :    0\nUVM_FATAL :    0\n", case=case)[0] == "pass"
    assert outcome(tmp_path, 0, "UVM_ERROR a.sv(3) @ 0: bad\n", case=case)[0] == "fail"


def test_random_inputs_may_violate_assumptions_but_not_fail_to_elaborate(tmp_path: Path) -> None:
    case = a_case("yosys")
    assert outcome(tmp_path, 1, case=case)[0] == "pass"
    assert outcome(tmp_path, 2, case=case)[0] == "fail"


def test_stimulus_is_valid_mlir_that_drives_every_input_and_is_repeatable() -> None:
    path = EXAMPLES / "counter.mlir"
    text = wrap(path, ("counter",))
    design = parse_text(text, "x")
    assert STIMULUS in design.symbols
    drives = [line for line in text.split(STIMULUS, 1)[1].splitlines() if "llhd.drv" in line]
    assert len(drives) == 2 * 40
    assert wrap(path, ("counter",)) == text


def test_stimulus_needs_a_module() -> None:
    with pytest.raises(NoStimulus):
        wrap(EXAMPLES / "counter.mlir", ("nothing",))


def test_manifests_without_their_columns_or_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m.tsv").write_text("file\ttype\nx\ty\n")
    with pytest.raises(SuiteError, match="columns"):
        load(str(tmp_path / "m.tsv"), tmp_path, tmp_path)
    (tmp_path / "m.tsv").write_text("file\ttype\ttags\tshould_fail\ttops\nno.mlir\t\t\t\t\n")
    with pytest.raises(SuiteError, match=r"no\.mlir"):
        load(str(tmp_path / "m.tsv"), tmp_path, tmp_path)
    with pytest.raises(SuiteError, match="sv-tests"):
        load("unknown", tmp_path, tmp_path)


def test_the_public_suites_are_complete(shared: Path, tmp_path: Path) -> None:
    for name, count in (("sv-tests", 674), ("verilator-verification", 124), ("yosys", 287), ("opentitan", 271)):
        assert len(load(name, shared / "suites", tmp_path).cases) == count


def test_junit_counts_and_explains() -> None:
    case = a_case()
    results = [CaseResult(case), CaseResult(case, "fail", "why \x01", details=["line"]), CaseResult(case, "error", "crash")]
    root = ET.fromstring(junit(Suite("s", (case,)), results))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "1", "1")
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.text == "line"


def test_a_manifest_runs_in_both_modes_and_leaves_a_bundle(tmp_path: Path) -> None:
    rows = ["file\ttype\ttags\tshould_fail\ttops", f"{EXAMPLES}/gray.mlir\t\t\t\ttb", f"{EXAMPLES}/wide.mlir\t\t\tyes\ttb"]
    (tmp_path / "own.tsv").write_text("\n".join(rows) + "\n")
    command = [sys.executable, "-m", "wasmjit", "suite", str(tmp_path / "own.tsv"), "--mode=both", "-o", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=dict(os.environ))
    assert done.returncode == 1, done.stderr
    data = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [c["status"] for c in data["cases"]] == ["pass", "fail"]
    assert (tmp_path / "out" / "junit.xml").exists()


def test_listed_failures_are_cases_of_the_suites_with_a_cause_and_a_reason(shared: Path) -> None:
    for (suite, file), (cause, reason) in read_known().items():
        rows = (shared / "suites" / f"{suite}.tsv").read_text(encoding="utf-8").splitlines()
        assert any(row.split("\t")[0] == file for row in rows), file
        assert cause in CAUSES and reason


def test_a_bundle_is_compared_with_the_list_both_ways() -> None:
    known = {("s", "a"): ("translation", "lost"), ("s", "b"): ("accepted", "kept")}
    cases = [{"suite": "s", "name": n, "status": status, "reason": ""} for n, status in (("a", "fail"), ("b", "pass"), ("c", "fail"), ("d", "pass"), ("a", "error"))]
    assert [line.split(":")[0] for line in differences(cases, known)] == ["passes", "fail", "error"]
