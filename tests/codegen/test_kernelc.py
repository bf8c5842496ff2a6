from __future__ import annotations

import importlib.util
import re
import sys
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.codegen import kernelc_samples as k
from wasmjit.codegen.kernel_source import KernelError
from wasmjit.codegen.kernelc import compile_functions, compile_kernel, load_kernel, source_key
from wasmjit.codegen.kernelc_testing import run_both
from wasmjit.runtime.cache import Cache
from wasmjit.runtime.engine import Engine
from wasmjit.sched import intrinsics

EDGES32 = [0, 1, 2, 7, 31, 32, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF]
EDGES64 = [*EDGES32, 1 << 32, (1 << 53) + 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]
U32 = st.sampled_from(EDGES32) | st.integers(0, 0xFFFFFFFF)
U64 = st.sampled_from(EDGES64) | st.integers(0, (1 << 64) - 1)
F64 = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, -0.0, 2.0**63, -(2.0**63), 2.0**64, 0.5, -0.5])
SMALL = st.integers(0, 60)
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
_serial = count()


def module_of(directory: Path, text: str) -> ModuleType:
    """A module from source text with the intrinsics in scope."""
    name = f"kernelc_generated_{next(_serial)}"
    path = directory / f"{name}.py"
    path.write_text("from __future__ import annotations\nfrom wasmjit.sched.intrinsics import *\n" + text)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


# ---- intrinsics --------------------------------------------------------------------------------------------------------

NUMERIC = {
    name: fn.__kernel_intrinsic__
    for name, fn in vars(intrinsics).items()
    if hasattr(fn, "__kernel_intrinsic__")
    and fn.__kernel_intrinsic__.form == "op"
    and fn.__kernel_intrinsic__.params
    and fn.__kernel_intrinsic__.result
    and "memory" not in fn.__kernel_intrinsic__.code
}
LOADS = {n: f.__kernel_intrinsic__ for n, f in vars(intrinsics).items() if getattr(getattr(f, "__kernel_intrinsic__", None), "form", "") == "load"}
STORES = {n: f.__kernel_intrinsic__ for n, f in vars(intrinsics).items() if getattr(getattr(f, "__kernel_intrinsic__", None), "form", "") == "store"}
BY_TYPE = {"i32": U32, "i64": U64, "f64": F64}


