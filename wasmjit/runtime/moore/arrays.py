"""Array methods: locators, ordering, reduction (IEEE 1800-2023 §7.12) on queues and dynamic arrays.

Sorting without a `with` clause compares elements as signed integers of their byte size: the front end passes no signedness and `int` is
the rule.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from wasmjit.runtime.moore.queues import contents, element_size, guess_element_size, make_queue, new_storage
from wasmjit.runtime.services import M64, Runtime, SimFault, checked_len, read_pair, s32, service, store_pair

INDEX_SIZE = 4
"""Index queues hold `int` elements."""


def _split(data: bytes, elem: int) -> list[bytes]:
    return [data[i : i + elem] for i in range(0, len(data), elem)]


def _signed(item: bytes) -> int:
    return int.from_bytes(item, "little", signed=True)


def _unsigned(item: bytes) -> int:
    return int.from_bytes(item, "little")


def _indices(rt: Runtime, found: list[int]) -> tuple[int, int]:
    return make_queue(rt, b"".join(i.to_bytes(INDEX_SIZE, "little") for i in found), INDEX_SIZE)


def _located(rt: Runtime, items: list[bytes], found: list[int], elem: int, mode: int, indices: int) -> tuple[int, int]:
    """Locator result: `mode` 0 all, 1 first, 2 last match."""
    if mode == 1:
        found = found[:1]
    elif mode == 2:
        found = found[-1:]
    elif mode != 0:
        raise SimFault(f"array locator mode {mode} is unknown")
    if indices & 1:
        return _indices(rt, found)
    return make_queue(rt, b"".join(items[i] for i in found), elem)


@service("__moore_array_find_eq", "plpib", "pl")
def array_find_eq(rt: Runtime, array: int, elem_size: int, value: int, mode: int, indices: int) -> tuple[int, int]:
    elem = element_size(elem_size)
    items, want = _split(contents(rt, array, elem), elem), rt.read(value, elem)
    return _located(rt, items, [i for i, x in enumerate(items) if x == want], elem, s32(mode), indices)


_COMPARE: tuple[Callable[[int, int], bool], ...] = (
    lambda a, b: a == b,
    lambda a, b: a != b,
    lambda a, b: a > b,
    lambda a, b: a >= b,
    lambda a, b: a < b,
    lambda a, b: a <= b,
)
"""Comparison modes 0 ... 5 of `find_cmp`: eq ne sgt sge slt sle."""


@service("__moore_array_find_cmp", "plpiib", "pl")
def array_find_cmp(rt: Runtime, array: int, elem_size: int, value: int, compare: int, mode: int, indices: int) -> tuple[int, int]:
    elem, code = element_size(elem_size), s32(compare)
    if not 0 <= code < len(_COMPARE):
        raise SimFault(f"array comparison mode {code} is unknown")
    test, want = _COMPARE[code], _signed(rt.read(value, elem))
    items = _split(contents(rt, array, elem), elem)
    return _located(rt, items, [i for i, x in enumerate(items) if test(_signed(x), want)], elem, s32(mode), indices)


@service("__moore_array_find_field_cmp", "plllpiib", "pl")
def array_find_field_cmp(
    rt: Runtime, array: int, elem_size: int, field_at: int, field_size: int, value: int, compare: int, mode: int, indices: int
) -> tuple[int, int]:
    """As `find_cmp` on a field of each element."""
    elem, code = element_size(elem_size), s32(compare)
    at, size = checked_len(field_at, "field offset", elem), checked_len(field_size, "field size", elem)
    if not 0 <= code < len(_COMPARE) or at + size > elem:
        raise SimFault(f"array comparison mode {code} or field {at}+{size} is out of range")
    test, want = _COMPARE[code], _signed(rt.read(value, size))
    items = _split(contents(rt, array, elem), elem)
    return _located(rt, items, [i for i, x in enumerate(items) if test(_signed(x[at : at + size]), want)], elem, s32(mode), indices)


@service("__moore_array_contains", "plpl", "b")
def array_contains(rt: Runtime, data: int, count: int, value: int, elem_size: int) -> int:
    """Whether `count` elements at `data` (not a queue struct) contain the value."""
    elem, n = element_size(elem_size), checked_len(count, "array length")
    return int(n > 0 and rt.read(value, elem) in _split(rt.read(data, n * elem), elem))


def _extreme(rt: Runtime, array: int, elem_size: int, signed: int, pick: Callable[..., bytes]) -> tuple[int, int]:
    elem = element_size(elem_size)
    items = _split(contents(rt, array, elem), elem)
    return make_queue(rt, pick(items, key=_signed if signed else _unsigned), elem) if items else (0, 0)


@service("__moore_array_min", "pli", "pl")
def array_min(rt: Runtime, array: int, elem_size: int, signed: int) -> tuple[int, int]:
    """A queue with the (first) smallest element; empty for an empty array."""
    return _extreme(rt, array, elem_size, signed, min)


@service("__moore_array_max", "pli", "pl")
def array_max(rt: Runtime, array: int, elem_size: int, signed: int) -> tuple[int, int]:
    return _extreme(rt, array, elem_size, signed, max)


def _first_of_each(items: list[bytes]) -> list[int]:
    seen: dict[bytes, int] = {}
    for i, item in enumerate(items):
        seen.setdefault(item, i)
    return list(seen.values())


@service("__moore_array_unique", "pl", "pl")
def array_unique(rt: Runtime, array: int, elem_size: int) -> tuple[int, int]:
    elem = element_size(elem_size)
    items = _split(contents(rt, array, elem), elem)
    return make_queue(rt, b"".join(items[i] for i in _first_of_each(items)), elem)


@service("__moore_array_unique_index", "pl", "pl")
def array_unique_index(rt: Runtime, array: int, elem_size: int) -> tuple[int, int]:
    elem = element_size(elem_size)
    return _indices(rt, _first_of_each(_split(contents(rt, array, elem), elem)))


@service("__moore_queue_unique", "p", "pl")
def queue_unique(rt: Runtime, queue: int) -> tuple[int, int]:
    data, length = read_pair(rt, queue)
    return array_unique(rt, queue, guess_element_size(rt, data, length))


@service("__moore_queue_min", "p", "pl")
def queue_min(rt: Runtime, queue: int) -> tuple[int, int]:
    data, length = read_pair(rt, queue)
    return array_min(rt, queue, guess_element_size(rt, data, length), 1)


@service("__moore_queue_max", "p", "pl")
def queue_max(rt: Runtime, queue: int) -> tuple[int, int]:
    data, length = read_pair(rt, queue)
    return array_max(rt, queue, guess_element_size(rt, data, length), 1)


# ---------------------------------------------------------------------------------------------------------------------------------
# Reductions


def _reduce(rt: Runtime, array: int, elem_size: int, op: Callable[[int, int], int], empty: int) -> int:
    elem = element_size(elem_size)
    items = [_signed(x) for x in _split(contents(rt, array, elem), elem)]
    return (reduce(op, items) if items else empty) & M64


@service("__moore_array_reduce_sum", "pl", "l")
def reduce_sum(rt: Runtime, array: int, elem_size: int) -> int:
    """Elements count as signed; the front end truncates the result to the element's width."""
    return _reduce(rt, array, elem_size, lambda a, b: a + b, 0)


