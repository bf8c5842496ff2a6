"""What tests of the waveform page ask and do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pywellen


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


def changes(path: Path, name: str) -> list[tuple[int, Any]]:
    """Changes of a signal as an independent reader sees them."""
    wave = pywellen.Waveform(str(path))
    (var,) = [v for v in wave.all_vars() if v.full_name == name]
    return [(int(t), v) for t, v in var.signal[:]]
