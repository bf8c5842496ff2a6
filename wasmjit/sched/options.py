"""Options of a run, as the command line gives them (interface.md)."""

from __future__ import annotations

from wasmjit.data import dataclass, field


@dataclass(slots=True)
class RunOptions:
    """Times are in fs. 0 means no limit except where said otherwise."""

    mode: str = "compile"
    tops: list[str] = field(default_factory=list)
    max_time: int = 0
    max_cycles: int = 0
    max_deltas: int = 10000
    max_process_steps: int = 0
    timeout: float = 0.0
    seed: int = 0
    plusargs: list[str] = field(default_factory=list)
    vcd: str | None = None
    fst: str | None = None
    coverage: str | None = None
    trace: list[str] = field(default_factory=list)
    trace_all: bool = False
    trace_drivers: str | None = None
    """With a waveform: the file that gets the history of drivers (`wasmjit.report.drivers`)."""
    hot_threshold: int = 1
    compile_budget: int = 100000
    cache_policy: str = "memory"
    fail_on_deopt: bool = False
    report: str | None = None
    timeline: str | None = None
    force_deopt: str = ""
    gc_stress: bool = False
    kernel: str = "wasm"
    op_stats: bool = False
    op_stats_top: int = 20
    process_stats: bool = False
    process_stats_top: int = 20
    sim_stats: bool = False
    analyze: bool = False
    """Print what the design consists of instead of running it."""
    profile: str | None = None
    verbose: int = 0
    quiet: bool = False
    progress: bool = False
    allow_read: list[str] = field(default_factory=list)
    allow_write: list[str] = field(default_factory=list)
    allow_system: bool = False
    sandbox: bool = False
    max_memory: int = 1 << 31
    """Bytes of linear memory."""

    @property
    def count_operations(self) -> bool:
        """Whether interpreted bodies count their blocks."""
        return self.op_stats or self.process_stats
