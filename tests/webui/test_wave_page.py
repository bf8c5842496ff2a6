"""Waveforms of a recorded run of sha256: tree, rows, zoom, cursor, markers, search, state, exports. (`test_real_waves`: picorv32, `test_compare_page`: two runs.)"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from wave_view import changes, model, paths, press, select

from wasmjit.report.record import RunRecorder

pytestmark = pytest.mark.browser


@pytest.fixture
def wave(page: Any) -> Any:
    page.open(f"run/{page.server.ids['sha_compile']}/waves", "wave-canvas")
    page.until(lambda: page.js("return wasmjit.controller.sources[0].rows.size") > 5)
    return page


def dump(page: Any, role: str = "sha_compile") -> Path:
    return Path(page.server.runs / page.server.ids[role] / "waves.vcd")


def test_a_first_visit_shows_the_outer_signals_clock_first(wave: Any) -> None:
    assert paths(wave)[0] == "tb.clk" and "tb.digest" in paths(wave)


def test_fuzzy_search_finds_and_adds_a_signal(wave: Any) -> None:
    wave.type("signal-search", "wmem07")
    wave.until(lambda: "w_mem07_new" in wave.text("[data-testid=tree] .item"))
    wave.find("signal-search").send_keys("\ue007")
    wave.until(lambda: "tb.dut.w_mem_inst.w_mem07_new" in paths(wave))


def test_regular_expressions_search_too_and_a_wrong_one_is_explained(wave: Any) -> None:
    wave.click("signal-regex")
    wave.type("signal-search", "w_mem0[0-3]_new$")
    wave.until(lambda: len(wave.css("[data-testid=tree] .item")) == 4)
    wave.type("signal-search", "w_mem[")
    wave.expect_text("[data-testid=tree] .note", "Not a regular expression")


def test_signals_are_added_by_double_click_and_by_drop(wave: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    wave.type("signal-search", "dut.t_ctr_reg")
    ActionChains(wave.driver).double_click(wave.find('[data-path="tb.dut.t_ctr_reg"]')).perform()
    wave.until(lambda: "tb.dut.t_ctr_reg" in paths(wave))
    first = model(wave, "model.signals()[0].id")
    wave.type("signal-search", "dut.a_reg")
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
    rows[0].click()
    wave.js("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true, shiftKey: true}))", rows[2])
    press(wave, "g")
    assert "Group of 3" in wave.text(".names .row.group")
    press(wave, "F2")
    wave.find("[data-testid=rows] input.rename").send_keys("\ue009a\ue000handshake\ue007")
    wave.until(lambda: "handshake" in wave.text(".names .row.group"))
    count = len(wave.css(".names .row"))
    wave.click(".names .row.group .twist")
    wave.until(lambda: len(wave.css(".names .row")) == count - 3)
    press(wave, "Delete")
    wave.until(lambda: not wave.css(".names .row.group"))


def test_radix_analog_and_bits_of_a_bus(wave: Any) -> None:
    counter = changes(dump(wave), "tb.dut.t_ctr_reg")
    when, value = next((t, v) for t, v in counter if isinstance(v, int) and v > 40)
    wave.js("const c = wasmjit.controller; c.addVariable(c.tree.byPath.get('tb.dut.t_ctr_reg')); c.model.setCursor(arguments[0], true)", when)
    select(wave, "tb.dut.t_ctr_reg")
    row = model(wave, "model.current().id")
    for radix, text in (("bin", f"{value:06b}"), ("oct", f"{value:02o}"), ("unsigned", str(value)), ("signed", str(value - 64 if value > 31 else value)), ("hex", f"{value:02x}")):
        wave.find("radix").find_element("css selector", f"option[value={radix}]").click()
        wave.until(lambda text=text: wave.text(f'[data-value="{row}"]') == text, f"{radix} is not {text}")
    press(wave, "r")
    wave.until(lambda: wave.text(f'[data-value="{row}"]') != f"{value:02x}", "the key for the next radix does nothing")
    press(wave, "e")
    wave.until(lambda: [r.text.strip().split()[0] for r in wave.css(".names .row") if r.text.strip().startswith("[")] == [f"[{n}]" for n in range(5, -1, -1)])
    shown = [element.text for element in wave.css(".vals .row")]
    at = [r.text.strip() for r in wave.css(".names .row")].index("[5]")
    assert shown[at : at + 6] == list(f"{value:06b}")
    press(wave, "e")
    before = model(wave, "model.heightOf(model.current())") if wave.js("return typeof wasmjit.controller.model.heightOf") == "function" else None
    for shape in ("step", "linear"):
        wave.find("analog").find_element("css selector", f"option[value={shape}]").click()
        wave.until(lambda: wave.js("return [...wasmjit.controller.sources[0].rows.keys()].some(k => String(k).startsWith('a:'))"))
        lo, hi = wave.js("const row = [...wasmjit.controller.sources[0].rows.entries()].find(([k]) => String(k).startsWith('a:'))[1]; return [Math.min(...row.lo.filter(x => x !== null)), Math.max(...row.hi.filter(x => x !== null))]")
        assert (lo, hi) == (0, 63), "a counter of 64 rounds"
    assert before is None or model(wave, "model.heightOf(model.current())") > before


RED, AMBER = (208, 40, 30), (184, 116, 0)  # of the light theme


def test_unknown_is_red_and_floating_amber(page: Any) -> None:
    """On a real tri-state bus: z while nobody drives it, x where two drivers disagree."""
    page.js("localStorage.setItem('wasmjit.theme', '\"light\"')")
    page.open(f"run/{page.server.ids['bus']}/waves", "wave-canvas")
    page.until(lambda: page.js("return wasmjit.controller.sources[0].rows.size") > 2)
    page.js("const m = wasmjit.controller.model; m.remove(m.signals().filter(r => r.path !== 'tb.bus').map(r => r.id))")
    values = changes(dump(page, "bus"), "tb.bus")
    floating = next(t for t, v in values if set(str(v).lower()) == {"z"} and t)
    conflict = next(t for t, v in values if "x" in str(v).lower())
    driven = next(t for t, v in values if isinstance(v, int))
    row = model(page, "model.signals()[0].id")
    for at, present, absent in ((floating, {AMBER}, {RED}), (conflict, {RED}, {AMBER}), (driven, set(), {RED, AMBER})):
        page.js("const m = wasmjit.controller.model; m.setCursor(null); m.setView(arguments[0] + 1e5, arguments[0] + 9e5)", at)
        page.until(lambda present=present, absent=absent: present <= (found := page.colours("wave-canvas")) and not absent & found, f"colours at {at}")
    page.js("wasmjit.controller.model.setCursor(arguments[0])", floating)
    page.until(lambda: page.css(f'[data-value="{row}"] .z, [data-value="{row}"].z') and set(page.text(f'[data-value="{row}"]')) == {"z"})
    page.js("wasmjit.controller.model.setCursor(arguments[0])", conflict)
    page.until(lambda: page.css(f'[data-value="{row}"] .x, [data-value="{row}"].x'))
    page.js("wasmjit.controller.model.fit()")
    page.until(lambda: {RED, AMBER} <= page.colours("wave-canvas"))


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
    clock = [t for t, _ in changes(dump(wave), "tb.clk")]
    edge = clock[30]
    wave.js("wasmjit.controller.model.setView(arguments[0] - 50e6, arguments[0] + 50e6)", edge)
    wave.until(lambda: wave.js("const s = wasmjit.controller.sources[0]; return s.t1 >= arguments[0] + 50e6 && s.density > 5e-6", edge))
    width = wave.js("return document.querySelector('canvas.main').clientWidth")
    wave.drag("wave-canvas", (width / 2 + 3, 44), (width / 2 + 3, 44))
    assert model(wave, "model.cursor") == edge
    row = model(wave, "model.signals()[0].id")
    level = dict(changes(dump(wave), "tb.clk"))[edge]
    wave.until(lambda: wave.text(f'[data-value="{row}"]') == str(level))
    wave.drag("wave-canvas", (width / 2 + 25, 44), (width / 2 + 25, 44))
    assert model(wave, "model.cursor") not in clock, "far from an edge the cursor stays where it was put"


def test_edges_values_and_markers(wave: Any) -> None:
    started = [t for t, v in changes(dump(wave), "tb.next") if t]
    rise, fall = started[:2]
    select(wave, "tb.next")
    wave.js("wasmjit.controller.model.setCursor(0)")
    wave.click("next-edge")
    wave.until(lambda: model(wave, "model.cursor") == rise)
    wave.click("add-marker")
    press(wave, "ArrowRight")
    wave.until(lambda: model(wave, "model.cursor") == fall)
    wave.expect_text("delta-1", f"{(fall - rise) // 1_000_000} ns")
    wave.click("prev-edge")
    wave.until(lambda: model(wave, "model.cursor") == rise)
    for command, time in (("Next falling edge", fall), ("Previous edge", rise)):
        press(wave, " ")
        wave.type("[data-testid=palette] input", f"{command}\ue007")
        wave.until(lambda time=time: model(wave, "model.cursor") == time)
    counter = changes(dump(wave), "tb.dut.t_ctr_reg")
    wave.js("const c = wasmjit.controller; c.addVariable(c.tree.byPath.get('tb.dut.t_ctr_reg'))")
    select(wave, "tb.dut.t_ctr_reg")
    for text, direction in (("0x2a", "find-next"), ("0b101010", "find-next"), ("42", "find-previous"), ("63", "find-next")):
        press(wave, "v")
        now = model(wave, "model.cursor")
        value = int(text, 0)
        times = [t for t, v in counter if v == value]
        expected = next((t for t in times if t > now), None) if direction == "find-next" else next((t for t in reversed(times) if t < now), None)
        wave.type("find-input", text)
        wave.click(direction)
        if expected is None:
            wave.expect_text("find-result", "not found")
        else:
            wave.until(lambda expected=expected: model(wave, "model.cursor") == expected, f"{text} {direction}")
        wave.driver.switch_to.active_element.send_keys("\ue00c")
        wave.gone(".dialog")


def test_the_palette_runs_commands_times_and_signals(wave: Any) -> None:
    press(wave, " ")
    wave.type("[data-testid=palette] input", "1.5us\ue007")
    wave.expect_text("status-cursor", "1.5 µs")
    press(wave, " ")
    wave.type("[data-testid=palette] input", "zoom in\ue007")
    wave.until(lambda: model(wave, "model.span") < model(wave, "model.end - model.begin"))
    press(wave, " ")
    wave.type("[data-testid=palette] input", "dut.k_const.K")
    wave.until(lambda: "Add tb.dut.k_constants_inst.tmp_K" in wave.text("palette"))
    wave.keys("\ue00c")
    wave.gone("palette")
    press(wave, "?")
    wave.find("palette")


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


def test_the_whole_dump_is_exported_as_recorded(wave: Any) -> None:
    wave.click("export-menu")
    next(button for button in wave.css(".menu-list button") if button.text == "Whole dump, as recorded").click()
    assert wave.downloaded("sha_compile-compile.vcd").read_bytes() == dump(wave).read_bytes()


def test_a_stretch_is_exported_for_wavedrom_unless_it_is_too_long_to_read(wave: Any) -> None:
    def export() -> None:
        wave.click("export-menu")
        next(button for button in wave.css(".menu-list button") if button.text == "Selection as WaveDrom").click()

    start, ready = ([(t, v) for t, v in changes(dump(wave), f"tb.{name}") if t <= 300_000_000] for name in ("next", "ready"))
    wave.js("const m = wasmjit.controller.model; m.selected = new Set(['tb.next', 'tb.ready'].map(p => m.signals().find(r => r.path === p).id)); m.setView(0, 300e6)")
    export()
    drawn = {row["name"]: row["wave"] for row in json.loads(wave.downloaded(".wavedrom.json").read_text())["signal"]}
    instants = sorted({0, *(t for t, _ in start), *(t for t, _ in ready)})
    for name, rows in (("next", start), ("ready", ready)):
        levels = dict(rows)
        assert drawn[name] == "".join(str(levels[t]).lower() if t in levels else "." for t in instants)
    wave.js("const m = wasmjit.controller.model; m.select(m.signals().find(r => r.path === 'tb.clk').id); m.fit()")
    export()
    wave.expect_text("toast", "WaveDrom pictures are readable up to 200")


def test_a_run_without_waves_says_how_to_get_them(page: Any) -> None:
    page.open(f"run/{page.server.ids['no_waves']}/waves")
    assert "--record" in page.text("no-waves")


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
    page.until(lambda: page.js("return window.wasmjit?.controller.model.end") == 2000)
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
