"""A dashboard application over recorded runs, asked without a network."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import synthetic
from starlette.testclient import TestClient
from wasmjit_api.config import Settings
from wasmjit_api.main import create_app


@dataclass
class Api:
    """A client of the application; `wait_waves` asks until a waveform is indexed."""

    client: TestClient
    runs: Path
    designs: Path
    ids: dict[str, str]

    def get(self, path: str, **params: Any) -> Any:
        return self.client.get(path, params=params or None)

    def wait_waves(self, run_id: str) -> dict[str, Any]:
        while True:
            state: dict[str, Any] = self.get(f"/api/runs/{run_id}/waves").json()
            if state.get("state") != "indexing":
                return state


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    root = tmp_path_factory.mktemp("api")
    runs, designs = root / "runs", root / "designs"
    ids = synthetic.make_runs(runs, blocks=3, cycles=300)
    designs.mkdir()
    (designs / "counter.mlir").write_text(synthetic.MLIR)
    (designs / "notes.txt").write_text("not a design")
    (designs / "away.mlir").symlink_to("/etc/hostname")
    app = create_app(Settings(runs, designs_dir=designs, scan_interval_s=0.2, max_upload=4 << 20))
    with TestClient(app, base_url="http://127.0.0.1:8787") as client:
        app.state.context.store.scan()
        yield Api(client, runs, designs, ids)
