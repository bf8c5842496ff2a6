"""The error for what has no meaning in simulation."""

from __future__ import annotations

from wasmjit.ir import Op


class Unsupported(Exception):
    """An operation or type without meaning; carries the operation for its location."""

    def __init__(self, op: Op | None, message: str) -> None:
        super().__init__(message)
        self.op = op
        self.message = message
