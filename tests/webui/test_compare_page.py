"""Two recorded runs overlaid: differences, who drove them, and what all panels share."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recorded import record
from wave_view import changes, model, press

from wasmjit.report.record import RunRecorder

pytestmark = pytest.mark.browser


def inject(path: Path, signal: str, nth: int) -> tuple[int, int | None]:
    """Flip the lowest bit of the `nth` change of a signal in a VCD; the time of that change and of the next one, fs."""
    lines = path.read_text().splitlines()
    (code,) = {line.split()[3] for line in lines if line.startswith("$var") and line.split()[4] == signal}
    time = count = 0
    at = None
    for n, line in enumerate(lines):
        if line.startswith("#"):
            time = int(line[1:])
        elif line.startswith("b") and line.split()[1] == code:
            count += 1
            if count == nth:
                bits = line.split()[0]
                lines[n] = f"{bits[:-1]}{1 - int(bits[-1])} {code}"
                at = time
            elif at is not None:
                path.write_text("\n".join(lines) + "\n")
                return at, time
    assert at is not None, f"{signal} has only {count} changes"
    path.write_text("\n".join(lines) + "\n")
    return at, None


@pytest.fixture(scope="session")
def altered(server: Any) -> Callable[[str, str, int], tuple[str, int, int | None]]:
    """A copy of a recorded run with one injected difference: (its id, begin and end of the difference)."""

    def make(role: str, signal: str, nth: int) -> tuple[str, int, int | None]:
        source = server.ids[role]
        name = f"{source}-{signal}-{nth}"
        copy = server.runs.parent / name
        shutil.copytree(server.runs / source, copy, ignore=shutil.ignore_patterns(".waves*", ".diff*"))
        begin, end = inject(copy / "waves.vcd", signal, nth)
        meta = json.loads((copy / "run.json").read_text())
        (copy / "run.json").write_text(json.dumps({**meta, "id": name}))
        copy.rename(server.runs / name)
        return name, begin, end

    return make


@pytest.fixture(scope="session")
def wrong(altered: Any) -> tuple[str, int, int]:
    return altered("sha_compile", "e_reg", 40)  # type: ignore[no-any-return]


@pytest.fixture
def compare(page: Any, sha: tuple[str, str], wrong: tuple[str, int, int]) -> Any:
    page.open(f"compare/{sha[0]}/{wrong[0]}", "wave-canvas")
    page.until(lambda: page.js("return wasmjit.controller.sources.every(s => s.rows.size > 2)"))
    return page


def test_both_modes_of_sha256_are_equal(page: Any, sha: tuple[str, str]) -> None:
    page.open(f"compare/{sha[0]}/{sha[1]}", "wave-canvas")
    assert "equal over the whole run" in page.text("diff-summary")
    assert "takes the same values" in page.text("difflist")


def test_the_comparison_starts_at_the_one_injected_difference_with_driver_and_tiers(compare: Any, wrong: tuple[str, int, int]) -> None:
    assert "1 of 115 signals differ" in compare.text("diff-summary")
    assert model(compare, "model.cursor") == wrong[1]
    assert "e_reg" in compare.text("[data-testid=difflist] button")
    driver = compare.expect_text("driver", "last driven by")
    # One register, interpreted in A and compiled in B.
    assert "sha256_core.commit0" in driver and driver.index("interpret") < driver.index("compile")
    intervals = compare.js("return wasmjit.controller.comparison.differing[0].intervals")
    assert intervals == [[wrong[1], wrong[2]]]


def test_the_only_difference_has_no_next_and_no_previous_one(compare: Any, wrong: tuple[str, int, int]) -> None:
    for key in ("diff-next", "diff-prev"):
        compare.click(key)
        compare.expect_text("toast", f"No {'next' if key == 'diff-next' else 'previous'} difference")
    compare.click("fit")
    compare.js("wasmjit.controller.model.setCursor(0)")
    press(compare, "n")
    compare.until(lambda: model(compare, "model.cursor") == wrong[1])
    press(compare, "N", shiftKey=True)
    assert model(compare, "model.cursor") == wrong[1]


def test_the_difference_is_marked_on_the_band_and_in_the_row(compare: Any, wrong: tuple[str, int, int]) -> None:
    begin, end = wrong[1:]
    row = model(compare, "model.signals().find(r => r.path === 'tb.dut.e_reg').id")
    compare.until(lambda: "differs" in compare.find(f'[data-value="{row}"] .two').get_attribute("class"))
    left, right = compare.js("return wasmjit.controller.band[0]")
    assert (left, right) == (begin, end)
    compare.js("wasmjit.controller.model.setView(0, arguments[0])", begin - 100e6)
    compare.until(lambda: len(compare.colours("[data-testid=band] canvas")) == 1)
    compare.click("fit")
    compare.until(lambda: len(compare.colours("[data-testid=band] canvas")) > 1)
    compare.js("wasmjit.controller.model.setCursor(arguments[0])", end)
    compare.until(lambda: "differs" not in compare.find(f'[data-value="{row}"] .two').get_attribute("class"))


def test_a_wrong_constant_in_the_design_is_found_at_its_first_use(page: Any, sha: tuple[str, str], shared: Path, tmp_path: Path) -> None:
    text = (shared / "designs" / "sha256.mlir").read_text()
    assert text.count("[1899447441 : i32, 0 : i32]") == 1
    design = tmp_path / "sha256.mlir"
    design.write_text(text.replace("[1899447441 : i32, 0 : i32]", "[1899447440 : i32, 0 : i32]"))
    page.open(f"compare/{sha[0]}/{record(page.server, design)}", "wave-canvas")
    first = page.text("[data-testid=difflist] button")
    starts = page.js("return wasmjit.controller.comparison.differing.map(r => r.first)")
    assert starts == sorted(starts) and page.js("return wasmjit.controller.model.cursor") == starts[0] > 0
    assert any(row["signal"].endswith("k_data") and row["first"] == starts[0] for row in page.js("return wasmjit.controller.comparison.differing.map(r => ({signal: r.signal, first: r.first}))"))
    assert "A " in first and "B " in first
    page.expect_text("driver", "driven by")
    edges = sorted({edge for row in page.js("return wasmjit.controller.comparison.differing.map(r => r.intervals)") for edge, _ in row})
    for key, ahead in (("diff-next", 1), ("diff-next", 1), ("diff-prev", -1), ("diff-prev", -1)):
        now = page.js("return wasmjit.controller.model.cursor")
        page.click(key)
        page.until(lambda now=now, ahead=ahead: (page.js("return wasmjit.controller.model.cursor") - now) * ahead > 0)
        assert page.js("return wasmjit.controller.model.cursor") in edges
    assert page.js("return wasmjit.controller.model.cursor") == starts[0]
    signal = page.js("return wasmjit.controller.comparison.differing[20].signal")
    page.click(f'[data-signal="{signal}"]')
    assert model(page, "model.current().path") == signal and model(page, "model.cursor") == starts[20]
    shown = page.js("const m = wasmjit.controller.model; return m.signals().map(r => m.nameOf(r))")
    assert len(set(shown)) == len(shown)
    page.click("side-signals")
    page.find("signal-search")


def test_a_signal_that_branches_of_a_fork_and_their_parent_drive_names_the_right_one(page: Any, altered: Any) -> None:
    """bench/behave: `total` is added to by a branch at 2, 4 ... ns of each round, and by the parent at its end. Both modes agree on who did it."""
    # The rounds take max(7, 2 (r mod 7)) ns: 7, 7, 7, 7, 8, 10, 12 and again. The first ends at 7 ns without an addition, the second at 14 ns with one of 1.
    run, begin, _ = altered("behave", "total", 3)
    page.open(f"compare/{page.server.ids['behave']}/{run}", "wave-canvas")
    assert model(page, "model.cursor") == begin
    times = [t for t, _ in changes(page.server.runs / page.server.ids["behave"] / "waves.vcd", "tb.total")]
    page.js("const m = wasmjit.controller.model; m.select(m.signals().find(r => r.path === 'tb.total').id)")
    expected = {14_000_000: "llhd_process_2", 18_000_000: "tb.process3.fork2", 21_000_000: "llhd_process_2", 25_000_000: "tb.process3.fork2", 27_000_000: "tb.process3.fork2"}
    for time, driver in expected.items():
        assert time in times
        page.js("wasmjit.controller.model.setCursor(arguments[0])", time)
        text = page.until(lambda driver=driver: (t := page.text("driver")) and driver in t and t, f"{driver} at {time}")
        assert "last driven by" in text and ("branch of a fork" in text) == ("fork2" in driver)
    # Between two changes it is still the last one.
    page.js("wasmjit.controller.model.setCursor(arguments[0])", 26_000_000)
    page.until(lambda: "fork2" in page.text("driver"))
    page.until(lambda: "changed at 25 ns" in page.find("driver").get_attribute("title"))


def test_of_a_net_with_two_drivers_the_instance_that_drove_last_is_named(page: Any) -> None:
    page.open(f"run/{page.server.ids['bus']}/waves", "wave-canvas")
    page.js("const m = wasmjit.controller.model; m.select(m.signals().find(r => r.path === 'tb.bus').id)")
    for step, instance in ((1, "tb.left"), (2, "tb.right"), (5, "tb.left"), (6, "tb.right"), (9, "tb.left")):
        page.js("wasmjit.controller.model.setCursor(arguments[0])", step * 1_000_000)
        page.until(lambda instance=instance: instance in page.text("driver"), f"{instance} at {step} ns")
        assert "1 other driver" in page.text("driver")


def test_a_deopt_at_the_moment_of_the_drive_is_named_with_the_interpreter(page: Any, pico: str) -> None:
    data = json.loads((page.server.runs / pico / "report.json").read_text())["deopts"]
    clock = next(p for p in data if p["process_name"] == "llhd_process_0" and p["sim_time_fs"] > 1_000_000_000)
    times = {t for t, _ in changes(page.server.runs / pico / "waves.vcd", "testbench.clk")}
    assert clock["sim_time_fs"] in times
    page.open(f"run/{pico}/waves", "wave-canvas")
    page.js("const m = wasmjit.controller.model; m.select(m.signals().find(r => r.path === 'testbench.clk').id); m.setCursor(arguments[0])", clock["sim_time_fs"])
    page.until(lambda: "interpret" in page.text("driver") and f"deopt {data.index(clock)} here" in page.text("driver"))
    deopts = {d["sim_time_fs"] for d in data if d["process_name"] == "llhd_process_0"}
    other = next(t for t in sorted(times) if t > clock["sim_time_fs"] and t not in deopts)
    page.js("wasmjit.controller.model.setCursor(arguments[0])", other)
    page.until(lambda: "compile" in page.text("driver") and "deopt" not in page.text("driver"))


def test_waves_deopt_lane_and_log_share_one_time_axis(page: Any, pico: str, altered: Any) -> None:
    other, begin, _ = altered("pico", "mem_addr", 30)
    page.open(f"compare/{pico}/{other}", "wave-canvas")
    page.find("jit-lane")
    page.click("toggle-log")
    page.until(lambda: len(page.css("[data-testid=stamp]")) > 5)
    page.click("[data-testid=stamp]", 3)
    page.until(lambda: model(page, "model.cursor") not in (None, begin))
    cursor = model(page, "model.cursor")
    page.find(".log .line.now")
    left, right = model(page, "[model.t0, model.t1]")
    assert left <= cursor <= right
    # Lanes, band and waves have the cursor at the same pixel.
    place = """const [selector, t] = arguments; const m = wasmjit.controller.model; const c = document.querySelector(selector); const box = c.getBoundingClientRect();
        return box.left + (t - m.t0) / m.span * box.width;"""
    at = [page.js(place, selector, cursor) for selector in ("[data-testid=wave-canvas]", "[data-testid=jit-lane] canvas", "[data-testid=band] canvas")]
    assert max(at) - min(at) < 1
    deopt = page.js("return fetch(`/api/runs/${arguments[0]}/deopts?begin=2000000000`).then(r => r.json()).then(b => b.deopts[0].time_fs)", pico)
    page.js("wasmjit.controller.model.setView(arguments[0] - 1e8, arguments[0] + 1e8)", deopt)
    x = page.js("return document.querySelector('[data-testid=jit-lane] canvas').clientWidth") / 2

    def clicked() -> bool:
        page.drag("[data-testid=jit-lane] canvas", (x + 1, 5), (x + 1, 5))
        return bool(model(page, "model.cursor") == deopt)

    page.until(clicked)


def test_dumps_in_different_units_of_time_are_pointed_out(page: Any) -> None:
    ids = []
    for unit in ("ns", "ps"):
        record = RunRecorder(page.server.runs, design=f"unit_{unit}.mlir", mode="compile")
        record.waves_path("vcd").write_text(f"$timescale 1 {unit} $end $scope module tb $end $var wire 1 ! a $end $upscope $end $enddefinitions $end\n#0\n0!\n#5\n1!\n#9\n0!\n")
        record.finish({"exit_code": 0})
        ids.append(record.run_id)
    page.open(f"compare/{ids[0]}/{ids[1]}", "wave-canvas")
    assert "10^3 times as late" in page.text("compare-hint")
