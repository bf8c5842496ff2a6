"""Runs the cases of a suite and writes the bundle: results.json, junit.xml, and the output of whatever did not pass."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from wasmjit.data import dataclass, field
from wasmjit.ir import IRError
from wasmjit.parity import ParityJob, run_parity
from wasmjit.parity.child import run_child, wasmjit_command
from wasmjit.report.record import safe_name
from wasmjit.suite.judge import WITHOUT_BENCH, CaseResult, judge
from wasmjit.suite.manifest import Case, Suite
from wasmjit.suite.stimulus import STIMULUS, NoStimulus, wrap

_INVALID_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd]")


@dataclass(slots=True)
class Settings:
    """mode: interpret, compile or both (then differences between them are failures too). Times in seconds and fs."""

    mode: str
    output: Path
    timeout_s: float = 20.0
    max_time_fs: int = 10**12
    jobs: int = 1
    options: list[str] = field(default_factory=list)


def run_suite(suite: Suite, cases: list[Case], settings: Settings, on_done: Callable[[CaseResult], None]) -> list[CaseResult]:
    """All cases; results in the order of the manifest."""
    results: dict[int, CaseResult] = {}
    with ThreadPoolExecutor(max_workers=max(1, settings.jobs)) as pool:
        waiting = {pool.submit(run_case, case, settings): n for n, case in enumerate(cases)}
        for done in as_completed(waiting):
            n = waiting[done]
            results[n] = done.result()
            on_done(results[n])
    return [results[n] for n in range(len(cases))]


def run_case(case: Case, settings: Settings) -> CaseResult:
    folder = settings.output / "cases" / safe_name(case.name.removesuffix(".mlir"), 120)
    folder.mkdir(parents=True, exist_ok=True)
    result = CaseResult(case, mode=settings.mode)
    options = [*settings.options, f"--timeout={settings.timeout_s:g}"]
    path = case.path
    if case.suite in WITHOUT_BENCH:
        try:
            path = folder / "driven.mlir"
            path.write_text(wrap(case.path, case.tops), encoding="utf-8", errors="surrogateescape")
            options.append(f"--top={STIMULUS}")
        except (NoStimulus, IRError) as e:
            # Without driven inputs there is still reading, elaboration and time 0.
            path = case.path
            result.details.append(f"not driven: {str(e).splitlines()[0]}")
            options += [f"--top={t}" for t in case.tops]
    else:
        options += [f"--max-time={settings.max_time_fs}", *(f"--top={t}" for t in case.tops)]
    if settings.mode == "both":
        both_modes(case, path, folder, options, settings, result)
    else:
        command = wasmjit_command("run", str(path), f"--mode={settings.mode}", "--no-progress", *options)
        done = run_child(command, folder / "stdout", folder / "stderr", 2 * settings.timeout_s + 10)
        result.exit_code, result.wall_s = done.exit_code, done.wall_s
        result.status, result.reason, more = judge(case, done.exit_code, done.timed_out, folder)
        result.details += more
    if result.status == "pass":
        shutil.rmtree(folder)
    return result


def both_modes(case: Case, path: Path, folder: Path, options: list[str], settings: Settings, result: CaseResult) -> None:
    verdict = run_parity(ParityJob(str(path), folder, options, timeout=2 * settings.timeout_s + 10))
    for mode in ("compile", "interpret"):
        code = int(verdict.runs[mode]["exit_code"])
        status, reason, more = judge(case, code, code == -9, folder / mode)
        if status != "pass":
            result.status, result.reason = status, f"{mode}: {reason}"
            result.details += more
        result.exit_code = max(result.exit_code, code)
    if not verdict.equal:
        result.status = "fail" if result.status == "pass" else result.status
        result.reason = result.reason or f"{verdict.total} differences between the modes"
        result.details += verdict.lines()[1:]


def write_bundle(suite: Suite, results: list[CaseResult], settings: Settings) -> dict[str, Any]:
    """results.json and junit.xml. Raises OSError."""
    counts = Counter(r.status for r in results)
    data = {
        "schema_version": 1,
        "suite": suite.name,
        "mode": settings.mode,
        "totals": {"cases": len(results), **{k: counts[k] for k in ("pass", "fail", "error", "skip")}},
        "reasons": dict(Counter(r.reason for r in results if r.status != "pass").most_common()),
        "cases": [r.as_json() for r in results],
    }
    settings.output.mkdir(parents=True, exist_ok=True)
    (settings.output / "results.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8", errors="replace")
    (settings.output / "junit.xml").write_text(junit(suite, results), encoding="utf-8", errors="replace")
    return data


def junit(suite: Suite, results: list[CaseResult]) -> str:
    """JUnit's XML, as continuous integration servers read it."""
    counts = Counter(r.status for r in results)
    root = ET.Element(
        "testsuite",
        {
            "name": suite.name, "tests": str(len(results)), "failures": str(counts["fail"]), "errors": str(counts["error"]), "skipped": str(counts["skip"]),
            "time": f"{sum(r.wall_s for r in results):.3f}",
        },
    )  # fmt: skip
    for r in results:
        element = ET.SubElement(root, "testcase", {"classname": f"{suite.name}.{Path(r.case.name).parent}", "name": Path(r.case.name).stem, "time": f"{r.wall_s:.3f}"})
        if r.status != "pass":
            tag = {"fail": "failure", "error": "error", "skip": "skipped"}[r.status]
            ET.SubElement(element, tag, {"message": _INVALID_XML.sub("\ufffd", r.reason)}).text = _INVALID_XML.sub("\ufffd", "\n".join(r.details))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"
