"""Waveforms: tree, rows, zoom, cursor, markers, search, state, comparison, exports."""

from __future__ import annotations

import json
from typing import Any

import pytest
from wave_view import model, paths, press, select

from wasmjit.report.record import RunRecorder

pytestmark = pytest.mark.browser
PERIOD = 10_000_000
FLIP = (3 + 68 * 3 + 20) * PERIOD


@pytest.fixture
def wave(page: Any) -> Any:
    page.open(f"run/{page.server.ids['sha_compile']}/waves", "wave-canvas")
    page.until(lambda: page.js("return wasmjit.controller.sources[0].rows.size") > 5)
    return page


def test_a_first_visit_shows_the_outer_signals_clock_first(wave: Any) -> None:
    assert paths(wave)[0] == "tb.clk" and "tb.digest" in paths(wave)


def test_fuzzy_search_finds_and_adds_a_signal(wave: Any) -> None:
    wave.type("signal-search", "wmem07")
    wave.until(lambda: "w_mem07" in wave.text("[data-testid=tree] .item"))
    wave.find("signal-search").send_keys("\ue007")
    wave.until(lambda: "tb.dut.w_mem.w_mem07" in paths(wave))


def test_regular_expressions_search_too_and_a_wrong_one_is_explained(wave: Any) -> None:
    wave.click("signal-regex")
    wave.type("signal-search", "w_mem0[0-3]$")
    wave.until(lambda: len(wave.css("[data-testid=tree] .item")) == 4)
    wave.type("signal-search", "w_mem[")
    wave.expect_text("[data-testid=tree] .note", "Not a regular expression")


