"""How a run ended."""

from __future__ import annotations

from wasmjit.data import dataclass, field


class TooLarge(Exception):
    """The design needs more memory than there can be."""


class OutputError(Exception):
    """A file the user asked for cannot be written; str() says which and why."""


@dataclass(slots=True)
class Outcome:
    """reason: finished, no_events, max_time, limit, fault, timeout, interrupted, stopped. Times in fs and ms."""

    exit_code: int = 0
    success: bool = True
    reason: str = ""
    final_time_fs: int = 0
    run_wall_ms: float = 0.0
    total_wall_ms: float = 0.0
    finish_requested: bool = False
    faulted: bool = False
    limit: bool = False
    max_delta_cycles_reached: bool = False
    finish_calls: int = 0
    stop_calls: int = 0
    messages: int = 0
    messages_filtered: int = 0
    errors: int = 0
    warnings: int = 0
    covers: dict[str, int] = field(default_factory=dict)
