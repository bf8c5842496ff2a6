from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import wasmtime

from wasmjit.codegen.binaryen import FUNCTION_PASSES, MODULE_PASSES, function_texts, optimize, to_wat
from wasmjit.runtime.engine import Engine, Instance, compile_module
from wasmjit.runtime.raw import WasmError, WasmTrap

SOURCE = bytes(wasmtime.wat2wasm("""(module (memory 1)
  (func $helper (param i32) (result i32) local.get 0 i32.const 2 i32.mul i32.const 0 i32.add)
  (func $main (export "f") (param i32 f64) (result i32)
    i32.const 8 i32.const 0 i32.const 4 memory.copy
    local.get 0 i32.extend8_s call $helper local.get 1 i32.trunc_sat_f64_s i32.add)
  (func $trap (export "g") unreachable))"""))


def run(wasm: bytes) -> int:
    engine = Engine("none")
    return int(Instance(engine.store(), compile_module(engine, wasm), {}).call("f")(0x85, 3.9))


@pytest.mark.parametrize("level", range(5))
def test_optimised_module_computes_the_same(level: int) -> None:
    assert run(optimize(SOURCE, level)) == run(SOURCE) == (2 * (0x85 - 256) + 3) & 0xFFFFFFFF


def test_every_listed_pass_exists_and_keeps_the_meaning(tmp_path: Path) -> None:
    """In a process of its own, which a pass that Binaryen does not know (or that wants another form of code) would end."""
    (tmp_path / "in.wasm").write_bytes(SOURCE)
    code = """
import sys, pathlib
from wasmjit.codegen.binaryen import FUNCTION_PASSES, MODULE_PASSES, optimize
directory = pathlib.Path(sys.argv[1])
for name in sorted(FUNCTION_PASSES | MODULE_PASSES):
    (directory / f"{name}.out").write_bytes(optimize((directory / "in.wasm").read_bytes(), passes=[name]))
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = {p.stem: run(p.read_bytes()) for p in tmp_path.glob("*.out")}
    assert results == dict.fromkeys(FUNCTION_PASSES | MODULE_PASSES, run(SOURCE))


def test_optimising_makes_the_module_smaller_and_keeps_names_on_request() -> None:
    with_names, without = optimize(SOURCE, 2), optimize(SOURCE, 2, names=False)
    assert len(without) < len(with_names) <= len(SOURCE)
    engine = Engine("none")
    with pytest.raises(WasmTrap) as e:
        Instance(engine.store(), compile_module(engine, with_names), {}).call("g")()
    assert e.value.backtrace == ["trap"]


def test_misuse_is_an_exception_and_never_the_end_of_the_process() -> None:
    with pytest.raises(ValueError, match="no-such-pass"):
        optimize(SOURCE, passes=["no-such-pass"])
    with pytest.raises(ValueError, match="level"):
        optimize(SOURCE, 9)
    for bad in (b"", b"\0asm", SOURCE[:-10], b"\0asm\x01\0\0\0\x0a\x05\x01\x03\x00"):
        with pytest.raises(WasmError):
            optimize(bad)
        with pytest.raises(WasmError):
            to_wat(bad)


def test_text_shows_functions_by_name() -> None:
    text = to_wat(SOURCE)
    assert text.startswith("(module")
    assert "(func $helper" in text and "memory.copy" in text
    wasmtime.wat2wasm(text)


def test_library_is_loaded_only_when_it_is_used() -> None:
    code = "import wasmjit.codegen.binaryen as b, sys; print('libbinaryen' in open('/proc/self/maps').read()); b.to_wat(b'\\0asm\\1\\0\\0\\0'); print('libbinaryen' in open('/proc/self/maps').read())"
    if sys.platform != "linux":
        pytest.skip("reads /proc/self/maps")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "True"]


def test_text_of_each_function_alone_is_its_part_of_the_module() -> None:
    wasm = bytes(wasmtime.wat2wasm('(module (import "a" "b" (func (param i32))) (func $one (result i32) (i32.const 1)) (func $two (call 0 (call 1))) (func $three))'))
    texts = function_texts(wasm)
    assert [t.split()[1].rstrip(")") for t in texts] == ["$one", "$two", "$three"]
    whole = to_wat(wasm)
    assert all("".join(t.split()) in "".join(whole.split()) for t in texts)
    assert "(i32.const 1)" in texts[0] and "call $one" in texts[1] and all(t.count("(") == t.count(")") for t in texts)
    assert function_texts(b"\0asm\1\0\0\0") == []
