"""MIR bodies → bytes of one wasm module.

    data = compile_bodies(bodies, link)

The module imports `env.memory`, `env.table`, `env.sp`, `h.svc`, `h.fault`, `h.fmath`, under `k` all functions of `KERNEL` (the kernel's and those of
`wide_rt`) and the runtime functions it calls, and puts its
functions into the table at the slots that `Link.table_index` names, when it is instantiated. Calls between functions of one module are direct, all
others go through the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Protocol

from wasmjit.data import dataclass, field

from ..sem.analysis import is_static_alloca
from ..sem.mir import Body, CallSite, Ty
from . import calls, floats, images, ints, memory, nets, wide
from . import wasm as W
from .dispatch import share_entries
from .emit import Emitter
from .forms import Unsupported, function_type
from .gangs import GangEmitter

__all__ = ["KERNEL", "Emitted", "KernelType", "Link", "SimpleLink", "Unsupported", "compile_bodies", "emit_bodies", "function_type"]

_REGISTERED = (calls, floats, images, ints, memory, nets, wide)


class KernelType(Protocol):
    """Signature of an export of the kernel or the runtime library: 'i32', 'i64', 'f64'; result '' for none."""

    @property
    def params(self) -> Sequence[str]: ...

    @property
    def result(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Nets:
    """Addresses for looking at nets: `table` of descriptors of 32 bytes, offset of the u32 `flags` in one, u64 counters of `updates` and of those with listeners (`edges`)."""

    table: int
    flags: int
    updates: int
    edges: int


class Link(Protocol):
    """What compiled code has to know of the run."""

    guest_lo: int
    """First address that guest code may use."""
    mem_end_addr: int | None
    """Address of a u32 that holds the size of memory in bytes; None: `memory.size` is used."""
    deopt_flag_addr: int | None
    """Address of a u32 that suspending code counts down at its entry and at resume points while it is not 0, and returns DEOPT when it gets to 0.
    None: no such polls."""
    ask_deopt: bool
    """Suspending code asks the host (`h.forced`) at its entry and at resume points whether its frame is handed to the interpreter."""
    stack_limit: int | None
    """Lowest address of the shadow stack; None: not checked."""
    func_records: int | None
    """Address of the records of functions by function index (`calls.REC_*`); None: calls through pointers are not supported."""
    func_count: int
    nets: Nets | None
    """Where the descriptors of nets lie; None: every change of a net is told to the kernel."""
    regions: int
    """Address of the table of region descriptors (`gangs`)."""
    collects: bool
    """Whether the design makes guest objects, so that pointers which live across calls have to lie in memory (`roots`)."""

    def may_collect(self, key: str) -> bool:
        """Whether a call of a function body may reach a poll of the collector."""

    def table_index(self, key: str) -> int:
        """Slot of a body in the function table."""

    def gang_slot(self, key: str) -> int | None:
        """Slot of the function that evaluates a gang of instances of a region body; None if there is no such gang."""

    def frame_size(self, key: str) -> int:
        """Bytes of the frame of a process or coroutine."""

    def const_image(self, data: bytes) -> int:
        """Address of memory that always holds `data`, followed by at least 16 readable bytes."""

    def sig_id(self, params: tuple[Ty, ...], results: tuple[Ty, ...]) -> int:
        """Number (not 0) of a function signature, as in the records of functions."""

    def kernel_type(self, name: str) -> KernelType:
        """Signature of a function that `rt` operations call. Raises KeyError."""

    def call_fault(self, site: CallSite) -> int:
        """Fault site of an indirect call that finds no function."""


@dataclass
class SimpleLink:
    """A `Link` from plain tables, enough for most users."""

    guest_lo: int
    slots: dict[str, int] = field(default_factory=dict)
    frame_sizes: dict[str, int] = field(default_factory=dict)
    kernel: dict[str, KernelType] = field(default_factory=dict)
    place_image: Callable[[bytes], int] | None = None
    mem_end_addr: int | None = None
    deopt_flag_addr: int | None = None
    ask_deopt: bool = False
    stack_limit: int | None = None
    func_records: int | None = None
    func_count: int = 0
    nets: Nets | None = None
    regions: int = 0
    collects: bool = False
    gangs: dict[str, int] = field(default_factory=dict)
    images: dict[bytes, int] = field(default_factory=dict)
    signatures: dict[tuple[tuple[Ty, ...], tuple[Ty, ...]], int] = field(default_factory=dict)

    def may_collect(self, key: str) -> bool:
        return self.collects

    def table_index(self, key: str) -> int:
        return self.slots[key]

    def gang_slot(self, key: str) -> int | None:
        return self.gangs.get(key)

    def frame_size(self, key: str) -> int:
        return self.frame_sizes[key]

    def const_image(self, data: bytes) -> int:
        at = self.images.get(data)
        if at is None:
            if self.place_image is None:
                raise Unsupported("a constant image without a place for it")
            at = self.images[data] = self.place_image(data)
        return at

    def sig_id(self, params: tuple[Ty, ...], results: tuple[Ty, ...]) -> int:
        return self.signatures.setdefault((params, results), len(self.signatures) + 1)

    def kernel_type(self, name: str) -> KernelType:
        return self.kernel[name]

    def call_fault(self, site: CallSite) -> int:
        return site.id


_T = {"i": W.I32, "l": W.I64, "d": W.F64}


def _sig(text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    params, _, results = text.partition(">")
    return tuple(_T[c] for c in params), tuple(_T[c] for c in results)


KERNEL: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    name: _sig(text)
    for name, text in {
        "k_drive": "iiillii", "k_drive_eps": "iiil", "k_drive_delta": "iiil", "k_drive_mem": "iiiilii", "k_drive_bits": "iiiillii",
        "k_store_net": "iiil", "k_store_net_mem": "iiii", "k_net_changed": "i",
        "k_wait_dyn": "iiiii", "k_wait_time": "ilii", "k_wait_fs": "l",
        "k_spawn": "iii>i", "k_frame_new": "i>i", "k_frame_free": "i", "k_alloc": "i>i", "k_free": "i", "k_collect": "",
        "w_trim": "ii", "w_add": "iiii", "w_sub": "iiii", "w_bit": "iiiii", "w_mulhi": "ll>l", "w_mul": "iiii", "w_neg": "iii", "w_div": "iiiiii",
        "w_get64": "iii>l", "w_put64": "iili", "w_getbits": "iiii", "w_putbits": "iiii", "w_shl": "iiii", "w_shr": "iiiii", "w_sext": "iiii",
        "w_lt": "iiii>i", "w_ne": "iii>i", "w_popcount": "ii>i", "w_ctlz": "ii>i", "w_cttz": "ii>i", "w_tof": "ii>d", "w_fromf": "idii",
        "w_setbits": "iili", "w_bad": "lli>i",
    }.items()
}  # fmt: skip
"""(parameters, results) of the kernel and `wide_rt` functions that code calls by itself."""

_HOST = {"svc": _sig("ii>i"), "fault": _sig("il"), "fmath": _sig("idd>d"), "resolve": _sig("il>i"), "forced": _sig("i>i")}

@cache
def _template() -> W.ModuleBuilder:
    """A module with the imports that every module has."""
    b = W.ModuleBuilder()
    b.import_memory("env", "memory", 1)
    b.import_table("env", "table", 0)
    b.import_global("env", "sp", W.I32, True)
    for name, sig in _HOST.items():
        b.import_func("h", name, *sig)
    for name, sig in KERNEL.items():
        b.import_func("k", name, *sig)
    return b


class ModuleEmitter:
    """One module in the making: imports, function indices, types."""

    def __init__(self, bodies: Sequence[Body], link: Link) -> None:
        self.link = link
        self.builder = b = _template().clone()
        self._calls: dict[tuple[str, str], bytes] = {key: b"\x10" + W.uleb(i) for key, i in b.func_imports.items()}
        self._dynamic: dict[str, bool] = {}
        self.sp = 0
        # All imports come before the first function.
        runtime = {op.attr for body in bodies for blk in body.blocks for op in blk.ops if op.code == "rt"}
        for name in sorted(runtime - KERNEL.keys()):
            self._calls["k", name] = b"\x10" + W.uleb(b.import_func("k", name, *self.kernel_type(name)))
        self.index: dict[str, int] = {}
        for body in bodies:
            self.index[body.key] = b.declare_func(*body_type(body), body.name or body.key)
        self.gang_index: dict[str, int] = {}
        for body in bodies:
            if link.gang_slot(body.key) is not None:
                self.gang_index[body.key] = b.declare_func((W.I32, W.I32), (W.I32,), f"{body.name or body.key} (gang)")

    def kernel_type(self, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Wasm types of a function called by `rt`."""
        known = KERNEL.get(name)
        if known is not None:
            return known
        try:
            t = self.link.kernel_type(name)
        except KeyError:
            raise Unsupported(f"no runtime function {name}") from None
        return tuple(_NAMED[p] for p in t.params), (_NAMED[t.result],) if t.result else ()

    def call(self, module: str, name: str) -> bytes:
        """A call of an import."""
        return self._calls[module, name]

    def call_indirect(self, params: tuple[int, ...], results: tuple[int, ...]) -> bytes:
        """A call through the table; the i32 slot is on top."""
        return b"\x11" + W.uleb(self.builder.add_type(params, results)) + b"\x00"

    def call_key(self, key: str, params: tuple[Ty, ...], results: tuple[Ty, ...]) -> bytes:
        """A call of a function body, the arguments being on the stack."""
        own = self.index.get(key)
        if own is not None:
            return b"\x10" + W.uleb(own)
        return W.i32_const(self.link.table_index(key)) + self.call_indirect(*function_type(params, results))

    def has_dynamic_alloca(self, body: Body) -> bool:
        known = self._dynamic.get(body.key)
        if known is None:
            known = any(op.code == "alloca" and not is_static_alloca(body, op) for b in body.blocks for op in b.ops)
            self._dynamic[body.key] = known
        return known


