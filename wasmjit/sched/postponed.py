"""What is due at the end of a time step (IEEE 1800 §4.4.2.9, the postponed region): $monitor, and the dump tasks' file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wasmjit.runtime.services import SimFault
from wasmjit.sched import control as cb
from wasmjit.sched.tracing import declare

if TYPE_CHECKING:
    from wasmjit.sched.simulation import Simulation
    from wasmjit.waves import DumpControl, DumpRequest, SignalTrace, WaveWriter


class Monitor:
    """The one active $monitor of the run. `shown`: the argument values that were printed last."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.enabled = True
        self.proc = -1
        self.render: Callable[[], bytes] | None = None
        self.observed: tuple[Any, ...] | None = None
        self.shown: tuple[Any, ...] | None = None

    def start(self, proc: int) -> None:
        """A new $monitor takes the place of the one before."""
        if self.proc >= 0:
            self.sim.kernel.call["k_kill"](self.proc)
        self.proc = proc
        self.enabled = True
        self.render = self.observed = self.shown = None

    def values(self, render: Callable[[], bytes], observed: tuple[Any, ...]) -> None:
        """The arguments as they are now."""
        self.render, self.observed = render, observed
        self.sim.postponed.request()

    def control(self, on: bool) -> None:
        """$monitoron prints at once, whether anything changed or not: the monitor's process evaluates its arguments now."""
        self.enabled = on
        if on and self.proc >= 0:
            self.shown = None
            self.sim.kernel.call["k_wake"](self.proc)

    def end_of_step(self) -> None:
        if self.enabled and self.render is not None and self.observed != self.shown:
            self.shown = self.observed
            self.sim.runtime.out(self.render())


class Postponed:
    """Actions at the end of time steps. `request` asks the kernel to return when the present step is over."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.monitor = Monitor(sim)
        self.dump: DumpControl | None = None
        self.trace: SignalTrace | None = None

    def request(self) -> None:
        view = self.sim.view
        view.set_u32(cb.CB_HOST_WANT, view.u32(cb.CB_HOST_WANT) | cb.HOST_READ_ONLY)

    def phase(self) -> None:
        """The kernel has returned in a phase that was asked for."""
        if self.sim.view.u32(cb.CB_HOST_PHASE) == cb.HOST_NEXT_TIME:
            self.request()
        else:
            self.end_of_step()

    def end_of_step(self) -> None:
        """The step is over: nothing changes any more before time moves on."""
        self.monitor.end_of_step()
        if self.dump is not None:
            self.sim.drain()
            self.dump.end_of_step(self.sim.view.u64(cb.CB_FS))
            if self.dump.limited:
                view = self.sim.view
                view.set_u32(cb.CB_HOST_WANT, view.u32(cb.CB_HOST_WANT) | cb.HOST_NEXT_TIME)

    # -- dump tasks ------------------------------------------------------------------------------------------------------------------

    def control(self) -> DumpControl:
        if self.dump is None:
            from wasmjit.waves import DumpControl

            self.dump = DumpControl(self.open, self.sim.runtime.warn)
        return self.dump

    def dumpvars(self) -> None:
        """Everything is dumped: circt-verilog does not hand the arguments on."""
        sim = self.sim
        if self.trace is None:
            from wasmjit.waves import SignalTrace

            self.trace = SignalTrace()
            declare(sim, self.trace, lambda path, name: True, False)
            for net in self.trace.nets:
                sim.kernel.call["k_trace_net"](net, 1)
        self.control().dumpvars(sim.view.u64(cb.CB_FS))
        self.request()

    def open(self, request: DumpRequest, time_fs: int) -> WaveWriter:
        from wasmjit.waves import WaveError, create_writer
        from wasmjit.waves.vcd import VcdWriter

        path = self.sim.runtime.open_path(request.path, True)
        if path is None:
            raise SimFault(f"$dumpvars: {request.path!r} may not be written")
        try:
            writer = create_writer(path) if path.endswith(".fst") else VcdWriter(path, "1fs")
        except (OSError, WaveError) as e:
            raise SimFault(f"$dumpvars: {e}") from None
        assert self.trace is not None
        self.trace.start(writer)
        self.trace.flush()
        return writer

    def write_out(self) -> None:
        """Hand the changes of the finished steps to the file."""
        self.sim.drain()
        if self.trace is not None:
            self.trace.flush()

    def close(self, now: int) -> None:
        """End of the run."""
        if self.dump is not None:
            self.sim.kernel.call["k_trace_flush"]()
            self.write_out()
            self.dump.close(now)


# -- services ----------------------------------------------------------------------------------------------------------------------------


def monitor_values(sim: Simulation, data: tuple[Any, int]) -> Callable[..., tuple[Any, ...]]:
    from wasmjit.sem.format import compile_spec

    spec, count = data
    render = compile_spec(spec)
    rt = sim.runtime

    def run(*leaves: Any) -> tuple[Any, ...]:
        text = render(leaves[:count], rt)
        sim.postponed.monitor.values(lambda: text, leaves[count:])
        return ()

    return run


def monitor_start(sim: Simulation, data: None) -> Callable[..., tuple[Any, ...]]:
    def run(proc: int) -> tuple[Any, ...]:
        sim.postponed.monitor.start(proc)
        return ()

    return run


def monitor_control(sim: Simulation, on: bool) -> Callable[..., tuple[Any, ...]]:
    def run() -> tuple[Any, ...]:
        sim.postponed.monitor.control(on)
        return ()

    return run


def dump_task(name: str) -> Callable[[Any, Any], Callable[..., tuple[Any, ...]]]:
    """The service behind one of the dump tasks; `data` is the value of its attribute."""

    def make(sim: Simulation, data: Any) -> Callable[..., tuple[Any, ...]]:
        post = sim.postponed

        def run() -> tuple[Any, ...]:
            now = sim.view.u64(cb.CB_FS)
            match name:
                case "dumpfile":
                    post.control().dumpfile(str(data))
                case "dumpvars":
                    post.dumpvars()
                case "dumplimit":
                    post.control().dumplimit(int(data))
                case "dumpflush":
                    post.write_out()
                    post.control().dumpflush()
                case _:
                    post.write_out()
                    getattr(post.control(), name)(now)
            return ()

        return run

    return make


SERVICES: dict[str, Callable[[Any, Any], Callable[..., tuple[Any, ...]]]] = {
    "sim.monitor": monitor_values,
    "sim.monitor_start": monitor_start,
    "sim.monitor_control": monitor_control,
    **{f"sim.{n}": dump_task(n) for n in ("dumpfile", "dumpvars", "dumpoff", "dumpon", "dumpall", "dumpflush", "dumplimit")},
}
