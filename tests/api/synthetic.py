"""Recorded runs for tests, written by the simulator's own `RunRecorder`: what the dashboard shows, without running a simulation.

`make_runs` fills a folder with: sha256 in both modes (the compiled one with one injected difference), picorv32 with forced deopts over several
commits, a failed, a limited, an aborted and a running run. Everything is deterministic.
"""

from __future__ import annotations

import hashlib
import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from wasmtime import wat2wasm

from wasmjit.report.record import CodeModule, RunRecorder

_EPOCH = datetime(2026, 10, 1, 9, 0, tzinfo=UTC)
_K = [int.from_bytes(hashlib.sha256(bytes([n])).digest()[:4], "big") for n in range(64)]
PERIOD_FS = 10_000_000
MASK = 0xFFFFFFFF

MLIR = """module {
  hw.module @tb() {
    %false = hw.constant false
    %0 = llhd.constant_time <0ns, 0d, 1e>
    %clk = llhd.sig %false : i1
    llhd.process {
      %t5 = llhd.constant_time <5ns, 0d, 0e>
      cf.br ^bb1
    ^bb1:  // 2 preds: ^bb0, ^bb2
      llhd.wait delay %t5, ^bb2
    ^bb2:  // pred: ^bb1
      %c = llhd.prb %clk : i1
      %n = comb.xor %c, %true : i1
      llhd.drv %clk, %n after %0 : i1
      cf.br ^bb1
    }
    %digest = hw.instance "dut" @core(clk: %clk: i1) -> (digest: i256)
    hw.output
  }
  hw.module private @core(in %clk : i1, out digest : i256) {
    %state = llhd.sig %c0_i2 : i2
    %a = llhd.sig %c0_i32 : i32
    llhd.process {
      cf.br ^bb1
    ^bb1:  // 3 preds
      %prev = llhd.prb %clk : i1
      llhd.wait (%clk : i1), ^bb2
    ^bb2:  // pred: ^bb1
      %now = llhd.prb %clk : i1
      %rise = comb.icmp bin ugt %now, %prev : i1
      cf.cond_br %rise, ^bb3, ^bb1
    ^bb3:  // pred: ^bb2
      %fn = llvm.load %vtable : !llvm.ptr -> !llvm.ptr
      %r = llvm.call %fn(%this) : !llvm.ptr, (!llvm.ptr) -> i32
      %sum = comb.add %r, %k : i32
      llhd.drv %a, %sum after %0 : i32
      cf.br ^bb1
    }
    hw.output %digest : i256
  }
}
"""

WAT = """(module
  (import "env" "memory" (memory 1))
  (import "k" "k_wait_set" (func $wait (param i32 i32)))
  (func $%s (param $ctx i32) (param $frame i32) (result i32)
    (if (i32.ne (i32.load offset=48 (local.get $ctx)) (i32.const 17))
      (then (return (i32.const 2))))
    (call $wait (local.get $frame) (i32.const 3))
    (i32.store (local.get $frame) (i32.const 1))
    (i32.const 0)))
"""


def code_of(bodies: list[str]) -> list[CodeModule]:
    """One module per body, compiled one after the other."""
    return [CodeModule(bytes(wat2wasm(WAT % body)), (body,), 1000 * n, 0, "hot") for n, body in enumerate(bodies)]


class Vcd:
    """A plain VCD writer for fixtures (the product's writers have their own tests)."""

    def __init__(self, path: Path) -> None:
        self._lines = ["$timescale 1 fs $end"]
        self._path = path
        self._values: dict[str, str] = {}
        self._codes: dict[str, tuple[str, int]] = {}
        self._scope: list[str] = []
        self._now = -1
        self._begun = False

    def var(self, path: str, width: int = 1, kind: str = "wire") -> None:
        *scope, name = path.split(".")
        common = 0
        while common < min(len(scope), len(self._scope)) and scope[common] == self._scope[common]:
            common += 1
        self._lines += ["$upscope $end"] * (len(self._scope) - common) + [f"$scope module {s} $end" for s in scope[common:]]
        self._scope = scope
        code, n = "", len(self._codes)
        while True:
            code += chr(33 + n % 94)
            n //= 94
            if not n:
                break
        self._codes[path] = (code, width)
        bounds = f" [{width - 1}:0]" if width > 1 and kind != "real" else ""
        self._lines.append(f"$var {kind} {width} {code} {name}{bounds} $end")

    def set(self, time: int, path: str, value: str | float) -> None:
        if not self._begun:
            self._lines += ["$upscope $end"] * len(self._scope) + ["$enddefinitions $end"]
            self._begun = True
        code, width = self._codes[path]
        if isinstance(value, float):
            text = f"r{value!r} {code}"
        else:
            bits = value if isinstance(value, str) else f"{value:b}"
            text = f"{bits}{code}" if width == 1 else f"b{bits} {code}"
        if self._values.get(path) == text:
            return
        self._values[path] = text
        if time != self._now:
            self._lines.append(f"#{time}")
            self._now = time
        self._lines.append(text)

    def close(self, time: int) -> None:
        if time > self._now:
            self._lines.append(f"#{time}")
        self._path.write_text("\n".join(self._lines) + "\n")


