"""What the `sim.fmt.*` operations print.

A format string is a tree of `FormatSpec` nodes, built once per print site; `compile_spec` turns it into one Python closure. The values
are the leaves of the formatted operands in the order in which the tree names them (docs/internals.md §2): integers zero-extended, floats
as Python floats, a dynamic string as its two leaves (pointer, length).

Rules: CIRCT's definition of the operations (padding, default widths) and IEEE 1800-2023 §21.2.1 for digits with unknown bits:
a digit whose bits are all x prints `x`, all z `z`, some x `X`, some z (and no x) `Z`; a decimal number is one such digit.
A 4-state operand is packed as `value << width | unknown`; per bit (0,1) is x and (1,1) is z.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol, cast

from wasmjit.data import dataclass

FormatValue = int | float | bytes
Renderer = Callable[[Sequence[Any], "FormatContext"], bytes]

SPACE, ZERO = 0x20, 0x30
MAX_FIELD = 1 << 20
"""Widest field that is padded, in characters: a design cannot make the host allocate without bound."""


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """State of `$timeformat` (IEEE 1800-2023 §20.4.3): `unit` is a power of ten in seconds (-15 ... 0)."""

    unit: int = -9
    precision: int = 0
    suffix: bytes = b""
    min_width: int = 0


class FormatContext(Protocol):
    """What printing needs beyond the values."""

    @property
    def now_fs(self) -> int: ...

    @property
    def time_format(self) -> TimeFormat: ...

    def read(self, addr: int, n: int, /) -> bytes:
        """`n` bytes of guest memory; a bad range is a simulation error."""
        ...

    def instance_path(self) -> str: ...


@dataclass(frozen=True, slots=True)
class FormatSpec:
    """One node of a format string."""


@dataclass(frozen=True, slots=True)
class Literal(FormatSpec):
    text: bytes


@dataclass(frozen=True, slots=True)
class Dec(FormatSpec):
    """Decimal. `width_bits` is the width of the number itself (of a 4-state operand: half of the operand)."""

    width_bits: int
    signed: bool = False
    pad: int = SPACE
    specifier_width: int | None = None
    left: bool = False
    four_state: bool = False


@dataclass(frozen=True, slots=True)
class Radix(FormatSpec):
    """Binary, octal or hexadecimal: `digit_bits` is 1, 3 or 4."""

    digit_bits: int
    width_bits: int
    upper: bool = False
    pad: int = ZERO
    specifier_width: int | None = None
    left: bool = False
    four_state: bool = False


def Hex(width_bits: int, **kw: Any) -> Radix:
    return Radix(4, width_bits, **kw)


def Oct(width_bits: int, **kw: Any) -> Radix:
    return Radix(3, width_bits, **kw)


def Bin(width_bits: int, **kw: Any) -> Radix:
    return Radix(1, width_bits, **kw)


@dataclass(frozen=True, slots=True)
class Char(FormatSpec):
    """The low eight bits as one byte. Unknown bits of a 4-state operand count as 0."""

    width_bits: int
    four_state: bool = False


@dataclass(frozen=True, slots=True)
class Real(FormatSpec):
    """`style` is 'e' (exp), 'f' (flt) or 'g' (gen), as in C's printf."""

    style: str
    frac_digits: int = 6
    field_width: int | None = None
    left: bool = False


@dataclass(frozen=True, slots=True)
class Str(FormatSpec):
    """A dynamic string, two leaves (pointer, length); with `by_value` one leaf of type bytes."""

    pad: int = SPACE
    specifier_width: int | None = None
    left: bool = False
    by_value: bool = False


@dataclass(frozen=True, slots=True)
class Time(FormatSpec):
    """A time in fs (one leaf; `current`: the current time and no leaf) printed as `%t`; `width` replaces the minimum width of
    `$timeformat`."""

    current: bool = False
    width: int | None = None


@dataclass(frozen=True, slots=True)
class HierPath(FormatSpec):
    """`%m`. `escaped` keeps the path as one SystemVerilog name per level (escaped identifiers where needed)."""

    escaped: bool = False


@dataclass(frozen=True, slots=True)
class Concat(FormatSpec):
    parts: tuple[FormatSpec, ...]


@dataclass(frozen=True, slots=True)
class Select(FormatSpec):
    """`arith.select`/`comb.mux` over format strings: leaves are the condition, those of `if_true`, those of `if_false`."""

    if_true: FormatSpec
    if_false: FormatSpec


