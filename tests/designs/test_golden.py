"""The golden designs and the bench programs, against logs of an independent simulator.

A design whose MLIR does not say what its SystemVerilog says cannot print its golden log. `mistranslated.json` lists them, and each entry is
proven here rather than left out:

* `sign_extension` (generated designs): an evaluator of the SystemVerilog text (`tests/support/sv_design.py`, no part of wasmjit) gives the golden log by
  the rules of IEEE 1800, and exactly wasmjit's log when operands are extended by their own signedness, as the MLIR does. At the first difference
  the operations of the MLIR, evaluated by an independent oracle, give wasmjit's value; without the wrong sign bits they give the standard's.
* `lost_operands`: with the operands put back into the text, the log is the golden one.
* `lost_assignments`: with the assignments put back, the checksum is the right one.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.cone import Instance, kept
from tests.support.mlir_eval import Oracle, Plain
from tests.support.sv_design import expected_log
from wasmjit.cli import main
from wasmjit.ir import Op, Value, parse_file
from wasmjit.waves import open_wave

SHARED = Path(os.environ.get("WASMJIT_SHARED", Path(__file__).parents[3] / "shared"))
DESIGNS, BENCH = SHARED / "designs", SHARED / "bench"
LIST: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "mistranslated.json").read_text())
MODES = ("interpret", "compile")
CHECKSUMS = {
    "lfsr": "checksum 2dc1cfef",
    "gates": "checksum 7d2f139dea516705",
    "rv32": "checksum 71611e62 cycles 3817",
    "behave": "checksum 3fa95d90 1216 100 826",
    "classes": "checksum b5ac91a3 -51498779 1000",
}

pytestmark = pytest.mark.usefixtures("shared")
Run = Callable[..., str]


def goldens() -> list[str]:
    return sorted(str(p.relative_to(DESIGNS).with_suffix("")) for p in DESIGNS.rglob("*.gold"))


def kind(name: str) -> list[str]:
    return [n for n, entry in LIST.items() if entry["kind"] == name]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a design and returns what it printed."""

    def call(path: Path, mode: str, *options: str) -> str:
        capfd.readouterr()
        status = main(["run", str(path), "-q", f"--mode={mode}", *options])
        out, err = capfd.readouterr()
        assert status == 0, err
        return out

    return call


@cache
def standard_log(name: str) -> str:
    return expected_log((DESIGNS / f"{name}.sv").read_text())


@cache
def translated_log(name: str) -> str:
    return expected_log((DESIGNS / f"{name}.sv").read_text(), sign_by_operand=True)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [n for n in goldens() if n not in LIST])
def test_log_is_the_golden_one(name: str, mode: str, run: Run) -> None:
    assert run(DESIGNS / f"{name}.mlir", mode) == (DESIGNS / f"{name}.gold").read_text()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [n for n in CHECKSUMS if f"bench/{n}" not in LIST])
def test_bench_program_prints_its_checksum(name: str, mode: str, run: Run) -> None:
    assert run(BENCH / f"{name}.mlir", mode).strip() == CHECKSUMS[name]


def test_the_list_names_designs_that_exist() -> None:
    assert {n for n in LIST if not n.startswith("bench/")} < set(goldens())
    assert set(kind("sign_extension")) | set(kind("lost_operands")) | set(kind("lost_assignments")) == set(LIST)


# -- operands extended by the wrong signedness


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", kind("sign_extension"))
def test_mistranslated_design_prints_what_its_mlir_means(name: str, mode: str, run: Run) -> None:
    assert run(DESIGNS / f"{name}.mlir", mode) == translated_log(name)


@pytest.mark.parametrize("name", kind("sign_extension"))
def test_source_by_the_rules_of_the_standard_gives_the_golden_log(name: str) -> None:
    gold = (DESIGNS / f"{name}.gold").read_text()
    assert standard_log(name) == gold
    assert translated_log(name) != gold


def number(text: str) -> int:
    return int(text.split("'h")[1], 16)


def at_line(root: Op, place: str, text: str) -> Op:
    """The operation at FILE:LINE, which must read as quoted."""
    file, line = place.rsplit(":", 1)
    assert (DESIGNS / file).read_text().splitlines()[int(line) - 1].strip() == text
    return next(op for op in root.walk() if op.loc.line == int(line))


def without_sign(keep: int, fill: int) -> Callable[[Op, list[Plain]], tuple[Plain, ...]]:
    return lambda op, args: (kept(op, args, keep, fill),)


def computed(inst: Instance, entry: dict[str, Any]) -> tuple[Plain, Plain]:
    """(value by the oracle, recorded value) of the entry's signal."""
    time = entry["time_fs"]
    signal = re.fullmatch(r"([\w.]+)(?:\[(\d+)\])?", entry["signal"].removeprefix(inst.path + "."))
    assert signal is not None
    name, index = signal[1], None if signal[2] is None else int(signal[2])
    if entry["logic"] == "continuous":
        return inst.continuous(name, time)
    ref = next(v for v, n in inst.names.items() if n == name)
    recorded = inst.recorded(name, ref.type, time)
    return inst.clocked(time)[name, index], recorded if index is None else recorded[len(recorded) - 1 - index]


