"""What intrinsics of restricted Python are made of: types, how the compiler emits a call, decorators, memories for CPython (see `intrinsics`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from wasmjit.data import dataclass

i32 = int
"""An unsigned 32-bit value."""
i64 = int
"""An unsigned 64-bit value."""
f64 = float
"""A double."""

PAGE = 65536
M32 = 0xFFFFFFFF
M64 = 0xFFFFFFFFFFFFFFFF

F = TypeVar("F", bound=Callable[..., Any])


class Trap(Exception):
    """What a wasm trap is under CPython."""


class OutOfBounds(Trap):
    """An access outside the bound memory."""


class MemoryLike(Protocol):
    """What `bind` needs: `u8` covers at least `size()` bytes and stays valid after `grow`."""

    @property
    def u8(self) -> memoryview: ...

    def size(self) -> int:
        """Current size in bytes."""

    def grow(self, pages: int) -> int:
        """Grow by 64 KiB pages; the previous number of pages, or -1 when the maximum does not allow it."""


class FakeMemory:
    """A memory for tests and for `--kernel=python` without wasmtime: `max_bytes` are reserved at once and zero."""

    def __init__(self, initial: int | bytes = PAGE, max_bytes: int = 16 * PAGE) -> None:
        image = bytes(initial) if isinstance(initial, int) else initial
        self._size = (len(image) + PAGE - 1) // PAGE * PAGE
        self._max = max(max_bytes // PAGE * PAGE, self._size)
        self._data = bytearray(self._max)
        self._data[: len(image)] = image
        self.u8 = memoryview(self._data)

    def size(self) -> int:
        return self._size

    def grow(self, pages: int) -> int:
        if pages < 0 or self._size + pages * PAGE > self._max:
            return -1
        old = self._size // PAGE
        self._size += pages * PAGE
        return old

    def image(self) -> bytes:
        """The whole current contents."""
        return bytes(self.u8[: self._size])


@dataclass(frozen=True, slots=True)
class Intrinsic:
    """How the compiler emits a call: parameter and result types ("" = none) and wasm mnemonics, or a form it knows by name.

    form 'op': the operands, then `code` (mnemonics separated by spaces). 'load'/'store': one mnemonic with a memarg. 'indirect': `params` includes the table index first.
    'u32', 'u64', 'select': special rules for the operand types.
    """

    form: str
    params: tuple[str, ...]
    result: str
    code: str = ""


def intrinsic(form: str, params: str, result: str = "", code: str = "") -> Callable[[F], F]:
    spec = Intrinsic(form, tuple(params.split()), result, code)

    def mark(fn: F) -> F:
        fn.__kernel_intrinsic__ = spec  # type: ignore[attr-defined]
        return fn

    return mark


def wasm_op(code: str, params: str, result: str) -> Callable[[F], F]:
    return intrinsic("op", params, result, code)


# ---- decorators -------------------------------------------------------------------------------------------------------


def export(fn: F) -> F:
    """Export the function from the kernel module under its own name."""
    fn.__kernel_export__ = True  # type: ignore[attr-defined]
    return fn


def pair(fn: F) -> F:
    """The function gives a `{pointer, i64}` value: it returns the pointer and leaves the other half at CB_PAIR."""
    fn.__kernel_pair__ = True  # type: ignore[attr-defined]
    return fn


def inline(fn: F) -> F:
    """Put the body in place of every call, with constant arguments as constants. For small functions; not for recursive ones."""
    fn.__kernel_inline__ = True  # type: ignore[attr-defined]
    return fn
