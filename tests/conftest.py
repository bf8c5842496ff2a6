"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasmjit.sem import passes

passes.VERIFY = True

_SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the corpora (`designs`, `bench`, `conformance`, `suites`), beside the repository."""
    missing = [name for name in ("design", "designs", "bench", "conformance", "suites") if not (_SHARED / name).is_dir()]
    if missing:
        pytest.fail(f"the corpora are missing: {', '.join(str(_SHARED / name) for name in missing)} (expected beside the repository)")
    return _SHARED
