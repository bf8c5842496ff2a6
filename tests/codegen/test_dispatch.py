"""Shared entries of process bodies: the body of the running process is called, in code that was made quickly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.manybodies import design
from wasmjit.codegen import dispatch, wasm
from wasmjit.ir import parse_file, parse_text
from wasmjit.runtime.engine import Engine, Instance, compile_module
from wasmjit.runtime.memory import LinearMemory, Table
from wasmjit.runtime.raw import WasmTrap, raw_call
from wasmjit.sched import background, jit
from wasmjit.sched.options import RunOptions
from wasmjit.sched.simulation import Simulation
from wasmjit.sem.mir import CB_CUR, PROC_FN

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DESCRIPTOR = 0x400


def module(slots: list[int]) -> tuple[bytes, dict[int, int]]:
    """Bodies that give 1000 * their slot + 10 * ctx + frame, behind shared entries."""
    b = wasm.ModuleBuilder()
    b.import_memory("env", "memory", 1)
    b.import_table("env", "table", 0)
    functions = {}
    for slot in slots:
        code = wasm.CodeBuf().local_get(0).i32_const(10).op(wasm.I32_MUL).local_get(1).op(wasm.I32_ADD).i32_const(1000 * slot).op(wasm.I32_ADD)
        functions[slot] = b.add_func((wasm.I32, wasm.I32), (wasm.I32,), (), code)
    entries = dispatch.share_entries(b, functions)
    for slot, entry in entries.items():
        b.add_elem(slot, [entry])
    return b.finish(), {slot: entry - functions[slots[0]] for slot, entry in entries.items()}


def test_the_slot_of_the_running_process_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "FEWEST", 2)
    monkeypatch.setattr(dispatch, "SHARE", 3)
    slots = [2, 3, 7, 8, 9]
    data, entries = module(slots)
    assert entries == {2: 5, 3: 5, 7: 5, 8: 6, 9: 6}
    engine = Engine()
    store = engine.store()
    memory, table = LinearMemory(store, 65536), Table(store, 16)
    Instance(store, compile_module(engine, data), {("env", "memory"): memory, ("env", "table"): table})
    memory.u32[CB_CUR >> 2] = DESCRIPTOR
    for slot in slots:
        memory.u32[DESCRIPTOR + PROC_FN >> 2] = slot
        func = table.get(slot)
        assert func is not None
        assert raw_call(func)(4, 3) == 1000 * slot + 43
    memory.u32[DESCRIPTOR + PROC_FN >> 2] = 5
    func = table.get(2)
    assert func is not None
    with pytest.raises(WasmTrap):
        raw_call(func)(0, 0)


def test_few_bodies_keep_entries_of_their_own() -> None:
    assert dispatch.FEWEST > 3
    assert module([1, 2, 3])[1] == {1: 0, 2: 1, 3: 2}


def run(text: str | Path, **options: object) -> tuple[bytes, list[bytes], Simulation]:
    parts: list[bytes] = []
    read = parse_file(text) if isinstance(text, Path) else parse_text(text)
    sim = Simulation(read, RunOptions(hot_threshold=1, quiet=True, **options), parts.append, lambda line: None)  # type: ignore[arg-type]
    sim.run()
    return b"".join(parts), [bytes(sim.memory.u8[n.address : n.address + n.size]) for n in sim.elab.nets], sim


@pytest.mark.parametrize("force", ["", "every:3"])
@pytest.mark.parametrize("name", ["many", "handshake.mlir", "bus.mlir"])
def test_runs_with_shared_entries_do_what_others_do(name: str, force: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = design(30) if name == "many" else next(EXAMPLES.rglob(name))
    limit = 20_000_000 if name == "many" else 0
    want = run(text, mode="interpret", max_time=limit)
    monkeypatch.setattr(dispatch, "FEWEST", 1)
    monkeypatch.setattr(dispatch, "SHARE", 4)
    monkeypatch.setattr(jit, "LARGE_MODULE", 1)
    monkeypatch.setattr(background.Background, "add", lambda self, job: None)
    got = run(text, mode="compile", max_time=limit, force_deopt=force)
    assert got[:2] == want[:2]
    telemetry = got[2].telemetry
    assert telemetry.compiles_total > 0
    assert bool(telemetry.deopts_total) == bool(force)