@service("__moore_array_reduce_product", "pl", "l")
def reduce_product(rt: Runtime, array: int, elem_size: int) -> int:
    return _reduce(rt, array, elem_size, lambda a, b: a * b & M64, 1)


@service("__moore_array_reduce_and", "pl", "l")
def reduce_and(rt: Runtime, array: int, elem_size: int) -> int:
    return _reduce(rt, array, elem_size, lambda a, b: a & b, M64)


@service("__moore_array_reduce_or", "pl", "l")
def reduce_or(rt: Runtime, array: int, elem_size: int) -> int:
    return _reduce(rt, array, elem_size, lambda a, b: a | b, 0)


@service("__moore_array_reduce_xor", "pl", "l")
def reduce_xor(rt: Runtime, array: int, elem_size: int) -> int:
    return _reduce(rt, array, elem_size, lambda a, b: a ^ b, 0)


# ---------------------------------------------------------------------------------------------------------------------------------
# Ordering, in place: the elements keep their storage, so that a fixed array behind a temporary queue struct is ordered too


def _reorder(rt: Runtime, queue: int, elem_size: int, order: Callable[[list[bytes]], list[bytes]]) -> None:
    elem = element_size(elem_size)
    data = contents(rt, queue, elem)
    if len(data) > elem:
        rt.store_bytes(read_pair(rt, queue)[0], b"".join(order(_split(data, elem))))


@service("__moore_queue_sort", "pl")
def queue_sort(rt: Runtime, queue: int, elem_size: int) -> None:
    _reorder(rt, queue, elem_size, lambda items: sorted(items, key=_signed))


@service("__moore_queue_sort_inplace", "pl")
def queue_sort_inplace(rt: Runtime, queue: int, elem_size: int) -> None:
    _reorder(rt, queue, elem_size, lambda items: sorted(items, key=_signed))


@service("__moore_queue_rsort", "pl")
def queue_rsort(rt: Runtime, queue: int, elem_size: int) -> None:
    _reorder(rt, queue, elem_size, lambda items: sorted(items, key=_signed, reverse=True))


@service("__moore_queue_reverse", "pl")
def queue_reverse(rt: Runtime, queue: int, elem_size: int) -> None:
    _reorder(rt, queue, elem_size, lambda items: items[::-1])


@service("__moore_queue_shuffle", "pl")
def queue_shuffle(rt: Runtime, queue: int, elem_size: int) -> None:
    """Fisher–Yates with the generator of the running process."""
    rng = rt.host.random_of_process(rt.proc_id)

    def shuffled(items: list[bytes]) -> list[bytes]:
        for i in range(len(items) - 1, 0, -1):
            j = rng.below(i + 1)
            items[i], items[j] = items[j], items[i]
        return items

    _reorder(rt, queue, elem_size, shuffled)


def replace_queue(rt: Runtime, queue: int, data: bytes, elem: int) -> None:
    """Make `data` the contents of a queue."""
    if data:
        store_pair(rt, queue, new_storage(rt, data, elem, queue).data, len(data) // elem)
    else:
        store_pair(rt, queue, 0, 0)
