"""Elements of dense attributes."""

from __future__ import annotations

import pytest

from wasmjit.ir import Dense, parse_text
from wasmjit.ir import types as T
from wasmjit.sem.dense import dense_elements


def elements(text: str) -> list[int] | list[float]:
    attr = parse_text(f"module attributes {{a.x = {text}}} {{}}").root.attrs["a.x"]
    assert isinstance(attr, Dense)
    return dense_elements(attr)


def test_a_blob_is_little_endian() -> None:
    assert elements('dense<"0x0100000002010000FFFFFFFF"> : tensor<3xi32>') == [1, 0x102, 0xFFFFFFFF]


def test_elements_of_odd_widths_take_whole_bytes() -> None:
    assert elements('dense<"0x01020304"> : tensor<2xi12>') == [0x201, 0x403]


def test_bits_are_packed() -> None:
    assert elements('dense<"0x0502"> : tensor<10xi1>') == [1, 0, 1, 0, 0, 0, 0, 0, 0, 1]


def test_a_blob_of_one_element_is_a_splat() -> None:
    assert elements('dense<"0x0700"> : tensor<3xi16>') == [7, 7, 7]


def test_floats() -> None:
    assert elements('dense<"0x0000803F000000C0"> : tensor<2xf32>') == [1.0, -2.0]


def test_nested_lists_and_splats() -> None:
    assert elements("dense<[[1, 2], [3, 4]]> : tensor<2x2xi32>") == [1, 2, 3, 4]
    assert elements("dense<5> : tensor<2x2xi8>") == [5, 5, 5, 5]
    assert elements("dense<> : tensor<0xi32>") == []


def test_a_blob_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="3 bytes do not hold 2 elements"):
        dense_elements(Dense(T.TensorType((2,), T.IntType(16)), "0x010203"))