@pytest.fixture(scope="module")
def wrappers(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    lines = []
    for name, spec in {**NUMERIC, **LOADS, **STORES}.items():
        names = "abc"[: len(spec.params)]
        params = ", ".join(f"{n}: {t}" for n, t in zip(names, spec.params, strict=True))
        lines.append(f"def w_{name}({params}) -> {spec.result or None}:\n    {'return ' if spec.result else ''}{name}({', '.join(names)})\n")
    return module_of(tmp_path_factory.mktemp("wrappers"), "\n".join(lines))


@pytest.mark.parametrize("name", NUMERIC)
@given(data=st.data())
@settings(FEW, max_examples=40)
def test_numeric_intrinsic_is_the_same_both_ways(wrappers: ModuleType, name: str, data: st.DataObject) -> None:
    args = [data.draw(BY_TYPE[t]) for t in NUMERIC[name].params]
    run_both(getattr(wrappers, f"w_{name}"), *args)


IMAGE = bytes((i * 37 + (i >> 8) * 11) & 0xFF for i in range(65536))


@pytest.mark.parametrize("name", LOADS)
@given(addr=st.integers(0, 64) | st.integers(65520, 65540) | U32)
@FEW
def test_load_is_the_same_both_ways_at_any_address(wrappers: ModuleType, name: str, addr: int) -> None:
    run_both(getattr(wrappers, f"w_{name}"), addr, memory=IMAGE)


@pytest.mark.parametrize("name", STORES)
@given(data=st.data(), addr=st.integers(0, 64) | st.integers(65520, 65540) | U32)
@settings(FEW, max_examples=30)
def test_store_is_the_same_both_ways_at_any_address(wrappers: ModuleType, name: str, data: st.DataObject, addr: int) -> None:
    run_both(getattr(wrappers, f"w_{name}"), addr, data.draw(BY_TYPE[STORES[name].params[1]]), memory=IMAGE)


@given(U64, U64)
@FEW
def test_mulhi64_is_the_upper_half_of_the_product(a: int, b: int) -> None:
    assert run_both(intrinsics.mulhi64, a, b).result == a * b >> 64


# ---- statements and expressions ----------------------------------------------------------------------------------------

CASES = {
    "if_chain": (SMALL, SMALL), "while_loop": (SMALL,), "while_true": (SMALL,), "range_forms": (SMALL, SMALL), "range_near_the_top": (U32,),
    "range_keeps_the_last_value": (st.integers(0, 9),), "range64": (st.integers(0, 1 << 60),), "nested_loops": (st.integers(0, 14),),
    "conditional": (SMALL, SMALL), "widening": (st.integers(0, 0xFFFFFFF), st.integers(0, 0xFFFFFFF), U64), "wrapping": (U32, U32), "constants": (U32,),
    "logic_values": (st.sampled_from([0, 1, 5]), st.sampled_from([0, 1, 1 << 40]), st.sampled_from([0, 3])),
    "logic_tests": (st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)), "inlining": (SMALL, SMALL), "fib": (st.integers(0, 12),),
    "is_even": (SMALL,), "memory_forms": (st.integers(0, 65300) | st.integers(65400, 65540), U64), "load_anywhere": (U32 | st.integers(65510, 65540),),
    "grow": (st.sampled_from([0, 1, 5, 62, 63, 64, 70000]),), "stack_pointer": (st.integers(0, 70000),), "tuple_swap": (U32, U32), "selecting": (SMALL, U32),
    "asserting": (st.integers(0, 20),), "dividing": (SMALL, st.integers(0, 9)), "trapping": (st.integers(0, 9),), "floats": (F64, F64, st.integers(0, 3)),
    "float_memory": (st.integers(0, 100),),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
@FEW
def test_language_form_is_the_same_both_ways(name: str, data: st.DataObject) -> None:
    args = [data.draw(s) for s in CASES[name]]
    run_both(getattr(k, name), *args, memory=IMAGE[:300], sp=65536)


def test_chosen_results() -> None:
    assert run_both(k.fib, 12).result == 144
    assert run_both(k.widening, 0xFFFFFFF, 0xFFFFFFF, 0).trap is None
    assert run_both(k.range_keeps_the_last_value, 9).result == 500
    assert run_both(k.trapping, 9).trap is not None
    assert run_both(k.trapping, 9).memory[:8] == b"\t\0\0\0\0\0\0\0"
    assert run_both(k.grow, 3).result == 1004


@given(st.integers(0, 3), st.integers(0, 6))
@FEW
def test_host_calls_happen_in_the_same_order_with_the_same_arguments(a: int, step: int) -> None:
    def host() -> dict:
        state = [0]

        def note(x: int, y: int) -> int:
            state[0] += step
            return (x + y + state[0]) % 6

        return {"note": note, "mark": lambda x: None}

    for fn in (k.evaluation_stops, k.select_order):
        run_both(fn, a, host=host)
    out = run_both(k.host_calls, a, 1.5, host=host)
    assert [c[0] for c in out.host_calls] == ["mark", "note", "note"]
    assert out.host_calls[2][1] == (a + 1, k.BIG)


def test_host_functions_work_on_the_memory_of_the_running_side() -> None:
    def note(a: int, b: int) -> int:
        intrinsics.st32(40, intrinsics.ld32(40) + a)
        return intrinsics.ld32(40)

    out = run_both(k.host_calls, 5, 0.0, host={"note": note, "mark": lambda x: None}, memory=bytes(44))
    assert out.result == 11 and out.memory[40] == 11


def test_unbound_host_function_traps_both_ways() -> None:
    assert "note" in str(run_both(k.evaluation_stops, 1).trap)


TABLE = [k.t_add, k.t_store, k.t_store2, k.fib, None, k.while_true]


@pytest.mark.parametrize("fn", range(4))
def test_indirect_calls_reach_the_table_entry(fn: int) -> None:
    assert run_both(k.indirect, fn, 9, 5, table=TABLE).trap is None


@pytest.mark.parametrize("fn", [4, 77])
def test_indirect_call_of_an_empty_entry_traps(fn: int) -> None:
    assert run_both(k.indirect, fn, 1, 2, table=TABLE).trap is not None


def test_difference_between_the_executions_is_reported(tmp_path: Path) -> None:
    m = module_of(tmp_path, "def bad(a: i32) -> i32:\n    return (a + a) >> 1\n")
    assert run_both(m.bad, 5).result == 5
    with pytest.raises(AssertionError, match="CPython gives"):
        run_both(m.bad, 0x90000000)


# ---- random expressions: (type, text) over a, b (i32) and c, d (i64), keeping the rules ------------------------------------


def _extend(children: st.SearchStrategy[tuple[str, str]]) -> st.SearchStrategy[tuple[str, str]]:
    @st.composite
    def build(draw: st.DrawFn) -> tuple[str, str]:
        (ta, a), (tb, b) = draw(children), draw(children)
        wide = "i64" if "i64" in (ta, tb) else "i32"
        form = draw(st.integers(0, 12))
        if form <= 3:
            wrap = draw(st.sampled_from(["u32", "u64"])) if wide == "i32" else "u64"
            op = draw(st.sampled_from(["+", "-", "*", "^", "&", "|"]))
            neg = draw(st.sampled_from(["", "", "-", "~"]))
            return ("i32" if wrap == "u32" else "i64"), f"{wrap}({a} {op} {neg}{b})"
        if form == 4:
            return wide, f"({a} {draw(st.sampled_from(['&', '|', '^', '& ~']))}{b})"
        if form == 5:
            return wide, f"({a} {draw(st.sampled_from(['//', '%']))} ({b} | 1))"
        if form == 6:
            bits = 31 if ta == "i32" else 63
            return ta, f"({a} >> ({b} & {bits}))"
        if form == 7:
            wrap, bits = ("u32", 31) if ta == "i32" else ("u64", 63)
            return ta, f"{wrap}({a} << ({b} & {bits}))"
        if form == 8:
            return "i32", f"({a} {draw(st.sampled_from(['<', '<=', '>', '>=', '==', '!=']))} {b})"
        if form == 9:
            tc, c = draw(children)
            return ("i64" if "i64" in (wide, tc) else "i32"), f"({a} if {c} else {b})"
        if form == 10:
            return wide, f"({a} {draw(st.sampled_from(['and', 'or']))} {b})"
        if form == 11:
            return "i32", f"(not {a})"
        return "i32", f"u32({a})"

    return build()


_ANY = st.recursive(
    st.sampled_from([("i32", "a"), ("i32", "b"), ("i64", "c"), ("i64", "d"), ("i32", "3"), ("i32", "0"), ("i32", "0xFFFFFFFF"), ("i64", "0x8000000000000001")]),
    _extend,
    max_leaves=14,
)
_E64 = _ANY.map(lambda e: f"u64({e[1]})")


@given(texts=st.lists(_E64, min_size=6, max_size=6), args=st.lists(st.tuples(U32, U32, U64, U64), min_size=4, max_size=4))
@settings(FEW, max_examples=40)
def test_random_expressions_are_the_same_both_ways(tmp_path: Path, texts: list[str], args: list[tuple[int, int, int, int]]) -> None:
    body = "".join(f"    r{i} = {e}\n    st64(p + {8 * i}, r{i})\n" for i, e in enumerate(texts))
    m = module_of(tmp_path, f"def f(a: i32, b: i32, c: i64, d: i64, p: i32) -> None:\n{body}")
    for row in args:
        run_both(m.f, *row, 128)


# ---- errors --------------------------------------------------------------------------------------------------------------

BAD = {
    "x = [a]": "outside restricted Python",
    "x = a / a": "operator Div",
    "x = ~a": "wrap it in u32",
    "x = -1": "no unsigned i32",
    "x = u64(a)\n    a = x": "narrow it with u32",
    "st32(a, u64(a))": "narrow it with u32",
    "x = 1.5 + a": "do not mix",
    "x: f64 = a": "convert it explicitly",
    "x = a << 32": "shift of an i32 by 32",
    "x = 0 < a < 5": "chained comparison",
    "x = foo(a)": "no kernel function",
    "x = undefined": "no variable and no UPPER_CASE constant",
    "print(a)": "no kernel function",
    "ld32(a, 1)": "takes 1 arguments",
    "ld32(addr=a)": "arguments",
    "for i in [1]:\n        pass": "range",
    "for i in range(9, 0, -1):\n        pass": "step of range",
    "while a:\n        a = 0\n    else:\n        a = 1": "while ... else",
    "try:\n        a = 1\n    finally:\n        a = 2": "Try statement",
    "(a, b), c = (a, a), a": "nested tuple",
    "return 3": "returns nothing",
    "st32(a, 4)[0] = 1": "cannot assign",
    "x = st32(a, 4)": "without one",
    "x = 1 << 70": "no unsigned i64",
    "a + 1": "no effect",
    "x = a is a": "Is is outside",
    "x = 1 // 0": "constant expression",
    "def g() -> None:\n        pass": "FunctionDef statement",
    "global a": "Global statement",
}


@pytest.mark.parametrize("body", BAD)
def test_construct_outside_the_language_is_an_error_with_file_and_line(tmp_path: Path, body: str) -> None:
    if body == "global a":
        m = module_of(tmp_path, "def f(b: i32) -> None:\n    global a\n    a = b\n")
    else:
        m = module_of(tmp_path, f"def f(a: i32) -> None:\n    {body}\n")
    with pytest.raises(KernelError) as e:
        compile_functions({"f": m.f})
    assert BAD[body] in str(e.value)
    assert re.match(rf"{re.escape(m.__file__)}:[3-9]: ", str(e.value))


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("def f(a):", "missing annotation"),
        ("def f(a: int) -> None:", "no kernel type"),
        ("def f(a: i32):", "missing annotation"),
        ("def f(a: i32 = 3) -> None:", "without defaults"),
        ("def f(*a: i32) -> None:", "plain parameters"),
    ],
)
def test_signature_outside_the_language_is_an_error(tmp_path: Path, head: str, message: str) -> None:
    m = module_of(tmp_path, f"{head}\n    pass\n")
    with pytest.raises(KernelError, match=message):
        compile_functions({"f": m.f})


