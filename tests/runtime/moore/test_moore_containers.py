"""Queues, dynamic arrays, array methods, streams, associative arrays."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from fake_runtime import FakeRuntime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wasmjit.runtime.services import SimFault

COUNT = st.integers(-(1 << 31), (1 << 31) - 1)


def push(rt: FakeRuntime, q: int, *values: int) -> None:
    for v in values:
        rt.call("__moore_queue_push_back", q, rt.data(struct.pack("<i", v)), 4)


def make(rt: FakeRuntime, *values: int) -> int:
    q = rt.queue()
    push(rt, q, *values)
    return q


def result(rt: FakeRuntime, pair: tuple[int, int], fmt: str = "i") -> list[int]:
    return rt.elements(rt.data(struct.pack("<Qq", *pair)), fmt)


def test_queue_methods(rt: FakeRuntime) -> None:
    q = make(rt, 10, 20, 30)
    assert rt.elements(q) == [10, 20, 30]
    assert rt.call("__moore_queue_size", q) == 3
    assert rt.call("__moore_queue_pop_front", q, 4) == 10
    assert rt.call("__moore_queue_pop_back", q, 4) == 30
    rt.call("__moore_queue_push_front", q, rt.data(struct.pack("<i", 5)), 4)
    assert rt.elements(q) == [5, 20]
    rt.call("__moore_queue_insert", q, 1, rt.data(struct.pack("<i", 7)), 4)
    rt.call("__moore_queue_insert", q, 3, rt.data(struct.pack("<i", 8)), 4)
    rt.call("__moore_queue_insert", q, 9, rt.data(struct.pack("<i", 9)), 4)
    rt.call("__moore_queue_insert", q, -1, rt.data(struct.pack("<i", 9)), 4)
    assert rt.elements(q) == [5, 7, 20, 8]
    rt.call("__moore_queue_delete_index", q, 1, 4)
    rt.call("__moore_queue_delete_index", q, 4, 4)
    rt.call("__moore_queue_delete_index", q, 0, 4)
    assert rt.elements(q) == [20, 8]
    rt.call("__moore_queue_clear", q)
    assert rt.elements(q) == [] and rt.call("__moore_queue_pop_back", q, 4) == 0


class Model:
    """A queue and the list it must equal."""

    def __init__(self) -> None:
        self.rt = FakeRuntime()
        self.q = self.rt.queue()
        self.want: list[int] = []

    def step(self, op: str, value: int) -> None:
        rt, q, want = self.rt, self.q, self.want
        element = rt.data(struct.pack("<h", value))
        if op == "push_back":
            rt.call("__moore_queue_push_back", q, element, 2)
            want.append(value)
        elif op == "push_front":
            rt.call("__moore_queue_push_front", q, element, 2)
            want.insert(0, value)
        elif op == "pop_front":
            got = rt.call("__moore_queue_pop_front", q, 2)
            assert got == (want.pop(0) & 0xFFFF if want else 0)
        elif op == "pop_back":
            rt.call("__moore_queue_pop_back_ptr", q, element, 2)
            assert struct.unpack("<h", rt.read(element, 2)) == ((want.pop() if want else 0),)
        elif op == "insert":
            at = value % (len(want) + 1)
            rt.call("__moore_queue_insert", q, at, element, 2)
            want.insert(at, value)
        elif op == "delete" and want:
            at = value % len(want)
            rt.call("__moore_queue_delete_index", q, at, 2)
            del want[at]
        elif op == "copy":
            # assignment by value: the copy owns nothing, yet may change like any other queue
            self.q = rt.data(rt.read(q, 16))
        assert rt.elements(self.q, "h") == want


OPS = ["push_back", "push_back", "push_front", "pop_front", "pop_back", "insert", "delete", "copy"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(OPS), st.integers(-32768, 32767)), max_size=80))
def test_queues_behave_like_lists(steps: list[tuple[str, int]]) -> None:
    model = Model()
    for op, value in steps:
        model.step(op, value)


@settings(max_examples=40)
@given(st.lists(COUNT, min_size=1, max_size=12))
def test_a_copy_by_value_never_sees_growth_of_the_original(values: list[int]) -> None:
    rt = FakeRuntime()
    q = make(rt, *values)
    copy = rt.data(rt.read(q, 16))
    push(rt, copy, 1, 2, 3)
    assert rt.elements(q) == values
    push(rt, q, 9)
    assert rt.elements(copy) == [*values, 1, 2, 3]


def test_pushing_and_popping_in_turn_does_not_grow_without_bound(rt: FakeRuntime) -> None:
    q = make(rt, 0, 1, 2, 3)
    element = rt.data(struct.pack("<i", 7))
    for _ in range(5000):
        rt.call("__moore_queue_push_back", q, element, 4)
        rt.call("__moore_queue_pop_front", q, 4)
    assert rt.elements(q) == [7, 7, 7, 7]
    assert rt.used < 64_000


def test_slices_and_concatenation(rt: FakeRuntime) -> None:
    q = make(rt, 1, 2, 3, 4)
    assert result(rt, rt.call("__moore_queue_slice", q, 1, 2, 4)) == [2, 3]
    assert result(rt, rt.call("__moore_queue_slice", q, -3, 99, 4)) == [1, 2, 3, 4]
    assert result(rt, rt.call("__moore_queue_slice", q, 3, 1, 4)) == []
    both = rt.data(rt.read(q, 16) + rt.read(make(rt, 9), 16))
    assert result(rt, rt.call("__moore_queue_concat", both, 2, 4)) == [1, 2, 3, 4, 9]
    assert rt.call("__moore_queue_concat", both, 0, 4) == (0, 0)


@pytest.mark.parametrize("length", [100001, -1, 1 << 40])
def test_an_impossible_queue_header_is_left_alone(rt: FakeRuntime, length: int) -> None:
    q = rt.data(struct.pack("<Qq", rt.data(bytes(4)), length))
    dest = rt.data(bytes(4))
    rt.call("__moore_queue_push_back", q, dest, 4)
    rt.call("__moore_queue_pop_front_ptr", q, dest, 4)
    rt.call("__moore_queue_delete_index", q, 0, 4)
    assert struct.unpack("<Qq", rt.read(q, 16))[1] == length


@pytest.mark.parametrize("size", [0, -4, 1 << 40])
def test_an_impossible_element_size_is_a_fault(rt: FakeRuntime, size: int) -> None:
    with pytest.raises(SimFault):
        rt.call("__moore_queue_push_back", rt.queue(), rt.queue(), size)


def test_dynamic_arrays_copy_and_stay_zeroed(rt: FakeRuntime) -> None:
    addr, n = rt.call("__moore_dyn_array_new", 12)
    assert n == 12 and rt.read(addr, 12) == bytes(12)
    rt.write(addr, struct.pack("<3i", 1, 2, 3))
    bigger, n = rt.call("__moore_dyn_array_new_copy_bytes", 20, addr, 12)
    assert n == 20 and struct.unpack("<5i", rt.read(bigger, 20)) == (1, 2, 3, 0, 0)
    smaller, n = rt.call("__moore_dyn_array_new_copy_bytes", 4, addr, 12)
    assert n == 4 and rt.ld(smaller, 4) == 1
    assert rt.call("__moore_dyn_array_new", 0) == (0, 0)
    with pytest.raises(SimFault):
        rt.call("__moore_dyn_array_new", -1)


@given(st.lists(COUNT, max_size=20))
def test_ordering_methods(values: list[int]) -> None:
    rt = FakeRuntime()
    for name, want in (("sort", sorted(values)), ("rsort", sorted(values, reverse=True)), ("reverse", values[::-1])):
        q = make(rt, *values)
        where = rt.ld(q, 8)
        rt.call(f"__moore_queue_{name}", q, 4)
        assert rt.elements(q) == want and rt.ld(q, 8) == where
    q = make(rt, *values)
    rt.call("__moore_queue_shuffle", q, 4)
    assert sorted(rt.elements(q)) == sorted(values)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=20))
def test_locators_and_reductions(values: list[int]) -> None:
    rt = FakeRuntime()
    q = make(rt, *values)
    first = list(dict.fromkeys(values))
    assert result(rt, rt.call("__moore_array_unique", q, 4)) == first
    assert result(rt, rt.call("__moore_queue_unique", q)) == first
    assert result(rt, rt.call("__moore_array_unique_index", q, 4)) == [values.index(v) for v in first]
    assert result(rt, rt.call("__moore_array_min", q, 4, 1)) == [min(values)]
    assert result(rt, rt.call("__moore_array_max", q, 4, 1)) == [max(values)]
    assert result(rt, rt.call("__moore_array_max", q, 4, 0)) == [max(values, key=lambda v: v & 0xFFFF_FFFF)]
    probe = rt.data(struct.pack("<i", values[0]))
    hits = [i for i, v in enumerate(values) if v == values[0]]
    assert result(rt, rt.call("__moore_array_find_eq", q, 4, probe, 0, 1)) == hits
    assert result(rt, rt.call("__moore_array_find_eq", q, 4, probe, 2, 1)) == hits[-1:]
    assert result(rt, rt.call("__moore_array_find_cmp", q, 4, probe, 2, 0, 0)) == [v for v in values if v > values[0]]
    assert result(rt, rt.call("__moore_array_find_cmp", q, 4, probe, 5, 1, 0)) == [v for v in values if v <= values[0]][:1]
    assert rt.call("__moore_array_contains", rt.ld(q, 8), len(values), probe, 4) == 1
    product = total = 0
    conj, disj, exor, product = -1, 0, 0, 1
    for v in values:
        total, product, conj, disj, exor = total + v, product * v, conj & v, disj | v, exor ^ v
    m = (1 << 64) - 1
    for name, want in (("sum", total), ("product", product), ("and", conj), ("or", disj), ("xor", exor)):
        assert rt.call(f"__moore_array_reduce_{name}", q, 4) == want & m, name


def test_unique_of_a_fixed_array_assumes_int_elements(rt: FakeRuntime) -> None:
    q = rt.data(struct.pack("<Qq", rt.data(struct.pack("<5i", 1, 2, 1, 3, 2)), 5))
    assert result(rt, rt.call("__moore_queue_unique", q)) == [1, 2, 3]


@given(st.lists(st.integers(0, 255), min_size=1, max_size=8), st.booleans())
def test_streams_of_bits_convert_both_ways(values: list[int], right_to_left: bool) -> None:
    rt = FakeRuntime()
    q = rt.queue()
    for v in values:
        rt.call("__moore_queue_push_back", q, rt.data(bytes((v,))), 1)
    packed = rt.call("__moore_stream_concat_bits", q, 8, right_to_left)
    assert packed == int.from_bytes(bytes(values), "little" if right_to_left else "big")
    rt.call("__moore_stream_unpack_bits", q, packed, 8, right_to_left)
    assert rt.elements(q, "B") == values


def test_streams_of_strings(rt: FakeRuntime) -> None:
    parts = [rt.read(rt.string(s), 16) for s in (b"ab", b"", b"cd")]
    q = rt.data(struct.pack("<Qq", rt.data(b"".join(parts)), 3))
    assert rt.text("__moore_stream_concat_strings", q, 0) == b"abcd"
    assert rt.text("__moore_stream_concat_strings", q, 1) == b"cdab"


@given(st.binary(min_size=1, max_size=8), st.lists(st.integers(0, 255), max_size=6), st.binary(min_size=1, max_size=8), st.booleans())
def test_mixed_streams_convert_both_ways(prefix: bytes, values: list[int], suffix: bytes, right_to_left: bool) -> None:
    rt = FakeRuntime()
    q = rt.queue()
    for v in values:
        rt.call("__moore_queue_push_back", q, rt.data(bytes((v,))), 1)
    stream = rt.call(
        "__moore_stream_concat_mixed", rt.data(prefix), 8 * len(prefix), q, 8, rt.data(suffix), 8 * len(suffix), 8, right_to_left
    )
    assert stream[1] == len(prefix) + len(values) + len(suffix)
    head = rt.data(struct.pack("<Qq", *stream))
    p, np, data, n, s, ns = rt.call("__moore_stream_unpack_mixed_extract", head, 8 * len(prefix), 8, 8 * len(suffix), 8, right_to_left)
    assert (rt.read(p, np), result(rt, (data, n), "B"), rt.read(s, ns)) == (prefix, values, suffix)


# -- associative arrays ------------------------------------------------------------------------------------------------------------


def int_key(rt: FakeRuntime, key: int, size: int = 4) -> int:
    return rt.data(key.to_bytes(size, "little", signed=True))


def test_string_keys_iterate_in_order(rt: FakeRuntime) -> None:
    a = rt.call("__moore_assoc_create", 0, 4)
    for name, value in ((b"gamma", 30), (b"alpha", 10), (b"beta", 20)):
        rt.st(rt.call("__moore_assoc_get_ref", a, rt.string(name), 4), 4, value)
    key = rt.queue()
    seen = []
    ok = rt.call("__moore_assoc_first", a, key)
    while ok:
        addr, n = struct.unpack("<Qq", rt.read(key, 16))
        seen.append((rt.read(addr, n), rt.ld(rt.call("__moore_assoc_get_ref", a, key, 4), 4)))
        ok = rt.call("__moore_assoc_next", a, key)
    assert seen == [(b"alpha", 10), (b"beta", 20), (b"gamma", 30)]
    assert rt.call("__moore_assoc_exists", a, rt.string(b"delta")) == 0
    rt.call("__moore_assoc_delete_key", a, rt.string(b"beta"))
    assert rt.call("__moore_assoc_size", a) == 2
    rt.call("__moore_assoc_delete", a)
    assert rt.call("__moore_assoc_size", a) == 0 and rt.call("__moore_assoc_last", a, key) == 0


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from(["set", "set", "del", "next", "prev", "first", "last"]), st.integers(-40, 40)), max_size=150),
    st.sampled_from([1, 4, 8, 16]),
)
def test_integer_keys_behave_like_a_sorted_dictionary(steps: list[tuple[str, int]], size: int) -> None:
    rt = FakeRuntime()
    a = rt.call("__moore_assoc_create", size, 4)
    want: dict[int, int] = {}
    slots: dict[int, int] = {}
    for i, (op, k) in enumerate(steps):
        key = int_key(rt, k, size)
        if op == "set":
            slot = rt.call("__moore_assoc_get_ref", a, key, 4)
            assert slots.setdefault(k, slot) == slot, "the slot of a key stays where it is"
            rt.st(slot, 4, i)
            want[k] = i
        elif op == "del":
            rt.call("__moore_assoc_delete_key", a, key)
            want.pop(k, None)
            slots.pop(k, None)
        else:
            keys = sorted(want)
            choice = {
                "first": keys[:1],
                "last": keys[-1:],
                "next": [x for x in keys if x > k][:1],
                "prev": [x for x in keys if x < k][-1:],
            }[op]
            assert rt.call(f"__moore_assoc_{op}", a, key) == len(choice)
            assert int.from_bytes(rt.read(key, size), "little", signed=True) == (choice[0] if choice else k)
        assert rt.call("__moore_assoc_size", a) == len(want)
        assert rt.call("__moore_assoc_exists", a, int_key(rt, k, size)) == (k in want)
    assert {k: rt.ld(rt.call("__moore_assoc_get_ref", a, int_key(rt, k, size), 4), 4) for k in want} == want


def test_many_keys_in_any_order_iterate_sorted(rt: FakeRuntime) -> None:
    a = rt.call("__moore_assoc_create", 4, 1)
    for i in range(300):
        rt.call("__moore_assoc_get_ref", a, int_key(rt, i * 7919 % 1009), 1)
    key = int_key(rt, 0)
    seen, ok = [], rt.call("__moore_assoc_first", a, key)
    while ok:
        seen.append(rt.ld(key, 4))
        ok = rt.call("__moore_assoc_next", a, key)
    assert seen == sorted(i * 7919 % 1009 for i in range(300))


def test_copies_are_deep(rt: FakeRuntime) -> None:
    a, b = rt.call("__moore_assoc_create", 4, 4), rt.call("__moore_assoc_create", 4, 4)
    rt.st(rt.call("__moore_assoc_get_ref", a, int_key(rt, 1), 4), 4, 11)
    rt.call("__moore_assoc_get_ref", b, int_key(rt, 9), 4)
    rt.call("__moore_assoc_copy_into", b, a)
    rt.st(rt.call("__moore_assoc_get_ref", a, int_key(rt, 1), 4), 4, 12)
    assert rt.call("__moore_assoc_size", b) == 1
    assert rt.ld(rt.call("__moore_assoc_get_ref", b, int_key(rt, 1), 4), 4) == 11
    c = rt.call("__moore_assoc_copy", a)
    assert rt.ld(rt.call("__moore_assoc_get_ref", c, int_key(rt, 1), 4), 4) == 12


def test_a_variable_holding_the_handle_is_accepted_too(rt: FakeRuntime) -> None:
    a = rt.call("__moore_assoc_create", 4, 4)
    rt.call("__moore_assoc_get_ref", a, int_key(rt, 1), 4)
    variable, empty = rt.data(a.to_bytes(8, "little")), rt.data(bytes(8))
    assert rt.call("__moore_assoc_size", variable) == 1
    rt.call("__moore_assoc_copy_into", empty, a)
    assert rt.call("__moore_assoc_size", rt.ld(empty, 8)) == 1
    rt.call("__moore_assoc_delete", variable)
    assert rt.call("__moore_assoc_size", a) == 0


@pytest.mark.parametrize("handle", [5, 0x7FFF_FFFF, 1 << 63])
def test_what_is_no_array_is_a_fault(rt: FakeRuntime, handle: int) -> None:
    with pytest.raises(SimFault):
        rt.call("__moore_assoc_size", handle)
    bad: Any = rt.data(b"\1\2\3\4\5\6\7\x08")
    with pytest.raises(SimFault):
        rt.call("__moore_assoc_exists", bad, int_key(rt, 1))


def test_an_array_nobody_created_has_no_place_for_values(rt: FakeRuntime) -> None:
    assert rt.call("__moore_assoc_get_ref", 0, int_key(rt, 1), 4) == 0
    assert "never created" in rt.warnings[0]
