from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasmjit.sem.mir import int_bytes
from wasmjit.waves.images import ArrayShape, BitsShape, ImageDecoder, RealShape, mix_states
from wasmjit.waves.model import bit_string

widths = st.integers(1, 200)


def store(width: int, value: int) -> bytes:
    return value.to_bytes(int_bytes(width), "little")


@given(widths, st.data())
def test_a_two_state_vector_decodes_to_its_integer(width: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(0, (1 << width) - 1))
    image = b"\xaa" * 8 + store(width, value)
    decoder = ImageDecoder(BitsShape(((8, width),)))
    assert decoder(image) == [value]
    assert [v.width for v in decoder.variables] == [width]


@given(widths, st.data())
def test_a_four_state_vector_reads_bit_by_bit(width: int, data: st.DataObject) -> None:
    value, unknown = (data.draw(st.integers(0, (1 << width) - 1)) for _ in range(2))
    size = int_bytes(width)
    decoder = ImageDecoder(BitsShape(((0, width),), ((size, width),)))
    (result,) = decoder(store(width, value) + store(width, unknown))
    states = "".join("01xz"[(value >> k & 1) + 2 * (unknown >> k & 1)] for k in reversed(range(width)))
    assert bit_string(result, width) == states
    assert isinstance(result, int) == (unknown == 0)


@given(st.lists(widths, min_size=1, max_size=6), st.data())
def test_packed_fields_come_most_significant_first(fields: list[int], data: st.DataObject) -> None:
    values = [data.draw(st.integers(0, (1 << w) - 1)) for w in fields]
    image, leaves, expected = b"", [], ""
    for width, value in zip(fields, values, strict=True):
        leaves.append((len(image), width))
        image += store(width, value)
        expected += format(value, f"0{width}b")
    assert ImageDecoder(BitsShape(tuple(leaves)))(image) == [int(expected, 2)]


def test_a_field_without_an_unknown_plane_is_always_known() -> None:
    shape = BitsShape(((0, 4), (1, 4)), ((-1, 4), (2, 4)))
    assert ImageDecoder(shape)(bytes([0b1010, 0b0011, 0b0101])) == ["10100x1z"]


def test_planes_of_different_widths_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in their widths"):
        ImageDecoder(BitsShape(((0, 4),), ((1, 5),)))


def test_arrays_become_one_variable_per_element() -> None:
    shape = ArrayShape(3, 2, BitsShape(((0, 5),), ((1, 5),)), offset=4)
    decoder = ImageDecoder(shape)
    assert [v.suffix for v in decoder.variables] == ["[0]", "[1]", "[2]"]
    assert decoder(bytes([0] * 4 + [1, 0, 2, 0, 0, 31])) == [1, 2, "xxxxx"]


def test_nested_arrays_with_descending_indices() -> None:
    shape = ArrayShape(2, 2, ArrayShape(2, 1, BitsShape(((0, 8),))), first=7, step=-1)
    decoder = ImageDecoder(shape)
    assert [v.suffix for v in decoder.variables] == ["[7][0]", "[7][1]", "[6][0]", "[6][1]"]
    assert decoder(bytes([1, 2, 3, 4])) == [1, 2, 3, 4]


def test_large_arrays_stop_at_the_limit() -> None:
    shape = ArrayShape(1 << 30, 1, BitsShape(((0, 8),)))
    decoder = ImageDecoder(shape, array_limit=2)
    assert decoder(bytes([9, 8, 7])) == [9, 8]


@given(st.floats(allow_nan=False), st.floats(width=32, allow_nan=False))
def test_floats_of_both_sizes(double: float, single: float) -> None:
    image = struct.pack("<df", double, single)
    assert ImageDecoder(RealShape(0))(image) == [double]
    assert ImageDecoder(RealShape(8, 32))(image) == [single]


def test_mixing_states_of_a_very_wide_vector() -> None:
    width = 20000
    assert mix_states((1 << width) - 1, 1 << (width - 1), width) == "z" + "1" * (width - 1)
