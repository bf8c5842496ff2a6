"""Raw calls across the Python/wasm border: wasmtime's C API through ctypes, without wasmtime-py's per-call conversions.

Measured here (2 shared x86-64 cores, Python 3.11, wasmtime 50.0.1; best case, two i32 parameters):

    Func.__call__ of wasmtime-py            ~ 40     µs
    raw_call                                  0.43  µs
    host_func, wasm -> Python -> wasm         0.30  µs  (an integer function of one parameter)

`raw_call` asks wasmtime for the signature of the function once, so a call can never disagree with it. The GIL is released while wasm runs and taken
again in callbacks. A store may be used by one thread at a time.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence
from ctypes import POINTER, addressof, byref, c_char_p, c_double, c_float, c_size_t, c_uint8, c_uint64, c_void_p
from functools import cache
from typing import TYPE_CHECKING, Any

from wasmtime import _bindings as wb
from wasmtime import _ffi as ffi

from wasmjit.data import dataclass

if TYPE_CHECKING:
    from wasmjit.runtime.engine import Store

# A handle of our own: wasmtime-py sets argument types on the functions of its handle, which costs 0.2 µs per call.
lib = ctypes.CDLL(ffi.dll._name)
for _name, _res in (
    ("wasmtime_func_call_unchecked", c_size_t),
    ("wasmtime_trap_new", c_size_t),
    ("wasmtime_table_set", c_size_t),
    ("wasmtime_table_grow", c_size_t),
    ("wasmtime_memory_data", c_size_t),
    ("wasmtime_memory_data_size", c_size_t),
    ("wasmtime_memory_grow", c_size_t),
    ("wasmtime_global_set", c_size_t),
    ("wasmtime_instance_export_get", ctypes.c_bool),
    ("wasmtime_instance_new", c_size_t),
    ("wasmtime_func_type", c_void_p),
    ("wasm_functype_params", c_void_p),
    ("wasm_functype_results", c_void_p),
    ("wasm_valtype_kind", c_uint8),
):
    getattr(lib, _name).restype = _res

KINDS = {"i32": 0, "i64": 1, "f32": 2, "f64": 3}
_KIND_NAMES = {v: k for k, v in KINDS.items()}

_TRAP_CODES: dict[int, str] = {m.value: n.removeprefix("WASMTIME_TRAP_CODE_").lower() for n, m in wb.wasmtime_trap_code_enum.__members__.items()}

_CALLBACK = ctypes.CFUNCTYPE(c_size_t, c_size_t, c_size_t, POINTER(c_uint64), c_size_t)


@dataclass(frozen=True, slots=True)
class Frame:
    """One wasm frame of a trap: function name ("" when the module has no name for it), function index, byte offset in the module."""

    name: str
    index: int
    offset: int


class WasmError(Exception):
    """wasmtime refused something: a module that does not validate, an import of the wrong type, a full table."""


class WasmTrap(Exception):
    """A trap in wasm code. `code`: wasmtime's trap code in lower case ('unreachable_code_reached', 'memory_out_of_bounds', ...) or None; `frames`: innermost first.

    The store must not be used any more afterwards (architecture §3: a trap ends the run).
    """

    def __init__(self, message: str, code: str | None, frames: list[Frame]) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.frames = frames

    @property
    def backtrace(self) -> list[str]:
        """Function names, innermost first."""
        return [f.name or f"func[{f.index}]" for f in self.frames]


class Func:
    """A wasm function of one store."""

    __slots__ = ("raw", "store")

    def __init__(self, store: Store, raw: Any) -> None:
        self.store = store
        self.raw = raw

    def extern(self) -> Any:
        return wb.wasmtime_extern_t(0, wb.wasmtime_extern_union(func=self.raw))

    def signature(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(parameter types, result types), each 'i32', 'i64', 'f32' or 'f64'."""
        ft = c_void_p(lib.wasmtime_func_type(self.store.p_ctx, byref(self.raw)))
        try:
            return _valtypes(lib.wasm_functype_params(ft)), _valtypes(lib.wasm_functype_results(ft))
        finally:
            lib.wasm_functype_delete(ft)


