"""A progress bar on a terminal for commands that work through many things."""

from __future__ import annotations

import sys
from types import TracebackType

WIDTH = 30


class Bar:
    """Silent unless standard error is a terminal."""

    def __init__(self, total: int, enabled: bool | None = None) -> None:
        self.total = total
        self.done = 0
        self.enabled = sys.stderr.isatty() if enabled is None else enabled
        self.drawn = 0

    def __enter__(self) -> Bar:
        self.draw("")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.clear()

    def step(self, label: str) -> None:
        self.done += 1
        self.draw(label)

    def draw(self, label: str) -> None:
        if not self.enabled:
            return
        full = WIDTH * self.done // max(self.total, 1)
        text = f"[{'#' * full}{'.' * (WIDTH - full)}] {self.done}/{self.total} {label}"[:110]
        sys.stderr.write("\r" + text.ljust(self.drawn))
        sys.stderr.flush()
        self.drawn = len(text)

    def clear(self) -> None:
        """Remove the bar, so that a line can be printed."""
        if self.enabled and self.drawn:
            sys.stderr.write("\r" + " " * self.drawn + "\r")
            sys.stderr.flush()
            self.drawn = 0
