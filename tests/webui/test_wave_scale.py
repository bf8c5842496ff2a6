"""Runs with very many differences and events stay drawable: what is drawn per frame depends on pixels, not on events."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from synthetic import Vcd

from wasmjit.report.record import RunRecorder

pytestmark = pytest.mark.browser


def test_a_comparison_with_many_differences_merges_them_on_the_band(page: Any) -> None:
    ids = []
    for flip in (0, 1):
        record = RunRecorder(page.server.runs, design=f"toggle{flip}.mlir", mode="compile")
        vcd = Vcd(record.waves_path("vcd"))
        names = [f"tb.s{n}" for n in range(8)]
        for name in names:
            vcd.var(name)
        for step in range(3000):
            for n, name in enumerate(names):
                vcd.set(step * 1000, name, (step >> (n % 3) & 1) ^ (flip if step % 5 == n % 5 else 0))
        vcd.close(3_000_000)
        record.finish({"exit_code": 0, "final_time_fs": 3_000_000})
        ids.append(record.run_id)
    page.open(f"compare/{ids[0]}/{ids[1]}", "wave-canvas")
    assert "8 of 8 signals differ" in page.expect_text("diff-summary", "differ")
    intervals = page.js("return wasmjit.controller.comparison.differing.reduce((n, r) => n + r.intervals.length, 0)")
    assert intervals > 2000
    band = page.js("return wasmjit.controller.band")
    assert len(band) < intervals and all(a[1] < b[0] for a, b in itertools.pairwise(band))
    for key, bigger in (("diff-next", True), ("diff-next", True), ("diff-prev", False)):
        before = page.js("return wasmjit.controller.model.cursor")
        page.click(key)
        page.until(lambda b=before, up=bigger: (page.js("return wasmjit.controller.model.cursor") > b) is up)