def _valtypes(vec: int) -> tuple[str, ...]:
    size, data = (c_size_t * 2).from_address(vec)
    if not size:
        return ()
    out = []
    for ptr in (c_size_t * size).from_address(data):
        kind = lib.wasm_valtype_kind(c_void_p(ptr))
        if kind not in _KIND_NAMES:
            raise WasmError(f"value type {kind} cannot cross the border: only i32, i64, f32 and f64")
        out.append(_KIND_NAMES[kind])
    return tuple(out)


def _message(owner: Any, get: Callable[..., Any]) -> str:
    vec = wb.wasm_byte_vec_t()
    get(owner, byref(vec))
    text = ctypes.string_at(vec.data, vec.size).decode("utf-8", "replace").rstrip("\0")
    wb.wasm_byte_vec_delete(byref(vec))
    return text


def _frames(owner: Any, get: Callable[..., Any]) -> list[Frame]:
    vec = wb.wasm_frame_vec_t()
    get(owner, byref(vec))
    out = []
    for i in range(vec.size):
        frame = vec.data[i]
        name = wb.wasmtime_frame_func_name(frame)
        text = ctypes.string_at(name.contents.data, name.contents.size).decode("utf-8", "replace") if name else ""
        out.append(Frame(text, wb.wasm_frame_func_index(frame), wb.wasm_frame_module_offset(frame)))
    wb.wasm_frame_vec_delete(byref(vec))
    return out


def check_error(error: int | None) -> None:
    """Raise WasmError for a non-null `wasmtime_error_t*`, which is freed."""
    if error:
        ptr = ctypes.cast(error, POINTER(wb.wasmtime_error_t))
        text = _message(ptr, wb.wasmtime_error_message)
        wb.wasmtime_error_delete(ptr)
        raise WasmError(text)


def raise_failure(store: Store, error: int) -> None:
    """After a failed call: raise the exception of the host callback that caused it, or WasmTrap. Frees error and trap."""
    trap, code, frames = store.trap[0], None, []
    store.trap[0] = 0
    pending, store.pending = store.pending, None
    if trap:
        tp = ctypes.cast(trap, POINTER(wb.wasm_trap_t))
        if pending is None:
            number = c_uint8()
            if wb.wasmtime_trap_code(tp, byref(number)):
                code = _TRAP_CODES.get(number.value, str(number.value))
            text, frames = _message(tp, wb.wasm_trap_message), _frames(tp, wb.wasm_trap_trace)
        wb.wasm_trap_delete(tp)
    else:
        ep = ctypes.cast(error, POINTER(wb.wasmtime_error_t))
        if pending is None:
            text, frames = _message(ep, wb.wasmtime_error_message), _frames(ep, wb.wasmtime_error_wasm_trace)
        wb.wasmtime_error_delete(ep)
    if pending is not None:
        raise pending
    raise WasmTrap(text, code, frames)


@cache
def _call_maker(params: tuple[str, ...], results: tuple[str, ...]) -> Callable[..., Callable[..., Any]]:
    """The closure factory of one signature. Source text, because unrolled stores are half the cost of a call."""
    place = {"i32": "buf[{}]", "i64": "buf[{}]", "f64": "dbl[{}]", "f32": "flt[{}]"}
    scale = {"i32": 2, "i64": 2, "f64": 2, "f32": 4}  # a wasmtime_val_raw_t is 16 bytes

    def slot(t: str, i: int) -> str:
        return place[t].format(i * scale[t])

    out = [slot(t, i) + (" & 0xFFFFFFFF" if t == "i32" else "") for i, t in enumerate(results)]
    lines = [
        "def make(call, p_ctx, p_fn, p_buf, p_n, p_trap, buf, dbl, flt, trap, fail, store):",
        f"    def raw({', '.join(f'a{i}' for i in range(len(params)))}):",
        *(f"        {slot(t, i)} = a{i}" for i, t in enumerate(params)),
        "        error = call(p_ctx, p_fn, p_buf, p_n, p_trap)",
        "        if error or trap[0]:",
        "            fail(store, error)",
        *([f"        return {out[0]}" if len(out) == 1 else f"        return ({', '.join(out)})"] if out else []),
        "    return raw",
    ]
    scope: dict[str, Any] = {}
    exec("\n".join(lines), scope)  # noqa: S102  (our own text: only type names vary)
    return scope["make"]  # type: ignore[no-any-return]


