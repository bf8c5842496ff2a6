from __future__ import annotations

from pathlib import Path

import pytest
from fake_runtime import FakeRuntime


@pytest.fixture
def rt(tmp_path: Path) -> FakeRuntime:
    """A fresh run whose files live in a temporary directory."""
    return FakeRuntime(tmp_path)
