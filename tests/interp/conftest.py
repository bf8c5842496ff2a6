"""Every test of tier 0 runs with both forms of generated code."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from wasmjit.interp import compile_body


@pytest.fixture(scope="module", autouse=True, params=[False, True], ids=["full", "compact"])
def form(request: pytest.FixtureRequest) -> Iterator[None]:
    """`compile_body` makes that form where it is not told otherwise."""
    before = compile_body.__defaults__
    compile_body.__defaults__ = (False, request.param)
    yield
    compile_body.__defaults__ = before
