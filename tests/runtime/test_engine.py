from __future__ import annotations

import math
import signal

import pytest
import wasmtime

from wasmjit.runtime.engine import Engine, Instance, Store, compile_module, deserialize_module, validate, with_stack
from wasmjit.runtime.memory import PAGE, Global, LinearMemory, MemoryFault, Table
from wasmjit.runtime.raw import Func, WasmError, WasmTrap, host_func, raw_call


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def instance(engine: Engine, wat: str, imports: dict | None = None, store: Store | None = None) -> Instance:
    return Instance(store or engine.store(), compile_module(engine, wasmtime.wat2wasm(wat)), imports or {})


@pytest.mark.parametrize("opt", ["speed", "none"])
def test_integer_results_are_unsigned_and_arguments_wrap(opt: str) -> None:
    i = instance(Engine(opt), """(module
      (func (export "sub") (param i32 i32) (result i32) local.get 0 local.get 1 i32.sub)
      (func (export "sub64") (param i64 i64) (result i64) local.get 0 local.get 1 i64.sub))""")
    assert i.call("sub")(3, 5) == 0xFFFFFFFE
    assert i.call("sub")(-1, 0) == 0xFFFFFFFF
    assert i.call("sub")(1 << 32 | 7, 0) == 7
    assert i.call("sub64")(3, 5) == 0xFFFFFFFFFFFFFFFE


def test_floats_and_multiple_results_cross_the_border(engine: Engine) -> None:
    i = instance(engine, """(module
      (func (export "swap") (param i32 f64 f32 i64) (result i64 f32 f64 i32) local.get 3 local.get 2 local.get 1 local.get 0)
      (func (export "none") (param i32)))""")
    assert i.call("swap")(1, 2.5, 0.25, 1 << 40) == (1 << 40, 0.25, 2.5, 1)
    assert i.call("none")(4) is None
    assert i.func("swap").signature() == (("i32", "f64", "f32", "i64"), ("i64", "f32", "f64", "i32"))


def test_wrong_number_of_arguments_is_a_type_error(engine: Engine) -> None:
    i = instance(engine, '(module (func (export "f") (param i32)))')
    with pytest.raises(TypeError):
        i.call("f")()


def test_trap_carries_code_and_function_names(engine: Engine) -> None:
    i = instance(engine, """(module (memory 1)
      (func $inner unreachable) (func $outer (export "f") call $inner)
      (func $oob (export "g") (result i32) i32.const -4 i32.load)
      (func (export "d") (param i32) (result i32) i32.const 1 local.get 0 i32.div_u))""")
    with pytest.raises(WasmTrap) as e:
        i.call("f")()
    assert e.value.code == "unreachable_code_reached"
    assert e.value.backtrace == ["inner", "outer"]
    with pytest.raises(WasmTrap) as e:
        i.call("g")()
    assert e.value.code == "memory_out_of_bounds"
    with pytest.raises(WasmTrap) as e:
        i.call("d")(0)
    assert e.value.code == "integer_division_by_zero"


def test_deep_recursion_is_a_trap_not_a_crash(engine: Engine) -> None:
    i = instance(engine, '(module (func $f (export "f") call $f))')
    with pytest.raises(WasmTrap) as e:
        i.call("f")()
    assert e.value.code == "stack_overflow"


DEPTH = '(module (func $f (export "f") (param i32) (result i32) local.get 0 if (result i32) local.get 0 i32.const 1 i32.sub call $f i32.const 1 i32.add else i32.const 0 end))'


def test_with_stack_gives_room_for_deep_calls() -> None:
    big = Engine(wasm_stack=64 << 20)
    i = instance(big, DEPTH)
    assert with_stack(big, i.call("f"), 500_000) == 500_000
    with pytest.raises(WasmTrap):
        instance(Engine(), DEPTH).call("f")(500_000)


def test_with_stack_passes_exceptions_on() -> None:
    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        with_stack(Engine(), fail)


