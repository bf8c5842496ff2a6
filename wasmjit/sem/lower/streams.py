"""Output streams and files of the sim dialect: a stream is a descriptor of `$fopen` (IEEE 1800 §21.3.1)."""

from __future__ import annotations

from wasmjit.ir import Op, Value
from wasmjit.sem.format import Literal
from wasmjit.sem.lower.core import Leaves, Lowerer, Unsupported, lowers
from wasmjit.sem.lower.func import call_runtime
from wasmjit.sem.lower.sim import render
from wasmjit.sem.lower.strings import by_address
from wasmjit.sem.mir import I32, I64

STANDARD = {"sim.stdout_stream": 0x8000_0001, "sim.stderr_stream": 0x8000_0002}
MODES = {"r": "r", "w": "w", "a": "a", "r_update": "r+", "w_update": "w+", "a_update": "a+"}


@lowers(*STANDARD)
def _standard(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], lw.i32(STANDARD[op.name]))


@lowers("sim.sv.channel_to_output_stream")
def _channel(lw: Lowerer, op: Op) -> None:
    lw.set(op.results[0], lw.one(op.operands[0]))


def opened(lw: Lowerer, name: Leaves, mode: str) -> Leaves:
    """Descriptor of a file; "" as mode opens a channel. 0 if it cannot be opened."""
    how = lw.emit("svc", (I64, I64), (), lw.program.service("sim.render", Literal(mode.encode()))) if mode else (lw.i64(0), lw.i64(0))
    return call_runtime(lw, "__moore_fopen", (by_address(lw, name), by_address(lw, how)), (I32,))


@lowers("sim.get_file")
def _get_file(lw: Lowerer, op: Op) -> None:
    """Creates the file (or empties it) each time."""
    lw.set(op.results[0], opened(lw, render(lw, op.operands[0]), "w"))


@lowers("sim.sv.fopen")
def _fopen(lw: Lowerer, op: Op) -> None:
    mode = op.attrs.get("mode", "")
    name = list(MODES)[mode] if isinstance(mode, int) else str(mode)
    if name and name not in MODES:
        raise Unsupported(op, f"a file mode '{name}'")
    lw.set(op.results[0], opened(lw, lw.get(op.operands[0]), MODES.get(name, "")))


@lowers("sim.sv.fclose")
def _fclose(lw: Lowerer, op: Op) -> None:
    call_runtime(lw, "__moore_fclose", (lw.one(op.operands[0]),), ())


@lowers("sim.flush", "sim.sv.fflush_all")
def _flush(lw: Lowerer, op: Op) -> None:
    call_runtime(lw, "__moore_fflush", (lw.one(op.operands[0]) if op.operands else lw.i32(0),), ())


def write(lw: Lowerer, text: Value, stream: Value) -> None:
    """A format string to a stream."""
    call_runtime(lw, "__moore_fwrite", (lw.one(stream), by_address(lw, render(lw, text))), ())