def raw_call(func: Func) -> Callable[..., Any]:
    """A Python callable for a wasm function.

    Parameters: ints (taken modulo 2**32 or 2**64) and floats, positional, exactly as many as the function has. Result: None, one unsigned int or float, or a tuple.
    Raises WasmTrap, or the exception that a host callback raised during the call. Re-entrant: a host callback may call it again.
    """
    store = func.store
    params, results = func.signature()
    n = max(len(params), len(results), 1)
    buf = (c_uint64 * (2 * n))()
    dbl, flt = (c_double * (2 * n)).from_buffer(buf), (c_float * (4 * n)).from_buffer(buf)
    return _call_maker(params, results)(
        lib.wasmtime_func_call_unchecked,
        store.p_ctx,
        ctypes.pointer(func.raw),
        c_void_p(addressof(buf)),
        c_size_t(n),
        store.p_trap,
        buf,
        dbl,
        flt,
        store.trap,
        raise_failure,
        store,
    )


@cache
def _callback_maker(params: tuple[str, ...], results: tuple[str, ...]) -> Callable[..., Callable[..., int]]:
    read = {"i32": "p[{}] & 0xFFFFFFFF", "i64": "p[{}]", "f64": "to_f64(p[{}])", "f32": "to_f32(p[{}])"}
    write = {"i32": "p[{}] = {}", "i64": "p[{}] = {}", "f64": "p[{}] = of_f64({})", "f32": "p[{}] = of_f32({})"}
    call = f"fn({', '.join(read[t].format(2 * i) for i, t in enumerate(params))})"
    if not results:
        body = [call]
    elif len(results) == 1:
        body = [write[results[0]].format(0, call)]
    else:
        names = [f"r{i}" for i in range(len(results))]
        body = [f"{', '.join(names)} = {call}", *(write[t].format(2 * i, names[i]) for i, t in enumerate(results))]
    lines = [
        "def make(fn, store, trap, to_f64, of_f64, to_f32, of_f32):",
        "    def callback(env, caller, p, n):",
        "        try:",
        *("            " + line for line in body),
        "            return 0",
        "        except BaseException as e:",
        "            store.pending = e",
        "            return trap()",
        "    return callback",
    ]
    scope: dict[str, Any] = {}
    exec("\n".join(lines), scope)  # noqa: S102  (our own text: only type names vary)
    return scope["make"]  # type: ignore[no-any-return]


def _to_f64(bits: int) -> float:
    return float(struct.unpack("<d", bits.to_bytes(8, "little"))[0])


def _of_f64(x: float) -> int:
    return int.from_bytes(struct.pack("<d", x), "little")


def _to_f32(bits: int) -> float:
    return float(struct.unpack("<f", (bits & 0xFFFFFFFF).to_bytes(4, "little"))[0])


def _of_f32(x: float) -> int:
    return int.from_bytes(struct.pack("<f", x), "little")


_TRAP_TEXT = b"a host function raised an exception"


def _new_trap() -> int:
    return int(lib.wasmtime_trap_new(c_char_p(_TRAP_TEXT), c_size_t(len(_TRAP_TEXT))))


def _valtype_vec(types: Sequence[str]) -> Any:
    vec = wb.wasm_valtype_vec_t()
    items = [wb.wasm_valtype_new(KINDS[t]) for t in types]
    wb.wasm_valtype_vec_new(byref(vec), len(items), (POINTER(wb.wasm_valtype_t) * len(items))(*items))
    return vec


def host_func(store: Store, params: Sequence[str], results: Sequence[str], fn: Callable[..., Any]) -> Func:
    """A wasm function that calls `fn` with unsigned ints and floats.

    `fn` returns None (no results), an int (taken modulo the width) or float, or a tuple for several results. Whatever it raises comes out of the `raw_call`
    that entered wasm, as the same exception object. The store keeps the callback alive.
    """
    make = _callback_maker(tuple(params), tuple(results))
    callback = _CALLBACK(make(fn, store, _new_trap, _to_f64, _of_f64, _to_f32, _of_f32))
    store.keep.append(callback)
    pv, rv = _valtype_vec(params), _valtype_vec(results)
    ft = wb.wasm_functype_new(byref(pv), byref(rv))
    raw = wb.wasmtime_func_t()
    lib.wasmtime_func_new_unchecked(store.p_ctx, ft, callback, None, None, byref(raw))
    wb.wasm_functype_delete(ft)
    return Func(store, raw)
