"""Host-side state of the runtime library: one `HostState` per run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from wasmjit.data import dataclass, field
from wasmjit.runtime.moore.prng import ProcessRandom, RandomSequence, root_seed
from wasmjit.sem.format import TimeFormat

if TYPE_CHECKING:
    from wasmjit.runtime.moore.coverage import CoverageDatabase
    from wasmjit.runtime.moore.files import FileTable
    from wasmjit.runtime.moore.objections import Objection

class Generators(Protocol):
    """Random number generators in guest memory."""

    def of_process(self, proc_id: int) -> ProcessRandom: ...

    def of_object(self, obj: int) -> ProcessRandom | None:
        """None when the object has no generator there."""


def _coverage() -> CoverageDatabase:
    from wasmjit.runtime.moore.coverage import CoverageDatabase

    return CoverageDatabase()


def _files() -> FileTable:
    from wasmjit.runtime.moore.files import FileTable

    return FileTable()


@dataclass(slots=True)
class HostState:
    """`seed` is the run's `--seed`; everything random in a run follows from it."""

    seed: int = 0
    time_format: TimeFormat | None = None
    """Set by `$timeformat`; until then times print in units of the design's precision."""
    dollar_random: RandomSequence = field(default_factory=RandomSequence)
    """The one sequence behind `$random` without a seed."""
    process_random: dict[int, ProcessRandom] = field(default_factory=dict)
    object_random: dict[int, ProcessRandom] = field(default_factory=dict)
    randomizing: dict[int, int] = field(default_factory=dict)
    """The object whose `randomize()` a process is in, by process id."""
    randc: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    rand_off: dict[int, set[bytes]] = field(default_factory=dict)
    rand_all_off: set[int] = field(default_factory=set)
    constraint_off: dict[int, set[bytes]] = field(default_factory=dict)
    objections: dict[int, Objection] = field(default_factory=dict)
    coverage: CoverageDatabase = field(default_factory=_coverage)
    files: FileTable = field(default_factory=_files)
    regex_error: str = ""
    next_arg: int = 0
    """Plus argument that `uvm_dpi_get_next_arg_c` returns next."""

    generators: Generators | None = None
    """Where the generators of processes and objects are kept; without it they are made here."""

    def random_of_process(self, proc_id: int) -> ProcessRandom:
        """The generator of a process (counted from 1; 0: the one used outside of processes)."""
        if self.generators is not None:
            return self.generators.of_process(proc_id)
        rng = self.process_random.get(proc_id)
        if rng is None:
            rng = self.process_random[proc_id] = ProcessRandom(root_seed(self.seed, proc_id))
        return rng
