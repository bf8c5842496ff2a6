"""What can be measured of how the pages look, in both themes and widths: contrast (WCAG 2.2 AA), nothing cut off or sideways, names and focus rings of all controls."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.browser

PAGES = {
    "runs": "runs", "no-runs": "runs?q=nothing", "deopts": "run/{pico}/deopts?d=20", "bailouts": "run/{budget}/deopts", "waves": "run/{sha_compile}/waves", "log": "run/{pico}/log", "burndown": "burndown",
    "compare": "compare/{parity_interpret}/{parity_compile}", "no-waves": "run/{no_waves}/waves", "no-run": "run/none/deopts",
}

LOW_CONTRAST = """
const rgb = text => { const m = /rgba?\\(([^)]+)\\)/.exec(text); const p = m[1].split(/[ ,/]+/).map(Number); return [p[0], p[1], p[2], p.length > 3 ? p[3] : 1]; };
const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
const lum = c => { const [r, g, b] = c.map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const ratio = (a, b) => { const [x, y] = [lum(a.slice(0, 3)), lum(b.slice(0, 3))].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
const ground = e => { const layers = []; for (let n = e; n; n = n.parentElement) { const c = rgb(getComputedStyle(n).backgroundColor); if (c[3]) layers.push(c); if (c[3] === 1) break; } return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]); };
const bad = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walk.nextNode(); node; node = walk.nextNode()) {
  const e = node.parentElement;
  if (!node.textContent.trim() || e.closest('script, style, noscript, option, [disabled], canvas')) continue;
  const box = e.getBoundingClientRect(); const style = getComputedStyle(e);
  if (!box.width || !box.height || style.visibility === 'hidden') continue;
  const under = ground(e); const size = parseFloat(style.fontSize); const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  const found = ratio(over(rgb(style.color), under), under);
  if (found < (large ? 3 : 4.5)) bad.push(`${found.toFixed(2)} ${e.className || e.tagName}: ${node.textContent.trim().slice(0, 30)}`);
}
return [...new Set(bad)];
"""

NAMELESS = """
return [...document.querySelectorAll('button, a[href], input:not([type=hidden]):not([hidden]), select, [role=button]')]
  .filter(e => e.offsetParent && !(e.getAttribute('aria-label') || e.textContent.trim() || e.title || e.placeholder || e.closest('label')?.textContent.trim())).map(e => e.outerHTML.slice(0, 120));
"""

SIDEWAYS = "return [document.documentElement.scrollWidth - innerWidth, document.documentElement.scrollHeight - innerHeight]"

CUT_OFF = """
return [...document.querySelectorAll('button, .badge, h1, h2, .tabs a, th')].filter(e => e.offsetParent && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflow === 'hidden' && getComputedStyle(e).textOverflow !== 'ellipsis')
  .map(e => e.outerHTML.slice(0, 120));
"""


def open_page(page: Any, name: str) -> None:
    page.open(PAGES[name].format(**page.server.ids))
    page.until(lambda: page.css(".page, .wave, .log, .empty, [role=alert]") and not page.css('[data-testid="loading"]'))
    page.driver.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_has_enough_contrast_and_every_control_a_name(page: Any, theme: str) -> None:
    page.js("localStorage.setItem('wasmjit.theme', JSON.stringify(arguments[0]))", theme)
    wrong: dict[str, Any] = {}
    for name in PAGES:
        for width, height in ((1280, 800), (1920, 1080)):
            page.size(width, height)
            open_page(page, name)
            assert page.js("return document.documentElement.dataset.theme") == theme
            found = {"cut off": page.js(CUT_OFF)}
            if width == 1280:
                found.update({"contrast": page.js(LOW_CONTRAST), "nameless": page.js(NAMELESS)})
            if page.js(SIDEWAYS) != [0, 0]:
                found["scrolls"] = page.js(SIDEWAYS)
            wrong.update({f"{name} {width} {what}": rows for what, rows in found.items() if rows})
    assert wrong == {}
    page.problems()  # the missing run is asked for
    page.js("const p = document.createElement('p'); p.textContent = 'faint'; p.style.color = '#888'; p.style.background = '#999'; document.body.append(p, document.createElement('button'));")
    assert any("faint" in row for row in page.js(LOW_CONTRAST)) and page.js(NAMELESS), "the measurement finds what is wrong"


def test_the_keyboard_reaches_every_control_with_a_visible_ring(page: Any) -> None:
    """Tab through a page: each stop has an outline or is a field whose border changes."""
    page.open(f"run/{page.server.ids['pico']}/deopts", "lanes-canvas")
    stops = []
    for _ in range(30):
        page.keys("\ue004")
        stops.append(page.js("const e = document.activeElement; const s = getComputedStyle(e); return [e.tagName, e.dataset.testid || e.dataset.process || e.textContent.trim().slice(0, 20), s.outlineStyle, parseFloat(s.outlineWidth)]"))
    reached = {name for _, name, _, _ in stops}
    assert {"deopt-export", "Wall time"} & reached or "Export ▾" in reached, reached
    assert {"1", "2", "3"} <= reached, "lanes are reached by keyboard"
    assert [stop for stop in stops if stop[0] != "BODY" and (stop[2] == "none" or stop[3] < 1)] == []


def test_dialogs_take_the_focus_and_escape_closes_them(page: Any) -> None:
    page.open("runs", "launch")
    page.click("launch")
    page.find("launch-form")
    inside = "return document.activeElement.closest('[role=dialog]') !== null"
    page.until(lambda: page.js("return document.activeElement.dataset.testid") == "launch-design")
    for _ in range(12):
        page.keys("\ue004")
        assert page.js(inside), "the focus leaves the dialog"
    page.keys("\ue00c")
    page.gone("launch-form")
    page.open(f"run/{page.server.ids['bus']}/waves", "wave-canvas")
    page.click("open-palette")
    page.find("palette")
    assert page.js("return document.activeElement.closest('[role=dialog]') !== null")
    page.keys("\ue00c")
    page.gone("palette")
    page.click("find-value")
    assert page.find("find-input") and page.js("return document.activeElement.closest('[role=dialog]') !== null")
    page.keys("\ue00c")
    page.gone("find-input")
