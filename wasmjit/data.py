"""Record classes: `dataclasses.dataclass` as far as it is used here, made at a tenth of the cost.

The standard decorator compiles five to eight functions from source text for each class when its module is imported: 0.6 ms a class, a third of the time from the command to
the first cycle of a small design, and it imports `inspect`, `ast` and `dis`. Here equality, hash, repr and the guards of frozen classes are plain closures, and
`__init__` is compiled when the first object is made. Parameters, field rules and results are those of the standard library (`frozen`, `slots`, `eq`; defaults,
`field(default=, default_factory=, compare=, repr=)`; `__match_args__`; inheritance). `dataclasses.replace`, `fields` and `asdict` work on these classes.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")

FIELDS = "__record_fields__"


class FrozenInstanceError(AttributeError):
    """Assignment to a field of a frozen object."""


class Missing:
    """Stands for 'no default'."""


MISSING = Missing()


class Field:
    """One field: its name and rules."""

    __slots__ = ("compare", "default", "factory", "name", "repr")

    def __init__(self, default: Any, factory: Any, compare: bool, repr: bool) -> None:
        self.name = ""
        self.default = default
        self.factory = factory
        self.compare = compare
        self.repr = repr


def field(*, default: Any = MISSING, default_factory: Any = MISSING, compare: bool = True, repr: bool = True) -> Any:
    """Rules of a field, as its default in the class body."""
    return Field(default, default_factory, compare, repr)


@overload
def dataclass(cls: type[T], /) -> type[T]: ...
@overload
def dataclass(*, frozen: bool = False, slots: bool = False, eq: bool = True) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(field_specifiers=(field,))
def dataclass(cls: Any = None, /, *, frozen: bool = False, slots: bool = False, eq: bool = True) -> Any:
    """Class decorator; see `dataclasses.dataclass`."""
    if cls is None:
        return lambda c: make(c, frozen, slots, eq)
    return make(cls, frozen, slots, eq)


def replace(obj: T, /, **changes: Any) -> T:
    """A copy of an object with some fields changed."""
    cls: Any = type(obj)
    for name in getattr(cls, FIELDS):
        if name not in changes:
            changes[name] = getattr(obj, name)
    return cls(**changes)  # type: ignore[no-any-return]


def make(cls: Any, frozen: bool, slots: bool, eq: bool) -> Any:
    """The finished class: with slots it is another class object than the one given."""
    own = own_fields(cls)
    fields: dict[str, Field] = {}
    inherited: set[str] = set()
    for base in cls.__mro__[-1:0:-1]:
        fields |= base.__dict__.get(FIELDS, {})
        inherited.update(base.__dict__.get("__slots__", ()))
    fields |= own
    names = tuple(fields)
    for f in own.values():  # as attributes only plain defaults stay
        if f.default is not MISSING:
            setattr(cls, f.name, f.default)
        elif f.name in cls.__dict__:
            delattr(cls, f.name)
    if slots:
        space = {k: v for k, v in cls.__dict__.items() if k not in fields and k not in ("__dict__", "__weakref__")}
        space["__slots__"] = tuple(n for n in own if n not in inherited)
        qualname = cls.__qualname__
        cls = type(cls)(cls.__name__, cls.__bases__, space)
        cls.__qualname__ = qualname
    setattr(cls, FIELDS, fields)
    cls.__dataclass_fields__ = StandardFields()
    setattr(cls, "__match_args__", names)  # noqa: B010  (mypy takes the plain assignment for one to a class variable of its own)
    space = cls.__dict__
    if "__init__" not in space:
        cls.__init__ = first_init(cls, fields, frozen, slots)
    if "__repr__" not in space:
        cls.__repr__ = repr_of(tuple(f.name for f in fields.values() if f.repr))
    if eq:
        key = key_of(tuple(f.name for f in fields.values() if f.compare))
        if "__eq__" not in space:
            cls.__eq__ = eq_of(key)
        if space.get("__hash__") is None:
            cls.__hash__ = hash_of(key) if frozen else None
    if frozen:
        cls.__setattr__, cls.__delattr__ = guards(cls, frozenset(fields))
        if slots and "__getstate__" not in space:
            cls.__getstate__, cls.__setstate__ = state_of(names)
    return cls


def own_fields(cls: Any) -> dict[str, Field]:
    """Fields that a class body declares, in order."""
    out: dict[str, Field] = {}
    for name, note in cls.__dict__.get("__annotations__", {}).items():
        if str(note).startswith(("ClassVar", "typing.ClassVar")):
            continue
        given = cls.__dict__.get(name, MISSING)
        f = given if isinstance(given, Field) else Field(given, MISSING, True, True)
        if isinstance(f.default, (list, dict, set)):
            raise ValueError(f"mutable default {type(f.default)} for field {name} is not allowed: use default_factory")
        f.name = name
        out[name] = f
    return out


def first_init(cls: Any, fields: dict[str, Field], frozen: bool, slots: bool) -> Callable[..., None]:
    """An `__init__` that compiles the real one, puts it in its place and calls it."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        real = compile_init(cls, fields, frozen, slots)
        cls.__init__ = real
        real(self, *args, **kwargs)

    __init__.__qualname__ = f"{cls.__qualname__}.__init__"
    return __init__


