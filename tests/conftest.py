"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from wasmjit.sem import passes

# A run of .ci/run shall say the same of the same tree; elsewhere every run draws new examples.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

passes.VERIFY = True

# A shell starts what it runs in the background with SIGINT ignored, and so would every child of the tests be; some tests press Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the corpora (`designs`, `bench`, `conformance`, `suites`), beside the repository."""
    missing = [name for name in ("design", "designs", "bench", "conformance", "suites") if not (_SHARED / name).is_dir()]
    if missing:
        pytest.fail(f"the corpora are missing: {', '.join(str(_SHARED / name) for name in missing)} (expected beside the repository)")
    return _SHARED
