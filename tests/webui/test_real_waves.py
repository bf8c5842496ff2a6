"""The waveform page on recorded runs of the simulator: everything a user does with picorv32 and sha256."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from wave_view import changes, model, paths, press, select

pywellen = pytest.importorskip("pywellen")
pytestmark = pytest.mark.browser


@pytest.fixture
def waves(page: Any, pico: str) -> Any:
    page.open(f"run/{pico}/waves", "wave-canvas")
    page.until(lambda: page.js("return wasmjit.controller.sources[0].rows.size") > 5)
    return page


def test_signals_are_searched_added_ordered_and_grouped(waves: Any) -> None:
    assert paths(waves)[:2] == ["testbench.clk", "testbench.resetn"]
    waves.type("signal-search", "uutregpc")
    waves.until(lambda: "reg_pc" in waves.text("[data-testid=tree] .item"))
    waves.find("signal-search").send_keys("\ue007")
    waves.until(lambda: "testbench.uut.reg_pc" in paths(waves))
    waves.click("signal-regex")
    waves.type("signal-search", r"uut\.reg_op[12]$")
    waves.until(lambda: len(waves.css("[data-testid=tree] .item")) == 2)
    waves.drop('[data-path="testbench.uut.reg_op1"]', f'.names [data-row="{model(waves, "model.signals()[0].id")}"]')
    waves.until(lambda: paths(waves)[0] == "testbench.uut.reg_op1")
    select(waves, "testbench.uut.reg_op1")
    press(waves, "ArrowDown", altKey=True)
    waves.until(lambda: paths(waves)[:2] == ["testbench.clk", "testbench.uut.reg_op1"])
    press(waves, "g")
    waves.until(lambda: "Group" in waves.text(".names .row.group"))
    press(waves, "z", ctrlKey=True)
    waves.gone(".names .row.group")


def test_values_are_shown_in_every_radix_with_bits_and_as_a_curve_and_x_is_red(waves: Any, pico: str) -> None:
    vcd = waves.server.runs / pico / "waves.vcd"
    address = changes(vcd, "testbench.mem_addr")
    when, value = next((t, v) for t, v in address if isinstance(v, int) and v > 8)
    select(waves, "testbench.mem_addr")
    waves.js("wasmjit.controller.model.setCursor(arguments[0], true)", when)
    row = model(waves, "model.current().id")
    for radix, text in (("hex", f"{value:08x}"), ("bin", f"{value:032b}"), ("unsigned", str(value)), ("oct", f"{value:011o}"), ("signed", str(value))):
        waves.find("radix").find_element("css selector", f"option[value={radix}]").click()
        waves.until(lambda text=text: waves.text(f'[data-value="{row}"]') == text, f"{radix} is not {text}")
    press(waves, "e")
    waves.until(lambda: len([r for r in waves.css(".names .row") if r.text.strip().startswith("[")]) > 10)
    press(waves, "e")
    waves.find("analog").find_element("css selector", "option[value=step]").click()
    waves.until(lambda: waves.js("return [...wasmjit.controller.sources[0].rows.keys()].some(k => String(k).startsWith('a:'))"))
    waves.js("localStorage.setItem('wasmjit.theme', '\"light\"')")
    waves.driver.refresh()
    waves.until(lambda: (208, 40, 30) in waves.colours("wave-canvas"))


def test_zoom_pan_minimap_and_snapping_follow_the_pointer(waves: Any, pico: str) -> None:
    clock = [t for t, _ in changes(waves.server.runs / pico / "waves.vcd", "testbench.clk")]
    width = waves.js("return document.querySelector('canvas.main').clientWidth")
    before = model(waves, f"model.t0 + model.span * {200 / width}")
    for _ in range(4):
        waves.wheel("wave-canvas", 200, 60, -200)
    span = model(waves, "model.span")
    assert span < model(waves, "model.end") / 5 and abs(model(waves, f"model.t0 + model.span * {200 / width}") - before) < span / 50
    t0 = model(waves, "model.t0")
    waves.drag("wave-canvas", (300, 60), (200, 60), shift=True)
    assert model(waves, "model.t0") > t0
    waves.drag("[data-testid=minimap] canvas", (width * 0.8, 10), (width * 0.82, 10))
    assert model(waves, "model.t0") > model(waves, "model.end") * 0.5
    waves.js("wasmjit.controller.model.setView(2e9, 2.2e9)")
    waves.until(lambda: waves.js("return wasmjit.controller.sources[0].t1 >= 2.2e9 && wasmjit.controller.sources[0].t1 - wasmjit.controller.sources[0].t0 < 1e9"))
    edge = next(t for t in clock if t > 2_100_000_000)
    x = (edge - 2e9) / 2e8 * width + 3
    waves.drag("wave-canvas", (x, 44), (x, 44))
    assert model(waves, "model.cursor") == edge
    waves.click("fit")
    assert model(waves, "[model.t0, model.t1]") == [model(waves, "model.begin"), model(waves, "model.end")]


def test_edges_values_markers_and_the_palette_move_the_cursor_where_the_dump_says(waves: Any, pico: str) -> None:
    vcd = waves.server.runs / pico / "waves.vcd"
    reset = changes(vcd, "testbench.resetn")
    data = changes(vcd, "testbench.mem_wdata")
    select(waves, "testbench.resetn")
    waves.js("wasmjit.controller.model.setCursor(0)")
    waves.click("next-edge")
    waves.until(lambda: model(waves, "model.cursor") == reset[1][0])
    waves.click("add-marker")
    select(waves, "testbench.mem_wdata")
    press(waves, "v")
    waves.type("find-input", "0x5")
    waves.click("find-next")
    at = next(t for t, v in data if v == 5 and t > reset[1][0])
    waves.until(lambda: model(waves, "model.cursor") == at)
    waves.driver.switch_to.active_element.send_keys("\ue00c")
    waves.gone(".dialog")
    delta = (at - reset[1][0]) / 1e6
    waves.until(lambda: abs(float(waves.text("delta-1").split()[0]) * {"ns": 1, "µs": 1000}[waves.text("delta-1").split()[1]] - delta) < 0.01)
    press(waves, " ")
    waves.type("[data-testid=palette] input", "3.5us\ue007")
    waves.until(lambda: model(waves, "model.cursor") == 3_500_000_000)
    view = model(waves, "[model.cursor, model.markers[1]]")
    waves.until(lambda: "c=3500000000" in waves.driver.current_url and "rows=" in waves.driver.current_url)
    waves.driver.refresh()
    waves.until(lambda: waves.js("return window.wasmjit?.controller.model.cursor") == 3_500_000_000)
    assert model(waves, "[model.cursor, model.markers[1]]") == view
    waves.click("view-menu")
    waves.css(".menu-list button")[0].click()
    saved = waves.downloaded(".wasmjit-view.json")
    waves.js("const m = wasmjit.controller.model; m.remove(m.signals().map(r => r.id))")
    waves.find("restore-file").send_keys(str(saved))
    waves.until(lambda: "testbench.mem_wdata" in paths(waves))


def test_exports_hold_what_the_dump_holds(waves: Any, pico: str) -> None:
    vcd = waves.server.runs / pico / "waves.vcd"
    begin, end = 2_000_000_000, 4_000_000_000
    select(waves, "testbench.mem_wdata")
    waves.js(f"wasmjit.controller.model.setMarker(1, {begin}); wasmjit.controller.model.setMarker(2, {end})")
    expected = [(t, v) for t, v in changes(vcd, "testbench.mem_wdata") if begin < t <= end]
    assert len(expected) > 5
    for label, suffix in (("Selection as VCD", ".selection.vcd"), ("Selection as FST", ".selection.fst")):
        waves.click("export-menu")
        next(button for button in waves.css(".menu-list button") if button.text == label).click()
        found = changes(waves.downloaded(suffix), "testbench.mem_wdata")
        assert [(t, v) for t, v in found if t > begin] == expected, label
    for label, suffix, head in (("PNG of the view", ".png", b"\x89PNG"), ("GTKWave save file", ".gtkw", b"[*]"), ("Surfer command file", ".sucl", b"load_file")):
        waves.click("export-menu")
        next(button for button in waves.css(".menu-list button") if button.text == label).click()
        assert waves.downloaded(suffix).read_bytes().startswith(head), label
    waves.open(f"run/{pico}/deopts", "lanes-canvas")
    report = json.loads((waves.server.runs / pico / "report.json").read_text())
    waves.click("deopt-export")
    waves.css(".menu-list button")[0].click()
    trace = json.loads(waves.downloaded(".perfetto.json").read_text())["traceEvents"]
    assert sum(e["ph"] == "i" and e["name"] == "deopt" for e in trace) == report["jit"]["jit_deopts_total"]
    waves.click("deopt-export")
    waves.css(".menu-list button")[1].click()
    tiers = pywellen.Waveform(str(waves.downloaded(".tiers.vcd")))
    assert {v.full_name.split(".")[1] for v in tiers.all_vars()} == {p["process_name"] for p in report["processes"]}


def test_an_fst_file_of_a_run_is_opened_and_equals_its_vcd(page: Any, sha: tuple[str, str], tmp_path: Path) -> None:
    source = page.server.runs / sha[1] / "waves.vcd"
    subprocess.run([sys.executable, "-m", "wasmjit", "waves", "convert", str(source), str(tmp_path / "sha.fst")], check=True, capture_output=True)
    page.find("upload-file").send_keys(str(tmp_path / "sha.fst"))
    page.find("wave-canvas")
    opened = page.driver.current_url.split("#/run/")[1].split("/")[0]
    page.open(f"compare/{sha[1]}/{opened}", "wave-canvas")
    assert "115 signals are equal over the whole run" in page.text("diff-summary")
