"""What tests of the waveform page ask and do."""

from __future__ import annotations

from typing import Any


def model(page: Any, expression: str) -> Any:
    return page.js(f"const model = wasmjit.controller.model; return {expression}")


def paths(page: Any) -> list[str]:
    return list(model(page, "model.signals().map(r => r.path)"))


def select(page: Any, path: str) -> None:
    page.js("const m = wasmjit.controller.model; m.select(m.signals().find(r => r.path === arguments[0]).id); wasmjit.controller.focus()", path)


def press(page: Any, key: str, **modifiers: bool) -> None:
    page.js(
        "const [key, mods] = arguments; document.querySelector('[data-testid=rows]').dispatchEvent(new KeyboardEvent('keydown', {key, code: /[1-9]/.test(key) ? 'Digit' + key : '', bubbles: true, cancelable: true, ...mods}))",
        key, modifiers,
    )