def test_interrupt_asks_the_wasm_code_to_stop_and_comes_out_after_its_end() -> None:
    engine = Engine()
    store = engine.store()
    mem = LinearMemory(store, PAGE)
    wat = """(module (import "env" "memory" (memory 1)) (import "h" "started" (func $s))
      (func (export "spin") call $s loop i32.const 0 i32.load i32.eqz br_if 0 end i32.const 4 i32.const 9 i32.store))"""
    # the signal arrives while wasm runs in the other thread
    started = host_func(store, [], [], lambda: signal.raise_signal(signal.SIGINT))
    i = instance(engine, wat, {("env", "memory"): mem, ("h", "started"): started}, store)

    def stop() -> None:
        mem.u32[0] = 1

    with pytest.raises(KeyboardInterrupt):
        with_stack(engine, i.call("spin"), on_interrupt=stop)
    assert mem.u32[1] == 9


def test_host_function_sees_unsigned_ints_and_floats(engine: Engine) -> None:
    s = engine.store()
    seen: list[tuple] = []

    def f(a: int, b: int, c: float, d: float) -> int:
        seen.append((a, b, c, d))
        return -1

    h = host_func(s, ["i32", "i64", "f64", "f32"], ["i32"], f)
    i = instance(engine, """(module (import "h" "f" (func $f (param i32 i64 f64 f32) (result i32)))
      (func (export "g") (result i32) i32.const -2 i64.const -3 f64.const 1.5 f32.const 0.5 call $f))""", {("h", "f"): h}, s)
    assert i.call("g")() == 0xFFFFFFFF
    assert seen == [(0xFFFFFFFE, 0xFFFFFFFFFFFFFFFD, 1.5, 0.5)]


def test_host_function_results_of_every_type(engine: Engine) -> None:
    s = engine.store()
    h = host_func(s, [], ["i32", "i64", "f64", "f32"], lambda: (-1, -2, math.inf, 0.75))
    assert raw_call(h)() == (0xFFFFFFFF, 0xFFFFFFFFFFFFFFFE, math.inf, 0.75)


@pytest.mark.parametrize("exc", [ValueError("boom"), KeyboardInterrupt(), SystemExit(3)])
def test_exception_of_a_host_function_comes_out_unchanged(engine: Engine, exc: BaseException) -> None:
    s = engine.store()

    def f() -> None:
        raise exc

    i = instance(engine, '(module (import "h" "f" (func $f)) (func (export "g") call $f))', {("h", "f"): host_func(s, [], [], f)}, s)
    with pytest.raises(type(exc)) as e:
        i.call("g")()
    assert e.value is exc
    assert s.pending is None


def test_bad_result_of_a_host_function_is_a_python_error(engine: Engine) -> None:
    s = engine.store()
    h = host_func(s, [], ["i32"], lambda: None)
    with pytest.raises(TypeError):
        raw_call(h)()


def test_calls_nest_and_inner_exceptions_can_be_handled(engine: Engine) -> None:
    s = engine.store()
    log: list[int] = []

    def f(n: int) -> int:
        log.append(n)
        if n == 0:
            raise LookupError("bottom")
        if n == 2:
            try:
                return int(call(n - 1))
            except LookupError:
                return 100
        return int(call(n - 1)) + 1

    i = instance(engine, '(module (import "h" "f" (func $f (param i32) (result i32))) (func (export "g") (param i32) (result i32) local.get 0 call $f))',
                 {("h", "f"): host_func(s, ["i32"], ["i32"], f)}, s)
    call = i.call("g")
    assert call(4) == 102
    assert log == [4, 3, 2, 1, 0]
    with pytest.raises(LookupError):
        call(1)


def test_missing_import_is_named(engine: Engine) -> None:
    with pytest.raises(WasmError, match=r"h\.f"):
        instance(engine, '(module (import "h" "f" (func)))')


