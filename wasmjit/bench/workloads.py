"""What is measured: designs with SystemVerilog beside the MLIR, a size argument, and the line they must print."""

from __future__ import annotations

from wasmjit.data import dataclass


@dataclass(frozen=True, slots=True)
class Workload:
    """`sizes`: (small, large) per tool kind, as values of the plusarg `argument`. `expected`: the checksum line at `default`."""

    name: str
    argument: str
    default: int
    expected: str
    small: int
    top: str = "tb"
    icarus: bool = True


WORKLOADS: dict[str, Workload] = {
    w.name: w
    for w in (
        Workload("lfsr", "cycles", 1000, "checksum 2dc1cfef", 10),
        Workload("gates", "cycles", 200, "checksum 7d2f139dea516705", 2),
        Workload("rv32", "iters", 100, "checksum 71611e62 cycles 3817", 1),
        Workload("behave", "rounds", 100, "checksum 3fa95d90 1216 100 826", 1),
        Workload("classes", "rounds", 1000, "checksum b5ac91a3 -51498779 1000", 10, icarus=False),
    )
}
