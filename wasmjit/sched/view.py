"""The host's view of a running kernel: counters, limits, faults, the value-change ring, and swapping code of processes and regions.

Works on any memory with a `u8` view (wasm or fake).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from wasmjit.data import dataclass
from wasmjit.sched import control as cb
from wasmjit.sched import descriptors as d


class HasBytes(Protocol):
    @property
    def u8(self) -> memoryview: ...


@dataclass(frozen=True, slots=True)
class Fault:
    """The first fault of the run. driver: process id, or REGION_DRIVER | region id, or NONE."""

    site: int
    addr: int
    driver: int


class KernelView:
    """Reads and writes the control block and descriptors by name."""

    def __init__(self, memory: HasBytes) -> None:
        self.memory = memory

    # ---- words ----------------------------------------------------------------------------------------------------------

    def u8(self, addr: int) -> int:
        return int(self.memory.u8[addr])

    def u32(self, addr: int) -> int:
        return int.from_bytes(self.memory.u8[addr : addr + 4], "little")

    def u64(self, addr: int) -> int:
        return int.from_bytes(self.memory.u8[addr : addr + 8], "little")

    def set_u32(self, addr: int, value: int) -> None:
        self.memory.u8[addr : addr + 4] = value.to_bytes(4, "little")

    def set_u64(self, addr: int, value: int) -> None:
        self.memory.u8[addr : addr + 8] = value.to_bytes(8, "little")

    # ---- state ----------------------------------------------------------------------------------------------------------

    @property
    def time(self) -> tuple[int, int, int]:
        """(fs, delta, epsilon) of the present slot."""
        return self.u64(cb.CB_FS), self.u32(cb.CB_DELTA), self.u32(cb.CB_EPS)

    @property
    def next_fs(self) -> int | None:
        """Real time of the next slot that has its own record, None when there is none."""
        return self.u64(cb.CB_TOP_FS) if self.u32(cb.CB_NEAR) else None

    def fault(self) -> Fault | None:
        if not self.u32(cb.CB_FAULTED):
            return None
        return Fault(self.u32(cb.CB_FAULT_SITE), self.u64(cb.CB_FAULT_ADDR), self.u32(cb.CB_FAULT_ID))

    def proc_addr(self, proc: int) -> int:
        """Descriptor address of a process. Raises IndexError."""
        n = self.u32(cb.CB_N_STATIC)
        if 0 <= proc < n:
            return self.u32(cb.CB_PROCS) + proc * d.P_SIZE
        k = proc - n
        if not 0 <= k < self.u32(cb.CB_N_DYN):
            raise IndexError(f"no process {proc}")
        return self.u32(self.u32(cb.CB_DYN_DIR) + (k >> d.CHUNK_SHIFT) * 4) + (k & (d.CHUNK - 1)) * d.P_SIZE

    def net_addr(self, net: int) -> int:
        """Descriptor address of a net. Raises IndexError."""
        if not 0 <= net < self.u32(cb.CB_N_NETS):
            raise IndexError(f"no net {net}")
        return self.u32(cb.CB_NETS) + net * d.N_SIZE

    def region_addr(self, region: int) -> int:
        """Descriptor address of a region instance. Raises IndexError."""
        if not 0 <= region < self.u32(cb.CB_N_REGIONS):
            raise IndexError(f"no region {region}")
        return self.u32(cb.CB_REGIONS) + region * d.R_SIZE

    def activations(self, proc: int) -> int:
        """Activations of a process so far (of all users of its id, for a dynamic one)."""
        return self.u64(self.proc_addr(proc) + d.P_ACT)

    def evaluations(self, region: int) -> int:
        """Evaluations of a region so far."""
        return self.u64(self.region_addr(region) + d.R_EVALS)

    def last_driver(self, net: int) -> int:
        """Process id (or REGION_DRIVER | region id) of the last change of the net, NONE when it never changed."""
        return self.u32(self.net_addr(net) + d.N_DRIVER)

    def dirty_regions(self) -> list[int]:
        """Regions waiting for evaluation: after LIMIT_LOOP, members of the loop."""
        base = self.u32(cb.CB_REGIONS)
        return [i for i in range(self.u32(cb.CB_N_REGIONS)) if self.u32(base + i * d.R_SIZE + d.R_DIRTY)]

    def ready_processes(self) -> list[int]:
        """Ids on the ready queue, in order: after LIMIT_DELTAS or LIMIT_ROUNDS, who is involved."""
        out = []
        p = self.u32(cb.CB_READY_HEAD)
        while p:
            out.append(self.u32(p + d.P_ID))
            p = self.u32(p + d.P_NEXT)
        return out

    def pending_drivers(self) -> list[int]:
        """Who scheduled the drives of the next epsilon and delta (sorted): after LIMIT_DELTAS, the processes of the loop."""
        out: set[int] = set()
        for base, cur in ((cb.CB_EPS_BASE, cb.CB_EPS_CUR), (cb.CB_DELTA_BASE, cb.CB_DELTA_CUR)):
            out.update(self.u32(r + d.D_DRIVER) for r in range(self.u32(base), self.u32(cur), d.D_SIZE))
        return sorted(out)

    # ---- code -----------------------------------------------------------------------------------------------------------

    def set_proc_code(self, proc: int, fn: int, tier: int) -> None:
        """From its next activation on the process runs table entry `fn`. tier: 0 interpreter, 1 compiled, 2 optimised."""
        p = self.proc_addr(proc)
        self.set_u32(p + d.P_FN, fn)
        self.set_u32(p + d.P_COUNTER, cb.CB_C_ACT0 + 8 * tier)

    def count_interpreted(self, counter: int) -> None:
        """An activation that was counted at `counter` (P_COUNTER of its process) ran in the interpreter after all."""
        self.set_u64(counter, self.u64(counter) - 1)
        self.set_u64(cb.CB_C_ACT0, self.u64(cb.CB_C_ACT0) + 1)

    def set_region_code(self, region: int, fn: int) -> None:
        """From its next evaluation on the region runs table entry `fn`."""
        self.set_u32(self.region_addr(region) + d.R_FN, fn)

    # ---- reports --------------------------------------------------------------------------------------------------------

    def scheduler_report(self) -> dict[str, int]:
        """The `scheduler` object of the JSON report, in its key order."""
        return {
            "processes_registered": self.u32(cb.CB_N_STATIC) + self.u64(cb.CB_C_SPAWNS),
            "processes_executed": sum(self.activations_by_tier()),
            "delta_cycles_executed": self.u64(cb.CB_C_SLOTS),
            "signal_updates": self.u64(cb.CB_C_UPDATES),
            "edges_detected": self.u64(cb.CB_C_EDGES),
            "max_delta_cycles_reached": self.u64(cb.CB_C_MAX_SLOTS),
        }

    def activations_by_tier(self) -> tuple[int, int, int, int]:
        """Process activations: interpreter, compiled, optimised, other."""
        a, b, c, e = (self.u64(cb.CB_C_ACT0 + 8 * i) for i in range(4))
        return a, b, c, e

    def counters(self) -> dict[str, int]:
        """Further counters, under the names the report uses."""
        return {
            "region_evaluations": self.u64(cb.CB_C_REGIONS),
            "two_state_guards_failed": self.u64(cb.CB_X_GUARDS),
            "time_steps": self.u64(cb.CB_C_STEPS),
            "drives_applied": self.u64(cb.CB_C_DRIVES),
            "wakeups": self.u64(cb.CB_C_WAKEUPS),
            "deopts": self.u64(cb.CB_C_DEOPTS),
            "processes_spawned": self.u64(cb.CB_C_SPAWNS),
            "dynamic_processes_peak": self.u32(cb.CB_PEAK_DYN),
            "value_change_samples": self.u64(cb.CB_C_SAMPLES),
            "heap_bytes_in_use": self.u64(cb.CB_HEAP_USED),
            "heap_bytes_peak": self.u64(cb.CB_HEAP_PEAK),
        }

    def objects(self) -> dict[str, int]:
        """Guest objects (class objects, strings, storage of queues and arrays) and their collector, in bytes, under the names the report uses."""
        in_use = self.u64(cb.CB_GC_LIVE) + self.u64(cb.CB_GC_NEW)
        return {
            "object_bytes_in_use": in_use,
            "object_bytes_peak": max(in_use, self.u64(cb.CB_GC_PEAK)),
            "object_bytes_reclaimed": self.u64(cb.CB_GC_RECLAIMED),
            "collections": self.u64(cb.CB_GC_COUNT),
        }

    # ---- the value-change ring ------------------------------------------------------------------------------------------

    def drain(self) -> bytes:
        """Take everything out of the value-change ring, as one block of records."""
        base, cur = self.u32(cb.CB_RING_BASE), self.u32(cb.CB_RING_CUR)
        self.set_u32(cb.CB_RING_CUR, base)
        return bytes(self.memory.u8[base:cur])


def records(block: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """(net, fs, driver, value bytes) of each record of a block from `KernelView.drain`."""
    at = 0
    while at < len(block):
        net, n = int.from_bytes(block[at : at + 4], "little"), int.from_bytes(block[at + 4 : at + 8], "little")
        yield net, int.from_bytes(block[at + 8 : at + 16], "little"), int.from_bytes(block[at + 16 : at + 20], "little"), block[at + 24 : at + 24 + n]
        at += 24 + (n + 7 & -8)
