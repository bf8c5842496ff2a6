"""Runs compiled bodies in plain wasmtime: memory, table, wide_rt, a recording kernel."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import wasmtime as wt

from wasmjit.codegen import wide_rt
from wasmjit.codegen.binaryen import optimize
from wasmjit.codegen.floats import FMATH_NAMES
from wasmjit.codegen.forms import in_memory
from wasmjit.codegen.kernelc import compile_kernel
from wasmjit.codegen.module import KERNEL, SimpleLink, compile_bodies
from wasmjit.codegen.wasm import I32, I64
from wasmjit.sem.fold import fmath, leaf_from_bytes, leaf_to_bytes
from wasmjit.sem.mir import FRAME_CTX, FRAME_FN, FRAME_HEADER, FRAME_PROC, Body, Ty

CTX, GUEST_LO, IMAGES, HEAP, STACK_TOP = 0x1000, 0x2000, 0x10000, 0x40000, 0x3F000
_BINARY = frozenset(("atan2", "hypot", "copysign", "fmod", "remainder", "pow"))
_TYPES = {I32: wt.ValType.i32(), I64: wt.ValType.i64()}


@cache
def engine() -> wt.Engine:
    config = wt.Config()
    config.cranelift_opt_level = "none"
    return wt.Engine(config)


@cache
def _wide_module() -> wt.Module:
    return wt.Module(engine(), compile_kernel([wide_rt]).wasm)


def host_fmath(i: int, a: float, b: float) -> float:
    name = FMATH_NAMES[i]
    return fmath(name, a, b) if name in _BINARY else fmath(name, a)


class Machine:
    """One run: `calls` records kernel calls as tuples; `load` compiles bodies and puts them into the table."""

    def __init__(self, pages: int = 16, **link: Any) -> None:
        self.store = wt.Store(engine())
        self.memory = wt.Memory(self.store, wt.MemoryType(wt.Limits(pages, None)))
        self.table = wt.Table(self.store, wt.TableType(wt.ValType.funcref(), wt.Limits(256, None)), None)
        self.sp = wt.Global(self.store, wt.GlobalType(wt.ValType.i32(), True), wt.Val.i32(STACK_TOP))
        self.image_top = IMAGES
        self.brk = HEAP
        self.calls: list[tuple[Any, ...]] = []
        self.faults: list[tuple[int, int]] = []
        self.services: dict[int, Callable[[int], int]] = {}
        self.live: set[int] = set()
        self.forced: Callable[[int], bool] = lambda frame: False
        self.next_slot = 1
        self.link = SimpleLink(GUEST_LO, place_image=self._image, **link)
        self.wide = wt.Instance(self.store, _wide_module(), [self._env(i.name) for i in _wide_module().imports]).exports(self.store)
        self.bodies: dict[str, Body] = {}
        self.extra: dict[str, wt.Func] = {}
        self.module = b""

    def _env(self, name: str | None) -> Any:
        return {"memory": self.memory, "table": self.table, "sp": self.sp}[str(name)]

    def _image(self, data: bytes) -> int:
        at = self.image_top
        self.write(at, data)
        self.image_top += (len(data) + 31) & ~15
        assert self.image_top <= 0x30000
        return at

    # ---- memory

    def read(self, at: int, n: int) -> bytes:
        return bytes(self.memory.read(self.store, at, at + n))

    def write(self, at: int, data: bytes) -> None:
        self.memory.write(self.store, bytearray(data), at)

    def u32(self, at: int) -> int:
        return int(struct.unpack("<I", self.read(at, 4))[0])

    def alloc(self, n: int) -> int:
        at = self.brk
        self.brk += (n + 31) & ~15
        assert self.brk <= self.memory.data_len(self.store)
        self.write(at, bytes(n))
        self.live.add(at)
        return at

    # ---- imports

    def _kernel(self, name: str) -> wt.Func:
        params, results = KERNEL[name]

        def record(*args: int) -> Any:
            fixed = tuple(a & (2**32 - 1 if t == I32 else 2**64 - 1) for a, t in zip(args, params, strict=True))
            if name in ("k_alloc", "k_frame_new"):
                return self.alloc(fixed[0])
            if name in ("k_free", "k_frame_free"):
                self.live.remove(fixed[0])
                return None
            if name.endswith("_mem"):
                fixed = (*fixed[:3], self.read(fixed[3], fixed[2]), *fixed[4:])
            self.calls.append((name, *fixed))
            if name == "k_spawn":
                frame = self.alloc(fixed[2])
                self.write(frame + FRAME_PROC, struct.pack("<I", 100 + len(self.calls)))
                return frame
            return None

        return wt.Func(self.store, wt.FuncType([_TYPES[t] for t in params], [_TYPES[t] for t in results]), record)

    def _host(self, name: str) -> wt.Func:
        i32, i64, f64 = wt.ValType.i32(), wt.ValType.i64(), wt.ValType.f64()
        if name == "fault":

            def fault(site: int, addr: int) -> None:
                self.faults.append((site & 0xFFFFFFFF, addr & (2**64 - 1)))

            return wt.Func(self.store, wt.FuncType([i32, i64], []), fault)
        if name == "fmath":
            return wt.Func(self.store, wt.FuncType([i32, f64, f64], [f64]), host_fmath)
        if name == "resolve":
            # Nothing stands behind a bad function pointer here: the call faults.
            return wt.Func(self.store, wt.FuncType([i32, i64], [i32]), lambda site, ptr: 0)
        if name == "forced":
            return wt.Func(self.store, wt.FuncType([i32], [i32]), lambda frame: int(self.forced(frame)))
        return wt.Func(self.store, wt.FuncType([i32, i32], [i32]), lambda site, buf: self.services[site](buf))

    def load(self, *bodies: Body, optimise: bool = False) -> None:
        for b in bodies:
            if b.key not in self.link.slots:
                self.link.slots[b.key] = self.next_slot
                self.next_slot += 1
            self.bodies[b.key] = b
            if b.frame is not None:
                self.link.frame_sizes[b.key] = b.frame.size
        self.module = compile_bodies(bodies, self.link)
        if optimise:
            self.module = optimize(self.module)
        module = wt.Module(engine(), self.module)
        imports: list[Any] = []
        for i in module.imports:
            name = str(i.name)
            if i.module == "env":
                imports.append(self._env(name))
            elif i.module == "h":
                imports.append(self._host(name))
            elif name.startswith("w_"):
                imports.append(self.wide[name])
            else:
                imports.append(self.extra.get(name) or self._kernel(name))
        wt.Instance(self.store, module, imports)

    def func(self, key: str) -> wt.Func:
        f = self.table.get(self.store, self.link.slots[key])
        assert isinstance(f, wt.Func)
        return f

    # ---- calling

    def call(self, body: Body, args: Sequence[Any]) -> list[Any]:
        """Calls a function body with leaf values."""
        flat: list[Any] = []
        mark = self.brk
        for p, a in zip(body.params, args, strict=True):
            flat += self._flat(p.ty, a)
        outs = []
        for t in body.results:
            if in_memory(t):
                outs.append(self.alloc(t.nbytes))
        sp = self.sp.value(self.store)
        raw = self.func(body.key)(self.store, *flat, *outs)
        assert self.sp.value(self.store) == sp
        left = list(raw) if isinstance(raw, (list, tuple)) else [] if raw is None else [raw]
        result = []
        for t in body.results:
            if in_memory(t):
                result.append(leaf_from_bytes(Ty("a", t.nbytes), self.read(outs.pop(0), t.nbytes)))
                if t.kind == "i":
                    result[-1] = int.from_bytes(result[-1], "little")
            elif t.kind == "f":
                result.append(left.pop(0))
            elif t.size <= 32:
                result.append(left.pop(0) & 0xFFFFFFFF)
            else:
                result.append(sum((left.pop(0) & (2**64 - 1)) << (64 * i) for i in range((t.size + 63) // 64)))
        assert not left
        self.brk = mark
        return result

    def _flat(self, t: Ty, a: Any) -> list[Any]:
        if in_memory(t):
            at = self.alloc(t.nbytes + 16)
            self.write(at, leaf_to_bytes(t, a))
            return [at]
        if t.kind == "f":
            return [a]
        if t.size <= 32:
            return [a - (1 << 32) if a >> 31 else a]
        limbs = [(a >> i) & (2**64 - 1) for i in range(0, t.size, 64)]
        return [x - (1 << 64) if x >> 63 else x for x in limbs]

    def new_frame(self, body: Body, args: Sequence[Any] = ()) -> int:
        """A frame with its parameters, as the kernel and callers make it."""
        assert body.frame is not None
        frame = self.alloc(body.frame.size)
        self.write(frame + FRAME_FN, struct.pack("<I", self.link.slots[body.key]))
        self.write(frame + FRAME_CTX, struct.pack("<I", CTX))
        self.write(frame + FRAME_PROC, struct.pack("<I", 7))
        for p, off, a in zip(body.params, body.frame.params, args, strict=True):
            assert off >= FRAME_HEADER
            self.write(frame + off, leaf_to_bytes(p.ty, a))
        return frame

    def activate(self, body: Body, frame: int) -> int:
        sp = self.sp.value(self.store)
        status = self.func(body.key)(self.store, CTX, frame)
        assert self.sp.value(self.store) == sp
        return int(status)

    def results(self, body: Body, frame: int) -> list[Any]:
        """Results of a finished coroutine."""
        assert body.frame is not None
        return [leaf_from_bytes(t, self.read(frame + off, t.nbytes)) for t, off in zip(body.results, body.frame.results, strict=True)]
