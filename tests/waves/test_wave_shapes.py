from __future__ import annotations

from wasmjit.ir import types as T
from wasmjit.waves.images import ArrayShape, BitsShape, ImageDecoder, RealShape
from wasmjit.waves.shapes import shape_of

I4, I8, I32 = T.IntType(4), T.IntType(8), T.IntType(32)


def logic(width: int) -> T.Type:
    return T.StructType((("value", T.IntType(width)), ("unknown", T.IntType(width))))


def test_two_and_four_state_vectors() -> None:
    assert shape_of(I8) == BitsShape(((0, 8),))
    assert shape_of(logic(32)) == BitsShape(((0, 32),), ((4, 32),))
    assert shape_of(T.FloatType(32)) == RealShape(0, 32)


def test_a_struct_of_vectors_is_one_vector_with_padding_left_out() -> None:
    packed = T.StructType((("a", I4), ("b", logic(32)), ("c", I8)))
    assert shape_of(packed) == BitsShape(((0, 4), (4, 32), (12, 8)), ((-1, 4), (8, 32), (-1, 8)))


def test_array_elements_keep_their_index_in_either_memory_order() -> None:
    image = bytes([10, 11, 12])
    hw, llvm = shape_of(T.ArrayType(3, I8)), shape_of(T.LLVMArrayType(3, I8))
    assert isinstance(hw, ArrayShape) and isinstance(llvm, ArrayShape)
    for shape, expected in ((hw, {"[2]": 10, "[1]": 11, "[0]": 12}), (llvm, {"[0]": 10, "[1]": 11, "[2]": 12})):
        decoder = ImageDecoder(shape)
        assert dict(zip([v.suffix for v in decoder.variables], decoder(image), strict=True)) == expected


def test_a_struct_with_an_array_is_shown_field_by_field() -> None:
    shape = shape_of(T.StructType((("n", I8), ("m", T.ArrayType(2, I8)), ("r", T.FloatType(64)))))
    assert shape is not None
    decoder = ImageDecoder(shape)
    assert [(v.suffix, v.real) for v in decoder.variables] == [(".n", False), (".m[1]", False), (".m[0]", False), (".r", True)]
    assert decoder(bytes([7, 8, 9, 0, 0, 0, 0, 0]) + b"\0\0\0\0\0\0\xf0\x3f") == [7, 8, 9, 1.0]


def test_what_has_no_picture_has_no_shape() -> None:
    assert shape_of(T.IntType(0)) is None
    assert shape_of(T.DStringType()) is None
    assert shape_of(T.StructType(())) is None
    assert shape_of(T.OpaqueType("!foo.bar")) is None
