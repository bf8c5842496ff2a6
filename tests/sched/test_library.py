"""The compiled runtime library against Python's lists, dicts and bytes: the same random calls on the CPython kernel and on the wasm kernel."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any

import pytest
from world import World

from wasmjit.runtime.moore.declarations import ALLOCATING, COMPILED, PAIRS
from wasmjit.runtime.services import LETTER_TYPES, SimFault
from wasmjit.sched import control as cb
from wasmjit.sched.exports import EXPORTS
from wasmjit.sem.lower.library import KERNEL_TYPES

KINDS = ["python", "wasm"]
M64 = (1 << 64) - 1


class Library:
    """The library of one kernel, with room for operands. Memory handed out by `room` is reused after 4096 calls."""

    def __init__(self, kind: str) -> None:
        self.w = World(kind)
        self.w.net(8)
        self.w.build()
        self.call: dict[str, Callable[..., Any]] = self.w.call
        self.mem = self.w.mem.u8
        self.scratch = [self.call["k_alloc0"](64) for _ in range(64)]
        self.turn = 0

    def room(self, n: int) -> int:
        if n > 64:
            return int(self.call["k_alloc0"](n))
        self.turn = (self.turn + 1) % len(self.scratch)
        return self.scratch[self.turn]

    def data(self, content: bytes) -> int:
        at = self.room(max(1, len(content)))
        self.mem[at : at + len(content)] = content
        return at

    def read(self, at: int, n: int) -> bytes:
        return bytes(self.mem[at : at + n])

    def string(self, content: bytes) -> int:
        body = self.call["k_alloc0"](max(1, len(content)))
        self.mem[body : body + len(content)] = content
        return self.data(struct.pack("<QQ", body if content else 0, len(content)))

    def pair(self, name: str, *args: int) -> tuple[int, int]:
        data = self.call[name](*args)
        return data, int.from_bytes(self.read(cb.CB_PAIR, 8), "little")

    def text(self, name: str, *args: int) -> bytes:
        data, n = self.pair(name, *args)
        assert bool(data) == bool(n)
        return self.read(data, n)

    def string_at(self, place: int) -> bytes:
        data, n = struct.unpack("<QQ", self.read(place, 16))
        return self.read(data, n)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("elem", [1, 2, 3, 4, 8, 12, 16, 40])
def test_queues_behave_like_lists(kind: str, seed: int, elem: int) -> None:
    lib, r = Library(kind), random.Random(seed * 100 + elem)
    q, want = lib.call["k_alloc0"](16), list[bytes]()
    for _ in range(400):
        value = r.randbytes(elem)
        at, size, n = lib.data(value), elem, len(want)
        match r.randrange(10):
            case 0 | 1 | 2:
                lib.call["__moore_queue_push_back"](q, at, size)
                want.append(value)
            case 3:
                lib.call["__moore_queue_push_front"](q, at, size)
                want.insert(0, value)
            case 4:
                got = lib.call["__moore_queue_pop_front"](q, size)
                assert got == (int.from_bytes(want.pop(0)[:8], "little") if want else 0)
            case 5:
                lib.call["__moore_queue_pop_back_ptr"](q, at, size)
                assert lib.read(at, elem) == (want.pop() if want else bytes(elem))
            case 6:
                i = r.randint(-1, n + 1)
                lib.call["__moore_queue_insert"](q, i & 0xFFFFFFFF, at, size)
                if 0 <= i <= n:
                    want.insert(i, value)
            case 7:
                i = r.randint(-1, n)
                lib.call["__moore_queue_delete_index"](q, i & 0xFFFFFFFF, size)
                if 0 <= i < n:
                    del want[i]
            case 8:
                lib.call["__moore_queue_pop_front_ptr"](q, at, size)
                assert lib.read(at, elem) == (want.pop(0) if want else bytes(elem))
            case _:
                i, j = r.randint(-2, n + 1), r.randint(-2, n + 1)
                data, length = lib.pair("__moore_queue_slice", q, i & M64, j & M64, size)
                assert lib.read(data, length * elem) == b"".join(want[max(0, i) : j + 1] if j >= 0 else [])
                if r.random() < 0.3:  # the copy by value owns nothing
                    lib.mem[q : q + 16] = struct.pack("<QQ", data, length)
                    want = want[max(0, i) : j + 1] if j >= 0 else []
        data, length = struct.unpack("<QQ", lib.read(q, 16))
        assert length == len(want) == lib.call["__moore_queue_size"](q)
        assert lib.read(data, length * elem) == b"".join(want)


def key_of(r: random.Random, size: int) -> int | bytes:
    if size == 0:
        return r.randbytes(r.choice([0, 1, 3, 8, 11])) if r.random() < 0.5 else b"k%d" % r.randrange(40)
    top = 1 << 8 * size - 1
    return r.choice([r.randrange(-top, top), r.randint(-20, 20)])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 8, 9, 16, 24])
def test_associative_arrays_behave_like_sorted_dicts(kind: str, seed: int, size: int) -> None:
    lib, r = Library(kind), random.Random(seed * 100 + size)
    call = lib.call
    a = call["__moore_assoc_create"](size, 4)
    want: dict[Any, int] = {}
    slots: dict[Any, int] = {}
    key: Any = key_of(r, size)
    ordered = r.randrange(2)  # half of the runs ask for the order from the beginning

    def place(k: Any) -> int:
        return lib.string(k) if size == 0 else lib.data((k & (1 << 8 * size) - 1).to_bytes(size, "little"))

    def key_at(at: int) -> Any:
        return lib.string_at(at) if size == 0 else int.from_bytes(lib.read(at, size), "little", signed=True)

    for turn in range(1200):
        key = r.choice([*want, key_of(r, size)]) if want and r.random() < 0.5 else key_of(r, size)
        match r.randrange(8):
            case 0 | 1 | 2:
                slot = call["__moore_assoc_get_ref"](a, place(key), 4)
                assert slots.setdefault(key, slot) == slot, "the place of a value never changes"
                assert int.from_bytes(lib.read(slot, 4), "little") == want.get(key, 0)
                want[key] = r.getrandbits(32)
                lib.mem[slot : slot + 4] = want[key].to_bytes(4, "little")
            case 3:
                assert call["__moore_assoc_exists"](a, place(key)) == (key in want)
            case 4:
                call["__moore_assoc_delete_key"](a, place(key))
                want.pop(key, None)
                slots.pop(key, None)
            case 5 if r.random() < 0.05:
                call["__moore_assoc_delete"](a)
                want.clear()
                slots.clear()
            case 6 if ordered or turn > 200:
                for name, found in (("next", [k for k in want if k > key]), ("prev", [k for k in want if k < key])):
                    at = place(key)
                    assert call[f"__moore_assoc_{name}"](a, at) == bool(found)
                    assert key_at(at) == ((min if name == "next" else max)(found) if found else key)
            case 7 if ordered or turn > 200:
                for name in ("first", "last"):
                    at = place(key)
                    assert call[f"__moore_assoc_{name}"](a, at) == bool(want)
                    assert key_at(at) == ((min if name == "first" else max)(want) if want else key)
        assert call["__moore_assoc_size"](a) == len(want)
    other = call["__moore_assoc_copy"](a)
    at, seen = place(key), []
    going = call["__moore_assoc_first"](other, at)
    while going:
        seen.append(key_at(at))
        slot = call["__moore_assoc_get_ref"](other, at, 4)
        assert int.from_bytes(lib.read(slot, 4), "little") == want[seen[-1]]
        call["__moore_assoc_delete_key"](other, at)  # iteration goes on behind a key that is gone
        going = call["__moore_assoc_next"](other, at)
    assert seen == sorted(want)
    assert call["__moore_assoc_size"](other) == 0 and call["__moore_assoc_size"](a) == len(want)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0, 4, 20])
@pytest.mark.parametrize("wide", [8, 16, 40, 3000])
def test_values_of_an_array_grow_to_what_is_stored(kind: str, size: int, wide: int) -> None:
    """An array created for values of 4 bytes takes larger ones, keeps what it has, and copies all of it."""
    lib = Library(kind)
    call = lib.call

    def place(k: int) -> int:
        return lib.string(b"key %d" % k) if size == 0 else lib.data(k.to_bytes(size, "little"))

    a = call["__moore_assoc_create"](size, 4)
    for k in range(60):
        slot = call["__moore_assoc_get_ref"](a, place(k), 4)
        lib.mem[slot : slot + 4] = (k + 1000).to_bytes(4, "little")
    at = lib.string(b"") if size == 0 else lib.data(bytes(size))
    assert call["__moore_assoc_last"](a, at)  # the order is kept from here on
    for k in range(30, 90):
        slot = call["__moore_assoc_get_ref"](a, place(k), wide)
        assert lib.read(slot, wide) == ((k + 1000) if k < 60 else 0).to_bytes(wide, "little")
        lib.mem[slot : slot + wide] = bytes([k]) * wide
    other = call["__moore_assoc_create"](size, 4)
    call["__moore_assoc_copy_into"](other, a)
    for array in (a, other, call["__moore_assoc_copy"](a)):
        assert call["__moore_assoc_size"](array) == 90
        for k in range(90):
            slot = call["__moore_assoc_get_ref"](array, place(k), 4)
            assert lib.read(slot, wide) == (bytes([k]) * wide if k >= 30 else (k + 1000).to_bytes(wide, "little"))
        found = call["__moore_assoc_first"](array, at)
        for _ in range(90):
            assert found
            found = call["__moore_assoc_next"](array, at)
        assert not found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_strings_behave_like_bytes(kind: str, seed: int) -> None:
    lib, r = Library(kind), random.Random(seed)
    for _ in range(400):
        a, b = (r.choice([r.randbytes(r.randrange(20)), b"abcAbc"[: r.randrange(7)], b"aBCdefghij" * r.randrange(3)]) for _ in range(2))
        i, j = r.randint(-2, 22), r.randint(-2, 22)
        s, t = lib.string(a), lib.string(b)
        order = (a > b) - (a < b) & 0xFFFFFFFF
        assert lib.call["__moore_string_len"](s) == len(a)
        assert lib.text("__moore_string_concat", s, t) == a + b
        assert lib.text("__moore_string_replicate", s, i & 0xFFFFFFFF) == a * i
        assert lib.call["__moore_string_compare"](s, t) == lib.call["__moore_string_cmp"](s, t) == order
        assert lib.call["__moore_string_icompare"](s, t) == (a.lower() > b.lower()) - (a.lower() < b.lower()) & 0xFFFFFFFF
        assert lib.text("__moore_string_toupper", s) == a.upper() and lib.text("__moore_string_tolower", s) == a.lower()
        assert lib.call["__moore_string_getc"](s, i & 0xFFFFFFFF) == (a[i] if 0 <= i < len(a) else 0)
        assert lib.text("__moore_string_substr", s, i & 0xFFFFFFFF, j & 0xFFFFFFFF) == (a[i : j + 1] if 0 <= i <= j < len(a) else b"")
        put = a[:i] + b"\x7e" + a[i + 1 :] if 0 <= i < len(a) else a
        assert lib.text("__moore_string_putc", s, i & 0xFFFFFFFF, 0x7E) == put
        assert lib.call["__moore_string_to_int"](s) == int.from_bytes(a[-8:], "big")


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_and_strings_convert(kind: str) -> None:
    lib, r = Library(kind), random.Random(7)
    for x in [0, 1, -1, 9, 10, 1 << 63, (1 << 63) - 1, M64, *(r.getrandbits(r.randint(1, 64)) for _ in range(1000))]:
        u = x & M64
        signed = u - (1 << 64) if u >> 63 else u
        assert lib.text("__moore_string_itoa", u) == b"%d" % signed
        assert lib.text("__moore_string_hextoa", u) == b"%x" % u and lib.text("__moore_string_octtoa", u) == b"%o" % u
        assert lib.text("__moore_string_bintoa", u) == f"{u:b}".encode()
        for bits in (-3, 0, 1, 5, 32, 63, 64, 70, 200):
            mask = (1 << bits) - 1 if bits > 0 else M64
            assert lib.text("__moore_string_hextoa_width", u, bits & 0xFFFFFFFF) == b"%0*x" % (-(-max(bits, 0) // 4), u & mask)
        assert lib.text("__moore_packed_string_to_string", u) == u.to_bytes(8, "big").replace(b"\0", b"")
        for name, base, form in (("atoi", 10, "{}"), ("atohex", 16, "{:x}"), ("atooct", 8, "{:o}"), ("atobin", 2, "{:b}")):
            text = r.choice(["", " ", "\t"]) + r.choice(["", "-", "+"]) + form.format(u) + r.choice(["", "z", " 1"])
            value = int(text.strip().rstrip("z").split()[0], base)
            assert lib.call[f"__moore_string_{name}"](lib.string(text.encode())) == value & 0xFFFFFFFF


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("__moore_string_len", (8,), "invalid address 0x8"),
        ("__moore_queue_push_back", (0xFFFFFFF0, 0, 4), "invalid address 0xfffffff0"),
        ("__moore_queue_push_back", (0, 0, 0), "element size of 0"),
        ("__moore_queue_pop_back", (0, M64), "element size of -1"),
        ("__moore_assoc_create", (0xFFFFFFFF, 4), "keys of -1"),
        ("__moore_assoc_exists", (12, 0), "invalid address"),
        ("malloc", (M64,), "malloc size of -1"),
        ("calloc", (1 << 33, 1 << 33), "calloc size"),
        ("free", (24,), "free of an address that was not allocated: 0x18"),
        ("__moore_dyn_array_new", (0xFFFFFFFF,), "dynamic array size of -1"),
    ],
)
def test_what_cannot_be_right_is_an_error_with_its_numbers(kind: str, name: str, args: tuple[int, ...], message: str) -> None:
    lib = Library(kind)
    with pytest.raises(SimFault, match=message):
        lib.call[name](*args)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pointer_to_something_else_is_no_associative_array(kind: str) -> None:
    lib = Library(kind)
    with pytest.raises(SimFault, match="is no associative array"):
        lib.call["__moore_assoc_size"](lib.data(struct.pack("<Q", lib.data(b"something else"))))
    assert lib.call["__moore_assoc_size"](0) == lib.call["__moore_assoc_size"](lib.data(bytes(8))) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_stored_to_a_net_wakes_its_listeners(kind: str) -> None:
    lib = Library(kind)
    net = lib.w.addr(0)
    a = lib.call["__moore_assoc_create"](8, 4)
    lib.call["__moore_assoc_get_ref"](a, lib.data((77).to_bytes(8, "little")), 4)
    before = lib.w.view.u64(cb.CB_C_UPDATES)
    assert lib.call["__moore_assoc_first"](a, (1 << 32) | net) == 1
    assert lib.w.get(0) == 77 and lib.w.view.u64(cb.CB_C_UPDATES) == before + 1


def test_declarations_and_exports_agree() -> None:
    """The letters by which the host declares a function mean what the kernel exports."""
    for name, (params, results) in COMPILED.items():
        export = EXPORTS[name]
        want = [LETTER_TYPES[c] for c in params]
        assert len(want) == len(export.params), name
        for ty, kernel in zip(want, export.params, strict=True):
            assert ty.kind == KERNEL_TYPES[kernel].kind and (ty.size <= 32) == (KERNEL_TYPES[kernel].size == 32), name
        assert len(results) == bool(export.result) + export.pair, name
        assert export.pair == (name in PAIRS)
    assert ALLOCATING < COMPILED.keys()
