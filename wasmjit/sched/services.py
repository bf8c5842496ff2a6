"""Host services of the simulator itself (printing, termination, assertions), and the bridge to the runtime library."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wasmjit.runtime import services as library
from wasmjit.runtime.moore.randomize import randomize_masked
from wasmjit.runtime.services import SimFault
from wasmjit.sched import monitors
from wasmjit.sched.hdl import SERVICES as HDL
from wasmjit.sched.postponed import SERVICES as POSTPONED
from wasmjit.sem.format import compile_spec
from wasmjit.sem.mir import Service

if TYPE_CHECKING:
    from wasmjit.sched.simulation import Simulation


class Services:
    """Makes the callable behind a service site. Callables take leaves (ints, floats, bytes) and return a tuple."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.made: dict[int, Callable[..., tuple[Any, ...]]] = {}

    def callable(self, service: Service) -> Callable[..., tuple[Any, ...]]:
        fn = self.made.get(service.id)
        if fn is None:
            builtin = BUILTIN.get(service.name)
            fn = builtin(self.sim, service.data) if builtin is not None else self.library(service)
            self.made[service.id] = fn
        return fn

    def library(self, service: Service) -> Callable[..., tuple[Any, ...]]:
        """A function of the runtime library, or one that faults at the call because nobody defines it."""
        name = service.name
        rt = self.sim.runtime
        definition = library.lookup(name)
        if definition is None:

            def undefined(*_: Any) -> tuple[Any, ...]:
                raise SimFault(f"call to undefined function @{name}")

            return undefined
        try:
            bound = library.bind(definition, *service.data)
        except library.SignatureMismatch as e:
            message = str(e)

            def mismatch(*_: Any) -> tuple[Any, ...]:
                raise SimFault(message)

            return mismatch
        return lambda *leaves: bound(rt, *leaves)


def _print(sim: Simulation, spec: Any) -> Callable[..., tuple[Any, ...]]:
    render = compile_spec(spec)
    rt = sim.runtime
    out = rt.out

    def run(*leaves: Any) -> tuple[Any, ...]:
        out(render(leaves, rt))
        return ()

    return run


def _render(sim: Simulation, spec: Any) -> Callable[..., tuple[Any, ...]]:
    render = compile_spec(spec)
    rt = sim.runtime

    def run(*leaves: Any) -> tuple[Any, ...]:
        text = render(leaves, rt)
        addr = rt.alloc_bytes(len(text))
        rt.write(addr, text)
        return addr, len(text)

    return run


def _terminate(sim: Simulation, data: tuple[bool, bool]) -> Callable[..., tuple[Any, ...]]:
    def run() -> tuple[Any, ...]:
        sim.terminate(*data)
        return ()

    return run


def _pause(sim: Simulation, verbose: bool) -> Callable[..., tuple[Any, ...]]:
    def run() -> tuple[Any, ...]:
        sim.pause(verbose)
        return ()

    return run


def _report(sim: Simulation, data: tuple[str, ...]) -> Callable[..., tuple[Any, ...]]:
    kind, label, location, *rest = data
    settled = bool(rest)

    def run() -> tuple[Any, ...]:
        sim.assertion(kind, label, location, settled)
        return ()

    return run


def _plusargs_test(sim: Simulation, text: str) -> Callable[..., tuple[Any, ...]]:
    def run() -> tuple[Any, ...]:
        return (int(any(a.startswith(text) for a in sim.options.plusargs)),)

    return run


def _randomize(sim: Simulation, data: tuple[bytes, bytes]) -> Callable[..., tuple[Any, ...]]:
    rt = sim.runtime
    return lambda obj: (randomize_masked(rt, obj, *data),)


def _plusargs_value(sim: Simulation, data: tuple[str, Any, bool]) -> Callable[..., tuple[Any, ...]]:
    """`$value$plusargs` (IEEE 1800 §21.6) with the value as a result: an integer, four-state or not, a real, or a string (`text`)."""
    from wasmjit.runtime.moore.plusargs import argument_number, find_prefix
    from wasmjit.runtime.moore.scan import Number
    from wasmjit.runtime.moore.strings import make, parse_real

    form, lay, text = data
    leaves = lay.leaves
    nothing = tuple(0.0 if ty.kind == "f" else 0 for ty in leaves)

    def run() -> tuple[Any, ...]:
        prefix, percent, code = form.encode().partition(b"%")
        rest = find_prefix(sim.runtime, prefix)
        if rest is None:
            return (0, *nothing)
        kind = code.lstrip(b"0123456789")[:1].lower() if percent else b"d"
        if text:
            return (1, *make(sim.runtime, rest))
        if leaves[0].kind == "f":
            return (1, parse_real(rest))
        if kind in (b"e", b"f", b"g"):
            number = Number(round(parse_real(rest)))
        elif kind == b"s":
            number = Number(int.from_bytes(rest, "big"))
        else:
            number = argument_number(rest, kind, form)
        known = ~number.unknown if len(leaves) == 1 else -1
        return (1, number.value & known & leaves[0].mask, *[number.unknown & ty.mask for ty in leaves[1:]])

    return run


BUILTIN: dict[str, Callable[[Any, Any], Callable[..., tuple[Any, ...]]]] = {
    "sim.print": _print,
    "sim.render": _render,
    "sim.terminate": _terminate,
    "sim.pause": _pause,
    "verif.report": _report,
    "sva.expand": monitors.expand,
    "sva.failed": monitors.failed,
    "randomize.object": _randomize,
    "sim.plusargs.test": _plusargs_test,
    "sim.plusargs.value": _plusargs_value,
    **POSTPONED,
    **HDL,
}