def test_import_of_the_wrong_type_is_refused(engine: Engine) -> None:
    s = engine.store()
    with pytest.raises(WasmError):
        instance(engine, '(module (import "h" "f" (func (param i64))))', {("h", "f"): host_func(s, ["i32"], [], print)}, s)


def test_invalid_bytes_are_refused(engine: Engine) -> None:
    with pytest.raises(WasmError):
        compile_module(engine, b"\0asm\x01\0\0\0garbage")
    with pytest.raises(WasmError):
        validate(engine, b"nothing")


def test_features_outside_tier_1_are_off(engine: Engine) -> None:
    with pytest.raises(WasmError):
        compile_module(engine, wasmtime.wat2wasm("(module (type (struct (field i32))))"))


def test_serialised_module_runs_again(engine: Engine) -> None:
    m = compile_module(engine, wasmtime.wat2wasm('(module (func (export "f") (result i32) i32.const 42) (func (export "g")))'))
    again = deserialize_module(engine, m.serialize())
    assert Instance(engine.store(), again, {}).call("f")() == 42
    assert again.exports() == ["f", "g"]
    with pytest.raises(WasmError):
        deserialize_module(engine, b"junk")


def test_serialised_module_of_another_configuration_is_refused(engine: Engine) -> None:
    m = compile_module(Engine(fuel=True), wasmtime.wat2wasm('(module (func (export "f")))'))
    with pytest.raises(WasmError):
        deserialize_module(engine, m.serialize())


def test_unknown_export_is_a_key_error(engine: Engine) -> None:
    i = instance(engine, '(module (memory (export "m") 1))')
    with pytest.raises(KeyError):
        i.func("f")
    with pytest.raises(KeyError):
        i.func("m")


def test_fuel_and_epoch_stop_endless_loops() -> None:
    wat = '(module (func (export "f") loop br 0 end))'
    fuel = Engine(fuel=True)
    i = instance(fuel, wat)
    i.store.set_fuel(1000)
    with pytest.raises(WasmTrap) as e:
        i.call("f")()
    assert e.value.code == "out_of_fuel"
    epoch = Engine(epoch=True)
    i = instance(epoch, wat)
    i.store.set_epoch_deadline(1)
    epoch.increment_epoch()
    with pytest.raises(WasmTrap) as e:
        i.call("f")()
    assert e.value.code == "interrupt"


# ---- memory ------------------------------------------------------------------------------------------------------------


def test_views_and_wasm_see_the_same_bytes_before_and_after_growth(engine: Engine) -> None:
    s = engine.store()
    mem = LinearMemory(s, 100, 64 * PAGE)
    i = instance(engine, """(module (import "env" "memory" (memory 1))
      (func (export "ld") (param i32) (result i64) local.get 0 i64.load)
      (func (export "st") (param i32 i64) local.get 0 local.get 1 i64.store)
      (func (export "grow") (param i32) (result i32) local.get 0 memory.grow))""", {("env", "memory"): mem}, s)
    assert mem.size() == PAGE
    mem.u64[1] = 0x8877665544332211
    assert i.call("ld")(8) == 0x8877665544332211
    base = mem.base
    assert mem.grow(3) == 1
    assert i.call("grow")(4) == 4
    assert mem.size() == 8 * PAGE
    i.call("st")(7 * PAGE, 0xFFFFFFFFFFFFFFFF)
    assert mem.base == base
    assert mem.u8[7 * PAGE + 7] == 0xFF
    assert mem.i32[7 * PAGE >> 2] == -1
    assert mem.read(8, 4) == b"\x11\x22\x33\x44"
    mem.f64[3] = 1.5
    assert i.call("ld")(24) == 0x3FF8000000000000
    assert mem.u16[4] == 0x2211 and mem.u32[2] == 0x44332211 and mem.i64[7 * PAGE >> 3] == -1