_NAMED = {"i32": W.I32, "i64": W.I64, "f64": W.F64}


def body_type(body: Body) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Wasm (parameters, results) of the function of a body (docs/internals.md §4)."""
    if body.kind == "function":
        return function_type(tuple(p.ty for p in body.params), body.results)
    return ((W.I32,), ()) if body.kind == "region" else ((W.I32, W.I32), (W.I32,))


@dataclass(slots=True)
class Emitted:
    """Bodies as functions of a module that still lacks its element segments. `slots`: function indices by table slot; `processes`: slots of process bodies."""

    builder: W.ModuleBuilder
    slots: dict[int, int]
    processes: set[int]

    def module(self, *, names: bool = True, shared: bool = False) -> bytes:
        """The bytes of the module. `shared`: process bodies have shared entries (`wasmjit.codegen.dispatch`)."""
        builder, slots = self.builder.clone(), self.slots
        if shared:
            slots = slots | share_entries(builder, {n: i for n, i in slots.items() if n in self.processes})
        for slot, funcs in _runs(slots):
            builder.add_elem(slot, funcs)
        return builder.finish(names=names)


def compile_bodies(bodies: Iterable[Body], link: Link, *, names: bool = True) -> bytes:
    """The module of these bodies. Raises `Unsupported` (with the body's key) when one cannot be compiled."""
    return emit_bodies(bodies, link).module(names=names)


def emit_bodies(bodies: Iterable[Body], link: Link) -> Emitted:
    """As `compile_bodies`, up to the element segments."""
    todo = list(bodies)
    for body in todo:
        _check_size(body)
    mod = ModuleEmitter(todo, link)
    for body in todo:
        e = Emitter(body, mod)
        try:
            local_types, code = e.code()
        except Unsupported as x:
            raise Unsupported(f"{body.key}: {x}") from None
        mod.builder.define_func(mod.index[body.key], local_types, code)
    slots = {link.table_index(b.key): mod.index[b.key] for b in todo}
    for body in todo:
        slot = link.gang_slot(body.key)
        if slot is not None:
            slots[slot] = mod.gang_index[body.key]
            mod.builder.define_func(mod.gang_index[body.key], *GangEmitter(body, mod).code())
    return Emitted(mod.builder, slots, {link.table_index(b.key) for b in todo if b.kind == "process"})


def _runs(slots: dict[int, int]) -> list[tuple[int, list[int]]]:
    """Function indices at consecutive slots."""
    out: list[tuple[int, list[int]]] = []
    for slot in sorted(slots):
        if out and out[-1][0] + len(out[-1][1]) == slot:
            out[-1][1].append(slots[slot])
        else:
            out.append((slot, [slots[slot]]))
    return out


MAX_VALUES = 900
"""Wasm engines limit functions to 1000 parameters or results."""


def _check_size(body: Body) -> None:
    if body.kind == "function":
        params, results = body_type(body)
        if max(len(params), len(results)) > MAX_VALUES:
            raise Unsupported(f"{body.key}: {len(params)} parameters and {len(results)} results")