# ---------------------------------------------------------------------------------------------------------------------------------
# Digits


@cache
def decimal_width(bits: int, signed: bool) -> int:
    """Characters of the longest decimal number of that type, sign included (`sim.fmt.dec`: default padding)."""
    if bits == 0:
        return 1
    return len(str(1 << (bits - 1))) + 1 if signed else len(str((1 << bits) - 1))


def _unknown_digit(value: int, unknown: int, mask: int) -> bytes:
    """The character for a digit of which `unknown` (not 0) bits are x or z."""
    if unknown & ~value:
        return b"x" if unknown & ~value == mask else b"X"
    return b"z" if unknown == mask else b"Z"


_RADIX_FORMAT = {1: "b", 3: "o", 4: "x"}


def radix_digits(value: int, width: int, digit_bits: int, upper: bool = False) -> bytes:
    """All digits of a known number, leading zeros included; the empty string for width 0."""
    if width == 0:
        return b""
    ndigits = -(-width // digit_bits)
    code = "X" if upper and digit_bits == 4 else _RADIX_FORMAT[digit_bits]
    return format(value, f"0{ndigits}{code}").encode()


def radix_digits4(value: int, unknown: int, width: int, digit_bits: int, upper: bool = False) -> bytes:
    """As `radix_digits` for a 4-state number."""
    if not unknown:
        return radix_digits(value, width, digit_bits, upper)
    digits = bytearray(radix_digits(value & ~unknown, width, digit_bits, upper))
    last = len(digits) - 1
    full = (1 << digit_bits) - 1
    rest, index = unknown, last
    while rest:
        bits = rest & full
        if bits:
            low = (last - index) * digit_bits
            mask = full if low + digit_bits <= width else (1 << (width - low)) - 1
            digits[index] = _unknown_digit(value >> low & mask, bits, mask)[0]
        rest >>= digit_bits
        index -= 1
    return bytes(digits)


def decimal(value: int, width: int, signed: bool) -> bytes:
    """The shortest decimal form."""
    if signed and width and value >> (width - 1):
        value -= 1 << width
    return b"%d" % value


def _clip(width: int | None) -> int | None:
    return None if width is None else max(0, min(width, MAX_FIELD))


def pad_decimal(digits: bytes, width: int, pad: int, left: bool) -> bytes:
    """Pad to at least `width`; zeros go between the sign and the digits, and never to the right of a number."""
    missing = width - len(digits)
    if missing <= 0:
        return digits
    if left:
        return digits + b" " * missing
    if pad == ZERO and digits[:1] == b"-":
        return b"-" + b"0" * missing + digits[1:]
    return bytes((pad,)) * missing + digits


def pad_radix(digits: bytes, width: int | None, pad: int, left: bool) -> bytes:
    """`width` None: all digits; else the shortest form, padded to at least `width` characters (left-aligned: zeros up to the full digits,
    then spaces)."""
    if width is None:
        return digits
    short = digits.lstrip(b"0") or digits[-1:]
    if short[0] in b"xzZ":
        short = _collapse(short, width)
    missing = width - len(short)
    if missing <= 0:
        return short
    if left:
        zeros = min(missing, len(digits) - len(short))
        return b"0" * zeros + short + b" " * (missing - zeros)
    return bytes((pad,)) * missing + short


def _collapse(digits: bytes, width: int) -> bytes:
    """Drop repeated leading x, z or Z down to `width` digits, at least one (`%0h`: as few characters as possible, §21.2.1.3; Icarus keeps
    them)."""
    run = len(digits) - len(digits.lstrip(digits[:1]))
    return digits[max(0, min(run - 1, len(digits) - max(1, width))) :]


def pad_text(text: bytes, width: int | None, pad: int = SPACE, left: bool = False) -> bytes:
    if width is None or len(text) >= width:
        return text
    fill = bytes((pad,)) * (width - len(text))
    return text + fill if left else fill + text


def real(value: float, style: str, frac_digits: int = 6, width: int | None = None, left: bool = False) -> bytes:
    """printf's `%e %f %g`; infinities and NaN print as inf, -inf and nan."""
    digits = max(0, min(frac_digits, 1100))
    return pad_text(f"{value:.{digits}{style}}".encode(), _clip(width), SPACE, left)


def packed_string(value: int) -> bytes:
    """Characters of a packed value as a string: most significant byte first, NULs removed (IEEE 1800-2023 §6.16)."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big").replace(b"\0", b"")


def format_time(fs: int, fmt: TimeFormat, width: int | None = None) -> bytes:
    """`%t`: a time in fs by `$timeformat`, rounded half up to the precision. `width` replaces the minimum width."""
    digits = max(0, min(fmt.precision, 64))
    shift = fmt.unit + 15 - digits
    magnitude = abs(fs)
    if shift > 0:
        scale = 10**shift
        scaled = (magnitude + scale // 2) // scale
    else:
        scaled = magnitude * 10**-shift
    text = str(scaled)
    if digits:
        text = text.rjust(digits + 1, "0")
        text = f"{text[:-digits]}.{text[-digits:]}"
    if fs < 0:
        text = "-" + text
    return pad_text(text.encode() + fmt.suffix, _clip(fmt.min_width if width is None else width))


# ---------------------------------------------------------------------------------------------------------------------------------
# Compilation of a tree


def leaf_count(spec: FormatSpec) -> int:
    """Number of leaf values that a tree consumes."""
    match spec:
        case Literal() | HierPath() | Time(current=True):
            return 0
        case Str(by_value=False):
            return 2
        case Concat(parts):
            return sum(map(leaf_count, parts))
        case Select(a, b):
            return 1 + leaf_count(a) + leaf_count(b)
        case _:
            return 1


def compile_spec(spec: FormatSpec) -> Renderer:
    """One closure `(values, context) -> bytes` for the whole tree."""
    return _compile(spec, 0)


def render(spec: FormatSpec, values: Sequence[FormatValue], ctx: FormatContext) -> bytes:
    """Print once. For a site that prints often, keep `compile_spec(spec)`."""
    return compile_spec(spec)(values, ctx)


def _compile(spec: FormatSpec, at: int) -> Renderer:
    match spec:
        case Literal(text):
            return lambda v, c: text
        case Dec():
            return _compile_dec(spec, at)
        case Radix():
            return _compile_radix(spec, at)
        case Char():
            if spec.four_state:
                n = spec.width_bits
                return lambda v, c: bytes((v[at] >> n & ~v[at] & 0xFF & ((1 << n) - 1),))
            return lambda v, c: bytes((v[at] & 0xFF,))
        case Real(style, frac, width, left):
            return lambda v, c: real(v[at], style, frac, width, left)
        case Str():
            return _compile_str(spec, at)
        case Time(current, width):
            if current:
                return lambda v, c: format_time(c.now_fs, c.time_format, width)
            return lambda v, c: format_time(v[at], c.time_format, width)
        case HierPath(escaped):
            if escaped:
                return lambda v, c: escape_path(c.instance_path()).encode("utf-8", "surrogateescape")
            return lambda v, c: c.instance_path().encode("utf-8", "surrogateescape")
        case Concat():
            return _compile_concat(spec, at)
        case Select(a, b):
            on_true, on_false = _compile(a, at + 1), _compile(b, at + 1 + leaf_count(a))
            return lambda v, c: on_true(v, c) if v[at] else on_false(v, c)
    raise TypeError(f"expected a format specification but got {spec!r}")


def _compile_concat(spec: Concat, at: int) -> Renderer:
    parts: list[Renderer] = []
    text = b""

    def flush() -> None:
        nonlocal text
        if text:
            parts.append(_compile(Literal(text), 0))
            text = b""

    pending = list(reversed(spec.parts))
    while pending:
        part = pending.pop()
        if isinstance(part, Literal):
            text += part.text
        elif isinstance(part, Concat):
            pending.extend(reversed(part.parts))
        else:
            flush()
            parts.append(_compile(part, at))
            at += leaf_count(part)
    flush()
    if not parts:
        return lambda v, c: b""
    if len(parts) == 1:
        return parts[0]
    join = b"".join
    run = tuple(parts)
    return lambda v, c: join([p(v, c) for p in run])


def _compile_dec(spec: Dec, at: int) -> Renderer:
    n, signed, pad, left = spec.width_bits, spec.signed, spec.pad, spec.left
    given = _clip(spec.specifier_width)
    width = decimal_width(n, signed) if given is None else given
    mask, full, sign = (1 << n) - 1, 1 << n, (1 << n) >> 1

    def known(value: int) -> bytes:
        if signed and value & sign:
            value -= full
        digits = b"%d" % value
        return digits if len(digits) >= width else pad_decimal(digits, width, pad, left)

    if not spec.four_state:
        if width <= 1 and not signed:
            return lambda v, c: b"%d" % v[at]
        return lambda v, c: known(v[at])

    def four(v: Sequence[Any], c: FormatContext) -> bytes:
        packed = v[at]
        unknown = packed & mask
        if not unknown:
            return known(packed >> n)
        return pad_decimal(_unknown_digit(packed >> n, unknown, mask), width, pad, left)

    return four


def _compile_radix(spec: Radix, at: int) -> Renderer:
    n, bits, pad, left, upper = spec.width_bits, spec.digit_bits, spec.pad, spec.left, spec.upper
    width = _clip(spec.specifier_width)
    mask = (1 << n) - 1
    if n == 0:
        return lambda v, c: pad_text(b"", width, SPACE)
    code = "X" if upper and bits == 4 else _RADIX_FORMAT[bits]
    ndigits = -(-n // bits)
    template = f"0{ndigits}{code}"
    plain = width is None or (width >= ndigits and pad == ZERO and not left)
    if plain and width is not None:
        template = f"0{width}{code}"

    def known(value: int) -> bytes:
        digits = format(value, template).encode()
        return digits if plain else pad_radix(digits, width, pad, left)

    if not spec.four_state:
        return lambda v, c: known(v[at])

    def four(v: Sequence[Any], c: FormatContext) -> bytes:
        packed = v[at]
        unknown = packed & mask
        if not unknown:
            return known(packed >> n)
        return pad_radix(radix_digits4(packed >> n, unknown, n, bits, upper), width, pad, left)

    return four


def _compile_str(spec: Str, at: int) -> Renderer:
    width, pad, left = _clip(spec.specifier_width), spec.pad, spec.left
    if spec.by_value:
        return lambda v, c: pad_text(v[at], width, pad, left)

    def dynamic(v: Sequence[Any], c: FormatContext) -> bytes:
        length = v[at + 1]
        return pad_text(c.read(v[at], length) if length else b"", width, pad, left)

    return dynamic


def escape_path(path: str) -> str:
    """A hierarchical name whose levels are SystemVerilog identifiers, escaped (`\\name `) where they are no simple ones."""
    return ".".join(p if p.isidentifier() and p.isascii() or p.replace("$", "_").isidentifier() else f"\\{p} " for p in path.split("."))


# ---------------------------------------------------------------------------------------------------------------------------------
# From operations


def spec_for_op(name: str, attrs: Mapping[str, Any], width_bits: int = 0) -> FormatSpec:
    """The node for a `sim.fmt.*` operation other than concat.

    `attrs` may use the ODS names or those of the custom syntax; `width_bits` is the width of an integer operand.
    Raises KeyError for an operation without a meaning here.
    """

    def attr(*names: str, default: Any = None) -> Any:
        return next((attrs[n] for n in names if attrs.get(n) is not None), default)

    kind = name.removeprefix("sim.fmt.")
    left = bool(attr("isLeftAligned", "leftJustified", default=False))
    width = cast("int | None", attr("specifierWidth"))
    pad_attr = attr("paddingChar")
    pad = None if pad_attr is None else int(pad_attr) & 0xFF
    four_bits = attr("fourStateWidth")
    four = four_bits is not None and 2 * int(four_bits) == width_bits
    bits = width_bits // 2 if four else width_bits
    match kind:
        case "literal":
            text = attrs["literal"]
            return Literal(text if isinstance(text, bytes) else str(text).encode("utf-8", "surrogateescape"))
        case "dec":
            signed = bool(attr("isSigned", "signed", default=False))
            return Dec(bits, signed, SPACE if pad is None else pad, width, left, four)
        case "hex" | "oct" | "bin":
            upper = bool(attr("isHexUppercase", "isUpper", default=False))
            return Radix({"hex": 4, "oct": 3, "bin": 1}[kind], bits, upper, ZERO if pad is None else pad, width, left, four)
        case "char":
            return Char(bits, four)
        case "exp" | "flt" | "gen" | "scientific" | "float" | "general":
            frac = attr("fracDigits", default=6)
            return Real({"e": "e", "s": "e", "f": "f", "g": "g"}[kind[0]], int(frac), attr("fieldWidth", "specifierWidth"), left)
        case "dyn_string" | "string":
            return Str(SPACE if pad is None else pad, width, left)
        case "time":
            return Time(False, attr("width", "specifierWidth"))
        case "current_time":
            return Time(True)
        case "hier_path":
            return HierPath(bool(attr("escaped", "useEscapes", default=False)))
    raise KeyError(name)