def test_base_stays_when_a_memory_grows_to_four_gibibytes(engine: Engine) -> None:
    mem = LinearMemory(engine.store(), PAGE)
    assert mem.grow(65535) == 1
    assert mem.size() == 1 << 32
    assert mem.grow(1) == -1
    mem.write((1 << 32) - 4, b"abcd")
    assert mem.u8[(1 << 32) - 1] == ord("d")


def test_host_accesses_are_bounds_checked(engine: Engine) -> None:
    mem = LinearMemory(engine.store(), PAGE, 2 * PAGE)
    mem.write(PAGE - 4, b"abcd")
    assert mem.read(PAGE - 4, 4) == b"abcd"
    for addr, n in ((PAGE - 3, 4), (-1, 1), (PAGE, 1), (1 << 40, 1), (0, -1)):
        with pytest.raises(MemoryFault):
            mem.check(addr, n)
    with pytest.raises(MemoryFault):
        mem.read(PAGE, 1)
    with pytest.raises(MemoryFault):
        mem.write(PAGE - 1, b"xy")
    assert mem.grow(2) == -1
    assert mem.grow(1) == 1
    mem.check(2 * PAGE - 1, 1)


def test_impossible_memory_sizes_are_refused(engine: Engine) -> None:
    with pytest.raises(ValueError):
        LinearMemory(engine.store(), 2 * PAGE, PAGE)
    with pytest.raises(ValueError):
        LinearMemory(engine.store(), 0, 1 << 33)


def test_store_limit_makes_growth_fail(engine: Engine) -> None:
    s = engine.store()
    s.set_limits(memory_size=4 * PAGE)
    mem = LinearMemory(s, PAGE, 64 * PAGE)
    assert mem.grow(3) == 1
    assert mem.grow(1) == -1


# ---- table and global --------------------------------------------------------------------------------------------------


def test_table_entries_are_called_and_replaced(engine: Engine) -> None:
    s = engine.store()
    table = Table(s, 2)
    i = instance(engine, """(module (import "env" "table" (table 1 funcref)) (type $t (func (param i32) (result i32)))
      (func (export "call") (param i32 i32) (result i32) local.get 1 local.get 0 call_indirect (type $t))
      (func (export "inc") (param i32) (result i32) local.get 0 i32.const 1 i32.add))""", {("env", "table"): table}, s)
    table.set(0, i.func("inc"))
    assert table.grow(3) == 2
    table.set(4, host_func(s, ["i32"], ["i32"], lambda x: x * 10))
    call = i.call("call")
    assert call(0, 5) == 6 and call(4, 5) == 50
    got = table.get(0)
    assert isinstance(got, Func) and raw_call(got)(1) == 2
    assert table.get(1) is None
    with pytest.raises(IndexError):
        table.set(5, None)
    with pytest.raises(ValueError):
        table.set(1, Func(engine.store(), i.func("inc").raw))
    table.set(0, None)
    with pytest.raises(WasmTrap) as e:
        call(0, 5)
    assert e.value.code == "indirect_call_to_null"


def test_null_entries_after_growing_a_filled_table(engine: Engine) -> None:
    s = engine.store()
    table = Table(s, 1)
    table.set(0, host_func(s, [], [], lambda: None))
    table.grow(1)
    assert table.get(1) is None and table.get(0) is not None and len(table) == 2


def test_global_is_shared_with_wasm(engine: Engine) -> None:
    s = engine.store()
    sp = Global(s, 0x80000000)
    i = instance(engine, """(module (import "env" "sp" (global $sp (mut i32)))
      (func (export "push") (param i32) global.get $sp local.get 0 i32.sub global.set $sp))""", {("env", "sp"): sp}, s)
    i.call("push")(16)
    assert sp.get() == 0x7FFFFFF0
    sp.set(0xFFFFFFF0)
    i.call("push")(0x10)
    assert sp.get() == 0xFFFFFFE0