def test_recursive_inline_is_an_error(tmp_path: Path) -> None:
    m = module_of(tmp_path, "@inline\ndef f(a: i32) -> i32:\n    return f(a)\ndef g(a: i32) -> i32:\n    return f(a)\n")
    with pytest.raises(KernelError, match="calls itself"):
        compile_functions({"g": m.g})


# ---- modules, cache -----------------------------------------------------------------------------------------------------


def test_kernel_exports_the_marked_functions_with_their_signatures() -> None:
    image = compile_kernel([k])
    assert image.exports == {"if_chain": (("i32", "i32"), ("i32",)), "while_loop": (("i32",), ("i64",))}
    assert image.host_imports == {}


def test_functions_and_constants_of_other_modules_are_compiled_in(tmp_path: Path) -> None:
    a = module_of(tmp_path, "LIMIT = 5\ndef helper(x: i32) -> i32:\n    return u32(x * LIMIT)\n")
    b = module_of(tmp_path, f"import {a.__name__} as other\nfrom {a.__name__} import LIMIT, helper\n@export\ndef f(x: i32) -> i32:\n    return u32(helper(x) + other.helper(LIMIT) + other.LIMIT)\n")
    assert run_both(b.f, 7).result == 35 + 25 + 5
    assert list(compile_kernel([a, b]).exports) == ["f"]