def compile_init(cls: Any, fields: dict[str, Field], frozen: bool, slots: bool) -> Callable[..., None]:
    space: dict[str, Any] = {"MISSING": MISSING}
    params, lines = ["self"], []
    defaults = False
    for n, f in fields.items():
        value = n
        if f.factory is not MISSING:
            space[f"make_{n}"] = f.factory
            params.append(f"{n}=MISSING")
            value = f"make_{n}() if {n} is MISSING else {n}"
            defaults = True
        elif f.default is not MISSING:
            space[f"default_{n}"] = f.default
            params.append(f"{n}=default_{n}")
            defaults = True
        elif defaults:
            raise TypeError(f"non-default argument {n!r} follows default argument")
        else:
            params.append(n)
        if frozen:
            # The slot's own setter: quicker than object.__setattr__, which looks the name up.
            space[f"set_{n}"] = getattr(cls, n).__set__ if slots else None
            lines.append(f"    set_{n}(self, {value})" if slots else f"    set_(self, {n!r}, {value})")
        else:
            lines.append(f"    self.{n} = {value}")
    space["set_"] = object.__setattr__
    if hasattr(cls, "__post_init__"):
        lines.append("    self.__post_init__()")
    exec(f"def __init__({', '.join(params)}):\n" + ("\n".join(lines) or "    pass"), space)  # noqa: S102  (our own text: only field names vary)
    real: Callable[..., None] = space["__init__"]
    real.__qualname__ = f"{cls.__qualname__}.__init__"
    return real


def repr_of(names: tuple[str, ...]) -> Callable[[Any], str]:
    def __repr__(self: Any) -> str:
        return f"{self.__class__.__qualname__}({', '.join([f'{n}={getattr(self, n)!r}' for n in names])})"

    return __repr__


def key_of(names: tuple[str, ...]) -> Callable[[Any], Any]:
    """The compared fields of an object as a tuple."""
    if not names:
        return lambda self: ()
    if len(names) == 1:
        one = attrgetter(names[0])
        return lambda self: (one(self),)
    return attrgetter(*names)


def eq_of(key: Callable[[Any], Any]) -> Callable[[Any, object], Any]:
    def __eq__(self: Any, other: object) -> Any:
        if other.__class__ is self.__class__:
            return key(self) == key(other)
        return NotImplemented

    return __eq__


def hash_of(key: Callable[[Any], Any]) -> Callable[[Any], int]:
    def __hash__(self: Any) -> int:
        return hash(key(self))

    return __hash__


def guards(cls: Any, names: frozenset[str]) -> tuple[Callable[..., None], Callable[..., None]]:
    """`__setattr__` and `__delattr__` of a frozen class."""

    def __setattr__(self: Any, name: str, value: Any) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def __delattr__(self: Any, name: str) -> None:
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return __setattr__, __delattr__


def state_of(names: tuple[str, ...]) -> tuple[Callable[..., Any], Callable[..., None]]:
    """Copying and pickling of frozen objects with slots."""

    def __getstate__(self: Any) -> list[Any]:
        return [getattr(self, n) for n in names]

    def __setstate__(self: Any, state: list[Any]) -> None:
        for n, value in zip(names, state, strict=True):
            object.__setattr__(self, n, value)

    return __getstate__, __setstate__


class StandardFields:
    """`__dataclass_fields__` for the functions of the standard library, made when somebody asks."""

    def __get__(self, obj: Any, cls: Any) -> dict[str, Any]:
        import dataclasses

        spec = []
        for f in getattr(cls, FIELDS).values():
            rules: dict[str, Any] = {"compare": f.compare, "repr": f.repr}
            if f.default is not MISSING:
                rules["default"] = f.default
            if f.factory is not MISSING:
                rules["default_factory"] = f.factory
            spec.append((f.name, Any, dataclasses.field(**rules)))
        return dataclasses.make_dataclass("Fields", spec).__dataclass_fields__  # type: ignore[attr-defined, no-any-return]
