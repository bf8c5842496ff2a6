"""What is wrong with an input, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable

from wasmjit.data import dataclass

_LINE_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message. `line` and `col` count from 1 (0: no position); `source` is the text of that line; `hint` says what to do."""

    message: str
    file: str = ""
    line: int = 0
    col: int = 0
    source: str = ""
    hint: str = ""
    severity: str = "error"

    def render(self) -> str:
        """`file:line:col: error: message`, the source line, a caret under the column, and the hint."""
        where = f"{self.file}:{self.line}:{self.col}: " if self.line else f"{self.file}: " if self.file else ""
        out = [f"{where}{self.severity}: {self.message}"]
        if self.line and self.source:
            start = max(0, self.col - 1 - _LINE_SHOWN // 2) if len(self.source) > _LINE_SHOWN else 0
            shown = self.source[start : start + _LINE_SHOWN]
            lead = "".join("\t" if c == "\t" else " " for c in shown[: self.col - 1 - start])
            out += ["  " + "".join(c if c == "\t" or c.isprintable() else "?" for c in shown), "  " + lead + "^"]
        if self.hint:
            out.append(f"  hint: {self.hint}")
        return "\n".join(out)

    __str__ = render


class IRError(Exception):
    """The input is not a valid design. `diagnostics` is never empty; `str()` is the text to print."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: list[Diagnostic] = list(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        return "\n".join(d.render() for d in self.diagnostics)