def test_cached_kernel_is_loaded_without_compiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, cache = Engine(), Cache(tmp_path / "cache")
    _, first = load_kernel(engine, [k], cache)
    monkeypatch.setattr("wasmjit.codegen.kernelc.compile_kernel", lambda *a: pytest.fail("compiled again"))
    module, again = load_kernel(engine, [k], cache)
    assert again == first
    assert module.exports() == ["if_chain", "while_loop"]


def test_damaged_cache_entry_is_replaced(tmp_path: Path) -> None:
    engine, cache = Engine(), Cache(tmp_path / "cache")
    _, first = load_kernel(engine, [k], cache)
    (entry,) = (tmp_path / "cache").glob("*.bin")
    entry.write_bytes(entry.read_bytes()[:-1] + b"x")
    assert load_kernel(engine, [k], cache)[1] == first
    assert cache.stats()[0] == 1
    assert cache.get(b"kernel\0" + source_key([k]) + b"\0" + engine.key) is not None


def test_source_key_depends_on_imported_modules(tmp_path: Path) -> None:
    a = module_of(tmp_path, "LIMIT = 5\n")
    keys = [source_key([a])]
    a.LIMIT = 6
    keys.append(source_key([a]))
    Path(str(a.__file__)).write_text("LIMIT = 7\n")
    keys.append(source_key([a]))
    assert len(set(keys)) == 3


def test_two_exports_of_one_name_are_refused(tmp_path: Path) -> None:
    a, b = (module_of(tmp_path, "@export\ndef f() -> None:\n    pass\n") for _ in range(2))
    with pytest.raises(ValueError, match="f is exported by"):
        compile_kernel([a, b])
