"""MLIR types as interned immutable objects: equal types are the same object, so `is` compares them.

`str(type)` is the MLIR spelling, which the reader accepts again.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Self

_BARE = re.compile(r"[A-Za-z_][\w$.]*\Z")


class Type:
    """Base of all types. Subclasses list their fields in the order of the constructor in `_order`; the constructor interns."""

    __slots__ = ("__weakref__",)
    _cache: ClassVar[dict[tuple[Any, ...], Any]] = {}
    _order: ClassVar[tuple[str, ...]] = ()

    def __new__(cls, *args: Any) -> Self:
        key = (cls, *args)
        found = Type._cache.get(key)
        if found is None:
            found = object.__new__(cls)
            for slot, value in zip(cls._order, args, strict=True):
                object.__setattr__(found, slot, value)
            found = Type._cache.setdefault(key, found)
        return found  # type: ignore[no-any-return]

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, s) for s in self._order)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        raise NotImplementedError


def quote_name(name: str) -> str:
    """A field name as MLIR writes it: bare if it is an identifier, else quoted."""
    if _BARE.match(name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


class IntType(Type):
    """`iN`, `siN`, `uiN`; signedness is "signless", "signed" or "unsigned"; width in bits, 0 is allowed."""

    __slots__ = ("signedness", "width")
    _order = ("width", "signedness")
    width: int
    signedness: str

    def __new__(cls, width: int, signedness: str = "signless") -> Self:
        return super().__new__(cls, width, signedness)

    def __str__(self) -> str:
        return {"signless": "i", "signed": "si", "unsigned": "ui"}[self.signedness] + str(self.width)


class FloatType(Type):
    """`f16`, `f32`, `f64`, ... ; `kind` tells apart formats of one width ("f16", "bf16", "tf32")."""

    __slots__ = ("kind", "width")
    _order = ("width", "kind")
    width: int
    kind: str

    def __new__(cls, width: int, kind: str = "") -> Self:
        return super().__new__(cls, width, kind or f"f{width}")

    def __str__(self) -> str:
        return self.kind


class _Plain(Type):
    __slots__ = ()
    text = ""

    def __str__(self) -> str:
        return self.text


class IndexType(_Plain):
    __slots__ = ()
    text = "index"


class NoneType(_Plain):
    __slots__ = ()
    text = "none"


class TimeType(_Plain):
    __slots__ = ()
    text = "!llhd.time"


class LLVMVoidType(_Plain):
    __slots__ = ()
    text = "!llvm.void"


class ClockType(_Plain):
    __slots__ = ()
    text = "!seq.clock"


class FStringType(_Plain):
    __slots__ = ()
    text = "!sim.fstring"


class DStringType(_Plain):
    __slots__ = ()
    text = "!sim.dstring"


class PropertyType(_Plain):
    __slots__ = ()
    text = "!ltl.property"


class SequenceType(_Plain):
    __slots__ = ()
    text = "!ltl.sequence"


def type_list(types: tuple[Type, ...]) -> str:
    return ", ".join(map(str, types))


class FunctionType(Type):
    __slots__ = ("inputs", "results")
    _order = ("inputs", "results")
    inputs: tuple[Type, ...]
    results: tuple[Type, ...]

    def __str__(self) -> str:
        res = self.results
        if len(res) == 1 and not isinstance(res[0], FunctionType):
            return f"({type_list(self.inputs)}) -> {res[0]}"
        return f"({type_list(self.inputs)}) -> ({type_list(res)})"


class StructType(Type):
    """`!hw.struct`; fields: (name, type) in order, the first one most significant when packed."""

    __slots__ = ("_index", "fields")
    fields: tuple[tuple[str, Type], ...]
    _index: dict[str, int]

    def __new__(cls, fields: tuple[tuple[str, Type], ...]) -> Self:
        key = (cls, fields)
        found = Type._cache.get(key)
        if found is None:
            found = object.__new__(cls)
            object.__setattr__(found, "fields", fields)
            object.__setattr__(found, "_index", {name: i for i, (name, _) in enumerate(fields)})
            found = Type._cache.setdefault(key, found)
        return found  # type: ignore[no-any-return]

    def __reduce__(self) -> tuple[Any, ...]:
        return StructType, (self.fields,)

    def field_index(self, name: str) -> int | None:
        """Position of the field called `name`, None if there is none."""
        return self._index.get(name)

    def field_type(self, name: str) -> Type | None:
        i = self._index.get(name)
        return None if i is None else self.fields[i][1]

    def __str__(self) -> str:
        return "!hw.struct<" + ", ".join(f"{quote_name(n)}: {t}" for n, t in self.fields) + ">"


class UnionType(Type):
    """`!hw.union`; fields: (name, type, bit offset)."""

    __slots__ = ("fields",)
    _order = ("fields",)
    fields: tuple[tuple[str, Type, int], ...]

    def field_type(self, name: str) -> Type | None:
        return next((t for n, t, _ in self.fields if n == name), None)

    def __str__(self) -> str:
        return "!hw.union<" + ", ".join(f"{quote_name(n)}: {t}" + (f" offset {o}" if o else "") for n, t, o in self.fields) + ">"


class ArrayType(Type):
    """`!hw.array<NxT>` (packed) and `!hw.uarray<NxT>` (`packed` False)."""

    __slots__ = ("elem", "packed", "size")
    _order = ("size", "elem", "packed")
    size: int
    elem: Type
    packed: bool

    def __new__(cls, size: int, elem: Type, packed: bool = True) -> Self:
        return super().__new__(cls, size, elem, packed)

    def __str__(self) -> str:
        return f"!hw.{'array' if self.packed else 'uarray'}<{self.size}x{self.elem}>"


class InOutType(Type):
    __slots__ = ("elem",)
    _order = ("elem",)
    elem: Type

    def __str__(self) -> str:
        return f"!hw.inout<{self.elem}>"


class EnumType(Type):
    __slots__ = ("names",)
    _order = ("names",)
    names: tuple[str, ...]

    def __str__(self) -> str:
        return "!hw.enum<" + ", ".join(self.names) + ">"


class StringType(_Plain):
    """`!hw.string` (module parameters, sv strings)."""

    __slots__ = ()
    text = "!hw.string"


class RefType(Type):
    """`!llhd.ref<T>`; also the older spelling `!llhd.sig<T>`."""

    __slots__ = ("elem",)
    _order = ("elem",)
    elem: Type

    def __str__(self) -> str:
        return f"!llhd.ref<{self.elem}>"


class ImmutableType(Type):
    __slots__ = ("elem",)
    _order = ("elem",)
    elem: Type

    def __str__(self) -> str:
        return f"!seq.immutable<{self.elem}>"


class FirMemType(Type):
    """`!seq.firmem<depth x width, mask N>`; mask is None without a mask."""

    __slots__ = ("depth", "mask", "width")
    _order = ("depth", "width", "mask")
    depth: int
    width: int
    mask: int | None

    def __str__(self) -> str:
        return f"!seq.firmem<{self.depth} x {self.width}" + (f", mask {self.mask}>" if self.mask is not None else ">")


class HLMemType(Type):
    __slots__ = ("elem", "shape")
    _order = ("shape", "elem")
    shape: tuple[int, ...]
    elem: Type

    def __str__(self) -> str:
        return f"!seq.hlmem<{'x'.join(map(str, self.shape))}x{self.elem}>"


class QueueType(Type):
    """`!sim.queue<T, N>`; bound: most elements it holds, 0 means unbounded."""

    __slots__ = ("bound", "elem")
    _order = ("elem", "bound")
    elem: Type
    bound: int

    def __str__(self) -> str:
        return f"!sim.queue<{self.elem}, {self.bound}>"


class AssocType(Type):
    """`!sim.assoc_array<element, index>`."""

    __slots__ = ("elem", "index")
    _order = ("elem", "index")
    elem: Type
    index: Type

    def __str__(self) -> str:
        return f"!sim.assoc_array<{self.elem}, {self.index}>"


class PtrType(Type):
    __slots__ = ("space",)
    _order = ("space",)
    space: int

    def __new__(cls, space: int = 0) -> Self:
        return super().__new__(cls, space)

    def __str__(self) -> str:
        return f"!llvm.ptr<{self.space}>" if self.space else "!llvm.ptr"


class LLVMStructType(Type):
    """`name` is None for literal structs; `fields` is None for an opaque one."""

    __slots__ = ("fields", "name", "packed")
    _order = ("name", "fields", "packed")
    name: str | None
    fields: tuple[Type, ...] | None
    packed: bool

    def __new__(cls, name: str | None, fields: tuple[Type, ...] | None, packed: bool = False) -> Self:
        return super().__new__(cls, name, fields, packed)

    @property
    def members(self) -> tuple[Type, ...]:
        """The fields; none for an opaque struct."""
        return self.fields or ()

    def __str__(self) -> str:
        name = "" if self.name is None else '"' + self.name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        if self.fields is None:
            return f"!llvm.struct<{name}, opaque>"
        body = ("packed " if self.packed else "") + "(" + type_list(self.fields) + ")"
        return f"!llvm.struct<{name}, {body}>" if name else f"!llvm.struct<{body}>"


class LLVMArrayType(Type):
    __slots__ = ("elem", "size")
    _order = ("size", "elem")
    size: int
    elem: Type

    def __str__(self) -> str:
        return f"!llvm.array<{self.size} x {self.elem}>"


class LLVMFuncType(Type):
    __slots__ = ("params", "result", "vararg")
    _order = ("result", "params", "vararg")
    result: Type
    params: tuple[Type, ...]
    vararg: bool

    def __new__(cls, result: Type, params: tuple[Type, ...], vararg: bool = False) -> Self:
        return super().__new__(cls, result, params, vararg)

    def __str__(self) -> str:
        params = [str(p) for p in self.params] + (["..."] if self.vararg else [])
        return f"!llvm.func<{self.result} ({', '.join(params)})>"


class _Shaped(Type):
    """`shape` entries are sizes, -1 for `?`; `suffix` is the rest of the spelling after the element type, kept as text."""

    __slots__ = ("elem", "shape", "suffix")
    _order = ("shape", "elem", "suffix")
    shape: tuple[int, ...] | None
    elem: Type
    suffix: str
    word = ""

    def __new__(cls, shape: tuple[int, ...] | None, elem: Type, suffix: str = "") -> Self:
        return super().__new__(cls, shape, elem, suffix)

    def __str__(self) -> str:
        dims = "*x" if self.shape is None else "".join("?x" if d < 0 else f"{d}x" for d in self.shape)
        return f"{self.word}<{dims}{self.elem}{self.suffix}>"


class TensorType(_Shaped):
    __slots__ = ()
    word = "tensor"


class VectorType(_Shaped):
    __slots__ = ()
    word = "vector"


class MemRefType(_Shaped):
    __slots__ = ()
    word = "memref"


class TupleType(Type):
    __slots__ = ("elems",)
    _order = ("elems",)
    elems: tuple[Type, ...]

    def __str__(self) -> str:
        return f"tuple<{type_list(self.elems)}>"


class OpaqueType(Type):
    """A type the tables do not know, kept as text (`!moore.l1`, `!hw.int<...>`)."""

    __slots__ = ("text",)
    _order = ("text",)
    text: str

    def __str__(self) -> str:
        return self.text


I1 = IntType(1)
I8 = IntType(8)
I16 = IntType(16)
I32 = IntType(32)
I64 = IntType(64)
F32 = FloatType(32)
F64 = FloatType(64)
INDEX = IndexType()
TIME = TimeType()
PTR = PtrType()
CLOCK = ClockType()
VOID = LLVMVoidType()


def bit_width(t: Type) -> int | None:
    """Bits of a packed hardware type (`hw.bitcast` compares these); None if the type has no such width."""
    if isinstance(t, IntType):
        return t.width
    if isinstance(t, ArrayType):
        w = bit_width(t.elem)
        return None if w is None else w * t.size
    if isinstance(t, StructType):
        total = 0
        for _, f in t.fields:
            w = bit_width(f)
            if w is None:
                return None
            total += w
        return total
    if isinstance(t, UnionType):
        widest = 0
        for _, f, off in t.fields:
            w = bit_width(f)
            if w is None:
                return None
            widest = max(widest, w + off)
        return widest
    if isinstance(t, EnumType):
        return max(1, (len(t.names) - 1).bit_length())
    if isinstance(t, ClockType):
        return 1
    if isinstance(t, FloatType):
        return t.width
    return None
