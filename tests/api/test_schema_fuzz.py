"""Requests made from the OpenAPI description: no server error, no undocumented answer, no answer of the wrong shape."""

from __future__ import annotations

from typing import Any

import pytest
import synthetic
from wasmjit_api.config import Settings
from wasmjit_api.main import create_app

schemathesis = pytest.importorskip("schemathesis")
from hypothesis import HealthCheck, given, settings


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("fuzz")
    (root / "designs").mkdir()
    synthetic.make_runs(root / "runs", blocks=1, cycles=60, live=False)
    app = create_app(Settings(root / "runs", designs_dir=root / "designs", max_upload=1 << 16))
    app.state.context.store.scan()
    # /api/events never ends by design; it has its own test. Host and Origin are checked before anything else, also tested there.
    return schemathesis.openapi.from_asgi("/api/openapi.json", app, headers={"host": "127.0.0.1"}).exclude(path="/api/events")


def test_the_server_answers_as_its_description_says(schema: Any) -> None:
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 30
    for operation in operations:

        @given(case=operation.as_strategy())
        @settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        def check(case: Any) -> None:
            case.call_and_validate(headers={"host": "127.0.0.1"})

        check()
