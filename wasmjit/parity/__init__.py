"""Interpret mode against compile mode: run both, compare everything that can be observed, keep the evidence.

`run_parity` does one design, `ParityJob` describes it, `verdict.json` in the bundle says what was found.
"""

from __future__ import annotations

from wasmjit.parity.compare import MODES, Verdict, compare_runs, normalise_messages
from wasmjit.parity.jobs import ParityJob, run_many, run_parity

__all__ = ["MODES", "ParityJob", "Verdict", "compare_runs", "normalise_messages", "run_many", "run_parity"]