def _rotr(x: int, n: int) -> int:
    return (x >> n | x << (32 - n)) & MASK


def sha256_waves(path: Path, blocks: int, flip_at_cycle: int | None = None) -> int:
    """Waves of a SHA-256 core hashing `blocks` blocks, one round a cycle; at `flip_at_cycle` one bit of e_reg is wrong from then on in its block. Returns the last time."""
    vcd = Vcd(path)
    for name, width in (("tb.clk", 1), ("tb.reset_n", 1), ("tb.init", 1), ("tb.ready", 1), ("tb.digest_valid", 1), ("tb.digest", 256), ("tb.block", 512), ("tb.bus_z", 8)):
        vcd.var(name, width)
    for name, width in (("clk", 1), ("sha256_ctrl_reg", 2), ("t_ctr_reg", 6), *((f"{c}_reg", 32) for c in "abcdefgh"), ("t1", 32), ("t2", 32)):
        vcd.var(f"tb.dut.{name}", width, "reg")
    for name, width in (("round", 6), ("K", 32)):
        vcd.var(f"tb.dut.k_constants.{name}", width)
    for name, width in (("round", 6), ("w", 32), *((f"w_mem{n:02d}", 32) for n in range(16))):
        vcd.var(f"tb.dut.w_mem.{name}", width)
    vcd.var("tb.power", 64, "real")
    t = 0
    for c in "abcdefgh":
        vcd.set(0, f"tb.dut.{c}_reg", "x" * 32)
    for name, value in (("tb.digest", "x" * 256), ("tb.block", "x" * 512), ("tb.ready", "x"), ("tb.bus_z", "zzzzxx01"), ("tb.dut.t1", "x"), ("tb.dut.t2", "x"), ("tb.reset_n", 0), ("tb.init", 0)):
        vcd.set(0, name, value)
    cycle = 0
    state = [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]
    rng = random.Random(7)

    def tick() -> int:
        nonlocal cycle, t
        vcd.set(t, "tb.clk", 1)
        vcd.set(t, "tb.dut.clk", 1)
        vcd.set(t + PERIOD_FS // 2, "tb.clk", 0)
        vcd.set(t + PERIOD_FS // 2, "tb.dut.clk", 0)
        cycle += 1
        t += PERIOD_FS
        return t

    for _ in range(3):
        tick()
    vcd.set(t, "tb.reset_n", 1)
    for block in range(blocks):
        words = [rng.getrandbits(32) for _ in range(16)]
        vcd.set(t, "tb.block", int("".join(f"{w:08x}" for w in words), 16))
        vcd.set(t, "tb.init", 1)
        vcd.set(t, "tb.ready", 0)
        vcd.set(t, "tb.digest_valid", 0)
        vcd.set(t, "tb.dut.sha256_ctrl_reg", 1)
        vcd.set(t, "tb.bus_z", "z" * 8)
        a, b, c, d, e, f, g, h = state
        for n in range(64):
            now = t
            if n == 1:
                vcd.set(now, "tb.init", 0)
            if n >= 16:
                s0 = _rotr(words[1], 7) ^ _rotr(words[1], 18) ^ words[1] >> 3
                s1 = _rotr(words[14], 17) ^ _rotr(words[14], 19) ^ words[14] >> 10
                words = [*words[1:], (words[0] + s0 + words[9] + s1) & MASK]
            w = words[n] if n < 16 else words[15]
            t1 = (h + (_rotr(e, 6) ^ _rotr(e, 11) ^ _rotr(e, 25)) + (e & f ^ ~e & g) + _K[n] + w) & MASK
            t2 = ((_rotr(a, 2) ^ _rotr(a, 13) ^ _rotr(a, 22)) + (a & b ^ a & c ^ b & c)) & MASK
            a, b, c, d, e, f, g, h = (t1 + t2) & MASK, a, b, c, (d + t1) & MASK, e, f, g
            if flip_at_cycle is not None and cycle == flip_at_cycle:
                e ^= 1 << 9
            for name, value in (("round", n), ("K", _K[n])):
                vcd.set(now, f"tb.dut.k_constants.{name}", value)
            vcd.set(now, "tb.dut.t_ctr_reg", n)
            vcd.set(now, "tb.dut.w_mem.round", n)
            vcd.set(now, "tb.dut.w_mem.w", w)
            for k in range(16):
                vcd.set(now, f"tb.dut.w_mem.w_mem{k:02d}", words[k])
            for name, value in zip("abcdefgh", (a, b, c, d, e, f, g, h), strict=True):
                vcd.set(now, f"tb.dut.{name}_reg", value)
            vcd.set(now, "tb.dut.t1", t1)
            vcd.set(now, "tb.dut.t2", t2)
            vcd.set(now, "tb.power", round(0.4 + (a ^ e).bit_count() / 40 + 0.1 * ((n >> 2) & 1), 3))
            tick()
        state = [(x + y) & MASK for x, y in zip(state, (a, b, c, d, e, f, g, h), strict=True)]
        vcd.set(t, "tb.digest", int("".join(f"{w:08x}" for w in state), 16))
        vcd.set(t, "tb.digest_valid", 1)
        vcd.set(t, "tb.ready", 1)
        vcd.set(t, "tb.dut.sha256_ctrl_reg", 0)
        vcd.set(t, "tb.bus_z", f"{block:08b}")
        for _ in range(4):
            tick()
    vcd.close(t)
    return t


_SIGNALS = {
    "sha256": {f"tb.dut.{c}_reg": ["tb.dut.reg_update"] for c in "abcdefgh"} | {"tb.clk": ["tb.clock"], "tb.digest": ["tb.dut.digest_logic"]},
    "picorv32_ez": {"testbench.uut.reg_pc": ["testbench.uut.cpu_main"], "testbench.clk": ["testbench.clock"]},
}


def _report(
    design: str, processes: list[tuple[str, str]], end_fs: int, wall_ms: float, deopts: list[dict[str, Any]], interpret_only: bool = False, exit_code: int = 0,
) -> dict[str, Any]:
    """A report as the simulator writes it, with an install per definition and the given deopts; a deopted process returns to native code unless `final`."""
    rng = random.Random(len(deopts) + len(processes))
    timeline: list[dict[str, Any]] = []
    rows = []
    compiled: set[str] = set()
    for n, (name, definition) in enumerate(processes, 1):
        native = not interpret_only
        when = 0.02 + 0.05 * (hash_of(definition) % 10) / 10
        if native and definition not in compiled:
            compiled.add(definition)
            timeline.append({"kind": "compile", "process_id": n, "process_name": name, "definition": definition, "tier": "compile",
                             "time_fs": int(end_fs * when * 0.8), "wall_ns": int(wall_ms * 1e6 * when * 0.8), "dur_ns": rng.randrange(300_000, 2_500_000)})
        if native:
            timeline.append({"kind": "install", "process_id": n, "process_name": name, "definition": definition, "tier": "compile",
                             "time_fs": int(end_fs * when), "wall_ns": int(wall_ms * 1e6 * when)})
        mine = [d for d in deopts if d["process_id"] == n]
        interpret = wall_ms * 1e6 * (0.004 * len(mine) + 0.002) if native else wall_ms * 1e6 / len(processes)
        native_ns = wall_ms * 1e6 / len(processes) * 0.7
        rows.append({"process_id": n, "process_name": name, "definition": definition, "tier": "compile" if native else "interpret",
                     "activations": rng.randrange(400, 40_000), "tier_ns": {"interpret": int(interpret), **({"compile": int(native_ns)} if native else {})}})
        for d in mine:
            timeline.append({"kind": "bailout" if d["kind"] == "bailout" else "deopt", "process_id": n, "process_name": name, "definition": definition,
                             "tier": "interpret", "time_fs": d["time_fs"], "wall_ns": d["wall_ns"], "dur_ns": d["cost_ns"]})
            if d["kind"] != "bailout":
                timeline.append({"kind": "install", "process_id": n, "process_name": name, "definition": definition, "tier": "optimise" if n % 3 == 0 else "compile",
                                 "time_fs": d["time_fs"] + int(end_fs * 0.015), "wall_ns": d["wall_ns"] + int(wall_ms * 1e6 * 0.015)})
    if not interpret_only:
        timeline.append({"kind": "evict", "process_id": 1, "process_name": processes[0][0], "definition": processes[0][1], "tier": "interpret",
                         "time_fs": int(end_fs * 0.93), "wall_ns": int(wall_ms * 1e6 * 0.93)})
    return {
        "schema_version": 1, "mode": "interpret" if interpret_only else "compile", "exit_code": exit_code, "final_time_fs": end_fs, "run_wall_ms": wall_ms,
        "total_wall_ms": wall_ms * 1.3,
        "jit": {"jit_compiles_total": len(compiled), "jit_deopts_total": len(deopts),
                "jit_deopt_processes": [{k: d[k] for k in ("process_id", "process_name", "reason", "detail")} for d in deopts]},
        "processes": rows, "deopts": deopts, "timeline": timeline, "drivers": _SIGNALS.get(design, {}),
    }


def hash_of(text: str) -> int:
    """A hash that is the same in every Python process."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _deopts(processes: list[tuple[str, str]], end_fs: int, wall_ms: float, count: int, seed: int, reasons: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    out = []
    for n in range(count):
        position = min(len(processes) - 1, int(rng.expovariate(0.5)))
        name, definition = processes[position]
        reason, detail, kind = reasons[min(len(reasons) - 1, int(rng.expovariate(0.9)))]
        where = 0.1 + 0.8 * (n + rng.random()) / count
        out.append({
            "kind": kind, "reason": reason, "detail": detail, "process_id": position + 1, "process_name": name, "definition": definition,
            "location": {"file": "design.mlir", "line": 33, "col": 12}, "resume": {"token": 2, "label": "llhd.wait at line 26"},
            "time_fs": int(end_fs * where) // PERIOD_FS * PERIOD_FS, "delta": rng.randrange(3), "wall_ns": int(wall_ms * 1e6 * where), "cost_ns": rng.randrange(20_000, 400_000),
            "action": "recompile after back-off" if n % 4 else "not entered again", "tier": "compile",
            "frame": [
                {"name": "prev", "type": "i1", "value": "0"}, {"name": "now", "type": "i1", "value": "1"}, {"name": "k", "type": "i32", "value": f"0x{_K[n % 64]:08x}"},
                {"name": "this", "type": "!llvm.ptr", "value": f"0x{0x11000 + 64 * n:08x}"}, {"name": "state", "type": "!hw.struct<value: i2, unknown: i2>", "value": "2'b1x"},
            ],
        })
    return out


SHA_PROCESSES = [("tb.main", "tb.main"), ("tb.clock", "tb.clock"), ("tb.dut.reg_update", "sha256_core.p0"), ("tb.dut.digest_logic", "sha256_core.p1"),
                 ("tb.dut.state_logic", "sha256_core.p2"), ("tb.dut.w_mem.reg_update", "sha256_w_mem.p0"), ("tb.dut.w_mem.select_w", "sha256_w_mem.p1"),
                 ("tb.dut.k_constants.rom", "sha256_k_constants.p0")]
PICO_PROCESSES = [("testbench.uut.cpu_main", "picorv32.p0"), ("testbench.uut.mem_fsm", "picorv32.p1"), ("testbench.uut.decoder", "picorv32.p2"),
                  ("testbench.uut.alu", "picorv32.p3"), ("testbench.memory", "testbench.p1"), ("testbench.clock", "testbench.p0"), ("testbench.reset", "testbench.p2"),
                  *((f"testbench.bank[{n}].cell", "ram_cell.p0") for n in range(6))]
GUARD = ("guard_failed", "call_indirect_target_guard:target_set_changed:site=core.p0:33", "eager")
UNKNOWN_INPUT = ("guard_failed", "unknown_bits:input=mem_rdata", "eager")
FORCED = ("interpreter_fallback", "forced:every:50", "lazy")
UNSUPPORTED = ("unsupported_operation", "first_op:llvm.call", "bailout")
BUDGET = ("missing_thunk", "compile_budget_exhausted", "bailout")


def _finish(record: RunRecorder, report: dict[str, Any], when: datetime, **extra: Any) -> None:
    record.finish(report, **extra)
    record.meta["finished"] = (when + timedelta(seconds=3)).isoformat(timespec="seconds")
    record._write_meta()


def pico_waves(path: Path, cycles: int) -> int:
    """Waves of a processor fetching a loop, with a bus that floats between transactions."""
    vcd = Vcd(path)
    for name, width in (("clk", 1), ("resetn", 1), ("trap", 1), ("mem_valid", 1), ("mem_instr", 1), ("mem_ready", 1), ("mem_addr", 32), ("mem_wdata", 32), ("mem_wstrb", 4), ("mem_rdata", 32)):
        vcd.var(f"testbench.{name}", width)
    for name, width in (("reg_pc", 32), ("reg_op1", 32), ("reg_op2", 32), ("cpu_state", 8), ("count_cycle", 64), ("decoder_trigger", 1)):
        vcd.var(f"testbench.uut.{name}", width, "reg")
    loop = [(0x08, 0x0000A103), (0x0C, 0x00110113), (0x3FC, 5), (0x10, 0x0020A023), (0x14, 0xFF5FF06F), (0x3FC, 6)]
    for name, width in (("mem_addr", 32), ("mem_wdata", 32), ("mem_rdata", 32)):
        vcd.set(0, f"testbench.{name}", "x" * width)
    for name in ("trap", "mem_valid", "mem_instr", "mem_ready"):
        vcd.set(0, f"testbench.{name}", "x")
    vcd.set(0, "testbench.resetn", 0)
    t = 0
    for n in range(cycles):
        vcd.set(t, "testbench.clk", 1)
        if n == 10:
            vcd.set(t, "testbench.resetn", 1)
            vcd.set(t, "testbench.trap", 0)
        if n >= 10:
            address, data = loop[(n // 4) % len(loop)]
            phase = n % 4
            vcd.set(t, "testbench.uut.count_cycle", n)
            vcd.set(t, "testbench.uut.cpu_state", (0x40, 0x20, 0x08, 0x01)[phase])
            vcd.set(t, "testbench.uut.decoder_trigger", int(phase == 1))
            vcd.set(t, "testbench.mem_valid", int(phase in (0, 1)))
            vcd.set(t, "testbench.mem_ready", int(phase == 1))
            if phase == 0:
                vcd.set(t, "testbench.mem_addr", address)
                vcd.set(t, "testbench.uut.reg_pc", address)
                vcd.set(t, "testbench.mem_instr", int(address < 0x100))
                vcd.set(t, "testbench.uut.reg_op1", n * 7 & MASK)
                vcd.set(t, "testbench.uut.reg_op2", n * n & MASK)
            vcd.set(t, "testbench.mem_rdata", data if phase == 1 else "z" * 32)
            vcd.set(t, "testbench.mem_wstrb", 15 if address == 0x3FC and phase == 0 else 0)
        vcd.set(t + PERIOD_FS // 2, "testbench.clk", 0)
        t += PERIOD_FS
    vcd.close(t)
    return t


def make_runs(root: Path, blocks: int = 6, cycles: int = 1500, live: bool = True) -> dict[str, str]:
    """Fill `root`; returns run ids by role: sha_interpret, sha_compile, pico, failed, limit, aborted, running."""
    ids: dict[str, str] = {}

    def record(role: str, design: str, mode: str, hours: float, commit: str, kind: str = "run", pair: str | None = None) -> RunRecorder:
        when = _EPOCH + timedelta(hours=hours)
        ids[role] = f"{when:%Y%m%d-%H%M%S}-{design}-{mode}-{hash_of(role) & 0xFFFF:04x}"
        return RunRecorder(root, design=f"{design}.mlir", mode=mode, kind=kind, run_id=ids[role], commit=commit, pair=pair, created=when,
                           argv=["wasmjit", "run", f"{design}.mlir", f"--mode={mode}"])

    counts = [64, 58, 58, 41, 30, 24, 12]
    for n, count in enumerate(counts):
        last = n == len(counts) - 1
        commit = f"{hash_of(f'commit{n}'):08x}4a1f"[:12]
        r = record("pico" if last else f"pico{n}", "picorv32_ez", "compile", 24 * n + 2, commit)
        r.write_design(MLIR)
        end = cycles * PERIOD_FS
        if last or n == 0:
            pico_waves(r.waves_path("vcd"), cycles)
        for k in range(60):
            r.stdout(f"ifetch 0x{8 + 4 * (k % 4):08x}: 0x{hash_of(str(k)):08x}\n".encode(), end * k // 60)
        r.code(code_of(sorted({d for _, d in PICO_PROCESSES})))
        reasons = [GUARD, UNKNOWN_INPUT, UNSUPPORTED, FORCED] if n < 4 else [UNKNOWN_INPUT, FORCED, BUDGET]
        wall = 900.0 - 60 * n
        # The last run is the one the pages show in detail: enough deopts for every lane to have some.
        report = _report("picorv32_ez", PICO_PROCESSES, end, wall, _deopts(PICO_PROCESSES, end, wall, 48 if last else count, n, reasons if not last else [GUARD, UNKNOWN_INPUT, FORCED, UNSUPPORTED]))
        _finish(r, report, _EPOCH + timedelta(hours=24 * n + 2), coverage=round(70 + 3.1 * n, 1))
    pair: dict[str, RunRecorder] = {}
    for role, mode, hours in (("sha_interpret", "interpret", 150.0), ("sha_compile", "compile", 150.1)):
        pair[role] = r = record(role, "sha256", mode, hours, "c0ffee123456", "parity")
        r.write_design(MLIR)
        end = sha256_waves(r.waves_path("vcd"), blocks, 3 + 68 * 3 + 20 if role == "sha_compile" else None)
        for k in range(blocks):
            r.stdout(f"block {k} hashed\n".encode(), (3 + 68 * (k + 1)) * PERIOD_FS)
        r.stdout(b"chain 9c2e968dfe35c387258fefcff59d64cf550caa4c5d81d5904888effa5a791450 after 6 blocks\n", end)
        compiled = role == "sha_compile"
        wall = 180.0 if compiled else 2300.0
        report = _report("sha256", SHA_PROCESSES, end, wall, _deopts(SHA_PROCESSES, end, wall, 9, 3, [GUARD, FORCED]) if compiled else [], not compiled)
        if compiled:
            r.code(code_of([definition for _, definition in SHA_PROCESSES]))
        first = (3 + 68 * 3 + 20) * PERIOD_FS
        verdict = {"equal": False, "differences": [{"kind": "value change", "time_fs": first, "signal": "tb.dut.e_reg", "a": "1", "b": "0", "driver": "tb.dut.reg_update"}]}
        r.meta["pair"] = ids.get("sha_interpret") if compiled else f"{_EPOCH + timedelta(hours=150.1):%Y%m%d-%H%M%S}-sha256-compile-{hash_of('sha_compile') & 0xFFFF:04x}"
        _finish(r, report, _EPOCH + timedelta(hours=hours), verdict="different", coverage=91.5, differences=verdict)
    r = record("failed", "aes", "compile", 151, "c0ffee123456")
    r.stdout(b"FATAL: round key mismatch at round 7\n", 4_200_000_000)
    _finish(r, _report("aes", SHA_PROCESSES[:3], 4_200_000_000, 75.0, _deopts(SHA_PROCESSES[:3], 4_200_000_000, 75.0, 2, 9, [BUDGET]), exit_code=1), _EPOCH + timedelta(hours=151))
    r = record("limit", "uvm_config_db", "interpret", 152, "c0ffee123456")
    _finish(r, _report("uvm", SHA_PROCESSES[:2], 0, 30_000.0, [], True, exit_code=3), _EPOCH + timedelta(hours=152))
    r = record("aborted", "rv32", "compile", 153, "c0ffee123456")
    r.abort("KeyboardInterrupt")
    if live:
        r = record("running", "lfsr", "compile", 154, "c0ffee123456")
        r.meta["pid"] = os.getpid()
        r._write_meta()
        r.progress(time_fs=1_250_000_000, wall_ms=4200.0, activations=120_000, compiles_total=2, deopts_total=3, tier_mix={"interpret": 0.2, "compile": 0.8}, force=True)
    return ids


def big_vcd(path: Path, changes: int, signals: int = 64) -> None:
    """A dump with about `changes` value changes."""
    rng = random.Random(5)
    half = signals // 2
    codes = [chr(33 + n) for n in range(signals)]
    with path.open("w") as file:
        file.write("$timescale 1 ps $end\n$scope module top $end\n")
        for n, code in enumerate(codes):
            file.write(f"$var wire {1 if n < half else 16} {code} s{n} $end\n")
        file.write("$upscope $end\n$enddefinitions $end\n")
        per_step = 16
        for step in range(changes // per_step):
            file.write(f"#{step * 5}\n")
            lines = []
            for _ in range(per_step // 2):
                lines.append(f"{rng.getrandbits(1)}{codes[rng.randrange(half)]}\n")
                lines.append(f"b{rng.getrandbits(16):b} {codes[half + rng.randrange(half)]}\n")
            file.write("".join(lines))


if __name__ == "__main__":
    import sys

    for role, name in make_runs(Path(sys.argv[1])).items():
        print(f"{role:14} {name}")