def test_signals_are_added_by_double_click_and_by_drop(wave: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    wave.find('[data-path="tb.dut"]').click()
    ActionChains(wave.driver).double_click(wave.find('[data-path="tb.dut.t_ctr_reg"]')).perform()
    wave.until(lambda: "tb.dut.t_ctr_reg" in paths(wave))
    first = model(wave, "model.signals()[0].id")
    wave.drop('[data-path="tb.dut.a_reg"]', f'.names [data-row="{first}"]')
    wave.until(lambda: paths(wave)[0] == "tb.dut.a_reg")


def test_rows_are_reordered_by_drop_and_by_keys_and_undone(wave: Any) -> None:
    ids = model(wave, "model.signals().map(r => r.id)")
    before = paths(wave)
    wave.drop(f'.names [data-row="{ids[3]}"]', f'.names [data-row="{ids[0]}"]')
    wave.until(lambda: paths(wave)[0] == before[3])
    press(wave, "z", ctrlKey=True)
    wave.until(lambda: paths(wave) == before)
    select(wave, before[1])
    press(wave, "ArrowDown", altKey=True)
    wave.until(lambda: paths(wave)[:3] == [before[0], before[2], before[1]])


def test_rows_are_grouped_renamed_removed(wave: Any) -> None:
    rows = wave.css(".names .row")
    rows[1].click()
    wave.js("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true, shiftKey: true}))", rows[3])
    press(wave, "g")
    assert "Group of 3" in wave.text(".names .row.group")
    press(wave, "F2")
    wave.find("[data-testid=rows] input.rename").send_keys("\ue009a\ue000handshake\ue007")
    wave.until(lambda: "handshake" in wave.text(".names .row.group"))
    count = len(wave.css(".names .row"))
    wave.find(".names .row.group .twist").click()
    wave.until(lambda: len(wave.css(".names .row")) == count - 3)
    press(wave, "Delete")
    wave.until(lambda: not wave.css(".names .row.group"))


def test_radix_analog_and_bits_of_a_bus(wave: Any) -> None:
    select(wave, "tb.bus_z")
    wave.js("wasmjit.controller.model.setCursor(8e9 / 2)")
    press(wave, "e")
    wave.until(lambda: len([r for r in wave.css(".names .row") if r.text.strip().startswith("[")]) == 8)
    select(wave, "tb.digest")
    wave.find("radix").send_keys("bin")
    wave.until(lambda: "bin" in wave.text("[data-row] .radix"))
    select(wave, "tb.power")
    wave.find("analog").send_keys("analog step")
    wave.until(lambda: wave.js("return [...wasmjit.controller.sources[0].rows.keys()].some(k => String(k).startsWith('a:'))"))


def test_unknown_is_red_and_floating_amber(wave: Any) -> None:
    wave.js("localStorage.setItem('wasmjit.theme', '\"light\"')")
    wave.driver.refresh()
    wave.until(lambda: {(208, 40, 30), (184, 116, 0)} <= wave.colours("wave-canvas"))


def test_the_wheel_zooms_at_the_pointer_and_fit_shows_everything(wave: Any) -> None:
    width = wave.js("return document.querySelector('canvas.main').clientWidth")
    before = model(wave, f"model.t0 + model.span * {300 / width}")
    for _ in range(5):
        wave.wheel("wave-canvas", 300, 100, -200)
    span = model(wave, "model.span")
    assert span < model(wave, "model.end - model.begin") / 10
    assert abs(model(wave, f"model.t0 + model.span * {300 / width}") - before) < span / 100
    wave.click("fit")
    assert model(wave, "model.span") == model(wave, "model.end - model.begin")


def test_shift_drag_pans_alt_drag_zooms_and_the_minimap_moves_the_window(wave: Any) -> None:
    wave.drag("wave-canvas", (200, 100), (300, 100), alt=True)
    wave.until(lambda: model(wave, "model.span") < model(wave, "model.end") / 4)
    span, t0 = model(wave, "model.span"), model(wave, "model.t0")
    wave.drag("wave-canvas", (300, 100), (200, 100), shift=True)
    assert model(wave, "model.t0") > t0 and abs(model(wave, "model.span") - span) < 2
    wave.drag("[data-testid=minimap] canvas", (600, 10), (620, 10))
    assert model(wave, "model.t0") > model(wave, "model.end") * 0.7


def test_a_click_snaps_to_the_edge_and_values_at_the_cursor_are_shown(wave: Any) -> None:
    wave.js("wasmjit.controller.model.setView(0, 100e6)")
    wave.until(lambda: wave.js("return wasmjit.controller.sources[0].t1 >= 100e6 && wasmjit.controller.sources[0].density > 5e-6"))
    width = wave.js("return document.querySelector('canvas.main').clientWidth")
    x = width * 15 / 100 + 3
    wave.drag("wave-canvas", (x, 44), (x, 44))
    assert model(wave, "model.cursor") == 15_000_000
    wave.expect_text("status-cursor", "15 ns")
    row = model(wave, "model.signals()[0].id")
    wave.until(lambda: wave.text(f'[data-value="{row}"]') == "0")


def test_edges_values_and_markers(wave: Any) -> None:
    select(wave, "tb.init")
    wave.js("wasmjit.controller.model.setCursor(0)")
    wave.click("next-edge")
    wave.expect_text("status-cursor", "30 ns")
    wave.click("add-marker")
    press(wave, "ArrowRight")
    wave.expect_text("status-cursor", "40 ns")
    wave.expect_text("delta-1", "10 ns")
    wave.click("prev-edge")
    wave.expect_text("status-cursor", "30 ns")
    select(wave, "tb.bus_z")
    press(wave, "v")
    wave.type("find-input", "0x3")
    wave.click("find-next")
    wave.expect_text("find-result", "µs")
    wave.driver.switch_to.active_element.send_keys("\ue00c")
    wave.gone(".dialog")
    assert model(wave, "model.cursor") == (3 + 68 * 3 + 64) * PERIOD


def test_the_palette_runs_commands_times_and_signals(wave: Any) -> None:
    press(wave, " ")
    wave.type("[data-testid=palette] input", "1.5us\ue007")
    wave.expect_text("status-cursor", "1.5 µs")
    press(wave, " ")
    wave.type("[data-testid=palette] input", "zoom in\ue007")
    wave.until(lambda: model(wave, "model.span") < model(wave, "model.end - model.begin"))
    press(wave, " ")
    wave.type("[data-testid=palette] input", "dut.k_const.K")
    wave.until(lambda: "Add tb.dut.k_constants.K" in wave.text("palette"))


def test_the_address_holds_the_view(wave: Any) -> None:
    wave.js("const m = wasmjit.controller.model; m.setView(1e9, 2e9); m.setCursor(1500000000); m.setMarker(2, 1200000000); m.remove([m.signals()[0].id])")
    wave.until(lambda: "c=1500000000" in wave.driver.current_url and "rows=" in wave.driver.current_url)
    shown = paths(wave)
    wave.driver.refresh()
    wave.until(lambda: wave.js("return window.wasmjit?.controller.model.cursor") == 1_500_000_000)
    assert paths(wave) == shown and model(wave, "model.markers[2]") == 1_200_000_000
    assert model(wave, "[model.t0, model.t1]") == [1_000_000_000, 2_000_000_000]


def test_a_view_is_saved_to_a_file_and_restored(wave: Any) -> None:
    wave.js("const m = wasmjit.controller.model; m.remove(m.signals().slice(2).map(r => r.id)); m.setCursor(77000000)")
    wave.click("view-menu")
    wave.css(".menu-list button")[0].click()
    saved = wave.downloaded(".wasmjit-view.json")
    wave.js("const m = wasmjit.controller.model; m.remove(m.signals().map(r => r.id)); m.setCursor(null)")
    wave.find("no-rows")
    wave.find("restore-file").send_keys(str(saved))
    wave.until(lambda: len(paths(wave)) == 2 and model(wave, "model.cursor") == 77_000_000)


def test_log_time_stamps_move_the_cursor_and_the_cursor_marks_the_line(wave: Any) -> None:
    wave.click("toggle-log")
    wave.until(lambda: len(wave.css("[data-testid=stamp]")) > 3)
    wave.css("[data-testid=stamp]")[2].click()
    wave.until(lambda: model(wave, "model.cursor") == (3 + 68 * 3) * PERIOD)
    wave.expect_text(".log .line.now", "block 2 hashed")
    wave.type("log-search", "chain")
    wave.expect_text("log-hits", "1 of 1")


def test_the_jit_lane_shares_the_axis_and_a_deopt_mark_moves_the_cursor(wave: Any) -> None:
    wave.find("jit-lane")
    t = wave.js("return fetch(`/api/runs/${wasmjit.controller.runs[0]}/deopts`).then(r => r.json()).then(b => b.deopts[0].time_fs)")
    x = wave.js("const m = wasmjit.controller.model; return (arguments[0] - m.t0) / m.span * document.querySelector('[data-testid=jit-lane] canvas').clientWidth", t)
    wave.drag("[data-testid=jit-lane] canvas", (x + 2, 5), (x + 2, 5))
    assert model(wave, "model.cursor") == t


def test_exports_png_vcd_fst_gtkwave_and_surfer(wave: Any) -> None:
    select(wave, "tb.digest")
    for label, suffix, head in (
        ("PNG of the view", ".png", b"\x89PNG"), ("Selection as VCD", ".selection.vcd", b"$"), ("Selection as FST", ".selection.fst", b"\x00"),
        ("GTKWave save file", ".gtkw", b"[*]"), ("Surfer command file", ".sucl", b"load_file"), ("Whole dump, as recorded", "compile-616b.vcd", b"$timescale"),
    ):
        wave.click("export-menu")
        next(button for button in wave.css(".menu-list button") if button.text == label).click()
        assert wave.downloaded(suffix).read_bytes().startswith(head), label


def test_a_stretch_is_exported_for_wavedrom_unless_it_is_too_long_to_read(wave: Any) -> None:
    def export() -> None:
        wave.click("export-menu")
        next(button for button in wave.css(".menu-list button") if button.text == "Selection as WaveDrom").click()

    wave.js("const m = wasmjit.controller.model; m.selected = new Set(['tb.init', 'tb.digest', 'tb.bus_z'].map(p => m.signals().find(r => r.path === p).id)); m.setView(0, 60e6)")
    export()
    drawn = {row["name"]: row for row in json.loads(wave.downloaded(".wavedrom.json").read_text())["signal"]}
    # Nothing but init changes in the first 60 ns, at 30 and 40 ns; bus_z becomes defined with it.
    assert drawn["init"]["wave"] == "010" and drawn["digest"]["wave"] == "x.." and drawn["bus_z"]["data"][0].lower() == "zx"
    wave.js("const m = wasmjit.controller.model; m.select(m.signals().find(r => r.path === 'tb.clk').id); m.fit()")
    export()
    wave.expect_text("toast", "WaveDrom pictures are readable up to 200")


def test_a_run_without_waves_says_how_to_get_them(page: Any) -> None:
    page.open(f"run/{page.server.ids['failed']}/waves")
    assert "--record" in page.text("no-waves")


@pytest.fixture
def compare(page: Any) -> Any:
    page.open(f"compare/{page.server.ids['sha_interpret']}/{page.server.ids['sha_compile']}", "wave-canvas")
    page.until(lambda: page.js("return wasmjit.controller.sources.every(s => s.rows.size > 2)"))
    return page


def test_the_comparison_starts_at_the_first_difference_with_its_driver_and_tier(compare: Any) -> None:
    assert "12 of 42 signals differ" in compare.text("diff-summary")
    assert model(compare, "model.cursor") == FLIP
    assert "tb.dut.e_reg" in compare.text("[data-testid=difflist] button")
    driver = compare.expect_text("driver", "last driven by")
    assert "tb.dut.reg_update" in driver and "compile" in driver
    first = json.loads((compare.server.runs / compare.server.ids["sha_compile"] / "verdict.json").read_text())["differences"][0]
    assert first["time_fs"] == FLIP


def test_next_and_previous_difference_move_through_the_run(compare: Any) -> None:
    compare.click("diff-next")
    compare.until(lambda: model(compare, "model.cursor") == FLIP + PERIOD)
    compare.click("diff-prev")
    compare.until(lambda: model(compare, "model.cursor") == FLIP)
    compare.click("diff-prev")
    compare.expect_text("toast", "No previous difference")
    compare.click("fit")
    compare.click("diff-first")
    assert model(compare, "model.cursor") == FLIP


def test_differences_are_marked_on_the_band_and_in_the_rows(compare: Any) -> None:
    before = compare.colours("[data-testid=band] canvas")
    assert len(before) > 1
    compare.js("wasmjit.controller.model.setView(0, 1e9)")
    compare.until(lambda: len(compare.colours("[data-testid=band] canvas")) == 1)
    assert compare.css(".vals .two.differs")


def test_a_differing_signal_of_the_list_is_shown_and_selected(compare: Any) -> None:
    compare.find('[data-signal="tb.power"]').click()
    assert model(compare, "model.current().path") == "tb.power"
    compare.click("side-signals")
    compare.find("signal-search")


def test_equal_runs_say_so(page: Any) -> None:
    run = page.server.ids["sha_compile"]
    page.open(f"compare/{run}/{run}", "wave-canvas")
    assert "equal over the whole run" in page.text("diff-summary")


def test_keys_work_without_a_click_into_the_waves_but_not_while_typing(wave: Any) -> None:
    wave.js("document.activeElement.blur()")
    wave.keys("+")
    wave.until(lambda: model(wave, "model.span") < model(wave, "model.end - model.begin"))
    wave.keys("f")
    wave.until(lambda: model(wave, "model.span") == model(wave, "model.end - model.begin"))
    wave.find("signal-search").send_keys("+")
    assert model(wave, "model.span") == model(wave, "model.end - model.begin")


def test_a_link_with_signals_of_another_design_keeps_what_it_can(page: Any) -> None:
    page.open(f"run/{page.server.ids['sha_compile']}/waves?rows=" + '["tb.clk","gone.away"]'.replace('"', "%22"), "wave-canvas")
    page.expect_text("toast", "1 signals of the link are not in this run")
    assert paths(page) == ["tb.clk"]


def test_a_growing_waveform_is_reloaded_with_the_view_kept(page: Any) -> None:
    record = RunRecorder(page.server.runs, design="growing.mlir", mode="compile")
    path = record.waves_path("vcd")
    head = "$timescale 1 fs $end $scope module tb $end $var wire 1 ! a $end $var wire 1 % b $end $upscope $end $enddefinitions $end\n"
    path.write_text(head + "#0\n0!\n0%\n#1000\n1!\n#2000\n0!\n")
    page.open(f"run/{record.run_id}/waves", "reload")
    page.until(lambda: model(page, "model.end") == 2000)
    page.js("const m = wasmjit.controller.model; m.remove([m.signals()[1].id]); m.setCursor(1000); m.setMarker(3, 500)")
    path.write_text(head + "#0\n0!\n0%\n" + "".join(f"#{n * 1000}\n{n % 2}!\n" for n in range(1, 9)))
    page.click("reload")
    page.until(lambda: model(page, "model.end") == 8000)
    assert paths(page) == ["tb.a"] and model(page, "[model.cursor, model.markers[3], model.t1]") == [1000, 500, 8000]
    path.write_text(head + "#0\n0!\n0%\n" + "".join(f"#{n * 1000}\n{n % 2}!\n" for n in range(1, 13)))
    record.finish({"exit_code": 0, "final_time_fs": 12000})
    page.until(lambda: model(page, "model.end") == 12000, "the end of the run is not shown")
    page.gone("reload")
    assert paths(page) == ["tb.a"]


def test_the_distance_of_cursor_and_marker_is_a_frequency_too(wave: Any) -> None:
    wave.js("const m = wasmjit.controller.model; m.setMarker(1, 0); m.setCursor(10e6)")
    wave.expect_text("frequency-1", "100 MHz")


def test_dumps_in_different_units_of_time_are_pointed_out(page: Any) -> None:
    ids = []
    for unit in ("ns", "ps"):
        record = RunRecorder(page.server.runs, design=f"unit_{unit}.mlir", mode="compile")
        record.waves_path("vcd").write_text(f"$timescale 1 {unit} $end $scope module tb $end $var wire 1 ! a $end $upscope $end $enddefinitions $end\n#0\n0!\n#5\n1!\n#9\n0!\n")
        record.finish({"exit_code": 0})
        ids.append(record.run_id)
    page.open(f"compare/{ids[0]}/{ids[1]}", "wave-canvas")
    assert "10^3 times as late" in page.text("compare-hint")
