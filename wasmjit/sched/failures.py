"""How a run fails: faults of the design, traps, limits. Each is told once, and the run ends with everything written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from wasmjit.ir import IRError
from wasmjit.runtime.raw import WasmTrap
from wasmjit.sched import control as cb
from wasmjit.sem.lower.core import Unsupported

if TYPE_CHECKING:
    from wasmjit.elab.design import Elaborated
    from wasmjit.elab.program import ProgramImpl
    from wasmjit.sched.governor import Governor
    from wasmjit.sched.options import RunOptions
    from wasmjit.sched.outcome import Outcome
    from wasmjit.sched.runtime_impl import RuntimeImpl
    from wasmjit.sched.view import KernelView
    from wasmjit.sched.wasmkernel import WasmKernel


class Failures(ABC):
    """The part of a `Simulation` that records how it fails."""

    options: RunOptions
    outcome: Outcome
    program: ProgramImpl
    elab: Elaborated
    view: KernelView
    kernel: WasmKernel
    runtime: RuntimeImpl
    governor: Governor | None
    stderr: Callable[[str], None]

    @abstractmethod
    def say(self, line: str) -> None:
        """A line of the tool on standard error."""

    @abstractmethod
    def process_name(self) -> str:
        """Name of the running process or region."""

    @abstractmethod
    def name_of(self, n: int) -> str:
        """Name of a process by id."""

    @abstractmethod
    def overflow_lines(self) -> list[str]:
        """What the processes do from one delta cycle to the next, where too many of them came."""

    def record_fault(self, site: int, addr: int) -> None:
        if self.outcome.finish_requested:
            return  # code behind $finish
        if site >= 0 and site == self.program.step_site():
            self.view.set_u32(cb.CB_LIMIT, cb.LIMIT_STEPS)
            self.view.set_u32(cb.CB_LIMIT_ID, self.view.u32(cb.CB_CUR_ID))
            self.limit()
            self.outcome.faulted = True
            self.kernel.call["k_fault"](0, 0)
            return
        if site >= 0 and site < len(self.program.sites):
            location, message = self.program.site_text(site)
        else:
            location, message = "", "shadow stack overflow (recursion too deep)" if site < 0 else f"kernel fault {site:#x}"
        if "address" in message or "reference" in message:
            message += f" {addr & 0xFFFFFFFF:#x}"
        self.record_message_fault(message, addr, location)

    def record_message_fault(self, message: str, addr: int, location: str = "") -> None:
        out = self.outcome
        if out.faulted:
            return
        out.faulted = True
        out.exit_code = max(out.exit_code, 1)
        out.reason = "fault"
        self.runtime.flush()
        where = f"{location}: " if location else ""
        self.say(f"Error: {where}{message} (process {self.process_name()}, time {self.view.u64(cb.CB_FS)} fs)")
        self.kernel.call["k_fault"](0, addr & 0xFFFFFFFFFFFFFFFF)

    def invalid(self, e: IRError) -> None:
        """The text of a body, which is read when it is first needed, is not valid."""
        self.outcome.faulted = True
        self.outcome.exit_code = 2
        self.outcome.reason = "fault"
        self.runtime.flush()
        self.stderr(str(e))

    def record_unsupported(self, e: Unsupported) -> None:
        location = str(e.op.source_loc or e.op.loc) if e.op is not None else ""
        self.record_message_fault(e.message, 0, location)

    def stop_after_region_fault(self) -> None:
        self.view.set_u32(cb.CB_STOP, cb.STOP_FAULT)

    def kernel_fault(self) -> None:
        if not self.outcome.faulted:
            self.record_fault(self.view.u32(cb.CB_FAULT_SITE), self.view.u64(cb.CB_FAULT_ADDR))

    def trapped(self, e: WasmTrap) -> None:
        if self.outcome.faulted or self.outcome.finish_requested:
            return
        if self.view.u32(cb.CB_FAULTED):
            self.kernel_fault()
            return
        if self.view.u32(cb.CB_LIMIT):
            self.limit()
            return
        if e.code == "stack_overflow":
            text = "call depth limit exceeded (recursion too deep)"
        else:
            where = next((f" in {name}" for name in e.backtrace), "")
            text = f"trap: {e.code.replace('_', ' ')}{where}" if e.code else str(e).splitlines()[0] if str(e) else "trap"
        self.record_message_fault(text, 0)

    def limit(self) -> None:
        out = self.outcome
        kind = self.view.u32(cb.CB_LIMIT)
        ident = self.view.u32(cb.CB_LIMIT_ID)
        out.limit = True
        out.reason = "limit"
        out.exit_code = 3
        out.max_delta_cycles_reached = kind in (cb.LIMIT_DELTAS, cb.LIMIT_LOOP, cb.LIMIT_ROUNDS)
        self.runtime.flush()
        now = self.view.u64(cb.CB_FS)
        if kind == cb.LIMIT_STEPS:
            steps = sum(self.view.activations_by_tier()) + self.view.u64(cb.CB_LOOPS)
            self.say(f"ERROR(PROCESS_STEP_OVERFLOW): more than {self.options.max_process_steps} steps at time {now} fs (process {self.process_name()}, totalSteps={steps})")
        elif kind == cb.LIMIT_PROCESSES:
            self.say(f"Error: more than {ident} forked processes are alive at time {now} fs (process {self.process_name()})")
            if self.governor is not None:
                self.governor.runaway()
        elif kind == cb.LIMIT_MEMORY:
            self.say(f"Error: memory is exhausted at time {now} fs")
        elif kind == cb.LIMIT_LOOP:
            name = self.elab.regions[ident].region.name if ident < len(self.elab.regions) else "?"
            path = self.elab.regions[ident].instance.path if ident < len(self.elab.regions) else "?"
            self.say(f"Error: combinational loop through {name} in {path} does not settle at time {now} fs (--max-deltas={self.options.max_deltas})")
        else:
            who = f", process {self.name_of(ident)}" if kind == cb.LIMIT_ROUNDS else ""
            self.say(f"ERROR(DELTA_OVERFLOW): exceeded maximum delta cycles ({self.options.max_deltas}) at time {now} fs{who}")
            for line in self.overflow_lines():
                self.say(line)
