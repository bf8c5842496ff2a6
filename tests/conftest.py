"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from wasmjit.sem import passes

# A run of .ci/run shall say the same of the same tree; elsewhere every run draws new examples.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

passes.VERIFY = True

_SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the corpora (`designs`, `bench`, `conformance`, `suites`), beside the repository."""
    missing = [name for name in ("design", "designs", "bench", "conformance", "suites") if not (_SHARED / name).is_dir()]
    if missing:
        pytest.fail(f"the corpora are missing: {', '.join(str(_SHARED / name) for name in missing)} (expected beside the repository)")
    return _SHARED
