"""Packing functions made for one Packing agree with the reference."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import mirgen
from wasmjit.interp.packing import MAX_FIELDS, make_pack, make_unpack
from wasmjit.sem import fold
from wasmjit.sem.mir import Packing


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_specialised_packing_equals_the_reference(seed: int) -> None:
    rng = random.Random(seed)
    p, size = mirgen.random_packing(rng, 2)
    image, bits = rng.randbytes(size), rng.getrandbits(p.count * p.bits)
    assert make_pack(p)(image) == fold.apack(image, p)
    assert make_unpack(p, size + 3)(bits) == fold.aunpack(bits, size + 3, p)


def test_packings_of_very_many_fields_work() -> None:
    p = Packing(MAX_FIELDS + 1, 2, 12, ((0, 12, 0, None),), reverse=True)
    image = random.Random(1).randbytes(2 * p.count)
    packed = make_pack(p)(image)
    assert packed == fold.apack(image, p)
    assert make_unpack(p, len(image))(packed) == fold.aunpack(packed, len(image), p)