@pytest.mark.parametrize("name", kind("sign_extension"))
def test_first_difference_lies_in_the_operations_of_the_mlir(name: str, run: Run, tmp_path: Path) -> None:
    entry = LIST[name]
    run(DESIGNS / f"{name}.mlir", "interpret", "--vcd", str(tmp_path / "run.vcd"))
    design = parse_file(DESIGNS / f"{name}.mlir")
    wave = open_wave(tmp_path / "run.vcd")
    core = design.symbols["core"]

    value, recorded = computed(Instance(design, core, "tb.dut", wave), entry)
    assert value == recorded
    assert (value if isinstance(value, int) else value[0]) == number(entry["computed"])

    rules = {at_line(core, o["at"], o["text"]): without_sign(o["keep"], o["fill"]) for o in entry["operations"]}
    right, _ = computed(Instance(design, core, "tb.dut", wave, instead=rules), entry)
    assert (right if isinstance(right, int) else right[0]) == number(entry["expected"])
    assert number(entry["expected"]) != number(entry["computed"])


# -- operands of llhd.wait that are not there


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", kind("lost_operands"))
def test_log_is_the_golden_one_with_the_lost_operands_put_back(name: str, mode: str, run: Run, tmp_path: Path) -> None:
    entry = LIST[name]
    lines = (DESIGNS / f"{name}.mlir").read_text().split("\n")
    wait, block = lines[entry["line"] - 1], lines[entry["line"]]
    passed, wanted = entry["target"].count(",") + 1, block[: block.index("//")].count("%")
    assert wait.strip().startswith("llhd.wait") and wait.endswith(entry["target"]) and passed < wanted
    lines[entry["line"] - 1] = wait.replace(entry["target"], entry["restored"])
    (tmp_path / "restored.mlir").write_text("\n".join(lines))
    gold = (DESIGNS / f"{name}.gold").read_text()
    assert run(tmp_path / "restored.mlir", mode) == gold
    as_written = run(DESIGNS / f"{name}.mlir", mode)
    assert as_written != gold
    assert as_written.splitlines()[0] == entry["computed"] and gold.splitlines()[0] == entry["expected"]


# -- assignments that are not there

GATES = 2000


def gate(i: int) -> tuple[int, int, int, int]:
    """(kind, A, B, C) of w[i], by bench/gates.sv."""
    return i % 5, i - 1 - (i * 7) % 61, i - 1 - (i * 13) % 53, i - 1 - (i * 29) % 47


def gates_checksum(cycles: int) -> int:
    """The checksum of bench/gates.sv."""
    ones, s, total = (1 << 64) - 1, 0x0123_4567_89AB_CDEF, 0
    for _ in range(cycles):
        w = [s >> i & 1 for i in range(64)]
        for i in range(64, GATES + 64):
            k, a, b, c = gate(i)
            w.append((w[a] & w[b], w[a] | w[b], w[a] ^ w[b], w[b] if w[a] else w[c], 1 - (w[a] & w[c]))[k])
        tail = sum(bit << i for i, bit in enumerate(w[GATES:]))
        s, total = (s << 1 | (s >> 63 ^ s >> 62 ^ s >> 60 ^ s >> 59) & 1) & ones, ((total << 1 | total >> 63) + tail) & ones
    return total


def gates_restored(text: str) -> str:
    """bench/gates.mlir with the gates in place of the constant; all values are known, so the unknown plane stays 0."""
    bit = "!hw.struct<value: i1, unknown: i1>"
    out = ["    %w_s = llhd.prb %s : !hw.struct<value: i64, unknown: i64>", '    %w_v = hw.struct_extract %w_s["value"] : !hw.struct<value: i64, unknown: i64>']
    for i in range(GATES + 64):
        if i < 64:
            out.append(f"    %w{i} = comb.extract %w_v from {i} : (i64) -> i1")
            continue
        k, a, b, c = gate(i)
        if k == 4:
            out.append(f"    %w{i}_n = comb.and %w{a}, %w{c} : i1")
        out.append(
            f"    %w{i} = "
            + (
                f"comb.and %w{a}, %w{b} : i1",
                f"comb.or %w{a}, %w{b} : i1",
                f"comb.xor %w{a}, %w{b} : i1",
                f"comb.mux %w{a}, %w{b}, %w{c} : i1",
                f"comb.xor %w{i}_n, %true : i1",
            )[k]
        )
    out += [f"    %w{i}_b = hw.struct_create (%w{i}, %false) : {bit}" for i in range(GATES + 64)]
    # The leftmost element, w[0], has the highest index of the hw.array.
    out.append(f"    %13 = hw.array_create {', '.join(f'%w{i}_b' for i in range(GATES + 64))} : {bit}")
    constant = LIST["bench/gates"]["operations"][0]["text"]
    assert text.count(constant) == 1
    return text.replace("    " + constant, "\n".join(out))


def test_nothing_that_varies_drives_the_tail_of_the_gates() -> None:
    def leaf(v: Value) -> Plain:
        raise AssertionError(f"{v} is read")

    module = parse_file(BENCH / "gates.mlir").symbols["tb"]
    drives = [op for op in module.walk() if op.name == "llhd.drv" and op.operands[0].name == "tail"]
    assert len(drives) == 1
    assert Oracle(leaf).value(drives[0].operands[1]) == (0, 0)


@pytest.mark.parametrize("mode", MODES)
def test_gates_print_their_checksum_with_the_assignments_put_back(mode: str, run: Run, tmp_path: Path) -> None:
    entry = LIST["bench/gates"]
    assert f"checksum {gates_checksum(200):016x}" == entry["expected"] == CHECKSUMS["gates"]
    assert run(BENCH / "gates.mlir", mode).strip() == entry["computed"]
    (tmp_path / "gates.mlir").write_text(gates_restored((BENCH / "gates.mlir").read_text()))
    assert run(tmp_path / "gates.mlir", mode).strip() == entry["expected"]
