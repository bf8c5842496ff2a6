"""Associative arrays (IEEE 1800-2023 §7.8, §7.9). Handle, key and slot layout: `layouts`.

Order: strings by their bytes, integers by value as signed numbers, wider keys likewise. `first`/`next`/... look the given key up in the
sorted keys, so
they go on correctly when the current key was deleted in between.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

from wasmjit.data import dataclass, field
from wasmjit.runtime.moore import layouts as L
from wasmjit.runtime.moore.strings import make
from wasmjit.runtime.services import M64, Runtime, SimFault, s32, service, store_pair, string_at

Key = int | bytes
MAX_KEY = 1 << 16


@dataclass(slots=True)
class AssocArray:
    """`key_size` 0: string keys. `keys` sorted when `ordered`; `slots`: address of each value."""

    key_size: int
    value_size: int
    slots: dict[Key, int] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)
    ordered: bool = True

    def sorted_keys(self) -> list[Key]:
        if not self.ordered:
            self.keys = sorted(self.slots)
            self.ordered = True
        return self.keys

    def add(self, key: Key, slot: int) -> None:
        self.slots[key] = slot
        if self.ordered:
            if not self.keys or key > self.keys[-1]:  # type: ignore[operator]  # one array has keys of one type
                self.keys.append(key)
            elif len(self.keys) < 64:
                insort(self.keys, key)
            else:
                self.ordered = False

    def remove(self, key: Key) -> int | None:
        slot = self.slots.pop(key, None)
        if slot is not None and self.ordered:
            at = bisect_left(self.keys, key)
            del self.keys[at]
        return slot

    def clear(self) -> list[int]:
        slots = list(self.slots.values())
        self.slots, self.keys, self.ordered = {}, [], True
        return slots


def create(rt: Runtime, key_size: int, value_size: int) -> int:
    handle = rt.alloc(L.ASSOC_HEADER)
    rt.write(handle, L.ASSOC_MAGIC.to_bytes(8, "little") + key_size.to_bytes(4, "little") + value_size.to_bytes(4, "little"))
    rt.host.assoc[handle] = AssocArray(key_size, value_size)
    return handle


@service("__moore_assoc_create", "ii", "p")
def assoc_create(rt: Runtime, key_size: int, value_size: int) -> int:
    k, v = s32(key_size), s32(value_size)
    if not 0 <= k <= MAX_KEY or not 0 <= v <= L.MAX_ELEMENT:
        raise SimFault(f"associative array with keys of {k} and values of {v} bytes is out of range")
    return create(rt, k, v)


@service("__wasmjit_assoc_make", "pii", "p")
def assoc_make(rt: Runtime, place: int, key_size: int, value_size: int) -> int:
    """A new array in the variable at `place` (`sem/lower/assoc.py` calls this when an element of an array is written that nobody created)."""
    handle = assoc_create(rt, key_size, value_size)
    rt.st(place, 8, handle)
    return handle


def resolve(rt: Runtime, handle: int) -> AssocArray | None:
    """The array of a handle, or of a variable that holds one (front ends pass either); None for a null handle.

    Raises SimFault for anything else.
    """
    if not handle:
        return None
    array = rt.host.assoc.get(handle)
    if array is not None:
        return array
    inner = rt.ld(handle, 8)
    if not inner:
        return None
    array = rt.host.assoc.get(inner)
    if array is None:
        raise SimFault(f"{handle:#x} is no associative array", handle)
    return array


def _read_key(rt: Runtime, array: AssocArray, ptr: int) -> Key:
    if array.key_size == 0:
        return string_at(rt, ptr)
    return int.from_bytes(rt.read(ptr, array.key_size), "little", signed=True)


def _write_key(rt: Runtime, array: AssocArray, ptr: int, key: Key) -> None:
    if isinstance(key, bytes):
        store_pair(rt, ptr, *make(rt, key))
    else:
        rt.store_bytes(ptr, (key & ((1 << 8 * array.key_size) - 1)).to_bytes(array.key_size, "little"))


@service("__moore_assoc_size", "p", "l")
def assoc_size(rt: Runtime, handle: int) -> int:
    array = resolve(rt, handle)
    return len(array.slots) & M64 if array else 0


@service("__moore_assoc_exists", "pp", "i")
def assoc_exists(rt: Runtime, handle: int, key: int) -> int:
    array = resolve(rt, handle)
    return int(array is not None and _read_key(rt, array, key) in array.slots)


@service("__moore_assoc_get_ref", "ppi", "p")
def assoc_get_ref(rt: Runtime, handle: int, key: int, value_size: int) -> int:
    """Address of the value, made and zeroed if the key is new."""
    array = resolve(rt, handle)
    if array is None:
        rt.warn("access to an associative array that was never created")
        return 0
    k = _read_key(rt, array, key)
    slot = array.slots.get(k)
    if slot is None:
        size = max(array.value_size, s32(value_size), 1)
        if size > L.MAX_ELEMENT:
            raise SimFault(f"associative array value of {size} bytes is out of range")
        slot = rt.alloc(size)
        if not array.slots:
            array.value_size = size
        array.add(k, slot)
    return slot


@service("__moore_assoc_delete", "p")
def assoc_delete(rt: Runtime, handle: int) -> None:
    array = resolve(rt, handle)
    if array is not None:
        for slot in array.clear():
            rt.free(slot)


@service("__moore_assoc_delete_key", "pp")
def assoc_delete_key(rt: Runtime, handle: int, key: int) -> None:
    array = resolve(rt, handle)
    if array is not None:
        slot = array.remove(_read_key(rt, array, key))
        if slot is not None:
            rt.free(slot)


def _visit(rt: Runtime, handle: int, ptr: int, how: str) -> int:
    array = resolve(rt, handle)
    if array is None or not array.slots:
        return 0
    keys = array.sorted_keys()
    if how == "first":
        at = 0
    elif how == "last":
        at = len(keys) - 1
    elif how == "next":
        at = bisect_right(keys, _read_key(rt, array, ptr))
    else:
        at = bisect_left(keys, _read_key(rt, array, ptr)) - 1
    if not 0 <= at < len(keys):
        return 0
    _write_key(rt, array, ptr, keys[at])
    return 1


@service("__moore_assoc_first", "pp", "b")
def assoc_first(rt: Runtime, handle: int, key: int) -> int:
    return _visit(rt, handle, key, "first")


@service("__moore_assoc_last", "pp", "b")
def assoc_last(rt: Runtime, handle: int, key: int) -> int:
    return _visit(rt, handle, key, "last")


@service("__moore_assoc_next", "pp", "b")
def assoc_next(rt: Runtime, handle: int, key: int) -> int:
    return _visit(rt, handle, key, "next")


@service("__moore_assoc_prev", "pp", "b")
def assoc_prev(rt: Runtime, handle: int, key: int) -> int:
    return _visit(rt, handle, key, "prev")


def _copy_entries(rt: Runtime, dst: AssocArray, src: AssocArray) -> None:
    entries = [(k, rt.read(src.slots[k], src.value_size)) for k in src.sorted_keys()]
    for slot in dst.clear():
        rt.free(slot)
    dst.value_size = src.value_size
    for key, value in entries:
        slot = rt.alloc(max(dst.value_size, 1))
        if value:
            rt.write(slot, value)
        dst.add(key, slot)


@service("__moore_assoc_copy_into", "pp")
def assoc_copy_into(rt: Runtime, dst: int, src: int) -> None:
    """Replace the entries of `dst` by copies of those of `src`. A destination variable that holds no array yet gets one."""
    source = resolve(rt, src)
    target = resolve(rt, dst)
    if target is None:
        if source is None:
            return
        if not dst:
            raise SimFault("copy into a null associative array")
        handle = create(rt, source.key_size, source.value_size)
        rt.st(dst, 8, handle)
        target = rt.host.assoc[handle]
    if source is None:
        for slot in target.clear():
            rt.free(slot)
    elif source is not target:
        _copy_entries(rt, target, source)


@service("__moore_assoc_copy", "p", "p")
def assoc_copy(rt: Runtime, src: int) -> int:
    source = resolve(rt, src)
    if source is None:
        return 0
    handle = create(rt, source.key_size, source.value_size)
    _copy_entries(rt, rt.host.assoc[handle], source)
    return handle
