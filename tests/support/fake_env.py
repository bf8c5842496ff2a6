"""An `Env` over a bytearray with a recording kernel, for tests of tier 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wasmjit.interp import Env, compile_body, lazy
from wasmjit.sem.mir import FRAME_PROC, STATUS_DONE, Body, CallSite, Service

CTX = 0x1000
STACK_TOP = 0x10000
GUEST_LO = 0x2000
HEAP = 0x10000


class FakeEnv(Env):
    """Linear memory of `size` bytes: context at CTX, guest memory from GUEST_LO, a bump heap from HEAP.

    `calls` records kernel calls in order as (name, *args). Bodies are registered with `add`.
    """

    def __init__(self, size: int = 1 << 18, count: bool = False) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.mem = bytearray(size)
        self.brk = HEAP
        self.sp = STACK_TOP
        self.count = count
        self.bodies: dict[str, Body] = {}
        self.table: list[Callable[..., Any]] = []
        self.indices: dict[str, int] = {}
        self.services: dict[str, Callable[..., tuple[Any, ...]]] = {}
        self.pointers: dict[int, str] = {}
        self.live_frames: set[int] = set()
        names = (
            "k_drive", "k_drive_eps", "k_drive_delta", "k_drive_mem", "k_drive_bits", "k_store_net", "k_store_net_mem", "k_net_changed",
            "k_wait_set", "k_wait_dyn", "k_wait_time", "k_collect",
        )  # fmt: skip
        kernel: dict[str, Callable[..., Any]] = {n: self._recorder(n) for n in names}
        kernel.update(k_alloc=self._alloc, k_free=self._free, k_frame_new=self._alloc, k_frame_free=self._free, k_spawn=self._spawn)
        super().__init__(kernel, GUEST_LO)
        self.bind_memory(self.mem)

    def _recorder(self, name: str) -> Callable[..., None]:
        def f(*args: Any) -> None:
            assert all(type(a) in (int, float) for a in args), args
            if name.endswith("_mem"):
                src = args[3]
                args = (*args[:3], bytes(self.mem[src : src + args[2]]), *args[4:])
            self.calls.append((name, *args))

        return f

    def _alloc(self, n: int) -> int:
        at = self.brk
        self.brk += (n + 31) & ~15
        assert self.brk <= len(self.mem)
        self.mem[at : at + n] = bytes(n)
        self.live_frames.add(at)
        return at

    def _free(self, at: int) -> None:
        self.live_frames.remove(at)

    def _spawn(self, index: int, ctx: int, size: int) -> int:
        frame = self._alloc(size)
        self.u32[frame + FRAME_PROC >> 2] = 100 + len(self.calls)
        self.calls.append(("k_spawn", index, ctx, size))
        return frame

    def add(self, body: Body) -> None:
        """Makes a body callable by its key."""
        self.bodies[body.key] = body
        if body.suspending:
            self.indices[body.key] = len(self.table)
            self.table.append(compile_body(body, self, self.count))

    def new_frame(self, body: Body) -> int:
        assert body.frame is not None
        return self._alloc(body.frame.size)

    def run(self, body: Body, frame: int) -> int:
        """One activation."""
        return int(self.table[self.indices[body.key]](CTX, frame))

    # ---- Env

    def service(self, service: Service) -> Callable[..., tuple[Any, ...]]:
        return self.services[service.name]

    def function(self, key: str) -> Callable[..., tuple[Any, ...]]:
        return lazy(self.bodies[key], self, self.count)

    def function_by_pointer(self, ptr: int, site: CallSite) -> Callable[..., tuple[Any, ...]]:
        key = self.pointers.get(ptr)
        if key is None or tuple(p.ty for p in self.bodies[key].params) != site.params or self.bodies[key].results != site.results:
            self.fault(site.id, ptr)
        return self.function(key)

    def coroutine_by_pointer(self, ptr: int, site: CallSite) -> tuple[int, int]:
        key = self.pointers.get(ptr)
        if key is None:
            self.fault(site.id, ptr)
        return self.fn_index(key), self.frame_size(key)

    def fn_index(self, key: str) -> int:
        return self.indices[key]

    def frame_size(self, key: str) -> int:
        frame = self.bodies[key].frame
        assert frame is not None
        return frame.size

    def call_frame(self, fn_index: int, ctx: int, frame: int) -> int:
        status = int(self.table[fn_index](ctx, frame))
        assert status in (0, STATUS_DONE)
        return status

    def stack_mark(self) -> int:
        return self.sp

    def stack_alloc(self, n: int, align: int) -> int:
        self.sp = (self.sp - n) & -max(align, 1)
        if self.sp < GUEST_LO:
            self.fault(-1, self.sp)
        self.mem[self.sp : self.sp + n] = bytes(n)
        return self.sp

    def stack_release(self, mark: int) -> None:
        self.sp = mark

    def scratch(self, n: int) -> int:
        return len(self.mem) - ((n + 7) & ~7)
