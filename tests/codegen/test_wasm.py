"""The binary module builder, checked by wasmtime."""

from __future__ import annotations

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from wasmjit.codegen import wasm as w


def _run(m: w.ModuleBuilder, name: str, *args: int) -> object:
    store = wasmtime.Store()
    inst = wasmtime.Instance(store, wasmtime.Module(store.engine, m.finish()), [])
    return inst.exports(store)[name](store, *args)


@given(st.integers(-(2**63), 2**64 - 1))
def test_constants_of_any_value_come_back(n: int) -> None:
    m = w.ModuleBuilder()
    m.export_func("a", m.add_func((), (w.I64,), (), w.CodeBuf().i64_const(n)))
    m.export_func("b", m.add_func((), (w.I32,), (), w.CodeBuf().i32_const(n)))
    assert _run(m, "a") % 2**64 == n % 2**64  # type: ignore[operator]
    assert _run(m, "b") % 2**32 == n % 2**32  # type: ignore[operator]


def test_recursion_through_a_declared_function() -> None:
    m = w.ModuleBuilder()
    f = m.declare_func((w.I32,), (w.I32,), "fact")
    c = w.CodeBuf()
    c.local_get(0).op(w.I32_EQZ).if_(w.I32).i32_const(1).else_()
    c.local_get(0).local_get(0).i32_const(1).op(w.I32_SUB).call(f).op(w.I32_MUL).end()
    m.define_func(f, (), c)
    m.export_func("fact", f)
    assert _run(m, "fact", 6) == 720


def test_br_table_globals_memory_data_and_elements() -> None:
    m = w.ModuleBuilder()
    m.add_memory(1)
    m.add_table(4)
    g = m.add_global(w.I32, True, w.i32_const(7))
    ten = m.add_func((), (w.I32,), (), w.CodeBuf().i32_const(10))
    twenty = m.add_func((), (w.I32,), (), w.CodeBuf().i32_const(20))
    m.add_elem(1, [ten, twenty])
    m.add_data(16, b"\x2a\x00\x00\x00")
    c = w.CodeBuf()
    c.block().block().local_get(0).br_table([0, 1], 1).end()
    c.i32_const(16).load(w.I32_LOAD).global_get(g).op(w.I32_ADD).ret().end()
    c.local_get(0).call_indirect(m.add_type((), (w.I32,)))
    m.export_func("f", m.add_func((w.I32,), (w.I32,), (w.I64, w.I32, w.I32), c))
    assert [_run(m, "f", i) for i in range(3)] == [49, 10, 20]


def test_late_imports_and_missing_bodies_are_refused() -> None:
    m = w.ModuleBuilder()
    m.declare_func((), (), "f")
    with pytest.raises(ValueError, match="after the first defined function"):
        m.import_func("a", "b", (), ())
    with pytest.raises(ValueError, match="no body"):
        m.finish()


def test_same_import_has_one_index_and_types_are_shared() -> None:
    m = w.ModuleBuilder()
    assert m.import_func("a", "b", (w.I32,), ()) == m.import_func("a", "b", (w.I32,), ())
    assert m.import_func("a", "c", (w.I32,), ()) == 1
    assert m.add_type((w.I32,), ()) == 0
