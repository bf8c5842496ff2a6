"""From the memory image of a signal to the values a waveform writer takes.

The description of a signal is a `Shape`: plain byte offsets and widths in the natural layout of docs/internals.md §2. A 4-state value
{value, unknown} reads 0, 1, x (0,1) and z (1,1) bit by bit.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from wasmjit.data import dataclass
from wasmjit.sem.mir import int_bytes
from wasmjit.waves.model import Value

Decoder = Callable[[bytes], Value]

_STATES = str.maketrans("0123", "01xz")


@dataclass(frozen=True, slots=True)
class BitsShape:
    """A bit vector. `value`: leaves (byte offset, width in bits), most significant first. `unknown`: the same for the unknown plane, leaf by leaf
    of equal width, offset -1 where that part is always known; None for a 2-state signal."""

    value: tuple[tuple[int, int], ...]
    unknown: tuple[tuple[int, int], ...] | None = None

    @property
    def width(self) -> int:
        return sum(width for _, width in self.value)


@dataclass(frozen=True, slots=True)
class RealShape:
    """A float of 32 or 64 bits at a byte offset."""

    offset: int
    bits: int = 64


@dataclass(frozen=True, slots=True)
class ArrayShape:
    """`count` elements, `stride` bytes apart, element 0 at byte `offset`. `first`, `step`: index shown for element 0, and its change per element."""

    count: int
    stride: int
    element: Shape
    offset: int = 0
    first: int = 0
    step: int = 1


@dataclass(frozen=True, slots=True)
class RecordShape:
    """Parts that are shown as variables of their own: (name, byte offset, shape)."""

    fields: tuple[tuple[str, int, Shape], ...]


Shape = BitsShape | RealShape | ArrayShape | RecordShape


@dataclass(frozen=True, slots=True)
class ImageVar:
    """One waveform variable cut out of an image: name suffix ('', '[3]', '.field'), kind class, width in bits, decoder."""

    suffix: str
    real: bool
    width: int
    decode: Decoder


def mix_states(value: int, unknown: int, width: int) -> str:
    """4-state bit string of two planes. Linear in the width: the planes are added as hexadecimal digits 0..3."""
    planes = int(format(value, "b"), 16) + 2 * int(format(unknown, "b"), 16)
    return format(planes, f"0{width}x").translate(_STATES)


def _plane(leaves: tuple[tuple[int, int], ...], base: int) -> str:
    """Python expression over `b` that yields the plane as an integer."""
    terms = []
    shift = sum(width for _, width in leaves)
    for offset, width in leaves:
        shift -= width
        if offset < 0:
            continue
        start, size = base + offset, int_bytes(width)
        load = f"b[{start}]" if size == 1 else f"from_bytes(b[{start}:{start + size}], 'little')"
        if width != 8 * size:
            # Images are zero-extended by contract; a mask keeps a stray upper bit out of the neighbouring field.
            load = f"({load} & {(1 << width) - 1})"
        terms.append(f"{load} << {shift}" if shift else load)
    return " | ".join(terms) or "0"


def compile_bits(shape: BitsShape, base: int = 0) -> Decoder:
    """Decoder of a bit vector at byte `base`: an int when all bits are known, else a bit string."""
    if shape.width < 1:
        raise ValueError("a bit vector has at least one bit")
    names = {"from_bytes": int.from_bytes, "mix": mix_states}
    value = _plane(shape.value, base)
    if shape.unknown is None:
        source = f"lambda b: {value}"
    else:
        if [w for _, w in shape.unknown] != [w for _, w in shape.value]:
            raise ValueError("value and unknown planes differ in their widths")
        source = f"lambda b: mix({value}, u, {shape.width}) if (u := {_plane(shape.unknown, base)}) else {value}"
    # The text holds nothing but integers of the shape, so evaluating it cannot run foreign code.
    decoder: Decoder = eval(source, names)
    return decoder


def compile_real(shape: RealShape, base: int = 0) -> Decoder:
    """Decoder of an IEEE 754 float, little endian."""
    unpack = struct.Struct("<d" if shape.bits == 64 else "<f").unpack_from
    start = base + shape.offset

    def decode(image: bytes) -> Value:
        value: float = unpack(image, start)[0]
        return value

    return decode


def expand(shape: Shape, array_limit: int = 1024, base: int = 0) -> list[ImageVar]:
    """The waveform variables of a signal: one, or one per array element for the first `array_limit` elements of the whole signal."""
    found: list[ImageVar] = []
    for var in _walk(shape, base, ""):
        if var.suffix and len(found) >= array_limit:
            break
        found.append(var)
    return found


def _walk(shape: Shape, base: int, suffix: str) -> Iterator[ImageVar]:
    if isinstance(shape, ArrayShape):
        for index in range(shape.count):
            at = base + shape.offset + index * shape.stride
            yield from _walk(shape.element, at, f"{suffix}[{shape.first + index * shape.step}]")
    elif isinstance(shape, RecordShape):
        for name, offset, part in shape.fields:
            yield from _walk(part, base + offset, f"{suffix}.{name}")
    elif isinstance(shape, RealShape):
        yield ImageVar(suffix, True, 64, compile_real(shape, base))
    else:
        yield ImageVar(suffix, False, shape.width, compile_bits(shape, base))


class ImageDecoder:
    """Decoder of a signal's memory image into (suffix, value) parts. `variables` describes the parts; calling gives their values in that order."""

    __slots__ = ("_decoders", "variables")

    def __init__(self, shape: Shape, array_limit: int = 1024) -> None:
        self.variables = expand(shape, array_limit)
        self._decoders = [var.decode for var in self.variables]

    def __call__(self, image: bytes) -> list[Value]:
        return [decode(image) for decode in self._decoders]
