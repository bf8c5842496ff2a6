"""`wasmjit.data` does what `dataclasses` does, for the rules used here."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any, ClassVar

import pytest

from wasmjit import data


@data.dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 2
    note: str = data.field(default="n", compare=False)


@data.dataclass(slots=True)
class Bag:
    kind: ClassVar[str] = "bag"
    name: str
    items: list[int] = data.field(default_factory=list)
    hidden: int = data.field(default=0, repr=False)


@data.dataclass(frozen=True, slots=True)
class Point3(Point):
    z: int = 3


@data.dataclass(slots=True, eq=False)
class Node:
    n: int

    def double(self) -> int:
        return 2 * self.n


@data.dataclass
class Plain:
    a: int
    b: int = 1

    def __post_init__(self) -> None:
        self.b += self.a


def test_construction_takes_positions_names_and_defaults() -> None:
    assert (Point(1).x, Point(1).y, Point(1, y=5).y, Point3(1, 2, "k", 9).z) == (1, 2, 5, 9)
    first, second = Bag("a"), Bag("b")
    first.items.append(1)
    assert second.items == [] and Bag.kind == "bag"
    assert Plain(4).b == 5 and Node(4).double() == 8


@pytest.mark.parametrize("make", [lambda: Point(), lambda: Point(1, 2, "", 4), lambda: Point(1, q=2), lambda: Bag()])
def test_wrong_arguments_are_type_errors(make: Any) -> None:
    for _ in range(2):  # the first construction compiles __init__
        with pytest.raises(TypeError):
            make()


def test_equality_and_hash_go_by_the_compared_fields() -> None:
    assert Point(1) == Point(1, note="other") != Point(2)
    assert hash(Point(1)) == hash(Point(1, note="other")) and len({Point(1), Point(1), Point(2)}) == 2
    assert Point3(1) != Point(1) and Point(1) != (1, 2)
    assert Bag("a") == Bag("a") and Bag("a") != Bag("b")
    node = Node(1)
    assert node != Node(1) and hash(node) == hash(node)
    with pytest.raises(TypeError, match="unhashable"):
        hash(Bag("a"))


def test_repr_is_that_of_the_standard_library() -> None:
    assert repr(Point(1)) == "Point(x=1, y=2, note='n')"
    assert repr(Bag("a")) == "Bag(name='a', items=[])"


def test_frozen_objects_refuse_assignment_and_unknown_names_have_no_slot() -> None:
    p: Any = Point(1)
    with pytest.raises(data.FrozenInstanceError):
        p.x = 2
    with pytest.raises(data.FrozenInstanceError):
        del p.x
    b: Any = Bag("a")
    b.name = "c"
    with pytest.raises(AttributeError):
        b.other = 1
    assert not hasattr(p, "__dict__")


def test_copies_and_pickles_of_frozen_objects_are_equal() -> None:
    for obj in (Point(1, 5), Point3(1, z=7), Bag("a", [1])):
        assert copy.copy(obj) == obj and copy.deepcopy(obj) == obj and pickle.loads(pickle.dumps(obj)) == obj


def test_replace_and_the_functions_of_the_standard_library() -> None:
    assert data.replace(Point(1), y=7) == Point(1, 7)
    assert dataclasses.replace(Point(1), y=7) == Point(1, 7)  # type: ignore[type-var]
    assert dataclasses.asdict(Bag("a", [1])) == {"name": "a", "items": [1], "hidden": 0}  # type: ignore[call-overload]
    assert [f.name for f in dataclasses.fields(Point3)] == ["x", "y", "note", "z"]  # type: ignore[arg-type]


def test_patterns_match_by_position() -> None:
    match Point(1, 4):
        case Point(x, 4):
            assert x == 1
        case _:
            pytest.fail("no match")


def test_mutable_defaults_and_defaults_before_others_are_errors() -> None:
    with pytest.raises(ValueError, match="default_factory"):

        @data.dataclass(slots=True)
        class _Mutable:
            items: list[int] = []

    with pytest.raises(TypeError, match="non-default"):

        @data.dataclass(slots=True)
        class _Order:
            a: int = 1
            b: int  # type: ignore[misc]

        _Order(1, 2)
